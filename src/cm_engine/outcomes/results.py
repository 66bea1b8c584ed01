"""What a result is called in a definition, and the symbol that it has in a word."""

from collections.abc import Iterable, Mapping
from functools import cache

NEGATIVE, POSITIVE, MISSING, MIXED, REFUSED, EXCUSED, NOT_REQUIRED = "-+o*re_"

RESULTS: dict[str, str] = {
    "negative": NEGATIVE,
    "positive": POSITIVE,
    "missing": MISSING,
    "mixed": MIXED,
    "refused": REFUSED,
    "excused": EXCUSED,
    "given": NEGATIVE + POSITIVE + MIXED,
    "any": NEGATIVE + POSITIVE + MISSING + MIXED + REFUSED + EXCUSED,
}
"""The symbols that each name stands for; `given` is all that was seen, `any` all that was due."""

SYMBOLS = "-+o*re_"
GIVEN = RESULTS["given"]
ABSENT = MISSING + REFUSED + EXCUSED + NOT_REQUIRED
"""The symbols of a visit that shows nothing: nobody came, or nothing was due."""

FROM_BEST = NEGATIVE + MIXED + POSITIVE
"""The results that were given, from the best to the worst."""


@cache
def marks(symbols: str) -> Mapping[int, str]:
    """Return a table for `str.translate` that marks such visits with an x, and all others with a blank.

    Example:
        >>> "--o-".translate(marks("-"))
        'xx x'
    """
    return {ord(each): "x" if each in symbols else " " for each in SYMBOLS}


def symbols_of(names: Iterable[str]) -> str:
    """Return the symbols of several names, each once.

    Example:
        >>> symbols_of(["given", "positive", "missing"])
        '-+*o'
    """
    return "".join(dict.fromkeys("".join(RESULTS[name] for name in names)))
