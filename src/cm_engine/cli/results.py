"""Files of results: one participant a line, looked at as a whole before anything is decided."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from cm_engine.errors import Problem, ResultsError
from cm_engine.rules import Rules
from cm_engine.rules.timeline import planned_part

COLUMNS = ("participant", "results")


class Participant(NamedTuple):
    """A participant and the results so far."""

    participant: str
    results: str


def read_results(path: Path, rules: Rules, *, truncate: bool) -> list[Participant]:
    """Return the participants of a CSV file with the columns `participant` and `results`.

    Raises:
        ResultsError: the file cannot be read, or a line of it is wrong; the error names file, line and column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise ResultsError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path}: is not text in UTF-8"
        raise ResultsError(msg) from error
    return list(_participants(path, text.splitlines(), rules, truncate=truncate))


def _participants(path: Path, lines: list[str], rules: Rules, *, truncate: bool) -> Iterator[Participant]:
    reader = csv.DictReader(lines, strict=True)
    seen: dict[str, int] = {}
    try:
        _check_header(path, list(reader.fieldnames or ()))
        for row in reader:
            line = reader.line_num
            participant, results = row["participant"], row["results"]
            if not participant or results is None:
                _refuse(path, line, 1, "", f"expected a participant and results, got {lines[line - 1]!r}")
            if participant in seen:
                message = f"{participant!r} is given twice; it is already on line {seen[participant]}"
                _refuse(path, line, 1, "participant", message)
            seen[participant] = line
            try:
                yield Participant(participant, planned_part(rules, results, truncate=truncate))
            except ResultsError as error:
                column = lines[line - 1].rfind(results) + 1
                _refuse(path, line, column, "results", f"participant {participant}: {error}")
    except csv.Error as error:
        _refuse(path, reader.reader.line_num, 1, "", f"this is not CSV: {error}")


def _check_header(path: Path, found: list[str]) -> None:
    for column in COLUMNS:
        if column not in found:
            _refuse(
                path,
                1,
                1,
                "",
                f"expected the columns participant,results, got {','.join(found) or 'nothing'}",
            )


def _refuse(path: Path, line: int, column: int, what: str, message: str) -> NoReturn:
    raise ResultsError(str(Problem(str(path), line, column, what, message)))
