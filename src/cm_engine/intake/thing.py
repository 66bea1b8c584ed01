"""Where one thing stands that arrives in versions, in any order: what of it was recorded, and what waits.

Pure. A thing is what a sender calls by one key: a report, a visit. It says something for each of several parts (`Part`),
and each part stands where its newest version left it. So any order and any repetition of versions end in the same.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from cm_engine.arrivals import Arrival, Status, rank_of
from cm_engine.intake.reading import Part
from cm_engine.intake.why import Why
from cm_engine.journal import Act
from cm_engine.log.encoding import dumped, instant, observed
from cm_engine.rules.state import Observation

ARRIVED, SETTLED, DISMISSED = "arrived", "settled", "dismissed"
"""The kinds of acts on the queue of a source."""

PARTS = "parts"
"""The key of what an act led to, by the part of the thing that it is for."""

MONEY = ", money"
"""What the name of a part ends with that waits because what was taken back had been paid."""

Rank = tuple[str, int]


class Did(StrEnum):
    """What became of a part of an arrival.

    Attributes:
        RECORDED, AMENDED, VOIDED: an act of its own in the log of the enrollment.
        UNCHANGED: a newer version that says the same.
        SUPERSEDED: a newer version came before, and stays.
        HELD: it waits for its final version.
        REVIEW: it waits for a person.
        DISMISSED: a person let it go, and it does not come back.
        READ: it waits no more, as a newer version or the mapping has it otherwise.
        REFUSED: nothing of it was written.
        IGNORED: it is of no matter here, by the mapping.
    """

    RECORDED = "recorded"
    AMENDED = "amended"
    VOIDED = "voided"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    HELD = "held"
    REVIEW = "review"
    DISMISSED = "dismissed"
    READ = "read"
    REFUSED = "refused"
    IGNORED = "ignored"


WRITTEN = frozenset({Did.RECORDED, Did.AMENDED, Did.VOIDED})
"""What became of a part that has an act in the log of its enrollment."""


class Applied(NamedTuple):
    """What was recorded of a part: by which version, where, what it says, and whether it stands."""

    rank: Rank
    enrollment: str
    record: int
    said: Mapping[str, Any]
    stands: bool = True


class Waiting(NamedTuple):
    """What waits of a part: which version, and why."""

    rank: Rank
    digest: str
    why: str
    detail: str


class Slot(NamedTuple):
    """Where a part of a thing stands.

    Attributes:
        applied: what was recorded of it.
        waiting: what waits.
        closed: the versions that a person settled or dismissed, each with the digest of what it said.
    """

    applied: Applied | None = None
    waiting: Waiting | None = None
    closed: frozenset[tuple[Rank, str]] = frozenset()


class Thing(NamedTuple):
    """Where a thing stands.

    Attributes:
        slots: each of its parts.
        voided: the version that took it back, the newest of them.
        acts: how many acts there are on it.
    """

    slots: Mapping[str, Slot] = {}
    voided: Rank | None = None
    acts: int = 0

    def slot(self, name: str) -> Slot:
        """Return where a part stands."""
        return self.slots.get(name, Slot())


class Wanted(NamedTuple):
    """What an arrival says for a part, for whom: the enrollment is empty where it waits."""

    part: Part
    enrollment: str
    said: Mapping[str, Any]


class Step(NamedTuple):
    """What is to become of a part, and whether that was so before."""

    did: Did
    wanted: Wanted
    replayed: bool = False


def folded(acts: Sequence[Act]) -> Thing:
    """Return where a thing stands after all acts on it."""
    thing = Thing()
    for act in acts:
        thing = after(thing, act)
    return thing


def after(thing: Thing, act: Act) -> Thing:
    """Return where a thing stands after one act more."""
    slots = dict(thing.slots)
    if act.kind == ARRIVED:
        rank = rank_of(act.body["version"], act.body["status"])
        for name, entry in act.led_to.get(PARTS, {}).items():
            slots[name] = _arrived(thing.slot(name), rank, act.body["digest"], entry)
    else:
        name = act.body["part"]
        slots[name] = _closed(thing.slot(name), act)
    is_void = act.body.get("status") == Status.VOID
    voided = max(thing.voided or ("", -1), rank) if is_void else thing.voided
    return Thing(slots, voided, thing.acts + 1)


def _arrived(slot: Slot, rank: Rank, digest: str, entry: Mapping[str, Any]) -> Slot:
    waiting = None if entry["closes"] else slot.waiting
    if "why" in entry:
        waiting = Waiting(rank, digest, entry["why"], entry["detail"])
    match entry["did"]:
        case Did.RECORDED | Did.AMENDED | Did.UNCHANGED:
            applied = Applied(rank, entry["enrollment"], entry["record"], entry["said"])
        case Did.VOIDED if slot.applied:
            applied = slot.applied._replace(rank=rank, stands=False)
        case _:
            return slot._replace(waiting=waiting)
    return slot._replace(applied=applied, waiting=waiting)


def _closed(slot: Slot, act: Act) -> Slot:
    """Return where a part stands whose version a person settled or dismissed."""
    assert slot.waiting is not None, "the queue takes only what waits"
    closed = slot.closed | {(slot.waiting.rank, slot.waiting.digest)}
    if act.kind == DISMISSED:
        return slot._replace(waiting=None, closed=closed)
    entry = act.led_to[PARTS][act.body["part"]]
    applied = Applied(slot.waiting.rank, entry["enrollment"], entry["record"], entry["said"])
    return Slot(applied, None, closed)


def closes(slot: Slot, rank: Rank) -> bool:
    """Tell whether a version ends what waits of a part: what is newer waits on."""
    waiting = slot.waiting
    return waiting is not None and waiting.rank <= rank and _are_ordered(waiting.rank, rank)


def steps(thing: Thing, arrival: Arrival, digest: str, wanted: Sequence[Wanted]) -> list[Step]:
    """Return what is to become of each part of an arrival, and of what it leaves out.

    Args:
        thing: where it stands.
        arrival: the version that arrives.
        digest: of what the arrival says.
        wanted: what it says for each part.
    """
    if arrival.status == Status.VOID:
        slots = thing.slots.items()
        return [step for name, slot in slots for step in _taken_back(name, slot, arrival.rank, digest)]
    found = [_step(thing, arrival, digest, each) for each in wanted]
    named = {each.part.slot for each in wanted}
    for name, slot in thing.slots.items():
        if name not in named and not name.endswith(MONEY):
            found += _left(thing, name, slot, arrival, digest)
    return found


def _taken_back(name: str, slot: Slot, rank: Rank, digest: str) -> Iterator[Step]:
    """Yield what a withdrawal does to a part."""
    wanted, applied, waiting = Wanted(Part(name), "", {}), slot.applied, slot.waiting
    if applied and applied.stands and not _are_ordered(applied.rank, rank):
        yield _closed_before(slot, rank, digest, wanted) or _waits(
            slot, rank, digest, _because(wanted, Why.ORDER)
        )
    elif applied and applied.stands and applied.rank < rank:
        yield Step(Did.VOIDED, wanted)
    elif waiting and _precedes(waiting.rank, rank) and waiting.why != Why.PAID:
        yield Step(Did.READ, wanted)


def _are_ordered(one: Rank, other: Rank) -> bool:
    """Tell whether it can be told which version came first: numbers and times, and nothing, do not compare.

    Example:
        >>> _are_ordered(("v01", 2), ("v02", 2)), _are_ordered(("v01", 2), ("", 3))
        (True, False)
    """
    kinds = {version[:1] if not version[:1].isdigit() else "0" for version, _ in (one, other)}
    return len(kinds) == 1


def _precedes(one: Rank, other: Rank) -> bool:
    return one < other and _are_ordered(one, other)


def _left(thing: Thing, name: str, slot: Slot, arrival: Arrival, digest: str) -> Iterator[Step]:
    """Yield what becomes of a part that a version leaves out."""
    if slot.applied and slot.applied.stands and slot.applied.rank < arrival.rank and _counts(arrival):
        yield _step(thing, arrival, digest, Wanted(Part(name, why=Why.LEFT_OUT), "", {}))
    elif slot.waiting and slot.waiting.rank <= arrival.rank:
        yield Step(Did.READ, Wanted(Part(name), "", {}))


def _counts(arrival: Arrival) -> bool:
    return arrival.status in {Status.FINAL, Status.CORRECTED}


def _step(thing: Thing, arrival: Arrival, digest: str, wanted: Wanted) -> Step:
    """Return what is to become of one part."""
    slot, rank = thing.slot(wanted.part.slot), arrival.rank
    if before := _closed_before(slot, rank, digest, wanted):
        return before
    if thing.voided is not None and _precedes(rank, thing.voided):
        return Step(Did.SUPERSEDED, wanted, replayed=True)
    if wanted.part.why is None:
        wanted = _because(wanted, _doubt(thing, slot, rank, wanted))
    if wanted.part.why is None:
        return _ready(slot, rank, digest, wanted)
    return _waits(slot, rank, digest, wanted)


def _closed_before(slot: Slot, rank: Rank, digest: str, wanted: Wanted) -> Step | None:
    """Return what became of a part whose version a person settled or dismissed."""
    if (rank, digest) not in slot.closed:
        return None
    return Step(Did.RECORDED if slot.applied else Did.DISMISSED, wanted, replayed=True)


def _doubt(thing: Thing, slot: Slot, rank: Rank, wanted: Wanted) -> Why | None:
    """Return why a person has to look before a part is compared with what was recorded."""
    applied = slot.applied
    if applied is None and _is_settled(thing, wanted.part.slot):
        return Why.CHANGED
    if applied and applied.stands and _says_same(applied, wanted):
        return None
    others = (applied and applied.rank, thing.voided)
    return None if all(each is None or _are_ordered(each, rank) for each in others) else Why.ORDER


def _is_settled(thing: Thing, name: str) -> bool:
    """Tell whether a person recorded what the mapping had no meaning for then, and has now: it would count twice."""
    settled = thing.slot("").applied
    return bool(name) and settled is not None and settled.stands


def _ready(slot: Slot, rank: Rank, digest: str, wanted: Wanted) -> Step:
    """Return what becomes of a part that could be recorded."""
    applied = slot.applied
    if applied is None:
        return Step(Did.RECORDED, wanted)
    if rank < applied.rank:
        return Step(Did.SUPERSEDED, wanted, replayed=True)
    if applied.stands and _says_same(applied, wanted):
        is_newer = _precedes(applied.rank, rank)
        return Step(Did.UNCHANGED if is_newer else Did.RECORDED, wanted, replayed=not is_newer)
    if why := _conflict(applied, rank, wanted):
        return _waits(slot, rank, digest, _because(wanted, why))
    return Step(Did.AMENDED if applied.stands else Did.RECORDED, wanted)


def _says_same(applied: Applied, wanted: Wanted) -> bool:
    same = _content(applied.said) == _content(wanted.said)
    return same and applied.enrollment == wanted.enrollment


def _conflict(applied: Applied, rank: Rank, wanted: Wanted) -> Why | None:
    """Return why a person has to look before what was recorded is amended."""
    if rank == applied.rank:
        return Why.CHANGED
    if not applied.stands:
        return None
    if applied.enrollment != wanted.enrollment:
        return Why.MOVED
    return Why.LEFT_OUT if _lacks(wanted.said, applied.said) else None


def _waits(slot: Slot, rank: Rank, digest: str, wanted: Wanted) -> Step:
    """Return what becomes of a part that has to wait."""
    part, waiting = wanted.part, slot.waiting
    did = Did.HELD if part.why == Why.HELD else Did.REVIEW
    newer = (slot.applied and slot.applied.rank, waiting and waiting.rank)
    if any(each is not None and _precedes(rank, each) for each in newer):
        return Step(Did.SUPERSEDED, wanted, replayed=True)
    if waiting and waiting == Waiting(rank, digest, part.why or "", part.detail):
        return Step(did, wanted, replayed=True)
    return Step(did, wanted)


def _because(wanted: Wanted, why: Why | None) -> Wanted:
    return wanted._replace(part=wanted.part._replace(why=why))


def _content(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is decided by: when a version came out is not."""
    return {name: value for name, value in said.items() if name != "resulted_at"}


def _lacks(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Tell whether a panel has no result of an analyte that the one before it had."""
    before, by_now = ({name for name, _ in each.get("evidence", {}).get("panel", ())} for each in (old, new))
    return bool(by_now) and not before <= by_now


def said_of(
    part: Part, collected_at: datetime | None, on: date | None, resulted_at: datetime | None
) -> dict[str, Any]:
    """Return what is recorded for a part, as data, as it is read again from the log."""
    seen: dict[str, Any] = observed(Observation(part.result, None, part.target, part.evidence, part.event))
    times = {
        "at": collected_at and instant(collected_at),
        "resulted_at": resulted_at and instant(resulted_at),
    }
    days = {"on": on.isoformat()} if on else {}
    said = {**seen, **days, **{name: value for name, value in times.items() if value}}
    plain: dict[str, Any] = json.loads(dumped(said))
    return plain


def digest_of(arrival: Arrival) -> str:
    """Return the SHA-256 of all that an arrival says but its version and when that came out."""
    form = {
        "key": arrival.key,
        "status": arrival.status.value,
        "findings": arrival.findings,
        "who": arrival.who,
        "at": arrival.collected_at and instant(arrival.collected_at),
        "on": arrival.on,
    }
    return hashlib.sha256(dumped(form).encode()).hexdigest()
