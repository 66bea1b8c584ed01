"""Quiet hours in the zone of the person who is written to: when a message may arrive, and when next."""

from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cm_engine.errors import ReportError

MINUTE = timedelta(minutes=1)
DAY_MINUTES = 24 * 60


class Quiet(NamedTuple):
    """Hours without messages, from a time of the day until another one, which belongs to the day again.

    Example:
        >>> Quiet(time(21), time(8)).covers(time(21)), Quiet(time(21), time(8)).covers(time(8))
        (True, False)
    """

    begins: time
    ends: time

    def covers(self, moment: time) -> bool:
        """Tell whether a time of the day is quiet."""
        if self.begins <= self.ends:
            return self.begins <= moment < self.ends
        return moment >= self.begins or moment < self.ends

    @classmethod
    def of(cls, text: str) -> "Quiet":
        """Return quiet hours from text such as 21:00-08:00.

        Raises:
            ReportError: it is none.
        """
        first, _, last = text.partition("-")
        try:
            found = cls(time.fromisoformat(first), time.fromisoformat(last))
        except ValueError:
            found = None
        if found is None or found.begins.tzinfo or found.ends.tzinfo:
            msg = f"quiet: expected hours such as 21:00-08:00, got {text!r}"
            raise ReportError(msg)
        return found

    def __str__(self) -> str:
        """Return the hours as text."""
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"


NIGHT = Quiet(time(21), time(8))
"""No telephone solicitation may come before 8 and after 9 at night where the called person is (47 CFR 64.1200(c)(1))."""

NEVER_QUIET = Quiet(time(0), time(0))
"""Hours that cover nothing."""


def next_allowed(at: datetime, zone: str, quiet: Quiet) -> datetime:
    """Return the first moment from a time on that is not quiet, in UTC.

    When the clocks change, the end of the quiet hours may be skipped or come twice; so the minutes are looked at one
    after the other, as a clock on the wall shows them.

    Args:
        at: aware.
        zone: where the person is.
        quiet: their quiet hours.

    Example:
        >>> late = datetime(2026, 1, 6, 5, 30, tzinfo=UTC)  # half past nine at night in Los Angeles
        >>> next_allowed(late, "America/Los_Angeles", NIGHT).isoformat()
        '2026-01-06T16:00:00+00:00'
    """
    found, place = at.astimezone(UTC), ZoneInfo(zone)
    for _ in range(2 * DAY_MINUTES):
        if not quiet.covers(found.astimezone(place).time()):
            return found
        found = found.replace(second=0, microsecond=0) + MINUTE
    msg = f"quiet: {quiet} leaves no time of the day"
    raise ReportError(msg)
