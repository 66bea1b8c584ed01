"""What the next visit pays if it is met: promised before it, and kept."""

from collections.abc import Iterator

from cm_engine.rules.compiled import Rules, TargetRules
from cm_engine.rules.limits import cut
from cm_engine.rules.occasion import Occasion, planned
from cm_engine.rules.reading import is_provided
from cm_engine.rules.reasons import (
    Forgone,
    Limited,
    Next,
    PlanEnded,
    Reason,
    Recoverable,
    Recovered,
    Refunded,
    WasReset,
)
from cm_engine.rules.settle import promise, settled, sums_by_unit, transition
from cm_engine.rules.state import Award, State


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
    return following(rules, state, chosen, promise(chosen, track.visits, track.ladder))


def following(
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
        state, paid, reasons = settled(look, change)
        back = sum(reason.amount for reason in reasons if isinstance(reason, Refunded))
        sums = dict(
            sums_by_unit([*paid, *([Award(rules.deposit.unit, -back)] if rules.deposit and back else [])])
        )
        if target.looks_at_others and not promised.amount:
            return promised
        unit = next((unit for unit in (promised.unit, *sums) if sums.get(unit)), promised.unit)
        if sums.get(unit) or after == promised.after:
            limited = any(isinstance(reason, Limited) and reason.unit == unit for reason in reasons)
            return promised._replace(unit=unit, amount=sums.get(unit, 0), limited=limited, after=after)
    return promised


def kept_promises(
    look: Occasion, after: State, reasons: tuple[Reason, ...], next_reason: Reason
) -> Iterator[Reason]:
    """Yield the reasons without what the limits leave too little for."""
    is_short = isinstance(next_reason, Next) and next_reason.limited
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
        state, _, reasons = settled(next_look, change)
        if any(isinstance(reason, Limited) for reason in reasons):
            return True
    return False
