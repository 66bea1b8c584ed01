"""A worker: it does what is due, hands payouts over and sends messages, again and again, until it is told to stop."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

from cm_engine.delivery.sending import LATE, Delivery
from cm_engine.delivery.tasks import Planned, Ran
from cm_engine.delivery.telemetry import say, span
from cm_engine.log.encoding import instant
from cm_engine.log.outbox import STUCK, TO_APPROVE
from cm_engine.log.rows import WAITING
from cm_engine.messages.queued import Message

PAYOUTS_MAX = 100
"""After so many payouts a worker looks again what else is due."""
MESSAGES_MAX = 100
SOME = 10
"""As many messages are taken up at a time: one of them that raises is left for later, and stops no other."""
PAGE = 1000

_log = logging.getLogger("cm_engine.worker")


class Due(Protocol):
    """What a worker needs of an engine."""

    def run_due(self, now: datetime | None = None, *, worker: str = "") -> list[Ran]:
        """Do what is due."""

    def tasks(self) -> list[Planned]:
        """Return when each task is next."""

    def deliveries(
        self, *, enrollment: str = "", status: str = "", after: Delivery | None = None, limit: int = 1000
    ) -> list[Delivery]:
        """Return what has become of payouts on their way."""

    def messages(
        self, *, enrollment: str = "", status: str = "", after: Message | None = None, limit: int = 1000
    ) -> list[Message]:
        """Return what has become of messages."""


class Delivers(Protocol):
    """What a worker needs of a dispatcher."""

    def deliver(self, *, enrollment: str = "", limit: int = 100) -> list[Delivery]:
        """Hand over payouts that are due."""


class Says(Protocol):
    """What a worker needs of a messenger."""

    def deliver(self, *, limit: int = 100) -> list[Message]:
        """Send messages that are due."""


class Beat(NamedTuple):
    """What a worker did at one time.

    Attributes:
        ran: the tasks that were due.
        delivered: what became of each payout that was due.
        said: what became of each message that was due.
    """

    ran: list[Ran]
    delivered: list[Delivery]
    said: Sequence[Message] = ()

    @property
    def is_full(self) -> bool:
        """Tell whether there may be more to do."""
        return len(self.delivered) >= PAYOUTS_MAX or len(self.said) >= MESSAGES_MAX

    @property
    def is_clean(self) -> bool:
        """Tell whether no task failed."""
        return not any(each.failed for each in self.ran)


class Worker:
    """Do what is due, again and again.

    It takes up payouts one by one, so that it stops after the one that it has in hand.

    Args:
        engine: whose work it is.
        dispatcher: hands payouts over; None where another worker does.
        messenger: sends messages; None where another worker does.
        every: how long it waits when nothing is left to do.
        name: what it is called, in the work that it does.
        done: told what it did, each time.
    """

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        engine: Due,
        dispatcher: Delivers | None,
        *,
        messenger: Says | None = None,
        every: timedelta,
        name: str = "",
        done: Callable[[Beat], object] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._dispatcher = dispatcher
        self._messenger = messenger
        self._every = every
        self._name = name
        self._done = done
        self._told: SimpleQueue[None] = SimpleQueue()
        self.is_stopping = False

    def stop(self) -> None:
        """Have it end after what it has in hand; a handler of signals, or any thread, may call this."""
        self.is_stopping = True
        self._told.put(None)

    def run_once(self) -> bool:
        """Do all that is due now, and tell whether no task failed.

        Raises:
            StorageError: the storage failed.
        """
        beats = [self.beat()]
        while beats[-1].is_full:
            beats.append(self.beat())
        return all(beat.is_clean for beat in beats)

    def run(self) -> None:
        """Do what is due until it is told to stop; what fails meanwhile is logged by its class, and tried again."""
        while not self.is_stopping:
            if not self._beaten():
                self._wait()

    def _beaten(self) -> bool:
        """Do once what is due, whatever fails; tell whether there may be more."""
        try:
            return self.beat().is_full
        except Exception as error:  # noqa: BLE001 - a storage that is away comes back
            say(_log, logging.ERROR, "tick failed", error=type(error).__name__)
            return False

    def beat(self) -> Beat:
        """Do once what is due.

        Raises:
            StorageError: the storage failed.
        """
        ran = self._engine.run_due(worker=self._name)
        delivered = self._delivered(self._dispatcher) if self._dispatcher else []
        for (gateway, status), count in Counter((each.gateway, each.status) for each in delivered).items():
            say(_log, logging.INFO, "delivered", gateway=gateway, status=status, payouts=count)
        said = self._said(self._messenger) if self._messenger else []
        for (kind, status), count in Counter((each.kind, each.status) for each in said).items():
            say(_log, logging.INFO, "said", kind=kind, status=status, messages=count)
        beat = Beat(ran, delivered, said)
        self._done(beat)
        return beat

    def _delivered(self, dispatcher: Delivers) -> list[Delivery]:
        """Hand over payouts that are due, one by one, until there are no more, or it is told to stop."""
        found: list[Delivery] = []
        with span("deliver") as current:
            while len(found) < PAYOUTS_MAX and not self.is_stopping and (done := dispatcher.deliver(limit=1)):
                found += done
            for status, count in Counter(each.status for each in found).items():
                current.note(f"payouts.{status}", count)
        return found

    def _said(self, messenger: Says) -> list[Message]:
        """Send messages that are due, some at a time, until there are no more, or it is told to stop."""
        found: list[Message] = []
        with span("say") as current:
            while (
                len(found) < MESSAGES_MAX and not self.is_stopping and (done := messenger.deliver(limit=SOME))
            ):
                found += done
            for status, count in Counter(each.status for each in found).items():
                current.note(f"messages.{status}", count)
        return found

    def _wait(self) -> None:
        try:
            self._told.get(timeout=self._every.total_seconds())
        except Empty:
            return


def health_of(engine: Due, now: datetime) -> dict[str, Any]:
    """Return how the work stands, for a probe: counts and times, and nothing of a person.

    Args:
        engine: whose work it is.
        now: the time of the last tick.
    """
    waiting = [each.due for state in (WAITING, LATE) for each in _all(engine, state)]
    tasks = engine.tasks()
    return {
        "last_tick": instant(now),
        "waiting": len(waiting),
        "oldest_due": min(waiting, default=None),
        "late": len(_all(engine, LATE)),
        "stuck": len(_all(engine, STUCK)),
        "to_be_approved": len(_all(engine, TO_APPROVE)),
        "messages_waiting": _count(engine, WAITING),
        "messages_stuck": _count(engine, STUCK),
        "failing_tasks": [each.name for each in tasks if each.note],
        "next_task": instant(min(each.due for each in tasks)) if tasks else None,
    }


def _all(engine: Due, status: str) -> list[Delivery]:
    """Return all payouts in a state, page by page."""
    found: list[Delivery] = []
    while page := engine.deliveries(status=status, after=found[-1] if found else None, limit=PAGE):
        found += page
    return found


def _count(engine: Due, status: str) -> int:
    """Return how many messages are in a state, counted page by page."""
    found, last = 0, None
    while page := engine.messages(status=status, after=last, limit=PAGE):
        found, last = found + len(page), page[-1]
    return found
