"""Orders and what they get of a stock: once for ever, until people confirm that it is handed over."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from cm_engine.acts.enrolling import found_enrollment
from cm_engine.errors import ReportError, SecretError
from cm_engine.facade.contacting import Contacting
from cm_engine.gateways import Order
from cm_engine.journal import Act, Asked, Journal, Taken
from cm_engine.keyring import NoKeyring
from cm_engine.log.encoding import instant
from cm_engine.log.history import day_of
from cm_engine.people.rights import SELF
from cm_engine.plain import named, opaque, plain_day
from cm_engine.ports import Transaction
from cm_engine.program.prizes import TradeUp
from cm_engine.stock.asking import (
    asked_of,
    asked_to_allot,
    asked_to_return,
    returned_key,
)
from cm_engine.stock.codes import (
    SUBJECT,
    unseal,
)
from cm_engine.stock.fold import (
    CONFIRMED,
    REVEALED,
    TRADED,
    traded,
)
from cm_engine.stock.kind import STOCK
from cm_engine.stock.picking import one_of, picked
from cm_engine.stock.room import (
    act_by_key,
    lots_of,
    refuse_other_participant,
    seals_of,
    stocks_in,
    what_is_back,
)
from cm_engine.stock.standing import (
    Allotment,
    Status,
    pieces_of,
)
from cm_engine.stock.state import (
    CODES,
    StockState,
    lot_from,
    spans_from,
)

Made = TypeVar("Made")
Decide = Callable[[StockState], Mapping[str, Any]]


class Allotting(Contacting):
    """The part of an engine that gives orders their pieces of a stock."""

    def allot(self, stock: str, order: Order, *, by: str = SELF) -> Allotment:
        """Give an order its pieces, once for ever: the same order has the same ones again.

        A gateway calls it. Pieces are picked whose values come to the amount, as few as can be, first what expires first.

        Args:
            stock: its id.
            order: what is asked for; the address of it is not kept.
            by: who does it.

        Raises:
            OutOfStockError: there is nothing for it now.
            ReportError: nothing that this stock ever had comes to the amount.
            KeyConflictError: the id is that of another order, or of one of another stock.
        """
        day = self._stock_day(None)

        def decide(state: StockState) -> Mapping[str, Any]:
            spans = picked(state, order.amount, order.unit, order.product, day)
            return {"on": day, "spans": spans, "lots": lots_of(state, spans)}

        def take(journal: Journal[StockState], tx: Transaction) -> tuple[Taken[StockState], Act | None]:
            taken = journal.take(asked_to_allot(order, by), decide)
            return taken, act_by_key(tx, stock, returned_key(order.id)) if taken.replayed else None

        taken, returned = self._in_stock(stock, take)
        return self._allotment(stock, taken.act, taken.state, returned)._replace(replayed=taken.replayed)

    def allotment(self, stock: str, order: str) -> Allotment | None:
        """Return what an order got from a stock, and whether it is handed over; None if it got nothing.

        Raises:
            JournalNotFoundError: there is no such stock.
        """

        def look(tx: Transaction) -> Allotment | None:
            state = Journal(STOCK, stock, tx).state()
            act = act_by_key(tx, stock, order)
            returned = act_by_key(tx, stock, returned_key(order))
            return None if act is None else self._allotment(stock, act, state, returned)

        return self._stock_look(look)

    def _allotment(self, stock: str, act: Act, state: StockState, returned: Act | None) -> Allotment:
        """Return what an order got, from its act and where the stock stands."""
        waits, body = state.opened(act.key), act.body
        lots = {each.id: each for each in (*state.lots, *map(lot_from, act.led_to["lots"]))}
        spans = waits.spans if waits else spans_from(act.led_to["spans"])
        status: Status = "returned" if returned else "allotted" if waits else "handed over"
        return Allotment(
            stock,
            act.key,
            act.seq,
            Decimal(body["amount"]),
            body["unit"],
            body["product"],
            body["recipient"],
            pieces_of(spans, list(lots.values())),
            status,
            state.hands - len(waits.confirmed) if waits else 0,
            waits.confirmed if waits else (),
            returned.body["why"] if returned else "",
        )

    def waiting_hand_overs(self, stock: str) -> list[Allotment]:
        """Return what is allotted and not handed over yet: what staff have to do.

        Raises:
            JournalNotFoundError: there is no such stock.
        """

        def look(tx: Transaction) -> list[Allotment]:
            state = Journal(STOCK, stock, tx).state()
            acts = [act_by_key(tx, stock, each.order) for each in state.open]
            return [self._allotment(stock, act, state, None) for act in acts if act]

        return self._stock_look(look)

    def allotted_code(
        self, stock: str, order: str, *, by: str, source: str = "stock", key: str = ""
    ) -> tuple[str, ...]:
        """Return the codes of an order, to whoever hands them over; that they saw them stands in the log.

        Args:
            stock: its id.
            order: the id of the order.
            by: who looks.
            source, key: what makes it the same look; if left out, each is one of its own.

        Raises:
            ReportError: the order has no codes of this stock, or they came back.
            SecretError: the engine has no keys, or others.
            NotAllowedError: they may not.
        """
        secret = self._key_of_stock()

        def look(journal: Journal[StockState], tx: Transaction) -> tuple[str, ...]:
            found = act_by_key(tx, stock, order)
            if found is None or act_by_key(tx, stock, returned_key(order)) or journal.state().holds != CODES:
                msg = f"order: {order} has no codes of stock {stock!r}"
                raise ReportError(msg)
            seals = list(seals_of(tx, stock, found))
            shown = tuple(unseal(each, secret, stock) for each in seals)
            own = key or f"{stock}/{order}/revealed/{journal.state().seq + 1}"
            journal.take(asked_of(REVEALED, {"order": order}, source=source, key=own, by=by))
            return shown

        return self._in_stock(stock, look)

    def confirm_hand_over(
        self, stock: str, order: str, *, by: str, source: str = "stock", key: str = ""
    ) -> Allotment:
        """Confirm that a participant has what an order got; where the stock wants two people, both do.

        Args:
            stock: its id.
            order: the id of the order.
            by: who confirms it.
            source, key: what makes it the same act; if left out, the order and who confirms it.

        Raises:
            NotAllowedError: they confirmed it already, and another person has to; or they may not.
            ReportError: it does not wait for that.
            KeyConflictError: the key was used for something else.
        """
        own = key or f"{stock}/{order}/confirmed/{by}"
        asked = asked_of(CONFIRMED, {"order": named("order", order)}, source=source, key=own, by=by)
        taken = self._stock_taken(stock, asked)
        found = self.allotment(stock, order)
        assert found is not None, "what is confirmed was allotted"
        return found._replace(replayed=taken.replayed)

    def return_stock(self, stock: str, order: str, *, why: str, by: str) -> Allotment:
        """Take back what an order got, once: it was not wanted, or came back after it was handed over.

        Things are on the shelf again, with `by`. Codes are not: somebody may have read them. A payout of the order is
        taken back apart from it, by `dispatcher.cancel` or `refund`.

        Args:
            stock: its id.
            order: the id of the order.
            why: the reason, for the audit.
            by: who takes it back.

        Raises:
            ReportError: it got nothing from this stock.
            KeyConflictError: it came back before, for another reason.
        """
        asked = asked_to_return(order, why, by)

        def take(journal: Journal[StockState], tx: Transaction) -> bool:
            found = act_by_key(tx, stock, order)
            if found is None:
                msg = f"order: {order} got nothing from stock {stock!r}"
                raise ReportError(msg)
            return journal.take(asked, lambda state: what_is_back(state, journal, found)).replayed

        replayed = self._in_stock(stock, take)
        found = self.allotment(stock, order)
        assert found is not None, "what came back was allotted"
        return found._replace(replayed=replayed)

    def trade_up(
        self,
        stock: str,
        orders: Sequence[str],
        *,
        enrollment: str,
        get: str,
        by: str,
        source: str,
        key: str,
    ) -> list[Allotment]:
        """Trade small prizes that a participant has not taken yet for a better one, as the program says.

        The small ones are on the shelf again, and the last order has the better one. What is paid stays as it is.

        Args:
            stock: the id of a stock of things.
            orders: the ids of orders that are not handed over yet, in the order in which they give.
            enrollment: of the participant; its program has the rule: `trade_up` of a bowl.
            get: the prize that they are traded for.
            by, source, key: as for `receive_stock`.

        Raises:
            ReportError: the program has no such rule, or the orders are not all the participant's and waiting.
            ResultsError: there are not enough to give.
            OutOfStockError: there is no such prize now.
            CmEngineError: as `receive_stock`.
        """
        day = self._stock_day(None)

        def take(journal: Journal[StockState], tx: Transaction) -> None:
            trade, participant = self._trade(tx, enrollment, get)
            body = {"orders": list(orders), "trade": trade.model_dump(mode="json")}
            refuse_other_participant(tx, stock, orders, participant)

            def decide(state: StockState) -> Mapping[str, Any]:
                got = one_of(state, get, day)
                after = traded(state, orders, trade, got).orders
                return {"on": day, "got": got, "orders": [(each.order, each.spans) for each in after]}

            journal.take(asked_of(TRADED, body, source=source, key=key, by=by), decide)

        self._in_stock(stock, take)
        return [found for each in orders if (found := self.allotment(stock, each))]

    def _trade(self, tx: Transaction, enrollment: str, get: str) -> tuple[TradeUp, str]:
        """Return the program's rule for a prize, and whose the enrollment is."""
        row = found_enrollment(tx, enrollment)
        program = self._register.current(tx, row).rules.program
        rules = [trade for bowl in program.bowls.values() for trade in bowl.trade_up]
        found = [each for each in rules if each.get == get]
        if len(found) != 1:
            known = ", ".join(f"{each.give} {each.of} for one {each.get}" for each in rules) or "nothing"
            msg = f"get: {program.program} trades {known}; got {get!r}"
            raise ReportError(msg)
        return found[0], row.participant

    def _stock_look(self, work: Callable[[Transaction], Made]) -> Made:
        with self._storage.reading() as tx:
            return work(tx)

    def _stock_state(self, stock: str) -> StockState:
        return self._stock_look(lambda tx: Journal(STOCK, stock, tx).state())

    def _stock_act(self, stock: str, asked: Asked, decide: Decide | None = None) -> StockState:
        return self._stock_taken(stock, asked, decide).state

    def _stock_taken(self, stock: str, asked: Asked, decide: Decide | None = None) -> Taken[StockState]:
        return self._in_stock(stock, lambda journal, _: journal.take(asked, decide))

    def _in_stock(
        self,
        stock: str,
        work: Callable[[Journal[StockState], Transaction], Made],
        *,
        everywhere: bool = False,
    ) -> Made:
        """Do work with the journal of a stock, in a transaction in which nobody else changes it, or any other stock."""
        name = opaque("stock", stock)

        def run(tx: Transaction, now: str, _: bool) -> Made:  # noqa: FBT001 - as it is called
            stocks = {name, *stocks_in(tx)} if everywhere else {name}
            tx.look_up([STOCK.journal(each) for each in sorted(stocks)], [])
            return work(Journal(STOCK, name, tx, now), tx)

        return self._written(run, lock=True)

    def _stock_day(self, on: date | None) -> str:
        """Return a day as text, today if none is given."""
        return plain_day("on", on) if on else day_of(instant(self._now()), self._zone or "UTC")

    def _stock_key(self) -> bytes:
        """Return the key that codes are sealed with, made if there is none."""
        self._key_of_stock()
        return self._keyring.made(SUBJECT)

    def _key_of_stock(self) -> bytes | None:
        if isinstance(self._keyring, NoKeyring):
            msg = "codes are sealed, and the engine has no keys: engine.with_keys(keyring)"
            raise SecretError(msg)
        return self._keyring.key(SUBJECT)
