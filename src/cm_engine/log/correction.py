"""What corrects the past: amendments, withdrawals and results that come late decide the whole log again."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import NamedTuple

from cm_engine.errors import CorrectionError, RulesChangedError
from cm_engine.ledger.accounts import FUND, OFFSET, Posting
from cm_engine.ledger.corrections import About, books, differences
from cm_engine.ledger.postings import Postings, due
from cm_engine.log.chain import GENESIS, hash_of
from cm_engine.log.deciding import Finding, Others
from cm_engine.log.encoding import awards_from, pools_from, prizes_from, reasons_from
from cm_engine.log.entering import waiting_of
from cm_engine.log.episode import calendar_of
from cm_engine.log.fold import History, Written, entries_of, folded, payouts_of, told_of
from cm_engine.log.history import Seen, latest_timed, standing_observations, zones_of
from cm_engine.log.migrating import moves_of
from cm_engine.log.purse import BANKED, expired_of, held_back_of
from cm_engine.log.rows import DecisionRow, EntryRow, PayoutRow, RecordRow, Subject
from cm_engine.log.stand import Enrolled, start_of
from cm_engine.rules import RULES_VERSION, Rules
from cm_engine.rules.windows import widest

WITHDRAWN = "withdrawn"
"""The outcome of an observation that was voided."""


class Log(NamedTuple):
    """All rows of one enrollment, in their order."""

    records: Sequence[RecordRow]
    decisions: Sequence[DecisionRow]
    entries: Sequence[EntryRow]


def history_of(enrolled: Enrolled, records: Sequence[RecordRow]) -> History:
    """Return what all acts come to.

    Raises:
        ReportError: an act does not fit the course of the episode.
    """
    calendar = calendar_of(enrolled, records)
    seen = standing_observations(records, zones_of(enrolled.row.zone, calendar))
    start = start_of(enrolled.under(enrolled.row.program))
    return History(seen, calendar, start, waiting_of(records), moves_of(records), latest_timed(records))


def observations_of(enrolled: Enrolled, records: Sequence[RecordRow]) -> list[Seen]:
    """Return the observations of an enrollment that stand after all acts, in the order in which they are decided."""
    return standing_observations(records, zones_of(enrolled.row.zone, calendar_of(enrolled, records)))


def redecide(
    enrolled: Enrolled, log: Log, record: RecordRow, about: int, untouched: int | None = None
) -> Written:
    """Decide the whole log again with an act more, and post what differs.

    What comes before the observation that the act is about is decided as it was; that one and all after it with what
    shared pools have received by now.

    Args:
        enrolled: the enrollment.
        log: all its rows so far.
        record: the act, with its hash.
        about: the observation that it adds or corrects.
        untouched: how many observations it leaves as they are; found here if left out.

    Raises:
        ResultsError: the observation itself does not fit the program.
        CorrectionError: with the act, some other observation cannot be decided any more.
        RulesChangedError: today's rules decide something otherwise that the act has nothing to do with.
    """
    former, by_now = latest(log.decisions), pools_from(record.shared)
    history = history_of(enrolled, (*log.records, record))
    if untouched is None:
        untouched = _untouched(enrolled, history_of(enrolled, log.records), history)
    touched = {each.record for each in history.seen[untouched:]}

    def shared(shown_by: Seen, subject: Subject) -> Others:
        return by_now if shown_by.record in touched else shared_then(log, former, subject)

    try:
        stand, findings = folded(enrolled, history, shared)
    except CorrectionError as error:
        if error.record == about and error.__cause__:
            raise error.__cause__ from None
        raise
    untold = (each for each in findings if each.shown_by not in touched)
    _refuse_other_rules(record.enrollment, untold, former)
    if any(row.rules != RULES_VERSION for row in former.values()):
        _refuse_other_rules(record.enrollment, _by_today(enrolled, log, former), former)
    shares = any(rules.shares for rules in _versions(enrolled, history))
    changed = list(_changed(log, record, findings, touched if shares else set[int]()))
    apart = _apart(enrolled, log, changed)
    told = (row._replace(said=row.said + told_of(enrolled, apart[row.subject])) for row in changed)
    rows = tuple(chained(told, record.hash))
    entries = _entries(rows, apart)
    offset = _offset(books(by_subject(log)).offset, entries)
    return Written(rows, entries, _payouts(rows, entries), stand._replace(offset=offset))


def _by_today(enrolled: Enrolled, log: Log, former: Mapping[Subject, DecisionRow]) -> list[Finding]:
    """Return what today's rules find of a log as it stands, before anything of it is corrected."""
    history = history_of(enrolled, log.records)
    return folded(enrolled, history, lambda _, subject: shared_then(log, former, subject))[1]


def posted(enrolled: Enrolled, log: Log, rows: Sequence[DecisionRow]) -> tuple[EntryRow, ...]:
    """Return what the decisions of an act post, after all that was posted before."""
    return _entries(rows, _apart(enrolled, log, rows))


def _entries(rows: Iterable[DecisionRow], apart: Mapping[About, Postings]) -> tuple[EntryRow, ...]:
    return tuple(entry for row in rows for entry in entries_of(row, apart[row.subject]))


def _apart(enrolled: Enrolled, log: Log, rows: Sequence[DecisionRow]) -> Mapping[About, Postings]:
    """Return what decisions that take the place of others post, by what they are about."""
    former = latest(log.decisions)
    dues = [(row.subject, due_of(enrolled, former.get(row.subject)), due_of(enrolled, row)) for row in rows]
    return differences(dues, books(by_subject(log)), enrolled.rules.payout.overpaid)


def _payouts(rows: Iterable[DecisionRow], entries: Sequence[EntryRow]) -> tuple[PayoutRow, ...]:
    of = {row.number: [entry for entry in entries if entry.number == row.number] for row in rows}
    return tuple(payout for row in rows for payout in payouts_of(row, of[row.number]))


def latest(decisions: Iterable[DecisionRow]) -> dict[Subject, DecisionRow]:
    """Return the decision that stands for each observation, and for each visit that had none."""
    return {row.subject: row for row in decisions}


def shared_then(log: Log, former: Mapping[Subject, DecisionRow], subject: Subject) -> Others:
    """Return what shared pools had received from others when something was decided last; nothing, if it never was."""
    known = former.get(subject)
    return pools_from(log.records[known.record].shared) if known else {}


def content(row: DecisionRow) -> DecisionRow:
    """Return what a decision says, without its place in the log and its wording."""
    return row._replace(number=0, record=0, said="", rules=0, hash="")


def by_subject(log: Log) -> Iterator[tuple[Subject, Posting]]:
    """Yield all postings, each with what its decision is about; what expired or was held back, with what it was awarded for."""
    subject, lost = {row.number: row.subject for row in log.decisions}, expired_of(log.decisions, log.entries)
    held = held_back_of(*log)
    for _, number, leg, unit, amount, debit, credit in log.entries:
        about = lost.get((number, leg)) or held.get(number, {}).get(leg) or subject[number]
        yield about, Posting(debit, credit, unit, amount)


def awarded_by(enrolled: Enrolled, log: Log, day: str) -> Mapping[str, int]:
    """Return what the decisions that stand award for the days up to one, by unit, in minor units."""
    found = Counter[str]()
    for row in latest(log.decisions).values():
        if row.day <= day:
            for posting in due_of(enrolled, row):
                found[posting.unit] += posting.amount * (posting.debit == FUND)
    return found


def chained(rows: Iterable[DecisionRow], head: str) -> Iterator[DecisionRow]:
    """Yield rows with their hashes, each after the one before it."""
    for row in rows:
        head = hash_of(row[:-1], head)
        yield row._replace(hash=head)


def _untouched(enrolled: Enrolled, before: History, after: History) -> int:
    """Return how many observations come before the first that the act may change.

    Where targets have windows, one of several results of a visit counts, and so those before it may change too.
    """
    if before.calendar != after.calendar:
        return 0
    pairs = enumerate(zip(before.seen, after.seen, strict=False))
    shorter = min(len(before.seen), len(after.seen))
    first = next((place for place, (old, new) in pairs if old != new), shorter)
    if new := set(after.moves) ^ set(before.moves):
        since = min(move.day for move in new)
        first = next((place for place in range(first) if after.seen[place].day >= since), first)
    ends, versions = first == len(before.seen) == len(after.seen), _versions(enrolled, after)
    if ends or not any(rules.has_windows for rules in versions):
        return first
    changed = [history.seen[first].day for history in (before, after) if first < len(history.seen)]
    days = max(map(widest, versions)) + after.calendar.closed_most
    reach = min(changed) - timedelta(days)
    return next((place for place in range(first) if after.seen[place].day >= reach), first)


def _versions(enrolled: Enrolled, history: History) -> list[Rules]:
    """Return the rules of the versions that decide in a history; one that the enrollment moves to later changes nothing."""
    programs = [enrolled.row.program, *(move.program for move in history.moves)]
    return [enrolled.under(program).rules for program in programs]


def _refuse_other_rules(
    enrollment: str, findings: Iterable[Finding], former: Mapping[Subject, DecisionRow]
) -> None:
    for finding in findings:
        known = former.get(finding.seen.subject)
        if known is None or content(known) != content(finding.row(known.enrollment, 0, 0, GENESIS)):
            raise RulesChangedError(enrollment, known.number if known else 0)


def _changed(
    log: Log, record: RecordRow, findings: Iterable[Finding], again: AbstractSet[int]
) -> Iterator[DecisionRow]:
    """Yield the decisions that differ, not yet chained: first those that stand, then the one withdrawn.

    Those of the bank are about no observation, and stay.

    Where pools are shared, all are written that were decided `again`: with what others have received by now.
    """
    former, number, stand = latest(log.decisions), len(log.decisions), set[Subject]()
    for finding in findings:
        known = former.get(finding.seen.subject)
        stand.add(finding.seen.subject)
        row = finding.row(record.enrollment, number + 1, record.seq, GENESIS)
        if known is None or finding.shown_by in again or content(known) != content(row):
            number += 1
            yield row
    for subject, known in former.items():
        if subject not in stand and known.outcome not in {WITHDRAWN, *BANKED}:
            number += 1
            yield _withdrawn(known, number, record)


def due_of(enrolled: Enrolled, row: DecisionRow | None) -> Postings:
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
