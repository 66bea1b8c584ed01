"""The most and the least that a program can pay, each with a sequence of results that reaches it."""

from collections.abc import Container, Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.actions import Action, Slot
from cm_engine.analysis.backward import IMPOSSIBLE, Worths
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.joint import Joint, Key
from cm_engine.analysis.parts import Part
from cm_engine.analysis.purse import LimitedPurse
from cm_engine.analysis.sequences import Extreme, Seen, Shown, seen_of
from cm_engine.analysis.tied import of_automaton, of_tied
from cm_engine.program.units import Unit
from cm_engine.rules.limits import When
from cm_engine.rules.milestones import MilestoneRules
from cm_engine.rules.state import Award

EPISODE = ("episode",)
"""The windows that bound what events pay, however often they happen."""


def maximum(explored: Explored, unit: Unit) -> Extreme:
    """Return the most that a program can pay in a unit, with a sequence that reaches it.

    An event that pays without an end is taken to happen once for each reward, and is named. What measured values of an
    event may pay is in the bound.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import explore
        >>> explored = explore(catalogue.program("california-recovery-incentives"))
        >>> maximum(explored, explored.units[0]).amount
        59900
    """
    return _with_events(explored, unit, _extreme(explored, unit, 1))


def minimum(explored: Explored, unit: Unit) -> Extreme:
    """Return the least that a program can pay in a unit, with a sequence that reaches it; less than 0 with a deposit.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import explore
        >>> explored = explore(catalogue.program("halpern-2015-deposit"))
        >>> minimum(explored, explored.units[0]).amount
        -15000
    """
    return _extreme(explored, unit, -1)


def _with_events(explored: Explored, unit: Unit, found: Extreme) -> Extreme:
    """Return the most of an exploration with what events pay that it did not look at."""
    opened = explored.opened(unit)
    if not opened:
        return found
    if (total := most_of_limits(explored, unit, EPISODE)) is not None:
        return found._replace(bound=total)
    pays = [_pays_at_most(explored, each, unit) for each in opened]
    if endless := dict.fromkeys(each.event for each, most in zip(opened, pays, strict=True) if most is None):
        return found._replace(bound=None, endless=tuple(endless))
    return found._replace(bound=found.sure + sum(most or 0 for most in pays))


def most_of_limits(explored: Explored, unit: Unit, per: Container[str]) -> int | None:
    """Return the most that limits on a unit let one enrollment have in some windows, such as an episode; None without one."""
    limits = [limit for limit in explored.rules.limits if limit.unit == unit and limit.per in per]
    return min((max(limit.amounts) for limit in limits), default=None)


def _pays_at_most(explored: Explored, milestone: MilestoneRules, unit: Unit) -> int | None:
    """Return what a milestone pays at most in a unit; None without an end."""
    most = most_of_limits(explored, milestone.unit, EPISODE)
    if most is None and milestone.at_most is not None:
        most = milestone.amount * milestone.at_most
    return None if most is None else Part((Award(milestone.unit, most),)).at_most(unit, explored.rules)


def _extreme(explored: Explored, unit: Unit, sign: int) -> Extreme:
    found = [_of_cluster(explored, cluster, unit, sign) for cluster in explored.clusters_of(unit)]
    words: dict[str, str] = {}
    for each in found:
        words.update(each.seen.words)
    events = tuple(event for each in found for event in each.seen.events)
    named = {target.name: words[target.name] for target in explored.rules.targets if target.name in words}
    amount = sum(each.amount for each in found)
    bound = sum(each.sure for each in found)
    return Extreme(amount, Seen(named, events), None if bound == amount else bound)


def _of_cluster(explored: Explored, cluster: Cluster, unit: Unit, sign: int) -> Extreme:
    if cluster.ties:
        return of_tied(explored, cluster, unit, sign)
    if cluster.is_limited:
        return _Search(explored, cluster, unit, sign).best()
    return of_automaton(explored, explored.automata[cluster.automata[0]], unit, sign)


class _Search:
    """Looks for the best way through a cluster that a limit looks at, backward from its end."""

    def __init__(self, explored: Explored, cluster: Cluster, unit: Unit, sign: int) -> None:
        self.explored, self.cluster, self.sign = explored, cluster, sign
        self.joint = Joint(explored, cluster)
        self.automata = self.joint.automata
        self.purse = LimitedPurse(explored, unit, counts=False)
        self._moves: dict[tuple[int, When], _Moves] = {}

    def best(self) -> Extreme:
        """Return the best amount, and a sequence that reaches it."""
        reach = list(self._reach())
        worth: dict[Key, Worths] = {
            key: np.zeros(len(held), dtype=np.int64) for key, held in reach[-1].items()
        }
        after = [worth]
        for at in reversed(range(len(self.cluster.order))):
            worth = self._before(at, reach[at], worth)
            after.append(worth)
        after.reverse()
        start = self.joint.start
        return Extreme(self.sign * int(after[0][start][0]), self._way(start, after))

    def _slot(self, at: int) -> tuple[int, int, Slot, When]:
        number, place = self.cluster.order[at]
        slot = self.automata[number].slots[place]
        return number, place, slot, self.purse.like(self.explored.when(slot))

    def _turns(self, at: int, key: Key) -> dict[tuple[Key, int, bool], Action]:
        """Return where the actions of a slot lead, with the first action of those that do the same."""
        number, place = self.cluster.order[at]
        found: dict[tuple[Key, int, bool], Action] = {}
        for action, moved in self.joint.turns(number, place, key).items():
            to = self.joint.after(number, place, key, moved)
            found.setdefault((to, moved.part, moved.stays), action)
        return found

    def _moved(self, part: int, when: When) -> "_Moves":
        return self._moves.setdefault((part, when), _Moves(self.purse, part, when, self.sign))

    def _reach(self) -> Iterator[dict[Key, NDArray[np.bool_]]]:
        """Yield for each slot, and for the end, which states of the purse each key can come with."""
        rows = {self.joint.start: np.ones(1, dtype=bool)}
        for at in range(len(self.cluster.order)):
            when, after, waiting = self._slot(at)[3], dict[Key, NDArray[np.bool_]](), dict(rows)
            while waiting:
                staying: dict[Key, NDArray[np.bool_]] = {}
                for key, held in waiting.items():
                    for to, part, stays in self._turns(at, key):
                        _mark(
                            staying if stays else after, to, self._moved(part, when).to(np.flatnonzero(held))
                        )
                for key, held in staying.items():
                    _mark(rows, key, np.flatnonzero(held))
                waiting = staying
            yield rows
            rows = after
        yield rows

    def _before(
        self, at: int, reach: Mapping[Key, NDArray[np.bool_]], after: Mapping[Key, Worths]
    ) -> dict[Key, Worths]:
        """Return what can still be paid before a slot, from what can be after it."""
        when, known = self._slot(at)[3], dict[Key, Worths]()

        def worth(key: Key) -> Worths:
            if key not in known:
                held = np.flatnonzero(reach[key])
                best = np.full(len(reach[key]), IMPOSSIBLE)
                for to, part, stays in self._turns(at, key):
                    then = worth(to) if stays else after[to]
                    best[held] = np.maximum(best[held], self._moved(part, when).best(held, then))
                known[key] = best
            return known[key]

        for key in reach:
            worth(key)
        return known

    def _way(self, key: Key, after: list[dict[Key, Worths]]) -> Seen:
        """Follow a best way from the start, and tell what is seen on it."""
        held, at = 0, 0
        shown: list[Shown] = []
        while at < len(self.cluster.order):
            slot, when = self._slot(at)[2:]
            to, part, stays = self._best_turn(at, key, held, after, when)
            shown.append((slot, self._turns(at, key)[to, part, stays]))
            held = self._moved(part, when).first(held, after[at if stays else at + 1][to])
            key, at = to, at + (not stays)
        targets = (target for automaton in self.automata for target in automaton.targets)
        return seen_of(self.explored.rules, targets, shown)

    def _best_turn(
        self, at: int, key: Key, held: int, after: list[dict[Key, Worths]], when: When
    ) -> tuple[Key, int, bool]:
        held_alone = np.array([held])

        def worth(turn: tuple[Key, int, bool]) -> int:
            to, part, stays = turn
            then = after[at if stays else at + 1][to]
            return int(self._moved(part, when).best(held_alone, then)[0])

        return max(self._turns(at, key), key=worth)


def _mark(rows: dict[Key, NDArray[np.bool_]], key: Key, places: NDArray[np.int64]) -> None:
    need = int(places.max()) + 1
    have = rows.get(key, np.zeros(0, dtype=bool))
    if len(have) < need:
        have = np.concatenate([have, np.zeros(need - len(have), dtype=bool)])
    have[places] = True
    rows[key] = have


class _Moves:
    """Where a part leads from each state of a purse, and what it pays; a column for each thing that draws may win."""

    def __init__(self, purse: LimitedPurse, part: int, when: When, sign: int) -> None:
        self._ways = partial(purse.ways, part=part, when=when)
        self._sign = sign
        self._to, self._paid = np.full((0, 1), -1, dtype=np.int64), np.zeros((0, 1), dtype=np.int64)

    def to(self, held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return every state that the part leads to from some states."""
        self._learn(held)
        return np.unique(self._to[held])

    def best(self, held: NDArray[np.int64], after: Worths) -> Worths:
        """Return the best that can be paid from some states, with the part."""
        self._learn(held)
        found: Worths = np.max(self._paid[held] + after[self._to[held]], axis=1)
        return found

    def first(self, held: int, after: Worths) -> int:
        """Return the state that the part best leads to."""
        return int(self._to[held][np.argmax(self._paid[held] + after[self._to[held]])])

    def _learn(self, held: NDArray[np.int64]) -> None:
        self._widen(int(held.max()) + 1, 1)
        for state in held[self._to[held, 0] < 0]:
            steps = self._ways(int(state))
            self._widen(0, len(steps))
            self._to[state], self._paid[state] = steps[0].to, self._sign * steps[0].paid
            self._to[state, : len(steps)] = [each.to for each in steps]
            self._paid[state, : len(steps)] = [self._sign * each.paid for each in steps]

    def _widen(self, rows: int, columns: int) -> None:
        """Make room; a column more repeats the first, which changes neither the best nor where it leads."""
        more = columns - self._to.shape[1]
        if more > 0:
            self._to = np.hstack([self._to, np.repeat(self._to[:, :1], more, axis=1)])
            self._paid = np.hstack([self._paid, np.repeat(self._paid[:, :1], more, axis=1)])
        if rows > len(self._to):
            pad = ((0, rows - len(self._to)), (0, 0))
            self._to, self._paid = np.pad(self._to, pad, constant_values=-1), np.pad(self._paid, pad)
