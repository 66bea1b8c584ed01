"""What milestones that read the same results come to together: few of all their states, and few of all their rewards."""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import NamedTuple

from cm_engine.analysis.actions import Slot
from cm_engine.analysis.automaton import Table
from cm_engine.analysis.ties import Tie
from cm_engine.errors import TooManyStatesError

MOST_PAID = 4_096
"""How many rewards may be told apart that several milestones pay together at one visit."""

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


def counted(ties: Sequence[Tie], program: str) -> Iterator[Counted]:
    """Yield what milestones come to together in each slot that one of them reads, whatever results are read as.

    Args:
        ties: the milestones.
        program: its id.

    Raises:
        TooManyStatesError: they may pay too much that differs together.
    """
    places = [{slot: place for place, slot in enumerate(tie.slots)} for tie in ties]
    standing = {tuple(tie.start for tie in ties)}
    slots = sorted({slot for each in places for slot in each})
    for at, slot in enumerate(slots):
        tables = [
            (number, ties[number].table(each[slot])) for number, each in enumerate(places) if slot in each
        ]
        readers = [_read(number, table) for number, table in tables]
        if standing:
            standing, paid = _followed(standing, readers)
        else:
            paid = _any(readers)
            if len(paid) > MOST_PAID:
                raise TooManyStatesError(program, at, len(slots), len(paid), MOST_PAID)
        yield Counted(slot, paid, len(standing) or MOST_STANDING)
        if len(standing) > MOST_STANDING:
            standing = set()


def _followed(standing: set[Numbers], readers: Sequence[_Read]) -> tuple[set[Numbers], frozenset[Numbers]]:
    """Return the states that milestones may have together after a result, and what they may earn together."""
    columns = range(len(readers[0].after[0]))
    found = {_moved(states, column, readers) for states in standing for column in columns}
    return {states for states, _ in found}, frozenset(paid for _, paid in found)


def _any(readers: Sequence[_Read]) -> frozenset[Numbers]:
    """Return what milestones may earn together if any of their rewards may come with any other, a few too many at most."""
    parts = [sorted({part for row in reader.parts for part in row} | {0}) for reader in readers]
    every = (tuple(filter(None, each)) for each in product(*parts))
    return frozenset(islice(every, MOST_PAID + 1))


def _read(number: int, table: Table) -> _Read:
    return _Read(number, table.rows, table.after.tolist(), table.parts.tolist())


def _moved(states: Numbers, column: int, readers: Sequence[_Read]) -> tuple[Numbers, Numbers]:
    """Return the states of milestones after a result, and the parts that they earn."""
    after, paid = list(states), list[int]()
    for number, rows, to, parts in readers:
        row = rows[states[number]]
        after[number] = to[row][column]
        if parts[row][column]:
            paid.append(parts[row][column])
    return tuple(after), tuple(paid)
