"""Participants simulated one by one through `step` itself, where a program has too many states for a table."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import count

from cm_engine.analysis.actions import Slot, slots_of
from cm_engine.analysis.automaton import Automaton
from cm_engine.analysis.behavior import Behavior
from cm_engine.analysis.cohorts.chooser import Stream
from cm_engine.analysis.cohorts.turns import Turns
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.parts import start_of
from cm_engine.program.models import Program
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import compile_rules
from cm_engine.rules.days import initial_state
from cm_engine.rules.prizes import Bowls, award_prizes, full_bowl
from cm_engine.rules.state import Decision, State
from cm_engine.rules.step import step


class Stepping:
    """A program under a model of behavior, decided visit by visit."""

    def __init__(self, program: Program, behavior: Behavior, start: date | None) -> None:
        """Take a program with all its limits."""
        self.rules, self.start = compile_rules(program), start_of(program, start)
        targets = tuple(target.index for target in self.rules.targets)
        weekday = self.start.weekday() if self.start else 0
        self.slots = slots_of(self.rules, targets, self.rules.events, weekday)
        self.explored, cluster = _unexplored(program, self.slots, targets, self.start)
        self._turns = Turns(self.explored, cluster, behavior)
        self._bowls = {name: full_bowl(program, name) for name in program.bowls}

    def totals(self, stream: Stream) -> Counter[Unit]:
        """Return what one participant is paid in all, prizes with it, in minor units."""
        paid = Counter[Unit]()
        for _, awards in self.awards(stream):
            paid.update(awards)
        return paid

    def awards(self, stream: Stream) -> Iterator[tuple[Slot, Counter[Unit]]]:
        """Yield each slot in which something is decided about one participant, and what that pays."""
        state, bowls = initial_state(self.rules, self.start), Bowls(self._bowls, stream.seed())
        moods, numbers = {target: each.one(stream) for target, each in self._turns.begins.items()}, count(1)
        for slot in self.slots:
            is_open = True
            while is_open:
                entry = self._turns.entries(slot).one(stream, moods.get(slot.target, 0))
                moods[slot.target] = entry.mood
                name = "" if slot.event else self.rules.targets[slot.target].name
                observation = entry.action.observation(name, slot.event)
                if observation is None:
                    break
                state, decision = step(self.rules, state, observation, foretell=False)
                state, bowls, paid = self._with_prizes(state, decision, bowls, str(next(numbers)))
                yield slot, paid
                is_open = not slot.event and state.tracks[slot.target].visits == slot.visit

    def _with_prizes(
        self, state: State, decision: Decision, bowls: Bowls, key: str
    ) -> tuple[State, Bowls, Counter[Unit]]:
        """Return what a decision pays and its draws win, and what is left of the bowls."""
        paid = Counter[Unit]()
        for unit, amount in decision.paid:
            paid[unit] += amount
        if any(paid[unit] for unit in paid if unit.name in self._bowls):
            state, bowls, prizes = award_prizes(self.rules, state, decision, bowls, key)
            paid[prizes.paid.unit] += prizes.paid.amount
        return state, bowls, paid


def _unexplored(
    program: Program, slots: tuple[Slot, ...], targets: tuple[int, ...], start: date | None
) -> tuple[Explored, Cluster]:
    """Return a program of which only the slots are known."""
    automaton = Automaton(targets, slots, (0,) * len(slots), (), (), 0, ())
    cluster = Cluster((0,), tuple((0, place) for place in range(len(slots))), is_limited=True)
    return Explored(program, compile_rules(program), start, (automaton,), (cluster,), (), ()), cluster
