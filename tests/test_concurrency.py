"""Many writers at once, in one process and in many: nothing is lost, nothing is decided twice, no limit is passed."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine

from cm_engine import Report, ResultsError
from cm_engine.acts.recorded import Recorded
from cm_engine.engine import Engine
from cm_engine.errors import CmEngineError, EnrollmentNotFoundError, KeyConflictError
from cm_engine.opening import open_storage
from tests.faults import (
    SOURCE,
    START,
    Nursery,
    engine_with_programs,
    enrolled,
    hammer,
    keys_of,
    negative,
    opened,
    together,
)

Reports = list[tuple[str, str, int]]
"""Acts: an enrollment, a key, and how many days after the start."""
Told = Mapping[str, list[Any]]
"""What a process was told, by key: the enrollment, the number of the act, and the hashes of its decisions."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as started:
        yield started


def at_once(nursery: Nursery, url: str, shares: Sequence[Reports]) -> list[Told]:
    """Have processes report their shares, all from the same moment on; return what each was told."""
    at = time.monotonic() + 0.6
    children = [nursery.start(hammer, url=url, acts=share, at=at) for share in shares]
    return [{key: told for key, *told in child.rest()} for child in children]


def agreed(told: Sequence[Told]) -> dict[str, list[Any]]:
    """Return what all were told; two that reported the same were told the same."""
    found: dict[str, list[Any]] = {}
    for each in told:
        for key, answer in each.items():
            assert found.setdefault(key, answer) == answer
    return found


def assert_as_told(engine: Engine, told: Mapping[str, list[Any]]) -> None:
    """Find in the log what processes were told, each act once, and numbers without a gap."""
    found: dict[str, list[Any]] = {}
    for enrollment in engine.enrollments():
        history = engine.history(enrollment=enrollment.id)
        decisions = [decision for act in history for decision in act.decisions]
        assert [act.record for act in history] == list(range(len(history)))
        assert [decision.number for decision in decisions] == list(range(1, len(decisions) + 1))
        for act in history[1:]:
            assert act.key not in found
            found[act.key] = [act.enrollment, act.record, [each.row.hash for each in act.decisions]]
    assert found == told
    assert engine.verify().is_clean


def test_eight_processes_on_one_enrollment_decide_every_observation_once(
    database_url: str, nursery: Nursery
) -> None:
    with opened(database_url) as engine:
        enrolled(engine, "e")
        shares = [
            [("e", f"k{key}", key % 9) for key in range(start, start + 25)] for start in range(0, 120, 15)
        ]
        told = at_once(nursery, database_url, shares)
        assert [len(each) for each in told] == [25] * 8
        assert len(agreed(told)) == 130
        assert_as_told(engine, agreed(told))


def test_eight_processes_on_many_enrollments_decide_every_observation_once(
    database_url: str, nursery: Nursery
) -> None:
    with opened(database_url) as engine:
        enrolled(engine, *(f"e{number}" for number in range(20)))
        shares = [
            [(f"e{key * 7 % 20}", f"k{key}", key % 5) for key in range(start, start + 25)]
            for start in range(0, 120, 15)
        ]
        told = at_once(nursery, database_url, shares)
        assert len(agreed(told)) == 130
        assert_as_told(engine, agreed(told))


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty storage, of each kind in turn."""
    kinds = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'clinic.db'}"}
    return kinds.get(request.param) or str(request.getfixturevalue("postgresql_url"))


@pytest.mark.parametrize("threads", [8, 32])
def test_many_threads_on_one_engine_decide_every_observation_once(any_url: str, threads: int) -> None:
    told: list[dict[str, list[Any]]] = [{} for _ in range(threads)]

    def report(thread: int) -> None:
        for key in range(thread * 5, thread * 5 + 8):
            told[thread][f"k{key}"] = answer(negative(engine, f"e{key % 3}", f"k{key}", day=key % 4))

    with opened(any_url) as engine:
        enrolled(engine, "e0", "e1", "e2")
        together(partial(report, thread) for thread in range(threads))
        assert len(agreed(told)) == 5 * threads + 3
        assert_as_told(engine, agreed(told))


def answer(done: Recorded) -> list[Any]:
    """Return what an act was told, as processes say it."""
    return [done.enrollment, done.record, [each.row.hash for each in done.decisions]]


def test_acts_that_are_refused_among_many_that_wait_together_are_refused_alone(any_url: str) -> None:
    storage = open_storage(any_url, {})
    told: dict[str, list[Any]] = {}
    refused: dict[str, type[CmEngineError]] = {}

    def report(key: str, enrollment: str, **given: Any) -> None:
        try:
            done = engine.record(enrollment=enrollment, on=START, source=SOURCE, key=key, by="nurse", **given)
            told[key] = answer(done)
        except CmEngineError as error:
            refused[key] = type(error)

    with engine_with_programs(storage) as engine:
        enrolled(engine, "e", "f")
        told["old"] = answer(negative(engine, "e", "old"))
        good = [partial(report, f"k{number}", "ef"[number % 2], result="-") for number in range(20)]
        good.insert(3, partial(report, "old", "e", result="+"))
        good.insert(8, partial(report, "stranger", "nobody", result="-"))
        good.insert(15, partial(report, "odd", "e", event="an event of another program"))
        threads = [Thread(target=each) for each in good]
        with storage.writing():
            for thread in threads:
                thread.start()
            time.sleep(0.2)
        for thread in threads:
            thread.join()
        assert refused == {"old": KeyConflictError, "stranger": EnrollmentNotFoundError, "odd": ResultsError}
        assert_as_told(engine, told)


def test_who_waits_for_a_transaction_of_a_host_keeps_nobody_else_waiting(postgresql_url: str) -> None:
    told: dict[str, list[Any]] = {}

    def report(enrollment: str, key: str) -> None:
        told[key] = answer(negative(engine, enrollment, key))

    with opened(postgresql_url) as engine:
        ids = [f"e{number}" for number in range(8)]
        enrolled(engine, *ids)
        database = create_engine(postgresql_url.replace("postgresql://", "postgresql+psycopg://"))
        with database.connect() as host, host.begin():
            told["host"] = answer(negative(engine.joining(host), "e0", "host"))
            held = Thread(target=report, args=("e0", "held"))
            held.start()
            for number in range(10):
                together(partial(report, each, f"{number}/{each}") for each in ids[1:])
            assert held.is_alive()
            assert len(told) == 71
        held.join()
        database.dispose()
        assert_as_told(engine, told)


def test_one_key_with_two_contents_at_once_is_recorded_once_and_refused_once(any_url: str) -> None:
    storage = open_storage(any_url, {})
    outcomes: list[str] = []

    def report(key: str, result: str) -> None:
        try:
            negative_or(result, key)
            outcomes.append(f"{key} recorded")
        except KeyConflictError:
            outcomes.append(f"{key} refused")

    def negative_or(result: str, key: str) -> None:
        engine.record(enrollment="e", on=START, source=SOURCE, key=key, by="nurse", result=result)

    with engine_with_programs(storage) as engine:
        enrolled(engine, "e")
        together(partial(report, f"k{number}", result) for number in range(8) for result in "-+")
        expected = {f"k{number} {what}": 1 for number in range(8) for what in ("recorded", "refused")}
        assert Counter(outcomes) == expected
        assert sorted(keys_of(engine, "e")) == ["e", *sorted({each.split()[0] for each in outcomes})]
        assert engine.verify().is_clean


LIMITS = {"sharing": Decimal(40), "funded": Decimal(60)}


@pytest.mark.parametrize("late", [False, True], ids=["in order", "late"])
@pytest.mark.parametrize("program", LIMITS)
def test_a_limit_that_enrollments_share_is_never_passed_whoever_records_at_once(
    database_url: str, nursery: Nursery, program: str, *, late: bool
) -> None:
    with opened(database_url) as engine:
        enrolled(engine, "a", "b", of=program)
        enrolled(engine, "c", "d", of=program, participant="p-1" if program == "sharing" else "p-2")
        shares = [
            [("abcd"[(key + worker) % 4], f"{worker}/{key}", (key * 7 % 5) * late) for key in range(20)]
            for worker in range(4)
        ]
        told = agreed(at_once(nursery, database_url, shares))
        assert_as_told(engine, told)
        awarded = [engine.balance(enrollment=each)["USD"].awarded for each in "abcd"]
        assert sum(awarded) <= LIMITS[program]
        assert late or sum(awarded) == LIMITS[program]


def deadlocks(url: str) -> int:
    """Return how often the server had to break a circle of those who waited for one another in a database."""
    asked = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    with psycopg.connect(url) as connection:
        [found] = connection.execute(asked).fetchall()
    return int(found[0])


def in_batches(engines: Sequence[Engine], batches: Mapping[int, Sequence[Sequence[str]]]) -> None:
    """Have threads record batches at once, each thread on one of the engines."""

    def work(thread: int, engine: Engine) -> None:
        for number, some in enumerate(batches[thread]):
            on = START + timedelta(number)
            engine.record_many(
                [Report(each, SOURCE, f"{thread}/{number}/{each}", "nurse", "-", on=on) for each in some]
            )

    together(partial(work, thread, engines[thread % len(engines)]) for thread in batches)


def test_batches_on_the_same_enrollments_lock_them_in_one_order(postgresql_url: str) -> None:
    ids, chance = [f"e-{number}" for number in range(8)], Random(1)  # noqa: S311 - the same batches in every run
    with opened(postgresql_url) as one, opened(postgresql_url) as other:
        chance.shuffle(ids)
        enrolled(one, *ids)
        in_batches([one, other], {thread: [chance.sample(ids, 4) for _ in range(25)] for thread in range(4)})
        assert one.verify().is_clean
    assert deadlocks(postgresql_url) == 0


def test_batches_on_the_same_pools_lock_them_in_one_order(postgresql_url: str) -> None:
    with opened(postgresql_url) as one, opened(postgresql_url) as other:
        pairs = {}
        for thread in range(4):
            enrolled(one, f"s-{thread}", of="sharing")
            enrolled(one, f"f-{thread}", of="funded")
            pair = [f"s-{thread}", f"f-{thread}"]
            pairs[thread] = [pair[:: (-1) ** thread]] * 25
        in_batches([one, other], pairs)
        assert one.verify().is_clean
    assert deadlocks(postgresql_url) == 0


def test_what_is_refused_of_one_act_has_no_number_among_others(any_url: str) -> None:
    with opened(any_url) as engine:
        enrolled(engine, "e")
        with pytest.raises(EnrollmentNotFoundError) as alone:
            negative(engine, "nobody", "k-1")
        with pytest.raises(EnrollmentNotFoundError) as among:
            engine.record_many(
                [Report(each, SOURCE, each, "nurse", "-", on=START) for each in ("e", "nobody")]
            )
    assert (alone.value.report, among.value.report) == (None, 1)
