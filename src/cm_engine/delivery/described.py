"""From a file to what adapters make of it, or to every problem that it has; each kind is found as a stranger's would be."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol

from pydantic import Field, ValidationError, create_model

from cm_engine.delivery.settings import DescribedSettings, Sources
from cm_engine.errors import (
    CmEngineError,
    MissingDependencyError,
    Problem,
    ProblemsError,
    ProgramError,
    ProgramNotFoundError,
)
from cm_engine.installed import names_in, one_in
from cm_engine.program.loading import read_text
from cm_engine.program.parts import Name, Part
from cm_engine.program.reading import Document, read_document
from cm_engine.program.values import shown
from cm_engine.program.wording import structure_problems
from cm_engine.spelling import nearest


class Kind(Protocol):
    """What an entry point is: a class of adapters that a file can describe.

    Attributes:
        Settings: what a file may say; its fields, beside `kind`, are the arguments of the class.
    """

    Settings: type[DescribedSettings]

    def __call__(self, **arguments: Any) -> Any:  # noqa: ANN401 - as its settings say
        """Make what is described.

        Raises:
            CmEngineError: what is said of it cannot be.
        """


class Described(NamedTuple):
    """What a file describes.

    Attributes:
        key: of the file, with what is described by names: gateways, or notifiers.
        group: of the entry points that make it.
        error: what a wrong file is reported as.
        beside: what else may stand in the file, by key: its form, and what it is if left out.
        engine: how somebody gives the engine, where a kind needs it.
    """

    key: str
    group: str
    error: type[ProblemsError]
    beside: Mapping[str, Any] = {}
    engine: str = ""


class Given(NamedTuple):
    """What adapters are made with beside what a file says: where secrets are, and the engine."""

    sources: Sources
    engine: object = None


def read_described(path: str | os.PathLike[str], error: type[ProblemsError]) -> tuple[str, str, Path]:
    """Return the text of a file, what to call it, and its folder.

    Raises:
        ProblemsError: there is no such file, or it is not in UTF-8.
    """
    name = os.fspath(path)
    try:
        return read_text(path), name, Path(path).parent
    except ProgramNotFoundError:
        raise error([Problem(name, 1, 1, "", "there is no such file, or it cannot be read")]) from None
    except ProgramError as wrong:
        raise error(wrong.problems) from wrong


def made_of(text: str, name: str, what: Described, given: Given) -> tuple[dict[str, Any], Document]:
    """Make what a text describes; return each by its name, and the text as it was read.

    Raises:
        ProblemsError: it is wrong; the error holds every problem.
        AmbiguousNameError: two installed packages offer one kind.
        MissingDependencyError: a package that a kind needs is not installed.
    """
    document = read_document(text, name)
    described, problems = _described(document, what)
    made: dict[str, Any] = {}
    for each, kind in described.items():
        found = _made(each, kind, document, what, given)
        if isinstance(found, list):
            problems += found
        else:
            made[each] = found
    if problems:
        raise what.error({*problems})
    return made, document


def kind_in(group: str, name: str) -> Kind | None:
    """Return a kind of a group, None if there is none of this name.

    Raises:
        AmbiguousNameError: two installed packages offer it.
        MissingDependencyError: the package that it needs is not installed.
    """
    offer = one_in(group, name)
    if offer is None:
        return None
    try:
        kind: Kind = offer.load()
    except ModuleNotFoundError as error:
        raise MissingDependencyError(str(error.name), offer.name) from error
    return kind


class _Some(DescribedSettings, extra="allow"):
    """Something of which only the kind is looked at."""


def _file_of(settings: type[DescribedSettings], what: Described, beside: Mapping[str, Any]) -> type[Part]:
    """Return what a file is that describes things of one kind."""
    each = Annotated[dict[Name, settings], Field(min_length=1)]  # type: ignore[valid-type]
    fields: dict[str, Any] = {what.key: (each, ...), **beside}
    return create_model(f"{what.key.capitalize()}File", __base__=Part, **fields)


def _described(document: Document, what: Described) -> tuple[dict[str, Kind], list[Problem]]:
    """Return the kind of each thing of a document, and what is wrong with the rest."""
    problems = list(document.problems)
    if document.data is None:
        return {}, problems
    model = _file_of(_Some, what, what.beside)
    try:
        model.model_validate(document.data)
    except ValidationError as error:
        problems += structure_problems(document, error, model)
    found: dict[str, Kind] = {}
    for name, said in _said(document.data, what.key):
        kind = kind_in(what.group, said)
        if kind is not None and hasattr(kind, "Settings"):
            found[name] = kind
        else:
            why = (
                _unknown_kind(said, what)
                if kind is None
                else f"no file can describe a {said}; make it in Python"
            )
            problems.append(document.problem((what.key, name, "kind"), why))
    return found, problems


def _said(data: object, key: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each thing that says its kind, and the kind."""
    things = data.get(key) if isinstance(data, dict) else None
    for name, told in things.items() if isinstance(things, dict) else ():
        if isinstance(told, dict) and isinstance(told.get("kind"), str):
            yield name, told["kind"]


def _unknown_kind(name: str, what: Described) -> str:
    known = names_in(what.group)
    return f"nothing installed is of this kind, got {shown(name)}{nearest(name, known)} (known: {', '.join(known)})"


def _made(name: str, kind: Kind, document: Document, what: Described, given: Given) -> Any | list[Problem]:  # noqa: ANN401 - as its kind says
    """Return a thing, or what is wrong with what is said of it."""
    model, key = _file_of(kind.Settings, what, {}), what.key
    try:
        file: Any = model.model_validate({key: {name: document.data[key][name]}}, context=given.sources)
    except ValidationError as error:
        return list(structure_problems(document, error, model))
    arguments = getattr(file, key)[name].arguments()
    if kind.Settings.needs_engine:
        if given.engine is None:
            return [document.problem((key, name, "kind"), f"it is over a stock of an engine: {what.engine}")]
        arguments["engine"] = given.engine
    try:
        return kind(**arguments)
    except CmEngineError as error:
        return [refused(document, (key, name), error, kind.Settings.model_fields)]


def refused(
    document: Document, place: tuple[str, ...], error: CmEngineError, keys: Mapping[str, Any]
) -> Problem:
    """Return what an error says as a problem of a document, at the key that it begins with, if it is one."""
    key, _, why = str(error).partition(": ")
    is_key = key in keys
    return document.problem(
        (*place, key) if is_key else place, why if is_key else str(error), of_key=not is_key
    )
