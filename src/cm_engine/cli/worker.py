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

from cm_engine.cli.durable import opened
from cm_engine.cli.journal import one_line
from cm_engine.cli.lines import log_as_lines
from cm_engine.cli.options import DatabaseOption, JsonOption
from cm_engine.cli.tables import screen
from cm_engine.delivery.configuring import load_gateways
from cm_engine.delivery.tasks import Planned
from cm_engine.delivery.telemetry import say
from cm_engine.delivery.working import Beat, Worker, health_of
from cm_engine.engine import Engine
from cm_engine.errors import CmEngineError
from cm_engine.log.encoding import instant
from cm_engine.opened import system_clock
from cm_engine.plain import one_line as plain_line

commands = typer.Typer(rich_markup_mode=None)

AT = "--db sqlite:///clinic.db"
SHORTEST = 0.1

GatewaysOption = Annotated[
    Path | None,
    typer.Option("--gateways", metavar="FILE", help="the gateways by which payouts are handed over"),
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
    every: EveryOption = 10,
    once: OnceOption = False,
    health: HealthOption = None,
    name: NameOption = "",
) -> None:
    """Do what is due, until it is told to stop.

    Missed visits are decided, what has its pay day is put on its way, what was not collected expires, and alerts are told;
    with --gateways, payouts are handed over. Any number of workers may run, on any number of hosts. SIGTERM and SIGINT end
    it after what it has in hand, with 0. It logs lines of JSON on stderr, in which nobody is named. With --once it exits
    with 1 if a task failed.
    """
    if health and not health.absolute().parent.is_dir():
        msg = f"--health: there is no folder {health.parent}"
        raise CmEngineError(msg)
    made = load_gateways(gateways, os.environ) if gateways else {}
    name = plain_line("name", name or f"worker-{uuid4().hex[:8]}")
    log_as_lines()
    with opened(db) as engine:
        dispatcher = engine.dispatcher(made, worker=name) if made else None
        note = _noting(engine, health)
        found = Worker(engine, dispatcher, every=timedelta(seconds=every), name=name, done=note)
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
        failed = f"{each.tries} times: {each.note}" if each.note else ""
        table.add_row(each.name, str(each.every), _said(each.due), _said(each.done), failed)
    screen().print(table)


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
