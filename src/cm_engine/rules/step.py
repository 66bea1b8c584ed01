"""The one meaning of a program: a state and an observation give a decision and the next state."""

from cm_engine.errors import ResultsError, StateError
from cm_engine.rules.compiled import Rules
from cm_engine.rules.criteria import NO_VALUES, Measured, checked_value
from cm_engine.rules.days import expected_day, not_before, when_of_event
from cm_engine.rules.extras import can_return, of_event
from cm_engine.rules.milestones import is_spent
from cm_engine.rules.occasion import Occasion, occasion_of
from cm_engine.rules.promises import following, forecast, kept_promises
from cm_engine.rules.reading import Reading, read
from cm_engine.rules.reasons import Happened, Reason
from cm_engine.rules.settle import handed_over, movement, settled, transition, within_limits
from cm_engine.rules.state import Award, Decision, Evidence, Observation, State
from cm_engine.rules.words import WORDS
from cm_engine.spelling import nearest


def step(
    rules: Rules, state: State, observation: Observation, *, foretell: bool = True
) -> tuple[State, Decision]:
    """Decide the next visit of a target, or an event.

    Pure: the same arguments give the same answer, on any machine, at any time, and the cost does not depend on
    how many visits went before. Keeps INV-4, INV-8 and INV-10.

    Args:
        rules: the program.
        state: where the participant stands.
        observation: what was seen.
        foretell: say what later visits pay, too; without it a decision has the same awards and leads to the same
            state, and takes less time, as analysis asks for that millions of times.

    Raises:
        PlanExceededError: every visit of the plan is decided already.
        StateError: the state belongs to another program.
        ResultsError: there is no such target or event, no outcome can be read, what was seen does not fit the
            program, or its day is before the last visit.
        TypeError: the day of the observation is not a date, or it is one with a time.

    Example:
        >>> from cm_engine import catalogue, compile_rules, initial_state
        >>> rules = compile_rules(catalogue.program("california-recovery-incentives"))
        >>> state, decision = step(rules, initial_state(rules), Observation("-"))
        >>> decision.sentence
        'Negative test: $10.00. Next negative: $10.00.'
    """
    if state.program != rules.digest:
        raise StateError(state.program, rules.digest)
    if observation.event:
        return _happened(rules, state, observation)
    if rules.is_plain and observation.evidence is None and foretell:
        return _plainly(rules, state, observation)
    look = occasion_of(rules, state, observation)
    target, track, reading = look.target, look.track, None
    if observation.evidence is not None or not target.given_as_read:
        reading = read(look, observation)
        if reading.waits:
            return _waiting(look, reading, foretell=foretell)
    outcome, effect, variant = observation.outcome, observation.outcome, None
    if reading:
        outcome, effect, variant = reading.outcome, reading.effect, reading.variant
    if not foretell:
        moved = movement(target, track.visits, track.ladder, effect, variant)
        after, paid, reasons = settled(look, moved, reading)
        return after, _decision(look, outcome, paid, reasons)
    change = transition(target, track.visits, track.ladder, effect, variant)
    after, paid, reasons = settled(look, change, reading)
    promised = following(rules, after, target, change.promised)
    if change.promises and rules.limits:
        reasons = tuple(kept_promises(look, after, reasons, promised))
    return after, _decision(look, outcome, paid, (*reasons, promised))


def _plainly(rules: Rules, state: State, observation: Observation) -> tuple[State, Decision]:
    """Take the short way where a symbol decides and the ladder pays what it earns."""
    target, track = rules.target(observation.target), state.tracks[0]
    change = transition(target, track.visits, track.ladder, observation.outcome)
    visit = target.visits[track.visits]
    on = not_before(state, observation.on, visit) if observation.on else expected_day(rules, state, visit)
    moved = change.track if track.memory is NO_VALUES else change.track._replace(memory=track.memory)
    after = State((moved,), (), (), (), None, state.start, on, state.program)
    place = (target.name, visit.number, visit.week, on, observation.outcome)
    return after, Decision(*place, change.awards, change.said, visit.phase.words)


def _decision(look: Occasion, outcome: str, paid: tuple[Award, ...], reasons: tuple[Reason, ...]) -> Decision:
    visit = look.visit
    words = visit.phase.words
    return Decision(look.target.name, visit.number, visit.week, look.on, outcome, paid, reasons, words)


def _waiting(look: Occasion, reading: Reading, *, foretell: bool) -> tuple[State, Decision]:
    """Leave a visit open: nothing is paid, and nothing of the target moves."""
    track = look.track._replace(
        attempts=look.track.attempts + (reading.waits == "retest"), memory=reading.memory
    )
    after = look.state._replace(tracks=look.tracks_with(track), counted=reading.counted, last=look.on)
    reasons = reading.reasons
    if foretell:
        reasons = (*reasons, forecast(look.rules, after, look.target.name))
    return after, _decision(look, reading.outcome, (Award(look.visit.phase.unit, 0),), reasons)


def _happened(rules: Rules, state: State, observation: Observation) -> tuple[State, Decision]:
    """Decide an event that was reported from outside."""
    event = observation.event
    _refuse_event(rules, state, observation)
    on = not_before(state, observation.on) if observation.on else state.last
    when = when_of_event(rules, state, on)
    value = observation.evidence.value if observation.evidence else None
    measured = None if value is None else Measured(checked_value(value), when.day)
    extras = of_event(rules, state, event, measured)
    received, earned, why = within_limits(rules, state.received, extras.earned, when)
    paid, reasons = handed_over(rules, earned, why, extras, when)
    last = max(state.last, on) if state.last and on else on
    after = state._replace(received=received, progress=extras.progress, stake=extras.stake, last=last)
    return after, Decision(
        "", 0, 0, on, "", paid, reasons or (Happened(event, _is_spent(rules, after, event)),), WORDS["task"]
    )


def _is_spent(rules: Rules, state: State, event: str) -> bool:
    """Tell whether all that an event can reach has been paid already."""
    milestones = zip(rules.milestones, state.progress, strict=True)
    return all(is_spent(each, progress) for each, progress in milestones if each.event == event)


def _refuse_event(rules: Rules, state: State, observation: Observation) -> None:
    event, value = (
        observation.event,
        Evidence(value=observation.evidence.value if observation.evidence else None),
    )
    if event not in rules.events:
        known = f"expected one of {', '.join(rules.events)}" if rules.events else "the program knows none"
        hint = nearest(event, rules.events) or f"; {known}"
        msg = f"there is no event {event!r}{hint}"
        raise ResultsError(msg)
    if observation.outcome or observation.target or (observation.evidence or value) != value:
        msg = f"the event {event!r} comes with what only a visit has; observe them one after the other"
        raise ResultsError(msg)
    about = [milestone for milestone in rules.milestones if milestone.event == event]
    if value.value is None and about and all(milestone.criterion for milestone in about):
        msg = f"the event {event!r} comes with a measured value, and there is none"
        raise ResultsError(msg)
    if event == "deposit" and rules.deposit:
        _refuse_deposit(rules, state)


def _refuse_deposit(rules: Rules, state: State) -> None:
    if state.stake is not None:
        msg = "the deposit was paid in already; it is paid once"
        raise ResultsError(msg)
    if not can_return(rules, state, state.progress, {}):
        msg = "nothing can return a deposit any more; it is too late to pay one in"
        raise ResultsError(msg)
