"""From one version of a program to another, within an episode.

From its day on, results are decided by the new version, as if it had decided all results before; what those were awarded
stays as it was, and counts for the new version's limits. Visits whose days were over before it are the old version's.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from cm_engine.errors import CmEngineError, CorrectionError, ReportError
from cm_engine.log.attending import Shared, attended
from cm_engine.log.deciding import Finding, decided
from cm_engine.log.entering import waiting_of
from cm_engine.log.history import MIGRATED, Seen
from cm_engine.log.rows import RecordRow
from cm_engine.log.stand import Enrolled, Stand, start_of
from cm_engine.program.models import Program
from cm_engine.program.values import OUTCOMES
from cm_engine.rules.compiled import Rules
from cm_engine.rules.limits import When, add
from cm_engine.rules.prizes import Slips, full_bowl
from cm_engine.rules.shared import pools
from cm_engine.rules.state import Decision, Observation, Received, State

NO_OTHERS: Shared = lambda _: {}  # noqa: E731
"""What shared pools have received from others, where nothing is awarded."""


class Move(NamedTuple):
    """A change to another version: from which day on, the digest of that version, and the act."""

    day: date
    program: str
    record: int = 0


def moves_of(records: Iterable[RecordRow]) -> tuple[Move, ...]:
    """Return the changes of an enrollment, in the order of their days."""
    bodies = ((record.seq, json.loads(record.body)) for record in records if record.kind == MIGRATED)
    return tuple(Move(date.fromisoformat(body["on"]), body["program"], record) for record, body in bodies)


def in_force(enrolled: Enrolled, records: Iterable[RecordRow], day: date) -> Enrolled:
    """Return an enrollment under the version of its program that decides a day."""
    moved = [move.program for move in moves_of(records) if move.day <= day]
    return enrolled.under([enrolled.row.program, *moved][-1])


def migrated(
    enrolled: Enrolled, stand: Stand, move: Move, before: Sequence[Seen], findings: Sequence[Finding]
) -> Stand:
    """Return where an enrollment stands under another version of its program.

    Args:
        enrolled: the enrollment, under the version before.
        stand: where it stands under that.
        move: the change.
        before: the observations before its day, and that the days before it are over.
        findings: what each of them led to.

    Raises:
        CorrectionError: the other version cannot decide what was told before the change.
    """
    new = enrolled.under(move.program)
    as_if = _as_if(new, stand, move, before, findings)
    received = _received(new.rules, date.fromisoformat(new.row.start), findings)
    state = as_if.state._replace(received=received)
    return stand._replace(
        state=state,
        place=max(stand.place, (move.day.isoformat(), "")),
        slips=_slips(enrolled.rules.program, new.rules.program, stand.slips),
        own={**stand.own, **pools(new.rules, state)},
        counted=as_if.counted,
        moved_to=(*stand.moved_to, (move.program, move.day.isoformat())),
        missed=_missed_ahead(new.rules, state, findings),
    )


def _missed_ahead(rules: Rules, state: State, findings: Iterable[Finding]) -> dict[str, int]:
    """Return the last visit of a target that was missed so far, where the version counts it among those to come."""
    last: dict[str, int] = {}
    for seen, decision, *_ in findings:
        if seen.visit:
            last[decision.target] = max(seen.visit, last.get(decision.target, 0))
    done = {target.name: state.tracks[target.index].visits for target in rules.targets}
    return {name: number for name, number in last.items() if number > done.get(name, number)}


def _as_if(
    new: Enrolled, stand: Stand, move: Move, before: Sequence[Seen], findings: Sequence[Finding]
) -> Stand:
    """Return where the enrollment would stand, had the version decided everything; nothing is drawn again."""
    as_if = Stand(start_of(new), calendar=stand.calendar)
    read = {finding.seen.record: finding.decision for finding in findings if finding.seen.record > 0}
    told = ((each, read.get(each.record)) for each in before)
    known = [found for each, decision in told if (found := _as_known(new, move, each, decision))]
    for index, each in enumerate(known):
        try:
            as_if, _ = attended(new, as_if, each, known[index + 1 :], NO_OTHERS)
        except CmEngineError as error:
            if each.told[0] < move.record:
                msg = f"version {new.rules.program.version} cannot decide it: {error}"
                raise CorrectionError(each.record, msg) from error
    return as_if


def _as_known(new: Enrolled, move: Move, seen: Seen, read: Decision | None) -> Seen | None:
    """Return what a version knows of a report: told after the change and not to be read, what it was read as before.

    None if that is nothing to it either.
    """
    if seen.closes or seen.told[0] < move.record or _can_read(new, seen):
        return seen
    if read is None or read.outcome not in OUTCOMES:
        return None
    plain = seen._replace(observation=Observation(read.outcome, read.on, seen.observation.target))
    return plain if _can_read(new, plain) else None


def _can_read(new: Enrolled, seen: Seen) -> bool:
    """Tell whether a version can read a report, wherever an enrollment stands."""
    try:
        decided(new, Stand(start_of(new)), seen, {})
    except CmEngineError:
        return False
    return True


def _received(rules: Rules, start: date, findings: Iterable[Finding]) -> tuple[Received, ...]:
    """Return what the windows of a version's limits have received by what was awarded."""
    received = tuple(Received() for _ in rules.limits)
    for _, decision, prizes, _ in findings:
        on = decision.on or start
        when = When(on.toordinal(), decision.week or max(0, (on - start).days // 7) + 1, on)
        for unit, amount in (*decision.paid, *([prizes.paid] if prizes else [])):
            if amount > 0:
                limits = rules.limits_on.get(unit.name, ())
                received = add(limits, received, amount, amount, when)
    return received


def _slips(old: Program, new: Program, slips: Mapping[str, Slips]) -> dict[str, Slips]:
    """Return what is in each bowl: as it was left, or full if the bowl is another one."""
    same = {unit for unit, bowl in new.bowls.items() if old.bowls.get(unit) == bowl}
    return {unit: slips[unit] if unit in same else full_bowl(new, unit) for unit in new.bowls}


def refuse_migration(enrolled: Enrolled, records: Iterable[RecordRow], body: Mapping[str, Any]) -> None:
    """Refuse a change that cannot be made.

    Raises:
        ReportError: it is to no other version of the program, to one with other units or with a deposit, to one that
            draws prizes from one that did not, or on a day before the start or before the change before it; or
            entries wait for a second person, whom the other version may not ask for.
    """
    move, moves = Move(date.fromisoformat(body["on"]), body["program"]), moves_of(records)
    old, new = enrolled.rules.program, enrolled.under(move.program).rules.program
    if new.program != old.program or move.program == enrolled.rules.digest:
        raise ReportError(
            f"program: expected another version of {old.program}@{old.version}, got {new.program}@{new.version}"
        )
    if (new.currency, new.units) != (old.currency, old.units) or new.deposit or old.deposit:
        raise ReportError("program: both versions must have the same currency and units, and no deposit")
    if new.bowls and not enrolled.row.commitment:
        told = f"{new.program}@{new.version} draws prizes, and no seed was committed to"
        raise ReportError(f"program: {told} when the participant was enrolled; enroll anew")
    if waiting := waiting_of(records):
        which = ", ".join(str(entry.record) for entry in waiting)
        told = f"entries wait for a second person (record {which})"
        raise ReportError(
            f"program: {told}; have them entered again, or withdraw them, and then change the version"
        )
    since = moves[-1].day if moves else date.fromisoformat(enrolled.row.start)
    if move.day < since:
        raise ReportError(f"on: expected {since} or later, when the version before began, got {move.day}")
