"""The commands of the durable engine: enroll, record, correct, look back and audit, in a database."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypedDict, TypeVar

import typer
from pydantic_core import PydanticCustomError
from rich.console import Console
from rich.progress import Progress

from cm_engine import catalogue as programs_of_catalogue
from cm_engine.auditing import Verification
from cm_engine.cases import observation as observation_of
from cm_engine.cli import journal
from cm_engine.cli.records import SeenSoFar, read_record
from cm_engine.cli.tables import screen
from cm_engine.engine import SECRET_BYTES, Engine
from cm_engine.errors import CmEngineError, ReportError
from cm_engine.program import Program, digest, load_program
from cm_engine.program.values import amount, day, shown, wrong
from cm_engine.recorded import Enrollment, Recorded
from cm_engine.rules import Evidence, Observation
from cm_engine.spelling import nearest

DATABASE = "CM_ENGINE_DB"
SECRET = "CM_ENGINE_SECRET"  # noqa: S105 - the name of the variable
PAGE = 1000
"""As many enrollments are read at a time."""

Value = TypeVar("Value")

commands = typer.Typer(rich_markup_mode=None)


def reader(option: str, read: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return what reads the value of an option, and names the option where it cannot."""

    def parsed(text: str) -> Value:
        try:
            return read(text)
        except PydanticCustomError as error:
            msg = f"{option}: {error.message()}"
            raise ReportError(msg) from None

    return parsed


def moment(text: str) -> datetime:
    """Return a time with its offset from UTC.

    Example:
        >>> moment("2026-01-05T09:30-08:00").isoformat()
        '2026-01-05T09:30:00-08:00'
    """
    try:
        found = datetime.fromisoformat(text)
        found.astimezone(UTC)  # at the ends of the calendar there is no such time in UTC
    except (ValueError, OverflowError):
        found = None
    if found is None or found.utcoffset() is None:
        expected = "expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00"
        raise wrong(f"{expected}, got {shown(text)}")
    return found


def values_before(text: str) -> tuple[str, list[Decimal]]:
    """Return a target, and the values that were measured of it before the plan.

    Example:
        >>> values_before("smoking=12,10.5")
        ('smoking', [Decimal('12'), Decimal('10.5')])
    """
    name, sign, values = text.partition("=")
    if not name or not sign:
        raise wrong(f"expected TARGET=VALUE,VALUE, the first being the baseline, got {shown(text)}")
    return name, [amount(each.strip()) for each in values.split(",")]


DatabaseOption = Annotated[
    str, typer.Option("--db", metavar="URL", envvar=DATABASE, help="the database, such as sqlite:///clinic.db")
]
EnrollmentArgument = Annotated[
    str, typer.Argument(metavar="ENROLLMENT", help="the id that `enroll` printed", show_default=False)
]
StartOption = Annotated[
    date,
    typer.Option(
        "--start", metavar="DATE", parser=reader("--start", day), help="the first day of program week 1"
    ),
]
BeforeOption = Annotated[
    list[Any] | None,
    typer.Option(
        "--before",
        metavar="TARGET=VALUES",
        parser=reader("--before", values_before),
        help="values measured before the plan, the baseline first: smoking=12,10.5",
    ),
]
OnOption = Annotated[
    date | None,
    typer.Option("--on", metavar="DATE", parser=reader("--on", day), help="the day it counts for"),
]
CollectedOption = Annotated[
    datetime | None,
    typer.Option(
        "--collected-at",
        metavar="TIME",
        parser=reader("--collected-at", moment),
        help="when the specimen was taken, or the visit was: 2026-01-05T09:30-08:00",
    ),
]
ResultedOption = Annotated[
    datetime | None,
    typer.Option(
        "--resulted-at",
        metavar="TIME",
        parser=reader("--resulted-at", moment),
        help="when the result came, with the offset from UTC",
    ),
]
ResultOption = Annotated[
    str, typer.Option("--result", metavar="SYMBOL", help="one of - + o e * r _; quote it for the shell")
]
EventOption = Annotated[
    str, typer.Option("--event", metavar="NAME", help="instead: something reported from outside")
]
ObservationOption = Annotated[
    Path | None,
    typer.Option(
        "--observation",
        metavar="FILE",
        help="instead: a file with `observations`, written as in a case, and one of them",
    ),
]
TargetOption = Annotated[
    str, typer.Option("--target", metavar="NAME", help="which target; if left out, the only one")
]
RecordOption = Annotated[
    int, typer.Option("--record", metavar="N", help="the number of the record that is corrected")
]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="the reason, for the audit")]
SourceOption = Annotated[
    str, typer.Option("--source", metavar="SOURCE", help="the system or place that reports it: lab, front-desk")
]
KeyOption = Annotated[
    str, typer.Option("--key", metavar="KEY", help="the id it has there: reported again, it is the same")
]
ByOption = Annotated[str, typer.Option("--by", metavar="WHO", help="who does it: an opaque id")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]


class Reported(TypedDict):
    """What is said of an observation, as the engine takes it."""

    result: str
    target: str
    event: str
    evidence: Evidence | None
    on: date | None
    collected_at: datetime | None
    resulted_at: datetime | None


@commands.command("add-program", epilog="Example: cm-engine add-program --db sqlite:///clinic.db va-prize")
def add_program(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="a catalogue id, or a program file")],
    db: DatabaseOption,
    as_json: JsonOption = False,
) -> None:
    """Register a program, and print its digest."""
    found = find_program(program)
    with opened(db) as engine:
        known = engine.programs().values()
        added = engine.add_program(found)
    if as_json:
        form = {"program": found.program, "version": found.version, "digest": added}
        sys.stdout.write(journal.one_line({**form, "added": added not in known}))
    else:
        typer.echo(added)


@commands.command(
    epilog="Example: cm-engine enroll --db sqlite:///clinic.db --participant p-104 --program va-prize"
    " --start 2026-01-05 --zone America/Los_Angeles --by nurse-7"
)
def enroll(
    db: DatabaseOption,
    participant: Annotated[str, typer.Option("--participant", metavar="ID", help="an opaque id; never a name")],
    program: Annotated[
        str, typer.Option("--program", metavar="NAME", help="id, id@version, digest, or a program file")
    ],
    start: StartOption,
    zone: Annotated[str, typer.Option("--zone", metavar="ZONE", help="as in America/Los_Angeles")],
    by: ByOption,
    before: BeforeOption = None,
    source: SourceOption = "enrollment",
    key: KeyOption = "",
    enrollment_id: Annotated[str, typer.Option("--id", metavar="ID", help="of the enrollment")] = "",
    as_json: JsonOption = False,
) -> None:
    """Enroll a participant in a program.

    A program of the catalogue, or of a file, is registered if it is not yet. The same enrollment asked for again is
    the one there is. Programs that draw prizes need a secret: at least 32 bytes in hexadecimal digits, in the
    environment variable CM_ENGINE_SECRET, the same one for ever.
    """
    with opened(db) as engine:
        name, added = _registered(engine, program)
        enrolled = engine.enroll(
            participant=participant,
            program=name,
            start=start,
            by=by,
            zone=zone,
            before=dict(before or []),
            source=source,
            key=key,
            id=enrollment_id,
        )
        _show_enrolled(enrolled, engine.programs(), added=added, as_json=as_json)


def _registered(engine: Engine, name: str) -> tuple[str, bool]:
    """Return by which name a program is registered, and whether it only is by now."""
    known = engine.programs()
    if name in {*known, *known.values(), *(each.partition("@")[0] for each in known)}:
        return name, False
    found = find_program(name)
    return engine.add_program(found), digest(found) not in known.values()


def _show_enrolled(enrolled: Enrollment, programs: dict[str, str], *, added: bool, as_json: bool) -> None:
    if as_json:
        form = journal.enrollment_form(enrolled, programs)
        sys.stdout.write(journal.one_line({**form, "program_added": added}))
        return
    if added:
        typer.echo(f"The program was not registered yet; it is now: {enrolled.program}")
    _echo(journal.enrolled_text(enrolled, programs))


@commands.command(
    epilog="Example: cm-engine record --db sqlite:///clinic.db e-1 --result - --on 2026-01-05"
    " --source front-desk --key udt-778 --by nurse-7"
)
def record(
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
    """Record a result, decide it, and say what to hand over.

    What is reported again under the same source and key is not decided again. A result that comes late is decided in
    its place, and what follows it anew.
    """
    seen = reported(result, event, observation, target)
    times = {"on": on, "collected_at": collected_at, "resulted_at": resulted_at}
    _refuse_unsaid(seen | times)
    with opened(db) as engine:
        done = engine.record(enrollment=enrollment, source=source, key=key, by=by, **seen)
    show(done, as_json=as_json)
