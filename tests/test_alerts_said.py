"""Alerts of sites and of stocks are said to the care team, and what expires to whom it is owed; callbacks are told all the same."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cm_engine import Engine, MessagePolicy, ReportError, parse_program
from cm_engine.delivery.notifying import parse_notifiers
from cm_engine.keyring import MemoryKeyring
from cm_engine.messages.kinds import Channel, Scope
from cm_engine.messages.outgoing import Outgoing
from cm_engine.messages.sending import NotYet
from cm_engine.opening import open_storage
from cm_engine.testing import FakeNotifier

PROGRAM = """
program: saving
version: "1"
title: Saving
currency: USD
visits: [{weeks: 1-12, per_week: 2}]
targets: {stimulants: {behavior: abstinence, schedule: [{weeks: 1-12, fixed: 10.00}]}}
payout: {when: on request, expires_after: 30}
"""
START = date(2026, 1, 5)
TOLD: dict[str, Any] = {"source": "office", "by": "boss-1"}
LEAD: tuple[Channel, str] = ("email", "lead@example.org")


class House:
    """A site whose team is told of alerts, a participant who is reached, and a clock."""

    def __init__(self, url: str, program: str = PROGRAM, scopes: tuple[Scope, ...] = ("updates",)) -> None:
        self.now = datetime(2026, 1, 5, 20, tzinfo=UTC)
        policy = MessagePolicy(
            team={"lead": LEAD, "buyer": ("email", "buyer@example.org")},
            alerts={"budget": ("lead",), "stock": ("lead", "buyer")},
            tells=frozenset(scopes),
        )
        self.engine = Engine(
            storage=open_storage(url, {}), zone="America/Los_Angeles", clock=lambda: self.now
        )
        self.engine.with_keys(MemoryKeyring()).with_messages(policy)
        self.engine.add_program(parse_program(program))
        self.engine.open_site("north", zone="America/Los_Angeles", by="boss-1")
        said: dict[str, Any] = {"participant": "p-1", "source": "desk", "by": "nurse-7"}
        self.engine.add_handle(**said, channel="sms", address="+15551230100", key="h-1")
        self.engine.consent(
            **said, consent="c-1", discloser="North", channels=["sms"], scopes=scopes, signed_on=START, key="c-1"
        )  # fmt: skip
        self.ann = self.engine.enroll(
            participant="p-1", program="saving", start=START, by="nurse-7", site="north", id="e-1"
        ).id
        self.notifier = FakeNotifier(channels=frozenset({"sms", "email"}))

    def earn(self, day: int = 0) -> int:
        on = START + timedelta(day)
        told: dict[str, Any] = {"source": "desk", "by": "nurse-7"}
        return self.engine.record(enrollment=self.ann, result="-", on=on, key=f"udt/{day}", **told).number

    def funded(self, budget: str = "10.00") -> None:
        self.engine.add_fund(
            "north", "grant", budget=Decimal(budget), alert=Decimal("0.5"), key="f-1", **TOLD
        )

    def tick(self, **ago: float) -> list[str]:
        """Do what is due, and return to whom something was said."""
        self.now += timedelta(**ago)
        self.engine.run_due()
        before = len(self.notifier.sent)
        while self.engine.messenger([self.notifier]).deliver():
            pass
        return [each.to for each in self.notifier.sent[before:]]

    def correct(self, number: int, result: str) -> None:
        record = next(
            each.record for each in self.engine.history(enrollment=self.ann) if each.number == number
        )
        self.engine.amend(
            enrollment=self.ann, record=record, result=result, why="a typing mistake", key=f"{number}/{result}", **TOLD
        )  # fmt: skip

    def texts(self) -> list[str]:
        return [each.text.removesuffix(" Reply STOP to end.") for each in self.notifier.sent]

    def kinds(self, kind: str) -> list[Any]:
        return [each for each in self.engine.messages() if each.kind == kind]


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    else:
        url = f"sqlite:///{tmp_path / 'clinic.db'}"
    made = House(url)
    yield made
    assert made.engine.verify().is_clean
    made.engine.close()


def test_an_alert_of_a_budget_is_said_once_to_the_role_that_is_told_of_such(house: House) -> None:
    house.funded()
    house.earn()
    assert house.tick().count(LEAD[1]) == 1
    [alert] = house.kinds("alert")
    assert (alert.recipient, alert.enrollment, alert.status) == ("role:lead", "", "over")
    assert alert.about.startswith("north, exhausted, grant, since 2026-01-05T20:00")
    [said] = [each for each in house.notifier.sent if each.to == LEAD[1]]
    assert said.text == f"There is an update for your team: {alert.reference}. Sign in to see it."
    assert house.tick(hours=1) == []
    assert house.engine.disclosures("p-1")[0].kind == "reward earned"
    assert len(house.engine.disclosures("p-1")) == 1  # an alert is of nobody


def test_callbacks_are_told_all_the_same_and_one_that_fails_says_nothing_twice(house: House) -> None:
    told: list[str] = []

    def tell(alert: Any) -> None:
        told.append(alert.what)
        if len(told) == 1:
            raise OSError

    house.engine.on_alert(tell)
    house.funded()
    house.earn()
    house.tick()
    house.tick(hours=2)
    assert told == ["exhausted", "exhausted"]
    assert len(house.kinds("alert")) == 1


def test_who_is_named_for_no_alert_is_told_of_none(house: House) -> None:
    house.engine.with_messages(MessagePolicy(team={"lead": LEAD}))
    house.funded()
    house.earn()
    house.tick()
    assert house.kinds("alert") == []


def test_what_is_to_be_bought_is_said_to_everybody_who_is_told_of_stocks_and_again_when_it_comes_back(
    house: House,
) -> None:
    engine = house.engine
    engine.open_stock("cabinet", holds="things", by="boss-1")
    engine.set_reorder_point("cabinet", "mug", 5, key="p-1", **TOLD)
    assert sorted(house.tick()) == ["buyer@example.org", "lead@example.org"]
    assert house.tick(hours=1) == []
    lot: dict[str, Any] = {"product": "mug", "value": Decimal(5), "purchase": "shop", **TOLD}
    engine.receive_stock("cabinet", count=6, key="r-1", **lot)
    assert house.tick(hours=1) == []
    engine.write_off("cabinet", lot=2, holder="boss-1", count=4, why="broken", key="w-1", **TOLD)
    assert sorted(house.tick(days=1)) == ["buyer@example.org", "lead@example.org"]
    assert {each.about.partition(", since")[0] for each in house.kinds("alert")} == {"cabinet, reorder, mug"}


def test_a_reward_that_expires_is_said_while_it_is_owed(house: House) -> None:
    house.earn()
    house.tick()
    assert house.tick(days=23, hours=1) == ["+15551230100"]
    [said] = house.kinds("reward expiring")
    assert (said.status, said.note) == ("over", "sent")


def test_a_reward_that_was_collected_before_it_expires_is_not_said_to_expire(house: House) -> None:
    house.earn()
    house.engine.redeem(enrollment=house.ann, key="ask", **TOLD)
    house.tick()
    assert house.tick(days=23, hours=1) == []
    [held] = house.kinds("reward expiring")
    assert (held.status, held.note) == ("over", "nothing of it is owed any more that expires then")


RISING = PROGRAM.replace("fixed: 10.00", "escalate: {start: 10.00, step: 5.00}, reset: {}")
TELLING: tuple[Scope, ...] = ("updates", "progress")


def test_a_part_of_a_reward_is_said_to_expire_once_the_rest_was_collected() -> None:
    house = House("memory:", scopes=TELLING)
    house.earn()
    house.engine.redeem(enrollment=house.ann, amount=Decimal("4.00"), key="ask", **TOLD)
    house.tick()
    house.tick(days=23, hours=1)
    assert house.texts()[-1] == "$6.00 is here for you until Wednesday, February 4. Ask us for it by then."
    assert notes(house) == {
        "decision 1, 7 days before": NO_MORE,
        "decision 1, of $6.00, 7 days before": "sent",
    }


def test_a_reward_that_a_correction_made_more_or_less_is_said_to_expire_as_it_is() -> None:
    house = House("memory:", RISING, TELLING)
    house.earn()
    house.tick(days=3)
    house.earn(3)
    house.correct(1, "+")
    house.tick(days=23, hours=1)
    assert house.texts()[1:] == ["$10.00 is here for you until Saturday, February 7. Ask us for it by then."]
    [corrected] = [each for each in house.kinds("reward earned") if each.about == "decision 2"]
    assert corrected.note == "it was decided otherwise since; a person tells of corrections"
    assert {about: note for about, note in notes(house).items() if about.startswith("decision 2")} == {
        "decision 2, 7 days before": NO_MORE,
        "decision 2, of $10.00, 7 days before": "sent",
    }


SHARED = f"{PROGRAM}limits: [{{amount: 500, per: calendar year, payer: county, crossing: truncate}}]\n"


def test_a_decision_that_is_made_again_and_says_the_same_is_said_still() -> None:
    house = House("memory:", SHARED, TELLING)
    house.earn()
    house.tick(days=3)
    house.earn(3)
    house.correct(1, "-")
    assert len(house.engine.history(enrollment=house.ann)[-1].decisions) == 2
    house.tick(hours=1)
    assert len(house.texts()) == 2


OFFSET = RISING.replace("on request, ", "at once, overpaid: offset, ")


def test_of_a_reward_that_settles_what_was_given_too_much_no_amount_is_said() -> None:
    house = House("memory:", OFFSET, TELLING)
    house.earn()
    house.tick(days=3)
    house.earn(3)
    house.tick(days=4)
    assert house.texts()[0] == "Well done. You earned $10.00. Next time you can earn $15.00."
    house.correct(1, "+")
    house.earn(7)
    house.tick()
    assert house.texts()[2:] == ["You have an update. Sign in to see it."]


def test_a_reward_that_came_back_is_said_to_expire_on_its_new_day(house: House) -> None:
    house.earn()
    asked = house.engine.redeem(enrollment=house.ann, key="ask", **TOLD)
    house.tick(days=20)
    house.engine.decline(enrollment=house.ann, number=asked.number, why="not wanted", key="d-1", **TOLD)
    assert house.tick(days=3, hours=1) == []  # the day of the first
    assert house.tick(days=20) == ["+15551230100"]
    assert len(house.kinds("reward expiring")) == 2


def frozen(house: House, *, on: bool, day: int) -> None:
    """Freeze the enrollment on a day, or release it."""
    act = house.engine.freeze if on else house.engine.release
    key = f"{'freeze' if on else 'release'}/{day}"
    act(enrollment=house.ann, on=START + timedelta(day), why="a dispute", key=key, **TOLD)


def notes(house: House) -> dict[str, str]:
    """Return what became of what is said of a reward that expires, by what it is about."""
    return {each.about: each.note for each in house.kinds("reward expiring")}


NO_MORE = "nothing of it is owed any more that expires then"


def test_a_reward_that_falls_due_to_be_said_during_a_freeze_is_said_of_its_new_day(house: House) -> None:
    house.earn()
    house.tick()
    house.tick(days=20)
    frozen(house, on=True, day=20)
    assert house.tick(days=3, hours=1) == []  # seven days before it would have expired
    assert house.tick(days=1) == []
    [waits] = house.kinds("reward expiring")
    assert (waits.status, waits.note) == ("waiting", "the enrollment is frozen, and nothing of it expires")
    house.now += timedelta(hours=1)
    frozen(house, on=False, day=24)
    assert house.tick(hours=1) == []
    assert house.tick(days=3) == ["+15551230100"]
    assert notes(house) == {
        "decision 1, 7 days before": NO_MORE,
        "decision 1, until 2026-02-08, 7 days before": "sent",
    }


def test_a_freeze_that_is_over_on_its_own_day_changes_nothing_of_what_is_said(house: House) -> None:
    house.earn()
    house.tick()
    house.tick(days=23, hours=-6)
    frozen(house, on=True, day=23)
    assert house.tick(hours=5) == []  # it falls due within the freeze
    frozen(house, on=False, day=23)
    assert house.tick(hours=1) == ["+15551230100"]
    assert notes(house) == {"decision 1, 7 days before": "sent"}


def test_a_reward_that_came_back_and_was_frozen_is_said_of_its_new_day(house: House) -> None:
    house.earn()
    asked = house.engine.redeem(enrollment=house.ann, key="ask", **TOLD)
    house.tick(days=20)
    house.engine.decline(enrollment=house.ann, number=asked.number, why="not wanted", key="d-1", **TOLD)
    frozen(house, on=True, day=20)
    assert house.tick(days=24, hours=1) == []  # it came back, and had 30 days from then
    frozen(house, on=False, day=44)
    assert house.tick(hours=1) == []
    assert house.tick(days=23) == ["+15551230100"]
    assert notes(house)["decision 1, back, until 2026-03-20, 7 days before"] == "sent"


def test_a_reward_does_not_expire_by_a_freeze_and_does_after_it(house: House) -> None:
    house.earn()
    house.tick(days=20)
    frozen(house, on=True, day=20)
    assert house.tick(days=23, hours=1) == []
    frozen(house, on=False, day=43)
    assert house.tick(hours=1) == []
    assert house.tick(days=3) == ["+15551230100"]
    house.tick(days=8)
    assert (
        "was not collected by 27 February 2026, and has expired."
        in house.engine.statement(enrollment=house.ann).text()
    )


def test_of_two_notices_that_a_freeze_put_off_each_is_said_on_its_new_day(house: House) -> None:
    house.engine.with_messages(MessagePolicy(expiry_days=(7, 1)))
    house.earn()
    house.tick(days=20)
    frozen(house, on=True, day=20)
    assert house.tick(days=9, hours=1) == []  # one day before it would have expired
    frozen(house, on=False, day=29)
    assert house.tick(hours=1) == []
    assert house.tick(days=3) == house.tick(days=6) == ["+15551230100"]
    about = {each for each, note in notes(house).items() if note == "sent"}
    assert about == {f"decision 1, until 2026-02-13, {days} days before" for days in (7, 1)}


def test_a_host_with_an_outbox_of_its_own_is_told_to_wait_while_a_reward_cannot_expire(house: House) -> None:
    done = house.engine.record(enrollment=house.ann, result="-", on=START, key="udt", **TOLD)
    [draft] = [each for each in house.engine.messages_of(done) if each.kind == "reward expiring"]
    frozen(house, on=True, day=0)
    house.now += timedelta(days=23, hours=1)
    answer = house.engine.to_send(draft)
    assert isinstance(answer, NotYet)
    assert (answer.until, answer.why) == (
        house.now + timedelta(hours=1),
        "the enrollment is frozen, and nothing of it expires",
    )
    frozen(house, on=False, day=23)
    assert isinstance(house.engine.to_send(draft), Outgoing)


def test_roles_that_nobody_reaches_are_refused() -> None:
    with pytest.raises(ReportError, match="alerts: the team has no address of buyer"):
        MessagePolicy(team={"lead": LEAD}, alerts={"stock": ("lead", "buyer")})


def test_the_file_of_notifiers_names_them_too() -> None:
    found = parse_notifiers(
        """
notifiers: {mail: {kind: smtp, host: mail.example.org, sender: updates@example.org}}
messages:
  team: {lead: {channel: email, address: lead@example.org}}
  alerts: {budget: [lead], stock: [lead]}
""",
        {},
    )
    assert found.policy.alerts == {"budget": ("lead",), "stock": ("lead",)}
