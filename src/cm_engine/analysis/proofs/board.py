"""Visits as whole moves: where each word of a visit leads from each state, and what it pays; for proofs over all states.

A visit that stays open for another specimen is one move as well: its word is all that was seen until it was decided.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.actions import HAPPENED, MISSED, NOT_HAPPENED, Action, Slot
from cm_engine.analysis.automaton import Automaton
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.joint import Joint, Key
from cm_engine.analysis.purse import LimitedPurse
from cm_engine.analysis.sequences import Seen
from cm_engine.program.units import Unit

Word = tuple[Action, ...]
"""All that is seen in a slot until it is decided."""

Places = NDArray[np.int64]
"""Places of states among those that a slot can begin in."""

Amounts = NDArray[np.int64]
"""Amounts in minor units."""

MOST_WORDS = 400
"""How many words a visit may have, with all specimens that it stays open for."""


@dataclass(frozen=True, eq=False)
class Moves:
    """What can be seen in one slot: a row for each state before it, a column for each word.

    Attributes:
        slot: the slot.
        words: the columns.
        to: the place of the state after it among those of the next slot; -1 where the word cannot be seen.
        pays: in minor units.
    """

    slot: Slot
    words: tuple[Word, ...]
    to: Places
    pays: Amounts

    @cached_property
    def away(self) -> tuple[int, ...]:
        """Return the words of who stays away; of an event, that it does not happen."""
        shown = {NOT_HAPPENED if self.slot.event else MISSED}
        return tuple(
            column for column, word in enumerate(self.words) if {action.symbol for action in word} <= shown
        )

    def same(self, column: int, other: int) -> bool:
        """Tell whether two words do the same in every state."""
        return column == other or (
            bool((self.to[:, column] == self.to[:, other]).all())
            and bool((self.pays[:, column] == self.pays[:, other]).all())
        )


@dataclass(frozen=True, eq=False)
class Board:
    """Every move of some targets and events, with what it pays in one unit.

    Attributes:
        names: of the targets, in the order of the program.
        targets: their places in the program.
        moves: of each slot, in the order in which they are decided.
        start: the place of the first state.
        begun: how many states each slot can begin in, and how many there are at the end.
    """

    names: tuple[str, ...]
    targets: tuple[int, ...]
    moves: tuple[Moves, ...]
    start: int
    begun: tuple[int, ...]

    def seen(self, columns: Iterable[int]) -> Seen:
        """Return what a way shows, from the first slot on."""
        words, events = dict.fromkeys(self.names, ""), list[str]()
        names = dict(zip(self.targets, self.names, strict=True))
        for moves, column in zip(self.moves, columns, strict=False):
            shown = "".join(action.symbol for action in moves.words[column])
            if moves.slot.event:
                events += [moves.slot.event] * (shown == HAPPENED)
            else:
                words[names[moves.slot.target]] += shown
        return Seen(words, tuple(events))

    def shown(self, columns: Iterable[int]) -> dict[Slot, list[Action]]:
        """Return what a way shows in each slot, from the first on."""
        pairs = zip(self.moves, columns, strict=False)
        return {moves.slot: list(moves.words[column]) for moves, column in pairs}

    def paid(self, columns: Iterable[int]) -> int:
        """Return what a way pays, if all visits after it are missed."""
        state, sum_, place = self.start, 0, 0
        for place, column in enumerate(columns, start=1):
            moves = self.moves[place - 1]
            sum_ += int(moves.pays[state, column])
            state = int(moves.to[state, column])
        return sum_ + int(self.left[place][state])

    def way_to(self, slot: int, state: int) -> tuple[int, ...]:
        """Return a way from the start to a state before a slot, of successes as far as it can be."""
        found: list[int] = []
        for moves in reversed(self.moves[:slot]):
            columns, rows = np.nonzero(np.equal(moves.to.T, state))
            found.append(int(columns[0]))
            state = int(rows[0])
        return tuple(reversed(found))

    @cached_property
    def left(self) -> tuple[Amounts, ...]:
        """Return for each slot, and for the end, what is still paid from each state if all visits are missed."""
        worth = [np.zeros(self.begun[-1], dtype=np.int64)]
        for moves in reversed(self.moves):
            rows, away = np.arange(len(moves.to)), np.array(moves.away)
            column = away[np.argmax(moves.to[:, away] >= 0, axis=1)]
            worth.append(moves.pays[rows, column] + worth[-1][moves.to[rows, column]])
        return tuple(reversed(worth))

    @cached_property
    def best(self) -> tuple[Amounts, ...]:
        """Return for each slot, and for the end, the most that can still be paid from each state."""
        worth = [np.zeros(self.begun[-1], dtype=np.int64)]
        for moves in reversed(self.moves):
            options = np.where(moves.to >= 0, moves.pays + worth[-1][moves.to], np.iinfo(np.int64).min)
            worth.append(options.max(axis=1))
        return tuple(reversed(worth))


class Turn(NamedTuple):
    """What one action does: the state after it, what it pays, and whether the slot stays open."""

    action: Action
    to: Hashable
    paid: int
    stays: bool


Turns = Callable[[Hashable], Iterator[Turn]]
"""What can be seen in a slot, from a state on."""


class _NoBoardError(Exception):
    """A visit has too many words, or chance decides what a limit looks at."""


def board_of(explored: Explored, automaton: Automaton, unit: Unit) -> Board | None:
    """Return the moves of an automaton, with what they earn in a unit before limits; None if a visit has too many words."""
    try:
        return _whole_board(explored, automaton, unit)
    except _NoBoardError:
        return None


def _whole_board(explored: Explored, automaton: Automaton, unit: Unit) -> Board:
    own = explored.rules.deposit.unit if explored.rules.deposit else None
    pays = [part.sum(unit, own) for part in explored.parts]
    known: dict[Hashable, tuple[tuple[Word, ...], Places, Amounts]] = {}
    moves: list[Moves] = []
    for place, slot in enumerate(automaton.slots):
        before, after = automaton.reach[place : place + 2]
        key = automaton.kinds[place], before, after
        if key not in known:
            turns = _turns_of_table(automaton, place, pays)
            known[key] = _filled([_closed(turns, state) for state in before], after)
        moves.append(Moves(slot, *known[key]))
    start = automaton.reach[0].index(automaton.start)
    return _board(explored, [automaton], moves, start, [len(each) for each in automaton.reach])


def _turns_of_table(automaton: Automaton, place: int, pays: list[int]) -> Turns:
    table = automaton.table(place)

    def turns(state: Hashable) -> Iterator[Turn]:
        row = table.rows[cast("int", state)]
        cells = zip(
            table.after[row].tolist(), table.parts[row].tolist(), table.stays[row].tolist(), strict=True
        )
        for action, (after, part, stays) in zip(table.actions, cells, strict=True):
            yield Turn(action, after, pays[part], stays)

    return turns


def limited_board(explored: Explored, cluster: Cluster, unit: Unit, most: int) -> Board | None:
    """Return the moves of a cluster, with what its limits leave of what they earn in a unit.

    None if some slot has more than so many states, or too many words, or if chance decides what a limit looks at.
    """
    joint, purse = Joint(explored, cluster), LimitedPurse(explored, unit, counts=False)
    before: tuple[Hashable, ...] = ((joint.start, 0),)
    begun, moves = [1], list[Moves]()
    for number, place in cluster.order:
        try:
            turns = _turns_within_limits(explored, joint, purse, number, place)
            found = [_closed(turns, node) for node in before]
        except _NoBoardError:
            return None
        after = tuple(dict.fromkeys(node for words in found for node, _ in words.values()))
        if len(after) > most:
            return None
        moves.append(Moves(joint.automata[number].slots[place], *_filled(found, after)))
        begun.append(len(after))
        before = after
    return _board(explored, joint.automata, moves, 0, begun)


def _turns_within_limits(
    explored: Explored, joint: Joint, purse: LimitedPurse, number: int, place: int
) -> Turns:
    when = purse.like(explored.when(joint.automata[number].slots[place]))

    def turns(node: Hashable) -> Iterator[Turn]:
        key, held = cast("tuple[Key, int]", node)
        for action, moved in joint.turns(number, place, key).items():
            ways = purse.ways(held, moved.part, when)
            if len(ways) > 1:
                raise _NoBoardError
            after = joint.after(number, place, key, moved)
            yield Turn(action, (after, ways[0].to), ways[0].paid, moved.stays)

    return turns


def _closed(turns: Turns, state: Hashable) -> dict[Word, tuple[Hashable, int]]:
    """Return each word that decides a slot, with the state after it and what it pays."""
    found: dict[Word, tuple[Hashable, int]] = {}
    waiting: list[tuple[Word, Hashable, int]] = [((), state, 0)]
    while waiting:
        word, state, paid = waiting.pop(0)
        for turn in turns(state):
            seen = (*word, turn.action)
            if not turn.stays:
                found[seen] = turn.to, paid + turn.paid
            elif turn.to != state:
                waiting.append((seen, turn.to, paid + turn.paid))
        if len(found) + len(waiting) > MOST_WORDS:
            raise _NoBoardError
    return found


def _filled(
    found: list[dict[Word, tuple[Hashable, int]]], after: tuple[Hashable, ...]
) -> tuple[tuple[Word, ...], Places, Amounts]:
    """Return the columns of a slot, and what each does from each state."""
    words = tuple(dict.fromkeys(word for each in found for word in each))
    places = {state: place for place, state in enumerate(after)}
    nowhere = (None, 0)
    cells = [[each.get(word, nowhere) for word in words] for each in found]
    to = np.array([[places.get(state, -1) for state, _ in row] for row in cells], dtype=np.int64)
    return words, to, np.array([[paid for _, paid in row] for row in cells], dtype=np.int64)


def _board(
    explored: Explored, automata: list[Automaton], moves: list[Moves], start: int, begun: list[int]
) -> Board:
    targets = tuple(sorted(target for automaton in automata for target in automaton.targets))
    names = tuple(explored.rules.targets[target].name for target in targets)
    return Board(names, targets, tuple(moves), start, tuple(begun))
