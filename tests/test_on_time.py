"""What is due is done on time and once: by any process that is there, whatever clocks do, and whoever dies."""

import json
import logging
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cm_engine import Alert, Engine, StorageBusyError, cli, parse_program
from cm_engine.cli.lines import JsonLines
from cm_engine.delivery.tasks import APART, LEASE, Ran, next_due
from cm_engine.delivery.working import Beat, Worker, health_of
from cm_engine.errors import ReportError
from cm_engine.log.rows import TASK, WAITING, Batch, WorkRow
from cm_engine.opening import open_storage
from cm_engine.testing.gateway import FakeGateway
from cm_engine_adapters.payout.webhook import WebhookGateway
from cm_engine_adapters.scheduler.apscheduler import ApschedulerTicker
from tests.test_delivery import Clinic
from tests.ticking import Told

ROOT = Path(__file__).resolve().parents[1]
NOON = datetime(2026, 1, 5, 12, 20, tzinfo=UTC)
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
OWN = ["sweep", "pay", "expire", "alerts"]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgresql_url")
        return found
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'clinic.db'}"


class House:
    """An engine with a clock that is put forward by hand, and a task that counts."""

    def __init__(self, url: str) -> None:
        self.clock = Told(NOON)
        self.engine = Engine(storage=open_storage(url, {}), zone="America/Los_Angeles", clock=self.clock)
        self.done: list[datetime] = []
        self.engine.add_task("count", every=HOUR, do=lambda: self.done.append(self.clock.time))

    def ran(self, now: datetime | None = None) -> list[str]:
        return [each.name for each in self.engine.run_due(now)]

    def later(self, by: timedelta) -> list[str]:
        self.clock.time += by
        return self.ran()

    def due(self, name: str = "count") -> datetime:
        return next(each.due for each in self.engine.tasks() if each.name == name)


@pytest.fixture
def house(url: str) -> Iterator[House]:
    made = House(url)
    yield made
    assert made.engine.verify().is_clean
    made.engine.close()


# When a task is due


def test_a_task_is_due_at_once_and_then_at_multiples_of_its_period_in_utc(house: House) -> None:
    assert house.ran() == [*OWN, "count"]
    assert house.ran() == []
    assert house.due() == NOON.replace(hour=13, minute=0)
    assert house.later(39 * MINUTE) == []
    assert house.later(MINUTE) == [*OWN, "count"]
    assert house.done == [NOON, NOON.replace(hour=13, minute=0)]


def test_however_late_it_is_done_the_next_time_is_a_multiple_again_and_nothing_is_made_up_for_twice(
    house: House,
) -> None:
    house.ran()
    house.later(7 * HOUR + 3 * MINUTE)
    assert house.ran() == []
    assert house.due() == NOON.replace(hour=20, minute=0)
    assert len(house.done) == 2


def test_what_came_while_a_task_was_done_is_of_its_next_time(house: House) -> None:
    def slow() -> None:
        house.clock.time += 2 * HOUR

    house.engine.add_task("count", every=HOUR, do=slow)
    house.engine.run_due()
    assert house.due() == NOON.replace(hour=13, minute=0)  # it began before that, and ended after it
    assert "count" in house.ran()


@pytest.mark.parametrize("every", [timedelta(0), timedelta(seconds=1.5), timedelta(seconds=-60), 60])
def test_a_period_is_of_whole_seconds(house: House, every: Any) -> None:
    with pytest.raises(ReportError, match="every: expected a period of whole seconds"):
        house.engine.add_task("other", every=every, do=lambda: None)


def test_every_multiple_of_a_period_comes_once() -> None:
    for every in (timedelta(seconds=1), 15 * MINUTE, 6 * HOUR, DAY, 7 * DAY):
        at = NOON
        for _ in range(20):
            assert next_due(at, every) - every <= at < next_due(at, every)
            assert next_due(next_due(at, every) - timedelta(microseconds=1), every) == next_due(at, every)
            at = next_due(at, every)


def test_a_time_that_is_given_says_what_is_due_and_a_naive_one_is_refused(house: House) -> None:
    house.ran()
    assert house.ran(NOON + HOUR) == [*OWN, "count"]
    with pytest.raises(ReportError, match="now: expected an aware time"):
        house.ran(datetime(2026, 1, 5))  # noqa: DTZ001


def test_another_period_holds_from_now_on(house: House) -> None:
    house.engine.add_task("count", every=7 * DAY, do=lambda: None)
    house.ran()
    house.engine.add_task("count", every=MINUTE, do=lambda: None)
    assert "count" in house.later(MINUTE)
    assert house.due() == NOON + 2 * MINUTE


def test_a_process_leaves_tasks_alone_that_it_does_not_know(house: House) -> None:
    house.ran()
    other = Engine(storage=house.engine._storage, clock=house.clock)  # noqa: SLF001
    house.clock.time += HOUR
    assert [each.name for each in other.run_due()] == OWN
    assert [each.name for each in other.tasks()] == ["alerts", "count", "expire", "pay", "sweep"]
    assert house.ran() == ["count"]


def test_in_a_transaction_of_the_host_nothing_is_begun(tmp_path: Path) -> None:
    from sqlalchemy import create_engine  # noqa: PLC0415

    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    with Engine.open(url) as engine, create_engine(url).connect() as connection:
        with pytest.raises(ReportError, match="run_due: it needs transactions of its own"):
            engine.joining(connection).run_due()
        connection.close()
        connection.engine.dispose()


def test_work_that_is_of_no_task_and_no_payout_is_found_by_an_audit(tmp_path: Path) -> None:
    house = House(f"sqlite:///{tmp_path / 'clinic.db'}")
    house.ran()
    assert house.engine.verify().is_clean
    with house.engine._storage.writing() as tx:  # noqa: SLF001
        tx.append(Batch(work=(WorkRow("@other", TASK, "a", WAITING, "", 0, "", "{}", ""),)))
    [found] = house.engine.verify().differences
    assert (found.where, found.what) == ("work", "there are 6 rows, and 5 belong to an enrollment")


# What fails


class HostError(Exception):
    """Says more than a log may."""


def test_a_task_that_fails_is_noted_by_its_class_and_stops_no_other(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        msg = "Ann Lee, +1 555 123 0100"
        raise HostError(msg)

    house.engine.add_task("a", every=DAY, do=fail)
    house.engine.add_task("z", every=DAY, do=lambda: None)
    assert house.engine.run_due()[-3:] == [Ran("count"), Ran("a", "HostError"), Ran("z")]
    [planned] = [each for each in house.engine.tasks() if each.note]
    assert (planned.name, planned.note, planned.tries, planned.done) == ("a", "HostError", 1, None)
    assert "HostError" in caplog.text
    assert "Ann" not in caplog.text


@pytest.mark.parametrize("body", ["{", "[]", "", '{"every":3600,"lease":600,"sum":"0"}', '{"lease":"x"}'])
def test_a_task_whose_work_is_damaged_stops_no_other_and_is_done_as_if_for_the_first_time(
    tmp_path: Path, body: str
) -> None:
    house = House(f"sqlite:///{tmp_path / 'clinic.db'}")
    house.engine.run_due()
    with sqlite3.connect(tmp_path / "clinic.db") as file:
        file.execute("UPDATE cm_work SET body = ? WHERE name = 'alerts'", [body])
    [found] = house.engine.verify().differences
    assert found.where == "task alerts"
    assert len(house.engine.tasks()) == len(OWN) + 1
    house.clock.time += HOUR
    assert {each.name for each in house.engine.run_due()} >= set(OWN)
    assert house.engine.verify().is_clean
    house.engine.close()


def test_a_task_that_fails_is_tried_again_less_and_less_often_and_when_it_is_due_in_any_case(
    house: House,
) -> None:
    fails = True

    def perhaps() -> None:
        if fails:
            raise HostError

    house.engine.add_task("a", every=6 * HOUR, do=perhaps)
    waits = []
    for _ in range(14):
        house.ran()
        waits.append(house.due("a") - house.clock.time)
        house.clock.time = house.due("a")
    assert waits[0] <= timedelta(seconds=2)
    assert all(wait <= HOUR for wait in waits)
    assert max(waits) > 30 * MINUTE
    fails = False
    house.ran()
    [planned] = [each for each in house.engine.tasks() if each.name == "a"]
    assert (planned.note, planned.tries, planned.done) == ("", 0, house.clock.time)
    assert planned.due == next_due(house.clock.time, 6 * HOUR)


def test_a_task_that_fails_just_before_its_time_is_not_put_off_beyond_it(house: House) -> None:
    house.engine.add_task("a", every=timedelta(seconds=1), do=lambda: 1 / 0)
    house.ran()
    assert house.due("a") <= NOON + timedelta(seconds=1)


# Clocks


def test_a_clock_that_is_set_back_a_little_doubles_nothing(house: House) -> None:
    house.ran()
    house.clock.time -= 30 * MINUTE
    assert house.ran() == []


def test_what_a_clock_far_ahead_had_put_off_is_due_once_the_clock_is_right(house: House) -> None:
    house.clock.time = NOON + 4000 * DAY
    house.ran()
    house.clock.time = NOON
    assert house.ran() == [*OWN, "count"]
    assert house.due() == NOON.replace(hour=13, minute=0)
    assert house.ran() == []


def test_two_hosts_whose_clocks_are_minutes_apart_do_each_thing_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    apart = timedelta(minutes=7)
    hosts = [House(url), House(url)]
    for step in range(12 * 48):
        for house, ahead in zip(hosts, (timedelta(0), apart), strict=True):
            house.clock.time = NOON + step * 5 * MINUTE + ahead
            house.ran()
    done = [len(house.done) for house in hosts]
    assert done == [1, 48]  # the one that is ahead is first, but at the beginning
    assert apart < APART


# Processes that die, and processes at once


def child(stack: ExitStack, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "error", "-m", "tests.ticking", *words]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    started = stack.enter_context(subprocess.Popen(command, cwd=ROOT, **pipes))
    stack.callback(started.kill)
    return started


def tell(process: "subprocess.Popen[str]", now: datetime) -> None:
    assert process.stdin
    process.stdin.write(f"{now.isoformat()}\n")
    process.stdin.flush()


def heard(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout
    found: list[str] = json.loads(process.stdout.readline())
    return found


def test_what_a_killed_process_had_begun_is_taken_over_after_its_lease(database_url: str) -> None:
    house = House(database_url)
    house.engine.add_task("slow", every=DAY, do=lambda: None)
    with ExitStack() as stack:
        killed = child(stack, "hang", database_url, "killed")
        tell(killed, NOON)
        assert heard(killed) == ["began"]
        killed.kill()
        killed.wait()
    assert house.ran() == ["count"]  # the others it had done
    [left] = [each for each in house.engine.tasks() if each.name == "slow"]
    assert (left.worker, left.tries, left.done) == ("killed", 1, None)
    assert house.later(LEASE - MINUTE) == []
    assert house.later(MINUTE) == ["slow"]
    assert house.ran() == []
    assert house.engine.verify().is_clean
    house.engine.close()


def test_a_process_that_was_slower_than_its_lease_changes_nothing_of_the_one_that_took_over(
    house: House,
) -> None:
    def slow() -> None:
        house.clock.time += 20 * MINUTE
        house.engine.add_task("a", every=DAY, do=lambda: None)
        assert house.engine.run_due(worker="second") == [Ran("a")]

    house.engine.add_task("a", every=DAY, do=slow)
    house.engine.run_due(worker="first")
    [planned] = [each for each in house.engine.tasks() if each.name == "a"]
    assert (planned.worker, planned.done) == ("second", NOON + 20 * MINUTE)


def test_a_process_that_asked_for_a_long_time_is_not_taken_for_one_with_a_wrong_clock(house: House) -> None:
    def slow() -> None:
        house.clock.time += 5 * MINUTE
        assert "a" not in house.ran()

    house.ran()
    house.engine.add_task("a", every=MINUTE, do=slow)
    assert Ran("a") in house.engine.run_due(lease=6 * HOUR)


ZONES = ("America/Los_Angeles", "America/Havana", "Europe/Berlin", "Australia/Lord_Howe")
"""Where clocks change: at two, at midnight, at another date, and by half an hour in the other half of the year."""
PLAIN, LATE = (0, 0, 0), (1, 1, 2)
"""Days after the planned one: in the window, for making it good, and of grace."""
START, WEEKS = date(2026, 1, 5), 52


def no_shows(after: int, makeup: int, grace: int) -> str:
    return f"""
program: no-shows-{grace}
version: "1"
title: No-shows
currency: USD
visits: [{{weeks: 1-{WEEKS}, days: [monday, thursday, sunday]}}]
windows: {{before: 0, after: {after}, makeup: {makeup}, grace: {grace}}}
targets: {{visits: {{behavior: attendance, schedule: [{{weeks: 1-{WEEKS}, fixed: 10.00}}]}}}}
"""


def changes(zone: str) -> Iterator[date]:
    """Yield the days on which the clocks of a zone change."""
    for number in range(366):
        day = datetime(2026, 1, 1, tzinfo=UTC) + number * DAY
        if len({(day + hours * HOUR).astimezone(ZoneInfo(zone)).utcoffset() for hours in (0, 24)}) > 1:
            yield day.date()


def times(first: date, last: date) -> list[datetime]:
    """Return when the test ticks: twice a day, and every hour for two days from each change of clocks on."""
    near = {day + n * DAY for zone in ZONES for day in changes(zone) for n in (0, 1)}
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    hours = (midnight + hour * HOUR for hour in range((last - first).days * 24))
    return [hour for hour in hours if hour.hour % 12 == 0 or hour.date() in near]


def swept_by_hand(
    zone: str, rule: tuple[int, int, int], ticks: list[datetime]
) -> list[tuple[date, datetime]]:
    """Return the planned day of each visit that has to be swept, and when: at the first tick on a day after all of its days."""
    planned = [START + number * DAY for number in range(7 * WEEKS)]
    planned = [day for day in planned if day.strftime("%a") in {"Mon", "Thu", "Sun"}]
    found = []
    for day in planned:
        over = (at for at in ticks if at.astimezone(ZoneInfo(zone)).date() > day + sum(rule) * DAY)
        if at := next(over, None):
            found.append((day, at))
    return found


def swept(engine: Engine, enrollment: str) -> list[tuple[date | None, datetime]]:
    """Return the day of each visit that was swept, and when."""
    return [
        (missed.on, act.recorded_at)
        for act in engine.history(enrollment=enrollment)
        if act.kind == "swept"
        for missed in act.missed
    ]


@pytest.fixture(params=["a year", "spring on PostgreSQL"])
def months(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, date, date]:
    """A database, and from when to when it is looked after; on a server there is less time for it."""
    if request.param == "a year":
        return f"sqlite:///{tmp_path / 'clinic.db'}", START, date(2027, 1, 9)
    return request.getfixturevalue("postgresql_url"), date(2026, 3, 1), date(2026, 4, 12)


def test_in_a_year_of_three_processes_ticking_in_four_zones_every_visit_is_swept_once_and_no_day_skipped(
    months: tuple[str, date, date],
) -> None:
    url, first, last = months
    assert all(len(list(changes(zone))) == 2 for zone in ZONES)
    clock = Told(datetime(2026, 1, 4, tzinfo=UTC))
    engine = Engine(storage=open_storage(url, {}), clock=clock)
    whose = {
        engine.enroll(
            participant=f"p-{zone}-{rule[2]}",
            program=engine.add_program(parse_program(no_shows(*rule))),
            start=START,
            zone=zone,
            by="nurse-7",
        ).id: (zone, rule)
        for zone in ZONES
        for rule in (PLAIN, LATE)
    }
    ticks = times(first, last)
    done: Counter[str] = Counter()
    with ExitStack() as stack:
        processes = [child(stack, "tick", url, f"w-{number}") for number in range(3)]
        for now in ticks:
            for each in processes:
                tell(each, now)
            ran = [name for each in processes for name in heard(each)]
            assert len(ran) == len(set(ran)), now  # each at most once
            done.update(ran)
    assert done["daily"] == (last - first).days
    assert done["sweep"] == len(ticks)
    clock.time = ticks[-1]
    for enrollment, (zone, rule) in whose.items():
        assert swept(engine, enrollment) == swept_by_hand(zone, rule, ticks), (zone, rule)
    assert engine.verify().is_clean
    engine.close()


# The ticker


def test_a_ticker_calls_at_once_and_again_and_goes_on_when_a_call_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[int] = []
    enough = Event()

    def tick() -> None:
        calls.append(1)
        if len(calls) > 3:
            enough.set()
        msg = "Ann Lee"
        raise HostError(msg)

    with ApschedulerTicker(tick, every=timedelta(milliseconds=20)):
        assert enough.wait(timeout=10)
    made = len(calls)
    time.sleep(0.1)
    assert len(calls) == made
    assert "HostError" in caplog.text
    assert "Ann" not in caplog.text


def test_a_ticker_has_one_call_at_a_time_and_stops_after_the_one_that_is_under_way() -> None:
    began, under_way, most, ended = Event(), [], [], []

    def tick() -> None:
        under_way.append(1)
        most.append(len(under_way))
        began.set()
        time.sleep(0.1)
        under_way.pop()
        ended.append(1)

    ticker = ApschedulerTicker(tick, every=timedelta(milliseconds=10))
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    ticker.start()
    assert began.wait(timeout=10)
    ticker.stop()
    assert under_way == []
    assert max(most) == 1
    assert len(ended) == len(most)


# Alerts


FUNDED = """
program: cards
version: "1"
title: Cards
currency: USD
visits: [{weeks: 1-12, per_week: 2}]
targets: {stimulants: {behavior: abstinence, schedule: [{weeks: 1-12, fixed: 10.00}]}}
"""


def funded(url: str) -> Clinic:
    clinic = Clinic(url, FUNDED, gateways=())
    told: dict[str, Any] = {"by": "boss-1", "source": "office"}
    clinic.engine.add_fund("north", "grant", budget=Decimal("20.00"), alert=Decimal("0.5"), key="f", **told)
    return clinic


def test_an_alert_is_told_once_while_it_lasts(url: str) -> None:
    clinic, heard = funded(url), list[Alert]()
    clinic.engine.on_alert(heard.append)
    ann = clinic.enrolled()
    clinic.engine.run_due()
    assert heard == []
    for day in (0, 3):
        clinic.negative(ann, day)
        clinic.later(days=3)
        clinic.engine.run_due()
        clinic.later(hours=1)
        clinic.engine.run_due()
    assert [(each.what, each.fund) for each in heard] == [("alert", "grant"), ("exhausted", "grant")]
    assert clinic.engine.verify().is_clean
    clinic.engine.close()


def test_an_alert_that_could_not_be_told_is_told_again_and_those_beside_it_are_not(tmp_path: Path) -> None:
    clinic = funded(f"sqlite:///{tmp_path / 'clinic.db'}")
    told: dict[str, Any] = {"by": "boss-1", "source": "office"}
    clinic.engine.add_fund("north", "other", budget=Decimal("5.00"), alert=Decimal(1), key="g", **told)
    ann = clinic.enrolled()
    for day in (0, 3, 7):
        clinic.later(days=3)
        clinic.negative(ann, day)
    wanted = [(each.what, each.fund) for each in clinic.engine.alerts()]
    assert len(wanted) > 1
    heard: list[tuple[str, str]] = []

    def tell(alert: Alert) -> None:
        if len(heard) == 1 and fails:
            raise HostError
        heard.append((alert.what, alert.fund))

    fails = True
    clinic.engine.on_alert(tell)
    assert Ran("alerts", "HostError") in clinic.engine.run_due()
    fails = False
    clinic.later(minutes=1)
    assert Ran("alerts") in clinic.engine.run_due()
    assert heard == wanted


def test_without_anybody_to_tell_alerts_stand_in_the_log_without_whom_they_are_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clinic = funded(f"sqlite:///{tmp_path / 'clinic.db'}")
    clinic.negative(clinic.enrolled())
    clinic.engine.run_due()
    assert "alert: site north, what alert, fund grant" in caplog.text
    assert not re.search(r"\b[ep]-", caplog.text)


# Pay days and expiry


def test_what_has_its_pay_day_is_on_its_way_and_what_was_not_collected_expires_when_the_task_is_due(
    tmp_path: Path,
) -> None:
    program = FUNDED + "payout: {when: set days, days: [friday], expires_after: 60}\n"
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}", program)
    ann = clinic.enrolled()
    clinic.negative(ann)
    days = []
    for _ in range(24 * 8):
        clinic.later(hours=1)
        clinic.engine.run_due()
        if "in_flight" in clinic.balance(ann):
            days.append(clinic.now.astimezone(ZoneInfo("America/Los_Angeles")))
    assert (days[0].strftime("%a"), days[0].hour) == ("Fri", 0)
    assert clinic.balance(ann) == {"awarded": "10.00", "in_flight": "10.00"}


# The worker


class Vendor:
    """A payment system of a host's own on the loopback, which takes its time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.orders: dict[str, Any] = {}
        self.posts = 0
        self.took = Event()
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                known = event["id"] in vendor.orders
                vendor.orders.setdefault(event["id"], event["data"])
                vendor.posts += 1
                vendor.took.set()
                time.sleep(seconds)
                self.answer(200, event["id"], "replayed" if known else "created")

            def do_GET(self) -> None:
                id_ = self.path.rsplit("/", 1)[-1]
                known = id_ in vendor.orders
                self.answer(200 if known else 404, id_, "replayed" if known else "absent")

            def answer(self, status: int, id_: str, outcome: str) -> None:
                body = json.dumps({"order": id_, "outcome": outcome}).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    return  # who asked was killed

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/orders"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


SECRET = "whsec_" + "b3RoZXIgdGhhbiBldmVyeXRoaW5nIGVsc2UgaGVyZQ=="


class Shop:
    """A clinic with payouts on their way, a vendor, and workers as processes of their own."""

    def __init__(self, folder: Path, vendor: Vendor, payouts: int = 4) -> None:
        self.url = f"sqlite:///{folder / 'clinic.db'}"
        self.folder = folder
        self.vendor = vendor
        self.clinic = Clinic(self.url)
        self.clinic.now = datetime.now(UTC) - timedelta(days=1)  # noqa: TID251 - workers have the real time
        for number in range(payouts):
            self.clinic.negative(self.clinic.enrolled(f"p-{number}"))
        (folder / "gateways.yaml").write_text(
            f"gateways:\n  cards:\n    kind: webhook\n    url: {vendor.url}\n    secret: {{env: PAY_SECRET}}\n",
            "utf-8",
        )

    def worker(self, *words: str) -> "subprocess.Popen[str]":
        command = [str(Path(sys.executable).parent / "cm-engine"), "worker", "--db", self.url]
        given = ["--gateways", "gateways.yaml", "--health", "health.json", *words]
        env = {"PAY_SECRET": SECRET, "PATH": ""}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*command, *given], cwd=self.folder, env=env, **pipes)

    def statuses(self) -> Counter[str]:
        return Counter(self.clinic.statuses())


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_worker_that_is_told_to_stop_finishes_the_payout_in_hand_and_ends_with_0(tmp_path: Path) -> None:
    with Vendor(seconds=0.7) as vendor:
        shop = Shop(tmp_path, vendor)
        worker = shop.worker("--every", "0.2", "--name", "w-1")
        assert vendor.took.wait(timeout=20)
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=20)
    assert (worker.returncode, out) == (0, "")
    assert len(vendor.orders) == vendor.posts == 1
    assert shop.statuses() == {"over": 1, "waiting": 3}
    events = [line["event"] for line in lines(err)]
    assert events == ["started", *["task done"] * 4, "delivered", "stopped"]


def test_a_worker_that_waits_ends_at_once(tmp_path: Path) -> None:
    with Vendor() as vendor:
        shop = Shop(tmp_path, vendor, payouts=0)
        worker = shop.worker("--every", "600")
        while not (tmp_path / "health.json").exists():
            assert worker.poll() is None
            time.sleep(0.05)
        worker.send_signal(signal.SIGINT)
        _, err = worker.communicate(timeout=20)
    assert (worker.returncode, lines(err)[-1]["event"]) == (0, "stopped")


def test_what_a_killed_worker_had_in_hand_is_taken_over_and_paid_once(tmp_path: Path) -> None:
    with Vendor(seconds=30) as slow:
        shop = Shop(tmp_path, slow, payouts=2)
        worker = shop.worker("--name", "w-1")
        assert slow.took.wait(timeout=20)
        worker.kill()
        worker.communicate()
        assert len(slow.orders) == 1
        with Vendor() as vendor:
            vendor.orders = slow.orders
            shop.clinic.now = datetime.now(UTC)  # noqa: TID251
            gateway = WebhookGateway(url=vendor.url, secret=SECRET)
            dispatcher = shop.clinic.dispatcher(gateway, worker="w-2")
            assert [each.status for each in dispatcher.deliver()] == ["over"]  # the one that nobody had
            shop.clinic.later(minutes=6)
            assert [(each.status, each.tries) for each in dispatcher.deliver()] == [("over", 2)]
            assert (len(vendor.orders), vendor.posts) == (2, 1)
    assert shop.clinic.engine.verify().is_clean


def test_a_worker_tells_how_the_work_stands_and_logs_lines_in_which_nobody_is_named(tmp_path: Path) -> None:
    with Vendor() as vendor:
        shop = Shop(tmp_path, vendor)
        worker = shop.worker("--once")
        out, err = worker.communicate(timeout=20)
    assert (worker.returncode, out) == (0, "")
    assert shop.statuses() == {"over": 4}
    said = lines(err)
    assert {line["event"] for line in said} == {"started", "task done", "delivered", "stopped"}
    [delivered] = [line for line in said if line["event"] == "delivered"]
    assert (delivered["gateway"], delivered["status"], delivered["payouts"]) == ("cards", "over", 4)
    health = json.loads((tmp_path / "health.json").read_text("utf-8"))
    assert (health["waiting"], health["stuck"], health["oldest_due"], health["failing_tasks"]) == (
        0,
        0,
        None,
        [],
    )
    assert datetime.fromisoformat(health["last_tick"]) > shop.clinic.now
    whole = err + json.dumps(health)
    private = ["nurse-7", "boss-1", SECRET, *vendor.orders]
    for enrollment in shop.clinic.engine.enrollments():
        private += [enrollment.id, enrollment.participant]
    assert [each for each in private if each in whole] == []


def test_several_workers_at_once_hand_each_payout_over_once(tmp_path: Path) -> None:
    with Vendor(seconds=0.02) as vendor:
        shop = Shop(tmp_path, vendor, payouts=8)
        workers = [shop.worker("--once", "--name", f"w-{number}") for number in range(3)]
        ended = [each.communicate(timeout=30) for each in workers]
    assert [each.returncode for each in workers] == [0, 0, 0], ended
    assert len(vendor.orders) == vendor.posts == 8
    assert shop.statuses() == {"over": 8}
    done = Counter(line["task"] for _, err in ended for line in lines(err) if line["event"] == "task done")
    assert done == dict.fromkeys(OWN, 1)


def test_a_worker_goes_on_when_the_storage_was_away(house: House, caplog: pytest.LogCaptureFixture) -> None:
    beats: list[Beat] = []

    class Away:
        """An engine whose storage is away at first."""

        def __init__(self) -> None:
            self.away = 2

        def run_due(self, now: datetime | None = None, *, worker: str = "") -> list[Ran]:
            if self.away:
                self.away -= 1
                raise StorageBusyError(1)
            return house.engine.run_due(now, worker=worker)

        def __getattr__(self, name: str) -> Any:
            return getattr(house.engine, name)

    def done(beat: Beat) -> None:
        beats.append(beat)
        worker.stop()

    away: Any = Away()
    worker = Worker(away, None, every=timedelta(milliseconds=1), done=done)
    worker.run()
    assert [ran.name for ran in beats[0].ran] == [*OWN, "count"]
    assert caplog.text.count("tick failed: error StorageBusyError") == 2


def test_health_counts_what_waits_and_what_is_stuck(tmp_path: Path) -> None:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    for number in range(3):
        clinic.negative(clinic.enrolled(f"p-{number}"))
    clinic.engine.add_task("a", every=DAY, do=lambda: 1 / 0)
    clinic.engine.run_due()
    clinic.dispatcher(FakeGateway(faults=["before"])).deliver(limit=1)
    found = health_of(clinic.engine, clinic.now)
    assert (found["waiting"], found["stuck"], found["failing_tasks"]) == (3, 0, ["a"])
    assert found["oldest_due"] == clinic.engine.deliveries()[1].due


# What is told of it


def test_of_other_packages_only_that_they_warned_is_told() -> None:
    record = logging.makeLogRecord({"name": "urllib3", "msg": "to %s", "args": ("ann@example.org",)})
    ours = logging.makeLogRecord({"name": "cm_engine.x", "msg": "payout %s", "args": ("e-1",)})
    said = [json.loads(JsonLines().format(each))["event"] for each in (record, ours)]
    assert said == ["something was logged", "payout %s"]
    failed = logging.makeLogRecord({"name": "cm_engine.x", "exc_info": (HostError, HostError("Ann"), None)})
    assert json.loads(JsonLines().format(failed))["error"] == "HostError"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def test_where_a_host_has_opentelemetry_there_are_spans_without_anybody_in_them(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    clinic.negative(clinic.enrolled())

    def fail() -> None:
        raise HostError(clinic.enrolled("p-9"))

    clinic.engine.add_task("a", every=DAY, do=fail)
    Worker(clinic.engine, clinic.dispatcher(FakeGateway()), every=HOUR, name="w-1").beat()
    found = [(each.name, dict(each.attributes or {})) for each in spans.get_finished_spans()]
    assert found == [
        *[("cm_engine.task", {"cm_engine.task": name}) for name in OWN],
        ("cm_engine.task", {"cm_engine.task": "a", "error.type": "HostError"}),
        ("cm_engine.deliver", {"cm_engine.payouts.over": 1}),
    ]
    assert not any(each.events for each in spans.get_finished_spans())


def test_where_a_host_has_no_opentelemetry_there_is_nothing() -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
from cm_engine import Engine
print(len(Engine.open("memory:").run_due()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("4\n", "")


def test_the_example_goes_through_two_weeks_and_stops(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "worker.py"), url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "08 Jan 20:00 UTC: a payout is over" in done.stdout
    assert done.stdout.count("was missed") == 3
    with Engine.open(url) as engine:
        assert engine.verify().is_clean


# The command line


Run = Callable[..., Any]


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CM_ENGINE_DB", "sqlite:///clinic.db")
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["cm-engine", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return command


def test_the_command_line_lists_tasks_and_when_they_are_next(run: Run, tmp_path: Path) -> None:
    house = House(f"sqlite:///{tmp_path / 'clinic.db'}")
    house.engine.add_task("a", every=2 * HOUR, do=lambda: 1 / 0)
    house.ran()
    done = run("due", "--json")
    found = {each["task"]: each for each in json.loads(done.stdout)["tasks"]}
    assert sorted(found) == ["a", "alerts", "count", "expire", "pay", "sweep"]
    assert (found["a"]["failed"], found["a"]["every_seconds"], found["a"]["done"]) == (
        "ZeroDivisionError",
        7200,
        None,
    )
    assert found["count"]["due"] == "2026-01-05T13:00:00.000000+00:00"
    assert "1 time: ZeroDivisionError" in run("due").stdout


def test_a_worker_without_gateways_leaves_payouts_to_one_that_has_them(tmp_path: Path) -> None:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    clinic.negative(clinic.enrolled())
    before = clinic.engine.deliveries()
    assert Worker(clinic.engine, None, every=HOUR).run_once()
    assert clinic.engine.deliveries() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--health", "nowhere/h.json"), "--health: there is no folder nowhere\n"),
        (("--gateways", "g.yaml"), "g.yaml:1:"),
        (("--name", "two\nlines"), "--name: expected text of one line"),
    ],
)
def test_a_worker_says_what_is_wrong_before_it_begins(
    run: Run, tmp_path: Path, words: tuple[str, str], said: str
) -> None:
    Clinic(f"sqlite:///{tmp_path / 'clinic.db'}").engine.close()
    (tmp_path / "g.yaml").write_text("gateways: {cards: {kind: telegraph}}", "utf-8")
    done = run("worker", "--once", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)


def test_a_person_lists_retries_releases_and_cancels_payouts_on_the_command_line(
    run: Run, tmp_path: Path
) -> None:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    ids = [clinic.enrolled(f"p-{number}") for number in range(3)]
    for each in ids:
        clinic.negative(each)
    clinic.dispatcher(FakeGateway()).deliver(limit=1)
    broken = FakeGateway(capabilities=FakeGateway().capabilities._replace(most=Decimal(1)))
    clinic.dispatcher(broken).deliver()
    listed = json.loads(run("deliveries", "--json").stdout)["deliveries"]
    assert [(each["id"], each["status"]) for each in listed] == [
        ("e-p-0/1/1", "over"),
        ("e-p-1/1/1", "stuck"),
        ("e-p-2/1/1", "stuck"),
    ]
    assert listed[1]["note"] == "cards: it hands over 1 USD or less"
    page = run("deliveries", "--status", "stuck", "--after", "e-p-1/1/1", "--limit", "1")
    assert "e-p-2" in page.stdout
    assert "There may be more: --after e-p-2/1/1" in page.stdout
    again = run("payout", "retry", "e-p-1", "--number", "1", "--by", "boss-1")
    assert again.stdout == "e-p-1/1/1 is waiting: tried again by boss-1\n"
    said = ("--why", "lost", "--source", "office", "--key", "c-1", "--by", "boss-1")
    assert "owed again" in run("payout", "cancel", "e-p-2", "--number", "1", *said).stdout
    assert clinic.balance("e-p-2") == {"awarded": "10.00", "owed": "10.00"}
    refused = run("payout", "approve", "e-p-1", "--number", "1", "--by", "boss-2")
    assert (refused.returncode, refused.stderr) == (
        2,
        "payout 1/1 of e-p-1: it is waiting, and not to be approved\n",
    )
    for wrong in ("e-p-1", "e-p-1/x/1"):
        done = run("deliveries", "--after", wrong)
        assert (done.returncode, done.stderr) == (
            2,
            f"--after: expected the id of a payout, such as e-1/5/1, got {wrong!r}\n",
        )
