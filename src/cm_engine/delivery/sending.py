"""What is known of a payout under way, and what becomes of it: pure, so that every worker decides the same."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from cm_engine.errors import DeliveryError
from cm_engine.gateways import Answer, Order, Outcome, Placed, difference
from cm_engine.log.encoding import instant
from cm_engine.log.outbox import BY_HAND, STUCK, TO_APPROVE, payout_of
from cm_engine.log.rows import OVER, WAITING, WorkRow
from cm_engine.log.work import NOTHING, body_of, form_of
from cm_engine.spelling import counted
from cm_engine.waiting import CALLS_MAX, FIRST_WAIT, wait_after

Kind = TypeVar("Kind")

LATE = "late"
"""How a payout stands that waits, and that its vendor has had for too long: it is asked about all the same."""

STATES = (WAITING, LATE, BY_HAND, TO_APPROVE, STUCK, OVER)

ASKED = "asked"
"""The last of a payout that a gateway was asked for and has not answered yet, as far as is known."""
SOUGHT = "sought"
"""The last of a payout that is not owed any more, and that a gateway is asked about before it is taken back."""
NOTHING_THERE = frozenset({"", SOUGHT, Outcome.REJECTED, Outcome.RETRY_LATER})
"""After these the gateway has nothing under the id: a person may do with the payout as they like."""

PUT_OFF_MAX = 84
"""As often may a gateway put a payout off: three days, so that an outage needs no person for each."""
WAIT_MAX = timedelta(days=7)
"""No vendor makes a payout wait longer."""
MANY = 2000
"""So many characters of a text are looked at."""
TEXTS = ("gateway", "began", "last", "reference", "approved_by")
ASKS_AGAIN = timedelta(minutes=10)
"""As long is waited before a vendor is asked what has become of an order that it has taken."""
LATE_AFTER = timedelta(days=3)
"""As long may a vendor have an order and not hand it over, before a person is told."""
ASKS_LATE = timedelta(hours=6)
"""As long is waited then before it is asked again."""


class UnreadableWorkError(DeliveryError):
    """The work on a payout is damaged."""


def _place(row: WorkRow) -> tuple[str, int, int]:
    return (row.enrollment, *payout_of(row.name))


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
        is_late: the vendor has had it for too long.
    """

    gateway: str = ""
    order: Order | None = None
    began: str = ""
    calls: int = 0
    last: str = ""
    reference: str = ""
    approved_by: str = ""
    is_late: bool = False

    @property
    def is_with_gateway(self) -> bool:
        """Tell whether the gateway may have it."""
        return self.last not in NOTHING_THERE

    @property
    def may_be_there(self) -> bool:
        """Tell whether nobody can say yet that no gateway has it."""
        return self.is_with_gateway or self.last == SOUGHT


def text_of(sending: Sending) -> str:
    """Return what is known, as the body of work."""
    form: dict[str, Any] = {name: value for name, value in sending._asdict().items() if value}
    if sending.order:
        form["order"] = {**sending.order._asdict(), "amount": str(sending.order.amount)}
    return body_of(form)


def sending_of(row: WorkRow) -> Sending:
    """Return what is known of a payout, from its work; what another release knew beside it is left out.

    Raises:
        UnreadableWorkError: it is damaged.
    """
    try:
        form = {name: value for name, value in form_of(row.body).items() if name in Sending._fields}
        found = Sending(**form)
        if not isinstance(found.calls, int) or not all(isinstance(form.get(name, ""), str) for name in TEXTS):
            raise TypeError  # noqa: TRY301 - as what else is wrong with it
        return found._replace(order=_order(form.get("order")))
    except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError) as error:
        why = "look whether a vendor has it, and if none has, have it tried again"
        raise UnreadableWorkError(
            *_place(row), f"its work is damaged ({type(error).__name__}); {why}"
        ) from None


def _order(form: Mapping[str, Any] | None) -> Order | None:
    return Order(**{**form, "amount": Decimal(form["amount"])}) if form else None


def after_answer(
    row: WorkRow, answer: Answer, now: datetime, chance: float, late_after: timedelta = LATE_AFTER
) -> WorkRow:
    """Return what a gateway's answer makes of a payout.

    Args:
        row: the work, while the gateway was asked.
        answer: what it answered.
        now: the time.
        chance: from 0 to 1; it spreads those who wait.
        late_after: as long may the vendor have it and not hand it over, before a person is told.
    """
    known = sending_of(row)
    sending = known._replace(last=str(answer.outcome), reference=answer.reference or known.reference)
    assert sending.order is not None, "the order is saved before it is asked for"
    if answer.outcome in {Outcome.CREATED, Outcome.REPLAYED}:
        if differs := difference(sending.order, answer.placed):
            return changed(row, STUCK, sending, differs)
        if answer.is_given:
            return changed(row, OVER, sending, "handed over")
        return _pending(row, sending._replace(calls=0), answer, now, late_after)
    if answer.outcome in {Outcome.CONFLICT, Outcome.REJECTED}:
        told = (
            answer.note or f"the gateway said: {answer.outcome}",
            difference(sending.order, answer.placed),
        )
        return changed(row, STUCK, sending, "; ".join(filter(None, told)))
    return _again(row, sending._replace(calls=sending.calls + 1), answer, now, chance)


def _pending(row: WorkRow, sending: Sending, answer: Answer, now: datetime, late_after: timedelta) -> WorkRow:
    """Return a payout that the vendor has taken and not handed over yet: it is asked about again, if it is late slowly."""
    wait, began = max(answer.wait or ASKS_AGAIN, FIRST_WAIT), datetime.fromisoformat(sending.began)
    if now - began < late_after:
        return changed(row, WAITING, sending, answer.note)._replace(due=instant(now + wait))
    told = (
        f"{sending.gateway} has it since {began:%Y-%m-%d %H:%M} UTC, and has not handed it over; look there"
    )
    late = changed(row, WAITING, sending._replace(is_late=True), f"{told}: {answer.note}".rstrip(": "))
    return late._replace(due=instant(now + max(wait, ASKS_LATE)))


def _again(row: WorkRow, sending: Sending, answer: Answer, now: datetime, chance: float) -> WorkRow:
    if sending.calls >= (CALLS_MAX if answer.outcome == Outcome.UNKNOWN else PUT_OFF_MAX):
        note = f"asked {counted(sending.calls, 'time')} in vain; the last answer was: {answer.note or answer.outcome}"
        return changed(row, STUCK, sending, note)
    due = instant(now + max(wait_after(sending.calls, chance), answer.wait or timedelta(0)))
    return changed(row, WAITING, sending, answer.note or str(answer.outcome))._replace(due=due)


def changed(row: WorkRow, state: str, sending: Sending, note: str) -> WorkRow:
    """Return work in another state; what stood in the way is cut to a line."""
    return row._replace(state=state, body=text_of(sending), note=" ".join(note.split())[:500])


def plain_answer(answer: object) -> Answer:
    """Return what a gateway answered in a form that can be compared and stored; if it has none, the order may be there."""
    try:
        return _plain(answer)
    except UnreadableError as error:
        why = f": {error}"
    except (ValueError, TypeError, AttributeError, ArithmeticError):
        why = ""
    return Answer(
        Outcome.UNKNOWN, note=f"the gateway answered {type(answer).__name__}, which cannot be read{why}"
    )


class UnreadableError(ValueError):
    """Say which part of an answer is of a wrong type, in words of ours: what it has may be anything."""


def _plain(answer: Any) -> Answer:  # noqa: ANN401 - of a stranger's
    outcome, placed, wait = Outcome(answer.outcome), answer.placed, answer.wait
    if placed is not None:
        amount = _of(Decimal, "placed.amount", placed.amount)
        if amount is not None and not amount.is_finite():
            msg = "placed.amount is no number"
            raise UnreadableError(msg)
        placed = Placed(amount, _line(placed.unit), _line(placed.product))
    if _of(timedelta, "wait", wait) is not None:
        wait = min(max(wait, timedelta(0)), WAIT_MAX)
    return Answer(outcome, _line(answer.reference), _line(answer.note), placed, bool(answer.is_given), wait)


def _of(kind: type[Kind], name: str, value: object) -> Kind | None:
    """Return a part of an answer that has to be of a kind, if it is there."""
    if value is None or isinstance(value, kind):
        return value
    msg = f"{name} is of {type(value).__name__}, and has to be of {kind.__name__}"
    raise UnreadableError(msg)


def _line(text: object) -> str:
    """Return a text without what no line has, nor a database takes."""
    plain = "" if text is None else str(text)[:MANY]
    return " ".join("".join(each if each.isprintable() else " " for each in plain).split())


def unread(row: WorkRow, why: str, now: datetime) -> WorkRow:
    """Return work that could not be gone on with: it waits, and in the end, or if it is damaged, a person has to look."""
    body = body_of({}) if row.body == NOTHING else row.body
    told = row._replace(note=" ".join(why.split())[:500], body=body)
    if row.tries >= CALLS_MAX or is_damaged(row):
        return told._replace(state=STUCK)
    return told._replace(due=instant(now + ASKS_AGAIN))


class Delivery(NamedTuple):
    """What has become of a payout's delivery.

    Attributes:
        enrollment, number, leg: the payout.
        status: waiting, late, by hand, to be approved, stuck or over.
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


def is_damaged(row: WorkRow) -> bool:
    """Tell whether the work on a payout is not as it was written."""
    try:
        sending_of(row)
    except UnreadableWorkError:
        return True
    return False


def known_of(row: WorkRow) -> Sending:
    """Return what is known of a payout, nothing of one whose work is damaged."""
    return Sending() if is_damaged(row) else sending_of(row)


def delivery_of(row: WorkRow) -> Delivery:
    """Return what has become of a payout, from its work."""
    sending, due = known_of(row), row.due if row.state == WAITING else ""
    order = sending.order.id if sending.order else ""
    state = LATE if row.state == WAITING and sending.is_late else row.state
    place = (row.enrollment, *payout_of(row.name), state, due)
    return Delivery(*place, sending.gateway, order, sending.reference, row.tries, row.note)
