"""The course of an episode: pauses, visits moved, discharge and return, as the acts on it say."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from cm_engine.errors import ReportError
from cm_engine.log.history import MIGRATED, SWEPT, VOIDED, Zones, corrected, day_in
from cm_engine.log.moves import EXPORTED, IMPORTED
from cm_engine.log.rows import RecordRow
from cm_engine.log.sited import PLACED, REPLANNED, TRANSFERRED, placed, replanned, transferred
from cm_engine.log.stand import Enrolled
from cm_engine.rules.windows import Calendar, Pause, Plan

PAUSED, RESUMED, MOVED, DISCHARGED, READMITTED = "paused", "resumed", "moved", "discharged", "readmitted"
FROZEN, RELEASED = "frozen", "released"
ONE_DAY = timedelta(days=1)

LASTS = "~"
"""The end of a freeze that lasts: it comes after all days."""


class Freeze(NamedTuple):
    """Days on which nothing could be handed over: from the first up to the one before the last, on which that ended."""

    first: str
    back: str


Change = Callable[[Enrolled, Calendar, Mapping[str, Any]], Calendar]


def calendar_of(enrolled: Enrolled, records: Iterable[RecordRow]) -> Calendar:
    """Return what moves the plan of an enrollment, after all acts.

    Raises:
        ReportError: an act does not fit the course so far.
    """
    calendar, records, enrolled = Calendar(), list(records), enrolled.under(enrolled.row.program)
    voided = corrected(records, VOIDED)
    for record in records:
        if record.kind == MIGRATED:  # what the plan was then decides what could be told of it
            enrolled = enrolled.under(json.loads(record.body)["program"])
        if (change := CHANGES.get(record.kind)) and record.seq not in voided:
            calendar = change(enrolled, calendar, json.loads(record.body))
    return calendar


def freezes_of(records: Iterable[RecordRow], zones: Zones) -> tuple[Freeze, ...]:
    """Return when an enrollment was frozen, by the clinic's days on which that was recorded, and not those that were told.

    Args:
        records: all its acts, in their order.
        zones: of the clinic.
    """
    found: list[Freeze] = []
    told: dict[int, str] = {}
    for record in records:
        if record.kind == VOIDED:
            told.pop(json.loads(record.body)["of"], None)
        elif record.kind in {FROZEN, RELEASED}:
            told[record.seq] = record.kind
        else:
            continue
        is_frozen, was_frozen = [*told.values()][-1:] == [FROZEN], bool(found) and found[-1].back == LASTS
        if is_frozen and not was_frozen:
            found.append(Freeze(day_in(record.recorded_at, zones), LASTS))
        elif was_frozen and not is_frozen:
            found[-1] = found[-1]._replace(back=day_in(record.recorded_at, zones))
    return tuple(found)


def _paused(enrolled: Enrolled, calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    first, before = date.fromisoformat(body["on"]), calendar.pauses[-1] if calendar.pauses else None
    _refuse_after_end(calendar, first)
    _refuse_without_windows(enrolled)
    if before and (before.back is None or first < before.back):
        until = f"until {before.back}" if before.back else "and lasts"
        told = f"on: the enrollment is paused from {before.first} {until}"
        raise ReportError(f"{told}; resume it first, or void that pause and tell them in their order")
    return calendar._replace(pauses=(*calendar.pauses, Pause(first, None)))


def _resumed(_: Enrolled, calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    back = date.fromisoformat(body["on"])
    _refuse_after_end(calendar, back)
    if not calendar.pauses or calendar.pauses[-1].back is not None:
        raise ReportError("on: the enrollment is not paused, so that nothing can be resumed")
    *before, last = calendar.pauses
    if back < last.first:
        raise ReportError(f"on: it is paused from {last.first}, and cannot be resumed on {back}, before that")
    return calendar._replace(pauses=(*before, last._replace(back=back)))


def _moved(enrolled: Enrolled, calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    target = enrolled.rules.target(body["target"])
    number, to = body["visit"], date.fromisoformat(body["to"])
    _refuse_after_end(calendar, to)
    if target.windows is None:
        _refuse_without_windows(enrolled, target.name)
    if not 1 <= number <= len(target.visits):
        raise ReportError(
            f"visit: the plan of {target.name!r} has visits 1 to {len(target.visits)}, got {number}"
        )
    plan = Plan(enrolled.rules, target, date.fromisoformat(enrolled.row.start), calendar)
    if stays := plan.stays_beside(number, to):
        raise ReportError(f"to: {stays}, got {to}")
    moved = calendar._replace(moved={**calendar.moved, (target.name, number): plan.before_pauses(to)})
    found = Plan(enrolled.rules, target, plan.start, moved).window(target.visits[number - 1])
    if found is None or found.planned != to or plan.is_paused(found):
        raise ReportError(f"to: nobody is expected on {to}; the clinic is closed, or the enrollment paused")
    return moved


def _discharged(_: Enrolled, calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    _refuse_after_end(calendar, date.max)
    return calendar._replace(last=date.fromisoformat(body["on"]))


def _readmitted(_: Enrolled, calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    on = date.fromisoformat(body["on"])
    if calendar.last is None:
        raise ReportError("on: the episode goes on, so that nobody can be readmitted to it")
    if on <= calendar.last:
        raise ReportError(
            f"on: discharged on {calendar.last}, and cannot be readmitted on {on}, not after that"
        )
    left = calendar.last + ONE_DAY
    before = (each for each in calendar.pauses if each.first < left)
    pauses = (each._replace(back=min(each.back or left, left)) for each in before)
    return calendar._replace(pauses=(*pauses, Pause(left, on)), last=None)


def _frozen(_: Enrolled, calendar: Calendar, __: Mapping[str, Any]) -> Calendar:
    if calendar.frozen:
        raise ReportError("on: the enrollment is frozen already; release it first")
    return calendar._replace(frozen=True)


def _released(_: Enrolled, calendar: Calendar, __: Mapping[str, Any]) -> Calendar:
    if not calendar.frozen:
        raise ReportError("on: the enrollment is not frozen, so that nothing can be released")
    return calendar._replace(frozen=False)


def _placed(_: Enrolled, calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    return placed(calendar, body)


def _transferred(_: Enrolled, calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    _refuse_after_end(calendar, date.max)
    return transferred(calendar, body)


def _replanned(_: Enrolled, calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    return replanned(calendar, body)


def _exported(_: Enrolled, calendar: Calendar, body: Mapping[str, Any]) -> Calendar:
    return calendar._replace(away=date.fromisoformat(body["on"])) if body["leaves"] else calendar


def _imported(_: Enrolled, calendar: Calendar, __: Mapping[str, Any]) -> Calendar:
    if calendar.away is None:
        raise ReportError("the enrollment has not left, so that it cannot arrive")
    return calendar._replace(away=None)


def refuse_if_away(calendar: Calendar, kind: str) -> None:
    """Refuse an act on an enrollment that goes on in another database.

    Raises:
        ReportError: it left, and has not come back.
    """
    if calendar.away is not None and kind != IMPORTED:
        left = f"the enrollment left on {calendar.away}, and goes on where its bundle was imported"
        raise ReportError(f"{left}; report it there, or import a bundle of it here when it comes back")


def _refuse_after_end(calendar: Calendar, day: date) -> None:
    """Refuse what is on a day after the end of an episode; a day up to an end that was told ahead is as any other."""
    last = calendar.last
    if last is not None and day > last:
        wrong = "void that discharge if it was told wrong"
        again = f"readmit the participant from {last + ONE_DAY} on, or enroll anew"
        raise ReportError(f"the episode ended on {last}; {wrong}, {again}")


def _refuse_without_windows(enrolled: Enrolled, target: str = "") -> None:
    if target or not enrolled.rules.has_windows:
        what = f"target {target!r}" if target else "the program"
        raise ReportError(f"{what} has no windows, so that its visits have no days that could move")


CHANGES: Mapping[str, Change] = {
    PAUSED: _paused,
    RESUMED: _resumed,
    MOVED: _moved,
    DISCHARGED: _discharged,
    READMITTED: _readmitted,
    FROZEN: _frozen,
    RELEASED: _released,
    PLACED: _placed,
    TRANSFERRED: _transferred,
    REPLANNED: _replanned,
    EXPORTED: _exported,
    IMPORTED: _imported,
}
"""What each kind of act makes of the calendar."""

COURSE = (*CHANGES, SWEPT)
"""The kinds of acts on the course of an episode."""

TAKEN_BACK = {PAUSED, RESUMED, MOVED, DISCHARGED, READMITTED, FROZEN, RELEASED}
"""Those that can be voided: whoever told them was wrong."""
