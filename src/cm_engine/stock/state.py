"""Where a stock stands, and the same as text.

Every piece has a lot and a place in it, from 0: a code, a card, a prize. Pieces that follow one another and are with one
person are kept as a span, so that the state is as small for ten thousand codes as for ten.
"""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from cm_engine.errors import ReportError
from cm_engine.log.encoding import digits, dumped

CODES, THINGS, NOTHING = "codes", "things", "nothing"
HOLDS = (CODES, THINGS, NOTHING)
"""What a stock holds: codes that are sealed, things that are all alike, or nothing, where staff hand over what is not counted."""
HANDS_MAX = 2
CHUNK = 100
"""As many codes stand in one act."""


class Sort(NamedTuple):
    """Pieces that can stand for one another: of one product, and of one value."""

    product: str
    unit: str
    value: Decimal

    def __str__(self) -> str:
        """Return it as people say it."""
        return f"{self.product} of {digits(self.value)} {self.unit}"


class Lot(NamedTuple):
    """What came in together.

    Attributes:
        id: the number of the act by which it came.
        purchase: where it was bought: the number of an order or of a bill.
        sort: what each piece is.
        expires_on: the last day on which a piece is good; empty for ever.
        chunk: the first act with its codes; -1 for pieces without.
    """

    id: int
    purchase: str
    sort: Sort
    expires_on: str
    chunk: int

    @property
    def is_coded(self) -> bool:
        """Tell whether each piece is a code."""
        return self.chunk >= 0

    def is_good(self, on: str) -> bool:
        """Tell whether a piece may be given on a day."""
        return not self.expires_on or on <= self.expires_on


class Span(NamedTuple):
    """Pieces of a lot that follow one another, with one person: from a place to the one before the end."""

    lot: int
    first: int
    end: int
    holder: str

    @property
    def size(self) -> int:
        """Return how many they are."""
        return self.end - self.first


Spans = tuple[Span, ...]


class Move(NamedTuple):
    """Pieces that somebody offers to somebody else, who has not confirmed yet; by its act's number."""

    id: int
    by: str
    to: str
    spans: Spans


class Open(NamedTuple):
    """An order that has its pieces, and is not handed over yet; and who has confirmed that it is."""

    order: str
    recipient: str
    spans: Spans
    confirmed: tuple[str, ...] = ()


class Total(NamedTuple):
    """How many pieces of a sort came in, and went out; what is neither is in stock."""

    sort: Sort
    received: int = 0
    handed_over: int = 0
    returned: int = 0
    written_off: int = 0
    expired: int = 0


class Count(NamedTuple):
    """What somebody counted by hand with a custodian, and what the book said then."""

    holder: str
    sort: Sort
    counted: int
    book: int
    by: str
    at: str


class StockState(NamedTuple):
    """Where a stock stands.

    Attributes:
        stock: its id.
        holds: codes, things or nothing.
        hands: how many people confirm that something is handed over.
        seq: its last act.
        chunks: how many acts with codes there are to be.
        sealed: how many of them there are.
        lots: those of which a piece is in stock.
        shelf: what may be given.
        moves: what is offered from one person to another.
        open: what is allotted, and not handed over yet.
        totals: of each sort that ever came in.
        points: by product, the least that is to be on the shelf.
        counts: the last of each custodian and sort.
    """

    stock: str
    holds: str
    hands: int
    seq: int = 0
    chunks: int = 0
    sealed: int = 0
    lots: tuple[Lot, ...] = ()
    shelf: Spans = ()
    moves: tuple[Move, ...] = ()
    open: tuple[Open, ...] = ()
    totals: tuple[Total, ...] = ()
    points: tuple[tuple[str, int], ...] = ()
    counts: tuple[Count, ...] = ()

    def lot(self, id: int) -> Lot:  # noqa: A002 - what it is
        """Return a lot of which a piece is in stock.

        Raises:
            ReportError: there is none.
        """
        found = [each for each in self.lots if each.id == id]
        if not found:
            msg = f"lot: nothing of lot {id} is in stock {self.stock!r}"
            raise ReportError(msg)
        return found[0]

    def opened(self, order: str) -> Open | None:
        """Return an order that is not handed over yet, or None."""
        return next((each for each in self.open if each.order == order), None)

    def in_custody(self) -> Iterator[Span]:
        """Yield all pieces that lie in somebody's drawer: on the shelf, offered, or allotted."""
        yield from self.shelf
        for move in self.moves:
            yield from move.spans
        for each in self.open:
            yield from each.spans

    def book(self, holder: str, sort: Sort) -> int:
        """Return how many pieces of a sort a custodian has."""
        lots = {each.id for each in self.lots if each.sort == sort}
        return sum(each.size for each in self.in_custody() if each.holder == holder and each.lot in lots)


def without(shelf: Spans, gone: Span) -> Spans:
    """Return a shelf from which pieces were taken.

    Raises:
        ReportError: they are not all there.

    Example:
        >>> without((Span(1, 0, 10, "a"),), Span(1, 0, 2, "a"))
        (Span(lot=1, first=2, end=10, holder='a'),)
    """
    for each in shelf:
        same = (each.lot, each.holder) == (gone.lot, gone.holder)
        if same and each.first <= gone.first < gone.end <= each.end:
            left = (each._replace(end=gone.first), each._replace(first=gone.end))
            return tuple(sorted((*(one for one in shelf if one is not each), *filter(_any, left))))
    msg = f"pieces {gone.first} to {gone.end - 1} of lot {gone.lot} are not on the shelf with {gone.holder!r}"
    raise ReportError(msg)


def _any(span: Span) -> bool:
    return span.size > 0


def with_spans(shelf: Spans, more: Iterable[Span]) -> Spans:
    """Return a shelf to which pieces were put; those that follow one another are one span.

    Example:
        >>> with_spans((Span(1, 2, 9, "a"),), [Span(1, 0, 2, "a")])
        (Span(lot=1, first=0, end=9, holder='a'),)
    """
    found: list[Span] = []
    for each in sorted((*shelf, *more)):
        last = found[-1] if found else None
        if last and (last.lot, last.end, last.holder) == (each.lot, each.first, each.holder):
            found[-1] = last._replace(end=each.end)
        else:
            found.append(each)
    return tuple(found)


def spans_from(form: Iterable[Iterable[Any]]) -> Spans:
    """Return spans from JSON."""
    return tuple(Span(*fields) for fields in form)


def sort_from(form: Iterable[Any]) -> Sort:
    """Return a sort from JSON."""
    product, unit, value = form
    return Sort(product, unit, Decimal(value))


def lot_from(form: Iterable[Any]) -> Lot:
    """Return a lot from JSON."""
    id, purchase, sort, expires_on, chunk = form  # noqa: A001 - what it is
    return Lot(id, purchase, sort_from(sort), expires_on, chunk)


def dump(state: StockState) -> str:
    """Return where a stock stands, as text."""
    return dumped(state._asdict())


def load(text: str) -> StockState:
    """Return what `dump` wrote.

    Raises:
        ValueError, TypeError, KeyError: another release wrote it.
    """
    form: dict[str, Any] = json.loads(text)
    return StockState(
        **{
            **form,
            "lots": tuple(map(lot_from, form["lots"])),
            "shelf": spans_from(form["shelf"]),
            "moves": tuple(Move(move, by, to, spans_from(spans)) for move, by, to, spans in form["moves"]),
            "open": tuple(
                Open(order, whom, spans_from(spans), tuple(by)) for order, whom, spans, by in form["open"]
            ),
            "totals": tuple(Total(sort_from(sort), *counts) for sort, *counts in form["totals"]),
            "points": tuple((product, least) for product, least in form["points"]),
            "counts": tuple(Count(who, sort_from(sort), *rest) for who, sort, *rest in form["counts"]),
        }
    )
