"""What one participant is paid in each month: a distribution for each, from one walk through all states."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.behavior import Behavior
from cm_engine.analysis.cohorts.chooser import Stream
from cm_engine.analysis.cohorts.grids import Gridding
from cm_engine.analysis.cohorts.stepping import Stepping
from cm_engine.analysis.distributions import Distribution, Row
from cm_engine.analysis.exact import MOST_WEIGHTS
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.flow import Flow, Way
from cm_engine.analysis.movers import Leading, Rows, Shifting
from cm_engine.analysis.purse import FreePurse, drawn
from cm_engine.errors import TooManyStatesError
from cm_engine.program.units import Unit
from cm_engine.rules.limits import When

Month = Callable[[When], int]
"""Tells which month a day is in, counted from any month."""

Sums = NDArray[np.int64]
"""Sums in minor units."""

Months = dict[int, Distribution]


def by_month(explored: Explored, behavior: Behavior, unit: Unit, month: Month) -> Months:
    """Return what one participant is paid in each month.

    Args:
        explored: the program.
        behavior: how likely each result is.
        unit: what is counted; draws count as what they win where it is the program's money.
        month: tells the month of a day.

    Raises:
        TooManyStatesError: there are too many sums in too many states.
    """
    found: Months = {}
    for cluster in explored.clusters_of(unit):
        counting = _counting(explored, cluster, unit)
        for number, row in _of_cluster(explored, cluster, behavior, month, counting):
            each = _gathered(unit, *counting.sums(row))
            found[number] = found[number].plus(each) if number in found else each
    return found


def by_month_sampled(
    stepping: Stepping, unit: Unit, month: Month, participants: int, seed: int
) -> tuple[Months, Distribution]:
    """Return what simulated participants are paid in each month, and in all; `step` decides for each.

    Args:
        stepping: the program under a model of behavior.
        unit: what is counted.
        month: tells the month of a day.
        participants: how many are simulated.
        seed: that chance comes from.
    """
    stream, totals = Stream(seed, 0), Counter[int]()
    months: dict[int, Counter[int]] = {
        month(stepping.explored.when(slot)): Counter() for slot in stepping.slots
    }
    for _ in range(participants):
        paid = Counter[int]()
        for slot, awards in stepping.awards(stream):
            paid[month(stepping.explored.when(slot))] += awards[unit]
        for number, counts in months.items():
            counts[paid[number]] += 1
        totals[paid.total()] += 1
    return {number: _counted(unit, counts) for number, counts in months.items()}, _counted(unit, totals)


def _counted(unit: Unit, counts: Counter[int]) -> Distribution:
    sums = sorted(counts)
    chances = np.array([counts[each] for each in sums]) / counts.total()
    return Distribution(unit, np.array(sums, dtype=np.int64), chances)


class _Counting(Protocol):
    """Counts what a cluster pays in a unit, and begins anew with each month."""

    def start(self, chance: float) -> Row:
        """Return a row before the first slot."""

    def anew(self, row: Row) -> Row:
        """Return a row with the same weights, where nothing was paid yet."""

    def sums(self, row: Row) -> tuple[Sums, Row]:
        """Return every sum that may have been paid, with its weight; a sum may stand there twice."""

    def pour(self, rows: Rows, row: Row, way: Way, when: When) -> None:
        """Add a row to that of the key that a way leads to, each weight where its part leads."""


def _counting(explored: Explored, cluster: Cluster, unit: Unit) -> _Counting:
    if cluster.is_limited:
        return Gridding(explored, cluster, unit)
    if explored.program.bowls and unit == explored.money:
        return _Drawing(explored, unit)
    return _Adding(explored, cluster, unit)


class _Adding(Shifting):
    """Counts what no limit looks at and nothing is drawn for."""

    def start(self, chance: float) -> Row:
        row = np.zeros(self.first + 1)
        row[self.first] = chance
        return row

    def anew(self, row: Row) -> Row:
        return self.start(float(row.sum()))

    def sums(self, row: Row) -> tuple[Sums, Row]:  # type: ignore[override]
        return super().sums(len(row)), row


class _Drawing(Leading):
    """Counts draws, and puts what they win in their place when a month is over."""

    def __init__(self, explored: Explored, unit: Unit) -> None:
        self._free = FreePurse(explored, unit)
        super().__init__(self._free)
        self._bowls = [_single(explored, unit, name) for name in self._free.bowls]
        self._wins = {(0,) * len(self._bowls): _nothing(unit)}

    def start(self, chance: float) -> Row:
        return np.array([chance])

    def anew(self, row: Row) -> Row:
        return self.start(float(row.sum()))

    def sums(self, row: Row) -> tuple[Sums, Row]:
        sums, weights = [], []
        for number in np.flatnonzero(row):
            paid, *draws = self._free.states.values[number]
            won = self._won(tuple(draws))
            sums.append(won.sums + paid)
            weights.append(won.chances * row[number])
        return np.concatenate(sums), np.concatenate(weights)

    def _won(self, draws: tuple[int, ...]) -> Distribution:
        """Return what draws win, each number of them made from one less."""
        missing = [draws]
        while missing[-1] not in self._wins:
            missing.append(_one_less(missing[-1]))
        for each in reversed(missing[:-1]):
            bowl = next(place for place, count in enumerate(each) if count)
            self._wins[each] = self._wins[_one_less(each)].plus(self._bowls[bowl])
        return self._wins[draws]


def _one_less(draws: tuple[int, ...]) -> tuple[int, ...]:
    bowl = next(place for place, count in enumerate(draws) if count)
    return (*draws[:bowl], draws[bowl] - 1, *draws[bowl + 1 :])


def _nothing(unit: Unit) -> Distribution:
    return Distribution(unit, np.zeros(1, dtype=np.int64), np.ones(1))


def _single(explored: Explored, unit: Unit, bowl: str) -> Distribution:
    chances = drawn(explored.rules, bowl, 1)
    sums = np.array([value for value, _ in chances], dtype=np.int64)
    return Distribution(unit, sums, np.array([float(chance) for _, chance in chances]))


def _gathered(unit: Unit, sums: Sums, weights: Row) -> Distribution:
    values, places = np.unique(sums, return_inverse=True)
    chances = np.bincount(places, weights=weights).astype(np.float64)
    return Distribution(unit, values[chances > 0], chances[chances > 0])


def _of_cluster(
    explored: Explored, cluster: Cluster, behavior: Behavior, month: Month, counting: _Counting
) -> Iterator[tuple[int, Row]]:
    """Yield the weights at the end of each month, after which counting begins anew."""
    flow = Flow(explored, cluster, behavior)
    rows = {key: counting.start(float(chance)) for key, chance in flow.starts()}
    for number, slots in groupby(flow.slots(), key=lambda slot: month(slot[-1])):
        for place, (automaton, at, slot, when) in enumerate(slots):
            after: Rows = {}
            while rows:
                staying: Rows = {}
                for key, row in rows.items():
                    for way in flow.ways(automaton, at, slot, key):
                        counting.pour(staying if way.stays else after, row, way, when)
                rows = staying
            rows = after
            _refuse_too_many(explored, place, len(cluster.order), rows)
        yield number, _added(list(rows.values()))
        rows = {key: counting.anew(row) for key, row in rows.items()}


def _refuse_too_many(explored: Explored, at: int, slots: int, rows: Rows) -> None:
    weights = sum(row.size for row in rows.values())
    if weights > MOST_WEIGHTS:
        raise TooManyStatesError(explored.program.program, at, slots, weights, MOST_WEIGHTS)


def _added(rows: list[Row]) -> Row:
    """Return the sum of rows, or of grids, of different sizes."""
    total = np.zeros(tuple(map(max, zip(*(row.shape for row in rows), strict=True))))
    for row in rows:
        total[tuple(map(slice, row.shape))] += row
    return total
