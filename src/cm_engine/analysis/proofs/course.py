"""What is paid, visit by visit, to who meets every visit; and how likely somebody is never paid at all."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from cm_engine.analysis.actions import HAPPENED, NOT_HAPPENED, Action, Slot
from cm_engine.analysis.behavior import visitwise
from cm_engine.analysis.distributions import moments_of
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.flow import Flow
from cm_engine.analysis.joint import Joint, Key
from cm_engine.analysis.parts import Part, paid_of
from cm_engine.analysis.purse import drawn
from cm_engine.program.units import Unit
from cm_engine.rules.state import Award, Received


class Paid(NamedTuple):
    """What a success pays at a visit.

    Attributes:
        slot: the visit.
        week: of the program.
        awards: what is paid, within limits.
        lost: what limits have taken, by unit.
        worth: what it is worth in the program's money, draws by their mean before limits; in minor units.
    """

    slot: Slot
    week: int
    awards: tuple[Award, ...]
    lost: tuple[Award, ...]
    worth: Fraction


def uninterrupted(explored: Explored) -> tuple[Paid, ...]:
    """Return what is paid to who meets every visit, in the order of the visits; no events happen.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import explore
        >>> [int(each.worth) for each in uninterrupted(explore(catalogue.program("va-prize")))][:3]
        [221, 443, 665]
    """
    parts = [(slot, part) for slot, part in _in_order(explored, NOT_HAPPENED) if not slot.event]
    received, found = tuple(Received() for _ in explored.rules.limits), list[Paid]()
    for slot, part in parts:
        after, awards, _ = paid_of(explored.rules, received, part.earned, explored.when(slot))
        lost = [
            Award(award.unit, award.amount - left.amount)
            for award, left in zip(part.earned, awards, strict=True)
            if award.amount > left.amount
        ]
        worth = sum((_worth(explored, award) for award in awards), Fraction(0))
        week = explored.rules.targets[slot.target].visits[slot.visit].week
        found.append(Paid(slot, week, awards, tuple(lost), worth))
        received = after
    return tuple(found)


def cut_by_meeting_all(explored: Explored) -> frozenset[int]:
    """Return the places of the limits that take something of who meets every visit, and to whom every event happens."""
    received, found = tuple(Received() for _ in explored.rules.limits), frozenset[int]()
    for slot, part in _in_order(explored, HAPPENED):
        received, _, cut = paid_of(explored.rules, received, part.earned, explored.when(slot))
        found |= cut
    return found


def _in_order(explored: Explored, events: str) -> list[tuple[Slot, Part]]:
    """Return what is earned in each slot if every visit is met, and events happen or do not, in the order of the plan."""
    found = (each for cluster in explored.before_limits for each in _parts(explored, cluster, Action(events)))
    return sorted(found, key=lambda each: each[0])


def _parts(explored: Explored, cluster: Cluster, event: Action) -> Iterator[tuple[Slot, Part]]:
    joint = Joint(explored, cluster)
    key = joint.start
    for number, place in cluster.order:
        automaton = joint.automata[number]
        slot, table = automaton.slots[place], automaton.table(place)
        action = event if slot.event else table.actions[table.success]
        moved = joint.turns(number, place, key)[action]
        yield slot, explored.parts[moved.part]
        key = joint.after(number, place, key, moved)


def _worth(explored: Explored, award: Award) -> Fraction:
    if award.unit == explored.money:
        return Fraction(award.amount)
    if award.unit.name in explored.program.bowls:
        return award.amount * moments_of(drawn(explored.rules, award.unit.name, 1)).mean
    return Fraction(0)


def most_within(course: tuple[Paid, ...], days: int) -> Fraction:
    """Return the most that is paid within so many days, in minor units."""
    sums = [Fraction(0)]
    for each in course:
        sums.append(sums[-1] + each.worth)
    found, first = Fraction(0), 0
    for last, each in enumerate(course):
        while course[first].slot.day <= each.slot.day - days:
            first += 1
        found = max(found, sums[last + 1] - sums[first])
    return found


def most_at_hand(explored: Explored, money: Unit, days: int) -> int:
    """Return what nobody can have been paid more than within so many days, with the best luck, in minor units.

    Results come on the planned days, and events on any day. What is best at each visit is taken for all of them.
    """
    by_day, at_any_time = dict[int, int](), 0
    for automaton in (*explored.automata, *explored.ties):
        for place, slot in enumerate(automaton.slots):
            parts = (explored.parts[number] for number in automaton.parts_of(place))
            most = max(part.at_most(money, explored.rules) + max(part.own, 0) for part in parts)
            by_day[slot.day] = by_day.get(slot.day, 0) + (0 if slot.event else most)
            at_any_time += most if slot.event else 0
    within = (sum(by_day.get(day, 0) for day in range(last - days + 1, last + 1)) for last in by_day)
    return at_any_time + max(within, default=0)


def never_paid(explored: Explored, rate: Fraction) -> float:
    """Return how likely somebody is never paid anything who meets each visit with a chance, and each event.

    A draw that wins nothing pays nothing. Limits do not matter to it: they do not take what nobody has.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import explore
        >>> never_paid(explore(catalogue.program("cpit-pregnancy")), Fraction(1, 2))
        0.0625
    """
    chance = 1.0
    for cluster in explored.before_limits:
        chance *= _never_paid(explored, cluster, rate)
    return chance


def _never_paid(explored: Explored, cluster: Cluster, rate: Fraction) -> float:
    flow = Flow(explored, cluster, visitwise(rate))
    nothing = [_wins_nothing(explored, part) for part in explored.parts]
    chances = {key: float(chance) for key, chance in flow.starts()}
    for number, place, slot, _ in flow.slots():
        after = dict[Key, float]()
        while chances:
            staying = dict[Key, float]()
            for key, chance in chances.items():
                for way in flow.ways(number, place, slot, key):
                    into, share = staying if way.stays else after, nothing[way.part]
                    if share:
                        into[way.to] = into.get(way.to, 0.0) + chance * share * way.weight
            chances = staying
        chances = after
    return sum(chances.values())


def _wins_nothing(explored: Explored, part: Part) -> float:
    chance = 1.0
    for award in part.earned:
        if award.unit.name not in explored.program.bowls:
            return 0.0
        value, share = drawn(explored.rules, award.unit.name, 1)[0]
        chance *= float(share) ** award.amount if value == 0 else 0.0
    return chance


def first_paid(course: tuple[Paid, ...]) -> int | None:
    """Return the number of the first visit that pays anything, counted from 1; None if none does."""
    return next(
        (number for number, each in enumerate(course, 1) if any(award.amount for award in each.awards)), None
    )


def idle_end(course: tuple[Paid, ...]) -> int:
    """Return how many of the last visits have all that they pay taken by limits."""
    taken = [bool(each.lost) and not any(award.amount for award in each.awards) for each in course]
    return next((count for count, is_taken in enumerate(reversed(taken)) if not is_taken), len(taken))
