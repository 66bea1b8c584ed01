"""A gateway that fails on request, for tests of what pays through it; and the duties of a gateway, a test each."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Lock

import pytest

from cm_engine.gateways import FINENESS, Answer, Capabilities, Order, Outcome, Placed, difference
from cm_engine.ports import PayoutGateway
from cm_engine.program.parts import BANNED
from cm_engine.testing.suites import refuse_replaced

ORDER = Order("0b2e7f0a-7a06-4d6c-9b39-1d5a6f3c1a01", Decimal("20.10"), "USD", "", "p-104", "")


class GatewayDownError(Exception):
    """What a gateway raises that fails after the order was taken, or before."""


@dataclass
class FakeGateway:
    """Keep orders in memory, as a vendor does, and fail as often as one likes.

    Args:
        faults: what happens at each call of `send`, in order, then nothing: `before` raises and takes no order, `after`
            takes it and raises, an `Outcome` is answered and takes no order.
        capabilities: as a real one declares them.

    Example:
        >>> vendor = FakeGateway(faults=["after"])
        >>> try:
        ...     _ = vendor.send(ORDER)
        ... except GatewayDownError:
        ...     vendor.send(ORDER).outcome.value, len(vendor.orders)
        ('replayed', 1)
    """

    faults: Iterable[str | Outcome] = ()
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(frozenset({"USD"})))
    orders: dict[str, Order] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._faults: Iterator[str | Outcome] = iter(self.faults)
        self._lock = Lock()

    def send(self, order: Order) -> Answer:
        """Take an order, unless a fault is due."""
        with self._lock:
            fault = next(self._faults, "")
            self.calls.append(order.id)
            if isinstance(fault, Outcome):
                return Answer(fault, note=f"the fake says: {fault}")
            if fault == "before":
                raise GatewayDownError
            answer = self._taken(order)
            if fault == "after":
                raise GatewayDownError
            return answer

    def find(self, id: str) -> Answer | None:  # noqa: A002 - as the port says
        """Return an order that was taken."""
        known = self.orders.get(id)
        return _answer(Outcome.REPLAYED, known) if known else None

    def _taken(self, order: Order) -> Answer:
        known = self.orders.get(order.id)
        if known is None:
            self.orders[order.id] = order
            return _answer(Outcome.CREATED, order)
        if known != order:
            return Answer(Outcome.CONFLICT, note="another order has this id")
        return _answer(Outcome.REPLAYED, known)


def _answer(outcome: Outcome, order: Order) -> Answer:
    placed = Placed(order.amount, order.unit, order.product)
    return Answer(outcome, reference=f"fake-{order.id[:8]}", placed=placed)


class GatewayConformance:
    """Every duty of a gateway: let a class of tests inherit it, and give it a fixture `gateway`.

    A gateway that is reached over a network is given a vendor on the loopback, which takes orders as the real one does.
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        refuse_replaced(GatewayConformance, cls)

    @pytest.fixture
    def gateway(self) -> PayoutGateway | Iterator[PayoutGateway]:
        """Return a gateway whose vendor has no orders: a subclass says how."""
        msg = "give your class a fixture `gateway` that yields a gateway without orders"
        raise NotImplementedError(msg)

    @pytest.fixture
    def order(self) -> Order:
        """Return an order that it can hand over; a subclass has another one if it has to."""
        return ORDER

    @pytest.fixture
    def orders_taken(self) -> Callable[[], int] | None:
        """Return what counts the orders that the vendor has, None where nobody can look."""
        return None

    def test_capabilities_say_what_it_hands_over(self, gateway: PayoutGateway, order: Order) -> None:
        """Say what it can do, before it is asked for anything."""
        able = gateway.capabilities
        assert order.unit in able.units
        assert able == gateway.capabilities
        assert able.blocks in FINENESS
        assert able.blocked <= {*BANNED}
        assert able.blocks != "nothing" or not able.blocked

    def test_send_creates_an_order_and_says_what_the_vendor_has(
        self, gateway: PayoutGateway, order: Order, orders_taken: Callable[[], int] | None
    ) -> None:
        """Hand an order over, and say what became of it."""
        answer = gateway.send(order)
        assert answer.outcome == Outcome.CREATED
        assert difference(order, answer.placed) == ""
        if answer.placed and answer.placed.amount is not None:
            assert type(answer.placed.amount) is Decimal
        assert orders_taken is None or orders_taken() == 1

    def test_send_and_find_are_called_from_any_thread(
        self, gateway: PayoutGateway, order: Order, orders_taken: Callable[[], int] | None
    ) -> None:
        """Hand an order over from another thread than made the gateway, and know it from one more."""
        for outcome in (Outcome.CREATED, Outcome.REPLAYED):
            with ThreadPoolExecutor(1) as thread:
                assert thread.submit(gateway.send, order).result().outcome == outcome
                if gateway.capabilities.reads_back:
                    assert thread.submit(gateway.find, order.id).result() is not None
        assert orders_taken is None or orders_taken() == 1

    def test_send_of_the_same_order_again_replays_it(
        self, gateway: PayoutGateway, order: Order, orders_taken: Callable[[], int] | None
    ) -> None:
        """Give `replayed` for the same order again, which is there once."""
        first = gateway.send(order)
        for _ in range(3):
            again = gateway.send(order)
            assert (again.outcome, again.reference) == (Outcome.REPLAYED, first.reference)
        assert orders_taken is None or orders_taken() == 1

    def test_send_of_another_order_under_a_known_id_is_a_conflict(
        self, gateway: PayoutGateway, order: Order, orders_taken: Callable[[], int] | None
    ) -> None:
        """Give `conflict`, or the order as the vendor has it, for another order of the same id; change nothing."""
        gateway.send(order)
        answer = gateway.send(order._replace(amount=order.amount * 2))
        told = answer.outcome == Outcome.REPLAYED and answer.placed and answer.placed.amount == order.amount
        assert answer.outcome == Outcome.CONFLICT or told
        assert orders_taken is None or orders_taken() == 1

    def test_find_tells_of_an_order_by_our_id(self, gateway: PayoutGateway, order: Order) -> None:
        """Return what has become of an order, None if there surely is none."""
        if not gateway.capabilities.reads_back:
            pytest.skip("this gateway cannot be asked what became of an order")
        assert gateway.find(order.id) is None
        sent = gateway.send(order)
        found = gateway.find(order.id)
        assert found is not None
        assert (found.outcome, found.reference) == (Outcome.REPLAYED, sent.reference)
        assert difference(order, found.placed) == ""

    def test_orders_of_several_ids_are_several(
        self, gateway: PayoutGateway, order: Order, orders_taken: Callable[[], int] | None
    ) -> None:
        """Hand over each order once, whatever else is the same."""
        others = [order._replace(id=f"{order.id[:-1]}{digit}") for digit in "abc"]
        assert [gateway.send(each).outcome for each in others] == [Outcome.CREATED] * 3
        assert orders_taken is None or orders_taken() == len(others)
