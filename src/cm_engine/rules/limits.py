"""How limits cut an award: all apply at once, and the tightest names itself."""

from datetime import date
from typing import NamedTuple

from cm_engine.rules.compiled import LimitRules
from cm_engine.rules.reasons import Limited
from cm_engine.rules.state import Received

Limits = tuple[tuple[int, LimitRules], ...]
"""The limits on one unit, each with its place in what the state has received."""


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
    if limit.per == "rolling days":
        return Received(recent=(*_recent(limit, so_far, when), (when.day, award)))
    window = _window(limit, when)
    before = so_far if so_far.window == window else Received(window)
    stopped = limit.crossing == "stop" and _allowed(limit, so_far, earned, when) < earned
    return Received(window, before.amount + award, (), before.stopped or stopped)


def _used(limit: LimitRules, so_far: Received, when: When) -> int | None:
    """Return what already counts against a limit; None if the window has stopped paying."""
    if limit.per == "rolling days":
        return sum(amount for _, amount in _recent(limit, so_far, when))
    if so_far.window != _window(limit, when):
        return 0
    return None if so_far.stopped else so_far.amount


def _recent(limit: LimitRules, so_far: Received, when: When) -> tuple[tuple[int, int], ...]:
    return tuple(part for part in so_far.recent if part[0] > when.day - limit.days)


def _window(limit: LimitRules, when: When) -> int:
    """Return the number of the window that a visit falls into; without dates all years are one."""
    match limit.per:
        case "calendar year":
            return when.on.year if when.on else 0
        case "day":
            return when.day
        case "week":
            return when.week
        case "month":
            return 12 * when.on.year + when.on.month if when.on else 0
        case "grant year":
            return when.on.year - ((when.on.month, when.on.day) < limit.begins) if when.on else 0
    return 0
