"""A participant's statement: what was earned, day by day, what corrections changed, and where it all is now."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cm_engine.ledger.accounts import DUE, OFFSET, Posting
from cm_engine.ledger.balances import Balance, balance, sums
from cm_engine.log.correction import WITHDRAWN, Log, awarded_by, latest
from cm_engine.log.encoding import awards_from, prizes_from, reasons_from, said
from cm_engine.log.episode import LASTS, freezes_of
from cm_engine.log.history import zones_of
from cm_engine.log.purse import BANKED
from cm_engine.log.rows import DecisionRow, EntryRow, Subject
from cm_engine.log.stand import Enrolled
from cm_engine.program.units import Unit
from cm_engine.rules.reasons import Limited
from cm_engine.rules.sentences import sentence
from cm_engine.rules.windows import AS_PLANNED
from cm_engine.rules.words import WORDS, Words

PLACES = {
    "owed": "still owed",
    "in_flight": "given, or on the way",
    "issued": "handed over",
    "expired": "expired",
    "absorbed": "of it given too much, which the program bears",
    "offset": "of it given too much, to be taken off later awards",
    "deposit": "held of the deposit",
    "forfeited": "lost of the deposit",
    "paid_in": "paid in as a deposit",
    "drawn": "drawn",
}
"""How a balance is told, by its name."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a statement says of a visit, of an event or of a reward: a decision, or those that came to the same.

    Attributes:
        number: of the decision.
        latest: the number of the last decision that came to the same: its words are told, and its reasons hold.
        record: the act that reported what it decides, which `amend` and `void` ask for; 0 if nobody came.
        on: the day it counts for.
        target, visit, week, outcome: what was decided.
        before: the line whose place it takes, None if there was none.
        awards: what it awards, by unit; exact decimals.
        drawn: the slips that its draws won.
        limited: why what they won was not paid in full; None if it was.
        amounts: what it adds to what the participant is due, or takes from it, by unit; exact decimals.
        settled: what of its award settles what was given too much before, by unit; less than 0 where it leaves something
            to be taken off later awards.
        so_far: what the participant is due in all after it, by unit.
        sentence: how the participant reads of it.
    """

    number: int
    latest: int
    record: int
    on: date | None
    target: str
    visit: int
    week: int
    outcome: str
    before: "Line | None"
    awards: Mapping[str, Decimal]
    drawn: tuple[str, ...]
    limited: Limited | None
    amounts: Mapping[str, Decimal]
    so_far: Mapping[str, Decimal]
    settled: Mapping[str, Decimal]
    sentence: str

    @property
    def corrects(self) -> int:
        """Return the number of the line whose place it takes, 0 if there was none."""
        return self.before.number if self.before else 0

    @property
    def instead_of(self) -> Mapping[str, Decimal]:
        """Return what the line awards whose place it takes."""
        return self.before.awards if self.before else {}


@dataclass(frozen=True, slots=True)
class Statement:
    """What an enrollment earned, line by line, and its balances.

    What a correction decided again and left as it was is no line of its own, so the numbers of lines have gaps.

    Attributes:
        title: of the program.
        until: the last day that counts, None for all.
        lines: in the order in which they were decided; what they add is all that was posted.
        awarded: by the decisions that stand for the days up to then, by unit.
        balances: where everything is now, by unit.
        units: that amounts are in, by their name.
        is_frozen: what is given or on the way may be held back, as nothing is handed over.
    """

    enrollment: str
    participant: str
    title: str
    start: date
    until: date | None
    lines: tuple[Line, ...]
    awarded: Mapping[str, Decimal]
    balances: Mapping[str, Balance]
    units: Mapping[str, Unit]
    is_frozen: bool

    def text(self) -> str:
        """Return the statement as text, a line for each of its lines."""
        return "\n".join(_texts(self)) + "\n"


def statement_of(enrolled: Enrolled, log: Log, until: date | None) -> Statement:
    """Return the statement of an enrollment.

    Args:
        enrolled: the enrollment.
        log: all its rows.
        until: the last day that counts for lines and for what was awarded; None is all of them.
    """
    row, unit = enrolled.row, enrolled.rules.program.unit
    last = until.isoformat() if until else date.max.isoformat()
    days = {subject: decision.day for subject, decision in latest(log.decisions).items()}
    found = balances(enrolled, log.entries)
    so_far = awarded_by(enrolled, log, last)
    return Statement(
        row.id,
        row.participant,
        enrolled.rules.program.title,
        date.fromisoformat(row.start),
        until,
        tuple(_lines(enrolled, [each for each in log.decisions if days[each.subject] <= last], log.entries)),
        {name: unit(name).decimal(so_far.get(name, 0)) for name in found},
        found,
        {name: unit(name) for name in found},
        any(each.back == LASTS for each in freezes_of(log.records, zones_of(row.zone, AS_PLANNED))),
    )


def balances(enrolled: Enrolled, entries: Iterable[EntryRow]) -> dict[str, Balance]:
    """Return the balance of each unit that was ever posted."""
    postings = [Posting(row.debit, row.credit, row.unit, row.amount) for row in entries]
    found, unit = sums(postings), enrolled.rules.program.unit
    names = dict.fromkeys(posting.unit for posting in postings)
    return {name: balance(found, unit(name)) for name in names}


class _Sums(NamedTuple):
    """What a line adds, what there is after it, and what it settles, in minor units by unit."""

    amounts: Mapping[str, int]
    so_far: Mapping[str, int]
    settled: Mapping[str, int]


def _lines(
    enrolled: Enrolled, decisions: Iterable[DecisionRow], entries: Iterable[EntryRow]
) -> Iterable[Line]:
    """Return the lines of decisions; one that is decided again and changes nothing stays the line that it is."""
    entries = [*entries]
    posted, so_far, settled = _posted(entries), Counter[str](), _settled(entries)
    rows, found, stand = dict[int, DecisionRow](), dict[int, Line](), dict[Subject, Line]()
    for row in decisions:
        amounts, former = posted.get(row.number, Counter[str]()), stand.get(row.subject)
        so_far.update(amounts)
        line = _line(enrolled, row, former, _Sums(amounts, so_far, settled.get(row.number, {})))
        if former and row.number not in posted and _told(line) == _told(former):
            words = f"{row.said}{_note(enrolled, rows[former.number])}"
            line = replace(former, latest=row.number, week=row.week, sentence=words)
        rows[row.number], found[line.number], stand[row.subject] = row, line, line
    return found.values()


def _posted(entries: Iterable[EntryRow]) -> dict[int, Counter[str]]:
    """Return by how much more or less the participant is due by each decision that posts anything, by unit."""
    found: dict[int, Counter[str]] = {}
    for entry in entries:
        moved = entry.amount * ((entry.credit in DUE) - (entry.debit in DUE))
        found.setdefault(entry.number, Counter())[entry.unit] += moved
    return found


def _settled(entries: Iterable[EntryRow]) -> dict[int, Counter[str]]:
    """Return what each decision settles of what was given too much before, by unit."""
    found: dict[int, Counter[str]] = {}
    for entry in entries:
        if OFFSET in {entry.credit, entry.debit}:
            settled = entry.amount if entry.credit == OFFSET else -entry.amount
            found.setdefault(entry.number, Counter())[entry.unit] += settled
    return found


def _told(line: Line) -> tuple[object, ...]:
    """Return what makes a decision another line when it is other than before, as what it posts does; words do not."""
    awards = {unit: amount for unit, amount in line.awards.items() if amount}
    return line.on, line.target, line.visit, line.outcome, awards, line.drawn


def _note(enrolled: Enrolled, row: DecisionRow) -> str:
    """Return what a decision says besides its reasons: what its award settled; no decision anew says it again."""
    reasons = reasons_from(row.reasons, enrolled.rules.program.unit)
    told = (said(reasons, words) for words in _all_words(enrolled))
    return next((row.said.removeprefix(each) for each in told if row.said.startswith(each)), "")


def _all_words(enrolled: Enrolled) -> dict[Words, None]:
    """Return the words that the decisions of an enrollment may be told in."""
    targets = (target for rules in enrolled.all_rules for target in rules.targets)
    return dict.fromkeys(
        [*(visit.phase.words for target in targets for visit in target.visits), WORDS["task"]]
    )


def _line(
    enrolled: Enrolled,
    row: DecisionRow,
    former: Line | None,
    sums: _Sums,
) -> Line:
    prizes = prizes_from(row.prizes, enrolled.rules.program.unit) if row.prizes else None
    awards = Counter(
        {unit.name: amount for unit, amount in awards_from(row.awards, enrolled.rules.program.unit)}
    )
    if prizes:
        awards[prizes.paid.unit.name] += prizes.paid.amount
    return Line(
        row.number,
        row.number,
        max(0, row.observation),
        date.fromisoformat(row.day) if row.day else None,
        row.target,
        row.visit,
        row.week,
        row.outcome,
        former,
        _exact(enrolled, awards),
        tuple(each.slip for each in prizes.drawn) if prizes else (),
        prizes.limited if prizes else None,
        _exact(enrolled, sums.amounts),
        _exact(enrolled, sums.so_far),
        _exact(enrolled, sums.settled),
        row.said,
    )


def _exact(enrolled: Enrolled, amounts: Mapping[str, int]) -> dict[str, Decimal]:
    unit = enrolled.rules.program.unit
    return {name: unit(name).decimal(amount) for name, amount in amounts.items()}


def _texts(statement: Statement) -> Iterator[str]:
    yield f"Statement of {statement.participant}, {statement.title}, from {statement.start:%d %b %Y}"
    for line in statement.lines:
        day = f"{line.on:%d %b %Y}" if line.on else ""
        what = "" if line.outcome in BANKED else f"{_what(statement, line)}{_worth(statement, line)}. "
        yield f"{line.number:4}  {day}  {what}{line.sentence}".rstrip()
    for unit, total in statement.awarded.items():
        by = f" by {statement.until:%d %b %Y}" if statement.until else ""
        yield f"In all {_spoken(statement, {unit: total}) or 'nothing'} awarded{by}{'; today' if statement.until else ''}{_where(statement, unit)}"
    if statement.is_frozen:
        yield "Frozen: nothing is handed over for now, and what is on the way may be held back."


def _what(statement: Statement, line: Line) -> str:
    """Return what a decision is on."""
    several = len({each.target for each in statement.lines if each.target}) > 1
    target = f"{line.target}, " if several and line.target else ""
    return f"{target}visit {line.visit}" if line.visit else f"{target}no visit" if line.target else "event"


def _worth(statement: Statement, line: Line) -> str:
    """Return what a decision awards, instead of what, and what that adds."""
    awards = _spoken(statement, line.awards) or "nothing"
    drawn = (
        f"; drawn: {', '.join(each or 'nothing' for each in line.drawn)}{_cut(line)}" if line.drawn else ""
    )
    if not line.corrects:
        return f": {awards}{drawn}"
    was = _spoken(statement, line.instead_of) or "nothing"
    if line.outcome == WITHDRAWN:
        return f": line {line.corrects} is withdrawn, {was} before{_less(statement, line)}"
    before = "as before" if was == awards else f"{was} before"
    more = _spoken(statement, {unit: amount for unit, amount in line.amounts.items() if amount > 0})
    due = f"{f'; {more} more is due' if more else ''}{_less(statement, line)}"
    return f", instead of line {line.corrects}: {awards}, {before}{drawn}{due}"


def _less(statement: Statement, line: Line) -> str:
    """Return how much less is due by a line."""
    less = _spoken(statement, {unit: -amount for unit, amount in line.amounts.items() if amount < 0})
    return f"; {less} less is due" if less else ""


def _cut(line: Line) -> str:
    """Return what a limit took of what was drawn."""
    return f" ({sentence(line.limited, WORDS['task']).rstrip('.')})" if line.limited else ""


def _spoken(statement: Statement, amounts: Mapping[str, Decimal]) -> str:
    found = ((statement.units[name], amount) for name, amount in amounts.items() if amount)
    return " and ".join(unit.spoken(unit.minor(amount)) for unit, amount in found)


def _where(statement: Statement, unit: str) -> str:
    """Return where the amounts of a unit are now, in words."""
    places = statement.balances[unit]._asdict()
    told = (
        f"{_spoken(statement, {unit: places[name]})} {words}"
        for name, words in PLACES.items()
        if places[name]
    )
    return "".join(f"; {each}" for each in told)
