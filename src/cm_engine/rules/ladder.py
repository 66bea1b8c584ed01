"""How a ladder pays and moves: each rule of escalation, bonus, reset and recovery is one function."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cm_engine.program.units import Unit
from cm_engine.rules.phases import Effect, PhaseRules
from cm_engine.rules.plan import Visit
from cm_engine.rules.reasons import (
    BonusEarned,
    Counted,
    Earned,
    Forgone,
    Held,
    Noted,
    NotRequired,
    Reason,
    Recoverable,
    Recovered,
    WasReset,
    WeekPaid,
)
from cm_engine.rules.state import Ladder


class Response(NamedTuple):
    """What an outcome does to a ladder: where it stands then, what is earned before limits, and why.

    Attributes:
        unit: what is earned in, where it is not the unit of the phase.
    """

    ladder: Ladder
    earned: int
    reasons: tuple[Reason, ...]
    unit: Unit | None = None


def rate(phase: PhaseRules, rung: int) -> int:
    """Return what a rung pays, without bonus, in minor units; keeps INV-2 and INV-7."""
    amount = phase.start + phase.step * (rung // phase.every)
    return max(phase.floor, min(phase.ceiling, amount))


def bonus(phase: PhaseRules, run: int) -> int:
    """Return what the run-th consecutive success adds, in minor units."""
    return phase.bonus if phase.bonus_every and run % phase.bonus_every == 0 else 0


def requirement(phase: PhaseRules, run: int) -> tuple[int, int]:
    """Return how many successes of the run-th reward's requirement are done with this one, and how many it needs.

    A success is rewarded when it is the last one needed: (1, 1) where each is.
    """
    for needed in phase.require:
        if run <= needed:
            return run, needed
        run -= needed
    last = phase.require[-1] if phase.require else 1
    return (run - 1) % last + 1, last


def next_rung(phase: PhaseRules, ladder: Ladder) -> int:
    """Return the rung that the next success is paid at."""
    recovery = phase.recovery
    if recovery and recovery.paid_nth and ladder.streak + 1 == recovery.after:
        return max(ladder.position, ladder.saved)
    return ladder.position


def on_entering(visit: Visit, ladder: Ladder) -> Ladder:
    """Return the ladder as it stands when a visit begins: a phase begins anew, and so does a week."""
    if visit.begins_ladder:
        return Ladder(visit.phase.first_rung)
    if visit.opens_week and (ladder.week_met or ladder.week_unmet):
        return ladder._replace(week_met=0, week_unmet=0)
    return ladder


def respond(visit: Visit, ladder: Ladder, outcome: str, variant: int | None = None) -> Response:
    """Return what an outcome does to a ladder at a visit; keeps INV-1 and INV-5.

    Args:
        visit: the visit.
        ladder: where the ladder stands.
        outcome: a symbol of a use-pattern word.
        variant: which reward a success pays, where the phase has several; None for the usual one.

    Raises:
        KeyError: the outcome is not a symbol of a use-pattern word.
    """
    effect = visit.phase.effects[outcome]
    response = _respond(visit, _count_week(visit.phase, ladder, effect), effect, outcome)
    if effect is Effect.MET and visit.phase.variants:
        response = _vary(visit.phase, response, visit.phase.usual if variant is None else variant)
    return _pay_week(visit, response) if visit.phase.weekly and visit.closes_week else response


def _respond(visit: Visit, ladder: Ladder, effect: Effect, outcome: str) -> Response:
    match effect:
        case Effect.MET if visit.phase.weekly:
            return Response(ladder._replace(streak=ladder.streak + 1), 0, (Counted(0, 0),))
        case Effect.RESET | Effect.HOLD if visit.phase.weekly:
            return Response(ladder, 0, (Noted(outcome),))
        case Effect.MET:
            return _met(visit, ladder)
        case Effect.RESET:
            return _reset(visit, ladder, outcome)
        case Effect.HOLD:
            kept = visit.phase.has_place and visit.left_in_phase > 0
            lost = _forgone(visit, ladder) if outcome in "+or" else ()
            return Response(_end_week(visit, ladder), 0, (Held(outcome, kept), *lost))
        case Effect.NOTHING:
            return Response(_end_week(visit, ladder), 0, (NotRequired(),))


def _vary(phase: PhaseRules, response: Response, variant: int) -> Response:
    """Pay a success by the option chosen, or by how many members of the group met it."""
    unit, amount = phase.variants[variant]
    first, *others = response.reasons
    if not isinstance(first, Earned):
        return response
    earned = first._replace(unit=unit, amount=amount, change=None)
    return response._replace(unit=unit, earned=response.earned + amount, reasons=(earned, *others))


def _count_week(phase: PhaseRules, ladder: Ladder, effect: Effect) -> Ladder:
    if not phase.counts_weeks or effect is Effect.NOTHING:
        return ladder
    if effect is Effect.MET:
        return ladder._replace(week_met=ladder.week_met + 1)
    return ladder._replace(week_unmet=ladder.week_unmet + 1)


def _pay_week(visit: Visit, response: Response) -> Response:
    """Add what the week pays that a visit has ended."""
    ladder = response.ladder
    for_all, for_some = visit.phase.weekly or (0, 0)
    met, due = ladder.week_met, ladder.week_met + ladder.week_unmet
    amount = 0 if not met else for_all if met == due else for_some
    paid = (WeekPaid(visit.phase.unit, met, due, amount),) if due else ()
    return Response(ladder, response.earned + amount, response.reasons + paid)


def _met(visit: Visit, ladder: Ladder) -> Response:
    phase, run = visit.phase, ladder.streak + 1
    done, needed = requirement(phase, run)
    if done < needed:
        return Response(ladder._replace(streak=run), 0, (Counted(done, needed),))
    rung = next_rung(phase, ladder)
    base, extra = rate(phase, rung), bonus(phase, run)
    change = base - rate(phase, ladder.paid) if ladder.paid >= 0 and not phase.carries else None
    reasons: tuple[Reason, ...] = (Earned(phase.unit, run, base, change, phase.in_a_row),)
    if extra:
        reasons += (BonusEarned(phase.unit, phase.bonus_every, extra, phase.in_a_row),)
    if base > rate(phase, ladder.position):
        reasons += (Recovered(phase.unit, run, base, phase.in_a_row),)
    climbed = _climb(visit, ladder, rung, run)
    recovered = _recover(phase, climbed)
    regained = rate(phase, recovered.position)
    if visit.left_in_phase and regained > rate(phase, climbed.position):
        reasons += (Recovered(phase.unit, run, regained, phase.in_a_row),)
    return Response(recovered, base + extra, reasons)


def _climb(visit: Visit, ladder: Ladder, rung: int, run: int) -> Ladder:
    position = rung if visit.phase.by_week else rung + 1
    return _end_week(visit, ladder._replace(position=position, streak=run, paid=rung))


def _end_week(visit: Visit, ladder: Ladder) -> Ladder:
    """Move up by a rung if weeks are rungs, and this one is over and was met as far as it was due."""
    if visit.phase.by_week and visit.closes_week and ladder.week_met and not ladder.week_unmet:
        return ladder._replace(position=ladder.position + 1)
    return ladder


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
    after = ladder._replace(position=0, streak=0, paid=-1, saved=_saved(phase, ladder))
    restart = rate(phase, next_rung(phase, after))
    is_lost = visit.left_in_phase > 0 and restart < rate(phase, next_rung(phase, ladder))
    was_reset = WasReset(phase.unit, outcome, restart if is_lost else None)
    return Response(after, 0, (was_reset, *_forgone(visit, ladder)))


def _forgone(visit: Visit, ladder: Ladder) -> Iterator[Forgone]:
    """Yield what a lapse takes off, where a participant reads of what is kept."""
    if visit.phase.words.kept:
        kept = _met(visit, ladder)
        kept = _vary(visit.phase, kept, visit.phase.usual) if visit.phase.variants else kept
        if kept.earned:
            yield Forgone(kept.unit or visit.phase.unit, kept.earned)


def _saved(phase: PhaseRules, ladder: Ladder) -> int:
    """Return the rung that a recovery from a reset here would return to."""
    recovery = phase.recovery
    if recovery is None or not ladder.streak:
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
    if not visits or visits[0].phase.recovery is None or not ladder.saved:
        return None
    recovery = visits[0].phase.recovery
    run = visits[: recovery.after + (not recovery.paid_nth)]
    if any(visit.begins_ladder for visit in run):
        return None
    phase = run[-1].phase
    recovered, climbed = list(all_met(run, ladder)), list(all_met(run, ladder._replace(saved=0)))
    amount = rate(phase, recovered[-1].ladder.paid)
    if amount <= rate(phase, climbed[-1].ladder.paid):
        return None
    return Recoverable(phase.unit, recovery.after, amount, recovery.paid_nth, phase.in_a_row)


def all_met(visits: Iterable[Visit], ladder: Ladder) -> Iterator[Response]:
    """Yield what each of some visits does to a ladder if it is met."""
    for visit in visits:
        response = respond(visit, on_entering(visit, ladder), "-")
        yield response
        ladder = response.ladder
