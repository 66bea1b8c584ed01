"""A storage in memory: for tests, for trying things out, and as the plainest reading of the contract."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import islice
from threading import RLock
from typing import Any, Self

from cm_engine.errors import StorageConflictError, StorageError
from cm_engine.log.rows import (
    RESERVED,
    WAITING,
    Batch,
    DecisionRow,
    EnrollmentRow,
    EntryRow,
    PayoutRow,
    PoolRow,
    ProgramRow,
    RecordRow,
    StandingRow,
    WorkRow,
)
from cm_engine.ports import LAST, Claim, Found, WorkQuery


class MemoryStorage:
    """Keep the log in this process; it is gone when the process ends."""

    joined = False

    def __init__(self) -> None:
        self._lock = RLock()
        self._tables = MemoryTransaction()

    @classmethod
    def open(cls, url: str = "memory:", *, make: bool = True, **options: object) -> Self:
        """Return an empty storage; there is nothing to say in the URL, and nothing to be there before."""
        _ = make
        if options:
            msg = f"a storage in memory has no tables, and so no {' or '.join(options)}; leave that out"
            raise StorageError(msg)
        if url.rstrip("/") != "memory:":
            msg = f"a storage in memory has the URL 'memory:', got {url!r}"
            raise StorageError(msg)
        return cls()

    @contextmanager
    def writing(self, *, lock: bool = False, wait: bool = True) -> Iterator["MemoryTransaction"]:
        """Begin a transaction; nobody else reads or writes until it ends."""
        _ = lock, wait
        with self._lock:
            changed = self._tables.copied()
            yield changed
            self._tables = changed

    @contextmanager
    def reading(self) -> Iterator["MemoryTransaction"]:
        """Begin a transaction that only reads."""
        with self._lock:
            tables = self._tables
        yield tables

    def joining(self, bind: object) -> Self:
        """Refuse: there is no transaction of a host's in memory."""
        msg = f"a storage in memory cannot join {bind!r}; open a database"
        raise StorageError(msg)

    def close(self) -> None:
        """Keep everything: there is nothing to give up."""


class MemoryTransaction:
    """All tables, as one transaction sees them."""

    def __init__(self) -> None:
        self._programs: dict[str, ProgramRow] = {}
        self._enrollments: dict[str, EnrollmentRow] = {}
        self._standings: dict[str, StandingRow] = {}
        self._keys: dict[tuple[str, str], RecordRow] = {}
        self._records: dict[str, tuple[RecordRow, ...]] = {}
        self._decisions: dict[str, tuple[DecisionRow, ...]] = {}
        self._entries: dict[str, tuple[EntryRow, ...]] = {}
        self._payouts: dict[str, tuple[PayoutRow, ...]] = {}
        self._work: dict[tuple[str, ...], WorkRow] = {}
        self._pools: dict[tuple[str, ...], PoolRow] = {}

    def copied(self) -> "MemoryTransaction":
        """Return the tables to write to, beside those that others read."""
        other = copy(self)
        for name, table in vars(self).items():
            setattr(other, name, dict(table))
        return other

    def look_up(self, enrollments: Sequence[str], keys: Sequence[tuple[str, str]]) -> Found:
        """Return where enrollments stand, and what was recorded under keys."""
        return Found(
            {each: self._standings[each] for each in enrollments if each in self._standings},
            {key: self._keys[key] for key in keys if key in self._keys},
        )

    def append(self, batch: Batch) -> None:
        """Write all rows of a batch, or none."""
        self._refuse_conflicts(batch)
        self._enrollments |= {row.id: row for row in batch.enrollments}
        self._standings |= {row.enrollment: row for row in batch.standings}
        self._keys |= {(row.source, row.key): row for row in batch.records}
        for row in batch.records:
            self._records[row.enrollment] = (*self._records.get(row.enrollment, ()), row)
        for decision in batch.decisions:
            self._decisions[decision.enrollment] = (*self._decisions.get(decision.enrollment, ()), decision)
        for entry in batch.entries:
            self._entries[entry.enrollment] = (*self._entries.get(entry.enrollment, ()), entry)
        for payout in batch.payouts:
            self._payouts[payout.enrollment] = (*self._payouts.get(payout.enrollment, ()), payout)
        self._work |= {row[:3]: row for row in batch.work}
        self._pools |= {row[:5]: row for _, row in batch.pools}

    def _refuse_conflicts(self, batch: Batch) -> None:
        keys = [(row.source, row.key) for row in batch.records]
        ids = [row.id for row in batch.enrollments]
        places = [row[:2] for row in batch.records]
        enrollments = {row.enrollment for row in batch.records}
        taken = {row[:2] for each in enrollments for row in self._records.get(each, ())}
        moved = any(
            (self._standings[row.enrollment].head if row.enrollment in self._standings else "") != head
            for row, head in zip(batch.standings, batch.heads, strict=True)
        )
        pools = any(
            (self._pools[row[:5]].windows if row[:5] in self._pools else "") != read
            for read, row in batch.pools
        )
        known = any(key in self._keys for key in keys) or any(each in self._enrollments for each in ids)
        work = [row[:3] for row in batch.work]
        known = known or any(key in self._work for key in work)
        twice = any(len(set(each)) < len(each) for each in (keys, ids, places, work))
        if moved or pools or known or twice or not taken.isdisjoint(places):
            msg = "another writer came first"
            raise StorageConflictError(msg)

    def add_program(self, program: ProgramRow) -> None:
        """Write a program; one that is there stays as it is."""
        self._programs.setdefault(program.digest, program)

    def programs(self, *, digest: str = "", program: str = "") -> list[ProgramRow]:
        """Return the programs of a digest or of an id, or all."""
        return [
            row
            for row in sorted(self._programs.values(), key=lambda row: row[1:])
            if digest in {"", row.digest} and program in {"", row.program}
        ]

    def enrollment(self, enrollment: str) -> EnrollmentRow | None:
        """Return an enrollment, or None."""
        return self._enrollments.get(enrollment)

    def enrollments(
        self, *, participant: str = "", program: str = "", after: str = "", limit: int = 1000
    ) -> list[EnrollmentRow]:
        """Return enrollments in the order of their ids."""
        found = (
            self._enrollments[each]
            for each in sorted(self._enrollments)
            if each > after
            and participant in {"", self._enrollments[each].participant}
            and program in {"", self._enrollments[each].program}
        )
        return [row for row, _ in zip(found, range(limit), strict=False)]

    def records(self, enrollment: str, *, after: int = -1) -> list[RecordRow]:
        """Return the acts of an enrollment after a place."""
        return [row for row in sorted(self._records.get(enrollment, ())) if row.seq > after]

    def decisions(self, enrollment: str, *, record: int | None = None) -> list[DecisionRow]:
        """Return the decisions of an enrollment, or those that an act led to."""
        return [row for row in sorted(self._decisions.get(enrollment, ())) if record in {None, row.record}]

    def entries(self, enrollment: str, *, first: int = 0, last: int = LAST) -> list[EntryRow]:
        """Return the postings of an enrollment, from a decision on."""
        return [row for row in sorted(self._entries.get(enrollment, ())) if first <= row.number <= last]

    def payouts(self, enrollment: str) -> list[PayoutRow]:
        """Return the payouts of an enrollment."""
        return sorted(self._payouts.get(enrollment, ()))

    def standing(self, enrollment: str) -> StandingRow | None:
        """Return where an enrollment stands, or None."""
        return self._standings.get(enrollment)

    def journals(self, *, after: str = "", limit: int = 1000) -> list[StandingRow]:
        """Return where journals stand, in the order of their names."""
        names = sorted(each for each in self._standings if each.startswith(RESERVED) and each > after)
        return [self._standings[each] for each in names[:limit]]

    def pools(self, pools: Sequence[tuple[str, str, str, str, str]] = ()) -> list[PoolRow]:
        """Return what pools have received."""
        return [row for key, row in sorted(self._pools.items()) if not pools or key in pools]

    def work(self, query: WorkQuery) -> list[WorkRow]:
        """Return work in the order of enrollments and names."""
        kind, enrollment, name, state, after, limit = query
        found = (
            row
            for _, row in sorted(self._work.items())
            if row.kind == kind
            and enrollment in {"", row.enrollment}
            and name in {"", row.name}
            and state in {"", row.state}
            and (row.enrollment, row.name) > after
        )
        return list(islice(found, limit))

    def claim(self, claim: Claim) -> list[WorkRow]:
        """Return work that waits and is due, and give it to a worker."""
        waiting = (row for row in self._work.values() if (row.kind, row.state) == (claim.kind, WAITING))
        due = sorted((row.due, row) for row in waiting if row.due <= claim.now)
        chosen = [row for _, row in due if claim.enrollment in {"", row.enrollment}][: claim.limit]
        to = {"due": claim.until, "worker": claim.worker}
        claimed = [row._replace(**to, tries=row.tries + 1) for row in chosen]
        self._work |= {row[:3]: row for row in claimed}
        return sorted(claimed)

    def settle(self, was: WorkRow, row: WorkRow) -> None:
        """Write what has become of work, in the place of what it was."""
        if self._work.get(was[:3]) != was:
            msg = "another worker came first"
            raise StorageConflictError(msg)
        self._work[row[:3]] = row

    def damage(self) -> list[str]:
        """Return nothing: memory is not looked at."""
        return []

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        lists: dict[str, dict[str, Any]] = {
            "records": self._records,
            "decisions": self._decisions,
            "entries": self._entries,
            "payouts": self._payouts,
        }
        return {
            "programs": len(self._programs),
            "enrollments": len(self._enrollments),
            "work": len(self._work),
            "standings": len(self._standings),
            "pools": len(self._pools),
            **{name: sum(map(len, table.values())) for name, table in lists.items()},
        }
