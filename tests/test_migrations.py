"""The tables of every release become those of the newest, whoever makes them, and nothing that was written is lost."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import copytree
from typing import Any, NamedTuple

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Index, MetaData, Table, Text, inspect, text
from sqlalchemy import Engine as Database
from sqlalchemy.schema import CreateIndex, CreateTable

from cm_engine import Engine, Report, cli
from cm_engine.cli import durable
from cm_engine.errors import SchemaError, StorageError
from cm_engine.opening import open_storage
from cm_engine.testing import rows
from cm_engine_adapters.storage import schema
from cm_engine_adapters.storage.postgresql import PostgresStorage
from cm_engine_adapters.storage.sqlite import SqliteStorage
from cm_engine_adapters.storage.tables import guards, tables

NAMED = {"prefix": "Reward ", "schema": "My Clinic"}
RELEASES: dict[str, dict[str, dict[str, Any]]] = {
    "1": {
        "programs": {"digest": "d", "program": "plan", "version": "1", "text": '{"program":"plan"}'},
        "enrollments": {
            "id": "e-1",
            "participant": "p-1",
            "program": "d",
            "start": "2026-01-05",
            "zone": "America/Los_Angeles",
            "before": "",
            "commitment": "",
        },
        "records": {
            "enrollment": "e-1",
            "seq": 0,
            "kind": "enrolled",
            "source": "desk",
            "key": "k-1",
            "actor": "nurse-7",
            "recorded_at": "2026-01-05T17:00:00.000000+00:00",
            "body": '{"note":"año 🎟️"}',
            "shared": "",
            "hash": "h-1",
        },
        "decisions": {
            "enrollment": "e-1",
            "number": 1,
            "record": 1,
            "observation": 1,
            "target": "stimulants",
            "visit": 1,
            "week": 1,
            "day": "2026-01-05",
            "outcome": "-",
            "awards": '[["USD",1000]]',
            "reasons": "[]",
            "said": "Negative test: $10.00.",
            "prizes": "",
            "rules": 1,
            "hash": "h-2",
        },
        "entries": {
            "enrollment": "e-1",
            "number": 1,
            "leg": 1,
            "unit": "USD",
            "amount": 2**53,
            "debit": "fund",
            "credit": "in flight",
        },
        "payouts": {"enrollment": "e-1", "number": 1, "leg": 1, "day": "2026-01-05"},
        "standings": {
            "enrollment": "e-1",
            "seq": 0,
            "number": 1,
            "head": "h-2",
            "recorded_at": "2026-01-05T17:00:00.000000+00:00",
            "state": '{"run":1}',
        },
        "pools": {
            "holder": "p-1",
            "scope": "payer",
            "name": "medicaid",
            "unit": "USD",
            "per": "calendar-year",
            "windows": "[[1,1000]]",
        },
    },
    "2": {
        "work": {
            "enrollment": "e-1",
            "kind": "payout",
            "name": "1/1",
            "state": "waiting",
            "due": "2026-01-05T17:00:00.000000+00:00",
            "tries": 1,
            "worker": "w-1",
            "body": '{"gateway":"cards"}',
            "note": "",
        },
    },
}
"""A row of each table, as each release wrote it; a new release adds its own and changes no other."""


def database(url: str) -> Database:
    kind = SqliteStorage if url.startswith("sqlite") else PostgresStorage
    return kind.made_engine(url, {})


@contextmanager
def closing_database(url: str) -> Iterator[Database]:
    """A database whose connections are closed with the block."""
    found = database(url)
    yield found
    found.dispose()


@pytest.fixture
def postgresql_url(bare_postgresql_url: str) -> str:
    """Tables are what is tested here: none is there yet."""
    return bare_postgresql_url


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """An empty database, of each kind in turn."""
    with closing_database(database_url) as found:
        yield found


@pytest.fixture(params=[{}, {"prefix": "Reward "}, NAMED], ids=["plain", "prefix", "schema"])
def options(request: pytest.FixtureRequest, empty: Database) -> dict[str, str]:
    """How tables are called; a schema only where there are some."""
    found: dict[str, str] = request.param
    if "schema" in found and empty.dialect.name == "sqlite":
        pytest.skip("SQLite has no schemas")
    if "schema" in found:
        execute(empty, 'CREATE SCHEMA "My Clinic"')
    return found


def decided(engine: Engine) -> Engine:
    """Record a result, and two at once; the same again if they were."""
    program, start = "california-recovery-incentives", date(2026, 1, 5)
    engine.add_program(program)
    engine.enroll(
        participant="p-1", program=program, start=start, by="nurse", id="e-1", key="e-1", again=True
    )
    days = [start + timedelta(day) for day in (0, 3, 7)]
    first, *others = [Report("e-1", "desk", f"k-{day}", "nurse", "-", on=day) for day in days]
    engine.record(enrollment="e-1", source="desk", key=first.key, by="nurse", result="-", on=first.on)
    engine.record_many(others)
    return engine


def execute(engine: Database, *statements: str) -> None:
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


def fetched(engine: Database, statement: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


# What is made


def test_an_empty_database_gets_the_tables_of_the_newest_release(database_url: str) -> None:
    Engine.open(database_url).close()
    with closing_database(database_url) as found:
        assert schema.state(found) == schema.Release(schema.newest(), schema.newest(), "")


def test_every_release_has_rows_to_try_it_with() -> None:
    assert set(RELEASES) == set(schema.releases())


def differences(engine: Database, metadata: MetaData, options: dict[str, str]) -> list[Any]:
    """What Alembic would change to make a database what a MetaData says."""
    within = options.get("schema")
    opts = {
        "version_table": f"{options.get('prefix', 'cm_')}version",
        "version_table_schema": within,
        "include_schemas": within is not None,
        "include_name": lambda name, kind, _: kind != "schema" or name == within,
        "compare_type": True,
        "compare_server_default": True,
    }
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=opts), metadata))


def described_in(options: dict[str, str]) -> MetaData:
    return tables(prefix=options.get("prefix", "cm_"), schema=options.get("schema")).metadata


@pytest.mark.parametrize("since", RELEASES)
def test_the_migrations_make_what_the_tables_are_described_as(
    empty: Database, options: dict[str, str], since: str
) -> None:
    schema.upgrade(empty, to=since, **options)
    schema.upgrade(empty, **options)
    assert differences(empty, described_in(options), options) == []
    assert differences(empty, tables(prefix="other_").metadata, {}) != []


@pytest.mark.parametrize("since", RELEASES)
def test_the_migrations_and_a_hosts_create_all_make_the_same(
    empty: Database, options: dict[str, str], since: str
) -> None:
    host = described_in(options)
    host.create_all(empty)
    of_the_host = described(empty)
    drop_all(empty, host)
    assert described(empty) == set()
    schema.upgrade(empty, to=since, **options)
    schema.upgrade(empty, **options)
    assert described(empty) == of_the_host
    assert len([each for each in of_the_host if "never changed or removed" in str(each)]) == guard_count(
        empty
    )


def guard_count(engine: Database) -> int:
    """As many triggers there are on SQLite, and functions on PostgreSQL."""
    return 6 * 2 + 3 if engine.dialect.name == "sqlite" else 9


def drop_all(engine: Database, metadata: MetaData) -> None:
    metadata.drop_all(engine)
    if engine.dialect.name == "postgresql":
        made = fetched(engine, "SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE '%\\_refuse'")
        execute(engine, *(f"DROP FUNCTION {name}" for (name,) in made))


SQLITE = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE '%version%'"
# All is cast to text, as a union with a name would cut every text to its length.
POSTGRESQL = """
SELECT 'column', table_schema::text, table_name::text, column_name::text, ordinal_position::text, data_type::text,
    is_nullable::text, column_default::text, collation_name::text
FROM information_schema.columns WHERE table_schema IN ('public', 'My Clinic') AND table_name NOT LIKE '%version'
UNION ALL SELECT 'index', schemaname, tablename, indexname, indexdef, '', '', '', ''
FROM pg_indexes WHERE schemaname IN ('public', 'My Clinic') AND tablename NOT LIKE '%version'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', '', '', ''
FROM pg_constraint WHERE conrelid <> 0 AND conrelid::regclass::text NOT LIKE '%version%'
    AND connamespace::regnamespace::text IN ('public', '"My Clinic"')
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text, '', '', '', ''
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', pronamespace::regnamespace::text, proname, pg_get_functiondef(oid), '', '', '', '', ''
FROM pg_proc WHERE pronamespace::regnamespace::text IN ('public', '"My Clinic"')
"""


def described(engine: Database) -> set[tuple[Any, ...]]:
    """All that a database says of its tables, indexes, keys and triggers."""
    return set(fetched(engine, SQLITE if engine.dialect.name == "sqlite" else POSTGRESQL))


@pytest.mark.parametrize("since", RELEASES)
def test_rows_of_every_release_survive_to_the_newest(
    empty: Database, options: dict[str, str], since: str
) -> None:
    schema.upgrade(empty, to=since, **options)
    for name, row in RELEASES[since].items():
        write_row(empty, where(name, options), row)
    schema.upgrade(empty, **options)
    for name, row in RELEASES[since].items():
        assert read_rows(empty, where(name, options), row) == [row]


def where(name: str, options: dict[str, str]) -> str:
    within = f'"{options["schema"]}".' if "schema" in options else ""
    return f'{within}"{options.get("prefix", "cm_")}{name}"'


def write_row(engine: Database, table: str, row: dict[str, Any]) -> None:
    names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    with engine.connect() as connection:
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)  # noqa: S608 - our own
        connection.commit()


def read_rows(engine: Database, table: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    found = fetched(engine, f"SELECT {', '.join(row)} FROM {table}")  # noqa: S608 - our own
    return [dict(zip(row, each, strict=True)) for each in found]


def test_tables_brought_up_to_date_twice_stay_as_they_are(empty: Database, options: dict[str, str]) -> None:
    schema.upgrade(empty, **options)
    before = described(empty)
    schema.upgrade(empty, **options)
    assert described(empty) == before


# Prefix and schema


def test_the_tables_have_the_prefix_and_stand_in_the_schema(
    empty: Database, database_url: str, options: dict[str, str]
) -> None:
    open_storage(database_url, options).close()
    found = inspect(empty).get_table_names(schema=options.get("schema"))
    assert len(found) == 10
    assert all(name.startswith(options.get("prefix", "cm_")) for name in found)
    assert "schema" not in options or inspect(empty).get_table_names() == []


def test_two_prefixes_share_a_database_and_no_row(database_url: str) -> None:
    with (
        closing(open_storage(database_url, {})) as one,
        closing(open_storage(database_url, {"prefix": "trial_"})) as other,
    ):
        with one.writing() as tx:
            tx.append(rows.enrolling())
        with one.reading() as tx, other.reading() as of_other:
            assert (tx.counts()["records"], of_other.counts()["records"]) == (1, 0)


def test_a_schema_that_is_not_there_is_an_error_and_nothing_is_made(postgresql_url: str) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        open_storage(postgresql_url, {"schema": "nowhere"})
    with closing_database(postgresql_url) as found:
        assert inspect(found).get_table_names() == []


# Several at once

TOGETHER = 8
PROCESSES = f"""
import os, sys, tempfile
from cm_engine import Engine
with tempfile.TemporaryDirectory() as folder:
    Engine.open(f"sqlite:///{{folder}}/first.db").close()
waiting, start = os.pipe()
children = []
for _ in range({TOGETHER}):
    child = os.fork()
    if not child:
        os.close(start)
        os.read(waiting, 1)
        with Engine.open(sys.argv[1], zone="UTC") as engine:
            engine.add_program("california-recovery-incentives")
            os._exit(len(engine.programs()))
    children.append(child)
os.close(start)
print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""
"""Processes that do all at the same moment what each does first; all have loaded what they need."""


def test_eight_processes_open_an_empty_database_at_the_same_moment(database_url: str) -> None:
    command = [sys.executable, "-c", PROCESSES, database_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["1"] * TOGETHER, "")
    with Engine.open(database_url) as engine:
        assert len(engine.programs()) == 1


def test_threads_open_empty_databases_at_the_same_moment(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / f'{number}.db'}" for number in range(TOGETHER)]
    with ThreadPoolExecutor(TOGETHER) as pool:
        for storage in pool.map(lambda url: open_storage(url, {}), urls):
            storage.close()
    for url in urls:
        with closing_database(url) as found:
            assert schema.state(found).problem == ""


# Releases that do not fit


def test_tables_of_an_unknown_newer_release_are_refused(empty: Database, database_url: str) -> None:
    schema.upgrade(empty)
    execute(empty, "UPDATE cm_version SET version_num = '99'")
    said = "the tables are of release 99, and this release needs 2; install a newer cm-engine"
    for refuse in (
        lambda: Engine.open(database_url),
        lambda: schema.upgrade(empty),
        lambda: schema.check(empty),
    ):
        with pytest.raises(SchemaError) as caught:
            refuse()
        assert str(caught.value) == said


LATER_RELEASE = """
from alembic import op
from sqlalchemy import Column, Text

revision, down_revision = "3", "2"


def upgrade(prefix, schema):
    op.add_column(f"{prefix}pools", Column("note", Text(), server_default="", nullable=False), schema=schema)
"""


@pytest.fixture
def a_later_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The code of a release that is yet to come, with tables of release 3."""
    folder = copytree(schema.MIGRATIONS, tmp_path / "migrations")
    (folder / "versions" / "release_3.py").write_text(LATER_RELEASE, "utf-8")
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    return folder


def test_tables_of_an_older_release_are_refused_until_they_are_brought_up_to_date(
    empty: Database, database_url: str, a_later_release: Path
) -> None:
    schema.upgrade(empty, to="2")
    write_row(empty, "cm_pools", RELEASES["1"]["pools"])
    with pytest.raises(
        SchemaError, match="are of release 2, and this release needs 3; run cm-engine db upgrade"
    ):
        Engine.open(database_url)
    schema.upgrade(empty)
    Engine.open(database_url).close()
    assert read_rows(empty, "cm_pools", {**RELEASES["1"]["pools"], "note": ""}) == [
        {**RELEASES["1"]["pools"], "note": ""}
    ]
    assert a_later_release.is_dir()


def test_a_migration_that_fails_leaves_everything_as_it_was(empty: Database, a_later_release: Path) -> None:
    schema.upgrade(empty, to="2")
    before = described(empty)
    broken = LATER_RELEASE + "    raise ZeroDivisionError\n"
    (a_later_release / "versions" / "release_3.py").write_text(broken, "utf-8")
    with pytest.raises(ZeroDivisionError):
        schema.upgrade(empty)
    assert described(empty) == before
    assert schema.state(empty).found == "2"


def test_tables_that_a_host_made_are_used_and_never_migrated(empty: Database, database_url: str) -> None:
    host = MetaData()
    Table("patients", host, Column("id", Text, primary_key=True))
    tables(host)
    host.create_all(empty)
    for make in (True, False):
        Engine.open(database_url, make=make).close()
    assert schema.state(empty) == (None, schema.newest(), "")
    with pytest.raises(SchemaError, match=r"migrations made them, and have all that release \d needs"):
        schema.upgrade(empty)


LACKING = {
    "DROP TABLE cm_work": "cm_work is missing",
    "DROP INDEX cm_records_once": "cm_records has no index cm_records_once",
    "ALTER TABLE cm_pools DROP COLUMN windows": "cm_pools has no column windows",
    "ALTER TABLE cm_pools ADD COLUMN note TEXT NOT NULL": "cm_pools has a column note",
    "ALTER TABLE cm_pools ALTER COLUMN windows DROP NOT NULL": "cm_pools.windows: modify nullable",
    "ALTER TABLE cm_records DROP CONSTRAINT cm_records_pkey": "cm_records has no primary key (enrollment, seq)",
    "ALTER TABLE cm_records DISABLE TRIGGER ALL": (
        "cm_records has no trigger cm_records_no_change; cm_records has no trigger cm_records_no_truncate"
    ),
}
OF_POSTGRESQL = ("NOT NULL", "CONSTRAINT", "DISABLE")
"""What SQLite cannot do to a table that is there."""
HARMLESS = [
    "ALTER TABLE cm_pools ADD COLUMN note TEXT",
    "ALTER TABLE cm_pools ADD COLUMN note TEXT NOT NULL DEFAULT 'x'",
    "CREATE INDEX mine ON cm_records (actor)",
    "COMMENT ON TABLE cm_records IS 'what was observed'",
    "COMMENT ON COLUMN cm_records.actor IS 'who'",
]


@pytest.mark.parametrize("change", LACKING)
def test_tables_of_a_host_that_lack_something_are_refused_with_what_they_lack(
    empty: Database, database_url: str, change: str
) -> None:
    if empty.dialect.name == "sqlite" and any(word in change for word in OF_POSTGRESQL):
        pytest.skip("SQLite cannot")
    tables().metadata.create_all(empty)
    execute(empty, change)
    for make in (True, False):
        with pytest.raises(SchemaError) as refused:
            Engine.open(database_url, make=make)
        assert str(refused.value).endswith(f"and have to bring them up to date: {LACKING[change]}")


@pytest.mark.parametrize("change", HARMLESS)
def test_what_a_host_adds_to_its_tables_is_its_own(empty: Database, database_url: str, change: str) -> None:
    if empty.dialect.name == "sqlite" and change.startswith("COMMENT"):
        pytest.skip("SQLite has no comments")
    tables().metadata.create_all(empty)
    execute(empty, change)
    with Engine.open(database_url, zone="UTC") as engine:
        assert decided(engine).verify().is_clean


def test_tables_of_a_host_may_have_their_columns_in_another_order(empty: Database, database_url: str) -> None:
    theirs = MetaData()
    for table in tables().metadata.sorted_tables:
        columns = [column._copy() for column in reversed(table.columns)]  # noqa: SLF001 - SQLAlchemy's own way to a copy
        turned = Table(table.name, theirs, *columns)
        for index in table.indexes:
            Index(index.name, *(turned.c[column.name] for column in index.columns), unique=index.unique)
    theirs.create_all(empty)
    for statement in guards(empty.dialect.name):
        execute(empty, statement)
    with Engine.open(database_url, zone="UTC") as engine:
        assert decided(engine).verify().is_clean
    with Engine.open(database_url, zone="UTC") as engine:
        assert decided(engine).balance(enrollment="e-1")["USD"].awarded == Decimal("31.50")


def test_tables_of_a_host_whose_rows_nothing_guards_are_refused_until_its_migrations_guard_them(
    empty: Database, database_url: str
) -> None:
    mine = tables()
    for table in mine.metadata.sorted_tables:
        execute(empty, str(CreateTable(table).compile(empty)))
        for index in table.indexes:
            execute(empty, str(CreateIndex(index).compile(empty)))
    with pytest.raises(SchemaError, match=r"cm_decisions has no trigger cm_decisions_no_.*; cm_"):
        Engine.open(database_url)
    execute(empty, *guards(empty.dialect.name))
    Engine.open(database_url).close()


# The command


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command `cm-engine db`."""
    monkeypatch.delenv("CM_ENGINE_DB", raising=False)

    def called(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["cm-engine", "db", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return called


MISSING = "the tables are missing, and this release needs 2; run cm-engine db upgrade --db URL"


def test_db_check_says_that_tables_are_missing_and_exits_with_1(run: Run, database_url: str) -> None:
    assert run("check", "--db", database_url) == (1, f"{MISSING}\n", "")


def test_db_upgrade_makes_the_tables_and_says_so(run: Run, database_url: str) -> None:
    made = run("upgrade", "--db", database_url)
    assert made == (0, "The tables are of release 2; there were none.\n", "")
    again = run("upgrade", "--db", database_url)
    assert again == (0, "The tables are of release 2; as before.\n", "")
    found = run("check", "--db", database_url)
    assert found == (0, "The tables are of release 2, as they have to be.\n", "")


def test_db_upgrade_says_which_release_the_tables_were_of(
    run: Run, empty: Database, database_url: str, a_later_release: Path
) -> None:
    assert a_later_release.is_dir()
    schema.upgrade(empty, to="2")
    refused = run("check", "--db", database_url)
    assert refused.code == 1
    assert refused.out.startswith(
        "the tables are of release 2, and this release needs 3; run cm-engine db upgrade"
    )
    done = run("upgrade", "--db", database_url)
    assert done == (0, "The tables are of release 3; they were of release 2.\n", "")


def test_db_upgrade_and_db_check_print_json(run: Run, database_url: str) -> None:
    missing = {"up_to_date": False, "release": None, "needed": "2", "problem": MISSING}
    assert printed(run("check", "--db", database_url, "--json"), 1) == missing
    made = {"release": "2", "before": None}
    assert printed(run("upgrade", "--db", database_url, "--json"), 0) == made
    found = {"up_to_date": True, "release": "2", "needed": "2", "problem": ""}
    assert printed(run("check", "--db", database_url, "--json"), 0) == found


def printed(done: Done, code: int) -> Any:
    assert (done.code, done.err) == (code, "")
    [line] = done.out.splitlines()
    return json.loads(line)


def test_db_takes_the_prefix_and_the_schema_of_the_tables(run: Run, postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url) as connection:
        connection.execute('CREATE SCHEMA "My Clinic"')
    words = ["--db", postgresql_url, "--prefix", "Reward ", "--schema", "My Clinic"]
    assert run("upgrade", *words).code == 0
    assert run("check", *words).code == 0
    assert run("check", "--db", postgresql_url).code == 1
    open_storage(postgresql_url, NAMED).close()


def test_commands_take_the_prefix_and_the_schema_of_the_environment(
    run: Run, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(postgresql_url) as connection:
        connection.execute('CREATE SCHEMA "My Clinic"')
    monkeypatch.setenv("CM_ENGINE_DB", postgresql_url)
    monkeypatch.setenv("CM_ENGINE_PREFIX", "Reward ")
    monkeypatch.setenv("CM_ENGINE_SCHEMA", "My Clinic")
    assert run("upgrade").code == 0
    with durable.opened(postgresql_url) as engine:
        assert engine.verify().is_clean
    monkeypatch.delenv("CM_ENGINE_PREFIX")
    with pytest.raises(SchemaError, match="the tables are missing"):
        durable.opened(postgresql_url)


@pytest.mark.parametrize("change", ["DROP TABLE cm_work", "DROP INDEX cm_records_once", "the triggers"])
def test_db_check_says_what_somebody_changed_in_the_tables(
    run: Run, empty: Database, database_url: str, change: str
) -> None:
    Engine.open(database_url).close()
    assert run("check", "--db", database_url).code == 0
    on = " ON cm_records" if empty.dialect.name == "postgresql" else ""
    name = "cm_records_no_change" if on else "cm_records_no_update"
    execute(empty, f"DROP TRIGGER {name}{on}" if change == "the triggers" else change)
    code, out, _ = run("check", "--db", database_url)
    assert code == 1
    assert out.startswith("somebody changed the tables, which release 2 has otherwise; run verify")
    assert out.endswith(f": {LACKING.get(change, f'cm_records has no trigger {name}')}\n")


def test_db_check_makes_no_file(run: Run, tmp_path: Path) -> None:
    assert run("check", "--db", f"sqlite:///{tmp_path / 'clinic.db'}").code == 1
    assert not list(tmp_path.iterdir())


def test_db_check_says_that_tables_of_a_host_have_what_is_needed(
    run: Run, empty: Database, database_url: str
) -> None:
    tables().metadata.create_all(empty)
    told = "The tables of a host's own have what release 2 needs, as they have to be.\n"
    assert run("check", "--db", database_url) == (0, told, "")


def test_db_takes_the_database_of_the_environment(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CM_ENGINE_DB", f"sqlite:///{tmp_path / 'clinic.db'}")
    assert run("upgrade").code == 0
    assert run("check").code == 0


@pytest.mark.parametrize("command", ["upgrade", "check"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memory:", "memory:: this storage has no tables, and so no release"),
        ("mysql://host/clinic", "no storage is installed for mysql:; expected a URL that begins with"),
        ("sqlite://clinic.db", "'sqlite://clinic.db' is no URL of a database"),
        (
            "sqlite:////no/such/folder/clinic.db",
            "the file cannot be opened; there is no folder /no/such/folder",
        ),
        ("postgresql://me:pa@ss@host/clinic", "a password that has an @ in it is written with %40"),
        (
            "postgresql://no-such-host.invalid/clinic",
            "the database cannot be reached, and nothing was written",
        ),
    ],
)
def test_db_refuses_what_is_no_database_in_a_line(run: Run, command: str, url: str, said: str) -> None:
    code, out, err = run(command, "--db", url)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(said)


def test_db_names_the_package_of_a_driver_that_no_extra_brings(run: Run) -> None:
    done = run("check", "--db", "postgresql+pg8000://host/clinic")
    assert done == (2, "", "a storage for postgresql: needs the package pg8000: pip install pg8000\n")


def test_a_scheme_that_is_nearly_one_is_asked_about() -> None:
    for url, meant in (("postgres://host/clinic", "postgresql"), ("SQLite:///clinic.db", "sqlite")):
        with pytest.raises(StorageError, match=rf"expected a URL that .*; did you mean '{meant}'\?"):
            open_storage(url, {})


@pytest.mark.parametrize(
    "wrong", [{"prefix": 'a"b'}, {"prefix": "a" * 31}, {"prefix": "a\nb"}, {"schema": "a'b"}]
)
def test_names_that_no_table_can_have_are_refused_and_nothing_is_made(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    for use in (open_storage, lambda url, told: SqliteStorage.upgrade(url, **told)):
        with pytest.raises(StorageError, match="prefix, schema: expected names without"):
            use(f"sqlite:///{tmp_path / 'clinic.db'}", wrong)
    assert not list(tmp_path.iterdir())


def test_options_that_no_storage_has_are_refused_in_a_line(database_url: str) -> None:
    with pytest.raises(
        StorageError, match=r"options: SQLAlchemy's create_engine takes other ones: .*'colour'"
    ):
        Engine.open(database_url, colour="red")


def test_db_names_the_extra_that_brings_a_driver(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    done = run("check", "--db", "postgresql://host/clinic")
    assert done == (2, "", 'this needs psycopg: pip install "cm-engine[postgresql]"\n')


def test_db_upgrade_refuses_tables_of_a_newer_release_and_those_of_a_host(
    run: Run, empty: Database, database_url: str
) -> None:
    tables().metadata.create_all(empty)
    refused = run("upgrade", "--db", database_url)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    execute(
        empty, "CREATE TABLE cm_version (version_num VARCHAR(32))", "INSERT INTO cm_version VALUES ('99')"
    )
    assert run("upgrade", "--db", database_url).err.endswith("install a newer cm-engine\n")
    assert run("check", "--db", database_url).code == 1
