"""How a ladder pays and moves: each rule of escalation, bonus, reset and recovery is one function."""

from collections.abc import Sequence
from typing import NamedTuple

from cm_engine.rules.compiled import Effect, PhaseRules, Visit
from cm_engine.rules.reasons import (
    BonusEarned,
    Earned,
    Held,
    NotRequired,
    Reason,
    Recoverable,
    Recovered,
    WasReset,
)
from cm_engine.rules.state import Ladder

BROKEN_WEEK = -1


class Response(NamedTuple):
    """What an outcome does to a ladder: where it stands then, what is earned before limits, and why."""

    ladder: Ladder
    earned: int
    reasons: tuple[Reason, ...]


def rate(phase: PhaseRules, rung: int) -> int:
    """Return what a rung pays, without bonus, in minor units; keeps INV-2 and INV-7."""
    amount = phase.start + phase.step * (rung // phase.every)
    return amount if phase.ceiling is None or amount < phase.ceiling else phase.ceiling


def bonus(phase: PhaseRules, run: int) -> int:
    """Return what the run-th consecutive success adds, in minor units."""
    return phase.bonus if phase.bonus_every and run % phase.bonus_every == 0 else 0


def next_rung(phase: PhaseRules, ladder: Ladder) -> int:
    """Return the rung that the next success is paid at."""
    recovery = phase.recovery
    if recovery and recovery.paid_nth and ladder.streak + 1 == recovery.after:
        return max(ladder.position, ladder.saved)
    return ladder.position


def reward(phase: PhaseRules, ladder: Ladder) -> int:
    """Return what the next success earns, bonus included, before limits."""
    return rate(phase, next_rung(phase, ladder)) + bonus(phase, ladder.streak + 1)


def on_entering(visit: Visit, ladder: Ladder) -> Ladder:
    """Return the ladder as it stands when a visit begins: a phase begins anew, and so does a week."""
    if visit.opens_phase:
        return Ladder()
    if visit.opens_week and ladder.week:
        return ladder._replace(week=0)
    return ladder


def respond(visit: Visit, ladder: Ladder, outcome: str) -> Response:
    """Return what an outcome does to a ladder at a visit; keeps INV-1 and INV-5.

    Raises:
        KeyError: the outcome is not a symbol of a use-pattern word.
    """
    match visit.phase.effects[outcome]:
        case Effect.MET:
            return _met(visit, ladder)
        case Effect.RESET:
            return _reset(visit, ladder, outcome)
        case Effect.HOLD:
            held = Held(outcome, kept=visit.phase.has_place and visit.left_in_phase > 0)
            return Response(_end_week(visit, _break_week(visit, ladder)), 0, (held,))
        case Effect.NOTHING:
            return Response(_end_week(visit, ladder), 0, (NotRequired(),))


def _met(visit: Visit, ladder: Ladder) -> Response:
    phase = visit.phase
    rung, run = next_rung(phase, ladder), ladder.streak + 1
    base, extra = rate(phase, rung), bonus(phase, run)
    change = base - rate(phase, ladder.paid) if ladder.streak else None
    reasons: tuple[Reason, ...] = (Earned(phase.unit, run, base, change, phase.in_a_row),)
    if extra:
        reasons += (BonusEarned(phase.unit, phase.bonus_every, extra, phase.in_a_row),)
    if base > rate(phase, ladder.position):
        reasons += (Recovered(phase.unit, run, base),)
    climbed = _climb(visit, ladder, rung, run)
    recovered = _recover(phase, climbed)
    regained = rate(phase, recovered.position)
    if visit.left_in_phase and regained > rate(phase, climbed.position):
        reasons += (Recovered(phase.unit, run, regained),)
    return Response(recovered, base + extra, reasons)


def _climb(visit: Visit, ladder: Ladder, rung: int, run: int) -> Ladder:
    if not visit.phase.by_week:
        return Ladder(rung + 1, run, rung, ladder.saved)
    week = ladder.week if ladder.week == BROKEN_WEEK else ladder.week + 1
    return _end_week(visit, Ladder(rung, run, rung, ladder.saved, week))


def _end_week(visit: Visit, ladder: Ladder) -> Ladder:
    """Move up by a rung if the week is over and all that was due in it was met."""
    if visit.closes_week and ladder.week > 0:
        return ladder._replace(position=ladder.position + 1)
    return ladder


def _break_week(visit: Visit, ladder: Ladder) -> Ladder:
    return ladder._replace(week=BROKEN_WEEK) if visit.phase.by_week else ladder


def _recover(phase: PhaseRules, ladder: Ladder) -> Ladder:
    """Return to the saved rung once the run is long enough, for the success after it."""
    recovery = phase.recovery
    if (
        recovery
        and not recovery.paid_nth
        and ladder.streak == recovery.after
        and ladder.saved > ladder.position
    ):
        return ladder._replace(position=ladder.saved)
    return ladder


def _reset(visit: Visit, ladder: Ladder, outcome: str) -> Response:
    phase = visit.phase
    after = _break_week(visit, Ladder(saved=_saved(phase, ladder)))
    restart = rate(phase, next_rung(phase, after))
    is_lost = visit.left_in_phase > 0 and restart < rate(phase, next_rung(phase, ladder))
    return Response(after, 0, (WasReset(phase.unit, outcome, restart if is_lost else None),))


def _saved(phase: PhaseRules, ladder: Ladder) -> int:
    """Return the rung that a recovery from a reset here would return to."""
    recovery = phase.recovery
    if recovery is None:
        return 0
    if not ladder.streak:
        return ladder.saved
    level = ladder.paid if recovery.last_earned else next_rung(phase, ladder)
    return max(ladder.saved, level) if recovery.highest else level


def way_back(visits: Sequence[Visit], ladder: Ladder) -> Recoverable | None:
    """Return how a recovery is reached if the next visits are all met; None if it brings no more than climbing.

    Keeps INV-11.

    Args:
        visits: the visits to come.
        ladder: where the ladder stands, after a reset.
    """
    if not visits or visits[0].opens_phase or visits[0].phase.recovery is None or not ladder.saved:
        return None
    phase, recovery = visits[0].phase, visits[0].phase.recovery
    run = visits[: recovery.after + (not recovery.paid_nth)]
    recovered, climbed = _all_met(run, ladder), _all_met(run, ladder._replace(saved=0))
    amount = rate(phase, recovered[-1].ladder.paid)
    if (
        run[-1].phase is not phase
        or len(run) < recovery.after
        or amount <= rate(phase, climbed[-1].ladder.paid)
    ):
        return None
    in_all = sum(response.earned for response in recovered)
    return Recoverable(phase.unit, recovery.after, amount, recovery.paid_nth, in_all)


def _all_met(visits: Sequence[Visit], ladder: Ladder) -> list[Response]:
    responses: list[Response] = []
    for visit in visits:
        responses.append(respond(visit, on_entering(visit, ladder), "-"))
        ladder = responses[-1].ladder
    return responses
