"""What a participant has received so far: sums, and the windows of the limits. Rows of a distribution lie over its states.

A purse is an automaton as well: a part that is earned leads from one of its states to another, through `within_limits`
where a limit looks at it. What draws win comes in between: a part may lead to several states, each with its chance.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple, Protocol

from cm_engine.analysis.automaton import Names
from cm_engine.analysis.explored import Explored
from cm_engine.analysis.parts import Part, paid_of
from cm_engine.errors import TooManyStatesError
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import Rules
from cm_engine.rules.limits import LimitRules, When, window
from cm_engine.rules.prizes import full_bowl
from cm_engine.rules.state import Award, Received

MOST_HELD = 100_000
"""How many states a purse may have: what has been received in windows that overlap has as many as there are histories."""

Chances = tuple[tuple[int, Fraction], ...]
"""What draws win in minor units, each with its chance."""


class Held(NamedTuple):
    """A state of a purse.

    Attributes:
        received: what the windows of the limits have received that still matter.
        sum: what was paid in the unit that is counted, in minor units.
        bit: the places of the limits that have taken something.
    """

    received: tuple[Received, ...]
    sum: int
    bit: frozenset[int]


class Step(NamedTuple):
    """One way from a state of a purse: where to, what it pays in the unit that is counted, and its chance."""

    to: int
    paid: int
    chance: Fraction


class Purse(Protocol):
    """What has been received so far."""

    def ways(self, number: int, part: int, when: When) -> tuple[Step, ...]:
        """Return where a part leads from a state."""

    def like(self, when: When) -> When:
        """Return the first day that is like a day, as far as anything hangs on it."""

    def sums(self) -> list[int]:
        """Return what each state has been paid in the unit that is counted."""


class LimitedPurse:
    """A purse that limits look at."""

    def __init__(self, explored: Explored, unit: Unit | None, *, counts: bool = True) -> None:
        """Begin with nothing received.

        Args:
            explored: the program.
            unit: what is counted; draws count as what they win where it is the program's money. None counts nothing.
            counts: tell states apart by what was paid; without it only by what the limits look at.
        """
        self.explored, self.unit, self.counts = explored, unit, counts
        nothing = Held(tuple(Received() for _ in explored.rules.limits), 0, frozenset())
        self.states = Names[Held](nothing)
        self._known: dict[tuple[int, int, When], tuple[Step, ...]] = {}
        self.following = following_days(explored)
        self._like = _alike(explored, self.following)

    def like(self, when: When) -> When:
        """Return the first day that falls into the same windows as a day, and as the day after it."""
        return self._like.get(when, when)

    def ways(self, number: int, part: int, when: When) -> tuple[Step, ...]:
        """Return where a part leads from a state."""
        key = (number, part, when)
        if key not in self._known:
            self._refuse_too_many(when)
            self._known[key] = tuple(self._ways(self.states.values[number], self.explored.parts[part], when))
        return self._known[key]

    def sums(self) -> list[int]:
        """Return what each state has been paid in the unit that is counted."""
        return [held.sum for held in self.states.values]

    def _refuse_too_many(self, when: When) -> None:
        if len(self.states.values) > MOST_HELD:
            slots = [self.explored.when(slot) for each in self.explored.automata for slot in each.slots]
            at = sum(each.day < when.day for each in slots)
            name = self.explored.program.program
            raise TooManyStatesError(name, at, len(slots), len(self.states.values), MOST_HELD)

    def _ways(self, held: Held, part: Part, when: When) -> Iterator[Step]:
        paid = paid_of(self.explored.rules, held.received, part.earned, when)
        own = part.own if self.explored.rules.deposit and self.unit == self.explored.rules.deposit.unit else 0
        sure = own + sum(award.amount for award in paid.awards if award.unit == self.unit)
        bit = held.bit | paid.bit if self.counts else held.bit
        money = self.explored.money
        for won, chance in winnings(self.explored.rules, paid.awards):
            prizes = paid_of(
                self.explored.rules, paid.received, (Award(money, won),) if won and money else (), when
            )
            more = sum(award.amount for award in prizes.awards) if self.unit == money else 0
            amount = sure + more
            received = self._essence(prizes.received, when)
            after = Held(
                received, held.sum + amount if self.counts else 0, bit | prizes.bit if self.counts else bit
            )
            yield Step(self.states.number(after), amount, chance)

    def _essence(self, received: tuple[Received, ...], when: When) -> tuple[Received, ...]:
        return self.explored.received_after(received, self.following.get(when, when))


class FreePurse:
    """A purse that no limit looks at: only sums are told apart, or nothing at all.

    Draws are counted by themselves, by bowl, as it is only at the end that it matters what they win.
    """

    def __init__(self, explored: Explored, unit: Unit | None, *, counts: bool = True) -> None:
        """Begin with nothing received."""
        self.explored, self.unit, self.counts = explored, unit, counts
        self.bowls = tuple(explored.program.bowls) if unit and unit == explored.money else ()
        self.states = Names[tuple[int, ...]]((0,) * (1 + len(self.bowls)))
        self._known: dict[tuple[int, int], tuple[Step, ...]] = {}

    def like(self, when: When) -> When:  # noqa: ARG002 - no limit asks for the day
        """Return the one day that all days are like."""
        return When(0, 1, None)

    def ways(self, number: int, part: int, when: When) -> tuple[Step, ...]:  # noqa: ARG002 - no limit asks for the day
        """Return where a part leads from a state; where nothing is counted, the least and the most that its draws win."""
        key = (number, part)
        if key not in self._known:
            self._known[key] = tuple(self._ways(number, self.explored.parts[part]))
        return self._known[key]

    def _ways(self, number: int, part: Part) -> Iterator[Step]:
        own = self.explored.rules.deposit.unit if self.explored.rules.deposit else None
        amount = part.sum(self.unit, own) if self.unit else 0
        draws = tuple(
            sum(award.amount for award in part.earned if award.unit.name == name) for name in self.bowls
        )
        if self.counts:
            so_far = self.states.values[number]
            after = tuple(had + more for had, more in zip(so_far, (amount, *draws), strict=True))
            yield Step(self.states.number(after), amount, Fraction(1))
            return
        for most in (min, max) if any(draws) else (min,):
            slips = [full_bowl(self.explored.program, name).values for name in self.bowls]
            won = sum(count * most(values) for count, values in zip(draws, slips, strict=True))
            yield Step(number, amount + won, Fraction(1))

    def sums(self) -> list[int]:
        """Return what each state has been paid in the unit that is counted, without what its draws win."""
        return [sums[0] for sums in self.states.values]


def following_days(explored: Explored) -> dict[When, When | None]:
    """Return for each day of a slot that of the slot after it: windows before it are over; None is after the last.

    A day on which more may come is followed by itself: it has several slots, one that may stay open, or one that a tie
    reads as well.
    """
    slots = [
        (explored.when(slot), bool(automaton.table(place).stays.any()))
        for automaton in (*explored.automata, *explored.ties)
        for place, slot in enumerate(automaton.slots)
    ]
    days, open_on = Counter(when for when, _ in slots), {when for when, stays in slots if stays}
    ordered = sorted(days, key=lambda when: (when.day, when.week))
    following = zip(ordered, [*ordered[1:], None], strict=True)
    return {when: when if days[when] > 1 or when in open_on else after for when, after in following}


def _alike(explored: Explored, following: dict[When, When | None]) -> dict[When, When]:
    """Return for each day of a slot the first that falls into the same windows, under the same amounts."""
    first: dict[Hashable, When] = {}
    limits = explored.binding
    return {
        when: first.setdefault((_windows(limits, when), _windows(limits, after) if after else None), when)
        for when, after in following.items()
    }


def _windows(limits: tuple[LimitRules, ...], when: When) -> Hashable:
    return tuple((window(limit.per, when, limit.begins), limit.amount_on(when.on)) for limit in limits)


def winnings(rules: Rules, awards: tuple[Award, ...]) -> Chances:
    """Return what the draws of a decision win in all, each sum with its chance."""
    found: Chances = ((0, Fraction(1)),)
    for unit, amount in awards:
        if amount and unit.name in rules.program.bowls:
            found = added(found, drawn(rules, unit.name, amount))
    return found


@lru_cache(maxsize=4096)
def drawn(rules: Rules, unit: str, draws: int) -> Chances:
    """Return what so many draws from a full bowl win, each sum with its chance; slips go back after each draw.

    Example:
        >>> from cm_engine import catalogue, compile_rules
        >>> from cm_engine.analysis.purse import drawn
        >>> drawn(compile_rules(catalogue.program("va-prize")), "draw", 1)[0]
        (0, Fraction(1, 2))
    """
    if draws == 1:
        slips = full_bowl(rules.program, unit)
        total = sum(slips.counts)
        single: dict[int, Fraction] = {}
        for value, count in zip(slips.values, slips.counts, strict=True):
            single[value] = single.get(value, Fraction(0)) + Fraction(count, total)
        return tuple(sorted(single.items()))
    half = drawn(rules, unit, draws // 2)
    both = added(half, half)
    return added(both, drawn(rules, unit, 1)) if draws % 2 else both


def added(one: Chances, other: Chances) -> Chances:
    """Return the sums of two independent winnings, each with its chance."""
    found: dict[int, Fraction] = {}
    for first, chance in one:
        for second, likewise in other:
            found[first + second] = found.get(first + second, Fraction(0)) + chance * likewise
    return tuple(sorted(found.items()))


def is_exact(rules: Rules, unit: str) -> bool:
    """Tell whether what a bowl gives does not hang on what was drawn before: slips go back, and nothing runs out."""
    slips = full_bowl(rules.program, unit)
    return slips.replace and all(left is None for left in slips.stock)
