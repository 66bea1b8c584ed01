"""A cohort simulated is what `step` decides, whoever runs it; what it costs over time, and what others would have earned."""

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from cm_engine import catalogue, parse_program
from cm_engine.analysis import (
    Behavior,
    distribution,
    dropping_out,
    explore,
    markov,
    moments,
    visitwise,
)
from cm_engine.analysis.actions import Slot
from cm_engine.analysis.cohorts.chooser import Chooser, Stream, bounds_of
from cm_engine.analysis.cohorts.executors import dask, processes
from cm_engine.analysis.cohorts.simulate import Simulation, simulate
from cm_engine.analysis.cohorts.turns import Entry
from cm_engine.analysis.cohorts.walks import Moment, Walk
from cm_engine.analysis.explored import Explored
from cm_engine.errors import MissingDependencyError, ReportError
from cm_engine.program import Program
from cm_engine.program.prizes import Slip
from cm_engine.program.units import Unit
from cm_engine.rules import Rules, State, initial_state, step
from cm_engine.rules.essence import essence
from cm_engine.rules.prizes import Bowls, award_prizes, full_bowl
from cm_engine.rules.state import Decision

OTHERWISE = {"+": "0.5", "o": "0.2", "e": "0.1", "*": "0.1", "r": "0.05", "_": "0.05"}
ALL_SEEN = dropping_out(markov("0.25", "0.4", otherwise=OTHERWISE), "0.01")
LARGE = "template-integrated-care"
VOUCHER, CALIFORNIA, PRIZES = (
    "silverman-1996-voucher",
    "california-recovery-incentives",
    "template-counselling-attendance",
)


ALL_AT_ONCE = parse_program("""
program: all-at-once
version: "1"
title: Two targets on one day, one retested, draws, a bonus, and limits of the day, of ten days and of the year
currency: USD
visits: [{weeks: 1-5, per_week: 2}]
targets:
  stimulants:
    behavior: abstinence
    retest: {on: [invalid], at_most: 2}
    schedule:
      - weeks: 1-5
        escalate: {start: 2.00, step: 1.50}
        reset: {}
        recover: {after: 2, paid: next, level: last earned}
  sessions:
    behavior: attendance
    schedule:
      - weeks: 1-5
        unit: draw
        escalate: {start: 1, step: 1, ceiling: 3}
        reset: {}
bowls:
  draw:
    slips:
      small: {count: 4, value: 1.00}
      large: {count: 1, value: 5.00}
limits:
  - {amount: 9.00, per: day, crossing: truncate}
  - {amount: 25.00, per: rolling days, days: 10, crossing: withhold}
  - {amount: 55.00, per: calendar year, crossing: stop}
""")


def certain(program: Program) -> Program:
    """Return a program whose bowls have slips of one kind, so that it is sure what draws win."""
    slips = {"only": Slip(count=1, value=Decimal(3))}
    bowls = {
        unit: bowl.model_copy(update={"slips": slips, "odds": {}}) for unit, bowl in program.bowls.items()
    }
    return program.model_copy(update={"bowls": bowls})


class Folding:
    """Decides what a simulation says was seen, by `step` alone."""

    def __init__(self, explored: Explored) -> None:
        self.rules: Rules = explored.rules
        self.start = initial_state(self.rules, explored.start)
        self.bowls = Bowls(
            {name: full_bowl(self.rules.program, name) for name in self.rules.program.bowls}, b""
        )

    def after(self, state: State, slot: Slot, entry: Entry) -> tuple[State, dict[str, int]]:
        """Return the state after what was seen, and what was paid by unit, prizes with it."""
        name = "" if slot.event else self.rules.targets[slot.target].name
        observation = entry.action.observation(name, slot.event)
        if observation is None:
            return state, {}
        state, decision = step(self.rules, state, observation, foretell=False)
        return self._with_prizes(state, decision)

    def _with_prizes(self, state: State, decision: Decision) -> tuple[State, dict[str, int]]:
        paid = Counter[str]()
        for unit, amount in decision.paid:
            paid[unit.name] += amount
        if any(paid[name] for name in self.bowls.slips):
            state, _, prizes = award_prizes(self.rules, state, decision, self.bowls, "any")
            paid[prizes.paid.unit.name] += prizes.paid.amount
        return state, {name: amount for name, amount in paid.items() if amount}


def paid_rows(moment: Moment, units: tuple[Unit, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    rows = np.zeros((len(units), len(moment.chosen)), dtype=np.int64)
    for unit, amounts in moment.paid:
        rows[unit] += amounts
    return rows


def timelines(
    walk: Walk, moments_: list[Moment], count: int
) -> Iterator[list[tuple[Slot, Entry, dict[str, int]]]]:
    """Yield what each participant of a block was seen to do and paid, in the order of the plan."""
    found: list[list[tuple[Slot, int, Entry, dict[str, int]]]] = [[] for _ in range(count)]
    for number, moment in enumerate(moments_):
        rows = paid_rows(moment, walk.units)
        everyone = range(count) if moment.who is None else moment.who.tolist()
        for place, who in enumerate(everyone):
            paid = {
                unit.name: int(row[place]) for unit, row in zip(walk.units, rows, strict=True) if row[place]
            }
            found[who].append((moment.slot, number, moment.entries.values[moment.chosen[place]], paid))
    for one in found:
        yield [(slot, entry, paid) for slot, _, entry, paid in sorted(one, key=lambda each: each[:2])]


def compared(program: Program, behavior: Behavior, start: date | None = None) -> None:
    """Walk some participants, fold what they were seen to do with `step`, and compare every award."""
    explored = explore(certain(program), start=start)
    walk, folding = Walk(explored, behavior), Folding(explored)
    slots = sum(len(automaton.slots) for automaton in explored.automata)
    count = max(1, min(100, 1500 // slots))
    for one in timelines(walk, list(walk.block(Stream(7, 0), count)), count):
        state = folding.start
        for slot, entry, paid in one:
            state, decided = folding.after(state, slot, entry)
            assert paid == decided, (slot, entry)


@pytest.mark.parametrize("name", catalogue.program_ids())
def test_every_award_of_a_simulated_timeline_is_what_step_decides(name: str) -> None:
    compared(catalogue.program(name), ALL_SEEN)


@pytest.mark.parametrize("behavior", [ALL_SEEN, visitwise("0.9"), visitwise("0.9", otherwise={"*": 1})])
def test_so_is_every_award_that_limits_retests_and_prizes_change(behavior: Behavior) -> None:
    compared(ALL_AT_ONCE, behavior, date(2026, 12, 7))
    compared(catalogue.program(PRIZES), behavior)
    compared(catalogue.program(CALIFORNIA), behavior, date(2026, 10, 1))


@pytest.mark.parametrize(
    "name",
    [
        VOUCHER,
        CALIFORNIA,
        PRIZES,
        "barnett-2017-alcohol",
        "higgins-1994-voucher",
        "honor-prize",
        "lamb-2010-percentile",
        "miedar-prize",
        "preston-2001-shaping",
        "romanowich-2015-escalating",
        "roll-1996-progressive",
        "template-daily-self-report",
        "therapeutic-workplace",
        "va-prize",
    ],
)
def test_of_millions_of_events_each_kind_is_decided_by_step_and_all_are_paid_so(name: str) -> None:
    """Participants who stand alike and do alike are decided once; the awards of every one of them are compared."""
    explored = explore(certain(catalogue.program(name)))
    walk, folding, events = Walk(explored, ALL_SEEN), Folding(explored), 0
    count, known = 8_192, {essence(folding.rules, folding.start): 0}
    states = [folding.start]
    standing = np.zeros(count, dtype=np.int64)
    for moment in walk.block(Stream(3, 1), count):
        who = np.arange(count) if moment.who is None else moment.who
        pairs, kinds = np.unique(standing[who] * 256 + moment.chosen, return_inverse=True)
        awards, after = (
            np.zeros((len(walk.units), len(pairs)), dtype=np.int64),
            np.zeros(len(pairs), dtype=np.int64),
        )
        for kind, (place, entry) in enumerate(divmod(int(pair), 256) for pair in pairs):
            state, paid = folding.after(states[place], moment.slot, moment.entries.values[entry])
            bare = essence(folding.rules, state)
            after[kind] = known.setdefault(bare, len(states))
            if len(known) > len(states):
                states.append(bare)
            awards[:, kind] = [paid.get(unit.name, 0) for unit in walk.units]
        assert np.array_equal(paid_rows(moment, walk.units), awards[:, kinds])
        standing[who] = after[kinds]
        events += len(who)
    assert events >= 15 * count


def same(one: Simulation, other: Simulation) -> bool:
    pairs = zip(one.samples, other.samples, strict=True)
    return all(a.unit == b.unit and np.array_equal(a.totals, b.totals) for a, b in pairs)


def cohort(program: str = PRIZES, participants: int = 40_001, **asked: object) -> Simulation:
    return simulate(
        catalogue.program(program),
        visitwise("0.7"),
        participants=participants,
        seed=11,
        **asked,  # type: ignore[arg-type]
    )


def test_neither_chunks_nor_threads_nor_processes_change_what_anybody_is_paid() -> None:
    alone = cohort()
    assert same(alone, cohort(chunk=1))
    with ThreadPoolExecutor(3) as threads:
        assert same(alone, cohort(executor=threads, chunk=1))
    with processes(2) as started:
        assert same(alone, cohort(executor=started, chunk=20_000))


def test_a_dask_cluster_of_this_machine_gives_the_same_answer() -> None:
    pytest.importorskip("distributed", reason="needs the extra dask")
    with dask(workers=2) as cluster:
        assert same(cohort(), cohort(executor=cluster, chunk=16_384))


def test_who_has_no_dask_is_told_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "cm-engine\[dask\]"'), dask():
        pass


def test_tables_that_are_begun_anew_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = cohort()
    monkeypatch.setattr("cm_engine.analysis.cohorts.wallets.MOST_CELLS", 1)
    simulate(catalogue.program(VOUCHER), visitwise(1), participants=1)
    assert same(kept, cohort())


def test_another_seed_gives_another_cohort() -> None:
    program, behavior = catalogue.program(VOUCHER), visitwise("0.7")
    one, other = (simulate(program, behavior, participants=100, seed=seed) for seed in (1, 2))
    assert not same(one, other)


STEADY, LEAVING = visitwise("0.8"), dropping_out(markov("0.1", "0.3"), "0.02")


@pytest.mark.parametrize(
    ("name", "behavior"),
    [
        (VOUCHER, STEADY),
        (CALIFORNIA, STEADY),
        ("va-prize", STEADY),
        (VOUCHER, LEAVING),
        (PRIZES, LEAVING),
        ("template-medication-adherence", LEAVING),
    ],
)
def test_means_and_quantiles_are_the_exact_ones_but_for_chance(name: str, behavior: Behavior) -> None:
    program = catalogue.program(name)
    explored = explore(program)
    for sample in simulate(program, behavior, participants=30_000, seed=1).samples:
        exact = moments(explored, behavior, sample.unit)
        assert abs(float(sample.mean - exact.mean)) < 4 * sample.error
        assert abs(sample.sd / exact.sd - 1) < 0.02
        of_exact = distribution(explored, behavior, sample.unit)
        for share in (0.1, 0.5, 0.9):
            assert (
                of_exact.quantile(share - 0.01) <= sample.quantile(share) <= of_exact.quantile(share + 0.01)
            )


def test_limits_visits_left_open_and_prizes_together_are_as_step_has_them_on_average() -> None:
    start, behavior = date(2026, 12, 7), visitwise("0.7", otherwise={"*": 1})
    table = simulate(ALL_AT_ONCE, behavior, participants=30_000, seed=1, start=start)
    one_by_one = simulate(ALL_AT_ONCE, behavior, participants=600, seed=2, start=start, most=1)
    assert (table.by_table, one_by_one.by_table) == (True, False)
    for each, other in zip(table.samples, one_by_one.samples, strict=True):
        assert each.unit == other.unit
        assert abs(float(each.mean - other.mean)) < 4 * (each.error + other.error)


def test_a_program_with_too_many_states_is_decided_by_step_and_says_so() -> None:
    found = simulate(catalogue.program(LARGE), visitwise("0.8"), participants=40, seed=5, most=5_000)
    assert not found.by_table
    assert found.samples[0].error > 0


def test_what_step_decides_for_each_is_the_exact_mean_but_for_chance() -> None:
    for name in (VOUCHER, "va-prize"):
        program = catalogue.program(name)
        one, other = (
            simulate(program, visitwise("0.8"), participants=150, seed=2, most=1, chunk=chunk)
            for chunk in (1, 10_000)
        )
        assert not one.by_table
        assert same(one, other)
        exact = moments(explore(program), visitwise("0.8"), one.samples[0].unit)
        assert abs(float(one.samples[0].mean - exact.mean)) < 4 * one.samples[0].error


def test_a_million_participants_take_no_more_than_three_times_their_result() -> None:
    program, behavior = catalogue.program("roll-1996-progressive"), visitwise("0.8")
    simulate(program, behavior, participants=1)
    tracemalloc.start()
    found = simulate(program, behavior, participants=1_000_000)
    figures = [(each.mean, each.sd, each.quantile(0.9), each.histogram()) for each in found.samples]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert figures
    assert most <= 3 * sum(each.totals.nbytes for each in found.samples)


def test_the_bars_of_a_histogram_hold_every_participant_once() -> None:
    [sample] = simulate(catalogue.program(VOUCHER), visitwise("0.8"), participants=1234).samples
    bars = sample.histogram(7)
    assert sum(bar.participants for bar in bars) == 1234
    for bar in bars:
        assert bar.participants == ((sample.totals >= bar.low) & (sample.totals <= bar.high)).sum()


def test_a_chance_is_rounded_to_the_nearest_of_64_bits() -> None:
    third = Fraction(1, 3)
    one, two, end = bounds_of([third, third, third])
    assert abs(one - third * 2**64) <= Fraction(1, 2)
    assert abs(two - 2 * third * 2**64) <= Fraction(1, 2)
    assert end == 2**64


def test_a_choice_by_eight_bits_and_more_is_the_choice_by_all_64() -> None:
    chances = [
        Fraction(1, 7),
        Fraction(2, 7),
        Fraction(1, 1000),
        Fraction(3, 7) - Fraction(1, 1000),
        Fraction(1, 7),
    ]
    chooser, count = Chooser([chances]), 100_000
    chosen = chooser.many(Stream(1, 2), count)
    again = Stream(1, 2)
    octets = again.octets(count).astype(object)
    firsts, lasts = (octets << 56).tolist(), ((octets << 56) + 2**56 - 1).tolist()
    bounds = bounds_of(chances)

    def of(number: int) -> int:
        return sum(number >= bound for bound in bounds)

    is_open = [of(first) != of(last) for first, last in zip(firsts, lasts, strict=True)]
    more = iter((again.words(sum(is_open)) >> np.uint64(8)).tolist())
    whole = [first + (next(more) if open_ else 0) for first, open_ in zip(firsts, is_open, strict=True)]
    assert chosen.tolist() == [of(number) for number in whole]
    assert any(is_open)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"participants": 0}, "participants: expected 1 or more, got 0"),
        ({"participants": 1, "seed": -1}, "seed: expected 0 or more, got -1"),
        ({"participants": 1, "chunk": 0}, "chunk: expected 1 or more, got 0"),
    ],
)
def test_what_cannot_be_simulated_is_refused(asked: dict[str, int], says: str) -> None:
    with pytest.raises(ReportError, match=says):
        simulate(catalogue.program(VOUCHER), visitwise(1), **asked)  # type: ignore[arg-type]
