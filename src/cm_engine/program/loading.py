"""From a program file to a `Program`, or to every problem it has."""

import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from pydantic import ValidationError

from cm_engine.errors import Problem, ProgramError, ProgramNotFoundError
from cm_engine.program.checks import check
from cm_engine.program.extending import extended
from cm_engine.program.models import Program
from cm_engine.program.partial import partial_part
from cm_engine.program.reading import Document, read_document
from cm_engine.program.wording import structure_problems


def load_program(path: str | os.PathLike[str]) -> Program:
    """Load a program file: YAML 1.2, or JSON, in UTF-8.

    Raises:
        ProgramNotFoundError: there is no such file, or it cannot be read.
        ProgramError: the file is wrong; the error holds every problem with line and column.
    """
    return parse_program(read_text(path), name=os.fspath(path))


def parse_program(text: str, *, name: str = "<text>") -> Program:
    r"""Read a program from text.

    Args:
        text: YAML 1.2, or JSON.
        name: what to call the text in problems.

    Raises:
        ProgramError: the text is wrong; the error holds every problem with line and column.

    Example:
        >>> parse_program("program: a\nversion: 1", name="a.yaml")
        Traceback (most recent call last):
        cm_engine.errors.ProgramError: a.yaml:1:1: error: the key 'targets' is missing
        a.yaml:1:1: error: the key 'title' is missing
        a.yaml:1:1: error: the key 'visits' is missing, here or in each target
        a.yaml:2:10: error: version: expected text, got 1; put it in quotation marks: "1"
    """
    return read_program(text, name)[0]


def read_program(text: str, name: str) -> tuple[Program, Document]:
    """Read a program, with the document that knows where each of its values stands.

    Raises:
        ProgramError: the text is wrong; the error holds every problem with line and column.
    """
    document = extended(read_document(text, name))
    if document.data is None or (document.problems and "extends" in document.data):
        raise ProgramError(document.problems)
    try:
        program = Program.model_validate(document.data)
    except ValidationError as error:
        partial = partial_part(Program, document.data)
        found = {
            *document.problems,
            *structure_problems(document, error),
            *check(partial, document, is_partial=True),
        }
        raise ProgramError(found) from None
    if found := {*document.problems, *check(program, document)}:
        raise ProgramError(found)
    return program, document


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a file in UTF-8.

    Raises:
        ProgramNotFoundError: there is no such file, or it cannot be read.
        ProgramError: the file is not in UTF-8; the error says from which byte on.
    """
    name = os.fspath(path)
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        said = "this is not text in UTF-8"
        if error.object.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            said = "this is text in UTF-16; save it as UTF-8"
        line = error.object.count(b"\n", 0, error.start) + 1
        column = error.start - error.object.rfind(b"\n", 0, error.start)
        raise ProgramError([Problem(name, line, column, "", said)]) from error
    except OSError as error:
        raise ProgramNotFoundError(name) from error
