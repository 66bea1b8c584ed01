"""What must hold between the weeks of a plan and those of the schedules."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from cm_engine.program.checks.base import Found, Whole, listed_once
from cm_engine.program.ladders import Phase
from cm_engine.program.models import Program, Target
from cm_engine.program.partial import IllFormed
from cm_engine.program.plan import Closure, VisitBlock, visit_count
from cm_engine.program.values import WEEKS_MAX, SubPath, Weeks
from cm_engine.program.windows import Windows


def _weeks_follow(blocks: Sequence[VisitBlock] | Sequence[Phase], place: str) -> Found:
    first = blocks[0].weeks.first
    if first != 1:
        yield (place, 0, "weeks"), f"{_left_out(1, first - 1)} before it; begin with week 1"
    for index, (before, after) in enumerate(pairwise(block.weeks for block in blocks), start=1):
        here = (place, index, "weeks")
        if after.first <= before.last:
            yield here, f"weeks {after} overlap weeks {before} above; each week belongs to one"
        elif after.first > before.last + 1:
            yield here, f"{_left_out(before.last + 1, after.first - 1)} between weeks {before} and {after}"


def _left_out(first: int, last: int) -> str:
    return f"week {first} is missing" if first == last else f"weeks {Weeks(first, last)} are missing"


def _plans(program: Program) -> Iterator[tuple[SubPath, tuple[VisitBlock, ...]]]:
    """Yield each plan with its place: that of the program, and those of targets with one of their own."""
    if program.visits:
        yield (), program.visits
    for name, target in program.targets.items():
        if target.visits:
            yield ("targets", name), target.visits


def some_plan(program: Program, _: Whole) -> Found:
    """Find a target without a visit plan, its own or the program's."""
    if program.visits:
        return
    known = not isinstance(program.targets, IllFormed)
    without = [name for name, target in program.targets.items() if not target.visits] if known else []
    if not known or len(without) == len(program.targets):
        yield (), "the key 'visits' is missing, here or in each target"
        return
    for name in without:
        yield ("targets", name), "the key 'visits' is missing, here or in the program"


def _all_plan(targets: Sequence[Target]) -> bool:
    return all(not isinstance(target, IllFormed) and target.visits for target in targets)


def visit_weeks(program: Program, _: Whole) -> Found:
    """Find weeks that a visit plan leaves out or names twice."""
    for place, blocks in _plans(program):
        for below, message in _weeks_follow(blocks, "visits"):
            yield place + below, message


def some_visit(program: Program, _: Whole) -> Found:
    """Find a plan without visits."""
    for place, blocks in _plans(program):
        if not visit_count(blocks):
            yield (*place, "visits"), "the plan expects no visit at all"


def plan_in_use(program: Program, _: Whole) -> Found:
    """Find a plan of the program that no target follows."""
    if program.visits and _all_plan(list(program.targets.values())):
        yield ("visits",), "every target has visits of its own, so nothing follows these; remove them"


def days_around(windows: Windows, _: Whole) -> Found:
    """Find days around a visit that has a whole week."""
    if windows.within == "week":
        for key in ("before", "after"):
            if getattr(windows, key):
                yield (key,), "a visit within its week has the whole week; remove this, or within"


def pauses_move(program: Program, _: Whole) -> Found:
    """Find pauses that can move nothing."""
    if program.pauses == "later" and not any(map(program.windows_of, program.targets.values())):
        yield ("pauses",), "without windows no visit has a day that could come later; add windows"


def schedule_weeks(program: Program, _: Whole) -> Found:
    """Find weeks that a schedule leaves out or names twice."""
    for name, target in program.targets.items():
        for below, message in _weeks_follow(target.schedule, "schedule"):
            yield ("targets", name, *below), message


def schedule_end(program: Program, _: Whole) -> Found:
    """Find a schedule that ends before or after the visit plan."""
    for name, target in program.targets.items():
        plan = program.plan(target)
        ends = target.schedule[-1].weeks.last
        if plan and ends != plan[-1].weeks.last:
            here = ("targets", name, "schedule", len(target.schedule) - 1, "weeks")
            yield (
                here,
                f"the schedule ends {_ending(ends)}, the visits {_ending(plan[-1].weeks.last)}; let them agree",
            )


def _ending(week: int) -> str:
    return "never" if week == WEEKS_MAX else f"with week {week}"


def one_rhythm(block: VisitBlock, _: Whole) -> Found:
    """Find a block with no rhythm of visits, or with two."""
    rhythms = [block.per_week is not None, bool(block.days), bool(block.program_days)]
    if sum(rhythms) != 1:
        yield (), "expected per_week, days or program_days, one of them"
    if len(set(block.days)) < len(block.days):
        yield from listed_once(block.days, ("days",))
    if block.per_day > 1 and block.per_week is not None:
        yield ("per_day",), "per_week spreads the visits by itself; give their days, or remove per_day"
    if block.every_weeks > 1 and block.program_days:
        yield ("every_weeks",), "program_days are single days already; remove every_weeks"


def days_within_weeks(block: VisitBlock, _: Whole) -> Found:
    """Find days that lie outside the weeks of their block, or out of order."""
    first, last = 7 * (block.weeks.first - 1) + 1, 7 * block.weeks.last
    for index, day in enumerate(block.program_days):
        if not first <= day <= last:
            yield (
                ("program_days", index),
                f"expected a day of weeks {block.weeks}, {first} to {last}, got {day}",
            )


def weekdays_once(program: Program, _: Whole) -> Found:
    """Find a weekday that is listed twice."""
    return listed_once(program.open_on, ("open_on",))


def days_once(block: VisitBlock, _: Whole) -> Found:
    """Find a day of the program that is listed twice."""
    return listed_once(block.program_days, ("program_days",))


def closure_ends(closure: Closure, _: Whole) -> Found:
    """Find a closure that ends before it begins."""
    if closure.last is not None and closure.last < closure.first:
        yield ("last",), f"expected {closure.first} or a later day, got {closure.last}"
        return
    days = ((closure.last or closure.first) - closure.first).days + 1
    if days > DAYS_MAX:
        yield ("last",), f"expected at most {DAYS_MAX} days of closure, got {days}"


DAYS_MAX = 366

RULES = {
    Program: (
        some_plan,
        visit_weeks,
        some_visit,
        plan_in_use,
        schedule_weeks,
        schedule_end,
        weekdays_once,
        pauses_move,
    ),
    VisitBlock: (one_rhythm, days_within_weeks, days_once),
    Closure: (closure_ends,),
    Windows: (days_around,),
}
