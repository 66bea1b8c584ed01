"""A CSV file of words of results, a participant a line, as a cohort."""

import csv
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cm_engine.endpoints.cohort import Person
from cm_engine.errors import Problem, ResultsFileError
from cm_engine.importing.table import (
    File,
    Line,
    cells_of,
    column_of,
    delimiter_of,
    file_error,
    is_empty,
    name_of,
    numbered_lines,
)
from cm_engine.outcomes.timeline import Timeline, Visits, last_day, with_only
from cm_engine.program.values import OUTCOMES, unknown_result
from cm_engine.spelling import nearest

PARTICIPANT, RESULTS, TARGET = "participant", "results", "target"


class _Columns(NamedTuple):
    """Where the cells of a file are that matter; others are passed over."""

    file: str
    delimiter: str
    names: tuple[str, ...]
    arm: str

    def problem(self, line: Line, name: str, message: str, offset: int = 0) -> Problem:
        column = column_of(line.text, self.names.index(name), self.delimiter) if name else 1
        return Problem(self.file, line.number, column + offset, name, message)


class _Row(NamedTuple):
    """What a line says of one participant."""

    line: int
    participant: str
    target: str
    arm: str
    word: str


def read_words(file: File, *, every: int | None = None, target: str = "", arm: str = "") -> list[Person]:
    r"""Read a CSV file with the columns participant,results: one symbol a visit.

    A column target makes several lines of one participant, each a word of another target. All other columns are
    passed over.

    Args:
        file: a path, or a stream of bytes, in UTF-8, with a header.
        every: how many days there are from a visit to the next; None if nobody knows.
        target: whose word is measured by endpoints that name no target; empty for the only one.
        arm: the name of the column that says in which arm a participant is; empty for none.

    Raises:
        ResultsFileError: the file is wrong; the error holds every problem with line and column.

    Example:
        >>> from io import BytesIO
        >>> [person] = read_words(BytesIO(b"participant,results\np-1,--o+\n"))
        >>> person.id, person.timeline.visits[""].word
        ('p-1', '--o+')
        >>> read_words(BytesIO(b"participant,results\np-1,--x+\n"))
        Traceback (most recent call last):
        cm_engine.errors.ResultsFileError: <file>:2:7: error: results: result 3 is 'x'; expected - met, + positive, o missed, e excused, * invalid, r refused, _ not required
    """
    lines = numbered_lines(file)
    header = next(lines, None)
    if header is None or is_empty(header):
        raise file_error(
            name_of(file), 1, "expected a header, such as participant,results, got nothing; add one"
        )
    columns = _columns(name_of(file), header, arm)
    problems: list[Problem] = []
    found = _by_participant(columns, lines, problems)
    if problems:
        raise ResultsFileError(problems)
    return [Person(name, *_told(rows, every, target)) for name, rows in found.items()]


def _columns(file: str, header: Line, arm: str) -> _Columns:
    delimiter = delimiter_of(header.text)
    try:
        names = tuple(cell.strip().lower() for cell in cells_of(header.text, delimiter))
    except csv.Error as error:
        raise file_error(file, 1, f"this is no header of CSV: {error}") from error
    for needed in (PARTICIPANT, RESULTS, *filter(None, [arm.lower()])):
        if names.count(needed) != 1:
            got = "twice" if needed in names else f"not among {', '.join(names)}"
            hint = "" if needed in names else nearest(needed, names)
            raise file_error(
                file, 1, f"expected the column {needed} once, got it {got}{hint}; name it in the header"
            )
    return _Columns(file, delimiter, names, arm.lower())


def _by_participant(
    columns: _Columns, lines: Iterator[Line], problems: list[Problem]
) -> dict[str, dict[str, _Row]]:
    """Return the rows of each participant by target; what is wrong with a line is added to the problems."""
    found: dict[str, dict[str, _Row]] = {}
    for line in lines:
        if is_empty(line):
            continue
        row = _row(columns, line, problems)
        if row is None:
            continue
        known = found.setdefault(row.participant, {})
        if row.target in known:
            message = f"{row.participant!r} is on line {known[row.target].line} already; take one of them out"
            problems.append(columns.problem(line, PARTICIPANT, message))
        elif any(each.arm != row.arm for each in known.values()):
            message = f"{row.participant!r} is in another arm by a line above; a participant has one arm"
            problems.append(columns.problem(line, columns.arm, message))
        else:
            known[row.target] = row
    return found


def _row(columns: _Columns, line: Line, problems: list[Problem]) -> _Row | None:
    try:
        cells = [cell.strip() for cell in cells_of(line.text, columns.delimiter)]
    except csv.Error as error:
        problems.append(columns.problem(line, "", f"this is not CSV: {error}"))
        return None
    if len(cells) != len(columns.names):
        message = f"expected {len(columns.names)} cells, as the header has, got {len(cells)}: {line.text}"
        problems.append(columns.problem(line, "", message))
        return None
    said = dict(zip(columns.names, cells, strict=True))
    wrong = list(_wrong(columns, line, said))
    problems += wrong
    row = _Row(line.number, said[PARTICIPANT], said.get(TARGET, ""), said.get(columns.arm, ""), said[RESULTS])
    return None if wrong else row


def _wrong(columns: _Columns, line: Line, said: Mapping[str, str]) -> Iterator[Problem]:
    if not said[PARTICIPANT]:
        yield columns.problem(
            line, PARTICIPANT, "expected the id of a participant, got nothing; say whose it is"
        )
    if columns.arm and not said[columns.arm]:
        yield columns.problem(
            line, columns.arm, "expected the arm of the participant, got nothing; say which"
        )
    word = said[RESULTS]
    if message := unknown_result(word):
        offset = next(index for index, symbol in enumerate(word) if symbol not in OUTCOMES)
        quoted = line.text[column_of(line.text, columns.names.index(RESULTS), columns.delimiter) - 1] == '"'
        yield columns.problem(line, RESULTS, message, offset + quoted)


def _told(rows: Mapping[str, _Row], every: int | None, target: str) -> tuple[str, Timeline]:
    """Return the arm of a participant, and what is known of the visits."""
    visits = {name: Visits(row.word, _days(row.word, every)) for name, row in rows.items()}
    [arm] = {row.arm for row in rows.values()}
    return arm, Timeline(with_only(visits, target), until=last_day(visits.values()))


def _days(word: str, every: int | None) -> tuple[int, ...] | None:
    return None if every is None else tuple(range(0, len(word) * every, every))
