"""The command that tells what a program costs before anyone enrols."""

import json
import sys
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
from cm_engine.cli.options import JsonOption
from cm_engine.cli.programs import find_program
from cm_engine.cli.tables import screen

commands = typer.Typer(rich_markup_mode=None)

ProgramArgument = Annotated[str, typer.Argument(metavar="PROGRAM", help="a catalogue id, or a program file")]


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
    as_json: JsonOption = False,
) -> None:
    """Tell what a program costs and how it can fail, exactly.

    Every state of the program is looked at, and what is said is arithmetic on all of them: the most and the least that
    it can pay, with results that lead there; what it pays on average, and how that spreads; how likely each limit is
    reached; and what was proved, or found wrong.

    Results are likely as --p-met says (0.8 if left out), or as lapses and recoveries come (--p-lapse with --p-recover),
    or as they did in a file (--rates-from); --p-leave adds leaving for good.
    """
    from cm_engine.cli import analyzing  # noqa: PLC0415 - numpy comes with an extra

    asked = Asked(met, lapse, recover, leave, events, rates)
    analysis = analyzing.analyzed(find_program(program), asked, start)
    if as_json:
        sys.stdout.write(json.dumps(analyzing.form(analysis), ensure_ascii=False, indent=1) + "\n")
    else:
        screen().print(analyzing.page(analysis))


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
) -> None:
    """Write the design report: one page to show to a funder or an ethics board.

    The schedule in plain words, the curve of rewards, earnings by the share of visits met, the distribution of costs
    with its limits, example timelines, proofs and findings, and sources. The page fetches nothing and runs nothing.
    """
    from cm_engine.cli import analyzing  # noqa: PLC0415 - numpy comes with an extra

    asked = Asked(met, lapse, recover, leave, events, rates)
    write(output, analyzing.report(analyzing.analyzed(find_program(program), asked, start)))
    typer.echo(f"{output} is written")
