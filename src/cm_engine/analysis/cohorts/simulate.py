"""A cohort simulated: participants by the million, in chunks, on any executor, from one seed.

Participants come in blocks of a fixed size, and each block has random bits of its own, by the seed and its number. So
neither the size of chunks nor the executor that runs them changes what anybody is paid.
"""

import pickle
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cached_property, partial
from math import sqrt
from threading import local
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.behavior import Behavior
from cm_engine.analysis.cohorts.chooser import Ints, Stream
from cm_engine.analysis.cohorts.stepping import Stepping
from cm_engine.analysis.cohorts.walks import Walk
from cm_engine.analysis.distributions import Distribution
from cm_engine.analysis.explored import MOST, Explored, explore
from cm_engine.errors import ReportError, TooManyStatesError
from cm_engine.program.models import Program
from cm_engine.program.units import Unit

BLOCK, BLOCK_BY_STEP = 16_384, 256
"""How many participants share random bits: where a table tells what they are paid, and where `step` does."""

AHEAD = 16
"""How many chunks are handed to an executor before the first has to be done."""

COUNTED_AT_ONCE = 65_536

MOST_NARROW = 2**31 - 1

Totals = NDArray[np.int32] | NDArray[np.int64]
"""What each participant is paid, in minor units."""

ByUnit = dict[str, Totals]
"""The totals of participants, by the name of the unit: a plain word, as some executors make plain tuples of others."""


class Bar(NamedTuple):
    """One bar of a histogram: how many participants are paid from `low` to `high`, both in it, in minor units."""

    low: int
    high: int
    participants: int


@dataclass(frozen=True)
class Sample:
    """What simulated participants are paid in one unit.

    Attributes:
        unit: what is counted.
        totals: of each participant, in minor units.
    """

    unit: Unit
    totals: Totals

    @cached_property
    def distribution(self) -> Distribution:
        """Return the sums that came about, each with its share of the participants."""
        counts = Counter[int]()
        for first in range(0, len(self.totals), COUNTED_AT_ONCE):
            values, found = np.unique(self.totals[first : first + COUNTED_AT_ONCE], return_counts=True)
            counts.update(dict(zip(values.tolist(), found.tolist(), strict=True)))
        sums = np.array(sorted(counts), dtype=np.int64)
        shares = np.array([counts[each] for each in sums.tolist()], dtype=np.float64) / len(self.totals)
        return Distribution(self.unit, sums, shares)

    @cached_property
    def mean(self) -> Fraction:
        """Return the mean in minor units, exactly that of the sample."""
        return Fraction(int(self.totals.sum(dtype=np.int64)), len(self.totals))

    @property
    def sd(self) -> float:
        """Return the standard deviation between participants in minor units, that of the sample."""
        spread = self.distribution.sd
        return spread * sqrt(len(self.totals) / (len(self.totals) - 1)) if len(self.totals) > 1 else 0.0

    @property
    def error(self) -> float:
        """Return the standard error of the mean in minor units."""
        return self.sd / sqrt(len(self.totals))

    def quantile(self, share: float) -> int:
        """Return the least sum that so large a share of the participants does not exceed, in minor units."""
        return self.distribution.quantile(share)

    def histogram(self, bars: int = 20) -> tuple[Bar, ...]:
        """Return how many participants are paid how much, in so many bars of one width or fewer."""
        sums = self.distribution.sums
        counts = np.rint(self.distribution.chances * len(self.totals)).astype(np.int64)
        low, high = int(sums[0]), int(sums[-1])
        width = -(-(high - low + 1) // bars)
        found = np.bincount((sums - low) // width, weights=counts).astype(np.int64)
        return tuple(
            Bar(low + n * width, min(high, low + (n + 1) * width - 1), int(count))
            for n, count in enumerate(found)
        )


@dataclass(frozen=True)
class Simulation:
    """What a simulated cohort is paid.

    Attributes:
        program: the program.
        behavior: how likely each result is.
        participants: how many were simulated.
        seed: that their chance came from.
        by_table: each decision was looked up in the table that `step` filled; else `step` made it.
        samples: for each unit, the program's money first.
    """

    program: Program
    behavior: Behavior
    participants: int
    seed: int
    by_table: bool
    samples: tuple[Sample, ...]


class _Work(NamedTuple):
    """What every chunk is given."""

    program: Program
    behavior: Behavior
    start: date | None
    most: int
    seed: int
    by_table: bool


def simulate(
    program: Program,
    behavior: Behavior,
    *,
    participants: int,
    seed: int = 0,
    start: date | None = None,
    executor: Executor | None = None,
    chunk: int = 8 * BLOCK,
    most: int = MOST,
    progress: Callable[[int], object] | None = None,
) -> Simulation:
    """Simulate what participants of a program are paid.

    Every decision is looked up in the table that `explore` fills by `step`, so that each is what `step` decides; a program
    with too many states is decided by `step` itself, participant by participant. Prizes are drawn with the chances of the
    full bowl.

    Args:
        program: the program.
        behavior: how likely each result is.
        participants: how many are simulated.
        seed: that chance comes from; the same seed gives the same answer whatever the executor and the chunk.
        start: the first day of week 1; where a rule depends on dates and none is given, that of the first dated case.
        executor: of `concurrent.futures`, or one that does what these do; without one, this process does all.
        chunk: how many participants are handed to the executor at once.
        most: how many decisions exploring may take before `step` decides for each participant.
        progress: is called with how many participants are done.

    Raises:
        ReportError: fewer than one participant, a chunk of less than one, or a seed below 0.
        UndatedError: a rule of the program depends on the date, and there is no start.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import visitwise
        >>> from cm_engine.analysis.cohorts.simulate import simulate
        >>> found = simulate(catalogue.program("higgins-1994-voucher"), visitwise(1), participants=10).samples[0]
        >>> found.unit.spoken(int(found.totals[9])), found.error
        ('$997.50', 0.0)
    """
    _refuse(participants, seed, chunk)
    by_table, work = _packed(_Work(program, behavior, start, most, seed, by_table=True))
    kept = _Kept(participants)
    for first, found in _chunks(work, participants, chunk, executor, by_table=by_table):
        done = kept.put(first, found)
        if progress:
            progress(done)
    return _simulation(program, behavior, kept, seed, by_table=by_table)


def sampled(explored: Explored, behavior: Behavior, *, participants: int, seed: int = 0) -> Simulation:
    """Simulate participants of an explored program, as `simulate` does, in this process.

    Args:
        explored: the program.
        behavior: how likely each result is.
        participants: how many are simulated.
        seed: that chance comes from.
    """
    walk, kept = Walk(explored, behavior), _Kept(participants)
    for block, first in enumerate(range(0, participants, BLOCK)):
        found = _walked(walk, Stream(seed, block), min(BLOCK, participants - first))
        kept.put(first, {unit: _narrow([totals]) for unit, totals in found.items()})
    return _simulation(explored.program, behavior, kept, seed, by_table=True)


def _simulation(
    program: Program, behavior: Behavior, kept: "_Kept", seed: int, *, by_table: bool
) -> Simulation:
    samples = [Sample(program.unit(unit), totals) for unit, totals in kept.totals.items()]
    samples.sort(key=lambda sample: (not sample.unit.is_money, sample.unit.name))
    return Simulation(program, behavior, kept.participants, seed, by_table, tuple(samples))


def _refuse(participants: int, seed: int, chunk: int) -> None:
    for name, given, least in (("participants", participants, 1), ("seed", seed, 0), ("chunk", chunk, 1)):
        if given < least:
            msg = f"{name}: expected {least} or more, got {given}"
            raise ReportError(msg)


def _packed(work: _Work) -> tuple[bool, bytes]:
    """Return whether a table tells what is paid, and the work as it is handed to workers."""
    packed = pickle.dumps(work)
    try:
        _worker(packed)
    except TooManyStatesError:
        return False, pickle.dumps(work._replace(by_table=False))
    return True, packed


class _Kept:
    """The totals of all participants, in arrays as narrow as they may be."""

    def __init__(self, participants: int) -> None:
        self.participants, self._done = participants, 0
        self.totals: ByUnit = {}

    def put(self, first: int, found: ByUnit) -> int:
        """Keep the totals of a chunk, and return how many participants are done."""
        for unit, totals in found.items():
            kept = self.totals.get(unit)
            if kept is None:
                kept = cast("Totals", np.zeros(self.participants, dtype=totals.dtype))
            if kept.itemsize < totals.itemsize:
                kept = cast("Totals", kept.astype(totals.dtype))
            kept[first : first + len(totals)] = totals
            self.totals[unit] = kept
        self._done += len(next(iter(found.values()), ()))
        return self._done


def _chunks(
    work: bytes, participants: int, chunk: int, executor: Executor | None, *, by_table: bool
) -> Iterator[tuple[int, ByUnit]]:
    """Yield the totals of each chunk with the place of its first participant."""
    block = BLOCK if by_table else BLOCK_BY_STEP
    size = block * -(-chunk // block)
    parts = [(first, min(size, participants - first)) for first in range(0, participants, size)]
    if executor is None:
        yield from ((first, simulated(work, first // block, count)) for first, count in parts)
        return
    waiting = deque[tuple[int, Future[ByUnit]]]()
    for first, count in parts:
        if len(waiting) == AHEAD:
            done, future = waiting.popleft()
            yield done, future.result()
        waiting.append((first, executor.submit(simulated, work, first // block, count)))
    while waiting:
        done, future = waiting.popleft()
        yield done, future.result()


def simulated(work: bytes, block: int, count: int) -> ByUnit:
    """Return what so many participants are paid, from a block on; this is what executors run.

    Args:
        work: what `simulate` has packed.
        block: the number of the first block.
        count: how many participants, whole blocks of them but for the last.
    """
    return _worker(work).chunk(block, count)


class _Worker:
    """Simulates chunks of one cohort; a process keeps it for the next chunk."""

    def __init__(self, work: _Work) -> None:
        self._seed, self._block = work.seed, BLOCK if work.by_table else BLOCK_BY_STEP
        if work.by_table:
            explored = explore(work.program, start=work.start, most=work.most)
            self._totals = partial(_walked, Walk(explored, work.behavior))
        else:
            self._totals = partial(_stepped, Stepping(work.program, work.behavior, work.start))

    def chunk(self, block: int, count: int) -> ByUnit:
        """Return what so many participants are paid."""
        sizes = [min(self._block, count - first) for first in range(0, count, self._block)]
        found = [self._totals(Stream(self._seed, block + each), size) for each, size in enumerate(sizes)]
        units = dict.fromkeys(unit for each in found for unit in each)
        blocks = list(zip(found, sizes, strict=True))
        return {unit: _narrow([each.get(unit, _zeros(size)) for each, size in blocks]) for unit in units}


class _OfThread(local):
    """The worker of a thread, and what it works on: tables are filled in as they are needed, by one thread each."""

    work: bytes = b""
    worker: _Worker | None = None


_OF_THREAD = _OfThread()


def _worker(work: bytes) -> _Worker:
    """Return the worker of this thread; it is kept for the next chunk of the same cohort."""
    if _OF_THREAD.worker is None or _OF_THREAD.work != work:
        _OF_THREAD.worker = None
        _OF_THREAD.worker, _OF_THREAD.work = _Worker(pickle.loads(work)), work  # noqa: S301 - `simulate` packed it
    return _OF_THREAD.worker


def _walked(walk: Walk, stream: Stream, count: int) -> dict[str, Ints]:
    """Return what a block of participants is paid, by table."""
    totals = [_zeros(count) for _ in walk.units]
    for moment in walk.block(stream, count):
        for unit, amounts in moment.paid:
            if moment.who is None:
                totals[unit] += amounts
            else:
                totals[unit][moment.who] += amounts
    return {unit.name: total for unit, total in zip(walk.units, totals, strict=True)}


def _stepped(stepping: Stepping, stream: Stream, count: int) -> dict[str, Ints]:
    """Return what a block of participants is paid, by `step`."""
    found = [stepping.totals(stream) for _ in range(count)]
    units = dict.fromkeys(unit for each in found for unit in each)
    return {unit.name: np.array([each[unit] for each in found], dtype=np.int64) for unit in units}


def _zeros(count: int) -> Ints:
    return np.zeros(count, dtype=np.int64)


def _narrow(blocks: list[Ints]) -> Totals:
    """Return blocks as one array of 32 bits; of 64 if some total needs them."""
    most = max(int(np.abs(each).max(initial=0)) for each in blocks)
    narrow = np.int32 if most <= MOST_NARROW else np.int64
    return cast("Totals", np.concatenate(blocks, dtype=narrow, casting="unsafe"))
