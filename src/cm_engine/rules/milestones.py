"""Rewards on conditions of their own: a run, a count, a week, an end, an event; each condition is one function."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cm_engine.program.evidence import Criterion
from cm_engine.program.models import Program
from cm_engine.program.parts import RESET_BY_DEFAULT
from cm_engine.program.rewards import CONDITIONS_OF_MILESTONES, Milestone, When
from cm_engine.program.units import Unit
from cm_engine.program.values import OUTCOMES
from cm_engine.rules.criteria import Measured, Memory, judge, looks_back, remember
from cm_engine.rules.plan import Visit

PRESENT = frozenset("-+*r")
"""The outcomes of a visit that was kept, whatever its result."""


@dataclass(frozen=True, slots=True, eq=False)
class MilestoneRules:
    """A milestone in minor units.

    Attributes:
        targets: the names of the targets that count.
        kind: run, count, visits, week, end_of or event.
        needed: how many it takes; of a week, 0 for all.
        resets: the symbols that begin the count anew.
        at_most: how often it is paid; None without end.
        due: of a week, how many visits each week has; of an end, the weeks with the number of their visits.
    """

    name: str
    says: str
    unit: Unit
    amount: int
    targets: frozenset[str]
    kind: str
    needed: int
    event: str
    criterion: Criterion | None
    resets: frozenset[str]
    due: Mapping[int, int]
    at_most: int | None
    refunds: bool


class Progress(NamedTuple):
    """How far a milestone is.

    Attributes:
        times: how often it was reached.
        done: successes, or visits, that count towards it.
        decided: of an end, how many visits of its weeks are decided.
        weeks: of weeks, those that have begun: the week, its visits decided, met, and neither met nor unneeded.
        memory: the values of an event that is measured.
    """

    times: int = 0
    done: int = 0
    decided: int = 0
    weeks: tuple[tuple[int, int, int, int], ...] = ()
    memory: Memory = Memory()


def compile_milestones(
    program: Program, visits: Mapping[str, tuple[Visit, ...]]
) -> tuple[MilestoneRules, ...]:
    """Return the milestones of a program.

    Args:
        program: the program.
        visits: the visits of each target, by its name.
    """
    return tuple(
        _compiled(name, milestone, program, visits) for name, milestone in program.milestones.items()
    )


def _compiled(
    name: str, milestone: Milestone, program: Program, visits: Mapping[str, tuple[Visit, ...]]
) -> MilestoneRules:
    when, unit = milestone.when, program.unit(milestone.unit)
    targets = when.targets or tuple(visits)
    weeks = Counter(visit.week for target in targets for visit in visits[target])
    within = range(when.end_of.first, when.end_of.last + 1) if when.end_of else weeks
    kind = "event" if when.event else next(key for key in CONDITIONS_OF_MILESTONES if getattr(when, key))
    by_default = RESET_BY_DEFAULT if when.run else ()
    return MilestoneRules(
        name=name,
        says=milestone.says,
        unit=unit,
        amount=unit.minor(milestone.amount),
        targets=frozenset(targets),
        kind=kind,
        needed=_needed(when),
        event=when.event or "",
        criterion=when.criterion,
        resets=frozenset(s for s, word in OUTCOMES.items() if word in (milestone.resets_on or by_default)),
        due={week: weeks[week] for week in within},
        at_most=milestone.at_most if milestone.repeats else 1,
        refunds=milestone.refunds,
    )


def _needed(when: When) -> int:
    """Return how many successes, visits or events it takes; of a week, 0 for all."""
    if when.week is not None:
        return when.week if isinstance(when.week, int) else int(when.week == "some")
    return when.run or when.count or when.visits or when.at_least


def after_visit(
    milestone: MilestoneRules, progress: Progress, target: str, week: int, outcome: str
) -> tuple[Progress, bool]:
    """Return how far a milestone is after a visit, and whether the visit reached it."""
    if target not in milestone.targets or is_spent(milestone, progress):
        return progress, False
    match milestone.kind:
        case "run" | "count":
            after, reached = _count(milestone, progress, outcome, "-")
        case "visits":
            after, reached = _count(milestone, progress, outcome, PRESENT)
        case "week":
            after, reached = _week(milestone, progress, week, outcome)
        case "end_of":
            after, reached = _end(milestone, progress, week, outcome)
        case _:
            return progress, False
    return (after._replace(times=after.times + 1), True) if reached else (after, False)


def after_event(
    milestone: MilestoneRules, progress: Progress, event: str, measured: Measured | None
) -> tuple[Progress, bool]:
    """Return how far a milestone is after an event, and whether the event reached it."""
    if event != milestone.event or is_spent(milestone, progress):
        return progress, False
    if milestone.criterion is None:
        return _counted(milestone, progress)
    if measured is None:
        return progress, False
    criterion = milestone.criterion
    met = judge(criterion, progress.memory, measured).met
    memory = remember(criterion, progress.memory, measured, met, looks_back(criterion))
    after = progress._replace(memory=memory)
    return _counted(milestone, after) if met else (after, False)


def is_spent(milestone: MilestoneRules, progress: Progress) -> bool:
    """Tell whether a milestone was paid as often as it is paid at all."""
    return milestone.at_most is not None and progress.times >= milestone.at_most


def is_over(milestone: MilestoneRules, progress: Progress, left: Mapping[str, int]) -> bool:
    """Tell whether no visit is left that could reach a milestone; an event may always happen."""
    if milestone.kind == "event":
        return False
    if milestone.kind == "end_of" and progress.decided == sum(milestone.due.values()):
        return True
    return not any(left[name] for name in milestone.targets)


def _counted(milestone: MilestoneRules, progress: Progress) -> tuple[Progress, bool]:
    """Count a time that an event happened; a count that is full begins anew."""
    reached = progress.done + 1 >= milestone.needed
    return progress._replace(
        done=0 if reached else progress.done + 1, times=progress.times + reached
    ), reached


def _count(
    milestone: MilestoneRules, progress: Progress, outcome: str, counting: str | frozenset[str]
) -> tuple[Progress, bool]:
    """Count an outcome; a count that is full begins anew."""
    if outcome in milestone.resets:
        return progress._replace(done=0), False
    if outcome not in counting:
        return progress, False
    reached = progress.done + 1 == milestone.needed
    return progress._replace(done=0 if reached else progress.done + 1), reached


def _week(milestone: MilestoneRules, progress: Progress, week: int, outcome: str) -> tuple[Progress, bool]:
    """Count a visit of a week; the last of its visits, of whichever target, tells."""
    known = {each: (decided, met, unmet) for each, decided, met, unmet in progress.weeks}
    decided, met, unmet = known.pop(week, (0, 0, 0))
    decided, met, unmet = decided + 1, met + (outcome == "-"), unmet + (outcome not in "-_")
    over = decided == milestone.due[week]
    if not over:
        known[week] = (decided, met, unmet)
    after = progress._replace(weeks=tuple((each, *counts) for each, counts in sorted(known.items())))
    return after, over and met >= max(1, milestone.needed) and (milestone.needed > 0 or not unmet)


def _end(milestone: MilestoneRules, progress: Progress, week: int, outcome: str) -> tuple[Progress, bool]:
    """Count a visit of the weeks whose end it is about; their last visit tells."""
    if week not in milestone.due:
        return progress, False
    decided, done = progress.decided + 1, progress.done + (outcome == "-")
    over = decided == sum(milestone.due.values())
    return progress._replace(decided=decided, done=done), over and done >= milestone.needed
