"""A reward by Tremendous whose first answer is lost: it is found by our id, and ordered once.

python examples/payout_tremendous.py

The vendor is a small server that this script starts; with a key of your own, leave `url` out for the sandbox.
"""

import json
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from cm_engine import Engine, parse_program
from cm_engine_adapters.payout.tremendous import TremendousGateway

PROGRAM = parse_program("""
program: sessions
version: "1"
title: Sessions
currency: USD
visits: [{weeks: 1-8, per_week: 1}]
targets: {sessions: {behavior: attendance, schedule: [{weeks: 1-8, fixed: 20.10}]}}
""")
TIMES = [datetime(2026, 1, 5, 18, tzinfo=UTC)]


class Vendor(BaseHTTPRequestHandler):
    """Keep orders by our id, and lose the first answer."""

    orders: dict[str, Any] = {}  # noqa: RUF012 - of the one vendor that there is

    def do_POST(self) -> None:
        """Take an order."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        is_first, name = not self.orders, asked["external_id"]
        status = 201 if name in self.orders else 200
        self.orders.setdefault(name, asked)
        print(f"the vendor has {len(self.orders)} order" + (", and its answer is lost" if is_first else ""))
        if not is_first:
            self.answer(status, name)

    def do_GET(self) -> None:
        """Tell of an order."""
        name = self.path.rpartition("/")[2]
        self.answer(200 if name in self.orders else 404, name)

    def answer(self, status: int, name: str) -> None:
        """Say what is there."""
        body: dict[str, Any] = {"errors": {"message": "there is none"}}
        if name in self.orders:
            value, link = self.orders[name]["reward"]["value"], {"method": "LINK", "status": "SUCCEEDED"}
            reward = {"id": "REWARD1", "value": value, "delivery": link}
            told = {"id": "ORDER1", "external_id": name, "status": "EXECUTED", "rewards": [reward]}
            body = {"order": {**told, "created_at": "2026-01-05T18:00:00Z"}}
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as the library calls it
        """Say nothing."""


def main() -> None:
    """Pay for a session that was attended."""
    server = HTTPServer(("127.0.0.1", 0), Vendor)
    Thread(target=server.serve_forever, daemon=True).start()
    gateway = TremendousGateway(
        key="TEST_1",
        funding="BALANCE",
        campaign="IVM0I3WNJJL0",
        url=f"http://127.0.0.1:{server.server_address[1]}",
    )
    engine = Engine.open("memory:", zone="America/Los_Angeles", clock=lambda: TIMES[-1])
    engine.add_program(PROGRAM)
    engine.open_site("north", zone="America/Los_Angeles", by="boss-1")
    engine.add_gateway("north", "cards", by="boss-1", source="office", key="g-1")
    engine.enroll(
        participant="p-104", program="sessions", start=date(2026, 1, 5), site="north", by="nurse-7", id="e-1"
    )
    engine.record(enrollment="e-1", result="-", on=date(2026, 1, 5), source="desk", key="s-1", by="nurse-7")
    dispatcher = engine.dispatcher({"cards": gateway})
    for _ in range(2):
        for done in dispatcher.deliver():
            print(f"{done.status}: {done.note}")
        TIMES.append(datetime(2026, 1, 5, 19, tzinfo=UTC))
    [payout] = engine.payouts(enrollment="e-1")
    print(f"{payout.amount} {payout.unit}: {payout.status}, {payout.reference}")
    gateway.close()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
