"""Where enrollments stood when they were last written here: what an act may be decided from without a look."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from cm_engine.log.rows import StandingRow

SURE = 8
"""As many looks in a row must have found what was known here, before nobody looks."""
KEPT = 20_000
"""As many enrollments are kept at hand."""


class Lately:
    """Know where enrollments stood when they were last written here, and whether that has held of late.

    It is never taken for true: what is decided from it is written only where the storage finds the same heads and no
    act under the same keys; else it is looked up and decided again. So a way to the storage and back is saved while
    nobody else writes the same enrollments; where others do, one such way in vain brings the looks back.
    """

    def __init__(self) -> None:
        self._rows: dict[str, StandingRow] = {}
        self._held = 0

    def known(self, enrollments: Sequence[str]) -> dict[str, StandingRow]:
        """Return where enrollments stood, of all or of none."""
        if self._held < SURE:
            return {}
        found = {each: row for each in enrollments if (row := self._rows.get(each))}
        return found if len(found) == len(enrollments) else {}

    def compare(self, found: Mapping[str, StandingRow]) -> None:
        """Learn from a look whether what was known had held."""
        known = [(row, self._rows[each]) for each, row in found.items() if each in self._rows]
        if known:
            self._held = self._held + 1 if all(row.head == was.head for row, was in known) else 0

    def doubt(self) -> None:
        """Learn that a look was missing."""
        self._held = 0

    def keep(self, rows: Iterable[StandingRow]) -> None:
        """Know where enrollments stand by now."""
        for row in rows:
            forget_some(self._rows)
            self._rows[row.enrollment] = row


def forget_some(kept: dict[str, Any]) -> None:
    """Make room, where there is none, by forgetting what was kept first."""
    if len(kept) >= KEPT:
        for name in list(islice(list(kept), KEPT // 10)):
            kept.pop(name, None)
