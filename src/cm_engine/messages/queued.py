"""A message in the outbox, and what becomes of it: pure, so that every worker decides the same."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from cm_engine.log.encoding import instant
from cm_engine.log.rows import DUE, OVER, WAITING, WorkRow
from cm_engine.log.work import body_of, form_of
from cm_engine.messages.draft import Draft
from cm_engine.messages.sending import Never, NotYet
from cm_engine.ports import Delivery
from cm_engine.waiting import CALLS_MAX, wait_after

MESSAGE = "message"
"""The kind of work that says something to somebody."""
STUCK = "stuck"
STATES = (WAITING, STUCK, OVER)
SENT, ASKED = "sent", "asked"
"""The last of a message that was sent, and of one that a notifier was given and has not answered for, as far as is known."""

NEWS = timedelta(days=7)
"""What is reported of a day longer ago is no news: a history that is imported is told to nobody."""
WITHOUT = timedelta(minutes=10)
"""As long waits a message that no worker here can send."""


class Queued(NamedTuple):
    """What is known of a message in the outbox; it has no address and no words.

    Attributes:
        draft: what is to be said.
        last: what became of it last; empty before the first try.
        calls: how often it was tried in vain.
        leaves: what is logged of it if it leaves, as it stood when a notifier was given it.
    """

    draft: Draft
    last: str = ""
    calls: int = 0
    leaves: Mapping[str, Any] = MappingProxyType({})


class Message(NamedTuple):
    """What has become of a message.

    Attributes:
        id: the message, wherever it goes.
        enrollment: of which episode.
        kind: what it is about.
        recipient: `participant`, the id of a supporter, or `role:` and a role of the care team.
        status: waiting, stuck or over.
        due: when it is tried next; empty if it is not.
        tries: how often a worker took it.
        note: what stood in the way, or how it ended; no address and no words are in it.
        about: what of it: a visit, a decision, an alert.
        reference: a few letters by which the care team finds it.
    """

    id: str
    enrollment: str
    kind: str
    recipient: str
    status: str
    due: str
    tries: int
    note: str
    about: str = ""
    reference: str = ""


def queue(drafts: Iterable[Draft], now: datetime) -> Iterator[WorkRow]:
    """Yield the work that says drafts, but what is no news any more."""
    oldest, at = (now - NEWS).date(), instant(now)
    for draft in drafts:
        day = draft.values.get("visit_day", "")
        if draft.useless_after or not day or date.fromisoformat(str(day)) >= oldest:
            due = max(draft.not_before, at)
            body = text_of(Queued(draft))
            yield WorkRow(draft.enrollment or DUE, MESSAGE, draft.id, WAITING, due, 0, "", body, "")


def text_of(queued: Queued) -> str:
    """Return what is known, as the body of work."""
    return body_of({**queued._asdict(), "draft": queued.draft.form(), "leaves": dict(queued.leaves)})


def queued_of(row: WorkRow) -> Queued:
    """Return what is known of a message, from its work.

    Raises:
        ValueError: it is not as the engine wrote it.
    """
    form = form_of(row.body)
    return Queued(**{**form, "draft": Draft.of(form["draft"])})


def message_of(row: WorkRow) -> Message:
    """Return what has become of a message, from its work."""
    draft, due = queued_of(row).draft, row.due if row.state == WAITING else ""
    of = "" if row.enrollment == DUE else row.enrollment
    told = (row.state, due, row.tries, row.note, draft.about, draft.reference)
    return Message(row.name, of, draft.kind, draft.recipient, *told)


def asked(row: WorkRow, leaves: Mapping[str, Any]) -> WorkRow:
    """Return a message as it is saved before a notifier is given it, with what is logged if it leaves."""
    return row._replace(body=text_of(queued_of(row)._replace(last=ASKED, leaves=leaves)))


def was_asked(row: WorkRow) -> bool:
    """Tell whether a notifier was given a message, and nobody knows what it answered: its worker died."""
    return queued_of(row).last == ASKED


def after_refusal(row: WorkRow, answer: NotYet | Never) -> WorkRow:
    """Return a message that may not be sent now: it waits, or nothing is to be done with it any more."""
    if isinstance(answer, NotYet):
        return row._replace(due=instant(answer.until), note=answer.why)
    return row._replace(state=OVER, note=answer.why)


def after_delivery(
    row: WorkRow, delivery: Delivery, now: datetime, chance: float, *, has_ids: bool
) -> WorkRow:
    """Return what a notifier's answer makes of a message.

    Args:
        row: the work, while the notifier was asked.
        delivery: what it answered.
        now: the time.
        chance: from 0 to 1; it spreads those who wait.
        has_ids: whoever gets the same message twice can tell; else one that may have been sent is not sent again.
    """
    known = queued_of(row)
    queued = known._replace(last=delivery.outcome, calls=known.calls + 1)
    new = row._replace(body=text_of(queued), note=" ".join(delivery.why.split())[:500])
    if delivery.outcome == SENT:
        return new._replace(state=OVER, note=SENT)
    if delivery.outcome == "unknown" and not has_ids:
        return new._replace(state=OVER, note="it may have been sent, and is not sent again")
    if delivery.outcome == "rejected" or queued.calls >= CALLS_MAX:
        return new._replace(state=STUCK)
    wait = max(wait_after(queued.calls, chance), timedelta(seconds=delivery.retry_after or 0))
    return new._replace(due=instant(now + wait))


def without_notifier(row: WorkRow, channel: str, now: datetime) -> WorkRow:
    """Return a message that waits for a worker which can send it."""
    return row._replace(due=instant(now + WITHOUT), note=f"no worker here sends by {channel}")


def parked(row: WorkRow, error: Exception) -> WorkRow:
    """Return a message that a person has to look at: the error by its class, as its words may tell too much."""
    return row._replace(state=STUCK, note=f"it could not be worded or addressed: {type(error).__name__}")
