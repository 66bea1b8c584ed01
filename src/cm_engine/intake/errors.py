"""What can be wrong with a mapping file, or with a document as a whole."""

from cm_engine.errors import CmEngineError, ProblemsError


class MappingError(ProblemsError):
    """Report every problem of a mapping file, or of the table of participants beside it."""


class IntakeError(CmEngineError):
    """Report a document that cannot be read at all: nothing of it was looked at.

    Attributes:
        format: as what it was to be read.
        why: what is wrong with it; nothing of its content.
    """

    def __init__(self, format: str, why: str) -> None:  # noqa: A002 - what it is
        self.format = format
        self.why = why
        super().__init__(f"this is no document of the format {format}: {why}; nothing is recorded")
