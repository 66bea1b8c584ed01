"""SQLite: the embedded default; one file, write-ahead log, every commit on the disk before it is said to be done."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sqlalchemy import Engine, event

from cm_engine.errors import SchemaError, StorageError
from cm_engine_adapters.storage.sql import SqlStorage
from cm_engine_adapters.storage.tables import PREFIX
from cm_engine_adapters.storage.transaction import SqlTransaction
from cm_engine_adapters.storage.transaction_sqlite import SqliteTransaction

if TYPE_CHECKING:
    from cm_engine_adapters.storage.schema import Release

TOLD = {"timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements"}
"""What a URL may tell Python's sqlite3 after a question mark."""
BUSY_SECONDS = 30.0
"""As long is waited for other processes that write."""
BUSY_PAUSE = 0.005
PRAGMAS = ("synchronous = FULL", "cache_size = -32768", "recursive_triggers = ON")
"""Every commit is on the disk; 32 MiB of the file are kept at hand; a row that replaces another is guarded too."""


class SqliteStorage(SqlStorage):
    """Keep the log in a file of SQLite."""

    transaction = SqliteTransaction

    def __init__(self, engine: Engine, *, prefix: str = PREFIX, schema: str | None = None) -> None:
        super().__init__(engine, prefix=prefix, schema=schema)
        self._writer = RLock()
        self._held: Any = None

    @classmethod
    def made_engine(cls, url: str, options: dict[str, Any]) -> Engine:
        """Return the engine of a file, whose transactions are begun and ended here."""
        _refuse_rest(url)
        arguments = {"timeout": BUSY_SECONDS, **options.pop("connect_args", {})}
        engine = super().made_engine(url, {**options, "connect_args": arguments})
        if engine.url.database in {None, "", ":memory:"}:
            msg = "a database of SQLite in memory is lost with its connection; name a file, or open memory:"
            raise StorageError(msg)
        folder = Path(engine.url.database or "").parent
        if not engine.url.query and not folder.is_dir():
            msg = f"the file cannot be opened; there is no folder {folder}"
            raise StorageError(msg)
        event.listen(engine, "connect", _durable)
        return engine

    @classmethod
    def release(
        cls, url: str, *, prefix: str = PREFIX, schema: str | None = None, **options: Any
    ) -> "Release":
        """Return which release the tables of a file are of, and what is wrong with it; no file is made.

        Raises:
            StorageError: the database cannot be opened.
        """
        from cm_engine_adapters.storage.schema import absent  # noqa: PLC0415 - only where tables are made

        if _is_absent(cls.made_engine(url, dict(options))):
            return absent()
        return super().release(url, prefix=prefix, schema=schema, **options)

    def prepare(self, *, make: bool = True) -> None:
        """Make the file and its tables if there are none.

        Raises:
            SchemaError: the tables are of another release, or there is no such file and none is to be made.
        """
        if not make and _is_absent(self.engine):
            msg = f"there is no database {self.engine.url.database}; enroll or add-program make one"
            raise SchemaError(msg)
        super().prepare(make=make)

    @contextmanager
    def writing(self, *, lock: bool = False, wait: bool = True) -> Iterator[SqlTransaction]:
        """Begin a transaction as the only writer: threads of this process wait here, other processes at the file.

        The one connection that is written to is kept until something fails.
        """
        _ = wait  # for no row, as the whole file is this writer's
        with self._writer, self.translated():
            connection, self._held = self._held or self.engine.raw_connection(), None
            try:
                cursor = connection.cursor()
                self.begin(cursor, lock=lock)
                yield self.transaction(cursor, self.statements, lock=lock)
                self.commit(cursor)
            except BaseException as error:
                self.give_up(connection, error)
                raise
            self._held = connection

    def close(self) -> None:
        """Close all connections of an engine that was opened here, and give back the one that is written to."""
        with self._writer:
            held, self._held = self._held, None
        if held is not None:
            held.close()
        super().close()

    def begin(self, cursor: Any, *, lock: bool) -> None:
        """Begin as the one who writes, so that what is read stays true until the commit."""
        _ = lock
        cursor.connection.text_factory = str
        cursor.execute("BEGIN IMMEDIATE")

    def begin_reading(self, cursor: Any) -> None:
        """Begin with one moment of the log; a damaged byte is for the audit to name, and no reason to stop reading."""
        cursor.connection.text_factory = _text
        cursor.execute("BEGIN")

    def commit(self, cursor: Any) -> None:
        """Commit, and have it on the disk."""
        cursor.execute("COMMIT")


def _refuse_rest(url: str) -> None:
    """Refuse what follows a question mark and tells SQLite nothing: it may be half of a name, and would be left out.

    Raises:
        StorageError: it is neither what Python's sqlite3 takes, nor a URI of SQLite's own.
    """
    _, mark, rest = url.partition("?")
    told = {name for name, _ in parse_qsl(rest)}
    if mark and "uri" not in told and not (told and told <= TOLD):
        msg = (
            f"what follows a ? is no part of a file's name, and ?{rest} tells SQLite nothing; write %3F for a ? in a name, "
            "or add &uri=true for a URI of SQLite's own"
        )
        raise StorageError(msg)


def _is_absent(engine: Engine) -> bool:
    """Tell whether a database's file is not there yet; of a URI of SQLite's own nobody can say."""
    return not engine.url.query and not Path(engine.url.database or "").is_file()


def _durable(connection: Any, _: object) -> None:
    """Have no transaction begun behind our back, and every commit on the disk."""
    connection.isolation_level = None
    _log_ahead(connection, until=monotonic() + BUSY_SECONDS)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _text(stored: bytes) -> str:
    return stored.decode(errors="surrogateescape")


def _log_ahead(connection: Any, until: float) -> None:
    """Have a write-ahead log; SQLite itself does not wait for others who change a new file to it at this moment."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(BUSY_PAUSE)
        else:
            return
