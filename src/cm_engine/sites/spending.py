"""What the enrollments of a site cost, from their postings, and which of its sources pays."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from cm_engine.acts.recording import whole_log
from cm_engine.errors import FundExhaustedError
from cm_engine.ledger.funding import Funded, Funding, Spending, funding, spent_by
from cm_engine.log.correction import by_subject
from cm_engine.log.history import day_of
from cm_engine.log.rows import Subject
from cm_engine.sites.office import Office, Standing
from cm_engine.sites.state import SiteState, unit_of

Dated = tuple[str, str, int, int, Spending]
"""A spending behind what it is ordered by: when it was recorded, the enrollment, the decision and the leg."""


@dataclass(frozen=True, slots=True)
class FundBalance:
    """What a funding source of a site has paid; exact decimals.

    Attributes:
        name, unit, budget, alert, hard_stop: as the source was added.
        spent: what it has paid.
        left: what is left of its budget; None without one.
        alerted_at: since when the share is spent that somebody is to be told of; None if it is not.
        exhausted_at: since when nothing is left; None if something is.
    """

    name: str
    unit: str
    budget: Decimal | None
    alert: Decimal | None
    hard_stop: bool
    spent: Decimal
    left: Decimal | None
    alerted_at: datetime | None
    exhausted_at: datetime | None

    @classmethod
    def of(cls, fund: Funded) -> "FundBalance":
        """Return what a source has paid, in its unit."""
        source, unit = fund.source, unit_of(fund.source.unit)
        budget = None if source.budget is None else unit.decimal(source.budget)
        left = None if source.budget is None else unit.decimal(source.budget - fund.spent)
        since = (datetime.fromisoformat(at) if at else None for at in (fund.alerted_at, fund.exhausted_at))
        spent = unit.decimal(fund.spent)
        return cls(source.name, source.unit, budget, source.alert, source.hard_stop, spent, left, *since)


@dataclass(frozen=True, slots=True)
class SiteFunds:
    """What all funding sources of a site have paid.

    Attributes:
        site: its id.
        on: what was recorded by the end of this day counts; None for all of it.
        funds: in the order in which they pay.
        beyond: what was spent and no source covers, by unit.
    """

    site: str
    on: date | None
    funds: tuple[FundBalance, ...]
    beyond: Mapping[str, Decimal]


class Alert(NamedTuple):
    """Something about a site that somebody is to be told of.

    Attributes:
        site: its id.
        what: the share of a budget is spent, all of it is, nobody is enrolled because of that, or enrollments do not
            follow the closures of the site yet.
        fund: which source it is about; empty if none.
        since: since when; None where nobody can tell.
        text: the same in words.
    """

    site: str
    what: str
    fund: str
    since: datetime | None
    text: str


def site_funding(
    office: Office, state: SiteState, members: Iterable[Standing], on: date | None = None
) -> Funding:
    """Return which source of a site has paid what.

    Args:
        office: where.
        state: of the site.
        members: the enrollments that are at it, or ever were.
        on: the last day, at the site, of what was recorded; None counts everything.
    """
    until = on.isoformat() if on else ""
    found = sorted(each for standing in members for each in _spendings(office, state, standing))
    counted = (each for *_, each in found if not until or day_of(each.at, state.zone) <= until)
    return funding([fund.source for fund in state.funds], counted)


def _spendings(office: Office, state: SiteState, standing: Standing) -> Iterator[Dated]:
    """Yield what the postings of an enrollment spend that are of a site's days.

    What a correction posts later is of the day on which the same was decided first: of whatever site that was.
    """
    name, calendar = standing.enrolled.row.id, standing.stand.calendar
    log, days = whole_log(office.tx, name), dict[Subject, str]()
    for row in log.decisions:
        days.setdefault(row.subject, row.day or standing.enrolled.row.start)
    times = {row.number: log.records[row.record].recorded_at for row in log.decisions}
    for entry, (subject, posting) in zip(log.entries, by_subject(log), strict=True):
        spent = spent_by(posting)
        stay = calendar.stay(date.fromisoformat(days[subject])) if spent else None
        if stay is not None and stay.site == state.site:
            at = times[entry.number]
            yield at, name, entry.number, entry.leg, Spending(at, entry.unit, spent)


def funds_of(office: Office, state: SiteState, on: date | None) -> SiteFunds:
    """Return what the funding sources of a site have paid."""
    found = site_funding(office, state, office.members().get(state.site, ()), on)
    beyond = {unit: unit_of(unit).decimal(left) for unit, left in found.beyond.items()}
    return SiteFunds(state.site, on, tuple(map(FundBalance.of, found.funds)), beyond)


def refuse_stopped(office: Office, state: SiteState) -> None:
    """Refuse to enroll at a site whose funds with a hard stop are exhausted.

    Raises:
        FundExhaustedError: it names them.
    """
    if not any(fund.hard_stop for fund in state.funds):
        return
    if stopped := stopped_by(site_funding(office, state, office.members().get(state.site, ()))):
        raise FundExhaustedError(state.site, [(fund.source.name, *_told(fund)) for fund in stopped])


def _told(fund: Funded) -> tuple[str, str]:
    """Return the budget of a source and what is spent of it, in words."""
    unit = unit_of(fund.source.unit)
    return unit.spoken(fund.source.budget or 0), unit.spoken(fund.spent)


def stopped_by(found: Funding) -> list[Funded]:
    """Return the funds whose hard stop refuses new enrollments: all that have one, once all of those are exhausted."""
    hard = [fund for fund in found.funds if fund.source.hard_stop]
    return hard if all(fund.exhausted_at for fund in hard) else []


def alerts_of(office: Office, state: SiteState, members: Iterable[Standing]) -> Iterator[Alert]:
    """Yield what somebody is to be told of the funds of a site: of each fund the gravest."""
    found = site_funding(office, state, members) if state.funds else Funding((), {})
    stopped = stopped_by(found)
    for fund in found.funds:
        what, since, more = "alert", fund.alerted_at, ""
        if fund.exhausted_at:
            what, since, more = "exhausted", fund.exhausted_at, ", and nothing is left"
        if fund in stopped:
            what, more = "hard stop", ", and nobody is enrolled any more"
        if since:
            name, (budget, spent) = fund.source.name, _told(fund)
            text = f"{state.site}: {spent} of the {budget} of fund {name!r} are spent{more}"
            yield Alert(state.site, what, name, datetime.fromisoformat(since), text)
