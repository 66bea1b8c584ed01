"""Measure speed beside anchors in one interleaved run; print a table and write bench/results.json."""

import csv
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from bench import frozen
from bench.analysis import analysis_rows
from bench.durable import durable_rows
from cm_engine import (
    Observation,
    Rules,
    State,
    catalogue,
    compile_rules,
    decide,
    initial_state,
    parse_program,
    shelf,
    step,
)
from cm_engine.endpoints import parse_endpoints, read_words
from cm_engine.endpoints.telling import outcomes_of
from cm_engine.rules.settle import transition

ROUNDS = 15
ANCHOR = "frozen dataclasses, by hand (anchor)"
TRIAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "ctnote" / "endpoints.csv"
RESULTS = Path(__file__).with_name("results.json")
VOUCHER = compile_rules(catalogue.program("higgins-1994-voucher"))
CALIFORNIA = compile_rules(catalogue.program("california-recovery-incentives"))


def words(count: int, length: int, seed: int = 1) -> list[str]:
    chance = Random(seed)  # noqa: S311 - the same timelines in every run
    return ["".join(chance.choices("-+oe*", [16, 3, 2, 1, 1], k=length)) for _ in range(count)]


WORDS = words(200, 36)
OBSERVATIONS = [[Observation(symbol) for symbol in word] for word in WORDS]


def run_step(rules: Rules) -> int:
    for observations in OBSERVATIONS:
        state = initial_state(rules)
        for observation in observations:
            state, _ = step(rules, state, observation)
    return 36 * len(OBSERVATIONS)


def run_step_unremembered() -> int:
    transition.cache_clear()
    return run_step(VOUCHER)


def run_sentences() -> int:
    for observations in OBSERVATIONS[:20]:
        state = initial_state(VOUCHER)
        for observation in observations:
            state, decision = step(VOUCHER, state, observation)
            _ = decision.sentence
    return 36 * 20


def run_frozen() -> int:
    for word in WORDS:
        state = frozen.State()
        for symbol in word:
            state, _ = frozen.step(state, symbol)
    return 36 * len(WORDS)


def same_amounts() -> bool:
    """The anchor is an anchor only if it pays the same."""
    for word in WORDS:
        state, paid = frozen.State(), []
        for symbol in word:
            state, decision = frozen.step(state, symbol)
            paid.append(decision.amount)
        if paid != [decision.paid[0].amount for decision in decide(VOUCHER.program, word).decisions]:
            return False
    return True


def per_second(work: Callable[[], int]) -> float:
    began = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - began)


def interleaved(works: dict[str, Callable[[], int]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Run A B A B ..., after one round that does not count."""
    speeds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            speed = per_second(work)
            if number:
                speeds[name].append(speed)
    return speeds


LONG_PLAN = """
program: long
version: "1"
title: Twenty years, twice a week
currency: USD
visits: [{weeks: 1-1040, per_week: 2}]
targets:
  stimulants:
    behavior: abstinence
    schedule:
      - weeks: 1-1040
        escalate: {start: 10.00, step: 1.50, every: 2, ceiling: 26.50}
        reset: {}
        recover: {after: 2, paid: next, level: last earned}
limits: [{amount: 99999.00, per: calendar year, crossing: truncate}]
"""


def by_history(lengths: tuple[int, ...] = (10, 100, 1000, 2000)) -> dict[str, Callable[[], int]]:
    """Decide the same visit again and again, after histories of different lengths."""
    rules = compile_rules(parse_program(LONG_PLAN))
    works: dict[str, Callable[[], int]] = {}
    for length in lengths:
        state = initial_state(rules)
        for symbol in ("-" * 9 + "+") * (length // 10):
            state, _ = step(rules, state, Observation(symbol))
        works[f"after {length} visits"] = partial(repeated, rules, state)
    return works


def repeated(rules: Rules, state: State, times: int = 5000) -> int:
    observation = Observation("-")
    for _ in range(times):
        step(rules, state, observation)
    return times


def import_seconds(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began


def import_ratios(rounds: int = 7) -> list[float]:
    """How long `import cm_engine` takes beside `import pydantic, sqlalchemy`, each in a process of its own."""
    pairs = [
        (import_seconds("import cm_engine"), import_seconds("import pydantic, sqlalchemy"))
        for _ in range(rounds + 1)
    ]
    return [ours / theirs for ours, theirs in pairs[1:]]


def trial_seconds() -> Iterator[tuple[str, float]]:
    if not TRIAL.is_file():
        return
    with TRIAL.open(encoding="utf-8") as file:
        found = [row["use_pattern"] for row in csv.DictReader(file)]
    began = time.perf_counter()
    cents = sum(sum(decide(CALIFORNIA.program, word, truncate=True).sums.values()) for word in found)
    yield f"{len(found)} trial participants, California, {cents / 100:.2f} USD", time.perf_counter() - began


def outcome_seconds(rounds: int = 7) -> Iterator[tuple[str, list[float]]]:
    """How long the published endpoints of a trial take, from the file of their definitions on."""
    if not TRIAL.is_file():
        return
    with TRIAL.open(encoding="utf-8") as file:
        table = [f"{row['who']},{row['use_pattern']}" for row in csv.DictReader(file)]
    words = "\n".join(["participant,results", *table]).encode()
    found = [measured_seconds(words) for _ in range(rounds + 1)][1:]
    yield f"outcomes: {len(table):,} people x 48 endpoints", [read + measure for read, measure in found]
    yield "outcomes: of it, the definitions read", [read for read, _ in found]


def measured_seconds(words: bytes) -> tuple[float, float]:
    """Return how long it takes to read the definitions, and to read all words and measure them."""
    began = time.perf_counter()
    chosen = parse_endpoints(shelf.Offer("cm_engine_schedules", "ctn-0094.yaml", "endpoints").text())
    read = time.perf_counter()
    outcomes_of(chosen, read_words(BytesIO(words)))
    return read - began, time.perf_counter() - read


def ratios(speeds: dict[str, list[float]]) -> Iterator[tuple[str, str, list[float]]]:
    """Yield how fast each work is beside the anchor, round by round."""
    for name in list(speeds)[1:]:
        rounds = zip(speeds[name], speeds[ANCHOR], strict=True)
        yield f"{name} / anchor", "ratio", [ours / theirs for ours, theirs in rounds]


def rows() -> Iterator[tuple[str, str, list[float]]]:
    """Yield what was measured, its unit, and every round of it."""
    speeds = interleaved(
        {
            ANCHOR: run_frozen,
            "step, voucher": lambda: run_step(VOUCHER),
            "step, California with its limit": lambda: run_step(CALIFORNIA),
            "step and sentences, voucher": run_sentences,
        }
    )
    for name, rounds in speeds.items():
        yield name, "decisions/s", rounds
    yield from ratios(speeds)
    unremembered = interleaved(
        {ANCHOR: run_frozen, "step, voucher, nothing remembered": run_step_unremembered}
    )
    yield from ratios(unremembered)
    for name, rounds in interleaved(by_history()).items():
        yield f"step, {name}", "decisions/s", rounds
    yield "import cm_engine / import pydantic, sqlalchemy", "ratio", import_ratios()
    for name, seconds in trial_seconds():
        yield name, "s", [seconds]
    for name, rounds in outcome_seconds():
        yield name, "s", rounds
    yield from analysis_rows()
    yield from durable_rows()


def main() -> None:
    """Measure everything, show it and keep it."""
    if not same_amounts():
        sys.exit("the anchor and step pay different amounts: nothing was measured")
    table = Table(title=f"CPython {platform.python_version()}, {platform.machine()}; rounds in turn")
    for column in ("what", "unit", "median", "min", "max"):
        table.add_column(column, justify="left" if column in {"what", "unit"} else "right")
    results = []
    for name, unit, rounds in rows():
        figures = statistics.median(rounds), min(rounds), max(rounds)
        shown = [f"{figure:,.2f}" if figure < 100 else f"{figure:,.0f}" for figure in figures]
        table.add_row(name, unit, *shown)
        results.append(
            {"what": name, "unit": unit, "median": figures[0], "min": figures[1], "max": figures[2]}
        )
    Console(width=110).print(table)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
