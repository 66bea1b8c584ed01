"""The command that tells what a program costs before anyone enrols."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Annotated

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
from cm_engine.cli.files import write
from cm_engine.cli.options import JsonOption, reader
from cm_engine.cli.programs import find_program
from cm_engine.cli.tables import screen
from cm_engine.program.values import day

commands = typer.Typer(rich_markup_mode=None)

ProgramArgument = Annotated[str, typer.Argument(metavar="PROGRAM", help="a catalogue id, or a program file")]
SilenceOption = Annotated[
    Path | None,
    typer.Option("--silence", metavar="FILE", help="YAML: the rules whose findings are known, each with why"),
]
LinesOption = Annotated[
    date | None,
    typer.Option(
        "--on", metavar="DATE", help="the day whose lines of funders and law hold", parser=reader("--on", day)
    ),
]


@commands.command("analyze", epilog="Example: cm-engine analyze va-prize --p-met 0.8")
def analyze_program(
    program: ProgramArgument,
    met: MetOption = None,
    lapse: LapseOption = None,
    recover: RecoverOption = None,
    leave: DropOption = None,
    events: EventOption = None,
    rates: RatesOption = None,
    start: BeginOption = None,
    silences: SilenceOption = None,
    on: LinesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a program costs and how it can fail, exactly.

    Every state of the program is looked at, and what is said is arithmetic on all of them: the most and the least that
    it can pay, with results that lead there; what it pays on average, and how that spreads; how likely each limit is
    reached; and what was proved, or found wrong.

    Results are likely as --p-met says (0.8 if left out), or as lapses and recoveries come (--p-lapse with --p-recover),
    or as they did in a file (--rates-from); --p-leave adds leaving for good.
    """
    from cm_engine.analysis.form import analysis_form  # noqa: PLC0415 - numpy comes with an extra
    from cm_engine.cli import analyzing  # noqa: PLC0415

    asked = Asked(met, lapse, recover, leave, events, rates)
    analysis = analyzing.analyzed(find_program(program), asked, start)
    found = analyzing.found(analysis, silences, on)
    if as_json:
        sys.stdout.write(json.dumps(analysis_form(analysis, found), ensure_ascii=False, indent=1) + "\n")
    else:
        screen().print(analyzing.page(analysis, found))


OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="the page to write", dir_okay=False)
]


@commands.command("report", epilog="Example: cm-engine report va-prize -o report.html")
def report_program(
    program: ProgramArgument,
    output: OutputOption,
    met: MetOption = None,
    lapse: LapseOption = None,
    recover: RecoverOption = None,
    leave: DropOption = None,
    events: EventOption = None,
    rates: RatesOption = None,
    start: BeginOption = None,
    silences: SilenceOption = None,
    on: LinesOption = None,
) -> None:
    """Write the design report: one page to show to a funder or an ethics board.

    The schedule in plain words, the curve of rewards, earnings by the share of visits met, the distribution of costs
    with its limits, example timelines, proofs and findings, and sources. The page fetches nothing and runs nothing.
    """
    from cm_engine.cli import analyzing  # noqa: PLC0415 - numpy comes with an extra
    from cm_engine.reports.design import design_report  # noqa: PLC0415

    asked = Asked(met, lapse, recover, leave, events, rates)
    analysis = analyzing.analyzed(find_program(program), asked, start)
    write(output, design_report(analysis, analyzing.found(analysis, silences, on)))
    typer.echo(f"{output} is written")
