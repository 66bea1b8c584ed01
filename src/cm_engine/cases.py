"""Worked cases: what a program file says of itself, compared with what `step` decides."""

from collections.abc import Iterator
from decimal import Decimal

from cm_engine.errors import Problem
from cm_engine.program.loading import read_program
from cm_engine.program.models import Case, Program
from cm_engine.program.units import Unit
from cm_engine.rules import Timeline, decide

Difference = tuple[tuple[str | int, ...], str]


def first_difference(program: Program, case: Case) -> Difference | None:
    """Return where a case and `step` first differ, and how; None if they agree.

    Example:
        >>> from cm_engine import catalogue
        >>> program = catalogue.program("va-prize")
        >>> first_difference(program, Case(name="two", results="--", total=Decimal(4)))
        (('total',), 'in all the case expects 4, the program pays 3')
    """
    timeline = decide(program, case.results, start=case.start, truncate=case.truncate)
    return next(_differences(program, case, timeline), None)


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
    for index, (expected, decision) in enumerate(zip(case.awards or (), timeline.decisions, strict=False)):
        [award] = decision.paid
        if expected != award.unit.decimal(award.amount):
            visit = f"visit {decision.visit} ({decision.outcome})"
            yield ("awards", index), f"{visit}: {_apart(expected, award.unit, award.amount)}"
    for place, unit, expected in _expected_sums(program, case):
        minor = {total.name: amount for total, amount in timeline.sums.items()}.get(unit, 0)
        if program.unit(unit).minor(expected) != minor:
            yield place, f"in all {_apart(expected, program.unit(unit), minor)}"


def _apart(expected: Decimal, unit: Unit, minor: int) -> str:
    return f"the case expects {unit.plain(unit.minor(expected))}, the program pays {unit.plain(minor)}"


def _expected_sums(program: Program, case: Case) -> Iterator[tuple[tuple[str | int, ...], str, Decimal]]:
    if case.total is not None:
        yield ("total",), program.unit(program.target.schedule[0].unit).name, case.total
    for unit, expected in (case.totals or {}).items():
        yield ("totals", unit), unit, expected
