"""A case that says days is decided as a database decides the same results, or refused with the day that differs."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from cm_engine import Engine, Program, parse_program
from cm_engine.cases import observation as observed
from cm_engine.cases import run_case
from cm_engine.dated import taken_otherwise
from cm_engine.errors import PlanExceededError
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
    return [what for _, what in taken_otherwise(program, case.start, decided)]


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
        ("after: 1", '{result: "-", on: 2026-01-07, conditions: [rescheduled]}', ""),
        (
            "after: 1", '{result: "-", on: 2026-01-21, conditions: [rescheduled]}',
            "visit 1 stays before visit 2, of 2026-01-08, and cannot be put off to 2026-01-21; put that one off, too",
        ),
        (
            "after: 1", '{result: "-", on: 2026-01-06}, {result: "-", on: 2026-01-06, conditions: [rescheduled]}',
            "",
        ),
    ],
)  # fmt: skip
def test_a_day_that_a_database_takes_otherwise_is_told_with_what_to_write(
    windows: str, seen: str, said: str
) -> None:
    found = elsewhere(program(seen, windows))
    assert [each.startswith(said) for each in found] == ([True] if said else [])


SEVERAL = """
program: dated
version: "1"
title: Dated
currency: USD
visits: [{{weeks: 1-2, per_week: {often}}}]
windows: {{{windows}}}
targets:
  urine: {{behavior: abstinence, schedule: [{{weeks: 1-2, fixed: 1}}]}}
  talk: {{behavior: attendance, schedule: [{{weeks: 1-2, fixed: 1}}]}}
milestones: {{m: {{says: Two in a row, when: {{run: 2}}, amount: 10, repeats: true}}}}
cases:
- {{name: some, start: 2026-01-05, observations: [{seen}], total: 0}}
"""


def swept_every_day(program: Program) -> dict[tuple[str, int], tuple[str, Mapping[str, Decimal]]]:
    """Return how a database decides a case in which somebody says each morning that the day before is over."""
    now = [datetime(2026, 1, 1, 20, tzinfo=UTC)]
    engine, case = Engine.open("memory:", zone="UTC", clock=lambda: now[0]), program.cases[0]
    engine.add_program(program)
    enrolled = engine.enroll(participant="p", program="dated", start=MONDAY, by="me").id
    several = decided_apart(program)
    for visit, day in several.put_off.items():
        engine.reschedule(
            enrollment=enrolled, target=visit[0], visit=visit[1], to=day, why="said so",
            source="s", key=f"{visit}", by="me",
        )  # fmt: skip
    for number, seen in enumerate(map(observed, case.observations)):
        assert seen.on is not None
        now[0] = datetime(seen.on.year, seen.on.month, seen.on.day, 20, tzinfo=UTC)
        engine.sweep(enrollment=enrolled)
        engine.record(
            enrollment=enrolled, target=seen.target, result=seen.outcome, on=seen.on, evidence=seen.evidence,
            source="s", key=str(number), by="me",
        )  # fmt: skip
    visits = engine.visits(enrollment=enrolled, on=now[0].date())
    return {
        (each.target, each.number): (each.decision.outcome, each.decision.awards)
        for each in visits
        if each.decision is not None and (each.target, each.number) in several.written
    }


class Several(NamedTuple):
    """How a case of several targets is decided by itself, and which of its visits are put off."""

    written: dict[tuple[str, int], tuple[str, Mapping[str, Decimal]]]
    put_off: dict[tuple[str, int], date]


def decided_apart(program: Program) -> Several:
    """Return how a case is decided by itself, and the visits that it says were put off to another day."""
    case, rules = program.cases[0], compile_rules(program)
    decided = run_case(program, case).decisions
    pairs = list(zip(map(observed, case.observations), decided, strict=True))
    put_off = {}
    for seen, decision in pairs:
        visit = rules.target(decision.target).visits[decision.visit - 1]
        planned = MONDAY + timedelta(days=visit.days[0])
        if seen.on and seen.evidence and not planned <= seen.on <= planned + timedelta(days=1):
            put_off[decision.target, decision.visit] = seen.on
    return Several({(each.target, each.visit): (each.outcome, each.awards) for each in decided}, put_off)


@st.composite
def of_several(draw: st.DrawFn) -> Program:
    """Draw a case of two targets whose days go on from one to the next, some of them put off."""
    day, seen = MONDAY, []
    for _ in range(draw(st.integers(2, 4))):
        target, word = draw(st.sampled_from(["urine", "urine", "talk"])), draw(st.sampled_from("-----+oe"))
        put_off = ", conditions: [rescheduled]" if draw(st.integers(0, 4)) == 0 else ""
        seen.append(f'{{target: {target}, result: "{word}", on: {day}{put_off}}}')
        day += timedelta(days=draw(st.sampled_from([0, 3, 3, 4])))
    windows = f"after: 1, grace: {draw(st.integers(0, 1))}"
    return parse_program(SEVERAL.format(often=draw(st.integers(1, 2)), windows=windows, seen=", ".join(seen)))


@settings(max_examples=120)
@given(of_several())
def test_a_case_of_several_targets_whose_days_are_accepted_is_decided_as_a_database_decides_it(
    program: Program,
) -> None:
    try:
        said = elsewhere(program)
    except PlanExceededError:
        event("more than planned")
        return
    event("refused" if said else "accepted")
    if not said:
        assert swept_every_day(program) == decided_apart(program).written


def test_a_visit_of_another_target_that_nobody_wrote_is_told_where_it_changes_what_is_paid() -> None:
    urine = '{target: urine, result: "-", on: 2026-01-0%d}'
    unwritten = f"{urine % 5}, {urine % 8}"
    [said] = elsewhere(parse_program(SEVERAL.format(often=2, windows="after: 1", seen=unwritten)))
    assert said == (
        "by 2026-01-08 visit 1 of talk is over, and this comes to something else with it; write what was seen of it "
        "before, or the result o on 2026-01-06"
    )
    apart = SEVERAL.replace("when: {{run: 2}}", "when: {{run: 2, targets: [urine]}}")
    assert elsewhere(parse_program(apart.format(often=2, windows="after: 1", seen=unwritten))) == []
