"""What a sequence of results and events shows, and what it comes to."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cm_engine.analysis.actions import HAPPENED, Action, Slot
from cm_engine.rules.compiled import Rules

Shown = tuple[Slot, Action]
"""What is seen in a slot; a slot that stays open shows more than one."""


class Seen(NamedTuple):
    """What a sequence shows: a word of results for each target, and the events that happened."""

    words: Mapping[str, str]
    events: tuple[str, ...] = ()


class Extreme(NamedTuple):
    """An amount in minor units, and what has to be seen for it; what draws win is their best or their worst.

    Attributes:
        bound: what no other sequence goes beyond, where it is not known whether one goes beyond the amount; else None.
        endless: the events that pay whenever they happen, so that nothing is what no sequence goes beyond; they are taken
            to happen once for each reward.
    """

    amount: int
    seen: Seen
    bound: int | None = None
    endless: tuple[str, ...] = ()

    @property
    def sure(self) -> int:
        """Return what no sequence goes beyond; of events that pay without an end, each counted once."""
        return self.amount if self.bound is None else self.bound


def seen_of(rules: Rules, targets: Iterable[int], shown: Iterable[Shown]) -> Seen:
    """Return what a sequence shows.

    Args:
        rules: the program.
        targets: the places of the targets that have slots.
        shown: what is seen, in order.
    """
    words, events = {rules.targets[index].name: "" for index in targets}, list[str]()
    for slot, action in shown:
        if slot.event:
            events += [slot.event] * (action.symbol == HAPPENED)
        else:
            words[rules.targets[slot.target].name] += action.symbol
    return Seen(words, tuple(events))
