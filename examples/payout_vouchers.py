"""Gift-card codes: bought, sealed, given once, and handed over by two people.

python examples/payout_vouchers.py
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cm_engine import Engine, parse_program
from cm_engine.keyring import FileKeyring
from cm_engine_adapters.payout.vouchers import VoucherGateway

PROGRAM = """
program: cards
version: "1"
title: Cards
currency: USD
visits: [{weeks: 1-12, per_week: 2}]
targets: {stimulants: {behavior: abstinence, schedule: [{weeks: 1-12, fixed: 35.00}]}}
"""
SAID: dict[str, Any] = {"by": "boss-1", "source": "office"}
HOST_KEY = bytes(range(32))  # yours is secrets.token_bytes(32), from where you keep secrets


class Clock:
    """A clock that is put forward by hand; yours is the real one."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 18, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


def filled(engine: Engine) -> None:
    """Open a stock and a site, and take two lots in."""
    engine.open_stock("north", holds="codes", hands=2, by="boss-1")
    for value, codes in ((25, ["F-4711", "F-4712"]), (10, ["T-0815", "T-0816"])):
        lot = f"invoice 17, {value} USD"
        engine.receive_stock(
            "north", product="grocer", value=Decimal(value), codes=codes, purchase=lot, key=lot, **SAID
        )
    engine.set_reorder_point("north", "grocer", 3, key="least", **SAID)
    engine.open_site("north", zone="America/Los_Angeles", by="boss-1")
    engine.add_gateway("north", "gift-cards", key="gift-cards", **SAID)


def main(folder: Path) -> None:
    """Earn 35 dollars, and take them home on two cards."""
    clock = Clock()
    engine = Engine.open(f"sqlite:///{folder / 'clinic.db'}", clock=clock)
    engine.with_keys(FileKeyring(folder / "keys.db", HOST_KEY))
    filled(engine)
    engine.add_program(parse_program(PROGRAM))
    engine.enroll(
        participant="p-104", program="cards", start=date(2026, 1, 5), by="nurse-7", site="north", id="e-1"
    )
    engine.record(enrollment="e-1", result="-", on=date(2026, 1, 5), by="nurse-7", source="lab", key="udt-1")

    dispatcher = engine.dispatcher({"gift-cards": VoucherGateway(engine, "north")})
    [sent] = dispatcher.deliver()
    print(sent.note)
    print(*engine.allotted_code("north", sent.order, by="nurse-7"))
    for by in ("nurse-7", "nurse-8"):
        print(by, "confirms it:", engine.confirm_hand_over("north", sent.order, by=by).status)
    clock.now += timedelta(minutes=2)
    [done] = dispatcher.deliver()
    print(done.note, done.reference)
    print(*(alert.text for alert in engine.stock_alerts()))
    print("clean" if engine.verify().is_clean else "not clean")
    engine.close()


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        main(Path(place))
