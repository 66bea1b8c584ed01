"""Payout gateways: each keeps its contract against a server that behaves as its vendor, and tells what every failure means."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from threading import get_ident
from typing import Any, cast

import httpx
import pytest

from cm_engine.delivery.sending import plain_answer
from cm_engine.gateways import Answer, Order, Outcome, Placed
from cm_engine.ports import PayoutGateway
from cm_engine.testing.gateway import ORDER, FakeGateway, GatewayConformance
from cm_engine_adapters.payout.stripe_issuing import StripeIssuingGateway
from cm_engine_adapters.payout.tremendous import TremendousGateway
from cm_engine_adapters.payout.webhook import WebhookGateway
from tests.vendor import Vendor
from tests.vendor_cards import CardVendor
from tests.vendor_host import SECRET, HostVendor

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


class TestTremendous(GatewayConformance):
    @pytest.fixture
    def vendor(self) -> Iterator[Vendor]:
        with Vendor() as vendor:
            yield vendor

    @pytest.fixture
    def gateway(self, vendor: Vendor) -> Iterator[PayoutGateway]:
        made = TremendousGateway(key="TEST_1", funding="BALANCE", campaign="IVM0I3WNJJL0", url=vendor.url)
        yield made
        made.close()

    @pytest.fixture
    def orders_taken(self, vendor: Vendor) -> Callable[[], int]:
        return lambda: len(vendor.orders)


class TestStripeIssuing(GatewayConformance):
    @pytest.fixture
    def vendor(self) -> Iterator[CardVendor]:
        with CardVendor() as vendor:
            yield vendor

    @pytest.fixture
    def gateway(self, vendor: CardVendor) -> Iterator[PayoutGateway]:
        made = StripeIssuingGateway(key="sk_test_1", url=vendor.url)
        yield made
        made.close()

    @pytest.fixture
    def order(self) -> Order:
        return ORDER._replace(handle="ich_1")

    @pytest.fixture
    def orders_taken(self, vendor: CardVendor) -> Callable[[], int]:
        return lambda: len(vendor.orders)


class TestWebhook(GatewayConformance):
    @pytest.fixture
    def vendor(self) -> Iterator[HostVendor]:
        with HostVendor() as vendor:
            yield vendor

    @pytest.fixture
    def gateway(self, vendor: HostVendor) -> Iterator[PayoutGateway]:
        made = WebhookGateway(url=vendor.address, secret=SECRET)
        yield made
        made.close()

    @pytest.fixture
    def orders_taken(self, vendor: HostVendor) -> Callable[[], int]:
        return lambda: len(vendor.orders)


@pytest.mark.parametrize(
    ("script", "last"),
    [
        ("payout_tremendous.py", "20.10 USD: issued, ORDER1"),
        ("payout_stripe.py", "created: ic_2 of 20.10 USD"),
        ("payout_webhook.py", "after: Placed(amount=Decimal('20.10'), unit='USD', product='')"),
    ],
)
def test_the_examples_run_against_a_vendor_of_their_own(script: str, last: str) -> None:
    command = [sys.executable, str(EXAMPLES / script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.splitlines()[-1] == last
    assert done.stderr == ""


def test_the_vendor_runs_as_a_process_of_its_own_and_tells_what_it_has() -> None:
    command = [sys.executable, "-m", "tests.vendor", "0", "1", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=EXAMPLES.parent) as running:
        assert running.stdout is not None
        url = f"http://127.0.0.1:{running.stdout.readline().strip()}"
        gateway = TremendousGateway(key="TEST_1", funding="BALANCE", campaign="IVM0I3WNJJL0", url=url)
        assert gateway.send(ORDER).outcome == Outcome.CREATED
        gateway.close()
        state = httpx.get(f"{url}/_state").json()
        running.terminate()
    assert list(state["orders"]) == [ORDER.id]
    assert (state["calls"], state["counts"]["200"]) == (1, 1)
    assert running.returncode == 0


# The suite tells what a worker would have met


class OfOneThread(FakeGateway):
    """It can be called only by the thread that made it, as a connection of SQLite."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = get_ident()

    def send(self, order: Order) -> Answer:
        assert get_ident() == self._thread, "made in another thread"
        return super().send(order)


class OfAnotherUnit(FakeGateway):
    """It says units as its vendor spells them."""

    def send(self, order: Order) -> Answer:
        return super().send(order)._replace(placed=Placed(order.amount, order.unit.lower()))


@pytest.mark.parametrize(
    ("gateway", "test"),
    [
        (OfOneThread(), GatewayConformance.test_send_and_find_are_called_from_any_thread),
        (OfAnotherUnit(), GatewayConformance.test_send_creates_an_order_and_says_what_the_vendor_has),
    ],
)
def test_a_gateway_that_hands_nothing_over_in_a_worker_does_not_pass(
    gateway: PayoutGateway, test: Callable[..., None]
) -> None:
    with pytest.raises(AssertionError):
        test(GatewayConformance(), gateway, ORDER, None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(Outcome.CREATED, placed=Placed(cast("Decimal", 10.0), "USD")), "placed.amount is of float"),
        (Answer(Outcome.CREATED, placed=Placed(Decimal("NaN"), "USD")), "placed.amount is no number"),
        (Answer(Outcome.RETRY_LATER, wait=cast("Any", 30)), "wait is of int"),
    ],
)
def test_of_an_answer_that_cannot_be_read_the_part_is_named(answer: Answer, said: str) -> None:
    found = plain_answer(answer)
    assert found.outcome == Outcome.UNKNOWN
    assert f"which cannot be read: {said}" in found.note
