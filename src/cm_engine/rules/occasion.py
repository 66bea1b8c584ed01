"""The visit at hand: all that deciding it may look at."""

from datetime import date
from typing import NamedTuple

from cm_engine.errors import PlanExceededError
from cm_engine.rules.compiled import Rules, TargetRules
from cm_engine.rules.days import expected_day, not_before, when_of_visit
from cm_engine.rules.limits import When
from cm_engine.rules.plan import Visit
from cm_engine.rules.state import Observation, State, Track


class Occasion(NamedTuple):
    """The next visit of a target, on the day it counts for."""

    rules: Rules
    state: State
    target: TargetRules
    track: Track
    visit: Visit
    on: date | None

    @property
    def when(self) -> When:
        """Return the day of the visit, as limits and criteria count it."""
        return when_of_visit(self.visit, self.on)

    def tracks_with(self, track: Track) -> tuple[Track, ...]:
        """Return the tracks of all targets, with another one for this target."""
        if len(self.state.tracks) == 1:
            return (track,)
        index = self.target.index
        return (*self.state.tracks[:index], track, *self.state.tracks[index + 1 :])


def occasion_of(rules: Rules, state: State, observation: Observation) -> Occasion:
    """Return the visit that an observation is of.

    Raises:
        PlanExceededError: every visit of the target is decided already.
        ResultsError: there is no such target, or the day is before the last one decided.
        TypeError: the day is not a date, or it is one with a time.
    """
    target = rules.target(observation.target)
    track = state.tracks[target.index]
    visit = visit_of(target, track.visits)
    on = not_before(state, observation.on, visit) if observation.on else expected_day(rules, state, visit)
    return Occasion(rules, state, target, track, visit, on)


def planned(rules: Rules, state: State, target: TargetRules, after: int = 1) -> Occasion:
    """Return the next visit of a target as it is planned, or a later one, as seen from here."""
    track = state.tracks[target.index]
    visit = visit_of(target, track.visits + after - 1)
    return Occasion(rules, state, target, track, visit, expected_day(rules, state, visit))


def visit_of(target: TargetRules, index: int) -> Visit:
    """Return the visit of an index.

    Raises:
        PlanExceededError: the plan has no such visit.
    """
    if index >= len(target.visits):
        raise PlanExceededError(index + 1, len(target.visits))
    return target.visits[index]
