"""The lines of a file on the disk, in the order in which they are best recorded, however many there are."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from cm_engine.acts.recorded import Recorded
from cm_engine.errors import Problem, StorageFullError
from cm_engine.importing.reading import Dated
from cm_engine.importing.refusals import Refused
from cm_engine.importing.table import Line
from cm_engine.log.attending import UNPLACED

MEMORY_KIB = 16_384
"""So much memory may be taken; what is more is put into a file without a name in the folder for temporary files."""

TABLES = """
CREATE TABLE lines (number INTEGER PRIMARY KEY, text TEXT, day TEXT, moment TEXT, source TEXT, key TEXT);
CREATE TABLE refused (number INTEGER PRIMARY KEY, text TEXT, problems TEXT);
CREATE TABLE shown (enrollment TEXT, record INTEGER, target TEXT, visit INTEGER, outcome TEXT,
  PRIMARY KEY (enrollment, record, target, visit)) WITHOUT ROWID
"""

SHOWN = "INSERT INTO shown VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET outcome = excluded.outcome"
"""What is decided last of a visit that nobody came to, or of a result, is what stands."""

MISSED = "SELECT count(*) FROM shown WHERE record = 0 AND outcome = 'o'"
UNPLACED_NOW = "SELECT count(*) FROM shown WHERE record > 0 AND outcome = ?"

IN_ORDER = """
SELECT number, text FROM lines WHERE number NOT IN (SELECT number FROM refused) ORDER BY day, moment, number
"""

SAME_KEY = """
SELECT lines.number, lines.text, firsts.number, firsts.text
FROM (SELECT number, min(number) OVER (PARTITION BY source, key) AS first FROM lines) AS twins
JOIN lines ON lines.number = twins.number JOIN lines AS firsts ON firsts.number = twins.first
WHERE twins.number > twins.first
"""


class Staged:
    """Keep the lines of a file while it is imported: those to be recorded, and those that were refused."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute

    def add(self, line: Line, dated: Dated) -> None:
        """Keep a line that can be recorded."""
        row = (*line, dated.day, dated.moment, dated.report.source, dated.report.key)
        self._execute("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", row)

    def refuse(self, line: Line, problems: Iterable[Problem]) -> None:
        """Keep a line that was refused, with what is wrong with it."""
        told = json.dumps([(each.file, each.line, each.column, each.path, each.message) for each in problems])
        self._execute("INSERT INTO refused VALUES (?, ?, ?)", (*line, told))

    def in_order(self) -> Iterator[Line]:
        """Yield what can be recorded in the order of days, within a day of moments, within a moment of the file."""
        return map(Line._make, self._execute(IN_ORDER))

    def with_same_key(self) -> Iterator[tuple[Line, Line]]:
        """Yield each line whose source and key are those of a line above, and the first of these."""
        for number, text, first, first_text in self._execute(SAME_KEY):
            yield Line(number, text), Line(first, first_text)

    def show(self, done: Recorded) -> None:
        """Keep what a result showed of visits that nobody came to, and of results that fit no visit."""
        for each in done.decisions:
            if not each.record or each.outcome == UNPLACED or done.corrected:
                about = ("", 0) if each.record else (each.target, each.visit)
                self._execute(SHOWN, (each.enrollment, each.record, *about, each.outcome))

    def missed(self) -> int:
        """Return how many visits nobody came to, by what is known now."""
        return int(self._execute(MISSED).fetchone()[0])

    def unplaced(self) -> int:
        """Return how many results fit no visit, by what is known now."""
        return int(self._execute(UNPLACED_NOW, (UNPLACED,)).fetchone()[0])

    def refused(self) -> Iterator[Refused]:
        """Yield what was refused, in the order of the file."""
        for number, text, problems in self._execute("SELECT * FROM refused ORDER BY number"):
            yield Refused(number, text, tuple(Problem(*each) for each in json.loads(problems)))


@contextmanager
def staging() -> Iterator[Staged]:
    """Give a place on the disk that nobody else sees, and that is gone with the block.

    Raises:
        StorageFullError: there is no space for temporary files.
    """
    try:
        with closing(sqlite3.connect("", isolation_level=None)) as connection:
            connection.execute(f"PRAGMA cache_size = -{MEMORY_KIB}")
            connection.execute("PRAGMA journal_mode = OFF")
            connection.executescript(TABLES)
            connection.execute("BEGIN")
            yield Staged(connection)
    except sqlite3.Error as error:
        msg = f"no space to sort the file in the folder for temporary files: {error}; make room, and import again"
        raise StorageFullError(msg) from error
