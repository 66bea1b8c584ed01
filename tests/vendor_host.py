"""A host's own payment system on the loopback: it checks who asks, and keeps orders by our id."""

from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.vendor import Loopback, Reply, Request

SECRET = bytes(range(32))


class HostVendor(Loopback):
    """Keep the order of each id, and answer by the protocol of `WebhookGateway`.

    Attributes:
        orders: the data of each order, by our id.
        given: whether the participant has what was ordered.
    """

    def __init__(self, port: int = 0, **kwargs: Any) -> None:
        self.given = True
        super().__init__(port, **kwargs)

    @property
    def address(self) -> str:
        return f"{self.url}/orders"

    def identity(self, request: Request) -> str:
        return request.headers.get("webhook-id", "")

    def answer(self, request: Request) -> Reply:
        try:
            Webhook(SECRET).verify(request.body, dict(request.headers), json_parse=False)
        except WebhookVerificationError:
            return Reply(401)
        name = self.identity(request)
        if request.method == "GET" and request.path == f"/orders/{name}":
            return self._shown(name, "replayed") if name in self.orders else self._absent(name)
        if (request.method, request.path) != ("POST", "/orders") or request.json["id"] != name:
            return Reply(404)
        data = request.json["data"]
        known = self.orders.setdefault(name, data)
        if known != data:
            return Reply(409)
        return self._shown(name, "created" if known is data else "replayed")

    def error(self, status: int) -> Reply:
        return Reply(status, None, {"retry-after": "7"} if status == 429 else {})

    def _absent(self, name: str) -> Reply:
        return Reply(404, {"order": name, "outcome": "absent"})

    def _shown(self, name: str, outcome: str) -> Reply:
        told = {name: value for name, value in self.orders[name].items() if name != "handle"}
        reference = f"pay-{name[:8]}-{name[-1]}"
        return Reply(
            200, {"order": name, "outcome": outcome, "reference": reference, "given": self.given, **told}
        )
