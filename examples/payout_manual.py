"""What staff hand over by themselves: two people confirm it, and only then it is given.

python examples/payout_manual.py
"""

from datetime import UTC, datetime
from decimal import Decimal

from cm_engine import Engine, NotAllowedError
from cm_engine.gateways import Order, order_id
from cm_engine_adapters.payout.manual import ManualGateway


def main() -> None:
    """Hand two bus passes over."""
    engine = Engine.open("memory:", clock=lambda: datetime(2026, 2, 2, 18, tzinfo=UTC))
    engine.open_stock("desk", holds="nothing", hands=2, by="boss-1")
    gateway = ManualGateway(engine, "desk", units=["bus pass"])

    order = Order(order_id("earned", 1), Decimal(2), "bus pass", recipient="p-104")
    print(gateway.send(order).note)
    engine.confirm_hand_over("desk", order.id, by="nurse-7")
    try:
        engine.confirm_hand_over("desk", order.id, by="nurse-7", source="desk", key="again")
    except NotAllowedError as error:
        print(error.rule)
    engine.confirm_hand_over("desk", order.id, by="nurse-8")
    found = gateway.find(order.id)
    print("given" if found and found.is_given else "not given")


if __name__ == "__main__":
    main()
