"""What each visit of a program pays: with every visit met, and with one lapse."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cm_engine.program.models import Program
from cm_engine.program.plan import visit_count
from cm_engine.program.units import Unit
from cm_engine.rules import decide

VISITS_SHOWN = 60


class Curve(NamedTuple):
    """What the visits of one target pay in one unit: with all met, and with one lapse.

    Attributes:
        target: its name; empty for the only target of a program.
        lapse: the place of the lapse, from 0.
    """

    target: str
    unit: Unit
    met: tuple[int, ...]
    lapsed: tuple[int, ...]
    lapse: int


def curves_of(program: Program) -> Iterator[Curve]:
    """Yield a curve for each target and each unit that its visits pay, with all visits of all targets met.

    Example:
        >>> from cm_engine import catalogue
        >>> curve = next(curves_of(catalogue.program("volpp-2009-smoking")))
        >>> [curve.unit.spoken(amount) for amount in curve.met]
        ['$100.00', '$250.00', '$400.00']
    """
    lengths = {
        name: min(visit_count(program.plan(target)), VISITS_SHOWN) for name, target in program.targets.items()
    }
    met = paid_by_visit(program, {name: "-" * length for name, length in lengths.items()})
    words = {name: with_lapse(length) for name, length in lengths.items()}
    lapsed = paid_by_visit(program, words)
    for name in lengths:
        for unit in dict.fromkeys(unit for paid in met[name] for unit in paid):
            called = name if len(lengths) > 1 else ""
            all_met, one_not = (tuple(paid.get(unit, 0) for paid in each[name]) for each in (met, lapsed))
            yield Curve(called, unit, all_met, one_not, words[name].index("+"))


def with_lapse(length: int) -> str:
    """Return a word of results with one lapse, two fifths on."""
    lapse = length * 2 // 5
    return "-" * lapse + "+" + "-" * (length - lapse - 1)


def paid_by_visit(program: Program, words: Mapping[str, str]) -> dict[str, list[dict[Unit, int]]]:
    """Return what each visit of each target pays, by unit, in minor units."""
    start = next((case.start for case in program.cases if case.start), None)
    paid: dict[str, list[dict[Unit, int]]] = {name: [] for name in words}
    for decision in decide(program, words, start=start).decisions:
        paid[decision.target].append(dict(decision.paid))
    return paid
