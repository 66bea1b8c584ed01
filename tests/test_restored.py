"""A database that was brought back from a backup pays nothing twice of what is reported again."""

import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cm_engine import Engine
from cm_engine.errors import DeliveryError
from cm_engine.gateways import Answer, Capabilities, Outcome
from cm_engine.testing.gateway import FakeGateway
from tests.test_delivery import MORNING, START, Clinic

PROGRAM = """
program: cards
version: "1"
title: Cards
currency: USD
visits: [{weeks: 1-12, days: [monday, thursday]}]
WINDOWS
targets:
  stimulants:
    behavior: abstinence
    schedule: [{weeks: 1-12, escalate: {start: 10.00, step: 1.00}, reset: {on: [positive]}}]
PAYOUT
"""


class Backed:
    """A clinic whose database can be put aside and brought back, and a vendor that forgets nothing."""

    def __init__(self, folder: Path, payout: str = "", windows: str = "windows: {after: 1}") -> None:
        self.file, self.copy = folder / "clinic.db", folder / "copy.db"
        self.program = PROGRAM.replace("PAYOUT", payout).replace("WINDOWS", windows)
        self.vendor = FakeGateway()
        self.clinic = self._opened()

    def _opened(self) -> Clinic:
        return Clinic(f"sqlite:///{self.file}", self.program)

    def put_aside(self) -> None:
        with sqlite3.connect(self.file) as now, sqlite3.connect(self.copy) as copy:
            now.backup(copy)

    def bring_back(self) -> None:
        """Stop, bring the copy back, and open it again the next morning."""
        now = self.clinic.now
        self.clinic.engine.close()
        with sqlite3.connect(self.copy) as copy, sqlite3.connect(self.file) as lost:
            copy.backup(lost)
        self.clinic = self._opened()
        self.clinic.now = now + timedelta(days=1)

    def handed_over(self) -> list[str]:
        """Hand over all that is due, and return what became of it."""
        dispatcher, found = self.clinic.dispatcher(self.vendor), list[str]()
        while done := dispatcher.deliver():
            found += [each.status for each in done]
        return found

    def paid(self) -> list[str]:
        return sorted(str(order.amount) for order in self.vendor.orders.values())


def the_day_that_is_lost(backed: Backed, ann: str) -> None:
    """Two results with a missed visit between them, a correction, and what goes out by each of them."""
    for day in (3, 10):
        backed.clinic.negative(ann, day)
        backed.handed_over()
    corrected(backed, ann, "-")
    backed.clinic.engine.pay_due(until=START + timedelta(11))
    backed.handed_over()


def corrected(backed: Backed, ann: str, result: str) -> None:
    """Correct the first result."""
    engine = backed.clinic.engine
    first = next(act.record for act in engine.history(enrollment=ann) if act.kind == "observed")
    told: dict[str, Any] = {"source": "desk", "key": f"a{result}", "by": "nurse-7"}
    engine.amend(enrollment=ann, record=first, result=result, why="misread", **told)


@pytest.mark.parametrize(
    ("payout", "paid"),
    [
        ("", ["1.00", "1.00", "10.00", "10.00", "11.00"]),
        ("payout: {when: set days, days: [friday]}", ["12.00", "21.00"]),
    ],
)
def test_what_is_reported_again_under_its_keys_is_known_to_the_vendor(
    tmp_path: Path, payout: str, paid: list[str]
) -> None:
    backed = Backed(tmp_path, payout)
    ann = backed.clinic.enrolled()
    backed.clinic.later(days=14)
    backed.clinic.negative(ann)
    corrected(backed, ann, "*")
    backed.put_aside()
    the_day_that_is_lost(backed, ann)
    assert backed.paid() == paid
    backed.bring_back()
    the_day_that_is_lost(backed, ann)
    assert backed.paid() == paid
    assert backed.clinic.engine.verify().is_clean
    backed.clinic.engine.close()


def test_what_a_vendor_has_is_not_taken_back_where_the_worker_begins_only_after_all_is_reported_again(
    tmp_path: Path,
) -> None:
    backed = Backed(tmp_path)
    ann = backed.clinic.enrolled()
    backed.clinic.later(days=14)
    backed.put_aside()
    for day in (0, 3, 7):
        backed.clinic.negative(ann, day)
        backed.handed_over()
    corrected(backed, ann, "+")
    paid, balance = backed.paid(), backed.clinic.balance(ann)
    assert paid == ["10.00", "11.00", "12.00"]
    assert balance == {"awarded": "21.00", "issued": "33.00", "absorbed": "12.00"}
    backed.bring_back()
    for day in (0, 3, 7):
        backed.clinic.negative(ann, day)
    corrected(backed, ann, "+")
    assert set(backed.handed_over()) == {"over"}
    assert (backed.paid(), backed.clinic.balance(ann)) == (paid, balance)
    assert backed.clinic.engine.verify().is_clean
    backed.clinic.engine.close()


@pytest.mark.parametrize("answers", [Outcome.UNKNOWN, Outcome.RETRY_LATER])
def test_where_a_vendor_cannot_say_what_it_has_nothing_is_taken_back_until_it_can(
    tmp_path: Path, answers: Outcome
) -> None:
    backed = Backed(tmp_path)
    ann = backed.clinic.enrolled()
    backed.clinic.later(days=14)
    backed.clinic.negative(ann)
    corrected(backed, ann, "+")
    said = Answer(answers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backed.vendor, "find", lambda _: said)
        assert backed.clinic.statuses() == ["waiting"]
        backed.clinic.dispatcher(backed.vendor).deliver()
        assert backed.clinic.statuses() == ["waiting"]
    backed.clinic.later(days=1)
    assert backed.handed_over() == ["over"]
    assert backed.paid() == []
    assert backed.clinic.engine.verify().is_clean
    backed.clinic.engine.close()


def taken_back_again(backed: Backed) -> str:
    """One visit that a vendor has paid, brought back, reported again and corrected before any worker began."""
    ann = backed.clinic.enrolled()
    backed.clinic.later(days=14)
    backed.put_aside()
    backed.clinic.negative(ann)
    backed.handed_over()
    backed.bring_back()
    backed.clinic.negative(ann)
    corrected(backed, ann, "+")
    return ann


def test_a_worker_without_the_gateway_takes_nothing_back(tmp_path: Path) -> None:
    backed = Backed(tmp_path)
    ann = taken_back_again(backed)
    [waits] = backed.clinic.engine.dispatcher({"bank": FakeGateway()}).deliver()
    assert (waits.status, waits.note) == ("waiting", "no worker here has the gateway cards")
    backed.clinic.later(hours=1)
    assert backed.handed_over() == ["over"]
    assert backed.clinic.balance(ann) == {"issued": "10.00", "absorbed": "10.00"}
    assert backed.clinic.engine.verify().is_clean
    backed.clinic.engine.close()


def test_a_gateway_is_asked_what_it_has_where_it_could_not_be_sent_anything(tmp_path: Path) -> None:
    backed = Backed(tmp_path)
    ann = taken_back_again(backed)
    backed.vendor.capabilities = Capabilities(frozenset({"USD"}), needs_handle=True)
    assert backed.handed_over() == ["over"]
    assert backed.clinic.balance(ann) == {"issued": "10.00", "absorbed": "10.00"}
    backed.clinic.engine.close()


def test_every_gateway_is_asked_that_can_be(tmp_path: Path) -> None:
    """The participant was at another site when it was paid."""
    backed = Backed(tmp_path)
    engine = backed.clinic.engine
    engine.open_site("south", zone="America/Los_Angeles", by="boss-1")
    engine.add_gateway("south", "bank", by="boss-1", source="office", key="bank")
    ann = taken_back_again(backed)
    told: dict[str, Any] = {"source": "office", "key": "t", "by": "boss-1", "why": "moved"}
    backed.clinic.engine.transfer(enrollment=ann, to="south", on=START, **told)
    dispatcher = backed.clinic.engine.dispatcher({"bank": FakeGateway(), "cards": backed.vendor})
    assert [(each.status, each.gateway) for each in dispatcher.deliver()] == [("over", "cards")]
    assert backed.clinic.balance(ann) == {"issued": "10.00", "absorbed": "10.00"}
    backed.clinic.engine.close()


def test_what_is_owed_again_while_a_gateway_is_asked_is_sent(tmp_path: Path) -> None:
    backed = Backed(tmp_path)
    ann = backed.clinic.enrolled()
    backed.clinic.later(days=14)
    backed.clinic.negative(ann)
    corrected(backed, ann, "+")
    find = backed.vendor.find

    def found(id: str) -> Answer | None:  # noqa: A002 - as its port
        backed.vendor.find = find  # type: ignore[method-assign]
        corrected(backed, ann, "-")
        return find(id)

    backed.vendor.find = found  # type: ignore[method-assign]
    assert backed.handed_over() == ["over"]
    assert backed.paid() == ["10.00"]
    assert backed.clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}
    assert backed.clinic.engine.verify().is_clean
    backed.clinic.engine.close()


def test_nobody_takes_back_by_hand_what_a_gateway_is_still_asked_about(tmp_path: Path) -> None:
    backed = Backed(tmp_path)
    ann = taken_back_again(backed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backed.vendor, "find", lambda _: Answer(Outcome.UNKNOWN))
        backed.clinic.dispatcher(backed.vendor).deliver()
    told: dict[str, Any] = {"source": "office", "key": "d", "by": "boss-1"}
    with pytest.raises(DeliveryError, match="a gateway may have it"):
        backed.clinic.engine.decline(enrollment=ann, number=1, why="not wanted", **told)
    with pytest.raises(DeliveryError, match="a gateway may have it"):
        backed.clinic.engine.hand_over(enrollment=ann, number=1, **told)
    backed.clinic.later(hours=1)
    assert backed.handed_over() == ["over"]
    assert backed.clinic.balance(ann) == {"issued": "10.00", "absorbed": "10.00"}
    backed.clinic.engine.close()


def test_who_was_enrolled_after_the_backup_is_the_same_again_and_paid_once(tmp_path: Path) -> None:
    backed = Backed(tmp_path)
    backed.clinic.later(days=14)
    backed.put_aside()

    def reported() -> str:
        told: dict[str, Any] = {"participant": "p-1", "program": "cards", "start": START}
        ann = backed.clinic.engine.enroll(**told, by="nurse-7", site="north").id
        backed.clinic.negative(ann)
        the_day_that_is_lost(backed, ann)
        backed.clinic.engine.sweep(until=START + timedelta(13))
        backed.handed_over()
        return ann

    ann, paid = reported(), backed.paid()
    backed.bring_back()
    assert reported() == ann
    assert backed.paid() == paid
    assert paid == ["10.00", "11.00", "12.00"]
    assert backed.clinic.engine.verify().is_clean
    backed.clinic.engine.close()


@pytest.mark.parametrize("windows", ["windows: {after: 1}", ""], ids=["of its day", "the next one"])
def test_what_comes_to_another_amount_is_asked_about_and_not_paid_beside_the_first(
    tmp_path: Path, windows: str
) -> None:
    backed = Backed(tmp_path, windows=windows)
    ann = backed.clinic.enrolled()
    backed.clinic.later(days=14)
    backed.put_aside()
    backed.clinic.negative(ann)
    backed.clinic.negative(ann, 3)
    backed.handed_over()
    assert backed.paid() == ["10.00", "11.00"]
    backed.bring_back()
    backed.clinic.negative(ann, 3)  # the one of the first day is not reported again
    assert backed.handed_over() == ["stuck"]
    [asked] = backed.clinic.engine.deliveries()
    told = "another order has this id; asked for 10.00 USD, and the vendor has 11.00 USD under this id"
    assert asked.note == told
    assert backed.paid() == ["10.00", "11.00"]
    assert asked.reference
    known: dict[str, Any] = {"source": "office", "key": "looked", "by": "boss-1"}
    backed.clinic.engine.hand_over(enrollment=ann, number=asked.number, reference=asked.reference, **known)
    assert backed.clinic.statuses() == ["over"]
    assert backed.clinic.balance(ann) == {"awarded": "10.00", "issued": "10.00"}
    assert backed.clinic.engine.verify().is_clean
    backed.clinic.engine.close()


def test_two_participants_with_the_same_keys_in_two_databases_have_orders_of_their_own(
    tmp_path: Path,
) -> None:
    vendor = FakeGateway()
    for name in ("north", "south"):
        made = MORNING + timedelta(microseconds=len(vendor.orders))
        clinic = Clinic(f"sqlite:///{tmp_path / name}.db", now=made)
        clinic.negative(clinic.enrolled())
        assert [each.status for each in clinic.dispatcher(vendor).deliver()] == ["over"]
        clinic.engine.close()
    assert len(vendor.orders) == 2


def test_an_id_that_was_lost_with_a_backup_may_be_of_another_enrollment_in_an_engine_that_was_open(
    tmp_path: Path,
) -> None:
    backed = Backed(tmp_path)
    backed.put_aside()
    told: dict[str, Any] = {"program": "cards", "by": "nurse-7", "id": "e-1"}
    backed.clinic.later(days=14)
    backed.clinic.engine.enroll(participant="p-1", start=START, **told)
    backed.clinic.negative("e-1")
    with sqlite3.connect(backed.copy) as copy, sqlite3.connect(backed.file) as lost:
        copy.backup(lost)
    backed.clinic.engine.enroll(participant="p-2", start=START + timedelta(7), **told)
    done = backed.clinic.engine.record(
        enrollment="e-1", result="-", on=START + timedelta(7), source="desk", key="k", by="nurse-7"
    )
    assert (done.decisions[0].visit, str(done.awards["USD"])) == (1, "10.00")
    assert backed.clinic.engine.verify().is_clean
    backed.clinic.engine.close()


def test_an_engine_that_was_open_while_another_enrolled_anew_under_a_lost_id_reads_it_again(
    tmp_path: Path,
) -> None:
    backed = Backed(tmp_path)
    backed.put_aside()
    told: dict[str, Any] = {"program": "cards", "by": "nurse-7", "id": "e-1"}
    backed.clinic.later(days=14)
    backed.clinic.engine.enroll(participant="p-1", start=START, **told)
    backed.clinic.negative("e-1")
    with sqlite3.connect(backed.copy) as copy, sqlite3.connect(backed.file) as lost:
        copy.backup(lost)
    clinic = backed.clinic
    with Engine.open(
        f"sqlite:///{backed.file}", zone="America/Los_Angeles", clock=lambda: clinic.now
    ) as other:
        other.enroll(participant="p-2", start=START + timedelta(7), **told)
    done = backed.clinic.negative("e-1", 7)
    assert backed.clinic.engine.history(enrollment="e-1")[-1].decisions[0].visit == 1, done
    assert backed.clinic.engine.verify().is_clean
    backed.clinic.engine.close()


WEEKLY = """
program: cards
version: "1"
title: Cards
currency: USD
visits: [{weeks: 1-12, days: [monday, thursday]}]
windows: {after: 1}
targets: {sessions: {behavior: attendance, schedule: [{weeks: 1-12, REWARD}]}}
"""
SETS = WEEKLY.replace("REWARD", "fixed: 10") + "payout: {when: set days, days: [friday]}\n"
KEPT = WEEKLY.replace("REWARD", "weekly: {all: 10, some: 5}") + (
    "milestones: {phase: {says: Phase, when: {end_of: 1-2, at_least: 1}, amount: 50}}\n"
)


def visits_of(backed: Backed, ann: str, *, every: int) -> None:
    """Two visits; a worker looks after what became due so many days after each, or after both if not at all."""
    for day in (0, 7):
        backed.clinic.negative(ann, day)
        if every:
            backed.clinic.engine.sweep(until=START + timedelta(day + every))
            backed.clinic.engine.pay_due(until=START + timedelta(day + every))
            backed.handed_over()
    backed.clinic.engine.sweep(until=START + timedelta(19))
    backed.clinic.engine.pay_due(until=START + timedelta(19))
    backed.handed_over()


@pytest.mark.parametrize("before", [4, 5, 0])
@pytest.mark.parametrize("after", [4, 6, 0])
@pytest.mark.parametrize(
    ("program", "paid"), [(SETS, ["10.00", "10.00"]), (KEPT, ["5.00", "55.00"])], ids=["set days", "weekly"]
)
def test_whenever_a_worker_looks_after_what_is_due_a_vendor_knows_it_again(
    tmp_path: Path, program: str, paid: list[str], before: int, after: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.PROGRAM", program)
        backed = Backed(tmp_path)
        ann = backed.clinic.enrolled()
        backed.clinic.later(days=20)
        backed.put_aside()
        visits_of(backed, ann, every=before)
        assert backed.paid() == paid
        balance = backed.clinic.balance(ann)
        backed.bring_back()
        visits_of(backed, ann, every=after)
        assert (backed.paid(), backed.clinic.balance(ann)) == (paid, balance)
        assert backed.clinic.engine.verify().is_clean
        backed.clinic.engine.close()


@pytest.mark.parametrize("act", ["cancel", "reissue"])
def test_what_a_vendor_has_from_before_the_backup_is_not_taken_back_by_hand_either(
    tmp_path: Path, act: str
) -> None:
    backed = Backed(tmp_path)
    ann = backed.clinic.enrolled()
    backed.clinic.later(days=14)
    backed.put_aside()
    backed.clinic.negative(ann)
    backed.handed_over()
    backed.bring_back()
    backed.clinic.negative(ann)
    [waits] = backed.clinic.engine.deliveries()
    told: dict[str, Any] = {
        "enrollment": ann,
        "number": waits.number,
        "why": "lost",
        "source": "desk",
        "by": "boss-1",
    }
    with pytest.raises(DeliveryError, match="cards has it, or cannot say"):
        getattr(backed.clinic.dispatcher(backed.vendor), act)(key="c", **told)
    assert backed.handed_over() == ["over"]
    assert (backed.paid(), backed.clinic.balance(ann)["issued"]) == (["10.00"], "10.00")
    backed.clinic.engine.close()


def test_a_worker_without_one_of_the_gateways_of_a_site_takes_nothing_back(tmp_path: Path) -> None:
    backed = Backed(tmp_path)
    told = {"by": "boss-1", "source": "office", "key": "gateway/bank"}
    backed.clinic.engine.add_gateway("north", "bank", **told)
    cards = FakeGateway(capabilities=Capabilities(frozenset({"USD"}), least=Decimal(25)))
    both = {"cards": cards, "bank": backed.vendor}
    ann = backed.clinic.enrolled()
    backed.clinic.later(days=14)
    backed.put_aside()
    backed.clinic.negative(ann)
    assert [each.gateway for each in backed.clinic.engine.dispatcher(both).deliver()] == ["bank"]
    backed.bring_back()
    backed.clinic.negative(ann)
    corrected(backed, ann, "+")
    [waits] = backed.clinic.engine.dispatcher({"cards": cards}).deliver()
    assert (waits.status, waits.note) == ("waiting", "no worker here has the gateway bank")
    backed.clinic.later(hours=1)
    assert [each.status for each in backed.clinic.engine.dispatcher(both).deliver()] == ["over"]
    assert backed.clinic.balance(ann) == {"issued": "10.00", "absorbed": "10.00"}
    backed.clinic.engine.close()


def test_what_is_paid_when_nobody_came_is_the_same_whether_a_worker_finds_it_or_the_desk_reports_it(
    tmp_path: Path,
) -> None:
    missed: dict[str, Any] = {
        "result": "o",
        "on": START + timedelta(10),
        "source": "desk",
        "key": "missed",
        "by": "n",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.PROGRAM", KEPT)
        backed = Backed(tmp_path)
        ann = backed.clinic.enrolled()
        backed.clinic.later(days=20)
        backed.put_aside()
        backed.clinic.negative(ann, 7)
        backed.clinic.engine.sweep(until=START + timedelta(12))
        backed.handed_over()
        backed.clinic.engine.record(enrollment=ann, **missed)
        assert backed.paid() == ["55.00"]
        backed.bring_back()
        backed.clinic.negative(ann, 7)
        backed.clinic.engine.record(enrollment=ann, **missed)
        backed.handed_over()
        assert backed.paid() == ["55.00"]
        assert backed.clinic.balance(ann)["issued"] == "55.00"
        backed.clinic.engine.close()
