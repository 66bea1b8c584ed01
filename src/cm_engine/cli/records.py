"""Files of one participant: observations as a case writes them, and records of draws."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, PlainValidator, ValidationError

from cm_engine.errors import ResultsFileError
from cm_engine.program.loading import read_text
from cm_engine.program.parts import Count, Name, Part, Text
from cm_engine.program.reading import read_document
from cm_engine.program.values import Amount, shown, wrong
from cm_engine.program.wording import structure_problems
from cm_engine.program.worked import Seen
from cm_engine.trials.model import Trial

HASH_DIGITS = 64


def _hexadecimal(text: Any) -> bytes:  # noqa: ANN401 - a file may say anything
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError):
        raise wrong(f"expected hexadecimal digits, two for each byte, got {shown(text)}") from None


def _commitment(text: Any) -> str:  # noqa: ANN401 - a file may say anything
    if len(_hexadecimal(text)) * 2 != HASH_DIGITS:
        raise wrong(f"expected the {HASH_DIGITS} digits of a SHA-256, got {shown(text)}")
    return str(text).lower()


class SeenSoFar(Part):
    """What was observed of one participant, in order."""

    observations: Annotated[tuple[Seen, ...], Field(description="one observation after another")]
    before: dict[Name, tuple[Amount, ...]] = {}  # noqa: RUF012 - pydantic copies its defaults


class OneDraw(Part):
    """One draw of a record."""

    key: Text
    number: Count
    slip: str
    value: Amount


class DrawRecord(Part):
    """A record of draws from one bowl, in their order."""

    program: Text
    unit: Text = "draw"
    commitment: Annotated[str, PlainValidator(_commitment)]
    seed: Annotated[bytes, PlainValidator(_hexadecimal)]
    draws: tuple[OneDraw, ...]


class OneAllocation(Part):
    """One allocation of a record."""

    participant: Text
    stratum: Text
    place: Count
    arm: Name


class AllocationRecord(Part):
    """A record of a closed trial: its seed, and who was allocated to which arm."""

    trial: Trial
    digest: Text
    commitment: Annotated[str, PlainValidator(_commitment)]
    seed: Annotated[bytes, PlainValidator(_hexadecimal)]
    allocations: tuple[OneAllocation, ...]


Record = TypeVar("Record", SeenSoFar, DrawRecord, AllocationRecord)


def read_record(path: Path, kind: type[Record]) -> Record:
    """Return a record that a file holds, in YAML or JSON.

    Raises:
        ProgramNotFoundError: there is no such file.
        ResultsFileError: the file is wrong; the error has every problem with line and column.
    """
    document = read_document(read_text(path), str(path))
    if document.problems:
        raise ResultsFileError(document.problems)
    try:
        return kind.model_validate(document.data)
    except ValidationError as error:
        raise ResultsFileError(structure_problems(document, error, kind)) from None
