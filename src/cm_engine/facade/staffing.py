"""The people of an engine: who works here, and results that two of them enter."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import TypeVar

from cm_engine.acts.enrolling import found_enrollment
from cm_engine.acts.recorded import Recorded
from cm_engine.acts.recording import Recording
from cm_engine.acts.register import program_in
from cm_engine.acts.reported import Report, act_of_report, act_of_withdrawal
from cm_engine.errors import JournalNotFoundError
from cm_engine.facade.opened import Opened
from cm_engine.journal import Asked, Journal, Taken
from cm_engine.log.encoding import instant
from cm_engine.log.entering import ENTERED, ENTRY_WITHDRAWN
from cm_engine.log.history import day_of
from cm_engine.log.rows import EnrollmentRow
from cm_engine.people.asking import Said, asked_to_add, asked_to_change, asked_to_leave
from cm_engine.people.fold import STAFF_KIND, StaffState
from cm_engine.people.rights import OWN, SELF, Rights, may
from cm_engine.people.standing import Staff, StaffAct, WaitingEntry, staff_in
from cm_engine.plain import one_line
from cm_engine.ports import Transaction
from cm_engine.rules.state import Evidence

Found = TypeVar("Found")

PAGE = 500
"""As many enrollments are looked at in one transaction."""


class Staffing(Opened):
    """The part of an engine that knows who works here, and what takes two people.

    Example:
        >>> from cm_engine import Engine
        >>> engine = Engine.open("memory:", zone="America/Los_Angeles", people="known")
        >>> first = engine.add_staff(staff="s-1", roles=["supervisor"], by="s-1")
        >>> second = engine.add_staff(staff="s-2", roles=["front-desk"], trained_on=date(2026, 1, 5), by="s-1")
        >>> [each.id for each in engine.all_staff()], engine.may(by="s-2", act="amend")
        (['s-1', 's-2'], False)
        >>> engine.add_staff(staff="s-3", roles=["supervisor"], by="s-2")
        Traceback (most recent call last):
        ...
        cm_engine.errors.NotAllowedError: s-2 may not staff on @staff/s-3 (right staff): their roles (front-desk) do not have it; ask somebody with the role supervisor
    """

    @property
    def rights(self) -> Rights:
        """Return what each role may do here: the host's table, or ours."""
        return self._policy.rights

    def add_staff(
        self,
        *,
        staff: str,
        roles: Iterable[str],
        sites: Iterable[str] = (),
        trained_on: date | None = None,
        active_from: date | None = None,
        active_until: date | None = None,
        by: str,
        source: str = "staff",
        key: str = "",
    ) -> Staff:
        """Add somebody to the staff.

        Where every `by` has to be known, the first person adds themself, with a role that may say who works here.

        Args:
            staff: an opaque id of the host's; never a name. It is the `by` of all they do.
            roles: one or more of the table of rights.
            sites: where they work, by their ids; left out, at all. Who works at some acts on no enrollment that is at
                another one.
            trained_on: the day of their last training.
            active_from, active_until: the first and the last day of their work; left out, it is open.
            by: who adds them.
            source: who gives the key.
            key: what makes it the same act; if left out, their id.

        Raises:
            ReportError: a role is unknown, the id looks like a name, or they are on the staff already.
            KeyConflictError: the key was used for something else; the error shows both.
            NotAllowedError: `by` may not.
        """
        said = Said(roles, sites, trained_on, active_from, active_until).form(self._policy.rights)
        asked = asked_to_add(staff, said, source=source, key=key, by=by)
        return self._said_of(staff, lambda journal: journal.open(asked))

    def change_staff(
        self,
        *,
        staff: str,
        roles: Iterable[str] | None = None,
        sites: Iterable[str] | None = None,
        trained_on: date | None = None,
        active_from: date | None = None,
        active_until: date | None = None,
        why: str = "",
        by: str,
        source: str,
        key: str,
    ) -> Staff:
        """Change what is said of one of the staff; what is left out stays as it is.

        Args:
            staff: their id.
            roles, sites, trained_on, active_until: as for `add_staff`.
            active_from: the first day of their work; it takes up again who left.
            why: the reason, for the audit.
            by, source, key: as for `record`.

        Raises:
            JournalNotFoundError: they are not on the staff.
            ReportError: nothing is changed, or they left.
            KeyConflictError: the key was used for something else; the error shows both.
            NotAllowedError: `by` may not.
        """
        said = Said(roles, sites, trained_on, active_from, active_until).form(self._policy.rights)
        return self._takes(staff, asked_to_change(said, why, source=source, key=key, by=by))

    def staff_left(self, *, staff: str, why: str, by: str, source: str, key: str) -> Staff:
        """Let one of the staff leave: from this moment on they may do nothing; what they did stays theirs.

        Args:
            staff: their id.
            why: the reason, for the audit.
            by, source, key: as for `record`.

        Raises:
            JournalNotFoundError: they are not on the staff.
            ReportError: they have left already.
            KeyConflictError: the key was used for something else; the error shows both.
            NotAllowedError: `by` may not.
        """
        return self._takes(staff, asked_to_leave(one_line("why", why), source=source, key=key, by=by))

    def staff(self, staff: str) -> Staff:
        """Return one of the staff.

        Raises:
            JournalNotFoundError: they were never added.
        """
        return Staff.of(self._looked_at(lambda tx: Journal(STAFF_KIND, staff, tx).state()))

    def all_staff(self) -> list[Staff]:
        """Return all staff, those who left too, in the order of their ids."""
        return [Staff.of(state) for state in self._looked_at(lambda tx: list(staff_in(tx)))]

    def staff_history(self, staff: str) -> tuple[StaffAct, ...]:
        """Return all that was said of one of the staff, in order; nothing is left out.

        Raises:
            JournalNotFoundError: they were never added.
        """
        acts = self._looked_at(lambda tx: Journal(STAFF_KIND, staff, tx).acts())
        return tuple(map(StaffAct.of, acts))

    def may(self, *, by: str, act: str) -> bool:
        """Tell whether somebody works here today with the right for an act, whatever a program asks besides.

        Nothing is enforced by it: a host asks it to show only what somebody may do.

        Args:
            by: who.
            act: a right of the table, such as amend, or read.
        """
        if by == SELF:
            return act in OWN
        try:
            state = self._looked_at(lambda tx: Journal(STAFF_KIND, by, tx).state())
        except JournalNotFoundError:
            return False
        today = day_of(instant(self._now()), self._zone or "UTC")
        return not state.absence(today) and may(self._policy.rights, state.roles, act)

    def enter(
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
    ) -> Recorded:
        """Enter a result that takes two people: the first entry waits, the same of another person decides.

        Two entries are of one visit if they have one target, or event, and one day. Both may give one key, that of
        the specimen. What the program does not want entered twice is recorded at once. Keeps INV-12.

        Args:
            enrollment, source, key, by, result, target, event, evidence, collected_at, on, resulted_at: as for
                `record`.

        Returns:
            The entry, of the kind `entered`, which decides nothing; or what was observed, with its decision.

        Raises:
            EntryMismatchError: the first entry says something else; the error shows both, and nothing is recorded.
            NotAllowedError: the same person entered it first, or may not enter.
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
        return self._recorded(act_of_report(report, self._now())._replace(kind=ENTERED))

    def withdraw_entry(
        self, *, enrollment: str, record: int, why: str, source: str, key: str, by: str
    ) -> Recorded:
        """Take back an entry that waits: it stays in the history, and the visit is to be entered anew.

        Args:
            record: the number of the entry.
            why: the reason, for the audit.
            enrollment, source, key, by: as for `record`.

        Raises:
            RecordNotFoundError: no entry waits there.
            NotAllowedError: `by` has not the right to withdraw.
            CmEngineError: as `record`.
        """
        report = Report(enrollment=enrollment, source=source, key=key, by=by)
        return self._recorded(act_of_withdrawal(ENTRY_WITHDRAWN, report, record, why))

    def waiting(self, *, enrollment: str = "") -> list[WaitingEntry]:
        """Return the entries that wait for a second person, in the order of their enrollments.

        Args:
            enrollment: whose; left out, of all.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
        """
        found = [waiting for page in self._pages(enrollment) for waiting in page]
        return sorted(found, key=lambda each: (each.enrollment, each.record))

    def _pages(self, enrollment: str) -> Iterator[list[WaitingEntry]]:
        """Yield what waits, page by page of enrollments."""
        after = ""
        while True:
            with self._storage.reading() as tx:
                rows = (
                    [found_enrollment(tx, enrollment)]
                    if enrollment
                    else tx.enrollments(after=after, limit=PAGE)
                )
                found = [each for row in rows for each in self._waiting_in(tx, row)]
            yield found
            if enrollment or len(rows) < PAGE:
                return
            after = rows[-1].id

    def _waiting_in(self, tx: Transaction, row: EnrollmentRow) -> Iterator[WaitingEntry]:
        standing = tx.standing(row.id)
        version = (program_in(standing.state) if standing else "") or row.program
        people = self._register.rules(tx, version).program.people
        if people and people.second_entry:
            _, stand, _ = Recording(tx, self._register, "", locked=False).standing(row.id)
            yield from (WaitingEntry.of(row.id, each) for each in stand.waiting)

    def _takes(self, staff: str, asked: Asked) -> Staff:
        return self._said_of(staff, lambda journal: journal.take(asked))

    def _said_of(self, staff: str, work: Callable[[Journal[StaffState]], Taken[StaffState]]) -> Staff:
        def run(tx: Transaction, now: str, _: bool) -> Taken[StaffState]:  # noqa: FBT001 - as it is called
            return work(Journal(STAFF_KIND, staff, tx, now))

        return Staff.of(self._written(run, lock=True).state)

    def _looked_at(self, work: Callable[[Transaction], Found]) -> Found:
        with self._storage.reading() as tx:
            return work(tx)
