"""The commands about what is due: a worker that does it, and a look at when it is next."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich import box
from rich.table import Table

from cm_engine.cli.contacts import HOST_KEYS, KEYRING, opened_with_keys
from cm_engine.cli.durable import opened
from cm_engine.cli.journal import one_line
from cm_engine.cli.lines import log_as_lines
from cm_engine.cli.options import DatabaseOption, JsonOption
from cm_engine.cli.tables import screen
from cm_engine.delivery.configuring import load_gateways
from cm_engine.delivery.notifying import load_notifiers
from cm_engine.delivery.sending import LATE_AFTER
from cm_engine.delivery.tasks import Planned
from cm_engine.delivery.telemetry import say
from cm_engine.delivery.working import Beat, Worker, health_of
from cm_engine.engine import Engine
from cm_engine.errors import CmEngineError
from cm_engine.facade.opened import system_clock
from cm_engine.log.encoding import instant
from cm_engine.messages.messenger import Messenger
from cm_engine.plain import one_line as plain_line
from cm_engine.spelling import counted

commands = typer.Typer(rich_markup_mode=None)

AT = "--db sqlite:///clinic.db"
SHORTEST = 0.1

GatewaysOption = Annotated[
    Path | None,
    typer.Option("--gateways", metavar="FILE", help="the gateways by which payouts are handed over"),
]
NotifiersOption = Annotated[
    Path | None,
    typer.Option("--notifiers", metavar="FILE", help="by what messages are sent, and what may be told"),
]
LateOption = Annotated[
    int,
    typer.Option(
        "--late-after", metavar="DAYS", min=1, help="how long a vendor may have a payout before it is late"
    ),
]
EveryOption = Annotated[
    float,
    typer.Option(
        "--every", metavar="SECONDS", min=SHORTEST, help="how long to wait when nothing is left to do"
    ),
]
OnceOption = Annotated[bool, typer.Option("--once", help="do what is due now, and end")]
HealthOption = Annotated[
    Path | None,
    typer.Option(
        "--health", metavar="FILE", help="written after each tick: its time, and how much waits or is stuck"
    ),
]
NameOption = Annotated[
    str,
    typer.Option("--name", metavar="NAME", help="of this worker, in the work it does; made up if left out"),
]

_log = logging.getLogger("cm_engine.worker")


@commands.command(epilog=f"Example: cm-engine worker {AT} --gateways gateways.yaml --health worker.json")
def worker(
    db: DatabaseOption,
    gateways: GatewaysOption = None,
    notifiers: NotifiersOption = None,
    late_after: LateOption = LATE_AFTER.days,
    every: EveryOption = 10,
    once: OnceOption = False,
    health: HealthOption = None,
    name: NameOption = "",
) -> None:
    """Do what is due, until it is told to stop.

    Missed visits are decided, what has its pay day is put on its way, what was not collected expires, and alerts are told;
    with --gateways, payouts are handed over, and with --notifiers, messages sent. Any number of workers may run, on any number of hosts. SIGTERM and SIGINT end
    it after what it has in hand, with 0. It logs lines of JSON on stderr, in which nobody is named. With --once it exits
    with 1 if a task failed.
    """
    if health and not health.absolute().parent.is_dir():
        msg = f"--health: there is no folder {health.parent}"
        raise CmEngineError(msg)
    name = plain_line("name", name or f"worker-{uuid4().hex[:8]}")
    with opened_with_keys(db) as engine:
        made = load_gateways(gateways, os.environ, engine=engine) if gateways else {}
        messenger = _messenger(engine, notifiers, name) if notifiers else None
        patience, handle = timedelta(days=late_after), engine.handles(made)
        dispatcher = (
            engine.dispatcher(made, worker=name, handle=handle, late_after=patience) if made else None
        )
        log_as_lines()
        note = _noting(engine, health)
        found = Worker(
            engine, dispatcher, messenger=messenger, every=timedelta(seconds=every), name=name, done=note
        )
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: found.stop())
        say(_log, logging.INFO, "started", worker=name, gateways=",".join(made))
        failed = once and not found.run_once()
        if not once:
            found.run()
        say(_log, logging.INFO, "stopped", worker=name)
    if failed:
        raise typer.Exit(1)


@commands.command(epilog=f"Example: cm-engine due {AT}")
def due(db: DatabaseOption, as_json: JsonOption = False) -> None:
    """List what is done again and again, when each is next, and what failed."""
    with opened(db) as engine:
        found = engine.tasks()
    if as_json:
        sys.stdout.write(one_line({"tasks": [_form(each) for each in found]}))
        return
    table = Table(box=box.SIMPLE)
    for column in ("Task", "Every", "Next, in UTC", "Done last", "Failed since"):
        table.add_column(column)
    for each in found:
        failed = f"{counted(each.tries, 'time')}: {each.note}" if each.note else ""
        table.add_row(each.name, str(each.every), _said(each.due), _said(each.done), failed)
    screen().print(table)


def _messenger(engine: Engine, file: Path, name: str) -> Messenger:
    """Return what sends messages by the notifiers of a file, as it says.

    Raises:
        CmEngineError: the file is wrong, or nobody could read an address.
    """
    found = load_notifiers(file, os.environ)
    if not os.environ.get(KEYRING):
        msg = f"--notifiers: addresses are sealed; set {KEYRING} and {HOST_KEYS}"
        raise CmEngineError(msg)
    return engine.with_messages(found.policy).messenger(found.notifiers.values(), worker=name)


def _noting(engine: Engine, file: Path | None) -> Callable[[Beat], None]:
    """Return what writes after each tick how the work stands; nothing without a file."""

    def noted(_: Beat) -> None:
        if file:
            new = file.with_name(f"{file.name}.new")
            new.write_text(one_line(health_of(engine, system_clock())), "utf-8")
            new.replace(file)

    return noted


def _form(planned: Planned) -> dict[str, Any]:
    return {
        "task": planned.name,
        "every_seconds": int(planned.every.total_seconds()),
        "due": instant(planned.due),
        "done": instant(planned.done) if planned.done else None,
        "tries": planned.tries,
        "worker": planned.worker or None,
        "failed": planned.note or None,
    }


def _said(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%d %b %Y %H:%M:%S}" if time else ""
