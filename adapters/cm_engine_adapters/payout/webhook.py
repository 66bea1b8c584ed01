"""A payment system of the host's own: each order a signed CloudEvent over HTTP, and its answer by a small protocol."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from cm_engine.delivery.settings import GatewaySettings, Secret
from cm_engine.errors import MissingDependencyError, ReportError
from cm_engine.gateways import Answer, Blocks, Capabilities, Order, Outcome, Placed
from cm_engine.messages.guard import neutral_name
from cm_engine.messages.kinds import Channel
from cm_engine.ports import Clock
from cm_engine.program.parts import Banned, Switch, Text
from cm_engine.program.values import Amount
from cm_engine_adapters.payout.reading import decimal_of, parsed, seconds_of
from cm_engine_adapters.signing import checked_url, signed, signer, system_clock

if TYPE_CHECKING:
    from ssl import SSLContext

try:
    import httpx
except ModuleNotFoundError as missing:
    raise MissingDependencyError(str(missing.name), "webhooks") from missing

TYPE = "order.v1"
MEDIA_TYPE = "application/cloudevents+json"
SOURCE = "urn:orders"
TIMEOUT_SECONDS = 20.0
BYTES_MAX = 65_536
"""No answer is larger."""
NOTE_MAX = 200
OK, NOT_FOUND = 200, 404
ABSENT = "absent"
"""What is said of an order that is not there."""

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""Failures before anything was sent; all others are `unknown`."""

STATUSES: Mapping[int, Outcome] = {
    408: Outcome.UNKNOWN,
    409: Outcome.CONFLICT,
    425: Outcome.RETRY_LATER,
    429: Outcome.RETRY_LATER,
}
"""What an answer means that is no 2xx; other 4xx are `rejected`, and all else `unknown`, as it may have been taken."""

OUTCOMES = {str(each): each for each in Outcome}

AS_FOUND: Mapping[Outcome, Outcome] = {
    Outcome.CREATED: Outcome.REPLAYED,
    Outcome.RETRY_LATER: Outcome.UNKNOWN,
}
"""What an outcome means of an order that is asked about: what was sent before may be there, whatever is busy now."""


class WebhookSettings(GatewaySettings):
    """What a file says of a payment system of the host's own."""

    url: Annotated[
        Text, Field(description="orders are posted here; each is read at this address, / and its id")
    ]
    secret: Annotated[Secret, Field(description="shared with it: whsec_ and base64")]
    units: Annotated[tuple[Text, ...], Field(min_length=1, description="currencies and things")] = ("USD",)
    products: Annotated[tuple[Text, ...], Field(description="by the program's names; none for any")] = ()
    least: Amount = Decimal(0)
    most: Amount | None = None
    amounts: Annotated[tuple[Amount, ...], Field(description="the only ones; none for any")] = ()
    needs_handle: Switch = False
    reaches_by: Annotated[
        Channel | None,
        Field(description="of needs_handle: which of a participant's; left out, the host says"),
    ] = None
    reads_back: Annotated[Switch, Field(description="it tells what has become of an order")] = True
    remembers_hours: Annotated[int | None, Field(strict=True, ge=1, description="left out, for ever")] = None
    blocks: Blocks = "nothing"
    blocked: Annotated[tuple[Banned, ...], Field(description="of what it does so")] = ()
    is_cash: Switch = False
    source: Annotated[Text, Field(description="the CloudEvents source, a URI that tells nothing")] = SOURCE
    denied: Annotated[
        tuple[Text, ...], Field(description="names of the clinic, which url and source leave out")
    ] = ()
    timeout: Annotated[int, Field(strict=True, ge=1, le=120, description="seconds")] = int(TIMEOUT_SECONDS)


class Reply(NamedTuple):
    """What came back; its body is None if it is too large or no JSON."""

    status: int
    body: dict[str, Any] | None
    wait: timedelta | None


class WebhookGateway:
    """Order payouts at a payment system of the host's, which keeps them by our id.

    The body is a CloudEvent 1.0 in structured mode, the same bytes each time an order is sent: `id`, like the header
    webhook-id, is that of the order, `subject` the participant's opaque id, and `data` has the order's `amount` as a
    decimal text, its `unit`, its `product`, and, where it is wanted, the `handle`. The signature is over the exact bytes.
    No redirection is followed.

    It answers 200 and `{"order": id, "outcome": "created"}`, or another outcome; beside these it may say `reference`,
    `amount`, `unit` and `product` of the order as it has it, `given: false` while the participant has not got it, and
    `note`. A GET of the address, / and the id, signed over nothing, asks for the same; 404 with
    `{"order": id, "outcome": "absent"}` says that there is none. Plain 409 is a conflict, 425 and 429 are to be tried
    later, other 4xx are refusals; whatever else comes back, the order may be there.

    Args:
        url: where orders are posted; https, and http only on this machine.
        secret: shared with it: `whsec_` and base64, or at least 24 bytes.
        units: the currencies and things that it hands over.
        products: by the program's names; none for any.
        least, most, amounts: what it can hand over.
        needs_handle: it delivers to an address that the host gives.
        reaches_by: which of a participant's handles that is: sms, email, push or webhook; left out, only the host knows.
        reads_back: it answers a GET.
        remembers_hours: for how long it knows an order again; left out, for ever.
        blocks: what its rewards keep from being bought: nothing, category or item.
        blocked: of what they do so, as programs call it: alcohol, tobacco, cannabis, gambling, firearms.
        is_cash: its rewards can be turned into cash.
        source: the CloudEvents source.
        denied: what neither url nor source may say besides.
        timeout: seconds to wait for an answer, all in all.
        clock: tells the time of the signature.
        verify: how certificates are checked; left out, by those of this machine.

    Raises:
        ReportError: the address is none, or it, or the source, tells a stranger what it is about.
        SecretError: the secret is too short.

    Example:
        >>> gateway = WebhookGateway(url="https://pay.example.org/orders", secret=bytes(range(32)))
        >>> sorted(gateway.capabilities.units)
        ['USD']
    """

    Settings: ClassVar[type[GatewaySettings]] = WebhookSettings

    def __init__(  # noqa: PLR0913 - what a system has to be known by
        self,
        *,
        url: str,
        secret: str | bytes,
        units: Sequence[str] = ("USD",),
        products: Sequence[str] = (),
        least: Decimal = Decimal(0),
        most: Decimal | None = None,
        amounts: Sequence[Decimal] = (),
        needs_handle: bool = False,
        reaches_by: str | None = None,
        reads_back: bool = True,
        remembers_hours: int | None = None,
        blocks: Blocks = "nothing",
        blocked: Sequence[str] = (),
        is_cash: bool = False,
        source: str = SOURCE,
        denied: Sequence[str] = (),
        timeout: float = TIMEOUT_SECONDS,
        clock: Clock = system_clock,
        verify: "SSLContext | bool" = True,
    ) -> None:
        self._url = checked_url(url, denied).rstrip("/")
        if "?" in url or "#" in url:
            raise ReportError(
                "url: expected an address without ? and #, as the id of an order is put behind it"
            )
        self._signer = signer(secret)
        self._source = neutral_name("source", source, denied)
        self._timeout, self._clock = float(timeout), clock
        self._client = httpx.Client(timeout=timeout, verify=verify, follow_redirects=False)
        self.capabilities = Capabilities(
            units=frozenset(units),
            products=frozenset(products),
            least=least,
            most=most,
            denominations=frozenset(amounts),
            needs_handle=needs_handle,
            reaches_by=reaches_by or "",
            reads_back=reads_back,
            remembers=timedelta(hours=remembers_hours) if remembers_hours else None,
            blocks=blocks,
            is_cash=is_cash,
            blocked=frozenset(blocked),
        )

    def send(self, order: Order) -> Answer:
        """Hand an order over, and say what became of it."""
        reply = self._asked("POST", self._url, order.id, self._event(order))
        return reply if isinstance(reply, Answer) else _meant(reply, order.id)

    def find(self, id: str) -> Answer | None:  # noqa: A002 - as the port says
        """Return what has become of an order; None only if it is said that there is none."""
        reply = self._asked("GET", f"{self._url}/{id}", id, b"")
        if isinstance(reply, Answer):
            return reply._replace(outcome=Outcome.UNKNOWN)
        if reply.status == NOT_FOUND and _is_about(reply, id) and (reply.body or {}).get("outcome") == ABSENT:
            return None
        if reply.status != OK:
            return Answer(Outcome.UNKNOWN, note=f"asked about the order, it answered {reply.status}")
        found = _meant(reply, id)
        return found._replace(outcome=AS_FOUND.get(found.outcome, found.outcome))

    def close(self) -> None:
        """Give up connections."""
        self._client.close()

    def _event(self, order: Order) -> bytes:
        """Return an order as it is sent; it has no time, so that the same order is the same bytes."""
        data = {"amount": str(order.amount), "unit": order.unit, "product": order.product}
        if self.capabilities.needs_handle:
            data["handle"] = order.handle
        event: dict[str, object] = {
            "specversion": "1.0",
            "id": order.id,
            "source": self._source,
            "type": TYPE,
            **({"subject": order.recipient} if order.recipient else {}),
            "datacontenttype": "application/json",
            "data": data,
        }
        return json.dumps(event, ensure_ascii=False).encode()

    def _asked(self, method: str, url: str, name: str, body: bytes) -> Reply | Answer:
        """Return what came back, or what the failure means."""
        told = {"accept": "application/json", **signed(self._signer, name, self._clock(), body)}
        if body:
            told["content-type"] = MEDIA_TYPE
        until = monotonic() + self._timeout
        try:
            with self._client.stream(method, url, content=body or None, headers=told) as response:
                return Reply(
                    response.status_code,
                    _body(response, until),
                    seconds_of(response.headers.get("retry-after")),
                )
        except NOT_SENT:
            return Answer(Outcome.RETRY_LATER, note="the payment system cannot be reached")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(Outcome.UNKNOWN, note=f"no answer of the payment system: {type(error).__name__}")


def _body(response: httpx.Response, until: float) -> dict[str, Any] | None:
    """Return the body of an answer; None if it is too large, takes too long, or is no object in JSON."""
    found = b""
    for part in response.iter_bytes():
        found += part
        if len(found) > BYTES_MAX or monotonic() > until:
            return None
    return parsed(found)


def _is_about(reply: Reply, id: str) -> bool:  # noqa: A002 - as `find` has it
    return reply.body is not None and reply.body.get("order") == id


def _meant(reply: Reply, id: str) -> Answer:  # noqa: A002 - as `find` has it
    """Return what an answer means."""
    status = reply.status
    if 200 <= status < 300:  # noqa: PLR2004 - as HTTP has it
        return _told(reply, id)
    other = Outcome.REJECTED if 400 <= status < 500 else Outcome.UNKNOWN  # noqa: PLR2004 - as HTTP has it
    outcome = STATUSES.get(status, other)
    note = _text(reply, "note") if _is_about(reply, id) else ""
    wait = reply.wait if outcome == Outcome.RETRY_LATER else None
    return Answer(outcome, note=note or f"the payment system answered {status}", wait=wait)


def _told(reply: Reply, id: str) -> Answer:  # noqa: A002 - as `find` has it
    """Return what a body says of an order; whatever is not as agreed, the order may be there."""
    if not _is_about(reply, id):
        note = "its answer is too large, no JSON, or of another order"
        return Answer(Outcome.UNKNOWN, note=f"the payment system may have it: {note}")
    assert reply.body is not None, "it is about the order"
    outcome = OUTCOMES.get(_text(reply, "outcome"))
    amount = decimal_of(reply.body.get("amount"))
    is_given = reply.body.get("given", True)
    if outcome is None or not isinstance(is_given, bool) or (amount is None and "amount" in reply.body):
        return Answer(Outcome.UNKNOWN, note="the payment system may have it: its answer is not as agreed")
    placed = Placed(amount, _text(reply, "unit"), _text(reply, "product"))
    return Answer(outcome, _text(reply, "reference"), _text(reply, "note"), placed, is_given, reply.wait)


def _text(reply: Reply, key: str) -> str:
    """Return a line of text of a body, empty if it says none."""
    found = (reply.body or {}).get(key)
    return " ".join(found.split())[:NOTE_MAX] if isinstance(found, str) else ""
