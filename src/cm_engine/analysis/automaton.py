"""The automaton of some targets that hang together: every state they can be in, found by `step` itself.

Breadth-first from the start, slot by slot. States are told apart by their essence; where a program repeats itself, a slot
is explored once for all slots like it, so that a plan of years is no larger than one of weeks.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.actions import Action, Slot, actions_of
from cm_engine.analysis.parts import NOTHING, Part, part_of
from cm_engine.errors import ResultsError, TooManyStatesError
from cm_engine.rules.compiled import Rules, TargetRules
from cm_engine.rules.essence import essence
from cm_engine.rules.state import Observation, Received, State, Track
from cm_engine.rules.step import step

Ids = NDArray[np.int32]
"""The numbers of states, or of parts."""

Value = TypeVar("Value", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Table:
    """What each action does in slots of one kind; a row for each state that can come there, a column for each action.

    Attributes:
        actions: the columns.
        rows: the row of each state, by its number in the automaton.
        after: the number of the state after it.
        parts: what it earns, by its number in the exploration.
        stays: the slot stays open: the same slot comes again in the state after it.
        reads: what the result is read as, as a number of a character.
        reasons: the codes of the reasons, by their number in the exploration.
    """

    actions: tuple[Action, ...]
    rows: dict[int, int]
    after: Ids
    parts: Ids
    stays: NDArray[np.bool_]
    reads: NDArray[np.uint8]
    reasons: Ids

    @property
    def success(self) -> int:
        """Return the column of a success: the usual choice; of a group, with all its members."""
        columns = [column for column, action in enumerate(self.actions) if action.symbol == "-"]
        return max(columns, key=lambda column: self.actions[column].group or 0)

    def closed(self, begun: Iterable[int]) -> tuple[int, ...]:
        """Return the states that a slot can be in: those that it begins in, and those in which it stays open."""
        found = dict.fromkeys(begun)
        waiting = list(found)
        while waiting:
            row = self.rows[waiting.pop()]
            more = [state for state in self.after[row][self.stays[row]].tolist() if state not in found]
            found.update(dict.fromkeys(more))
            waiting += more
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Automaton:
    """Every state that some targets and events can be in.

    Attributes:
        targets: their places in the program.
        slots: the occasions, in the order in which they are decided.
        kinds: for each slot, the number of its table.
        tables: one for each kind of slot.
        reach: for each slot, the states that it can begin in, sorted; and at last those at the end.
        start: the number of the state before the first slot.
        states: the essence of each state, by its number.
    """

    targets: tuple[int, ...]
    slots: tuple[Slot, ...]
    kinds: tuple[int, ...]
    tables: tuple[Table, ...]
    reach: tuple[tuple[int, ...], ...]
    start: int
    states: tuple[State, ...]

    def table(self, slot: int) -> Table:
        """Return what each action does in a slot."""
        return self.tables[self.kinds[slot]]

    @property
    def size(self) -> int:
        """Return how many states there are, those of different slots told apart."""
        return sum(map(len, self.reach))

    def parts_of(self, slot: int) -> frozenset[int]:
        """Return the numbers of the parts that can be earned in a slot."""
        table = self.table(slot)
        rows = [table.rows[state] for state in table.closed(self.reach[slot])]
        return frozenset(table.parts[rows].ravel().tolist())


class Names(Generic[Value]):
    """Numbers for values, in the order in which they come first."""

    def __init__(self, *first: Value) -> None:
        """Begin with some values."""
        self.known, self.values = {value: number for number, value in enumerate(first)}, list(first)

    def number(self, value: Value) -> int:
        """Return the number of a value."""
        number = self.known.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


class Told(NamedTuple):
    """The numbers of what decisions earn, and of the codes of their reasons."""

    parts: Names[Part]
    reasons: Names[tuple[str, ...]]


def nothing_told() -> Told:
    """Return numbers of parts and reasons that begin with nothing."""
    return Told(Names[Part](NOTHING), Names[tuple[str, ...]](()))


class _Cell(NamedTuple):
    """What one action does: the state after it, what it earns, and how it is read and told."""

    after: int
    part: int
    stays: bool
    read: int
    reasons: int


@dataclass(slots=True)
class _Rows:
    """A table while it is made."""

    actions: tuple[Action, ...]
    rows: dict[int, int] = field(default_factory=dict)
    cells: list[_Cell] = field(default_factory=list)

    def table(self) -> Table:
        cells = np.array(self.cells, dtype=np.int32).reshape(-1, len(self.actions), 5)
        after, parts, stays, reads, reasons = np.moveaxis(cells, 2, 0)
        return Table(
            self.actions,
            self.rows,
            after.copy(),
            parts.copy(),
            stays.astype(bool),
            reads.astype(np.uint8),
            reasons.copy(),
        )


class Explorer:
    """Explores the targets of a program, group by group; parts and reasons have one numbering for all of them."""

    def __init__(self, rules: Rules, start: State, most: int, told: "Told") -> None:
        """Begin with a program without limits.

        Args:
            rules: of the program.
            start: the state before the first visit.
            most: how many decisions may be made before it is given up.
            told: the numbers of parts and reasons, to be gone on with.
        """
        self.rules, self.start, self.most, self.made = rules, essence(rules, start), most, 0
        self.parts, self.reasons = told

    def automaton(self, slots: tuple[Slot, ...]) -> Automaton:
        """Return the automaton of some slots.

        Raises:
            TooManyStatesError: there are more states than `most` decisions can find.
        """
        shape = _Shape(self.rules, slots)
        states, kinds, tables = Names[State](), Names[Hashable](), list[_Rows]()
        frontier: tuple[int, ...] = (states.number(shape.bare(self.start, 0)),)
        start, reach, known = frontier[0], [frontier], dict[tuple[int, tuple[int, ...]], tuple[int, ...]]()
        for place, slot in enumerate(slots):
            kind = kinds.number(shape.kind(place))
            if kind == len(tables):
                tables.append(_Rows(actions_of(self.rules, slot)))
            if (kind, frontier) not in known:
                known[kind, frontier] = self._explored(shape, place, tables[kind], states, frontier)
            frontier = known[kind, frontier]
            reach.append(frontier)
        numbers = tuple(kinds.known[shape.kind(place)] for place in range(len(slots)))
        made = tuple(rows.table() for rows in tables)
        targets = tuple(dict.fromkeys(slot.target for slot in slots if slot.target >= 0))
        return Automaton(targets, slots, numbers, made, tuple(reach), start, tuple(states.values))

    def _explored(
        self, shape: "_Shape", place: int, table: _Rows, states: Names[State], frontier: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Fill in the rows of a slot, and return the states that come after it."""
        after, waiting, seen = set[int](), list(frontier), set(frontier)
        letters = tuple(shape.letters(place, table.actions))
        while waiting:
            number = waiting.pop()
            if number not in table.rows:
                table.rows[number] = len(table.rows)
                self._count(shape, place, table)
                state = shape.placed(states.values[number], place)
                table.cells += self._row(shape, place, letters, state, states)
            width, row = len(table.actions), table.rows[number]
            for cell in table.cells[row * width : (row + 1) * width]:
                if not cell.stays:
                    after.add(cell.after)
                elif cell.after not in seen:
                    seen.add(cell.after)
                    waiting.append(cell.after)
        return tuple(sorted(after))

    def _count(self, shape: "_Shape", place: int, table: _Rows) -> None:
        """Count the decisions of one more row, and give up where they are too many."""
        self.made += len(table.actions)
        if self.made > self.most:
            raise TooManyStatesError(
                self.rules.program.program, place, len(shape.slots), len(table.rows), self.most
            )

    def _row(
        self, shape: "_Shape", place: int, letters: tuple["_Letter", ...], state: State, states: Names[State]
    ) -> list[_Cell]:
        found: list[_Cell] = []
        for letter in letters:
            if letter.same == len(found):
                found.append(self._cell(shape, place, letter.observation, state, states))
            else:
                found.append(found[letter.same]._replace(read=letter.read))
        return found

    def _cell(
        self,
        shape: "_Shape",
        place: int,
        observation: Observation | None,
        state: State,
        states: Names[State],
    ) -> _Cell:
        slot = shape.slots[place]
        if observation is None:
            return self._nothing(shape, place, state, states)
        try:
            after, decision = step(self.rules, state, observation, foretell=False)
        except ResultsError:
            if not slot.event:
                raise
            return self._nothing(shape, place, state, states)  # what is refused did not happen
        stays = not slot.event and after.tracks[slot.target].visits == slot.visit
        to = states.number(shape.bare(essence(self.rules, after), place + (not stays)))
        codes = self.reasons.number(tuple(reason.code for reason in decision.reasons))
        read = ord(decision.outcome) if decision.outcome else 0
        return _Cell(to, self.parts.number(part_of(decision)), stays, read, codes)

    def _nothing(self, shape: "_Shape", place: int, state: State, states: Names[State]) -> _Cell:
        """Return what it leads to that nothing happens."""
        return _Cell(states.number(shape.bare(state, place + 1)), 0, stays=False, read=0, reasons=0)


class _Letter(NamedTuple):
    """An action in a slot: what `step` is given for it, and the column of the first action that does the same.

    Attributes:
        read: what it is read as, where it does the same as another.
    """

    observation: Observation | None
    same: int
    read: int


class _Shape:
    """Which slots of a plan are alike, and a state without its place in the plan."""

    def __init__(self, rules: Rules, slots: tuple[Slot, ...]) -> None:
        self.rules, self.slots = rules, slots
        self.targets = tuple(rules.targets[index] for index in sorted({slot.target for slot in slots} - {-1}))
        self.repeats = _repeats(rules, slots)
        self.by_week = any(each.kind == "week" for each in rules.milestones) or any(
            quota.per == "week" for target in rules.targets for _, quota in target.quotas
        )
        self.decided = tuple(_decided(len(rules.targets), slots))

    def kind(self, place: int) -> Hashable:
        """Return what slots have in common that do the same."""
        if not self.repeats:
            return place
        decided, week = self.decided[place], self._week(place)
        ahead = tuple(
            tuple(self._look(target, decided[target.index] + after, week) for after in (0, 1))
            for target in self.targets
        )
        return self.slots[place].target, ahead, self._behind(decided)

    def letters(self, place: int, actions: Sequence[Action]) -> Iterator[_Letter]:
        """Yield the actions of a slot."""
        slot, columns = self.slots[place], dict[Hashable, int]()
        name = "" if slot.event else self.rules.targets[slot.target].name
        for column, action in enumerate(actions):
            same = columns.setdefault(self.alike(place, action), column)
            yield _Letter(action.observation(name, slot.event), same, ord(action.symbol))

    def alike(self, place: int, action: Action) -> Hashable:
        """Return what actions of a slot have in common that do the same: of plain results, what the ladder makes of them."""
        slot = self.slots[place]
        target = self.rules.targets[slot.target]
        if slot.event or not target.given_as_read or target.looked_back_on or self.rules.has_extras:
            return action
        phase = target.visits[slot.visit].phase
        told = action.symbol in "+or" if phase.words.kept else None
        return (phase.effects[action.symbol], told) if action == Action(action.symbol) else action

    def _look(self, target: TargetRules, index: int, week: int) -> Hashable:
        """Return how a visit looks, as far as anything hangs on it."""
        if index >= len(target.visits):
            return None
        visit = target.visits[index]
        weekly = visit.phase.counts_weeks or self.by_week
        due = tuple(each.due.get(visit.week) for each in self.rules.milestones if each.kind == "week")
        in_week = (visit.opens_week, visit.closes_week) if weekly else ()
        return visit.phase, visit.begins_ladder, in_week, visit.week - week if self.by_week else 0, due

    def _behind(self, decided: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many visits the targets are ahead of one another, where one looks back on another."""
        if not any(target.looks_at_others for target in self.targets):
            return ()
        own = [decided[target.index] for target in self.targets]
        return tuple(number - min(own) for number in own)

    def _week(self, place: int) -> int:
        slot = self.slots[min(place, len(self.slots) - 1)]
        return self.rules.targets[slot.target].visits[slot.visit].week

    def bare(self, state: State, place: int) -> State:
        """Return a state as it is told apart at a slot: without its place, where slots are alike."""
        if not self.repeats:
            return state
        return self._moved(state, (0,) * len(state.tracks), -self._week(place))

    def placed(self, state: State, place: int) -> State:
        """Return a state at a slot, from what is told apart there."""
        return self._moved(state, self.decided[place], self._week(place)) if self.repeats else state

    def _moved(self, state: State, visits: tuple[int, ...], weeks: int) -> State:
        """Return a state with other visits decided, and with its weeks so much later."""
        tracks = tuple(Track(number, *track[1:]) for track, number in zip(state.tracks, visits, strict=True))
        if not self.by_week:
            return state._replace(tracks=tracks, last=state.start)
        progress = tuple(
            each._replace(weeks=tuple((week + weeks, *counts) for week, *counts in each.weeks))  # type: ignore[misc]
            for each in state.progress
        )
        counted = list(state.counted)
        for index, quota in (pair for target in self.rules.targets for pair in target.quotas):
            if quota.per == "week":
                counted[index] = Received(
                    tuple((week + weeks, used) for week, used in counted[index].windows)
                )
        return state._replace(tracks=tracks, progress=progress, counted=tuple(counted), last=state.start)


def _decided(targets: int, slots: tuple[Slot, ...]) -> Iterator[tuple[int, ...]]:
    """Yield how many visits of each target are decided when each slot begins, and at last when all are."""
    decided = [0] * targets
    for slot in slots:
        yield tuple(decided)
        if not slot.event:
            decided[slot.target] += 1
    yield tuple(decided)


def _repeats(rules: Rules, slots: tuple[Slot, ...]) -> bool:
    """Tell whether slots that look alike do the same: nothing hangs on dates, on the end of weeks or on a deposit."""
    if any(slot.event for slot in slots) or rules.closed or rules.deposit:
        return False
    quotas = (quota for target in rules.targets for _, quota in target.quotas)
    return not any(quota.per == "month" for quota in quotas) and all(
        milestone.kind != "end_of" for milestone in rules.milestones
    )
