"""Sites in an engine: opened, closed on days, paid for by funds, and who is enrolled at them or goes from one to another."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import TypeVar

from cm_engine.acts.enrolling import found_enrollment
from cm_engine.acts.recorded import Enrollment, Recorded
from cm_engine.acts.recording import Done
from cm_engine.acts.reported import Report, act_of_course
from cm_engine.errors import CmEngineError, ReportError, StorageError
from cm_engine.facade.opened import Opened
from cm_engine.journal import Asked, Taken
from cm_engine.log.encoding import instant
from cm_engine.log.history import day_in, zones_of
from cm_engine.log.sited import TRANSFERRED
from cm_engine.plain import one_line, plain_day
from cm_engine.sites.asking import (
    asked_to_add_gateway,
    asked_to_close,
    asked_to_close_days,
    asked_to_fund,
    asked_to_open,
    asked_to_open_days,
)
from cm_engine.sites.calendars import Calendars, closures_of
from cm_engine.sites.fold import NAME
from cm_engine.sites.office import Office, Standing
from cm_engine.sites.placing import followed, is_behind, transferred
from cm_engine.sites.spending import Alert, SiteFunds, alerts_of, funds_of
from cm_engine.sites.standing import Followed, Site
from cm_engine.sites.state import Closure, Fund, SiteState

Made = TypeVar("Made")


class Siting(Opened):
    """The part of an engine that keeps sites.

    Example:
        >>> from cm_engine import Engine
        >>> engine = Engine.open("memory:")
        >>> _ = engine.add_program("california-recovery-incentives")
        >>> _ = engine.open_site("north", zone="America/Los_Angeles", by="boss-1")
        >>> enrolled = engine.enroll(
        ...     participant="p-1", program="california-recovery-incentives", start=date(2026, 1, 5), by="nurse-7", site="north"
        ... )
        >>> enrolled.zone
        'America/Los_Angeles'
        >>> day = date(2026, 1, 19)
        >>> done = engine.close_days("north", day, day, "a holiday", by="boss-1", source="office", key="c-1")
        >>> done.site.closures, done.replanned == (enrolled.id,)
        ((Closure(first=datetime.date(2026, 1, 19), last=datetime.date(2026, 1, 19), why='a holiday'),), True)
    """

    def open_site(self, site: str, *, zone: str, by: str, source: str = "site", key: str = "") -> Site:
        """Open a site.

        Args:
            site: its id: an opaque name such as north.
            zone: its time zone, for ever, such as America/Los_Angeles.
            by: who opens it.
            source: who gives the key.
            key: what makes it the same opening; if left out, the id of the site.

        Raises:
            ReportError: something is missing, there is no such zone, or it was opened under another key.
            KeyConflictError: it was opened otherwise.
        """
        asked = asked_to_open(zone, source=source, key=key or f"{site}/opened", by=by)
        return Site.of(self._in_office(lambda office: office.journal(site).open(asked)).state)

    def site(self, site: str) -> Site:
        """Return a site.

        Raises:
            JournalNotFoundError: it was never opened.
        """
        return Site.of(self._look(lambda office: office.journal(site).state()))

    def sites(self) -> list[Site]:
        """Return all sites, in the order of their ids."""
        return self._look(lambda office: list(map(Site.of, office.sites())))

    def close_days(
        self, site: str, first: date, last: date, why: str, *, by: str, source: str, key: str
    ) -> Followed:
        """Close a site on days: visits planned on them move to the next day on which it is open.

        First the site's own act is written, and then one on each enrollment that is at the site on such a day, each in a
        transaction of its own. Asked for again under the same key, as after an interruption, it goes on with those that
        have not followed. What is recorded in between is decided anew. Keeps INV-12.

        Args:
            site: its id.
            first, last: the days; one day is both.
            why: the reason.
            by: who closes it.
            source, key: what makes it the same act, however often it is asked for.

        Raises:
            JournalNotFoundError: there is no such site.
            ReportError: the days do not follow one another, or something is missing.
            KeyConflictError: the key was used for something else.
        """
        asked = asked_to_close_days([Closure(first, last, why)], source=source, key=key, by=by)
        return self._changed_days(site, asked)

    def open_days(
        self, site: str, first: date, last: date, why: str, *, by: str, source: str, key: str
    ) -> Followed:
        """Take closed days of a site back: visits move back to their days.

        Args:
            first, last: the days; a longer closure is left with its others.
            site, why, by, source, key: as for `close_days`.

        Raises:
            ReportError: the site is open on all of them.
            CmEngineError: as `close_days`.
        """
        asked = asked_to_open_days(Closure(first, last, why), source=source, key=key, by=by)
        return self._changed_days(site, asked)

    def add_closures(
        self,
        site: str,
        calendar: Calendars,
        *,
        years: Iterable[int] = (),
        but: Iterable[date] = (),
        by: str,
        source: str,
        key: str,
    ) -> Followed:
        """Close a site on the days of a calendar: an iCalendar file, or public holidays.

        Args:
            calendar: the path of a file whose events are whole days, or `PublicHolidays("US", "CA")`.
            years: whose days count; of a file all count if it is left out.
            but: days of the calendar on which the site is open.
            site, by, source, key: as for `close_days`.

        Raises:
            ReportError: the calendar cannot be read, has no such day, or an event that is no whole day.
            MissingDependencyError: what reads it is not installed: pip install "cm-engine[sites]".
            CmEngineError: as `close_days`; another version of a calendar under the same key is a conflict.
        """
        found = closures_of(calendar, zone=self.site(site).zone, years=years, but=but)
        return self._changed_days(site, asked_to_close_days(found, source=source, key=key, by=by))

    def catch_up(self, site: str) -> Followed:
        """Let all enrollments follow the closures of a site which do not yet, as after an interruption.

        Raises:
            JournalNotFoundError: there is no such site.
        """
        behind = self._look(
            lambda office: _behind(office.journal(site).state(), office.members().get(site, ()))
        )
        done, refused = [], []
        for enrollment in behind:
            try:
                if self._follow_one(site, enrollment):
                    done.append(enrollment)
            except StorageError:
                raise
            except CmEngineError as error:
                refused.append((enrollment, str(error)))
        return Followed(self.site(site), tuple(done), tuple(refused))

    def _changed_days(self, site: str, asked: Asked) -> Followed:
        taken = self._change(site, asked)
        return self.catch_up(site)._replace(replayed=taken.replayed)

    def _follow_one(self, site: str, enrollment: str) -> Done | None:
        return self._in_office(lambda office: followed(office, site, enrollment))

    def add_fund(
        self,
        site: str,
        name: str,
        *,
        unit: str = "USD",
        budget: Decimal | None = None,
        alert: Decimal | None = None,
        hard_stop: bool = False,
        by: str,
        source: str,
        key: str,
    ) -> Site:
        """Add a funding source to a site, after those that it has: it pays once their budgets are exhausted.

        Args:
            site: its id.
            name: of the source, once per site.
            unit: what it pays in: a currency, or a thing that programs award.
            budget: exact; left out, it pays all that is left to pay.
            alert: the share of the budget at which somebody is to be told, such as Decimal("0.8").
            hard_stop: once the sources that have one are all exhausted, nobody is enrolled at the site any more.
            by, source, key: as for `close_days`.

        Raises:
            JournalNotFoundError: there is no such site.
            ReportError: there is a source of this name, or its budget or share is none.
            KeyConflictError: the key was used for something else.
        """
        fund = Fund(name, unit, budget, alert, hard_stop)
        return Site.of(self._change(site, asked_to_fund(fund, source=source, key=key, by=by)).state)

    def add_gateway(self, site: str, name: str, *, by: str, source: str, key: str) -> Site:
        """Add a gateway by which a site hands rewards over, after those that it has.

        Args:
            name: of the gateway.
            site, by, source, key: as for `close_days`.

        Raises:
            CmEngineError: as `add_fund`.
        """
        return Site.of(self._change(site, asked_to_add_gateway(name, source=source, key=key, by=by)).state)

    def close_site(self, site: str, *, why: str, by: str, source: str, key: str) -> Site:
        """Close a site for new enrollments, for ever; who is there goes on.

        Args:
            site, why, by, source, key: as for `close_days`.

        Raises:
            ReportError: it is closed already, under another key.
            CmEngineError: as `add_fund`.
        """
        return Site.of(self._change(site, asked_to_close(why, source=source, key=key, by=by)).state)

    def funds(self, *, site: str, on: date | None = None) -> SiteFunds:
        """Return what each funding source of a site has paid: derived from the postings each time.

        What a visit costs is of the site where the participant was on its day, whenever it is recorded or corrected.

        Args:
            site: its id.
            on: what was recorded by the end of this day counts; left out, everything.

        Raises:
            JournalNotFoundError: there is no such site.
        """
        if on is not None:
            plain_day("on", on)
        return self._look(lambda office: funds_of(office, office.journal(site).state(), on))

    def alerts(self) -> list[Alert]:
        """Return what somebody is to be told of sites: of their funds, and of enrollments that do not follow closures."""
        return self._look(lambda office: list(_alerts(office)))

    def transfer(
        self, *, enrollment: str, to: str, on: date, why: str, by: str, source: str, key: str
    ) -> Recorded:
        """Transfer an enrollment to another site: from a day on its zone and its closures hold.

        What was before that day stays as it is, whenever it is reported. A site that takes no new enrollments takes a
        transfer all the same.

        Args:
            enrollment: its id.
            to: the site.
            on: the first day there; it may lie ahead.
            why: the reason, for the audit.
            by, source, key: as for `record`.

        Raises:
            JournalNotFoundError: there is no such site.
            EnrollmentNotFoundError: there is no such enrollment.
            ReportError: it is there already, went elsewhere on a later day, or is over.
            KeyConflictError: the key was used for something else.
        """
        body = {"site": one_line("to", to), "on": plain_day("on", on), "why": why}
        act = act_of_course(TRANSFERRED, Report(enrollment, source, key, by), body)
        return Recorded(self._in_office(lambda office: transferred(office, act)))

    def site_of(self, *, enrollment: str, on: date | None = None) -> str:
        """Return the site of an enrollment on a day, empty for none.

        Args:
            enrollment: its id.
            on: the day; left out, today at the clinic.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
        """

        def look(office: Office) -> str:
            found_enrollment(office.tx, enrollment)
            standing = office.standing(enrollment)
            return self._site_on(standing, on) if standing else ""

        return self._look(look)

    def _site_on(self, standing: Standing, on: date | None = None) -> str:
        """Return the site of an enrollment on a day, or today at the clinic."""
        calendar = standing.stand.calendar
        today = day_in(instant(self._now()), zones_of(standing.enrolled.row.zone, calendar))
        stay = calendar.stay(on or date.fromisoformat(today))
        return stay.site if stay else ""

    def _enrollments_at(self, site: str, participant: str, after: str, limit: int) -> list[Enrollment]:
        """Return the enrollments that are at a site today, in the order of their ids."""
        now = instant(self._now())

        def look(office: Office) -> list[Enrollment]:
            office.journal(site).state()
            stood = office.standings(participant, after)
            found = (Enrollment.standing(each.enrolled, each.stand, each.row.seq, now) for each in stood)
            return list(islice((each for each in found if each.site == site), limit))

        return self._look(look)

    def _zone_at(self, site: str, zone: str) -> str:
        """Return the zone of a site.

        Raises:
            JournalNotFoundError: there is no such site.
            ReportError: another zone is asked for.
        """
        found = self.site(one_line(NAME, site)).zone
        if zone not in {"", found}:
            msg = f"zone: site {site!r} is in {found}, got {zone!r}; leave it out"
            raise ReportError(msg)
        return found

    def _change(self, site: str, asked: Asked) -> Taken[SiteState]:
        return self._in_office(lambda office: office.journal(site).take(asked))

    def _in_office(self, work: Callable[[Office], Made]) -> Made:
        return self._written(lambda tx, now, _: work(Office(tx, self._register, now)), lock=True)

    def _look(self, work: Callable[[Office], Made]) -> Made:
        with self._storage.reading() as tx:
            return work(Office(tx, self._register, ""))


def _behind(state: SiteState, members: Iterable[Standing]) -> list[str]:
    """Return the enrollments that do not follow the closures of a site."""
    return [each.enrolled.row.id for each in members if is_behind(state, each)]


def _alerts(office: Office) -> Iterator[Alert]:
    """Yield what somebody is to be told of sites."""
    members = office.members()
    for state in office.sites():
        at_site = members.get(state.site, [])
        yield from alerts_of(office, state, at_site)
        if behind := _behind(state, at_site):
            count = f"{len(behind)} enrollments do" if len(behind) > 1 else f"{behind[0]} does"
            text = f"{state.site}: {count} not follow its closures yet; let them catch up"
            yield Alert(state.site, "behind", "", None, text)
