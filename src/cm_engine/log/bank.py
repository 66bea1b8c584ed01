"""The acts of the participant's bank: asked for, paid out, handed over, declined, returned, expired. Pure, as the whole log is."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from cm_engine.errors import ReportError
from cm_engine.ledger.accounts import (
    ABSORBED,
    EXPIRED,
    FUND,
    IN_FLIGHT,
    ISSUED,
    OFFSET,
    OWED,
    PAYABLE,
    Posting,
)
from cm_engine.ledger.corrections import books
from cm_engine.log.chain import hash_of
from cm_engine.log.correction import Log, by_subject, due_of, latest
from cm_engine.log.encoding import reasons_text, said
from cm_engine.log.episode import calendar_of
from cm_engine.log.fold import Turn, Written, entries_of, payouts_of
from cm_engine.log.history import day_in, zones_of
from cm_engine.log.purse import (
    DECLINED,
    HANDED_OVER,
    PAID_OUT,
    PAYOUT_RELEASED,
    PAYOUT_RETRIED,
    REDEEMED,
    REFUNDED,
    SETTLES,
    Lot,
    Purse,
    Sent,
    awards_of,
    purse_of,
)
from cm_engine.log.purse import EXPIRED as EXPIRES
from cm_engine.log.rows import DecisionRow, RecordRow, Subject
from cm_engine.log.stand import Enrolled
from cm_engine.program.units import Unit
from cm_engine.rules import RULES_VERSION
from cm_engine.rules.payout import minimum
from cm_engine.rules.reasons import CameBack, Expired, HandedOver, PayDayCame, Reason, Redeemed
from cm_engine.rules.windows import Calendar
from cm_engine.rules.words import WORDS
from cm_engine.spelling import nearest

PLACES = {IN_FLIGHT: "on the way", ISSUED: "handed over"}
"""Where a payout is, in words; what came back is declined or refunded."""
BEARERS = (ABSORBED, OFFSET)
"""The accounts that bear what was given too much, in the order in which what comes back settles it."""


class Step(NamedTuple):
    """What an act does with one amount: why, and the postings that it takes."""

    reason: Reason
    postings: tuple[Posting, ...]


def banked(turn: Turn, record: RecordRow, log: Log) -> Written:
    """Return what an act of the bank writes: one decision, or nothing where nothing is due.

    It depends on the log alone, and on nothing that today's rules decide. Keeps INV-14.

    Args:
        turn: the enrollment as the act meets it.
        record: the act, with its hash.
        log: all rows before it.

    Raises:
        ReportError: it asks for what is not there, or for what the program does not allow.
    """
    bank, body = Bank.of(turn.enrolled, log), json.loads(record.body)
    steps = tuple(ACTS[record.kind](bank, body))
    if not steps:
        return Written((), (), (), turn.stand)
    row = _row(turn, record, body.get("until") or bank.day_of(record.recorded_at), steps)
    entries = entries_of(row, (posting for step in steps for posting in step.postings))
    offset = Counter(turn.stand.offset)
    for each in entries:
        if each.credit == OFFSET:
            offset[each.unit] -= each.amount
    stand = turn.stand._replace(offset={unit: amount for unit, amount in offset.items() if amount})
    return Written((row,), entries, payouts_of(row, entries), stand)


def _row(turn: Turn, record: RecordRow, day: str, steps: tuple[Step, ...]) -> DecisionRow:
    """Return the decision of an act: its subject is the act itself, and it awards nothing."""
    reasons = tuple(step.reason for step in steps)
    about = (record.enrollment, turn.number + 1, record.seq, record.seq, "", 0, 0, day, record.kind)
    fields = (*about, "[]", reasons_text(reasons), said(reasons, WORDS["task"]), "", RULES_VERSION)
    return DecisionRow(*fields, hash_of(fields, record.hash))


@dataclass(frozen=True, slots=True)
class Bank:
    """What an enrollment is owed, and its payouts, as an act of the bank meets them."""

    enrolled: Enrolled
    log: Log
    calendar: Calendar
    purse: Purse

    @classmethod
    def of(cls, enrolled: Enrolled, log: Log) -> "Bank":
        """Return the bank of an enrollment after all rows of its log."""
        calendar = calendar_of(enrolled, log.records)
        zones = zones_of(enrolled.row.zone, calendar)
        return cls(enrolled, log, calendar, purse_of(enrolled.rules.payout, zones, *log))

    def unit(self, name: str) -> Unit:
        """Return a unit of the program."""
        return self.enrolled.rules.program.unit(name)

    def day_of(self, at: str) -> str:
        """Return the clinic's day of a time."""
        return day_in(at, zones_of(self.enrolled.row.zone, self.calendar))

    def redeemed(self, body: Mapping[str, Any]) -> Iterator[Step]:
        """Yield that what was asked for goes on its way."""
        unit = self.unit(body["unit"])
        self._refuse_frozen()
        owed = self.purse.owes(unit.name)
        asked = unit.minor(Decimal(body["amount"])) if "amount" in body else owed
        self._refuse_request(unit, asked, owed)
        reason = Redeemed(unit, asked, self._product(body.get("product", "")))
        yield Step(reason, (Posting(OWED, IN_FLIGHT, unit.name, asked),))

    def paid_out(self, body: Mapping[str, Any]) -> Iterator[Step]:
        """Yield that what is owed goes on its way, pay day by pay day and by unit, whenever it is looked after."""
        due = Counter[tuple[str, str]]()
        for day, lot in self.purse.due_on(body["until"]):
            due[day, lot.unit] += lot.amount * (not self.calendar.frozen)
        for (day, name), amount in sorted(due.items()):
            if amount:
                reason = PayDayCame(self.unit(name), amount, date.fromisoformat(day))
                yield Step(reason, (Posting(OWED, IN_FLIGHT, name, amount),))

    def handed_over(self, body: Mapping[str, Any]) -> Iterator[Step]:
        """Yield that payouts reached the participant."""
        self._refuse_frozen()
        for sent in self._sent(body, IN_FLIGHT):
            about = (self.unit(sent.unit), sent.amount, sent.number, sent.leg)
            posting = Posting(IN_FLIGHT, ISSUED, sent.unit, sent.amount)
            yield Step(HandedOver(*about, body.get("reference", "")), (posting,))

    def declined(self, body: Mapping[str, Any]) -> Iterator[Step]:
        """Yield that payouts did not reach the participant."""
        return self._back(body, IN_FLIGHT)

    def refunded(self, body: Mapping[str, Any]) -> Iterator[Step]:
        """Yield that what was handed over came back."""
        return self._back(body, ISSUED)

    def _back(self, body: Mapping[str, Any], place: str) -> Iterator[Step]:
        """Yield what becomes of payouts that come back: they settle what was given too much, and are owed again."""
        known = books(by_subject(self.log))
        outstanding = {ABSORBED: Counter(known.borne), OFFSET: Counter(known.offset)}
        for sent in self._sent(body, place):
            found = self._held_back(body, sent) if SETTLES in body else _settled(sent, outstanding)
            postings = [Posting(place, account, sent.unit, amount) for account, amount in found]
            left = sent.amount - sum(posting.amount for posting in postings)
            postings += [Posting(place, OWED, sent.unit, left)] if left else []
            about = (self.unit(sent.unit), sent.amount, sent.number, sent.leg)
            yield Step(CameBack(*about, sent.amount - left, place == ISSUED), tuple(postings))

    def _held_back(self, body: Mapping[str, Any], sent: Sent) -> Iterator[tuple[str, int]]:
        """Yield which account has what of a payout that is held back: that which bears it for the award."""
        subject = {row.number: row.subject for row in self.log.decisions}
        borne = {account: self.borne(sent.unit, account) for account in BEARERS}
        for number, amount in awards_of(body[SETTLES]):
            left = amount
            for account, of in borne.items():
                settled = min(left, of[subject[number]])
                if settled > 0:
                    left -= settled
                    yield account, settled

    def borne(self, unit: str, account: str) -> Counter[Subject]:
        """Return what an account bears for each award, in minor units; less than 0 where an award made up for another."""
        found = Counter[Subject]()
        for subject, posting in by_subject(self.log):
            if posting.unit == unit:
                found[subject] += posting.amount * ((posting.debit == account) - (posting.credit == account))
        return found

    def seen_to(self, body: Mapping[str, Any]) -> Iterator[Step]:
        """Yield nothing: somebody has seen to a payout, and where it is stays as it is."""
        if (body["number"], body["leg"]) not in self.purse.sent:
            msg = f"number: there is no payout {body['number']}/{body['leg']}; payouts lists what there is"
            raise ReportError(msg)
        return iter(())

    def expired(self, body: Mapping[str, Any]) -> Iterator[Step]:
        """Yield what was not collected in time, award by award."""
        if self.calendar.frozen:
            return
        stands, room = latest(self.log.decisions), self.room()
        for lot, last in self.purse.over_by(body["until"]):
            for subject, amount in _lost(lot, room):
                award = stands[subject]
                days = (date.fromisoformat(award.day), date.fromisoformat(last))
                reason = Expired(self.unit(lot.unit), amount, award.number, *days)
                yield Step(reason, (Posting(OWED, EXPIRED, lot.unit, amount),))

    def room(self) -> Counter[tuple[Subject, str]]:
        """Return how much of each award has not expired, by unit: no more can expire of it than it is worth."""
        found = Counter[tuple[Subject, str]]()
        for row in latest(self.log.decisions).values():
            for posting in due_of(self.enrolled, row):
                if posting.debit == FUND and posting.credit in PAYABLE:
                    found[row.subject, posting.unit] += posting.amount
        lost = books(by_subject(self.log)).expired
        return Counter({about: amount - lost.get(about, 0) for about, amount in found.items()})

    def _refuse_frozen(self) -> None:
        if self.calendar.frozen:
            raise ReportError("the enrollment is frozen, and nothing is handed over; release it first")

    def _refuse_request(self, unit: Unit, asked: int, owed: int) -> None:
        """Refuse what the program does not hand over on request, and more than is owed."""
        payout, spoken = self.enrolled.rules.payout, unit.spoken
        least = 0 if self.calendar.last else minimum(payout, unit)
        if payout.when == "set days":
            days = ", ".join(payout.days)
            raise ReportError(
                f"the program pays on set days ({days}): what is owed goes out then, by pay_due"
            )
        if asked > owed or not owed:
            many = f"{spoken(asked)} is asked for, and {spoken(owed)} is owed" if owed else "nothing is owed"
            raise ReportError(f"amount: {many}")
        if asked < least:
            msg = f"amount: the program hands over {spoken(least)} or more, got {spoken(asked)}; {spoken(owed)} is owed"
            raise ReportError(msg)

    def _product(self, asked: str) -> str:
        """Return what is asked for; it may be left out for the only product of a program."""
        known = self.enrolled.rules.payout.products
        if not asked and len(known) == 1:
            return known[0]
        if not known or asked in known:
            return asked
        wrong = f"there is no {asked!r}{nearest(asked, known)}" if asked else "say what is asked for"
        raise ReportError(f"product: {wrong} (known: {', '.join(known)})")

    def _sent(self, body: Mapping[str, Any], place: str) -> list[Sent]:
        """Return the payouts of a decision that are in a place, or the one of a leg.

        Raises:
            ReportError: there is no such payout, or nothing of it is there.
        """
        number, leg = body["number"], body.get("leg")
        sent = [
            each for each in self.purse.sent.values() if each.number == number and leg in {None, each.leg}
        ]
        found = [each for each in sent if each.place == place]
        if not sent:
            what = f"decision {number}" if leg is None else f"leg {leg} of decision {number}"
            raise ReportError(f"number: {what} sends nothing on its way; payouts lists what does")
        if not found:
            was = " and ".join(sorted({PLACES.get(each.place, each.place) for each in sent}))
            raise ReportError(f"number: nothing of payout {number} is {PLACES[place]}; it is {was}")
        return found


def _settled(sent: Sent, outstanding: Mapping[str, Counter[str]]) -> Iterator[tuple[str, int]]:
    """Yield what a payout that comes back settles of what was given too much, account by account, and take it off that."""
    left = sent.amount
    for account, of in outstanding.items():
        settled = min(left, of[sent.unit])
        of[sent.unit] -= settled
        left -= settled
        if settled:
            yield account, settled


def _lost(lot: Lot, room: Counter[tuple[Subject, str]]) -> Iterator[tuple[Subject, int]]:
    """Yield which awards lose a lot that expires: its own, and what that has no room for another one, the oldest first."""
    left = lot.amount
    for subject, unit in sorted(room, key=lambda about: about[0] != lot.subject):
        lost = min(left, room[subject, unit]) if unit == lot.unit else 0
        if lost > 0:
            room[subject, unit] -= lost
            left -= lost
            yield subject, lost


ACTS: Mapping[str, Callable[[Bank, Mapping[str, Any]], Iterator[Step]]] = {
    REDEEMED: Bank.redeemed,
    PAID_OUT: Bank.paid_out,
    HANDED_OVER: Bank.handed_over,
    DECLINED: Bank.declined,
    REFUNDED: Bank.refunded,
    EXPIRES: Bank.expired,
    PAYOUT_RELEASED: Bank.seen_to,
    PAYOUT_RETRIED: Bank.seen_to,
}
"""What each kind of act does."""
