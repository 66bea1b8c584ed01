"""What an audit looks at in work by itself: that its state is one there is, and its body as the engine wrote it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from cm_engine.errors import UNREADABLE
from cm_engine.log.encoding import instant
from cm_engine.log.outbox import BY_HAND, PAYOUT, STUCK, TO_APPROVE, payout_of
from cm_engine.log.rows import OVER, TASK, WAITING, WorkRow
from cm_engine.log.work import NOTHING, form_of
from cm_engine.messages.queued import MESSAGE, SENT, queued_of
from cm_engine.messages.queued import STATES as OF_MESSAGES


class _Kind(NamedTuple):
    """What work of a kind is like: its states, and what reads it."""

    states: Sequence[str]
    read: Callable[[WorkRow], object]


def _read_message(row: WorkRow) -> None:
    """Read a message, which is called by its draft, and was not sent while it waits.

    Raises:
        ValueError: it is not so.
    """
    queued = queued_of(row)
    if queued.draft.id != row.name:
        msg = f"it says {queued.draft.id}"
        raise ValueError(msg)
    if row.state == WAITING and queued.last == SENT:
        msg = "it waits, and was sent"
        raise ValueError(msg)


KINDS: Mapping[str, _Kind] = {
    PAYOUT: _Kind((WAITING, BY_HAND, TO_APPROVE, STUCK, OVER), lambda row: payout_of(row.name)),
    MESSAGE: _Kind(OF_MESSAGES, _read_message),
    TASK: _Kind((WAITING,), lambda row: row),
}


def work_difference(row: WorkRow) -> tuple[str, str] | None:
    """Return where work is not as the engine would leave it, and how, or None.

    Args:
        row: a payout, a message or a task.
    """
    where, kind = f"{row.kind} {row.name}", KINDS[row.kind]
    if row.state not in kind.states:
        return where, f"its state is {row.state!r}, and there are {', '.join(kind.states)}"
    if row.body == NOTHING and (row.kind != PAYOUT or row.state != WAITING or row.note):
        return where, "nothing is known of it, and it was worked on"
    try:
        if instant(datetime.fromisoformat(row.due)) != row.due:
            return where, f"it is due {row.due!r}, which is no time as the engine writes it"
        form_of(row.body)
        kind.read(row)
    except UNREADABLE as error:
        return where, f"its body cannot be used: {error}"
    return None
