"""From a file of gateways to gateways, or to every problem that it has; each kind is found as a stranger's would be."""

import os
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import Field, ValidationError, create_model

from cm_engine.delivery.settings import GatewaySettings, Sources
from cm_engine.errors import (
    AmbiguousNameError,
    CmEngineError,
    GatewaysError,
    MissingDependencyError,
    Problem,
    ProgramError,
    ProgramNotFoundError,
)
from cm_engine.ports import PayoutGateway
from cm_engine.program.loading import read_text
from cm_engine.program.parts import Name, Part
from cm_engine.program.reading import Document, read_document
from cm_engine.program.values import shown
from cm_engine.program.wording import structure_problems
from cm_engine.spelling import nearest

GROUP = "cm_engine.payout"


class Kind(Protocol):
    """What an entry point of the group `cm_engine.payout` is: a class of gateways that a file can describe.

    Attributes:
        Settings: what a file may say; its fields, beside `kind`, are the arguments of the class.
    """

    Settings: type[GatewaySettings]

    def __call__(self, **arguments: Any) -> PayoutGateway:  # noqa: ANN401 - as its settings say
        """Make a gateway.

        Raises:
            CmEngineError: what is said of it cannot be.
        """


def load_gateways(path: str | os.PathLike[str], environ: Mapping[str, str]) -> dict[str, PayoutGateway]:
    """Make the gateways that a file describes: YAML 1.2, or JSON, in UTF-8.

    Args:
        path: of the file; files of secrets that it names are looked for beside it.
        environ: the environment, for secrets.

    Returns:
        Each by its name; `engine.dispatcher` takes them.

    Raises:
        GatewaysError: there is no such file, or it is wrong; the error holds every problem with line and column.
        AmbiguousNameError: two installed packages offer one kind.
        MissingDependencyError: a package that a kind needs is not installed.
    """
    name = os.fspath(path)
    try:
        text = read_text(path)
    except ProgramNotFoundError:
        raise GatewaysError(
            [Problem(name, 1, 1, "", "there is no such file, or it cannot be read")]
        ) from None
    except ProgramError as error:
        raise GatewaysError(error.problems) from error
    return parse_gateways(text, environ, name=name, folder=Path(path).parent)


def parse_gateways(
    text: str, environ: Mapping[str, str], *, name: str = "<text>", folder: Path | None = None
) -> dict[str, PayoutGateway]:
    r"""Make the gateways that a text describes.

    Args:
        text: YAML 1.2, or JSON.
        environ: the environment, for secrets.
        name: what to call the text in problems.
        folder: where files of secrets are looked for; left out, the working directory.

    Raises:
        CmEngineError: as `load_gateways`.

    Example:
        >>> parse_gateways("gateways:\n  cards: {kind: webhook, secret: hunter2}", {})
        Traceback (most recent call last):
        cm_engine.errors.GatewaysError: <text>:2:3: error: gateways.cards: the key 'url' is missing
        <text>:2:34: error: gateways.cards.secret: expected {env: NAME} or {file: PATH}, which say where the secret is; it never stands here
    """
    document = read_document(text, name)
    described, problems = _described(document)
    made: dict[str, PayoutGateway] = {}
    for gateway, kind in described.items():
        found = _made(gateway, kind, document, Sources(environ, folder or Path()))
        if isinstance(found, list):
            problems += found
        else:
            made[gateway] = found
    if problems:
        raise GatewaysError({*problems})
    return made


def kinds() -> list[str]:
    """Return the kinds of gateways that are installed."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def kind_of(name: str) -> Kind | None:
    """Return a kind of gateways, None if there is none of this name.

    Raises:
        AmbiguousNameError: two installed packages offer it.
        MissingDependencyError: the package that it needs is not installed.
    """
    offers = [point for point in entry_points(group=GROUP) if point.name == name]
    if len(offers) > 1:
        raise AmbiguousNameError(name, [point.value for point in offers])
    return _loaded(offers[0]) if offers else None


def _loaded(offer: EntryPoint) -> Kind:
    try:
        kind: Kind = offer.load()
    except ModuleNotFoundError as error:
        raise MissingDependencyError(str(error.name), offer.name) from error
    return kind


class _Some(GatewaySettings, extra="allow"):
    """A gateway of which only the kind is looked at."""


def _file_of(settings: type[GatewaySettings]) -> type[Part]:
    """Return what a file is whose gateways are of one kind."""
    each = Annotated[dict[Name, settings], Field(min_length=1)]  # type: ignore[valid-type]
    return create_model("GatewaysFile", __base__=Part, gateways=(each, ...))


def _described(document: Document) -> tuple[dict[str, Kind], list[Problem]]:
    """Return the kind of each gateway of a document, and what is wrong with the rest."""
    problems = list(document.problems)
    if document.data is None:
        return {}, problems
    model = _file_of(_Some)
    try:
        model.model_validate(document.data)
    except ValidationError as error:
        problems += structure_problems(document, error, model)
    found: dict[str, Kind] = {}
    for name, said in _said(document.data):
        kind = kind_of(said)
        if kind is not None and hasattr(kind, "Settings"):
            found[name] = kind
        else:
            why = _unknown_kind(said) if kind is None else f"no file can describe a {said}; make it in Python"
            problems.append(document.problem(("gateways", name, "kind"), why))
    return found, problems


def _said(data: object) -> Iterator[tuple[str, str]]:
    """Yield the name of each gateway that says its kind, and the kind."""
    gateways = data.get("gateways") if isinstance(data, dict) else None
    for name, told in gateways.items() if isinstance(gateways, dict) else ():
        if isinstance(told, dict) and isinstance(told.get("kind"), str):
            yield name, told["kind"]


def _unknown_kind(name: str) -> str:
    known = kinds()
    return f"nothing installed is of this kind, got {shown(name)}{nearest(name, known)} (known: {', '.join(known)})"


def _made(name: str, kind: Kind, document: Document, sources: Sources) -> PayoutGateway | list[Problem]:
    """Return a gateway, or what is wrong with what is said of it."""
    model = _file_of(kind.Settings)
    said = {"gateways": {name: document.data["gateways"][name]}}
    try:
        file: Any = model.model_validate(said, context=sources)
    except ValidationError as error:
        return list(structure_problems(document, error, model))
    try:
        return kind(**file.gateways[name].arguments())
    except CmEngineError as error:
        key, _, why = str(error).partition(": ")
        is_key = key in kind.Settings.model_fields
        place = ("gateways", name, key) if is_key else ("gateways", name)
        return [document.problem(place, why if is_key else str(error), of_key=not is_key)]
