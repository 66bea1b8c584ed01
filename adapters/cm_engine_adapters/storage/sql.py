"""A storage on a database: any that SQLAlchemy speaks to, with what SQLite and PostgreSQL do in their own way beside it.

SQLAlchemy has the tables, the dialects, the pool and the host's sessions; the statements it compiled once are run by the
driver itself, which takes a third of the time.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from sqlalchemy import Dialect, Engine, MetaData, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from cm_engine.errors import StorageConflictError, StorageError
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
from cm_engine.ports import LAST, Claim, Found, Storage, WorkQuery
from cm_engine_adapters.storage.failures import failure
from cm_engine_adapters.storage.statements import FILLED, MOVED, SETTLED, Statement, Statements
from cm_engine_adapters.storage.tables import PREFIX, refuse_names, tables

if TYPE_CHECKING:
    from cm_engine_adapters.storage.schema import Release

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


def _without_secrets(url: str) -> str:
    """Return what of a URL may stand in a message: a password can be anywhere after its scheme."""
    scheme, colon, rest = url.partition(":")
    return f"{scheme}{colon}..." if {"@", "?"} & set(rest) else url


class SqlStorage:
    """Keep the log in a database.

    Args:
        engine: of SQLAlchemy; it stays the host's, and `close` leaves it open.
        prefix: what the names of the tables begin with.
        schema: of PostgreSQL; left out, the one that a connection has.
    """

    joined = False
    transaction: type[SqlTransaction] = SqlTransaction

    def __init__(self, engine: Engine, *, prefix: str = PREFIX, schema: str | None = None) -> None:
        refuse_names(prefix, schema)
        self.engine = engine
        self.prefix = prefix
        self.schema = schema
        self._owned = False

    @classmethod
    def open(
        cls, url: str, *, prefix: str = PREFIX, schema: str | None = None, make: bool = True, **options: Any
    ) -> Self:
        """Open the database of a URL; its tables are made if there are none.

        Args:
            url: as SQLAlchemy writes it.
            prefix, schema: of the tables.
            make: make what is not there; without it, a database that has no tables is refused.
            options: of SQLAlchemy's engine.

        Raises:
            SchemaError: the tables are of another release, or not there and not to be made.
            StorageError: the database cannot be opened.
        """
        storage = cls(cls.made_engine(url, options), prefix=prefix, schema=schema)
        storage._owned = True
        try:
            storage.prepare(make=make)
        except BaseException:
            storage.close()
            raise
        return storage

    @classmethod
    def release(
        cls, url: str, *, prefix: str = PREFIX, schema: str | None = None, **options: Any
    ) -> "Release":
        """Return which release the tables of a database are of, and what is wrong with it; nothing is written.

        Args:
            url, prefix, schema, options: as for `open`.

        Raises:
            StorageError: the database cannot be opened.
        """
        from cm_engine_adapters.storage.schema import state  # noqa: PLC0415 - only where tables are made

        refuse_names(prefix, schema)
        with cls._reached(url, options) as engine:
            return state(engine, prefix=prefix, schema=schema)

    @classmethod
    def upgrade(
        cls, url: str, *, prefix: str = PREFIX, schema: str | None = None, **options: Any
    ) -> str | None:
        """Make the tables of a database, or bring them up to date: all of it or nothing; return the release they were of.

        Args:
            url, prefix, schema, options: as for `open`.

        Raises:
            SchemaError: the tables are not ours to change: of a newer release, or made by a host.
            StorageError: the database cannot be opened.
        """
        from cm_engine_adapters.storage.schema import upgrade  # noqa: PLC0415 - only where tables are made

        refuse_names(prefix, schema)
        with cls._reached(url, options) as engine:
            return upgrade(engine, prefix=prefix, schema=schema)

    @classmethod
    @contextmanager
    def _reached(cls, url: str, options: dict[str, Any]) -> Iterator[Engine]:
        """Yield the engine of a URL, whose connections are closed at the end."""
        engine = cls.made_engine(url, options)
        try:
            with translated(errors_of(engine.dialect)):
                yield engine
        finally:
            engine.dispose()

    @classmethod
    def made_engine(cls, url: str, options: dict[str, Any]) -> Engine:
        """Return the engine of a URL."""
        try:
            engine = create_engine(make_url(url), **options)
        except (ArgumentError, NoSuchModuleError, ValueError) as error:
            msg = f"{_without_secrets(url)!r} is no URL of a database: {' '.join(str(error).split())}"
            raise StorageError(msg) from error
        except TypeError as error:
            msg = f"options: SQLAlchemy's create_engine takes other ones: {str(error).partition('.')[0]}"
            raise StorageError(msg) from error
        if "@" in (engine.url.host or ""):
            msg = "a password that has an @ in it is written with %40, and one that has a / with %2F"
            raise StorageError(msg)
        if engine.dialect.is_async:
            msg = f"{engine.dialect.driver} is an asynchronous driver; name another, and join an AsyncSession by run_sync"
            raise StorageError(msg)
        return engine

    @cached_property
    def statements(self) -> Statements:
        """Return the statements, compiled for the dialect."""
        return statements_for(self.engine.dialect, self.prefix, self.schema)

    def prepare(self, *, make: bool = True) -> None:
        """Make the tables if there are none.

        Raises:
            SchemaError: they are of another release, or not there and not to be made.
        """
        from cm_engine_adapters.storage.schema import check, prepare  # noqa: PLC0415 - only where tables are made

        with self.translated():
            (prepare if make else check)(self.engine, prefix=self.prefix, schema=self.schema)

    @contextmanager
    def writing(self, *, lock: bool = False, wait: bool = True) -> Iterator[SqlTransaction]:
        """Begin a transaction that commits with the block, or writes nothing if the block raises."""
        with self.connected(wait=wait) as cursor:
            if wait:
                self.begin(cursor, lock=lock)
            else:
                self.begin_without_waiting(cursor)
            transaction = self.transaction(cursor, self.statements, lock=lock, wait=wait)
            yield transaction
            transaction.finish()
            self.commit(cursor)

    @contextmanager
    def reading(self) -> Iterator[SqlTransaction]:
        """Begin a transaction that only reads, and sees one moment of the log."""
        with self.connected() as cursor:
            self.begin_reading(cursor)
            yield self.transaction(cursor, self.statements)

    def begin(self, cursor: Any, *, lock: bool) -> None:
        """Begin a transaction that writes."""

    def begin_without_waiting(self, cursor: Any) -> None:
        """Begin a transaction that writes, and waits for nobody."""
        self.begin(cursor, lock=True)

    def begin_reading(self, cursor: Any) -> None:
        """Begin a transaction that reads."""

    def commit(self, cursor: Any) -> None:
        """Commit what a transaction wrote."""
        cursor.connection.commit()

    @contextmanager
    def connected(self, *, wait: bool = True) -> Iterator[Any]:
        """Yield a cursor on a connection of the pool; what is not committed is undone at the end."""
        with self.translated(wait=wait):
            connection = self.engine.raw_connection()
            try:
                yield connection.cursor()
            except BaseException as error:
                self.give_up(connection, error)
                raise
            connection.close()

    def give_up(self, connection: Any, error: BaseException) -> None:
        """Undo what a connection wrote; one that is lost is not used again, nor are those that wait beside it."""
        dialect, errors, of_driver = self.engine.dialect, self._errors, cast("Any", error)
        lost = isinstance(error, errors) and dialect.is_disconnect(of_driver, connection, None)
        with suppress(errors):
            if lost:
                self.engine.pool._invalidate(connection, error)  # noqa: SLF001 - as SQLAlchemy's own connections do
            connection.close()

    @cached_property
    def _errors(self) -> Any:
        return errors_of(self.engine.dialect)

    def translated(self, *, wait: bool = True) -> translated:
        """Raise the driver's errors as our own."""
        return translated(self._errors, wait=wait)

    def joining(self, bind: Any) -> Storage:
        """Return a storage that writes in the host's own transaction."""
        from cm_engine_adapters.storage.joined import SqlJoined  # noqa: PLC0415 - it knows all dialects

        return SqlJoined(bind, prefix=self.prefix, schema=self.schema)

    def close(self) -> None:
        """Close the connections of an engine that was opened here."""
        if self._owned:
            self.engine.dispose()
