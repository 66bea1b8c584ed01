"""A program that builds on another: what it inherits, what it overrides, and how the two differ."""

import os
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path as FilePath
from typing import Any

from cm_engine import shelf
from cm_engine.errors import CmEngineError
from cm_engine.program.models import Program
from cm_engine.program.reading import Document, Path, dotted, read_document
from cm_engine.spelling import nearest

OWN = ("cases",)
"""What a program never inherits: the worked cases of another one are not its own."""

ADDED = ("sources", "evidence")
"""What a program adds to, instead of replacing it."""

NAMED: tuple[Path, ...] = (("version",), ("overrides", "version"), ("program",), ("overrides", "program"))
"""Where a program says what it is called, rather in its version than in its id."""

DEPTH_MAX = 8


def extended(document: Document, depth: int = 0) -> Document:
    """Return what a document says together with the program it extends.

    Its own keys come before those of the base, `sources` are added to, and `overrides` replace single values of
    the base by their path. The worked cases of the base, and its evidence of what is overridden, are left behind.

    What cannot be followed is a problem of the document, and the document is returned as it is.
    """
    if not isinstance(document.data, dict) or "extends" not in document.data:
        return document
    base = _base(document, depth)
    if base is None:
        return document
    whole = Document(document.name, problems=document.problems, base=document.place(("extends",)))
    whole.values, whole.keys = dict(base.values), dict(base.keys)
    whole.data = {key: deepcopy(value) for key, value in base.data.items() if key not in OWN}
    whole.names = (*base.names, _name(base))
    _take_own(whole, document)
    replaced = [key for key in document.data if key not in {*ADDED, "extends", "overrides"}]
    _forget_evidence(whole, {*replaced, *_override(whole, document)}, len(base.data.get("evidence", [])))
    _refuse_same_name(whole, document)
    return whole


def differences(base: Any, changed: Any, path: Path = ()) -> Iterator[tuple[str, Any, Any]]:
    """Yield the path, the former and the new value of each difference; None stands for what is not there.

    Example:
        >>> list(differences({"a": [1, 2]}, {"a": [1, 3], "b": 4}))
        [('a.1', 2, 3), ('b', None, 4)]
    """
    if type(base) is type(changed) and isinstance(base, dict | list):
        old, new = _items(base), _items(changed)
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), (*path, key))
    elif base != changed:
        yield dotted(path), base, changed


def _items(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else dict(enumerate(value))


def _base(document: Document, depth: int) -> Document | None:
    """Return the document that is extended: a path from the folder of the file, or an id of the catalogue."""
    name = document.data["extends"]
    if depth >= DEPTH_MAX or not isinstance(name, str):
        message = "expected the id of a program, or the path of its file"
        message = "programs extend each other in a circle" if depth >= DEPTH_MAX else message
        document.problems.append(document.problem(("extends",), message))
        return None
    try:
        text, called = _text(name, document.name)
    except (CmEngineError, OSError, UnicodeDecodeError) as error:
        document.problems.append(document.problem(("extends",), str(error)))
        return None
    if os.path.realpath(called) == os.path.realpath(document.name):
        document.problems.append(document.problem(("extends",), "this is the file itself; name another one"))
        return None
    base = extended(read_document(text, called), depth + 1)
    if base.problems or not isinstance(base.data, dict):
        document.problems.append(document.problem(("extends",), f"{called} is wrong; check it first"))
        return None
    return base


def _name(document: Document) -> tuple[Any, Any]:
    """Return the id and the version of a program."""
    return document.data.get("program"), document.data.get("version")


def _refuse_same_name(whole: Document, document: Document) -> None:
    """Note a program of the id and the version of what it builds on, which stand for what that says."""
    if (name := _name(whole)) in whole.names:
        where = next((path for path in NAMED if path in document.values), ("extends",))
        of = "the base" if name == whole.names[-1] else "a program that the base builds on"
        told = (
            f"{of} is {name[0]}, version {name[1]}, too; give what builds on it an id or a version of its own"
        )
        whole.problems.append(document.problem(where, told))


def _text(name: str, beside: str) -> tuple[str, str]:
    path = FilePath(beside).parent / name
    if name not in shelf.offers() and os.path.isfile(path):  # noqa: PTH113 - it never raises
        return path.read_text("utf-8-sig"), str(path)
    offer = shelf.offer(name)
    return offer.text(), offer.name


def _override(whole: Document, document: Document) -> Iterator[str]:
    """Replace single values, and yield their paths."""
    overrides = document.data.get("overrides", {})
    if not isinstance(overrides, dict):
        whole.problems.append(document.problem(("overrides",), "expected paths with their new values"))
        return
    known = {dotted(path): path for path in whole.values if path and path[0] not in OWN}
    for name, value in overrides.items():
        here: Path = ("overrides", name)
        if message := _wrong_path(name, known, document):
            whole.problems.append(document.problem(here, message, of_key=True))
            continue
        place = whole.data
        for step in known[name][:-1]:
            place = place[step]
        place[known[name][-1]] = value
        _adopt(whole, document, here, known[name])
        yield name


def _wrong_path(name: str, known: Mapping[str, Path], document: Document) -> str:
    """Say why a value cannot be overridden at a path; nothing if it can."""
    within, _, last = str(name).rpartition(".")
    if name in known:
        others = [each for each in document.data["overrides"] if each != name and _touches(str(each), name)]
        if others:
            return f"it and {others[0]!r} are of one value; write one of them, with all that is to change"
        top, *rest = known[name]
        is_added_to = top in ADDED and rest and rest[0] not in (document.data.get(top) or ())
        is_anew = top in document.data and not is_added_to
        return f"{top} is given anew as a whole beside it; change it there" if is_anew else ""
    if not within and name in Program.model_fields:
        return f"the base has no {name}; write {name} beside overrides, and not within"
    beside = [path[-1] for path in known.values() if dotted(path[:-1]) == within]
    if within in known and not nearest(last, map(str, beside)):
        return f"the base has no {last!r} at {within!r}; to add it, override {within!r} as a whole"
    return f"the base has no value at {name!r}{nearest(str(name), known)}"


def _adopt(whole: Document, document: Document, own: Path, path: Path) -> None:
    """Let what stood at a path stand where the document says it now."""
    for table, places in ((whole.values, document.values), (whole.keys, document.keys)):
        for stale in [each for each in table if each[: len(path)] == path]:
            del table[stale]
        table.update(
            {path + each[len(own) :]: place for each, place in places.items() if each[: len(own)] == own}
        )


def _take_own(whole: Document, document: Document) -> None:
    """Take the document's own keys: names and items are added to those of the base, all else replaces it."""
    for key, value in document.data.items():
        inherited = whole.data.get(key)
        if key in {"extends", "overrides"}:
            continue
        if key == "sources" and isinstance(value, dict) and isinstance(inherited, dict):
            whole.data[key] = {**inherited, **value}
            for name in value:
                _adopt(whole, document, (key, name), (key, name))
        elif key == "evidence" and isinstance(value, list) and isinstance(inherited, list):
            whole.data[key] = [*inherited, *value]
            for index in range(len(value)):
                _adopt(whole, document, (key, index), (key, len(inherited) + index))
        else:
            whole.data[key] = value
            _adopt(whole, document, (key,), (key,))


def _forget_evidence(whole: Document, replaced: set[str], inherited: int) -> None:
    """Leave out the inherited evidence of a value that was replaced, or of what it is part of; not what was told anew itself."""
    items = whole.data.get("evidence", [])
    if not isinstance(items, list):
        return
    kept = [
        index
        for index, item in enumerate(items)
        if index >= inherited
        or any(_touches(f"evidence.{index}", name) for name in replaced)
        or not any(_touches(item.get("of", ""), name) for name in replaced)
    ]
    whole.data["evidence"] = [items[index] for index in kept]
    for table in (whole.values, whole.keys):
        moved = {
            ("evidence", new, *path[2:]): place
            for new, old in enumerate(kept)
            for path, place in table.items()
            if path[:2] == ("evidence", old)
        }
        for path in [path for path in table if path[:1] == ("evidence",) and len(path) > 1]:
            del table[path]
        table.update(moved)


def _touches(of: str, name: str) -> bool:
    return of == name or of.startswith(f"{name}.") or name.startswith(f"{of}.")
