"""The statements of the log on SQLite: all that a batch names is looked up at once."""

import json
from collections.abc import Sequence

from cm_engine.log.rows import RecordRow, StandingRow
from cm_engine.ports import Found
from cm_engine_adapters.storage.transaction import ROWS, SqlTransaction


class SqliteTransaction(SqlTransaction):
    """Look up all that a batch names at once."""

    def look_up(self, enrollments: Sequence[str], keys: Sequence[tuple[str, str]]) -> Found:
        """Return where enrollments stand, and what was recorded under keys."""
        if len(keys) == 1:
            return super().look_up(enrollments, keys)
        standings, records = self.statements.tables.standings.name, self.statements.tables.records.name
        stands, known_as = (
            ", ".join(f't."{field}"' for field in ROWS[name]) for name in ("standings", "records")
        )
        by_id = f'SELECT {stands} FROM json_each(?) AS w JOIN "{standings}" AS t ON t.enrollment = w.value'
        by_key = (
            f'SELECT {known_as} FROM json_each(?) AS w JOIN "{records}" AS t '
            "ON t.source = json_extract(w.value, '$[0]') AND t.key = json_extract(w.value, '$[1]')"
        )
        stand = map(StandingRow._make, self.cursor.execute(by_id, [json.dumps(enrollments)]).fetchall())
        known = map(RecordRow._make, self.cursor.execute(by_key, [json.dumps(keys)]).fetchall())
        return Found({row.enrollment: row for row in stand}, {(row.source, row.key): row for row in known})

    def damage(self) -> list[str]:
        """Return what SQLite finds damaged: pages, and indexes that are not those of their tables."""
        found = [
            line for (told,) in self.cursor.execute("PRAGMA integrity_check") for line in told.splitlines()
        ]
        return [] if found == ["ok"] else found
