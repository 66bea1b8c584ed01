"""One enrollment folded again: every act taken anew, and all that is stored of it compared with what that comes to."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise, zip_longest
from typing import Any, NamedTuple

from cm_engine.acts.recording import enrollment_body
from cm_engine.acts.register import Register, program_in, refolded
from cm_engine.errors import CmEngineError
from cm_engine.ledger.accounts import IN_FLIGHT
from cm_engine.log.bank import Bank, banked
from cm_engine.log.chain import GENESIS, hash_of
from cm_engine.log.correction import Log, content, latest, posted
from cm_engine.log.encoding import dumped, pools_from
from cm_engine.log.fold import Turn, payouts_of
from cm_engine.log.outbox import PAYOUT, payout_of, work_name, worked_on_from
from cm_engine.log.purse import BANKED
from cm_engine.log.rows import (
    OVER,
    DecisionRow,
    EnrollmentRow,
    EntryRow,
    PayoutRow,
    RecordRow,
    StandingRow,
    WorkRow,
)
from cm_engine.log.stand import Enrolled, Stand, first_stand, stand_from, stand_text, start_of
from cm_engine.log.taking import taken
from cm_engine.ports import LAST, Transaction, WorkQuery
from cm_engine.rules import RULES_VERSION
from cm_engine.rules.prizes import commitment
from cm_engine.rules.stored import earlier_layout


class FoundError(Exception):
    """Carry the first difference of an enrollment."""

    def __init__(self, where: str, what: str) -> None:
        self.where = where
        self.what = what
        super().__init__(where)


class Stored(NamedTuple):
    """Everything that is stored of one enrollment."""

    row: EnrollmentRow
    records: list[RecordRow]
    decisions: list[DecisionRow]
    entries: list[EntryRow]
    payouts: list[PayoutRow]
    work: list[WorkRow]
    standing: StandingRow | None

    @property
    def log(self) -> Log:
        """Return what all else follows from."""
        return Log(self.records, self.decisions, self.entries)


def stored_of(tx: Transaction, row: EnrollmentRow) -> Stored:
    """Return everything that is stored of an enrollment."""
    return Stored(
        row,
        tx.records(row.id),
        tx.decisions(row.id),
        tx.entries(row.id),
        tx.payouts(row.id),
        tx.work(WorkQuery(PAYOUT, row.id, limit=LAST)),
        tx.standing(row.id),
    )


def check_work(enrolled: Enrolled, stored: Stored) -> None:
    """Find work on what is no payout, and payouts on their way that nobody works on."""
    first = worked_on_from(stored.records)
    if not stored.work and first == len(stored.records):
        return  # at no site nobody hands anything over
    purse = Bank.of(enrolled, stored.log).purse
    left = set(purse.sent)
    for row in stored.work:
        payout = purse.sent.get(payout_of(row.name))
        if payout is None:
            raise FoundError(f"work {row.name}", "there is no such payout")
        if row.state == OVER and payout.place == IN_FLIGHT:
            raise FoundError(f"work {row.name}", "it is over, and the payout is in flight")
        left.discard(payout_of(row.name))
    by = {row.number: row.record for row in stored.decisions}
    for number, leg in sorted(left):
        if purse.sent[number, leg].place == IN_FLIGHT and by[number] >= first:
            raise FoundError(f"work {work_name(number, leg)}", "it is missing, and the payout is in flight")
    if stored.work and first == len(stored.records):
        raise FoundError(f"work {stored.work[0].name}", "it is of an enrollment at no site")


def check_enrollment(enrolled: Enrolled, stored: Stored, register: Register) -> None:
    """Compare the enrollment with the act that enrolled, and the commitment with its seed."""
    if not stored.records:
        raise FoundError("log", "it is empty")
    told = dumped(enrollment_body(enrolled.row))
    if stored.records[0].body != told:
        raise FoundError("enrollment", f"stored {told}, enrolled as {stored.records[0].body}")
    seed = enrolled.seed or (register.seed(enrolled.row.id) if enrolled.row.commitment else b"")
    if enrolled.row.commitment and commitment(seed) != enrolled.row.commitment:
        raise FoundError(
            "enrollment", "the commitment is not that of the seed; was the engine's secret changed?"
        )


def check_chain(stored: Stored) -> None:
    """Follow the hashes: each act, and the decisions that it led to."""
    head, number = GENESIS, 0
    led_to: dict[int, list[DecisionRow]] = {}
    for row in stored.decisions:
        led_to.setdefault(row.record, []).append(row)
    for seq, record in enumerate(stored.records):
        if record.seq != seq:
            raise FoundError(f"record {seq}", f"it is missing; the next is {record.seq}")
        head = _checked_hash(f"record {seq}", record, head)
        for row in led_to.pop(seq, []):
            number += 1
            if row.number != number:
                raise FoundError(f"decision {number}", f"it is missing; the next is {row.number}")
            head = _checked_hash(f"decision {number}", row, head)
    if led_to:
        raise FoundError("decisions", f"no act led to those of record {min(led_to)}")
    standing = stored.standing
    found = (len(stored.records) - 1, number, head, stored.records[-1].recorded_at)
    if standing is None or standing[1:5] != found:
        raise FoundError("standing", f"stored {standing and standing[1:5]}, the log comes to {found}")


def _checked_hash(where: str, row: RecordRow | DecisionRow, head: str) -> str:
    found = hash_of(row[:-1], head)
    if row.hash != found:
        raise FoundError(where, f"its hash is {row.hash[:12]}, that of what it says {found[:12]}")
    return found


def check_fold(enrolled: Enrolled, stored: Stored) -> tuple[Stand, list[tuple[str, str]]]:
    """Take every act again, and compare what it leads to; return where that ends, and what other rules decided.

    From a decision on that another release's rules made otherwise, decisions are taken as they are stored, and only
    what follows from them is compared.
    """
    stand = first_stand(enrolled.rules, start_of(enrolled))
    decisions: list[DecisionRow] = []
    entries: list[EntryRow] = []
    other: tuple[str, str] | None = None
    for seq, record in enumerate(stored.records):
        log = Log(stored.records[:seq], decisions, entries)
        known = [row for row in stored.decisions if row.record == seq]
        if other is None:
            enrolled = enrolled.under(stand.state.program)
            turn = Turn(enrolled, stand, len(decisions), pools_from(record.shared))
            written = taken(turn, record, json.loads(record.body), partial(_same, log))
            other = _compare_decisions(known, written.decisions, _rules_at(stored.decisions, seq))
            stand = written.stand
        elif record.kind in BANKED:  # it depends on the log as it is stored, and on no rules
            turn = Turn(enrolled, stand, len(decisions), {})
            written = banked(turn, record, log)
        again = other is None or record.kind in BANKED
        entries += written.entries if again else posted(enrolled, log, known)
        decisions += known
    of = {row.number: row for row in decisions}
    payouts = [each for entry in entries for each in payouts_of(of[entry.number], [entry])]
    _compare("entry", stored.entries, entries)
    _compare("payout", stored.payouts, payouts)
    assert stored.standing is not None
    if layout := earlier_layout(stored.standing.state):
        cached = (
            "standing",
            f"it is kept in layout {layout} of an earlier release, and is folded again before it is used",
        )
        now = enrolled.under(program_in(stored.standing.state))
        return (refolded(now, stored.log)[0], [other, cached]) if other else (stand, [cached])
    if other:
        return _stand_of_others(enrolled.under(program_in(stored.standing.state)), stored, other)
    if stored.standing.state != stand_text(stand):
        raise FoundError("standing", f"stored {stored.standing.state}, folded again {stand_text(stand)}")
    return stand, []


def _stand_of_others(
    enrolled: Enrolled, stored: Stored, other: tuple[str, str]
) -> tuple[Stand, list[tuple[str, str]]]:
    """Return where an enrollment stands that other rules decided, and what today's rules would make otherwise of it.

    Where they would have awarded the same, it stands where they lead to; else nobody can say any more that it does.
    """
    assert stored.standing is not None
    stand, log = stand_from(enrolled.rules, stored.standing.state), stored.log
    try:
        again, findings = refolded(enrolled, log)
    except CmEngineError as error:
        return stand, [other, ("standing", f"today's rules cannot follow the log: {error}")]
    others = [other, *_older_than_before(log.decisions)]
    if stand_text(again) == stand_text(stand):
        return stand, others
    differs = ("standing", f"stored {stand_text(stand)}, today's rules come to {stand_text(again)}")
    former = latest(log.decisions)
    if all(_awarded(each.row("", 0, 0, "")) == _awarded(former.get(each.seen.subject)) for each in findings):
        raise FoundError(*differs)
    return stand, [*others, differs]


def _older_than_before(decisions: Sequence[DecisionRow]) -> Iterator[tuple[str, str]]:
    """Yield the first decision that says it is by rules older than those of one before it, as nobody goes back."""
    for before, row in pairwise(decisions):
        if row.rules < before.rules:
            yield f"decision {row.number}", f"it is by rules {row.rules}, after one by rules {before.rules}"
            return


def _awarded(row: DecisionRow | None) -> tuple[str, str, str] | None:
    """Return what a decision came to, without its reasons."""
    return row and (row.outcome, row.awards, row.prizes)


def _same(log: Log) -> Log:
    return log


def _rules_at(decisions: Sequence[DecisionRow], record: int) -> set[int]:
    """Return by which rules an act was decided: by those of its decisions, or else of what was decided next or before."""
    mine = {row.rules for row in decisions if row.record == record}
    later = next(({row.rules} for row in decisions if row.record > record), set[int]())
    return mine or later or {row.rules for row in decisions[-1:]}


def _compare_decisions(
    stored: Sequence[DecisionRow], again: Sequence[DecisionRow], rules: Collection[int]
) -> tuple[str, str] | None:
    """Refuse decisions that differ, or return the first that differs because another release's rules made it."""
    for row in stored:
        if row.rules not in range(1, RULES_VERSION + 1):
            raise FoundError(
                f"decision {row.number}", f"it is by rules {row.rules}, and this is {RULES_VERSION}"
            )
    for old, new in zip_longest(stored, again):
        if old is None or new is None or content(old) != content(new):
            where, what = f"decision {(old or new).number}", _apart(old, new)
            if set(rules) - {RULES_VERSION}:
                return where, what
            raise FoundError(where, what)
    return None


def _apart(old: DecisionRow | None, new: DecisionRow | None) -> str:
    if old is None or new is None:
        return "it is not stored" if old is None else "it is stored, and nothing leads to it"
    return _first_column(content(old), content(new))


def _compare(what: str, stored: Iterable[NamedTuple], again: Iterable[NamedTuple]) -> None:
    for old, new in zip_longest(stored, again):
        if old != new:
            one: Any = old or new
            where = f"{what} {one.number}/{one.leg}"
            raise FoundError(where, _first_column(old, new) if old and new else "it is missing or too much")


def _first_column(old: NamedTuple, new: NamedTuple) -> str:
    """Say in which column two rows first differ."""
    columns = zip(old._fields, old, new, strict=True)
    name, stored, again = next((name, one, two) for name, one, two in columns if one != two)
    return f"{name}: stored {stored}, folded again {again}"
