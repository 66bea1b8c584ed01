"""What each next result would pay, and why: decided as it would be, and not written."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from cm_engine.errors import PlanExceededError, ResultsError
from cm_engine.log.attending import as_found, plan_of
from cm_engine.log.deciding import Others, expected_of, summed
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.program import Program
from cm_engine.program.values import OUTCOMES
from cm_engine.rules.compiled import TargetRules
from cm_engine.rules.shared import with_pools
from cm_engine.rules.state import Decision, Observation
from cm_engine.rules.step import step

Preview = Mapping[str, Mapping[str, Decision]]
"""The decision of each result that the next visit of a target may have: by target, then by symbol."""


class Ahead(NamedTuple):
    """What is ahead of an enrollment.

    Attributes:
        program: that decides by now.
        pays: what all visits to come would pay if every one were met, by unit.
    """

    program: Program
    pays: Mapping[str, Decimal]


def previews(
    enrolled: Enrolled, stand: Stand, others: Others, on: date | None, today: date | None = None
) -> Preview:
    """Return what each next result of each target would lead to.

    A target has none whose plan has ended, or that waits for another one to be decided first.

    Args:
        enrolled: the enrollment.
        stand: where it stands.
        others: what shared pools have received from other enrollments.
        on: the day of the next visit; None is the planned one.
        today: where visits have windows, those that are over by then are missed before the next one.

    Raises:
        ResultsError: the day suits no target.
    """
    rules = enrolled.rules
    found: dict[str, dict[str, Decision]] = {}
    refused: list[ResultsError] = []
    for target in rules.targets:
        try:
            day = on or (_next_day(enrolled, stand, others, target, today) if today else None)
            then = _found(enrolled, stand, others, target, day if target.windows else day or today)
            found[target.name] = _of_target(enrolled, then, others, target, day)
        except PlanExceededError:
            found[target.name] = {}
        except ResultsError as error:
            found[target.name] = {}
            refused.append(error)
    if on is not None and len(refused) == len(rules.targets):
        raise refused[0]
    return found


def rest(enrolled: Enrolled, stand: Stand) -> dict[str, Decimal]:
    """Return what all visits to come would pay if every one were met, by unit, in the order of their planned days.

    What other enrollments receive from shared pools, and what draws would win, is left out.
    """
    rules, state = enrolled.rules, stand.state
    found = Counter[str]()
    while ahead := [
        (target.visits[track.visits].days[0], target.index)
        for target, track in zip(rules.targets, state.tracks, strict=True)
        if track.visits < len(target.visits)
    ]:
        state, decision = step(rules, state, Observation("-", None, rules.targets[min(ahead)[1]].name))
        found.update({unit.name: amount for unit, amount in decision.paid})
    return {name: rules.program.unit(name).decimal(amount) for name, amount in found.items()}


def _next_day(
    enrolled: Enrolled, stand: Stand, others: Others, target: TargetRules, today: date
) -> date | None:
    """Return the day of the next visit as a day sees it: that day, if the visit is open then, or the planned one.

    A day may be open for the next visit, and a result of it still be another one of the visit before; then it is a later one.
    """
    if target.windows is None:
        return None
    plan, done = plan_of(enrolled, stand, target), stand.state.tracks[target.index].visits
    done += sum(1 for _ in plan.over(done, today))
    now, ahead = plan.by(today).expected_next(done), plan.expected_next(done)
    if now is None or not now.opens <= today <= now.closes:
        return ahead.planned if ahead else None
    left = [today + timedelta(days) for days in range((now.closes - today).days + 1)]
    days = [today, *(day for day in left if day == now.planned), *left]
    return next((day for day in days if as_found(enrolled, stand, target, day, others)), today)


def _found(enrolled: Enrolled, stand: Stand, others: Others, target: TargetRules, day: date | None) -> Stand:
    """Return where an enrollment stands as a result of a target would find it on a day.

    Raises:
        ResultsError: no visit of the target is open to it.
    """
    if not (enrolled.rules.has_windows and day):
        return stand
    found = as_found(enrolled, stand, target, day, others)
    if found is None:
        msg = f"no visit of {target.name!r} is open on {day}"
        raise ResultsError(msg)
    return found


def _of_target(
    enrolled: Enrolled, stand: Stand, others: Others, target: TargetRules, on: date | None
) -> dict[str, Decision]:
    rules = enrolled.rules
    state = with_pools(rules, stand.state, summed(others, stand.own)) if rules.shares else stand.state
    seen = {symbol: Observation(symbol, on, target.name) for symbol in OUTCOMES}
    return {symbol: step(rules, state, expected_of(stand.calendar, each))[1] for symbol, each in seen.items()}
