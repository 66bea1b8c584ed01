"""The operations for systems: the same acts as on the pages, with the same notes beside them."""

from collections.abc import Callable
from secrets import compare_digest
from typing import Annotated, Any

from examples.clinic.acts import acted
from examples.clinic.addresses import EnrollmentId
from examples.clinic.api import models, shapes
from examples.clinic.api.problems import declared
from examples.clinic.clinic import Clinic
from examples.clinic.day import everybody_of
from examples.clinic.tables import Participant
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.exceptions import HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

import cm_engine

bearer = HTTPBearer(auto_error=False, description="the token that the clinic gave to the calling system")


def clinic_of(request: Request) -> Clinic:
    """Return the clinic that is open."""
    clinic: Clinic = request.app.state.clinic
    return clinic


Here = Annotated[Clinic, Depends(clinic_of)]


def caller(clinic: Here, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
    """Return the name of the system that calls: the source of its keys."""
    token = given.credentials.encode("utf-8", "replace") if given else b""
    for name, known in clinic.settings.api_tokens.items():
        if compare_digest(known.encode(), token):
            return name
    raise HTTPException(401, "send a bearer token that the clinic gave you", {"www-authenticate": "Bearer"})


Caller = Annotated[str, Depends(caller)]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        min_length=1,
        max_length=200,
        description="what makes it the same act, however often it is sent: unique among all that you send",
    ),
]


class Call:
    """A request to act on an enrollment: who calls, under which key, and where the answer goes."""

    def __init__(
        self, clinic: Here, source: Caller, key: Key, enrollment: EnrollmentId, answer: Response
    ) -> None:
        self._clinic = clinic
        self._act = {"enrollment": enrollment, "source": source, "key": key}
        self._answer = answer

    def acted(
        self, make: Callable[[cm_engine.Engine, dict[str, Any]], cm_engine.Recorded], by: str, note: str
    ) -> models.Act:
        """Act, and write the note about it, in one transaction; a repeat is answered as such."""
        done = acted(self._clinic, make=make, by=by, note=note, **self._act)
        self._answer.status_code = 200 if done.replayed else 201
        return shapes.act(done)


Calling = Annotated[Call, Depends()]

router = APIRouter(
    prefix="/api",
    tags=["rewards"],
    dependencies=[Depends(caller)],
    responses=declared(400, 401, 405, 422, 503),
)
READS = declared(404)
WRITES = {**declared(403, 404, 409), 200: {"description": "It was recorded before; nothing was written now"}}


@router.get("/programs")
def programs(clinic: Here) -> list[models.Program]:
    """List the programs that participants can be enrolled in."""
    return [shapes.program(digest, program) for digest, program in clinic.programs.items()]


@router.post(
    "/enrollments", status_code=201, responses={**WRITES, 200: {**WRITES[200], "model": models.Enrollment}}
)
def enroll(
    clinic: Here, source: Caller, key: Key, new: models.NewEnrollment, answer: Response
) -> models.Enrollment:
    """Enroll a participant in a program."""

    def work(session: Session) -> tuple[cm_engine.Enrollment, bool]:
        engine = clinic.engine.joining(session)
        before = {each.id for each in engine.enrollments(participant=new.participant)}
        enrolled = engine.enroll(
            participant=new.participant,
            program=new.program,
            start=new.start,
            by=new.by,
            source=source,
            key=key,
        )
        if session.get(Participant, new.participant) is None:
            session.add(Participant(id=new.participant, label=new.participant))
        return enrolled, enrolled.id in before

    enrolled, again = clinic.written(work)
    answer.status_code = 200 if again else 201
    return shapes.enrollment(clinic, enrolled)


@router.get("/enrollments")
def enrollments(clinic: Here, page: Annotated[models.Page, Query()]) -> list[models.Enrollment]:
    """List enrollments in the order of their ids."""
    found = clinic.engine.enrollments(participant=page.participant, after=page.after, limit=page.limit)
    return [shapes.enrollment(clinic, each) for each in found]


@router.get("/enrollments/{enrollment}", responses=READS)
def enrollment(clinic: Here, enrollment: EnrollmentId) -> models.Enrollment:
    """Show one enrollment."""
    return shapes.enrollment(clinic, clinic.engine.enrollment(enrollment))


OF_ACT = {**WRITES, 200: {**WRITES[200], "model": models.Act}}


@router.post("/enrollments/{enrollment}/observations", status_code=201, responses=OF_ACT)  # noqa: FAST003 - it stands in the call
def record(call: Calling, new: models.NewObservation) -> models.Act:
    """Enter what was seen: it is decided, or waits for another person where the program wants two."""
    return call.acted(lambda engine, act: engine.enter(**act, **_seen(new)), new.by, new.note)


@router.post("/enrollments/{enrollment}/amendments", status_code=201, responses=OF_ACT)  # noqa: FAST003 - it stands in the call
def amend(call: Calling, new: models.NewAmendment) -> models.Act:
    """Correct what was reported; what follows is decided anew, and the difference is posted."""
    what = {"record": new.record, "why": new.why, **_seen(new)}
    return call.acted(lambda engine, act: engine.amend(**act, **what), new.by, new.why)


@router.post("/enrollments/{enrollment}/voidings", status_code=201, responses=OF_ACT)  # noqa: FAST003 - it stands in the call
def void(call: Calling, new: models.NewVoiding) -> models.Act:
    """Take back what was reported, as if it had never been; it stays in the history."""
    return call.acted(lambda engine, act: engine.void(**act, record=new.record, why=new.why), new.by, new.why)


@router.post("/enrollments/{enrollment}/excuses", status_code=201, responses=OF_ACT)  # noqa: FAST003 - it stands in the call
def excuse(call: Calling, new: models.NewExcuse) -> models.Act:
    """Excuse an absence; the program says which reasons it accepts, and how many."""
    what: dict[str, Any] = {"on": new.on, "why": new.why, "target": new.target}
    return call.acted(lambda engine, act: engine.excuse(**act, **what), new.by, new.why)


@router.post("/enrollments/{enrollment}/hand-overs", status_code=201, responses=OF_ACT)  # noqa: FAST003 - it stands in the call
def hand_over(call: Calling, new: models.NewHandOver) -> models.Act:
    """Confirm that a payout reached the participant."""
    what: dict[str, Any] = {"number": new.number, "leg": new.leg, "reference": new.reference}
    return call.acted(lambda engine, act: engine.hand_over(**act, **what), new.by, "")


@router.post("/enrollments/{enrollment}/declines", status_code=201, responses=OF_ACT)  # noqa: FAST003 - it stands in the call
def decline(call: Calling, new: models.NewDecline) -> models.Act:
    """Say that a payout will not reach the participant; what was earned of it is owed again."""
    what: dict[str, Any] = {"number": new.number, "leg": new.leg, "why": new.why}
    return call.acted(lambda engine, act: engine.decline(**act, **what), new.by, new.why)


@router.post("/enrollments/{enrollment}/redemptions", status_code=201, responses=OF_ACT)  # noqa: FAST003 - it stands in the call
def redeem(call: Calling, new: models.NewRedemption) -> models.Act:
    """Put on its way what a participant asks for of what is owed."""
    what: dict[str, Any] = {"amount": new.amount, "unit": new.unit, "product": new.product}
    return call.acted(lambda engine, act: engine.redeem(**act, **what), new.by, "")


@router.post("/enrollments/{enrollment}/withdrawals", status_code=201, responses=OF_ACT)  # noqa: FAST003 - it stands in the call
def withdraw(call: Calling, new: models.NewVoiding) -> models.Act:
    """Take back an entry that waits for another person; its visit is to be entered anew."""
    what: dict[str, Any] = {"record": new.record, "why": new.why}
    return call.acted(lambda engine, act: engine.withdraw_entry(**act, **what), new.by, new.why)


@router.get("/waiting", responses=READS)
def waiting(clinic: Here, asked: Annotated[models.Whose, Query()]) -> list[models.Waiting]:
    """List the entries that wait for another person; what was entered is not told."""
    return [shapes.waiting(each) for each in clinic.engine.waiting(enrollment=asked.enrollment)]


@router.get("/enrollments/{enrollment}/payouts", responses=READS)
def payouts(
    clinic: Here, enrollment: EnrollmentId, asked: Annotated[models.Ways, Query()]
) -> list[models.Payout]:
    """List the amounts that were put on their way, and what became of each."""
    return shapes.payouts(clinic.engine, enrollment, on_the_way=asked.on_the_way)


@router.get("/enrollments/{enrollment}/visits", responses=READS)
def visits(
    clinic: Here, enrollment: EnrollmentId, asked: Annotated[models.OnDay, Query()]
) -> list[models.Visit]:
    """List the planned visits with their windows, and what became of each; none without windows."""
    return [shapes.visit(each) for each in clinic.engine.visits(enrollment=enrollment, on=asked.on)]


@router.get("/expected")
def expected(clinic: Here, asked: Annotated[models.OnDay, Query()]) -> list[models.Visit]:
    """List the visits of all enrollments that are open on a day, or overdue."""
    return [shapes.visit(each) for each in clinic.engine.expected(on=asked.on)]


@router.get("/questions", responses=READS)
def questions(clinic: Here, asked: Annotated[models.Whose, Query()]) -> list[models.Question]:
    """List the results that fit no visit, and wait for somebody to say which one they are of."""
    return [
        models.Question(enrollment=each, decision=shapes.decision(question))
        for each in ([asked.enrollment] if asked.enrollment else [each.id for each in everybody_of(clinic)])
        for question in clinic.engine.questions(enrollment=each)
    ]


@router.post("/sweeps", responses=declared(403, 404))
def sweep(clinic: Here, new: models.NewSweep) -> list[models.Act]:
    """Decide the visits that are over and that nobody came to; safe to repeat, and so it needs no key."""
    swept = clinic.engine.sweep(enrollment=new.enrollment, until=new.until, by=new.by)
    return [shapes.act(each) for each in swept]


@router.get("/enrollments/{enrollment}/preview", responses=READS)
def preview(
    clinic: Here, enrollment: EnrollmentId, asked: Annotated[models.Ahead, Query()]
) -> models.Preview:
    """Say what each next result would lead to; nothing is written."""
    return shapes.preview(clinic.engine.preview(enrollment=enrollment, on=asked.on))


@router.get("/enrollments/{enrollment}/statement", responses=READS)
def statement(
    clinic: Here, enrollment: EnrollmentId, asked: Annotated[models.Upto, Query()]
) -> models.Statement:
    """Show every decision with what it added, and what they add up to."""
    return shapes.statement(clinic.engine.statement(enrollment=enrollment, until=asked.until))


@router.get("/enrollments/{enrollment}/balance", responses=READS)
def balance(clinic: Here, enrollment: EnrollmentId) -> dict[str, models.Balance]:
    """Show what was awarded and where it is, by unit."""
    return shapes.balances(clinic.engine.balance(enrollment=enrollment))


@router.get("/enrollments/{enrollment}/history", responses=READS)
def history(clinic: Here, enrollment: EnrollmentId) -> list[models.Act]:
    """Show every act, with the decisions that it led to."""
    return [shapes.act(each) for each in clinic.engine.history(enrollment=enrollment)]


@router.get("/enrollments/{enrollment}/verification", responses=READS)
def verify(clinic: Here, enrollment: EnrollmentId) -> models.Verification:
    """Audit one enrollment: make every decision again, and compare all that is stored."""
    return shapes.verification(clinic.engine.verify(enrollment=enrollment))


def _seen(new: models.Seen) -> dict[str, Any]:
    """Return what was seen as the engine takes it."""
    return {
        "result": new.result,
        "target": new.target,
        "event": new.event,
        "evidence": new.evidence.evidence() if new.evidence else None,
        "collected_at": new.collected_at,
        "on": new.on,
        "resulted_at": new.resulted_at,
    }
