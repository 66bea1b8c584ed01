"""What formats made of lines have in common: their text, its separator, and the values of a cell."""

import csv
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from cm_engine.arrivals import Code, Unread
from cm_engine.errors import IntakeError

SEPARATORS = ",;\t"
NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?")

Row = Mapping[str, str]


def rows_of(document: bytes, format: str) -> Iterator[tuple[int, Row | Unread]]:  # noqa: A002 - what it is
    """Yield the lines of a document after its header, by their numbers; one with other cells than it is unreadable.

    Raises:
        IntakeError: it is no text in UTF-8, or has no header.
    """
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise IntakeError(format, "it is not text in UTF-8") from None
    first = text.split("\n", 1)[0]
    lines = csv.reader(text.splitlines(), delimiter=max(SEPARATORS, key=first.count), strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        if not any(header) or len(set(header)) < len(header):
            raise IntakeError(format, "expected a header that names each column once")
        for cells in lines:
            if any(cell.strip() for cell in cells):
                yield lines.line_num, _row(header, cells, lines.line_num)
    except csv.Error:
        raise IntakeError(
            format, f"line {lines.line_num}: a quotation mark is not closed, or not doubled"
        ) from None


def _row(header: list[str], cells: list[str], line: int) -> Row | Unread:
    if len(cells) != len(header):
        return Unread(f"line {line}", f"expected {len(header)} cells, as in the header, got {len(cells)}")
    return dict(zip(header, (cell.strip() for cell in cells), strict=True))


def number_in(text: str) -> Decimal | None:
    """Return the exact number that a text is; None for any other text.

    Example:
        >>> number_in("12.50"), number_in("<5"), number_in("1e3")
        (Decimal('12.50'), None, None)
    """
    return Decimal(text) if NUMBER.fullmatch(text) else None


def identified(text: str, system: str) -> Code:
    """Return an id that is written as system|id, or as the id alone.

    Example:
        >>> identified("mrn|77", ""), identified("77", "redcap")
        (Code(system='mrn', code='77'), Code(system='redcap', code='77'))
    """
    before, bar, after = text.rpartition("|")
    return Code(before, after) if bar else Code(system, text)
