"""The front desk: find a participant, or enroll a new one."""

from dataclasses import dataclass
from datetime import date
from secrets import token_hex

from examples.clinic.clinic import Clinic
from examples.clinic.forms import Form
from examples.clinic.signin import Enrolling, Posted, Reading, Visitor, see
from examples.clinic.tables import ChartNote, Participant
from examples.clinic.view import program_name
from fastapi import APIRouter
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from starlette.responses import Response

from cm_engine import Enrollment

router = APIRouter()
FOUND_MAX = 50
LABEL_MAX = 40


@dataclass(frozen=True, kw_only=True)
class Found:
    """A participant with one enrollment, and when they were last seen."""

    participant: Participant
    enrollment: Enrollment
    program: str
    seen: date | None


@router.get("/desk")
def desk(visitor: Reading, q: str = "") -> Response:
    """Find participants by a part of their label, or by their id."""
    found = find(visitor.clinic, q.strip())
    return visitor.page("desk.html", q=q, found=found, most=FOUND_MAX)


def find(clinic: Clinic, asked: str) -> list[Found]:
    """Return participants with their enrollments, by label."""
    with clinic.reading() as session:
        here = select(Participant).order_by(Participant.label).limit(FOUND_MAX)
        if asked and not asked.isprintable():
            return []
        if asked:
            here = here.where(
                or_(Participant.id == asked, Participant.label.icontains(asked, autoescape=True))
            )
        return [each for who in session.scalars(here) for each in _enrollments(clinic, session, who)]


def _enrollments(clinic: Clinic, session: Session, who: Participant) -> list[Found]:
    found = clinic.engine.enrollments(participant=who.id)
    ids = [each.id for each in found]
    asked = select(ChartNote.enrollment, func.max(ChartNote.day)).where(ChartNote.enrollment.in_(ids))
    seen = dict(session.execute(asked.group_by(ChartNote.enrollment)).all())
    return [
        Found(
            participant=who,
            enrollment=each,
            program=clinic.programs[each.program].title,
            seen=seen.get(each.id),
        )
        for each in found
    ]


@router.get("/enroll")
def enroll(visitor: Enrolling) -> Response:
    """Ask whom to enroll."""
    return _asked(visitor, Form({"start": visitor.clinic.today().isoformat(), "key": token_hex(12)}))


@router.post("/enroll")
def enrolled(visitor: Enrolling, posted: Posted) -> Response:
    """Enroll a participant under a made id; the label and the enrollment commit together."""
    form, names = Form(posted), _programs(visitor.clinic)
    label = form.text("label", asked="Enter a label.", at_most=LABEL_MAX)
    program = form.choice("program", names, asked="Choose a program.")
    start = form.day("start")
    key = form.text("key", asked="This form is too old. Load the page again.")
    if _is_taken(visitor.clinic, label, key):
        form.wrong("label", "Another participant has this label.")
    if form.problems:
        return _asked(visitor, form, 422)
    participant = f"p-{key}"

    def work(session: Session) -> Enrollment:
        session.merge(Participant(id=participant, label=label))
        session.flush()
        return visitor.clinic.engine.joining(session).enroll(
            participant=participant, program=program, start=start, by=visitor.id
        )

    return see(f"/enrollments/{visitor.clinic.written(work).id}")


def _asked(visitor: Visitor, form: Form, status: int = 200) -> Response:
    return visitor.page("enroll.html", status, form=form, programs=_programs(visitor.clinic))


def _programs(clinic: Clinic) -> dict[str, str]:
    """Return the titles of the programs by id and version."""
    return {program_name(clinic, digest): program.title for digest, program in clinic.programs.items()}


def _is_taken(clinic: Clinic, label: str, key: str) -> bool:
    with clinic.reading() as session:
        found = session.scalars(select(Participant).where(Participant.label == label)).first()
    return found is not None and found.id != f"p-{key}"
