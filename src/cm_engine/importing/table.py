"""A CSV file as lines of cells, read one after the other, where every cell has its place."""

import csv
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from os import PathLike, fspath
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cm_engine.errors import Problem, ResultsFileError
from cm_engine.program.values import shown

File = str | PathLike[str] | BinaryIO

DELIMITERS = ",;\t"
QUOTE = '"'
LINE_MAX = 32_000
"""As many bytes may a line have: more is no line of results, and must not fill the memory."""


class Line(NamedTuple):
    """A line of a file: its number, from 1, and its text without the end of the line."""

    number: int
    text: str


def numbered_lines(file: File) -> Iterator[Line]:
    """Yield the lines of a file in UTF-8, with or without a byte order mark, one after the other.

    Raises:
        ResultsFileError: it cannot be read, is no text in UTF-8, or has a line that is too long.
    """
    name = name_of(file)
    try:
        with _opened(file) as stream:
            for number, raw in enumerate(iter(lambda: stream.readline(LINE_MAX + 1), b""), start=1):
                if len(raw) > LINE_MAX:
                    raise file_error(name, number, f"expected a line of at most {LINE_MAX} bytes; is it CSV?")
                yield Line(number, _decoded(name, number, raw))
    except OSError as error:
        raise file_error(name, 1, f"cannot be read: {error.strerror or error}; look at the path") from error


def name_of(file: File) -> str:
    """Return what a file is called in problems."""
    name = fspath(file) if isinstance(file, str | PathLike) else getattr(file, "name", None)
    return name if isinstance(name, str) else "<file>"


def file_error(name: str, line: int, message: str, column: int = 1) -> ResultsFileError:
    """Return an error that is of the whole file."""
    return ResultsFileError([Problem(name, line, column, "", message)])


def _opened(file: File) -> AbstractContextManager[BinaryIO]:
    """Open a path; a stream stays its owner's."""
    return Path(file).open("rb") if isinstance(file, str | PathLike) else nullcontext(file)


def _decoded(name: str, number: int, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        column = len(error.object[: error.start].decode()) + 1
        raise file_error(name, number, "this is not text in UTF-8; save it as CSV UTF-8", column) from error
    return text.rstrip("\r\n")


def delimiter_of(header: str) -> str:
    """Return what separates the columns: a comma, a semicolon or a tab, whichever the header has most of."""
    return max(DELIMITERS, key=header.count)


def cells_of(text: str, delimiter: str) -> list[str]:
    """Return the cells of a line, as they are written; a quoted one may hold the delimiter, but no end of line.

    Raises:
        csv.Error: a quotation mark is not closed, or stands where none can.

    Example:
        >>> cells_of('e-1;"a; b";-', ";")
        ['e-1', 'a; b', '-']
    """
    [cells] = csv.reader([text], delimiter=delimiter, strict=True)
    return cells


def is_empty(line: Line) -> bool:
    """Tell whether a line says nothing."""
    return not line.text.strip(f"{DELIMITERS} ")


def column_of(text: str, cell: int, delimiter: str) -> int:
    """Return the column, from 1, at which a cell of a line begins.

    Example:
        >>> column_of('"a,b", c,d', 1, ","), column_of('"a,b", c,d', 2, ",")
        (8, 10)
    """
    is_quoted = False
    for column, symbol in enumerate(text, start=1):
        if cell == 0 and symbol != " ":
            return column
        is_quoted ^= symbol == QUOTE
        cell -= symbol == delimiter and not is_quoted
    return len(text) + 1


def stated_delimiter(name: str, delimiter: str) -> str:
    """Return a delimiter that was stated.

    Raises:
        ResultsFileError: it is none.
    """
    found = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    if found not in {"", *DELIMITERS}:
        raise file_error(name, 1, f"expected a delimiter that is one of , ; tab, got {shown(delimiter)}")
    return found
