"""What an audit looks at beside the fold: that every code came in once, and went to one order only."""

from collections.abc import Iterator, Mapping, Sequence

from cm_engine.acts.register import Register
from cm_engine.journal import Act
from cm_engine.ports import Transaction
from cm_engine.stock.fold import ALLOTTED, RECEIVED, RETURNED, SEALED, TRADED
from cm_engine.stock.state import CHUNK, Spans, spans_from

Differs = tuple[str, str]


def check(_tx: Transaction, _register: Register, acts: Sequence[Act]) -> Iterator[Differs]:
    """Yield where a stock has a code twice, gave a piece twice, or took back what it had not given."""
    yield from _codes(acts)
    yield from _pieces(acts)


def _codes(acts: Sequence[Act]) -> Iterator[Differs]:
    """Yield where codes are missing after their lot came in, or came in before."""
    seen: dict[str, int] = {}
    for act in acts:
        if act.kind == RECEIVED and act.body["codes"]:
            yield from _missing(act, acts)
        elif act.kind == SEALED:
            for each in act.body["prints"]:
                if each in seen:
                    yield f"record {act.seq}", f"a code of it came in by record {seen[each]} before"
                seen[each] = act.seq


def _missing(lot: Act, acts: Sequence[Act]) -> Iterator[Differs]:
    count = lot.body["count"]
    chunks = acts[lot.seq + 1 : lot.seq + 1 - (-count // CHUNK)]
    codes = [
        len(each.led_to["sealed"])
        for each in chunks
        if each.kind == SEALED
        and each.body["lot"] == lot.seq
        and len(each.body["prints"]) == len(each.led_to["sealed"])
    ]
    if sum(codes) != count:
        yield f"record {lot.seq}", f"it is of {count} codes, and {sum(codes)} came in"


def _pieces(acts: Sequence[Act]) -> Iterator[Differs]:
    """Yield where a code went to a second order, or an order gave back what it had not."""
    coded = {act.seq for act in acts if act.kind == RECEIVED and act.body["codes"]}
    given: dict[tuple[int, int], str] = {}
    held: dict[str, Spans] = {}
    for act in acts:
        for order, spans in allotments(act).items():
            held[order] = spans
            for piece in _of(spans, coded):
                if given.setdefault(piece, order) != order:
                    yield (
                        f"record {act.seq}",
                        f"code {piece[1]} of lot {piece[0]} went to {given[piece]} before",
                    )
        if act.kind == RETURNED:
            yield from _came_back(act, held)


def _came_back(act: Act, held: Mapping[str, Spans]) -> Iterator[Differs]:
    order, spans = act.body["order"], spans_from(act.led_to["spans"])
    if held.get(order) != spans:
        yield f"record {act.seq}", f"order {order} gives back {spans}, and it has {held.get(order)}"


def allotments(act: Act) -> dict[str, Spans]:
    """Return what orders have after an act which gives them something; nothing of any other."""
    if act.kind == ALLOTTED:
        return {act.key: spans_from(act.led_to["spans"])}
    if act.kind == TRADED:
        return {order: spans_from(spans) for order, spans in act.led_to["orders"]}
    return {}


def _of(spans: Spans, coded: set[int]) -> Iterator[tuple[int, int]]:
    for each in spans:
        if each.lot in coded:
            yield from ((each.lot, place) for place in range(each.first, each.end))
