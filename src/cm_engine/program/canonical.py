"""The canonical form of a program: one text for one meaning, and its SHA-256."""

import hashlib
import json
from typing import Any

from cm_engine.program.models import IN_ORDER, Program


def canonical(program: Program) -> str:
    """Return the program as canonical JSON: sorted keys, no white space, amounts as text, defaults left out.

    Formatting, comments, the order of keys and trailing zeros do not show in it; the order of targets, milestones,
    options and slips does, because it decides. The loader reads it back to the same program.
    """
    data = _in_order(program.model_dump(mode="json", exclude_defaults=True), "")
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _in_order(value: Any, key: str) -> Any:
    """Return a value with its keys sorted, except where their order has a meaning."""
    if isinstance(value, list):
        return [_in_order(item, "") for item in value]
    if not isinstance(value, dict):
        return value
    keys = value if key in IN_ORDER else sorted(value)
    return {inner: _in_order(value[inner], inner) for inner in keys}


def from_canonical(text: str) -> Program:
    """Read a program back from its canonical form.

    It was looked at when its file was read. A later release may ask more of files, and asks it of new ones only: who is
    enrolled in a program goes on by it.

    Raises:
        ValueError: the text is no such form.

    Example:
        >>> from cm_engine import catalogue
        >>> program = catalogue.program("va-prize")
        >>> from_canonical(canonical(program)) == program
        True
    """
    return Program.model_validate(json.loads(text))


def digest(program: Program) -> str:
    """Return the SHA-256 of the canonical form, as 64 hexadecimal digits; it pins every decision."""
    return digest_of(canonical(program))


def digest_of(text: str) -> str:
    """Return the digest of a program by its canonical form."""
    return hashlib.sha256(text.encode()).hexdigest()
