"""A participant's page: where they stand, what comes next, and the statement."""

from examples.clinic.addresses import EnrollmentId
from examples.clinic.signin import Reading
from examples.clinic.view import chart_of
from examples.clinic.visits import plan_of
from examples.clinic.ways import ways_of
from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

router = APIRouter()


@router.get("/enrollments/{enrollment}")
def chart(visitor: Reading, enrollment: EnrollmentId) -> Response:
    """Show a participant's progress, what the next results would pay, the balance and the statement."""
    clinic = visitor.clinic
    found = chart_of(clinic, enrollment)
    others = list(clinic.engine.enrollments(participant=found.participant.id))
    return visitor.page(
        "chart.html",
        chart=found,
        statement=clinic.engine.statement(enrollment=enrollment),
        plan=plan_of(clinic, found),
        ways=ways_of(clinic.engine, enrollment),
        others=[each for each in others if each.id != enrollment],
    )


@router.get("/enrollments/{enrollment}/statement.txt")
def statement(visitor: Reading, enrollment: EnrollmentId) -> Response:
    """Return the statement as plain text, to be printed."""
    return PlainTextResponse(visitor.clinic.engine.statement(enrollment=enrollment).text())
