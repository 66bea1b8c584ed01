"""Gift-card codes from a stock of the clinic's own: bought before, sealed, and each given once."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from cm_engine.delivery.settings import GatewaySettings, StockSettings
from cm_engine.gateways import Blocks
from cm_engine.program.parts import Banned, Switch
from cm_engine.program.values import Amount
from cm_engine.stock.gateway import StockGateway, Stockroom, able
from cm_engine.stock.state import CODES


class VoucherSettings(StockSettings):
    """What a file says of codes that a clinic has bought."""

    denominations: Annotated[tuple[Amount, ...], Field(description="the only ones; none for any")] = ()
    blocks: Blocks = "nothing"
    blocked: Annotated[tuple[Banned, ...], Field(description="of what they do so")] = ()
    is_cash: Switch = False


class VoucherGateway(StockGateway):
    """Hand payouts over as codes of a stock.

    An order gets as few codes as come to its amount exactly. Where the stock wants people to confirm that a code is
    handed over, it is given once they have; else as soon as it is allotted, as where the host's own page shows it.

    Args:
        engine: that keeps the stock; it needs keys only to show a code, and not here.
        stock: the id of a stock of codes.
        units: the currencies of its codes.
        products: those that it has; left out, any.
        denominations: the only amounts that are asked of it; left out, whatever its codes come to.
        least, most: the bounds of an amount.
        blocks: what the cards keep from being bought: nothing, category or item.
        blocked: of what they do so, as programs call it: alcohol, tobacco, cannabis, gambling, firearms.
        is_cash: they can be turned into cash.

    Raises:
        JournalNotFoundError: there is no such stock.
        ReportError: it holds no codes.

    Example:
        >>> from cm_engine import Engine
        >>> engine = Engine.open("memory:")
        >>> _ = engine.open_stock("north", holds="codes", by="boss-1")
        >>> sorted(VoucherGateway(engine, "north", products=["grocer"]).capabilities.products)
        ['grocer']
    """

    Settings: ClassVar[type[GatewaySettings]] = VoucherSettings

    def __init__(  # noqa: PLR0913 - one argument for each thing that it can do
        self,
        engine: Stockroom,
        stock: str,
        *,
        units: Iterable[str] = ("USD",),
        products: Iterable[str] = (),
        denominations: Iterable[Decimal] = (),
        least: Decimal = Decimal(0),
        most: Decimal | None = None,
        blocks: Blocks = "nothing",
        blocked: Iterable[str] = (),
        is_cash: bool = False,
    ) -> None:
        can = able(
            units, products, least, most, denominations, blocks=blocks, blocked=blocked, is_cash=is_cash
        )
        super().__init__(engine, stock, CODES, can)
