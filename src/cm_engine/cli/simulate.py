"""The commands that simulate a cohort, replay one under another program, and budget for one."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cm_engine.cli.behaviors import (
    Asked,
    BeginOption,
    DropOption,
    EventOption,
    LapseOption,
    MetOption,
    RatesOption,
    RecoverOption,
)
from cm_engine.cli.options import JsonOption
from cm_engine.cli.programs import find_program
from cm_engine.cli.tables import screen
from cm_engine.errors import ResultsError

commands = typer.Typer(rich_markup_mode=None)

ProgramArgument = Annotated[str, typer.Argument(metavar="PROGRAM", help="a catalogue id, or a program file")]
ParticipantsOption = Annotated[
    int, typer.Option("--participants", metavar="N", help="how many are simulated")
]
SeedOption = Annotated[
    int, typer.Option("--seed", metavar="S", help="chance comes from it: the same seed, the same answer")
]
WorkersOption = Annotated[
    int, typer.Option("--workers", metavar="N", help="how many processes share the work")
]
DaskOption = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="the scheduler of a Dask cluster that does the work"),
]


FileOption = Annotated[
    Path, typer.Option("--file", metavar="FILE", help="a CSV file with the columns participant,results")
]
ColumnsOption = Annotated[
    str,
    typer.Option("--columns", metavar="NAME,NAME", help="how the file calls the columns participant,results"),
]
PAIR = 2
AllOption = Annotated[
    int | None, typer.Option("--participants", metavar="N", help="so many start in the first month")
]
CurveOption = Annotated[
    str | None,
    typer.Option("--enrol", metavar="CURVE", help="how many start in each month: 10,20,20; or 12x10"),
]
QuarterOption = Annotated[bool, typer.Option("--quarters", help="the curve is by quarters")]
SureOption = Annotated[
    str, typer.Option("--sure", metavar="P", help="the chance of staying within, such as 0.9")
]


@commands.command("simulate", epilog="Example: cm-engine simulate va-prize --participants 100000 --p-met 0.8")
def simulate_cohort(
    program: ProgramArgument,
    participants: ParticipantsOption = 10_000,
    met: MetOption = None,
    lapse: LapseOption = None,
    recover: RecoverOption = None,
    leave: DropOption = None,
    events: EventOption = None,
    rates: RatesOption = None,
    start: BeginOption = None,
    seed: SeedOption = 0,
    workers: WorkersOption = 1,
    cluster: DaskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate what participants of a program are paid.

    Every decision is what the program decides: looked up in a table that was filled by it, or where there are too many
    states for that, made one by one. Prizes are drawn with the chances of the full bowl.

    The mean comes with its standard error, as chance is simulated; analyze tells it exactly.
    """
    from cm_engine.cli import costing  # noqa: PLC0415 - numpy comes with an extra

    found = costing.simulated(
        find_program(program),
        Asked(met, lapse, recover, leave, events, rates),
        start,
        participants=participants,
        seed=seed,
        workers=workers,
        cluster=cluster,
    )
    _print(costing.simulation_form(found) if as_json else costing.simulation_page(found))


@commands.command("what-if", epilog="Example: cm-engine what-if va-prize --file trial.csv")
def what_if_replayed(
    program: ProgramArgument,
    file: FileOption,
    columns: ColumnsOption = "participant,results",
    start: BeginOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what participants would have earned under a program, with the results that they had.

    The file has a line for each participant, with one symbol a visit, and if needed the columns start and target; all
    other columns are passed over. Results beyond the plan are dropped. Nobody's behavior is taken to change with the
    program.
    """
    from cm_engine.cli import costing  # noqa: PLC0415 - numpy comes with an extra

    found = costing.replayed(find_program(program), file, _pair(columns), start)
    _print(costing.what_if_form(found) if as_json else costing.what_if_page(found))


def _pair(columns: str) -> tuple[str, str]:
    names = [name.strip().lower() for name in columns.split(",")]
    if len(names) != PAIR or not all(names) or names[0] == names[1]:
        msg = f"--columns: expected two names, such as who,use_pattern, got {columns!r}"
        raise ResultsError(msg)
    return names[0], names[1]


@commands.command("budget", epilog="Example: cm-engine budget higgins-1994-voucher --enrol 12x10 --p-met 0.8")
def budget_program(
    program: ProgramArgument,
    participants: AllOption = None,
    curve: CurveOption = None,
    quarters: QuarterOption = False,
    sure: SureOption = "0.9",
    met: MetOption = None,
    lapse: LapseOption = None,
    recover: RecoverOption = None,
    leave: DropOption = None,
    events: EventOption = None,
    rates: RatesOption = None,
    start: BeginOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a program costs month by month, and the sum to be sure of.

    Participants start on the first day of a month, as many as the curve says, and each is paid as the program pays one:
    the sums are those of all of them together, exactly, with no normal curve.
    """
    from cm_engine.cli import costing  # noqa: PLC0415 - numpy comes with an extra

    asked, every = Asked(met, lapse, recover, leave, events, rates), "quarter" if quarters else "month"
    found = costing.budgeted(find_program(program), asked, start, _curve(participants, curve), every, sure)
    _print(costing.budget_form(found) if as_json else costing.budget_page(found))


def _curve(participants: int | None, curve: str | None) -> list[int]:
    if (participants is None) == (curve is None):
        msg = "expected --participants N or --enrol CURVE, one of them"
        raise ResultsError(msg)
    if curve is None:
        return [participants or 0]
    return [count for part in curve.split(",") for count in _counts(part.strip(), curve)]


def _counts(part: str, curve: str) -> list[int]:
    """Return the numbers of a part of a curve: 10, or 12x10 for twelve times ten."""
    times, sign, count = part.rpartition("x")
    numbers = [times, count] if sign else [count]
    if not all(each.isascii() and each.isdigit() for each in numbers):
        msg = f"--enrol: expected how many start in each month, such as 10,20,20 or 12x10, got {curve!r}"
        raise ResultsError(msg)
    return [int(count)] * (int(times) if sign else 1)


def _print(what: Any) -> None:  # noqa: ANN401 - data, or a page of rich
    if isinstance(what, dict):
        sys.stdout.write(json.dumps(what, ensure_ascii=False, indent=1) + "\n")
    else:
        screen().print(what)
