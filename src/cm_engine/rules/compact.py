"""JSON without white space, as states and logs are kept: the same value is always the same text."""

import json
from collections.abc import Callable
from json import encoder as _json


def compact(exactly: Callable[[object], str], *, ascii_only: bool = False) -> Callable[[object], str]:
    """Return what writes values as JSON without white space.

    The standard library sets its encoder up anew for each value, which takes longer than a small value does; here it is
    set up once.

    Args:
        exactly: gives what JSON has no form for as text, or raises a TypeError.
        ascii_only: other characters are escaped.

    Example:
        >>> compact(str)({"on": "2026-01-05", "visits": [1, None]})
        '{"on":"2026-01-05","visits":[1,null]}'
    """
    made = getattr(_json, "c_make_encoder", None)
    if made is None:  # an interpreter without it
        plain = json.JSONEncoder(
            ensure_ascii=ascii_only, separators=(",", ":"), default=exactly, check_circular=False
        )
        return plain.encode
    quoted = _json.encode_basestring_ascii if ascii_only else _json.encode_basestring
    chunks = made(None, exactly, quoted, None, ":", ",", False, False, True)  # noqa: FBT003 - it takes no names
    return lambda value: "".join(chunks(value, 0))
