"""Gift cards and money by Tremendous, through its official library."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field, ValidationError

from cm_engine.delivery.settings import GatewaySettings, Secret
from cm_engine.errors import MissingDependencyError, ReportError
from cm_engine.gateways import Answer, Capabilities, Order, Outcome, Placed
from cm_engine.messages.guard import neutral_name
from cm_engine.program.parts import Currency, Text
from cm_engine.program.values import Amount
from cm_engine_adapters.payout.reading import decimal_of, named_keys, parsed, seconds_of

try:
    import tremendous
    import urllib3
    from tremendous.exceptions import ApiException, OpenApiException
except ModuleNotFoundError as missing:
    raise MissingDependencyError(str(missing.name), "tremendous") from missing

SANDBOX = "https://testflight.tremendous.com/api/v2"
PRODUCTION = "https://api.tremendous.com/api/v2"
PREFIXES: Mapping[str, str] = {SANDBOX: "TEST_", PRODUCTION: "PROD_"}
"""How the key of each begins, so that play money and real money are not mistaken for each other."""

TIMEOUT_SECONDS = 20.0
CONNECT_SECONDS = 5.0
ONE_SECOND = timedelta(seconds=1)
"""As long the vendor wants to be left alone after too many calls."""

NAME = "Thank you"
WORDS = "Thank you."
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
ID = re.compile(r"[A-Z0-9]{4,20}")

OK, NOT_FOUND = 200, 404
TAKEN: Mapping[int, Outcome] = {OK: Outcome.CREATED, 201: Outcome.REPLAYED}
"""With other vendors these two mean the opposite."""

STATUSES: Mapping[int, tuple[Outcome, str]] = {
    0: (Outcome.UNKNOWN, "no answer that can be read, or no secure connection"),
    402: (Outcome.REJECTED, "the account has not the funds; nothing was ordered"),
    401: (Outcome.REJECTED, "the key is not accepted"),
    403: (Outcome.REJECTED, "the key may not order"),
    408: (Outcome.UNKNOWN, "it answered that time ran out"),
    409: (Outcome.CONFLICT, "another order has this id"),
    425: (Outcome.RETRY_LATER, "it is too early"),
    429: (Outcome.RETRY_LATER, "too many calls; it was not looked at"),
}
"""What an answer means that is no order; other 4xx are `rejected`, and all else `unknown`, as it may have been taken."""

NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
"""Failures before anything was sent; all others are `unknown`."""

ENDED: Mapping[str, str] = {
    "FAILED": "the order failed there, for want of funds or for another reason; nothing was paid",
    "CANCELED": "the order was canceled there",
}
"""States of an order of which nothing comes any more."""

Method = Literal["link", "email", "phone"]

Given = TypeVar("Given")


class TremendousSettings(GatewaySettings):
    """What a file says of an account with Tremendous."""

    key: Annotated[Secret, Field(description="of the API; TEST_... or PROD_...")]
    url: Annotated[Text, Field(description="sandbox, production, or an address")] = "sandbox"
    funding: Annotated[Text, Field(description="the id of the funding source, or BALANCE")]
    campaign: Annotated[Text | None, Field(description="what people choose from who asked for nothing")] = (
        None
    )
    products: Annotated[
        dict[Text, tuple[Text, ...]], Field(description="ids at Tremendous, by what the program calls them")
    ] = {}  # noqa: RUF012 - pydantic copies its defaults
    currencies: Annotated[tuple[Currency, ...], Field(min_length=1)] = ("USD",)
    delivery: Method = "link"
    sender: Annotated[Text, Field(description="who it is from, to everybody who sees it")] = NAME
    subject: Annotated[Text, Field(description="of an e-mail")] = NAME
    words: Annotated[Text, Field(description="of the message and of the page")] = WORDS
    denied: Annotated[
        tuple[Text, ...], Field(description="names of the clinic, which none of these says")
    ] = ()
    least: Amount = Decimal(0)
    most: Amount | None = None
    is_cash: Annotated[bool, Field(strict=True, description="people may choose money")] = True
    timeout: Annotated[int, Field(strict=True, ge=1, le=120, description="seconds")] = int(TIMEOUT_SECONDS)


class TremendousGateway:
    """Order one reward for each payout at Tremendous, by our id as `external_id`.

    By default it is made as a link: the vendor gets an amount and an id, and neither a name nor an address; `link` gives
    the link to whoever hands it over. By e-mail or phone the participant's address goes there, which the host has to
    give, and the payout is over when the vendor has delivered it.

    Args:
        key: of the API.
        funding: the id of the funding source, or BALANCE.
        url: sandbox, production, or an address; http only on this machine.
        campaign: the id of the campaign that people choose from who asked for nothing.
        products: ids at Tremendous, by what the program calls them.
        currencies: that the account pays in.
        delivery: link, email or phone.
        sender, subject, words: what the vendor shows people; they must not tell a stranger what it is about.
        denied: what they may not say besides: names of the clinic and its staff.
        least, most: bounds of an amount.
        is_cash: people may choose something that can be turned into money; say False only if no product can.
        timeout: seconds to wait for an answer.

    Raises:
        ReportError: there is neither campaign nor product, the key is of the other side, or what is shown tells something.

    Example:
        >>> gateway = TremendousGateway(key="TEST_1", funding="BALANCE", campaign="IVM0I3WNJJL0")
        >>> gateway.capabilities.needs_handle, gateway.capabilities.remembers
        (False, None)
    """

    Settings: ClassVar[type[GatewaySettings]] = TremendousSettings

    def __init__(  # noqa: PLR0913 - what an account has to be known by
        self,
        *,
        key: str,
        funding: str,
        url: str = "sandbox",
        campaign: str | None = None,
        products: Mapping[str, Sequence[str]] | None = None,
        currencies: Sequence[str] = ("USD",),
        delivery: Method = "link",
        sender: str = NAME,
        subject: str = NAME,
        words: str = WORDS,
        denied: Sequence[str] = (),
        least: Decimal = Decimal(0),
        most: Decimal | None = None,
        is_cash: bool = True,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._products = {name: list(ids) for name, ids in (products or {}).items()}
        self._campaign, self._funding, self._delivery = campaign, funding, delivery
        self._refuse_nothing()
        self._shown = {
            there: neutral_name(here, text, denied)
            for there, here, text in (
                ("sender_name", "sender", sender),
                ("subject_line", "subject", subject),
                ("message", "words", words),
            )
        }
        self._timeout = (min(CONNECT_SECONDS, float(timeout)), float(timeout))
        host = {"sandbox": SANDBOX, "production": PRODUCTION}.get(url, url)
        configuration = tremendous.Configuration(host=_checked(host, key), access_token=key, retries=False)
        self._api = tremendous.TremendousApi(tremendous.ApiClient(configuration))
        self.capabilities = Capabilities(
            units=frozenset(currencies),
            products=frozenset(self._products) | ({""} if campaign else set()),
            least=least,
            most=most,
            needs_handle=delivery != "link",
            is_cash=is_cash,
            reaches_by={"link": "", "email": "email", "phone": "sms"}[delivery],
        )

    def send(self, order: Order) -> Answer:
        """Order a reward, and say what became of it."""
        amount = float(order.amount)
        if Decimal(repr(amount)) != order.amount:
            return Answer(
                Outcome.REJECTED, note="Tremendous cannot be told so many digits; nothing was ordered"
            )
        wanted = tremendous.CreateOrderRequest(self._wanted(order, amount))
        return self._called(lambda: self._created(wanted, order.id))

    def find(self, id: str) -> Answer | None:  # noqa: A002 - as the port says
        """Return what has become of an order, as the vendor tells it, whatever the library makes of it."""
        found = self._read(id)
        if isinstance(found, Answer):
            return found._replace(outcome=Outcome.UNKNOWN)
        return _answer(Outcome.REPLAYED, found, id) if found else None

    def link(self, id: str) -> str:  # noqa: A002 - as `find` has it
        """Return a fresh link to a reward, for whoever hands it over; whoever has it can take the reward.

        Raises:
            ReportError: there is no such reward, it is none by link, or the vendor does not answer.
        """
        found = self._read(id)
        rewards = _rewards(found) if isinstance(found, dict) else []
        reward = str(rewards[0].get("id")) if rewards else ""
        if not ID.fullmatch(reward):
            raise ReportError(f"link: Tremendous tells of no reward of the order {id}")
        try:
            link = self._api.generate_reward_link(reward, _request_timeout=self._timeout).reward.link
        except (OpenApiException, urllib3.exceptions.HTTPError, ValueError):
            link = None
        if not link:
            raise ReportError(f"link: Tremendous made none for the order {id}; try again, or look there")
        return str(link)

    def close(self) -> None:
        """Give up connections."""
        self._api.api_client.rest_client.pool_manager.clear()

    def _refuse_nothing(self) -> None:
        """Refuse an account of which nobody could choose anything, and ids that are none."""
        ids = [("products", each) for some in self._products.values() for each in some]
        ids += [("campaign", self._campaign)] if self._campaign else []
        if not ids:
            raise ReportError("campaign: expected one, or products, so that there is something to choose")
        if empty := [name for name, some in self._products.items() if not some]:
            raise ReportError(f"products: {empty[0]} has none")
        for name, each in ids:
            if not ID.fullmatch(each):
                what = "expected ids of Tremendous, of 4 to 20 capital letters and digits"
                raise ReportError(f"{name}: {what}, got {each!r}")

    def _wanted(self, order: Order, amount: float) -> Any:  # noqa: ANN401 - of the vendor's library
        """Return an order in the vendor's words; the same each time."""
        reward = {
            "value": {"denomination": amount, "currency_code": order.unit},
            "delivery": {"method": self._delivery.upper(), "meta": self._shown},
        }
        if order.product in self._products:
            reward["products"] = self._products[order.product]
        elif self._campaign:
            reward["campaign_id"] = self._campaign
        if self._delivery != "link":
            reward["recipient"] = {self._delivery: order.handle}
        wanted = {"external_id": order.id, "payment": {"funding_source_id": self._funding}, "reward": reward}
        return tremendous.SingleRewardOrder.model_validate(wanted)

    def _created(self, wanted: Any, id: str) -> Answer:  # noqa: A002, ANN401 - of the vendor's library
        made = self._api.create_order_with_http_info(wanted, _request_timeout=self._timeout)
        order = (parsed(made.raw_data) or {}).get("order")
        if made.status_code not in TAKEN or not isinstance(order, dict):
            return _unclear(made.status_code)
        return _answer(TAKEN[made.status_code], order, id)

    def _read(self, id: str) -> dict[str, Any] | Answer | None:  # noqa: A002 - as `find` has it
        """Return an order as it stands there; None if there surely is none, an answer if it cannot be read."""

        def read() -> dict[str, Any] | Answer | None:
            reply = self._api.get_order_without_preload_content(id, _request_timeout=self._timeout)
            body = parsed(reply.data)
            if reply.status == NOT_FOUND and body and "errors" in body:
                return None
            order = (body or {}).get("order")
            return (
                order if reply.status == OK and isinstance(order, dict) and order else _unclear(reply.status)
            )

        return self._called(read)

    def _called(self, call: Callable[[], Given]) -> Given | Answer:
        """Return what a call gives, or what its failure means."""
        try:
            return call()
        except ApiException as error:
            return _refused(error)
        except ValidationError:
            return Answer(Outcome.UNKNOWN, note="Tremendous took the order, and its answer cannot be read")
        except NOT_SENT:
            return Answer(Outcome.RETRY_LATER, note="Tremendous cannot be reached")
        except (OpenApiException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Answer(
                Outcome.UNKNOWN, note=f"no answer of Tremendous that can be read: {type(error).__name__}"
            )


def _checked(host: str, key: str) -> str:
    """Return an address of the API, if the key is for it.

    Raises:
        ReportError: the address is none, or the key is of the other side.
    """
    prefix = PREFIXES.get(host, "")
    if not key.startswith(prefix):
        raise ReportError(f"key: expected one that begins with {prefix}, as this is {host}")
    parts = urllib3.util.parse_url(host)
    if parts.host is None or (parts.scheme != "https" and parts.host not in LOCAL):
        raise ReportError("url: expected sandbox, production or https://..., and http only on this machine")
    return host.rstrip("/")


def _refused(error: ApiException) -> Answer:
    """Return what an answer means that is no order."""
    status = int(error.status or 0)
    is_client = 400 <= status < 500  # noqa: PLR2004 - as HTTP has it
    outcome, why = STATUSES.get(
        status, (Outcome.REJECTED if is_client else Outcome.UNKNOWN, f"it answered {status}")
    )
    errors = (parsed((error.body or "").encode()) or {}).get("errors")
    keys = named_keys(errors.get("payload")) if isinstance(errors, dict) else ""
    wait = seconds_of((error.headers or {}).get("retry-after")) or ONE_SECOND
    note = f"Tremendous: {why}{f', because of {keys}' if keys else ''}"
    return Answer(outcome, note=note, wait=wait if outcome == Outcome.RETRY_LATER else None)


def _unclear(status: int) -> Answer:
    return Answer(Outcome.UNKNOWN, note=f"Tremendous answered {status}, and nothing that can be read")


def _answer(outcome: Outcome, order: Mapping[str, Any], id: str) -> Answer:  # noqa: A002 - as `find` has it
    """Return what an order means that the vendor has."""
    if order.get("external_id") not in {None, id}:
        return Answer(Outcome.UNKNOWN, note="Tremendous answered with another order than was asked for")
    rewards = _rewards(order)
    reference, state = str(order.get("id") or ""), str(order.get("status") or "no state")
    placed = _placed(rewards)
    if state in ENDED:
        return Answer(Outcome.REJECTED, reference, f"Tremendous: {ENDED[state]}", placed)
    if state != "EXECUTED":
        return Answer(outcome, reference, f"the order is {state[:40]} at Tremendous", placed, is_given=False)
    return _delivered(Answer(outcome, reference, "", placed), rewards)


def _rewards(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    told = order.get("rewards")
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


def _placed(rewards: Sequence[Mapping[str, Any]]) -> Placed | None:
    """Return what rewards are worth together; the vendor may have made more than one of an order."""
    values = [value for each in rewards if isinstance(value := each.get("value"), dict)]
    amounts = [amount for each in values if (amount := decimal_of(each.get("denomination"))) is not None]
    if not amounts:
        return None
    return Placed(sum(amounts, Decimal(0)), str(values[0].get("currency_code") or ""))


def _delivered(answer: Answer, rewards: Sequence[Mapping[str, Any]]) -> Answer:
    """Return an answer that says whether rewards of an executed order have reached the participant."""
    deliveries = [each.get("delivery") for each in rewards]
    found = [each for each in deliveries if isinstance(each, dict) and each.get("method") != "LINK"]
    states = {str(each.get("status")) for each in found}
    if "FAILED" in states:
        note = "Tremendous could not deliver it; mend the address there and have it sent again, or cancel it there"
        return answer._replace(outcome=Outcome.CONFLICT, note=note)
    if states - {"SUCCEEDED"}:
        return answer._replace(note="Tremendous is delivering it", is_given=False)
    return answer
