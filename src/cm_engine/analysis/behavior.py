"""How likely each result is: models of behavior, in exact fractions.

A model is a chain of moods: in each mood a result has a chance, and leads to the next mood. One mood is visit-wise
chance; two are lapse and recovery; a mood that is never left is having dropped out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from cm_engine.errors import ResultsError
from cm_engine.program.values import LEFT, NOT_MET, lapse_of, unknown_result

Chance = Fraction | int | str
"""An exact chance: 0.8 as "0.8" or "4/5"."""


class Turn(NamedTuple):
    """One result that a mood may bring: the symbol, the mood after it, and its chance."""

    symbol: str
    to: int
    chance: Fraction


@dataclass(frozen=True)
class Behavior:
    """How likely each result is, of each target alike.

    Attributes:
        says: the model in words, for reports.
        start: the chance of each mood before the first visit.
        turns: for each mood, what a visit may bring; a sequence of visits' where it differs from visit to visit, the
            last one holding for all later ones.
        rate: how likely a visit is met all in all: for members of a group and for events, of which a model says nothing.
        events: how likely each time of an event is, where it is not `rate`.
        others: the behavior of a target of its own, by the target's name.
        leave: the chance of leaving for good before each visit.
        is_open: nobody said what is seen if a visit is not met.
    """

    says: str
    start: tuple[Fraction, ...]
    turns: tuple[tuple[tuple[Turn, ...], ...], ...]
    rate: Fraction
    events: Mapping[str, Fraction] = field(default_factory=dict)
    others: Mapping[str, "Behavior"] = field(default_factory=dict)
    leave: Fraction = Fraction(0)
    is_open: bool = False

    def of(self, target: str, rewarded: str = "abstinence") -> "Behavior":
        """Return the behavior of a target, by what it rewards: who does not meet what is attended has not come.

        Example:
            >>> [turn.symbol for turn in visitwise("0.8").of("counselling", "attendance").turns[0][0]]
            ['-', 'o']
        """
        found = self.others.get(target, self)
        return found.staying_away() if found.is_open and lapse_of(rewarded) == LEFT else found

    def staying_away(self) -> "Behavior":
        """Return the behavior of who stays away where this one's participants are positive."""
        turns = tuple(tuple(tuple(map(_missed, mood)) for mood in at) for at in self.turns)
        return replace(self, turns=turns, is_open=False)

    def at(self, visit: int) -> tuple[tuple[Turn, ...], ...]:
        """Return for each mood what a visit may bring, the first one being 0."""
        return self.turns[min(visit, len(self.turns) - 1)]

    def event(self, name: str) -> Fraction:
        """Return how likely each time of an event is."""
        return self.events.get(name, self.rate)

    def meeting(self, rate: Fraction, events: Iterable[str]) -> "Behavior":
        """Return the behavior that meets each visit with one chance, and has events and leaving from this one.

        Example:
            >>> model = dropping_out(visitwise("0.8"), "0.1")
            >>> half = model.meeting(Fraction(1, 2), ["job"])
            >>> half.rate, half.event("job"), half.leave
            (Fraction(1, 2), Fraction(4, 5), Fraction(1, 10))
        """
        met = visitwise(rate)
        met = dropping_out(met, self.leave) if self.leave else met
        return replace(met, events={name: self.event(name) for name in events})


def visitwise(met: Chance | Sequence[Chance], *, otherwise: Mapping[str, Chance] | None = None) -> Behavior:
    """Return the behavior in which each visit is met with a chance of its own, whatever came before.

    Args:
        met: the chance of a success, or that of each visit; the last one holds for all later ones.
        otherwise: how the rest is shared among other results; all positive if left out, and of what is attended missed.

    Raises:
        ResultsError: a chance is not between 0 and 1, or the shares are not 1 in all.

    Example:
        >>> visitwise("0.8").turns[0][0]
        (Turn(symbol='-', to=0, chance=Fraction(4, 5)), Turn(symbol='+', to=0, chance=Fraction(1, 5)))
    """
    chances = [chance_of(each) for each in ([met] if isinstance(met, str | int | Fraction) else met)]
    if not chances:
        msg = "expected the chance of a success of at least one visit, got none"
        raise ResultsError(msg)
    shares = _shares(otherwise or {NOT_MET: 1})
    turns = tuple((_split(each, shares, 0, 0),) for each in chances)
    rate = sum(chances, Fraction(0)) / len(chances)
    said = (
        f"each visit is met with a chance of {_said(chances[0])}"
        if len(chances) == 1
        else "each visit has a chance of its own"
    )
    return Behavior(said, (Fraction(1),), turns, rate, is_open=otherwise is None)


def markov(
    lapse: Chance,
    recover: Chance,
    *,
    start: Chance | None = None,
    otherwise: Mapping[str, Chance] | None = None,
) -> Behavior:
    """Return the behavior of lapse and recovery: each result hangs on the one before it.

    Args:
        lapse: the chance that a success is followed by none.
        recover: the chance that none is followed by a success.
        start: the chance that the first visit is met; in the long run the share of visits met, if left out.
        otherwise: how what is not met is shared among other results; all positive if left out, and of what is attended missed.

    Raises:
        ResultsError: a chance is not between 0 and 1, or both are 0 and there is no `start`.
    """
    lapsing, recovering = chance_of(lapse), chance_of(recover)
    if start is None and not lapsing + recovering:
        msg = "nobody lapses and nobody recovers, so that the first visit decides all; give the chance that it is met"
        raise ResultsError(msg)
    share = recovering / (lapsing + recovering) if lapsing + recovering else chance_of(start or 0)
    first = share if start is None else chance_of(start)
    shares = _shares(otherwise or {NOT_MET: 1})
    then = (_split(1 - lapsing, shares, 0, 1), _split(recovering, shares, 0, 1))
    said = f"a lapse follows a success with a chance of {_said(lapsing)}, a recovery follows a lapse with {_said(recovering)}"
    begin = (_split(first, shares, 0, 1),) * 2
    return Behavior(said, (Fraction(1), Fraction(0)), (begin, then), share, is_open=otherwise is None)


def dropping_out(behavior: Behavior, hazard: Chance) -> Behavior:
    """Return a behavior in which a participant may leave for good before each visit; visits after that are missed.

    Args:
        behavior: of who has not left.
        hazard: the chance of leaving before a visit.

    Example:
        >>> [turn.symbol for turn in dropping_out(visitwise(1), "0.1").turns[0][0]]
        ['-', 'o']
    """
    chance, moods = chance_of(hazard), len(behavior.start)
    gone = Turn(LEFT, moods, Fraction(1))
    turns = tuple(
        (*((*_scaled(mood, 1 - chance), gone._replace(chance=chance)) for mood in at), (gone,))
        for at in behavior.turns
    )
    said = (
        f"{behavior.says}; before each visit one in {_said(1 / chance) if chance else 'none'} leaves for good"
    )
    others = {name: dropping_out(each, hazard) for name, each in behavior.others.items()}
    leave = 1 - (1 - behavior.leave) * (1 - chance)
    return replace(
        behavior, says=said, start=(*behavior.start, Fraction(0)), turns=turns, others=others, leave=leave
    )


def estimated(words: Iterable[str]) -> Behavior:
    """Return the behavior that use-pattern words show: how often each result follows a success, and anything else.

    Visits that are not required, and excused ones, are left out. The first visit has its own rates.

    Args:
        words: one for each participant.

    Raises:
        ResultsError: a symbol is not one of a use-pattern word, or there is no result at all.

    Example:
        >>> estimated(["--+-", "--o-"]).turns[1][0]
        (Turn(symbol='+', to=1, chance=Fraction(1, 4)), Turn(symbol='-', to=0, chance=Fraction(1, 2)), \
Turn(symbol='o', to=1, chance=Fraction(1, 4)))
    """
    first, following = Counter[str](), (Counter[str](), Counter[str]())
    for word in words:
        if unknown := unknown_result(word):
            raise ResultsError(unknown)
        kept = [symbol for symbol in word if symbol not in "_e"]
        first.update(kept[:1])
        for before, after in pairwise(kept):
            following[before != "-"][after] += 1
    if not first:
        msg = "expected results to learn from, got none"
        raise ResultsError(msg)
    every = first + following[0] + following[1]
    begin = (_shared(first),) * 2
    then = tuple(_shared(each or every) for each in following)
    rate = Fraction(every["-"], every.total())
    said = f"as in {first.total()} participants' results, of which {_said(rate)} were met"
    return Behavior(said, (Fraction(1), Fraction(0)), (begin, then), rate)


def chance_of(given: Chance) -> Fraction:
    """Return an exact chance.

    Raises:
        ResultsError: it is not a number from 0 to 1.
    """
    try:
        chance = Fraction(given)
    except (ValueError, ZeroDivisionError) as error:
        msg = f"expected a chance from 0 to 1, such as 0.8 or 4/5, got {given!r}"
        raise ResultsError(msg) from error
    if not 0 <= chance <= 1 or isinstance(given, float):
        msg = f"expected a chance from 0 to 1, such as 0.8 or 4/5, got {given!r}"
        raise ResultsError(msg)
    return chance


def _shares(otherwise: Mapping[str, Chance]) -> dict[str, Fraction]:
    shares = {symbol: chance_of(share) for symbol, share in otherwise.items()}
    unknown = next((unknown_result(symbol) for symbol in shares if unknown_result(symbol)), "")
    if unknown or sum(shares.values()) != 1:
        msg = (
            unknown
            or f"the shares of what is not met are {_said(sum(shares.values(), Fraction(0)))} in all, not 1"
        )
        raise ResultsError(msg)
    return shares


def _split(met: Fraction, shares: Mapping[str, Fraction], to_met: int, to_not: int) -> tuple[Turn, ...]:
    turns = [
        Turn("-", to_met, met),
        *(Turn(symbol, to_not, (1 - met) * share) for symbol, share in shares.items()),
    ]
    return tuple(turn for turn in turns if turn.chance)


def _missed(turn: Turn) -> Turn:
    return turn._replace(symbol=LEFT) if turn.symbol == NOT_MET else turn


def _shared(counts: Counter[str]) -> tuple[Turn, ...]:
    total = counts.total()
    return tuple(Turn(symbol, int(symbol != "-"), Fraction(n, total)) for symbol, n in sorted(counts.items()))


def _scaled(turns: Iterable[Turn], chance: Fraction) -> tuple[Turn, ...]:
    return tuple(turn._replace(chance=turn.chance * chance) for turn in turns if chance)


def _said(chance: Fraction) -> str:
    return f"{float(chance):.4g}"
