"""Due work in an engine: what has to be done again and again, by whichever process comes first, once."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import random
from types import MappingProxyType
from uuid import uuid4

from cm_engine.delivery.tasks import (
    LEASE,
    Noted,
    Planned,
    Ran,
    Task,
    after_done,
    after_failure,
    begun,
    checked_task,
    is_due,
    keeping,
    noted_of,
    planned_of,
)
from cm_engine.delivery.telemetry import say, span
from cm_engine.errors import ReportError
from cm_engine.facade.banking import Banking
from cm_engine.facade.episodes import Episodes
from cm_engine.facade.siting import Siting
from cm_engine.log.rows import DUE, TASK, Batch, WorkRow
from cm_engine.messages.alerting import tell_new
from cm_engine.plain import named
from cm_engine.ports import Transaction, WorkQuery
from cm_engine.sites.spending import Alert

HOUR = timedelta(hours=1)
"""Days end in some zone at every hour, and in a few at half past."""

_log = logging.getLogger("cm_engine.due")


def _said(alert: Alert) -> None:
    """Say an alert in the log of the process: which one it is, and nothing of whom it is about."""
    say(_log, logging.WARNING, "alert", site=alert.site, what=alert.what, fund=alert.fund)


class Timing(Banking, Episodes, Siting):
    """The part of an engine that knows what is due.

    Example:
        >>> from datetime import UTC, date
        >>> from cm_engine import Engine
        >>> now = datetime(2026, 1, 5, 18, 20, tzinfo=UTC)
        >>> engine = Engine.open("memory:", zone="America/Los_Angeles", clock=lambda: now)
        >>> engine.add_task("hello", every=timedelta(minutes=15), do=lambda: print("hello"))
        >>> [each.name for each in engine.run_due()]
        hello
        ['sweep', 'pay', 'expire', 'alerts', 'hello']
        >>> engine.run_due()
        []
        >>> [f"{each.name} {each.due:%H:%M}" for each in engine.tasks()]
        ['alerts 19:00', 'expire 19:00', 'hello 18:30', 'pay 19:00', 'sweep 19:00']
    """

    _added: Mapping[str, Task] = MappingProxyType({})
    _tell: Callable[[Alert], object] = staticmethod(_said)

    def add_task(self, name: str, *, every: timedelta, do: Callable[[], object]) -> None:
        """Add a task of the host's to those that `run_due` knows, or another period for one that it has.

        The task is this process's; when it is due stands in the database. Processes that do not know it leave it alone.

        Args:
            name: the same in all processes.
            every: its period, of whole seconds; it is due at multiples of it in UTC.
            do: does it. It may be done twice, as after a process that was killed; what it raises is noted by its class,
                and it is tried again.

        Raises:
            ReportError: it has no name, or no such period.

        Example:
            >>> from cm_engine import Engine
            >>> engine = Engine.open("memory:")
            >>> engine.add_task("expire", every=timedelta(days=1), do=engine.expire)
        """
        self._added = {**self._added, name: checked_task(name, every, lambda _: do())}

    def on_alert(self, tell: Callable[[Alert], object]) -> None:
        """Tell somebody the alerts of sites, each once while it lasts; left out, they stand in the log of the process.

        Args:
            tell: is given an alert, as `alerts` has it. If it raises, the alert is told again later, and all others are told.
        """
        self._tell = tell

    def run_due(
        self, now: datetime | None = None, *, worker: str = "", lease: timedelta = LEASE
    ) -> list[Ran]:
        """Do what is due: decide missed visits, put on its way what has its pay day, let expire, tell alerts, and the host's.

        Safe to call as often as one likes, by any number of processes at once: what one of them has begun, the others
        leave alone, until it is due again; or until the lease is over, if the process was killed. A task that fails stands
        in the way of no other. What `now` says is which tasks are due: what each does, it does by the engine's clock.

        Args:
            now: aware; left out, the time by the engine's clock.
            worker: what this process is called, where somebody looks who began a task; made up if left out.
            lease: longer than a task takes.

        Returns:
            What was due and done here, in order.

        Raises:
            ReportError: the time is naive, or the engine writes in the host's own transaction.
            StorageError: the storage failed.
        """
        if self._storage.joined:
            msg = "run_due: it needs transactions of its own; call it on the engine that was opened, not on one that joined"
            raise ReportError(msg)
        if now is not None and now.utcoffset() is None:
            msg = f"now: expected an aware time, got {now}"
            raise ReportError(msg)
        worker = named("worker", worker or f"worker-{uuid4().hex[:8]}")
        at = now or self._now()
        waiting = self._task_rows()
        tasks = [
            task
            for name, task in self._tasks().items()
            if name not in waiting or is_due(waiting[name], task, at)
        ]
        found = (self._run_one(task, now, worker, lease) for task in tasks)
        return [ran for ran in found if ran]

    def tasks(self) -> list[Planned]:
        """Return when each task is next, in the order of their names: those of the database, and those known here."""
        now = self._now()
        known = {task.name: Planned(task.name, task.every, now) for task in self._tasks().values()}
        known |= {name: planned_of(row) for name, row in self._task_rows().items()}
        return [planned for _, planned in sorted(known.items())]

    def _tasks(self) -> dict[str, Task]:
        own = (
            Task("sweep", HOUR, lambda _: self.sweep()),
            Task("pay", HOUR, lambda _: self.pay_due()),
            Task("expire", HOUR, lambda _: self.expire()),
            Task("alerts", HOUR, self._tell_alerts),
        )
        return {task.name: task for task in own} | dict(self._added)

    def _task_rows(self) -> dict[str, WorkRow]:
        with self._storage.reading() as tx:
            return {row.name: row for row in tx.work(WorkQuery(TASK, DUE))}

    def _run_one(self, task: Task, now: datetime | None, worker: str, lease: timedelta) -> Ran | None:
        """Do a task, unless another process has begun it by now."""
        began = now or self._now()
        row = self._begun(task, began, worker, lease)
        if row is None:
            return None
        noted = noted_of(row)
        ran = _done(task, noted)
        kept = keeping(row, noted)
        chance = random()  # noqa: S311 - it spreads those who wait
        again = after_failure(kept, task, ran.failed, now or self._now(), chance) if ran.failed else None
        self._settle_task(row, again or after_done(kept, task, began))
        return ran

    def _begun(self, task: Task, now: datetime, worker: str, lease: timedelta) -> WorkRow | None:
        """Begin a task, if it is still due."""

        def begin(tx: Transaction, *_: object) -> WorkRow | None:
            row = _row(tx, task.name)
            if row and not is_due(row, task, now):
                return None
            new = begun(row, task, worker, now, lease)
            if row:
                tx.settle(row, new)
            else:
                tx.append(Batch(work=(new,)))
            return new

        return self._written(begin, lock=True)

    def _settle_task(self, was: WorkRow, row: WorkRow) -> None:
        """Write when a task is next, unless another process has begun it since."""

        def settle(tx: Transaction, *_: object) -> None:
            if _row(tx, was.name) == was:
                tx.settle(was, row)

        self._written(settle, lock=True)

    def _tell_alerts(self, noted: Noted) -> None:
        """Tell the alerts that were not told yet; one that is over is forgotten, so that it is told if it comes again."""
        tell_new(noted, {_name(alert): alert for alert in self.alerts()}, self._tell_alert)

    def _tell_alert(self, alert: Alert) -> None:
        """Tell one alert; whoever keeps messages keeps one of it too."""
        self._tell(alert)


def _done(task: Task, noted: Noted) -> Ran:
    """Do a task, and say what became of it."""
    with span("task", task=task.name) as current:
        try:
            task.do(noted)
        except Exception as error:  # noqa: BLE001 - what a host adds may raise anything
            ran = Ran(task.name, type(error).__name__)
            current.fail(error)
            say(_log, logging.WARNING, "task failed", task=task.name, error=ran.failed)
            return ran
    say(_log, logging.INFO, "task done", task=task.name)
    return Ran(task.name)


def _row(tx: Transaction, name: str) -> WorkRow | None:
    return next(iter(tx.work(WorkQuery(TASK, DUE, name))), None)


def _name(alert: Alert) -> str:
    """Return what tells an alert apart from all others."""
    since = alert.since.isoformat() if alert.since else ""
    return f"{alert.site}/{alert.what}/{alert.fund}/{since}"
