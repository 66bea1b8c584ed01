"""What gateways have in common when they read a vendor's answer: exact amounts, and no word of the vendor's that may hold a name."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from cm_engine.program.units import CURRENCY_DECIMALS

_KEY = re.compile(r"[a-z_]{1,40}")
KEYS_MAX = 5


def parsed(body: bytes) -> dict[str, Any] | None:
    """Return what a body in JSON says, its numbers exact; None if it is no object.

    Example:
        >>> parsed(b'{"denomination": 20.1}')
        {'denomination': Decimal('20.1')}
    """
    try:
        found = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def decimal_of(value: object) -> Decimal | None:
    """Return an amount as a vendor writes it, None if it is none.

    Example:
        >>> decimal_of("20.10"), decimal_of("twenty"), decimal_of("NaN")
        (Decimal('20.10'), None, None)
    """
    try:
        found = Decimal(value) if isinstance(value, str | Decimal) else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def minor_units(amount: Decimal, currency: str) -> int | None:
    """Return an amount in the smallest coins of its currency, None if it is no whole number of them.

    Example:
        >>> minor_units(Decimal("20.10"), "USD"), minor_units(Decimal("0.005"), "USD"), minor_units(Decimal(7), "JPY")
        (2010, None, 7)
    """
    coins = amount.scaleb(CURRENCY_DECIMALS[currency])
    return int(coins) if coins == coins.to_integral_value() else None


def major_units(coins: int, currency: str) -> Decimal:
    """Return an amount of which the smallest coins of its currency are given.

    Example:
        >>> major_units(2010, "USD")
        Decimal('20.10')
    """
    return Decimal(coins).scaleb(-CURRENCY_DECIMALS[currency])


def seconds_of(header: str | None) -> timedelta | None:
    """Return how long a vendor wants to be left alone, if it says so in seconds.

    Example:
        >>> seconds_of("30"), seconds_of("tomorrow")
        (datetime.timedelta(seconds=30), None)
    """
    return timedelta(seconds=int(header)) if header and re.fullmatch(r"[0-9]{1,5}", header) else None


def named_keys(payload: object) -> str:
    """Return which keys a vendor complains of, and nothing of what stands under them.

    Example:
        >>> named_keys({"reward": {"recipient": {"email": ["ann@example.org is no address"]}}})
        'reward.recipient.email'
    """
    return ", ".join(list(dict.fromkeys(_keys(payload, "")))[:KEYS_MAX])


def _keys(payload: object, path: str) -> Iterator[str]:
    """Yield the paths of what has no keys below it; a key that is no plain word is left out."""
    below = payload.items() if isinstance(payload, dict) else ()
    inner = [(f"{path}.{key}".strip("."), value) for key, value in below if _KEY.fullmatch(str(key))]
    for place, value in inner:
        yield from _keys(value, place)
    if path and not inner:
        yield path
