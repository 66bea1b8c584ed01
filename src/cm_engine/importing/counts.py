"""What an import came to, or has come to so far."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from cm_engine.acts.recorded import Recorded
from cm_engine.errors import StorageError
from cm_engine.importing.refusals import Refused


class Imported(NamedTuple):
    """What an import came to.

    Attributes:
        lines: how many lines say something, without the header.
        recorded: how many were recorded now.
        repeated: how many were recorded before, or stand in the file twice.
        refused_lines: how many were refused.
        refused: the first of these, in the order of the file; while the import goes on there are none here.
        awarded: exactly what became due by the lines that were recorded now, by unit: awards, prizes, and what
            results that came late added or took off; repeats count for nothing.
        missed: how many visits the lines that were recorded now show to be over, with nobody having come.
        unplaced: how many of these lines fit no visit, and wait for an answer: `Engine.questions` gives them. Both are
            counted at the end.
    """

    lines: int = 0
    recorded: int = 0
    repeated: int = 0
    refused_lines: int = 0
    refused: tuple[Refused, ...] = ()
    awarded: Mapping[str, Decimal] = MappingProxyType({})
    missed: int = 0
    unplaced: int = 0

    @property
    def done(self) -> int:
        """Return how many lines have been recorded, repeated or refused."""
        return self.recorded + self.repeated + self.refused_lines

    def plus(self, taken: Iterable[Recorded] | None) -> "Imported":
        """Return it with what was recorded more; None is a line that was refused."""
        if taken is None:
            return self._replace(refused_lines=self.refused_lines + 1)
        recorded, repeated, awarded = self.recorded, self.repeated, dict(self.awarded)
        for each in taken:
            recorded, repeated = recorded + (not each.replayed), repeated + each.replayed
            for unit, amount in () if each.replayed else each.payable.items():
                awarded[unit] = awarded.get(unit, Decimal(0)) + amount
        return self._replace(recorded=recorded, repeated=repeated, awarded=awarded)


class ImportStoppedError(StorageError):
    """Report a storage that failed in the middle of an import.

    Attributes:
        imported: what is done, and stays.
    """

    def __init__(self, imported: Imported, why: StorageError) -> None:
        self.imported = imported
        there = imported.recorded + imported.repeated
        super().__init__(
            f"the import stopped: {why}\n{there} of {imported.lines} lines are recorded; "
            "import the same file again, it goes on from there"
        )
