"""What the acts of a stock come to: a pure fold, and the one place where its rules stand."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from cm_engine.errors import NotAllowedError, ReportError
from cm_engine.journal import Act
from cm_engine.log.encoding import digits
from cm_engine.log.rows import RESERVED
from cm_engine.program.prizes import TradeUp
from cm_engine.rules.prizes import trade_up
from cm_engine.stock.state import (
    CHUNK,
    NOTHING,
    THINGS,
    Count,
    Lot,
    Move,
    Open,
    Sort,
    Span,
    Spans,
    StockState,
    Total,
    lot_from,
    spans_from,
    with_spans,
    without,
)

NAME = "stock"
RECEIVED, SEALED = "received", "sealed"
OFFERED, ACCEPTED, TAKEN_BACK = "offered", "accepted", "taken back"
ALLOTTED, CONFIRMED, RETURNED, REVEALED, TRADED = "allotted", "confirmed", "returned", "revealed", "traded"
COUNTED, WRITTEN_OFF, EXPIRED, POINT = "counted", "written off", "expired", "reorder point"

TWO_PEOPLE, CUSTODY = "stock: two people", "stock: custody"
"""The rules that refuse somebody: another person has to confirm, or only who has the pieces gives or takes them."""


def fold(state: StockState | None, act: Act) -> StockState:
    """Return where a stock stands after an act.

    Raises:
        ReportError: the act is none that a stock takes where it stands.
        NotAllowedError: another person has to do it.
    """
    if state is None:
        stock = act.journal.removeprefix(f"{RESERVED}{NAME}/")
        return StockState(stock, act.body["holds"], act.body["hands"])
    take = CHANGES.get(act.kind)
    if take is None:
        msg = f"a stock takes no act of the kind {act.kind!r}"
        raise ReportError(msg)
    return _pruned(take(state, act)._replace(seq=act.seq))


def _pruned(state: StockState) -> StockState:
    """Return a stock without the lots of which nothing is left."""
    used = {span.lot for span in state.in_custody()}
    return state._replace(lots=tuple(each for each in state.lots if each.id in used))


def _counted_up(state: StockState, lots: Iterable[Lot], spans: Iterable[Span], **changes: int) -> StockState:
    """Return a stock in whose totals pieces came in or went out, as often as a change says of each."""
    sorts = {each.id: each.sort for each in lots}
    totals = {each.sort: each for each in state.totals}
    for span in spans:
        before = totals.get(sorts[span.lot]) or Total(sorts[span.lot])
        told = {name: getattr(before, name) + times * span.size for name, times in changes.items()}
        totals[before.sort] = before._replace(**told)
    return state._replace(totals=tuple(sorted(totals.values())))


def _received(state: StockState, act: Act) -> StockState:
    body = act.body
    if state.holds == NOTHING:
        msg = f"stock: {state.stock!r} holds nothing; what is handed over from it is not counted"
        raise ReportError(msg)
    chunks = 0 if state.holds == THINGS else -(-body["count"] // CHUNK)
    sort = Sort(body["product"], body["unit"], Decimal(body["value"]))
    lot = Lot(act.seq, body["purchase"], sort, body["expires_on"], state.chunks if chunks else -1)
    span = Span(lot.id, 0, body["count"], body["holder"])
    new = _counted_up(state, [lot], [span], received=1)
    return new._replace(
        lots=(*state.lots, lot), shelf=with_spans(state.shelf, [span]), chunks=state.chunks + chunks
    )


def _sealed(state: StockState, act: Act) -> StockState:
    if act.body["chunk"] != state.sealed or state.sealed >= state.chunks:
        msg = f"the codes {act.body['chunk']} are not those that come next, which are {state.sealed} of {state.chunks}"
        raise ReportError(msg)
    return state._replace(sealed=state.sealed + 1)


def _offered(state: StockState, act: Act) -> StockState:
    spans = spans_from(act.led_to["spans"])
    if any(each.holder != act.by for each in spans):
        raise _refused(act, CUSTODY, f"it is with {spans[0].holder}, who has to offer it")
    if act.body["to"] == act.by:
        msg = f"to: {act.by!r} has it already"
        raise ReportError(msg)
    move = Move(act.seq, act.by, act.body["to"], spans)
    return _off_shelf(state, spans)._replace(moves=(*state.moves, move))


def _accepted(state: StockState, act: Act) -> StockState:
    move, rest = _move(state, act)
    if act.by != move.to:
        raise _refused(act, CUSTODY, f"it was offered to {move.to}, who has to confirm it")
    got = (each._replace(holder=move.to) for each in move.spans)
    return state._replace(moves=rest, shelf=with_spans(state.shelf, got))


def _taken_back(state: StockState, act: Act) -> StockState:
    move, rest = _move(state, act)
    if act.by not in {move.by, move.to}:
        raise _refused(act, CUSTODY, f"it goes from {move.by} to {move.to}; one of them ends it")
    return state._replace(moves=rest, shelf=with_spans(state.shelf, move.spans))


def _move(state: StockState, act: Act) -> tuple[Move, tuple[Move, ...]]:
    found = [each for each in state.moves if each.id == act.body["move"]]
    if not found:
        msg = f"move: {act.body['move']} does not wait for anybody in stock {state.stock!r}"
        raise ReportError(msg)
    return found[0], tuple(each for each in state.moves if each is not found[0])


def _allotted(state: StockState, act: Act) -> StockState:
    body, spans = act.body, spans_from(act.led_to["spans"])
    if state.holds != NOTHING:
        _refuse_other_amount(state, body, spans)
    new = _off_shelf(state, spans)
    if not state.hands:
        return _counted_up(new, state.lots, spans, handed_over=1)
    return new._replace(open=(*state.open, Open(act.key, body["recipient"], spans)))


def _refuse_other_amount(state: StockState, body: Mapping[str, object], spans: Spans) -> None:
    sorts = [(state.lot(each.lot).sort, each.size) for each in spans]
    comes_to = sum((sort.value * count for sort, count in sorts), Decimal(0))
    if comes_to != Decimal(str(body["amount"])) or any(sort.unit != body["unit"] for sort, _ in sorts):
        msg = f"the pieces come to {digits(comes_to)}, and the order is over {body['amount']} {body['unit']}"
        raise ReportError(msg)


def _confirmed(state: StockState, act: Act) -> StockState:
    found = _open(state, act.body["order"])
    if act.by in found.confirmed:
        why = f"they have confirmed that {found.order} is handed over; another person has to confirm it too"
        raise _refused(act, TWO_PEOPLE, why)
    now = found._replace(confirmed=(*found.confirmed, act.by))
    if len(now.confirmed) < state.hands:
        return _with_open(state, now)
    closed = state._replace(open=tuple(each for each in state.open if each is not found))
    return _counted_up(closed, state.lots, found.spans, handed_over=1)


def _returned(state: StockState, act: Act) -> StockState:
    order, spans = act.body["order"], spans_from(act.led_to["spans"])
    lots = [lot_from(form) for form in act.led_to["lots"]]
    found = state.opened(order)
    if found and found.spans != spans:
        msg = f"order: {order} has other pieces than those that came back"
        raise ReportError(msg)
    after = state._replace(open=tuple(each for each in state.open if each is not found))
    given_before = 0 if found else -1
    if any(each.is_coded for each in lots):
        return _counted_up(after, lots, spans, returned=1, handed_over=given_before)
    known = {each.id for each in state.lots}
    new = _counted_up(after, lots, spans, handed_over=given_before)
    back = (each._replace(holder=act.by) for each in spans)
    lots_now = (*state.lots, *(each for each in lots if each.id not in known))
    return new._replace(lots=lots_now, shelf=with_spans(state.shelf, back))


def _revealed(state: StockState, _: Act) -> StockState:
    return state


def _counted(state: StockState, act: Act) -> StockState:
    body = act.body
    sort = Sort(body["product"], body["unit"], Decimal(body["value"]))
    book = state.book(body["holder"], sort)
    if act.led_to["book"] != book:
        msg = f"the book says {book}, and not {act.led_to['book']}"
        raise ReportError(msg)
    new = Count(body["holder"], sort, body["counted"], book, act.by, act.recorded_at)
    others = (each for each in state.counts if (each.holder, each.sort) != (new.holder, new.sort))
    return state._replace(counts=tuple(sorted((*others, new))))


def _written_off(state: StockState, act: Act) -> StockState:
    spans = spans_from(act.led_to["spans"])
    return _counted_up(_off_shelf(state, spans), state.lots, spans, written_off=1)


def _expired(state: StockState, act: Act) -> StockState:
    late = {each.id for each in state.lots if not each.is_good(act.body["on"])}
    spans = tuple(each for each in state.shelf if each.lot in late)
    return _counted_up(_off_shelf(state, spans), state.lots, spans, expired=1)


def _reorder_point(state: StockState, act: Act) -> StockState:
    points = {**dict(state.points), act.body["product"]: act.body["least"]}
    return state._replace(points=tuple(sorted(each for each in points.items() if each[1])))


def _traded(state: StockState, act: Act) -> StockState:
    trade = traded(state, act.body["orders"], TradeUp(**act.body["trade"]), spans_from(act.led_to["got"]))
    if {each.order: each.spans for each in trade.orders} != {
        order: spans_from(spans) for order, spans in act.led_to["orders"]
    }:
        msg = "the orders have other pieces after the trade than it leads to"
        raise ReportError(msg)
    for each in trade.orders:
        state = _with_open(state, each)
    return state._replace(shelf=trade.shelf)


class Trade(NamedTuple):
    """What a trade leads to: the orders with what they have then, and the shelf."""

    orders: tuple[Open, ...]
    shelf: Spans


def traded(state: StockState, orders: Iterable[str], trade: TradeUp, got: Spans) -> Trade:
    """Return what it leads to that small prizes of some orders become a better one, which the last order has then.

    Raises:
        ReportError: they are not all allotted to one participant, and not handed over.
        ResultsError: there are not enough to give.
    """
    found = [_open(state, order) for order in orders]
    if state.holds != THINGS or len({each.recipient for each in found}) != 1:
        msg = f"orders: expected prizes of one participant in stock {state.stock!r}"
        raise ReportError(msg)
    products = {each.id: each.sort.product for each in state.lots}
    held = Counter(dict.fromkeys(products.values(), 0))
    for span in (span for each in found for span in each.spans):
        held[products[span.lot]] += span.size
    after = trade_up(trade, held)
    if [products[each.lot] for each in got] != [trade.get] or sum(each.size for each in got) != 1:
        msg = f"a trade gets one {trade.get}"
        raise ReportError(msg)
    back: list[Span] = []
    left = held[trade.of] - after[trade.of]
    for place, each in enumerate(found):
        kept, gone = _split(each.spans, {lot for lot, name in products.items() if name == trade.of}, left)
        back += gone
        left -= sum(span.size for span in gone)
        found[place] = each._replace(spans=kept)
    found[-1] = found[-1]._replace(spans=(*found[-1].spans, *got))
    return Trade(tuple(found), with_spans(_off_shelf(state, got).shelf, back))


def _split(spans: Spans, lots: set[int], count: int) -> tuple[Spans, list[Span]]:
    """Return what is left of spans without so many pieces of some lots, and those pieces."""
    kept, gone = [], []
    for each in spans:
        many = min(count, each.size) if each.lot in lots else 0
        cut = each.first + many
        gone += [each._replace(end=cut)] if many else []
        kept += [each._replace(first=cut)] if cut < each.end else []
        count -= many
    return tuple(kept), gone


def _off_shelf(state: StockState, spans: Spans) -> StockState:
    shelf = state.shelf
    for each in spans:
        shelf = without(shelf, each)
    return state._replace(shelf=shelf)


def _open(state: StockState, order: str) -> Open:
    found = state.opened(order)
    if found is None:
        msg = f"order: {order} does not wait to be handed over from stock {state.stock!r}: it is done, came back, or never was"
        raise ReportError(msg)
    return found


def _with_open(state: StockState, now: Open) -> StockState:
    return state._replace(open=tuple(now if each.order == now.order else each for each in state.open))


def _refused(act: Act, rule: str, why: str) -> NotAllowedError:
    return NotAllowedError(act.by, NAME, act.journal, rule, why)


CHANGES: Mapping[str, Callable[[StockState, Act], StockState]] = {
    RECEIVED: _received,
    SEALED: _sealed,
    OFFERED: _offered,
    ACCEPTED: _accepted,
    TAKEN_BACK: _taken_back,
    ALLOTTED: _allotted,
    CONFIRMED: _confirmed,
    RETURNED: _returned,
    REVEALED: _revealed,
    COUNTED: _counted,
    WRITTEN_OFF: _written_off,
    EXPIRED: _expired,
    POINT: _reorder_point,
    TRADED: _traded,
}
"""What each kind of act makes of a stock."""
