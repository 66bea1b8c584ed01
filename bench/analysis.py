"""Analysis beside hand-written versions of the same voucher schedule: simulation, exact distribution, memory, compiling."""

import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from bench.frozen import AFTER, BONUS, BONUS_EVERY, START, STEP
from cm_engine import catalogue, compile_rules, parse_program
from cm_engine.analysis import distribution, explore, visitwise
from cm_engine.analysis.cohorts.chooser import Stream
from cm_engine.analysis.cohorts.simulate import simulate
from cm_engine.analysis.cohorts.walks import Walk
from cm_engine.errors import TooManyStatesError

PROGRAM = parse_program("""
program: bench-cohort
version: "1"
title: The Higgins voucher, twelve weeks
currency: USD
visits: [{weeks: 1-12, per_week: 3}]
targets:
  cocaine:
    behavior: abstinence
    schedule:
      - weeks: 1-12
        escalate: {start: 2.50, step: 1.25}
        bonus: {every: 3, amount: 10.00}
        reset: {}
        recover: {after: 5, paid: next, level: last earned}
""")
VISITS, PARTICIPANTS, MET = 36, 100_000, 0.8
MILLION = 1_000_000
IN_CACHE = 16_384
ROUNDS = 9

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def by_hand(columns: Iterator[Bools], count: int) -> Ints:
    """Pay columns of results, a visit after the other: every rule of the schedule as one operation of numpy."""
    position, streak, saved, total = (np.zeros(count, dtype=np.int64) for _ in range(4))
    for met in columns:
        run, up = streak + 1, position + 1
        amount = START + STEP * position + BONUS * (run % BONUS_EVERY == 0)
        total += np.where(met, amount, 0)
        back = (run == AFTER) & (saved > up)
        saved = np.where(met, saved, np.maximum(saved, position - 1))
        position = np.where(met, np.where(back, saved, up), 0)
        streak = np.where(met, run, 0)
    return total


def simulated_by_hand(size: int) -> Ints:
    """Simulate the cohort by hand, in blocks of a size."""
    chance, found = default_rng(1), []
    for first in range(0, PARTICIPANTS, size):
        count = min(size, PARTICIPANTS - first)
        found.append(by_hand((chance.random(count) < MET for _ in range(VISITS)), count))
    return np.concatenate(found)


def paid_alike() -> bool:
    """The anchor is an anchor only if it pays the same for the same results."""
    walk, totals, columns = (
        Walk(explore(PROGRAM), visitwise(str(MET))),
        np.zeros(IN_CACHE, dtype=np.int64),
        [],
    )
    for moment in walk.block(Stream(1, 0), IN_CACHE):
        columns.append(moment.chosen == 0)
        for _, amounts in moment.paid:
            totals += amounts
    return np.array_equal(totals, by_hand(iter(columns), IN_CACHE))


Row = NDArray[np.float64]


def distributed_by_hand() -> Row:
    """Return how likely each sum is, by hand and in floats: a row of sums for each state."""
    rows: dict[tuple[int, int, int], Row] = {(0, 0, 0): np.ones(1)}
    for _ in range(VISITS):
        after: dict[tuple[int, int, int], Row] = {}
        for (position, streak, saved), row in rows.items():
            run, up = streak + 1, position + 1
            amount = START + STEP * position + BONUS * (run % BONUS_EVERY == 0)
            back = saved if run == AFTER and saved > up else up
            _pour(after, (back, run, saved), row, MET, amount // STEP)
            _pour(after, (0, 0, max(saved, position - 1)), row, 1 - MET, 0)
        rows = after
    total = np.zeros(max(map(len, rows.values())))
    for row in rows.values():
        total[: len(row)] += row
    return total


def _pour(
    rows: dict[tuple[int, int, int], Row], key: tuple[int, int, int], row: Row, chance: float, shift: int
) -> None:
    have, need = rows.get(key), shift + len(row)
    if have is None or len(have) < need:
        grown = np.zeros(need)
        if have is not None:
            grown[: len(have)] = have
        have = rows[key] = grown
    have[shift:need] += chance * row


def in_turn(works: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return the seconds of each work, A B A B ..., after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(ROUNDS + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def ratios(seconds: dict[str, list[float]], ours: str, theirs: str) -> list[float]:
    """Return how many times faster ours is, round by round."""
    return [other / own for own, other in zip(seconds[ours], seconds[theirs], strict=True)]


OURS, ANCHOR, WHOLE = "ours", "by hand", "by hand, all at once"


def simulation_rows() -> Iterator[tuple[str, str, list[float]]]:
    behavior, events = visitwise(str(MET)), PARTICIPANTS * VISITS / 1e6
    seconds = in_turn(
        {
            ANCHOR: lambda: simulated_by_hand(IN_CACHE),
            WHOLE: lambda: simulated_by_hand(PARTICIPANTS),
            OURS: lambda: simulate(PROGRAM, behavior, participants=PARTICIPANTS),
        }
    )
    names = {
        ANCHOR: "cohort of 100,000 x 36, numpy by hand in blocks that fit the cache (anchor)",
        WHOLE: "cohort of 100,000 x 36, numpy by hand, all participants at once",
        OURS: "cohort of 100,000 x 36, simulate",
    }
    for name, rounds in seconds.items():
        yield names[name], "million events/s", [events / each for each in rounds]
    yield "cohort simulation / numpy by hand in blocks", "ratio", ratios(seconds, OURS, ANCHOR)
    yield "cohort simulation / numpy by hand, all at once", "ratio", ratios(seconds, OURS, WHOLE)


def memory_rows() -> Iterator[tuple[str, str, list[float]]]:
    behavior = visitwise(str(MET))
    simulate(PROGRAM, behavior, participants=1)
    tracemalloc.start()
    [sample] = simulate(PROGRAM, behavior, participants=MILLION).samples
    sample.quantile(0.9)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    yield "memory: simulation of a million / its result", "ratio", [most / sample.totals.nbytes]


def distribution_rows() -> Iterator[tuple[str, str, list[float]]]:
    behavior, explored = visitwise(str(MET)), explore(PROGRAM)
    [unit] = explored.units
    seconds = in_turn(
        {
            ANCHOR: distributed_by_hand,
            OURS: lambda: distribution(explored, behavior, unit),
            WHOLE: lambda: distribution(explore(PROGRAM), behavior, unit),
        }
    )
    names = {
        ANCHOR: "distribution, 36 visits, floats by hand (anchor)",
        OURS: "distribution, 36 visits, explored",
        WHOLE: "distribution, 36 visits, with exploring",
    }
    for name, rounds in seconds.items():
        yield names[name], "ms", [1000 * each for each in rounds]
    yield "distribution, explored / by hand", "ratio", ratios(seconds, OURS, ANCHOR)


def milliseconds(work: Callable[[], object], times: int = 5) -> float:
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - began))
    return statistics.median(found)


def compile_rows() -> Iterator[tuple[str, str, list[float]]]:
    programs = [catalogue.program(each) for each in catalogue.program_ids()]
    compiled = [milliseconds(lambda each=each: compile_rules.__wrapped__(each)) for each in programs]  # type: ignore[misc]
    yield f"compile, each of {len(programs)} catalogue programs", "ms", compiled
    explored = []
    for each in programs:
        try:
            explored.append(milliseconds(lambda each=each: explore(each), 1))  # type: ignore[misc]
        except TooManyStatesError:
            continue
    yield f"explore, each of the {len(explored)} that can be", "ms", explored


def analysis_rows() -> Iterator[tuple[str, str, list[float]]]:
    """Yield what was measured, its unit, and every round of it."""
    assert paid_alike(), "the anchor and the table pay different amounts: nothing was measured"
    yield from simulation_rows()
    yield from memory_rows()
    yield from distribution_rows()
    yield from compile_rows()
