"""What `step` pays of a part within the limits, as a look-up: draws stay counts, and nobody has to know what a limit is.

A till is an automaton beside those of the targets: a part leads from one of its states to another, and is paid in full or
not. It asks `within_limits` once for each state and part, and knows the answer from then on.
"""

from collections import Counter
from typing import NamedTuple

from cm_engine.analysis.automaton import Names
from cm_engine.analysis.explored import Explored
from cm_engine.analysis.parts import Part, paid_of
from cm_engine.analysis.purse import LimitedPurse, following_days
from cm_engine.rules.limits import When
from cm_engine.rules.state import Award, Received

Awards = tuple[tuple[str, int], ...]
"""What is paid in each unit, by its name, in minor units; nothing is left out."""

ALWAYS = When(0, 1, None)
"""The one day that all days are like, where no limit looks."""


class Paying(NamedTuple):
    """What a till makes of a part.

    Attributes:
        after: the number of its state then.
        awards: what is paid.
        cut: how many rewards a limit took something of.
    """

    after: int
    awards: Awards
    cut: int


class Till:
    """Pays the parts of a cluster within the limits; its first state, 0, has paid nothing."""

    def __init__(self, explored: Explored, *, is_limited: bool) -> None:
        """Begin with nothing paid.

        Args:
            explored: the program.
            is_limited: some limit looks at what is earned.
        """
        self._explored, self._is_limited = explored, is_limited
        self._states = Names[tuple[Received, ...]](tuple(Received() for _ in explored.rules.limits))
        self._following = following_days(explored)
        self._like = LimitedPurse(explored, None, counts=False).like
        self._known: dict[tuple[int, int, When], Paying] = {}

    def like(self, when: When) -> When:
        """Return the first day that is like a day, as far as any limit sees."""
        return self._like(when) if self._is_limited else ALWAYS

    def pay(self, state: int, part: int, when: When) -> Paying:
        """Return what a part comes to on a day; what no limit looks at leaves the till as it is."""
        if not self._is_limited:
            earned = self._explored.parts[part]
            return Paying(state, awards_of(self._explored, earned.earned, earned.own), 0)
        key = (state, part, self.like(when))
        if key not in self._known:
            self._known[key] = self._pay(self._states.values[state], self._explored.parts[part], when)
        return self._known[key]

    def _pay(self, received: tuple[Received, ...], part: Part, when: When) -> Paying:
        rules, following = self._explored.rules, self._following.get(when, when)
        paid = paid_of(rules, received, part.earned, when)
        left = self._explored.received_after(paid.received, following)
        cut = sum(each != earned for each, earned in zip(paid.awards, part.earned, strict=True))
        return Paying(self._states.number(left), awards_of(self._explored, paid.awards, part.own), cut)


def awards_of(explored: Explored, paid: tuple[Award, ...], own: int) -> Awards:
    """Return what is paid in each unit, with the participant's own money."""
    sums = Counter[str]()
    for unit, amount in paid:
        sums[unit.name] += amount
    if own and explored.rules.deposit:
        sums[explored.rules.deposit.unit.name] += own
    return tuple((name, amount) for name, amount in sums.items() if amount)
