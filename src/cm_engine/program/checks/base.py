"""What all checks share: the file that a part belongs to, its units, and what they award."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from cm_engine.program.models import Program
from cm_engine.program.parts import Part
from cm_engine.program.reading import Document
from cm_engine.program.units import THINGS, Unit
from cm_engine.program.values import SubPath, shown
from cm_engine.spelling import nearest

Found = Iterator[tuple[SubPath, str]]


class Whole(NamedTuple):
    """The file that a part belongs to."""

    program: Program
    document: Document
    places: frozenset[str]


def unit_of(name: str | None, program: Program) -> Unit | None:
    """Return a unit by its name, or None if nothing is called so."""
    try:
        return program.unit(name)
    except KeyError:
        return None


def known_unit(part: Part, whole: Whole) -> Found:
    """Find a unit that is neither a currency, nor a known thing, nor declared."""
    program, name = whole.program, getattr(part, "unit", None)
    if unit_of(name, program) is not None:
        return
    if name is None:
        yield (), "no unit, and the program has no currency; add unit here, or currency to the program"
        return
    known = sorted({*THINGS, *program.units, *filter(None, [program.currency])})
    hint = nearest(name, known)
    message = f"{shown(name)} is not a unit{hint} (known: {', '.join(known)}; or declare it under units)"
    yield ("unit",), message


def too_fine(amounts: Iterable[tuple[SubPath, Decimal]], unit: Unit | None) -> Found:
    """Find amounts with more decimals than their unit."""
    for place, number in amounts:
        if unit is None or unit.fits(number):
            continue
        if unit.is_money:
            yield place, f"expected at most {unit.decimals} decimals, as {unit.name} has, got {number}"
        else:
            yield place, f"expected a whole number of {unit.plural or unit.name}, got {number}"


def awarded(program: Program) -> dict[str, Unit]:
    """Return the units that a program awards, by name."""
    units = [unit_of(name, program) for name in _named(program)]
    return {unit.name: unit for unit in units if unit}


def _named(program: Program) -> Iterator[str | None]:
    for target in program.targets.values():
        for phase in target.schedule:
            yield from [option.unit for option in phase.choice.values()] or [phase.unit]
    yield from (milestone.unit for milestone in program.milestones.values() if milestone.amount)
    if program.deposit:
        yield None


def listed_once(values: Sequence[object], place: SubPath) -> Found:
    """Find a value that is listed twice."""
    for index, value in enumerate(values):
        if value in values[:index]:
            yield (*place, index), f"{value} is listed already"


def known_target(name: str, program: Program) -> str | None:
    """Return what is wrong with the name of a target, or None if there is such a target."""
    if name in program.targets:
        return None
    return f"there is no target {shown(name)}{nearest(name, program.targets)}"
