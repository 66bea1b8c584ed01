"""What each visit of a program pays: with every visit met, and with one lapse."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple

from cm_engine.program.models import Program
from cm_engine.program.plan import visit_count
from cm_engine.program.units import Unit
from cm_engine.program.values import lapse_of
from cm_engine.rules import decide

VISITS_SHOWN = 60


class Curve(NamedTuple):
    """What the visits of one target pay in one unit: with all met, and with one lapse.

    Attributes:
        target: its name; empty for the only target of a program.
        lapse: the place of the lapse, from 0.
        more: how many visits come after those shown.
    """

    target: str
    unit: Unit
    met: tuple[int, ...]
    lapsed: tuple[int, ...]
    lapse: int
    more: int


def curves_of(program: Program, start: date | None = None) -> Iterator[Curve]:
    """Yield a curve for each target and each unit that its visits pay, with all visits of all targets met, and with one not.

    Args:
        program: the program.
        start: the first day of week 1, where days count; left out, that of its first worked case that has one.

    Example:
        >>> from cm_engine import catalogue
        >>> curve = next(curves_of(catalogue.program("volpp-2009-smoking")))
        >>> [curve.unit.spoken(amount) for amount in curve.met]
        ['$100.00', '$250.00', '$400.00']
    """
    lengths = visit_counts(program)
    words = {name: "-" * length for name, length in lengths.items()}
    met = paid_by_visit(program, words, start)
    for name, length in lengths.items():
        word = with_lapse(length, lapse_of(program.targets[name].behavior))
        lapsed = paid_by_visit(program, {**words, name: word}, start)
        lapse = next(place for place, symbol in enumerate(word) if symbol != "-")
        for unit in dict.fromkeys(unit for paid in met[name] for unit in paid):
            called = name if len(lengths) > 1 else ""
            all_met, one_not = (tuple(paid.get(unit, 0) for paid in each[name]) for each in (met, lapsed))
            yield Curve(
                called,
                unit,
                all_met[:VISITS_SHOWN],
                one_not[:VISITS_SHOWN],
                lapse,
                max(0, length - VISITS_SHOWN),
            )


def visit_counts(program: Program) -> dict[str, int]:
    """Return how many visits each target has."""
    return {name: visit_count(program.plan(target)) for name, target in program.targets.items()}


def with_lapse(length: int, lapse: str) -> str:
    """Return a word of results with one lapse, two fifths on of the visits that are shown."""
    place = min(length, VISITS_SHOWN) * 2 // 5
    return "-" * place + lapse + "-" * (length - place - 1)


def paid_by_visit(
    program: Program, words: Mapping[str, str], start: date | None = None
) -> dict[str, list[dict[Unit, int]]]:
    """Return what each visit of each target pays, by unit, in minor units."""
    start = start or next((case.start for case in program.cases if case.start), None)
    paid: dict[str, list[dict[Unit, int]]] = {name: [] for name in words}
    for decision in decide(program, words, start=start).decisions:
        paid[decision.target].append(dict(decision.paid))
    return paid
