"""The commands for participants who move: export an enrollment, look at its bundle, and import it elsewhere."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cm_engine.bundles.bundle import Bundle
from cm_engine.bundles.checking import KEY_BYTES, read_bundle
from cm_engine.cli.durable import opened
from cm_engine.cli.journal import enrolled_text, enrollment_form, one_line
from cm_engine.cli.options import (
    ByOption,
    DatabaseOption,
    EnrollmentArgument,
    IdOption,
    JsonOption,
    KeyOption,
    SourceOption,
    WhyOption,
)
from cm_engine.errors import CmEngineError
from cm_engine.spelling import counted

SHARED_KEY = "CM_ENGINE_SEAL"

commands = typer.Typer(rich_markup_mode=None)
bundle = typer.Typer(help="Look at the bundle of an enrollment.", no_args_is_help=True, rich_markup_mode=None)

AT = "--db sqlite:///clinic.db"
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="a bundle that `export` wrote")]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="the file to write; only you can read it")
]
ToOption = Annotated[str, typer.Option("--to", metavar="CLINIC", help="whom it is for")]
ConsentOption = Annotated[
    str, typer.Option("--consent", metavar="ID", help="your reference to the participant's consent")
]
CopyOption = Annotated[
    bool, typer.Option("--copy", help="the enrollment goes on here, and the bundle is only to look at")
]
SamePersonOption = Annotated[
    bool,
    typer.Option(
        "--same-participant", help="whoever is known here under the participant's id is the same person"
    ),
]
ZoneOption = Annotated[
    str, typer.Option("--zone", metavar="ZONE", help="that it is expected to have", show_default=False)
]


@commands.command(
    epilog=f"Example: cm-engine export {AT} e-1 --out e-1.json --to harbor-clinic --why 'moved to Oakland'"
    " --consent c-31 --source front-desk --key x-1 --by nurse-7"
)
def export(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    out: OutOption,
    to: ToOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    consent: ConsentOption = "",
    copy: CopyOption = False,
    as_json: JsonOption = False,
) -> None:
    """Export an enrollment to a file, for a clinic with another database.

    It is over here from then on. Asked for again under the same source and key, it gives the same file. The key that
    you share with the other clinic, in hexadecimal digits, stands in the environment variable CM_ENGINE_SEAL.
    """
    if not out.absolute().parent.is_dir():  # before it has left
        msg = f"--out: there is no folder {out.parent}; make it first, nothing is exported yet"
        raise CmEngineError(msg)
    with opened(db) as engine:
        found = engine.export(
            enrollment=enrollment,
            to=to,
            why=why,
            by=by,
            source=source,
            key=key,
            consent=consent,
            leave=not copy,
            seal_with=_shared_key(),
        )
    found.write(out)
    _show(found, as_json=as_json)


@commands.command(
    "import-bundle",
    epilog=f"Example: cm-engine import-bundle {AT} e-1.json --source front-desk --key in-1 --by nurse-2",
)
def import_bundle(
    file: FileArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    zone: ZoneOption = "",
    enrollment_id: IdOption = "",
    same_participant: SamePersonOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take an enrollment from a file, and go on with it.

    The whole file is looked at first, and its log decided again: what is not as it should be changes nothing. The same
    file again is the same enrollment.
    """
    with opened(db, make=True) as engine:
        found = engine.import_bundle(
            file,
            by=by,
            source=source,
            key=key,
            zone=zone,
            id=enrollment_id,
            same_participant=same_participant,
            seal_with=_shared_key(),
        )
        programs = engine.programs()
    if as_json:
        sys.stdout.write(one_line(enrollment_form(found, programs)))
        return
    for line in enrolled_text(found, programs):
        typer.echo(line)


@bundle.command(epilog="Example: cm-engine bundle check e-1.json")
def check(file: FileArgument, as_json: JsonOption = False) -> None:
    """Check a bundle without a database: its seals, its hashes, and its log, decided again.

    Prints what it holds. What is not as it should be is said, with exit status 2.
    """
    _show(read_bundle(file, seal_with=_shared_key()), as_json=as_json)


def _shared_key() -> bytes:
    """Return the key that two hosts share, from the environment; empty for none."""
    try:
        return bytes.fromhex(os.environ.get(SHARED_KEY, ""))
    except ValueError:
        msg = f"{SHARED_KEY}: expected hexadecimal digits, two for each of {KEY_BYTES} bytes or more"
        raise CmEngineError(msg) from None


def _show(found: Bundle, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(one_line(_form(found)))
        return
    for line in _lines(found):
        typer.echo(line)


def _form(found: Bundle) -> dict[str, Any]:
    return {
        "enrollment": found.enrollment,
        "participant": found.participant,
        "program": found.rows.enrollment.program,
        "records": len(found.rows.records),
        "decisions": len(found.rows.decisions),
        "exported": found.exported,
        "stands": found.stands,
        "head": found.head,
        "sealed_with_key": found.is_proved,
        "seal": found.seal,
    }


def _lines(found: Bundle) -> Iterator[str]:
    told, rows = found.exported, found.rows
    counts = f"{counted(len(rows.records), 'record')}, {counted(len(rows.decisions), 'decision')}"
    program = rows.programs[-1]
    yield f"{found.participant}, {found.enrollment}, {program.program}@{program.version}: {counts}"
    how = "left" if found.leaves else "copied"
    yield f"{how.capitalize()} on {found.on:%a %d %b %Y} for {told['to']}: {told['why']} (by {told['by']})"
    yield f"Consent: {told['consent'] or 'none is named'}"
    year = found.stands["year"]
    sums = ", ".join(f"{amount} {unit}" for unit, amount in year["awarded"].items()) or "nothing"
    yield f"Awarded in {year['year']}: {sums}"
    for unit, balance in found.stands["balances"].items():
        yield f"{unit}: {balance['owed']} owed, {balance['in_flight']} in flight"
    proved = "with the key that the two clinics share" if found.is_proved else "without a key"
    yield f"Sealed {proved}: {found.seal}"
