"""Published programs by id, from every installed package that offers some."""

from collections import defaultdict
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from warnings import warn

from cm_engine.errors import AmbiguousNameError, ProgramError, ProgramNotFoundError
from cm_engine.program import Program
from cm_engine.program.loading import read_program
from cm_engine.program.values import close_to

GROUP = "cm_engine.schedules"
FOLDER = "programs"
SUFFIX = ".yaml"


def program_ids() -> tuple[str, ...]:
    """Return the ids of the catalogue, sorted.

    Example:
        >>> "va-prize" in program_ids()
        True
    """
    return tuple(sorted(_offers()))


def program(program_id: str) -> Program:
    """Return a program of the catalogue.

    Raises:
        ProgramNotFoundError: the catalogue has no such id; the error names the nearest.
        AmbiguousNameError: two installed packages offer the id.
        ProgramError: an installed package offers a file that is wrong.

    Example:
        >>> program("va-prize").title
        'Prize contingency management in the Veterans Health Administration'
    """
    return _parsed(*_located(program_id))


def source(program_id: str) -> str:
    """Return the text of a program file of the catalogue, to read or to begin one's own from.

    Raises:
        ProgramNotFoundError: the catalogue has no such id; the error names the nearest.
        AmbiguousNameError: two installed packages offer the id.
    """
    package, file = _located(program_id)
    return (files(package) / FOLDER / file).read_text("utf-8")


def _located(program_id: str) -> tuple[str, str]:
    offers = _offers().get(program_id)
    if not offers:
        raise ProgramNotFoundError(program_id, close_to(program_id, program_ids()))
    if len(offers) > 1:
        raise AmbiguousNameError(program_id, offers)
    return offers[0], f"{program_id}{SUFFIX}"


@cache
def _parsed(package: str, file: str) -> Program:
    text = (files(package) / FOLDER / file).read_text("utf-8")
    program, document = read_program(text, f"{package}/{FOLDER}/{file}")
    if f"{program.program}{SUFFIX}" != file:
        raise ProgramError(
            [document.problem(("program",), f"expected the name of the file, got {program.program}")]
        )
    return program


def _offers() -> dict[str, list[str]]:
    """Return the packages that offer each id: they declare the entry point, and have a file of that name."""
    found = defaultdict(list)
    for package in sorted({point.value for point in entry_points(group=GROUP)}):
        for name in _file_names(package):
            found[name.removesuffix(SUFFIX)].append(package)
    return found


def _file_names(package: str) -> list[str]:
    """Return the program files of a package; one that is broken must not take the others with it."""
    try:
        return [entry.name for entry in (files(package) / FOLDER).iterdir() if entry.name.endswith(SUFFIX)]
    except (ImportError, OSError) as error:
        warn(f"the programs of {package} cannot be read: {error}", RuntimeWarning, stacklevel=2)
        return []
