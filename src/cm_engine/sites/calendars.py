"""When a site is closed, read from a calendar that somebody else keeps: an iCalendar file, or public holidays."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cm_engine.errors import MissingDependencyError, ReportError
from cm_engine.sites.state import Closure

EXTRA = "sites"
ONE_DAY, MOMENT = timedelta(days=1), timedelta(minutes=1)
SHORT = 180
"""A reason is cut to as many characters."""


class PublicHolidays(NamedTuple):
    """The public holidays of a country, as the package `holidays` has them.

    Attributes:
        country: its ISO 3166 code, such as US.
        subdivision: of a state or province, such as CA; empty for those of the whole country.
    """

    country: str
    subdivision: str = ""


Calendars = str | PathLike[str] | PublicHolidays
"""The path of an iCalendar file, or public holidays."""


def closures_of(
    calendar: Calendars, *, zone: str, years: Iterable[int] = (), but: Iterable[date] = ()
) -> list[Closure]:
    """Return the closures that a calendar has, in the order of their days.

    Args:
        calendar: the path of an iCalendar file, or public holidays.
        zone: of the site, for events that are told in UTC.
        years: whose days count; of a file all count if it is left out.
        but: days on which the site is open all the same.

    Raises:
        ReportError: it cannot be read, or an event of it is no whole day.
        MissingDependencyError: what reads it is not installed.
    """
    wanted = frozenset(years)
    if isinstance(calendar, PublicHolidays):
        found = _holidays(calendar, sorted(wanted))
    else:
        found = _events(Path(calendar), ZoneInfo(zone), wanted)
    open_on = frozenset(but)
    days = ((day, each.why) for each in found for day in _days(each))
    kept = {(day, why) for day, why in days if day not in open_on and (not wanted or day.year in wanted)}
    return _spans(sorted(kept, key=lambda pair: (pair[1], pair[0])))


def _days(closure: Closure) -> Iterator[date]:
    for after in range((closure.last - closure.first).days + 1):
        yield closure.first + timedelta(days=after)


def _spans(days: Iterable[tuple[date, str]]) -> list[Closure]:
    """Return days that follow one another for one reason as one closure."""
    found: list[Closure] = []
    for day, why in days:
        if found and found[-1].why == why and found[-1].last + ONE_DAY == day:
            found[-1] = found[-1]._replace(last=day)
        else:
            found.append(Closure(day, day, why))
    return sorted(found)


def _holidays(asked: PublicHolidays, years: list[int]) -> Iterator[Closure]:
    try:
        import holidays  # noqa: PLC0415 - comes with an extra
    except ModuleNotFoundError as error:
        raise MissingDependencyError("holidays", EXTRA) from error
    if not years:
        msg = "years: say of which years the public holidays are, such as [2026, 2027]"
        raise ReportError(msg)
    try:
        found = holidays.country_holidays(asked.country, subdiv=asked.subdivision or None, years=years)
    except NotImplementedError as error:
        msg = f"calendar: there are no public holidays of {'-'.join(filter(None, asked))}: {error}"
        raise ReportError(msg) from error
    for day, why in found.items():
        yield Closure(day, day, _short(why))


def _short(why: object) -> str:
    """Return a reason as a line of text."""
    line = " ".join(str(why).split())
    return "".join(each for each in line if each.isprintable())[:SHORT] or "closed"


def _events(file: Path, zone: ZoneInfo, years: frozenset[int]) -> Iterator[Closure]:
    try:
        import icalendar  # noqa: PLC0415 - comes with an extra
    except ModuleNotFoundError as error:
        raise MissingDependencyError("icalendar", EXTRA) from error
    try:
        found = icalendar.Calendar.from_ical(file.read_bytes())
    except (OSError, ValueError) as error:
        msg = f"calendar: {file} cannot be read: {error}"
        raise ReportError(msg) from error
    events = [_Event(each, zone) for each in found.walk("VEVENT")]
    replaced = {(each.uid, each.replaces) for each in events if each.replaces}
    for event in events:
        if not event.is_cancelled:
            yield from event.closures(years, {day for uid, day in replaced if uid == event.uid})


class _Event:
    """One event of an iCalendar file (RFC 5545)."""

    def __init__(self, event: Any, zone: ZoneInfo) -> None:  # noqa: ANN401 - of a package that need not be there
        self._event, self._zone = event, zone
        self.why = _short(event.get("SUMMARY", "closed"))
        for name, wrong in event.errors:
            msg = f"calendar: {name} of {self.why!r} cannot be read: {wrong}"
            raise ReportError(msg)
        self.uid = str(event.get("UID", ""))
        self.is_cancelled = str(event.get("STATUS", "")).upper() == "CANCELLED"
        self.replaces = self._day(event["RECURRENCE-ID"].dt) if "RECURRENCE-ID" in event else None

    def closures(self, years: frozenset[int], replaced: set[date]) -> Iterator[Closure]:
        """Yield when it closes the site, without the days that other events replace."""
        if "DTSTART" not in self._event:
            msg = f"calendar: {self.why!r} has no day (DTSTART)"
            raise ReportError(msg)
        first = self._day(self._event["DTSTART"].dt)
        length = self._last(first) - first
        left_out = {self._day(each.dt) for each in self._listed("EXDATE")}
        more = {self._day(each.dt) for each in self._listed("RDATE")}
        for day in sorted({first, *more, *self._repeated(first, years)}):
            if day not in left_out and (self.replaces or day not in replaced):
                yield Closure(day, day + length, self.why)

    def _last(self, first: date) -> date:
        """Return its last day: an end is the first moment that is not part of it."""
        start, end, lasts = (self._event.get(name) for name in ("DTSTART", "DTEND", "DURATION"))
        shortest = MOMENT if isinstance(start.dt, datetime) else ONE_DAY
        after = end.dt if end else start.dt + (lasts.dt if lasts else shortest)
        return max(self._day(after) - ONE_DAY, first)

    def _day(self, when: date | datetime) -> date:
        """Return a day; a moment is one if it is its midnight.

        Raises:
            ReportError: it is none.
        """
        if not isinstance(when, datetime):
            return when
        local = when.astimezone(self._zone) if when.utcoffset() == timedelta(0) else when
        if local.time() != time():
            msg = f"calendar: {self.why!r} is no whole day, as {when} says; leave it out, or make it one"
            raise ReportError(msg)
        return local.date()

    def _listed(self, name: str) -> Iterator[Any]:
        """Yield the days of a property that may stand there several times, each with several days."""
        found = self._event.get(name, [])
        for each in found if isinstance(found, list) else [found]:
            yield from each.dts

    def _repeated(self, first: date, years: frozenset[int]) -> Iterator[date]:
        """Yield the days on which it comes again.

        Raises:
            ReportError: it comes again for ever, and no years were asked for.
        """
        rule = self._event.get("RRULE")
        if rule is None:
            return
        if isinstance(rule, list):
            msg = f"calendar: {self.why!r} is repeated by several rules; make an event of each"
            raise ReportError(msg)
        if not years and not {"UNTIL", "COUNT"} & set(rule):
            msg = f"years: {self.why!r} is repeated for ever; say of which years"
            raise ReportError(msg)
        last = max(years, default=date.max.year - 1)
        yield from _recurring(rule, first, self._until(rule), last)

    def _until(self, rule: Any) -> date | None:  # noqa: ANN401 - of a package that need not be there
        found = rule.get("UNTIL")
        until: date | None = found[0] if isinstance(found, list) else found
        if isinstance(until, datetime):
            return (until.astimezone(self._zone) if until.utcoffset() is not None else until).date()
        return until


def _recurring(rule: Any, first: date, until: date | None, last: int) -> Iterator[date]:  # noqa: ANN401 - as above
    """Yield the days of a rule of recurrence, to the end of a year.

    Raises:
        ReportError: the rule cannot be read.
    """
    from dateutil.rrule import rrulestr  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with icalendar

    endless = {name: value for name, value in rule.items() if name != "UNTIL"}
    text = type(rule)(endless).to_ical().decode()
    try:
        found = rrulestr(text, dtstart=datetime.combine(first, time()))
    except ValueError as error:
        msg = f"calendar: the rule {text} cannot be read: {error}"
        raise ReportError(msg) from error
    for each in found:
        if each.year > last or (until and each.date() > until):
            return
        yield each.date()
