"""The audit: take every act again, and compare everything that is stored with what it comes to."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from typing import Any, NamedTuple

from cm_engine.errors import CmEngineError, SecretError
from cm_engine.journal import all_journals
from cm_engine.journals import journal_difference, made_by_journal, made_difference
from cm_engine.ledger.accounts import IN_FLIGHT
from cm_engine.log.bank import Bank, banked
from cm_engine.log.chain import GENESIS, hash_of
from cm_engine.log.correction import Log, content, posted
from cm_engine.log.encoding import dumped, pools_from
from cm_engine.log.fold import Turn, payouts_of
from cm_engine.log.moves import Received, elsewhere, seals, together
from cm_engine.log.outbox import PAYOUT, payout_of, work_name, worked_on_from
from cm_engine.log.purse import BANKED
from cm_engine.log.rows import (
    DUE,
    OVER,
    TASK,
    DecisionRow,
    EnrollmentRow,
    EntryRow,
    PayoutRow,
    ProgramRow,
    RecordRow,
    StandingRow,
    WorkRow,
)
from cm_engine.log.stand import Enrolled, Stand, first_stand, stand_from, stand_text, start_of
from cm_engine.log.taking import taken
from cm_engine.messages.queued import MESSAGE
from cm_engine.ports import LAST, Transaction, WorkQuery
from cm_engine.program import canonical, digest, parse_program
from cm_engine.recording import PoolKey, enrollment_body, pool_key
from cm_engine.register import Register, program_in
from cm_engine.rules import RULES_VERSION
from cm_engine.rules.prizes import commitment
from cm_engine.sites.checking import Known, site_difference

PAGE = 500
"""As many enrollments are read at a time."""


class Difference(NamedTuple):
    """Where what is stored first differs from what it should be.

    Attributes:
        enrollment: its id, or the name of a journal; empty for what belongs to none.
        where: which row, or which rows.
        what: how it differs.
    """

    enrollment: str
    where: str
    what: str

    def __str__(self) -> str:
        """Return the difference as a line."""
        return f"{self.enrollment or 'storage'}: {self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What an audit found.

    Attributes:
        enrollments, records, decisions, journals: how many were looked at; records are those of journals too.
        differences: the first one of each enrollment and of each journal, and those of what belongs to none.
        other_rules: decisions that today's rules would make otherwise, and that are as their own release made them.
    """

    enrollments: int = 0
    records: int = 0
    decisions: int = 0
    differences: tuple[Difference, ...] = ()
    other_rules: tuple[Difference, ...] = ()
    journals: int = 0

    @property
    def is_clean(self) -> bool:
        """Tell whether everything is as it should be."""
        return not self.differences


class _FoundError(Exception):
    """Carry the first difference of an enrollment."""

    def __init__(self, where: str, what: str) -> None:
        self.where = where
        self.what = what
        super().__init__(where)


class _Stored(NamedTuple):
    """Everything that is stored of one enrollment."""

    row: EnrollmentRow
    records: list[RecordRow]
    decisions: list[DecisionRow]
    entries: list[EntryRow]
    payouts: list[PayoutRow]
    work: list[WorkRow]
    standing: StandingRow | None


@dataclass(slots=True)
class _Audit:
    """One audit: what it has seen so far."""

    tx: Transaction
    register: Register
    seen: Counter[str] = field(default_factory=Counter)
    pools: dict[PoolKey, Counter[int]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    other_rules: list[Difference] = field(default_factory=list)
    made_by: Counter[str] = field(default_factory=Counter)
    arrived: Counter[str] = field(default_factory=Counter)
    elsewhere: dict[str, dict[str, Received]] = field(default_factory=dict)
    sites: Known = field(default_factory=dict)
    alone: bool = False

    def look_at(self, row: EnrollmentRow) -> None:
        """Compare one enrollment with what its log comes to; note the first difference."""
        if not _is_plain(row.id):
            self.seen["row"] += 1
            self.differences.append(Difference(ascii(row.id), "enrollment", "its id is damaged"))
            return
        stored = _stored(self.tx, row)
        for name, rows in stored._asdict().items():
            self.seen[name] += len(rows) if isinstance(rows, list) else rows is not None
        self.seen["messages"] += len(self.tx.work(WorkQuery(MESSAGE, row.id, limit=LAST)))
        self._note_journal(stored)
        try:
            enrolled = self.register.opened(self.tx, row)
            enrolled = self.register.with_versions(self.tx, enrolled, stored.records)
            _check_enrollment(enrolled, stored, self.register)
            _check_chain(stored)
            self._check_sites(stored)
            stand, other = _check_fold(enrolled, stored)
            self._check_work(enrolled.under(stand.state.program), stored)
        except _FoundError as found:
            self.differences.append(Difference(row.id, found.where, found.what))
        except SecretError as error:
            self.differences.append(Difference(row.id, "prizes", f"not audited: {error}"))
        except (CmEngineError, ValueError, KeyError, TypeError) as error:
            self.differences.append(Difference(row.id, "log", f"it cannot be read: {error}"))
        else:
            self._count_pools(enrolled, stand)
            if told := elsewhere(stored.records):
                self.elsewhere[row.participant] = together(self.elsewhere.get(row.participant, {}), told)
            if other:
                self.other_rules.append(Difference(row.id, *other))

    def _check_sites(self, stored: _Stored) -> None:
        """Compare what an enrollment was told by sites with what they said."""
        if not self.alone and (found := site_difference(self.tx, self.sites, stored.row, stored.records)):
            raise _FoundError(*found)

    def _check_work(self, enrolled: Enrolled, stored: _Stored) -> None:
        """Compare the work on payouts with them; whoever came alone has left it where it was."""
        if not self.alone and (stored.payouts or stored.work):
            _check_work(enrolled, stored)

    def _note_journal(self, stored: _Stored) -> None:
        """Note which journal made an enrollment; that of one which arrived with a bundle need not be here."""
        self.made_by.update(made_by_journal(stored.records))
        if seals(stored.records):
            self.arrived.update(made_by_journal(stored.records))

    def _count_pools(self, enrolled: Enrolled, stand: Stand) -> None:
        for pool, windows in stand.own.items():
            counted = self.pools.setdefault(pool_key(enrolled, pool), Counter())
            for number, amount in windows:
                counted[number] += amount

    def _count_elsewhere(self) -> None:
        """Count what enrollments that are not here have received elsewhere."""
        told = ((who, *each) for who, received in self.elsewhere.items() for each in received.items())
        for participant, enrollment, received in told:
            if self.tx.enrollment(enrollment) is None:
                for pool, windows in received.items():
                    self.pools.setdefault((participant, *pool), Counter()).update(dict(windows))

    def look_at_programs(self) -> None:
        """Compare each program with its digest."""
        for row in self.tx.programs():
            self.seen["programs"] += 1
            if what := program_difference(row):
                self.differences.append(Difference("", f"program {row.program}@{row.version}", what))

    def look_at_pools(self) -> None:
        """Compare what pools have received with what all enrollments have received from them."""
        self._count_elsewhere()
        for row in self.tx.pools():
            self.seen["pools"] += 1
            counted = self.pools.pop(row[:5], Counter())
            expected = dumped(sorted((number, amount) for number, amount in counted.items() if amount))
            if row.windows != expected:
                what = f"stored {row.windows}, received {expected}"
                self.differences.append(Difference("", f"pool {'/'.join(map(str, row[:5]))}", what))
        for key in self.pools:
            self.differences.append(Difference("", f"pool {'/'.join(key)}", "it is missing"))

    def look_at_journal(self, row: StandingRow) -> None:
        """Compare where one journal stands with what its acts come to; note the first difference."""
        records = self.tx.records(row.enrollment)
        self.seen["records"] += len(records)
        self.seen["standing"] += 1
        self.seen["journals"] += 1
        made = self.made_by.pop(row.enrollment, 0)
        found = journal_difference(self.tx, self.register, row, records) or made_difference(records, made)
        if found:
            self.differences.append(Difference(ascii(row.enrollment)[1:-1], *found))

    def look_at_journals(self) -> None:
        """Compare every journal, and find enrollments whose journal is gone."""
        for row in all_journals(self.tx):
            self.look_at_journal(row)
        for name, count in (self.made_by - self.arrived).items():
            what = f"it is missing, and it made enrollments: {count}"
            self.differences.append(Difference(ascii(name)[1:-1], "journal", what))

    def look_at_counts(self) -> None:
        """Find rows that belong to no enrollment, to no journal and to no task."""
        of_nobody = (self.tx.work(WorkQuery(kind, DUE, limit=LAST)) for kind in (TASK, MESSAGE))
        self.seen["work"] += sum(map(len, of_nobody)) + self.seen.pop("messages", 0)
        names = {"row": "enrollments", "standing": "standings"}
        seen = {names.get(name, name): count for name, count in self.seen.items()}
        for name, count in self.tx.counts().items():
            if count != seen.get(name, 0):
                what = f"there are {count} rows, and {seen.get(name, 0)} belong to an enrollment"
                self.differences.append(Difference("", name, what))

    def result(self) -> Verification:
        """Return what was found."""
        counts = (self.seen["row"], self.seen["records"], self.seen["decisions"])
        found = (tuple(self.differences), tuple(self.other_rules))
        return Verification(*counts, *found, journals=self.seen["journals"])


def verified(
    tx: Transaction,
    register: Register,
    only: str,
    progress: Callable[[int], None] = lambda _: None,
    *,
    alone: bool = False,
) -> Verification:
    """Return what an audit of one enrollment finds, or of everything.

    Args:
        tx: what is looked at.
        register: finds programs and secrets.
        only: an enrollment; empty for all.
        progress: told how many enrollments have been looked at.
        alone: enrollments are looked at by themselves, without what the journals of their sites say.
    """
    audit = _Audit(tx, register, alone=alone)
    rows = [tx.enrollment(only)] if only else _all_enrollments(tx)
    for number, row in enumerate(filter(None, rows), start=1):
        audit.look_at(row)
        progress(number)
    if not only:
        audit.look_at_journals()
        audit.look_at_programs()
        audit.look_at_pools()
        audit.look_at_counts()
    return audit.result()


def program_difference(row: ProgramRow) -> str:
    """Say how a program differs from its digest, its id or its version; nothing if it does not."""
    try:
        program = parse_program(row.text, name=row.digest[:12])
        found = (digest(program), program.program, program.version, canonical(program))
    except (CmEngineError, ValueError, KeyError, TypeError) as error:
        found = ("none", "", "", str(error))
    if found == tuple(row):
        return ""
    return f"its digest is {row.digest[:12]}, that of its text is {found[0][:12]}"


def _all_enrollments(tx: Transaction) -> Iterator[EnrollmentRow]:
    after = ""
    while page := tx.enrollments(after=after, limit=PAGE):
        yield from page
        if not _is_plain(page[-1].id) or page[-1].id <= after:
            return  # the id is damaged, and there is no next page by it
        after = page[-1].id


def _is_plain(found: object) -> bool:
    """Tell whether an id is one that was ever written."""
    return isinstance(found, str) and found.isprintable()


def _stored(tx: Transaction, row: EnrollmentRow) -> _Stored:
    return _Stored(
        row,
        tx.records(row.id),
        tx.decisions(row.id),
        tx.entries(row.id),
        tx.payouts(row.id),
        tx.work(WorkQuery(PAYOUT, row.id, limit=LAST)),
        tx.standing(row.id),
    )


def _check_work(enrolled: Enrolled, stored: _Stored) -> None:
    """Find work on what is no payout, and payouts on their way that nobody works on."""
    purse = Bank.of(enrolled, Log(stored.records, stored.decisions, stored.entries)).purse
    left, first = set(purse.sent), worked_on_from(stored.records)
    for row in stored.work:
        payout = purse.sent.get(payout_of(row.name))
        if payout is None:
            raise _FoundError(f"work {row.name}", "there is no such payout")
        if row.state == OVER and payout.place == IN_FLIGHT:
            raise _FoundError(f"work {row.name}", "it is over, and the payout is in flight")
        left.discard(payout_of(row.name))
    by = {row.number: row.record for row in stored.decisions}
    for number, leg in sorted(left):
        if purse.sent[number, leg].place == IN_FLIGHT and by[number] >= first:
            raise _FoundError(f"work {work_name(number, leg)}", "it is missing, and the payout is in flight")


def _check_enrollment(enrolled: Enrolled, stored: _Stored, register: Register) -> None:
    """Compare the enrollment with the act that enrolled, and the commitment with its seed."""
    if not stored.records:
        raise _FoundError("log", "it is empty")
    told = dumped(enrollment_body(enrolled.row))
    if stored.records[0].body != told:
        raise _FoundError("enrollment", f"stored {told}, enrolled as {stored.records[0].body}")
    seed = enrolled.seed or (register.seed(enrolled.row.id) if enrolled.row.commitment else b"")
    if enrolled.row.commitment and commitment(seed) != enrolled.row.commitment:
        raise _FoundError(
            "enrollment", "the commitment is not that of the seed; was the engine's secret changed?"
        )


def _check_chain(stored: _Stored) -> None:
    """Follow the hashes: each act, and the decisions that it led to."""
    head, number = GENESIS, 0
    led_to: dict[int, list[DecisionRow]] = {}
    for row in stored.decisions:
        led_to.setdefault(row.record, []).append(row)
    for seq, record in enumerate(stored.records):
        if record.seq != seq:
            raise _FoundError(f"record {seq}", f"it is missing; the next is {record.seq}")
        head = _checked_hash(f"record {seq}", record, head)
        for row in led_to.pop(seq, []):
            number += 1
            if row.number != number:
                raise _FoundError(f"decision {number}", f"it is missing; the next is {row.number}")
            head = _checked_hash(f"decision {number}", row, head)
    if led_to:
        raise _FoundError("decisions", f"no act led to those of record {min(led_to)}")
    standing = stored.standing
    found = (len(stored.records) - 1, number, head, stored.records[-1].recorded_at)
    if standing is None or standing[1:5] != found:
        raise _FoundError("standing", f"stored {standing and standing[1:5]}, the log comes to {found}")


def _checked_hash(where: str, row: RecordRow | DecisionRow, head: str) -> str:
    found = hash_of(row[:-1], head)
    if row.hash != found:
        raise _FoundError(where, f"its hash is {row.hash[:12]}, that of what it says {found[:12]}")
    return found


def _check_fold(enrolled: Enrolled, stored: _Stored) -> tuple[Stand, tuple[str, str] | None]:
    """Take every act again, and compare what it leads to; return where that ends, and what other rules decided.

    From a decision on that another release's rules made otherwise, decisions are taken as they are stored, and only
    what follows from them is compared.
    """
    stand = first_stand(enrolled.rules, start_of(enrolled))
    decisions: list[DecisionRow] = []
    entries: list[EntryRow] = []
    other: tuple[str, str] | None = None
    for seq, record in enumerate(stored.records):
        log = Log(stored.records[:seq], decisions, entries)
        known = [row for row in stored.decisions if row.record == seq]
        if other is None:
            enrolled = enrolled.under(stand.state.program)
            turn = Turn(enrolled, stand, len(decisions), pools_from(record.shared))
            written = taken(turn, record, json.loads(record.body), partial(_same, log))
            other = _compare_decisions(known, written.decisions)
            stand = written.stand
        elif record.kind in BANKED:  # it depends on the log as it is stored, and on no rules
            turn = Turn(enrolled, stand, len(decisions), {})
            written = banked(turn, record, log)
        again = other is None or record.kind in BANKED
        entries += written.entries if again else posted(enrolled, log, known)
        decisions += known
    of = {row.number: row for row in decisions}
    payouts = [each for entry in entries for each in payouts_of(of[entry.number], [entry])]
    _compare("entry", stored.entries, entries)
    _compare("payout", stored.payouts, payouts)
    assert stored.standing is not None
    if other:
        by = enrolled.under(program_in(stored.standing.state))
        return stand_from(by.rules, stored.standing.state), other
    if stored.standing.state != stand_text(stand):
        raise _FoundError("standing", f"stored {stored.standing.state}, folded again {stand_text(stand)}")
    return stand, None


def _same(log: Log) -> Log:
    return log


def _compare_decisions(stored: Sequence[DecisionRow], again: Sequence[DecisionRow]) -> tuple[str, str] | None:
    """Refuse decisions that differ, or return the first that differs because another release's rules made it."""
    for row in stored:
        if row.rules not in range(1, RULES_VERSION + 1):
            raise _FoundError(
                f"decision {row.number}", f"it is by rules {row.rules}, and this is {RULES_VERSION}"
            )
    for old, new in zip_longest(stored, again):
        if old is None or new is None or content(old) != content(new):
            where, what = f"decision {(old or new).number}", _apart(old, new)
            if any(row.rules != RULES_VERSION for row in stored):
                return where, what
            raise _FoundError(where, what)
    return None


def _apart(old: DecisionRow | None, new: DecisionRow | None) -> str:
    if old is None or new is None:
        return "it is not stored" if old is None else "it is stored, and nothing leads to it"
    return _first_column(content(old), content(new))


def _compare(what: str, stored: Iterable[NamedTuple], again: Iterable[NamedTuple]) -> None:
    for old, new in zip_longest(stored, again):
        if old != new:
            one: Any = old or new
            where = f"{what} {one.number}/{one.leg}"
            raise _FoundError(where, _first_column(old, new) if old and new else "it is missing or too much")


def _first_column(old: NamedTuple, new: NamedTuple) -> str:
    """Say in which column two rows first differ."""
    columns = zip(old._fields, old, new, strict=True)
    name, stored, again = next((name, one, two) for name, one, two in columns if one != two)
    return f"{name}: stored {stored}, folded again {again}"
