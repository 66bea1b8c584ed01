"""Draws are fair, can be drawn again by anyone, and never pay what a limit forbids."""

import hmac
import json
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm_engine import (
    Engine,
    Observation,
    Program,
    Recorded,
    Report,
    ResultsError,
    catalogue,
    compile_rules,
    initial_state,
    parse_program,
    step,
)
from cm_engine.program.prizes import TradeUp
from cm_engine.rules.prizes import (
    Bowls,
    Drawn,
    Slips,
    award_prizes,
    commitment,
    draw,
    draw_names,
    full_bowl,
    misdrawn,
    number_below,
    trade_up,
)

SEED = bytes(range(32))
SMALL = Slips(("none", "small", "large"), (5, 3, 2), (0, 100, 2000), (None, None, None), replace=True)


def prize_program(**others: Any) -> Program:
    document = {
        "program": "prizes",
        "version": "1",
        "title": "Prizes",
        "currency": "USD",
        "visits": [{"weeks": "1-50", "per_week": 1}],
        "targets": {
            "target": {
                "behavior": "attendance",
                "schedule": [{"weeks": "1-50", "unit": "draw", "fixed": 2}],
            }
        },
        "bowls": {"draw": {"slips": {"small": {"count": 3, "value": 1}, "large": {"count": 1, "value": 20}}}},
        **others,
    }
    return parse_program(json.dumps(document))


def test_a_draw_is_the_hmac_of_its_key_number_and_try() -> None:
    digest = hmac.digest(SEED, b"visit-7/draw/1/0", "sha256")
    assert number_below(500, SEED, "visit-7/draw", 1) == int.from_bytes(digest) % 500


@given(st.integers(1, 1000), st.binary(min_size=1), st.text(min_size=1), st.integers(1, 50))
def test_a_draw_is_one_of_the_slips_and_always_the_same(
    total: int, seed: bytes, key: str, number: int
) -> None:
    drawn = number_below(total, seed, key, number)
    assert 0 <= drawn < total
    assert drawn == number_below(total, seed, key, number)


def test_every_slip_is_drawn_about_as_often_as_any_other() -> None:
    """Chi-square of 10,000 draws from 10 slips, with 9 degrees of freedom: 27.9 is passed once in 1,000 seeds."""
    counts = Counter(number_below(10, SEED, f"visit-{visit}", 1) for visit in range(10_000))
    assert sum((counts[slip] - 1000) ** 2 / 1000 for slip in range(10)) < 27.9


def test_a_number_from_the_incomplete_last_stretch_is_drawn_again() -> None:
    """With 2**255 + 1 slips nearly half of all numbers are thrown away, and none of them may come out."""
    total = 2**255 + 1
    tries = [int.from_bytes(hmac.digest(SEED, f"key/1/{number}".encode(), "sha256")) for number in range(50)]
    assert number_below(total, SEED, "key", 1) == next(each for each in tries if each < total)


@given(st.binary(min_size=16), st.integers(0, 10))
def test_without_replacement_a_bowl_gives_each_slip_once(seed: bytes, draws: int) -> None:
    left, drawn = draw(SMALL._replace(replace=False), seed, "visit", draws)
    taken = Counter(each.slip for each in drawn)
    assert tuple(SMALL.counts[n] - taken[name] for n, name in enumerate(SMALL.names)) == left.counts
    assert len(drawn) == draws


def test_an_empty_bowl_says_so() -> None:
    with pytest.raises(ResultsError, match="nothing left to draw from, at draw 11 of visit"):
        draw(SMALL._replace(replace=False), SEED, "visit", 11)


def test_a_slip_whose_prizes_are_gone_is_in_the_bowl_no_more() -> None:
    stocked = SMALL._replace(counts=(0, 1, 1), stock=(None, None, 2))
    left, drawn = draw(stocked, SEED, "visit", 100)
    assert Counter(each.slip for each in drawn) == {"large": 2, "small": 98}
    assert left.stock == (None, None, 0)


@given(st.binary(min_size=16), st.integers(1, 30), st.booleans(), st.data())
def test_a_record_with_one_draw_changed_is_found(
    seed: bytes, draws: int, replace: bool, data: st.DataObject
) -> None:
    bowl = SMALL._replace(counts=(50, 30, 20), replace=replace)
    _, drawn = draw(bowl, seed, "visit", draws)
    assert not list(misdrawn(bowl, commitment(seed), seed, drawn))
    index = data.draw(st.integers(0, draws - 1))
    other = data.draw(st.sampled_from([name for name in bowl.names if name != drawn[index].slip]))
    changed = [*drawn[:index], drawn[index]._replace(slip=other), *drawn[index + 1 :]]
    assert list(misdrawn(bowl, commitment(seed), seed, changed))


def test_another_seed_than_the_one_committed_to_is_found() -> None:
    _, drawn = draw(SMALL, SEED, "visit", 3)
    [problem] = misdrawn(SMALL, commitment(b"another"), SEED, drawn)
    assert problem.startswith("the seed is not the one committed to")


def test_draws_become_prizes_right_after_the_decision() -> None:
    program = catalogue.program("va-prize")
    rules = compile_rules(program)
    bowls = Bowls({"draw": full_bowl(program, "draw")}, SEED)
    state, decision = step(rules, initial_state(rules), Observation("-"))
    state, bowls, won = award_prizes(rules, state, decision, bowls, "visit-1")
    assert [each[:2] for each in won.drawn] == [("visit-1/draw", 1)]
    assert won.paid.amount == sum(each.value for each in won.drawn)


def test_limits_on_money_look_at_what_was_drawn() -> None:
    limited = prize_program(limits=[{"amount": "5.00", "per": "episode", "crossing": "truncate"}])
    rules = compile_rules(limited)
    state, bowls = initial_state(rules), Bowls({"draw": full_bowl(limited, "draw")}, SEED)
    paid, worth = 0, 0
    for visit in range(50):
        state, decision = step(rules, state, Observation("-"))
        state, bowls, won = award_prizes(rules, state, decision, bowls, f"visit-{visit}")
        paid += won.paid.amount
        worth += sum(each.value for each in won.drawn)
        lost = won.limited.lost if won.limited else 0
        assert won.paid.amount + lost == sum(each.value for each in won.drawn)
    assert worth > 500
    assert paid == 500


def test_a_lottery_is_a_bowl_with_as_many_slips_as_its_odds_need() -> None:
    odds = {"small": {"chance": "1/5", "value": 10}, "large": {"chance": "1/100", "value": 100}}
    bowl = full_bowl(prize_program(bowls={"draw": {"odds": odds}}), "draw")
    assert dict(zip(bowl.names, bowl.counts, strict=True)) == {"small": 20, "large": 1, "": 79}
    assert bowl.values == (1000, 10000, 0)
    _, drawn = draw(bowl, SEED, "visit", 200)
    assert {each.slip for each in drawn} >= {"small", ""}


def test_small_prizes_are_traded_for_a_large_one_only_if_there_are_enough() -> None:
    trade = TradeUp(give=5, of="small", get="large")
    assert trade_up(trade, {"small": 7, "large": 1}) == {"small": 2, "large": 2}
    with pytest.raises(ResultsError, match="5 of small are traded for one large, and 4 are held"):
        trade_up(trade, {"small": 4})


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 5), max_size=8), st.integers(1, 10), st.booleans())
def test_names_come_out_of_a_hat_that_went_in(hat: dict[str, int], names: int, replace: bool) -> None:
    drawn = draw_names(hat, SEED, "week-1", names, replace=replace)
    inside = {name for name, slips in hat.items() if slips}
    assert set(drawn) <= inside
    assert len(drawn) == (names if replace and inside else min(names, len(inside)))
    assert replace or len(set(drawn)) == len(drawn)


def test_a_name_with_more_slips_is_drawn_more_often() -> None:
    first = Counter(
        draw_names({"p-1": 9, "p-2": 1}, SEED, f"week-{n}", 1, replace=False)[0] for n in range(2000)
    )
    assert 1720 < first["p-1"] < 1880


def test_the_order_of_slips_is_part_of_the_digest_because_it_decides_what_is_drawn() -> None:
    slips = {"small": {"count": 3, "value": 1}, "large": {"count": 1, "value": 20}}
    turned = dict(reversed(slips.items()))
    one, other = (prize_program(bowls={"draw": {"slips": each}}) for each in (slips, turned))
    assert compile_rules(one).digest != compile_rules(other).digest
    assert Drawn("k", 1, "small", 100) in draw(full_bowl(one, "draw"), SEED, "k", 1)[1]
    assert Decimal(full_bowl(other, "draw").values[0]) == 2000


def test_nobody_can_look_which_key_of_several_wins_most() -> None:
    engine = Engine.open("memory:", zone="UTC", secret=SEED)
    engine.add_program("va-prize")
    start = date(2026, 1, 5)
    engine.enroll(participant="p-1", program="va-prize", start=start, by="nurse", id="e-1")
    first = Report("e-1", "desk", "udt-1", "nurse", "-", on=start)
    shown = {won(engine.rehearse([first])[0]) for _ in range(60)}
    assert len(shown) > 1
    done = engine.record(enrollment="e-1", source="desk", key="udt-1", by="nurse", result="-", on=start)
    assert won(engine.rehearse([first])[0]) == won(done)
    assert engine.rehearse([first._replace(key="udt-2", on=start + timedelta(3))])[0].key == "udt-2"


def won(done: Recorded) -> tuple[str, ...]:
    assert done.prizes is not None
    return tuple(slip.slip for slip in done.prizes.drawn)
