"""How likely each sum is, and the mean and the spread of sums."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, sqrt

import numpy as np
from numpy.typing import NDArray

from cm_engine.program.units import Unit

Row = NDArray[np.float64]
"""Weights, each at the place of what it is the weight of."""


@dataclass(frozen=True)
class Distribution:
    """How likely each sum is that a program pays in a unit.

    Attributes:
        unit: what is counted.
        sums: every sum that is possible, in minor units, in order.
        chances: of each sum; 1 in all.
    """

    unit: Unit
    sums: NDArray[np.int64]
    chances: Row

    @cached_property
    def _upto(self) -> Row:
        return np.cumsum(self.chances)

    def quantile(self, share: float) -> int:
        """Return the least sum that so large a share of participants does not exceed, in minor units."""
        place = int(np.searchsorted(self._upto, share * self._upto[-1] - 1e-12))
        return int(self.sums[min(place, len(self.sums) - 1)])

    def at_most(self, amount: int) -> float:
        """Return how likely a sum of so many minor units or less is."""
        place = int(np.searchsorted(self.sums, amount, side="right"))
        return float(self._upto[place - 1]) if place else 0.0

    @property
    def mean(self) -> float:
        """Return the mean in minor units."""
        return float(self.sums @ self.chances)

    @property
    def sd(self) -> float:
        """Return the standard deviation in minor units."""
        return sqrt(max(0.0, float((self.sums - self.mean) ** 2 @ self.chances)))

    def plus(self, other: "Distribution") -> "Distribution":
        """Return the distribution of the sum of two independent ones."""
        quantum = gcd(_quantum(self.sums), _quantum(other.sums)) or 1
        dense = np.convolve(_dense(self, quantum), _dense(other, quantum))
        return sparse(self.unit, dense, int(self.sums[0] + other.sums[0]), quantum)


@dataclass(frozen=True)
class Moments:
    """The mean and the variance of what a program pays in a unit, in minor units and exact."""

    mean: Fraction
    variance: Fraction

    @property
    def sd(self) -> float:
        """Return the standard deviation in minor units."""
        return sqrt(self.variance)


def moments_of(chances: Iterable[tuple[int, Fraction]]) -> Moments:
    """Return the mean and the variance of sums with their chances."""
    mean = sum((chance * value for value, chance in chances), Fraction(0))
    return Moments(
        mean, sum((chance * value * value for value, chance in chances), Fraction(0)) - mean * mean
    )


def gathered(unit: Unit, sums: NDArray[np.int64], row: Row) -> Distribution:
    """Return the distribution of weights that stand for sums in any order, some of them several times."""
    values, places = np.unique(sums, return_inverse=True)
    chances = np.bincount(places, weights=row).astype(np.float64)
    kept = chances > 0
    return Distribution(unit, values[kept], chances[kept])


def _quantum(sums: NDArray[np.int64]) -> int:
    return int(np.gcd.reduce(sums - sums[0]))


def _dense(distribution: Distribution, quantum: int) -> Row:
    places = (distribution.sums - distribution.sums[0]) // quantum
    dense = np.zeros(int(places[-1]) + 1)
    dense[places] = distribution.chances
    return dense


def sparse(unit: Unit, dense: Row, lowest: int, quantum: int) -> Distribution:
    """Return the distribution of weights that stand for sums at equal distances from the lowest on."""
    kept = np.flatnonzero(dense).astype(np.int64)
    return Distribution(unit, kept * quantum + lowest, dense[kept])


def grown(row: Row, length: int) -> Row:
    """Return a row of weights that is so long at least."""
    return row if len(row) >= length else np.concatenate([row, np.zeros(length - len(row))])
