"""Write a file that a command makes, or say why it cannot be written."""

from pathlib import Path

from cm_engine.errors import CmEngineError


def write(file: Path, text: str) -> None:
    """Write a text in UTF-8.

    Raises:
        CmEngineError: the file cannot be written.
    """
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        msg = f"{file}: cannot be written: {error.strerror}"
        raise CmEngineError(msg) from error
