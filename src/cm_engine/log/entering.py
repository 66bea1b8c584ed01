"""Results that two people enter: the first entry waits, the second decides. Pure, as the whole log is."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cm_engine.errors import EntryMismatchError, NotAllowedError, RecordNotFoundError
from cm_engine.log.encoding import dumped
from cm_engine.log.history import OBSERVED, Zones, day_in
from cm_engine.log.rows import RecordRow
from cm_engine.rules.compiled import Rules

ENTERED, ENTRY_WITHDRAWN = "entered", "withdrawn"
CONFIRMS = "entered"
"""The key of an observation's body under which stands who entered it first, and as which record."""

ENTRIES = frozenset({ENTERED, ENTRY_WITHDRAWN})
"""The kinds of acts that decide nothing, and only change what waits."""


class Entry(NamedTuple):
    """A first entry that waits for a second person.

    Attributes:
        record: its place in the log of the enrollment.
        by: who entered it.
        recorded_at: when, in UTC.
        text: what was entered, as JSON.
    """

    record: int
    by: str
    recorded_at: str
    text: str


Waiting = tuple[Entry, ...]


class Place(NamedTuple):
    """What tells which visit an entry is of: the enrollment, the rules of its program, and the clinic's zones."""

    enrollment: str
    rules: Rules
    zones: Zones


def first_key(key: str, by: str) -> str:
    """Return the key of a first entry: each person's own, so that both may give the key of the specimen.

    Example:
        >>> first_key("udt-778", "nurse-7")
        'udt-778/entered/nurse-7'
    """
    return f"{key}/{ENTERED}/{by}"


def waiting_after(waiting: Waiting, record: RecordRow, body: Mapping[str, Any]) -> Waiting:
    """Return which entries wait after an act; the same ones after most.

    Raises:
        RecordNotFoundError: it withdraws or confirms an entry that does not wait.
        EntryMismatchError: it confirms what was entered otherwise.
        NotAllowedError: whoever confirms it has entered it.
    """
    if record.kind == ENTERED:
        return (*waiting, Entry(record.seq, record.actor, record.recorded_at, record.body))
    if record.kind == ENTRY_WITHDRAWN:
        return _without(waiting, _found(waiting, record.enrollment, body["of"]))
    if record.kind == OBSERVED and CONFIRMS in body:
        entry = _found(waiting, record.enrollment, body[CONFIRMS]["record"])
        _refuse_unlike(entry, record, body)
        return _without(waiting, entry)
    return waiting


def waiting_of(records: Iterable[RecordRow]) -> Waiting:
    """Return which entries wait after all acts."""
    waiting: Waiting = ()
    for record in records:
        if record.kind in ENTRIES or (record.kind == OBSERVED and f'"{CONFIRMS}":' in record.body):
            waiting = waiting_after(waiting, record, json.loads(record.body))
    return waiting


def _found(waiting: Waiting, enrollment: str, number: int) -> Entry:
    entry = next((each for each in waiting if each.record == number), None)
    if entry is None:
        raise RecordNotFoundError(enrollment, number, "no entry waits there; waiting lists those that do")
    return entry


def _refuse_unlike(entry: Entry, record: RecordRow, body: Mapping[str, Any]) -> None:
    """Refuse an observation that confirms an entry of the same person, or one that says something else."""
    if entry.by == record.actor or entry.by != body[CONFIRMS]["by"]:
        why = f"{entry.by} entered record {entry.record}, and another person has to enter it too"
        raise NotAllowedError(record.actor, "enter", record.enrollment, "people.second_entry", why)
    if _untargeted(json.loads(entry.text)) != _untargeted(body):
        raise EntryMismatchError(record.enrollment, entry.record, entry.text, record.body)


def _untargeted(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a body says beside its target, which may be left out where there is only one."""
    plain: dict[str, Any] = json.loads(dumped(body))
    return {name: value for name, value in plain.items() if name not in {"target", CONFIRMS}}


def _without(waiting: Waiting, entry: Entry) -> Waiting:
    return tuple(each for each in waiting if each != entry)


def matching(waiting: Waiting, place: Place, by: str, body: Mapping[str, Any]) -> Entry | None:
    """Return the entry that another person's entry of the same visit confirms; None if none waits for it.

    Two entries are of one visit if they have one target or event and one day; where a target has several visits a
    day, one `collected_at` too.

    Args:
        waiting: the entries that wait.
        place: the enrollment that they are on.
        by: who enters now.
        body: what they enter.

    Raises:
        NotAllowedError: the same person has entered it already.
        EntryMismatchError: what they enter is not what was entered first.
        ResultsError: there is no such target.
    """
    visit, rules = _visit(place, body), place.rules
    entry = next((each for each in waiting if _visit(place, json.loads(each.text)) == visit), None)
    if entry is None:
        return None
    if entry.by == by:
        why = f"they entered it first, as record {entry.record}; another person has to enter it too"
        raise NotAllowedError(by, "enter", place.enrollment, asked_of(rules), why)
    if _content(rules, json.loads(entry.text)) != _content(rules, body):
        raise EntryMismatchError(place.enrollment, entry.record, entry.text, dumped(body))
    return entry


def confirmed_by(entry: Entry) -> dict[str, Any]:
    """Return what an observation says of the entry that it confirms."""
    return {CONFIRMS: {"record": entry.record, "by": entry.by}}


def seen_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return the symbol that was reported, and the event; empty where there is none."""
    return str(body.get("result", "")), str(body.get("event", ""))


def asked_of(rules: Rules) -> str:
    """Return the key of the program that asks for two people, with its value."""
    people = rules.program.people
    return people.named("second_entry") if people else "people.second_entry"


def _visit(place: Place, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what two entries of one visit have in common."""
    rules, day = place.rules, body.get("on") or day_in(body["at"], place.zones)
    if "event" in body:
        return ("event", body["event"], body.get("target", ""), day)
    target = rules.target(body.get("target", "")).name
    blocks = rules.program.plan(rules.program.targets[target])
    moment = body.get("at", "") if any(block.per_day > 1 for block in blocks) else ""
    return ("result", target, day, moment)


def _content(rules: Rules, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an entry says, its target named; exact numbers and days are text, as they are stored."""
    named = {} if "event" in body else {"target": rules.target(body.get("target", "")).name}
    plain: dict[str, Any] = json.loads(dumped({**body, **named}))
    return plain
