"""What a correction posts: the differences, without ever taking back what a participant has been given."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cm_engine.ledger.accounts import ABSORBED, BEARS, IN_FLIGHT, OFFSET, OWED, PAYABLE, Posting
from cm_engine.ledger.postings import Postings, less

Key = tuple[str, str, str]
"""The account that is debited, the one that is credited, and the unit."""


class Books(NamedTuple):
    """What a correction may settle with, in minor units.

    Attributes:
        owed: what is owed of each unit, and not given yet.
        absorbed: what the program bore for each observation and unit.
        offset: what is still to be taken off later awards.
    """

    owed: Mapping[str, int]
    absorbed: Mapping[tuple[int, str], int]
    offset: Mapping[str, int]


def books(entries: Iterable[tuple[int, Posting]]) -> Books:
    """Return what may be settled with, from all postings so far, each with its observation."""
    owed, offset, absorbed = Counter[str](), Counter[str](), Counter[tuple[int, str]]()
    for observation, (debit, credit, unit, amount) in entries:
        owed[unit] += amount * ((credit == OWED) - (debit == OWED))
        offset[unit] += amount * ((debit == OFFSET) - (credit == OFFSET))
        absorbed[observation, unit] += amount * ((debit == ABSORBED) - (credit == ABSORBED))
    return Books(owed, absorbed, offset)


def differences(
    changes: Iterable[tuple[int, Postings, Postings]], so_far: Books, overpaid: str
) -> dict[int, Postings]:
    """Return what is posted for each observation that is decided anew.

    What is owed and not given yet is simply no longer owed. What was given stays given: more for one observation
    makes up for less of another; the program bears the rest, or takes it off later awards; and an award that comes
    back by a later correction first makes up for what the program bore for it. Keeps INV-14.

    Args:
        changes: each observation with what its former decision was due, and what its new one is.
        so_far: the books before the correction.
        overpaid: absorbed or offset, as the program says.
    """
    apart = {observation: _difference(former, new) for observation, former, new in changes}
    bears, owed = BEARS[overpaid], Counter(so_far.owed)
    given: Mapping[str, int] = _given_too_much(apart.values()) + Counter(so_far.offset)
    posted: dict[int, Postings] = {}
    for observation, difference in apart.items():
        posted[observation], given = _more(observation, difference, so_far, given, bears)
    for _, credit, unit, amount in (each for postings in posted.values() for each in postings):
        owed[unit] += amount * (credit == OWED)
    return {
        observation: (*posted[observation], *_less(difference, owed, bears))
        for observation, difference in apart.items()
    }


def _difference(former: Postings, new: Postings) -> dict[Key, int]:
    apart = Counter[Key]()
    for sign, postings in ((1, new), (-1, former)):
        for debit, credit, unit, amount in postings:
            apart[debit, credit, unit] += sign * amount
    return {key: amount for key, amount in apart.items() if amount}


def _given_too_much(apart: Iterable[Mapping[Key, int]]) -> Counter[str]:
    """Return what is out of the program's hands by now, and should not be, by unit."""
    found = Counter[str]()
    for difference in apart:
        for (_, credit, unit), amount in difference.items():
            found[unit] += -amount if credit == IN_FLIGHT and amount < 0 else 0
    return found


def _more(
    observation: int, difference: Mapping[Key, int], so_far: Books, given: Mapping[str, int], bears: str
) -> tuple[Postings, Mapping[str, int]]:
    """Return what is posted beyond the former decision, and what is still given too much."""
    found: list[Posting] = []
    for (debit, credit, unit), amount in difference.items():
        if amount > 0:
            borne = min(amount, max(0, so_far.absorbed[observation, unit])) if credit in PAYABLE else 0
            found += _posting(debit, ABSORBED, unit, borne) + _posting(debit, credit, unit, amount - borne)
    return less(tuple(found), given, bears)


def _less(difference: Mapping[Key, int], owed: Counter[str], bears: str) -> list[Posting]:
    """Return what is posted because the new decision is due less."""
    found: list[Posting] = []
    for (debit, credit, unit), amount in difference.items():
        if amount < 0:
            back = min(-amount, owed[unit]) if credit == OWED else -amount * (credit not in PAYABLE)
            owed[unit] -= back * (credit == OWED)
            found += _posting(credit, debit, unit, back) + _posting(bears, debit, unit, -amount - back)
    return found


def _posting(debit: str, credit: str, unit: str, amount: int) -> list[Posting]:
    return [Posting(debit, credit, unit, amount)] if amount else []
