"""Which source of a site pays: what its enrollments cost, over its sources in their order, budget by budget. Pure.

What a program spends is what participants were awarded, and what a correction left given too much; what expired comes
back. Moving it on its way to a participant spends nothing, and neither does a participant's own deposit: it is paid in,
held, refunded or forfeited without any fund.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from cm_engine.ledger.accounts import ABSORBED, EXPIRED, FUND, OFFSET, Posting

PROGRAM = frozenset({FUND, ABSORBED, OFFSET, EXPIRED})
"""The accounts that are the program's side: what leaves them is spent, what comes back to them is not."""


class Source(NamedTuple):
    """A source that pays for a site.

    Attributes:
        name: its name, once per site.
        unit: what it pays in.
        budget: in minor units; None pays all that is left to pay.
        alert: the share of the budget at which somebody is to be told; None for never.
        hard_stop: once it is exhausted, nobody is enrolled any more.
    """

    name: str
    unit: str
    budget: int | None = None
    alert: Decimal | None = None
    hard_stop: bool = False


class Spending(NamedTuple):
    """What a posting spends, in minor units, and when it was recorded; less than 0 for what comes back."""

    at: str
    unit: str
    amount: int


class Funded(NamedTuple):
    """What a source has paid.

    Attributes:
        source: the source.
        spent: in minor units; less than 0 for a first source that more came back to than it paid.
        alerted_at: since when the share is reached that somebody is to be told of; empty if it is not.
        exhausted_at: since when nothing is left; empty if something is.
    """

    source: Source
    spent: int = 0
    alerted_at: str = ""
    exhausted_at: str = ""


class Funding(NamedTuple):
    """What all sources of a site have paid, and what none of them covers, by unit."""

    funds: tuple[Funded, ...]
    beyond: Mapping[str, int]


def spent_by(posting: Posting) -> int:
    """Return what a posting spends, in minor units.

    Example:
        >>> spent_by(Posting("fund", "owed", "USD", 1000)), spent_by(Posting("deposit", "in flight", "USD", 1000))
        (1000, 0)
    """
    return posting.amount * ((posting.debit in PROGRAM) - (posting.credit in PROGRAM))


def funding(sources: Sequence[Source], spendings: Iterable[Spending]) -> Funding:
    """Return what each source has paid of all spendings.

    A source pays once the budgets of those before it in its unit are exhausted; what comes back, comes back to the
    source that paid last.

    Args:
        sources: in the order in which they pay.
        spendings: in the order in which they were recorded.

    Example:
        >>> first, rest = Source("grant", "USD", 1500), Source("clinic", "USD")
        >>> found = funding([first, rest], [Spending("day 1", "USD", 1000), Spending("day 2", "USD", 1000)])
        >>> [(each.source.name, each.spent, each.exhausted_at) for each in found.funds]
        [('grant', 1500, 'day 2'), ('clinic', 500, '')]
    """
    funds, totals, beyond = [Funded(source) for source in sources], Counter[str](), dict[str, int]()
    for at, unit, amount in spendings:
        totals[unit] += amount
        left = totals[unit]
        for place, fund in enumerate(funds):
            if fund.source.unit == unit:
                spent = left if fund.source.budget is None else min(left, fund.source.budget)
                funds[place] = _after(fund, spent, at)
                left -= spent
        beyond[unit] = left
    return Funding(tuple(funds), {unit: left for unit, left in beyond.items() if left})


def _after(fund: Funded, spent: int, at: str) -> Funded:
    """Return a source that has paid so much by a time."""
    source, alerted, exhausted = fund.source, False, False
    if source.budget is not None:
        alerted = source.alert is not None and spent >= Fraction(source.alert) * source.budget
        exhausted = spent >= source.budget
    since = (alerted and (fund.alerted_at or at)) or "", (exhausted and (fund.exhausted_at or at)) or ""
    return Funded(source, spent, *since)
