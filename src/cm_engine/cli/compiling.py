"""The commands that write a program as a table for other languages, and tell how two programs differ."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cm_engine.cli.behaviors import RATE, BeginOption, MetOption
from cm_engine.cli.files import write
from cm_engine.cli.options import JsonOption
from cm_engine.cli.programs import find_program

commands = typer.Typer(rich_markup_mode=None)

ProgramArgument = Annotated[str, typer.Argument(metavar="PROGRAM", help="a catalogue id, or a program file")]
OutOption = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="the file to write; printed if left out")
]


@commands.command("compile", epilog="Example: cm-engine compile va-prize -o table.json")
def compile_program(program: ProgramArgument, output: OutOption = None, start: BeginOption = None) -> None:
    """Write a program as a small table that any language can run without a network.

    It has every state of the program, what each result pays in it and why, and where it leads; docs/table.md documents
    every field. A program in which rules depend on dates makes a table for one start.
    """
    from cm_engine.analysis import explore  # noqa: PLC0415 - numpy comes with an extra
    from cm_engine.analysis.tables.table import table_of, written  # noqa: PLC0415

    text = written(table_of(explore(find_program(program), start=start)))
    if output is None:
        sys.stdout.write(text)
        return
    write(output, text)
    typer.echo(f"{output} is written, {len(text.encode()):,} bytes")


@commands.command("compare", epilog="Example: cm-engine compare higgins-1994-voucher my-program.yaml")
def compare_programs(
    former: ProgramArgument,
    latter: Annotated[str, typer.Argument(metavar="OTHER", help="the one to compare it with")],
    *,
    met: MetOption = None,
    start: BeginOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how two programs differ.

    The shortest results on which they pay differently; what each pays at most and on average; and how many participants
    are paid differently, by the number of their lapses. The nth visit of a target is compared with the nth of the target
    of that name.
    """
    from cm_engine.analysis.tables.versus import compare  # noqa: PLC0415 - numpy comes with an extra
    from cm_engine.analysis.tables.versus_form import versus_form, versus_lines  # noqa: PLC0415

    found = compare(find_program(former), find_program(latter), met=met or RATE, start=start)
    if as_json:
        sys.stdout.write(json.dumps(versus_form(found), ensure_ascii=False, indent=1) + "\n")
        return
    for line in versus_lines(found):
        typer.echo(line)
