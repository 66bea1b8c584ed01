"""Every storage keeps the contract, and a database refuses what nobody may do to a log."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copy

import psycopg
import pytest
from sqlalchemy import Engine, NullPool, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

import cm_engine
from cm_engine.errors import MissingDependencyError, StorageError
from cm_engine.opening import open_storage
from cm_engine.ports import Storage, Transaction
from cm_engine.testing import StorageConformance, rows
from cm_engine_adapters.storage.sqlite import SqliteStorage
from cm_engine_adapters.storage.tables import APPEND_ONLY, KEPT


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    def storage(self) -> Storage:
        return open_storage("memory:", {})


def opened(url: str, **options: str) -> Iterator[Storage]:
    storage = open_storage(url, options)
    yield storage
    storage.close()


@pytest.fixture(scope="module")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with empty tables, to be copied, which is faster than to make them."""
    file = tmp_path_factory.mktemp("tables") / "clinic.db"
    for options in ({}, {"prefix": "Reward "}):
        open_storage(f"sqlite:///{file}", options).close()
    return file


class TestSqliteStorage(StorageConformance):
    @pytest.fixture
    def url(self, tmp_path: Path, sqlite_tables: Path) -> str:
        return f"sqlite:///{copy(sqlite_tables, tmp_path)}"

    @pytest.fixture
    def storage(self, url: str) -> Iterator[Storage]:
        yield from opened(url)

    @pytest.fixture
    def another(self, url: str) -> Iterator[Storage]:
        yield from opened(url)


class TestSqliteStorageWithAPrefix(StorageConformance):
    @pytest.fixture
    def url(self, tmp_path: Path, sqlite_tables: Path) -> str:
        return f"sqlite:///{copy(sqlite_tables, tmp_path)}"

    @pytest.fixture
    def storage(self, url: str) -> Iterator[Storage]:
        yield from opened(url, prefix="Reward ")

    @pytest.fixture
    def another(self, url: str) -> Iterator[Storage]:
        yield from opened(url, prefix="Reward ")


REMOVE = "DELETE FROM {}"
IN_A_SCHEMA = {"prefix": "Reward ", "schema": "My Clinic"}


@pytest.fixture(scope="module")
def postgresql_tables(postgresql_server: str) -> str:
    """The URL of a database with tables that tests use one after the other, which is faster than one for each."""
    url = postgresql_server.replace("/postgres?", "/storages?")
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE storages")
        connection.execute("ALTER DATABASE storages SET synchronous_commit = off")
    with psycopg.connect(url) as connection:
        connection.execute('CREATE SCHEMA "My Clinic"')
    for options in ({}, IN_A_SCHEMA):
        open_storage(url, options).close()
    return url


def emptied(url: str, within: str) -> str:
    """Empty all tables, as only who may switch triggers off can."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        for name in (*APPEND_ONLY, *KEPT):
            connection.execute(REMOVE.format(f'{within}{name}"'))
    return url


class TestPostgresStorage(StorageConformance):
    @pytest.fixture
    def url(self, postgresql_tables: str) -> str:
        return emptied(postgresql_tables, '"cm_')

    @pytest.fixture
    def storage(self, url: str) -> Iterator[Storage]:
        yield from opened(url)

    @pytest.fixture
    def another(self, url: str) -> Iterator[Storage]:
        yield from opened(url)


class TestPostgresStorageInASchemaWithAPrefix(StorageConformance):
    @pytest.fixture
    def url(self, postgresql_tables: str) -> str:
        return emptied(postgresql_tables, '"My Clinic"."Reward ')

    @pytest.fixture
    def storage(self, url: str) -> Iterator[Storage]:
        yield from opened(url, **IN_A_SCHEMA)

    @pytest.fixture
    def another(self, url: str) -> Iterator[Storage]:
        yield from opened(url, **IN_A_SCHEMA)


# What a database refuses


def written(url: str) -> Engine:
    """An engine of SQLAlchemy's on a database that has a row in every table."""
    with closing(open_storage(url, {})) as storage, storage.writing() as tx:
        tx.add_program(rows.program())
        tx.append(rows.enrolling())
        tx.append(rows.deciding(pools=(("", rows.pool()),)))
    return host_engine(url)


def host_engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)


def refusal(engine: Engine, statement: str) -> str:
    with pytest.raises(DBAPIError) as caught, engine.begin() as connection:
        connection.execute(text(statement))
    return str(caught.value)


@pytest.mark.parametrize("change", ["UPDATE {table} SET {column} = {column}", "DELETE FROM {table}"])
def test_a_database_refuses_to_change_or_remove_what_is_append_only(database_url: str, change: str) -> None:
    engine = written(database_url)
    for name in APPEND_ONLY:
        column = "text" if name == "programs" else "day" if name in {"payouts", "decisions"} else ""
        statement = change.format(table=f"cm_{name}", column=column or columns_of(engine, name)[-1])
        assert f"cm_{name}: rows are never changed or removed; record a correction" in refusal(
            engine, statement
        )
    assert_all_rows_are_there(database_url)


def columns_of(engine: Engine, name: str) -> list[str]:
    return [column["name"] for column in inspect(engine).get_columns(f"cm_{name}")]


def assert_all_rows_are_there(url: str) -> None:
    with closing(open_storage(url, {})) as storage, storage.reading() as tx:
        assert min(tx.counts().values()) == 1
        assert tx.records("e-1") == [rows.record(seq=0), rows.record()]


def test_a_database_refuses_to_remove_where_enrollments_stand_and_what_pools_received(
    database_url: str,
) -> None:
    engine = written(database_url)
    for name in KEPT:
        assert f"cm_{name}: rows are never changed or removed" in refusal(engine, REMOVE.format(f"cm_{name}"))
    assert_all_rows_are_there(database_url)


def test_postgresql_refuses_to_empty_a_table(postgresql_url: str) -> None:
    engine = written(postgresql_url)
    for name in (*APPEND_ONLY, *KEPT):
        assert f"cm_{name}: rows are never" in refusal(engine, f"TRUNCATE cm_{name}")
        assert f"cm_{name}: rows are never" in refusal(engine, f"TRUNCATE cm_{name} CASCADE")
    assert_all_rows_are_there(postgresql_url)


def test_a_database_refuses_to_replace_a_row_by_the_way_of_an_insert(database_url: str) -> None:
    engine = written(database_url)
    again = "INSERT INTO cm_programs SELECT * FROM cm_programs WHERE true"
    change = "ON CONFLICT (digest) DO UPDATE SET text = 'another'"
    assert "cm_programs: rows are never changed" in refusal(engine, f"{again} {change}")
    assert_all_rows_are_there(database_url)


def test_the_decisions_of_one_act_are_found_without_reading_the_whole_log(tmp_path: Path) -> None:
    with closing(SqliteStorage.open(f"sqlite:///{tmp_path / 'clinic.db'}")) as storage:
        asked = storage.statements.decisions_of
        with storage.reading() as tx:
            tx.cursor.execute(f"EXPLAIN QUERY PLAN {asked.text}", asked.bound(enrollment="e-1", record=1))
            plan = [row[-1] for row in tx.cursor.fetchall()]
    assert plan == ["SEARCH cm_decisions USING INDEX cm_decisions_record (enrollment=? AND record=?)"]


# What cannot be opened


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "",
            "no storage is installed for ''; expected a URL that begins with one of memory, postgresql, sqlite",
        ),
        ("mysql://host/clinic", "no storage is installed for mysql:; expected a URL that begins with one of"),
        ("clinic.db", "no storage is installed for 'clinic.db'; expected a URL that begins with one of"),
        ("memory:clinic", "a storage in memory has the URL 'memory:', got 'memory:clinic'"),
        ("sqlite:clinic.db", "'sqlite:clinic.db' is no URL of a database"),
        ("sqlite://clinic.db", "'sqlite://clinic.db' is no URL of a database: Invalid SQLite URL"),
        ("sqlite:////no/such/folder/clinic.db", "the file cannot be opened"),
        ("sqlite+aiosqlite:///clinic.db", "aiosqlite is an asynchronous driver; name another"),
        ("postgresql://host:port/clinic", "'postgresql+psycopg://host:port/clinic' is no URL of a database"),
        (
            "postgresql+no-driver://host/clinic",
            "'postgresql+no-driver://host/clinic' is no URL of a database",
        ),
    ],
)
def test_a_url_that_cannot_be_opened_is_a_clear_error(url: str, said: str) -> None:
    with pytest.raises(StorageError) as caught:
        cm_engine.Engine.open(url)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:secret@host:port/clinic",
        "sqlite://ann:sec@ret@clinic.db",
        "host=127.0.0.1 user=ann password=secret",
        "postgresql:host=127.0.0.1 password=secret",
        "postgresql://host=127.0.0.1;password=secret",
    ],
)
def test_no_error_says_the_password_of_a_url(url: str) -> None:
    with pytest.raises(StorageError) as caught:
        cm_engine.Engine.open(url)
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
def test_a_missing_driver_is_an_error_that_names_the_extra(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        MissingDependencyError, match=r'this needs psycopg: pip install "cm-engine\[postgresql\]"'
    ):
        cm_engine.Engine.open(f"{driver}://host/clinic")


def test_a_server_that_is_not_there_is_an_error_of_the_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        cm_engine.Engine.open(f"postgresql://postgres@/clinic?host={tmp_path}")


def test_a_file_that_is_no_database_is_an_error_of_the_storage(tmp_path: Path) -> None:
    (tmp_path / "clinic.db").write_text("This is a letter, and no database. " * 100, "utf-8")
    with pytest.raises(StorageError, match="file is not a database"):
        cm_engine.Engine.open(f"sqlite:///{tmp_path / 'clinic.db'}")


# The suite itself


def test_a_subclass_that_replaces_a_test_is_refused() -> None:
    with pytest.raises(
        TypeError, match="TestMine replaces test_close_gives_up_all_resources; add tests of other"
    ):
        type("TestMine", (StorageConformance,), {"test_close_gives_up_all_resources": lambda _: None})


def test_a_subclass_that_removes_a_test_is_refused() -> None:
    with pytest.raises(TypeError, match="TestMine replaces test_amounts_are_exact"):
        type("TestMine", (StorageConformance,), {"test_amounts_are_exact": None})


def test_a_class_beside_the_suite_that_has_a_test_of_the_same_name_is_refused() -> None:
    beside = type("Beside", (), {"test_amounts_are_exact": lambda _: None})
    with pytest.raises(TypeError, match="TestMine replaces test_amounts_are_exact"):
        type("TestMine", (beside, StorageConformance), {})


def test_a_subclass_of_a_subclass_is_held_to_the_same() -> None:
    with pytest.raises(TypeError, match="TestMine replaces test_amounts_are_exact"):
        type("TestMine", (TestMemoryStorage,), {"test_amounts_are_exact": None})


def test_a_subclass_may_add_tests() -> None:
    type("TestMine", (StorageConformance,), {"test_mine": lambda _: None})


def test_every_duty_is_worded_and_tested() -> None:
    tests = {name: test for name, test in vars(StorageConformance).items() if name.startswith("test_")}
    assert [name for name, test in tests.items() if not (test.__doc__ or "").strip()] == []
    duties = [name for port in (Transaction, Storage) for name in vars(port) if not name.startswith("_")]
    assert [duty for duty in duties if not any(duty in name for name in tests)] == []


def test_without_pytest_the_suite_names_its_extra() -> None:
    code = "import sys; sys.modules['pytest'] = None; import cm_engine.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        'cm_engine.errors.MissingDependencyError: this needs pytest: pip install "cm-engine[testing]"'
    )


def test_nothing_of_the_engine_imports_the_suite() -> None:
    names = "cm_engine, cm_engine.engine, cm_engine.opening, cm_engine.cli.app"
    code = f"import sys, {names}; print('pytest' in sys.modules, 'cm_engine.testing' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


LEAKY = '''
import contextlib
import unicodedata

import pytest

from cm_engine.errors import StorageConflictError
from cm_engine.testing import StorageConformance
from cm_engine_adapters.storage.memory import MemoryStorage, MemoryTransaction


class Kept(MemoryStorage):
    transaction = MemoryTransaction

    def __init__(self):
        super().__init__()
        self._tables = self.transaction()


class HalfABatch(MemoryTransaction):
    def append(self, batch):
        for name in batch._fields[:7]:
            part = batch._replace(**dict.fromkeys({*batch._fields} - {name}, ()))
            heads = {row.enrollment: head for row, head in zip(batch.standings, batch.heads)}
            super().append(part._replace(heads=tuple(heads[row.enrollment] for row in part.standings)))
        super().append(batch._replace(**dict.fromkeys(batch._fields[:8], ())))


class OfHalfABatch(Kept):
    transaction = HalfABatch

    @contextlib.contextmanager
    def writing(self, *, lock=False):
        with self._lock:
            yield self._tables


class OfBlocksThatRaise(Kept):
    @contextlib.contextmanager
    def writing(self, *, lock=False):
        with self._lock:
            changed = self._tables.copied()
            try:
                yield changed
            finally:
                self._tables = changed


class LastWriter(MemoryTransaction):
    def _refuse_conflicts(self, batch):
        pass


class OfTheLastWriter(Kept):
    transaction = LastWriter


class Normalized(MemoryTransaction):
    def append(self, batch):
        acts = tuple(row._replace(body=unicodedata.normalize("NFC", row.body)) for row in batch.records)
        super().append(batch._replace(records=acts))


class OfNormalizedText(Kept):
    transaction = Normalized


class Folded(MemoryTransaction):
    def look_up(self, enrollments, keys):
        return super().look_up([each.strip().lower() for each in enrollments], keys)


class OfFoldedIds(Kept):
    transaction = Folded


class Absent(MemoryTransaction):
    def look_up(self, enrollments, keys):
        found = super().look_up(enrollments, keys)
        return found._replace(standings={each: found.standings.get(each) for each in enrollments})


class OfAbsentRows(Kept):
    transaction = Absent


class Paged(MemoryTransaction):
    def enrollments(self, *, after="", limit=1000, **chosen):
        found = super().enrollments(limit=10**9, **chosen)
        return [row for row in found if row.id >= after][:limit]


class OfPagesThatOverlap(Kept):
    transaction = Paged


class Renewed(MemoryTransaction):
    def add_program(self, program):
        self._programs[program.digest] = program


class OfProgramsThatChange(Kept):
    transaction = Renewed


class Floats(MemoryTransaction):
    def append(self, batch):
        super().append(batch._replace(entries=tuple(row._replace(amount=float(row.amount)) for row in batch.entries)))


class OfFloats(Kept):
    transaction = Floats


class Unlocked(Kept):
    """Without the lock of whoever writes; what it wrote is there at once."""

    @contextlib.contextmanager
    def writing(self, *, lock=False):
        before = self._tables
        changed = before.copied()
        yield changed
        if self._tables is not before and self._tables.counts() != before.counts():
            raise StorageConflictError
        self._tables = changed


class ReadingLive(Kept):
    """What is read changes while it is read."""

    @contextlib.contextmanager
    def reading(self):
        yield self._tables

    @contextlib.contextmanager
    def writing(self, *, lock=False):
        with self._lock:
            changed = self._tables.copied()
            yield changed
            vars(self._tables).update(vars(changed))


class Miscounted(MemoryTransaction):
    def counts(self):
        return {**super().counts(), "payouts": super().counts()["decisions"]}


class OfWrongCounts(Kept):
    transaction = Miscounted


LEAKS = [
    OfHalfABatch, OfBlocksThatRaise, OfTheLastWriter, OfNormalizedText, OfFoldedIds, OfAbsentRows,
    OfPagesThatOverlap, OfProgramsThatChange, OfFloats, Unlocked, ReadingLive, OfWrongCounts,
]
for leak in [Kept, *LEAKS]:
    made = {"storage": pytest.fixture(lambda self, leak=leak: leak())}
    globals()[f"Test{leak.__name__}"] = type(f"Test{leak.__name__}", (StorageConformance,), made)
'''
"""Storages that do not keep the contract, each in one way."""


LEAKS = {
    "OfHalfABatch": "test_append_writes_none_of_a_batch_that_another_writer_came_before",
    "OfBlocksThatRaise": "test_writing_writes_nothing_if_the_block_raises",
    "OfTheLastWriter": "test_of_two_writers_from_one_head_the_second_gets_a_conflict",
    "OfNormalizedText": "test_rows_are_given_back_as_they_were_written_to_the_byte",
    "OfFoldedIds": "test_look_up_tells_what_differs_in_case_or_in_blanks_apart",
    "OfAbsentRows": "test_look_up_leaves_out_what_is_absent",
    "OfPagesThatOverlap": "test_enrollments_page_by_page_returns_each_once",
    "OfProgramsThatChange": "test_add_program_writes_a_program_and_one_that_is_there_stays_as_it_is",
    "OfFloats": "test_amounts_are_exact",
    "Unlocked": "test_with_lock_the_second_of_two_writers_waits_and_sees_what_the_first_wrote",
    "ReadingLive": "test_reading_sees_one_moment_of_the_log",
    "OfWrongCounts": "test_counts_returns_how_many_rows_there_are_of_each_kind",
}
"""The test that finds each of them."""


@pytest.fixture(scope="module")
def leaks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of them, and of one that does not leak."""
    folder = tmp_path_factory.mktemp("leaks")
    file = folder / "test_leaks.py"
    file.write_text(LEAKY, "utf-8")
    tests = [f"{file}::TestKept", *(f"{file}::Test{leak}::{test}" for leak, test in LEAKS.items())]
    options = [
        "-q",
        "-rf",
        "--tb=short",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
    ]
    command = [sys.executable, "-m", "pytest", *options, "--basetemp", str(folder / "temp"), *tests]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leaky_storage_of_a_stranger_fails_the_suite(leaks: str, leak: str) -> None:
    assert re.search(rf"^FAILED .*::Test{leak}::{LEAKS[leak]}\b", leaks, flags=re.MULTILINE), leaks[-3000:]


def test_a_storage_of_a_stranger_that_keeps_the_contract_passes(leaks: str) -> None:
    assert "::TestKept::" not in leaks
    assert re.search(r"\b[5-9][0-9] passed", leaks)


def test_a_failure_says_what_differs(leaks: str) -> None:
    assert re.search(r"^E +assert .+ == ", leaks, flags=re.MULTILINE)
    assert "where" in leaks or "At index" in leaks or "Full diff" in leaks
