"""The command that measures clinical endpoints of a cohort."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich import box
from rich.table import Table

from cm_engine.cli.durable import opened
from cm_engine.cli.files import write
from cm_engine.cli.options import DATABASE, TargetOption
from cm_engine.cli.tables import screen
from cm_engine.endpoints.cohort import Person, enrolled_people
from cm_engine.endpoints.loading import endpoints as endpoints_of
from cm_engine.endpoints.picture import picture
from cm_engine.endpoints.survival import Curve, LogRank, Moment, log_rank, survival, times_of
from cm_engine.endpoints.telling import (
    Compared,
    Outcome,
    by_arm,
    compared,
    outcomes_of,
    refuse_undated,
    refuse_unknown,
    refuse_unsettled,
    summary,
    written,
)
from cm_engine.endpoints.words import read_words
from cm_engine.errors import ReportError
from cm_engine.outcomes.compiled import Value
from cm_engine.outcomes.model import EndpointSet
from cm_engine.spelling import counted

commands = typer.Typer(rich_markup_mode=None)

SMALLEST_P = 0.0001

Format = Literal["table", "csv", "json"]
Shown = tuple[Sequence[str], Sequence[Sequence[Value | str]]]
"""A header, and rows below it."""

FileArgument = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="CSV with the columns participant,results")
]
DbOption = Annotated[
    str,
    typer.Option(
        "--db", metavar="URL", envvar=DATABASE, help="without FILE: a database, such as sqlite:///clinic.db"
    ),
]
EndpointsOption = Annotated[
    str,
    typer.Option(
        "--endpoints", metavar="SET", help="ctn-0094, contingency-management, or a file of your own"
    ),
]
FormatOption = Annotated[
    Format, typer.Option("--format", help="a table of the cohort, or all values as CSV or JSON")
]
ProgramOption = Annotated[
    str,
    typer.Option(
        "--program", metavar="NAME", help="of a database: only of this one; an id, id@version or digest"
    ),
]
TrialOption = Annotated[
    str,
    typer.Option("--trial", metavar="TRIAL", help="of a database: the participants of a trial, by its arms"),
]
EveryOption = Annotated[
    int | None, typer.Option("--every", metavar="DAYS", min=1, help="of FILE: days from a visit to the next")
]
ArmOption = Annotated[
    str, typer.Option("--arm", metavar="COLUMN", help="of FILE: the column that says the arm")
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="ENDPOINT", help="only this endpoint; may be given again"),
]
SurvivalOption = Annotated[
    str,
    typer.Option(
        "--survival", metavar="ENDPOINT", help="print the survival table of a time to an event instead"
    ),
]
PictureOption = Annotated[
    Path | None,
    typer.Option("--picture", metavar="FILE", help="of --survival: write the curves there, as SVG"),
]
CompareOption = Annotated[bool, typer.Option("--compare", help="print how two arms differ instead")]


@commands.command(epilog="Example: cm-engine outcomes words.csv --endpoints ctn-0094 --format csv")
def outcomes(
    *,
    file: FileArgument = None,
    endpoints: EndpointsOption,
    db: DbOption = "",
    output: FormatOption = "table",
    program: ProgramOption = "",
    trial: TrialOption = "",
    target: TargetOption = "",
    every: EveryOption = None,
    arm: ArmOption = "",
    only: OnlyOption = None,
    survival: SurvivalOption = "",
    picture: PictureOption = None,
    compare: CompareOption = False,
) -> None:
    """Measure clinical endpoints of a cohort.

    The cohort is a FILE with a word of results for each participant, one symbol a visit, or the enrollments of a
    database. SET is a shipped set, or a YAML file with definitions. With --format csv each participant is a line and
    each endpoint a column; what has no value is empty. Survival and the comparison of times need the extra survival.
    """
    chosen = _chosen(endpoints, [*(only or []), *filter(None, [survival])])
    if file is not None:
        people = read_words(file, every=every, target=target, arm=arm)
    else:
        people = _enrolled(db, program, target, trial)
    refuse_unsettled(chosen, people, target)
    refuse_undated(chosen, people)
    found = outcomes_of(chosen, people)
    if survival:
        _show_survival(chosen, survival, found, output, picture)
    elif compare:
        arms = by_arm(found)
        _show(output, _comparison(tuple(arms), compared(chosen, arms)), _title(chosen, found))
    else:
        names = tuple(only or chosen.endpoints)
        _show(
            output,
            _cohort(chosen, names, found) if output == "table" else _each(names, found),
            _title(chosen, found),
        )


def _chosen(name: str, wanted: Sequence[str]) -> EndpointSet:
    """Return a set; if some of its endpoints are asked for, with these and what they look at."""
    chosen = endpoints_of(name)
    refuse_unknown(chosen, wanted)
    if not wanted:
        return chosen
    events = {each: chosen.endpoints[each].event_of for each in chosen.endpoints}
    kept = {*wanted, *(events[each] for each in wanted), *(each for each in events if events[each] in wanted)}
    return chosen.model_copy(
        update={"endpoints": {each: chosen.endpoints[each] for each in events if each in kept}}
    )


def _enrolled(db: str, program: str, target: str, trial: str) -> list[Person]:
    if not db:
        msg = "expected FILE, or --db URL: where the cohort is"
        raise ReportError(msg)
    with opened(db) as engine:
        return enrolled_people(engine, program=program, target=target, trial=trial)


def _title(chosen: EndpointSet, found: Sequence[Outcome]) -> str:
    return f"{chosen.title} ({chosen.set}), {counted(len(found), 'participant')}"


def _cohort(chosen: EndpointSet, names: Sequence[str], found: Sequence[Outcome]) -> Shown:
    arms = by_arm(found) or {"": []}
    rows = [
        [name, chosen.endpoints[name].says, *(summary(chosen, name, values) for values in arms.values())]
        for name in names
    ]
    return ["Endpoint", "What it tells", *(arm or "All" for arm in arms)], rows


def _each(names: Sequence[str], found: Sequence[Outcome]) -> Shown:
    return ["participant", *names], [
        [each.person.id, *(each.values[name] for name in names)] for each in found
    ]


def _comparison(arms: Sequence[str], found: Iterator[Compared]) -> Shown:
    rows = [
        [
            each.endpoint,
            each.first,
            each.second,
            _with_limits(each),
            f"log-rank {each.log_rank.chi_square:.2f}" if each.log_rank else "chi-square",
            _p(each),
        ]
        for each in found
    ]
    return ["Endpoint", *arms, "Difference (95%)", "Test", "p"], rows


def _with_limits(each: Compared) -> str:
    it = each.difference
    return f"{it.difference:.3f} ({it.low:.3f} to {it.high:.3f})" if it else ""


def _p(each: Compared) -> str:
    found = each.difference or each.log_rank
    return "" if found is None else _written_p(found.p)


def _written_p(p: float) -> str:
    return f"{p:.4f}" if p >= SMALLEST_P else f"< {SMALLEST_P}"


def _show_survival(
    chosen: EndpointSet, name: str, found: Sequence[Outcome], output: Format, file: Path | None
) -> None:
    times = {arm: times_of(chosen, name, values) for arm, values in by_arm(found).items()}
    curves = [survival(each, arm) for arm, each in times.items()]
    title = f"{chosen.endpoints[name].says}: share without it"
    if file is not None:
        write(file, picture(title, curves, chosen.endpoints[name].unit))
    _show(output, _moments(curves), title)
    if output == "table" and len(curves) > 1 and any(curve.events for curve in curves):
        typer.echo(_tested(log_rank(list(times.values()))))


def _tested(found: LogRank) -> str:
    freedom = "1 degree" if found.freedom == 1 else f"{found.freedom} degrees"
    return f"Log-rank test of the arms: chi-square {found.chi_square:.2f}, {freedom} of freedom, p {_written_p(found.p)}"


def _moments(curves: Sequence[Curve]) -> Shown:
    header = ["arm", "time", "at_risk", "events", "censored", "survival", "low", "high"]
    return header, [[curve.arm, *_figures(each)] for curve in curves for each in curve.moments]


def _figures(each: Moment) -> Iterator[Value]:
    yield from (each.time, each.at_risk, each.events, each.censored)
    yield from (round(share, 6) for share in (each.survival, each.low, each.high))


def _show(output: Format, shown: Shown, title: str) -> None:
    header, rows = shown
    if output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_cell(each) for each in row] for row in rows)
    elif output == "json":
        for row in rows:
            sys.stdout.write(json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) + "\n")
    else:
        table = Table(*header, box=box.SIMPLE, title=title, title_justify="left")
        for row in rows:
            table.add_row(*map(_cell, row))
        screen().print(table)


def _cell(value: Value | str) -> str:
    return value if isinstance(value, str) else written(value)
