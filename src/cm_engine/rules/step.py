"""The one meaning of a program: a state and an observation give a decision and the next state."""

from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from cm_engine.errors import PlanExceededError, ResultsError, UndatedError
from cm_engine.program.values import outcomes_listed
from cm_engine.rules.compiled import Rules, Visit
from cm_engine.rules.ladder import on_entering, respond, reward
from cm_engine.rules.limits import add, cut
from cm_engine.rules.reasons import Next, PlanEnded, Reason
from cm_engine.rules.state import Award, Decision, Ladder, Observation, Received, State

MEMORY = 100_000


class Transition(NamedTuple):
    """What an outcome does at a visit before limits, and what is promised for the next visit."""

    visit: Visit
    ladder: Ladder
    paid: Award
    reasons: tuple[Reason, ...]
    promised: Next | PlanEnded


def initial_state(rules: Rules, start: date | None = None) -> State:
    """Return the state before the first visit.

    Args:
        rules: the program.
        start: the first day of program week 1; None for a timeline without dates, which counts as one year.

    Raises:
        UndatedError: an amount of the program depends on the date, and there is no `start`.
    """
    if start is None and rules.needs_start:
        raise UndatedError("a limit of the program")
    return State(0, Ladder(), tuple(Received() for _ in rules.limits), start)


def step(rules: Rules, state: State, observation: Observation) -> tuple[State, Decision]:
    """Decide the next visit of a timeline.

    Keeps INV-4, INV-8 and INV-10. Pure: the same arguments give the same answer, on any machine, at any time. The cost does not depend on
    how many visits went before.

    Raises:
        PlanExceededError: every visit of the plan is decided already.
        ResultsError: the outcome is not a symbol of a use-pattern word.

    Example:
        >>> from cm_engine import catalogue
        >>> rules = compile_rules(catalogue.program("california-recovery-incentives"))
        >>> state, decision = step(rules, initial_state(rules), Observation("-"))
        >>> decision.sentence
        'Negative test: $10.00. Next negative: $10.00.'
    """
    visit, ladder, paid, reasons, promised = transition(
        rules, state.visits, state.ladder, observation.outcome
    )
    on = observation.on or planned_day(visit, state.start)
    received, limits = state.received, visit.phase.limits
    if limits and paid.amount:
        award, limited = cut(limits, received, paid.amount, on)
        received = add(limits, received, award, on)
        if limited:
            paid, reasons = Award(paid.unit, award), (*reasons, limited)
    after = State(state.visits + 1, ladder, received, state.start)
    reasons += (_within_limits(rules, after, promised),)
    behavior = visit.phase.behavior
    return after, Decision(visit.number, visit.week, on, observation.outcome, (paid,), reasons, behavior)


def forecast(rules: Rules, state: State) -> Reason:
    """Return what the next visit pays if the target is met on its planned day; keeps INV-6."""
    return _within_limits(rules, state, promise(rules, state.visits, state.ladder))


def _within_limits(rules: Rules, state: State, promised: Next | PlanEnded) -> Reason:
    if not (rules.limits and isinstance(promised, Next)):
        return promised
    visit = rules.visits[state.visits]
    on = planned_day(visit, state.start)
    award, limited = cut(visit.phase.limits, state.received, promised.amount, on)
    return Next(promised.unit, award, limited=True) if limited else promised


@lru_cache(maxsize=MEMORY)
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
        msg = f"{outcome!r} is no outcome; expected {outcomes_listed()}"
        raise ResultsError(msg)
    after, earned, reasons = respond(visit, on_entering(visit, ladder), outcome)
    paid = Award(visit.phase.unit, earned)
    return Transition(visit, after, paid, reasons, promise(rules, index + 1, after))


def promise(rules: Rules, index: int, ladder: Ladder) -> Next | PlanEnded:
    """Return what the visit of an index pays if the target is met, before limits."""
    if index == len(rules.visits):
        return PlanEnded()
    visit = rules.visits[index]
    return Next(visit.phase.unit, reward(visit.phase, on_entering(visit, ladder)), limited=False)


def planned_day(visit: Visit, start: date | None) -> date | None:
    """Return the day that the plan expects a visit on, None in a timeline without dates."""
    return start + timedelta(days=visit.days[start.weekday()]) if start else None
