"""PostgreSQL: many processes and clinics."""

from typing import Any

from sqlalchemy import Engine, event

from cm_engine_adapters.storage.sql import SqlStorage
from cm_engine_adapters.storage.transaction_postgresql import IDLE, PostgresTransaction, begin

BRIEFLY = 20
"""Milliseconds that who does not wait is left for a key, or a pool's first row, that another transaction has just written."""


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

    def begin_without_waiting(self, cursor: Any) -> None:
        """Begin a transaction that waits for no row, and hardly for what has none to be locked."""
        begin(cursor, f"; SET LOCAL lock_timeout = {BRIEFLY}")

    def begin_reading(self, cursor: Any) -> None:
        """Begin with one moment of the log."""
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self, cursor: Any) -> None:
        """Commit, if there is a transaction."""
        if cursor.connection.info.transaction_status != IDLE:
            cursor.execute("COMMIT")


def _by_itself(connection: Any, _: object) -> None:
    """Have each statement commit by itself, unless a transaction was begun."""
    connection.autocommit = True
