"""Sites: whose zone decides the day, whose closures move the plan, who is transferred, and which fund pays."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from textwrap import dedent
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from cm_engine import (
    Award,
    Decision,
    Engine,
    FundExhaustedError,
    JournalNotFoundError,
    KeyConflictError,
    MissingDependencyError,
    NotAllowedError,
    Observation,
    Program,
    PublicHolidays,
    Recorded,
    ReportError,
    Rules,
    SiteClosedError,
    State,
    StorageError,
    cli,
    parse_program,
    step,
)
from cm_engine.facade import siting
from cm_engine.ledger.funding import Source, Spending, funding
from cm_engine.log import deciding
from cm_engine.log.chain import GENESIS, hash_of
from cm_engine.log.history import day_in
from cm_engine.log.rows import RecordRow
from cm_engine.opening import open_storage
from cm_engine.sites.calendars import closures_of
from cm_engine.sites.office import Office
from cm_engine.sites.placing import followed
from cm_engine.sites.state import Closure

NORTH, SOUTH = "America/Los_Angeles", "America/New_York"
START = date(2026, 1, 5)  # a Monday
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
WINDOWS = "{before: 0, after: 0, makeup: 1}"


def program(
    name: str = "weekly", windows: str = WINDOWS, rest: str = "", days: str = "[monday, wednesday, friday]"
) -> Program:
    """Three visits a week for twelve weeks: 10, 15, 20, 25 and so on, and after a miss from 10 again."""
    kept = f", windows: {windows}" if windows else ""
    ladder = "{weeks: 1-12, escalate: {start: 10, step: 5, ceiling: 50}, reset: {}}"
    return parse_program(
        f'program: {name}\nversion: "1"\ntitle: Weekly\ncurrency: USD\n'
        f"visits: [{{weeks: 1-12, days: {days}}}]\n"
        f"targets: {{test: {{behavior: abstinence{kept}, schedule: [{ladder}]}}}}\n{rest}",
        name=name,
    )


class Clinic:
    """An engine with two sites, and short ways to what tests do."""

    def __init__(self, url: str = "memory:", **options: Any) -> None:
        self.now = NOW
        self.engine = Engine.open(url, clock=lambda: self.now, **options)
        self.engine.add_program(program())
        self.keys = iter(range(10_000))
        for site, zone in (("north", NORTH), ("south", SOUTH)):
            self.engine.open_site(site, zone=zone, by="boss-1")

    @property
    def said(self) -> dict[str, Any]:
        return {"by": "boss-1", "source": "office", "key": f"k-{next(self.keys)}"}

    def enroll(self, id: str = "e-1", site: str = "north", program: str = "weekly") -> str:  # noqa: A002
        kept: dict[str, Any] = {"site": site} if site else {"zone": NORTH}
        return self.engine.enroll(
            participant=f"p-{id}", program=program, start=START, by="n-1", id=id, **kept
        ).id

    def result(self, result: str, day: date, enrollment: str = "e-1") -> Recorded:
        return self.engine.record(enrollment=enrollment, result=result, on=day, **self.said)

    def close(self, first: date, last: date | None = None, site: str = "north") -> tuple[str, ...]:
        return self.engine.close_days(site, first, last or first, "closed", **self.said).replanned

    def transfer(self, on: date, to: str = "south", enrollment: str = "e-1") -> Recorded:
        return self.engine.transfer(enrollment=enrollment, to=to, on=on, why="moved house", **self.said)

    def days(self, enrollment: str = "e-1", number: int = 6) -> list[int]:
        """The days, after the start, of the first visits as they are planned."""
        visits = self.engine.visits(enrollment=enrollment)[:number]
        return [(visit.on - START).days for visit in visits]

    def awards(self, enrollment: str = "e-1") -> list[tuple[int, str, str]]:
        """The visit, outcome and award of each decision that stands, in the order of visits."""
        acts = self.engine.history(enrollment=enrollment)
        standing = {each.row.subject: each for act in acts for each in act.decisions}
        return sorted(
            (each.visit, each.outcome, str(each.awards.get("USD", 0)))
            for each in standing.values()
            if each.outcome != "withdrawn"
        )

    def kinds(self, enrollment: str = "e-1") -> list[str]:
        return [act.kind for act in self.engine.history(enrollment=enrollment)]

    def assert_clean(self) -> None:
        assert list(map(str, self.engine.verify().differences)) == []


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    made = Clinic()
    yield made
    made.assert_clean()
    made.engine.close()


def day(after: int) -> date:
    return START + timedelta(after)


def at(zone: str, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo(zone))


# A site


def test_a_site_is_opened_once_with_its_zone_and_shown(clinic: Clinic) -> None:
    site = clinic.engine.site("north")
    assert (site.id, site.zone, site.closures, site.funds, site.is_closed) == ("north", NORTH, (), (), False)
    assert clinic.engine.open_site("north", zone=NORTH, by="boss-2") == site
    assert [each.id for each in clinic.engine.sites()] == ["north", "south"]
    with pytest.raises(KeyConflictError, match=SOUTH):
        clinic.engine.open_site("north", zone=SOUTH, by="boss-1")
    with pytest.raises(ReportError, match="there is a site 'north' already, opened under another key"):
        clinic.engine.open_site("north", zone=NORTH, by="boss-1", key="another")
    with pytest.raises(ReportError, match="no time zone"):
        clinic.engine.open_site("west", zone="Mars/North", by="boss-1")
    with pytest.raises(JournalNotFoundError, match="no site 'west'"):
        clinic.engine.site("west")


def test_closed_days_are_added_once_and_taken_back_in_part(clinic: Clinic) -> None:
    engine = clinic.engine
    clinic.close(day(7), day(11))
    clinic.close(day(7), day(11))
    engine.open_days("north", day(9), day(9), "open after all", **clinic.said)
    assert [each[:2] for each in engine.site("north").closures] == [(day(7), day(8)), (day(10), day(11))]
    engine.open_days("north", day(0), day(30), "all of it", **clinic.said)
    assert engine.site("north").closures == ()
    with pytest.raises(ReportError, match="is open on all days from 2026-01-05 to 2026-01-06 already"):
        engine.open_days("north", day(0), day(1), "again", **clinic.said)


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (day(1), day(0), "last: expected a day from 2026-01-06 on"),
        (day(0), day(366), "at most 366 days in all"),
        (date(1700, 1, 1), date(1700, 1, 1), "expected days of the years 1900 to 9000"),
        (NOW, day(0), "first: expected a date without a time"),
    ],
)
def test_days_that_cannot_be_closed_are_refused(
    clinic: Clinic, first: date, last: date, message: str
) -> None:
    with pytest.raises(ReportError, match=message):
        clinic.engine.close_days("north", first, last, "closed", **clinic.said)


def test_gateways_are_kept_in_order_and_named_once(clinic: Clinic) -> None:
    for name in ("gift-cards", "cash"):
        clinic.engine.add_gateway("north", name, **clinic.said)
    assert clinic.engine.site("north").gateways == ("gift-cards", "cash")
    with pytest.raises(ReportError, match="has a gateway 'cash' already"):
        clinic.engine.add_gateway("north", "cash", **clinic.said)


# Enroll at a site


def test_an_enrollment_at_a_site_has_its_zone_and_says_so_in_its_own_log(clinic: Clinic) -> None:
    clinic.close(day(2))
    enrollment = clinic.engine.enrollment(clinic.enroll())
    assert enrollment.zone == NORTH
    enrolled, placed = clinic.engine.history(enrollment="e-1")
    assert (enrolled.kind, placed.kind, placed.source) == ("enrolled", "placed", "@site/north")
    told = dict(placed.reported)
    assert len(told.pop("root")) == 64
    assert told == {
        "site": "north",
        "zone": NORTH,
        "on": "2026-01-05",
        "closed": [["2026-01-07", "2026-01-07"]],
        "as_of": 1,
    }
    assert clinic.days() == [0, 3, 4, 7, 9, 11]


def test_enrolling_again_gives_the_same_and_elsewhere_is_refused(clinic: Clinic) -> None:
    assert clinic.enroll() == clinic.enroll()
    clinic.engine.open_site("west", zone=NORTH, by="boss-1")
    with pytest.raises(KeyConflictError, match="at site 'west'"):
        clinic.enroll(site="west")
    clinic.enroll("e-2", site="")
    with pytest.raises(KeyConflictError, match="at site 'north'"):
        clinic.enroll("e-2")
    assert clinic.kinds() == ["enrolled", "placed"]


def test_nobody_is_enrolled_at_a_site_that_is_unknown_or_closed_or_in_another_zone(clinic: Clinic) -> None:
    with pytest.raises(JournalNotFoundError, match="no site 'west'"):
        clinic.enroll(site="west")
    with pytest.raises(ReportError, match="site 'north' is in America/Los_Angeles, got 'Europe/Rome'"):
        clinic.engine.enroll(
            participant="p", program="weekly", start=START, by="n", site="north", zone="Europe/Rome"
        )
    clinic.enroll("e-2")
    clinic.engine.close_site("north", why="it moves", **clinic.said)
    with pytest.raises(SiteClosedError, match="'north' takes no new enrollments: it is closed"):
        clinic.enroll()
    assert [each.id for each in clinic.engine.enrollments()] == ["e-2"]
    assert clinic.enroll("e-2") == "e-2"
    assert clinic.result("-", day(0), "e-2").awards == {"USD": Decimal(10)}


def test_an_enrollment_without_a_site_is_as_it_ever_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    clinic = Clinic(url)
    clinic.close(day(0), day(30))
    clinic.enroll(site="")
    clinic.result("-", day(0))
    assert clinic.days() == [0, 2, 4, 7, 9, 11]
    assert clinic.engine.site_of(enrollment="e-1") == ""
    (record, _), state = stored(url, "e-1")
    assert state.endswith('{"slips":{},"own":[],"offset":{},"counted":{"test":"2026-01-05/1"}}')
    assert record.hash == hash_of(record[:-1], GENESIS)
    assert set(json.loads(record.body)) == {"participant", "program", "start", "zone"}


def test_in_a_transaction_of_the_hosts_an_enrollment_and_its_site_come_together(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    clinic = Clinic(url)
    database = create_engine(url)
    with Session(database) as session:
        engine = clinic.engine.joining(session)
        engine.enroll(participant="p", program="weekly", start=START, by="n", id="e-1", site="north")
        session.rollback()
    assert clinic.engine.enrollments() == []
    with Session(database) as session, session.begin():
        engine = clinic.engine.joining(session)
        engine.enroll(participant="p", program="weekly", start=START, by="n", id="e-1", site="north")
        engine.transfer(enrollment="e-1", to="south", on=day(3), why="moved", by="n", source="s", key="t")
    assert clinic.kinds() == ["enrolled", "placed", "transferred"]
    clinic.assert_clean()
    database.dispose()


# Closures


def test_a_closure_moves_planned_visits_forward_and_taking_it_back_moves_them_back(clinic: Clinic) -> None:
    clinic.enroll()
    assert clinic.days() == [0, 2, 4, 7, 9, 11]
    assert clinic.close(day(7), day(9)) == ("e-1",)
    assert clinic.days() == [0, 2, 4, 10, 10, 11]
    clinic.engine.open_days("north", day(8), day(9), "open after all", **clinic.said)
    assert clinic.days() == [0, 2, 4, 8, 9, 11]
    assert clinic.kinds() == ["enrolled", "placed", "replanned", "replanned"]


def test_closures_of_the_program_and_of_the_site_hold_both(clinic: Clinic) -> None:
    closed = "closures: [{first: 2026-01-12}, {first: 2026-01-14}]"
    clinic.engine.add_program(program("closing", rest=closed))
    clinic.enroll(program="closing")
    clinic.close(day(8))
    assert clinic.days() == [0, 2, 4, 10, 10, 11]


def test_a_visit_that_was_moved_to_a_day_that_is_closed_later_moves_on(clinic: Clinic) -> None:
    clinic.enroll()
    clinic.engine.reschedule(enrollment="e-1", visit=2, to=day(3), why="court", **clinic.said)
    clinic.close(day(3))
    assert clinic.days()[:3] == [0, 4, 4]


def test_another_sites_closures_move_nothing_and_write_nothing(clinic: Clinic) -> None:
    clinic.enroll()
    assert clinic.close(day(2), site="south") == ()
    assert clinic.days()[:3] == [0, 2, 4]
    assert clinic.kinds() == ["enrolled", "placed"]


def test_a_day_that_is_closed_after_it_was_missed_is_missed_no_more(clinic: Clinic) -> None:
    clinic.enroll()
    clinic.result("-", day(0))
    clinic.result("-", day(4))
    assert clinic.awards() == [(1, "-", "10.00"), (2, "o", "0.00"), (3, "-", "10.00")]
    clinic.close(day(2), day(3))
    assert clinic.awards() == [(1, "-", "10.00"), (2, "-", "15.00")]
    clinic.engine.open_days("north", day(2), day(3), "it was open", **clinic.said)
    assert clinic.awards() == [(1, "-", "10.00"), (2, "o", "0.00"), (3, "-", "10.00")]
    assert str(clinic.engine.balance(enrollment="e-1")["USD"].absorbed) == "5.00"


def test_an_absence_on_a_closed_day_is_not_required_as_on_one_of_the_program(clinic: Clinic) -> None:
    clinic.engine.add_program(program("nth", windows=""))
    clinic.enroll(program="nth")
    clinic.result("-", day(0))
    missed = clinic.result("o", day(2))
    assert missed.outcome == "o"
    assert clinic.result("-", day(4)).awards == {"USD": Decimal(10)}
    clinic.close(day(2))
    assert clinic.awards() == [(1, "-", "10.00"), (2, "_", "0.00"), (3, "-", "15.00")]
    clinic.close(day(7))
    assert clinic.result("e", day(7)).outcome == "_"


def test_only_what_an_enrollment_can_meet_is_written_on_it(clinic: Clinic) -> None:
    clinic.enroll()
    clinic.close(day(-7))
    clinic.transfer(day(14))
    clinic.close(day(20))
    assert clinic.kinds() == ["enrolled", "placed", "transferred"]
    clinic.close(day(13))
    clinic.close(day(20), site="south")
    clinic.close(day(2), site="south")
    assert clinic.kinds()[3:] == ["replanned", "replanned"]
    clinic.engine.discharge(enrollment="e-1", on=day(30), why="moved away", **clinic.said)
    clinic.close(day(40), site="south")
    assert len(clinic.kinds()) == 6
    clinic.engine.readmit(enrollment="e-1", on=day(35), why="came back", **clinic.said)
    assert clinic.kinds()[6:] == ["readmitted", "replanned"]


def test_who_is_told_of_a_closure_is_told_once_whatever_is_interrupted(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keeps INV-12."""
    ids = [clinic.enroll(f"e-{n}") for n in range(1, 5)]
    told: list[str] = []
    follow = followed

    def interrupted(office: Office, site: str, enrollment: str) -> object:
        if len(told) == 2:
            msg = "the line is cut"
            raise StorageError(msg)
        told.append(enrollment)
        return follow(office, site, enrollment)

    asked = clinic.said
    with monkeypatch.context() as patched:
        patched.setattr(siting, "followed", interrupted)
        with pytest.raises(StorageError, match="the line is cut"):
            clinic.engine.close_days("north", day(2), day(2), "closed", **asked)
    assert [alert.text for alert in clinic.engine.alerts()] == [
        "north: 2 enrollments do not follow its closures yet; let them catch up"
    ]
    done = clinic.engine.close_days("north", day(2), day(2), "closed", **asked)
    assert done.replayed
    assert (told, list(done.replanned)) == (ids[:2], ids[2:])
    assert [clinic.kinds(each) for each in ids] == [["enrolled", "placed", "replanned"]] * 4
    assert clinic.engine.alerts() == []
    assert clinic.engine.catch_up("north").replanned == ()


def test_what_cannot_follow_a_closure_is_told_and_the_others_follow(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("e-1", "e-2"):
        clinic.enroll(each)
    follow = followed

    def refused(office: Office, site: str, enrollment: str) -> object:
        if enrollment == "e-1":
            msg = "today's rules decide it otherwise"
            raise ReportError(msg)
        return follow(office, site, enrollment)

    with monkeypatch.context() as patched:
        patched.setattr(siting, "followed", refused)
        done = clinic.engine.close_days("north", day(2), day(2), "closed", **clinic.said)
    assert (done.replanned, done.refused) == (("e-2",), (("e-1", "today's rules decide it otherwise"),))
    assert clinic.engine.catch_up("north").replanned == ("e-1",)


def test_a_closure_that_moves_no_decision_lowers_no_award_that_a_shared_pool_paid(clinic: Clinic) -> None:
    """A fund's limit is exhausted by others since: what was decided before stands as it was decided."""
    limits = "limits: [{amount: 25, per: calendar year, fund: county, crossing: truncate}]"
    clinic.engine.add_program(program("sharing", rest=limits))
    for each in ("e-1", "e-2"):
        clinic.enroll(each, program="sharing")
    clinic.result("-", day(0))
    clinic.result("-", day(0), "e-2")
    assert clinic.result("-", day(2), "e-2").awards == {"USD": Decimal(5)}
    clinic.close(day(7))
    clinic.transfer(day(9))
    assert clinic.awards() == [(1, "-", "10.00")]
    assert clinic.awards("e-2") == [(1, "-", "10.00"), (2, "-", "5.00")]


def test_a_closure_that_moves_no_decision_leaves_those_of_other_rules_as_they_are(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.enroll()
    clinic.result("-", day(0))
    clinic.result("-", day(4))
    with monkeypatch.context() as patched:
        patched.setattr(deciding, "step", doubled)
        assert clinic.close(day(20)) == ("e-1",)
        done = clinic.engine.close_days("north", day(2), day(3), "closed", **clinic.said)
        assert done.replanned == ()
        [(enrollment, why)] = done.refused
        assert enrollment == "e-1"
        assert "made by other rules than today's" in why
        assert clinic.awards() == [(1, "-", "10.00"), (2, "o", "0.00"), (3, "-", "10.00")]
    assert clinic.engine.catch_up("north").replanned == ("e-1",)


def doubled(rules: Rules, state: State, observation: Observation) -> tuple[State, Decision]:
    """What a release with other rules decides."""
    after, decision = step(rules, state, observation)
    return after, decision._replace(paid=tuple(Award(unit, 2 * amount) for unit, amount in decision.paid))


def test_an_absence_that_is_looked_ahead_to_is_not_required_on_a_closed_day(clinic: Clinic) -> None:
    clinic.engine.add_program(program("nth", windows=""))
    clinic.enroll(program="nth")
    clinic.close(day(0))
    ahead = clinic.engine.preview(enrollment="e-1", on=day(0))["test"]
    assert (ahead["o"].outcome, ahead["+"].outcome, ahead["-"].outcome) == ("_", "+", "-")


WITHIN = st.sampled_from(
    [
        "{before: 0, after: 0}",
        "{before: 1, after: 1, makeup: 1, apart: 2}",
        "{within: week, makeup: 1}",
        "{before: 1, after: 2, specimens: worst}",
    ]
)


@settings(max_examples=30)
@given(
    windows=WITHIN,
    closed=st.lists(st.integers(0, 27), max_size=6, unique=True),
    seen=st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from("--+oe*")), max_size=10, unique_by=lambda x: x[0]
    ),
    order=st.randoms(use_true_random=False),
)
def test_a_sites_closures_are_as_those_of_a_program_whenever_they_are_told(
    windows: str, closed: list[int], seen: list[tuple[int, str]], order: Any
) -> None:
    """Keeps INV-13: only the days count, and not when closures or results were recorded."""
    clinic = Clinic()
    clinic.engine.add_program(program("open", windows))
    days = ", ".join(f"{{first: {day(n)}}}" for n in closed)
    clinic.engine.add_program(program("closing", windows, rest=f"closures: [{days}]"))
    clinic.enroll("e-1", program="open")
    clinic.enroll("e-2", site="south", program="closing")
    acts: list[tuple[str, Any]] = [*(("close", n) for n in closed), *(("see", each) for each in seen)]
    order.shuffle(acts)
    for kind, told in acts:
        if kind == "close":
            clinic.close(day(told))
        else:
            for enrollment in ("e-1", "e-2"):
                clinic.result(told[1], day(told[0]), enrollment)
    assert clinic.days("e-1", 12) == clinic.days("e-2", 12)
    assert clinic.awards("e-1") == clinic.awards("e-2")
    clinic.assert_clean()
    clinic.engine.close()


# Transfers


def test_a_transfer_changes_the_zone_and_the_closures_from_its_day_on(clinic: Clinic) -> None:
    clinic.close(day(2), day(3))
    clinic.close(day(7), day(7), site="south")
    clinic.enroll()
    clinic.transfer(day(3))
    assert clinic.days() == [0, 3, 4, 8, 9, 11]
    assert [clinic.engine.site_of(enrollment="e-1", on=day(n)) for n in (2, 3)] == ["north", "south"]
    assert clinic.engine.site_of(enrollment="e-1") == "south"


def test_a_late_result_from_before_the_transfer_is_of_the_old_sites_day(clinic: Clinic) -> None:
    clinic.enroll()
    clinic.result("-", day(0))
    clinic.transfer(day(4))
    evening = clinic.engine.record(
        enrollment="e-1", result="-", collected_at=at(SOUTH, 1, 9, 23, 30), **clinic.said
    )
    assert (evening.on, evening.visit) == (day(4), 3)
    assert clinic.awards() == [(1, "-", "10.00"), (2, "o", "0.00"), (3, "-", "10.00")]
    late = clinic.engine.record(
        enrollment="e-1", result="-", collected_at=at(NORTH, 1, 7, 23, 30), **clinic.said
    )
    assert (late.on, late.visit) == (day(2), 2)
    assert clinic.awards() == [(1, "-", "10.00"), (2, "-", "15.00"), (3, "-", "20.00")]


def test_a_transfer_told_late_decides_anew_which_day_a_result_was_of(clinic: Clinic) -> None:
    clinic.enroll()
    clinic.result("-", day(0))
    late = clinic.engine.record(
        enrollment="e-1", result="-", collected_at=at(NORTH, 1, 7, 23, 30), **clinic.said
    )
    assert (late.on, late.awards) == (day(2), {"USD": Decimal(15)})
    clinic.transfer(day(1))
    last = clinic.engine.statement(enrollment="e-1").lines[-1]
    assert (last.on, last.visit, last.outcome) == (day(3), 2, "-")


def test_the_same_transfer_is_one_whatever_the_site_does_since(clinic: Clinic) -> None:
    clinic.enroll()
    said = clinic.said
    told: dict[str, Any] = {"enrollment": "e-1", "to": "south", "on": day(4), "why": "moved", **said}
    first = clinic.engine.transfer(**told)
    clinic.close(day(9), site="south")
    again = clinic.engine.transfer(**told)
    assert (again.replayed, again.record) == (True, first.record)
    with pytest.raises(KeyConflictError):
        clinic.engine.transfer(**{**told, "on": day(5)})


def test_a_transfer_follows_the_one_before_it_and_leads_elsewhere(clinic: Clinic) -> None:
    clinic.enroll()
    with pytest.raises(ReportError, match="to: the enrollment is at 'north' already"):
        clinic.transfer(day(4), to="north")
    with pytest.raises(JournalNotFoundError, match="no site 'west'"):
        clinic.transfer(day(4), to="west")
    clinic.transfer(day(4))
    with pytest.raises(ReportError, match="is at 'south' from 2026-01-09; a transfer follows that"):
        clinic.transfer(day(3), to="north")
    clinic.transfer(day(4), to="north")  # it was a mistake, put right on its day
    assert clinic.engine.site_of(enrollment="e-1", on=day(4)) == "north"
    clinic.engine.discharge(enrollment="e-1", on=day(30), why="moved away", **clinic.said)
    with pytest.raises(ReportError, match="the episode ended"):
        clinic.transfer(day(8))


def test_who_was_at_no_site_comes_to_one_by_a_transfer_also_where_nobody_new_is_taken(clinic: Clinic) -> None:
    clinic.enroll(site="")
    clinic.engine.close_site("south", why="full", **clinic.said)
    clinic.transfer(day(4))
    clinic.close(day(4), site="south")
    assert clinic.days()[:3] == [0, 2, 5]
    assert [clinic.engine.site_of(enrollment="e-1", on=day(n)) for n in (3, 4)] == ["", "south"]


@pytest.mark.parametrize(
    ("then", "now", "moment", "expected"),
    [
        # from the coast in the east to the one in the west, on the 10th of March
        (SOUTH, NORTH, at(SOUTH, 3, 9, 23, 59), "2026-03-09"),
        (
            SOUTH,
            NORTH,
            at(SOUTH, 3, 10, 0, 30),
            "2026-03-10",
        ),  # still the 9th in the west, the 10th where it was
        (SOUTH, NORTH, at(NORTH, 3, 9, 23, 30), "2026-03-10"),  # the 10th in the east
        (SOUTH, NORTH, at(SOUTH, 3, 10, 9), "2026-03-10"),  # one day with two zones: in the morning there,
        (SOUTH, NORTH, at(NORTH, 3, 10, 23, 30), "2026-03-10"),  # in the evening here
        # and back
        (NORTH, SOUTH, at(NORTH, 3, 9, 20, 59), "2026-03-09"),
        (NORTH, SOUTH, at(NORTH, 3, 9, 21), "2026-03-10"),  # midnight in the east
        (NORTH, SOUTH, at(SOUTH, 3, 10, 23, 59), "2026-03-10"),
        # the clock is put forward on the 8th of March: 2:00 is 3:00
        (NORTH, NORTH, datetime(2026, 3, 8, 9, 59, tzinfo=UTC), "2026-03-08"),
        (NORTH, NORTH, datetime(2026, 3, 9, 6, 59, tzinfo=UTC), "2026-03-08"),
        (NORTH, NORTH, datetime(2026, 3, 9, 7, 0, tzinfo=UTC), "2026-03-09"),
        # halfway around the world, what is two days ahead there is the day of the transfer
        ("Pacific/Kiritimati", "Pacific/Pago_Pago", datetime(2026, 3, 10, 10, 30, tzinfo=UTC), "2026-03-10"),
    ],
)
def test_which_day_a_time_falls_on_is_told_by_the_zone_of_the_time_of_collection(
    then: str, now: str, moment: datetime, expected: str
) -> None:
    zones = (("", then), ("2026-03-10", now))
    assert day_in(moment.astimezone(UTC).isoformat(timespec="microseconds"), zones) == expected


NAMES = [NORTH, SOUTH, "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Rome", "Australia/Lord_Howe"]


@given(
    first=st.sampled_from(NAMES),
    moves=st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from(NAMES)), max_size=3, unique_by=lambda x: x[0]
    ),
    minutes=st.lists(st.integers(-3000, 40_000), min_size=2, max_size=8),
)
def test_a_later_time_never_falls_on_an_earlier_day(
    first: str, moves: list[tuple[int, str]], minutes: list[int]
) -> None:
    began = datetime(2026, 3, 1, tzinfo=UTC)
    zones = (("", first), *(((began + timedelta(n)).date().isoformat(), zone) for n, zone in sorted(moves)))
    times = [(began + timedelta(minutes=n)).isoformat(timespec="microseconds") for n in sorted(minutes)]
    days = [day_in(each, zones) for each in times]
    assert days == sorted(days)
    for each, found in zip(times, days, strict=True):
        assert any(day_in(each, (("", zone),)) >= found for _, zone in zones)


def test_clocks_that_change_at_one_site_only_are_told_apart(clinic: Clinic) -> None:
    clinic.engine.open_site("desert", zone="America/Phoenix", by="boss-1")
    clinic.enroll(site="desert")
    clinic.transfer(date(2026, 3, 8), to="north")  # the day on which the clock is put forward there
    days = [
        clinic.engine.record(
            enrollment="e-1",
            result="-",
            collected_at=datetime(2026, 3, day, hour, 30, tzinfo=UTC),
            **clinic.said,
        ).on
        for day, hour in ((7, 6), (7, 7), (9, 6), (9, 7))
    ]
    assert days == [date(2026, 3, 6), date(2026, 3, 7), date(2026, 3, 8), date(2026, 3, 9)]


# Who is where


def test_the_lists_of_a_site_have_those_who_are_there(clinic: Clinic) -> None:
    for each, site in (("e-1", "north"), ("e-2", "south"), ("e-3", "")):
        clinic.enroll(each, site)
    clinic.transfer(day(7))
    engine = clinic.engine
    assert [each.enrollment for each in engine.expected(on=day(0), site="north")] == ["e-1"]
    assert {each.enrollment for each in engine.expected(on=day(7), site="south")} == {"e-1", "e-2"}
    assert {each.enrollment for each in engine.expected(on=day(0))} == {"e-1", "e-2", "e-3"}
    for each in ("e-1", "e-2", "e-3"):
        clinic.result("-", day(6), each)
    assert [each.row.enrollment for each in engine.questions(site="south")] == ["e-1", "e-2"]
    assert engine.questions(site="north") == []
    assert {each.id: (each.site, each.zone) for each in engine.enrollments()} == {
        "e-1": ("south", SOUTH),
        "e-2": ("south", SOUTH),
        "e-3": ("", engine.enrollment("e-3").zone),
    }
    assert [each.enrollment for each in engine.questions(site="south")] == ["e-1", "e-2"]
    assert {each.enrollment for each in engine.payouts(site="south")} <= {"e-1", "e-2"}
    assert [each.id for each in engine.enrollments(site="south")] == ["e-1", "e-2"]
    assert [each.id for each in engine.enrollments(site="south", after="e-1")] == ["e-2"]
    assert [each.id for each in engine.enrollments(site="south", limit=1)] == ["e-1"]
    assert [each.id for each in engine.enrollments(site="south", participant="p-e-2")] == ["e-2"]
    for asked in (engine.expected, engine.questions, engine.enrollments):
        with pytest.raises(JournalNotFoundError, match="no site 'west'"):
            asked(site="west")


def test_who_may_close_a_site_and_who_may_transfer_is_a_right_and_the_engine_follows_by_itself() -> None:
    said: dict[str, Any] = {"source": "office"}
    engine = Engine.open("memory:", clock=lambda: NOW, people="known", zone=NORTH)
    engine.add_program(program())
    for who, by, role in (("boss-1", "boss-1", "supervisor"), ("n-1", "boss-1", "clinician")):
        engine.add_staff(staff=who, roles=[role], by=by, key=who, **said)
    with pytest.raises(NotAllowedError, match="n-1 may not site on @site/north"):
        engine.open_site("north", zone=NORTH, by="n-1")
    for site in ("north", "south"):
        engine.open_site(site, zone=NORTH, by="boss-1")
    engine.enroll(participant="p", program="weekly", start=START, by="n-1", id="e-1", site="north")
    with pytest.raises(NotAllowedError, match="n-1 may not site"):
        engine.close_days("north", day(2), day(2), "closed", by="n-1", key="c-0", **said)
    assert engine.close_days("north", day(2), day(2), "closed", by="boss-1", key="c-1", **said).replanned
    moving: dict[str, Any] = {
        "enrollment": "e-1",
        "to": "south",
        "on": day(4),
        "why": "moved",
        "key": "t",
        **said,
    }
    with pytest.raises(NotAllowedError, match="n-1 may not transfer on e-1"):
        engine.transfer(by="n-1", **moving)
    engine.transfer(by="boss-1", **moving)
    acts = [(act.kind, act.by) for act in engine.history(enrollment="e-1")]
    assert acts == [
        ("enrolled", "n-1"),
        ("placed", "n-1"),
        ("replanned", "cm-engine"),
        ("transferred", "boss-1"),
    ]


# Many at once


def test_transfers_and_results_at_once_are_all_recorded_and_decided_once(database_url: str) -> None:
    clinic = Clinic(database_url)
    for n in range(4):
        clinic.enroll(f"e-{n}")
    begin = Barrier(8)

    def results(n: int) -> list[str]:
        begin.wait()
        found = []
        for after in (0, 2, 4, 7, 9):
            name = f"r-{n}-{after}"
            done = clinic.engine.record(
                enrollment=f"e-{n}", result="-", on=day(after), by="n", source="desk", key=name
            )
            found.append(done.key)
        return found

    def transfers(n: int) -> list[str]:
        begin.wait()
        done = clinic.engine.transfer(
            enrollment=f"e-{n}", to="south", on=day(3), why="moved", by="b", source="desk", key=f"t-{n}"
        )
        clinic.engine.close_days("south", day(20 + n), day(20 + n), "x", by="b", source="desk", key=f"c-{n}")
        return [done.key]

    with ThreadPoolExecutor(8) as pool:
        told = [*pool.map(lambda n: (results if n < 4 else transfers)(n % 4), range(8))]
    assert sum(map(len, told)) == 24
    for n in range(4):
        assert Counter(clinic.kinds(f"e-{n}"))["observed"] == 5
        assert [award for _, _, award in clinic.awards(f"e-{n}")] == [
            "10.00",
            "15.00",
            "20.00",
            "25.00",
            "30.00",
        ]
    assert clinic.engine.catch_up("south").replanned == ()
    clinic.assert_clean()
    clinic.engine.close()


def test_nobody_who_is_enrolled_while_a_site_is_closed_on_days_misses_it(database_url: str) -> None:
    clinic = Clinic(database_url)
    begin = Barrier(6)

    def act(n: int) -> None:
        begin.wait()
        if n < 3:
            clinic.enroll(f"e-{n}")
        else:
            said = {"by": "b", "source": "s", "key": f"c-{n}"}
            clinic.engine.close_days("north", day(n), day(n), "x", **said)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, range(6)))
    assert [clinic.days(f"e-{n}")[:4] for n in range(3)] == [[0, 2, 6, 7]] * 3
    assert clinic.engine.alerts() == []
    clinic.assert_clean()
    clinic.engine.close()


# The audit


def stored(url: str, enrollment: str) -> tuple[list[RecordRow], str]:
    """The acts of an enrollment, and its state, as they are stored."""
    storage = open_storage(url, {})
    with storage.reading() as tx:
        records, standing = tx.records(enrollment), tx.standing(enrollment)
    storage.close()
    assert standing is not None
    return records, standing.state


def changed(url: str, statement: str, **values: Any) -> None:
    database = create_engine(url)
    with database.begin() as connection:
        triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
        for name in [*triggers]:
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        connection.execute(text(statement), values)
    database.dispose()


def reforged(url: str, enrollment: str, seq: int, body: dict[str, Any]) -> None:
    """Write an act of an enrollment anew, and every hash after it, as who has the database can."""
    records, _ = stored(url, enrollment)
    head = GENESIS
    for record in records:
        told = json.dumps(body, separators=(",", ":")) if record.seq == seq else record.body
        found = record._replace(body=told)
        head = hash_of(found[:-1], head)
        changed(
            url,
            "UPDATE cm_records SET body = :body, hash = :hash WHERE enrollment = :of AND seq = :seq",
            body=told,
            hash=head,
            of=enrollment,
            seq=record.seq,
        )
    changed(url, "UPDATE cm_standings SET head = :head WHERE enrollment = :of", head=head, of=enrollment)


@pytest.fixture
def tampered(tmp_path: Path) -> Clinic:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    clinic.enroll()
    clinic.close(day(2))
    clinic.assert_clean()
    return clinic


def test_a_closure_that_an_enrollment_was_never_told_of_so_is_found(tampered: Clinic, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    reforged(url, "e-1", 2, {"site": "north", "closed": [["2026-01-08", "2026-01-08"]], "as_of": 1})
    [found] = tampered.engine.verify().differences
    assert str(found).startswith(
        "e-1: record 2: it says of site 'north' (None, [['2026-01-08', '2026-01-08']])"
    )


def test_an_act_of_the_site_that_is_not_there_is_found(tampered: Clinic, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    reforged(url, "e-1", 2, {"site": "north", "closed": [["2026-01-07", "2026-01-07"]], "as_of": 7})
    [found] = tampered.engine.verify().differences
    assert str(found) == "e-1: record 2: it follows act 7 of site 'north', which is not there"


def test_another_zone_of_a_site_is_found_where_it_is_and_where_it_was_told(
    tampered: Clinic, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    changed(
        url,
        "UPDATE cm_records SET body = :body WHERE enrollment = '@site/north' AND seq = 0",
        body=json.dumps({"zone": SOUTH}, separators=(",", ":")),
    )
    found = [f"{each.enrollment}: {each.where}" for each in tampered.engine.verify().differences]
    assert found == ["e-1: record 1", "@site/north: record 0"]


# Calendars


def ics(tmp_path: Path, *events: str) -> Path:
    body = "".join(f"BEGIN:VEVENT\n{dedent(each).strip()}\nEND:VEVENT\n" for each in events)
    file = tmp_path / "closed.ics"
    file.write_bytes(
        f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//x//EN\n{body}END:VCALENDAR\n".replace(
            "\n", "\r\n"
        ).encode()
    )
    return file


def spans(closures: list[Closure]) -> list[tuple[str, str, str]]:
    return [(str(first), str(last), why) for first, last, why in closures]


def test_events_of_whole_days_are_closures(tmp_path: Path) -> None:
    file = ics(
        tmp_path,
        "UID:1\nSUMMARY:Winter break\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20270102",
        "UID:2\nSUMMARY:Flood\nDTSTART;VALUE=DATE:20260302",
        "UID:3\nSUMMARY:Course\nDTSTART;VALUE=DATE:20260504\nDURATION:P2D",
        "UID:4\nSUMMARY:Midnights\nDTSTART:20260601T070000Z\nDTEND:20260602T070000Z",
        "UID:5\nSUMMARY:Local\nDTSTART;TZID=America/New_York:20260701T000000\nDTEND;TZID=America/New_York:20260703T000000",
        "UID:6\nSUMMARY:Called off\nSTATUS:CANCELLED\nDTSTART;VALUE=DATE:20260303",
    )
    assert spans(closures_of(file, zone=NORTH)) == [
        ("2026-03-02", "2026-03-02", "Flood"),
        ("2026-05-04", "2026-05-05", "Course"),
        ("2026-06-01", "2026-06-01", "Midnights"),
        ("2026-07-01", "2026-07-02", "Local"),
        ("2026-12-24", "2027-01-01", "Winter break"),
    ]
    kept = closures_of(file, zone=NORTH, years=[2027], but=[date(2027, 1, 1)])
    assert kept == []


def test_events_that_come_again_are_closures_each_time(tmp_path: Path) -> None:
    file = ics(
        tmp_path,
        "UID:1\nSUMMARY:Founding\nDTSTART;VALUE=DATE:20200310\nRRULE:FREQ=YEARLY",
        """
        UID:2
        SUMMARY:Training
        DTSTART;VALUE=DATE:20260105
        RRULE:FREQ=MONTHLY;BYDAY=1MO;UNTIL=20260601
        EXDATE;VALUE=DATE:20260302
        RDATE;VALUE=DATE:20260707
        """,
        "UID:2\nSUMMARY:Training\nRECURRENCE-ID;VALUE=DATE:20260406\nDTSTART;VALUE=DATE:20260408",
        "UID:2\nSUMMARY:Training\nSTATUS:CANCELLED\nRECURRENCE-ID;VALUE=DATE:20260504\nDTSTART;VALUE=DATE:20260504",
    )
    assert spans(closures_of(file, zone=NORTH, years=[2026])) == [
        ("2026-01-05", "2026-01-05", "Training"),
        ("2026-02-02", "2026-02-02", "Training"),
        ("2026-03-10", "2026-03-10", "Founding"),
        ("2026-04-08", "2026-04-08", "Training"),
        ("2026-06-01", "2026-06-01", "Training"),
        ("2026-07-07", "2026-07-07", "Training"),
    ]
    with pytest.raises(ReportError, match="'Founding' is repeated for ever; say of which years"):
        closures_of(file, zone=NORTH)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("UID:1\nSUMMARY:Lunch\nDTSTART:20260302T120000Z\nDTEND:20260302T130000Z", "'Lunch' is no whole day"),
        ("UID:1\nSUMMARY:Now\nDTSTART;TZID=America/New_York:20260302T000000", "'Now' is no whole day"),
        ("UID:1\nSUMMARY:Never", "'Never' has no day"),
        ("UID:1\nSUMMARY:Odd\nDTSTART;VALUE=DATE:20260302\nRRULE:FREQ=SOMETIMES;COUNT=2", "cannot be read"),
    ],
)
def test_an_event_that_is_no_whole_day_is_refused(tmp_path: Path, event: str, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        closures_of(ics(tmp_path, event), zone=NORTH)


def test_a_file_that_is_no_calendar_is_refused(tmp_path: Path) -> None:
    for file in (tmp_path / "missing.ics", tmp_path / "other.ics"):
        with pytest.raises(ReportError, match="cannot be read"):
            closures_of(file, zone=NORTH)
        (tmp_path / "other.ics").write_text("not a calendar", "utf-8")


def test_public_holidays_are_closures_but_for_those_that_are_worked(clinic: Clinic) -> None:
    clinic.enroll()
    new_year = [date(2026, 1, 1), date(2026, 2, 16)]
    done = clinic.engine.add_closures(
        "north", PublicHolidays("US", "CA"), years=[2026], but=new_year, **clinic.said
    )
    closed = {each.first: each.why for each in done.site.closures}
    assert "Cesar Chavez Day" in closed[date(2026, 3, 31)]
    assert closed[date(2026, 1, 19)] == "Martin Luther King Jr. Day"
    assert date(2026, 2, 16) not in closed
    assert done.replanned == ("e-1",)
    with pytest.raises(ReportError, match="say of which years"):
        clinic.engine.add_closures("north", PublicHolidays("US"), **clinic.said)
    with pytest.raises(ReportError, match="no public holidays of US-XX"):
        clinic.engine.add_closures("north", PublicHolidays("US", "XX"), years=[2026], **clinic.said)


def test_what_reads_a_calendar_and_is_not_installed_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "icalendar", None)
    monkeypatch.setitem(sys.modules, "holidays", None)
    for calendar in (tmp_path / "closed.ics", PublicHolidays("US")):
        with pytest.raises(MissingDependencyError, match=r'pip install "cm-engine\[sites\]"'):
            closures_of(calendar, zone=NORTH, years=[2026])


# Funds


def add_fund(clinic: Clinic, name: str, budget: str | None = None, **more: Any) -> None:
    exact = None if budget is None else Decimal(budget)
    clinic.engine.add_fund("north", name, budget=exact, **more, **clinic.said)


def spent(clinic: Clinic, site: str = "north", on: date | None = None) -> dict[str, str]:
    return {each.name: str(each.spent) for each in clinic.engine.funds(site=site, on=on).funds}


def test_sources_pay_in_order_and_the_last_one_all_that_is_left(clinic: Clinic) -> None:
    add_fund(clinic, "grant", "15.00", alert=Decimal("0.5"))
    add_fund(clinic, "county", "12.50")
    add_fund(clinic, "points", "5", unit="point")
    add_fund(clinic, "clinic")
    clinic.enroll()
    for n, after in enumerate((0, 2, 4)):
        clinic.now = NOW + timedelta(n)
        clinic.result("-", day(after))
    assert spent(clinic) == {"grant": "15.00", "county": "12.50", "points": "0", "clinic": "17.50"}
    assert spent(clinic, on=NOW.date()) == {
        "grant": "10.00",
        "county": "0.00",
        "points": "0",
        "clinic": "0.00",
    }
    grant, county, _, rest = clinic.engine.funds(site="north").funds
    assert (grant.left, grant.alerted_at, grant.exhausted_at) == (Decimal(0), NOW, NOW + timedelta(1))
    assert (county.exhausted_at, rest.left, rest.exhausted_at) == (NOW + timedelta(2), None, None)
    assert [(each.fund, each.what) for each in clinic.engine.alerts()] == [
        ("grant", "exhausted"),
        ("county", "exhausted"),
    ]


def test_what_no_source_covers_is_told_and_paid_all_the_same(clinic: Clinic) -> None:
    add_fund(clinic, "grant", "4.00", hard_stop=True)
    clinic.enroll()
    assert clinic.result("-", day(0)).hand_over == {"USD": Decimal("10.00")}
    found = clinic.engine.funds(site="north")
    assert (str(found.funds[0].spent), found.beyond) == ("4.00", {"USD": Decimal("6.00")})
    assert clinic.result("-", day(2)).awards == {"USD": Decimal("15.00")}


def test_a_hard_stop_refuses_new_enrollments_once_all_that_have_one_are_exhausted(clinic: Clinic) -> None:
    add_fund(clinic, "grant", "10.00", hard_stop=True)
    add_fund(clinic, "county", "10.00", hard_stop=True)
    add_fund(clinic, "clinic")
    clinic.enroll()
    clinic.result("-", day(0))
    clinic.enroll("e-2")
    clinic.result("-", day(2))
    with pytest.raises(FundExhaustedError) as caught:
        clinic.enroll("e-3")
    assert caught.value.funds == (("grant", "$10.00", "$10.00"), ("county", "$10.00", "$10.00"))
    assert "fund 'grant' had $10.00, of which $10.00 are spent" in str(caught.value)
    assert {each.what for each in clinic.engine.alerts()} == {"hard stop"}
    assert clinic.enroll("e-2") == "e-2"
    assert clinic.enroll("e-3", site="south") == "e-3"
    clinic.transfer(day(7), to="north", enrollment="e-3")
    assert clinic.result("-", day(7), "e-3").awards == {"USD": Decimal("10.00")}
    add_fund(clinic, "more", "100.00", hard_stop=True)
    assert clinic.enroll("e-4") == "e-4"


def test_a_visit_is_paid_for_by_the_site_of_its_day_whenever_it_is_recorded_or_corrected(
    clinic: Clinic,
) -> None:
    for site in ("north", "south"):
        clinic.engine.add_fund(site, "all", **clinic.said)
    clinic.enroll()
    first = clinic.result("-", day(0))
    clinic.transfer(day(2))
    clinic.result("-", day(2))
    assert (spent(clinic), spent(clinic, "south")) == ({"all": "10.00"}, {"all": "15.00"})
    clinic.engine.amend(enrollment="e-1", record=first.record, result="+", why="confirmed", **clinic.said)
    # what was given for the first visit stays given, and so does 5.00 of the second: the program bears it
    assert (spent(clinic), spent(clinic, "south")) == ({"all": "10.00"}, {"all": "15.00"})


def test_a_deposit_is_no_spending_of_a_fund(clinic: Clinic) -> None:
    deposit = "deposit: {stake: 60, loss: 20}"
    end = "milestones: {end: {says: End, when: {run: 3}, amount: 5, refunds: true}}"
    clinic.engine.add_program(program("staked", rest=f"{deposit}\n{end}"))
    add_fund(clinic, "all")
    clinic.enroll(program="staked")
    paid_in = clinic.engine.record(enrollment="e-1", event="deposit", on=day(0), **clinic.said)
    assert paid_in.awards == {"USD": Decimal("-60.00")}
    for after, result in ((0, "+"), (2, "-"), (4, "-"), (7, "-")):
        clinic.result(result, day(after))
    balance = clinic.engine.balance(enrollment="e-1")["USD"]
    assert (str(balance.in_flight), str(balance.deposit)) == ("90.00", "0.00")
    assert spent(clinic) == {"all": "50.00"}


@given(
    sources=st.lists(
        st.tuples(
            st.sampled_from(["USD", "point"]),
            st.none() | st.integers(1, 40),
            st.sampled_from(["0.5", "0.8", "1"]),
        ),
        max_size=4,
    ),
    moves=st.lists(st.tuples(st.sampled_from(["USD", "point"]), st.integers(-9, 12)), max_size=25),
)
def test_funding_is_what_a_naive_cashier_pays_coin_by_coin(
    sources: list[tuple[str, int | None, str]], moves: list[tuple[str, int]]
) -> None:
    """Every coin is taken from the first source that has one left, and brought back to the last that paid one."""
    given_sources = [
        Source(f"s-{n}", unit, budget, None if budget is None else Decimal(share))
        for n, (unit, budget, share) in enumerate(sources)
    ]
    total, kept = Counter[str](), []
    for unit, amount in moves:
        amount = max(amount, -total[unit])  # noqa: PLW2901 - no more comes back than was paid
        total[unit] += amount
        kept.append((unit, amount))
    found = funding(
        given_sources, [Spending(f"{n:02}", unit, amount) for n, (unit, amount) in enumerate(kept)]
    )
    purses = [0] * len(given_sources)
    loose = Counter[str]()
    alerted, exhausted = [""] * len(purses), [""] * len(purses)
    for n, (unit, amount) in enumerate(kept):
        mine = [i for i, source in enumerate(given_sources) if source.unit == unit]
        for _ in range(amount):
            open_ones = [
                i
                for i in mine
                if given_sources[i].budget is None or purses[i] < (given_sources[i].budget or 0)
            ]
            if open_ones:
                purses[open_ones[0]] += 1
            else:
                loose[unit] += 1
        for _ in range(-amount):
            paid = [i for i in mine if purses[i]]
            if loose[unit]:
                loose[unit] -= 1
            elif paid:
                purses[paid[-1]] -= 1
        for i in mine:
            source = given_sources[i]
            if source.budget is None:
                continue
            reached = Fraction(purses[i], source.budget)
            alerted[i] = (alerted[i] or f"{n:02}") if reached >= Fraction(source.alert or 1) else ""
            exhausted[i] = (exhausted[i] or f"{n:02}") if reached >= 1 else ""
    assert [each.spent for each in found.funds] == purses
    assert [each.alerted_at for each in found.funds] == alerted
    assert [each.exhausted_at for each in found.funds] == exhausted
    assert found.beyond == {unit: left for unit, left in loose.items() if left}


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["-", "-", "-", "+", "amend", "void", "transfer", "close"]),
        st.integers(0, 25),
        st.sampled_from(["e-1", "e-2"]),
    ),
    max_size=14,
)


@settings(max_examples=30)
@given(acts=ACTS, overpaid=st.sampled_from(["absorbed", "offset"]))
def test_all_that_sites_spend_is_what_participants_were_awarded_or_given_too_much(
    acts: list[tuple[str, int, str]], overpaid: str
) -> None:
    """Keeps INV-14 over sites: whatever happens, what funds pay and what nobody covers adds up; and all of it is audited."""
    clinic = Clinic()
    clinic.engine.add_program(program("paid", rest=f"payout: {{when: at once, overpaid: {overpaid}}}"))
    for site in ("north", "south"):
        clinic.engine.add_fund(site, "grant", budget=Decimal(30), **clinic.said)
    for each, site in (("e-1", "north"), ("e-2", "south")):
        clinic.enroll(each, site, program="paid")
    for act, after, enrollment in acts:
        with_errors(clinic, act, after, enrollment)
    outlay = Decimal(0)
    for enrollment in ("e-1", "e-2"):
        for balance in clinic.engine.balance(enrollment=enrollment).values():
            outlay += balance.awarded + balance.absorbed + balance.offset
    told = [clinic.engine.funds(site=site) for site in ("north", "south")]
    paid = sum((fund.spent for each in told for fund in each.funds), Decimal(0))
    assert paid + sum((left for each in told for left in each.beyond.values()), Decimal(0)) == outlay
    clinic.assert_clean()
    clinic.engine.close()


def with_errors(clinic: Clinic, act: str, after: int, enrollment: str) -> None:
    """Do something that may be refused."""
    history = [
        each.record for each in clinic.engine.history(enrollment=enrollment) if each.kind == "observed"
    ]
    try:
        match act:
            case "close":
                clinic.close(day(after), day(after + 1), site=("north", "south")[after % 2])
            case "transfer":
                clinic.transfer(day(after), ("north", "south")[after % 2], enrollment)
            case "amend" | "void" if not history:
                pass
            case "amend":
                clinic.engine.amend(
                    enrollment=enrollment,
                    record=history[after % len(history)],
                    result="+",
                    why="x",
                    **clinic.said,
                )
            case "void":
                clinic.engine.void(
                    enrollment=enrollment, record=history[after % len(history)], why="x", **clinic.said
                )
            case result:
                clinic.result(result, day(after), enrollment)
    except (ReportError, LookupError):
        pass


# The command line


def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, *words: str) -> tuple[int, str]:
    """Run a command on a database; return its status and all that it printed."""
    sys.argv = ["cm-engine", *words, "--db", f"sqlite:///{tmp_path / 'clinic.db'}"]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out + printed.err


SAID = ("--source", "office", "--by", "boss-1", "--key")


def test_sites_are_kept_from_the_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [])

    def done(*words: str) -> str:
        status, printed = run(capsys, tmp_path, *words)
        assert status == 0, printed
        return printed

    def data(*words: str) -> Any:
        return json.loads(done(*words, "--json"))

    file = tmp_path / "weekly.json"
    file.write_text(program().model_dump_json(exclude_defaults=True), "utf-8")
    assert (
        done("site", "open", "north", "--zone", NORTH, "--by", "boss-1")
        == f"Site north is open, in {NORTH}.\n"
    )
    assert data("site", "open", "south", "--zone", SOUTH, "--by", "boss-1")["zone"] == SOUTH
    who = ("--participant", "p-1", "--id", "e-1", "--start", "2026-01-05", "--by", "n-1")
    assert "America/Los_Angeles" in done("enroll", "--program", str(file), *who, "--site", "north")
    closing = ("site", "close-days", "north", "--first", "2026-01-07", "--why", "flood", *SAID, "c-1")
    assert done(*closing) == "Site north is closed on 1 day.\n1 enrollment planned anew\n"
    again = data(*closing)
    assert (again["replayed"], again["replanned"], again["refused"]) == (True, [], [])
    calendar = ics(tmp_path, "UID:1\nSUMMARY:Break\nDTSTART;VALUE=DATE:20260112\nDTEND;VALUE=DATE:20260115")
    added = data("site", "closures", "north", str(calendar), "--but", "2026-01-13", *SAID, "c-2")
    assert [each["first"] for each in added["site"]["closures"]] == ["2026-01-07", "2026-01-12", "2026-01-14"]
    holidays = ("site", "closures", "south", "--country", "US-CA", "--year", "2026", *SAID, "c-3")
    assert "Site south is closed on" in done(*holidays)
    opening = ("site", "open-days", "north", "--first", "2026-01-12", "--why", "open", *SAID, "c-4")
    assert "Site north is closed on 2 days." in done(*opening)
    assert data("site", "catch-up", "north")["replanned"] == []
    funding = (
        "site",
        "fund",
        "north",
        "grant",
        "--budget",
        "12.50",
        "--alert",
        "0.8",
        "--hard-stop",
        *SAID,
        "f-1",
    )
    assert "Paid by grant: $12.50, tells at 80%, then nobody is enrolled any more" in done(*funding)
    assert data("site", "fund", "north", "clinic", *SAID, "f-2")["funds"][1]["budget"] is None
    assert "Handed over by cash" in done("site", "gateway", "north", "cash", *SAID, "g-1")
    done("record", "e-1", "--result=-", "--on", "2026-01-05", *SAID, "r-1")
    assert "grant" in done("site", "funds", "north")
    [grant, _] = data("site", "funds", "north")["funds"]
    assert (grant["spent"], grant["left"], grant["exhausted_at"]) == ("10.00", "2.50", None)
    assert "$10.00 of the $12.50 of fund 'grant' are spent" in done("site", "show")
    [shown] = data("site", "show", "north")["alerts"]
    assert (shown["what"], shown["fund"]) == ("alert", "grant")
    moving = (
        "site",
        "transfer",
        "e-1",
        "--to",
        "south",
        "--on",
        "2026-01-12",
        "--why",
        "moved",
        *SAID,
        "t-1",
    )
    assert "Transferred as record 6 of e-1" in done(*moving)
    told = done("history", "e-1")
    assert "placed at north, 2026-01-05" in told
    assert "replanned by the closures of north" in told
    assert "transferred to south, 2026-01-12: moved" in told
    assert [each["enrollment"] for each in data("enrollments", "--site", "south")["enrollments"]] == ["e-1"]
    assert data("expected", "--site", "north", "--on", "2026-01-14")["visits"] == []
    assert data("questions", "--site", "south")["questions"] == []
    assert "takes no new" in done("site", "close", "north", "--why", "it moves", *SAID, "s-9")
    status, printed = run(
        capsys,
        tmp_path,
        "enroll",
        "--program",
        str(file),
        "--participant",
        "p-2",
        *who[4:],
        "--site",
        "north",
    )
    assert (status, printed) == (
        2,
        "site 'north' takes no new enrollments: it is closed for new enrollments; nothing is changed\n",
    )
    both = ("site", "closures", "north", str(calendar), "--country", "US", *SAID, "c-5")
    assert run(capsys, tmp_path, *both) == (2, "say one of both: a file, or --country\n")
    assert "no difference" in done("verify")
