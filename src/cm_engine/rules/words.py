"""How a target is spoken of: by its behavior, by a noun of its own, or as a goal."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cm_engine.program.ladders import Phase
from cm_engine.program.models import Called, Target


@dataclass(frozen=True, slots=True)
class Words:
    """How a target is spoken of.

    Attributes:
        is_test: an outcome that is not met is a positive one.
        kept: the participant reads of what is kept, and not of what is earned.
    """

    met: str
    mets: str
    next_met: str
    due: str
    outcomes: Mapping[str, str]
    is_test: bool = False
    kept: bool = False

    def __hash__(self) -> int:
        """Hash by the words of success: equal words agree on them."""
        return hash((self.met, self.mets, self.kept))


def _of_noun(one: str, many: str, met: str, not_met: str) -> Words:
    """Return the words of something that is met by being done: a visit attended, a dose taken."""
    capital = one[:1].upper() + one[1:]
    outcomes = {
        "+": f"{capital} {not_met}",
        "*": f"{capital} not clear",
        "r": f"Refused {one}",
        "o": f"Missed {one}",
        "e": f"Excused {one}",
    }
    return Words(f"{one} {met}", f"{many} {met}", f"Next {one} {met}", f"No {one} was due", outcomes)


WORDS = {
    "abstinence": Words(
        "negative test",
        "negative tests",
        "Next negative",
        "No test was due",
        {
            "+": "Positive test",
            "*": "Test without a clear result",
            "r": "Refused test",
            "o": "Missed visit",
            "e": "Excused visit",
        },
        is_test=True,
    ),
    "attendance": _of_noun("visit", "visits", "attended", "not attended"),
    "medication": _of_noun("dose", "doses", "taken", "not taken"),
    "task": _of_noun("task", "tasks", "completed", "not completed"),
}
"""The words of each behavior."""

GOAL = _of_noun("goal", "goals", "met", "not met")
"""The words of a criterion that a participant's own values set."""

GROUP = Words(
    "group goal met",
    "group goals met",
    "Next group goal met",
    "Nothing was due",
    {"+": "Not met", "*": "Not clear", "r": "Refused", "o": "Missed", "e": "Excused"},
)
"""The words of a target whose group decides together."""

_DONE = {"attendance": ("attended", "not attended"), "medication": ("taken", "not taken")}


def words_of(target: Target, phase: Phase, framing: str) -> Words:
    """Return how a phase of a target is spoken of."""
    moving = phase.criterion is not None and phase.criterion.threshold is None
    kind = (
        "group"
        if phase.group or phase.together
        else "goal"
        if moving and target.behavior == "abstinence"
        else ""
    )
    return _words(target.behavior, target.called, kind, framing == "loss")


@lru_cache
def _words(behavior: str, called: Called | None, kind: str, kept: bool) -> Words:  # noqa: FBT001 - a key
    words = {"goal": GOAL, "group": GROUP}.get(kind) or WORDS[behavior]
    if called and kind != "group":
        words = _of_noun(called.one, called.many, *_DONE.get(behavior, ("completed", "not completed")))
    return Words(
        words.met, words.mets, words.next_met, words.due, words.outcomes, words.is_test and not called, kept
    )
