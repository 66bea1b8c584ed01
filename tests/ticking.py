"""Processes that do what is due: told the time by a test, or left in the middle; a line of JSON for each thing done."""

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cm_engine.engine import Engine
from cm_engine.opening import open_storage
from cm_engine_adapters.scheduler.apscheduler import ApschedulerTicker

DAY = timedelta(days=1)
OFTEN = timedelta(milliseconds=5)


class Told:
    """A clock that stands still until somebody says what time it is."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time


def say(*what: object) -> None:
    """Tell the test what was done."""
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def tick(url: str, worker: str) -> None:
    """Do by a ticker what is due at each time that the test says; tell what was done at it."""
    clock = Told(datetime.min.replace(tzinfo=UTC))
    engine = Engine(storage=open_storage(url, {}), zone="UTC", clock=clock)
    engine.add_task("daily", every=DAY, do=lambda: None)
    for name, do in (("pay", engine.pay_due), ("expire", engine.expire), ("alerts", engine.alerts)):
        engine.add_task(name, every=7 * DAY, do=do)  # nobody is owed anything
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # that a tick takes longer than no time
    done = clock.time

    def ticked() -> None:
        nonlocal done
        now = clock.time
        if now != done:
            done = now
            say(*_done(engine, worker))

    with ApschedulerTicker(ticked, every=OFTEN):
        for line in sys.stdin:
            clock.time = datetime.fromisoformat(line.strip())


def _done(engine: Engine, worker: str) -> list[str]:
    """Return the tasks that were done; or that something is wrong, which a ticker would only log."""
    try:
        return [ran.failed or ran.name for ran in engine.run_due(worker=worker)]
    except Exception as error:  # noqa: BLE001 - whatever it was, the test is told
        return [repr(error)]


def hang(url: str, worker: str) -> None:
    """Begin a task at the time that the test says, and never end it."""
    now = datetime.fromisoformat(sys.stdin.readline().strip())
    engine = Engine(storage=open_storage(url, {}), clock=Told(now))
    engine.add_task("slow", every=DAY, do=_for_ever)
    engine.run_due(worker=worker)


def _for_ever() -> None:
    say("began")
    time.sleep(3600)


DOES: dict[str, Callable[[str, str], None]] = {each.__name__: each for each in (tick, hang)}

if __name__ == "__main__":
    DOES[sys.argv[1]](*sys.argv[2:])
