"""Reasons as plain data: money in decimal strings, everything else as text, numbers and truth values."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

from cm_engine import Unit, reasons

MINOR = {"amount", "change", "limit", "left", "lost", "restart", "minimum"}
"""The fields of reasons that are in minor units of the reason's unit."""

Fact = str | int | bool | list[str] | None


def facts(reason: reasons.Reason) -> dict[str, Fact]:
    """Return a reason as data, its code first.

    Example:
        >>> reset = reasons.WasReset(Unit("USD", 2), "+", 1000)
        >>> facts(reset)
        {'code': 'reset', 'unit': 'USD', 'outcome': '+', 'restart': '10.00'}
    """
    fields = reason._asdict()
    unit = fields.get("unit")
    found: dict[str, Fact] = {"code": str(fields.pop("code"))}
    for name, value in fields.items():
        is_amount = name in MINOR and isinstance(unit, Unit) and isinstance(value, int)
        found[name] = unit.plain(value) if is_amount and unit else _plain(value)
    return found


def _plain(value: object) -> Fact:
    match value:
        case Unit():
            return value.name
        case None | bool() | int() | str():
            return value
        case Decimal() | Fraction():
            return str(value)
        case date():
            return value.isoformat()
        case tuple():
            return [str(each) for each in value]
    raise TypeError(value)
