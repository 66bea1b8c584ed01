"""A signal for the care team, as a signed CloudEvent to a real HTTP server that this script starts.

python examples/notify_webhook.py
"""

from base64 import b64encode
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks.webhooks import Webhook

from cm_engine import Engine, parse_program
from cm_engine.messages.outgoing import Outgoing
from cm_engine.messages.policy import MessagePolicy
from cm_engine_adapters.notify.webhook import WebhookNotifier

SECRET = bytes(range(32))  # yours is 32 random bytes, which the receiver knows too
POLICY = MessagePolicy(team={"counselor": ("webhook", "team-3")})
PROGRAM = parse_program("""
program: sessions
version: "1"
title: Sessions
currency: USD
visits: [{weeks: 1-8, per_week: 1}]
targets: {sessions: {behavior: attendance, schedule: [{weeks: 1-8, fixed: 10.00}]}}
signals: [{name: two-missed, when: {missed: 2}, to: [counselor]}]
""")


class Team(BaseHTTPRequestHandler):
    """A receiver that looks at the signature before it reads anything."""

    def do_POST(self) -> None:
        """Take a message."""
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        Webhook("whsec_" + b64encode(SECRET).decode()).verify(body, headers)
        event = from_http_event(HTTPMessage(headers, body))
        data: Any = event.get_data()
        print(f"{event.get_subject()} got: {data['text'].partition(':')[0]}")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as the library calls it
        """Say nothing."""


def main() -> None:
    """Record two missed visits, and tell the team."""
    server = HTTPServer(("127.0.0.1", 0), Team)
    Thread(target=server.serve_forever, daemon=True).start()
    notifier = WebhookNotifier(url=f"http://127.0.0.1:{server.server_address[1]}/in", secret=SECRET)
    engine = Engine.open("memory:", zone="America/Los_Angeles")
    engine.add_program(PROGRAM)
    engine.enroll(participant="p-104", program="sessions", start=date(2026, 1, 5), by="nurse-7", id="e-1")
    for day in (5, 12):
        done = engine.record(
            enrollment="e-1",
            result="o",
            on=date(2026, 1, day),
            source="front-desk",
            key=f"s-{day}",
            by="nurse-7",
        )
        for draft in engine.messages_of(done, POLICY):
            answer = engine.to_send(draft, POLICY)
            if isinstance(answer, Outgoing):
                engine.disclosed(answer, notifier.send(answer.envelope))
    notifier.close()
    server.shutdown()
    server.server_close()
    for each in engine.disclosures("p-104"):
        print(f"{each.outcome}: {each.kind} to {each.recipient} by {each.channel}")


if __name__ == "__main__":
    main()
