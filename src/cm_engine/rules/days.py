"""The days of a timeline: when it begins, when a visit is expected, and that days never go back."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from cm_engine.errors import ResultsError, UndatedError
from cm_engine.program.values import WEEKS_MAX
from cm_engine.rules.compiled import Rules, TargetRules
from cm_engine.rules.criteria import NO_VALUES, Measured, Memory, checked_value
from cm_engine.rules.limits import When
from cm_engine.rules.milestones import Progress
from cm_engine.rules.plan import Visit
from cm_engine.rules.state import Ladder, Received, State, Track

Before = Mapping[str, Sequence[Decimal]]
"""The values of each target that were measured before the plan, the first one being the baseline."""


def initial_state(rules: Rules, start: date | None = None, before: Before | None = None) -> State:
    """Return the state before the first visit.

    Args:
        rules: the program.
        start: the first day of program week 1; None for a timeline without dates, which counts as one year.
        before: values measured before the plan, by target; they count as measured on the day before the start.

    Raises:
        UndatedError: a rule of the program depends on the date, and there is no `start`.
        ResultsError: the start leaves no days for the plan, or `before` names no target of the program.
        TypeError: `start` is not a date, or it is one with a time.
    """
    if start is not None:
        refuse_time(start)
    elif rules.needs_start:
        raise UndatedError(rules.program.dated_rules[0])
    if start is not None and date.max - start < timedelta(days=7 * WEEKS_MAX):
        msg = f"a start on {start} leaves no days for the plan"
        raise ResultsError(msg)
    day = (start.toordinal() if start else 0) - 1
    memories = {
        rules.target(name).index: _memory(rules.target(name), values, day)
        for name, values in (before or {}).items()
    }
    tracks = tuple(Track(0, Ladder(), "", memories.get(each.index, NO_VALUES), 0) for each in rules.targets)
    received = tuple(Received() for _ in rules.limits)
    counted = tuple(Received() for _ in range(rules.quotas))
    progress = tuple(Progress() for _ in rules.milestones)
    return State(tracks, received, counted, progress, None, start, start, rules.digest)


def _memory(target: TargetRules, values: Sequence[Decimal], day: int) -> Memory:
    """Return the values from before the plan, as far back as some criterion looks."""
    recent = tuple(Measured(checked_value(value), day) for value in values)[-target.looks_back :]
    return Memory(values[0] if values else None, recent)


def when_of_visit(visit: Visit, on: date | None) -> When:
    """Return the day of a visit as limits and criteria count it; without dates the planned one."""
    return When(on.toordinal() if on else visit.days[0], visit.week, on)


def when_of_event(rules: Rules, state: State, on: date | None) -> When:
    """Return the day of an event as limits and criteria count it; without dates that of the last visit decided."""
    if on is not None and state.start is not None:
        return When(on.toordinal(), max(0, (on - state.start).days // 7) + 1, on)
    tracks = zip(rules.targets, state.tracks, strict=True)
    days = [target.visits[track.visits - 1].days[0] for target, track in tracks if track.visits]
    day = max(days, default=0)
    return When(day, day // 7 + 1, None)


def expected_day(rules: Rules, state: State, visit: Visit) -> date | None:
    """Return the day that the plan expects a visit on, or that of a later visit which came before it.

    A day on which the clinic is closed moves to the next that is open. None in a timeline without dates.
    """
    if state.start is None or state.last is None:
        return state.last
    day = max(state.last, state.start + timedelta(days=visit.days[state.start.weekday()]))
    return next_open(rules, day) if day in rules.closed else day


def next_open(rules: Rules, day: date) -> date:
    """Return a day, or the next on which the clinic is open.

    Raises:
        ResultsError: there is none.
    """
    while day in rules.closed or (rules.open_on and day.weekday() not in rules.open_on):
        if day == date.max:
            msg = "the clinic is closed until the end of the calendar; check its closures"
            raise ResultsError(msg)
        day += timedelta(days=1)
    return day


def not_before(state: State, on: date, visit: Visit | None = None) -> date:
    """Return the day of an observation, after looking that no visit decided before comes after it.

    An event, such as the intake, may come before the start.

    Raises:
        ResultsError: the timeline has no dates, or the day is before the last one decided.
        TypeError: it is not a date, or it is one with a time.
    """
    refuse_time(on)
    what = f"visit {visit.number}" if visit else "the event"
    if state.start is None:
        msg = f"{what} is on {on}, in a timeline without dates; begin it with a start"
        raise ResultsError(msg)
    if state.last is None or on >= state.last:
        return on
    decided = any(track.visits for track in state.tracks)
    if visit is None and not decided:
        return on
    before = f"what was decided last, on {state.last}" if decided else f"the start on {state.last}"
    msg = f"{what} is on {on}, before {before}; decide visits in order of their days"
    raise ResultsError(msg)


def refuse_time(day: object) -> None:
    """Refuse what is not a plain date."""
    if type(day) is not date:
        msg = f"expected a date without a time, got {day!r}"
        raise TypeError(msg)
