"""From an observation to a decision in the log: the one way that recording, correcting and auditing all take.

In order, an observation is decided from where its enrollment stands (`follow`). What corrects the past folds the whole
log again (`folded`), and so does an audit. Pure, as the rules are.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from cm_engine.errors import CmEngineError, CorrectionError, SecretError
from cm_engine.ledger.accounts import IN_FLIGHT, Posting
from cm_engine.ledger.postings import due, less
from cm_engine.log.chain import hash_of
from cm_engine.log.encoding import awards_text, prizes_text, reasons_text, said
from cm_engine.log.history import Seen
from cm_engine.log.rows import DecisionRow, EntryRow, PayoutRow
from cm_engine.log.stand import Enrolled, Stand, first_stand
from cm_engine.rules import RULES_VERSION
from cm_engine.rules.prizes import Bowls, Prizes, award_prizes
from cm_engine.rules.shared import Pool, Windows, pools, with_pools
from cm_engine.rules.state import Decision, State
from cm_engine.rules.step import step

Others = Mapping[Pool, Windows]
"""What shared pools have received from other enrollments."""


class Finding(NamedTuple):
    """What an observation leads to, before anything is posted."""

    seen: Seen
    decision: Decision
    prizes: Prizes | None

    def row(self, enrollment: str, number: int, record: int, head: str, note: str = "") -> DecisionRow:
        """Return it as a row of the log that comes after a head, with a note for the participant."""
        target, visit, week, on, outcome, paid, reasons, words = self.decision
        fields = (
            enrollment,
            number,
            record,
            self.seen.record,
            target,
            visit,
            week,
            on.isoformat() if on else "",
            outcome,
            awards_text(paid),
            reasons_text(reasons),
            f"{said(reasons, words)}{note}",
            prizes_text(self.prizes) if self.prizes else "",
            RULES_VERSION,
        )
        return DecisionRow(*fields, hash_of(fields, head))


class Written(NamedTuple):
    """What an act writes: its decisions, their postings and payouts, and where the enrollment stands then."""

    decisions: tuple[DecisionRow, ...]
    entries: tuple[EntryRow, ...]
    payouts: tuple[PayoutRow, ...]
    stand: Stand


def decided(enrolled: Enrolled, stand: Stand, seen: Seen, others: Others) -> tuple[Stand, Finding]:
    """Return what an observation leads to, and where the enrollment stands then; its books are left as they are."""
    rules = enrolled.rules
    state = with_pools(rules, stand.state, summed(others, stand.own)) if rules.shares else stand.state
    state, decision = step(rules, state, seen.observation)
    prizes, slips = None, stand.slips
    if slips and any(unit.name in slips and amount for unit, amount in decision.paid):
        if not enrolled.seed:
            msg = "the engine has no secret to draw prizes with; open it with Engine.open(url, secret=...)"
            raise SecretError(msg)
        bowls = Bowls(slips, enrolled.seed)
        state, bowls, prizes = award_prizes(rules, state, decision, bowls, f"{enrolled.row.id}/{seen.record}")
        slips = bowls.slips
    own = summed(pools(rules, state), others, sign=-1) if rules.shares else stand.own
    return Stand(state, seen.place, slips, own, stand.offset), Finding(seen, decision, prizes)


def summed(first: Others, second: Others, sign: int = 1) -> dict[Pool, Windows]:
    """Return what pools have received together, or with a sign of -1 what of the first is not of the second."""
    found = {}
    for pool in {**first, **second}:
        windows = dict(first.get(pool, ()))
        for number, amount in second.get(pool, ()):
            windows[number] = windows.get(number, 0) + sign * amount
        found[pool] = tuple(sorted((number, amount) for number, amount in windows.items() if amount))
    return found


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


def follow(turn: Turn, seen: Seen, head: str) -> Written:
    """Decide an observation that comes after all others, whose act has the hash `head`."""
    enrolled, stand, number, others = turn
    after, finding = decided(enrolled, stand, seen, others)
    postings = due(enrolled.rules, finding.decision.paid, finding.decision.reasons, finding.prizes)
    note = ""
    if stand.offset:
        postings, offset = less(postings, stand.offset)
        note = _settled(enrolled, stand.offset, offset)
        after = after._replace(offset=offset)
    row = finding.row(enrolled.row.id, number + 1, seen.record, head, note)
    entries = entries_of(row, postings)
    return Written((row,), entries, payouts_of(row, entries), after)


def _settled(enrolled: Enrolled, before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Say what an award settles of what was given too much before."""
    unit = enrolled.rules.program.unit
    taken = {name: amount - after.get(name, 0) for name, amount in before.items()}
    told = (f" {unit(name).spoken(amount)} of it settles" for name, amount in taken.items() if amount)
    return "".join(f"{each} what an earlier correction left given too much." for each in told)


def folded(
    enrolled: Enrolled, seen: Iterable[Seen], start: State, shared: Callable[[int], Others]
) -> tuple[Stand, list[Finding]]:
    """Return where an enrollment stands after all its observations, and what each leads to.

    Args:
        enrolled: the enrollment.
        seen: its observations, in order.
        start: the state before the first of them.
        shared: what shared pools had received from other enrollments, by the act of an observation.

    Raises:
        CorrectionError: an observation cannot be decided; it says which.
    """
    stand, findings = first_stand(enrolled.rules, start), []
    for each in seen:
        try:
            stand, finding = decided(enrolled, stand, each, shared(each.record))
        except SecretError:
            raise
        except CmEngineError as error:
            raise CorrectionError(each.record, str(error)) from error
        findings.append(finding)
    return stand, findings


def entries_of(row: DecisionRow, postings: Iterable[Posting]) -> tuple[EntryRow, ...]:
    """Return the postings of a decision as the log keeps them."""
    return tuple(
        EntryRow(row.enrollment, row.number, leg, unit, amount, debit, credit)
        for leg, (debit, credit, unit, amount) in enumerate(postings, start=1)
    )


def payouts_of(row: DecisionRow, entries: Iterable[EntryRow]) -> tuple[PayoutRow, ...]:
    """Return the instructions to hand over what a decision puts in flight."""
    return tuple(
        PayoutRow(each.enrollment, each.number, each.leg, row.day)
        for each in entries
        if each.credit == IN_FLIGHT
    )
