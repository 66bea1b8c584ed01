"""How requests to systems of the host's are signed, as Standard Webhooks say, and which addresses they may have."""

import binascii
from base64 import b64decode
from collections.abc import Iterable
from datetime import UTC, datetime
from time import time

from cm_engine.errors import MissingDependencyError, ReportError, SecretError
from cm_engine.messages.guard import neutral_name

try:
    import httpx
    from standardwebhooks.webhooks import Webhook
except ModuleNotFoundError as missing:
    raise MissingDependencyError(str(missing.name), "webhooks") from missing

SECRET_BYTES = 24
"""The least that Standard Webhooks ask of a secret."""
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


def system_clock() -> datetime:
    """Return what time it is."""
    return datetime.fromtimestamp(time(), UTC)


def checked_url(url: str, denied: Iterable[str] = ()) -> str:
    """Return an address, if it is one, is encrypted, and tells a stranger nothing.

    Raises:
        ReportError: it is not so.

    Example:
        >>> checked_url("https://pay.example.org/orders")
        'https://pay.example.org/orders'
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parsed = httpx.URL("")
    is_plain = parsed.scheme == "http" and parsed.host in LOCAL
    if not parsed.host or not (is_plain or parsed.scheme == "https"):
        raise ReportError("url: expected https://..., and http only on this machine")
    neutral_name("url", f"{parsed.host}{parsed.path}", denied)
    return url


def signer(secret: str | bytes) -> Webhook:
    """Return what signs by a secret shared with the receiver.

    Args:
        secret: `whsec_` and base64, or bytes; 24 bytes at least.

    Raises:
        SecretError: it is none, or too short.
    """
    try:
        found = b64decode(f"{secret.removeprefix('whsec_')}==") if isinstance(secret, str) else secret
    except binascii.Error:
        found = b""
    if len(found) < SECRET_BYTES:
        raise SecretError(f"secret: expected whsec_ and base64, or bytes; {SECRET_BYTES} bytes at least")
    return Webhook(found)


def signed(webhook: Webhook, name: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that say by whom a body was sent, when, and under which id."""
    now = now.astimezone(UTC)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign(name, now, body.decode()),
    }
