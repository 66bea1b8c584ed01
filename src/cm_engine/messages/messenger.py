"""The messenger: messages that are due go to their notifiers, each once as far as that can be known."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from random import random
from typing import Any, Protocol
from uuid import uuid4

from cm_engine.errors import CmEngineError, StorageError
from cm_engine.log.rows import OVER, WorkRow
from cm_engine.messages.draft import Draft
from cm_engine.messages.kinds import EXPIRING, REMINDER
from cm_engine.messages.outgoing import Outgoing
from cm_engine.messages.queued import (
    Message,
    after_delivery,
    after_refusal,
    asked,
    message_of,
    parked,
    queued_of,
    was_asked,
    without_notifier,
)
from cm_engine.messages.sending import Never, NotYet
from cm_engine.messages.standing import Disclosure
from cm_engine.plain import named
from cm_engine.ports import Delivery, Notifier

_log = logging.getLogger("cm_engine.messages")

STALE = {
    EXPIRING: "nothing of it is owed any more that expires then",
    REMINDER: "it is planned otherwise by now",
}
"""Why something is not said that is not true any more, by its kind."""

CORRECTED = "it was decided otherwise since; a person tells of corrections"
"""Why nothing is said of a decision that stands no more."""

LEASE = timedelta(minutes=5)
"""As long has a worker the messages that it claimed; who is killed leaves them to others after it."""


class Outbox(Protocol):
    """What a messenger needs of an engine, step by step, each in a transaction of its own."""

    def claimed_messages(self, worker: str, lease: timedelta, limit: int) -> list[WorkRow]:
        """Give messages that are due to a worker."""

    def kept_message(self, was: WorkRow, row: WorkRow) -> WorkRow | None:
        """Write what has become of a message; None if another worker has it by now."""

    def is_still_said(self, draft: Draft) -> bool:
        """Tell whether what a message says is still true."""

    def answer_for(self, draft: Draft) -> Outgoing | NotYet | Never:
        """Return the message as a notifier sends it, a later moment, or why not."""

    def logged(self, leaves: Mapping[str, Any], delivery: Delivery) -> Disclosure | None:
        """Log what was disclosed, if something left or may have left."""

    def now(self) -> datetime:
        """Return the time."""


class Messenger:
    """Send messages through notifiers; `engine.messenger(...)` makes one.

    A message is claimed with a lease; whether it may be sent, to which address and in which words is decided then. That
    it is sent is saved before its notifier is called, so that a worker that dies leaves a message that may have been
    sent: it is logged as that, and sent again only where whoever gets it twice can tell.

    Args:
        engine: on whose storage the messages are.
        notifiers: each for its channels; of two for one channel the first is taken.
        worker: what this worker is called; made up if left out.
        lease: longer than a notifier takes.
    """

    def __init__(
        self, engine: Outbox, notifiers: Iterable[Notifier], *, worker: str = "", lease: timedelta = LEASE
    ) -> None:
        self._engine = engine
        self._lease = lease
        self._notifiers: dict[str, Notifier] = {}
        for notifier in notifiers:
            self._notifiers = {**dict.fromkeys(notifier.channels, notifier), **self._notifiers}
        self.worker = named("worker", worker or f"worker-{uuid4().hex[:8]}")

    def deliver(self, *, limit: int = 100) -> list[Message]:
        """Send messages that are due; return what became of each.

        Safe in any number of processes at once; nothing that one message meets stands in the way of another.

        Args:
            limit: at most so many.

        Raises:
            StorageError: the storage failed; what was sent by then is logged, or logged as maybe sent.
        """
        rows = self._engine.claimed_messages(self.worker, self._lease, limit)
        return [message_of(done) for row in rows if (done := self._tried(row))]

    def _tried(self, row: WorkRow) -> WorkRow | None:
        """Send a message; one that fails in a way of its own is due again after its lease.

        Raises:
            StorageError: the storage failed, and would for all others.
        """
        try:
            return self._said(row)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's notifier may raise anything, and a row may be damaged
            _log.warning("a message was left for later: %s", type(error).__name__)
            return None

    def _said(self, row: WorkRow) -> WorkRow | None:
        """Send a message if it may be sent, and return what became of it; None if another worker has it by now."""
        if was_asked(row):
            return self._may_have_left(row)
        draft = queued_of(row).draft
        if not self._engine.is_still_said(draft):
            return self._engine.kept_message(
                row, row._replace(state=OVER, note=STALE.get(draft.kind, CORRECTED))
            )
        answer = self._answer_for(draft)
        if not isinstance(answer, Outgoing):
            return self._engine.kept_message(row, _held_back(row, answer))
        return self._sent(row, answer)

    def _answer_for(self, draft: Draft) -> Outgoing | NotYet | Never | CmEngineError:
        """Return a message as it is sent now, a later moment, or why not; also why it can be neither worded nor addressed.

        Raises:
            StorageError: the storage failed, which says nothing of the message.
        """
        try:
            return self._engine.answer_for(draft)
        except StorageError:
            raise
        except CmEngineError as error:
            return error

    def _sent(self, row: WorkRow, outgoing: Outgoing) -> WorkRow | None:
        channel = outgoing.envelope.channel
        notifier = self._notifiers.get(channel)
        if notifier is None:
            return self._engine.kept_message(row, without_notifier(row, channel, self._engine.now()))
        leaves = outgoing.leaves()
        saved = self._engine.kept_message(row, asked(row, leaves))
        if saved is None:
            return None
        again = self._answer_for(outgoing.ready.draft)  # a STOP may have come while it was saved
        if not isinstance(again, Outgoing):
            return self._engine.kept_message(saved, _held_back(row, again))
        if again.leaves() != leaves:
            return self._engine.kept_message(saved, row)
        return self._answered(saved, leaves, notifier, notifier.send(outgoing.envelope))

    def _may_have_left(self, row: WorkRow) -> WorkRow | None:
        """Log a message whose worker died while it was sent, whatever has become of its consent since."""
        leaves, delivery = queued_of(row).leaves, Delivery("unknown", "its worker died")
        self._engine.logged(leaves, delivery)
        notifier = self._notifiers.get(leaves["channel"])
        if notifier is None:
            return self._engine.kept_message(
                row, without_notifier(row, leaves["channel"], self._engine.now())
            )
        return self._answered(row, leaves, notifier, delivery)

    def _answered(
        self, row: WorkRow, leaves: Mapping[str, Any], notifier: Notifier, delivery: Delivery
    ) -> WorkRow | None:
        """Log what left, and write what became of the message."""
        self._engine.logged(leaves, delivery)
        now, chance = self._engine.now(), random()  # noqa: S311 - it spreads those who wait
        return self._engine.kept_message(
            row, after_delivery(row, delivery, now, chance, has_ids=notifier.has_ids)
        )


def _held_back(row: WorkRow, answer: NotYet | Never | CmEngineError) -> WorkRow:
    """Return a message that is not sent now, by what stands in its way."""
    return parked(row, answer) if isinstance(answer, CmEngineError) else after_refusal(row, answer)
