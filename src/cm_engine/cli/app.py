"""The commands and their options; each does one thing and prints it."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import PydanticCustomError
from rich.console import Console
from rich.progress import track

from cm_engine import __version__
from cm_engine import catalogue as programs
from cm_engine.cases import case_problems, observation
from cm_engine.cli import (
    analyze,
    bank,
    bundles,
    compiling,
    contacts,
    database,
    delivery,
    episodes,
    importing,
    intake,
    outcomes,
    people,
    reports,
    simulate,
    sites,
    stock,
    trials,
    worker,
)
from cm_engine.cli.curves import curve
from cm_engine.cli.durable import commands
from cm_engine.cli.forms import timeline_json
from cm_engine.cli.keys import keys_page
from cm_engine.cli.pages import index_page, program_page
from cm_engine.cli.programs import find_program, find_text, refuse_absent
from cm_engine.cli.records import DrawRecord, SeenSoFar, read_record
from cm_engine.cli.results import Participant, read_results
from cm_engine.cli.tables import cases_table, catalogue_table, cohort_table, explained, screen, timeline_table
from cm_engine.dated import taken_otherwise
from cm_engine.errors import CmEngineError, ProgramError, ResultsError
from cm_engine.program import Program, json_schema
from cm_engine.program.extending import differences
from cm_engine.program.values import day
from cm_engine.rules import Rules, Timeline, compile_rules, decide
from cm_engine.rules.prizes import Drawn, full_bowl, misdrawn
from cm_engine.rules.timeline import Results

app = typer.Typer(
    help="Decide contingency-management rewards by a program, exactly, and say why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(commands)
app.add_typer(episodes.commands)
app.add_typer(bank.commands)
app.add_typer(importing.commands)
app.add_typer(intake.commands)
app.add_typer(analyze.commands)
app.add_typer(compiling.commands)
app.add_typer(outcomes.commands)
app.add_typer(simulate.commands)
app.add_typer(intake.review, name="review")
app.add_typer(delivery.commands)
app.add_typer(delivery.payout, name="payout")
app.add_typer(worker.commands)
app.add_typer(database.commands, name="db")
app.add_typer(trials.commands, name="trial")
app.add_typer(sites.commands, name="site")
app.add_typer(stock.commands, name="stock")
app.add_typer(bundles.commands)
app.add_typer(bundles.bundle, name="bundle")
app.add_typer(people.commands)
app.add_typer(people.staff, name="staff")
app.add_typer(contacts.commands, name="contact")
app.add_typer(reports.commands, name="reports")


def _version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        typer.echo(f"cm-engine {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Decide contingency-management rewards by a program, exactly, and say why."""


ProgramArgument = Annotated[str, typer.Argument(metavar="PROGRAM", help="a catalogue id, or a program file")]
WordsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--results", metavar="WORD", help="one symbol a visit: - + o e * r _; of several targets NAME=WORD"
    ),
]
SeenOption = Annotated[
    Path | None,
    typer.Option("--observations", metavar="FILE", help="a file with observations, written as in a case"),
]
StartOption = Annotated[
    str | None, typer.Option("--start", metavar="DATE", help="the first day of week 1, such as 2026-01-05")
]
TruncateOption = Annotated[bool, typer.Option("--truncate", help="drop results beyond the plan")]
DECIDING = {
    "currency",
    "units",
    "visits",
    "closures",
    "targets",
    "milestones",
    "deposit",
    "bowls",
    "hat",
    "limits",
    "payout",
}
"""The keys of a program that decide what is paid; the others say where it comes from and what is expected of it."""

JsonOption = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="a CSV file with the columns participant,results"),
]


@app.command(epilog="Example: cm-engine run california-recovery-incentives --results ------+----")
def run(
    program: ProgramArgument,
    results: WordsOption = None,
    observations: SeenOption = None,
    file: FileOption = None,
    start: StartOption = None,
    truncate: TruncateOption = False,
    as_json: JsonOption = False,
) -> None:
    """Decide the results of participants.

    Those of one are a WORD (--results), with one symbol a visit:
    - met, + positive, o missed, e excused, * invalid, r refused, _ not required;
    for several targets a NAME=WORD each; or observations (--observations), written as in a case.
    Those of many are a CSV file (--file) with the columns participant,results and, if needed, start and target.

    Without a start the timeline has no dates, and limits of a calendar year count it as one year.
    """
    if sum(each is not None for each in (results or None, observations, file)) != 1:
        msg = "expected --results WORD, --observations FILE or --file FILE, one of them"
        raise ResultsError(msg)
    rules = compile_rules(find_program(program))
    begin = _day(start)
    if file is not None:
        _run_file(rules, file, begin, truncate=truncate, as_json=as_json)
        return
    timeline = _timeline(rules.program, results or observations, begin, truncate=truncate)
    if as_json:
        sys.stdout.write(timeline_json(rules, timeline) + "\n")
    else:
        screen().print(timeline_table(rules, timeline))


def _run_file(rules: Rules, file: Path, start: date | None, *, truncate: bool, as_json: bool) -> None:
    participants = read_results(file, rules, start, truncate=truncate)
    decided = list(_decided(rules, participants))
    if as_json:
        for participant, timeline in decided:
            sys.stdout.write(timeline_json(rules, timeline, participant.participant) + "\n")
    else:
        screen().print(cohort_table(rules, decided))


def _decided(rules: Rules, participants: Iterable[Participant]) -> Iterator[tuple[Participant, Timeline]]:
    """Decide participant after participant, with a progress bar where a person watches."""
    watched = Console(stderr=True)
    for participant in track(participants, "Deciding", console=watched, disable=not watched.is_terminal):
        try:
            timeline = decide(rules.program, participant.results, start=participant.start)
        except ResultsError as error:
            msg = f"participant {participant.participant}: {error}"
            raise ResultsError(msg) from error
        yield participant, timeline


@app.command(epilog="Example: cm-engine explain va-prize --results ---e-o--")
def explain(
    program: ProgramArgument,
    results: WordsOption = None,
    observations: SeenOption = None,
    start: StartOption = None,
    truncate: TruncateOption = False,
) -> None:
    """Say in words what was paid and why."""
    if bool(results) == (observations is not None):
        msg = "expected --results WORD or --observations FILE, one of them"
        raise ResultsError(msg)
    chosen = find_program(program)
    timeline = _timeline(chosen, results or observations, _day(start), truncate=truncate)
    for line in explained(compile_rules(chosen), timeline):
        typer.echo(line)


@app.command(epilog="Example: cm-engine check my-program.yaml")
def check(
    names: Annotated[list[str], typer.Argument(metavar="FILE...", help="program files, or catalogue ids")],
) -> None:
    """Check program files and their cases.

    Exits with 1 on any problem.
    """
    for name in names:
        refuse_absent(name)
    passed = [_check(name) for name in names]
    if not all(passed):
        raise typer.Exit(1)


def _check(name: str) -> bool:
    try:
        program, problems = case_problems(find_text(name), name)
    except ProgramError as error:
        for problem in error.problems:
            typer.echo(str(problem))
        return False
    for problem in filter(None, problems):
        typer.echo(str(problem))
    screen().print(cases_table(program, problems))
    return not any(problems)


@app.command(epilog="Example: cm-engine schema > program.schema.json")
def schema() -> None:
    """Print the JSON Schema for an editor."""
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@app.command(epilog="Example: cm-engine diff romanowich-2015-fixed romanowich-2015-escalating")
def diff(
    former: Annotated[str, typer.Argument(metavar="PROGRAM", help="a catalogue id, or a program file")],
    latter: Annotated[str, typer.Argument(metavar="OTHER", help="the one to compare it with")],
) -> None:
    """Print how two programs differ.

    A line for each value that decides something: its path, what it is in the first, and what it is in the other.
    """
    first, other = (
        find_program(name).model_dump(mode="json", exclude_defaults=True, include=DECIDING)
        for name in (former, latter)
    )
    for path, old, new in differences(first, other):
        typer.echo(f"{path}: {_or_nothing(old)} -> {_or_nothing(new)}")


def _or_nothing(value: object) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "nothing" if value is None else str(value)


@app.command(epilog="Example: cm-engine new my-program.yaml")
def new(file: Annotated[Path, typer.Argument(metavar="FILE", help="the file to write")]) -> None:
    """Begin a program file, with comments."""
    text = (files("cm_engine.cli") / "starter.yaml").read_text("utf-8")
    try:
        with file.open("x", encoding="utf-8") as begun:
            begun.write(text.replace("PROGRAM ", f"{program_id(file)} "))
    except OSError as error:
        msg = f"{file}: cannot be written: {error.strerror}"
        raise CmEngineError(msg) from error
    shown = file if len(file.parts) > 1 else f"./{file}"
    typer.echo(f"{file} is begun; change what you need, then: cm-engine check {shown}")


def program_id(file: Path) -> str:
    """Return the id that the name of a file suggests."""
    name = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:60].strip("-")
    return name if re.match(r"[a-z]+-", name) else f"program-{name}".strip("-")


@app.command(epilog="Example: cm-engine pages my-folder")
def pages(folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where to write them")]) -> None:
    """Write a page for each published program.

    Each has its rewards as a picture, its readings, the marks of its values, its cases and its sources.
    """
    published = [programs.program(each) for each in programs.program_ids()]
    texts = {"README.md": index_page(published)}
    for each in published:
        texts |= {f"{each.program}.md": program_page(each), f"{each.program}.svg": curve(each)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        msg = f"{folder}: cannot be written: {error.strerror}"
        raise CmEngineError(msg) from error
    typer.echo(f"{len(published)} pages are in {folder}")


@app.command(epilog="Example: cm-engine keys va-prize")
def keys(
    example: Annotated[str, typer.Argument(metavar="PROGRAM", help="the program to take examples from")],
) -> None:
    """Print a page with every key of a file."""
    typer.echo(keys_page(find_text(example)), nl=False)


@app.command(epilog="Example: cm-engine catalogue va-prize > my-program.yaml")
def catalogue(
    program_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="print the file of this program")
    ] = None,
) -> None:
    """List published programs, or print one.

    What it prints of one is its program file.
    """
    if program_id is None:
        screen().print(catalogue_table([programs.program(each) for each in programs.program_ids()]))
    else:
        sys.stdout.write(programs.source(program_id))


def _timeline(
    program: Program, given: list[str] | Path | None, start: date | None, *, truncate: bool
) -> Timeline:
    """Decide words, or the observations of a file."""
    if not isinstance(given, Path):
        return decide(program, _words(given or []), start=start, truncate=truncate)
    if truncate:
        msg = "--truncate shortens words of results; remove it, or shorten the observations"
        raise ResultsError(msg)
    seen = read_record(given, SeenSoFar)
    observations = [observation(each) for each in seen.observations]
    timeline = decide(program, observations, start=start, before=seen.before)
    decided = zip(observations, timeline.decisions, strict=True)
    for place, what in taken_otherwise(program, start, decided, seen.before):
        msg = f"{given}: observations.{place}.on: {what}"
        raise ResultsError(msg)
    return timeline


def _words(results: list[str]) -> Results:
    """Return one word, or words by the name of their target."""
    if len(results) == 1 and "=" not in results[0]:
        return results[0]
    pairs = [text.partition("=") for text in results]
    for name, sign, word in pairs:
        if not sign or sum(each == name for each, _, _ in pairs) > 1:
            msg = f"--results {name}{sign}{word}: expected NAME=WORD, once for each target"
            raise ResultsError(msg)
    return {name: word for name, _, word in pairs}


@app.command("verify-draws", epilog="Example: cm-engine verify-draws draws.yaml")
def verify_draws(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a record of draws, in YAML or JSON")],
) -> None:
    """Draw all draws again, and compare.

    The record has the program, the commitment published before the first draw, the seed published after the
    last (in hexadecimal), and the draws, each with its key, number, slip and value; and unit, if that is not draw.
    Exits with 1 if a draw is not what was drawn.
    """
    record = read_record(file, DrawRecord)
    program = find_program(record.program)
    bowl, money = full_bowl(program, record.unit), program.unit(None)
    draws = [Drawn(each.key, each.number, each.slip, money.minor(each.value)) for each in record.draws]
    wrong = list(misdrawn(bowl, record.commitment, record.seed, draws))
    for problem in wrong:
        typer.echo(f"{file}: {problem}")
    if wrong:
        raise typer.Exit(1)
    drawn = "1 draw is" if len(draws) == 1 else f"{len(draws)} draws are"
    typer.echo(f"{file}: {drawn} what the seed draws, and the seed is the one committed to")


def _day(text: str | None) -> date | None:
    try:
        return day(text) if text is not None else None
    except PydanticCustomError as error:
        msg = f"--start: {error.message()}"
        raise ResultsError(msg) from None
