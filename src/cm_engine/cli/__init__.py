"""The `cm-engine` command."""

import os
import sys
from typing import Any

from cm_engine.cli.refusals import told
from cm_engine.errors import CmEngineError, MissingDependencyError

USAGE_ERROR = 2


def main() -> None:
    """Run the command: what was wrong is said on stderr, a line each, with exit status 2."""
    try:
        sys.exit(_run())
    except MissingDependencyError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(USAGE_ERROR)
    except CmEngineError as error:
        sys.stderr.write(f"{told(error, sys.argv[1:])}\n")
        sys.exit(USAGE_ERROR)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run() -> int:
    try:
        import typer  # noqa: PLC0415 - these come with an extra

        from cm_engine.cli.app import app  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich", "click"}:
            raise
        raise MissingDependencyError(error.name, "cli") from error
    usage_error: Any = typer.BadParameter.__base__  # of click, or of typer's own copy of it
    try:
        return app(standalone_mode=False) or 0
    except usage_error as error:
        sys.stderr.write(f"{error.format_message()}\n")
        return USAGE_ERROR
    except typer.Abort:
        return 1
