"""What a cohort costs over an enrolment curve: exact, month by month; and what one would have earned elsewhere."""

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from fractions import Fraction
from io import StringIO
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from cm_engine import catalogue, compile_rules, decide, parse_program
from cm_engine.analysis import distribution, explore, markov, moments, visitwise
from cm_engine.analysis.cohorts.budget import budget
from cm_engine.analysis.cohorts.chooser import Stream
from cm_engine.analysis.cohorts.monthly import by_month
from cm_engine.analysis.cohorts.sums import Group, together
from cm_engine.analysis.cohorts.walks import Walk
from cm_engine.analysis.cohorts.whatif import Course, what_if
from cm_engine.analysis.distributions import Distribution
from cm_engine.cli import main
from cm_engine.errors import ReportError, ResultsError, UndatedError
from cm_engine.program.units import unit_named
from cm_engine.rules import Observation, initial_state, step
from cm_engine.rules.limits import When

VOUCHER, CALIFORNIA = "silverman-1996-voucher", "california-recovery-incentives"


def by_words(name: str, met: Fraction) -> dict[int, Fraction]:
    """Return how likely each sum is for one participant, from every word of results there is."""
    program = catalogue.program(name)
    [target] = compile_rules(program).targets
    chances: dict[int, Fraction] = {}
    for word in product("-+", repeat=len(target.visits)):
        paid = sum(decide(program, "".join(word)).sums.values())
        chance = met ** word.count("-") * (1 - met) ** word.count("+")
        chances[paid] = chances.get(paid, Fraction(0)) + chance
    return chances


def added(one: dict[int, Fraction], other: dict[int, Fraction]) -> dict[int, Fraction]:
    found: dict[int, Fraction] = {}
    for (first, chance), (second, likewise) in product(one.items(), other.items()):
        found[first + second] = found.get(first + second, Fraction(0)) + chance * likewise
    return found


@pytest.mark.parametrize("name", ["hptn-065", "volpp-2009-smoking", "cpit-pregnancy"])
def test_what_several_participants_cost_is_the_sum_over_every_word_of_each(name: str) -> None:
    one = by_words(name, Fraction(7, 10))
    exact = one
    for _ in range(3):
        exact = added(exact, one)
    found = budget(catalogue.program(name), visitwise("0.7"), [3, 0, 1]).total
    chances = dict(zip(found.distribution.sums.tolist(), found.distribution.chances.tolist(), strict=True))
    assert all(abs(chances.get(amount, 0) - float(chance)) < 1e-14 for amount, chance in exact.items())
    assert all(chance < 1e-14 for amount, chance in chances.items() if amount not in exact)
    assert found.error < 1e-13
    for sure in (0.5, 0.9, 0.99):
        amounts, upto = sorted(exact), Fraction(0)
        least = next(amount for amount in amounts if (upto := upto + exact[amount]) >= Fraction(str(sure)))
        assert found.quantile(sure) == least


def test_a_cohort_costs_what_its_participants_cost_on_average_and_spreads_by_the_root() -> None:
    program, behavior = catalogue.program(VOUCHER), markov("0.1", "0.4")
    exact = moments(explore(program), behavior, program.unit(None))
    found = budget(program, behavior, [400, 300, 300])
    assert found.total.mean == pytest.approx(float(exact.mean) * 1000)
    assert found.total.sd == pytest.approx(exact.sd * sqrt(1000))
    assert found.total.distribution.mean == pytest.approx(found.total.mean)
    assert found.total.distribution.sd == pytest.approx(found.total.sd)
    assert sum(month.paid.mean for month in found.months) == pytest.approx(found.total.mean)
    assert found.error < 1e-11


@pytest.mark.parametrize(
    "name", [VOUCHER, CALIFORNIA, "va-prize", "halpern-2015-deposit", "higgins-1994-voucher"]
)
def test_a_plan_taken_for_one_month_is_the_whole_distribution(name: str) -> None:
    explored = explore(catalogue.program(name))
    for unit in explored.units:
        one = by_month(explored, visitwise("0.6"), unit, lambda _: 0)[0]
        whole = distribution(explored, visitwise("0.6"), unit)
        amounts = np.union1d(one.sums, whole.sums).tolist()
        assert all(one.at_most(each) == pytest.approx(whole.at_most(each), abs=1e-11) for each in amounts)


@pytest.mark.parametrize("name", [CALIFORNIA, "va-prize", "template-medication-adherence"])
def test_each_month_of_a_participant_is_as_simulated_but_for_chance(name: str) -> None:
    explored = explore(catalogue.program(name), start=date(2026, 9, 1))
    unit, behavior, count = explored.units[0], visitwise("0.8"), 16_384

    def month(when: When) -> int:
        assert when.on is not None
        return 12 * when.on.year + when.on.month

    paid = {number: np.zeros(count, dtype=np.int64) for number in by_month(explored, behavior, unit, month)}
    for moment in Walk(explored, behavior).block(Stream(4, 0), count):
        for place, amounts in moment.paid:
            if place == 0:
                paid[month(explored.when(moment.slot))] += amounts
    for number, each in by_month(explored, behavior, unit, month).items():
        assert abs(each.mean - paid[number].mean()) <= 4 * each.sd / sqrt(count)
        spread = each.quantile(0.88), each.quantile(0.92)
        assert spread[0] <= np.quantile(paid[number], 0.9, method="inverted_cdf") <= spread[1]


def test_a_hundred_thousand_participants_are_no_normal_curve_and_off_by_next_to_nothing() -> None:
    unit = unit_named("USD")
    rare = Distribution(unit, np.array([0, 100_000]), np.array([0.999, 0.001]))
    found = together(unit, [Group(rare, 100_000)])
    assert found.mean == pytest.approx(100_000 * 100)
    assert found.error < 1e-9
    assert found.distribution.at_most(found.quantile(0.9)) >= 0.9
    assert found.distribution.at_most(found.quantile(0.9) - 1) < 0.9
    zero = 0.999**100
    few = together(unit, [Group(rare, 100)])
    assert few.distribution.at_most(0) == pytest.approx(zero, abs=1e-13)


def test_those_of_a_quarter_start_over_its_months() -> None:
    program, behavior = catalogue.program("cpit-pregnancy"), visitwise(1)
    by_quarter = budget(program, behavior, [7], every="quarter")
    assert [month.enrolling for month in by_quarter.months][:3] == [3, 2, 2]
    assert by_quarter.total.mean == budget(program, behavior, [3, 2, 2]).total.mean


def test_months_are_those_of_the_calendar_where_there_is_a_start() -> None:
    found = budget(catalogue.program(VOUCHER), visitwise("0.8"), [1, 1], start=date(2026, 11, 20))
    begins = [month.begins for month in found.months]
    assert begins[:3] == [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)]
    assert found.participants == 2


YEARLY = """
program: yearly-limit
version: "1"
title: Twelve weeks, and at most $50 a calendar year
currency: USD
visits: [{weeks: 1-12, per_week: 1}]
targets:
  stimulants:
    behavior: abstinence
    schedule:
      - weeks: 1-12
        escalate: {start: 10.00, step: 1.00}
        reset: {}
limits: [{amount: 50.00, per: calendar year, crossing: truncate}]
"""


def test_a_limit_of_the_calendar_year_counts_in_the_years_that_participants_come_to() -> None:
    program, behavior = parse_program(YEARLY), visitwise(1)
    early, late = (budget(program, behavior, [1], start=date(2026, month, 1)) for month in (6, 12))
    assert (early.total.mean, late.total.mean) == (5000, 5000 + 5000)
    assert [month.paid.mean for month in late.months] == [5000, 5000, 0]


def test_a_program_with_too_many_states_is_budgeted_from_simulated_participants_and_says_so() -> None:
    found = budget(catalogue.program("cpit-pregnancy"), visitwise("0.5"), [5], most=1)
    exact = budget(catalogue.program("cpit-pregnancy"), visitwise("0.5"), [5])
    assert (found.sampled, exact.sampled) == (2000, 0)
    assert abs(found.total.mean / exact.total.mean - 1) < 0.1


@pytest.mark.parametrize(
    ("curve", "every", "says"),
    [
        ([], "month", "curve: expected how many participants start in each month, one at least in all, got"),
        ([3, -1], "quarter", "curve: expected how many participants start in each quarter"),
        ([1], "year", "every: expected month or quarter, got 'year'"),
    ],
)
def test_no_curve_is_refused(curve: list[int], every: str, says: str) -> None:
    with pytest.raises(ReportError, match=says):
        budget(catalogue.program(VOUCHER), visitwise(1), curve, every=every)


def test_what_trial_participants_would_have_earned_is_what_step_decides(shared_data: Path) -> None:
    found = replayed(
        CALIFORNIA, "--file", shared_data / "ctnote" / "endpoints.csv", "--columns", "who,use_pattern"
    )
    rules = compile_rules(catalogue.program(CALIFORNIA))
    lines = (shared_data / "ctnote" / "endpoints.csv").read_text("utf-8").splitlines()[1:]
    words = dict(line.split(",")[:2] for line in lines)
    assert len(found["earned"]) == len(words) == 2526
    total = 0
    for each in found["earned"]:
        state, paid = initial_state(rules), 0
        for symbol in words[each["participant"]][: each["visits"]]:
            state, decision = step(rules, state, Observation(symbol), foretell=False)
            paid += decision.paid[0].amount
        assert each["totals"].get("USD", "0.00") == f"{paid / 100:.2f}"
        total += paid
    assert found["units"]["USD"]["total"] == f"{total / 100:.2f}"


class Done(NamedTuple):
    """What a command wrote, and its exit status."""

    status: int
    out: str
    err: str


def ran(*words: object) -> Done:
    """Run a command in this process."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["cm-engine", *map(str, words)])
        with pytest.raises(SystemExit) as exit_:
            main()
    return Done(int(exit_.value.code or 0), out.getvalue(), err.getvalue())


def replayed(program: str, *words: object) -> dict[str, Any]:
    done = ran("what-if", program, *words, "--json")
    assert not done.status, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_draws_are_told_with_what_they_win_on_average() -> None:
    found = what_if(catalogue.program("va-prize"), [Course("p-1", {"abstinence": "--"})])
    assert {unit.name: found.total(unit) for unit in found.units} == {"draw": 3}
    assert found.prizes == Fraction(3 * 363752, 164 * 10)


def test_a_wrong_line_of_a_file_is_told_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "real.csv"
    file.write_text("participant,results\np-1,--x\np-1,--\n", "utf-8")
    done = ran("what-if", VOUCHER, "--file", file)
    assert done.status == 2
    assert f"{file}:2:5: error: results: participant p-1: result 3 is 'x'" in done.err
    assert "Traceback" not in done.err


def test_who_is_asked_of_nobody_is_refused() -> None:
    with pytest.raises(ReportError, match="expected the results of one participant at least, got none"):
        what_if(catalogue.program(VOUCHER), [])
    with pytest.raises(ResultsError, match="participant p-7: result 1 is 'x'"):
        what_if(catalogue.program(VOUCHER), [Course("p-7", {"cocaine": "x"})])


def test_a_rule_of_dates_asks_for_a_start() -> None:
    program = catalogue.program("template-job-school-housing")
    if compile_rules(program).needs_start:
        with pytest.raises(UndatedError):
            what_if(program, [Course("p-1", {next(iter(program.targets)): "-"})])


def test_the_commands_print_amounts_as_exact_decimals() -> None:
    done = ran("simulate", VOUCHER, "--participants", 500, "--p-met", "1", "--seed", 3, "--json")
    units = json.loads(done.out)["units"]["USD"]
    assert (units["mean"], units["error"], units["quantiles"]["0.95"]) == ("1155.00", "0.00", "1155.00")
    done = ran("budget", VOUCHER, "--participants", 4, "--p-met", "1", "--sure", "0.95", "--json")
    found = json.loads(done.out)
    assert (found["total"]["expected"], found["total"]["within"]) == ("4620.00", "4620.00")
    assert sum(float(month["expected"]) for month in found["months"]) == 4620
    assert found["exact"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("simulate", VOUCHER, "--participants", 0), "--participants: expected 1 or more, got 0"),
        (("simulate", VOUCHER, "--workers", 0), "--workers: expected 1 or more, got 0"),
        (("budget", VOUCHER), "expected --participants N or --enrol CURVE, one of them"),
        (("budget", VOUCHER, "--enrol", "3,x"), "--enrol: expected how many start in each month, such as"),
        (("budget", VOUCHER, "--enrol", "3", "--sure", "2"), "expected a chance from 0 to 1"),
        (("what-if", VOUCHER, "--file", "none.csv"), "none.csv: cannot be read"),
        (("what-if", VOUCHER, "--file", "x", "--columns", "a"), "--columns: expected two names"),
    ],
)
def test_what_commands_cannot_do_is_refused_in_one_line(words: tuple[object, ...], says: str) -> None:
    done = ran(*words)
    assert done.status == 2
    assert says in done.err
    assert "Traceback" not in done.err
