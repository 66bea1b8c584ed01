"""What a program costs while participants keep enrolling: month by month and in all, with a sum to be sure of.

Each participant is paid by the exact distribution of one, from the month of enrolling on; those of a month are independent,
so that the cohort's is a convolution of theirs. Nothing is taken to be normal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import partial

from cm_engine.analysis.behavior import Behavior, Chance, chance_of
from cm_engine.analysis.cohorts.monthly import Months, by_month, by_month_sampled
from cm_engine.analysis.cohorts.stepping import Stepping
from cm_engine.analysis.cohorts.sums import Group, Together, together
from cm_engine.analysis.distributions import Distribution
from cm_engine.analysis.exact import distribution
from cm_engine.analysis.explored import MOST, Explored, explore
from cm_engine.analysis.parts import start_of
from cm_engine.errors import ReportError, TooManyStatesError
from cm_engine.program.models import Program
from cm_engine.program.units import Unit
from cm_engine.rules.limits import When

DAYS_OF_YEAR, MONTHS_OF_YEAR, MONTHS_OF_QUARTER = 365, 12, 3

SAMPLED = 2_000
"""How many participants stand for all where a program has too many states."""


@dataclass(frozen=True)
class Spending:
    """What is spent in one month.

    Attributes:
        month: counted from 0, the first in which anybody enrolls.
        begins: its first day; None where the program has no dates.
        enrolling: how many participants start in it.
        paid: what all are paid.
    """

    month: int
    begins: date | None
    enrolling: int
    paid: Together


@dataclass(frozen=True)
class Budget:
    """What a program costs over an enrolment curve, in one unit.

    Attributes:
        program: the program.
        behavior: how likely each result is.
        unit: what is counted.
        sure: the chance with which a quantile is not exceeded.
        months: one after the other.
        total: of all participants, to the end of the plan of the last.
        sampled: how many simulated participants the distribution of one is of; 0 where it is exact.
    """

    program: Program
    behavior: Behavior
    unit: Unit
    sure: Fraction
    months: tuple[Spending, ...]
    total: Together
    sampled: int

    @property
    def participants(self) -> int:
        """Return how many participants enrol in all."""
        return sum(each.enrolling for each in self.months)

    @property
    def error(self) -> float:
        """Return the most by which a chance is off, of any month or of the total."""
        return max(each.error for each in (self.total, *(month.paid for month in self.months)))


def budget(
    program: Program,
    behavior: Behavior,
    curve: Sequence[int],
    *,
    every: str = "month",
    sure: Chance = "0.9",
    start: date | None = None,
    unit: Unit | None = None,
    most: int = MOST,
    progress: Callable[[int], object] | None = None,
) -> Budget:
    """Return what a program costs over an enrolment curve.

    Participants start on the first day of their month. Without a start, and where no rule depends on dates, a month is a
    twelfth of a year of 365 days.

    Args:
        program: the program.
        behavior: how likely each result is.
        curve: how many participants start in each month or quarter; those of a quarter are spread over its months.
        every: month or quarter.
        sure: the chance with which a sum is not exceeded.
        start: a day of the first month; where a rule depends on dates and none is given, that of the first dated case.
        unit: what is counted; the money of the program if left out, else the first unit that it pays.
        most: how many decisions exploring may take; a program with more states is simulated for one participant.
        progress: is called with how many months of the curve are looked at.

    Raises:
        ReportError: the curve has no participants or less than none, or is by something else than months and quarters.
        ResultsError: `sure` is no chance.
        UndatedError: a rule of the program depends on the date, and there is no start.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import visitwise
        >>> found = budget(catalogue.program("higgins-1994-voucher"), visitwise("0.8"), [10, 10])
        >>> found.unit.spoken(round(found.total.mean)), found.unit.spoken(found.total.quantile(0.9))
        ('$5657.55', '$6278.75')
    """
    enrolling = _months(curve, every)
    first = start_of(program, start)
    first = first.replace(day=1) if first else None
    one = _Participant(program, behavior, unit, most)
    groups: list[list[Group]] = []
    totals: list[Group] = []
    for month, count in enumerate(enrolling):
        paid, total = one.paid(_month_after(first, month) if first else None)
        totals.append(Group(total, count))
        if progress:
            progress(month + 1)
        for after, each in paid.items():
            groups += [[] for _ in range(month + after + 1 - len(groups))]
            groups[month + after].append(Group(each, count))
    counts = [*enrolling, *[0] * (len(groups) - len(enrolling))]
    months = (
        Spending(
            month,
            _month_after(first, month) if first else None,
            counts[month],
            together(one.unit, _joined(each)),
        )
        for month, each in enumerate(groups)
    )
    whole = together(one.unit, _joined(totals))
    return Budget(program, behavior, one.unit, chance_of(sure), tuple(months), whole, one.sampled)


def _months(curve: Sequence[int], every: str) -> list[int]:
    """Return how many participants start in each month."""
    if every not in {"month", "quarter"}:
        msg = f"every: expected month or quarter, got {every!r}"
        raise ReportError(msg)
    if any(count < 0 for count in curve) or not sum(curve):
        msg = f"curve: expected how many participants start in each {every}, one at least in all, got {list(curve)}"
        raise ReportError(msg)
    if every == "month":
        return list(curve)
    return [
        count // MONTHS_OF_QUARTER + (month < count % MONTHS_OF_QUARTER)
        for count in curve
        for month in range(MONTHS_OF_QUARTER)
    ]


def _month_after(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, MONTHS_OF_YEAR)
    return date(first.year + years, month + 1, 1)


def _joined(groups: Sequence[Group]) -> list[Group]:
    """Return groups with those made one whose distribution is the same."""
    found: dict[int, Group] = {}
    for each in groups:
        known = found.get(id(each.distribution), Group(each.distribution, 0))
        found[id(each.distribution)] = known._replace(participants=known.participants + each.participants)
    return list(found.values())


class _Participant:
    """What one participant is paid, by the start; without dates every start is the same."""

    def __init__(self, program: Program, behavior: Behavior, unit: Unit | None, most: int) -> None:
        self._program, self._behavior, self._most = program, behavior, most
        self.unit, self.sampled = unit or _unit(program), 0
        self._known: dict[date | None, tuple[Months, Distribution]] = {}

    def paid(self, start: date | None) -> tuple[Months, Distribution]:
        """Return what is paid in each month from that of the start on, and in all."""
        if start not in self._known:
            self._known[start] = self._found(start, partial(_month_of, start))
        return self._known[start]

    def _found(self, start: date | None, month: Callable[[When], int]) -> tuple[Months, Distribution]:
        try:
            explored = explore(self._program, start=start, most=self._most)
            paid = by_month(explored, self._behavior, self.unit, month)
            return paid, self._whole(explored)
        except TooManyStatesError:
            self.sampled = SAMPLED
            stepping = Stepping(self._program, self._behavior, start)
            return by_month_sampled(stepping, self.unit, month, SAMPLED, 0)

    def _whole(self, explored: Explored) -> Distribution:
        """Return what is paid in all: all of the plan as one month, where that is not too large to be quick."""
        try:
            return by_month(explored, self._behavior, self.unit, lambda _: 0)[0]
        except TooManyStatesError:
            return distribution(explored, self._behavior, self.unit)


def _unit(program: Program) -> Unit:
    if program.currency:
        return program.unit(None)
    return explore(program).units[0]


def _month_of(start: date | None, when: When) -> int:
    """Return which month after that of the start a day is in."""
    if start is None or when.on is None:
        return when.day * MONTHS_OF_YEAR // DAYS_OF_YEAR
    return MONTHS_OF_YEAR * (when.on.year - start.year) + when.on.month - start.month
