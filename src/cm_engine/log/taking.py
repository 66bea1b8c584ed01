"""What an act does to a log: the one way that recording takes, and that the audit takes again."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from cm_engine.errors import BalanceError, RecordNotFoundError, ReportError
from cm_engine.log.attending import leaves_the_past
from cm_engine.log.bank import banked
from cm_engine.log.correction import Log, awarded_by, observations_of, redecide
from cm_engine.log.entering import ENTRIES, waiting_after
from cm_engine.log.episode import CHANGES, MOVED, TAKEN_BACK, refuse_if_away
from cm_engine.log.fold import Turn, Written, follow
from cm_engine.log.following import followed
from cm_engine.log.history import (
    AMENDED,
    ASSERTED,
    ENROLLED,
    MIGRATED,
    OBSERVED,
    SWEPT,
    VOIDED,
    Seen,
    corrected,
    days_over,
    seen,
    zones_of,
)
from cm_engine.log.migrating import in_force, refuse_migration
from cm_engine.log.moves import EXPORTED, IMPORTED
from cm_engine.log.purse import BANKED
from cm_engine.log.rows import RecordRow
from cm_engine.log.sited import SITED
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
    turn = _timed(_waited_for(turn, record, body), record, body)
    enrolled, stand = turn.enrolled, turn.stand
    refuse_if_away(stand.calendar, record.kind)
    if record.kind in {OBSERVED, SWEPT}:
        reported = _reported(enrolled, stand, record, body)
        if "at" in body and (body["at"] <= stand.timed or reported.place <= stand.place):
            _refuse_twice(log(), enrolled, reported)
        if reported.place >= stand.place and leaves_the_past(enrolled, stand, reported):
            return follow(turn, reported, record.seq, record.hash)
    if record.kind in {ENROLLED, EXPORTED, IMPORTED, *ENTRIES}:
        return Written((), (), (), _elsewhere_or_not(enrolled, stand, record.kind, body))
    so_far = log()
    if act := WITH_LOG.get(record.kind):
        return act(turn, record, so_far)
    _refuse_what_cannot_be(turn, record, body, so_far)
    if record.kind == ASSERTED:
        return Written((), (), (), stand)
    about = body["of"] if record.kind in {AMENDED, VOIDED} else record.seq
    return redecide(enrolled, so_far, record, about)


def _waited_for(turn: Turn, record: RecordRow, body: Mapping[str, Any]) -> Turn:
    """Return an enrollment as an act meets it, once the act has changed which entries wait for a second person."""
    before = turn.stand.waiting
    after = waiting_after(before, record, body)
    return turn if after is before else turn._replace(stand=turn.stand._replace(waiting=after))


def _timed(turn: Turn, record: RecordRow, body: Mapping[str, Any]) -> Turn:
    """Return an enrollment as an act meets it, once the act has told the time of what counts for another day."""
    if record.kind != OBSERVED or "at" not in body or "on" not in body:
        return turn
    return turn._replace(stand=turn.stand._replace(timed=max(turn.stand.timed, body["at"])))


def _elsewhere_or_not(enrolled: Enrolled, stand: Stand, kind: str, body: Mapping[str, Any]) -> Stand:
    """Return where an enrollment stands after an act that decides nothing: it may have left, or come."""
    change = CHANGES.get(kind)
    return stand._replace(calendar=change(enrolled, stand.calendar, body)) if change else stand


WITH_LOG: Mapping[str, Callable[[Turn, RecordRow, Log], Written]] = {
    **dict.fromkeys(SITED, followed),
    **dict.fromkeys(BANKED, banked),
}
"""What the acts write that look at the whole log and report no observation, by their kind."""


def _reported(enrolled: Enrolled, stand: Stand, record: RecordRow, body: Mapping[str, Any]) -> Seen:
    """Return what an act reports.

    Raises:
        ReportError: the episode was over by then.
    """
    if record.kind == SWEPT:
        return days_over(record.seq, record.kind, body)
    zones, last = zones_of(enrolled.row.zone, stand.calendar), stand.calendar.last
    reported = seen(record, body, zones)
    if last is not None and reported.day > last:
        msg = (
            f"on is {reported.day}, and the episode ended on {last}; readmit the participant, or enroll anew"
        )
        raise ReportError(msg)
    return reported


def _as_amended(log: Log, enrolled: Enrolled, record: RecordRow, of: int) -> Seen:
    """Return an observation as an amendment leaves it."""
    stand = observations_of(enrolled, (*log.records, record))
    return next(each for each in stand if each.record == of)


def _refuse_twice(log: Log, enrolled: Enrolled, reported: Seen) -> None:
    """Refuse a second result of a target from one moment: the same specimen, by another way."""
    rules, about = in_force(enrolled, log.records, reported.day).rules, reported.observation
    for known in observations_of(enrolled, log.records):
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


def _refuse_what_cannot_be(turn: Turn, record: RecordRow, body: Mapping[str, Any], log: Log) -> None:
    """Refuse an act that looks at the whole log and does not fit it."""
    enrolled, stand = turn.enrolled, turn.stand
    if record.kind == ASSERTED:
        _refuse_untrue(log, enrolled, body)
    elif record.kind == MOVED:
        _refuse_decided(enrolled, stand, body)
    elif record.kind == MIGRATED:
        refuse_migration(enrolled, log.records, body)
    elif record.kind in {AMENDED, VOIDED}:
        _refuse_uncorrectable(log, record, body["of"])
    if record.kind == AMENDED and "at" in body:
        _refuse_twice(log, enrolled, _as_amended(log, enrolled, record, body["of"]))


def _refuse_decided(enrolled: Enrolled, stand: Stand, body: Mapping[str, Any]) -> None:
    """Refuse to move a visit that is decided."""
    target, number = enrolled.rules.target(body["target"]), body["visit"]
    if 1 <= number <= stand.state.tracks[target.index].visits:
        msg = f"visit: visit {number} is decided already, and stays where it is; amend its result instead"
        raise ReportError(msg)


def _refuse_uncorrectable(log: Log, record: RecordRow, number: int) -> None:
    """Refuse to correct what is no observation, or what was voided; an act on the course of an episode can be voided."""
    enrollment, may_be = record.enrollment, {OBSERVED, *(TAKEN_BACK if record.kind == VOIDED else ())}
    kinds = {record.seq: record.kind for record in log.records}
    corrects = {record.seq: json.loads(record.body).get("of") for record in log.records}
    if number not in kinds:
        raise RecordNotFoundError(enrollment, number, "there is none; history lists what is recorded")
    if corrects[number]:
        raise RecordNotFoundError(
            enrollment, number, f"it corrects record {corrects[number]}; correct that one"
        )
    if kinds[number] not in may_be:
        raise RecordNotFoundError(
            enrollment, number, f"it was {kinds[number]}, and only what was observed is corrected"
        )
    if number in corrected(log.records, VOIDED):
        raise RecordNotFoundError(enrollment, number, "it was voided, for good; record the observation anew")
