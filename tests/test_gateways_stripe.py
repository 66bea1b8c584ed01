"""Stripe Issuing: what every answer and every failure means, what a card may buy, and what is not promised."""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any, get_args, get_type_hints
from urllib.parse import parse_qsl

import pytest
import stripe
from stripe import _error
from stripe.params.issuing import _card_create_params as params

from cm_engine.errors import ReportError
from cm_engine.gateways import Answer, Outcome, Placed
from cm_engine.testing.gateway import ORDER
from cm_engine_adapters.payout.stripe_issuing import BLOCKED, MEANINGS, REMEMBERS, StripeIssuingGateway
from tests.receivers import free_port
from tests.vendor_cards import CardVendor

CARD = ORDER._replace(handle="ich_1")


@pytest.fixture
def vendor() -> Iterator[CardVendor]:
    with CardVendor() as vendor:
        yield vendor


def gateway_to(url: str, **told: Any) -> StripeIssuingGateway:
    return StripeIssuingGateway(**{"key": "sk_test_1", "timeout": 1.0, "url": url, **told})


@pytest.fixture
def gateway(vendor: CardVendor) -> Iterator[StripeIssuingGateway]:
    made = gateway_to(vendor.url)
    yield made
    made.close()


def form_of(vendor: CardVendor) -> dict[str, str]:
    return dict(parse_qsl(vendor.requests[-1].body.decode()))


# What becomes of an order


def test_a_card_is_made_once_and_the_same_order_gives_the_same_card(
    vendor: CardVendor, gateway: StripeIssuingGateway
) -> None:
    answers = [gateway.send(CARD) for _ in range(3)]
    assert [each.outcome for each in answers] == [Outcome.CREATED, Outcome.REPLAYED, Outcome.REPLAYED]
    assert {each.placed for each in answers} == {Placed(Decimal("20.10"), "USD")}
    assert len({each.reference for each in answers}) == len(vendor.orders) == 1


def test_another_order_under_the_same_id_is_a_conflict(
    vendor: CardVendor, gateway: StripeIssuingGateway
) -> None:
    gateway.send(CARD)
    answer = gateway.send(CARD._replace(amount=Decimal(25)))
    assert (answer.outcome, answer.note) == (Outcome.CONFLICT, "Stripe: another order has this id")
    assert len(vendor.orders) == 1


@pytest.mark.parametrize(
    ("fault", "outcome", "cards"),
    [
        ("400", Outcome.REJECTED, 0),
        ("401", Outcome.REJECTED, 0),
        ("402", Outcome.REJECTED, 0),
        ("403", Outcome.REJECTED, 0),
        ("429", Outcome.RETRY_LATER, 0),
        ("409", Outcome.UNKNOWN, 0),  # another call under the key is under way
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
    vendor: CardVendor, gateway: StripeIssuingGateway, fault: str, outcome: Outcome, cards: int
) -> None:
    vendor.faults.append(fault)
    answer = gateway.send(CARD)
    assert (answer.outcome, len(vendor.orders)) == (outcome, cards)
    assert answer.note
    assert len(vendor.requests) == 1  # the library does not try again by itself, nor go where it is sent to


@pytest.mark.parametrize("fault", ["timeout after", "drop after", "unreadable", "not json"])
def test_an_order_whose_answer_was_lost_is_sent_again_and_the_card_is_there_once(
    vendor: CardVendor, gateway: StripeIssuingGateway, fault: str
) -> None:
    vendor.faults.append(fault)
    assert gateway.send(CARD).outcome == Outcome.UNKNOWN
    assert gateway.send(CARD).outcome == Outcome.REPLAYED
    assert len(vendor.orders) == 1


class Failing(CardVendor):
    """Begin to make a card, and fail: the failure is kept under the key."""

    def _keyed(self, request: Any) -> Any:
        return (
            super()._keyed(request) if self.identity(request) in self.kept else self.keep_a_failure(request)
        )


def test_a_failure_that_stripe_keeps_is_said_again_and_never_taken_for_a_refusal() -> None:
    with Failing() as vendor:
        gateway = gateway_to(vendor.url)
        first, again = gateway.send(CARD), gateway.send(CARD)
        gateway.close()
    assert first.outcome == again.outcome == Outcome.UNKNOWN
    assert "it keeps a failure under this id" in again.note


def test_a_vendor_that_cannot_be_reached_may_have_made_a_card_for_all_that_the_library_says() -> None:
    assert gateway_to(f"http://127.0.0.1:{free_port()}").send(CARD).outcome == Outcome.UNKNOWN


def test_nobody_can_say_what_became_of_an_order_and_the_capabilities_say_so(
    gateway: StripeIssuingGateway,
) -> None:
    gateway.send(CARD)
    found = gateway.find(CARD.id)
    assert found is not None
    assert found.outcome == Outcome.UNKNOWN
    assert not gateway.capabilities.reads_back
    assert gateway.capabilities.remembers == REMEMBERS
    assert REMEMBERS.total_seconds() < 24 * 3600


def test_a_card_that_is_not_active_is_not_given_until_it_is(
    vendor: CardVendor, gateway: StripeIssuingGateway
) -> None:
    vendor.status = "inactive"
    first = gateway.send(CARD)
    assert (first.outcome, first.is_given) == (Outcome.CREATED, False)
    vendor.orders[CARD.id]["status"] = "active"
    vendor.kept[CARD.id] = (
        vendor.requests[0].body,
        vendor.kept[CARD.id][1]._replace(body={**vendor.orders[CARD.id], "status": "inactive"}),
    )
    again = gateway.send(CARD)  # what was kept says inactive still; the card is asked for itself
    assert (again.outcome, again.is_given) == (Outcome.REPLAYED, True)


def test_a_canceled_card_is_for_a_person_to_look_at(
    vendor: CardVendor, gateway: StripeIssuingGateway
) -> None:
    vendor.status = "canceled"
    assert gateway.send(CARD).outcome == Outcome.CONFLICT


def test_every_failure_of_the_library_has_a_meaning_and_only_refusals_by_name_are_certain() -> None:
    kinds = [
        each
        for each in vars(_error).values()
        if isinstance(each, type) and issubclass(each, stripe.StripeError)
    ]
    assert len(kinds) > 8
    certain = {kind for kind, (outcome, _) in MEANINGS.items() if outcome != Outcome.UNKNOWN}
    meant = {
        kind: next(found for known, found in MEANINGS.items() if issubclass(kind, known)) for kind in kinds
    }
    assert {kind for kind, (outcome, _) in meant.items() if outcome != Outcome.UNKNOWN} == certain


# What a card may buy


def test_a_card_is_worth_its_amount_for_all_time_and_is_blocked_for_cash_alcohol_tobacco_and_gambling(
    vendor: CardVendor, gateway: StripeIssuingGateway
) -> None:
    gateway.send(CARD)
    controls = vendor.orders[CARD.id]["spending_controls"]
    assert controls["spending_limits"] == [{"amount": 2010, "interval": "all_time"}]
    assert controls["blocked_categories"] == list(BLOCKED)
    assert (gateway.capabilities.blocks, gateway.capabilities.is_cash) == ("category", False)


def test_the_blocked_categories_are_those_of_the_vendor() -> None:
    hints = get_type_hints(params.CardCreateParamsSpendingControls, vars(params), include_extras=False)
    assert {*BLOCKED} <= {*_literals(hints["blocked_categories"])}


def test_every_key_of_a_card_is_one_of_the_vendor(vendor: CardVendor) -> None:
    gateway_to(vendor.url, account="fa_1").send(CARD)
    gateway_to(vendor.url, allowed=["bakeries"]).send(CARD._replace(id=f"{CARD.id[:-1]}f"))
    keys = {name for each in vendor.requests for name, _ in parse_qsl(each.body.decode())}
    known = {"metadata": {"order"}} | {
        "": {*params.CardCreateParams.__annotations__},
        "spending_controls": {*params.CardCreateParamsSpendingControls.__annotations__},
        "spending_limits": {*params.CardCreateParamsSpendingControlsSpendingLimit.__annotations__},
    }
    for key in keys:
        path = ["", *(part for part in re.split(r"[\[\]]+", key) if part and not part.isdigit())]
        assert all(name in known[above] for above, name in pairwise(path)), key


def _literals(hint: Any) -> Iterator[str]:
    for each in get_args(hint):
        if isinstance(each, str):
            yield each
        yield from _literals(each)


def test_only_what_is_allowed_may_be_bought_if_the_site_says_so(vendor: CardVendor) -> None:
    gateway_to(vendor.url, allowed=["grocery_stores_supermarkets"]).send(CARD)
    form = form_of(vendor)
    assert form["spending_controls[allowed_categories][0]"] == "grocery_stores_supermarkets"
    assert not any("blocked" in name for name in form)


def test_what_leaves_is_the_cardholder_an_amount_and_the_order(
    vendor: CardVendor, gateway: StripeIssuingGateway
) -> None:
    gateway.send(CARD)
    form = form_of(vendor)
    assert {name: value for name, value in form.items() if "blocked" not in name} == {
        "cardholder": "ich_1",
        "currency": "usd",
        "type": "virtual",
        "status": "active",
        "metadata[order]": CARD.id,
        "spending_controls[spending_limits][0][amount]": "2010",
        "spending_controls[spending_limits][0][interval]": "all_time",
    }
    assert vendor.requests[-1].headers["idempotency-key"] == CARD.id
    assert CARD.recipient not in vendor.requests[-1].body.decode()


def test_an_amount_without_coins_and_a_handle_that_is_no_cardholder_are_not_sent(
    vendor: CardVendor, gateway: StripeIssuingGateway
) -> None:
    wrong = [CARD._replace(amount=Decimal("0.005")), CARD._replace(handle="a@example.org"), ORDER]
    answers: list[Answer] = [gateway.send(each) for each in wrong]
    assert {each.outcome for each in answers} == {Outcome.REJECTED}
    assert not any("example.org" in each.note for each in answers)
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"mode": "live"}, "key: expected one of the mode live"),
        ({"key": "sk_live_1"}, "key: expected one of the mode test"),
        ({"blocked": ["drinking_places"]}, "blocked: expected automated_cash_disburse"),
        ({"allowed": ["manual_cash_disburse"]}, "allowed: manual_cash_disburse gives cash"),
    ],
)
def test_an_account_that_would_give_cash_or_is_of_the_other_mode_is_refused(
    told: dict[str, Any], words: str
) -> None:
    with pytest.raises(ReportError) as refused:
        gateway_to("http://127.0.0.1:1", **told)
    assert words in str(refused.value)
