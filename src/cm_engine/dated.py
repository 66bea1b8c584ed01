"""Observations that say days, in their order: whether a database takes each for the visit that it is taken for here."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from cm_engine.program.models import Program
from cm_engine.rules import Decision, Observation
from cm_engine.rules.compiled import Rules, TargetRules, compile_rules
from cm_engine.rules.days import Before, initial_state
from cm_engine.rules.state import State
from cm_engine.rules.step import step
from cm_engine.rules.windows import ABSENCES, AS_PLANNED, Calendar, Counted, Passed, Plan, Window

Decided = tuple[Observation, Decision]
"""An observation, and what was decided on it as one of a list."""


def taken_otherwise(
    program: Program, start: date | None, decided: Iterable[Decided], before: Before | None = None
) -> Iterator[tuple[int, str]]:
    """Yield the days that a database takes otherwise, by the places of their observations, and why.

    A list has one observation a visit, in order, and nobody says there that the time of a visit is over: a database finds
    another visit for some days, or none; and of the other targets it has missed by then what nobody wrote.

    Args:
        program: the program.
        start: the first day of week 1; without one nothing can be told.
        decided: the observations in their order, with what was decided on each.
        before: values measured before the plan, by target.
    """
    rules, known = compile_rules(program), list(decided)
    if start is None or not rules.has_windows:
        return
    calendar = AS_PLANNED._replace(moved=dict(_put_off(rules, start, known)))
    elsewhere = list(_of_other_visits(rules, start, calendar, known))
    yield from elsewhere or _missed_in_between(rules, initial_state(rules, start, before), calendar, known)


def _put_off(rules: Rules, start: date, decided: Iterable[Decided]) -> Iterator[tuple[tuple[str, int], date]]:
    """Yield the visits that were put off beforehand to a day that is none of theirs."""
    for seen, decision in decided:
        target = _with_windows(rules, decision)
        if target and seen.on and seen.evidence and "rescheduled" in seen.evidence.conditions:
            window = Plan(rules, target, start, AS_PLANNED).window(target.visits[decision.visit - 1])
            if window and not window.opens <= seen.on <= window.closes:
                yield (target.name, decision.visit), seen.on


def _with_windows(rules: Rules, decision: Decision) -> TargetRules | None:
    """Return the target whose visit a decision is of, if it says which days belong to a visit."""
    target = rules.target(decision.target) if decision.visit else None
    return target if target and target.windows else None


def _of_other_visits(
    rules: Rules, start: date, calendar: Calendar, decided: Iterable[Decided]
) -> Iterator[tuple[int, str]]:
    counted: dict[str, Counted | None] = {}
    for index, (seen, decision) in enumerate(decided):
        target = _with_windows(rules, decision)
        if target is None:
            continue
        plan, last = Plan(rules, target, start, calendar), counted.get(target.name)
        if seen.on and (what := _elsewhere(plan, last, seen, decision.visit)):
            yield index, what
        counted[target.name] = Counted(seen.on, decision.visit) if seen.on else None


def _elsewhere(plan: Plan, last: Counted | None, seen: Observation, number: int) -> str:
    """Say why a database would take an observation for another visit than that of a number, or otherwise."""
    day, conditions = seen.on, seen.evidence.conditions if seen.evidence else ()
    window = plan.window(plan.target.visits[number - 1])
    assert day
    assert window
    if refused := _not_moved(plan, day, number, window):
        return refused
    if not window.opens <= day <= window.closes:
        days = f"from {window.opens} to {window.closes}"
        what = (
            f"{day} is no day of visit {number}, which has the days {days}; there is one observation a visit"
        )
        return f"{what}, in order: write those that nobody came to, too, with the result o"
    place = plan.place(number - 1, last, day, day)
    if place.visit is None or (place.how, place.visit.number) != ("counts", number):
        held = f", {place.visit.number}" if place.visit else ""
        return f"{day} is taken for one more result of the visit before{held}, and not for visit {number}; leave it out, or write a later day"
    if place.is_makeup and "makeup" not in conditions and seen.outcome not in ABSENCES:
        return f"{day} makes visit {number} good, as it comes after {window.made_up_after}; write conditions: [makeup] beside it"
    return ""


def _not_moved(plan: Plan, day: date, number: int, window: Window) -> str:
    """Say why a database refuses to put a visit off to a day: it stays between its neighbors, where the clinic is open."""
    if (plan.target.name, number) not in plan.calendar.moved:
        return ""
    if window.planned != day:
        return f"visit {number} cannot be put off to {day}, as the clinic is closed; write another day"
    stays = plan.stays_beside(number, day)
    return (
        f"{stays}, and cannot be put off to {day}; put that one off, too, or write another day"
        if stays
        else ""
    )


class _Unwritten(NamedTuple):
    """A visit that nobody came to and nobody wrote, of a target."""

    passed: Passed
    target: TargetRules

    @property
    def observation(self) -> Observation:
        return Observation("o", self.passed.last, self.target.name)


def _missed_in_between(
    rules: Rules, state: State, calendar: Calendar, decided: Iterable[Decided]
) -> Iterator[tuple[int, str]]:
    """Yield the first observation that comes to something else because a visit of another target is over by then."""
    first: _Unwritten | None = None
    for index, (seen, decision) in enumerate(decided):
        for each in _over(rules, state, calendar, seen.on, decision.target):
            first, state = first or each, step(rules, state, each.observation)[0]
        state, found = step(rules, state, seen)
        if first and (found.outcome, found.awards) != (decision.outcome, decision.awards):
            visit, day = f"visit {first.passed.visit.number} of {first.target.name}", first.passed.last
            yield (
                index,
                f"by {seen.on} {visit} is over, and this comes to something else with it; write what was seen of it before, or the result o on {day}",
            )
            return


def _over(rules: Rules, state: State, calendar: Calendar, day: date | None, but: str) -> list[_Unwritten]:
    """Return the visits that are over on a day and not decided, of all targets but the one that is seen."""
    if day is None or state.start is None:
        return []
    others = [target for target in rules.targets if target.windows and target.name != but]
    found = (
        _Unwritten(passed, target)
        for target in others
        for passed in Plan(rules, target, state.start, calendar).over(
            state.tracks[target.index].visits, day, grace=True
        )
    )
    return sorted(found, key=lambda each: each.passed.last)
