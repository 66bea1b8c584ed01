"""What the care team is told of sites and of stocks: an alert that is new, to the roles that a host names. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from cm_engine.log.encoding import instant
from cm_engine.messages.draft import Draft, draft
from cm_engine.messages.kinds import ALERT, ROLE, AlertTopic
from cm_engine.messages.policy import MessagePolicy

Told = TypeVar("Told")

TOPICS: Mapping[str, AlertTopic] = {
    "alert": "budget",
    "exhausted": "budget",
    "hard stop": "budget",
    "behind": "closures",
    "reorder": "stock",
    "expires": "stock",
    "expired": "stock",
    "variance": "stock",
}
"""What an alert is of, by what it says."""


def alert_drafts(what: str, about: str, since: datetime, policy: MessagePolicy) -> Iterator[Draft]:
    """Yield what is said of an alert, to each role that is told of such.

    The words tell nothing but that there is an update, with a reference; what it is about, `engine.messages` shows.

    Args:
        what: the alert says.
        about: where, and of what: north, exhausted, grant.
        since: it lasts, or is known; one that comes back is another one.
        policy: who is told.

    Example:
        >>> policy = MessagePolicy(team={"lead": ("email", "lead@example.org")}, alerts={"budget": ("lead",)})
        >>> now = datetime.fromisoformat("2026-01-05T18:00:00+00:00")
        >>> [(each.recipient, each.about) for each in alert_drafts("exhausted", "north, exhausted, grant", now, policy)]
        [('role:lead', 'north, exhausted, grant, since 2026-01-05T18:00:00.000000+00:00')]
    """
    for role in policy.alerts.get(TOPICS[what], ()):
        yield draft(ALERT, "", "", f"{about}, since {instant(since)}", {}, recipient=f"{ROLE}{role}")


def new_ones(noted: dict[str, Any], alerts: Mapping[str, Told]) -> Iterator[Told]:
    """Yield the alerts that were not told yet, each noted once it was; one that is over is forgotten, and told if it comes again.

    Args:
        noted: what is known from the time before, which is changed.
        alerts: those that are there, by what tells each apart.
    """
    noted["told"] = [name for name in noted.get("told", ()) if name in alerts]
    for name in [name for name in alerts if name not in noted["told"]]:
        yield alerts[name]
        noted["told"].append(name)
