"""Milestones that count several targets, each an automaton of its own: its letters are what results are read as.

So the targets stay apart, each with its own few states, where all of them together would have too many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cm_engine.analysis.actions import PLAIN_ACTIONS, Slot
from cm_engine.analysis.automaton import Automaton, Cell, Names, Rows, Table, Told
from cm_engine.analysis.parts import NOTHING, Part
from cm_engine.rules.compiled import Rules
from cm_engine.rules.essence import essence_of_progress
from cm_engine.rules.milestones import Progress, after_visit
from cm_engine.rules.state import Award, State


@dataclass(frozen=True, slots=True)
class Tie(Automaton):
    """A milestone that reads the results of several targets.

    Attributes:
        milestone: its place among those of the program.
    """

    milestone: int


COLUMNS: Mapping[int, int] = {ord(action.symbol): column for column, action in enumerate(PLAIN_ACTIONS)}
"""The column of what a result is read as, by the number of its character."""


def tie_of(rules: Rules, place: int, start: State, slots: Sequence[Slot], told: Told) -> Tie:
    """Return a milestone as an automaton whose slots are the visits that it counts.

    What it makes of a visit it asks `after_visit`, as `step` does.

    Args:
        rules: of a program without limits.
        place: of the milestone among those of the program.
        start: the state before the first visit.
        slots: of its targets, in the order in which they are decided.
        told: the numbers of parts and reasons, to be gone on with.
    """
    counting, left = _Counting(rules, place, told), dict.fromkeys(rules.milestones[place].targets, 0)
    for slot in slots:
        left[rules.targets[slot.target].name] += 1
    reach, tables = [(0,)], list[Table]()
    for slot in slots:
        left[rules.targets[slot.target].name] -= 1
        tables.append(counting.table(slot, reach[-1], left))
        reach.append(tuple(np.unique(tables[-1].after).tolist()))
    kept = tuple(_with_progress(start, place, each) for each in counting.states.values)
    targets, kinds = tuple(dict.fromkeys(slot.target for slot in slots)), tuple(range(len(slots)))
    return Tie(targets, tuple(slots), kinds, tuple(tables), tuple(reach), 0, kept, place)


def _with_progress(state: State, place: int, progress: Progress) -> State:
    return state._replace(progress=(*state.progress[:place], progress, *state.progress[place + 1 :]))


class _Counting:
    """Counts the results of visits towards a milestone."""

    def __init__(self, rules: Rules, place: int, told: Told) -> None:
        self.rules, self.milestone, self.states = rules, rules.milestones[place], Names(Progress())
        reward = Part((Award(self.milestone.unit, self.milestone.amount),))
        part = told.parts.number(reward if self.milestone.amount else NOTHING)
        self.paid = part, told.reasons.number(("milestone",))

    def table(self, slot: Slot, begun: Sequence[int], left: Mapping[str, int]) -> Table:
        """Return what each thing that a result is read as does in a slot; so many visits are left after it."""
        cells = [self._cell(slot, state, action.symbol, left) for state in begun for action in PLAIN_ACTIONS]
        return Rows(PLAIN_ACTIONS, {state: row for row, state in enumerate(begun)}, cells).table()

    def _cell(self, slot: Slot, state: int, outcome: str, left: Mapping[str, int]) -> Cell:
        target, progress = self.rules.targets[slot.target], self.states.values[state]
        week = target.visits[slot.visit].week
        after, is_reached = after_visit(self.milestone, progress, target.name, week, outcome)
        number = self.states.number(essence_of_progress(self.milestone, after, left))
        part, reasons = self.paid if is_reached else (0, 0)
        return Cell(number, part, stays=False, read=ord(outcome), reasons=reasons)
