"""What a program pays, exactly: the distribution of what is paid in a unit, its mean and spread, and the limits reached.

Weights run forward through the automata of a cluster, slot by slot; each row of weights lies over the states of a purse.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce
from math import gcd

import numpy as np

from cm_engine.analysis.behavior import Behavior
from cm_engine.analysis.distributions import Distribution, Moments, Row, gathered, grown, moments_of, sparse
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.flow import Flow
from cm_engine.analysis.joint import Key
from cm_engine.analysis.movers import Leading, Mover, Rows, Shifting
from cm_engine.analysis.purse import Chances, FreePurse, LimitedPurse, drawn
from cm_engine.errors import TooManyStatesError
from cm_engine.program.units import Unit
from cm_engine.rules.prizes import full_bowl

MOST_WEIGHTS = 30_000_000
"""How many weights a distribution may have at one slot."""

MOST_KEYS = 50_000
"""How many states several automata may have together at one slot."""

Sums = dict[Key, tuple[Fraction | int, ...]]
"""The weight of each key, and the first two moments of what is paid on the ways to it."""

Worth = tuple[Fraction | int, Fraction | int]
"""The mean and the variance of what a part pays."""


def distribution(explored: Explored, behavior: Behavior, unit: Unit) -> Distribution:
    """Return how likely each sum is that a program pays in a unit.

    The sums are exact, their chances floats. What draws win counts where the unit is the program's money.

    Args:
        explored: the program.
        behavior: how likely each result is.
        unit: what is counted.

    Raises:
        TooManyStatesError: there are too many sums in too many states; simulate the program instead.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import explore, visitwise
        >>> explored = explore(catalogue.program("higgins-1994-voucher"))
        >>> paid = distribution(explored, visitwise(1), explored.units[0])
        >>> paid.unit.decimal(paid.quantile(0.5))
        Decimal('997.50')
    """
    return _together(
        [_of_cluster(explored, cluster, behavior, unit) for cluster in explored.clusters_of(unit)]
    )


def moments(explored: Explored, behavior: Behavior, unit: Unit) -> Moments:
    """Return the mean and the variance of what a program pays in a unit, in minor units.

    They are exact fractions where no limit looks at the unit; where one does, they are those of the distribution, whose
    chances are floats: right to far less than a minor unit.

    Args:
        explored: the program.
        behavior: how likely each result is.
        unit: what is counted.

    Raises:
        TooManyStatesError: there are too many states together; simulate the program instead.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import explore, visitwise
        >>> explored = explore(catalogue.program("va-prize"))
        >>> moments(explored, visitwise(1), explored.units[0]).mean
        Fraction(181876, 5)
    """
    return _sum_of(_moments(explored, cluster, behavior, unit) for cluster in explored.clusters_of(unit))


def mean(explored: Explored, behavior: Behavior, unit: Unit) -> Fraction | None:
    """Return the mean of what a program pays in a unit, also where there are too many states together; None under limits.

    What automata and milestones earn on average adds up, whatever ties them.

    Args:
        explored: the program.
        behavior: how likely each result is.
        unit: what is counted.
    """
    clusters = explored.clusters_of(unit)
    if any(cluster.is_limited for cluster in clusters):
        return None
    apart = (each for cluster in clusters for each in explored.apart(cluster))
    return sum((_free_moments(each, each.clusters[0], behavior, unit).mean for each in apart), Fraction(0))


def spread(explored: Explored, behavior: Behavior, unit: Unit) -> tuple[Distribution, Moments]:
    """Return the distribution of what a program pays in a unit, with its moments, as `distribution` and `moments` do.

    Raises:
        TooManyStatesError: there are too many sums in too many states; simulate the program instead.
    """
    clusters = explored.clusters_of(unit)
    found = [_of_cluster(explored, cluster, behavior, unit) for cluster in clusters]
    pairs = zip(clusters, found, strict=True)
    return _together(found), _sum_of(_moments(explored, cluster, behavior, unit, of) for cluster, of in pairs)


def _together(found: Sequence[Distribution]) -> Distribution:
    return reduce(Distribution.plus, found)


def _sum_of(found: Iterable[Moments]) -> Moments:
    each = tuple(found)
    return Moments(
        sum((one.mean for one in each), Fraction(0)), sum((one.variance for one in each), Fraction(0))
    )


def _moments(
    explored: Explored, cluster: Cluster, behavior: Behavior, unit: Unit, found: Distribution | None = None
) -> Moments:
    """Return the moments of a cluster; of one that limits look at they are those of its distribution, if it is not given."""
    if not cluster.is_limited:
        return _free_moments(explored, cluster, behavior, unit)
    found = found or _of_cluster(explored, cluster, behavior, unit)
    return Moments(Fraction(found.mean), Fraction(found.sd) ** 2)


def reached(explored: Explored, behavior: Behavior) -> tuple[float, ...]:
    """Return how likely each limit of a program takes something of what a participant earns."""
    chances = [0.0] * len(explored.rules.limits)
    for cluster in explored.clusters:
        if cluster.is_limited:
            purse = LimitedPurse(explored, None)
            row = _final(explored, cluster, behavior, Leading(purse))
            for held, weight in zip(purse.states.values, row, strict=False):
                for index in held.bit:
                    chances[index] += float(weight)
    return tuple(min(chance, 1.0) for chance in chances)


def _of_cluster(explored: Explored, cluster: Cluster, behavior: Behavior, unit: Unit) -> Distribution:
    if cluster.is_limited:
        return _of_purse(explored, cluster, behavior, unit, LimitedPurse(explored, unit))
    if _draws_from(explored, unit):
        return _with_draws(explored, cluster, behavior, unit)
    sums = Shifting(explored, cluster, unit)
    if sums.reach > MOST_WEIGHTS:
        return _of_purse(explored, cluster, behavior, unit, FreePurse(explored, unit))
    row = _final(explored, cluster, behavior, sums)
    return gathered(unit, sums.sums(len(row)), row)


def _of_purse(
    explored: Explored, cluster: Cluster, behavior: Behavior, unit: Unit, purse: LimitedPurse | FreePurse
) -> Distribution:
    row = _final(explored, cluster, behavior, Leading(purse))
    return gathered(unit, np.array(purse.sums()[: len(row)], dtype=np.int64), row)


def _draws_from(explored: Explored, unit: Unit) -> tuple[str, ...]:
    """Return the bowls whose prizes count in a unit."""
    return tuple(explored.program.bowls) if unit == explored.money else ()


def _with_draws(explored: Explored, cluster: Cluster, behavior: Behavior, unit: Unit) -> Distribution:
    """Return how likely each sum is where draws are counted first, and what they win is put in their place at the end."""
    purse = FreePurse(explored, unit)
    row = _final(explored, cluster, behavior, Leading(purse))
    held = [(sums, weight) for sums, weight in zip(purse.states.values, row, strict=False) if weight]
    quantum = (
        gcd(
            *(sums[0] for sums, _ in held),
            *(value for each in purse.bowls for value in _slips(explored, each)),
        )
        or 1
    )
    lowest = min(sums[0] for sums, _ in held)
    most = max(sum(draws) for (_, *draws), _ in held)
    longest = most * max(value for each in purse.bowls for value in _slips(explored, each)) // quantum
    _refuse_too_many(explored, len(cluster.order), len(cluster.order), most * longest // 100)
    won = _Wins(explored, purse.bowls, quantum)
    total = np.zeros(1)
    for (paid, *draws), weight in held:
        part = won.of(tuple(draws))
        first = (paid - lowest) // quantum
        total = grown(total, first + len(part))
        total[first : first + len(part)] += weight * part
    return sparse(unit, total, lowest, quantum)


def _slips(explored: Explored, bowl: str) -> tuple[int, ...]:
    return full_bowl(explored.program, bowl).values


class _Wins:
    """How likely each sum is that so many draws win, over whole quanta; each made from that of one draw less."""

    def __init__(self, explored: Explored, bowls: tuple[str, ...], quantum: int) -> None:
        self._single = [_in_quanta(drawn(explored.rules, each, 1), quantum) for each in bowls]
        self._known: dict[tuple[int, ...], Row] = {(0,) * len(bowls): np.ones(1)}

    def of(self, draws: tuple[int, ...]) -> Row:
        """Return how likely each sum is."""
        missing = [draws]
        while missing[-1] not in self._known:
            missing.append(_one_less(missing[-1]))
        for each in reversed(missing[:-1]):
            bowl = next(place for place, count in enumerate(each) if count)
            self._known[each] = np.convolve(self._known[_one_less(each)], self._single[bowl])
        return self._known[draws]


def _one_less(draws: tuple[int, ...]) -> tuple[int, ...]:
    bowl = next(place for place, count in enumerate(draws) if count)
    return (*draws[:bowl], draws[bowl] - 1, *draws[bowl + 1 :])


def _in_quanta(chances: Chances, quantum: int) -> Row:
    dense = np.zeros(chances[-1][0] // quantum + 1)
    for value, chance in chances:
        dense[value // quantum] = float(chance)
    return dense


def _final(explored: Explored, cluster: Cluster, behavior: Behavior, mover: Mover) -> Row:
    """Return how likely each state of a purse is at the end of a cluster's slots."""
    flow, rows = Flow(explored, cluster, behavior), Rows()
    for key, chance in flow.starts():
        rows[key] = np.zeros(mover.first + 1)
        rows[key][mover.first] = float(chance)
    for at, (number, place, slot, when) in enumerate(flow.slots()):
        after: Rows = {}
        while rows:
            staying: Rows = {}
            for key, row in rows.items():
                for way in flow.ways(number, place, slot, key):
                    mover.pour(staying if way.stays else after, row, way, when)
            rows = staying
        rows = after
        _refuse_too_many(explored, at, len(cluster.order), sum(map(len, rows.values())))
    total = np.zeros(max(map(len, rows.values())))
    for row in rows.values():
        total[: len(row)] += row
    return total


def _refuse_too_many(explored: Explored, at: int, slots: int, weights: int) -> None:
    if weights > MOST_WEIGHTS:
        raise TooManyStatesError(explored.program.program, at, slots, weights, MOST_WEIGHTS)


def _free_moments(explored: Explored, cluster: Cluster, behavior: Behavior, unit: Unit) -> Moments:
    """Return the moments of what no limit looks at; chances are counted in whole parts, a scale for each slot."""
    flow, worth, scale = Flow(explored, cluster, behavior), _worth(explored, unit), 1
    sums: Sums = {key: (chance, 0, 0) for key, chance in flow.starts()}
    for at, (number, place, slot, _) in enumerate(flow.slots()):
        of_slot = flow.scale(slot)
        scale *= of_slot
        after: Sums = {}
        while sums:
            staying: Sums = {}
            for key, had in sums.items():
                for way in flow.ways(number, place, slot, key):
                    _carry(
                        staying if way.stays else after,
                        way.to,
                        had,
                        int(way.chance * of_slot),
                        worth[way.part],
                    )
            sums = {key: tuple(Fraction(each, of_slot) for each in had) for key, had in staying.items()}
        sums = after
        if len(sums) > MOST_KEYS:
            raise TooManyStatesError(explored.program.program, at, len(cluster.order), len(sums), MOST_KEYS)
    first, second = (Fraction(sum(had[moment] for had in sums.values())) / scale for moment in (1, 2))
    return Moments(first, second - first**2)


def _carry(into: Sums, key: Key, had: tuple[Fraction | int, ...], chance: int, worth: Worth) -> None:
    """Add what a key has had to the next one, with what is paid on the way."""
    (weight, first, second), (mean, variance) = had, worth
    known = into.get(key, (0, 0, 0))
    squares = second + 2 * mean * first + (mean * mean + variance) * weight
    into[key] = (
        known[0] + chance * weight,
        known[1] + chance * (first + mean * weight),
        known[2] + chance * squares,
    )


def _worth(explored: Explored, unit: Unit) -> list[Worth]:
    """Return what each part pays in a unit, with what its draws win."""
    own = explored.rules.deposit.unit if explored.rules.deposit else None
    bowls = {name: moments_of(drawn(explored.rules, name, 1)) for name in _draws_from(explored, unit)}
    found: list[Worth] = []
    for part in explored.parts:
        won = [(award.amount, bowls[award.unit.name]) for award in part.earned if award.unit.name in bowls]
        mean = part.sum(unit, own) + sum(count * each.mean for count, each in won)
        found.append((mean, sum(count * each.variance for count, each in won)))
    return found
