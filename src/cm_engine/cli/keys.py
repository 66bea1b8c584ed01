"""The page of keys: what each means, what may stand there and how it is written, taken from the models."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from cm_engine.program import Program
from cm_engine.program.loading import read_program
from cm_engine.program.partial import bare
from cm_engine.program.parts import Every, Part
from cm_engine.program.values import (
    Amount,
    Chance,
    DatedAmount,
    Day,
    MonthDay,
    Share,
    SignedAmount,
    Symbol,
    WeekRange,
    Word,
)
from cm_engine.program.words import Language

_HEADING = """# Every key of a program file

Made from the models by `cm-engine keys EXAMPLE`; the examples are those of
[examples/every-key.yaml](../examples/every-key.yaml), which uses each key once. What the rules do is in
[rules.md](rules.md); `extends` and `overrides`, for a program that builds on another, are in
[designers.md](designers.md).
"""
_KINDS: dict[Any, str] = {
    Amount: "an amount",
    SignedAmount: "an amount, or one less than 0",
    Share: "a share",
    Chance: "a chance",
    Symbol: "a symbol",
    Language: "a language",
    DatedAmount: "an amount, or amounts by date",
    Day: "a date",
    MonthDay: "a month and day",
    WeekRange: "weeks",
    Word: "results",
    Every: "a number, or `week`",
    str: "text",
    int: "a whole number",
    bool: "`true` or `false`",
}


def keys_page(example: str) -> str:
    """Return a page in Markdown with every key, from the text of a program that uses each of them."""
    _, document = read_program(example, "the example")
    found: dict[type[Part], Section] = {}
    _collect(Program, "A program", [document.data], found)
    return _HEADING + "".join(_section(part, section) for part, section in found.items())


class Section(NamedTuple):
    """The section of a part: what it is called, and its examples, from wherever it may stand."""

    name: str
    examples: list[Any]


def _collect(part: type[Part], name: str, examples: list[Any], found: dict[type[Part], Section]) -> None:
    """Collect the sections of a part and of those below it; a part that stands in several places has one."""
    found.setdefault(part, Section(name, [])).examples.extend(examples)
    for key, field in part.model_fields.items():
        below = _part_in(field)
        if below:
            inner = [inner for example in examples for inner in _inside(example.get(key), field)]
            _collect(below, f"`{key}`" if part is Program else f"`{key}` of {name}", inner, found)


def _section(part: type[Part], section: Section) -> str:
    rows = [_row(key, field, section.examples) for key, field in part.model_fields.items()]
    head = "| key | what it is | what stands there | if left out | example |\n|---|---|---|---|---|\n"
    return f"\n## {section.name}\n\n{(part.__doc__ or '').split(chr(10))[0]}\n\n{head}{''.join(rows)}"


def _row(key: str, field: FieldInfo, examples: Sequence[Any]) -> str:
    given = [example[key] for example in examples if key in example] or field.examples or []
    shown = _written(given[0]) if given else ""
    default = "required" if field.is_required() else _default(field.get_default())
    cells = [f"`{key}`", field.description or "", _kind(field), default, f"`{key}: {shown}`" if shown else ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(value: Any) -> str:
    if isinstance(value, Part):
        return "the defaults below"
    return "" if value in (None, (), {}) else f"`{_written(value)}`"


def _kind(field: FieldInfo) -> str:
    for kind, words in _KINDS.items():
        if kind in {bare(field.annotation), bare(field.rebuild_annotation())}:
            return words
    return _described(_plain(bare(field.annotation)), field)


def _plain(annotation: Any) -> Any:
    """Return an annotation without what is annotated to it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _described(annotation: Any, field: FieldInfo) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{option}`" for option in get_args(annotation))
    if _part_in(field):
        form = {dict: "names, each with the keys below", tuple: "a list, each with the keys below"}
        return form.get(get_origin(annotation), "the keys below")
    if get_origin(annotation) is tuple:
        return _list_of(get_args(annotation)[0])
    return _KINDS.get(annotation, "keys with values" if get_origin(annotation) is dict else "text")


def _list_of(item: Any) -> str:
    if get_origin(item) is Literal:
        return f"a list of {', '.join(f'`{option}`' for option in get_args(item))}"
    return f"a list, each {_KINDS.get(item, _KINDS.get(_plain(item), 'text'))}"


def _part_in(field: FieldInfo) -> type[Part] | None:
    annotation = bare(field.annotation)
    options = [annotation, *get_args(annotation)]
    return next((each for each in options if isinstance(each, type) and issubclass(each, Part)), None)


def _inside(value: Any, field: FieldInfo) -> list[Any]:
    """Return the parts that a value of the example holds: itself, or each of a list or of named ones."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values()) if get_origin(bare(field.annotation)) is dict else [value]
    return []


def _written(value: Any) -> str:
    """Return a value as a program file has it, short enough for a cell."""
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items()) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(_written(inner) for inner in value) + "]"
    elif isinstance(value, str) and re.fullmatch(r"[0-9.]+|[-+oe*r_]+", value):
        text = f'"{value}"'
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _CELL else f"{text[: _CELL - 4]} ..."


_CELL = 60
