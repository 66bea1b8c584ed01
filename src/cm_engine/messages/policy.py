"""What a host asks of messages: which it lets tell more, in which words, when reminders are due, and who the team is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time

from cm_engine.errors import ReportError
from cm_engine.messages.asking import one_of, plain_address
from cm_engine.messages.kinds import ALERT_TOPICS, CHANNELS, SCOPES, AlertTopic, Channel, Scope
from cm_engine.messages.notice import NOTICE
from cm_engine.messages.templates import NEUTRAL, TEMPLATES, Template, checked

DAYS_MAX = 60


@dataclass(frozen=True, kw_only=True)
class MessagePolicy:
    """What a host asks of messages; left out, nothing that leaves tells a stranger what it is about.

    Args:
        tells: the scopes that the host lets be told at all; each message needs a consent with the scope too.
        language: of those whose own has no text.
        templates: the texts; those of a program come from `program_templates`, and stand before the package's own.
        denied: what is denied besides: names of the clinic, of its staff, of the program.
        remind_days: how many days before a visit its reminders are due.
        remind_at: at what time of the day, where the person is.
        expiry_days: how many days before a reward expires it is said.
        notice: what goes with what is told to somebody other than the participant.
        team: where each role of the care team is told of signals and alerts: a channel and an address.
        alerts: which roles are told of alerts, by what they are of: budget, closures or stock; left out, nobody.

    Raises:
        ReportError: a scope, a channel or an address is none.
        ProblemsError: a template tells something that its scope does not, or is otherwise wrong.

    Example:
        >>> policy = MessagePolicy(team={"counselor": ("email", "team-3@example.org")})
        >>> sorted(policy.tells), policy.remind_days
        (['absences', 'updates', 'visits'], (1,))
    """

    tells: frozenset[Scope] = NEUTRAL
    language: str = "en"
    templates: tuple[Template, ...] = TEMPLATES
    denied: tuple[str, ...] = ()
    remind_days: tuple[int, ...] = (1,)
    remind_at: time = time(10)
    expiry_days: tuple[int, ...] = (7,)
    notice: str = NOTICE
    team: Mapping[str, tuple[Channel, str]] = field(default_factory=dict)
    alerts: Mapping[AlertTopic, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look at all of it."""
        for scope in self.tells:
            one_of("tells", scope, SCOPES)
        for days in (*self.remind_days, *self.expiry_days):
            if type(days) is not int or not 0 <= days <= DAYS_MAX:
                msg = f"remind_days: expected days from 0 to {DAYS_MAX}, got {days!r}"
                raise ReportError(msg)
        for channel, address in self.team.values():
            plain_address(one_of("team", channel, CHANNELS), address)
        for topic, roles in self.alerts.items():
            one_of("alerts", topic, ALERT_TOPICS)
            if unknown := [role for role in roles if role not in self.team]:
                msg = f"alerts: the team has no address of {', '.join(unknown)}"
                raise ReportError(msg)
        if self.denied or self.templates is not TEMPLATES:  # ours were looked at when they were written
            checked(self.templates, self.denied)
