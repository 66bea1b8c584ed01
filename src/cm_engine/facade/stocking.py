"""Stocks in an engine: what came in, who has it, and what people counted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from cm_engine.errors import ReportError
from cm_engine.facade.allotting import Allotting
from cm_engine.journal import Asked, Journal, Taken
from cm_engine.people.rights import SELF
from cm_engine.plain import named, one_line, opaque
from cm_engine.ports import Transaction
from cm_engine.sealing import key_id
from cm_engine.stock.asking import (
    SOURCE,
    asked_of,
    asked_to_open,
    asked_to_receive,
    asked_to_seal,
    plain_sort,
    whole,
)
from cm_engine.stock.codes import (
    chunked,
    plain_codes,
    print_of,
    print_of_all,
    seal,
)
from cm_engine.stock.fold import (
    ACCEPTED,
    COUNTED,
    EXPIRED,
    OFFERED,
    POINT,
    TAKEN_BACK,
    WRITTEN_OFF,
)
from cm_engine.stock.kind import STOCK
from cm_engine.stock.room import refuse_known, some_of, stocks_in
from cm_engine.stock.standing import (
    Offer,
    Stock,
    StockAct,
    StockAlert,
    alerts_of,
    pieces_of,
)
from cm_engine.stock.state import (
    CODES,
    Lot,
    Sort,
    StockState,
    spans_from,
)

Made = TypeVar("Made")
Decide = Callable[[StockState], Mapping[str, Any]]


class Stocking(Allotting):
    """The part of an engine that keeps gift-card codes and prizes: from their purchase to the hand of a participant.

    Example:
        >>> from cm_engine import Engine
        >>> from cm_engine.gateways import Order
        >>> from cm_engine.keyring import MemoryKeyring
        >>> engine = Engine.open("memory:").with_keys(MemoryKeyring())
        >>> told = {"by": "boss-1", "source": "office"}
        >>> _ = engine.open_stock("north", holds="codes", by="boss-1")
        >>> stock = engine.receive_stock(
        ...     "north", product="grocer", value=Decimal("25.00"), codes=["A1-4711", "A1-4712"], purchase="po-9", key="r-1", **told
        ... )
        >>> got = engine.allot("north", Order("4b0e7f0a-7a06-4d6c-9b39-1d5a6f3c1a01", Decimal(25), "USD"))
        >>> engine.allotted_code("north", got.order, by="nurse-7")
        ('A1-4711',)
        >>> engine.confirm_hand_over("north", got.order, by="nurse-7").status
        'handed over'
    """

    def open_stock(
        self, stock: str, *, holds: str, hands: int = 1, by: str, source: str = "stock", key: str = ""
    ) -> Stock:
        """Open a stock.

        Args:
            stock: its id: that of a site, or another opaque name.
            holds: codes, which are sealed; things, which are all alike; or nothing, where staff hand over what is not
                counted here.
            hands: how many people confirm that something is handed over: 0 where it is given as soon as it is
                allotted, 1, or 2 different ones.
            by: who opens it.
            source: who gives the key.
            key: what makes it the same opening; if left out, the id of the stock.

        Raises:
            ReportError: something is missing, or it was opened under another key.
            KeyConflictError: it was opened otherwise.
        """
        asked = asked_to_open(holds, hands, source=source, key=key or f"{stock}/opened", by=by)
        return Stock.of(self._in_stock(stock, lambda journal, _: journal.open(asked).state))

    def stock(self, stock: str) -> Stock:
        """Return a stock: counts by sort and by custodian, lots, offers, and orders that wait.

        Raises:
            JournalNotFoundError: it was never opened.
        """
        return Stock.of(self._stock_state(stock))

    def stocks(self) -> list[Stock]:
        """Return all stocks, in the order of their ids."""
        return self._stock_look(
            lambda tx: [Stock.of(Journal(STOCK, each, tx).state()) for each in stocks_in(tx)]
        )

    def stock_alerts(self, stock: str = "", *, on: date | None = None) -> list[StockAlert]:
        """Return what somebody is to be told: what is to be bought, what expires within 30 days, and what is missing.

        Args:
            stock: its id; left out, all.
            on: the day; left out, today.
        """
        day = date.fromisoformat(self._stock_day(on))
        states = (
            [self._stock_state(stock)] if stock else [self._stock_state(each.id) for each in self.stocks()]
        )
        return [alert for state in states for alert in alerts_of(state, day)]

    def stock_history(self, stock: str) -> list[StockAct]:
        """Return every act on a stock, in order; no code is in it.

        Raises:
            JournalNotFoundError: it was never opened.
        """
        return self._stock_look(lambda tx: list(map(StockAct.of, Journal(STOCK, stock, tx).acts())))

    def receive_stock(
        self,
        stock: str,
        *,
        product: str,
        value: Decimal,
        unit: str = "USD",
        codes: Iterable[str] | None = None,
        count: int | None = None,
        purchase: str,
        expires_on: date | None = None,
        holder: str = "",
        by: str,
        source: str,
        key: str,
    ) -> Stock:
        """Take a lot in: codes, which are sealed at once, or so many things.

        A code that came in before, into any stock of this engine, is refused with all of its lot.

        Args:
            stock: its id.
            product: what each piece is: a card's brand, a category of prizes.
            value: of each piece, exact.
            unit: of the value: a currency, or a thing that programs award.
            codes: of a stock of codes, in the order in which they are given.
            count: of a stock of things, how many.
            purchase: where it was bought: the number of an order or of a bill.
            expires_on: the last day on which a piece is good; left out, for ever.
            holder: who has it now; left out, `by`.
            by: who takes it in.
            source, key: what makes it the same lot, however often it is asked for.

        Raises:
            JournalNotFoundError: there is no such stock.
            ReportError: a code came in before, or something is missing; no error repeats a code.
            SecretError: the engine has no keys, or others than the stock's codes were sealed with.
            KeyConflictError: the key was used for something else.
        """
        state, sort = self._stock_state(stock), plain_sort(product, unit, value)
        told = {"purchase": purchase, "expires_on": expires_on, "holder": holder, "source": source}
        if state.holds == CODES:
            return self._receive_codes(
                stock, sort, _codes(stock, codes, count), {**told, "key": key, "by": by}
            )
        if codes is not None or count is None:
            msg = f"count: stock {stock!r} holds {state.holds}; say how many came in, and no codes"
            raise ReportError(msg)
        asked = asked_to_receive(sort, count, codes="", key=key, by=by, **told)  # type: ignore[arg-type]
        return Stock.of(self._stock_act(stock, asked))

    def _receive_codes(
        self, stock: str, sort: Sort, codes: tuple[str, ...], told: Mapping[str, Any]
    ) -> Stock:
        secret = self._stock_key()
        prints = [print_of(each, secret) for each in codes]
        seals = [seal(each, secret, stock) for each in codes]
        asked = asked_to_receive(sort, len(codes), codes=print_of_all(prints), **told)

        def take(journal: Journal[StockState], tx: Transaction) -> StockState:
            if journal.known(asked) is None:
                refuse_known(tx, prints, secret)
            taken = journal.take(asked)
            return taken.state if taken.replayed else _sealed(journal, taken, prints, seals, key_id(secret))

        return Stock.of(self._in_stock(stock, take, everywhere=True))

    def set_reorder_point(
        self, stock: str, product: str, least: int, *, by: str, source: str, key: str
    ) -> Stock:
        """Say how many pieces of a product are to be on the shelf at least; `stock_alerts` tells if there are fewer.

        Args:
            least: as many; 0 for no such alert.
            stock, product, by, source, key: as for `receive_stock`.

        Raises:
            CmEngineError: as `receive_stock`.
        """
        body = {"product": one_line("product", product), "least": whole("least", least)}
        return Stock.of(self._stock_act(stock, asked_of(POINT, body, source=source, key=key, by=by)))

    def move_custody(
        self,
        stock: str,
        *,
        product: str,
        value: Decimal,
        unit: str = "USD",
        count: int,
        to: str,
        lot: int | None = None,
        by: str,
        source: str,
        key: str,
    ) -> Offer:
        """Offer pieces to another custodian, who has them once they confirm it: `accept_custody`.

        Until then they are given to nobody.

        Args:
            product, unit, value: what each piece is.
            count: how many.
            to: who is to have them.
            lot: of which lot; left out, what expires first.
            by: who has them, and offers them.
            stock, source, key: as for `receive_stock`.

        Returns:
            The offer; its `move` is what `accept_custody` asks for.

        Raises:
            ReportError: they have not as many on the shelf.
            CmEngineError: as `receive_stock`.
        """
        sort = plain_sort(product, unit, value)
        body = {**sort._asdict(), "count": whole("count", count, 1), "to": opaque("to", to), "lot": lot}
        asked = asked_of(OFFERED, body, source=source, key=key, by=by)
        taken = self._stock_taken(stock, asked, lambda state: {"spans": some_of(state, by, sort, count, lot)})
        spans = spans_from(taken.act.led_to["spans"])
        lots = [Lot(each.lot, "", sort, "", -1) for each in spans]
        found = {each.id: each for each in (*lots, *taken.state.lots)}
        return Offer(taken.act.seq, by, to, pieces_of(spans, list(found.values())))

    def accept_custody(self, stock: str, move: int, *, by: str, source: str, key: str) -> Stock:
        """Confirm that one has what was offered.

        Args:
            move: its number.
            by: to whom it was offered.
            stock, source, key: as for `receive_stock`.

        Raises:
            NotAllowedError: it was offered to somebody else.
            ReportError: nothing waits under this number.
            CmEngineError: as `receive_stock`.
        """
        return Stock.of(
            self._stock_act(stock, asked_of(ACCEPTED, {"move": move}, source=source, key=key, by=by))
        )

    def end_offer(self, stock: str, move: int, *, why: str, by: str, source: str, key: str) -> Stock:
        """Take an offer back, or refuse it: the pieces stay with who offered them.

        Args:
            why: the reason, for the audit.
            by: who offered it, or to whom it was offered.
            stock, move, source, key: as for `accept_custody`.

        Raises:
            CmEngineError: as `accept_custody`.
        """
        body = {"move": move, "why": one_line("why", why)}
        return Stock.of(self._stock_act(stock, asked_of(TAKEN_BACK, body, source=source, key=key, by=by)))

    def count_stock(
        self,
        stock: str,
        *,
        holder: str,
        product: str,
        value: Decimal,
        unit: str = "USD",
        counted: int,
        by: str,
        source: str,
        key: str,
    ) -> Stock:
        """Write down what somebody counted by hand, beside what the book says.

        Counted is all that lies with a custodian: on the shelf, offered, or allotted and not handed over. A count
        changes nothing of the book: what is missing is written off, by somebody, for a reason.

        Args:
            holder: with whom.
            product, unit, value: what each piece is.
            counted: how many there are.
            by: who counted; best another person.
            stock, source, key: as for `receive_stock`.

        Raises:
            CmEngineError: as `receive_stock`.
        """
        sort = plain_sort(product, unit, value)
        body = {**sort._asdict(), "holder": opaque("holder", holder), "counted": whole("counted", counted)}
        asked = asked_of(COUNTED, body, source=source, key=key, by=by)
        return Stock.of(self._stock_act(stock, asked, lambda state: {"book": state.book(holder, sort)}))

    def write_off(
        self,
        stock: str,
        *,
        lot: int,
        holder: str,
        count: int,
        first: int | None = None,
        why: str,
        by: str,
        source: str,
        key: str,
    ) -> Stock:
        """Take pieces out of the book that are lost, stolen or spoiled; they are given to nobody any more.

        Args:
            lot: its number.
            holder: with whom they were.
            count: how many.
            first: the place of the first one in its lot, from 0; left out, those that would be given next.
            why: the reason, for the audit.
            stock, by, source, key: as for `receive_stock`.

        Raises:
            ReportError: they are not on the shelf with this custodian.
            CmEngineError: as `receive_stock`.
        """
        place = None if first is None else whole("first", first)
        body = {
            "lot": lot,
            "holder": opaque("holder", holder),
            "count": whole("count", count, 1),
            "first": place,
            "why": one_line("why", why),
        }

        def spans(state: StockState) -> Mapping[str, Any]:
            if first is None:
                return {"spans": some_of(state, holder, state.lot(lot).sort, count, lot)}
            return {"spans": [(lot, first, first + count, holder)]}

        return Stock.of(
            self._stock_act(stock, asked_of(WRITTEN_OFF, body, source=source, key=key, by=by), spans)
        )

    def expire_stock(self, stock: str, *, on: date | None = None, by: str = SELF) -> Stock:
        """Take out of the book what has expired by a day; nothing if nothing has.

        Args:
            stock: its id.
            on: the day; left out, today: what was good until the day before is taken out.
            by: who says so.

        Raises:
            CmEngineError: as `receive_stock`.
        """
        day = self._stock_day(on)

        def take(journal: Journal[StockState], _: Transaction) -> StockState:
            state = journal.state()
            late = {each.id for each in state.lots if not each.is_good(day)}
            if not any(each.lot in late for each in state.shelf):
                return state
            key = f"{stock}/expired/{state.seq + 1}"
            return journal.take(Asked(EXPIRED, SOURCE, key, named("by", by), {"on": day})).state

        return Stock.of(self._in_stock(stock, take))


def _codes(stock: str, codes: Iterable[str] | None, count: int | None) -> tuple[str, ...]:
    if codes is None or isinstance(codes, str) or count is not None:
        msg = f"codes: stock {stock!r} holds codes; give a list of them, and no count"
        raise ReportError(msg)
    return plain_codes(codes)


def _sealed(
    journal: Journal[StockState],
    lot: Taken[StockState],
    prints: Sequence[str],
    seals: Sequence[str],
    key: str,
) -> StockState:
    """Write the codes of a lot that came in, as many in an act as stand in one."""
    state = lot.state
    for place, some in enumerate(chunked(prints)):
        chunk = state.lot(lot.act.seq).chunk + place
        asked = asked_to_seal(state.stock, chunk, lot.act, some, key)
        state = journal.take(asked, partial(_with_seals, chunked(seals)[place])).state
    return state


def _with_seals(seals: Sequence[str], _: StockState) -> Mapping[str, Any]:
    return {"sealed": list(seals)}
