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
    sqlite3.SQLITE_CORRUPT: "the file is damaged; stop, and bring a backup back",
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
NO_TABLE = "42P01"
OTHER_TABLES = {
    NO_TABLE: "the tables are not there; is this the database that the engine opened?",
    "3F000": "there is no such schema; make it, CREATE SCHEMA, or name another",
    "42703": "the tables are not those that this release needs; cm-engine db check says what they lack",
}
REFUSED = {
    NO_TRANSACTION: BY_ITSELF,
    "42501": "the database does not allow this role what it needs, and nothing was written; grant it that (docs/durable.md says what)",
}
"""What PostgreSQL refuses whoever asks, and what to do about it."""
UNREACHABLE = ("connection failed", "failed to resolve host")
"""How psycopg begins to say what keeps it from a server."""
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
    if found := OTHER_TABLES.get(NO_TABLE if "no such table" in str(error) else state or ""):
        return SchemaError, found
    if str(error).startswith(UNREACHABLE):
        return StorageError, UNREACHED
    return StorageError, REFUSED.get(state or "", OPENS.get((code or 0) & PRIMARY, FAILED))
