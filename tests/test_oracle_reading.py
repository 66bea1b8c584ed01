"""`step` against a second, independent and deliberately naive reading of evidence and what hangs on it."""

from decimal import Decimal

import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from cm_engine import (
    Decision,
    Program,
    State,
    UndatedError,
    compile_rules,
    decide,
    dump_state,
    initial_state,
    load_state,
    step,
)
from cm_engine.rules.reasons import StakeLost
from tests.oracle_reading import Description, Look, Read, expected, undated
from tests.readings import Areas, observation_of, program_of, timelines

Drawn = tuple[Description, list[list[Look]]]
EVERYTHING = Areas(
    panels=True, flaws=True, criteria=True, groups=True, milestones=True, deposits=True, targets=3
)


def as_read(decision: Decision) -> Read:
    awards = {unit: amount for unit, amount in decision.awards.items() if amount}
    lost = [reason for reason in decision.reasons if isinstance(reason, StakeLost)]
    return Read(decision.outcome, awards, sum((each.unit.decimal(each.amount) for each in lost), Decimal(0)))


def agree(drawn: Drawn) -> None:
    description, participants = drawn
    program = program_of(description)
    if undated(description):
        with pytest.raises(UndatedError):
            decide(program, [])
        return
    for looks in participants:
        note("\n".join(str({key: value for key, value in look.items() if value}) for look in looks))
        observations = [observation_of(look) for look in looks]
        timeline = decide(program, observations, start=description["start"], before=description["before"])
        assert [as_read(decision) for decision in timeline.decisions] == expected(description, looks)


@given(timelines(Areas(panels=True)))
@settings(max_examples=120)
def test_panels_are_read_as_the_naive_oracle_reads_them(drawn: Drawn) -> None:
    agree(drawn)


@given(timelines(Areas(panels=True, flaws=True, targets=2)))
@settings(max_examples=130)
def test_flaws_excuses_quotas_retests_and_closures_count_as_the_naive_oracle_counts_them(
    drawn: Drawn,
) -> None:
    agree(drawn)


@given(timelines(Areas(criteria=True)))
@settings(max_examples=170)
def test_measured_values_are_judged_as_the_naive_oracle_judges_them(drawn: Drawn) -> None:
    agree(drawn)


@given(timelines(Areas(groups=True, targets=3)))
@settings(max_examples=130)
def test_groups_choices_and_provided_targets_pay_what_the_naive_oracle_pays(drawn: Drawn) -> None:
    agree(drawn)


@given(timelines(Areas(milestones=True, targets=3)))
@settings(max_examples=130)
def test_milestones_are_reached_where_the_naive_oracle_reaches_them(drawn: Drawn) -> None:
    agree(drawn)


@given(timelines(Areas(deposits=True, targets=2)))
@settings(max_examples=110)
def test_deposits_are_lost_and_returned_as_the_naive_oracle_says(drawn: Drawn) -> None:
    agree(drawn)


@given(timelines(EVERYTHING))
@settings(max_examples=100)
def test_everything_together_is_decided_as_the_naive_oracle_decides_it(drawn: Drawn) -> None:
    agree(drawn)


def stepped(program: Program, state: State, looks: list[Look]) -> tuple[State, list[Decision]]:
    rules, decisions = compile_rules(program), []
    for look in looks:
        state, decision = step(rules, state, observation_of(look))
        decisions.append(decision)
    return state, decisions


@given(st.data(), timelines(EVERYTHING))
@settings(max_examples=30)
def test_a_timeline_split_anywhere_and_stored_goes_on_as_if_it_had_not_been(
    data: st.DataObject, drawn: Drawn
) -> None:
    description, participants = drawn
    assume(not undated(description))
    program = program_of(description)
    rules = compile_rules(program)
    begin = initial_state(rules, description["start"], description["before"])
    for looks in participants:
        whole = stepped(program, begin, looks)
        cut = data.draw(st.integers(0, len(looks)))
        middle, first = stepped(program, begin, looks[:cut])
        stored = load_state(rules, dump_state(middle))
        assert stored == middle
        last, rest = stepped(program, stored, looks[cut:])
        assert (last, [*first, *rest]) == whole
