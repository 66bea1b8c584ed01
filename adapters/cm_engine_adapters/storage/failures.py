"""What the errors of drivers mean: another writer came first, no space is left, others hold the storage, or it failed."""

import sqlite3

from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from cm_engine.errors import (
    SchemaError,
    StorageBusyError,
    StorageConflictError,
    StorageError,
    StorageFullError,
)

CONFLICTS = {"23505", "40001", "40P01"}
"""SQLSTATE of PostgreSQL: a key is there already, a serialization failed, a deadlock was broken."""
FULL = {"53100", "25006"}
"""The disk is full, or the server only reads."""
HELD, ENDED = "55P03", "57014"
BUSY = {HELD, ENDED, "53300", "57P03"}
"""A lock was waited for too long, a statement was ended, there are too many connections, or the server is starting."""

SQLITE_CONFLICTS = {
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_BUSY_SNAPSHOT,
}
"""Codes of SQLite: a key is there already, or what a transaction has read was changed before it wrote."""
SQLITE_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
OPENS = {
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; look whether there is such a folder",
    sqlite3.SQLITE_NOTADB: "the file is no database of SQLite",
}
SQLITE_NO_ROOM = {sqlite3.SQLITE_IOERR_WRITE}
"""What a quota, or a limit on the size of files, comes to."""
SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
NO_TRANSACTION = "25P01"
"""There is no transaction to make a savepoint in."""
FAILED = "the storage failed; report the same again with the same key, it is recorded once"
UNREACHED = "the database cannot be reached, and nothing was written; look at its address, and whether it runs and lets you in"
BY_ITSELF = (
    "the host's connection commits each statement by itself (AUTOCOMMIT); join one that has a transaction"
)
PRIMARY = 0xFF
"""The part of SQLite's codes that says which kind of error it is."""


def failure(error: BaseException, *, waited: bool = True) -> StorageError:
    """Return what a driver's error means to a caller, who may not have wanted to wait for what others hold."""
    kind, hint = _kind(error, waited=waited)
    told = (
        getattr(getattr(error, "diag", None), "message_primary", None) or error
    )  # without the rows it names
    return kind(f"{hint}: {' '.join(str(told).split())}")


def _kind(error: BaseException, *, waited: bool) -> tuple[type[StorageError], str]:
    code = getattr(error, "sqlite_errorcode", None)
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    full = code is not None and (code & PRIMARY in SQLITE_FULL or code in SQLITE_NO_ROOM)
    busy = code is not None and code & PRIMARY in SQLITE_BUSY
    if code in SQLITE_CONFLICTS or state in CONFLICTS or (state in {HELD, ENDED} and not waited):
        return StorageConflictError, "another writer came first"
    if full or state in FULL:
        return StorageFullError, "the storage cannot be written, and nothing was; make room or allow writing"
    if busy or state in BUSY or isinstance(error, PoolTimeoutError):
        return StorageBusyError, "others hold the storage, and nothing was written; try again"
    if state == "42P01" or "no such table" in str(error):
        return SchemaError, "the tables are not there; is this the database that the engine opened?"
    if str(error).startswith("connection failed"):  # psycopg says so of all that keeps it from a server
        return StorageError, UNREACHED
    return StorageError, BY_ITSELF if state == NO_TRANSACTION else OPENS.get(code or 0, FAILED)
