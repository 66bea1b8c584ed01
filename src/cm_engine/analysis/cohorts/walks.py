"""Many participants walked through a program at once: at each slot one look into the table that `step` filled.

A walk takes a block of participants through the clusters of an explored program, slot by slot. What each state and each
thing that may be seen there leads to stands in flat arrays, so that a visit of a thousand participants is a few
operations of numpy, and no rule is told a second time.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.actions import Slot
from cm_engine.analysis.automaton import Automaton, Table
from cm_engine.analysis.behavior import Behavior
from cm_engine.analysis.cohorts.chooser import Ints, Stream
from cm_engine.analysis.cohorts.turns import Entries, Turns
from cm_engine.analysis.cohorts.wallets import Prizes, Wallets
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.ties import COLUMNS
from cm_engine.program.units import Unit
from cm_engine.rules.limits import When
from cm_engine.rules.state import Award

Paid = list[tuple[int, Ints]]
"""What is paid to each participant, by the place of the unit."""

READ = len(COLUMNS)
"""How many things a result may be read as."""

NOTHING_READ = -1
"""The cell of a tie for a result that leaves its visit open."""

_COLUMN_READ: Ints = np.array([COLUMNS.get(read, 0) for read in range(128)], dtype=np.int64)


class Moment(NamedTuple):
    """What a slot brought many participants.

    Attributes:
        slot: the slot.
        who: the places of the participants in the block; None if it is all of them.
        entries: what the slot may bring.
        chosen: the number of the entry that each one brought.
        paid: what was paid for it, in minor units, prizes with it.
    """

    slot: Slot
    who: NDArray[np.intp] | None
    entries: Entries
    chosen: Ints
    paid: Paid


@dataclass(frozen=True, slots=True)
class _Earning:
    """What each cell earns.

    Attributes:
        parts: the numbers of what is earned.
        amounts: what is earned in each unit in which anything is.
        draws: how many draws from each bowl.
    """

    parts: Ints
    amounts: Paid
    draws: Paid


@dataclass(frozen=True, slots=True)
class _Reader:
    """A tie at one of its slots; a cell for each state, and each thing that a result may be read as.

    Attributes:
        number: the tie, by its place in the cluster.
        after: where the cells of the state after it begin in its next slot.
        earning: what the cells earn.
    """

    number: int
    after: Ints
    earning: _Earning


@dataclass(frozen=True, slots=True)
class _Leg:
    """One slot, ready to be walked; a cell for each state and entry.

    Attributes:
        number: the automaton, by its place in the cluster.
        after: where the cells of the state after it begin, in the next slot or, where the slot stays open, in this one.
        stays: the slot stays open; None if it never does.
        earning: what the cells earn.
        reads: what the result is read as, as a column of a tie.
        readers: the ties that read it.
    """

    number: int
    slot: Slot
    entries: Entries
    after: Ints
    stays: NDArray[np.bool_] | None
    earning: _Earning
    reads: Ints
    readers: tuple[_Reader, ...] = ()

    @property
    def draws(self) -> bool:
        """Tell whether anything is drawn for."""
        return bool(self.earning.draws) or any(reader.earning.draws for reader in self.readers)


@dataclass(slots=True)
class _Standing:
    """Where the participants of a block stand in a cluster: their cells, also those of ties, moods and purses."""

    cells: list[Ints]
    tied: list[Ints]
    moods: dict[int, Ints]
    purses: Ints
    everyone: NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        self.everyone = np.arange(len(self.purses))


class _Seen(NamedTuple):
    """What a slot of a cluster brings some participants of a block.

    Attributes:
        cells: of the state and the entry of each.
        who: their places in the block; None if it is all of them.
    """

    way: "_Way"
    leg: _Leg
    when: When
    stream: Stream
    standing: _Standing
    cells: Ints
    who: NDArray[np.intp] | None

    def earnings(self) -> Iterator[tuple[_Earning, Ints]]:
        """Yield what is earned, with the cells of it; ties read what is decided, and move on."""
        yield self.leg.earning, self.cells
        for reader in self.leg.readers:
            tied = self.standing.tied[reader.number]
            begun = tied if self.who is None else tied[self.who]
            cells = begun + self.leg.reads.take(self.cells)
            after = reader.after.take(cells)
            if self.leg.stays is not None:
                is_open = self.leg.stays.take(self.cells)
                after, cells = np.where(is_open, begun, after), np.where(is_open, NOTHING_READ, cells)
            yield reader.earning, cells
            _put(self.standing.tied, reader.number, after, self.who)


class Walk:
    """An explored program under a model of behavior, ready to walk blocks of participants through it.

    Attributes:
        units: what the amounts are in, by their places.
    """

    def __init__(self, explored: Explored, behavior: Behavior) -> None:
        """Lay the tables of every slot out flat."""
        self.explored, self.units = explored, explored.units
        self.bowls = tuple(explored.program.bowls) if explored.money else ()
        self._money = self.units.index(explored.money) if explored.money in self.units else 0
        self._prizes = [Prizes(explored.rules, bowl) for bowl in self.bowls]
        self._ways = [
            _Way(explored, cluster, behavior, self.units, self.bowls) for cluster in explored.clusters
        ]

    def block(self, stream: Stream, count: int) -> Iterator[Moment]:
        """Walk so many participants through all slots, cluster by cluster, and yield what each slot brings."""
        for way in self._ways:
            if way.wallets and way.wallets.is_large:
                way.wallets.forget()
            standing = way.standing(stream, count)
            for leg, when in zip(way.legs, way.days, strict=True):
                yield from self._slot(way, leg, when, stream, standing)

    def _slot(
        self, way: "_Way", leg: _Leg, when: When, stream: Stream, standing: _Standing
    ) -> Iterator[Moment]:
        """Walk all participants through a slot, and those again for whom it stays open."""
        cells, moods, who = standing.cells[leg.number], standing.moods.get(leg.slot.target), None
        while True:
            chosen = leg.entries.choose(stream, len(cells), moods)
            seen = _Seen(way, leg, when, stream, standing, cells + chosen, who)
            yield Moment(leg.slot, who, leg.entries, chosen, self._paid(seen))
            cells = leg.after.take(seen.cells)
            moods = None if moods is None else leg.entries.moods.take(chosen)
            _put(standing.cells, leg.number, cells, who)
            if moods is not None:
                _put(standing.moods, leg.slot.target, moods, who)
            if leg.stays is None or not (staying := leg.stays.take(seen.cells)).any():
                return
            who = (standing.everyone if who is None else who)[staying]
            cells, moods = cells[staying], None if moods is None else moods[staying]

    def _paid(self, seen: _Seen) -> Paid:
        earnings = list(seen.earnings())
        paid = [
            (unit, amounts.take(cells)) for earning, cells in earnings for unit, amounts in earning.amounts
        ]
        if seen.way.wallets:
            return paid + self._limited(seen.way.wallets, seen, earnings)
        won = [
            self._prizes[bowl].won(seen.stream, draws.take(cells))
            for earning, cells in earnings
            for bowl, draws in earning.draws
        ]
        return [*paid, *((self._money, each) for each in won)]

    def _limited(self, wallets: Wallets, seen: _Seen, earnings: Sequence[tuple[_Earning, Ints]]) -> Paid:
        """Return what limits leave, and put it into the purses."""
        draws, standing, paid = seen.leg.draws, seen.standing, Paid()
        after = standing.purses if seen.who is None else standing.purses[seen.who]
        for left, (earning, cells) in zip(reversed(range(len(earnings))), earnings, strict=True):
            parts = earning.parts.take(cells)
            after, rows = wallets.pay(after, parts, seen.when, goes_on=draws or left > 0)
            paid += [(unit, amounts) for unit, amounts in enumerate(rows) if amounts is not None]
        if draws:
            won = self._won(seen.stream, paid, len(seen.cells))
            after, prizes = wallets.pay(after, self._as_earned(wallets, won), seen.when, goes_on=False)
            paid += [(unit, each) for unit, each in enumerate(prizes) if each is not None]
        if seen.who is None:
            standing.purses = after
        else:
            standing.purses[seen.who] = after
        return paid

    def _won(self, stream: Stream, paid: Paid, count: int) -> Ints:
        """Return what the draws win that the limits have left."""
        won = np.zeros(count, dtype=np.int64)
        for bowl, prizes in zip(self.bowls, self._prizes, strict=True):
            for draws in (amounts for unit, amounts in paid if self.units[unit].name == bowl):
                won += prizes.won(stream, draws)
        return won

    def _as_earned(self, wallets: Wallets, won: Ints) -> Ints:
        """Return the numbers of what prizes earn."""
        values, places = np.unique(won, return_inverse=True)
        awards = [(Award(self.units[self._money], value),) if value else () for value in values.tolist()]
        return wallets.numbers(awards).take(places)


class _Way:
    """A cluster laid out flat: a leg for each slot, in their order."""

    def __init__(
        self,
        explored: Explored,
        cluster: Cluster,
        behavior: Behavior,
        units: Sequence[Unit],
        bowls: Sequence[str],
    ) -> None:
        self._explored, self._units, self._bowls = explored, units, bowls
        self._turns = Turns(explored, cluster, behavior)
        self._automata, self._ties = self._turns.automata, self._turns.joint.ties
        self.wallets = Wallets(explored, units) if cluster.is_limited else None
        self._widths = [
            max((len(self._turns.entries(slot).values) for slot in each.slots), default=1)
            for each in self._automata
        ]
        self._known: dict[Hashable, _Leg] = {}
        self.legs = [self._leg(number, place) for number, place in cluster.order]
        self.days = [when for *_, when in self._turns.slots()]

    def standing(self, stream: Stream, count: int) -> _Standing:
        """Return where so many participants stand before the first slot."""
        cells = [
            np.full(count, each.table(0).rows[each.start] * width, dtype=np.int64)
            for each, width in zip(self._automata, self._widths, strict=True)
        ]
        begins = self._turns.begins.items()
        moods = {target: each.many(stream, count) for target, each in begins if each.choices > 1}
        tied = [np.full(count, each.table(0).rows[each.start] * READ, dtype=np.int64) for each in self._ties]
        return _Standing(cells, tied, moods, np.zeros(count, dtype=np.int64))

    def _leg(self, number: int, place: int) -> _Leg:
        """Return a slot laid out; slots that do the same, and lead to such as do the same, share their arrays."""
        automaton = self._automata[number]
        slot, following = automaton.slots[place], automaton.kinds[place + 1 : place + 2]
        key = (number, automaton.kinds[place], following, self._turns.key(slot))
        if key not in self._known:
            self._known[key] = self._made(number, place)
        readers = tuple(
            self._reader(position - len(self._automata), at)
            for position, at in self._turns.joint.readers(number, place)
        )
        return replace(self._known[key], slot=slot, readers=readers)

    def _reader(self, number: int, place: int) -> _Reader:
        """Return a tie laid out at one of its slots."""
        tie = self._ties[number]
        table = tie.table(place)
        last = place + 1 == len(tie.slots)
        there = table.after * 0 if last else _rows(tie, tie.table(place + 1))[table.after]
        return _Reader(number, _laid(there * READ), self._earning(_laid(table.parts)))

    def _made(self, number: int, place: int) -> _Leg:
        automaton, width = self._automata[number], self._widths[number]
        slot, table, entries = (
            automaton.slots[place],
            automaton.table(place),
            self._turns.entries(automaton.slots[place]),
        )
        columns = [table.actions.index(entry.action) for entry in entries.values]
        stays = table.stays[:, columns]
        here = _rows(automaton, table)[table.after[:, columns]]
        last = place + 1 == len(automaton.slots)
        there = here * 0 if last else _rows(automaton, automaton.table(place + 1))[table.after[:, columns]]
        parts = _wide(table.parts[:, columns], width)
        return _Leg(
            number,
            slot,
            entries,
            _wide(np.where(stays, here, there) * width, width),
            _wide(stays, width) if stays.any() else None,
            self._earning(parts),
            _wide(_COLUMN_READ[table.reads[:, columns]], width),
        )

    def _earning(self, parts: Ints) -> _Earning:
        return _Earning(self._earned(parts), self._amounts(parts), self._draws(parts))

    def _earned(self, parts: Ints) -> Ints:
        """Return the numbers that a purse has for what parts earn."""
        if not self.wallets:
            return parts
        return self.wallets.numbers([each.earned for each in self._explored.parts]).take(parts)

    def _amounts(self, parts: Ints) -> Paid:
        """Return what parts pay in each unit that no limit looks at: of a limited cluster, the participant's own money."""
        own = self._explored.rules.deposit.unit if self._explored.rules.deposit else None
        found = []
        for place, unit in enumerate(self._units):
            amounts = [
                (each.own if unit == own else 0) if self.wallets else each.sum(unit, own)
                for each in self._explored.parts
            ]
            found.append((place, np.array(amounts, dtype=np.int64).take(parts)))
        return [(place, amounts) for place, amounts in found if amounts.any()]

    def _draws(self, parts: Ints) -> Paid:
        found = []
        for place, bowl in enumerate(self._bowls):
            draws = [
                sum(award.amount for award in each.earned if award.unit.name == bowl)
                for each in self._explored.parts
            ]
            found.append((place, np.array(draws, dtype=np.int64).take(parts)))
        return [(place, draws) for place, draws in found if draws.any()]


def _rows(automaton: Automaton, table: Table) -> Ints:
    """Return the row that each state of an automaton has in a table; 0 for those that never come there."""
    rows = np.zeros(len(automaton.states), dtype=np.int64)
    rows[list(table.rows)] = list(table.rows.values())
    return rows


def _wide(cells: NDArray[np.generic], width: int) -> NDArray:  # type: ignore[type-arg]
    """Return rows as one flat array, each so wide."""
    return np.pad(cells, ((0, 0), (0, width - cells.shape[1]))).ravel()


def _laid(cells: NDArray[np.generic]) -> Ints:
    """Return the cells of a tie as one flat array, with one more, for what it has not read yet: it earns nothing."""
    return np.append(cells.ravel(), 0).astype(np.int64)


def _put(into: dict[int, Ints] | list[Ints], place: int, values: Ints, who: NDArray[np.intp] | None) -> None:
    if who is None:
        into[place] = values
    else:
        into[place][who] = values
