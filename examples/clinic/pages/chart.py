"""A participant's page: where they stand, what comes next, and the statement."""

from examples.clinic.addresses import EnrollmentId
from examples.clinic.second import waiting
from examples.clinic.signin import Signed
from examples.clinic.view import chart_of
from examples.clinic.visits import on_the_way, plan_of
from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

router = APIRouter()


@router.get("/enrollments/{enrollment}")
def chart(visitor: Signed, enrollment: EnrollmentId) -> Response:
    """Show a participant's progress, what the next results would pay, the balance and the statement."""
    clinic = visitor.clinic
    found = chart_of(clinic, enrollment)
    with clinic.reading() as session:
        pending = waiting(session, enrollment)
    others = list(clinic.engine.enrollments(participant=found.participant.id))
    return visitor.page(
        "chart.html",
        chart=found,
        statement=clinic.engine.statement(enrollment=enrollment),
        pending=pending,
        plan=plan_of(clinic, found),
        ways=on_the_way(clinic, enrollment),
        others=[each for each in others if each.id != enrollment],
    )


@router.get("/enrollments/{enrollment}/statement.txt")
def statement(visitor: Signed, enrollment: EnrollmentId) -> Response:
    """Return the statement as plain text, to be printed."""
    return PlainTextResponse(visitor.clinic.engine.statement(enrollment=enrollment).text())
