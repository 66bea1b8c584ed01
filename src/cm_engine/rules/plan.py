"""The visits that a plan expects: their weeks, their days, and the phase that each belongs to."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cm_engine.program.ladders import Phase
from cm_engine.program.parts import WEEKDAYS
from cm_engine.program.plan import VisitBlock
from cm_engine.rules.phases import PhaseRules


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One expected visit.

    Attributes:
        number: counted from 1 over the whole plan.
        week: the program week, from 1.
        days: how many days after the start date, by the weekday of that date; Monday is 0.
        begins_ladder: it is the first of its phase and of those that carry it on.
        left_in_phase: the visits still to come after this one, of the phase and of those that carry it on.
    """

    number: int
    week: int
    days: tuple[int, ...]
    phase: PhaseRules
    opens_phase: bool
    begins_ladder: bool
    opens_week: bool
    closes_week: bool
    left_in_phase: int


def visits(
    plan: Sequence[VisitBlock], schedule: Sequence[Phase], compiled: Sequence[PhaseRules]
) -> Iterator[Visit]:
    """Yield the visits of a target, in order.

    Args:
        plan: blocks of weeks.
        schedule: the phases, as written.
        compiled: the same phases, ready to step.
    """
    ruling = {
        week: rules
        for phase, rules in zip(schedule, compiled, strict=True)
        for week in range(phase.weeks.first, phase.weeks.last + 1)
    }
    slots = [(week, index, days) for week, days in _weeks(plan) for index in range(len(days[0]))]
    stretch = _stretches(schedule)
    left = Counter(stretch[week] for week, _, _ in slots)
    opened: set[int] = set()
    begun: set[int] = set()
    for number, (week, index, days) in enumerate(slots, start=1):
        phase = ruling[week]
        left[stretch[week]] -= 1
        yield Visit(
            number=number,
            week=week,
            days=tuple(7 * (week - 1) + offsets[index] for offsets in days),
            phase=phase,
            opens_phase=id(phase) not in opened,
            begins_ladder=stretch[week] not in begun,
            opens_week=index == 0,
            closes_week=index == len(days[0]) - 1,
            left_in_phase=left[stretch[week]],
        )
        opened.add(id(phase))
        begun.add(stretch[week])


def _stretches(schedule: Sequence[Phase]) -> Mapping[int, int]:
    """Return for each week the week in which its ladder began: that of the last phase that does not carry on."""
    begun: dict[int, int] = {}
    for phase in schedule:
        first = phase.weeks.first
        begins = begun[first - 1] if phase.carry else first
        begun.update(dict.fromkeys(range(first, phase.weeks.last + 1), begins))
    return begun


def _weeks(plan: Sequence[VisitBlock]) -> Iterator[tuple[int, tuple[tuple[int, ...], ...]]]:
    """Yield each week with the days of its visits, counted from its first day, by the weekday of that day."""
    for block in plan:
        for week in range(block.weeks.first, block.weeks.last + 1):
            due = block.visits_in(week) > 0
            yield week, tuple(_days(block, week, first) if due else () for first in range(7))


def _days(block: VisitBlock, week: int, first: int) -> tuple[int, ...]:
    if block.per_week is not None:
        return tuple(7 * index // block.per_week for index in range(block.per_week))
    days = block.program_days_in(week) or tuple((WEEKDAYS.index(day) - first) % 7 for day in block.days)
    return tuple(day for day in sorted(days) for _ in range(block.per_day))
