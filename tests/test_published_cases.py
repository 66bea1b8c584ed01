"""The worked cases of published schedules, each as a program file of its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from cm_engine import Timeline, decide, parse_program
from tests.conftest import SHARED

LADDERS = {"escalating", "fixed", "escalating+fixed_phase"}
RESULTS = {"on_time": "-"}
OUTCOMES = {"P": "positive", "U": "missed", "I": "invalid", "R": "refused"}
UNITS = {"ticket": "ticket", "USD": "USD", "GBP": "GBP"}
FILE = SHARED / "data" / "protocols" / "cases.json"


def ladder_cases() -> list[Any]:
    if not FILE.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason="needs the cases of the folder shared"))]
    cases = json.loads(FILE.read_text("utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in cases if case["kind"] in LADDERS]


@pytest.mark.parametrize("case", ladder_cases())
def test_a_published_case_is_paid_to_the_cent(case: dict[str, Any]) -> None:
    results = "".join(RESULTS.get(result, result) for result in case["results"])
    timeline = decide(parse_program(json.dumps(document(case, len(results)))), results)
    assert [f"{award:.2f}" for award in awards(timeline)] == case["expected_amounts"]
    assert f"{sum(awards(timeline)):.2f}" == case["expected_total"]


def test_all_ladder_cases_of_the_shared_file_are_run(shared_data: Path) -> None:
    assert shared_data == FILE.parents[1]
    assert len(ladder_cases()) == 23


def awards(timeline: Timeline) -> list[Any]:
    return [amount for decision in timeline.decisions for amount in decision.awards.values()]


def document(case: dict[str, Any], visits: int) -> dict[str, Any]:
    schedule, unit = case["schedule"], UNITS[case["unit"]]
    money = {} if unit == "ticket" else {"currency": unit}
    return {
        "program": case["id"].replace("_", "-"),
        "version": "1",
        "title": case["id"],
        **money,
        "visits": plan(schedule, visits),
        "targets": {"target": {"behavior": "abstinence", "schedule": phases(schedule, visits, unit)}},
        "limits": [
            {"amount": schedule[key], "per": per, "crossing": "truncate"}
            for key, per in [("calendar_year_cap", "calendar year"), ("total_cap", "episode")]
            if key in schedule
        ],
    }


def plan(schedule: dict[str, Any], visits: int) -> list[dict[str, Any]]:
    if "phases" in schedule:
        return [{"weeks": week_range(p), "per_week": p["tests_per_week"]} for p in schedule["phases"]]
    if "days" in schedule:
        visit_weeks = {day // 7 + 1 for day in schedule["days"]}
        return [
            {"weeks": week, "per_week": int(week in visit_weeks)} for week in range(1, max(visit_weeks) + 1)
        ]
    return [{"weeks": week_range({"weeks": f"1-{visits}"}), "per_week": 1}]


def phases(schedule: dict[str, Any], visits: int, unit: str) -> list[dict[str, Any]]:
    if "phases" in schedule:
        return [{"weeks": week_range(phase), **rule(phase)} for phase in schedule["phases"]]
    last = plan(schedule, visits)[-1]["weeks"] if "days" in schedule else visits
    return [{"weeks": week_range({"weeks": f"1-{last}"}), "unit": unit, **rule(schedule)}]


def week_range(phase: dict[str, Any]) -> Any:
    first, _, last = phase["weeks"].partition("-")
    return phase["weeks"] if last and first != last else int(first)


def rule(schedule: dict[str, Any]) -> dict[str, Any]:
    if "increment" not in schedule:
        return {"fixed": schedule.get("amount", schedule.get("start"))}
    written: dict[str, Any] = {
        "escalate": {
            "start": schedule["start"],
            "step": schedule["increment"],
            "every": schedule.get("step_every", 1),
            **({"ceiling": schedule["cap_per_reward"]} if "cap_per_reward" in schedule else {}),
        }
    }
    if bonus := schedule.get("bonus"):
        written["bonus"] = {"amount": bonus["amount"], "every": bonus["every_consecutive"]}
    if "reset_to" in schedule:
        letters = schedule.get("reset_on")
        written["reset"] = {"on": [OUTCOMES[letter] for letter in letters]} if letters else {}
    if recovery := schedule.get("recovery"):
        written["recover"] = {
            "after": recovery["n"],
            "paid": "nth" if recovery["applies_on"] == "nth" else "next",
            "level": recovery["level"].replace("_", " "),
        }
    return written
