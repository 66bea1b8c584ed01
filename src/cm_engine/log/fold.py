"""From an observation to rows of the log: the one way that recording, correcting and auditing all take.

In order, an observation is decided from where its enrollment stands (`follow`). What corrects the past folds the whole
log again (`folded`), and so does an audit. Pure, as the rules are.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from cm_engine.errors import CmEngineError, CorrectionError, SecretError
from cm_engine.ledger.accounts import IN_FLIGHT, OFFSET, Posting
from cm_engine.ledger.postings import due, less
from cm_engine.log.attending import attended
from cm_engine.log.deciding import Finding, Others
from cm_engine.log.entering import Waiting
from cm_engine.log.history import Seen
from cm_engine.log.migrating import Move, migrated
from cm_engine.log.rows import DecisionRow, EntryRow, PayoutRow, Subject
from cm_engine.log.stand import Enrolled, Stand, first_stand
from cm_engine.rules.state import State
from cm_engine.rules.windows import Calendar

SETTLES = "of it settles what an earlier correction left given too much."
TAKEN_OFF = "that was given is taken off later awards."
"""What is said of an amount that is given too much, once it is settled, and as long as it is not."""


class Written(NamedTuple):
    """What an act writes: its decisions, their postings and payouts, and where the enrollment stands then."""

    decisions: tuple[DecisionRow, ...]
    entries: tuple[EntryRow, ...]
    payouts: tuple[PayoutRow, ...]
    stand: Stand


class Turn(NamedTuple):
    """An enrollment as an act meets it.

    Attributes:
        enrolled: the enrollment, with its rules.
        stand: where it stands.
        number: of its last decision.
        others: what shared pools have received from other enrollments.
    """

    enrolled: Enrolled
    stand: Stand
    number: int
    others: Others


def follow(turn: Turn, seen: Seen, record: int, head: str) -> Written:
    """Decide an observation that comes after all others.

    Args:
        turn: the enrollment as the act meets it.
        seen: the observation.
        record: the act that reports it.
        head: the hash of that act.
    """
    stand, findings = attended(turn.enrolled, turn.stand, seen, (), lambda _: turn.others)
    written = Written((), (), (), stand)
    for number, finding in enumerate(findings, start=turn.number + 1):
        more = _posted(turn.enrolled, finding, written.stand, (number, record, head))
        head = more.decisions[0].hash
        written = _and(written, more) if written.decisions else more
    return written


def _posted(enrolled: Enrolled, finding: Finding, stand: Stand, place: tuple[int, int, str]) -> Written:
    """Return what a finding writes in its place: the number of its decision, its act, and the head before it."""
    postings = due(enrolled.rules, finding.decision.paid, finding.decision.reasons, finding.prizes)
    note = ""
    if stand.offset:
        postings, offset = less(postings, stand.offset)
        note, stand = told_of(enrolled, postings), stand._replace(offset=offset)
    row = finding.row(enrolled.row.id, *place, note)
    entries = entries_of(row, postings)
    return Written((row,), entries, payouts_of(row, entries), stand)


def _and(one: Written, more: Written) -> Written:
    return Written(
        one.decisions + more.decisions, one.entries + more.entries, one.payouts + more.payouts, more.stand
    )


def told_of(enrolled: Enrolled, postings: Iterable[Posting]) -> str:
    """Say what an award settles of what was given too much before, and what of it was given and is taken off later ones."""
    found = Counter[tuple[str, str]]()
    for debit, credit, unit, amount in postings:
        if OFFSET in {debit, credit}:
            found[unit, SETTLES if credit == OFFSET else TAKEN_OFF] += amount
    spoken = enrolled.rules.program.unit
    return "".join(f" {spoken(unit).spoken(amount)} {told}" for (unit, told), amount in found.items())


class History(NamedTuple):
    """What a whole log comes to, to be decided from the beginning.

    Attributes:
        seen: the observations that stand, in order.
        calendar: what moves the plan.
        start: the state before the first observation.
        waiting: first entries, which wait for a second person.
        moves: the changes to other versions of the program.
        timed: the latest time of collection of a result that was said to count for a day.
    """

    seen: Sequence[Seen]
    calendar: Calendar
    start: State
    waiting: Waiting = ()
    moves: tuple[Move, ...] = ()
    timed: str = ""


def folded(
    enrolled: Enrolled, history: History, shared: Callable[[Seen, Subject], Others]
) -> tuple[Stand, list[Finding]]:
    """Return where an enrollment stands after all its observations, and what each leads to.

    Args:
        enrolled: the enrollment.
        history: its observations.
        shared: what shared pools had received from other enrollments, by the observation that shows something, and by
            what is decided.

    Raises:
        CorrectionError: an observation cannot be decided; it says which.
    """
    seen, calendar, start, waiting, moves, timed = history
    findings: list[Finding] = []
    enrolled = enrolled.under(enrolled.row.program)
    stand = first_stand(enrolled.rules, start)._replace(calendar=calendar, waiting=waiting, timed=timed)
    for index, each in enumerate(seen):
        while moves and moves[0].day <= each.day:
            stand = migrated(enrolled, stand, moves[0], seen[:index], findings)
            enrolled, moves = enrolled.under(moves[0].program), moves[1:]
        others, later = _others(shared, each), seen[index + 1 :] if enrolled.rules.has_windows else ()
        if moves:  # another version decides what comes from its day on
            later = [other for other in later if other.day < moves[0].day]
        try:
            stand, found = attended(enrolled, stand, each, later, others)
            findings += found
        except SecretError:
            raise
        except CmEngineError as error:
            raise CorrectionError(each.record, str(error)) from error
    for move in moves:
        stand = migrated(enrolled, stand, move, seen, findings)
        enrolled = enrolled.under(move.program)
    return stand, findings


def _others(shared: Callable[[Seen, Subject], Others], seen: Seen) -> Callable[[Subject], Others]:
    return lambda subject: shared(seen, subject)


def entries_of(row: DecisionRow, postings: Iterable[Posting]) -> tuple[EntryRow, ...]:
    """Return the postings of a decision as the log keeps them."""
    enrollment, number, *_ = row
    return tuple(
        [
            EntryRow(enrollment, number, leg, unit, amount, debit, credit)
            for leg, (debit, credit, unit, amount) in enumerate(postings, start=1)
        ]
    )


def payouts_of(row: DecisionRow, entries: Iterable[EntryRow]) -> tuple[PayoutRow, ...]:
    """Return the instructions to hand over what a decision puts in flight."""
    day = row.day
    return tuple(
        [
            PayoutRow(each.enrollment, each.number, each.leg, day)
            for each in entries
            if each.credit == IN_FLIGHT
        ]
    )
