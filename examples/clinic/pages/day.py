"""The list of a day: of the front desk, and of a supervisor, who closes the days before."""

from datetime import date, timedelta

from examples.clinic.day import day_list
from examples.clinic.signin import Entering, Posted, Sweeping, Visitor
from examples.clinic.view import Chart, chart_of
from fastapi import APIRouter
from starlette.responses import Response

from cm_engine import RecordedDecision

router = APIRouter()
ONE_DAY = timedelta(days=1)


@router.get("/day")
def day(visitor: Entering, day: str = "") -> Response:
    """Show who was recorded on a day, what was to be handed over, and who has not been seen."""
    asked, today = _day(day, visitor.clinic.today()), visitor.clinic.today()
    found = day_list(visitor.clinic, asked)
    return visitor.page(
        "day.html",
        found=found,
        questions=[(label, *_asked_about(visitor, of, each)) for label, of, each in found.questions],
        today=today,
        before=asked - ONE_DAY,
        after=asked + ONE_DAY,
        pending=len(visitor.clinic.engine.waiting()),
    )


@router.post("/day/close")
def close(visitor: Sweeping, posted: Posted) -> Response:
    """Decide the visits that were over by yesterday, and say what was decided."""
    _ = posted
    swept = visitor.clinic.engine.sweep(by=visitor.id)
    charts = [(chart_of(visitor.clinic, done.enrollment), done) for done in swept]
    return visitor.page("swept.html", swept=charts)


def _asked_about(
    visitor: Visitor, enrollment: str, question: RecordedDecision
) -> tuple[Chart, str, RecordedDecision]:
    """Return a question with its chart, and the result as it was reported."""
    chart = chart_of(visitor.clinic, enrollment)
    return chart, chart.reported(question.record), question


def _day(asked: str, today: date) -> date:
    """Return the day that is asked for; what is no day, or has not come, is today."""
    try:
        found = date.fromisoformat(asked)
    except ValueError:
        return today
    return found if date(1900, 1, 1) < found <= today else today
