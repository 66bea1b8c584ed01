"""A program explored: automata of the targets that hang together, in clusters that share a limit."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from cm_engine.analysis.actions import Slot, slots_of
from cm_engine.analysis.apart import Exploring, Net, joined, net_of
from cm_engine.analysis.automaton import Automaton, nothing_told
from cm_engine.analysis.backward import worths
from cm_engine.analysis.parts import Part, start_of, unlimited
from cm_engine.analysis.seen import seen_through
from cm_engine.analysis.ties import Tie
from cm_engine.errors import TooManyStatesError
from cm_engine.program.models import Program
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import Rules, compile_rules
from cm_engine.rules.days import expected_day, initial_state, when_of_event, when_of_visit
from cm_engine.rules.essence import essence_of_window
from cm_engine.rules.limits import LimitRules, When
from cm_engine.rules.milestones import MilestoneRules
from cm_engine.rules.state import Award, Received, State

MOST = 100_000
"""How many decisions exploring a program may take, if nothing else is said."""

TOGETHER = 20_000
"""How many decisions exploring targets together may take that milestones tie; with more, each is explored by itself."""


@dataclass(frozen=True)
class Cluster:
    """Automata that share a limit, or that a milestone ties; alone where nothing is shared.

    Attributes:
        automata: their places in the exploration.
        order: the slots of all of them in the order in which they are decided: the automaton, by its place here, and
            the slot of it.
        is_limited: some limit looks at what they earn.
        ties: the places of the milestones that tie them.
    """

    automata: tuple[int, ...]
    order: tuple[tuple[int, int], ...]
    is_limited: bool
    ties: tuple[int, ...] = ()


@dataclass(frozen=True)
class Explored:
    """Every state of a program, found by `step`.

    Attributes:
        program: the program.
        rules: with its limits.
        start: the first day of week 1, or None where days do not count.
        automata: one for each set of targets and events that hang together by a milestone, a condition or a deposit.
        clusters: the automata by the limits that they share, and by the milestones that tie them.
        parts: what decisions earn before limits, by their numbers.
        reasons: the codes of the reasons of decisions, by their numbers.
        ties: milestones that read the results of several automata, as their targets have too many states together.
        joined: the number of what a part, and one of a tie, are together.
        idle: the places of the limits that nobody can come up against, as nobody can earn so much.
    """

    program: Program
    rules: Rules
    start: date | None
    automata: tuple[Automaton, ...]
    clusters: tuple[Cluster, ...]
    parts: tuple[Part, ...]
    reasons: tuple[tuple[str, ...], ...]
    ties: tuple[Tie, ...] = ()
    joined: Mapping[tuple[int, int], int] = field(default_factory=dict)
    idle: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """Return how many states there are in all automata."""
        return sum(automaton.size for automaton in (*self.automata, *self.ties))

    @cached_property
    def money(self) -> Unit | None:
        """Return the money of the program; None if it has none."""
        return self.program.unit(None) if self.program.currency else None

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Return the units that anything is earned in, the program's money first."""
        earned = dict.fromkeys(unit for part in self.parts for unit in part.units)
        wins = any(unit.name in self.program.bowls for unit in earned)
        money = [self.money] if self.money and (self.rules.deposit or wins) else []
        found = dict.fromkeys([*money, *earned])
        return tuple(sorted(found, key=lambda unit: (not unit.is_money, unit.name)))

    def clusters_of(self, unit: Unit) -> tuple[Cluster, ...]:
        """Return the clusters as far as limits on a unit, or on draws that win it, bind them; else as far as ties do."""
        names = {unit.name, *(self.program.bowls if unit == self.money else ())}
        if names & {limit.unit.name for limit in self.binding}:
            return self.clusters
        return self._tied(place for place, tie in enumerate(self.ties) if earned(tie, self.parts) & names)

    @property
    def before_limits(self) -> tuple[Cluster, ...]:
        """Return the clusters as if there were no limits."""
        return self._tied(range(len(self.ties)))

    def _tied(self, ties: Iterable[int]) -> tuple[Cluster, ...]:
        return tuple(clusters(self.automata, self.ties, ties, frozenset()))

    @property
    def binding(self) -> tuple[LimitRules, ...]:
        """Return the limits that may take something."""
        return tuple(limit for place, limit in enumerate(self.rules.limits) if place not in self.idle)

    def apart(self, cluster: Cluster) -> "tuple[Explored, ...]":
        """Return each automaton of a cluster by itself, and each tie with all that may be seen.

        What all of them earn together is what the cluster earns; each may be looked at as if the others were not there.

        Raises:
            TooManyStatesError: there is too much that may be seen.
        """
        return (*self.automata_of(cluster), *map(self.through, cluster.ties))

    def automata_of(self, cluster: Cluster) -> "tuple[Explored, ...]":
        """Return each automaton of a cluster by itself."""
        return tuple(self.alone(self.automata[index]) for index in cluster.automata)

    def through(self, tie: int) -> "Explored":
        """Return a tie by itself, with all that may be seen.

        Raises:
            TooManyStatesError: there is too much that may be seen.
        """
        if tie not in self._seen:
            members = [self.automata[place] for place in _members(self.automata, self.ties[tie])]
            try:
                self._seen[tie] = seen_through(members, self.ties[tie], self.program.program)
            except TooManyStatesError as refused:
                self._seen[tie] = refused
        found = self._seen[tie]
        if isinstance(found, TooManyStatesError):
            raise found
        return self.alone(found)

    def alone(self, automaton: Automaton) -> "Explored":
        """Return an automaton by itself, without limits."""
        cluster = Cluster((0,), tuple((0, place) for place in range(len(automaton.slots))), is_limited=False)
        return replace(self, automata=(automaton,), clusters=(cluster,), ties=())

    def counting(self, milestone: int) -> tuple[Automaton, ...]:
        """Return the automata that a milestone may be reached in; of a tie, as if results could be read as anything."""
        for place, tie in enumerate(self.ties):
            if tie.milestone == milestone:
                try:
                    return self.through(place).automata
                except TooManyStatesError:
                    return (tie,)
        tied = {place for tie in self.ties for place in _members(self.automata, tie)}
        return tuple(each for place, each in enumerate(self.automata) if place not in tied)

    @cached_property
    def _seen(self) -> dict[int, Automaton | TooManyStatesError]:
        """Return the ties with all that may be seen, as far as it was asked for."""
        return {}

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

    def received_after(self, received: tuple[Received, ...], when: When | None) -> tuple[Received, ...]:
        """Return what the windows of the limits have received, as far as it matters from a day on; None is the end."""
        pairs = enumerate(zip(self.rules.limits, received, strict=True))
        return tuple(
            Received() if place in self.idle else essence_of_window(limit, each, when)
            for place, (limit, each) in pairs
        )

    def is_open(self, unit: Unit) -> bool:
        """Tell whether events may pay more in a unit than exploring looks at."""
        return bool(self.opened(unit))

    def opened(self, unit: Unit) -> tuple[MilestoneRules, ...]:
        """Return the milestones whose events may pay more in a unit than exploring looks at."""
        return tuple(each for each in self.rules.milestones if _is_open(self.rules, unit, each))

    @cached_property
    def _initial(self) -> State:
        return initial_state(self.rules, self.start)


def explore(
    program: Program, *, start: date | None = None, most: int = MOST, together: int = TOGETHER
) -> Explored:
    """Return every state of a program, found by `step` from the start on, breadth first.

    Results are taken as symbols of a use-pattern word, on their planned days; how likely a measured value meets a
    criterion is a matter of the model of behavior. Limits that count for several enrollments count for this one.

    Args:
        program: the program.
        start: the first day of week 1; where a rule of the program depends on dates and none is given, that of its first
            dated case.
        most: how many decisions may be made before it is given up.
        together: how many may be made for targets together that milestones tie; with more, each target is explored by
            itself, and each of these milestones is an automaton that reads their results.

    Raises:
        TooManyStatesError: there are more states than so many decisions can find; simulate the program instead.
        UndatedError: a rule of the program depends on the date, and there is no start.

    Example:
        >>> from cm_engine import catalogue
        >>> explored = explore(catalogue.program("cpit-pregnancy"))
        >>> explored.size, [explored.called(automaton) for automaton in explored.automata]
        (5, ['smoking'])
    """
    start, limited = start_of(program, start), compile_rules(program)
    net = net_of(Exploring(program, unlimited(program), start, nothing_told(), most, together))
    parts, reasons = tuple(net.told.parts.values), tuple(net.told.reasons.values)
    idle = frozenset(
        place for place, limit in enumerate(limited.limits) if _is_idle(limited, limit, net, parts)
    )
    binding = {limit.unit.name for place, limit in enumerate(limited.limits) if place not in idle}
    looked_at = binding | (set(program.bowls) if program.currency in binding else set())
    tied = range(len(net.ties))
    found = tuple(clusters(net.automata, net.ties, tied, _earning(net, parts, looked_at)))
    return Explored(program, limited, start, net.automata, found, parts, reasons, net.ties, net.joined, idle)


def clusters(
    automata: Sequence[Automaton], ties: Sequence[Automaton], tied: Iterable[int], limited: Collection[int]
) -> Iterator[Cluster]:
    """Yield automata by what they share.

    Args:
        automata: all of them.
        ties: milestones that read the results of several.
        tied: the places of the ties that count.
        limited: the places of the automata that share a limit.
    """
    readers = {place: set(_members(automata, ties[place])) for place in tied}
    shared: list[set[int | str]] = [set(limited), *map(set[int | str], readers.values())]
    for group in joined([{index} for index in range(len(automata))], shared):
        members = tuple(sorted(each for each in group if isinstance(each, int)))
        slots = sorted(
            (slot, number, place)
            for number, index in enumerate(members)
            for place, slot in enumerate(automata[index].slots)
        )
        order = tuple((number, place) for _, number, place in slots)
        within = tuple(place for place, read in readers.items() if read & group)
        yield Cluster(members, order, bool(group & set(limited)), within)


def _members(automata: Sequence[Automaton], tie: Automaton) -> Iterator[int]:
    for index, automaton in enumerate(automata):
        if set(automaton.targets) & set(tie.targets):
            yield index


def earned(automaton: Automaton, parts: Sequence[Part]) -> set[str]:
    """Return the names of the units that an automaton earns in."""
    numbers = {int(number) for table in automaton.tables for number in set(table.parts.ravel())}
    return {unit.name for number in numbers for unit in parts[number].units}


def _earning(net: Net, parts: Sequence[Part], units: set[str]) -> frozenset[int]:
    """Return the places of the automata that earn in some units, by themselves or by a tie."""
    own = {index for index, automaton in enumerate(net.automata) if earned(automaton, parts) & units}
    ties = [tie for tie in net.ties if earned(tie, parts) & units]
    return frozenset(own.union(*(_members(net.automata, tie) for tie in ties)))


def _is_idle(rules: Rules, limit: LimitRules, net: Net, parts: Sequence[Part]) -> bool:
    """Tell whether nobody can earn more in the whole plan than a limit lets a window have.

    What events pay without an end, or by a measured value, is more than exploring looks at.
    """
    if any(_is_open(rules, limit.unit, milestone) for milestone in rules.milestones):
        return False
    worth = [part.at_most(limit.unit, rules) for part in parts]
    most = sum(int(worths(each, worth)[0][each.start]) for each in (*net.automata, *net.ties))
    return most <= min(limit.amounts)


def _is_open(rules: Rules, unit: Unit, milestone: MilestoneRules) -> bool:
    """Tell whether a milestone pays in a unit, or draws that win it, more than exploring looks at."""
    is_open = milestone.event and (milestone.at_most is None or milestone.criterion is not None)
    return bool(is_open) and Part((Award(milestone.unit, milestone.amount),)).at_most(unit, rules) > 0
