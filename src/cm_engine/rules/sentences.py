"""Reasons in plain words that a participant can read."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import singledispatch

from cm_engine.rules.reasons import (
    Another,
    BeyondQuota,
    BonusEarned,
    CameBack,
    Counted,
    Earned,
    Expired,
    Explained,
    Forgone,
    GroupMet,
    HandedOver,
    Happened,
    Held,
    Judged,
    Limited,
    MilestoneReached,
    Next,
    NextBar,
    Noted,
    NotExcused,
    NotProvided,
    NotRequired,
    PaidOut,
    PayDayCame,
    PlanEnded,
    ReadAs,
    Reason,
    Recoverable,
    Recovered,
    Redeemed,
    Refunded,
    Staked,
    StakeLost,
    Unplaced,
    Unscheduled,
    Waiting,
    WasReset,
    WeekPaid,
)
from cm_engine.rules.words import Words

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


def sentence(reason: Reason, words: Words) -> str:
    """Return a reason in words.

    Example:
        >>> from cm_engine.program.units import unit_named
        >>> from cm_engine.rules.words import WORDS
        >>> earned = Earned(unit_named("USD"), run=2, amount=1150, change=150, in_a_row=True)
        >>> sentence(earned, WORDS["abstinence"])
        'Second negative test in a row: $11.50, up $1.50.'
    """
    return _said(reason, words)


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
    if not reason.amount:
        return f"{what}."
    if reason.limited:
        return f"{what}, worth {paid}."
    if words.kept:
        return f"{what}: you keep {paid}."
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
    paid = f"{', worth' if reason.limited else ':'} {reason.unit.spoken(reason.amount)}"
    return f"{reason.met} of {reason.due} {words.mets} this week{paid}."


@_said.register
def _(reason: BonusEarned, words: Words) -> str:
    row = " in a row" if reason.in_a_row else ""
    run = f"{counted(reason.every)} {words.mets}{row}" if reason.every > 1 else f"each {words.met}"
    paid = f"{', worth' if reason.limited else ':'} {reason.unit.spoken(reason.amount)}"
    return f"Bonus for {run}{paid} more."


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
    window = "over the whole program" if reason.per == "episode" else f"per {reason.per}"
    limit = f"The limit of {unit.spoken(reason.limit)} {window}"
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
    if words.kept:
        return f"{words.outcomes[reason.outcome]}{again}."
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
    what = words.outcomes[reason.outcome]
    if words.kept:
        return f"{what}: nothing is kept for it{kept}." if reason.outcome in "e*" else f"{what}{kept}."
    return f"{what}: no reward{kept}."


@_said.register
def _(reason: Noted, words: Words) -> str:
    return f"{words.outcomes[reason.outcome]}."


@_said.register
def _(reason: NotRequired, words: Words) -> str:
    return f"{words.due}."


@_said.register
def _(reason: Forgone, words: Words) -> str:
    return f"{reason.unit.spoken(reason.amount)} is taken off; all the rest stays yours to keep."


_SEEN = {
    "dilute": "A dilute specimen",
    "substituted": "A substituted specimen",
    "adulterated": "A specimen with something added",
    "late": "What comes late",
    "rescheduled": "What is put off beforehand",
    "makeup": "What is made good on another day",
}


@_said.register
def _(reason: ReadAs, words: Words) -> str:
    if reason.seen == "closed":
        return "Nothing was expected on this day."
    counts = "does not count" if reason.outcome == "not required" else f"counts as {reason.outcome}"
    return f"{_SEEN.get(reason.seen, reason.seen)} {counts}."


@_said.register
def _(reason: NotExcused, words: Words) -> str:
    return f'"{reason.excuse}" is none of the excuses that are accepted.'


@_said.register
def _(reason: BeyondQuota, words: Words) -> str:
    window = "over the whole program" if reason.per == "episode" else f"per {reason.per}"
    return f"More than {reason.at_most} {reason.of} {window}: this one counts as {reason.outcome}."


@_said.register
def _(reason: Explained, words: Words) -> str:
    return f"A prescription explains {' and '.join(reason.analytes)}."


@_said.register
def _(reason: Judged, words: Words) -> str:
    measure = f" {reason.measure}" if reason.measure else ""
    if reason.bar is None:
        return f"Measured {digits(reason.value)}{measure}, with nothing to compare it with yet."
    return f"Measured {digits(reason.value)}{measure}; {reason.how} {digits(reason.bar)} was asked for."


@_said.register
def _(reason: NextBar, words: Words) -> str:
    measure = f" {reason.measure}" if reason.measure else ""
    return f"Next time {reason.how} {digits(reason.bar)}{measure} will do."


def digits(number: Fraction | Decimal) -> str:
    """Return a number in digits, with at most six decimals.

    Example:
        >>> digits(Fraction(5, 2))
        '2.5'
    """
    numerator, denominator = number.as_integer_ratio()
    text = f"{Decimal(numerator) / Decimal(denominator):.6f}"
    return text.rstrip("0").rstrip(".")


@_said.register
def _(reason: Waiting, words: Words) -> str:
    return _WAITS[reason.what]


_WAITS = {
    "retest": "This does not decide the visit yet; please give another one.",
    "confirmation": "The result waits for its confirmation; until then nothing is decided.",
    "reschedule": "It is put off; until then nothing is decided.",
}


@_said.register
def _(reason: Another, words: Words) -> str:
    return f"There is a result for visit {reason.visit} already: the {reason.counts} one counts, and this one does not."


@_said.register
def _(reason: Unplaced, words: Words) -> str:
    planned = f"; the next is planned for {reason.following:%d %b %Y}" if reason.following else ""
    return (
        f"This day belongs to no visit{planned}. Nothing is decided until it is known which visit it is of."
    )


@_said.register
def _(reason: Unscheduled, words: Words) -> str:
    return "This one was not planned: it is kept, and does not count."


@_said.register
def _(reason: GroupMet, words: Words) -> str:
    asked = f", and {reason.need} had to" if reason.need > 1 else ""
    return f"{reason.met} of {reason.of} in the group made it{asked}."


@_said.register
def _(reason: NotProvided, words: Words) -> str:
    return "This pays only together with the other goal of the visit, which was not met."


@_said.register
def _(reason: MilestoneReached, words: Words) -> str:
    says = reason.says.rstrip(".")
    if not reason.amount:
        return f"{says}."
    paid = reason.unit.spoken(reason.amount)
    return f"{says}, worth {paid}." if reason.limited else f"{says}: {paid}."


@_said.register
def _(reason: Happened, words: Words) -> str:
    paid = " It is paid once, and was." if reason.spent else ""
    return f"Noted: {reason.event}.{paid}"


@_said.register
def _(reason: Staked, words: Words) -> str:
    return f"You paid in {reason.unit.spoken(reason.amount)} of your own."


@_said.register
def _(reason: StakeLost, words: Words) -> str:
    amount, left = reason.unit.spoken(reason.amount), reason.unit.spoken(reason.left)
    if not reason.left:
        return f"{amount} of your deposit is lost, and nothing is left of it."
    return f"{amount} of your deposit is lost, and {left} is left of it."


@_said.register
def _(reason: Refunded, words: Words) -> str:
    return f"Your deposit comes back: {reason.unit.spoken(reason.amount)}."


@_said.register
def _(reason: PaidOut, words: Words) -> str:
    until = (
        f"at least until {_spoken_day(reason.expires)}" if reason.expires else ""
    )  # a late result has longer
    if reason.when == "at once":
        return f"You can collect this {until}." if until else "Collect this before it expires."
    collect = f", and you can collect it {until}" if until else ""
    if reason.when == "set days":
        return (
            f"This is handed over on {_spoken_day(reason.on) if reason.on else 'the next set day'}{collect}."
        )
    least = f", from {reason.unit.spoken(reason.minimum)} on" if reason.minimum else ""
    return f"This is saved, and handed over when you ask for it{least}{f', {until}' if until else ''}."


@_said.register
def _(reason: Redeemed, words: Words) -> str:
    product = f" ({reason.product})" if reason.product else ""
    return f"{reason.unit.spoken(reason.amount)} asked for{product}, on the way."


@_said.register
def _(reason: PayDayCame, words: Words) -> str:
    day = f", {_plain_day(reason.day)}" if reason.day else ""
    return f"Pay day{day}: {reason.unit.spoken(reason.amount)} on the way."


@_said.register
def _(reason: HandedOver, words: Words) -> str:
    reference = f" ({reason.reference})" if reason.reference else ""
    return f"{reason.unit.spoken(reason.amount)} handed over{reference}."


@_said.register
def _(reason: CameBack, words: Words) -> str:
    spoken, owed = reason.unit.spoken, reason.amount - reason.settled
    came = f"{spoken(reason.amount)} {'came back after it was' if reason.returned else 'was not'} handed over"
    if not reason.settled:
        return f"{came}, and is owed again."
    rest = f", and {spoken(owed)} is owed again" if owed else ""
    return f"{came}: {spoken(reason.settled)} of it settles what was given too much{rest}."


@_said.register
def _(reason: Expired, words: Words) -> str:
    amount = reason.unit.spoken(reason.amount)
    return f"{amount} of {_plain_day(reason.awarded)} was not collected by {_plain_day(reason.until)}, and has expired."


def _plain_day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _spoken_day(day: date) -> str:
    return f"{day:%A} {_plain_day(day)}"


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
    keep = "you keep " if words.kept else ""
    if reason.by_group:
        return f"{begins}{words.next_met}: what it pays depends on how many of the group make it."
    return f"{begins}{when}: {keep}{reason.unit.spoken(reason.amount)}{rest}."


@_said.register
def _(reason: PlanEnded, words: Words) -> str:
    return "That was the last one planned."
