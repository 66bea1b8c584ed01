"""What of a program hangs together, and is explored together; and what only a milestone ties, and is explored apart."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from math import prod
from typing import NamedTuple

from cm_engine.analysis.actions import Slot, slots_of
from cm_engine.analysis.automaton import Automaton, Told
from cm_engine.analysis.counting import Counted, Numbers, counted
from cm_engine.analysis.exploring import Explorer
from cm_engine.analysis.parts import Part, unlimited
from cm_engine.analysis.ties import Tie, tie_of
from cm_engine.program.models import Program
from cm_engine.rules.compiled import Rules
from cm_engine.rules.days import initial_state

Group = tuple[tuple[int, ...], tuple[str, ...]]
"""The places of targets, and the names of events, that are explored together."""


class Net(NamedTuple):
    """The automata of a program, and the milestones that tie some of them.

    Attributes:
        joined: the number of what a part, and one of a tie, are together.
    """

    automata: tuple[Automaton, ...]
    ties: tuple[Tie, ...]
    told: Told
    joined: Mapping[tuple[int, int], int]


class _Found(NamedTuple):
    """What a group of targets is explored into."""

    automata: tuple[Automaton, ...]
    ties: tuple[Tie, ...] = ()
    counted: tuple[Counted, ...] = ()

    @property
    def size(self) -> int:
        """Return how many decisions it would take to explore all of it together."""
        sizes, count, total = [len(each.reach[0]) for each in self.automata], 1, 0
        counts = {each.slot: each.states for each in self.counted}
        slots = sorted(
            (slot, number, place)
            for number, each in enumerate(self.automata)
            for place, slot in enumerate(each.slots)
        )
        for slot, number, place in slots:
            total += prod(sizes) * count * len(self.automata[number].table(place).actions)
            sizes[number], count = len(self.automata[number].reach[place + 1]), counts.get(slot, count)
        return total


class Exploring(NamedTuple):
    """A program that is explored.

    Attributes:
        program: the program.
        rules: of the program without its limits.
        start: the first day of week 1.
        told: the numbers of parts and reasons.
        most: how many decisions may be made before it is given up.
        together: how many may be made for targets together that milestones tie.
    """

    program: Program
    rules: Rules
    start: date | None
    told: Told
    most: int
    together: int

    def whole(self) -> Explorer:
        """Return what explores groups as they are."""
        return Explorer(self.rules, initial_state(self.rules, self.start), self.most, self.told)

    def slots(self, group: Group) -> tuple[Slot, ...]:
        """Return the occasions of a group, in the order in which they are decided."""
        return slots_of(self.rules, *group, self.start.weekday() if self.start else 0)


def net_of(exploring: Exploring) -> Net:
    """Return the automata of a program.

    Raises:
        TooManyStatesError: there are more states than so many decisions can find.
    """
    whole = exploring.whole()
    found = [
        _apart(exploring, group) or _Found((whole.automaton(exploring.slots(group)),))
        for group in groups_of(exploring.rules, by_milestones=True)
    ]
    automata = tuple(automaton for each in found for automaton in each.automata)
    ties = tuple(tie for each in found for tie in each.ties)
    earned_together = {key: sum_ for each in found for key, sum_ in _joined_parts(exploring, each)}
    return Net(automata, ties, exploring.told, earned_together)


def _apart(exploring: Exploring, group: Group) -> _Found | None:
    """Return the targets of a group each by itself, with what ties them; None if they are as well explored together."""
    pieces = [
        each for each in groups_of(exploring.rules, by_milestones=False) if set(each[0]) & set(group[0])
    ]
    if len(pieces) == 1:
        return None
    targets = [exploring.rules.targets[index].name for index in group[0]]
    tying = [
        place
        for place, milestone in enumerate(exploring.rules.milestones)
        if milestone.kind != "event" and milestone.targets & set(targets)
    ]
    explorer = exploring._replace(rules=_without(exploring, tying)).whole()
    automata = tuple(explorer.automaton(exploring.slots(each)) for each in pieces)
    ties = tuple(_tie(exploring, place) for place in tying)
    found = _Found(automata, ties, tuple(counted(ties, exploring.program.program)))
    return found if found.size > exploring.together else None


def _without(exploring: Exploring, tying: Iterable[int]) -> Rules:
    """Return the rules of a program without some milestones."""
    names = {exploring.rules.milestones[place].name for place in tying}
    kept = {name: each for name, each in exploring.program.milestones.items() if name not in names}
    return unlimited(exploring.program.model_copy(update={"milestones": kept}))


def _tie(exploring: Exploring, place: int) -> Tie:
    targets = exploring.rules.milestones[place].targets
    places = tuple(target.index for target in exploring.rules.targets if target.name in targets)
    start = initial_state(exploring.rules, exploring.start)
    return tie_of(exploring.rules, place, start, exploring.slots((places, ())), exploring.told)


def _joined_parts(exploring: Exploring, found: _Found) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield what parts and parts of ties are together, wherever ties read a result: of all ties, and of those in one unit."""
    paid = {each.slot: _in_one_unit(exploring, each.paid) for each in found.counted}
    known: dict[tuple[int, int], int] = {}
    for automaton in found.automata:
        for place, slot in enumerate(automaton.slots):
            for part in sorted(automaton.parts_of(place)) if paid.get(slot) else ():
                for each in paid[slot]:
                    _add(exploring.told, known, part, each)
    yield from known.items()


def _in_one_unit(exploring: Exploring, paid: frozenset[Numbers]) -> list[Numbers]:
    """Return what milestones pay together, with what of it is in each unit: money with the draws that win it."""
    names = {number: exploring.told.parts.values[number].units for each in paid for number in each}
    units = {unit.name for each in names.values() for unit in each}
    families = [{unit} for unit in units] + [{exploring.program.currency, *exploring.program.bowls}]
    some = {
        tuple(number for number in each if {unit.name for unit in names[number]} & family)
        for each in paid
        for family in families
    }
    return sorted({*paid, *some})


def _add(told: Told, known: dict[tuple[int, int], int], part: int, paid: Iterable[int]) -> None:
    """Note what a part is together with those of ties, one after the other."""
    for each in paid:
        if (part, each) not in known:
            known[part, each] = _sum(told, part, each)
        part = known[part, each]


def _sum(told: Told, part: int, other: int) -> int:
    one, two = told.parts.values[part], told.parts.values[other]
    return told.parts.number(Part((*one.earned, *two.earned), one.own + two.own))


def groups_of(rules: Rules, *, by_milestones: bool) -> list[Group]:
    """Return the targets that hang together, with the events that do: by a condition, a deposit, or a milestone.

    Args:
        rules: of the program.
        by_milestones: milestones tie targets, too; those of a deposit always do.
    """
    places = {target.name: target.index for target in rules.targets}
    ties: list[set[int | str]] = [
        {target.index, visit.phase.provided}
        for target in rules.targets
        for visit in target.visits
        if visit.phase.provided is not None
    ]
    if by_milestones:
        ties += [{places[name] for name in each.targets} for each in rules.milestones if not each.event]
    if rules.deposit:
        refunds = {each.event for each in rules.milestones if each.refunds and each.event}
        ties.append({*places.values(), "deposit", *refunds})
    single: list[int | str] = [*places.values(), *rules.events]
    return [
        (
            tuple(sorted(each for each in group if isinstance(each, int))),
            tuple(each for each in rules.events if each in group),
        )
        for group in joined([{each} for each in single], ties)
    ]


def joined(groups: Iterable[set[int | str]], ties: Iterable[set[int | str]]) -> list[set[int | str]]:
    """Return groups with those made one that a tie has members of."""
    found = list(groups)
    for tie in filter(None, ties):
        touched = [group for group in found if group & tie]
        found = [group for group in found if not group & tie]
        found.append(set().union(*touched))
    return sorted(
        found, key=lambda group: min((each for each in group if isinstance(each, int)), default=1 << 30)
    )
