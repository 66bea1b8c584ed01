"""A milestone that counts several targets, seen through all that may be seen at their visits.

Of each target only that is kept which later results are read by, such as how many excuses it has had: states that read
all that may follow alike are one. So the milestone can be looked at by itself, however many rungs the ladders have.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cm_engine.analysis.automaton import Automaton, Cell, Names, Rows, Table
from cm_engine.analysis.ties import COLUMNS
from cm_engine.errors import TooManyStatesError

MOST_CELLS = 1_000_000
"""How many cells a milestone may have, with all that may be seen."""

Classes = dict[int, int]
"""Which states read alike all that may follow: a number for each state."""


class Read(NamedTuple):
    """What an action does to how results are read: what it is read as, whether the slot stays open, and the class then."""

    read: int
    stays: bool
    after: int


class Reading(NamedTuple):
    """How a target's results are read.

    Attributes:
        start: the class before the first slot.
        rows: for each slot, what each action does from each class.
    """

    start: int
    rows: tuple[Mapping[int, tuple[Read, ...]], ...]


def reading_of(automaton: Automaton) -> Reading:
    """Return how the results of an automaton are read, without all that does not matter to it."""
    then: Classes = dict.fromkeys(automaton.reach[-1], 0)
    rows: list[Mapping[int, tuple[Read, ...]]] = []
    for place in reversed(range(len(automaton.slots))):
        table = automaton.table(place)
        then, read = _alike(table, table.closed(automaton.reach[place]), then)
        rows.append(read)
    return Reading(then[automaton.start], tuple(reversed(rows)))


def _alike(
    table: Table, states: Sequence[int], then: Classes
) -> tuple[Classes, Mapping[int, tuple[Read, ...]]]:
    """Return the classes of the states of a slot, and what each action does from each class."""
    here: Classes = dict.fromkeys(states, 0)
    while True:
        rows = {state: tuple(_reads(table, table.rows[state], here, then)) for state in states}
        numbers = Names[Hashable]()
        classes = {state: numbers.number((here[state], rows[state])) for state in states}
        if len(numbers.values) == len(set(here.values())):
            return here, {here[state]: rows[state] for state in states}
        here = classes


def _reads(table: Table, row: int, here: Classes, then: Classes) -> Iterator[Read]:
    cells = zip(table.reads[row].tolist(), table.stays[row].tolist(), table.after[row].tolist(), strict=True)
    yield from (Read(read, stays, (here if stays else then)[after]) for read, stays, after in cells)


def seen_through(automata: Sequence[Automaton], tie: Automaton, program: str) -> Automaton:
    """Return a tie as an automaton of all that may be seen, with what the tie alone earns.

    Args:
        automata: those of the targets that the tie counts.
        tie: the milestone.
        program: its id.

    Raises:
        TooManyStatesError: it has more than `MOST_CELLS` cells.
    """
    through = _Through(automata, tie)
    tables, cells = list[Table](), 0
    reach: list[tuple[int, ...]] = [(through.states.number(through.start),)]
    for at in range(len(through.order)):
        table, after = through.table(at, reach[-1])
        tables.append(table)
        reach.append(after)
        cells += table.after.size
        if cells > MOST_CELLS:
            raise TooManyStatesError(program, at, len(through.order), len(after), MOST_CELLS)
    targets = tuple(sorted(target for automaton in automata for target in automaton.targets))
    slots = tuple(slot for slot, *_ in through.order)
    kept = tuple(tie.states[state] for *_, state in through.states.values)
    return Automaton(targets, slots, tuple(range(len(slots))), tuple(tables), tuple(reach), 0, kept)


class _Through:
    """A tie with how the results of its targets are read: a state has the class of each target, and that of the tie."""

    def __init__(self, automata: Sequence[Automaton], tie: Automaton) -> None:
        self.automata, self.tie, self.readings = automata, tie, [reading_of(each) for each in automata]
        self.order = sorted(
            (slot, number, place)
            for number, automaton in enumerate(automata)
            for place, slot in enumerate(automaton.slots)
        )
        self.start = (*(reading.start for reading in self.readings), tie.start)
        self.states = Names[tuple[int, ...]]()
        self._places = {slot: place for place, slot in enumerate(tie.slots)}

    def table(self, at: int, begun: tuple[int, ...]) -> tuple[Table, tuple[int, ...]]:
        """Return what each action does in a slot, and the states that come after it."""
        _, number, place = self.order[at]
        made, waiting, after = Rows(self.automata[number].table(place).actions), list(begun), set[int]()
        while waiting:
            state = waiting.pop()
            if state in made.rows:
                continue
            made.rows[state] = len(made.rows)
            found = list(self._row(at, self.states.values[state]))
            waiting += [cell.after for cell in found if cell.stays]
            after.update(cell.after for cell in found if not cell.stays)
            made.cells += found
        return made.table(), tuple(sorted(after))

    def _row(self, at: int, state: tuple[int, ...]) -> Iterator[Cell]:
        slot, number, place = self.order[at]
        tied = self._places.get(slot)
        for read in self.readings[number].rows[place][state[number]]:
            moved, part, reasons = [*state], 0, 0
            moved[number] = read.after
            if tied is not None and not read.stays:
                moved[-1], part, reasons = self._tied(tied, state[-1], read.read)
            yield Cell(self.states.number(tuple(moved)), part, read.stays, read.read, reasons)

    def _tied(self, place: int, state: int, read: int) -> tuple[int, int, int]:
        table = self.tie.table(place)
        cell = table.rows[state], COLUMNS[read]
        return int(table.after[cell]), int(table.parts[cell]), int(table.reasons[cell])
