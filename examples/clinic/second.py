"""Second entry: a result waits in the clinic's own table until another person has entered the same one."""

from dataclasses import dataclass

from examples.clinic.acts import Entry, lock, recorded, refuse_if_others_came
from examples.clinic.clinic import Clinic
from examples.clinic.tables import RECORDED, WAITING, WITHDRAWN, PendingEntry, SecondEntry
from sqlalchemy import select
from sqlalchemy.orm import Session

from cm_engine import Recorded


class SamePersonError(Exception):
    """Report that whoever entered a result would also confirm it."""


class NotWaitingError(Exception):
    """Report an entry that does not wait: it was recorded or withdrawn, or there is none.

    Attributes:
        state: what became of it; empty if there is none.
    """

    def __init__(self, state: str = "") -> None:
        self.state = state
        super().__init__(state or "no such entry")


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a second entry led to: a decision if it was the same, and none if it was not."""

    pending: PendingEntry
    result: str
    recorded: Recorded | None


def put_aside(clinic: Clinic, entry: Entry) -> tuple[PendingEntry, bool]:
    """Have a result wait for its second entry; tell whether it waited, or was recorded, already.

    Raises:
        CameBetweenError: others recorded something since the form was made.
        CmEngineError: it could not be recorded as it is.
    """

    def work(session: Session) -> tuple[PendingEntry, bool]:
        engine = clinic.engine.joining(session)
        lock(session, engine, entry.enrollment)
        known = session.scalars(select(PendingEntry).where(PendingEntry.key == entry.key)).first()
        if known:
            return known, True
        _try_out(clinic, session, entry)
        pending = PendingEntry(
            enrollment=entry.enrollment,
            target=entry.target,
            result=entry.result,
            excuse=entry.excuse,
            collected_at=entry.collected_at,
            note=entry.note,
            key=entry.key,
            by=entry.by,
            entered_at=clinic.now(),
            state=WAITING,
        )
        session.add(pending)
        session.flush()
        return pending, False

    return clinic.written(work)


def _try_out(clinic: Clinic, session: Session, entry: Entry) -> None:
    """Refuse now what the engine would refuse later; nothing of it stays."""
    savepoint = session.begin_nested()
    recorded(clinic, session, entry)
    savepoint.rollback()


def waiting(session: Session, enrollment: str = "") -> list[PendingEntry]:
    """Return what waits for a second entry, of one enrollment or of all, in the order of entry."""
    asked = select(PendingEntry).where(PendingEntry.state == WAITING).order_by(PendingEntry.id)
    return list(session.scalars(asked.where(PendingEntry.enrollment == enrollment) if enrollment else asked))


def second_entries(session: Session, pending: int) -> list[SecondEntry]:
    """Return what was entered for a result that waits, in order."""
    asked = select(SecondEntry).where(SecondEntry.pending == pending).order_by(SecondEntry.id)
    return list(session.scalars(asked))


def enter_second(clinic: Clinic, number: int, result: str, *, by: str, seen: int) -> Compared:
    """Compare a second entry with the first, and record the result if they are the same.

    Raises:
        SamePersonError: it is the person who entered the first.
        NotWaitingError: there is nothing to compare with any more.
        CameBetweenError: others recorded something since the form was made.
        CmEngineError: the engine refuses it.
    """

    def work(session: Session) -> Compared:
        first = _found(session, number)
        if first.by == by:
            raise SamePersonError
        entry = _entry(first, by, seen)
        engine = clinic.engine.joining(session)
        lock(session, engine, first.enrollment)
        refuse_if_others_came(engine, entry)
        matched = first.result == result
        session.add(
            SecondEntry(pending=number, result=result, by=by, entered_at=clinic.now(), matched=matched)
        )
        if not matched:
            return Compared(pending=first, result=result, recorded=None)
        first.state = RECORDED
        return Compared(pending=first, result=result, recorded=recorded(clinic, session, entry))

    return clinic.written(work)


def withdraw(clinic: Clinic, number: int) -> PendingEntry:
    """Take back a result that waits: it was wrong, and is to be entered anew.

    Raises:
        NotWaitingError: it does not wait any more.
    """

    def work(session: Session) -> PendingEntry:
        first = _found(session, number)
        first.state = WITHDRAWN
        return first

    return clinic.written(work)


def _found(session: Session, number: int) -> PendingEntry:
    asked = select(PendingEntry).where(PendingEntry.id == number).with_for_update()
    first = session.scalars(asked).first()
    if first is None or first.state != WAITING:
        raise NotWaitingError(first.state if first else "")
    return first


def _entry(first: PendingEntry, second_by: str, seen: int) -> Entry:
    return Entry(
        enrollment=first.enrollment,
        target=first.target,
        result=first.result,
        excuse=first.excuse,
        collected_at=first.collected_at,
        note=first.note,
        key=first.key,
        by=f"{first.by} and {second_by}",
        seen=seen,
    )
