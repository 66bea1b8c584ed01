"""How rows of weights move as parts are earned: along the sums, or over the states of a purse."""

from math import gcd
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.distributions import Row, grown
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.flow import Way
from cm_engine.analysis.joint import Key
from cm_engine.analysis.purse import Purse
from cm_engine.program.units import Unit
from cm_engine.rules.limits import When

Rows = dict[Key, Row]
"""The row of each key."""


class Mover(Protocol):
    """Moves rows of weights on, as parts are earned."""

    first: int
    """The place of the state in which nothing has been received."""

    def pour(self, rows: Rows, row: Row, way: Way, when: When) -> None:
        """Add a row to that of the key that a way leads to, each weight where its part leads."""


class Shifting:
    """Rows over sums: the place of a weight is the sum, counted in the greatest amount that divides all.

    Attributes:
        reach: how long a row may become.
    """

    def __init__(self, explored: Explored, cluster: Cluster, unit: Unit) -> None:
        """Look at what the slots of a cluster can pay in a unit."""
        own = explored.rules.deposit.unit if explored.rules.deposit else None
        self._amounts = [part.sum(unit, own) for part in explored.parts]
        self._quantum = gcd(*self._amounts) or 1
        self._shifts = [amount // self._quantum for amount in self._amounts]
        self.first = -min(0, *self._shifts)  # a stake is the only thing paid in, and it is paid in once
        self.reach = max(map(abs, self._shifts)) * len(cluster.order)

    def sums(self, length: int) -> NDArray[np.int64]:
        """Return the sum of each place of a row."""
        return (np.arange(length, dtype=np.int64) - self.first) * self._quantum

    def pour(self, rows: Rows, row: Row, way: Way, when: When) -> None:  # noqa: ARG002
        """Add a row to that of the key that a way leads to, later by what its part pays."""
        shift, have, chance = self._shifts[way.part], rows.get(way.to), way.weight
        if shift < 0:
            row, shift = row[-shift:], 0
        need = shift + len(row)
        if have is None:
            have = rows[way.to] = np.zeros(need)
            np.multiply(row, chance, out=have[shift:])
            return
        if len(have) < need:
            have = rows[way.to] = grown(have, need)
        have[shift:need] += chance * row


class Leading:
    """Rows over the states of a purse."""

    first = 0

    def __init__(self, purse: Purse) -> None:
        """Begin with nothing received."""
        self._purse = purse
        self._known: dict[tuple[int, When], _Ways] = {}

    def pour(self, rows: Rows, row: Row, way: Way, when: When) -> None:
        """Add a row to that of the key that a way leads to, each weight where its part leads."""
        held = np.flatnonzero(row)
        when = self._purse.like(when)
        ways = self._known.setdefault((way.part, when), _Ways(self._purse, way.part, when))
        to, shares = ways.of(held)
        have = grown(rows.get(way.to, np.zeros(1)), int(to.max()) + 1)
        np.add.at(have, to, row[held][:, None] * shares * way.weight)
        rows[way.to] = have


class _Ways:
    """Where a part leads from each state of a purse, as far as it was asked for; a column for each thing draws may win."""

    def __init__(self, purse: Purse, part: int, when: When) -> None:
        self._purse, self._part, self._when = purse, part, when
        self._to, self._shares = np.full((0, 1), -1, dtype=np.int64), np.zeros((0, 1))

    def of(self, held: NDArray[np.int64]) -> tuple[NDArray[np.int64], Row]:
        """Return where the part leads from some states, and with which chances."""
        self._widen(int(held.max()) + 1, self._to.shape[1])
        for state in held[self._to[held, 0] < 0]:
            steps = self._purse.ways(int(state), self._part, self._when)
            self._widen(len(self._to), len(steps))
            self._to[state], self._shares[state] = steps[0].to, 0.0
            self._to[state, : len(steps)] = [each.to for each in steps]
            self._shares[state, : len(steps)] = [float(each.chance) for each in steps]
        return self._to[held], self._shares[held]

    def _widen(self, rows: int, columns: int) -> None:
        more = (max(0, rows - len(self._to)), max(0, columns - self._to.shape[1]))
        if any(more):
            pad = ((0, more[0]), (0, more[1]))
            self._to = np.pad(self._to, pad, constant_values=-1)
            self._shares = np.pad(self._shares, pad)
            self._to[:, 1:][self._to[:, 1:] < 0] = 0
