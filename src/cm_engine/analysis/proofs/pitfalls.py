"""What a program says that does not come to what its words promise: in its windows, its savings, and in two words for one thing."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import chain, islice, pairwise

import numpy as np

from cm_engine.analysis.actions import Action
from cm_engine.analysis.alike import Kinds, kinds
from cm_engine.analysis.automaton import Automaton
from cm_engine.analysis.explored import Explored
from cm_engine.analysis.extremes import maximum
from cm_engine.analysis.proofs.course import most_at_hand
from cm_engine.analysis.proofs.finding import Finding
from cm_engine.program.models import Program
from cm_engine.program.parts import WEEKDAYS
from cm_engine.rules.compiled import TargetRules, compile_rules
from cm_engine.rules.windows import AS_PLANNED, Counted, Plan, Window
from cm_engine.spelling import counted, days_long

MONDAY = date(2026, 1, 5)
"""From this day on a plan is looked at with each weekday as its first; closures are of one year, and left out."""


def of_words(program: Program) -> Iterator[Finding]:
    """Yield what can be told from a program file alone."""
    rules = compile_rules(program.model_copy(update={"closures": ()}))
    for target in rules.targets:
        if target.windows:
            plans = (Plan(rules, target, MONDAY + timedelta(days=day), AS_PLANNED) for day in range(7))
            yield from islice(chain.from_iterable(map(_over_others, plans)), 1)


def of_states(explored: Explored) -> Iterator[Finding]:
    """Yield what can be told from all states of a program."""
    yield from _two_words(explored)
    yield from _out_of_reach(explored)


def _two_words(explored: Explored) -> Iterator[Finding]:
    """Yield that a visit which is not attended pays differently by the word it is recorded with."""
    for target in explored.rules.targets:
        behavior = explored.program.targets[target.name].behavior
        apart = next(_told_apart(explored, target), None) if behavior == "attendance" else None
        if apart is not None:
            said = (
                f"A visit of {target.name} that nobody came to, as in week {target.visits[apart].week}, does not lead to the same if "
                "it is recorded as + (not attended) and if it is recorded as o (missed). Let resets, milestones and a deposit "
                "name both, or agree on one word."
            )
            yield Finding("two-words", "warning", said)


def _told_apart(explored: Explored, target: TargetRules) -> Iterator[int]:
    """Yield the places of the visits of a target at which the two words come to something else, then or later."""
    automata: Iterable[Automaton] = (*explored.automata, *explored.ties)
    for automaton in automata:
        places = [place for place, slot in enumerate(automaton.slots) if slot.target == target.index]
        known = kinds(automaton) if places else []
        for place in places:
            if _differs(automaton, place, known[place], known[place + 1]):
                yield automaton.slots[place].visit


def _differs(automaton: Automaton, place: int, staying: Kinds, after: Kinds) -> bool:
    """Tell whether a result that was not met and one that was missed do different things in some state."""
    table = automaton.table(place)
    rows = [table.rows[state] for state in table.closed(automaton.reach[place])]
    leads = np.where(table.stays, staying[table.after], after[table.after])
    columns = {action: column for column, action in enumerate(table.actions)}
    pairs = [(columns[each], columns[other]) for each in columns if (other := _missed(each)) in columns]
    done = [each[rows] for each in (leads, table.parts, table.stays)]
    return any(not np.array_equal(each[:, one], each[:, other]) for one, other in pairs for each in done)


def _missed(action: Action) -> Action | None:
    """Return what is seen instead of a visit that was not met; None for all else."""
    return action._replace(symbol="o") if action.symbol == "+" else None


def _out_of_reach(explored: Explored) -> Iterator[Finding]:
    """Yield that what is saved can never be asked for: the most that can be at hand at a time is less than the least."""
    payout, money = explored.program.payout, explored.money
    if not (money and payout.minimum) or explored.is_open(money):
        return
    least, most = money.minor(payout.minimum), maximum(explored, money).sure + _stake(explored)
    if payout.expires_after is not None:
        most = min(most, most_at_hand(explored, money, payout.expires_after + 1))
    if most < least:
        before = (
            f" before it expires after {counted(payout.expires_after, 'day')}" if payout.expires_after else ""
        )
        said = (
            f"Nobody who comes on the planned days has more than {money.spoken(most)} saved at a time{before}, and "
            f"{money.spoken(least)} is the least that is handed over: nothing can be asked for until the episode is ended."
        )
        yield Finding("out-of-reach", "warning", said)


def _stake(explored: Explored) -> int:
    """Return what a participant has staked, which nobody has at hand until it is given back."""
    return explored.rules.deposit.stake if explored.rules.deposit else 0


def _over_others(plan: Plan) -> Iterator[Finding]:
    """Yield that the days of a visit reach the planned day of the next one, so that days in a row pay several visits."""
    days = [(visit, window) for visit in plan.target.visits if (window := plan.window(visit))]
    for (visit, window), (_, later) in pairwise(days):
        gaps = _gaps(plan, visit.number, window, later) if _reaches(plan, window, later) else []
        if gaps:
            shortest = f"{days_long(min(gaps))} apart" if min(gaps) else "of one day"
            said = (
                f"The days of a visit of {plan.target.name} reach the planned day of another, which comes "
                f"{days_long((later.planned - window.planned).days)} later{_begun_on(plan.start)}: results {shortest} can be paid as both. "
                "Shorten its windows."
            )
            yield Finding("windows-over-others", "warning", said)
            return


def _begun_on(start: date) -> str:
    """Say on which day of the week a plan begins, if it is not the first."""
    return "" if start == MONDAY else f" for who begins on a {WEEKDAYS[start.weekday()].capitalize()}"


def _reaches(plan: Plan, window: Window, later: Window) -> bool:
    """Tell whether a visit has the planned day of the next one; within one week that is what is meant."""
    if window.planned == later.planned or (plan.windows.within == "week" and window.opens == later.opens):
        return False
    return later.opens <= window.planned or later.planned <= window.closes


def _gaps(plan: Plan, number: int, window: Window, later: Window) -> list[int]:
    """Return how many days two results can be apart of which each counts for a visit of its own."""
    return [
        (second - first).days
        for first in _each(window)
        for second in _each(later)
        if first <= second and _counts(plan, Counted(first, number), second)
    ]


def _each(window: Window) -> list[date]:
    return [date.fromordinal(day) for day in range(window.opens.toordinal(), window.closes.toordinal() + 1)]


def _counts(plan: Plan, counted: Counted, day: date) -> bool:
    return plan.place(counted.visit, counted, day, day).how == "counts"
