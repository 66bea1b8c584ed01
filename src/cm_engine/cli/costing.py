"""What the commands that simulate, replay and budget do: apart from them, as numpy comes with an extra."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cm_engine.analysis.cohorts.budget import Budget, Spending, budget
from cm_engine.analysis.cohorts.executors import dask, processes
from cm_engine.analysis.cohorts.simulate import Bar, Sample, Simulation, simulate
from cm_engine.analysis.cohorts.sums import Together
from cm_engine.analysis.cohorts.whatif import Course, WhatIf, what_if
from cm_engine.analysis.form import rounded
from cm_engine.cli.analyzing import behavior_of
from cm_engine.cli.behaviors import Asked
from cm_engine.cli.results import read_results
from cm_engine.cli.tables import heading, spoken
from cm_engine.cli.watching import watched
from cm_engine.errors import ResultsError
from cm_engine.program import Program
from cm_engine.program.units import Unit
from cm_engine.rules import compile_rules
from cm_engine.spelling import counted

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
WIDEST = 40
NEXT_TO_NOTHING = 1e-9
"""What a smaller error is told as."""


def simulated(
    program: Program,
    asked: Asked,
    start: date | None,
    *,
    participants: int,
    seed: int,
    workers: int,
    cluster: str | None,
) -> Simulation:
    """Return a simulated cohort, with a bar while it is made."""
    behavior = behavior_of(asked, compile_rules(program))
    with _executor(workers, cluster) as executor, watched("Simulating", participants) as progress:
        return simulate(
            program,
            behavior,
            participants=participants,
            seed=seed,
            start=start,
            executor=executor,
            progress=progress,
        )


def replayed(program: Program, file: Path, columns: tuple[str, str], start: date | None) -> WhatIf:
    """Return what the participants of a file would have earned, with a bar while it is decided."""
    found = read_results(file, compile_rules(program), start, truncate=True, columns=columns)
    courses = [Course(each.participant, each.results, each.start) for each in found]
    with watched("Deciding", len(courses)) as progress:
        return what_if(program, courses, progress=progress)


def budgeted(
    program: Program, asked: Asked, start: date | None, curve: list[int], every: str, sure: str
) -> Budget:
    """Return what a program costs over an enrolment curve, with a bar while it is worked out."""
    behavior = behavior_of(asked, compile_rules(program))
    with watched("Working out", len(curve)) as progress:
        return budget(program, behavior, curve, every=every, sure=sure, start=start, progress=progress)


def _executor(workers: int, cluster: str | None) -> AbstractContextManager[Any]:
    if workers < 1:
        msg = f"--workers: expected 1 or more, got {workers}"
        raise ResultsError(msg)
    if cluster is not None:
        return dask(cluster)
    return processes(workers) if workers > 1 else nullcontext()


def simulation_form(found: Simulation) -> dict[str, Any]:
    """Return a simulation as data: money is a decimal string, as are all amounts."""
    rules = compile_rules(found.program)
    return {
        "program": found.program.program,
        "version": found.program.version,
        "digest": rules.digest,
        "behavior": found.behavior.says,
        "participants": found.participants,
        "seed": found.seed,
        "by": "table" if found.by_table else "step",
        "units": {sample.unit.name: sample_form(sample) | _error(sample) for sample in found.samples},
    }


def _error(sample: Sample) -> dict[str, Any]:
    return {"error": rounded(sample.unit, sample.error)}


def sample_form(sample: Sample) -> dict[str, Any]:
    """Return what participants are paid in a unit as data."""
    unit = sample.unit
    return {
        "total": unit.plain(int(sample.totals.sum(dtype="int64"))),
        "mean": rounded(unit, sample.mean),
        "sd": rounded(unit, sample.sd),
        "minimum": unit.plain(int(sample.totals.min())),
        "maximum": unit.plain(int(sample.totals.max())),
        "quantiles": {f"{share:g}": unit.plain(sample.quantile(share)) for share in SHARES},
        "histogram": [
            {"low": unit.plain(bar.low), "high": unit.plain(bar.high), "participants": bar.participants}
            for bar in sample.histogram()
        ],
    }


def simulation_page(found: Simulation) -> Group:
    """Return a simulation as a page."""
    how = "by table" if found.by_table else "each decided by itself, as there are too many states for a table"
    about = f"{found.participants} participants, seed {found.seed}, {how}; {found.behavior.says}."
    errors = (f"{each.unit.name} {rounded(each.unit, each.error)}" for each in found.samples)
    return Group(
        Text(heading(compile_rules(found.program))),
        Text(about),
        samples_table(found.samples),
        Text(f"Standard error of the mean: {', '.join(errors)}."),
        *(bars(sample) for sample in found.samples[:1]),
    )


def samples_table(samples: tuple[Sample, ...]) -> Table:
    """Return one line for each unit."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Unit", "Mean", "SD", "Least", "5 %", "Half", "95 %", "Most"):
        table.add_column(name, justify="left" if name == "Unit" else "right")
    for sample in samples:
        unit = sample.unit
        between = (unit.plain(sample.quantile(share)) for share in (0.05, 0.5, 0.95))
        figures = (rounded(unit, each) for each in (sample.mean, sample.sd))
        least, most = int(sample.totals.min()), int(sample.totals.max())
        table.add_row(unit.name, *figures, unit.plain(least), *between, unit.plain(most))
    return table


def bars(sample: Sample) -> Table:
    """Return a histogram of what is paid in a unit."""
    found = sample.histogram(10)
    longest = max(bar.participants for bar in found)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(sample.unit.name, justify="right")
    table.add_column("Participants", justify="right")
    table.add_column("")
    for bar in found:
        table.add_row(
            _range(sample, bar), str(bar.participants), "#" * round(WIDEST * bar.participants / longest)
        )
    return table


def _range(sample: Sample, bar: Bar) -> str:
    return f"{sample.unit.plain(bar.low)} to {sample.unit.plain(bar.high)}"


def what_if_form(found: WhatIf) -> dict[str, Any]:
    """Return what everybody would have earned as data: amounts are decimal strings."""
    return {
        "program": found.program.program,
        "version": found.program.version,
        "digest": compile_rules(found.program).digest,
        "participants": len(found.earned),
        "units": {unit.name: sample_form(found.sample(unit)) for unit in found.units},
        "prizes": rounded(found.program.unit(None), found.prizes) if found.program.bowls else None,
        "earned": [
            {
                "participant": each.participant,
                "visits": each.visits,
                "totals": {unit.name: unit.plain(amount) for unit, amount in each.sums.items()},
            }
            for each in found.earned
        ],
    }


def what_if_page(found: WhatIf) -> Group:
    """Return what everybody would have earned as a page."""
    return Group(*_told(found))


def _told(found: WhatIf) -> Iterator[Any]:
    samples = tuple(found.sample(unit) for unit in found.units)
    yield Text(heading(compile_rules(found.program)))
    totals = spoken({unit: found.total(unit) for unit in found.units})
    yield Text(f"{counted(len(found.earned), 'participant')} would have earned {totals}.")
    yield samples_table(samples)
    if found.program.bowls:
        money = found.program.unit(None)
        yield Text(
            f"Their draws would have won {money.spoken(round(found.prizes))} on average, before limits."
        )
    yield from map(bars, samples[:1])


def budget_form(found: Budget) -> dict[str, Any]:
    """Return a budget as data: amounts are decimal strings."""
    return {
        "program": found.program.program,
        "version": found.program.version,
        "digest": compile_rules(found.program).digest,
        "behavior": found.behavior.says,
        "unit": found.unit.name,
        "sure": f"{float(found.sure):g}",
        "participants": found.participants,
        "exact": not found.sampled,
        "error": found.error,
        "total": _paid(found.unit, found.total, found.sure),
        "months": [_month(found, each) for each in found.months],
    }


def _month(found: Budget, month: Spending) -> dict[str, Any]:
    return {
        "month": month.begins.isoformat()[:7] if month.begins else month.month + 1,
        "enrolling": month.enrolling,
        **_paid(found.unit, month.paid, found.sure),
    }


def _paid(unit: Unit, paid: Together, sure: Fraction) -> dict[str, str]:
    return {
        "expected": rounded(unit, paid.mean),
        "sd": rounded(unit, paid.sd),
        "within": unit.plain(paid.quantile(float(sure))),
    }


def budget_page(found: Budget) -> Group:
    """Return a budget as a page."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Month", "Enrolling", "Expected", "SD", f"{float(found.sure):.4g} sure of"):
        table.add_column(name, justify="right")
    for each in found.months:
        row = _month(found, each)
        table.add_row(*(str(row[key]) for key in ("month", "enrolling", "expected", "sd", "within")))
    whole = _paid(found.unit, found.total, found.sure)
    table.add_section()
    table.add_row("all", str(found.participants), whole["expected"], whole["sd"], whole["within"])
    how = (
        f"of one participant by {found.sampled} simulated ones, as there are too many states"
        if found.sampled
        else f"exact; a chance is off by less than {max(found.error, NEXT_TO_NOTHING):.0e}"
    )
    return Group(
        Text(heading(compile_rules(found.program))),
        Text(f"In {found.unit.name}; {found.behavior.says}; {how}."),
        table,
    )
