"""Prizes from a cabinet: counted things that staff take out and hand over."""

from collections.abc import Iterable
from decimal import Decimal
from typing import ClassVar

from cm_engine.delivery.settings import GatewaySettings, StockSettings
from cm_engine.program.parts import BANNED
from cm_engine.stock.gateway import StockGateway, Stockroom, able
from cm_engine.stock.state import THINGS


class CabinetGateway(StockGateway):
    """Hand payouts over as prizes of a stock.

    An order gets as few prizes as come to its amount exactly; while it waits to be handed over, small ones may be
    traded for a better one, as the program says: `engine.trade_up(...)`.

    Args:
        engine: that keeps the stock.
        stock: the id of a stock of things.
        units: the currencies that prizes are worth something in, or the things that programs award.
        products: the categories of prizes that may be asked for; left out, any.
        least, most: the bounds of an amount.

    Raises:
        JournalNotFoundError: there is no such stock.
        ReportError: it holds no things.

    Example:
        >>> from cm_engine import Engine
        >>> engine = Engine.open("memory:")
        >>> _ = engine.open_stock("cabinet", holds="things", by="boss-1")
        >>> sorted(CabinetGateway(engine, "cabinet", units=["USD", "ticket"]).capabilities.units)
        ['USD', 'ticket']
    """

    Settings: ClassVar[type[GatewaySettings]] = StockSettings

    def __init__(  # noqa: PLR0913 - one argument for each thing that it can do
        self,
        engine: Stockroom,
        stock: str,
        *,
        units: Iterable[str] = ("USD",),
        products: Iterable[str] = (),
        least: Decimal = Decimal(0),
        most: Decimal | None = None,
    ) -> None:
        super().__init__(
            engine, stock, THINGS, able(units, products, least, most, blocks="item", blocked=BANNED)
        )
