"""What is done for all enrollments is done for all, whatever one of them meets, and who it was not done for is told at the end."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from cm_engine import Engine, parse_program
from cm_engine.acts.recorded import Recorded
from cm_engine.errors import NotAllowedError, ReportError, SomeFailedError, StorageBusyError
from cm_engine.facade.opened import Opened

PROGRAM = """
program: fridays
version: "1"
title: Fridays
currency: USD
visits: [{weeks: 1-4, days: [monday, thursday]}]
windows: {before: 0, after: 0, grace: 1}
targets: {stimulants: {behavior: abstinence, schedule: [{weeks: 1-4, fixed: 10.00}]}}
payout: {when: set days, days: [friday], expires_after: 5}
"""
START = date(2026, 1, 5)


@pytest.fixture
def engine() -> Engine:
    now = [datetime(2026, 1, 5, 20, tzinfo=UTC)]
    made = Engine.open("memory:", zone="America/Los_Angeles", clock=lambda: now[0])
    made.add_program(parse_program(PROGRAM))
    for who in ("a", "b", "c"):
        made.enroll(participant=f"p-{who}", program="fridays", start=START, by="nurse", id=f"e-{who}")
        made.record(enrollment=f"e-{who}", result="-", on=START, source="desk", key=who, by="nurse")
    now[0] = datetime(2026, 1, 10, 20, tzinfo=UTC)
    return made


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Have the act on the second enrollment fail."""
    recorded = Opened._recorded  # noqa: SLF001 - the one place that all acts pass

    def failed(self: Any, act: Any) -> Recorded:
        if act.enrollment == "e-b":
            raise error
        return recorded(self, act)

    monkeypatch.setattr(Opened, "_recorded", failed)


ACTS: dict[str, Callable[[Engine], list[Recorded]]] = {
    "sweep": lambda engine: engine.sweep(),
    "pay_due": lambda engine: engine.pay_due(),
}


@pytest.mark.parametrize("act", ACTS)
def test_an_enrollment_that_raises_stands_in_the_way_of_no_other_and_is_listed_at_the_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    with monkeypatch.context() as patched:
        failing(patched, ReportError("it is damaged"))
        with pytest.raises(SomeFailedError, match="1 of the enrollments could not be gone on with") as error:
            ACTS[act](engine)
    assert error.value.failures == (("e-b", "it is damaged"),)
    done: list[Any] = list(error.value.done)
    assert [each.enrollment for each in done] == ["e-a", "e-c"]
    assert [each.enrollment for each in ACTS[act](engine)] == ["e-b"]
    assert engine.verify().is_clean


def test_one_whose_log_cannot_be_read_stands_in_the_way_of_no_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing = engine._register.stand  # noqa: SLF001 - where a damaged row shows

    def damaged(tx: Any, row: Any) -> Any:
        if row.enrollment == "e-a":
            raise KeyError
        return standing(tx, row)

    with monkeypatch.context() as patched:
        patched.setattr(engine._register, "stand", damaged)  # noqa: SLF001
        for act in ACTS.values():
            with pytest.raises(SomeFailedError) as error:
                act(engine)
            assert error.value.failures == (("e-a", "KeyError"),)
            assert len(error.value.done) == 2


def test_of_one_enrollment_what_it_meets_is_raised_as_it_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, ReportError("it is damaged"))
    for act in (engine.sweep, engine.pay_due):
        with pytest.raises(ReportError, match="it is damaged"):
            act(enrollment="e-b")


@pytest.mark.parametrize("error", [StorageBusyError(1), NotAllowedError("x", "sweep", "e-b", "right", "no")])
def test_a_storage_that_fails_and_somebody_who_may_not_end_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failing(monkeypatch, error)
    with pytest.raises(type(error)):
        engine.pay_due()


def test_a_task_that_could_not_do_all_is_tried_again_and_tells_nobodys_name(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, ReportError("it is damaged"))
    ran = {each.name: each.failed for each in engine.run_due()}
    assert (ran["sweep"], ran["pay"], ran["alerts"]) == ("SomeFailedError", "SomeFailedError", "")
    assert [each.note for each in engine.tasks() if each.note] == ["SomeFailedError", "SomeFailedError"]
