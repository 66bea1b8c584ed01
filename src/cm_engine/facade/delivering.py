"""Payouts on their way in an engine: what has become of each, who hands them over, and what a person does when it is stuck."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from types import MappingProxyType
from typing import Self

from cm_engine.acts.enrolling import found_enrollment
from cm_engine.acts.noting import Noting
from cm_engine.acts.recorded import Recorded
from cm_engine.acts.recording import Act, Done, Recording, whole_log
from cm_engine.acts.reported import Report, act_of_course
from cm_engine.delivery.channels import Able, able_of, refuse_mismatches, refuse_written
from cm_engine.delivery.dispatcher import LEASE, Dispatcher, Handle
from cm_engine.delivery.owing import lowered, not_owed
from cm_engine.delivery.sending import (
    LATE,
    LATE_AFTER,
    STATES,
    Delivery,
    Sending,
    after_answer,
    changed,
    delivery_of,
    known_of,
    sending_of,
    unread,
)
from cm_engine.delivery.steps import (
    Equipment,
    Ready,
    came_late,
    gateways_on,
    handed_over,
    is_held,
    releasing,
    seen_to,
    taken_over,
)
from cm_engine.errors import DeliveryError, ReportError
from cm_engine.facade.banking import Banking
from cm_engine.facade.opened import Made, Work
from cm_engine.gateways import Answer
from cm_engine.ledger.accounts import OWED
from cm_engine.log.bank import Bank
from cm_engine.log.encoding import instant
from cm_engine.log.outbox import BY_HAND, PAYOUT, STUCK, TO_APPROVE, payout_of, work_name
from cm_engine.log.purse import DECLINED, HANDED_OVER, PAYOUT_RELEASED, PAYOUT_RETRIED, REDEEMED
from cm_engine.log.rows import OVER, WAITING, WorkRow
from cm_engine.people.guard import refuse_act
from cm_engine.plain import named
from cm_engine.ports import LAST, Claim, PayoutGateway, Transaction, WorkQuery
from cm_engine.sites.office import Office

PAGE = 1000
"""As many payouts are read at a time, where only some of those that wait are asked for."""
Payout = tuple[str, int, int]
"""An enrollment, the number of a decision, and the leg."""


class Delivering(Banking):
    """The part of an engine that sends payouts on their way through gateways."""

    _able: Able = MappingProxyType({})

    def with_gateways(self, gateways: Mapping[str, PayoutGateway]) -> Self:
        """Return this engine, which knows what its gateways can do: it refuses to pay a program by others than it asks for.

        Whatever brings a program to a site, or a gateway: `enroll`, `transfer`, `migrate`, `readmit`, `import_bundle`,
        `add_gateway`.

        Args:
            gateways: as for `dispatcher`.

        Raises:
            ChannelError: somebody is paid so already.
        """
        able = able_of(gateways)
        self._refuse_mismatches(able)
        self._able = able
        return self

    def _written(self, work: Work[Made], *, lock: bool = False, wait: bool = True) -> Made:
        """Do work in a transaction, unless it puts a program where no gateway is what it asks for."""
        if not self._able:
            return super()._written(work, lock=lock, wait=wait)

        def suited(tx: Transaction, now: str, locked: bool) -> Made:  # noqa: FBT001 - as all work is called
            noting = Noting(tx)
            made = work(noting.as_transaction(), now, locked)
            office = Office(tx, self._register.in_transaction_of_host(), now)
            refuse_written(office, self._able, noting.batches)
            return made

        return super()._written(suited, lock=lock, wait=wait)

    def _refuse_mismatches(self, able: Able) -> None:
        with self._storage.reading() as tx:
            office = Office(tx, self._register, instant(self._now()))
            refuse_mismatches(office, able, list(office.sites()))

    def dispatcher(
        self,
        gateways: Mapping[str, PayoutGateway],
        *,
        worker: str = "",
        lease: timedelta = LEASE,
        handle: Handle | None = None,
        late_after: timedelta = LATE_AFTER,
    ) -> Dispatcher:
        """Return what hands payouts over through gateways; any number of them may work at once.

        Args:
            gateways: by the names that sites call them; `add_gateway` adds one to a site. A payout goes by the first
                one of its site that can hand it over, if its day is not before the site had it.
            worker: what this one is called, in its work; made up if left out.
            lease: longer than a gateway takes to answer: what a dead worker had is taken over after it.
            handle: tells where a participant wants rewards delivered, for gateways that need it.
            late_after: as long may a vendor have an order and not hand it over, before it is listed as late.

        Raises:
            ChannelError: somebody is paid at a site none of whose gateways is what their program asks for.
        """
        if self._storage.joined:
            msg = "dispatcher: the host may roll its transaction back, and money that was paid stays paid; make one of the engine itself"
            raise ReportError(msg)
        self._refuse_mismatches(able_of(gateways))
        return Dispatcher(self, gateways, worker=worker, lease=lease, handle=handle, late_after=late_after)

    def deliveries(
        self, *, enrollment: str = "", status: str = "", after: Delivery | None = None, limit: int = 1000
    ) -> list[Delivery]:
        """Return what has become of payouts on their way, in the order of enrollments and payouts.

        Payouts of enrollments at no site are not among them: nobody is there to send them.

        Args:
            enrollment: whose; left out, of all.
            status: waiting, late, by hand, to be approved, stuck or over; left out, all. What is late waits too: its vendor
                has had it for too long, and is still asked about it.
            after: the last one of the page before.
            limit: at most so many.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
            ReportError: there is no such status.
        """
        if status and status not in STATES:
            msg = f"status: expected {', '.join(STATES)}, got {status!r}"
            raise ReportError(msg)
        place = (after.enrollment, work_name(after.number, after.leg)) if after else ("", "")
        with self._storage.reading() as tx:
            if enrollment:
                found_enrollment(tx, enrollment)
            state, some = (WAITING, max(limit, PAGE)) if status in {WAITING, LATE} else (status, limit)
            query = WorkQuery(PAYOUT, enrollment, state=state, after=place, limit=some)
            return list(islice(_deliveries(tx, query, status), limit))

    def goes_by(self, done: Recorded) -> tuple[str, ...]:
        """Return the gateways by which what an act hands over goes out, in the order in which they are asked.

        Where there are some nobody else hands it over, or it is given twice; where there are none, a person does.

        Args:
            done: what `record` and others return.
        """
        if not done.hand_over:
            return ()
        with self._storage.reading() as tx:
            _, stand, _ = Recording(tx, self._register, "", locked=False).standing(done.enrollment)
            numbers = {each.number for each in done.decisions}
            payouts = tx.payouts(done.enrollment)
            days = {
                row.day for row in payouts if row.number in numbers or not numbers
            }  # a freeze holds back any
            if not (stand.calendar.stays and days):
                return ()
            return tuple(gateways_on(tx, stand.calendar, max(days)))

    def delivery(self, *, enrollment: str, number: int, leg: int = 1) -> Delivery:
        """Return what has become of a payout on its way.

        Raises:
            DeliveryError: there is none, or its enrollment was at no site.
        """
        with self._storage.reading() as tx:
            return delivery_of(_found(tx, enrollment, number, leg))

    def approve_payout(self, *, enrollment: str, number: int, leg: int = 1, by: str) -> Delivery:
        """Release a payout to its gateway, where the program wants another person than who recorded the result.

        Args:
            enrollment, number, leg: the payout.
            by: who releases it; the act by which it is handed over is theirs.

        Raises:
            NotAllowedError: they recorded the result that pays it, or may not release payouts.
            DeliveryError: it does not wait for that.
        """

        def approved(tx: Transaction, row: WorkRow) -> WorkRow:
            refuse_act(tx, self._register, self._policy, releasing(row, by, self._now()))
            self._note(tx, seen_to(tx, row, PAYOUT_RELEASED, by))
            return changed(row, WAITING, sending_of(row)._replace(approved_by=by), f"released by {by}")

        return self._on_delivery((enrollment, number, leg), by, {TO_APPROVE}, approved)

    def retry_payout(self, *, enrollment: str, number: int, leg: int = 1, by: str) -> Delivery:
        """Have a payout tried again that is stuck, or was left to be handed over in person.

        It keeps its id: a gateway that has it knows it again. One that a gateway rejected is looked at anew, as if it had
        never been asked for.

        Args:
            enrollment, number, leg: the payout.
            by: who says so.

        Raises:
            DeliveryError: it is under way, or over.
        """

        def again(tx: Transaction, row: WorkRow) -> WorkRow:
            asked = releasing(row, by, self._now())._replace(
                kind=DECLINED
            )  # it needs the right, and no second person
            refuse_act(tx, self._register, self._policy, asked)
            self._note(tx, seen_to(tx, row, PAYOUT_RETRIED, by))
            sending = known_of(row)
            anew = sending if sending.is_with_gateway else Sending(approved_by=sending.approved_by)
            return changed(row, WAITING, anew._replace(calls=0), f"tried again by {by}")

        return self._on_delivery((enrollment, number, leg), by, {STUCK, BY_HAND}, again)

    def _note(self, tx: Transaction, act: Act) -> None:
        """Write down in the log that somebody has seen to a payout."""
        Recording(tx, self._register, instant(self._now()), locked=True).take([act])

    def _on_delivery(
        self,
        payout: Payout,
        by: str,
        states: Collection[str],
        change: Callable[[Transaction, WorkRow], WorkRow],
    ) -> Delivery:
        """Change the work on a payout that is in one of some states, due at once."""
        named("by", by)

        def work(tx: Transaction, now: str, _: object) -> Delivery:
            row = _found(tx, *payout)
            if row.state not in states:
                raise DeliveryError(*payout, f"it is {row.state}, and not {' or '.join(sorted(states))}")
            new = change(tx, row)._replace(due=now)
            tx.settle(row, new)
            return delivery_of(new)

        return self._written(work, lock=True)

    def _recorded_payout(self, act: Act) -> Recorded:
        """Record what becomes of payouts, with the end of the work on them.

        Raises:
            DeliveryError: a gateway may have one of them.
        """
        if act.kind not in {HANDED_OVER, DECLINED}:
            return self._recorded(act)

        def work(tx: Transaction, now: str, locked: bool) -> Done:  # noqa: FBT001 - as all work is called
            [done] = Recording(tx, self._register, now, locked=locked).take([act])
            rows = () if done.replayed else _work_of(tx, act)
            for row in rows:
                taken_over(tx, act, row)
            return done

        return Recorded(self._written(work, lock=True))

    def order_of(self, known: Delivery) -> str:
        """Return the id of the order that a payout is, as the log names it, whether it was asked for or not."""
        with self._storage.reading() as tx:
            row = _found(tx, known.enrollment, known.number, known.leg)
            equipment = Equipment({}, lambda *_: "")
            return Ready.of(tx, self._register, row, equipment, self._now()).order().id

    def cancelled(self, report: Report, known: Delivery, why: str) -> Done:
        """Take a payout back that a gateway surely does not have; a dispatcher asks it first."""
        return self._written(self._taking_back(report, known, why), lock=True)

    def reissued(self, report: Report, known: Delivery, why: str) -> Recorded | None:
        """Take a payout back and send the same anew, both or neither; None if nothing of it is owed."""
        take_back = self._taking_back(report, known, why)

        def work(tx: Transaction, now: str, locked: bool) -> Recorded | None:  # noqa: FBT001 - as all work is called
            back = take_back(tx, now, locked)
            owed = [entry for entry in back.entries if entry.credit == OWED]
            if not owed:
                return None
            sent = Bank.of(back.enrolled, whole_log(tx, report.enrollment)).purse.sent[
                known.number, known.leg
            ]
            amount = back.enrolled.rules.program.unit(sent.unit).decimal(owed[0].amount)
            body = {"unit": sent.unit, "amount": amount} | ({"product": sent.product} if sent.product else {})
            act = act_of_course(REDEEMED, report._replace(key=f"{report.key}/anew"), body)
            return Recorded(Recording(tx, self._register, now, locked=locked).take([act])[0])

        return self._written(work, lock=True)

    def _taking_back(
        self, report: Report, known: Delivery, why: str
    ) -> Callable[[Transaction, str, bool], Done]:
        """Return the work that takes a payout back, if nothing was done with it since its gateway was asked."""
        place = {"number": known.number, "leg": known.leg}
        act = act_of_course(DECLINED, report, {**place, "why": why})

        def work(tx: Transaction, now: str, locked: bool) -> Done:  # noqa: FBT001 - as all work is called
            [done] = Recording(tx, self._register, now, locked=locked).take([act])
            row = _found(tx, report.enrollment, **place)
            if not done.replayed:
                _refuse_under_way(row, known)
                tx.settle(row, changed(row, OVER, sending_of(row), f"cancelled by {report.by}"))
            return done

        return work

    def claimed(self, worker: str, lease: timedelta, limit: int, enrollment: str) -> list[WorkRow]:
        """Give payouts that are due to a worker."""
        now = self._now()
        claim = Claim(PAYOUT, worker, instant(now), instant(now + lease), limit, enrollment)
        return self._written(lambda tx, *_: tx.claim(claim))

    def prepared(self, row: WorkRow, equipment: Equipment, *, is_absent: bool = False) -> WorkRow | None:
        """Get a payout ready that a worker has claimed, and save it so; None if another worker has it by now.

        Args:
            row: the work on it.
            equipment: what the worker can do.
            is_absent: its gateway was asked, and does not have it.
        """

        def prepare(tx: Transaction, *_: object) -> WorkRow | None:
            ready = Ready.of(tx, self._register, row, equipment, self._now())
            ready = ready.absent() if is_absent else ready
            if not is_held(tx, row):
                return None
            new = self._lowered(tx, ready, is_absent=is_absent) or ready.prepared()
            tx.settle(row, new)
            return new

        return self._written(prepare, lock=True)

    def _lowered(self, tx: Transaction, ready: Ready, *, is_absent: bool) -> WorkRow | None:
        """Take a payout back of which something is not owed any more, and send the rest anew; None if all of it is owed.

        Its gateway is asked first whether it has it, if that can be asked.
        """
        gone = not_owed(ready.bank, ready.sent) if ready.may_be_lowered else {}
        if not gone:
            return None
        if not is_absent and (sought := ready.sought()):
            return sought
        for act in lowered(ready.bank, ready.sent, gone, ready.order().id):
            Recording(tx, self._register, instant(ready.now), locked=True).take([act])
        return ready.lowered(sum(gone.values()))

    def put_off(self, row: WorkRow, why: str) -> WorkRow | None:
        """Note that a payout could not be gone on with; None if another worker has it by now."""

        def put(tx: Transaction, *_: object) -> WorkRow | None:
            if not is_held(tx, row):
                return None
            [was] = tx.work(WorkQuery(PAYOUT, row.enrollment, row.name))
            new = unread(was, why, self._now())
            tx.settle(was, new)
            return new

        return self._written(put)

    def settled(
        self,
        row: WorkRow,
        answer: Answer,
        chance: float,
        late_after: timedelta = LATE_AFTER,
        *,
        gateway: str = "",
    ) -> WorkRow | None:
        """Write what a gateway answered; None if another worker has the payout by now, who will find the same out.

        Args:
            row: the work on the payout.
            answer: of the gateway.
            chance: from 0 to 1; it spreads those who wait.
            late_after: as long may a vendor have it, before a person is told.
            gateway: which has it, if that was not known before.
        """
        asked = (
            changed(row, row.state, sending_of(row)._replace(gateway=gateway), row.note) if gateway else row
        )

        def settle(tx: Transaction, now: str, locked: bool) -> WorkRow | None:  # noqa: FBT001 - as all work is called
            recording = Recording(tx, self._register, now, locked=locked)
            recording.standing(row.enrollment)
            if not is_held(tx, row):
                came_late(tx, row, answer)
                return None
            new = after_answer(asked, answer, self._now(), chance, late_after)
            if new.state == OVER:
                recording.take([handed_over(new)])
            tx.settle(row, new)
            return new

        return self._written(settle, lock=True)


def _refuse_under_way(row: WorkRow, known: Delivery) -> None:
    """Refuse to take a payout back that a worker is about to ask a gateway for again, or has asked for since."""
    if delivery_of(row) != known or (row.state == WAITING and sending_of(row).is_with_gateway):
        raise DeliveryError(row.enrollment, *payout_of(row.name), "it is under way; wait until it is stuck")


def _deliveries(tx: Transaction, query: WorkQuery, status: str) -> Iterator[Delivery]:
    """Yield what has become of payouts, page by page; which of those that wait are late, their work says."""
    while rows := tx.work(query):
        found = map(delivery_of, rows)
        yield from (each for each in found if status in {"", each.status})
        if len(rows) < query.limit:
            return
        query = query._replace(after=(rows[-1].enrollment, rows[-1].name))


def _found(tx: Transaction, enrollment: str, number: int, leg: int) -> WorkRow:
    """Return the work on a payout.

    Raises:
        DeliveryError: there is none.
    """
    rows = tx.work(WorkQuery(PAYOUT, enrollment, work_name(number, leg)))
    if not rows:
        raise DeliveryError(
            enrollment, number, leg, "nothing sends it: there is none, or its enrollment was at no site"
        )
    return rows[0]


def _work_of(tx: Transaction, act: Act) -> Iterator[WorkRow]:
    """Yield the work on the payouts that an act is about, which is not over yet."""
    number, leg = act.body["number"], act.body.get("leg")
    for row in tx.work(WorkQuery(PAYOUT, act.enrollment, limit=LAST)):
        if payout_of(row.name)[0] == number and leg in {None, payout_of(row.name)[1]} and row.state != OVER:
            yield row
