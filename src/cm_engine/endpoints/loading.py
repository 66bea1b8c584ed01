"""From a file of endpoints to an `EndpointSet`, or to every problem it has; and from the name of a set to its file."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from cm_engine import shelf
from cm_engine.endpoints.checks import RULES
from cm_engine.errors import (
    AmbiguousNameError,
    EndpointsError,
    EndpointsNotFoundError,
    Problem,
    ProgramError,
    ProgramNotFoundError,
)
from cm_engine.outcomes.model import EndpointSet
from cm_engine.program.loading import read_text
from cm_engine.program.partial import IllFormedError, partial_part
from cm_engine.program.reading import Document, read_document
from cm_engine.program.reading import Path as Place
from cm_engine.program.wording import structure_problems
from cm_engine.spelling import nearest

FOLDER = "endpoints"
"""Where a package of the entry point `cm_engine.schedules` has its sets, a file each."""


def set_names() -> tuple[str, ...]:
    """Return the names of all sets that installed packages offer, sorted.

    Example:
        >>> set_names()
        ('contingency-management', 'ctn-0094')
    """
    return tuple(sorted(shelf.offers(FOLDER)))


def endpoints(name: str | os.PathLike[str]) -> EndpointSet:
    """Return a set of endpoints by its name, or from a file.

    Args:
        name: one of `set_names`, or the path of a file.

    Raises:
        EndpointsNotFoundError: there is no such set and no such file.
        EndpointsError: the file is wrong; the error holds every problem with line and column.
        AmbiguousNameError: two installed packages offer the name.

    Example:
        >>> endpoints("ctn-0094").endpoints["Ab_ling_1998"].says
        'Four negative weeks in a row at any time'
    """
    offered = shelf.offers(FOLDER) if isinstance(name, str) else {}
    packages = offered.get(str(name), ())
    if len(packages) > 1:
        raise AmbiguousNameError(str(name), packages)
    if packages:
        return _shipped(shelf.Offer(packages[0], f"{name}{shelf.SUFFIX}", FOLDER))
    if isinstance(name, str) and not Path(name).is_file():
        what = "file, and no set of endpoints"
        raise EndpointsNotFoundError(what, name, sorted(offered), nearest(name, offered))
    return load_endpoints(name)


@cache
def _shipped(offer: shelf.Offer) -> EndpointSet:
    """Return a set that a package offers; it has to have the name of its file."""
    found, document = read_endpoints(offer.text(), offer.name)
    if f"{found.set}{shelf.SUFFIX}" != offer.file:
        raise EndpointsError([document.problem(("set",), f"expected the name of the file, got {found.set}")])
    return found


def load_endpoints(path: str | os.PathLike[str]) -> EndpointSet:
    """Load a file of endpoints: YAML 1.2, or JSON, in UTF-8.

    Raises:
        EndpointsError: there is no such file, or it is wrong; the error holds every problem with line and column.
    """
    name = os.fspath(path)
    try:
        return read_endpoints(read_text(path), name)[0]
    except ProgramNotFoundError as error:
        message = "there is no such file, or it cannot be read"
        raise EndpointsError([Problem(name, 1, 1, "", message)]) from error
    except ProgramError as error:
        raise EndpointsError(error.problems) from error


def parse_endpoints(text: str, *, name: str = "<text>") -> EndpointSet:
    r"""Read a set of endpoints from text.

    Args:
        text: YAML 1.2, or JSON.
        name: what to call the text in problems.

    Raises:
        EndpointsError: the text is wrong; the error holds every problem with line and column.

    Example:
        >>> clean = "clean: {says: Clean weeks, source: own, missing: positiv, count: negative}"
        >>> parse_endpoints(f"set: mine\ntitle: Mine\nsources: {{own: {{cite: ours}}}}\nendpoints:\n  {clean}")
        Traceback (most recent call last):
        cm_engine.errors.EndpointsError: <text>:5:52: error: endpoints.clean.missing: expected negative, positive, mixed, left out, kept, last result, last result until drop-out, most common result or nearest visits, got 'positiv'; did you mean 'positive'?
    """
    return read_endpoints(text, name)[0]


def read_endpoints(text: str, name: str) -> tuple[EndpointSet, Document]:
    """Read a set of endpoints, with the document that knows where each of its values stands.

    Raises:
        EndpointsError: the text is wrong; the error holds every problem with line and column.
    """
    document = read_document(text, name)
    if document.data is None:
        raise EndpointsError(document.problems)
    try:
        found = EndpointSet.model_validate(document.data)
    except ValidationError as error:
        problems = {*document.problems, *structure_problems(document, error, EndpointSet)}
        raise EndpointsError(
            {*problems, *_checked(partial_part(EndpointSet, document.data), document)}
        ) from None
    if problems := {*document.problems, *_checked(found, document)}:
        raise EndpointsError(problems)
    return found, document


def _checked(found: EndpointSet, document: Document) -> Iterator[Problem]:
    """Yield what does not hold between values; an endpoint with a value that is ill-formed has its own problem."""
    try:
        names = tuple(found.endpoints)
    except (IllFormedError, TypeError):
        return
    for name in names:
        for rule in RULES:
            yield from _by_rule(rule, found, name, document)


def _by_rule(
    rule: Callable[[EndpointSet, str], Iterator[tuple[Place, str]]],
    found: EndpointSet,
    name: str,
    document: Document,
) -> Iterator[Problem]:
    try:
        for path, message in rule(found, name):
            yield document.problem(("endpoints", name, *path), message, of_key=not path)
    except (IllFormedError, TypeError, AttributeError):
        return
