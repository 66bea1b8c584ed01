"""Files of results: one participant a line, looked at as a whole before anything is decided."""

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from pydantic_core import PydanticCustomError

from cm_engine.errors import CmEngineError, Problem, ResultsError, ResultsFileError
from cm_engine.program.values import day
from cm_engine.rules import Rules, initial_state
from cm_engine.rules.compiled import TargetRules
from cm_engine.rules.timeline import planned_part

NEEDED = ("participant", "results")
DELIMITERS = ",;\t"


class Participant(NamedTuple):
    """A participant, the results so far by target, and the first day of week 1."""

    participant: str
    results: dict[str, str]
    start: date | None


class Row(NamedTuple):
    """A line of the file, with the fields by the name of their column."""

    line: int
    text: str
    fields: dict[str, str]


class _WrongError(Exception):
    """Say what is wrong with a column of a row."""

    def __init__(self, column: str, message: str) -> None:
        self.column = column
        super().__init__(message)


def read_results(
    path: Path,
    rules: Rules,
    start: date | None,
    *,
    truncate: bool,
    columns: tuple[str, str] = NEEDED,
) -> list[Participant]:
    """Return the participants of a CSV file with the columns participant, results and, if it likes, start and target.

    Of a program with several targets a line is of one target, and a participant has a line for each. Commas, semicolons or tabs separate the columns. Empty lines, and white space around a value, mean nothing.

    Args:
        path: the file, in UTF-8.
        rules: the program that the results are meant for.
        start: the first day of week 1 of those without one of their own.
        truncate: drop results beyond the plan.
        columns: the names of the columns participant and results, where a file calls them otherwise.

    Raises:
        ResultsFileError: lines are wrong; the error has all of them.
        ResultsError: the file cannot be read.
    """
    problems: list[Problem] = []
    found: dict[str, Participant] = {}
    lines: dict[tuple[str, str], int] = {}
    for row in _rows(path, problems, columns):
        try:
            one = _participant(row, rules, start, lines, truncate=truncate)
            found[one.participant] = _joined(found.get(one.participant), one)
        except _WrongError as wrong:
            problems.append(_problem(path, row, wrong))
    if problems:
        raise ResultsFileError(problems)
    return list(found.values())


def _joined(known: Participant | None, one: Participant) -> Participant:
    """Return a participant with the results of one target more."""
    if known is None:
        return one
    if known.start != one.start:
        message = (
            f"participant {one.participant} starts on {known.start} by a line above, and here on {one.start}"
        )
        raise _WrongError("start", message)
    return known._replace(results=known.results | one.results)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise ResultsError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path}: is not text in UTF-8; save it as CSV UTF-8"
        raise ResultsError(msg) from error


def _rows(path: Path, problems: list[Problem], columns: tuple[str, str]) -> Iterator[Row]:
    """Yield each line that is not empty; what is no row of the header's columns is a problem."""
    lines = enumerate(_text(path).split("\n"), start=1)
    header, delimiter = _header(path, next(lines)[1], columns)
    for number, text in lines:
        if not text.strip(f"{DELIMITERS}\r "):
            continue
        try:
            [values] = csv.reader([text], delimiter=delimiter, strict=True)
        except csv.Error as error:
            problems.append(Problem(str(path), number, 1, "", f"this is not CSV: {error}"))
            continue
        if len(values) != len(header):
            message = f"expected {len(header)} values, got {len(values)}: {text.strip()}"
            problems.append(Problem(str(path), number, 1, "", message))
            continue
        fields = dict(zip(header, (value.strip() for value in values), strict=True))
        yield Row(number, text, fields)


def _header(path: Path, text: str, columns: tuple[str, str]) -> tuple[list[str], str]:
    delimiter = max(DELIMITERS, key=text.count)
    names = [name.strip(' "\r').lower() for name in text.split(delimiter)]
    if not set(columns) <= set(names):
        message = f"expected the columns {','.join(columns)}, got {text.strip() or 'nothing'}"
        raise ResultsFileError([Problem(str(path), 1, 1, "", message)])
    if len(set(names)) < len(names):
        message = f"expected each column once, got {text.strip()}"
        raise ResultsFileError([Problem(str(path), 1, 1, "", message)])
    ours = dict(zip(columns, NEEDED, strict=True))
    return [ours.get(name, name) for name in names], delimiter


def _participant(
    row: Row, rules: Rules, start: date | None, lines: dict[tuple[str, str], int], *, truncate: bool
) -> Participant:
    participant = row.fields["participant"]
    if not participant:
        raise _WrongError("participant", "expected the id of a participant, got nothing")
    target = _target(row, rules)
    if before := lines.get((participant, target.name)):
        raise _WrongError("participant", f"{participant!r} is on line {before} already")
    lines[participant, target.name] = row.line
    begin = _start(row, rules, start)
    try:
        word = planned_part(target, row.fields["results"], truncate=truncate)
    except ResultsError as error:
        raise _WrongError("results", f"participant {participant}: {error}") from None
    return Participant(participant, {target.name: word}, begin)


def _target(row: Row, rules: Rules) -> TargetRules:
    try:
        return rules.target(row.fields.get("target", ""))
    except ResultsError as error:
        raise _WrongError("target", str(error)) from None


def _start(row: Row, rules: Rules, start: date | None) -> date | None:
    own_start = row.fields.get("start")
    try:
        begin = day(own_start) if own_start else start
        initial_state(rules, begin)
    except PydanticCustomError as error:
        raise _WrongError("start", error.message()) from None
    except CmEngineError as error:
        raise _WrongError("start", str(error)) from None
    return begin


def _problem(path: Path, row: Row, wrong: _WrongError) -> Problem:
    value = row.fields.get(wrong.column)
    column = row.text.rfind(value) + 1 if value else 1
    return Problem(str(path), row.line, column, wrong.column, str(wrong))
