"""Notifiers: each keeps the contract against a real server, and what its technology asks for besides."""

import logging
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from cm_engine import AmbiguousNameError, ReportError, SecretError
from cm_engine.messages.offered import notifier_of, notifiers
from cm_engine.ports import Delivery, Envelope, Notifier
from cm_engine.testing import Arrived, FakeNotifier, NotifierConformance
from cm_engine_adapters.notify.apprise import AppriseNotifier
from cm_engine_adapters.notify.smtp import SmtpNotifier
from cm_engine_adapters.notify.webhook import OUTCOMES, WebhookNotifier
from tests.receivers import HOST, HttpServer, MailServer, Request

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SECRET = bytes(range(32))
MAIL = Envelope("m-bcdfghjk", "email", "ann@example.org", "You have an update", "You have an update.", "en")
HOOK = MAIL._replace(channel="webhook", to="u-5f2c")
PUSH = MAIL._replace(channel="push", to="device-token-1")


def read_event(request: Request) -> Arrived:
    form = request.json
    return Arrived(form["data"]["to"], form["data"]["text"], form["id"], form["data"]["subject"])


def read_apprise(request: Request) -> Arrived:
    form = request.json
    return Arrived(unquote(request.path.rpartition("/")[2]), form["message"], "", form["title"])


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture
def hook_server() -> Iterator[HttpServer]:
    server = HttpServer(read_event)
    yield server
    server.stop()


def smtp(server: MailServer, **given: Any) -> SmtpNotifier:
    return SmtpNotifier(
        host=HOST, port=server.port, security="none", sender="updates@example.org", timeout=5, **given
    )


def hook(server: HttpServer, **given: Any) -> WebhookNotifier:
    return WebhookNotifier(url=f"http://{HOST}:{server.port}/in", secret=SECRET, timeout=5, **given)


class TestSmtpNotifier(NotifierConformance):
    message = MAIL

    @pytest.fixture
    def receiver(self, mail_server: MailServer) -> MailServer:
        return mail_server

    @pytest.fixture
    def notifier(self, receiver: MailServer) -> Notifier:
        return smtp(receiver)


class TestWebhookNotifier(NotifierConformance):
    message = HOOK
    no_addresses = ("", "Ann Lee", "u-5f2c\r\nx: y", "0012345678")

    @pytest.fixture
    def receiver(self, hook_server: HttpServer) -> HttpServer:
        return hook_server

    @pytest.fixture
    def notifier(self, receiver: HttpServer) -> Iterator[Notifier]:
        notifier = hook(receiver)
        yield notifier
        notifier.close()


class TestAppriseNotifier(NotifierConformance):
    message = PUSH
    no_addresses = ("", "two words", "a\r\nb")
    tells = frozenset()

    @pytest.fixture
    def receiver(self) -> Iterator[HttpServer]:
        server = HttpServer(read_apprise)
        yield server
        server.stop()

    @pytest.fixture
    def notifier(self, receiver: HttpServer) -> Notifier:
        return AppriseNotifier({"push": f"json://{HOST}:{receiver.port}/{{to}}"}, seconds=10)


# --- mail ---


def test_a_mail_has_the_id_of_its_message_and_is_answered_by_no_machine(mail_server: MailServer) -> None:
    sent = smtp(mail_server, name="Northside Updates").send(MAIL)
    [(sender, recipients, content)] = mail_server.mails
    mail = MailServer.parsed(content)
    assert (sender, recipients) == ("updates@example.org", ["ann@example.org"])
    assert sent == Delivery("sent", reference="<m-bcdfghjk@example.org>")
    assert mail["Message-ID"] == "<m-bcdfghjk@example.org>"
    assert mail["From"] == "Northside Updates <updates@example.org>"
    assert mail["Subject"] == "You have an update"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "en"


def test_a_name_with_signs_in_it_stays_a_name(mail_server: MailServer) -> None:
    smtp(mail_server, name='Ann "Sue" <x@example.org>, Updates').send(MAIL)
    [address] = MailServer.parsed(mail_server.mails[0][2])["From"].addresses
    assert (address.display_name, address.addr_spec) == (
        'Ann "Sue" <x@example.org>, Updates',
        "updates@example.org",
    )


def test_the_headers_of_a_mail_are_these_and_no_others(mail_server: MailServer) -> None:
    smtp(mail_server).send(MAIL)
    names = set(MailServer.parsed(mail_server.mails[0][2]).keys())
    assert names <= {
        "From", "To", "Subject", "Message-ID", "Date", "Content-Language", "Auto-Submitted", "MIME-Version",
        "Content-Type", "Content-Transfer-Encoding", "X-Peer", "X-MailFrom", "X-RcptTo",
    }  # fmt: skip


@pytest.mark.parametrize("field", ["to", "subject", "id"])
def test_no_field_of_a_message_can_begin_another_header(mail_server: MailServer, field: str) -> None:
    hostile = MAIL._replace(**{field: "x@example.org\r\nBcc: all@example.org"})
    smtp(mail_server).send(hostile)
    for _, recipients, content in mail_server.mails:
        assert recipients == ["ann@example.org"]
        assert "Bcc" not in MailServer.parsed(content)


@pytest.mark.parametrize(
    "given",
    [
        {"sender": "news@recovery-clinic.example"},
        {"sender": "updates@sobernow.example"},
        {"sender": "updates@example.org", "name": "Methadone Clinic"},
        {"sender": "updates@example.org", "name": "Northside", "denied": ("Northside",)},
    ],
)
def test_a_sender_that_tells_what_mails_are_about_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ReportError, match="tells a stranger what it is about"):
        SmtpNotifier(host="mail.example.org", **given)


def test_an_open_connection_is_for_this_machine_only() -> None:
    with pytest.raises(
        ReportError, match="security: expected starttls or tls, and none only on this machine"
    ):
        SmtpNotifier(host="mail.example.org", sender="updates@example.org", security="none")


def test_a_server_that_offers_no_encryption_gets_no_mail(mail_server: MailServer) -> None:
    notifier = SmtpNotifier(
        host=HOST, port=mail_server.port, security="starttls", sender="updates@example.org", timeout=5,
        context=ssl.create_default_context(),
    )  # fmt: skip
    assert notifier.send(MAIL) == Delivery("retry", "the mail server cannot be used: SMTPNotSupportedError")
    assert mail_server.mails == []


def test_a_mail_waits_while_nobody_can_sign_in(mail_server: MailServer) -> None:
    sent = smtp(mail_server, user="updates", password="secret").send(MAIL)  # noqa: S106 - of nobody
    assert (sent.outcome, "secret" in sent.why) == ("retry", False)
    assert mail_server.mails == []


# --- webhooks ---


def test_a_webhook_is_a_cloud_event_whose_subject_is_an_opaque_id(hook_server: HttpServer) -> None:
    assert hook(hook_server, source="urn:updates").send(HOOK).outcome == "sent"
    [request] = hook_server.requests
    event = from_http_event(HTTPMessage(request.headers, request.body))
    assert request.headers["content-type"].startswith("application/cloudevents+json")
    assert (event.get_id(), event.get_source(), event.get_type()) == (
        "m-bcdfghjk",
        "urn:updates",
        "message.v1",
    )
    assert event.get_subject() == "u-5f2c"
    assert event.get_data() == {
        "to": "u-5f2c",
        "channel": "webhook",
        "subject": "You have an update",
        "text": "You have an update.",
        "language": "en",
    }


def test_a_telephone_number_is_in_no_attribute_of_an_event(hook_server: HttpServer) -> None:
    notifier = hook(hook_server, channels=frozenset({"sms"}))
    notifier.send(HOOK._replace(channel="sms", to="+15551230100"))
    form = hook_server.requests[0].json
    assert form["data"]["to"] == "+15551230100"
    assert "+15551230100" not in str({name: value for name, value in form.items() if name != "data"})


def test_the_signature_is_over_the_exact_bytes(hook_server: HttpServer) -> None:
    hook(hook_server).send(HOOK._replace(text="¡Hasta el miércoles!"))
    [request] = hook_server.requests
    verifier = Webhook("whsec_" + b64encode(SECRET).decode())
    verifier.verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        verifier.verify(request.body + b" ", request.headers)


def test_a_second_try_differs_from_the_first_in_its_time_only(
    hook_server: HttpServer,
) -> None:
    first = datetime.fromtimestamp(int(time()) - 60, UTC)
    times = [first, first + timedelta(seconds=30)]
    notifier = hook(hook_server, clock=lambda: times.pop(0))
    notifier.send(HOOK)
    notifier.send(HOOK)
    one, two = hook_server.requests
    assert one.headers["webhook-id"] == two.headers["webhook-id"]
    assert {**one.json, "time": ""} == {**two.json, "time": ""}
    assert int(two.headers["webhook-timestamp"]) - int(one.headers["webhook-timestamp"]) == 30


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "sent"), (202, "sent"), (301, "rejected"), (307, "rejected"), (400, "rejected"), (401, "retry"),
        (404, "retry"), (408, "unknown"), (410, "rejected"), (429, "retry"), (500, "unknown"), (502, "unknown"),
        (503, "retry"), (504, "unknown"),
    ],
)  # fmt: skip
def test_each_answer_has_its_meaning(hook_server: HttpServer, status: int, outcome: str) -> None:
    hook_server.status = status
    hook_server.headers = {"location": f"http://{HOST}:{hook_server.port}/elsewhere"}
    assert hook(hook_server).send(HOOK).outcome == outcome
    assert all(request.path == "/in" for request in hook_server.requests)


@pytest.mark.parametrize(("header", "seconds"), [("120", 120.0), ("soon", None), ("", None)])
def test_a_receiver_that_says_when_to_come_back_is_heard(
    hook_server: HttpServer, header: str, seconds: float | None
) -> None:
    hook_server.status, hook_server.headers = 429, {"retry-after": header}
    assert hook(hook_server).send(HOOK).retry_after == seconds


def test_a_date_to_come_back_at_is_heard_too(hook_server: HttpServer) -> None:
    hook_server.status, hook_server.headers = 503, {"retry-after": "Mon, 05 Jan 2026 17:02:00 GMT"}
    now = datetime(2026, 1, 5, 17, tzinfo=UTC)
    assert hook(hook_server, clock=lambda: now).send(HOOK).retry_after == 120.0


def test_every_failure_of_the_client_has_a_meaning() -> None:
    kinds = [getattr(httpx, name) for name in dir(httpx)]
    failures = [
        kind
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, httpx.RequestError | httpx.InvalidURL)
    ]
    assert len(failures) > 10
    for kind in failures:
        assert any(issubclass(kind, known) for known in OUTCOMES)
    certain = {kind for kind, found in OUTCOMES.items() if found.outcome == "retry"}
    assert not certain & {httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError}


@pytest.mark.parametrize(
    "url",
    [
        "http://portal.example.org/in",
        "ftp://portal.example.org",
        "portal",
        "",
        "https://rehab.example.org/in",
    ],
)
def test_a_receiver_whose_address_is_open_or_tells_something_is_refused(url: str) -> None:
    with pytest.raises(ReportError, match="url: "):
        WebhookNotifier(url=url, secret=SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", b"short", "whsec_!"])
def test_a_short_secret_is_refused(secret: str | bytes) -> None:
    with pytest.raises(SecretError, match="secret: expected whsec_ and base64"):
        WebhookNotifier(url="https://portal.example.org/in", secret=secret)


# --- Apprise ---


@pytest.mark.parametrize("url", ["nonsense://{to}", "json://127.0.0.1/fixed", "twilio://{to}", ""])
def test_a_service_that_apprise_does_not_know_is_refused_at_once(url: str) -> None:
    with pytest.raises(ReportError, match="services: Apprise knows no service"):
        AppriseNotifier({"sms": url})


def test_a_channel_that_is_none_is_refused() -> None:
    with pytest.raises(ReportError, match="services: expected sms, email, push, webhook, got 'fax'"):
        AppriseNotifier({"fax": "json://127.0.0.1/{to}"})


def test_an_address_that_a_service_does_not_take_is_rejected() -> None:
    notifier = AppriseNotifier({"sms": "twilio://AC0123456789abcdef0123456789abcdef:token@+15550100100/{to}"})
    message = MAIL._replace(channel="sms", to="/../" * 3)
    assert notifier.send(message).outcome == "rejected"


def test_only_success_is_success() -> None:
    server = HttpServer(read_apprise)
    notifier = AppriseNotifier({"push": f"json://{HOST}:{server.port}/{{to}}"})
    server.status = 500
    assert notifier.send(PUSH) == Delivery("unknown", "Apprise says FAILURE")
    server.stop()


def test_an_address_cannot_leave_its_place_in_the_url_of_a_service() -> None:
    server = HttpServer(read_apprise)
    notifier = AppriseNotifier({"push": f"json://{HOST}:{server.port}/{{to}}"})
    assert notifier.send(PUSH._replace(to="a/b?c=d&e#f@g")).outcome == "sent"
    [arrived] = server.arrived()
    server.stop()
    assert server.requests[0].path.count("/") == 1
    assert unquote(arrived.to) == "a/b?c=d&e#f@g"


def test_mails_by_apprise_reach_a_real_mail_server(mail_server: MailServer) -> None:
    url = f"mailto://{HOST}:{mail_server.port}?from=updates@example.org&to={{to}}&mode=insecure"
    assert AppriseNotifier({"email": url}).send(MAIL).outcome == "sent"
    [arrived] = mail_server.arrived()
    assert (arrived.to, arrived.subject, arrived.text) == (MAIL.to, MAIL.subject, MAIL.text)


def test_the_log_of_apprise_is_there_again_after_a_message(caplog: pytest.LogCaptureFixture) -> None:
    server = HttpServer(read_apprise)
    AppriseNotifier({"push": f"json://{HOST}:{server.port}/{{to}}"}).send(PUSH)
    server.stop()
    with caplog.at_level(logging.INFO):
        logging.getLogger("apprise").warning("something of the host's own")
    assert "something of the host's own" in caplog.text


# --- all of them ---


def test_each_notifier_is_found_by_its_entry_point() -> None:
    text = (EXAMPLES.parent / "pyproject.toml").read_text("utf-8")
    declared = text.partition('[project.entry-points."cm_engine.notify"]\n')[2].partition("\n\n")[0]
    found = dict(line.split(" = ") for line in declared.splitlines())
    assert set(found) == {"apprise", "smtp", "webhook"}
    for value in found.values():
        module, _, name = value.strip('"').partition(":")
        assert hasattr(__import__(module, fromlist=[name]), name)
    assert {point.name for point in entry_points(group="cm_engine.notify")} <= set(found)


def points(**offered: str) -> EntryPoints:
    return EntryPoints(
        EntryPoint(name.rstrip("_"), value, "cm_engine.notify") for name, value in offered.items()
    )


def test_a_notifier_is_made_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = points(smtp="cm_engine_adapters.notify.smtp:SmtpNotifier", webhook="nowhere:Nothing")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: installed)
    made = notifier_of("smtp", host="mail.example.org", sender="updates@example.org")
    assert isinstance(made, SmtpNotifier)
    assert notifiers() == ["smtp", "webhook"]
    with pytest.raises(ReportError, match=r"notifier: none is installed as 'smpt'; did you mean 'smtp'\?"):
        notifier_of("smpt")


def test_two_notifiers_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = points(smtp="one:Mail", smtp_="two:Mail")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: installed)
    with pytest.raises(AmbiguousNameError, match="one:Mail and two:Mail"):
        notifier_of("smtp")


@pytest.mark.parametrize("package", ["apprise", "httpx"])
def test_a_missing_extra_is_named(package: str) -> None:
    module, extra = {"apprise": ("apprise", "messages"), "httpx": ("webhook", "webhooks")}[package]
    code = f"import sys; sys.modules[{package!r}] = None; import cm_engine_adapters.notify.{module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f'pip install "cm-engine[{extra}]"' in done.stderr


def test_a_suite_of_which_a_test_is_replaced_is_refused() -> None:
    with pytest.raises(
        TypeError, match="TestMine replaces test_it_may_be_closed_twice; add tests of other names"
    ):
        type("TestMine", (NotifierConformance,), {"test_it_may_be_closed_twice": lambda _: None})


def test_every_duty_of_a_notifier_is_worded() -> None:
    tests = {name: test for name, test in vars(NotifierConformance).items() if name.startswith("test_")}
    assert [name for name, test in tests.items() if not (test.__doc__ or "").strip()] == []
    worded = " ".join(str(test.__doc__) for test in tests.values())
    assert all(f"`{duty}`" in worded for duty in ("send", "close", "channels", "has_ids"))


def test_a_fake_fails_by_chance_and_the_same_for_the_same_seed() -> None:
    def tried(seed: int) -> list[str]:
        notifier = FakeNotifier.failing(seed)
        return [_outcome(notifier) for _ in range(50)]

    assert tried(7) == tried(7) != tried(8)
    assert set(tried(7)) == {"sent", "rejected", "retry", "unknown", "crash"}


def _outcome(notifier: FakeNotifier) -> str:
    try:
        return notifier.send(MAIL).outcome
    except RuntimeError:
        return "crash"


def test_the_address_and_the_words_are_in_no_repr_of_a_message() -> None:
    assert repr(MAIL) == "<message m-bcdfghjk by email>"


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        (
            "notify_smtp.py",
            (
                "ann@example.org got: You have an update\n"
                "sent: reward earned to the participant by email, with consent c-1\n"
            ),
        ),
        (
            "notify_webhook.py",
            "team-3 got: There is an update for your team\nsent: signal to role:counselor by webhook\n",
        ),
        (
            "notify_apprise.py",
            (
                "got: Le esperamos el jueves 8 de enero. Responda SÍ para confirmar, ALTO para no recibir más.\n"
                "sent: visit reminder to the participant by sms, with consent c-1\n"
            ),
        ),
    ],
)
def test_each_example_runs(script: str, shown: str) -> None:
    command = [sys.executable, "-X", "utf8", str(EXAMPLES / script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert (done.stdout, done.stderr) == (shown, "")
