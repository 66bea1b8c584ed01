"""The auditor's pages: every act, and for one reward everything that led to it."""

from examples.clinic.addresses import EnrollmentId, Number
from examples.clinic.clinic import Clinic
from examples.clinic.facts import facts
from examples.clinic.pages.desk import FOUND_MAX, find
from examples.clinic.signin import Auditing
from examples.clinic.tables import ChartNote
from examples.clinic.view import chart_of
from fastapi import APIRouter
from sqlalchemy import select
from starlette.responses import Response

from cm_engine import RecordNotFoundError

router = APIRouter()


@router.get("/audit")
def listed(visitor: Auditing, q: str = "", verify: str = "") -> Response:
    """List the enrollments, and audit all of them if it is asked for."""
    verified = visitor.clinic.engine.verify() if verify == "all" else None
    found = find(visitor.clinic, q.strip())
    return visitor.page("audit.html", q=q, found=found, most=FOUND_MAX, verified=verified)


@router.get("/audit/{enrollment}")
def acts(visitor: Auditing, enrollment: EnrollmentId) -> Response:
    """Show every act on an enrollment, and whether the log is as it should be."""
    chart = chart_of(visitor.clinic, enrollment)
    verified = visitor.clinic.engine.verify(enrollment=enrollment)
    return visitor.page("audit_log.html", chart=chart, verified=verified)


@router.get("/audit/{enrollment}/{record}")
def reward(visitor: Auditing, enrollment: EnrollmentId, record: Number) -> Response:
    """Show why one reward was what it was, and every act that touched it."""
    clinic, chart = visitor.clinic, chart_of(visitor.clinic, enrollment)
    act = chart.act(record)
    if act is None:
        raise RecordNotFoundError(enrollment, record, "there is no such act")
    about = int(act.reported.get("of", record))
    decisions = [(each, found) for each in chart.acts for found in each.decisions if found.record == about]
    observed = chart.act(about) or act
    first = chart.act(observed.reported["entered"]["record"]) if "entered" in observed.reported else None
    about_it = {each.record for each, _ in decisions} | {about, first.record if first else about}
    return visitor.page(
        "audit_reward.html",
        chart=chart,
        act=observed,
        decisions=decisions,
        facts=facts,
        first=first,
        notes=_notes(clinic, enrollment, about_it),
        verified=clinic.engine.verify(enrollment=enrollment),
    )


def _notes(clinic: Clinic, enrollment: str, records: set[int]) -> list[ChartNote]:
    asked = select(ChartNote).where(ChartNote.enrollment == enrollment, ChartNote.record.in_(records))
    with clinic.reading() as session:
        return list(session.scalars(asked.order_by(ChartNote.id)))
