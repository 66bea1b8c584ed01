"""The guard at the one door to the log: before rows are written, it asks whether those who act may."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from cm_engine.acts.recording import whole_log
from cm_engine.acts.register import Register, program_in
from cm_engine.errors import EnrollmentNotFoundError, JournalNotFoundError, ReportError
from cm_engine.journal import Journal
from cm_engine.log.correction import Log
from cm_engine.log.history import AMENDED, OBSERVED, VOIDED, day_of
from cm_engine.log.moves import IMPORTED
from cm_engine.log.purse import HANDED_OVER, REDEEMED
from cm_engine.log.rows import DELIVERY, RESERVED, Batch, EnrollmentRow, RecordRow
from cm_engine.log.stand import Enrolled, stand_from
from cm_engine.people.acts import opens_staff, right_of
from cm_engine.people.fold import STAFF_KIND, StaffState
from cm_engine.people.places import refuse_out_of_place
from cm_engine.people.rights import AUDITS, OWN, SELF, STAFF, SYSTEM, Rights, may, roles_with
from cm_engine.people.rules import (
    Doing,
    paid_for,
    refuse_absent,
    refuse_alone,
    refuse_correcting_oneself,
    refuse_elsewhere,
    refuse_release,
    refuse_untrained,
    refuse_without_right,
    who_entered,
)
from cm_engine.ports import Transaction
from cm_engine.program.people import PeopleRules

KNOWN = "known"
"""What a host says that wants every act to be of somebody known, with the right for it."""

CORRECTIONS = frozenset({"amend", "void", "withdraw"})
"""What a program with second entries leaves to those with the right, whatever the host asks."""


class Policy(NamedTuple):
    """What a host asks of people.

    Attributes:
        known: every act is of somebody known, who works here and has the right for it.
        rights: what each role may do.
        zone: decides what day it is for acts that are on no enrollment.
    """

    known: bool
    rights: Rights
    zone: str

    @property
    def rule(self) -> str:
        """Return what refuses somebody who is not known; empty if the host asks nothing."""
        return f"people: {KNOWN}" if self.known else ""


def is_known(people: str) -> bool:
    """Tell whether a host wants people to be known.

    Raises:
        ReportError: it says neither.
    """
    if people not in {"", KNOWN}:
        msg = f"people: expected {KNOWN!r}, or nothing, got {people!r}"
        raise ReportError(msg)
    return people == KNOWN


def guarded(tx: Transaction, register: Register, policy: Policy) -> Transaction:
    """Return a transaction that writes only what people may do."""
    return cast("Transaction", _Guarded(tx, register, policy))


class _Guarded:
    """A transaction with a guard: it reads as it did, and asks before it writes."""

    def __init__(self, tx: Transaction, register: Register, policy: Policy) -> None:
        self._tx = tx
        self._register = register
        self._policy = policy
        self._rows: dict[str, EnrollmentRow] = {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transaction has
        return getattr(self._tx, name)

    def enrollment(self, enrollment: str) -> EnrollmentRow | None:
        """Return an enrollment, which never changes, or None; it is read once."""
        found = self._rows.get(enrollment) or self._tx.enrollment(enrollment)
        if found is not None:
            self._rows[enrollment] = found
        return found

    def append(self, batch: Batch) -> None:
        """Write all rows of a batch, or none.

        Raises:
            NotAllowedError: somebody may not do what they do.
            StorageConflictError: another writer came first.
        """
        _Look(cast("Transaction", self), self._register, self._policy, batch).at_all()
        self._tx.append(batch)


class _Look:
    """A look at the acts of one batch."""

    def __init__(self, tx: Transaction, register: Register, policy: Policy, batch: Batch) -> None:
        self._tx = tx
        self._register = register
        self._policy = policy
        self._batch = batch
        self._new = {row.id: row for row in batch.enrollments}
        self._stands = {row.enrollment: row for row in batch.standings}

    def at_all(self) -> None:
        """Refuse a batch with an act that somebody may not do."""
        for record in _asked(self._batch):
            if record.enrollment.startswith(RESERVED):
                self._at_journal(record)
            else:
                self._at_enrollment(record)

    def _at_journal(self, record: RecordRow) -> None:
        if not self._policy.known or (opens_staff(record) and self._is_first(record)):
            return
        doing = Doing(record.actor, right_of(record), record.enrollment)
        if _is_own(doing):
            return
        rule = self._policy.rule
        staff = self._known(doing, day_of(record.recorded_at, self._policy.zone or "UTC"), rule)
        state = self._stands[record.enrollment].state
        refuse_out_of_place(
            self._tx, self._register, staff=staff, record=record, state=state, doing=doing, rule=rule
        )

    def _at_enrollment(self, record: RecordRow) -> None:
        row = self._row(record.enrollment)
        people = self._register.rules(self._tx, self._program(row)).program.people
        if not people and not self._policy.known:
            return
        doing = Doing(record.actor, right_of(record), row.id)
        if (
            _is_own(doing) or record.source == DELIVERY
        ):  # whoever released it was asked then, and the money is gone
            return
        if rule := self._policy.rule or (people and _rule_on_who(people, doing)):
            day = day_of(record.recorded_at, row.zone)
            staff = self._known(doing, day, rule)
            if self._policy.known and staff.sites and doing.act not in AUDITS:
                refuse_elsewhere(staff, self._sites(row, day, doing), doing, rule)
            if people and not (doing.act in AUDITS or staff.roles == (SYSTEM,)):
                refuse_untrained(people, staff, day, doing)
        if people:
            self._refuse_one_alone(people, record, doing)

    def _known(self, doing: Doing, day: str, rule: str) -> StaffState:
        """Return who acts, who is known, works here and has the right for it, as a rule asks."""
        staff = self._staff(doing, rule)
        refuse_absent(staff, day, doing, rule)
        if self._policy.known or doing.act in CORRECTIONS:
            refuse_without_right(self._policy.rights, staff, doing)
        return staff

    def _sites(self, row: EnrollmentRow, day: str, doing: Doing) -> set[str]:
        """Return where an enrollment is on a day; of one that goes elsewhere, where it was and where it comes to."""
        rules = self._register.rules(self._tx, self._program(row))
        stays = stand_from(rules, self._stands[row.id].state).calendar.stays
        begun = [stay for stay in stays if stay.first.isoformat() <= day]
        return {stay.site for stay in (stays[-2:] if doing.act == "transfer" else begun[-1:])}

    def _staff(self, doing: Doing, rule: str) -> StaffState:
        try:
            return Journal(STAFF_KIND, doing.by, self._tx).state()
        except JournalNotFoundError:
            why = f"nobody of the staff has this id; add them first: add_staff(staff={doing.by!r}, ...)"
            raise doing.refused(rule, why) from None

    def _refuse_one_alone(self, people: PeopleRules, record: RecordRow, doing: Doing) -> None:
        """Refuse what takes two people, and one does alone."""
        if people.second_entry and record.kind == OBSERVED:
            refuse_alone(people, json.loads(record.body), doing)
        elif people.second_entry and record.kind in {AMENDED, VOIDED}:
            observed = self._observed(record.enrollment, json.loads(record.body)["of"])
            refuse_correcting_oneself(people, who_entered(observed), doing)
        elif people.release and record.kind in {REDEEMED, HANDED_OVER}:
            found = paid_for(self._enrolled(record.enrollment), self._log(record.enrollment), record)
            refuse_release(people, by=doing.by, on=doing.on, reported_by=found, act=doing.act)

    def _row(self, enrollment: str) -> EnrollmentRow:
        row = self._new.get(enrollment) or self._register.row(self._tx, enrollment)
        if row is None:
            raise EnrollmentNotFoundError(enrollment)
        return row

    def _program(self, row: EnrollmentRow) -> str:
        """Return the version of its program that an enrollment stands under."""
        stand = self._stands.get(row.id)
        return (program_in(stand.state) if stand else "") or row.program

    def _enrolled(self, enrollment: str) -> Enrolled:
        """Return an enrollment under the version of its program that it stands under."""
        enrolled = self._register.enrolled(self._tx, enrollment)
        known = self._register.with_versions(self._tx, enrolled, self._tx.records(enrollment))
        return known.under(self._program(enrolled.row))

    def _observed(self, enrollment: str, seq: int) -> RecordRow:
        """Return an observation, which is stored, or written now."""
        new = (row for row in self._batch.records if (row.enrollment, row.seq) == (enrollment, seq))
        return next(new, None) or self._tx.records(enrollment, after=seq - 1)[0]

    def _log(self, enrollment: str) -> Log:
        """Return the log of an enrollment, with what is written now."""
        stored, new = whole_log(self._tx, enrollment), self._batch
        return Log(
            [*stored.records, *(row for row in new.records if row.enrollment == enrollment)],
            [*stored.decisions, *(row for row in new.decisions if row.enrollment == enrollment)],
            [*stored.entries, *(row for row in new.entries if row.enrollment == enrollment)],
        )

    def _is_first(self, record: RecordRow) -> bool:
        """Tell whether somebody adds themself as the first of all staff.

        Raises:
            NotAllowedError: there is nobody yet, and they add somebody else, or somebody who may add nobody.
        """
        if not no_staff(self._tx):
            return False
        body, rights = json.loads(record.body), self._policy.rights
        if body["staff"] != record.actor or not may(rights, body.get("roles", ()), STAFF):
            roles = " or ".join(roles_with(rights, STAFF))
            why = f"there is no staff yet: the first person adds themself, with the role {roles}"
            raise Doing(record.actor, STAFF, record.enrollment).refused(self._policy.rule, why)
        return True


def refuse_act(tx: Transaction, register: Register, policy: Policy, record: RecordRow) -> None:
    """Refuse an act on an enrollment that is about to be made, if whoever makes it may not.

    Raises:
        NotAllowedError: they may not.
    """
    standing = tx.standing(record.enrollment)
    batch = Batch(
        records=(record,), standings=(standing,) if standing else (), heads=("",) if standing else ()
    )
    _Look(tx, register, policy, batch).at_all()


def no_staff(tx: Transaction) -> bool:
    """Tell whether nobody was ever added to the staff."""
    name = STAFF_KIND.journal("")
    found = tx.journals(after=name, limit=1)
    return not (found and found[0].enrollment.startswith(name))


def _asked(batch: Batch) -> Iterator[RecordRow]:
    """Yield the acts that somebody does here: of an enrollment that arrives with its log, only that it is imported."""
    arrived = {record.enrollment: record.seq for record in batch.records if record.kind == IMPORTED}
    for record in batch.records:
        if arrived.get(record.enrollment, record.seq) == record.seq:
            yield record


def _is_own(doing: Doing) -> bool:
    return doing.by == SELF and doing.act in OWN


def _rule_on_who(people: PeopleRules, doing: Doing) -> str:
    """Return the key by which a program asks who does it; empty if it does not."""
    if people.second_entry and doing.act in CORRECTIONS:
        return people.named("second_entry")
    return people.named("trained_within") if people.trained_within and doing.act not in AUDITS else ""
