"""Laws of the ledger, which is pure: postings balance, differences take nothing back, books add up."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cm_engine import Observation, Program, compile_rules, decide, initial_state, parse_program, step
from cm_engine.ledger.accounts import (
    ABSORBED,
    ACCOUNTS,
    FUND,
    IN_FLIGHT,
    OFFSET,
    OWED,
    Posting,
)
from cm_engine.ledger.balances import awarded, balance, sums
from cm_engine.ledger.corrections import books, differences
from cm_engine.ledger.postings import due, less
from cm_engine.program.units import unit_named
from tests.durable_model import Books, settled
from tests.oracle import Schedule
from tests.programs import program_of, schedules, words

UNITS = ("USD", "draw", "point")
POSTINGS = st.lists(
    st.builds(
        Posting,
        st.sampled_from(ACCOUNTS),
        st.sampled_from(ACCOUNTS),
        st.sampled_from(UNITS),
        st.integers(1, 10_000),
    )
)


def total(postings: Sequence[Posting], account: str, unit: str = "USD") -> int:
    return sums(postings).get((account, unit), 0)


@given(POSTINGS)
def test_whatever_is_posted_the_accounts_of_a_unit_add_up_to_nothing(postings: list[Posting]) -> None:
    found = sums(postings)
    for unit in UNITS:
        assert sum(amount for (_, of), amount in found.items() if of == unit) == 0


@given(POSTINGS)
def test_the_order_of_postings_does_not_matter(postings: list[Posting]) -> None:
    assert sums(postings) == sums(sorted(postings, reverse=True))


@given(POSTINGS, st.sampled_from(UNITS))
def test_a_balance_is_what_the_accounts_say_and_awarded_is_what_the_fund_gave(
    postings: list[Posting], unit: str
) -> None:
    found, of = sums(postings), unit_named(unit)
    shown = balance(found, of)
    assert of.minor(shown.awarded) == awarded(found, unit) == -found.get((FUND, unit), 0)
    assert of.minor(shown.absorbed) == -found.get((ABSORBED, unit), 0)
    assert of.minor(shown.owed) == found.get((OWED, unit), 0)
    assert shown.unit == unit


def test_a_balance_of_nothing_is_nothing() -> None:
    assert set(balance({}, unit_named("USD"))[1:]) == {Decimal("0.00")}


# What a decision is due.


@st.composite
def timelines(draw: st.DrawFn) -> tuple[Schedule, str]:
    schedule = draw(schedules())
    return schedule, draw(words(schedule))


@given(timelines())
def test_a_decision_posts_what_it_awards_and_no_posting_is_empty(timeline: tuple[Schedule, str]) -> None:
    schedule, word = timeline
    program = program_of(schedule)
    rules = compile_rules(program)
    for decision in decide(program, word, start=schedule["start"]).decisions:
        postings = due(rules, decision.paid, decision.reasons, None)
        assert all(each.amount > 0 for each in postings)
        for unit, amount in decision.paid:
            assert awarded(sums(postings), unit.name) == amount


STAKED = """{program: a, version: "1", title: A, currency: USD, visits: [{weeks: 1-2, per_week: 2}], deposit: {stake: 30, loss: 10},
targets: {a: {behavior: attendance, schedule: [{weeks: 1-2, fixed: 10}]}},
milestones: {end: {says: End, when: {end_of: 1-2}, amount: 5, refunds: true}}}"""


@pytest.mark.parametrize(
    ("word", "back", "lost"), [("----", 3000, 0), ("-o--", 2000, 1000), ("oooo", 0, 3000)]
)
def test_a_deposit_is_the_participants_own_and_no_award(word: str, back: int, lost: int) -> None:
    rules = compile_rules(parse_program(STAKED))
    state, postings, granted = initial_state(rules, date(2026, 1, 5)), list[Posting](), 0
    for seen in (Observation(event="deposit"), *map(Observation, word)):
        state, decision = step(rules, state, seen)
        postings += due(rules, decision.paid, decision.reasons, None)
        granted += sum(award.amount for award in decision.paid)
    found = sums(postings)
    assert found["paid in", "USD"] == -3000
    assert found.get(("deposit", "USD"), 0) == (state.stake or 0) == 0
    assert found.get(("forfeited", "USD"), 0) == lost
    assert awarded(found, "USD") == granted + 3000 - back
    assert found.get((IN_FLIGHT, "USD"), 0) == awarded(found, "USD") + back


# What is taken off awards.


@given(st.lists(st.integers(1, 50)), st.integers(0, 100), st.sampled_from([ABSORBED, OFFSET]))
def test_what_is_taken_off_awards_is_never_more_than_they_are_or_than_is_outstanding(
    amounts: list[int], outstanding: int, bears: str
) -> None:
    postings = tuple(Posting(FUND, IN_FLIGHT, "USD", amount) for amount in amounts)
    settling, left = less(postings, {"USD": outstanding}, bears)
    taken = min(sum(amounts), outstanding)
    assert total(settling, FUND) == total(postings, FUND)
    assert total(settling, bears) == taken
    assert total(settling, IN_FLIGHT) == sum(amounts) - taken
    assert left.get("USD", 0) == outstanding - taken
    assert all(each.amount > 0 for each in settling)


def test_nothing_is_taken_off_a_deposit_another_unit_or_a_draw() -> None:
    postings = (
        Posting("deposit", IN_FLIGHT, "USD", 10),
        Posting(FUND, "drawn", "USD", 10),
        Posting(FUND, IN_FLIGHT, "point", 10),
    )
    assert less(postings, {"USD": 5}) == (postings, {"USD": 5})


# Corrections, one after the other, against the naive model.

Corrections = Sequence[Mapping[int, int]]
"""Each correction gives some observations another amount."""

AMOUNTS = st.dictionaries(st.integers(1, 4), st.sampled_from([0, 5, 10, 20]), min_size=1)


def paying(payout: str) -> Program:
    return parse_program(
        '{program: a, version: "1", title: A, currency: USD, visits: [{weeks: 1-2, per_week: 2}], '
        f"payout: {payout}, targets: {{a: {{behavior: attendance, schedule: [{{weeks: 1-2, fixed: 10}}]}}}}}}"
    )


ABSORBING = paying("{when: at once}")
OFFSETTING = paying("{overpaid: offset}")
BANKING = paying("{when: on request}")


def posted_by(program: Program, account: str, corrections: Corrections) -> list[tuple[Hashable, Posting]]:
    """Every posting of corrections on corrections, each with its observation."""
    entries: list[tuple[Hashable, Posting]] = []
    now: dict[int, tuple[Posting, ...]] = {}
    for correction in corrections:
        new = {each: _award(account, amount) for each, amount in sorted(correction.items())}
        changes = [(each, now.get(each, ()), postings) for each, postings in new.items()]
        found = differences(changes, books(entries), program.payout.overpaid)
        entries += [(each, posting) for each, postings in found.items() for posting in postings]
        now |= new
    return entries


def _award(account: str, amount: int) -> tuple[Posting, ...]:
    return (Posting(FUND, account, "USD", amount),) if amount else ()


def modelled(program: Program, corrections: Corrections) -> tuple[Books, int]:
    """The naive books, and what is awarded in the end."""
    found, now = Books(), Counter[int]()
    for correction in corrections:
        changes = [(each, amount - now[each]) for each, amount in sorted(correction.items())]
        found = settled(program, found, changes)
        now.update(dict(changes))
    return found, sum(now.values())


def agrees(program: Program, account: str, corrections: Corrections) -> bool:
    """Tell whether the books after all corrections are those of the model."""
    postings = [posting for _, posting in posted_by(program, account, corrections)]
    expected, granted = modelled(program, corrections)
    assert all(posting.amount > 0 for posting in postings)
    assert awarded(sums(postings), "USD") == granted
    found = (
        total(postings, OWED),
        total(postings, IN_FLIGHT),
        -total(postings, ABSORBED),
        -total(postings, OFFSET),
    )
    return found == (expected.owed, expected.given, sum(expected.absorbed.values()), expected.offset)


@given(AMOUNTS, AMOUNTS)
def test_one_correction_absorbs_only_what_nothing_else_makes_up_for(
    first: dict[int, int], second: dict[int, int]
) -> None:
    assert agrees(ABSORBING, IN_FLIGHT, [first, second])


@given(st.lists(AMOUNTS, max_size=5))
@example([{1: 10}, {1: 0, 2: 10}, {1: 10}])
def test_corrections_of_corrections_absorb_what_the_naive_books_do(corrections: list[dict[int, int]]) -> None:
    assert agrees(ABSORBING, IN_FLIGHT, corrections)


@given(st.lists(AMOUNTS, max_size=6))
def test_corrections_of_corrections_offset_what_the_naive_books_do(corrections: list[dict[int, int]]) -> None:
    assert agrees(OFFSETTING, IN_FLIGHT, corrections)


@given(st.lists(AMOUNTS, max_size=6))
def test_what_is_owed_follows_every_correction_and_is_never_less_than_nothing(
    corrections: list[dict[int, int]],
) -> None:
    assert agrees(BANKING, OWED, corrections)
    entries = posted_by(BANKING, OWED, corrections)
    assert all(books(entries[:end]).owed.get("USD", 0) >= 0 for end in range(len(entries) + 1))


@given(st.lists(AMOUNTS, max_size=6), st.sampled_from([ABSORBING, OFFSETTING]))
def test_inv_14_no_correction_takes_back_what_is_in_flight(
    corrections: list[dict[int, int]], program: Program
) -> None:
    assert all(posting.debit != IN_FLIGHT for _, posting in posted_by(program, IN_FLIGHT, corrections))


@given(AMOUNTS)
def test_a_correction_to_what_it_was_posts_nothing(amounts: dict[int, int]) -> None:
    changes = [
        (each, _award(IN_FLIGHT, amount), _award(IN_FLIGHT, amount)) for each, amount in amounts.items()
    ]
    found = differences(changes, books([]), "absorbed")
    assert set(found) == set(amounts)
    assert not any(found.values())


# Books.


@given(st.lists(st.tuples(st.integers(1, 3), POSTINGS.filter(bool).map(lambda found: found[0]))))
def test_books_are_the_accounts_of_the_postings(entries: list[tuple[int, Posting]]) -> None:
    found, all_of = books(entries), sums([posting for _, posting in entries])
    for unit in UNITS:
        assert found.owed.get(unit, 0) == all_of.get((OWED, unit), 0)
        assert found.offset.get(unit, 0) == -all_of.get((OFFSET, unit), 0)
        borne = sum(amount for (_, _, of), amount in found.absorbed.items() if of == unit)
        assert borne == -all_of.get((ABSORBED, unit), 0)
