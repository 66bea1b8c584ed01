"""The statements of the log on one connection: any that SQLAlchemy speaks to, run by the driver itself.

The statements are compiled once by SQLAlchemy; that the driver runs them takes a third of the time.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Dialect, MetaData
from sqlalchemy.exc import SQLAlchemyError

from cm_engine.errors import StorageConflictError
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
from cm_engine_adapters.storage.failures import failure
from cm_engine_adapters.storage.statements import FILLED, MOVED, SETTLED, Statement, Statements
from cm_engine_adapters.storage.tables import tables

Row = TypeVar("Row")


class SqlTransaction:
    """Run the statements of the log on one connection, through its driver."""

    def __init__(self, cursor: Any, statements: Statements, *, lock: bool = False, wait: bool = True) -> None:
        self._cursor = cursor
        self.statements = statements
        self.locks = lock
        self.waits = wait

    @property
    def cursor(self) -> Any:
        """Return the driver's cursor."""
        return self._cursor

    def finish(self) -> None:
        """Write what waits for the end of the block: here, nothing."""

    def look_up(self, enrollments: Sequence[str], keys: Sequence[tuple[str, str]]) -> Found:
        """Return where enrollments stand, and what was recorded under keys."""
        found = (self._one(RecordRow, self.statements.record, source=source, key=key) for source, key in keys)
        records = {(row.source, row.key): row for row in found if row}
        if keys and len(records) == len(keys):
            return Found({}, records)
        by_id = self.statements.standing_by[self.locks, self.waits]
        standings = (self._one(StandingRow, by_id, enrollment=each) for each in sorted(enrollments))
        return Found({row.enrollment: row for row in standings if row}, records)

    def append(self, batch: Batch) -> None:
        """Write all rows of a batch, or none."""
        self._insert("enrollments", batch.enrollments)
        self._insert("records", batch.records)
        self._insert("decisions", batch.decisions)
        self._insert("entries", batch.entries)
        self._insert("payouts", batch.payouts)
        self._insert("work", batch.work)
        stood = [(row, head) for row, head in zip(batch.standings, batch.heads, strict=True) if head]
        self._insert(
            "standings", [row for row, head in zip(batch.standings, batch.heads, strict=True) if not head]
        )
        self._change(self.statements.move, MOVED, [(*row[1:], row[0], head) for row, head in stood])
        self._insert("pools", [row for read, row in batch.pools if not read])
        filled = [(row.windows, *row[:5], read) for read, row in batch.pools if read]
        self._change(self.statements.fill, FILLED, filled)

    def _insert(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            statement = self.statements.inserts[name]
            self._run(statement.text, statement.rows(ROWS[name], rows))

    def _run(self, text: str, rows: Sequence[Any]) -> None:
        """Run a statement with each row; with one alone, as drivers do it faster."""
        if len(rows) == 1:
            self.cursor.execute(text, rows[0])
        else:
            self.cursor.executemany(text, rows)

    def _change(self, statement: Statement, fields: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Change rows, each if it is still what was read."""
        if not rows:
            return
        self._run(statement.text, statement.rows(fields, rows))
        if self.cursor.rowcount != len(rows):
            msg = "another writer came first"
            raise StorageConflictError(msg)

    def add_program(self, program: ProgramRow) -> None:
        """Write a program; one that is there stays as it is."""
        once = self.statements.program_once
        self.cursor.execute(once.text, once.bound(**program._asdict()))

    def programs(self, *, digest: str = "", program: str = "") -> list[ProgramRow]:
        """Return the programs of a digest or of an id, or all."""
        found = self._all(ProgramRow, self.statements.programs)
        return [row for row in found if digest in {"", row.digest} and program in {"", row.program}]

    def enrollment(self, enrollment: str) -> EnrollmentRow | None:
        """Return an enrollment, or None."""
        return self._one(EnrollmentRow, self.statements.enrollment, id=enrollment)

    def enrollments(
        self, *, participant: str = "", program: str = "", after: str = "", limit: int = 1000
    ) -> list[EnrollmentRow]:
        """Return enrollments in the order of their ids."""
        chosen = {
            name: value for name, value in (("participant", participant), ("program", program)) if value
        }
        page = self.statements.enrollments[tuple(chosen)]
        return self._all(EnrollmentRow, page, after=after, limit=limit, **chosen)

    def records(self, enrollment: str, *, after: int = -1) -> list[RecordRow]:
        """Return the acts of an enrollment after a place."""
        return self._all(RecordRow, self.statements.records, enrollment=enrollment, after=after)

    def decisions(self, enrollment: str, *, record: int | None = None) -> list[DecisionRow]:
        """Return the decisions of an enrollment, or those that an act led to."""
        if record is None:
            return self._all(DecisionRow, self.statements.decisions, enrollment=enrollment)
        found = self._all(DecisionRow, self.statements.decisions_of, enrollment=enrollment, record=record)
        return sorted(found, key=lambda row: row.number)  # in SQL the order would be asked of the whole log

    def entries(self, enrollment: str, *, first: int = 0, last: int = LAST) -> list[EntryRow]:
        """Return the postings of an enrollment, from a decision to another."""
        return self._all(EntryRow, self.statements.entries, enrollment=enrollment, first=first, last=last)

    def payouts(self, enrollment: str) -> list[PayoutRow]:
        """Return the payouts of an enrollment."""
        return self._all(PayoutRow, self.statements.payouts, enrollment=enrollment)

    def standing(self, enrollment: str) -> StandingRow | None:
        """Return where an enrollment stands, or None."""
        return self._one(StandingRow, self.statements.standing, enrollment=enrollment)

    def journals(self, *, after: str = "", limit: int = 1000) -> list[StandingRow]:
        """Return where journals stand, in the order of their names."""
        return self._all(StandingRow, self.statements.journals, after=after, limit=limit)

    def pools(self, pools: Sequence[tuple[str, str, str, str, str]] = ()) -> list[PoolRow]:
        """Return what pools have received; locked in the order of their keys."""
        if not pools:
            return self._all(PoolRow, self.statements.pools)
        by_key = self.statements.pools_by[self.locks, self.waits]
        names = PoolRow._fields[:5]
        found = (self._one(PoolRow, by_key, **dict(zip(names, key, strict=True))) for key in sorted(pools))
        return [row for row in found if row]

    def work(self, query: WorkQuery) -> list[WorkRow]:
        """Return work in the order of enrollments and names."""
        kind, *by, after, limit = query
        chosen = {column: value for column, value in zip(WorkQuery._fields[1:4], by, strict=True) if value}
        first = dict(zip(("after", "after_name"), after, strict=True))
        page = self.statements.work[tuple(chosen)]
        return self._all(WorkRow, page, kind=kind, limit=limit, **first, **chosen)

    def claim(self, claim: Claim) -> list[WorkRow]:
        """Return work that waits and is due, and give it to a worker."""
        asked = {name: value for name, value in claim._asdict().items() if value != ""}
        return sorted(self._all(WorkRow, self.statements.claims["enrollment" in asked], **asked))

    def settle(self, was: WorkRow, row: WorkRow) -> None:
        """Write what has become of work, in the place of what it was."""
        self._change(self.statements.settle, SETTLED, [(*row[3:], *was)])

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        statement = self.statements.counts
        self.cursor.execute(statement.text, statement.bound())
        return dict(self.cursor.fetchall())

    def damage(self) -> list[str]:
        """Return what the database itself finds damaged: here it cannot look."""
        return []

    def _all(self, made: type[Row], statement: Statement, **values: Any) -> list[Row]:
        self.cursor.execute(statement.text, statement.bound(**values))
        return [made(*row) for row in self.cursor.fetchall()]

    def _one(self, made: type[Row], statement: Statement, **values: Any) -> Row | None:
        self.cursor.execute(statement.text, statement.bound(**values))
        row = self.cursor.fetchone()
        return made(*row) if row else None


class translated:  # noqa: N801 - a block, as contextlib's are named; a generator would cost every act more
    """Raise a driver's errors, and SQLAlchemy's, as our own."""

    __slots__ = ("_errors", "_waits")

    def __init__(self, errors: type[Exception], *, wait: bool = True) -> None:
        self._errors = errors
        self._waits = wait

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise what a driver's error means."""
        if isinstance(error, self._errors):
            raise failure(error, waited=self._waits) from error
        if isinstance(error, SQLAlchemyError):
            raise failure(getattr(error, "orig", None) or error) from error


def errors_of(dialect: Dialect) -> Any:
    """Return the root of the errors of a dialect's driver."""
    found: Any = dialect.loaded_dbapi.Error
    return found


_compiled: dict[tuple[str, str, str, str | None], Statements] = {}


def statements_for(dialect: Dialect, prefix: str, schema: str | None) -> Statements:
    """Return the statements of a dialect; they are compiled once."""
    key = (dialect.name, dialect.driver, prefix, schema)
    if key not in _compiled:
        _compiled[key] = Statements(dialect, tables(MetaData(), prefix=prefix, schema=schema))
    return _compiled[key]


ROWS: dict[str, tuple[str, ...]] = {
    "enrollments": EnrollmentRow._fields,
    "records": RecordRow._fields,
    "decisions": DecisionRow._fields,
    "entries": EntryRow._fields,
    "payouts": PayoutRow._fields,
    "work": WorkRow._fields,
    "standings": StandingRow._fields,
    "pools": PoolRow._fields,
}
