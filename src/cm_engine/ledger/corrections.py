"""What a correction posts: the differences, without ever taking back what a participant has been given."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple

from cm_engine.ledger.accounts import (
    ABSORBED,
    BEARS,
    EXPIRED,
    FUND,
    IN_FLIGHT,
    ISSUED,
    OFFSET,
    OWED,
    PAYABLE,
    Posting,
)
from cm_engine.ledger.postings import Postings, less

Key = tuple[str, str, str]
"""The account that is debited, the one that is credited, and the unit."""

GIVEN = frozenset({IN_FLIGHT, ISSUED})
"""Where a payout is that may come back."""

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
        borne: what the program bears in all, by unit; less than `absorbed` says once something given came back.
        expired: what expired of the award for each observation, by unit.
        undone: what of it a correction took away again with the award itself.
    """

    owed: Mapping[str, int]
    absorbed: Mapping[tuple[About, str, str], int]
    offset: Mapping[str, int]
    borne: Mapping[str, int]
    expired: Mapping[tuple[About, str], int]
    undone: Mapping[tuple[About, str], int]


def books(entries: Iterable[tuple[About, Posting]]) -> Books:
    """Return what may be settled with, from all postings so far, each with its observation."""
    owed, offset, borne = Counter[str](), Counter[str](), Counter[str]()
    absorbed = Counter[tuple[About, str, str]]()
    expired, undone = Counter[tuple[About, str]](), Counter[tuple[About, str]]()
    for observation, (debit, credit, unit, amount) in entries:
        owed[unit] += amount * ((credit == OWED) - (debit == OWED))
        offset[unit] += amount * ((debit == OFFSET) - (credit == OFFSET))
        absorbed[observation, credit, unit] += amount * (debit == ABSORBED)
        spared = FUND if debit in GIVEN else debit  # what was held back is not there any more to make up for
        absorbed[observation, spared, unit] -= amount * (credit == ABSORBED)
        borne[unit] += amount * ((debit == ABSORBED) - (credit == ABSORBED))
        expired[observation, unit] += amount * ((credit == EXPIRED) - (debit == EXPIRED))
        undone[observation, unit] += amount * ((debit == EXPIRED) - ((debit, credit) == (FUND, EXPIRED)))
    return Books(owed, absorbed, offset, borne, expired, undone)


def differences(
    changes: Iterable[tuple[About, Postings, Postings]], so_far: Books, overpaid: str
) -> dict[About, Postings]:
    """Return what is posted for each observation that is decided anew.

    An award that comes back first makes up for what the program bore for it. What was given stays given: more for one
    observation makes up for less of another, and nothing is posted for either. What is owed and not given yet is simply
    no longer owed. Of the rest, the program bears what was given too much, or takes it off later awards. What expired of
    an award goes with it, and comes back with it as expired: it is not owed again. Keeps INV-14.

    Args:
        changes: each observation with what its former decision was due, and what its new one is.
        so_far: the books before the correction.
        overpaid: absorbed or offset, as the program says.
    """
    apart = {observation: _difference(former, new) for observation, former, new in changes}
    borne = Counter(so_far.borne)
    back = {
        observation: [
            *_borne_before(observation, each, so_far, borne),
            *_expired_before(observation, each, so_far),
        ]
        for observation, each in apart.items()
    }
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


def _borne_before(
    observation: About, difference: Counter[Key], so_far: Books, borne: Counter[str]
) -> list[Posting]:
    """Return what makes up for what the program bore for an observation, and take it off what is to be posted.

    Args:
        observation: what the award is for.
        difference: what is to be posted for it.
        so_far: the books before the correction.
        borne: what the program still bears, by unit.
    """
    found: list[Posting] = []
    for (debit, credit, unit), amount in difference.items():
        spared = so_far.absorbed.get((observation, debit, unit), 0)
        again = min(amount, spared, borne[unit]) if credit in PAYABLE else 0
        if again > 0:
            difference[debit, credit, unit] -= again
            borne[unit] -= again
            found.append(Posting(debit, ABSORBED, unit, again))
    return found


def _expired_before(observation: About, difference: Counter[Key], so_far: Books) -> list[Posting]:
    """Return what a correction undoes of what expired, or lets expire again, and take it off what is to be posted."""
    found: list[Posting] = []
    for (debit, credit, unit), amount in difference.items():
        if debit == FUND and credit in PAYABLE:
            of = (observation, unit)
            gone, again = min(-amount, so_far.expired.get(of, 0)), min(amount, so_far.undone.get(of, 0))
            if gone > 0:
                found.append(Posting(EXPIRED, FUND, unit, gone))
                difference[debit, credit, unit] += gone
            if again > 0:
                found.append(Posting(FUND, EXPIRED, unit, again))
                difference[debit, credit, unit] -= again
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
            account = OWED if credit in PAYABLE else credit
            back = min(-amount, owed[unit]) if account == OWED else -amount
            owed[unit] -= back * (account == OWED)
            found += _posting(account, debit, unit, back) + _posting(bears, debit, unit, -amount - back)
    return found


def _posting(debit: str, credit: str, unit: str, amount: int) -> list[Posting]:
    return [Posting(debit, credit, unit, amount)] if amount else []
