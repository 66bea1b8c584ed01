"""What an attack on targets that milestones tie has found wrong; each test is the shortest program that shows it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from cm_engine import Observation, Program, compile_rules, decide, initial_state, parse_program, step
from cm_engine.analysis import Explored, explore, maximum
from cm_engine.analysis.proofs.finding import Finding
from cm_engine.analysis.proofs.findings import findings
from cm_engine.analysis.tables.pairs import Pairs
from cm_engine.analysis.tables.versus import _first

ALL_TOGETHER = 1_000_000_000
FALLS = {"descend": {"start": "20.00", "step": "10.00"}, "reset": {}}
ONE_IN_FOUR = {"good": {"count": 3, "value": "0.00"}, "jumbo": {"count": 1, "value": "100.00"}}
WHOLE_WEEK = {"says": "A whole week", "when": {"week": "all"}, "amount": "1.00", "repeats": True}


def a_program(
    targets: Mapping[str, Any], milestones: Mapping[str, Any], *, weeks: int, **more: Any
) -> Program:
    """Return a program with one visit a week of each target; a target is told by its only phase, and what more it has."""
    document = {
        "program": "attacked",
        "version": "1",
        "title": "Attacked",
        "currency": "USD",
        "visits": [{"weeks": f"1-{weeks}", "per_week": 1}],
        "targets": {name: a_target(phase, weeks) for name, phase in targets.items()},
        "milestones": milestones,
    }
    return parse_program(json.dumps(document | more))


def a_target(phase: Mapping[str, Any], weeks: int) -> dict[str, Any]:
    own = {key: value for key, value in phase.items() if key != "quotas"}
    quotas = {"quotas": phase["quotas"]} if "quotas" in phase else {}
    return {"behavior": "attendance", "schedule": [{"weeks": f"1-{weeks}", **own}], **quotas}


def fixed(amount: str = "1.00", **more: Any) -> dict[str, Any]:
    return {"fixed": amount, **more}


def excused(times: int) -> list[dict[str, Any]]:
    return [{"of": "excused", "at_most": times, "per": "episode", "then": "missed"}]


def told(explored: Explored, rule: str) -> list[Finding]:
    return [each for each in findings(explored) if each.rule == rule]


class TestComparisons:
    def test_programs_that_differ_only_in_what_a_milestone_reads_differ(self) -> None:
        former, latter = (
            a_program(
                {"a": fixed(), "b": fixed()},
                {"m": {"says": "Two", "when": {"run": 2}, "resets_on": resets, "amount": "2.00"}},
                weeks=2,
            )
            for resets in (["positive"], ["positive", "excused"])
        )
        words = {"a": "--", "b": "e"}
        assert decide(former, words).sums != decide(latter, words).sums
        first, _ = _first(Pairs(explore(former, together=0), explore(latter, together=0)))
        assert first is not None


class TestAmounts:
    def test_nobody_is_said_to_get_what_nobody_can_get(self) -> None:
        falling = {"descend": {"start": "80.00", "step": "20.00", "floor": "20.00"}, "reset": {}}
        milestone = {"says": "All", "when": {"run": 16}, "amount": "300.00"}
        program = a_program({"a": falling, "b": fixed()}, {"m": milestone}, weeks=8)
        together = explore(program, together=ALL_TOGETHER)
        assert maximum(together, program.unit(None)).amount == 58800
        assert told(together, "over-medicaid") == []
        assert [each.message for each in told(explore(program, together=0), "over-medicaid")] == []

    def test_a_counter_example_pays_the_money_that_is_sure_and_not_what_luck_may_draw(self) -> None:
        draws = {"says": "Two", "when": {"count": 2}, "amount": 1, "unit": "draw", "repeats": True}
        program = a_program(
            {"a": FALLS, "b": fixed()},
            {"draws": draws, "week": WHOLE_WEEK},
            weeks=3,
            bowls={"draw": {"slips": ONE_IN_FOUR}},
        )
        [found] = told(explore(program, together=0), "lapse-pays")
        example = found.counter_example
        assert example is not None
        paid = [_paid_in_dollars(program, seen.words) for seen in (example.better, example.worse) if seen]
        assert [*example.paid] == paid


def _paid_in_dollars(program: Program, words: Mapping[str, str]) -> int:
    """Return what `step` pays in dollars for some words, all later visits being missed."""
    rules = compile_rules(program)
    state, total = initial_state(rules), 0
    for visit in range(3):
        for name in program.targets:
            symbol = words.get(name, "")[visit : visit + 1] or "o"
            state, decision = step(rules, state, Observation(symbol, target=name))
            total += sum(award.amount for award in decision.paid if award.unit == program.unit(None))
    return total


class TestProofs:
    def test_a_lapse_that_pays_money_is_told_though_the_success_may_draw_a_prize(self) -> None:
        draws = {
            "says": "Two",
            "when": {"run": 2, "targets": ["a"]},
            "amount": 1,
            "unit": "draw",
            "repeats": True,
        }
        program = a_program(
            {"a": FALLS, "b": fixed()},
            {"draws": draws, "week": WHOLE_WEEK},
            weeks=3,
            bowls={"draw": {"slips": ONE_IN_FOUR}},
        )
        assert told(explore(program, together=ALL_TOGETHER), "lapse-pays")
        assert told(explore(program, together=0), "lapse-pays")

    def test_a_lapse_that_a_milestone_makes_good_at_best_is_no_error(self) -> None:
        run = {"says": "Two", "when": {"run": 2}, "amount": "15.00", "repeats": True}
        program = a_program({"a": FALLS, "b": fixed()}, {"run": run}, weeks=3)
        severities = [
            [each.severity for each in told(explore(program, together=together), "lapse-pays")]
            for together in (ALL_TOGETHER, 0)
        ]
        assert severities == [["warning"], ["warning"]]

    def test_a_milestone_with_too_many_states_to_be_compared_is_told(self) -> None:
        names = ("a", "b", "c")
        kept = {"says": "Five kept", "when": {"visits": 5}, "amount": "5.00", "repeats": True}
        program = a_program({name: fixed(quotas=excused(6)) for name in names}, {"kept": kept}, weeks=14)
        lapse, excuse = ({"a": f"{symbol}-", "b": "--", "c": "-"} for symbol in "+e")
        unit = program.unit(None)
        assert decide(program, lapse).sums[unit] > decide(program, excuse).sums[unit]
        explored = explore(program)
        assert told(explored, "lapse-beats-excuse") or told(explored, "not-proved")

    def test_a_milestone_with_too_many_ways_to_be_seen_leaves_the_other_proofs_standing(self) -> None:
        kept = {"says": "Twelve kept", "when": {"visits": 12}, "amount": "5.00", "repeats": True}
        names = ("a", "b", "c", "d")
        program = a_program({name: fixed(quotas=excused(10)) for name in names}, {"kept": kept}, weeks=24)
        assert told(explore(program), "not-proved")

    def test_a_limit_with_too_much_that_may_have_been_received_leaves_the_other_proofs_standing(self) -> None:
        rising = {
            "escalate": {"start": "1.01", "step": "0.07", "ceiling": "3.00"},
            "reset": {},
            "recover": {"after": 2, "paid": "next", "level": "last earned"},
        }
        limit = {"amount": "15.00", "per": "rolling days", "days": 100, "crossing": "truncate"}
        program = a_program(dict.fromkeys("abc", rising), {"week": WHOLE_WEEK}, weeks=12, limits=[limit])
        assert told(explore(program), "not-proved")

    @pytest.mark.parametrize("together", [0, ALL_TOGETHER])
    def test_a_milestone_that_only_the_last_visit_reaches_is_reached(self, together: int) -> None:
        run = {"says": "Four", "when": {"run": 4}, "amount": "2.00", "repeats": True, "at_most": 2}
        program = a_program({"a": fixed(), "b": fixed()}, {"run": run}, weeks=2)
        assert decide(program, {"a": "--", "b": "--"}).sums[program.unit(None)] == 600
        assert told(explore(program, together=together), "milestone-unreached") == []


class TestIdleLimits:
    def test_a_limit_that_an_event_without_end_comes_up_against_is_not_idle(self) -> None:
        job = {"says": "A day at work", "when": {"event": "worked"}, "amount": "10.00", "repeats": True}
        limit = {"amount": "15.00", "per": "episode", "crossing": "truncate"}
        program = a_program({"a": fixed()}, {"job": job}, weeks=2, limits=[limit])
        rules = compile_rules(program)
        state, _ = step(rules, initial_state(rules), Observation(event="worked"))
        _, decision = step(rules, state, Observation(event="worked"))
        assert [award.amount for award in decision.paid] == [500]
        assert told(explore(program), "limit-idle") == []

    def test_a_limit_that_a_measured_event_comes_up_against_is_not_idle(self) -> None:
        mood = {"event": "phq-9", "criterion": {"threshold": {"above": 10}}}
        milestone = {"says": "Better", "when": mood, "amount": "25.00"}
        limit = {"amount": "15.00", "per": "episode", "crossing": "truncate"}
        program = a_program({"a": fixed()}, {"mood": milestone}, weeks=2, limits=[limit])
        explored = explore(program)
        assert told(explored, "milestone-unreached") == []
        assert told(explored, "limit-idle") == []


def test_what_no_decision_earns_together_is_not_made_up_of_milestones() -> None:
    """Seventeen rewards for counts take a quarter of a minute to explore, and each one more twice as long: every set of them is summed."""
    counts = {
        f"count-{number}": {"says": "So many", "when": {"count": 2 * number}, "amount": f"{number}.00"}
        for number in range(1, 13)
    }
    program = a_program({"a": fixed(), "b": fixed()}, counts, weeks=24)
    explored = explore(program)
    assert len(explored.parts) <= 2 * len(counts) + 2


def test_milestones_that_pay_in_two_units_at_once_are_told_apart_by_unit() -> None:
    run = {"says": "Two", "when": {"run": 2}, "repeats": True}
    milestones = {"money": {**run, "amount": "3.00"}, "draws": {**run, "amount": 1, "unit": "draw"}}
    bowls = {"draw": {"slips": ONE_IN_FOUR}}
    program = a_program({"a": fixed(), "b": fixed()}, milestones, weeks=2, bowls=bowls)
    one, other = explore(program, together=0), explore(program, together=ALL_TOGETHER)
    assert one.ties
    for unit in other.units:
        assert maximum(one, unit).amount == maximum(other, unit).amount
