"""What an act gives reason to say, as it stands in the log: read in one transaction, and nothing is written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from cm_engine.acts.enrolling import found_enrollment
from cm_engine.acts.recorded import Recorded, RecordedDecision
from cm_engine.acts.recording import acts_of, whole_log
from cm_engine.acts.register import Register
from cm_engine.log.correction import WITHDRAWN, Log, latest
from cm_engine.log.moves import IMPORTED
from cm_engine.log.rows import Batch, DecisionRow, EntryRow, RecordRow
from cm_engine.messages.composing import DECISION, MISSED, compose
from cm_engine.messages.draft import Draft
from cm_engine.messages.kinds import PARTICIPANT
from cm_engine.messages.policy import MessagePolicy
from cm_engine.messages.signals import Fired, Seen, drafts_of, signals
from cm_engine.messages.standing import contact_in
from cm_engine.ports import Transaction
from cm_engine.rules.reasons import WasReset

Row = TypeVar("Row", RecordRow, DecisionRow, EntryRow)


def decided_in(tx: Transaction, batch: Batch, register: Register) -> Iterator[Recorded]:
    """Yield the acts of a batch that decided something; none of an enrollment that arrived with its log."""
    records, decisions = _of_each(batch.records), _of_each(batch.decisions)
    entries = _of_each(batch.entries)
    arrived = {record.enrollment for record in batch.records if record.kind == IMPORTED}
    for standing in batch.standings:
        each = standing.enrollment
        if each in decisions and each not in arrived:
            enrolled, stand = register.stand(tx, standing)
            for done in acts_of(enrolled, Log(records[each], decisions[each], entries.get(each, []))):
                yield Recorded(done._replace(frozen=stand.calendar.frozen))


def _of_each(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each enrollment."""
    found = dict[str, list[Row]]()
    for row in rows:
        found.setdefault(row.enrollment, []).append(row)
    return found


def messages_in(tx: Transaction, done: Recorded, policy: MessagePolicy) -> tuple[Draft, ...]:
    """Return what an act gives reason to say: to the participant, to supporters, and to the care team.

    It only reads, so an outbox may keep what it returns in the transaction of the act itself.

    Args:
        tx: where the act is.
        done: the act.
        policy: what the host asks of messages.
    """
    if done.replayed:
        return ()
    row = found_enrollment(tx, done.enrollment)
    recipients = (PARTICIPANT, *contact_in(tx, row.participant).supporters)
    said = compose(done, row.participant, row.zone, recipients, policy)
    again = _decided_again(tx, done)
    new = (each for each in said if each.about not in again)
    return (*new, *drafts_of(_fired(tx, done), row.participant, row.id))


def _decided_again(tx: Transaction, done: Recorded) -> set[str]:
    """Return which of the missed visits of an act were known before to be missed: they were told then."""
    if not done.missed:
        return set()
    rows = tx.decisions(done.enrollment)
    known = {(row.target, row.day) for row in rows if row.outcome == MISSED and row.record < done.record}
    return {f"{DECISION}{each.number}" for each in done.missed if (each.row.target, each.row.day) in known}


def _fired(tx: Transaction, done: Recorded) -> list[Fired]:
    """Return the signals that are given by visits which an act decided."""
    decided = {(each.target, each.visit): each.rules for each in done.decisions if each.visit}
    rules = next(iter(decided.values()), None)
    if rules is None or not rules.program.signals:
        return []
    rows = latest(whole_log(tx, done.enrollment).decisions).values()
    standing = sorted(
        (RecordedDecision(row, rules) for row in rows), key=lambda each: (each.row.day, each.visit)
    )
    fired = signals(rules.program.signals, timelines_of(standing, rules.program.targets))
    return [each for each in fired if (each.target, each.visit) in decided]


def timelines_of(
    standing: Iterable[RecordedDecision], targets: Iterable[str]
) -> Mapping[str, Sequence[Seen]]:
    """Return what was decided of the visits of each target, as signals look at it.

    Args:
        standing: the decisions that stand, in the order of their visits; what is on no visit, or of a target of an earlier
            version only, or was withdrawn, is left out.
        targets: of the program.
    """
    found: dict[str, list[Seen]] = {target: [] for target in targets}
    for each in standing:
        if each.visit and each.outcome != WITHDRAWN and each.target in found:
            was_reset = any(isinstance(reason, WasReset) for reason in each.reasons)
            found[each.target].append(Seen(each.visit, each.outcome, any(each.awards.values()), was_reset))
    return found
