"""Every storage keeps the contract, and a database refuses what nobody may do to a log."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cm_engine.opening import open_storage
from cm_engine.ports import Storage
from cm_engine.testing import StorageConformance
from cm_engine_adapters.storage.tables import APPEND_ONLY, KEPT


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    def storage(self) -> Storage:
        return open_storage("memory:", {})


def opened(url: str, **options: str) -> Iterator[Storage]:
    storage = open_storage(url, options)
    yield storage
    storage.close()


class TestSqliteStorage(StorageConformance):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'clinic.db'}"

    @pytest.fixture
    def storage(self, url: str) -> Iterator[Storage]:
        yield from opened(url)

    @pytest.fixture
    def another(self, url: str) -> Iterator[Storage]:
        yield from opened(url)


class TestSqliteStorageWithAPrefix(StorageConformance):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'clinic.db'}"

    @pytest.fixture
    def storage(self, url: str) -> Iterator[Storage]:
        yield from opened(url, prefix="Reward ")

    @pytest.fixture
    def another(self, url: str) -> Iterator[Storage]:
        yield from opened(url, prefix="Reward ")


IN_A_SCHEMA = {"prefix": "Reward ", "schema": "My Clinic"}


@pytest.fixture(scope="module")
def postgresql_tables(postgresql_server: str) -> str:
    """The URL of a database with tables that tests use one after the other, which is faster than one for each."""
    url = postgresql_server.replace("/postgres?", "/storages?")
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE storages")
    with psycopg.connect(url) as connection:
        connection.execute('CREATE SCHEMA "My Clinic"')
    for options in ({}, IN_A_SCHEMA):
        open_storage(url, options).close()
    return url


def emptied(url: str, within: str) -> str:
    """Empty all tables, as only who may switch triggers off can."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("TRUNCATE " + ", ".join(f'{within}{name}"' for name in (*APPEND_ONLY, *KEPT)))
    return url


class TestPostgresStorage(StorageConformance):
    @pytest.fixture
    def url(self, postgresql_tables: str) -> str:
        return emptied(postgresql_tables, '"cm_')

    @pytest.fixture
    def storage(self, url: str) -> Iterator[Storage]:
        yield from opened(url)

    @pytest.fixture
    def another(self, url: str) -> Iterator[Storage]:
        yield from opened(url)


class TestPostgresStorageInASchemaWithAPrefix(StorageConformance):
    @pytest.fixture
    def url(self, postgresql_tables: str) -> str:
        return emptied(postgresql_tables, '"My Clinic"."Reward ')

    @pytest.fixture
    def storage(self, url: str) -> Iterator[Storage]:
        yield from opened(url, **IN_A_SCHEMA)

    @pytest.fixture
    def another(self, url: str) -> Iterator[Storage]:
        yield from opened(url, **IN_A_SCHEMA)
