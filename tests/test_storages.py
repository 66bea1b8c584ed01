"""Every storage keeps the contract, and a database refuses what nobody may do to a log."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cm_engine.opening import open_storage
from cm_engine.ports import Storage
from cm_engine.testing import StorageConformance


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


class TestPostgresStorage(StorageConformance):
    @pytest.fixture
    def storage(self, postgresql_url: str) -> Iterator[Storage]:
        yield from opened(postgresql_url)

    @pytest.fixture
    def another(self, postgresql_url: str) -> Iterator[Storage]:
        yield from opened(postgresql_url)


class TestPostgresStorageInASchemaWithAPrefix(StorageConformance):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        with psycopg.connect(postgresql_url) as connection:
            connection.execute('CREATE SCHEMA "My Clinic"')
        return postgresql_url

    @pytest.fixture
    def storage(self, url: str) -> Iterator[Storage]:
        yield from opened(url, prefix="Reward ", schema="My Clinic")

    @pytest.fixture
    def another(self, url: str) -> Iterator[Storage]:
        yield from opened(url, prefix="Reward ", schema="My Clinic")
