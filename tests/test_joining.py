"""A reward and what the host writes beside it are there together, or neither is."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, NullPool, create_engine, event, text
from sqlalchemy import Engine as Database
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from cm_engine import Engine
from cm_engine.acts.reported import Report
from cm_engine.errors import (
    EnrollmentNotFoundError,
    KeyConflictError,
    ReportError,
    ResultsError,
    StorageBusyError,
    StorageConflictError,
    StorageError,
)
from cm_engine_adapters.storage.transaction import SqlTransaction
from cm_engine_adapters.storage.transaction_postgresql import PostgresTransaction

PROGRAM = "california-recovery-incentives"
FIRST, SECOND, THIRD = date(2026, 1, 5), date(2026, 1, 8), date(2026, 1, 12)


def clock() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


class Case:
    """What tells the rows of one test from those of the others, which share a database."""

    number = 0

    @property
    def enrollment(self) -> str:
        return f"e-{self.number}"

    @property
    def note(self) -> str:
        return f"INSERT INTO notes (said) VALUES ('seen {self.enrollment}')"  # noqa: S608 - our own

    @property
    def count(self) -> str:
        return f"SELECT count(*) FROM notes WHERE said = 'seen {self.enrollment}'"  # noqa: S608 - our own


CASE = Case()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database of each kind in turn, with the program, and with a table of the host's."""
    if request.param == "sqlite":
        made = f"sqlite:///{tmp_path_factory.mktemp('joining') / 'clinic.db'}"
    else:
        server = request.getfixturevalue("postgresql_server")
        made = server.replace("/postgres?", "/joining?")
        with psycopg.connect(server, autocommit=True) as postgres:
            postgres.execute("CREATE DATABASE joining")
            postgres.execute("ALTER DATABASE joining SET synchronous_commit = off")
    with Engine.open(made) as engine:
        engine.add_program(PROGRAM)
    with create_engine(driven(made), poolclass=NullPool).begin() as connection:
        connection.execute(text("CREATE TABLE notes (said TEXT)"))
    return made


@pytest.fixture
def clinic(url: str) -> Iterator[Engine]:
    """An engine with a participant."""
    CASE.number += 1
    with Engine.open(url, zone="UTC", clock=clock) as engine:
        who = f"p-{CASE.number}"
        engine.enroll(participant=who, program=PROGRAM, start=FIRST, by="nurse-7", id=CASE.enrollment)
        yield engine


def driven(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture
def host(url: str) -> Iterator[Database]:
    """The host's own engine, as SQLAlchemy makes it."""
    engine = create_engine(driven(url))
    yield engine
    engine.dispose()


Work = Callable[[Any], Any]
Hosted = Callable[..., Any]


def with_connection(url: str, work: Work, end: str) -> Any:
    engine = create_engine(driven(url), poolclass=NullPool)
    with engine.connect() as connection:
        done = work(connection)
        getattr(connection, end)()
    return done


def with_session(url: str, work: Work, end: str) -> Any:
    engine = create_engine(driven(url), poolclass=NullPool)
    with Session(engine) as session:
        done = work(session)
        getattr(session, end)()
    return done


async def with_async_session(url: str, work: Work, end: str) -> Any:
    engine = create_async_engine(driven(url).replace("sqlite:", "sqlite+aiosqlite:"), poolclass=NullPool)
    async with AsyncSession(engine) as session:
        done = await session.run_sync(work)
        await getattr(session, end)()
    return done


async def with_async_connection(url: str, work: Work, end: str) -> Any:
    engine = create_async_engine(driven(url).replace("sqlite:", "sqlite+aiosqlite:"), poolclass=NullPool)
    async with engine.connect() as connection:
        done = await connection.run_sync(work)
        await getattr(connection, end)()
    return done


KINDS: dict[str, Callable[..., Any]] = {
    "connection": with_connection,
    "session": with_session,
    "async session": with_async_session,
    "async connection": with_async_connection,
}


@pytest.fixture(params=KINDS)
def hosted(request: pytest.FixtureRequest, url: str) -> Hosted:
    """Do work in a transaction of the host's, which it then commits or rolls back."""

    def run(work: Work, end: str = "commit") -> Any:
        found = KINDS[request.param](url, work, end)
        return asyncio.run(found) if asyncio.iscoroutine(found) else found

    return run


def record(engine: Engine, on: date | None = FIRST, key: str = "k-1", **changed: Any) -> Any:
    said = {
        "enrollment": CASE.enrollment,
        "result": "-",
        "source": CASE.enrollment,
        "by": "nurse-7",
        **changed,
    }
    return engine.record(on=on, key=key, **said)


def keys(engine: Engine) -> list[str]:
    """The keys of all acts but the first, once the whole log has been audited."""
    assert engine.verify(enrollment=CASE.enrollment).is_clean
    return [act.key for act in engine.history(enrollment=CASE.enrollment)][1:]


@pytest.fixture
def notes(host: Database) -> Callable[[], int]:
    """How many rows of the host's there are."""

    def counted() -> int:
        with host.connect() as connection:
            return int(connection.execute(text(CASE.count)).scalar_one())

    return counted


Notes = Callable[[], int]

# In every kind of transaction


def test_what_the_host_writes_and_the_reward_commit_together(
    clinic: Engine, hosted: Hosted, notes: Notes
) -> None:
    def work(bind: Any) -> Any:
        bind.execute(text(CASE.note))
        return record(clinic.joining(bind))

    assert hosted(work).decision.sentence == "Negative test: $10.00. Next negative: $10.00."
    assert (notes(), keys(clinic)) == (1, ["k-1"])


def test_nothing_of_ours_remains_where_the_host_rolls_back(
    clinic: Engine, hosted: Hosted, notes: Notes
) -> None:
    def work(bind: Any) -> None:
        bind.execute(text(CASE.note))
        record(clinic.joining(bind))

    hosted(work, "rollback")
    assert (notes(), keys(clinic)) == (0, [])
    assert record(clinic).replayed is False


def test_nothing_of_ours_remains_where_the_host_rolls_back_what_only_we_wrote(
    clinic: Engine, hosted: Hosted
) -> None:
    hosted(lambda bind: record(clinic.joining(bind)), "rollback")
    assert keys(clinic) == []
    hosted(lambda bind: record(clinic.joining(bind), SECOND, "k-2"), "close")
    assert keys(clinic) == []


def test_an_error_leaves_what_the_host_wrote_before_and_nothing_of_ours(
    clinic: Engine, hosted: Hosted, notes: Notes
) -> None:
    def work(bind: Any) -> None:
        bind.execute(text(CASE.note))
        refuse(clinic.joining(bind))
        bind.execute(text(CASE.note))

    record(clinic)
    hosted(work)
    assert (notes(), keys(clinic)) == (2, ["k-1"])


def refuse(joined: Engine) -> None:
    """Try what is refused: before anything is read, after it is, and halfway through several acts."""
    with pytest.raises(ReportError):
        record(joined, SECOND, "")
    with pytest.raises(EnrollmentNotFoundError):
        record(joined, SECOND, "k-2", enrollment=f"{CASE.enrollment}-2")
    with pytest.raises(KeyConflictError):
        record(joined, SECOND, "k-1")
    said: dict[str, Any] = {
        "enrollment": CASE.enrollment,
        "source": CASE.enrollment,
        "by": "nurse-7",
        "on": SECOND,
    }
    with pytest.raises(ResultsError):
        joined.record_many([Report(**said, key="k-2", result="-"), Report(**said, key="k-3", result="?")])


def test_an_error_of_the_database_leaves_what_the_host_wrote_before_and_nothing_of_ours(
    clinic: Engine, hosted: Hosted, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(self: SqlTransaction, name: str, given: Any) -> None:
        insert(self, name, given)
        if name == "entries":
            self.cursor.execute("INSERT INTO no_such_table VALUES (1)")

    def work(bind: Any) -> None:
        bind.execute(text(CASE.note))
        with pytest.raises(StorageError, match="no_such_table"):
            clinic.joining(bind).enroll(
                participant=f"of-{CASE.enrollment}", program=PROGRAM, start=FIRST, by="nurse-7"
            )
        bind.execute(text(CASE.note))

    insert = SqlTransaction._insert  # noqa: SLF001 - to fail in the middle of a batch
    monkeypatch.setattr(SqlTransaction, "_insert", failing)
    hosted(work)
    monkeypatch.undo()
    assert (notes(), keys(clinic)) == (2, [])
    assert clinic.enrollments(participant=f"of-{CASE.enrollment}") == []


def test_several_acts_in_one_transaction_follow_one_another(clinic: Engine, hosted: Hosted) -> None:
    def work(bind: Any) -> Any:
        joined = clinic.joining(bind)
        joined.enroll(
            participant=f"of-{CASE.enrollment}",
            program=PROGRAM,
            start=FIRST,
            by="nurse-7",
            id=f"{CASE.enrollment}-2",
        )
        record(joined, enrollment=f"{CASE.enrollment}-2", key="of another")
        record(joined, FIRST, "k-1")
        record(clinic.joining(bind), SECOND, "k-2")
        joined.amend(
            enrollment=CASE.enrollment,
            record=1,
            result="+",
            why="typo",
            source=CASE.enrollment,
            key="k-3",
            by="nurse-7",
        )
        return joined.statement(enrollment=CASE.enrollment).balances["USD"]

    balance = hosted(work)
    assert keys(clinic) == ["k-1", "k-2", "k-3"]
    assert clinic.balance(enrollment=CASE.enrollment)["USD"] == balance
    assert len(clinic.history(enrollment=f"{CASE.enrollment}-2")) == 2


def test_a_repeat_of_a_key_gives_the_stored_decision(clinic: Engine, hosted: Hosted) -> None:
    def work(bind: Any) -> list[Any]:
        joined = clinic.joining(bind)
        repeats = [record(joined), record(joined), record(clinic.joining(bind))]
        return [(each.replayed, each.decision) for each in repeats]

    first, *others = hosted(work)
    assert [replayed for replayed, _ in (first, *others)] == [False, True, True]
    assert {str(decision) for _, decision in (first, *others)} == {str(record(clinic).decision)}
    assert keys(clinic) == ["k-1"]


def test_others_see_an_act_only_once_the_host_has_committed(clinic: Engine, hosted: Hosted) -> None:
    def work(bind: Any) -> tuple[int, int]:
        joined = clinic.joining(bind)
        record(joined)
        return len(joined.history(enrollment=CASE.enrollment)), len(
            clinic.history(enrollment=CASE.enrollment)
        )

    assert hosted(work) == (2, 1)
    assert keys(clinic) == ["k-1"]


# Other writers


def meanwhile(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> None:
    """Have others do something after the first look-up of an act, before it is written."""
    waiting = [work]

    def interrupting(looked_up: Callable[..., Any]) -> Callable[..., Any]:
        def interrupted(*given: Any) -> Any:
            found = looked_up(*given)
            if waiting:
                waiting.pop()()
            return found

        return interrupted

    for kind in (SqlTransaction, PostgresTransaction):
        monkeypatch.setattr(kind, "look_up", interrupting(vars(kind)["look_up"]))


@pytest.fixture
def postgresql(clinic: Engine, host: Database) -> Engine:
    """The engine on PostgreSQL, where others can write while a host's transaction is open."""
    if host.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer at a time: whoever writes first in a transaction is not disturbed")
    return clinic


def test_an_act_that_another_writer_came_before_is_taken_again_on_what_it_wrote(
    postgresql: Engine, hosted: Hosted, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(bind: Any) -> Any:
        bind.execute(text(CASE.note))
        return record(postgresql.joining(bind), SECOND, "k-2")

    meanwhile(monkeypatch, lambda: record(postgresql, FIRST, "k-1"))
    assert hosted(work).record == 2
    assert (notes(), keys(postgresql)) == (1, ["k-1", "k-2"])


def test_an_act_that_another_writer_recorded_meanwhile_is_the_stored_one(
    postgresql: Engine, hosted: Hosted, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(bind: Any) -> Any:
        bind.execute(text(CASE.note))
        return record(postgresql.joining(bind))

    meanwhile(monkeypatch, lambda: record(postgresql))
    assert hosted(work).replayed
    assert (notes(), keys(postgresql)) == (1, ["k-1"])


def test_a_transaction_that_sees_only_the_past_gets_a_conflict_and_keeps_what_the_host_wrote(
    postgresql: Engine, host: Database, notes: Notes
) -> None:
    with host.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text(CASE.note))
        record(postgresql, FIRST, "k-1")
        with pytest.raises(StorageConflictError):
            record(postgresql.joining(connection), SECOND, "k-2")
        connection.commit()
    assert (notes(), keys(postgresql)) == (1, ["k-1"])


def test_two_transactions_of_hosts_on_one_enrollment_follow_one_another(
    postgresql: Engine, host: Database
) -> None:
    with host.connect() as first, host.connect() as second:
        second.execute(text("SET lock_timeout = '200ms'"))
        record(postgresql.joining(first), FIRST, "k-1")
        with pytest.raises(StorageBusyError):
            record(postgresql.joining(second), SECOND, "k-2")
        first.commit()
        assert record(postgresql.joining(second), SECOND, "k-2").record == 2
        second.commit()
    assert keys(postgresql) == ["k-1", "k-2"]


# On SQLite, whose driver begins transactions as it likes


@pytest.fixture
def sqlite(clinic: Engine, host: Database) -> Engine:
    if host.dialect.name != "sqlite":
        pytest.skip("on PostgreSQL every statement is in a transaction")
    return clinic


@pytest.mark.parametrize("before", ["", "SELECT count(*) FROM notes", "INSERT INTO notes VALUES ('')"])
@pytest.mark.parametrize("end", ["rollback", "commit"])
def test_a_host_with_the_driver_as_it_is_decides_what_remains(
    sqlite: Engine, host: Database, before: str, end: str
) -> None:
    with host.connect() as connection:
        connection.execute(text(before or "SELECT 1"))
        record(sqlite.joining(connection), FIRST, "k-1")
        record(sqlite.joining(connection), SECOND, "k-2")
        getattr(connection, end)()
    assert keys(sqlite) == (["k-1", "k-2"] if end == "commit" else [])


@pytest.mark.parametrize("end", ["rollback", "commit"])
def test_a_host_that_begins_transactions_itself_decides_what_remains(
    sqlite: Engine, host: Database, end: str
) -> None:
    @event.listens_for(host, "connect")
    def by_hand(connection: Any, _: object) -> None:
        connection.isolation_level = None

    @event.listens_for(host, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    with host.connect() as connection:
        record(sqlite.joining(connection))
        getattr(connection, end)()
    assert keys(sqlite) == (["k-1"] if end == "commit" else [])


def test_a_transaction_that_read_before_others_wrote_is_told_so_and_nothing_of_ours_is_written(
    sqlite: Engine, host: Database
) -> None:
    with host.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.execute(text("SELECT * FROM notes")).all()
        record(sqlite, FIRST, "k-1")
        with pytest.raises(StorageConflictError):
            record(sqlite.joining(connection), SECOND, "k-2")
        connection.commit()
    assert keys(sqlite) == ["k-1"]


# Within and around


def test_a_savepoint_that_the_host_rolls_back_takes_ours_with_it(clinic: Engine, host: Database) -> None:
    with Session(host) as session:
        joined = clinic.joining(session)
        record(joined, FIRST, "k-1")
        within = session.begin_nested()
        record(joined, SECOND, "k-2")
        within.rollback()
        record(joined, THIRD, "k-3")
        session.commit()
    assert keys(clinic) == ["k-1", "k-3"]


def test_one_engine_serves_one_transaction_of_a_session_after_the_other(
    clinic: Engine, host: Database
) -> None:
    with Session(host) as session:
        joined = clinic.joining(session)
        record(joined, FIRST, "k-1")
        session.rollback()
        record(joined, SECOND, "k-2")
        session.commit()
        record(joined, THIRD, "k-3")
    assert keys(clinic) == ["k-2"]


def test_an_enrollment_that_was_rolled_back_is_forgotten(clinic: Engine, host: Database) -> None:
    at = datetime(2026, 1, 6, 20, tzinfo=UTC)
    again: dict[str, Any] = {
        "participant": "p",
        "program": PROGRAM,
        "start": FIRST,
        "by": "n",
        "id": f"{CASE.enrollment}-2",
    }
    with host.connect() as connection:
        joined = clinic.joining(connection)
        for zone in ("Asia/Tokyo", "America/Los_Angeles"):
            connection.rollback()
            joined.enroll(**again, zone=zone)
            act = record(joined, enrollment=again["id"], on=None, collected_at=at)
        assert act.decision.on == date(2026, 1, 6)


def test_closing_a_joined_engine_leaves_the_transaction_to_the_host(
    clinic: Engine, host: Database, notes: Notes
) -> None:
    with host.connect() as connection:
        with clinic.joining(connection) as joined:
            record(joined)
        connection.execute(text(CASE.note))
        connection.commit()
    assert (notes(), keys(clinic)) == (1, ["k-1"])


def test_a_joined_engine_writes_to_the_tables_of_the_one_it_comes_from(url: str, host: Database) -> None:
    with Engine.open(url, zone="UTC", prefix="trial_") as engine:
        engine.add_program(PROGRAM)
        with host.begin() as connection:
            engine.joining(connection).enroll(
                participant="p-1", program=PROGRAM, start=FIRST, by="n", id="e-1"
            )
        assert engine.enrollment("e-1").participant == "p-1"


def test_a_joined_engine_joins_another_transaction(clinic: Engine, host: Database) -> None:
    with host.connect() as first, host.connect() as second:
        joined = clinic.joining(first).joining(second)
        record(joined)
        first.commit()
        assert keys(clinic) == []
        second.commit()
    assert keys(clinic) == ["k-1"]


def test_a_connection_that_commits_each_statement_by_itself_is_refused(
    clinic: Engine, host: Database
) -> None:
    with host.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(CASE.note))
        with pytest.raises(StorageError, match="AUTOCOMMIT"):
            record(clinic.joining(connection))
        connection.execute(text(CASE.note))
    assert keys(clinic) == []
    with host.connect() as connection:
        assert connection.execute(text(CASE.count)).scalar() == 2


@pytest.mark.parametrize("bind", [None, "sqlite:///clinic.db", object()])
def test_what_is_no_transaction_is_refused(clinic: Engine, bind: Any) -> None:
    with pytest.raises(StorageError, match="expected a Connection or a Session of SQLAlchemy, got"):
        record(clinic.joining(bind))


def test_an_async_session_itself_is_refused(clinic: Engine) -> None:
    with pytest.raises(StorageError, match="got AsyncSession"):
        record(clinic.joining(AsyncSession()))


def test_a_storage_in_memory_has_no_transaction_to_join(host: Database) -> None:
    with (
        Engine.open("memory:") as engine,
        host.connect() as connection,
        pytest.raises(StorageError, match="open a database"),
    ):
        engine.joining(connection)
