"""What an act does to a log: the one way that recording takes, and that the audit takes again."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from cm_engine.errors import BalanceError, RecordNotFoundError, ReportError
from cm_engine.log.attending import leaves_the_past
from cm_engine.log.correction import Log, awarded_by, redecide
from cm_engine.log.fold import Turn, Written, follow
from cm_engine.log.history import (
    AMENDED,
    ASSERTED,
    ENROLLED,
    OBSERVED,
    SWEPT,
    VOIDED,
    Seen,
    corrected,
    days_over,
    seen,
    standing_observations,
)
from cm_engine.log.rows import RecordRow
from cm_engine.log.stand import Enrolled, Stand


def taken(turn: Turn, record: RecordRow, body: Mapping[str, Any], log: Callable[[], Log]) -> Written:
    """Return what an act writes.

    An observation that comes after all others is decided from where the enrollment stands, whatever the length of
    its history; all else looks at the whole log.

    Args:
        turn: the enrollment as the act meets it.
        record: the act, with its hash.
        body: what it reports.
        log: gives all rows before the act.

    Raises:
        RecordNotFoundError: it corrects what is no observation.
        BalanceError: it asserts what is not true.
        CmEngineError: the observation does not fit the program.
    """
    enrolled, stand = turn.enrolled, turn.stand
    if record.kind in {OBSERVED, SWEPT}:
        reported = _reported(enrolled, stand, record, body)
        if "at" in body and ("on" in body or reported.place <= stand.place):
            _refuse_twice(log(), enrolled, reported)
        if reported.place >= stand.place and leaves_the_past(enrolled, stand, reported):
            return follow(turn, reported, record.seq, record.hash)
    if record.kind == ENROLLED:
        return Written((), (), (), stand)
    so_far = log()
    if record.kind == ASSERTED:
        _refuse_untrue(so_far, enrolled, body)
        return Written((), (), (), stand)
    if record.kind in {AMENDED, VOIDED}:
        _refuse_uncorrectable(so_far, enrolled.row.id, body["of"])
    if record.kind == AMENDED and "at" in body:
        _refuse_twice(so_far, enrolled, _as_amended(so_far, enrolled, record, body["of"]))
    about = body["of"] if record.kind in {AMENDED, VOIDED} else record.seq
    return redecide(enrolled, so_far, record, about)


def _reported(enrolled: Enrolled, stand: Stand, record: RecordRow, body: Mapping[str, Any]) -> Seen:
    """Return what an act reports.

    Raises:
        ReportError: the episode was over by then.
    """
    if record.kind == SWEPT:
        return days_over(record.seq, body)
    reported, last = seen(record.seq, body, record.recorded_at, enrolled.row.zone), stand.calendar.last
    if last is not None and reported.day > last:
        msg = (
            f"on is {reported.day}, and the episode ended on {last}; readmit the participant, or enroll anew"
        )
        raise ReportError(msg)
    return reported


def _as_amended(log: Log, enrolled: Enrolled, record: RecordRow, of: int) -> Seen:
    """Return an observation as an amendment leaves it."""
    stand = standing_observations((*log.records, record), enrolled.row.zone)
    return next(each for each in stand if each.record == of)


def _refuse_twice(log: Log, enrolled: Enrolled, reported: Seen) -> None:
    """Refuse a second result of a target from one moment: the same specimen, by another way."""
    rules, about = enrolled.rules, reported.observation
    for known in standing_observations(log.records, enrolled.row.zone):
        its = known.observation
        if (
            known.closes
            or about.event
            or its.event
            or known.record == reported.record
            or known.place[1] != reported.place[1]
        ):
            continue
        if len(rules.targets) == 1 or its.target == about.target:
            moment = f"a result of {known.place[1]} is recorded already, as record {known.record}"
            msg = f"collected_at: {moment}; amend that one, or say when this one was collected"
            raise ReportError(msg)


def _refuse_untrue(log: Log, enrolled: Enrolled, body: Mapping[str, Any]) -> None:
    """Refuse a balance that is not what the log comes to."""
    unit = enrolled.rules.program.unit(body["unit"])
    found = unit.plain(awarded_by(enrolled, log, body["on"]).get(unit.name, 0))
    if found != body["awarded"]:
        raise BalanceError(enrolled.row.id, unit.name, body["on"], body["awarded"], found)


def _refuse_uncorrectable(log: Log, enrollment: str, number: int) -> None:
    """Refuse to correct what is no observation, or what was voided."""
    kinds = {record.seq: record.kind for record in log.records}
    corrects = {record.seq: json.loads(record.body).get("of") for record in log.records}
    if number not in kinds:
        raise RecordNotFoundError(enrollment, number, "there is none; history lists what is recorded")
    if corrects[number]:
        raise RecordNotFoundError(
            enrollment, number, f"it corrects record {corrects[number]}; correct that one"
        )
    if kinds[number] != OBSERVED:
        raise RecordNotFoundError(
            enrollment, number, f"it was {kinds[number]}, and only what was observed is corrected"
        )
    if number in corrected(log.records, VOIDED):
        raise RecordNotFoundError(enrollment, number, "it was voided, for good; record the observation anew")
