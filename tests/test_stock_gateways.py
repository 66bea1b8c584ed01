"""Vouchers, prizes and what staff hand over are gateways: an order gets its pieces once, whatever fails on the way."""

import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from cm_engine import Engine, NotAllowedError, ReportError
from cm_engine.delivery.configuring import parse_gateways
from cm_engine.errors import GatewaysError, JournalNotFoundError, OutOfStockError
from cm_engine.gateways import Answer, Order, Outcome, order_id
from cm_engine.keyring import FileKeyring, MemoryKeyring
from cm_engine.ports import PayoutGateway
from cm_engine.program.parts import BANNED
from cm_engine.testing.gateway import ORDER, GatewayConformance
from cm_engine_adapters.payout.cabinet import CabinetGateway
from cm_engine_adapters.payout.manual import ManualGateway
from cm_engine_adapters.payout.vouchers import VoucherGateway
from tests.test_delivery import Clinic

TOLD: dict[str, Any] = {"by": "boss-1", "source": "office"}
HOST_KEY = bytes(range(32))
VALUE = Decimal("20.10")


def with_codes(engine: Engine, count: int, *, hands: int = 1, value: Decimal = VALUE) -> Engine:
    engine.open_stock("north", holds="codes", hands=hands, by="boss-1")
    codes = [f"C-{number:05}" for number in range(count)]
    lot: dict[str, Any] = {
        "product": "grocer",
        "value": value,
        "codes": codes,
        "purchase": "po-1",
        "key": "r-1",
    }
    engine.receive_stock("north", **lot, **TOLD)
    return engine


def with_prizes(engine: Engine, count: int, value: Decimal = VALUE) -> Engine:
    engine.open_stock("cabinet", holds="things", by="boss-1")
    lot: dict[str, Any] = {"product": "mug", "value": value, "count": count, "purchase": "po-1", "key": "p-1"}
    engine.receive_stock("cabinet", **lot, **TOLD)
    return engine


def at_desk(engine: Engine, hands: int = 2) -> Engine:
    engine.open_stock("desk", holds="nothing", hands=hands, by="boss-1")
    return engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine.open("memory:").with_keys(MemoryKeyring())
    yield made
    assert made.verify().is_clean


class TestVoucherGateway(GatewayConformance):
    @pytest.fixture
    def gateway(self, engine: Engine) -> PayoutGateway:
        return VoucherGateway(with_codes(engine, 10), "north")

    @pytest.fixture
    def orders_taken(self, engine: Engine) -> Callable[[], int]:
        return lambda: engine.stock("north").lines[0].allotted


class TestCabinetGateway(GatewayConformance):
    @pytest.fixture
    def gateway(self, engine: Engine) -> PayoutGateway:
        return CabinetGateway(with_prizes(engine, 10), "cabinet")

    @pytest.fixture
    def orders_taken(self, engine: Engine) -> Callable[[], int]:
        return lambda: engine.stock("cabinet").lines[0].allotted


class TestManualGateway(GatewayConformance):
    @pytest.fixture
    def gateway(self, engine: Engine) -> PayoutGateway:
        return ManualGateway(at_desk(engine), "desk")

    @pytest.fixture
    def orders_taken(self, engine: Engine) -> Callable[[], int]:
        return lambda: len(engine.stock("desk").waiting)


# What a gateway says


def test_an_order_for_which_nothing_is_left_is_asked_for_again_later_and_one_that_cannot_be_is_rejected(
    engine: Engine,
) -> None:
    gateway = VoucherGateway(with_codes(engine, 1), "north")
    gateway.send(ORDER)
    later = gateway.send(ORDER._replace(id=order_id("x", 1)))
    assert (later.outcome, later.wait is not None) == (Outcome.RETRY_LATER, True)
    assert later.note == "stock 'north' has nothing left for 20.1 USD; buy more, then receive_stock(...)"
    never = gateway.send(ORDER._replace(id=order_id("x", 2), amount=Decimal(11)))
    assert never.outcome == Outcome.REJECTED
    assert gateway.find(order_id("x", 1)) is gateway.find(order_id("x", 2)) is None


def test_an_order_is_given_once_people_have_confirmed_it(engine: Engine) -> None:
    gateway = ManualGateway(at_desk(engine), "desk")
    told = [gateway.send(ORDER)]
    for by in ("nurse-7", "nurse-8"):
        engine.confirm_hand_over("desk", ORDER.id, by=by)
        found = gateway.find(ORDER.id)
        assert found
        told.append(found)
    assert [(each.is_given, each.note) for each in told] == [
        (False, "desk-1: 2 people have still to confirm that it is handed over"),
        (False, "desk-1: one person has still to confirm that it is handed over"),
        (True, ""),
    ]


def test_an_order_that_came_back_is_there_no_more(engine: Engine) -> None:
    gateway = VoucherGateway(with_codes(engine, 2), "north")
    gateway.send(ORDER)
    engine.return_stock("north", ORDER.id, why="not wanted", by="nurse-7")
    for answer in (gateway.find(ORDER.id), gateway.send(ORDER)):
        assert answer == Answer(Outcome.REJECTED, "north-3", "it came back to the stock: not wanted")


def test_an_order_of_another_stock_is_a_conflict_here(engine: Engine) -> None:
    VoucherGateway(with_codes(engine, 1), "north").send(ORDER)
    gateway = CabinetGateway(with_prizes(engine, 1), "cabinet")
    assert gateway.send(ORDER).outcome == Outcome.CONFLICT


def test_a_gateway_is_made_of_a_stock_of_its_kind(engine: Engine) -> None:
    with_prizes(engine, 1)
    with pytest.raises(ReportError, match="stock 'cabinet' holds things, and this gateway is for codes"):
        VoucherGateway(engine, "cabinet")
    with pytest.raises(JournalNotFoundError):
        ManualGateway(engine, "desk")


# By the dispatcher


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    made = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    made.engine.with_keys(FileKeyring(tmp_path / "keys.db", HOST_KEY))
    yield made
    assert made.engine.verify().is_clean
    made.engine.close()


def test_a_payout_is_recorded_as_handed_over_once_staff_have_confirmed_it(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    with_codes(clinic.engine, 3, hands=2, value=Decimal(10))
    dispatcher = clinic.dispatcher(VoucherGateway(clinic.engine, "north"))
    [waits] = dispatcher.deliver()
    assert (waits.status, waits.note) == (
        "waiting", "north-3: 2 people have still to confirm that it is handed over"
    )  # fmt: skip
    assert clinic.balance(ann) == {"awarded": "10.00", "in_flight": "10.00"}
    [todo] = clinic.engine.waiting_hand_overs("north")
    assert (todo.order, todo.recipient) == (waits.order, "p-1")
    clinic.engine.confirm_hand_over("north", todo.order, by="nurse-7")
    clinic.later(minutes=2)
    assert [each.status for each in dispatcher.deliver()] == ["waiting"]
    with pytest.raises(NotAllowedError):
        clinic.engine.confirm_hand_over("north", todo.order, by="nurse-7", source="x", key="again")
    clinic.engine.confirm_hand_over("north", todo.order, by="nurse-8")
    clinic.later(minutes=2)
    [done] = dispatcher.deliver()
    assert (done.status, done.reference) == ("over", "north-3")
    [payout] = clinic.engine.payouts(enrollment=ann)
    assert (payout.number, payout.status, payout.reference) == (number, "issued", "north-3")
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}


def test_a_payout_waits_for_an_empty_stock_to_be_filled(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    clinic.negative(ann)
    clinic.later(days=3)
    clinic.negative(ann, 3)
    with_codes(clinic.engine, 1, hands=0, value=Decimal(10))
    dispatcher = clinic.dispatcher(VoucherGateway(clinic.engine, "north"))
    assert sorted(each.status for each in dispatcher.deliver()) == ["over", "waiting"]
    lot: dict[str, Any] = {
        "product": "grocer",
        "value": Decimal(10),
        "codes": ["N-1"],
        "purchase": "po-2",
        "key": "r-2",
    }
    clinic.engine.receive_stock("north", **lot, **TOLD)
    clinic.later(hours=2)
    assert [each.status for each in dispatcher.deliver()] == ["over"]


def test_what_was_not_wanted_is_taken_back_and_owed_again(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    with_prizes(clinic.engine, 1, Decimal(10))
    dispatcher = clinic.dispatcher(CabinetGateway(clinic.engine, "cabinet"))
    [waits] = dispatcher.deliver()
    clinic.engine.return_stock("cabinet", waits.order, why="not wanted", by="nurse-7")
    clinic.later(minutes=2)
    [stuck] = dispatcher.deliver()
    assert (stuck.status, stuck.note) == ("stuck", "it came back to the stock: not wanted")
    dispatcher.cancel(enrollment=ann, number=number, why="not wanted", source="desk", key="c-1", by="nurse-7")
    assert clinic.balance(ann) == {"awarded": "10.00", "owed": "10.00"}
    assert clinic.engine.stock("cabinet").lines[0].on_shelf == 1


class Dying:
    """A gateway whose answer is lost after it has done what it was asked for."""

    def __init__(self, gateway: PayoutGateway, deaths: int) -> None:
        self.gateway, self.deaths = gateway, deaths
        self.capabilities = gateway.capabilities

    def send(self, order: Order) -> Answer:
        answer = self.gateway.send(order)
        if self.deaths:
            self.deaths -= 1
            raise ConnectionError
        return answer

    def find(self, id: str) -> Answer | None:  # noqa: A002 - as the port says
        return self.gateway.find(id)


def test_a_crash_between_the_allotment_and_the_answer_gives_the_same_code(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    clinic.negative(ann)
    with_codes(clinic.engine, 5, hands=0, value=Decimal(10))
    dispatcher = clinic.dispatcher(Dying(VoucherGateway(clinic.engine, "north"), deaths=1))
    [lost] = dispatcher.deliver()
    assert lost.status == "waiting"
    clinic.later(minutes=1)
    [done] = dispatcher.deliver()
    assert (done.status, done.order) == ("over", lost.order)
    assert clinic.engine.allotted_code("north", done.order, by="nurse-7") == ("C-00000",)
    assert clinic.engine.stock("north").lines[0].handed_over == 1


@contextmanager
def killed_in_commit(engine: Engine) -> Iterator[None]:
    """Fail each transaction after its work and before its end."""
    storage: Any = engine._storage  # noqa: SLF001 - a crash is not asked for
    writing = storage.writing

    @contextmanager
    def dying(**given: Any) -> Iterator[Any]:
        with writing(**given) as tx:
            yield tx
            raise KeyboardInterrupt

    storage.writing = dying
    try:
        yield
    finally:
        del storage.writing


def test_a_crash_before_the_allotment_is_written_gives_nothing(clinic: Clinic) -> None:
    with_codes(clinic.engine, 2)
    gateway = VoucherGateway(clinic.engine, "north")
    with killed_in_commit(clinic.engine), suppress(KeyboardInterrupt):
        gateway.send(ORDER)
    assert gateway.find(ORDER.id) is None
    assert gateway.send(ORDER).outcome == Outcome.CREATED
    assert clinic.engine.allotted_code("north", ORDER.id, by="nurse-7") == ("C-00000",)


# Many at once


def opened(url: str, keys: str) -> Engine:
    return Engine.open(url).with_keys(FileKeyring(keys, HOST_KEY))


def hammer(url: str, keys: str, worker: int) -> list[tuple[str, tuple[str, ...]]]:
    """Allot to orders of one's own, and to some that all others ask for too; return the codes."""
    found = []
    with opened(url, keys) as engine:
        for number in range(12):
            for name in (f"own {worker}", "shared"):
                order = Order(order_id(name, number), VALUE, "USD")
                with suppress(OutOfStockError):
                    engine.allot("north", order)
                    found.append((order.id, engine.allotted_code("north", order.id, by=f"nurse-{worker}")))
    return found


def assert_given_once(engine: Engine, told: list[list[tuple[str, tuple[str, ...]]]], count: int) -> None:
    codes: dict[str, set[tuple[str, ...]]] = {}
    for order, code in (each for worker in told for each in worker):
        codes.setdefault(order, set()).add(code)
    assert all(len(each) == 1 for each in codes.values())  # the same order has the same code, whoever asks
    given = [code for each in codes.values() for found in each for code in found]
    assert len(given) == len(set(given)) == min(count, len(codes))  # and no code is given twice
    line = engine.stock("north").lines[0]
    assert line.received == count
    assert line.allotted == len(given)
    assert engine.verify().is_clean


@pytest.mark.parametrize("count", [60, 200])
def test_eight_threads_on_one_stock_give_every_code_once(tmp_path: Path, count: int) -> None:
    url, keys = f"sqlite:///{tmp_path / 'clinic.db'}", str(tmp_path / "keys.db")
    with with_codes(opened(url, keys), count) as engine:
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(partial(hammer, url, keys), range(8)))
        assert_given_once(engine, told, count)


def test_eight_processes_on_one_stock_give_every_code_once(tmp_path: Path) -> None:
    url, keys = f"sqlite:///{tmp_path / 'clinic.db'}", str(tmp_path / "keys.db")
    with_codes(opened(url, keys), 80).close()
    with multiprocessing.get_context("fork").Pool(8) as pool:
        told = pool.map(partial(hammer, url, keys), range(8))
    with opened(url, keys) as engine:
        assert_given_once(engine, told, 80)


def test_eight_threads_on_one_stock_of_a_server_give_every_code_once(
    postgresql_url: str, tmp_path: Path
) -> None:
    url = postgresql_url.replace("postgresql://", "postgresql+psycopg://")
    keys = str(tmp_path / "keys.db")
    with with_codes(opened(url, keys), 60) as engine:
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(partial(hammer, url, keys), range(8)))
        assert_given_once(engine, told, 60)


def receive_into(engine: Engine, worker: int) -> bool:
    """Take one code into a stock of one's own, which all others take in too; tell whether it came in."""
    lot: dict[str, Any] = {
        "product": "grocer",
        "value": VALUE,
        "codes": [f"own-{worker}", "shared"],
        "purchase": "po-1",
    }
    try:
        engine.receive_stock(f"stock-{worker}", **lot, **TOLD, key=f"r-{worker}")
    except ReportError:
        return False
    return True


@pytest.mark.parametrize("server", [False, True])
def test_a_code_that_eight_stocks_take_in_at_once_comes_into_one(
    server: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    if server:
        url = str(request.getfixturevalue("postgresql_url")).replace("postgresql://", "postgresql+psycopg://")
    with opened(url, str(tmp_path / "keys.db")) as engine:
        for worker in range(8):
            engine.open_stock(f"stock-{worker}", holds="codes", by="boss-1")
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(partial(receive_into, engine), range(8))) == 1
        assert engine.verify().is_clean


# How quick it is


def test_an_allotment_is_as_quick_with_ten_thousand_codes_as_with_ten(tmp_path: Path) -> None:
    def median(count: int) -> float:
        url, keys = f"sqlite:///{tmp_path / f'{count}.db'}", str(tmp_path / "keys.db")
        with with_codes(opened(url, keys), count, hands=0) as engine:
            times = []
            for number in range(9):
                began = perf_counter()
                engine.allot("north", Order(order_id("x", number), VALUE, "USD"))
                times.append(perf_counter() - began)
            [row] = [each for each in engine._storage.reading().__enter__().journals()]  # noqa: SLF001, C416
            assert len(row.state) < 1000  # the state does not grow with the codes
        return sorted(times)[4]

    assert median(10_000) < 20 * median(10)


# Made from a file


STOCKS = """
gateways:
  gift-cards: {kind: vouchers, stock: north, products: [grocer], denominations: [10], blocks: item, blocked: [alcohol]}
  prizes: {kind: cabinet, stock: cabinet, least: 1.00, most: 20.00}
  desk: {kind: manual, stock: desk, units: [USD, bus pass], is_cash: true}
"""


def test_a_file_makes_gateways_over_the_stocks_of_an_engine(engine: Engine) -> None:
    at_desk(with_prizes(with_codes(engine, 1), 1))
    made = parse_gateways(STOCKS, {}, engine=engine)
    assert {name: type(each) for name, each in made.items()} == {
        "gift-cards": VoucherGateway,
        "prizes": CabinetGateway,
        "desk": ManualGateway,
    }
    cards: Any
    prizes: Any
    desk: Any
    cards, prizes, desk = (each.capabilities for each in made.values())
    assert (cards.products, cards.denominations) == ({"grocer"}, {Decimal(10)})
    assert (cards.blocks, cards.blocked) == ("item", {"alcohol"})
    assert (prizes.least, prizes.most, prizes.blocked) == (Decimal(1), Decimal(20), {*BANNED})
    assert (desk.units, desk.is_cash) == ({"USD", "bus pass"}, True)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("kind: vouchers, stock: south", "a.yaml:1:12: error: gateways.a: no stock 'south'"),
        (
            "kind: cabinet, stock: north",
            "a.yaml:1:12: error: gateways.a: stock 'north' holds codes, and this gateway is for things",
        ),
        ("kind: manual", "a.yaml:1:12: error: gateways.a: the key 'stock' is missing"),
        (
            "kind: vouchers, stock: north, blocks: all",
            "a.yaml:1:54: error: gateways.a.blocks: expected nothing, category or item, got 'all'",
        ),
    ],
)
def test_what_is_wrong_with_a_stock_in_a_file_is_told_at_its_place(
    engine: Engine, said: str, problem: str
) -> None:
    with_codes(engine, 1)
    with pytest.raises(GatewaysError) as error:
        parse_gateways(f"gateways: {{a: {{{said}}}}}", {}, name="a.yaml", engine=engine)
    assert str(error.value).startswith(problem)


def test_a_gateway_over_a_stock_is_not_made_without_the_engine_that_keeps_it() -> None:
    with pytest.raises(GatewaysError, match="it is over a stock of an engine: load_gateways"):
        parse_gateways("gateways: {a: {kind: vouchers, stock: north}}", {})


def test_a_worker_hands_codes_over_by_a_file(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.negative(clinic.enrolled())
    with_codes(clinic.engine, 1, hands=0, value=Decimal(10))
    (tmp_path / "gateways.yaml").write_text("gateways: {cards: {kind: vouchers, stock: north}}", "utf-8")
    monkeypatch.chdir(tmp_path)
    at = ["--db", f"sqlite:///{tmp_path / 'clinic.db'}"]
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "cm-engine"),
            "worker",
            "--once",
            "--gateways",
            "gateways.yaml",
            *at,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [over] = clinic.engine.deliveries()
    assert (over.status, over.reference) == ("over", "north-3")
