"""Whatever is killed, cut, full or held: an act is recorded once as a whole, or not at all, and again on request."""

import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from sqlalchemy import event

from cm_engine.engine import Engine
from cm_engine.errors import (
    CmEngineError,
    StorageBusyError,
    StorageConflictError,
    StorageError,
    StorageFullError,
)
from cm_engine.opening import open_storage
from cm_engine_adapters.storage import sql
from cm_engine_adapters.storage.failures import failure
from cm_engine_adapters.storage.sqlite import SqliteStorage
from tests.faults import (
    LENGTH,
    Child,
    Cut,
    Nursery,
    Proxy,
    act,
    act_enrollment,
    engine_on,
    engine_with_programs,
    enrolled,
    fill,
    hold,
    keys_of,
    negative,
    open_one,
    opened,
    record_on,
    rows_of,
    taken,
    together,
    until_refused,
)

KILLS = {"sqlite": 200, "postgresql": 50}
LONGEST = 0.04
"""A process lives up to so many seconds after its first act."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as started:
        yield started


# A process is killed


class Killing:
    """Kill one process after another that records, and look at what each left."""

    def __init__(self, nursery: Nursery, url: str) -> None:
        self.nursery = nursery
        self.url = url
        self.random = Random(url.partition(":")[0])  # noqa: S311 - the same moments in every run, more or less
        self.acknowledged: dict[int, list[str]] = {}
        self.next = 0
        self.unsure = 0

    def kill_one(self) -> None:
        """Let a process record from the first act that nobody acknowledged, and kill it."""
        child = self.nursery.start(record_on, url=self.url, first=self.next)
        before = self._heard(child)
        time.sleep(self.random.uniform(0.002, LONGEST))
        said = [*before, *child.kill()]
        done = {number: hashes[0] for what, number, *hashes in said if what == "did"}
        tried = {number for what, number, *_ in said if what == "tries"}
        assert list(done) == list(range(self.next, self.next + len(done)))
        self.unsure += bool(tried - set(done))
        self.acknowledged |= done
        self.next += len(done)

    def _heard(self, child: Child) -> list[list[Any]]:
        """Hear the first act; now and then, do not wait even for that."""
        if self.random.random() < 0.1:
            return []
        return [child.hear(), child.hear()]

    def look(self, engine: Engine, since: int) -> None:
        """Find every act that was acknowledged once, and beside them at most the one that was not."""
        for block in {number // LENGTH for number in range(since, self.next + 1)}:
            numbers = range(block * LENGTH, (block + 1) * LENGTH)
            found = [key for each in existing(engine, numbers) for key in keys_of(engine, each)]
            known = [f"{block}/{number % LENGTH}" for number in numbers if number in self.acknowledged]
            beside = f"{block}/{self.next % LENGTH}"
            assert sorted(found) in (sorted(known), sorted([*known, beside]))


def existing(engine: Engine, numbers: range) -> list[str]:
    """Return the enrollments of acts that are there."""
    named = {act_enrollment(number) for number in numbers}
    return sorted(named & {each.id for each in engine.enrollments(limit=10**6)})


def test_a_process_killed_at_any_moment_leaves_every_act_whole_or_absent(
    database_url: str, nursery: Nursery
) -> None:
    killing = Killing(nursery, database_url)
    kills = KILLS[database_url.partition(":")[0].partition("+")[0]]
    with opened(database_url) as engine:
        for number in range(1, kills + 1):
            since = killing.next
            killing.kill_one()
            killing.look(engine, since)
            if number % 20 == 0:
                for each in existing(engine, range(since, killing.next)):
                    assert engine.verify(enrollment=each).is_clean
        assert killing.next > kills
        assert killing.unsure
        again = {number: taken(engine, number) for number in range(killing.next)}
        assert again == killing.acknowledged
        taken(engine, killing.next)
        assert engine.verify().is_clean
    assert_as_if_never_killed(database_url, killing.next)


def assert_as_if_never_killed(url: str, last: int) -> None:
    """Find the same rows, to the last hash, as in a log that nobody disturbed."""
    disturbed, quiet = open_storage(url, {}), open_storage("memory:", {})
    with engine_on(disturbed), engine_with_programs(quiet) as engine:
        for number in range(last + 1):
            taken(engine, number)
        assert rows_of(disturbed) == rows_of(quiet)
