"""The hash chain of an enrollment: each row carries a hash over itself and the hash before it."""

import hashlib
from typing import Any, TypeVar

from cm_engine.log.rows import DecisionRow, RecordRow

GENESIS = ""
"""The hash before the first row of an enrollment."""

Row = TypeVar("Row", RecordRow, DecisionRow)


def linked(kind: type[Row], fields: tuple[Any, ...], head: str) -> Row:
    """Return a row with its hash, from all its other fields and the hash before it.

    Example:
        >>> when = "2026-01-05T17:00:00.000000+00:00"
        >>> linked(RecordRow, ("e-1", 1, "observed", "desk", "k-1", "nurse-7", when, "{}"), GENESIS).hash[:16]
        'e6ac2a694c90fcdf'
    """
    return kind(*fields, hash_of(fields, head))


def hash_of(fields: tuple[Any, ...], head: str) -> str:
    """Return the SHA-256 of the hash before a row and of its fields, a line each, as 64 hexadecimal digits.

    No field has a line break in it, so that no two rows have the same lines.
    """
    lines = "\n".join((head, *map(str, fields)))
    return hashlib.sha256(lines.encode()).hexdigest()
