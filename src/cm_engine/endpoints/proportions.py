"""The difference between the shares of two arms in which an endpoint is TRUE."""

from math import erfc, sqrt
from typing import NamedTuple

from cm_engine.errors import ReportError

Z95 = 1.959963984540054
"""Standard errors to the limits of 95 percent."""


class Difference(NamedTuple):
    """The share of the first arm less that of the second.

    Attributes:
        first, second: the shares.
        difference: of the first from the second.
        low, high: the limits of 95 percent of the difference, by Newcombe's method 10 (1998, Statistics in Medicine
            17, 873), which stays right in small arms.
        p: of Pearson's chi-square without a correction: whether there is no difference.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


def difference(first: tuple[int, int], second: tuple[int, int]) -> Difference:
    """Return the difference between two proportions.

    Args:
        first: of the first arm, how many it is TRUE of, and how many there are.
        second: of the second.

    Raises:
        ReportError: there is nobody in an arm.

    Example:
        >>> found = difference((56, 70), (48, 80))
        >>> round(found.difference, 4), round(found.low, 4), round(found.high, 4)
        (0.2, 0.0524, 0.3339)
    """
    if not (first[1] and second[1]):
        msg = "a difference of proportions takes two arms with somebody in each"
        raise ReportError(msg)
    ours, theirs = first[0] / first[1], second[0] / second[1]
    (our_low, our_high), (their_low, their_high) = _wilson(*first), _wilson(*second)
    between = ours - theirs
    low = between - sqrt((ours - our_low) ** 2 + (their_high - theirs) ** 2)
    high = between + sqrt((our_high - ours) ** 2 + (theirs - their_low) ** 2)
    return Difference(ours, theirs, between, low, high, _p(first, second))


def _wilson(count: int, people: int) -> tuple[float, float]:
    """Return the limits of 95 percent of one proportion."""
    share, square = count / people, Z95**2
    middle = share + square / (2 * people)
    width = Z95 * sqrt(share * (1 - share) / people + square / (4 * people**2))
    whole = 1 + square / people
    return (middle - width) / whole, (middle + width) / whole


def _p(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Return the p of no difference; shares that are both none, or both all, do not differ."""
    pooled = (first[0] + second[0]) / (first[1] + second[1])
    error = sqrt(pooled * (1 - pooled) * (1 / first[1] + 1 / second[1]))
    return erfc(abs(first[0] / first[1] - second[0] / second[1]) / error / sqrt(2)) if error else 1.0
