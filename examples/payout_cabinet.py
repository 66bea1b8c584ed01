"""Prizes from a cabinet: allotted, saved up, traded for a better one, and handed over.

python examples/payout_cabinet.py
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from cm_engine import Engine, parse_program
from cm_engine.gateways import Order, order_id
from cm_engine_adapters.payout.cabinet import CabinetGateway

PROGRAM = """
program: fishbowl
version: "1"
title: Fishbowl
currency: USD
visits: [{weeks: 1-8, per_week: 1}]
targets: {sessions: {behavior: attendance, schedule: [{weeks: 1-8, unit: draw, fixed: 1}]}}
bowls:
  draw:
    slips: {small: {count: 9, value: 1}, large: {count: 1, value: 20}}
    trade_up: [{give: 5, of: small, get: large}]
"""
SAID: dict[str, Any] = {"by": "boss-1", "source": "office"}
SECRET = bytes(range(32))  # yours is secrets.token_bytes(32), for ever the same


def main() -> None:
    """Save five small prizes, and take a large one home."""
    engine = Engine.open("memory:", secret=SECRET, clock=lambda: datetime(2026, 2, 2, 18, tzinfo=UTC))
    engine.open_stock("cabinet", holds="things", by="boss-1")
    for product, value, count in (("small", 1, 20), ("large", 20, 2)):
        told = {**SAID, "purchase": "shop", "key": product}
        engine.receive_stock("cabinet", product=product, value=Decimal(value), count=count, **told)
    engine.add_program(parse_program(PROGRAM))
    engine.enroll(
        participant="p-1", program="fishbowl", start=date(2026, 1, 5), zone="UTC", by="nurse-7", id="e-1"
    )

    gateway = CabinetGateway(engine, "cabinet")
    won = [Order(order_id("won", visit), Decimal(1), "USD", "small", "p-1") for visit in range(5)]
    for order in won:
        print(gateway.send(order).note)
    traded = engine.trade_up(
        "cabinet",
        [each.id for each in won],
        enrollment="e-1",
        get="large",
        by="nurse-7",
        source="desk",
        key="trade-1",
    )
    print("prizes:", *(piece.product for each in traded for piece in each.pieces))
    for each in traded:
        engine.confirm_hand_over("cabinet", each.order, by="nurse-7")
    for line in engine.stock("cabinet").lines:
        print(f"{line.product}: {line.on_shelf} on the shelf, {line.handed_over} handed over")
    print("clean" if engine.verify().is_clean else "not clean")


if __name__ == "__main__":
    main()
