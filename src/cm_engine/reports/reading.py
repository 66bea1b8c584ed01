"""What reports are made from: everything the engine says of its enrollments, sites and stocks, read once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import NamedTuple, Protocol, TypeVar
from zoneinfo import ZoneInfo

from cm_engine.acts.recorded import Enrollment, Recorded, RecordedDecision
from cm_engine.audit.auditing import Verification
from cm_engine.engine import Engine
from cm_engine.errors import ReportError
from cm_engine.facade.banking import SentPayout
from cm_engine.log.correction import latest
from cm_engine.log.history import OBSERVED
from cm_engine.log.sited import TRANSFERRED
from cm_engine.people.standing import WaitingEntry
from cm_engine.program.values import OUTCOMES
from cm_engine.sites.spending import SiteFunds
from cm_engine.stock.standing import Stock

PAGE = 1000
NOWHERE = "(no site)"


class AtSite(Protocol):
    """A row that is about a site."""

    @property
    def site(self) -> str:
        """Return which."""


Placed = TypeVar("Placed", bound=AtSite)


class Course:
    """One enrollment with its whole log, as reports look at it.

    Attributes:
        enrollment: as it stands today.
        program: that decides by now.
        statement: of all its decisions.
        acts: all of them, in order.
        visits: as they are planned, and what became of them; none where a program has no windows.
        payouts: that were put on their way.
        ahead: what all visits to come would pay if every one were met, by unit.
        sites: where it was on the days of its decisions.
    """

    def __init__(
        self, engine: Engine, enrollment: Enrollment, payouts: tuple[SentPayout, ...], on: date
    ) -> None:
        name = enrollment.id
        self.enrollment = enrollment
        self.program, self.ahead = engine.ahead(enrollment=name)
        self.statement = engine.statement(enrollment=name)
        self.acts = engine.history(enrollment=name)
        self.visits = engine.visits(enrollment=name, on=on)
        self.payouts = payouts
        self._sites = self._found_sites(engine)

    @property
    def is_open(self) -> bool:
        """Tell whether results are still expected."""
        return self.enrollment.status in {"active", "paused"}

    @cached_property
    def decisions(self) -> tuple[RecordedDecision, ...]:
        """Return all decisions, in order, those that were replaced too."""
        return tuple(each for act in self.acts for each in act.decisions)

    @cached_property
    def standing(self) -> tuple[RecordedDecision, ...]:
        """Return the decisions on visits and events that stand, in the order of their days."""
        by_number = {each.number: each for each in self.decisions}
        found = (by_number[row.number] for row in latest(each.row for each in self.decisions).values())
        return tuple(sorted(filter(_is_decided, found), key=lambda each: (each.on or date.min, each.number)))

    @cached_property
    def by_record(self) -> Mapping[int, Recorded]:
        """Return the acts that reported what decisions are on, by their numbers; nobody reported what a sweep found."""
        return {act.record: act for act in self.acts if act.kind == OBSERVED}

    def site(self, on: date | None) -> str:
        """Return where it was on a day."""
        return self._sites.get(on, self.enrollment.site) or NOWHERE

    def clock(self, at: datetime) -> str:
        """Return a time as the clocks of the clinic show it."""
        return f"{at.astimezone(ZoneInfo(self.enrollment.zone)):%Y-%m-%d %H:%M}"

    def _found_sites(self, engine: Engine) -> dict[date | None, str]:
        if not any(act.kind == TRANSFERRED for act in self.acts):
            return {}
        days = {each.on for each in self.decisions if each.on} | {each.on for each in self.visits}
        return {day: engine.site_of(enrollment=self.enrollment.id, on=day) for day in days}


def _is_decided(decision: RecordedDecision) -> bool:
    """Tell whether a decision is on a visit, or on an event that awards something."""
    return decision.outcome in OUTCOMES or (
        bool(decision.record) and not decision.visit and any(decision.awards.values())
    )


class Clinic(NamedTuple):
    """All that reports are made from.

    Attributes:
        on: the day on which they are made.
        courses: one for each enrollment.
        funds: what each site has spent, and of which source.
        stocks: of all sites.
        waiting: entries that wait for a second person.
        verified: asks what the engine's own audit finds; it is made once, when it is asked for.
        site: that reports are limited to; empty for all.
        program: that `courses` are limited to, by its id; empty for all.
    """

    on: date
    courses: tuple[Course, ...]
    funds: tuple[SiteFunds, ...]
    stocks: tuple[Stock, ...]
    waiting: tuple[WaitingEntry, ...]
    verified: Callable[[], Verification]
    site: str = ""
    program: str = ""

    @property
    def here(self) -> tuple[Course, ...]:
        """Return the enrollments that are at the site on the day; only they are named, one by one."""
        return tuple(course for course in self.courses if self.covers(course.site(self.on)))

    @property
    def scope(self) -> str:
        """Return what reports are about, as their first line says it."""
        sites = f"Site {self.site}" if self.site else "All sites"
        return f"{sites}, program {self.program}" if self.program else sites

    def covers(self, site: str) -> bool:
        """Tell whether reports are about a site."""
        return self.site in {"", site}

    def kept(self, rows: Iterable[Placed]) -> list[Placed]:
        """Return the rows of the site."""
        return [row for row in rows if self.covers(row.site)]


def clinic(engine: Engine, on: date, *, site: str = "", program: str = "") -> Clinic:
    """Read all that reports are made from, as it stands at one moment; nothing is written.

    Args:
        engine: whose database.
        on: the day on which the reports are made.
        site: that they are limited to; empty for all.
        program: that they are limited to, by its id; empty for all.

    Raises:
        ReportError: there is no such site or program.
    """
    with engine.reading() as still:
        _refuse_unknown("site", site, [each.id for each in still.sites()])
        _refuse_unknown("program", program, sorted({each.partition("@")[0] for each in still.programs()}))
        courses = tuple(each for each in _courses(still, on) if program in {"", each.program.program})
        funds = tuple(still.funds(site=each.id) for each in still.sites())
        stocks, waiting = tuple(still.stocks()), tuple(still.waiting())
    return Clinic(on, courses, funds, stocks, waiting, cache(engine.verify), site, program)


def _refuse_unknown(what: str, name: str, known: Sequence[str]) -> None:
    if name and name not in known:
        msg = f"{what}: expected one of {', '.join(known) or 'none, as there is none'}, got {name!r}"
        raise ReportError(msg)


def _courses(engine: Engine, on: date) -> Iterator[Course]:
    payouts: dict[str, list[SentPayout]] = {}
    for each in _payouts(engine):
        payouts.setdefault(each.enrollment, []).append(each)
    return (Course(engine, each, tuple(payouts.get(each.id, ())), on) for each in _enrollments(engine))


def _enrollments(engine: Engine) -> Iterator[Enrollment]:
    after = ""
    while found := engine.enrollments(after=after, limit=PAGE):
        yield from found
        after = found[-1].id


def _payouts(engine: Engine) -> Iterator[SentPayout]:
    after = ""
    while found := engine.payouts(after=after, limit=PAGE):
        yield from found
        after = found[-1].id


def moment(act: Recorded, name: str) -> datetime | None:
    """Return a time that was reported with an act: `at` when it was collected, `resulted_at` when the result came."""
    found = act.reported.get(name)
    return datetime.fromisoformat(found) if found else None


def percent(part: int, whole: int) -> Decimal | None:
    """Return a share in percent, to one decimal; nothing of nothing.

    Example:
        >>> percent(1, 8), percent(0, 0)
        (Decimal('12.5'), None)
    """
    return (Decimal(100 * part) / whole).quantize(Decimal("0.1")) if whole else None
