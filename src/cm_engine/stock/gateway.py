"""A gateway over a stock of the engine's own: it gives each order its pieces once, and says when they are handed over."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from cm_engine.errors import KeyConflictError, OutOfStockError, ReportError
from cm_engine.gateways import Answer, Capabilities, Order, Outcome, Placed
from cm_engine.stock.standing import Allotment, Stock

SUPPLIES = timedelta(hours=1)
"""As long is waited before a stock is asked again in which something is missing."""
CONFIRMS = timedelta(minutes=1)
"""As long is waited before it is asked again whether something was handed over."""


class Stockroom(Protocol):
    """What a gateway needs of an engine."""

    def stock(self, stock: str) -> Stock:
        """Return a stock."""

    def allot(self, stock: str, order: Order) -> Allotment:
        """Give an order its pieces, once for ever."""

    def allotment(self, stock: str, order: str) -> Allotment | None:
        """Return what an order got, or None."""


class StockGateway:
    """Hand payouts over from a stock.

    Args:
        engine: that keeps the stock.
        stock: its id.
        holds: what it has to hold: codes, things or nothing.
        capabilities: what this gateway can do.

    Raises:
        JournalNotFoundError: there is no such stock.
        ReportError: it holds something else.
    """

    def __init__(self, engine: Stockroom, stock: str, holds: str, capabilities: Capabilities) -> None:
        found = engine.stock(stock)
        if found.holds != holds:
            msg = f"stock {stock!r} holds {found.holds}, and this gateway is for {holds}"
            raise ReportError(msg)
        self._engine = engine
        self._stock = stock
        self.capabilities = capabilities

    def send(self, order: Order) -> Answer:
        """Give an order its pieces."""
        try:
            found = self._engine.allot(self._stock, order)
        except OutOfStockError as error:
            return Answer(Outcome.RETRY_LATER, note=str(error), wait=SUPPLIES)
        except KeyConflictError:
            return Answer(Outcome.CONFLICT, note="another order has this id")
        except ReportError as error:
            return Answer(Outcome.REJECTED, note=str(error))
        return _answer(Outcome.REPLAYED if found.replayed else Outcome.CREATED, found)

    def find(self, id: str) -> Answer | None:  # noqa: A002 - as the port says
        """Return what an order got, None if it got nothing."""
        found = self._engine.allotment(self._stock, id)
        return None if found is None else _answer(Outcome.REPLAYED, found)


def _answer(outcome: Outcome, found: Allotment) -> Answer:
    """Return what became of an order; what came back is there no more."""
    if found.status == "returned":
        return Answer(Outcome.REJECTED, found.reference, f"it came back to the stock: {found.why}")
    return Answer(
        outcome,
        found.reference,
        "" if found.status == "handed over" else _waits(found),
        Placed(found.amount, found.unit, found.product),
        is_given=found.status == "handed over",
        wait=None if found.status == "handed over" else CONFIRMS,
    )


def _waits(found: Allotment) -> str:
    people = "one person has" if found.waits_for == 1 else f"{found.waits_for} people have"
    return f"{found.reference}: {people} still to confirm that it is handed over"


def able(  # noqa: PLR0913 - one argument for each thing that a gateway can do
    units: Iterable[str],
    products: Iterable[str],
    least: Decimal,
    most: Decimal | None,
    denominations: Iterable[Decimal] = (),
    *,
    blocks: str = "nothing",
    blocked: Iterable[str] = (),
    is_cash: bool = False,
) -> Capabilities:
    """Return what a gateway over a stock can do: it needs no address, and knows every order for ever."""
    return Capabilities(
        units=frozenset(units),
        products=frozenset(products),
        least=least,
        most=most,
        denominations=frozenset(denominations),
        blocks=blocks,
        is_cash=is_cash,
        blocked=frozenset(blocked),
    )
