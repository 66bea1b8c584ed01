"""What every report is made of: sheets of rows, written as text, CSV, JSON or HTML by the same few lines."""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from cm_engine.reports.page import Column, Markup, Tile, figure, page, paragraph, section, table, tiles

WHOLE_MAX = 20
"""A column whose cells are no longer than this keeps each in one line."""
WIDE = 10
"""A table of more columns is set smaller."""


class Amount(str):
    """An amount as it is spoken, such as $10.00: it stands to the right, as numbers do."""

    __slots__ = ()


class Sheet(NamedTuple):
    """One table of a report.

    Attributes:
        name: of its file, and its place on a page.
        title: what it is about.
        says: how its figures are made, in a sentence.
        kind: of its rows, whose fields are its columns.
        rows: each of that kind.
        figure: a chart of the same, as markup; empty for none.
        columns: what they are called; left out, as the fields.
    """

    name: str
    title: str
    says: str
    kind: Any
    rows: Sequence[Any]
    figure: str = ""
    columns: tuple[str, ...] = ()


class Report(NamedTuple):
    """A report: its sheets, and what is to be seen first."""

    name: str
    title: str
    lead: str
    sheets: tuple[Sheet, ...]
    tiles: tuple[Tile, ...] = ()
    footer: str = ""


def headings(sheet: Sheet) -> list[str]:
    """Return the names of the columns of a sheet, as a person reads them.

    Example:
        >>> class Row(NamedTuple):
        ...     site: str
        ...     met_percent: Decimal
        >>> headings(Sheet("s", "S", "", Row, ()))
        ['site', 'met, %']
    """
    return list(sheet.columns) or [
        name.removesuffix("_percent").replace("_", " ") + ", %" * name.endswith("_percent")
        for name in sheet.kind._fields
    ]


def plain(value: object) -> str:
    """Return a value of a row as text: exact, and nothing for what is not known.

    Example:
        >>> plain(Decimal("10.00")), plain(None), plain(date(2026, 1, 5)), plain(("a", "b"))
        ('10.00', '', '2026-01-05', 'a, b')
    """
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(plain, value))
    return value.isoformat() if isinstance(value, date) else str(value)


def text_of(report: Report) -> str:
    """Return a report as text."""
    first = [f"{each.name}: {each.value}{f' ({each.note})' if each.note else ''}" for each in report.tiles]
    parts = [
        report.title,
        report.lead,
        "\n".join(first),
        *(_text_of_sheet(sheet) for sheet in report.sheets),
        report.footer,
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def csv_of(sheet: Sheet) -> str:
    r"""Return a sheet as CSV; what a spreadsheet would take for a formula gets an apostrophe before it.

    Example:
        >>> class Row(NamedTuple):
        ...     why: str
        >>> csv_of(Sheet("s", "S", "", Row, [Row("=1+1")]))
        "why\r\n'=1+1\r\n"
    """
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(sheet.kind._fields)
    writer.writerows([_guarded(value) for value in row] for row in sheet.rows)
    return written.getvalue()


def json_of(report: Report) -> str:
    """Return a report as JSON: amounts as strings, so that they stay exact."""
    form = {
        "report": report.name,
        "title": report.title,
        "sheets": {sheet.name: [_form(row) for row in sheet.rows] for sheet in report.sheets},
    }
    return json.dumps(form, ensure_ascii=False, indent=1) + "\n"


def html_of(report: Report, *, language: str = "en", contents: str = "Contents") -> str:
    """Return a report as a page."""
    first = [tiles(report.tiles)] if report.tiles else []
    sections = [_section_of(sheet) for sheet in report.sheets]
    return page(
        report.title,
        report.lead,
        [*first, *sections],
        language=language,
        footer=report.footer,
        contents=contents,
    )


def _section_of(sheet: Sheet) -> Markup:
    cells = [list(map(plain, row)) for row in sheet.rows]
    columns = [
        Column(
            name,
            _is_number([row[place] for row in sheet.rows]),
            all(len(row[place]) <= WHOLE_MAX for row in cells),
        )
        for place, name in enumerate(headings(sheet))
    ]
    shown = table(cells, columns, wide=len(columns) > WIDE)
    if sheet.figure:
        return section(sheet.title, figure(Markup(sheet.figure), sheet.says, shown), name=sheet.name)
    return section(sheet.title, paragraph(sheet.says, "note"), shown, name=sheet.name)


def _text_of_sheet(sheet: Sheet) -> str:
    if not sheet.rows:
        return f"{sheet.title}\n{sheet.says}\nNone."
    lines = [headings(sheet), *([plain(value) for value in row] for row in sheet.rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    numbers = [_is_number([row[place] for row in sheet.rows]) for place in range(len(widths))]
    return "\n".join([sheet.title, sheet.says, *(_aligned(line, widths, numbers) for line in lines)])


def _aligned(line: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    cells = zip(line, widths, numbers, strict=True)
    return "  ".join(
        cell.rjust(width) if number else cell.ljust(width) for cell, width, number in cells
    ).rstrip()


def _is_number(values: Iterable[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | Decimal | Amount) for value in known)


NEGATIVE = re.compile(r"-[$£€¥]?\d[\d.,]*")
"""An amount that is less than nothing, which is no formula."""


def _guarded(value: object) -> str:
    text = plain(value)
    is_text = not isinstance(value, int | Decimal)
    is_formula = text.startswith(("=", "+", "-", "@", "\t", "\r")) and not NEGATIVE.fullmatch(text)
    return f"'{text}" if is_text and is_formula else text


def _form(row: Any) -> Mapping[str, Any]:  # noqa: ANN401 - rows of any kind
    kept = (int, str, bool, type(None))
    return {name: value if isinstance(value, kept) else plain(value) for name, value in row._asdict().items()}
