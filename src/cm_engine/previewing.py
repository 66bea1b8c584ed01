"""What each next result would pay, and why: decided as it would be, and not written."""

from collections.abc import Mapping
from datetime import date

from cm_engine.errors import PlanExceededError
from cm_engine.log.fold import Others, summed
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.program.values import OUTCOMES
from cm_engine.rules.shared import with_pools
from cm_engine.rules.state import Decision, Observation
from cm_engine.rules.step import step

Preview = Mapping[str, Mapping[str, Decision]]
"""The decision of each result that the next visit of a target may have: by target, then by symbol."""


def previews(enrolled: Enrolled, stand: Stand, others: Others, on: date | None) -> Preview:
    """Return what each next result of each target would lead to; a target whose plan has ended has none.

    Args:
        enrolled: the enrollment.
        stand: where it stands.
        others: what shared pools have received from other enrollments.
        on: the day of the next visit; None is the planned one.
    """
    rules, state = enrolled.rules, stand.state
    if rules.shares:
        state = with_pools(rules, state, summed(others, stand.own))
    found: dict[str, dict[str, Decision]] = {}
    for target in rules.targets:
        found[target.name] = {}
        for symbol in OUTCOMES:
            try:
                _, decision = step(rules, state, Observation(symbol, on, target.name))
            except PlanExceededError:
                break
            found[target.name][symbol] = decision
    return found
