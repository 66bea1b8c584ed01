"""What a participant reads, and how exact an amount is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm_engine import catalogue, decide
from cm_engine.program.units import CURRENCY_DECIMALS, unit_named
from cm_engine.rules.reasons import CODES
from cm_engine.rules.sentences import WORDS, ordinal

CALIFORNIA = catalogue.program("california-recovery-incentives")


def sentences(word: str) -> list[str]:
    return [decision.sentence for decision in decide(CALIFORNIA, word).decisions]


def test_a_rise_is_said_with_what_comes_next() -> None:
    assert sentences("---")[2] == "Third negative test in a row: $11.50, up $1.50. Next negative: $11.50."


def test_a_lapse_is_said_without_blame_and_with_the_way_back() -> None:
    assert sentences("------+")[6] == (
        "Positive test: no reward this time, and the reward starts again at $10.00. "
        "After two negative tests in a row the reward goes back up to $13.00. Next negative: $10.00."
    )


def test_a_lapse_with_nothing_to_lose_says_so_little() -> None:
    assert sentences("+")[0] == "Positive test: no reward this time. Next negative: $10.00."


def test_no_way_back_is_promised_that_the_phase_has_no_visits_left_for() -> None:
    week_12 = "-" * 22 + "+-"
    assert "goes back up" not in sentences(week_12)[22]
    assert "goes back up" in sentences("-" * 20 + "+---")[20]


def test_a_hold_says_that_the_place_is_kept() -> None:
    assert sentences("---e")[3] == "Excused visit: no reward, and your place is kept. Next negative: $11.50."


def test_a_visit_that_was_not_due_is_no_absence() -> None:
    assert sentences("_")[0] == "No test was due. Next negative: $10.00."


def test_the_last_visit_says_that_it_is_the_last() -> None:
    assert sentences("-" * 36)[35].endswith("That was the last visit of the plan.")


@pytest.mark.parametrize(
    ("number", "word"),
    [(2, "Second"), (12, "Twelfth"), (13, "13th"), (21, "21st"), (22, "22nd"), (33, "33rd"), (111, "111th")],
)
def test_runs_are_counted_in_words(number: int, word: str) -> None:
    assert ordinal(number) == word


def test_every_behavior_has_words_for_every_outcome() -> None:
    assert {frozenset(words.outcomes) for words in WORDS.values()} == {frozenset("+oe*r")}


def test_every_kind_of_reason_has_a_code_of_its_own() -> None:
    assert len(set(CODES)) == len(CODES) == 10


@given(st.sampled_from(sorted(CURRENCY_DECIMALS)), st.integers(-(10**12), 10**12))
def test_an_amount_survives_the_way_to_minor_units_and_back(currency: str, minor: int) -> None:
    unit = unit_named(currency)
    assert unit.minor(unit.decimal(minor)) == minor
    assert Decimal(unit.plain(minor)) == unit.decimal(minor)
    _, _, decimals = unit.plain(minor).partition(".")
    assert len(decimals) == unit.decimals


@pytest.mark.parametrize(
    ("unit", "minor", "spoken"),
    [
        ("USD", 1150, "$11.50"),
        ("GBP", 5, "£0.05"),
        ("JPY", 500, "JPY 500"),
        ("KWD", 1500, "KWD 1.500"),
        ("draw", 1, "1 draw"),
        ("take-home dose", 2, "2 take-home doses"),
    ],
)
def test_amounts_are_written_as_people_read_them(unit: str, minor: int, spoken: str) -> None:
    assert unit_named(unit).spoken(minor) == spoken


def test_an_amount_finer_than_its_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="more decimals than USD"):
        unit_named("USD").minor(Decimal("0.001"))
