"""What is to be said to one recipient, before it is decided whether, how and in which words: what an outbox keeps."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from cm_engine.log.encoding import dumped, instant
from cm_engine.messages.kinds import PARTICIPANT, MessageKind

Value = str | tuple[str, ...]
"""What fills a placeholder: a day, a time, words, or amounts as they are spoken."""

LETTERS = str.maketrans("0123456789abcdef", "abcdfghjklmnpqrs")
ID_DIGITS = 32
REFERENCE_LETTERS = 8


class Draft(NamedTuple):
    """Something to be said to somebody.

    It holds no address and no text: both are found when it is sent, by the consent that is in force then. The same thing
    said of the same has the same id for ever, so that an outbox keeps it once.

    Attributes:
        id: opaque; the id of the message wherever it goes.
        kind: what it is about.
        participant: whom it is about, by the host's opaque id; empty if it is about nobody.
        recipient: `participant`, the id of a supporter, or `role:` and a role of the care team.
        enrollment: of which episode; empty for none.
        about: what of it: a visit, a decision, an alert.
        values: what there is to fill in.
        not_before: when it is due, in UTC; empty for now.
        useless_after: when it is too late, in UTC; empty for never.
    """

    id: str
    kind: MessageKind
    participant: str
    recipient: str
    enrollment: str
    about: str
    values: Mapping[str, Value]
    not_before: str = ""
    useless_after: str = ""

    @property
    def reference(self) -> str:
        """Return a few letters by which people find it; they tell nothing."""
        return self.id[2 : 2 + REFERENCE_LETTERS]

    def form(self) -> dict[str, Any]:
        """Return it as plain data, for an outbox.

        Example:
            >>> made = draft("visit reminder", "p-104", "e-1", "stimulants/3", {"visit_day": "2026-01-12"})
            >>> Draft.of(made.form()) == made
            True
        """
        values = {name: list(each) if isinstance(each, tuple) else each for name, each in self.values.items()}
        return {**self._asdict(), "values": values}

    @classmethod
    def of(cls, form: Mapping[str, Any]) -> "Draft":
        """Return what `form` gave."""
        given: Mapping[str, Any] = form["values"]
        values = {name: tuple(each) if isinstance(each, list) else each for name, each in given.items()}
        return cls(**{**form, "values": values})


def draft(  # noqa: PLR0913 - one argument for each thing that is said
    kind: MessageKind,
    participant: str,
    enrollment: str,
    about: str,
    values: Mapping[str, Value],
    *,
    recipient: str = PARTICIPANT,
    not_before: datetime | None = None,
    useless_after: datetime | None = None,
) -> Draft:
    """Return something to be said, with its id: the same for the same kind, enrollment, recipient and thing it is about.

    Args:
        kind: what it is about.
        participant: the host's opaque id.
        enrollment: the episode.
        about: what of it; two things that are to be said both have two.
        values: what there is to fill in.
        recipient: who is told.
        not_before: when it is due, aware.
        useless_after: when it is too late, aware.

    Example:
        >>> draft("encouragement", "p-104", "e-1", "record 7", {}).id
        'm-rhphbhkgafcrdhrqmakdmbbrsnndmarj'
    """
    named = dumped([kind, participant, enrollment, about, recipient])
    digits = hashlib.sha256(named.encode()).hexdigest()[:ID_DIGITS].translate(LETTERS)
    due, late = (instant(each) if each else "" for each in (not_before, useless_after))
    return Draft(f"m-{digits}", kind, participant, recipient, enrollment, about, values, due, late)
