"""The automata of a cluster as one: what each action does to a key, with the milestones that read what results are read as."""

from collections.abc import Hashable, Iterator, Mapping
from typing import NamedTuple

from cm_engine.analysis.actions import Action, Slot
from cm_engine.analysis.automaton import Automaton
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.ties import COLUMNS

Key = tuple[int, ...]
"""The state of each automaton of a cluster, and then that of each tie."""

OVER = -1
"""What stands for the state of an automaton whose slots are all decided, and for a mood that matters no more."""


class Moved(NamedTuple):
    """What an action does in a slot.

    Attributes:
        states: of the automaton of the slot after it, and of the ties that read it.
        part: the number of what is earned.
        stays: the slot stays open.
    """

    states: tuple[int, ...]
    part: int
    stays: bool


class Joint:
    """The automata of a cluster, and its ties.

    Attributes:
        automata: of the cluster.
        ties: of the cluster.
        start: the key before the first slot.
    """

    def __init__(self, explored: Explored, cluster: Cluster) -> None:
        """Take a cluster of an explored program."""
        self.automata = [explored.automata[index] for index in cluster.automata]
        self.ties = [explored.ties[index] for index in cluster.ties]
        self.start: Key = tuple(each.start for each in (*self.automata, *self.ties))
        self._joined = explored.joined
        self._last = [len(each.slots) - 1 for each in (*self.automata, *self.ties)]
        read = {slot: tuple(self._of(slot)) for tie in self.ties for slot in tie.slots}
        self._readers = [[read.get(slot, ()) for slot in each.slots] for each in self.automata]
        self._moves = [
            [tuple(self._ends((number, place), *readers)) for place, readers in enumerate(of)]
            for number, of in enumerate(self._readers)
        ]
        self._known: dict[Hashable, Mapping[Action, Moved]] = {}

    def _of(self, slot: Slot) -> Iterator[tuple[int, int]]:
        for position, tie in enumerate(self.ties, len(self.automata)):
            if slot in tie.slots:
                yield position, tie.slots.index(slot)

    def _ends(self, *places: tuple[int, int]) -> Iterator[tuple[int, bool]]:
        """Yield which positions of a key move in a slot, and whether for the last time."""
        return ((position, at == self._last[position]) for position, at in places)

    def readers(self, number: int, place: int) -> tuple[tuple[int, int], ...]:
        """Return the ties that read the results of a slot, by their positions in a key, and their own slots."""
        return self._readers[number][place]

    def local(self, number: int, place: int, key: Key) -> Hashable:
        """Return all that what actions do in a slot hangs on."""
        if readers := self._readers[number][place]:
            return number, place, key[number], *(key[position] for position, _ in readers)
        return number, self.automata[number].kinds[place], key[number]

    def turns(self, number: int, place: int, key: Key) -> Mapping[Action, Moved]:
        """Return what each action does in a slot."""
        local = self.local(number, place, key)
        if local not in self._known:
            actions = enumerate(self.automata[number].table(place).actions)
            self._known[local] = {action: self.turn(number, place, key, column) for column, action in actions}
        return self._known[local]

    def turn(self, number: int, place: int, key: Key, column: int) -> Moved:
        """Return what the action of a column does in a slot."""
        table = self.automata[number].table(place)
        row = table.rows[key[number]]
        states, part, stays = (
            [int(table.after[row, column])],
            int(table.parts[row, column]),
            bool(table.stays[row, column]),
        )
        for position, at in self._readers[number][place]:
            state = key[position]
            if not stays:
                state, paid = self._read(position, at, state, int(table.reads[row, column]))
                part = self._joined[part, paid] if paid else part
            states.append(state)
        return Moved(tuple(states), part, stays)

    def _read(self, position: int, at: int, state: int, read: int) -> tuple[int, int]:
        """Return the state of a tie after what a result is read as, and what the tie earns."""
        table = self._at(position).table(at)
        cell = table.rows[state], COLUMNS[read]
        return int(table.after[cell]), int(table.parts[cell])

    def parts(self, number: int, place: int) -> frozenset[int]:
        """Return the numbers of all that can be earned in a slot."""
        found = set(self.automata[number].parts_of(place))
        for position, at in self.readers(number, place):
            paid = self._at(position).parts_of(at) - {0}
            pairs = {(part, each) for part in found for each in paid}
            found |= {self._joined[pair] for pair in pairs if pair in self._joined}
        return frozenset(found)

    def after(self, number: int, place: int, key: Key, moved: Moved) -> Key:
        """Return the key after an action; what more it has at its end stays."""
        to = list(key)
        self.move(number, place, to, moved)
        return tuple(to)

    def move(self, number: int, place: int, key: list[int], moved: Moved) -> None:
        """Make a key that after an action."""
        for (position, is_last), state in zip(self._moves[number][place], moved.states, strict=True):
            key[position] = OVER if is_last and not moved.stays else state

    def _at(self, position: int) -> Automaton:
        first = len(self.automata)
        return self.automata[position] if position < first else self.ties[position - first]
