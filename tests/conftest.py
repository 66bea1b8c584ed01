"""What all tests share: Hypothesis without a clock, and the facts kept beside the project."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("cm-engine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cm-engine")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published cases and trial data; tests that need it are skipped where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"needs {folder.name} of the folder shared beside the project, which is not there")
    return folder
