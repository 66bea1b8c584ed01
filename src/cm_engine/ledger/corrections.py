"""What a correction posts: the differences, without ever taking back what a participant has been given."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple

from cm_engine.ledger.accounts import ABSORBED, BEARS, IN_FLIGHT, OFFSET, OWED, PAYABLE, Posting
from cm_engine.ledger.postings import Postings, less

Key = tuple[str, str, str]
"""The account that is debited, the one that is credited, and the unit."""

About = Hashable
"""What a decision is about."""

Apart = dict[About, Counter[Key]]
"""What is to be posted for each observation: more than before, or less than 0."""


class Books(NamedTuple):
    """What a correction may settle with, in minor units.

    Attributes:
        owed: what is owed of each unit, and not given yet.
        absorbed: what the program bore, by observation, account that was spared, and unit.
        offset: what is still to be taken off later awards.
    """

    owed: Mapping[str, int]
    absorbed: Mapping[tuple[About, str, str], int]
    offset: Mapping[str, int]


def books(entries: Iterable[tuple[About, Posting]]) -> Books:
    """Return what may be settled with, from all postings so far, each with its observation."""
    owed, offset, absorbed = Counter[str](), Counter[str](), Counter[tuple[About, str, str]]()
    for observation, (debit, credit, unit, amount) in entries:
        owed[unit] += amount * ((credit == OWED) - (debit == OWED))
        offset[unit] += amount * ((debit == OFFSET) - (credit == OFFSET))
        absorbed[observation, credit, unit] += amount * (debit == ABSORBED)
        absorbed[observation, debit, unit] -= amount * (credit == ABSORBED)
    return Books(owed, absorbed, offset)


def differences(
    changes: Iterable[tuple[About, Postings, Postings]], so_far: Books, overpaid: str
) -> dict[About, Postings]:
    """Return what is posted for each observation that is decided anew.

    An award that comes back first makes up for what the program bore for it. What was given stays given: more for one
    observation makes up for less of another, and nothing is posted for either. What is owed and not given yet is simply
    no longer owed. Of the rest, the program bears what was given too much, or takes it off later awards. Keeps INV-14.

    Args:
        changes: each observation with what its former decision was due, and what its new one is.
        so_far: the books before the correction.
        overpaid: absorbed or offset, as the program says.
    """
    apart = {observation: _difference(former, new) for observation, former, new in changes}
    back = {observation: _borne_before(observation, each, so_far) for observation, each in apart.items()}
    for observation, posting in _evened_out(apart):
        back[observation].append(posting)
    more, owed, offset = {}, Counter(so_far.owed), so_far.offset
    for observation, difference in apart.items():
        more[observation], offset = less(_more(difference), offset)
        for posting in more[observation]:
            owed[posting.unit] += posting.amount * (posting.credit == OWED)
    return {
        observation: (*back[observation], *more[observation], *_less(difference, owed, BEARS[overpaid]))
        for observation, difference in apart.items()
    }


def _difference(former: Postings, new: Postings) -> Counter[Key]:
    apart = Counter[Key]()
    for sign, postings in ((1, new), (-1, former)):
        for debit, credit, unit, amount in postings:
            apart[debit, credit, unit] += sign * amount
    return apart


def _borne_before(observation: About, difference: Counter[Key], so_far: Books) -> list[Posting]:
    """Return what makes up for what the program bore for an observation, and take it off what is to be posted."""
    found: list[Posting] = []
    for (debit, credit, unit), amount in difference.items():
        borne = min(amount, so_far.absorbed.get((observation, debit, unit), 0)) if credit in PAYABLE else 0
        if borne > 0:
            difference[debit, credit, unit] -= borne
            found.append(Posting(debit, ABSORBED, unit, borne))
    return found


def _evened_out(apart: Apart) -> Iterator[tuple[About, Posting]]:
    """Let more for one observation make up for less of another, whichever account it came from.

    Nothing is posted where both came from one account; else what the one owes the other.
    """
    keys = sorted({key for difference in apart.values() for key in difference if key[1] == IN_FLIGHT})
    more = [(observation, key) for observation in apart for key in keys if apart[observation][key] > 0]
    fewer = [(observation, key) for observation in apart for key in keys if apart[observation][key] < 0]
    pairs = [(one, other) for one in more for other in fewer if one[1][2] == other[1][2]]
    for (observation, key), (other, its) in sorted(pairs, key=lambda pair: pair[0][1] != pair[1][1]):
        even = min(apart[observation][key], -apart[other][its])
        if even > 0:
            apart[observation][key] -= even
            apart[other][its] += even
            if key != its:
                yield observation, Posting(key[0], its[0], key[2], even)


def _more(difference: Mapping[Key, int]) -> Postings:
    return tuple(Posting(*key, amount) for key, amount in difference.items() if amount > 0)


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
