"""Chance for simulations: a stream of random bits for each block of participants, and choices made with it.

A choice looks at 8 bits first, which settle nearly all of them by a table, and takes 56 more where these leave it open.
So each choice is made with 64 bits: every chance is a multiple of 2**-64, less than 2**-64 from the fraction it stands for.
"""

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any, cast

import numpy as np
from numpy.random import Philox, SeedSequence
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

OPEN = -1
"""What 8 bits say where they do not settle a choice."""

BITS, FIRST_BITS = 64, 8

FEW = 4
"""How many choices are told apart by comparing, which is quicker than a table then."""


class Stream:
    """The random bits of one block of participants; the same for a seed and a block on every machine and worker."""

    def __init__(self, seed: int, block: int) -> None:
        """Begin the stream of a block.

        Args:
            seed: of the simulation, 0 or more.
            block: the number of the block.
        """
        self._source = Philox(SeedSequence(seed, spawn_key=(block,)))

    def words(self, count: int) -> Words:
        """Return so many numbers of 64 bits."""
        return self._source.random_raw(count)

    def octets(self, count: int) -> NDArray[np.uint8]:
        """Return so many numbers of 8 bits."""
        return self.words(-(-count // 8)).astype("<u8", copy=False).view(np.uint8)[:count]

    def word(self) -> int:
        """Return one number of 64 bits."""
        return int(self._source.random_raw())

    def seed(self) -> bytes:
        """Return 32 bytes, for draws that are made from a seed."""
        return self.words(4).astype("<u8", copy=False).tobytes()


def bounds_of(chances: Sequence[Fraction]) -> list[int]:
    """Return the numbers of 64 bits that choices end before: each the nearest to what the chances come to by then.

    Example:
        >>> bounds_of([Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)]) == [2**63, 3 * 2**62, 2**64]
        True
    """
    return [round(upto * (1 << BITS)) for upto in accumulate(chances)]


class Chooser:
    """Chooses by chances that hang on a mood; choices are numbered through all moods.

    Attributes:
        choices: how many there are.
    """

    def __init__(self, moods: Sequence[Sequence[Fraction]]) -> None:
        """Take the chances of the choices in each mood; of each mood they are 1 in all."""
        self._bounds = [bounds_of(chances) for chances in moods]
        *self._firsts, self.choices = [0, *accumulate(len(chances) for chances in moods)]
        pairs = zip(self._bounds, self._firsts, strict=True)
        tables = [_settled(bounds, first) for bounds, first in pairs]
        self._table = np.concatenate(tables)
        self._is_settled = bool((self._table != OPEN).all())
        settled = self._table[: 1 << FIRST_BITS]
        self._undecided = np.flatnonzero(settled == OPEN).tolist()
        self._passed = [
            octet
            for octet in range(1, 1 << FIRST_BITS)
            for _ in range(_upto(settled, octet) - _upto(settled, octet - 1))
        ]
        self._closed = [_closed(bounds) for bounds in self._bounds]

    def one(self, stream: Stream, mood: int = 0) -> int:
        """Return one choice, made with 64 bits."""
        return self._firsts[mood] + bisect_right(self._bounds[mood], stream.word())

    def many(self, stream: Stream, count: int, moods: Ints | None = None) -> Ints:
        """Return so many choices; without moods all are made in the first one."""
        octets = stream.octets(count)
        if moods is None and self.choices <= FEW:
            chosen, is_open = self._compared(octets)
        else:
            chosen = self._table.take(octets if moods is None else (moods << FIRST_BITS) + octets)
            is_open = chosen < 0
        if not self._is_settled and is_open.any():
            at = np.flatnonzero(is_open)
            more = stream.words(len(at)) >> np.uint64(FIRST_BITS)
            whole = (octets[at].astype(np.uint64) << np.uint64(BITS - FIRST_BITS)) | more
            chosen[at] = self._looked_up(whole, None if moods is None else moods[at])
        return chosen

    def _compared(self, octets: NDArray[np.uint8]) -> tuple[Ints, NDArray[np.bool_]]:
        """Return what 8 bits settle, as the table does, by the few numbers in it that anything changes at."""
        chosen, is_open = np.zeros(len(octets), dtype=np.uint8), np.zeros(len(octets), dtype=np.bool_)
        for octet in self._passed:
            chosen += octets >= octet
        for octet in self._undecided:
            is_open |= octets == octet
        return cast("Ints", chosen), is_open

    def _looked_up(self, whole: Words, moods: Ints | None) -> Any:  # noqa: ANN401 - numpy's own
        if moods is None:
            return np.searchsorted(self._closed[0], whole, side="right")
        found = np.empty(len(whole), dtype=np.int64)
        for mood, (closed, first) in enumerate(zip(self._closed, self._firsts, strict=True)):
            here = moods == mood
            found[here] = first + np.searchsorted(closed, whole[here], side="right")
        return found


def _upto(settled: Ints, octet: int) -> int:
    """Return the choice of a number of 8 bits; where it is open, that of the settled one before it."""
    return next((int(settled[each]) for each in range(octet, -1, -1) if settled[each] != OPEN), 0)


def _closed(bounds: Sequence[int]) -> Words:
    return np.array([bound for bound in bounds if bound < 1 << BITS], dtype=np.uint64)


def _settled(bounds: Sequence[int], first: int) -> Ints:
    """Return what each number of 8 bits settles."""
    width = 1 << (BITS - FIRST_BITS)
    pairs = ((octet * width, octet * width + width - 1) for octet in range(1 << FIRST_BITS))
    ends = [(bisect_right(bounds, low), bisect_right(bounds, high)) for low, high in pairs]
    return np.array([first + low if low == high else OPEN for low, high in ends], dtype=np.int64)
