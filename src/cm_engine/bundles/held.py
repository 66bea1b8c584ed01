"""A bundle as a transaction that only reads, so that the audit looks at it as it looks at a database."""

from collections.abc import Sequence
from dataclasses import dataclass

from cm_engine.acts.register import Register
from cm_engine.bundles.layout import Rows
from cm_engine.errors import SecretError, StorageError
from cm_engine.log.rows import (
    Batch,
    DecisionRow,
    EnrollmentRow,
    EntryRow,
    PayoutRow,
    PoolRow,
    ProgramRow,
    RecordRow,
    StandingRow,
    WorkRow,
)
from cm_engine.ports import LAST, Claim, Found, WorkQuery

NO_KEY = (
    "its prizes are drawn from a seed that travels wrapped; give the key that the two hosts share: seal_with"
)


class SeedRegister(Register):
    """Find the program and the seed of one bundle."""

    def __init__(self, seed: bytes) -> None:
        super().__init__(seed)
        self._only = seed

    def seed(self, enrollment: str) -> bytes:
        """Return the seed that travelled.

        Raises:
            SecretError: it could not be unwrapped.
        """
        if not self._only:
            msg = f"{enrollment}: {NO_KEY}"
            raise SecretError(msg)
        return self._only


@dataclass(frozen=True, slots=True)
class Held:
    """The rows of a bundle, as a storage would give them."""

    rows: Rows

    def look_up(self, enrollments: Sequence[str], keys: Sequence[tuple[str, str]]) -> Found:
        """Return where the enrollment stands, and what was recorded under keys."""
        records = {(row.source, row.key): row for row in self.rows.records if (row.source, row.key) in keys}
        standing = self.rows.standing
        return Found({each: standing for each in enrollments if each == standing.enrollment}, records)

    def append(self, batch: Batch) -> None:
        """Refuse: nothing is written to a bundle."""
        msg = f"a bundle is not written to, got {batch!r}"
        raise StorageError(msg)

    def work(self, query: WorkQuery) -> list[WorkRow]:
        """Return nothing: no work travels."""
        _ = query
        return []

    def claim(self, claim: Claim) -> list[WorkRow]:
        """Refuse: nothing is written to a bundle."""
        msg = f"a bundle is not written to, got {claim!r}"
        raise StorageError(msg)

    def settle(self, was: WorkRow, row: WorkRow) -> None:
        """Refuse: nothing is written to a bundle."""
        msg = f"a bundle is not written to, got {was!r} and {row!r}"
        raise StorageError(msg)

    def add_program(self, program: ProgramRow) -> None:
        """Refuse: nothing is written to a bundle."""
        msg = f"a bundle is not written to, got {program.digest}"
        raise StorageError(msg)

    def programs(self, *, digest: str = "", program: str = "") -> list[ProgramRow]:
        """Return its programs."""
        rows = self.rows.programs
        return [row for row in rows if digest in {"", row.digest} and program in {"", row.program}]

    def enrollment(self, enrollment: str) -> EnrollmentRow | None:
        """Return its enrollment, or None."""
        return self.rows.enrollment if enrollment == self.rows.enrollment.id else None

    def enrollments(
        self, *, participant: str = "", program: str = "", after: str = "", limit: int = 1000
    ) -> list[EnrollmentRow]:
        """Return its enrollment."""
        row = self.rows.enrollment
        found = participant in {"", row.participant} and program in {"", row.program} and row.id > after
        return [row][:limit] if found else []

    def records(self, enrollment: str, *, after: int = -1) -> list[RecordRow]:
        """Return its acts."""
        return [row for row in self.rows.records if row.enrollment == enrollment and row.seq > after]

    def decisions(self, enrollment: str, *, record: int | None = None) -> list[DecisionRow]:
        """Return its decisions."""
        rows = self.rows.decisions
        return [row for row in rows if row.enrollment == enrollment and record in {None, row.record}]

    def entries(self, enrollment: str, *, first: int = 0, last: int = LAST) -> list[EntryRow]:
        """Return its postings."""
        rows = self.rows.entries
        return [row for row in rows if row.enrollment == enrollment and first <= row.number <= last]

    def payouts(self, enrollment: str) -> list[PayoutRow]:
        """Return its payouts."""
        return [row for row in self.rows.payouts if row.enrollment == enrollment]

    def standing(self, enrollment: str) -> StandingRow | None:
        """Return where its enrollment stands, or None."""
        return self.rows.standing if enrollment == self.rows.standing.enrollment else None

    def journals(self, *, after: str = "", limit: int = 1000) -> list[StandingRow]:  # noqa: ARG002 - as its port
        """Return nothing: a bundle has no journal."""
        return []

    def pools(self, pools: Sequence[tuple[str, str, str, str, str]] = ()) -> list[PoolRow]:  # noqa: ARG002 - as its port
        """Return nothing: what pools have received belongs to a database."""
        return []

    def damage(self) -> list[str]:
        """Return nothing: a bundle is in no database."""
        return []

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        several = ("programs", "records", "decisions", "entries", "payouts")
        counted = {name: len(getattr(self.rows, name)) for name in several}
        return {"enrollments": 1, "standings": 1, "pools": 0, **counted}

    @property
    def foreign(self) -> str:
        """Return the first row that is of another enrollment; empty if there is none."""
        several = ("records", "decisions", "entries", "payouts")
        named = (
            (f"{name}[{place}]", row)
            for name in several
            for place, row in enumerate(getattr(self.rows, name))
        )
        return next((where for where, row in named if row.enrollment != self.rows.enrollment.id), "")
