"""Processes that record until they are killed, a line to PostgreSQL that can be cut, and what tests of both share.

All acts come from a plan: what act a number stands for never changes, so that whoever reports it again reports the same.
Acts are recorded at one fixed time, so that a log that was interrupted a hundred times is to be the same, to the last
hash, as one that never was.
"""

import gc
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing, suppress
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Any, NamedTuple, Self

from cm_engine import Program, parse_program
from cm_engine.acts.recorded import Recorded
from cm_engine.engine import Engine
from cm_engine.errors import CmEngineError
from cm_engine.opening import open_storage
from cm_engine.ports import Storage
from cm_engine_adapters.storage import schema

ROOT = Path(__file__).resolve().parents[1]
ZONE = "America/Los_Angeles"
SECRET = bytes(range(32))
NOW = datetime(2027, 1, 1, tzinfo=UTC)
START = date(2026, 1, 5)
SOURCE = "plan"

assert schema  # so that a process that was forked has imported what opening a database takes

Say = Callable[..., None]
Call = tuple[str, dict[str, Any]]


# Programs, and the engine


def program(name: str, rest: str, *, unit: str = "") -> Program:
    """One target over twenty weeks, ten times a week, unless the rest says otherwise."""
    climb = f"{unit}escalate: {{start: 1, step: 1, ceiling: 6}}, reset: {{}}, recover: {{after: 2, paid: next, level: last earned}}"
    return parse_program(
        f'program: {name}\nversion: "1"\ntitle: {name}\ncurrency: USD\n'
        "visits: [{weeks: 1-20, per_week: 10}]\n"
        f"targets: {{abstinence: {{behavior: abstinence, schedule: [{{weeks: 1-20, {climb}}}]}}}}\n{rest}",
        name=name,
    )


BOWL = "bowls: {draw: {slips: {none: {count: 60, value: 0}, small: {count: 50, value: 1}, large: {count: 9, value: 20}}, replace: false}}"
PROGRAMS = {
    each.program: each
    for each in (
        program("climbing", "payout: {when: at once, overpaid: offset}"),
        program("sharing", "limits: [{amount: 40, per: calendar year, payer: county, crossing: truncate}]"),
        program("funded", "limits: [{amount: 60, per: calendar year, fund: grant, crossing: truncate}]"),
        program("drawing", BOWL, unit="unit: draw, "),
    )
}


def fixed() -> datetime:
    """Return the time at which all acts are recorded."""
    return NOW


def engine_on(storage: Storage) -> Engine:
    """Return an engine with the zone, the secret and the clock of all of them."""
    return Engine(storage=storage, zone=ZONE, secret=SECRET, clock=fixed)


def opened(url: str, **options: Any) -> Engine:
    """Open an engine whose programs are registered."""
    return engine_with_programs(open_storage(url, options))


def engine_with_programs(storage: Storage) -> Engine:
    """Return an engine whose programs are registered."""
    engine = engine_on(storage)
    for each in PROGRAMS.values():
        engine.add_program(each)
    return engine


def enrolled(engine: Engine, *ids: str, of: str = "climbing", participant: str = "p-1") -> None:
    """Enroll a participant under ids."""
    for each in ids:
        engine.enroll(
            participant=participant, program=of, start=START, by="nurse", id=each, key=each, again=True
        )


def negative(engine: Engine, enrollment: str, key: str, *, day: int = 0) -> Recorded:
    """Record a negative test."""
    on = START + timedelta(day)
    return engine.record(enrollment=enrollment, result="-", on=on, source=SOURCE, key=key, by="nurse")


def keys_of(engine: Engine, enrollment: str) -> list[str]:
    """Return the keys of all acts on an enrollment, the one that enrolled first."""
    return [act.key for act in engine.history(enrollment=enrollment)]


Rows = Mapping[str, object]


def rows_of(storage: Storage) -> Rows:
    """Return all rows of a log."""
    with storage.reading() as tx:
        of = {
            row.id: (
                row,
                tx.records(row.id),
                tx.decisions(row.id),
                tx.entries(row.id),
                tx.payouts(row.id),
                tx.standing(row.id),
            )
            for row in tx.enrollments(limit=10**6)
        }
        return {"enrollments": of, "pools": tx.pools(), "programs": tx.programs(), "counts": tx.counts()}


# The plan of acts


LENGTH = 40
"""So many acts are on the four enrollments of a block, before the next four are enrolled."""
ENROLLMENTS = ("climbing", "sharing", "sharing", "drawing")


def act(number: int) -> Call:
    """Return what an act calls, by its number."""
    return _block(number // LENGTH)[number % LENGTH]


def act_enrollment(number: int) -> str:
    """Return the enrollment that an act is on."""
    _, given = act(number)
    return str(given.get("enrollment") or given["id"])


def taken(engine: Engine, number: int) -> list[str]:
    """Take an act of the plan; return the hashes of its decisions."""
    name, given = act(number)
    done = getattr(engine, name)(**given)
    return [each.row.hash for each in done.decisions] if isinstance(done, Recorded) else []


@lru_cache(maxsize=8)
def _block(block: int) -> list[Call]:
    random = Random(block)  # noqa: S311 - the same acts in every run
    plots = [_Plot(f"e-{block}-{place}") for place in range(len(ENROLLMENTS))]
    calls = [plot.enroll(name, f"p-{block}") for plot, name in zip(plots, ENROLLMENTS, strict=True)]
    while len(calls) < LENGTH:
        calls.append(random.choice(plots).next(random))
    return [
        (name, {**given, "source": SOURCE, "key": f"{block}/{place}"})
        for place, (name, given) in enumerate(calls)
    ]


class _Plot:
    """What happens to one enrollment, made up as it goes."""

    def __init__(self, enrollment: str) -> None:
        self.enrollment = enrollment
        self.acts = 1
        self.day = 0
        self.stand: list[int] = []

    def enroll(self, name: str, participant: str) -> Call:
        return "enroll", {
            "id": self.enrollment,
            "participant": participant,
            "program": name,
            "start": START,
            "by": "clerk",
            "again": True,
        }

    def next(self, random: Random) -> Call:
        kind = random.choice(["amend", "void", "late", *["record"] * 9]) if self.stand else "record"
        given: dict[str, Any] = {"enrollment": self.enrollment, "by": random.choice(["nurse", "lab"])}
        if kind in {"amend", "void"}:
            given |= {"record": random.choice(self.stand), "why": "mistaken"}
        if kind == "void":
            self.stand.remove(given["record"])
        else:
            given["result"] = random.choice("-----+o")
        if kind in {"late", "record"}:
            self.day += kind == "record"
            day = random.randrange(self.day) if kind == "late" else self.day
            given["on"] = START + timedelta(day)
            self.stand.append(self.acts)
        self.acts += 1
        return kind if kind != "late" else "record", given


# What processes do


def record_on(say: Say, url: str, first: int) -> None:
    """Take the acts of the plan from one on, for ever; say which is tried, and which is done."""
    with engine_on(open_storage(url, {})) as engine:
        for number in count(first):
            say("tries", number)
            say("did", number, taken(engine, number))


def open_one(say: Say, url: str, prefix: str) -> None:
    """Open a database that may have no tables yet."""
    say("tries", 0)
    with opened(url, prefix=prefix):
        say("did", 0)


def hammer(say: Say, url: str, acts: list[tuple[str, str, int]], at: float) -> None:
    """Report acts, from a moment on; say what each key was told."""
    with opened(url) as engine:
        time.sleep(max(0.0, at - time.monotonic()))
        for enrollment, key, day in acts:
            done = negative(engine, enrollment, key, day=day)
            say(key, done.enrollment, done.record, [each.row.hash for each in done.decisions])


def hold(say: Say, path: str) -> None:
    """Hold a file of SQLite as the one who writes, until killed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        say("holds")
        signal.pause()


def fill(say: Say, url: str, room: int) -> None:
    """Record until no file may grow any more; say what stood in the way; then record the same with room again."""
    path = Path(url.removeprefix("sqlite:///"))
    with opened(url) as engine:
        size = max(path.stat().st_size, path.with_name(f"{path.name}-wal").stat().st_size)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
        number, refused = until_refused(engine)
        say("refused", number, type(refused).__name__, str(refused))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        say("did", number, taken(engine, number))


def until_refused(engine: Engine, first: int = 0) -> tuple[int, CmEngineError]:
    """Take acts of the plan until one is refused; return its number and why."""
    for number in count(first):
        try:
            taken(engine, number)
        except CmEngineError as error:
            return number, error
    raise AssertionError


WORK: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (record_on, open_one, hammer, hold, fill)
}


# Processes


class Child:
    """A process that does some work, and says what it did; its lines are whole, or not there."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self._pipe = os.fdopen(pipe, "rb")

    def hear(self) -> list[Any]:
        """Return what it says next, nothing once it has ended."""
        line = self._pipe.readline()
        said: list[Any] = json.loads(line) if line else []
        assert said[:1] != ["error"], said
        return said

    def rest(self) -> list[list[Any]]:
        """Return all that it says until it ends."""
        found = []
        while said := self.hear():
            found.append(said)
        self._pipe.close()
        return found

    def kill(self) -> list[list[Any]]:
        """Kill it as nothing can be stopped from being killed; return what else it had said."""
        os.kill(self.pid, signal.SIGKILL)
        return self.rest()


class Nursery:
    """A process that has imported everything and forks others: they begin in no time, and have nothing open."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-W", "error", "-m", "tests.faults", str(number)]
            self._process = subprocess.Popen(command, pass_fds=[number], cwd=ROOT)

    def start(self, work: Callable[..., None], **given: Any) -> Child:
        """Start a process; its number stays its own until the next one is started."""
        reading, writing = os.pipe()
        socket.send_fds(self._line, [json.dumps([work.__name__, given]).encode()], [writing])
        os.close(writing)
        return Child(int(self._line.recv(32)), reading)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()
        assert self._process.wait(timeout=30) == 0


def warm() -> None:
    """Do once what processes would each do anew, and close what was opened."""
    with TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/warm.db") as engine:
        taken(engine, 0)
    gc.collect()
    gc.freeze()


def serve(line: socket.socket) -> None:
    """Fork a process for each request."""
    while True:
        request, (pipe, *_), _, _ = (
            socket.recv_fds(line, 1 << 16, 1) if _waits(line) else (b"", [-1], 0, None)
        )
        _reap()
        if not request:
            return
        pid = os.fork()
        if not pid:
            line.close()
            _do(request, pipe)
        os.close(pipe)
        line.send(str(pid).encode())


def _waits(line: socket.socket) -> bool:
    """Wait for a request; tell whether there is one."""
    return bool(line.recv(1, socket.MSG_PEEK))


def _reap() -> None:
    """Have done with the processes that ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _do(request: bytes, pipe: int) -> None:
    """Do what is asked for, and end."""

    def say(*what: object) -> None:
        os.write(pipe, json.dumps(what).encode() + b"\n")

    try:
        name, given = json.loads(request)
        WORK[name](say, **given)
    except BaseException as error:  # noqa: BLE001 - whatever it was, a test is told
        say("error", repr(error)[:2000])
    finally:
        os._exit(0)


# A line that can be cut


class Cut(NamedTuple):
    """Where a line is cut: after so many bytes on the way to the server, or back; or before the answer to a text."""

    to_server: int = -1
    to_client: int = -1
    answer_to: bytes = b""


class Proxy:
    """Stand between an engine and a server of PostgreSQL, and cut the line where a test says, once."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._lock = Lock()
        self._cut = Cut()
        self._passed = {"to_server": 0, "to_client": 0}
        self._lines = ExitStack()
        self.cuts = 0
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """Return where it listens."""
        return int(self._listening.getsockname()[1])

    def arm(self, cut: Cut) -> None:
        """Count from here on, and cut there."""
        with self._lock:
            self._cut = cut
            self._passed = dict.fromkeys(self._passed, 0)

    def passed(self) -> tuple[int, int]:
        """Return how many bytes have passed to the server, and back, since it was armed."""
        return self._passed["to_server"], self._passed["to_client"]

    def close(self) -> None:
        """Cut all lines."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._threads[0].join()
        with self._lock:
            self._lines.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                line = _Line(client, server)
                self._lines.callback(line.cut)
                for way in ("to_server", "to_client"):
                    thread = Thread(target=self._pump, args=(line, way), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, line: "_Line", way: str) -> None:
        source, sink = (line.client, line.server) if way == "to_server" else (line.server, line.client)
        with suppress(OSError):
            while data := source.recv(1 << 16):
                passing, is_cut = self._through(line, way, data)
                sink.sendall(passing)
                if is_cut:
                    break
        line.cut()

    def _through(self, line: "_Line", way: str, data: bytes) -> tuple[bytes, bool]:
        """Return what of some bytes passes, and whether the line is cut after it."""
        with self._lock:
            if line.mute and way == "to_client":
                self._cut, self.cuts = Cut(), self.cuts + 1
                return b"", True
            if way == "to_server" and self._cut.answer_to and self._cut.answer_to in data:
                line.mute = True
            after = self._cut.to_server if way == "to_server" else self._cut.to_client
            left = after - self._passed[way]
            self._passed[way] += len(data)
            if after < 0 or left > len(data):
                return data, False
            self._cut, self.cuts = Cut(), self.cuts + 1
            return data[:left], True


class _Line:
    """One connection, and the one that carries it on."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.mute = False

    def cut(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def together(work: Iterable[Callable[[], None]]) -> None:
    """Do work in a thread each, and raise what went wrong in one of them."""
    wrong: list[BaseException] = []

    def tried(each: Callable[[], None]) -> None:
        try:
            each()
        except BaseException as error:  # noqa: BLE001 - raised below
            wrong.append(error)

    threads = [Thread(target=tried, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        warm()
        serve(requests)
