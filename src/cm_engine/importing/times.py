"""Times as files write them: with their offset from UTC, or local in a zone that somebody states."""

import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from zoneinfo import ZoneInfo

from cm_engine.acts.enrolling import zone_name
from cm_engine.program.values import shown, wrong

WRITTEN = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
EXPECTED = "expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00"


def moment(text: str, zone: str = "") -> datetime:
    """Return a time that is written with its offset from UTC, or else is local in a zone.

    Args:
        text: what is written.
        zone: of local times; empty if none is stated, and then they are refused.

    Raises:
        PydanticCustomError: it is no time, or its offset is not known; the message says which.
        ReportError: there is no such zone.

    Example:
        >>> moment("2026-01-05T09:30", "America/Los_Angeles").isoformat()
        '2026-01-05T09:30:00-08:00'
        >>> moment("2026-03-08T02:30", "America/Los_Angeles")
        Traceback (most recent call last):
        pydantic_core._pydantic_core.PydanticCustomError: 2026-03-08T02:30 never was in America/Los_Angeles: clocks \
were put forward over it; expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00
    """
    found = _read(text)
    if found.utcoffset() is not None:
        return found
    if not zone:
        stated = "or the zone of local times: a column zone, or the option zone"
        raise wrong(f"{EXPECTED}, {stated}; got {shown(text)}")
    return _local(text, found, zone_name(zone))


def _read(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text if WRITTEN.fullmatch(text) else "")
    except ValueError:
        found = datetime.min.replace(tzinfo=UTC)
    if not MINYEAR < found.year < MAXYEAR:  # at the ends of the calendar there is no such time in every zone
        raise wrong(f"{EXPECTED}, got {shown(text)}")
    return found


def _local(text: str, found: datetime, zone: str) -> datetime:
    """Return a local time, unless clocks showed it twice, or never."""
    first, second = (found.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != found:
        raise wrong(f"{text} never was in {zone}: clocks were put forward over it; {EXPECTED}")
    offsets = " or ".join(each.isoformat(timespec="minutes")[-6:] for each in (first, second))
    raise wrong(f"{text} was twice in {zone}: clocks were put back; say which, with its offset: {offsets}")
