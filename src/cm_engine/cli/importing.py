"""The command that brings in the dated results of a CSV file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from cm_engine.cli.durable import opened
from cm_engine.cli.journal import one_line
from cm_engine.cli.options import ByOption, DatabaseOption, JsonOption, SourceOption
from cm_engine.importing import Imported, import_results
from cm_engine.importing.results import Progress
from cm_engine.spelling import counted

LOOKING = "Looking at lines"

commands = typer.Typer(rich_markup_mode=None)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="CSV in UTF-8, with a header")]
LocalZoneOption = Annotated[
    str,
    typer.Option(
        "--zone",
        metavar="ZONE",
        help="of times without an offset: a zone, or `enrollment` for that of each; if left out, they are refused",
    ),
]
DelimiterOption = Annotated[
    str, typer.Option("--delimiter", metavar="D", help=", ; or tab; if left out, as in the header")
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", help="write refused lines there, to be corrected and imported again"
    ),
]
BatchOption = Annotated[
    int, typer.Option("--batch", metavar="N", help="as many lines are recorded in one transaction")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="look at the file and its lines; write nothing")
]
ProgressOption = Annotated[
    bool, typer.Option("--progress/--no-progress", help="show how far it is, where a person watches")
]


@commands.command(
    "import",
    epilog="Example: cm-engine import results.csv --db sqlite:///clinic.db --by import-1 --source lab",
)
def import_file(  # noqa: PLR0913 - one parameter for each option
    *,
    file: FileArgument,
    db: DatabaseOption,
    by: ByOption,
    source: SourceOption = "csv",
    zone: LocalZoneOption = "",
    delimiter: DelimiterOption = "",
    report: ReportOption = None,
    batch: BatchOption = 100,
    dry_run: DryRunOption = False,
    progress: ProgressOption = True,
    as_json: JsonOption = False,
) -> None:
    """Record the dated results of a CSV file.

    If the file is wrong as a whole, nothing is recorded. A line that is wrong is refused, and the rest goes on.
    Interrupted and started again, it goes on; what is recorded is not recorded twice. Columns: enrollment, or
    participant and program; result, event, value or panel.ANALYTE; on or collected_at; and target, condition, excuse,
    prescribed, presumptive, choice, group, resulted_at, zone, key, source. Exits with 1 if a line was refused.
    """
    with opened(db) as engine, _shown(wanted=progress) as show:
        done = import_results(
            engine,
            file,
            by=by,
            source=source,
            zone=zone,
            delimiter=delimiter,
            batch=batch,
            dry_run=dry_run,
            report=report,
            progress=show,
        )
    said = (
        one_line(imported_form(done, dry_run=dry_run)) if as_json else _lines(done, report, dry_run=dry_run)
    )
    sys.stdout.write(said)
    if done.refused_lines:
        raise typer.Exit(1)


@contextmanager
def _shown(*, wanted: bool) -> Iterator[Progress]:
    """Give what shows how far an import is: a bar, where a person watches."""
    console = Console(stderr=True)
    if not (wanted and console.is_terminal):
        yield lambda _: None
        return
    counts = TextColumn(
        "{task.fields[refused]} refused, {task.fields[repeated]} repeated, {task.fields[rate]}/s"
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), counts)
    with Bar(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(LOOKING, total=None, refused=0, repeated=0, rate=0)
        yield lambda so_far: _show(bar, task, so_far)


def _show(bar: Bar, task: Any, so_far: Imported) -> None:  # noqa: ANN401 - rich's own
    is_recording = bool(so_far.recorded or so_far.repeated)
    doing = "Recording" if is_recording else LOOKING
    if bar.tasks[0].description != doing:
        bar.reset(task, description=doing, total=so_far.lines)
    bar.update(
        task,
        completed=so_far.done if is_recording else so_far.lines,
        refused=so_far.refused_lines,
        repeated=so_far.repeated,
        rate=round(bar.tasks[0].speed or 0),
    )


def imported_form(done: Imported, *, dry_run: bool) -> dict[str, Any]:
    """Return what an import came to, as data."""
    return {
        "dry_run": dry_run,
        "lines": done.lines,
        "recorded": done.recorded,
        "repeated": done.repeated,
        "refused": done.refused_lines,
        "awarded": {unit: f"{amount:f}" for unit, amount in done.awarded.items()},
        "missed": done.missed,
        "unplaced": done.unplaced,
        "refusals": [
            {
                "line": each.line,
                "text": each.text,
                "problems": [
                    {
                        "file": at.file,
                        "line": at.line,
                        "column": at.column,
                        "name": at.path,
                        "message": at.message,
                    }
                    for at in each.problems
                ],
            }
            for each in done.refused
        ],
    }


def _lines(done: Imported, report: Path | None, *, dry_run: bool) -> str:
    """Return what an import came to, as a person reads it."""
    return "".join(f"{line}\n" for line in _told(done, report, dry_run=dry_run))


def _told(done: Imported, report: Path | None, *, dry_run: bool) -> Iterator[str]:
    lines = counted(done.lines, "line")
    if dry_run:
        yield f"Looked at {lines}: {done.refused_lines} refused, and nothing was written"
        yield "Whether each result fits its program, and what is recorded already, shows when it is imported."
    else:
        counts = f"{done.recorded} recorded, {done.repeated} repeated, {done.refused_lines} refused"
        yield f"Looked at {lines}: {counts}"
        sums = ", ".join(f"{amount:f} {unit}" for unit, amount in done.awarded.items())
        yield f"Awarded by them: {sums or 'nothing'}"
        if done.missed:
            yield f"They show that nobody came to {counted(done.missed, 'visit')}."
        if done.unplaced:
            results = counted(done.unplaced, "result")
            yield f"Of them {results} fit no visit, and wait for an answer: cm-engine questions"
    yield from map(str, done.refused)
    if (left := done.refused_lines - len(done.refused)) > 0:
        yield f"and {left} more"
    if done.refused_lines and report:
        yield f"They are in {report}, with the reason; correct them there, and import that file"
