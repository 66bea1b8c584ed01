"""The staff and the entries that wait, as a host looks at them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from cm_engine.journal import OPENED, Act, Journal, all_journals
from cm_engine.log.entering import Entry
from cm_engine.people.fold import STAFF_KIND, StaffState
from cm_engine.ports import Transaction

ADDED = "added"
"""What the act is called that opens the journal of one of the staff."""


@dataclass(frozen=True)
class Staff:
    """One of the staff.

    Attributes:
        id: the host's opaque id: the `by` of all they do.
        roles: what they are; the table of rights says what each may do.
        sites: where they work; empty for all.
        trained_on: the day of their last training, None without any.
        active_from, active_until: the first and the last day of their work, None where it is open.
        has_left: they left, and may do nothing any more.
    """

    id: str
    roles: tuple[str, ...]
    sites: tuple[str, ...]
    trained_on: date | None
    active_from: date | None
    active_until: date | None
    has_left: bool

    @classmethod
    def of(cls, state: StaffState) -> "Staff":
        """Return one of the staff from where their journal stands."""
        trained, begins, ends = map(_day, (state.trained_on, state.active_from, state.active_until))
        return cls(state.id, state.roles, state.sites, trained, begins, ends, state.has_left)

    def is_active(self, on: date) -> bool:
        """Tell whether they work here on a day."""
        begins, ends = self.active_from or on, self.active_until or on
        return not self.has_left and begins <= on <= ends


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


class StaffAct(NamedTuple):
    """What was said of one of the staff.

    Attributes:
        kind: added, changed or left.
        by: who said it.
        recorded_at: when, in UTC.
        source, key: what makes it the same act however often it is reported.
        reported: what was said.
    """

    kind: str
    by: str
    recorded_at: datetime
    source: str
    key: str
    reported: Mapping[str, Any]

    @classmethod
    def of(cls, act: Act) -> "StaffAct":
        """Return an act from the log."""
        kind = ADDED if act.kind == OPENED else act.kind
        return cls(kind, act.by, datetime.fromisoformat(act.recorded_at), act.source, act.key, act.body)


class WaitingEntry(NamedTuple):
    """A first entry that waits for a second person.

    Attributes:
        enrollment: of whom.
        record: its number in the log of the enrollment: what `withdraw_entry` asks for.
        by: who entered it.
        entered_at: when, in UTC.
        reported: what was entered; whoever enters it again should not see it before.
    """

    enrollment: str
    record: int
    by: str
    entered_at: datetime
    reported: Mapping[str, Any]

    @classmethod
    def of(cls, enrollment: str, entry: Entry) -> "WaitingEntry":
        """Return an entry from where its enrollment stands."""
        at = datetime.fromisoformat(entry.recorded_at)
        return cls(enrollment, entry.record, entry.by, at, json.loads(entry.text))


def staff_in(tx: Transaction) -> Iterator[StaffState]:
    """Yield all staff, those who left too, in the order of their ids."""
    for row in all_journals(tx, STAFF_KIND.name):
        yield Journal(STAFF_KIND, row.enrollment.removeprefix(STAFF_KIND.journal("")), tx).state()
