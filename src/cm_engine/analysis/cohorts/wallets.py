"""What many participants have received at once: limits by table look-up, filled in by `within_limits` as it is needed."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.automaton import Names
from cm_engine.analysis.cohorts.chooser import Chooser, Ints, Stream
from cm_engine.analysis.explored import Explored
from cm_engine.analysis.parts import paid_of
from cm_engine.analysis.purse import LimitedPurse, drawn
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import Rules
from cm_engine.rules.limits import When
from cm_engine.rules.state import Award, Received

TOGETHER = 4
"""How many draws are made at once, by the chances of their sum."""

MOST_CELLS = 4_000_000
"""How many cells all tables may have; then they are begun anew, with what a block needs."""

Awards = tuple[Award, ...]


class _Outcome(NamedTuple):
    """What an award leads to: the state after it, and what the limits leave."""

    to: int
    paid: tuple[int, ...]


class Wallets(LimitedPurse):
    """The states that purses of many participants are in, and what awards make of them."""

    def __init__(self, explored: Explored, units: Sequence[Unit]) -> None:
        """Begin with nothing received.

        Args:
            explored: the program.
            units: whose amounts are told.
        """
        super().__init__(explored, None, counts=False)
        self._units = tuple(units)
        self._parts = [part.earned for part in explored.parts]
        self.forget()

    def forget(self) -> None:
        """Begin anew, as blocks of participants have nothing in common."""
        self._received = Names[tuple[Received, ...]](tuple(Received() for _ in self.explored.rules.limits))
        self._earned, self._outcomes = Names[Awards](*dict.fromkeys(self._parts)), Names[_Outcome]()
        self._tables: dict[Hashable, NDArray[np.int32]] = {}
        self._paid: Ints = np.zeros((1 + len(self._units), 0), dtype=np.int64)

    @property
    def is_large(self) -> bool:
        """Tell whether there are so many states that it is time to begin anew."""
        return sum(table.size for table in self._tables.values()) > MOST_CELLS

    def numbers(self, awards: Sequence[Awards]) -> Ints:
        """Return the numbers of what may be earned."""
        return np.array([self._earned.number(each) for each in awards], dtype=np.int64)

    def pay(self, states: Ints, earned: Ints, when: When, *, goes_on: bool) -> tuple[Ints, list[Ints | None]]:
        """Return the states after what is earned, and what is paid in each unit; None where that is never anything.

        Args:
            states: of the participants.
            earned: the number of what each earns.
            when: the day.
            goes_on: more is earned on this day.
        """
        when = self.like(when)
        table = self._table((when, goes_on))
        cells = states * table.shape[1] + earned
        found = table.ravel().take(cells)
        if (found < 0).any():
            self._fill(table.ravel(), np.unique(cells[found < 0]), when, goes_on=goes_on)
            found = table.ravel().take(cells)
        after, *paid = self._rows()
        return after.take(found), [each.take(found) if each.any() else None for each in paid]

    def _table(self, key: Hashable) -> NDArray[np.int32]:
        """Return a table with a row for each state and a column for each thing earned, -1 where it is not known yet."""
        table = self._tables.get(key, np.full((1, 1), -1, dtype=np.int32))
        shape = (len(self._received.values), len(self._earned.values))
        if table.shape[0] < shape[0] or table.shape[1] < shape[1]:
            grown = np.full((2 * shape[0], shape[1] + 8), -1, dtype=np.int32)
            grown[: table.shape[0], : table.shape[1]] = table
            table = grown
        self._tables[key] = table
        return table

    def _rows(self) -> Ints:
        """Return of all outcomes the state after each, and below it what is paid in each unit."""
        known = self._paid.shape[1]
        if known < len(self._outcomes.values):
            more = [(each.to, *each.paid) for each in self._outcomes.values[known:]]
            self._paid = np.concatenate([self._paid, np.array(more, dtype=np.int64).T], axis=1)
        return self._paid

    def _fill(self, table: NDArray[np.int32], cells: Ints, when: When, *, goes_on: bool) -> None:
        """Fill in cells of a table that are not known yet."""
        width = self._tables[when, goes_on].shape[1]
        for cell in cells.tolist():
            received, earned = self._received.values[cell // width], self._earned.values[cell % width]
            table[cell] = self._outcomes.number(self._outcome(received, earned, when, goes_on=goes_on))

    def _outcome(
        self,
        received: tuple[Received, ...],
        earned: Awards,
        when: When,
        *,
        goes_on: bool,
    ) -> _Outcome:
        paid = paid_of(self.explored.rules, received, earned, when)
        until = when if goes_on else self.following.get(when, when)
        after = self.explored.received_after(paid.received, until)
        amounts = (sum(award.amount for award in paid.awards if award.unit == unit) for unit in self._units)
        return _Outcome(self._received.number(after), tuple(amounts))


class Prizes:
    """What draws from a full bowl win; slips go back after each draw."""

    def __init__(self, rules: Rules, bowl: str) -> None:
        """Take the bowl that a unit draws from."""
        self._rules, self._bowl = rules, bowl
        self._known: dict[int, tuple[Ints, Chooser]] = {}

    def won(self, stream: Stream, draws: Ints) -> Ints:
        """Return what so many draws of each participant win, in minor units."""
        won, left = np.zeros(len(draws), dtype=np.int64), draws.copy()
        while left.any():
            together = np.minimum(left, TOGETHER)
            for count in range(1, TOGETHER + 1):
                at = np.flatnonzero(together == count)
                if len(at):
                    values, chooser = self._sum(count)
                    won[at] += values.take(chooser.many(stream, len(at)))
            left -= together
        return won

    def _sum(self, draws: int) -> tuple[Ints, Chooser]:
        if draws not in self._known:
            chances = drawn(self._rules, self._bowl, draws)
            values = np.array([value for value, _ in chances], dtype=np.int64)
            self._known[draws] = values, Chooser([[chance for _, chance in chances]])
        return self._known[draws]
