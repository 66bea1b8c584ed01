"""The durable engine: what clinic software embeds. The only place where the rules meet the ports."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from os import PathLike
from types import MappingProxyType
from typing import Any, Self, TypeVar

from cm_engine import catalogue
from cm_engine.acts.enrolling import (
    before_text,
    found_enrollment,
    refuse_other_content,
    zone_name,
)
from cm_engine.acts.recorded import Enrollment, Recorded, as_they_stand
from cm_engine.acts.recording import Act, Done, Recording, acts_of, numbered, whole_log
from cm_engine.acts.register import Register
from cm_engine.acts.reported import (
    Amendment,
    Report,
    Voiding,
    Which,
    act_of,
    act_of_amendment,
    act_of_assertion,
    act_of_report,
    act_of_voiding,
    awarded_unit,
)
from cm_engine.audit.auditing import Verification, verified
from cm_engine.errors import AlreadyEnrolledError, KeyConflictError, ReportError, StaleReportError
from cm_engine.facade.delivering import Delivering
from cm_engine.facade.episodes import Episodes
from cm_engine.facade.messaging import Messaging
from cm_engine.facade.migrating import Migrating
from cm_engine.facade.moving import Moving
from cm_engine.facade.opened import Opened
from cm_engine.facade.randomizing import Randomizing
from cm_engine.facade.receiving import Receiving
from cm_engine.facade.siting import Siting
from cm_engine.facade.staffing import Staffing
from cm_engine.facade.stocking import Stocking
from cm_engine.ledger.balances import Balance
from cm_engine.log.encoding import instant
from cm_engine.log.rows import EnrollmentRow, ProgramRow
from cm_engine.log.stand import Enrolled
from cm_engine.plain import named, one_line, opaque, plain_day, unreserved
from cm_engine.ports import Transaction
from cm_engine.program import Program, canonical, digest, load_program
from cm_engine.rules.days import Before
from cm_engine.rules.state import Evidence
from cm_engine.sites.office import Office
from cm_engine.sites.placing import Newcomer, enrolled_at
from cm_engine.views.previewing import Ahead, Preview, previews, rest
from cm_engine.views.statement import Statement, statement_of

Made = TypeVar("Made")

BEGAN_OTHERWISE = (
    "what an enrollment began with stays: ask for it as it began, transfer it to another site, or discharge it and "
    "enroll anew, under a key of its own"
)
"""What to do where an enrollment is asked for again, and differs."""


class Engine(
    Stocking,
    Messaging,
    Delivering,
    Migrating,
    Moving,
    Episodes,
    Randomizing,
    Receiving,
    Siting,
    Staffing,
    Opened,
):
    """Record results, decide them, and keep what follows: for ever, exactly, and with the reasons.

    Safe to share between threads. All arguments are by name.

    Args:
        storage: what keeps the log.
        zone: the clinic's time zone, such as America/Los_Angeles, for enrollments that name none.
        secret: at least 32 bytes that only the host knows: the seeds of prize draws are derived from it. The same
            secret has to be given for ever; programs without a bowl need none.
        clock: tells the time; for tests and simulations.
        people: `known` demands that whoever acts is on the staff, works here and has the right for it.
        rights: what each role may do, by its name; left out, the table of docs/people.md.

    Example:
        >>> from datetime import date
        >>> from cm_engine import Engine
        >>> engine = Engine.open("memory:", zone="America/Los_Angeles")
        >>> _ = engine.add_program("california-recovery-incentives")
        >>> enrollment = engine.enroll(
        ...     participant="p-104", program="california-recovery-incentives", start=date(2026, 1, 5), by="nurse-7"
        ... )
        >>> decision = engine.record(
        ...     enrollment=enrollment.id, result="-", on=date(2026, 1, 5), source="front-desk", key="udt-778", by="nurse-7"
        ... )
        >>> decision.awards, decision.sentence
        ({'USD': Decimal('10.00')}, 'Negative test: $10.00. Next negative: $10.00.')
    """

    def joining(self, bind: Any) -> Self:  # noqa: ANN401 - of SQLAlchemy, which the core does not import
        """Return an engine that writes in the host's own transaction, with the same keys, messages and gateways.

        Args:
            bind: a Connection or a Session of SQLAlchemy, on the same database; of an AsyncSession what `run_sync`
                gives.
        """
        joined = super().joining(bind)
        joined._able = self._able  # noqa: SLF001 - its own kind
        return joined

    def add_program(self, program: str | PathLike[str] | Program) -> str:
        """Register a program, and return its digest; one that is registered stays as it is.

        Args:
            program: an id of the catalogue, the path of a file, or a program.

        Raises:
            ProgramNotFoundError: the catalogue has no such id, or there is no such file.
            ProgramError: the file is wrong.
            ReportError: another program is registered under its id and version.
        """
        found = program if isinstance(program, Program) else _loaded(program)
        row = ProgramRow(digest(found), found.program, found.version, canonical(found))
        with self._storage.writing() as tx:
            refuse_other_content(tx.programs(program=row.program), row)
            tx.add_program(row)
            refuse_other_content(tx.programs(program=row.program), row)
        return row.digest

    def programs(self) -> dict[str, str]:
        """Return the digests of all registered programs, by id and version: california-recovery-incentives@1."""
        with self._storage.reading() as tx:
            return {f"{row.program}@{row.version}": row.digest for row in tx.programs()}

    def enroll(
        self,
        *,
        participant: str,
        program: str,
        start: date,
        by: str,
        zone: str = "",
        before: Before | None = None,
        source: str = "enrollment",
        key: str = "",
        id: str = "",  # noqa: A002 - what it is
        site: str = "",
        again: bool = False,
    ) -> Enrollment:
        """Enroll a participant in a program.

        Who is in the program by an enrollment that is open, of whatever version, is refused: both would be paid.

        Args:
            participant: an opaque id of the host's; never a name.
            program: the id, `id@version` or digest of a registered program.
            start: the first day of program week 1, in the clinic's zone.
            by: who enrolls.
            zone: the clinic's time zone, if it is not that of the engine.
            before: values measured before the plan, by target, the first one being the baseline.
            source, key: what makes it the same enrollment, however often it is asked for; if left out, the
                participant, the program and the start.
            id: of the enrollment; if left out, one is made. What begins with @ is kept for journals.
            site: where the participant is seen, whose zone is then the clinic's.
            again: a second enrollment is meant, beside one that is open.

        Raises:
            AlreadyEnrolledError: the participant is in the program by another enrollment, which is open.
            JournalNotFoundError: there is no such site.
            SiteClosedError: the site takes no new enrollments.
            ReportError: something is missing, no zone is known, or the id or the source begins with @.
            ProgramNotAddedError: the program is not registered.
            KeyConflictError: the key was used for another enrollment.
        """
        given = EnrollmentRow(
            unreserved("id", id) if id else "",
            opaque("participant", participant),
            one_line("program", program),
            plain_day("start", start),
            self._zone_at(site, zone) if site else zone_name(zone or self._zone),
            before_text(before),
            "",
        )
        by, key = named("by", by), named("key", key) if key else ""
        source = unreserved("source", source)
        try:
            stored = self._enrolled(Newcomer(given, source, key, by), site, again=again).enrolled.row
        except KeyConflictError as error:
            raise KeyConflictError(source, error.key, error.stored, error.given, BEGAN_OTHERWISE) from None
        if id and stored.id != id:
            msg = f"id: this enrollment is there already, as {stored.id!r}; use that id, or leave it out"
            raise ReportError(msg)
        return self.enrollment(stored.id)

    def _enrolled(self, newcomer: Newcomer, site: str, *, again: bool) -> Done:
        """Enroll somebody, at a site if one is named, unless they are in the program already."""

        def work(tx: Transaction, now: str, locked: bool) -> Done:  # noqa: FBT001 - as it is called
            if site:
                done = enrolled_at(Office(tx, self._register, now), site, newcomer)
            else:
                done = Recording(tx, self._register, now, locked=locked).enroll(*newcomer)
            if not (again or done.replayed):
                self._refuse_second(tx, done.enrolled, now)
            return done

        return self._written(work, lock=bool(site))

    def _refuse_second(self, tx: Transaction, new: Enrolled, now: str) -> None:
        """Refuse somebody who is in a program by another enrollment that is open.

        Raises:
            AlreadyEnrolledError: it says which one.
        """
        program = new.rules.program.program
        rows = [
            row
            for row in tx.enrollments(participant=new.row.participant)
            if row.id != new.row.id and self._register.rules(tx, row.program).program.program == program
        ]
        for known in as_they_stand(tx, self._register, rows, now):
            if known.overlaps(date.fromisoformat(new.row.start)):
                raise AlreadyEnrolledError(
                    known.participant, program, known.id, known.start.isoformat(), known.status
                )

    def enrollment(self, enrollment: str) -> Enrollment:
        """Return an enrollment by its id, as it stands today.

        Raises:
            EnrollmentNotFoundError: there is none.

        Example:
            >>> from datetime import date
            >>> from cm_engine import Engine
            >>> engine = Engine.open("memory:", zone="America/Los_Angeles")
            >>> _ = engine.add_program("california-recovery-incentives")
            >>> told = {"by": "nurse-7", "source": "front-desk"}
            >>> anna = engine.enroll(
            ...     participant="p-104", program="california-recovery-incentives", start=date(2026, 1, 5), by="nurse-7"
            ... )
            >>> _ = engine.discharge(enrollment=anna.id, on=date(2026, 1, 9), why="moved away", key="d-1", **told)
            >>> engine.enrollment(anna.id).status, engine.enrollment(anna.id).discharged_on
            ('discharged', datetime.date(2026, 1, 9))
        """
        with self._storage.reading() as tx:
            row = found_enrollment(tx, enrollment)
            return as_they_stand(tx, self._register, [row], instant(self._now()))[0]

    def enrollments(
        self, *, participant: str = "", after: str = "", limit: int = 1000, site: str = ""
    ) -> list[Enrollment]:
        """Return enrollments as they stand today, in the order of their ids, of one participant or of all.

        Args:
            participant: whose; empty for all.
            after: the id that comes before them, for the next page.
            limit: at most so many.
            site: only those that are there today, or will be when they begin.

        Raises:
            JournalNotFoundError: there is no such site.
        """
        if site:
            return self._enrollments_at(site, participant, after, limit)
        with self._storage.reading() as tx:
            rows = tx.enrollments(participant=participant, after=after, limit=limit)
            return as_they_stand(tx, self._register, rows, instant(self._now()))

    def record(
        self,
        *,
        enrollment: str,
        source: str,
        key: str,
        by: str,
        result: str = "",
        target: str = "",
        event: str = "",
        evidence: Evidence | None = None,
        collected_at: datetime | None = None,
        on: date | None = None,
        resulted_at: datetime | None = None,
        expected_last: int | None = None,
    ) -> Recorded:
        """Record an observation, decide it, and post what it awards: in one transaction, once for ever.

        A result that comes late is decided in its place: what follows it is decided anew, and the difference is
        posted. Keeps INV-12 and INV-13.

        Args:
            enrollment: its id.
            source, key: what makes it the same report, however often it comes; a repeat gives the stored decision.
            by: who reports it.
            result: one symbol: - met, + positive, o missed, e excused, * invalid, r refused, _ not required.
            target: its name; may be left out for the only target of a program.
            event: instead of a result, something reported from outside.
            evidence: what else was seen: a panel, a value, conditions.
            collected_at: when the specimen was taken or the visit was, aware; its day in the clinic's zone counts.
            on: the day it counts for, if it is another one, or if no time is known.
            resulted_at: when the result came, aware.
            expected_last: the record that has to be the last one of the enrollment, as the caller saw it:
                `last_record` of the enrollment, or `record` of an act. Left out, whatever came meanwhile is no matter.

        Raises:
            StaleReportError: something else was recorded since `expected_last`; look again.
            ReportError: something is missing, or does not go together.
            EnrollmentNotFoundError: there is no such enrollment.
            ResultsError: what was seen does not fit the program.
            KeyConflictError: the key was used for something else; the error shows both.
            CorrectionError: in its place, a later observation could not be decided any more.
            StorageError: the storage failed; nothing was written.
        """
        report = Report(
            enrollment=enrollment,
            source=source,
            key=key,
            by=by,
            result=result,
            target=target,
            event=event,
            evidence=evidence,
            collected_at=collected_at,
            on=on,
            resulted_at=resulted_at,
        )
        return self._recorded_after(expected_last, act_of_report(report, self._now()))

    def record_many(self, reports: Iterable[Report]) -> list[Recorded]:
        """Record observations in one transaction, in their order: all of them, or none.

        Raises:
            CmEngineError: as `record`, for the first that is refused, whose number is its `report`; nothing is written.
        """
        now = self._now()
        acts = list(numbered(lambda report: act_of_report(report, now), reports))
        return [Recorded(done) for done in self._take(acts)] if acts else []

    def rehearse(self, reports: Iterable[Report | Amendment | Voiding]) -> list[Recorded]:
        """Return what observations and corrections would lead to if they were recorded now; nothing is written.

        Of a result that two people enter, it is what the second entry would decide. Prizes that new observations draw are an
        example: nobody can look which of several keys would win more.

        Args:
            reports: in their order; each builds on those before it.

        Raises:
            CmEngineError: as `record_many`, and as `amend` and `void`.

        Example:
            >>> from datetime import date
            >>> from cm_engine import Amendment, Engine, Report
            >>> engine = Engine.open("memory:", zone="America/Los_Angeles")
            >>> _ = engine.add_program("california-recovery-incentives")
            >>> anna = engine.enroll(
            ...     participant="p-104", program="california-recovery-incentives", start=date(2026, 1, 5), by="nurse-7"
            ... ).id
            >>> _ = engine.record(
            ...     enrollment=anna, result="+", on=date(2026, 1, 5), source="front-desk", key="udt-778", by="nurse-7"
            ... )
            >>> corrected = Amendment(Report(anna, "front-desk", "udt-778-b", "nurse-7", "-"), record=1, why="typo")
            >>> [done] = engine.rehearse([corrected])
            >>> done.awards, len(engine.history(enrollment=anna))
            ({'USD': Decimal('10.00')}, 2)
        """
        now = self._now()
        acts = list(numbered(lambda report: act_of(report, now), reports))
        return self._rehearsed(acts, lambda done, _: [Recorded(each) for each in done]) if acts else []

    def amend(
        self,
        *,
        enrollment: str,
        record: Which,
        why: str,
        source: str,
        key: str,
        by: str,
        result: str = "",
        target: str = "",
        event: str = "",
        evidence: Evidence | None = None,
        collected_at: datetime | None = None,
        on: date | None = None,
        resulted_at: datetime | None = None,
        expected_last: int | None = None,
    ) -> Recorded:
        """Correct a recorded observation: everything after it is decided anew, and the difference is posted.

        What is left out stays as it was; result, event and evidence are replaced together, and so are the times
        collected_at and on. Nothing that was given is taken back: the program says whether too much is absorbed or
        taken off later awards. Keeps INV-14.

        Args:
            record: the observation: its number, which is `record` of its decision, or the source and the key that it
                was recorded under, `("front-desk", "udt-778")`.
            why: the reason, for the audit.
            expected_last: as for `record`.

        Raises:
            RecordNotFoundError: there is no such observation, or it was voided.
            CmEngineError: as `record`.
        """
        report = Report(
            enrollment=enrollment,
            source=source,
            key=key,
            by=by,
            result=result,
            target=target,
            event=event,
            evidence=evidence,
            collected_at=collected_at,
            on=on,
            resulted_at=resulted_at,
        )
        return self._recorded_after(expected_last, act_of_amendment(report, record, why, self._now()))

    def void(
        self,
        *,
        enrollment: str,
        record: Which,
        why: str,
        source: str,
        key: str,
        by: str,
        expected_last: int | None = None,
    ) -> Recorded:
        """Take a recorded observation back, as if it had never been made; it stays in the history.

        Args:
            record, why: as for `amend`.
            expected_last: as for `record`.

        Raises:
            RecordNotFoundError: there is no such observation, or it was voided.
            CmEngineError: as `record`.
        """
        report = Report(enrollment=enrollment, source=source, key=key, by=by)
        return self._with_released(self._recorded_after(expected_last, act_of_voiding(report, record, why)))

    def _recorded_after(self, expected_last: int | None, act: Act) -> Recorded:
        """Record an act, if a record is still the last one of its enrollment; None is any."""
        if expected_last is None:
            return self._recorded(act)
        if not isinstance(expected_last, int):
            msg = f"expected_last: expected the number of a record, got {expected_last!r}"
            raise ReportError(msg)

        def work(tx: Transaction, now: str, _: bool) -> Done:  # noqa: FBT001 - as it is called
            found = tx.look_up([act.enrollment], [(act.source, act.key)])
            standing = None if found.records else found.standings.get(act.enrollment)
            if standing and standing.seq != expected_last:
                raise StaleReportError(act.enrollment, expected_last, standing.seq)
            return Recording(tx, self._register, now, locked=True).take([act])[0]

        return Recorded(self._written(work, lock=True))

    def assert_awarded(
        self,
        *,
        enrollment: str,
        amount: Decimal,
        unit: str = "",
        on: date,
        source: str,
        key: str,
        by: str,
    ) -> Recorded:
        """Assert what had been awarded by the end of a day; it is written down, and every audit looks at it again.

        Args:
            amount: exact, such as Decimal("72.50").
            unit: its name; empty is the program's currency.

        Raises:
            BalanceError: it is not so; the error says what is.
            CmEngineError: as `record`.
        """
        report = Report(enrollment=enrollment, source=source, key=key, by=by)
        with self._storage.reading() as tx:
            program = self._register.opened(tx, found_enrollment(tx, enrollment)).rules.program
        return self._recorded(act_of_assertion(report, awarded_unit(program, unit), amount, on))

    def preview(self, *, enrollment: str, on: date | None = None) -> Preview:
        """Return what each result of the next visit would pay, and why: by target, then by symbol.

        Args:
            on: the day of the next visit; left out, the planned one, or today if that one has windows and is open.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
            ResultsError: the day is before the last visit.
        """
        with self._storage.reading() as tx:
            enrolled, stand, others = Recording(tx, self._register, "", locked=False).standing(enrollment)
        return previews(enrolled, stand, others, on, self._today(enrolled, stand))

    def ahead(self, *, enrollment: str) -> Ahead:
        """Return the program that decides by now, and what all visits to come would pay if every one were met.

        What other enrollments receive from shared pools, and what draws would win, is left out.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
        """
        with self._storage.reading() as tx:
            enrolled, stand, _ = Recording(tx, self._register, "", locked=False).standing(enrollment)
        return Ahead(enrolled.rules.program, rest(enrolled, stand))

    def statement(self, *, enrollment: str, until: date | None = None) -> Statement:
        """Return what an enrollment earned, line by line, with what each line added, and where it all is now.

        What a correction decided again and left as it was is no line of its own.

        Args:
            until: the last day that counts for lines and for what was awarded; left out, all of them.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
        """
        if until is not None:
            plain_day("until", until)
        with self._storage.reading() as tx:
            enrolled = self._register.current(tx, found_enrollment(tx, enrollment))
            return statement_of(enrolled, whole_log(tx, enrollment), until)

    def balance(self, *, enrollment: str) -> Mapping[str, Balance]:
        """Return what was awarded and where it is now, by unit: derived from the postings each time.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
        """
        return self.statement(enrollment=enrollment).balances

    def history(self, *, enrollment: str) -> tuple[Recorded, ...]:
        """Return every act on an enrollment, with the decisions that it led to, in order; nothing is left out.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
        """
        with self._storage.reading() as tx:
            enrolled = self._register.current(tx, found_enrollment(tx, enrollment))
            return tuple(Recorded(done) for done in acts_of(enrolled, whole_log(tx, enrollment)))

    def verify(
        self,
        *,
        enrollment: str = "",
        heads: Mapping[str, str] = MappingProxyType({}),
        progress: Callable[[int], None] = lambda _: None,
    ) -> Verification:
        """Audit one enrollment, or everything: fold every act again, and compare all that is stored.

        Every journal is followed too, and every participant of a trial allocated again. Every hash is followed, every decision made again by the program it was pinned to, every posting, payout,
        prize and cached state derived again, every balance that was asserted looked at. Keeps INV-15.

        Args:
            enrollment: its id; left out, all of them.
            heads: what an earlier audit returned as its `heads`, kept where whoever writes to the database does not: what
                was removed or written anew since then is found too.
            progress: called with how many enrollments have been looked at.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
        """
        with self._storage.reading() as tx:
            if enrollment:
                found_enrollment(tx, enrollment)
            return verified(tx, Register(self._secret), enrollment, progress, heads)


def _loaded(program: str | PathLike[str]) -> Program:
    """Return a program of the catalogue, or else of a file."""
    if isinstance(program, str) and program in catalogue.program_ids():
        return catalogue.program(program)
    if isinstance(program, str) and not {"/", "\\", "."} & set(program):
        return catalogue.program(program)
    return load_program(program)
