"""Cards by Stripe Issuing: for each payout a virtual card of its own, which is worth its amount and is blocked for what a program bans.

A card is made, and not a limit raised: raising one means reading it and writing a sum, and Stripe has nothing that would
keep two workers from writing the same sum twice.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from cm_engine.delivery.settings import GatewaySettings, Secret
from cm_engine.errors import MissingDependencyError, ReportError
from cm_engine.gateways import Answer, Capabilities, Order, Outcome, Placed
from cm_engine.program.parts import Currency, Text
from cm_engine.program.values import Amount
from cm_engine_adapters.payout.reading import major_units, minor_units, seconds_of

try:
    import requests
    import stripe
except ModuleNotFoundError as missing:
    raise MissingDependencyError(str(missing.name), "stripe") from missing

TIMEOUT_SECONDS = 20.0
CONNECT_SECONDS = 5.0
ONE_SECOND = timedelta(seconds=1)
REMEMBERS = timedelta(hours=23)
"""Stripe prunes the keys of calls after a day at the earliest; the hour is for calls under way."""

HOLDER = re.compile(r"ich_[A-Za-z0-9]{1,250}")
"""What Stripe calls a cardholder."""
WORD = re.compile(r"[a-z_]{1,60}")

CASH = ("automated_cash_disburse", "manual_cash_disburse", "financial_institutions")
BLOCKED = (
    *CASH,
    "betting_casino_gambling",
    "cigar_stores_and_stands",
    "drinking_places",
    "government_licensed_horse_dog_racing_us_region_only",
    "government_licensed_online_casions_online_gambling_us_region_only",
    "government_owned_lotteries_non_us_region",
    "government_owned_lotteries_us_region_only",
    "non_fi_money_orders",
    "package_stores_beer_wine_and_liquor",
    "pawn_shops",
    "wires_money_orders",
)
"""Shops where a card buys nothing, in Stripe's words: cash and what is as good, alcohol, tobacco, gambling."""

SELLERS: Mapping[str, frozenset[str]] = {
    "alcohol": frozenset({"drinking_places", "package_stores_beer_wine_and_liquor"}),
    "tobacco": frozenset({"cigar_stores_and_stands"}),
    "gambling": frozenset(each for each in BLOCKED if re.search("gambling|casino|racing|lotteries", each)),
}
"""The shops that sell what programs ban; of cannabis and firearms Stripe knows no shops of their own."""

MEANINGS: Mapping[type[Exception], tuple[Outcome, str]] = {
    stripe.IdempotencyError: (Outcome.CONFLICT, "another order has this id"),
    stripe.RateLimitError: (Outcome.RETRY_LATER, "too many calls; it was not looked at"),
    stripe.AuthenticationError: (Outcome.REJECTED, "the key is not accepted"),
    stripe.PermissionError: (Outcome.REJECTED, "the key may not make cards"),
    stripe.CardError: (Outcome.REJECTED, "it makes no such card"),
    stripe.InvalidRequestError: (Outcome.REJECTED, "it refuses the order"),
    stripe.StripeError: (Outcome.UNKNOWN, "no answer that can be read"),
}
"""What each failure means; the first that fits counts. What is not a refusal by name may have made a card."""


class StripeIssuingSettings(GatewaySettings):
    """What a file says of an account with Stripe Issuing."""

    key: Annotated[Secret, Field(description="a secret or restricted key; it needs to write cards only")]
    mode: Annotated[Literal["test", "live"], Field(description="which the key is for")] = "test"
    currency: Annotated[Currency, Field(description="of the account's cards")] = "USD"
    blocked: Annotated[
        tuple[Text, ...], Field(min_length=1, description="categories of shops, in Stripe's words")
    ] = BLOCKED
    allowed: Annotated[
        tuple[Text, ...], Field(description="the only categories of shops; `blocked` is then of no use")
    ] = ()
    most: Annotated[Amount, Field(description="on one card")] = Decimal(500)
    account: Annotated[Text | None, Field(description="the financial account that cards draw from")] = None
    timeout: Annotated[int, Field(strict=True, ge=1, le=120, description="seconds")] = int(TIMEOUT_SECONDS)


class StripeIssuingGateway:
    """Make a virtual card for each payout, of which no more than its amount can ever be spent, and not everywhere.

    The host knows the participants to Stripe: it makes a cardholder of each there, with what the law wants of them, and
    gives the engine no more than the cardholder's id, `ich_...`, as the handle: for a participant's contact, `webhook`. The card's number is shown to the
    participant by Stripe's own elements, with the reference of the payout.

    What Stripe does not do: tell which order a card was made for, by our id and surely; so an order whose fate is unknown is
    sent again under its key, and a person looks after 23 hours. Nor does it know what is bought, only in what kind of
    shop; and an amount that a shop takes later than it asked, or more than it asked, may go beyond the limit.

    Args:
        key: a secret or restricted key of the API.
        mode: test or live: which the key is for.
        currency: of the account's cards.
        blocked: categories of shops where nothing can be bought, in Stripe's words; cash is always among them.
        allowed: the only categories where something can be; it then stands for `blocked`.
        most: on one card.
        account: the financial account that cards draw from, if there are several.
        timeout: seconds to wait for an answer.
        url: another address of the API, for tests.

    Raises:
        ReportError: the key is of the other mode, or cash is not kept out.

    Example:
        >>> gateway = StripeIssuingGateway(key="sk_test_1")
        >>> gateway.capabilities.blocks, gateway.capabilities.is_cash, gateway.capabilities.reads_back
        ('category', False, False)
    """

    Settings: ClassVar[type[GatewaySettings]] = StripeIssuingSettings

    def __init__(  # noqa: PLR0913 - what an account has to be known by
        self,
        *,
        key: str,
        mode: Literal["test", "live"] = "test",
        currency: str = "USD",
        blocked: Sequence[str] = BLOCKED,
        allowed: Sequence[str] = (),
        most: Decimal = Decimal(500),
        account: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        url: str = "",
    ) -> None:
        if f"_{mode}_" not in key:
            raise ReportError(f"key: expected one of the mode {mode}, such as sk_{mode}_...")
        self._shops = _shops(blocked, allowed)
        self._account = account
        self._session = requests.Session()
        self._session.max_redirects = 0  # a key goes nowhere else
        self._client = stripe.StripeClient(
            key,
            max_network_retries=0,
            base_addresses={"api": url} if url else None,
            http_client=stripe.RequestsClient(
                timeout=(min(CONNECT_SECONDS, timeout), timeout), session=self._session
            ),
        )
        self.capabilities = Capabilities(
            units=frozenset({currency}),
            products=frozenset({""}),
            most=most,
            needs_handle=True,
            reads_back=False,
            remembers=REMEMBERS,
            blocks="category",
            blocked=_banned(blocked, allowed),
            reaches_by="webhook",
        )

    def send(self, order: Order) -> Answer:
        """Make a card, and say what became of it."""
        coins = minor_units(order.amount, order.unit)
        if not coins:
            return Answer(
                Outcome.REJECTED, note=f"Stripe has no coin small enough for {order.amount} {order.unit}"
            )
        if not HOLDER.fullmatch(order.handle):
            return Answer(
                Outcome.REJECTED, note="expected the id of a cardholder at Stripe, ich_..., as the handle"
            )
        try:
            card = self._client.v1.issuing.cards.create(
                self._wanted(order, coins), {"idempotency_key": order.id}
            )
            is_replayed = _header(card.last_response, "idempotent-replayed") == "true"
            if is_replayed and card.to_dict().get("status") == "inactive":
                card = self._client.v1.issuing.cards.retrieve(card.id)
        except stripe.StripeError as error:
            return _refused(error)
        return _answer(Outcome.REPLAYED if is_replayed else Outcome.CREATED, card, order)

    def find(self, id: str) -> Answer | None:  # noqa: A002, ARG002 - as the port says
        """Return that nobody can say: Stripe tells of cards by its own ids only."""
        return Answer(
            Outcome.UNKNOWN, note="Stripe cannot be asked by our id; look there for the metadata order"
        )

    def close(self) -> None:
        """Give up connections."""
        self._session.close()

    def _wanted(self, order: Order, coins: int) -> Any:  # noqa: ANN401 - of the vendor's library
        """Return a card in the vendor's words; the same each time."""
        account = {"financial_account": self._account} if self._account else {}
        return {
            "cardholder": order.handle,
            "currency": order.unit.lower(),
            "type": "virtual",
            "status": "active",
            "metadata": {"order": order.id},
            "spending_controls": {
                "spending_limits": [{"amount": coins, "interval": "all_time"}],
                **self._shops,
            },
            **account,
        }


def _shops(blocked: Sequence[str], allowed: Sequence[str]) -> dict[str, list[str]]:
    """Return in which shops a card can be used.

    Raises:
        ReportError: cash could be had.
    """
    if allowed:
        if cash := sorted({*allowed} & {*CASH}):
            raise ReportError(f"allowed: {cash[0]} gives cash; leave it out")
        return {"allowed_categories": list(allowed)}
    if missing := sorted({*CASH} - {*blocked}):
        raise ReportError(f"blocked: expected {', '.join(missing)} too, as no cash may be had")
    return {"blocked_categories": list(blocked)}


def _banned(blocked: Sequence[str], allowed: Sequence[str]) -> frozenset[str]:
    """Return what no shop sells where a card can be used, of what programs ban."""
    return frozenset(
        what for what, shops in SELLERS.items() if not (shops & {*allowed} if allowed else shops - {*blocked})
    )


def _header(response: Any, name: str) -> str:  # noqa: ANN401 - of the vendor's library
    return str(response.headers.get(name, "")) if response else ""


def _refused(error: stripe.StripeError) -> Answer:
    """Return what a failure means; nothing of what the vendor says but its own words for it."""
    outcome, why = next(found for kind, found in MEANINGS.items() if isinstance(error, kind))
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if outcome == Outcome.UNKNOWN and headers.get("idempotent-replayed") == "true":
        why = (
            "it keeps a failure under this id, and says it again and again; look there for the metadata order"
        )
    words = [each for each in (error.code, getattr(error, "param", None)) if each and WORD.fullmatch(each)]
    wait = seconds_of(headers.get("retry-after")) or ONE_SECOND
    note = f"Stripe: {why}" + (f" ({', '.join(words)})" if words else "")
    return Answer(outcome, note=note, wait=wait if outcome == Outcome.RETRY_LATER else None)


def _answer(outcome: Outcome, card: Any, order: Order) -> Answer:  # noqa: ANN401 - of the vendor's library
    """Return what a card means that the vendor has."""
    found: Mapping[str, Any] = card.to_dict()
    limits = (found.get("spending_controls") or {}).get("spending_limits") or []
    amounts = [each.get("amount") for each in limits if each.get("interval") == "all_time"]
    whose = (found.get("metadata") or {}).get("order")
    if found.get("object") != "issuing.card" or whose != order.id or len(amounts) != 1:
        return Answer(
            Outcome.UNKNOWN, note="Stripe answered with another card than was asked for, or with none"
        )
    currency = str(found.get("currency", "")).upper()
    if currency != order.unit or not isinstance(amounts[0], int):
        return Answer(
            Outcome.CONFLICT, str(found.get("id", "")), "the card is of another currency or without a limit"
        )
    answer = Answer(
        outcome, str(found.get("id", "")), "", Placed(major_units(amounts[0], currency), currency)
    )
    status = str(found.get("status"))
    if status == "active":
        return answer
    if status == "canceled":
        return answer._replace(outcome=Outcome.CONFLICT, note="the card was canceled at Stripe")
    return answer._replace(note="the card is not active yet at Stripe", is_given=False)
