"""The one skeleton of every page that is made: semantic HTML with its style sheet, and nothing fetched or run.

Whatever is given as a plain string is text, and is escaped; markup is what these functions return.

Example:
    >>> from cm_engine.reports.page import badge, page, section, table
    >>> rows = [("north", "12", badge("on plan", "good")), ("south", "7", badge("late", "warning"))]
    >>> made = page("Sites", "How the sites do.", [section("All sites", table(rows, ["site", Column("visits", number=True), "state"]))])
    >>> made.startswith("<!doctype html>"), "<script" in made
    (True, False)
"""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Literal, NamedTuple

Meaning = Literal["good", "warning", "bad", "neutral"]
SIGNS: dict[Meaning, str] = {"good": "✓", "warning": "▲", "bad": "✕", "neutral": "●"}
"""What a badge shows beside its colour, for those who see none and for paper without it."""


class Markup(str):
    """HTML that stands as it is."""

    __slots__ = ()


class Column(NamedTuple):
    """A column of a table: its heading; whether its cells are numbers, which stand to the right, or stay in one line."""

    heading: str
    number: bool = False
    whole: bool = False


class Tile(NamedTuple):
    """One figure that is to be seen first: what it is, how much, and what has to be known of it."""

    name: str
    value: str
    note: str = ""


def markup(part: str) -> Markup:
    """Return a part as HTML: text is escaped, markup stays.

    Example:
        >>> markup("a < b"), markup(Markup("<b>a</b>"))
        ('a &lt; b', '<b>a</b>')
    """
    return part if isinstance(part, Markup) else Markup(escape(part))


def page(
    title: str,
    lead: str,
    sections: Iterable[str],
    *,
    language: str = "en",
    footer: str = "",
    contents: str = "",
) -> str:
    """Return a whole page, in one file that fetches nothing.

    Args:
        title: its name, in the window and as its heading.
        lead: what it says, in a sentence or two.
        sections: of `section`, or any other markup.
        language: of its words, such as `en` or `es`.
        footer: how and from what it was made.
        contents: what names the list of its sections, which is then shown; empty shows none.
    """
    parts = [markup(each) for each in sections]
    body = "\n".join(filter(None, [_listed(parts, contents), *parts]))
    foot = f"<footer><p>{markup(footer)}</p></footer>\n" if footer else ""
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style_sheet()}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>\n<p class=lead>{markup(lead)}</p></header>\n"
        f"<main>\n{body}\n</main>\n{foot}</body>\n</html>\n"
    )


def style_sheet() -> str:
    """Return the style sheet that every page carries."""
    return files("cm_engine.reports").joinpath("page.css").read_text("utf-8")


class Section(Markup):
    """A part of a page that its list of contents names."""

    __slots__ = ("heading", "name")
    heading: str
    name: str


def section(heading: str, *parts: str, name: str = "") -> Section:
    """Return a part of a page under a heading.

    Args:
        heading: what it is about.
        parts: of these functions; plain strings become paragraphs.
        name: what a link to it ends with; left out, it is made of the heading.
    """
    known = name or _anchor(heading)
    body = "\n".join(each if isinstance(each, Markup) else paragraph(each) for each in parts)
    made = Section(
        f'<section id="{known}" aria-labelledby="{known}-heading">\n'
        f'<h2 id="{known}-heading">{escape(heading)}</h2>\n{body}\n</section>'
    )
    made.heading, made.name = heading, known
    return made


def part(heading: str, *parts: str) -> Markup:
    """Return what stands under a smaller heading within a section."""
    body = "\n".join(each if isinstance(each, Markup) else paragraph(each) for each in parts)
    return Markup(f"<h3>{escape(heading)}</h3>\n{body}")


def paragraph(text: str, kind: str = "") -> Markup:
    """Return a paragraph; its kind may be `note`, which is smaller, or `warning`."""
    return Markup(f"<p{_classed(kind)}>{markup(text)}</p>")


def bullets(items: Iterable[str]) -> Markup:
    """Return a list."""
    return Markup("<ul>\n" + "".join(f"<li>{markup(each)}</li>\n" for each in items) + "</ul>")


def joined(*parts: str) -> Markup:
    """Return parts in one line, text and markup as they come."""
    return Markup("".join(map(markup, parts)))


def table(
    rows: Iterable[Sequence[str]],
    columns: Sequence[str | Column],
    *,
    caption: str = "",
    total: Sequence[str] = (),
    none: str = "None.",
    wide: bool = False,
) -> Markup:
    """Return a table, whose first column names its rows; a narrow window moves it by itself, not the page.

    Args:
        rows: the cells of each, text or markup.
        columns: as many headings; those of numbers as `Column(heading, number=True)`.
        caption: what it shows; needed where no heading says it.
        total: the cells of a last row, which sums up.
        none: what stands there instead if there are no rows.
        wide: whether it has many columns, and is set smaller.
    """
    kinds = [each if isinstance(each, Column) else Column(each) for each in columns]
    body = "".join(f"<tr>{_cells(row, kinds)}</tr>\n" for row in rows)
    if not body:
        return paragraph(f"{caption}: {none}" if caption else none, "note")
    head = "".join(
        f'<th scope="col"{_classed(each.number and "number")}>{escape(each.heading)}</th>' for each in kinds
    )
    foot = f"<tfoot><tr>{_cells(total, kinds)}</tr></tfoot>\n" if total else ""
    name = escape(caption or ", ".join(each.heading for each in kinds))
    return Markup(
        f'<div class=scroll role=region tabindex=0 aria-label="{name}">\n<table{_classed(wide and "wide")}>\n'
        + (f"<caption>{escape(caption)}</caption>\n" if caption else "")
        + f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n{foot}</table>\n</div>"
    )


def figure(svg: str, caption: str, table: str, *, as_table: str = "The same as a table") -> Markup:
    """Return a chart with what it shows, and its figures as a table that unfolds, and is there on paper.

    Args:
        svg: of `cm_engine.reports.charts`.
        caption: what it shows, as a sentence that can be read without it.
        table: its figures, of `table`.
        as_table: what unfolds the table.
    """
    shown = folded(as_table, table) if table else ""
    return Markup(f"<figure>\n<figcaption>{markup(caption)}</figcaption>\n{markup(svg)}\n{shown}\n</figure>")


def folded(summary: str, *parts: str) -> Markup:
    """Return what is hidden until its summary is chosen; paper shows it."""
    body = "\n".join(each if isinstance(each, Markup) else paragraph(each) for each in parts)
    return Markup(f"<details>\n<summary>{markup(summary)}</summary>\n{body}\n</details>")


def tiles(each: Iterable[Tile]) -> Markup:
    """Return figures that are seen first, side by side as the window allows."""
    made = "".join(
        f"<div><dt>{markup(tile.name)}</dt><dd>{markup(tile.value)}"
        + (f"<small>{markup(tile.note)}</small>" if tile.note else "")
        + "</dd></div>\n"
        for tile in each
    )
    return Markup(f"<dl class=tiles>\n{made}</dl>")


def badge(text: str, kind: Meaning = "neutral") -> Markup:
    """Return a word of judgement: by its colour, by a sign, and by what it says.

    Example:
        >>> badge("3 late", "warning")
        '<span class="badge warning"><span aria-hidden=true>▲</span> 3 late</span>'
    """
    return Markup(
        f'<span class="badge {kind}"><span aria-hidden=true>{SIGNS[kind]}</span> {markup(text)}</span>'
    )


def link(text: str, where: str) -> Markup:
    """Return a link; what is no web address or place of the page stays text."""
    if not where.startswith(("https://", "http://", "#", "./")):
        return markup(text)
    return Markup(f'<a href="{escape(where)}">{markup(text)}</a>')


def _listed(parts: Sequence[Markup], name: str) -> str:
    """Return the list of contents, if a page is to have one."""
    found = [each for each in parts if isinstance(each, Section)]
    if not name or not found:
        return ""
    items = "".join(f'<li><a href="#{each.name}">{escape(each.heading)}</a></li>\n' for each in found)
    return f'<nav aria-label="{escape(name)}">\n<ul>\n{items}</ul>\n</nav>'


def _cells(row: Sequence[str], columns: Sequence[Column]) -> str:
    first, *others = zip(row, columns, strict=True)
    name = f'<th scope="row"{_classed(_kind(first[1]))}>{markup(first[0])}</th>'
    return name + "".join(f"<td{_classed(_kind(column))}>{markup(cell)}</td>" for cell, column in others)


def _kind(column: Column) -> str:
    return "number" if column.number else "whole" if column.whole else ""


def _classed(kind: str | Literal[False]) -> str:
    return f' class="{kind}"' if kind else ""


def _anchor(heading: str) -> str:
    return "-".join("".join(sign if sign.isalnum() else " " for sign in heading.lower()).split()) or "section"
