"""A clinic's own application: its chart note and the reward commit together, or neither does.

Try it with `pip install fastapi uvicorn` and `uvicorn fastapi_app:app` in this folder, then open /docs.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import Engine as Database
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from cm_engine import CmEngineError, Engine, KeyConflictError, StorageError

ZONE = "America/Los_Angeles"
PROGRAM = "california-recovery-incentives"


class Base(DeclarativeBase):
    """The clinic's own tables."""


class ChartNote(Base):
    """What the clinic writes about a visit."""

    __tablename__ = "chart_notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    enrollment: Mapped[str]
    text: Mapped[str]


class NewEnrollment(BaseModel):
    """Whom to enroll, and from when on."""

    participant: str
    start: date
    by: str


class NewVisit(BaseModel):
    """A result with the note about it."""

    result: str
    collected_at: AwareDatetime
    key: str
    by: str
    note: str = ""


class Decided(BaseModel):
    """What the front desk tells the participant, and hands over."""

    hand_over: dict[str, str]
    sentence: str
    replayed: bool


def open_clinic(url: str) -> tuple[Engine, Database]:
    """Open the rewards and the clinic's own tables in one database."""
    engine = Engine.open(url, zone=ZONE)
    engine.add_program(PROGRAM)
    database = create_engine(url)
    Base.metadata.create_all(database)
    return engine, database


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the database once for the whole application."""
    app.state.engine, app.state.database = open_clinic(os.environ.get("CLINIC_DB", "sqlite:///clinic.db"))
    yield
    app.state.engine.close()
    app.state.database.dispose()


app = FastAPI(title="A clinic", lifespan=lifespan)


@app.exception_handler(CmEngineError)
async def refused(_: Request, error: CmEngineError) -> JSONResponse:
    """Say what was wrong: nothing was written."""
    not_found, conflict = isinstance(error, LookupError), isinstance(error, KeyConflictError)
    status = 404 if not_found else 409 if conflict else 503 if isinstance(error, StorageError) else 422
    return JSONResponse({"detail": str(error)}, status_code=status)


@app.post("/enrollments", status_code=201)
def enroll(new: NewEnrollment) -> dict[str, str]:
    """Enroll a participant; asked for again, it is the same enrollment."""
    engine: Engine = app.state.engine
    enrollment = engine.enroll(participant=new.participant, program=PROGRAM, start=new.start, by=new.by)
    return {"enrollment": enrollment.id}


@app.post("/enrollments/{enrollment}/visits", status_code=201)
def record(enrollment: str, visit: NewVisit) -> Decided:
    """Write the chart note and decide the reward, in one transaction: committed before the answer is given."""
    with Session(app.state.database) as session, session.begin():
        decision = app.state.engine.joining(session).record(
            enrollment=enrollment,
            result=visit.result,
            collected_at=visit.collected_at,
            source="clinic-app",
            key=visit.key,
            by=visit.by,
        )
        if not decision.replayed:
            session.add(ChartNote(enrollment=enrollment, text=visit.note))
    hand_over = {unit: str(amount) for unit, amount in decision.hand_over.items()}
    return Decided(hand_over=hand_over, sentence=decision.sentence, replayed=decision.replayed)


@app.get("/enrollments/{enrollment}/next")
def preview(enrollment: str) -> dict[str, dict[str, str]]:
    """Say what each result of the next visit would pay, in words."""
    found = app.state.engine.preview(enrollment=enrollment)
    return {
        target: {symbol: each.sentence for symbol, each in results.items()}
        for target, results in found.items()
    }
