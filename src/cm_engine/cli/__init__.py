"""The `cm-engine` command."""

import sys

from cm_engine.errors import CmEngineError, MissingDependencyError

USAGE_ERROR = 2


def main() -> None:
    """Run the command: what was wrong is one line on stderr, with exit status 2."""
    try:
        _run()
    except CmEngineError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(USAGE_ERROR)


def _run() -> None:
    try:
        from cm_engine.cli.app import app  # noqa: PLC0415 - typer and rich come with an extra
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        raise MissingDependencyError(error.name, "cli") from error
    app()
