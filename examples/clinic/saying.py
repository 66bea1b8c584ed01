"""A decision in the reader's language; where there are no words for it, in the engine's, marked as English."""

from dataclasses import dataclass

from examples.clinic.spanish import spanish
from examples.clinic.terms import TERMS

from cm_engine import Decision, NotAllowedError, Program, RecordedDecision


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


REFUSALS = (
    (
        "people.second_entry",
        "enter",
        "You entered the first result yourself. Another person has to enter the second.",
    ),
    ("people.second_entry", "", "You entered this result yourself. Another person has to correct it."),
    ("people.release", "", "You recorded the result that pays this. Another person has to hand it over."),
    (
        "people.trained_within",
        "",
        "Your training is too long ago, or not written down. Ask a supervisor to renew it.",
    ),
    ("people", "", "You are not on the staff, or do not work here on this day."),
    ("right", "", "Your role does not have the right to do this."),
)
"""Why somebody may not do something, for a clerk, by the beginning of the rule that refuses it, and the act or any."""


def refused(error: object) -> str:
    """Return a refusal of the engine in a clerk's words, to be translated; nothing if it is no refusal of a person.

    Example:
        >>> refused(NotAllowedError("desk-1", "amend", "e-1", "right amend", "their roles do not have it"))
        'Your role does not have the right to do this.'
    """
    if not isinstance(error, NotAllowedError):
        return ""
    found = (words for rule, act, words in REFUSALS if error.rule.startswith(rule) and act in {"", error.act})
    return next(found, "")
