"""The best way through automata by themselves: of one, and of several that milestones tie.

Of several, what each one can come to by itself, and each milestone, is a bound for all of them together. A sequence that
comes to the bound is the best there is; there is one unless what is best for a milestone costs a target more.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from cm_engine.analysis.actions import NOT_HAPPENED, Action, Slot
from cm_engine.analysis.automaton import Automaton, Table
from cm_engine.analysis.backward import followed, worths
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.joint import Joint
from cm_engine.analysis.purse import FreePurse, LimitedPurse, Purse, Step
from cm_engine.analysis.sequences import Extreme, Shown, seen_of
from cm_engine.program.units import Unit
from cm_engine.rules.limits import LimitRules, When, window

MISSED = "o"
ANY_DAY = When(0, 1, None)
NO_WINDOW = frozenset({"reward", "rolling days"})
"""The limits that do not say what all of a plan may come to."""


class Best(NamedTuple):
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


def _best(explored: Explored, automaton: Automaton, unit: Unit, sign: int) -> Best:
    purse = FreePurse(explored, unit, counts=False)
    ways = (purse.ways(0, part, ANY_DAY) for part in range(len(explored.parts)))
    pays = [max(sign * step.paid for step in each) for each in ways]
    worth = worths(automaton, pays)
    return Best(int(worth[0][automaton.start]), tuple(followed(automaton, pays, worth)))


def of_tied(explored: Explored, cluster: Cluster, unit: Unit, sign: int) -> Extreme:
    """Return the best way through automata that milestones tie, and how far it may be from the best there is."""
    found = [_best(each, each.automata[0], unit, sign) for each in explored.apart(cluster)]
    bound = _within_limits(explored, cluster, unit, sign, sum(each.amount for each in found))
    own = [each.shown for each in found[: len(cluster.automata)]]
    alone = _by_slot(shown for each in own for shown in each)
    ways = [alone, *(alone | _by_slot(each.shown) for each in found[len(cluster.automata) :])]
    followed_by = [on_way(explored, cluster, unit, sign, way) for way in ways]
    best = max(followed_by, key=lambda each: each.amount)
    targets = [target for index in cluster.automata for target in explored.automata[index].targets]
    seen = seen_of(explored.rules, targets, best.shown)
    return Extreme(sign * best.amount, seen, None if best.amount == bound else sign * bound)


def _by_slot(shown: Iterable[Shown]) -> dict[Slot, list[Action]]:
    return {slot: [action for _, action in each] for slot, each in groupby(shown, key=lambda one: one[0])}


def on_way(
    explored: Explored, cluster: Cluster, unit: Unit, sign: int, way: Mapping[Slot, list[Action]]
) -> Best:
    """Return what a way comes to with all milestones and limits, draws winning what is best at once.

    Args:
        explored: the program.
        cluster: one of it.
        unit: what is counted.
        sign: 1 for the most, -1 for the least.
        way: what is seen in each slot; where nothing is said, the visit is missed.
    """
    joint, purse = Joint(explored, cluster), _purse(explored, cluster, unit)
    key, held, total, shown = joint.start, 0, 0, list[Shown]()
    for number, place in cluster.order:
        slot = joint.automata[number].slots[place]
        when = purse.like(explored.when(slot))
        actions = way.get(slot) or [_missed(joint.automata[number].table(place))]
        for action in _as_long_as_it_is_open(actions):
            moved = joint.turns(number, place, key)[action]
            key = joint.after(number, place, key, moved)
            step = _best_step(purse.ways(held, moved.part, when), sign)
            held, total = step.to, total + sign * step.paid
            shown.append((slot, action))
            if not moved.stays:
                break
    return Best(total, tuple(shown))


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
