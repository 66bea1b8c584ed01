"""Handing over: what was put on its way has reached the participant."""

from examples.clinic.acts import acted
from examples.clinic.addresses import EnrollmentId, Number
from examples.clinic.forms import Form
from examples.clinic.signin import Clerk, Posted
from examples.clinic.view import chart_of
from examples.clinic.visits import handed, on_the_way
from fastapi import APIRouter
from starlette.responses import Response

from cm_engine import ReportError

router = APIRouter()


@router.post("/enrollments/{enrollment}/hand-over/{number}")
def hand_over(visitor: Clerk, posted: Posted, enrollment: EnrollmentId, number: Number) -> Response:
    """Record that a payout reached the participant; what was recorded before is said to be."""
    key = Form(posted).text("key", asked="This form is too old. Load the page again.")
    done = None
    try:
        done = acted(
            visitor.clinic,
            enrollment,
            lambda engine, act: engine.hand_over(**act, number=number),
            key=key,
            by=visitor.id,
            note="",
        )
    except ReportError:
        if not handed(visitor.clinic, enrollment, number):
            raise
    return visitor.page(
        "handed.html",
        200 if done else 409,
        chart=chart_of(visitor.clinic, enrollment),
        done=done,
        amounts=handed(visitor.clinic, enrollment, number),
        ways=on_the_way(visitor.clinic, enrollment),
    )
