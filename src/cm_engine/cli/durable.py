"""The commands of the durable engine: enroll, record, correct, look back and audit, in a database."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypedDict

import typer
from rich.console import Console
from rich.progress import Progress

from cm_engine.acts.recorded import Enrollment, Recorded
from cm_engine.acts.reported import Which
from cm_engine.audit.auditing import Verification
from cm_engine.cases import observation as observation_of
from cm_engine.cli import journal
from cm_engine.cli.heads import HeadsOption, keep_heads, kept_heads
from cm_engine.cli.options import (
    AgainOption,
    AwardedOption,
    BeforeOption,
    ByOption,
    CollectedOption,
    DatabaseOption,
    EndOption,
    EnrollmentArgument,
    EventOption,
    IdOption,
    JsonOption,
    KeyOption,
    LastOption,
    NextDayOption,
    ObservationOption,
    OnOption,
    ParticipantOption,
    ProgramOption,
    RecordKeyOption,
    RecordOption,
    RecordSourceOption,
    ResultedOption,
    ResultOption,
    SiteOption,
    SourceOption,
    StartOption,
    TargetOption,
    UnitOption,
    UntilOption,
    Value,
    WhoseOption,
    WhyOption,
    ZoneOption,
    tables_named,
)
from cm_engine.cli.programs import find_program
from cm_engine.cli.records import SeenSoFar, read_record
from cm_engine.cli.tables import screen
from cm_engine.engine import Engine
from cm_engine.errors import CmEngineError, ReportError
from cm_engine.facade.opened import SECRET_BYTES
from cm_engine.program import digest
from cm_engine.rules import Evidence, Observation

SECRET = "CM_ENGINE_SECRET"  # noqa: S105 - the name of the variable
PEOPLE = "CM_ENGINE_PEOPLE"
PAGE = 1000
"""As many enrollments are read at a time."""

commands = typer.Typer(rich_markup_mode=None)


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
    with opened(db, make=True) as engine:
        known = engine.programs().values()
        added = engine.add_program(found)
    if as_json:
        form = {"program": found.program, "version": found.version, "digest": added}
        sys.stdout.write(journal.one_line({**form, "added": added not in known}))
    else:
        typer.echo(added)


@commands.command(
    epilog="Example: cm-engine enroll --db sqlite:///clinic.db --id e-1 --participant p-104"
    " --program california-recovery-incentives --start 2026-01-05 --zone America/Los_Angeles --by nurse-7"
)
def enroll(
    db: DatabaseOption,
    participant: ParticipantOption,
    program: ProgramOption,
    start: StartOption,
    by: ByOption,
    zone: ZoneOption = "",
    site: SiteOption = "",
    before: BeforeOption = None,
    source: SourceOption = "enrollment",
    key: KeyOption = "",
    enrollment_id: IdOption = "",
    again: AgainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Enroll a participant in a program.

    Who is in it already, by an enrollment that is open, is refused: both would be paid. A program of the catalogue, or of a file, is registered if it is not yet. The same enrollment asked for again is
    the one there is. Programs that draw prizes need a secret: at least 32 bytes in hexadecimal digits, in the
    environment variable CM_ENGINE_SECRET, the same one for ever.
    """
    with opened(db, make=True) as engine:
        name, added = _registered(engine, program)
        enrolled = engine.enroll(
            participant=participant,
            program=name,
            start=start,
            by=by,
            zone=zone,
            before=_by_target(before or []),
            source=source,
            key=key,
            id=enrollment_id,
            site=site,
            again=again,
        )
        _show_enrolled(enrolled, engine.programs(), added=added, as_json=as_json)


def _by_target(values: list[tuple[str, list[Decimal]]]) -> dict[str, list[Decimal]]:
    found = dict(values)
    if len(found) < len(values):
        msg = "--before: expected each target once, with all its values: smoking=12,10.5"
        raise ReportError(msg)
    return found


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
    expected_last: LastOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a result, decide it, and say what to hand over.

    What is reported again under the same source and key is not decided again. A result that comes late is decided in
    its place, and what follows it anew.
    """
    seen = reported(result, event, observation, target, on, collected_at, resulted_at)
    refuse_unsaid(seen)
    with opened(db) as engine:
        done = engine.record(
            enrollment=enrollment, source=source, key=key, by=by, expected_last=expected_last, **seen
        )
        gateways = engine.goes_by(done)
    show(done, gateways, as_json=as_json)


@commands.command(
    epilog="Example: cm-engine amend --db sqlite:///clinic.db e-1 --record 1 --result + --why typo"
    " --source front-desk --key udt-778-b --by nurse-7"
)
def amend(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    record: RecordOption = None,
    record_source: RecordSourceOption = "",
    record_key: RecordKeyOption = "",
    result: ResultOption = "",
    event: EventOption = "",
    observation: ObservationOption = None,
    target: TargetOption = "",
    on: OnOption = None,
    collected_at: CollectedOption = None,
    resulted_at: ResultedOption = None,
    expected_last: LastOption = None,
    as_json: JsonOption = False,
) -> None:
    """Correct a recorded observation.

    What is left out stays as it was, and what follows is decided anew. Nothing that was handed over is taken back.
    """
    seen = reported(result, event, observation, target, on, collected_at, resulted_at)
    if not any(seen.values()):
        msg = "expected what is to be corrected: --result, --event, --observation, --target, --on or --collected-at"
        raise ReportError(msg)
    with opened(db) as engine:
        done = engine.amend(
            enrollment=enrollment,
            record=corrected(record, (record_source, source), record_key),
            why=why,
            source=source,
            key=key,
            by=by,
            expected_last=expected_last,
            **seen,
        )
        gateways = engine.goes_by(done)
    show(done, gateways, as_json=as_json)


@commands.command(
    epilog="Example: cm-engine void --db sqlite:///clinic.db e-1 --record 1 --why 'another patient'"
    " --source front-desk --key udt-778-c --by nurse-7"
)
def void(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    record: RecordOption = None,
    record_source: RecordSourceOption = "",
    record_key: RecordKeyOption = "",
    expected_last: LastOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a recorded observation back.

    It is decided as if it had never been made, and stays in the history.
    """
    with opened(db) as engine:
        done = engine.void(
            enrollment=enrollment,
            record=corrected(record, (record_source, source), record_key),
            why=why,
            source=source,
            key=key,
            by=by,
            expected_last=expected_last,
        )
        gateways = engine.goes_by(done)
    show(done, gateways, as_json=as_json)


@commands.command(
    "assert",
    epilog="Example: cm-engine assert --db sqlite:///clinic.db e-1 --awarded 0.00 --on 2026-01-05"
    " --source audit --key a-1 --by nurse-7",
)
def assert_awarded(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    awarded: AwardedOption,
    on: EndOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    unit: UnitOption = "",
    as_json: JsonOption = False,
) -> None:
    """Assert what had been awarded by the end of a day.

    If it is so, it is written down, and every audit looks at it again; if not, what is so is said.
    """
    with opened(db) as engine:
        done = engine.assert_awarded(
            enrollment=enrollment, amount=awarded, unit=unit, on=on, source=source, key=key, by=by
        )
    show(done, as_json=as_json)


@commands.command(epilog="Example: cm-engine preview --db sqlite:///clinic.db e-1")
def preview(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    on: NextDayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what each result of the next visit would pay.

    Nothing is written.
    """
    with opened(db) as engine:
        found, known = engine.preview(enrollment=enrollment, on=on), engine.statement(enrollment=enrollment)
    if as_json:
        form = {**journal.preview_form(enrollment, found), "offset": journal.offset_form(known)}
        sys.stdout.write(journal.one_line(form))
    else:
        screen().print(journal.preview_table(found))
        for line in journal.offset_text(known):
            typer.echo(line)


@commands.command(epilog="Example: cm-engine statement --db sqlite:///clinic.db e-1")
def statement(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    until: UntilOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what was earned, day by day, and where it is."""
    with opened(db) as engine:
        found = engine.statement(enrollment=enrollment, until=until)
    sys.stdout.write(journal.one_line(journal.statement_form(found)) if as_json else found.text())


@commands.command(epilog="Example: cm-engine history --db sqlite:///clinic.db e-1")
def history(enrollment: EnrollmentArgument, db: DatabaseOption, as_json: JsonOption = False) -> None:
    """Print every act, with the decisions it led to.

    Nothing is left out: what was amended or voided stands as it was recorded.
    """
    with opened(db) as engine:
        acts = engine.history(enrollment=enrollment)
    if as_json:
        sys.stdout.write(journal.one_line(journal.history_form(enrollment, acts)))
    else:
        _echo(journal.history_text(acts))


@commands.command(epilog="Example: cm-engine enrollments --db sqlite:///clinic.db")
def enrollments(
    db: DatabaseOption,
    participant: WhoseOption = "",
    site: SiteOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the enrollments as they stand today: by which version, where, and whether they go on."""
    with opened(db) as engine:
        found, programs = list(_enrollments(engine, participant, site)), engine.programs()
    if as_json:
        forms = [journal.enrollment_form(each, programs) for each in found]
        sys.stdout.write(journal.one_line({"enrollments": forms}))
    else:
        screen().print(journal.enrollments_table(found, programs))


@commands.command(epilog="Example: cm-engine verify --db sqlite:///clinic.db")
def verify(
    db: DatabaseOption,
    enrollment: Annotated[
        str, typer.Argument(metavar="[ENROLLMENT]", help="only this one", show_default=False)
    ] = "",
    heads: HeadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Audit everything: decide it all again, and compare.

    Prints what was looked at, and each difference on a line. Exits with 1 if there is one. With --heads FILE, what that
    file says of where logs ended has to be there still, and then it says where they end now.
    """
    with opened(db) as engine:
        found = _verified(engine, enrollment, kept_heads(heads) if heads else {})
    if heads and found.is_clean:
        keep_heads(heads, found.heads)
    if as_json:
        sys.stdout.write(journal.one_line(journal.verification_form(found)))
    else:
        _echo(journal.verification_text(found))
    if not found.is_clean:
        raise typer.Exit(1)


def _verified(engine: Engine, enrollment: str, heads: Mapping[str, str]) -> Verification:
    """Audit, with a progress bar where a person watches."""
    watched = Console(stderr=True)
    if not watched.is_terminal:
        return engine.verify(enrollment=enrollment, heads=heads)
    total = 1 if enrollment else sum(1 for _ in _enrollments(engine))
    with Progress(console=watched) as bar:
        task = bar.add_task("Verifying", total=total)
        return engine.verify(
            enrollment=enrollment, heads=heads, progress=lambda done: bar.update(task, completed=done)
        )


def _enrollments(engine: Engine, participant: str = "", site: str = "") -> Iterator[Enrollment]:
    """Yield all enrollments, read page by page."""
    after = ""
    while page := engine.enrollments(participant=participant, after=after, limit=PAGE, site=site):
        yield from page
        after = page[-1].id


def opened(db: str, *, make: bool = False) -> Engine:
    """Open the engine on a database, with the secret of the environment if there is one."""
    text = os.environ.get(SECRET, "")
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        msg = f"{SECRET}: expected hexadecimal digits, two for each byte; {_making_one()}"
        raise CmEngineError(msg) from None
    if secret and len(secret) < SECRET_BYTES:
        msg = f"{SECRET}: expected at least {SECRET_BYTES} bytes, got {len(secret)}; {_making_one()}"
        raise CmEngineError(msg)
    return Engine.open(db, secret=secret, people=os.environ.get(PEOPLE, ""), make=make, **tables_named())


def _making_one() -> str:
    code = f"import secrets; print(secrets.token_hex({SECRET_BYTES}))"
    return f"python -c '{code}' makes one, which has to stay the same for ever"


def reported(
    result: str,
    event: str,
    file: Path | None,
    target: str,
    on: date | None,
    collected_at: datetime | None,
    resulted_at: datetime | None,
) -> Reported:
    """Return what options say of an observation, together with the file that one of them names."""
    if sum(map(bool, (result, event, file))) > 1:
        msg = "expected --result SYMBOL, --event NAME or --observation FILE, only one of them"
        raise ReportError(msg)
    seen = _only_observation(file) if file else Observation(result, event=event)
    return {
        "result": seen.outcome,
        "target": _one_of("--target", target, seen.target, file),
        "event": seen.event,
        "evidence": seen.evidence,
        "on": _one_of("--on", on, seen.on, file),
        "collected_at": collected_at,
        "resulted_at": resulted_at,
    }


def _only_observation(file: Path) -> Observation:
    found = read_record(file, SeenSoFar)
    if found.before:
        msg = f"{file}: `before` belongs to the enrollment: cm-engine enroll --before TARGET=VALUES"
        raise ReportError(msg)
    if len(found.observations) != 1:
        msg = f"{file}: expected one observation, got {len(found.observations)}; record one after the other"
        raise ReportError(msg)
    return observation_of(found.observations[0])


def _one_of(option: str, given: Value, of_file: Value, file: Path | None) -> Value:
    """Return what an option or a file says; the two must not say different things."""
    if given and of_file and given != of_file:
        msg = f"{option}: got {given}, and {file} says {of_file}; leave one of them out"
        raise ReportError(msg)
    return given or of_file


def corrected(record: int | None, sources: tuple[str, str], key: str) -> Which:
    """Return what options say is corrected: the number of a record, or its source and key.

    Args:
        record: the number.
        sources: whose the key is said to be, and else is.
        key: the key.
    """
    if (record is None) == (not key):
        msg = "expected --record N or --record-key KEY: what is corrected, one of them"
        raise ReportError(msg)
    theirs, own = sources
    if record is not None and theirs:
        msg = "--record-source says whose --record-key it is; remove it, or name the record by its key"
        raise ReportError(msg)
    return (theirs or own, key) if record is None else record


def refuse_unsaid(seen: Reported) -> None:
    """Refuse options that do not say what was seen, or when."""
    if not (seen["result"] or seen["event"] or seen["evidence"]):
        msg = "expected --result SYMBOL, --event NAME or --observation FILE, one of them"
        raise ReportError(msg)
    if not (seen["on"] or seen["collected_at"]):
        msg = "expected --on DATE or --collected-at TIME: when it was"
        raise ReportError(msg)


def show(done: Recorded, by: Sequence[str] = (), *, as_json: bool) -> None:
    """Print what an act led to, and by which gateways it is handed over; without any, a person does."""
    if as_json:
        sys.stdout.write(journal.one_line({**journal.act_form(done), "goes_by": list(by)}))
    else:
        _echo(journal.act_text(done, by))


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
