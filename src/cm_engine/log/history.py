"""What the log comes to: which observations stand, as corrected, in the order of their days."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cm_engine.log.encoding import observation_from
from cm_engine.log.rows import RecordRow
from cm_engine.rules.state import Observation

OBSERVED, AMENDED, VOIDED, ASSERTED, ENROLLED = "observed", "amended", "voided", "asserted", "enrolled"
WHAT = ("result", "evidence", "event")
"""The keys that say what was seen: an amendment that has one of them replaces them all."""

Place = tuple[str, str]
"""Where an observation stands: its day, and the moment of it. Those of one moment follow as they were recorded."""


class Seen(NamedTuple):
    """An observation that stands: the act that reported it, its place, and what was seen."""

    record: int
    place: Place
    observation: Observation


def seen(record: int, body: Mapping[str, Any], recorded_at: str, zone: str) -> Seen:
    """Return an observation as its act reported it.

    Its day is the one it is said to count for, or else that of its collection in the clinic's zone. Without a time
    of collection, the time at which it was recorded stands for it within the day.
    """
    at = body.get("at", "")
    day = body.get("on") or day_of(at, zone)
    return Seen(record, (day, at or recorded_at), observation_from(body, date.fromisoformat(day)))


@lru_cache(maxsize=1000)
def day_of(at: str, zone: str) -> str:
    """Return the day that a time falls on in a zone.

    Example:
        >>> day_of("2026-03-08T07:30:00.000000+00:00", "America/Los_Angeles")
        '2026-03-07'
    """
    return datetime.fromisoformat(at).astimezone(ZoneInfo(zone)).date().isoformat()


def standing_observations(records: Iterable[RecordRow], zone: str) -> list[Seen]:
    """Return the observations that stand after all acts, in the order in which they are decided."""
    bodies: dict[int, dict[str, Any]] = {}
    times: dict[int, str] = {}
    for record in records:
        body = json.loads(record.body)
        if record.kind == OBSERVED:
            bodies[record.seq], times[record.seq] = body, record.recorded_at
        elif record.kind == AMENDED:
            bodies[body["of"]] = amended(bodies[body["of"]], body)
        elif record.kind == VOIDED:
            del bodies[body["of"]]
    stand = [seen(seq, body, times[seq], zone) for seq, body in bodies.items()]
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
