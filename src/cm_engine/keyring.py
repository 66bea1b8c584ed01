"""A key of its own for each person, kept beside the log: whoever loses it can be read by nobody any more.

The log is never changed, and so are its backups. What has to be erasable stands in it sealed with a key that is made at
random for one person, and that is nowhere in it. A key that can be derived again from the host's own could not be
erased; one that lies in the log could not either. So the keys of persons are kept in a place of their own, sealed with
the host's key: erasing one row of it erases one person, in every copy of the log, and losing the host's key erases all.
To replace the host's key, only this place is written anew, and not the log.
"""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Protocol

from cm_engine.errors import SecretError
from cm_engine.sealing import KEY_BYTES, Keys, key_id, opened, resealed, sealed

PURPOSE = "cm-engine/key"
BUSY_SECONDS = 30.0
PRIVATE = 0o600


class Keyring(Protocol):
    """Keep a key for each person; a host with a key service of its own implements it.

    It may be called from several threads and processes.
    """

    def key(self, subject: str) -> bytes | None:
        """Return the key of somebody, of 32 bytes; None if they have none, or it was erased."""

    def made(self, subject: str) -> bytes:
        """Return the key of somebody; if they have none, one is made at random, the same for all who ask at once."""

    def erase(self, subject: str, key: str) -> bool:
        """Erase the key of somebody for ever, if it is the one of this id; tell whether it was there."""


class NoKeyring:
    """Stand where a host gave no keys: whatever needs one is refused."""

    def key(self, subject: str) -> bytes | None:
        """Refuse, and say what to do."""
        return self.made(subject)

    def made(self, subject: str) -> bytes:
        """Refuse, and say what to do.

        Raises:
            SecretError: always.
        """
        msg = f"the handles of {subject!r} are sealed, and the engine has no keys: engine.with_keys(keyring)"
        raise SecretError(msg)

    def erase(self, subject: str, key: str) -> bool:
        """Refuse, and say what to do."""
        _ = key
        return bool(self.made(subject))


class MemoryKeyring:
    """Keep keys in this process: for tests, and for trying things out.

    Example:
        >>> keyring = MemoryKeyring()
        >>> key = keyring.made("p-104")
        >>> keyring.made("p-104") == key, keyring.erase("p-104", key_id(key)), keyring.key("p-104")
        (True, True, None)
    """

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}
        self._lock = Lock()

    def key(self, subject: str) -> bytes | None:
        """Return a key, or None."""
        return self._keys.get(subject)

    def made(self, subject: str) -> bytes:
        """Return a key, a new one if there is none."""
        with self._lock:
            return self._keys.setdefault(subject, secrets.token_bytes(KEY_BYTES))

    def erase(self, subject: str, key: str) -> bool:
        """Erase a key, if it is this one."""
        with self._lock:
            found = self._keys.get(subject)
            return found is not None and key_id(found) == key and bool(self._keys.pop(subject))


class FileKeyring:
    """Keep keys in a file beside the database, each sealed with the host's key.

    It is an SQLite file that its owner alone may read; what is erased is overwritten. Keep it apart from the backups of
    the log, and its own backups no longer than you may need them: an old copy brings back who was erased since.

    Args:
        file: where it is; it is made if it is not there.
        key: the host's key of at least 32 bytes, or the new one and those before it; it stands nowhere in the file.

    Raises:
        SecretError: the host's key is too short.
    """

    def __init__(self, file: str | os.PathLike[str], key: Keys) -> None:
        self._file = Path(file)
        self._key = key
        sealed("", key, PURPOSE, "")
        opened = os.open(self._file, os.O_CREAT | os.O_RDWR, PRIVATE)
        os.fchmod(opened, PRIVATE)  # it may have been there before, for others to read
        os.close(opened)
        with self._opened() as rows:
            rows.execute("CREATE TABLE IF NOT EXISTS keys (subject TEXT PRIMARY KEY, sealed TEXT NOT NULL)")

    def key(self, subject: str) -> bytes | None:
        """Return a key, or None."""
        with self._opened() as rows:
            return self._found(rows, subject)

    def made(self, subject: str) -> bytes:
        """Return a key, a new one if there is none."""
        with self._opened() as rows:
            if self._found(rows, subject) is None:
                row = (subject, sealed(secrets.token_hex(KEY_BYTES), self._key, PURPOSE, subject))
                rows.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", row)
            found = self._found(rows, subject)
        assert found is not None, "it was written above"
        return found

    def erase(self, subject: str, key: str) -> bool:
        """Erase a key, if it is this one."""
        with self._opened() as rows:
            found = self._found(rows, subject)
            if found is None or key_id(found) != key:
                return False
            rows.execute("DELETE FROM keys WHERE subject = ?", (subject,))
        return True

    def rotate(self) -> int:
        """Seal every key with the first of the host's, and return how many were sealed with another one.

        After it, the others are needed no more.
        """
        with self._opened() as rows:
            before = rows.execute("SELECT subject, sealed FROM keys").fetchall()
            after = [(resealed(text, self._key, PURPOSE, subject), subject) for subject, text in before]
            changed = [new for new, old in zip(after, before, strict=True) if new[0] != old[1]]
            rows.executemany("UPDATE keys SET sealed = ? WHERE subject = ?", changed)
        return len(changed)

    def _found(self, rows: sqlite3.Connection, subject: str) -> bytes | None:
        row = rows.execute("SELECT sealed FROM keys WHERE subject = ?", (subject,)).fetchone()
        return None if row is None else bytes.fromhex(opened(row[0], self._key, PURPOSE, subject))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one change, which is there as a whole or not at all."""
        rows = sqlite3.connect(self._file, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            rows.execute("PRAGMA secure_delete = ON")
            rows.execute("BEGIN IMMEDIATE")
            yield rows
            rows.execute("COMMIT")
        except sqlite3.Error as error:
            msg = f"the keys in {self._file.name} cannot be read or written: {error}"
            raise SecretError(msg) from error
        finally:
            rows.close()
