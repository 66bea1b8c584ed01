"""Times and days: the clinic's zone decides which day it is, whatever the server's clock and zone say."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cm_engine import Program, parse_program
from cm_engine.acts.reported import Report
from cm_engine.engine import Engine
from cm_engine.errors import ReportError
from tests.durable_model import ZONE, Desk, opened

LA = ZoneInfo(ZONE)
CALIFORNIA = "california-recovery-incentives"


class StoppedClock:
    """A clock that stands still until it is put to another time."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock(datetime(2027, 6, 1, tzinfo=UTC))


@pytest.fixture
def engine(clock: StoppedClock) -> Iterator[Engine]:
    with opened("memory", Path(), clock) as found:
        yield found


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"])
def server_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The zone of the machine that the engine runs on."""
    if not hasattr(time, "tzset"):
        pytest.skip("this system cannot change the zone of a process")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def climbing(limits: str = "[]") -> Program:
    return parse_program(
        '{program: example, version: "1", title: Example, currency: USD, visits: [{weeks: 1-6, per_week: 7}],'
        " targets: {tests: {behavior: abstinence, schedule: [{weeks: 1-6, escalate: {start: 10, step: 5}, reset: {}}]}},"
        f" limits: {limits}}}"
    )


def local(*when: int, fold: int = 0) -> datetime:
    return datetime(*when, fold=fold, tzinfo=LA)  # type: ignore[arg-type, misc]  # year, month, day, hour, minute


def on(desk: Desk, collected_at: datetime, result: str = "-") -> date:
    """The day that a result counts for."""
    decision = desk.observe(result, collected_at=collected_at).decision
    assert decision
    assert decision.on
    return decision.on


# Which day it is.


@pytest.mark.parametrize(
    ("utc", "day"),
    [
        ((2026, 3, 8, 7, 59), (2026, 3, 7)),  # 23:59, still standard time
        ((2026, 3, 8, 8, 0), (2026, 3, 8)),  # midnight
        ((2026, 3, 8, 9, 59), (2026, 3, 8)),  # 01:59, the last minute before the clocks go forward
        ((2026, 3, 8, 10, 0), (2026, 3, 8)),  # 03:00
        ((2026, 3, 9, 6, 59), (2026, 3, 8)),  # 23:59 of a day of 23 hours
        ((2026, 3, 9, 7, 0), (2026, 3, 9)),
        ((2026, 11, 1, 6, 59), (2026, 10, 31)),
        ((2026, 11, 1, 7, 0), (2026, 11, 1)),
        ((2026, 11, 1, 8, 30), (2026, 11, 1)),  # 01:30 for the first time
        ((2026, 11, 1, 9, 30), (2026, 11, 1)),  # 01:30 once more
        ((2026, 11, 2, 7, 59), (2026, 11, 1)),  # 23:59 of a day of 25 hours
        ((2026, 11, 2, 8, 0), (2026, 11, 2)),
    ],
)
def test_a_time_counts_for_the_day_that_the_clinics_clocks_show(
    engine: Engine, utc: tuple[int, ...], day: tuple[int, int, int]
) -> None:
    desk = Desk(engine, CALIFORNIA, start=date(2026, 2, 1))
    collected_at = datetime(*utc, tzinfo=UTC)  # type: ignore[arg-type, misc]  # year, month, day, hour, minute
    assert on(desk, collected_at) == date(*day)


def test_of_two_times_that_clocks_show_alike_in_autumn_the_first_is_decided_first(engine: Engine) -> None:
    desk = Desk(engine, climbing(), start=date(2026, 11, 1))
    desk.observe("-", collected_at=local(2026, 11, 1, 1, 30, fold=1))
    late = desk.observe("+", collected_at=local(2026, 11, 1, 1, 30, fold=0))
    assert late.decision
    assert late.decision.visit == 1
    assert [(each.visit, each.outcome) for each in desk.stands()] == [(1, "+"), (2, "-")]
    assert engine.verify().is_clean


def test_a_later_time_with_an_earlier_clock_face_is_decided_later(engine: Engine) -> None:
    """01:45 before the clocks go back is before 01:15 after it."""
    desk = Desk(engine, climbing(), start=date(2026, 11, 1))
    desk.observe("-", collected_at=local(2026, 11, 1, 1, 45, fold=0))
    desk.observe("+", collected_at=local(2026, 11, 1, 1, 15, fold=1))
    assert [(each.visit, each.outcome) for each in desk.stands()] == [(1, "-"), (2, "+")]


def test_a_time_that_the_clocks_skip_in_spring_counts_for_its_day(engine: Engine) -> None:
    desk = Desk(engine, climbing(), start=date(2026, 3, 1))
    assert on(desk, local(2026, 3, 8, 2, 30)) == date(2026, 3, 8)


def test_a_visit_a_day_is_a_day_apart_over_both_changes_of_the_clocks(engine: Engine) -> None:
    for start in (date(2026, 3, 6), date(2026, 10, 30)):
        desk = Desk(engine, climbing(), participant=f"p-{start}", start=start)
        days = [start + timedelta(number) for number in range(5)]
        found = [on(desk, local(day.year, day.month, day.day, 23, 30)) for day in days]
        assert found == days
        assert desk.paid() == ["10.00", "15.00", "20.00", "25.00", "30.00"]


def test_a_specimen_of_new_years_eve_counts_for_the_old_year(engine: Engine) -> None:
    limit = "[{amount: 20, per: calendar year, crossing: truncate}]"
    desk = Desk(engine, climbing(limit), start=date(2025, 12, 29))
    eve = local(2025, 12, 31, 23, 30)
    assert eve.astimezone(UTC).year == 2026
    desk.observe("-", collected_at=local(2025, 12, 30, 9, 0))
    assert on(desk, eve) == date(2025, 12, 31)
    assert on(desk, local(2026, 1, 1, 0, 5)) == date(2026, 1, 1)
    assert desk.paid() == ["10.00", "10.00", "20.00"]
    assert engine.verify().is_clean


def test_the_same_moment_counts_for_the_new_year_in_a_clinic_further_east(engine: Engine) -> None:
    limit = "[{amount: 20, per: calendar year, crossing: truncate}]"
    desk = Desk(engine, climbing(limit), start=date(2025, 12, 29), zone="America/New_York")
    desk.observe("-", collected_at=local(2025, 12, 30, 9, 0))
    assert on(desk, local(2025, 12, 31, 23, 30)) == date(2026, 1, 1)
    assert desk.paid() == ["10.00", "15.00"]


@pytest.mark.usefixtures("server_zone")
def test_the_servers_zone_decides_nothing(engine: Engine) -> None:
    desk = Desk(engine, climbing(), start=date(2026, 1, 5))
    assert on(desk, local(2026, 1, 5, 23, 30)) == date(2026, 1, 5)
    assert on(desk, datetime(2026, 1, 7, 7, 30, tzinfo=UTC)) == date(2026, 1, 6)
    [first, *_] = engine.history(enrollment=desk.id)
    assert first.recorded_at == datetime(2027, 6, 1, tzinfo=UTC)
    assert engine.verify().is_clean


def test_a_time_with_another_offset_than_the_clinics_is_the_same_moment(engine: Engine) -> None:
    desk = Desk(engine, climbing(), start=date(2026, 1, 5))
    tokyo = datetime(2026, 1, 6, 16, 30, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert on(desk, tokyo) == date(2026, 1, 5)
    odd = datetime(2026, 1, 7, 13, 14, 59, tzinfo=timezone(timedelta(hours=5, minutes=15)))
    assert on(desk, odd) == date(2026, 1, 6)


def test_the_same_moment_said_in_another_zone_is_the_same_report(engine: Engine) -> None:
    desk = Desk(engine, climbing(), start=date(2026, 1, 5))
    told: dict[str, Any] = {"enrollment": desk.id, "source": "lab", "key": "1", "by": "b", "result": "-"}
    at = local(2026, 1, 5, 9, 0)
    assert not engine.record(**told, collected_at=at).replayed
    assert engine.record(**told, collected_at=at.astimezone(UTC)).replayed


def test_the_day_given_counts_and_not_that_of_the_time(engine: Engine) -> None:
    desk = Desk(engine, climbing(), start=date(2026, 1, 5))
    done = desk.observe("-", date(2026, 1, 5), collected_at=local(2026, 1, 6, 0, 10))
    assert done.decision
    assert done.decision.on == date(2026, 1, 5)


# The engine's clock.


def test_a_clock_that_goes_backwards_leaves_the_order_of_recording(
    engine: Engine, clock: StoppedClock
) -> None:
    desk = Desk(engine, climbing(), start=date(2026, 1, 5))
    desk.observe("-", date(2026, 1, 5))
    clock.now -= timedelta(hours=3)
    desk.observe("+", date(2026, 1, 5))
    clock.now -= timedelta(days=3)
    desk.observe("-", date(2026, 1, 5))
    history = engine.history(enrollment=desk.id)
    assert [each.record for each in history] == [0, 1, 2, 3]
    assert [(each.visit, each.outcome) for each in desk.stands()] == [(1, "-"), (2, "+"), (3, "-")]
    assert engine.verify().is_clean


def test_what_was_recorded_when_never_goes_back_by_itself(engine: Engine, clock: StoppedClock) -> None:
    desk = Desk(engine, climbing(), start=date(2026, 1, 5))
    desk.observe("-", date(2026, 1, 5))
    clock.now += timedelta(minutes=1)
    desk.observe("-", date(2026, 1, 6))
    times = [each.recorded_at for each in engine.history(enrollment=desk.id)]
    assert times == [clock.now - timedelta(minutes=1)] * 2 + [clock.now]
    assert all(each.utcoffset() == timedelta(0) for each in times)


@pytest.mark.parametrize(
    "when",
    [
        {"collected_at": datetime(2027, 6, 2, 0, 1, tzinfo=UTC)},
        {"collected_at": datetime(2027, 7, 1, tzinfo=LA)},
        {"on": date(2027, 6, 4)},
        {"on": date(2027, 6, 1), "resulted_at": datetime(2027, 6, 3, tzinfo=UTC)},
    ],
)
def test_what_has_not_happened_yet_cannot_be_recorded(engine: Engine, when: dict[str, Any]) -> None:
    desk = Desk(engine, climbing(), start=date(2027, 5, 31))
    with pytest.raises(ReportError, match="has not happened yet"):
        desk.observe("-", **when)
    desk.observe("-", date(2027, 6, 1))
    with pytest.raises(ReportError, match="has not happened yet"):
        desk.amend(1, **when)
    assert len(engine.history(enrollment=desk.id)) == 2


def test_a_clock_a_little_behind_refuses_nothing(engine: Engine) -> None:
    desk = Desk(engine, climbing(), start=date(2027, 5, 31))
    assert on(desk, datetime(2027, 6, 1, 0, 5, tzinfo=UTC)) == date(2027, 5, 31)


def test_today_can_be_recorded_in_the_zone_that_is_first_to_have_it(
    engine: Engine, clock: StoppedClock
) -> None:
    clock.now = datetime(2027, 6, 1, 10, 30, tzinfo=UTC)
    desk = Desk(engine, climbing(), start=date(2027, 5, 31), zone="Pacific/Kiritimati")
    assert on(desk, clock.now) == date(2027, 6, 2)
    desk.observe("-", date(2027, 6, 2))
    assert engine.verify().is_clean


def test_a_result_cannot_come_before_its_specimen(engine: Engine) -> None:
    desk = Desk(engine, climbing(), start=date(2026, 1, 5))
    at = local(2026, 1, 5, 9, 0)
    with pytest.raises(ReportError, match="before collected_at"):
        desk.observe("-", collected_at=at, resulted_at=at - timedelta(seconds=1))
    desk.observe("-", collected_at=at, resulted_at=at.astimezone(ZoneInfo("Asia/Tokyo")))


# What is no time, no day and no zone.

NAIVE = datetime(2026, 1, 5, 9, 0)  # noqa: DTZ001 - what is refused here


@pytest.mark.parametrize(
    "when",
    [
        {"collected_at": NAIVE},
        {"on": date(2026, 1, 5), "resulted_at": NAIVE},
        {"collected_at": "2026-01-05T09:00:00Z"},
        {"collected_at": date(2026, 1, 5)},
        {"on": datetime(2026, 1, 5, tzinfo=UTC)},
        {"on": "2026-01-05"},
    ],
)
def test_a_naive_time_and_what_is_no_time_are_refused(engine: Engine, when: dict[str, Any]) -> None:
    desk = Desk(engine, climbing())
    with pytest.raises(ReportError, match="expected a"):
        desk.observe("-", **when)
    with pytest.raises(ReportError, match="expected a"):
        engine.record_many(
            [Report(**{"enrollment": desk.id, "source": "s", "key": "1", "by": "b", "result": "-", **when})]
        )
    assert len(engine.history(enrollment=desk.id)) == 1


def test_a_report_says_when_it_was(engine: Engine) -> None:
    with pytest.raises(ReportError, match="say when it was"):
        Desk(engine, climbing()).observe("-")


@pytest.mark.parametrize("start", [datetime(2026, 1, 5, tzinfo=UTC), "2026-01-05", None])
def test_a_start_is_a_date(engine: Engine, start: Any) -> None:
    with pytest.raises(ReportError, match="start: expected a date"):
        Desk(engine, climbing(), start=start)


@pytest.mark.parametrize("zone", ["America/Los_Angles", "PST8", "../etc/passwd", "utc+1", "\0"])
def test_a_zone_that_does_not_exist_is_refused(engine: Engine, zone: str) -> None:
    with pytest.raises(ReportError, match="no time zone"):
        Desk(engine, climbing(), zone=zone)
    with pytest.raises(ReportError, match="no time zone"):
        Engine.open("memory:", zone=zone)
    assert not engine.enrollments()


@pytest.mark.parametrize(
    ("zone", "place"),
    [("EST", "America/New_York"), ("MST", "America/Denver or America/Phoenix"), ("HST", "Pacific/Honolulu"), ("AST", "America/Puerto_Rico")],
)  # fmt: skip
def test_an_abbreviation_is_no_place_though_servers_know_it_as_one(
    engine: Engine, zone: str, place: str
) -> None:
    with pytest.raises(
        ReportError, match=f"no time zone '{zone}'; an abbreviation is no place, write {place}"
    ):
        Desk(engine, climbing(), zone=zone)


def test_a_zone_spelled_almost_right_is_named(engine: Engine) -> None:
    with pytest.raises(ReportError, match="America/Los_Angeles"):
        Desk(engine, climbing(), zone="America/Los_Angles")


def test_without_any_zone_nobody_is_enrolled() -> None:
    with Engine.open("memory:") as engine, pytest.raises(ReportError, match="say the clinic's time zone"):
        Desk(engine, climbing())


def test_the_zone_of_an_enrollment_goes_before_that_of_the_engine(engine: Engine) -> None:
    desk = Desk(engine, climbing(), zone="Asia/Tokyo")
    assert engine.enrollment(desk.id).zone == "Asia/Tokyo"
    assert on(desk, datetime(2026, 1, 5, 16, 0, tzinfo=UTC)) == date(2026, 1, 6)


def test_an_amended_time_moves_an_observation_to_its_new_day(engine: Engine) -> None:
    desk = Desk(engine, climbing(), start=date(2026, 1, 5))
    desk.observe("-", collected_at=local(2026, 1, 6, 0, 5))
    desk.observe("+", collected_at=local(2026, 1, 5, 23, 50))
    assert [each.outcome for each in desk.stands()] == ["+", "-"]
    done = desk.amend(1, collected_at=local(2026, 1, 5, 23, 45))
    assert done.decision
    assert (done.decision.on, done.decision.visit) == (date(2026, 1, 5), 1)
    assert engine.verify().is_clean
