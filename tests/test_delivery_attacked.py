"""Attacks on the delivery of payouts: what a reviewer of money software tries, one fault or one guarantee a test."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from cm_engine import Engine, Report, parse_program
from cm_engine.errors import CmEngineError, DeliveryError, NotAllowedError, ReportError
from cm_engine.gateways import Answer, Capabilities, Order, Outcome, Placed
from cm_engine.testing.gateway import FakeGateway
from tests.test_delivery import PROGRAM, RELEASED, START, Clinic, Dying

BLIND = Capabilities(frozenset({"USD"}), reads_back=False)
"""A gateway that cannot be asked what became of an order."""


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgresql_url")
        return found
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'clinic.db'}"


@pytest.fixture
def clinic(url: str) -> Iterator[Clinic]:
    made = Clinic(url)
    yield made
    assert made.engine.verify().is_clean
    made.engine.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[Clinic, Path]]:
    """A clinic on SQLite, and its file, for those who change it behind the engine's back."""
    path = tmp_path / "clinic.db"
    made = Clinic(f"sqlite:///{path}")
    yield made, path
    made.engine.close()


IN_MEMORY = pytest.mark.parametrize("url", ["memory"], indirect=True)
"""Where every storage does the same: what a gateway answers is read before it comes to one."""


def told(key: str, **more: Any) -> dict[str, Any]:
    return {"source": "desk", "key": key, "by": "boss-1", **more}


def changed_behind(path: Path, sql: str, *values: Any) -> None:
    """Change a row of the database, as no engine does."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql, values)
        connection.commit()


class Scripted(FakeGateway):
    """Take orders, and answer what a test says, call by call; nothing more to say is an answer as it is."""

    def __init__(self, *script: Callable[["Scripted", Order], Any], found: Any = "", **more: Any) -> None:
        super().__init__(**more)
        self.script = list(script)
        self.found = found

    def send(self, order: Order) -> Any:
        self.calls.append(order.id)
        return self.script.pop(0)(self, order) if self.script else self.takes(order)

    def takes(self, order: Order) -> Answer:
        return self._taken(order)

    def find(self, id: str) -> Any:  # noqa: A002 - as the port says
        return super().find(id) if self.found == "" else self.found


def takes(answer: Any) -> Callable[[Scripted, Order], Any]:
    """Return a step that takes an order, and answers something."""

    def step(vendor: Scripted, order: Order) -> Any:
        vendor.takes(order)
        return answer

    return step


def says(answer: Any) -> Callable[[Scripted, Order], Any]:
    """Return a step that takes nothing, and answers something."""
    return lambda _, __: answer


UNKNOWN = Answer(Outcome.UNKNOWN)


# Paid twice, or lost


@pytest.mark.parametrize("later", [Outcome.RETRY_LATER, Outcome.REJECTED])
@pytest.mark.parametrize("act", ["hand_over", "decline"])
def test_what_may_be_at_a_blind_gateway_stays_so_whatever_it_answers_later(
    clinic: Clinic, later: Outcome, act: str
) -> None:
    vendor, ann = Scripted(takes(UNKNOWN), says(Answer(later)), capabilities=BLIND), clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    for _ in range(2):
        dispatcher.deliver()
        clinic.later(minutes=1)
    assert len(vendor.orders) == 1
    why = {"why": "lost"} if act == "decline" else {}
    with pytest.raises(DeliveryError, match="may have it"):
        getattr(clinic.engine, act)(enrollment=ann, number=number, **told("h", **why))


@IN_MEMORY
@pytest.mark.parametrize(
    "found",
    [
        Answer(Outcome.RETRY_LATER),
        pytest.param(
            Answer(Outcome.REJECTED, note="the key is not accepted"),
        ),
    ],
    ids=["retry", "rejected"],
)
def test_a_vendor_that_refuses_to_look_has_not_said_that_it_has_no_order(
    clinic: Clinic, found: Answer
) -> None:
    vendor, ann = Scripted(takes(UNKNOWN), found=found), clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    for _ in range(2):
        dispatcher.deliver()
        clinic.later(minutes=1)
    with pytest.raises(DeliveryError, match="may have it"):
        clinic.engine.hand_over(enrollment=ann, number=number, **told("h"))


@IN_MEMORY
def test_a_payout_is_not_cancelled_because_the_vendor_refused_to_look(clinic: Clinic) -> None:
    conflict = Answer(Outcome.CONFLICT)
    refused = Answer(Outcome.REJECTED, note="the key is not accepted")
    vendor, ann = Scripted(takes(conflict), found=refused), clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    with pytest.raises(DeliveryError, match="has it, or cannot say"):
        dispatcher.cancel(enrollment=ann, number=number, why="lost", **told("c"))


@IN_MEMORY
def test_what_may_be_at_one_gateway_is_never_tried_at_another(url: str) -> None:
    clinic = Clinic(url, gateways=("first", "second"))
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    first = Scripted(takes(UNKNOWN), says(Answer(Outcome.REJECTED, note="no funds")), capabilities=BLIND)
    second = FakeGateway()
    for _ in range(2):
        clinic.engine.dispatcher({"first": first, "second": second}).deliver()
        clinic.later(minutes=1)
    with suppress(DeliveryError):  # it is under way
        clinic.engine.retry_payout(enrollment=ann, number=number, by="boss-1")
    poor = FakeGateway(capabilities=BLIND._replace(most=Decimal(1)), orders=first.orders)
    clinic.engine.dispatcher({"first": poor, "second": second}).deliver()
    assert (len(first.orders), len(second.orders)) == (1, 0)


def test_an_enrollment_does_not_leave_while_a_gateway_may_have_its_payout(clinic: Clinic) -> None:
    vendor, ann = Scripted(takes(UNKNOWN)), clinic.enrolled()
    number = clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    with pytest.raises(DeliveryError):
        clinic.engine.export(enrollment=ann, to="other", why="moved", **told("x"))
    clinic.later(minutes=1)
    [done] = clinic.dispatcher(vendor).deliver()
    assert (done.number, done.status) == (number, "over")


def test_no_payout_is_sent_from_a_transaction_that_may_be_rolled_back(file: tuple[Clinic, Path]) -> None:
    clinic, path = file
    ann, vendor = clinic.enrolled(), FakeGateway()
    host = create_engine(f"sqlite:///{path}")
    with host.connect() as connection:
        joined = clinic.engine.joining(connection)
        joined.record(enrollment=ann, result="-", on=START, source="desk", key="j", by="nurse-7")
        with suppress(CmEngineError):  # a clear refusal is as good
            joined.dispatcher({"cards": vendor}).deliver()
        connection.rollback()
    host.dispose()
    assert len(vendor.orders) == len(clinic.engine.payouts(enrollment=ann)) == 0


def test_an_answer_that_comes_after_the_payout_was_taken_back_is_a_persons_to_look_at(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    orders: dict[str, Order] = {}

    def while_it_sleeps(vendor: Scripted, order: Order) -> Answer:
        clinic.later(minutes=6)
        other = FakeGateway(faults=[Outcome.REJECTED], orders=orders)
        second = clinic.dispatcher(other, worker="w-2")
        second.deliver()
        second.cancel(enrollment=ann, number=number, why="rejected", **told("c"))
        return vendor.takes(order)

    clinic.dispatcher(Scripted(while_it_sleeps, orders=orders)).deliver()
    assert len(orders) == 1  # the vendor has paid
    [delivery] = clinic.engine.deliveries()
    assert delivery.status == "stuck"
    assert delivery.note


def test_a_worker_that_asks_has_its_whole_lease_for_it(clinic: Clinic) -> None:
    orders: dict[str, Order] = {}
    for name in ("p-1", "p-2"):
        clinic.negative(clinic.enrolled(name))
    met: list[int] = []

    def slow(vendor: Scripted, order: Order) -> Answer:
        clinic.later(minutes=4)
        other = FakeGateway(orders=orders)
        met.append(len(clinic.dispatcher(other, worker="w-2").deliver()))
        return vendor.takes(order)

    clinic.dispatcher(Scripted(slow, slow, orders=orders)).deliver()
    assert met == [0, 0]


@IN_MEMORY
def test_an_order_that_the_vendor_took_and_does_not_know_any_more_is_not_sent_anew(clinic: Clinic) -> None:
    def taken(vendor: Scripted, order: Order) -> Answer:
        return vendor.takes(order)._replace(is_given=False, note="waiting for funds")

    vendor, ann = Scripted(taken, found=None), clinic.enrolled()
    clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    clinic.later(days=30)
    [found] = dispatcher.deliver()
    assert len(vendor.calls) == 1
    assert found.status == "stuck"


def test_an_order_that_was_changed_in_the_database_is_not_sent(file: tuple[Clinic, Path]) -> None:
    clinic, path = file
    vendor, ann = Scripted(says(Answer(Outcome.UNKNOWN))), clinic.enrolled()
    clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    changed_behind(path, "UPDATE cm_work SET body = replace(body, '10.00', '1000.00')")
    clinic.later(minutes=1)
    clinic.dispatcher(vendor).deliver()
    assert [each.amount for each in vendor.orders.values()] in ([], [Decimal("10.00")])


def test_the_audit_finds_a_payout_on_its_way_that_nobody_works_on(file: tuple[Clinic, Path]) -> None:
    clinic, path = file
    clinic.negative(clinic.enrolled())
    changed_behind(path, "UPDATE cm_work SET name = '00099/1'")
    assert not clinic.engine.verify().is_clean
    changed_behind(path, "UPDATE cm_work SET enrollment = 'e-other', name = '00001/1'")
    assert not clinic.engine.verify().is_clean


def test_what_a_gateway_may_have_is_not_handed_over_by_hand_however_many_payouts_there_are() -> None:
    clinic = Clinic(
        "memory:",
        PROGRAM.replace("weeks: 1-12, per_week: 2", "weeks: 1-200, per_week: 7").replace("1-12", "1-200"),
    )
    clinic.now = datetime(2060, 1, 1, tzinfo=UTC)
    ann = clinic.enrolled()
    reports = (
        Report(enrollment=ann, result="-", on=START + timedelta(day), source="desk", key=f"{day}", by="n")
        for day in range(1001)
    )
    numbers = [each.number for each in clinic.engine.record_many(reports)]
    vendor = FakeGateway(faults=["after"] * 2000)
    clinic.dispatcher(vendor).deliver(limit=2000)
    with pytest.raises(DeliveryError, match="may have it"):
        clinic.engine.hand_over(enrollment=ann, number=numbers[-1], **told("h"))


def test_a_payout_that_is_tried_again_while_it_is_looked_up_is_not_cancelled(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    other = Answer(Outcome.REPLAYED, placed=Placed(Decimal(5), "USD"))

    class Meanwhile(FakeGateway):
        def find(self, id: str) -> Answer | None:  # noqa: A002 - as the port says
            found = super().find(id)
            clinic.engine.retry_payout(enrollment=ann, number=number, by="boss-2")
            clinic.dispatcher(Scripted(takes(other), orders=self.orders), worker="w-2").deliver()
            return found

    vendor = Meanwhile(faults=[Outcome.REJECTED])
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    with pytest.raises(DeliveryError):
        dispatcher.cancel(enrollment=ann, number=number, why="lost", **told("c"))
    assert len(vendor.orders) == 1


@IN_MEMORY
def test_an_order_is_not_sent_again_so_late_that_the_vendor_may_forget_it_meanwhile(clinic: Clinic) -> None:
    able = BLIND._replace(remembers=timedelta(hours=24))
    vendor = Scripted(takes(UNKNOWN), capabilities=able)
    clinic.negative(clinic.enrolled())
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    clinic.later(hours=23, minutes=58)
    [stuck] = dispatcher.deliver()
    assert (stuck.status, len(vendor.calls)) == ("stuck", 1)


# One that fails, and the others


WRONG: tuple[Any, ...] = (
    Answer(Outcome.CREATED, reference=12345),  # type: ignore[arg-type]
    Answer(Outcome.CREATED, note=None, is_given=False),  # type: ignore[arg-type]
    Answer(Outcome.CREATED, placed=Placed(Decimal("sNaN"), "USD")),
    Answer(Outcome.CREATED, placed={"amount": 10}),  # type: ignore[arg-type]
    Answer(Outcome.CREATED, is_given=False, wait=timedelta.max),
    Answer(Outcome.RETRY_LATER, wait=30),  # type: ignore[arg-type]
    Answer(Outcome.RETRY_LATER, wait=timedelta.max),
    Answer(["created"]),  # type: ignore[arg-type]
)
"""What no worker survives now."""
STRANGE: tuple[Any, ...] = (
    Answer(Outcome.CREATED, note=7),  # type: ignore[arg-type]
    Answer(Outcome.CREATED, placed=Placed(Decimal("NaN"), "USD")),
    Answer(Outcome.CREATED, placed=Placed(Decimal(-10), "USD")),
    Answer(Outcome.CREATED, placed=Placed("10.00", "USD")),  # type: ignore[arg-type]
    Answer("paid, I think"),  # type: ignore[arg-type]
    Answer(None),  # type: ignore[arg-type]
    Answer(Outcome.REJECTED, note="x" * 10_000_000),
    Answer(Outcome.CREATED, reference="line\nbreak " * 1000),
    ("created",),
    None,
    {},
)
SURROGATE, NUL = "a\ud800b", "a\0b"


def short(answer: object) -> str:
    return repr(answer)[:80].encode("ascii", "backslashreplace").decode()


@IN_MEMORY
@pytest.mark.parametrize("answer", [*STRANGE, *(pytest.param(each) for each in WRONG)], ids=short)
def test_whatever_a_gateway_answers_the_others_are_paid_and_it_is_seen(clinic: Clinic, answer: Any) -> None:
    vendor = Scripted(takes(answer))
    for name in ("p-1", "p-2", "p-3"):
        clinic.negative(clinic.enrolled(name))
    found = clinic.dispatcher(vendor).deliver()
    assert len(found) == 3
    assert [each.status for each in found[1:]] == ["over", "over"]
    assert len(vendor.orders) == 3
    assert found[0].status in {"over", "stuck", "waiting"}


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("sqlite", Answer(Outcome.CREATED, note=SURROGATE, is_given=False)),
        ("sqlite", Answer(Outcome.CREATED, reference=SURROGATE)),
        ("postgresql", Answer(Outcome.CREATED, note=SURROGATE, is_given=False)),
        ("postgresql", Answer(Outcome.CREATED, reference=SURROGATE)),
        ("postgresql", Answer(Outcome.CREATED, note=NUL, is_given=False)),
    ],
    indirect=["url"],
    ids=short,
)
def test_a_text_that_no_database_takes_is_no_reason_to_leave_the_others(
    clinic: Clinic, answer: Answer
) -> None:
    test_whatever_a_gateway_answers_the_others_are_paid_and_it_is_seen(clinic, answer)


@IN_MEMORY
@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(timedelta(days=-1)),
        timedelta(0),
    ],
)
def test_a_gateway_that_wants_no_wait_is_not_asked_again_at_once(clinic: Clinic, wait: timedelta) -> None:
    def taken(vendor: Scripted, order: Order) -> Answer:
        return vendor.takes(order)._replace(is_given=False, wait=wait, note="soon")

    clinic.negative(clinic.enrolled())
    dispatcher = clinic.dispatcher(Scripted(taken))
    dispatcher.deliver()
    assert dispatcher.deliver() == []


def test_a_payout_whose_work_was_written_by_another_release_stops_no_other(file: tuple[Clinic, Path]) -> None:
    clinic, path = file
    for name in ("p-1", "p-2"):
        clinic.negative(clinic.enrolled(name))
    changed_behind(
        path, "UPDATE cm_work SET body = ? WHERE enrollment = 'e-p-1'", json.dumps({"colour": "blue"})
    )
    vendor = FakeGateway()
    clinic.dispatcher(vendor).deliver()
    assert [each.recipient for each in vendor.orders.values()][-1] == "p-2"
    assert len(clinic.engine.deliveries()) == 2


@pytest.mark.parametrize(
    "body",
    [*(pytest.param(each) for each in ("{", "[]", '{"order":{"id":"x"}}')), '{"calls":"many"}'],
)
def test_a_payout_whose_work_cannot_be_read_stops_no_other_and_is_listed(
    file: tuple[Clinic, Path], body: str
) -> None:
    clinic, path = file
    for name in ("p-1", "p-2"):
        clinic.negative(clinic.enrolled(name))
    changed_behind(path, "UPDATE cm_work SET body = ? WHERE enrollment = 'e-p-1'", body)
    vendor = FakeGateway(faults=[Outcome.RETRY_LATER] * 2)
    for _ in range(3):
        clinic.dispatcher(vendor).deliver()
        clinic.later(minutes=10)
    assert "p-2" in {each.recipient for each in vendor.orders.values()}
    assert len(clinic.engine.deliveries()) == 2


@IN_MEMORY
def test_a_host_that_cannot_tell_an_address_holds_up_that_payout_alone(clinic: Clinic) -> None:
    for name in ("p-1", "p-2"):
        clinic.negative(clinic.enrolled(name))
    able = Capabilities(frozenset({"USD"}), needs_handle=True)
    vendor = FakeGateway(capabilities=able)

    def handle(participant: str, _: str) -> str:
        return {"p-2": "b@example.org"}[participant]

    clinic.engine.dispatcher({"cards": vendor}, handle=handle).deliver()
    assert [each.recipient for each in vendor.orders.values()] == ["p-2"]


# What happens while a gateway is asked


def _void(clinic: Clinic, ann: str) -> None:
    [record] = [act.record for act in clinic.engine.history(enrollment=ann) if act.kind == "observed"]
    clinic.engine.void(enrollment=ann, record=record, why="wrong", **told("v"))


def _amend(clinic: Clinic, ann: str) -> None:
    [record] = [act.record for act in clinic.engine.history(enrollment=ann) if act.kind == "observed"]
    clinic.engine.amend(enrollment=ann, record=record, result="+", why="wrong", **told("a"))


def _freeze(clinic: Clinic, ann: str) -> None:
    clinic.engine.freeze(enrollment=ann, on=START, why="a dispute", **told("f"))


def _discharge(clinic: Clinic, ann: str) -> None:
    clinic.engine.discharge(enrollment=ann, on=START, why="left", **told("d"))


def _transfer(clinic: Clinic, ann: str) -> None:
    clinic.engine.open_site("south", zone="America/New_York", by="boss-1")
    clinic.engine.transfer(enrollment=ann, to="south", on=START + timedelta(1), why="moved", **told("t"))


def _export(clinic: Clinic, ann: str) -> None:
    clinic.engine.export(enrollment=ann, to="other", why="moved", **told("x"))


def _migrate(clinic: Clinic, ann: str) -> None:
    clinic.engine.add_program(parse_program(RELEASED.replace('version: "1"', 'version: "2"')))
    clinic.engine.migrate(enrollment=ann, program="cards@2", on=START + timedelta(1), why="new", **told("m"))


def _more(clinic: Clinic, ann: str) -> None:
    clinic.negative(ann, 1)


def _hand_over(clinic: Clinic, ann: str) -> None:
    clinic.engine.hand_over(enrollment=ann, number=1, **told("h"))


def _decline(clinic: Clinic, ann: str) -> None:
    clinic.engine.decline(enrollment=ann, number=1, why="no", **told("n"))


def _redeem(clinic: Clinic, ann: str) -> None:
    clinic.engine.redeem(enrollment=ann, **told("r"))


def _retry(clinic: Clinic, ann: str) -> None:
    clinic.engine.retry_payout(enrollment=ann, number=1, by="boss-1")


MEANWHILE = [
    _void,
    _amend,
    _freeze,
    _discharge,
    _transfer,
    _export,
    _migrate,
    _more,
    _hand_over,
    _decline,
    _redeem,
    _retry,
]


@pytest.mark.parametrize(
    "act", [pytest.param(each) if each in {_freeze, _export} else each for each in MEANWHILE]
)
def test_what_a_person_does_while_a_gateway_is_asked_neither_pays_twice_nor_stops_a_worker(
    clinic: Clinic, act: Callable[[Clinic, str], None]
) -> None:
    ann, bob = clinic.enrolled("p-1"), clinic.enrolled("p-2")
    clinic.negative(ann)
    clinic.negative(bob)

    wrong: list[Exception] = []

    def meanwhile(vendor: Scripted, order: Order) -> Answer:
        try:
            act(clinic, ann)
        except (DeliveryError, ReportError):
            pass  # it may be refused
        except Exception as error:  # noqa: BLE001 - a dispatcher takes it for the gateway's
            wrong.append(error)
        return vendor.takes(order)

    vendor = Scripted(meanwhile)
    found = clinic.dispatcher(vendor).deliver()
    assert wrong == []
    assert [each.status for each in found] in (["over", "over"], ["waiting", "over"])
    for _ in range(3):
        clinic.later(hours=12)
        clinic.dispatcher(vendor).deliver()
    assert sum(order.recipient == "p-1" for order in vendor.orders.values()) == (2 if act is _more else 1)
    assert clinic.balance(bob) == {"awarded": "10.00", "issued": "10.00"}


def test_a_frozen_enrollment_whose_order_was_taken_is_handed_over_once_it_is_released(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    clinic.negative(ann)

    def meanwhile(vendor: Scripted, order: Order) -> Answer:
        _freeze(clinic, ann)
        return vendor.takes(order)

    vendor = Scripted(meanwhile)
    [waits] = clinic.dispatcher(vendor).deliver()
    assert waits.status == "waiting"
    assert waits.note.startswith("the enrollment is frozen")
    clinic.engine.release(enrollment=ann, on=START, why="settled", **told("r"))
    clinic.later(hours=1)
    [done] = clinic.dispatcher(vendor).deliver()
    assert (done.status, len(vendor.calls)) == ("over", 1)


def test_a_frozen_enrollment_is_not_asked_for_though_a_worker_died_with_its_payout(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    clinic.negative(ann)
    with pytest.raises(KeyboardInterrupt):
        clinic.dispatcher(Dying()).deliver()
    _freeze(clinic, ann)
    clinic.later(minutes=6)
    vendor = FakeGateway()
    with suppress(ReportError):
        clinic.dispatcher(vendor, worker="w-2").deliver()
    assert len(vendor.orders) == 0


def test_a_worker_without_the_gateway_leaves_what_another_died_with_and_goes_on(clinic: Clinic) -> None:
    ann, bob = clinic.enrolled("p-1"), clinic.enrolled("p-2")
    clinic.negative(ann)
    dying = Dying()
    with pytest.raises(KeyboardInterrupt):
        clinic.dispatcher(dying).deliver()
    clinic.negative(bob)
    clinic.later(minutes=6)
    found = clinic.dispatcher(FakeGateway(), worker="w-2", name="other").deliver()
    assert [each.note for each in found] == ["no worker here has the gateway cards"] * 2
    clinic.later(minutes=11)
    assert [each.status for each in clinic.dispatcher(FakeGateway(orders=dying.orders)).deliver()] == [
        "over",
        "over",
    ]


# People


@IN_MEMORY
def test_who_is_not_known_does_not_have_a_payout_tried_again(url: str) -> None:
    clinic = Clinic(url)
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    clinic.dispatcher(FakeGateway(faults=[Outcome.REJECTED])).deliver()
    strict = Engine(
        storage=clinic.engine._storage,  # noqa: SLF001 - in memory there is no other way
        zone="America/Los_Angeles",
        clock=lambda: clinic.now,
        people="known",
    )
    with pytest.raises(NotAllowedError):
        strict.retry_payout(enrollment=ann, number=number, by="stranger")


def test_a_payout_that_cannot_be_sent_anew_is_not_taken_back_either(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(faults=[Outcome.REJECTED]), clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    _freeze(clinic, ann)
    with pytest.raises(ReportError, match="frozen"):
        dispatcher.reissue(enrollment=ann, number=number, why="lost", **told("c"))
    assert clinic.balance(ann) == {"awarded": "10.00", "in_flight": "10.00"}


@IN_MEMORY
def test_a_gateway_that_raises_when_it_is_asked_by_cancel_is_a_delivery_error(clinic: Clinic) -> None:
    class Broken(FakeGateway):
        def find(self, id: str) -> Answer | None:  # noqa: A002, ARG002 - as the port says
            raise OSError("no route")

    vendor, ann = Broken(faults=[Outcome.CONFLICT]), clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    with pytest.raises(DeliveryError, match="cannot say"):
        dispatcher.cancel(enrollment=ann, number=number, why="lost", **told("c"))


@IN_MEMORY
@pytest.mark.parametrize("found", [False, {}, "no", 7])
def test_a_gateway_that_answers_nonsense_when_it_is_asked_by_cancel_has_it_perhaps(
    clinic: Clinic, found: Any
) -> None:
    vendor, ann = Scripted(takes(Answer(Outcome.CONFLICT)), found=found), clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    with pytest.raises(DeliveryError, match="cannot say"):
        dispatcher.cancel(enrollment=ann, number=number, why="lost", **told("c"))


# Sites


def test_a_payout_goes_by_the_gateway_of_the_site_where_the_enrollment_is_and_not_where_it_will_be(
    clinic: Clinic,
) -> None:
    clinic.engine.open_site("south", zone="America/New_York", by="boss-1")
    clinic.engine.add_gateway("south", "checks", by="boss-1", source="office", key="g-south")
    ann = clinic.enrolled()
    clinic.negative(ann)
    clinic.engine.transfer(enrollment=ann, to="south", on=START + timedelta(60), why="moves", **told("t"))
    north, south = FakeGateway(), FakeGateway()
    clinic.engine.dispatcher({"cards": north, "checks": south}).deliver()
    assert (len(north.orders), len(south.orders)) == (1, 0)


# Outages


@IN_MEMORY
def test_an_outage_of_a_few_hours_needs_no_person_for_each_payout(clinic: Clinic) -> None:
    vendor = FakeGateway(faults=[Outcome.RETRY_LATER] * 1000)
    clinic.negative(clinic.enrolled())
    dispatcher = clinic.dispatcher(vendor)
    until = clinic.now + timedelta(hours=4)
    while clinic.now < until:
        dispatcher.deliver()
        clinic.later(minutes=10)
    assert clinic.statuses() == ["waiting"]


@IN_MEMORY
def test_a_clock_that_runs_backwards_hands_over_once(clinic: Clinic) -> None:
    vendor, ann = FakeGateway(faults=["after"]), clinic.enrolled()
    clinic.negative(ann)
    clinic.dispatcher(vendor).deliver()
    clinic.later(hours=-5)
    assert clinic.dispatcher(vendor).deliver() == []
    clinic.later(hours=6)
    [done] = clinic.dispatcher(vendor).deliver()
    assert (done.status, len(vendor.orders)) == ("over", 1)


def test_two_dispatchers_of_one_name_hand_over_once(clinic: Clinic) -> None:
    ann = clinic.enrolled()
    clinic.negative(ann)
    orders: dict[str, Order] = {}

    def asleep(vendor: Scripted, order: Order) -> Answer:
        clinic.later(minutes=6)
        assert len(clinic.dispatcher(FakeGateway(orders=orders), worker="w-1").deliver()) == 1
        return vendor.takes(order)

    assert clinic.dispatcher(Scripted(asleep, orders=orders), worker="w-1").deliver() == []
    assert len(orders) == 1
