"""Visits by their days: what staff have to see of what the engine knows."""

from dataclasses import dataclass
from datetime import date

from examples.clinic.clinic import Clinic
from examples.clinic.view import Chart

from cm_engine import PlannedVisit, Program

NEAR = 3
"""As many visits are shown around a day."""
COURSE = {"paused": True, "readmitted": False, "resumed": False}
"""Which acts begin a pause, and which end it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The visits of an enrollment that have days.

    Attributes:
        past: those that are decided.
        ahead: those that are not, in the order of their days.
        is_paused: whether a pause was begun and not ended yet.
    """

    past: tuple[PlannedVisit, ...]
    ahead: tuple[PlannedVisit, ...]
    is_paused: bool

    @property
    def changeable(self) -> tuple[PlannedVisit, ...]:
        """Return what can be excused or moved: what is ahead, and the misses that may be excused yet."""
        missed = (each for each in self.past if each.decision and not each.decision.record)
        return (*missed, *self.ahead)

    def near(self, day: date) -> list[PlannedVisit]:
        """Return the visits that are planned next to a day, in order."""
        found = sorted((*self.past, *self.ahead), key=lambda each: abs(each.on - day))[:NEAR]
        return sorted(found, key=lambda each: each.on)

    def visit(self, name: str) -> PlannedVisit | None:
        """Return a visit by the name that forms have for it."""
        return next((each for each in (*self.past, *self.ahead) if visit_name(each) == name), None)


def visit_name(visit: PlannedVisit) -> str:
    """Return what a form calls a visit."""
    return f"{visit.number} {visit.target}"


def has_windows(program: Program) -> bool:
    """Tell whether visits of a program have days."""
    return program.windows is not None or any(each.windows for each in program.targets.values())


def plan_of(clinic: Clinic, chart: Chart) -> Plan:
    """Return the visits of an enrollment; none for a program without windows."""
    found = clinic.engine.visits(enrollment=chart.enrollment.id) if has_windows(chart.program) else ()
    in_order = sorted(found, key=lambda each: (each.on, each.target))
    course = [COURSE[act.kind] for act in chart.acts if act.kind in COURSE]
    return Plan(
        past=tuple(each for each in in_order if each.status == "decided"),
        ahead=tuple(each for each in in_order if each.status != "decided"),
        is_paused=bool(course and course[-1]),
    )
