"""The tables of the log, as SQLAlchemy describes them; a host may take them into its own MetaData.

Columns stand in the order of the fields of `cm_engine.log.rows`. The keys of all tables of an enrollment begin with the
enrollment, so that they can be spread over machines by it; only an act's source and key are unique over all.

No table refers to another by a foreign key in the database. The rows of an act are written in one transaction that
replaces where its enrollment stands, and no row can be removed, so that what they refer to is always there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import DDL, BigInteger, Column, Index, Integer, MetaData, Table, Text, event
from sqlalchemy.sql.schema import SchemaItem

from cm_engine.errors import StorageError
from cm_engine.log.rows import (
    DecisionRow,
    EnrollmentRow,
    EntryRow,
    PayoutRow,
    PoolRow,
    ProgramRow,
    RecordRow,
    StandingRow,
    WorkRow,
)

PREFIX = "cm_"
LONGEST, UNNAMED = 30, frozenset("\"'")
"""As many bytes may a prefix have, as PostgreSQL cuts names after 63; and what neither it nor a schema may have in it."""
APPEND_ONLY = ("programs", "enrollments", "records", "decisions", "entries", "payouts")
KEPT = ("work", "standings", "pools")
"""The tables whose rows change, and are never removed."""


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables of the log, in one MetaData."""

    programs: Table
    enrollments: Table
    records: Table
    decisions: Table
    entries: Table
    payouts: Table
    work: Table
    standings: Table
    pools: Table

    @property
    def metadata(self) -> MetaData:
        """Return what the tables are in."""
        return self.programs.metadata

    def named(self, name: str) -> Table:
        """Return a table by its name without a prefix."""
        table: Table = getattr(self, name)
        return table


def tables(metadata: MetaData | None = None, *, prefix: str = PREFIX, schema: str | None = None) -> Tables:
    """Return the tables of the log, with the triggers that keep them append-only.

    Args:
        metadata: the host's, so that its own `create_all` and migrations include them; left out, a new one.
        prefix: what their names begin with.
        schema: of PostgreSQL; left out, the one that the connection has.

    Raises:
        StorageError: the prefix or the schema cannot be part of a name.

    Example:
        >>> from sqlalchemy import MetaData
        >>> mine = MetaData()
        >>> _ = tables(mine, prefix="reward_")
        >>> sorted(mine.tables)[:2]
        ['reward_decisions', 'reward_enrollments']
    """
    refuse_names(prefix, schema)
    into = metadata if metadata is not None else MetaData()

    def table(name: str, row: type, key: tuple[str, ...], *more: SchemaItem) -> Table:
        columns = (_column(field, kind, key) for field, kind in row.__annotations__.items())
        made = Table(f"{prefix}{name}", into, *columns, *more, schema=schema)
        _guard(made, name)
        return made

    once = Index(f"{prefix}records_once", "source", "key", unique=True)
    named = Index(f"{prefix}programs_named", "program", "version", unique=True)
    by_record = Index(f"{prefix}decisions_record", "enrollment", "record")
    due = Index(f"{prefix}work_due", "kind", "state", "due")
    listed = Index(f"{prefix}work_listed", "kind", "enrollment", "name")
    by_state = Index(f"{prefix}work_state", "kind", "state", "enrollment", "name")
    of_enrollment = ("enrollment", "number")
    return Tables(
        programs=table("programs", ProgramRow, ("digest",), named),
        enrollments=table("enrollments", EnrollmentRow, ("id",), _index(prefix, "participant")),
        records=table("records", RecordRow, ("enrollment", "seq"), once),
        decisions=table("decisions", DecisionRow, of_enrollment, by_record),
        entries=table("entries", EntryRow, (*of_enrollment, "leg")),
        payouts=table("payouts", PayoutRow, (*of_enrollment, "leg")),
        work=table("work", WorkRow, ("enrollment", "kind", "name"), due, listed, by_state),
        standings=table("standings", StandingRow, ("enrollment",)),
        pools=table("pools", PoolRow, ("holder", "scope", "name", "unit", "per")),
    )


def refuse_names(prefix: str, schema: str | None) -> None:
    """Refuse what cannot be part of a table's name.

    Raises:
        StorageError: it says what can.
    """
    if len(prefix.encode()) > LONGEST or not prefix.isprintable() or UNNAMED & set(prefix + (schema or "")):
        msg = f"prefix, schema: expected names without {' '.join(sorted(UNNAMED))}, a prefix of at most {LONGEST} bytes"
        raise StorageError(msg)


def _column(field: str, kind: type, key: tuple[str, ...]) -> Column[Any]:
    of = Text() if kind is str else BigInteger() if field == "amount" else Integer()
    return Column(field, of, primary_key=field in key, nullable=False, autoincrement=False)


def _index(prefix: str, column: str) -> Index:
    return Index(f"{prefix}enrollments_{column}", column)


def _guard(table: Table, name: str) -> None:
    """Have a table's rows guarded once it is made."""
    for dialect, statements in GUARDS.items():
        for statement in statements(table.name, name, table.schema):
            ddl = DDL(statement.replace("%", "%%")).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
            event.listen(table, "after_create", ddl)


def guards(dialect: str, *, prefix: str = PREFIX, schema: str | None = None) -> list[str]:
    """Return the statements that guard the rows of all tables, for a host's own migration: `create_all` runs them itself.

    Args:
        dialect: sqlite or postgresql.
        prefix, schema: of the tables.

    Example:
        >>> print(guards("sqlite")[0])
        CREATE TRIGGER "cm_programs_no_update" BEFORE UPDATE ON "cm_programs" BEGIN SELECT RAISE(ABORT, \
'cm_programs: rows are never changed or removed; record a correction'); END
    """
    return [
        statement
        for name in (*APPEND_ONLY, *KEPT)
        for statement in GUARDS[dialect](f"{prefix}{name}", name, schema)
    ]


def trigger_names(dialect: str, table: str, name: str) -> list[str]:
    """Return what the triggers of a table are called.

    Args:
        dialect: sqlite or postgresql.
        table: what it is called.
        name: the same without a prefix.
    """
    made = (statement.split('"') for statement in GUARDS[dialect](table, name, None))
    return [words[1] for words in made if words[0] == "CREATE TRIGGER "]


def sqlite_guards(table: str, name: str, _: str | None = None) -> list[str]:
    """Return the statements that keep a table of SQLite append-only."""
    acts = ("UPDATE", "DELETE") if name in APPEND_ONLY else ("DELETE",)
    return [
        f'CREATE TRIGGER "{table}_no_{act.lower()}" BEFORE {act} ON "{table}" '
        f"BEGIN SELECT RAISE(ABORT, '{_refusal(table)}'); END"
        for act in acts
    ]


def postgresql_guards(table: str, name: str, schema: str | None = None) -> list[str]:
    """Return the statements that keep a table of PostgreSQL append-only."""
    within = f'"{schema}".' if schema else ""
    acts = "UPDATE OR DELETE" if name in APPEND_ONLY else "DELETE"
    refuse = f'{within}"{table}_refuse"'
    return [
        f"CREATE OR REPLACE FUNCTION {refuse}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = '{_refusal(table)}'; END $$",
        f'CREATE TRIGGER "{table}_no_change" BEFORE {acts} ON {within}"{table}" '
        f"FOR EACH ROW EXECUTE FUNCTION {refuse}()",
        f'CREATE TRIGGER "{table}_no_truncate" BEFORE TRUNCATE ON {within}"{table}" '
        f"FOR EACH STATEMENT EXECUTE FUNCTION {refuse}()",
    ]


def _refusal(table: str) -> str:
    return f"{table}: rows are never changed or removed; record a correction"


GUARDS: Mapping[str, Callable[[str, str, str | None], list[str]]] = {
    "sqlite": sqlite_guards,
    "postgresql": postgresql_guards,
}
"""The statements that guard the rows of a table, by the dialect: of its name, that without a prefix, and its schema."""
