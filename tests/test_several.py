"""Several targets, milestones, deposits and shared limits: what holds whatever is observed."""

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm_engine import (
    Decision,
    Evidence,
    Observation,
    Program,
    ResultsError,
    Rules,
    State,
    catalogue,
    compile_rules,
    decide,
    dump_state,
    forecast,
    initial_state,
    load_state,
    parse_program,
    pools,
    step,
    with_pools,
)
from cm_engine.rules.reasons import Limited, Next
from cm_engine.rules.timeline import fold

START = date(2026, 1, 5)
SYMBOLS = st.sampled_from("-+oe*r_")
PROGRAMS = [
    program_id
    for program_id in catalogue.program_ids()
    if len(catalogue.program(program_id).targets) > 1 or catalogue.program(program_id).milestones
]


@st.composite
def seen(draw: st.DrawFn, program: Program) -> list[Observation]:
    """Observations of all targets in any order that keeps `provided` satisfied, and events among them."""
    rules = compile_rules(program)
    left = {target.name: len(target.visits) for target in rules.targets}
    found: list[Observation] = []
    for _ in range(draw(st.integers(0, 25))):
        if rules.events and draw(st.integers(0, 4)) == 0:
            event = draw(
                st.sampled_from([event for event in rules.events if event != "deposit"] or rules.events[:1])
            )
            value = draw(st.none() | st.integers(0, 30).map(Decimal))
            found.append(
                Observation(event=event, evidence=Evidence(value=value) if value is not None else None)
            )
            continue
        found.extend(one_visit(draw, program, left))
    return found


def one_visit(draw: st.DrawFn, program: Program, left: dict[str, int]) -> Iterator[Observation]:
    """A visit of the targets that share a plan with one of them, in the order of the file."""
    chosen = draw(st.sampled_from(list(program.targets)))
    plan = program.plan(program.targets[chosen])
    for name, target in program.targets.items():
        if program.plan(target) == plan and left[name]:
            left[name] -= 1
            yield Observation(draw(SYMBOLS), target=name)


def events_once(observations: list[Observation]) -> list[Observation]:
    """A deposit is paid in once."""
    paid_in = [n for n, each in enumerate(observations) if each.event == "deposit"][1:]
    return [each for n, each in enumerate(observations) if n not in paid_in]


@pytest.mark.parametrize("program_id", PROGRAMS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_timeline_split_anywhere_and_resumed_from_its_stored_state_gives_the_same_decisions(
    program_id: str, data: st.DataObject
) -> None:
    program = catalogue.program(program_id)
    rules, observations = compile_rules(program), data.draw(seen(program).map(events_once))
    start = initial_state(rules, START)
    whole = fold(rules, start, observations)
    cut = data.draw(st.integers(0, len(observations)))
    first = fold(rules, start, observations[:cut])
    rest = fold(rules, load_state(rules, dump_state(first.state)), observations[cut:])
    assert first.decisions + rest.decisions == whole.decisions
    assert rest.state == whole.state


@pytest.mark.parametrize("program_id", PROGRAMS)
@settings(max_examples=40)
@given(data=st.data())
def test_the_next_success_pays_what_was_promised_milestones_included(
    program_id: str, data: st.DataObject
) -> None:
    program = catalogue.program(program_id)
    rules, observations = compile_rules(program), data.draw(seen(program).map(events_once))
    state = fold(rules, initial_state(rules, START), observations).state
    for target in rules.targets:
        promised = forecast(rules, state, target.name)
        if not isinstance(promised, Next) or is_provided(rules, state, target.name):
            continue
        seen_met = [Observation("-", target=target.name)] * promised.after
        *unpaid, last = fold(rules, state, seen_met).decisions
        assert dict(last.paid).get(promised.unit, 0) == promised.amount
        assert all(dict(each.paid).get(promised.unit, 0) == 0 for each in unpaid)


def is_provided(rules: Rules, state: State, name: str) -> bool:
    """Tell whether a success would depend on another target, which is not decided yet."""
    target = rules.target(name)
    index = state.tracks[target.index].visits
    return index < len(target.visits) and target.visits[index].phase.provided is not None


@pytest.mark.parametrize("program_id", PROGRAMS)
@settings(max_examples=40)
@given(data=st.data())
def test_no_award_is_negative_but_a_deposit_and_every_decision_says_why(
    program_id: str, data: st.DataObject
) -> None:
    program = catalogue.program(program_id)
    rules, observations = compile_rules(program), data.draw(seen(program).map(events_once))
    for decision in fold(rules, initial_state(rules, START), observations).decisions:
        staked = any(reason.code == "staked" for reason in decision.reasons)
        assert staked or all(award.amount >= 0 for award in decision.paid)
        assert decision.sentence.endswith(".")
        assert len({unit for unit, _ in decision.paid}) == len(decision.paid)
        assert is_accounted_for(decision)


def is_accounted_for(decision: Decision) -> bool:
    """What was paid and what limits took is what was earned, staked and refunded, in each unit."""
    for unit, amount in decision.paid:
        ours = [reason for reason in decision.reasons if getattr(reason, "unit", None) == unit]
        earned = sum(
            reason.amount
            for reason in ours
            if reason.code in {"earned", "bonus", "week", "milestone", "refunded"}
        )
        staked = sum(reason.amount for reason in ours if reason.code == "staked")
        lost = sum(reason.lost for reason in ours if isinstance(reason, Limited))
        if amount != earned - staked - lost:
            return False
    return True


def test_targets_of_one_day_are_decided_in_the_order_of_the_file() -> None:
    program = catalogue.program("miedar-prize")
    names = [decision.target for decision in decide(program, dict.fromkeys(program.targets, "---")).decisions]
    assert names == [*program.targets] * 3


def test_which_target_was_seen_has_to_be_said_where_there_are_several() -> None:
    program = catalogue.program("miedar-prize")
    with pytest.raises(
        ResultsError, match="which target is missing; expected one of stimulants, other-drugs"
    ):
        decide(program, "--")
    with pytest.raises(ResultsError, match="there is no target 'stimulant'; did you mean 'stimulants'"):
        decide(program, {"stimulant": "--"})


def one_of(payer: str, reward: int, per: str = "calendar year", **others: Any) -> Program:
    limit = {"amount": 599, "per": per, "payer": payer, "crossing": "truncate", **others}
    document = {
        "program": f"pays-{reward}",
        "version": "1",
        "title": "One of several",
        "currency": "USD",
        "visits": [{"weeks": "1-12", "per_week": 1}],
        "targets": {"t": {"behavior": "attendance", "schedule": [{"weeks": "1-12", "fixed": reward}]}},
        "limits": [limit],
    }
    return parse_program(json.dumps(document))


def test_a_limit_of_a_payer_counts_what_another_of_its_programs_paid() -> None:
    first, second = compile_rules(one_of("medi-cal", 100)), compile_rules(one_of("medi-cal", 50))
    earlier = fold(first, initial_state(first, START), [Observation("-")] * 4).state
    state = with_pools(second, initial_state(second, START), pools(first, earlier))
    paid = [decision.awards["USD"] for decision in fold(second, state, [Observation("-")] * 5).decisions]
    assert paid == [50, 50, 50, 49, 0]


def test_a_limit_of_another_payer_or_of_the_next_year_begins_anew() -> None:
    first, other = compile_rules(one_of("medi-cal", 100)), compile_rules(one_of("county", 100))
    earlier = fold(first, initial_state(first, START), [Observation("-")] * 6).state
    for rules, start in ((other, START), (first, date(2027, 1, 4))):
        state = with_pools(rules, initial_state(rules, start), pools(first, earlier))
        assert step(rules, state, Observation("-"))[1].awards["USD"] == 100


def test_grant_years_that_begin_on_other_days_are_other_pools() -> None:
    one, other = (one_of("fund", 1, "grant year", begins=day) for day in ("10-01", "07-01"))
    found = [set(pools(rules, initial_state(rules, START))) for rules in map(compile_rules, (one, other))]
    assert not found[0] & found[1]


def test_a_program_with_its_targets_in_another_order_is_another_program() -> None:
    text = {
        "program": "two",
        "version": "1",
        "title": "Two",
        "currency": "USD",
        "visits": [{"weeks": "1-2", "per_week": 1}],
        "limits": [{"amount": 15, "per": "episode", "crossing": "truncate"}],
    }
    targets = {
        name: {"behavior": "task", "schedule": [{"weeks": "1-2", "fixed": 10}]} for name in ("one", "other")
    }
    turned = dict(reversed(targets.items()))
    programs = [parse_program(json.dumps({**text, "targets": each})) for each in (targets, turned)]
    assert programs[0] != programs[1]
    assert compile_rules(programs[0]).digest != compile_rules(programs[1]).digest
    paid = [
        {each.target: each.awards["USD"] for each in decide(program, {"one": "-", "other": "-"}).decisions}
        for program in programs
    ]
    assert paid == [{"one": 10, "other": 5}, {"other": 10, "one": 5}]
