"""The tables' release: made when there are none, brought up to date on request, refused when they do not fit."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, inspect, text

from cm_engine.errors import SchemaError
from cm_engine_adapters.storage.tables import PREFIX, tables, trigger_names

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK = 0x636D5F65
"""The number of the lock that keeps two processes from making the same tables of PostgreSQL: `cm_e`."""
HOSTS_OWN = (
    "no release is written down of the tables that are there: a host's own create_all or migrations made them"
)
CHANGED = "somebody changed the tables, which release {} has otherwise; run verify, and bring a backup back if it finds anything"
TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND :schema IS :schema",
    "postgresql": "SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = coalesce(CAST(:schema AS text), current_schema()) AND t.tgenabled <> 'D'",
}
"""How a database tells the triggers of tables that are not disabled."""
LACKING = {
    "add_table", "add_column", "add_index", "add_constraint", "modify_type", "modify_nullable", "remove_column",
}  # fmt: skip
"""The differences that matter: what a host has beside what is needed, or says of it, is its own."""
_MIGRATING = Lock()
"""Alembic has one migration at a time in a process, whatever the database: two threads would take each other's."""


class Release(NamedTuple):
    """What tables are, and what they have to be.

    Attributes:
        found: the release of the tables, or None if none is written down.
        needed: the release that this code needs.
        problem: what is wrong with them and what to do; empty if they are up to date.
    """

    found: str | None
    needed: str
    problem: str


def prepare(engine: Engine, *, prefix: str = PREFIX, schema: str | None = None) -> None:
    """Make the tables if there are none; refuse those of another release.

    Raises:
        SchemaError: it says what to do.
    """
    with engine.connect() as connection:
        there = _has_tables(connection, prefix, schema)
        found = _state(connection, prefix, schema)  # after it, as somebody may be making them
    if found.found is None and not there:
        upgrade(engine, prefix=prefix, schema=schema)
    elif found.problem:
        raise SchemaError(found.problem)


def check(engine: Engine, *, prefix: str = PREFIX, schema: str | None = None) -> None:
    """Refuse tables that are missing, or of another release.

    Raises:
        SchemaError: it says what to do.
    """
    problem = state(engine, prefix=prefix, schema=schema).problem
    if problem:
        raise SchemaError(problem)


def state(engine: Engine, *, prefix: str = PREFIX, schema: str | None = None) -> Release:
    """Return which release the tables are of, and what is wrong with it."""
    with engine.connect() as connection:
        return _state(connection, prefix, schema)


def looked_at(engine: Engine, *, prefix: str = PREFIX, schema: str | None = None) -> Release:
    """Return which release the tables are of, and what is wrong with it, whatever is written down: guards included."""
    with engine.connect() as connection:
        found = _state(connection, prefix, schema)
        if found.found is None or found.problem:
            return found
        lacks = "; ".join(_lacks(connection, prefix, schema))
    return found._replace(problem=f"{CHANGED.format(found.found)}: {lacks}" if lacks else "")


def _state(connection: Connection, prefix: str, schema: str | None) -> Release:
    found, needed = release(connection, prefix, schema), newest()
    if found is None and _has_tables(connection, prefix, schema):
        lacks = "; ".join(_lacks(connection, prefix, schema))
        return Release(
            found, needed, f"{HOSTS_OWN}, and have to bring them up to date: {lacks}" if lacks else ""
        )
    return Release(found, needed, "" if found == needed else _outdated(found))


def absent() -> Release:
    """Return what is wrong with a database that is not there yet."""
    return Release(None, newest(), _outdated(None))


def _outdated(current: str | None) -> str:
    found = f"are of release {current}" if current else "are missing"
    todo = (
        "run cm-engine db upgrade --db URL" if current in {None, *releases()} else "install a newer cm-engine"
    )
    return f"the tables {found}, and this release needs {newest()}; {todo}"


def releases() -> list[str]:
    """Return all releases of the tables that this code knows, the newest first."""
    return [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


def newest() -> str:
    """Return the release of tables that this code needs."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""


def release(connection: Connection, prefix: str = PREFIX, schema: str | None = None) -> str | None:
    """Return the release of the tables, or None if there is none."""
    options = {"version_table": f"{prefix}version", "version_table_schema": schema}
    heads = MigrationContext.configure(connection, opts=options).get_current_heads()
    return " and ".join(sorted(heads)) or None


def upgrade(
    engine: Engine, *, prefix: str = PREFIX, schema: str | None = None, to: str = "head"
) -> str | None:
    """Bring the tables up to date, all of it or nothing, and return the release they were of.

    Raises:
        SchemaError: they are of a release that is not known here, or somebody else's `create_all` made them.
    """
    with _MIGRATING, _alone(engine) as connection:
        found = _state(connection, prefix, schema)
        if found.found is None and _has_tables(connection, prefix, schema):
            raise SchemaError(found.problem or f"{HOSTS_OWN}, and have all that release {newest()} needs")
        if found.found not in {None, *releases()}:
            raise SchemaError(found.problem)
        config = Config(attributes={"connection": connection, "prefix": prefix, "schema": schema})
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        command.upgrade(config, to)
    return found.found


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that no other process makes tables beside."""
    with engine.connect() as connection, connection.begin():
        driver: Any = connection.connection.cursor()
        driver.execute("BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN")
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
        yield connection


def _lacks(connection: Connection, prefix: str, schema: str | None) -> Iterator[str]:
    """Yield how tables that a host made differ from those that are needed, guards included."""
    needed = tables(MetaData(), prefix=prefix, schema=schema).metadata
    names = {table.name for table in needed.tables.values()}

    def is_ours(name: str | None, kind: str, parents: Mapping[str, Any]) -> bool:
        if kind == "schema":
            return name == schema
        return (name if kind == "table" else parents["table_name"]) in names

    told = {"include_schemas": schema is not None, "include_name": is_ours}
    found = list(
        filter(_matters, compare_metadata(MigrationContext.configure(connection, opts=told), needed))
    )
    missing = {thing[1].name for thing in found if thing[0] == "add_table"}
    yield from (f"{name} is missing" for name in sorted(missing))
    yield from (told for table, told in map(_difference, found) if table not in missing)
    for table in needed.sorted_tables:
        wanted_key = {column.name for column in table.primary_key}
        if table.name not in missing and wanted_key != _key_of(connection, table.name, schema):
            yield f"{table.name} has no primary key ({', '.join(column.name for column in table.primary_key)})"
    there = set(connection.scalars(text(TRIGGERS[connection.dialect.name]), {"schema": schema}))
    for guarded in sorted(names - missing):
        wanted = trigger_names(connection.dialect.name, guarded, guarded.removeprefix(prefix))
        yield from (f"{guarded} has no trigger {name}" for name in wanted if name not in there)


def _matters(found: Any) -> bool:
    """Tell whether a difference keeps rows from being written, or found, as they have to be."""
    verb = found[0][0] if isinstance(found, list) else found[0]
    return verb in LACKING and not (
        verb == "remove_column" and (found[-1].nullable or found[-1].server_default)
    )


def _key_of(connection: Connection, table: str, schema: str | None) -> set[str]:
    return set(inspect(connection).get_pk_constraint(table, schema=schema)["constrained_columns"])


def _difference(found: Any) -> tuple[str, str]:
    """Return of which table something differs, and say what it lacks, or has that it should not have."""
    if isinstance(found, list):  # of a column
        what, _, table, column, *_ = found[0]
        return table, f"{table}.{column}: {what.replace('_', ' ')}"
    verb, _, kind = found[0].partition("_")
    table = found[-1].table.name if kind != "table" else found[-1].name
    return table, f"{table} {'has no' if verb == 'add' else 'has a'} {kind} {found[-1].name}"


def _has_tables(connection: Connection, prefix: str, schema: str | None) -> bool:
    return inspect(connection).has_table(f"{prefix}records", schema=schema)
