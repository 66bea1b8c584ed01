"""More attacks on the delivery of payouts: corrections at every moment, what is nobody's to send, and who is told."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import create_engine

from cm_engine import ChannelError, Engine, parse_program
from cm_engine.delivery.owing import lowered
from cm_engine.errors import NotAllowedError
from cm_engine.gateways import Answer, Capabilities, Order, Outcome
from cm_engine.keyring import MemoryKeyring
from cm_engine.testing.gateway import FakeGateway
from tests.test_delivery import OPENED, PROGRAM, START, Clinic
from tests.test_migrations_work import as_release_1, upgraded

TOLD: dict[str, Any] = {"source": "office", "by": "boss-1"}
BY_MAIL = Capabilities(frozenset({"USD"}), needs_handle=True, reaches_by="email")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    yield f"sqlite:///{tmp_path / 'clinic.db'}"
    while OPENED:
        OPENED.pop().close()


def opened(url: str, rest: str = "", fixed: str = "fixed: 10.00") -> Clinic:
    """Return a clinic where what happened in the first weeks is recorded later, in any order."""
    clinic = Clinic(url, program=PROGRAM.replace("fixed: 10.00", fixed) + rest)
    clinic.later(days=80)
    return clinic


def record_of(clinic: Clinic, enrollment: str, day: int) -> int:
    [record] = [
        each.record
        for each in clinic.engine.history(enrollment=enrollment)
        if each.key == f"{enrollment}/{day}"
    ]
    return record


def void(clinic: Clinic, enrollment: str, day: int) -> None:
    record = record_of(clinic, enrollment, day)
    clinic.engine.void(enrollment=enrollment, record=record, why="wrong", key=f"void/{day}", **TOLD)


def amend(clinic: Clinic, enrollment: str, day: int, result: str, key: str) -> None:
    record = record_of(clinic, enrollment, day)
    clinic.engine.amend(enrollment=enrollment, record=record, result=result, why="wrong", key=key, **TOLD)


def all_of(clinic: Clinic, vendor: FakeGateway) -> Decimal:
    """Return what the vendor has in the end."""
    while clinic.dispatcher(vendor).deliver():
        clinic.later(minutes=1)
    assert clinic.engine.verify().is_clean
    return sum((each.amount for each in vendor.orders.values()), Decimal(0))


# What is not owed


def test_what_was_asked_for_is_held_back_though_the_correction_took_it_from_what_was_still_owed(
    url: str,
) -> None:
    clinic, vendor = opened(url, "payout: {when: on request}\n"), FakeGateway()
    ann = clinic.enrolled()
    for day in (0, 3):
        clinic.negative(ann, day=day)
    clinic.engine.redeem(enrollment=ann, amount=Decimal(10), key="ask", **TOLD)  # of the first
    void(clinic, ann, 0)  # taken from what is owed of the second
    void(clinic, ann, 3)
    assert all_of(clinic, vendor) == 0
    assert clinic.balance(ann) == {}


def test_what_made_up_for_another_reward_is_held_back_when_that_is_taken_away_too(url: str) -> None:
    limit = "limits: [{amount: 20.00, per: week, crossing: truncate}]\n"
    clinic, vendor = opened(url, limit), FakeGateway()
    clinic = Clinic(
        url.replace("clinic.db", "capped.db"), program=PROGRAM.replace("per_week: 2", "per_week: 3") + limit
    )
    clinic.later(days=80)
    ann = clinic.enrolled()
    for day in (0, 2, 4):
        clinic.negative(ann, day=day)  # 10, 10, 0
    void(clinic, ann, 0)  # 10 of the third, for 10 of the first
    void(clinic, ann, 4)
    assert all_of(clinic, vendor) == 10
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}


def test_an_award_that_comes_back_is_paid_though_another_one_was_given_too_much(url: str) -> None:
    clinic, vendor = opened(url), FakeGateway()
    ann = clinic.enrolled()
    clinic.negative(ann)
    assert all_of(clinic, vendor) == 10
    void(clinic, ann, 0)  # the program bears it
    clinic.negative(ann, day=3)
    amend(clinic, ann, 3, "+", "a-1")
    assert all_of(clinic, vendor) == 10
    amend(clinic, ann, 3, "-", "a-2")
    assert all_of(clinic, vendor) == 20
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "20.00", "absorbed": "10.00"}


@pytest.mark.parametrize("when", ["at once", "on request"])
@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_corrected_back_and_forth_who_earned_it_gets_it_and_nothing_else_leaves(
    url: str, when: str, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - of a test
    clinic, vendor = opened(url, f"payout: {{when: {when}}}\n"), FakeGateway()
    ann, stands = clinic.enrolled(), dict[int, bool]()
    left = set[int]()
    for number in range(30):
        day = chance.randrange(6) * 3
        if day not in stands:
            clinic.negative(ann, day=day)
        else:
            amend(clinic, ann, day, "+" if stands[day] else "-", f"a-{number}")
        stands[day] = not stands.get(day, False)
        if when == "on request" and chance.random() < 0.3 and clinic.balance(ann).get("owed"):
            clinic.engine.redeem(enrollment=ann, key=f"r-{number}", **TOLD)
        if chance.random() < 0.25:
            all_of(clinic, vendor)
            left |= {day for day, is_due in stands.items() if is_due}
    if clinic.balance(ann).get("owed"):
        clinic.engine.redeem(enrollment=ann, key="r-last", **TOLD)
    got = all_of(clinic, vendor)
    due = {day for day, is_due in stands.items() if is_due}
    if when == "at once":
        assert got == 10 * len(left | due)
    balance = clinic.engine.balance(enrollment=ann)["USD"]
    assert balance.in_flight == balance.owed == 0
    assert balance.issued == got >= balance.awarded == 10 * len(due)


def test_what_is_left_of_a_payout_on_a_set_day_does_not_expire_because_it_was_held_back(url: str) -> None:
    rises = "escalate: {start: 10.00, step: 3.00}, reset: {}"
    clinic = Clinic(
        url,
        PROGRAM.replace("fixed: 10.00", rises)
        + "payout: {when: set days, days: [friday], expires_after: 5}\n",
    )
    ann = clinic.enrolled()
    clinic.later(days=5)
    clinic.negative(ann)
    clinic.negative(ann, day=3)
    clinic.engine.pay_due()
    clinic.later(days=7)  # nobody delivers meanwhile
    void(clinic, ann, 0)
    vendor = FakeGateway()
    clinic.dispatcher(vendor).deliver()
    clinic.engine.expire()
    clinic.later(days=7)
    clinic.engine.expire()
    clinic.engine.pay_due()
    assert all_of(clinic, vendor) == 10


def test_what_is_held_back_under_one_rule_is_not_settled_under_the_other(url: str) -> None:
    clinic, vendor = opened(url), FakeGateway()
    ann = clinic.enrolled()
    clinic.negative(ann)
    assert all_of(clinic, vendor) == 10
    void(clinic, ann, 0)  # the program bears it for good
    clinic.engine.add_program(
        parse_program(PROGRAM.replace('version: "1"', 'version: "2"') + "payout: {overpaid: offset}\n")
    )
    clinic.engine.migrate(enrollment=ann, program="cards@2", on=date(2026, 1, 26), why="new", key="m", **TOLD)
    clinic.negative(ann, day=21)
    void(clinic, ann, 21)
    assert all_of(clinic, vendor) == 10
    clinic.negative(ann, day=24)
    assert all_of(clinic, vendor) == 20


# Gateways


NO_CASH = "payout: {channel: {cash: false}}\n"


def test_an_engine_that_joins_a_transaction_refuses_what_the_engine_refuses(url: str) -> None:
    clinic = Clinic(url, PROGRAM + NO_CASH)
    cash = FakeGateway(capabilities=Capabilities(frozenset({"USD"}), is_cash=True))
    engine = clinic.engine.with_gateways({"cards": cash})
    host = create_engine(url)
    with host.connect() as connection:
        joined = engine.joining(connection)
        with pytest.raises(ChannelError):
            joined.enroll(participant="p-1", program="cards", start=START, by="nurse-7", site="north")
        connection.commit()
    host.dispose()
    assert engine.enrollments() == []


def test_who_is_readmitted_is_looked_at_as_who_is_enrolled(url: str) -> None:
    clinic = Clinic(url, PROGRAM + NO_CASH, gateways=())
    ann = clinic.enrolled()
    clinic.later(days=1)
    clinic.engine.discharge(enrollment=ann, on=START, why="left", key="d", **TOLD)
    clinic.later(days=3)
    cash = FakeGateway(capabilities=Capabilities(frozenset({"USD"}), is_cash=True))
    engine = clinic.engine.with_gateways({"cards": cash})
    clinic.add_gateway("cards")
    with pytest.raises(ChannelError):
        engine.readmit(enrollment=ann, on=START + timedelta(4), why="back", key="r", **TOLD)


# Addresses


class Reached:
    """A clinic that pays by mail, and what a participant does about their address."""

    def __init__(self, url: str) -> None:
        self.clinic = Clinic(url)
        self.engine = self.clinic.engine.with_keys(MemoryKeyring())
        self.said: dict[str, Any] = {"participant": "p-1", "source": "desk", "by": "nurse-7"}
        self.at("one@example.org")
        self.engine.consent(
            **self.said, consent="c-1", discloser="North", channels=["email"], scopes=["updates"], signed_on=START, key="c-1"
        )  # fmt: skip
        self.ann = self.clinic.enrolled()
        self.number = self.clinic.negative(self.ann)

    def at(self, address: str) -> None:
        self.engine.add_handle(**self.said, channel="email", address=address, key=f"at/{address}")

    def deliver(self, vendor: FakeGateway) -> list[Any]:
        by = {"cards": vendor}
        self.clinic.later(minutes=30)
        return self.engine.dispatcher(by, handle=self.engine.handles(by)).deliver()


class Slow(FakeGateway):
    """A vendor that takes an order and does not hand it over until it is told to."""

    is_done = False

    def find(self, id: str) -> Answer | None:  # noqa: A002 - as the port says
        found = super().find(id)
        return found and found._replace(is_given=self.is_done)

    def send(self, order: Order) -> Answer:
        return super().send(order)._replace(is_given=self.is_done)


def test_what_a_vendor_has_is_asked_about_though_the_address_was_erased_meanwhile(url: str) -> None:
    reached, vendor = Reached(url), Slow(capabilities=BY_MAIL)
    [waiting] = reached.deliver(vendor)
    assert waiting.status == "waiting"
    reached.engine.erase(**reached.said, key="erase")
    vendor.is_done = True
    assert [each.note for each in reached.deliver(vendor)] == ["handed over"]
    assert len(vendor.calls) == 1


def test_what_no_gateway_has_goes_to_the_address_that_is_there_now(url: str) -> None:
    reached, vendor = Reached(url), FakeGateway(capabilities=BY_MAIL, faults=[Outcome.RETRY_LATER])
    reached.deliver(vendor)
    reached.at("two@example.org")
    assert [each.note for each in reached.deliver(vendor)] == ["handed over"]
    assert [each.handle for each in vendor.orders.values()] == ["two@example.org"]


@pytest.mark.parametrize("how", ["opt_out", "erase"])
def test_what_no_gateway_has_does_not_go_to_somebody_who_wants_no_mail_any_more(url: str, how: str) -> None:
    reached, vendor = Reached(url), FakeGateway(capabilities=BY_MAIL, faults=[Outcome.RETRY_LATER])
    reached.deliver(vendor)
    getattr(reached.engine, how)(**reached.said, key="out")
    [stuck] = reached.deliver(vendor)
    assert (stuck.status, vendor.orders) == ("stuck", {})
    assert "the participant has none" in stuck.note
    reached.engine.hand_over(enrollment=reached.ann, number=reached.number, key="h", **TOLD)


# Alerts


def test_an_alert_that_cannot_be_told_stands_in_the_way_of_no_other(url: str) -> None:
    clinic = Clinic(url)
    for fund in ("first", "second"):
        clinic.engine.add_fund("north", fund, budget=Decimal("5.00"), alert=Decimal("0.5"), key=fund, **TOLD)
    clinic.negative(clinic.enrolled())
    told: list[str] = []

    def tell(alert: Any) -> None:
        if alert.fund == "first":
            raise OSError
        told.append(alert.fund)

    clinic.engine.on_alert(tell)
    for _ in range(3):
        clinic.engine.run_due()
        clinic.later(hours=2)
    assert told == ["second"]
    assert [each.note for each in clinic.engine.tasks() if each.name == "alerts"] == ["OSError"]


# What was given at the desk


RISES = "escalate: {start: 10.00, step: 3.00}, reset: {}"


def test_what_a_desk_may_have_given_is_not_sent_anew_by_a_gateway_that_the_site_got_later(url: str) -> None:
    clinic, vendor = Clinic(url, PROGRAM.replace("fixed: 10.00", RISES), gateways=()), FakeGateway()
    ann = clinic.enrolled()
    clinic.later(days=4)
    clinic.negative(ann)
    clinic.negative(ann, day=3)
    void(clinic, ann, 0)
    clinic.later(days=4)
    clinic.add_gateway("cards")
    assert {each.status for each in clinic.dispatcher(vendor).deliver()} == {"by hand"}
    assert all_of(clinic, vendor) == 0
    assert clinic.balance(ann) == {"awarded": "10.00", "in_flight": "23.00", "absorbed": "13.00"}


# Killed, raced, moved


def lowered_later(url: str, rest: str = "") -> tuple[Clinic, str]:
    """Return a clinic where 3.00 of a payout of 13.00 are not owed any more."""
    clinic = opened(url, rest, RISES)
    ann = clinic.enrolled()
    clinic.negative(ann, by="nurse-1")
    clinic.negative(ann, day=3, by="nurse-2")
    void(clinic, ann, 0)
    return clinic, ann


def arrived_there(clinic: Clinic, enrollment: str, folder: Path, program: str = PROGRAM) -> Clinic:
    """Return another clinic, with a site and a gateway of the same names, to which an enrollment went."""
    there = Clinic(f"sqlite:///{folder / 'there.db'}", program=program)
    there.now = clinic.now
    bundle = clinic.engine.export(enrollment=enrollment, to="there", why="moved", key="x", **TOLD)
    there.engine.import_bundle(bundle.text(), key="i", **TOLD)
    return there


def test_a_worker_that_is_killed_between_the_two_acts_has_done_neither(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic, ann = lowered_later(url)
    before = [each.key for each in clinic.engine.history(enrollment=ann)]
    clinic.engine.close()
    if (child := os.fork()) == 0:
        engine = Engine.open(url, zone="America/Los_Angeles", clock=lambda: clinic.now)

        def dies(*given: Any) -> Iterator[Any]:
            yield next(lowered(*given))
            os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr("cm_engine.facade.delivering.lowered", dies)
        engine.dispatcher({"cards": FakeGateway()}).deliver()
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    engine = Engine.open(url, zone="America/Los_Angeles", clock=lambda: clinic.now)
    OPENED.append(engine)
    assert [each.key for each in engine.history(enrollment=ann)] == before
    clinic.engine, vendor = engine, FakeGateway()
    clinic.later(minutes=6)
    assert all_of(clinic, vendor) == 10


def test_workers_that_lower_the_same_payouts_at_once_send_each_once(url: str) -> None:
    clinic, _ = lowered_later(url)
    vendor = FakeGateway()
    with ThreadPoolExecutor(4) as pool:
        for done in [
            pool.submit(clinic.dispatcher(vendor, worker=f"w-{number}").deliver) for number in range(8)
        ]:
            done.result()
    assert all_of(clinic, vendor) == 10


def test_who_recorded_a_result_does_not_release_what_is_sent_anew_of_it(url: str) -> None:
    clinic, ann = lowered_later(url, "people: {release: another person}\n")
    vendor = FakeGateway()
    clinic.dispatcher(vendor).deliver()
    [anew] = clinic.engine.deliveries(status="waiting")
    clinic.dispatcher(vendor).deliver()
    with pytest.raises(NotAllowedError, match="another person"):
        clinic.engine.approve_payout(enrollment=ann, number=anew.number, by="nurse-2")
    clinic.engine.approve_payout(enrollment=ann, number=anew.number, by="nurse-1")
    assert all_of(clinic, vendor) == 10


def test_of_two_awards_asked_for_together_what_stays_is_the_one_that_stands(url: str) -> None:
    rest = "payout: {when: on request}\npeople: {release: another person}\n"
    clinic, vendor = opened(url, rest), FakeGateway()
    ann = clinic.enrolled()
    clinic.negative(ann, by="nurse-1")
    clinic.negative(ann, day=3, by="nurse-2")
    clinic.engine.redeem(enrollment=ann, key="ask", **TOLD)
    void(clinic, ann, 3)
    clinic.dispatcher(vendor).deliver()
    [anew] = clinic.engine.deliveries(status="waiting")
    clinic.dispatcher(vendor).deliver()
    with pytest.raises(NotAllowedError):  # what stays is of what they recorded
        clinic.engine.approve_payout(enrollment=ann, number=anew.number, by="nurse-1")
    clinic.engine.approve_payout(enrollment=ann, number=anew.number, by="nurse-2")
    assert all_of(clinic, vendor) == 10


def test_an_enrollment_arrives_elsewhere_with_what_was_held_back_of_it(url: str, tmp_path: Path) -> None:
    clinic, ann = lowered_later(url)
    clinic.dispatcher(FakeGateway()).deliver()
    amend(clinic, ann, 3, "+", "a-1")  # twice corrected before it left
    clinic.dispatcher(FakeGateway()).deliver()
    there = arrived_there(clinic, ann, tmp_path, PROGRAM.replace("fixed: 10.00", RISES))
    assert there.engine.verify().is_clean
    assert there.balance(ann) == clinic.balance(ann) == {}
    amend(there, ann, 3, "-", "a-2")
    assert there.balance(ann) == {"awarded": "10.00", "in_flight": "10.00"}


def test_what_was_on_its_way_where_an_enrollment_came_from_is_not_sent_after_an_upgrade_either(
    url: str, tmp_path: Path
) -> None:
    clinic = Clinic(url)
    ann = clinic.enrolled()
    clinic.negative(ann)
    there = arrived_there(clinic, ann, tmp_path)
    assert there.engine.deliveries() == []
    there.later(days=4)
    there.negative(ann, day=3)
    before = there.engine.deliveries()
    as_release_1(f"sqlite:///{tmp_path / 'there.db'}")
    upgraded(f"sqlite:///{tmp_path / 'there.db'}")
    assert there.engine.deliveries() == before
    assert len(before) == 1
    assert there.engine.verify().is_clean


def test_what_is_held_back_comes_back_to_the_site_that_it_was_spent_at(url: str) -> None:
    clinic = opened(url)
    clinic.engine.open_site("south", zone="America/Los_Angeles", by="boss-1")
    for site in ("north", "south"):
        clinic.engine.add_fund(site, "grant", budget=Decimal(100), key=f"f/{site}", **TOLD)
    ann = clinic.enrolled()
    clinic.negative(ann)
    clinic.negative(ann, day=3)
    clinic.engine.transfer(enrollment=ann, to="south", on=date(2026, 2, 2), why="moves", key="t", **TOLD)
    void(clinic, ann, 0)
    assert all_of(clinic, FakeGateway()) == 10
    spent = {site: str(clinic.engine.funds(site=site).funds[0].spent) for site in ("north", "south")}
    assert spent == {"north": "10.00", "south": "0.00"}


@pytest.mark.parametrize("why", ["settles", '{"settles": {"1": 1000}}'])
def test_no_reason_that_a_person_gives_is_taken_for_what_was_held_back(url: str, why: str) -> None:
    clinic = opened(url)
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    clinic.engine.decline(enrollment=ann, number=number, why=why, key="d", **TOLD)
    void(clinic, ann, 0)
    assert clinic.balance(ann) == {}
    assert clinic.engine.verify().is_clean


def test_what_is_refused_because_of_its_gateways_has_changed_nothing(url: str) -> None:
    clinic = Clinic(url, PROGRAM)
    cash = FakeGateway(capabilities=Capabilities(frozenset({"USD"}), is_cash=True))
    engine = clinic.engine.with_gateways({"cards": cash})
    ann = clinic.enrolled()
    engine.add_program(parse_program(PROGRAM.replace('version: "1"', 'version: "2"') + NO_CASH))
    clinic.later(days=4)
    clinic.negative(ann)
    before = [each.key for each in engine.history(enrollment=ann)]
    for _ in range(2):  # the key was not used up
        with pytest.raises(ChannelError):
            engine.migrate(
                enrollment=ann, program="cards@2", on=START + timedelta(4), why="new", key="m", **TOLD
            )
    assert [each.key for each in engine.history(enrollment=ann)] == before
    clinic.negative(ann, day=3)
    assert all_of(clinic, FakeGateway()) == 20
    assert engine.verify().is_clean


# Two at once: a person, and what is not owed


@pytest.mark.parametrize("act", ["reissue", "cancel", "decline"])
def test_what_a_person_does_with_a_rejected_payout_and_a_correction_of_it_pay_it_once(
    url: str, act: str
) -> None:
    clinic, vendor = opened(url), FakeGateway(faults=[Outcome.REJECTED])
    ann = clinic.enrolled()
    number = clinic.negative(ann)
    dispatcher = clinic.dispatcher(vendor)
    dispatcher.deliver()
    told: dict[str, Any] = {"enrollment": ann, "number": number, "why": "rejected", "key": "p", **TOLD}
    amend(clinic, ann, 0, "+", "a-1")
    does = clinic.engine.decline if act == "decline" else getattr(dispatcher, act)
    for _ in range(2):
        does(**told)
    amend(clinic, ann, 0, "-", "a-2")
    if clinic.balance(ann).get("owed"):
        clinic.engine.redeem(enrollment=ann, key="ask", **TOLD)
    assert all_of(clinic, vendor) == 10
    assert clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}
