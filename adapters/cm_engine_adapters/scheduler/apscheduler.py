"""A ticker by APScheduler: it calls, again and again; what is due, and since when, stands in the engine's own tables."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Self

from cm_engine.delivery.telemetry import say
from cm_engine.errors import MissingDependencyError

try:
    from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
except ModuleNotFoundError as missing:
    raise MissingDependencyError(str(missing.name), "scheduler") from missing

_log = logging.getLogger("cm_engine.ticker")


class ApschedulerTicker:
    """Call something at once and then at every interval, in a thread of its own, one call at a time.

    It keeps nothing: not what it calls, and not when. The interval is counted in UTC, so that no change of a clock to
    daylight-saving time skips a call. Calls that it was too late for are made up for by one; and one that takes longer than
    the interval has no other beside it. What a call raises is logged by its class, and stops nothing.

    Args:
        tick: is called without arguments.
        every: the interval.

    Example:
        >>> from threading import Event
        >>> called = Event()
        >>> with ApschedulerTicker(called.set, every=timedelta(seconds=30)):
        ...     called.wait(timeout=10)
        True
    """

    def __init__(self, tick: Callable[[], object], *, every: timedelta) -> None:
        self._tick = tick
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._every = every

    def start(self) -> None:
        """Begin to call."""
        self._scheduler.add_job(
            self._called,
            "interval",
            seconds=self._every.total_seconds(),
            timezone=UTC,
            next_run_time=datetime.now(UTC),  # noqa: TID251 - a ticker is a clock
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
        )
        self._scheduler.start()

    def stop(self) -> None:
        """Call no more; return once the call that is under way has ended."""
        self._scheduler.shutdown(wait=True)

    def __enter__(self) -> Self:
        """Begin to call, until the block ends."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Call no more."""
        self.stop()

    def _called(self) -> None:
        try:
            self._tick()
        except Exception as error:  # noqa: BLE001 - what it says may be of a person, and the next call may succeed
            say(_log, logging.ERROR, "tick failed", error=type(error).__name__)
