"""A payout reaches the participant once, whatever fails on the way, and what needs a person says why."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cm_engine import Engine, parse_program
from cm_engine.delivery.dispatcher import Dispatcher
from cm_engine.delivery.sending import Delivery
from cm_engine.errors import DeliveryError, NotAllowedError, ReportError
from cm_engine.gateways import Answer, Capabilities, Order, Outcome, Placed
from cm_engine.log.work import body_of, form_of
from cm_engine.opening import open_storage
from cm_engine.testing.gateway import FakeGateway
from cm_engine.waiting import CALLS_MAX

PROGRAM = """
program: cards
version: "1"
title: Cards
currency: USD
visits: [{weeks: 1-12, per_week: 2}]
targets: {stimulants: {behavior: abstinence, schedule: [{weeks: 1-12, fixed: 10.00}]}}
"""
START = date(2026, 1, 5)
MORNING = datetime(2026, 1, 5, 18, tzinfo=UTC)


OPENED: list[Engine] = []
"""The engines that a test has opened, to be closed with it."""


class Clinic:
    """A clinic with one site and one gateway, and a clock that stands still until it is put forward."""

    def __init__(
        self,
        url: str,
        program: str = PROGRAM,
        gateways: tuple[str, ...] = ("cards",),
        now: datetime = MORNING,
    ) -> None:
        self.now = now
        self.engine = Engine(
            storage=open_storage(url, {}), zone="America/Los_Angeles", clock=lambda: self.now
        )
        OPENED.append(self.engine)
        self.engine.add_program(parse_program(program))
        self.program = "cards"
        self.engine.open_site("north", zone="America/Los_Angeles", by="boss-1")
        for name in gateways:
            self.add_gateway(name)

    def add_gateway(self, name: str) -> None:
        self.engine.add_gateway("north", name, by="boss-1", source="office", key=f"gateway/{name}")

    def enrolled(self, participant: str = "p-1", site: str = "north") -> str:
        told: dict[str, Any] = {"site": site} if site else {}
        found = self.engine.enroll(
            participant=participant,
            program=self.program,
            start=START,
            by="nurse-7",
            id=f"e-{participant}",
            **told,
        )
        return found.id

    def negative(self, enrollment: str, day: int = 0, by: str = "nurse-7") -> int:
        on = START + timedelta(day)
        key = f"{enrollment}/{day}"
        return self.engine.record(
            enrollment=enrollment, result="-", on=on, source="desk", key=key, by=by
        ).number

    def dispatcher(self, gateway: Any, worker: str = "w-1", name: str = "cards") -> Dispatcher:
        return self.engine.dispatcher({name: gateway}, worker=worker)

    def later(self, **ago: float) -> None:
        self.now += timedelta(**ago)

    def balance(self, enrollment: str) -> dict[str, str]:
        found = self.engine.balance(enrollment=enrollment)["USD"]._asdict()
        return {name: str(value) for name, value in found.items() if name != "unit" and value}

    def statuses(self) -> list[str]:
        return [each.status for each in self.engine.deliveries()]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[str]:
    if request.param == "postgresql":
        yield request.getfixturevalue("postgresql_url")
    else:
        yield "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'clinic.db'}"
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def clinic(url: str) -> Iterator[Clinic]:
    made = Clinic(url)
    yield made
    assert made.engine.verify().is_clean
    made.engine.close()


# What is sent


def test_a_payout_that_is_due_is_handed_over_by_the_gateway_and_the_log_says_so(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(), clinic.enrolled()
    number = clinic.negative(ann)
    [done] = clinic.dispatcher(vendor).deliver()
    assert (done.status, done.gateway, done.tries, done.note) == ("over", "cards", 1, "handed over")
    assert list(vendor.orders) == [done.order]
    order = vendor.orders[done.order]
    assert order == Order(done.order, Decimal("10.00"), "USD", "", "p-1", "")
    [payout] = clinic.engine.payouts(enrollment=ann)
    assert (payout.number, payout.status, payout.reference) == (number, "issued", done.reference)
    assert payout.handed_over_by == "cm-engine"
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}


def test_inv_16_nothing_is_sent_twice_however_often_it_is_asked_for(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(), clinic.enrolled()
    clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    assert [len(dispatcher.deliver()) for _ in range(3)] == [1, 0, 0]
    assert len(vendor.calls) == 1


def test_an_order_has_the_same_id_for_ever_and_every_payout_its_own(clinic: Clinic) -> None:
    vendor = FakeGateway(faults=[Outcome.RETRY_LATER, Outcome.UNKNOWN])
    ids = [clinic.enrolled(participant) for participant in ("p-1", "p-2")]
    for each in ids:
        clinic.negative(each)
    dispatcher = clinic.dispatcher(vendor)
    for _ in range(3):
        dispatcher.deliver()
        clinic.later(minutes=1)
    assert len(vendor.calls) == 4
    assert len(set(vendor.calls)) == len(vendor.orders) == 2


def test_of_one_enrollment_only_if_asked(clinic: Clinic) -> None:
    vendor = FakeGateway()
    ann, bob = clinic.enrolled("p-1"), clinic.enrolled("p-2")
    clinic.negative(ann)
    clinic.negative(bob)
    [done] = clinic.dispatcher(vendor).deliver(enrollment=bob)
    assert done.enrollment == bob
    assert clinic.statuses() == ["waiting", "over"]


def test_an_enrollment_at_no_site_has_nobody_to_send_its_payouts(clinic: Clinic) -> None:
    ann = clinic.enrolled(site="")
    number = clinic.negative(ann)
    assert clinic.dispatcher(FakeGateway()).deliver() == []
    assert clinic.engine.deliveries() == []
    with pytest.raises(DeliveryError, match="at no site"):
        clinic.engine.delivery(enrollment=ann, number=number)


def test_who_hands_over_what_an_act_awards_is_told_before_anybody_does(url: str) -> None:
    clinic = Clinic(url, gateways=())
    ann, bob = clinic.enrolled(), clinic.enrolled("p-2", site="")

    def by(enrollment: str, key: str, result: str = "-") -> tuple[str, ...]:
        on = START + timedelta(days=int(key))
        done = clinic.engine.record(
            enrollment=enrollment, result=result, on=on, source="desk", key=f"{enrollment}/{key}", by="n"
        )
        return clinic.engine.goes_by(done)

    assert by(ann, "0") == ()
    clinic.later(days=7)
    clinic.add_gateway("cards")
    clinic.add_gateway("cabinet")
    assert by(ann, "3") == ()  # before the site had them
    assert by(ann, "7") == ("cards", "cabinet")
    assert by(ann, "7") == ()  # told already
    assert by(ann, "8", "+") == ()
    assert by(bob, "7") == ()


def test_what_was_earned_before_the_site_had_its_gateway_is_left_to_a_person(url: str) -> None:
    clinic, vendor = Clinic(url, gateways=()), FakeGateway()
    ann = clinic.enrolled()
    clinic.negative(ann)
    clinic.later(days=3)
    clinic.add_gateway("cards")
    clinic.negative(ann, 3)
    dispatcher = clinic.dispatcher(vendor)
    assert [each.status for each in dispatcher.deliver()] == ["by hand", "over"]
    clinic.later(days=30)
    assert dispatcher.deliver() == []
    assert len(vendor.orders) == 1


def test_a_worker_without_the_sites_gateway_leaves_its_payouts_to_one_that_has_it(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(), clinic.enrolled()
    clinic.negative(ann)
    [left] = clinic.dispatcher(FakeGateway(), name="other").deliver()
    assert (left.status, left.note) == ("waiting", "no worker here has the gateway cards")
    clinic.later(minutes=10)
    [done] = clinic.dispatcher(vendor).deliver()
    assert done.status == "over"


def test_the_first_gateway_of_the_site_that_can_hand_it_over_does(url: str) -> None:
    clinic = Clinic(url, gateways=("big", "small", "any"))
    ann = clinic.enrolled()
    clinic.negative(ann)
    big = FakeGateway(capabilities=Capabilities(frozenset({"USD"}), least=Decimal(25)))
    small, some = FakeGateway(), FakeGateway()
    [done] = clinic.engine.dispatcher({"big": big, "small": small, "any": some}).deliver()
    assert (done.gateway, len(big.orders), len(small.orders), len(some.orders)) == ("small", 0, 1, 0)


def test_what_no_gateway_can_hand_over_is_stuck_and_says_why_of_each(url: str) -> None:
    clinic = Clinic(url, gateways=("big", "euros", "mail"))
    ann = clinic.enrolled()
    clinic.negative(ann)
    able = {
        "big": Capabilities(frozenset({"USD"}), least=Decimal(25)),
        "euros": Capabilities(frozenset({"EUR"})),
        "mail": Capabilities(frozenset({"USD"}), needs_handle=True),
    }
    made = {name: FakeGateway(capabilities=each) for name, each in able.items()}
    [done] = clinic.engine.dispatcher(made).deliver()
    assert done.status == "stuck"
    assert done.note == (
        "big: it hands over 25 USD or more; euros: it hands over EUR, and no USD; "
        "mail: it delivers to an address, and the participant has none"
    )
    assert not any(each.calls for each in made.values())


def test_a_handle_goes_only_to_a_gateway_that_needs_it(url: str) -> None:
    clinic = Clinic(url)
    ann = clinic.enrolled()
    clinic.negative(ann)
    mail = FakeGateway(capabilities=Capabilities(frozenset({"USD"}), needs_handle=True))
    asked: list[tuple[str, str]] = []

    def handle(participant: str, gateway: str) -> str:
        asked.append((participant, gateway))
        return "a@example.org"

    clinic.engine.dispatcher({"cards": mail}, handle=handle).deliver()
    assert [each.handle for each in mail.orders.values()] == ["a@example.org"]
    assert asked == [("p-1", "cards")]


# What fails


def test_a_host_that_cannot_say_where_somebody_is_reached_stands_in_the_way_of_no_other_payout(
    url: str,
) -> None:
    clinic = Clinic(url)
    for number in range(3):
        clinic.negative(clinic.enrolled(f"p-{number}"))
    mail = FakeGateway(capabilities=Capabilities(frozenset({"USD"}), needs_handle=True))

    def handle(participant: str, _: str) -> str:
        return {"p-0": "a@example.org", "p-2": "c@example.org"}[participant]

    done = clinic.engine.dispatcher({"cards": mail}, handle=handle).deliver()
    assert [each.note for each in done] == ["handed over", "KeyError", "handed over"]
    assert clinic.statuses() == ["over", "waiting", "over"]


@pytest.mark.parametrize("fault", ["before", "after", Outcome.UNKNOWN, Outcome.RETRY_LATER])
def test_a_gateway_that_fails_is_asked_again_later_and_pays_once(clinic: Clinic, fault: Any) -> None:
    vendor, ann = FakeGateway(faults=[fault]), clinic.enrolled()
    clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    [failed] = dispatcher.deliver()
    assert failed.status == "waiting"
    assert failed.due > clinic.now.isoformat()
    assert dispatcher.deliver() == []
    clinic.later(seconds=10)
    [done] = dispatcher.deliver()
    assert done.status == "over"
    assert len(vendor.orders) == 1
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}


def test_a_gateway_is_asked_less_and_less_often_and_in_the_end_a_person_has_to_look(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(faults=["before"] * 100), clinic.enrolled()
    clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    waits = []
    while clinic.statuses() == ["waiting"]:
        [tried] = dispatcher.deliver()
        if tried.due:
            wait = datetime.fromisoformat(tried.due) - clinic.now
            waits.append(wait.total_seconds())
            clinic.later(seconds=wait.total_seconds())
    assert len(vendor.calls) == CALLS_MAX
    assert waits[0] <= 2
    assert all(2**tries / 2 <= wait <= min(2**tries, 3600) for tries, wait in enumerate(waits, start=1))
    [stuck] = clinic.engine.deliveries()
    assert stuck.status == "stuck"
    assert "asked 12 times in vain" in stuck.note
    assert clinic.balance(ann) == {"awarded": "10.00", "in_flight": "10.00"}


def test_an_order_that_may_be_there_is_looked_up_before_it_is_sent_again(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(faults=["after"]), clinic.enrolled()
    clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    clinic.later(minutes=1)
    dispatcher.deliver()
    assert len(vendor.calls) == 1  # it was found


def test_an_order_of_a_gateway_that_cannot_be_asked_is_not_sent_again_once_it_forgets(url: str) -> None:
    clinic = Clinic(url)
    able = Capabilities(frozenset({"USD"}), reads_back=False, remembers=timedelta(hours=24))
    vendor = FakeGateway(faults=["after"] * 2, capabilities=able)
    ann = clinic.enrolled()
    clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    clinic.later(hours=23)
    dispatcher.deliver()
    assert len(vendor.calls) == 2
    clinic.later(hours=2)
    [stuck] = dispatcher.deliver()
    assert stuck.status == "stuck"
    assert "knows an order again for 1 day, 0:00:00 only" in stuck.note
    assert len(vendor.calls) == 2


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.CONFLICT])
def test_what_a_gateway_refuses_waits_for_a_person_with_the_reason(clinic: Clinic, outcome: Outcome) -> None:
    vendor, ann = FakeGateway(faults=[outcome]), clinic.enrolled()
    clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    [stuck] = dispatcher.deliver()
    assert (stuck.status, stuck.note, stuck.due) == ("stuck", f"the fake says: {outcome}", "")
    clinic.later(days=3)
    assert dispatcher.deliver() == []


class Lying(FakeGateway):
    """Give back an old order for a new one of the same id, as some vendors do."""

    def send(self, order: Order) -> Answer:
        super().send(order)
        return Answer(Outcome.REPLAYED, "old-1", placed=Placed(Decimal("25.00"), "USD"))


def test_an_order_that_the_vendor_has_otherwise_is_not_taken_for_handed_over(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    clinic.negative(ann)
    [stuck] = clinic.dispatcher(Lying()).deliver()
    assert stuck.status == "stuck"
    assert stuck.note == "asked for 10.00 USD, and the vendor has 25.00 USD under this id"
    assert clinic.balance(ann) == {"awarded": "10.00", "in_flight": "10.00"}


class Slow(FakeGateway):
    """Take an order, and hand it over when it is asked for the second time."""

    def send(self, order: Order) -> Answer:
        return super().send(order)._replace(is_given=False, note="waiting for funds")


def test_an_order_that_the_vendor_has_not_handed_over_yet_is_asked_about_until_it_has(clinic: Clinic) -> None:
    vendor, ann = Slow(), clinic.enrolled()
    clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    [taken] = dispatcher.deliver()
    assert (taken.status, taken.note) == ("waiting", "waiting for funds")
    assert clinic.balance(ann) == {"awarded": "10.00", "in_flight": "10.00"}
    clinic.later(minutes=11)
    [done] = dispatcher.deliver()
    assert done.status == "over"
    assert len(vendor.calls) == 1


def test_one_payout_that_fails_stands_in_the_way_of_no_other(clinic: Clinic) -> None:
    vendor = FakeGateway(faults=["before", Outcome.REJECTED])
    for number in range(4):
        clinic.negative(clinic.enrolled(f"p-{number}"))
    assert sorted(each.status for each in clinic.dispatcher(vendor).deliver()) == [
        "over",
        "over",
        "stuck",
        "waiting",
    ]


def test_inv_16_an_order_that_somebody_changed_in_the_database_is_not_asked_for(tmp_path: Path) -> None:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    vendor = FakeGateway(faults=[Outcome.RETRY_LATER])
    clinic.negative(clinic.enrolled())
    clinic.dispatcher(vendor).deliver()
    with sqlite3.connect(tmp_path / "clinic.db") as file:
        [(body,)] = file.execute("SELECT body FROM cm_work")
        other = form_of(body)
        other["order"]["amount"] = "999.00"
        file.execute("UPDATE cm_work SET body = ?", [body_of(other)])
    clinic.later(minutes=1)
    [stuck] = clinic.dispatcher(vendor).deliver()
    assert (stuck.status, len(vendor.calls), vendor.orders) == ("stuck", 1, {})
    assert stuck.note.startswith("what was saved to be asked for is not what the log says")


CHANGED = {
    "another amount": (
        "UPDATE cm_work SET body = replace(body, '10.00', '999.00')",
        "its body cannot be used: it is not as the",
    ),
    "another gateway": (
        "UPDATE cm_work SET body = replace(body, '\"cards\"', '\"bank\"')",
        "its body cannot be used: it is not as the",
    ),
    "another recipient": (
        "UPDATE cm_work SET body = replace(body, 'p-1', 'p-2')",
        "its body cannot be used: it is not as the",
    ),
    "no JSON": ("UPDATE cm_work SET body = '{'", "its body cannot be used: Expecting property name"),
    "a list": ("UPDATE cm_work SET body = '[]'", "its body cannot be used: it is not as the engine wrote it"),
    "nothing": ("UPDATE cm_work SET body = '{}'", "nothing is known of it, and it was worked on"),
    "no such state": (
        "UPDATE cm_work SET state = 'lost'",
        "its state is 'lost', and there are waiting, by hand, to be approved",
    ),
    "no time": (
        "UPDATE cm_work SET due = 'soon'",
        "its body cannot be used: Invalid isoformat string: 'soon'",
    ),
    "another zone": ("UPDATE cm_work SET due = replace(due, '+00:00', '-08:00')", "it is due '2026-01-05T"),
}


@pytest.mark.parametrize("change", CHANGED)
def test_inv_15_work_that_somebody_changed_is_found_by_the_audit_and_asks_for_nothing(
    tmp_path: Path, change: str
) -> None:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    vendor = FakeGateway(faults=[Outcome.UNKNOWN])
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    assert clinic.engine.verify().is_clean
    with sqlite3.connect(tmp_path / "clinic.db") as file:
        file.execute(CHANGED[change][0])
    [found] = clinic.engine.verify().differences
    assert str(found).startswith(f"{ann}: payout 00001/1: {CHANGED[change][1]}")
    clinic.later(hours=1)
    calls = len(vendor.calls)
    found_now = clinic.dispatcher(vendor).deliver()
    if "SET body" not in CHANGED[change][0] or change == "nothing":
        return
    [stuck] = found_now
    assert (stuck.status, len(vendor.calls)) == ("stuck", calls)
    assert stuck.note.endswith("look whether a vendor has it, and if none has, have it tried again")
    clinic.engine.retry_payout(enrollment=ann, number=number, by="boss-1")
    assert [each.status for each in clinic.dispatcher(vendor).deliver()] == ["over"]
    assert [str(order.amount) for order in vendor.orders.values()] == ["10.00"]
    assert clinic.engine.verify().is_clean


MISSING = "work 00001/1: it is missing, and the payout is in flight"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            "UPDATE cm_work SET state = 'over'",
            [
                "payout 00001/1: nothing is known of it, and it was worked on",
                "work 00001/1: it is over, and the payout is in flight",
            ],
        ),
        ("UPDATE cm_work SET name = '00009/1'", ["work 00009/1: there is no such payout"]),
        ("DELETE FROM cm_work", [MISSING]),
        (
            "UPDATE cm_work SET enrollment = 'e-9'",
            [MISSING, "work: there are 1 rows, and 0 belong to an enrollment"],
        ),
    ],
)
def test_an_audit_finds_work_that_was_tampered_with(tmp_path: Path, change: str, found: list[str]) -> None:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    clinic.negative(clinic.enrolled())
    assert clinic.engine.verify().is_clean
    with sqlite3.connect(tmp_path / "clinic.db") as file:
        file.execute("DROP TRIGGER cm_work_no_delete")
        file.execute(change)
    assert [str(each).partition(": ")[2] for each in clinic.engine.verify().differences] == found


# Workers that die


class Dying(FakeGateway):
    """Take an order, and then the worker is gone."""

    def send(self, order: Order) -> Answer:
        super().send(order)
        raise KeyboardInterrupt


def test_what_a_dead_worker_had_is_taken_over_after_its_lease_and_paid_once(clinic: Clinic) -> None:
    vendor, ann = Dying(), clinic.enrolled()
    clinic.negative(ann)
    with pytest.raises(KeyboardInterrupt):
        clinic.dispatcher(vendor).deliver()
    alive = FakeGateway(orders=vendor.orders)
    other = clinic.dispatcher(alive, worker="w-2")
    assert other.deliver() == []
    clinic.later(minutes=5)
    [done] = other.deliver()
    assert (done.status, done.tries, len(alive.orders), alive.calls) == ("over", 2, 1, [])


def test_a_worker_that_lost_its_lease_leaves_the_payout_to_the_one_that_has_it(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    clinic.negative(ann)
    orders: dict[str, Order] = {}
    late = FakeGateway(orders=orders)

    class Sleeping(FakeGateway):
        def send(self, order: Order) -> Answer:
            answer = super().send(order)
            clinic.later(minutes=6)
            [taken_over] = clinic.dispatcher(late, worker="w-2").deliver()
            assert taken_over.status == "over"
            return answer

    assert clinic.dispatcher(Sleeping(orders=orders)).deliver() == []
    assert len(orders) == 1
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}


# People


def test_a_frozen_enrollment_waits_and_one_that_is_released_goes_on(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(), clinic.enrolled()
    clinic.negative(ann)
    clinic.engine.freeze(enrollment=ann, on=START, why="a dispute", source="desk", key="f", by="boss-1")
    dispatcher = clinic.dispatcher(vendor)
    [waits] = dispatcher.deliver()
    assert (waits.status, waits.note) == ("waiting", "the enrollment is frozen")
    clinic.engine.release(enrollment=ann, on=START, why="settled", source="desk", key="r", by="boss-1")
    clinic.later(hours=1)
    assert [each.status for each in dispatcher.deliver()] == ["over"]


@pytest.mark.parametrize("act", ["hand_over", "decline"])
def test_a_person_hands_over_or_declines_what_no_gateway_was_asked_for(clinic: Clinic, act: str) -> None:
    vendor, ann = FakeGateway(), clinic.enrolled()
    number = clinic.negative(ann)
    why = {"why": "not wanted"} if act == "decline" else {}
    getattr(clinic.engine, act)(enrollment=ann, number=number, source="desk", key="h", by="nurse-8", **why)
    [over] = clinic.engine.deliveries()
    assert over.status == "over"
    assert over.note.endswith("by nurse-8")
    clinic.later(days=1)
    assert clinic.dispatcher(vendor).deliver() == []
    assert vendor.calls == []


@pytest.mark.parametrize("act", ["hand_over", "decline"])
@pytest.mark.parametrize("fault", ["after", Outcome.UNKNOWN, Outcome.CONFLICT])
def test_inv_16_what_a_gateway_may_have_is_neither_handed_over_by_hand_nor_declined(
    clinic: Clinic, act: str, fault: Any
) -> None:
    vendor, ann = FakeGateway(faults=[fault]), clinic.enrolled()
    number = clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    why = {"why": "not wanted"} if act == "decline" else {}
    before = clinic.engine.history(enrollment=ann)
    with pytest.raises(DeliveryError, match="the gateway cards may have it"):
        getattr(clinic.engine, act)(enrollment=ann, number=number, source="desk", key="h", by="n-8", **why)
    assert len(clinic.engine.history(enrollment=ann)) == len(before)


@pytest.mark.parametrize("second", [Outcome.REJECTED, Outcome.RETRY_LATER])
def test_inv_16_a_refusal_after_a_call_that_was_lost_does_not_say_that_nothing_is_there(
    clinic: Clinic, second: Outcome
) -> None:
    able = Capabilities(frozenset({"USD"}), reads_back=False, remembers=timedelta(hours=24))
    vendor, ann = FakeGateway(faults=["after", second], capabilities=able), clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    clinic.later(minutes=1)
    [waiting] = dispatcher.deliver()
    assert (waiting.status, len(vendor.orders)) == ("waiting", 1)
    assert waiting.note.endswith("it may have what it was sent before")
    with pytest.raises(DeliveryError, match="the gateway cards may have it"):
        clinic.engine.hand_over(enrollment=ann, number=number, source="desk", key="h", by="nurse-8")
    clinic.later(minutes=1)
    [done] = dispatcher.deliver()
    assert (done.status, len(vendor.orders)) == ("over", 1)


class Busy(FakeGateway):
    """Know of no order while it is busy."""

    def find(self, id: str) -> Answer | None:  # noqa: A002, ARG002 - as the port says
        return Answer(Outcome.RETRY_LATER)


def test_inv_16_a_gateway_that_is_too_busy_to_say_does_not_say_that_nothing_is_there(clinic: Clinic) -> None:
    vendor, ann = Busy(faults=["after"]), clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    for _ in range(2):
        dispatcher.deliver()
        clinic.later(minutes=1)
    assert clinic.statuses() == ["waiting"]
    with pytest.raises(DeliveryError, match="the gateway cards may have it"):
        clinic.engine.hand_over(enrollment=ann, number=number, source="desk", key="h", by="nurse-8")


def test_a_person_has_what_was_rejected_tried_again_with_whatever_gateway_can(url: str) -> None:
    clinic = Clinic(url, gateways=("first", "second"))
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    broke, rich = FakeGateway(faults=[Outcome.REJECTED]), FakeGateway()
    [stuck] = clinic.engine.dispatcher({"first": broke, "second": rich}).deliver()
    again = clinic.engine.retry_payout(enrollment=ann, number=number, by="boss-1")
    assert (again.status, again.note) == ("waiting", "tried again by boss-1")
    poor = FakeGateway(capabilities=Capabilities(frozenset({"USD"}), most=Decimal(1)))
    [done] = clinic.engine.dispatcher({"first": poor, "second": rich}).deliver()
    assert (done.status, done.gateway, done.order) == ("over", "second", stuck.order)
    with pytest.raises(DeliveryError, match="it is over, and not by hand or stuck"):
        clinic.engine.retry_payout(enrollment=ann, number=number, by="boss-1")


def cancelled(clinic: Clinic, vendor: FakeGateway, ann: str, number: int, **more: Any) -> Any:
    told: dict[str, Any] = {"why": "lost", "source": "desk", "key": "c", "by": "boss-1"}
    return clinic.dispatcher(vendor).cancel(enrollment=ann, number=number, **told, **more)


def test_a_stuck_payout_is_cancelled_only_once_the_gateway_has_said_that_it_has_none(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(faults=[Outcome.CONFLICT]), clinic.enrolled()
    number = clinic.negative(ann)
    [stuck] = clinic.dispatcher(vendor).deliver()
    vendor.orders[stuck.order] = Order(stuck.order, Decimal(5), "USD")
    with pytest.raises(DeliveryError, match="cards has it, or cannot say"):
        cancelled(clinic, vendor, ann, number)
    vendor.orders.clear()
    assert cancelled(clinic, vendor, ann, number).sentence
    assert clinic.balance(ann) == {"awarded": "10.00", "owed": "10.00"}
    assert cancelled(clinic, vendor, ann, number).replayed
    assert clinic.statuses() == ["over"]


def test_a_payout_under_way_is_not_cancelled(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(faults=["before"]), clinic.enrolled()
    number = clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    with pytest.raises(DeliveryError, match="it is under way"):
        cancelled(clinic, vendor, ann, number)
    assert clinic.balance(ann) == {"awarded": "10.00", "in_flight": "10.00"}


def test_a_payout_that_is_reissued_has_an_id_of_its_own_and_is_paid_once(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(faults=[Outcome.REJECTED]), clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    [stuck] = dispatcher.deliver()
    told: dict[str, Any] = {"why": "a wrong address", "source": "desk", "key": "c", "by": "boss-1"}
    anew = dispatcher.reissue(enrollment=ann, number=number, **told)
    assert anew is not None
    again = dispatcher.reissue(enrollment=ann, number=number, **told)
    assert again is not None
    assert (again.number, again.replayed) == (anew.number, True)
    [done] = dispatcher.deliver()
    assert (done.number, done.status) == (anew.number, "over")
    assert done.order != stuck.order
    assert list(vendor.orders) == [done.order]
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}


RELEASED = PROGRAM + "people: {release: another person}\n"


def test_where_another_person_releases_pay_it_waits_for_that_and_the_act_is_theirs(url: str) -> None:
    clinic, vendor = Clinic(url, RELEASED), FakeGateway()
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    [waits] = dispatcher.deliver()
    assert (waits.status, waits.due, vendor.calls) == ("to be approved", "", [])
    with pytest.raises(NotAllowedError, match="another person has to hand it over"):
        clinic.engine.approve_payout(enrollment=ann, number=number, by="nurse-7")
    clinic.engine.approve_payout(enrollment=ann, number=number, by="cashier-1")
    [done] = dispatcher.deliver()
    assert done.status == "over"
    [payout] = clinic.engine.payouts(enrollment=ann)
    assert payout.handed_over_by == "cashier-1"
    [released] = [each for each in clinic.engine.history(enrollment=ann) if each.kind == "payout released"]
    assert (released.by, released.reported) == ("cashier-1", {"number": number, "leg": 1})
    assert clinic.engine.verify().is_clean


def test_who_is_only_said_to_have_released_pay_has_not(tmp_path: Path) -> None:
    """A knowing hand wrote it to the work, and the log has no such act."""
    clinic, vendor = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}", RELEASED), FakeGateway()
    clinic.negative(clinic.enrolled())
    clinic.dispatcher(vendor).deliver()
    with sqlite3.connect(tmp_path / "clinic.db") as file:
        said = body_of({"approved_by": "cashier-1"})
        file.execute("UPDATE cm_work SET body = ?, state = 'waiting'", [said])
    clinic.later(hours=1)
    assert [each.status for each in clinic.dispatcher(vendor).deliver()] == ["to be approved"]
    assert vendor.calls == []


def test_who_has_a_payout_tried_again_stands_in_the_log_each_time(clinic: Clinic) -> None:
    ann, vendor = clinic.enrolled(), FakeGateway(faults=[Outcome.REJECTED, Outcome.REJECTED])
    number = clinic.negative(ann)
    for who in ("boss-1", "boss-2"):
        clinic.dispatcher(vendor).deliver()
        clinic.engine.retry_payout(enrollment=ann, number=number, by=who)
    assert [each.status for each in clinic.dispatcher(vendor).deliver()] == ["over"]
    acts = [each for each in clinic.engine.history(enrollment=ann) if each.kind == "payout retried"]
    assert [each.by for each in acts] == ["boss-1", "boss-2"]
    assert not any(each.decisions for each in acts)
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}


def test_an_act_of_somebody_who_has_a_payout_tried_again_cannot_be_changed_unseen(tmp_path: Path) -> None:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    ann, vendor = clinic.enrolled(), FakeGateway(faults=[Outcome.REJECTED])
    number = clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    clinic.engine.retry_payout(enrollment=ann, number=number, by="boss-1")
    assert clinic.engine.verify().is_clean
    with sqlite3.connect(tmp_path / "clinic.db") as rows:
        for [trigger] in rows.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            rows.execute(f'DROP TRIGGER "{trigger}"')
        rows.execute("UPDATE cm_records SET actor = 'boss-2' WHERE kind = 'payout retried'")
    rows.close()
    assert not clinic.engine.verify().is_clean


# What is asked


def test_deliveries_are_listed_page_by_page_and_by_status(clinic: Clinic) -> None:
    for number in range(5):
        clinic.negative(clinic.enrolled(f"p-{number}"))
    clinic.dispatcher(FakeGateway()).deliver(limit=2)
    found: list[Delivery] = []
    while page := clinic.engine.deliveries(after=found[-1] if found else None, limit=2):
        found += page
    assert found == clinic.engine.deliveries()
    assert isinstance(found[0], Delivery)
    assert len(found) == 5
    assert len(clinic.engine.deliveries(status="over")) == 2
    assert [each.enrollment for each in clinic.engine.deliveries(enrollment="e-p-3")] == ["e-p-3"]
    with pytest.raises(
        ReportError, match="status: expected waiting, late, by hand, to be approved, stuck, over, got 'sent'"
    ):
        clinic.engine.deliveries(status="sent")
