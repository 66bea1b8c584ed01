"""What shows that an adapter keeps its contract: a suite of tests for each port, for ours and for anybody's.

A suite is a class; an adapter's tests are a subclass that says how to make an empty one:

    from collections.abc import Iterator
    from pathlib import Path

    import pytest
    from cm_engine.ports import Storage
    from cm_engine.testing import StorageConformance


    class TestMyStorage(StorageConformance):
        @pytest.fixture
        def storage(self, tmp_path: Path) -> Iterator[Storage]:
            storage = MyStorage.open(f"mine://{tmp_path}")
            yield storage
            storage.close()

It needs pytest, which the extra `testing` brings.
"""

from cm_engine.errors import MissingDependencyError

try:
    import pytest
except ModuleNotFoundError as error:
    raise MissingDependencyError("pytest", "testing") from error

pytest.register_assert_rewrite(
    *(f"cm_engine.testing.{name}" for name in ("gateway", "intake", "notifier", "storage"))
)

from cm_engine.testing import rows  # noqa: E402 - its asserts are to be rewritten first
from cm_engine.testing.gateway import ORDER, FakeGateway, GatewayConformance  # noqa: E402
from cm_engine.testing.intake import IntakeConformance, Samples  # noqa: E402
from cm_engine.testing.notifier import (  # noqa: E402
    Arrived,
    Behavior,
    FakeNotifier,
    NotifierConformance,
    Receiver,
)
from cm_engine.testing.storage import StorageConformance  # noqa: E402

__all__ = [
    "ORDER",
    "Arrived",
    "Behavior",
    "FakeGateway",
    "FakeNotifier",
    "GatewayConformance",
    "IntakeConformance",
    "NotifierConformance",
    "Receiver",
    "Samples",
    "StorageConformance",
    "rows",
]
