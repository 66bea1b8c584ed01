"""The automaton of some targets that hang together: every state they can be in, and what each action does there."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.actions import Action, Slot
from cm_engine.analysis.parts import NOTHING, Part
from cm_engine.rules.state import State

Ids = NDArray[np.int32]
"""The numbers of states, or of parts."""

Value = TypeVar("Value", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Table:
    """What each action does in slots of one kind; a row for each state that can come there, a column for each action.

    Attributes:
        actions: the columns.
        rows: the row of each state, by its number in the automaton.
        after: the number of the state after it.
        parts: what it earns, by its number in the exploration.
        stays: the slot stays open: the same slot comes again in the state after it.
        reads: what the result is read as, as a number of a character.
        reasons: the codes of the reasons, by their number in the exploration.
    """

    actions: tuple[Action, ...]
    rows: dict[int, int]
    after: Ids
    parts: Ids
    stays: NDArray[np.bool_]
    reads: NDArray[np.uint8]
    reasons: Ids

    @property
    def success(self) -> int:
        """Return the column of a success: the usual choice; of a group, with all its members."""
        columns = [column for column, action in enumerate(self.actions) if action.symbol == "-"]
        return max(columns, key=lambda column: self.actions[column].group or 0)

    def closed(self, begun: Iterable[int]) -> tuple[int, ...]:
        """Return the states that a slot can be in: those that it begins in, and those in which it stays open."""
        found = dict.fromkeys(begun)
        waiting = list(found)
        while waiting:
            row = self.rows[waiting.pop()]
            more = [state for state in self.after[row][self.stays[row]].tolist() if state not in found]
            found.update(dict.fromkeys(more))
            waiting += more
        return tuple(found)


class Cell(NamedTuple):
    """What one action does: the state after it, what it earns, and how it is read and told."""

    after: int
    part: int
    stays: bool
    read: int
    reasons: int


@dataclass(slots=True)
class Rows:
    """A table while it is made."""

    actions: tuple[Action, ...]
    rows: dict[int, int] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)

    def table(self) -> Table:
        """Return the table that is made."""
        cells = np.array(self.cells, dtype=np.int32).reshape(-1, len(self.actions), 5)
        after, parts, stays, reads, reasons = np.moveaxis(cells, 2, 0)
        return Table(
            self.actions,
            self.rows,
            after.copy(),
            parts.copy(),
            stays.astype(bool),
            reads.astype(np.uint8),
            reasons.copy(),
        )


@dataclass(frozen=True, slots=True)
class Automaton:
    """Every state that some targets and events can be in.

    Attributes:
        targets: their places in the program.
        slots: the occasions, in the order in which they are decided.
        kinds: for each slot, the number of its table.
        tables: one for each kind of slot.
        reach: for each slot, the states that it can begin in, sorted; and at last those at the end.
        start: the number of the state before the first slot.
        states: the essence of each state, by its number.
    """

    targets: tuple[int, ...]
    slots: tuple[Slot, ...]
    kinds: tuple[int, ...]
    tables: tuple[Table, ...]
    reach: tuple[tuple[int, ...], ...]
    start: int
    states: tuple[State, ...]

    def table(self, slot: int) -> Table:
        """Return what each action does in a slot."""
        return self.tables[self.kinds[slot]]

    @property
    def size(self) -> int:
        """Return how many states there are, those of different slots told apart."""
        return sum(map(len, self.reach))

    def parts_of(self, slot: int) -> frozenset[int]:
        """Return the numbers of the parts that can be earned in a slot."""
        table = self.table(slot)
        rows = [table.rows[state] for state in table.closed(self.reach[slot])]
        return frozenset(table.parts[rows].ravel().tolist())


class Names(Generic[Value]):
    """Numbers for values, in the order in which they come first."""

    def __init__(self, *first: Value) -> None:
        """Begin with some values."""
        self.known, self.values = {value: number for number, value in enumerate(first)}, list(first)

    def number(self, value: Value) -> int:
        """Return the number of a value."""
        number = self.known.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


class Told(NamedTuple):
    """The numbers of what decisions earn, and of the codes of their reasons."""

    parts: Names[Part]
    reasons: Names[tuple[str, ...]]


def nothing_told() -> Told:
    """Return numbers of parts and reasons that begin with nothing."""
    return Told(Names[Part](NOTHING), Names[tuple[str, ...]](()))
