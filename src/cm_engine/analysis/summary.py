"""All figures of a program under one model of behavior."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from cm_engine.analysis.behavior import Behavior, visitwise
from cm_engine.analysis.cohorts.simulate import BLOCK, Sample, Simulation, sampled, simulate
from cm_engine.analysis.distributions import Distribution, Moments
from cm_engine.analysis.exact import distribution, mean, reached, spread
from cm_engine.analysis.explored import MOST, Explored, explore
from cm_engine.analysis.extremes import maximum, minimum
from cm_engine.analysis.parts import start_of
from cm_engine.analysis.proofs.finding import Finding
from cm_engine.analysis.proofs.findings import NOTHING, findings, findings_unexplored
from cm_engine.analysis.sequences import Extreme, Seen
from cm_engine.errors import TooManyStatesError
from cm_engine.program.models import Program
from cm_engine.program.plan import visit_count
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import Rules, compile_rules
from cm_engine.rules.limits import LimitRules
from cm_engine.rules.timeline import decide

QUANTILES = (Fraction(1, 20), Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(19, 20))
RATES = tuple(Fraction(tenth, 10) for tenth in range(11))
"""The shares of visits met that earnings are shown for."""
SIMULATED = 2_000
"""How many participants are simulated by `step` where a program has too many states."""
SAMPLED = 16 * BLOCK
"""How many participants are simulated by table where there are too many sums in too many states."""


class Figures(NamedTuple):
    """What a program pays in one unit."""

    unit: Unit
    maximum: Extreme
    minimum: Extreme
    moments: Moments
    distribution: Distribution


class Bound(NamedTuple):
    """A limit, and how likely it takes something of what a participant earns; None where that was not looked at."""

    limit: LimitRules
    chance: float | None


def chance_words(chance: float | None) -> str:
    """Return a chance as people say it.

    Example:
        >>> chance_words(0.25), chance_words(0.00001), chance_words(0.0)
        ('25 %', 'less than 0.1 %', 'never')
    """
    if not chance:
        return "never" if chance is not None else "not looked at"
    return f"{100 * chance:.3g} %" if chance >= 0.001 else "less than 0.1 %"  # noqa: PLR2004 - a tenth of a percent


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
        program: the program.
        rules: ready to step.
        start: the first day of week 1, or None where days do not count.
        behavior: how likely each result is.
        figures: of each unit, the program's money first.
        limits: in the order of the program.
        explored: every state of the program; None where they are too many.
        simulation: participants simulated, where it would take too long to look at all sums in all states; None where
            every figure is exact.
        refusal: why they were simulated.
    """

    program: Program
    rules: Rules
    start: date | None
    behavior: Behavior
    figures: tuple[Figures, ...]
    limits: tuple[Bound, ...]
    explored: Explored | None = None
    simulation: Simulation | None = None
    refusal: TooManyStatesError | None = None

    def findings(
        self, *, silenced: Mapping[str, str] = NOTHING, on: date | None = None
    ) -> tuple[Finding, ...]:
        """Return what was proved, or found wrong, the gravest first.

        Args:
            silenced: why findings of a rule are known and left as they are, by the id of the rule.
            on: the day whose lines of funders and law hold; None for those that no end is known of.
        """
        if self.explored:
            return findings(self.explored, rate=self.behavior.rate, silenced=silenced, on=on)
        assert self.refusal
        return findings_unexplored(self.program, self.refusal, silenced=silenced)

    def earnings(self, unit: Unit) -> tuple[Earning, ...]:
        """Return what a participant earns in a unit by the share of visits met, with events and leaving as in the model."""
        if not self.explored:
            return tuple(_simulated_earning(self, unit, rate) for rate in RATES[::2])
        try:
            return earnings(self.explored, unit, like=self.behavior)
        except TooManyStatesError:
            return tuple(_sampled_earning(self, self.explored, unit, rate) for rate in RATES)

    def meeting(self, rate: Fraction) -> Behavior:
        """Return the model of behavior as if each visit were met with one chance."""
        return self.behavior.meeting(rate, self.rules.events)


def analyze(program: Program, behavior: Behavior, *, start: date | None = None, most: int = MOST) -> Analysis:
    """Return all figures of a program under a model of behavior.

    Where there are too many sums in too many states, participants are simulated by table, for how what is paid is spread.
    A program with too many states to look at all of them is simulated by `step` instead. Its most and its least are
    then those of who meets every visit, and of who misses every visit; there may be more and less.

    Args:
        program: the program.
        behavior: how likely each result is.
        start: the first day of week 1; where a rule depends on dates and none is given, that of the first dated case.
        most: how many decisions exploring may take.

    Raises:
        UndatedError: a rule of the program depends on the date, and there is no start.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import analyze, visitwise
        >>> found = analyze(catalogue.program("higgins-1994-voucher"), visitwise("0.8")).figures[0]
        >>> found.unit.spoken(found.maximum.amount), found.unit.spoken(round(found.moments.mean))
        ('$997.50', '$282.88')
    """
    start = start_of(program, start)
    try:
        return _of_explored(explore(program, start=start, most=most), behavior)
    except TooManyStatesError as error:
        return _simulated(program, behavior, start, error)


def _of_explored(explored: Explored, behavior: Behavior) -> Analysis:
    """Return all figures of an explored program: exact ones, or with sums that are sampled by table where they are too many."""
    found = Analysis(explored.program, explored.rules, explored.start, behavior, (), (), explored)
    try:
        figures = tuple(figures_of(explored, behavior, unit) for unit in explored.units)
        return replace(found, figures=figures, limits=_limits(explored, reached(explored, behavior)))
    except TooManyStatesError as error:
        simulation = sampled(explored, behavior, participants=SAMPLED)
        figures = tuple(_sampled_figures(explored, behavior, sample) for sample in simulation.samples)
        limits = _limits(explored, [None] * len(explored.rules.limits))
        return replace(found, figures=figures, limits=limits, simulation=simulation, refusal=error)


def _limits(explored: Explored, chances: Iterable[float | None]) -> tuple[Bound, ...]:
    """Return the limits, each with how likely it takes something; one that nobody can come up against never does."""
    pairs = enumerate(zip(explored.rules.limits, chances, strict=True))
    return tuple(Bound(limit, 0.0 if place in explored.idle else chance) for place, (limit, chance) in pairs)


def figures_of(explored: Explored, behavior: Behavior, unit: Unit) -> Figures:
    """Return what an explored program pays in a unit.

    Raises:
        TooManyStatesError: there are too many sums in too many states.
    """
    found, moments = spread(explored, behavior, unit)
    return Figures(unit, maximum(explored, unit), minimum(explored, unit), moments, found)


def earnings(
    explored: Explored, unit: Unit, rates: Sequence[Fraction] = RATES, *, like: Behavior | None = None
) -> tuple[Earning, ...]:
    """Return what a participant earns in a unit by the share of visits met, each visit having the same chance.

    Args:
        explored: the program.
        unit: what is earned.
        rates: the chances that a visit is met.
        like: the behavior that says how likely events are, and leaving for good; left out, events are as likely as visits
            are met, and nobody leaves.

    Example:
        >>> from cm_engine import catalogue
        >>> explored = explore(catalogue.program("va-prize"))
        >>> [round(each.mean) for each in earnings(explored, explored.units[0], [Fraction(1, 2), Fraction(1)])]
        [5088, 36375]
    """
    models = (like.meeting(rate, explored.rules.events) if like else visitwise(rate) for rate in rates)
    found = ((rate, distribution(explored, model, unit)) for rate, model in zip(rates, models, strict=True))
    return tuple(Earning(rate, each.mean, each.quantile(0.05), each.quantile(0.95)) for rate, each in found)


def _sampled_figures(explored: Explored, behavior: Behavior, sample: Sample) -> Figures:
    unit, found = sample.unit, sample.distribution
    average = mean(explored, behavior, unit)
    moments = Moments(sample.mean if average is None else average, Fraction(found.sd) ** 2)
    return Figures(unit, maximum(explored, unit), minimum(explored, unit), moments, found)


def _simulated(
    program: Program, behavior: Behavior, start: date | None, refusal: TooManyStatesError
) -> Analysis:
    rules = compile_rules(program)
    simulation = simulate(program, behavior, participants=SIMULATED, start=start, most=0)
    figures = tuple(_figures_of(program, start, sample) for sample in simulation.samples)
    limits = tuple(Bound(limit, None) for limit in rules.limits)
    return Analysis(program, rules, start, behavior, figures, limits, simulation=simulation, refusal=refusal)


def _figures_of(program: Program, start: date | None, sample: Sample) -> Figures:
    found = sample.distribution
    moments = Moments(Fraction(found.mean), Fraction(found.sd) ** 2)
    most, least = (_of_every_visit(program, start, sample.unit, symbol) for symbol in "-o")
    return Figures(sample.unit, most, least, moments, found)


def _of_every_visit(program: Program, start: date | None, unit: Unit, symbol: str) -> Extreme:
    """Return what is paid to whom every visit goes alike; without events."""
    words = {name: symbol * visit_count(program.plan(target)) for name, target in program.targets.items()}
    return Extreme(decide(program, words, start=start).sums.get(unit, 0), Seen(words))


def _simulated_earning(analysis: Analysis, unit: Unit, rate: Fraction) -> Earning:
    simulation = simulate(
        analysis.program, analysis.meeting(rate), participants=SIMULATED // 5, start=analysis.start, most=0
    )
    found = next(sample for sample in simulation.samples if sample.unit == unit).distribution
    return Earning(rate, found.mean, found.quantile(0.05), found.quantile(0.95))


def _sampled_earning(analysis: Analysis, explored: Explored, unit: Unit, rate: Fraction) -> Earning:
    simulation = sampled(explored, analysis.meeting(rate), participants=SAMPLED)
    found = next(sample for sample in simulation.samples if sample.unit == unit).distribution
    return Earning(rate, found.mean, found.quantile(0.05), found.quantile(0.95))
