"""Take in a vendor's webhook: it is verified, and given on once."""

import hashlib
import hmac

from cm_engine_adapters.intake.webhooks import Event, TremendousWebhook, WebhookRefusedError, taken_in

KEY = "the private key that the vendor shows once"
BODY = b'{"uuid": "ev-1", "event": "REWARDS.DELIVERY.SUCCEEDED", "payload": {"resource": {"id": "R-77"}}}'
SIGNATURE = hmac.new(KEY.encode(), BODY, hashlib.sha256).hexdigest()
HEADERS = {"Tremendous-Webhook-Signature": f"sha256={SIGNATURE}"}

seen: set[tuple[str, str]] = set()  # a table of the application's own, with the pair as its key


def noted(event: Event) -> str:
    """Do what the event asks for."""
    return f"{event.kind} of {event.body['payload']['resource']['id']}"


print(taken_in(TremendousWebhook(KEY), BODY, HEADERS, seen=seen, give=noted))
print(taken_in(TremendousWebhook(KEY), BODY, HEADERS, seen=seen, give=noted), "the second time")
try:
    taken_in(TremendousWebhook(KEY), BODY.replace(b"R-77", b"R-78"), HEADERS, seen=seen, give=noted)
except WebhookRefusedError as error:
    print(error)
