"""A host's own process that does what is due: missed visits, pay days, payouts, alerts, and a task of the host's.

Run it with `python examples/worker.py [URL]`; without a URL it makes a SQLite file in a folder that is gone afterwards. It
goes through two weeks of a clinic's time, and then ticks by the real clock for a second. Needs the extra `scheduler`.
"""

import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from time import sleep

from cm_engine import Engine, parse_program
from cm_engine.delivery.working import health_of
from cm_engine.testing.gateway import FakeGateway
from cm_engine_adapters.scheduler.apscheduler import ApschedulerTicker

PROGRAM = """
program: two-a-week
version: "1"
title: Two tests a week
currency: USD
visits: [{weeks: 1-2, days: [monday, thursday]}]
windows: {before: 0, after: 0, makeup: 1, grace: 1}
targets: {stimulants: {behavior: abstinence, schedule: [{weeks: 1-2, fixed: 10.00}]}}
"""
START = date(2026, 1, 5)


class Clock:
    """Tell a time that is put forward by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


def main(url: str) -> None:
    """Go through two weeks, in which somebody comes once."""
    clock = Clock()
    with Engine.open(url, clock=clock) as engine:
        engine.add_program(parse_program(PROGRAM))
        engine.open_site("north", zone="America/Los_Angeles", by="boss-1")
        engine.add_gateway("north", "cards", by="boss-1", source="office", key="g-1")
        enrollment = engine.enroll(
            participant="p-104", program="two-a-week", start=START, by="nurse-7", site="north"
        ).id
        dispatcher = engine.dispatcher({"cards": FakeGateway()}, worker="example")
        engine.add_task("hello", every=timedelta(days=7), do=lambda: print("a task of the host's"))

        def tick() -> None:
            engine.run_due(worker="example")
            for each in dispatcher.deliver():
                print(f"{clock.now:%d %b %H:%M} UTC: a payout is {each.status}")

        for hour in range(0, 14 * 24, 6):
            clock.now = datetime(2026, 1, 5, 8, tzinfo=UTC) + timedelta(hours=hour)
            if hour == 3 * 24 + 12:
                engine.record(
                    enrollment=enrollment,
                    result="-",
                    collected_at=clock.now,
                    source="desk",
                    key="1",
                    by="nurse-7",
                )
            tick()
        for act in engine.history(enrollment=enrollment):
            for missed in act.missed:
                print(f"{act.recorded_at:%d %b %H:%M} UTC: the visit of {missed.on:%d %b} was missed")
        with ApschedulerTicker(tick, every=timedelta(milliseconds=200)):
            sleep(1)
        print(health_of(engine, clock.now))


if __name__ == "__main__":
    if sys.argv[1:]:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(f"sqlite:///{folder}/clinic.db")
