"""The dispatcher: payouts that are due go to their gateways, as many workers as one likes, and each is handed over once."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from random import random
from typing import Protocol, TypeVar
from uuid import uuid4

from cm_engine.acts.recorded import Recorded
from cm_engine.acts.recording import Done
from cm_engine.acts.reported import Report
from cm_engine.delivery.sending import (
    LATE_AFTER,
    NOTHING_THERE,
    SOUGHT,
    Delivery,
    Sending,
    delivery_of,
    plain_answer,
    sending_of,
)
from cm_engine.delivery.steps import Equipment, is_sought, is_to_be_asked, lost
from cm_engine.errors import CmEngineError, DeliveryError, StorageError
from cm_engine.gateways import Answer, Order, Outcome
from cm_engine.log.rows import OVER, WorkRow
from cm_engine.plain import named, one_line
from cm_engine.ports import PayoutGateway

LEASE = timedelta(minutes=5)
"""As long has a worker the payouts that it claimed; who is killed leaves them to others after it."""

Handle = Callable[[str, str], str]
"""Tells where a participant wants rewards of a gateway delivered, by the opaque id and the gateway's name; empty if nowhere.

One that has a method `opened` tells it sealed, and opens it when the gateway is asked.
"""

Told = TypeVar("Told")

_log = logging.getLogger("cm_engine.delivery")


class Outbox(Protocol):
    """What a dispatcher needs of an engine: the work on payouts, step by step, each in a transaction of its own."""

    def claimed(self, worker: str, lease: timedelta, limit: int, enrollment: str) -> list[WorkRow]:
        """Give payouts that are due to a worker."""

    def prepared(self, row: WorkRow, equipment: Equipment, *, is_absent: bool = False) -> WorkRow | None:
        """Get a payout ready that a worker has claimed, and save it so; None if another worker has it by now."""

    def settled(
        self, row: WorkRow, answer: Answer, chance: float, late_after: timedelta, *, gateway: str = ""
    ) -> WorkRow | None:
        """Write what a gateway answered; None if another worker has the payout by now."""

    def put_off(self, row: WorkRow, why: str) -> WorkRow | None:
        """Note that a payout could not be gone on with; None if another worker has it by now."""

    def delivery(self, *, enrollment: str, number: int, leg: int = 1) -> Delivery:
        """Return what has become of a payout on its way."""

    def order_of(self, known: Delivery) -> str:
        """Return the id of the order that a payout is, as the log names it."""

    def cancelled(self, report: Report, known: Delivery, why: str) -> Done:
        """Take a payout back that a gateway surely does not have."""

    def reissued(self, report: Report, known: Delivery, why: str) -> Recorded | None:
        """Take a payout back and send the same anew, both or neither; None if nothing of it is owed."""


class Dispatcher:
    """Hand payouts over through gateways; `engine.dispatcher(...)` makes one.

    A payout is claimed with a lease, its order is saved, and only then its gateway is asked, outside of any
    transaction. What the gateway answers becomes an act on the enrollment, `handed over`, in one transaction with the end
    of the work. A worker that dies in between leaves the payout to the next one, which asks for the same order by the
    same id, or first what has become of it: it is handed over once.

    Args:
        engine: on whose storage the payouts are.
        gateways: by the names that sites call them.
        worker: what this worker is called; made up if left out.
        lease: longer than a gateway takes to answer.
        handle: tells where a participant wants rewards delivered, for gateways that need it.
        late_after: as long may a vendor have an order and not hand it over, before a person is told.
    """

    def __init__(
        self,
        engine: Outbox,
        gateways: Mapping[str, PayoutGateway],
        *,
        worker: str = "",
        lease: timedelta = LEASE,
        handle: Handle | None = None,
        late_after: timedelta = LATE_AFTER,
    ) -> None:
        self._engine = engine
        self._gateways = dict(gateways)
        self._lease = lease
        self._late_after = late_after
        self._opened: Callable[[Order], str] | None = getattr(handle, "opened", None)
        self.worker = named("worker", worker or f"worker-{uuid4().hex[:8]}")
        able = {name: gateway.capabilities for name, gateway in gateways.items()}
        self._equipment = Equipment(able, handle or _nowhere, lease)

    def deliver(self, *, enrollment: str = "", limit: int = 100) -> list[Delivery]:
        """Hand over payouts that are due, those that were due first first; return what became of each.

        Safe in any number of processes at once. A gateway that fails leaves its payout to be tried again; nothing that
        one payout meets stands in the way of another.

        Args:
            enrollment: whose; left out, of all. A host that has just recorded a result asks for this one, so that the
                participant has the reward at once.
            limit: at most so many.

        Raises:
            StorageError: the storage failed; what was handed over by then is recorded, or found again.
        """
        rows = self._engine.claimed(self.worker, self._lease, limit, enrollment)
        return [delivery_of(done) for row in rows if (done := self._tried(row))]

    def cancel(
        self,
        *,
        enrollment: str,
        number: int,
        leg: int = 1,
        why: str,
        source: str,
        key: str,
        by: str,
        is_absent: bool = False,
    ) -> Recorded:
        """Take a payout back that is stuck at a gateway: what was earned is owed again, as after `decline`.

        The gateway is asked first whether it has the order after all.

        Args:
            enrollment, number, leg: the payout.
            why: the reason, for the audit.
            source, key, by: as for `record`.
            is_absent: somebody made sure that the gateway has nothing, where it cannot be asked.

        Raises:
            DeliveryError: it is not stuck, or the gateway has it or cannot say.
            CmEngineError: as `decline`.
        """
        report = Report(enrollment, source, key, by)
        known = self._absent(report, number, leg, is_absent)
        return Recorded(self._engine.cancelled(report, known, one_line("why", why)))

    def reissue(
        self,
        *,
        enrollment: str,
        number: int,
        leg: int = 1,
        why: str,
        source: str,
        key: str,
        by: str,
        is_absent: bool = False,
    ) -> Recorded | None:
        """Take a payout back that is stuck, and send the same on its way anew, under an id of its own.

        Args:
            enrollment, number, leg, why, source, key, by, is_absent: as for `cancel`.

        Returns:
            What the new payout is; None if nothing is owed of it, as what a correction had shown to be too much was
            settled with it.

        Raises:
            CmEngineError: as `cancel`, and as `redeem`.
        """
        report = Report(enrollment, source, key, by)
        known = self._absent(report, number, leg, is_absent)
        return self._engine.reissued(report, known, one_line("why", why))

    def _absent(self, report: Report, number: int, leg: int, is_absent: bool) -> Delivery:  # noqa: FBT001 - as it is asked
        """Return a payout that its gateway surely does not have.

        Raises:
            DeliveryError: it may have it.
        """
        known = self._engine.delivery(enrollment=report.enrollment, number=number, leg=leg)
        if known.status == OVER or is_absent:
            return known
        order = known.order or self._engine.order_of(known)
        for name, gateway in self._who_may_have(known).items():
            if not _is_absent(gateway, order):
                told = f"{name} has it, or cannot say; look there, and if it surely has not: is_absent=True"
                raise DeliveryError(report.enrollment, number, leg, told)
        return known

    def _who_may_have(self, known: Delivery) -> dict[str, PayoutGateway | None]:
        """Return the gateways that may have a payout: the one that was asked for it, or all that can be asked if none was.

        A backup may have been brought back that knows nothing of it.
        """
        if known.order:
            return {known.gateway: self._gateways.get(known.gateway)}
        return {name: each for name, each in self._gateways.items() if each.capabilities.reads_back}

    def _tried(self, row: WorkRow) -> WorkRow | None:
        """Return what became of a payout; what it meets stands in the way of no other.

        Raises:
            StorageError: the storage failed, and would for all others.
        """
        try:
            return self._handed_over(row)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - a host's `handle` may raise anything, and a row may be damaged
            _log.warning("a payout was put off: %s", type(error).__name__)
            why = str(error) if isinstance(error, CmEngineError) else type(error).__name__
            return self._engine.put_off(row, why)

    def _handed_over(self, row: WorkRow) -> WorkRow | None:
        """Ask the gateway of a payout, and return what became of it; None if another worker has it by now."""
        was = sending_of(row).last
        ready = self._engine.prepared(row, self._equipment)
        if ready is not None and is_sought(ready):
            if found := self._sought(sending_of(ready)):
                return self._told(ready, *found)
            was, ready = SOUGHT, self._engine.prepared(ready, self._equipment, is_absent=True)
        if ready is None or not is_to_be_asked(ready):
            return ready
        answer = self._known(sending_of(ready), was)
        if answer is None and self._is_absent(sending_of(ready), was):  # where it goes is looked up anew
            was, ready = SOUGHT, self._engine.prepared(ready, self._equipment, is_absent=True)
            if ready is None or not is_to_be_asked(ready):
                return ready
        answer = answer or self._answer(sending_of(ready), was)
        _log.info("a payout was asked for: %s", answer.outcome)
        chance = random()  # noqa: S311 - it spreads those who wait
        return self._engine.settled(ready, answer, chance, self._late_after)

    def _sought(self, sending: Sending) -> tuple[str, Answer] | None:
        """Return which gateway has a payout that is not owed any more, or may have it, and what it says; None if none has."""
        order = sending.order
        assert order is not None, "the order is saved before it is asked for"
        for name, gateway in self._gateways.items():
            if gateway.capabilities.reads_back:
                found = _answered(name, lambda gateway=gateway: gateway.find(order.id))  # type: ignore[misc]
                if found is not None and (answer := _looked_up(found)).outcome != Outcome.REJECTED:
                    return name, answer
        return None

    def _told(self, row: WorkRow, gateway: str, answer: Answer) -> WorkRow | None:
        """Write what a gateway said that was asked whether it has a payout."""
        if answer.outcome == Outcome.UNKNOWN:
            return self._engine.put_off(row, answer.note)
        chance = random()  # noqa: S311 - it spreads those who wait
        return self._engine.settled(row, answer, chance, self._late_after, gateway=gateway)

    def _known(self, sending: Sending, was: str) -> Answer | None:
        """Return what has become of an order that was sent before, None if it is to be sent."""
        gateway, order = self._gateways[sending.gateway], sending.order
        assert order is not None, "the order is saved before it is asked for"
        return _answered(sending.gateway, lambda: _found(gateway, order, was))

    def _is_absent(self, sending: Sending, was: str) -> bool:
        """Tell whether a gateway surely has nothing of an order that was sent to an address, which may not hold any more."""
        able = self._gateways[sending.gateway].capabilities
        return able.needs_handle and able.reads_back and was not in NOTHING_THERE

    def _answer(self, sending: Sending, was: str) -> Answer:
        """Return what a gateway answers to what is sent; only for that the handle is needed.

        Raises:
            SecretError: the key of its handle was erased.
        """
        gateway, order = self._gateways[sending.gateway], sending.order
        assert order is not None, "the order is saved before it is asked for"
        plain = order._replace(handle=self._opened(order)) if self._opened else order
        return _answered(sending.gateway, lambda: _sent(gateway, plain, was))


def _answered(name: str, ask: Callable[[], Told]) -> Told | Answer:
    """Return what a gateway tells; whatever it raises, the order may be there."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - an adapter of a stranger's may raise anything
        _log.warning("the gateway %s raised %s", name, type(error).__name__)
        return lost(f"the gateway raised {type(error).__name__}")


def _found(gateway: PayoutGateway, order: Order, was: str) -> Answer | None:
    """Return what has become of an order that was sent before, None if it is to be sent."""
    if was in NOTHING_THERE or not gateway.capabilities.reads_back:
        return None
    if (found := gateway.find(order.id)) is not None:
        return _looked_up(found)
    if was in {Outcome.CREATED, Outcome.REPLAYED}:
        return Answer(Outcome.CONFLICT, note="the vendor took it, and does not find it any more")
    return None


def _sent(gateway: PayoutGateway, order: Order, was: str) -> Answer:
    """Return what a gateway answers; that it does nothing now says nothing of what it was sent before."""
    answer = plain_answer(gateway.send(order))
    if answer.outcome == Outcome.CONFLICT and answer.placed is None and (there := _there(gateway, order.id)):
        return answer._replace(placed=there.placed, reference=answer.reference or there.reference)
    is_sure = was in NOTHING_THERE or gateway.capabilities.reads_back
    return answer if is_sure or answer.outcome not in NOTHING_THERE else _doubted(answer)


def _there(gateway: PayoutGateway, id: str) -> Answer | None:  # noqa: A002 - what it is
    """Return what a gateway says of what it has under an id, if it can be asked."""
    if not gateway.capabilities.reads_back:
        return None
    with suppress(Exception):  # an adapter of a stranger's may raise anything, and the conflict is known
        found = gateway.find(id)
        return plain_answer(found) if found else None
    return None


def _looked_up(found: object) -> Answer:
    """Return what a lookup tells: that an order ended says who names it; else it is the lookup that is refused."""
    answer = plain_answer(found)
    has_ended = answer.outcome == Outcome.REJECTED and answer.reference
    return answer if has_ended or answer.outcome not in NOTHING_THERE else _doubted(answer)


def _doubted(answer: Answer) -> Answer:
    """Return an answer after which the gateway may have what it was sent before."""
    return answer._replace(
        outcome=Outcome.UNKNOWN, note=f"{answer.note}; it may have what it was sent before"
    )


def _is_absent(gateway: PayoutGateway | None, order: str) -> bool:
    """Tell whether a gateway surely has nothing under the id of an order."""
    if gateway is None or not gateway.capabilities.reads_back:
        return False
    try:
        found = gateway.find(order)
    except Exception:  # noqa: BLE001 - an adapter of a stranger's may raise anything
        return False
    return found is None or _looked_up(found).outcome == Outcome.REJECTED


def _nowhere(*_: str) -> str:
    """Return that a participant is reached nowhere."""
    return ""
