"""The way in of an engine: what senders send is recorded, amended or taken back, or waits for a person."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import date, datetime
from os import PathLike
from pathlib import Path
from typing import TypeVar

from cm_engine.acts.recorded import Recorded
from cm_engine.acts.reported import Report
from cm_engine.arrivals import Arrival, Arrivals, Unread
from cm_engine.errors import CmEngineError, IntakeError, JournalNotFoundError, SecretError, StorageError
from cm_engine.facade.opened import Opened
from cm_engine.intake.loading import load_mapping
from cm_engine.intake.mapping import CodeMapping
from cm_engine.intake.offered import intake_of
from cm_engine.intake.queue import INTAKE
from cm_engine.intake.standing import Outcome, Received, ReviewItem
from cm_engine.intake.thing import Did
from cm_engine.intake.why import Why
from cm_engine.journal import Journal
from cm_engine.plain import one_line
from cm_engine.ports import Intake
from cm_engine.reception.desk import PartRefusedError, Reception, sources_in, waiting_in
from cm_engine.reception.kept import said_by
from cm_engine.reception.visit import Sender, opening, taken_in
from cm_engine.rules.state import Evidence

Document = bytes | str | PathLike[str]
Made = TypeVar("Made")


class Receiving(Opened):
    r"""The part of an engine that takes in what laboratories, charts and forms send.

    Example:
        >>> from cm_engine import Engine
        >>> from cm_engine.intake.loading import parse_mapping
        >>> engine = Engine.open("memory:", zone="America/Los_Angeles")
        >>> _ = engine.add_program("california-recovery-incentives")
        >>> _ = engine.enroll(
        ...     participant="p-1", program="california-recovery-incentives", start=date(2026, 1, 5), by="nurse-7"
        ... )
        >>> mapping = parse_mapping('''
        ... mapping: lab
        ... source: lab
        ... program: california-recovery-incentives
        ... participants: same
        ... codes:
        ... - {system: csv, code: udt, values: {neg: met, pos: positive}}
        ... ''')
        >>> file = b"id,person,code,value,status,collected_at\nu-1,p-1,udt,neg,final,2026-01-05T09:30-08:00\n"
        >>> done = engine.receive(file, format="csv", mapping=mapping, by="lab-interface")
        >>> done.counts["recorded"], done.outcomes[0].recorded.sentence
        (1, 'Negative test: $10.00. Next negative: $10.00.')
    """

    def receive(
        self,
        document: Document,
        *,
        format: str | Intake,  # noqa: A002 - what it is
        mapping: CodeMapping | str | PathLike[str],
        by: str,
    ) -> Received:
        """Take in a document: each thing in it is recorded, amended, taken back, or waits, in a transaction of its own.

        The same document again changes nothing, and versions of a thing end in the same in whatever order they come.
        What the mapping does not name is decided by nobody: it waits. Keeps INV-12.

        Args:
            document: its bytes, or the path of a file.
            format: fhir, hl7v2, csv, redcap, or what else is installed; or an adapter.
            mapping: the clinic's mapping, or the path of its file.
            by: the interface that takes it in.

        Raises:
            IntakeError: this is no document of the format; nothing is recorded.
            MappingError: the mapping file is wrong.
            ReportError: the format is unknown, or `by` is missing.
            StorageError: the storage failed; what was recorded stays, and the same document again goes on.
        """
        adapter, found = intake_of(format), _mapping(mapping)
        data = document if isinstance(document, bytes) else _bytes_of(document, adapter.format)
        arrivals = list(adapter.read(data, zone=found.file.zone or ""))
        return self._received(arrivals, Sender(found, by, hashlib.sha256(data).hexdigest()))

    def receive_arrivals(
        self, arrivals: Arrivals, *, mapping: CodeMapping | str | PathLike[str], by: str
    ) -> Received:
        """Take in what a host has read itself, as `receive` does.

        Args:
            arrivals: what was read.
            mapping, by: as for `receive`.

        Raises:
            CmEngineError: as `receive`.
        """
        return self._received(arrivals, Sender(_mapping(mapping), by, ""))

    def waiting_for_review(self, *, source: str = "", held: bool = True) -> list[ReviewItem]:
        """Return what waits, in the order in which it came: codes, times and ids, and no text of a sender's.

        Args:
            source: of one sender; left out, of all.
            held: also what only waits for its final version.
        """
        with self._storage.reading() as tx:
            names = [source] if source else sources_in(tx)
            found = [item for each in names for item in waiting_in(tx, each)]
        return [item for item in found if held or item.why != Why.HELD]

    def settle(
        self,
        *,
        source: str,
        item: str,
        enrollment: str,
        by: str,
        result: str = "",
        target: str = "",
        event: str = "",
        evidence: Evidence | None = None,
        collected_at: datetime | None = None,
        on: date | None = None,
    ) -> Recorded:
        """Record what waits, as a person read it: a later version amends it, and the same one is a repeat.

        Args:
            source, item: as `waiting_for_review` names it.
            enrollment, result, target, event, evidence, collected_at, on: as for `record`; the times are those that
                it arrived with, if left out.
            by: who looked at it.

        Raises:
            JournalNotFoundError: nothing ever came from such a source.
            ReportError: it does not wait, there is nothing to record in it, or it was recorded for another enrollment.
            CmEngineError: as `record`.
        """
        report = Report(
            enrollment=enrollment,
            source=source,
            key=item,
            by=by,
            result=result,
            target=target,
            event=event,
            evidence=evidence,
            collected_at=collected_at,
            on=on,
        )
        return self._at_queue(source, lambda reception: reception.settle(item, report))

    def dismiss(self, *, source: str, item: str, why: str, by: str) -> None:
        """Let what waits go, for a reason: the same version does not wait again, a newer one does.

        Args:
            source, item: as `waiting_for_review` names it.
            why: the reason, for the audit.
            by: who looked at it.

        Raises:
            JournalNotFoundError: nothing ever came from such a source.
            ReportError: it does not wait, or there is no reason.
        """
        reason = one_line("why", why)
        self._at_queue(source, lambda reception: reception.dismiss(item, reason, by))

    def _received(self, arrivals: Arrivals, sender: Sender) -> Received:
        outcomes = tuple(outcome for each in arrivals for outcome in self._taken_in(each, sender))
        return Received(sender.document, outcomes)

    def _taken_in(self, arrival: Arrival | Unread, sender: Sender) -> Iterable[Outcome]:
        """Take in one arrival; a part that the engine refuses waits, and the others go on."""
        if isinstance(arrival, Unread):
            return [Outcome(arrival.where, Did.REFUSED, arrival.why)]
        refused: dict[str, str] = {}
        while True:
            try:
                return self._at(sender, lambda reception: taken_in(reception, arrival, sender, refused))
            except PartRefusedError as part:
                refused[part.slot] = said_by(
                    part.error
                )  # it is not tried again, so that this comes to an end
            except (StorageError, SecretError):
                raise
            except CmEngineError as error:
                return [Outcome(arrival.key, Did.REFUSED, said_by(error))]

    def _at(self, sender: Sender, work: Callable[[Reception], Made]) -> Made:
        """Do work at the reception of a sender; the first time, open its queue."""
        try:
            return self._at_queue(sender.source, work)
        except JournalNotFoundError:
            first = opening(sender)
        self._written(lambda tx, now, _: Journal(INTAKE, sender.source, tx, now).open(first), lock=True)
        return self._at_queue(sender.source, work)

    def _at_queue(self, source: str, work: Callable[[Reception], Made]) -> Made:
        return self._written(
            lambda tx, now, _: work(Reception.of(tx, self._register, now, source)), lock=True
        )


def _bytes_of(document: str | PathLike[str], format: str) -> bytes:  # noqa: A002 - what it is
    try:
        return Path(document).read_bytes()
    except TypeError:
        what = type(document).__name__
        raise IntakeError(format, f"expected its bytes, or the path of a file, got {what}") from None
    except OSError:
        raise IntakeError(format, "there is no such file, or it cannot be read") from None


def _mapping(given: CodeMapping | str | PathLike[str]) -> CodeMapping:
    return given if isinstance(given, CodeMapping) else load_mapping(given)
