"""Findings about savings, windows, words and events speak of what can happen, and of nothing else; what has no end is said to have none."""

from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm_engine import Program
from cm_engine.analysis import analyze, explore, maximum, visitwise
from cm_engine.analysis.alike import kinds
from cm_engine.analysis.form import analysis_form
from cm_engine.analysis.proofs.findings import findings
from cm_engine.analysis.tables.versus import compare
from cm_engine.analysis.tables.versus_form import versus_lines
from cm_engine.reports.design import design_report
from tests.test_findings import a_program

FORM = {"says": "A form", "when": {"event": "form"}, "amount": 500}


def rules_of(program: Program) -> set[str]:
    """Return the rules that find something."""
    return {each.rule for each in findings(explore(program))}


def with_forms(**more: Any) -> Program:
    """Return a program of two weeks that pays for forms, too."""
    limits = [{**each, "crossing": "truncate"} for each in more.pop("limits", [])]
    milestones = {"form": {**FORM, **more}}
    return a_program(2, {"fixed": 1}, behavior="attendance", milestones=milestones, limits=limits)


class TestAnEventThatPaysWheneverItHappens:
    """Of such an event no most is known, wherever a most is told."""

    def test_has_no_most_unless_a_limit_of_the_episode_gives_one(self) -> None:
        program = with_forms(repeats=True)
        explored = explore(program)
        most = maximum(explored, explored.units[0])
        assert (most.amount, most.bound, most.endless) == (50200, None, ("form",))
        explored = explore(with_forms(repeats=True, limits=[{"amount": 1200, "per": "episode"}]))
        most = maximum(explored, explored.units[0])
        assert (most.amount, most.bound, most.endless) == (50200, 120000, ())

    def test_has_a_most_where_it_pays_a_number_of_times(self) -> None:
        explored = explore(with_forms(repeats=True, at_most=5))
        most = maximum(explored, explored.units[0])
        assert (most.amount, most.bound, most.endless) == (250200, None, ())

    def test_has_no_most_with_a_limit_of_a_week_as_weeks_go_on(self) -> None:
        explored = explore(with_forms(repeats=True, limits=[{"amount": 1200, "per": "week"}]))
        assert maximum(explored, explored.units[0]).endless == ("form",)

    def test_is_over_every_line_of_a_year_that_no_limit_of_a_year_keeps(self) -> None:
        lines = {"over-grant", "over-medicaid", "over-tax-line"}
        assert lines <= rules_of(with_forms(repeats=True))
        more = explore(with_forms(repeats=True, limits=[{"amount": 1000, "per": "calendar year"}]))
        said = {each.rule: each.message for each in findings(more) if each.rule in lines}
        assert said.keys() == {"over-grant", "over-medicaid"}
        assert said["over-grant"].startswith(
            "As form can pay each time, a participant can get up to $1000.00 in"
        )
        limits = [{"amount": 599, "per": "calendar year"}]
        assert not lines & rules_of(with_forms(repeats=True, limits=limits))
        assert not lines & rules_of(with_forms(amount=10))

    def test_is_told_by_the_report_the_form_and_a_comparison(self) -> None:
        endless, bounded = with_forms(repeats=True), with_forms()
        analysis = analyze(endless, visitwise(Fraction(4, 5)))
        assert "no upper limit" in design_report(analysis)
        assert "no upper limit" not in design_report(analyze(bounded, visitwise(Fraction(4, 5))))
        assert analysis_form(analysis)["units"]["USD"]["maximum_endless"] == ["form"]
        assert "all figures take each reward of it to be reached once" in design_report(analysis)
        assert "At most: $502.00 and no upper limit." in list(versus_lines(compare(bounded, endless)))
        assert not any("no upper limit" in line for line in versus_lines(compare(bounded, bounded)))


def test_of_savings_a_stake_that_is_given_back_is_at_hand() -> None:
    well_done = {"says": "Well done", "when": {"run": 2}, "refunds": True}
    for minimum, is_found in ((54, False), (55, True)):
        program = a_program(
            4,
            {"fixed": 1},
            deposit={"stake": 50},
            milestones={"done": well_done},
            payout={"when": "on request", "minimum": minimum},
        )
        assert ("out-of-reach" in rules_of(program)) == is_found


@pytest.mark.parametrize("carry", [True, False])
def test_a_recovery_that_ends_in_a_phase_which_carries_the_ladder_on_is_no_finding(carry: bool) -> None:
    ladder = {
        "escalate": {"start": 10, "step": 2},
        "reset": {},
        "recover": {"after": 2, "paid": "next", "level": "last earned"},
    }
    phases = [{"weeks": 1, **ladder}, {"weeks": 2, "carry": carry, **ladder}]
    program = a_program(2, *phases, visits=[{"weeks": "1-2", "per_week": 5}])
    assert ("recovery-unreached" in rules_of(program)) == (not carry)


@pytest.mark.parametrize(("weeks", "is_found"), [(3, False), (4, True)])
def test_two_words_for_one_thing_are_a_finding_where_they_come_to_pay_differently(
    weeks: int, is_found: bool
) -> None:
    """A miss begins the run of three anew, and a visit not attended does not; with three weeks neither gets to it."""
    all_of_them = {"says": "All", "when": {"run": 3}, "amount": 5, "resets_on": ["missed"]}
    program = a_program(weeks, {"fixed": 1}, behavior="attendance", milestones={"all": all_of_them})
    assert ("two-words" in rules_of(program)) == is_found


@settings(max_examples=40)
@given(
    resets=st.sets(st.sampled_from(["positive", "missed", "excused", "invalid"]), min_size=1),
    run=st.integers(2, 3),
    step=st.integers(1, 2),
)
def test_states_of_one_kind_are_those_that_pay_the_same_for_every_word(
    resets: set[str], run: int, step: int
) -> None:
    """Held against all words: two states of a slot are of one kind just if every way on pays the same from both."""
    ladder = {"escalate": {"start": 1, "step": step}, "reset": {"on": sorted(resets)}}
    milestone = {"says": "Well done", "when": {"run": run}, "amount": 9}
    explored = explore(a_program(4, ladder, milestones={"done": milestone}))
    [automaton] = explored.automata
    known = kinds(automaton)

    def ahead(state: int, place: int) -> tuple[object, ...]:
        if place == len(automaton.slots):
            return ()
        table = automaton.table(place)
        row = table.rows[state]
        return tuple(
            (int(table.parts[row, column]), ahead(int(table.after[row, column]), place + 1))
            for column in range(len(table.actions))
        )

    for place, states in enumerate(automaton.reach):
        for one, other in product(states, repeat=2):
            assert (known[place][one] == known[place][other]) == (ahead(one, place) == ahead(other, place))


def test_closed_days_of_one_year_say_nothing_of_the_windows_of_a_program() -> None:
    windows, closed = {"after": 1}, {"first": "2026-01-05", "last": "2026-01-06"}
    program = a_program(
        4, {"fixed": 10}, visits=[{"weeks": "1-4", "per_week": 2}], windows=windows, closures=[closed]
    )
    assert "windows-over-others" not in rules_of(program)


def test_windows_are_looked_at_for_every_day_of_the_week_that_a_plan_can_begin_on() -> None:
    """The Monday of the first week of who begins on a Tuesday is the day before the Tuesday of the second."""
    visits = [{"weeks": 1, "days": ["monday"]}, {"weeks": "2-4", "days": ["tuesday"]}]
    program = a_program(4, {"fixed": 10}, visits=visits, windows={"after": 1})
    [said] = [each.message for each in findings(explore(program)) if each.rule == "windows-over-others"]
    assert (
        "which comes a day later for who begins on a Tuesday: results of one day can be paid as both" in said
    )
