"""The first tables: programs, enrollments, acts, decisions, postings, payouts, standings and pools."""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "1"
down_revision = None

TABLES = {
    "programs": ("digest program version text", "digest"),
    "enrollments": ("id participant program start zone before commitment", "id"),
    "records": ("enrollment seq kind source key actor recorded_at body shared hash", "enrollment seq"),
    "decisions": (
        "enrollment number record observation target visit week day outcome awards reasons said prizes rules hash",
        "enrollment number",
    ),
    "entries": ("enrollment number leg unit amount debit credit", "enrollment number leg"),
    "payouts": ("enrollment number leg day", "enrollment number leg"),
    "standings": ("enrollment seq number head recorded_at state", "enrollment"),
    "pools": ("holder scope name unit per windows", "holder scope name unit per"),
}
"""The columns of each table, and those of its key."""

NUMBERS = {"seq", "number", "record", "observation", "visit", "week", "rules", "leg"}
APPEND_ONLY = {"programs", "enrollments", "records", "decisions", "entries", "payouts"}


def upgrade(prefix: str, schema: str | None) -> None:
    """Make the tables, their indexes, and the triggers that keep them append-only."""
    for name, (columns, key) in TABLES.items():
        made = [_column(column, key.split()) for column in columns.split()]
        op.create_table(f"{prefix}{name}", *made, schema=schema)
    once, by = f"{prefix}records_once", f"{prefix}enrollments_participant"
    op.create_index(once, f"{prefix}records", ["source", "key"], unique=True, schema=schema)
    named = f"{prefix}programs_named"
    op.create_index(named, f"{prefix}programs", ["program", "version"], unique=True, schema=schema)
    of = f"{prefix}decisions_record"
    op.create_index(of, f"{prefix}decisions", ["enrollment", "record"], schema=schema)
    op.create_index(by, f"{prefix}enrollments", ["participant"], schema=schema)
    guards = _postgresql if op.get_context().dialect.name == "postgresql" else _sqlite
    for name in TABLES:
        for statement in guards(f"{prefix}{name}", name in APPEND_ONLY, f'"{schema}".' if schema else ""):
            op.execute(statement.replace(":", r"\:"))


def _column(name: str, key: list[str]) -> Column[Any]:
    kind = BigInteger() if name == "amount" else Integer() if name in NUMBERS else Text()
    return Column(name, kind, primary_key=name in key, nullable=False, autoincrement=False)


def _sqlite(table: str, is_append_only: bool, _: str) -> list[str]:  # noqa: FBT001 - as its twin
    acts = ("UPDATE", "DELETE") if is_append_only else ("DELETE",)
    return [
        f'CREATE TRIGGER "{table}_no_{act.lower()}" BEFORE {act} ON "{table}" '
        f"BEGIN SELECT RAISE(ABORT, '{_refusal(table)}'); END"
        for act in acts
    ]


def _postgresql(table: str, is_append_only: bool, within: str) -> list[str]:  # noqa: FBT001 - as its twin
    acts = "UPDATE OR DELETE" if is_append_only else "DELETE"
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
