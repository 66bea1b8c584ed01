"""From YAML 1.2 text to plain values that remember where they stood; the only module that knows YAML."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cm_engine.errors import Problem
from cm_engine.program.syntax import syntax_problem, word_processed
from cm_engine.spelling import legible

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
        base: where the program is named whose values stand in another file; None if there is none.
        names: the id and the version of each program that it builds on.
    """

    name: str
    data: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    base: Place | None = None
    names: tuple[tuple[Any, Any], ...] = ()

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """Return where `path` stands, or the nearest thing around it that stands anywhere."""
        found = (self.keys.get(path) if of_key else None) or self.values.get(path)
        if found:
            return found
        if not path:
            return Place(1, 1, self.name)
        return self.place(path[:-1], of_key=path[:-1] in self.keys)

    def problem(self, path: Path, message: str, *, of_key: bool = False) -> Problem:
        """Return a problem at the place of `path`, or where its file is named if that is another one."""
        place = self.place(path, of_key=of_key)
        if self.base and place.file != self.name:
            message = f"{message}; it is inherited from {place.file}, line {place.line}: override it too"
            place = self.base
        return Problem(place.file, place.line, place.column, dotted(path), message)


def dotted(path: Path) -> str:
    """Return a path as people write it: `limits.0.amount`; what a terminal would take for orders is spelled out."""
    return legible(".".join(map(str, path)))


def read_document(text: str, name: str) -> Document:
    r"""Read YAML 1.2 text, keeping every value exact and every position.

    Amounts come out as `Decimal` with the digits of the file; floating-point notation, such as 1e2, stays
    text, so that no model takes it for an amount. Nothing is raised: what cannot be read is a problem.

    Example:
        >>> document = read_document("limits:\n- amount: 10.50\n", "a.yaml")
        >>> document.data, document.values[("limits", 0, "amount")]
        ({'limits': [{'amount': Decimal('10.50')}]}, Place(line=2, column=11, file='a.yaml'))
    """
    document = Document(name, problems=list(word_processed(text, name)))
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
        document.problems = document.problems or [syntax_problem(error, text, name)]
    return document


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
