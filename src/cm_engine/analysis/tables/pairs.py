"""Two explored programs walked side by side, by look-up: pairs of states, over the visits that both of them have."""

from collections.abc import Iterator
from typing import NamedTuple

from cm_engine.analysis import joint
from cm_engine.analysis.actions import HAPPENED, NOT_HAPPENED, Action, Slot
from cm_engine.analysis.automaton import Table
from cm_engine.analysis.explored import Explored
from cm_engine.analysis.tables.till import Awards, Till
from cm_engine.program.values import LEFT, NOT_MET

Key = tuple[tuple[joint.Key, int], ...]
"""The states of each group of a program: of its automata and ties, and of its till."""

Name = tuple[str, int]
"""What a slot is called: its target or its event, and which visit or time of it."""


class Move(NamedTuple):
    """What an action does to one program.

    Attributes:
        to: the key after it.
        awards: what is paid.
        stays: the slot stays open.
    """

    to: Key
    awards: Awards
    stays: bool


class Place(NamedTuple):
    """A slot of a program: its group, its automaton by its place in the group, and its place there."""

    group: int
    automaton: int
    place: int


class Walker:
    """One program, visit by visit; what the other one does not have is passed as not required."""

    def __init__(self, explored: Explored, *, called: str = "") -> None:
        """Begin before the first visit.

        Args:
            explored: the program.
            called: how its only target is called here, if not by its own name.
        """
        self.explored, self._called = explored, called
        self._tills = [Till(explored, is_limited=each.is_limited) for each in explored.clusters]
        self._joints = [joint.Joint(explored, each) for each in explored.clusters]
        self.places = tuple(_in_order(explored))
        self.names = tuple(self._name(self.slot(place)) for place in self.places)
        self.start: Key = tuple((each.start, 0) for each in self._joints)
        self._known: dict[tuple[Place, tuple[joint.Key, int], Action], _Moved] = {}

    def slot(self, place: Place) -> Slot:
        """Return the slot of a place."""
        return self._joints[place.group].automata[place.automaton].slots[place.place]

    def table(self, place: Place) -> Table:
        """Return what each action does at a place."""
        return self._joints[place.group].automata[place.automaton].table(place.place)

    def is_read(self, place: Place) -> bool:
        """Tell whether a milestone reads the results of a place."""
        return bool(self._joints[place.group].readers(place.automaton, place.place))

    def _name(self, slot: Slot) -> Name:
        return (slot.event or self._called or self.explored.rules.targets[slot.target].name, slot.visit)

    def passing(self, key: Key, places: tuple[Place, ...]) -> Key:
        """Return the key after slots in which nothing is required, and no event happens."""
        for place in places:
            key = self.move(key, place, Action(NOT_HAPPENED if self.slot(place).event else "_")).to
        return key

    def move(self, key: Key, place: Place, action: Action) -> Move:
        """Return what an action does at a place."""
        known = (place, key[place.group], action)
        if known not in self._known:
            self._known[known] = self._moved(*known)
        to, awards, stays = self._known[known]
        return Move((*key[: place.group], to, *key[place.group + 1 :]), awards, stays)

    def _moved(self, place: Place, of_group: tuple[joint.Key, int], action: Action) -> "_Moved":
        (key, held), group, slot = of_group, self._joints[place.group], (place.automaton, place.place)
        moved = group.turns(*slot, key)[action]
        after = group.after(*slot, key, moved)
        if moved.stays:
            return _Moved((after, held), (), stays=True)
        when = self.explored.when(self.slot(place))
        paid = self._tills[place.group].pay(held, moved.part, when)
        return _Moved((after, paid.after), tuple(sorted(paid.awards)), stays=False)


class _Moved(NamedTuple):
    to: tuple[joint.Key, int]
    awards: Awards
    stays: bool


def _in_order(explored: Explored) -> Iterator[Place]:
    """Yield the places of a program in the order in which they are decided."""
    places = [
        (explored.automata[cluster.automata[number]].slots[place], Place(group, number, place))
        for group, cluster in enumerate(explored.clusters)
        for number, place in cluster.order
    ]
    yield from (place for _, place in sorted(places))


class Pair(NamedTuple):
    """A state of each of two programs."""

    former: Key
    latter: Key


class Letter(NamedTuple):
    """What is seen at a visit of both programs, as each of them knows it."""

    former: Action
    latter: Action


class Both(NamedTuple):
    """What a letter does to both programs."""

    to: Pair
    former: Move
    latter: Move

    @property
    def differs(self) -> bool:
        """Tell whether it pays differently, or leaves the visit open in one of them only."""
        return self.former[1:] != self.latter[1:]

    @property
    def stays(self) -> bool:
        """Tell whether the visit stays open in one of them."""
        return self.former.stays or self.latter.stays


class Pairs:
    """Two programs side by side, over the visits that they have in common and in one order.

    Attributes:
        names: the slots of both.
        renamed: the only target of the latter program, where it has another name than that of the former.
    """

    def __init__(self, former: Explored, latter: Explored) -> None:
        """Begin before the first visit."""
        only = [
            each.rules.targets[0].name if len(each.rules.targets) == 1 else "" for each in (former, latter)
        ]
        self.renamed = only[1] if all(only) and only[0] != only[1] else ""
        self.former = Walker(former)
        self.latter = Walker(latter, called=only[0] if self.renamed else "")
        shared = {name for name, _ in self.former.names} & {name for name, _ in self.latter.names}
        self.names = tuple(_common(self.former.names, self.latter.names, shared))
        self._ways = [tuple(_steps(each, self.names)) for each in (self.former, self.latter)]
        self.letters = tuple(tuple(self._letters(at)) for at in range(len(self.names)))

    @property
    def start(self) -> Pair:
        """Return the states before the first visit."""
        return Pair(self.former.start, self.latter.start)

    def is_event(self, at: int) -> bool:
        """Tell whether a slot is that of an event."""
        return bool(self.former.slot(self._ways[0][at][1]).event)

    def move(self, at: int, pair: Pair, letter: Letter) -> Both:
        """Return what a letter does at a slot."""
        moves = [
            walker.move(walker.passing(key, way[at][0]), way[at][1], action)
            for walker, key, way, action in zip(
                (self.former, self.latter), pair, self._ways, letter, strict=True
            )
        ]
        return Both(Pair(moves[0].to, moves[1].to), *moves)

    def settled(self, at: int, pair: Pair, letter: Letter) -> Both:
        """Return what a letter does at a slot in the end: a visit that stays open shows the same again."""
        both = self.move(at, pair, letter)
        moves = [both.former, both.latter]
        for number, walker in enumerate((self.former, self.latter)):
            place = self._ways[number][at][1]
            while moves[number].stays:
                moves[number] = walker.move(moves[number].to, place, letter[number])
        return Both(Pair(moves[0].to, moves[1].to), *moves)

    def _letters(self, at: int) -> Iterator[Letter]:
        """Yield what may be seen at a slot; of what does the same in both programs, the first."""
        tables = [
            walker.table(way[at][1])
            for walker, way in zip((self.former, self.latter), self._ways, strict=True)
        ]
        are_read = [
            walker.is_read(way[at][1])
            for walker, way in zip((self.former, self.latter), self._ways, strict=True)
        ]
        seen: set[tuple[bytes, ...]] = set()
        for letter in self._matched(at, tables[0].actions, tables[1].actions):
            does = tuple(
                _column(table, action, reads=reads)
                for table, action, reads in zip(tables, letter, are_read, strict=True)
            )
            if does not in seen:
                seen.add(does)
                yield letter

    def _matched(self, at: int, former: tuple[Action, ...], latter: tuple[Action, ...]) -> Iterator[Letter]:
        known = set(latter)
        for symbol in dict.fromkeys(action.symbol for action in former):
            mine = [action for action in former if action.symbol == symbol]
            both = [Letter(action, action) for action in mine if action in known]
            yield from both or [Letter(*self.usual(at, symbol))]

    def usual(self, at: int, symbol: str) -> Letter:
        """Return a symbol as each program knows it: with the usual reward, and all others of a group meeting theirs."""
        return Letter(
            *(
                _usual(walker, way[at][1], symbol)
                for walker, way in zip((self.former, self.latter), self._ways, strict=True)
            )
        )

    def likely(self, at: int) -> tuple[Letter, Letter]:
        """Return what is seen at a slot if it is met, and if it is not."""
        not_met = NOT_HAPPENED if self.is_event(at) else LEFT if self._is_attended(at) else NOT_MET
        return self.usual(at, HAPPENED if self.is_event(at) else "-"), self.usual(at, not_met)

    def _is_attended(self, at: int) -> bool:
        target = self.former.explored.program.targets.get(self.names[at][0])
        return target is not None and target.behavior == "attendance"


def _common(former: tuple[Name, ...], latter: tuple[Name, ...], shared: set[str]) -> Iterator[Name]:
    """Yield the slots of what both have, as long as they come in one order."""
    mine = (each for each in former if each[0] in shared)
    others = (each for each in latter if each[0] in shared)
    for one, other in zip(mine, others, strict=False):
        if one != other:
            return
        yield one


def _steps(walker: Walker, names: tuple[Name, ...]) -> Iterator[tuple[tuple[Place, ...], Place]]:
    """Yield for each shared slot its place, and the places of the slots before it that only one program has."""
    passed: list[Place] = []
    waiting = list(reversed(names))
    for name, place in zip(walker.names, walker.places, strict=True):
        if not waiting:
            return
        if name != waiting[-1]:
            passed.append(place)
            continue
        waiting.pop()
        yield tuple(passed), place
        passed = []


def _usual(walker: Walker, place: Place, symbol: str) -> Action:
    slot = walker.slot(place)
    found = [action for action in walker.table(place).actions if action.symbol == symbol]
    if slot.event:
        return found[0]
    phase = walker.explored.rules.targets[slot.target].visits[slot.visit].phase
    if phase.options and symbol == "-":
        return Action("-", choice=phase.options[phase.usual])
    return found[-1]


def _column(table: Table, action: Action, *, reads: bool) -> bytes:
    """Return all that an action does; with what it is read as, where a milestone reads it."""
    column, told = table.actions.index(action), [table.after, table.parts, table.stays]
    return b"".join(each[:, column].tobytes() for each in (*told, *([table.reads] if reads else [])))
