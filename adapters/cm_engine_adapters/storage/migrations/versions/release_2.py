"""Work: what is to be done once its time has come."""

from alembic import op
from sqlalchemy import Column, Integer, Text

revision = "2"
down_revision = "1"

COLUMNS = "enrollment kind name state due tries worker body note"
KEY = {"enrollment", "kind", "name"}
INDEXES = {
    "due": "kind state due",
    "listed": "kind enrollment name",
    "state": "kind state enrollment name",
}


def upgrade(prefix: str, schema: str | None) -> None:
    """Make the table, its indexes, and the triggers that keep rows from being removed; nothing waits yet."""
    table = f"{prefix}work"
    made = [
        Column(name, Integer() if name == "tries" else Text(), primary_key=name in KEY, nullable=False)
        for name in COLUMNS.split()
    ]
    op.create_table(table, *made, schema=schema)
    for name, columns in INDEXES.items():
        op.create_index(f"{prefix}work_{name}", table, columns.split(), schema=schema)
    guards = _postgresql if op.get_context().dialect.name == "postgresql" else _sqlite
    for statement in guards(table, f'"{schema}".' if schema else ""):
        op.execute(statement.replace(":", r"\:"))


def _sqlite(table: str, _: str) -> list[str]:
    return [
        f'CREATE TRIGGER "{table}_no_delete" BEFORE DELETE ON "{table}" '
        f"BEGIN SELECT RAISE(ABORT, '{_refusal(table)}'); END"
    ]


def _postgresql(table: str, within: str) -> list[str]:
    refuse = f'{within}"{table}_refuse"'
    return [
        f"CREATE OR REPLACE FUNCTION {refuse}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = '{_refusal(table)}'; END $$",
        f'CREATE TRIGGER "{table}_no_change" BEFORE DELETE ON {within}"{table}" '
        f"FOR EACH ROW EXECUTE FUNCTION {refuse}()",
        f'CREATE TRIGGER "{table}_no_truncate" BEFORE TRUNCATE ON {within}"{table}" '
        f"FOR EACH STATEMENT EXECUTE FUNCTION {refuse}()",
    ]


def _refusal(table: str) -> str:
    return f"{table}: rows are never changed or removed; record a correction"
