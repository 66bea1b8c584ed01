"""What a decision pays or takes beside its ladder: milestones, and the participant's own deposit."""

from collections.abc import Iterable
from typing import NamedTuple

from cm_engine.program.units import Unit
from cm_engine.rules.compiled import DepositRules, Rules
from cm_engine.rules.criteria import Measured
from cm_engine.rules.milestones import MilestoneRules, Progress, after_event, after_visit, is_missed
from cm_engine.rules.occasion import Occasion
from cm_engine.rules.reasons import MilestoneReached, Reason, Refunded, Staked, StakeLost
from cm_engine.rules.state import State


class Extras(NamedTuple):
    """What comes beside a ladder.

    Attributes:
        earned: what milestones pay, before limits.
        own: what the participant pays in, less than 0, or gets back of it; no limit looks at it.
    """

    progress: tuple[Progress, ...]
    stake: int | None
    earned: tuple[tuple[Unit, int], ...] = ()
    own: int = 0
    reasons: tuple[Reason, ...] = ()


def of_visit(look: Occasion, outcome: str) -> Extras:
    """Return what comes beside the ladder with a visit."""
    rules, state = look.rules, look.state
    if not rules.has_extras:
        return Extras(state.progress, state.stake)
    moved = [
        after_visit(milestone, before, look.target.name, look.visit.week, outcome)
        for milestone, before in zip(rules.milestones, state.progress, strict=True)
    ]
    lapsed = _lapsed(rules.deposit, Extras(state.progress, state.stake), outcome)
    return _forfeited(rules, _reached(rules, moved, lapsed))


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
    reasons: tuple[Reason, ...] = (MilestoneReached(unit, milestone.name, milestone.says, amount),)
    earned = (*extras.earned, (unit, amount))
    if not (milestone.refunds and rules.deposit and extras.stake):
        return extras._replace(earned=earned, reasons=extras.reasons + reasons)
    back = Refunded(rules.deposit.unit, extras.stake)
    own = extras.own + extras.stake
    return Extras(extras.progress, 0, earned, own, (*extras.reasons, *reasons, back))


def _forfeited(rules: Rules, extras: Extras) -> Extras:
    """Take what is left of the deposit once the weeks are over that would have returned it."""
    missed = (
        is_missed(milestone, progress)
        for milestone, progress in zip(rules.milestones, extras.progress, strict=True)
        if milestone.refunds
    )
    if not (rules.deposit and extras.stake) or not all(missed):
        return extras
    lost = StakeLost(rules.deposit.unit, extras.stake, 0)
    return extras._replace(stake=0, reasons=(*extras.reasons, lost))


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
