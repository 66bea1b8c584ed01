"""What of a state later awards depend on: all else is forgotten, so that states which pay alike are one.

Keeps INV-18. A congruence of `step`: a state and its essence get the same awards for the same observations, and lead to states of one
essence. That makes a program finite and small enough to be explored; the tests attack it with random programs.
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from math import lcm
from typing import NamedTuple

from cm_engine.rules.compiled import Rules, TargetRules
from cm_engine.rules.days import expected_day, when_of_event, when_of_visit
from cm_engine.rules.limits import LimitRules, When, window
from cm_engine.rules.milestones import MilestoneRules, Progress, is_over, is_spent
from cm_engine.rules.phases import PhaseRules
from cm_engine.rules.plan import Visit
from cm_engine.rules.state import Ladder, Received, State, Track


class Stretch(NamedTuple):
    """What of a ladder counts in the phases that share it.

    Attributes:
        top: the rungs from here on pay alike.
        runs: the runs up to here are told apart, and those after it by their place in a period.
        period: of bonuses and requirements.
        recovers: some phase has a recovery.
        by_last: a recovery returns to the rung that was paid last.
        is_uniform: all phases recover in one way.
    """

    top: int
    runs: int
    period: int
    recovers: bool
    by_last: bool
    is_uniform: bool


def essence(rules: Rules, state: State) -> State:
    """Return a state with all forgotten that no later award depends on.

    Example:
        >>> from cm_engine import Observation, catalogue, compile_rules, initial_state, step
        >>> rules = compile_rules(catalogue.program("halpern-2015-individual"))
        >>> met, _ = step(rules, initial_state(rules), Observation("-"))
        >>> essence(rules, met).tracks[0].ladder.streak
        0
    """
    tracks = tuple(_track(rules, state, target) for target in rules.targets)
    received = _received(rules, state) if rules.limits else ()
    counted = _counted(rules, state) if rules.quotas else ()
    progress = tuple(map(partial(_progress, rules, state), rules.milestones, state.progress))
    return State(tracks, received, counted, progress, state.stake, state.start, state.last, state.program)


def _received(rules: Rules, state: State) -> tuple[Received, ...]:
    when = _next_day(rules, state)
    return tuple(essence_of_window(*pair, when) for pair in zip(rules.limits, state.received, strict=True))


def essence_of_window(limit: LimitRules, received: Received, when: When | None) -> Received:
    """Return what a limit's windows have received, without those that are over; None of all is the end of the plan."""
    if when is None or limit.per == "reward":
        return Received()
    first = (
        when.day - (limit.days - 1) if limit.per == "rolling days" else window(limit.per, when, limit.begins)
    )
    return Received(
        tuple((number, amount) for number, amount in received.windows if number >= first),
        tuple(number for number in received.stopped if number >= first),
    )


def _next_day(rules: Rules, state: State) -> When | None:
    """Return the earliest day and the earliest week of what is still to come; a visit may come before its planned day."""
    days = [
        when_of_visit(visit, state.last)
        for target, track in zip(rules.targets, state.tracks, strict=True)
        if (visit := _visit(target, track.visits))
    ]
    if rules.events:
        days.append(when_of_event(rules, state, state.last))
    first = min(days, key=lambda when: when.day, default=None)
    return first and first._replace(week=min(when.week for when in days))


def _visit(target: TargetRules, index: int) -> Visit | None:
    return target.visits[index] if index < len(target.visits) else None


def _track(rules: Rules, state: State, target: TargetRules) -> Track:
    track = state.tracks[target.index]
    outcomes = _outcomes(rules, state, target) if target.looked_back_on else ""
    return Track(track.visits, _ladder(target, track), outcomes, track.memory, track.attempts)


def _outcomes(rules: Rules, state: State, target: TargetRules) -> str:
    """Return whether the visits were met that other targets have still to look back on."""
    track = state.tracks[target.index]
    ahead = [track.visits - state.tracks[index].visits for index in _looking_at(rules, target)]
    kept = min(max([0, *ahead]), len(track.outcomes))
    return "".join("-" if each == "-" else "+" for each in track.outcomes[len(track.outcomes) - kept :])


@lru_cache(maxsize=1024)
def _looking_at(rules: Rules, target: TargetRules) -> tuple[int, ...]:
    """Return the places of the targets that pay only where another one was met at the same visit."""
    return tuple(
        other.index
        for other in rules.targets
        if any(visit.phase.provided == target.index for visit in other.visits)
    )


def _ladder(target: TargetRules, track: Track) -> Ladder:
    visit = _visit(target, track.visits)
    if visit is None or visit.begins_ladder:
        return Ladder()
    stretch, ladder = stretches(target)[track.visits], track.ladder
    week = (0, 0) if visit.opens_week else (min(ladder.week_met, 1), min(ladder.week_unmet, 1))
    position, paid = min(ladder.position, stretch.top), min(ladder.paid, stretch.top)
    saved = min(ladder.saved, stretch.top) if stretch.recovers else 0
    if stretch.is_uniform and ladder.streak and saved <= (paid if stretch.by_last else position):
        saved = 0
    return Ladder(position, _run(stretch, ladder.streak), paid if stretch.by_last else -1, saved, *week)


def _run(stretch: Stretch, streak: int) -> int:
    if streak <= stretch.runs or not stretch.runs:
        return streak if stretch.runs else streak % stretch.period
    return stretch.runs + 1 + (streak - stretch.runs - 1) % stretch.period


@lru_cache(maxsize=1024)
def stretches(target: TargetRules) -> tuple[Stretch, ...]:
    """Return for each visit of a target what counts of the ladder that it shares with the visits around it."""
    begun = [index for index, visit in enumerate(target.visits) if visit.begins_ladder]
    found: list[Stretch] = []
    for first, last in zip(begun, [*begun[1:], len(target.visits)], strict=True):
        phases = list(dict.fromkeys(visit.phase for visit in target.visits[first:last]))
        found += [_stretch(phases)] * (last - first)
    return tuple(found)


def _stretch(phases: list[PhaseRules]) -> Stretch:
    paid_by_visit = [phase for phase in phases if not phase.weekly]
    recoveries = {phase.recovery for phase in paid_by_visit}
    after = [recovery.after + 1 for recovery in recoveries if recovery]
    return Stretch(
        top=max((_top(phase) for phase in paid_by_visit), default=0),
        runs=max([*after, *(sum(phase.require) for phase in paid_by_visit)], default=0),
        period=lcm(*(n for phase in paid_by_visit for n in (phase.bonus_every or 1, *phase.require[-1:]))),
        recovers=bool(after),
        by_last=any(recovery.last_earned for recovery in recoveries if recovery),
        is_uniform=len(recoveries) == 1,
    )


def _top(phase: PhaseRules) -> int:
    """Return the first rung from which on a ladder pays the same."""
    if not phase.step:
        return 0
    way = phase.ceiling - phase.start if phase.step > 0 else phase.start - phase.floor
    return phase.every * max(0, -(-way // abs(phase.step)))


def _counted(rules: Rules, state: State) -> tuple[Received, ...]:
    counted = list(state.counted)
    for target in rules.targets:
        visit = _visit(target, state.tracks[target.index].visits)
        for index, quota in target.quotas:
            counted[index] = Received()
            if visit and state.counted[index].windows:
                number = window(quota.per, when_of_visit(visit, expected_day(rules, state, visit)))
                used = state.counted[index].in_window(number)
                counted[index] = Received(((number, min(used, quota.at_most)),) if used else ())
    return tuple(counted)


def _progress(rules: Rules, state: State, milestone: MilestoneRules, progress: Progress) -> Progress:
    left = {
        target.name: len(target.visits) - track.visits
        for target, track in zip(rules.targets, state.tracks, strict=True)
    }
    return essence_of_progress(milestone, progress, left)


def essence_of_progress(milestone: MilestoneRules, progress: Progress, left: Mapping[str, int]) -> Progress:
    """Return how far a milestone is, as far as later awards depend on it.

    Args:
        milestone: the milestone.
        progress: how far it is.
        left: how many visits of each target are still to come.
    """
    if is_spent(milestone, progress):
        return Progress(times=progress.times)
    if is_over(milestone, progress, left):
        return Progress(decided=progress.decided)
    return progress._replace(
        times=progress.times if milestone.at_most is not None else 0,
        done=min(progress.done, milestone.needed) if milestone.kind == "end_of" else progress.done,
        weeks=tuple(_week(milestone, *week) for week in progress.weeks),
    )


def _week(
    milestone: MilestoneRules, week: int, decided: int, met: int, unmet: int
) -> tuple[int, int, int, int]:
    if milestone.needed:
        return week, decided, min(met, milestone.needed), 0
    return (week, decided, 0, 1) if unmet else (week, decided, min(met, 1), 0)
