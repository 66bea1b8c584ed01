"""Worked cases: what a program file says of itself, compared with what `step` decides."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain

from cm_engine.dated import taken_otherwise
from cm_engine.errors import CmEngineError, Problem
from cm_engine.program.checks.base import awarded
from cm_engine.program.loading import read_program
from cm_engine.program.models import Program
from cm_engine.program.units import Unit
from cm_engine.program.worked import Case, Seen
from cm_engine.rules import Evidence, Observation, Timeline, decide
from cm_engine.rules.timeline import Results

Difference = tuple[tuple[str | int, ...], str]

NO_VISIT = "_"
"""What stands for an event in the outcomes that a case expects."""


def first_difference(program: Program, case: Case) -> Difference | None:
    """Return where a case and `step` first differ, and how; None if they agree.

    Example:
        >>> from cm_engine import catalogue
        >>> program = catalogue.program("va-prize")
        >>> first_difference(program, Case(name="two", results="--", total=Decimal(4)))
        (('total',), 'in all the case expects 4, the program pays 3')
    """
    try:
        timeline = run_case(program, case)
    except CmEngineError as error:
        return _place(case), f"it cannot be decided: {error}"
    decided = zip(map(observation, case.observations), timeline.decisions, strict=False)
    otherwise = taken_otherwise(program, case.start, decided, case.before)
    placed = ((("observations", place, "on"), what) for place, what in otherwise)
    return next(chain(placed, _differences(program, case, timeline)), None)


def run_case(program: Program, case: Case) -> Timeline:
    """Return what a program decides on a case.

    Raises:
        ResultsError: what the case observes does not fit the program.
        UndatedError: a rule of the program depends on the date, and the case has no start.
    """
    return decide(program, _results(case), start=case.start, truncate=case.truncate, before=case.before)


def observation(seen: Seen) -> Observation:
    """Return an observation as a case writes it."""
    evidence = Evidence(
        panel=tuple(seen.panel.items()),
        prescribed=seen.prescribed,
        presumptive=seen.presumptive,
        value=seen.value,
        conditions=seen.conditions,
        excuse=seen.excuse or "",
        choice=seen.choice or "",
        group=seen.group,
    )
    return Observation(
        seen.result or "",
        on=seen.on,
        target=seen.target or "",
        evidence=None if evidence == Evidence() else evidence,
        event=seen.event or "",
    )


def _results(case: Case) -> Results:
    if case.observations:
        return [observation(seen) for seen in case.observations]
    return case.timelines or case.results or ""


def _place(case: Case) -> tuple[str]:
    return ("observations" if case.observations else "timelines" if case.timelines else "results",)


def case_problems(text: str, name: str) -> tuple[Program, list[Problem | None]]:
    """Return the program that a text holds and, for each of its cases, the problem if it has one.

    Raises:
        ProgramError: the text is no program.
    """
    program, document = read_program(text, name)
    found = [first_difference(program, case) for case in program.cases]
    return program, [
        document.problem(("cases", index, *difference[0]), f"{program.cases[index].name}: {difference[1]}")
        if difference
        else None
        for index, difference in enumerate(found)
    ]


def _differences(program: Program, case: Case, timeline: Timeline) -> Iterator[Difference]:
    yield from _read_otherwise(case, timeline)
    for index, (expected, decision) in enumerate(zip(case.awards or (), timeline.decisions, strict=False)):
        unit, amount = decision.paid[0] if decision.paid else (_some_unit(program), 0)
        if expected != unit.decimal(amount):
            visit = f"visit {decision.visit} ({decision.outcome})" if decision.visit else f"event {index + 1}"
            yield ("awards", index), f"{visit}: {_apart(expected, unit, amount)}"
    for place, name, total in _expected_sums(program, case, timeline):
        minor = {unit.name: amount for unit, amount in timeline.sums.items()}.get(name, 0)
        if total != program.unit(name).decimal(minor):
            yield place, f"in all {_apart(total, program.unit(name), minor)}"


def _read_otherwise(case: Case, timeline: Timeline) -> Iterator[Difference]:
    for number, (expected, decision) in enumerate(zip(case.reads or "", timeline.decisions, strict=False), 1):
        found = decision.outcome or NO_VISIT
        if expected != found:
            yield ("reads",), f"observation {number} is read as {found}, the case expects {expected}"


def _apart(expected: Decimal, unit: Unit, minor: int) -> str:
    wanted = unit.plain(unit.minor(expected)) if unit.fits(expected) else str(expected)
    return f"the case expects {wanted}, the program pays {unit.plain(minor)}"


def _some_unit(program: Program) -> Unit:
    """Return a unit that the program awards, for what pays nothing."""
    return next(iter(awarded(program).values()))


def _expected_sums(
    program: Program, case: Case, timeline: Timeline
) -> Iterator[tuple[tuple[str | int, ...], str, Decimal]]:
    if case.total is not None:
        yield ("total",), next(iter(timeline.sums), _some_unit(program)).name, case.total
    for unit, expected in (case.totals or {}).items():
        yield ("totals", unit), unit, expected
