"""What a decision pays or takes beside its ladder: milestones, and the participant's own deposit."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cm_engine.rules.compiled import DepositRules, Rules
from cm_engine.rules.criteria import Measured
from cm_engine.rules.milestones import MilestoneRules, Progress, after_event, after_visit, is_over, is_spent
from cm_engine.rules.occasion import Occasion
from cm_engine.rules.reasons import MilestoneReached, Reason, Refunded, Staked, StakeLost
from cm_engine.rules.state import Award, State


class Extras(NamedTuple):
    """What comes beside a ladder.

    Attributes:
        earned: what each milestone pays, before limits, and why.
        own: what the participant pays in, less than 0, or gets back of it; no limit looks at it.
    """

    progress: tuple[Progress, ...]
    stake: int | None
    earned: tuple[tuple[Award, tuple[Reason, ...]], ...] = ()
    own: int = 0
    reasons: tuple[Reason, ...] = ()


def of_visit(look: Occasion, outcome: str) -> Extras:
    """Return what comes beside the ladder with a visit."""
    rules, state = look.rules, look.state
    moved = [
        after_visit(milestone, before, look.target.name, look.visit.week, outcome)
        for milestone, before in zip(rules.milestones, state.progress, strict=True)
    ]
    lapsed = _lapsed(rules.deposit, Extras(state.progress, state.stake), outcome)
    return _forfeited(look, _reached(rules, moved, lapsed))


def of_event(rules: Rules, state: State, event: str, measured: Measured | None) -> Extras:
    """Return what comes with an event."""
    moved = [
        after_event(milestone, before, event, measured)
        for milestone, before in zip(rules.milestones, state.progress, strict=True)
    ]
    extras = _reached(rules, moved, Extras(state.progress, state.stake))
    return _paid_in(rules.deposit, extras) if event == "deposit" and rules.deposit else extras


def _reached(rules: Rules, moved: Iterable[tuple[Progress, bool]], extras: Extras) -> Extras:
    progress, reached = zip(*moved, strict=True) if rules.milestones else ((), ())
    extras = extras._replace(progress=progress)
    for milestone, is_reached in zip(rules.milestones, reached, strict=True):
        if is_reached:
            extras = _with(rules, extras, milestone)
    return extras


def _with(rules: Rules, extras: Extras, milestone: MilestoneRules) -> Extras:
    """Add a milestone that was reached, and the deposit if it comes back with it."""
    unit, amount = milestone.unit, milestone.amount
    reached: Reason = MilestoneReached(unit, milestone.name, milestone.says, amount)
    earned = (*extras.earned, (Award(unit, amount), (reached,)))
    if not (milestone.refunds and rules.deposit and extras.stake):
        return extras._replace(earned=earned)
    back = Refunded(rules.deposit.unit, extras.stake)
    own = extras.own + extras.stake
    return extras._replace(stake=0, earned=earned, own=own, reasons=(*extras.reasons, back))


def _forfeited(look: Occasion, extras: Extras) -> Extras:
    """Take what is left of the deposit once nothing can return it any more."""
    deposit, decided = look.rules.deposit, {look.target.name: look.visit.number}
    if not deposit or not extras.stake or can_return(look.rules, look.state, extras.progress, decided):
        return extras
    lost = StakeLost(deposit.unit, extras.stake, 0)
    return extras._replace(stake=0, reasons=(*extras.reasons, lost))


def can_return(
    rules: Rules, state: State, progress: tuple[Progress, ...], decided: Mapping[str, int]
) -> bool:
    """Tell whether some milestone that returns the deposit can still be reached.

    Args:
        rules: the program.
        state: where the participant stood.
        progress: how far the milestones are.
        decided: how many visits of a target are decided since.
    """
    tracks = zip(rules.targets, state.tracks, strict=True)
    left = {each.name: len(each.visits) - decided.get(each.name, track.visits) for each, track in tracks}
    return any(
        not is_spent(milestone, so_far) and not is_over(milestone, so_far, left)
        for milestone, so_far in zip(rules.milestones, progress, strict=True)
        if milestone.refunds
    )


def _lapsed(deposit: DepositRules | None, extras: Extras, outcome: str) -> Extras:
    """Take what a lapse costs of the deposit."""
    if deposit is None or not extras.stake or outcome not in deposit.on or not deposit.loss:
        return extras
    lost = min(deposit.loss, extras.stake)
    left = extras.stake - lost
    return extras._replace(stake=left, reasons=(*extras.reasons, StakeLost(deposit.unit, lost, left)))


def _paid_in(deposit: DepositRules, extras: Extras) -> Extras:
    reasons = (*extras.reasons, Staked(deposit.unit, deposit.stake))
    return extras._replace(stake=deposit.stake, own=extras.own - deposit.stake, reasons=reasons)
