"""A storage inside the host's own transaction: the chart note and its reward commit together, or neither does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, Dialect

from cm_engine.errors import StorageError
from cm_engine_adapters.storage.failures import BY_ITSELF
from cm_engine_adapters.storage.tables import PREFIX
from cm_engine_adapters.storage.transaction import SqlTransaction, errors_of, statements_for, translated
from cm_engine_adapters.storage.transaction_postgresql import PostgresTransaction
from cm_engine_adapters.storage.transaction_sqlite import SqliteTransaction

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

SAVEPOINT = "cm_engine"
OF_DRIVERS: dict[str, type[SqlTransaction]] = {"psycopg": PostgresTransaction, "pysqlite": SqliteTransaction}
"""How the rows of a driver are written; those of others, and of asynchronous ones, as any database takes them."""


class SqlJoined:
    """Write in a transaction of the host's: each act in a savepoint of its own, and no commit.

    Args:
        bind: a Connection or a Session of SQLAlchemy; for an AsyncSession, the Session that `run_sync` gives.
        prefix, schema: of the tables.
    """

    joined = True

    def __init__(
        self, bind: "Connection | Session", *, prefix: str = PREFIX, schema: str | None = None
    ) -> None:
        self._bind = bind
        self._prefix = prefix
        self._schema = schema

    def _connection(self) -> Connection:
        """Return the host's connection, in its transaction."""
        if not isinstance(self._bind, Connection):
            return self._of_session()
        if not self._bind.in_transaction():
            self._bind.begin()
        return self._bind

    def _of_session(self) -> Connection:
        from sqlalchemy.orm import Session  # noqa: PLC0415 - who has one has imported it

        if not isinstance(self._bind, Session):
            msg = f"expected a Connection or a Session of SQLAlchemy, got {type(self._bind).__name__}"
            raise StorageError(msg)
        return self._bind.connection()

    @contextmanager
    def writing(self, *, lock: bool = False, wait: bool = True) -> Iterator[SqlTransaction]:
        """Begin a savepoint; if the block raises, what it wrote is undone, and nothing of the host's is."""
        connection = self._connection()
        with translated(errors_of(connection.dialect), wait=wait):
            cursor = connection.connection.cursor()
            _begin_sqlite(connection)
            cursor.execute(f"SAVEPOINT {SAVEPOINT}")
            try:
                yield self._transaction(connection, cursor, lock=lock, wait=wait)
            except BaseException:
                _undo(connection, cursor)
                raise
            cursor.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")

    @contextmanager
    def reading(self) -> Iterator[SqlTransaction]:
        """Read in the host's transaction."""
        connection = self._connection()
        with translated(errors_of(connection.dialect)):
            yield self._transaction(connection, connection.connection.cursor())

    def _transaction(
        self, connection: Connection, cursor: Any, *, lock: bool = False, wait: bool = True
    ) -> SqlTransaction:
        statements = statements_for(connection.dialect, self._prefix, self._schema)
        return _transaction_of(connection.dialect)(cursor, statements, lock=lock, wait=wait)

    def joining(self, bind: "Connection | Session") -> Self:
        """Return a storage in another transaction of the host's."""
        return type(self)(bind, prefix=self._prefix, schema=self._schema)

    def close(self) -> None:
        """Leave the host's transaction as it is."""


def _transaction_of(dialect: Dialect) -> type[SqlTransaction]:
    return SqlTransaction if dialect.is_async else OF_DRIVERS.get(dialect.driver, SqlTransaction)


def _undo(connection: Connection, cursor: Any) -> None:
    """Undo what was written since the savepoint; where the whole transaction is gone, let the host not commit."""
    try:
        cursor.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
        cursor.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")
    except errors_of(connection.dialect):
        connection.invalidate()


def _begin_sqlite(connection: Connection) -> None:
    """Have a transaction begun on SQLite, whose driver begins none before a savepoint and would then commit ours.

    Raises:
        StorageError: the driver commits each statement by itself: nobody would commit what was begun.
    """
    if connection.dialect.name != "sqlite":
        return
    driver: Any = connection.connection.driver_connection
    if driver.in_transaction:
        return
    if driver.isolation_level is None:
        raise StorageError(BY_ITSELF)
    connection.connection.cursor().execute("BEGIN IMMEDIATE")
