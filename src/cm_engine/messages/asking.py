"""What a caller asks of a contact, looked at before anything is written."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from hashlib import sha256
from typing import NamedTuple, TypeVar

from cm_engine.acts.enrolling import zone_name
from cm_engine.errors import ReportError
from cm_engine.journal import OPENED, Asked, asked
from cm_engine.log.encoding import dumped
from cm_engine.messages.contact import (
    CONSENTED,
    DISCLOSED,
    ERASED,
    HANDLE_REMOVED,
    HANDLE_SET,
    OPTED_IN,
    OPTED_OUT,
    REVOKED,
)
from cm_engine.messages.kinds import CHANNELS, EVERY, PARTICIPANT, ROLE, SCOPES, TOPICS, Channel, Scope, Topic
from cm_engine.messages.quiet import Quiet
from cm_engine.plain import one_line, opaque, plain_day
from cm_engine.spelling import nearest

Word = TypeVar("Word", bound=str)

PURPOSES = (
    "reminders and news of the treatment",
    "support by a person of choice",
    "treatment, payment and operations",
)
"""What a consent may be for; the words stand in the log, and in no message."""

FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "sms": (
        re.compile(r"\+[1-9][0-9]{6,14}"),
        "a telephone number with its country, such as +15551230100",
    ),
    "email": (
        re.compile(
            r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+"
        ),
        "a mailbox, such as ann@example.org",
    ),
    "webhook": (
        re.compile(r"(?![0-9]+$)[A-Za-z0-9_.:-]{3,100}"),
        "the opaque id that your own system knows them by, such as u-5f2c",
    ),
    "push": (re.compile(r"[!-~]{3,}"), "what the push service calls the device, without blanks"),
}
"""What an address is of each channel, and how that is said; digits alone may be the number of a record."""

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
CONTACTS, SENT = "contacts", "messages sent"
"""The sources of acts whose keys are made here: what opens a contact, and what was sent."""
KEY_DIGITS = 16
ADDRESS_MAX = 254
"""The longest mailbox (RFC 5321); a push token has to fit too."""


class Reached(NamedTuple):
    """How somebody is reached; the address is in the clear."""

    recipient: str
    channel: str
    address: str
    language: str
    zone: str
    quiet: str


def reached(given: Reached) -> Reached:
    """Return how somebody is reached, looked at.

    Raises:
        ReportError: the address is none of its channel, or something else is wrong; no error repeats the address.
    """
    by, language = one_of("channel", given.channel, CHANNELS), given.language
    if not isinstance(language, str) or not LANGUAGE.fullmatch(language):
        msg = f"language: expected a language such as en, es or pt-BR, got {language!r}"
        raise ReportError(msg)
    if not given.zone:
        msg = "zone: say where they are, which decides when it is night: America/Los_Angeles"
        raise ReportError(msg)
    zone, quiet = zone_name(given.zone), str(Quiet.of(given.quiet))
    address = plain_address(by, given.address)
    return Reached(known_recipient(given.recipient), by, address, language, zone, quiet)


def plain_address(channel: str, address: str) -> str:
    """Return an address in the one form it has on its channel.

    Raises:
        ReportError: it is none; the error does not repeat it.

    Example:
        >>> plain_address("sms", "+1 (555) 123-0100"), plain_address("email", "Ann@Example.org")
        ('+15551230100', 'Ann@example.org')
        >>> plain_address("sms", "5551230100")
        Traceback (most recent call last):
        ...
        cm_engine.errors.ReportError: address: expected a telephone number with its country, such as +15551230100
    """
    form, expected = FORMS.get(channel, FORMS["push"])
    text = address.strip() if isinstance(address, str) else ""
    plain = re.sub(r"[ ().-]", "", text) if channel == "sms" else text
    if len(plain) > ADDRESS_MAX or not form.fullmatch(plain):
        msg = f"address: expected {expected}"
        raise ReportError(msg)
    local, at, domain = plain.rpartition("@")
    return f"{local}@{domain.lower()}" if at and channel == "email" else plain


def known_recipient(recipient: str) -> str:
    """Return the participant, or the opaque id of a supporter.

    Raises:
        ReportError: it looks like a name, or is a role.
    """
    if opaque("recipient", recipient).startswith(ROLE):
        msg = f"recipient: {ROLE} stands before roles of the care team, whose addresses are configuration"
        raise ReportError(msg)
    return recipient


def one_of(name: str, given: object, known: Iterable[Word]) -> Word:
    """Return a word that is one of several.

    Raises:
        ReportError: it is none of them.
    """
    options = tuple(known)
    found = next((each for each in options if each == given), None)
    if found is None:
        msg = f"{name}: expected {', '.join(options)}, got {given!r}{nearest(str(given), options)}"
        raise ReportError(msg)
    return found


def some_of(name: str, given: Iterable[str], known: Iterable[Word]) -> list[Word]:
    """Return words of several, one at least, each once and in their order.

    Raises:
        ReportError: there is none, or one is unknown.
    """
    options = tuple(known)
    asked_for = {one_of(name, each, options) for each in ([given] if isinstance(given, str) else given)}
    if not asked_for:
        msg = f"{name}: expected some of {', '.join(options)}"
        raise ReportError(msg)
    return [each for each in options if each in asked_for]


def asked_to_open(participant: str, by: str) -> Asked:
    """Return the act that opens a contact."""
    return asked(OPENED, source=CONTACTS, key=f"{opaque('participant', participant)}/opened", by=by, body={})


def asked_to_set(given: Reached, fingerprint: str, *, source: str, key: str, by: str) -> Asked:
    """Return the act that sets a handle; the address goes into what it leads to, sealed."""
    body = {**given._asdict(), "fingerprint": fingerprint}
    del body["address"]
    return asked(HANDLE_SET, source=source, key=key, by=by, body=body)


def asked_to_remove(recipient: str, channel: str, *, source: str, key: str, by: str) -> Asked:
    """Return the act that removes a handle."""
    body = {"recipient": known_recipient(recipient), "channel": one_of("channel", channel, CHANNELS)}
    return asked(HANDLE_REMOVED, source=source, key=key, by=by, body=body)


class Given(NamedTuple):
    """A consent as it was signed."""

    consent: str
    discloser: str
    recipient: str
    channels: Iterable[str]
    scopes: Iterable[str]
    purpose: str
    signed_on: date
    begins: date | None
    until: date | None


def asked_to_consent(given: Given, *, source: str, key: str, by: str) -> Asked:
    """Return the act that records a consent.

    Raises:
        ReportError: something that 42 CFR 2.31 asks for is missing, or the days do not follow one another.
    """
    signed, begins = (
        plain_day("signed_on", given.signed_on),
        plain_day("begins", given.begins or given.signed_on),
    )
    until = plain_day("until", given.until) if given.until is not None else ""
    recipient = known_recipient(given.recipient)
    _refuse_days(recipient, signed, begins, until)
    scopes = some_of("scopes", given.scopes, SCOPES)
    body = {
        "consent": opaque("consent", given.consent),
        "discloser": one_line("discloser", given.discloser),
        "recipient": recipient,
        "channels": some_of("channels", given.channels, CHANNELS),
        "scopes": scopes,
        "purpose": one_of("purpose", given.purpose, PURPOSES),
        "signed_on": signed,
        "begins": begins,
        "until": until,
    }
    return asked(CONSENTED, source=source, key=key, by=by, body=body)


def _refuse_days(recipient: str, signed: str, begins: str, until: str) -> None:
    if begins < signed or (until and until < begins):
        msg = f"until: expected signed_on, begins and until one after the other, got {signed}, {begins}, {until or 'open'}"
        raise ReportError(msg)
    if recipient != PARTICIPANT and not until:
        msg = "until: a consent that names somebody else ends on a day"
        raise ReportError(msg)


def asked_to_revoke(consent: str, *, source: str, key: str, by: str) -> Asked:
    """Return the act that revokes a consent."""
    return asked(REVOKED, source=source, key=key, by=by, body={"consent": opaque("consent", consent)})


class Said(NamedTuple):
    """What somebody wants no more, or again."""

    recipient: str
    channel: str
    topic: str
    received_at: str


def asked_to_wish(said: Said, *, out: bool, source: str, key: str, by: str) -> Asked:
    """Return the act by which somebody opts out, or in again."""
    channels: tuple[Channel | str, ...] = (EVERY, *CHANNELS)
    topics: tuple[Topic | str, ...] = (EVERY, *TOPICS)
    body = {
        "recipient": known_recipient(said.recipient),
        "channel": one_of("channel", said.channel, channels),
        "topic": one_of("topic", said.topic, topics),
        "received_at": said.received_at,
    }
    return asked(OPTED_OUT if out else OPTED_IN, source=source, key=key, by=by, body=body)


def asked_to_log(body: dict[str, str], by: str) -> Asked:
    """Return the act that logs a disclosure: one for each message, recipient, channel and outcome."""
    digits = sha256(dumped(body).encode()).hexdigest()[:KEY_DIGITS]
    return asked(DISCLOSED, source=SENT, key=f"{body['message']}/{digits}", by=by, body=body)


def asked_to_erase(key_id: str, *, source: str, key: str, by: str) -> Asked:
    """Return the act that erases handles by their key; which key it was stands in it."""
    return asked(ERASED, source=source, key=key, by=by, body={"key": key_id})


def scopes_of(given: Iterable[str]) -> frozenset[Scope]:
    """Return scopes, each known.

    Raises:
        ReportError: one is unknown, or there is none.
    """
    return frozenset(some_of("scopes", given, SCOPES))
