"""`step` against a second, independent and deliberately naive reading of the rules."""

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from cm_engine import catalogue, decide
from tests.oracle import Phase, Schedule, expected
from tests.programs import plain_phase, program_of, schedules, words


@given(st.data(), schedules())
@settings(max_examples=2500)
def test_step_agrees_with_the_naive_oracle_on_any_schedule(data: st.DataObject, schedule: Schedule) -> None:
    """Twenty thousand timelines: eight words for each of 2,500 schedules."""
    program = program_of(schedule)
    for word in data.draw(st.tuples(*[words(schedule)] * 8)):
        note(word)
        timeline = decide(program, word, start=schedule["start"])
        got = [pair for decision in timeline.decisions for pair in decision.awards.items()]
        assert got == expected(schedule, word)


def ladder(**changes: object) -> Phase:
    plain = plain_phase((1, 6), "USD", Decimal(10), frozenset("+or"))
    return plain | {"step": Decimal(1)} | changes  # type: ignore[return-value]


def paid(phase: Phase, word: str) -> list[Decimal]:
    schedule: Schedule = {
        "visits": [{"weeks": (1, 6), "per_week": 2}],
        "phases": [phase],
        "limits": [],
        "start": None,
    }
    decisions = decide(program_of(schedule), word).decisions
    got = [decision.awards["USD"] for decision in decisions]
    assert got == [amount for _, amount in expected(schedule, word)]
    return got


def test_a_second_lapse_just_before_a_recovery_paid_on_the_nth_saves_the_level_it_would_have_paid() -> None:
    recover = {"after": 2, "paid": "nth", "level": "next step", "saved": "latest"}
    assert paid(ladder(recover=recover), "---+-+--") == [10, 11, 12, 0, 10, 0, 10, 13]


def test_a_recovery_before_the_end_of_a_week_still_lets_the_week_climb() -> None:
    recover = {"after": 1, "paid": "next", "level": "next step", "saved": "highest"}
    weekly = ladder(every="week", recover=recover)
    assert paid(weekly, "------+_-_--")[-2:] == [14, 14]


CALIFORNIA: Schedule = {
    "visits": [{"weeks": (1, 12), "per_week": 2}, {"weeks": (13, 24), "per_week": 1}],
    "phases": [
        ladder(
            weeks=(1, 12),
            step=Decimal("1.50"),
            every=2,
            ceiling=Decimal("26.50"),
            recover={"after": 2, "paid": "next", "level": "last earned", "saved": "highest"},
        ),
        ladder(weeks=(13, 18), start=Decimal(15), step=Decimal(0)),
        ladder(weeks=(19, 23), start=Decimal(10), step=Decimal(0)),
        ladder(weeks=(24, 24), start=Decimal(21), step=Decimal(0)),
    ],
    "limits": [
        {
            "unit": "USD",
            "per": "calendar year",
            "begins": (1, 1),
            "days": 0,
            "crossing": "truncate",
            "amounts": [(None, Decimal(599))],
        }
    ],
    "start": None,
}


def trial_words(shared_data: Path) -> list[str]:
    with (shared_data / "ctnote" / "endpoints.csv").open(encoding="utf-8") as file:
        return [row["use_pattern"] for row in csv.DictReader(file)]


HIGGINS: Schedule = {
    "visits": [{"weeks": (1, 12), "per_week": 3}, {"weeks": (13, 24), "per_week": 2}],
    "phases": [
        ladder(
            weeks=(1, 12),
            start=Decimal("2.50"),
            step=Decimal("1.25"),
            bonus={"amount": Decimal(10), "every": 3},
            reset=frozenset("+o*r"),
            recover={"after": 5, "paid": "next", "level": "last earned", "saved": "highest"},
        ),
        ladder(weeks=(13, 24), unit="ticket", start=Decimal(1), step=Decimal(0)),
    ],
    "limits": [],
    "start": None,
}
VA: Schedule = {
    "visits": [{"weeks": (1, 12), "per_week": 2}],
    "phases": [ladder(weeks=(1, 12), unit="draw", start=Decimal(1), step=Decimal(1), ceiling=Decimal(8))],
    "limits": [],
    "start": None,
}


@pytest.mark.parametrize(
    ("program_id", "schedule"),
    [("california-recovery-incentives", CALIFORNIA), ("higgins-1994-voucher", HIGGINS), ("va-prize", VA)],
)
def test_the_results_of_2526_trial_participants_are_paid_as_the_oracle_pays_them(
    program_id: str, schedule: Schedule, shared_data: Path
) -> None:
    program = catalogue.program(program_id)
    found = trial_words(shared_data)
    assert len(found) == 2526
    total, oracle_total = Counter[str](), Counter[str]()
    for word in found:
        decisions = decide(program, word, truncate=True).decisions
        awards = [pair for decision in decisions for pair in decision.awards.items()]
        should = expected(schedule, word[: program.visit_count])
        assert awards == should, word
        for sums, pairs in ((total, awards), (oracle_total, should)):
            for unit, amount in pairs:
                sums[unit] += int(amount * 100)
    assert total == oracle_total
