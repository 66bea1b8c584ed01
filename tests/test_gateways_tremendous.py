"""Tremendous: what every answer and every failure means, and what leaves for it."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tremendous import exceptions

from cm_engine.errors import ReportError
from cm_engine.gateways import Order, Outcome, Placed, misfit
from cm_engine.testing.gateway import ORDER
from cm_engine_adapters.payout.tremendous import PRODUCTION, TremendousGateway
from tests.receivers import free_port
from tests.vendor import Vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as vendor:
        yield vendor


def gateway_to(url: str, **told: Any) -> TremendousGateway:
    given: dict[str, Any] = {
        "key": "TEST_1",
        "funding": "BALANCE",
        "campaign": "IVM0I3WNJJL0",
        "timeout": 1.0,
        **told,
    }
    return TremendousGateway(url=url, **given)


@pytest.fixture
def gateway(vendor: Vendor) -> Iterator[TremendousGateway]:
    made = gateway_to(vendor.url)
    yield made
    made.close()


# What becomes of an order


def test_a_new_order_is_created_and_the_same_again_is_replayed_with_what_the_vendor_has(
    vendor: Vendor, gateway: TremendousGateway
) -> None:
    answers = [gateway.send(ORDER) for _ in range(2)]
    assert [each.outcome for each in answers] == [Outcome.CREATED, Outcome.REPLAYED]
    assert (
        vendor.counts["200"] == vendor.counts["201"] == 1
    )  # which mean these two here, and the opposite elsewhere
    assert {each.placed for each in answers} == {Placed(Decimal("20.1"), "USD", "")}
    assert all(each.is_given for each in answers)


def test_another_order_under_the_same_id_is_a_conflict(gateway: TremendousGateway) -> None:
    gateway.send(ORDER)
    answer = gateway.send(ORDER._replace(amount=Decimal(25)))
    assert (answer.outcome, answer.note) == (Outcome.CONFLICT, "Tremendous: another order has this id")


@pytest.mark.parametrize(
    ("fault", "outcome", "orders"),
    [
        ("400", Outcome.REJECTED, 0),
        ("401", Outcome.REJECTED, 0),
        ("402", Outcome.REJECTED, 0),
        ("403", Outcome.REJECTED, 0),
        ("422", Outcome.REJECTED, 0),
        ("409", Outcome.CONFLICT, 0),
        ("429", Outcome.RETRY_LATER, 0),
        ("503", Outcome.UNKNOWN, 0),
        ("500 after", Outcome.UNKNOWN, 1),
        ("timeout before", Outcome.UNKNOWN, 0),
        ("timeout after", Outcome.UNKNOWN, 1),
        ("drop before", Outcome.UNKNOWN, 0),
        ("drop after", Outcome.UNKNOWN, 1),
        ("unreadable", Outcome.UNKNOWN, 1),
        ("not json", Outcome.UNKNOWN, 1),
        ("redirect after", Outcome.UNKNOWN, 1),
    ],
)
def test_every_failure_means_what_the_vendor_has_done_or_that_nobody_knows(
    vendor: Vendor, gateway: TremendousGateway, fault: str, outcome: Outcome, orders: int
) -> None:
    vendor.faults.append(fault)
    answer = gateway.send(ORDER)
    assert (answer.outcome, len(vendor.orders)) == (outcome, orders)
    assert answer.note
    assert len(vendor.calls) == 1  # the library does not try again by itself
    assert [each.path for each in vendor.requests] == ["/orders"]  # nor go where it is sent to


@pytest.mark.parametrize("fault", ["timeout after", "drop after", "500 after", "unreadable", "not json"])
def test_an_order_that_was_taken_in_spite_of_a_failure_is_found_by_our_id(
    vendor: Vendor, gateway: TremendousGateway, fault: str
) -> None:
    vendor.faults.append(fault)
    assert gateway.send(ORDER).outcome == Outcome.UNKNOWN
    found = gateway.find(ORDER.id)
    assert found is not None
    assert (found.outcome, found.placed, found.is_given) == (
        Outcome.REPLAYED,
        Placed(Decimal("20.1"), "USD", ""),
        True,
    )


def test_an_order_that_the_library_cannot_read_is_read_all_the_same(
    vendor: Vendor, gateway: TremendousGateway
) -> None:
    vendor.lacks_a_field.add(ORDER.id)
    assert gateway.send(ORDER).note == "Tremendous took the order, and its answer cannot be read"
    found = gateway.find(ORDER.id)
    assert found is not None
    assert found.outcome == Outcome.REPLAYED
    assert len(vendor.orders) == 1


@pytest.mark.parametrize("fault", ["timeout before", "drop before", "503", "429", "401", "not json"])
def test_a_read_back_that_fails_is_never_taken_for_an_order_that_is_not_there(
    vendor: Vendor, gateway: TremendousGateway, fault: str
) -> None:
    vendor.read_faults.append(fault)
    found = gateway.find(ORDER.id)
    assert found is not None
    assert found.outcome == Outcome.UNKNOWN
    assert gateway.find(ORDER.id) is None


def test_a_vendor_that_cannot_be_reached_has_done_nothing() -> None:
    gateway = gateway_to(f"http://127.0.0.1:{free_port()}")
    answer = gateway.send(ORDER)
    assert (answer.outcome, answer.note) == (Outcome.RETRY_LATER, "Tremendous cannot be reached")
    found = gateway.find(ORDER.id)  # but of what was sent before, nobody knows
    assert found is not None
    assert found.outcome == Outcome.UNKNOWN


def test_a_vendor_that_has_too_many_calls_says_how_long_to_wait(
    vendor: Vendor, gateway: TremendousGateway
) -> None:
    vendor.faults.append("429")
    answer = gateway.send(ORDER)
    assert answer.wait is not None
    assert answer.wait.total_seconds() == 1


def test_no_failure_of_the_library_is_without_a_meaning() -> None:
    kinds = [
        each for each in vars(exceptions).values() if isinstance(each, type) and issubclass(each, Exception)
    ]
    assert len(kinds) > 10
    assert all(issubclass(each, exceptions.OpenApiException) for each in kinds)  # which the adapter catches


# States of an order


@pytest.mark.parametrize(
    "state",
    [
        "OPEN",
        "CART",
        "PENDING APPROVAL",
        "PENDING INTERNAL PAYMENT APPROVAL",
        "PENDING SETTLEMENT",
        "A STATE OF NEXT YEAR",
    ],
)
def test_an_order_that_is_not_executed_yet_is_not_given_and_neither_is_one_in_an_unknown_state(
    vendor: Vendor, gateway: TremendousGateway, state: str
) -> None:
    vendor.status = state
    answer = gateway.send(ORDER)
    assert (answer.outcome, answer.is_given, answer.note) == (
        Outcome.CREATED,
        False,
        f"the order is {state} at Tremendous",
    )
    vendor.orders[ORDER.id]["status"] = "EXECUTED"
    found = gateway.find(ORDER.id)
    assert found is not None
    assert found.is_given


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_of_an_order_that_failed_or_was_canceled_nothing_is_there(
    vendor: Vendor, gateway: TremendousGateway, state: str
) -> None:
    vendor.status = state
    sent, found = gateway.send(ORDER), gateway.find(ORDER.id)
    assert found is not None
    assert sent.outcome == found.outcome == Outcome.REJECTED


@pytest.mark.parametrize(
    ("status", "outcome", "is_given"),
    [
        ("SUCCEEDED", Outcome.CREATED, True),
        ("PENDING", Outcome.CREATED, False),
        ("SCHEDULED", Outcome.CREATED, False),
        ("FAILED", Outcome.CONFLICT, True),
    ],
)
def test_by_mail_it_is_given_when_it_is_delivered_and_a_person_looks_where_it_cannot_be(
    vendor: Vendor, status: str, outcome: Outcome, is_given: bool
) -> None:
    vendor.delivery = status
    answer = gateway_to(vendor.url, delivery="email").send(ORDER._replace(handle="a@example.org"))
    assert (answer.outcome, answer.is_given) == (outcome, is_given)


# What leaves


def sent_to(vendor: Vendor, order: Order = ORDER, **told: Any) -> Any:
    gateway_to(vendor.url, **told).send(order)
    return vendor.requests[-1].json


def test_a_link_needs_an_amount_and_an_id_and_nothing_of_the_participant(vendor: Vendor) -> None:
    assert sent_to(vendor) == {
        "external_id": ORDER.id,
        "payment": {"funding_source_id": "BALANCE"},
        "reward": {
            "campaign_id": "IVM0I3WNJJL0",
            "value": {"denomination": 20.1, "currency_code": "USD"},
            "delivery": {
                "method": "LINK",
                "meta": {"sender_name": "Thank you", "subject_line": "Thank you", "message": "Thank you."},
            },
        },
    }
    assert ORDER.recipient not in vendor.requests[-1].body.decode()


@pytest.mark.parametrize(("method", "handle"), [("email", "a@example.org"), ("phone", "+15550100")])
def test_an_address_leaves_only_where_it_is_delivered_to_one(
    vendor: Vendor, method: str, handle: str
) -> None:
    asked = sent_to(vendor, ORDER._replace(handle=handle), delivery=method)
    assert asked["reward"]["recipient"] == {method: handle}
    assert "recipient" not in sent_to(vendor, ORDER._replace(handle=handle))["reward"]


def test_the_same_order_is_the_same_bytes_each_time(vendor: Vendor, gateway: TremendousGateway) -> None:
    gateway.send(ORDER)
    gateway.send(ORDER)
    assert vendor.requests[0].body == vendor.requests[1].body


@pytest.mark.parametrize("amount", ["20.10", "0.01", "599", "1234567.89", "26.50"])
def test_an_amount_is_exact_on_the_wire_and_back(
    vendor: Vendor, gateway: TremendousGateway, amount: str
) -> None:
    answer = gateway.send(ORDER._replace(amount=Decimal(amount)))
    text = vendor.requests[-1].body.decode()
    wire = json.loads(text, parse_float=Decimal, parse_int=Decimal)["reward"]["value"]["denomination"]
    assert wire == Decimal(amount)
    assert answer.placed is not None
    assert (answer.placed.amount, type(answer.placed.amount)) == (Decimal(amount), Decimal)


def test_an_amount_that_no_number_on_the_wire_is_equal_to_is_not_sent(
    vendor: Vendor, gateway: TremendousGateway
) -> None:
    answer = gateway.send(ORDER._replace(amount=Decimal("12345678901234567.89")))
    assert answer.outcome == Outcome.REJECTED
    assert vendor.requests == []


def test_what_was_asked_for_is_chosen_from_its_own_products(vendor: Vendor) -> None:
    products = {"grocery": ["OKMHM2X2OHYV", "KV934TZ93NQM"]}
    gateway = gateway_to(vendor.url, products=products)
    assert gateway.capabilities.products == {"", "grocery"}
    gateway.send(ORDER._replace(product="grocery"))
    reward = vendor.requests[-1].json["reward"]
    assert reward["products"] == products["grocery"]
    assert "campaign_id" not in reward
    assert "fuel" in misfit(gateway.capabilities, ORDER._replace(product="fuel"))


def test_a_reason_names_the_keys_that_the_vendor_complains_of_and_no_address(vendor: Vendor) -> None:
    refusal = {
        "status": 422,
        "errors": {
            "message": "a@example.org is wrong",
            "payload": {"reward": {"recipient": {"email": ["a@example.org is wrong"]}}},
        },
    }
    vendor.refusals[422] = refusal
    vendor.faults.append("422")
    answer = gateway_to(vendor.url, delivery="email").send(ORDER._replace(handle="a@example.org"))
    assert answer.note == "Tremendous: it answered 422, because of reward.recipient.email"


def test_a_link_is_made_for_whoever_hands_it_over(vendor: Vendor, gateway: TremendousGateway) -> None:
    gateway.send(ORDER)
    assert gateway.link(ORDER.id).startswith(f"{vendor.url}/rewards/payout/")
    with pytest.raises(ReportError, match="tells of no reward"):
        gateway.link("another")
    for fault in ("503", "timeout before", "drop before", "not json"):
        vendor.faults.append(fault)
        with pytest.raises(ReportError, match="Tremendous made none"):
            gateway.link(ORDER.id)


# What it is made with


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"campaign": None}, "campaign: expected one, or products"),
        ({"campaign": "no id"}, "campaign: expected ids of Tremendous"),
        ({"products": {"grocery": ["k"]}}, "products: expected ids of Tremendous"),
        ({"products": {"grocery": []}}, "products: grocery has none"),
        ({"sender": "Recovery Clinic"}, "sender: it says"),
        ({"sender": "Northside", "denied": ("Northside",)}, "sender: it says 'northside'"),
        ({"words": "Your negative test earned this"}, "words: it says"),
        ({"url": "production"}, f"begins with PROD_, as this is {PRODUCTION}"),
        ({"url": "sandbox", "key": "PROD_1"}, "begins with TEST_"),
        ({"url": "http://pay.example.org"}, "url: expected sandbox, production or https"),
    ],
)
def test_an_account_that_would_tell_or_lose_something_is_refused(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ReportError) as refused:
        gateway_to(**{"url": "http://127.0.0.1:1", **told})
    assert words in str(refused.value)
