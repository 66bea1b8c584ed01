"""The deny-list: what no message, subject, sender or link may say, as it would tell a stranger what it is about.

42 CFR Part 2 protects even the fact that somebody is a patient of such a program. What a program file may never say
stands in `cm_engine.program.checks.words`; here is that, and what messages leave out besides.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from cm_engine.errors import ReportError
from cm_engine.program.checks.words import NEVER_SAID

_ALWAYS = (
    "result lab laboratory program enrolled enrollment counselor counsellor therapist therapy nurse doctor physician "
    "prescriber psychiatrist caseworker detox overdose withdrawal craving mrn slip lapse tested addict "
    "resultado laboratorio programa inscrito inscrita consejero consejera terapeuta terapia enfermera enfermero médico "
    "médica doctora psiquiatra desintoxicación sobredosis expediente adicto adicta"
)
NEVER_IN_A_MESSAGE = tuple(_ALWAYS.split())
"""Said in no message, whatever a consent allows."""

_BY_DEFAULT = (
    "reward award earn earned earning prize draw ticket voucher gift card bonus streak balance amount cash money "
    "dollar cent point incentive won win payout expire expires "
    "recompensa premio sorteo boleto vale tarjeta regalo bono racha saldo monto dinero efectivo dólar dólares centavo "
    "punto incentivo ganado ganó ganar gana pago vence"
)
NEVER_BY_DEFAULT = tuple(_BY_DEFAULT.split())
"""Said only with a consent whose scope is progress."""

FIGURES = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r"[$€£¥₹₦₪]", "an amount"),
        (r"(?<!\w)(usd|eur|gbp|cad|mxn)(?!\w)", "an amount"),
        (r"(?<![\d.,])\d+[.,]\d{2}(?![\d.,]*\d)", "an amount"),
        (r"\d[\d -]{3,}\d", "a number of a person or a record"),
    )
)
"""What numbers in a message may not look like, without such a consent."""

LETTER = r"[^\W\d_]"
SPELLED = re.compile(rf"(?<!{LETTER}){LETTER}(?:(?:[^\w\s]{{1,3}}|\s|_){LETTER}){{2,}}(?!{LETTER})")
"""Letters that are set apart: u-r-i-n-e and m e t h."""
SMALLEST_SPELLED = 3
"""A denied word that is at least so long is found in them."""
SMALLEST_PART = 4
"""A denied word that is at least so long is found inside another one, in names that nobody reviews as prose."""


def told(text: str, *, also: Iterable[str] = (), progress: bool = False) -> tuple[str, ...]:
    """Return what in a text tells a stranger what it is about; nothing if it tells nothing.

    Case, accents, width and invisible characters make no difference, nor do the signs that letters are set apart with.

    Args:
        text: as somebody will read it.
        also: what is denied here besides: names of the clinic, of its staff, of the program, its analytes.
        progress: a consent allows to say what was earned.

    Example:
        >>> told("You have an update. Sign in to see it.")
        ()
        >>> told("Your U\u0301rine te\u200bst earned $10.00")
        ('urine', 'test', 'earned', 'an amount')
    """
    return tuple(dict.fromkeys(_found(_bare(text), tuple(also), progress=progress)))


def _found(text: str, also: tuple[str, ...], *, progress: bool) -> Iterator[str]:
    words, parts = _words(also, progress)
    yield from (match.group(1) for match in words.finditer(text))
    yield from (
        match.group()
        for spelled in SPELLED.findall(text)
        for match in parts.finditer(re.sub(r"[\W_]", "", spelled))
    )
    if foreign := [letter for letter in text if letter.isalpha() and not _is_latin(letter)]:
        yield f"the letter {foreign[0]!r}, which is of another script"
    if not progress:
        yield from (what for pattern, what in FIGURES if pattern.search(text))


def neutral_name(name: str, text: str, also: Iterable[str] = ()) -> str:
    """Return the name of a sender, a subject or a host, if it tells a stranger nothing.

    Such a name is not reviewed as prose is, so denied words are found inside others too.

    Args:
        name: what it is called where it is set.
        text: one line.
        also: as for `told`.

    Raises:
        ReportError: it tells something, or has several lines.

    Example:
        >>> neutral_name("sender", "Northside Updates")
        'Northside Updates'
        >>> neutral_name("sender", "updates@recoveryclinic.example")
        Traceback (most recent call last):
        ...
        cm_engine.errors.ReportError: sender: it says 'clinic', which tells a stranger what it is about; take a name that does not
    """
    if not text.isprintable() or not text.strip():
        msg = f"{name}: expected one line of text, got {text!r}"
        raise ReportError(msg)
    also = tuple(also)
    found = told(text, also=also) or _inside(_bare(text), also)
    if found:
        msg = f"{name}: it says {found[0]!r}, which tells a stranger what it is about; take a name that does not"
        raise ReportError(msg)
    return text


def _inside(text: str, also: tuple[str, ...]) -> tuple[str, ...]:
    letters = "".join(filter(str.isalpha, text))
    denied = map(_bare, (*NEVER_SAID, *NEVER_IN_A_MESSAGE, *also))
    return tuple(sorted(word for word in denied if len(word) >= SMALLEST_PART and word in letters))


@lru_cache(maxsize=1000)
def _words(also: tuple[str, ...], progress: bool) -> tuple[re.Pattern[str], re.Pattern[str]]:  # noqa: FBT001 - of a cache
    """Return what finds all denied words, in singular and plural, and what finds them within letters set apart."""
    denied = [*NEVER_SAID, *NEVER_IN_A_MESSAGE, *([] if progress else NEVER_BY_DEFAULT), *also]
    bare = sorted({_bare(word) for word in denied if word.strip()}, key=len, reverse=True)
    each = "|".join(map(re.escape, bare))
    parts = "|".join(word for word in bare if word.isalpha() and len(word) >= SMALLEST_SPELLED)
    return re.compile(rf"(?<!{LETTER})({each})(?:e?s)?(?!{LETTER})"), re.compile(parts)


def _bare(text: str) -> str:
    """Return a text in small letters, without accents and what nobody sees."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(
        letter for letter in apart if unicodedata.category(letter) not in {"Mn", "Cf", "Cc"} or letter == "\n"
    )


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("LATIN")
