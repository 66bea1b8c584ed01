"""Journals: whatever else has a history, in the same log as enrollments, with the same hashes, keys and audit.

A journal is called `@KIND/ID`, such as `@trial/cocaine-2026`. Its acts are rows of `records`, and where it stands is one
row of `standings`, whose state is a cache of the fold of its acts. What its acts mean is a pure function of its kind.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from cm_engine.acts.register import Register
from cm_engine.errors import JournalNotFoundError, KeyConflictError, ReportError
from cm_engine.log.chain import GENESIS, hash_of
from cm_engine.log.encoding import dumped
from cm_engine.log.rows import RESERVED, Batch, RecordRow, StandingRow
from cm_engine.plain import named, unreserved
from cm_engine.ports import Transaction

OPENED = "opened"
"""The kind of the first act of every journal."""
LED_TO = "led_to"
"""The key of a body under which stands what taking the act decided, and nobody reported."""
ENROLLMENT = "enrollment"
"""What an act led to that enrolled: the id. Such an enrollment has the journal's name as the source of its first act."""
PAGE = 500
"""As many journals are read at a time."""

State = TypeVar("State")


class Act(NamedTuple):
    """An act of a journal, as it stands in the log.

    Attributes:
        journal: its name.
        seq: its place, from 0.
        kind: `opened`, or what the kind of journal calls it.
        source, key: what makes it the same act however often it is reported.
        by: who did it.
        recorded_at: when we learned of it, in UTC.
        body: what was reported, as JSON has it: exact numbers and days are text.
        led_to: what taking it decided; empty for most.
        hash: over the row and the hash before it.
    """

    journal: str
    seq: int
    kind: str
    source: str
    key: str
    by: str
    recorded_at: str
    body: Mapping[str, Any]
    led_to: Mapping[str, Any]
    hash: str


class Asked(NamedTuple):
    """An act that somebody asks for; `asked` makes one of what a caller gives."""

    kind: str
    source: str
    key: str
    by: str
    body: Mapping[str, Any]


class Taken(NamedTuple, Generic[State]):
    """An act that is written, where it leaves its journal, and whether it was there before."""

    act: Act
    state: State
    replayed: bool = False


def no_check(_tx: Transaction, _register: Register, _acts: Sequence[Act]) -> Iterator[tuple[str, str]]:
    """Find nothing: what a kind of journal checks that has nothing beside its fold."""
    yield from ()


@dataclass(frozen=True)
class Kind(Generic[State]):
    """A kind of journal: what its acts mean.

    Attributes:
        name: what stands between the sign and the slash of its journals' names, and what errors call one of them.
        fold: the state after an act, from the state before it, which is None before the first. Pure; it refuses an
            act by raising a CmEngineError. An audit folds every act again.
        dump, load: the state as text, and back. What `load` refuses, as another release wrote it, is folded again.
        check: what an audit looks at beside the fold; it yields where something differs, and how.

    Example:
        >>> counter = Kind[int]("counter", lambda count, act: (count or 0) + act.body["add"], str, int)
        >>> counter.journal("visits")
        '@counter/visits'
    """

    name: str
    fold: Callable[[State | None, Act], State]
    dump: Callable[[State], str]
    load: Callable[[str], State]
    check: Callable[[Transaction, Register, Sequence[Act]], Iterator[tuple[str, str]]] = no_check

    def journal(self, id: str) -> str:  # noqa: A002 - what it is
        """Return the name of a journal of this kind."""
        return f"{RESERVED}{self.name}/{id}"

    def folded(self, acts: Sequence[Act]) -> State | None:
        """Return the state after acts, None after none."""
        state: State | None = None
        for act in acts:
            state = self.fold(state, act)
        return state


def asked(kind: str, *, source: str, key: str, by: str, body: Mapping[str, Any]) -> Asked:
    """Return an act that somebody asks for, looked at.

    Args:
        kind: what it is called.
        source: who gives the key.
        key: what makes it the same act however often it is asked for.
        by: who does it.
        body: what it reports: plain data, exact numbers and days.

    Raises:
        ReportError: a text is missing or has several lines, or the source begins with @.
    """
    assert LED_TO not in body, "what an act leads to is decided when it is taken"
    return Asked(kind, unreserved("source", source), named("key", key), named("by", by), {**_plain(body)})


class Journal(Generic[State]):
    """One journal in one transaction: open it, take an act, or read it.

    Who writes begins the transaction with `lock`, or begins it anew after a `StorageConflictError`: acts are written
    on the head that was read, by one writer only. Keeps INV-12.

    Args:
        kind: what its acts mean.
        id: of the journal, among those of its kind.
        tx: where it is.
        now: the time, as `cm_engine.log.encoding.instant` writes it; may be left out for who only reads.
    """

    def __init__(self, kind: Kind[State], id: str, tx: Transaction, now: str = "") -> None:  # noqa: A002 - what it is
        self._kind = kind
        self._id = named("id", id)
        self._tx = tx
        self._now = now
        self.name = kind.journal(self._id)

    def open(self, act: Asked, led_to: Mapping[str, Any] | None = None) -> Taken[State]:
        """Open the journal with its first act; the same again gives the stored one.

        Args:
            act: the act, of the kind `opened`.
            led_to: what opening it decides, such as a number that was drawn; it need not be the same again.

        Raises:
            KeyConflictError: the key was used for something else.
            ReportError: the journal was opened under another key.
            StorageConflictError: another writer came first.
        """
        known, standing = self._looked_up(act)
        if known is not None:
            return self._replayed(known, act)
        if standing is not None:
            msg = f"id: there is a {self._kind.name} {self._id!r} already, opened under another key"
            raise ReportError(msg)
        return self._written(act, led_to or {}, None, None)

    def take(self, act: Asked, decide: Callable[[State], Mapping[str, Any]] | None = None) -> Taken[State]:
        """Take an act, and write it; the same again gives the stored one.

        Args:
            act: what is asked for.
            decide: what taking it leads to, from the state that it meets; it is stored with the act, and is not part
                of what makes two acts the same. It may write more in the transaction, and is not called for a repeat.

        Raises:
            JournalNotFoundError: the journal was never opened.
            KeyConflictError: the key was used for something else; the error shows both.
            CmEngineError: the fold refuses it; nothing is written.
            StorageConflictError: another writer came first.
        """
        known, standing = self._looked_up(act)
        if known is not None:
            return self._replayed(known, act)
        state = self._state(standing)
        return self._written(act, decide(state) if decide else {}, state, standing)

    def known(self, act: Asked) -> Taken[State] | None:
        """Return an act that was taken before, or None.

        Raises:
            KeyConflictError: the key was used for something else.
        """
        known, _ = self._looked_up(act)
        return None if known is None else self._replayed(known, act)

    def state(self) -> State:
        """Return the state after all acts.

        Raises:
            JournalNotFoundError: it was never opened.
        """
        return self._state(self._tx.standing(self.name))

    def acts(self) -> tuple[Act, ...]:
        """Return all acts, in order.

        Raises:
            JournalNotFoundError: it was never opened.
        """
        records = self._tx.records(self.name)
        if not records:
            raise JournalNotFoundError(self._kind.name, self._id)
        return tuple(map(act_of, records))

    def _looked_up(self, act: Asked) -> tuple[RecordRow | None, StandingRow | None]:
        """Return the act of a key, and where the journal stands: read first, so that no act of it is missed."""
        key = (act.source, act.key)
        standing = self._tx.look_up([self.name], []).standings.get(self.name)
        return self._tx.look_up([], [key]).records.get(key), standing

    def _replayed(self, record: RecordRow, act: Asked) -> Taken[State]:
        """Return the act of a record, if it is the one that is asked for."""
        given = f"{act.kind} {dumped(act.body)}"
        if record.enrollment != self.name:
            raise KeyConflictError(act.source, act.key, "an act on something else", given)
        known = act_of(record)
        if (known.kind, known.body) != (act.kind, act.body):
            raise KeyConflictError(act.source, act.key, f"{known.kind} {dumped(known.body)}", given)
        return Taken(known, self.state(), replayed=True)

    def _state(self, standing: StandingRow | None) -> State:
        if standing is None:
            raise JournalNotFoundError(self._kind.name, self._id)
        try:
            return self._kind.load(standing.state)
        except (ValueError, KeyError, TypeError, AttributeError):
            state = self._kind.folded(self.acts())
            assert state is not None, "a journal that stands somewhere has acts"
            return state

    def _written(
        self, act: Asked, led_to: Mapping[str, Any], state: State | None, standing: StandingRow | None
    ) -> Taken[State]:
        """Write an act after the one that the journal stands at, if the fold takes it."""
        seq, head, before = (standing.seq + 1, standing.head, standing.recorded_at) if standing else FIRST
        now, text = max(self._now, before), dumped({**act.body, **({LED_TO: led_to} if led_to else {})})
        fields = (self.name, seq, act.kind, act.source, act.key, act.by, now, text, "")
        record = RecordRow(*fields, hash_of(fields, head))
        taken = act_of(record)
        after = self._kind.fold(state, taken)
        row = StandingRow(self.name, seq, 0, record.hash, now, self._kind.dump(after))
        self._tx.append(Batch(records=(record,), standings=(row,), heads=(head,)))
        return Taken(taken, after)


FIRST = (0, GENESIS, "")
"""The place of a first act, the head before it, and the time before it."""


def act_of(record: RecordRow) -> Act:
    """Return an act from its row.

    Raises:
        ValueError: its body is no JSON, or no object.
    """
    body = json.loads(record.body)
    led_to = body.pop(LED_TO, {}) if isinstance(body, dict) else None
    if not isinstance(led_to, dict):
        msg = f"the body of record {record.seq} is no object"
        raise ValueError(msg)  # noqa: TRY004 - a damaged row, of whatever kind
    return Act(*record[:7], body, led_to, record.hash)


def all_journals(tx: Transaction, kind: str = "") -> Iterator[StandingRow]:
    """Yield where all journals stand, or those of a kind, in the order of their names."""
    after = ""
    while page := tx.journals(after=after, limit=PAGE):
        yield from (row for row in page if not kind or row.enrollment.startswith(f"{RESERVED}{kind}/"))
        if not page[-1].enrollment.isprintable() or page[-1].enrollment == after:
            return  # the name is damaged, and there is no next page by it
        after = page[-1].enrollment


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body as it will be read again."""
    plain: dict[str, Any] = json.loads(dumped(body))
    return plain
