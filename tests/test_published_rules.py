"""The worked cases of published criteria, milestones, deposits, draws and lotteries, each as a program file."""

import json
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from cm_engine import Evidence, Observation, Program, ProgramError, compile_rules, decide, parse_program
from cm_engine.rules.prizes import full_bowl
from tests.test_published_cases import FILE, LADDERS

MILESTONES = {"milestones"}
CRITERIA = {"quantitative_criterion"}
BOWLS = {"prize_bowl"}
LOTTERIES = {"lottery"}
PERCENTILES = {"percentile"}
OTHERS = {"deposit", "takehome", "draws"}


def cases(kinds: Iterable[str]) -> list[Any]:
    if not FILE.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason="needs the cases of the folder shared"))]
    every = json.loads(FILE.read_text("utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in every if case["kind"] in kinds]


def case_called(case_id: str) -> dict[str, Any]:
    if not FILE.is_file():
        pytest.skip("needs the cases of the folder shared")
    [case] = [case for case in json.loads(FILE.read_text("utf-8"))["cases"] if case["id"] == case_id]
    found: dict[str, Any] = case
    return found


def program(schedule: dict[str, Any] | None = None, visits: int = 60, **others: Any) -> Program:
    """A program with one target, whose single phase is as given."""
    phase = {"weeks": f"1-{visits}", **(schedule or {"fixed": 0})}
    document = {
        "program": "published",
        "version": "1",
        "title": "Published",
        "currency": "USD",
        "visits": [{"weeks": f"1-{visits}", "per_week": 1}],
        "targets": {"target": {"behavior": "abstinence", "schedule": [phase]}},
        **others,
    }
    return parse_program(json.dumps(document))


def seen(values: Iterable[Any]) -> list[Observation]:
    return [Observation(evidence=Evidence(value=Decimal(str(value)))) for value in values]


def met(made: Program, before: Iterable[Any], values: Iterable[Any]) -> list[bool]:
    known = {"target": [Decimal(str(value)) for value in before]}
    return [decision.outcome == "-" for decision in decide(made, seen(values), before=known).decisions]


def test_every_case_of_the_shared_file_is_run() -> None:
    if not FILE.is_file():
        pytest.skip("needs the cases of the folder shared")
    every = json.loads(FILE.read_text("utf-8"))["cases"]
    kinds = LADDERS | MILESTONES | CRITERIA | BOWLS | LOTTERIES | PERCENTILES | OTHERS
    assert {case["kind"] for case in every} == kinds
    assert len(every) == 46


@pytest.mark.parametrize("case", cases(MILESTONES))
def test_published_milestones_are_paid_to_the_cent(case: dict[str, Any]) -> None:
    schedule, results = case["schedule"], case["results"]
    amounts = schedule.get("amounts", [schedule.get("amount")] * len(results))
    events = [f"{result} {number}" for number, result in enumerate(results)]
    reached = {
        f"number-{number}": {"says": event, "when": {"event": event}, "amount": amount}
        for number, (event, amount) in enumerate(zip(events, amounts, strict=True))
    }
    made = program(currency=case["unit"], milestones=reached)
    decisions = decide(made, [Observation(event=event) for event in events]).decisions
    awards = [decision.awards[case["unit"]] for decision in decisions]
    assert [f"{award:.2f}" for award in awards] == case["expected_amounts"]
    assert f"{sum(awards):.2f}" == case["expected_total"]


def test_a_published_deposit_comes_back_with_its_match() -> None:
    case = case_called("halpern_deposit_success")
    schedule = case["schedule"]
    quit_milestone = {"says": "Six months", "when": {"event": "success"}, "amount": schedule["match"]}
    made = program(
        deposit={"stake": schedule["deposit"]}, milestones={"quit": {**quit_milestone, "refunds": True}}
    )
    decisions = decide(made, [Observation(event=event) for event in case["results"]]).decisions
    awards = [decision.awards["USD"] for decision in decisions]
    assert [f"{award:.2f}" for award in awards] == case["expected_amounts"]
    assert f"{sum(awards):.2f}" == case["expected_total"]


def test_published_take_home_doses_come_with_each_negative() -> None:
    case = case_called("chutuape_takehome_each")
    made = program({"unit": "take-home dose", "fixed": case["schedule"]["per_negative"]})
    awards = [each.awards["take-home dose"] for each in decide(made, case["results"]).decisions]
    assert [f"{award:.2f}" for award in awards] == case["expected_amounts"]


def test_the_brief_abstinence_test_asks_for_half_of_monday_or_a_negative() -> None:
    case = case_called("robles_2000_criterion")
    schedule = case["schedule"]
    fall = {"share": str(1 - Decimal(schedule["ratio_max"])), "since": "baseline"}
    made = program(
        {"fixed": 100, "criterion": {"fall": fall, "always": {"at_most": schedule["absolute_max"]}}}
    )
    found = [met(made, [pair["mon"]], [pair["wed"]])[0] for pair in case["inputs"]]
    assert found == case["expected"]


def test_shaping_asks_for_a_quarter_less_than_the_last_specimen_or_a_negative() -> None:
    case = case_called("preston_2001_shaping_25pct")
    schedule = case["schedule"]
    fall = {"share": schedule["min_drop"], "since": "last"}
    made = program(
        {"fixed": 1, "criterion": {"fall": fall, "always": {"at_most": schedule["negative_cutoff"]}}}
    )
    assert met(made, case["inputs"][:1], case["inputs"][1:]) == case["expected"]


@pytest.mark.parametrize("case", cases(BOWLS))
def test_a_published_bowl_has_its_slips_its_chance_and_its_average(case: dict[str, Any]) -> None:
    expected = case["expected"]
    bowl = full_bowl(bowl_program(case, expected["expected_value_per_draw"]), "draw")
    assert sum(bowl.counts) == expected["slips"]
    winning = sum(count for count, value in zip(bowl.counts, bowl.values, strict=True) if value)
    assert Fraction(winning, sum(bowl.counts)) == Fraction(expected["p_win"])


def bowl_program(case: dict[str, Any], average: str, schedule: dict[str, Any] | None = None) -> Program:
    slips = {f"tier-{number}": tier for number, tier in enumerate(case["schedule"]["tiers"])}
    bowls = {"draw": {"slips": slips, "expected_value": average}}
    return program(schedule or {"unit": "draw", "fixed": 1}, visits=24, bowls=bowls)


def test_a_bowl_whose_average_is_not_what_is_said_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"a draw wins 2\.218 on average \(1109/500\), not 2\.178"):
        bowl_program(case_called("bowl_500_jumbo100"), "2.178")


def test_the_published_draws_and_their_expected_worth() -> None:
    draws, bowl = case_called("va_draw_count_24"), case_called("va_expected_max")
    ladder = {"start": draws["schedule"]["start_draws"], "step": draws["schedule"]["step"]}
    escalate = {**ladder, "ceiling": draws["schedule"]["cap_draws"]}
    average = bowl["expected"]["expected_value_per_draw"]
    made = bowl_program(bowl, average, {"unit": "draw", "escalate": escalate, "reset": {}})
    awarded = [int(each.awards["draw"]) for each in decide(made, "-" * len(draws["inputs"])).decisions]
    assert awarded == draws["expected"]["draws"]
    assert sum(awarded) == draws["expected"]["total"] == bowl["expected"]["max_draws"]
    assert Decimal(average) * sum(awarded) == Decimal(bowl["expected"]["expected_max_total"])


@pytest.mark.parametrize("case", cases(LOTTERIES))
def test_a_published_lottery_has_the_average_that_its_odds_give(case: dict[str, Any]) -> None:
    schedule, expected = case["schedule"], case["expected"]
    lotteries = [[(p, value)] for p, value in schedule.get("arms", [])]
    lotteries = lotteries or [[(each["p"], each["value"]) for each in schedule["outcomes"]]]
    average = expected.get("expected_value") or expected["expected_value_each"]
    for lottery in lotteries:
        made = lottery_program(lottery, average)
        bowl = full_bowl(made, "draw")
        worth = sum(count * value for count, value in zip(bowl.counts, bowl.values, strict=True))
        assert Fraction(worth, sum(bowl.counts)) == 100 * Fraction(average)


def lottery_program(lottery: list[tuple[str, str]], average: str) -> Program:
    odds = {f"win-{number}": {"chance": p, "value": value} for number, (p, value) in enumerate(lottery)}
    return program({"unit": "draw", "fixed": 1}, bowls={"draw": {"odds": odds, "expected_value": average}})


def test_the_average_that_the_abstract_of_the_warfarin_lottery_states_is_refused() -> None:
    with pytest.raises(ProgramError, match="a draw wins 3 on average"):
        lottery_program([("1/5", "10"), ("1/100", "100")], "5.00")


@pytest.mark.parametrize("case", cases(PERCENTILES))
def test_a_published_percentile_asks_for_more_than_its_rank(case: dict[str, Any]) -> None:
    schedule, expected = case["schedule"], case["expected"]
    if "window" in case["inputs"]:
        rank = {"window": schedule["m"], "rank": schedule["rank_from_lowest"], "direction": "below"}
        made = program({"fixed": 1, "criterion": {"percentile": rank, "always": {"below": 4}}})
        assert [met(made, case["inputs"]["window"], [new])[0] for new in case["inputs"]["new"]] == expected[
            "met"
        ]
        return
    assert percentile(schedule, rounding="half up").exact_k == Fraction(expected["k"])
    if expected["k_rounded_nearest"] is None:
        with pytest.raises(ProgramError, match="lies halfway between two ranks; add rounding"):
            percentile(schedule)
        return
    k = expected["k_rounded_nearest"]
    made = program({"fixed": 1, "criterion": {"percentile": written(schedule)}})
    window = range(1, schedule["m"] + 1)
    assert met(made, window, [k]) == [False]
    assert met(made, window, [k + Decimal("0.5")]) == [True]


@pytest.mark.parametrize(("rounding", "k"), [("half up", 6), ("half down", 5), ("up", 6), ("down", 5)])
def test_a_rank_halfway_is_rounded_as_the_program_says(rounding: str, k: int) -> None:
    assert percentile({"m": 10, "w": "0.5"}, rounding=rounding).k == k


def written(schedule: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"window": schedule["m"], "w": schedule["w"], "direction": "above", **others}


def percentile(schedule: dict[str, Any], **others: Any) -> Any:
    made = program({"fixed": 1, "criterion": {"percentile": written(schedule, **others)}})
    criterion = compile_rules(made).targets[0].visits[0].phase.criterion
    assert criterion is not None
    return criterion.percentile
