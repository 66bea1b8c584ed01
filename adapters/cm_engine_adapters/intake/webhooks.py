"""Webhooks of vendors: who sent them is verified, and each event is given on once.

Pure but for the clock that the libraries of the vendors read: the host gives the request's bytes and headers, and says
which events it has seen. A body is looked at only after its signature.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from cm_engine.errors import CmEngineError

Given = TypeVar("Given")

TREMENDOUS = "tremendous-webhook-signature"
STRIPE = "stripe-signature"


class WebhookRefusedError(CmEngineError):
    """Report a request that is not from the vendor, is too old, or was changed on its way; nothing is done by it.

    Attributes:
        vendor: who it said it was from.
        why: what is wrong with it; nothing of its content.
    """

    def __init__(self, vendor: str, why: str) -> None:
        self.vendor = vendor
        self.why = why
        super().__init__(f"a webhook of {vendor} is refused: {why}")


class Event(NamedTuple):
    """A verified event.

    Attributes:
        vendor: who sent it.
        id: what makes it the same event, however often it is sent.
        kind: what happened, in the vendor's words.
        body: all that it says.
    """

    vendor: str
    id: str
    kind: str
    body: Mapping[str, Any]


class Verifier(Protocol):
    """Tell who sent a request; `StandardWebhook`, `TremendousWebhook` and `StripeWebhook` are such."""

    def verified(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Return the event of a request.

        Raises:
            WebhookRefusedError: its signature is missing or wrong, it is too old, or it names no event.
        """


class Seen(Protocol):
    """Which events were given on before: a table of the host's, or a set to try things out."""

    def __contains__(self, event: object, /) -> bool:
        """Tell whether an event, a pair of vendor and id, was given on."""

    def add(self, event: tuple[str, str], /) -> None:
        """Remember that it was."""


class StandardWebhook(NamedTuple):
    """Verify Standard Webhooks, of which Svix's are such under other names.

    Attributes:
        secret: as the vendor shows it, `whsec_...`.
        vendor: what to call it.

    Example:
        >>> from datetime import UTC, datetime
        >>> from standardwebhooks.webhooks import Webhook
        >>> secret, sent, body = "whsec_c2VjcmV0LW9mLXRoaXMtZXhhbXBsZQ==", datetime.now(UTC), '{"type": "paid"}'
        >>> signature = Webhook(secret).sign("msg-1", sent, body)
        >>> names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        >>> headers = dict(zip(names, ("msg-1", str(int(sent.timestamp())), signature)))
        >>> StandardWebhook(secret).verified(body.encode(), headers).kind
        'paid'
        >>> StandardWebhook(secret).verified(body.encode() + b" ", headers)
        Traceback (most recent call last):
        ...
        cm_engine_adapters.intake.webhooks.WebhookRefusedError: a webhook of standard is refused: the signature is \
missing or wrong, or the time is more than five minutes off
    """

    secret: str
    vendor: str = "standard"

    def verified(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Return the event of a request.

        Raises:
            WebhookRefusedError: its signature is missing or wrong, or its time is more than five minutes off.
        """
        from standardwebhooks.webhooks import Webhook, WebhookVerificationError  # noqa: PLC0415 - of the extra

        named = {name.replace("svix-", "webhook-"): value for name, value in _lowered(headers).items()}
        try:
            Webhook(self.secret).verify(body, named, json_parse=False)
        except (WebhookVerificationError, ValueError):
            why = "the signature is missing or wrong, or the time is more than five minutes off"
            raise WebhookRefusedError(self.vendor, why) from None
        found = _json(self.vendor, body)
        return Event(self.vendor, named["webhook-id"], str(found.get("type", "")), found)


class TremendousWebhook(NamedTuple):
    """Verify Tremendous: an HMAC of the raw body, without a time, so that only the body's id tells a replay.

    Attributes:
        key: the private key of the webhook.
    """

    key: str
    vendor: str = "tremendous"

    def verified(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Return the event of a request.

        Raises:
            WebhookRefusedError: its signature is missing or wrong, or it has no id.
        """
        expected = f"sha256={hmac.new(self.key.encode(), body, hashlib.sha256).hexdigest()}"
        given = _lowered(headers).get(TREMENDOUS, "")
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise WebhookRefusedError(self.vendor, "the signature is missing or wrong")
        found = _json(self.vendor, body)
        return _named(self.vendor, found.get("uuid"), found.get("event"), found)


class StripeWebhook(NamedTuple):
    """Verify Stripe, by its own library.

    Attributes:
        secret: of the endpoint, `whsec_...`.
        tolerance_seconds: how old a request may be.
    """

    secret: str
    vendor: str = "stripe"
    tolerance_seconds: int = 300

    def verified(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Return the event of a request.

        Raises:
            WebhookRefusedError: its signature is missing or wrong, it is too old, or it has no id.
        """
        import stripe  # noqa: PLC0415 - of the extra

        signature = _lowered(headers).get(STRIPE)
        try:
            stripe.Webhook.construct_event(body, signature, self.secret, tolerance=self.tolerance_seconds)
        except (
            stripe.SignatureVerificationError,
            ValueError,
            AttributeError,
        ):  # the last: a body that is a list
            raise WebhookRefusedError(self.vendor, "the signature is missing, wrong or too old") from None
        found = _json(self.vendor, body)
        return _named(self.vendor, found.get("id"), found.get("type"), found)


def taken_in(
    verifier: Verifier,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seen: Seen,
    give: Callable[[Event], Given],
) -> Given | None:
    """Verify a request, and give its event on; one that was given on before is not, and None is returned.

    An event is remembered after it was taken: where that fails, the vendor sends it again, and it is given on again. What
    takes it has to do nothing twice, as the engine does, whose keys it can use the id for.

    Args:
        verifier: of the vendor.
        body: the raw bytes of the request.
        headers: its headers, in any case.
        seen: which events were given on before.
        give: takes the event.

    Raises:
        WebhookRefusedError: it is not from the vendor, too old, or was changed.

    Example:
        >>> body = b'{"uuid": "e-1", "event": "REWARDS.DELIVERY.SUCCEEDED"}'
        >>> signature = hmac.new(b"key", body, hashlib.sha256).hexdigest()
        >>> headers, seen = {"Tremendous-Webhook-Signature": f"sha256={signature}"}, set()
        >>> taken_in(TremendousWebhook("key"), body, headers, seen=seen, give=lambda event: event.kind)
        'REWARDS.DELIVERY.SUCCEEDED'
        >>> taken_in(TremendousWebhook("key"), body, headers, seen=seen, give=lambda event: event.kind) is None
        True
    """
    event = verifier.verified(body, headers)
    name = (event.vendor, event.id)
    if name in seen:
        return None
    made = give(event)
    seen.add(name)
    return made


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _json(vendor: str, body: bytes) -> dict[str, Any]:
    """Return what a verified body says."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise WebhookRefusedError(vendor, "its body is no object in JSON")
    return found


def _named(vendor: str, name: object, kind: object, body: Mapping[str, Any]) -> Event:
    if not isinstance(name, str) or not name:
        raise WebhookRefusedError(vendor, "it names no event, by which a replay could be told")
    return Event(vendor, name, str(kind or ""), body)
