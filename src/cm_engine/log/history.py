"""What the log comes to: which observations stand, as corrected, in the order of their days."""

import json
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cm_engine.log.encoding import dumped, observation_from
from cm_engine.log.rows import RecordRow, Subject
from cm_engine.rules.state import Evidence, Observation
from cm_engine.rules.windows import Calendar

OBSERVED, AMENDED, VOIDED, ASSERTED, ENROLLED = "observed", "amended", "voided", "asserted", "enrolled"
SWEPT = "swept"
"""The kind of an act which says that days are over."""
MIGRATED = "migrated"
"""The kind of an act by which another version of the program decides from a day on; the days before it are over."""
WHAT = ("result", "evidence", "event")
"""The keys that say what was seen: an amendment that has one of them replaces them all."""

Place = tuple[str, str]
"""Where an observation stands: its day, and the moment of it. Those of one moment follow as they were recorded."""

Zones = tuple[tuple[str, str], ...]
"""The zones that decide which day a time falls on, each with the first day that it decides: empty for the first zone."""

END_OF_DAY = "~"
"""The moment that comes after all others of a day."""


class Seen(NamedTuple):
    """An observation that stands: the act that reported it, its place, and what was seen.

    Attributes:
        record: the act; 0 or less for a visit that nothing was recorded of, as in `Subject`.
        visit: its number, for such a visit.
        closes: nothing was seen: all days up to this one are over.
        told: the last act that said it, and when that was recorded; for what no act said, none.
        key: the source and the key of the act.
    """

    record: int
    place: Place
    observation: Observation
    visit: int = 0
    closes: bool = False
    told: tuple[int, str] = (0, "")
    key: tuple[str, str] = ("", "")

    @property
    def subject(self) -> Subject:
        """Return what a decision on it is about."""
        return (self.record, self.observation.target if self.visit else "", self.visit)

    @property
    def named(self) -> str:
        """Return what makes its draws its own, whatever else was recorded before it."""
        name = dumped(self.subject if self.visit else self.key)
        return sha256(name.encode()).hexdigest()[:16]

    @property
    def day(self) -> date:
        """Return its day."""
        return date.fromisoformat(self.place[0])

    def has(self, condition: str) -> bool:
        """Tell whether it has a condition."""
        evidence = self.observation.evidence
        return evidence is not None and condition in evidence.conditions

    def with_conditions(
        self, *, add: AbstractSet[str] = frozenset(), less: AbstractSet[str] = frozenset()
    ) -> "Seen":
        """Return it with conditions more, and others less."""
        evidence = self.observation.evidence or Evidence()
        kept = tuple(each for each in evidence.conditions if each not in less | add)
        if (conditions := (*kept, *sorted(add))) == evidence.conditions:
            return self
        return self._replace(
            observation=self.observation._replace(evidence=evidence._replace(conditions=conditions))
        )

    def on(self, day: date) -> "Seen":
        """Return it on another day."""
        return self._replace(observation=self.observation._replace(on=day))


def seen(record: RecordRow, body: Mapping[str, Any], zones: Zones) -> Seen:
    """Return an observation as its act reported it, or as others have corrected its body.

    Its day is the one it is said to count for, or else that of its collection in the clinic's zone. Without a time
    of collection, the time at which it was recorded stands for it within the day.
    """
    at = body.get("at", "")
    day = body.get("on") or day_in(at, zones)
    observed = observation_from(body, date.fromisoformat(day))
    place, told = (day, at or record.recorded_at), (record.seq, record.recorded_at)
    return Seen(record.seq, place, observed, told=told, key=(record.source, record.key))


def days_over(record: int, kind: str, body: Mapping[str, Any]) -> Seen:
    """Return that days are over, as an act says it: up to a day, or all before another version decides."""
    until = date.fromisoformat(body["until"] if kind == SWEPT else body["on"])
    last = until if kind == SWEPT else until - timedelta(days=1)
    return Seen(record, (last.isoformat(), END_OF_DAY), Observation(on=last), closes=True)


@lru_cache(maxsize=1000)
def day_of(at: str, zone: str) -> str:
    """Return the day that a time falls on in a zone.

    Example:
        >>> day_of("2026-03-08T07:30:00.000000+00:00", "America/Los_Angeles")
        '2026-03-07'
    """
    return datetime.fromisoformat(at).astimezone(ZoneInfo(zone)).date().isoformat()


def zones_of(zone: str, calendar: Calendar) -> Zones:
    """Return the zones that decide which day a time falls on: that of the enrollment, then those of its sites."""
    if not calendar.stays:
        return (("", zone),)
    moves = (stay for stay in calendar.stays if stay.first > date.min)
    return (("", zone), *((stay.first.isoformat(), stay.zone) for stay in moves))


def day_in(at: str, zones: Zones) -> str:
    """Return the day that a time falls on, where a transfer may change the zone.

    A zone decides once its own first day has begun in it, and the zone before it until then. As a later time never has
    an earlier day, what the zone before calls a day after that first one is still of that first one.

    Example:
        >>> zones = (("", "America/New_York"), ("2026-03-10", "America/Los_Angeles"))
        >>> day_in("2026-03-10T04:30:00.000000+00:00", zones)  # past midnight there, and still the day before here
        '2026-03-10'
        >>> day_in("2026-03-11T06:30:00.000000+00:00", zones)
        '2026-03-10'
    """
    until = ""
    for first, zone in reversed(zones):
        day = day_of(at, zone)
        if day >= first:
            return min(day, until) if until else day
        until = first
    msg = "the first zone decides from the beginning on"
    raise AssertionError(msg)


def latest_timed(records: Iterable[RecordRow]) -> str:
    """Return the latest time of collection among the observations that stand and were said to count for a day."""
    bodies: dict[int, dict[str, Any]] = {}
    for record in records:
        if record.kind in {OBSERVED, AMENDED, VOIDED}:
            _correct(bodies, record, json.loads(record.body))
    return max((body["at"] for body in bodies.values() if "at" in body and "on" in body), default="")


def _correct(bodies: dict[int, dict[str, Any]], record: RecordRow, body: dict[str, Any]) -> None:
    """Add what an act observed to what was observed, or correct it by what the act says."""
    if record.kind == OBSERVED:
        bodies[record.seq] = body
    elif record.kind == AMENDED:
        bodies[body["of"]] = amended(bodies[body["of"]], body)
    elif record.kind == VOIDED:
        bodies.pop(body["of"], None)


def standing_observations(records: Iterable[RecordRow], zones: Zones) -> list[Seen]:
    """Return the observations that stand after all acts, in the order in which they are decided."""
    bodies: dict[int, dict[str, Any]] = {}
    acts: dict[int, RecordRow] = {}
    told: dict[int, tuple[int, str]] = {}
    over: list[Seen] = []
    for record in records:
        body = json.loads(record.body)
        _correct(bodies, record, body)
        if record.kind == OBSERVED:
            acts[record.seq] = record
        elif record.kind == AMENDED:
            told[body["of"]] = (record.seq, record.recorded_at)
        elif record.kind in {SWEPT, MIGRATED}:
            over.append(days_over(record.seq, record.kind, body))
    stand = [*(seen(acts[seq], body, zones) for seq, body in bodies.items()), *over]
    stand = [each._replace(told=told.get(each.record, each.told)) for each in stand] if told else stand
    return sorted(stand, key=lambda each: (each.place, each.record))


def corrected(records: Iterable[RecordRow], kind: str) -> set[int]:
    """Return the acts that others amended, or voided."""
    return {json.loads(record.body)["of"] for record in records if record.kind == kind}


def amended(body: dict[str, Any], amendment: dict[str, Any]) -> dict[str, Any]:
    """Return what was reported, as an amendment corrects it."""
    new = {name: value for name, value in amendment.items() if name not in {"of", "why"}}
    replaced = WHAT if any(name in new for name in WHAT) else ()
    moved = ("on", "at") if "at" in new or "on" in new else ()
    return {name: value for name, value in body.items() if name not in {*replaced, *moved}} | new
