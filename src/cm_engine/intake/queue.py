"""The queue of a source as a journal: all that arrived, and in its state no more than what waits."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cm_engine.acts.register import Register
from cm_engine.errors import ReportError
from cm_engine.intake.thing import ARRIVED, DISMISSED, PARTS, SETTLED, WRITTEN
from cm_engine.journal import Act, Kind
from cm_engine.log.encoding import dumped
from cm_engine.ports import Transaction


class Item(NamedTuple):
    """One thing that waits: its key, which part of it, the act that says so, by its number, and why."""

    of: str
    part: str
    act: int
    why: str


class QueueState(NamedTuple):
    """What waits, by the name of the item."""

    waiting: Mapping[str, Item]


def item_name(of: str, part: str) -> str:
    """Return what an item is called: the key of its thing, and the part.

    Example:
        >>> item_name("Observation/f1", ""), item_name("Observation/f1", "recovery/stimulants")
        ('Observation/f1', 'Observation/f1/recovery/stimulants')
    """
    return f"{of}/{part}" if part else of


def act_key(of: str, number: int) -> str:
    """Return the key of the nth act on a thing."""
    return f"{of}#{number}"


def acts_source(source: str) -> str:
    """Return the source of the acts on a queue, whose keys are not those of what is recorded."""
    return f"{source}/intake"


def fold(state: QueueState | None, act: Act) -> QueueState:
    """Return what waits after an act.

    Raises:
        ReportError: the act is none that a queue takes, or it closes what does not wait.
    """
    if state is None:
        return QueueState({})
    if act.kind == ARRIVED:
        return QueueState(_arrived(dict(state.waiting), act))
    if act.kind not in {SETTLED, DISMISSED}:
        msg = f"a queue takes no act of the kind {act.kind!r}"
        raise ReportError(msg)
    name = item_name(act.body["of"], act.body["part"])
    if name not in state.waiting:
        msg = f"item: {name!r} does not wait"
        raise ReportError(msg)
    return QueueState({other: item for other, item in state.waiting.items() if other != name})


def _arrived(waiting: dict[str, Item], act: Act) -> dict[str, Item]:
    of, number = act.body["of"], int(act.key.rpartition("#")[2])
    for part, entry in act.led_to.get(PARTS, {}).items():
        if entry["closes"] or "why" in entry:
            waiting.pop(item_name(of, part), None)
        if "why" in entry:
            waiting[item_name(of, part)] = Item(of, part, number, entry["why"])
    return waiting


def dump(state: QueueState) -> str:
    """Return what waits, as text: of each item no more than its name does not say."""
    return dumped({name: list(item[1:]) for name, item in state.waiting.items()})


def load(text: str) -> QueueState:
    """Return what `dump` wrote."""
    form: dict[str, Any] = json.loads(text)
    return QueueState({name: Item(_thing_in(name, item[0]), *item) for name, item in form.items()})


def _thing_in(name: str, part: str) -> str:
    """Return the key of the thing that an item is a part of."""
    return name.removesuffix(f"/{part}") if part else name


def _check(tx: Transaction, _: Register, acts: Sequence[Act]) -> Iterator[tuple[str, str]]:
    """Find what is said to be recorded, and is not."""
    for act in acts:
        for entry in act.led_to.get(PARTS, {}).values():
            if entry["did"] in WRITTEN and (wrong := _unrecorded(tx, entry)):
                yield f"record {act.seq}", wrong


def _unrecorded(tx: Transaction, entry: Mapping[str, Any]) -> str:
    key = (entry["source"], entry["key"])
    record = tx.look_up([], [key]).records.get(key)
    found = record and (record.enrollment, record.seq)
    told = (entry["enrollment"], entry["act"])
    return "" if found == told else f"it says that it is recorded as {told}, and stored is {found}"


INTAKE = Kind[QueueState]("intake", fold, dump, load, _check)
