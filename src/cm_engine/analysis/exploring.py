"""Every state that some targets can be in, found by `step` itself.

Breadth-first from the start, slot by slot. States are told apart by their essence; where a program repeats itself, a slot
is explored once for all slots like it, so that a plan of years is no larger than one of weeks.
"""

from collections.abc import Hashable

from cm_engine.analysis.actions import Slot, actions_of
from cm_engine.analysis.automaton import Automaton, Cell, Names, Rows, Told
from cm_engine.analysis.likeness import Letter, Shape
from cm_engine.analysis.parts import part_of
from cm_engine.errors import ResultsError, TooManyStatesError
from cm_engine.rules.compiled import Rules
from cm_engine.rules.essence import essence
from cm_engine.rules.state import Observation, State
from cm_engine.rules.step import step


class Explorer:
    """Explores the targets of a program, group by group; parts and reasons have one numbering for all of them."""

    def __init__(self, rules: Rules, start: State, most: int, told: Told) -> None:
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
        shape = Shape(self.rules, slots)
        states, kinds, tables = Names[State](), Names[Hashable](), list[Rows]()
        frontier: tuple[int, ...] = (states.number(shape.bare(self.start, 0)),)
        start, reach, known = frontier[0], [frontier], dict[tuple[int, tuple[int, ...]], tuple[int, ...]]()
        for place, slot in enumerate(slots):
            kind = kinds.number(shape.kind(place))
            if kind == len(tables):
                tables.append(Rows(actions_of(self.rules, slot)))
            if (kind, frontier) not in known:
                known[kind, frontier] = self._explored(shape, place, tables[kind], states, frontier)
            frontier = known[kind, frontier]
            reach.append(frontier)
        numbers = tuple(kinds.known[shape.kind(place)] for place in range(len(slots)))
        made = tuple(rows.table() for rows in tables)
        targets = tuple(dict.fromkeys(slot.target for slot in slots if slot.target >= 0))
        return Automaton(targets, slots, numbers, made, tuple(reach), start, tuple(states.values))

    def _explored(
        self, shape: Shape, place: int, table: Rows, states: Names[State], frontier: tuple[int, ...]
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

    def _count(self, shape: Shape, place: int, table: Rows) -> None:
        """Count the decisions of one more row, and give up where they are too many."""
        self.made += len(table.actions)
        if self.made > self.most:
            raise TooManyStatesError(
                self.rules.program.program, place, len(shape.slots), len(table.rows), self.most
            )

    def _row(
        self, shape: Shape, place: int, letters: tuple[Letter, ...], state: State, states: Names[State]
    ) -> list[Cell]:
        found: list[Cell] = []
        for letter in letters:
            if letter.same == len(found):
                found.append(self._cell(shape, place, letter.observation, state, states))
            else:
                found.append(found[letter.same]._replace(read=letter.read))
        return found

    def _cell(
        self,
        shape: Shape,
        place: int,
        observation: Observation | None,
        state: State,
        states: Names[State],
    ) -> Cell:
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
        return Cell(to, self.parts.number(part_of(decision)), stays, read, codes)

    def _nothing(self, shape: Shape, place: int, state: State, states: Names[State]) -> Cell:
        """Return what it leads to that nothing happens."""
        return Cell(states.number(shape.bare(state, place + 1)), 0, stays=False, read=0, reasons=0)
