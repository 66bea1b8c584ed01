"""Messages to another system of the host's: a CloudEvent over HTTP, signed as Standard Webhooks say."""

from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from cm_engine.delivery.settings import NotifierSettings, Secret
from cm_engine.errors import MissingDependencyError, ReportError
from cm_engine.messages.asking import plain_address
from cm_engine.messages.guard import neutral_name
from cm_engine.messages.kinds import Channel
from cm_engine.ports import Clock, Delivery, Envelope, Outcome
from cm_engine.program.parts import Text
from cm_engine_adapters.signing import checked_url, signed, signer, system_clock

if TYPE_CHECKING:
    from ssl import SSLContext

try:
    import httpx
    from cloudevents.core.bindings.http import to_structured_event
    from cloudevents.core.v1.event import CloudEvent
except ModuleNotFoundError as missing:
    raise MissingDependencyError(str(missing.name), "webhooks") from missing

TYPE = "message.v1"
SOURCE = "urn:messages"
TIMEOUT_SECONDS = 10.0

OUTCOMES: Mapping[type[Exception], Delivery] = {
    httpx.ConnectError: Delivery("retry", "the receiver cannot be reached"),
    httpx.ConnectTimeout: Delivery("retry", "the receiver cannot be reached in time"),
    httpx.PoolTimeout: Delivery("retry", "there was no free connection in time"),
    httpx.ProxyError: Delivery("retry", "the proxy did not let it through"),
    httpx.UnsupportedProtocol: Delivery("rejected", "the receiver has an address that is none"),
    httpx.InvalidURL: Delivery("rejected", "the receiver has an address that is none"),
    httpx.LocalProtocolError: Delivery("rejected", "the message cannot be sent over HTTP"),
    httpx.HTTPError: Delivery("unknown", "the connection broke before the receiver answered"),
}
"""What each failure means; the first that fits counts. Before anything was sent it is certain that nothing arrived."""

STATUSES: Mapping[int, Outcome] = {
    408: "unknown",
    **dict.fromkeys((401, 403, 404, 425, 429, 503), "retry"),
}
"""What an answer means that is no success; other 4xx are `rejected`, other 5xx `unknown`, as it may have been taken.

A receiver that knows neither the place nor the signature is not set up yet, or no more: the message waits.
"""


class WebhookSettings(NotifierSettings):
    """What a file says of a system of the host's own."""

    url: Annotated[Text, Field(description="of the receiver")]
    secret: Annotated[Secret, Field(description="shared with it: whsec_ and base64")]
    source: Annotated[Text, Field(description="the CloudEvents source, a URI that tells nothing")] = SOURCE
    channels: Annotated[
        tuple[Channel, ...], Field(min_length=1, description="the kinds of address that it takes")
    ] = ("webhook",)
    denied: Annotated[tuple[Text, ...], Field(description="names of the clinic")] = ()
    timeout: Annotated[int, Field(strict=True, ge=1, le=120, description="seconds")] = int(TIMEOUT_SECONDS)


class WebhookNotifier:
    """Send messages to a system of the host's own, such as a portal or an internal chat.

    The body is a CloudEvent 1.0 in structured mode. `subject` is the opaque id that the receiver knows the person by, and
    `id`, like the header webhook-id, is that of the message, by which a repeat is known. The signature is over the exact
    bytes. A redirection is not followed.

    Args:
        url: of the receiver; https, and http only on this machine.
        secret: shared with the receiver: `whsec_` and base64, or at least 24 bytes.
        source: the CloudEvents source, a URI that tells nothing.
        channels: the kinds of address that the receiver takes.
        denied: what neither url nor source may say besides.
        timeout: seconds to wait for each step.
        clock: tells the time of the signature.
        verify: how certificates are checked; left out, by those of this machine.

    Raises:
        ReportError: the address is none, or it, or the source, tells a stranger what it is about.
        SecretError: the secret is too short.

    Example:
        >>> notifier = WebhookNotifier(url="https://portal.example.org/in", secret=bytes(range(32)))
        >>> sorted(notifier.channels)
        ['webhook']
    """

    Settings: ClassVar[type[NotifierSettings]] = WebhookSettings

    has_ids = True

    def __init__(  # noqa: PLR0913 - what a receiver has to be known by
        self,
        *,
        url: str,
        secret: str | bytes,
        source: str = SOURCE,
        channels: Iterable[str] = ("webhook",),
        denied: tuple[str, ...] = (),
        timeout: float = TIMEOUT_SECONDS,
        clock: Clock = system_clock,
        verify: "SSLContext | bool" = True,
    ) -> None:
        self.channels = frozenset(channels)
        self._url = checked_url(url, denied)
        self._signer = signer(secret)
        self._source = neutral_name("source", source, denied)
        self._clock = clock
        self._client = httpx.Client(timeout=timeout, verify=verify, follow_redirects=False)

    def send(self, message: Envelope) -> Delivery:
        """Send a message, and return what became of it."""
        if message.channel not in self.channels:
            return Delivery("rejected", f"the receiver takes no messages by {message.channel}")
        try:
            headers, body = self._event(message)
        except ReportError:
            return Delivery("rejected", f"the address is none of {message.channel}")
        try:
            answer = self._client.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return next(found for kind, found in OUTCOMES.items() if isinstance(error, kind))
        return self._meant(answer, message.id)

    def close(self) -> None:
        """Give up connections."""
        self._client.close()

    def _event(self, message: Envelope) -> tuple[dict[str, str], bytes]:
        """Return the headers and the bytes of a message, with the signature over these bytes."""
        now = self._clock().astimezone(UTC)
        is_opaque = message.channel == "webhook"
        to = plain_address(message.channel, message.to)
        told = {
            "channel": message.channel,
            "subject": message.subject,
            "text": message.text,
            "language": message.language,
        }
        attributes = {
            "id": message.id,
            "source": self._source,
            "type": TYPE,
            "subject": to if is_opaque else message.id,
            "time": now,
            "datacontenttype": "application/json",
        }
        event = to_structured_event(CloudEvent(attributes, {**told, "to": to}))
        return {**event.headers, **signed(self._signer, message.id, now, event.body)}, event.body

    def _meant(self, answer: httpx.Response, reference: str) -> Delivery:
        code = answer.status_code
        if answer.is_success:
            return Delivery("sent", reference=reference)
        outcome = STATUSES.get(code, "unknown" if answer.is_server_error else "rejected")
        after = self._wait(answer.headers.get("retry-after", "")) if outcome == "retry" else None
        return Delivery(outcome, f"the receiver answered {code}", "", after)

    def _wait(self, header: str) -> float | None:
        """Return the seconds that a receiver wants to be left alone; None if it does not say."""
        if header.isdigit():
            return float(header)
        try:
            moment = parsedate_to_datetime(header)
        except (TypeError, ValueError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - self._clock()).total_seconds())
