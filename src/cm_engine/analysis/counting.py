"""What milestones that read the same results come to together: few of all their states, and few of all their rewards."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from cm_engine.analysis.actions import Slot
from cm_engine.analysis.automaton import Table
from cm_engine.analysis.ties import Tie

MOST_STANDING = 2_000
"""How many states several milestones may have together to be followed; with more, any of them may come with any other."""

Numbers = tuple[int, ...]


class Counted(NamedTuple):
    """What milestones come to in a slot.

    Attributes:
        slot: the slot.
        paid: the numbers of the parts that are earned together, in the order of the milestones; nothing left out.
        states: how many states they may have together after it.
    """

    slot: Slot
    paid: frozenset[Numbers]
    states: int


class _Read(NamedTuple):
    """A milestone in a slot, as plain lists."""

    number: int
    rows: dict[int, int]
    after: list[list[int]]
    parts: list[list[int]]


def counted(ties: Sequence[Tie]) -> Iterator[Counted]:
    """Yield what milestones come to together in each slot that one of them reads, whatever results are read as."""
    places = [{slot: place for place, slot in enumerate(tie.slots)} for tie in ties]
    standing: set[Numbers] | None = {tuple(tie.start for tie in ties)}
    for slot in sorted({slot for each in places for slot in each}):
        readers = [
            _read(number, ties[number].table(each[slot]))
            for number, each in enumerate(places)
            if slot in each
        ]
        if standing is not None:
            found = {_moved(states, column, readers) for states in standing for column in _columns(readers)}
            paid = frozenset(each for _, each in found)
            standing = {states for states, _ in found}
        else:
            parts = [sorted({part for row in reader.parts for part in row} | {0}) for reader in readers]
            paid = frozenset(tuple(filter(None, each)) for each in product(*parts))
        count = len(standing) if standing else MOST_STANDING
        if standing and count > MOST_STANDING:
            standing = None
        yield Counted(slot, paid, count)


def _read(number: int, table: Table) -> _Read:
    return _Read(number, table.rows, table.after.tolist(), table.parts.tolist())


def _columns(readers: Sequence[_Read]) -> range:
    return range(len(readers[0].after[0]))


def _moved(states: Numbers, column: int, readers: Sequence[_Read]) -> tuple[Numbers, Numbers]:
    """Return the states of milestones after a result, and the parts that they earn."""
    after, paid = list(states), list[int]()
    for number, rows, to, parts in readers:
        row = rows[states[number]]
        after[number] = to[row][column]
        if parts[row][column]:
            paid.append(parts[row][column])
    return tuple(after), tuple(paid)
