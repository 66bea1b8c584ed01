"""Entering a result: the decision is shown at once, or says what stands in its way."""

import json
from secrets import token_hex

from examples.clinic.acts import CameBetweenError, Entry, enter
from examples.clinic.addresses import EnrollmentId
from examples.clinic.forms import NOTE_MAX, Form
from examples.clinic.signin import Entering, Posted, Visitor
from examples.clinic.terms import SYMBOLS
from examples.clinic.view import Chart, chart_of
from examples.clinic.ways import ways_of
from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from cm_engine import (
    CmEngineError,
    EntryMismatchError,
    KeyConflictError,
    NotAllowedError,
    StorageError,
)

router = APIRouter()


@router.get("/enrollments/{enrollment}/enter")
def ask(visitor: Entering, enrollment: EnrollmentId) -> Response:
    """Ask what was seen."""
    chart = chart_of(visitor.clinic, enrollment)
    fresh = {
        "key": token_hex(16),
        "seen": str(chart.last),
        "target": chart.targets[0] if len(chart.targets) == 1 else "",
        "collected_at": f"{visitor.clinic.now():%Y-%m-%dT%H:%M}",
    }
    return _form(visitor, chart, Form(fresh))


@router.post("/enrollments/{enrollment}/enter")
def entered(visitor: Entering, posted: Posted, enrollment: EnrollmentId) -> Response:
    """Enter what was seen: it is decided, or waits for another person."""
    chart, form = chart_of(visitor.clinic, enrollment), Form(posted)
    entry = read_entry(visitor, chart, form)
    if form.problems:
        return _form(visitor, chart, form, 422)
    try:
        return taken(visitor, entry)
    except CameBetweenError as error:
        return visitor.page("between.html", 409, chart=chart, entry=entry, between=error.acts)
    except KeyConflictError as error:
        return visitor.page("conflict.html", 409, chart=chart, error=error)
    except (StorageError, SQLAlchemyError):
        form.wrong(
            "", "The records cannot be reached. Nothing is lost: send this form again, it is recorded once."
        )
        return _form(visitor, chart, form, 503)
    except CmEngineError as error:
        if entry.collected_at and entry.collected_at > visitor.clinic.now():
            form.wrong("collected_at", "This time has not come yet.")
        return _form(visitor, chart, form, status_of(error), refusal=error)


def read_entry(visitor: Visitor, chart: Chart, form: Form) -> Entry:
    """Return an entry as it was typed; the form says what is wrong with it."""
    return Entry(
        enrollment=chart.enrollment.id,
        target=form.choice("target", chart.program.targets, asked="Choose what it is a result of."),
        result=form.choice("result", SYMBOLS, asked="Choose the result."),
        collected_at=form.local_time("collected_at", visitor.clinic.zone),
        excuse=form.text("excuse"),
        note=form.text("note", at_most=NOTE_MAX, lines=True),
        key=form.text("key", asked="This form is too old. Load the page again."),
        seen=form.number("seen"),
        by=visitor.id,
    )


def taken(visitor: Visitor, entry: Entry) -> Response:
    """Enter a result, and show what came of it: a decision, that it waits, or that two entries differ.

    Raises:
        CameBetweenError: others recorded something since the form was made.
        CmEngineError: the engine refuses it.
    """
    try:
        done = enter(visitor.clinic, entry)
    except EntryMismatchError as error:
        return _mismatch(visitor, error)
    chart = chart_of(visitor.clinic, entry.enrollment)
    if done.kind == "entered":
        waits = any(each.record == done.record for each in chart.waiting)
        return visitor.page("aside.html", chart=chart, done=done, waits=waits)
    ways = ways_of(visitor.clinic.engine, done.enrollment)
    return visitor.page("decided.html", chart=chart, done=done, ways=ways)


def status_of(error: CmEngineError) -> int:
    """Return the status of a form that is refused."""
    return 403 if isinstance(error, NotAllowedError) else 422


def _mismatch(visitor: Visitor, error: EntryMismatchError) -> Response:
    chart = chart_of(visitor.clinic, error.enrollment)
    return visitor.page(
        "mismatch.html",
        409,
        chart=chart,
        first=chart.act(error.record),
        second=json.loads(error.second),
    )


def _form(
    visitor: Visitor, chart: Chart, form: Form, status: int = 200, refusal: CmEngineError | None = None
) -> Response:
    return visitor.page("enter.html", status, chart=chart, form=form, refusal=refusal)
