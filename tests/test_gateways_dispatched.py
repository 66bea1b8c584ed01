"""Payouts go through real servers that fail at every second call, and each is there once in the end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cm_engine.gateways import Order
from cm_engine.ports import PayoutGateway
from cm_engine_adapters.payout.stripe_issuing import StripeIssuingGateway
from cm_engine_adapters.payout.tremendous import TremendousGateway
from cm_engine_adapters.payout.webhook import WebhookGateway
from tests.test_delivery import Clinic
from tests.vendor import Loopback, Vendor
from tests.vendor_cards import CardVendor
from tests.vendor_host import SECRET, HostVendor

Made = tuple[Loopback, PayoutGateway]


def tremendous(stack: ExitStack, **told: Any) -> Made:
    vendor = stack.enter_context(Vendor(**told))
    made = TremendousGateway(
        key="TEST_1", funding="BALANCE", campaign="IVM0I3WNJJL0", url=vendor.url, timeout=0.4
    )
    stack.callback(made.close)
    return vendor, made


def stripe_issuing(stack: ExitStack, **told: Any) -> Made:
    vendor = stack.enter_context(CardVendor(**told))
    made = StripeIssuingGateway(key="sk_test_1", url=vendor.url, timeout=0.4)
    stack.callback(made.close)
    return vendor, made


def webhook(stack: ExitStack, **told: Any) -> Made:
    vendor = stack.enter_context(HostVendor(**told))
    made = WebhookGateway(url=vendor.address, secret=SECRET, timeout=0.4)
    stack.callback(made.close)
    return vendor, made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def tried_again_by_a_person(clinic: Clinic) -> None:
    """Try again what failed twelve times in a row, as by chance some do."""
    for each in clinic.engine.deliveries():
        if each.status == "stuck":
            assert each.note.startswith("asked 12 times in vain")
            clinic.engine.retry_payout(
                enrollment=each.enrollment, number=each.number, leg=each.leg, by="nurse-7"
            )


@pytest.mark.parametrize("kind", [tremendous, stripe_issuing, webhook])
@pytest.mark.parametrize("seed", [1, 3])
def test_every_payout_is_there_once_and_with_its_amount_whatever_fails(
    stack: ExitStack, kind: Callable[..., Made], seed: int
) -> None:
    vendor, gateway = kind(stack, seed=seed, share=0.7, hang=0.6)
    clinic = Clinic("memory:")
    stack.callback(clinic.engine.close)
    for number in range(8):
        clinic.negative(clinic.enrolled(f"p-{number}"))
    dispatcher = clinic.engine.dispatcher(
        {"cards": gateway}, handle=lambda who, _: f"ich_{who.replace('-', '')}"
    )
    for _ in range(60):
        dispatcher.deliver()
        tried_again_by_a_person(clinic)
        clinic.later(minutes=30)
    assert clinic.statuses() == ["over"] * 8
    assert {each.order for each in clinic.engine.deliveries()} == {*vendor.orders}
    assert len(vendor.orders) == 8
    assert sum(count for name, count in vendor.counts.items() if name.startswith("fault: ")) > 5
    balances = [clinic.balance(each.enrollment) for each in clinic.engine.deliveries()]
    assert balances == [{"awarded": "10.00", "issued": "10.00"}] * 8
    assert clinic.engine.verify().is_clean


def test_an_order_that_another_program_made_otherwise_under_our_id_is_stuck_and_not_paid_twice(
    stack: ExitStack,
) -> None:
    vendor, gateway = tremendous(stack, faults=["timeout before"])
    clinic = Clinic("memory:")
    stack.callback(clinic.engine.close)
    clinic.negative(clinic.enrolled())
    dispatcher = clinic.dispatcher(gateway)
    [waiting] = dispatcher.deliver()
    other = gateway.send(Order(waiting.order, Decimal(25), "USD"))
    assert other.placed is not None
    clinic.later(minutes=1)
    [stuck] = dispatcher.deliver()
    assert (stuck.status, len(vendor.orders)) == ("stuck", 1)
    assert stuck.note == "asked for 10.00 USD, and the vendor has 25.0 USD under this id"


def test_a_vendor_that_is_down_for_hours_leaves_everything_to_a_person_who_tries_again(
    stack: ExitStack,
) -> None:
    vendor, gateway = tremendous(stack, faults=["503"] * 12)
    vendor.read_faults += ["503"] * 12
    clinic = Clinic("memory:")
    stack.callback(clinic.engine.close)
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(gateway)
    while clinic.statuses() == ["waiting"]:
        dispatcher.deliver()
        clinic.now += timedelta(hours=2)
    [stuck] = clinic.engine.deliveries()
    assert (stuck.status, vendor.orders) == ("stuck", {})
    vendor.faults.clear()
    vendor.read_faults.clear()
    clinic.engine.retry_payout(enrollment=ann, number=number, by="nurse-7")
    [done] = dispatcher.deliver()
    assert (done.status, len(vendor.orders)) == ("over", 1)
