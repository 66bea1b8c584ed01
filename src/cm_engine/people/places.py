"""Where an act on a journal belongs: whoever works at some sites acts on what is theirs, and on what is of no site."""

from collections.abc import Iterable
from datetime import date

from cm_engine.acts.register import Register
from cm_engine.errors import JournalNotFoundError
from cm_engine.journal import Journal
from cm_engine.log.rows import RESERVED, RecordRow
from cm_engine.log.stand import Stand
from cm_engine.people.fold import STAFF_KIND, StaffState, load
from cm_engine.people.rules import Doing, refuse_elsewhere
from cm_engine.ports import Transaction

ANYWHERE = frozenset({"opt-out", "disclose"})
"""What is taken down wherever it is heard: a wish to be left alone, and that something was told."""


def refuse_out_of_place(  # noqa: PLR0913 - what is asked, of whom, and where it stands
    tx: Transaction,
    register: Register,
    *,
    staff: StaffState,
    record: RecordRow,
    state: str,
    doing: Doing,
    rule: str,
) -> None:
    """Refuse somebody who works at some sites what is of others: a site, a participant's contact, or one of the staff.

    Args:
        tx: where everything is stored, before the act.
        register: finds where enrollments stand.
        staff: who acts.
        record: the act, on a journal.
        state: where the journal stands after it, as text.
        doing: the same, in the words of a refusal.
        rule: what asks for it.

    Raises:
        NotAllowedError: it is of other sites only.
    """
    if not staff.sites or doing.act in ANYWHERE:
        return
    kind, _, name = record.enrollment.removeprefix(RESERVED).partition("/")
    if kind == "site":
        refuse_elsewhere(staff, {name}, doing, rule, "this is")
    elif kind == "contact":
        refuse_elsewhere(
            staff, _sites_of(tx, register, name, record.recorded_at[:10]), doing, rule, "the participant is"
        )
    elif kind == "staff":
        _refuse_colleague(tx, staff, load(state), doing, rule)


def _sites_of(tx: Transaction, register: Register, participant: str, day: str) -> set[str]:
    """Return where a participant is enrolled; empty if that is nowhere, or also at no site."""
    rows = [tx.standing(row.id) for row in tx.enrollments(participant=participant)]
    stands = [register.stand(tx, row)[1] for row in rows if row]
    sites = {_site_on(stand, day) for stand in _open(stands, day) or stands}
    return set() if "" in sites else sites


def _open(stands: Iterable[Stand], day: str) -> list[Stand]:
    """Return the episodes that are not over on a day, and have not left."""
    courses = ((each, each.calendar) for each in stands)
    return [
        stand
        for stand, calendar in courses
        if calendar.away is None and (calendar.last is None or calendar.last.isoformat() >= day)
    ]


def _site_on(stand: Stand, day: str) -> str:
    stay = stand.calendar.stay(date.fromisoformat(day))
    return stay.site if stay else ""


def _refuse_colleague(tx: Transaction, staff: StaffState, after: StaffState, doing: Doing, rule: str) -> None:
    """Refuse to say where somebody works who does, or will, work elsewhere too: nobody widens their own reach."""
    try:
        before = Journal(STAFF_KIND, after.id, tx).state().sites
    except JournalNotFoundError:
        before = after.sites
    for sites in (before, after.sites):
        if not sites or set(sites) - set(staff.sites):
            where = ", ".join(sites) or "all sites"
            why = f"they work at {', '.join(staff.sites)}, and {after.id} at {where}; ask somebody who works at all sites"
            raise doing.refused(rule, why)
