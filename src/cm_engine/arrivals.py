"""What an intake adapter makes of a document: arrivals, which say what was found of whom, when, and how sure it is.

They are plain values in the words of the sender. What they mean to a program, the clinic's mapping file says.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

OWN_SYSTEM = "cm-engine"
"""The system of codes that an adapter gives itself, such as that a visit was attended."""

NO_SYSTEM = "none"
"""The system of a code whose sender names none."""

CORRECTS = ("held", "unknown", "final", "corrected", "void")
"""The statuses as they follow one another where nothing else tells which of two versions came first."""


class Code(NamedTuple):
    """A code of a system, or an id that a system gave somebody.

    Example:
        >>> str(Code("http://loinc.org", "3393-3"))
        'http://loinc.org|3393-3'
    """

    system: str
    code: str

    def __str__(self) -> str:
        """Return both, with a bar between, as FHIR writes them; a code without a system as it is."""
        return f"{self.system}|{self.code}" if self.system else self.code


class Status(StrEnum):
    """How far a result is.

    Attributes:
        HELD: not final: nothing is decided from it.
        UNKNOWN: the sender does not say, or says what nobody knows: a person decides.
        FINAL: it counts.
        CORRECTED: it counts, in place of what was sent before.
        VOID: it was sent in error: what was decided from it is taken back.
    """

    HELD = "held"
    UNKNOWN = "unknown"
    FINAL = "final"
    CORRECTED = "corrected"
    VOID = "void"


class Finding(NamedTuple):
    """One thing that was found.

    Attributes:
        codes: what was looked at: one concept, in as many systems as the sender names it.
        values: what was found, as codes: the value, its interpretation, or why there is none.
        text: what was found, as the sender writes it; it is compared with the mapping's words, and never kept.
        number: what was measured, exactly.
        unit: of the number, as the sender writes it.
        is_detail: nobody has to say what it means, if something else of the arrival has a meaning.
    """

    codes: tuple[Code, ...]
    values: tuple[Code, ...] = ()
    text: str = ""
    number: Decimal | None = None
    unit: str = ""
    is_detail: bool = False


class Arrival(NamedTuple):
    """One version of one result, visit, dose or questionnaire.

    Attributes:
        key: what makes it the same thing in all of its versions; no names in it.
        status: how far it is.
        findings: what was found; of something void there may be none.
        who: the ids under which the sender knows the person.
        version: text that sorts after that of every version before it; empty where the sender gives none.
        collected_at: when the specimen was taken, or the visit was; aware.
        on: its day, where no time is known.
        resulted_at: when this version came out; aware.
    """

    key: str
    status: Status
    findings: tuple[Finding, ...] = ()
    who: tuple[Code, ...] = ()
    version: str = ""
    collected_at: datetime | None = None
    on: date | None = None
    resulted_at: datetime | None = None

    @property
    def rank(self) -> tuple[str, int]:
        """Return what sorts after the rank of every version before it.

        Example:
            >>> Arrival("a", Status.FINAL).rank < Arrival("a", Status.CORRECTED).rank
            True
        """
        return rank_of(self.version, self.status)


class Unread(NamedTuple):
    """A part of a document that says nothing which could be used: where it stands, and why; nothing of its content."""

    where: str
    why: str


Arrivals = Iterable[Arrival | Unread]
"""What an adapter gives for a document, in its order."""


def rank_of(version: str, status: str) -> tuple[str, int]:
    """Return what sorts after the rank of every version before it."""
    return version, CORRECTS.index(status)
