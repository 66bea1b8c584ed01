"""All figures of a program under one model of behavior."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from cm_engine.analysis.behavior import Behavior, visitwise
from cm_engine.analysis.distributions import Distribution, Moments
from cm_engine.analysis.exact import distribution, moments, reached
from cm_engine.analysis.explored import MOST, Explored, explore
from cm_engine.analysis.extremes import Extreme, maximum, minimum
from cm_engine.program.models import Program
from cm_engine.program.units import Unit
from cm_engine.rules.limits import LimitRules

QUANTILES = (Fraction(1, 20), Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(19, 20))
RATES = tuple(Fraction(tenth, 10) for tenth in range(11))
"""The shares of visits met that earnings are shown for."""


class Figures(NamedTuple):
    """What a program pays in one unit."""

    unit: Unit
    maximum: Extreme
    minimum: Extreme
    moments: Moments
    distribution: Distribution


class Bound(NamedTuple):
    """A limit, and how likely it takes something of what a participant earns."""

    limit: LimitRules
    chance: float


class Earning(NamedTuple):
    """What a participant earns who meets each visit with one chance, in minor units: the mean, and nine in ten."""

    rate: Fraction
    mean: float
    low: int
    high: int


@dataclass(frozen=True)
class Analysis:
    """All figures of a program under one model of behavior.

    Attributes:
        explored: every state of the program.
        behavior: how likely each result is.
        figures: of each unit, the program's money first.
        limits: in the order of the program.
    """

    explored: Explored
    behavior: Behavior
    figures: tuple[Figures, ...]
    limits: tuple[Bound, ...]


def analyze(program: Program, behavior: Behavior, *, start: date | None = None, most: int = MOST) -> Analysis:
    """Return all figures of a program under a model of behavior.

    Args:
        program: the program.
        behavior: how likely each result is.
        start: the first day of week 1; where a rule depends on dates and none is given, that of the first dated case.
        most: how many decisions exploring may take.

    Raises:
        TooManyStatesError: the program has too many states to look at all of them; simulate it instead.
        UndatedError: a rule of the program depends on the date, and there is no start.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import analyze, visitwise
        >>> found = analyze(catalogue.program("higgins-1994-voucher"), visitwise("0.8")).figures[0]
        >>> found.unit.spoken(found.maximum.amount), found.unit.spoken(round(found.moments.mean))
        ('$997.50', '$282.88')
    """
    explored = explore(program, start=start, most=most)
    figures = tuple(figures_of(explored, behavior, unit) for unit in explored.units)
    chances = reached(explored, behavior)
    return Analysis(explored, behavior, figures, tuple(map(Bound, explored.rules.limits, chances)))


def figures_of(explored: Explored, behavior: Behavior, unit: Unit) -> Figures:
    """Return what an explored program pays in a unit."""
    return Figures(
        unit,
        maximum(explored, unit),
        minimum(explored, unit),
        moments(explored, behavior, unit),
        distribution(explored, behavior, unit),
    )


def earnings(explored: Explored, unit: Unit, rates: Sequence[Fraction] = RATES) -> tuple[Earning, ...]:
    """Return what a participant earns in a unit by the share of visits met, each visit having the same chance.

    Example:
        >>> from cm_engine import catalogue
        >>> explored = explore(catalogue.program("va-prize"))
        >>> [round(each.mean) for each in earnings(explored, explored.units[0], [Fraction(1, 2), Fraction(1)])]
        [5088, 36375]
    """
    found = ((rate, distribution(explored, visitwise(rate), unit)) for rate in rates)
    return tuple(Earning(rate, each.mean, each.quantile(0.05), each.quantile(0.95)) for rate, each in found)
