"""What is known of a payout under way, and what becomes of it: pure, so that every worker decides the same."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from cm_engine.gateways import Answer, Order, Outcome, difference
from cm_engine.log.encoding import dumped, instant
from cm_engine.log.outbox import payout_of
from cm_engine.log.rows import OVER, WAITING, WorkRow
from cm_engine.waiting import CALLS_MAX, wait_after

BY_HAND, TO_APPROVE, STUCK = "by hand", "to be approved", "stuck"
"""What becomes of the work on a payout, beside waiting and over: a person hands it over, releases it, or looks what is wrong."""

STATES = (WAITING, BY_HAND, TO_APPROVE, STUCK, OVER)

ASKED = "asked"
"""The last of a payout that a gateway was asked for and has not answered yet, as far as is known."""
NOTHING_THERE = frozenset({"", Outcome.REJECTED, Outcome.RETRY_LATER})
"""After these the gateway has nothing under the id: a person may do with the payout as they like."""

ASKS_AGAIN = timedelta(minutes=10)
"""As long is waited before a vendor is asked what has become of an order that it has taken."""


class Sending(NamedTuple):
    """What is known of a payout under way; it is saved before a gateway is asked for anything.

    Attributes:
        gateway: which one is asked, by its name.
        order: what it is asked for, the same each time.
        began: when it was asked first; empty if it never was.
        calls: how often it was asked in vain.
        last: what it answered last, or that it was asked.
        reference: the vendor's name of the order.
        approved_by: who released it, where the program wants a person to.
    """

    gateway: str = ""
    order: Order | None = None
    began: str = ""
    calls: int = 0
    last: str = ""
    reference: str = ""
    approved_by: str = ""

    @property
    def is_with_gateway(self) -> bool:
        """Tell whether the gateway may have it."""
        return self.last not in NOTHING_THERE


def text_of(sending: Sending) -> str:
    """Return what is known, as the body of work."""
    form: dict[str, Any] = {name: value for name, value in sending._asdict().items() if value}
    if sending.order:
        form["order"] = {**sending.order._asdict(), "amount": str(sending.order.amount)}
    return dumped(form)


def sending_of(row: WorkRow) -> Sending:
    """Return what is known of a payout, from its work."""
    form: dict[str, Any] = json.loads(row.body)
    return Sending(**{**form, "order": _order(form["order"])} if "order" in form else form)


def _order(form: Mapping[str, Any]) -> Order:
    return Order(**{**form, "amount": Decimal(form["amount"])})


def after_answer(row: WorkRow, answer: Answer, now: datetime, chance: float) -> WorkRow:
    """Return what a gateway's answer makes of a payout.

    Args:
        row: the work, while the gateway was asked.
        answer: what it answered.
        now: the time.
        chance: from 0 to 1; it spreads those who wait.
    """
    known = sending_of(row)
    sending = known._replace(last=str(answer.outcome), reference=answer.reference or known.reference)
    assert sending.order is not None, "the order is saved before it is asked for"
    if answer.outcome in {Outcome.CREATED, Outcome.REPLAYED}:
        if differs := difference(sending.order, answer.placed):
            return changed(row, STUCK, sending, differs)
        if answer.is_given:
            return changed(row, OVER, sending, "handed over")
        again = instant(now + (answer.wait or ASKS_AGAIN))
        return changed(row, WAITING, sending._replace(calls=0), answer.note)._replace(due=again)
    if answer.outcome in {Outcome.CONFLICT, Outcome.REJECTED}:
        return changed(row, STUCK, sending, answer.note or f"the gateway said: {answer.outcome}")
    return _again(row, sending._replace(calls=sending.calls + 1), answer, now, chance)


def _again(row: WorkRow, sending: Sending, answer: Answer, now: datetime, chance: float) -> WorkRow:
    if sending.calls >= CALLS_MAX:
        note = f"asked {sending.calls} times in vain; the last answer was: {answer.note or answer.outcome}"
        return changed(row, STUCK, sending, note)
    due = instant(now + max(wait_after(sending.calls, chance), answer.wait or timedelta(0)))
    return changed(row, WAITING, sending, answer.note or str(answer.outcome))._replace(due=due)


def changed(row: WorkRow, state: str, sending: Sending, note: str) -> WorkRow:
    """Return work in another state; what stood in the way is cut to a line."""
    return row._replace(state=state, body=text_of(sending), note=" ".join(note.split())[:500])


class Delivery(NamedTuple):
    """What has become of a payout's delivery.

    Attributes:
        enrollment, number, leg: the payout.
        status: waiting, by hand, to be approved, stuck or over.
        due: when it is tried next; empty if a person has to do something, or nothing is left to do.
        gateway: which has it, or had; empty if none was asked.
        order: the id by which the gateway knows it.
        reference: the vendor's name of it.
        tries: how often a worker took it.
        note: what stood in the way, or how it ended.
    """

    enrollment: str
    number: int
    leg: int
    status: str
    due: str
    gateway: str
    order: str
    reference: str
    tries: int
    note: str


def delivery_of(row: WorkRow) -> Delivery:
    """Return what has become of a payout, from its work."""
    sending, due = sending_of(row), row.due if row.state == WAITING else ""
    order = sending.order.id if sending.order else ""
    place = (row.enrollment, *payout_of(row.name), row.state, due)
    return Delivery(*place, sending.gateway, order, sending.reference, row.tries, row.note)
