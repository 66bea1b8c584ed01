"""Threads that are written together, attacked: whoever is held up, refused or interrupted stands in nobody else's way."""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dis import opname
from functools import partial
from itertools import count
from threading import Event, Thread
from types import FrameType
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from cm_engine.acts import queueing
from cm_engine.acts.queueing import INTERRUPTED, Queue
from cm_engine.acts.recording import Act, Done
from cm_engine.engine import Engine
from cm_engine.errors import KeyConflictError, StorageBusyError, StorageConflictError, StorageError
from cm_engine.log.history import OBSERVED
from cm_engine_adapters.storage.joined import SqlJoined
from tests.faults import enrolled, negative, opened
from tests.test_faults import with_options
from tests.test_reviewed import Slow

SOON = 5


class Told(Thread):
    """A thread that records, and what it was told."""

    def __init__(self, engine: Engine, enrollment: str, key: str) -> None:
        super().__init__(daemon=True)
        self._do = partial(negative, engine, enrollment, key)
        self.told: Any = None

    def run(self) -> None:
        try:
            self.told = self._do()
        except BaseException as error:  # noqa: BLE001 - it is what the thread was told
            self.told = error


def driven(url: str) -> str:
    """Return the URL of a database as SQLAlchemy has it."""
    return url.replace("postgresql://", "postgresql+psycopg://")


@contextmanager
def host(url: str) -> Iterator[Connection]:
    """Yield a transaction of a host's that is open."""
    database = create_engine(driven(url))
    with database.connect() as connection, connection.begin():
        yield connection
    database.dispose()


def at_once(engine: Engine, *acts: tuple[str, str]) -> list[Told]:
    """Record acts in threads of their own, which are written together but for the first."""
    threads = [Told(engine, *act) for act in acts]
    for thread in threads:
        thread.start()
    return threads


def ended(threads: Sequence[Thread]) -> list[bool]:
    """Tell of each thread whether it ends soon."""
    until = time.monotonic() + SOON
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return [not thread.is_alive() for thread in threads]


# What a host holds


@pytest.mark.parametrize("held", [("e0", "of the host"), ("f1", "another")], ids=["key", "new fund"])
def test_who_waits_for_a_key_or_a_new_fund_of_a_host_keeps_nobody_else_waiting(
    postgresql_url: str, held: tuple[str, str]
) -> None:
    with opened(postgresql_url) as engine:
        enrolled(engine, *(f"e{number}" for number in range(8)))
        enrolled(engine, "f0", "f1", of="funded")
        with host(postgresql_url) as connection:
            negative(engine.joining(connection), "f0", "of the host")
            before, behind = (
                [(f"e{1 + number % 7}", f"{part}/{number}") for number in range(60)]
                for part in ("before", "behind")
            )
            threads = at_once(engine, *before, held, *behind)
            waits = threads.pop(len(before))
            assert all(ended(threads))
            assert waits.is_alive()
        assert all(ended([waits]))
        assert not [each.told for each in threads if isinstance(each.told, BaseException)]
        assert isinstance(waits.told, KeyConflictError) == (held[1] == "of the host")
        assert engine.verify().is_clean


def test_who_joins_an_asynchronous_session_waits_for_nobody_who_is_not_to_be_waited_for(
    postgresql_url: str,
) -> None:
    def look(session: Session) -> None:
        with SqlJoined(session).writing(lock=True, wait=False) as tx:
            tx.look_up(["e"], [])

    async def joined() -> None:
        database = create_async_engine(driven(postgresql_url))
        async with AsyncSession(database) as session:
            with pytest.raises(StorageConflictError):
                await asyncio.wait_for(session.run_sync(look), SOON)
        await database.dispose()

    with opened(postgresql_url) as engine, host(postgresql_url) as connection:
        enrolled(engine, "e")
        negative(engine.joining(connection), "e", "of the host")
        asyncio.run(joined())


# Interrupts, wherever they come


class InterruptedHere(BaseException):
    """Stand for what a handler of a signal raises."""


CHECKED_AFTER = {"CALL", "CALL_FUNCTION_EX", "JUMP_BACKWARD", "RESUME"}
"""Instructions after which the interpreter looks for signals."""


class Interrupting:
    """Raise an interrupt at one of the points of a queue's code where a signal may be met, counted from one."""

    def __init__(self, point: int) -> None:
        self.left = point

    def __enter__(self) -> None:
        self._former = sys.gettrace()
        sys.settrace(self._entered)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._former)

    def _entered(self, frame: FrameType, *_: object) -> Any:
        if frame.f_code.co_filename != queueing.__file__ or self.left < 1:
            return None
        frame.f_trace_opcodes = True
        last = ""

        def looked(frame: FrameType, event: str, _: object) -> Any:
            nonlocal last
            if event == "opcode":
                self.left -= last in CHECKED_AFTER
                last = "" if self.left < 1 else opname[frame.f_code.co_code[frame.f_lasti]]
                if self.left == 0:
                    self.left = -1
                    raise InterruptedHere
            return looked

        return looked


class Written:
    """A queue on a storage that takes all acts; the one that is held is over when the gate is opened."""

    def __init__(self) -> None:
        self._began, self._gate, self._over = Event(), Event(), Event()
        self._queue = Queue(self._write, patience=0.03)
        self._threads: list[Thread] = []
        self.told: dict[str, object] = {}

    def _write(self, acts: Sequence[Act], *, wait: bool = True) -> list[Done]:
        _ = wait
        if acts[0].key == "held":
            self._began.set()
            assert self._gate.wait(SOON)
        return [cast("Done", f"{act.key} done") for act in acts]

    def take(self, key: str) -> None:
        """Take an act, and note what it led to."""
        try:
            self.told[key] = self._queue.take(Act("e", OBSERVED, "s", key, "n", {}, "{}"))
        except StorageError as error:
            self.told[key] = str(error)

    def start(self, *keys: str) -> None:
        """Have threads of their own take acts."""
        started = [Thread(target=self.take, args=(key,), daemon=True) for key in keys]
        self._threads += started
        for thread in started:
            thread.start()

    def surround(self, *before: str) -> None:
        """Have one act held, and others wait before and behind the one that is interrupted until the gate is opened."""
        self.start("held")
        assert self._began.wait(SOON)
        self.start(*before)
        self._wait_for(len(before))
        Thread(target=self._come, args=(len(before) + 1,), daemon=True).start()

    def _come(self, waiting: int) -> None:
        self._wait_for(waiting)
        self.start("behind", "last")
        self._wait_for(waiting + 2)
        self._gate.set()

    def _wait_for(self, waiting: int) -> None:
        end = time.monotonic() + SOON
        while len(vars(self._queue)["_queue"]) < waiting and not self._over.is_set():
            assert time.monotonic() < end
            time.sleep(0.0005)

    def interrupted_at(self, point: int) -> bool:
        """Take an act that is interrupted at a point; tell whether there is such a point."""
        interrupting = Interrupting(point)
        with suppress(InterruptedHere), interrupting:
            self.take("interrupted")
        self._over.set()
        return interrupting.left < 0

    def end(self) -> None:
        """Find that nobody waits for ever."""
        assert not self._threads or self._gate.wait(SOON)
        self.start("later", "latest")
        assert all(ended(self._threads)), "somebody waits for ever"


@pytest.mark.skipif(
    sys.version_info >= (3, 12),
    reason="since Python 3.12 not every instruction is traced, so it is not known where one is",
)
@pytest.mark.parametrize("others", [None, (), ("before",)], ids=["alone", "before others", "between others"])
def test_wherever_a_thread_is_interrupted_nobody_waits_for_it(others: tuple[str, ...] | None) -> None:
    for point in count(1):
        written = Written()
        if others is not None:
            written.surround(*others)
        was_interrupted = written.interrupted_at(point)
        written.end()
        for key, told in written.told.items():
            assert told == f"{key} done" or (told == INTERRUPTED and key in {"before", "behind", "last"})
        if not was_interrupted:
            break
    assert point > 5


# Errors


class OfMyStorageError(StorageBusyError):
    """An error of a storage of somebody's own, which is made of more than its message."""

    def __init__(self, shard: int, why: str) -> None:
        self.shard = shard
        super().__init__(f"shard {shard}: {why}")


def test_an_error_of_a_storage_of_ones_own_is_told_to_all_as_it_is() -> None:
    slow = Slow(two=OfMyStorageError(7, "its machine is gone"))
    slow.begin("one", "two", "three")
    told = [slow.end()[name] for name in ("one", "two", "three")]
    assert [(type(error), str(error), error.shard) for error in told] == [
        (OfMyStorageError, "shard 7: its machine is gone", 7)
    ] * 3
    assert len(set(map(id, told))) == 3


def test_what_a_database_refuses_of_one_act_is_told_to_nobody_else(postgresql_url: str) -> None:
    with opened(postgresql_url) as engine:
        enrolled(engine, *(f"e{number}" for number in range(4)))
        with psycopg.connect(postgresql_url) as connection:
            connection.execute("ALTER TABLE cm_records ADD CHECK (key NOT LIKE 'odd%')")
        acts = [(f"e{number % 4}", f"{'odd' if number % 20 == 10 else ''}{number}") for number in range(100)]
        threads = at_once(engine, *acts)
        assert all(ended(threads))
        assert [isinstance(each.told, StorageError) for each in threads] == [
            key.startswith("odd") for _, key in acts
        ]
        assert engine.verify().is_clean


def test_a_host_that_ends_statements_after_a_while_ends_none_of_many_that_are_quick_alone(
    postgresql_url: str,
) -> None:
    with opened(with_options(postgresql_url, statement_timeout="1000")) as engine:
        enrolled(engine, *(f"e{number}" for number in range(60)))
        with psycopg.connect(postgresql_url) as connection:
            connection.execute(
                "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$"
            )
            connection.execute(
                "CREATE TRIGGER slowly BEFORE INSERT ON cm_records FOR EACH ROW EXECUTE FUNCTION slowly()"
            )
        threads = at_once(engine, *((f"e{number}", f"{number}") for number in range(60)))
        assert all(ended(threads))
        assert not [each.told for each in threads if isinstance(each.told, BaseException)]


# Names


def test_tables_may_have_a_percent_sign_in_their_names(bare_postgresql_url: str) -> None:
    with opened(bare_postgresql_url, prefix="50%_") as engine:
        enrolled(engine, "e0", "e1")
        threads = at_once(engine, *((f"e{number % 2}", f"{number}") for number in range(20)))
        assert all(ended(threads))
        assert not [each.told for each in threads if isinstance(each.told, Exception)]
        assert engine.verify().is_clean
