"""What of a program comes into play: limits that hold, rungs, bonuses and milestones that are reached, recoveries that end."""

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator
from fractions import Fraction
from itertools import takewhile
from typing import NamedTuple

import numpy as np

from cm_engine.analysis.automaton import Automaton
from cm_engine.analysis.behavior import visitwise
from cm_engine.analysis.exact import reached
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.flow import Flow
from cm_engine.analysis.joint import Joint, Key
from cm_engine.analysis.proofs.board import board_of
from cm_engine.analysis.proofs.course import cut_by_meeting_all
from cm_engine.analysis.proofs.finding import CounterExample, Finding
from cm_engine.analysis.purse import Held, LimitedPurse
from cm_engine.errors import TooManyStatesError
from cm_engine.program.ladders import Phase
from cm_engine.rules.compiled import TargetRules
from cm_engine.rules.essence import stretches
from cm_engine.rules.ladder import rate
from cm_engine.rules.limits import LimitRules, When
from cm_engine.rules.milestones import MilestoneRules
from cm_engine.rules.state import Award, Received

EVERY_RESULT = visitwise(Fraction(1, 7), otherwise={symbol: Fraction(1, 6) for symbol in "+oe*r_"})
"""The behavior in which each result may come at each visit."""

FEW_SLOTS = 300
"""With more slots, chances that are not nothing may be too small for a float."""


def broken_limits(explored: Explored) -> Iterator[Finding]:
    """Yield each limit that some way breaks, over all states of what can have been received; there should be none."""
    limited = (cluster for cluster in explored.clusters if cluster.is_limited)
    try:
        broken = {index for cluster in limited for index in _broken(explored, cluster)}
    except TooManyStatesError:
        said = "Whether all limits hold was not looked at: there is too much that may have been received."
        yield Finding("not-proved", "note", said)
        return
    for index in sorted(broken):
        limit = explored.rules.limits[index]
        said = f"The limit of {limit.unit.spoken(limit.amounts[-1])} per {limit.name} is exceeded."
        yield Finding("limit-broken", "error", said)


def _broken(explored: Explored, cluster: Cluster) -> Iterator[int]:
    """Yield the places of the limits that some way breaks; ways are told apart only if some order of all parts does."""
    if any(_broken_in_any_order(explored, cluster)):
        yield from _broken_on_a_way(explored, cluster)


def _broken_in_any_order(explored: Explored, cluster: Cluster) -> Iterator[bool]:
    """Yield for each slot whether a limit is broken if each thing that can be earned there comes after any other."""
    purse, joint, held = LimitedPurse(explored, None, counts=False), Joint(explored, cluster), {0}
    for number, place in cluster.order:
        when, parts = explored.when(joint.automata[number].slots[place]), joint.parts(number, place)
        day = purse.like(when)
        held = {step.to for state in held for part in parts for step in purse.ways(state, part, day)}
        received = [purse.states.values[state] for state in held]
        yield any(True for _ in exceeded(explored.rules.limits, received, when))


def _broken_on_a_way(explored: Explored, cluster: Cluster) -> Iterator[int]:
    purse, flow = LimitedPurse(explored, None, counts=False), Flow(explored, cluster, EVERY_RESULT)
    held: dict[Key, set[int]] = {key: {0} for key, _ in flow.starts()}
    for number, place, slot, when in flow.slots():
        day, waiting, after = purse.like(when), held, dict[Key, set[int]]()
        while waiting:
            staying: dict[Key, set[int]] = {}
            for key, states in waiting.items():
                for way in flow.ways(number, place, slot, key):
                    into = (staying if way.stays else after).setdefault(way.to, set())
                    into.update(step.to for state in states for step in purse.ways(state, way.part, day))
            waiting = staying
        held = after
        received = [purse.states.values[state] for state in set().union(*held.values())]
        yield from exceeded(explored.rules.limits, received, when)


def exceeded(limits: tuple[LimitRules, ...], states: Iterable[Held], when: When) -> Iterator[int]:
    """Yield the places of the limits that some state has received more of than was ever in force up to a day."""
    for index, limit in enumerate(limits):
        most = max(limit.amounts[: bisect_right(limit.since, when.on) + 1] if when.on else limit.amounts[:1])
        if any(_in_one_window(limit, held.received[index]) > most for held in states):
            yield index


def _in_one_window(limit: LimitRules, received: Received) -> int:
    """Return the most that one window has received; of rolling days, those that are kept lie in one window."""
    amounts = [amount for _, amount in received.windows]
    return sum(amounts) if limit.per == "rolling days" else max(amounts, default=0)


def unreached(explored: Explored, idle: frozenset[int]) -> Iterator[Finding]:
    """Yield what never comes into play: the top of a ladder, a bonus, a milestone, a limit.

    Args:
        explored: the program.
        idle: the places of its limits that never take anything.
    """
    for automaton in explored.automata:
        for index in automaton.targets:
            yield from _unreached_of(explored, automaton, explored.rules.targets[index])
    for place, milestone in enumerate(explored.rules.milestones):
        if milestone.criterion:  # how likely a value meets it is a matter of the model
            continue
        counting = explored.counting(place)
        if not any(_reaches(explored, automaton, place, milestone) for automaton in counting):
            said = f"The milestone {milestone.name} is never reached, whatever the results are."
            yield Finding("milestone-unreached", "warning", said)
    for place in sorted(idle):
        limit = explored.rules.limits[place]
        said = f"The limit of {limit.unit.spoken(limit.amounts[0])} per {limit.name} never takes anything: "
        window = "" if limit.name == "episode" else f" in one {limit.name}"
        yield Finding("limit-idle", "note", f"{said}no results within one enrollment earn more{window}.")


def _unreached_of(explored: Explored, automaton: Automaton, target: TargetRules) -> Iterator[Finding]:
    """Yield the bonuses and the tops of ladders of a target that no results lead to."""
    phases = dict.fromkeys(visit.phase for visit in target.visits)
    written = {id(phase): each for phase, each in zip(phases, _written(explored, target), strict=True)}
    for phase in phases:
        places = [
            place
            for place, slot in enumerate(automaton.slots)
            if slot.target == target.index and target.visits[slot.visit].phase is phase
        ]
        where = f"week{'s' * (not phase.weeks.isdigit())} {phase.weeks} of {target.name}"
        if phase.bonus_every and phase.bonus and not _tells(explored, automaton, places, "bonus"):
            said = f"The bonus in {where} is never paid: there are too few visits for {phase.bonus_every} in a row."
            yield Finding("bonus-unreached", "warning", said)
        if phase.recovery and not _tells(
            explored, automaton, _carried(automaton, target, places), "recovered"
        ):
            said = (
                f"The recovery in {where} never brings anything back: after a lapse there are too few visits for "
                f"{phase.recovery.after} in a row, or they bring no less back without it."
            )
            yield Finding("recovery-unreached", "warning", said)
        ladder, top = written[id(phase)], stretches(target)[automaton.slots[places[0]].visit].top
        last, highest = rate(phase, top), rate(phase, _highest(automaton, target, places))
        if _is_bounded(ladder) and highest != last:
            said = (
                f"The ladder in {where} never gets to {phase.unit.spoken(last)}: even if every visit is met, "
            )
            yield Finding("rung-unreached", "note", f"{said}it ends at {phase.unit.spoken(highest)}.")


def _carried(automaton: Automaton, target: TargetRules, places: list[int]) -> list[int]:
    """Return the slots of a phase with those after them that carry its ladder on."""
    ahead = (
        place
        for place, slot in enumerate(automaton.slots)
        if slot.target == target.index and place > places[-1]
    )
    begins = takewhile(lambda place: not target.visits[automaton.slots[place].visit].begins_ladder, ahead)
    return [*places, *begins]


def _written(explored: Explored, target: TargetRules) -> Iterator[Phase]:
    """Yield the phases of a target that have visits, as they are written."""
    weeks = {visit.week for visit in target.visits}
    for phase in explored.program.targets[target.name].schedule:
        if any(phase.weeks.first <= week <= phase.weeks.last for week in weeks):
            yield phase


def _is_bounded(phase: Phase) -> bool:
    """Tell whether a ladder says where it ends."""
    return bool(
        (phase.escalate and phase.escalate.ceiling is not None) or (phase.descend and phase.descend.floor)
    )


def _highest(automaton: Automaton, target: TargetRules, places: list[int]) -> int:
    """Return the highest rung that a success can be paid at in some slots."""
    states = {state for place in places for state in automaton.reach[place]}
    return max(automaton.states[state].tracks[target.index].ladder.position for state in states)


def _tells(explored: Explored, automaton: Automaton, places: list[int], code: str) -> bool:
    """Tell whether some decision in some slots has a reason of a kind."""
    having = _having(explored, code)
    return any(
        np.isin(automaton.table(place).reasons[_rows(automaton, place)], having).any() for place in places
    )


def _rows(automaton: Automaton, place: int) -> list[int]:
    table = automaton.table(place)
    return [table.rows[state] for state in automaton.reach[place]]


def _reaches(explored: Explored, automaton: Automaton, place: int, milestone: MilestoneRules) -> bool:
    """Tell whether some results, or events, of an automaton reach a milestone."""
    if milestone.at_most is not None and any(state.progress[place].times for state in automaton.states):
        return True
    award = Award(milestone.unit, milestone.amount)
    paying = [number for number, part in enumerate(explored.parts) if award in part.earned]
    telling = _having(explored, "milestone")
    return any(
        bool((np.isin(table.parts, paying) & np.isin(table.reasons, telling)).any())
        for table in automaton.tables
    )


def idle_limits(explored: Explored) -> frozenset[int]:
    """Return the places of the limits that are known to have no reward cut, whatever the results and events are."""
    cut = cut_by_meeting_all(explored)
    is_long = sum(len(each.slots) for each in explored.automata) > FEW_SLOTS
    limits = enumerate(explored.rules.limits)
    in_question = {place for place, limit in limits if place not in cut and not explored.is_open(limit.unit)}
    if is_long or in_question <= explored.idle:
        return explored.idle
    try:
        chances = reached(explored, EVERY_RESULT)
    except TooManyStatesError:
        return explored.idle
    return frozenset(place for place in in_question if not chances[place])


def unrecovered(explored: Explored) -> Iterator[Finding]:
    """Yield where a recovery does not bring back its rung.

    After each lapse that resets a ladder with a recovery, in every state, so many successes in a row as the recovery asks
    for put the ladder on the rung that was saved, or above it, as far as the ladder has visits for them.
    """
    for automaton in explored.automata:
        for index in automaton.targets:
            target = explored.rules.targets[index]
            places = [place for place, slot in enumerate(automaton.slots) if slot.target == index]
            failing = (place for place in places if _lost(explored, automaton, target, place))
            place = next(failing, None)
            if place is not None:
                yield _of_recovery(explored, automaton, target, place)


class _Lost(NamedTuple):
    """A lapse after which a rung does not come back: the state before it, and the column of the result."""

    state: int
    column: int
    after: int


def _lost(explored: Explored, automaton: Automaton, target: TargetRules, place: int) -> _Lost | None:
    """Return a lapse in a slot after which successes do not bring back the rung that was saved."""
    recovery = target.visits[automaton.slots[place].visit].phase.recovery
    ahead = _slots_of_recovery(automaton, target, place, recovery.after) if recovery else None
    if not recovery or ahead is None:
        return None
    table, rows = automaton.table(place), np.array(_rows(automaton, place))
    having = _having(explored, "reset")
    resets = np.isin(table.reasons[rows], having) & ~table.stays[rows]
    lapsed, first = np.unique(np.where(resets, table.after[rows], -1), return_index=True)
    for state, cell in zip(lapsed.tolist(), first.tolist(), strict=True):
        if state >= 0 and not _comes_back(automaton, target, state, range(place + 1, ahead)):
            row, column = divmod(cell, len(table.actions))
            return _Lost(automaton.reach[place][row], column, ahead)
    return None


def _comes_back(automaton: Automaton, target: TargetRules, lapsed: int, places: range) -> bool:
    """Tell whether successes in some slots put a ladder on the rung that was saved."""
    ends = lapsed, _met(automaton, places, lapsed)
    before, after = (automaton.states[each].tracks[target.index].ladder for each in ends)
    return after.position >= before.saved


def _slots_of_recovery(automaton: Automaton, target: TargetRules, place: int, after: int) -> int | None:
    """Return the slot after so many visits of a target; None if the ladder does not last for them and one more."""
    visit = automaton.slots[place].visit
    ahead = target.visits[visit + 1 : visit + after + 2]
    if len(ahead) <= after or any(each.begins_ladder for each in ahead):
        return None
    ends = (
        n
        for n, slot in enumerate(automaton.slots)
        if slot.target == target.index and slot.visit == visit + after
    )
    return next(ends) + 1


def _met(automaton: Automaton, places: range, state: int) -> int:
    """Return the state after slots that are all met."""
    for place in places:
        table = automaton.table(place)
        state = int(table.after[table.rows[state], table.success])
    return state


def _of_recovery(explored: Explored, automaton: Automaton, target: TargetRules, place: int) -> Finding:
    lost = _lost(explored, automaton, target, place)
    assert lost is not None
    said = f"Visit {automaton.slots[place].visit + 1} of {target.name}: the recovery does not bring the former level back."
    return Finding("recovery-fails", "warning", said, _sequence(explored, automaton, place, lost))


def _sequence(explored: Explored, automaton: Automaton, place: int, lost: _Lost) -> CounterExample | None:
    """Return the results that lead to a lapse, and the successes after it."""
    board = board_of(explored, automaton, explored.units[0]) if explored.units else None
    if board is None:
        return None
    columns = [*board.way_to(place, automaton.reach[place].index(lost.state))]
    columns.append(board.moves[place].words.index((automaton.table(place).actions[lost.column],)))
    for after in range(place + 1, lost.after):
        table = automaton.table(after)
        columns.append(board.moves[after].words.index((table.actions[table.success],)))
    return CounterExample(board.seen(columns))


def overshot(explored: Explored) -> Iterator[Finding]:
    """Yield where a recovery puts a ladder on a rung above that of who had a success instead of the lapse.

    Both have the same successes after it: so many as the recovery asks for, as far as the ladder lasts.
    """
    for automaton in explored.automata:
        for index in automaton.targets:
            target, known = explored.rules.targets[index], dict[Hashable, bool]()
            places = [place for place, slot in enumerate(automaton.slots) if slot.target == index]
            above = ((place, _above(explored, automaton, target, place, known)) for place in places)
            place, lost = next((found for found in above if found[1]), (0, None))
            if lost:
                visit = automaton.slots[place].visit + 1
                said = f"Visit {visit} of {target.name}: a lapse and its recovery lead above the level of who never lapsed."
                example = _sequence(explored, automaton, place, lost)
                yield Finding("recovery-overshoots", "error", said, example)


def _above(
    explored: Explored, automaton: Automaton, target: TargetRules, place: int, known: dict[Hashable, bool]
) -> _Lost | None:
    """Return a lapse in a slot after which successes lead to a higher rung than a success there would have."""
    recovery = target.visits[automaton.slots[place].visit].phase.recovery
    ahead = _slots_of_recovery(automaton, target, place, recovery.after) if recovery else None
    if ahead is None:
        return None
    table, rows = automaton.table(place), np.array(_rows(automaton, place))
    resets = np.isin(table.reasons[rows], _having(explored, "reset")) & ~table.stays[rows]
    lapsed, met = table.after[rows].tolist(), table.after[rows, table.success].tolist()
    kinds = automaton.kinds[place:ahead]
    for row, column in np.argwhere(resets).tolist():
        pair = lapsed[row][column], met[row]
        if (kinds, pair) not in known:
            known[kinds, pair] = _is_above(automaton, target, pair, range(place + 1, ahead))
        if known[kinds, pair]:
            return _Lost(automaton.reach[place][row], column, ahead)
    return None


def _is_above(automaton: Automaton, target: TargetRules, pair: tuple[int, int], places: range) -> bool:
    """Tell whether the first of two states comes to a higher rung than the second, while both have successes."""
    for place in places:
        one = range(place, place + 1)
        pair = _met(automaton, one, pair[0]), _met(automaton, one, pair[1])
        first, second = (automaton.states[each].tracks[target.index].ladder.position for each in pair)
        if first > second:
            return True
    return False


def _having(explored: Explored, code: str) -> list[int]:
    """Return the numbers of the reasons that have one of a kind."""
    return [number for number, codes in enumerate(explored.reasons) if code in codes]
