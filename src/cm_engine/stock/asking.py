"""What a caller asks of a stock, looked at before anything is written."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from cm_engine.errors import ReportError
from cm_engine.gateways import Order
from cm_engine.journal import OPENED, Act, Asked, asked
from cm_engine.log.encoding import digits
from cm_engine.log.rows import RESERVED
from cm_engine.plain import is_number, named, one_line, opaque, plain_day
from cm_engine.program.units import CURRENCY_DECIMALS, Unit
from cm_engine.stock.fold import ALLOTTED, RECEIVED, RETURNED, SEALED
from cm_engine.stock.state import HANDS_MAX, HOLDS, Sort

SOURCE = f"{RESERVED}stock"
"""The source of acts whose key is an order's id: nobody else can give it, so that an order is allotted once for ever."""
PIECES_MAX = 100_000
"""As many pieces come in at a time at most."""


def asked_to_open(holds: str, hands: int, *, source: str, key: str, by: str) -> Asked:
    """Return the act that opens a stock.

    Raises:
        ReportError: it holds what no stock holds, or more people are to confirm than two.
    """
    if holds not in HOLDS:
        msg = f"holds: expected {', '.join(HOLDS)}, got {holds!r}"
        raise ReportError(msg)
    return asked(
        OPENED,
        source=source,
        key=key,
        by=by,
        body={"holds": holds, "hands": _whole("hands", hands, 0, HANDS_MAX)},
    )


def plain_sort(product: str, unit: str, value: Decimal) -> Sort:
    """Return a sort, looked at.

    Raises:
        ReportError: the value is none, or no amount of its unit.
    """
    known = Unit(unit, CURRENCY_DECIMALS.get(unit, 0))
    if not (is_number(value) and value > 0 and known.fits(value)):
        msg = (
            f"value: expected a Decimal of more than 0, with at most {known.decimals} decimals, got {value!r}"
        )
        raise ReportError(msg)
    return Sort(one_line("product", product), one_line("unit", unit), Decimal(digits(value)))


def asked_to_receive(  # noqa: PLR0913 - one argument for each thing that is reported
    sort: Sort,
    count: int,
    *,
    codes: str,
    purchase: str,
    expires_on: date | None,
    holder: str,
    source: str,
    key: str,
    by: str,
) -> Asked:
    """Return the act by which a lot comes in; `codes` tells its codes from those of another."""
    body = {
        **sort._asdict(),
        "count": _whole("count", count, 1, PIECES_MAX),
        "codes": codes,
        "purchase": named("purchase", purchase),
        "expires_on": plain_day("expires_on", expires_on) if expires_on else "",
        "holder": opaque("holder", holder or by),
    }
    return asked(RECEIVED, source=source, key=key, by=by, body=body)


def asked_to_seal(stock: str, chunk: int, lot: Act, prints: Sequence[str], key: str) -> Asked:
    """Return the act with some codes of a lot that came in, of which a key has the prints and the seals."""
    body = {"chunk": chunk, "lot": lot.seq, "prints": list(prints), "key": key}
    return Asked(SEALED, SOURCE, codes_key(stock, chunk), lot.by, body)


def codes_key(stock: str, chunk: int) -> str:
    """Return the key of an act with codes."""
    return f"{stock}/codes/{chunk}"


def asked_to_allot(order: Order, by: str) -> Asked:
    """Return the act by which an order gets its pieces; the address to which they go is no part of it."""
    body = {
        "amount": digits(order.amount),
        "unit": order.unit,
        "product": order.product,
        "recipient": order.recipient,
    }
    return Asked(ALLOTTED, SOURCE, named("order", order.id), by, body)


def asked_to_return(order: str, why: str, by: str) -> Asked:
    """Return the act by which what an order got comes back: once."""
    body = {"order": order, "why": one_line("why", why)}
    return Asked(RETURNED, SOURCE, returned_key(order), named("by", by), body)


def returned_key(order: str) -> str:
    """Return the key of the act by which an order's pieces came back."""
    return f"{named('order', order)}/returned"


def asked_of(kind: str, body: Mapping[str, Any], *, source: str, key: str, by: str) -> Asked:
    """Return any other act."""
    return asked(kind, source=source, key=key, by=by, body=body)


def whole(name: str, value: object, least: int = 0) -> int:
    """Return a number of pieces.

    Raises:
        ReportError: it is none.
    """
    return _whole(name, value, least, PIECES_MAX)


def _whole(name: str, value: object, least: int, most: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    msg = f"{name}: expected a whole number from {least} to {most}, got {value!r}"
    raise ReportError(msg)
