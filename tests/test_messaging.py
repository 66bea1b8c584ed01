"""What an act gives reason to say is kept with the act, said once, and only as long as it may be said."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from cm_engine import Engine, Report, parse_program
from cm_engine.errors import ReportError, StorageFullError
from cm_engine.intake.loading import parse_mapping
from cm_engine.keyring import MemoryKeyring
from cm_engine.messages import arising
from cm_engine.messages.messenger import Messenger
from cm_engine.messages.policy import MessagePolicy
from cm_engine.opening import open_storage
from cm_engine.ports import Delivery, Envelope
from cm_engine.testing import FakeNotifier
from cm_engine.waiting import CALLS_MAX

PROGRAM = """
program: steps
version: "1"
title: Steps
currency: USD
visits: [{weeks: 1-12, days: [monday, thursday]}]
targets:
  stimulants:
    behavior: abstinence
    windows: {before: 0, after: 1, grace: 1}
    schedule: [{weeks: 1-12, fixed: 10.00}]
"""
START = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 20, tzinfo=UTC)
SMS = frozenset({"sms"})


OPENED: list[Engine] = []
"""The engines that a test has opened, to be closed with it."""


class Clinic:
    """A clinic that tells one participant what it may, and a clock that stands still until it is put forward."""

    def __init__(self, url: str, policy: MessagePolicy | None = None) -> None:
        self.now = NOON
        engine = Engine(storage=open_storage(url, {}), zone="America/Los_Angeles", clock=lambda: self.now)
        self.engine = engine.with_keys(MemoryKeyring()).with_messages(policy or MessagePolicy())
        OPENED.append(self.engine)
        self.engine.add_program(parse_program(PROGRAM))
        self.told: dict[str, Any] = {"source": "desk", "by": "nurse-7"}
        self.ann = self.engine.enroll(
            participant="p-1", program="steps", start=START, by="nurse-7", id="e-1"
        ).id

    def reached(self, *scopes: str, channel: str = "sms", address: str = "+15551230100") -> None:
        self.engine.add_handle(
            participant="p-1", channel=channel, address=address, key=f"h/{channel}", **self.told
        )
        self.engine.consent(
            participant="p-1",
            consent=f"c/{channel}",
            discloser="North",
            channels=[channel],
            scopes=list(scopes) or ["updates", "visits", "absences"],
            signed_on=START,
            key=f"c/{channel}",
            **self.told,
        )

    def record(self, result: str = "-", on: date = START) -> Any:
        return self.engine.record(enrollment=self.ann, result=result, on=on, key=f"udt/{on}", **self.told)

    def messenger(self, notifier: Any, worker: str = "w-1") -> Messenger:
        return self.engine.messenger([notifier], worker=worker)

    def later(self, **ago: float) -> None:
        self.now += timedelta(**ago)

    def kinds(self) -> list[str]:
        return sorted(each.kind for each in self.engine.messages())


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
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


def test_what_an_act_gives_reason_to_say_is_kept_with_it_and_said_once(clinic: Clinic) -> None:
    clinic.reached()
    clinic.record()
    assert [(each.kind, each.status) for each in clinic.engine.messages()] == [("reward earned", "waiting")]
    phone = FakeNotifier(channels=SMS)
    [said] = clinic.messenger(phone).deliver()
    assert (said.status, said.note, said.tries) == ("over", "sent", 1)
    assert clinic.messenger(phone).deliver() == []
    assert [each.text for each in phone.sent] == ["You have an update. Sign in to see it. Reply STOP to end."]
    assert [each.outcome for each in clinic.engine.disclosures("p-1")] == ["sent"]


def test_an_engine_that_keeps_no_messages_keeps_none_and_says_how_to_begin(clinic: Clinic) -> None:
    silent = Engine(storage=clinic.engine._storage, zone="UTC", clock=lambda: NOON)  # noqa: SLF001 - the same one
    silent.record(enrollment=clinic.ann, result="-", on=START, key="k", **clinic.told)
    assert clinic.engine.messages() == []
    with pytest.raises(ReportError, match=r"begin with engine\.with_messages"):
        silent.messenger([])


def test_a_repeat_of_an_act_says_nothing_again(clinic: Clinic) -> None:
    clinic.reached()
    for _ in range(3):
        clinic.record()
    assert clinic.kinds() == ["reward earned"]


def test_acts_that_are_recorded_together_are_said_each_and_a_history_is_told_to_nobody(
    clinic: Clinic,
) -> None:
    clinic.later(days=21)
    days = [START + timedelta(each) for each in (0, 3, 7, 10, 14, 17, 21)]
    clinic.engine.record_many(
        Report(clinic.ann, "desk", f"udt/{day}", "nurse-7", result="-", on=day) for day in days
    )
    assert len(clinic.engine.messages()) == 3


MAPPING = parse_mapping("""
mapping: lab
source: lab
program: steps
participants: same
codes:
- {system: csv, code: udt, values: {neg: met}}
""")


def received(clinic: Clinic, value: str) -> None:
    """Take in a result as a laboratory sends it."""
    line = f"u-1,p-1,udt,{value},final,2026-01-05T09:30-08:00"
    document = f"id,person,code,value,status,collected_at\n{line}\n".encode()
    clinic.engine.receive(document, format="csv", mapping=MAPPING, by="lab-interface")


def settled(clinic: Clinic) -> None:
    """Take in what a person has to read, and have it read."""
    received(clinic, "odd")
    [item] = clinic.engine.waiting_for_review()
    clinic.engine.settle(source="lab", item=item.item, enrollment=clinic.ann, result="-", by="nurse-7")


def as_last_seen(clinic: Clinic) -> None:
    """Record a result, if nothing else was recorded meanwhile."""
    clinic.engine.record(
        enrollment=clinic.ann, result="-", on=START, key="udt", expected_last=0, **clinic.told
    )


@pytest.mark.parametrize(
    "way", [Clinic.record, lambda clinic: received(clinic, "neg"), settled, as_last_seen]
)
def test_whichever_way_a_result_comes_the_same_is_said_of_it(
    clinic: Clinic, way: Callable[[Clinic], object]
) -> None:
    way(clinic)
    assert clinic.kinds() == ["reward earned"]


def test_a_result_is_taken_in_only_with_what_is_said_of_it(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise StorageFullError

    with monkeypatch.context() as full, suppress(StorageFullError):
        full.setattr(arising, "compose", no_room)
        received(clinic, "neg")
    assert clinic.kinds() == []
    assert len(clinic.engine.history(enrollment=clinic.ann)) == 1


def test_what_is_said_of_an_act_that_the_host_rolls_back_is_not_kept(tmp_path: Path) -> None:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    database = create_engine(f"sqlite:///{tmp_path / 'clinic.db'}")
    for ends in ("rollback", "commit"):
        with database.connect() as connection:
            joined = clinic.engine.joining(connection)
            joined.record(enrollment=clinic.ann, result="-", on=START, key="k", **clinic.told)
            getattr(connection, ends)()
        assert len(clinic.engine.messages()) == (ends == "commit")


@pytest.mark.parametrize(
    ("break_it", "note"),
    [
        (lambda _: None, "there is no handle of 'participant'"),
        (
            lambda clinic: (
                clinic.reached(),
                clinic.engine.opt_out(participant="p-1", channel="sms", key="o", **clinic.told),
            ),
            "'participant' opted out of it by sms",
        ),
        (lambda clinic: clinic.reached("visits"), "no consent in force on 2026-01-05 lets it be told"),
    ],
    ids=["no handle", "opted out", "no consent"],
)
def test_inv_17_what_may_not_be_said_is_not_said_and_the_reason_stays(
    clinic: Clinic, break_it: Any, note: str
) -> None:
    break_it(clinic)
    clinic.record()
    phone = FakeNotifier(channels=SMS)
    [said] = clinic.messenger(phone).deliver()
    assert said.status == "over"
    assert said.note.startswith(note)
    assert phone.sent == []
    assert clinic.engine.disclosures("p-1") == ()


def test_a_consent_that_is_revoked_before_a_message_is_sent_holds_it_back(clinic: Clinic) -> None:
    clinic.reached()
    clinic.record()
    clinic.engine.revoke(participant="p-1", consent="c/sms", key="r", **clinic.told)
    phone = FakeNotifier(channels=SMS)
    assert [each.status for each in clinic.messenger(phone).deliver()] == ["over"]
    assert phone.sent == []


def test_a_result_that_is_voided_before_its_message_is_sent_is_not_announced(clinic: Clinic) -> None:
    clinic.reached()
    done = clinic.record()
    clinic.engine.void(
        enrollment="e-1", record=done.record, why="another person's", source="desk", key="v-1", by="nurse-7"
    )
    notifier = FakeNotifier(channels=SMS)
    [held] = clinic.messenger(notifier).deliver()
    assert held.note == "it was decided otherwise since; a person tells of corrections"
    assert not notifier.sent


def test_in_quiet_hours_a_message_waits_until_they_end(clinic: Clinic) -> None:
    clinic.reached()
    clinic.later(hours=10)  # ten in the evening
    clinic.record()
    phone = FakeNotifier(channels=SMS)
    [waits] = clinic.messenger(phone).deliver()
    assert (waits.status, waits.note, waits.due) == (
        "waiting",
        "there are quiet hours",
        "2026-01-06T16:00:00.000000+00:00",
    )
    clinic.later(hours=10)
    assert [each.note for each in clinic.messenger(phone).deliver()] == ["sent"]


def test_a_worker_that_cannot_send_by_a_channel_leaves_it_to_one_that_can(clinic: Clinic) -> None:
    clinic.reached()
    clinic.record()
    [left] = clinic.messenger(FakeNotifier(channels=frozenset({"email"}))).deliver()
    assert (left.status, left.note) == ("waiting", "no worker here sends by sms")
    clinic.later(minutes=10)
    assert [each.status for each in clinic.messenger(FakeNotifier(channels=SMS)).deliver()] == ["over"]


class Failing:
    """A notifier that never takes anything."""

    channels = SMS

    def __init__(self, outcome: Any, *, has_ids: bool = True) -> None:
        self.outcome, self.has_ids, self.calls = outcome, has_ids, 0

    def send(self, message: Envelope) -> Delivery:
        _ = message
        self.calls += 1
        return Delivery(self.outcome, why="the other side said so")

    def close(self) -> None:
        """Keep everything."""


def test_what_is_not_taken_is_tried_less_and_less_often_until_a_person_has_to_look(clinic: Clinic) -> None:
    clinic.reached()
    clinic.record()
    phone = Failing("retry")
    while clinic.engine.messages(status="waiting"):
        clinic.messenger(phone).deliver()
        clinic.later(hours=24)
    assert phone.calls == CALLS_MAX
    [stuck] = clinic.engine.messages(status="stuck")
    assert stuck.note == "the other side said so"
    assert clinic.engine.disclosures("p-1") == ()


@pytest.mark.parametrize(("has_ids", "calls"), [(False, 1), (True, 2)])
def test_what_may_have_been_sent_is_sent_again_only_where_a_repeat_can_be_told(
    clinic: Clinic, has_ids: bool, calls: int
) -> None:
    clinic.reached()
    clinic.record()
    phone = Failing("unknown", has_ids=has_ids)
    for _ in range(2):
        clinic.messenger(phone).deliver()
        clinic.later(minutes=1)
    assert phone.calls == calls
    assert "unknown" in [each.outcome for each in clinic.engine.disclosures("p-1")]


class Dying(Failing):
    """Take a message, and then the worker is gone."""

    def send(self, message: Envelope) -> Delivery:
        super().send(message)
        raise KeyboardInterrupt


@pytest.mark.parametrize("has_ids", [False, True])
def test_inv_17_what_a_dead_worker_was_sending_is_logged_as_maybe_sent(clinic: Clinic, has_ids: bool) -> None:
    clinic.reached()
    clinic.record()
    with pytest.raises(KeyboardInterrupt):
        clinic.messenger(Dying("sent", has_ids=has_ids)).deliver()
    clinic.later(minutes=5)
    phone = FakeNotifier(channels=SMS) if has_ids else Failing("sent", has_ids=False)
    for _ in range(2):
        clinic.messenger(phone, worker="w-2").deliver()
        clinic.later(minutes=1)
    outcomes = [each.outcome for each in clinic.engine.disclosures("p-1")]
    assert outcomes == (["unknown", "sent"] if has_ids else ["unknown"])
    assert clinic.engine.messages()[0].status == "over"


class Raising(Failing):
    """Break a promise: a notifier raises nothing that the world does."""

    def send(self, message: Envelope) -> Delivery:
        super().send(message)
        raise ZeroDivisionError


def test_a_notifier_that_raises_stands_in_the_way_of_no_other_message(clinic: Clinic) -> None:
    clinic.reached()
    clinic.record()
    clinic.later(days=3)
    clinic.record(on=START + timedelta(3))
    phone = Raising("sent")
    assert clinic.messenger(phone).deliver() == []
    assert phone.calls == len(clinic.engine.messages(status="waiting")) == 2


def test_two_workers_say_a_message_once(clinic: Clinic) -> None:
    clinic.reached()
    clinic.record()
    phone = FakeNotifier(channels=SMS)
    one, two = (clinic.messenger(phone, worker=worker) for worker in ("w-1", "w-2"))
    assert [len(one.deliver()), len(two.deliver())] == [1, 0]


def test_reminders_are_kept_once_and_not_sent_of_a_visit_that_is_planned_otherwise_by_then(
    clinic: Clinic,
) -> None:
    clinic.reached()
    clinic.engine.run_due()
    kept = clinic.engine.messages(limit=10**6)
    assert {each.kind for each in kept} == {"visit reminder"}
    assert len(kept) == 24
    assert clinic.engine.remind() == 0
    thursday = START + timedelta(3)
    clinic.engine.reschedule(
        enrollment=clinic.ann,
        target="stimulants",
        visit=2,
        to=thursday + timedelta(1),
        why="asked",
        key="m",
        **clinic.told,
    )
    assert clinic.engine.remind() == 1
    phone = FakeNotifier(channels=SMS)
    clinic.now = datetime(2026, 1, 7, 19, tzinfo=UTC)
    notes = {each.note for each in clinic.messenger(phone).deliver()}
    assert "it is planned otherwise by now" in notes
    clinic.now = datetime(2026, 1, 8, 19, tzinfo=UTC)
    assert [each.note for each in clinic.messenger(phone).deliver()] == ["sent"]


def test_nothing_of_an_address_or_of_the_words_is_in_the_outbox(tmp_path: Path) -> None:
    clinic = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    clinic.reached()
    clinic.record()
    clinic.messenger(Failing("retry")).deliver()
    stored = (tmp_path / "clinic.db").read_bytes() + (tmp_path / "clinic.db-wal").read_bytes()
    assert b"5551230100" not in stored
    assert b"Sign in to see it" not in stored


def test_messages_are_listed_page_by_page_and_a_wrong_status_is_refused(clinic: Clinic) -> None:
    clinic.reached()
    clinic.engine.remind()
    found = clinic.engine.messages(limit=5)
    found += clinic.engine.messages(after=found[-1])
    assert found == clinic.engine.messages(limit=100)
    with pytest.raises(ReportError, match="status: expected waiting, stuck, over, got 'sent'"):
        clinic.engine.messages(status="sent")
