"""An enrollment leaves for another database: the act that exports it, and the bundle that follows from the log."""

import json
from typing import Any, NamedTuple

from cm_engine.acts.recording import Act, Recording
from cm_engine.acts.register import MISSING, Register
from cm_engine.bundles.bundle import Bundle, bundle_of, told_by
from cm_engine.bundles.checking import refuse_unsound, stood, with_state
from cm_engine.bundles.layout import Rows, digests_of
from cm_engine.errors import EnrollmentNotFoundError, KeyConflictError, ReportError, SecretError
from cm_engine.log.encoding import dumped
from cm_engine.log.history import day_in, zones_of
from cm_engine.log.moves import EXPORTED, Received, elsewhere, together
from cm_engine.log.rows import RecordRow, StandingRow
from cm_engine.log.stand import Enrolled
from cm_engine.plain import named, one_line, unreserved
from cm_engine.ports import Transaction
from cm_engine.wrapping import TRAVELS, wrapped

SAME = ("to", "why", "consent", "leaves")
"""What two exports under one key must have in common."""


class Leaving(NamedTuple):
    """An export that somebody asks for; `asked_to_leave` makes one of what a caller gives."""

    enrollment: str
    to: str
    why: str
    consent: str
    leaves: bool
    source: str
    key: str
    by: str


def asked_to_leave(asked: Leaving) -> Leaving:
    """Return an export that somebody asks for, looked at.

    Raises:
        ReportError: a text is missing or has several lines, or the source begins with @.
    """
    for name in ("enrollment", "key", "by"):
        named(name, getattr(asked, name))
    for name in ("to", "why"):
        one_line(name, getattr(asked, name))
    unreserved("source", asked.source)
    if asked.consent:
        named("consent", asked.consent)
    return asked


def leave_as_asked(tx: Transaction, register: Register, now: str, asked: Leaving, key: bytes) -> Bundle:
    """Write the act that exports an enrollment, and return its bundle; under the same key the same bundle again.

    Args:
        tx: where it is; begun with `lock`.
        register: finds programs and secrets.
        now: the time.
        asked: what is asked for.
        key: that the two hosts share, empty without one.

    Raises:
        EnrollmentNotFoundError: there is no such enrollment.
        KeyConflictError: the key was used for something else.
        ReportError: it left already; or it draws prizes, and no key is given.
        BundleError: its log is not sound; look at `verify`.
        SecretError: it draws prizes, and the engine has no secret, or another one.
    """
    known = tx.look_up([], [(asked.source, asked.key)]).records.get((asked.source, asked.key))
    record = _same(known, asked) if known else _exported(tx, register, now, asked)
    enrolled = register.enrolled(tx, asked.enrollment)
    rows = _rows_until(tx, enrolled, record)
    seed = _travelling(enrolled, key)
    refuse_unsound(rows, enrolled.seed)
    return bundle_of(rows, *stood(rows, enrolled.seed), seed, key)


def _same(known: RecordRow, asked: Leaving) -> RecordRow:
    """Return the act of a key, if it is the export that is asked for."""
    stored, given = told_by(known), {name: getattr(asked, name) for name in SAME}
    if known.enrollment != asked.enrollment or {name: stored.get(name) for name in SAME} != given:
        same = known.enrollment == asked.enrollment
        told = f"{known.kind} {known.body}" if same else "an act on something else"
        raise KeyConflictError(asked.source, asked.key, told, f"{EXPORTED} {dumped(given)}")
    return known


def _exported(tx: Transaction, register: Register, now: str, asked: Leaving) -> RecordRow:
    """Write the act that exports."""
    standing = tx.look_up([asked.enrollment], []).standings.get(asked.enrollment)
    if standing is None:
        raise EnrollmentNotFoundError(asked.enrollment)
    enrolled, stand = register.stand(tx, standing)
    body: dict[str, Any] = {name: getattr(asked, name) for name in SAME}
    body |= {"on": day_in(now, zones_of(enrolled.row.zone, stand.calendar)), "head": standing.head}
    if received := _received_beside(tx, register, enrolled):
        body["elsewhere"] = {name: sorted(pools.items()) for name, pools in sorted(received.items())}
    text = dumped(body)
    act = Act(asked.enrollment, EXPORTED, asked.source, asked.key, asked.by, json.loads(text), text)
    return Recording(tx, register, now, locked=True).take([act])[0].record


def _received_beside(tx: Transaction, register: Register, enrolled: Enrolled) -> dict[str, Received]:
    """Return what the participant's other enrollments have received from the payers' pools of this one."""
    mine = {pool for pool in enrolled.pools if pool.scope == "payer"}
    others = tx.enrollments(participant=enrolled.row.participant) if mine else []
    found = known_elsewhere(tx, enrolled.row.participant) if mine else {}
    found |= {row.id: _own(tx, register, row.id) for row in others}
    kept = {
        name: {pool: own for pool, own in each.items() if pool in mine and own}
        for name, each in found.items()
    }
    return {name: each for name, each in kept.items() if each and name != enrolled.row.id}


def known_elsewhere(tx: Transaction, participant: str) -> dict[str, Received]:
    """Return what is known here of what enrollments of a participant had received when another one moved."""
    found: dict[str, Received] = {}
    for row in tx.enrollments(participant=participant):
        found = together(found, elsewhere(tx.records(row.id)))
    return found


def _own(tx: Transaction, register: Register, enrollment: str) -> Received:
    standing = tx.standing(enrollment)
    assert standing is not None, "an enrollment stands somewhere"
    return register.stand(tx, standing)[1].own


def _rows_until(tx: Transaction, enrolled: Enrolled, last: RecordRow) -> Rows:
    """Return the rows of an enrollment up to an act that decided nothing."""
    row = enrolled.row
    records = tuple(each for each in tx.records(row.id) if each.seq <= last.seq)
    decisions = tuple(each for each in tx.decisions(row.id) if each.record <= last.seq)
    number = decisions[-1].number if decisions else 0
    rows = Rows(
        programs=tuple(tx.programs(digest=each)[0] for each in digests_of(row, records)),
        enrollment=row,
        records=records,
        decisions=decisions,
        entries=tuple(tx.entries(row.id, last=number)),
        payouts=tuple(each for each in tx.payouts(row.id) if each.number <= number),
        standing=StandingRow(row.id, last.seq, number, last.hash, last.recorded_at, ""),
    )
    return with_state(rows, enrolled.seed)


def _travelling(enrolled: Enrolled, key: bytes) -> str:
    """Return the seed of an enrollment's draws, wrapped to travel; empty if it draws nothing.

    Raises:
        ReportError: there is no key to wrap it with.
        SecretError: the engine has no secret.
    """
    if not enrolled.row.commitment:
        return ""
    if not enrolled.seed:
        raise SecretError(MISSING)
    if not key:
        msg = "seal_with: this program draws prizes, and their seed travels wrapped: give a key of 32 bytes that only you and the other host know"
        raise ReportError(msg)
    return wrapped(enrolled.seed, key, TRAVELS, enrolled.row.id)
