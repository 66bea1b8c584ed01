"""The desk of a sender, in one transaction: what is taken into the logs of enrollments, and what a person settles."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import count
from typing import Any, NamedTuple, Self

from cm_engine.acts.recorded import Recorded
from cm_engine.acts.recording import Done, Recording
from cm_engine.acts.register import Register
from cm_engine.acts.reported import Amendment, Report
from cm_engine.acts.reported import act_of as log_act_of
from cm_engine.errors import CmEngineError, ReportError, SecretError, StorageError
from cm_engine.intake.queue import INTAKE, QueueState, act_key, acts_source, item_name
from cm_engine.intake.standing import ReviewItem
from cm_engine.intake.thing import DISMISSED, MONEY, PARTS, SETTLED, Did, Thing, folded
from cm_engine.journal import Act, Asked, Journal, act_of, all_journals, asked
from cm_engine.plain import unreserved
from cm_engine.ports import Transaction
from cm_engine.reception.kept import Given, recorded_entry, report_of

PROBED = 8
"""As many acts on one thing are looked up at a time."""
PAGE = 200
"""As many items are looked up at a time."""
SETTLED_BY_PERSON = "settled after a review"


class PartRefusedError(Exception):
    """Undo an arrival of which the engine refused a part: that part waits then, and the others go on.

    Attributes:
        slot: the part.
        error: what the engine said.
    """

    def __init__(self, slot: str, error: CmEngineError) -> None:
        self.slot = slot
        self.error = error
        super().__init__(slot)


class Reception(NamedTuple):
    """One transaction that has the queue of a sender, which nobody else has at the time."""

    tx: Transaction
    register: Register
    now: str
    source: str
    state: QueueState

    @classmethod
    def of(cls, tx: Transaction, register: Register, now: str, source: str) -> Self:
        """Return the reception of a sender, whose queue is kept from others until the transaction ends.

        Raises:
            JournalNotFoundError: nothing ever came from it.
        """
        journal = Journal(INTAKE, unreserved("source", source), tx, now)
        tx.look_up([journal.name], [])
        return cls(tx, register, now, source, journal.state())

    @property
    def time(self) -> datetime:
        """Return what time it is."""
        return datetime.fromisoformat(self.now)

    def written(self, act: Asked, led_to: Mapping[str, Any]) -> None:
        """Write an act on the queue."""
        Journal(INTAKE, self.source, self.tx, self.now).take(act, lambda _: led_to)

    def settle(self, item: str, report: Report) -> Recorded:
        """Record what waits, as a person read it.

        Raises:
            ReportError: it does not wait, there is nothing to record in it, or it was recorded for another enrollment.
        """
        of, part, acts = self._found(item)
        arrived = _last(acts, part)
        report = _timed(report, arrived.body)
        known = acts[-1].kind == SETTLED and item not in self.state.waiting
        thing = folded(acts[:-1] if known else acts)
        self._refuse_unsettled(item, part, thing, report, known=known)
        given, did = _settling(thing, of, part, report)
        done = self._settled(part, given)
        if not (known and done.replayed):
            body = {"of": of, "part": part, "enrollment": report.enrollment}
            act = self._asked(SETTLED, thing, body, report.by)
            self.written(act, {PARTS: {part: recorded_entry(did, given, done)}})
        return Recorded(done)

    def _settled(self, part: str, given: Report | Amendment) -> Done:
        """Record what a person read; what the engine refuses, it refuses to them."""
        try:
            return self.recorded([(part, given)])[0]
        except PartRefusedError as refused:
            raise refused.error from None

    def dismiss(self, item: str, why: str, by: str) -> None:
        """Let what waits go.

        Raises:
            ReportError: it does not wait.
        """
        of, part, acts = self._found(item)
        last = acts[-1]
        if item not in self.state.waiting and (last.kind, last.body.get("part"), last.body.get("why")) == (
            DISMISSED,
            part,
            why,
        ):
            return
        body = {"of": of, "part": part, "why": why}
        self.written(self._asked(DISMISSED, folded(acts), body, by), {})

    def _asked(self, kind: str, thing: Thing, body: Mapping[str, Any], by: str) -> Asked:
        key = act_key(body["of"], thing.acts + 1)
        return asked(kind, source=acts_source(self.source), key=key, by=by, body=body)

    def _found(self, item: str) -> tuple[str, str, list[Act]]:
        """Return the thing and the part that an item is of, and all acts on the thing.

        Raises:
            ReportError: there is no such item.
        """
        waiting = self.state.waiting.get(item)
        names = [(waiting.of, waiting.part)] if waiting else _splits(item)
        for of, part in names:
            if acts := acts_on(self.tx, self.source, of):
                return of, part, acts
        msg = f"item: nothing of the name {item!r} waits; `waiting_for_review` names what does"
        raise ReportError(msg)

    def _refuse_unsettled(self, item: str, part: str, thing: Thing, report: Report, *, known: bool) -> None:
        slot = thing.slot(part)
        if not (known or item in self.state.waiting):
            msg = f"item: {item!r} does not wait"
            raise ReportError(msg)
        if part.endswith(MONEY):
            msg = f"item: there is nothing to record in {item!r}; dismiss it when the money is looked after"
            raise ReportError(msg)
        if slot.applied and slot.applied.stands and slot.applied.enrollment != report.enrollment:
            there = f"record {slot.applied.record} of {slot.applied.enrollment}"
            msg = f"enrollment: an earlier version is {there}; void that one first, and dismiss this item"
            raise ReportError(msg)

    def recorded(self, given: Sequence[tuple[str, Given]]) -> list[Done]:
        """Take what is given for each part into the logs of enrollments."""
        acts = []
        for slot, each in given:
            try:
                acts.append(log_act_of(each, self.time))
            except CmEngineError as error:
                raise PartRefusedError(slot, error) from error
        recording = Recording(self.tx, self.register, self.now, locked=True)
        try:
            return recording.take(acts) if acts else []
        except (StorageError, SecretError):
            raise
        except CmEngineError as error:
            raise PartRefusedError(_refused_in(given, error), error) from error


def _refused_in(given: Sequence[tuple[str, Given]], error: CmEngineError) -> str:
    """Return the part that an error is about: the one that it numbers, or of the enrollment that it names."""
    if error.report is not None:
        return given[error.report][0]
    on = getattr(error, "on", "")
    return next((slot for slot, each in given if report_of(each).enrollment == on), given[0][0])


def _settling(thing: Thing, of: str, part: str, report: Report) -> tuple[Report | Amendment, Did]:
    """Return what a person's reading is in the log: what is recorded, or what amends it."""
    applied, name = thing.slot(part).applied, item_name(of, part)
    if applied is None:
        return report._replace(key=name), Did.RECORDED
    keyed = report._replace(key=act_key(name, thing.acts + 1))
    if not applied.stands:
        return keyed, Did.RECORDED
    return Amendment(keyed, applied.record, SETTLED_BY_PERSON), Did.AMENDED


def _timed(report: Report, body: Mapping[str, Any]) -> Report:
    """Return a report with the times that it arrived with, unless it has its own."""
    resulted_at = datetime.fromisoformat(body["resulted_at"]) if "resulted_at" in body else None
    if report.collected_at or report.on:
        return report._replace(resulted_at=resulted_at)
    return report._replace(
        collected_at=datetime.fromisoformat(body["at"]) if "at" in body else None,
        on=date.fromisoformat(body["on"]) if "on" in body else None,
        resulted_at=resulted_at,
    )


def _last(acts: Sequence[Act], part: str) -> Act:
    """Return the last act by which a part of a thing waits."""
    told = [act for act in acts if "why" in act.led_to.get(PARTS, {}).get(part, {})]
    if not told:
        msg = f"item: nothing waits there, in {part or 'what has no meaning'}"
        raise ReportError(msg)
    return told[-1]


def _splits(item: str) -> Iterator[tuple[str, str]]:
    """Yield which thing and which part an item could be of."""
    yield item, ""
    for place in (place for place, letter in enumerate(item) if letter == "/"):
        yield item[:place], item[place + 1 :]


def acts_on(tx: Transaction, source: str, of: str) -> list[Act]:
    """Return all acts on a thing, in order."""
    found: list[Act] = []
    for first in count(1, PROBED):
        keys = [(acts_source(source), act_key(of, number)) for number in range(first, first + PROBED)]
        records = tx.look_up([], keys).records
        found += [act_of(records[key]) for key in keys if key in records]
        if len(records) < PROBED:
            return found
    raise AssertionError


def sources_in(tx: Transaction) -> list[str]:
    """Return all senders that something ever came from, in the order of their names."""
    return [row.enrollment.removeprefix(INTAKE.journal("")) for row in all_journals(tx, INTAKE.name)]


def waiting_in(tx: Transaction, source: str) -> Iterator[ReviewItem]:
    """Yield what waits of a sender, in the order in which it came."""
    items = list(Journal(INTAKE, source, tx).state().waiting.values())
    for first in range(0, len(items), PAGE):
        page = items[first : first + PAGE]
        keys = [(acts_source(source), act_key(item.of, item.act)) for item in page]
        records = tx.look_up([], keys).records
        for item, key in zip(page, keys, strict=True):
            yield ReviewItem.of(source, item.part, act_of(records[key]))
