"""An engine that is opened on a storage: how its acts are written, and tried again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from random import random
from secrets import token_hex
from time import sleep
from typing import Any, Self, TypeAlias, TypeVar, cast

from cm_engine.acts.enrolling import zone_name
from cm_engine.acts.queueing import Queue
from cm_engine.acts.recorded import Recorded
from cm_engine.acts.recording import Act, Done, Recording
from cm_engine.acts.register import Register
from cm_engine.errors import (
    CmEngineError,
    NotAllowedError,
    ReportError,
    SomeFailedError,
    StorageConflictError,
    StorageError,
)
from cm_engine.log.encoding import instant
from cm_engine.log.history import OBSERVED
from cm_engine.opening import open_storage
from cm_engine.people.guard import Policy, guarded, is_known
from cm_engine.people.rights import Rights, checked_rights
from cm_engine.ports import Clock, Storage, Transaction

SECRET_BYTES = 32

TRIES = 20
"""As often is an act tried again that another writer came before; from the second time on its rows are locked."""
PAUSE = 0.005
"""Seconds that it waits at most for each time it was tried in vain; the second try waits for nothing but locks."""

Made = TypeVar("Made")
Work: TypeAlias = Callable[[Transaction, str, bool], Made]
"""What is done in a transaction: it is told the time, and whether its rows are locked."""


def system_clock() -> datetime:
    """Return what time it is: the one place that asks."""
    return datetime.now(UTC)  # noqa: TID251


class _RehearsedError(Exception):
    """Undo what was only to be looked at."""

    def __init__(self, found: object) -> None:
        self.found = found
        super().__init__()


class OneByOne:
    """Do something for each of many enrollments: what one of them meets stands in the way of no other.

    Args:
        what: is done.
        enrollment: the only one it is done for: what it meets is raised; empty for all.
    """

    def __init__(self, what: str, enrollment: str = "") -> None:
        self._what = what
        self._is_one = bool(enrollment)
        self._failures: list[tuple[str, str]] = []

    @contextmanager
    def doing(self, enrollment: str) -> Iterator[None]:
        """Do it for one of them, and note what it meets.

        Raises:
            StorageError: the storage failed, and would for all others.
            NotAllowedError: whoever does it may not.
        """
        try:
            yield
        except (StorageError, NotAllowedError):
            raise
        except Exception as error:
            if self._is_one:
                raise
            why = str(error) if isinstance(error, CmEngineError) else type(error).__name__
            self._failures.append((enrollment, why))

    def refuse_failures(self, done: Sequence[object]) -> None:
        """Say which of them it could not be done for, once it is done for all others.

        Raises:
            SomeFailedError: there are such.
        """
        if self._failures:
            raise SomeFailedError(self._what, self._failures, done)


class OneMoment:
    """A storage that is one transaction of another: whatever is read, is read as it stood when that began.

    Args:
        tx: that only reads.
    """

    joined = False

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def reading(self) -> AbstractContextManager[Transaction]:
        """Read in the one transaction."""
        return nullcontext(self._tx)

    def writing(self, *, lock: bool = False, wait: bool = True) -> AbstractContextManager[Transaction]:
        """Refuse.

        Raises:
            StorageError: always.
        """
        _ = lock, wait
        msg = "this engine only reads one moment of the log: write with the engine that it was made of"
        raise StorageError(msg)

    def joining(self, bind: object) -> Self:
        """Refuse.

        Raises:
            StorageError: always.
        """
        msg = f"this engine only reads one moment of the log: {bind!r} is joined by the engine that it was made of"
        raise StorageError(msg)

    def close(self) -> None:
        """Leave the transaction to who began it."""


class Opened:
    """What every part of an engine stands on: a storage, a clock, and the queue of those who write."""

    def __init__(
        self,
        *,
        storage: Storage,
        zone: str = "",
        secret: bytes = b"",
        clock: Clock = system_clock,
        people: str = "",
        rights: Rights | None = None,
    ) -> None:
        self._storage = storage
        self._zone = zone_name(zone) if zone else ""
        self._secret = _checked_secret(secret)
        self._clock = clock
        self._register = Register(secret)
        self._policy = Policy(is_known(people), checked_rights(rights), self._zone)
        self._queue = None if storage.joined else Queue(self._take)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        zone: str = "",
        secret: bytes = b"",
        clock: Clock = system_clock,
        people: str = "",
        rights: Rights | None = None,
        **options: Any,  # noqa: ANN401 - each storage has its own
    ) -> Self:
        """Open the storage that a URL names; tables that are not there yet are made.

        Args:
            url: sqlite:///clinic.db, postgresql+psycopg://user@host/clinic, or memory: for trying things out.
            zone, secret, clock, people, rights: as for the engine.
            options: of the storage: prefix and schema of its tables; make=False refuses a database without tables.

        Raises:
            StorageError: it cannot be opened.
            SchemaError: its tables are of another release; run `cm-engine db upgrade`.
        """
        storage = open_storage(url, options)
        return cls(storage=storage, zone=zone, secret=secret, clock=clock, people=people, rights=rights)

    def joining(self, bind: Any) -> Self:  # noqa: ANN401 - of SQLAlchemy, which the core does not import
        """Return an engine that writes in the host's own transaction, and is there only if the host commits.

        Args:
            bind: a Connection or a Session of SQLAlchemy, on the same database; of an AsyncSession what `run_sync`
                gives.
        """
        joined = type(self)(
            storage=self._storage.joining(bind), zone=self._zone, secret=self._secret, clock=self._clock
        )
        joined._register = self._register.in_transaction_of_host()  # noqa: SLF001 - its own kind
        joined._policy = self._policy  # noqa: SLF001 - its own kind
        return joined

    @contextmanager
    def reading(self) -> Iterator[Self]:
        """Yield an engine that reads everything as it stood at one moment, however long it takes, and writes nothing.

        Raises:
            StorageError: something is written with it.
        """
        with self._storage.reading() as tx:
            still = type(self)(storage=OneMoment(tx), zone=self._zone, secret=self._secret, clock=self._clock)
            still._register = self._register  # noqa: SLF001 - its own kind
            still._policy = self._policy  # noqa: SLF001 - its own kind
            yield still

    def close(self) -> None:
        """Give up the storage's connections."""
        self._storage.close()

    def __enter__(self) -> Self:
        """Return the engine, to be closed with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the engine."""
        self.close()

    def _now(self) -> datetime:
        now = self._clock()
        if now.utcoffset() is None:
            msg = "clock: expected an aware time"
            raise ReportError(msg)
        return now

    def _recorded(self, act: Act) -> Recorded:
        """Take an act: an observation with those that wait beside it, all else, which takes longer, by itself."""
        try:
            if self._queue and act.kind == OBSERVED:
                return Recorded(self._queue.take(act))
            return Recorded(self._take([act])[0])
        except CmEngineError as error:
            error.report = None  # it was one alone, with whichever others it was written
            raise

    def _take(self, acts: Sequence[Act], *, wait: bool = True) -> list[Done]:
        """Take acts in a transaction; without `wait`, only if no other writer holds what they need."""
        lock = any(act.kind != OBSERVED for act in acts)
        return self._written(self._taking(acts), lock=lock, wait=wait)

    def _taking(self, acts: Sequence[Act]) -> Work[list[Done]]:
        """Return the work of taking acts."""
        return lambda tx, now, locked: Recording(tx, self._register, now, locked=locked).take(acts)

    def _rehearsed(self, acts: Sequence[Act], look: Callable[[list[Done], Recording], Made]) -> Made:
        """Return what acts would lead to, as somebody looks at it, and write nothing."""
        try:
            with self._storage.writing(lock=True) as tx:
                register = self._register.in_transaction_of_host()
                now = instant(self._now())
                recording = Recording(tx, register, now, locked=True, named=_otherwise)
                raise _RehearsedError(look(recording.take(acts), recording))  # noqa: TRY301 - so that it is undone
        except _RehearsedError as over:
            return cast("Made", over.found)

    def _written(self, work: Work[Made], *, lock: bool = False, wait: bool = True) -> Made:
        """Do work in a transaction, which is told the time; once more, locked, if another writer came first.

        Without `wait`, nobody is waited for, and nothing is tried again.
        """
        tries = 0
        while True:
            locked = lock or tries > 0
            try:
                with self._storage.writing(lock=locked or not wait, wait=wait) as tx:
                    return work(guarded(tx, self._register, self._policy), instant(self._now()), locked)
            except StorageConflictError:
                self._register.lately.doubt()
                tries += 1
                if tries == TRIES or not wait:
                    raise
                sleep(random() * PAUSE * (tries - 1))  # noqa: S311 - so that two do not meet again and again


def _otherwise(act: Act) -> str:
    """Return a key of chance for an observation that is rehearsed, so that nobody sees which key wins which prize."""
    return token_hex() if act.kind == OBSERVED else act.key


def _checked_secret(secret: bytes) -> bytes:
    if not isinstance(secret, bytes) or (secret and len(secret) < SECRET_BYTES):
        msg = f"secret: expected at least {SECRET_BYTES} bytes; secrets.token_bytes(32) makes some"
        raise ReportError(msg)
    return secret
