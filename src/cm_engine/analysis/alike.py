"""Which states of an automaton pay the same from a slot on, whatever is seen: its coarsest partition, from its end."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cm_engine.analysis.automaton import Automaton, Table

Kinds = NDArray[np.int64]
"""For each state the number of its kind; -1 for those that cannot come there."""


def kinds(automaton: Automaton) -> list[Kinds]:
    """Return for each slot of an automaton, and for its end, which states pay the same from there on.

    Two states are of one kind if every action pays the same in both, and leads to states of one kind. How results are
    read and told does not matter.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import explore
        >>> [automaton] = explore(catalogue.program("cpit-pregnancy")).automata
        >>> len({int(kind) for kind in kinds(automaton)[-1]})
        1
    """
    return list(_from_the_end(automaton))[::-1]


def _from_the_end(automaton: Automaton) -> Iterator[Kinds]:
    after = np.zeros(len(automaton.states), dtype=np.int64)
    yield after
    for place in reversed(range(len(automaton.slots))):
        after = _before(automaton.table(place), after)
        yield after


def _before(table: Table, after: Kinds) -> Kinds:
    """Return the kinds before a slot from those after it; those in which it stays open are told apart step by step."""
    rows, states = np.array(list(table.rows.values())), np.array(list(table.rows))
    found, count = np.where(np.isin(np.arange(len(after)), states), 0, -1), 1
    while True:
        leads = np.where(table.stays, found[table.after], after[table.after])
        told = np.hstack([table.parts, table.stays, leads])[rows]
        _, number = np.unique(told, axis=0, return_inverse=True)
        found[states] = number.ravel()
        if number.max() + 1 == count:
            return found
        count = number.max() + 1
