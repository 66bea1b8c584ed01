"""From YAML 1.2 text to plain values that remember where they stood; the only module that knows YAML."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cm_engine.errors import Problem

Path = tuple[str | int, ...]

TEXT_BYTES_MAX = 1_000_000

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")


class Place(NamedTuple):
    """A position in a file, counted from 1."""

    line: int
    column: int


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
        found = self.keys.get(path) if of_key else self.values.get(path)
        if found:
            return found
        if not path:
            return Place(1, 1)
        return self.place(path[:-1], of_key=path[:-1] in self.keys)

    def problem(self, path: Path, message: str, *, of_key: bool = False) -> Problem:
        """Return a problem at the place of `path`."""
        place = self.place(path, of_key=of_key)
        return Problem(self.name, place.line, place.column, dotted(path), message)


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
        ({'limits': [{'amount': Decimal('10.50')}]}, Place(line=2, column=11))
    """
    document = Document(name)
    if len(text) > TEXT_BYTES_MAX:
        document.problems.append(
            Problem(name, 1, 1, "", f"the file is larger than {TEXT_BYTES_MAX} characters")
        )
        return document
    try:
        root = YAML(typ="safe", pure=True).compose(text)
        document.data = {} if root is None else _value(root, (), document)
    except RecursionError:
        document.problems.append(Problem(name, 1, 1, "", "the file is nested too deeply to be a program"))
    except YAMLError as error:
        document.problems.append(_syntax_problem(error, text, name))
    return document


def _syntax_problem(error: YAMLError, text: str, name: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if isinstance(error, MarkedYAMLError) and mark is not None:
        what = " ".join(str(error.problem or error.context).split())
        return Problem(name, mark.line + 1, mark.column + 1, "", f"this is not YAML: {what}")
    before = text[: getattr(error, "position", 0)]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return Problem(name, line, column, "", "this is not YAML: a character that no text file holds")


def _value(node: Node, path: Path, document: Document) -> Any:
    document.values[path] = Place(node.start_mark.line + 1, node.start_mark.column + 1)
    if node.anchor is not None:
        document.problems.append(
            document.problem(path, "anchors and aliases are not used here; write it out")
        )
        return Nothing()
    if isinstance(node, MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, SequenceNode):
        return [_value(item, (*path, index), document) for index, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return _scalar(node, path, document)


def _mapping(node: MappingNode, path: Path, document: Document) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node, path, document)
        if key is None:
            continue
        inner = (*path, key)
        place = Place(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
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
    place = Place(node.start_mark.line + 1, node.start_mark.column + 1)
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
        case "bool":
            return text.lower() == "true"
        case "null":
            message = "has no value; give one or leave the key out"
            document.problems.append(document.problem(path, message, of_key=path in document.keys))
            return Nothing()
        case "str" | "int" | "float" | "timestamp" | "merge" | "value":
            return text
    document.problems.append(
        document.problem(path, f"the tag {node.tag} is not used here; write a plain value")
    )
    return Nothing()
