"""The clinic as a whole: the engine and the clinic's own tables, in one database."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

from examples.clinic.people import RIGHTS, add_staff
from examples.clinic.settings import Settings
from examples.clinic.tables import Base
from sqlalchemy import Connection, create_engine, event
from sqlalchemy import Engine as Database
from sqlalchemy.orm import Session

from cm_engine import Engine, Program, StorageConflictError, catalogue, digest, load_program

TRIES = 5
"""As often is a transaction begun anew that another writer came before."""

Made = TypeVar("Made")


class Clinic:
    """Hold what every page and every call needs; safe to share between threads."""

    def __init__(
        self, settings: Settings, engine: Engine, database: Database, programs: dict[str, Program]
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.zone = ZoneInfo(settings.zone)
        self.programs = programs
        self._database = database
        self._writing = database.execution_options(writes=True)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the rewards and the clinic's own tables; what is not there yet is made."""
        engine = Engine.open(
            settings.url,
            zone=settings.zone,
            secret=settings.prize_secret,
            clock=settings.clock,
            people="known",
            rights=RIGHTS,
        )
        programs = {digest(each): each for each in map(_program, settings.programs)}
        for program in programs.values():
            engine.add_program(program)
        clinic = cls(settings, engine, _database(settings.url), programs)
        Base.metadata.create_all(clinic._database)
        add_staff(clinic)
        return clinic

    def close(self) -> None:
        """Give up all connections."""
        self.engine.close()
        self._database.dispose()

    def now(self) -> datetime:
        """Return what time it is at the clinic."""
        return self.settings.clock().astimezone(self.zone)

    def pays_at_once(self, enrollment: str) -> bool:
        """Tell whether what a participant earns is on its way with its decision."""
        return self.programs[self.engine.enrollment(enrollment).program].payout.when == "at once"

    def today(self) -> date:
        """Return what day it is at the clinic."""
        return self.now().date()

    def day_of(self, reported: Mapping[str, Any]) -> date:
        """Return the day of the clinic that a report counts for."""
        if "on" in reported:
            return date.fromisoformat(reported["on"])
        return datetime.fromisoformat(reported["at"]).astimezone(self.zone).date()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session to read with."""
        with Session(self._database, expire_on_commit=False) as session:
            yield session

    def written(self, work: Callable[[Session], Made]) -> Made:
        """Do work in one transaction and commit it; begin anew if another writer came first.

        Raises:
            CmEngineError: the engine refused, or its storage failed; nothing is written.
            SQLAlchemyError: the database failed; nothing is written.
        """
        return self._tried(work, Session.commit)

    def tried_out(self, work: Callable[[Session], Made]) -> Made:
        """Do work in one transaction and take it back: what would happen, and nothing of it stays."""
        return self._tried(work, Session.rollback)

    def _tried(self, work: Callable[[Session], Made], end: Callable[[Session], None]) -> Made:
        for _ in range(TRIES - 1):
            with suppress(StorageConflictError):
                return self._done(work, end)
        return self._done(work, end)

    def _done(self, work: Callable[[Session], Made], end: Callable[[Session], None]) -> Made:
        with Session(self._writing, expire_on_commit=False) as session:
            found = work(session)
            end(session)
        return found


def _program(name: str) -> Program:
    return catalogue.program(name) if name in catalogue.program_ids() else load_program(name)


def _database(url: str) -> Database:
    database = create_engine(re.sub("^postgresql:", "postgresql+psycopg:", url))
    if database.dialect.name == "sqlite":
        event.listen(database, "connect", _leave_transactions_to_us)
        event.listen(database, "begin", _begin)
    return database


def _leave_transactions_to_us(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 30000")


def _begin(connection: Connection) -> None:
    """Begin as the one who writes, so that what is read before writing stays true until the commit."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
