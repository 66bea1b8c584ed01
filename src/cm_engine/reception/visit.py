"""One arrival at the desk of its sender: what becomes of each of its parts, and the one act that says so."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cm_engine.acts.recorded import Enrollment, Recorded, as_they_stand
from cm_engine.acts.recording import Done
from cm_engine.acts.reported import Amendment, Report, Voiding
from cm_engine.arrivals import Arrival, Status
from cm_engine.intake.mapping import CodeMapping
from cm_engine.intake.queue import act_key, acts_source, item_name
from cm_engine.intake.reading import Part, parts_of
from cm_engine.intake.standing import Outcome
from cm_engine.intake.thing import (
    ARRIVED,
    MONEY,
    PARTS,
    WRITTEN,
    Did,
    Step,
    Thing,
    Waiting,
    Wanted,
    closes,
    digest_of,
    folded,
    said_of,
    steps,
)
from cm_engine.intake.why import Why
from cm_engine.journal import OPENED, Asked, asked
from cm_engine.plain import named, unreserved
from cm_engine.reception.desk import Reception, acts_on
from cm_engine.reception.kept import (
    Given,
    arrival_body,
    key_of,
    money_entry,
    recorded_entry,
    short,
    waiting_entry,
)

CORRECTED = "corrected by the sender"
SENT_IN_ERROR = "sent in error, by the sender"


class Sender(NamedTuple):
    """Who sends, by which mapping; who takes it in; and the SHA-256 of the document."""

    mapping: CodeMapping
    by: str
    document: str

    @property
    def source(self) -> str:
        """Return who the sender is in the log."""
        return self.mapping.file.source


def opening(sender: Sender) -> Asked:
    """Return the act that opens the queue of a sender."""
    source = unreserved("source", sender.source)
    return asked(OPENED, source=acts_source(source), key=OPENED, by=sender.by, body={})


def taken_in(
    reception: Reception, arrival: Arrival, sender: Sender, refused: Mapping[str, str]
) -> list[Outcome]:
    """Take in one arrival, and return what became of each of its parts.

    Args:
        reception: of the sender.
        arrival: one version of one thing.
        sender: who sends it.
        refused: the parts that the engine refused, as they were tried, with what it said: they wait.

    Raises:
        PartRefusedError: the engine refuses a part more.
    """
    arrival = arrival._replace(key=named("key", key_of(arrival.key)))
    thing = folded(acts_on(reception.tx, reception.source, arrival.key))
    return Visit(reception, sender, arrival, thing, refused).outcomes()


class Visit:
    """One arrival at the reception: what becomes of each of its parts, and the one act that says so."""

    def __init__(
        self,
        reception: Reception,
        sender: Sender,
        arrival: Arrival,
        thing: Thing,
        refused: Mapping[str, str],
    ) -> None:
        self._reception = reception
        self._sender = sender
        self._arrival = arrival
        self._thing = thing
        self._refused = refused
        self._digest = digest_of(arrival)
        self._number = thing.acts + 1

    def outcomes(self) -> list[Outcome]:
        """Take the arrival in, and return what became of each of its parts."""
        found = [self._refusing(step) for step in self._steps()]
        new = [step for step in found if not step.replayed]
        done: dict[str, Done] = {}
        if new or self._takes_back_first:
            given = [(step.wanted.part.slot, self._given(step)) for step in new if step.did in WRITTEN]
            done = dict(zip((slot for slot, _ in given), self._reception.recorded(given), strict=True))
            self._write(new, dict(given), done)
        return [self._outcome(step, done) for step in found] or [self._of_nothing()]

    def _steps(self) -> list[Step]:
        wanted: list[Wanted] = []
        if self._arrival.status != Status.VOID:
            wanted = [self._wanted(part) for part in parts_of(self._arrival, self._sender.mapping)]
        return steps(self._thing, self._arrival, self._digest, wanted)

    @property
    def _takes_back_first(self) -> bool:
        """Tell whether it takes a thing back, and that is to be remembered for versions that are yet to come."""
        voided = self._thing.voided
        return self._arrival.status == Status.VOID and (voided is None or voided < self._arrival.rank)

    def _wanted(self, part: Part) -> Wanted:
        """Return what a part says, for whom; or why it waits."""
        arrival = self._arrival
        why = {Status.HELD: Why.HELD, Status.UNKNOWN: Why.STATUS}.get(arrival.status)
        if why:
            return Wanted(part._replace(why=why, detail=""), "", {})
        if part.why is None and not (arrival.collected_at or arrival.on):
            part = part._replace(why=Why.TIME)
        if part.why is not None:
            return Wanted(part, "", {})
        found = self._enrollment(part.program)
        if isinstance(found, Why):
            return Wanted(part._replace(why=found), "", {})
        times = (arrival.collected_at, arrival.on, arrival.resulted_at)
        return Wanted(part, found.id, said_of(part, *times))

    def _enrollment(self, program: str) -> Enrollment | Why:
        """Return the one enrollment that a part is for, or why there is none."""
        people = self._people
        if isinstance(people, Why):
            return people
        found = [each for each in people if self._is_of(each, program)]
        if len(found) == 1:
            return found[0]
        return Why.SEVERAL_ENROLLMENTS if found else Why.NO_ENROLLMENT

    @cached_property
    def _people(self) -> list[Enrollment] | Why:
        """Return all enrollments of the one participant who is meant, or why nobody is."""
        mapping, tx = self._sender.mapping, self._reception.tx
        known = mapping.participants(self._arrival.who)
        rows = {each: tx.enrollments(participant=each) for each in sorted(known)}
        enrolled = {each: found for each, found in rows.items() if found}
        if mapping.people is not None and len(known) > 1:
            return Why.SEVERAL_PEOPLE
        if len(enrolled) > 1:
            return Why.SEVERAL_PEOPLE
        if not enrolled:
            return Why.UNKNOWN_PERSON if mapping.people is None or not known else Why.NO_ENROLLMENT
        [found] = enrolled.values()
        return as_they_stand(tx, self._reception.register, found, self._reception.now)

    def _is_of(self, enrollment: Enrollment, program: str) -> bool:
        """Tell whether an enrollment is in a program, and was on the day of the arrival."""
        rules = self._reception.register.rules(self._reception.tx, enrollment.program)
        day = self._day(enrollment.zone)
        last = enrollment.discharged_on
        is_then = enrollment.start <= day and (last is None or day <= last) and enrollment.status != "left"
        return rules.program.program == program and is_then

    def _day(self, zone: str) -> date:
        at, on = self._arrival.collected_at, self._arrival.on
        assert at or on, "what has no time waits"
        return on or at.astimezone(ZoneInfo(zone)).date()  # type: ignore[union-attr]  # one of them is there

    def _refusing(self, step: Step) -> Step:
        """Return a step as it is, or, if the engine refused it, that it waits."""
        slot = step.wanted.part.slot
        if slot not in self._refused or step.did not in WRITTEN:
            return step
        part = step.wanted.part._replace(why=Why.REFUSED, detail=self._refused[slot])
        waiting = Waiting(self._arrival.rank, self._digest, Why.REFUSED, part.detail)
        replayed = self._thing.slot(slot).waiting == waiting
        return Step(Did.REVIEW, step.wanted._replace(part=part), replayed)

    def _given(self, step: Step) -> Given:
        """Return what is reported to the log of the enrollment."""
        slot = step.wanted.part.slot
        applied = self._thing.slot(slot).applied
        name = item_name(self._arrival.key, slot)
        key = act_key(name, self._number) if applied else name
        base = Report(step.wanted.enrollment, self._sender.source, key, self._sender.by)
        if step.did == Did.VOIDED:
            assert applied is not None, "what is taken back was recorded"
            return Voiding(base._replace(enrollment=applied.enrollment), applied.record, SENT_IN_ERROR)
        report = self._reported(base, step.wanted.part)
        if step.did == Did.RECORDED or applied is None:
            return report
        return Amendment(report, applied.record, CORRECTED)

    def _reported(self, base: Report, part: Part) -> Report:
        return base._replace(
            result=part.result,
            target=part.target,
            event=part.event,
            evidence=part.evidence,
            collected_at=self._arrival.collected_at,
            on=self._arrival.on,
            resulted_at=self._arrival.resulted_at,
        )

    def _write(
        self,
        new: Sequence[Step],
        given: Mapping[str, Given],
        done: Mapping[str, Done],
    ) -> None:
        """Write the act that says what became of the arrival."""
        entries: dict[str, Any] = {}
        for step in new:
            slot = step.wanted.part.slot
            closing = {"closes": closes(self._thing.slot(slot), self._arrival.rank)}
            if slot in done:
                entries[slot] = recorded_entry(step.did, given[slot], done[slot], step.wanted.said) | closing
                entries |= {f"{slot}{MONEY}": owed for owed in money_entry(step, done[slot])}
            else:
                entries[slot] = self._entry(step) | closing
        key = act_key(self._arrival.key, self._number)
        body = arrival_body(self._arrival, self._digest, self._sender.document)
        act = asked(ARRIVED, source=acts_source(self._sender.source), key=key, by=self._sender.by, body=body)
        self._reception.written(act, {PARTS: entries} if entries else {})

    def _entry(self, step: Step) -> dict[str, Any]:
        """Return what became of a part that is not recorded now."""
        part, applied = step.wanted.part, self._thing.slot(step.wanted.part.slot).applied
        entry: dict[str, Any] = {"did": step.did.value}
        if step.did == Did.UNCHANGED and applied:
            entry |= {"enrollment": applied.enrollment, "record": applied.record, "said": applied.said}
        if part.why is not None:
            codes = [short(str(code)) for code in part.codes]
            entry |= waiting_entry(part.why, part.detail, codes, [short(each) for each in part.found])
        return entry

    def _outcome(self, step: Step, done: Mapping[str, Done]) -> Outcome:
        part = step.wanted.part
        found = done.get(part.slot)
        return Outcome(
            item_name(self._arrival.key, part.slot),
            step.did,
            (part.why or "") if step.did in {Did.HELD, Did.REVIEW} else "",
            part.detail,
            Recorded(found) if found else None,
            step.replayed,
        )

    def _of_nothing(self) -> Outcome:
        """Return what became of an arrival that has no part here."""
        if self._arrival.status == Status.VOID:
            return Outcome(self._arrival.key, Did.UNCHANGED, is_replayed=not self._takes_back_first)
        return Outcome(self._arrival.key, Did.IGNORED)
