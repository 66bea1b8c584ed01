"""Which slots of a plan are alike, and which actions of a slot do the same."""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from cm_engine.analysis.actions import Action, Slot
from cm_engine.rules.compiled import Rules, TargetRules
from cm_engine.rules.state import Observation, Received, State, Track


class Letter(NamedTuple):
    """An action in a slot: what `step` is given for it, and the column of the first action that does the same.

    Attributes:
        read: what it is read as, where it does the same as another.
    """

    observation: Observation | None
    same: int
    read: int


class Shape:
    """Which slots of a plan are alike, and a state without its place in the plan."""

    def __init__(self, rules: Rules, slots: tuple[Slot, ...]) -> None:
        self.rules, self.slots = rules, slots
        self.targets = tuple(rules.targets[index] for index in sorted({slot.target for slot in slots} - {-1}))
        self.repeats = _repeats(rules, slots)
        self.by_week = any(each.kind == "week" for each in rules.milestones) or any(
            quota.per == "week" for target in rules.targets for _, quota in target.quotas
        )
        self.decided = tuple(_decided(len(rules.targets), slots))

    def kind(self, place: int) -> Hashable:
        """Return what slots have in common that do the same."""
        if not self.repeats:
            return place
        decided, week = self.decided[place], self._week(place)
        ahead = tuple(
            tuple(self._look(target, decided[target.index] + after, week) for after in (0, 1))
            for target in self.targets
        )
        return self.slots[place].target, ahead, self._behind(decided)

    def letters(self, place: int, actions: Sequence[Action]) -> Iterator[Letter]:
        """Yield the actions of a slot."""
        slot, columns = self.slots[place], dict[Hashable, int]()
        name = "" if slot.event else self.rules.targets[slot.target].name
        for column, action in enumerate(actions):
            same = columns.setdefault(self.alike(place, action), column)
            yield Letter(action.observation(name, slot.event), same, ord(action.symbol))

    def alike(self, place: int, action: Action) -> Hashable:
        """Return what actions of a slot have in common that do the same: of plain results, what the ladder makes of them."""
        slot = self.slots[place]
        target = self.rules.targets[slot.target]
        if slot.event or not target.given_as_read or target.looked_back_on or self.rules.has_extras:
            return action
        phase = target.visits[slot.visit].phase
        told = action.symbol in "+or" if phase.words.kept else None
        return (phase.effects[action.symbol], told) if action == Action(action.symbol) else action

    def _look(self, target: TargetRules, index: int, week: int) -> Hashable:
        """Return how a visit looks, as far as anything hangs on it."""
        if index >= len(target.visits):
            return None
        visit = target.visits[index]
        weekly = visit.phase.counts_weeks or self.by_week
        due = tuple(each.due.get(visit.week) for each in self.rules.milestones if each.kind == "week")
        in_week = (visit.opens_week, visit.closes_week) if weekly else ()
        return visit.phase, visit.begins_ladder, in_week, visit.week - week if self.by_week else 0, due

    def _behind(self, decided: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many visits the targets are ahead of one another, where one looks back on another."""
        if not any(target.looks_at_others for target in self.targets):
            return ()
        own = [decided[target.index] for target in self.targets]
        return tuple(number - min(own) for number in own)

    def _week(self, place: int) -> int:
        slot = self.slots[min(place, len(self.slots) - 1)]
        return self.rules.targets[slot.target].visits[slot.visit].week

    def bare(self, state: State, place: int) -> State:
        """Return a state as it is told apart at a slot: without its place, where slots are alike."""
        if not self.repeats:
            return state
        return self._moved(state, (0,) * len(state.tracks), -self._week(place))

    def placed(self, state: State, place: int) -> State:
        """Return a state at a slot, from what is told apart there."""
        return self._moved(state, self.decided[place], self._week(place)) if self.repeats else state

    def _moved(self, state: State, visits: tuple[int, ...], weeks: int) -> State:
        """Return a state with other visits decided, and with its weeks so much later."""
        tracks = tuple(Track(number, *track[1:]) for track, number in zip(state.tracks, visits, strict=True))
        if not self.by_week:
            return state._replace(tracks=tracks, last=state.start)
        progress = tuple(
            each._replace(weeks=tuple((week + weeks, *counts) for week, *counts in each.weeks))  # type: ignore[misc]
            for each in state.progress
        )
        counted = list(state.counted)
        for index, quota in (pair for target in self.rules.targets for pair in target.quotas):
            if quota.per == "week":
                counted[index] = Received(
                    tuple((week + weeks, used) for week, used in counted[index].windows)
                )
        return state._replace(tracks=tracks, progress=progress, counted=tuple(counted), last=state.start)


def _decided(targets: int, slots: tuple[Slot, ...]) -> Iterator[tuple[int, ...]]:
    """Yield how many visits of each target are decided when each slot begins, and at last when all are."""
    decided = [0] * targets
    for slot in slots:
        yield tuple(decided)
        if not slot.event:
            decided[slot.target] += 1
    yield tuple(decided)


def _repeats(rules: Rules, slots: tuple[Slot, ...]) -> bool:
    """Tell whether slots that look alike do the same: nothing hangs on dates, on the end of weeks or on a deposit."""
    if any(slot.event for slot in slots) or rules.closed or rules.deposit:
        return False
    quotas = (quota for target in rules.targets for _, quota in target.quotas)
    return not any(quota.per == "month" for quota in quotas) and all(
        milestone.kind != "end_of" for milestone in rules.milestones
    )
