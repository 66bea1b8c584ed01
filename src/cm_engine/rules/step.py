"""The one meaning of a program: a state and an observation give a decision and the next state."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from cm_engine.errors import PlanExceededError, ResultsError, StateError, UndatedError
from cm_engine.program.values import WEEKS_MAX, unknown_result
from cm_engine.rules.compiled import Rules, Visit
from cm_engine.rules.ladder import all_met, on_entering, respond, way_back
from cm_engine.rules.limits import Limits, When, add, cut
from cm_engine.rules.reasons import Earned, Next, PlanEnded, Reason, Recoverable, Recovered, WasReset
from cm_engine.rules.state import Award, Decision, Ladder, Observation, Received, State

TRANSITIONS_REMEMBERED = 100_000
LOOK_AHEAD = 100


class Transition(NamedTuple):
    """What an outcome does at a visit before limits, and what is promised for the next visit.

    Attributes:
        promises: some reason says what later visits pay.
    """

    visit: Visit
    ladder: Ladder
    paid: Award
    reasons: tuple[Reason, ...]
    promises: bool
    promised: Next | PlanEnded


def initial_state(rules: Rules, start: date | None = None) -> State:
    """Return the state before the first visit.

    Args:
        rules: the program.
        start: the first day of program week 1; None for a timeline without dates, which counts as one year.

    Raises:
        UndatedError: an amount of the program depends on the date, and there is no `start`.
        TypeError: `start` is not a date, or it is one with a time.
    """
    if start is not None:
        _refuse_time(start)
    elif rules.needs_start:
        raise UndatedError("a limit of the program")
    if start is not None and date.max - start < timedelta(days=7 * WEEKS_MAX):
        msg = f"a start on {start} leaves no days for the plan"
        raise ResultsError(msg)
    received = tuple(Received() for _ in rules.limits)
    return State(0, Ladder(), received, start, start, rules.digest)


def step(rules: Rules, state: State, observation: Observation) -> tuple[State, Decision]:
    """Decide the next visit of a timeline.

    Pure: the same arguments give the same answer, on any machine, at any time, and the cost does not depend on
    how many visits went before. Keeps INV-4, INV-8 and INV-10.

    Raises:
        PlanExceededError: every visit of the plan is decided already.
        StateError: the state belongs to another program.
        ResultsError: the outcome is not a symbol of a use-pattern word, or its day is before the last visit.
        TypeError: the day of the observation is not a date, or it is one with a time.

    Example:
        >>> from cm_engine import catalogue
        >>> rules = compile_rules(catalogue.program("california-recovery-incentives"))
        >>> state, decision = step(rules, initial_state(rules), Observation("-"))
        >>> decision.sentence
        'Negative test: $10.00. Next negative: $10.00.'
    """
    if state.program != rules.digest:
        raise StateError(state.program, rules.digest)
    outcome, on = observation
    visit, ladder, paid, reasons, promises, promised = transition(rules, state.visits, state.ladder, outcome)
    on = _not_before(state, on, visit) if on else expected_day(visit, state)
    received, limits = state.received, visit.phase.limits
    if limits and paid.amount:
        when = _when(visit, on)
        award, limited = cut(limits, received, paid.amount, when)
        received = add(limits, received, paid.amount, award, when)
        if limited:
            paid, reasons = Award(paid.unit, award), (*_worth(reasons), limited)
    after = State(state.visits + 1, ladder, received, state.start, on, state.program)
    following = _within_limits(rules, after, promised)
    if limits and promises:
        reasons = tuple(_kept_promises(reasons, limits, received, _when(visit, on), following))
    reasons += (following,)
    return after, Decision(visit.number, visit.week, on, outcome, (paid,), reasons, visit.phase.behavior)


def forecast(rules: Rules, state: State) -> Next | PlanEnded:
    """Return what the next visit pays if the target is met on its planned day; keeps INV-6.

    Every decision has this as its last reason; call it for what comes before the first.

    Example:
        >>> from cm_engine import catalogue
        >>> rules = compile_rules(catalogue.program("california-recovery-incentives"))
        >>> promised = forecast(rules, initial_state(rules))
        >>> promised.unit.spoken(promised.amount)
        '$10.00'
    """
    return _within_limits(rules, state, promise(rules, state.visits, state.ladder))


def _within_limits(rules: Rules, state: State, promised: Next | PlanEnded) -> Next | PlanEnded:
    if not (rules.limits and isinstance(promised, Next)):
        return promised
    visit = rules.visits[state.visits + promised.after - 1]
    when = _when(visit, expected_day(visit, state))
    award, limited = cut(visit.phase.limits, state.received, promised.amount, when)
    return promised._replace(amount=award, limited=True) if limited else promised


def _kept_promises(
    reasons: tuple[Reason, ...],
    limits: Limits,
    received: tuple[Received, ...],
    when: When,
    following: Reason,
) -> Iterator[Reason]:
    """Yield the reasons without what the limits leave too little for."""
    is_short = isinstance(following, Next) and following.limited
    for reason in reasons:
        match reason:
            case Recoverable() if cut(limits, received, reason.in_all, when)[1]:
                continue
            case Recovered() if is_short:
                continue
            case WasReset() if is_short:
                yield reason._replace(restart=None)
            case _:
                yield reason


def _worth(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Return reasons that say what a visit is worth, where a limit pays less."""
    return tuple(
        reason._replace(limited=True) if isinstance(reason, Earned) else reason for reason in reasons
    )


@lru_cache(maxsize=TRANSITIONS_REMEMBERED)
def transition(rules: Rules, index: int, ladder: Ladder, outcome: str) -> Transition:
    """Return what an outcome does at the visit of an index, before limits.

    Remembered, because a program has few states and a clinic meets the same ones all day.

    Raises:
        PlanExceededError: the plan has no such visit.
        ResultsError: the outcome is not a symbol of a use-pattern word.
    """
    if index >= len(rules.visits):
        raise PlanExceededError(index + 1, len(rules.visits))
    visit = rules.visits[index]
    if outcome not in visit.phase.effects:
        raise ResultsError(unknown_result(outcome) or f"expected one result, got {outcome!r}")
    after, earned, reasons = respond(visit, on_entering(visit, ladder), outcome)
    if isinstance(reasons[0], WasReset) and (
        back := way_back(rules.visits[index + 1 : index + LOOK_AHEAD], after)
    ):
        reasons += (back,)
    paid = Award(visit.phase.unit, earned)
    promises = any(isinstance(reason, WasReset | Recoverable | Recovered) for reason in reasons)
    return Transition(visit, after, paid, reasons, promises, promise(rules, index + 1, after))


def promise(rules: Rules, index: int, ladder: Ladder) -> Next | PlanEnded:
    """Return what the visit of an index pays if the target is met, before limits.

    Where it pays nothing yet, the first of the visits after it that pays if all are met.
    """
    if index == len(rules.visits):
        return PlanEnded()
    first = rules.visits[index]
    opens = first.phase.weeks if first.opens_phase and index else ""
    responses = all_met(rules.visits[index : index + first.phase.patience], ladder)
    after, earned = next(((n, each.earned) for n, each in enumerate(responses, 1) if each.earned), (1, 0))
    return Next(rules.visits[index + after - 1].phase.unit, earned, limited=False, opens=opens, after=after)


def _when(visit: Visit, on: date | None) -> When:
    return When(on.toordinal() if on else visit.days[0], visit.week, on)


def expected_day(visit: Visit, state: State) -> date | None:
    """Return the day that the plan expects a visit on, or that of a later visit which came before it.

    None in a timeline without dates.
    """
    if state.start is None or state.last is None:
        return state.last
    return max(state.last, state.start + timedelta(days=visit.days[state.start.weekday()]))


def _not_before(state: State, on: date, visit: Visit) -> date:
    """Return the day of an observation, after looking that no earlier visit comes after it."""
    _refuse_time(on)
    if state.start is None:
        msg = f"visit {visit.number} is on {on}, in a timeline without dates; begin it with a start"
        raise ResultsError(msg)
    if state.last and on < state.last:
        before = f"visit {visit.number - 1}" if state.visits else "the start"
        msg = f"visit {visit.number} is on {on}, before {before} on {state.last}; decide visits in order of their days"
        raise ResultsError(msg)
    return on


def _refuse_time(day: object) -> None:
    if type(day) is not date:
        msg = f"expected a date without a time, got {day!r}"
        raise TypeError(msg)
