"""Stripe Issuing on the loopback: it keeps the answer to each key, a failure as well, and cards by its own ids only."""

from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from tests.vendor import Loopback, Reply, Request


class CardVendor(Loopback):
    """Answer as Stripe does: the first answer under a key is kept and said again, whatever it was.

    Attributes:
        orders: the cards that were made, by our id.
        kept: what was answered under each key, with the body that was asked.
    """

    def __init__(self, port: int = 0, *, status: str = "active", **kwargs: Any) -> None:
        self.status = status
        self.kept: dict[str, tuple[bytes, Reply]] = {}
        super().__init__(port, **kwargs)

    def identity(self, request: Request) -> str:
        return request.headers.get("idempotency-key", "")

    def answer(self, request: Request) -> Reply:
        if not request.headers.get("authorization", "").startswith("Bearer sk_test_"):
            return self.error(401)
        if request.method == "GET":
            name = request.path.rpartition("/")[2]
            found = [card for card in self.orders.values() if card["id"] == name]
            return Reply(200, found[0]) if found else self.error(404)
        if request.path != "/v1/issuing/cards":
            return self.error(404)
        return self._keyed(request)

    def error(self, status: int) -> Reply:
        kind = {401: "invalid_request_error", 429: "rate_limit_error", 500: "api_error"}
        told = {"type": kind.get(status, "invalid_request_error"), "message": f"refused: {status}"}
        return Reply(status, {"error": told})

    def keep_a_failure(self, request: Request) -> Reply:
        """Keep a failure under the key of a call, as Stripe does once it has begun to work on it."""
        reply = self.error(500)
        self.kept[self.identity(request)] = (request.body, reply)
        return reply

    def _keyed(self, request: Request) -> Reply:
        key = self.identity(request)
        if key in self.kept:
            body, reply = self.kept[key]
            if body != request.body:
                wrong = {"type": "idempotency_error", "message": f"Keys for idempotent requests: {key}"}
                return Reply(400, {"error": wrong})
            return reply._replace(headers={"idempotent-replayed": "true"})
        reply = Reply(200, self._made(key, dict(parse_qsl(request.body.decode()))))
        self.kept[key] = (request.body, reply)
        return reply

    def _made(self, key: str, form: dict[str, str]) -> dict[str, Any]:
        limit = "spending_controls[spending_limits][0]"
        blocked = [value for name, value in form.items() if "blocked_categories" in name]
        limits = [{"amount": int(form[f"{limit}[amount]"]), "interval": form[f"{limit}[interval]"]}]
        card = {
            "id": f"ic_{sha256(key.encode()).hexdigest()[:24]}",
            "object": "issuing.card",
            "cardholder": {"id": form["cardholder"], "object": "issuing.cardholder"},
            "currency": form["currency"],
            "metadata": {"order": form["metadata[order]"]},
            "spending_controls": {"spending_limits": limits, "blocked_categories": blocked},
            "status": self.status,
            "type": form["type"],
        }
        self.orders[form["metadata[order]"]] = card
        return card
