"""What a worker does in a transaction: get a payout ready before a gateway is asked, and write what became of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from cm_engine.acts.recording import Act, Recording, whole_log
from cm_engine.acts.register import Register
from cm_engine.delivery.sending import ASKED, NOTHING_THERE, SOUGHT, Sending, changed, sending_of
from cm_engine.errors import DeliveryError, JournalNotFoundError
from cm_engine.gateways import Answer, Capabilities, Order, Outcome, misfit, order_id
from cm_engine.journal import Journal
from cm_engine.ledger.accounts import IN_FLIGHT
from cm_engine.log.bank import Bank
from cm_engine.log.correction import Log
from cm_engine.log.encoding import dumped, instant
from cm_engine.log.outbox import BY_HAND, PAYOUT, STUCK, TO_APPROVE, payout_of, stay_on
from cm_engine.log.purse import HANDED_OVER, PAID_OUT, PAYOUT_RELEASED, Sent
from cm_engine.log.rows import DELIVERY, OVER, WAITING, RecordRow, WorkRow
from cm_engine.log.sited import PLACED, ROOT
from cm_engine.people.rights import SELF
from cm_engine.ports import LAST, Transaction, WorkQuery
from cm_engine.rules.windows import Calendar
from cm_engine.sites.kind import SITE

WAITS = timedelta(minutes=10)
"""As long waits a payout that nothing can be done with now."""


class Equipment(NamedTuple):
    """What a worker can do.

    Attributes:
        able: what each gateway can do that it has, by name.
        handle: tells where a participant wants rewards of a gateway delivered; empty if nowhere.
        lease: as long has it a payout from when it asks for it.
    """

    able: Mapping[str, Capabilities]
    handle: Callable[[str, str], str]
    lease: timedelta = timedelta(minutes=5)


def is_held(tx: Transaction, row: WorkRow) -> bool:
    """Tell whether a worker still has the work that it claimed."""
    found = tx.work(WorkQuery(row.kind, row.enrollment, row.name))
    return [(each.state, each.worker, each.tries) for each in found] == [(WAITING, row.worker, row.tries)]


@dataclass(frozen=True, slots=True)
class Ready:
    """A payout as a worker gets it ready, in a transaction begun with `lock`."""

    tx: Transaction
    row: WorkRow
    bank: Bank
    equipment: Equipment
    now: datetime

    @classmethod
    def of(
        cls, tx: Transaction, register: Register, row: WorkRow, equipment: Equipment, now: datetime
    ) -> "Ready":
        """Return a payout with its log, which nobody changes until the end."""
        enrolled, *_ = Recording(tx, register, instant(now), locked=True).standing(row.enrollment)
        return cls(tx, row, Bank.of(enrolled, whole_log(tx, row.enrollment)), equipment, now)

    def absent(self) -> "Ready":
        """Return it as one that no gateway has: each that was asked was asked again, and has nothing."""
        sending = self.sending._replace(last="")
        return replace(self, row=changed(self.row, self.row.state, sending, self.row.note))

    @property
    def sending(self) -> Sending:
        """Return what is known of it."""
        return sending_of(self.row)

    @property
    def sent(self) -> Sent:
        """Return the payout itself."""
        return self.bank.purse.sent[payout_of(self.row.name)]

    @property
    def may_be_lowered(self) -> bool:
        """Tell whether it may be looked at what of it is owed: no gateway has it yet, and nothing else stands in its way.

        What a person hands over counts as given from the beginning: they need not have said so.
        """
        calendar = self.bank.calendar
        is_here = not (calendar.away or calendar.frozen)
        waits = is_here and self.sent.place == IN_FLIGHT and not self.sending.is_with_gateway
        return waits and any(self._gateways())

    def sought(self) -> WorkRow | None:
        """Return the work on a payout as it is saved before gateways are asked whether one has it; None if none can be asked.

        No log says that it was sent: a backup may have been brought back that knows nothing of it.
        """
        able = self.equipment.able
        if missing := [name for name in self._gateways() if name not in able]:
            return self._later(f"no worker here has the gateway {missing[0]}")
        if not any(each.reads_back for each in able.values()):
            return None
        sending = self.sending._replace(gateway="", order=self.order(), began=instant(self.now), last=SOUGHT)
        return self._leased(changed(self.row, WAITING, sending, ""))

    def lowered(self, gone: int) -> WorkRow:
        """Return the work on a payout of which something is not owed any more: nothing of it is asked for."""
        told = (
            f"{self.bank.unit(self.sent.unit).spoken(gone)} of it are not owed any more, after a correction"
        )
        return changed(self.row, OVER, Sending(approved_by=self.sending.approved_by), told)

    def prepared(self) -> WorkRow:
        """Return the work as it is to be before a gateway is asked, its order saved; else in the state that it waits in."""
        calendar, people = self.bank.calendar, self.bank.enrolled.rules.program.people
        if self.sent.place != IN_FLIGHT:
            return self._left(OVER, f"it is {self.sent.place}")
        if calendar.away:
            return self._left(BY_HAND, "the enrollment was exported; where it is now it is handed over")
        if calendar.frozen:
            return self._later("the enrollment is frozen")
        if people and people.release and not self._is_released():
            return self._left(TO_APPROVE, "the program wants a person to release it")
        if (saved := self.sending.order) and saved._replace(handle="") != self.order():
            return self._left(
                STUCK, "what was saved to be asked for is not what the log says; somebody changed it"
            )
        return self._asked() if self.sending.is_with_gateway else self._chosen()

    def _is_released(self) -> bool:
        """Tell whether whoever is said to have released it has: it stands in the log."""
        place = {"number": self.sent.number, "leg": self.sent.leg}
        return any(
            record.actor == self.sending.approved_by and json.loads(record.body) == place
            for record in self.bank.log.records
            if record.kind == PAYOUT_RELEASED
        )

    def _asked(self) -> WorkRow:
        """Return work that a gateway may have: it is asked for the same again, if that is safe."""
        sending = self.sending
        able = self.equipment.able.get(sending.gateway)
        if able is None:
            return self._later(f"no worker here has the gateway {sending.gateway}")
        if not able.reads_back and self._is_forgotten(able):
            why = f"{sending.gateway} knows an order again for {able.remembers} only, and cannot be asked what became of it"
            return self._left(STUCK, why)
        return self._leased(changed(self.row, WAITING, sending._replace(last=ASKED), self.row.note))

    def _leased(self, row: WorkRow) -> WorkRow:
        """Return work that is about to be asked for, with the whole lease before it."""
        return row._replace(due=instant(self.now + self.equipment.lease))

    def _is_forgotten(self, able: Capabilities) -> bool:
        """Tell whether the vendor may take the order for a new one by the time it arrives there."""
        began = datetime.fromisoformat(self.sending.began)
        arrives = self.now + self.equipment.lease
        return able.remembers is not None and arrives >= began + able.remembers

    def _chosen(self) -> WorkRow:
        """Return work with the first gateway of the site that can hand it over, or why none does."""
        names = list(self._gateways())
        if not names:
            return self._left(BY_HAND, "the site has no gateway for it")
        why, order, channel = [], self.order(), self.bank.enrolled.rules.payout.channel
        for name in names:
            if (able := self.equipment.able.get(name)) is None:
                return self._later(f"no worker here has the gateway {name}")
            handle = self.equipment.handle(order.recipient, name) if able.needs_handle else ""
            order = order._replace(handle=handle)
            if not (wrong := misfit(able, order, channel)):
                sending = self.sending._replace(
                    gateway=name, order=order, began=instant(self.now), last=ASKED
                )
                return self._leased(changed(self.row, WAITING, sending, ""))
            why.append(f"{name}: {wrong}")
        return self._left(STUCK, "; ".join(why))

    def _gateways(self) -> Iterator[str]:
        """Yield the gateways of the site by which the payout may go, in order."""
        return gateways_on(self.tx, self.bank.calendar, self.sent.day)

    def order(self) -> Order:
        """Return what the log says is to be asked for, without where it is delivered."""
        sent, participant = self.sent, self.bank.enrolled.row.participant
        amount = self.bank.unit(sent.unit).decimal(sent.amount)
        return Order(order_id(*name_of(self.bank.log, sent)), amount, sent.unit, sent.product, participant)

    def _left(self, state: str, note: str) -> WorkRow:
        """Return work that is not asked for now; whether an earlier call was answered is not known any more."""
        sending = self.sending
        last = Outcome.UNKNOWN if sending.last == ASKED else sending.last
        return changed(self.row, state, sending._replace(last=str(last)), note)

    def _later(self, note: str) -> WorkRow:
        return self._left(WAITING, note)._replace(due=instant(self.now + WAITS))


def name_of(log: Log, sent: Sent) -> tuple[str, int]:
    """Return what names a payout, and its leg: its enrollment and what it is for.

    No time is in it, nor when a worker looked after it, and the number of a visit only if it was not met. So
    what is reported again after a backup was brought back has the same order, which the vendor knows; and whatever of it
    comes to another amount then is another order under one id, which a person is asked about. What a correction sends
    anew is of its act too.

    Args:
        log: all rows of the enrollment.
        sent: the payout.
    """
    paid_out = {row.number for row in log.decisions if row.outcome == PAID_OUT}
    which = (sent.number, sent.leg if sent.number in paid_out else 0)
    names = list(_names(log))
    place = [each for each, _ in names].index(which)
    _, name = names[place]
    same = sum(other == name for _, other in names[:place])
    return dumped([*_enrollment_of(log), *name, same]), 1 if which[1] else sent.leg


def _names(log: Log) -> Iterator[tuple[tuple[int, int], tuple[object, ...]]]:
    """Yield what names the payouts of each decision, by its number and 0: what was decided first of something, that alone.

    Those of pay days are named by the pay day and the unit, each by its number and leg.
    """
    acts, known = {record.seq: (record.source, record.key) for record in log.records}, set[object]()
    for row in log.decisions:
        if row.outcome == PAID_OUT:
            for leg, reason in enumerate(json.loads(row.reasons), 1):
                yield (row.number, leg), (PAID_OUT, reason.get("day", row.day), reason["unit"])
        by_visit = row.visit and row.outcome != "-"  # a worker may find nobody there before that is reported
        about = (row.target, row.visit) if by_visit else acts[row.observation]
        yield (row.number, 0), ((acts[row.record], about) if about in known else (about,))
        known.add(about)


def _enrollment_of(log: Log) -> tuple[str, ...]:
    """Return what names an enrollment wherever its payouts go: its source and key with the root of its site, or the hash of its first act.

    The root keeps two databases apart that give the same keys; an enrollment that began at no site is not known again
    if it was lost with a backup.
    """
    first, *rest = log.records
    root = json.loads(rest[0].body).get(ROOT) if rest and rest[0].kind == PLACED else None
    return (root, first.source, first.key) if root else (first.hash,)


def gateways_on(tx: Transaction, calendar: Calendar, day: str) -> Iterator[str]:
    """Yield the gateways by which a payout of a day may go at the site where an enrollment is then, in order.

    A site that is another database's, from which the enrollment came, has none here.
    """
    with suppress(JournalNotFoundError):
        site = Journal(SITE, stay_on(calendar, day).site, tx).state()
        yield from (each.name for each in site.gateways if day >= each.since)


def taken_over(tx: Transaction, act: Act, row: WorkRow) -> WorkRow:
    """Return the work on a payout that a person has handed over, or taken back.

    Of one that is stuck they may say that it reached somebody by the order that the gateway has, under its reference.

    Raises:
        DeliveryError: a gateway may have it.
    """
    sending = sending_of(row)
    by_theirs = row.state == STUCK and bool(sending.reference) and act.kind == HANDED_OVER
    if sending.may_be_there and not (by_theirs and act.body.get("reference") == sending.reference):
        who = f"the gateway {sending.gateway}" if sending.gateway else "a gateway"
        why = f"{who} may have it; deliveries() says how far it is, and a dispatcher cancels it"
        raise DeliveryError(row.enrollment, *payout_of(row.name), why)
    new = changed(row, OVER, sending, f"{act.kind} by {act.actor}")
    tx.settle(row, new)
    return new


def refuse_with_gateway(tx: Transaction, enrollment: str) -> None:
    """Refuse to let an enrollment go while a gateway may have a payout of it.

    Raises:
        DeliveryError: one may be there.
    """
    for row in tx.work(WorkQuery(PAYOUT, enrollment, limit=LAST)):
        if row.state != OVER and sending_of(row).may_be_there:
            why = f"the gateway {sending_of(row).gateway} may have it; wait until it is over, or cancel it"
            raise DeliveryError(enrollment, *payout_of(row.name), why)


def came_late(tx: Transaction, row: WorkRow, answer: Answer) -> None:
    """Note that a gateway may have taken what its worker does not have any more, unless it was handed over by that."""
    order = sending_of(row).order
    [now] = tx.work(WorkQuery(row.kind, row.enrollment, row.name))
    known = order and tx.look_up([], [(DELIVERY, order.id)]).records
    if known or answer.outcome in NOTHING_THERE:
        return
    sending = sending_of(now)._replace(last=str(Outcome.UNKNOWN), reference=answer.reference)
    if now.state == OVER:
        note = f"{now.note}; and then the gateway said: {answer.outcome}; it may be paid twice"
        tx.settle(now, changed(now, STUCK, sending, note))
    elif not sending_of(now).is_with_gateway:
        tx.settle(now, changed(now, now.state, sending, now.note))


def is_to_be_asked(row: WorkRow) -> bool:
    """Tell whether work that was got ready goes to its gateway."""
    return row.state == WAITING and sending_of(row).last == ASKED


def is_sought(row: WorkRow) -> bool:
    """Tell whether a gateway is to be asked only whether it has a payout."""
    return row.state == WAITING and sending_of(row).last == SOUGHT


def handed_over(row: WorkRow) -> Act:
    """Return the act that a gateway's answer is: by whoever released the payout, or by the engine."""
    sending, (number, leg) = sending_of(row), payout_of(row.name)
    assert sending.order is not None, "the order is saved before it is asked for"
    reference = sending.reference if sending.reference.isprintable() else ""
    body = {"number": number, "leg": leg} | ({"reference": reference[:200]} if reference else {})
    by = sending.approved_by or SELF
    return Act(row.enrollment, HANDED_OVER, DELIVERY, sending.order.id, by, body, dumped(body))


def seen_to(tx: Transaction, row: WorkRow, kind: str, by: str) -> Act:
    """Return the act of somebody who has seen to a payout: released it, or had it tried again."""
    number, leg = payout_of(row.name)
    body = {"number": number, "leg": leg}
    before = sum(record.kind == kind for record in tx.records(row.enrollment))
    key = f"{row.enrollment}/{row.name}/{kind}/{before + 1}"
    return Act(row.enrollment, kind, DELIVERY, key, by, body, dumped(body))


def releasing(row: WorkRow, by: str, now: datetime) -> RecordRow:
    """Return the act of somebody who releases a payout, as the guard is asked about it."""
    number, leg = payout_of(row.name)
    body = dumped({"number": number, "leg": leg})
    return RecordRow(row.enrollment, -1, HANDED_OVER, "delivery", "", by, instant(now), body, "", "")


def lost(outcome: str) -> Answer:
    """Return the answer of a gateway that gave none that can be read: the order may be there."""
    return Answer(Outcome.UNKNOWN, note=outcome)
