"""What somebody probably meant who misspelt a name."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches


def close_to(name: str, options: Iterable[str]) -> str | None:
    """Return the option spelled most like `name`, of equals one with its first letter; None if none is close."""
    close = get_close_matches(name, list(options), n=3, cutoff=0.6)
    likeness = {option: SequenceMatcher(None, option, name).ratio() for option in close}
    return max(close, key=lambda option: (likeness[option], option[:1] == name[:1]), default=None)


def nearest(name: str, options: Iterable[str]) -> str:
    """Return a hint at the option spelled most like `name`, or nothing if none is close.

    Example:
        >>> nearest("celing", ["start", "ceiling"])
        "; did you mean 'ceiling'?"
    """
    close = close_to(name, options)
    return f"; did you mean {close!r}?" if close else ""
