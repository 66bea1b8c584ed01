"""The one meaning of a program: a state and an observation give a decision and the next state."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from cm_engine.errors import ResultsError, StateError
from cm_engine.program.units import Unit
from cm_engine.program.values import unknown_result
from cm_engine.rules.compiled import Rules, TargetRules
from cm_engine.rules.criteria import NO_VALUES, Measured, checked_value
from cm_engine.rules.days import not_before, when_of_event
from cm_engine.rules.extras import Extras, can_return, of_event, of_visit
from cm_engine.rules.ladder import all_met, on_entering, respond, way_back
from cm_engine.rules.limits import When, add, cut
from cm_engine.rules.milestones import is_spent
from cm_engine.rules.occasion import Occasion, occasion_of, planned, visit_of
from cm_engine.rules.payout import paid_out
from cm_engine.rules.reading import Reading, is_provided, read
from cm_engine.rules.reasons import (
    BonusEarned,
    Earned,
    Forgone,
    Happened,
    Limited,
    MilestoneReached,
    Next,
    NotRequired,
    PlanEnded,
    Reason,
    Recoverable,
    Recovered,
    Refunded,
    WasReset,
    WeekPaid,
)
from cm_engine.rules.state import Award, Decision, Evidence, Ladder, Observation, Received, State, Track
from cm_engine.rules.words import WORDS
from cm_engine.spelling import nearest

TRANSITIONS_REMEMBERED = 100_000
LOOK_AHEAD = 100
VISITS_BACK = 30
NOTHING_SEEN: tuple[Reason, ...] = ()


class Transition(NamedTuple):
    """What an outcome does at a visit before limits, and what is promised for the next visit.

    Attributes:
        track: where the target stands then, without measured values.
        promises: some reason says what later visits pay.
    """

    track: Track
    paid: Award
    reasons: tuple[Reason, ...]
    promises: bool
    promised: Next | PlanEnded


class Earnings(NamedTuple):
    """What a visit or an event has earned before limits, part by part, and what their windows had received."""

    received: tuple[Received, ...]
    parts: tuple[tuple[Award, tuple[Reason, ...]], ...]
    extras: Extras


def step(rules: Rules, state: State, observation: Observation) -> tuple[State, Decision]:
    """Decide the next visit of a target, or an event.

    Pure: the same arguments give the same answer, on any machine, at any time, and the cost does not depend on
    how many visits went before. Keeps INV-4, INV-8 and INV-10.

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
    look = occasion_of(rules, state, observation)
    target, track, reading = look.target, look.track, None
    if observation.evidence is not None or not target.given_as_read:
        reading = read(look, observation)
        if reading.waits:
            return _waiting(look, reading)
    outcome, effect, variant = observation.outcome, observation.outcome, None
    if reading:
        outcome, effect, variant = reading.outcome, reading.effect, reading.variant
    change = transition(target, track.visits, track.ladder, effect, variant)
    after, paid, reasons = _settled(look, change, reading)
    following = _following(rules, after, target, change.promised)
    if change.promises and rules.limits:
        reasons = tuple(_kept_promises(look, after, reasons, following))
    return after, _decision(look, outcome, paid, (*reasons, following))


def _decision(look: Occasion, outcome: str, paid: tuple[Award, ...], reasons: tuple[Reason, ...]) -> Decision:
    visit = look.visit
    words = visit.phase.words
    return Decision(look.target.name, visit.number, visit.week, look.on, outcome, paid, reasons, words)


def _settled(
    look: Occasion, change: Transition, reading: Reading | None = None
) -> tuple[State, tuple[Award, ...], tuple[Reason, ...]]:
    """Return what a visit comes to: the state after it, what is paid within the limits, and why."""
    state, memory, outcome, why = look.state, look.track.memory, change.track.outcomes, change.reasons
    counted, seen = state.counted, NOTHING_SEEN
    if reading:
        memory, counted, seen, outcome = reading.memory, reading.counted, reading.reasons, reading.outcome
        why = tuple(reason for reason in why if not (seen and isinstance(reason, NotRequired)))
    track = change.track if memory is NO_VALUES else change.track._replace(memory=memory)
    if look.target.looked_back_on:
        track = track._replace(outcomes=(look.track.outcomes + outcome)[-VISITS_BACK:])
    tracks = look.tracks_with(track)
    if look.rules.pays_as_earned:
        after = State(tracks, (), counted, (), None, state.start, look.on, state.program)
        return after, (change.paid,), (*seen, *why) if seen else why
    extras = of_visit(look, outcome)
    earned = Earnings(state.received, ((change.paid, why), *extras.earned), extras)
    received, paid, reasons = _within_limits(look.rules, earned, look.when)
    after = State(
        tracks, received, counted, extras.progress, extras.stake, state.start, look.on, state.program
    )
    return after, paid, (*seen, *reasons)


def _within_limits(
    rules: Rules, earned: Earnings, when: When
) -> tuple[tuple[Received, ...], tuple[Award, ...], tuple[Reason, ...]]:
    """Return what the limits leave of each part of an award, one sum a unit, and why."""
    received, parts, extras = earned
    paid: list[Award] = []
    reasons: list[Reason] = []
    for (unit, amount), why in parts:
        award, limits, limited = amount, rules.limits_on.get(unit.name, ()), None
        if limits and amount:
            award, limited = cut(limits, received, amount, when)
            received = add(limits, received, amount, award, when)
        reasons += (*_worth(why), limited) if limited else why
        paid.append(Award(unit, award))
    paid = _sums(paid) if len(paid) > 1 else paid
    later = paid_out(rules.payout, paid, when.on) if rules.pays_later else None
    if extras.own and rules.deposit:
        paid = _sums([*paid, Award(rules.deposit.unit, extras.own)])
    return received, tuple(paid), (*reasons, *extras.reasons, *([later] if later else []))


def _sums(awards: Iterable[Award]) -> list[Award]:
    """Return awards by unit, in the order in which the units come."""
    sums = Counter[Unit]()
    for unit, amount in awards:
        sums[unit] += amount
    return [Award(unit, amount) for unit, amount in sums.items()]


def _worth(reasons: tuple[Reason, ...]) -> Iterator[Reason]:
    """Yield reasons that say what a visit is worth, where a limit pays less."""
    for reason in reasons:
        if isinstance(reason, Earned | BonusEarned | WeekPaid | MilestoneReached):
            yield reason._replace(limited=True)
        else:
            yield reason


def _waiting(look: Occasion, reading: Reading) -> tuple[State, Decision]:
    """Leave a visit open: nothing is paid, and nothing of the target moves."""
    track = look.track._replace(
        attempts=look.track.attempts + (reading.waits == "retest"), memory=reading.memory
    )
    after = look.state._replace(tracks=look.tracks_with(track), counted=reading.counted, last=look.on)
    reasons = (*reading.reasons, forecast(look.rules, after, look.target.name))
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
    received, paid, reasons = _within_limits(rules, Earnings(state.received, extras.earned, extras), when)
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


def forecast(rules: Rules, state: State, target: str = "") -> Next | PlanEnded:
    """Return what the next visit of a target pays if it is met on its planned day; keeps INV-6.

    Every decision has this as its last reason; call it for what comes before the first.

    Args:
        rules: the program.
        state: where the participant stands.
        target: its name; empty for the only target of a program.

    Raises:
        ResultsError: there is no such target.

    Example:
        >>> from cm_engine import catalogue, compile_rules, initial_state
        >>> rules = compile_rules(catalogue.program("california-recovery-incentives"))
        >>> promised = forecast(rules, initial_state(rules))
        >>> promised.unit.spoken(promised.amount)
        '$10.00'
    """
    chosen = rules.target(target)
    track = state.tracks[chosen.index]
    return _following(rules, state, chosen, promise(chosen, track.visits, track.ladder))


def _following(
    rules: Rules, state: State, target: TargetRules, promised: Next | PlanEnded
) -> Next | PlanEnded:
    """Return what is promised, within the limits and with the milestones that the next visits reach."""
    if target.looks_at_others and isinstance(promised, Next) and not is_provided(rules, state, target):
        promised = promised._replace(amount=0)
    if rules.pays_as_earned or not isinstance(promised, Next):
        return promised
    if rules.has_extras:
        return _foreseen(rules, state, target, promised)
    look = planned(rules, state, target, promised.after)
    limits = rules.limits_on.get(promised.unit.name, ())
    award, limited = cut(limits, state.received, promised.amount, look.when)
    return promised._replace(amount=award, limited=True) if limited else promised


def _foreseen(rules: Rules, state: State, target: TargetRules, promised: Next) -> Next:
    """Return what the next visits pay with milestones, if all are met: by deciding them."""
    for after in range(1, promised.after + 1):
        look = planned(rules, state, target)
        change = transition(target, look.track.visits, look.track.ladder, "-")
        state, paid, reasons = _settled(look, change)
        back = sum(reason.amount for reason in reasons if isinstance(reason, Refunded))
        sums = dict(_sums([*paid, *([Award(rules.deposit.unit, -back)] if rules.deposit and back else [])]))
        if target.looks_at_others and not promised.amount:
            return promised
        unit = next((unit for unit in (promised.unit, *sums) if sums.get(unit)), promised.unit)
        if sums.get(unit) or after == promised.after:
            limited = any(isinstance(reason, Limited) and reason.unit == unit for reason in reasons)
            return promised._replace(unit=unit, amount=sums.get(unit, 0), limited=limited, after=after)
    return promised


def _kept_promises(
    look: Occasion, after: State, reasons: tuple[Reason, ...], following: Reason
) -> Iterator[Reason]:
    """Yield the reasons without what the limits leave too little for."""
    is_short = isinstance(following, Next) and following.limited
    for reason in reasons:
        match reason:
            case Recoverable() if _is_cut_on_the_way(look, after, reason):
                continue
            case Recovered() if is_short:
                continue
            case WasReset() if is_short:
                yield reason._replace(restart=None)
            case Forgone() if is_short:
                continue
            case _:
                yield reason


def _is_cut_on_the_way(look: Occasion, state: State, back: Recoverable) -> bool:
    """Tell whether a limit takes something of the visits that lead back to a level, the one paid at it included."""
    for _ in range(back.after + (not back.paid_nth)):
        next_look = planned(look.rules, state, look.target)
        track = next_look.track
        change = transition(look.target, track.visits, track.ladder, "-")
        state, _, reasons = _settled(next_look, change)
        if any(isinstance(reason, Limited) for reason in reasons):
            return True
    return False


@lru_cache(maxsize=TRANSITIONS_REMEMBERED)
def transition(
    target: TargetRules, index: int, ladder: Ladder, outcome: str, variant: int | None = None
) -> Transition:
    """Return what an outcome does at the visit of an index, before limits.

    Remembered, because a program has few states and a clinic meets the same ones all day.

    Raises:
        PlanExceededError: the plan has no such visit.
        ResultsError: the outcome is not a symbol of a use-pattern word.
    """
    visit = visit_of(target, index)
    if outcome not in visit.phase.effects:
        raise ResultsError(unknown_result(outcome) or f"expected one result, got {outcome!r}")
    response = respond(visit, on_entering(visit, ladder), outcome, variant)
    after, reasons = response.ladder, response.reasons
    if isinstance(reasons[0], WasReset) and (
        back := way_back(target.visits[index + 1 : index + LOOK_AHEAD], after)
    ):
        reasons += (back,)
    paid = Award(response.unit or visit.phase.unit, response.earned)
    promises = any(isinstance(reason, WasReset | Recoverable | Recovered) for reason in reasons)
    track = Track(index + 1, after, outcome, NO_VALUES, 0)
    return Transition(track, paid, reasons, promises, promise(target, index + 1, after))


def promise(target: TargetRules, index: int, ladder: Ladder) -> Next | PlanEnded:
    """Return what the visit of an index pays if the target is met, before limits.

    Where it pays nothing yet, the first of the visits after it that pays if all are met.
    """
    if index == len(target.visits):
        return PlanEnded()
    first = target.visits[index]
    opens = first.phase.weeks if first.opens_phase and index else ""
    responses = all_met(target.visits[index : index + first.phase.patience], ladder)
    after, earned = next(((n, each.earned) for n, each in enumerate(responses, 1) if each.earned), (1, 0))
    phase = target.visits[index + after - 1].phase
    by_group = phase.group is not None or phase.together
    return Next(phase.unit, earned, limited=False, opens=opens, after=after, by_group=by_group)
