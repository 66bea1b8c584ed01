"""What a transaction writes, noted: whichever way an act took to the log, what was written is known at the end."""

from typing import Any, cast

from cm_engine.log.rows import Batch
from cm_engine.ports import Transaction


class Noting:
    """A transaction that notes what is appended; else as it was.

    Attributes:
        batches: what was appended, in order.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.batches: list[Batch] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transaction has
        return getattr(self._tx, name)

    def append(self, batch: Batch) -> None:
        """Write all rows of a batch, or none."""
        self._tx.append(batch)
        self.batches.append(batch)

    def as_transaction(self) -> Transaction:
        """Return it as what it is used for."""
        return cast("Transaction", self)
