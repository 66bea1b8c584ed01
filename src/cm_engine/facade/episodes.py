"""What happens to an episode beside its results: pauses, visits moved, discharge, return, and days that are over."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import date, timedelta
from decimal import Decimal

from cm_engine.acts.enrolling import found_enrollment
from cm_engine.acts.recorded import Recorded, RecordedDecision
from cm_engine.acts.recording import Done, Recording, whole_log
from cm_engine.acts.reported import Report, act_of_course, act_of_report, refuse_ahead
from cm_engine.errors import ReportError
from cm_engine.facade.opened import OneByOne, Opened
from cm_engine.ledger.accounts import IN_FLIGHT
from cm_engine.log.attending import is_over
from cm_engine.log.bank import Bank
from cm_engine.log.encoding import instant
from cm_engine.log.episode import DISCHARGED, FROZEN, MOVED, PAUSED, READMITTED, RELEASED, RESUMED
from cm_engine.log.history import SWEPT, VOIDED, day_in, zones_of
from cm_engine.log.rows import RecordRow
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.plain import named, one_line, plain_day
from cm_engine.rules.state import Evidence
from cm_engine.sites.kind import SITE
from cm_engine.sites.office import Office, refuse_unknown
from cm_engine.sites.placing import followed
from cm_engine.views.visiting import PlannedVisit, open_questions, planned_visits

SELF = "cm-engine"
"""Who reports what no person does: that days are over."""

PAGE = 500
"""As many enrollments are looked at in one transaction."""


class Episodes(Opened):
    """The part of an engine that follows the course of episodes."""

    def visits(self, *, enrollment: str, on: date | None = None) -> tuple[PlannedVisit, ...]:
        """Return all visits of an enrollment as they are planned, and what became of them.

        Args:
            on: the day on which a visit is open, overdue or still to come; left out, today at the clinic.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
        """
        with self._storage.reading() as tx:
            enrolled, stand, _ = Recording(tx, self._register, "", locked=False).standing(enrollment)
            decisions = tx.decisions(enrollment)
        return tuple(planned_visits(enrolled, stand, decisions, on or self._today(enrolled, stand)))

    def expected(self, *, on: date | None = None, site: str = "") -> list[PlannedVisit]:
        """Return the visits of all enrollments that are open on a day, or overdue: the clinic's list of the day.

        Programs without windows have none: their visits have no days of their own.

        Args:
            on: the day; left out, today at each clinic.
            site: only those who are there on the day.

        Raises:
            JournalNotFoundError: there is no such site.
        """
        found = [
            visit
            for enrolled, stand, day in self._at_site(site, on)
            for visit in planned_visits(enrolled, stand, (), day)
            if visit.status in {"open", "overdue"}
        ]
        return sorted(found, key=lambda visit: (visit.on, visit.enrollment, visit.target))

    def questions(self, *, enrollment: str = "", site: str = "") -> list[RecordedDecision]:
        """Return the results that fit no visit, and wait for somebody to say which one they are of.

        An answer is an amendment: `amend(record=..., on=...)` with the day of its visit, or with the condition
        unscheduled; or `void`.

        Args:
            enrollment: whose; left out, of all.
            site: of those only who are there today.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
            JournalNotFoundError: there is no such site.
        """
        if enrollment:
            with self._storage.reading() as tx:
                enrolled = self._register.current(tx, found_enrollment(tx, enrollment))
                return open_questions(enrolled, tx.decisions(enrollment))
        ids = [enrolled.row.id for enrolled, *_ in self._at_site(site)]
        return [question for each in ids for question in self.questions(enrollment=each)]

    def sweep(self, *, enrollment: str = "", until: date | None = None, by: str = SELF) -> list[Recorded]:
        """Decide the visits that are over and that nothing was recorded of: they were missed, or paused.

        A visit is over when its window and the program's grace are. A result that comes later all the same, and was
        collected in time, takes the place of the miss. Safe to call as often as one likes, by any number of processes.

        Args:
            enrollment: whose; left out, of all.
            until: the last day that is over; left out, yesterday at the clinic.
            by: who says so.

        Returns:
            What was recorded, an act for each enrollment that had such visits.

        Raises:
            ReportError: the day is not over yet.
            EnrollmentNotFoundError: there is no such enrollment.
            SomeFailedError: it could not be done for some; it is for all others.
        """
        named("by", by)
        refuse_ahead("until", until, self._now())
        each_one, done = OneByOne("sweep", enrollment), list[Recorded]()
        stood = list(self._standings(enrollment, each_one))
        days = [self._over_by(enrolled, stand, until) for enrolled, stand in stood]
        for (enrolled, stand), day in zip(stood, days, strict=True):
            with each_one.doing(enrolled.row.id):
                if is_over(enrolled, stand, day):
                    done.append(self._swept(enrolled.row.id, plain_day("until", day), by))
        each_one.refuse_failures(done)
        return done

    def _swept(self, enrollment: str, until: str, by: str) -> Recorded:
        report = Report(enrollment=enrollment, source=SELF, key=f"{enrollment}/swept/{until}", by=by)
        return self._recorded(act_of_course(SWEPT, report, {"until": until}))

    def _over_by(self, enrolled: Enrolled, stand: Stand, until: date | None) -> date:
        """Return the last day that is over.

        Raises:
            ReportError: it is not.
        """
        yesterday = self._today(enrolled, stand) - timedelta(days=1)
        if until is not None and until > yesterday:
            msg = f"until: {until} is not over at the clinic, where the last whole day is {yesterday}"
            raise ReportError(msg)
        return until or yesterday

    def _today(self, enrolled: Enrolled, stand: Stand) -> date:
        zones = zones_of(enrolled.row.zone, stand.calendar)
        return date.fromisoformat(day_in(instant(self._now()), zones))

    def _at_site(self, site: str, on: date | None = None) -> Iterator[tuple[Enrolled, Stand, date]]:
        """Yield where enrollments stand that are at a site on a day, or wherever they are, each with its day."""
        with self._storage.reading() as tx:
            refuse_unknown(tx, site)
        for enrolled, stand in self._standings():
            day = on or self._today(enrolled, stand)
            stay = stand.calendar.stay(day) if site else None
            if not site or (stay and stay.site == site):
                yield enrolled, stand, day

    def _standings(
        self, enrollment: str = "", each_one: OneByOne | None = None
    ) -> Iterator[tuple[Enrolled, Stand]]:
        """Yield where enrollments stand whose program has windows, one or all, page by page."""
        after = ""
        while True:
            with self._storage.reading() as tx:
                rows = (
                    [found_enrollment(tx, enrollment)]
                    if enrollment
                    else tx.enrollments(after=after, limit=PAGE)
                )
                recording, found = Recording(tx, self._register, "", locked=False), []
                for row in rows:
                    with each_one.doing(row.id) if each_one else nullcontext():
                        found.append(recording.standing(row.id)[:2])
            yield from (
                (enrolled, stand)
                for enrolled, stand in found
                if enrolled.rules.has_windows and stand.calendar.away is None
            )
            if enrollment or len(rows) < PAGE:
                return
            after = rows[-1].id

    def excuse(
        self, *, enrollment: str, on: date, why: str, target: str = "", source: str, key: str, by: str
    ) -> Recorded:
        """Record that an absence is excused; the program says which reasons it accepts, and how many.

        Args:
            on: the day of the visit.
            why: the reason, as the program names it.
            target: whose visit; may be left out for the only target of a program.
            source, key, by: as for `record`.

        Raises:
            CmEngineError: as `record`.
        """
        evidence = Evidence(excuse=one_line("why", why))
        report = Report(enrollment, source, key, by, "e", target, evidence=evidence, on=on)
        return self._recorded(act_of_report(report, self._now()))

    def pause(self, *, enrollment: str, on: date, why: str, source: str, key: str, by: str) -> Recorded:
        """Pause an enrollment from a day on, as during a residential stay: nobody is expected.

        The program says whether the visits of a pause are not required, or come later.

        Args:
            on: the first day of the pause; it may lie ahead.
            why: the reason, for the audit.
            source, key, by: as for `record`.

        Raises:
            ReportError: it is paused already, or over, or the program has no windows.
            EnrollmentNotFoundError: there is no such enrollment.
        """
        return self._course(PAUSED, Report(enrollment, source, key, by), on=on, why=why)

    def resume(self, *, enrollment: str, on: date, why: str, source: str, key: str, by: str) -> Recorded:
        """Resume an enrollment that is paused.

        Args:
            on: the first day on which somebody may be expected again.
            why, source, key, by: as for `pause`.

        Raises:
            ReportError: it is not paused, or only later.
            EnrollmentNotFoundError: there is no such enrollment.
        """
        return self._course(RESUMED, Report(enrollment, source, key, by), on=on, why=why)

    def reschedule(
        self,
        *,
        enrollment: str,
        visit: int,
        to: date,
        target: str = "",
        why: str,
        source: str,
        key: str,
        by: str,
    ) -> Recorded:
        """Move a planned visit to another day, with its window; it stays between its neighbors.

        Args:
            visit: its number, from 1.
            to: the new day.
            target: whose visit; may be left out for the only target of a program.
            why, source, key, by: as for `pause`.

        Raises:
            ReportError: there is no such visit, it would pass another one, or its target has no windows.
            EnrollmentNotFoundError: there is no such enrollment.
        """
        report = Report(enrollment, source, key, by)
        body = {"target": target, "visit": visit, "to": plain_day("to", to), "why": why}
        return self._recorded(act_of_course(MOVED, report, body))

    def discharge(self, *, enrollment: str, on: date, why: str, source: str, key: str, by: str) -> Recorded:
        """End an episode: after its last day nothing is expected, and nothing that happens is recorded.

        What is owed stays owed; results of days up to it may still come.

        Args:
            on: the last day.
            why, source, key, by: as for `pause`.

        Raises:
            ReportError: it is over already.
            EnrollmentNotFoundError: there is no such enrollment.
        """
        return self._course(DISCHARGED, Report(enrollment, source, key, by), on=on, why=why)

    def readmit(self, *, enrollment: str, on: date, why: str, source: str, key: str, by: str) -> Recorded:
        """Take an episode up again where it stood; the time between counts as a pause.

        To begin anew, enroll the participant anew.

        Args:
            on: the first day on which somebody may be expected again.
            why, source, key, by: as for `pause`.

        Raises:
            ReportError: it is not over, or only later.
            EnrollmentNotFoundError: there is no such enrollment.
        """
        done = self._course(READMITTED, Report(enrollment, source, key, by), on=on, why=why)
        self._follow_sites(enrollment)
        return done

    def _follow_sites(self, enrollment: str) -> None:
        """Let an enrollment that is back follow the closures that its sites had in between."""
        with self._storage.reading() as tx:
            standing = Office(tx, self._register, "").standing(enrollment)
            stays = standing.stand.calendar.stays if standing else ()
            known = {stay.site for stay in stays if tx.standing(SITE.journal(stay.site))}
        for site in sorted(known):
            self._follow(site, enrollment)

    def _follow(self, site: str, enrollment: str) -> Done | None:
        """Let an enrollment follow the closures of a site."""
        return self._written(
            lambda tx, now, _: followed(Office(tx, self._register, now), site, enrollment), lock=True
        )

    def freeze(self, *, enrollment: str, on: date, why: str, source: str, key: str, by: str) -> Recorded:
        """Hand nothing over any more, as in a dispute or after a death; results are recorded and decided as ever.

        Args:
            on: the day that is told, for the audit: it holds from when it is recorded, and no day ahead is taken.
            why, source, key, by: as for `pause`.

        Raises:
            ReportError: it is frozen already.
            EnrollmentNotFoundError: there is no such enrollment.
        """
        return self._course(FROZEN, Report(enrollment, source, key, by), on=on, why=why)

    def release(self, *, enrollment: str, on: date, why: str, source: str, key: str, by: str) -> Recorded:
        """Hand over again what a freeze held back, and what comes.

        Args:
            on: the day that is told, for the audit: it holds from when it is recorded, and no day ahead is taken.
            why, source, key, by: as for `pause`.

        Returns:
            What was recorded; its `hand_over` is what went on its way while the enrollment was frozen.

        Raises:
            ReportError: it is not frozen.
            EnrollmentNotFoundError: there is no such enrollment.

        Example:
            >>> from cm_engine import Engine
            >>> engine = Engine.open("memory:", zone="America/Los_Angeles")
            >>> _ = engine.add_program("california-recovery-incentives")
            >>> told = {"by": "nurse-7", "source": "front-desk"}
            >>> day = date(2026, 1, 5)
            >>> anna = engine.enroll(
            ...     participant="p-104", program="california-recovery-incentives", start=day, by="nurse-7"
            ... ).id
            >>> _ = engine.freeze(enrollment=anna, on=day, why="a dispute", key="f-1", **told)
            >>> engine.record(enrollment=anna, result="-", on=day, key="udt-1", **told).hand_over
            {}
            >>> engine.release(enrollment=anna, on=day, why="settled", key="f-2", **told).hand_over
            {'USD': Decimal('10.00')}
        """
        done = self._course(RELEASED, Report(enrollment, source, key, by), on=on, why=why)
        return self._with_released(done)

    def _with_released(self, done: Recorded) -> Recorded:
        """Return what was recorded with what a freeze held back, if it ends one."""
        with self._storage.reading() as tx:
            records = tx.records(done.enrollment)[: done.record + 1]
            if done.replayed or not _turns(records, records[-1], RELEASED, FROZEN):
                return done
            enrolled = Recording(tx, self._register, "", locked=False).standing(done.enrollment)[0]
            bank = Bank.of(enrolled, whole_log(tx, done.enrollment))
        frozen = max(each.seq for each in records[:-1] if _turns(records, each, FROZEN, RELEASED))
        return done.with_released(_on_the_way(bank, range(frozen + 1, done.record)))

    def _course(self, kind: str, report: Report, *, on: date, why: str) -> Recorded:
        return self._recorded(act_of_course(kind, report, {"on": plain_day("on", on), "why": why}))


def _turns(records: Sequence[RecordRow], record: RecordRow, to: str, back: str) -> bool:
    """Tell whether an act is of a kind, or takes back one of the opposite kind."""
    if record.kind == VOIDED:
        return records[int(json.loads(record.body)["of"])].kind == back
    return record.kind == to


def _on_the_way(bank: Bank, records: range) -> dict[str, Decimal]:
    """Return what some acts put on its way that is still there, by unit."""
    made = {row.number for row in bank.log.decisions if row.record in records}
    found = Counter[str]()
    for sent in bank.purse.sent.values():
        if sent.number in made and sent.place == IN_FLIGHT:
            found[sent.unit] += sent.amount
    return {unit: bank.unit(unit).decimal(amount) for unit, amount in found.items()}
