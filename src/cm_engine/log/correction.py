"""What corrects the past: amendments, withdrawals and results that come late decide the whole log again."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cm_engine.errors import RulesChangedError
from cm_engine.ledger.accounts import FUND, OFFSET, Posting
from cm_engine.ledger.corrections import books, differences
from cm_engine.ledger.postings import Postings, due
from cm_engine.log.chain import GENESIS, hash_of
from cm_engine.log.encoding import awards_from, pools_from, prizes_from, reasons_from
from cm_engine.log.fold import Finding, Others, Written, entries_of, folded, payouts_of
from cm_engine.log.history import Seen, standing_observations
from cm_engine.log.rows import DecisionRow, EntryRow, RecordRow
from cm_engine.log.stand import Enrolled
from cm_engine.rules.state import State

WITHDRAWN = "withdrawn"
"""The outcome of an observation that was voided."""


class Log(NamedTuple):
    """All rows of one enrollment, in their order."""

    records: Sequence[RecordRow]
    decisions: Sequence[DecisionRow]
    entries: Sequence[EntryRow]


class Change(NamedTuple):
    """An observation that is decided anew: its row, without its hash, and what it was and is due."""

    row: DecisionRow
    former: Postings
    new: Postings


def redecide(enrolled: Enrolled, log: Log, record: RecordRow, start: State, others: Others) -> Written:
    """Decide the whole log again with an act more, and post what differs.

    Args:
        enrolled: the enrollment.
        log: all its rows so far.
        record: the act, with its hash.
        start: the state before the first observation.
        others: what shared pools have received from other enrollments by now.

    Raises:
        CorrectionError: with the act, some observation cannot be decided any more.
        RulesChangedError: today's rules decide something otherwise that the act has nothing to do with.
    """
    former = latest(log.decisions)
    zone = enrolled.row.zone
    seen = standing_observations((*log.records, record), zone)
    stand, findings = folded(enrolled, seen, start, shared_then(former, others))
    untouched = _untouched(standing_observations(log.records, zone), seen)
    _refuse_other_rules(findings[:untouched], former)
    changes = list(_changes(enrolled, log, record, former, findings))
    so_far = books(by_observation(log))
    dues = [(change.row.observation, change.former, change.new) for change in changes]
    posted = differences(dues, so_far, enrolled.rules.payout.overpaid)
    rows = list(chained((change.row for change in changes), record.hash))
    entries = [entry for row in rows for entry in entries_of(row, posted[row.observation])]
    payouts = [payout for row in rows for payout in payouts_of(row, entries_of(row, posted[row.observation]))]
    offset = _offset(so_far.offset, entries)
    return Written(tuple(rows), tuple(entries), tuple(payouts), stand._replace(offset=offset))


def latest(decisions: Iterable[DecisionRow]) -> dict[int, DecisionRow]:
    """Return the decision that stands for each observation."""
    return {row.observation: row for row in decisions}


def shared_then(former: Mapping[int, DecisionRow], others: Others) -> Callable[[int], Others]:
    """Return what shared pools had received when an observation was decided, or have now if it was not yet."""
    return lambda record: pools_from(former[record].shared) if record in former else others


def content(row: DecisionRow) -> DecisionRow:
    """Return what a decision says, without its place in the log and its wording."""
    return row._replace(number=0, record=0, said="", rules=0, hash="")


def by_observation(log: Log) -> Iterator[tuple[int, Posting]]:
    """Yield all postings, each with the observation that it is of."""
    observation = {row.number: row.observation for row in log.decisions}
    for _, number, _, unit, amount, debit, credit in log.entries:
        yield observation[number], Posting(debit, credit, unit, amount)


def awarded_by(log: Log, day: str) -> Mapping[str, int]:
    """Return what had been awarded by the end of a day, by unit, in minor units."""
    days = {row.number: row.day for row in log.decisions}
    found = Counter[str]()
    for entry in log.entries:
        if days[entry.number] <= day:
            found[entry.unit] += entry.amount * ((entry.debit == FUND) - (entry.credit == FUND))
    return found


def chained(rows: Iterable[DecisionRow], head: str) -> Iterator[DecisionRow]:
    """Yield rows with their hashes, each after the one before it."""
    for row in rows:
        head = hash_of(row[:-1], head)
        yield row._replace(hash=head)


def _untouched(before: Sequence[Seen], after: Sequence[Seen]) -> int:
    """Return how many observations come before the first that the act changes."""
    pairs = zip(before, after, strict=False)
    return next((place for place, (old, new) in enumerate(pairs) if old != new), min(len(before), len(after)))


def _refuse_other_rules(findings: Iterable[Finding], former: Mapping[int, DecisionRow]) -> None:
    for finding in findings:
        known = former[finding.seen.record]
        if content(known) != content(finding.row(known.enrollment, 0, 0, GENESIS)):
            raise RulesChangedError(known.enrollment, known.number)


def _changes(
    enrolled: Enrolled,
    log: Log,
    record: RecordRow,
    former: Mapping[int, DecisionRow],
    findings: Iterable[Finding],
) -> Iterator[Change]:
    """Yield each observation whose decision differs: first those that stand, then the one withdrawn."""
    number, stand = len(log.decisions), set[int]()
    for finding in findings:
        known, (_, decision, prizes, _) = former.get(finding.seen.record), finding
        stand.add(finding.seen.record)
        row = finding.row(record.enrollment, number + 1, record.seq, GENESIS)
        if known is None or content(known) != content(row):
            number += 1
            new = due(enrolled.rules, decision.paid, decision.reasons, prizes)
            yield Change(row, _due(enrolled, known), new)
    for seq, known in former.items():
        if seq not in stand and known.outcome != WITHDRAWN:
            number += 1
            yield Change(_withdrawn(known, number, record), _due(enrolled, known), ())


def _due(enrolled: Enrolled, row: DecisionRow | None) -> Postings:
    """Return what a decision in the log is due."""
    if row is None:
        return ()
    unit, prizes = enrolled.rules.program.unit, None
    if row.prizes:
        prizes = prizes_from(row.prizes, unit)
    return due(enrolled.rules, awards_from(row.awards, unit), reasons_from(row.reasons, unit), prizes)


def _withdrawn(known: DecisionRow, number: int, record: RecordRow) -> DecisionRow:
    """Return the decision that an observation does not stand any more."""
    emptied = known._replace(awards="[]", reasons="[]", said="", prizes="")
    return emptied._replace(number=number, record=record.seq, outcome=WITHDRAWN)


def _offset(before: Mapping[str, int], entries: Iterable[EntryRow]) -> dict[str, int]:
    """Return what is still to be taken off later awards."""
    left = Counter(before)
    for each in entries:
        left[each.unit] += each.amount * ((each.debit == OFFSET) - (each.credit == OFFSET))
    return {unit: amount for unit, amount in left.items() if amount}
