"""A stock as people look at it: what is in it, who has it, what is missing, and what an order got."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from cm_engine.journal import Act
from cm_engine.log.encoding import digits
from cm_engine.stock.state import Lot, Sort, Spans, StockState

Status = Literal["allotted", "handed over", "returned"]
EXPIRES_SOON = timedelta(days=30)
"""As long before a lot expires is somebody told."""


class Piece(NamedTuple):
    """Pieces of one lot that an order got, or that somebody has.

    Attributes:
        lot: its number.
        places: where they are in the lot, from 0.
        product, unit, value: what each of them is.
        expires_on: their last day; None for ever.
        holder: the custodian.
    """

    lot: int
    places: range
    product: str
    unit: str
    value: Decimal
    expires_on: date | None
    holder: str


class Allotment(NamedTuple):
    """What an order got.

    Attributes:
        stock: from which.
        order: the id of the order.
        number: of the act by which it got it.
        amount, unit, product: as they were asked for.
        recipient: the participant's opaque id.
        pieces: what it has.
        status: allotted, and not handed over yet; handed over; or returned.
        waits_for: how many people have still to confirm that it is handed over.
        confirmed_by: who has, while it is not handed over.
        why: the reason, if it came back.
        replayed: it was so before, and nothing is written of it now.
    """

    stock: str
    order: str
    number: int
    amount: Decimal
    unit: str
    product: str
    recipient: str
    pieces: tuple[Piece, ...]
    status: Status
    waits_for: int = 0
    confirmed_by: tuple[str, ...] = ()
    why: str = ""
    replayed: bool = False

    @property
    def reference(self) -> str:
        """Return the name by which it is found again."""
        return f"{self.stock}-{self.number}"


class StockLine(NamedTuple):
    """One sort of pieces: `received` is always all the others together.

    Attributes:
        product, unit, value: what each of them is.
        received: how many ever came in.
        on_shelf: can be given.
        offered: wait for who is to have them.
        allotted: belong to an order, and are not handed over yet.
        handed_over, returned, written_off, expired: are gone; what came back of codes is given to nobody else.
    """

    product: str
    unit: str
    value: Decimal
    received: int
    on_shelf: int
    offered: int
    allotted: int
    handed_over: int
    returned: int
    written_off: int
    expired: int


class Holding(NamedTuple):
    """What one custodian has of a sort, and what was counted last.

    Attributes:
        holder: the custodian.
        product, unit, value: what each piece is.
        book: how many the book says that they have now.
        counted: how many somebody counted; None if nobody ever did.
        variance: what was counted less what the book said then.
        counted_by, counted_at: who did, and when.
    """

    holder: str
    product: str
    unit: str
    value: Decimal
    book: int
    counted: int | None = None
    variance: int = 0
    counted_by: str = ""
    counted_at: datetime | None = None


class Offer(NamedTuple):
    """What somebody offers to somebody else, who has not confirmed it yet; `move` is its number."""

    move: int
    by: str
    to: str
    pieces: tuple[Piece, ...]


class StockLot(NamedTuple):
    """A lot of which something is left in stock, and how many pieces."""

    lot: int
    purchase: str
    product: str
    unit: str
    value: Decimal
    expires_on: date | None
    left: int


class Stock(NamedTuple):
    """A stock.

    Attributes:
        id: as it was opened.
        holds: codes, things or nothing.
        hands: how many people confirm that something is handed over.
        lines: each sort that ever came in.
        holdings: by custodian.
        lots: of which something is left.
        offers: what waits to be accepted.
        waiting: the ids of orders that are not handed over yet.
        points: by product, the least that is to be on the shelf.
    """

    id: str
    holds: str
    hands: int
    lines: tuple[StockLine, ...]
    holdings: tuple[Holding, ...]
    lots: tuple[StockLot, ...]
    offers: tuple[Offer, ...]
    waiting: tuple[str, ...]
    points: Mapping[str, int]

    @classmethod
    def of(cls, state: StockState) -> "Stock":
        """Return a stock from its state."""
        return cls(
            state.stock,
            state.holds,
            state.hands,
            tuple(_lines(state)),
            tuple(_holdings(state)),
            tuple(_lots(state)),
            tuple(
                Offer(each.id, each.by, each.to, pieces_of(each.spans, state.lots)) for each in state.moves
            ),
            tuple(each.order for each in state.open),
            dict(state.points),
        )

    @property
    def variances(self) -> tuple[Holding, ...]:
        """Return the counts that differed from the book."""
        return tuple(each for each in self.holdings if each.variance)


class StockAlert(NamedTuple):
    """What somebody is to be told of a stock.

    Attributes:
        stock: which.
        what: `reorder`, `expires`, `expired` or `variance`.
        product: of which it is told.
        text: as a person reads it.
    """

    stock: str
    what: Literal["reorder", "expires", "expired", "variance"]
    product: str
    text: str


class StockAct(NamedTuple):
    """An act on a stock, as the log has it; no code is in it."""

    number: int
    kind: str
    by: str
    recorded_at: datetime
    source: str
    key: str
    reported: Mapping[str, Any]

    @classmethod
    def of(cls, act: Act) -> "StockAct":
        """Return an act from the log, without the prints of codes."""
        reported = {name: value for name, value in act.body.items() if name not in {"prints", "codes"}}
        when = datetime.fromisoformat(act.recorded_at)
        return cls(act.seq, act.kind, act.by, when, act.source, act.key, reported)


def pieces_of(spans: Spans, lots: Sequence[Lot]) -> tuple[Piece, ...]:
    """Return spans as people look at them."""
    known = {each.id: each for each in lots}
    return tuple(
        Piece(
            span.lot,
            range(span.first, span.end),
            *known[span.lot].sort,
            day_of_text(known[span.lot].expires_on),
            span.holder,
        )
        for span in spans
    )


def day_of_text(text: str) -> date | None:
    """Return a day from its text, None from none."""
    return date.fromisoformat(text) if text else None


def _lines(state: StockState) -> Iterator[StockLine]:
    sorts = {each.id: each.sort for each in state.lots}
    for total in state.totals:
        shelf, moves, given = (
            sum(span.size for span in spans if sorts[span.lot] == total.sort)
            for spans in (
                state.shelf,
                [span for each in state.moves for span in each.spans],
                [span for each in state.open for span in each.spans],
            )
        )
        gone = (total.handed_over, total.returned, total.written_off, total.expired)
        yield StockLine(*total.sort, total.received, shelf, moves, given, *gone)


def _holdings(state: StockState) -> Iterator[Holding]:
    sorts = {each.id: each.sort for each in state.lots}
    counts = {(each.holder, each.sort): each for each in state.counts}
    held: set[tuple[str, Sort]] = {(each.holder, sorts[each.lot]) for each in state.in_custody()}
    for holder, sort in sorted(held | set(counts)):
        book, last = state.book(holder, sort), counts.get((holder, sort))
        if last is None:
            yield Holding(holder, *sort, book)
        else:
            at = datetime.fromisoformat(last.at)
            yield Holding(holder, *sort, book, last.counted, last.counted - last.book, last.by, at)


def _lots(state: StockState) -> Iterator[StockLot]:
    for each in state.lots:
        left = sum(span.size for span in state.in_custody() if span.lot == each.id)
        yield StockLot(each.id, each.purchase, *each.sort, day_of_text(each.expires_on), left)


def alerts_of(state: StockState, on: date) -> Iterator[StockAlert]:
    """Yield what somebody is to be told of a stock on a day."""
    good = {each.id: each for each in state.lots if each.is_good(on.isoformat())}
    for product, least in state.points:
        left = sum(
            span.size for span in state.shelf if span.lot in good and good[span.lot].sort.product == product
        )
        if left < least:
            text = f"{state.stock}: {left} of {product} are left, and {least} are to be there; buy more"
            yield StockAlert(state.stock, "reorder", product, text)
    yield from _expiring(state, on)
    for each in Stock.of(state).variances:
        text = (
            f"{state.stock}: {each.holder} has {abs(each.variance)} {'less' if each.variance < 0 else 'more'} of "
            f"{Sort(each.product, each.unit, each.value)} than the book says, as {each.counted_by} counted"
        )
        yield StockAlert(state.stock, "variance", each.product, text)


def _expiring(state: StockState, on: date) -> Iterator[StockAlert]:
    for each in state.lots:
        left = sum(span.size for span in state.shelf if span.lot == each.id)
        last = day_of_text(each.expires_on)
        if left and last and last < on + EXPIRES_SOON:
            is_over = last < on
            told = f"expired on {last}; take them out: expire_stock(...)" if is_over else f"expire on {last}"
            text = f"{state.stock}: {left} of {each.sort.product} ({digits(each.sort.value)} {each.sort.unit}, {each.purchase}) {told}"
            yield StockAlert(state.stock, "expired" if is_over else "expires", each.sort.product, text)
