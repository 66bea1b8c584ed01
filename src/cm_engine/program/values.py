"""The small values a program file is made of: amounts, weeks, dates, words of results, dated amounts."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

WEEKS_MAX = 1040
AMOUNT_MAX = 1_000_000_000
SHOWN_MAX = 40

OUTCOMES: dict[str, str] = {
    "-": "met",
    "+": "positive",
    "o": "missed",
    "e": "excused",
    "*": "invalid",
    "r": "refused",
    "_": "not required",
}
"""The symbols of a use-pattern word and what each says of its visit."""
LEFT = "o"
"""What is seen at the visits of who has dropped out."""
NOT_MET = "+"
"""What is seen if a visit is not met and nobody says how; of what is attended it is that nobody came."""

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")
_SPELLED = re.compile(r"[$€£]? ?0*([1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]*)([.][0-9]+)? ?[$€£]?")
_WEEKS = re.compile(r"([1-9][0-9]{0,3})-([1-9][0-9]{0,3})?")

_AMOUNT_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": AMOUNT_MAX},
        {"type": "string", "pattern": f"^{_AMOUNT.pattern}$"},
    ]
}

SubPath = tuple[str | int, ...]

OF_KEY = "[key]"
"""Ends the path of a problem that lies in a key and not in its value, as pydantic has it."""


def lapse_of(rewarded: str) -> str:
    """Return how a visit is not met, by what is rewarded: who does not meet what is attended has not come.

    Example:
        >>> lapse_of("abstinence"), lapse_of("attendance")
        ('+', 'o')
    """
    return LEFT if rewarded == "attendance" else NOT_MET


def wrong(message: str) -> PydanticCustomError:
    """Return an error that reads as written, for a validator to raise."""
    return PydanticCustomError("wrong", "{message}", {"message": message})


def all_wrong(problems: Iterable[tuple[SubPath, str]]) -> PydanticCustomError:
    """Return one error that carries several, each at its own place below the value."""
    return PydanticCustomError("several", "several problems", {"problems": tuple(problems)})


def shown(value: Any) -> str:
    """Return a value of a file as an error message quotes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "a set of keys"
        case list():
            return "a list"
        case str():
            return repr(value if len(value) <= SHOWN_MAX else f"{value[:SHOWN_MAX]}...")
        case _:
            return str(value)


def either(options: Iterable[str]) -> str:
    """Return options as a sentence lists them: a, b or c."""
    *most, last = options
    return f"{', '.join(most)} or {last}" if most else last


def amount(value: Any) -> Decimal:
    """Return an amount written as digits, exactly.

    Example:
        >>> amount(10), amount("1.50"), amount(Decimal("0.25"))
        (Decimal('10'), Decimal('1.50'), Decimal('0.25'))
    """
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, int | str | Decimal) and not isinstance(value, bool) and _AMOUNT.fullmatch(text):
        if Decimal(text) <= AMOUNT_MAX:
            return Decimal(text)
        raise wrong(f"expected at most {AMOUNT_MAX}, got {text}")
    if text.startswith("-"):
        raise wrong(f"expected an amount of 0 or more, got {text}")
    raise wrong(f"expected an amount in digits, such as 10.00, got {shown(value)}{_in_digits(text)}")


def _in_digits(text: str) -> str:
    """Return how an amount is written that has a sign of a currency, commas between thousands, or zeros before it."""
    if not (found := _SPELLED.fullmatch(text)):
        return ""
    return f"; write {found[1].replace(',', '')}{found[2] or ''}"


def _as_number(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


Amount = Annotated[
    Decimal,
    PlainValidator(amount),
    PlainSerializer(_as_number, return_type=str),
    WithJsonSchema(_AMOUNT_SCHEMA),
]


def signed_amount(value: Any) -> Decimal:
    """Return an amount that may be less than 0: what a participant pays in.

    Example:
        >>> signed_amount("-150.00")
        Decimal('-150.00')
    """
    text = str(value)
    if isinstance(value, int | str | Decimal) and text.startswith("-") and not isinstance(value, bool):
        return -amount(text[1:])
    return amount(value)


SignedAmount = Annotated[
    Decimal,
    PlainValidator(signed_amount),
    PlainSerializer(_as_number, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": -AMOUNT_MAX, "maximum": AMOUNT_MAX},
                {"type": "string", "pattern": f"^-?({_AMOUNT.pattern})$"},
            ]
        }
    ),
]


def share(value: Any) -> Decimal:
    """Return a share: more than 0, and at most 1.

    Example:
        >>> share("0.25")
        Decimal('0.25')
    """
    try:
        found = amount(value)
    except PydanticCustomError:
        found = Decimal(0)
    if not 0 < found <= 1:
        raise wrong(f"expected a share more than 0 and at most 1, such as 0.25, got {shown(value)}")
    return found


Share = Annotated[
    Decimal,
    PlainValidator(share),
    PlainSerializer(_as_number, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                {"type": "string", "pattern": r"^(0\.[0-9]{0,17}[1-9][0-9]{0,17}|1(\.0{1,18})?)$"},
            ]
        }
    ),
]


def chance(value: Any) -> Fraction:
    """Return a chance: a fraction more than 0 and at most 1, such as 1/5, or a share.

    Example:
        >>> chance("1/5"), chance("0.125")
        (Fraction(1, 5), Fraction(1, 8))
    """
    if isinstance(value, Fraction):
        return value
    found = _FRACTION.fullmatch(value) if isinstance(value, str) else None
    if found and 0 < int(found[1]) <= int(found[2]):
        return Fraction(int(found[1]), int(found[2]))
    try:
        return Fraction(share(value))
    except PydanticCustomError:
        what = "expected a chance more than 0 and at most 1, such as 1/5 or 0.2"
        raise wrong(f"{what}, got {shown(value)}") from None


_FRACTION = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")

Chance = Annotated[
    Fraction,
    PlainValidator(chance),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                {"type": "string", "pattern": r"^([1-9][0-9]{0,5}/[1-9][0-9]{0,5}|0\.[0-9]{1,18}|1)$"},
            ]
        }
    ),
]


class Weeks(NamedTuple):
    """A run of program weeks, both ends included; week 1 begins on the start date.

    An open end is `WEEKS_MAX`: as good as never.
    """

    first: int
    last: int

    @property
    def is_endless(self) -> bool:
        """Tell whether they have an open end."""
        return self.last == WEEKS_MAX

    def __str__(self) -> str:
        """Return the weeks as a file writes them."""
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}-" if self.is_endless else f"{self.first}-{self.last}"


def dashed(value: Any) -> str:
    """Return a hint at a dash that is no hyphen, or nothing."""
    odd = next(
        (symbol for symbol in str(value) if unicodedata.category(symbol) == "Pd" and symbol != "-"), None
    )
    return f", with {named(odd)} for a hyphen" if odd else ""


def weeks(value: Any) -> Weeks:
    """Return weeks written as one number, as first-last, or as first- without an end.

    Example:
        >>> weeks("1-12"), weeks(24), str(weeks("13-"))
        (Weeks(first=1, last=12), Weeks(first=24, last=24), '13-')
    """
    if isinstance(value, Weeks):
        return value
    found = _WEEKS.fullmatch(f"{value}-{value}" if isinstance(value, int) else str(value))
    if found is None or isinstance(value, bool):
        raise wrong(f"expected weeks such as 1-12 or 24, got {shown(value)}{dashed(value)}")
    first, last = int(found[1]), int(found[2] or WEEKS_MAX)
    if first > last:
        raise wrong(f"expected the first week before the last, got {first}-{last}")
    if last > WEEKS_MAX:
        raise wrong(f"expected at most {WEEKS_MAX} weeks, got {last}")
    return Weeks(first, last)


WeekRange = Annotated[
    Weeks,
    PlainValidator(weeks),
    PlainSerializer(lambda weeks: weeks.first if weeks.first == weeks.last else str(weeks)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": WEEKS_MAX},
                {"type": "string", "pattern": "^[1-9][0-9]{0,3}-([1-9][0-9]{0,3})?$"},
            ]
        }
    ),
]


def day(value: Any) -> date:
    """Return a date written as year-month-day."""
    if type(value) is date:
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise wrong(f"expected a date such as 2026-01-05, got {shown(value)}")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise wrong(f"there is no such date as {value}") from None


Day = Annotated[
    date,
    PlainValidator(day),
    PlainSerializer(date.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date"}),
]


def month_day(value: Any) -> tuple[int, int]:
    """Return a day of every year, written month-day; not 29 February, which most years lack.

    Example:
        >>> month_day("10-01")
        (10, 1)
    """
    if isinstance(value, tuple):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{2}-\d{2}", value):
        raise wrong(f"expected a month and a day such as 10-01, got {shown(value)}")
    try:
        found = date.fromisoformat(f"2023-{value}")
    except ValueError:
        raise wrong(f"there is no day {value} in every year") from None
    return found.month, found.day


MonthDay = Annotated[
    tuple[int, int],
    PlainValidator(month_day),
    PlainSerializer(lambda found: f"{found[0]:02}-{found[1]:02}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d{2}-\d{2}$"}),
]


class Dated(NamedTuple):
    """An amount that the law or a budget changes on given days.

    Attributes:
        changes: (first day, amount), in order; the first has no day and holds before all others.
    """

    changes: tuple[tuple[date | None, Decimal], ...]


def dated(value: Any) -> Dated:
    """Return an amount, or amounts by the day each comes into force.

    Example:
        >>> dated({"before": "75.00", "2025-01-14": "750.00"}).changes
        ((None, Decimal('75.00')), (datetime.date(2025, 1, 14), Decimal('750.00')))
    """
    if isinstance(value, Dated):
        return value
    if not isinstance(value, dict):
        return Dated(((None, amount(value)),))
    problems: list[tuple[SubPath, str]] = []
    if "before" not in value:
        problems.append(((), "expected the key 'before', with the amount that holds until the first date"))
    changes: dict[date | None, Decimal] = {}
    for key, text in value.items():
        try:
            since = None if key == "before" else day(key)
        except PydanticCustomError as error:
            problems.append(((key, OF_KEY), error.message()))
            continue
        try:
            changes[since] = amount(text)
        except PydanticCustomError as error:
            problems.append(((key,), error.message()))
    if problems:
        raise all_wrong(problems)
    return Dated(tuple(sorted(changes.items(), key=lambda change: change[0] or date.min)))


def _as_amounts(value: Dated) -> str | dict[str, str]:
    if len(value.changes) == 1:
        return _as_number(value.changes[0][1])
    return {day.isoformat() if day else "before": _as_number(number) for day, number in value.changes}


DatedAmount = Annotated[
    Dated,
    PlainValidator(dated),
    PlainSerializer(_as_amounts),
    WithJsonSchema(
        {
            "anyOf": [
                *_AMOUNT_SCHEMA["anyOf"],
                {
                    "type": "object",
                    "required": ["before"],
                    "patternProperties": {r"^(before|\d{4}-\d{2}-\d{2})$": _AMOUNT_SCHEMA},
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


def check_word(word: str) -> str:
    """Return a word of results after looking at each symbol.

    Raises:
        PydanticCustomError: a symbol is not one of `OUTCOMES`; the message says which.
    """
    if unknown := unknown_result(word):
        raise wrong(unknown)
    return word


def unknown_result(word: str) -> str | None:
    """Return what is wrong with the first symbol of a word that is none, or None if all are."""
    for number, symbol in enumerate(word, start=1):
        if symbol not in OUTCOMES:
            expected = ", ".join(f"{known} {name}" for known, name in OUTCOMES.items())
            return f"result {number} is {named(symbol)}; expected {expected}"
    return None


def named(symbol: str) -> str:
    """Return a character as an error message quotes it, with its name where it looks like another."""
    return repr(symbol) if symbol.isascii() else f"{symbol!r} ({unicodedata.name(symbol, 'unknown').lower()})"


Word = Annotated[
    str, AfterValidator(check_word), WithJsonSchema({"type": "string", "pattern": r"^[-+oe*r_]+$"})
]


def symbol(value: Any) -> str:
    """Return one symbol of a word of results.

    Example:
        >>> symbol("-")
        '-'
    """
    if not isinstance(value, str) or value not in OUTCOMES:
        expected = ", ".join(f"{known} {name}" for known, name in OUTCOMES.items())
        raise wrong(f"expected one of {expected}, got {shown(value)}")
    return value


Symbol = Annotated[str, PlainValidator(symbol), WithJsonSchema({"type": "string", "enum": list(OUTCOMES)})]
