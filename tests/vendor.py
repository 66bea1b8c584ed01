"""A vendor of rewards on the loopback: it keeps orders by our id and answers as Tremendous does, or fails as one likes.

As a process of its own: `python -m tests.vendor PORT SEED SHARE` (port 0 for any; share 0.3 for a fault at three calls of
ten). It prints its port, and tells at `GET /_state` what it has.
"""

import json
import signal
import socket
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Event, Lock, Thread
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
PREFIX = "/api/v2"

WITHOUT_EFFECT = frozenset(
    {"timeout before", "drop before", "400", "401", "402", "403", "409", "422", "429", "503"}
)
"""Nothing is taken; a number is answered."""
WITH_EFFECT = frozenset(
    {"timeout after", "drop after", "500 after", "unreadable", "not json", "huge", "redirect after"}
)
"""The order is taken, and the answer is lost, or of no use."""
TRANSIENT = (
    "timeout before",
    "timeout after",
    "drop before",
    "drop after",
    "500 after",
    "unreadable",
    "not json",
    "429",
    "503",
)
"""What happens by chance, at a share of the calls."""
LOST = frozenset({"timeout before", "timeout after", "drop before", "drop after"})


class Request(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Reply(NamedTuple):
    """What is answered; a body of bytes goes out as it is."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = {}

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


class Loopback:
    """A real HTTP server that fails when it is told to, or by a seeded share of its calls.

    Args:
        port: 0 for any.
        seed: of the faults by chance; a call fails by the seed, the id and how often that id was seen, whoever calls.
        share: of the calls that fail, from 0 to 1.
        hang: how long a timed out call is held, in seconds, before its connection is closed.

    Attributes:
        url: what an adapter is given.
        orders: what was taken, by our id.
        calls: the ids that orders were asked for under, one for each POST.
        faults: what happens at the next calls of POST, in order; append to it.
        read_faults: what happens at the next calls of GET.
        requests: all that came.
        counts: how often what happened.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        seed: int = 0,
        share: float = 0.0,
        hang: float = 3.0,
        faults: Iterable[str] = (),
    ) -> None:
        self.orders: dict[str, Any] = {}
        self.calls: list[str] = []
        self.faults: list[str] = list(faults)
        self.read_faults: list[str] = []
        self.requests: list[Request] = []
        self.counts: Counter[str] = Counter()
        self._seed, self._share, self._hang = seed, share, hang
        self._seen: Counter[str] = Counter()
        self.lock = Lock()
        self.stopped = Event()
        self._server = _Server((HOST, port), _handler(self))
        self.port: int = self._server.server_address[1]
        self.url = f"http://{HOST}:{self.port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    # What a vendor of its own kind says

    def identity(self, request: Request) -> str:
        """Return our id of the order that a request is about; empty if it is about none."""
        raise NotImplementedError

    def answer(self, request: Request) -> Reply:
        """Do what is asked, and answer; it is called with the lock held."""
        raise NotImplementedError

    def error(self, status: int) -> Reply:
        """Return the answer of a refusal."""
        return Reply(status, {"error": status})

    def unreadable(self, request: Request, reply: Reply) -> Reply:  # noqa: ARG002 - others need the request
        """Return an answer that lacks what it should have."""
        return reply._replace(body={})

    # What every server does

    def handled(self, request: Request) -> Reply | None:
        """Return what is answered, None if the connection is to be closed without an answer."""
        with self.lock:
            self.requests.append(request)
            name = self.identity(request)
            if request.method == "POST" and name:
                self.calls.append(name)
            fault = self._due(request.method, name)
            self.counts[f"fault: {fault}" if fault else "without a fault"] += 1
            reply = None if fault in WITHOUT_EFFECT else self.answer(request)
        if fault.startswith("timeout"):
            self.stopped.wait(self._hang)
        if fault in LOST:
            return None
        return self.error(int(fault)) if reply is None else self._spoiled(fault, request, reply)

    def _due(self, method: str, name: str) -> str:
        queue = self.faults if method == "POST" else self.read_faults
        if queue:
            return queue.pop(0)
        self._seen[f"{method} {name}"] += 1
        chance = Random(f"{self._seed}/{method}/{name}/{self._seen[f'{method} {name}']}")  # noqa: S311 - it spreads faults
        return chance.choice(TRANSIENT) if chance.random() < self._share else ""

    def _spoiled(self, fault: str, request: Request, reply: Reply) -> Reply:
        """Return an answer as a fault leaves it; nothing of what was done is undone."""
        match fault:
            case "500 after":
                return self.error(500)
            case "unreadable":
                return self.unreadable(request, reply)
            case "not json":
                return Reply(reply.status, b"<html>thank you</html>", {"content-type": "text/html"})
            case "huge":
                return Reply(reply.status, b'{"order": "' + b"x" * 3_000_000 + b'"}')
            case "redirect after":
                return Reply(307, None, {"location": f"{self.url}/elsewhere"})
        return reply

    def state(self) -> dict[str, Any]:
        """Return what the server has, as `GET /_state` tells it."""
        with self.lock:
            return {"orders": dict(self.orders), "calls": len(self.calls), "counts": dict(self.counts)}

    def stop(self) -> None:
        """Give up the port; calls that hang are let go."""
        self.stopped.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Vendor(Loopback):
    """Answer as Tremendous does: 200 for a new order, 201 for the same again, 409 for another one under its id.

    An order in `orders` is as the vendor keeps it: its `external_id`, its `status`, and in `asked` the body by which it was
    made. `status` may be changed by a test, and `delivery`, that of what goes to an address; `lacks_a_field` are the ids
    whose orders lack a field that the SDK wants; `refusals` are bodies of refusals, by their status.
    """

    def __init__(self, port: int = 0, *, status: str = "EXECUTED", **kwargs: Any) -> None:
        self.status, self.delivery = status, "SUCCEEDED"
        self.lacks_a_field: set[str] = set()
        self.refusals: dict[int, Any] = {}
        super().__init__(port, **kwargs)

    def identity(self, request: Request) -> str:
        if request.method == "POST":
            try:
                return str(request.json.get("external_id", ""))
            except (ValueError, AttributeError):
                return ""
        return request.path.removeprefix("/orders").strip("/")

    def answer(self, request: Request) -> Reply:
        if not request.headers.get("authorization", "").startswith("Bearer TEST_"):
            return self.error(401)
        if (request.method, request.path) == ("POST", "/orders"):
            return self._ordered(request)
        if request.method == "POST" and request.path.endswith("/generate_link"):
            name = request.path.split("/")[2]
            return Reply(200, {"reward": {"id": name, "link": f"{self.url}/rewards/payout/{name}"}})
        if request.method == "GET" and request.path == "/orders":
            names = request.query.get("external_id", [])
            found = [self._shown(name) for name in names if name in self.orders]
            return Reply(200, {"orders": found, "total_count": len(found)})
        if request.method == "GET" and request.path.startswith("/orders/"):
            name = self.identity(request)
            return Reply(200, {"order": self._shown(name)}) if name in self.orders else self.error(404)
        return self.error(404)

    def error(self, status: int) -> Reply:
        headers = {"retry-after": "1"} if status == 429 else {}
        plain = {"status": status, "errors": {"message": f"refused: {status}", "payload": {}}}
        return Reply(status, self.refusals.get(status, plain), headers)

    def unreadable(self, request: Request, reply: Reply) -> Reply:
        name = self.identity(request)
        self.lacks_a_field.add(name)
        if name not in self.orders:
            return reply
        return reply._replace(body={"order": self._shown(name)})

    def _ordered(self, request: Request) -> Reply:
        asked = request.json
        try:
            name, value = asked["external_id"], asked["reward"]["value"]
            denomination, method = value["denomination"], asked["reward"]["delivery"]["method"]
        except (KeyError, TypeError):
            return self.error(422)
        is_wrong = not (isinstance(denomination, int | float) and denomination > 0)
        if is_wrong or method not in {"LINK", "EMAIL", "PHONE"}:
            return self.error(422)
        known = self.orders.get(name)
        if known and known["asked"] != asked:
            self.counts["409"] += 1
            return self.error(409)
        if not known:
            self.orders[name] = {"external_id": name, "status": self.status, "asked": asked}
        self.counts["201" if known else "200"] += 1
        return Reply(201 if known else 200, {"order": self._shown(name)})

    def _shown(self, name: str) -> dict[str, Any]:
        """Return an order as the vendor tells it."""
        kept = self.orders[name]
        reward, vendors = kept["asked"]["reward"], sha256(name.encode()).hexdigest()[:12].upper()
        value = reward["value"]
        payment = {
            "subtotal": value["denomination"],
            "total": value["denomination"],
            "fees": 0,
            "currency_code": value.get("currency_code", "USD"),
        }
        if name not in self.lacks_a_field:
            payment["discount"] = 0
        delivery = {"method": reward["delivery"]["method"], "status": self.delivery}
        if delivery["method"] == "LINK":
            delivery["link"] = f"{self.url}/rewards/payout/{vendors}"
        shown = {"id": f"R{vendors}", "order_id": vendors, "value": value, "delivery": delivery}
        return {
            "id": vendors,
            "external_id": name,
            "created_at": "2026-01-05T18:00:00.000Z",
            "status": kept["status"],
            "channel": "API",
            "payment": payment,
            "rewards": [shown],
        }


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


def _handler(server: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = parts.path.removeprefix(PREFIX)
            if path == "/_state":
                self._answer(Reply(200, server.state()))
            elif reply := server.handled(Request(self.command, path, parse_qs(parts.query), headers, body)):
                self._answer(reply)
            else:
                self.connection.shutdown(socket.SHUT_RDWR)

        def _answer(self, reply: Reply) -> None:
            content = reply.content
            try:
                self.send_response(reply.status)
                told = {"content-type": "application/json", **reply.headers}
                for name, value in {**told, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                pass  # whoever asked is gone

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def main(arguments: list[str]) -> None:
    """Run a vendor until it is told to stop."""
    port, seed, share = (*arguments, "0", "0", "0")[:3]
    vendor = Vendor(int(port), seed=int(seed), share=float(share))
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    print(vendor.port, flush=True)  # noqa: T201 - whoever started it reads the port
    ended.wait()
    vendor.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
