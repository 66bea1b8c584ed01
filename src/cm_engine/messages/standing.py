"""A contact as people look at it: no address stands in it."""

import json
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from cm_engine.errors import JournalNotFoundError
from cm_engine.journal import Act, Journal, all_journals
from cm_engine.log.moves import EXPORTED
from cm_engine.log.rows import RecordRow
from cm_engine.messages.contact import CONTACT, DISCLOSED, HANDLE_SET, Consent, ContactState, Wish
from cm_engine.ports import Transaction


class Reachable(NamedTuple):
    """By what somebody is reached, without the address."""

    recipient: str
    channel: str
    language: str
    zone: str
    quiet: str


class Contact(NamedTuple):
    """The contact of a participant.

    Attributes:
        participant: the host's opaque id.
        handles: by what the participant and supporters are reached.
        consents: all that were given, those that were revoked too.
        wishes: what was last said of being written to.
        supporters: whom a consent names that was not revoked.
    """

    participant: str
    handles: tuple[Reachable, ...] = ()
    consents: tuple[Consent, ...] = ()
    wishes: tuple[Wish, ...] = ()
    supporters: tuple[str, ...] = ()

    @classmethod
    def of(cls, state: ContactState) -> "Contact":
        """Return a contact from where it stands."""
        handles = tuple(
            Reachable(each.recipient, each.channel, each.language, each.zone, each.quiet)
            for each in state.handles
        )
        return cls(state.participant, handles, state.consents, state.wishes, state.supporters)


class Known(NamedTuple):
    """An address that somebody is reached by, or was: what it is known by, and not what it is."""

    participant: str
    recipient: str
    channel: str
    fingerprint: str


class Disclosure(NamedTuple):
    """What was disclosed to whom: a row of the accounting that 42 CFR 2.25 and 45 CFR 164.528 ask for.

    Attributes:
        message: the id of the message; of an enrollment that was exported, its id.
        kind: what it was about; `record` for the whole log of an enrollment.
        recipient: to whom; of an export, the other clinic as the host calls it.
        channel: by what; `bundle` for an export.
        outcome: `sent`, or `unknown`: it may have arrived; `exported`, and then the host's to send.
        template: in which words, to the version.
        scope: what it told.
        consent: with which consent; empty within the program itself.
        with_notice: it went with the notice of 42 CFR 2.32.
        handle: the act that set the handle; 0 for the care team.
        reference: what the technology calls it, if it said; of an export, why.
        at: when it was logged, in UTC.
    """

    message: str
    kind: str
    recipient: str
    channel: str
    outcome: str
    template: str
    scope: str
    consent: str
    with_notice: bool
    handle: int
    reference: str
    at: datetime

    @classmethod
    def of(cls, act: Act) -> "Disclosure":
        """Return a disclosure from the log."""
        form: dict[str, Any] = {**act.body, **act.led_to}
        return cls(
            at=datetime.fromisoformat(act.recorded_at), **{name: form[name] for name in cls._fields[:-1]}
        )

    @classmethod
    def of_export(cls, record: RecordRow) -> "Disclosure":
        """Return the disclosure that an export is, from the log of the enrollment."""
        told, at = json.loads(record.body), datetime.fromisoformat(record.recorded_at)
        what = (record.enrollment, "record", told["to"], "bundle", "exported", "", "record", told["consent"])
        return cls(*what, with_notice=False, handle=0, reference=told["why"], at=at)


def disclosures_in(tx: Transaction, participant: str) -> tuple[Disclosure, ...]:
    """Return what was disclosed of a participant, in order: what was said, and enrollments that were exported."""
    said = [Disclosure.of(act) for act in _acts_in(tx, participant) if act.kind == DISCLOSED]
    logs = (tx.records(row.id) for row in tx.enrollments(participant=participant))
    moved = [Disclosure.of_export(record) for log in logs for record in log if record.kind == EXPORTED]
    return tuple(sorted([*said, *moved], key=attrgetter("at")))


def _acts_in(tx: Transaction, participant: str) -> tuple[Act, ...]:
    try:
        return Journal(CONTACT, participant, tx).acts()
    except JournalNotFoundError:
        return ()


def contact_in(tx: Transaction, participant: str) -> ContactState:
    """Return where the contact of a participant stands; of one who was never reached, nowhere."""
    try:
        return Journal(CONTACT, participant, tx).state()
    except JournalNotFoundError:
        return ContactState(participant)


def contacts_in(tx: Transaction) -> list[ContactState]:
    """Return where all contacts stand, in the order of their participants."""
    return [contact_in(tx, participant) for participant in _participants_in(tx)]


def addresses_in(tx: Transaction) -> list[Known]:
    """Return the addresses by which people are reached now."""
    return [
        Known(state.participant, each.recipient, each.channel, each.fingerprint)
        for state in contacts_in(tx)
        for each in state.handles
    ]


def former_addresses_in(tx: Transaction) -> list[Known]:
    """Return every address by which people were ever reached, those of now too: a word may answer an old message."""
    return [
        Known(participant, act.body["recipient"], act.body["channel"], act.body["fingerprint"])
        for participant in _participants_in(tx)
        for act in Journal(CONTACT, participant, tx).acts()
        if act.kind == HANDLE_SET
    ]


def _participants_in(tx: Transaction) -> list[str]:
    """Return whose contact is kept."""
    return [row.enrollment.removeprefix(CONTACT.journal("")) for row in all_journals(tx, CONTACT.name)]
