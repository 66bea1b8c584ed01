"""Reasons in plain words that a participant can read."""

from functools import singledispatch
from typing import NamedTuple

from cm_engine.rules.reasons import (
    BonusEarned,
    Counted,
    Earned,
    Held,
    Limited,
    Next,
    Noted,
    NotRequired,
    PlanEnded,
    Reason,
    Recoverable,
    Recovered,
    WasReset,
    WeekPaid,
)


class Words(NamedTuple):
    """How a behavior is spoken of."""

    met: str
    mets: str
    next_met: str
    due: str
    outcomes: dict[str, str]


_ABSENT = {"o": "Missed visit", "e": "Excused visit"}

WORDS = {
    "abstinence": Words(
        "negative test",
        "negative tests",
        "Next negative",
        "No test was due",
        {"+": "Positive test", "*": "Test without a clear result", "r": "Refused test", **_ABSENT},
    ),
    "attendance": Words(
        "visit attended",
        "visits attended",
        "Next visit attended",
        "No visit was due",
        {"+": "Visit not attended", "*": "Attendance not clear", "r": "Refused visit", **_ABSENT},
    ),
    "medication": Words(
        "dose taken",
        "doses taken",
        "Next dose taken",
        "No dose was due",
        {"+": "Dose not taken", "*": "Dose not confirmed", "r": "Refused dose", **_ABSENT},
    ),
    "task": Words(
        "task completed",
        "tasks completed",
        "Next task completed",
        "No task was due",
        {"+": "Task not completed", "*": "Task not confirmed", "r": "Refused task", **_ABSENT},
    ),
}

_ORDINALS = dict(
    enumerate(
        [
            "Second",
            "Third",
            "Fourth",
            "Fifth",
            "Sixth",
            "Seventh",
            "Eighth",
            "Ninth",
            "Tenth",
            "Eleventh",
            "Twelfth",
        ],
        2,
    )
)
_COUNTS = dict(
    enumerate(["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], 2)
)


def sentence(reason: Reason, behavior: str) -> str:
    """Return a reason in words.

    Example:
        >>> from cm_engine.program.units import unit_named
        >>> sentence(Earned(unit_named("USD"), run=2, amount=1150, change=150), "abstinence")
        'Second negative test in a row: $11.50, up $1.50.'
    """
    return _said(reason, WORDS[behavior])


def ordinal(number: int) -> str:
    """Return a count as a word that begins a sentence: Second, 13th, 22nd."""
    if number in _ORDINALS:
        return _ORDINALS[number]
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def counted(number: int) -> str:
    """Return a count of two or more as it is written in a sentence: two, twelve, 13."""
    return _COUNTS.get(number, str(number))


@singledispatch
def _said(reason: Reason, words: Words) -> str:
    raise TypeError(reason, words)


@_said.register
def _(reason: Earned, words: Words) -> str:
    paid = reason.unit.spoken(reason.amount)
    row = " in a row" if reason.in_a_row else ""
    what = words.met.capitalize() if reason.run == 1 else f"{ordinal(reason.run)} {words.met}{row}"
    if reason.limited:
        return f"{what}, worth {paid}."
    if not reason.change:
        return f"{what}: {paid}."
    way = "up" if reason.change > 0 else "down"
    return f"{what}: {paid}, {way} {reason.unit.spoken(abs(reason.change))}."


@_said.register
def _(reason: Counted, words: Words) -> str:
    if not reason.needed:
        return f"{words.met.capitalize()}."
    return f"{words.met.capitalize()}, number {reason.done} of the {reason.needed} for the next reward."


@_said.register
def _(reason: WeekPaid, words: Words) -> str:
    return f"{reason.met} of {reason.due} {words.mets} this week: {reason.unit.spoken(reason.amount)}."


@_said.register
def _(reason: BonusEarned, words: Words) -> str:
    row = " in a row" if reason.in_a_row else ""
    run = f"{counted(reason.every)} {words.mets}{row}" if reason.every > 1 else f"each {words.met}"
    return f"Bonus for {run}: {reason.unit.spoken(reason.amount)} more."


@_said.register
def _(reason: Recovered, words: Words) -> str:
    row = " in a row" if reason.in_a_row else ""
    many = f"{counted(reason.after).capitalize()} {words.mets}{row} bring"
    who = many if reason.after > 1 else f"This {words.met} brings"
    return f"{who} your reward back up to {reason.unit.spoken(reason.amount)}."


@_said.register
def _(reason: Limited, words: Words) -> str:
    unit = reason.unit
    if reason.per == "reward" and reason.left:
        return f"The most that a reward pays is {unit.spoken(reason.left)}, and that is paid."
    limit = f"The limit of {unit.spoken(reason.limit)} per {reason.per}"
    if reason.crossing == "stop" and reason.left == 0:
        return f"{limit} has stopped payments, so nothing can be paid."
    if reason.crossing == "withhold" and reason.left == 0:
        return f"{limit} does not leave enough, so nothing can be paid."
    if reason.left == 0:
        return f"{limit} is reached, so nothing can be paid."
    return f"{limit} leaves {unit.spoken(reason.left)}, and that is paid."


@_said.register
def _(reason: WasReset, words: Words) -> str:
    again = (
        ""
        if reason.restart is None
        else f", and the reward starts again at {reason.unit.spoken(reason.restart)}"
    )
    return f"{words.outcomes[reason.outcome]}: no reward this time{again}."


@_said.register
def _(reason: Recoverable, words: Words) -> str:
    when = "With" if reason.paid_nth else "After"
    row = " in a row" if reason.in_a_row else ""
    run = f"{counted(reason.after)} {words.mets}{row}" if reason.after > 1 else f"one {words.met}"
    return f"{when} {run} the reward goes back up to {reason.unit.spoken(reason.amount)}."


@_said.register
def _(reason: Held, words: Words) -> str:
    kept = ", and your place is kept" if reason.kept else ""
    return f"{words.outcomes[reason.outcome]}: no reward{kept}."


@_said.register
def _(reason: Noted, words: Words) -> str:
    return f"{words.outcomes[reason.outcome]}."


@_said.register
def _(reason: NotRequired, words: Words) -> str:
    return f"{words.due}."


@_said.register
def _(reason: Next, words: Words) -> str:
    first, _, last = reason.opens.partition("-")
    weeks = f"Weeks {reason.opens} begin" if last else f"Week {first} begins"
    begins = f"{weeks} with the next visit. " if reason.opens else ""
    if reason.limited and not reason.amount:
        return f"{begins}{words.next_met}: nothing, as a limit does not leave enough."
    if not reason.amount:
        return f"{begins}The next visit pays nothing."
    rest = ", all that a limit leaves" if reason.limited else ""
    when = words.next_met if reason.after == 1 else f"After {counted(reason.after)} more {words.mets}"
    return f"{begins}{when}: {reason.unit.spoken(reason.amount)}{rest}."


@_said.register
def _(reason: PlanEnded, words: Words) -> str:
    return "That was the last visit of the plan."
