"""What a participant reads, and how exact an amount is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm_engine import catalogue, decide, parse_program
from cm_engine.program.units import CURRENCY_DECIMALS, unit_named
from cm_engine.rules.reasons import CODES
from cm_engine.rules.sentences import ordinal
from cm_engine.rules.words import WORDS

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


def test_the_last_visit_of_a_phase_promises_nothing_that_the_phase_cannot_keep() -> None:
    assert sentences("-" * 23 + "+")[23] == (
        "Positive test: no reward this time. Weeks 13-18 begin with the next visit. Next negative: $15.00."
    )
    assert sentences("-" * 23 + "e")[23].startswith("Excused visit: no reward. Weeks 13-18 begin")
    assert sentences("-" * 24 + "+")[24].startswith("Positive test: no reward. Next negative")


def test_a_week_that_makes_a_rung_is_promised_back_only_where_recovery_brings_more_than_climbing() -> None:
    weekly = (
        "{start: 10, step: 2, every: week}, reset: {}, recover: {after: 6, paid: next, level: last earned}"
    )
    assert "goes back up" not in said(weekly, "----+")[4]
    assert (
        "After six negative tests in a row the reward goes back up to $20.00."
        in said(weekly, "-" * 12 + "+")[12]
    )


def test_a_recovery_that_changes_nothing_is_not_announced() -> None:
    nth = "{start: 1, step: 1, every: 2}, reset: {}, recover: {after: 1, paid: nth, level: next step}"
    assert said(nth, "-+-")[2] == "Negative test: $1.00. Next negative: $2.00."


def test_without_a_reset_nothing_is_said_to_be_in_a_row() -> None:
    assert (
        said("{start: 1, step: 1}", "--+-")[3]
        == "Third negative test: $3.00, up $1.00. Next negative: $4.00."
    )
    assert (
        said("{start: 1, step: 1}", "--+-")[2]
        == "Positive test: no reward, and your place is kept. Next negative: $3.00."
    )


def test_a_falling_reward_is_said_to_go_down() -> None:
    assert explained("descend: {start: 20, step: 5}", "--")[1] == (
        "Second negative test: $15.00, down $5.00. Next negative: $10.00."
    )


def test_a_missed_visit_of_a_paid_week_is_not_said_to_go_unpaid() -> None:
    weekly = "weekly: {all: 10, some: 5}"
    assert (
        explained(weekly, "-o")[1]
        == "Missed visit. 1 of 2 negative tests this week: $5.00. After two more negative tests: $10.00."
    )


def test_what_a_reward_still_takes_is_counted() -> None:
    take_home = "fixed: 1, unit: take-home dose, require: [3, 1], reset: {}"
    assert explained(take_home, "-+")[0] == (
        "Negative test, number 1 of the 3 for the next reward. After two more negative tests: 1 take-home dose."
    )


def test_nothing_is_promised_that_the_plan_has_no_visits_left_for() -> None:
    assert explained("fixed: 20, require: [5]", "-" * 20)[19].endswith("The next visit pays nothing.")


@pytest.mark.parametrize(
    ("crossing", "sentence"),
    [
        ("truncate", "The limit of $15.00 over the whole program leaves $5.00, and that is paid."),
        (
            "withhold",
            "The limit of $15.00 over the whole program does not leave enough, so nothing can be paid.",
        ),
        ("stop", "The limit of $15.00 over the whole program has stopped payments, so nothing can be paid."),
    ],
)
def test_a_limit_says_what_it_did(crossing: str, sentence: str) -> None:
    limits = f"[{{amount: 15, per: episode, crossing: {crossing}}}]"
    assert sentence in explained("fixed: 10", "--", limits)[1]


def test_a_window_of_rolling_days_is_said_in_days() -> None:
    limits = "[{amount: 15, per: rolling days, days: 30, crossing: truncate}]"
    assert "The limit of $15.00 per 30 days leaves $5.00" in explained("fixed: 10", "--", limits)[1]


def test_what_the_limits_leave_too_little_for_is_not_promised() -> None:
    rule = "{start: 10, step: 2}, reset: {}, recover: {after: 2, paid: next, level: last earned}"
    limit = "[{amount: 46, per: episode, crossing: truncate}]"
    limit_said = "The limit of $46.00 over the whole program"
    over = "Next negative: nothing, as a limit does not leave enough."
    assert said(rule, "-----+", limit)[3:] == [
        f"Fourth negative test in a row, worth $16.00. {limit_said} leaves $10.00, and that is paid. {over}",
        f"Fifth negative test in a row, worth $18.00. {limit_said} is reached, so nothing can be paid. {over}",
        f"Positive test: no reward this time. {over}",
    ]


def said(rule: str, word: str, limits: str = "[]") -> list[str]:
    return explained(f"escalate: {rule}", word, limits)


def explained(rule: str, word: str, limits: str = "[]") -> list[str]:
    """Return the sentences of twelve weeks, twice a week, by one phase."""
    program = parse_program(
        'program: a, version: "1", title: A, currency: USD, visits: [{weeks: 1-12, per_week: 2}], '
        f"targets: {{a: {{behavior: abstinence, schedule: [{{weeks: 1-12, {rule}}}]}}}}, limits: {limits}".join(
            "{}"
        )
    )
    return [decision.sentence for decision in decide(program, word).decisions]


def test_a_hold_says_that_the_place_is_kept() -> None:
    assert sentences("---e")[3] == "Excused visit: no reward, and your place is kept. Next negative: $11.50."


def test_a_visit_that_was_not_due_is_no_absence() -> None:
    assert sentences("_")[0] == "No test was due. Next negative: $10.00."


def test_the_last_visit_says_that_it_is_the_last() -> None:
    assert sentences("-" * 36)[35].endswith("That was the last one planned.")


@pytest.mark.parametrize(
    ("number", "word"),
    [(2, "Second"), (12, "Twelfth"), (13, "13th"), (21, "21st"), (22, "22nd"), (33, "33rd"), (111, "111th")],
)
def test_runs_are_counted_in_words(number: int, word: str) -> None:
    assert ordinal(number) == word


def test_every_behavior_has_words_for_every_outcome() -> None:
    assert {frozenset(words.outcomes) for words in WORDS.values()} == {frozenset("+oe*r")}


def test_every_kind_of_reason_has_a_code_of_its_own() -> None:
    assert len(set(CODES)) == len(CODES) == 37


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
        ("USD", -15000, "-$150.00"),
        ("draw", 1, "1 draw"),
        ("take-home dose", 2, "2 take-home doses"),
    ],
)
def test_amounts_are_written_as_people_read_them(unit: str, minor: int, spoken: str) -> None:
    assert unit_named(unit).spoken(minor) == spoken


def test_an_amount_finer_than_its_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="more decimals than USD"):
        unit_named("USD").minor(Decimal("0.001"))


def test_a_lapse_at_the_end_of_a_phase_names_no_start_where_the_next_one_carries_on_with_other_amounts() -> (
    None
):
    program = parse_program("""
program: two-phases
version: "1"
title: Two phases
currency: USD
visits: [{weeks: 1-2, per_week: 2}]
targets:
  stimulants:
    behavior: abstinence
    schedule:
      - {weeks: 1-1, escalate: {start: 5.00, step: 1.00}, reset: {}}
      - {weeks: 2-2, carry: true, escalate: {start: 2.00, step: 1.00}, reset: {}}
""")
    _, lapse, after = decide(program, "-+-").decisions
    assert lapse.sentence.startswith("Positive test: no reward this time. ")
    assert "starts again" not in lapse.sentence
    assert lapse.sentence.endswith("Next negative: $2.00.")
    assert str(after.awards["USD"]) == "2.00"
