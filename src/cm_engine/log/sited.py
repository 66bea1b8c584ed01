"""Where an enrollment is from which day on, and when it is closed there, as the acts on it say. Pure, as the whole log is."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from cm_engine.errors import ReportError
from cm_engine.rules.windows import Calendar, Stay

PLACED, TRANSFERRED, REPLANNED = "placed", "transferred", "replanned"
SITED = frozenset({PLACED, TRANSFERRED, REPLANNED})
"""The kinds of acts by which an enrollment comes to a site, goes to another, or follows the closures of its site."""

ROOT = "root"
"""The key under which the act that places an enrollment has the hash by which its site was opened, which a copy of the database has too."""

Days = tuple[date, date]
"""The first and the last day of a closure."""
ONE_DAY = timedelta(days=1)


def placed(calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    """Return the calendar of an enrollment that begins at a site.

    Raises:
        ReportError: it is at a site already.
    """
    if calendar.stays:
        msg = f"site: the enrollment is at {calendar.stays[-1].site!r} already; transfer it"
        raise ReportError(msg)
    return _with(calendar, (_stay(body, date.min),))


def transferred(calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    """Return the calendar of an enrollment that goes to another site; of two transfers on one day the later one counts.

    Raises:
        ReportError: it is there already, or went elsewhere on a later day.
    """
    on, last = date.fromisoformat(body["on"]), calendar.stays[-1] if calendar.stays else None
    if last and on < last.first:
        msg = f"on: the enrollment is at {last.site!r} from {last.first}; a transfer follows that, got {on}"
        raise ReportError(msg)
    if last and last.site == body["site"]:
        msg = f"to: the enrollment is at {last.site!r} already"
        raise ReportError(msg)
    before = tuple(stay for stay in calendar.stays if stay.first < on)
    return _with(calendar, (*before, _stay(body, on)))


def replanned(calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    """Return the calendar of an enrollment that follows the closures of a site which it is at, or was.

    Raises:
        ReportError: it never was there.
    """
    if all(stay.site != body["site"] for stay in calendar.stays):
        msg = f"site: the enrollment was never at {body['site']!r}"
        raise ReportError(msg)
    closed = _days(body)
    return _with(
        calendar,
        tuple(stay._replace(closed=closed) if stay.site == body["site"] else stay for stay in calendar.stays),
    )


def _stay(body: Mapping[str, Any], first: date) -> Stay:
    return Stay(body["site"], body["zone"], first, _days(body))


def _days(body: Mapping[str, Any]) -> tuple[Days, ...]:
    return tuple((date.fromisoformat(first), date.fromisoformat(last)) for first, last in body["closed"])


def _with(calendar: Calendar, stays: tuple[Stay, ...]) -> Calendar:
    """Return a calendar with stays, each with those closures only that have a day in it."""
    ends = (*(stay.first - ONE_DAY for stay in stays[1:]), date.max)
    kept = (
        stay._replace(closed=tuple(days for days in stay.closed if days[1] >= stay.first and days[0] <= end))
        for stay, end in zip(stays, ends, strict=True)
    )
    return calendar._replace(stays=tuple(kept))


def merged(closures: Iterable[Days]) -> tuple[Days, ...]:
    """Return closures in order, none touching another.

    Example:
        >>> from datetime import date
        >>> eve, day = date(2026, 12, 24), date(2026, 12, 25)
        >>> merged([(day, day), (eve, eve)]) == ((eve, day),)
        True
    """
    found: list[Days] = []
    for first, last in sorted(closures):
        if found and first <= found[-1][1] + ONE_DAY:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)
