"""Messages by the services that Apprise knows: text messages, pushes, chats, and many more."""

import logging
import warnings
from collections.abc import Mapping
from threading import Lock
from typing import Annotated, ClassVar
from urllib.parse import quote

from pydantic import Field

from cm_engine.delivery.settings import NotifierSettings, Secret
from cm_engine.errors import MissingDependencyError, ReportError
from cm_engine.messages.asking import one_of, plain_address
from cm_engine.messages.kinds import CHANNELS, Channel
from cm_engine.ports import Delivery, Envelope, Outcome

try:
    import apprise as vendor
except ModuleNotFoundError as missing:
    raise MissingDependencyError(str(missing.name), "messages") from missing

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of a module of Python that a plug-in still imports
    vendor.NotificationManager().load_modules()  # type: ignore[no-untyped-call]

TO = "{to}"
SAMPLES: Mapping[str, str] = {
    "sms": "+15551230100",
    "email": "ann@example.org",
    "push": "abcdefghijklmnop",
    "webhook": "u-5f2c",
}
"""Addresses that a service's URL is looked at with."""

OUTCOMES: Mapping[str, Outcome] = {
    "SUCCESS": "sent",
    "NOMATCH": "rejected",
    "FAILURE": "unknown",
    "PARTIAL": "unknown",
    "TIMEOUT": "unknown",
}
"""What each status means. Apprise does not say whether a failure came before or after the service took the message."""


class AppriseSettings(NotifierSettings):
    """What a file says of services that Apprise knows; their URLs are secrets, as they hold keys."""

    services: Annotated[dict[Channel, Secret], Field(min_length=1, description="a URL with {to}, by channel")]
    seconds: Annotated[int, Field(strict=True, ge=0, le=120, description="0 leaves it to the service")] = 30


class AppriseNotifier:
    """Send messages by services that Apprise knows, one for each channel.

    Apprise has no ids of messages and no receipts: a message that is sent again arrives again, and whoever calls this
    keeps account. Its own log, which names telephone numbers, is silent while it sends.

    Args:
        services: by channel, the URL of a service with `{to}` where the address stands, as Apprise writes it:
            {"sms": "twilio://SID:TOKEN@+15550100/{to}"}.
        seconds: to wait at most for a service; 0 leaves it to the service.

    Raises:
        ReportError: a URL has no place for the address, or Apprise knows no such service.

    Example:
        >>> notifier = AppriseNotifier({"push": "json://127.0.0.1:8025/{to}"})
        >>> sorted(notifier.channels)
        ['push']
        >>> AppriseNotifier({"sms": "nonsense://{to}"})
        Traceback (most recent call last):
        ...
        cm_engine.errors.ReportError: services: Apprise knows no service nonsense, or its URL lacks something, such as {to}
    """

    Settings: ClassVar[type[NotifierSettings]] = AppriseSettings

    has_ids = False

    def __init__(self, services: Mapping[str, str], *, seconds: float = 30.0) -> None:
        self._services = {one_of("services", channel, CHANNELS): url for channel, url in services.items()}
        self._seconds = seconds
        self.channels = frozenset[str](self._services)
        for channel, url in self._services.items():
            with _silence:
                known = TO in url and _added(url, SAMPLES[channel]) is not None
            if not known:
                service = url.partition(":")[0]
                msg = (
                    f"services: Apprise knows no service {service}, or its URL lacks something, such as {TO}"
                )
                raise ReportError(msg)

    def send(self, message: Envelope) -> Delivery:
        """Send a message, and return what became of it."""
        url = {str(channel): url for channel, url in self._services.items()}.get(message.channel)
        if url is None:
            return Delivery("rejected", f"no service is configured for {message.channel}")
        try:
            address = plain_address(message.channel, message.to)
        except ReportError:
            return Delivery("rejected", f"the address is none of {message.channel}")
        with _silence:
            service = _added(url, address)
            if service is None:
                return Delivery("rejected", "the service takes no such address")
            try:
                result = service.notify(
                    body=message.text,
                    title=message.subject if message.channel != "sms" else "",
                    body_format=vendor.NotifyFormat.TEXT,
                    timeout=self._seconds,
                )
            except Exception as error:  # noqa: BLE001 - 170 plug-ins, each with a vendor's errors
                return Delivery("unknown", f"the service failed: {type(error).__name__}")
        status = result.status.name
        outcome = OUTCOMES.get(status, "unknown")
        return Delivery(outcome, "" if outcome == "sent" else f"Apprise says {status}")

    def close(self) -> None:
        """Do nothing: each message has a connection of its own."""


def _added(url: str, address: str) -> vendor.Apprise | None:
    """Return what sends to an address, or None: Apprise answers False where it understands nothing, and goes on."""
    service = vendor.Apprise()
    added = service.add(url.replace(TO, quote(address, safe="")))
    return service if added is True and len(service) == 1 else None


class _Silence:
    """Let Apprise and its client of HTTP log nothing while it is entered, by however many threads: its lines repeat addresses."""

    def __init__(self) -> None:
        self._entered = 0
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._entered += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._entered -= 1

    def filter(self, _: logging.LogRecord) -> bool:
        """Tell whether a line is logged."""
        return not self._entered


_silence = _Silence()
for _logger in (vendor.LOGGER_NAME, "urllib3.connectionpool"):
    logging.getLogger(_logger).addFilter(_silence.filter)
