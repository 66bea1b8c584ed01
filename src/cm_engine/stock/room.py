"""What is looked up of a stock in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cm_engine.errors import ReportError
from cm_engine.journal import Act, Journal, act_of, all_journals
from cm_engine.ports import Transaction
from cm_engine.stock.asking import (
    SOURCE,
    codes_key,
)
from cm_engine.stock.checking import allotments
from cm_engine.stock.codes import (
    refuse_other_key,
)
from cm_engine.stock.kind import STOCK
from cm_engine.stock.picking import first_of, of_sort
from cm_engine.stock.state import (
    CHUNK,
    Lot,
    Sort,
    Spans,
    StockState,
    lot_from,
    spans_from,
)


def stocks_in(tx: Transaction) -> list[str]:
    """Return the ids of all stocks, in their order."""
    return [row.enrollment.removeprefix(STOCK.journal("")) for row in all_journals(tx, STOCK.name)]


def some_of(state: StockState, holder: str, sort: Sort, count: int, lot: int | None) -> Spans:
    """Return so many pieces of a sort that a custodian has on the shelf.

    Raises:
        ReportError: they have not as many.
    """
    found = of_sort(state, holder, sort, lot)
    has = sum(each.size for each in found)
    if has < count:
        of_lot = f" of lot {lot}" if lot is not None else ""
        msg = f"count: {holder!r} has {has} pieces of {sort}{of_lot} on the shelf of stock {state.stock!r}, got {count}"
        raise ReportError(msg)
    return first_of(found, count)


def lots_of(state: StockState, spans: Spans) -> list[Lot]:
    """Return the lots that pieces are of."""
    return [each for each in state.lots if each.id in {span.lot for span in spans}]


def act_by_key(tx: Transaction, stock: str, key: str) -> Act | None:
    """Return the act on a stock whose key is an order's id, None if there is none."""
    row = tx.look_up([], [(SOURCE, key)]).records.get((SOURCE, key))
    return act_of(row) if row and row.enrollment == STOCK.journal(stock) else None


def refuse_known(tx: Transaction, prints: Sequence[str], secret: bytes) -> None:
    """Refuse codes that came in before, into any stock.

    Raises:
        ReportError: one did.
        SecretError: those before were sealed with another key.
    """
    new = {each: place for place, each in enumerate(prints, 1)}
    for stock in stocks_in(tx):
        for act in _sealed_in(tx, stock):
            refuse_other_key(stock, act.body["key"], secret)
            for each in act.body["prints"]:
                if each in new:
                    msg = f"codes: code {new[each]} came in before, into stock {stock!r} by record {act.body['lot']}; nothing is taken in"
                    raise ReportError(msg)


def _sealed_in(tx: Transaction, stock: str) -> list[Act]:
    """Return all acts of a stock with codes."""
    chunks = Journal(STOCK, stock, tx).state().sealed
    keys = [(SOURCE, codes_key(stock, chunk)) for chunk in range(chunks)]
    return [act_of(row) for row in tx.look_up([], keys).records.values()]


def seals_of(tx: Transaction, stock: str, allotted: Act) -> Iterable[str]:
    """Yield the seals of the codes that an order got, in order."""
    lots = {each.id: each for each in map(lot_from, allotted.led_to["lots"])}
    for span in spans_from(allotted.led_to["spans"]):
        for place in range(span.first, span.end):
            act = act_by_key(tx, stock, codes_key(stock, lots[span.lot].chunk + place // CHUNK))
            assert act is not None, "codes come in with their lot"
            yield act.led_to["sealed"][place % CHUNK]


def what_is_back(state: StockState, journal: Journal[StockState], allotted: Act) -> Mapping[str, Any]:
    """Return what comes back of an order: what it has, or had when it was handed over."""
    order = allotted.key
    waits = state.opened(order)
    if waits:
        return {"spans": waits.spans, "lots": lots_of(state, waits.spans)}
    acts = journal.acts()
    spans: Spans = ()
    for act in acts:
        spans = allotments(act).get(order, spans)
    return {"spans": spans, "lots": _lots_in(acts, {each.lot for each in spans})}


def _lots_in(acts: Iterable[Act], lots: set[int]) -> list[Lot]:
    """Return lots as they came in."""
    state: StockState | None = None
    found = {}
    for act in acts:
        state = STOCK.fold(state, act)
        if act.seq in lots:
            found[act.seq] = state.lot(act.seq)
    return list(found.values())


def refuse_other_participant(tx: Transaction, stock: str, orders: Iterable[str], participant: str) -> None:
    """Refuse orders that are not of a participant, or not of a stock.

    Raises:
        ReportError: one is.
    """
    for each in orders:
        found = act_by_key(tx, stock, each)
        if found is None or found.body["recipient"] != participant:
            msg = f"orders: {each} is no order of {participant!r} in stock {stock!r}"
            raise ReportError(msg)
