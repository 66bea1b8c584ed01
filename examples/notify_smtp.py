"""An e-mail from an act to its disclosure, through a real mail server that this script starts.

python examples/notify_smtp.py
"""

import logging
import socket
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from cm_engine import Engine
from cm_engine.keyring import MemoryKeyring
from cm_engine.messages.outgoing import Outgoing
from cm_engine_adapters.notify.smtp import SmtpNotifier

HERE = "127.0.0.1"
NOON = datetime(2026, 1, 5, 20, tzinfo=UTC)


class Mailbox:
    """A mail server that prints what it gets."""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - of aiosmtpd
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        print(f"{mail['To']} got: {mail['Subject']}")
        return "250 taken"


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as taken:
        taken.bind((HERE, 0))
        port: int = taken.getsockname()[1]
        return port


def clinic() -> Engine:
    """Return an engine that may write to one participant, of updates only."""
    engine = Engine.open("memory:", zone="America/Los_Angeles", clock=lambda: NOON).with_keys(MemoryKeyring())
    engine.add_program("california-recovery-incentives")
    told: dict[str, Any] = {"source": "front-desk", "by": "nurse-7"}
    engine.enroll(
        participant="p-104",
        program="california-recovery-incentives",
        start=date(2026, 1, 5),
        by="nurse-7",
        id="e-1",
    )
    engine.add_handle(participant="p-104", channel="email", address="ann@example.org", key="h-1", **told)
    engine.consent(
        participant="p-104",
        consent="c-1",
        discloser="North",
        channels=["email"],
        scopes=["updates"],
        signed_on=date(2026, 1, 5),
        key="c-1",
        **told,
    )
    return engine


def main() -> None:
    """Record a result, and send what it gives reason to say."""
    logging.getLogger("mail.log").disabled = True
    server = Controller(Mailbox(), hostname=HERE, port=free_port())
    server.start()
    notifier = SmtpNotifier(host=HERE, port=server.port, security="none", sender="updates@example.org")
    engine = clinic()
    done = engine.record(
        enrollment="e-1", result="-", on=date(2026, 1, 5), source="lab", key="udt-1", by="nurse-7"
    )
    for draft in engine.messages_of(done):
        answer = engine.to_send(draft)
        if isinstance(answer, Outgoing):
            engine.disclosed(answer, notifier.send(answer.envelope))
    server.stop()
    for each in engine.disclosures("p-104"):
        print(
            f"{each.outcome}: {each.kind} to the {each.recipient} by {each.channel}, with consent {each.consent}"
        )


if __name__ == "__main__":
    main()
