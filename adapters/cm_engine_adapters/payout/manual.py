"""What staff hand over by themselves, from a drawer that nobody counts here: confirmed by one person, or by two."""

from collections.abc import Iterable
from decimal import Decimal
from typing import ClassVar

from cm_engine.delivery.settings import GatewaySettings, StockSettings
from cm_engine.program.parts import Switch
from cm_engine.stock.gateway import StockGateway, Stockroom, able
from cm_engine.stock.state import NOTHING


class ManualSettings(StockSettings):
    """What a file says of what staff hand over by themselves."""

    is_cash: Switch = False


class ManualGateway(StockGateway):
    """Hand payouts over by the hands of staff, who confirm it.

    Args:
        engine: that keeps what was confirmed.
        stock: the id of a stock that holds nothing; it says how many people confirm.
        units: what they hand over: currencies, or things that programs award.
        products: what may be asked for; left out, anything.
        least, most: the bounds of an amount.
        is_cash: it is cash.

    Raises:
        JournalNotFoundError: there is no such stock.
        ReportError: it holds something.

    Example:
        >>> from cm_engine import Engine
        >>> engine = Engine.open("memory:")
        >>> _ = engine.open_stock("desk", holds="nothing", hands=2, by="boss-1")
        >>> ManualGateway(engine, "desk", is_cash=True).capabilities.is_cash
        True
    """

    Settings: ClassVar[type[GatewaySettings]] = ManualSettings

    def __init__(  # noqa: PLR0913 - one argument for each thing that it can do
        self,
        engine: Stockroom,
        stock: str,
        *,
        units: Iterable[str] = ("USD",),
        products: Iterable[str] = (),
        least: Decimal = Decimal(0),
        most: Decimal | None = None,
        is_cash: bool = False,
    ) -> None:
        super().__init__(engine, stock, NOTHING, able(units, products, least, most, is_cash=is_cash))
