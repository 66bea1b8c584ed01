"""Corrections by hand: exact amounts before and after, and what became of what was given too much."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm_engine import CmEngineError, Evidence, Program, catalogue, decide, parse_program
from cm_engine.acts.reported import Amendment, Report
from cm_engine.engine import Engine
from cm_engine.errors import (
    BalanceError,
    CorrectionError,
    KeyConflictError,
    RecordNotFoundError,
    ReportError,
    ResultsError,
)
from cm_engine.rules.prizes import Drawn
from tests.durable_model import ZONE, Desk, opened

START = date(2026, 1, 5)
NOW = datetime(2027, 6, 1, tzinfo=UTC)
CALIFORNIA = "california-recovery-incentives"
CLIMB = "escalate: {start: 10, step: 5}, reset: {}"


def fresh() -> Engine:
    return opened("memory", Path(), lambda: NOW)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with fresh() as found:
        yield found


def program(schedule: str = CLIMB, rest: str = "", *, weeks: str = "1-6") -> Program:
    """One target, twice a week."""
    return parse_program(
        f'{{program: example, version: "1", title: Example, currency: USD, visits: [{{weeks: {weeks}, per_week: 2}}],'
        f" targets: {{tests: {{behavior: abstinence, schedule: [{{weeks: {weeks}, {schedule}}}]}}}}{rest and f', {rest}'}}}"
    )


def day(number: int) -> date:
    """The day of January 2026; its days go on into February."""
    return date(2025, 12, 31) + timedelta(number)


def is_clean(desk: Desk) -> bool:
    found = desk.engine.verify()
    assert found.is_clean, [str(each) for each in found.differences]
    return True


# The California program: one positive in the middle of a run.


def test_a_negative_that_was_a_positive_lowers_every_reward_after_it_and_the_difference_is_absorbed(
    engine: Engine,
) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("-----------")
    assert desk.places() == {"awarded": "147.50", "in_flight": "147.50"}

    done = desk.amend(7, result="+")

    assert desk.paid() == [
        "10.00", "10.00", "11.50", "11.50", "13.00", "13.00", "0.00", "10.00", "10.00", "13.00", "14.50",
    ]  # fmt: skip
    assert desk.places() == {"awarded": "116.50", "in_flight": "147.50", "absorbed": "31.00"}
    assert (done.record, done.decision and done.decision.record, done.outcome) == (12, 7, "+")
    assert [each.record for each in done.corrected] == [8, 9, 10, 11]
    assert done.payable == {}
    assert is_clean(desk)


def test_the_run_goes_on_from_where_the_correction_left_it(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("-----------")
    desk.amend(7, result="+")
    [after] = desk.word("-")
    assert after.payable == {"USD": Decimal("14.50")}
    assert desk.places() == {"awarded": "131.00", "in_flight": "162.00", "absorbed": "31.00"}


def test_a_correction_that_is_taken_back_pays_only_what_was_never_given(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("-----------")
    desk.amend(7, result="+")
    desk.word("-")

    done = desk.amend(7, result="-")

    assert desk.paid()[6:] == ["14.50", "14.50", "16.00", "16.00", "17.50", "17.50"]
    assert done.payable == {"USD": Decimal("3.00")}
    assert desk.places() == {"awarded": "165.00", "in_flight": "165.00"}
    assert is_clean(desk)


def test_a_statement_tells_of_each_correction_which_line_it_takes_the_place_of(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("---")
    desk.amend(2, result="+")
    lines = engine.statement(enrollment=desk.id).lines
    assert [(line.number, line.corrects, str(line.amounts.get("USD", 0))) for line in lines] == [
        (1, 0, "10.00"),
        (2, 0, "10.00"),
        (3, 0, "11.50"),
        (4, 2, "0.00"),
        (5, 3, "0.00"),
    ]
    assert desk.text().splitlines()[-1] == (
        "In all $20.00 awarded; $31.50 given, or on the way; $11.50 of it given too much, which the program bears"
    )
    assert "visit 2, instead of line 2: nothing" in desk.text()


def lines_of(desk: Desk) -> list[tuple[int, int, int, str]]:
    """Each line of a statement: its number, the one whose place it takes, its visit, and what it adds."""
    lines = desk.engine.statement(enrollment=desk.id).lines
    return [(each.number, each.corrects, each.visit, str(each.amounts.get("USD", 0))) for each in lines]


def adds_up(desk: Desk) -> bool:
    """Whether the lines of a statement add up to what is owed, on its way and handed over, and to their own sum."""
    statement, balance = desk.engine.statement(enrollment=desk.id), desk.balance()
    in_all = sum((line.amounts.get("USD", Decimal(0)) for line in statement.lines), Decimal(0))
    assert in_all == statement.lines[-1].so_far["USD"] == balance.owed + balance.in_flight + balance.issued
    return True


def test_a_statement_shows_only_what_a_correction_changed_where_a_shared_limit_has_all_decided_again(
    engine: Engine,
) -> None:
    limit = "{amount: 300, per: calendar year, payer: county, crossing: truncate}"
    desk = Desk(engine, program("fixed: 40", f"limits: [{limit}]"))
    desk.word("----")
    done = desk.amend(2, result="+")
    assert [each.visit for each in done.corrected] == [3, 4]
    assert lines_of(desk) == [(1, 0, 1, "40.00"), (2, 0, 2, "40.00"), (3, 0, 3, "40.00"), (4, 0, 4, "40.00"), (5, 2, 2, "0.00")]  # fmt: skip
    assert [each.split()[0] for each in desk.text().splitlines()[1:-1]] == ["1", "2", "3", "4", "5"]
    assert adds_up(desk)
    assert is_clean(desk)


def test_a_visit_whose_words_alone_changed_is_one_line_with_the_words_that_hold_now(engine: Engine) -> None:
    desk = Desk(engine, program("escalate: {start: 10, step: 5, ceiling: 15}, reset: {}"))
    desk.word("----")
    first = engine.statement(enrollment=desk.id).lines
    done = desk.amend(1, result="+")
    assert [each.visit for each in done.corrected] == [2, 3, 4]
    assert [each[:3] for each in lines_of(desk)] == [
        (1, 0, 1),
        (2, 0, 2),
        (3, 0, 3),
        (4, 0, 4),
        (5, 1, 1),
        (6, 2, 2),
    ]
    lines = engine.statement(enrollment=desk.id).lines
    assert first[2].sentence.startswith("Third negative test in a row: $15.00.")
    assert lines[2].sentence.startswith("Second negative test in a row: $15.00, up $5.00.")
    assert "Second negative test in a row: $15.00, up $5.00." in desk.text().splitlines()[3]
    assert (lines[2].number, lines[2].latest, lines[2].awards) == (3, 7, first[2].awards)
    assert adds_up(desk)


def test_the_last_line_of_a_statement_promises_what_the_next_visit_pays_after_a_correction(
    engine: Engine,
) -> None:
    desk = Desk(
        engine,
        program(
            "escalate: {start: 10, step: 5}, reset: {}, recover: {after: 1, paid: next, level: next step}"
        ),
    )
    desk.word("---+")
    assert "goes back up to $25.00" in engine.statement(enrollment=desk.id).lines[3].sentence
    desk.amend(1, result="+")
    lines = engine.statement(enrollment=desk.id).lines
    assert [each.corrects for each in lines] == [0, 0, 0, 0, 1, 2, 3]
    assert "goes back up to $20.00" in lines[3].sentence


def test_what_a_statement_says_was_settled_stays_said_when_the_visit_is_decided_again(engine: Engine) -> None:
    rest = "payout: {overpaid: offset}"
    desk = Desk(engine, program("escalate: {start: 10, step: 5, ceiling: 15}, reset: {}", rest))
    desk.word("----")
    desk.amend(4, result="e")
    desk.word("-")
    settled = "$15.00 of it settles what an earlier correction left given too much."
    before = engine.statement(enrollment=desk.id).lines[-1]
    assert before.sentence.startswith("Fourth negative test in a row: $15.00.")
    assert before.sentence.endswith(settled)
    desk.amend(1, result="+")
    after = next(each for each in engine.statement(enrollment=desk.id).lines if each.number == before.number)
    assert after.latest > before.number
    assert after.sentence.startswith("Third negative test in a row: $15.00.")
    assert after.sentence.endswith(settled)
    assert adds_up(desk)
    assert is_clean(desk)


def test_a_visit_that_reads_otherwise_is_shown_though_it_pays_as_little_as_before(engine: Engine) -> None:
    desk = Desk(engine, program("fixed: 10"))
    desk.word("-+-")
    desk.amend(2, result="o")
    lines = engine.statement(enrollment=desk.id).lines
    assert [(each.number, each.corrects, each.outcome) for each in lines] == [(1, 0, "-"), (2, 0, "+"), (3, 0, "-"), (4, 2, "o")]  # fmt: skip
    assert lines[-1].before == lines[1]
    assert (
        desk.text()
        .splitlines()[4]
        .startswith("   4  08 Jan 2026  visit 2, instead of line 2: nothing, as before. Missed")
    )


def test_visits_that_move_up_after_a_withdrawal_are_shown_with_the_visit_they_were(engine: Engine) -> None:
    desk = Desk(engine, program("fixed: 10"))
    desk.word("---")
    desk.void(1)
    lines = engine.statement(enrollment=desk.id).lines
    moved = [(each.visit, each.before.visit) for each in lines if each.before and each.outcome == "-"]
    assert moved == [(1, 2), (2, 3)]
    assert [each.corrects for each in lines if each.outcome == "withdrawn"] == [1]


def test_another_day_is_a_change_of_a_line_and_the_same_result_once_more_is_none(engine: Engine) -> None:
    desk = Desk(engine, program("fixed: 10"))
    desk.word("-")
    desk.amend(1, result="-")
    assert [each.number for each in engine.statement(enrollment=desk.id).lines] == [1]
    desk.amend(1, result="-", on=day(6))
    first, moved = engine.statement(enrollment=desk.id).lines
    assert (first.on, moved.on, moved.corrects) == (day(5), day(6), 1)


@pytest.mark.parametrize("replace", ["true", "false"])
def test_prizes_that_are_others_are_a_change_and_prizes_that_stay_are_none(replace: str) -> None:
    slips = "none: {count: 5, value: 0}, small: {count: 5, value: 1}"
    limit = "limits: [{amount: 300, per: calendar year, payer: county, crossing: truncate}]"
    bowl = f"bowls: {{draw: {{slips: {{{slips}}}, replace: {replace}}}}}, {limit}"
    with opened("memory", Path(), lambda: NOW) as engine:
        desk = Desk(engine, program("unit: draw, fixed: 2", bowl))
        desk.word("-----")
        drawn = {each.visit: each.drawn for each in engine.statement(enrollment=desk.id).lines}
        assert [each.visit for each in desk.amend(1, result="+").corrected] == [2, 3, 4, 5]
        lines = {each.visit: each for each in engine.statement(enrollment=desk.id).lines if each.before}
        by_now = {
            each.visit: tuple(won.slip for won in each.prizes.drawn) if each.prizes else ()
            for each in desk.stands()
        }
        assert set(lines) == {visit for visit in drawn if drawn[visit] != by_now[visit]}
        assert all(each.before and each.before.drawn == drawn[visit] for visit, each in lines.items())
        assert set(lines) == {1} or replace == "false"
        assert adds_up(desk)


def test_of_several_corrections_each_shows_what_it_changed_and_the_line_that_stood_before_it(
    engine: Engine,
) -> None:
    limit = "{amount: 300, per: calendar year, payer: county, crossing: truncate}"
    desk = Desk(engine, program("fixed: 40", f"limits: [{limit}]"))
    desk.word("---")
    desk.amend(1, result="+")
    desk.amend(2, result="+")
    desk.amend(1, result="-")
    found = engine.statement(enrollment=desk.id).lines
    assert [(each.visit, each.corrects, str(each.awards["USD"])) for each in found] == [
        (1, 0, "40.00"),
        (2, 0, "40.00"),
        (3, 0, "40.00"),
        (1, 1, "0.00"),
        (2, 2, "0.00"),
        (1, found[3].number, "40.00"),
    ]
    assert {each.latest for each in found} >= {each.number for each in desk.stands()}
    assert adds_up(desk)
    assert is_clean(desk)


def test_a_voided_result_leaves_its_visit_to_the_next_one(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("------")
    done = desk.void(3)
    assert [each.visit for each in desk.stands()] == [1, 2, 3, 4, 5]
    assert desk.paid() == ["10.00", "10.00", "11.50", "11.50", "13.00"]
    assert desk.places() == {"awarded": "56.00", "in_flight": "69.00", "absorbed": "13.00"}
    assert (done.outcome, done.awards, done.sentence) == ("withdrawn", {}, "")
    assert len(engine.history(enrollment=desk.id)) == 8
    assert is_clean(desk)


@pytest.mark.parametrize(
    ("late", "paid", "places"),
    [
        ("+", "10.00 10.00 0.00 10.00", {"awarded": "30.00", "in_flight": "31.50", "absorbed": "1.50"}),
        ("-", "10.00 10.00 11.50 11.50", {"awarded": "43.00", "in_flight": "43.00"}),
        ("e", "10.00 10.00 0.00 11.50", {"awarded": "31.50", "in_flight": "31.50"}),
    ],
)
def test_a_late_result_is_decided_in_its_place_between_two_visits(
    engine: Engine, late: str, paid: str, places: dict[str, str]
) -> None:
    desk = Desk(engine, CALIFORNIA)
    for on in (5, 8, 15):
        desk.observe("-", day(on))
    done = desk.observe(late, day(12))
    assert done.decision
    assert (done.decision.visit, done.decision.on) == (3, day(12))
    assert desk.paid() == paid.split()
    assert desk.places() == places
    assert is_clean(desk)


@settings(max_examples=30)
@given(st.data(), st.text("---+oe*r", min_size=2, max_size=6))
def test_inv_13_results_recorded_in_any_order_end_in_the_same_decisions(
    data: st.DataObject, word: str
) -> None:
    days = [START + timedelta(2 * number) for number in range(len(word))]
    order = data.draw(st.permutations(range(len(word))))
    with fresh() as engine:
        plain, mixed = (Desk(engine, CALIFORNIA, participant=each) for each in ("p-1", "p-2"))
        for number in range(len(word)):
            plain.observe(word[number], days[number])
        for number in order:
            mixed.observe(word[number], days[number])
        said = [
            [(each.visit, each.on, each.outcome, each.awards, each.reasons) for each in desk.stands()]
            for desk in (plain, mixed)
        ]
        assert said[0] == said[1]
        balances = [desk.engine.balance(enrollment=desk.id) for desk in (plain, mixed)]
        assert {unit: each.awarded for unit, each in balances[0].items()} == {
            unit: each.awarded for unit, each in balances[1].items()
        }
        assert is_clean(mixed)


# Limits.


def test_a_limit_that_a_correction_frees_pays_later_visits_and_nothing_is_given_twice(engine: Engine) -> None:
    limit = "limits: [{amount: 45, per: calendar year, crossing: truncate}]"
    desk = Desk(engine, program("fixed: 10", limit))
    desk.word("------")
    assert desk.paid() == ["10.00", "10.00", "10.00", "10.00", "5.00", "0.00"]
    done = desk.amend(1, result="+")
    assert desk.paid() == ["0.00", "10.00", "10.00", "10.00", "10.00", "5.00"]
    assert desk.places() == {"awarded": "45.00", "in_flight": "45.00"}
    more = {each.record: each.awards["USD"] for each in done.corrected}
    assert (more[5], more[6], done.payable) == (Decimal("10.00"), Decimal("5.00"), {})
    assert is_clean(desk)


def test_at_the_599_of_california_an_early_positive_is_absorbed_and_none_of_it_is_paid_again(
    engine: Engine,
) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("-" * 36)
    assert desk.places() == {"awarded": "599.00", "in_flight": "599.00"}
    desk.amend(3, result="+")
    total = decide(catalogue.program(CALIFORNIA), "--+" + "-" * 33, start=START).totals["USD"]
    assert total < 599
    assert desk.places() == {"awarded": f"{total}", "in_flight": "599.00", "absorbed": f"{599 - total}"}
    desk.amend(3, result="-")
    assert desk.places() == {"awarded": "599.00", "in_flight": "599.00"}
    assert is_clean(desk)


# Too much given, and taken off later awards.


def test_what_was_given_too_much_is_taken_off_the_next_awards_if_the_program_says_so(engine: Engine) -> None:
    desk = Desk(engine, program(rest="payout: {overpaid: offset}"))
    desk.word("---")
    desk.amend(2, result="+")
    assert desk.places() == {"awarded": "20.00", "in_flight": "45.00", "offset": "25.00"}

    [next_one] = desk.word("-")
    assert next_one.awards == {"USD": Decimal("15.00")}
    assert next_one.payable == {}
    assert desk.places() == {"awarded": "35.00", "in_flight": "45.00", "offset": "10.00"}

    [after] = desk.word("-")
    assert after.payable == {"USD": Decimal("10.00")}
    assert desk.places() == {"awarded": "55.00", "in_flight": "55.00"}
    assert is_clean(desk)


def test_a_statement_shows_what_was_taken_off(engine: Engine) -> None:
    desk = Desk(engine, program(rest="payout: {overpaid: offset}"))
    desk.word("---")
    desk.amend(2, result="+")
    desk.word("-")
    *_, line = engine.statement(enrollment=desk.id).lines
    assert (line.amounts, line.so_far) == ({"USD": Decimal("0.00")}, {"USD": Decimal("45.00")})
    assert desk.text().splitlines()[-1] == (
        "In all $35.00 awarded; $45.00 given, or on the way; $10.00 of it given too much, to be taken off later awards"
    )


def test_a_correction_upwards_first_settles_what_is_to_be_taken_off(engine: Engine) -> None:
    desk = Desk(engine, program(rest="payout: {overpaid: offset}"))
    desk.word("---")
    desk.amend(2, result="+")
    assert desk.amend(2, result="-").payable == {}
    assert desk.places() == {"awarded": "45.00", "in_flight": "45.00"}


@pytest.mark.parametrize("payout", ["{when: set days, days: [friday]}", "{when: on request, minimum: 20}"])
def test_what_is_owed_and_not_given_yet_is_simply_owed_less(engine: Engine, payout: str) -> None:
    desk = Desk(engine, program(rest=f"payout: {payout}"))
    desk.word("---")
    assert desk.places() == {"awarded": "45.00", "owed": "45.00"}
    assert desk.amend(2, result="+").payable == {"USD": Decimal("-25.00")}
    assert desk.places() == {"awarded": "20.00", "owed": "20.00"}
    assert desk.amend(2, result="-").payable == {"USD": Decimal("25.00")}
    assert desk.places() == {"awarded": "45.00", "owed": "45.00"}
    assert is_clean(desk)


def test_what_was_made_up_for_by_another_award_is_paid_when_it_comes_back(engine: Engine) -> None:
    """The first pays 10 and the second is cut; the first is positive, so the second has its 10 by now; then the
    first counts for another month, and both are awarded: 20, of which 10 were given."""
    desk = Desk(engine, program("fixed: 10", "limits: [{amount: 10, per: month, crossing: truncate}]"))
    desk.word("--")
    desk.amend(1, result="+")
    assert desk.places() == {"awarded": "10.00", "in_flight": "10.00"}
    done = desk.amend(1, result="-", on=date(2026, 2, 2))
    assert done.payable == {"USD": Decimal("10.00")}
    assert desk.places() == {"awarded": "20.00", "in_flight": "20.00"}


# Deposits.

QUIT = "halpern-2015-deposit"


def deposited(engine: Engine, word: str) -> Desk:
    desk = Desk(engine, QUIT)
    desk.observe("", START, event="deposit")
    desk.word(word)
    return desk


def test_a_deposit_that_came_back_is_not_taken_back_when_the_last_result_turns_out_positive(
    engine: Engine,
) -> None:
    desk = deposited(engine, "---")
    assert desk.places() == {"awarded": "650.00", "in_flight": "800.00", "paid_in": "150.00"}
    desk.amend(4, result="+")
    assert desk.places() == {
        "awarded": "400.00",
        "in_flight": "800.00",
        "absorbed": "400.00",
        "paid_in": "150.00",
        "forfeited": "150.00",
    }
    assert desk.amend(4, result="-").payable == {}
    assert desk.places() == {"awarded": "650.00", "in_flight": "800.00", "paid_in": "150.00"}
    assert is_clean(desk)


def test_a_deposit_that_was_lost_comes_back_with_the_correction(engine: Engine) -> None:
    desk = deposited(engine, "--+")
    assert desk.places() == {
        "awarded": "400.00",
        "in_flight": "400.00",
        "paid_in": "150.00",
        "forfeited": "150.00",
    }
    assert desk.amend(4, result="-").payable == {"USD": Decimal("400.00")}
    assert desk.places() == {"awarded": "650.00", "in_flight": "800.00", "paid_in": "150.00"}


def test_a_deposit_that_was_never_paid_in_is_not_held_and_its_refund_is_absorbed(engine: Engine) -> None:
    desk = deposited(engine, "-")
    assert desk.places() == {
        "awarded": "200.00",
        "in_flight": "200.00",
        "deposit": "150.00",
        "paid_in": "150.00",
    }
    desk.word("--")
    desk.void(1)
    assert desk.places() == {"awarded": "650.00", "in_flight": "800.00", "absorbed": "150.00"}
    assert is_clean(desk)


def test_a_lapse_that_was_none_gives_back_to_the_deposit_what_it_lost(engine: Engine) -> None:
    deposit = "deposit: {stake: 30, loss: 10}, milestones: {end: {says: End, when: {end_of: 1-6}, amount: 5, refunds: true}}"
    desk = Desk(engine, program("fixed: 10", deposit))
    desk.observe("", START, event="deposit")
    desk.word("+-+")
    assert desk.places() == {
        "awarded": "10.00",
        "in_flight": "10.00",
        "deposit": "10.00",
        "paid_in": "30.00",
        "forfeited": "20.00",
    }
    desk.amend(2, result="-")
    assert desk.places() == {
        "awarded": "20.00",
        "in_flight": "20.00",
        "deposit": "20.00",
        "paid_in": "30.00",
        "forfeited": "10.00",
    }
    assert is_clean(desk)


def test_a_deposit_comes_back_once_if_a_late_result_changes_the_visit_that_returns_it(engine: Engine) -> None:
    deposit = "deposit: {stake: 30}, milestones: {half: {says: Half, when: {end_of: 1-2}, amount: 5, refunds: true}}"
    desk = Desk(engine, program("fixed: 10", deposit))
    desk.observe("", START, event="deposit")
    for on in (5, 12, 15, 19):
        desk.observe("-", day(on))
    assert desk.places() == {"awarded": "45.00", "in_flight": "75.00", "paid_in": "30.00"}
    assert desk.observe("-", day(8)).payable == {"USD": Decimal("10.00")}
    assert desk.places() == {"awarded": "55.00", "in_flight": "85.00", "paid_in": "30.00"}


# Prizes.


def slips(desk: Desk) -> list[tuple[Drawn, ...]]:
    return [each.prizes.drawn if each.prizes else () for each in desk.stands()]


def test_inv_13_results_recorded_in_any_order_draw_the_same_slips() -> None:
    """Each has the day that it had, and the key."""

    def drawn(order: Iterable[int]) -> dict[int, tuple[Drawn, ...]]:
        with opened("memory", Path(), lambda: NOW) as engine:
            engine.add_program("va-prize")
            told: dict[str, Any] = {"program": "va-prize", "start": START, "by": "nurse", "id": "e-1"}
            engine.enroll(participant="p-1", **told)
            for number in order:
                seen: dict[str, Any] = {"result": "-", "on": day(5 + 3 * number), "key": f"s-{number}"}
                engine.record(enrollment="e-1", source="lab", by="lab-1", **seen)
            latest = {
                each.visit: each.prizes.drawn
                for act in engine.history(enrollment="e-1")
                for each in act.decisions
                if each.prizes
            }
            assert engine.verify().is_clean
            return latest

    assert drawn(range(8)) == drawn([3, 0, 7, 1, 6, 2, 5, 4])


def test_an_amended_result_draws_the_same_slips_again_for_the_same_observation(engine: Engine) -> None:
    desk = Desk(engine, "va-prize")
    desk.word("------")
    before, given_before = slips(desk), desk.balance().in_flight
    assert [len(each) for each in before] == [1, 2, 3, 4, 5, 6]

    desk.amend(3, result="+")
    after = slips(desk)
    assert [len(each) for each in after] == [1, 2, 0, 1, 2, 3]
    assert [each == was[: len(each)] for each, was in zip(after, before, strict=True)] == [True] * 6
    won = sum(one.value for each in after for one in each)
    assert desk.balance().awarded == Decimal(won) / 100
    assert desk.balance("draw").awarded == 9
    assert desk.balance().in_flight == given_before

    desk.amend(3, result="-")
    assert slips(desk) == before
    assert desk.places().get("absorbed") is None
    assert desk.balance().in_flight == given_before
    assert is_clean(desk)


def test_without_a_secret_nothing_can_be_drawn() -> None:
    with Engine.open("memory:", zone=ZONE) as engine, pytest.raises(CmEngineError, match="secret"):
        Desk(engine, "va-prize")


# Limits that span enrollments.


def shared() -> Program:
    limit = "{amount: 100, per: calendar year, payer: county, crossing: truncate}"
    return program("fixed: 40", f"limits: [{limit}]")


def test_a_correction_in_one_enrollment_frees_room_for_the_next_result_of_another(engine: Engine) -> None:
    first = Desk(engine, shared())
    second = Desk(engine, shared(), start=date(2026, 1, 6))
    first.word("--")
    second.observe("-", day(9))
    assert (first.paid(), second.paid()) == (["40.00", "40.00"], ["20.00"])
    first.amend(1, result="+")
    assert second.paid() == ["20.00"]
    second.observe("-", day(12))
    assert (first.paid(), second.paid()) == (["0.00", "40.00"], ["20.00", "40.00"])
    second.observe("-", day(16))
    assert second.paid() == ["20.00", "40.00", "0.00"]
    assert is_clean(first)


def test_a_shared_limit_is_one_participants_own(engine: Engine) -> None:
    first, other = Desk(engine, shared()), Desk(engine, shared(), participant="p-2")
    first.word("---")
    other.word("---")
    assert first.paid() == other.paid() == ["40.00", "40.00", "20.00"]


def test_inv_3_a_correction_that_is_taken_back_does_not_pass_a_limit_that_others_have_used_since(
    engine: Engine,
) -> None:
    first = Desk(engine, shared())
    second = Desk(engine, shared(), start=date(2026, 1, 6))
    first.word("--")
    first.amend(1, result="+")
    second.word("--")
    assert first.balance().awarded + second.balance().awarded == 100
    first.amend(1, result="-")
    assert first.balance().awarded + second.balance().awarded <= 100


# What is refused changes nothing.


def unchanged(desk: Desk) -> tuple[int, str]:
    return len(desk.engine.history(enrollment=desk.id)), desk.text()


def test_a_correction_that_leaves_a_later_observation_undecidable_is_refused_and_changes_nothing(
    engine: Engine,
) -> None:
    desk = Desk(engine, "miedar-prize")
    desk.observe("-", START, target="stimulants")
    desk.observe("-", START, target="other-drugs")
    before = unchanged(desk)
    with pytest.raises(CorrectionError, match="stimulants") as caught:
        desk.void(1)
    assert caught.value.record == 2
    assert unchanged(desk) == before
    assert is_clean(desk)


def test_a_late_result_too_many_is_refused_by_the_one_that_has_no_visit_left(engine: Engine) -> None:
    desk = Desk(engine, program(weeks="1-1"))
    desk.observe("-", day(5))
    desk.observe("-", day(8))
    before = unchanged(desk)
    with pytest.raises(CorrectionError, match="2 visits") as caught:
        desk.observe("-", day(6))
    assert caught.value.record == 2
    assert unchanged(desk) == before
    assert is_clean(desk)


def test_what_is_refused_leaves_its_key_free(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    with pytest.raises(ResultsError):
        engine.record(enrollment=desk.id, source="s", key="1", by="b", result="x", on=START)
    engine.record(enrollment=desk.id, source="s", key="1", by="b", result="-", on=START)
    assert desk.paid() == ["10.00"]


def test_a_late_result_that_cannot_be_read_is_refused_as_any_other(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.observe("-", day(12))
    with pytest.raises(ResultsError, match="'x'"):
        desk.observe("x", day(8))


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (0, "it was enrolled"),
        (2, "it was voided"),
        (3, "it corrects record 2"),
        (4, "it was asserted"),
        (5, "it corrects record 1"),
        (99, "there is none"),
        (-1, "there is none"),
    ],
)
def test_what_is_no_observation_that_stands_cannot_be_corrected(
    engine: Engine, record: int, why: str
) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("--")
    desk.void(2)
    desk.assert_awarded("10.00", day(8))
    desk.amend(1, result="e")
    before = unchanged(desk)
    with pytest.raises(RecordNotFoundError, match=why) as caught:
        desk.amend(record, result="+")
    assert (caught.value.enrollment, caught.value.record) == (desk.id, record)
    with pytest.raises(RecordNotFoundError, match=why):
        desk.void(record)
    assert unchanged(desk) == before


def test_an_observation_is_corrected_by_the_source_and_key_it_was_recorded_under(engine: Engine) -> None:
    by_number, by_key = (Desk(engine, CALIFORNIA, participant=each) for each in ("p-1", "p-2"))
    for desk in (by_number, by_key):
        desk.word("---")
    by_number.amend(2, result="+")
    by_number.void(3)
    told: dict[str, Any] = {"enrollment": by_key.id, "source": "desk", "by": "nurse", "why": "misread"}
    done = engine.amend(record=("desk", f"{by_key.id}/2"), result="+", key="a", **told)
    again = engine.amend(record=2, result="+", key="a", **told)
    assert (again.record, again.replayed) == (done.record, True)
    engine.void(record=("desk", f"{by_key.id}/3"), key="v", **told)
    assert by_key.places() == by_number.places()
    assert [act.reported.get("of") for act in engine.history(enrollment=by_key.id)][-2:] == [2, 3]
    assert is_clean(by_key)


def test_a_rehearsal_corrects_by_its_key_what_it_has_recorded_itself(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    seen = Report(desk.id, "lab", "s-1", "lab-1", "-", on=day(5))
    typo = Amendment(Report(desk.id, "lab", "s-1/b", "lab-1", "+"), ("lab", "s-1"), "typo")
    assert [str(each.awards["USD"]) for each in engine.rehearse([seen, typo])] == ["10.00", "0.00"]


@pytest.mark.parametrize("key", ["none", "2/1", "a"])
def test_a_key_that_names_nothing_to_correct_is_refused(engine: Engine, key: str) -> None:
    """One under which nothing was recorded, one of somebody else's, and one of a correction."""
    desk, other = Desk(engine, CALIFORNIA), Desk(engine, CALIFORNIA, participant="p-2")
    told: dict[str, Any] = {"enrollment": desk.id, "source": "desk", "by": "nurse"}
    for each, number in ((desk, 1), (other, 2)):
        engine.record(**{**told, "enrollment": each.id}, key=f"{number}/1", result="-", on=day(5))
    engine.amend(**told, record=1, key="a", result="+", why="misread")
    before = unchanged(desk)
    why = (
        "it corrects record 1"
        if key == "a"
        else "the source 'desk' has recorded nothing of it under that key"
    )
    with pytest.raises(RecordNotFoundError, match=why):
        engine.void(**told, record=("desk", key), key="v", why="by mistake")
    assert unchanged(desk) == before


@pytest.mark.parametrize(
    "wrong", [True, "2", ("desk",), ("desk", 2), ("@desk", "k"), ["desk", "k", "x"], None]
)
def test_what_names_no_observation_is_refused(engine: Engine, wrong: Any) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("-")
    with pytest.raises(ReportError, match=r"record: expected the number|begins with @"):
        desk.void(wrong)


def test_an_event_is_corrected_and_taken_back_as_a_result_is(engine: Engine) -> None:
    desk = deposited(engine, "-")
    desk.amend(1, on=date(2026, 1, 6))
    assert desk.places() == {
        "awarded": "200.00",
        "in_flight": "200.00",
        "deposit": "150.00",
        "paid_in": "150.00",
    }
    desk.void(1)
    assert desk.places() == {"awarded": "200.00", "in_flight": "200.00"}


def test_a_correction_of_nothing_is_refused(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("-")
    with pytest.raises(ReportError, match="say what is to be corrected"):
        desk.amend(1)


def test_a_correction_to_what_it_is_already_is_kept_and_decides_nothing_anew(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("--")
    done = desk.amend(1, result="-")
    assert (done.decision, done.decisions, done.payable) == (None, (), {})
    assert len(engine.history(enrollment=desk.id)) == 4
    assert is_clean(desk)


def test_a_key_that_was_used_for_something_else_shows_both(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    told: dict[str, Any] = {"enrollment": desk.id, "source": "lab", "key": "7", "by": "b"}
    engine.record(**told, result="-", on=START)
    before = unchanged(desk)
    with pytest.raises(KeyConflictError) as caught:
        engine.record(**told, result="+", on=START)
    assert (caught.value.source, caught.value.key) == ("lab", "7")
    assert '"result":"-"' in caught.value.stored
    assert '"result":"+"' in caught.value.given
    with pytest.raises(KeyConflictError, match="voided"):
        engine.void(**told, record=1, why="by mistake")
    assert unchanged(desk) == before


def test_a_repeated_correction_is_the_same_act(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("--")
    told: dict[str, Any] = {
        "enrollment": desk.id,
        "source": "lab",
        "key": "7",
        "record": 1,
        "why": "the laboratory",
    }
    first = engine.amend(**told, by="b", result="+")
    again = engine.amend(**told, by="c", result="+")
    assert (again.record, again.replayed, again.decisions) == (first.record, True, first.decisions)
    assert again.payable == first.payable
    assert len(engine.history(enrollment=desk.id)) == 4


# Evidence.

PANEL = "evidence: {specimen: urine, analytes: [cocaine], presumptive: %s}"


def screened(presumptive: str) -> Program:
    found = PANEL % presumptive
    return parse_program(
        f'{{program: example, version: "1", title: Example, currency: USD, visits: [{{weeks: 1-6, per_week: 2}}],'
        f" targets: {{tests: {{behavior: abstinence, {found}, schedule: [{{weeks: 1-6, {CLIMB}}}]}}}}}}"
    )


def panel(result: str, *, presumptive: bool = False) -> Evidence:
    return Evidence(panel=(("cocaine", result),), presumptive=presumptive)


def test_a_presumptive_negative_that_the_laboratory_does_not_confirm_is_corrected(engine: Engine) -> None:
    desk = Desk(engine, screened("counts"))
    for on, result in ((5, "-"), (8, "-"), (12, "-")):
        desk.observe("", day(on), evidence=panel(result, presumptive=True))
    assert desk.paid() == ["10.00", "15.00", "20.00"]
    done = desk.amend(2, evidence=panel("+"))
    assert done.outcome == "+"
    assert desk.paid() == ["10.00", "0.00", "10.00"]
    assert desk.places() == {"awarded": "20.00", "in_flight": "45.00", "absorbed": "25.00"}
    assert is_clean(desk)


def test_a_presumptive_positive_waits_and_pays_as_soon_as_the_laboratory_says_negative(
    engine: Engine,
) -> None:
    desk = Desk(engine, screened("positive waits"))
    waiting = desk.observe("", day(5), evidence=panel("+", presumptive=True))
    assert (waiting.awards, waiting.reasons[0].code) == ({"USD": Decimal(0)}, "waiting")
    confirmed = desk.amend(1, evidence=panel("-"))
    assert (confirmed.outcome, confirmed.payable) == ("-", {"USD": Decimal("10.00")})
    assert [each.visit for each in desk.stands()] == [1]
    assert is_clean(desk)


# Assertions, days and previews.


def test_an_assertion_of_what_was_awarded_stays_true_when_the_past_is_corrected(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.word("---")
    desk.assert_awarded("20.00", day(8))
    desk.amend(1, result="+")
    with pytest.raises(BalanceError) as caught:
        desk.assert_awarded("20.00", day(8))
    assert (caught.value.asserted, caught.value.found) == ("20.00", "10.00")
    desk.assert_awarded("10.00", day(8))
    assert is_clean(desk)


def test_what_was_awarded_by_a_day_is_what_stands_for_the_days_up_to_it(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    desk.observe("-", day(5))
    desk.amend(1, on=day(20))
    with pytest.raises(BalanceError):
        desk.assert_awarded("10.00", day(10))
    desk.assert_awarded("0.00", day(10))
    desk.assert_awarded("10.00", day(20))


def test_an_amount_that_its_unit_cannot_have_is_refused_by_an_error_of_the_tree(engine: Engine) -> None:
    desk = Desk(engine, CALIFORNIA)
    with pytest.raises(CmEngineError):
        desk.assert_awarded("10.001", day(5))


def test_a_program_in_which_one_target_needs_another_can_be_previewed(engine: Engine) -> None:
    desk = Desk(engine, "miedar-prize")
    assert engine.preview(enrollment=desk.id)["stimulants"]["-"].outcome == "-"
