"""What a visit comes to: where its ladder stands then, what is paid within the limits, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from cm_engine.errors import ResultsError
from cm_engine.program.units import Unit
from cm_engine.program.values import unknown_result
from cm_engine.rules.compiled import Rules, TargetRules
from cm_engine.rules.criteria import NO_VALUES
from cm_engine.rules.extras import Extras, of_visit
from cm_engine.rules.ladder import all_met, on_entering, respond, way_back
from cm_engine.rules.limits import When, add, cut
from cm_engine.rules.occasion import Occasion, visit_of
from cm_engine.rules.payout import paid_out
from cm_engine.rules.reading import Reading
from cm_engine.rules.reasons import (
    BonusEarned,
    Earned,
    MilestoneReached,
    Next,
    NotRequired,
    PlanEnded,
    Reason,
    Recoverable,
    Recovered,
    WasReset,
    WeekPaid,
)
from cm_engine.rules.state import Award, Ladder, Received, State, Track

TRANSITIONS_REMEMBERED = 100_000
LOOK_AHEAD = 100
VISITS_BACK = 30
NOTHING_SEEN: tuple[Reason, ...] = ()
NO_EXTRAS = Extras((), None)


class Movement(NamedTuple):
    """What an outcome does at a visit before limits.

    Attributes:
        track: where the target stands then, without measured values.
        awards: what it pays, as a decision has it.
    """

    track: Track
    paid: Award
    awards: tuple[Award, ...]
    reasons: tuple[Reason, ...]


class Transition(NamedTuple):
    """A movement, with what is said and promised of later visits.

    Attributes:
        said: the reasons with what is promised, where nothing else is looked at.
        promises: some reason says what later visits pay.
    """

    track: Track
    paid: Award
    awards: tuple[Award, ...]
    reasons: tuple[Reason, ...]
    said: tuple[Reason, ...]
    promises: bool
    promised: Next | PlanEnded


Parts = tuple[tuple[Award, tuple[Reason, ...]], ...]
"""What a visit or an event has earned before limits, each part with its reasons."""


def settled(
    look: Occasion, change: Transition | Movement, reading: Reading | None = None
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
        return after, change.awards, (*seen, *why) if seen else why
    when, extras = look.when, of_visit(look, outcome) if look.rules.has_extras else NO_EXTRAS
    parts = ((change.paid, why), *extras.earned)
    received, left, said = within_limits(look.rules, state.received, parts, when)
    paid, reasons = handed_over(look.rules, left, (*seen, *said), extras, when)
    after = State(
        tracks, received, counted, extras.progress, extras.stake, state.start, look.on, state.program
    )
    return after, paid, reasons


def within_limits(
    rules: Rules, received: tuple[Received, ...], parts: Parts, when: When
) -> tuple[tuple[Received, ...], list[Award], list[Reason]]:
    """Return what the limits leave of each part of an award, and why."""
    paid: list[Award] = []
    reasons: list[Reason] = []
    for earned, why in parts:
        unit, amount = earned
        limits = rules.limits_on.get(unit.name, ()) if amount else ()
        award, limited = cut(limits, received, amount, when) if limits else (amount, None)
        if limits:
            received = add(limits, received, amount, award, when)
        reasons += (*_worth(why), limited) if limited else why
        paid.append(Award(unit, award) if limited else earned)
    return received, paid, reasons


def handed_over(
    rules: Rules, paid: list[Award], reasons: Iterable[Reason], extras: Extras, when: When
) -> tuple[tuple[Award, ...], tuple[Reason, ...]]:
    """Return one award a unit, with the participant's own money, and when it is handed over."""
    if len(paid) > 1:
        paid = sums_by_unit(paid)
    later = paid_out(rules.payout, paid, when.on) if rules.pays_later else None
    if extras.own and rules.deposit:
        paid = sums_by_unit([*paid, Award(rules.deposit.unit, extras.own)])
    return tuple(paid), (*reasons, *extras.reasons, *([later] if later else []))


def sums_by_unit(awards: Iterable[Award]) -> list[Award]:
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


@lru_cache(maxsize=TRANSITIONS_REMEMBERED)
def transition(
    target: TargetRules, index: int, ladder: Ladder, outcome: str, variant: int | None = None
) -> Transition:
    """Return what an outcome does at the visit of an index, before limits, and what it promises.

    Remembered, because a program has few states and a clinic meets the same ones all day.

    Raises:
        PlanExceededError: the plan has no such visit.
        ResultsError: the outcome is not a symbol of a use-pattern word.
    """
    moved = movement(target, index, ladder, outcome, variant)
    after, reasons = moved.track.ladder, moved.reasons
    if isinstance(reasons[0], WasReset):
        reasons = tuple(_with_way_back(target, index + 1, after, reasons))
    promises = any(isinstance(reason, WasReset | Recoverable | Recovered) for reason in reasons)
    promised = promise(target, index + 1, after)
    return Transition(*moved[:3], reasons, (*reasons, promised), promises, promised)


def movement(
    target: TargetRules, index: int, ladder: Ladder, outcome: str, variant: int | None = None
) -> Movement:
    """Return what an outcome does at the visit of an index, before limits, with nothing said of later visits.

    Raises:
        PlanExceededError: the plan has no such visit.
        ResultsError: the outcome is not a symbol of a use-pattern word.
    """
    visit = visit_of(target, index)
    if outcome not in visit.phase.effects:
        raise ResultsError(unknown_result(outcome) or f"expected one result, got {outcome!r}")
    response = respond(visit, on_entering(visit, ladder), outcome, variant)
    paid = Award(response.unit or visit.phase.unit, response.earned)
    track = Track(index + 1, response.ladder, outcome, NO_VALUES, 0)
    return Movement(track, paid, (paid,), response.reasons)


def _with_way_back(
    target: TargetRules, index: int, ladder: Ladder, reasons: tuple[Reason, ...]
) -> Iterator[Reason]:
    """Yield the reasons of a reset with how the former level comes back, as far as the plan has visits for it."""
    for reason in reasons:
        if isinstance(reason, WasReset) and not _starts_again(target, index, ladder):
            yield reason._replace(restart=None)
        else:
            yield reason
    if back := way_back(target.visits[index : index + LOOK_AHEAD], ladder):
        yield back


def _starts_again(target: TargetRules, index: int, ladder: Ladder) -> bool:
    """Tell whether the next success pays what its ladder starts with: another phase has amounts of its own."""
    goes_on = index < len(target.visits) and target.visits[index].phase is target.visits[index - 1].phase
    return goes_on and first_reward(target, index, ladder) is not None


def first_reward(target: TargetRules, index: int, ladder: Ladder) -> tuple[int, int] | None:
    """Return after how many visits, if all are met, the first is rewarded, and with how much; None if none is."""
    patience = target.visits[index].phase.patience if index < len(target.visits) else 0
    responses = enumerate(all_met(target.visits[index : index + patience], ladder), 1)
    rewarded = (each for each in responses if each[1].earned or isinstance(each[1].reasons[0], Earned))
    return next(((after, response.earned) for after, response in rewarded), None)


def promise(target: TargetRules, index: int, ladder: Ladder) -> Next | PlanEnded:
    """Return what the visit of an index pays if the target is met, before limits.

    Where it pays nothing yet, the first of the visits after it that pays if all are met.
    """
    if index == len(target.visits):
        return PlanEnded()
    first = target.visits[index]
    opens = first.phase.weeks if first.opens_phase and index else ""
    after, earned = first_reward(target, index, ladder) or (1, 0)
    phase = target.visits[index + after - 1].phase
    by_group = phase.group is not None or phase.together
    return Next(phase.unit, earned, limited=False, opens=opens, after=after, by_group=by_group)
