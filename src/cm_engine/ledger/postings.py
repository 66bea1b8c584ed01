"""What a decision posts: its awards, its prizes, and what becomes of the participant's deposit."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from cm_engine.ledger.accounts import (
    DEPOSIT,
    DRAWN,
    FORFEITED,
    FUND,
    IN_FLIGHT,
    OFFSET,
    OWED,
    PAID_IN,
    PAYABLE,
    Posting,
)
from cm_engine.rules.compiled import Rules
from cm_engine.rules.prizes import Prizes
from cm_engine.rules.reasons import Reason, Refunded, Staked, StakeLost
from cm_engine.rules.state import Award

Postings = tuple[Posting, ...]

REMEMBERED = 10_000


def due(
    rules: Rules, paid: tuple[Award, ...], reasons: tuple[Reason, ...], prizes: Prizes | None
) -> Postings:
    """Return what a decision posts, before anything that an earlier correction left to settle.

    Example:
        >>> from cm_engine import catalogue, compile_rules
        >>> rules = compile_rules(catalogue.program("va-prize"))
        >>> due(rules, (Award(rules.program.unit("draw"), 2),), (), None)
        (Posting(debit='fund', credit='drawn', unit='draw', amount=2),)
    """
    if not (rules.deposit or prizes):
        return _awards_alone(rules, paid)
    own = _own(reasons, payable(rules)) if rules.deposit else ()
    won = (prizes.paid,) if prizes else ()
    return (*_awarded(rules, (*paid, *won), _net(own)), *own)


@lru_cache(maxsize=REMEMBERED)
def _awards_alone(rules: Rules, paid: tuple[Award, ...]) -> Postings:
    """Return what awards post where nothing else is posted; remembered, as the same ones are paid all day."""
    return tuple(_awarded(rules, paid, {}))


def _awarded(rules: Rules, paid: Iterable[Award], own: dict[str, int]) -> Iterator[Posting]:
    """Yield what is awarded, without what is the participant's own."""
    account, bowls = payable(rules), rules.program.bowls
    for unit, amount in paid:
        if award := amount - own.pop(unit.name, 0):
            yield Posting(FUND, DRAWN if unit.name in bowls else account, unit.name, award)


def _own(reasons: Iterable[Reason], account: str) -> tuple[Posting, ...]:
    """Return what becomes of the deposit."""
    found = []
    for reason in reasons:
        if isinstance(reason, Staked):
            found.append(Posting(PAID_IN, DEPOSIT, reason.unit.name, reason.amount))
        elif isinstance(reason, StakeLost):
            found.append(Posting(DEPOSIT, FORFEITED, reason.unit.name, reason.amount))
        elif isinstance(reason, Refunded):
            found.append(Posting(DEPOSIT, account, reason.unit.name, reason.amount))
    return tuple(found)


def _net(own: Iterable[Posting]) -> dict[str, int]:
    """Return what of an award is the participant's own: less than 0 for what is paid in."""
    net: dict[str, int] = {}
    for debit, credit, unit, amount in own:
        if debit == PAID_IN:
            net[unit] = net.get(unit, 0) - amount
        elif credit != FORFEITED:
            net[unit] = net.get(unit, 0) + amount
    return net


def payable(rules: Rules) -> str:
    """Return the account that an award is credited to: at once it is in flight, later it is owed."""
    return IN_FLIGHT if rules.payout.when == "at once" else OWED


def less(
    postings: Postings, outstanding: Mapping[str, int], bears: str = OFFSET
) -> tuple[Postings, dict[str, int]]:
    """Return postings with what is taken off their awards for an overpayment, and what of it is left by unit.

    Args:
        postings: what a decision is due.
        outstanding: what was given too much of each unit, in minor units.
        bears: the account that bore it.
    """
    left, settled = dict(outstanding), []
    for posting in postings:
        awards = posting.debit == FUND and posting.credit in PAYABLE
        taken = min(left.get(posting.unit, 0), posting.amount) if awards else 0
        if taken:
            left[posting.unit] -= taken
            settled.append(posting._replace(credit=bears, amount=taken))
        if posting.amount > taken:
            settled.append(posting._replace(amount=posting.amount - taken))
    return tuple(settled), {unit: amount for unit, amount in left.items() if amount}
