"""Participants at risk: whom the signals of their program tell of, and who is about to lose a level."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from cm_engine.engine import Engine
from cm_engine.messages.arising import timelines_of
from cm_engine.messages.signals import Fired, signals
from cm_engine.program.words import Signal, Turn
from cm_engine.reports.page import Tile
from cm_engine.reports.reading import Clinic, Course
from cm_engine.reports.sheet import Report, Sheet
from cm_engine.rules.reasons import WasReset
from cm_engine.rules.state import Decision
from cm_engine.views.visiting import PlannedVisit

RECENT = timedelta(days=14)
"""For so long after its visit is a signal listed."""
CLOSING = timedelta(days=1)
"""A visit that closes within this time is about to be missed."""
STANDARD = (
    Signal(name="missed-twice", when=Turn(missed=2), to=("counselor",)),
    Signal(name="slip-after-a-long-run", when=Turn(positive_after=6), to=("counselor",)),
    Signal(name="no-reward-yet", when=Turn(no_reward_in_first=4), to=("counselor",)),
)
"""What is looked for where a program has no signals of its own."""


class AtRisk(NamedTuple):
    """A signal that a visit of the last days gave."""

    signal: str
    participant: str
    enrollment: str
    site: str
    target: str
    visit: int
    on: date | None
    to: tuple[str, ...]


class Losing(NamedTuple):
    """A visit that is about to be missed, and whose miss would reset the level."""

    participant: str
    enrollment: str
    site: str
    target: str
    visit: int
    closes: date
    status: str
    next_reward: tuple[str, ...]


def risk_report(engine: Engine, clinic: Clinic) -> Report:
    """Return the lists of participants at risk."""
    fired, losing = list(_at_risk(clinic)), list(_losing(engine, clinic))
    sheets = (
        Sheet("signals", "Signals", SIGNALS, AtRisk, fired),
        Sheet("losing", "About to lose a level", LOSING, Losing, losing),
    )
    tiles = (
        Tile("Participants with a signal", str(len({each.participant for each in fired}))),
        Tile("About to lose a level", str(len({each.participant for each in losing}))),
    )
    return Report(
        "risk",
        "Participants at risk",
        f"{clinic.scope}: open enrollments, as of {clinic.on:%d %b %Y}.",
        sheets,
        tiles,
    )


SIGNALS = (
    f"Signals as the program gives them to the care team, of visits of the last {RECENT.days} days. Programs without any: missed "
    "twice, a slip after 6 in a row, no reward in the first 4 visits."
)
LOSING = "Visits that are overdue or close by tomorrow, where a miss would reset what has been reached; and what meeting it pays."


def _at_risk(clinic: Clinic) -> Iterator[AtRisk]:
    for course in filter(lambda each: each.is_open, clinic.here):
        days = {(each.target, each.visit): each.on for each in course.standing}
        for each in fired_in(course):
            on = days.get((each.target, each.visit))
            if on and clinic.on - RECENT <= on <= clinic.on:
                yield AtRisk(
                    each.name,
                    course.enrollment.participant,
                    course.enrollment.id,
                    course.site(clinic.on),
                    each.target,
                    each.visit,
                    on,
                    each.to,
                )


def fired_in(course: Course) -> Iterator[Fired]:
    """Yield all signals that the visits of an enrollment gave."""
    standing = sorted(course.standing, key=lambda each: each.visit)
    return signals(course.program.signals or STANDARD, timelines_of(standing, course.program.targets))


def _losing(engine: Engine, clinic: Clinic) -> Iterator[Losing]:
    for course in filter(lambda each: each.is_open, clinic.here):
        if closing := _closing(course.visits, clinic.on):
            ahead = engine.preview(enrollment=course.enrollment.id)
            for visit in closing:
                row = _lost(course, visit, ahead.get(visit.target, {}), clinic.on)
                if row:
                    yield row


def _closing(visits: Sequence[PlannedVisit], on: date) -> list[PlannedVisit]:
    """Return the first visit of each target that is about to be missed."""
    found: dict[str, PlannedVisit] = {}
    for each in visits:
        if each.status == "overdue" or (each.status == "open" and each.closes <= on + CLOSING):
            found.setdefault(each.target, each)
    return list(found.values())


def _lost(course: Course, visit: PlannedVisit, ahead: Mapping[str, Decision], on: date) -> Losing | None:
    missed, met = (ahead.get(symbol) for symbol in ("o", "-"))
    if not missed or not any(isinstance(reason, WasReset) for reason in missed.reasons):
        return None
    pays = tuple(f"{amount} {unit}" for unit, amount in met.awards.items() if amount) if met else ()
    enrollment = course.enrollment
    return Losing(
        enrollment.participant,
        enrollment.id,
        course.site(on),
        visit.target,
        visit.number,
        visit.closes,
        visit.status,
        pays,
    )
