"""What is told of arrivals: what became of each of a document, and what waits for a person."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from cm_engine.acts.recorded import Recorded
from cm_engine.intake.queue import item_name
from cm_engine.intake.thing import PARTS, Did
from cm_engine.intake.why import SENTENCES, Why
from cm_engine.journal import Act

REPLAYED = "replayed"
"""What counts as nothing else: it was so before."""


@dataclass(frozen=True)
class Outcome:
    """What became of one part of an arrival.

    Attributes:
        where: the key of the thing and the part of it; of what could not be read, its place in the document.
        did: what became of it.
        why: the reason, where it waits or was refused; as one of `Why`, or in words.
        detail: of the reason.
        recorded: what was recorded, with its decision; None for a repeat and for what was not recorded.
        is_replayed: it was so before, and nothing was written now.
    """

    where: str
    did: Did
    why: str = ""
    detail: str = ""
    recorded: Recorded | None = None
    is_replayed: bool = False

    @property
    def sentence(self) -> str:
        """Return what became of it, in words."""
        why = SENTENCES[Why(self.why)] if self.why in set(Why) else self.why
        told = ": ".join(filter(None, (why, self.detail)))
        before = "as before, " if self.is_replayed else ""
        return f"{self.where}: {before}{self.did}" + (f": {told}" if told else "")


@dataclass(frozen=True)
class Received:
    """What became of a document.

    Attributes:
        document: the SHA-256 of its bytes; empty for arrivals that came without one.
        outcomes: what became of each part of each arrival, in the order of the document.
    """

    document: str
    outcomes: tuple[Outcome, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how often each thing happened; what was so before counts as replayed, and as nothing else."""
        found = Counter(REPLAYED if each.is_replayed else each.did.value for each in self.outcomes)
        names = [each.value for each in Did]
        return {name: found[name] for name in (names[0], REPLAYED, *names[1:])}

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """Return what was refused, of which nothing was written."""
        return tuple(each for each in self.outcomes if each.did == Did.REFUSED)

    @property
    def waiting(self) -> tuple[Outcome, ...]:
        """Return what waits, for its final version or for a person; what waited before too."""
        return tuple(each for each in self.outcomes if each.did in {Did.HELD, Did.REVIEW} and each.why)


@dataclass(frozen=True)
class ReviewItem:
    """What waits: codes, times and ids, and no text of the sender's.

    Attributes:
        source: who sent it.
        item: what it is called: `settle` and `dismiss` ask for it.
        why: why it waits.
        detail: of the reason.
        status: how final it is.
        version: of the thing.
        codes: what was looked at, as system|code.
        found: what was found, where that is a code or a number.
        who: the sender's ids of the person; one that looks like more than an id stands as its SHA-256.
        collected_at, on, resulted_at: its times, as far as they are known.
        document: the SHA-256 of the document that it came in.
        arrived_at: when it was taken in, in UTC.
        by: who took it in.
    """

    source: str
    item: str
    why: Why
    detail: str
    status: str
    version: str
    codes: tuple[str, ...]
    found: tuple[str, ...]
    who: tuple[str, ...]
    collected_at: datetime | None
    on: date | None
    resulted_at: datetime | None
    document: str
    arrived_at: datetime
    by: str

    @property
    def sentence(self) -> str:
        """Return why it waits, in words."""
        return ": ".join(filter(None, (SENTENCES[self.why], self.detail)))

    @classmethod
    def of(cls, source: str, part: str, act: Act) -> "ReviewItem":
        """Return what waits of an act."""
        body, entry = act.body, act.led_to[PARTS][part]
        return cls(
            source=source,
            item=item_name(body["of"], part),
            why=Why(entry["why"]),
            detail=entry["detail"],
            status=body["status"],
            version=body["version"],
            codes=tuple(entry["codes"]),
            found=tuple(entry["found"]),
            who=tuple(body["who"]),
            collected_at=_time(body, "at"),
            on=date.fromisoformat(body["on"]) if "on" in body else None,
            resulted_at=_time(body, "resulted_at"),
            document=body["document"],
            arrived_at=datetime.fromisoformat(act.recorded_at),
            by=act.by,
        )


def _time(body: Mapping[str, str], name: str) -> datetime | None:
    return datetime.fromisoformat(body[name]) if name in body else None
