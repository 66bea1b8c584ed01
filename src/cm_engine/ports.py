"""What cm-engine needs of the world outside; the docstring of each port is its contract.

`cm_engine.testing` has a suite for each port, whose tests are worded as the duties below.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from cm_engine.arrivals import Arrivals
from cm_engine.gateways import Answer, Capabilities, Order
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


class WorkQuery(NamedTuple):
    """What work is looked for.

    Attributes:
        kind: of work.
        enrollment: whose; empty for anybody's.
        name: what it is called; empty for any.
        state: empty for any.
        after: only what comes after this enrollment and name.
        limit: as much at most.
    """

    kind: str
    enrollment: str = ""
    name: str = ""
    state: str = ""
    after: tuple[str, str] = ("", "")
    limit: int = 1000


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

    def work(self, query: WorkQuery) -> list[WorkRow]:
        """Return work in the order of enrollments and names."""

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

    def damage(self) -> list[str]:
        """Return what the database itself finds damaged, a line for each; nothing where it cannot look."""


class Storage(Protocol):
    """Keep the log: programs, enrollments, acts, decisions, postings, payouts, standings and pools; and what is to be done.

    Rows are given back as they were written, to the byte. Programs, enrollments, acts, decisions and postings are
    never changed or removed; a database refuses it.

    Attributes:
        joined: it is in a transaction of the host's, and what it writes is there only if the host commits.
    """

    joined: bool

    def writing(self, *, lock: bool = False, wait: bool = True) -> AbstractContextManager[Transaction]:
        """Begin a transaction that ends with the block: it commits, or writes nothing if the block raises.

        With `lock`, rows that are looked up are kept from others until the end. Without `wait`, what another
        transaction keeps is not waited for, where a storage keeps rows one by one: standings and pools not at all, and
        a key or a pool's first row that another is about to write only for a moment. In a transaction of the host's,
        what the block wrote is undone if it raises, and nothing of the host's is.

        Raises:
            StorageConflictError: another writer came first, or keeps what is not waited for.
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


class Intake(Protocol):
    """Read what a laboratory, a chart or a form sends.

    It is pure: it reads no clock, no network and no disk, and decides nothing. What it gives is in the sender's own words
    and codes; what they mean, the clinic's mapping says.

    Attributes:
        format: what it reads: the name of its entry point in the group `cm_engine.intake`.
    """

    format: str

    def read(self, document: bytes, *, zone: str = "") -> Arrivals:
        """Yield what a document says, in its order: an `Arrival` for each thing, and an `Unread` for what is unusable.

        A thing has one key in all its versions and in every document that has it, and one that repeats says the same
        again. What cannot be used stands for itself, so that the rest goes on; its reason has nothing of its content.
        A time without its offset is local in the zone, and left out if there is none.

        Args:
            document: as it came.
            zone: of the sender's local times; empty if nobody says.

        Raises:
            IntakeError: this is no document of the format.
        """


class Envelope(NamedTuple):
    """A message as a notifier sends it.

    Attributes:
        id: opaque, and the same however often it is sent.
        channel: what kind of address it is sent to: sms, email, push or webhook.
        to: the address.
        subject: for technologies that have one.
        text: the words.
        language: a BCP 47 tag of the words.
    """

    id: str
    channel: str
    to: str
    subject: str
    text: str
    language: str

    def __repr__(self) -> str:
        """Return which message it is, and nothing of whom it goes to or what it says."""
        return f"<message {self.id} by {self.channel}>"


Outcome = Literal["sent", "rejected", "retry", "unknown"]


class Delivery(NamedTuple):
    """What became of a message.

    Attributes:
        outcome: `sent`, the other side took it; `rejected`, nothing was sent, and never will be like this; `retry`,
            nothing was sent, and later it may be; `unknown`, it may have been sent.
        why: if it was not sent, in words without the address and the text.
        reference: what the technology calls it, if it says.
        retry_after: seconds to wait before another try, if the other side says.
    """

    outcome: Outcome
    why: str = ""
    reference: str = ""
    retry_after: float | None = None


class Notifier(Protocol):
    """Send messages by one technology, each at least once; who calls it keeps account of what was sent.

    It decides nothing: whether a message may be sent, to whom and in which words, was decided before. It may be called
    from several threads, and opens its connections when it sends, not when it is made.

    Attributes:
        channels: the kinds of address it sends to.
        has_ids: the other side can tell a repeat by the id of the message; if not, what is `unknown` had better not be
            sent again.
    """

    channels: frozenset[str]
    has_ids: bool

    def send(self, message: Envelope) -> Delivery:
        """Send a message, and return what became of it.

        The words arrive as they are given, to the letter, in one message to one address. `sent` means that the other side
        took it; what it refuses for good is `rejected`, and what it cannot take now is `retry`. If it is not known whether
        the other side took it, as when a connection breaks before the answer, the outcome is `unknown`, and never one of
        the others. The same message sent again bears the same id, where the technology has a place for it.

        A message to a channel that is not one of its own is rejected. Nothing that the world does is raised: a refusal, a
        broken connection, an address that is none. Neither the outcome nor a line in any log repeats the address or the
        words.
        """

    def close(self) -> None:
        """Give up connections."""


class PayoutGateway(Protocol):
    """Hand payouts over: an account with a vendor, a drawer of cards, a host's own payment system.

    Whatever it is asked twice under one id is one order. It waits for no answer without an end, and keeps no money's
    amount as a float but on the wire of a vendor that wants one. It is called from several threads, and from others than
    the one that made it. What it says that the vendor has is in the words of the order: the same unit, the same product.

    Attributes:
        capabilities: what it can do; they stay as they are.
    """

    capabilities: Capabilities

    def send(self, order: Order) -> Answer:
        """Hand an order over, and say what became of it.

        The same order again gives `replayed`, with the order as the vendor has it; another order under a known id gives
        `conflict`, and changes nothing. What surely was not done is `rejected` or `retry later`; all that may have been
        done, as after a connection that broke, is `unknown`.
        """

    def find(self, id: str) -> Answer | None:  # noqa: A002 - what it is
        """Return what has become of an order, by our id; None if there surely is none, `unknown` if nobody can say."""
