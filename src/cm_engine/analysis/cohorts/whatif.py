"""What timelines that came about would have cost under another program: each decided by `step`, as it would have been."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from cm_engine.analysis.cohorts.simulate import Sample
from cm_engine.errors import ReportError, ResultsError
from cm_engine.program.models import Program
from cm_engine.program.prizes import average
from cm_engine.program.units import Unit
from cm_engine.rules.timeline import decide


class Course(NamedTuple):
    """What came about with one participant: a word of results for each target, and the first day of week 1."""

    participant: str
    results: Mapping[str, str]
    start: date | None = None


class Earned(NamedTuple):
    """What a participant would have earned, in minor units by unit."""

    participant: str
    visits: int
    sums: Mapping[Unit, int]


@dataclass(frozen=True)
class WhatIf:
    """What a cohort would have earned.

    Attributes:
        program: the program.
        earned: by each participant, in the order of the file.
        units: in which anything was earned, or could have been at these visits; the program's money first.
    """

    program: Program
    earned: tuple[Earned, ...]
    units: tuple[Unit, ...]

    def total(self, unit: Unit) -> int:
        """Return what all would have earned, in minor units."""
        return sum(each.sums.get(unit, 0) for each in self.earned)

    def mean(self, unit: Unit) -> Fraction:
        """Return what one would have earned on average, in minor units."""
        return Fraction(self.total(unit), len(self.earned))

    def sample(self, unit: Unit) -> Sample:
        """Return what each would have earned, for quantiles and a histogram."""
        return Sample(unit, np.array([each.sums.get(unit, 0) for each in self.earned], dtype=np.int64))

    @property
    def prizes(self) -> Fraction:
        """Return what the draws would have won on average in all, in minor units, before limits on money."""
        bowls = self.program.bowls.items()
        scale = 10 ** self.program.unit(None).decimals if self.program.currency else 1
        return sum(
            (average(bowl) * scale * self.total(self.program.unit(name)) for name, bowl in bowls), Fraction(0)
        )


def what_if(
    program: Program, courses: Iterable[Course], *, progress: Callable[[int], object] | None = None
) -> WhatIf:
    """Return what participants would have earned under a program, with the results that they had.

    Results beyond the plan are dropped. Those of participants with the same words and the same start are decided once.

    Args:
        program: the program.
        courses: what came about with each participant.
        progress: is called with how many participants are done.

    Raises:
        ReportError: there is nobody.
        ResultsError: a word has a symbol that is none, or names no target of the program; it says whose.
        UndatedError: a rule of the program depends on the date, and there is no start.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis.cohorts.whatif import Course, what_if
        >>> words = [Course("p-1", {"cocaine": "---"}), Course("p-2", {"cocaine": "-+-"})]
        >>> found = what_if(catalogue.program("silverman-1996-voucher"), words)
        >>> [found.units[0].spoken(each.sums[found.units[0]]) for each in found.earned]
        ['$22.00', '$5.00']
    """
    earned = tuple(_earned(program, courses, progress))
    if not earned:
        msg = "expected the results of one participant at least, got none"
        raise ReportError(msg)
    found = dict.fromkeys(unit for each in earned for unit in each.sums)
    units = tuple(sorted(found, key=lambda unit: (not unit.is_money, unit.name)))
    return WhatIf(program, earned, units)


def _earned(
    program: Program, courses: Iterable[Course], progress: Callable[[int], object] | None
) -> Iterator[Earned]:
    known: dict[object, tuple[int, Mapping[Unit, int]]] = {}
    for number, course in enumerate(courses, 1):
        key = (tuple(sorted(course.results.items())), course.start)
        if key not in known:
            known[key] = _decided(program, course)
        yield Earned(course.participant, *known[key])
        if progress:
            progress(number)


def _decided(program: Program, course: Course) -> tuple[int, Mapping[Unit, int]]:
    """Return how many visits were decided, and what they paid by unit."""
    try:
        timeline = decide(program, course.results, start=course.start, truncate=True)
    except ResultsError as error:
        msg = f"participant {course.participant}: {error}"
        raise ResultsError(msg) from error
    return len(timeline.decisions), timeline.sums
