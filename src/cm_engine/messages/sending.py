"""Whether something may be said to somebody now: by which handle, in which words, with which consent. Pure.

The answer is one of three: `Ready`, `NotYet` with the moment from which it may, or `Never` with the reason.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from cm_engine.log.encoding import instant
from cm_engine.messages.contact import Consent, ContactState, Handle
from cm_engine.messages.draft import Draft
from cm_engine.messages.kinds import PARTICIPANT, ROLE, TOPIC_OF, Channel, audience_of
from cm_engine.messages.notice import with_notice
from cm_engine.messages.policy import MessagePolicy
from cm_engine.messages.quiet import next_allowed
from cm_engine.messages.rendering import Rendered, rendered
from cm_engine.messages.templates import Template

SAYS_MOST = ("progress", "absences", "visits", "updates")
"""The scopes, that which tells most first."""


class Ready(NamedTuple):
    """A message that may be sent now.

    Attributes:
        draft: what is said.
        channel: by what.
        message: in which words.
        handle: to whom, sealed; None for the care team.
        address: of the care team, which is configuration; empty where there is a handle.
        consent: with which consent; empty within the program itself.
        with_notice: it goes with the notice of 42 CFR 2.32.
    """

    draft: Draft
    channel: Channel
    message: Rendered
    handle: Handle | None
    address: str = ""
    consent: str = ""
    with_notice: bool = False


class NotYet(NamedTuple):
    """A message that may be sent from a moment on, in UTC; whether it may is to be asked again then."""

    until: datetime
    why: str


class Never(NamedTuple):
    """A message that may not be sent, and why; the reason names no address."""

    why: str


Answer = Ready | NotYet | Never


class _Way(NamedTuple):
    """A handle of a recipient, and what by it stands in the way, or the consent and the template that allow it."""

    handle: Handle
    why: str = ""
    consent: Consent | None = None
    template: Template | None = None


def may_send(draft: Draft, contact: ContactState, at: datetime, policy: MessagePolicy) -> Answer:
    """Return whether something may be said to somebody now. Keeps INV-17.

    It may if the handle is there, a consent for this recipient, channel and scope is in force on that day where they are,
    they have not opted out of the channel or the topic, and no quiet hours are there. The first handle by which it may
    is taken; if by none, the one whose quiet hours end first. The words are the fullest that the consent and the host
    allow, in the language of the handle, or else in the host's.

    Args:
        draft: what is to be said.
        contact: where the contact of the participant stands.
        at: now, aware.
        policy: what the host asks.

    Raises:
        TellingError: with its values the message would tell a stranger what it is about.
        ReportError: a value is missing, or none that its placeholder takes.
    """
    now = at.astimezone(UTC)
    if draft.not_before and instant(now) < draft.not_before:
        return NotYet(datetime.fromisoformat(draft.not_before), "it is not due yet")
    if audience_of(draft.recipient) == "team":
        return _late(draft, now) or _to_team(draft, policy)
    ways = [
        _way(draft, contact, handle, now, policy)
        for handle in contact.handles
        if handle.recipient == draft.recipient
    ]
    if not any(way.consent for way in ways):
        return Never(
            "; ".join(dict.fromkeys(way.why for way in ways)) or f"there is no handle of {draft.recipient!r}"
        )
    return _soonest(draft, [way for way in ways if way.consent], now, policy)


def _soonest(draft: Draft, ways: list[_Way], now: datetime, policy: MessagePolicy) -> Answer:
    """Return the first way that is open now, or the one that opens first."""
    allowed = [
        (next_allowed(now, way.handle.zone, way.handle.hours), number) for number, way in enumerate(ways)
    ]
    moment, number = min(allowed)
    if late := _late(draft, moment):
        return late
    return _ready(draft, ways[number], policy) if moment == now else NotYet(moment, "there are quiet hours")


def _late(draft: Draft, moment: datetime) -> Never | None:
    is_late = draft.useless_after and instant(moment) > draft.useless_after
    return Never("it would come too late") if is_late else None


def _way(draft: Draft, contact: ContactState, handle: Handle, now: datetime, policy: MessagePolicy) -> _Way:
    """Return whether a handle may be used: with which consent, for which words."""
    if contact.is_out(handle.recipient, handle.channel, TOPIC_OF[draft.kind]):
        return _Way(handle, f"{draft.recipient!r} opted out of it by {handle.channel}")
    day = handle.day(now)
    for template in _fullest(draft, handle, policy):
        consent = contact.consent_for(handle.recipient, handle.channel, template.scope, day)
        if consent:
            return _Way(handle, "", consent, template)
    return _Way(
        handle, f"no consent in force on {day} lets it be told to {draft.recipient!r} by {handle.channel}"
    )


def _fullest(draft: Draft, handle: Handle, policy: MessagePolicy) -> Iterator[Template]:
    """Yield the templates of a message, those in the language of a handle and those that say most first.

    Of two that say as much, the one that is listed first.
    """
    audience = audience_of(draft.recipient)
    fits = [
        each
        for each in policy.templates
        if draft.kind in each.kinds
        and each.audience == audience
        and each.scope in policy.tells
        and each.fills <= draft.values.keys()
    ]
    for language in dict.fromkeys((handle.language, handle.language.partition("-")[0], policy.language)):
        spoken = [each for each in fits if each.language == language]
        yield from sorted(spoken, key=lambda each: SAYS_MOST.index(each.scope))


def _ready(draft: Draft, way: _Way, policy: MessagePolicy) -> Ready:
    handle, consent, template = way.handle, way.consent, way.template
    assert consent is not None, "only ways with a consent are taken"
    assert template is not None, "a consent is looked up for a template"
    message = rendered(template, draft.values, kind=draft.kind, channel=handle.channel, also=policy.denied)
    discloses = draft.recipient != PARTICIPANT
    if discloses:
        message = message._replace(text=with_notice(message.text, consent, message.language, policy.notice))
    return Ready(draft, handle.channel, message, handle, "", consent.id, discloses)


def _to_team(draft: Draft, policy: MessagePolicy) -> Ready | Never:
    """Return a message to the care team, which is within the program, and needs no consent (42 CFR 2.12(c)(3))."""
    role = draft.recipient.removeprefix(ROLE)
    if role not in policy.team:
        return Never(f"no address of the role {role!r} is configured")
    channel, address = policy.team[role]
    fits = (each for each in policy.templates if each.audience == "team" and draft.kind in each.kinds)
    template = next((each for each in fits if each.language == policy.language), None)
    if template is None:
        return Never(f"nothing that the team is told has words for a {draft.kind} in {policy.language}")
    values = {**draft.values, "reference": draft.reference}
    message = rendered(template, values, kind=draft.kind, channel=channel, also=policy.denied)
    return Ready(draft, channel, message, None, address)
