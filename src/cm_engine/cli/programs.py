"""Find what a command names: a program of the catalogue, or else a file."""

import os

from cm_engine import catalogue
from cm_engine.program import Program, load_program
from cm_engine.program.loading import read_text


def find_program(name: str) -> Program:
    """Return a program of the catalogue, or else of a file."""
    return load_program(name) if _is_file(name) else catalogue.program(name)


def find_text(name: str) -> str:
    """Return the text of a program of the catalogue, or else of a file."""
    return read_text(name) if _is_file(name) else catalogue.source(name)


def refuse_absent(name: str) -> None:
    """Refuse a name that is neither."""
    if not _is_file(name):
        catalogue.source(name)


def _is_file(name: str) -> bool:
    """Tell whether a name is a file's; an id of the catalogue is not, and ./NAME always is."""
    return name not in catalogue.program_ids() and os.path.isfile(name)  # noqa: PTH113 - it never raises
