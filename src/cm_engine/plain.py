"""The plain values that an act may have: looked at before anything is written, and in one form."""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from decimal import Decimal
from types import NoneType
from unicodedata import is_normalized

from cm_engine.errors import ReportError
from cm_engine.log.rows import RESERVED
from cm_engine.rules.state import Evidence

TEXT_MAX = 200
PAIR = 2
TELLING = tuple(
    (re.compile(pattern), looks)
    for pattern, looks in (
        (r"\s", "has a blank in it, as a name has"),
        (r"@", "has an @ in it, as an e-mail address has"),
        (r",", "has a comma in it, as a family name and a given name have"),
        (r"\^", "has a ^ in it, as a name in HL7 has"),
        (r"^\d{3}-\d{2}-\d{4}$", "looks like a social security number"),
        (r"^(\+\d[\d.()-]{6,}|[(]?\d{3}[).-]{1,2}\d{3}[.-]\d{4})$", "looks like a phone number"),
    )
)
"""What an id never has that says nothing of a person, and what it looks like then."""
DIGITS_MAX = 30
"""As many digits may a measured value have before its point, or zeros after it."""


def one_line(name: str, text: object) -> str:
    """Return a text that can stand in the log.

    Raises:
        ReportError: there is nothing to read, or more than a line.
    """
    if isinstance(text, str) and text.isprintable() and 0 < len(text) <= TEXT_MAX and not text.isspace():
        return text
    msg = f"{name}: expected text of one line, at most {TEXT_MAX} characters, got {text!r}"
    raise ReportError(msg)


def named(name: str, text: object) -> str:
    """Return a key, an id or whoever acts, which has one spelling: two that look alike are the same.

    Raises:
        ReportError: it is no line of text, has a blank before or after it, or letters that are put together of several
            characters where there is one for each (Unicode's form NFC).

    Example:
        >>> named("key", "udt-778 ")
        Traceback (most recent call last):
        ...
        cm_engine.errors.ReportError: key: expected no blank before or after it, got 'udt-778 '
    """
    found = one_line(name, text)
    if found != found.strip():
        msg = f"{name}: expected no blank before or after it, got {found!r}"
        raise ReportError(msg)
    if not is_normalized("NFC", found):
        msg = f"{name}: expected the form NFC of Unicode, as unicodedata.normalize('NFC', ...) makes it, got {found!a}"
        raise ReportError(msg)
    return found


def unreserved(name: str, text: object) -> str:
    """Return a source or an id that is no name of a journal.

    Raises:
        ReportError: it has not one spelling, or begins with @.
    """
    found = named(name, text)
    if found.startswith(RESERVED):
        msg = f"{name}: what begins with {RESERVED} is kept for journals, such as @trial/...; got {found!r}"
        raise ReportError(msg)
    return found


def opaque(name: str, text: object) -> str:
    """Return an id that says nothing of whom it stands for, as far as can be told.

    Refused is what ids never need and names, addresses and numbers of people have: blanks, an @, a comma, a plus sign
    in front, and the groups of a phone number or of a social security number. Digits alone may be an id of a record.

    Raises:
        ReportError: it is no line of text, or looks like a name, an address or a number of a person.

    Example:
        >>> opaque("participant", "p-104"), opaque("participant", "0012345678")
        ('p-104', '0012345678')
        >>> opaque("participant", "Ann Lee")
        Traceback (most recent call last):
        ...
        cm_engine.errors.ReportError: participant: has a blank in it, as a name has; take an opaque id that tells a stranger nothing, such as p-104
    """
    for telling, looks in TELLING:
        if isinstance(text, str) and telling.search(text.strip()):  # before any error that repeats it
            msg = f"{name}: {looks}; take an opaque id that tells a stranger nothing, such as p-104"
            raise ReportError(msg)
    return named(name, text)


def plain_day(name: str, day: object) -> str:
    """Return a date as text.

    Raises:
        ReportError: it is no date, or one with a time.
    """
    if type(day) is not date:
        msg = f"{name}: expected a date without a time, got {day!r}"
        raise ReportError(msg)
    return day.isoformat()


def plain_evidence(evidence: object) -> Evidence:
    """Return evidence in the one form that is decided and stored.

    Raises:
        ReportError: a part of it is of a wrong type.
    """
    if not isinstance(evidence, Evidence):
        msg = f"evidence: expected Evidence(...), got {evidence!r}"
        raise ReportError(msg)
    if evidence.value is not None and not is_number(evidence.value):
        msg = f"evidence: expected a value such as Decimal('3.5'), got {evidence.value!r}"
        raise ReportError(msg)
    if not isinstance(evidence.presumptive, bool) or type(evidence.group) not in {int, NoneType}:
        msg = f"evidence: presumptive is a truth value and group a number, got {evidence!r}"
        raise ReportError(msg)
    return evidence._replace(
        panel=tuple(
            (one_line("panel", name), one_line("panel", found)) for name, found in _pairs(evidence.panel)
        ),
        prescribed=tuple(one_line("prescribed", each) for each in _listed("prescribed", evidence.prescribed)),
        conditions=tuple(one_line("conditions", each) for each in _listed("conditions", evidence.conditions)),
        excuse=one_line("excuse", evidence.excuse) if evidence.excuse else "",
        choice=one_line("choice", evidence.choice) if evidence.choice else "",
    )


def is_number(value: object) -> bool:
    """Tell whether a value is an exact number that can be written out."""
    return isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= DIGITS_MAX


def _pairs(panel: object) -> list[tuple[object, object]]:
    """Return the pairs of a panel, however it is given."""
    pairs = list(panel.items()) if isinstance(panel, Mapping) else _listed("panel", panel)
    found = [(pair[0], pair[1]) for pair in pairs if isinstance(pair, tuple | list) and len(pair) == PAIR]
    if len(found) < len(pairs):
        msg = f"panel: expected pairs of an analyte and - or +, got {panel!r}"
        raise ReportError(msg)
    return found


def _listed(name: str, given: object) -> list[object]:
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        msg = f"{name}: expected several, as a tuple or a list, got {given!r}"
        raise ReportError(msg)
    return sorted(given) if isinstance(given, AbstractSet) else list(given)
