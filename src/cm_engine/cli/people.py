"""The commands about people: who works here, and results that two of them enter."""

import sys
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from cm_engine.cli.durable import opened, refuse_unsaid, reported, show
from cm_engine.cli.journal import one_line
from cm_engine.cli.options import (
    ByOption,
    CollectedOption,
    DatabaseOption,
    EnrollmentArgument,
    EventOption,
    JsonOption,
    KeyOption,
    ObservationOption,
    OneEnrollmentArgument,
    OnOption,
    ResultedOption,
    ResultOption,
    SourceOption,
    TargetOption,
    WhyOption,
    WithdrawnOption,
    reader,
)
from cm_engine.cli.tables import screen
from cm_engine.log.encoding import instant
from cm_engine.people.standing import Staff, StaffAct, WaitingEntry
from cm_engine.program.values import day
from cm_engine.spelling import counted

commands = typer.Typer(rich_markup_mode=None)
staff = typer.Typer(help="Say who works here.", no_args_is_help=True, rich_markup_mode=None)

AT = "--db sqlite:///clinic.db"

StaffArgument = Annotated[str, typer.Argument(metavar="STAFF", help="an opaque id; never a name")]
RolesOption = Annotated[
    list[str] | None, typer.Option("--role", metavar="ROLE", help="once for each, such as front-desk")
]
SitesOption = Annotated[
    list[str] | None, typer.Option("--site", metavar="SITE", help="once for each site they work at")
]
TrainedOption = Annotated[
    date | None,
    typer.Option(
        "--trained-on", metavar="DATE", help="of their last training", parser=reader("--trained-on", day)
    ),
]
FromOption = Annotated[
    date | None,
    typer.Option("--from", metavar="DATE", help="the first day of their work", parser=reader("--from", day)),
]
UntilOption = Annotated[
    date | None,
    typer.Option("--until", metavar="DATE", help="the last day of their work", parser=reader("--until", day)),
]
ReasonOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="the reason, for the audit")]


@staff.command(
    epilog=f"Example: cm-engine staff add {AT} nurse-7 --role front-desk --trained-on 2026-01-05 --by lead-1"
)
def add(
    who: StaffArgument,
    db: DatabaseOption,
    by: ByOption,
    role: RolesOption = None,
    site: SitesOption = None,
    trained_on: TrainedOption = None,
    begins: FromOption = None,
    until: UntilOption = None,
    source: SourceOption = "staff",
    key: KeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add somebody to the staff.

    Where CM_ENGINE_PEOPLE is `known`, the first person adds themself, as a supervisor.
    """
    with opened(db, make=True) as engine:
        found = engine.add_staff(
            staff=who,
            roles=role or [],
            sites=site or [],
            trained_on=trained_on,
            active_from=begins,
            active_until=until,
            by=by,
            source=source,
            key=key,
        )
    _show_one(found, as_json=as_json)


@staff.command(
    epilog=f"Example: cm-engine staff change {AT} nurse-7 --trained-on 2027-01-04 --source hr --key 12 --by lead-1"
)
def change(
    who: StaffArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    role: RolesOption = None,
    site: SitesOption = None,
    trained_on: TrainedOption = None,
    begins: FromOption = None,
    until: UntilOption = None,
    why: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Change what is said of one of the staff.

    What is left out stays as it is; roles and sites are replaced as a whole. --from takes up again who left.
    """
    with opened(db) as engine:
        found = engine.change_staff(
            staff=who,
            roles=role,
            sites=site,
            trained_on=trained_on,
            active_from=begins,
            active_until=until,
            why=why,
            by=by,
            source=source,
            key=key,
        )
    _show_one(found, as_json=as_json)


@staff.command(
    epilog=f"Example: cm-engine staff left {AT} nurse-7 --why 'another job' --source hr --key 13 --by lead-1"
)
def left(
    who: StaffArgument,
    db: DatabaseOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Let one of the staff leave, from this moment on."""
    with opened(db) as engine:
        found = engine.staff_left(staff=who, why=why, by=by, source=source, key=key)
    _show_one(found, as_json=as_json)


@staff.command("show", epilog=f"Example: cm-engine staff show {AT} nurse-7")
def show_staff(who: StaffArgument, db: DatabaseOption, as_json: JsonOption = False) -> None:
    """Show one of the staff, and all that was said of them."""
    with opened(db) as engine:
        found, acts = engine.staff(who), engine.staff_history(who)
    if as_json:
        sys.stdout.write(one_line({**_staff_form(found), "acts": [_act_form(each) for each in acts]}))
        return
    typer.echo(_staff_text(found))
    for each in acts:
        said = ", ".join(
            f"{name} {_spoken(value)}" for name, value in each.reported.items() if name != "staff"
        )
        typer.echo(f"  {each.recorded_at:%d %b %Y %H:%M} UTC  {each.kind} by {each.by}: {said}")


@staff.command("list", epilog=f"Example: cm-engine staff list {AT}")
def list_staff(db: DatabaseOption, as_json: JsonOption = False) -> None:
    """List the staff, those who left too."""
    with opened(db) as engine:
        found = engine.all_staff()
    if as_json:
        sys.stdout.write(one_line({"staff": [_staff_form(each) for each in found]}))
    else:
        screen().print(_staff_table(found))


@commands.command(
    epilog=f"Example: cm-engine enter {AT} e-1 --result - --on 2026-01-05 --source front-desk --key udt-778 --by nurse-7"
)
def enter(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    result: ResultOption = "",
    event: EventOption = "",
    observation: ObservationOption = None,
    target: TargetOption = "",
    on: OnOption = None,
    collected_at: CollectedOption = None,
    resulted_at: ResultedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enter a result that two people enter.

    The first entry waits. The same entered by another person is recorded and decided; anything else is refused.
    """
    seen = reported(result, event, observation, target, on, collected_at, resulted_at)
    refuse_unsaid(seen)
    with opened(db) as engine:
        done = engine.enter(enrollment=enrollment, source=source, key=key, by=by, **seen)
        gateways = engine.goes_by(done)
    show(done, gateways, as_json=as_json)


@commands.command(epilog=f"Example: cm-engine waiting {AT}")
def waiting(db: DatabaseOption, enrollment: OneEnrollmentArgument = "", as_json: JsonOption = False) -> None:
    """List the entries that wait for a second person.

    What was entered is not shown, so that whoever enters it again looks at the evidence; `history` has it.
    """
    with opened(db) as engine:
        found = engine.waiting(enrollment=enrollment)
    if as_json:
        sys.stdout.write(one_line({"waiting": [_waiting_form(each) for each in found]}))
        return
    for each in found:
        typer.echo(f"{each.enrollment}, record {each.record}: {_which(each)}, entered by {each.by}")
    typer.echo(counted(len(found), "result") + " to be entered by a second person")


@commands.command(
    "withdraw-entry",
    epilog=f"Example: cm-engine withdraw-entry {AT} e-1 --record 3 --why 'wrong chart' --source front-desk --key w-1 --by lead-1",
)
def withdraw_entry(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    record: WithdrawnOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Take back an entry that waits for a second person."""
    with opened(db) as engine:
        done = engine.withdraw_entry(
            enrollment=enrollment, record=record, why=why, source=source, key=key, by=by
        )
    show(done, as_json=as_json)


def _show_one(found: Staff, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(one_line(_staff_form(found)))
    else:
        typer.echo(_staff_text(found))


def _staff_form(found: Staff) -> dict[str, Any]:
    return {
        "staff": found.id,
        "roles": list(found.roles),
        "sites": list(found.sites),
        "trained_on": _iso(found.trained_on),
        "active_from": _iso(found.active_from),
        "active_until": _iso(found.active_until),
        "left": found.has_left,
    }


def _iso(found: date | None) -> str | None:
    return found.isoformat() if found else None


def _act_form(act: StaffAct) -> dict[str, Any]:
    return {**act._asdict(), "recorded_at": instant(act.recorded_at), "reported": dict(act.reported)}


def _staff_text(found: Staff) -> str:
    parts = [f"{found.id}: {', '.join(found.roles)}", *_details(found)]
    return "; ".join(parts)


def _details(found: Staff) -> Iterable[str]:
    if found.sites:
        yield f"at {', '.join(found.sites)}"
    yield f"trained on {found.trained_on}" if found.trained_on else "not trained"
    if found.active_from:
        yield f"from {found.active_from}"
    if found.active_until:
        yield f"until {found.active_until}"
    if found.has_left:
        yield "left"


def _staff_table(found: Iterable[Staff]) -> Table:
    table = Table("Staff", "Roles", "Sites", "Trained", "From", "Until", "Left", box=box.SIMPLE)
    for each in found:
        days = (each.trained_on, each.active_from, each.active_until)
        lists = (", ".join(each.roles), ", ".join(each.sites))
        table.add_row(each.id, *lists, *(_iso(day) or "" for day in days), "left" if each.has_left else "")
    return table


def _waiting_form(entry: WaitingEntry) -> dict[str, Any]:
    told = entry.reported
    return {
        "enrollment": entry.enrollment,
        "record": entry.record,
        "target": told.get("target"),
        "event": told.get("event"),
        "date": told.get("on"),
        "collected_at": told.get("at"),
        "by": entry.by,
        "entered_at": instant(entry.entered_at),
    }


def _which(entry: WaitingEntry) -> str:
    told = entry.reported
    when = told.get("on") or f"{datetime.fromisoformat(told['at']):%Y-%m-%d %H:%M} UTC"
    what = told.get("event") or told.get("target") or "a result"
    return f"{what} of {when}"


def _spoken(value: Any) -> str:  # noqa: ANN401 - whatever was said
    return ", ".join(value) if isinstance(value, list) else str(value)
