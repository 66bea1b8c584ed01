"""Second entries: a supervisor enters a result again without seeing the first."""

from examples.clinic.acts import CameBetweenError
from examples.clinic.addresses import Number
from examples.clinic.forms import Form
from examples.clinic.pages.entering import decided
from examples.clinic.second import (
    Compared,
    NotWaitingError,
    SamePersonError,
    enter_second,
    second_entries,
    waiting,
    withdraw,
)
from examples.clinic.signin import Posted, Supervising, Visitor, see
from examples.clinic.tables import PendingEntry
from examples.clinic.terms import SYMBOLS
from examples.clinic.view import chart_of
from fastapi import APIRouter
from starlette.responses import Response

from cm_engine import CmEngineError, StorageError

router = APIRouter()


@router.get("/second")
def listed(visitor: Supervising) -> Response:
    """List what waits for a second entry; the results are not shown."""
    with visitor.clinic.reading() as session:
        found = waiting(session)
    charts = [(each, chart_of(visitor.clinic, each.enrollment)) for each in found]
    return visitor.page("seconds.html", waiting=charts)


@router.get("/second/{number}")
def ask(visitor: Supervising, number: Number) -> Response:
    """Ask for the second entry."""
    return _asked(visitor, number, Form({}))


@router.post("/second/{number}")
def entered(visitor: Supervising, posted: Posted, number: Number) -> Response:
    """Compare the second entry with the first; record what is the same, and show what is not."""
    form = Form(posted)
    result = form.choice("result", SYMBOLS, asked="Choose the result.")
    if form.problems:
        return _asked(visitor, number, form, 422)
    try:
        found = enter_second(visitor.clinic, number, result, by=visitor.id, seen=form.number("seen"))
    except SamePersonError:
        form.wrong("", "You entered the first result yourself. Another person has to enter the second.")
        return _asked(visitor, number, form, 403)
    except NotWaitingError as error:
        return _over(visitor, error)
    except CameBetweenError as error:
        form.typed["seen"] = str(error.acts[-1].record)
        form.wrong(
            "", "Something came in between. Look at it, and enter the result again if it is still right."
        )
        return _asked(visitor, number, form, 409)
    except StorageError:
        raise
    except CmEngineError as error:
        return _asked(visitor, number, form, 422, refusal=str(error))
    return _compared(visitor, found)


@router.post("/second/{number}/withdraw")
def withdrawn(visitor: Supervising, posted: Posted, number: Number) -> Response:
    """Take back a first entry that was wrong."""
    _ = posted
    try:
        withdraw(visitor.clinic, number)
    except NotWaitingError as error:
        return _over(visitor, error)
    return see("/second")


def _compared(visitor: Visitor, found: Compared) -> Response:
    if found.recorded:
        return decided(visitor, found.recorded)
    chart = chart_of(visitor.clinic, found.pending.enrollment)
    return visitor.page("mismatch.html", 409, chart=chart, pending=found.pending, result=found.result)


def _asked(visitor: Visitor, number: int, form: Form, status: int = 200, refusal: str = "") -> Response:
    with visitor.clinic.reading() as session:
        pending = session.get(PendingEntry, number)
        if pending is None or pending not in waiting(session):
            return _over(visitor, NotWaitingError(pending.state if pending else ""))
        attempts = second_entries(session, number)
    chart = chart_of(visitor.clinic, pending.enrollment)
    form.typed.setdefault("seen", str(chart.last))
    return visitor.page(
        "second.html",
        status,
        chart=chart,
        pending=pending,
        attempts=attempts,
        form=form,
        refusal=refusal,
    )


def _over(visitor: Visitor, error: NotWaitingError) -> Response:
    sentence = {
        "recorded": "This result was confirmed already. It is recorded once.",
        "withdrawn": "This result was withdrawn. It is to be entered anew.",
    }.get(error.state, "Nothing waits under this number.")
    status = 409 if error.state else 404
    return visitor.page("message.html", status, title="Nothing to confirm", sentence=sentence, told="")
