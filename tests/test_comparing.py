"""Two programs compared say what deciding every short timeline by both says."""

import json
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm_engine import Program, ResultsError, catalogue, decide, parse_program
from cm_engine.analysis.tables import versus
from cm_engine.analysis.tables.versus import LAPSES, Versus, compare
from cm_engine.analysis.tables.versus_form import versus_form, versus_lines

VISITS = 4
COMMAND = Path(sys.executable).with_name("cm-engine")
RISING: dict[str, Any] = {"escalate": {"start": "10.00", "step": "2.00", "every": 1, "ceiling": "16.00"}}
RESET: dict[str, Any] = {"reset": {"on": ["positive", "missed"]}}


def a_program(schedule: dict[str, Any], *, visits: int = VISITS, target: str = "use", **more: Any) -> Program:
    document = {
        "program": "a-test",
        "version": "1",
        "title": "A test",
        "currency": "USD",
        "visits": [{"weeks": f"1-{visits}", "per_week": 1}],
        "targets": {target: {"behavior": "abstinence", "schedule": [{"weeks": f"1-{visits}", **schedule}]}},
        **more,
    }
    return parse_program(json.dumps(document))


def limited(amount: str, crossing: str = "truncate") -> dict[str, Any]:
    return {"limits": [{"amount": amount, "per": "episode", "crossing": crossing}]}


def paid(program: Program, word: str) -> list[dict[str, int]]:
    """What each visit of a word pays, by unit."""
    found = []
    for decision in decide(program, word).decisions:
        sums = Counter[str]()
        for award in decision.paid:
            sums[award.unit.name] += award.amount
        found.append({unit: amount for unit, amount in sums.items() if amount})
    return found


def shortest(former: Program, latter: Program, visits: int) -> int | None:
    """How long the shortest word is on which two programs pay differently."""
    found = [
        next(
            (
                at
                for at, pair in enumerate(zip(paid(former, word), paid(latter, word), strict=True), 1)
                if pair[0] != pair[1]
            ),
            None,
        )
        for word in map("".join, product("-+oe_", repeat=visits))
    ]
    return min((each for each in found if each), default=None)


def row_of(lapses: int) -> int:
    return max(least for least in LAPSES if least <= lapses)


def refuted(found: Versus, former: Program, latter: Program, visits: int) -> None:
    """Hold a comparison against every word of successes and positives."""
    met = found.met
    weight, differ, more = Counter[int](), Counter[int](), Counter[int]()
    for letters in product("-+", repeat=visits):
        word = "".join(letters)
        chance = met ** word.count("-") * (1 - met) ** word.count("+")
        one, other = paid(former, word), paid(latter, word)
        row = row_of(word.count("+"))
        weight[row] += chance  # type: ignore[assignment]
        differ[row] += chance * (one != other)  # type: ignore[assignment]
        gained = sum(each.get("USD", 0) for each in other) - sum(each.get("USD", 0) for each in one)
        more[row] += chance * gained  # type: ignore[assignment]
    share, error, rows = found.affected
    assert error == 0
    assert share == pytest.approx(float(sum(differ.values())))
    assert [row.least for row in rows] == sorted(row for row, chance in weight.items() if chance)
    for each in rows:
        assert each.share == pytest.approx(float(weight[each.least]))
        assert each.affected == pytest.approx(float(differ[each.least] / weight[each.least]))
        assert each.change["USD"] == pytest.approx(float(more[each.least] / weight[each.least]), abs=1e-6)


SCHEDULES = st.sampled_from(
    [
        {"fixed": "12.00"},
        {**RISING, **RESET},
        {**RISING, "reset": {"on": ["positive"]}},
        {**RISING, **RESET, "recover": {"after": 2, "paid": "next", "level": "last earned"}},
        {**RISING, **RESET, "recover": {"after": 1, "paid": "nth", "level": "last earned"}},
        {**RISING, **RESET, "bonus": {"amount": "5.00", "every": 3}},
    ]
)
LIMITS = st.sampled_from([{}, limited("38.00"), limited("30.00", "withhold"), limited("25.00", "stop")])


@settings(max_examples=8, deadline=None)
@given(SCHEDULES, LIMITS, SCHEDULES, LIMITS, st.sampled_from(["1/2", "0.8", "1"]))
def test_a_comparison_says_what_all_short_timelines_say(
    schedule: dict[str, Any], limits: dict[str, Any], other: dict[str, Any], others: dict[str, Any], met: str
) -> None:
    former, latter = a_program(schedule, **limits), a_program(other, **others)
    found = compare(former, latter, met=met)
    length = shortest(former, latter, VISITS)
    if found.first is None:
        assert length is None
    else:
        word = found.first.words["use"]
        assert len(word) == length == found.first.visit
        one, parted = paid(former, word), paid(latter, word)
        assert one[:-1] == parted[:-1]
        assert (one[-1], parted[-1]) == (dict(found.first.former), dict(found.first.latter))
    refuted(found, former, latter, VISITS)


@pytest.mark.parametrize("met", ["0.5", "0.9"])
def test_the_costs_are_those_of_all_timelines(met: str) -> None:
    former, latter = a_program({**RISING, **RESET}), a_program({"fixed": "12.00"}, **limited("45.00"))
    [change] = compare(former, latter, met=met).changes
    for program, most, mean in zip((former, latter), change.maximum, change.expected, strict=True):
        sums = {
            "".join(word): sum(each.get("USD", 0) for each in paid(program, "".join(word)))
            for word in product("-+", repeat=VISITS)
        }
        chance = Fraction(met)
        weights = {word: chance ** word.count("-") * (1 - chance) ** word.count("+") for word in sums}
        assert most == max(sums.values())
        assert float(mean) == pytest.approx(float(sum(sums[word] * weights[word] for word in sums)))


def test_a_program_does_not_differ_from_itself() -> None:
    program = catalogue.program("roll-1996-progressive")
    found = compare(program, program)
    assert found.first is None
    assert found.looked_at is None
    assert found.affected.share == 0
    assert list(found.notes()) == []


def test_a_lower_limit_shows_only_after_so_many_successes() -> None:
    former, latter = (
        a_program({"fixed": "12.00"}, **limited("48.00")),
        a_program({"fixed": "12.00"}, **limited("47.00")),
    )
    found = compare(former, latter)
    assert found.first is not None
    assert found.first.words == {"use": "----"}
    assert (found.first.former, found.first.latter) == ((("USD", 1200),), (("USD", 1100),))
    assert [row.affected for row in found.affected.rows] == [1, 0, 0]


def test_a_longer_plan_is_compared_as_far_as_the_shorter_goes_and_it_is_said() -> None:
    former, latter = a_program({"fixed": "12.00"}), a_program({"fixed": "12.00"}, visits=8)
    found = compare(former, latter)
    assert found.first is None
    assert found.notes() == ("use is planned 4 and 8 times; the first 4 are compared.",)
    assert found.changes[0].maximum == (4800, 9600)


def test_the_only_targets_are_compared_whatever_their_names() -> None:
    found = compare(a_program({"fixed": "12.00"}), a_program({"fixed": "13.00"}, target="other"))
    assert found.first is not None
    assert found.first.words == {"use": "-"}
    assert "other of a-test is compared with use of a-test, the only targets." in found.notes()


def test_a_target_that_only_one_has_counts_as_not_required_and_it_is_said() -> None:
    former = a_program({"fixed": "12.00"}, visits=3)
    attending = {"behavior": "attendance", "schedule": [{"weeks": "1-3", "fixed": "5.00"}]}
    using = {"behavior": "abstinence", "schedule": [{"weeks": "1-3", "fixed": "12.00"}]}
    both: dict[str, Any] = {"targets": {"visit": attending, "use": using}}
    latter = a_program({"fixed": "12.00"}, visits=3, **both, **limited("20.00"))
    found = compare(former, latter)
    assert found.first is not None
    assert found.first.words == {"use": "--"}
    assert found.first.latter == (("USD", 800),)
    assert "Only a-test has visit; beside the costs it is left out, as not required." in found.notes()


def test_another_specimen_that_only_one_of_them_asks_for_is_a_difference() -> None:
    schedule = [{"weeks": f"1-{VISITS}", **RISING, **RESET}]
    target = {"behavior": "abstinence", "retest": {"on": ["positive"]}, "schedule": schedule}
    found = compare(a_program({**RISING, **RESET}), a_program({}, targets={"use": target}), met="0.5")
    assert found.first is not None
    assert (found.first.words, found.first.waits) == ({"use": "+"}, (False, True))
    assert any(line.endswith("the second waits for another result.") for line in versus_lines(found))
    assert found.affected.share == 0  # a positive that is seen once more is a positive


def test_what_is_too_large_to_be_exact_is_a_sample_that_says_its_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    former, latter = a_program({**RISING, **RESET}), a_program({**RISING, **RESET}, **limited("45.00"))
    exact = compare(former, latter, met="0.7")
    monkeypatch.setattr(versus, "MOST_WEIGHTS", 1)
    sampled = compare(former, latter, met="0.7")
    assert 0 < sampled.affected.error < 0.01
    assert abs(sampled.affected.share - exact.affected.share) < 2 * sampled.affected.error
    assert compare(former, latter, met="0.7").affected == sampled.affected


def test_the_search_for_a_difference_that_is_given_up_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    program = catalogue.program("roll-1996-progressive")
    monkeypatch.setattr(versus, "MOST_PAIRS", 20)
    found = compare(program, program)
    assert found.first is None
    assert "results in a row were looked at for the first difference." in found.notes()[-1]


def cm_engine(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(COMMAND), *words], capture_output=True, text=True, check=False)


def test_the_command_prints_the_comparison_in_words_and_as_json() -> None:
    names = ("halpern-2015-individual", "volpp-2009-smoking")
    found = compare(*map(catalogue.program, names), met="0.9")
    assert cm_engine("compare", *names, "--p-met", "0.9").stdout.splitlines() == list(versus_lines(found))
    done = cm_engine("compare", *names, "--p-met", "0.9", "--json")
    assert json.loads(done.stdout) == versus_form(found)


def test_whom_it_concerns_says_that_draws_are_not_what_they_win() -> None:
    prize, voucher = (catalogue.program(name) for name in ("va-prize", "higgins-1994-voucher"))
    said = {
        former: any("draws count as draws" in line for line in versus_lines(compare(program, program)))
        for former, program in (("prize", prize), ("voucher", voucher))
    }
    assert said == {"prize": True, "voucher": False}


def test_who_does_not_meet_what_is_attended_has_not_come() -> None:
    text = """
program: sessions
version: "1"
title: Sessions
currency: USD
visits: [{weeks: 1-4, per_week: 1}]
targets:
  counselling:
    behavior: attendance
    schedule: [{weeks: 1-4, escalate: {start: 2.00, step: 1.00}, reset: {on: [RESETS]}}]
"""
    kept, set_back = (parse_program(text.replace("RESETS", each)) for each in ("refused", "missed"))
    found = compare(kept, set_back, met="0.5")
    assert found.affected.share == 5 / 16  # --o-, -o--, -o-o, -oo- and o-o-: an absence between two sessions
    assert found.first is not None
    assert found.first.words == {"counselling": "-o-"}


def test_a_chance_that_is_none_is_refused() -> None:
    program = a_program({"fixed": "12.00"})
    with pytest.raises(ResultsError, match="expected a chance from 0 to 1"):
        compare(program, program, met="2")
