"""The enrollments and programs at hand, with what they are compiled to; nothing in it can go stale."""

import hmac
from collections.abc import Iterable
from contextlib import suppress
from copy import copy

from cm_engine.acts.lately import Lately, forget_some
from cm_engine.errors import (
    UNREADABLE,
    EnrollmentNotFoundError,
    ProgramNotFoundError,
    SecretError,
    StorageError,
)
from cm_engine.ledger.corrections import books
from cm_engine.log.correction import Log, by_subject, history_of, latest, shared_then
from cm_engine.log.deciding import Finding
from cm_engine.log.fold import folded
from cm_engine.log.migrating import moves_of
from cm_engine.log.moves import wrapped_seeds
from cm_engine.log.rows import EnrollmentRow, ProgramRow, RecordRow, StandingRow
from cm_engine.log.stand import Enrolled, Stand, stand_from
from cm_engine.ports import Transaction
from cm_engine.program.canonical import digest_of, from_canonical
from cm_engine.program.models import Program
from cm_engine.rules.compiled import Rules, compile_rules
from cm_engine.rules.prizes import commitment
from cm_engine.wrapping import kept_seed

MISSING = (
    "this program draws prizes: open the engine with its secret, Engine.open(url, secret=...); "
    "on the command line, set CM_ENGINE_SECRET"
)
WRONG = "the prizes of this enrollment are drawn with another secret than the engine's; open it with that one"


class Register:
    """Find enrollments with their rules, and where they stand.

    A program is found by its digest, and where an enrollment stands by the head of its hash chain: the same name
    always means the same thing, so that no writer elsewhere can make it wrong. An enrollment is kept at hand once it
    is committed for good, as long as its head is known: in a transaction of the host's, which may be rolled back, it is
    read each time.

    Attributes:
        lately: where enrollments stood when they were last written here, which others may have changed since.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._rules: dict[str, Rules] = {}
        self._stands: dict[str, Stand] = {}
        self._enrolled: dict[str, Enrolled] = {}
        self._keeps_enrollments = True
        self.lately = Lately()

    def in_transaction_of_host(self) -> "Register":
        """Return a register for a transaction that may be rolled back; what cannot go stale is shared with it."""
        other = copy(self)
        vars(other).update(_enrolled={}, _keeps_enrollments=False, lately=Lately())
        return other

    def row(self, tx: Transaction, enrollment: str) -> EnrollmentRow | None:
        """Return an enrollment without its rules, or None."""
        known = self._enrolled.get(enrollment)
        return known.row if known else tx.enrollment(enrollment)

    def rules(self, tx: Transaction, digest: str) -> Rules:
        """Return the rules of a program by its digest.

        Raises:
            ProgramNotFoundError: no such program is registered.
            StorageError: its text is not the one that was registered.
        """
        if digest not in self._rules:
            rows = tx.programs(digest=digest)
            if not rows:
                raise ProgramNotFoundError(digest)
            self._rules[digest] = compile_rules(registered(rows[0]))
        return self._rules[digest]

    def enrolled(self, tx: Transaction, enrollment: str) -> Enrolled:
        """Return an enrollment with its rules.

        Raises:
            EnrollmentNotFoundError: there is none.
            SecretError: its prizes are drawn with another secret.
        """
        known = self._enrolled.get(enrollment)
        if known is not None:
            return known
        row = tx.enrollment(enrollment)
        if row is None:
            raise EnrollmentNotFoundError(enrollment)
        enrolled = self.opened(tx, row)
        if enrolled.seed and commitment(enrolled.seed) != row.commitment:
            raise SecretError(WRONG)
        if self._keeps_enrollments:
            forget_some(self._enrolled)
            self._enrolled[enrollment] = enrolled
        return enrolled

    def begun(self, tx: Transaction, row: EnrollmentRow) -> Enrolled:
        """Return a new enrollment; one of its id that was known here was lost with a backup that was brought back."""
        self._enrolled.pop(row.id, None)
        return self.opened(tx, row)

    def opened(self, tx: Transaction, row: EnrollmentRow) -> Enrolled:
        """Return an enrollment with its rules, from its row."""
        rules = self.rules(tx, row.program)
        return Enrolled(row, rules, self._seed(tx, row) if rules.program.bowls and self._secret else b"")

    def _seed(self, tx: Transaction, row: EnrollmentRow) -> bytes:
        """Return the secret of an enrollment's draws: derived, or where it came from elsewhere, as it arrived."""
        derived = self.seed(row.id)
        if commitment(derived) == row.commitment:
            return derived
        return kept_seed(wrapped_seeds(tx.records(row.id)), self._secret, row.id) or derived

    def seed(self, enrollment: str) -> bytes:
        """Return the secret that the prizes of an enrollment are drawn with.

        Raises:
            SecretError: the engine was opened without a secret.
        """
        if not self._secret:
            raise SecretError(MISSING)
        return hmac.digest(self._secret, f"cm-engine/seed/{enrollment}".encode(), "sha256")

    def stand(self, tx: Transaction, row: StandingRow) -> tuple[Enrolled, Stand]:
        """Return an enrollment and where it stands; what another release has written is folded again.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
        """
        stand = self._stands.get(row.head)
        if (
            stand is None
        ):  # others wrote it: in a database that was brought back even another enrollment of this id
            self._enrolled.pop(row.enrollment, None)
        enrolled = self.enrolled(tx, row.enrollment)
        program = stand.state.program if stand else program_in(row.state)
        if program != enrolled.rules.digest:
            enrolled = self._latest(tx, enrolled, program)
        if stand is None:
            try:
                stand = stand_from(enrolled.rules, row.state)
            except (ValueError, KeyError, TypeError, AttributeError):
                enrolled = self._latest(tx, enrolled, program)
                stand, _ = refolded(enrolled, _log_of(tx, enrolled))
            self.keep(row.head, stand)
        return self._with_all(tx, enrolled, stand), stand

    def current(self, tx: Transaction, row: EnrollmentRow) -> Enrolled:
        """Return an enrollment under the version of its program that it stands under, knowing all that it moved to.

        Raises:
            EnrollmentNotFoundError: it stands nowhere.
        """
        standing = tx.standing(row.id)
        if standing is None:
            raise EnrollmentNotFoundError(row.id)
        return self.stand(tx, standing)[0]

    def _with_all(self, tx: Transaction, enrolled: Enrolled, stand: Stand) -> Enrolled:
        """Return an enrollment that knows the rules of all versions that it has moved to, and back from."""
        for program, _ in stand.moved_to:
            if program not in enrolled.versions:
                enrolled = self.with_version(tx, enrolled, program)
        return enrolled

    def _latest(self, tx: Transaction, enrolled: Enrolled, program: str) -> Enrolled:
        """Return an enrollment under a version, or under the one that its log moved to last if none is known."""
        records = tx.records(enrolled.row.id)
        last = [enrolled.row.program, *(move.program for move in moves_of(records))][-1]
        known = self.with_versions(tx, enrolled, records)
        return known.under(program if program in known.versions else last)

    def with_version(self, tx: Transaction, enrolled: Enrolled, program: str) -> Enrolled:
        """Return an enrollment that knows the rules of another version of its program too."""
        known = {**enrolled.versions, enrolled.rules.digest: enrolled.rules}
        return enrolled._replace(versions={**known, program: self.rules(tx, program)})

    def with_versions(self, tx: Transaction, enrolled: Enrolled, records: Iterable[RecordRow]) -> Enrolled:
        """Return an enrollment that knows the rules of all versions which its log moves to."""
        for move in moves_of(records):
            enrolled = self.with_version(tx, enrolled, move.program)
        return enrolled

    def keep(self, head: str, stand: Stand, former: str = "") -> None:
        """Keep where an enrollment stands at hand, instead of where it stood."""
        self._stands.pop(former, None)
        forget_some(self._stands)
        self._stands[head] = stand


def program_in(state: str) -> str:
    """Return the digest of the program that a stored state is of, or nothing."""
    return state.partition('"program":"')[2].partition('"')[0]


def _log_of(tx: Transaction, enrolled: Enrolled) -> Log:
    enrollment = enrolled.row.id
    return Log(tx.records(enrollment), tx.decisions(enrollment), tx.entries(enrollment))


def refolded(enrolled: Enrolled, log: Log) -> tuple[Stand, list[Finding]]:
    """Return where an enrollment stands by its whole log, and what today's rules find of each of its observations."""
    former = latest(log.decisions)
    history = history_of(enrolled, log.records)
    stand, findings = folded(enrolled, history, lambda _, subject: shared_then(log, former, subject))
    offset = books(by_subject(log)).offset
    return stand._replace(offset={unit: amount for unit, amount in offset.items() if amount}), findings


def registered(row: ProgramRow) -> Program:
    """Return a program as it was registered; nothing is decided by a text that is another one.

    Raises:
        StorageError: the text is not that of its digest.
    """
    with suppress(*UNREADABLE):
        if digest_of(row.text) == row.digest:
            return from_canonical(row.text)
    msg = f"the program {row.program}@{row.version} is not the one that was registered ({row.digest[:12]}); run verify"
    raise StorageError(msg)
