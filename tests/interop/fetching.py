"""Files that nobody here wrote: fetched once by the clients of their registries, into a folder that git ignores."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / "build" / "interop"
SECONDS_MAX = 90
"""A download that takes longer is given up."""

FHIR_EXAMPLES = "hl7.fhir.r4.examples"
FHIR_VERSION = "4.0.1"


class AbsentError(Exception):
    """Say why something cannot be had on this machine."""


def fhir_examples() -> Path:
    """Return the archive of the examples that HL7 publishes with FHIR R4 (CC0-1.0).

    Raises:
        AbsentError: npm is not there, or the package cannot be fetched.
    """
    name = f"{FHIR_EXAMPLES}-{FHIR_VERSION}.tgz"
    return _kept(name, ["npm", "pack", "--silent", "--fetch-retries=0", f"{FHIR_EXAMPLES}@{FHIR_VERSION}"])


def hl7_samples() -> Path:
    """Return the source package of python-hl7 (BSD), whose tests have sample messages.

    Raises:
        AbsentError: it cannot be fetched.
    """
    number = version("hl7")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    return _kept(f"hl7-{number}.tar.gz", [*command, "--no-binary", "hl7", f"hl7=={number}"])


SOURCES: tuple[Callable[[], Path], ...] = (fhir_examples, hl7_samples)
"""What `make interop` fetches."""


def _kept(name: str, command: list[str]) -> Path:
    """Return a file of the cache, fetched if it is not there."""
    file = CACHE / name
    if not file.exists():
        if not shutil.which(command[0]):
            msg = f"{name} comes by {command[0]}, which is not installed"
            raise AbsentError(msg)
        CACHE.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(command, cwd=CACHE, check=True, capture_output=True, timeout=SECONDS_MAX)
        except (subprocess.SubprocessError, OSError) as error:
            msg = f"{name} cannot be fetched ({command[0].rpartition('/')[2]}: {type(error).__name__})"
            raise AbsentError(msg) from error
    if not file.exists():
        msg = f"{name} was not what the registry gave"
        raise AbsentError(msg)
    return file
