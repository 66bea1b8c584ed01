"""What many independent participants are paid together: powers of one participant's distribution, by Fourier transform.

A sum of participants is a convolution of their distributions, and a transform makes it a product, so that no normal curve
stands in for anything. Only a window around the mean is worked out; what lies outside is less than `OUTSIDE` by
Bernstein's inequality.
"""

from collections.abc import Sequence
from math import gcd, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.distributions import Distribution
from cm_engine.program.units import Unit

OUTSIDE = 1e-15
"""The most that all sums outside of the window are likely together."""

Row = NDArray[np.float64]


class Group(NamedTuple):
    """So many participants who are paid alike, each for himself."""

    distribution: Distribution
    participants: int


class Together(NamedTuple):
    """What groups of participants are paid together.

    Attributes:
        distribution: of the sum.
        mean, sd: of the sum, in minor units.
        error: the most by which a chance of the distribution is off, or a sum of such chances: what lies outside of the
            window, what came out below 0, and what all chances differ by from 1.
    """

    distribution: Distribution
    mean: float
    sd: float
    error: float

    def quantile(self, share: float) -> int:
        """Return the least sum that is not exceeded with so large a chance, in minor units."""
        return self.distribution.quantile(share)


class _Window(NamedTuple):
    """The sums that are worked out: a lowest one and so many steps of a quantum above it."""

    lowest: int
    quantum: int
    size: int


def together(unit: Unit, groups: Sequence[Group]) -> Together:
    """Return what groups of participants are paid together.

    Args:
        unit: what is counted.
        groups: those that are paid alike.

    Example:
        >>> from cm_engine.program.units import unit_named
        >>> coin = Distribution(unit_named("USD"), np.array([0, 100]), np.array([0.5, 0.5]))
        >>> found = together(coin.unit, [Group(coin, 2)])
        >>> found.distribution.sums.tolist(), found.distribution.chances.round(12).tolist()
        ([0, 100, 200], [0.25, 0.5, 0.25])
    """
    some = [each for each in groups if each.participants]
    mean = sum(each.participants * each.distribution.mean for each in some)
    variance = sum(each.participants * each.distribution.sd**2 for each in some)
    window = _window(some, mean, variance)
    product = np.ones(window.size // 2 + 1, dtype=np.complex128)
    for each in some:
        product *= np.fft.rfft(_folded(each.distribution, window)) ** each.participants
    begin = sum(each.participants * int(each.distribution.sums[0]) for each in some)
    turned = np.roll(np.fft.irfft(product, window.size), (begin - window.lowest) // window.quantum)
    return Together(*_kept(unit, turned, window, mean, sqrt(variance)))


def _window(groups: Sequence[Group], mean: float, variance: float) -> _Window:
    """Return the sums around the mean that all others are less likely than `OUTSIDE`, as far as there are such sums."""
    steps = [int(step) for each in groups for step in np.diff(each.distribution.sums)]
    quantum = gcd(*steps) or 1
    low = sum(each.participants * int(each.distribution.sums[0]) for each in groups)
    high = sum(each.participants * int(each.distribution.sums[-1]) for each in groups)
    widest = max((int(each.distribution.sums[-1] - each.distribution.sums[0]) for each in groups), default=0)
    nats = log(2 / OUTSIDE)
    reach = widest * nats / 3 + sqrt((widest * nats / 3) ** 2 + 2 * variance * nats)
    lowest = max(low, low + int((mean - reach - low) // quantum) * quantum)
    highest = min(high, low + (int((mean + reach - low) // quantum) + 1) * quantum)
    return _Window(lowest, quantum, 1 << ((highest - lowest) // quantum).bit_length())


def _folded(distribution: Distribution, window: _Window) -> Row:
    """Return the chances over quanta above the least sum; what is longer than the window is wound round it."""
    places = (distribution.sums - distribution.sums[0]) // window.quantum % window.size
    return np.bincount(places, weights=distribution.chances, minlength=window.size).astype(np.float64)


def _kept(
    unit: Unit, chances: Row, window: _Window, mean: float, sd: float
) -> tuple[Distribution, float, float, float]:
    below = float(-chances[chances < 0].sum())
    places = np.flatnonzero(chances > 0)
    sums = places * window.quantum + window.lowest
    error = OUTSIDE + below + abs(1 - float(chances.sum()))
    return Distribution(unit, sums.astype(np.int64), chances[places]), mean, sd, error
