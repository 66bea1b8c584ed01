"""Published programs by id."""

from functools import cache

from cm_engine import shelf
from cm_engine.errors import ProgramError
from cm_engine.program import Program
from cm_engine.program.loading import read_program


def program_ids() -> tuple[str, ...]:
    """Return the ids of the catalogue, sorted.

    Example:
        >>> "va-prize" in program_ids()
        True
    """
    return tuple(sorted(shelf.offers()))


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
    return _parsed(shelf.offer(program_id))


def source(program_id: str) -> str:
    """Return the text of a program file of the catalogue, to read or to begin one's own from.

    Raises:
        ProgramNotFoundError: the catalogue has no such id; the error names the nearest.
        AmbiguousNameError: two installed packages offer the id.
    """
    return shelf.offer(program_id).text()


@cache
def _parsed(offer: shelf.Offer) -> Program:
    program, document = read_program(offer.text(), offer.name)
    if f"{program.program}{shelf.SUFFIX}" != offer.file:
        message = f"expected the name of the file, got {program.program}"
        raise ProgramError([document.problem(("program",), message)])
    return program
