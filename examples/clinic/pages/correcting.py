"""Correcting an entry: what would change is shown first, and recorded when it is confirmed."""

from secrets import token_hex

from examples.clinic.acts import SOURCE, CameBetweenError, Correction, correct, try_correction
from examples.clinic.addresses import EnrollmentId, Number
from examples.clinic.forms import Form
from examples.clinic.pages.entering import status_of
from examples.clinic.signin import Correcting, Posted, Visitor
from examples.clinic.terms import SYMBOLS
from examples.clinic.view import NOT_COUNTED, UNPLACED, Chart, changes, chart_of, standing
from examples.clinic.visits import plan_of
from examples.clinic.ways import ways_of
from fastapi import APIRouter
from starlette.responses import Response

from cm_engine import CmEngineError, KeyConflictError, Recorded, RecordNotFoundError, StorageError

router = APIRouter()
VOID = "void"
PATH = "/enrollments/{enrollment}/records/{record}/correct"


@router.get(PATH)
def ask(visitor: Correcting, enrollment: EnrollmentId, record: Number) -> Response:
    """Ask what is wrong with an entry."""
    chart = chart_of(visitor.clinic, enrollment)
    decision = chart.decision_on(record)
    if decision is None:
        raise RecordNotFoundError(enrollment, record, "there is no entry that stands under this number")
    fresh = {
        "key": token_hex(16),
        "seen": str(chart.last),
        "on": str(decision.on or ""),
        "was": str(decision.on or ""),
    }
    is_asked = decision.outcome in {UNPLACED, NOT_COUNTED}
    return _form(
        visitor, chart, record, Form(fresh | ({"result": chart.reported(record)} if is_asked else {}))
    )


@router.post(PATH)
def corrected(visitor: Correcting, posted: Posted, enrollment: EnrollmentId, record: Number) -> Response:
    """Show what a correction would change, or make it."""
    chart, form = chart_of(visitor.clinic, enrollment), Form(posted)
    correction = _read(visitor, chart, record, form)
    if form.problems:
        return _form(visitor, chart, record, form, 422)
    is_known = chart.with_key(SOURCE, correction.key) is not None
    is_review = not (posted.get("confirmed") or is_known)
    try:
        done = (try_correction if is_review else correct)(visitor.clinic, correction)
    except CameBetweenError as error:
        form.typed["seen"] = str(error.acts[-1].record)
        return _form(visitor, chart, record, form, 409, between=error.acts)
    except (KeyConflictError, StorageError):
        raise
    except CmEngineError as error:
        return _form(visitor, chart, record, form, status_of(error), refusal=error)
    return _shown(visitor, chart, correction, done, is_review=is_review)


def _read(visitor: Visitor, chart: Chart, record: int, form: Form) -> Correction:
    on = form.day("on") if form.typed.get("on", "") != form.typed.get("was", "") else None
    result = form.choice("result", [*SYMBOLS, VOID], asked="Choose what is right.")
    is_same = on is not None and result == chart.reported(record)
    return Correction(
        enrollment=chart.enrollment.id,
        record=record,
        on=on,
        same_result=form.typed["same"] == "yes" if "same" in form.typed else is_same,
        result="" if result == VOID else result,
        why=form.text("why", asked="Say why: auditors read it."),
        key=form.text("key", asked="This form is too old. Load the page again."),
        seen=form.number("seen"),
        by=visitor.id,
    )


def _form(  # noqa: PLR0913 - one for each thing that the page shows
    visitor: Visitor,
    chart: Chart,
    record: int,
    form: Form,
    status: int = 200,
    *,
    refusal: CmEngineError | None = None,
    between: tuple[Recorded, ...] = (),
) -> Response:
    decision = chart.decision_on(record)
    return visitor.page(
        "correct.html",
        status,
        chart=chart,
        record=record,
        decision=decision,
        near=plan_of(visitor.clinic, chart).near(decision.on) if decision and decision.on else [],
        form=form,
        refusal=refusal,
        between=between,
    )


def _shown(
    visitor: Visitor, chart: Chart, correction: Correction, done: Recorded, *, is_review: bool
) -> Response:
    before = standing(act for act in chart.acts if act.record < done.record)
    return visitor.page(
        "corrected.html",
        chart=chart,
        correction=correction,
        done=done,
        changes=changes(before, done),
        is_review=is_review,
        over=[]
        if is_review
        else [way for way in ways_of(visitor.clinic.engine, done.enrollment) if way.is_over],
    )
