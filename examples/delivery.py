"""Rewards and messages that reach people: a payment system and a mail server on this machine, one of them failing at first.

python -m examples.delivery
"""

import logging
from datetime import UTC, date, datetime, timedelta
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from examples.notify_smtp import HERE, Mailbox, free_port
from examples.payout_webhook import SECRET, Payments

from cm_engine import Engine, MessagePolicy
from cm_engine.keyring import MemoryKeyring
from cm_engine_adapters.notify.smtp import SmtpNotifier
from cm_engine_adapters.payout.webhook import WebhookGateway

PROGRAM = "california-recovery-incentives"
START = date(2026, 1, 5)


class Clock:
    """Tell a time that is put forward by hand."""

    now = datetime(2026, 1, 5, 18, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


class Stumbling(Payments):
    """A payment system that takes the first order, and then loses its answer."""

    stumbles = iter([True])

    def answer(self, status: int, body: dict[str, Any]) -> None:
        """Send an answer, but for the first."""
        super().answer(500 if next(self.stumbles, False) else status, body)


def clinic(clock: Clock) -> Engine:
    """Return a clinic with one participant, who is reached by e-mail, and one way to pay."""
    engine = Engine.open("memory:", zone="America/Los_Angeles", clock=clock)
    engine = engine.with_keys(MemoryKeyring()).with_messages(MessagePolicy())
    engine.add_program(PROGRAM)
    engine.open_site("north", zone="America/Los_Angeles", by="boss-1")
    engine.add_gateway("north", "payments", by="boss-1", source="office", key="g-1")
    engine.enroll(participant="p-104", program=PROGRAM, start=START, by="nurse-7", id="e-1", site="north")
    told: dict[str, Any] = {"participant": "p-104", "source": "front-desk", "by": "nurse-7"}
    engine.add_handle(channel="email", address="ann@example.org", key="h-1", **told)
    engine.consent(
        consent="c-1",
        discloser="North",
        channels=["email"],
        scopes=["updates"],
        signed_on=START,
        key="c-1",
        **told,
    )
    return engine


def record(engine: Engine, days: int) -> None:
    """Record a negative test, some days after the start."""
    day = START + timedelta(days)
    told: dict[str, Any] = {"source": "lab", "key": f"udt-{days}", "by": "nurse-7"}
    done = engine.record(enrollment="e-1", result="-", on=day, **told)
    print(f"{day:%d %b}  {done.sentence}")


def main() -> None:
    """Record two results; hand over what they pay, and say so."""
    logging.getLogger("mail.log").disabled = True
    payments = ThreadingHTTPServer((HERE, 0), Stumbling)
    Thread(target=payments.serve_forever, daemon=True).start()
    mail = Controller(Mailbox(), hostname=HERE, port=free_port())
    mail.start()
    clock = Clock()
    with clinic(clock) as engine:
        gateway = WebhookGateway(url=f"http://{HERE}:{payments.server_address[1]}/orders", secret=SECRET)
        dispatcher = engine.dispatcher({"payments": gateway}, worker="example")
        messenger = engine.messenger(
            [SmtpNotifier(host=HERE, port=mail.port, security="none", sender="updates@example.org")]
        )
        for days in (0, 3):
            clock.now = datetime(2026, 1, 5, 18, tzinfo=UTC) + timedelta(days)
            record(engine, days)
            for payout in dispatcher.deliver():
                print(f"        payout {payout.number}: {payout.status}; {payout.note}")
            messenger.deliver()
        gateway.close()
        print(f"The payment system has {len(Payments.orders)} orders, each once.")
        [balance] = engine.balance(enrollment="e-1").values()
        print(f"Awarded ${balance.awarded}, handed over ${balance.issued}, on the way ${balance.in_flight}.")
        print(f"Disclosed: {', '.join(each.kind for each in engine.disclosures('p-104'))}.")
        found = engine.verify()
        print(
            f"Audit: {found.records} acts: {'all as it should be' if found.is_clean else found.differences}."
        )
    mail.stop()
    payments.shutdown()
    payments.server_close()


if __name__ == "__main__":
    main()
