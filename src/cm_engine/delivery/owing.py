"""What of a payout a correction has taken away before any gateway was asked for it, and the acts by which it does not leave. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cm_engine.ledger.accounts import ABSORBED, FUND, OFFSET
from cm_engine.ledger.corrections import books
from cm_engine.log.bank import SETTLES, Bank
from cm_engine.log.correction import by_subject, latest
from cm_engine.log.encoding import dumped
from cm_engine.log.purse import DECLINED, REDEEMED, Sent
from cm_engine.log.rows import DELIVERY, Subject
from cm_engine.people.rights import SELF
from cm_engine.recording import Act
from cm_engine.rules.payout import minimum

BEARERS = frozenset({ABSORBED, OFFSET})
WHY = "a correction has taken it away before it was asked for"


def not_owed(bank: Bank, sent: Sent) -> dict[int, int]:
    """Return what corrections have taken away of the awards that a payout consists of, by the decision of each, in minor units.

    What was given stays given: no more of it than the program still bears for these very awards, so that nothing that
    somebody got before is taken back with it.

    Args:
        bank: of the enrollment, as it stands.
        sent: a payout that no gateway was asked for.
    """
    known, stands, borne = books(by_subject(bank.log)), latest(bank.log.decisions), _borne(bank, sent.unit)
    left, found = known.borne[sent.unit] + known.offset[sent.unit], Counter[int]()
    for lot in sent.lots:
        gone = 0 if lot.own else min(lot.amount, borne[lot.subject], left)
        if gone > 0:
            found[stands[lot.subject].number] += gone
            borne[lot.subject] -= gone
            left -= gone
    return dict(found)


def _borne(bank: Bank, unit: str) -> Counter[Subject]:
    """Return what is borne for each award, without what was held back for it before."""
    found, of = Counter[Subject](), {row.number: row.subject for row in bank.log.decisions}
    for subject, posting in by_subject(bank.log):
        if posting.unit == unit:
            less = posting.debit in BEARERS and posting.credit == FUND
            again = posting.debit == FUND and posting.credit in BEARERS
            found[subject] += posting.amount * (less - again)
    for number, amount in bank.held_back(unit):
        found[of[number]] -= amount
    return found


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
    settles = {str(number): str(unit.decimal(amount)) for number, amount in gone.items()}
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
