"""A storage on a database: any that SQLAlchemy speaks to, with what SQLite and PostgreSQL do in their own way beside it.

SQLAlchemy has the tables, the dialects, the pool and the host's sessions.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, cast

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from cm_engine.errors import StorageError
from cm_engine.ports import Storage
from cm_engine_adapters.storage.joined import SqlJoined
from cm_engine_adapters.storage.statements import Statements
from cm_engine_adapters.storage.tables import PREFIX, refuse_names
from cm_engine_adapters.storage.transaction import SqlTransaction, errors_of, statements_for, translated

if TYPE_CHECKING:
    from cm_engine_adapters.storage.schema import Release


def _without_secrets(url: str) -> str:
    """Return what of a URL may stand in a message: a password can be anywhere after its scheme."""
    scheme, colon, rest = url.partition(":")
    return f"{scheme}{colon}..." if {"@", "?", "="} & set(rest) else url


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
        from cm_engine_adapters.storage.schema import looked_at  # noqa: PLC0415 - only where tables are made

        refuse_names(prefix, schema)
        with cls._reached(url, options) as engine:
            return looked_at(engine, prefix=prefix, schema=schema)

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
        if {"@", "=", ";"} & set(engine.url.host or ""):
            msg = "a password that has an @ in it is written with %40, and one that has a / with %2F, in ...://user:password@host/name"
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
        return SqlJoined(bind, prefix=self.prefix, schema=self.schema)

    def close(self) -> None:
        """Close the connections of an engine that was opened here."""
        if self._owned:
            self.engine.dispose()
