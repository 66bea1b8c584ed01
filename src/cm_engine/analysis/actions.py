"""What may be seen at a visit, and events that may be reported: the letters that a program is explored with."""

from collections.abc import Iterator
from typing import NamedTuple

from cm_engine.program.values import OUTCOMES
from cm_engine.rules.compiled import Rules
from cm_engine.rules.phases import PhaseRules
from cm_engine.rules.state import Evidence, Observation

SYMBOLS = "".join(OUTCOMES)
"""The symbols of a use-pattern word."""

DEPOSIT = "deposit"
"""The event that comes before all others: what it pays in is what they may return."""

HAPPENED, NOT_HAPPENED = "!", "."

MISSED = "o"
"""What is seen at the visits of who stays away."""


class Slot(NamedTuple):
    """One occasion of a plan: a visit of a target, or an occasion on which an event may happen.

    Attributes:
        day: the planned day, counted from any fixed day; events come before the first visit, each on a day of its own.
        target: the place of the target among those of the program; -1 for an event.
        visit: the place of the visit in the plan of the target; of an event, which time it is.
        event: its name.
    """

    day: int
    target: int
    visit: int
    event: str = ""


class Action(NamedTuple):
    """What is seen in a slot.

    Attributes:
        symbol: of a use-pattern word; of an event, `HAPPENED` or `NOT_HAPPENED`.
        choice: the reward that was chosen.
        group: how many members of the group met the target, this one included.
    """

    symbol: str
    choice: str = ""
    group: int | None = None

    def observation(self, target: str, event: str = "") -> Observation | None:
        """Return what `step` is given; None if nothing happened."""
        if event:
            return Observation(event=event) if self.symbol == HAPPENED else None
        if not self.choice and self.group is None:
            return Observation(self.symbol, target=target)
        return Observation(
            self.symbol, target=target, evidence=Evidence(choice=self.choice, group=self.group)
        )


EVENT_ACTIONS = (Action(HAPPENED), Action(NOT_HAPPENED))
PLAIN_ACTIONS = tuple(map(Action, SYMBOLS))


def actions_of(rules: Rules, slot: Slot) -> tuple[Action, ...]:
    """Return what may be seen in a slot."""
    if slot.event:
        return EVENT_ACTIONS
    phase = rules.targets[slot.target].visits[slot.visit].phase
    return tuple(_of_phase(phase)) if phase.options or phase.group or phase.together else PLAIN_ACTIONS


def _of_phase(phase: PhaseRules) -> Iterator[Action]:
    for symbol in SYMBOLS:
        if phase.options and symbol == "-":
            yield from (Action(symbol, choice=option) for option in phase.options)
        elif phase.group or phase.together:
            yield from (Action(symbol, group=met) for met in _members(phase, symbol))
        else:
            yield Action(symbol)


def _members(phase: PhaseRules, symbol: str) -> Iterator[int | None]:
    """Yield how many members of a group may have met the target beside a result of this one."""
    if symbol == "_":
        yield None
        return
    size, own = phase.group.size if phase.group else len(phase.variants), symbol == "-"
    yield from range(own, size + own)


def slots_of(
    rules: Rules, targets: tuple[int, ...], events: tuple[str, ...], weekday: int
) -> tuple[Slot, ...]:
    """Return the occasions of some targets and events, in the order in which they are decided.

    Args:
        rules: the program.
        targets: the places of the targets.
        events: the names of the events; each may happen as often as it can still pay, before the first visit.
        weekday: of the start, Monday being 0.
    """
    visits = [
        Slot(visit.days[weekday], index, number)
        for index in targets
        for number, visit in enumerate(rules.targets[index].visits)
    ]
    first = sorted(events, key=lambda event: event != DEPOSIT)
    times = [(event, time) for event in first for time in range(times_of(rules, event))]
    before = [Slot(day - len(times), -1, time, event) for day, (event, time) in enumerate(times)]
    return (*before, *sorted(visits))


def times_of(rules: Rules, event: str) -> int:
    """Return how often an event can bring something; one that pays without an end is taken to pay once.

    A deposit is paid in once.
    """
    if event == DEPOSIT and rules.deposit:
        return 1
    about = [milestone for milestone in rules.milestones if milestone.event == event]
    return max((milestone.needed * (milestone.at_most or 1) for milestone in about), default=1)
