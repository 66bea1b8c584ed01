"""The acts by which an enrollment moves to another database, and what they say that others received there."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cm_engine.log.encoding import dumped, pools_from
from cm_engine.log.rows import RecordRow
from cm_engine.rules.shared import Pool, Windows

EXPORTED, IMPORTED = "exported", "imported"

Received = Mapping[Pool, Windows]
"""What pools have received from one enrollment."""


def seals(records: Iterable[RecordRow]) -> list[str]:
    """Return the seals of the bundles that an enrollment came with, in order."""
    return [str(body["seal"]) for body in _bodies(records, IMPORTED)]


def wrapped_seeds(records: Iterable[RecordRow]) -> list[str]:
    """Return the seeds that an enrollment came with, each wrapped by the host where it arrived, in order."""
    return [str(body["seed"]) for body in _bodies(records, IMPORTED) if body.get("seed")]


def elsewhere(records: Iterable[RecordRow]) -> dict[str, Received]:
    """Return what other enrollments of the participant had received when this one moved, by their ids.

    Only pools count that hold for one participant: those of payers.
    """
    found: dict[str, Received] = {}
    for body in _bodies(records, EXPORTED):
        told = {name: pools_from(dumped(pools)) for name, pools in body.get("elsewhere", {}).items()}
        found = together(found, told)
    return found


def together(one: Mapping[str, Received], other: Mapping[str, Received]) -> dict[str, Received]:
    """Return the most that each enrollment is known to have received from each pool in each window."""
    return {name: most(one.get(name, {}), other.get(name, {})) for name in {**one, **other}}


def most(one: Received, other: Received) -> dict[Pool, Windows]:
    """Return the more of what each window of each pool has received, by one account or by the other."""
    found: dict[Pool, Windows] = {}
    for pool in {**one, **other}:
        first, second = dict(one.get(pool, ())), dict(other.get(pool, ()))
        numbers = sorted({*first, *second})
        found[pool] = tuple((each, max(first.get(each, 0), second.get(each, 0))) for each in numbers)
    return found


def _bodies(records: Iterable[RecordRow], kind: str) -> list[dict[str, Any]]:
    return [json.loads(record.body) for record in records if record.kind == kind]
