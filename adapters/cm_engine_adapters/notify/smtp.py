"""E-mail by a mail server of the host's own, with the standard library."""

import smtplib
import ssl
from collections.abc import Iterator
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cm_engine.delivery.settings import NotifierSettings, Secret
from cm_engine.errors import ReportError
from cm_engine.messages.asking import plain_address
from cm_engine.messages.guard import neutral_name
from cm_engine.ports import Delivery, Envelope
from cm_engine.program.parts import Text

Security = Literal["starttls", "tls", "none"]
PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
TIMEOUT_SECONDS = 30.0
LASTING = 500
"""From this reply code on a mail server refuses for good; below it, for now (RFC 5321)."""
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


class SmtpSettings(NotifierSettings):
    """What a file says of a mail server."""

    host: Annotated[Text, Field(description="of the mail server")]
    sender: Annotated[Text, Field(description="the mailbox that mails are from")]
    name: Annotated[Text, Field(description="of the sender, as people read it")] = "Updates"
    port: Annotated[int, Field(strict=True, ge=0, le=65535, description="0 is the usual one")] = 0
    security: Security = "starttls"
    user: Annotated[str, Field(description="to sign in as, if the server asks")] = ""
    password: Secret | None = None
    denied: Annotated[tuple[Text, ...], Field(description="names of the clinic")] = ()
    timeout: Annotated[int, Field(strict=True, ge=1, le=120, description="seconds")] = int(TIMEOUT_SECONDS)


class SmtpNotifier:
    """Send e-mails by a mail server.

    The Message-ID is made of the id of the message, so that whoever gets it twice can tell. The server may be left
    unencrypted only on this machine.

    Args:
        host: of the mail server.
        sender: the mailbox that mails are from; neither it nor the name may say what they are about.
        name: of the sender, as people read it.
        port: of the mail server; left out, the usual one.
        security: starttls, tls, or none.
        user: to sign in as, if the server asks.
        password: likewise.
        denied: what neither sender nor name may say besides: the names of the clinic.
        timeout: seconds to wait for each answer.
        context: how certificates are checked; left out, by those of this machine.

    Raises:
        ReportError: the sender tells a stranger what mails are about, or the connection would be open to others.

    Example:
        >>> notifier = SmtpNotifier(host="mail.example.org", sender="updates@example.org", name="Northside Updates")
        >>> sorted(notifier.channels)
        ['email']
    """

    Settings: ClassVar[type[NotifierSettings]] = SmtpSettings

    channels = frozenset({"email"})
    has_ids = True

    def __init__(  # noqa: PLR0913 - what a mail server has to be told
        self,
        *,
        host: str,
        sender: str,
        name: str = "Updates",
        port: int = 0,
        security: Security = "starttls",
        user: str = "",
        password: str | None = None,
        denied: tuple[str, ...] = (),
        timeout: float = TIMEOUT_SECONDS,
        context: ssl.SSLContext | None = None,
    ) -> None:
        if security not in PORTS or (security == "none" and host not in LOCAL):
            msg = f"security: expected starttls or tls, and none only on this machine, got {security!r} for {host!r}"
            raise ReportError(msg)
        self._host = host
        self._port = port or PORTS[security]
        self._sender = neutral_name("sender", plain_address("email", sender), denied)
        self._name = neutral_name("name", name, denied)
        self._security = security
        self._user = user
        self._password = password or ""
        self._timeout = timeout
        self._context = context

    def send(self, message: Envelope) -> Delivery:
        """Send an e-mail, and return what became of it."""
        if message.channel not in self.channels:
            return Delivery("rejected", f"e-mails are sent to mailboxes, and not by {message.channel}")
        try:
            mail = self._mail(message)
        except (ReportError, ValueError, MessageError):
            return Delivery("rejected", "the address or the subject is none that a mail can have")
        try:
            server = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            return _before(error)
        try:
            return self._handed_over(server, mail)
        finally:
            _left(server)

    def close(self) -> None:
        """Do nothing: each mail has a connection of its own."""

    def _mail(self, message: Envelope) -> EmailMessage:
        """Return a mail; a line break in a header is refused by the standard library."""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = Address(self._name, addr_spec=self._sender)
        mail["To"] = plain_address("email", message.to)
        mail["Subject"] = message.subject
        mail["Message-ID"] = f"<{message.id}@{self._sender.rpartition('@')[2]}>"
        mail["Date"] = formatdate(localtime=False)
        mail["Auto-Submitted"] = "auto-generated"  # so that no absence is answered (RFC 3834)
        mail.set_content(message.text, cte="quoted-printable")
        mail["Content-Language"] = message.language
        return mail

    def _connected(self) -> smtplib.SMTP:
        context = self._context or ssl.create_default_context()
        if self._security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout, context=context
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        try:
            if self._security == "starttls":
                server.starttls(context=context)
            if self._user:
                server.login(self._user, self._password)
            server.ehlo_or_helo_if_needed()
        except BaseException:
            server.close()
            raise
        return server

    def _handed_over(self, server: smtplib.SMTP, mail: EmailMessage) -> Delivery:
        """Hand a mail over, step by step, as it matters at which one the server says no, or says nothing."""
        try:
            for code, _ in self._announced(server, mail):
                if code // 100 != 2:  # noqa: PLR2004 - yes
                    return _refused(code)
        except (OSError, smtplib.SMTPException) as error:
            return _before(error)
        try:
            code, _ = server.data(mail.as_bytes())
        except smtplib.SMTPDataError as error:
            return _refused(error.smtp_code)
        except (OSError, smtplib.SMTPException) as error:
            return Delivery(
                "unknown", f"the connection broke before the mail server answered: {type(error).__name__}"
            )
        return Delivery("sent", reference=mail["Message-ID"]) if code // 100 == 2 else _refused(code)  # noqa: PLR2004

    def _announced(self, server: smtplib.SMTP, mail: EmailMessage) -> Iterator[tuple[int, bytes]]:
        """Yield what the server answers to the sender, and then to the address."""
        yield server.mail(self._sender)
        yield server.rcpt(mail["To"])


def _refused(code: int) -> Delivery:
    """Return what a reply code means; its words are left out, as they may repeat the address."""
    outcome: Literal["rejected", "retry"] = "rejected" if code >= LASTING else "retry"
    return Delivery(outcome, f"the mail server answered {code}")


def _before(error: Exception) -> Delivery:
    """Return what an error means that came before the mail was handed over: it is not about this mail, which waits."""
    code = f" {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else ""
    return Delivery("retry", f"the mail server cannot be used: {type(error).__name__}{code}")


def _left(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()
