"""Entering a result: the decision is shown at once, or says what stands in its way."""

from secrets import token_hex

from examples.clinic.acts import CameBetweenError, Entry, record_entry
from examples.clinic.addresses import EnrollmentId
from examples.clinic.forms import NOTE_MAX, Form
from examples.clinic.second import put_aside, waiting
from examples.clinic.signin import Clerk, Posted, Visitor
from examples.clinic.terms import SYMBOLS
from examples.clinic.view import Chart, chart_of
from examples.clinic.visits import on_the_way
from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from cm_engine import CmEngineError, KeyConflictError, Recorded, StorageError

router = APIRouter()


@router.get("/enrollments/{enrollment}/enter")
def enter(visitor: Clerk, enrollment: EnrollmentId) -> Response:
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
def entered(visitor: Clerk, posted: Posted, enrollment: EnrollmentId) -> Response:
    """Record what was seen, or have it wait for its second entry."""
    chart, form = chart_of(visitor.clinic, enrollment), Form(posted)
    entry = read_entry(visitor, chart, form)
    if form.problems:
        return _form(visitor, chart, form, 422)
    try:
        return _taken(visitor, entry)
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
        return _form(visitor, chart, form, 422, refusal=str(error))


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


def _taken(visitor: Visitor, entry: Entry) -> Response:
    if visitor.clinic.settings.second_entry:
        pending, again = put_aside(visitor.clinic, entry)
        chart = chart_of(visitor.clinic, entry.enrollment)
        return visitor.page("aside.html", chart=chart, pending=pending, again=again)
    return decided(visitor, record_entry(visitor.clinic, entry))


def decided(visitor: Visitor, done: Recorded) -> Response:
    """Show a decision: what to hand over, why, and what comes next."""
    ways = on_the_way(visitor.clinic, done.enrollment)
    return visitor.page("decided.html", chart=chart_of(visitor.clinic, done.enrollment), done=done, ways=ways)


def _form(visitor: Visitor, chart: Chart, form: Form, status: int = 200, refusal: str = "") -> Response:
    with visitor.clinic.reading() as session:
        pending = waiting(session, chart.enrollment.id)
    return visitor.page("enter.html", status, chart=chart, form=form, refusal=refusal, pending=pending)
