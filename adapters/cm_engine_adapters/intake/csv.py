"""Results as lines of a CSV file: each line is one finding, and lines with one id are one report."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from cm_engine.arrivals import Arrival, Arrivals, Code, Finding, Status, Unread
from cm_engine.errors import IntakeError
from cm_engine.intake.times import written
from cm_engine_adapters.intake.rows import Row, identified, number_in, rows_of

REQUIRED = ("id", "person", "code", "value", "status")
COLUMNS = (*REQUIRED, "system", "unit", "version", "collected_at", "resulted_at")
STATUSES = {
    "held": Status.HELD,
    "preliminary": Status.HELD,
    "final": Status.FINAL,
    "corrected": Status.CORRECTED,
    "amended": Status.CORRECTED,
    "void": Status.VOID,
    "entered-in-error": Status.VOID,
    "cancelled": Status.VOID,
}
VERSION_DIGITS = 12


class _Line(NamedTuple):
    """A line by its number."""

    number: int
    row: Row


class CsvIntake:
    r"""Read CSV files with the columns id, person, code, value, status; and system, unit, version, and times.

    Example:
        >>> [arrival] = CsvIntake().read(b"id,person,code,value,status\nu-1,p-1,udt,neg,final\n")
        >>> arrival.key, arrival.status.value, arrival.findings[0].codes, arrival.findings[0].text
        ('u-1', 'final', (Code(system='csv', code='udt'),), 'neg')
    """

    format = "csv"

    def read(self, document: bytes, *, zone: str = "") -> Arrivals:
        """Yield the reports of a file: lines that follow one another with one id and one version are one.

        Raises:
            IntakeError: this is no CSV file, or it lacks a column, or has one that is not known.
        """
        lines: list[_Line] = []
        for number, row in rows_of(document, self.format):
            if isinstance(row, Unread):
                yield row
                continue
            self._refuse_other_columns(row)
            lines.append(_Line(number, row))
        for _, together in groupby(lines, lambda line: (line.row["id"], line.row.get("version", ""))):
            yield from _arrivals(list(together), zone)

    def _refuse_other_columns(self, row: Row) -> None:
        absent = [name for name in REQUIRED if name not in row]
        unknown = [name for name in row if name not in COLUMNS]
        if absent or unknown:
            what = f"it lacks {', '.join(absent)}" if absent else f"there is no column {', '.join(unknown)}"
            raise IntakeError(self.format, f"{what}; its columns are {', '.join(COLUMNS)}")


def _arrivals(lines: list[_Line], zone: str) -> Iterator[Arrival | Unread]:
    """Yield the one report of some lines, or why there is none."""
    first = lines[0].row
    where = f"line {lines[0].number}"
    version = first.get("version", "")
    shared = ("person", "status", "version", "collected_at", "resulted_at")
    if not first["id"] or not first["person"]:
        yield Unread(where, "the id or the person is missing")
    elif version and (not version.isdecimal() or len(version) > VERSION_DIGITS):
        yield Unread(where, "the version is no whole number")
    elif any(line.row.get(name) != first.get(name) for line in lines for name in shared):
        yield Unread(where, "lines of one report have another person, status or time")
    else:
        at, on = written(first.get("collected_at", ""), zone)
        yield Arrival(
            first["id"],
            STATUSES.get(first["status"].lower(), Status.UNKNOWN),
            tuple(_finding(line.row) for line in lines if line.row["code"]),
            (identified(first["person"], ""),),
            version.zfill(VERSION_DIGITS) if version else "",
            at,
            on,
            written(first.get("resulted_at", ""), zone)[0],
        )


def _finding(row: Row) -> Finding:
    code = Code(row.get("system") or "csv", row["code"])
    return Finding((code,), (), row["value"], number_in(row["value"]), row.get("unit", ""))
