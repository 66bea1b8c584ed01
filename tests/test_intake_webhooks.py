"""Webhooks are taken in once, and only from whom they say they are."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import stripe
from standardwebhooks.webhooks import Webhook

from cm_engine_adapters.intake.webhooks import (
    Event,
    StandardWebhook,
    StripeWebhook,
    TremendousWebhook,
    Verifier,
    WebhookRefusedError,
    taken_in,
)

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZXNlLXRlc3Rz"
BODY = json.dumps({"uuid": "ev-1", "id": "ev-1", "event": "paid", "type": "paid", "data": {"n": 1}}).encode()


def standard(body: bytes = BODY, sent: datetime | None = None, prefix: str = "webhook") -> dict[str, str]:
    sent = sent or datetime.now(UTC)  # noqa: TID251 - the vendor's library asks the clock
    signature = Webhook(SECRET).sign("ev-1", sent, body.decode())
    found = {"id": "ev-1", "timestamp": str(int(sent.timestamp())), "signature": signature}
    return {f"{prefix}-{name}": value for name, value in found.items()}


def tremendous(body: bytes = BODY) -> dict[str, str]:
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"Tremendous-Webhook-Signature": f"sha256={signature}"}


def of_stripe(body: bytes = BODY, age_seconds: int = 0) -> dict[str, str]:
    sent = int(datetime.now(UTC).timestamp()) - age_seconds  # noqa: TID251 - the vendor's library asks the clock
    signed = hmac.new(SECRET.encode(), f"{sent}.{body.decode()}".encode(), hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={sent},v1={signed}"}


VENDORS: list[tuple[Verifier, Callable[[], dict[str, str]]]] = [
    (StandardWebhook(SECRET), standard),
    (StandardWebhook(SECRET, "svix"), partial(standard, prefix="svix")),
    (TremendousWebhook(SECRET), tremendous),
    (StripeWebhook(SECRET), of_stripe),
]
"""Each with what signs now: a signature is too old after five minutes."""


@pytest.fixture(params=VENDORS, ids=["standard", "svix", "tremendous", "stripe"])
def vendor(request: pytest.FixtureRequest) -> tuple[Verifier, dict[str, str]]:
    """A vendor's webhook, signed now."""
    verifier, signed = request.param
    return verifier, signed()


def test_a_genuine_event_is_given_on_once(vendor: tuple[Verifier, dict[str, str]]) -> None:
    verifier, headers = vendor
    given: list[Event] = []
    seen: set[tuple[str, str]] = set()
    for _ in range(3):
        taken_in(verifier, BODY, headers, seen=seen, give=given.append)
    [event] = given
    assert (event.id, event.kind, event.body["data"]) == ("ev-1", "paid", {"n": 1})


def test_a_changed_body_is_refused(vendor: tuple[Verifier, dict[str, str]]) -> None:
    verifier, headers = vendor
    for body in (BODY + b" ", BODY.replace(b"1}", b"2}"), b""):
        with pytest.raises(WebhookRefusedError):
            verifier.verified(body, headers)


def test_a_missing_or_a_foreign_signature_is_refused(vendor: tuple[Verifier, dict[str, str]]) -> None:
    verifier, headers = vendor
    wrong = {name: value[:-3] + "abc" if "ignature" in name else value for name, value in headers.items()}
    for each in ({}, wrong, dict.fromkeys(headers, ""), dict.fromkeys(headers, "é")):
        with pytest.raises(WebhookRefusedError):
            verifier.verified(BODY, each)


def test_what_is_too_old_is_refused_by_those_who_send_a_time() -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=6)  # noqa: TID251 - the vendor's library asks the clock
    with pytest.raises(WebhookRefusedError, match="five minutes"):
        StandardWebhook(SECRET).verified(BODY, standard(sent=long_ago))
    with pytest.raises(WebhookRefusedError, match="too old"):
        StripeWebhook(SECRET).verified(BODY, of_stripe(age_seconds=301))


@pytest.mark.parametrize("body", [b"[]", b"no json", b"{}", b'{"uuid": 5}'])
def test_what_names_no_event_is_refused_with_the_best_signature(body: bytes) -> None:
    with pytest.raises(WebhookRefusedError):
        TremendousWebhook(SECRET).verified(body, tremendous(body))
    with pytest.raises(WebhookRefusedError):
        StripeWebhook(SECRET).verified(body, of_stripe(body))


def test_an_event_that_could_not_be_taken_is_given_on_again() -> None:
    seen: set[tuple[str, str]] = set()

    def fails(_: Event) -> None:
        msg = "the storage is busy"
        raise TimeoutError(msg)

    with pytest.raises(TimeoutError):
        taken_in(TremendousWebhook(SECRET), BODY, tremendous(), seen=seen, give=fails)
    taken = taken_in(TremendousWebhook(SECRET), BODY, tremendous(), seen=seen, give=lambda event: event.id)
    assert taken == "ev-1"


def test_the_same_id_of_another_vendor_is_another_event() -> None:
    seen: set[tuple[str, str]] = set()
    for verifier, signed in VENDORS:
        assert taken_in(verifier, BODY, signed(), seen=seen, give=lambda event: event.id) == "ev-1"


def test_a_refusal_says_nothing_of_what_came() -> None:
    with pytest.raises(WebhookRefusedError) as refused:
        StripeWebhook(SECRET).verified(b'{"name": "Everywoman"}', of_stripe())
    assert "Everywoman" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_signature_of_stripes_own_library_is_taken() -> None:
    sent = int(datetime.now(UTC).timestamp())  # noqa: TID251 - the vendor's library asks the clock
    header = stripe.WebhookSignature.generate_signature_header(BODY.decode(), SECRET, sent)
    assert StripeWebhook(SECRET).verified(BODY, {"stripe-signature": header}).kind == "paid"
