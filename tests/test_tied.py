"""Targets that milestones tie are explored apart, and come to what they come to together, and to what `step` says."""

import json
from collections import Counter
from fractions import Fraction
from functools import partial
from io import StringIO
from math import isclose
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from rich.console import Console

from cm_engine import Program, catalogue, decide, parse_program
from cm_engine.analysis import (
    Analysis,
    Explored,
    analyze,
    distribution,
    exact,
    explore,
    markov,
    maximum,
    minimum,
    moments,
    summary,
    visitwise,
)
from cm_engine.analysis.cohorts.chooser import Stream
from cm_engine.analysis.cohorts.simulate import sampled
from cm_engine.analysis.cohorts.walks import Walk
from cm_engine.analysis.exact import mean, reached
from cm_engine.analysis.form import analysis_form
from cm_engine.analysis.proofs.course import never_paid, uninterrupted
from cm_engine.analysis.proofs.findings import findings
from cm_engine.analysis.summary import figures_of
from cm_engine.analysis.tables.table import table_of, written
from cm_engine.cli.analyzing import page
from cm_engine.errors import TooManyStatesError
from cm_engine.reports.design import design_report
from tests.test_analysis import observed, seen, walked
from tests.test_simulate import Folding, certain, timelines
from tests.test_table import RUN, compared, in_node

LARGE = "template-integrated-care"
BEHAVIORS = (
    visitwise("0.7"),
    visitwise("0.6", otherwise={"+": "0.4", "o": "0.2", "e": "0.2", "*": "0.1", "_": "0.1"}),
    markov("0.2", "0.4"),
)

SMALL = parse_program("""
program: small
version: "1"
title: Two targets, and more for a week with both
currency: USD
visits: [{weeks: 1-4, per_week: 2}]
targets:
  use:
    behavior: abstinence
    schedule: [{weeks: 1-4, escalate: {start: 2.00, step: 0.50}, reset: {on: [positive, missed, refused, invalid]}}]
  visit:
    behavior: attendance
    schedule: [{weeks: 1-4, fixed: 1.00}]
milestones:
  both: {says: Both, when: {week: all}, amount: 3.00, repeats: true}
""")

LADDERS: dict[str, dict[str, Any]] = {
    "fixed": {"fixed": "2.00"},
    "escalating": {
        "escalate": {"start": "1.00", "step": "0.50", "ceiling": "2.00"},
        "reset": {"on": ["positive", "missed", "refused"]},
        "recover": {"after": 2, "paid": "next", "level": "last earned"},
    },
    "draws": {"unit": "draw", "escalate": {"start": 1, "step": 1, "ceiling": 2}, "reset": {}},
}
CONDITIONS: dict[str, dict[str, Any]] = {
    "all of a week": {"when": {"week": "all"}, "amount": "3.00", "repeats": True},
    "two of a week": {"when": {"week": 2}, "amount": "3.00", "repeats": True, "at_most": 2},
    "some of a week": {"when": {"week": "some"}, "amount": "0.50", "repeats": True},
    "a run": {"when": {"run": 3}, "amount": "4.00", "repeats": True},
    "a count": {"when": {"count": 4}, "amount": "5.00"},
    "visits": {"when": {"visits": 3}, "amount": "1.00", "repeats": True},
    "draws for a run": {"when": {"run": 2}, "amount": 2, "unit": "draw", "repeats": True},
    "the end": {"when": {"end_of": "1-2", "at_least": 3}, "amount": "6.00"},
}
LIMITS: tuple[dict[str, Any], ...] = (
    {"amount": "9.00", "per": "calendar year", "crossing": "truncate"},
    {"amount": "3.00", "per": "day", "crossing": "truncate"},
    {"amount": "7.00", "per": "rolling days", "days": 9, "crossing": "withhold"},
    {"amount": "5.00", "per": "week", "crossing": "stop"},
)
BOWLS = {"draw": {"slips": {"good": {"count": 3, "value": "0.00"}, "small": {"count": 1, "value": "1.00"}}}}


@st.composite
def tied_programs(draw: st.DrawFn, *, limited: bool = True) -> Program:
    """Draw a program of two or three targets with a milestone or two over them, and whatever else may hang on a result."""
    weeks = draw(st.integers(2, 3))
    targets = {
        name: draw(a_target(name, weeks))
        for name in draw(st.sampled_from([("use", "visit"), ("use", "visit", "dose")]))
    }
    kinds = draw(st.lists(st.sampled_from(sorted(CONDITIONS)), min_size=1, max_size=2, unique=True))
    limits = draw(st.lists(st.sampled_from(LIMITS), max_size=2, unique_by=str)) if limited else []
    given_: dict[str, Any] = {
        "program": "tied",
        "version": "1",
        "title": "Tied",
        "currency": "USD",
        "visits": [{"weeks": f"1-{weeks}", "per_week": 1}],
        "targets": targets,
        "milestones": {f"m-{place}": {"says": kind, **CONDITIONS[kind]} for place, kind in enumerate(kinds)},
        "limits": limits,
    }
    if draw(st.booleans()):
        given_["milestones"] = {
            "alone": {"says": "Two", "when": {"count": 2, "targets": ["use"]}, "amount": "0.25"}
        } | given_["milestones"]
    if draw(st.booleans()):
        given_["milestones"]["welcome"] = {"says": "Welcome", "when": {"event": "intake"}, "amount": "1.50"}
    if '"unit": "draw"' in json.dumps(given_):
        given_["bowls"] = BOWLS
    return parse_program(json.dumps(given_))


@st.composite
def a_target(draw: st.DrawFn, name: str, weeks: int) -> dict[str, Any]:
    phase = {"weeks": f"1-{weeks}", **LADDERS[draw(st.sampled_from(sorted(LADDERS)))]}
    found: dict[str, Any] = {"behavior": "attendance", "schedule": [phase]}
    if draw(st.booleans()):
        found["quotas"] = [
            {
                "of": "excused",
                "at_most": 1,
                "per": draw(st.sampled_from(["episode", "week"])),
                "then": "missed",
            }
        ]
    if draw(st.booleans()):
        found |= {"behavior": "abstinence", "retest": {"on": ["invalid"], "at_most": 1}}
    if name == "use" and draw(st.booleans()):
        found["visits"] = [{"weeks": f"1-{weeks}", "per_week": 2}]
    return found


def apart(program: Program) -> Explored:
    """Return a program explored with its targets apart, which it would be if they had more states."""
    found = explore(program, together=0)
    assert found.ties
    return found


@settings(max_examples=60, deadline=None)
@given(tied_programs(), st.randoms(use_true_random=False))
def test_the_tables_of_targets_apart_pay_what_step_pays(program: Program, random: Random) -> None:
    explored = apart(program)
    for _ in range(3):
        actions = seen(explored, random)
        for unit in explored.units:
            if unit != explored.money or not drawn(explored):
                assert walked(explored, actions, unit) == observed(explored, actions, unit)


def drawn(explored: Explored) -> bool:
    return any(unit.name in explored.program.bowls for unit in explored.units)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tied_programs(), st.sampled_from(BEHAVIORS))
def test_figures_are_those_of_all_targets_together(program: Program, behavior: Any) -> None:
    one, other = apart(program), explore(program, together=1_000_000)
    assert not other.ties
    for unit in other.units:
        try:
            expected = distribution(other, behavior, unit)
        except TooManyStatesError:
            assume(False)  # noqa: FBT003 - Hypothesis asks it so
        found = distribution(one, behavior, unit)
        assert chances(found) == pytest.approx(chances(expected), abs=1e-9)
        both = moments(one, behavior, unit), moments(other, behavior, unit)
        assert isclose(float(both[0].mean), float(both[1].mean), abs_tol=1e-6)
        assert isclose(float(both[0].variance), float(both[1].variance), rel_tol=1e-6, abs_tol=1e-3)
        assert mean(one, behavior, unit) in {None, both[1].mean}
    assert reached(one, behavior) == pytest.approx(reached(other, behavior))


def chances(found: Any) -> dict[int, float]:
    return {
        int(value): float(chance)
        for value, chance in zip(found.sums, found.chances, strict=True)
        if chance > 1e-12
    }


@settings(max_examples=40, deadline=None)
@given(tied_programs())
def test_the_most_and_the_least_are_those_of_all_targets_together_or_a_bound_says_how_far_they_may_be(
    program: Program,
) -> None:
    one, other = apart(program), explore(program, together=1_000_000)
    for unit in other.units:
        for search, sign in ((maximum, 1), (minimum, -1)):
            found, expected = search(one, unit), search(other, unit)
            assert sign * found.amount <= sign * expected.amount
            assert sign * expected.amount <= sign * (found.amount if found.bound is None else found.bound)
            if unit.name == "USD" and not drawn(other):
                timeline = decide(program, found.seen.words)
                events = {"intake": 150} if found.seen.events else {}
                assert timeline.sums.get(unit, 0) + sum(events.values()) >= found.amount or program.limits


@settings(max_examples=25, deadline=None)
@given(tied_programs())
def test_what_is_proved_apart_holds_together(program: Program) -> None:
    one, other = findings(apart(program)), findings(explore(program, together=1_000_000))
    open_ = any(each.rule == "not-proved" for each in one)
    proved = {
        "lapse-pays",
        "lapse-beats-excuse",
        "staying-away-pays",
        "invalid-beats-positive",
        "leaving-pays",
    }
    shown = [{each.rule for each in found} & proved for found in (one, other)]
    limited = any(each.rule == "not-proved" for each in other)
    assert open_ or limited or program.limits or shown[0] == shown[1]
    same = {
        "milestone-unreached",
        "bonus-unreached",
        "rung-unreached",
        "recovery-fails",
        "recovery-overshoots",
        "limit-broken",
    }
    assert Counter(each.message for each in one if each.rule in same) == Counter(
        each.message for each in other if each.rule in same
    )


@settings(max_examples=25, deadline=None)
@given(tied_programs())
def test_who_meets_all_is_paid_and_who_is_never_paid_is_counted_as_together(program: Program) -> None:
    one, other = apart(program), explore(program, together=1_000_000)
    assert [each[2:] for each in uninterrupted(one)] == [each[2:] for each in uninterrupted(other)]
    assert isclose(never_paid(one, Fraction(1, 3)), never_paid(other, Fraction(1, 3)))


@settings(max_examples=30, deadline=None)
@given(tied_programs(), st.sampled_from(BEHAVIORS))
def test_every_award_of_a_simulated_timeline_is_what_step_decides(program: Program, behavior: Any) -> None:
    explored = apart(certain(program))
    walk, folding = Walk(explored, behavior), Folding(explored)
    for one in timelines(walk, list(walk.block(Stream(7, 0), 40)), 40):
        state = folding.start
        for slot, entry, paid in one:
            state, decided = folding.after(state, slot, entry)
            assert paid == decided, (slot, entry)


@settings(max_examples=8, deadline=None)
@given(st.lists(tied_programs(), min_size=3, max_size=3))
def test_the_table_written_out_pays_what_step_pays(programs: list[Program]) -> None:
    given_ = [compared(apart(program), 3, 15) for program in programs]
    assert in_node(RUN, given_).endswith(" alike")


class TestIntegratedCare:
    """The program of the catalogue whose targets have too many states together: all of it is exact."""

    def test_its_targets_are_apart_and_one_milestone_reads_their_results(self) -> None:
        explored = explore(catalogue.program(LARGE))
        assert [explored.called(each) for each in explored.automata] == [
            "stimulants", "medication", "counselling", "intake",
        ]  # fmt: skip
        [tie] = explored.ties
        assert explored.rules.milestones[tie.milestone].name == "whole-week"
        assert explored.idle == {0, 1}

    def test_everything_met_is_the_most_there_is(self) -> None:
        program = catalogue.program(LARGE)
        explored = explore(program)
        found = maximum(explored, program.unit(None))
        assert (found.amount, found.bound, found.seen.events) == (50300, None, ("intake",))
        assert {*"".join(found.seen.words.values())} == {"-"}

    def test_the_mean_and_the_spread_are_those_that_step_comes_to(self) -> None:
        analysis = analyze(catalogue.program(LARGE), visitwise("0.8"))
        [figures] = analysis.figures
        assert analysis.simulation is None
        assert isclose(figures.distribution.mean, figures.moments.mean)
        assert isclose(figures.distribution.sd, figures.moments.sd)
        sample = sampled(explore(catalogue.program(LARGE)), visitwise("0.8"), participants=65_536).samples[0]
        assert abs(float(sample.mean - figures.moments.mean)) < 4 * sample.error

    def test_its_table_can_be_compiled(self) -> None:
        assert len(written(table_of(explore(catalogue.program(LARGE)))).encode()) < 500_000


class TestSumsThatAreTooMany:
    """Where sums in all states together are too many, they are sampled by table, and all else stays exact."""

    @pytest.fixture
    def analysis(self, monkeypatch: pytest.MonkeyPatch) -> Analysis:
        monkeypatch.setattr(exact, "MOST_WEIGHTS", 20)
        monkeypatch.setattr(summary, "explore", partial(explore, together=0))
        return analyze(SMALL, visitwise("0.8"))

    def test_the_mean_the_most_and_the_least_are_exact_and_the_rest_is_near(
        self, analysis: Analysis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.undo()
        explored = explore(SMALL)
        expected = [figures_of(explored, visitwise("0.8"), unit) for unit in explored.units]
        for found, figures in zip(analysis.figures, expected, strict=True):
            assert found.maximum == figures.maximum
            assert found.minimum.amount == figures.minimum.amount
            assert found.moments.mean == figures.moments.mean
            assert isclose(found.moments.sd, figures.moments.sd, rel_tol=0.02)

    def test_it_is_said_on_the_page_in_the_report_and_in_json(self, analysis: Analysis) -> None:
        written_to = StringIO()
        Console(width=200, file=written_to).print(page(analysis))
        assert "262,144 participants were simulated for what is between" in written_to.getvalue()
        assert "262,144 participants, as there are too many sums" in design_report(analysis)
        form = analysis_form(analysis)
        assert (form["exact"], form["simulated"]) == (False, 262_144)
        assert analysis.explored
        assert form["states"] == analysis.explored.size

    def test_what_is_proved_is_proved_all_the_same(self, analysis: Analysis) -> None:
        assert not [each for each in analysis.findings() if each.rule == "not-proved"]
