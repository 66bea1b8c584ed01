"""The columns that a file of results may have, and what is wrong with those it has."""

import csv
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cm_engine.errors import Problem, ResultsFileError
from cm_engine.importing.table import Line, cells_of, column_of, delimiter_of
from cm_engine.spelling import nearest

PANEL = "panel."
"""What the name of a column begins with that has the results of one analyte."""

WHY = "why"
"""The column of a report of refused lines that says why; it is passed over when the report is imported."""

WHO = ("enrollment", "participant")
SEEN = ("result", "event", "value")
WHEN = ("on", "collected_at")
EVIDENCE = ("condition", "excuse", "prescribed", "presumptive", "choice", "group")
OTHERS = ("program", "target", "resulted_at", "zone", "key", "source", WHY)
KNOWN = (*WHO, *SEEN, *WHEN, *EVIDENCE, *OTHERS)


class Columns(NamedTuple):
    """The columns of a file, by the place of their cells.

    Attributes:
        file: what the file is called in problems.
        header: the names, as they are written.
        names: the names by which they are known.
    """

    file: str
    delimiter: str
    header: tuple[str, ...]
    names: tuple[str, ...]

    def problem(self, line: Line, message: str, name: str = "", *, named: bool = True) -> Problem:
        """Return a problem at the cell of a column, or of a whole line.

        Args:
            line: where it is.
            message: what is wrong, what was expected, and what to do.
            name: of the column; one that the file has not, or none, is the whole line.
            named: whether the problem names the column; its message may do that already.
        """
        is_cell = name in self.names
        column = column_of(line.text, self.names.index(name), self.delimiter) if is_cell else 1
        said = " ".join(message.split())
        return Problem(self.file, line.number, column, name if is_cell and named else "", said)


def columns_of(file: str, header: Line, delimiter: str) -> Columns:
    """Return the columns that a header names.

    Raises:
        ResultsFileError: columns are missing, repeated or unknown; the error has every problem.
    """
    if "\r" in header.text:
        message = "lines end as on old machines; expected line ends of Windows or Unix; save it as CSV UTF-8"
        raise ResultsFileError([Problem(file, 1, header.text.index("\r") + 1, "", message)])
    delimiter = delimiter or delimiter_of(header.text)
    try:
        written = tuple(cell.strip() for cell in cells_of(header.text, delimiter))
    except csv.Error as error:
        raise ResultsFileError([Problem(file, 1, 1, "", f"this is no header of CSV: {error}")]) from error
    columns = Columns(file, delimiter, written, tuple(map(_known_as, written)))
    if problems := [*_wrong(columns, header), *_missing(columns, header)]:
        raise ResultsFileError(problems)
    return columns


def _known_as(written: str) -> str:
    """Return a name in small letters, as spreadsheets like capitals; that of an analyte is as it is."""
    prefix = written[: len(PANEL)].lower()
    return prefix + written[len(PANEL) :] if prefix == PANEL else written.lower()


def _wrong(columns: Columns, header: Line) -> Iterator[Problem]:
    for place, name in enumerate(columns.names):
        if message := _wrong_name(columns.names[:place], name):
            column = column_of(header.text, place, columns.delimiter)
            yield Problem(columns.file, header.number, column, "", message)


def _wrong_name(before: tuple[str, ...], name: str) -> str:
    if not name or name == PANEL:
        return "expected the name of a column, got nothing; give it one, or take the column out"
    if name in before:
        return f"the column {name!r} is given twice; take one of them out"
    if name in KNOWN or name.startswith(PANEL):
        return ""
    expected = f"expected {', '.join(KNOWN)} or {PANEL}ANALYTE"
    return f"there is no column {name!r}{nearest(name, KNOWN)}; {expected}; rename it, or take it out"


NEEDED: Mapping[str, tuple[str, ...]] = {
    "whose result it is: enrollment, or participant": WHO,
    f"what was seen: result, event, value or {PANEL}ANALYTE": SEEN,
    "when it was: on, or collected_at": WHEN,
}


def _missing(columns: Columns, header: Line) -> Iterator[Problem]:
    """Yield what no line could do without, or says twice."""
    there = {PANEL if name.startswith(PANEL) else name for name in columns.names}
    for what, names in NEEDED.items():
        if not there & {*names, *([PANEL] if names is SEEN else [])}:
            yield columns.problem(header, f"the header lacks a column; expected {what}; add one")
    if there >= set(WHO):
        message = "enrollment and participant say the same twice; take one of them out"
        yield columns.problem(header, message, "participant", named=False)
    if "program" in there and "participant" not in there:
        message = "expected participant beside it; the enrollment says the program; take this out"
        yield columns.problem(header, message, "program")
