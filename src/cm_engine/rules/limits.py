"""How limits cut an award: all apply at once, and the tightest names itself."""

from datetime import date

from cm_engine.rules.compiled import LimitRules
from cm_engine.rules.reasons import Limited
from cm_engine.rules.state import Received

Limits = tuple[tuple[int, LimitRules], ...]
"""The limits on one unit, each with its place in what the state has received."""


def cut(
    limits: Limits, received: tuple[Received, ...], earned: int, on: date | None
) -> tuple[int, Limited | None]:
    """Return what the limits leave of an award, and the reason if they take anything; keeps INV-3 and INV-9."""
    award, tightest = earned, None
    for index, limit in limits:
        room = limit.amount_on(on) - _used(limit, received[index], on)
        if room < award:
            award, tightest = max(0, room), limit
    if tightest is None:
        return award, None
    return award, Limited(tightest.unit, tightest.amount_on(on), tightest.per, award, earned - award)


def add(limits: Limits, received: tuple[Received, ...], award: int, on: date | None) -> tuple[Received, ...]:
    """Return what each window has received with an award more."""
    windows = list(received)
    for index, limit in limits:
        if limit.accumulates:
            windows[index] = Received(on.year if on else 0, _used(limit, received[index], on) + award)
    return tuple(windows)


def _used(limit: LimitRules, so_far: Received, on: date | None) -> int:
    """Return what already counts against a limit: of a calendar year, only what was received in it."""
    if limit.yearly and on and so_far.year != on.year:
        return 0
    return so_far.amount
