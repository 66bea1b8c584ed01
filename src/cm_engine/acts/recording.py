"""The way of an act: looked up, decided, posted and written in one transaction, or not at all."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from cm_engine.acts.enrolling import made_id, program_called
from cm_engine.acts.register import Register
from cm_engine.errors import (
    CmEngineError,
    EnrollmentNotFoundError,
    KeyConflictError,
    RecordNotFoundError,
    ReportError,
    StorageConflictError,
    StorageError,
)
from cm_engine.log.chain import GENESIS, hash_of
from cm_engine.log.correction import Log
from cm_engine.log.deciding import Others, summed
from cm_engine.log.encoding import dumped, pools_text, windows_from
from cm_engine.log.entering import CONFIRMS, ENTERED, Place, confirmed_by, first_key, matching, seen_of
from cm_engine.log.episode import FROZEN, RELEASED
from cm_engine.log.fold import Turn, Written
from cm_engine.log.history import AMENDED, ASSERTED, ENROLLED, MIGRATED, OBSERVED, Zones, day_in, zones_of
from cm_engine.log.outbox import outbox
from cm_engine.log.rows import (
    Batch,
    DecisionRow,
    EnrollmentRow,
    EntryRow,
    PayoutRow,
    PoolRow,
    RecordRow,
    StandingRow,
    WorkRow,
)
from cm_engine.log.stand import Enrolled, Stand, first_stand, stand_text, start_of
from cm_engine.log.taking import taken
from cm_engine.ports import Found, Transaction
from cm_engine.rules.prizes import commitment
from cm_engine.rules.shared import Pool, Windows

Given = TypeVar("Given")
Made = TypeVar("Made")

HAPPENED = {OBSERVED, AMENDED, ASSERTED, ENTERED, MIGRATED, FROZEN, RELEASED}
"""The kinds of acts on what has happened; what is planned may be told ahead."""

PoolKey = tuple[str, str, str, str, str]
"""Holder, scope, name, unit and window of a pool."""


class Act(NamedTuple):
    """What somebody does to an enrollment.

    Attributes:
        kind: enrolled, observed, amended, voided or asserted.
        body: what is reported, as data.
        text: the same as JSON: what two acts under one key must have in common.
    """

    enrollment: str
    kind: str
    source: str
    key: str
    actor: str
    body: dict[str, Any]
    text: str


KEY = attrgetter("key")
"""What an act is recorded under."""


class Beginning(NamedTuple):
    """Where an enrollment begins.

    Attributes:
        root: what its id is made of, so that it is the same again in a copy of the database; empty for an id of chance.
        also: what is done to a new enrollment with it, by its id; not asked for a stored one.
    """

    root: str
    also: Callable[[str], Sequence[Act]]


AT_NO_SITE = Beginning("", lambda _: ())


class Done(NamedTuple):
    """What an act led to: its row, its decisions and their postings; and whether nothing may be handed over."""

    enrolled: Enrolled
    record: RecordRow
    decisions: tuple[DecisionRow, ...]
    entries: tuple[EntryRow, ...]
    replayed: bool = False
    frozen: bool = False


@dataclass(slots=True)
class _Desk:
    """One enrollment while acts are taken: its head as it was read, and where it stands by now."""

    enrolled: Enrolled
    read: str
    seq: int
    number: int
    head: str
    recorded_at: str
    stand: Stand

    def move(self, record: RecordRow, written: Written) -> None:
        """Move on by what an act writes."""
        self.seq, self.recorded_at, self.stand = record.seq, record.recorded_at, written.stand
        self.number += len(written.decisions)
        self.head = written.decisions[-1].hash if written.decisions else record.hash

    @property
    def standing(self) -> StandingRow:
        """Return where the enrollment stands then."""
        enrollment = self.enrolled.row.id
        text = stand_text(self.stand)
        return StandingRow(enrollment, self.seq, self.number, self.head, self.recorded_at, text)


class Recording:
    """Take acts in one transaction: read what they need, decide them in order, and write all rows at the end."""

    def __init__(
        self,
        tx: Transaction,
        register: Register,
        now: str,
        *,
        locked: bool,
        named: Callable[[Act], str] = KEY,
    ) -> None:
        self._tx = tx
        self._named = named
        self._locked = locked
        self._register = register
        self._now = now
        self._desks: dict[str, _Desk] = {}
        self._enrollments: list[EnrollmentRow] = []
        self._records: list[RecordRow] = []
        self._decisions: list[DecisionRow] = []
        self._entries: list[EntryRow] = []
        self._payouts: list[PayoutRow] = []
        self._work: list[WorkRow] = []
        self._found = Found({}, {})
        self._done: dict[tuple[str, str], Done] = {}
        self._pools_read: dict[PoolKey, str] = {}
        self._pools: dict[PoolKey, Windows] = {}

    def take(self, acts: Sequence[Act]) -> list[Done]:
        """Return what acts led to, in their order, once their rows are written.

        Raises:
            CmEngineError: one of them cannot be taken; none is.
        """
        enrollments = list(dict.fromkeys(act.enrollment for act in acts))
        lately = self._register.lately
        if not self._locked and (known := lately.known(enrollments)):
            with _in_doubt():
                return self._all_taken(acts, Found(known, {}))
        found = self._tx.look_up(enrollments, [(act.source, key) for act in acts for key in _keys(act)])
        lately.compare(found.standings)
        return self._all_taken(acts, found)

    def _all_taken(self, acts: Sequence[Act], found: Found) -> list[Done]:
        """Take acts from what was found of them."""
        self._found = found
        self._hold_pools(list(dict.fromkeys(act.enrollment for act in acts)))
        done = list(numbered(self._taken, acts))
        self._write()
        return done

    def enroll(
        self,
        given: EnrollmentRow,
        source: str,
        key: str,
        actor: str,
        site: Beginning = AT_NO_SITE,
    ) -> Done:
        """Return what an enrollment led to, once its rows are written; the same one again is the stored one.

        Args:
            given: the enrollment, with what its program is called; its id is made if it is empty.
            source: who gives the key.
            key: what makes it the same; without one, the participant, the program and the start do.
            actor: who enrolls.
            site: where it begins.
        """
        enrolled_in = {
            each.program
            for each in self._tx.enrollments(participant=given.participant)
            if each.start == given.start
        }
        program = program_called(self._tx.programs(), given.program, enrolled_in).digest
        row = given._replace(program=program)
        key = key or f"{row.participant}/{program}/{row.start}"
        record = self._tx.look_up([], [(source, key)]).records.get((source, key))
        if record is not None:
            return self._enrolled_before(record, row)
        row = row._replace(id=row.id or made_id(site.root, source, key))
        if self._tx.enrollment(row.id) is not None:
            msg = f"id: {row.id!r} is the id of another enrollment"
            raise ReportError(msg)
        if self._register.rules(self._tx, program).program.bowls:
            row = row._replace(commitment=commitment(self._register.seed(row.id)))
        enrolled = self._register.begun(self._tx, row)
        desk = _Desk(enrolled, GENESIS, -1, 0, GENESIS, "", first_stand(enrolled.rules, start_of(enrolled)))
        self._desks[row.id] = desk
        self._enrollments.append(row)
        body = enrollment_body(row)
        return self._added(
            desk, Act(row.id, ENROLLED, source, key, actor, body, dumped(body)), site.also(row.id)
        )

    def _enrolled_before(self, record: RecordRow, given: EnrollmentRow) -> Done:
        stored, asked = json.loads(record.body), enrollment_body(given)
        stored.pop("commitment", "")
        if record.kind != ENROLLED or stored != asked:
            raise KeyConflictError(record.source, record.key, record.body, dumped(asked))
        return Done(self._register.enrolled(self._tx, record.enrollment), record, (), (), replayed=True)

    def _added(self, desk: _Desk, act: Act, also: Sequence[Act]) -> Done:
        record = self._record(desk, act, {})
        self._add(desk, record, Written((), (), (), desk.stand))
        for each in also:
            self._taken(each)
        self._write()
        return Done(desk.enrolled, record, (), ())

    def standing(self, enrollment: str) -> tuple[Enrolled, Stand, Others]:
        """Return where an enrollment stands, and what shared pools have received from others."""
        self._found = self._tx.look_up([enrollment], [])
        desk = self._desk(enrollment)
        return desk.enrolled, desk.stand, self._others(desk)

    def _taken(self, act: Act) -> Done:
        if act.kind == ENTERED:
            act = self._as_entered(act)
        if isinstance(act.body.get("of"), list):
            act = self._numbered(act)
        if known := self._replayed(act):
            return known
        desk = self._desk(act.enrollment)
        if "on" in act.body and act.kind in HAPPENED:
            zones = zones_of(desk.enrolled.row.zone, desk.stand.calendar)
            refuse_ahead(act.body["on"], self._now, zones)
        if act.kind == MIGRATED:
            desk.enrolled = self._register.with_version(self._tx, desk.enrolled, act.body["program"])
        others = self._others(desk)
        record = self._record(desk, act, others)
        if act.kind == ENTERED:  # so that what could not be decided is refused now, and not the second time
            turn = Turn(desk.enrolled, desk.stand, desk.number, others)
            taken(turn, record._replace(kind=OBSERVED), act.body, partial(self._log, desk))
        written = self._written(desk, record, act.body, others)
        self._add(desk, record, written)
        frozen = written.stand.calendar.frozen
        if record.key != act.key:  # it is rehearsed
            record = record._replace(key=act.key)
        done = Done(desk.enrolled, record, written.decisions, written.entries, frozen=frozen)
        self._done[act.source, act.key] = done
        return done

    def _add(self, desk: _Desk, record: RecordRow, written: Written) -> None:
        """Add what an act writes to what is written at the end."""
        desk.move(record, written)
        self._records.append(record)
        self._decisions += written.decisions
        self._entries += written.entries
        if written.payouts:
            self._payouts += written.payouts
            self._work += outbox(written.stand.calendar, written.payouts)

    def _numbered(self, act: Act) -> Act:
        """Return a correction of what it names by its source and key as one of its number, which is the same for ever.

        Raises:
            RecordNotFoundError: nothing was recorded under them of the enrollment.
        """
        source, key = act.body["of"]
        done = self._done.get((source, key))
        record = done.record if done else self._tx.look_up([], [(source, key)]).records.get((source, key))
        if record is None or record.enrollment != act.enrollment:
            why = f"the source {source!r} has recorded nothing of it under that key"
            raise RecordNotFoundError(act.enrollment, repr(key), why)
        body = {**act.body, "of": record.seq}
        return act._replace(body=body, text=dumped(body))

    def _as_entered(self, act: Act) -> Act:
        """Return an entry as the log takes it: as the first of two, or as the observation that it confirms or is."""
        first = act._replace(key=first_key(act.key, act.actor))
        if self._known(first):
            return first
        desk = self._desk(act.enrollment)  # held by now, so that nobody confirms it after the next look
        self._found.records.update(self._tx.look_up([], [(act.source, act.key)]).records)
        if record := self._known(act):
            twice = json.loads(record.body).get(CONFIRMS)
            same = observation_of(act, {CONFIRMS: twice} if twice else {})
            return same if same.text == record.body else observation_of(act)
        rules, row = desk.enrolled.rules, desk.enrolled.row
        place, people = Place(row.id, rules, zones_of(row.zone, desk.stand.calendar)), rules.program.people
        if entry := matching(desk.stand.waiting, place, act.actor, act.body):
            return observation_of(act, confirmed_by(entry))
        return first if people and people.wants_two(*seen_of(act.body)) else observation_of(act)

    def _known(self, act: Act) -> RecordRow | None:
        """Return what was recorded under the key of an act."""
        done = self._done.get((act.source, act.key))
        return done.record if done else self._found.records.get((act.source, act.key))

    def _replayed(self, act: Act) -> Done | None:
        """Return what an act led to that was taken before, under the same key."""
        record = self._known(act)
        if record is None:
            return None
        done = self._done.get((act.source, act.key))
        self._register.lately.doubt()
        if (record.enrollment, record.kind, record.body) != (act.enrollment, act.kind, act.text):
            same = record.enrollment == act.enrollment
            stored = f"{record.kind} {record.body}" if same else "an act on another enrollment"
            raise KeyConflictError(act.source, act.key, stored, f"{act.kind} {act.text}")
        desk = self._desk_if_any(act.enrollment)
        frozen = desk is not None and desk.stand.calendar.frozen
        return (done or self._stored(record))._replace(replayed=True, frozen=frozen)

    def _stored(self, record: RecordRow) -> Done:
        """Return what a recorded act led to."""
        enrolled = self._register.enrolled(self._tx, record.enrollment)
        decisions = tuple(self._tx.decisions(record.enrollment, record=record.seq))
        entries: list[EntryRow] = []
        if decisions:
            first, last = decisions[0].number, decisions[-1].number
            entries = self._tx.entries(record.enrollment, first=first, last=last)
        return Done(enrolled, record, decisions, tuple(entries))

    def _desk(self, enrollment: str) -> _Desk:
        if enrollment not in self._desks:
            row = self._found.standings.get(enrollment)
            if row is None:
                raise EnrollmentNotFoundError(enrollment)
            enrolled, stand = self._register.stand(self._tx, row)
            self._desks[enrollment] = _Desk(
                enrolled, row.head, row.seq, row.number, row.head, row.recorded_at, stand
            )
        return self._desks[enrollment]

    def _record(self, desk: _Desk, act: Act, others: Others) -> RecordRow:
        """Return the row of an act, with its hash; no act is recorded before the one it follows."""
        now = max(self._now, desk.recorded_at)
        enrollment, kind, source, _, actor, _, text = act
        fields = (
            enrollment,
            desk.seq + 1,
            kind,
            source,
            self._named(act),
            actor,
            now,
            text,
            pools_text(others),
        )
        return RecordRow(*fields, hash_of(fields, desk.head))

    def _written(self, desk: _Desk, record: RecordRow, body: Mapping[str, Any], others: Others) -> Written:
        """Decide an act: in order from where the enrollment stands, or with the whole log anew."""
        turn = Turn(desk.enrolled, desk.stand, desk.number, others)
        written = taken(turn, record, body, partial(self._log, desk))
        desk.enrolled = enrolled = desk.enrolled.under(written.stand.state.program)
        if others or written.stand.own:
            together = summed(others, written.stand.own)
            self._pools |= {pool_key(enrolled, pool): windows for pool, windows in together.items()}
        return written

    def _log(self, desk: _Desk) -> Log:
        """Return the whole log of an enrollment, with what is added to it; nobody else may be adding to it."""
        if not self._locked:
            msg = "the whole log is read with its rows locked"
            raise StorageConflictError(msg)
        enrollment = desk.enrolled.row.id
        stored = whole_log(self._tx, enrollment)
        return Log(
            [*stored.records, *(row for row in self._records if row.enrollment == enrollment)],
            [*stored.decisions, *(row for row in self._decisions if row.enrollment == enrollment)],
            [*stored.entries, *(row for row in self._entries if row.enrollment == enrollment)],
        )

    def _others(self, desk: _Desk) -> Others:
        """Return what shared pools have received from other enrollments."""
        if not (pools := desk.enrolled.pools):
            return {}
        names = {pool_key(desk.enrolled, pool): pool for pool in pools}
        self._read_pools(names)
        for key in names:
            self._pools.setdefault(key, windows_from(self._pools_read[key]))
        return summed({pool: self._pools[key] for key, pool in names.items()}, desk.stand.own, sign=-1)

    def _hold_pools(self, enrollments: Sequence[str]) -> None:
        """Read the pools of several enrollments at once: all who lock some lock them in one order."""
        if len(enrollments) > 1:
            desks = filter(None, map(self._desk_if_any, enrollments))
            self._read_pools(pool_key(desk.enrolled, pool) for desk in desks for pool in desk.enrolled.pools)

    def _desk_if_any(self, enrollment: str) -> _Desk | None:
        """Return an enrollment; what stands in its way is told by the act that is on it."""
        with suppress(CmEngineError):
            return self._desk(enrollment)
        return None

    def _read_pools(self, keys: Iterable[PoolKey]) -> None:
        """Read what pools have received that were not read yet."""
        new = sorted({key for key in keys if key not in self._pools_read})
        rows = {row[:5]: row.windows for row in self._tx.pools(new)} if new else {}
        self._pools_read |= {key: rows.get(key, "") for key in new}

    def _write(self) -> None:
        """Write all rows, and keep at hand where the enrollments stand."""
        if not self._records:
            return
        moved = (desk for desk in self._desks.values() if desk.head != desk.read)
        desks = sorted(
            moved, key=lambda desk: desk.enrolled.row.id
        )  # in one order by all, as they are locked
        standings = tuple([desk.standing for desk in desks])
        self._tx.append(
            Batch(
                tuple(self._enrollments),
                tuple(self._records),
                tuple(self._decisions),
                tuple(self._entries),
                tuple(self._payouts),
                tuple(self._work),
                standings=standings,
                heads=tuple([desk.read for desk in desks]),
                pools=self._pool_rows() if self._pools else (),
            )
        )
        for desk in desks:
            self._register.keep(desk.head, desk.stand, desk.read)
        self._register.lately.keep(standings)

    def _pool_rows(self) -> tuple[tuple[str, PoolRow], ...]:
        """Return what pools become, each with what it was read as."""
        pools = sorted(self._pools.items())
        return tuple((self._pools_read[key], PoolRow(*key, dumped(windows))) for key, windows in pools)


def numbered(work: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Made]:
    """Yield what work makes of each of several; an error says of which one it is.

    Raises:
        CmEngineError: as the work does.
    """
    for number, each in enumerate(given):
        try:
            made = work(each)
        except CmEngineError as error:
            error.report = number
            raise
        yield made


@contextmanager
def _in_doubt() -> Iterator[None]:
    """Have acts that are refused looked up and decided again, as what they were decided from may not hold.

    Raises:
        StorageConflictError: one was refused.
    """
    try:
        yield
    except StorageError:
        raise
    except CmEngineError as error:
        msg = "what was known here is to be looked up"
        raise StorageConflictError(msg) from error


def _keys(act: Act) -> tuple[str, ...]:
    """Return the keys under which an act may stand: that of an entry is each person's own until it is confirmed."""
    return (act.key, first_key(act.key, act.actor)) if act.kind == ENTERED else (act.key,)


def observation_of(act: Act, more: Mapping[str, Any] | None = None) -> Act:
    """Return an entry as the observation that it is, with who entered it first."""
    if not more:
        return act._replace(kind=OBSERVED)
    body = {**act.body, **more}
    return act._replace(kind=OBSERVED, body=body, text=dumped(body))


def refuse_ahead(day: str, now: str, zones: Zones) -> None:
    """Refuse a day that has not come yet in the clinic's zone; one more is let pass, for clocks that differ.

    Raises:
        ReportError: it is later than tomorrow.
    """
    if day > now[:10] and date.fromisoformat(day) > date.fromisoformat(day_in(now, zones)) + timedelta(
        days=1
    ):
        msg = f"on is {day}, and at the clinic it is {day_in(now, zones)}; what has not happened yet cannot be recorded"
        raise ReportError(msg)


def pool_key(enrolled: Enrolled, pool: Pool) -> PoolKey:
    """Return the pool of a payer for this participant, or that of a fund for all."""
    holder = enrolled.row.participant if pool.scope == "payer" else ""
    return (holder, pool.scope, pool.name, pool.unit, pool.per)


def enrollment_body(row: EnrollmentRow) -> dict[str, Any]:
    """Return what the act that enrolls says: all of the enrollment but its id."""
    return {name: value for name, value in row._asdict().items() if value and name != "id"}


def whole_log(tx: Transaction, enrollment: str) -> Log:
    """Return all rows of an enrollment."""
    return Log(tx.records(enrollment), tx.decisions(enrollment), tx.entries(enrollment))


def acts_of(enrolled: Enrolled, log: Log) -> Iterator[Done]:
    """Yield the acts of a log, each with what it led to."""
    for record in log.records:
        decisions = tuple(row for row in log.decisions if row.record == record.seq)
        numbers = {row.number for row in decisions}
        entries = tuple(row for row in log.entries if row.number in numbers)
        yield Done(enrolled, record, decisions, entries)
