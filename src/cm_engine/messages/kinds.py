"""The words of messages: their kinds, what they tell, by what they go out, and what somebody may opt out of."""

from collections.abc import Mapping
from typing import Literal, get_args

MessageKind = Literal[
    "reward earned",
    "next reward",
    "visit reminder",
    "missed visit",
    "recovery reached",
    "reward expiring",
    "encouragement",
    "signal",
    "alert",
]
"""What a message is about; a signal and an alert are for the care team, all others for the participant and named supporters."""

Scope = Literal["updates", "visits", "absences", "progress"]
"""What a message tells, and a consent allows to be told.

`updates` only that there is something to look at; `visits` the days and times of visits; `absences` that somebody did
not come (for supporters: the participant knows); `progress` what was earned, and what comes next.
"""

Topic = Literal["visits", "progress"]
"""What somebody may opt out of by itself."""

Channel = Literal["sms", "email", "push", "webhook"]

Audience = Literal["participant", "supporter", "team"]

KINDS: tuple[MessageKind, ...] = get_args(MessageKind)
SCOPES: tuple[Scope, ...] = get_args(Scope)
TOPICS: tuple[Topic, ...] = get_args(Topic)
CHANNELS: tuple[Channel, ...] = get_args(Channel)
EXPIRING: MessageKind = "reward expiring"
REMINDER: MessageKind = "visit reminder"
MISSED_VISIT: MessageKind = "missed visit"
SIGNAL: MessageKind = "signal"
ALERT: MessageKind = "alert"
TO_TEAM: frozenset[MessageKind] = frozenset({SIGNAL, ALERT})

AlertTopic = Literal["budget", "closures", "stock"]
ALERT_TOPICS: tuple[AlertTopic, ...] = get_args(AlertTopic)
"""What an alert is of: the budgets of a site, enrollments that do not follow its closures, or what is in stock."""

TOPIC_OF: Mapping[str, Topic] = {
    kind: "visits" if kind in {"visit reminder", "missed visit"} else "progress" for kind in KINDS
}

EVERY = "all"
"""Every channel, or every topic."""
PARTICIPANT = "participant"
"""The recipient who is the participant; all others are supporters, by an opaque id, or roles."""
ROLE = "role:"
"""Stands before the role of the care team that is told something."""


def audience_of(recipient: str) -> Audience:
    """Return who is spoken to.

    Example:
        >>> audience_of("participant"), audience_of("s-1"), audience_of("role:counselor")
        ('participant', 'supporter', 'team')
    """
    if recipient == PARTICIPANT:
        return "participant"
    return "team" if recipient.startswith(ROLE) else "supporter"
