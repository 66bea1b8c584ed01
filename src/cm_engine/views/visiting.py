"""The visits of an enrollment as people look at them: when each is expected, and what became of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from cm_engine.acts.recorded import RecordedDecision
from cm_engine.log.attending import NOT_COUNTED, UNPLACED, plan_of
from cm_engine.log.correction import WITHDRAWN, latest
from cm_engine.log.encoding import reasons_from
from cm_engine.log.rows import DecisionRow, EnrollmentRow
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.rules.plan import Visit
from cm_engine.rules.reasons import Waiting
from cm_engine.rules.windows import Plan

KEPT = {UNPLACED, NOT_COUNTED, WITHDRAWN}
"""The outcomes of what decides no visit."""

Status = Literal["decided", "open", "overdue", "planned", "paused"]


@dataclass(frozen=True, slots=True)
class PlannedVisit:
    """A visit of a target with windows.

    Attributes:
        target, number, week: which visit it is; both are counted from 1.
        on: the day on which it is planned, after closures, pauses and moves.
        opens, closes: the first and the last day that belong to it.
        status: decided; open on the day that was asked for, overdue or planned then; or paused.
        decision: the decision on it, once it is decided; the day's list does not look it up.
    """

    enrollment: str
    participant: str
    target: str
    number: int
    week: int
    on: date
    opens: date
    closes: date
    status: Status
    decision: RecordedDecision | None = None


def planned_visits(
    enrolled: Enrolled, stand: Stand, decisions: Iterable[DecisionRow], day: date
) -> Iterator[PlannedVisit]:
    """Yield the visits of all targets with windows that have a day, as a day sees them.

    Those after a pause that lasts, or after the end of the episode, have none.

    Args:
        enrolled: the enrollment.
        stand: where it stands.
        decisions: of the enrollment; without them only visits not decided yet.
        day: that they are open on, or overdue.
    """
    found = {
        (row.target, row.visit): RecordedDecision(row, enrolled.rules)
        for row in latest(decisions).values()
        if row.outcome not in KEPT and not _asks_again(enrolled, row)
    }
    for target in enrolled.rules.targets:
        if target.windows:
            done = stand.state.tracks[target.index].visits
            for visit in target.visits[0 if found else done :]:
                decision = found.get((target.name, visit.number))
                plan = _plan_for(plan_of(enrolled, stand, target), decision)
                if planned := _planned(enrolled.row, plan, visit, done, day):
                    yield _with(planned, decision, visit.number <= done)


def _asks_again(enrolled: Enrolled, row: DecisionRow) -> bool:
    """Tell whether a decision leaves its visit open for another specimen."""
    reasons = reasons_from(row.reasons, enrolled.rules.program.unit)
    return any(isinstance(reason, Waiting) for reason in reasons)


def _plan_for(plan: Plan, decision: RecordedDecision | None) -> Plan:
    """Return the plan of a visit: of one that is decided as it was on the day of that, whatever pause came later."""
    return plan.by(decision.on) if decision and decision.on else plan


def _planned(row: EnrollmentRow, plan: Plan, visit: Visit, done: int, day: date) -> PlannedVisit | None:
    window = plan.window(visit)
    if window is None or (plan.is_after_end(window) and visit.number > done):
        return None
    status: Status = "open" if window.opens <= day else "planned"
    if day > window.closes:
        status = "overdue"
    if plan.is_paused(window):
        status = "paused"
    days = (window.planned, window.opens, window.closes)
    return PlannedVisit(row.id, row.participant, plan.target.name, visit.number, visit.week, *days, status)


def _with(visit: PlannedVisit, decision: RecordedDecision | None, is_done: bool) -> PlannedVisit:  # noqa: FBT001
    return replace(visit, status="decided", decision=decision) if is_done else visit


def open_questions(enrolled: Enrolled, decisions: Iterable[DecisionRow]) -> list[RecordedDecision]:
    """Return the decisions that wait for somebody to say which visit a result is of."""
    rows = (row for row in latest(decisions).values() if row.outcome == UNPLACED)
    return [RecordedDecision(row, enrolled.rules) for row in rows]
