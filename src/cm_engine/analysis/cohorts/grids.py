"""Rows over two things at once: what limits look at, and what was paid since counting began."""

from math import gcd
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.flow import Way
from cm_engine.analysis.purse import LimitedPurse
from cm_engine.program.units import Unit
from cm_engine.rules.limits import When
from cm_engine.rules.prizes import full_bowl

Grid = NDArray[np.float64]
"""A weight for each state of a purse, by row, and each sum, by column."""

Numbers = TypeVar("Numbers", NDArray[np.float64], NDArray[np.int64])

Grids = dict[tuple[int, ...], Grid]
"""The grid of each key of a flow."""


class Gridding:
    """Grids of a cluster that limits look at; a limit asks what was received, and never what was paid this month."""

    def __init__(self, explored: Explored, cluster: Cluster, unit: Unit) -> None:
        """Begin with nothing received."""
        self._purse = LimitedPurse(explored, unit, counts=False)
        self._quantum = _quantum(explored, unit)
        own = [part.own for part in explored.parts] if _is_own(explored, unit) else []
        self._first = -min([0, *own]) // self._quantum * len(cluster.order)
        self._known: dict[tuple[int, When], _Ways] = {}

    def start(self, chance: float) -> Grid:
        """Return the grid before the first slot."""
        grid = np.zeros((1, self._first + 1))
        grid[0, self._first] = chance
        return grid

    def anew(self, grid: Grid) -> Grid:
        """Return a grid with the same weights, where nothing was paid yet."""
        fresh = np.zeros((len(grid), self._first + 1))
        fresh[:, self._first] = grid.sum(axis=1)
        return fresh

    def sums(self, grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return every sum that may have been paid, with its weight."""
        places = np.arange(grid.shape[1], dtype=np.int64)
        return (places - self._first) * self._quantum, grid.sum(axis=0)

    def pour(self, grids: Grids, grid: Grid, way: Way, when: When) -> None:
        """Add a grid to that of the key that a way leads to, each weight where its part leads."""
        when = self._purse.like(when)
        ways = self._known.setdefault((way.part, when), _Ways(self._purse, way.part, when, self._quantum))
        live = np.flatnonzero(grid.any(axis=1))
        to, shift, share = ways.of(live)
        lead = max(0, -int(shift.min()))
        shape = (int(to.max()) + 1, grid.shape[1] + max(0, int(shift.max())))
        have = fitted(grids.get(way.to, np.zeros((1, 1))), shape)
        for column in range(to.shape[1]):
            for value in set(shift[:, column].tolist()):
                here = np.flatnonzero((shift[:, column] == value) & (share[:, column] > 0))
                if len(here):
                    weights = grid[live[here], lead:] * (share[here, column] * way.weight)[:, None]
                    _add(have, to[here, column], weights, lead + value)
        grids[way.to] = have


def _add(have: Grid, to: NDArray[np.int64], weights: Grid, first: int) -> None:
    """Add rows to those of their numbers, from a column on; several may have one number."""
    into = have[:, first : first + weights.shape[1]]
    if len(set(to.tolist())) == len(to):
        into[to] += weights
    else:
        np.add.at(into, to, weights)


class _Ways:
    """Where a part leads from each state of a purse, as far as it was asked for; a column for each thing draws may win."""

    def __init__(self, purse: LimitedPurse, part: int, when: When, quantum: int) -> None:
        self._purse, self._part, self._when, self._quantum = purse, part, when, quantum
        self._to, self._shift = np.full((0, 1), -1, dtype=np.int64), np.zeros((0, 1), dtype=np.int64)
        self._share = np.zeros((0, 1))

    def of(self, live: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64], Grid]:
        """Return where the part leads from some states, how many quanta it pays there, and with which chances."""
        self._widen(int(live.max()) + 1, 1)
        for state in live[self._to[live, 0] < 0]:
            steps = self._purse.ways(int(state), self._part, self._when)
            self._widen(0, len(steps))
            kept = slice(0, len(steps))
            self._to[state] = 0
            self._to[state, kept] = [each.to for each in steps]
            self._shift[state, kept] = [each.paid // self._quantum for each in steps]
            self._share[state, kept] = [float(each.chance) for each in steps]
        return self._to[live], self._shift[live], self._share[live]

    def _widen(self, rows: int, columns: int) -> None:
        had = self._to.shape
        if rows > had[0] or columns > had[1]:
            shape = (max(had[0], 2 * rows if rows > had[0] else rows), max(had[1], columns))
            to = np.full(shape, -1, dtype=np.int64)
            to[: had[0], : had[1]] = self._to
            self._to = to
            self._shift, self._share = fitted(self._shift, shape), fitted(self._share, shape)


def fitted(grid: Numbers, shape: tuple[int, int]) -> Numbers:
    """Return an array that is so large at least, with 0 where it grew."""
    if grid.shape[0] >= shape[0] and grid.shape[1] >= shape[1]:
        return grid
    grown = np.zeros(tuple(map(max, grid.shape, shape)), dtype=grid.dtype)
    grown[: grid.shape[0], : grid.shape[1]] = grid
    return cast("Numbers", grown)


def _is_own(explored: Explored, unit: Unit) -> bool:
    return explored.rules.deposit is not None and explored.rules.deposit.unit == unit


def _quantum(explored: Explored, unit: Unit) -> int:
    """Return the greatest amount that divides all that can be paid: what is earned, won, and left by limits."""
    earned = [award.amount for part in explored.parts for award in part.earned if award.unit == unit]
    own = [part.own for part in explored.parts] if _is_own(explored, unit) else []
    limits = [amount for limit in explored.rules.limits if limit.unit == unit for amount in limit.amounts]
    bowls = explored.program.bowls if unit == explored.money else ()
    won = [value for bowl in bowls for value in full_bowl(explored.program, bowl).values]
    return gcd(*earned, *own, *limits, *won) or 1
