"""The commands about randomized trials: check a file, open a trial, allocate, look how far it is, and check it after."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from cm_engine.cli.durable import opened
from cm_engine.cli.journal import one_line
from cm_engine.cli.options import (
    BeforeOption,
    ByOption,
    DatabaseOption,
    JsonOption,
    KeyOption,
    ParticipantOption,
    SourceOption,
    StartOption,
    WhyOption,
    ZoneOption,
)
from cm_engine.cli.records import AllocationRecord, read_record
from cm_engine.cli.tables import screen
from cm_engine.errors import Problem, ReportError, TrialError
from cm_engine.spelling import counted
from cm_engine.trials.allocation import Allocation, misallocated
from cm_engine.trials.loading import parse_trial, program_problems, read_trial, trial_text
from cm_engine.trials.model import Trial, canonical_trial, trial_digest
from cm_engine.trials.standing import TrialStanding
from cm_engine.trials.taking import Allocated

ONE_SIZE = "all blocks have one size, so that who counts knows the last arms of each; name several sizes"

commands = typer.Typer(help="Run a randomized trial.", no_args_is_help=True, rich_markup_mode=None)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="a trial file")]
TrialArgument = Annotated[str, typer.Argument(metavar="TRIAL", help="the id of the trial")]
StrataOption = Annotated[
    list[str] | None,
    typer.Option("--stratum", metavar="FACTOR=LEVEL", help="once for each factor of the trial"),
]


@commands.command(epilog="Example: cm-engine trial check trial.yaml")
def check(file: FileArgument, as_json: JsonOption = False) -> None:
    """Check a trial file, and the programs of its arms.

    Exits with 1 on any problem.
    """
    trial, problems = _read(file)
    if as_json:
        form = _trial_form(trial) if trial else {}
        sys.stdout.write(one_line({**form, "problems": list(map(asdict, problems))}))
    else:
        _echo(map(str, problems))
        _echo(_checked(trial) if trial and not problems else ())
    if problems:
        raise typer.Exit(1)


def _read(file: Path) -> tuple[Trial | None, Sequence[Problem]]:
    try:
        trial, document = read_trial(trial_text(file), str(file))
    except TrialError as error:
        return None, error.problems
    return trial, sorted(program_problems(trial, document, file.parent))


@commands.command(epilog="Example: cm-engine trial open trial.yaml --db sqlite:///clinic.db --by pi-1")
def open(  # noqa: A001 - what the command is called
    file: FileArgument,
    db: DatabaseOption,
    by: ByOption,
    source: SourceOption = "trial",
    key: KeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Open a trial: pin its programs, and commit to its seed.

    The seed comes from the secret in CM_ENGINE_SECRET, and is stored nowhere. Programs that are not registered are.
    """
    with opened(db, make=True) as engine:
        found = engine.open_trial(file, by=by, source=source, key=key)
    if as_json:
        sys.stdout.write(one_line(_standing_form(found)))
        return
    typer.echo(f"Trial {found.id} is open, with the digest {found.digest}.")
    typer.echo(f"Publish its commitment now, before the first participant: {found.commitment}")


@commands.command(
    epilog="Example: cm-engine trial allocate cocaine-2026 --db sqlite:///clinic.db --participant p-104"
    " --stratum site=boston --start 2026-01-05 --zone America/New_York --source redcap --key 104 --by nurse-7"
)
def allocate(
    trial: TrialArgument,
    db: DatabaseOption,
    participant: ParticipantOption,
    start: StartOption,
    zone: ZoneOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    stratum: StrataOption = None,
    before: BeforeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Allocate a participant, and enroll in the program of the arm.

    Both is done, or neither. The same participant asked for again under the same source and key is the one there is.
    """
    with opened(db) as engine:
        found = engine.allocate(
            trial=trial,
            participant=participant,
            strata=_levels(stratum or []),
            start=start,
            zone=zone,
            before=_measured(before or []),
            source=source,
            key=key,
            by=by,
        )
    if as_json:
        sys.stdout.write(one_line(_allocated_form(found)))
    else:
        _echo(_allocated_text(found))


def _measured(given: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(given)
    if len(found) < len(given):
        msg = "--before: expected each target once, with all its values: smoking=12,10.5"
        raise ReportError(msg)
    return found


def _levels(given: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    found = {name: level for name, _, level in pairs}
    if len(found) < len(pairs) or not all(name and sign and level for name, sign, level in pairs):
        msg = f"--stratum: expected FACTOR=LEVEL, once for each factor, got {', '.join(given)}"
        raise ReportError(msg)
    return found


@commands.command(epilog="Example: cm-engine trial show --db sqlite:///clinic.db cocaine-2026")
def show(
    db: DatabaseOption,
    trial: Annotated[str, typer.Argument(metavar="[TRIAL]", help="only this one", show_default=False)] = "",
    as_json: JsonOption = False,
) -> None:
    """Show how many participants a trial has, by stratum and never by arm."""
    with opened(db) as engine:
        found = [engine.trial(trial)] if trial else engine.trials()
    if as_json:
        sys.stdout.write(one_line({"trials": [_standing_form(each) for each in found]}))
        return
    for each in found:
        typer.echo(f"{each.trial.title} ({each.id}): {_so_far(each)}")
        screen().print(_strata_table(each.allocated))
    if not found:
        typer.echo("No trial is open.")


@commands.command(
    epilog="Example: cm-engine trial close cocaine-2026 --db sqlite:///clinic.db --why 'all are in' --by pi-1"
)
def close(
    trial: TrialArgument,
    db: DatabaseOption,
    why: WhyOption,
    by: ByOption,
    source: SourceOption = "trial",
    key: KeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Close a trial for ever: nobody is allocated any more."""
    with opened(db) as engine:
        found = engine.close_trial(trial=trial, why=why, by=by, source=source, key=key)
    if as_json:
        sys.stdout.write(one_line(_standing_form(found)))
    else:
        typer.echo(f"Trial {found.id} is closed, with {counted(found.total, 'participant')}.")


@commands.command(epilog="Example: cm-engine trial unblinded cocaine-2026 --db sqlite:///clinic.db")
def unblinded(trial: TrialArgument, db: DatabaseOption, as_json: JsonOption = False) -> None:
    """Print the arm of every participant: for the statistician only.

    Who enrolls and has this list can count the block that is being filled, and may guess what comes next.
    """
    with opened(db) as engine:
        found = engine.unblinded(trial)
    if as_json:
        sys.stdout.write(one_line({"trial": trial, "allocations": [each._asdict() for each in found]}))
    else:
        screen().print(_allocations_table(found))


@commands.command(
    epilog="Example: cm-engine trial reveal cocaine-2026 --db sqlite:///clinic.db > record.json"
)
def reveal(trial: TrialArgument, db: DatabaseOption) -> None:
    """Print the record of a closed trial with its seed, for anyone to verify, as JSON."""
    with opened(db) as engine:
        found = engine.reveal(trial)
    sys.stdout.write(one_line(found.form()))


@commands.command(epilog="Example: cm-engine trial verify record.json")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a record that `trial reveal` printed")],
    published: Annotated[
        str,
        typer.Option("--commitment", metavar="HASH", help="as it was published; if left out, the record's"),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Allocate every participant of a record again, and compare.

    No database is needed and no secret, only the record. Exits with 1 if an arm is not what the seed allocates.
    """
    record = read_record(file, AllocationRecord)
    wrong = list(_wrong(record, file, published.lower() or record.commitment))
    if as_json:
        sys.stdout.write(one_line({"allocations": len(record.allocations), "problems": wrong}))
    else:
        _echo(f"{file}: {problem}" for problem in wrong)
    if wrong:
        raise typer.Exit(1)
    if not as_json:
        many = counted(len(record.allocations), "allocation")
        is_what = "is what" if len(record.allocations) == 1 else "are what"
        typer.echo(f"{file}: {many} {is_what} the seed allocates, and the seed is the one committed to")


def _wrong(record: AllocationRecord, file: Path, published: str) -> Iterator[str]:
    """Yield what is wrong with a record, in words."""
    trial = parse_trial(canonical_trial(record.trial), name=str(file))
    if trial_digest(trial) != record.digest:
        yield f"the digest is not that of the trial, which is {trial_digest(trial)}"
        return
    recorded = (
        Allocation(each.participant, each.stratum, each.place, each.arm) for each in record.allocations
    )
    yield from misallocated(trial, published, record.seed, recorded)


def _trial_form(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.trial,
        "title": trial.title,
        "digest": trial_digest(trial),
        "arms": {name: {"program": arm.program, "ratio": arm.ratio} for name, arm in trial.arms.items()},
        "blocks": list(trial.blocks),
        "strata": {factor: list(levels) for factor, levels in trial.strata.items()},
    }


def _standing_form(found: TrialStanding) -> dict[str, Any]:
    return {
        **_trial_form(found.trial),
        "programs": dict(found.programs),
        "commitment": found.commitment,
        "closed": found.is_closed,
        "participants": found.total,
        "allocated": dict(found.allocated),
    }


def _allocated_form(found: Allocated) -> dict[str, Any]:
    return {
        **found._asdict(),
        "enrollment": found.enrollment.id,
        "program": found.enrollment.program,
        "start": found.enrollment.start.isoformat(),
        "zone": found.enrollment.zone,
        "commitment": found.enrollment.commitment,
    }


def _checked(trial: Trial) -> Iterator[str]:
    """Yield what a trial is, in a few lines, and what to think about."""
    yield f"{trial.title} ({trial.trial}), digest {trial_digest(trial)}"
    for name, arm in trial.arms.items():
        yield f"  {name}: {arm.ratio} of {trial.shares}, {arm.program}"
    strata = len(list(trial.all_strata()))
    yield f"  {'1 stratum' if strata == 1 else f'{strata} strata'}, in blocks of {' or '.join(map(str, sorted(trial.blocks)))}"
    if len(trial.blocks) == 1:
        yield f"  note: {ONE_SIZE}"


def _allocated_text(found: Allocated) -> Iterator[str]:
    again = "; it came before, and nothing is written now" if found.replayed else ""
    yield f"{found.participant} is allocated to {found.arm}, as participant {found.place} of {found.stratum}{again}."
    yield f"Enrolled as {found.enrollment.id}, from {found.enrollment.start:%a %d %b %Y}, {found.enrollment.zone}"
    if found.enrollment.commitment:
        yield f"Publish the commitment of the prize draws now: {found.enrollment.commitment}"


def _so_far(found: TrialStanding) -> str:
    return f"{counted(found.total, 'participant')}{', closed' if found.is_closed else ''}"


def _strata_table(allocated: Mapping[str, int]) -> Table:
    table = Table("Stratum", "Participants", box=box.SIMPLE)
    for stratum, count in allocated.items():
        table.add_row(stratum, str(count))
    return table


def _allocations_table(found: Iterable[Allocation]) -> Table:
    table = Table("Participant", "Stratum", "Place", "Arm", box=box.SIMPLE)
    for each in found:
        table.add_row(each.participant, each.stratum, str(each.place), each.arm)
    return table


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
