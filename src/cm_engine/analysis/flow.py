"""How likely each way through a cluster of automata is, slot by slot, under a model of behavior."""

from collections.abc import Hashable, Iterator
from fractions import Fraction
from math import comb, lcm
from typing import NamedTuple

from cm_engine.analysis.actions import HAPPENED, NOT_HAPPENED, Action, Slot
from cm_engine.analysis.behavior import Behavior, Turn
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.joint import OVER, Joint, Key, Moved
from cm_engine.rules.limits import When


class Way(NamedTuple):
    """One way on from a key, which has the states of a cluster, and then the mood of each of its targets.

    Attributes:
        to: the key after it.
        part: the number of what is earned.
        stays: the slot stays open.
        chance: of the way.
        weight: the chance as a float.
    """

    to: Key
    part: int
    stays: bool
    chance: Fraction
    weight: float


def model_of(explored: Explored, target: int, behavior: Behavior) -> Behavior:
    """Return how likely each result of a target is."""
    name = explored.rules.targets[target].name
    return behavior.of(name, explored.program.targets[name].behavior)


class Flow:
    """All ways through a cluster, slot by slot."""

    def __init__(self, explored: Explored, cluster: Cluster, behavior: Behavior) -> None:
        """Look at a cluster under a model of behavior."""
        self.explored, self.cluster, self.behavior = explored, cluster, behavior
        self.joint = Joint(explored, cluster)
        self.automata = self.joint.automata
        targets = [target for automaton in self.automata for target in automaton.targets]
        self._mood = {target: len(self.joint.start) + place for place, target in enumerate(targets)}
        self.models = {target: model_of(explored, target, behavior) for target in targets}
        self._last = {target: len(explored.rules.targets[target].visits) - 1 for target in targets}
        self._known: dict[Hashable, tuple[tuple[Moved, int, Fraction, float], ...]] = {}
        self._columns: dict[tuple[int, int, int], tuple[tuple[int, int, Fraction], ...]] = {}

    def starts(self) -> Iterator[tuple[Key, Fraction]]:
        """Yield each key before the first slot, with its chance."""
        moods: list[tuple[tuple[int, ...], Fraction]] = [((), Fraction(1))]
        for model in self.models.values():
            moods = [
                ((*before, mood), chance * share)
                for before, chance in moods
                for mood, share in enumerate(model.start)
                if share
            ]
        yield from (((*self.joint.start, *mood), chance) for mood, chance in moods)

    def slots(self) -> Iterator[tuple[int, int, Slot, When]]:
        """Yield each slot in its order: its automaton, its place there, and its day."""
        for number, place in self.cluster.order:
            slot = self.automata[number].slots[place]
            yield number, place, slot, self.explored.when(slot)

    def scale(self, slot: Slot) -> int:
        """Return a number that makes every chance of a slot whole."""
        moods = range(len(self.models[slot.target].start)) if slot.target >= 0 else (0,)
        found = (chance.denominator for mood in moods for _, _, chance in self.actions(slot, mood))
        return lcm(*found)

    def ways(self, number: int, place: int, slot: Slot, key: Key) -> Iterator[Way]:
        """Yield the ways on from a key in a slot; those that end alike are one."""
        where, is_last = self._mood.get(slot.target, -1), slot.visit == self._last.get(slot.target)
        for moved, mood, chance, weight in self._merged(number, place, slot, key):
            to = list(key)
            self.joint.move(number, place, to, moved)
            if slot.target >= 0:
                to[where] = OVER if is_last and not moved.stays else mood
            yield Way(tuple(to), moved.part, moved.stays, chance, weight)

    def _merged(
        self, number: int, place: int, slot: Slot, key: Key
    ) -> tuple[tuple[Moved, int, Fraction, float], ...]:
        """Return what a key leads to, with the mood then; known once for slots of one kind with one model."""
        visit = mood = 0
        if slot.target >= 0:
            visit = min(slot.visit, len(self.models[slot.target].turns) - 1)
            mood = key[self._mood[slot.target]]
        known = (self.joint.local(number, place, key), visit, mood)
        if known not in self._known:
            self._known[known] = tuple(self._found(number, place, key, mood))
        return self._known[known]

    def _found(
        self, number: int, place: int, key: Key, mood: int
    ) -> Iterator[tuple[Moved, int, Fraction, float]]:
        sums = dict[tuple[Moved, int], Fraction]()
        for column, after, chance in self._taken(number, place, mood):
            found = self.joint.turn(number, place, key, column), after
            sums[found] = sums[found] + chance if found in sums else chance
        yield from ((*found, chance, float(chance)) for found, chance in sums.items() if chance)

    def _taken(self, number: int, place: int, mood: int) -> tuple[tuple[int, int, Fraction], ...]:
        """Return what a mood may bring in a slot, as `actions` does, by the columns of its table; found once."""
        known = (number, place, mood)
        if known not in self._columns:
            automaton = self.automata[number]
            columns = {action: column for column, action in enumerate(automaton.table(place).actions)}
            taken = self.actions(automaton.slots[place], mood)
            self._columns[known] = tuple((columns[action], after, chance) for action, after, chance in taken)
        return self._columns[known]

    def actions(self, slot: Slot, mood: int) -> Iterator[tuple[Action, int, Fraction]]:
        """Yield what a mood may bring in a slot: the action, the mood after it, and its chance."""
        if slot.event:
            chance = self.behavior.event(slot.event)
            yield from ((Action(HAPPENED), 0, chance), (Action(NOT_HAPPENED), 0, 1 - chance))
            return
        model = self.models[slot.target]
        for turn in model.at(slot.visit)[mood]:
            yield from self._shared(slot, model, turn)

    def _shared(self, slot: Slot, model: Behavior, turn: Turn) -> Iterator[tuple[Action, int, Fraction]]:
        """Yield the actions of a symbol: the usual choice, and each number of a group's members that may have met it."""
        phase = self.explored.rules.targets[slot.target].visits[slot.visit].phase
        if phase.options and turn.symbol == "-":
            yield Action("-", choice=phase.options[phase.usual]), turn.to, turn.chance
        elif (phase.group or phase.together) and turn.symbol != "_":
            own = int(turn.symbol == "-")
            others = (phase.group.size if phase.group else len(phase.variants)) - 1
            for met in range(others + 1):
                share = comb(others, met) * model.rate**met * (1 - model.rate) ** (others - met)
                yield Action(turn.symbol, group=met + own), turn.to, turn.chance * share
        else:
            yield Action(turn.symbol), turn.to, turn.chance
