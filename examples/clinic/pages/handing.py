"""Handing over: what was put on its way has reached the participant, or is not owed any more."""

from examples.clinic.acts import acted, cancel
from examples.clinic.addresses import EnrollmentId, Number
from examples.clinic.forms import Form
from examples.clinic.signin import Posted, Releasing, see
from examples.clinic.view import chart_of
from examples.clinic.ways import ways_of
from fastapi import APIRouter
from starlette.responses import Response

from cm_engine import ReportError

router = APIRouter()


@router.post("/enrollments/{enrollment}/hand-over/{number}")
def hand_over(visitor: Releasing, posted: Posted, enrollment: EnrollmentId, number: Number) -> Response:
    """Record that a payout reached the participant; what was recorded before is said to be."""
    clinic, engine = visitor.clinic, visitor.clinic.engine
    key = Form(posted).text("key", asked="This form is too old. Load the page again.")
    done = None
    try:
        done = acted(
            clinic,
            enrollment,
            lambda engine, act: engine.hand_over(**act, number=number),
            key=key,
            by=visitor.id,
            note="",
        )
    except ReportError:
        if all(way.number != number or way.act is None for way in ways_of(engine, enrollment)):
            raise
    ways = ways_of(engine, enrollment)
    way = next(each for each in ways if each.number == number)
    chart = chart_of(clinic, enrollment)
    return visitor.page("handed.html", 200 if done else 409, chart=chart, done=done, way=way, ways=ways)


@router.post("/enrollments/{enrollment}/cancel")
def cancelled(visitor: Releasing, posted: Posted, enrollment: EnrollmentId) -> Response:
    """Take off their way the payouts that are not owed any more, and show the participant's page."""
    key = Form(posted).text("key", asked="This form is too old. Load the page again.")
    cancel(visitor.clinic, enrollment, key=key, by=visitor.id)
    return see(f"/enrollments/{enrollment}#ways")
