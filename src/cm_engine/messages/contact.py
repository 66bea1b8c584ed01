"""The contact of a participant as a journal: handles, consents, opt-outs and disclosures; what its acts come to.

`@contact/<participant>` has the same hashes, keys and audit as everything else. A handle stands in it sealed, with a key
of the participant's own; the keyring that holds this key is no part of the log.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cm_engine.errors import ReportError
from cm_engine.journal import Act, Kind
from cm_engine.log.encoding import dumped
from cm_engine.log.rows import RESERVED
from cm_engine.messages.kinds import EVERY, PARTICIPANT, Channel, Scope, Topic
from cm_engine.messages.quiet import Quiet

NAME = "contact"
HANDLE_SET, HANDLE_REMOVED = "handle set", "handle removed"
CONSENTED, REVOKED = "consented", "revoked"
OPTED_OUT, OPTED_IN = "opted out", "opted in"
DISCLOSED, ERASED = "disclosed", "erased"


class Handle(NamedTuple):
    """How somebody is reached.

    Attributes:
        recipient: the participant, or a supporter.
        channel: by what.
        sealed: the address, as nobody without the key reads it.
        key: the id of the key that sealed it.
        fingerprint: the same for the same address, and telling only that.
        language: that they read.
        zone: where they are.
        quiet: when they are not written to, such as 21:00-08:00.
        record: the act that set it.
    """

    recipient: str
    channel: Channel
    sealed: str
    key: str
    fingerprint: str
    language: str
    zone: str
    quiet: str
    record: int

    @property
    def hours(self) -> Quiet:
        """Return its quiet hours."""
        return Quiet.of(self.quiet)

    def day(self, at: datetime) -> date:
        """Return which day it is there."""
        return at.astimezone(ZoneInfo(self.zone)).date()


class Consent(NamedTuple):
    """A written consent, with what 42 CFR 2.31 asks for.

    Attributes:
        id: the host's, opaque: where the signed paper is.
        discloser: who may disclose.
        recipient: to whom: the participant, or a supporter whom it names.
        channels: by what.
        scopes: what may be told.
        purpose: what for.
        signed_on: the day of the signature.
        begins, until: the first and the last day; `until` is empty where it holds until it is revoked.
        revoked_at: when it was revoked, in UTC; empty if it was not.
    """

    id: str
    discloser: str
    recipient: str
    channels: tuple[Channel, ...]
    scopes: tuple[Scope, ...]
    purpose: str
    signed_on: str
    begins: str
    until: str = ""
    revoked_at: str = ""

    def holds(self, day: date) -> bool:
        """Tell whether it is in force on a day where the recipient is: from its first day to its last, unless it was revoked.

        What is revoked is so at once, whatever the clock says of who asks: that of who recorded it may be ahead.
        """
        within = self.begins <= day.isoformat() and (not self.until or day.isoformat() <= self.until)
        return within and not self.revoked_at


class Wish(NamedTuple):
    """What somebody last said of being written to; a channel or a topic may be `all`."""

    recipient: str
    channel: str
    topic: str
    out: bool
    at: str

    def is_about(self, recipient: str, channel: str, topic: str) -> bool:
        """Tell whether it is about messages to somebody, by a channel, on a topic."""
        return (
            self.recipient == recipient and self.channel in {channel, EVERY} and self.topic in {topic, EVERY}
        )


class ContactState(NamedTuple):
    """Where the contact of a participant stands.

    Attributes:
        participant: the host's opaque id.
        handles: in the order in which they were first set, which is the order in which they are tried.
        consents: all that were given.
        wishes: opt-outs and opt-ins, the last word last, by when it was said.
        seq: the last act.
    """

    participant: str
    handles: tuple[Handle, ...] = ()
    consents: tuple[Consent, ...] = ()
    wishes: tuple[Wish, ...] = ()
    seq: int = 0

    @property
    def supporters(self) -> tuple[str, ...]:
        """Return the supporters whom a consent names that was not revoked."""
        named = (each.recipient for each in self.consents if not each.revoked_at)
        return tuple(dict.fromkeys(each for each in named if each != PARTICIPANT))

    def is_out(self, recipient: str, channel: Channel, topic: Topic) -> bool:
        """Tell whether somebody opted out: the last word on the channel and the topic counts."""
        said = [each.out for each in self.wishes if each.is_about(recipient, channel, topic)]
        return bool(said) and said[-1]

    def consent_for(self, recipient: str, channel: Channel, scope: Scope, day: date) -> Consent | None:
        """Return the first consent in force that allows to tell something to somebody by a channel, or None."""
        fits = (
            each
            for each in self.consents
            if each.recipient == recipient
            and channel in each.channels
            and scope in each.scopes
            and each.holds(day)
        )
        return next(fits, None)


def fold(state: ContactState | None, act: Act) -> ContactState:
    """Return where a contact stands after an act.

    Raises:
        ReportError: the act is none that a contact takes where it stands.
    """
    if state is None:
        return ContactState(act.journal.removeprefix(f"{RESERVED}{NAME}/"))
    change = CHANGES.get(act.kind)
    if change is None:
        msg = f"a contact takes no act of the kind {act.kind!r}"
        raise ReportError(msg)
    return change(state, act)._replace(seq=act.seq)


def _handle_set(state: ContactState, act: Act) -> ContactState:
    body, recipient = act.body, act.body["recipient"]
    if recipient != PARTICIPANT and recipient not in state.supporters:
        msg = (
            f"recipient: no consent names {recipient!r}; record the consent first, then how they are reached"
        )
        raise ReportError(msg)
    new = Handle(
        recipient,
        body["channel"],
        act.led_to["sealed"],
        act.led_to["key"],
        body["fingerprint"],
        body["language"],
        body["zone"],
        body["quiet"],
        act.seq,
    )
    return state._replace(handles=_replaced(state.handles, new))


def _replaced(handles: Sequence[Handle], new: Handle) -> tuple[Handle, ...]:
    """Return handles with one in the place of the former of its channel, or at the end."""
    known = [(each.recipient, each.channel) for each in handles]
    if (new.recipient, new.channel) not in known:
        return (*handles, new)
    place = known.index((new.recipient, new.channel))
    return (*handles[:place], new, *handles[place + 1 :])


def _handle_removed(state: ContactState, act: Act) -> ContactState:
    gone = (act.body["recipient"], act.body["channel"])
    left = tuple(each for each in state.handles if (each.recipient, each.channel) != gone)
    if left == state.handles:
        msg = f"channel: there is no {gone[1]} handle of {gone[0]!r}"
        raise ReportError(msg)
    return state._replace(handles=left)


def _consented(state: ContactState, act: Act) -> ContactState:
    body = act.body
    if any(each.id == body["consent"] for each in state.consents):
        msg = f"consent: there is a consent {body['consent']!r} already; a new signature has an id of its own"
        raise ReportError(msg)
    new = Consent(
        body["consent"],
        body["discloser"],
        body["recipient"],
        tuple(body["channels"]),
        tuple(body["scopes"]),
        body["purpose"],
        body["signed_on"],
        body["begins"],
        body["until"],
    )
    return state._replace(consents=(*state.consents, new))


def _revoked(state: ContactState, act: Act) -> ContactState:
    known = {each.id: each for each in state.consents}
    found = known.get(act.body["consent"])
    if found is None or found.revoked_at:
        msg = f"consent: there is no consent {act.body['consent']!r} that could be revoked"
        raise ReportError(msg)
    ended = found._replace(revoked_at=act.recorded_at)
    after = state._replace(consents=tuple(ended if each is found else each for each in state.consents))
    named = {PARTICIPANT, *after.supporters}
    return after._replace(handles=tuple(each for each in state.handles if each.recipient in named))


def _wished(state: ContactState, act: Act) -> ContactState:
    body = act.body
    said = min(body.get("received_at") or act.recorded_at, act.recorded_at)
    new = Wish(body["recipient"], body["channel"], body["topic"], act.kind == OPTED_OUT, said)
    kept = [each for each in state.wishes if not _takes_place_of(new, each)]
    return state._replace(wishes=tuple(sorted([*kept, new], key=attrgetter("at"))))


def _takes_place_of(new: Wish, old: Wish) -> bool:
    """Tell whether nothing is left for an older word to decide; a word that comes late may be older than another one."""
    return (
        old.at <= new.at
        and new.recipient == old.recipient
        and new.channel in {EVERY, old.channel}
        and new.topic in {EVERY, old.topic}
    )


def _disclosed(state: ContactState, _: Act) -> ContactState:
    return state


def _erased(state: ContactState, _: Act) -> ContactState:
    return state._replace(handles=())


CHANGES: Mapping[str, Callable[[ContactState, Act], ContactState]] = {
    HANDLE_SET: _handle_set,
    HANDLE_REMOVED: _handle_removed,
    CONSENTED: _consented,
    REVOKED: _revoked,
    OPTED_OUT: _wished,
    OPTED_IN: _wished,
    DISCLOSED: _disclosed,
    ERASED: _erased,
}
"""What each kind of act makes of a contact."""


def dump(state: ContactState) -> str:
    """Return where a contact stands, as text."""
    return dumped(state._asdict())


def load(text: str) -> ContactState:
    """Return what `dump` wrote.

    Raises:
        ValueError, TypeError, KeyError: another release wrote it.
    """
    form: dict[str, Any] = json.loads(text)
    consents = (Consent(*fields) for fields in form["consents"])
    return ContactState(
        form["participant"],
        tuple(Handle(*fields) for fields in form["handles"]),
        tuple(each._replace(channels=tuple(each.channels), scopes=tuple(each.scopes)) for each in consents),
        tuple(Wish(*fields) for fields in form["wishes"]),
        form["seq"],
    )


CONTACT = Kind[ContactState](NAME, fold, dump, load)
"""Contacts as journals; the first act, of the kind `opened`, says nothing."""
