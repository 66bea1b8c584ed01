"""What is owed of each award, and what became of each payout: all postings of a log, followed one by one.

What is owed is kept in lots, first in first out. A lot knows its award wherever it goes, so that what is declined or
returned is owed again as what it was, and what expires is lost to its own award.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from cm_engine.ledger.accounts import DEPOSIT, IN_FLIGHT, ISSUED, OWED
from cm_engine.log.episode import LASTS, Freeze, freezes_of
from cm_engine.log.history import Zones, day_in
from cm_engine.log.rows import DecisionRow, EntryRow, RecordRow, Subject
from cm_engine.program.rewards import Payout
from cm_engine.rules.payout import last_day, pay_day

REDEEMED, PAID_OUT, HANDED_OVER = "redeemed", "paid out", "handed over"
DECLINED, REFUNDED, EXPIRED = "declined", "refunded", "expired"
PAYOUT_RELEASED, PAYOUT_RETRIED = "payout released", "payout retried"
BANKED = (REDEEMED, PAID_OUT, HANDED_OVER, DECLINED, REFUNDED, EXPIRED, PAYOUT_RELEASED, PAYOUT_RETRIED)
"""The kinds of acts on what is owed and on payouts, and the outcomes of their decisions; the last two decide nothing."""

Form = Mapping[str, Any]
"""A reason, as the log keeps it; empty for a posting that is of no act of the bank."""

NOTHING: Form = {}

SETTLES = "settles"
"""The key under which an act says what of which award was held back: minor units by the numbers of decisions."""


class Lot(NamedTuple):
    """A part of an award that is owed, or was sent.

    Attributes:
        subject: what it was awarded for.
        amount: in minor units.
        on: the day from which it waits for a pay day.
        since: the day on which its time to be collected begins.
        own: it is the participant's own deposit.
        sent: it was on its way before, and came back.
    """

    subject: Subject
    unit: str
    amount: int
    on: str
    since: str
    own: bool = False
    sent: bool = False


class Sent(NamedTuple):
    """A payout: what one posting put in flight, and where that is.

    Attributes:
        number, leg: the decision, and the place of the posting among its own.
        amount: in minor units.
        day: from which it is to be handed over.
        place: in flight, issued, or how it came back: declined or refunded.
        asked: the participant asked for it.
        product: as what.
        lots: what it consists of, until it comes back.
    """

    number: int
    leg: int
    unit: str
    amount: int
    day: str
    place: str
    asked: bool
    product: str
    lots: tuple[Lot, ...]


class Move(NamedTuple):
    """A posting with its decision, the reason that it is of, and the clinic's day on which it was recorded.

    What of its decision was held back is told by leg: of which award.
    """

    row: DecisionRow
    form: Form
    entry: EntryRow
    day: str
    held: Mapping[int, Subject]


@dataclass(slots=True)
class Purse:
    """What is owed, in the order in which it goes out, and all payouts; days on which nothing could be collected do not count."""

    payout: Payout
    freezes: tuple[Freeze, ...] = ()
    owed: list[Lot] = field(default_factory=list)
    sent: dict[tuple[int, int], Sent] = field(default_factory=dict)

    def owes(self, unit: str) -> int:
        """Return what is owed of a unit, in minor units."""
        return sum(lot.amount for lot in self.owed if lot.unit == unit)

    def due_on(self, day: str) -> Iterator[tuple[str, Lot]]:
        """Yield the lots whose pay day has come, each with that day, where the program has pay days."""
        return ((own, lot) for lot in self.owed if (own := self._pay_day(lot)) <= day)

    def over_by(self, day: str) -> Iterator[tuple[Lot, str]]:
        """Yield the lots that could be collected up to a day or one before it, each with its last day."""
        for lot in self.owed:
            if (last := self._last_day(lot)) <= day:
                yield lot, last

    def post(self, move: Move) -> None:
        """Follow one posting."""
        lots = self._from(move)
        if move.entry.credit == OWED:
            self.owed = sorted([*self.owed, *lots], key=lambda lot: (lot.since, lot.on))
        elif move.entry.credit == IN_FLIGHT:
            self.sent[move.entry[1:3]] = _sent(move, lots)
        elif move.entry.credit == ISSUED:
            self._became(move, ISSUED, lots)

    def _from(self, move: Move) -> tuple[Lot, ...]:
        """Return what a posting moves, and take it from where it was."""
        row, form, entry, day, held = move
        if entry.debit == OWED:
            taken, left = split(self.owed, entry, self._last(move))
            self.owed = list(left)
            return taken
        if entry.debit in {IN_FLIGHT, ISSUED}:
            sent = self.sent[form["number"], form["leg"]]
            award = held.get(entry.leg)
            taken, left = split(sent.lots, entry, lambda lot: award is not None and lot.subject != award)
            self._became(move, row.outcome, left)
            return tuple(_back(lot, sent, move) for lot in taken) if entry.credit == OWED else taken
        own = entry.debit == DEPOSIT
        return (Lot(row.subject, entry.unit, entry.amount, row.day, max(row.day, day), own=own),)

    def _became(self, move: Move, place: str, lots: tuple[Lot, ...]) -> None:
        key = (move.form["number"], move.form["leg"])
        self.sent[key] = self.sent[key]._replace(place=place, lots=lots)

    def _last(self, move: Move) -> Callable[[Lot], bool]:
        """Return what tells which lots a posting takes last: a correction takes those of its own award first."""
        row = move.row
        takes: Mapping[str, Callable[[Lot], bool]] = {
            REDEEMED: lambda _: False,
            PAID_OUT: lambda lot: self._pay_day(lot) > row.day,
            EXPIRED: lambda lot: self._last_day(lot) > row.day,
        }
        return takes.get(row.outcome, lambda lot: lot.subject != row.subject)

    def _pay_day(self, lot: Lot) -> str:
        if self.payout.when != "set days":
            return NEVER
        return str(pay_day(self.payout, date.fromisoformat(lot.on)))

    def _last_day(self, lot: Lot) -> str:
        """Return the last day on which a lot can be collected.

        What has to be sent first could not be collected before that, and a deposit is the participant's own for ever.
        """
        if lot.own or not (lot.sent or self.payout.when == "on request"):
            return NEVER
        since = date.fromisoformat(lot.since)
        last = last_day(self.payout, since)
        return self._thawed(str(pay_day(self.payout, since) or since), last) if last else NEVER

    def _thawed(self, since: str, last: date) -> str:
        """Return a last day later by the days of each freeze that began by then."""
        for freeze in self.freezes:
            begun = max(freeze.first, since)
            if begun <= str(last) and begun < freeze.back:
                if freeze.back == LASTS:
                    return NEVER
                last += date.fromisoformat(freeze.back) - date.fromisoformat(begun)
        return str(last)


NEVER = "~"
"""The day that comes after all others."""


def purse_of(
    payout: Payout,
    zones: Zones,
    records: Sequence[RecordRow],
    decisions: Sequence[DecisionRow],
    entries: Sequence[EntryRow],
) -> Purse:
    """Return what is owed after all postings, and every payout.

    Args:
        payout: of the program.
        zones: of the clinic.
        records: all acts of the enrollment, in their order.
        decisions: all its decisions.
        entries: all its postings.
    """
    purse, of = Purse(payout, freezes_of(records, zones)), _by_number(entries)
    days = {record.seq: day_in(record.recorded_at, zones) for record in records}
    held = held_back_of(records, decisions, entries)
    for record, rows in groupby(decisions, key=lambda row: row.record):
        moves = [
            Move(row, *pair, days[record], held.get(row.number, {}))
            for row in rows
            for pair in paired(row, of.get(row.number, []))
        ]
        for move in sorted(moves, key=lambda move: move.entry.debit == OWED):  # what an act adds, it may take
            purse.post(move)
    return purse


def paired(row: DecisionRow, entries: Sequence[EntryRow]) -> Iterator[tuple[Form, EntryRow]]:
    """Yield the postings of a decision, each with the reason that it is of: those of an act follow one another."""
    if row.outcome not in BANKED:
        yield from ((NOTHING, entry) for entry in entries)
        return
    forms, form, left = iter(json.loads(row.reasons)), NOTHING, 0
    for entry in entries:
        if not left:
            form = next(forms, NOTHING)
            left = form["amount"]
        left -= entry.amount
        yield form, entry


def split(
    lots: Sequence[Lot], entry: EntryRow, last: Callable[[Lot], bool] = lambda _: False
) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
    """Return what a posting takes of lots, from the first on, and what it leaves; both in their order.

    Args:
        lots: in the order in which they go out.
        entry: the posting.
        last: tells which lots it takes only when all others are gone.
    """
    wanted, parts = entry.amount, [0] * len(lots)
    for place in sorted(range(len(lots)), key=lambda place: last(lots[place])):
        parts[place] = min(lots[place].amount, wanted) if lots[place].unit == entry.unit else 0
        wanted -= parts[place]
    pairs = tuple(zip(lots, parts, strict=True))
    taken = (lot._replace(amount=part) for lot, part in pairs if part)
    left = (lot._replace(amount=lot.amount - part) for lot, part in pairs if part < lot.amount)
    return tuple(taken), tuple(left)


def expired_of(
    decisions: Sequence[DecisionRow], entries: Iterable[EntryRow]
) -> dict[tuple[int, int], Subject]:
    """Return what the awards were for that expired, by the decision and the leg of each posting that says so."""
    rows = [row for row in decisions if row.outcome == EXPIRED]
    subject, of = {row.number: row.subject for row in decisions}, _by_number(entries) if rows else {}
    return {
        (entry.number, entry.leg): subject[form["award"]]
        for row in rows
        for form, entry in paired(row, of[row.number])
    }


def held_back_of(
    records: Iterable[RecordRow], decisions: Sequence[DecisionRow], entries: Iterable[EntryRow]
) -> dict[int, dict[int, Subject]]:
    """Return what the awards were for that were held back, by the decision and the leg of each posting that says so."""
    declined = {record.seq: json.loads(record.body) for record in records if record.kind == DECLINED}
    acts = {seq: body[SETTLES] for seq, body in declined.items() if SETTLES in body}
    rows = [row for row in decisions if row.record in acts]
    subject, of = {row.number: row.subject for row in decisions}, _by_number(entries) if rows else {}
    return {
        row.number: {
            entry.leg: subject[number]
            for number, entry in _in_turn(awards_of(acts[row.record]), of.get(row.number, ()))
        }
        for row in rows
    }


def awards_of(settles: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return what was held back, as the numbers of decisions with minor units, in the order in which it is posted."""
    return sorted((int(number), amount) for number, amount in settles.items())


def _in_turn(
    awards: Iterable[tuple[int, int]], entries: Iterable[EntryRow]
) -> Iterator[tuple[int, EntryRow]]:
    """Yield the postings of each award: one, or one for each account."""
    each = iter(entries)
    for number, amount in awards:
        found = 0
        while found < amount and (entry := next(each, None)):
            found += entry.amount
            yield number, entry


def _by_number(entries: Iterable[EntryRow]) -> dict[int, list[EntryRow]]:
    """Return the postings of each decision."""
    found: dict[int, list[EntryRow]] = {}
    for entry in entries:
        found.setdefault(entry.number, []).append(entry)
    return found


def _sent(move: Move, lots: tuple[Lot, ...]) -> Sent:
    """Return the payout of a posting that puts lots in flight."""
    row, form, entry, *_ = move
    asked, product = row.outcome == REDEEMED, form.get("product", "")
    return Sent(entry.number, entry.leg, entry.unit, entry.amount, row.day, IN_FLIGHT, asked, product, lots)


def _back(lot: Lot, sent: Sent, move: Move) -> Lot:
    """Return a lot that came back and is owed again.

    What was asked for, or was handed over, had been collected, and what was held back with another one nobody could
    collect: it has all its time again. What was only sent keeps its own.
    """
    row = move.row
    collected = sent.asked or row.outcome == REFUNDED or bool(move.held)
    return lot._replace(on=row.day, since=row.day if collected else lot.since, sent=True)
