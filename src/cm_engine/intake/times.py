"""Times as senders write them: with their offset from UTC, or local in the sender's zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def aware(local: datetime, zone: str) -> datetime | None:
    """Return a local time in a zone; None if no zone is known, or clocks showed the time twice or never.

    Example:
        >>> aware(datetime(2026, 1, 5, 9, 30), "America/Los_Angeles").isoformat()
        '2026-01-05T09:30:00-08:00'
        >>> aware(datetime(2026, 3, 8, 2, 30), "America/Los_Angeles") is None
        True
    """
    if local.utcoffset() is not None:
        return local
    if not zone:
        return None
    first, second = (local.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    return first if first.utcoffset() == second.utcoffset() else None


def written(text: str, zone: str = "") -> tuple[datetime | None, date | None]:
    """Return the aware time that a text in ISO 8601 says, or else its day; of a month or a year, neither.

    Example:
        >>> written("2026-01-05T09:30:00Z")[0].isoformat(), written("2026-01-05")[1], written("2026-01")
        ('2026-01-05T09:30:00+00:00', datetime.date(2026, 1, 5), (None, None))
    """
    try:
        if len(text) == len("2026-01-05"):
            return None, date.fromisoformat(text)
        found = aware(datetime.fromisoformat(text if "T" in text or " " in text else ""), zone)
        if found is not None:
            found.astimezone(UTC)  # at the ends of the calendar there is no such time in UTC
    except (ValueError, OverflowError):
        found = None
    return found, None
