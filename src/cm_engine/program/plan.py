"""When participants are expected: weeks with their rhythm of visits, and the days on which the clinic is closed."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from cm_engine.program.parts import Count, Part, Text, Weekday
from cm_engine.program.values import Day, WeekRange

PER_WEEK_MAX = 70
PER_DAY_MAX = 10


class VisitBlock(Part):
    """Weeks that share a rhythm of visits."""

    weeks: Annotated[WeekRange, Field(description="program weeks, such as 1-12 or 24")]
    every_weeks: Annotated[
        Count, Field(description="only the first of every so many weeks has the visits")
    ] = 1
    per_week: Annotated[
        int | None,
        Field(strict=True, ge=0, le=PER_WEEK_MAX, description="visits a week, spread evenly over its days"),
    ] = None
    days: Annotated[
        tuple[Weekday, ...],
        Field(min_length=1, description="instead of per_week: the weekdays of the visits"),
    ] = ()
    program_days: Annotated[
        tuple[Count, ...],
        Field(
            min_length=1, description="instead of per_week: days counted from the start date, which is day 1"
        ),
    ] = ()
    per_day: Annotated[
        int,
        Field(strict=True, ge=1, le=PER_DAY_MAX, description="visits on each of the days, one after another"),
    ] = 1

    def visits_in(self, week: int) -> int:
        """Return how many visits a week of the block has."""
        return len(self.program_days_in(week)) * self.per_day if self.program_days else self._weekly(week)

    def program_days_in(self, week: int) -> tuple[int, ...]:
        """Return those of `program_days` that lie in a week, counted from 0 at its first day."""
        return tuple(day - 1 - 7 * (week - 1) for day in self.program_days if (day - 1) // 7 == week - 1)

    def _weekly(self, week: int) -> int:
        is_due = (week - self.weeks.first) % self.every_weeks == 0
        each = len(self.days) * self.per_day if self.per_week is None else self.per_week
        return each if is_due else 0


class Closure(Part):
    """Days on which nothing is expected of anybody: their visits move to the next open day."""

    first: Annotated[Day, Field(description="the first day")]
    last: Annotated[Day | None, Field(description="the last day; if left out, the first")] = None
    why: Annotated[Text | None, Field(description="a holiday, a move, ...")] = None


def visits_by_week(blocks: tuple[VisitBlock, ...]) -> Iterator[tuple[int, int]]:
    """Yield each week of a plan with the number of its visits."""
    for block in blocks:
        for week in range(block.weeks.first, block.weeks.last + 1):
            yield week, block.visits_in(week)


def visit_count(blocks: tuple[VisitBlock, ...]) -> int:
    """Return the number of visits that a plan expects."""
    return sum(count for _, count in visits_by_week(blocks))
