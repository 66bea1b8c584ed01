"""An enrollment arrives from another database: all its rows as they are, in one transaction, and it goes on."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from cm_engine.acts.enrolling import refuse_other_content
from cm_engine.acts.recording import pool_key
from cm_engine.acts.register import Register
from cm_engine.bundles.bundle import Bundle
from cm_engine.bundles.layout import Rows
from cm_engine.bundles.leaving import known_elsewhere
from cm_engine.errors import BundleError, KeyConflictError, ReportError
from cm_engine.log.chain import hash_of
from cm_engine.log.correction import Log
from cm_engine.log.deciding import Others, summed
from cm_engine.log.encoding import dumped, windows_from
from cm_engine.log.fold import Turn
from cm_engine.log.history import day_in, zones_of
from cm_engine.log.moves import IMPORTED, Received, elsewhere, most, seals
from cm_engine.log.rows import RESERVED, Batch, EnrollmentRow, PoolRow, RecordRow
from cm_engine.log.stand import Enrolled, Stand, stand_text
from cm_engine.log.taking import taken
from cm_engine.messages.contact import CONTACT
from cm_engine.plain import named, unreserved
from cm_engine.ports import Transaction
from cm_engine.rules.shared import Pool, shared_pools

SAME_PERSON = (
    "if it is the same person, say so: same_participant=True; if not, the two clinics need other ids"
)


class Arriving(NamedTuple):
    """An import that somebody asks for; `asked_to_arrive` makes one of what a caller gives.

    Attributes:
        bundle: looked at from end to end.
        enrolled, stand: what its log comes to.
        seed: of its draws, wrapped by this host; empty without draws.
        same_participant: whoever is known here under the participant's id is the participant.
        source, key, by: of the import.
    """

    bundle: Bundle
    enrolled: Enrolled
    stand: Stand
    seed: str
    same_participant: bool
    source: str
    key: str
    by: str


def asked_to_arrive(asked: Arriving, id: str, zone: str) -> Arriving:  # noqa: A002 - what it is
    """Return an import that somebody asks for, looked at.

    Args:
        asked: what is asked for.
        id: that the enrollment is expected to have; empty for any.
        zone: the same of its time zone.

    Raises:
        BundleError: it is a copy of an enrollment that did not leave.
        ReportError: a text is missing or has several lines, or the id or the zone is another one.
    """
    unreserved("source", asked.source), named("key", asked.key), named("by", asked.by)
    row = asked.enrolled.row
    if id and id != row.id:
        msg = f"id: expected {row.id!r}, which stands in every hash and cannot become another one, got {id!r}"
        raise ReportError(msg)
    _, known = zones_of(row.zone, asked.stand.calendar)[-1]
    if zone and zone != known:
        msg = f"zone: the days of its results are those of {known}, got {zone!r}; import it without a zone, then transfer it to a site of yours"
        raise ReportError(msg)
    if not asked.bundle.leaves:
        what = (
            "it is a copy: the enrollment goes on where it was exported; export it with leave=True to move it"
        )
        raise BundleError("exported.leaves", what)
    return asked


def arrive(tx: Transaction, register: Register, now: str, asked: Arriving) -> EnrollmentRow:
    """Write the rows of a bundle and the act that imports it; the same bundle again writes nothing.

    Args:
        tx: where they go; begun with `lock`.
        register: finds programs and standings.
        now: the time.
        asked: what is asked for.

    Raises:
        BundleError: its id, one of its keys or its participant stands for something else here.
        KeyConflictError: the key of the import was used for something else.
        ReportError: another program is registered under the id and version of one of its own.
    """
    rows = asked.bundle.rows
    here = _here(tx, rows)
    if asked.bundle.seal in seals(here.records):
        return rows.enrollment
    _refuse_collisions(tx, here, asked)
    for program in rows.programs:
        refuse_other_content(tx.programs(program=program.program), program)
        tx.add_program(program)
    pools = tuple(_pools(tx, register, here, asked))
    tx.append(_batch(here, asked, now)._replace(pools=pools))
    return rows.enrollment


def _here(tx: Transaction, rows: Rows) -> Rows:
    """Return what is here of the enrollment: nothing, or for one that comes back, its log up to when it left."""
    id, none = rows.enrollment.id, rows.standing._replace(head="")  # noqa: A001 - what it is
    found = tx.look_up([id], []).standings.get(id)
    return Rows(
        rows.programs,
        rows.enrollment,
        tuple(tx.records(id)),
        tuple(tx.decisions(id)),
        tuple(tx.entries(id)),
        tuple(tx.payouts(id)),
        found or none,
    )


def _refuse_collisions(tx: Transaction, here: Rows, asked: Arriving) -> None:
    """Refuse a bundle whose ids stand for something else here."""
    rows, row = asked.bundle.rows, asked.bundle.rows.enrollment
    if here.records != rows.records[: len(here.records)]:
        what = f"there is an enrollment {row.id!r} here already, and its log is not the beginning of this one"
        raise BundleError("enrollment.id", what)
    _refuse_keys(tx, rows.records[len(here.records) :], asked)
    known = [each.id for each in tx.enrollments(participant=row.participant) if each.id != row.id]
    if known and not here.records and not asked.same_participant:
        what = f"{row.participant!r} is known here, by the enrollment {known[0]!r}; {SAME_PERSON}"
        raise BundleError("enrollment.participant", what)
    if not here.records and not asked.same_participant and tx.standing(CONTACT.journal(row.participant)):
        raise BundleError("enrollment.participant", f"{row.participant!r} has a contact here; {SAME_PERSON}")
    journal = rows.records[0].source
    if not here.records and journal.startswith(RESERVED) and tx.standing(journal):
        what = (
            f"it was enrolled by {journal}, and there is a journal of that name here, which did not enroll it"
        )
        raise BundleError("record 0", what)


def _refuse_keys(tx: Transaction, records: Sequence[RecordRow], asked: Arriving) -> None:
    """Refuse acts whose source and key stand for others here."""
    mine = (asked.source, asked.key)
    found = tx.look_up([], [mine]).records.get(mine)
    if found is not None or mine in {(row.source, row.key) for row in records}:
        told = f"{found.kind} of {found.enrollment}" if found else "an act in the bundle"
        raise KeyConflictError(*mine, told, f"{IMPORTED} {asked.bundle.seal}")
    twice = set[tuple[str, str]]()
    for row in records:
        key = (row.source, row.key)
        if key in twice or key in tx.look_up([], [key]).records:
            what = f"its key {row.key!r} of {row.source!r} stands for another act here"
            raise BundleError(f"record {row.seq}", what)
        twice.add(key)


def _batch(here: Rows, asked: Arriving, now: str) -> Batch:
    """Return the rows that are not here yet, and the act that imports."""
    rows, new = asked.bundle.rows, not here.records
    record = _imported(asked, now)
    turn = Turn(asked.enrolled, asked.stand, rows.standing.number, {})
    stand = taken(turn, record, {}, partial(Log, (), (), ())).stand
    standing = rows.standing._replace(
        seq=record.seq, head=record.hash, recorded_at=record.recorded_at, state=stand_text(stand)
    )
    return Batch(
        enrollments=(rows.enrollment,) if new else (),
        records=(*rows.records[len(here.records) :], record),
        decisions=rows.decisions[len(here.decisions) :],
        entries=rows.entries[len(here.entries) :],
        payouts=rows.payouts[len(here.payouts) :],
        standings=(standing,),
        heads=(here.standing.head,),
    )


def _imported(asked: Arriving, now: str) -> RecordRow:
    """Return the act that imports, after the one that exported."""
    last, zones = asked.bundle.rows.standing, zones_of(asked.enrolled.row.zone, asked.stand.calendar)
    at = max(now, last.recorded_at)
    body = {"on": day_in(at, zones), "seal": asked.bundle.seal, "head": last.head}
    if asked.seed:
        body["seed"] = asked.seed
    fields = (
        last.enrollment,
        last.seq + 1,
        IMPORTED,
        asked.source,
        asked.key,
        asked.by,
        at,
        dumped(body),
        "",
    )
    return RecordRow(*fields, hash_of(fields, last.head))


def _pools(tx: Transaction, register: Register, here: Rows, asked: Arriving) -> Iterator[tuple[str, PoolRow]]:
    """Yield what shared pools have received with what this enrollment has, each with what they were read as."""
    more = _more(tx, register, here, asked)
    keys = {pool: pool_key(asked.enrolled, pool) for pool in {*shared_pools(asked.enrolled.rules), *more}}
    read = {row[:5]: row.windows for row in tx.pools(sorted(keys.values()))} if keys else {}
    for pool, key in sorted(keys.items(), key=lambda each: each[1]):
        before = read.get(key, "")
        after = summed({pool: windows_from(before)}, {pool: more.get(pool, ())})[pool]
        yield before, PoolRow(*key, dumped(after))


def _more(tx: Transaction, register: Register, here: Rows, asked: Arriving) -> Others:
    """Return what pools have received more than is counted here.

    That is what the enrollment has received since it was last counted, by being here or by what another said that
    moved before; and what enrollments of the participant that are not here have received, as far as it is news.
    """
    row, known = asked.enrolled.row, known_elsewhere(tx, asked.enrolled.row.participant)
    counted = register.stand(tx, here.standing)[1].own if here.records else known.get(row.id, {})
    more = summed(asked.stand.own, counted, sign=-1)
    for enrollment, received in elsewhere(asked.bundle.rows.records).items():
        if enrollment != row.id and tx.enrollment(enrollment) is None:
            more = summed(more, _news(known.get(enrollment, {}), received))
    return more


def _news(known: Received, told: Received) -> dict[Pool, Any]:
    return summed(most(known, told), known, sign=-1)
