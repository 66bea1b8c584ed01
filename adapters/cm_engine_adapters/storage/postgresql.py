"""PostgreSQL: many processes and clinics; an act is one statement, so that it costs one way to the server and back."""

from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Dialect, Engine, Table, Text, event

from cm_engine.errors import StorageConflictError
from cm_engine.log.rows import Batch, ProgramRow
from cm_engine_adapters.storage.sql import ROWS, SqlStorage, SqlTransaction
from cm_engine_adapters.storage.statements import FILLED, Statements

IDLE = 0
"""What libpq calls a connection that is in no transaction."""
WRITTEN = ("records", "decisions", "entries", "payouts")


class PostgresTransaction(SqlTransaction):
    """Write a batch as one statement, through psycopg: columns go as arrays, whatever the number of rows."""

    _waiting: Batch | None = None

    def append(self, batch: Batch) -> None:
        """Write all rows of a batch, or none.

        The statement is atomic by itself, and waits for the end of the block, which may still raise. Where it alone
        cannot tell that another writer came first, because it enrolls, moves several enrollments or fills a pool, or
        where it is not the last one of the block, it is run in a transaction.
        """
        moves_one = len(batch.standings) == 1 and not batch.pools and not batch.enrollments
        if moves_one and _is_by_itself(self.cursor):
            self._waiting = batch
            return
        begin(self.cursor)
        if batch.enrollments or not batch.standings:
            super().append(batch)
        else:
            self._move(batch)

    @property
    def cursor(self) -> Any:
        """Return the driver's cursor; a batch that waits is written first, in a transaction."""
        if self._waiting:
            begin(self._cursor)
            self.finish()
        return self._cursor

    def finish(self) -> None:
        """Write the batch that waits."""
        batch, self._waiting = self._waiting, None
        if batch:
            self._move(batch)

    def add_program(self, program: ProgramRow) -> None:
        """Write a program, in a transaction."""
        begin(self.cursor)
        super().add_program(program)

    def _move(self, batch: Batch) -> None:
        self.cursor.execute(_append(self.statements), _columns(batch))
        if self.cursor.fetchone()[0] != len(batch.standings):
            msg = "another writer came first"
            raise StorageConflictError(msg)
        self._insert("pools", [row for read, row in batch.pools if not read])
        filled = [(row.windows, *row[:5], read) for read, row in batch.pools if read]
        self._change(self.statements.fill, FILLED, filled)


class PostgresStorage(SqlStorage):
    """Keep the log in a database of PostgreSQL, through psycopg."""

    transaction = PostgresTransaction

    @classmethod
    def made_engine(cls, url: str, options: dict[str, Any]) -> Engine:
        """Return the engine of a database, through psycopg if the URL names no driver; a statement commits by itself."""
        scheme, colon, rest = url.partition(":")
        engine = super().made_engine(
            f"{scheme if '+' in scheme else f'{scheme}+psycopg'}{colon}{rest}", options
        )
        event.listen(engine, "connect", _by_itself)
        return engine

    def begin(self, cursor: Any, *, lock: bool) -> None:
        """Begin a transaction where rows are to be locked; else the one statement that writes is one."""
        if lock:
            begin(cursor)

    def begin_reading(self, cursor: Any) -> None:
        """Begin with one moment of the log."""
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self, cursor: Any) -> None:
        """Commit, if there is a transaction."""
        if cursor.connection.info.transaction_status != IDLE:
            cursor.execute("COMMIT")


def begin(cursor: Any) -> None:
    """Begin a transaction, if there is none and the driver begins none by itself."""
    if _is_by_itself(cursor):
        cursor.execute("BEGIN")


def _is_by_itself(cursor: Any) -> bool:
    """Tell whether the next statement commits by itself."""
    connection = cursor.connection
    return bool(connection.autocommit) and connection.info.transaction_status == IDLE


def _by_itself(connection: Any, _: object) -> None:
    """Have each statement commit by itself, unless a transaction was begun."""
    connection.autocommit = True


def transaction_of(dialect: Dialect) -> type[SqlTransaction]:
    """Return how a dialect's rows are written: as one statement where psycopg takes arrays."""
    takes_arrays = dialect.driver == "psycopg" and not dialect.is_async
    return PostgresTransaction if takes_arrays else SqlTransaction


@lru_cache
def _append(statements: Statements) -> str:
    """Return the statement that moves standings and, if all of them could be moved, inserts all other rows."""
    standings = statements.tables.standings
    fields = ROWS["standings"]
    names = ", ".join(fields)
    moved = (
        f"UPDATE {_name(standings)} AS s SET {', '.join(f'{name} = n.{name}' for name in fields[1:])} "
        f"FROM unnest({_arrays(standings)}, %s::text[]) AS n ({names}, read) "
        "WHERE s.enrollment = n.enrollment AND s.head = n.read RETURNING 1"
    )
    inserts = [
        f"{name} AS (INSERT INTO {_name(table)} SELECT * FROM unnest({_arrays(table)}) "
        "WHERE (SELECT count(*) FROM moved) = %s)"
        for name, table in ((name, statements.tables.named(name)) for name in WRITTEN)
    ]
    return f"WITH moved AS ({moved}), {', '.join(inserts)} SELECT count(*) FROM moved"


def _name(table: Table) -> str:
    return f'"{table.schema}"."{table.name}"' if table.schema else f'"{table.name}"'


def _arrays(table: Table) -> str:
    kinds = {Text: "text", BigInteger: "bigint"}
    return ", ".join(f"%s::{kinds.get(type(column.type), 'integer')}[]" for column in table.columns)


def _columns(batch: Batch) -> list[Any]:
    """Return the parameters of that statement."""
    found: list[Any] = [list(column) for column in zip(*batch.standings, strict=True)]
    found.append(list(batch.heads))
    for name in WRITTEN:
        rows, width = getattr(batch, name), len(ROWS[name])
        columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
        found += [*columns, len(batch.standings)]
    return found
