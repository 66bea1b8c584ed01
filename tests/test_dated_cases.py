"""A case that says days is decided as a database decides the same results, or refused with the day that differs."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from cm_engine import Engine, Program, parse_program
from cm_engine.cases import observation as observed
from cm_engine.cases import outside_windows, run_case
from cm_engine.rules.compiled import compile_rules

PROGRAM = """
program: dated
version: "1"
title: Dated
currency: USD
visits: [{{weeks: 1-3, days: [{days}]}}]
windows: {{{windows}}}
targets:
  tests:
    behavior: abstinence
    {reads}schedule: [{{weeks: 1-3, escalate: {{start: 10, step: 1}}, reset: {{}}}}]
cases:
- {{name: some, start: {start}, observations: [{seen}], total: 0}}
"""
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
MONDAY = date(2026, 1, 5)


def program(
    seen: str, windows: str, days: str = "monday, thursday", start: date = MONDAY, reads: str = ""
) -> Program:
    """Return a program with one case."""
    return parse_program(PROGRAM.format(days=days, windows=windows, start=start, seen=seen, reads=reads))


def by_visit(decided: Iterable[tuple[int, str, Mapping[str, Decimal]]]) -> dict[int, tuple[str, Decimal]]:
    """Return what each visit is read as, and what it pays."""
    return {visit: (outcome, sum(awards.values(), Decimal(0))) for visit, outcome, awards in decided if visit}


def in_a_database(program: Program) -> dict[int, tuple[str, Decimal]]:
    """Return how a database decides the visits of the case, each result recorded in its turn."""
    case, engine = program.cases[0], Engine.open("memory:", zone="UTC", clock=lambda: JUNE)
    engine.add_program(program)
    enrolled = engine.enroll(participant="p", program="dated", start=case.start or MONDAY, by="me").id
    for number, seen in enumerate(map(observed, case.observations)):
        engine.record(
            enrollment=enrolled, result=seen.outcome, on=seen.on, evidence=seen.evidence,
            source="s", key=str(number), by="me",
        )  # fmt: skip
    lines = engine.statement(enrollment=enrolled).lines
    came = [each for each in lines if each.outcome not in {"unplaced", "not counted"}]
    return by_visit((each.visit, each.outcome, each.awards) for each in came)


def as_written(program: Program) -> dict[int, tuple[str, Decimal]]:
    """Return how the case is decided by itself."""
    return by_visit(
        (each.visit, each.outcome, each.awards) for each in run_case(program, program.cases[0]).decisions
    )


def elsewhere(program: Program) -> list[str]:
    """Return what is said of days of the case that are of another visit."""
    case = program.cases[0]
    decided = zip(map(observed, case.observations), run_case(program, case).decisions, strict=True)
    return [what for _, what in outside_windows(program, case.start, decided)]


@st.composite
def dated(draw: st.DrawFn) -> Program:
    """Draw a case whose days are mostly some of the visit that they are of."""
    days = draw(st.sampled_from(["monday", "monday, thursday", "monday, wednesday, friday"]))
    before, after, makeup = (draw(st.integers(0, 3)) for _ in range(3))
    around = draw(st.sampled_from(["within: week", f"before: {before}, after: {after}"]))
    windows = f"{around}, makeup: {makeup}, apart: {draw(st.integers(0, 3))}"
    start = MONDAY + timedelta(days=draw(st.integers(0, 6)))
    reads = draw(st.sampled_from(["", "reads: {makeup: missed}\n    "]))
    target = compile_rules(program("{result: o}", windows, days, start)).targets[0]
    results, last = [], start
    for visit in target.visits[: draw(st.integers(2, 4))]:
        planned = start + timedelta(days=visit.days[start.weekday()])
        last = max(last, planned + timedelta(days=draw(st.integers(-3, 5))))
        word, made_good = draw(st.sampled_from("--+oe")), draw(st.booleans())
        results.append(f'{{result: "{word}", on: {last}{", conditions: [makeup]" if made_good else ""}}}')
    return program(", ".join(results), windows, days, start, reads)


@settings(max_examples=120)
@given(dated())
def test_a_case_whose_days_are_accepted_is_decided_as_a_database_decides_it(program: Program) -> None:
    said = elsewhere(program)
    event("refused" if said else "accepted")
    if not said:
        assert in_a_database(program) == as_written(program)


@pytest.mark.parametrize(
    ("windows", "seen", "said"),
    [
        ("before: 3, after: 1", '{result: "-", on: 2026-01-05}, {result: "-", on: 2026-01-06}', ""),
        (
            "before: 3, after: 1, apart: 2", '{result: "-", on: 2026-01-05}, {result: "-", on: 2026-01-06}',
            "2026-01-06 is taken for one more result of the visit before, 1, and not for visit 2",
        ),
        (
            "within: week",
            '{result: "-", on: 2026-01-09}, {result: "-", on: 2026-01-09}',
            "2026-01-09 is taken for one more result of the visit before, 1",
        ),
        (
            "after: 1, makeup: 1", '{result: "-", on: 2026-01-07}',
            "2026-01-07 makes visit 1 good, as it comes after 2026-01-06; write conditions: [makeup] beside it",
        ),
        ("after: 1, makeup: 1", '{result: "-", on: 2026-01-07, conditions: [makeup]}', ""),
        ("after: 1", '{result: "-", on: 2026-01-21, conditions: [rescheduled]}', ""),
    ],
)  # fmt: skip
def test_a_day_that_a_database_takes_otherwise_is_told_with_what_to_write(
    windows: str, seen: str, said: str
) -> None:
    found = elsewhere(program(seen, windows))
    assert [each.startswith(said) for each in found] == ([True] if said else [])
