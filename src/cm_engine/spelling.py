"""How things are called: what somebody probably meant who misspelt a name, one or several of a thing, and what a stranger wrote."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches


def close_to(name: str, options: Iterable[str]) -> str | None:
    """Return the option spelled most like `name`, of equals one with its first letter; None if none is close."""
    options = list(options)
    close = get_close_matches(name, options, n=3, cutoff=0.6)
    likeness = {option: SequenceMatcher(None, option, name).ratio() for option in close}
    return max(close, key=lambda option: (likeness[option], option[:1] == name[:1]), default=None)


def begun(name: str, options: Iterable[str]) -> str | None:
    """Return the only option of one word that begins with `name`, in letters of any size; None if there are none or several."""
    found = [each for each in options if name and each.startswith(name.lower()) and " " not in each]
    return found[0] if len(found) == 1 else None


def nearest(name: str, options: Iterable[str]) -> str:
    """Return a hint at the options that have `name` as a word, or at the one that it begins or that is spelled most like it.

    It is empty if none is close.

    Example:
        >>> nearest("Tue", ["monday", "tuesday"])
        "; did you mean 'tuesday'?"
        >>> nearest("celing", ["start", "ceiling"]), nearest("year", ["reward", "calendar year", "grant year"])
        ("; did you mean 'ceiling'?", "; did you mean 'calendar year' or 'grant year'?")
    """
    options = list(options)
    whole, close = (
        [each for each in options if name in each.split()],
        begun(name, options) or close_to(name, options),
    )
    found = whole or ([close] if close else [])
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number of things, as they are called.

    Example:
        >>> counted(1, "visit"), counted(2_000, "success", "successes")
        ('1 visit', '2000 successes')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"


def days_long(number: int) -> str:
    """Return how many days, as people say it.

    Example:
        >>> days_long(1), days_long(3)
        ('a day', '3 days')
    """
    return "a day" if number == 1 else f"{number} days"


def legible(text: str) -> str:
    r"""Return a text of a stranger's with what a terminal would take for orders spelled out.

    Example:
        >>> print(legible("a key" + chr(27) + "[2J"))
        a key\x1b[2J
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
