"""From a file of notifiers to notifiers and what a host asks of messages, or to every problem that it has."""

import os
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from cm_engine.delivery.described import Described, Given, made_of, read_described, refused
from cm_engine.delivery.settings import Sources
from cm_engine.errors import NotifiersError, ProblemsError, ReportError
from cm_engine.messages.kinds import AlertTopic, Channel, Scope
from cm_engine.messages.offered import GROUP
from cm_engine.messages.policy import MessagePolicy
from cm_engine.ports import Notifier
from cm_engine.program.parts import Part, Text
from cm_engine.program.reading import Document

Days = Annotated[tuple[int, ...], Field(min_length=1)]


class TeamSettings(Part):
    """Where a role of the care team is told."""

    channel: Channel
    address: Text


class MessagesSettings(Part):
    """What a file says of messages; each key is as that of `MessagePolicy`."""

    tells: Annotated[tuple[Scope, ...], Field(min_length=1)] = ()
    language: Text | None = None
    denied: tuple[Text, ...] = ()
    remind_days: Days = ()
    remind_at: Annotated[Text, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] | None = None
    expiry_days: Days = ()
    team: dict[Text, TeamSettings] = {}  # noqa: RUF012 - pydantic copies its defaults
    alerts: dict[AlertTopic, tuple[Text, ...]] = {}  # noqa: RUF012 - likewise

    def policy(self) -> MessagePolicy:
        """Return what it asks of messages.

        Raises:
            ReportError: a day or an address is none.
            ProblemsError: a text says what is denied.
        """
        said = {name: getattr(self, name) for name in ("language", "denied", "remind_days", "expiry_days")}
        team = {role: (each.channel, each.address) for role, each in self.team.items()}
        found: dict[str, Any] = {
            "team": team,
            "alerts": self.alerts,
            **{name: value for name, value in said.items() if value},
        }
        if self.tells:
            found["tells"] = frozenset(self.tells)
        if self.remind_at:
            found["remind_at"] = time.fromisoformat(self.remind_at)
        return MessagePolicy(**found)


class Notifying(NamedTuple):
    """What a file of notifiers describes.

    Attributes:
        notifiers: by their names.
        policy: what the host asks of messages.
    """

    notifiers: dict[str, Notifier]
    policy: MessagePolicy


NOTIFIERS = Described(
    "notifiers", GROUP, NotifiersError, {"messages": (MessagesSettings, MessagesSettings())}
)


def load_notifiers(path: str | os.PathLike[str], environ: Mapping[str, str]) -> Notifying:
    """Make the notifiers that a file describes: YAML 1.2, or JSON, in UTF-8.

    Args:
        path: of the file; files of secrets that it names are looked for beside it.
        environ: the environment, for secrets.

    Returns:
        The notifiers, for `engine.messenger`, and the policy, for `engine.with_messages`.

    Raises:
        NotifiersError: there is no such file, or it is wrong; the error holds every problem with line and column.
        AmbiguousNameError: two installed packages offer one kind.
        MissingDependencyError: a package that a kind needs is not installed.
    """
    text, name, folder = read_described(path, NotifiersError)
    return parse_notifiers(text, environ, name=name, folder=folder)


def parse_notifiers(
    text: str, environ: Mapping[str, str], *, name: str = "<text>", folder: Path | None = None
) -> Notifying:
    r"""Make the notifiers that a text describes.

    Args:
        text: YAML 1.2, or JSON.
        environ: the environment, for secrets.
        name: what to call the text in problems.
        folder: where files of secrets are looked for; left out, the working directory.

    Raises:
        CmEngineError: as `load_notifiers`.

    Example:
        >>> mail = "notifiers:\n  mail: {kind: smtp, host: mail.example.org, sender: updates@example.org}\n"
        >>> found = parse_notifiers(mail + "messages: {tells: [updates]}", {})
        >>> sorted(found.notifiers), sorted(found.policy.tells)
        (['mail'], ['updates'])
    """
    made, document = made_of(text, name, NOTIFIERS, Given(Sources(environ, folder or Path())))
    return Notifying(made, _policy(document))


def _policy(document: Document) -> MessagePolicy:
    settings = MessagesSettings.model_validate(document.data.get("messages", {}))
    try:
        return settings.policy()
    except ReportError as error:
        raise NotifiersError(
            [refused(document, ("messages",), error, MessagesSettings.model_fields)]
        ) from None
    except ProblemsError as error:
        wrong = "; ".join(dict.fromkeys(each.message for each in error.problems))
        raise NotifiersError([document.problem(("messages", "denied"), wrong)]) from None
