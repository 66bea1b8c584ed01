"""What of a payout a correction has taken away before any gateway was asked for it, and the acts by which it does not leave. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, product
from typing import Any

from cm_engine.acts.recording import Act
from cm_engine.ledger.accounts import ISSUED
from cm_engine.log.bank import BEARERS, Bank
from cm_engine.log.correction import latest
from cm_engine.log.encoding import dumped
from cm_engine.log.purse import DECLINED, REDEEMED, SETTLES, Lot, Sent
from cm_engine.log.rows import DELIVERY, Subject
from cm_engine.people.rights import SELF
from cm_engine.rules.payout import minimum

WHY = "a correction has taken it away before it was asked for"


def not_owed(bank: Bank, sent: Sent) -> dict[int, int]:
    """Return what corrections have taken away of the awards that a payout consists of, by the decision of each, in minor units.

    What was given stays given: no more of it than is still borne for these very awards, or for those in whose place they
    are on their way, so that nothing that somebody got before is taken back with it.

    Args:
        bank: of the enrollment, as it stands.
        sent: a payout that no gateway was asked for.
    """
    borne = [bank.borne(sent.unit, account) for account in BEARERS]
    if not any(of.total() > 0 for of in borne):
        return {}
    lots, found = _amounts(sent.unit, sent.lots), Counter[Subject]()
    _put_in_their_places(lots, *_misplaced(bank, sent.unit, borne))
    for of in borne:
        for award in lots:
            if (gone := min(lots[award], of[award], of.total())) > 0:
                lots[award] -= gone
                of[award] -= gone
                found[award] += gone
    stands = latest(bank.log.decisions)
    return {stands[award].number: amount for award, amount in found.items()}


def _amounts(unit: str, *lots: Iterable[Lot]) -> Counter[Subject]:
    """Return how much of each award lots are, in minor units; the participant's own deposit is none."""
    found = Counter[Subject]()
    for lot in chain(*lots):
        found[lot.subject] += lot.amount * (lot.unit == unit and not lot.own)
    return found


def _misplaced(
    bank: Bank, unit: str, borne: Iterable[Counter[Subject]]
) -> tuple[Counter[Subject], Counter[Subject]]:
    """Return of which awards there is more than is due and borne for them, and which have so much less as is borne.

    A correction takes what is owed of any award before it has something borne, and lets more for one make up for less of
    another. Where what was handed over is more so, it is in the others' place first.
    """
    sent = bank.purse.sent.values()
    there = _amounts(unit, bank.purse.owed, *(each.lots for each in sent))
    given = _amounts(unit, *(each.lots for each in sent if each.place == ISSUED))
    due, bears = Counter[Subject](), Counter[Subject]()
    for of in borne:
        bears.update(of)
    for (award, its), amount in bank.room().items():
        due[award] += amount * (its == unit)
    due.update(bears)
    short, before = Counter[Subject](), sum(max(0, given[award] - due[award]) for award in given)
    for award in bears:
        less = max(0, min(bears[award], due[award] - there[award]))
        short[award] = max(0, less - before)
        before -= less - short[award]
    return there - due, short


def _put_in_their_places(lots: Counter[Subject], more: Counter[Subject], short: Counter[Subject]) -> None:
    """Let what there is more of one award be of those which have less."""
    for award, other in product(list(more), list(short)):
        moved = min(lots[award], more[award], short[other])
        if moved > 0:
            lots[award] -= moved
            more[award] -= moved
            short[other] -= moved
            lots[other] += moved


def lowered(bank: Bank, sent: Sent, gone: Mapping[int, int], order: str) -> Iterator[Act]:
    """Yield the acts by which what is not owed does not leave: the payout is taken back, and what is owed of it sent anew.

    On set days the rest goes out on the next one; and what is less than the program hands over on request waits until
    there is more.

    Args:
        bank: of the enrollment, before the acts.
        sent: the payout.
        gone: what `not_owed` said.
        order: the id that a gateway would have known it by.
    """
    enrollment, unit = bank.enrolled.row.id, bank.unit(sent.unit)
    settles = {str(number): amount for number, amount in gone.items()}
    place = {"number": sent.number, "leg": sent.leg}
    yield _act(enrollment, DECLINED, f"{order}/not owed", {**place, "why": WHY, SETTLES: settles})
    rest, payout = sent.amount - sum(gone.values()), bank.enrolled.rules.payout
    least = 0 if bank.calendar.last else minimum(payout, unit)
    if rest and payout.when != "set days" and rest >= least:
        product = {"product": sent.product} if sent.product else {}
        amount = unit.decimal(rest)
        yield _act(
            enrollment, REDEEMED, f"{order}/anew", {"unit": unit.name, "amount": str(amount), **product}
        )


def _act(enrollment: str, kind: str, key: str, body: dict[str, Any]) -> Act:
    return Act(enrollment, kind, DELIVERY, key, SELF, body, dumped(body))
