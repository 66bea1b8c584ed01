"""From one version of a program to another, within an episode.

From its day on, results are decided by the new version, as if it had decided all results before; what those were awarded
stays as it was, and counts for the new version's limits.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from cm_engine.errors import CmEngineError, CorrectionError, ReportError
from cm_engine.log.attending import attended
from cm_engine.log.deciding import Finding
from cm_engine.log.history import Seen
from cm_engine.log.rows import RecordRow
from cm_engine.log.stand import Enrolled, Stand, start_of
from cm_engine.program.models import Program
from cm_engine.rules.compiled import Rules
from cm_engine.rules.limits import When, add
from cm_engine.rules.prizes import Slips, full_bowl
from cm_engine.rules.shared import pools
from cm_engine.rules.state import Received

MIGRATED = "migrated"


class Move(NamedTuple):
    """A change to another version: from which day on, and the digest of that version."""

    day: date
    program: str


def moves_of(records: Iterable[RecordRow]) -> tuple[Move, ...]:
    """Return the changes of an enrollment, in the order of their days."""
    bodies = (json.loads(record.body) for record in records if record.kind == MIGRATED)
    return tuple(Move(date.fromisoformat(body["on"]), body["program"]) for body in bodies)


def migrated(
    enrolled: Enrolled, stand: Stand, move: Move, seen: Sequence[Seen], findings: Iterable[Finding]
) -> Stand:
    """Return where an enrollment stands under another version of its program.

    Args:
        enrolled: the enrollment.
        stand: where it stands under the version before.
        move: the change.
        seen: its observations before that.
        findings: what each of them led to.

    Raises:
        CorrectionError: the other version cannot decide one of them.
    """
    new = enrolled.under(move.program)
    as_if = _as_if(new, stand, seen)
    state = as_if.state._replace(received=_received(new.rules, date.fromisoformat(new.row.start), findings))
    return stand._replace(
        state=state,
        place=max(stand.place, (move.day.isoformat(), "")),
        slips=_slips(enrolled.under(stand.state.program).rules.program, new.rules.program, stand.slips),
        own={**stand.own, **pools(new.rules, state)},
        counted=as_if.counted,
        moved_to=(*stand.moved_to, move.program),
    )


def _as_if(new: Enrolled, stand: Stand, seen: Sequence[Seen]) -> Stand:
    """Return where the enrollment would stand, had the version decided everything; nothing is drawn again."""
    as_if = Stand(start_of(new), calendar=stand.calendar)
    for index, each in enumerate(seen):
        try:
            as_if, _ = attended(new, as_if, each, seen[index + 1 :], lambda _: {})
        except CmEngineError as error:
            msg = f"version {new.rules.program.version} cannot decide it: {error}"
            raise CorrectionError(each.record, msg) from error
    return as_if


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
            draws prizes from one that did not, or on a day before the start or before the change before it.
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
    since = moves[-1].day if moves else date.fromisoformat(enrolled.row.start)
    if move.day < since:
        raise ReportError(f"on: expected {since} or later, when the version before began, got {move.day}")
