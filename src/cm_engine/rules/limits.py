"""How limits cut an award: all apply at once, and the tightest names itself."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from cm_engine.program.models import Program
from cm_engine.program.rewards import Limit, Window
from cm_engine.program.units import Unit
from cm_engine.rules.reasons import Limited
from cm_engine.rules.state import Received
from cm_engine.spelling import counted


@dataclass(frozen=True, slots=True, eq=False)
class LimitRules:
    """The most that a window may receive, in minor units of `unit`, from each day on.

    Attributes:
        name: what a participant reads of the window.
        begins: the month and day that a grant year begins on.
        days: the length of a window of rolling days.
        scope: whose receipts count: ("payer", name), ("fund", name), or nothing for this enrollment.
        since, amounts: the first amount holds before the first day of `since`.
    """

    unit: Unit
    per: Window
    name: str
    begins: tuple[int, int]
    days: int
    scope: tuple[str, ...]
    crossing: Literal["truncate", "withhold", "stop"]
    since: tuple[date, ...]
    amounts: tuple[int, ...]

    def amount_on(self, on: date | None) -> int:
        """Return the limit in force on a day; without a day, the one that held first."""
        return self.amounts[bisect_right(self.since, on) if self.since and on else 0]


Limits = tuple[tuple[int, LimitRules], ...]
"""The limits on one unit, each with its place in what the state has received."""


def compile_limit(limit: Limit, program: Program) -> LimitRules:
    """Return a limit in minor units."""
    unit = program.unit(limit.unit)
    scope = ("payer", limit.payer) if limit.payer else ("fund", limit.fund) if limit.fund else ()
    return LimitRules(
        unit=unit,
        per=limit.per,
        name=counted(limit.days, "day") if limit.days else limit.per,
        begins=limit.begins or (1, 1),
        days=limit.days or 0,
        scope=scope,
        crossing=limit.crossing,
        since=tuple(day for day, _ in limit.amount.changes if day),
        amounts=tuple(unit.minor(amount) for _, amount in limit.amount.changes),
    )


class When(NamedTuple):
    """The day of a visit, counted from any fixed day, its program week, and its date if the timeline has any."""

    day: int
    week: int
    on: date | None


def cut(
    limits: Limits, received: tuple[Received, ...], earned: int, when: When
) -> tuple[int, Limited | None]:
    """Return what the limits leave of an award, and the reason if they take anything; keeps INV-3 and INV-9."""
    award, tightest = earned, None
    for index, limit in limits:
        allowed = _allowed(limit, received[index], earned, when)
        if allowed < award:
            award, tightest = allowed, limit
    if tightest is None:
        return award, None
    amount = tightest.amount_on(when.on)
    return award, Limited(tightest.unit, amount, tightest.name, award, earned - award, tightest.crossing)


def add(
    limits: Limits, received: tuple[Received, ...], earned: int, award: int, when: When
) -> tuple[Received, ...]:
    """Return what each window has received with an award more, cut from what was earned."""
    windows = list(received)
    for index, limit in limits:
        if limit.per != "reward":
            windows[index] = _added(limit, received[index], earned, award, when)
    return tuple(windows)


def _allowed(limit: LimitRules, so_far: Received, earned: int, when: When) -> int:
    used = _used(limit, so_far, when)
    if used is None:
        return 0
    room = limit.amount_on(when.on) - used
    if earned <= room:
        return earned
    return room if room > 0 and limit.crossing == "truncate" else 0


def _added(limit: LimitRules, so_far: Received, earned: int, award: int, when: When) -> Received:
    number = window(limit.per, when, limit.begins)
    after = so_far.plus(number, award) if award else so_far
    stops = limit.crossing == "stop" and _allowed(limit, so_far, earned, when) < earned
    return (
        after._replace(stopped=(*after.stopped, number)) if stops and number not in after.stopped else after
    )


def _used(limit: LimitRules, so_far: Received, when: When) -> int | None:
    """Return what already counts against a limit; None if the window has stopped paying."""
    if limit.per == "rolling days":
        return _in_rolling_days(limit.days, so_far, when.day)
    number = window(limit.per, when, limit.begins)
    return None if number in so_far.stopped else so_far.in_window(number)


def _in_rolling_days(days: int, so_far: Received, day: int) -> int:
    """Return the most that any run of days has received that a day belongs to."""
    ends = {day, *(each for each, _ in so_far.windows if day <= each < day + days)}
    return max(sum(amount for each, amount in so_far.windows if end - days < each <= end) for end in ends)


def window(per: Window, when: When, begins: tuple[int, int] = (1, 1)) -> int:
    """Return the number of the window that a visit falls into; without dates all years are one.

    Args:
        per: what kind of window.
        when: the day of the visit.
        begins: of a grant year, the month and day that it begins on.
    """
    match per:
        case "calendar year":
            return when.on.year if when.on else 0
        case "day" | "rolling days":
            return when.day
        case "week":
            return when.week
        case "month":
            return 12 * when.on.year + when.on.month if when.on else 0
        case "grant year":
            return when.on.year - ((when.on.month, when.on.day) < begins) if when.on else 0
    return 0
