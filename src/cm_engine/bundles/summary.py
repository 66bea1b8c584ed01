"""Where an enrollment stands, for who reads a bundle: all of it follows from its log. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from cm_engine.log.correction import Log, awarded_by
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.rules.shared import pool_of
from cm_engine.views.statement import balances

OF_BALANCE = ("awarded", "owed", "in_flight", "issued", "expired", "absorbed", "offset", "deposit")
"""What is told of a balance."""
OF_LADDER = ("position", "streak", "saved")
"""What is told of where a target stands on its ladder."""


def where_it_stands(enrolled: Enrolled, log: Log, stand: Stand, day: str) -> dict[str, Any]:
    """Return where an enrollment stands, as data.

    Args:
        enrolled: the enrollment.
        log: all its rows.
        stand: what they come to.
        day: whose calendar year is summed up for tax.
    """
    found = balances(enrolled, log.entries)
    return {
        "balances": {
            name: {place: str(getattr(balance, place)) for place in OF_BALANCE}
            for name, balance in found.items()
        },
        "last": stand.place[0],
        "limits": list(_limits(enrolled, stand)),
        "targets": _targets(enrolled, stand),
        "year": {"awarded": awarded_in(enrolled, log, day[:4]), "year": day[:4]},
    }


def awarded_in(enrolled: Enrolled, log: Log, year: str) -> dict[str, str]:
    """Return what the decisions that stand award for the days of a calendar year, exactly, by unit.

    Args:
        enrolled: the enrollment.
        log: all its rows.
        year: in four digits.
    """
    unit = enrolled.rules.program.unit
    by_end = awarded_by(enrolled, log, f"{year}-12-31")
    before = awarded_by(enrolled, log, f"{int(year) - 1:04}-12-31")
    return {name: unit(name).plain(amount - before.get(name, 0)) for name, amount in sorted(by_end.items())}


def _targets(enrolled: Enrolled, stand: Stand) -> dict[str, Any]:
    tracks = zip(enrolled.rules.targets, stand.state.tracks, strict=True)
    return {
        target.name: {"visits": track.visits, **{name: getattr(track.ladder, name) for name in OF_LADDER}}
        for target, track in tracks
    }


def _limits(enrolled: Enrolled, stand: Stand) -> Iterator[Mapping[str, Any]]:
    """Yield what each limit has let through to this enrollment, window by window."""
    for limit, received in zip(enrolled.rules.limits, stand.state.received, strict=True):
        used = stand.own.get(pool_of(limit), ()) if limit.scope else received.windows
        yield {
            "per": limit.name,
            "scope": list(limit.scope),
            "stopped": list(received.stopped),
            "unit": limit.unit.name,
            "used": [[number, limit.unit.plain(amount)] for number, amount in used],
        }
