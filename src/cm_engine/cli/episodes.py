"""The commands of the clinic's day: who is expected, what is over, and what happens to an episode."""

import sys
from collections.abc import Callable, Iterable
from datetime import date

import typer
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cm_engine.acts.recorded import Recorded
from cm_engine.cli.durable import opened, show
from cm_engine.cli.journal import (
    act_form,
    act_text,
    decision_text,
    one_line,
    preview_form,
    preview_table,
    recorded_form,
)
from cm_engine.cli.options import (
    AsOfOption,
    ByOption,
    CourseDayOption,
    DatabaseOption,
    EnrollmentArgument,
    JsonOption,
    KeyOption,
    MovedToOption,
    OneEnrollmentArgument,
    OverOption,
    RehearseOption,
    SiteOption,
    SourceOption,
    SweeperOption,
    TargetOption,
    VersionOption,
    VisitDayOption,
    VisitOption,
    WhyOption,
)
from cm_engine.cli.tables import screen
from cm_engine.engine import Engine
from cm_engine.facade.migrating import Migration
from cm_engine.spelling import counted
from cm_engine.views.visiting import PlannedVisit

commands = typer.Typer(rich_markup_mode=None)

RESTS = ("rest_now", "rest_then")
LEADS_TO = {"payable", "hand_over", "frozen", "missed", "corrected"}
"""What an act that is rehearsed has in common with the act itself."""
AT = "--db sqlite:///clinic.db"
BY = "--source front-desk --key {key} --by nurse-7"


@commands.command(epilog=f"Example: cm-engine visits {AT} e-1")
def visits(
    enrollment: EnrollmentArgument, db: DatabaseOption, on: AsOfOption = None, as_json: JsonOption = False
) -> None:
    """List the visits of an enrollment, and what became of them.

    Only programs with windows have visits with days of their own.
    """
    with opened(db) as engine:
        found = engine.visits(enrollment=enrollment, on=on)
    _show_visits(found, as_json=as_json)
    if not (found or as_json):
        typer.echo(
            "Only a program with windows has visits with days of their own; preview tells what comes next."
        )


@commands.command(epilog=f"Example: cm-engine expected {AT}")
def expected(
    db: DatabaseOption, on: AsOfOption = None, site: SiteOption = "", as_json: JsonOption = False
) -> None:
    """List the visits of all that are open on a day, or overdue."""
    with opened(db) as engine:
        found = engine.expected(on=on, site=site)
    _show_visits(found, as_json=as_json)


@commands.command(epilog=f"Example: cm-engine questions {AT}")
def questions(
    db: DatabaseOption,
    enrollment: OneEnrollmentArgument = "",
    site: SiteOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the results that fit no visit.

    Answer with amend --on DAY, the day of the visit that the result is of, or with void.
    """
    with opened(db) as engine:
        found = engine.questions(enrollment=enrollment, site=site)
    if as_json:
        forms = [
            {"enrollment": each.enrollment, "record": each.record, **recorded_form(each)} for each in found
        ]
        sys.stdout.write(one_line({"questions": forms}))
        return
    for each in found:
        typer.echo(f"{each.enrollment}, record {each.record}: {decision_text(each)}")
    typer.echo(counted(len(found), "result") + " to ask about")


@commands.command(epilog=f"Example: cm-engine sweep {AT}")
def sweep(
    db: DatabaseOption,
    enrollment: OneEnrollmentArgument = "",
    until: OverOption = None,
    by: SweeperOption = "cm-engine",
    as_json: JsonOption = False,
) -> None:
    """Decide the visits that are over and that nobody came to.

    Run it every morning; as often as one likes it decides each visit once.
    """
    with opened(db) as engine:
        found = engine.sweep(enrollment=enrollment, until=until, by=by)
    _show_acts(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine excuse {AT} e-1 --on 2026-01-05 --why illness {BY.format(key='x-1')}"
)
def excuse(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    on: VisitDayOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    target: TargetOption = "",
    as_json: JsonOption = False,
) -> None:
    """Record that an absence is excused."""
    with opened(db) as engine:
        done = engine.excuse(
            enrollment=enrollment, on=on, why=why, target=target, source=source, key=key, by=by
        )
        gateways = engine.goes_by(done)
    show(done, gateways, as_json=as_json)


def _of_course(act: Callable[..., Recorded], on: str, why: str, key: str, says: str) -> None:
    """Add the command of an act on the course of an episode: they differ in what they say."""

    def command(
        enrollment: EnrollmentArgument,
        db: DatabaseOption,
        on: CourseDayOption,
        why: WhyOption,
        source: SourceOption,
        key: KeyOption,
        by: ByOption,
        as_json: JsonOption = False,
    ) -> None:
        with opened(db) as engine:
            done = act(engine, enrollment=enrollment, on=on, why=why, source=source, key=key, by=by)
            gateways = engine.goes_by(done)
        show(done, gateways, as_json=as_json)

    name = act.__name__
    example = f"Example: cm-engine {name} {AT} e-1 --on {on} --why '{why}' {BY.format(key=key)}"
    commands.command(name, help=says, epilog=example)(command)


_of_course(Engine.pause, "2026-02-02", "residential stay", "p-1", "Pause an enrollment: nobody is expected.")
_of_course(Engine.resume, "2026-02-16", "back home", "p-2", "Resume an enrollment that is paused.")
_of_course(
    Engine.discharge,
    "2026-03-27",
    "moved away",
    "d-1",
    "End an episode with a day: nothing is expected after it.",
)
_of_course(Engine.readmit, "2026-05-04", "came back", "d-2", "Take an episode up again where it stood.")
_of_course(
    Engine.freeze,
    "2026-03-27",
    "a dispute",
    "f-1",
    "Hand nothing over any more; results are decided as ever.",
)
_of_course(Engine.release, "2026-03-27", "settled", "f-2", "Hand over again what a freeze held back.")


@commands.command(
    epilog=f"Example: cm-engine reschedule {AT} e-1 --visit 3 --to 2026-01-13 --why court {BY.format(key='m-1')}"
)
def reschedule(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    visit: VisitOption,
    to: MovedToOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    target: TargetOption = "",
    as_json: JsonOption = False,
) -> None:
    """Move a planned visit to another day."""
    with opened(db) as engine:
        done = engine.reschedule(
            enrollment=enrollment, visit=visit, to=to, target=target, why=why, source=source, key=key, by=by
        )
    show(done, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine migrate {AT} e-1 --program voucher@2 --on 2026-03-02 --why 'new rates' --rehearse"
    f" {BY.format(key='v-1')}"
)
def migrate(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    program: VersionOption,
    on: CourseDayOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    rehearse: RehearseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move an enrollment to another version of its program.

    From its day on, results are decided by that version; see first with --rehearse what it changes.
    """
    with opened(db) as engine:
        if rehearse:
            found = engine.rehearse_migration(enrollment=enrollment, program=program, on=on)
            _show_rehearsed(enrollment, found, as_json=as_json)
            return
        done = engine.migrate(
            enrollment=enrollment, program=program, on=on, why=why, source=source, key=key, by=by
        )
        gateways = engine.goes_by(done)
    show(done, gateways, as_json=as_json)


def _show_rehearsed(enrollment: str, found: Migration, *, as_json: bool) -> None:
    if as_json:
        previews = {
            name: preview_form(enrollment, getattr(found, name))["targets"] for name in ("now", "then")
        }
        rests = {
            name: {unit: f"{amount:f}" for unit, amount in getattr(found, name).items()} for name in RESTS
        }
        done = {name: each for name, each in act_form(found.done).items() if name in LEADS_TO}
        sys.stdout.write(one_line({"enrollment": enrollment, **done, **previews, **rests}))
        return
    typer.echo("Nothing is written. Without --rehearse:")
    for line in act_text(found.done):
        typer.echo(f"  {line}")
    for name, preview, rest in (("Now", found.now, found.rest_now), ("Then", found.then, found.rest_then)):
        amounts = ", ".join(f"{amount:f} {unit}" for unit, amount in rest.items()) or "nothing"
        typer.echo(f"{name}: all visits to come, if every one is met, pay {amounts}")
        screen().print(preview_table(preview))


def _show_acts(acts: list[Recorded], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(one_line({"acts": [act_form(done) for done in acts]}))
        return
    for done in acts:
        for each in done.decisions:
            typer.echo(f"{done.enrollment}: {decision_text(each)}")
    decided = sum(len(done.decisions) for done in acts)
    nobody = "" if decided else "; a program without `windows` expects nobody on a day, and is not swept"
    typer.echo(f"{counted(decided, 'visit')} decided{nobody}")


def _show_visits(found: Iterable[PlannedVisit], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(one_line({"visits": [_form(each) for each in found]}))
    else:
        screen().print(_table(list(found)))


def _form(visit: PlannedVisit) -> dict[str, object]:
    days = {name: getattr(visit, name).isoformat() for name in ("on", "opens", "closes")}
    names = ("enrollment", "participant", "target", "number", "week")
    decision = recorded_form(visit.decision) if visit.decision else None
    return {
        **{name: getattr(visit, name) for name in names},
        **days,
        "status": visit.status,
        "decision": decision,
    }


def _table(found: list[PlannedVisit]) -> Group:
    table = Table(box=box.SIMPLE)
    for column in ("Enrollment", "Target", "Visit", "Week", "Planned", "Window", "Status"):
        table.add_column(column)
    for each in found:
        status = f"decided: {each.decision.outcome}" if each.decision else each.status
        which = (each.enrollment, each.target, str(each.number), str(each.week))
        table.add_row(
            *which, f"{each.on:%a %d %b %Y}", f"{_short(each.opens)} to {_short(each.closes)}", status
        )
    return Group(table, Text(counted(len(found), "visit")))


def _short(day: date) -> str:
    return f"{day:%d %b}"
