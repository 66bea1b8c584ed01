"""Second entries: what the engine has waiting, entered again by another person who does not see the first."""

from secrets import token_hex

from examples.clinic.acts import CameBetweenError, acted, again
from examples.clinic.addresses import EnrollmentId, Number
from examples.clinic.forms import Form
from examples.clinic.pages.entering import status_of, taken
from examples.clinic.signin import Entering, Posted, Visitor, Withdrawing, see
from examples.clinic.terms import SYMBOLS
from examples.clinic.view import Chart, chart_of
from fastapi import APIRouter
from starlette.responses import Response

from cm_engine import CmEngineError, RecordNotFoundError, StorageError

router = APIRouter()
PATH = "/second/{enrollment}/{record}"


@router.get("/second")
def listed(visitor: Entering) -> Response:
    """List what waits for a second entry; the results are not shown."""
    clinic = visitor.clinic
    waiting = [(each, chart_of(clinic, each.enrollment)) for each in clinic.engine.waiting()]
    return visitor.page("seconds.html", waiting=waiting)


@router.get(PATH)
def ask(visitor: Entering, enrollment: EnrollmentId, record: Number) -> Response:
    """Ask for the second entry."""
    return _asked(visitor, chart_of(visitor.clinic, enrollment), record, Form({"key": token_hex(16)}))


@router.post(PATH)
def entered(visitor: Entering, posted: Posted, enrollment: EnrollmentId, record: Number) -> Response:
    """Enter the result again: what is the same is decided, and what is not is shown."""
    chart, form = chart_of(visitor.clinic, enrollment), Form(posted)
    first = chart.waits(record)
    result = form.choice("result", SYMBOLS, asked="Choose the result.")
    key = form.text("key", asked="This form is too old. Load the page again.")
    if first is None or form.problems:
        return _asked(visitor, chart, record, form, 422)
    try:
        return taken(visitor, again(first, result, key=key, by=visitor.id, seen=form.number("seen")))
    except CameBetweenError as error:
        form.typed["seen"] = str(error.acts[-1].record)
        form.wrong(
            "", "Something came in between. Look at it, and enter the result again if it is still right."
        )
        return _asked(visitor, chart, record, form, 409)
    except StorageError:
        raise
    except CmEngineError as error:
        return _asked(visitor, chart, record, form, status_of(error), refusal=error)


@router.post(f"{PATH}/withdraw")
def withdrawn(visitor: Withdrawing, posted: Posted, enrollment: EnrollmentId, record: Number) -> Response:
    """Take back a first entry that was wrong."""
    form = Form(posted)
    why = form.text("why", asked="Say why: auditors read it.")
    key = form.text("key", asked="This form is too old. Load the page again.")
    if form.problems:
        return _asked(visitor, chart_of(visitor.clinic, enrollment), record, form, 422)
    try:
        acted(
            visitor.clinic,
            enrollment,
            lambda engine, act: engine.withdraw_entry(**act, record=record, why=why),
            key=key,
            by=visitor.id,
            note=why,
        )
    except RecordNotFoundError:
        return _asked(visitor, chart_of(visitor.clinic, enrollment), record, form)
    return see("/second")


def _asked(  # noqa: PLR0913 - one for each thing that the page shows
    visitor: Visitor,
    chart: Chart,
    record: int,
    form: Form,
    status: int = 200,
    *,
    refusal: CmEngineError | None = None,
) -> Response:
    first = chart.waits(record)
    if first is None:
        return _over(visitor, chart, record)
    form.typed.setdefault("seen", str(chart.last))
    people = chart.program.people
    symbols = [each for each in SYMBOLS if people and people.wants_two(each, "")]
    target = first.reported.get("target") or next(iter(chart.program.targets))
    values = {"chart": chart, "first": first, "target": target, "symbols": symbols, "form": form}
    return visitor.page("second.html", status, **values, refusal=refusal)


def _over(visitor: Visitor, chart: Chart, record: int) -> Response:
    """Say what became of an entry that does not wait."""
    act = chart.act(record)
    if act is None or act.kind != "entered":
        return _nothing(visitor, 404, "Nothing waits under this number.")
    if any(each.kind == "withdrawn" and each.reported["of"] == record for each in chart.acts):
        return _nothing(visitor, 409, "This result was withdrawn. It is to be entered anew.")
    return _nothing(visitor, 409, "This result was confirmed already. It is recorded once.")


def _nothing(visitor: Visitor, status: int, sentence: str) -> Response:
    return visitor.page("message.html", status, title="Nothing to confirm", sentence=sentence, told="")
