"""From YAML 1.2 text to plain values that remember where they stood; the only module that knows YAML."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cm_engine.errors import Problem

Path = tuple[str | int, ...]

TEXT_MAX = 200_000

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")


class Place(NamedTuple):
    """A position in a file, counted from 1."""

    line: int
    column: int
    file: str


class Nothing:
    """Stand where a key has no value, so that the models refuse it in its own place."""

    def __repr__(self) -> str:
        return "nothing"


@dataclass(slots=True)
class Document:
    """What a file says as plain values, where each of them stands, and what could not be read.

    Attributes:
        data: dicts, lists, text, int, Decimal and bool, in the file's order.
        values: where each value stands, by its path.
        keys: where each key stands, by the path of its value.
    """

    name: str
    data: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """Return where `path` stands, or the nearest thing around it that stands anywhere."""
        found = (self.keys.get(path) if of_key else None) or self.values.get(path)
        if found:
            return found
        if not path:
            return Place(1, 1, self.name)
        return self.place(path[:-1], of_key=path[:-1] in self.keys)

    def problem(self, path: Path, message: str, *, of_key: bool = False) -> Problem:
        """Return a problem at the place of `path`."""
        place = self.place(path, of_key=of_key)
        return Problem(place.file, place.line, place.column, dotted(path), message)


def dotted(path: Path) -> str:
    """Return a path as people write it: `limits.0.amount`."""
    return ".".join(str(part) for part in path)


def read_document(text: str, name: str) -> Document:
    r"""Read YAML 1.2 text, keeping every value exact and every position.

    Amounts come out as `Decimal` with the digits of the file; floating-point notation, such as 1e2, stays
    text, so that no model takes it for an amount. Nothing is raised: what cannot be read is a problem.

    Example:
        >>> document = read_document("limits:\n- amount: 10.50\n", "a.yaml")
        >>> document.data, document.values[("limits", 0, "amount")]
        ({'limits': [{'amount': Decimal('10.50')}]}, Place(line=2, column=11, file='a.yaml'))
    """
    document = Document(name, problems=list(_word_processed(text, name)))
    if len(text) > TEXT_MAX:
        document.problems.append(Problem(name, 1, 1, "", f"the file is larger than {TEXT_MAX} characters"))
        return document
    try:
        with catch_warnings():
            simplefilter("ignore", ReusedAnchorWarning)
            root = YAML(typ="safe", pure=True).compose(text)
        document.data = {} if root is None else _value(root, (), document)
    except RecursionError:
        document.problems.append(Problem(name, 1, 1, "", "the file is nested too deeply to be a program"))
    except (ValueError, OverflowError):
        document.problems.append(
            Problem(name, 1, 1, "", "this is not YAML: an escape that stands for no character")
        )
    except YAMLError as error:
        document.problems = document.problems or [_syntax_problem(error, text, name)]
    return document


_WORD_PROCESSED = (
    (r"[\u200b\u2060\ufeff]", "an invisible character"),
    (r"(?m)(?<=[:\-,\[{])\u00a0|^[ \u00a0]*?\u00a0", "a non-breaking space"),
    (r"(?<=[:,\[{] )[\u201c\u201d\u2018\u2019]", "a curly quotation mark"),
)


def _word_processed(text: str, name: str) -> Iterator[Problem]:
    """Yield what a word processor leaves where YAML needs the plain character, and takes it for text."""
    for pattern, what in _WORD_PROCESSED:
        if found := re.search(pattern, text):
            place = _position(text, found.end() - 1)
            yield Problem(name, *place, "", f"{what}, as word processors write it; type a plain one")


def _position(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def _syntax_problem(error: YAMLError, text: str, name: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if isinstance(error, MarkedYAMLError) and mark is not None:
        return Problem(name, mark.line + 1, mark.column + 1, "", _syntax_words(error, mark))
    line, column = _position(text, getattr(error, "position", 0))
    return Problem(name, line, column, "", "this is not YAML: a character that no text file holds")


_SYNTAX = {
    "mapping values are not allowed": "a colon where none can stand; check the blanks at the beginning of the line, "
    "or put the text in quotation marks",
    "could not find expected ':'": "a key without a colon, here or on the line above",
    "expected alphabetic or numeric character": "text that begins with * or & has to stand in quotation marks",
    "undefined alias": "text that begins with * has to stand in quotation marks",
    "cannot start any token": "text that begins with this character has to stand in quotation marks; "
    "the beginning of a line has blanks, never tabs",
    "but found another document": "a second document begins here; one file is one program",
    "expected <block end>": "this does not fit the lines above; check the blanks at the beginning of the line, "
    "and the quotation marks",
    "expected ',' or": "a list or a set of keys is not closed, or a comma is missing",
    "expected the node content": "a value is missing here",
}


def _syntax_words(error: MarkedYAMLError, mark: Any) -> str:
    found = " ".join(str(error.problem or error.context).split())
    opened = error.context_mark
    if "quoted scalar" in str(error.context) and opened and opened.line != mark.line:
        return f"the quotation mark opened on line {opened.line + 1} is not closed"
    words = next((words for key, words in _SYNTAX.items() if key in found), None)
    return f"this is not YAML: {words}" if words else f"this is not YAML: {found}"


def _value(node: Node, path: Path, document: Document) -> Any:
    document.values[path] = Place(node.start_mark.line + 1, node.start_mark.column + 1, document.name)
    if node.anchor is not None:
        document.problems.append(
            document.problem(path, "anchors and aliases are not used here; write it out")
        )
        return Nothing()
    if isinstance(node, MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, SequenceNode):
        found = [_value(item, (*path, index), document) for index, item in enumerate(node.value)]
        _refuse_split_amounts(node, path, document)
        return found
    assert isinstance(node, ScalarNode)
    return _scalar(node, path, document)


def _refuse_split_amounts(node: SequenceNode, path: Path, document: Document) -> None:
    """Note a list of whole numbers with blanks after some of its commas only: those without may be within amounts."""
    if not all(isinstance(each, ScalarNode) and _INTEGER.fullmatch(str(each.value)) for each in node.value):
        return
    marks = [(each.start_mark, each.end_mark) for each in node.value]
    is_tight = [after.index - before.index == 1 for (_, before), (after, _) in pairwise(marks)]
    if any(is_tight) and not all(is_tight):
        first = is_tight.index(True)
        amount = f"{node.value[first].value}.{node.value[first + 1].value}"
        message = f"expected a blank after each comma, or after none; an amount is written with a point, such as {amount}"
        document.problems.append(document.problem((*path, first), message))


def _mapping(node: MappingNode, path: Path, document: Document) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node, path, document)
        if key is None:
            continue
        inner = (*path, key)
        place = Place(key_node.start_mark.line + 1, key_node.start_mark.column + 1, document.name)
        if key in data:
            message = f"{key!r} is given twice; it is already on line {document.keys[inner].line}"
            document.problems.append(Problem(document.name, place.line, place.column, dotted(inner), message))
            continue
        document.keys[inner] = place
        data[key] = _value(value_node, inner, document)
    return data


def _key(node: Node, path: Path, document: Document) -> str | None:
    if isinstance(node, ScalarNode) and node.anchor is None:
        return str(node.value)
    place = Place(node.start_mark.line + 1, node.start_mark.column + 1, document.name)
    message = "a key must be a plain word"
    document.problems.append(Problem(document.name, place.line, place.column, dotted(path), message))
    return None


def _scalar(node: ScalarNode, path: Path, document: Document) -> Any:
    text, kind = str(node.value), str(node.tag).removeprefix(_TAG)
    match kind:
        case "int" if _INTEGER.fullmatch(text):
            return int(text)
        case "float" if _DECIMAL.fullmatch(text):
            return Decimal(text)
        case "bool" if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        case "null":
            message = "has no value; give one or leave the key out"
            if path and re.fullmatch(r"[0-9]+([.][0-9]+)?", str(path[-1])):
                message = "a comma separates keys here; write an amount with a point, such as 2.50"
            document.problems.append(document.problem(path, message, of_key=path in document.keys))
            return Nothing()
        case "str" | "int" | "float" | "bool" | "timestamp" | "merge" | "value":
            return text
    document.problems.append(
        document.problem(path, f"the tag {node.tag} is not used here; write a plain value")
    )
    return Nothing()
