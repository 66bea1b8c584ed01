"""A reminder of a visit by a service that Apprise knows; here a plain HTTP server that this script starts.

    python examples/notify_apprise.py

For real text messages the URL is that of a service: {"sms": "twilio://SID:TOKEN@+15550100100/{to}"}.
"""

import json
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from cm_engine import Engine, parse_program
from cm_engine.keyring import MemoryKeyring
from cm_engine.messages.outgoing import Outgoing
from cm_engine_adapters.notify.apprise import AppriseNotifier

NOON = datetime(2026, 1, 7, 20, tzinfo=UTC)
PROGRAM = parse_program("""
program: sessions
version: "1"
title: Sessions
currency: USD
visits: [{weeks: 1-8, days: [monday, thursday]}]
windows: {after: 1}
targets: {sessions: {behavior: attendance, schedule: [{weeks: 1-8, fixed: 10.00}]}}
""")


class Service(BaseHTTPRequestHandler):
    """A service that prints what it gets."""

    def do_POST(self) -> None:
        """Take a message."""
        form = json.loads(self.rfile.read(int(self.headers["content-length"])))
        print(f"got: {form['message']}")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as the library calls it
        """Say nothing."""


def main() -> None:
    """Send the reminders that are due."""
    server = HTTPServer(("127.0.0.1", 0), Service)
    Thread(target=server.serve_forever, daemon=True).start()
    notifier = AppriseNotifier({"sms": f"json://127.0.0.1:{server.server_address[1]}/{{to}}"})
    engine = Engine.open("memory:", zone="America/Los_Angeles", clock=lambda: NOON).with_keys(MemoryKeyring())
    engine.add_program(PROGRAM)
    engine.enroll(participant="p-104", program="sessions", start=date(2026, 1, 5), by="nurse-7", id="e-1")
    told: dict[str, Any] = {"source": "front-desk", "by": "nurse-7"}
    engine.add_handle(
        participant="p-104", channel="sms", address="+15551230100", language="es", key="h-1", **told
    )
    engine.consent(
        participant="p-104",
        consent="c-1",
        discloser="North",
        channels=["sms"],
        scopes=["visits"],
        signed_on=date(2026, 1, 5),
        key="c-1",
        **told,
    )
    for draft in engine.reminders_of(engine.visits(enrollment="e-1")):
        answer = engine.to_send(draft)
        if isinstance(answer, Outgoing):
            engine.disclosed(answer, notifier.send(answer.envelope))
    server.shutdown()
    server.server_close()
    for each in engine.disclosures("p-104"):
        print(
            f"{each.outcome}: {each.kind} to the {each.recipient} by {each.channel}, with consent {each.consent}"
        )


if __name__ == "__main__":
    main()
