"""A made-up cohort, to look around in: labels are pairs of words, and nobody stands behind them."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from examples.clinic.acts import write_note
from examples.clinic.clinic import Clinic
from examples.clinic.tables import Participant
from sqlalchemy import select
from sqlalchemy.orm import Session

from cm_engine import Engine, Enrollment, Evidence, Recorded

WEEK, ONE_DAY = timedelta(weeks=1), timedelta(days=1)
MISSED = "o"
OWN_PROGRAM = "clinic-recovery-incentives"
COHORT: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("p-101", "Blue Heron", OWN_PROGRAM, {"stimulants": "------+----"}),
    ("p-102", "Quiet River", OWN_PROGRAM, {"stimulants": "----o---e-"}),
    ("p-103", "Red Maple", OWN_PROGRAM, {"stimulants": "--+-o-+--"}),
    ("p-104", "Tall Cedar", OWN_PROGRAM, {"stimulants": "-----------"}),
    ("p-105", "Early Snow", "va-prize", {"abstinence": "-----+---"}),
    ("p-106", "Warm Stone", "va-prize", {"abstinence": "--*------"}),
    (
        "p-107",
        "Green Field",
        "template-integrated-care",
        {"stimulants": "----+---", "medication": "----", "counselling": "--o-"},
    ),
    ("p-108", "New Moon", OWN_PROGRAM, {}),
)
"""Opaque id, label, program, and results by target; the first is of the Monday five weeks ago.

Where visits have days, nobody reports a miss: a later result shows it.
"""
TO_HAND_OVER = {"p-102", "p-104"}
"""Whose last reward is not handed over yet."""
WAITS = {"p-104"}
"""Whose last result was entered by one person so far."""


def seed(clinic: Clinic) -> None:
    """Fill an empty clinic with a made-up cohort; one that has participants stays as it is."""
    with clinic.reading() as session:
        if session.scalars(select(Participant).limit(1)).first() is not None:
            return
    for participant, label, program, results in COHORT:
        _enroll(clinic, participant, label, program, results)


def _enroll(clinic: Clinic, participant: str, label: str, program: str, results: dict[str, str]) -> None:
    monday = clinic.today() - timedelta(days=clinic.today().weekday())
    start = monday - 5 * WEEK if results else monday

    visits = list(_visits(clinic, start, results))

    def work(session: Session) -> None:
        given: list[Recorded] = []
        session.add(Participant(id=participant, label=label))
        engine = clinic.engine.joining(session)
        enrolled = engine.enroll(participant=participant, program=program, start=start, by="desk-1")
        for number, (at, target, result) in enumerate(visits, 1):
            if result == MISSED and program == OWN_PROGRAM:
                continue
            alone = participant in WAITS and number == len(visits)
            entry: dict[str, Any] = {
                "enrollment": enrolled.id,
                "target": target,
                "result": result,
                "evidence": Evidence(excuse="illness") if result == "e" else None,
                "collected_at": at,
                "source": "demo",
                "key": f"{participant}-{number}",
            }
            done = _entered(engine, entry, alone=alone, number=number)
            write_note(clinic, session, done, "", day=at.date())
            given.append(done)
        _hand_over(clinic, session, engine, given[:-1] if participant in TO_HAND_OVER else given)
        if not results:
            _ask(clinic, session, engine, enrolled)

    clinic.written(work)


def _entered(engine: Engine, entry: dict[str, Any], *, alone: bool = False, number: int = 1) -> Recorded:
    """Enter a result by one person, and by another where it takes two."""
    one, other = f"desk-{1 + number % 2}", f"desk-{2 - number % 2}"
    done = engine.enter(**entry, by=one)
    return done if done.kind != "entered" or alone else engine.enter(**entry, by=other)


def _hand_over(clinic: Clinic, session: Session, engine: Engine, given: list[Recorded]) -> None:
    """Have what was put on its way arrive."""
    for done in given:
        if done.hand_over:
            key = f"{done.key}-given"
            arrived = engine.hand_over(
                enrollment=done.enrollment, number=done.number, source="demo", key=key, by=done.by
            )
            if done.on == clinic.today():
                write_note(clinic, session, arrived, "")


def _ask(clinic: Clinic, session: Session, engine: Engine, enrolled: Enrollment) -> None:
    """Have a result of a day before the program began: it fits no visit, and somebody is asked."""
    entry = {
        "enrollment": enrolled.id,
        "result": "-",
        "on": enrolled.start - 3 * ONE_DAY,
        "source": "demo",
        "key": f"{enrolled.participant}-odd",
    }
    done = _entered(engine, entry)
    write_note(clinic, session, done, "", day=clinic.today())


def _visits(clinic: Clinic, start: date, results: dict[str, str]) -> Iterator[tuple[datetime, str, str]]:
    """Yield visits in the order of their days: two a week of the first target, one a week of the others."""
    found = []
    for hour, (target, word) in enumerate(results.items(), 9):
        for number, result in enumerate(word):
            days = 7 * (number // 2) + 3 * (number % 2) if hour == 9 else 7 * number  # noqa: PLR2004
            at = datetime.combine(start + timedelta(days=days), time(hour, 15 + number), clinic.zone)
            found.append((at, target, result))
    yield from sorted(each for each in found if each[0] <= clinic.now())
