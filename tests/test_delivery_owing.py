"""Nothing that is not owed leaves, and what a vendor keeps for too long a person is told of."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cm_engine.delivery.sending import LATE_AFTER
from cm_engine.delivery.working import health_of
from cm_engine.gateways import Answer, Order, Outcome
from cm_engine.testing.gateway import FakeGateway
from tests.test_delivery import OPENED, PROGRAM, START, Clinic

RISES = PROGRAM.replace("fixed: 10.00", "escalate: {start: 10.00, step: 3.00}, reset: {}")
TOLD: dict[str, Any] = {"source": "office", "by": "boss-1"}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgresql":
        yield request.getfixturevalue("postgresql_url")
    else:
        yield f"sqlite:///{tmp_path / 'clinic.db'}"
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def clinic(url: str) -> Iterator[Clinic]:
    made = Clinic(url)
    yield made
    assert made.engine.verify().is_clean


def sums(vendor: FakeGateway) -> list[str]:
    return [str(each.amount) for each in vendor.orders.values()]


def void(clinic: Clinic, enrollment: str, day: int) -> None:
    [record] = [
        each.record
        for each in clinic.engine.history(enrollment=enrollment)
        if each.key == f"{enrollment}/{day}"
    ]
    clinic.engine.void(enrollment=enrollment, record=record, why="wrong", key=f"void/{day}", **TOLD)


# What is not owed does not leave


def test_a_payout_whose_award_was_voided_before_it_was_asked_for_is_never_asked_for(clinic: Clinic) -> None:
    ann, vendor = clinic.enrolled(), FakeGateway()
    clinic.negative(ann)
    void(clinic, ann, 0)
    [over] = clinic.dispatcher(vendor).deliver()
    assert (over.status, over.note, over.order) == (
        "over",
        "$10.00 of it are not owed any more, after a correction",
        "",
    )
    assert vendor.calls == []
    assert clinic.balance(ann) == {}
    assert [each.status for each in clinic.engine.payouts(enrollment=ann)] == ["declined"]
    assert clinic.dispatcher(vendor).deliver() == []


def test_what_was_asked_for_before_stays_given(clinic: Clinic) -> None:
    ann, vendor = clinic.enrolled(), FakeGateway()
    clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    void(clinic, ann, 0)
    clinic.later(days=4)
    clinic.negative(ann, day=3)
    assert [each.status for each in clinic.dispatcher(vendor).deliver()] == ["over"]
    assert sums(vendor) == ["10.00", "10.00"]
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "20.00", "absorbed": "10.00"}


@pytest.mark.parametrize("fault", ["after", "before", Outcome.UNKNOWN])
def test_what_a_gateway_may_have_is_not_taken_back(clinic: Clinic, fault: Any) -> None:
    ann, vendor = clinic.enrolled(), FakeGateway(faults=[fault])
    clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    void(clinic, ann, 0)
    clinic.later(minutes=1)
    assert [each.note for each in clinic.dispatcher(vendor).deliver()] == ["handed over"]
    assert sums(vendor) == ["10.00"]


def test_what_a_gateway_surely_has_not_is_not_asked_for_again(clinic: Clinic) -> None:
    ann, vendor = clinic.enrolled(), FakeGateway(faults=[Outcome.RETRY_LATER])
    clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    void(clinic, ann, 0)
    clinic.later(minutes=1)
    assert [each.status for each in clinic.dispatcher(vendor).deliver()] == ["over"]
    assert (len(vendor.calls), vendor.orders) == (1, {})


def test_a_payout_whose_award_is_less_after_a_correction_is_lowered_before_it_is_asked_for(url: str) -> None:
    clinic, vendor = Clinic(url, program=RISES), FakeGateway()
    ann = clinic.enrolled()
    clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    clinic.later(days=4)
    clinic.negative(ann, day=3)  # 13.00
    void(clinic, ann, 0)  # so that the second is the first: 10.00
    first = clinic.dispatcher(vendor).deliver()
    assert [each.note for each in first] == ["$3.00 of it are not owed any more, after a correction"]
    assert [each.note for each in clinic.dispatcher(vendor).deliver()] == ["handed over"]
    assert sums(vendor) == ["10.00", "10.00"]
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "20.00", "absorbed": "10.00"}
    assert clinic.engine.verify().is_clean


def test_an_award_that_comes_back_after_its_payout_was_taken_back_is_paid_once(clinic: Clinic) -> None:
    ann, vendor = clinic.enrolled(), FakeGateway()
    clinic.negative(ann)
    void(clinic, ann, 0)
    clinic.dispatcher(vendor).deliver()
    clinic.engine.record(enrollment=ann, result="-", on=START, key="anew", **TOLD)
    clinic.dispatcher(vendor).deliver()
    assert sums(vendor) == ["10.00"]
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}


def test_what_is_less_than_may_be_asked_for_waits_until_there_is_more(url: str) -> None:
    saving = "payout: {when: on request, minimum: 12.00}\n"
    clinic, vendor = Clinic(url, program=RISES + saving), FakeGateway()
    ann = clinic.enrolled()
    clinic.negative(ann)
    clinic.later(days=4)
    clinic.negative(ann, day=3)
    clinic.engine.redeem(enrollment=ann, key="ask", **TOLD)
    void(clinic, ann, 0)
    clinic.dispatcher(vendor).deliver()
    assert vendor.calls == []
    assert clinic.balance(ann) == {"awarded": "10.00", "owed": "10.00"}
    assert clinic.engine.verify().is_clean


@pytest.mark.parametrize("overpaid", ["absorbed", "offset"])
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_corrected_nobody_gets_less_than_they_earned_nor_what_was_taken_away_before_it_left(
    tmp_path: Path, overpaid: str, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - of a test
    program = RISES + f"payout: {{overpaid: {overpaid}}}\n"
    clinic, vendor = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}", program=program), FakeGateway()
    ann, standing = clinic.enrolled(), list[int]()
    clinic.now += timedelta(days=80)
    delivers = seed % 2
    for day in (each * 3 + each // 2 for each in range(8)):
        clinic.negative(ann, day=day)
        standing.append(day)
        if chance.random() < 0.5:
            void(clinic, ann, standing.pop(chance.randrange(len(standing))))
        if delivers and chance.random() < 0.4:
            clinic.dispatcher(vendor).deliver()
    while clinic.dispatcher(vendor).deliver():
        clinic.later(minutes=1)
    got, balance = sum(map(Decimal, sums(vendor))), clinic.engine.balance(enrollment=ann)["USD"]
    assert balance.in_flight == balance.owed == 0
    assert got == balance.issued
    assert got >= balance.awarded or overpaid == "offset"
    if not delivers:
        assert got == balance.awarded
    assert clinic.engine.verify().is_clean
    clinic.engine.close()


# What a vendor keeps for too long


class Slow(FakeGateway):
    """A vendor that takes an order and does not hand it over until it is told to."""

    is_done = False

    def find(self, id: str) -> Answer | None:  # noqa: A002 - as the port says
        found = super().find(id)
        return found and found._replace(is_given=self.is_done, note="under review")

    def send(self, order: Order) -> Answer:
        return super().send(order)._replace(is_given=self.is_done, note="under review")


def test_what_a_vendor_keeps_for_too_long_is_listed_for_a_person_and_still_asked_about(
    clinic: Clinic,
) -> None:
    ann, vendor = clinic.enrolled(), Slow()
    clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    clinic.now = datetime(2026, 1, 8, 17, 59, tzinfo=UTC)
    assert [each.status for each in dispatcher.deliver()] == ["waiting"]
    clinic.later(hours=1)
    [late] = dispatcher.deliver()
    assert late.status == "late"
    assert late.note == (
        "cards has it since 2026-01-05 18:00 UTC, and has not handed it over; look there: under review"
    )
    assert clinic.engine.deliveries(status="late") == [late]
    assert clinic.engine.deliveries(status="waiting") == []
    found = health_of(clinic.engine, clinic.now)
    assert (found["late"], found["waiting"], found["stuck"]) == (1, 1, 0)
    clinic.later(hours=5)
    assert dispatcher.deliver() == []
    clinic.later(hours=2)
    vendor.is_done = True
    assert [each.note for each in dispatcher.deliver()] == ["handed over"]
    assert clinic.engine.deliveries(status="late") == []
    assert len(vendor.calls) == 1


def test_how_long_is_too_long_is_a_setting(clinic: Clinic) -> None:
    clinic.negative(clinic.enrolled())
    dispatcher = clinic.engine.dispatcher({"cards": Slow()}, late_after=timedelta(hours=1))
    dispatcher.deliver()
    clinic.later(hours=1, minutes=1)
    assert [each.status for each in dispatcher.deliver()] == ["late"]
    assert timedelta(days=3) == LATE_AFTER


def test_late_payouts_are_listed_page_by_page_among_those_that_wait(clinic: Clinic) -> None:
    dispatcher = clinic.engine.dispatcher({"cards": Slow()}, late_after=timedelta(hours=1))
    for number in range(3):
        clinic.negative(clinic.enrolled(f"p-{number}"))
    dispatcher.deliver()
    clinic.later(hours=2)
    clinic.negative(clinic.enrolled("p-1a"))
    dispatcher.deliver()
    late = clinic.engine.deliveries(status="late", limit=2)
    assert [each.enrollment for each in late] == ["e-p-0", "e-p-1"]
    assert [each.enrollment for each in clinic.engine.deliveries(status="late", after=late[-1])] == ["e-p-2"]
    assert [each.enrollment for each in clinic.engine.deliveries(status="waiting")] == ["e-p-1a"]
