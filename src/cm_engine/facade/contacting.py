"""Contacts in an engine: how a participant is reached, what they consented to, and what was disclosed."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple, Self, TypeVar

from cm_engine.acts.recorded import Recorded
from cm_engine.acts.recording import Recording
from cm_engine.errors import ReportError, SecretError
from cm_engine.facade.opened import Opened
from cm_engine.gateways import Order
from cm_engine.journal import Asked, Journal, Taken, act_of
from cm_engine.keyring import Keyring, NoKeyring
from cm_engine.log.encoding import instant
from cm_engine.messages.arising import messages_in
from cm_engine.messages.asking import (
    Given,
    Reached,
    Said,
    asked_to_consent,
    asked_to_erase,
    asked_to_log,
    asked_to_open,
    asked_to_remove,
    asked_to_revoke,
    asked_to_set,
    asked_to_wish,
    one_of,
    plain_address,
    reached,
)
from cm_engine.messages.composing import DEFAULT, ExpectedVisit, reminders
from cm_engine.messages.contact import CONTACT, ContactState, Handle
from cm_engine.messages.draft import Draft
from cm_engine.messages.kinds import CHANNELS, EVERY, EXPIRING, PARTICIPANT
from cm_engine.messages.outgoing import Outgoing
from cm_engine.messages.policy import MessagePolicy
from cm_engine.messages.quiet import NIGHT, Quiet
from cm_engine.messages.replies import Reply, reply_of
from cm_engine.messages.sending import Never, NotYet, Ready, may_send
from cm_engine.messages.standing import (
    Contact,
    Disclosure,
    Known,
    addresses_in,
    contact_in,
    contacts_in,
    disclosures_in,
    former_addresses_in,
)
from cm_engine.people.rights import SELF
from cm_engine.plain import TEXT_MAX, opaque
from cm_engine.ports import Delivery, Envelope, PayoutGateway, Transaction
from cm_engine.sealing import fingerprint, key_id, opened, sealed

Found = TypeVar("Found")

PURPOSE = "cm-engine/handle"
"""What an address is sealed for."""

THAWS = timedelta(hours=1)
"""As long waits what is said of a reward that expires, before it is asked again whether the enrollment is still frozen."""

LEFT = frozenset({"sent", "unknown"})
"""The outcomes by which something left, or may have left."""


class Heard(NamedTuple):
    """What somebody wrote back: what it means, and of which participants they are a recipient."""

    reply: Reply
    of: tuple[tuple[str, str], ...]


class Handles:
    """Tell a dispatcher where a participant wants rewards delivered, from what the engine keeps; `engine.handles` makes one.

    What is told is sealed, so that no address stands among the payouts; it is opened when a gateway is asked.
    """

    def __init__(self, engine: "Contacting", gateways: Mapping[str, PayoutGateway]) -> None:
        self._engine = engine
        self._channels = {name: each.capabilities.reaches_by for name, each in gateways.items()}

    def __call__(self, participant: str, gateway: str) -> str:
        """Return the sealed handle for a gateway, empty if there is none that may be used."""
        channel = self._channels.get(gateway)
        return self._engine.sealed_handle(participant, channel) if channel else ""

    def opened(self, order: Order) -> str:
        """Return the handle of an order, as its gateway needs it.

        Raises:
            SecretError: its key was erased.
        """
        return self._engine.opened_handle(order.recipient, order.handle) if order.handle else ""


class Contacting(Opened):
    """The part of an engine that knows how people are reached, and whether they may be.

    Example:
        >>> from cm_engine import Engine
        >>> from cm_engine.keyring import MemoryKeyring
        >>> engine = Engine.open("memory:", zone="America/Los_Angeles").with_keys(MemoryKeyring())
        >>> told = {"source": "front-desk", "by": "nurse-7"}
        >>> _ = engine.add_handle(participant="p-104", channel="sms", address="+1 555 123 0100", key="h-1", **told)
        >>> engine.consent(
        ...     participant="p-104", consent="c-1", discloser="North", channels=["sms"], scopes=["updates", "visits"],
        ...     signed_on=date(2026, 1, 5), key="c-1", **told,
        ... ).handles
        (Reachable(recipient='participant', channel='sms', language='en', zone='America/Los_Angeles', quiet='21:00-08:00'),)
    """

    _keyring: Keyring = NoKeyring()

    def with_keys(self, keyring: Keyring) -> Self:
        """Return this engine, with the keys that addresses are sealed with.

        Args:
            keyring: keeps a key for each participant: a FileKeyring, or the host's own.
        """
        self._keyring = keyring
        return self

    def joining(self, bind: Any) -> Self:  # noqa: ANN401 - of SQLAlchemy, which the core does not import
        """Return an engine that writes in the host's own transaction, with the same keys.

        Args:
            bind: as for every engine.
        """
        return super().joining(bind).with_keys(self._keyring)

    def add_handle(
        self,
        *,
        participant: str,
        channel: str,
        address: str,
        recipient: str = PARTICIPANT,
        language: str = "en",
        zone: str = "",
        quiet: Quiet | str = NIGHT,
        by: str,
        source: str,
        key: str,
    ) -> Contact:
        """Add how a participant, or a supporter whom a consent names, is reached; one address for each channel.

        The address is sealed with a key of the participant's own, and no part of what the engine gives back. Another
        address takes the place of the one before.

        Args:
            participant: the host's opaque id.
            channel: sms, email, push or webhook.
            address: a telephone number with its country, a mailbox, a device, or an opaque id of the host's.
            recipient: left out, the participant; else the opaque id of a supporter.
            language: that they read.
            zone: where they are; left out, the engine's.
            quiet: when they are not written to, where they are, such as 21:00-08:00.
            by, source, key: as for `record`.

        Raises:
            ReportError: the address is none of its channel, or no consent names the supporter.
            SecretError: the engine has no keys.
            KeyConflictError: the key was used for something else; the error shows both, without the address.
            NotAllowedError: `by` may not.
        """
        given = reached(Reached(recipient, channel, address, language, zone or self._zone, str(quiet)))
        secret = self._keyring.made(opaque("participant", participant))
        about = _print_of(given.address, secret, participant)
        asked = asked_to_set(given, about, source=source, key=key, by=by)
        led_to = {"sealed": sealed(given.address, secret, PURPOSE, participant), "key": key_id(secret)}
        return self._contact_takes(participant, asked, led_to)

    def remove_handle(
        self, *, participant: str, channel: str, recipient: str = PARTICIPANT, by: str, source: str, key: str
    ) -> Contact:
        """Remove how somebody is reached; what was sealed stays in the log, until its key is erased.

        Args:
            participant, channel, recipient, by, source, key: as for `add_handle`.

        Raises:
            ReportError: there is no such handle.
            CmEngineError: as `add_handle`.
        """
        asked = asked_to_remove(recipient, channel, source=source, key=key, by=by)
        return self._contact_takes(participant, asked)

    def consent(
        self,
        *,
        participant: str,
        consent: str,
        discloser: str,
        channels: Iterable[str],
        scopes: Iterable[str],
        signed_on: date,
        recipient: str = PARTICIPANT,
        purpose: str = "reminders and news of the treatment",
        begins: date | None = None,
        until: date | None = None,
        by: str,
        source: str,
        key: str,
    ) -> Contact:
        """Record a written consent: who discloses what to whom, by what, what for, and how long.

        Args:
            participant: the host's opaque id.
            consent: the id of the signed paper, opaque.
            discloser: who may disclose.
            channels: by what: sms, email, push, webhook.
            scopes: what may be told: updates, visits, absences, progress.
            signed_on: the day of the signature.
            recipient: left out, the participant; else the opaque id of a supporter, whom the consent names.
            purpose: one of `cm_engine.messages.asking.PURPOSES`.
            begins: the first day; left out, the day of the signature.
            until: the last day; it may be left out only for messages to the participant.
            by, source, key: as for `record`.

        Raises:
            ReportError: something is missing or unknown, or the days do not follow one another.
            CmEngineError: as `add_handle`.
        """
        given = Given(consent, discloser, recipient, channels, scopes, purpose, signed_on, begins, until)
        return self._contact_takes(participant, asked_to_consent(given, source=source, key=key, by=by))

    def revoke(self, *, participant: str, consent: str, by: str, source: str, key: str) -> Contact:
        """Revoke a consent, from this moment on; a supporter whom no other one names is reached no more.

        Args:
            participant, consent: as for `consent`.
            by, source, key: as for `record`.

        Raises:
            ReportError: there is no such consent, or it was revoked.
            CmEngineError: as `add_handle`.
        """
        return self._contact_takes(participant, asked_to_revoke(consent, source=source, key=key, by=by))

    def opt_out(
        self,
        *,
        participant: str,
        recipient: str = PARTICIPANT,
        channel: str = EVERY,
        topic: str = EVERY,
        received_at: datetime | None = None,
        by: str,
        source: str,
        key: str,
    ) -> Contact:
        """Let somebody opt out, at once: of everything, or of a channel or a topic.

        Args:
            participant, recipient: as for `add_handle`.
            channel: of one channel; left out, of all.
            topic: visits or progress; left out, of all.
            received_at: when they said so, aware; left out, now.
            by, source, key: as for `record`.

        Raises:
            CmEngineError: as `add_handle`.
        """
        said = Said(recipient, channel, topic, _moment(received_at))
        return self._contact_takes(participant, asked_to_wish(said, out=True, source=source, key=key, by=by))

    def opt_in(
        self,
        *,
        participant: str,
        recipient: str = PARTICIPANT,
        channel: str = EVERY,
        topic: str = EVERY,
        received_at: datetime | None = None,
        by: str,
        source: str,
        key: str,
    ) -> Contact:
        """Let somebody in again who had opted out, if they ask for it; a consent is needed besides.

        Args:
            participant, recipient, channel, topic, received_at, by, source, key: as for `opt_out`.

        Raises:
            CmEngineError: as `add_handle`.
        """
        said = Said(recipient, channel, topic, _moment(received_at))
        return self._contact_takes(participant, asked_to_wish(said, out=False, source=source, key=key, by=by))

    def hear(
        self,
        *,
        channel: str,
        address: str,
        text: str,
        received_at: datetime,
        by: str = SELF,
        source: str,
        key: str,
    ) -> Heard:
        """Take what somebody wrote back: a word that ends messages ends them at once, whoever has that address, or had it.

        An answer to an old message may come from an address that was removed or replaced since. What they wrote is not
        kept. What is `other` is for a person to read, and may be a wish to end messages too.

        Args:
            channel, address: where it came from.
            text: what they wrote.
            received_at: when, aware.
            by: who says so; left out, the engine.
            source, key: the id that the message has at who delivers it.

        Raises:
            CmEngineError: as `add_handle`.
        """
        reply = reply_of(text)
        known = former_addresses_in if reply == "stop" else addresses_in
        of = self._who_has(known, plain_address(one_of("channel", channel, CHANNELS), address), channel)
        for participant, recipient in of if reply in {"stop", "start"} else ():
            said, own = (
                Said(recipient, EVERY, EVERY, _moment(received_at)),
                _of_one(key, participant, recipient),
            )
            asked = asked_to_wish(said, out=reply == "stop", source=source, key=own, by=by)
            self._contact_takes(participant, asked)
        return Heard(reply, of)

    def whose(self, *, channel: str, address: str) -> tuple[tuple[str, str], ...]:
        """Return the participants, each with the recipient, who are reached by an address: several may share it.

        No index of addresses is kept, as it would outlive an erasure: every contact is looked at.

        Args:
            channel, address: as for `add_handle`.
        """
        plain = plain_address(one_of("channel", channel, CHANNELS), address)
        return self._who_has(addresses_in, plain, channel)

    def _who_has(
        self, known: Callable[[Transaction], Iterable[Known]], plain: str, channel: str
    ) -> tuple[tuple[str, str], ...]:
        """Return the participants, each with the recipient, of an address among those that are known."""
        found = (
            (each.participant, each.recipient)
            for each in self._looked_into(known)
            if each.channel == channel and self._is_of(each, plain)
        )
        return tuple(dict.fromkeys(found))

    def contact(self, participant: str) -> Contact:
        """Return the contact of a participant; of one who was never reached, an empty one."""
        return Contact.of(self._contact_state(participant))

    def contacts(self) -> list[Contact]:
        """Return all contacts, in the order of their participants."""
        return [Contact.of(state) for state in self._looked_into(contacts_in)]

    def handles(self, gateways: Mapping[str, PayoutGateway]) -> Handles:
        """Return what tells a dispatcher the handles of participants, for gateways that deliver to one.

        A handle is used if a consent that is in force lets the participant be told of updates by its channel, and they did
        not opt out.

        Args:
            gateways: as for `dispatcher`; each says by which channel it reaches people (`reaches_by`).
        """
        return Handles(self, gateways)

    def sealed_handle(self, participant: str, channel: str) -> str:
        """Return a handle of a participant that may be used now, sealed; empty if there is none."""
        state, now = self._contact_state(participant), self._now()
        for handle in state.handles:
            if (handle.recipient, handle.channel) == (PARTICIPANT, channel):
                consent = state.consent_for(PARTICIPANT, handle.channel, "updates", handle.day(now))
                is_out = state.is_out(PARTICIPANT, handle.channel, "progress")
                return handle.sealed if consent and not is_out else ""
        return ""

    def opened_handle(self, participant: str, sealed: str) -> str:
        """Return a sealed handle of a participant in plain text.

        Raises:
            SecretError: its key was erased, or the engine has another one.
        """
        secret = self._keyring.key(participant)
        if secret is None:
            msg = f"the address of {participant!r} was sealed with a key that is erased"
            raise SecretError(msg)
        return opened(sealed, secret, PURPOSE, participant)

    def disclosures(self, participant: str) -> tuple[Disclosure, ...]:
        """Return what was disclosed of a participant: to whom, by what, when, and with which consent.

        What was said in messages, and enrollments that were exported, by this clinic or, of one that came from another, by that.
        """
        return self._looked_into(lambda tx: disclosures_in(tx, participant))

    def erase(self, *, participant: str, by: str, source: str, key: str) -> Contact:
        """Erase all addresses of a participant and of their supporters, in the log and in every copy of it.

        Their key is erased, with which alone they could be read. What was consented, opted out of and disclosed stays:
        it has no address. If they come back, they get a new key.

        Args:
            participant: the host's opaque id.
            by, source, key: as for `record`; asked for again, it is completed.

        Raises:
            ReportError: in a transaction of the host's, which may be rolled back: what is erased is not.
            CmEngineError: as `add_handle`.
        """
        if self._storage.joined:
            msg = "participant: a key cannot be erased in a transaction that may be rolled back; erase outside of it"
            raise ReportError(msg)
        secret = self._keyring.key(opaque("participant", participant))
        asked = asked_to_erase(key_id(secret) if secret else "", source=source, key=key, by=by)
        taken = self._erasure_before(participant, asked) or self._contact_taken(participant, asked, {})
        self._keyring.erase(participant, taken.act.body["key"])
        return Contact.of(taken.state)

    def messages_of(self, done: Recorded, policy: MessagePolicy = DEFAULT) -> tuple[Draft, ...]:
        """Return what an act gives reason to say: to the participant, to supporters, and to the care team.

        Nothing is written: an outbox keeps each under its id, which is the same however often it is made.

        Args:
            done: what `record` and others return.
            policy: what the host asks of messages.
        """
        return self._looked_into(lambda tx: messages_in(tx, done, policy))

    def reminders_of(
        self, visits: Iterable[ExpectedVisit], policy: MessagePolicy = DEFAULT
    ) -> tuple[Draft, ...]:
        """Return the reminders of visits: to each participant, and to supporters, who are reached at all.

        Nothing is written: an outbox keeps each under its id, until its `not_before`; `is_still_due` asks whether the
        visit is still planned by then.

        Args:
            visits: as `visits` and others plan them, of one enrollment or of many.
            policy: how many days before, and at what time of the day where the person is.
        """
        by_participant: dict[str, list[ExpectedVisit]] = {}
        for visit in visits:
            by_participant.setdefault(visit.participant, []).append(visit)
        return tuple(
            draft
            for participant, planned in by_participant.items()
            for recipient, zone in _zones(self._contact_state(participant)).items()
            for draft in reminders(planned, zone, [recipient], policy)
        )

    def to_send(self, draft: Draft, policy: MessagePolicy = DEFAULT) -> Outgoing | NotYet | Never:
        """Return whether something may be said now: the message as a notifier sends it, a later moment, or why not.

        Args:
            draft: what is to be said.
            policy: what the host asks of messages.

        Raises:
            TellingError: it would tell a stranger what it is about; nothing may be sent.
            SecretError: the address cannot be opened: its key was erased, or the engine has another one.
        """
        about = self._contact_state(draft.participant) if draft.participant else ContactState("")
        answer = may_send(draft, about, self._now(), policy)
        if not isinstance(answer, Ready):
            return answer
        if draft.kind == EXPIRING and self._is_frozen(draft.enrollment):
            return NotYet(self._now() + THAWS, "the enrollment is frozen, and nothing of it expires")
        to = answer.address if answer.handle is None else self._address_of(answer.handle, draft.participant)
        message = answer.message
        return Outgoing(
            Envelope(draft.id, answer.channel, to, message.subject, message.text, message.language), answer
        )

    def _is_frozen(self, enrollment: str) -> bool:
        """Tell whether an enrollment is frozen; one that is not in this database is not."""

        def look(tx: Transaction) -> bool:
            if tx.enrollment(enrollment) is None:
                return False
            _, stand, _ = Recording(tx, self._register, "", locked=False).standing(enrollment)
            return stand.calendar.frozen

        return self._looked_into(look)

    def disclosed(self, outgoing: Outgoing, delivery: Delivery, by: str = SELF) -> Disclosure | None:
        """Log what was disclosed, if something left or may have left; logged again, it is the same.

        Args:
            outgoing: what `to_send` returned.
            delivery: what became of it.
            by: who sent it; left out, the engine.

        Returns:
            The disclosure, or None if nothing left, or it is about nobody, as an alert of a site is.
        """
        return self.logged(outgoing.leaves(), delivery, by)

    def logged(self, leaves: Mapping[str, Any], delivery: Delivery, by: str = SELF) -> Disclosure | None:
        """Log what was disclosed, from what `Outgoing.leaves` said of it before it was sent."""
        told, participant = dict(leaves), leaves["participant"]
        if delivery.outcome not in LEFT or not participant:
            return None
        del told["participant"]
        names = {name: told.pop(name) for name in ("message", "recipient", "channel")}
        asked = asked_to_log({**names, "outcome": delivery.outcome}, by)
        led_to = {**told, "reference": delivery.reference}
        return Disclosure.of(self._contact_taken(participant, asked, led_to).act)

    def _contact_takes(self, participant: str, asked: Asked, led_to: dict[str, Any] | None = None) -> Contact:
        return Contact.of(self._contact_taken(participant, asked, led_to or {}).state)

    def _contact_taken(self, participant: str, asked: Asked, led_to: dict[str, Any]) -> Taken[ContactState]:
        """Take an act of a contact, which its first act opens."""

        def run(tx: Transaction, now: str, _: bool) -> Taken[ContactState]:  # noqa: FBT001 - as it is called
            journal = Journal(CONTACT, opaque("participant", participant), tx, now)
            if tx.look_up([journal.name], []).standings.get(journal.name) is None:
                journal.open(asked_to_open(participant, asked.by))
            return journal.take(asked, lambda _: led_to)

        return self._written(run, lock=True)

    def _erasure_before(self, participant: str, asked: Asked) -> Taken[ContactState] | None:
        """Return an erasure that was recorded before, whichever key it was then."""

        def look(tx: Transaction) -> Taken[ContactState] | None:
            key = (asked.source, asked.key)
            record = tx.look_up([], [key]).records.get(key)
            name = CONTACT.journal(participant)
            if record is None or (record.enrollment, record.kind) != (name, asked.kind):
                return None
            return Taken(act_of(record), contact_in(tx, participant), replayed=True)

        return self._looked_into(look)

    def _contact_state(self, participant: str) -> ContactState:
        return self._looked_into(lambda tx: contact_in(tx, participant))

    def _address_of(self, handle: Handle, participant: str) -> str:
        secret = self._keyring.key(participant)
        if secret is None:
            msg = f"the address of {handle.recipient!r} of {participant!r} was sealed with key {handle.key}, which is erased"
            raise SecretError(msg)
        return opened(handle.sealed, secret, PURPOSE, participant)

    def _is_of(self, known: Known, address: str) -> bool:
        secret = self._keyring.key(known.participant)
        return secret is not None and known.fingerprint == _print_of(address, secret, known.participant)

    def _looked_into(self, work: Callable[[Transaction], Found]) -> Found:
        with self._storage.reading() as tx:
            return work(tx)


def _print_of(address: str, secret: bytes, participant: str) -> str:
    """Return what an address of somebody is known by, in whatever case it is written."""
    return fingerprint(address.casefold(), secret, PURPOSE, participant)


def _of_one(*names: str) -> str:
    """Return the key of what one message says of one contact; a long one by its hash."""
    key = "/".join(names)
    return key if len(key) <= TEXT_MAX else sha256(key.encode()).hexdigest()


def _moment(given: datetime | None) -> str:
    """Return an aware time as text; empty for none, as it is then that of the act."""
    if given is not None and given.utcoffset() is None:
        msg = f"received_at: expected a time with its offset from UTC, got {given}"
        raise ReportError(msg)
    return instant(given) if given else ""


def _zones(state: ContactState) -> dict[str, str]:
    """Return where everybody is who is reached, by the first of their handles."""
    found: dict[str, str] = {}
    for handle in state.handles:
        found.setdefault(handle.recipient, handle.zone)
    return found
