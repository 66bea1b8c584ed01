"""Two programs compared: the shortest results on which they differ, what the change costs, and whom it concerns."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import sqrt
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.actions import Action
from cm_engine.analysis.behavior import Behavior, Chance, chance_of, visitwise
from cm_engine.analysis.exact import mean, moments
from cm_engine.analysis.explored import MOST, Explored, explore
from cm_engine.analysis.extremes import maximum
from cm_engine.analysis.tables.pairs import Both, Letter, Pair, Pairs
from cm_engine.analysis.tables.table import label
from cm_engine.analysis.tables.till import Awards
from cm_engine.program.models import Program
from cm_engine.program.units import Unit

MOST_PAIRS = 200_000
"""At how many pairs of states the shortest difference is looked for."""

MOST_WEIGHTS = 60_000
"""For how many pairs of states the share of timelines is exact; beyond it is that of a sample."""

SAMPLE = 10_000
SEED = 1
LAPSES = (0, 1, 3, 6, 11, 21)
"""The least number of lapses in each row of those concerned."""


class Seen(NamedTuple):
    """One thing seen: of what, and what."""

    of: str
    action: Action


class First(NamedTuple):
    """The shortest results on which two programs differ.

    Attributes:
        seen: what is seen, the last being where they differ.
        visit: which visit of its target that is; of an event, which time.
        former, latter: what each pays for it.
        waits: whether it stays open in each.
    """

    seen: tuple[Seen, ...]
    visit: int
    former: Awards
    latter: Awards
    waits: tuple[bool, bool]

    @property
    def words(self) -> dict[str, str]:
        """Return the results as a word for each target and event."""
        labels: dict[str, list[str]] = {}
        for each in self.seen:
            labels.setdefault(each.of, []).append(label(each.action))
        return {
            name: ("" if all(len(each) == 1 for each in word) else " ").join(word)
            for name, word in labels.items()
        }


class Change(NamedTuple):
    """What two programs pay in a unit, in minor units: at most, and on average.

    Attributes:
        endless: the events of each that pay whenever they happen; at most has them once.
    """

    unit: Unit
    maximum: tuple[int, int]
    expected: tuple[Fraction, Fraction]
    endless: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


class Concerned(NamedTuple):
    """How many timelines with some number of lapses are paid differently.

    Attributes:
        least, most: the number of lapses; `most` is None where there is no end.
        share: of all timelines.
        affected: the share of these that is paid differently at some visit.
        change: what the second program pays more, on average, in minor units of each unit.
    """

    least: int
    most: int | None
    share: float
    affected: float
    change: Mapping[str, float]


class Affected(NamedTuple):
    """How many timelines are paid differently.

    Attributes:
        share: of all.
        error: of that share, at 95 %; 0 if it is exact.
        rows: by the number of lapses.
    """

    share: float
    error: float
    rows: tuple[Concerned, ...]


@dataclass(frozen=True)
class Versus:
    """Two programs compared.

    Attributes:
        former, latter: the programs.
        met: the chance that a visit is met.
        pairs: both side by side, over the visits in common.
        first: the shortest results on which they differ; None if there are none among those looked at.
        looked_at: how many results in a row were looked at, at most; all, if it is None.
        changes: what the change costs, over the whole of both plans.
        affected: how many timelines are paid differently, over the visits in common.
    """

    former: Explored
    latter: Explored
    met: Fraction
    pairs: Pairs
    first: First | None
    looked_at: int | None
    changes: tuple[Change, ...]
    affected: Affected

    def unshared(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the targets and events that only the former has, and those that only the latter has."""
        mine, others = (
            dict.fromkeys(name for name, _ in each.names) for each in (self.pairs.former, self.pairs.latter)
        )
        return tuple(each for each in mine if each not in others), tuple(
            each for each in others if each not in mine
        )

    def notes(self) -> tuple[str, ...]:
        """Return in words what of the programs is not compared visit by visit."""
        return tuple(_notes(self))


def compare(
    former: Program, latter: Program, *, met: Chance = "0.8", start: date | None = None, most: int = MOST
) -> Versus:
    """Return how two programs differ: on which results first, in what they cost, and for whom.

    The nth visit of a target is compared with the nth of the target of that name. Figures are those of the whole
    plans; the shortest difference and who is concerned are looked for over the visits that both have.

    Args:
        former: the one program.
        latter: the other.
        met: the chance that a visit is met; otherwise it is positive.
        start: the first day of week 1.
        most: how many decisions exploring each may take.

    Raises:
        TooManyStatesError: a program has too many states to look at all of them.
        ResultsError: the chance is none.

    Example:
        >>> from cm_engine import catalogue
        >>> fixed, rising = map(catalogue.program, ("romanowich-2015-fixed", "romanowich-2015-escalating"))
        >>> found = compare(fixed, rising)
        >>> found.first.words, found.first.former, found.first.latter
        ({'smoking': '-'}, (('USD', 1975),), (('USD', 500),))
    """
    chance = chance_of(met)
    explored = explore(former, start=start, most=most), explore(latter, start=start, most=most)
    pairs = Pairs(*explored)
    first, looked_at = _first(pairs)
    tally = _weighed(pairs, chance) or _sampled(pairs, chance)
    return Versus(
        *explored, chance, pairs, first, looked_at, tuple(_changes(*explored, chance)), tally.affected()
    )


class _Node(NamedTuple):
    """A pair of states that some results lead to, and how."""

    at: int
    pair: Pair
    before: "_Node | None"
    letter: Letter | None


def _first(pairs: Pairs) -> tuple[First | None, int | None]:
    """Return the shortest difference, breadth first; and how far was looked, if not to the end."""
    layer, looked = [_Node(0, pairs.start, None, None)], 0
    length = 0
    while layer:
        known: dict[tuple[int, Pair], _Node] = {}
        for node in layer:
            if node.at == len(pairs.names):
                continue
            for letter in pairs.letters[node.at]:
                both = pairs.move(node.at, node.pair, letter)
                after = _Node(node.at + (not both.stays), both.to, node, letter)
                if both.differs:
                    return _found(pairs, node, after, both), None
                known.setdefault((after.at, after.pair), after)
        layer, length, looked = list(known.values()), length + 1, looked + len(known)
        if looked > MOST_PAIRS:
            return None, length
    return None, None


def _found(pairs: Pairs, node: _Node, after: _Node, both: Both) -> First:
    seen: list[Seen] = []
    step: _Node | None = after
    while step and step.before and step.letter:
        seen.append(Seen(pairs.names[step.before.at][0], step.letter.former))
        step = step.before
    waits = (both.former.stays, both.latter.stays)
    visit = pairs.names[node.at][1] + 1
    return First(tuple(reversed(seen)), visit, both.former.awards, both.latter.awards, waits)


def _changes(former: Explored, latter: Explored, met: Fraction) -> Iterator[Change]:
    """Yield what both pay in each unit that one of them pays in."""
    behavior = visitwise(met)
    for unit in dict.fromkeys((*former.units, *latter.units)):
        both = [(each, unit in each.units) for each in (former, latter)]
        most = [maximum(each, unit) if pays else None for each, pays in both]
        means = [_mean(each, behavior, unit) if pays else Fraction(0) for each, pays in both]
        sums = [each.amount if each else 0 for each in most]
        endless = [each.endless if each else () for each in most]
        yield Change(unit, (sums[0], sums[1]), (means[0], means[1]), (endless[0], endless[1]))


def _mean(explored: Explored, behavior: Behavior, unit: Unit) -> Fraction:
    found = mean(explored, behavior, unit)
    return moments(explored, behavior, unit).mean if found is None else found


class _Tally:
    """Weights of timelines by their number of lapses; of those paid differently; and what is paid more."""

    def __init__(self, visits: int, units: tuple[str, ...]) -> None:
        self.units = units
        self.all, self.differ = np.zeros(visits + 1), np.zeros(visits + 1)
        self.more = np.zeros((len(units), visits + 1))
        self.sampled = 0

    def affected(self) -> Affected:
        """Return the share that is paid differently, its error, and the rows by the number of lapses."""
        share = float(self.differ.sum() / self.all.sum())
        error = (
            1.96 * sqrt(max(share * (1 - share), 1 / self.sampled) / self.sampled) if self.sampled else 0.0
        )
        return Affected(share, error, tuple(self._rows()))

    def _rows(self) -> Iterator[Concerned]:
        for least, after in zip(LAPSES, (*LAPSES[1:], None), strict=True):
            here = slice(least, after)
            weight = float(self.all[here].sum())
            if weight:
                more = {
                    unit: float(self.more[place, here].sum()) / weight
                    for place, unit in enumerate(self.units)
                }
                most = None if after is None else after - 1
                share = weight / float(self.all.sum())
                yield Concerned(least, most, share, float(self.differ[here].sum()) / weight, more)


def _units(pairs: Pairs) -> tuple[str, ...]:
    every = (*pairs.former.explored.units, *pairs.latter.explored.units)
    return tuple(dict.fromkeys(unit.name for unit in every))


def _lost(pairs: Pairs, at: int) -> int:
    """Return how many lapses it is if a slot is not met: an event that does not happen is none."""
    return int(not pairs.is_event(at))


Weights = NDArray[np.float64]
"""For those not paid differently so far and for those who are: the weight by the number of lapses, then what is paid more."""


def _weighed(pairs: Pairs, met: Fraction) -> _Tally | None:
    """Return exact weights, pair of states by pair of states; None if there are too many of them."""
    tally = _Tally(len(pairs.names), _units(pairs))
    begin = np.zeros((2, 1 + len(tally.units), len(pairs.names) + 1))
    begin[0, 0, 0] = 1.0
    rows, looked = {pairs.start: begin}, 0
    for at in range(len(pairs.names)):
        after: dict[Pair, Weights] = {}
        for pair, weights in rows.items():
            for letter, chance, lost in _chances(pairs, at, met):
                both = pairs.settled(at, pair, letter)
                moved = _moved(weights * chance, both, tally.units, lost=lost)
                after[both.to] = after[both.to] + moved if both.to in after else moved
        rows, looked = after, looked + len(after)
        if looked > MOST_WEIGHTS:
            return None
    total = np.sum(list(rows.values()), axis=0)
    tally.all, tally.differ, tally.more = total[:, 0].sum(axis=0), total[1, 0], total[:, 1:].sum(axis=0)
    return tally


def _chances(pairs: Pairs, at: int, met: Fraction) -> Iterator[tuple[Letter, float, int]]:
    success, lapse = pairs.likely(at)
    yield success, float(met), 0
    yield lapse, float(1 - met), _lost(pairs, at)


def _moved(weights: Weights, both: Both, units: tuple[str, ...], *, lost: int) -> Weights:
    """Return weights with what is paid more on a way, and later by a lapse."""
    if both.differs:
        weights = np.stack([np.zeros_like(weights[0]), weights.sum(axis=0)])
        more = difference(both)
        for place, unit in enumerate(units, 1):
            weights[:, place] += more.get(unit, 0) * weights[:, 0]
    if lost:
        weights = np.concatenate([np.zeros_like(weights[..., :1]), weights[..., :-1]], axis=2)
    return weights


def difference(both: Both) -> dict[str, int]:
    """Return what the latter program pays more, by unit."""
    more = Counter(dict(both.latter.awards))
    more.subtract(dict(both.former.awards))
    return dict(more)


def _sampled(pairs: Pairs, met: Fraction) -> _Tally:
    """Return the weights of timelines drawn at random, the same in every run."""
    chance, tally = Random(SEED), _Tally(len(pairs.names), _units(pairs))  # noqa: S311 - a sample, no secret
    likely = [pairs.likely(at) for at in range(len(pairs.names))]
    for _ in range(SAMPLE):
        pair, differs, lapses, more = pairs.start, False, 0, Counter[str]()
        for at, letters in enumerate(likely):
            is_met = chance.random() < met
            both = pairs.settled(at, pair, letters[not is_met])
            pair, lapses = both.to, lapses + (0 if is_met else _lost(pairs, at))
            if both.differs:
                differs = True
                more.update(difference(both))
        tally.all[lapses] += 1
        tally.differ[lapses] += differs
        for place, unit in enumerate(tally.units):
            tally.more[place, lapses] += more[unit]
    tally.sampled = SAMPLE
    return tally


def _notes(found: Versus) -> Iterator[str]:
    pairs, names = found.pairs, (found.former.program.program, found.latter.program.program)
    if pairs.renamed:
        yield f"{pairs.renamed} of {names[1]} is compared with {pairs.names[0][0]} of {names[0]}, the only targets."
    for change in found.changes:
        for name, endless in zip(names, change.endless, strict=True):
            if endless:
                what = f"{change.unit.name} of {name} has no upper limit"
                yield f"{what}, as {', '.join(endless)} can pay each time; the average takes each reward of it to be reached once at most."
    for name, only in zip(names, found.unshared(), strict=True):
        if only:
            yield f"Only {name} has {', '.join(only)}; beside the costs it is left out, as not required."
    shared = {name for name, _ in pairs.names}
    counts = [Counter(name for name, _ in each.names) for each in (pairs.former, pairs.latter)]
    compared = Counter(name for name, _ in pairs.names)
    for name in sorted(shared):
        planned = [count[name] for count in counts]
        if planned != [compared[name]] * 2:
            yield f"{name} is planned {planned[0]} and {planned[1]} times; the first {compared[name]} are compared."
    if found.looked_at is not None:
        yield f"No more than {found.looked_at} results in a row were looked at for the first difference."
