"""Which right each kind of act needs."""

import json
from collections.abc import Mapping

from cm_engine.journal import OPENED
from cm_engine.log.entering import CONFIRMS, ENTERED, ENTRY_WITHDRAWN
from cm_engine.log.episode import DISCHARGED, FROZEN, MOVED, PAUSED, READMITTED, RELEASED, RESUMED
from cm_engine.log.history import AMENDED, ASSERTED, ENROLLED, MIGRATED, OBSERVED, SWEPT, VOIDED
from cm_engine.log.moves import EXPORTED, IMPORTED
from cm_engine.log.purse import (
    DECLINED,
    EXPIRED,
    HANDED_OVER,
    PAID_OUT,
    PAYOUT_RELEASED,
    PAYOUT_RETRIED,
    REDEEMED,
    REFUNDED,
)
from cm_engine.log.rows import RESERVED, RecordRow
from cm_engine.log.sited import PLACED, REPLANNED, TRANSFERRED
from cm_engine.messages.contact import DISCLOSED, ERASED, OPTED_OUT
from cm_engine.people.rights import STAFF
from cm_engine.stock.fold import ALLOTTED as STOCK_ALLOTTED
from cm_engine.stock.fold import EXPIRED as STOCK_EXPIRED
from cm_engine.trials.fold import ALLOCATED

ON_ENROLLMENT: Mapping[str, str] = {
    ENROLLED: "enroll",
    OBSERVED: "record",
    ENTERED: "enter",
    ENTRY_WITHDRAWN: "withdraw",
    AMENDED: "amend",
    VOIDED: "void",
    ASSERTED: "assert",
    SWEPT: "sweep",
    PAUSED: "pause",
    RESUMED: "pause",
    MOVED: "reschedule",
    DISCHARGED: "discharge",
    READMITTED: "discharge",
    FROZEN: "freeze",
    RELEASED: "freeze",
    MIGRATED: "migrate",
    EXPORTED: "transfer",
    IMPORTED: "transfer",
    REDEEMED: "redeem",
    HANDED_OVER: "release",
    DECLINED: "release",
    REFUNDED: "release",
    PAYOUT_RELEASED: "release",
    PAYOUT_RETRIED: "release",
    PAID_OUT: "pay",
    EXPIRED: "pay",
    PLACED: "enroll",
    TRANSFERRED: "transfer",
    REPLANNED: "follow",
}
"""The right that an act on an enrollment needs, by its kind; one that is not here needs a right of its own name."""

ON_JOURNAL: Mapping[str, str] = {
    "trial": "trial",
    "site": "site",
    "stock": "stock",
    "staff": STAFF,
    "contact": "contact",
    "intake": "record",
}
"""The right that acts on journals need, by the kind of the journal; one that is not here needs its name."""

OF_KIND: Mapping[tuple[str, str], str] = {
    ("trial", ALLOCATED): "allocate",
    ("stock", STOCK_ALLOTTED): "pay",
    ("stock", STOCK_EXPIRED): "pay",
    ("contact", OPENED): "opt-out",
    ("contact", OPTED_OUT): "opt-out",
    ("contact", DISCLOSED): "disclose",
    ("contact", ERASED): "erase",
}
"""The right that an act on a journal needs which is not that of all the others."""


def right_of(record: RecordRow) -> str:
    """Return the right that an act needs.

    Whom a trial enrolls is allocated: whoever may do that need not be one who may enroll by choice.
    """
    name = record.enrollment
    if name.startswith(RESERVED):
        kind = name.removeprefix(RESERVED).partition("/")[0]
        return OF_KIND.get((kind, record.kind)) or ON_JOURNAL.get(kind, kind)
    if record.kind == OBSERVED:
        return _right_to_report(json.loads(record.body))
    if record.kind == ENROLLED and record.source.startswith(f"{RESERVED}trial/"):
        return OF_KIND["trial", ALLOCATED]
    return ON_ENROLLMENT.get(record.kind, record.kind)


def _right_to_report(body: Mapping[str, object]) -> str:
    if CONFIRMS in body:
        return "enter"
    return "excuse" if body.get("result") == "e" else "record"


def opens_staff(record: RecordRow) -> bool:
    """Tell whether an act adds somebody to the staff."""
    return record.enrollment.startswith(f"{RESERVED}staff/") and record.kind == OPENED
