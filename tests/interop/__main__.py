"""What `make interop` runs: fetch what is needed, say what cannot be had, and test on the rest."""

import sys
from pathlib import Path

import pytest

from tests.interop.fetching import SOURCES, AbsentError

FOLDER = Path(__file__).parent


def main() -> int:
    """Run every check of the folder; one whose files cannot be had is skipped, and says why."""
    for source in SOURCES:
        try:
            source()
        except AbsentError as absent:
            print(f"skipped: {absent}")  # noqa: T201 - a person reads it
    checks = sorted(str(file) for file in FOLDER.glob("check_*.py"))
    return pytest.main(["-q", "-n0", *checks])


if __name__ == "__main__":
    sys.exit(main())
