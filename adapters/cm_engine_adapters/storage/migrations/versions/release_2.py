"""Work: what is to be done once its time has come, and for payouts that are on their way already, the work on them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from alembic import op
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, func, select

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
    """Make the table, its indexes, and the triggers that keep rows from being removed; payouts on their way wait in it."""
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
    if not op.get_context().as_sql:
        _put_on_its_way(op.get_bind(), prefix, schema)


Stays = Mapping[str, list[tuple[str, str]]]
"""Where enrollments are: for each its stays, with the first day and the zone of each, in order."""


def _put_on_its_way(connection: Connection, prefix: str, schema: str | None) -> None:
    """Write the work on payouts of enrollments at sites that are in flight; a dispatcher finds out which are a person's.

    It stands here as release 1 wrote its rows, and release 2 its own: what later releases do is no matter of it.
    """
    names = ("records", "decisions", "payouts", "work")
    known = {
        name: Table(f"{prefix}{name}", MetaData(), schema=schema, autoload_with=connection) for name in names
    }
    stays, ended = _stays(connection, known["records"]), _ended(connection, known["decisions"])
    elsewhere = _decided_elsewhere(connection, known["records"], known["decisions"])
    payouts = select(known["payouts"]).order_by("enrollment", "number", "leg")
    rows = [
        _waiting(row, stays[row["enrollment"]])
        for row in connection.execute(payouts).mappings()
        if row["enrollment"] in stays
        and (row["enrollment"], row["number"], row["leg"]) not in ended
        and (row["enrollment"], row["number"]) not in elsewhere
    ]
    if rows:
        connection.execute(known["work"].insert(), rows)


def _stays(connection: Connection, records: Table) -> Stays:
    """Return where enrollments are; of two transfers on one day the later one counts."""
    sited = select(records.c.enrollment, records.c.kind, records.c.body).where(
        records.c.kind.in_(["placed", "transferred"])
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for enrollment, kind, text in connection.execute(sited.order_by(records.c.enrollment, records.c.seq)):
        body = json.loads(text)
        first = "" if kind == "placed" else body["on"]
        before = [stay for stay in found.get(enrollment, []) if stay[0] < first]
        found[enrollment] = [*before, (first, body["zone"])]
    return found


def _ended(connection: Connection, decisions: Table) -> set[tuple[str, int, int]]:
    """Return the payouts that reached somebody, or came back."""
    outcomes = ["handed over", "declined", "refunded"]
    over = select(decisions.c.enrollment, decisions.c.reasons).where(decisions.c.outcome.in_(outcomes))
    return {
        (enrollment, form["number"], form["leg"])
        for enrollment, reasons in connection.execute(over)
        for form in json.loads(reasons)
    }


def _decided_elsewhere(connection: Connection, records: Table, decisions: Table) -> set[tuple[str, int]]:
    """Return the decisions that came with an import: what they put on its way was another database's to hand over."""
    came = select(records.c.enrollment, func.max(records.c.seq).label("last"))
    last = came.where(records.c.kind == "imported").group_by(records.c.enrollment).subquery()
    found = select(decisions.c.enrollment, decisions.c.number).join(
        last, (last.c.enrollment == decisions.c.enrollment) & (last.c.last > decisions.c.record)
    )
    return {(enrollment, number) for enrollment, number in connection.execute(found)}


def _waiting(payout: Mapping[Any, Any], stays: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the work on a payout: due from the beginning of its day where the enrollment is then."""
    day = payout["day"]
    there = [zone for first, zone in stays if first <= day] or [stays[0][1]]
    begins = datetime.combine(datetime.fromisoformat(day), time(), ZoneInfo(there[-1])).astimezone(UTC)
    due = begins.replace(tzinfo=None).isoformat(timespec="microseconds") + "+00:00"
    name = f"{payout['number']:05}/{payout['leg']}"
    fresh = {"state": "waiting", "due": due, "tries": 0, "worker": "", "body": "{}", "note": ""}
    return {"enrollment": payout["enrollment"], "kind": "payout", "name": name, **fresh}


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
