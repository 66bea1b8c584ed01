"""The audit: take every act again, and compare everything that is stored with what it comes to."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from cm_engine.acts.recording import PoolKey, pool_key
from cm_engine.acts.register import Register
from cm_engine.audit.outstanding import work_difference
from cm_engine.audit.refolding import (
    FoundError,
    Stored,
    check_chain,
    check_enrollment,
    check_fold,
    check_work,
    stored_of,
)
from cm_engine.errors import UNREADABLE, CmEngineError, SecretError
from cm_engine.journal import all_journals
from cm_engine.journals import journal_difference, made_by_journal, made_difference
from cm_engine.log.encoding import dumped
from cm_engine.log.moves import Received, elsewhere, seals, together
from cm_engine.log.rows import (
    DUE,
    TASK,
    DecisionRow,
    EnrollmentRow,
    ProgramRow,
    RecordRow,
    StandingRow,
    WorkRow,
)
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.messages.queued import MESSAGE
from cm_engine.ports import LAST, Transaction, WorkQuery
from cm_engine.program.canonical import digest_of, from_canonical
from cm_engine.sites.checking import Known, site_difference
from cm_engine.spelling import legible

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
        return legible(f"{self.enrollment or 'storage'}: {self.where}: {self.what}")


@dataclass(frozen=True, slots=True)
class Verification:
    """What an audit found.

    Attributes:
        enrollments, records, decisions, journals: how many were looked at; records are those of journals too.
        differences: the first one of each enrollment and of each journal, and those of what belongs to none.
        other_rules: decisions of another release that today's rules would make otherwise, which nobody can check here.
        heads: where each log ends, of enrollments and of journals, by their names: kept elsewhere, they show what was
            removed or written anew.
    """

    enrollments: int = 0
    records: int = 0
    decisions: int = 0
    differences: tuple[Difference, ...] = ()
    other_rules: tuple[Difference, ...] = ()
    journals: int = 0
    heads: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Tell whether everything is as it should be."""
        return not self.differences


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
    kept: dict[str, str] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)

    def look_at(self, row: EnrollmentRow) -> None:
        """Compare one enrollment with what its log comes to; note the first difference."""
        if not _is_plain(row.id):
            self.seen["row"] += 1
            self.differences.append(Difference(ascii(row.id), "enrollment", "its id is damaged"))
            return
        stored = stored_of(self.tx, row)
        for name, rows in stored._asdict().items():
            self.seen[name] += len(rows) if isinstance(rows, list) else rows is not None
        messages = self.tx.work(WorkQuery(MESSAGE, row.id, limit=LAST))
        self.seen["messages"] += len(messages)
        self._look_at_work(row.id, [*stored.work, *messages])
        self._look_at_head(row.id, [*stored.records, *stored.decisions], stored.standing)
        try:
            self._note_journal(stored)
            enrolled = self.register.opened(self.tx, row)
            enrolled = self.register.with_versions(self.tx, enrolled, stored.records)
            check_enrollment(enrolled, stored, self.register)
            check_chain(stored)
            self._check_sites(stored)
            stand, others = check_fold(enrolled, stored)
            self._check_work(enrolled.under(stand.state.program), stored)
            if told := elsewhere(stored.records):
                self.elsewhere[row.participant] = together(self.elsewhere.get(row.participant, {}), told)
        except FoundError as found:
            self.differences.append(Difference(row.id, found.where, found.what))
        except SecretError as error:
            self.differences.append(Difference(row.id, "prizes", f"not audited: {error}"))
        except (CmEngineError, *UNREADABLE) as error:
            self.differences.append(Difference(row.id, "log", f"it cannot be read: {error}"))
        else:
            self._count_pools(enrolled, stand)
            self.other_rules += (Difference(row.id, *each) for each in others)

    def _check_sites(self, stored: Stored) -> None:
        """Compare what an enrollment was told by sites with what they said."""
        if not self.alone and (found := site_difference(self.tx, self.sites, stored.row, stored.records)):
            raise FoundError(*found)

    def _check_work(self, enrolled: Enrolled, stored: Stored) -> None:
        """Compare the work on payouts with them; whoever came alone has left it where it was."""
        if not self.alone:
            check_work(enrolled, stored)

    def _look_at_head(
        self, name: str, rows: Iterable[RecordRow | DecisionRow], standing: StandingRow | None
    ) -> None:
        """Note where a log ends; find one that does not go on from where it ended when that was kept."""
        kept = self.kept.pop(name, "")
        if kept and all(row.hash != kept for row in rows):
            what = f"{kept[:12]} is not in the log any more, and it was the last when it was kept"
            self.differences.append(Difference(name, "head", what))
        if standing:
            self.heads[name] = standing.head

    def look_at_kept(self) -> None:
        """Find what is gone of which was kept where its log ended."""
        self.differences += (
            Difference(name, "head", "it was kept, and the log is gone") for name in self.kept
        )

    def look_at_database(self) -> None:
        """Ask the database what it finds damaged itself."""
        self.differences += (Difference("", "database", what) for what in self.tx.damage())

    def _look_at_work(self, enrollment: str, rows: Iterable[WorkRow]) -> None:
        """Look at work by itself, of an enrollment or of nobody; note what is not as the engine would leave it."""
        found = (work_difference(row) for row in rows)
        self.differences += (Difference(enrollment, *each) for each in found if each)

    def _note_journal(self, stored: Stored) -> None:
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
        self._look_at_head(row.enrollment, records, row)
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
        of_nobody = [
            row for kind in (TASK, MESSAGE) for row in self.tx.work(WorkQuery(kind, DUE, limit=LAST))
        ]
        self._look_at_work("", of_nobody)
        self.seen["work"] += len(of_nobody) + self.seen.pop("messages", 0)
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
        return Verification(*counts, *found, journals=self.seen["journals"], heads=self.heads)


def verified(
    tx: Transaction,
    register: Register,
    only: str,
    progress: Callable[[int], None] = lambda _: None,
    kept: Mapping[str, str] = MappingProxyType({}),
) -> Verification:
    """Return what an audit of one enrollment finds, or of everything.

    Args:
        tx: what is looked at.
        register: finds programs and secrets.
        only: an enrollment; empty for all.
        progress: told how many enrollments have been looked at.
        kept: where logs ended when that was kept, as `Verification.heads` has it.
    """
    audit = _Audit(tx, register, kept={name: head for name, head in kept.items() if only in {"", name}})
    rows = [tx.enrollment(only)] if only else _all_enrollments(tx)
    for number, row in enumerate(filter(None, rows), start=1):
        audit.look_at(row)
        progress(number)
    if not only:
        audit.look_at_journals()
        audit.look_at_programs()
        audit.look_at_pools()
        audit.look_at_counts()
        audit.look_at_kept()
        audit.look_at_database()
    return audit.result()


def verified_alone(tx: Transaction, register: Register, enrollment: str) -> Verification:
    """Return what an audit finds of one enrollment by itself, without what the journals of its sites say."""
    audit = _Audit(tx, register, alone=True)
    if row := tx.enrollment(enrollment):
        audit.look_at(row)
    return audit.result()


def program_difference(row: ProgramRow) -> str:
    """Say how a program differs from its digest, its id or its version; nothing if it does not."""
    try:
        program = from_canonical(row.text)
        found = (digest_of(row.text), program.program, program.version)
    except UNREADABLE:
        found = ("none", "", "")
    if found == row[:3]:
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
