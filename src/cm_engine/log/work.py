"""What is known of work, as its body: with a sum, so that an audit and every worker see whether somebody changed it. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cm_engine.log.encoding import dumped

SUM, DIGITS = "sum", 16
"""The key under which a body has its sum, and how many digits that has."""
NOTHING = "{}"
"""The body of work of which nothing is known yet."""


def body_of(form: Mapping[str, Any]) -> str:
    """Return the body of work.

    Example:
        >>> body_of({"every": 3600})
        '{"every":3600,"sum":"fef9186a9d6d59d1"}'
    """
    return dumped({**form, SUM: _sum(form)})


def form_of(body: str) -> dict[str, Any]:
    """Return what a body says.

    Raises:
        ValueError: it is no object, or was changed by something else than the engine.

    Example:
        >>> form_of('{"every":60,"sum":"fef9186a9d6d59d1"}')
        Traceback (most recent call last):
        ValueError: it is not as the engine wrote it
    """
    form = json.loads(body)
    told = form.pop(SUM, "") if isinstance(form, dict) else ""
    if body != NOTHING and told != _sum(form):
        msg = "it is not as the engine wrote it"
        raise ValueError(msg)
    found: dict[str, Any] = form
    return found


def _sum(form: Mapping[str, Any]) -> str:
    return hashlib.sha256(dumped(form).encode()).hexdigest()[:DIGITS]
