"""The best way through one automaton, found backward from its end."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.automaton import Automaton, Table
from cm_engine.analysis.sequences import Shown

Worths = NDArray[np.int64]
"""What can still be paid from each of many states, in minor units."""

IMPOSSIBLE = np.iinfo(np.int64).min // 4


def worths(automaton: Automaton, pays: Sequence[int]) -> list[Worths]:
    """Return for each slot of an automaton, and for its end, the most that can still be paid from each state.

    Args:
        automaton: the automaton.
        pays: what each part pays, by its number, in minor units.
    """
    found = [np.zeros(len(automaton.states), dtype=np.int64)]
    for place in reversed(range(len(automaton.slots))):
        found.append(_before(automaton.table(place), np.array(pays, dtype=np.int64), found[-1]))
    found.reverse()
    return found


def _before(table: Table, pays: Worths, after: Worths) -> Worths:
    """Return what can still be paid from each state before a slot; from those that cannot come there, nothing possible."""
    rows, states = np.array(list(table.rows.values())), np.array(list(table.rows))
    best = np.full(len(after), IMPOSSIBLE)
    while True:
        options = pays[table.parts] + np.where(table.stays, best[table.after], after[table.after])
        found = options.max(axis=1)[rows]
        if (found == best[states]).all():
            return best
        best[states] = found


def followed(automaton: Automaton, pays: Sequence[int], worth: Sequence[Worths]) -> Iterator[Shown]:
    """Follow a best way through an automaton from its start, and yield what is seen on it.

    Args:
        automaton: the automaton.
        pays: what each part pays, by its number, in minor units.
        worth: what `worths` has found.
    """
    state, place, paid = automaton.start, 0, np.array(pays)
    while place < len(automaton.slots):
        table = automaton.table(place)
        row = table.rows[state]
        then = np.where(table.stays[row], worth[place][table.after[row]], worth[place + 1][table.after[row]])
        column = int(np.argmax(paid[table.parts[row]] + then))
        yield automaton.slots[place], table.actions[column]
        state, place = int(table.after[row, column]), place + (not table.stays[row, column])
