"""The hash chain of an enrollment: each row carries a hash over itself and the hash before it."""

import hashlib
import json
from typing import TypeVar

from cm_engine.log.rows import DecisionRow, RecordRow

GENESIS = ""
"""The hash before the first row of an enrollment."""


Row = TypeVar("Row", RecordRow, DecisionRow)


def linked(row: Row, head: str) -> Row:
    """Return a row with its hash: SHA-256 over the JSON of the hash before it and of all its other fields.

    Example:
        >>> row = RecordRow("e-1", 1, "observed", "desk", "k-1", "nurse-7", "2026-01-05T17:00:00.000000+00:00", "{}", "")
        >>> linked(row, GENESIS).hash[:16]
        'e6a5b3c7'
    """
    return row._replace(hash=hash_of(row, head))


def hash_of(row: RecordRow | DecisionRow, head: str) -> str:
    """Return the hash that a row has after a head, as 64 hexadecimal digits."""
    text = json.dumps((head, *row[:-1]), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
