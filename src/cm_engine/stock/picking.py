"""Which pieces an order gets: those whose values make up its amount, as few as can be, first what expires first. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from cm_engine.errors import OutOfStockError, ReportError
from cm_engine.log.encoding import digits
from cm_engine.stock.state import NOTHING, Sort, Span, Spans, StockState

PIECES_MAX = 20
"""As many pieces does one order get at most."""
NEVER = "9999"
Change = tuple[tuple[Decimal, int], ...]
"""How many pieces of each value."""


def picked(state: StockState, amount: Decimal, unit: str, product: str, on: str) -> Spans:
    """Return the pieces that an order gets; none from a stock that holds nothing.

    Args:
        state: where the stock stands.
        amount: what their values come to, exactly.
        unit: of the amount.
        product: what was asked for; empty for any.
        on: the day: what has expired by then is not given.

    Raises:
        OutOfStockError: they are not there now.
        ReportError: no pieces that this stock ever had come to the amount.
    """
    if state.holds == NOTHING:
        return ()
    shelf = _good(state, unit, product, on)
    held: dict[Decimal, list[Span]] = {}
    for each in shelf:
        held.setdefault(state.lot(each.lot).sort.value, []).append(each)
    counts = {value: sum(each.size for each in spans) for value, spans in held.items()}
    found = change(amount, counts)
    if found is None:
        raise _lacking(state, amount, unit, product)
    return tuple(piece for value, count in found for piece in first_of(held[value], count))


def one_of(state: StockState, product: str, on: str) -> Spans:
    """Return one piece of a product, which expires first.

    Raises:
        OutOfStockError: there is none.
    """
    units = {each.sort.unit for each in state.lots if each.sort.product == product}
    found = [span for unit in sorted(units) for span in _good(state, unit, product, on)]
    if not found:
        raise OutOfStockError(state.stock, product)
    return first_of(found, 1)


def first_of(spans: Iterable[Span], count: int) -> Spans:
    """Return as many pieces from the beginning of spans; fewer if there are not as many.

    Example:
        >>> first_of([Span(1, 0, 2, "a"), Span(2, 0, 9, "a")], 3)
        (Span(lot=1, first=0, end=2, holder='a'), Span(lot=2, first=0, end=1, holder='a'))
    """
    found = []
    for each in spans:
        if count <= 0:
            break
        found.append(each._replace(end=min(each.end, each.first + count)))
        count -= found[-1].size
    return tuple(found)


def of_sort(state: StockState, holder: str, sort: Sort, lot: int | None = None) -> list[Span]:
    """Return what a custodian has of a sort on the shelf, of one lot or of all, first what expires first."""
    lots = {each.id for each in state.lots if each.sort == sort and lot in {None, each.id}}
    return _ordered(state, (each for each in state.shelf if each.holder == holder and each.lot in lots))


def change(amount: Decimal, counts: Mapping[Decimal, int]) -> Change | None:
    """Return the fewest pieces that come to an amount exactly, from what there is of each value; None if none do.

    Example:
        >>> change(Decimal(30), {Decimal(25): 1, Decimal(10): 9, Decimal(5): 2})
        ((Decimal('25'), 1), (Decimal('5'), 1))
        >>> change(Decimal(30), {Decimal(25): 9}) is None
        True
    """
    best: dict[Decimal, Change] = {Decimal(0): ()}
    for value in sorted((each for each in counts if each > 0), reverse=True):
        for total, before in list(best.items()):
            most = min(counts[value], PIECES_MAX - pieces(before), int((amount - total) // value))
            for count in range(1, most + 1):
                new, known = (*before, (value, count)), best.get(total + count * value)
                if known is None or pieces(new) < pieces(known):
                    best[total + count * value] = new
    return best.get(amount) or None


def pieces(found: Change) -> int:
    """Return how many pieces a change has."""
    return sum(count for _, count in found)


def _good(state: StockState, unit: str, product: str, on: str) -> list[Span]:
    """Return what is on the shelf of a unit and a product, and has not expired by a day; first what expires first."""
    lots = {
        each.id
        for each in state.lots
        if each.sort.unit == unit and product in {"", each.sort.product} and each.is_good(on)
    }
    return _ordered(state, (each for each in state.shelf if each.lot in lots))


def _ordered(state: StockState, spans: Iterable[Span]) -> list[Span]:
    until = {each.id: each.expires_on or NEVER for each in state.lots}
    return sorted(spans, key=lambda span: (until[span.lot], span.lot, span.first))


def _lacking(state: StockState, amount: Decimal, unit: str, product: str) -> OutOfStockError | ReportError:
    """Return why an order gets nothing: it is gone, or there never was such a thing."""
    known = {
        each.sort.value
        for each in state.totals
        if each.sort.unit == unit and product in {"", each.sort.product}
    }
    wanted = " ".join(filter(None, (product, digits(amount), unit)))
    if known and change(amount, dict.fromkeys(known, PIECES_MAX)) is None:
        values = ", ".join(digits(each) for each in sorted(known))
        return ReportError(
            f"stock {state.stock!r} has pieces of {values} {unit}, which do not come to {wanted}"
        )
    return OutOfStockError(state.stock, wanted)
