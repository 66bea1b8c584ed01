"""Endpoints: the published ones to the letter, what each word of their language does, and the laws that hold of all."""

import csv
from fractions import Fraction
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm_engine.endpoints import endpoints, parse_endpoints, set_names
from cm_engine.endpoints.telling import written
from cm_engine.outcomes import Compiled, Timeline, Value, Visits, timeline_of
from cm_engine.outcomes.courses import (
    course_of,
    last_result,
    last_result_until_drop_out,
    left_out,
    most_common_result,
    nearest_visits,
    planned,
)
from cm_engine.outcomes.measures import first_window, longest_run, share, total

PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "data" / "ctnote" / "endpoints.csv"
TRIAL = Compiled(endpoints("ctn-0094"))
COLUMNS = tuple(TRIAL.set.endpoints)

words = st.text("-+o*er_", max_size=40)
screens = st.text("-+o*", max_size=40)


@cache
def defined(definition: str) -> Compiled:
    """A set of one endpoint, called it."""
    text = f"{{says: It, source: own, {definition}}}"
    return Compiled(
        parse_endpoints(
            f"{{set: own, title: Own, sources: {{own: {{cite: ours}}}}, endpoints: {{it: {text}}}}}"
        )
    )


def measured(definition: str, word: str, **known: Any) -> Value:
    """What a definition comes to for a word."""
    return defined(definition).values(timeline_of(word, **known))["it"]


def published() -> list[dict[str, str]]:
    if not PUBLISHED.is_file():
        pytest.skip("the published endpoints of the trial are not beside the project")
    with PUBLISHED.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def is_same(value: Value, cell: str) -> bool:
    """Logical values, counts, times and events exactly; real numbers to 1e-9."""
    if isinstance(value, bool) or cell in {"TRUE", "FALSE"}:
        return written(value) == cell
    return (
        value is not None
        and abs(value - float(cell)) <= 1e-9
        and (not isinstance(value, int) or value == float(cell))
    )


def test_all_48_published_endpoints_of_2526_people_are_reproduced_exactly() -> None:
    rows = published()
    assert len(rows) == 2526
    assert list(rows[0])[2:] == list(COLUMNS)
    assert len(COLUMNS) == 48
    wrong = [
        (row["who"], name, row[name], value)
        for row in rows
        for name, value in TRIAL.values(timeline_of(row["use_pattern"])).items()
        if not is_same(value, row[name])
    ]
    assert wrong == []


def test_each_published_endpoint_depends_on_what_was_seen() -> None:
    seen = {
        name: {TRIAL.values(timeline_of(word))[name] for word in ("-" * 15, "+" * 15)} for name in COLUMNS
    }
    alike = {name for name, values in seen.items() if len(values) == 1}
    assert alike == {"DrT_ctnNinetyFour_2023", "DrE_ctnNinetyFour_2023"}  # those look at missing visits only


def test_every_shipped_endpoint_has_a_source_that_can_be_looked_up() -> None:
    for name in set_names():
        chosen = endpoints(name)
        assert {each.source for each in chosen.endpoints.values()} == set(chosen.sources)


@pytest.mark.parametrize(
    ("definition", "word", "value"),
    [
        ("missing: positive, count: negative", "-o+*", 1),
        ("missing: kept, count: [negative, mixed]", "-o+*", 2),
        ("missing: kept, count: {negative: 1, mixed: 0.5}", "-o+*", 1.5),
        ("missing: kept, share: negative", "-o+*", 0.25),
        ("missing: left out, share: negative", "-o+*-", 0.5),
        ("missing: left out, share: negative", "oo", None),
        ("missing: left out, share: negative, of_nothing: 0", "oo", 0),
        ("missing: kept, share: negative, times: 100", "-o", 50),
        ("missing: kept, share: positive, subtract_from: 1", "-o+-", 0.75),
        ("missing: left out, count: positive, subtract_from: visits", "-oo+-", 2),
        ("missing: kept, run: negative", "--o-+", 2),
        ("missing: left out, run: negative", "--o-+", 3),
        ("missing: kept, run: [negative, missing]", "--o-+", 4),
        ("missing: kept, run: negative, at_least: 3", "--o--", False),
        ("missing: kept, run: negative, at_most: 2", "--o--", True),
        ("missing: kept, mixed: positive, run: positive", "-+*+", 3),
        ("missing: positive, time_to: positive", "--o-", 3),
        ("missing: positive, time_to: positive", "----", 4),
        ("missing: positive, time_to: {of: positive, count: 2}", "----", 3),
        ("missing: positive, time_to: {of: positive, count: 2}", "-", None),
        ("missing: kept, time_to: {of: positive, count: 2, window: 3}", "-+-+-", 2),
        ("missing: kept, time_to: {of: positive, count: 2, window: 3}", "-+--+-", 4),
        ("missing: kept, steps: [{keep: 3-}], time_to: positive", "+--+", 4),
        ("missing: kept, last: given", "-o*oo", 3),
        ("missing: kept, last: given", "ooo", 0),
        ("missing: kept, last: given, at_least: 3", "-o*oo", True),
        ("missing: kept, steps: [{until: given}], share: negative", "-o+ooo", 1 / 3),
        ("missing: kept, steps: [{keep: 2}], count: any", "-o+", 1),
        ("missing: kept, steps: [{keep: 2-9}], count: any", "-o+", 2),
        ("missing: left out, steps: [{keep: 1-2}], count: positive", "-o+", 1),
        ("missing: kept, steps: [{planned: [1-2, 4]}], count: any", "-+++", 3),
        ("missing: kept, steps: [{planned: [1, 3], others: previous}], count: negative", "-+-+", 4),
        ("missing: last result, count: negative", "o-oo+", 3),
        ("missing: [last result, positive], count: positive", "o-oo+", 2),
        ("missing: last result until drop-out, count: missing", "-o-oo", 2),
        ("missing: most common result, count: negative", "-o-+", 3),
        ("missing: nearest visits, count: mixed", "-o+o-", 2),
        ("missing: kept, refused: positive, count: positive", "r+", 2),
        ("missing: kept, count: missing", "reo", 3),
        ("missing: kept, excused: left out, share: negative", "e-", 1),
        ("missing: kept, share: negative", "_-_", 1),
        ("missing: kept, run: negative", "-_-", 2),
        ("missing: kept, time_to: positive", "_-_+", 4),
        ("missing: kept, score: {worth: positive, weights: {1-2: 1, 3: 2}}, times: 100", "+-+", 75),
        ("missing: kept, score: {worth: positive, weights: {1: 2}, unweighted: {missing: 0.5}}", "o", 0.25),
        ("missing: kept, count: negative, provided: {last: given, at_least: 2}, otherwise: -1", "-", -1),
        ("missing: kept, count: negative, provided: {last: given, at_least: 2}, otherwise: -1", "--", 2),
        ("missing: kept, steps: [{keep: 1}], count: negative, provided: {last: given, at_least: 2}", "--", 1),
        ("missing: kept, all: [{count: negative, at_least: 1}, {count: positive, at_most: 0}]", "-o", True),
        ("missing: kept, all: [{count: negative, at_least: 1}, {count: positive, at_most: 0}]", "-+", False),
        ("missing: kept, all: [{steps: [{keep: 2}], count: negative, at_least: 1}]", "+-", True),
    ],
)
def test_a_word_of_the_language_does_what_it_says(definition: str, word: str, value: Value) -> None:
    found = measured(definition, word)
    assert found == (pytest.approx(value) if isinstance(value, float) else value)
    assert isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    ("definition", "days", "value"),
    [
        ("missing: positive, time_to: positive, unit: days", (0, 3, 8, 10), 8),
        ("missing: kept, time_to: {of: positive, count: 2}, unit: days", (0, 3, 8, 10), 8),
        ("missing: kept, run: negative, unit: days", (0, 3, 8, 10), 4),
        ("missing: kept, last: given, unit: days", (0, 3, 8, 10), 10),
        ("missing: kept, last: negative, unit: days", (2, 3, 8, 10), 3),
        ("missing: kept, last: negative, unit: days", None, None),
    ],
)
def test_times_are_told_in_days_where_visits_have_days(
    definition: str, days: tuple[int, ...] | None, value: Value
) -> None:
    timeline = Timeline({"": Visits("--++", days)})
    assert defined(definition).values(timeline) == {"it": value}


def test_an_endpoint_of_another_target_has_no_value_where_nobody_knows_of_it() -> None:
    definition = "missing: kept, target: attendance, count: negative"
    assert measured(definition, "--", target="attendance") == 2
    assert measured(definition, "--", target="smoking") is None


def test_the_participant_of_the_description_comes_out_as_worked_by_hand() -> None:
    found = TRIAL.values(timeline_of("*---oo-o-o-o+oo"))
    assert found["Rd_fiellin_2006"] == 6.5 / 15
    assert found["Rd_fudala_2003"] == 0.8125
    assert (found["RsT_ctnNinetyFour_2023"], found["RsE_ctnNinetyFour_2023"]) == (12, 1)
    assert (found["DrT_ctnNinetyFour_2023"], found["DrE_ctnNinetyFour_2023"]) == (12, 0)
    assert found["Rd_lingA_1976"] == pytest.approx(
        120 - 120 * Fraction("0.5") / 45 - 120 * (7 * 0.22 + 5) / 45
    )


@given(words)
def test_every_word_has_a_value_for_every_endpoint_or_says_that_it_has_none(word: str) -> None:
    for name, value in TRIAL.values(timeline_of(word)).items():
        endpoint = TRIAL.set.endpoints[name]
        if value is None:
            assert endpoint.time_to or endpoint.event_of
        elif endpoint.share and not isinstance(value, bool):
            assert 0 <= value <= 1
        elif endpoint.time_to:
            assert 1 <= value <= len(word)


@given(words)
def test_an_event_is_found_exactly_where_its_time_says(word: str) -> None:
    found = TRIAL.values(timeline_of(word))
    for time, event in (
        ("RsT_ctnNinetyFour_2023", "RsE_ctnNinetyFour_2023"),
        ("AbT_mokri_2016", "AbE_mokri_2016"),
    ):
        assert (found[time] is None) == (found[event] is None)
    if found["AbT_mokri_2016"] is not None:
        assert found["AbE_mokri_2016"] == int(any(symbol in "+o*re" for symbol in word))


@given(screens)
def test_a_worse_result_never_makes_a_longer_abstinence_or_a_larger_share(word: str) -> None:
    best = TRIAL.values(timeline_of(word))
    for index, symbol in enumerate(word[:15]):
        if symbol == "-":
            worse = TRIAL.values(timeline_of(f"{word[:index]}+{word[index + 1 :]}"))
            for name in ("Ab_schottenfeldB_2008", "Ab_fiellin_2006", "Rd_fiellin_2006", "Rd_lingA_1976"):
                assert float(worse[name] or 0) <= float(best[name] or 0)


@given(words)
def test_visits_that_were_not_required_count_for_nothing_but_their_place(word: str) -> None:
    without = word.replace("_", "")
    for definition in ("run: negative", "share: negative", "count: {negative: 1, mixed: 0.5}"):
        assert measured(f"missing: kept, {definition}", word) == measured(
            f"missing: kept, {definition}", without
        )


@given(screens)
def test_imputation_fills_only_what_is_missing(word: str) -> None:
    for fill in (last_result, last_result_until_drop_out, most_common_result, nearest_visits):
        filled = fill(course_of(word)).word
        assert len(filled) == len(word)
        assert all(after == before for before, after in zip(word, filled, strict=True) if before != "o")
        assert fill(course_of(filled)).word == filled or fill is nearest_visits


@given(screens)
def test_until_drop_out_is_the_last_result_and_leaves_the_end_as_it_was(word: str) -> None:
    seen = len(word.rstrip("o"))
    all_filled, until = last_result(course_of(word)).word, last_result_until_drop_out(course_of(word)).word
    assert until == all_filled[:seen] + word[seen:]


@pytest.mark.parametrize(("before", "after"), list(product("-*+", repeat=2)))
def test_the_nearest_visits_have_a_mean_that_is_rounded_to_the_more_positive(before: str, after: str) -> None:
    worth = {"-": 0.0, "*": 0.5, "+": 1.0}
    mean = (worth[before] + worth[after]) / 2
    nearest = min(worth, key=lambda each: (abs(worth[each] - mean), -worth[each]))
    assert nearest_visits(course_of(f"{before}o{after}")).word[1] == nearest


@given(words, st.text("-+o*er_", max_size=2))
def test_what_is_left_out_keeps_the_places_of_the_others(word: str, symbols: str) -> None:
    course = left_out(course_of(word), symbols)
    assert [word[place - 1] for place in course.at] == list(course.word)
    assert not set(course.word) & set(symbols)


@given(screens, st.sets(st.integers(1, 40)))
def test_a_plan_of_fewer_visits_keeps_those_that_it_has(word: str, visits: set[int]) -> None:
    for carried in (True, False):
        found = planned(course_of(word), visits, carried=carried).word
        assert len(found) == len(word)
        assert all(found[number - 1] == word[number - 1] for number in visits if number <= len(word))


@given(screens, st.integers(1, 5), st.integers(0, 4))
def test_the_first_window_is_the_first_of_all_windows_that_have_enough(
    word: str, count: int, more: int
) -> None:
    window = count + more
    found = first_window(course_of(word), "+", count, window)
    starts = range(max(1, len(word) - window + 1))  # a word that is shorter is a window by itself
    whole = [start for start in starts if word[start : start + window].count("+") >= count]
    assert found.found == bool(whole)
    if whole:
        assert found.at == word.index("+", whole[0]) + 1
    else:
        assert found.at == (len(word) - window + 1 if len(word) >= window else None)


@given(screens)
def test_runs_shares_and_counts_are_what_they_are_by_hand(word: str) -> None:
    course = course_of(word)
    assert longest_run(course, "-") == max(n for n in range(len(word) + 1) if "-" * n in word)
    assert total(course, {"-": 1, "*": 0.5}) == sum({"-": 1, "*": 0.5}.get(symbol, 0) for symbol in word)
    by_hand = sum(symbol == "-" for symbol in word) / len(word) if word else None
    assert share(course, {"-": 1}) == by_hand


@given(st.lists(screens, max_size=20))
def test_people_are_measured_one_by_one_whoever_is_beside_them(cohort: list[str]) -> None:
    alone = [Compiled(TRIAL.set).values(timeline_of(word)) for word in cohort[:3]]
    assert [TRIAL.values(timeline_of(word)) for word in cohort][:3] == alone


def test_a_bound_is_reached_by_equality() -> None:
    assert measured("missing: kept, share: negative, at_least: 0.7", "-------+++") is True
    assert measured("missing: kept, share: negative, at_least: 2/3", "--+") is True
    assert (
        measured("missing: kept, share: {negative: 1, mixed: 0.5}, at_least: 0.7", "-" * 10 + "*++++") is True
    )
    assert measured("missing: kept, share: negative, at_least: 0.7", "------++++") is False
