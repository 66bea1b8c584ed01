"""What the care team is told of sites and of stocks: an alert that is new, to the roles that a host names. Pure."""

from collections.abc import Callable, Iterator, Mapping
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


def tell_new(noted: dict[str, Any], alerts: Mapping[str, Told], tell: Callable[[Told], object]) -> None:
    """Tell the alerts that were not told yet, each noted once it was; one that is over is forgotten, and told if it comes again.

    One that cannot be told stands in the way of no other: what it met is raised when all others are told.

    Args:
        noted: what is known from the time before, which is changed.
        alerts: those that are there, by what tells each apart.
        tell: tells one.
    """
    noted["told"] = [name for name in noted.get("told", ()) if name in alerts]
    failures: list[Exception] = []
    for name in [name for name in alerts if name not in noted["told"]]:
        try:
            tell(alerts[name])
        except Exception as error:  # noqa: BLE001 - what a host is told by may raise anything
            failures.append(error)
        else:
            noted["told"].append(name)
    if failures:
        raise failures[0]
