"""A payment system of the host's own: the protocol that it answers by, and what every failure means."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from cm_engine.errors import ReportError, SecretError
from cm_engine.gateways import Outcome, Placed
from cm_engine.testing.gateway import ORDER
from cm_engine_adapters.payout.webhook import NOT_SENT, WebhookGateway
from tests.receivers import free_port
from tests.vendor import Reply, Request
from tests.vendor_host import SECRET, HostVendor


@pytest.fixture
def vendor() -> Iterator[HostVendor]:
    with HostVendor() as vendor:
        yield vendor


def gateway_to(url: str, **told: Any) -> WebhookGateway:
    return WebhookGateway(**{"url": url, "secret": SECRET, "timeout": 1.0, **told})


@pytest.fixture
def gateway(vendor: HostVendor) -> Iterator[WebhookGateway]:
    made = gateway_to(vendor.address)
    yield made
    made.close()


# What leaves


def test_an_order_is_a_cloud_event_with_an_opaque_id_and_no_more_than_is_needed(
    vendor: HostVendor, gateway: WebhookGateway
) -> None:
    gateway.send(ORDER._replace(handle="a@example.org"))
    request = vendor.requests[-1]
    event = from_http_event(HTTPMessage(dict(request.headers), request.body))
    assert (event.get_id(), event.get_type(), event.get_subject()) == (ORDER.id, "order.v1", "p-104")
    assert event.get_data() == {"amount": "20.10", "unit": "USD", "product": ""}
    assert request.headers["webhook-id"] == ORDER.id
    assert b"example.org" not in request.body


def test_the_handle_leaves_where_the_system_needs_it(vendor: HostVendor) -> None:
    gateway_to(vendor.address, needs_handle=True).send(ORDER._replace(handle="a@example.org"))
    assert vendor.orders[ORDER.id]["handle"] == "a@example.org"


def test_the_signature_is_over_the_exact_bytes(vendor: HostVendor, gateway: WebhookGateway) -> None:
    gateway.send(ORDER)
    request = vendor.requests[-1]
    Webhook(SECRET).verify(request.body, dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body + b" ", dict(request.headers))


def test_the_same_order_is_the_same_bytes_each_time(vendor: HostVendor, gateway: WebhookGateway) -> None:
    gateway.send(ORDER)
    gateway.send(ORDER)
    assert vendor.requests[0].body == vendor.requests[1].body


def test_a_system_that_shares_another_secret_refuses(vendor: HostVendor) -> None:
    assert gateway_to(vendor.address, secret=bytes(32)).send(ORDER).outcome == Outcome.REJECTED
    assert vendor.orders == {}


# What becomes of an order


@pytest.mark.parametrize(
    ("fault", "outcome", "orders"),
    [
        ("400", Outcome.REJECTED, 0),
        ("401", Outcome.REJECTED, 0),
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
        ("huge", Outcome.UNKNOWN, 1),
        ("redirect after", Outcome.UNKNOWN, 1),
    ],
)
def test_every_failure_means_what_the_system_has_done_or_that_nobody_knows(
    vendor: HostVendor, gateway: WebhookGateway, fault: str, outcome: Outcome, orders: int
) -> None:
    vendor.faults.append(fault)
    answer = gateway.send(ORDER)
    assert (answer.outcome, len(vendor.orders)) == (outcome, orders)
    assert answer.note
    assert len(vendor.requests) == 1  # no redirection is followed, and nothing is tried again
    again = gateway.send(ORDER)
    assert again.outcome == (Outcome.REPLAYED if orders else Outcome.CREATED)


def test_a_system_that_has_too_much_to_do_says_how_long_to_wait(
    vendor: HostVendor, gateway: WebhookGateway
) -> None:
    vendor.faults.append("429")
    assert gateway.send(ORDER).wait == timedelta(seconds=7)


def test_a_system_that_cannot_be_reached_has_done_nothing() -> None:
    gateway = gateway_to(f"http://127.0.0.1:{free_port()}/orders")
    assert gateway.send(ORDER).outcome == Outcome.RETRY_LATER
    found = gateway.find(ORDER.id)  # but of what was sent before, nobody knows
    assert found is not None
    assert found.outcome == Outcome.UNKNOWN


class Dripping(BaseHTTPRequestHandler):
    """Take an order, and answer a letter at a time without an end."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            for _ in range(200):
                self.wfile.write(b" ")
                self.wfile.flush()
                sleep(0.05)

    def log_message(self, *_: Any) -> None:
        pass


def test_an_answer_that_never_ends_is_not_waited_for() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        began = monotonic()
        gateway = gateway_to(f"http://127.0.0.1:{server.server_address[1]}/orders")
        answer = gateway.send(ORDER)
        took = monotonic() - began
        gateway.close()
        server.shutdown()
    assert answer.outcome == Outcome.UNKNOWN
    assert took < 5


class Saying(HostVendor):
    """Answer as a test says, whatever is asked."""

    said: Any = None
    status = 200

    def answer(self, _: Request) -> Reply:
        return Reply(self.status, self.said)


def answer_to(said: Any, status: int = 200) -> tuple[Any, Any]:
    """Return what a gateway makes of an answer, when it orders and when it asks."""
    with Saying() as vendor:
        vendor.said, vendor.status = said, status
        gateway = gateway_to(vendor.address)
        answers = gateway.send(ORDER), gateway.find(ORDER.id)
        gateway.close()
    return answers


@pytest.mark.parametrize("outcome", list(Outcome))
def test_each_outcome_can_be_said_in_words(outcome: Outcome) -> None:
    sent, found = answer_to(
        {"order": ORDER.id, "outcome": str(outcome), "note": "so\nit is", "reference": "r-1"}
    )
    assert (sent.outcome, sent.note, sent.reference) == (outcome, "so it is", "r-1")
    as_found = {Outcome.CREATED: Outcome.REPLAYED, Outcome.RETRY_LATER: Outcome.UNKNOWN}
    assert found.outcome == as_found.get(outcome, outcome)


def test_what_the_system_has_is_said_exactly_by_text_or_by_number() -> None:
    for amount in ("20.10", 20.10):
        sent, _ = answer_to({"order": ORDER.id, "outcome": "replayed", "amount": amount, "unit": "USD"})
        assert sent.placed == Placed(Decimal("20.1"), "USD")


def test_an_order_that_is_not_given_yet_is_asked_about_until_it_is(
    vendor: HostVendor, gateway: WebhookGateway
) -> None:
    vendor.given = False
    assert not gateway.send(ORDER).is_given
    vendor.given = True
    found = gateway.find(ORDER.id)
    assert found is not None
    assert found.is_given


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        {"order": ORDER.id},
        {"order": "another", "outcome": "created"},
        {"order": ORDER.id, "outcome": "fine"},
        {"order": ORDER.id, "outcome": "created", "amount": "twenty"},
        {"order": ORDER.id, "outcome": "created", "amount": None},
        {"order": ORDER.id, "outcome": "created", "given": "yes"},
        b"\xff\xfe",
        b"[" * 50_000,
    ],
)
def test_an_answer_that_is_not_as_agreed_leaves_open_what_was_done(said: Any) -> None:
    sent, found = answer_to(said)
    assert sent.outcome == found.outcome == Outcome.UNKNOWN


def test_an_order_is_absent_only_if_the_system_says_so_of_this_order() -> None:
    absent = {"order": ORDER.id, "outcome": "absent"}
    assert answer_to(absent, status=404)[1] is None
    for said, status in ((None, 404), ({**absent, "order": "another"}, 404), (absent, 200), (absent, 410)):
        assert answer_to(said, status=status)[1].outcome == Outcome.UNKNOWN


@pytest.mark.parametrize("fault", ["timeout before", "drop before", "503", "429", "401", "not json"])
def test_a_read_back_that_fails_is_never_taken_for_an_order_that_is_not_there(
    vendor: HostVendor, gateway: WebhookGateway, fault: str
) -> None:
    vendor.read_faults.append(fault)
    found = gateway.find(ORDER.id)
    assert found is not None
    assert found.outcome == Outcome.UNKNOWN
    assert gateway.find(ORDER.id) is None


def test_every_failure_of_the_library_has_a_meaning() -> None:
    kinds = [
        each
        for each in vars(httpx).values()
        if isinstance(each, type) and issubclass(each, httpx.TransportError)
    ]
    assert len(kinds) > 10
    assert all(issubclass(each, httpx.HTTPError) for each in (*kinds, *NOT_SENT))


# What it is made with


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        ({"url": "http://pay.example.org/orders"}, ReportError, "url: expected https"),
        ({"url": "ftp://pay.example.org"}, ReportError, "url: expected https"),
        ({"url": "nowhere"}, ReportError, "url: expected https"),
        ({"url": "https://pay.example.org/orders?x=1"}, ReportError, "url: expected an address without ?"),
        ({"url": "https://recovery-clinic.example.org"}, ReportError, "url: it says"),
        ({"source": "urn:northside", "denied": ("northside",)}, ReportError, "source: it says"),
        ({"secret": "whsec_c2hvcnQ="}, SecretError, "24 bytes at least"),
    ],
)
def test_an_address_that_is_none_or_tells_something_is_refused(
    told: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as refused:
        gateway_to(**{"url": "https://pay.example.org/orders", **told})
    assert words in str(refused.value)


def test_what_it_can_do_is_what_it_is_told() -> None:
    gateway = gateway_to(
        "https://pay.example.org",
        units=["USD", "point"],
        amounts=[Decimal(5)],
        remembers_hours=24,
        reads_back=False,
    )
    able = gateway.capabilities
    assert (able.units, able.denominations) == (frozenset({"USD", "point"}), frozenset({Decimal(5)}))
    assert (able.remembers, able.reads_back) == (timedelta(hours=24), False)
    assert json.dumps(sorted(able.products)) == "[]"
