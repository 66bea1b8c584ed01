"""The canonical form of a program: one text for one meaning, and its SHA-256."""

import hashlib
import json

from cm_engine.program.models import Program


def canonical(program: Program) -> str:
    """Return the program as canonical JSON: sorted keys, no white space, amounts as text, defaults left out.

    Formatting, comments, the order of keys and trailing zeros do not show in it. The loader reads it back to
    the same program.
    """
    data = program.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def digest(program: Program) -> str:
    """Return the SHA-256 of the canonical form, as 64 hexadecimal digits; it pins every decision."""
    return hashlib.sha256(canonical(program).encode()).hexdigest()
