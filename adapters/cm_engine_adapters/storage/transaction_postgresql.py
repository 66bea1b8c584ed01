"""The statements of the log on PostgreSQL: an act is one, so that it costs one way to the server and back."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Column, Table, Text

from cm_engine.errors import StorageConflictError
from cm_engine.log.encoding import dumped
from cm_engine.log.rows import Batch, ProgramRow, RecordRow, StandingRow
from cm_engine.ports import Found
from cm_engine_adapters.storage.statements import FILLED, Statements
from cm_engine_adapters.storage.transaction import ROWS, Row, SqlTransaction

IDLE = 0
"""What libpq calls a connection that is in no transaction."""
IN_ONE_ORDER = 'ORDER BY s.enrollment COLLATE "C"'
"""All who lock several enrollments lock them in this order, as else two of them could wait for one another."""
WRITTEN = ("records", "decisions", "entries", "payouts", "work")


class PostgresTransaction(SqlTransaction):
    """Look up an act with one statement of psycopg, and several with two; write a batch with one."""

    _waiting: Batch | None = None

    def look_up(self, enrollments: Sequence[str], keys: Sequence[tuple[str, str]]) -> Found:
        """Return where enrollments stand, and what was recorded under keys."""
        if self.locks or len(enrollments) != 1 or len(keys) != 1:
            return self._look_up_many(enrollments, keys)
        self.cursor.execute(_looked_up(self.statements), (*enrollments, *keys[0]))
        found = self.cursor.fetchone()
        width = len(StandingRow._fields)
        standing, record = StandingRow(*found[:width]), RecordRow(*found[width:])
        return Found(
            {standing.enrollment: standing} if standing.enrollment else {},
            {(record.source, record.key): record} if record.enrollment else {},
        )

    def _look_up_many(self, enrollments: Sequence[str], keys: Sequence[tuple[str, str]]) -> Found:
        """Look up all keys, and then the standings, which are locked in one order by all; none if all keys are there."""
        known = self._listed(RecordRow, _by_keys(self.statements), *zip(*keys, strict=True))
        records = {(row.source, row.key): row for row in known}
        if keys and len(records) == len(keys):
            return Found({}, records)
        lock = "" if not self.locks else "FOR UPDATE" if self.waits else "FOR UPDATE NOWAIT"
        standings = self._listed(StandingRow, _by_ids(self.statements, lock), enrollments)
        return Found({row.enrollment: row for row in standings}, records)

    def _listed(self, made: type[Row], text: str, *columns: Sequence[str]) -> list[Row]:
        if not any(columns):
            return []
        self.cursor.execute(text, [list(column) for column in columns])
        return [made(*row) for row in self.cursor.fetchall()]

    def append(self, batch: Batch) -> None:
        """Write all rows of a batch, or none.

        The statement is atomic by itself, and waits for the end of the block, which may still raise. Where it alone
        cannot tell that another writer came first, because it enrolls, opens a journal, moves several enrollments or fills
        a pool, or where it is not the last one of the block, it is run in a transaction.
        """
        first = bool(batch.enrollments) or not all(batch.heads)
        moves_one = len(batch.standings) == 1 and not batch.pools and not first
        if moves_one and _is_by_itself(self.cursor):
            self._waiting = batch
            return
        begin(self.cursor)
        if first or not batch.standings:
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
        text, values = _append(self.statements, batch)
        self.cursor.execute(text, values)
        if self.cursor.fetchone()[0] != len(batch.standings):
            msg = "another writer came first"
            raise StorageConflictError(msg)
        self._insert("pools", [row for read, row in batch.pools if not read])
        filled = [(row.windows, *row[:5], read) for read, row in batch.pools if read]
        self._change(self.statements.fill, FILLED, filled)


def begin(cursor: Any, more: str = "") -> None:
    """Begin a transaction, if there is none and the driver begins none by itself; more is told the server with it.

    Heads are compared and rows locked, so that it needs no stricter isolation, whatever the server's default is; with a
    stricter one whoever waits for a row fails when it is let go, and may fail each time.
    """
    if _is_by_itself(cursor):
        cursor.execute(f"BEGIN ISOLATION LEVEL READ COMMITTED{more}")


def _is_by_itself(cursor: Any) -> bool:
    """Tell whether the next statement commits by itself."""
    connection = cursor.connection
    return bool(connection.autocommit) and connection.info.transaction_status == IDLE


@lru_cache
def _looked_up(statements: Statements) -> str:
    """Return the statement that looks up where an enrollment stands, and what was recorded under a key."""
    standings, records = statements.tables.standings, statements.tables.records
    return (
        f"SELECT {_columns('standings', 's.')}, {_columns('records', 'r.')} FROM (VALUES (%s::text, %s::text, %s::text)) AS w (enrollment, source, key) "
        f"LEFT JOIN {_name(standings)} AS s ON s.enrollment = w.enrollment "
        f"LEFT JOIN {_name(records)} AS r ON r.source = w.source AND r.key = w.key"
    )


@lru_cache
def _by_ids(statements: Statements, lock: str) -> str:
    """Return the statement that looks up where enrollments stand."""
    standings = _name(statements.tables.standings)
    return f"SELECT {_columns('standings')} FROM {standings} AS s WHERE enrollment = ANY(%s::text[]) {IN_ONE_ORDER} {lock}"


@lru_cache
def _by_keys(statements: Statements) -> str:
    """Return the statement that looks up what was recorded under keys: each by the index, however many there are."""
    records = _name(statements.tables.records)
    by_key = f"SELECT {_columns('records', 'i.')} FROM {records} AS i WHERE i.source = w.source AND i.key = w.key OFFSET 0"
    return f"SELECT r.* FROM unnest(%s::text[], %s::text[]) AS w (source, key), LATERAL ({by_key}) AS r"


def _append(statements: Statements, batch: Batch) -> tuple[str, list[Any]]:
    """Return the statement that moves standings and, if all of them could be moved, inserts all other rows.

    The rows of one act go as values; those of several as JSON, which costs the driver and the server half as much.
    """
    if max(len(batch.standings), len(batch.records), len(batch.decisions)) > 1:
        return _with_json(statements), _as_json(batch)
    [standing], [head], [record] = batch.standings, batch.heads, batch.records
    counts = tuple(len(getattr(batch, name)) for name in WRITTEN)
    values: list[Any] = [*standing, head, record.source, record.key]
    for name in WRITTEN:
        if rows := getattr(batch, name):
            values += [value for row in rows for value in row]
            values.append(1)
    return _with_values(statements, counts), values


@lru_cache(maxsize=256)
def _with_values(statements: Statements, counts: tuple[int, ...]) -> str:
    """Return the statement for one act with so many rows of each table, which go as values."""
    tables = statements.tables
    row = f"{_row(tables.standings)}, %s::text, %s::text, %s::text"
    return _statement(
        statements,
        f"{_rows(1, row)} ({', '.join(ROWS['standings'])}, read, source, key)",
        {
            name: _rows(count, _row(tables.named(name)))
            for name, count in zip(WRITTEN, counts, strict=True)
            if count
        },
        f"SELECT FROM {_name(tables.records)} AS r WHERE r.source = n.source AND r.key = n.key",
    )


@lru_cache
def _with_json(statements: Statements) -> str:
    """Return the statement for any number of rows, which go as JSON."""
    standings = statements.tables.standings
    held = (
        f"held AS (SELECT n.* FROM {_name(standings)} AS s JOIN {_from_json(standings, ', read text')} "
        f"ON s.enrollment = n.enrollment AND s.head = n.read {IN_ONE_ORDER} FOR UPDATE OF s), "
    )
    inserted = {name: _from_json(statements.tables.named(name)) for name in WRITTEN}
    known = f"SELECT FROM {_name(statements.tables.records)} AS i WHERE i.source = w.source AND i.key = w.key OFFSET 0"
    keys = "json_to_recordset(%s::json) AS w (source text, key text)"
    return _statement(statements, "held AS n", inserted, f"SELECT FROM {keys}, LATERAL ({known}) AS r", held)


def _statement(
    statements: Statements, moved: str, inserted: Mapping[str, str], known: str, held: str = ""
) -> str:
    """Return the statement, with what its rows are selected from, what acts of their keys, and how several are locked.

    An act whose key is there is not written, and without an error, which the server would log: it may not have been
    looked up before.
    """
    fields = ROWS["standings"]
    move = (
        f"UPDATE {_name(statements.tables.standings)} AS s "
        f"SET {', '.join(f'{name} = n.{name}' for name in fields[1:])} FROM {moved} "
        f"WHERE s.enrollment = n.enrollment AND s.head = n.read AND NOT EXISTS ({known}) RETURNING 1"
    )
    inserts = "".join(
        f", {name} AS (INSERT INTO {_name(statements.tables.named(name))} ({_columns(name)}) SELECT * FROM {rows} "
        "WHERE (SELECT count(*) FROM moved) = %s)"
        for name, rows in inserted.items()
    )
    return f"WITH {held}moved AS ({move}){inserts} SELECT count(*) FROM moved"


def _name(table: Table) -> str:
    """Return the name of a table, as a statement has it that takes parameters."""
    name = f'"{table.schema}"."{table.name}"' if table.schema else f'"{table.name}"'
    return name.replace("%", "%%")


def _columns(name: str, of: str = "") -> str:
    """Return the columns of a table by name, as a host's own may stand in another order."""
    return ", ".join(f"{of}{field}" for field in ROWS[name])


def _kind(column: Column[Any]) -> str:
    return {Text: "text", BigInteger: "bigint"}.get(type(column.type), "integer")


def _row(table: Table) -> str:
    return ", ".join(f"%s::{_kind(column)}" for column in table.columns)


def _rows(count: int, row: str) -> str:
    return f"(VALUES {', '.join([f'({row})'] * count)}) AS n"


def _from_json(table: Table, more: str = "") -> str:
    columns = ", ".join(f"{column.name} {_kind(column)}" for column in table.columns)
    return f"json_to_recordset(%s::json) AS n ({columns}{more})"


def _as_json(batch: Batch) -> list[Any]:
    """Return the rows of a batch as JSON, table by table."""
    moves = list(zip(batch.standings, batch.heads, strict=True))
    keys = [{"source": row.source, "key": row.key} for row in batch.records]
    values: list[Any] = [dumped([{**row._asdict(), "read": head} for row, head in moves]), dumped(keys)]
    for name in WRITTEN:
        values += [dumped([row._asdict() for row in getattr(batch, name)]), len(moves)]
    return values
