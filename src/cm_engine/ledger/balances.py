"""What postings add up to."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from cm_engine.ledger.accounts import (
    ABSORBED,
    DEPOSIT,
    DRAWN,
    EXPIRED,
    FORFEITED,
    FUND,
    IN_FLIGHT,
    ISSUED,
    OFFSET,
    OWED,
    PAID_IN,
    Posting,
)
from cm_engine.program.units import Unit


class Balance(NamedTuple):
    """What a participant has been awarded of one unit, and where it is; exact decimals.

    Attributes:
        awarded: by the decisions that stand.
        owed: waiting to be asked for, or for its pay day.
        in_flight: on the way.
        issued: handed over.
        expired: lost, because it was not collected in time.
        absorbed: given beyond what a correction left awarded, and borne by the program.
        offset: the same, and still to be taken off later awards.
        deposit: what is held of the participant's own money.
        drawn: draws that were made; what they won is awarded in money.
        paid_in: what the participant paid in of their own.
        forfeited: what lapses took of it.
    """

    unit: str
    awarded: Decimal
    owed: Decimal
    in_flight: Decimal
    issued: Decimal
    expired: Decimal
    absorbed: Decimal
    offset: Decimal
    deposit: Decimal
    drawn: Decimal
    paid_in: Decimal
    forfeited: Decimal


Sums = Mapping[tuple[str, str], int]
"""The balance of each account and unit: credits less debits, in minor units."""


def sums(postings: Iterable[Posting]) -> Sums:
    """Return the balance of each account and unit.

    Example:
        >>> sorted(sums([Posting("fund", "owed", "USD", 1000)]).items())
        [(('fund', 'USD'), -1000), (('owed', 'USD'), 1000)]
    """
    found: Counter[tuple[str, str]] = Counter()
    for debit, credit, unit, amount in postings:
        found[debit, unit] -= amount
        found[credit, unit] += amount
    return found


def balance(found: Sums, unit: Unit) -> Balance:
    """Return the balance of one unit."""

    def of(account: str, sign: int = 1) -> Decimal:
        return unit.decimal(sign * found.get((account, unit.name), 0))

    return Balance(
        unit=unit.name,
        awarded=unit.decimal(awarded(found, unit.name)),
        owed=of(OWED),
        in_flight=of(IN_FLIGHT),
        issued=of(ISSUED),
        expired=of(EXPIRED),
        absorbed=of(ABSORBED, -1),
        offset=of(OFFSET, -1),
        deposit=of(DEPOSIT),
        drawn=of(DRAWN),
        paid_in=of(PAID_IN, -1),
        forfeited=of(FORFEITED),
    )


def awarded(found: Sums, unit: str) -> int:
    """Return what the program has awarded, in minor units: what its fund gave."""
    return -found.get((FUND, unit), 0)
