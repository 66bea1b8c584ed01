"""The other sides of notifiers: a real mail server and a real HTTP server, which behave as a test wants."""

import json
import logging
import socket
from asyncio import Transport
from collections.abc import Callable
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from cm_engine.testing import Arrived, Behavior

HOST = "127.0.0.1"
logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the server's own, of what it got


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        port: int = taken.getsockname()[1]
        return port


class MailServer:
    """A mail server by aiosmtpd; what it took is read as any mail program would."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []
        self._behavior: Behavior = "takes"
        self._controller = Controller(self, hostname=HOST, port=free_port(), ready_timeout=20)
        self._controller.start()

    @property
    def port(self) -> int:
        port: int = self._controller.port
        return port

    def behave(self, behavior: Behavior) -> None:
        self._behavior = behavior
        if behavior == "is gone":
            self.stop()

    def stop(self) -> None:
        if self._controller.loop.is_running():
            self._controller.stop()

    def arrived(self) -> list[Arrived]:
        return [
            Arrived(
                to,
                self._text(content),
                str(self.parsed(content)["Message-ID"]),
                str(self.parsed(content)["Subject"]),
            )
            for _, recipients, content in self.mails
            for to in recipients
        ]

    @staticmethod
    def parsed(content: bytes) -> Any:
        return message_from_bytes(content, policy=policy.default)

    def _text(self, content: bytes) -> str:
        text: str = self.parsed(content).get_body(("plain",)).get_content()
        return text.replace("\r\n", "\n").removesuffix("\n")

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd calls it
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str], *_: Any
    ) -> str:
        refusals = {"refuses": "550 no such mailbox", "is busy": "451 try again later"}
        if self._behavior in refusals:
            return refusals[self._behavior]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        if self._behavior == "breaks off":
            assert isinstance(server.transport, Transport)
            server.transport.abort()
            return ""
        assert isinstance(envelope.content, bytes)
        self.mails.append((str(envelope.mail_from), list(envelope.rcpt_tos), envelope.content))
        return "250 taken"


class HttpServer:
    """An HTTP server that keeps every request it takes, its headers and its exact bytes."""

    def __init__(self, read: Callable[["Request"], Arrived]) -> None:
        self.requests: list[Request] = []
        self.status = 0
        self.headers: dict[str, str] = {}
        self._behavior: Behavior = "takes"
        self._read = read
        self._lock = Lock()
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self))
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def behave(self, behavior: Behavior) -> None:
        self._behavior = behavior
        if behavior == "is gone":
            self.stop()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def arrived(self) -> list[Arrived]:
        return [self._read(each) for each in self.requests]

    def answer(self, request: "Request") -> int:
        """Return the status of an answer; 0 for none."""
        statuses: dict[Behavior, int] = {"refuses": 410, "is busy": 503, "breaks off": 0}
        status = self.status or statuses.get(self._behavior, 204)
        if 200 <= status < 300:
            with self._lock:
                self.requests.append(request)
        return status


class Request:
    """A request as it came."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def _handler(server: HttpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = server.answer(
                Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            )
            if not status:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(status)
            for name, value in {"content-length": "0", **server.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
