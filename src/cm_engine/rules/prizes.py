"""From draws to prizes: slips drawn by HMAC-SHA256, so that anyone who has the seed can draw them again.

The hash of a seed is published at enrollment and the seed at discharge. A draw is
HMAC-SHA256(seed, "KEY/NUMBER/TRY"), taken as a number and mapped without bias: a number from the incomplete
last stretch is thrown away, and the next TRY is taken.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, count
from math import lcm
from typing import NamedTuple

from cm_engine.errors import ResultsError, StateError
from cm_engine.program.models import Program
from cm_engine.program.prizes import Bowl, TradeUp
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import Rules
from cm_engine.rules.days import when_of_event, when_of_visit
from cm_engine.rules.limits import When, add, cut
from cm_engine.rules.reasons import Limited
from cm_engine.rules.state import Award, Decision, State

NOTHING = ""
"""The slip that a lottery leaves to those who win nothing."""

_SPAN = 1 << 256


class Slips(NamedTuple):
    """What is in a bowl: how many slips of each kind, what each wins in minor units, and what is on the shelf.

    Attributes:
        stock: prizes left of each kind; None without end.
        replace: a slip goes back after it was drawn.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    values: tuple[int, ...]
    stock: tuple[int | None, ...]
    replace: bool

    @property
    def in_bowl(self) -> tuple[int, ...]:
        """Return how many slips of each kind can be drawn: none of a kind whose prizes are gone."""
        return tuple(0 if left == 0 else n for n, left in zip(self.counts, self.stock, strict=True))


class Bowls(NamedTuple):
    """What is in each bowl, by the unit that draws from it, and the seed that is drawn with."""

    slips: Mapping[str, Slips]
    seed: bytes

    def __repr__(self) -> str:
        """Return the bowls without the seed, which is a secret."""
        return f"Bowls({dict(self.slips)!r})"


class Drawn(NamedTuple):
    """One draw: the key and number that it was drawn with, the slip, and what it won in minor units."""

    key: str
    number: int
    slip: str
    value: int


class Prizes(NamedTuple):
    """What the draws of a decision won, and what of it the limits on money leave."""

    drawn: tuple[Drawn, ...]
    paid: Award
    limited: Limited | None


def full_bowl(program: Program, unit: str) -> Slips:
    """Return the full bowl that a unit draws from.

    Raises:
        ResultsError: nothing is drawn with the unit.

    Example:
        >>> from cm_engine import catalogue
        >>> full_bowl(catalogue.program("va-prize"), "draw").counts
        (250, 209, 40, 1)
    """
    bowl = program.bowls.get(unit)
    if bowl is None:
        msg = f"program {program.program} has no bowl for {unit!r}"
        raise ResultsError(msg)
    money = program.unit(None)
    if bowl.odds:
        return _lottery(bowl, money)
    return Slips(
        names=tuple(bowl.slips),
        counts=tuple(slip.count for slip in bowl.slips.values()),
        values=tuple(money.minor(slip.value) for slip in bowl.slips.values()),
        stock=tuple(slip.stock for slip in bowl.slips.values()),
        replace=bowl.replace,
    )


def _lottery(bowl: Bowl, money: Unit) -> Slips:
    """Return odds as slips: as many as their common denominator."""
    slips = lcm(*(odds.chance.denominator for odds in bowl.odds.values()))
    counts = [int(odds.chance * slips) for odds in bowl.odds.values()]
    values = [money.minor(odds.value) for odds in bowl.odds.values()]
    names, without = (*bowl.odds, NOTHING), (None,) * (len(counts) + 1)
    return Slips(names, (*counts, slips - sum(counts)), (*values, 0), without, replace=True)


def commitment(seed: bytes) -> str:
    """Return the SHA-256 of a seed: published before the first draw, so that the seed cannot be chosen after it.

    Example:
        >>> commitment(b"a seed of 32 bytes, kept secret!")[:16]
        '00f1b0c8928e274c'
    """
    return hashlib.sha256(seed).hexdigest()


def number_below(total: int, seed: bytes, key: str, number: int) -> int:
    """Return the number from 0 to `total` - 1 that a seed draws; each is as likely as any other.

    Args:
        total: how many numbers there are.
        seed: the secret of the enrollment, or of the session.
        key: what is drawn for: an observation that draws once only.
        number: which of its draws, from 1.

    Raises:
        ResultsError: there is nothing to draw from.
    """
    if total < 1:
        msg = f"there is nothing left to draw from, at draw {number} of {key}"
        raise ResultsError(msg)
    whole = _SPAN - _SPAN % total
    digests = (hmac.digest(seed, f"{key}/{number}/{each}".encode(), "sha256") for each in count())
    return next(found for found in (int.from_bytes(each) for each in digests) if found < whole) % total


def draw(slips: Slips, seed: bytes, key: str, draws: int) -> tuple[Slips, tuple[Drawn, ...]]:
    """Return what is drawn from a bowl, and what is left in it.

    Raises:
        ResultsError: the bowl is empty.

    Example:
        >>> bowl = Slips(("no", "small"), (1, 1), (0, 100), (None, None), replace=False)
        >>> left, drawn = draw(bowl, b"seed", "visit-1", 2)
        >>> sorted(each.slip for each in drawn), left.counts
        (['no', 'small'], (0, 0))
    """
    drawn = []
    for number in range(1, draws + 1):
        slips, one = _draw_one(slips, seed, key, number)
        drawn.append(one)
    return slips, tuple(drawn)


def _draw_one(slips: Slips, seed: bytes, key: str, number: int) -> tuple[Slips, Drawn]:
    in_bowl = slips.in_bowl
    place = number_below(sum(in_bowl), seed, key, number)
    kind = next(index for index, upto in enumerate(accumulate(in_bowl)) if place < upto)
    return _without(slips, kind), Drawn(key, number, slips.names[kind], slips.values[kind])


def _without(slips: Slips, kind: int) -> Slips:
    """Return a bowl after a slip of a kind was drawn: its prize is gone, and the slip if it does not go back."""
    stock, left = list(slips.stock), list(slips.counts)
    prizes = stock[kind]
    if prizes is not None:
        stock[kind] = prizes - 1
    if not slips.replace:
        left[kind] -= 1
    return slips._replace(counts=tuple(left), stock=tuple(stock))


def award_prizes(
    rules: Rules, state: State, decision: Decision, bowls: Bowls, key: str
) -> tuple[State, Bowls, Prizes]:
    """Return what the draws of a decision win, within the limits on money.

    Args:
        rules: the program.
        state: the state after the decision.
        decision: what was awarded.
        bowls: what is in each bowl, and the secret of the enrollment.
        key: what is drawn for: an id of the observation.
    """
    if state.program != rules.digest:
        raise StateError(state.program, rules.digest)
    after, drawn = dict(bowls.slips), list[Drawn]()
    for unit, draws in decision.paid:
        if unit.name not in rules.program.bowls or not draws:
            continue
        if unit.name not in after:
            msg = f"the bowl of {unit.name} is missing, and there are {draws} draws from it"
            raise ResultsError(msg)
        after[unit.name], won = draw(after[unit.name], bowls.seed, f"{key}/{unit.name}", draws)
        drawn += won
    money = rules.program.unit(None)
    value = sum(each.value for each in drawn)
    when = _when(rules, state, decision)
    limits = rules.limits_on.get(money.name, ())
    award, limited = cut(limits, state.received, value, when) if value else (0, None)
    received = add(limits, state.received, value, award, when) if value else state.received
    return (
        state._replace(received=received),
        Bowls(after, bowls.seed),
        Prizes(tuple(drawn), Award(money, award), limited),
    )


def _when(rules: Rules, state: State, decision: Decision) -> When:
    """Return the day of a decision, as the limits count it."""
    if not decision.visit:
        return when_of_event(rules, state, decision.on)
    return when_of_visit(rules.target(decision.target).visits[decision.visit - 1], decision.on)


def misdrawn(slips: Slips, published: str, seed: bytes, drawn: Iterable[Drawn]) -> Iterator[str]:
    """Yield what is wrong with a record of draws, in words; nothing if every draw can be drawn again.

    Args:
        slips: the bowl before the first of the draws.
        published: the commitment that was published before it.
        seed: the seed that was published after the last.
        drawn: the draws, in their order.
    """
    if commitment(seed) != published:
        yield f"the seed is not the one committed to: its SHA-256 is {commitment(seed)}, not {published}"
        return
    last: dict[str, int] = {}
    for record in drawn:
        if record.number != last.get(record.key, 0) + 1:
            yield f"draw {record.number} of {record.key} does not follow draw {last.get(record.key, 0)} of it"
            return
        last[record.key] = record.number
        slips, found = _draw_one(slips, seed, record.key, record.number)
        if found != record:
            was, said = (
                f"{each.slip or 'nothing'}, worth {each.value} in minor units" for each in (found, record)
            )
            yield f"draw {record.number} of {record.key} is {was}; recorded is {said}"
            return


def trade_up(trade: TradeUp, held: Mapping[str, int]) -> Mapping[str, int]:
    """Return the prizes that a participant holds after pooling small ones for a better one.

    Raises:
        ResultsError: there are not enough to give.

    Example:
        >>> trade_up(TradeUp(give=5, of="small", get="large"), {"small": 6})
        {'small': 1, 'large': 1}
    """
    if held.get(trade.of, 0) < trade.give:
        msg = (
            f"{trade.give} of {trade.of} are traded for one {trade.get}, and {held.get(trade.of, 0)} are held"
        )
        raise ResultsError(msg)
    return {**held, trade.of: held[trade.of] - trade.give, trade.get: held.get(trade.get, 0) + 1}


def draw_names(
    hat: Mapping[str, int], seed: bytes, key: str, names: int, *, replace: bool
) -> tuple[str, ...]:
    """Return the names drawn from a hat.

    Args:
        hat: how many slips each participant has in it, by an opaque id.
        seed: the secret of the session.
        key: the session.
        names: how many are drawn; fewer if the hat has no more.
        replace: a name may be drawn more than once.

    Example:
        >>> sorted(draw_names({"p-1": 3, "p-2": 1}, b"seed", "week-1", 5, replace=False))
        ['p-1', 'p-2']
    """
    left, drawn = {name: slips for name, slips in sorted(hat.items()) if slips > 0}, []
    for number in range(1, names + 1):
        if not left:
            break
        place = number_below(sum(left.values()), seed, key, number)
        name = next(each for each, upto in zip(left, accumulate(left.values()), strict=True) if place < upto)
        drawn.append(name)
        left = left if replace else {each: slips for each, slips in left.items() if each != name}
    return tuple(drawn)
