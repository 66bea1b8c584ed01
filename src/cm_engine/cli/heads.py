"""Where logs ended when they were last audited: a file, kept where whoever writes to the database does not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cm_engine.errors import CmEngineError

HeadsOption = Annotated[
    Path | None,
    typer.Option(
        "--heads", metavar="FILE", help="where each log ended when it was last looked at; kept elsewhere"
    ),
]


def kept_heads(file: Path) -> dict[str, str]:
    """Return where logs ended, as a file says; nothing if there is none yet.

    Raises:
        CmEngineError: it is no such file.
    """
    try:
        found = json.loads(file.read_text("utf-8")) if file.exists() else {}
    except (OSError, ValueError) as error:
        msg = f"{file}: it cannot be read: {error}"
        raise CmEngineError(msg) from None
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        msg = f"{file}: expected what `verify --heads` has written: a hash for each name"
        raise CmEngineError(msg)
    return found


def keep_heads(file: Path, heads: Mapping[str, str]) -> None:
    """Write where logs end, as a whole or not at all; those that were not looked at stay as they were.

    Raises:
        CmEngineError: it cannot be written.
    """
    try:
        whole = file.with_name(f"{file.name}.new")
        whole.write_text(json.dumps({**kept_heads(file), **heads}, indent=0, sort_keys=True), "utf-8")
        whole.replace(file)
    except OSError as error:
        msg = f"{file}: it cannot be written: {error.strerror}"
        raise CmEngineError(msg) from None
