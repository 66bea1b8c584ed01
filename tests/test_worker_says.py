"""A worker tells people what there is to say, and hands rewards over to the addresses that the engine keeps sealed."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cm_engine import Engine, MessagePolicy, NotifiersError, cli, parse_program
from cm_engine.cli import refusals
from cm_engine.delivery.notifying import load_notifiers, parse_notifiers
from cm_engine.delivery.working import Worker, health_of
from cm_engine.gateways import Capabilities
from cm_engine.keyring import FileKeyring, MemoryKeyring
from cm_engine.testing import FakeNotifier
from cm_engine.testing.gateway import FakeGateway
from cm_engine_adapters.notify.apprise import AppriseNotifier
from cm_engine_adapters.notify.smtp import SmtpNotifier
from cm_engine_adapters.notify.webhook import WebhookNotifier
from tests.receivers import HOST, MailServer
from tests.test_delivery import OPENED, PROGRAM, START, Clinic

HOST_KEY = bytes(range(32))
MAILBOX = "ann-private@example.org"
USD = frozenset({"USD"})
BY_MAIL = Capabilities(USD, needs_handle=True, reaches_by="email")

FILE = """
notifiers:
  mail: {kind: smtp, host: mail.example.org, sender: updates@example.org, user: u, password: {env: MAIL_PASSWORD}}
  portal: {kind: webhook, url: "https://portal.example.org/in", secret: {env: PORTAL_SECRET}, channels: [webhook, push]}
  texts: {kind: apprise, services: {sms: {env: SMS_URL}}}
messages:
  tells: [updates, visits]
  language: es
  denied: [Northside]
  remind_days: [1, 3]
  remind_at: "09:30"
  expiry_days: [2]
  team: {counselor: {channel: email, address: team-3@example.org}}
"""
ENVIRON = {
    "MAIL_PASSWORD": "hunter2",
    "PORTAL_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "SMS_URL": "json://127.0.0.1:8025/{to}",
}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    yield f"sqlite:///{tmp_path / 'clinic.db'}"
    while OPENED:
        OPENED.pop().close()


class Done(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str) -> Run:
    monkeypatch.setenv("CM_ENGINE_DB", url)

    def command(*words: str, typed: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["cm-engine", *words])
        monkeypatch.setattr(sys, "stdin", StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return command


def reached(
    engine: Engine,
    *,
    channel: str = "email",
    address: str = MAILBOX,
    who: str = "p-1",
    quiet: str = "02:00-03:00",
) -> None:
    said: dict[str, Any] = {"participant": who, "source": "desk", "by": "nurse-7"}
    engine.add_handle(
        **said, channel=channel, address=address, zone="UTC", quiet=quiet, key=f"{who}/{channel}"
    )
    engine.consent(
        **said,
        consent=f"c-{who}",
        discloser="North",
        channels=[channel],
        scopes=["updates", "visits"],
        signed_on=START,
        key=f"{who}/consent",
    )


# The file


def test_a_file_makes_notifiers_and_says_what_may_be_told(tmp_path: Path) -> None:
    (tmp_path / "notifiers.yaml").write_text(FILE, "utf-8")
    found = load_notifiers(tmp_path / "notifiers.yaml", ENVIRON)
    assert {name: type(each) for name, each in found.notifiers.items()} == {
        "mail": SmtpNotifier,
        "portal": WebhookNotifier,
        "texts": AppriseNotifier,
    }
    assert [sorted(each.channels) for each in found.notifiers.values()] == [
        ["email"],
        ["push", "webhook"],
        ["sms"],
    ]
    policy = found.policy
    assert (sorted(policy.tells), policy.language, policy.denied) == (
        ["updates", "visits"],
        "es",
        ("Northside",),
    )
    assert (policy.remind_days, f"{policy.remind_at:%H:%M}", policy.expiry_days) == ((1, 3), "09:30", (2,))
    assert policy.team == {"counselor": ("email", "team-3@example.org")}


def test_without_words_on_messages_nothing_is_told_that_would_tell_anything() -> None:
    found = parse_notifiers("notifiers: {m: {kind: smtp, host: h, sender: a@example.org}}", {})
    assert found.policy == MessagePolicy()


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("notifiers: {m: {kind: fax}}", "a.yaml:1:23: error: notifiers.m.kind: nothing installed is of this"),
        (
            "notifiers: {m: {kind: smtp, host: h}}",
            "a.yaml:1:13: error: notifiers.m: the key 'sender' is missing",
        ),
        (
            "notifiers: {m: {kind: smtp, host: h, sender: a@example.org, password: hunter2}}",
            "a.yaml:1:71: error: notifiers.m.password: expected {env: NAME} or {file: PATH}",
        ),
        (
            "notifiers: {m: {kind: smtp, host: h, sender: urine@example.org}}",
            "a.yaml:1:46: error: notifiers.m.sender: it says 'urine'",
        ),
        (
            "notifiers: {m: {kind: apprise, services: {fax: {env: SMS_URL}}}}",
            "a.yaml:1:43: error: notifiers.m.services.fax: ",
        ),
        (
            "notifiers: {m: {kind: smtp, host: h, sender: a@example.org}}\nmessages: {tell: [updates]}",
            "a.yaml:2:12: error: messages.tell: unknown key; did you mean 'tells'?",
        ),
        (
            "notifiers: {m: {kind: smtp, host: h, sender: a@example.org}}\nmessages: {remind_days: [90]}",
            "a.yaml:2:25: error: messages.remind_days: expected days from 0 to 60, got 90",
        ),
        (
            "notifiers: {m: {kind: smtp, host: h, sender: a@example.org}}\nmessages: {denied: [update]}",
            "a.yaml:2:20: error: messages.denied: it says 'update'",
        ),
    ],
)
def test_what_is_wrong_with_a_file_of_notifiers_is_told_at_its_place(said: str, problem: str) -> None:
    with pytest.raises(NotifiersError) as error:
        parse_notifiers(said, ENVIRON, name="a.yaml")
    assert str(error.value).startswith(problem)
    assert "hunter2" not in str(error.value)


# What a worker says


def test_a_worker_says_what_there_is_to_say_and_its_log_and_health_name_nobody(
    url: str, tmp_path: Path
) -> None:
    clinic = Clinic(url)
    clinic.now = datetime.now(UTC) - timedelta(hours=1)  # noqa: TID251 - the worker has the real time
    engine = clinic.engine.with_keys(FileKeyring(tmp_path / "keys.db", HOST_KEY))
    engine.with_messages(MessagePolicy())
    reached(engine, quiet=f"{(clinic.now.hour + 12) % 24:02}:00-{(clinic.now.hour + 13) % 24:02}:00")
    ann = clinic.enrolled()
    engine.record(
        enrollment=ann, result="-", on=clinic.now.date() - timedelta(days=1), source="d", key="k", by="n"
    )
    mail = MailServer()
    try:
        (tmp_path / "notifiers.yaml").write_text(
            f"notifiers: {{mail: {{kind: smtp, host: {HOST}, port: {mail.port}, security: none,"
            " sender: updates@example.org}}",
            "utf-8",
        )
        done = subprocess.run(
            [str(Path(sys.executable).parent / "cm-engine"), "worker", "--once", "--db", url,
             "--notifiers", "notifiers.yaml", "--health", "health.json"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
            env={"PATH": "", "CM_ENGINE_KEYRING": "keys.db", "CM_ENGINE_KEYS": HOST_KEY.hex()},
        )  # fmt: skip
    finally:
        mail.stop()
    assert done.returncode == 0, done.stderr
    [arrived] = mail.arrived()
    assert (arrived.to, arrived.text.strip()) == (
        MAILBOX,
        "You have an update. Sign in to see it. Reply STOP to end.",
    )
    said = [json.loads(line) for line in done.stderr.splitlines()]
    [told] = [line for line in said if line["event"] == "said"]
    assert (told["kind"], told["status"], told["messages"]) == ("reward earned", "over", 1)
    health = (tmp_path / "health.json").read_text("utf-8")
    assert [json.loads(health)[f"messages_{each}"] for each in ("waiting", "stuck")] == [0, 0]
    assert not [each for each in (MAILBOX, "p-1", ann, "@example") if each in done.stderr + health]
    assert [each.kind for each in engine.disclosures("p-1")] == ["reward earned"]


def test_a_worker_that_could_read_no_address_does_not_begin(run: Run, url: str, tmp_path: Path) -> None:
    Clinic(url)
    (tmp_path / "n.yaml").write_text("notifiers: {m: {kind: smtp, host: h, sender: a@example.org}}", "utf-8")
    assert run("worker", "--once", "--notifiers", str(tmp_path / "n.yaml")) == (
        2,
        "",
        "--notifiers: addresses are sealed; set CM_ENGINE_KEYRING and CM_ENGINE_KEYS\n",
    )


def test_a_worker_whose_gateways_are_not_what_a_program_asks_for_does_not_begin(
    run: Run, url: str, tmp_path: Path
) -> None:
    clinic = Clinic(url, program=f"{PROGRAM}payout: {{channel: {{blocks: [alcohol], by: item}}}}")
    clinic.negative(clinic.enrolled())
    clinic.engine.open_stock("drawer", holds="codes", by="boss-1")
    file = tmp_path / "gateways.yaml"
    file.write_text("gateways: {cards: {kind: vouchers, stock: drawer}}", "utf-8")
    done = run("worker", "--once", "--gateways", str(file))
    assert done.code == 2
    assert done.err.splitlines()[0] == (
        "program cards@1 at site 'north' has to be paid in USD by a gateway that blocks alcohol by item: "
        "cards hands over USD, blocks nothing and gives no cash"
    )
    assert clinic.statuses() == ["waiting"]


def test_health_counts_messages_and_a_message_that_fails_stops_no_other(url: str) -> None:
    clinic = Clinic(url)
    engine = clinic.engine.with_keys(MemoryKeyring()).with_messages(MessagePolicy())
    for number in range(3):
        reached(engine, who=f"p-{number}", address=f"p{number}@example.org")
        clinic.negative(clinic.enrolled(f"p-{number}"))

    class Broken(FakeNotifier):
        """A notifier that raises at one address."""

        def send(self, message: Any) -> Any:
            if message.to == "p1@example.org":
                raise OSError
            return super().send(message)

    notifier = Broken(channels=frozenset({"email"}))
    worker = Worker(engine, None, messenger=engine.messenger([notifier]), every=timedelta(seconds=1))
    assert worker.run_once()
    assert [each.to for each in notifier.sent] == ["p0@example.org", "p2@example.org"]
    found = health_of(engine, clinic.now)
    assert (found["messages_waiting"], found["messages_stuck"]) == (1, 0)


# Where rewards are delivered


def test_a_reward_goes_to_the_handle_that_the_engine_keeps_and_no_address_stands_among_the_payouts(
    url: str, tmp_path: Path
) -> None:
    clinic = Clinic(url)
    engine = clinic.engine.with_keys(FileKeyring(tmp_path / "keys.db", HOST_KEY))
    reached(engine)
    clinic.negative(clinic.enrolled())
    mail = {"cards": FakeGateway(faults=["after"], capabilities=BY_MAIL)}
    dispatcher = engine.dispatcher(mail, handle=engine.handles(mail))
    assert [each.status for each in dispatcher.deliver()] == ["waiting"]
    clinic.later(minutes=1)
    assert [each.status for each in dispatcher.deliver()] == ["over"]
    assert [each.handle for each in mail["cards"].orders.values()] == [MAILBOX]
    with sqlite3.connect(tmp_path / "clinic.db") as rows:
        assert MAILBOX not in "\n".join(rows.iterdump())
    rows.close()
    assert engine.verify().is_clean


@pytest.mark.parametrize(
    "why", ["no handle", "opted out", "revoked", "another channel", "only the host knows"]
)
def test_a_handle_that_may_not_be_used_is_not(url: str, why: str) -> None:
    clinic = Clinic(url)
    engine = clinic.engine.with_keys(MemoryKeyring())
    said: dict[str, Any] = {"participant": "p-1", "source": "desk", "by": "nurse-7"}
    if why != "no handle":
        reached(engine)
    if why == "opted out":
        engine.opt_out(**said, key="o-1")
    if why == "revoked":
        engine.revoke(**said, consent="c-p-1", key="r-1")
    able = {"another channel": "sms", "only the host knows": ""}.get(why, "email")
    clinic.negative(clinic.enrolled())
    vendor = {"cards": FakeGateway(capabilities=BY_MAIL._replace(reaches_by=able))}
    [stuck] = engine.dispatcher(vendor, handle=engine.handles(vendor)).deliver()
    assert (stuck.status, stuck.note, vendor["cards"].calls) == (
        "stuck",
        "cards: it delivers to an address, and the participant has none",
        [],
    )


@pytest.mark.parametrize("storage", ["memory", "sqlite", "postgresql"])
def test_an_address_that_was_erased_before_its_reward_left_is_not_used_any_more(
    request: pytest.FixtureRequest, url: str, storage: str
) -> None:
    others: dict[str, Callable[[], str]] = {
        "memory": lambda: "memory:",
        "postgresql": lambda: request.getfixturevalue("postgresql_url"),
    }
    clinic = Clinic(others.get(storage, lambda: url)())
    engine = clinic.engine.with_keys(MemoryKeyring())
    reached(engine)
    clinic.negative(clinic.enrolled())
    mail = FakeGateway(faults=["before"], capabilities=BY_MAIL)
    dispatcher = engine.dispatcher({"cards": mail}, handle=engine.handles({"cards": mail}))
    dispatcher.deliver()
    engine.erase(participant="p-1", by="lead-1", source="desk", key="e-1")
    clinic.later(hours=1)
    [left] = dispatcher.deliver()
    assert (left.status, mail.orders) == ("stuck", {})
    assert left.note == "cards: it delivers to an address, and the participant has none"


# On the command line


def test_every_method_that_an_error_may_name_has_a_command_that_is_there() -> None:
    app: Any = refusals._app()  # noqa: SLF001 - the commands as they are called
    for method, words in refusals.COMMANDS.items():
        command = app
        for word in words.split():
            if not word.startswith("-"):
                assert word in command.commands, f"{method}: {words}"
                command = command.commands[word]
        assert hasattr(Engine, method)


def test_an_engine_without_keys_says_on_the_command_line_which_variables_are_missing(
    run: Run, url: str
) -> None:
    Clinic(url).engine.open_stock("north", holds="codes", by="boss-1")
    lot = ("--product", "grocer", "--value", "10.00", "--purchase", "shop")
    said = ("--key", "r-1", "--by", "boss-1", "--source", "office")
    done = run("stock", "receive", "north", "-", *lot, *said, typed="A-1\n")
    assert done.code == 2
    assert "set CM_ENGINE_KEYRING and CM_ENGINE_KEYS" in done.err


def test_a_person_reissues_a_payout_on_the_command_line(run: Run, url: str) -> None:
    clinic = Clinic(url)
    engine = clinic.engine
    engine.add_program(
        parse_program(PROGRAM.replace('version: "1"', 'version: "2"\npayout: {when: on request}'))
    )
    clinic.program = "cards@2"
    ann = clinic.enrolled()
    clinic.negative(ann)
    told: dict[str, Any] = {"source": "office", "by": "boss-1"}
    engine.redeem(enrollment=ann, key="ask-1", **told)
    small = FakeGateway(capabilities=Capabilities(USD, products=frozenset({"grocer"})))
    [stuck] = clinic.dispatcher(small).deliver()
    said = ("--why", "lost", "--source", "office", "--key", "r-1", "--by", "boss-1")
    done = run("payout", "reissue", ann, "--number", str(stuck.number), *said)
    assert (done.code, done.err) == (0, "")
    assert [(each.number, each.status) for each in engine.deliveries()] == [
        (stuck.number, "over"),
        (stuck.number + 2, "waiting"),
    ]
    assert clinic.balance(ann) == {"awarded": "10.00", "in_flight": "10.00"}
    assert engine.verify().is_clean
