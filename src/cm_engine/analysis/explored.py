"""A program explored: automata of the targets that hang together, in clusters that share a limit."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from cm_engine.analysis.actions import Slot, slots_of
from cm_engine.analysis.automaton import Automaton, Explorer
from cm_engine.analysis.parts import Part, start_of, unlimited
from cm_engine.program.models import Program
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import Rules, compile_rules
from cm_engine.rules.days import expected_day, initial_state, when_of_event, when_of_visit
from cm_engine.rules.limits import When
from cm_engine.rules.state import State

MOST = 100_000
"""How many decisions exploring a program may take, if nothing else is said."""


@dataclass(frozen=True)
class Cluster:
    """Automata that share a limit; alone where none is shared.

    Attributes:
        automata: their places in the exploration.
        order: the slots of all of them in the order in which they are decided: the automaton, by its place here, and
            the slot of it.
        is_limited: some limit looks at what they earn.
    """

    automata: tuple[int, ...]
    order: tuple[tuple[int, int], ...]
    is_limited: bool


@dataclass(frozen=True)
class Explored:
    """Every state of a program, found by `step`.

    Attributes:
        program: the program.
        rules: with its limits.
        start: the first day of week 1, or None where days do not count.
        automata: one for each set of targets and events that hang together by a milestone, a condition or a deposit.
        clusters: the automata by the limits they share.
        parts: what decisions earn before limits, by their numbers.
        reasons: the codes of the reasons of decisions, by their numbers.
    """

    program: Program
    rules: Rules
    start: date | None
    automata: tuple[Automaton, ...]
    clusters: tuple[Cluster, ...]
    parts: tuple[Part, ...]
    reasons: tuple[tuple[str, ...], ...]

    @property
    def size(self) -> int:
        """Return how many states there are in all automata."""
        return sum(automaton.size for automaton in self.automata)

    @cached_property
    def money(self) -> Unit | None:
        """Return the money of the program; None if it has none."""
        return self.program.unit(None) if self.program.currency else None

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Return the units that anything is earned in, the program's money first."""
        money = [self.money] if self.money and (self.rules.deposit or self.program.bowls) else []
        found = dict.fromkeys([*money, *(unit for part in self.parts for unit in part.units)])
        return tuple(sorted(found, key=lambda unit: (not unit.is_money, unit.name)))

    def clusters_of(self, unit: Unit) -> tuple[Cluster, ...]:
        """Return the clusters as far as limits on a unit, or on draws that win it, bind them; else each automaton."""
        drawn = self.program.bowls if unit == self.money else ()
        if any(limit.unit == unit or limit.unit.name in drawn for limit in self.rules.limits):
            return self.clusters
        return tuple(
            Cluster((index,), tuple((0, place) for place in range(len(each.slots))), is_limited=False)
            for index, each in enumerate(self.automata)
        )

    def when(self, slot: Slot) -> When:
        """Return the day of a slot as limits count it; an event counts on the day of the start."""
        if slot.event:
            return when_of_event(self.rules, self._initial, self.start)
        return self._days[slot.target, slot.visit]

    def called(self, automaton: Automaton) -> str:
        """Return how the targets and events of an automaton are called."""
        events = dict.fromkeys(slot.event for slot in automaton.slots if slot.event)
        return ", ".join([*(self.rules.targets[index].name for index in automaton.targets), *events])

    @cached_property
    def _days(self) -> Mapping[tuple[int, int], When]:
        """Return the day of each visit by its target and its place; one put off to an open day puts off those after it."""
        state, days = self._initial, dict[tuple[int, int], When]()
        weekday = self.start.weekday() if self.start else 0
        for slot in slots_of(self.rules, tuple(range(len(self.rules.targets))), (), weekday):
            visit = self.rules.targets[slot.target].visits[slot.visit]
            on = expected_day(self.rules, state, visit)
            days[slot.target, slot.visit] = when_of_visit(visit, on)
            state = state._replace(last=on)
        return days

    @cached_property
    def _initial(self) -> State:
        return initial_state(self.rules, self.start)


def explore(program: Program, *, start: date | None = None, most: int = MOST) -> Explored:
    """Return every state of a program, found by `step` from the start on, breadth first.

    Results are taken as symbols of a use-pattern word, on their planned days; how likely a measured value meets a
    criterion is a matter of the model of behavior. Limits that count for several enrollments count for this one.

    Args:
        program: the program.
        start: the first day of week 1; where a rule of the program depends on dates and none is given, that of its first
            dated case.
        most: how many decisions may be made before it is given up.

    Raises:
        TooManyStatesError: there are more states than so many decisions can find; simulate the program instead.
        UndatedError: a rule of the program depends on the date, and there is no start.

    Example:
        >>> from cm_engine import catalogue
        >>> explored = explore(catalogue.program("cpit-pregnancy"))
        >>> explored.size, [explored.called(automaton) for automaton in explored.automata]
        (5, ['smoking'])
    """
    start = start_of(program, start)
    rules = unlimited(program)
    explorer = Explorer(rules, initial_state(rules, start), most)
    weekday = start.weekday() if start else 0
    groups = groups_of(rules)
    automata = tuple(explorer.automaton(slots_of(rules, *group, weekday)) for group in groups)
    limited = compile_rules(program)
    parts, reasons = tuple(explorer.parts.values), tuple(explorer.reasons.values)
    clusters = tuple(_clusters(limited, automata, parts))
    return Explored(program, limited, start, automata, clusters, parts, reasons)


def groups_of(rules: Rules) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
    """Return the targets that hang together, with the events that do: by a milestone, a condition or a deposit."""
    places = {target.name: target.index for target in rules.targets}
    ties: list[set[int | str]] = [
        {places[name] for name in each.targets} for each in rules.milestones if not each.event
    ]
    ties += [
        {target.index, visit.phase.provided}
        for target in rules.targets
        for visit in target.visits
        if visit.phase.provided is not None
    ]
    if rules.deposit:
        refunds = {each.event for each in rules.milestones if each.refunds and each.event}
        ties.append({*places.values(), "deposit", *refunds})
    single: list[int | str] = [*places.values(), *rules.events]
    joined = _joined([{each} for each in single], ties)
    return [
        (
            tuple(sorted(each for each in group if isinstance(each, int))),
            tuple(each for each in rules.events if each in group),
        )
        for group in joined
    ]


def _joined(groups: Iterable[set[int | str]], ties: Iterable[set[int | str]]) -> list[set[int | str]]:
    """Return groups with those made one that a tie has members of."""
    found = list(groups)
    for tie in ties:
        touched = [group for group in found if group & tie]
        found = [group for group in found if not group & tie]
        found.append(set().union(*touched))
    return sorted(
        found, key=lambda group: min((each for each in group if isinstance(each, int)), default=1 << 30)
    )


def _clusters(rules: Rules, automata: tuple[Automaton, ...], parts: tuple[Part, ...]) -> Iterator[Cluster]:
    limited = {unit.name for unit in (limit.unit for limit in rules.limits)}
    bowls = {name for name in rules.program.bowls if rules.program.currency in limited}
    earned = [_earned(automaton, parts) & (limited | bowls) for automaton in automata]
    together = tuple(index for index, units in enumerate(earned) if units)
    alone = [(index,) for index, units in enumerate(earned) if not units]
    for group in sorted([*([together] if together else []), *alone]):
        slots = [
            (automata[index].slots[place], number, place)
            for number, index in enumerate(group)
            for place in range(len(automata[index].slots))
        ]
        order = tuple((number, place) for _, number, place in sorted(slots))
        yield Cluster(group, order, is_limited=group == together)


def _earned(automaton: Automaton, parts: tuple[Part, ...]) -> set[str]:
    numbers = {int(number) for table in automaton.tables for number in set(table.parts.ravel())}
    return {unit.name for number in numbers for unit in parts[number].units}
