"""Two ways through a program side by side: how much more one pays than the other, whatever follows.

Pairs of states are looked at, one for each way; what follows is the same for both, or the one stays away from all of it.
The most that the second way can be ahead in the end runs backward over the pairs, so that it holds for every
continuation there is. Events, and the results of others in a group, are the same for both.
"""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.proofs.board import Amounts, Board, Moves

NEVER = np.iinfo(np.int64).min // 4
"""How far ahead a way is that cannot be gone."""

LOOKED_AT = 50
"""From how many states the plainest way is looked for."""

Pairs = tuple[tuple[int, int], ...]
"""Pairs of words of a slot: that of the first way, that of the second."""

Ahead = NDArray[np.int64]
"""How far ahead the second way is at most in the end, by the state of the first way and that of the second."""


class Ways(NamedTuple):
    """Two ways through a board, as the columns of its slots; after them all visits are missed.

    Attributes:
        first: what should not pay less.
        second: what pays more.
        at: the slot in which they part.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    at: int


class _Parted(NamedTuple):
    """Where two ways part: the way to it, the state, and the two words."""

    begin: tuple[int, ...]
    state: int
    columns: tuple[int, int]


class Parting(NamedTuple):
    """How two ways part.

    Attributes:
        pairs: the words of a slot in which they may part.
        follows: the words of a slot that follow for the one and for the other.
    """

    pairs: Callable[[Moves], Pairs]
    follows: Callable[[Moves], Pairs]


def alike(moves: Moves) -> Pairs:
    """Return each word with itself; one of those that do the same stands for all of them."""
    kept: list[int] = []
    for column in range(len(moves.words)):
        if not any(moves.same(column, other) for other in kept):
            kept.append(column)
    return tuple((column, column) for column in kept)


def against_leaving(moves: Moves) -> Pairs:
    """Return each word with that of who stays away; what is not required, and an event, is the same for both."""
    found: list[tuple[int, int]] = []
    for column, word in enumerate(moves.words):
        if moves.slot.event or word[-1].symbol == "_":
            found.append((column, column))
        else:
            found += [(column, away) for away in moves.away if others(moves, away) == others(moves, column)]
    return _without_doubles(moves, found)


def results(better: str, worse: str, targets: Container[int]) -> Callable[[Moves], Pairs]:
    """Return the pairs of a better and a worse result of a visit of some targets, by the symbols that decide it."""

    def pairs(moves: Moves) -> Pairs:
        if moves.slot.target not in targets:
            return ()
        return tuple(
            (first, second)
            for first, good in enumerate(moves.words)
            for second, bad in enumerate(moves.words)
            if good[-1].symbol in better
            and bad[-1].symbol in worse
            and others(moves, first) == others(moves, second)
        )

    return pairs


def others(moves: Moves, column: int) -> int | None:
    """Return how many others of a group met the target; None where no group counts."""
    last = moves.words[column][-1]
    return None if last.group is None else last.group - (last.symbol == "-")


def _without_doubles(moves: Moves, pairs: list[tuple[int, int]]) -> Pairs:
    kept: list[tuple[int, int]] = []
    for first, second in pairs:
        if not any(moves.same(first, one) and moves.same(second, other) for one, other in kept):
            kept.append((first, second))
    return tuple(kept)


@dataclass
class Comparison:
    """Looks for two ways of which the second pays more in the end.

    Attributes:
        board: the moves.
        parting: how the two ways part.
    """

    board: Board
    parting: Parting
    _follows: dict[int, Pairs] = field(default_factory=dict)
    _parts: dict[int, Pairs] = field(default_factory=dict)

    def fails(self, length: int | None = None) -> bool:
        """Tell whether there are such ways, of at most so many slots; after them all visits are missed."""
        length = len(self.board.moves) if length is None else length
        return any(self._lead(at, after) > 0 for at, after in self._backward(length) if at < length)

    def fails_at_best(self) -> bool:
        """Tell whether the second way is ahead even if the best follows for both, each the best for itself."""
        best = self.board.best
        for at, moves in enumerate(self.board.moves):
            for first, second in self._parting(at):
                to, other = moves.to[:, first], moves.to[:, second]
                worth = moves.pays[:, first] + best[at + 1][to], moves.pays[:, second] + best[at + 1][other]
                if ((worth[1] > worth[0]) & (to >= 0) & (other >= 0)).any():
                    return True
        return False

    def shortest(self) -> Ways:
        """Return the shortest ways; there have to be some."""
        short, long = 0, 1
        while long < len(self.board.moves) and not self.fails(long):
            short, long = long, min(2 * long, len(self.board.moves))
        while long - short > 1:
            middle = (short + long) // 2
            short, long = (short, middle) if self.fails(middle) else (middle, long)
        aheads = dict(self._backward(long))
        at = next(at for at in range(long) if self._lead(at, aheads[at]) > 0)
        return self._followed(at, self._plainest(at, aheads[at]), aheads)

    def _plainest(self, at: int, after: Ahead) -> "_Parted":
        """Return how the ways part in a slot, from the state that the plainest way leads to."""
        found: list[_Parted] = []
        for columns in self._parting(at):
            lead = self._leads(at, columns, after)
            states = np.flatnonzero(lead > 0)[:LOOKED_AT]
            found += [_Parted(self.board.way_to(at, int(each)), int(each), columns) for each in states]
        return min(found, key=lambda parted: (sum(map(bool, parted.begin)), parted.begin, parted.columns))

    def _backward(self, length: int) -> Iterator[tuple[int, Ahead]]:
        """Yield for each slot, from the last of so many on, how far ahead the second way is after it at most."""
        left = self.board.left[length]
        ahead = left[None, :] - left[:, None]
        for at in reversed(range(length)):
            yield at, ahead
            if at:
                ahead = self._before(at, ahead)

    def _before(self, at: int, after: Ahead) -> Ahead:
        moves, known = self.board.moves[at], np.full((self.board.begun[at],) * 2, NEVER)
        for first, second in self._following(at):
            np.maximum(known, self._options(moves, first, second, after), out=known)
        return known

    def _options(self, moves: Moves, first: int, second: int, after: Ahead) -> Ahead:
        to, other = moves.to[:, first], moves.to[:, second]
        options = after[to[:, None], other[None, :]] + moves.pays[:, second] - moves.pays[:, first][:, None]
        if (to < 0).any() or (other < 0).any():
            options[to < 0, :] = NEVER
            options[:, other < 0] = NEVER
        return options

    def _lead(self, at: int, after: Ahead) -> int:
        """Return how far ahead the second way is at most if they part in a slot."""
        leads = (self._leads(at, columns, after) for columns in self._parting(at))
        return max((int(lead.max()) for lead in leads), default=NEVER)

    def _leads(self, at: int, columns: tuple[int, int], after: Ahead) -> Amounts:
        """Return how far ahead the second way is at most if they part with two words, from each state."""
        moves, (first, second) = self.board.moves[at], columns
        to, other = moves.to[:, first], moves.to[:, second]
        lead: Amounts = after[to, other] + moves.pays[:, second] - moves.pays[:, first]
        lead[(to < 0) | (other < 0)] = NEVER
        return lead

    def _followed(self, at: int, parted: "_Parted", aheads: dict[int, Ahead]) -> Ways:
        """Follow two ways from where they part to where the second is ahead for good, by successes as far as it can be."""
        ways, pair = (list(parted.begin), list(parted.begin)), parted.columns
        states, lead = (parted.state, parted.state), 0
        for place in range(at, max(aheads) + 1):
            if place > at:
                options = self._following(place)
                pair = next(each for each in options if self._goes(place, each, states, lead + aheads[place]))
            moves = self.board.moves[place]
            paid = [int(moves.pays[state, column]) for state, column in zip(states, pair, strict=True)]
            lead += paid[1] - paid[0]
            states = (int(moves.to[states[0], pair[0]]), int(moves.to[states[1], pair[1]]))
            for way, column in zip(ways, pair, strict=True):
                way.append(column)
        return Ways(tuple(ways[0]), tuple(ways[1]), at)

    def _goes(self, at: int, pair: tuple[int, int], states: tuple[int, int], ahead: Ahead) -> bool:
        """Tell whether the second way is still ahead in the end after two words, with what it is ahead already."""
        moves = self.board.moves[at]
        to, other = moves.to[states[0], pair[0]], moves.to[states[1], pair[1]]
        if to < 0 or other < 0:
            return False
        return bool(ahead[to, other] + moves.pays[states[1], pair[1]] - moves.pays[states[0], pair[0]] > 0)

    def _following(self, at: int) -> Pairs:
        if at not in self._follows:
            self._follows[at] = self.parting.follows(self.board.moves[at])
        return self._follows[at]

    def _parting(self, at: int) -> Pairs:
        if at not in self._parts:
            self._parts[at] = self.parting.pairs(self.board.moves[at])
        return self._parts[at]
