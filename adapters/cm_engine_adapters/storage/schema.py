"""The tables' release: made when there are none, brought up to date on request, refused when they do not fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from cm_engine.errors import SchemaError
from cm_engine_adapters.storage.tables import PREFIX

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK = 0x636D5F65
"""The number of the lock that keeps two processes from making the same tables of PostgreSQL: `cm_e`."""


def prepare(engine: Engine, *, prefix: str = PREFIX, schema: str | None = None) -> None:
    """Make the tables if there are none; refuse those of another release.

    Raises:
        SchemaError: it says what to do.
    """
    with engine.connect() as connection:
        current, there = release(connection, prefix, schema), _has_tables(connection, prefix, schema)
    if current is None and not there:
        upgrade(engine, prefix=prefix, schema=schema)
    elif current is not None and current != newest():
        raise SchemaError(_outdated(current))


def check(engine: Engine, *, prefix: str = PREFIX, schema: str | None = None) -> None:
    """Refuse tables that are missing, or of another release.

    Raises:
        SchemaError: it says what to do.
    """
    with engine.connect() as connection:
        current = release(connection, prefix, schema)
    if current != newest():
        raise SchemaError(_outdated(current))


def _outdated(current: str | None) -> str:
    found = f"are of release {current}" if current else "are missing"
    known = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    todo = "run cm-engine db upgrade --db URL" if current in {None, *known} else "install a newer cm-engine"
    return f"the tables {found}, and this release needs {newest()}; {todo}"


def newest() -> str:
    """Return the release of tables that this code needs."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""


def release(connection: Connection, prefix: str = PREFIX, schema: str | None = None) -> str | None:
    """Return the release of the tables, or None if there is none."""
    options = {"version_table": f"{prefix}version", "version_table_schema": schema}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def upgrade(
    engine: Engine, *, prefix: str = PREFIX, schema: str | None = None, to: str = "head"
) -> None:
    """Bring the tables up to date, all of it or nothing."""
    with _alone(engine) as connection:
        config = Config(attributes={"connection": connection, "prefix": prefix, "schema": schema})
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        command.upgrade(config, to)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that no other process makes tables beside."""
    with engine.connect() as connection, connection.begin():
        driver: Any = connection.connection.cursor()
        driver.execute("BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN")
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
        yield connection


def _has_tables(connection: Connection, prefix: str, schema: str | None) -> bool:
    return inspect(connection).has_table(f"{prefix}records", schema=schema)
