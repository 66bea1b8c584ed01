"""The lines that were refused: where, why, and as a file that can be corrected and imported again."""

import csv
import os
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from cm_engine.errors import Problem, ResultsError
from cm_engine.importing.columns import WHY, Columns
from cm_engine.importing.table import cells_of


class Refused(NamedTuple):
    """A line that was not recorded.

    Attributes:
        line: its number, from 1, the header's being the first.
        text: the line as it stands in the file.
        problems: what is wrong with it; never empty.
    """

    line: int
    text: str
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        """Return each problem on a line, in the form that editors make clickable."""
        return "\n".join(map(str, self.problems))


def refuse_unwritable(report: str | PathLike[str], file: str) -> None:
    """Refuse a report that could not be written in the end; what is there is left as it is.

    Raises:
        ResultsError: it is the imported file itself, or cannot be opened.
    """
    path = Path(report)
    if path.exists() and Path(file).exists() and path.samefile(file):
        msg = f"{path}: is the file that is imported; give the report another name"
        raise ResultsError(msg)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        msg = f"{path}: the report cannot be written there; name a file in a folder that can be written"
        raise ResultsError(msg)


def write_report(report: str | PathLike[str], columns: Columns, refused: Iterable[Refused]) -> None:
    """Write refused lines with their own columns, and why: corrected, they can be imported.

    Raises:
        ResultsError: it cannot be written.
    """
    kept = [place for place, name in enumerate(columns.names) if name != WHY]
    try:
        with Path(report).open("w", encoding="utf-8", newline="") as stream:
            sheet = csv.writer(stream, delimiter=columns.delimiter, lineterminator="\n")
            sheet.writerow([*(columns.header[place] for place in kept), WHY])
            for each in refused:
                cells = _cells(each, columns)
                sheet.writerow([*(cells[place] for place in kept), " | ".join(map(str, each.problems))])
    except OSError as error:
        msg = f"{report}: the report cannot be written: {error.strerror}"
        raise ResultsError(msg) from error


def _cells(refused: Refused, columns: Columns) -> list[str]:
    """Return a cell for each column; of a line that has more or less of them, why tells the whole text."""
    empty = [""] * len(columns.header)
    try:
        cells = cells_of(refused.text, columns.delimiter)
    except csv.Error:
        return empty
    return cells if len(cells) == len(empty) else empty
