"""What the engine gives back: enrollments, decisions and acts as they stand in the log."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, Self

from cm_engine.acts.recording import Done
from cm_engine.acts.register import Register
from cm_engine.ledger.accounts import DUE, IN_FLIGHT, OFFSET, OWED
from cm_engine.log.correction import WITHDRAWN
from cm_engine.log.encoding import awards_from, prizes_from, reasons_from
from cm_engine.log.history import AMENDED, VOIDED, day_in, zones_of
from cm_engine.log.rows import DecisionRow, EnrollmentRow, EntryRow, RecordRow
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.ports import Transaction
from cm_engine.rules.compiled import Rules
from cm_engine.rules.prizes import Prizes
from cm_engine.rules.reasons import Reason

Status = Literal["active", "paused", "completed", "discharged", "left"]


@dataclass(frozen=True)
class Enrollment:
    """One participant in one program from a start date on, as it stands today.

    Attributes:
        id: what `record` and all others ask for.
        participant: the host's opaque id.
        program: the digest of the version of the program that decides by now.
        start: the first day of program week 1.
        zone: the clinic's time zone today, which decides which day a time falls on.
        commitment: the SHA-256 of the seed that prizes are drawn with, to be published now; empty without draws.
        site: where the participant is seen today; empty for none.
        status: active, or paused today; completed, once every visit of the plan is decided; discharged, once its last
            day has come; or left, if it goes on in another database.
        is_frozen: whether nothing is handed over.
        discharged_on: its last day, once there is one; it may lie ahead.
        last_record: the number of the last act on it; it does not make it another enrollment.
    """

    id: str
    participant: str
    program: str
    start: date
    zone: str
    commitment: str
    site: str = ""
    status: Status = "active"
    is_frozen: bool = False
    discharged_on: date | None = None
    last_record: int = field(default=0, compare=False)

    @classmethod
    def of(cls, row: EnrollmentRow) -> "Enrollment":
        """Return an enrollment from its row, as it began."""
        start = date.fromisoformat(row.start)
        return cls(row.id, row.participant, row.program, start, row.zone, row.commitment)

    @classmethod
    def standing(cls, enrolled: Enrolled, stand: Stand, last_record: int, at: str) -> Self:
        """Return an enrollment as it is at a time; before its start, as it will be then."""
        row = enrolled.row
        start, calendar = date.fromisoformat(row.start), stand.calendar
        day = date.fromisoformat(day_in(at, zones_of(row.zone, calendar)))
        stay = calendar.stay(max(day, start))
        return cls(
            id=row.id,
            participant=row.participant,
            program=enrolled.rules.digest,
            start=start,
            zone=stay.zone if stay else row.zone,
            commitment=row.commitment,
            site=stay.site if stay else "",
            status=_status(enrolled, stand, day),
            is_frozen=calendar.frozen,
            discharged_on=calendar.last,
            last_record=last_record,
        )

    def overlaps(self, start: date) -> bool:
        """Tell whether it is open, today and on the day that another one begins."""
        is_over_by_then = self.discharged_on is not None and self.discharged_on < start
        return self.status in {"active", "paused"} and not is_over_by_then


def _status(enrolled: Enrolled, stand: Stand, day: date) -> Status:
    """Return how an enrollment stands on a day."""
    calendar = stand.calendar
    if calendar.away is not None:
        return "left"
    if calendar.last is not None and calendar.last <= day:
        return "discharged"
    if all(len(each.visits) <= stand.state.tracks[each.index].visits for each in enrolled.rules.targets):
        return "completed"
    return "paused" if any(pause.has(day) for pause in calendar.pauses) else "active"


def as_they_stand(
    tx: Transaction, register: Register, rows: Sequence[EnrollmentRow], at: str
) -> list[Enrollment]:
    """Return enrollments as they are at a time: from where they stand, and from no log.

    Args:
        tx: where they are stored.
        register: finds their programs.
        rows: the enrollments.
        at: the time, in UTC.
    """
    found = tx.look_up([row.id for row in rows], []).standings
    stood = (found[row.id] for row in rows)
    return [Enrollment.standing(*register.stand(tx, each), each.seq, at) for each in stood]


@dataclass(frozen=True)
class RecordedDecision:
    """A decision as it stands in the log; what it says in detail is read when it is asked for."""

    row: DecisionRow
    rules: Rules

    def __repr__(self) -> str:
        """Return which decision it is, and what it says."""
        return f"<decision {self.number} of {self.row.enrollment}: {self.outcome!r} {self.row.awards}>"

    @property
    def enrollment(self) -> str:
        """Return the id of the enrollment."""
        return self.row.enrollment

    @property
    def number(self) -> int:
        """Return its place among the decisions of the enrollment, from 1."""
        return self.row.number

    @property
    def record(self) -> int:
        """Return the act that reported what it decides: what `amend` and `void` ask for; 0 if nobody came."""
        return max(0, self.row.observation)

    @property
    def target(self) -> str:
        """Return the target, empty for an event."""
        return self.row.target

    @property
    def visit(self) -> int:
        """Return the visit, from 1; 0 for an event."""
        return self.row.visit

    @property
    def week(self) -> int:
        """Return the program week, from 1; 0 for an event."""
        return self.row.week

    @property
    def on(self) -> date | None:
        """Return the day it counts for."""
        return date.fromisoformat(self.row.day) if self.row.day else None

    @property
    def outcome(self) -> str:
        """Return what the observation was read as; `withdrawn` if it was voided."""
        return self.row.outcome

    @property
    def hash(self) -> str:
        """Return the hash over the decision and all that came before it."""
        return self.row.hash

    @property
    def sentence(self) -> str:
        """Return the reasons as the participant reads them."""
        return self.row.said

    @cached_property
    def awards(self) -> Mapping[str, Decimal]:
        """Return the exact amounts by the name of their unit."""
        found = awards_from(self.row.awards, self.rules.program.unit)
        return {unit.name: unit.decimal(amount) for unit, amount in found}

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        """Return the reasons, in order."""
        return reasons_from(self.row.reasons, self.rules.program.unit)

    @cached_property
    def prizes(self) -> Prizes | None:
        """Return what its draws won, None without draws."""
        return prizes_from(self.row.prizes, self.rules.program.unit) if self.row.prizes else None


class Recorded:
    """What an act led to: the decision on what it is about, and what it changed besides."""

    __slots__ = ("_done", "_released")

    def __init__(self, done: Done, released: Mapping[str, Decimal] | None = None) -> None:
        self._done = done
        self._released = released

    def __repr__(self) -> str:
        """Return which act it is, and the decision."""
        return f"<record {self.record} of {self.enrollment}, {self.kind}: {self.decision!r}>"

    @property
    def enrollment(self) -> str:
        """Return the id of the enrollment."""
        return self._done.record.enrollment

    @property
    def record(self) -> int:
        """Return the place of the act in the log of the enrollment."""
        return self._done.record.seq

    @property
    def kind(self) -> str:
        """Return what was done: enrolled, observed, amended, voided or asserted."""
        return self._done.record.kind

    @property
    def source(self) -> str:
        """Return who gave the key."""
        return self._done.record.source

    @property
    def key(self) -> str:
        """Return what makes it the same act, however often it is reported."""
        return self._done.record.key

    @property
    def by(self) -> str:
        """Return who did it."""
        return self._done.record.actor

    @property
    def recorded_at(self) -> datetime:
        """Return when it was recorded, in UTC."""
        return datetime.fromisoformat(self._done.record.recorded_at)

    @property
    def reported(self) -> Mapping[str, Any]:
        """Return what was reported, as data."""
        found: dict[str, Any] = json.loads(self._done.record.body)
        return found

    @property
    def replayed(self) -> bool:
        """Tell whether it was recorded before, and nothing was written now."""
        return self._done.replayed

    @property
    def decisions(self) -> tuple[RecordedDecision, ...]:
        """Return all decisions that it led to, in order."""
        rules = self._done.enrolled.rules
        return tuple(RecordedDecision(row, rules) for row in self._done.decisions)

    @property
    def decision(self) -> RecordedDecision | None:
        """Return the decision on the observation that it is about; None if the decision is as it was."""
        about = about_record(self._done.record)
        return next((each for each in self.decisions if each.record == about), None)

    @property
    def corrected(self) -> tuple[RecordedDecision, ...]:
        """Return the decisions on other observations, that it changed; a visit that was missed no more is withdrawn."""
        about = about_record(self._done.record)
        return tuple(
            each
            for each in self.decisions
            if each.record != about and (each.record or each.outcome == WITHDRAWN)
        )

    @property
    def missed(self) -> tuple[RecordedDecision, ...]:
        """Return the decisions on visits that are over and that nobody came to, as it shows."""
        return tuple(each for each in self.decisions if not each.record and each.outcome != WITHDRAWN)

    @property
    def number(self) -> int:
        """Return the number of the decision; 0 if the decision is as it was."""
        return self.decision.number if self.decision else 0

    @property
    def awards(self) -> Mapping[str, Decimal]:
        """Return what the decision awards, exactly, by the name of the unit."""
        return self.decision.awards if self.decision else {}

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Return the reasons of the decision, in order."""
        return self.decision.reasons if self.decision else ()

    @property
    def sentence(self) -> str:
        """Return the reasons of the decision as the participant reads them."""
        return self.decision.sentence if self.decision else ""

    @property
    def target(self) -> str:
        """Return the target of the decision, empty for an event."""
        return self.decision.target if self.decision else ""

    @property
    def visit(self) -> int:
        """Return the visit of the decision, from 1; 0 for an event."""
        return self.decision.visit if self.decision else 0

    @property
    def week(self) -> int:
        """Return the program week of the decision, from 1; 0 for an event."""
        return self.decision.week if self.decision else 0

    @property
    def on(self) -> date | None:
        """Return the day that the decision counts for."""
        return self.decision.on if self.decision else None

    @property
    def outcome(self) -> str:
        """Return what the observation was read as."""
        return self.decision.outcome if self.decision else ""

    @property
    def hash(self) -> str:
        """Return the hash of the last row that the act wrote: kept elsewhere, it shows what was removed or rewritten."""
        rows = self._done.decisions or (self._done.record,)
        return rows[-1].hash

    @property
    def hand_over(self) -> Mapping[str, Decimal]:
        """Return what to hand over now: what it put on its way, and only the first time.

        That is what is due more, where the program pays at once; what was asked for, or had its pay day; and what a
        freeze held back that it ends. Of an enrollment that is frozen it is nothing. Where the site has a gateway, that
        hands it over, and nobody else is to: `goes_by` of the engine tells.
        """
        if self.replayed or self._done.frozen:
            return {}
        return self._released or self._moved(lambda entry: entry.credit == IN_FLIGHT)

    def with_released(self, released: Mapping[str, Decimal]) -> "Recorded":
        """Return it with what a freeze held back that it ends."""
        return Recorded(self._done, released)

    @property
    def is_frozen(self) -> bool:
        """Tell whether what is due is held back, because the enrollment is frozen."""
        return self._done.frozen

    @property
    def prizes(self) -> Prizes | None:
        """Return what the draws of the decision won."""
        return self.decision.prizes if self.decision else None

    @property
    def payable(self) -> Mapping[str, Decimal]:
        """Return what the participant is due more by it, or less, by unit; corrections, prizes and offsets are in it.

        For a repeat it is what it was the first time.
        """
        return self._moved(lambda entry: (entry.credit in DUE) - (entry.debit in DUE))

    def owed(self, decision: RecordedDecision) -> Mapping[str, Decimal]:
        """Return what one of its decisions leaves to be collected, or to wait for a pay day, by unit.

        That is less than the award where something of it settles what was given too much before.
        """
        return self._moved(lambda entry: entry.number == decision.number and entry.credit == OWED)

    def settles(self, decision: RecordedDecision) -> bool:
        """Tell whether something of the award of one of its decisions settles what was given too much before."""
        return any(entry.number == decision.number and entry.credit == OFFSET for entry in self._done.entries)

    def _moved(self, sign: Callable[[EntryRow], int]) -> dict[str, Decimal]:
        """Return what its postings add up to, by unit, each with a sign."""
        found = Counter[str]()
        for entry in self._done.entries:
            found[entry.unit] += entry.amount * sign(entry)
        unit = self._done.enrolled.rules.program.unit
        return {name: unit(name).decimal(amount) for name, amount in found.items() if amount}


def about_record(record: RecordRow) -> int:
    """Return the observation that an act is about: itself, or the one it corrects."""
    corrects = record.kind in {AMENDED, VOIDED}
    return int(json.loads(record.body)["of"]) if corrects else record.seq
