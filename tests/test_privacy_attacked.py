"""Attacks on consent and on what is logged of messages, as a hostile reviewer made them: each held back, or logged."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cm_engine import Engine, MessagePolicy
from cm_engine.errors import BundleError, ReportError, SecretError, StorageError
from cm_engine.gateways import Capabilities, Order, Outcome
from cm_engine.keyring import FileKeyring, MemoryKeyring
from cm_engine.ports import Envelope
from cm_engine.testing import FakeGateway, FakeNotifier

PHONE, MAIL = "+15551230100", "Ann@Example.org"
DESK: dict[str, Any] = {"source": "desk", "by": "nurse-7"}
FIRST = datetime(2026, 1, 5, 20, tzinfo=UTC)


class Clinic:
    """An engine with a clock of its own, one participant with a consent, and what left it."""

    def __init__(self, *, enrolled: bool = True, reached: bool = True, site: str = "") -> None:
        self.now = FIRST
        self.engine = (
            Engine.open("memory:", zone="America/Los_Angeles", clock=lambda: self.now)
            .with_keys(MemoryKeyring())
            .with_messages(MessagePolicy())
        )
        self.notifier = FakeNotifier(channels=frozenset({"sms"}))
        self.engine.add_program("california-recovery-incentives")
        if site:
            self.engine.open_site(site, zone="America/Los_Angeles", by="boss")
            self.engine.add_gateway(site, "mail", by="boss", source="office", key="g")
        if enrolled:
            self.engine.enroll(
                participant="p-104", program="california-recovery-incentives", start=date(2026, 1, 5), by="nurse-7",
                id="e-1", site=site,
            )  # fmt: skip
        if reached:
            self.reach()

    def reach(self) -> None:
        """Take the number of the participant, and the consent to write to it."""
        self.engine.add_handle(participant="p-104", channel="sms", address=PHONE, key="h", **DESK)
        self.agree("c-1", "sms")

    def agree(self, consent: str, channel: str) -> None:
        self.engine.consent(
            participant="p-104", consent=consent, discloser="North Clinic", channels=[channel],
            scopes=["updates", "visits"], signed_on=date(2026, 1, 5), key=consent, **DESK,
        )  # fmt: skip

    def met(self) -> None:
        self.engine.record(enrollment="e-1", result="-", on=date(2026, 1, 5), key="u-1", **DESK)

    def heard(self, text: str, at: datetime, key: str = "m-1") -> Any:
        return self.engine.hear(
            channel="sms", address=PHONE, text=text, received_at=at, source="carrier", key=key
        )

    def delivered(self) -> list[str]:
        return [each.note for each in self.engine.messenger([self.notifier]).deliver()]


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    made = Clinic()
    yield made
    made.engine.close()


AFTER: dict[str, Callable[[Clinic], object]] = {
    "STOP": lambda clinic: clinic.heard("STOP", clinic.now),
    "revoked": lambda clinic: clinic.engine.revoke(participant="p-104", consent="c-1", key="r", **DESK),
    "another number": lambda clinic: clinic.engine.add_handle(
        participant="p-104", channel="sms", address="+15559998888", key="h-2", **DESK
    ),
    "erased": lambda clinic: clinic.engine.erase(participant="p-104", key="x", **DESK),
}


@pytest.mark.parametrize("after", AFTER)
def test_a_message_whose_worker_died_is_logged_as_it_was_sent_whatever_came_after(
    clinic: Clinic, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.met()

    def dies(envelope: Envelope) -> None:
        FakeNotifier.send(clinic.notifier, envelope)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(clinic.notifier, "send", dies)
        with pytest.raises(KeyboardInterrupt):
            clinic.delivered()

    AFTER[after](clinic)
    clinic.now += timedelta(minutes=6)
    clinic.delivered()
    [logged] = clinic.engine.disclosures("p-104")
    assert (logged.outcome, logged.consent) == ("unknown", "c-1")
    assert logged.handle == 1, "the number that it was sent to"
    assert clinic.engine.verify().is_clean


GIVEN_UP: dict[str, Callable[[Clinic], object]] = {
    "removed": lambda clinic: clinic.engine.remove_handle(
        participant="p-104", channel="sms", key="g", **DESK
    ),
    "replaced": AFTER["another number"],
}


@pytest.mark.parametrize("given_up", GIVEN_UP)
def test_a_stop_from_a_number_that_was_given_up_ends_messages_also_once_it_is_back(
    clinic: Clinic, given_up: str
) -> None:
    GIVEN_UP[given_up](clinic)
    assert clinic.heard("START", clinic.now, key="m-0").of == (), "of now it is nobody's"
    assert clinic.heard("STOP", clinic.now).of == (("p-104", "participant"),)
    clinic.engine.add_handle(participant="p-104", channel="sms", address=PHONE, key="h-3", **DESK)
    clinic.met()
    clinic.delivered()
    assert not clinic.notifier.sent


def test_a_stop_from_a_number_that_was_erased_is_of_nobody(clinic: Clinic) -> None:
    clinic.engine.erase(participant="p-104", key="x", **DESK)
    assert clinic.heard("STOP", clinic.now).of == ()


def test_a_stop_that_comes_while_a_message_is_made_ready_holds_it_back(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.met()
    kept, came = clinic.engine.kept_message, list[object]()

    def stopped_meanwhile(was: Any, row: Any) -> Any:
        if '"asked"' in row.body and not came:
            came.append(clinic.heard("STOP", clinic.now))
        return kept(was, row)

    monkeypatch.setattr(clinic.engine, "kept_message", stopped_meanwhile)
    clinic.delivered()
    assert came
    assert not clinic.notifier.sent
    assert not clinic.engine.disclosures("p-104")


def test_an_address_that_is_erased_while_a_message_is_made_ready_is_not_logged_as_used(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.met()
    kept, came = clinic.engine.kept_message, list[object]()

    def erased_meanwhile(was: Any, row: Any) -> Any:
        if '"asked"' in row.body and not came:
            came.append(clinic.engine.erase(participant="p-104", key="x", **DESK))
        return kept(was, row)

    monkeypatch.setattr(clinic.engine, "kept_message", erased_meanwhile)
    clinic.delivered()
    clinic.now += timedelta(minutes=6)
    clinic.delivered()
    assert came
    assert not clinic.notifier.sent
    assert not clinic.engine.disclosures("p-104")


def test_a_key_that_is_gone_by_the_time_a_message_is_ready_leaves_it_to_a_person_and_logs_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.met()
    answer_for, asked = clinic.engine.answer_for, list[object]()

    def gone_the_second_time(draft: Any) -> Any:
        asked.append(draft)
        if len(asked) > 1:
            msg = "its key is erased"
            raise SecretError(msg)
        return answer_for(draft)

    monkeypatch.setattr(clinic.engine, "answer_for", gone_the_second_time)
    assert clinic.delivered() == ["it could not be worded or addressed: SecretError"]
    assert not clinic.notifier.sent
    assert not clinic.engine.disclosures("p-104")


def test_a_storage_that_fails_says_nothing_of_a_message(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.met()

    def fails(_: object) -> None:
        msg = "the disk is away"
        raise StorageError(msg)

    with monkeypatch.context() as patched:
        patched.setattr(clinic.engine, "answer_for", fails)
        with pytest.raises(StorageError, match="the disk is away"):
            clinic.delivered()
    clinic.now += timedelta(minutes=6)
    clinic.delivered()
    assert len(clinic.notifier.sent) == 1


def test_what_may_have_left_is_logged_once_though_no_worker_here_sends_so(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.met()

    def dies(_: Envelope) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(clinic.notifier, "send", dies)
        with pytest.raises(KeyboardInterrupt):
            clinic.delivered()
    for _ in range(2):
        clinic.now += timedelta(minutes=20)
        [message] = clinic.engine.messenger([]).deliver()
        assert (message.status, message.note) == ("waiting", "no worker here sends by sms")
    assert [each.outcome for each in clinic.engine.disclosures("p-104")] == ["unknown"]


def test_what_is_revoked_is_so_at_once_though_the_clock_of_the_worker_is_behind(clinic: Clinic) -> None:
    clinic.met()
    clinic.now += timedelta(minutes=2)
    clinic.engine.revoke(participant="p-104", consent="c-1", key="r", **DESK)
    clinic.now -= timedelta(minutes=1)
    clinic.delivered()
    assert not clinic.notifier.sent


def test_a_start_that_comes_late_does_not_undo_a_stop_that_was_said_after_it(clinic: Clinic) -> None:
    clinic.heard("STOP", FIRST)
    clinic.heard("START", FIRST - timedelta(hours=5), key="m-2")
    clinic.met()
    clinic.delivered()
    assert not clinic.notifier.sent
    clinic.now += timedelta(hours=1)
    clinic.heard("START", clinic.now, key="m-3")
    clinic.engine.record(enrollment="e-1", result="-", on=date(2026, 1, 5), key="u-2", **DESK)
    clinic.delivered()
    assert clinic.notifier.sent


def test_a_word_said_in_the_future_of_the_clinic_counts_as_said_now(clinic: Clinic) -> None:
    clinic.heard("START", FIRST + timedelta(days=400))
    clinic.now += timedelta(minutes=1)
    clinic.heard("STOP", clinic.now, key="m-2")
    clinic.met()
    clinic.delivered()
    assert not clinic.notifier.sent


def test_an_e_mail_address_is_known_in_whatever_case_it_is_written(clinic: Clinic) -> None:
    clinic.engine.add_handle(participant="p-104", channel="email", address=MAIL, key="h-2", **DESK)
    assert clinic.engine.whose(channel="email", address=MAIL.lower()) == (("p-104", "participant"),)


def test_a_key_of_a_carrier_may_be_as_long_as_keys_are(clinic: Clinic) -> None:
    assert clinic.heard("STOP", FIRST, key="k" * 200).of == (("p-104", "participant"),)
    clinic.met()
    clinic.delivered()
    assert not clinic.notifier.sent


LATER: dict[str, tuple[Callable[[Engine], object], list[str]]] = {
    "revoked": (lambda engine: engine.revoke(participant="p-104", consent="c-2", key="r", **DESK), []),
    "opted out": (lambda engine: engine.opt_out(participant="p-104", key="r", **DESK), []),
    "removed": (lambda engine: engine.remove_handle(participant="p-104", channel="email", key="r", **DESK), []),
    "another": (
        lambda engine: engine.add_handle(participant="p-104", channel="email", address="new@example.org", key="h-3", **DESK),
        ["new@example.org"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("fault", ["before", Outcome.UNKNOWN])
def test_a_payout_that_its_gateway_does_not_have_goes_where_the_participant_is_reached_now(
    later: str, fault: Any
) -> None:
    clinic = Clinic(site="north", reached=False)
    engine, asked = clinic.engine, list[str]()
    engine.add_handle(participant="p-104", channel="email", address="ann@example.org", key="he", **DESK)
    clinic.agree("c-2", "email")

    class Noting(FakeGateway):
        def send(self, order: Order) -> Any:
            asked.append(order.handle)
            return super().send(order)

    able = Capabilities(frozenset({"USD"}), needs_handle=True, reaches_by="email")
    gateways = {"mail": Noting(faults=[fault], capabilities=able)}
    dispatcher = engine.dispatcher(gateways, handle=engine.handles(gateways))
    clinic.met()
    dispatcher.deliver()
    act, reached = LATER[later]
    act(engine)
    clinic.now += timedelta(minutes=10)
    dispatcher.deliver()
    assert asked[1:] == reached
    assert [each.handle for each in gateways["mail"].orders.values()] == reached
    assert engine.verify().is_clean


def test_a_bundle_of_somebody_who_has_a_contact_here_is_refused_unless_it_is_the_same_person(
    clinic: Clinic, tmp_path: Path
) -> None:
    clinic.met()
    path = tmp_path / "moves.json"
    clinic.engine.export(enrollment="e-1", to="harbor", why="moved", consent="c-9", key="ex", **DESK).write(
        path
    )
    there = Clinic(enrolled=False)
    with pytest.raises(BundleError, match="'p-104' has a contact here"):
        there.engine.import_bundle(path, source="harbor", key="mv", by="nurse-1")
    there.engine.import_bundle(path, source="harbor", key="mv", by="nurse-1", same_participant=True)


def test_bundles_and_keyrings_are_their_owners_alone_though_the_file_was_there(
    clinic: Clinic, tmp_path: Path
) -> None:
    for name in ("moves.json", "keys.db"):
        (tmp_path / name).touch(0o644)
    clinic.engine.export(enrollment="e-1", to="harbor", why="moved", consent="c-9", key="ex", **DESK).write(
        tmp_path / "moves.json"
    )
    FileKeyring(tmp_path / "keys.db", bytes(32))
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("moves.json", "keys.db")} == {0o600}


def test_an_order_never_shows_where_it_goes() -> None:
    assert "ann@" not in repr(Order("o-1", Decimal(10), "USD", handle="ann@example.org"))


@pytest.mark.parametrize("name", [" Ann Lee", "ann.lee@example.org ", "Ann Lee\n12 Elm Street", "LEE^ANN"])
def test_a_name_that_is_given_for_an_id_is_never_repeated(clinic: Clinic, name: str) -> None:
    with pytest.raises(ReportError) as refused:
        clinic.engine.enroll(
            participant=name, program="california-recovery-incentives", start=date(2026, 1, 5), by="nurse-7"
        )
    assert "lee" not in str(refused.value).lower()
