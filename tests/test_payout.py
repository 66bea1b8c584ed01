"""When an award is handed over, and until when."""

from datetime import date
from decimal import Decimal

import pytest

from cm_engine.program.rewards import Payout
from cm_engine.program.units import unit_named
from cm_engine.rules.payout import last_day, minimum, paid_out
from cm_engine.rules.reasons import PaidOut
from cm_engine.rules.sentences import sentence
from cm_engine.rules.words import WORDS

USD, DRAW = unit_named("USD"), unit_named("draw")
MONDAY, FRIDAY = date(2026, 1, 5), date(2026, 1, 9)
ON_REQUEST = Payout(when="on request", minimum=Decimal(20), expires_after=60)
FRIDAYS = Payout(when="set days", days=("friday",), expires_after=2)


def of(payout: Payout, on: date | None = MONDAY) -> PaidOut:
    found = paid_out(payout, [(DRAW, 2), (USD, 500)], on)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("payout", "on", "handed_over", "expires", "said"),
    [
        (
            ON_REQUEST,
            MONDAY,
            None,
            date(2026, 3, 6),
            "This is saved, and handed over when you ask for it, from $20.00 on, at least until Friday 6 March 2026.",
        ),
        (
            FRIDAYS,
            MONDAY,
            FRIDAY,
            date(2026, 1, 11),
            "This is handed over on Friday 9 January 2026, and you can collect it at least until Sunday 11 January 2026.",
        ),
        (FRIDAYS, FRIDAY, FRIDAY, date(2026, 1, 11), None),
        (FRIDAYS, None, None, None, "This is handed over on the next set day."),
        (
            Payout(expires_after=60),
            MONDAY,
            MONDAY,
            date(2026, 3, 6),
            "You can collect this at least until Friday 6 March 2026.",
        ),
        (Payout(expires_after=60), None, None, None, "Collect this before it expires."),
    ],
)
def test_an_award_says_when_and_until_when_it_is_handed_over(
    payout: Payout, on: date | None, handed_over: date | None, expires: date | None, said: str | None
) -> None:
    found = of(payout, on)
    assert (found.unit, found.on, found.expires) == (USD, handed_over, expires)
    assert said is None or sentence(found, WORDS["attendance"]) == said


def test_nothing_is_said_of_a_visit_that_pays_nothing() -> None:
    assert paid_out(ON_REQUEST, [(USD, 0)], MONDAY) is None


def test_a_minimum_is_of_money_and_things_have_none() -> None:
    assert [minimum(ON_REQUEST, unit) for unit in (USD, DRAW)] == [2000, 0]
    assert minimum(FRIDAYS, USD) == 0


@pytest.mark.parametrize(
    ("payout", "last"),
    [(ON_REQUEST, date(2026, 3, 6)), (FRIDAYS, date(2026, 1, 11)), (Payout(when="on request"), None)],
)
def test_the_days_to_collect_an_award_begin_with_it_or_with_its_pay_day(
    payout: Payout, last: date | None
) -> None:
    assert last_day(payout, MONDAY) == last
