"""What a visit may bring in a simulation: each result with the mood after it, ready to be chosen."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from cm_engine.analysis.actions import Action, Slot
from cm_engine.analysis.behavior import Behavior
from cm_engine.analysis.cohorts.chooser import Chooser, Ints, Stream
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.flow import Flow


class Entry(NamedTuple):
    """One thing that a visit may bring: what is seen, the mood after it, and its chance in the mood before it."""

    action: Action
    mood: int
    chance: Fraction


class Entries:
    """What a slot may bring in each mood; entries are numbered through all moods.

    Attributes:
        values: the entries, by their numbers.
        moods: the mood after each.
        chooser: chooses one.
    """

    def __init__(self, by_mood: Sequence[Sequence[Entry]]) -> None:
        """Take the entries of each mood."""
        self.values = [entry for mood in by_mood for entry in mood]
        self.moods: Ints = np.array([entry.mood for entry in self.values], dtype=np.int64)
        self.chooser = Chooser([[entry.chance for entry in mood] for mood in by_mood])
        self._has_moods = len(by_mood) > 1

    def choose(self, stream: Stream, count: int, moods: Ints | None) -> Ints:
        """Return what so many participants bring, each in a mood."""
        return self.chooser.many(stream, count, moods if self._has_moods else None)

    def one(self, stream: Stream, mood: int) -> Entry:
        """Return what one participant brings."""
        return self.values[self.chooser.one(stream, mood)]


class Turns(Flow):
    """The entries of every slot of a cluster under a model of behavior; known once for slots that are alike."""

    def __init__(self, explored: Explored, cluster: Cluster, behavior: Behavior) -> None:
        """Look at a cluster under a model of behavior."""
        super().__init__(explored, cluster, behavior)
        self._entries: dict[object, Entries] = {}
        self.begins = {target: Chooser([_begin(model)]) for target, model in self.models.items()}

    def key(self, slot: Slot) -> object:
        """Return what slots have in common that bring the same."""
        if slot.event:
            return slot.event
        model = min(slot.visit, len(self.models[slot.target].turns) - 1)
        return slot.target, model, self.explored.rules.targets[slot.target].visits[slot.visit].phase

    def entries(self, slot: Slot) -> Entries:
        """Return what a slot may bring."""
        key = self.key(slot)
        if key not in self._entries:
            moods = range(1 if slot.event else len(self.models[slot.target].start))
            self._entries[key] = Entries([self._of_mood(slot, mood) for mood in moods])
        return self._entries[key]

    def _of_mood(self, slot: Slot, mood: int) -> list[Entry]:
        return [Entry(*found) for found in self.actions(slot, mood) if found[-1]]


def _begin(model: Behavior) -> list[Fraction]:
    return list(model.start)
