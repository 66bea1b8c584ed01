"""The commands about payouts on their way through gateways: what has become of each, and what a person does about it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cm_engine.cli.durable import opened, show
from cm_engine.cli.journal import one_line
from cm_engine.cli.options import (
    ByOption,
    DatabaseOption,
    EnrollmentArgument,
    JsonOption,
    KeyOption,
    OneEnrollmentArgument,
    SourceOption,
    WhyOption,
)
from cm_engine.cli.tables import screen
from cm_engine.delivery.configuring import load_gateways
from cm_engine.delivery.sending import Delivery
from cm_engine.engine import Engine
from cm_engine.errors import CmEngineError
from cm_engine.spelling import counted

commands = typer.Typer(rich_markup_mode=None)
payout = typer.Typer(
    help="Look after a payout that does not go out by itself.", no_args_is_help=True, rich_markup_mode=None
)

AT = "--db sqlite:///clinic.db"
PARTS = 3

StatusOption = Annotated[
    str,
    typer.Option(
        "--status", metavar="STATUS", help="only those waiting, late, by hand, to be approved, stuck or over"
    ),
]
AfterOption = Annotated[
    str, typer.Option("--after", metavar="ID", help="those that come after this one, as e-1/5/1")
]
LimitOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="at most so many")]
NumberOption = Annotated[
    int, typer.Option("--number", metavar="N", help="the number of the payout, as `deliveries` lists it")
]
LegOption = Annotated[int, typer.Option("--leg", metavar="N", help="which of several amounts")]
GatewaysOption = Annotated[
    Path | None, typer.Option("--gateways", metavar="FILE", help="the gateways, to be asked first")
]
AbsentOption = Annotated[
    bool, typer.Option("--is-absent", help="somebody made sure that the gateway has nothing")
]


@commands.command(epilog=f"Example: cm-engine deliveries {AT} --status stuck")
def deliveries(
    db: DatabaseOption,
    enrollment: OneEnrollmentArgument = "",
    status: StatusOption = "",
    after: AfterOption = "",
    limit: LimitOption = 1000,
    as_json: JsonOption = False,
) -> None:
    """List payouts that go out through gateways, what has become of each, and what stands in the way."""
    with opened(db) as engine:
        last = _last(engine, after) if after else None
        found = engine.deliveries(enrollment=enrollment, status=status, after=last, limit=limit)
    if as_json:
        sys.stdout.write(one_line({"deliveries": [_form(each) for each in found]}))
        return
    screen().print(_table(found))
    if len(found) == limit:
        typer.echo(f"There may be more: --after {_id(found[-1])}")


@payout.command("retry", epilog=f"Example: cm-engine payout retry e-1 --number 5 {AT} --by boss-1")
def retry(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    number: NumberOption,
    by: ByOption,
    leg: LegOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Have a payout tried again that is stuck, or was left to be handed over in person.

    It keeps its id: a gateway that has it knows it again.
    """
    with opened(db) as engine:
        found = engine.retry_payout(enrollment=enrollment, number=number, leg=leg, by=by)
    _show(found, as_json=as_json)


@payout.command("approve", epilog=f"Example: cm-engine payout approve e-1 --number 5 {AT} --by cashier-1")
def approve(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    number: NumberOption,
    by: ByOption,
    leg: LegOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Release a payout to its gateway, where the program wants another person than who recorded the result."""
    with opened(db) as engine:
        found = engine.approve_payout(enrollment=enrollment, number=number, leg=leg, by=by)
    _show(found, as_json=as_json)


@payout.command(
    "cancel",
    epilog=f"Example: cm-engine payout cancel e-1 --number 5 --why 'a wrong address' --gateways gateways.yaml {AT}"
    " --source office --key c-1 --by boss-1",
)
def cancel(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    number: NumberOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    leg: LegOption = 1,
    gateways: GatewaysOption = None,
    is_absent: AbsentOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a payout back that is stuck at a gateway: what was earned is owed again.

    The gateway is asked first whether it has the order after all; where it cannot be asked, somebody looks, and says so.
    """
    with opened(db) as engine:
        made = load_gateways(gateways, os.environ, engine=engine) if gateways else {}
        done = engine.dispatcher(made).cancel(
            enrollment=enrollment,
            number=number,
            leg=leg,
            why=why,
            source=source,
            key=key,
            by=by,
            is_absent=is_absent,
        )
    show(done, as_json=as_json)


@payout.command(
    "reissue",
    epilog=f"Example: cm-engine payout reissue e-1 --number 5 --why 'a wrong address' --gateways gateways.yaml {AT}"
    " --source office --key r-1 --by boss-1",
)
def reissue(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    number: NumberOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    leg: LegOption = 1,
    gateways: GatewaysOption = None,
    is_absent: AbsentOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a payout back that is stuck at a gateway, and send the same on its way anew, under an id of its own.

    The gateway is asked first whether it has the order after all; where it cannot be asked, somebody looks, and says so.
    """
    with opened(db) as engine:
        made = load_gateways(gateways, os.environ, engine=engine) if gateways else {}
        done = engine.dispatcher(made).reissue(
            enrollment=enrollment,
            number=number,
            leg=leg,
            why=why,
            source=source,
            key=key,
            by=by,
            is_absent=is_absent,
        )
    if done:
        show(done, as_json=as_json)
    elif as_json:
        sys.stdout.write(one_line({"reissued": None}))
    else:
        typer.echo("It is taken back, and nothing of it is owed.")


def _last(engine: Engine, text: str) -> Delivery:
    """Return the last delivery of the page before.

    Raises:
        CmEngineError: this is no id of a payout, or there is none.
    """
    enrollment, *place = text.rsplit("/", 2)
    if len(place) + 1 != PARTS or not all(each.isdecimal() for each in place):
        msg = f"--after: expected the id of a payout, such as e-1/5/1, got {text!r}"
        raise CmEngineError(msg)
    return engine.delivery(enrollment=enrollment, number=int(place[0]), leg=int(place[1]))


def _id(found: Delivery) -> str:
    return f"{found.enrollment}/{found.number}/{found.leg}"


def _form(found: Delivery) -> dict[str, object]:
    form = {name: None if value == "" else value for name, value in found._asdict().items()}
    return {"id": _id(found), **form}


def _show(found: Delivery, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(one_line(_form(found)))
    else:
        typer.echo(f"{_id(found)} is {found.status}: {found.note}")


def _table(found: list[Delivery]) -> Group:
    table = Table(box=box.SIMPLE)
    for column in ("Enrollment", "Number", "Leg", "Status", "Due, in UTC", "Gateway", "Tries", "Note"):
        table.add_column(column)
    for each in found:
        due = each.due[:19].replace("T", " ")
        place = (each.enrollment, str(each.number), str(each.leg), each.status)
        table.add_row(*place, due, each.gateway, str(each.tries), each.note)
    return Group(table, Text(counted(len(found), "payout")))
