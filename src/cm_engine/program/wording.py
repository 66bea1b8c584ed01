"""From pydantic's errors to problems in the words of the field, each at its own place in the file."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cm_engine.errors import Problem
from cm_engine.program.models import Program
from cm_engine.program.partial import bare
from cm_engine.program.parts import Part
from cm_engine.program.reading import Document, Nothing, Path, dotted
from cm_engine.program.values import OF_KEY, either, shown
from cm_engine.spelling import nearest

PLACES_TOLD = 2
"""In as many places a key may be known that is told where it belongs."""


def structure_problems(
    document: Document, error: ValidationError, root: type[Part] = Program
) -> Iterator[Problem]:
    """Yield each error of the models as a problem of the document.

    A key without a value is left out: the reader has reported it already.

    Args:
        document: what was read.
        error: what the model says of it.
        root: what the document should be.
    """
    for details in error.errors(include_url=False):
        if not (isinstance(details["input"], Nothing) or _follows_from_items(details)):
            yield from _problems(document, details, root)


def _follows_from_items(details: ErrorDetails) -> bool:
    """Tell whether a list is called too short only because its items were refused."""
    items = details["input"]
    return (
        details["type"] == "too_short"
        and isinstance(items, list)
        and len(items) >= details["ctx"]["min_length"]
    )


def _problems(document: Document, details: ErrorDetails, root: type[Part]) -> Iterator[Problem]:
    path: Path = details["loc"]
    match details["type"]:
        case "several":
            for below, message in details["ctx"]["problems"]:
                yield _problem(document, path + below, message)
        case "missing":
            told = f"the key {path[-1]!r} is missing{_options(path, root)}"
            yield document.problem(path[:-1], told, of_key=len(path) > 1)
        case "extra_forbidden":
            yield document.problem(path, _unknown_key(path, root), of_key=True)
        case "too_short" if not details["input"] and _may_be_left_out(path, root):
            yield document.problem(path, f"{_message(details)}; {_some_or_none(document, path)}")
        case _:
            yield _problem(document, path, _message(details))


def _problem(document: Document, path: Path, message: str) -> Problem:
    of_key = path[-1:] == (OF_KEY,)
    return document.problem(path[:-1] if of_key else path, message, of_key=of_key)


def _some_or_none(document: Document, path: Path) -> str:
    """Say how a list is left out, which may be inherited."""
    if document.base:
        return f"name some, or override {dotted(path[:-1])!r} as a whole, without it"
    return "name some, or leave the key out"


def _unknown_key(path: Path, root: type[Part]) -> str:
    if path == ("overrides",):
        return "overrides change the values of another program; say of which, with extends"
    known, name = sorted(_fields(path[:-1], root) - {str(path[-1])}), str(path[-1])
    alike = [each for each in known if each.startswith(name) or name.startswith(each)]
    hint = nearest(name, alike if name in homes(root) else known) or _belongs(name, root)
    return f"unknown key{hint} (known here: {', '.join(known)})"


def _belongs(name: str, root: type[Part]) -> str:
    """Say where a key is known, if that is in one or two places."""
    places = sorted(homes(root).get(name, ()))
    if not 0 < len(places) <= PLACES_TOLD:
        return ""
    return "; it stands " + " or ".join(f"in {each}" if each else "at the top" for each in places)


@cache
def homes(root: type[Part]) -> dict[str, set[str]]:
    """Return below which keys each key is known; nothing for the top."""
    found, left = dict[str, set[str]](), [("", root)]
    seen = set[type[Part]]()
    while left:
        home, part = left.pop()
        for name, field in part.model_fields.items():
            found.setdefault(name, set()).add(home)
            for inner in _parts(field.annotation):
                if inner not in seen:
                    seen.add(inner)
                    left.append((name, inner))
    return found


def _parts(annotation: Any) -> Iterator[type[Part]]:
    """Yield the models that a value may be of."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for inner in get_args(annotation):
        yield from _parts(inner)


def _options(path: Path, root: type[Part]) -> str:
    """Say which words a key that is missing can have, if there are few."""
    place: Any = root
    for step in path:
        place = _below(place, step)
    words = [str(each) for each in get_args(place)] if get_origin(place) is Literal else []
    return f"; it is {either(words)}" if words else ""


def _fields(path: Path, root: type[Part]) -> set[str]:
    """Return the keys that the models know at a path."""
    place: Any = root
    for step in path:
        place = _below(place, step)
    own = {"extends", "overrides"} if place is Program else set()
    return {*place.model_fields, *own}


def _may_be_left_out(path: Path, root: type[Part]) -> bool:
    """Tell whether a key at a path has a meaning if it is not there."""
    place: Any = root
    for step in path[:-1]:
        place = _below(place, step)
    is_part = isinstance(place, type) and issubclass(place, Part)
    return is_part and not place.model_fields[str(path[-1])].is_required()


def _below(place: Any, step: str | int) -> Any:
    """Return what the models expect one step below: in a model, in a tuple of them, or in a dict of them."""
    if isinstance(place, type) and issubclass(place, Part):
        return bare(place.model_fields[str(step)].annotation)
    inner = get_args(place)
    return inner[1] if get_origin(place) is dict else inner[0]


_WORDS = {
    "wrong": "{msg}",
    "literal_error": "expected {options}, got {got}{hint}",
    "string_type": 'expected text, got {got}; put it in quotation marks: "{got}"',
    "int_type": "expected a whole number, got {got}",
    "bool_type": "expected true or false, got {got}",
    "tuple_type": "expected a list{such}, got {got}",
    "model_type": "expected keys with values, got {got}",
    "dict_type": "expected keys with values, got {got}",
    "greater_than_equal": "expected at least {ge}, got {got}",
    "less_than_equal": "expected at most {le}, got {got}",
    "too_short": "expected something here, got nothing",
    "too_long": "expected one {place}, got {size}; write a program for each",
    "string_too_short": "expected something here, got nothing",
    "string_too_long": "expected at most {max_length} characters",
    "string_pattern_mismatch": "expected small letters, digits and hyphens, such as va-prize, got {got}",
}


def _message(details: ErrorDetails) -> str:
    if details["type"] == "string_type" and isinstance(details["input"], dict):
        return "a brace or a colon makes keys of this text; put the whole text in quotation marks"
    value, ctx = details["input"], details.get("ctx", {})
    if details["type"] == "too_short" and ctx["min_length"] > 1:
        return f"expected at least {ctx['min_length']} of them, got {len(value)}"
    if details["type"] == "string_pattern_mismatch" and not value.strip():
        return "expected text, got only blanks"
    options = str(ctx.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
    bared = str(value).strip("()[]{} ")
    words: dict[str, Any] = {
        **ctx,
        "such": "; begin each of its items with '- '" if isinstance(value, dict) else f", such as [{bared}]",
        "got": shown(value),
        "msg": details["msg"],
        "options": either(options),
        "hint": nearest(str(value), options),
        "place": str(details["loc"][-1]).removesuffix("s") if details["loc"] else "",
        "size": len(value) if isinstance(value, list | dict) else 1,
    }
    return _WORDS.get(details["type"], "{msg}").format_map(words)
