"""A stock is counted from the purchase to the hand: every code is given once, and who had it when can be told."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cm_engine import Engine, KeyConflictError, NotAllowedError, ReportError, SecretError, parse_program
from cm_engine.errors import JournalNotFoundError, OutOfStockError, ResultsError
from cm_engine.gateways import Order, order_id
from cm_engine.keyring import FileKeyring, MemoryKeyring
from cm_engine.stock.standing import Stock, StockLine

MORNING = datetime(2026, 1, 5, 18, tzinfo=UTC)
GROCER, VALUE = "grocer", Decimal("25.00")
HOST_KEY = bytes(range(32))


class Room:
    """An engine with a stock, and a clock that stands still until it is put forward."""

    def __init__(self, url: str, **given: Any) -> None:
        self.now = MORNING
        self.keyring = MemoryKeyring()
        told: dict[str, Any] = {"secret": bytes(32), "clock": lambda: self.now, "zone": "America/Los_Angeles"}
        self.engine = Engine.open(url, **told, **given)
        self.engine.with_keys(self.keyring)
        self.keys = 0

    def told(self, by: str = "boss-1") -> dict[str, Any]:
        self.keys += 1
        return {"by": by, "source": "office", "key": f"k-{self.keys}"}

    def codes(self, hands: int = 1, stock: str = "north") -> None:
        self.engine.open_stock(stock, holds="codes", hands=hands, by="boss-1")

    def cabinet(self, hands: int = 1) -> None:
        self.engine.open_stock("cabinet", holds="things", hands=hands, by="boss-1")

    def receive(
        self, *codes: str, value: Decimal = VALUE, stock: str = "north", product: str = GROCER, **given: Any
    ) -> Stock:
        told = {**self.told(), "purchase": "po-1", **given}
        return self.engine.receive_stock(stock, product=product, value=value, codes=codes, **told)

    def prizes(self, product: str, value: str, count: int, **given: Any) -> Stock:
        told = {**self.told(), "purchase": "po-2", **given}
        return self.engine.receive_stock(
            "cabinet", product=product, value=Decimal(value), count=count, **told
        )

    def line(self, stock: str = "north", product: str = GROCER) -> StockLine:
        [line] = [each for each in self.engine.stock(stock).lines if each.product == product]
        return line

    def count(self, counted: int, holder: str = "boss-1", by: str = "audit-1") -> Stock:
        return self.engine.count_stock(
            "north", holder=holder, product=GROCER, value=VALUE, counted=counted, **self.told(by)
        )

    def offer(self, count: int, to: str, by: str = "boss-1", **given: Any) -> int:
        return self.engine.move_custody(
            "north", product=GROCER, value=VALUE, count=count, to=to, **{**self.told(by), **given}
        ).move


def order(number: int, amount: str = "25.00", **given: Any) -> Order:
    return Order(order_id("a decision", number), Decimal(amount), "USD", **{"recipient": "p-1", **given})


def is_balanced(line: StockLine) -> bool:
    received, *parts = line[3:]
    return received == sum(parts)


@pytest.fixture(params=["memory", "sqlite"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    made = Room("memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'clinic.db'}")
    yield made
    found = made.engine.verify()
    assert found.is_clean, found
    for stock in made.engine.stocks():
        assert all(map(is_balanced, stock.lines))
    made.engine.close()


# Coming in


def test_a_lot_of_codes_comes_in_once_however_often_it_is_told(room: Room) -> None:
    room.codes()
    for _ in range(3):
        told: dict[str, Any] = {"by": "boss-1", "source": "office", "key": "r-1"}
        stock = room.receive("A-1", "A-2", "A-3", **told)
    assert (room.line().received, room.line().on_shelf) == (3, 3)
    assert [(each.purchase, each.left) for each in stock.lots] == [("po-1", 3)]
    with pytest.raises(KeyConflictError):
        room.receive("A-1", "A-2", "B-3", **told)


def test_a_code_that_came_in_before_is_refused_with_its_lot_and_not_repeated(room: Room) -> None:
    room.codes()
    room.codes(stock="south")
    room.receive("A-1", "A-2")
    for stock in ("north", "south"):
        with pytest.raises(ReportError, match="code 2 came in before, into stock 'north'") as refused:
            room.receive("B-1", "A-2", stock=stock)
        assert "A-2" not in str(refused.value)
    assert room.line().received == 2
    assert room.engine.stock("south").lines == ()


def test_a_code_that_was_given_away_long_ago_is_refused_all_the_same(room: Room) -> None:
    room.codes(hands=0)
    room.receive("A-1")
    room.engine.allot("north", order(1))
    with pytest.raises(ReportError, match="came in before"):
        room.receive("A-1")


def test_a_code_twice_in_a_lot_or_of_two_lines_is_refused_and_not_repeated(room: Room) -> None:
    room.codes()
    for codes, words in (
        (("A-1", "B", "A-1"), "code 3 is the same as code 1"),
        (("A-1", "B\nC"), "code 2 is no"),
    ):
        with pytest.raises(ReportError, match=words) as refused:
            room.receive(*codes)
        assert "A-1" not in str(refused.value)
    with pytest.raises(ReportError, match="count: expected a whole number from 1"):
        room.receive()


@pytest.mark.parametrize("given", [{"count": 2}, {"codes": "A-1"}, {"codes": None}])
def test_a_stock_of_codes_takes_codes_and_no_number(room: Room, given: dict[str, Any]) -> None:
    room.codes()
    told = {**room.told(), "purchase": "po-1", "codes": ["A-1"], **given}
    with pytest.raises(ReportError, match="codes: stock 'north' holds codes"):
        room.engine.receive_stock("north", product=GROCER, value=VALUE, **told)


def test_a_stock_of_things_takes_a_number_and_one_that_holds_nothing_takes_nothing(room: Room) -> None:
    room.cabinet()
    with pytest.raises(ReportError, match="count: stock 'cabinet' holds things"):
        room.receive("A-1", stock="cabinet")
    room.engine.open_stock("desk", holds="nothing", hands=2, by="boss-1")
    with pytest.raises(ReportError, match="'desk' holds nothing"):
        room.engine.receive_stock(
            "desk", product="cash", value=VALUE, count=3, purchase="po-1", **room.told()
        )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"value": Decimal("0.001")}, "value: expected a Decimal"),
        ({"value": Decimal(0)}, "value: expected a Decimal"),
        ({"value": 25}, "value: expected a Decimal"),
        ({"product": ""}, "product: expected text"),
        ({"purchase": ""}, "purchase: expected text"),
        ({"holder": "Ann Lee"}, "holder: has a blank"),
        ({"expires_on": MORNING}, "expires_on: expected a date"),
    ],
)
def test_what_says_nothing_or_too_much_is_refused(room: Room, given: dict[str, Any], words: str) -> None:
    room.codes()
    with pytest.raises(ReportError, match=words):
        room.receive("A-1", **given)
    assert room.engine.stock("north").lines == ()


def test_a_stock_is_opened_once_and_otherwise_not_there(room: Room) -> None:
    with pytest.raises(JournalNotFoundError, match="open_stock"):
        room.receive("A-1")
    room.codes()
    room.codes()
    with pytest.raises(KeyConflictError):
        room.codes(hands=2)
    for wrong in ({"holds": "cards"}, {"holds": "codes", "hands": 3}, {"holds": "codes", "hands": True}):
        with pytest.raises(ReportError, match="expected"):
            room.engine.open_stock("other", by="boss-1", **wrong)


# Given once


def test_an_order_has_its_code_once_for_ever(room: Room) -> None:
    room.codes()
    room.receive("A-1", "A-2")
    first = room.engine.allot("north", order(1))
    again = room.engine.allot("north", order(1))
    assert (first.pieces, first.replayed, again.replayed) == (again.pieces, False, True)
    assert room.engine.allotted_code("north", first.order, by="nurse-7") == ("A-1",)
    assert room.engine.allotted_code("north", first.order, by="nurse-8") == ("A-1",)
    assert (room.line().on_shelf, room.line().allotted) == (1, 1)
    with pytest.raises(KeyConflictError):
        room.engine.allot("north", order(1, "50.00"))


def test_one_order_is_of_one_stock_only(room: Room) -> None:
    for stock, code in (("north", "A-1"), ("south", "B-1")):
        room.codes(stock=stock)
        room.receive(code, stock=stock)
    room.engine.allot("north", order(1))
    with pytest.raises(KeyConflictError):
        room.engine.allot("south", order(1))
    assert room.engine.allotment("south", order(1).id) is None


def test_what_is_gone_is_told_and_what_never_was_too(room: Room) -> None:
    room.codes()
    with pytest.raises(OutOfStockError, match="nothing left for 25 USD; buy more"):
        room.engine.allot("north", order(1))
    room.receive("A-1")
    room.engine.allot("north", order(1))
    with pytest.raises(OutOfStockError, match="nothing left for 25 USD"):
        room.engine.allot("north", order(2))
    with pytest.raises(ReportError, match=r"pieces of 25 USD, which do not come to 11\.5 USD"):
        room.engine.allot("north", order(2, "11.50"))
    with pytest.raises(OutOfStockError, match="nothing left for pharmacy 25 USD"):
        room.engine.allot("north", order(2, product="pharmacy"))


def test_codes_make_up_an_amount_with_as_few_as_can_be(room: Room) -> None:
    room.codes()
    room.receive("T-1", "T-2", "T-3", "T-4", value=Decimal(10))
    room.receive("F-1", "F-2", value=Decimal(25))
    room.receive("S-1", value=Decimal(5))
    told = {}
    for number, amount in enumerate(("35", "20", "30")):
        room.engine.allot("north", order(number, amount))
        told[amount] = room.engine.allotted_code("north", order(number).id, by="nurse-7")
    assert told == {"35": ("F-1", "T-1"), "20": ("T-2", "T-3"), "30": ("F-2", "S-1")}


def test_a_product_that_was_asked_for_is_the_one_that_is_given(room: Room) -> None:
    room.codes()
    room.receive("A-1")
    room.receive("P-1", product="pharmacy")
    found = room.engine.allot("north", order(1, product="pharmacy"))
    assert [each.product for each in found.pieces] == ["pharmacy"]


def test_what_expires_first_goes_first_and_what_has_expired_goes_to_nobody(room: Room) -> None:
    room.codes()
    room.receive("L-1", expires_on=date(2026, 6, 30))
    room.receive("E-1", "E-2", expires_on=date(2026, 1, 31))
    room.receive("N-1")
    given: list[str] = []
    last_evening = datetime(2026, 2, 1, 7, 59, tzinfo=UTC)  # at the clinic it is still the 31st
    for number, now in enumerate((MORNING, last_evening, last_evening + timedelta(minutes=1))):
        room.now = now
        room.engine.allot("north", order(number))
        given += room.engine.allotted_code("north", order(number).id, by="nurse-7")
    assert given == ["E-1", "E-2", "L-1"]
    late = room.engine.allot("north", order(4))
    assert room.engine.allotted_code("north", late.order, by="nurse-7") == ("N-1",)


def test_what_has_expired_is_left_on_the_shelf_and_given_to_nobody(room: Room) -> None:
    room.codes()
    room.receive("E-1", expires_on=date(2026, 1, 31))
    room.now = datetime(2026, 2, 1, 8, tzinfo=UTC)
    with pytest.raises(OutOfStockError):
        room.engine.allot("north", order(1))
    assert room.line().on_shelf == 1


def test_codes_that_have_expired_are_taken_out_of_the_book_by_date(room: Room) -> None:
    room.codes()
    room.receive("E-1", "E-2", expires_on=date(2026, 1, 31))
    room.receive("N-1")
    assert room.engine.expire_stock("north").lines[0].expired == 0
    room.now += timedelta(days=60)
    [alert] = room.engine.stock_alerts()
    assert (alert.what, alert.product) == ("expired", GROCER)
    for _ in range(2):
        line = room.engine.expire_stock("north").lines[0]
        assert (line.expired, line.on_shelf) == (2, 1)
    assert room.engine.stock_alerts() == []


# Handing over


def test_an_order_waits_until_somebody_confirms_that_it_is_handed_over(room: Room) -> None:
    room.codes()
    room.receive("A-1", "A-2")
    room.engine.allot("north", order(1))
    [waits] = room.engine.waiting_hand_overs("north")
    assert (waits.status, waits.waits_for, waits.recipient) == ("allotted", 1, "p-1")
    done = room.engine.confirm_hand_over("north", waits.order, by="nurse-7")
    assert (done.status, done.waits_for, done.replayed) == ("handed over", 0, False)
    assert room.engine.waiting_hand_overs("north") == []
    again = room.engine.confirm_hand_over("north", waits.order, by="nurse-7")
    assert (again.status, again.replayed) == ("handed over", True)
    with pytest.raises(ReportError, match="it is done, came back, or never was"):
        room.engine.confirm_hand_over("north", waits.order, by="nurse-8")


def test_where_two_people_confirm_it_the_second_is_another_one(room: Room) -> None:
    room.codes(hands=2)
    room.receive("A-1")
    found = room.engine.allot("north", order(1))
    assert found.waits_for == 2
    first = room.engine.confirm_hand_over("north", found.order, by="nurse-7")
    assert (first.status, first.waits_for, first.confirmed_by) == ("allotted", 1, ("nurse-7",))
    with pytest.raises(NotAllowedError, match="another person has to confirm it too") as refused:
        room.engine.confirm_hand_over("north", found.order, **room.told("nurse-7"))
    assert refused.value.rule == "stock: two people"
    assert room.engine.confirm_hand_over("north", found.order, by="nurse-8").status == "handed over"


def test_where_nobody_confirms_it_a_code_is_given_as_it_is_allotted(room: Room) -> None:
    room.codes(hands=0)
    room.receive("A-1")
    assert room.engine.allot("north", order(1)).status == "handed over"
    assert room.line().handed_over == 1


def test_an_order_that_never_was_is_not_confirmed(room: Room) -> None:
    room.codes()
    with pytest.raises(ReportError, match="never was"):
        room.engine.confirm_hand_over("north", order(1).id, by="nurse-7")


def test_a_code_that_came_back_is_given_to_nobody_else(room: Room) -> None:
    room.codes()
    room.receive("A-1", "A-2")
    room.engine.allot("north", order(1))
    back = room.engine.return_stock("north", order(1).id, why="not wanted", by="nurse-7")
    assert (back.status, back.why) == ("returned", "not wanted")
    assert room.engine.return_stock("north", order(1).id, why="not wanted", by="nurse-7").replayed
    room.engine.allot("north", order(2))
    assert room.engine.allotted_code("north", order(2).id, by="nurse-7") == ("A-2",)
    with pytest.raises(OutOfStockError):
        room.engine.allot("north", order(3))
    assert room.engine.allot("north", order(1)).status == "returned"
    with pytest.raises(ReportError, match="has no codes"):
        room.engine.allotted_code("north", order(1).id, by="nurse-7")
    assert (room.line().returned, room.line().allotted) == (1, 1)


def test_a_prize_that_came_back_is_on_the_shelf_again_even_after_it_was_handed_over(room: Room) -> None:
    room.cabinet()
    room.prizes("mug", "5", 1)
    for number in (1, 2):
        room.engine.allot("cabinet", order(number, "5"))
        room.engine.confirm_hand_over("cabinet", order(number).id, by="nurse-7")
        assert room.engine.stock("cabinet").lots == ()
        room.engine.return_stock("cabinet", order(number).id, why="broken handle", by="nurse-7")
        line = room.line("cabinet", "mug")
        assert (line.on_shelf, line.handed_over) == (1, 0)
    [holding] = room.engine.stock("cabinet").holdings
    assert (holding.holder, holding.book) == ("nurse-7", 1)
    with pytest.raises(ReportError, match="got nothing"):
        room.engine.return_stock("cabinet", order(9).id, why="none", by="nurse-7")


# Custody


def test_pieces_change_hands_once_both_have_confirmed_it(room: Room) -> None:
    room.codes()
    room.receive("A-1", "A-2", "A-3")
    move = room.offer(2, "nurse-7")
    assert (room.line().on_shelf, room.line().offered) == (1, 2)
    with pytest.raises(NotAllowedError, match="offered to nurse-7, who has to confirm it") as refused:
        room.engine.accept_custody("north", move, **room.told("nurse-8"))
    assert refused.value.rule == "stock: custody"
    stock = room.engine.accept_custody("north", move, **room.told("nurse-7"))
    assert [(each.holder, each.book) for each in stock.holdings] == [("boss-1", 1), ("nurse-7", 2)]
    with pytest.raises(ReportError, match="does not wait"):
        room.engine.accept_custody("north", move, **room.told("nurse-7"))


def test_what_is_offered_is_given_to_nobody_and_stays_with_who_offered_it_if_it_is_refused(
    room: Room,
) -> None:
    room.codes()
    room.receive("A-1")
    move = room.offer(1, "nurse-7")
    with pytest.raises(OutOfStockError):
        room.engine.allot("north", order(1))
    with pytest.raises(NotAllowedError, match="one of them ends it"):
        room.engine.end_offer("north", move, why="no", **room.told("nurse-9"))
    stock = room.engine.end_offer("north", move, why="on leave", **room.told("nurse-7"))
    assert [(each.holder, each.book) for each in stock.holdings] == [("boss-1", 1)]
    assert room.engine.allot("north", order(1)).pieces[0].holder == "boss-1"


def test_nobody_offers_what_they_have_not(room: Room) -> None:
    room.codes()
    room.receive("A-1", "A-2")
    with pytest.raises(ReportError, match="'nurse-7' has 0 pieces"):
        room.offer(1, "nurse-8", by="nurse-7")
    with pytest.raises(ReportError, match=r"has 2 pieces.* got 3"):
        room.offer(3, "nurse-7")
    with pytest.raises(ReportError, match="has it already"):
        room.offer(1, "boss-1")


# Counting


def test_a_count_says_what_is_missing_with_who_and_when_and_changes_nothing(room: Room) -> None:
    room.codes()
    room.receive("A-1", "A-2", "A-3")
    room.engine.allot("north", order(1))
    stock = room.count(2)
    [short] = stock.variances
    assert (short.book, short.counted, short.variance) == (3, 2, -1)
    assert (short.counted_by, short.counted_at) == ("audit-1", MORNING)
    [alert] = room.engine.stock_alerts()
    assert alert.text == "north: boss-1 has 1 less of grocer of 25 USD than the book says, as audit-1 counted"
    assert room.line().on_shelf == 2
    room.engine.write_off("north", lot=1, holder="boss-1", count=1, first=2, why="lost", **room.told())
    assert room.count(2).variances == ()
    assert (room.line().written_off, room.line().on_shelf) == (1, 1)


def test_what_is_written_off_is_given_to_nobody(room: Room) -> None:
    room.codes()
    room.receive("A-1", "A-2", "A-3")
    room.engine.write_off("north", lot=1, holder="boss-1", count=1, first=1, why="wet", **room.told())
    room.engine.write_off("north", lot=1, holder="boss-1", count=1, why="stolen", **room.told())
    room.engine.allot("north", order(1))
    assert room.engine.allotted_code("north", order(1).id, by="nurse-7") == ("A-3",)
    for wrong in ({"first": 1}, {"holder": "nurse-7"}, {"lot": 9}, {"count": 5}):
        told = {"lot": 1, "holder": "boss-1", "count": 1, "why": "again", **wrong, **room.told()}
        with pytest.raises(ReportError):
            room.engine.write_off("north", **told)


def test_too_few_on_the_shelf_is_told_until_more_comes(room: Room) -> None:
    room.codes()
    room.receive("A-1", "A-2")
    room.engine.set_reorder_point("north", GROCER, 2, **room.told())
    assert room.engine.stock_alerts() == []
    room.engine.allot("north", order(1))
    [alert] = room.engine.stock_alerts("north")
    assert (alert.what, alert.text) == (
        "reorder",
        "north: 1 of grocer are left, and 2 are to be there; buy more",
    )
    room.receive("A-3")
    assert room.engine.stock_alerts() == []
    room.engine.set_reorder_point("north", GROCER, 9, **room.told())
    assert len(room.engine.stock_alerts()) == 1
    room.engine.set_reorder_point("north", GROCER, 0, **room.told())
    assert room.engine.stock_alerts() == []


def test_a_lot_that_expires_within_a_month_is_told(room: Room) -> None:
    room.codes()
    room.receive("A-1", expires_on=date(2026, 2, 3))
    room.receive("B-1", expires_on=date(2026, 2, 4))
    [alert] = room.engine.stock_alerts()
    assert alert.text == "north: 1 of grocer (25 USD, po-1) expire on 2026-02-03"


# The prize cabinet

PRIZES = """
program: prizes
version: "1"
title: Prizes
currency: USD
visits: [{weeks: 1-12, per_week: 1}]
targets: {sessions: {behavior: attendance, schedule: [{weeks: 1-12, unit: draw, fixed: 1}]}}
bowls:
  draw:
    slips: {small: {count: 5, value: 1}, large: {count: 5, value: 20}}
    trade_up: [{give: 5, of: small, get: large}]
"""


def saving(room: Room, prizes: int) -> str:
    """A participant who has saved so many small prizes, an order each; the cabinet has one large one."""
    room.cabinet()
    room.engine.add_program(parse_program(PRIZES))
    found = room.engine.enroll(
        participant="p-1", program="prizes", start=date(2026, 1, 5), by="nurse-7", id="e-1"
    )
    room.prizes("small", "1", 8)
    room.prizes("large", "20", 1)
    for number in range(prizes):
        room.engine.allot("cabinet", order(number, "1", product="small"))
    return found.id


def trade(room: Room, orders: int, **given: Any) -> Any:
    told = {"enrollment": "e-1", "get": "large", **room.told("nurse-7"), **given}
    return room.engine.trade_up("cabinet", [order(number).id for number in range(orders)], **told)


def test_small_prizes_that_were_saved_are_traded_for_a_better_one_as_the_program_says(room: Room) -> None:
    saving(room, 6)
    after = trade(room, 6)
    assert [[(each.product, len(each.places)) for each in found.pieces] for found in after] == [
        [], [], [], [], [], [("small", 1), ("large", 1)]
    ]  # fmt: skip
    small, large = room.line("cabinet", "small"), room.line("cabinet", "large")
    assert (small.on_shelf, small.allotted, large.on_shelf, large.allotted) == (7, 1, 0, 1)
    for found in after:
        room.engine.confirm_hand_over("cabinet", found.order, by="nurse-7")
    assert (room.line("cabinet", "small").handed_over, room.line("cabinet", "large").handed_over) == (1, 1)
    room.engine.return_stock("cabinet", after[-1].order, why="wrong size", by="nurse-7")
    assert (room.line("cabinet", "small").on_shelf, room.line("cabinet", "large").on_shelf) == (8, 1)


def test_a_trade_that_the_program_or_the_cabinet_has_not_is_refused_and_moves_nothing(room: Room) -> None:
    saving(room, 5)
    before = room.engine.stock("cabinet")
    with pytest.raises(ReportError, match="prizes trades 5 small for one large; got 'huge'"):
        trade(room, 5, get="huge")
    with pytest.raises(ResultsError, match="5 of small are traded for one large, and 4 are held"):
        trade(room, 4)
    with pytest.raises(ReportError, match="is no order of 'p-1'"):
        trade(room, 7)
    assert room.engine.stock("cabinet") == before
    trade(room, 5)
    with pytest.raises((OutOfStockError, ResultsError)):
        trade(room, 5)


def test_prizes_of_another_participant_are_not_traded(room: Room) -> None:
    saving(room, 4)
    room.engine.allot("cabinet", order(4, "1", product="small", recipient="p-2"))
    with pytest.raises(ReportError, match="is no order of 'p-1'"):
        trade(room, 5)


# Secrets


def test_no_code_is_in_clear_in_any_row_of_the_database_or_in_what_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "clinic.db"
    room, codes = Room(f"sqlite:///{file}"), [f"SECRET-{number:04}" for number in range(250)]
    room.codes()
    room.receive(*codes)
    room.engine.allot("north", order(1))
    assert room.engine.allotted_code("north", order(1).id, by="nurse-7") == ("SECRET-0000",)
    shown = repr((room.engine.stock("north"), room.engine.stock_history("north"), room.engine.verify()))
    room.engine.close()
    with closing(sqlite3.connect(file)) as rows:
        tables = [name for (name,) in rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        text = "".join(repr(row) for table in tables for row in rows.execute(f'SELECT * FROM "{table}"'))  # noqa: S608 - our own tables
    assert len(tables) > 5
    assert "sealed" in text
    assert "SECRET" not in text + shown
    assert all(b"SECRET" not in part.read_bytes() for part in tmp_path.iterdir())


def test_without_keys_no_code_comes_in_or_out_and_the_error_says_what_to_do(room: Room) -> None:
    room.codes()
    room.receive("A-1")
    room.engine.allot("north", order(1))
    for keyring, words in (
        (MemoryKeyring(), "the keyring has none"),
        (other_keyring(), "was sealed with key"),
    ):
        room.engine.with_keys(keyring)
        with pytest.raises(SecretError, match=words):
            room.engine.allotted_code("north", order(1).id, by="nurse-7")
    with pytest.raises(SecretError, match="give the same keyring"):
        room.receive("A-2")
    assert room.line().received == 1


def other_keyring() -> MemoryKeyring:
    keyring = MemoryKeyring()
    keyring.made("@stock")
    return keyring


def test_an_engine_that_was_given_no_keys_says_so(room: Room) -> None:
    bare = Room("memory:")
    bare.engine = Engine.open("memory:")
    bare.codes()
    with pytest.raises(SecretError, match=r"codes are sealed, .* engine.with_keys"):
        bare.receive("A-1")
    assert room.engine.stocks() == []


def test_the_hosts_key_is_replaced_and_codes_are_read_as_before(tmp_path: Path) -> None:
    file, new = tmp_path / "keys.db", bytes(range(1, 33))
    room = Room("memory:")
    room.engine.with_keys(FileKeyring(file, HOST_KEY))
    room.codes()
    room.receive("A-1", "A-2")
    room.engine.allot("north", order(1))
    FileKeyring(file, [new, HOST_KEY]).rotate()
    room.engine.with_keys(FileKeyring(file, new))
    assert room.engine.allotted_code("north", order(1).id, by="nurse-7") == ("A-1",)
    with pytest.raises(ReportError, match="came in before"):
        room.receive("A-2")
    room.engine.with_keys(FileKeyring(file, HOST_KEY))
    with pytest.raises(SecretError, match="was sealed with key"):
        room.engine.allotted_code("north", order(1).id, by="nurse-7")


def test_who_looked_at_a_code_stands_in_the_log(room: Room) -> None:
    room.codes()
    room.receive("A-1")
    room.engine.allot("north", order(1))
    for by in ("nurse-7", "nurse-7", "nurse-8"):
        room.engine.allotted_code("north", order(1).id, by=by)
    looks = [each for each in room.engine.stock_history("north") if each.kind == "revealed"]
    assert [(each.by, each.reported) for each in looks] == [
        (by, {"order": order(1).id}) for by in ("nurse-7", "nurse-7", "nurse-8")
    ]


# Who may


def test_who_is_known_and_has_the_right_keeps_a_stock_and_the_engine_itself_allots() -> None:
    room = Room("memory:", people="known")
    room.engine.add_staff(staff="boss-1", roles=["supervisor"], by="boss-1")
    room.engine.add_staff(staff="desk-3", roles=["cashier"], by="boss-1")
    room.engine.add_staff(staff="nurse-7", roles=["front-desk"], by="boss-1")
    room.codes()
    room.receive("A-1", "A-2", expires_on=date(2026, 1, 31))
    room.engine.allot("north", order(1))
    with pytest.raises(NotAllowedError) as refused:
        room.engine.allotted_code("north", order(1).id, by="nurse-7")
    assert refused.value.rule == "right stock"
    assert room.engine.allotted_code("north", order(1).id, by="desk-3") == ("A-1",)
    with pytest.raises(NotAllowedError):
        room.engine.confirm_hand_over("north", order(1).id, by="stranger-1")
    assert room.engine.confirm_hand_over("north", order(1).id, by="desk-3").status == "handed over"
    room.now += timedelta(days=60)
    assert room.engine.expire_stock("north").lines[0].expired == 1
    assert not room.engine.may(by="nurse-7", act="stock")
    assert room.engine.verify().is_clean
