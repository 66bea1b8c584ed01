"""What `step` refuses, and what it holds against days that go wrong."""

import json
from datetime import UTC, date, datetime
from decimal import localcontext

import pytest

from cm_engine import (
    Observation,
    PlanExceededError,
    ProgramNotFoundError,
    ResultsError,
    StateError,
    UndatedError,
    catalogue,
    compile_rules,
    decide,
    digest,
    dump_state,
    forecast,
    initial_state,
    load_program,
    load_state,
    parse_program,
    step,
)
from cm_engine.rules.reasons import Next

CALIFORNIA = compile_rules(catalogue.program("california-recovery-incentives"))
VA = compile_rules(catalogue.program("va-prize"))
MONDAY = date(2026, 1, 5)
LIMITED = catalogue.source("va-prize").replace(
    "cases:", "limits:\n  - {amount: 3, unit: draw, per: calendar year, crossing: truncate}\ncases:"
)


def limited_to_three_draws_a_year() -> str:
    return LIMITED.partition("cases:")[0]


def test_a_state_of_another_program_is_refused() -> None:
    state, _ = step(CALIFORNIA, initial_state(CALIFORNIA), Observation("-"))
    with pytest.raises(StateError) as caught:
        step(VA, state, Observation("-"))
    assert (caught.value.found, caught.value.expected) == (CALIFORNIA.digest, VA.digest)


def test_a_stored_state_of_another_program_is_refused() -> None:
    with pytest.raises(StateError):
        load_state(VA, dump_state(initial_state(CALIFORNIA)))


def test_a_visit_beyond_the_plan_is_refused() -> None:
    state = decide(VA.program, "-" * 24).state
    with pytest.raises(PlanExceededError, match="25 results, but the plan has 24 visits"):
        step(VA, state, Observation("-"))


def test_an_unknown_outcome_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ResultsError, match="result 1 is 'x'; expected - met, "):
        step(VA, initial_state(VA), Observation("x"))


@pytest.mark.parametrize("outcome", ["", "--"])
def test_an_observation_is_one_result(outcome: str) -> None:
    with pytest.raises(ResultsError, match="expected one result, got"):
        step(VA, initial_state(VA), Observation(outcome))


def test_a_day_before_the_last_visit_is_refused_so_that_no_limit_opens_again() -> None:
    state, _ = step(VA, initial_state(VA, MONDAY), Observation("-"))
    with pytest.raises(
        ResultsError, match="visit 2 is on 2025-01-08, before what was decided last, on 2026-01-05"
    ):
        step(VA, state, Observation("-", date(2025, 1, 8)))


def test_a_day_between_the_start_and_the_last_visit_is_refused() -> None:
    state, _ = step(VA, initial_state(VA, MONDAY), Observation("-", date(2026, 1, 9)))
    with pytest.raises(
        ResultsError, match="visit 2 is on 2026-01-08, before what was decided last, on 2026-01-09"
    ):
        step(VA, state, Observation("-", date(2026, 1, 8)))


def test_a_limit_that_is_met_exactly_takes_nothing_and_is_not_named() -> None:
    decisions = decide(parse_program(limited_to_three_draws_a_year()), "---").decisions
    assert [reason.code for reason in decisions[1].reasons] == ["earned", "next"]
    assert [reason.code for reason in decisions[2].reasons] == ["earned", "limited", "next"]


def test_a_day_before_the_start_is_refused() -> None:
    with pytest.raises(ResultsError, match="visit 1 is on 2026-01-04, before the start on 2026-01-05"):
        step(VA, initial_state(VA, MONDAY), Observation("-", date(2026, 1, 4)))


def test_a_late_visit_moves_the_day_of_the_next_one_and_not_back() -> None:
    late = date(2026, 1, 20)
    state, _ = step(VA, initial_state(VA, MONDAY), Observation("-", late))
    _, decision = step(VA, state, Observation("-"))
    assert decision.on == late


@pytest.mark.parametrize("moment", [datetime(2026, 1, 5, 9, tzinfo=UTC), "2026-01-05"])
def test_a_day_that_is_no_plain_date_is_refused(moment: date) -> None:
    with pytest.raises(TypeError, match="expected a date without a time"):
        initial_state(VA, moment)
    with pytest.raises(TypeError, match="expected a date without a time"):
        step(VA, initial_state(VA, MONDAY), Observation("-", moment))


def test_a_limit_of_a_calendar_year_opens_again_with_the_new_year() -> None:
    program = parse_program(limited_to_three_draws_a_year())
    paid = [
        decision.awards["draw"] for decision in decide(program, "------", start=date(2025, 12, 22)).decisions
    ]
    assert paid == [1, 2, 0, 3, 0, 0]
    undated = [decision.awards["draw"] for decision in decide(program, "------").decisions]
    assert undated == [1, 2, 0, 0, 0, 0]


def test_the_forecast_before_the_new_year_knows_that_the_limit_opens_again() -> None:
    program = parse_program(limited_to_three_draws_a_year())
    decisions = decide(program, "---", start=date(2025, 12, 22)).decisions
    assert decisions[1].sentence.endswith("Next negative: nothing, as a limit does not leave enough.")
    assert decisions[2].sentence.endswith(
        "is reached, so nothing can be paid. Next negative: 3 draws, all that a limit leaves."
    )


def test_a_limit_that_changes_on_a_date_needs_a_start() -> None:
    text = limited_to_three_draws_a_year().replace("amount: 3,", "amount: {before: 3, 2026-02-02: 9},")
    program = parse_program(text)
    with pytest.raises(UndatedError):
        decide(program, "-")
    paid = [decision.awards["draw"] for decision in decide(program, "-" * 12, start=MONDAY).decisions]
    assert paid == [1, 2, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0]


def test_the_forecast_of_a_new_timeline_is_the_first_reward() -> None:
    promised = forecast(CALIFORNIA, initial_state(CALIFORNIA))
    assert isinstance(promised, Next)
    assert (promised.unit.name, promised.amount) == ("USD", 1000)


def test_visits_on_weekdays_fall_on_them_whatever_the_day_of_the_start() -> None:
    program = catalogue.program("higgins-1994-voucher")
    for start, expected in [
        (date(2026, 1, 5), [5, 7, 9, 12, 14, 16]),
        (date(2026, 1, 7), [7, 9, 12, 14, 16, 19]),
        (date(2026, 1, 11), [12, 14, 16, 19, 21, 23]),
    ]:
        decisions = decide(program, "-" * 6, start=start).decisions
        assert [decision.on.day for decision in decisions if decision.on] == expected


def test_the_day_that_a_visit_counts_for_decides_the_year_of_its_award() -> None:
    rules = compile_rules(parse_program(limited_to_three_draws_a_year()))
    state = decide(rules.program, "--", start=date(2025, 12, 22)).state
    _, planned = step(rules, state, Observation("-"))
    _, late = step(rules, state, Observation("-", date(2026, 1, 2)))
    assert [planned.awards["draw"], late.awards["draw"]] == [0, 3]


def test_a_day_in_a_timeline_without_dates_is_refused() -> None:
    with pytest.raises(ResultsError, match="in a timeline without dates; begin it with a start"):
        step(VA, initial_state(VA), Observation("-", MONDAY))


def test_a_start_that_leaves_no_days_for_the_plan_is_refused() -> None:
    with pytest.raises(ResultsError, match="leaves no days for the plan"):
        initial_state(VA, date(9999, 12, 30))


def test_amounts_do_not_depend_on_the_decimal_context_of_the_host() -> None:
    text = catalogue.source("california-recovery-incentives")
    with localcontext() as context:
        context.prec = 3
        program = parse_program(text)
        totals = decide(program, "-" * 36).totals
    assert str(totals["USD"]) == "599.00"
    assert digest(program) == CALIFORNIA.digest


def test_a_file_that_is_not_there_is_not_found() -> None:
    with pytest.raises(ProgramNotFoundError, match="no such file"):
        load_program("absent.yaml")


def test_a_phase_carries_on_from_one_without_visits_and_not_from_what_lies_before_it() -> None:
    climbing = {"escalate": {"start": 0, "step": 1}}
    document = {
        "program": "gap",
        "version": "1",
        "title": "Gap",
        "currency": "USD",
        "visits": [{"weeks": week, "per_week": week % 2} for week in (1, 2, 3)],
        "targets": {
            "t": {
                "behavior": "task",
                "schedule": [
                    {"weeks": 1, "fixed": 5},
                    {"weeks": 2, **climbing},
                    {"weeks": 3, **climbing, "carry": True},
                ],
            }
        },
    }
    decisions = decide(parse_program(json.dumps(document)), "--").decisions
    assert [decision.awards["USD"] for decision in decisions] == [5, 0]
