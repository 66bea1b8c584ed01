"""Every kind of journal there is, and the audit that follows each of them."""

from collections.abc import Sequence
from typing import Any

from cm_engine.acts.register import Register
from cm_engine.errors import CmEngineError, SecretError
from cm_engine.intake.queue import INTAKE
from cm_engine.journal import ENROLLMENT, OPENED, Act, Kind, act_of
from cm_engine.log.chain import GENESIS, hash_of
from cm_engine.log.rows import RESERVED, RecordRow, StandingRow
from cm_engine.messages.contact import CONTACT
from cm_engine.people.fold import STAFF_KIND
from cm_engine.ports import Transaction
from cm_engine.sites.kind import SITE
from cm_engine.stock.kind import STOCK
from cm_engine.trials.kind import TRIAL

KINDS: dict[str, Kind[Any]] = {kind.name: kind for kind in (TRIAL, STAFF_KIND, SITE, STOCK, INTAKE, CONTACT)}
"""The kinds of journals by their names; whoever adds one lists it here, and every audit follows it."""

Differs = tuple[str, str]
"""Where something differs, and how."""


def journal_difference(
    tx: Transaction, register: Register, standing: StandingRow, records: Sequence[RecordRow]
) -> Differs | None:
    """Return the first difference between what is stored of a journal and what its acts come to, or None.

    Every hash is followed and every act folded again; then its kind looks at what hangs on it. Keeps INV-15.

    Args:
        tx: what is looked at.
        register: finds secrets.
        standing: where the journal stands, as it is stored.
        records: its acts, as they are stored.
    """
    kind = KINDS.get(str(standing.enrollment).removeprefix(RESERVED).partition("/")[0])
    if kind is None:
        return "journal", "this release knows no such kind of journal"
    found = _chain_difference(standing, records)
    if found:
        return found
    try:
        acts = [act_of(record) for record in records]
        return _fold_difference(kind, standing, acts) or next(kind.check(tx, register, acts), None)
    except SecretError as error:
        return "seed", f"not audited: {error}"
    except (CmEngineError, ValueError, KeyError, TypeError, AttributeError) as error:
        return "log", f"it cannot be read: {error}"


def made_by_journal(records: Sequence[RecordRow]) -> list[str]:
    """Return the journal that made an enrollment, from the acts of the enrollment; nothing if none did."""
    return [str(row.source) for row in records[:1] if str(row.source).startswith(RESERVED)]


def made_difference(records: Sequence[RecordRow], made: int) -> Differs | None:
    """Return how many enrollments a journal should have made and has not, or None.

    Args:
        records: the acts of the journal.
        made: how many enrollments say that it made them.
    """
    told = sum(ENROLLMENT in act_of(record).led_to for record in records)
    return None if told == made else ("enrollments", f"it made {told}, and {made} are its own")


def _chain_difference(standing: StandingRow, records: Sequence[RecordRow]) -> Differs | None:
    """Follow the hashes of all acts, to the head."""
    head, when = GENESIS, ""
    for seq, record in enumerate(records):
        if record.seq != seq:
            return f"record {seq}", f"it is missing; the next is {record.seq}"
        head, when = hash_of(record[:-1], head), record.recorded_at
        if record.hash != head:
            return f"record {seq}", f"its hash is {record.hash[:12]}, that of what it says {head[:12]}"
    found = (len(records) - 1, 0, head, when)
    if standing[1:5] != found:
        return "standing", f"stored {standing[1:5]}, the log comes to {found}"
    return None


def _fold_difference(kind: Kind[Any], standing: StandingRow, acts: Sequence[Act]) -> Differs | None:
    """Fold every act again, and compare where that ends."""
    state = None
    for act in acts:
        if (act.kind == OPENED) != (act.seq == 0):
            return f"record {act.seq}", f"it is {act.kind}, and only the first act opens a journal"
        try:
            state = kind.fold(state, act)
        except CmEngineError as error:
            return f"record {act.seq}", f"it is refused when it is taken again: {error}"
    again = kind.dump(state)
    return None if standing.state == again else ("standing", f"stored {standing.state}, folded again {again}")
