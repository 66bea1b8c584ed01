"""The participant's bank: what is owed is asked for, paid, handed over, comes back or expires, and every account adds up.

Set CM_ENGINE_EXAMPLES to look at more runs than the suite does.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cm_engine import CmEngineError, KeyConflictError, Program, parse_program
from cm_engine.acts.recorded import Recorded
from cm_engine.acts.recording import whole_log
from cm_engine.acts.register import Register
from cm_engine.engine import Engine
from cm_engine.errors import EnrollmentNotFoundError, RecordNotFoundError, ReportError
from cm_engine.log.bank import Bank as Ledgered
from cm_engine.opening import open_storage
from cm_engine.ports import Storage
from cm_engine.rules import RULES_VERSION
from tests.bank_model import Bank, RefusedError
from tests.faults import together
from tests.test_tampering import COLUMNS, Log, assert_found, changes, key_values

ZONE = "America/Los_Angeles"
START = date(2026, 1, 5)
CLIMB = "{weeks: 1-52, escalate: {start: 10, step: 5, ceiling: 25}, reset: {}}"
PAYOUTS = {
    "saving": ("{when: on request, minimum: 15, expires_after: 20}", Bank("on request", 1500, 20)),
    "saving-offset": ("{when: on request, overpaid: offset}", Bank("on request", offsets=True)),
    "fridays": ("{when: set days, days: [friday], expires_after: 9}", Bank("set days", kept_days=9)),
    "at-once": ("{expires_after: 6}", Bank("at once", kept_days=6)),
    "at-once-offset": ("{overpaid: offset, expires_after: 30}", Bank("at once", kept_days=30, offsets=True)),
}


def program(name: str, payout: str, rest: str = "") -> Program:
    """One target over a year, seven visits a week."""
    return parse_program(
        f'program: {name}\nversion: "1"\ntitle: {name}\ncurrency: USD\nvisits: [{{weeks: 1-52, per_week: 7}}]\n'
        f"targets: {{stimulants: {{behavior: abstinence, schedule: [{CLIMB}]}}}}\npayout: {payout}\n{rest}",
        name=name,
    )


PROGRAMS = {name: program(name, payout) for name, (payout, _) in PAYOUTS.items()}


class Clinic:
    """An enrollment at a clinic whose days go by as a test says; every act gets a key of its own."""

    def __init__(self, of: Program | str, url: str = "memory:", storage: Storage | None = None) -> None:
        self.today = START
        self.storage = storage or open_storage(url, {})
        self.engine = Engine(storage=self.storage, zone=ZONE, clock=self.clock)
        digest = self.engine.add_program(PROGRAMS[of] if isinstance(of, str) else of)
        enrolled = self.engine.enroll(participant="p-1", program=digest, start=START, by="nurse", id="e-1")
        self.id = enrolled.id
        self.acts = 0

    def clock(self) -> datetime:
        return datetime(self.today.year, self.today.month, self.today.day, 12, tzinfo=ZoneInfo(ZONE))

    def call(self, **more: Any) -> dict[str, Any]:
        self.acts += 1
        return {"enrollment": self.id, "source": "desk", "key": f"k-{self.acts}", "by": "nurse", **more}

    def met(self, days: int, *, gap: int = 1) -> None:
        """Record a negative test on each of some days, as they go by."""
        for _ in range(days):
            self.engine.record(**self.call(result="-", on=self.today))
            self.today += timedelta(gap)

    def redeem(self, amount: str = "", **more: Any) -> Recorded:
        return self.engine.redeem(**self.call(amount=Decimal(amount) if amount else None, **more))

    def hand_over(self, number: int, **more: Any) -> Recorded:
        return self.engine.hand_over(**self.call(number=number, **more))

    def decline(self, number: int, **more: Any) -> Recorded:
        return self.engine.decline(**self.call(number=number, why="no such address", **more))

    def refund(self, number: int, **more: Any) -> Recorded:
        return self.engine.refund(**self.call(number=number, why="card returned", **more))

    def amend(self, record: int, result: str) -> Recorded:
        return self.engine.amend(**self.call(record=record, result=result, why="the laboratory"))

    def places(self) -> dict[str, str]:
        """Where all of it is, without what is 0."""
        found = self.engine.balance(enrollment=self.id)["USD"]._asdict()
        return {name: str(amount) for name, amount in found.items() if name != "unit" and amount}

    def told(self) -> list[str]:
        """The lines of the statement, without numbers and days."""
        lines = self.engine.statement(enrollment=self.id).text().splitlines()
        return [line[19:] for line in lines[1:-1]]

    def audit(self) -> None:
        found = self.engine.verify()
        assert found.is_clean, [str(each) for each in found.differences]


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    """A clinic whose program saves what is earned, from $15 on, for twenty days."""
    opened = Clinic("saving")
    yield opened
    opened.audit()
    opened.engine.close()


@pytest.fixture
def fridays() -> Iterator[Clinic]:
    """A clinic that pays on Fridays."""
    opened = Clinic("fridays")
    yield opened
    opened.audit()
    opened.engine.close()


@pytest.fixture
def at_once() -> Iterator[Clinic]:
    """A clinic that pays at once."""
    opened = Clinic("at-once")
    yield opened
    opened.audit()
    opened.engine.close()


# What is asked for


def test_what_is_asked_for_goes_on_its_way_and_the_rest_stays_owed(clinic: Clinic) -> None:
    clinic.met(3)
    asked = clinic.redeem("20.00", product="gift card")
    assert (asked.kind, asked.outcome, asked.awards, asked.payable) == ("redeemed", "redeemed", {}, {})
    assert asked.hand_over == {"USD": Decimal("20.00")}
    assert asked.sentence == "$20.00 asked for (gift card), on the way."
    assert asked.on == clinic.today
    assert clinic.places() == {"awarded": "45.00", "owed": "25.00", "in_flight": "20.00"}
    [payout] = clinic.engine.payouts(enrollment="e-1", on_the_way=True)
    assert (payout.number, payout.leg, payout.on, payout.unit) == (asked.number, 1, clinic.today, "USD")
    assert (payout.amount, payout.product, payout.status) == (Decimal("20.00"), "gift card", "in flight")


def test_without_an_amount_all_that_is_owed_is_asked_for(clinic: Clinic) -> None:
    clinic.met(3)
    assert clinic.redeem().sentence == "$45.00 asked for, on the way."
    assert clinic.places() == {"awarded": "45.00", "in_flight": "45.00"}


def test_the_outbox_has_a_row_for_what_goes_on_its_way(clinic: Clinic) -> None:
    clinic.met(2)
    clinic.today += timedelta(3)
    number = clinic.redeem().number
    with clinic.storage.reading() as tx:
        assert tx.payouts("e-1") == [("e-1", number, 1, clinic.today.isoformat())]


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        ("45.01", r"amount: \$45.01 is asked for, and \$45.00 is owed"),
        ("14.99", r"amount: the program hands over \$15.00 or more, got \$14.99; \$45.00 is owed"),
        ("0", "amount: expected more than 0, got 0; leave it out to ask for all that is owed"),
        ("-15", "amount: expected more than 0, got -15"),
        ("15.001", r"amount: expected a Decimal with at most 2 decimals, got Decimal\('15.001'\)"),
        ("NaN", "amount: expected a Decimal with at most 2 decimals"),
        ("Infinity", "amount: expected a Decimal with at most 2 decimals"),
        ("1E+400", "amount: expected a Decimal with at most 2 decimals"),
    ],
)
def test_an_amount_that_is_not_there_too_small_or_inexact_is_refused(
    clinic: Clinic, amount: str, why: str
) -> None:
    clinic.met(3)
    with pytest.raises(ReportError, match=why):
        clinic.redeem(amount)
    assert clinic.places() == {"awarded": "45.00", "owed": "45.00"}


@pytest.mark.parametrize("amount", [20, 20.0, "20.00"])
def test_an_amount_that_is_no_decimal_is_refused(clinic: Clinic, amount: Any) -> None:
    clinic.met(3)
    with pytest.raises(ReportError, match="expected a Decimal"):
        clinic.engine.redeem(**clinic.call(amount=amount))


def test_nothing_can_be_asked_for_where_nothing_or_too_little_is_owed(clinic: Clinic) -> None:
    with pytest.raises(ReportError, match="nothing is owed"):
        clinic.redeem()
    clinic.met(1)
    with pytest.raises(ReportError, match=r"\$15.00 or more, got \$10.00"):
        clinic.redeem()


def test_after_the_end_of_an_episode_what_is_left_may_be_asked_for_however_little() -> None:
    windowed = Clinic(program("leaving", "{when: on request, minimum: 15}", "windows: {before: 0, after: 0}"))
    windowed.met(1)
    with pytest.raises(ReportError, match=r"\$15.00 or more"):
        windowed.redeem()
    windowed.engine.discharge(**windowed.call(on=windowed.today, why="moved away"))
    assert windowed.redeem().sentence == "$10.00 asked for, on the way."
    windowed.audit()


def test_a_unit_that_the_program_does_not_award_is_refused(clinic: Clinic) -> None:
    clinic.met(3)
    with pytest.raises(ReportError, match=r"unit: the program awards no 'points' \(known: USD\)"):
        clinic.redeem(unit="points")


PRODUCTS = program("products", "{when: on request, products: [gift card, bus pass]}")


def test_only_what_the_program_lists_may_be_asked_for() -> None:
    clinic = Clinic(PRODUCTS)
    clinic.met(3)
    for asked, why in (
        (
            "gift cart",
            r"product: there is no 'gift cart'; did you mean 'gift card'\? \(known: gift card, bus pass\)",
        ),
        ("", r"product: say what is asked for \(known: gift card, bus pass\)"),
    ):
        with pytest.raises(ReportError, match=why):
            clinic.redeem("10", product=asked)
    assert clinic.redeem("10", product="bus pass").sentence == "$10.00 asked for (bus pass), on the way."


def test_the_only_product_of_a_program_may_be_left_out() -> None:
    clinic = Clinic(program("one-product", "{when: on request, products: [gift card]}"))
    clinic.met(1)
    assert clinic.redeem().sentence == "$10.00 asked for (gift card), on the way."


def test_a_program_with_pay_days_hands_nothing_over_on_request(fridays: Clinic) -> None:
    fridays.met(1)
    with pytest.raises(ReportError, match=r"pays on set days \(friday\): what is owed goes out then"):
        fridays.redeem()


def test_a_repeat_says_whether_the_enrollment_is_frozen_by_now(clinic: Clinic) -> None:
    told = clinic.call(result="-", on=clinic.today)
    assert not clinic.engine.record(**told).is_frozen
    clinic.engine.freeze(**clinic.call(on=clinic.today, why="a dispute"))
    again = clinic.engine.record(**told)
    assert again.replayed
    assert again.is_frozen


def test_a_frozen_enrollment_keeps_what_it_has(clinic: Clinic) -> None:
    clinic.met(3)
    number = clinic.redeem("15").number
    clinic.engine.freeze(**clinic.call(on=clinic.today, why="a dispute"))
    for act in (clinic.redeem, partial(clinic.hand_over, number)):
        with pytest.raises(ReportError, match="frozen, and nothing is handed over"):
            act()
    clinic.today += timedelta(100)
    assert clinic.engine.expire() == []
    clinic.engine.release(**clinic.call(on=clinic.today, why="settled"))
    assert clinic.hand_over(number).sentence == "$15.00 handed over."
    assert clinic.engine.expire() == []


@pytest.mark.parametrize("ahead", [2, 30])
def test_a_freeze_holds_from_when_it_is_recorded_and_is_refused_for_a_day_ahead(
    clinic: Clinic, ahead: int
) -> None:
    before = len(clinic.engine.history(enrollment="e-1"))
    for act in (clinic.engine.freeze, clinic.engine.release):
        with pytest.raises(ReportError, match="what has not happened yet cannot be recorded"):
            act(**clinic.call(on=clinic.today + timedelta(ahead), why="a dispute"))
    assert len(clinic.engine.history(enrollment="e-1")) == before


def test_the_days_of_a_freeze_are_no_days_to_collect_in(clinic: Clinic) -> None:
    clinic.met(1)  # $10.00 of 5 January, kept for twenty days
    clinic.today = START + timedelta(15)
    clinic.engine.freeze(**clinic.call(on=START, why="a dispute"))  # told for a day long before
    clinic.today += timedelta(30)
    clinic.engine.release(**clinic.call(on=START + timedelta(16), why="settled"))
    clinic.today += timedelta(5)
    assert clinic.engine.expire() == []
    clinic.today += timedelta(1)
    [lost] = clinic.engine.expire()
    assert lost.sentence == "$10.00 of 5 January 2026 was not collected by 24 February 2026, and has expired."


def test_a_freeze_that_is_withdrawn_has_held_back_until_then(clinic: Clinic) -> None:
    clinic.met(1)
    clinic.today = START + timedelta(15)
    frozen = clinic.engine.freeze(**clinic.call(on=clinic.today, why="a dispute"))
    clinic.today += timedelta(30)
    clinic.engine.void(**clinic.call(record=frozen.record, why="another participant's"))
    clinic.today += timedelta(5)
    assert clinic.engine.expire() == []
    clinic.today += timedelta(1)
    assert len(clinic.engine.expire()) == 1


def lost_by(clinic: Clinic, last: date) -> bool:
    """Tell whether something is lost once that day is over, and not before."""
    clinic.today = last
    before = clinic.engine.expire()
    clinic.today += timedelta(1)
    return not before and len(clinic.engine.expire()) == 1


def frozen_for(clinic: Clinic, days: int) -> None:
    clinic.engine.freeze(**clinic.call(on=clinic.today, why="a dispute"))
    clinic.today += timedelta(days)
    clinic.engine.release(**clinic.call(on=clinic.today, why="settled"))


def test_what_is_earned_in_a_freeze_has_all_its_days_after_it(clinic: Clinic) -> None:
    clinic.engine.freeze(**clinic.call(on=START, why="a dispute"))
    clinic.today += timedelta(10)
    clinic.met(1)
    clinic.today = START + timedelta(30)
    clinic.engine.release(**clinic.call(on=clinic.today, why="settled"))
    assert lost_by(clinic, START + timedelta(50))


def test_a_freeze_before_the_pay_day_takes_no_days_and_one_after_it_does(fridays: Clinic) -> None:
    fridays.met(1)
    frozen_for(fridays, 2)  # the 6th and the 7th
    fridays.today = START + timedelta(4)
    [sent] = fridays.engine.pay_due()
    fridays.decline(sent.number)
    frozen_for(fridays, 3)  # from the pay day on, which is the 9th
    assert lost_by(fridays, date(2026, 1, 9 + 9 + 3))


def test_what_was_over_before_a_freeze_expires_after_it(clinic: Clinic) -> None:
    clinic.met(1)
    clinic.today = START + timedelta(21)
    clinic.engine.freeze(**clinic.call(on=clinic.today, why="a dispute"))
    clinic.today += timedelta(30)
    assert clinic.engine.expire() == []
    clinic.engine.release(**clinic.call(on=clinic.today, why="settled"))
    [lost] = clinic.engine.expire()
    assert "was not collected by 25 January 2026" in lost.sentence


# What becomes of a payout


def test_a_payout_is_handed_over_once(clinic: Clinic) -> None:
    clinic.met(3)
    number = clinic.redeem("20").number
    given = clinic.hand_over(number, reference="card 4412")
    assert given.sentence == "$20.00 handed over (card 4412)."
    assert (given.payable, given.hand_over) == ({}, {})
    assert clinic.places() == {"awarded": "45.00", "owed": "25.00", "issued": "20.00"}
    for act in (clinic.hand_over, clinic.decline):
        with pytest.raises(ReportError, match=f"nothing of payout {number} is on the way; it is handed over"):
            act(number)
    assert [each.status for each in clinic.engine.payouts(enrollment="e-1")] == ["issued"]
    assert clinic.engine.payouts(enrollment="e-1", on_the_way=True) == []


def test_what_is_declined_is_owed_again_and_may_be_asked_for_again(clinic: Clinic) -> None:
    clinic.met(3)
    number = clinic.redeem("20").number
    declined = clinic.decline(number)
    assert declined.sentence == "$20.00 was not handed over, and is owed again."
    assert declined.reported["why"] == "no such address"
    assert clinic.places() == {"awarded": "45.00", "owed": "45.00"}
    with pytest.raises(ReportError, match=f"nothing of payout {number} is on the way; it is declined"):
        clinic.hand_over(number)
    clinic.redeem("45")
    assert clinic.places() == {"awarded": "45.00", "in_flight": "45.00"}


def test_what_is_paid_at_once_and_declined_is_owed_until_it_is_asked_for(at_once: Clinic) -> None:
    at_once.met(2)
    assert at_once.places() == {"awarded": "25.00", "in_flight": "25.00"}
    at_once.decline(1)
    at_once.hand_over(2)
    assert at_once.places() == {"awarded": "25.00", "owed": "10.00", "issued": "15.00"}
    assert at_once.redeem().sentence == "$10.00 asked for, on the way."
    assert at_once.places() == {"awarded": "25.00", "in_flight": "10.00", "issued": "15.00"}


def test_a_card_that_is_returned_is_owed_again(clinic: Clinic) -> None:
    clinic.met(3)
    number = clinic.redeem("20").number
    with pytest.raises(ReportError, match=f"nothing of payout {number} is handed over; it is on the way"):
        clinic.refund(number)
    clinic.hand_over(number)
    returned = clinic.refund(number)
    assert returned.sentence == "$20.00 came back after it was handed over, and is owed again."
    assert clinic.places() == {"awarded": "45.00", "owed": "45.00"}
    with pytest.raises(ReportError, match=f"nothing of payout {number} is handed over; it is refunded"):
        clinic.refund(number)


@pytest.mark.parametrize(
    ("number", "leg", "why"),
    [
        (1, None, "number: decision 1 sends nothing on its way; payouts lists what does"),
        (99, None, "number: decision 99 sends nothing on its way"),
        (4, 2, "number: leg 2 of decision 4 sends nothing on its way"),
        (0, None, "number: expected a number from 1, got 0"),
        (True, None, "number: expected a number from 1, got True"),
        ("4", None, "number: expected a number from 1, got '4'"),
        (4, 0, "leg: expected a number from 1, got 0"),
    ],
)
def test_a_payout_that_is_not_there_is_refused(clinic: Clinic, number: Any, leg: Any, why: str) -> None:
    clinic.met(3)
    assert clinic.redeem("20").number == 4
    for act in (clinic.hand_over, clinic.decline, clinic.refund):
        with pytest.raises(ReportError, match=why):
            act(number, leg=leg)


TWO_UNITS = """
milestones: {first: {says: A token, when: {visits: 1}, amount: 3, unit: point}}
"""


def test_each_of_several_amounts_of_a_decision_is_handed_over_by_itself() -> None:
    clinic = Clinic(program("two-units", "{when: at once}", TWO_UNITS))
    clinic.met(1)
    assert [(each.leg, each.unit) for each in clinic.engine.payouts(enrollment="e-1")] == [
        (1, "USD"),
        (2, "point"),
    ]
    assert clinic.hand_over(1, leg=2).sentence == "3 points handed over."
    assert clinic.hand_over(1).sentence == "$10.00 handed over."
    with pytest.raises(ReportError, match="nothing of payout 1 is on the way; it is handed over"):
        clinic.hand_over(1)
    assert [each.status for each in clinic.engine.payouts(enrollment="e-1")] == ["issued", "issued"]
    clinic.audit()


def test_an_act_of_the_bank_is_corrected_by_another_and_never_amended(clinic: Clinic) -> None:
    clinic.met(2)
    asked = clinic.redeem()
    with pytest.raises(RecordNotFoundError, match="it was redeemed, and only what was observed is corrected"):
        clinic.amend(asked.record, "-")


# Pay days


def test_what_is_owed_goes_out_on_the_pay_day_and_not_before(fridays: Clinic) -> None:
    fridays.met(2)
    fridays.today = date(2026, 1, 8)
    assert fridays.engine.pay_due() == []
    fridays.today = date(2026, 1, 9)
    [paid] = fridays.engine.pay_due()
    assert paid.decisions[0].sentence == "Pay day, 9 January 2026: $25.00 on the way."
    assert (paid.source, paid.key, paid.by) == ("cm-engine", "e-1/paid out/2026-01-09", "cm-engine")
    assert paid.hand_over == {"USD": Decimal("25.00")}
    assert fridays.places() == {"awarded": "25.00", "in_flight": "25.00"}
    assert fridays.engine.pay_due() == []


def test_what_is_earned_on_a_pay_day_after_it_was_paid_goes_out_the_same_day(fridays: Clinic) -> None:
    fridays.met(1)
    fridays.today = date(2026, 1, 9)
    fridays.engine.pay_due()
    fridays.engine.record(**fridays.call(result="-", on=fridays.today))
    [paid] = fridays.engine.pay_due()
    assert paid.key == "e-1/paid out/2026-01-09/2"
    assert fridays.engine.pay_due() == []
    assert fridays.places() == {"awarded": "25.00", "in_flight": "25.00"}


def test_a_day_that_has_not_come_is_refused(fridays: Clinic) -> None:
    fridays.met(1)
    tomorrow = fridays.today + timedelta(1)
    with pytest.raises(ReportError, match=f"until: expected {fridays.today} or before, .* got {tomorrow}"):
        fridays.engine.pay_due(until=tomorrow)
    with pytest.raises(ReportError, match="until: expected 2026-01-05 or before, as it is 2026-01-06"):
        fridays.engine.expire(until=fridays.today)
    with pytest.raises(EnrollmentNotFoundError):
        fridays.engine.pay_due(enrollment="e-9")


def test_a_declined_pay_day_goes_out_again_on_the_next_one(fridays: Clinic) -> None:
    fridays.met(1)
    fridays.today = date(2026, 1, 9)
    [paid] = fridays.engine.pay_due()
    fridays.today = date(2026, 1, 10)
    fridays.decline(paid.number)
    fridays.today = date(2026, 1, 15)
    assert fridays.engine.pay_due() == []
    fridays.today = date(2026, 1, 16)
    assert len(fridays.engine.pay_due()) == 1


def test_only_enrollments_that_are_owed_something_get_an_act(fridays: Clinic) -> None:
    for number in range(2, 5):
        fridays.engine.enroll(
            participant=f"p-{number}", program="fridays", start=START, by="nurse", id=f"e-{number}"
        )
    fridays.met(1)
    fridays.engine.record(**fridays.call(enrollment="e-3", result="-", on=START))
    fridays.today = date(2026, 1, 9)
    assert [act.enrollment for act in fridays.engine.pay_due(by="cron")] == ["e-1", "e-3"]
    assert len(fridays.engine.history(enrollment="e-2")) == 1


# Expiry


def test_what_was_not_collected_in_time_expires_first_in_first_out(clinic: Clinic) -> None:
    clinic.met(3, gap=5)
    clinic.redeem("15")
    clinic.today = date(2026, 1, 30)
    assert clinic.engine.expire() == []
    clinic.today = date(2026, 1, 31)
    [lost] = clinic.engine.expire()
    assert lost.decisions[0].sentence == (
        "$10.00 of 10 January 2026 was not collected by 30 January 2026, and has expired."
    )
    assert lost.payable == {"USD": Decimal("-10.00")}
    assert (lost.source, lost.key) == ("cm-engine", "e-1/expired/2026-01-30")
    assert clinic.engine.expire() == []
    assert clinic.places() == {"awarded": "45.00", "owed": "20.00", "in_flight": "15.00", "expired": "10.00"}


def test_what_is_on_its_way_never_expires_and_has_its_time_again_when_it_comes_back(clinic: Clinic) -> None:
    clinic.met(2)
    number = clinic.redeem().number
    clinic.today += timedelta(300)
    assert clinic.engine.expire() == []
    clinic.decline(number)
    clinic.today += timedelta(20)
    assert clinic.engine.expire() == []
    clinic.today += timedelta(1)
    assert len(clinic.engine.expire()) == 1


def test_what_was_sent_and_never_collected_keeps_the_time_it_had(at_once: Clinic) -> None:
    at_once.met(1)
    at_once.today += timedelta(10)
    at_once.decline(1)
    [lost] = at_once.engine.expire()
    assert lost.sentence == "$10.00 of 5 January 2026 was not collected by 11 January 2026, and has expired."
    assert at_once.places() == {"awarded": "10.00", "expired": "10.00"}


def test_what_waits_for_a_pay_day_cannot_expire_before_it_was_sent(fridays: Clinic) -> None:
    fridays.met(1)
    fridays.today += timedelta(100)
    assert fridays.engine.expire() == []
    [paid] = fridays.engine.pay_due()
    fridays.decline(paid.number)
    assert len(fridays.engine.expire()) == 1


def test_a_result_that_comes_late_has_all_its_time(clinic: Clinic) -> None:
    clinic.today = date(2026, 3, 1)
    clinic.engine.record(**clinic.call(result="-", on=START))
    clinic.today = date(2026, 3, 21)
    assert clinic.engine.expire() == []
    clinic.today = date(2026, 3, 22)
    assert len(clinic.engine.expire()) == 1


def test_a_deposit_never_expires() -> None:
    clinic = Clinic(
        program(
            "staking",
            "{when: on request, expires_after: 20}",
            "deposit: {stake: 30}\nmilestones: {back: {says: Back, when: {visits: 1}, amount: 5, refunds: true}}\n",
        )
    )
    clinic.engine.record(**clinic.call(event="deposit", on=START))
    clinic.met(1)
    assert clinic.places() == {"awarded": "15.00", "owed": "45.00", "paid_in": "30.00"}
    clinic.today += timedelta(100)
    clinic.engine.expire()
    assert clinic.places() == {"awarded": "15.00", "owed": "30.00", "expired": "15.00", "paid_in": "30.00"}
    clinic.audit()


# Corrections


def test_a_correction_leaves_acts_of_the_bank_as_they_are(clinic: Clinic) -> None:
    clinic.met(3)
    number = clinic.redeem("20").number
    clinic.hand_over(number)
    amended = clinic.amend(1, "+")
    assert [each.outcome for each in amended.decisions] == ["+", "-", "-"]
    assert [each.status for each in clinic.engine.payouts(enrollment="e-1")] == ["issued"]
    assert clinic.places() == {"awarded": "25.00", "owed": "5.00", "issued": "20.00"}


@pytest.mark.parametrize(
    ("name", "borne", "after"),
    [
        ("saving", {"absorbed": "35.00"}, {"owed": "10.00", "absorbed": "35.00"}),
        ("saving-offset", {"offset": "35.00"}, {"offset": "25.00"}),
    ],
)
def test_inv_14_what_was_given_too_much_is_absorbed_or_offset_and_nothing_is_taken_back(
    name: str, borne: dict[str, str], after: dict[str, str]
) -> None:
    clinic = Clinic(name)
    clinic.met(3)
    clinic.hand_over(clinic.redeem("45").number)
    clinic.amend(3, "+")
    clinic.amend(2, "+")
    assert clinic.places() == {"awarded": "10.00", "issued": "45.00", **borne}
    clinic.met(1)
    assert clinic.places() == {"awarded": "20.00", "issued": "45.00", **after}
    clinic.amend(2, "-")
    clinic.amend(3, "-")
    assert clinic.places()["issued"] == "45.00"
    assert "absorbed" not in clinic.places()
    clinic.audit()


def test_what_a_correction_adds_to_one_visit_and_takes_from_another_leaves_nothing_to_ask_for() -> None:
    clinic = Clinic(program("swapped", "{when: on request}"))
    clinic.met(2)
    clinic.redeem()
    clinic.engine.amend(**clinic.call(record=1, on=clinic.today, why="another day"))
    assert clinic.places() == {"awarded": "25.00", "in_flight": "25.00"}
    with pytest.raises(ReportError, match="nothing is owed"):
        clinic.redeem()
    clinic.audit()


def test_what_comes_back_settles_what_was_given_too_much_before_it_is_owed_again(clinic: Clinic) -> None:
    clinic.met(3)
    number = clinic.redeem("45").number
    clinic.amend(3, "+")
    assert clinic.places() == {"awarded": "25.00", "in_flight": "45.00", "absorbed": "20.00"}
    declined = clinic.decline(number)
    assert declined.sentence == (
        "$45.00 was not handed over: $20.00 of it settles what was given too much, and $25.00 is owed again."
    )
    assert clinic.places() == {"awarded": "25.00", "owed": "25.00"}
    clinic.amend(3, "-")
    assert clinic.places() == {"awarded": "45.00", "owed": "45.00"}


def test_what_comes_back_is_taken_off_an_offset_and_later_awards_are_whole() -> None:
    clinic = Clinic("at-once-offset")
    clinic.met(3)
    clinic.amend(3, "+")
    assert clinic.places() == {"awarded": "25.00", "in_flight": "45.00", "offset": "20.00"}
    assert (
        clinic.decline(3).sentence
        == "$20.00 was not handed over: $20.00 of it settles what was given too much."
    )
    clinic.met(1)
    assert clinic.places() == {"awarded": "35.00", "in_flight": "35.00"}
    clinic.audit()


def test_two_amounts_that_come_back_at_once_settle_an_offset_once_and_later_awards_are_whole() -> None:
    clinic = Clinic(program("two-at-once", "{when: set days, days: [friday], overpaid: offset}"))
    clinic.met(2, gap=7)
    [paid] = clinic.engine.pay_due()
    number = paid.decisions[0].number
    clinic.amend(1, "+")
    clinic.amend(2, "+")
    clinic.decline(number)
    assert clinic.places() == {}
    clinic.met(1)
    assert clinic.places() == {"awarded": "10.00", "owed": "10.00"}
    clinic.audit()


def test_an_award_that_expired_goes_with_its_correction_and_is_never_owed_again(clinic: Clinic) -> None:
    clinic.met(3, gap=8)
    clinic.engine.expire()
    assert clinic.places() == {"awarded": "45.00", "owed": "35.00", "expired": "10.00"}
    clinic.amend(1, "+")
    assert clinic.places() == {"awarded": "25.00", "owed": "25.00"}
    clinic.amend(1, "-")
    assert clinic.places() == {"awarded": "45.00", "owed": "35.00", "expired": "10.00"}
    clinic.engine.void(**clinic.call(record=1, why="another patient"))
    assert clinic.places() == {"awarded": "25.00", "owed": "25.00"}


def test_a_correction_takes_its_own_award_first_and_leaves_the_days_of_the_others(clinic: Clinic) -> None:
    clinic.met(2, gap=5)
    clinic.amend(2, "+")
    clinic.today = date(2026, 1, 26)
    [lost] = clinic.engine.expire()
    assert lost.sentence == "$10.00 of 5 January 2026 was not collected by 25 January 2026, and has expired."
    assert clinic.places() == {"awarded": "10.00", "expired": "10.00"}


def test_the_order_of_bank_and_results_changes_no_decision_on_a_result(clinic: Clinic) -> None:
    clinic.met(4)
    number = clinic.redeem("30").number
    clinic.engine.record(**clinic.call(result="+", on=START + timedelta(1)))
    clinic.hand_over(number)
    beside = Clinic("saving")
    beside.met(4)
    beside.engine.record(**beside.call(result="+", on=START + timedelta(1)))
    assert awards(clinic) == awards(beside) == ["10.00", "15.00", "0.00", "10.00", "15.00"]


def awards(clinic: Clinic) -> list[str]:
    """Return what each visit that stands awards, in the order of the visits."""
    acts = clinic.engine.history(enrollment="e-1")
    found = {each.record: each for act in acts for each in act.decisions if each.visit}
    return [str(each.awards["USD"]) for each in sorted(found.values(), key=lambda each: each.visit)]


# The statement


def test_the_statement_tells_it_in_plain_words(clinic: Clinic) -> None:
    clinic.met(2)
    number = clinic.redeem("15.00", product="gift card").number
    clinic.hand_over(number, reference="card 4412")
    clinic.refund(number)
    clinic.today += timedelta(30)
    clinic.engine.expire()
    assert clinic.told()[2:] == [
        "$15.00 asked for (gift card), on the way.",
        "$15.00 handed over (card 4412).",
        "$15.00 came back after it was handed over, and is owed again.",
        " ".join(
            f"{amount} of {day} January 2026 was not collected by {last} January 2026, and has expired."
            for amount, day, last in (("$10.00", 6, 26), ("$10.00", 5, 27), ("$5.00", 6, 27))
        ),
    ]
    statement = clinic.engine.statement(enrollment="e-1")
    assert statement.lines[-1].so_far == {"USD": Decimal("0.00")}
    assert statement.text().endswith("In all $25.00 awarded; $25.00 expired\n")


# The same act again


def test_the_same_act_of_the_bank_again_is_the_stored_one(clinic: Clinic) -> None:
    clinic.met(3)
    call = clinic.call(amount=Decimal("20.00"))
    first, again = clinic.engine.redeem(**call), clinic.engine.redeem(**{**call, "by": "somebody else"})
    assert (again.record, again.number, again.replayed) == (first.record, first.number, True)
    assert again.hand_over == {}
    all_of = clinic.call()
    assert clinic.engine.redeem(**all_of).sentence == "$25.00 asked for, on the way."
    assert clinic.engine.redeem(**all_of).replayed
    with pytest.raises(KeyConflictError) as caught:
        clinic.engine.redeem(**{**call, "amount": Decimal("25.00")})
    assert ('"amount":"20.00"' in caught.value.stored, '"amount":"25.00"' in caught.value.given) == (
        True,
        True,
    )
    for act, more in (
        (clinic.engine.hand_over, {}),
        (clinic.engine.refund, {"why": "returned"}),
    ):
        told = clinic.call(number=first.number, **more)
        assert not act(**told).replayed
        assert act(**told).replayed
    assert clinic.places() == {"awarded": "45.00", "owed": "20.00", "in_flight": "25.00"}


# Many at once


def test_eight_threads_that_ask_for_the_same_money_never_get_more_than_there_is(database_url: str) -> None:
    clinic = Clinic(program("shared-out", "{when: on request}"), database_url)
    clinic.met(5)
    got: list[Decimal] = []

    def ask(thread: int) -> None:
        for number in range(4):
            with suppress(ReportError):
                call = {"enrollment": "e-1", "source": "app", "key": f"{thread}/{number}", "by": "p-1"}
                got.append(clinic.engine.redeem(**call, amount=Decimal("9.50")).hand_over["USD"])

    together(partial(ask, thread) for thread in range(8))
    assert sum(got) == 10 * Decimal("9.50") == Decimal(95)
    assert clinic.places() == {"awarded": "95.00", "in_flight": "95.00"}
    clinic.audit()
    clinic.engine.close()


def test_eight_threads_hand_one_payout_over_once(database_url: str) -> None:
    clinic = Clinic("at-once", database_url)
    clinic.met(1)
    outcomes: list[str] = []

    def confirm(thread: int) -> None:
        try:
            done = clinic.engine.hand_over(
                enrollment="e-1", number=1, source="app", key=f"{thread}", by="nurse"
            )
            outcomes.append(done.outcome)
        except ReportError:
            outcomes.append("refused")

    together(partial(confirm, thread) for thread in range(8))
    assert sorted(outcomes) == ["handed over", *["refused"] * 7]
    assert clinic.places() == {"awarded": "10.00", "issued": "10.00"}
    clinic.engine.close()


@pytest.mark.parametrize("act", ["pay_due", "expire"])
def test_eight_threads_that_sweep_do_everything_once(database_url: str, act: str) -> None:
    clinic = Clinic("fridays" if act == "pay_due" else "saving", database_url)
    clinic.met(3)
    clinic.today += timedelta(60)
    together([getattr(clinic.engine, act)] * 8)
    place = "in_flight" if act == "pay_due" else "expired"
    assert clinic.places() == {"awarded": "45.00", place: "45.00"}
    kinds = [each.kind for each in clinic.engine.history(enrollment="e-1")]
    assert len([kind for kind in kinds if kind in {"paid out", "expired"}]) == 1
    clinic.audit()
    clinic.engine.close()


# What is tampered with


def everything(engine: Engine) -> None:
    """Take every act of the bank once, and correct what was given and what expired."""
    clinic = Clinic("saving", storage=storage_of(engine))
    clinic.met(6)
    first, second = clinic.redeem("20").number, clinic.redeem("30").number
    clinic.hand_over(first, reference="card 4412")
    clinic.decline(second)
    clinic.refund(first)
    clinic.today += timedelta(30)
    clinic.engine.expire()
    clinic.amend(1, "+")
    clinic.met(2)
    clinic.redeem()


def storage_of(engine: Engine) -> Storage:
    """Return what an engine is opened on."""
    found: Storage = vars(engine)["_storage"]
    return found


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """A log with every act of the bank, that can be tampered with."""
    made = Log(f"sqlite:///{tmp_path_factory.mktemp('bank') / 'clinic.db'}", everything)
    yield made
    made.close()


WRITTEN = [each for each in COLUMNS if each[0] in {"records", "decisions", "entries", "payouts"}]


@pytest.mark.parametrize(("name", "column"), WRITTEN)
def test_inv_15_a_changed_value_of_an_act_of_the_bank_is_found(log: Log, name: str, column: str) -> None:
    with log.copy() as copy:
        rows = copy.rows(name)
        assert copy.verify().is_clean
    for row in rows[-14::2]:
        value = changes(row[column])[0] if row[column] != "" else "x"
        after = {**row, column: value}
        if not any(key_values(name, each) == key_values(name, after) for each in rows if each != row):
            with log.copy() as copy:
                copy.change(name, row, {column: value})
                assert_found(copy.verify(), name, row, after)


@pytest.mark.parametrize("name", ["entries", "payouts"])
def test_inv_15_a_removed_posting_or_payout_of_the_bank_is_found(log: Log, name: str) -> None:
    with log.copy() as copy:
        row = copy.rows(name)[-1]
        copy.remove(name, row)
        assert_found(copy.verify(), name, row)


def until_it_expires(engine: Engine) -> None:
    """Ask for something, get it back, and let it expire."""
    clinic = Clinic("saving", storage=storage_of(engine))
    clinic.met(4)
    clinic.decline(clinic.redeem("20").number)
    clinic.today += timedelta(30)
    clinic.engine.expire()


def test_acts_of_the_bank_after_decisions_of_other_rules_are_followed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("cm_engine.log.deciding.reasons_text", lambda _: "[]")
        older = Log(f"sqlite:///{tmp_path / 'older.db'}", until_it_expires)
    for module in ("log.deciding", "log.bank", "audit.refolding"):
        monkeypatch.setattr(f"cm_engine.{module}.RULES_VERSION", RULES_VERSION + 1)
    with older.copy() as copy:
        found = copy.verify()
        assert found.is_clean, found
        assert {each.enrollment for each in found.other_rules} == {"e-1"}
        row = copy.rows("entries")[-1]
        copy.change("entries", row, {"amount": row["amount"] + 1})
        assert_found(copy.verify(), "entries", row)
    older.close()


# At random, beside the plain model


CENTS = st.none() | st.integers(1, 9000)
PICK = st.integers(0, 99)


class Banked(RuleBasedStateMachine):
    """Results and acts of the bank at random, on an engine and on a plain model."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    @initialize(name=st.sampled_from(sorted(PAYOUTS)))
    def begin(self, name: str) -> None:
        payout = PAYOUTS[name][1]
        self.clinic = Clinic(name)
        self.bank = Bank(payout.when, payout.minimum, payout.kept_days, payout.offsets)

    @rule(days=st.integers(1, 15))
    def time_goes_by(self, days: int) -> None:
        self.bank.time_goes_by(self.clinic.today, days)
        self.clinic.today += timedelta(days)

    @rule()
    def freeze_or_release(self) -> None:
        act = self.clinic.engine.release if self.bank.is_frozen else self.clinic.engine.freeze
        act(**self.clinic.call(on=self.clinic.today, why="a dispute"))
        self.bank.is_frozen = not self.bank.is_frozen

    @precondition(lambda self: self.bank.owed)
    @rule(days=st.integers(5, 25))
    def time_goes_by_for_what_is_owed(self, days: int) -> None:
        self.time_goes_by(days)
        self.expire()

    @precondition(lambda self: self.bank.owed and not self.bank.is_frozen)
    @rule(days=st.integers(1, 30), after=st.integers(1, 25))
    def a_freeze_goes_by_for_what_is_owed(self, days: int, after: int) -> None:
        self.freeze_or_release()
        self.time_goes_by(days)
        self.freeze_or_release()
        self.time_goes_by_for_what_is_owed(after)

    @precondition(lambda self: +self.bank.expired or +self.bank.unexpired)
    @rule(pick=PICK)
    def amend_what_expired(self, pick: int) -> None:
        record = self._pick(dict(+self.bank.expired or +self.bank.unexpired), pick)
        if record in self.bank.visits:
            self._amend(record, met=not self.bank.visits[record][1])

    @rule(ago=st.integers(0, 12), result=st.sampled_from("---+o"))
    def observe(self, ago: int, result: str) -> None:
        on = max(START, self.clinic.today - timedelta(ago))
        done = self.clinic.engine.record(**self.clinic.call(result=result, on=on))
        self._counted(done, self.bank.observed(done.record, on, met=result == "-", today=self.clinic.today))

    @precondition(lambda self: self.bank.visits)
    @rule(pick=PICK, result=st.sampled_from("-+"))
    def amend(self, pick: int, result: str) -> None:
        self._amend(self._pick(self.bank.visits, pick), met=result == "-")

    @precondition(lambda self: self.bank.visits)
    @rule(pick=PICK, ago=st.integers(0, 20))
    def amend_the_day(self, pick: int, ago: int) -> None:
        record = self._pick(self.bank.visits, pick)
        on = max(START, self.clinic.today - timedelta(ago))
        done = self.clinic.engine.amend(**self.clinic.call(record=record, on=on, why="another day"))
        met = self.bank.visits[record][1]
        self._counted(done, self.bank.observed(record, on, met=met, today=self.clinic.today))

    def _amend(self, record: int, *, met: bool) -> None:
        on, _ = self.bank.visits[record]
        done = self.clinic.amend(record, "-" if met else "+")
        self._counted(done, self.bank.observed(record, on, met=met, today=self.clinic.today))

    @precondition(lambda self: self.bank.visits)
    @rule(pick=PICK)
    def void(self, pick: int) -> None:
        record = self._pick(self.bank.visits, pick)
        done = self.clinic.engine.void(**self.clinic.call(record=record, why="by mistake"))
        self._counted(done, self.bank.voided(record, self.clinic.today))

    def _counted(self, done: Recorded, sent: dict[int, int]) -> None:
        numbers = {each.record: each.number for each in done.decisions}
        for visit, cents in sent.items():
            self.bank.sent_at_once(numbers[visit], visit, cents, self.clinic.today)

    @rule(cents=CENTS)
    def redeem(self, cents: int | None) -> None:
        amount = "" if cents is None else f"{cents // 100}.{cents % 100:02}"
        self._both(lambda: self.clinic.redeem(amount), lambda: self.bank.redeem(self._next(), cents))

    @precondition(lambda self: self.bank.owed)
    @rule(share=st.integers(1, 4))
    def redeem_a_part(self, share: int) -> None:
        self.redeem(max(1, self.bank.owes() // share))

    @precondition(lambda self: self.bank.parcels)
    @rule(pick=PICK)
    def hand_over(self, pick: int) -> None:
        number = self._pick(self.bank.parcels, pick)
        self._both(lambda: self.clinic.hand_over(number), lambda: self.bank.hand_over(number))

    @precondition(lambda self: self.bank.parcels)
    @rule(pick=PICK)
    def decline(self, pick: int) -> None:
        number, today = self._pick(self.bank.parcels, pick), self.clinic.today
        self._both(
            lambda: self.clinic.decline(number),
            lambda: self.bank.came_back(number, "in flight", today),
            back=True,
        )

    @precondition(lambda self: self.bank.parcels)
    @rule(pick=PICK)
    def refund(self, pick: int) -> None:
        number, today = self._pick(self.bank.parcels, pick), self.clinic.today
        self._both(
            lambda: self.clinic.refund(number),
            lambda: self.bank.came_back(number, "issued", today),
            back=True,
        )

    @rule()
    def pay_due(self) -> None:
        due, number = self.bank.due(self.clinic.today), self._next()
        done = self.clinic.engine.pay_due()
        assert len(done) == bool(due)
        if due:
            self.bank.pay_due(number, self.clinic.today)
        assert self.clinic.engine.pay_due() == []

    @rule()
    def expire(self) -> None:
        yesterday = self.clinic.today - timedelta(1)
        over = self.bank.over(yesterday)
        done = self.clinic.engine.expire()
        assert len(done) == bool(over)
        if over:
            self.bank.expire(yesterday)
        assert self.clinic.engine.expire() == []

    @invariant()
    def every_account_is_that_of_the_model(self) -> None:
        found = self.clinic.engine.balance(enrollment="e-1")
        expected = {name: Decimal(cents) / 100 for name, cents in self.bank.places().items() if cents}
        balance = found["USD"]._asdict() if found else {}
        assert {name: each for name, each in balance.items() if each and name != "unit"} == expected

    @invariant()
    def inv_14_every_account_adds_up_and_nothing_given_is_taken_back(self) -> None:
        places = self.bank.places()
        given = places["in_flight"] + places["issued"]
        assert (
            places["awarded"]
            == given + places["owed"] + places["expired"] - places["absorbed"] - places["offset"]
        )
        assert places["absorbed"] + places["offset"] <= given
        assert given >= self.given
        self.given = given

    @invariant()
    def the_lots_are_what_is_owed(self) -> None:
        with self.clinic.storage.reading() as tx:
            enrolled = Register(b"").enrolled(tx, "e-1")
            purse = Ledgered.of(enrolled, whole_log(tx, "e-1")).purse
        assert purse.owes("USD") == self.bank.owes()

    def teardown(self) -> None:
        """Audit all of it."""
        self.clinic.audit()
        self.clinic.engine.close()

    def _next(self) -> int:
        """The number of the next decision."""
        decisions = [each for act in self.clinic.engine.history(enrollment="e-1") for each in act.decisions]
        return len(decisions) + 1

    def _pick(self, of: dict[int, Any], pick: int) -> int:
        return sorted(of)[pick % len(of)]

    def _both(self, of_engine: Callable[[], Any], of_model: Callable[[], Any], *, back: bool = False) -> None:
        """Do an act on both; both refuse it, or none does."""
        try:
            of_model()
        except RefusedError:
            with pytest.raises(CmEngineError):
                of_engine()
            return
        of_engine()
        if back:
            places = self.bank.places()
            self.given = places["in_flight"] + places["issued"]


EXAMPLES = int(os.environ.get("CM_ENGINE_EXAMPLES", "0"))
TestBanked = Banked.TestCase
TestBanked.settings = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=40,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


# The list of payouts


def paying(url: str = "memory:", count: int = 3) -> Clinic:
    """A clinic with payouts of several enrollments, the first of which has nothing yet."""
    clinic = Clinic("at-once", url)
    program = next(iter(clinic.engine.programs().values()))
    for number in range(2, count + 2):
        clinic.engine.enroll(
            participant=f"p-{number}", program=program, start=START, by="nurse", id=f"e-{number}"
        )
        for result in range(2):
            on = START + timedelta(days=result)
            clinic.today = on
            clinic.engine.record(**clinic.call(enrollment=f"e-{number}", result="-", on=on))
        clinic.today = START
    clinic.today = START + timedelta(days=3)
    return clinic


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_the_list_of_payouts_of_all_is_the_same_page_by_page(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = paying().engine
    whole = engine.payouts()
    assert [each.id for each in whole] == [f"e-{number}/{of}/1" for number in (2, 3, 4) for of in (1, 2)]
    monkeypatch.setattr("cm_engine.facade.banking.PAGE", 2)
    found, after = [], ""
    while page := engine.payouts(after=after, limit=limit):
        found += page
        after = page[-1].id
    assert found == whole


def test_the_list_of_payouts_is_of_what_is_asked_for() -> None:
    clinic = paying()
    told = clinic.call(enrollment="e-3", number=1, reference="card 7", by="cashier-2")
    clinic.engine.hand_over(**told)
    [given] = clinic.engine.payouts(status="issued")
    assert (given.id, given.handed_over_on, given.handed_over_by, given.reference) == (
        "e-3/1/1",
        clinic.today,
        "cashier-2",
        "card 7",
    )
    waiting = clinic.engine.payouts(status="in flight")
    assert waiting == clinic.engine.payouts(on_the_way=True)
    assert {each.handed_over_on for each in waiting} == {None}
    assert [each.id for each in clinic.engine.payouts(enrollment="e-3")] == ["e-3/1/1", "e-3/2/1"]
    assert [each.id for each in clinic.engine.payouts(enrollment="e-3", after="e-3/1/1")] == ["e-3/2/1"]
    with pytest.raises(ReportError, match="status: expected in flight, issued"):
        clinic.engine.payouts(status="paid")
    with pytest.raises(ReportError, match="after: expected the id of a payout"):
        clinic.engine.payouts(after="e-3")


def test_enrollments_without_a_payout_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clinic = Clinic("saving")
    monkeypatch.setattr("cm_engine.facade.banking.whole_log", None)
    assert clinic.engine.payouts() == []


def test_what_came_back_says_still_when_it_was_handed_over() -> None:
    clinic = paying(count=1)
    clinic.engine.hand_over(**clinic.call(enrollment="e-2", number=1))
    clinic.engine.refund(**clinic.call(enrollment="e-2", number=1, why="returned"))
    [back] = clinic.engine.payouts(status="refunded")
    assert (back.handed_over_on, back.handed_over_by) == (clinic.today, "nurse")
