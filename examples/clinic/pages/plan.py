"""The plan of one participant: absences excused, visits moved, pauses and returns."""

from collections.abc import Callable
from datetime import date
from typing import Any

from examples.clinic.acts import acted
from examples.clinic.addresses import EnrollmentId
from examples.clinic.forms import Form
from examples.clinic.pages.entering import status_of
from examples.clinic.signin import Pausing, Planning, Posted, Visitor
from examples.clinic.view import chart_of
from examples.clinic.visits import plan_of, visit_name
from fastapi import APIRouter
from starlette.responses import Response

from cm_engine import CmEngineError, Engine, KeyConflictError, PlannedVisit, Recorded, StorageError

router = APIRouter()
WHY = "Say why: auditors read it."

Make = Callable[[Engine, dict[str, Any]], Recorded]


@router.get("/enrollments/{enrollment}/plan")
def ask(visitor: Planning, enrollment: EnrollmentId, visit: str = "") -> Response:
    """Ask what changes in the plan."""
    return _asked(visitor, enrollment, Form({"visit": visit, "moved-visit": visit}))


@router.post("/enrollments/{enrollment}/plan/excuse")
def excuse(visitor: Planning, posted: Posted, enrollment: EnrollmentId) -> Response:
    """Excuse an absence."""
    form = Form(posted)
    visit, why = _visit(visitor, enrollment, form, "visit"), form.text("why", asked="Enter the reason.")
    return _done(
        visitor,
        enrollment,
        form,
        lambda engine, act: engine.excuse(**act, on=visit.on, target=visit.target, why=why),
    )


@router.post("/enrollments/{enrollment}/plan/move")
def move(visitor: Planning, posted: Posted, enrollment: EnrollmentId) -> Response:
    """Move a visit to another day."""
    form = Form(posted)
    visit = _visit(visitor, enrollment, form, "moved-visit")
    to, why = form.day("moved-to"), form.text("moved-why", asked=WHY)
    return _done(
        visitor,
        enrollment,
        form,
        lambda engine, act: engine.reschedule(**act, visit=visit.number, target=visit.target, to=to, why=why),
    )


@router.post("/enrollments/{enrollment}/plan/pause")
def pause(visitor: Pausing, posted: Posted, enrollment: EnrollmentId) -> Response:
    """Begin a pause."""
    form = Form(posted)
    on, why = form.day("on"), form.text("pause-why", asked=WHY)
    return _done(visitor, enrollment, form, lambda engine, act: engine.pause(**act, on=on, why=why))


@router.post("/enrollments/{enrollment}/plan/resume")
def resume(visitor: Pausing, posted: Posted, enrollment: EnrollmentId) -> Response:
    """End a pause."""
    form = Form(posted)
    on, why = form.day("on"), form.text("pause-why", asked=WHY)
    return _done(visitor, enrollment, form, lambda engine, act: engine.resume(**act, on=on, why=why))


def _visit(visitor: Visitor, enrollment: str, form: Form, field: str) -> PlannedVisit:
    """Return the visit that a form names; the form says so if there is none."""
    plan = plan_of(visitor.clinic, chart_of(visitor.clinic, enrollment))
    named = form.choice(field, map(visit_name, (*plan.past, *plan.ahead)), asked="Choose the visit.")
    found = plan.visit(named)
    day = date(2000, 1, 1)
    return found or PlannedVisit(enrollment, "", "", 0, 0, day, day, day, "planned")


def _done(visitor: Visitor, enrollment: str, form: Form, make: Make) -> Response:
    key = form.text("key", asked="This form is too old. Load the page again.")
    if form.problems:
        return _asked(visitor, enrollment, form, 422)
    note = next((form.typed[name] for name in ("why", "moved-why", "pause-why") if name in form.typed), "")
    try:
        done = acted(visitor.clinic, enrollment, make, key=key, by=visitor.id, note=note)
    except (KeyConflictError, StorageError):
        raise
    except CmEngineError as error:
        return _asked(visitor, enrollment, form, status_of(error), refusal=error)
    chart = chart_of(visitor.clinic, enrollment)
    return visitor.page("planned.html", chart=chart, done=done, plan=plan_of(visitor.clinic, chart))


def _asked(
    visitor: Visitor, enrollment: str, form: Form, status: int = 200, refusal: CmEngineError | None = None
) -> Response:
    chart = chart_of(visitor.clinic, enrollment)
    return visitor.page(
        "plan.html",
        status,
        chart=chart,
        plan=plan_of(visitor.clinic, chart),
        form=form,
        refusal=refusal,
        today=visitor.clinic.today(),
    )
