"""Tasks: what has to be done again and again, when it is due next, and what becomes of it when it fails. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cm_engine.errors import UNREADABLE, ReportError
from cm_engine.log.encoding import instant
from cm_engine.log.rows import DUE, TASK, WAITING, WorkRow
from cm_engine.log.work import body_of, form_of
from cm_engine.plain import unreserved
from cm_engine.waiting import wait_after

LEASE = timedelta(minutes=10)
"""As long has a worker a task that it began; who is killed leaves it to others after it."""
APART = timedelta(hours=1)
"""As far may the clocks of hosts be apart; what is due later than that was written by a clock that is wrong."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

Noted = dict[str, Any]
"""What a task keeps from one time to the next; it changes it as it goes."""


class Task(NamedTuple):
    """Something that has to be done again and again.

    Attributes:
        name: what it is called, the same on every host.
        every: its period; it is due at multiples of it in UTC.
        do: does it; it may be done twice, as after a worker that was killed.
    """

    name: str
    every: timedelta
    do: Callable[[Noted], object]


class Ran(NamedTuple):
    """What became of a task that was due.

    Attributes:
        name: of the task.
        failed: the class of the error, without its words; empty if it was done.
    """

    name: str
    failed: str = ""


class Planned(NamedTuple):
    """When a task is next.

    Attributes:
        name, every: the task.
        due: when it may be begun next; while somebody does it, when they have given up.
        done: when it was begun last and then done; None if it never was.
        tries: how often it was begun since.
        worker: who began it last.
        note: why it was not done then, as the class of an error.
    """

    name: str
    every: timedelta
    due: datetime
    done: datetime | None = None
    tries: int = 0
    worker: str = ""
    note: str = ""


def checked_task(name: str, every: timedelta, do: Callable[[Noted], object]) -> Task:
    """Return a task, if it can be one.

    Raises:
        ReportError: it has no name, or no period of whole seconds.
    """
    if not isinstance(every, timedelta) or every < SECOND or every % SECOND:
        msg = f"every: expected a period of whole seconds, such as timedelta(hours=1), got {every!r}"
        raise ReportError(msg)
    return Task(unreserved("name", name), every, do)


def next_due(now: datetime, every: timedelta) -> datetime:
    """Return the next multiple of a period: the same on every host, and in UTC, where no hour is skipped or twice.

    Example:
        >>> next_due(datetime(2026, 3, 8, 9, 59, tzinfo=UTC), timedelta(hours=6)).isoformat()
        '2026-03-08T12:00:00+00:00'
    """
    return EPOCH + ((now - EPOCH) // every + 1) * every


def is_due(row: WorkRow, task: Task, now: datetime) -> bool:
    """Tell whether a task may be begun: its time has come, or is so far ahead that a clock must have been wrong."""
    lease = _known(row).get("lease", 0) * SECOND
    far = now + max(task.every, lease) + APART
    return row.due <= instant(now) or row.due > instant(far)


def begun(row: WorkRow | None, task: Task, worker: str, now: datetime, lease: timedelta) -> WorkRow:
    """Return a task as a worker begins it; None is one that was never begun."""
    known = row or WorkRow(DUE, TASK, task.name, WAITING, "", 0, "", "{}", "")
    body = _known(known) | {"every": task.every // SECOND, "lease": lease // SECOND}
    return known._replace(
        due=instant(now + lease), tries=known.tries + 1, worker=worker, body=body_of(body), note=""
    )


def noted_of(row: WorkRow) -> Noted:
    """Return what a task keeps."""
    found: Noted = _known(row).get("noted", {})
    return found


def _known(row: WorkRow) -> dict[str, Any]:
    """Return what is known of a task; of one that something has damaged nothing, so that it is done as if for the first time."""
    try:
        return form_of(row.body)
    except UNREADABLE:
        return {}


def keeping(row: WorkRow, noted: Noted) -> WorkRow:
    """Return a task with what it keeps."""
    return row._replace(body=body_of(_known(row) | {"noted": noted}))


def after_done(row: WorkRow, task: Task, began: datetime) -> WorkRow:
    """Return a task that was done; it is due next after it was begun, as what came since may concern it."""
    body = body_of(_known(row) | {"done": instant(began)})
    return row._replace(due=instant(next_due(began, task.every)), tries=0, body=body)


def after_failure(row: WorkRow, task: Task, failed: str, now: datetime, chance: float) -> WorkRow:
    """Return a task that failed: it is tried again after a while, longer each time, but when it is due next at the latest.

    Args:
        row: the task, as the worker began it.
        task: likewise.
        failed: the class of the error.
        now: the time.
        chance: from 0 to 1; it spreads those who wait.
    """
    due = min(next_due(now, task.every), now + wait_after(row.tries, chance))
    return row._replace(due=instant(due), note=failed)


def planned_of(row: WorkRow) -> Planned:
    """Return when a task is next, from its work."""
    body = _known(row)
    done = datetime.fromisoformat(body["done"]) if "done" in body else None
    due = datetime.fromisoformat(row.due)
    return Planned(row.name, body.get("every", 0) * SECOND, due, done, row.tries, row.worker, row.note)
