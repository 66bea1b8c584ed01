"""What one kind of act leaves behind, met by another: versions, shared pools, bowls, and the course of an episode."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cm_engine import Engine, Program, Recorded, ReportError, parse_program

START = date(2026, 1, 5)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
GRANT = {"amount": 30, "per": "calendar year", "crossing": "truncate", "fund": "grant-a"}
OTHER = {**GRANT, "fund": "grant-b", "amount": 25}
WINDOWS: dict[str, Any] = {"windows": {"after": 1}}


def program(version: int, amount: int = 10, weeks: str = "1-4", **rest: Any) -> Program:
    """Two visits a week that pay the same each time."""
    schedule = [{"weeks": weeks, "fixed": amount}]
    head = {"program": "p", "version": str(version), "title": "P", "currency": "USD"}
    plan = {"visits": [{"weeks": weeks, "per_week": 2}]}
    targets = {"targets": {"tests": {"behavior": "abstinence", "schedule": schedule}}}
    return parse_program(json.dumps({**head, **plan, **targets, **rest}))


def on(visit: int) -> date:
    """The planned day of a visit, two a week, from 0."""
    return START + timedelta(days=7 * (visit // 2) + 3 * (visit % 2))


class Desk:
    """Two enrollments in version 1, and keys by themselves."""

    def __init__(self, *programs: Program, url: str = "memory:") -> None:
        self.url, self.keys = url, 0
        self.engine = self.anew()
        for each in programs:
            self.engine.add_program(each)
        for name in ("anna", "bert"):
            self.engine.enroll(participant=name, program="p@1", start=START, by="nurse", id=name)

    def anew(self) -> Engine:
        return Engine.open(self.url, zone="America/Los_Angeles", secret=bytes(range(32)), clock=lambda: NOW)

    def act(self, kind: str, who: str = "anna", engine: Engine | None = None, **more: Any) -> Recorded:
        self.keys += 1
        by = {"enrollment": who, "source": "desk", "key": f"{self.keys}", "by": "nurse"}
        done: Recorded = getattr(engine or self.engine, kind)(**by, **more)
        return done

    def met(self, visit: int, who: str = "anna", engine: Engine | None = None) -> Mapping[str, Any]:
        done = self.act("record", who, engine, result="-", on=on(visit))
        return {unit: str(amount) for unit, amount in done.awards.items()}

    def migrate(self, version: int, visit: int) -> None:
        self.act("migrate", program=f"p@{version}", on=on(visit), why="new rates")

    def audit(self) -> None:
        found = self.engine.verify()
        assert found.is_clean, [str(each) for each in found.differences]


def test_what_others_received_counts_for_the_pools_of_the_version_that_an_enrollment_moves_to() -> None:
    desk = Desk(program(1), program(2, limits=[GRANT]), program(3, limits=[OTHER]))
    desk.engine.enroll(participant="cleo", program="p@2", start=START, by="nurse", id="cleo")
    assert [desk.met(visit, "cleo") for visit in range(2)] == [{"USD": "10.00"}] * 2
    desk.met(0)
    desk.migrate(2, 0)
    assert desk.met(1) == {"USD": "0.00"}
    desk.migrate(3, 2)
    desk.audit()
    assert [desk.met(visit) for visit in (2, 3)] == [{"USD": "10.00"}, {"USD": "5.00"}]
    desk.audit()


def test_the_pools_of_the_version_before_keep_what_they_received_and_bind_what_comes_late() -> None:
    desk = Desk(program(1, limits=[GRANT]), program(2))
    assert [desk.met(visit, "bert") for visit in range(3)] == [{"USD": "10.00"}] * 3
    desk.migrate(2, 2)
    desk.audit()
    assert desk.met(0) == {"USD": "0.00"}
    assert desk.met(2) == {"USD": "10.00"}
    desk.audit()


@pytest.mark.parametrize("version", [program(2), program(2, weeks="1-2", **WINDOWS)], ids=["none", "fewer"])
def test_what_was_told_of_the_plan_before_a_version_stands_whatever_that_version_plans(
    version: Program,
) -> None:
    desk = Desk(program(1, **WINDOWS), version)
    desk.met(0)
    desk.act("reschedule", visit=6, to=on(5) + timedelta(days=1), why="a trip")
    desk.act("pause", on=on(7), why="a stay")
    desk.migrate(2, 2)
    desk.met(2)
    assert desk.met(1) == {"USD": "10.00"}
    desk.act("void", record=1, why="another person's")
    desk.audit()


def test_an_enrollment_that_moved_and_moved_back_takes_late_results_in_every_process(tmp_path: Path) -> None:
    desk = Desk(program(1), program(2, amount=12), url=f"sqlite:///{tmp_path / 'clinic.db'}")
    desk.met(0)
    desk.migrate(2, 1)
    desk.migrate(1, 3)
    desk.met(3)
    with desk.anew() as other:
        assert desk.met(1, engine=other) == {"USD": "12.00"}
    assert desk.met(2) == {"USD": "12.00"}
    desk.audit()


def test_nobody_moves_to_a_version_that_draws_prizes_without_a_seed_committed_to_at_enrollment() -> None:
    bowl = {"draw": {"slips": {"good-job": {"count": 1, "value": 0}, "small": {"count": 3, "value": 1}}}}
    targets = {
        "tests": {"behavior": "abstinence", "schedule": [{"weeks": "1-4", "unit": "draw", "fixed": 2}]}
    }
    desk = Desk(program(1), program(2, bowls=bowl, targets=targets))
    with pytest.raises(ReportError, match=r"p@2 draws prizes, and no seed was committed to"):
        desk.migrate(2, 1)
    assert desk.met(1) == {"USD": "10.00"}
    desk.audit()


def test_a_result_of_one_version_never_counts_for_a_visit_of_the_version_before() -> None:
    desk, tuesday = (
        Desk(program(1, windows={"after": 2, "specimens": "last"}), program(2)),
        on(0) + timedelta(1),
    )
    assert desk.met(0) == {"USD": "10.00"}
    desk.act("migrate", program="p@2", on=tuesday, why="new rates")
    desk.act("record", result="-", on=tuesday)
    desk.act("amend", record=3, result="+", why="the laboratory")
    assert desk.engine.balance(enrollment="anna")["USD"].awarded == 10
    desk.audit()
