"""Contacts: addresses that only the host reads, consents, opt-outs, what is disclosed, and what is erased for good."""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from cm_engine import (
    Engine,
    KeyConflictError,
    MissingDependencyError,
    NotAllowedError,
    ReportError,
    SecretError,
    cli,
    parse_program,
)
from cm_engine.keyring import FileKeyring, Keyring, MemoryKeyring
from cm_engine.messages.asking import asked_to_open, plain_address
from cm_engine.messages.composing import reminders
from cm_engine.messages.contact import CHANGES, CONTACT, ContactState, dump, load
from cm_engine.messages.draft import draft
from cm_engine.messages.kinds import CHANNELS, KINDS, PARTICIPANT, SIGNAL, TO_TEAM
from cm_engine.messages.outgoing import Outgoing
from cm_engine.messages.policy import MessagePolicy
from cm_engine.messages.sending import Never, NotYet
from cm_engine.ports import Delivery
from cm_engine.sealing import fingerprint, key_id, opened, resealed, sealed, sealed_with
from cm_engine.testing import FakeNotifier

ZONE = "America/Los_Angeles"
START = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 20, tzinfo=UTC)
NUMBER = "+15551230100"
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
SENT = Delivery("sent", reference="r-1")
EVERY = ["updates", "visits", "absences", "progress"]
FULL = MessagePolicy(
    tells=frozenset({"updates", "visits", "absences", "progress"}), team={"counselor": ("webhook", "team-3")}
)


@dataclass
class Clinic:
    """An engine with one contact, whose clock is set by hand."""

    engine: Engine
    keyring: Keyring
    times: list[datetime] = field(default_factory=lambda: [NOON])
    keys: int = 0

    def told(self, **more: Any) -> dict[str, Any]:
        self.keys += 1
        return {"participant": "p-1", "source": "desk", "key": f"k-{self.keys}", "by": "nurse-7", **more}

    def reach(self, channel: str = "sms", address: str = NUMBER, **more: Any) -> Any:
        return self.engine.add_handle(**self.told(channel=channel, address=address, **more))

    def consents(self, scopes: Any = ("updates", "visits"), consent: str = "c-1", **more: Any) -> Any:
        given = {
            "consent": consent,
            "discloser": "North",
            "channels": list(CHANNELS),
            "signed_on": START,
            **more,
        }
        return self.engine.consent(**self.told(scopes=scopes, **given))

    def sends(self, kind: Any = "visit reminder", recipient: str = PARTICIPANT, about: str = "x") -> Any:
        made = draft(
            kind, "p-1", "e-1", about, {"visit_day": "2026-01-12", "award": ("$5.00",)}, recipient=recipient
        )
        return self.engine.to_send(made, FULL)


def clinic(url: str = "memory:", keyring: Keyring | None = None, **options: Any) -> Clinic:
    times, keys = [NOON], keyring or MemoryKeyring()
    engine = Engine.open(url, zone=ZONE, clock=lambda: times[-1], **options).with_keys(keys)
    return Clinic(engine, keys, times)


@pytest.fixture
def reached() -> Iterator[Clinic]:
    made = clinic()
    made.reach()
    made.consents()
    yield made
    made.engine.close()


def bodies(engine: Engine, participant: str = "p-1") -> str:
    with engine._storage.reading() as tx:  # noqa: SLF001 - all that is stored
        name = CONTACT.journal(participant)
        return f"{tx.records(name)} {tx.standing(name)}"


# --- sealing ---


@given(st.text(), st.text(max_size=20), st.text(max_size=20))
def test_what_is_sealed_opens_to_the_same(text: str, purpose: str, subject: str) -> None:
    if "\ud800" <= max(text + purpose + subject, default="") <= "\udfff":
        return
    found = sealed(text, KEY, purpose, subject)
    assert opened(found, KEY, purpose, subject) == text
    assert found != sealed(text, KEY, purpose, subject)


@pytest.mark.parametrize(
    ("keys", "purpose", "subject", "says"),
    [
        (OTHER, "p", "s", "was sealed with key .*, and given is"),
        (KEY, "q", "s", "it was changed, or sealed for another purpose or subject"),
        (KEY, "p", "t", "it was changed, or sealed for another purpose or subject"),
        (b"short", "p", "s", "key: expected at least 32 bytes"),
        ([], "p", "s", "key: expected at least 32 bytes"),
    ],
)
def test_with_another_key_or_for_something_else_nothing_opens(
    keys: Any, purpose: str, subject: str, says: str
) -> None:
    with pytest.raises(SecretError, match=says):
        opened(sealed("text", KEY, "p", "s"), keys, purpose, subject)


def test_a_purpose_and_a_subject_do_not_run_together() -> None:
    with pytest.raises(SecretError):
        opened(sealed("text", KEY, "ab", "c"), KEY, "a", "bc")


@pytest.mark.parametrize("text", ["", "plain", "s1.short", "s2.daa2700c.x", "s1.daa2700c.gAAAA"])
def test_what_was_never_sealed_or_was_changed_is_refused(text: str) -> None:
    with pytest.raises(SecretError):
        opened(text, KEY, "p", "s")


def test_a_key_is_replaced_and_then_needed_no_more() -> None:
    text = sealed("text", KEY, "p", "s")
    again = resealed(text, [OTHER, KEY], "p", "s")
    assert sealed_with(again) == key_id(OTHER)
    assert opened(again, OTHER, "p", "s") == "text"
    assert resealed(again, [OTHER, KEY], "p", "s") == again


def test_neither_a_sealed_text_nor_a_fingerprint_tells_its_time_or_its_key() -> None:
    text = sealed("text", KEY, "p", "s")
    assert text.split(".")[2].startswith("gAAAAAAAAAAA")  # Fernet writes the time here, which is 0
    assert KEY.hex() not in text
    assert fingerprint("text", KEY, "p", "s") == fingerprint("text", KEY, "p", "s")
    assert len({fingerprint("text", key, "p", subject) for key in (KEY, OTHER) for subject in "st"}) == 4


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises((MissingDependencyError, ImportError), match="secrets"):
        sealed("text", KEY, "p", "s")


# --- keyrings ---


@pytest.fixture(params=["memory", "file"])
def keyring(request: pytest.FixtureRequest, tmp_path: Path) -> Keyring:
    return MemoryKeyring() if request.param == "memory" else FileKeyring(tmp_path / "keys.db", KEY)


def test_a_key_is_made_once_and_another_one_for_another_person(keyring: Keyring) -> None:
    assert keyring.key("p-1") is None
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: keyring.made("p-1"), range(16)))
    assert made == {keyring.key("p-1")}
    assert keyring.made("p-2") not in made


def test_only_the_key_that_is_meant_is_erased(keyring: Keyring) -> None:
    first = keyring.made("p-1")
    assert not keyring.erase("p-1", "another")
    assert keyring.erase("p-1", key_id(first))
    assert keyring.key("p-1") is None
    assert not keyring.erase("p-1", key_id(first))
    second = keyring.made("p-1")
    assert second != first
    assert not keyring.erase("p-1", key_id(first))


def test_a_file_of_keys_has_them_sealed_and_is_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "keys.db"
    made = FileKeyring(file, KEY).made("p-1")
    stored = file.read_bytes()
    assert made not in stored
    assert made.hex().encode() not in stored
    assert file.stat().st_mode & 0o077 == 0
    assert FileKeyring(file, KEY).key("p-1") == made
    with pytest.raises(SecretError):
        FileKeyring(file, OTHER).key("p-1")


def test_what_is_erased_is_no_more_in_the_file(tmp_path: Path) -> None:
    file, keyring = tmp_path / "keys.db", FileKeyring(tmp_path / "keys.db", KEY)
    made = keyring.made("p-1")
    keyring.made("p-2")
    with closing(sqlite3.connect(file)) as rows:
        [(text,)] = rows.execute("SELECT sealed FROM keys WHERE subject = 'p-1'").fetchall()
    assert text.encode() in file.read_bytes()
    keyring.erase("p-1", key_id(made))
    assert text.encode() not in file.read_bytes()


def test_the_hosts_key_is_replaced_without_touching_the_log(tmp_path: Path) -> None:
    old = clinic(f"sqlite:///{tmp_path / 'clinic.db'}", FileKeyring(tmp_path / "keys.db", KEY))
    old.reach()
    old.consents()
    before = bodies(old.engine)
    assert FileKeyring(tmp_path / "keys.db", [OTHER, KEY]).rotate() == 1
    assert FileKeyring(tmp_path / "keys.db", [OTHER, KEY]).rotate() == 0
    new = clinic(f"sqlite:///{tmp_path / 'clinic.db'}", FileKeyring(tmp_path / "keys.db", OTHER))
    assert new.sends().envelope.to == NUMBER
    assert bodies(new.engine) == before


def test_a_file_that_is_no_keyring_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys.db").write_text("something else, long enough to be no database at all" * 20, "utf-8")
    with pytest.raises(SecretError, match=r"the keys in keys\.db cannot be read or written"):
        FileKeyring(tmp_path / "keys.db", KEY)


# --- handles ---


def test_an_address_stands_nowhere_in_the_clear(reached: Clinic) -> None:
    assert reached.sends().envelope.to == NUMBER
    stored = bodies(reached.engine) + repr(reached.engine.contact("p-1")) + repr(reached.sends())
    for part in (NUMBER, NUMBER[1:], "5551230100", "1230100"):
        assert part not in stored


def test_no_table_and_no_file_has_an_address(tmp_path: Path) -> None:
    made = clinic(f"sqlite:///{tmp_path / 'clinic.db'}", FileKeyring(tmp_path / "keys.db", KEY))
    made.reach()
    made.reach("email", "ann.lee@example.org")
    made.consents()
    made.engine.disclosed(made.sends(), SENT)
    made.engine.close()
    for file in tmp_path.iterdir():
        assert b"1230100" not in file.read_bytes()
        assert b"ann.lee" not in file.read_bytes()


def test_the_same_address_under_the_same_key_is_one_handle_and_another_one_a_conflict(
    reached: Clinic,
) -> None:
    told = reached.told(channel="email", address="ann@example.org", key="h-9")
    reached.engine.add_handle(**told)
    before = bodies(reached.engine)
    reached.engine.add_handle(**told)
    assert bodies(reached.engine) == before
    with pytest.raises(KeyConflictError) as refused:
        reached.engine.add_handle(**{**told, "address": "bob@example.org"})
    assert "bob@example.org" not in str(refused.value)
    assert "ann@example.org" not in str(refused.value)


def test_a_new_address_takes_the_place_of_the_one_before(reached: Clinic) -> None:
    reached.reach("email", "ann@example.org")
    found = reached.reach("sms", "+15551230199", language="es")
    assert [(each.channel, each.language) for each in found.handles] == [("sms", "es"), ("email", "en")]
    assert reached.sends().envelope.to == "+15551230199"


def test_a_handle_that_is_removed_is_used_no_more(reached: Clinic) -> None:
    reached.engine.remove_handle(**reached.told(channel="sms"))
    assert reached.sends() == Never("there is no handle of 'participant'")
    with pytest.raises(ReportError, match="channel: there is no sms handle of 'participant'"):
        reached.engine.remove_handle(**reached.told(channel="sms"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"address": "555 123 0100"}, "address: expected a telephone number with its country"),
        ({"address": ""}, "address: expected a telephone number"),
        ({"channel": "email", "address": "nobody"}, "address: expected a mailbox"),
        ({"channel": "email", "address": "a@b.org\r\nBcc: c@d.org"}, "address: expected a mailbox"),
        ({"channel": "email", "address": f"{'a' * 64}@{'b' * 190}.org"}, "address: expected a mailbox"),
        ({"channel": "push", "address": "two words"}, "address: expected what the push service"),
        ({"channel": "webhook", "address": "Ann Lee"}, "address: expected the opaque id"),
        ({"channel": "webhook", "address": "0012345678"}, "address: expected the opaque id"),
        ({"channel": "fax"}, "channel: expected sms, email, push, webhook, got 'fax'"),
        ({"language": "English"}, "language: expected a language such as en"),
        ({"zone": "Los Angeles"}, "there is no time zone 'Los Angeles'"),
        ({"quiet": "at night"}, "quiet: expected hours such as 21:00-08:00"),
        ({"recipient": "Ann Lee"}, "recipient: has a blank in it, as a name has"),
        ({"recipient": "role:counselor"}, "recipient: role: stands before roles of the care team"),
        ({"recipient": "s-1"}, "recipient: no consent names 's-1'"),
        ({"participant": "Ann Lee"}, "participant: has a blank in it, as a name has"),
    ],
)
def test_what_is_wrong_with_a_handle_is_said_and_nothing_is_written(
    reached: Clinic, given: dict[str, str], says: str
) -> None:
    before = bodies(reached.engine)
    with pytest.raises(ReportError, match=says) as refused:
        reached.engine.add_handle(**reached.told(**{"channel": "sms", "address": NUMBER, **given}))
    assert bodies(reached.engine) == before
    assert given.get("address") in {None, ""} or given["address"] not in str(refused.value)


@given(st.sampled_from(CHANNELS), st.text())
def test_any_address_is_taken_in_one_form_or_refused(channel: str, text: str) -> None:
    try:
        plain = plain_address(channel, text)
    except ReportError:
        return
    assert plain.isprintable()
    assert not set(plain) & set("\r\n ")
    assert plain_address(channel, plain) == plain


def test_without_keys_nothing_is_sealed_and_the_error_says_what_to_do() -> None:
    engine = Engine.open("memory:", zone=ZONE)
    with pytest.raises(SecretError, match=r"the engine has no keys: engine.with_keys\(keyring\)"):
        engine.add_handle(
            participant="p-1", channel="sms", address=NUMBER, by="nurse-7", source="desk", key="k-1"
        )
    assert engine.contacts() == []


def test_a_participant_who_was_never_reached_has_an_empty_contact(reached: Clinic) -> None:
    assert reached.engine.contact("p-9").handles == ()
    assert reached.engine.disclosures("p-9") == ()
    assert [each.participant for each in reached.engine.contacts()] == ["p-1"]


# --- consents ---


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"scopes": ["everything"]},
            "scopes: expected updates, visits, absences, progress, got 'everything'",
        ),
        ({"scopes": []}, "scopes: expected some of updates"),
        ({"channels": ["fax"]}, "channels: expected sms, email"),
        ({"purpose": "because"}, "purpose: expected reminders and news of the treatment"),
        ({"until": date(2026, 1, 4)}, "until: expected signed_on, begins and until one after the other"),
        ({"begins": date(2026, 1, 1)}, "until: expected signed_on, begins and until one after the other"),
        ({"recipient": "s-1"}, "until: a consent that names somebody else ends on a day"),
        ({"discloser": ""}, "discloser: expected text of one line"),
        ({"consent": "Ann's paper"}, "consent: has a blank in it"),
        ({"consent": "c-1"}, "consent: there is a consent 'c-1' already"),
    ],
)
def test_a_consent_that_lacks_something_is_refused(reached: Clinic, given: dict[str, Any], says: str) -> None:
    before = bodies(reached.engine)
    with pytest.raises(ReportError, match=says):
        reached.consents(**{"consent": "c-2", **given})
    assert bodies(reached.engine) == before


def test_a_consent_that_is_revoked_ends_at_that_moment(reached: Clinic) -> None:
    assert isinstance(reached.sends(), Outgoing)
    reached.engine.revoke(**reached.told(consent="c-1"))
    assert isinstance(reached.sends(), Never)
    with pytest.raises(ReportError, match="consent: there is no consent 'c-1' that could be revoked"):
        reached.engine.revoke(**reached.told(consent="c-1"))


def test_a_supporter_is_reached_only_while_a_consent_names_them(reached: Clinic) -> None:
    until = START + timedelta(days=90)
    support = "support by a person of choice"
    reached.consents(["visits"], "c-2", recipient="s-1", until=until, purpose=support)
    found = reached.reach("sms", "+15551230111", recipient="s-1")
    assert found.supporters == ("s-1",)
    sent = reached.sends(recipient="s-1")
    assert sent.envelope.to == "+15551230111"
    assert sent.envelope.text.endswith("until April 5, 2026.")
    assert sent.ready.with_notice
    found = reached.engine.revoke(**reached.told(consent="c-2"))
    assert (found.supporters, [each.recipient for each in found.handles]) == ((), [PARTICIPANT])
    assert isinstance(reached.sends(recipient="s-1"), Never)


def test_a_consent_ends_with_its_last_day_where_the_recipient_is(reached: Clinic) -> None:
    reached.consents(["progress"], "c-2", until=date(2026, 1, 6))
    reached.times.append(datetime(2026, 1, 7, 3, tzinfo=UTC))
    assert reached.sends("reward earned").ready.consent == "c-2"
    reached.times.append(datetime(2026, 1, 7, 20, tzinfo=UTC))
    assert reached.sends("reward earned").ready.consent == "c-1"


# --- opting out ---


def test_a_word_ends_messages_at_once_for_all_who_share_the_address(reached: Clinic) -> None:
    reached.reach(participant="p-2")
    reached.consents(participant="p-2")
    received = NOON - timedelta(minutes=5)
    told: dict[str, Any] = {
        "channel": "sms",
        "address": "+1 (555) 123-0100",
        "received_at": received,
        "source": "carrier",
    }
    heard = reached.engine.hear(**told, text="Stop.", key="m-1")
    assert heard == ("stop", (("p-1", PARTICIPANT), ("p-2", PARTICIPANT)))
    assert isinstance(reached.sends(), Never)
    assert "2026-01-05T19:55" in bodies(reached.engine, "p-2")
    assert reached.engine.hear(**told, text="Stop.", key="m-1") == heard
    reached.engine.hear(**told, text="START", key="m-2")
    assert isinstance(reached.sends(), Outgoing)


@pytest.mark.parametrize("text", ["I cannot come", "yes", "help"])
def test_other_words_change_nothing_and_are_not_kept(reached: Clinic, text: str) -> None:
    before = bodies(reached.engine)
    reached.engine.hear(
        channel="sms", address=NUMBER, text=text, received_at=NOON, source="carrier", key="m-1"
    )
    assert bodies(reached.engine) == before


def test_a_word_from_an_address_that_nobody_has_is_of_nobody(reached: Clinic) -> None:
    told: dict[str, Any] = {"text": "stop", "received_at": NOON, "source": "carrier", "key": "m-1"}
    assert reached.engine.hear(channel="sms", address="+15551239999", **told).of == ()
    with pytest.raises(ReportError, match="channel: expected sms"):
        reached.engine.whose(channel="fax", address=NUMBER)


def test_an_opt_out_of_a_topic_or_a_channel_leaves_the_others(reached: Clinic) -> None:
    reached.engine.opt_out(**reached.told(topic="visits"))
    assert isinstance(reached.sends("visit reminder"), Never)
    assert isinstance(reached.sends("reward earned"), Outgoing)
    reached.engine.opt_in(**reached.told(topic="visits"))
    assert isinstance(reached.sends("visit reminder"), Outgoing)
    reached.reach("email", "ann@example.org")
    reached.engine.opt_out(**reached.told(channel="sms"))
    assert reached.sends("visit reminder").envelope.channel == "email"


def test_an_opt_out_holds_before_any_handle_is_known_and_after_an_erasure() -> None:
    made = clinic()
    made.engine.opt_out(**made.told())
    made.reach()
    made.consents()
    assert isinstance(made.sends(), Never)
    made.engine.erase(**made.told())
    made.reach()
    assert isinstance(made.sends(), Never)


def test_a_time_without_its_offset_is_refused(reached: Clinic) -> None:
    with pytest.raises(ReportError, match="received_at: expected a time with its offset from UTC"):
        reached.engine.opt_out(**reached.told(received_at=datetime(2026, 1, 5)))  # noqa: DTZ001 - which is refused


# --- sending and disclosing ---


def test_what_was_sent_is_logged_once_with_its_consent_and_without_its_address(reached: Clinic) -> None:
    sent = reached.sends()
    first = reached.engine.disclosed(sent, SENT)
    again = reached.engine.disclosed(sent, SENT)
    assert first == again
    [found] = reached.engine.disclosures("p-1")
    assert found == first
    assert (found.kind, found.recipient, found.channel, found.outcome) == (
        "visit reminder",
        PARTICIPANT,
        "sms",
        "sent",
    )
    assert (found.template, found.scope, found.consent, found.with_notice) == (
        "visit-day/en@1",
        "visits",
        "c-1",
        False,
    )
    assert (found.reference, found.handle, found.at) == ("r-1", 1, NOON)


@pytest.mark.parametrize(("outcome", "logged"), [("sent", 1), ("unknown", 1), ("rejected", 0), ("retry", 0)])
def test_only_what_left_or_may_have_left_is_disclosed(reached: Clinic, outcome: Any, logged: int) -> None:
    assert (reached.engine.disclosed(reached.sends(), Delivery(outcome)) is not None) == bool(logged)
    assert len(reached.engine.disclosures("p-1")) == logged


def test_a_second_try_after_an_unknown_one_is_a_disclosure_of_its_own(reached: Clinic) -> None:
    sent = reached.sends()
    for outcome in ("unknown", "unknown", "sent"):
        reached.engine.disclosed(sent, Delivery(outcome))
    assert [each.outcome for each in reached.engine.disclosures("p-1")] == ["unknown", "sent"]


def test_in_the_night_it_waits_and_a_fake_notifier_takes_it_in_the_morning(reached: Clinic) -> None:
    reached.times.append(datetime(2026, 1, 6, 6, tzinfo=UTC))
    waits = reached.sends()
    assert isinstance(waits, NotYet)
    reached.times.append(waits.until)
    notifier = FakeNotifier(["retry"])
    for _ in range(2):
        sent = reached.sends()
        reached.engine.disclosed(sent, notifier.send(sent.envelope))
    assert [each.to for each in notifier.sent] == [NUMBER]
    assert len(reached.engine.disclosures("p-1")) == 1


def test_a_signal_goes_to_the_team_and_is_logged_though_nobody_reaches_the_participant() -> None:
    made = clinic(people="known")
    made.engine.add_staff(staff="lead-1", roles=["supervisor"], by="lead-1")
    signal = draft(SIGNAL, "p-1", "e-1", "signal lapse", {}, recipient="role:counselor")
    sent = made.engine.to_send(signal, FULL)
    assert isinstance(sent, Outgoing)
    assert (sent.envelope.channel, sent.envelope.to) == ("webhook", "team-3")
    made.engine.disclosed(sent, SENT)
    [found] = made.engine.disclosures("p-1")
    assert (found.recipient, found.consent, found.handle) == ("role:counselor", "", 0)


# --- erasing ---


def test_who_is_erased_can_be_read_by_nobody_in_any_copy_of_the_log(tmp_path: Path) -> None:
    keyring = FileKeyring(tmp_path / "keys.db", KEY)
    made = clinic(f"sqlite:///{tmp_path / 'clinic.db'}", keyring)
    made.reach()
    made.reach(participant="p-2", address="+15551230200")
    for participant in ("p-1", "p-2"):
        made.consents(participant=participant)
    with made.engine._storage.reading() as tx:  # noqa: SLF001 - a copy of the log
        [before] = load(tx.standing(CONTACT.journal("p-1")).state).handles  # type: ignore[union-attr]
    made.engine.disclosed(made.sends(), SENT)
    found = made.engine.erase(**made.told())
    assert (found.handles, len(found.consents)) == ((), 1)
    assert len(made.engine.disclosures("p-1")) == 1
    with pytest.raises(SecretError, match=r"was sealed with key .*, which is erased"):
        made.engine._address_of(before, "p-1")  # noqa: SLF001 - as a copy would be read
    assert made.engine.whose(channel="sms", address=NUMBER) == ()
    assert made.engine.whose(channel="sms", address="+15551230200") == (("p-2", PARTICIPANT),)
    assert made.engine.verify().is_clean


def test_an_erasure_that_was_interrupted_is_completed_by_asking_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = clinic()
    made.reach()
    told = made.told()
    with monkeypatch.context() as patched:
        patched.setattr(made.keyring, "erase", _fails)
        with pytest.raises(OSError, match="the key service is away"):
            made.engine.erase(**told)
    assert made.keyring.key("p-1") is not None
    made.engine.erase(**told)
    assert made.keyring.key("p-1") is None


def _fails(*_: object) -> bool:
    msg = "the key service is away"
    raise OSError(msg)


def test_who_comes_back_has_a_key_that_a_repeated_erasure_leaves_alone() -> None:
    made = clinic()
    made.reach()
    told = made.told()
    made.engine.erase(**told)
    made.reach()
    made.consents()
    made.engine.erase(**told)
    assert made.sends().envelope.to == NUMBER


def test_the_key_of_one_erasure_erases_nobody_else() -> None:
    made = clinic()
    made.reach()
    made.reach(participant="p-2")
    told = made.told()
    made.engine.erase(**told)
    with pytest.raises(KeyConflictError):
        made.engine.erase(**{**told, "participant": "p-2"})
    assert made.keyring.key("p-2") is not None


def test_nothing_is_erased_in_a_transaction_that_may_be_rolled_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    made = clinic(url)
    made.reach()
    database = create_engine(url)
    with (
        Session(database) as session,
        session.begin(),
        pytest.raises(ReportError, match="erase outside of it"),
    ):
        made.engine.joining(session).erase(**made.told())
    database.dispose()
    assert made.keyring.key("p-1") is not None


def test_a_handle_is_added_in_the_transaction_of_the_host_or_not_at_all(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    made = clinic(url)
    database = create_engine(url)
    told = made.told(channel="sms", address=NUMBER)
    for ends in ("rollback", "commit"):
        with Session(database) as session:
            made.engine.joining(session).add_handle(**told)
            getattr(session, ends)()
        assert len(made.engine.contact("p-1").handles) == (ends == "commit")
    database.dispose()


# --- the log ---


def test_a_contact_is_audited_and_a_changed_byte_is_found(tmp_path: Path) -> None:
    file = tmp_path / "clinic.db"
    made = clinic(f"sqlite:///{file}")
    made.reach()
    made.consents()
    made.engine.disclosed(made.sends(), SENT)
    assert made.engine.verify().journals == 1
    with closing(sqlite3.connect(file)) as rows, rows:
        rows.execute("""UPDATE cm_standings SET state = replace(state, '"visits"', '"progress"')""")
    [found] = made.engine.verify().differences
    assert found.enrollment == "@contact/p-1"


def test_what_is_kept_of_a_contact_is_read_again_as_it_was(reached: Clinic) -> None:
    reached.consents(["visits"], "c-2", recipient="s-1", until=date(2026, 4, 1))
    reached.reach("email", "sue@example.org", recipient="s-1", language="es-MX")
    reached.engine.opt_out(**reached.told(channel="sms"))
    with reached.engine._storage.reading() as tx:  # noqa: SLF001 - as it is stored
        stored = tx.standing(CONTACT.journal("p-1"))
    assert stored is not None
    assert dump(load(stored.state)) == stored.state
    assert isinstance(load(stored.state), ContactState)


def test_an_act_that_a_contact_does_not_know_is_refused(reached: Clinic) -> None:
    state = ContactState("p-1")
    with pytest.raises(ReportError, match="a contact takes no act of the kind 'sung'"):
        CONTACT.fold(state, _act("sung"))
    assert "opened" not in CHANGES
    assert asked_to_open("p-1", "x").kind == "opened"
    assert reached.engine.verify().is_clean


def _act(kind: str) -> Any:
    from cm_engine.journal import Act  # noqa: PLC0415 - for this one test

    return Act("@contact/p-1", 1, kind, "s", "k", "x", "", {}, {}, "")


def test_contacts_are_written_by_many_at_once_and_nothing_is_lost(database_url: str) -> None:
    made = clinic(database_url)

    def add(number: int) -> None:
        told: dict[str, Any] = {"participant": "p-1", "source": "desk", "key": f"k-{number}", "by": "nurse-7"}
        made.engine.opt_out(**told, topic="visits" if number % 2 else "progress")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(12)))
    with made.engine._storage.reading() as tx:  # noqa: SLF001 - how many acts there are
        assert len(tx.records(CONTACT.journal("p-1"))) == 13
    assert made.engine.verify().is_clean
    made.engine.close()


# --- people ---


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("front-desk", "contact opt-out"),
        ("supervisor", "contact opt-out erase"),
        ("system", "contact opt-out disclose"),
        ("cashier", ""),
        ("auditor", ""),
    ],
)
def test_each_role_does_with_contacts_what_the_table_says(role: str, may: str) -> None:
    made = clinic(people="known")
    made.engine.add_staff(staff="lead-1", roles=["supervisor"], by="lead-1")
    made.engine.add_staff(staff="x-1", roles=[role], by="lead-1")
    made.engine.add_handle(**made.told(channel="sms", address=NUMBER, by="lead-1"))
    made.engine.consent(
        **made.told(
            consent="c-1", discloser="N", channels=["sms"], scopes=EVERY, signed_on=START, by="lead-1"
        )
    )
    deeds: dict[str, Callable[[], object]] = {
        "contact": lambda: made.reach("email", "ann@example.org", by="x-1"),
        "opt-out": lambda: made.engine.opt_out(**made.told(by="x-1", channel="email")),
        "disclose": lambda: made.engine.disclosed(made.sends(), SENT, by="x-1"),
        "erase": lambda: made.engine.erase(**made.told(by="x-1")),
    }
    for right, deed in deeds.items():
        assert made.engine.may(by="x-1", act=right) == (right in may.split())
        if right in may.split():
            deed()
        else:
            with pytest.raises(NotAllowedError) as refused:
                deed()
            assert refused.value.act == right


def test_the_engine_itself_opts_out_and_discloses_and_does_nothing_else() -> None:
    made = clinic(people="known")
    made.engine.add_staff(staff="lead-1", roles=["supervisor"], by="lead-1")
    made.engine.add_handle(**made.told(channel="sms", address=NUMBER, by="lead-1"))
    made.engine.hear(
        channel="sms", address=NUMBER, text="stop", received_at=NOON, source="carrier", key="m-1"
    )
    with pytest.raises(NotAllowedError):
        made.reach("email", "ann@example.org", by="cm-engine")


# --- what an act gives reason to say ---


PROGRAM = """
program: rewards
version: "1"
title: Rewards
currency: USD
visits: [{weeks: 1-12, per_week: 2}]
targets:
  stimulants:
    behavior: abstinence
    schedule:
      - weeks: 1-12
        escalate: {start: 10.00, step: 1.50, every: 2, ceiling: 26.50}
        reset: {on: [positive, missed, refused]}
        recover: {after: 2, paid: next, level: last earned}
        hold: {on: [excused, invalid]}
%s
signals:
  - {name: lapse, when: {positive_after: 2}, to: [counselor, prescriber]}
  - {name: not-seen, when: {missed: 2}, to: [counselor]}
"""


def enrolled(rest: str = "") -> Clinic:
    made = clinic()
    made.engine.add_program(parse_program(PROGRAM % rest))
    made.engine.enroll(participant="p-1", program="rewards", start=START, by="nurse-7", id="e-1")
    return made


def said(made: Clinic, results: str, day: date = START) -> list[list[tuple[str, str]]]:
    """Return what each of several results gives reason to say, and to whom."""
    found: list[list[tuple[str, str]]] = []
    for number, result in enumerate(results):
        done = made.engine.record(
            enrollment="e-1",
            result=result,
            on=day + timedelta(days=number),
            source="lab",
            key=f"{day}/{number}",
            by="x",
        )
        found.append([(each.kind, each.recipient) for each in made.engine.messages_of(done, FULL)])
        made.times.append(made.times[-1] + timedelta(days=1))
    return found


def test_each_result_gives_reason_for_one_message_to_the_participant() -> None:
    found = said(enrolled(), "-----+e---")
    kinds = [[kind for kind, recipient in each if recipient == PARTICIPANT] for each in found]
    earned, slip, nothing, back = "reward earned", "encouragement", "next reward", "recovery reached"
    assert kinds == [[earned]] * 5 + [[slip], [nothing], [earned], [back], [earned]]


def test_a_lapse_after_a_run_is_a_signal_to_each_role_and_a_second_one_is_none() -> None:
    found = said(enrolled(), "--++")
    team = [[recipient for kind, recipient in each if kind == SIGNAL] for each in found]
    assert team == [[], [], ["role:counselor", "role:prescriber"], []]


def test_missed_visits_are_told_to_the_participant_and_the_second_one_to_the_team() -> None:
    found = said(enrolled(), "oo")
    assert found == [
        [("missed visit", PARTICIPANT)],
        [("missed visit", PARTICIPANT), (SIGNAL, "role:counselor")],
    ]


def test_supporters_whom_a_consent_names_get_drafts_of_their_own() -> None:
    made = enrolled()
    made.consents(["progress"], "c-2", recipient="s-1", until=date(2026, 4, 1))
    assert said(made, "-") == [[("reward earned", PARTICIPANT), ("reward earned", "s-1")]]


def test_a_repeat_gives_no_reason_and_the_same_act_the_same_ids() -> None:
    made = enrolled()
    told: dict[str, Any] = {
        "enrollment": "e-1",
        "result": "-",
        "on": START,
        "source": "lab",
        "key": "t-1",
        "by": "x",
    }
    done = made.engine.record(**told)
    ids = [each.id for each in made.engine.messages_of(done, FULL)]
    assert ids == [each.id for each in made.engine.messages_of(done, FULL)]
    assert made.engine.messages_of(made.engine.record(**told), FULL) == ()


def test_what_was_earned_and_what_comes_next_is_filled_in() -> None:
    made = enrolled()
    made.reach()
    made.consents(["progress"])
    done = made.engine.record(enrollment="e-1", result="-", on=START, source="lab", key="t-1", by="x")
    [told] = made.engine.messages_of(done, FULL)
    sent = made.engine.to_send(told, FULL)
    assert isinstance(sent, Outgoing)
    assert (
        sent.envelope.text
        == "Well done. You earned $10.00. Next time you can earn $10.00. Reply STOP to end."
    )


def test_a_reward_that_expires_is_said_some_days_before_and_not_after() -> None:
    made = enrolled("payout: {when: on request, expires_after: 30}")
    done = made.engine.record(enrollment="e-1", result="-", on=START, source="lab", key="t-1", by="x")
    [expiring] = [each for each in made.engine.messages_of(done, FULL) if each.kind == "reward expiring"]
    assert expiring.not_before.startswith("2026-01-28T18:00")
    assert expiring.useless_after.startswith("2026-02-05T08:00")
    made.reach()
    made.consents(["progress"])
    assert isinstance(made.engine.to_send(expiring, FULL), NotYet)
    made.times.append(datetime(2026, 1, 28, 20, tzinfo=UTC))
    sent = made.engine.to_send(expiring, FULL)
    assert isinstance(sent, Outgoing)
    assert sent.envelope.text.startswith("$10.00 is here for you until Wednesday, February 4.")
    made.times.append(datetime(2026, 2, 6, 20, tzinfo=UTC))
    assert made.engine.to_send(expiring, FULL) == Never("it would come too late")


def test_a_correction_gives_no_reason_to_the_participant() -> None:
    made = enrolled()
    done = made.engine.record(enrollment="e-1", result="+", on=START, source="lab", key="t-1", by="x")
    amended = made.engine.amend(
        enrollment="e-1", record=done.record, result="-", why="typo", source="lab", key="t-2", by="x"
    )
    assert [each.recipient for each in made.engine.messages_of(amended, FULL)] == []


WINDOWS = PROGRAM.replace("per_week: 2}]", "days: [monday, thursday]}]") % "windows: {after: 1}"


def test_reminders_are_made_of_the_visits_that_the_engine_plans() -> None:
    made = clinic()
    made.engine.add_program(parse_program(WINDOWS))
    made.engine.enroll(participant="p-1", program="rewards", start=START, by="nurse-7", id="e-1")
    found = list(reminders(made.engine.visits(enrollment="e-1"), ZONE))
    assert found[1].not_before.startswith("2026-01-07T18:00")
    assert found[1].values == {"visit_day": "2026-01-08"}


def test_each_recipient_is_reminded_at_the_time_of_the_day_where_they_are() -> None:
    made = clinic()
    made.engine.add_program(parse_program(WINDOWS))
    made.engine.enroll(participant="p-1", program="rewards", start=START, by="nurse-7", id="e-1")
    assert made.engine.reminders_of(made.engine.visits(enrollment="e-1"), FULL) == ()
    made.reach(zone="America/New_York")
    made.consents(["visits"], "c-2", recipient="s-1", until=date(2026, 4, 1))
    made.reach(recipient="s-1", address="+15551230111")
    found = made.engine.reminders_of(made.engine.visits(enrollment="e-1"), FULL)
    due = {each.recipient: each.not_before for each in found if each.values["visit_day"] == "2026-01-08"}
    assert {who: moment[:16] for who, moment in due.items()} == {
        PARTICIPANT: "2026-01-07T15:00",
        "s-1": "2026-01-07T18:00",
    }


def test_visits_that_a_sweep_finds_missed_are_told_too() -> None:
    made = clinic()
    made.engine.add_program(parse_program(WINDOWS))
    made.engine.enroll(participant="p-1", program="rewards", start=START, by="nurse-7", id="e-1")
    made.times.append(NOON + timedelta(days=6))
    swept = made.engine.sweep()
    found = [(each.kind, each.recipient) for done in swept for each in made.engine.messages_of(done, FULL)]
    assert found == [("missed visit", PARTICIPANT), ("missed visit", PARTICIPANT), (SIGNAL, "role:counselor")]


def test_what_a_correction_or_another_version_shows_to_be_missed_is_left_to_a_person() -> None:
    made = clinic()
    for version in (1, 2):
        made.engine.add_program(parse_program(WINDOWS.replace('version: "1"', f'version: "{version}"')))
    told: dict[str, Any] = {"enrollment": "e-1", "source": "lab", "by": "x"}
    made.engine.enroll(participant="p-1", program="rewards@1", start=START, by="nurse-7", id="e-1")
    done = made.engine.record(**told, result="-", on=START, key="t-1")
    made.times.append(NOON + timedelta(days=14))
    made.engine.record(**told, result="-", on=START + timedelta(days=7), key="t-2")
    voided = made.engine.void(**told, record=done.record, why="another person's", key="t-3")
    moved = made.engine.migrate(
        **told, program="rewards@2", on=START + timedelta(days=14), why="new rates", key="t-4"
    )
    assert [each.visit for each in (*voided.missed, *moved.missed)] == [1, 4]
    assert made.engine.messages_of(voided, FULL) == made.engine.messages_of(moved, FULL) == ()


def test_a_missed_visit_is_told_once_though_a_late_result_decides_it_again() -> None:
    made = clinic()
    made.engine.add_program(parse_program(WINDOWS))
    made.engine.enroll(participant="p-1", program="rewards", start=START, by="nurse-7", id="e-1")
    made.times.append(NOON + timedelta(days=10))
    [swept] = made.engine.sweep()
    told_first = [each for each in made.engine.messages_of(swept, FULL) if each.kind == "missed visit"]
    told: dict[str, Any] = {"enrollment": "e-1", "result": "-", "source": "lab", "by": "x"}
    made.engine.record(**told, on=START, key="t-1")
    late = made.engine.record(**told, on=START + timedelta(days=3), key="t-2")
    assert [each.visit for each in late.missed] == [3]
    assert [each.kind for each in made.engine.messages_of(late, FULL)] == ["reward earned"]
    assert [each for each in told_first if made.engine.is_still_said(each)] == told_first[2:]


# --- the command line ---


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    monkeypatch.setenv("CM_ENGINE_DB", f"sqlite:///{tmp_path / 'clinic.db'}")
    monkeypatch.setenv("CM_ENGINE_KEYRING", str(tmp_path / "keys.db"))
    monkeypatch.setenv("CM_ENGINE_KEYS", KEY.hex())

    def ran(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cm-engine", "contact", *arguments])
        monkeypatch.setattr(sys, "stdin", StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return ran


WHO = ["--source", "desk", "--by", "nurse-7", "--key"]


def test_a_contact_is_kept_from_the_command_line(run: Callable[..., Any]) -> None:
    add = ["add", "p-1", "--channel", "sms", "--zone", ZONE, *WHO, "h-1"]
    assert run(*add, typed=f"{NUMBER}\n")[:2] == (
        0,
        f"p-1\n  participant by sms: en, {ZONE}, quiet 21:00-08:00\n",
    )
    paper = ["--consent", "c-1", "--discloser", "North", "--channel", "sms", "--scope", "updates"]
    code, out, _ = run("consent", "p-1", *paper, "--signed-on", "2026-01-05", *WHO, "c-1", "--json")
    assert (code, json.loads(out)["consents"][0]["scopes"]) == (0, ["updates"])
    heard = ["hear", "--channel", "sms", "--text", "stop", "--received-at", "2026-01-05T09:30-08:00"]
    assert run(*heard, "--source", "carrier", "--key", "m-1", typed=NUMBER)[1] == "stop: p-1\n"
    assert "participant: out, channel all, topic all" in run("show", "p-1")[1]
    assert run("opt-in", "p-1", *WHO, "o-1")[0] == 0
    assert run("opt-out", "p-1", "--topic", "visits", *WHO, "o-2")[1].endswith(
        "out, channel all, topic visits\n"
    )
    assert run("list")[1] == "p-1: sms; 1 consent\n"
    assert json.loads(run("list", "--json")[1])["contacts"][0]["participant"] == "p-1"
    assert run("revoke", "p-1", "--consent", "c-1", *WHO, "c-2")[1].count("revoked") == 1
    assert run("remove", "p-1", "--channel", "sms", *WHO, "h-2")[0] == 0
    assert json.loads(run("disclosures", "p-1", "--json")[1]) == {"disclosures": []}
    assert run("disclosures", "p-1")[0] == 0
    assert json.loads(run("erase", "p-1", *WHO, "x-1", "--json")[1])["handles"] == []


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("CM_ENGINE_KEYS", "xyz", "CM_ENGINE_KEYS: expected hexadecimal digits"),
        ("CM_ENGINE_KEYS", "00ff", "key: expected at least 32 bytes"),
        ("CM_ENGINE_KEYRING", "", "the engine has no keys"),
    ],
)
def test_keys_that_are_none_are_refused(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    code, out, err = run("add", "p-1", "--channel", "sms", "--zone", ZONE, *WHO, "h-1", typed=NUMBER)
    assert (code, out) == (2, "")
    assert says in err
    assert NUMBER not in err


def test_the_command_shows_what_was_disclosed(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    made = clinic(f"sqlite:///{tmp_path / 'clinic.db'}", FileKeyring(tmp_path / "keys.db", KEY))
    made.reach()
    made.consents()
    made.engine.disclosed(made.sends(), SENT)
    made.engine.close()
    assert "visit-day/en@1" in run("disclosures", "p-1")[1]
    [row] = json.loads(run("disclosures", "p-1", "--json")[1])["disclosures"]
    assert (row["kind"], row["consent"], row["at"]) == (
        "visit reminder",
        "c-1",
        "2026-01-05T20:00:00.000000+00:00",
    )


def test_every_kind_of_message_can_be_asked_for(reached: Clinic) -> None:
    for kind in KINDS:
        if kind not in TO_TEAM:
            assert isinstance(reached.sends(kind), Outgoing)
