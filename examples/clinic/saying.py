"""A decision in the reader's language; where there are no words for it, in the engine's, marked as English."""

from dataclasses import dataclass

from examples.clinic.spanish import spanish
from examples.clinic.terms import TERMS

from cm_engine import Decision, Program, RecordedDecision


@dataclass(frozen=True)
class Said:
    """A text and the language it is in."""

    text: str
    language: str


def said(program: Program, decision: Decision | RecordedDecision, language: str) -> Said:
    """Return the reasons of a decision in words."""
    if language == "es" and decision.target and program.framing == "gain":
        text = spanish(decision.reasons, TERMS["es"][program.targets[decision.target].behavior])
        if text:
            return Said(text, "es")
    return Said(decision.sentence, "en")
