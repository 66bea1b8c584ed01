"""A payment system of one's own: how it checks who asks, keeps orders by our id, and answers.

python examples/payout_webhook.py
"""

import json
from base64 import b64encode
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from cm_engine.gateways import Order, order_id
from cm_engine_adapters.payout.webhook import WebhookGateway

SECRET = bytes(range(32))  # yours is 32 random bytes, which both sides know


class Payments(BaseHTTPRequestHandler):
    """A payment system: the table of orders has their id as its key, so that none is there twice."""

    orders: dict[str, Any] = {}  # noqa: RUF012 - yours is a table with a unique key

    def do_POST(self) -> None:
        """Take an order."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.is_signed(body):
            event = json.loads(body)
            known = self.orders.setdefault(event["id"], event["data"])
            if known != event["data"]:
                self.answer(409, {"order": event["id"], "note": "this id has another amount"})
            else:
                self.answer(200, self.told(event["id"], "created" if known is event["data"] else "replayed"))

    def do_GET(self) -> None:
        """Tell of an order."""
        name = self.path.rpartition("/")[2]
        if self.is_signed(b""):
            is_there = name in self.orders
            absent = {"order": name, "outcome": "absent"}
            self.answer(200 if is_there else 404, self.told(name, "replayed") if is_there else absent)

    def is_signed(self, body: bytes) -> bool:
        """Look at the signature before anything is read."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            Webhook("whsec_" + b64encode(SECRET).decode()).verify(body, headers, json_parse=False)
        except WebhookVerificationError:
            self.answer(401, {})
            return False
        return True

    def told(self, name: str, outcome: str) -> dict[str, Any]:
        """Return what there is to say of an order."""
        data = self.orders[name]
        reference = f"payment-{list(self.orders).index(name) + 1}"
        return {"order": name, "outcome": outcome, "reference": reference, **data}

    def answer(self, status: int, body: dict[str, Any]) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as the library calls it
        """Say nothing."""


def main() -> None:
    """Order, order again, order otherwise, and ask."""
    server = HTTPServer(("127.0.0.1", 0), Payments)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/orders"
    gateway = WebhookGateway(url=url, secret=SECRET)
    stranger = WebhookGateway(url=url, secret=bytes(32))
    order = Order(order_id("c7f651382f3bc070", 1), Decimal("20.10"), "USD", "", "p-104")
    print("before:", gateway.find(order.id))
    for each, name in ((order, "new"), (order, "again"), (order._replace(amount=Decimal(25)), "otherwise")):
        answer = gateway.send(each)
        print(f"{name}:", answer.outcome, answer.reference or answer.note)
    print("of a stranger:", stranger.send(order).outcome)
    found = gateway.find(order.id)
    print("after:", found.placed if found else None)
    for made in (gateway, stranger):
        made.close()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
