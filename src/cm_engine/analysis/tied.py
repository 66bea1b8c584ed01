"""The best way through automata by themselves: of one, and of several that milestones tie.

Of several, what each one can come to by itself, and each milestone, is a bound for all of them together. A sequence that
comes to the bound is the best there is; there is one unless what is best for a milestone costs a target more.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from cm_engine.analysis.actions import MISSED, NOT_HAPPENED, Action, Slot
from cm_engine.analysis.automaton import Automaton, Table
from cm_engine.analysis.backward import followed, worths
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.joint import Joint, Moved
from cm_engine.analysis.purse import FreePurse, LimitedPurse, Purse, Step
from cm_engine.analysis.sequences import Extreme, Shown, seen_of
from cm_engine.errors import TooManyStatesError
from cm_engine.program.units import Unit
from cm_engine.rules.limits import LimitRules, When, window

ANY_DAY = When(0, 1, None)
NO_WINDOW = frozenset({"reward", "rolling days"})
"""The limits that do not say what all of a plan may come to."""


class _Best(NamedTuple):
    """The best that an automaton can come to, and what is seen for it."""

    amount: int
    shown: tuple[Shown, ...]


def of_automaton(explored: Explored, automaton: Automaton, unit: Unit, sign: int) -> Extreme:
    """Return the best way through an automaton that no limit looks at.

    Args:
        explored: the program.
        automaton: one of it.
        unit: what is counted.
        sign: 1 for the most, -1 for the least.
    """
    best = _best(explored, automaton, unit, sign)
    return Extreme(sign * best.amount, seen_of(explored.rules, automaton.targets, best.shown))


def _best(explored: Explored, automaton: Automaton, unit: Unit, sign: int) -> _Best:
    purse = FreePurse(explored, unit, counts=False)
    ways = (purse.ways(0, part, ANY_DAY) for part in range(len(explored.parts)))
    pays = [max(sign * step.paid for step in each) for each in ways]
    worth = worths(automaton, pays)
    return _Best(int(worth[0][automaton.start]), tuple(followed(automaton, pays, worth)))


def of_tied(explored: Explored, cluster: Cluster, unit: Unit, sign: int) -> Extreme:
    """Return the best way through automata that milestones tie, and how far it may be from the best there is."""
    own = [_best(each, each.automata[0], unit, sign) for each in explored.automata_of(cluster)]
    tied = [_of_tie(explored, tie, unit, sign) for tie in cluster.ties]
    bound = _within_limits(explored, cluster, unit, sign, sum(each.amount for each in (*own, *tied)))
    alone = _by_slot(shown for each in own for shown in each.shown)
    ways = [alone, *(alone | _by_slot(each.shown) for each in tied)]
    followed_by = [_on_way(explored, cluster, unit, sign, way) for way in ways]
    best = max(followed_by, key=lambda each: each.amount)
    targets = [target for index in cluster.automata for target in explored.automata[index].targets]
    seen = seen_of(explored.rules, targets, best.shown)
    return Extreme(sign * best.amount, seen, None if best.amount == bound else sign * bound)


def _of_tie(explored: Explored, tie: int, unit: Unit, sign: int) -> _Best:
    """Return the best that a tie can come to; where too much may be seen, as if results could be read as anything."""
    try:
        [automaton] = explored.through(tie).automata
    except TooManyStatesError:
        return _best(explored, explored.ties[tie], unit, sign)._replace(shown=())
    return _best(explored, automaton, unit, sign)


def _by_slot(shown: Iterable[Shown]) -> dict[Slot, list[Action]]:
    return {slot: [action for _, action in each] for slot, each in groupby(shown, key=lambda one: one[0])}


def _on_way(
    explored: Explored, cluster: Cluster, unit: Unit, sign: int, way: Mapping[Slot, list[Action]]
) -> _Best:
    """Return what a way comes to with all milestones and limits, draws winning what is best at once.

    Args:
        explored: the program.
        cluster: one of it.
        unit: what is counted.
        sign: 1 for the most, -1 for the least.
        way: what is seen in each slot; where nothing is said, the visit is missed.
    """
    purse, held, total, shown = _purse(explored, cluster, unit), 0, 0, list[Shown]()
    for slot, action, moved in _moves(Joint(explored, cluster), cluster, way):
        step = _best_step(purse.ways(held, moved.part, purse.like(explored.when(slot))), sign)
        held, total = step.to, total + sign * step.paid
        shown.append((slot, action))
    return _Best(total, tuple(shown))


def earned_on(explored: Explored, cluster: Cluster, unit: Unit, way: Mapping[Slot, list[Action]]) -> int:
    """Return what a way earns in a unit for sure, before limits; what is not told of is missed.

    Args:
        explored: the program.
        cluster: one of it.
        unit: what is counted, draws by themselves.
        way: what is seen in each slot.
    """
    own = explored.rules.deposit.unit if explored.rules.deposit else None
    moves = _moves(Joint(explored, cluster), cluster, way)
    return sum(explored.parts[moved.part].sum(unit, own) for _, _, moved in moves)


def _moves(
    joint: Joint, cluster: Cluster, way: Mapping[Slot, list[Action]]
) -> Iterator[tuple[Slot, Action, Moved]]:
    """Yield what a way shows, slot by slot, with what each action does."""
    key = joint.start
    for number, place in cluster.order:
        automaton = joint.automata[number]
        slot = automaton.slots[place]
        for action in _as_long_as_it_is_open(way.get(slot) or [_missed(automaton.table(place))]):
            moved = joint.turns(number, place, key)[action]
            key = joint.after(number, place, key, moved)
            yield slot, action, moved
            if not moved.stays:
                break


def _missed(table: Table) -> Action:
    """Return what is seen of who stays away, the first of several."""
    return next(action for action in table.actions if action.symbol in {MISSED, NOT_HAPPENED})


def _as_long_as_it_is_open(actions: list[Action]) -> Iterator[Action]:
    """Yield what is seen in a slot; the last again and again, as long as it stays open."""
    yield from actions
    while True:
        yield actions[-1]


def _purse(explored: Explored, cluster: Cluster, unit: Unit) -> Purse:
    return (LimitedPurse if cluster.is_limited else FreePurse)(explored, unit, counts=False)


def _best_step(steps: tuple[Step, ...], sign: int) -> Step:
    return max(steps, key=lambda step: sign * step.paid)


def _within_limits(explored: Explored, cluster: Cluster, unit: Unit, sign: int, bound: int) -> int:
    """Return a bound with what limits take at least."""
    if not cluster.is_limited:
        return bound
    if sign < 0:
        return max(bound, 0)
    days = [explored.when(slot) for index in cluster.automata for slot in explored.automata[index].slots]
    limits = (each for each in explored.rules.limits if each.unit == unit and each.per not in NO_WINDOW)
    return min([bound, *(_in_windows(each, days) for each in limits)])


def _in_windows(limit: LimitRules, days: list[When]) -> int:
    """Return the most that a limit leaves in all the windows that some days are in."""
    return max(limit.amounts) * len({window(limit.per, day, limit.begins) for day in days})
