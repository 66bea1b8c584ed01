"""A card by Stripe Issuing for each reward, blocked for cash, alcohol, tobacco and gambling.

python examples/payout_stripe.py

The vendor is a small server that this script starts; with a key of your own, leave `url` out.
"""

import json
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

from cm_engine.gateways import Order, order_id
from cm_engine_adapters.payout.stripe_issuing import StripeIssuingGateway


class Vendor(BaseHTTPRequestHandler):
    """Keep the first answer to each key, and say it again."""

    kept: dict[str, dict[str, Any]] = {}  # noqa: RUF012 - of the one vendor that there is

    def do_POST(self) -> None:
        """Make a card, or tell of the one that was made."""
        asked = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
        key, limit = self.headers["idempotency-key"], "spending_controls[spending_limits][0]"
        is_known = key in self.kept
        limits = [{"amount": int(asked[f"{limit}[amount]"]), "interval": asked[f"{limit}[interval]"]}]
        card = {
            "id": f"ic_{len(self.kept) + 1}",
            "object": "issuing.card",
            "currency": asked["currency"],
            "metadata": {"order": asked["metadata[order]"]},
            "spending_controls": {"spending_limits": limits},
            "status": "active",
        }
        blocked = sorted(value for name, value in asked.items() if "blocked" in name)
        if not is_known:
            print(
                f"a card of {asked['cardholder']} is blocked at {len(blocked)} kinds of shops: {blocked[0]}, ..."
            )
        self.send_response(200)
        if is_known:
            self.send_header("idempotent-replayed", "true")
        self.end_headers()
        self.wfile.write(json.dumps(self.kept.setdefault(key, card)).encode())

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as the library calls it
        """Say nothing."""


def main() -> None:
    """Order one card three times, and another one."""
    server = HTTPServer(("127.0.0.1", 0), Vendor)
    Thread(target=server.serve_forever, daemon=True).start()
    gateway = StripeIssuingGateway(key="sk_test_1", url=f"http://127.0.0.1:{server.server_address[1]}")
    first = Order(order_id("c7f651382f3bc070", 1), Decimal("20.10"), "USD", handle="ich_104")
    for order in (first, first, first, first._replace(id=order_id("c7f651382f3bc070", 2))):
        answer = gateway.send(order)
        assert answer.placed is not None, "the card has its limit"
        print(f"{answer.outcome}: {answer.reference} of {answer.placed.amount} {answer.placed.unit}")
    gateway.close()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
