"""Whatever is done with a stock, its book is that of a naive model, every code is given once, and counts add up."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cm_engine import Engine, KeyConflictError, NotAllowedError, ReportError
from cm_engine.errors import OutOfStockError
from cm_engine.gateways import Order, order_id
from cm_engine.keyring import MemoryKeyring
from cm_engine.stock.kind import STOCK
from cm_engine.stock.state import dump, load

PEOPLE = ("ann", "bob")
VALUES = (5, 10, 25)
DAYS = (date(2026, 1, 31), date(2026, 3, 31), None)
HANDS = 2


@dataclass
class Card:
    """A code, as a person with a list of them writes it down."""

    code: str
    value: int
    until: date | None
    holder: str
    place: str = "shelf"
    ever: set[str] = field(default_factory=set)
    """Every order that ever had it."""


class StockMachine(RuleBasedStateMachine):
    """A stock of codes that two people confirm, beside a list of cards."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 1, 5, 18, tzinfo=UTC)
        self.engine = Engine.open("memory:", clock=lambda: self.now).with_keys(MemoryKeyring())
        self.engine.open_stock("north", holds="codes", hands=HANDS, by="ann")
        self.cards: list[Card] = []
        self.orders: dict[str, tuple[str, ...]] = {}
        self.confirmed: dict[str, set[str]] = {}
        self.offers: dict[int, tuple[str, str]] = {}
        self.keys = 0

    def told(self, by: str) -> dict[str, Any]:
        self.keys += 1
        return {"by": by, "source": "office", "key": f"k-{self.keys}"}

    @property
    def today(self) -> date:
        return self.now.date()

    def at(self, place: str) -> list[Card]:
        return [each for each in self.cards if each.place == place]

    @rule(
        value=st.sampled_from(VALUES),
        count=st.integers(1, 7),
        until=st.sampled_from(DAYS),
        by=st.sampled_from(PEOPLE),
    )
    def receive(self, value: int, count: int, until: date | None, by: str) -> None:
        codes = [f"C-{len(self.cards) + each}" for each in range(count)]
        told = {**self.told(by), "purchase": "po", "expires_on": until}
        self.engine.receive_stock("north", product="card", value=Decimal(value), codes=codes, **told)
        self.cards += [Card(code, value, until, by) for code in codes]

    @precondition(lambda self: self.cards)
    @rule(data=st.data())
    def receive_again(self, data: Any) -> None:
        code = data.draw(st.sampled_from(self.cards)).code
        try:
            told = {**self.told("ann"), "purchase": "po"}
            self.engine.receive_stock("north", product="card", value=Decimal(5), codes=["new", code], **told)
        except ReportError:
            return
        raise AssertionError(code)

    @rule(number=st.integers(0, 20), amount=st.integers(1, 12))
    def allot(self, number: int, amount: int) -> None:
        order = Order(order_id("d", number), Decimal(5 * amount), "USD")
        known = self.orders.get(order.id)
        try:
            self.engine.allot("north", order)
        except (OutOfStockError, ReportError):
            assert known is None
            assert not self.comes_to(5 * amount)
            return
        except KeyConflictError:
            assert known is not None  # the same order over another amount
            assert sum(card.value for card in self.cards if card.code in known) != 5 * amount
            return
        if known is None:
            self.take(order.id, 5 * amount)

    def take(self, order: str, amount: int) -> None:
        codes = self.engine.allotted_code("north", order, by="ann")
        cards = [each for each in self.at("shelf") if each.code in codes]
        assert len(cards) == len(codes)  # no code is given that is not on the shelf
        assert sum(each.value for each in cards) == amount
        for each in cards:
            assert not each.ever
            assert each.until is None or each.until >= self.today
            each.place = order
            each.ever.add(order)
        self.orders[order], self.confirmed[order] = codes, set()

    def comes_to(self, amount: int) -> bool:
        """Tell whether some cards come to an amount, by trying all sums."""
        sums = {0}
        for each in self.at("shelf"):
            if each.until is None or each.until >= self.today:
                sums |= {total + each.value for total in sums if total + each.value <= amount}
        return amount in sums

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), by=st.sampled_from(PEOPLE))
    def same_codes_again(self, data: Any, by: str) -> None:
        order = data.draw(st.sampled_from(sorted(self.orders)))
        try:
            assert self.engine.allotted_code("north", order, by=by) == self.orders[order]
        except ReportError:
            assert any(each.place == "returned" and order in each.ever for each in self.cards)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), by=st.sampled_from(PEOPLE))
    def confirm(self, data: Any, by: str) -> None:
        order = data.draw(st.sampled_from(sorted(self.orders)))
        waits = bool(self.at(order))
        try:
            done = self.engine.confirm_hand_over("north", order, **self.told(by))
        except NotAllowedError:
            assert by in self.confirmed[order]
            return
        except ReportError:
            assert not waits
            return
        assert waits
        assert by not in self.confirmed[order]
        self.confirmed[order].add(by)
        assert done.waits_for == HANDS - len(self.confirmed[order])
        if len(self.confirmed[order]) == HANDS:
            for each in self.at(order):
                each.place = "handed over"

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), by=st.sampled_from(PEOPLE))
    def give_back(self, data: Any, by: str) -> None:
        order = data.draw(st.sampled_from(sorted(self.orders)))
        self.engine.return_stock("north", order, why="not wanted", by=by)
        for each in self.cards:
            if order in each.ever:
                each.place = "returned"

    @rule(value=st.sampled_from(VALUES), count=st.integers(1, 5), by=st.sampled_from(PEOPLE))
    def offer(self, value: int, count: int, by: str) -> None:
        to = "bob" if by == "ann" else "ann"
        has = [each for each in self.at("shelf") if (each.value, each.holder) == (value, by)]
        told = {"product": "card", "value": Decimal(value), "count": count, "to": to, **self.told(by)}
        try:
            done = self.engine.move_custody("north", **told)
        except ReportError:
            assert len(has) < count
            return
        assert len(has) >= count
        has.sort(key=lambda each: (each.until or date.max, self.cards.index(each)))
        for each in has[:count]:
            each.place = f"offer {done.move}"
        self.offers[done.move] = (by, to)

    @precondition(lambda self: self.offers)
    @rule(data=st.data(), by=st.sampled_from(PEOPLE), accepted=st.booleans())
    def end(self, data: Any, by: str, accepted: bool) -> None:
        move = data.draw(st.sampled_from(sorted(self.offers)))
        told = self.told(by)
        try:
            if accepted:
                self.engine.accept_custody("north", move, **told)
            else:
                self.engine.end_offer("north", move, why="no", **told)
        except NotAllowedError:
            assert accepted
            assert by == self.offers[move][0]
            return
        for each in self.at(f"offer {move}"):
            each.place, each.holder = "shelf", by if accepted else each.holder
        del self.offers[move]

    @precondition(lambda self: self.at("shelf"))
    @rule(data=st.data())
    def lose(self, data: Any) -> None:
        card = data.draw(st.sampled_from(self.at("shelf")))
        lots = {each.lot: each for each in self.engine.stock("north").lots}
        places = self.place_of(card)
        assert places[0] in lots
        told = {"lot": places[0], "first": places[1], "holder": card.holder, "count": 1, "why": "lost"}
        self.engine.write_off("north", **told, **self.told("ann"))
        card.place = "written off"

    def place_of(self, card: Card) -> tuple[int, int]:
        """Return the lot and the place of a card: lots came in one after another."""
        first = 0
        for act in self.engine.stock_history("north"):
            if act.kind == "received":
                if first <= self.cards.index(card) < first + act.reported["count"]:
                    return act.number, self.cards.index(card) - first
                first += act.reported["count"]
        raise AssertionError(card)

    @rule(day=st.sampled_from(((1, 31), (2, 1), (3, 31), (4, 1))))
    def expire(self, day: tuple[int, int]) -> None:
        self.now = max(self.now, datetime(2026, *day, 12, tzinfo=UTC))
        self.engine.expire_stock("north")
        for each in self.at("shelf"):
            if each.until and each.until < self.today:
                each.place = "expired"

    @rule(holder=st.sampled_from(PEOPLE), value=st.sampled_from(VALUES), off=st.integers(-1, 1))
    def count(self, holder: str, value: int, off: int) -> None:
        counted = max(0, self.held(holder, value) + off)
        told: dict[str, Any] = {
            "holder": holder,
            "product": "card",
            "value": Decimal(value),
            "counted": counted,
        }
        stock = self.engine.count_stock("north", **told, **self.told("ann"))
        found = [each for each in stock.holdings if (each.holder, each.value) == (holder, Decimal(value))]
        assert [each.variance for each in found] == [counted - self.held(holder, value)]

    def held(self, holder: str, value: int) -> int:
        gone = {"handed over", "returned", "written off", "expired"}
        cards = [each for each in self.cards if (each.holder, each.value) == (holder, value)]
        return sum(each.place not in gone for each in cards)

    @invariant()
    def the_book_is_that_of_the_list(self) -> None:
        for line in self.engine.stock("north").lines:
            cards = [each.place for each in self.cards if each.value == line.value]
            gone = [line.handed_over, line.returned, line.written_off, line.expired]
            assert gone == [
                cards.count(each) for each in ("handed over", "returned", "written off", "expired")
            ]
            assert line.on_shelf == cards.count("shelf")
            assert line.offered == sum(each.startswith("offer") for each in cards)
            assert line.received == len(cards) == line.on_shelf + line.offered + line.allotted + sum(gone)

    @invariant()
    def what_people_have_adds_up(self) -> None:
        for each in self.engine.stock("north").holdings:
            assert each.book == self.held(each.holder, int(each.value))

    def teardown(self) -> None:
        assert self.engine.verify().is_clean
        with self.engine._storage.reading() as tx:  # noqa: SLF001 - the state as it is stored
            text = tx.look_up([STOCK.journal("north")], []).standings[STOCK.journal("north")].state
        assert dump(load(text)) == text


TestStockMachine = StockMachine.TestCase
TestStockMachine.settings = settings(max_examples=30, stateful_step_count=40)
