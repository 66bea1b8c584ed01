"""What staff do to an enrollment: the act and the chart note about it commit together, or neither does."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from examples.clinic.clinic import Clinic
from examples.clinic.tables import ChartNote, Participant
from examples.clinic.ways import ways_of
from sqlalchemy import select
from sqlalchemy.orm import Session

from cm_engine import Engine, Evidence, Recorded, WaitingEntry

SOURCE = "clinic-app"
"""Who gives the keys of what is entered on the pages."""
HARMLESS = {"handed over", "declined", "redeemed"}
"""What changes no decision, whoever enters one meanwhile."""
WHY_CANCELLED = "a result was corrected, and it is not owed any more"


class CameBetweenError(Exception):
    """Report that others recorded something after the form was made; nothing is written.

    Attributes:
        acts: what they recorded.
    """

    def __init__(self, acts: tuple[Recorded, ...]) -> None:
        self.acts = acts
        super().__init__(f"{len(acts)} came in between")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A result as it was entered, of a time or of a day.

    Attributes:
        key: made with the form, and the same however often it is sent.
        seen: the last act on the enrollment when the form was made.
    """

    enrollment: str
    target: str
    result: str
    key: str
    by: str
    seen: int
    collected_at: datetime | None = None
    on: date | None = None
    excuse: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Correction:
    """A correction as it was entered: another result or another day, or no result at all, which voids the entry."""

    enrollment: str
    record: int
    result: str
    why: str
    key: str
    by: str
    seen: int
    on: date | None = None
    same_result: bool = False


def enter(clinic: Clinic, entry: Entry) -> Recorded:
    """Enter a result, and the note with it: it is decided, or waits for another person where the program wants two.

    Raises:
        CameBetweenError: others recorded something since the form was made.
        EntryMismatchError: another person entered something else.
        CmEngineError: the engine refuses it.
    """

    def work(session: Session) -> Recorded:
        engine = clinic.engine.joining(session)
        lock(session, engine, entry.enrollment)
        refuse_if_others_came(engine, entry)
        done = engine.enter(
            enrollment=entry.enrollment,
            target=entry.target,
            result=entry.result,
            evidence=Evidence(excuse=entry.excuse) if entry.excuse else None,
            collected_at=entry.collected_at,
            on=entry.on,
            source=SOURCE,
            key=entry.key,
            by=entry.by,
        )
        write_note(clinic, session, done, entry.note)
        return done

    return clinic.written(work)


def again(first: WaitingEntry, result: str, *, key: str, by: str, seen: int) -> Entry:
    """Return an entry of the same visit as one that waits."""
    reported = first.reported
    return Entry(
        enrollment=first.enrollment,
        target=reported.get("target", ""),
        result=result,
        collected_at=datetime.fromisoformat(reported["at"]) if "at" in reported else None,
        on=date.fromisoformat(reported["on"]) if "on" in reported else None,
        key=key,
        by=by,
        seen=seen,
    )


def cancel(clinic: Clinic, enrollment: str, *, key: str, by: str) -> None:
    """Take off their way the payouts that a correction left not owed, and send what is still owed of them instead.

    Raises:
        CmEngineError: the engine refuses it.
    """

    def work(session: Session) -> None:
        engine = clinic.engine.joining(session)
        lock(session, engine, enrollment)
        act: dict[str, Any] = {"enrollment": enrollment, "source": SOURCE, "by": by}
        over = [way.number for way in ways_of(engine, enrollment) if way.is_over]
        done = [engine.decline(number=each, why=WHY_CANCELLED, key=f"{key}-{each}", **act) for each in over]
        balances = engine.balance(enrollment=enrollment) if done and clinic.pays_at_once(enrollment) else {}
        owed = [unit for unit, balance in balances.items() if balance.owed]
        for each in (*done, *(engine.redeem(unit=unit, key=f"{key}-{unit}", **act) for unit in owed)):
            write_note(clinic, session, each, WHY_CANCELLED)

    clinic.written(work)


def correct(clinic: Clinic, correction: Correction) -> Recorded:
    """Amend or void an entry, and write down why.

    Raises:
        CameBetweenError: others recorded something since the form was made.
        CmEngineError: the engine refuses it.
    """
    return clinic.written(_correcting(clinic, correction))


def try_correction(clinic: Clinic, correction: Correction) -> Recorded:
    """Return what a correction would lead to; nothing of it stays."""
    return clinic.tried_out(_correcting(clinic, correction))


def acted(  # noqa: PLR0913 - one for each thing that an act has
    clinic: Clinic,
    enrollment: str,
    make: Callable[[Engine, dict[str, Any]], Recorded],
    *,
    key: str,
    by: str,
    note: str,
    source: str = SOURCE,
) -> Recorded:
    """Act on an enrollment, and write the note about it, in one transaction.

    Raises:
        CmEngineError: the engine refuses it.
    """

    def work(session: Session) -> Recorded:
        engine = clinic.engine.joining(session)
        lock(session, engine, enrollment)
        done = make(engine, {"enrollment": enrollment, "source": source, "key": key, "by": by})
        write_note(clinic, session, done, note)
        return done

    return clinic.written(work)


def _correcting(clinic: Clinic, correction: Correction) -> Callable[[Session], Recorded]:
    def work(session: Session) -> Recorded:
        engine = clinic.engine.joining(session)
        lock(session, engine, correction.enrollment)
        refuse_if_others_came(engine, correction)
        done = _corrected(engine, correction)
        write_note(clinic, session, done, correction.why)
        return done

    return work


def _corrected(engine: Engine, given: Correction) -> Recorded:
    if given.result:
        return engine.amend(
            enrollment=given.enrollment,
            record=given.record,
            result="" if given.same_result else given.result,
            on=given.on,
            why=given.why,
            source=SOURCE,
            key=given.key,
            by=given.by,
        )
    return engine.void(
        enrollment=given.enrollment,
        record=given.record,
        why=given.why,
        source=SOURCE,
        key=given.key,
        by=given.by,
    )


def lock(session: Session, engine: Engine, enrollment: str) -> None:
    """Have writers to one participant wait for each other where the database serves many at once."""
    participant = engine.enrollment(enrollment).participant
    session.scalars(select(Participant).where(Participant.id == participant).with_for_update()).all()


def refuse_if_others_came(engine: Engine, given: Entry | Correction) -> None:
    """Refuse what was entered before something else came in, unless it is a repeat of what is recorded."""
    acts = engine.history(enrollment=given.enrollment)
    if any((act.source, act.key.partition("/")[0]) == (SOURCE, given.key) for act in acts):
        return  # an entry that waits has more in its key than the form gave
    between = tuple(act for act in acts if act.record > given.seen and act.kind not in HARMLESS)
    if between:
        raise CameBetweenError(between)


def write_note(
    clinic: Clinic, session: Session, done: Recorded, text: str, *, day: date | None = None
) -> None:
    """Write what the clinic says of an act, once; it is of today, if not of another day."""
    if done.replayed:
        return
    session.add(
        ChartNote(
            enrollment=done.enrollment,
            record=done.record,
            by=done.by,
            written_at=clinic.now(),
            day=day or clinic.today(),
            text=text,
        )
    )
    session.flush()
