"""What cm-engine needs of the world outside; the docstring of each port is its contract.

`cm_engine.testing` has a suite for each port, whose tests are worded as the duties below.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from cm_engine.log.rows import (
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


class Clock(Protocol):
    """Tell what time it is."""

    def __call__(self) -> datetime:
        """Return the time, aware."""


LAST = 2**31 - 1
"""No decision has a higher number."""


class Found(NamedTuple):
    """What the storage holds of enrollments and keys that an act names."""

    standings: dict[str, StandingRow]
    records: dict[tuple[str, str], RecordRow]


class Claim(NamedTuple):
    """What work a worker asks for.

    Attributes:
        kind: of work.
        worker: who asks.
        now: the time: what is due by then is given.
        until: when it is due again, if nothing has become of it.
        limit: as much at most.
        enrollment: whose; empty for anybody's.
    """

    kind: str
    worker: str
    now: str
    until: str
    limit: int = 100
    enrollment: str = ""


class Transaction(Protocol):
    """Read and write rows; what one transaction writes is there as a whole, or not at all."""

    def look_up(self, enrollments: Sequence[str], keys: Sequence[tuple[str, str]]) -> Found:
        """Return where enrollments stand, and what was recorded under pairs of a source and a key.

        What is absent is left out, and standings may be if something was recorded under every key. In a transaction begun with `lock`, no other writer changes these standings
        until it ends.
        """

    def append(self, batch: Batch) -> None:
        """Write all rows of a batch, or none.

        Raises:
            StorageConflictError: a row is there already (an enrollment's id, an act's place or its source and key),
                or an enrollment's head or a pool is not the one that the batch was made from. Nothing is written.
        """

    def add_program(self, program: ProgramRow) -> None:
        """Write a program; one that is there stays as it is."""

    def programs(self, *, digest: str = "", program: str = "") -> list[ProgramRow]:
        """Return the programs of a digest or of an id, or all, in the order of their ids and versions."""

    def enrollment(self, enrollment: str) -> EnrollmentRow | None:
        """Return an enrollment, or None."""

    def enrollments(
        self, *, participant: str = "", program: str = "", after: str = "", limit: int = 1000
    ) -> list[EnrollmentRow]:
        """Return enrollments in the order of their ids: of a participant, in a program, after an id."""

    def records(self, enrollment: str, *, after: int = -1) -> list[RecordRow]:
        """Return the acts of an enrollment after a place, in order."""

    def decisions(self, enrollment: str, *, record: int | None = None) -> list[DecisionRow]:
        """Return the decisions of an enrollment, or those that an act led to, in order."""

    def entries(self, enrollment: str, *, first: int = 0, last: int = LAST) -> list[EntryRow]:
        """Return the postings of an enrollment from the first to the last of some decisions, in order."""

    def payouts(self, enrollment: str) -> list[PayoutRow]:
        """Return the payouts of an enrollment, in order."""

    def standing(self, enrollment: str) -> StandingRow | None:
        """Return where an enrollment or a journal stands, or None."""

    def journals(self, *, after: str = "", limit: int = 1000) -> list[StandingRow]:
        """Return where journals stand, whose names begin with @, in the order of their names, after a name.

        A journal has acts and a standing, and no enrollment.
        """

    def pools(self, pools: Sequence[tuple[str, str, str, str, str]] = ()) -> list[PoolRow]:
        """Return what pools have received, by holder, scope, name, unit and window, or of all pools.

        In a transaction begun with `lock`, no other writer changes these pools until it ends; they are locked in
        one order by all, so that nobody waits for ever.
        """

    def work(
        self,
        kind: str,
        *,
        enrollment: str = "",
        state: str = "",
        after: tuple[str, str] = ("", ""),
        limit: int = 1000,
    ) -> list[WorkRow]:
        """Return work of a kind in the order of enrollments and names: of an enrollment, in a state, after a pair of them."""

    def claim(self, claim: Claim) -> list[WorkRow]:
        """Return work that waits and is due, and give it to a worker: what was due first, if it is too much.

        Until the time given it is not due again, it has one try more, and the worker's name. Work that another
        transaction is about to claim or to settle is left out, so that nobody waits and nobody has it twice.
        """

    def settle(self, was: WorkRow, row: WorkRow) -> None:
        """Write what has become of work, in the place of what it was.

        Raises:
            StorageConflictError: it is not what it was any more: another worker has it. Nothing is written.
        """

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each kind, by its name.

        The kinds are programs, enrollments, records, decisions, entries, payouts, work, standings and pools.
        """


class Storage(Protocol):
    """Keep the log: programs, enrollments, acts, decisions, postings, payouts, standings and pools; and what is to be done.

    Rows are given back as they were written, to the byte. Programs, enrollments, acts, decisions and postings are
    never changed or removed; a database refuses it.

    Attributes:
        one_writer: only one transaction writes at a time, so that waiting acts are best written together.
        joined: it is in a transaction of the host's, and what it writes is there only if the host commits.
    """

    one_writer: bool
    joined: bool

    def writing(self, *, lock: bool = False) -> AbstractContextManager[Transaction]:
        """Begin a transaction that ends with the block: it commits, or writes nothing if the block raises.

        With `lock`, rows that are looked up are kept from others until the end. In a transaction of the host's, what
        the block wrote is undone if it raises, and nothing of the host's is.

        Raises:
            StorageConflictError: another writer came first.
            StorageBusyError: others held the storage too long.
            StorageFullError: the storage cannot be written.
            StorageError: the storage failed otherwise.
        """

    def reading(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction that only reads, and sees one moment of the log."""

    def joining(self, bind: Any) -> "Storage":  # noqa: ANN401 - of the host's library
        """Return a storage that writes in the host's own transaction.

        Raises:
            StorageError: this storage cannot.
        """

    def close(self) -> None:
        """Give up all resources; of a host's transaction, none."""
