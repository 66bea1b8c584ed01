"""Rows to write in tests: whole and plausible, each different from all others, made by no rules.

Every factory takes what its row is told apart by, and any field by name that is to be different.
"""

from typing import Any

from cm_engine.log.rows import (
    WAITING,
    Batch,
    DecisionRow,
    EnrollmentRow,
    EntryRow,
    PayoutRow,
    PoolRow,
    ProgramRow,
    RecordRow,
    StandingRow,
    WorkRow,
)

PoolKey = tuple[str, str, str, str, str]


def head(enrollment: str, seq: int) -> str:
    """Return the head that `standing` gives an enrollment after an act.

    Example:
        >>> head("e-1", 2)
        'head of e-1 after 2'
    """
    return f"head of {enrollment} after {seq}"


def program(name: str = "plan", version: str = "1", **changed: str) -> ProgramRow:
    """Return a program.

    Example:
        >>> program("plan", "2").digest
        'digest of plan@2'
    """
    row = ProgramRow(f"digest of {name}@{version}", name, version, f'{{"program":"{name}"}}')
    return row._replace(**changed)


def enrollment(id: str = "e-1", **changed: str) -> EnrollmentRow:  # noqa: A002 - what it is
    """Return an enrollment of the participant of the same number."""
    participant = f"p-{id.rpartition('-')[2]}"
    row = EnrollmentRow(id, participant, program().digest, "2026-01-05", "America/Los_Angeles", "", "")
    return row._replace(**changed)


def record(enrollment: str = "e-1", seq: int = 1, **changed: Any) -> RecordRow:  # noqa: ANN401 - fields differ
    """Return an act, under a key that only this place has."""
    kind = "observed" if seq else "enrolled"
    at = f"2026-01-05T17:00:00.{seq:06}+00:00"
    body = f'{{"result":"-","note":{seq}}}'
    row = RecordRow(
        enrollment, seq, kind, "desk", f"{enrollment}/{seq}", "nurse-7", at, body, "", f"hash {seq}"
    )
    return row._replace(**changed)


def decision(enrollment: str = "e-1", number: int = 1, **changed: Any) -> DecisionRow:  # noqa: ANN401 - as above
    """Return a decision on the act of the same number."""
    place = (number, number, "stimulants", number, 1, "2026-01-05")
    said = ("-", '[["USD",1000]]', '[{"code":"earned"}]', "Negative test: $10.00.", "")
    return DecisionRow(enrollment, number, *place, *said, 1, f"hash of decision {number}")._replace(**changed)


def entry(enrollment: str = "e-1", number: int = 1, leg: int = 1, **changed: Any) -> EntryRow:  # noqa: ANN401 - as above
    """Return a posting of a decision."""
    return EntryRow(enrollment, number, leg, "USD", 1000 + leg, "fund", "in flight")._replace(**changed)


def payout(enrollment: str = "e-1", number: int = 1, leg: int = 1, **changed: Any) -> PayoutRow:  # noqa: ANN401 - as above
    """Return the payout of a posting."""
    return PayoutRow(enrollment, number, leg, "2026-01-05")._replace(**changed)


def work(enrollment: str = "e-1", name: str = "1/1", **changed: Any) -> WorkRow:  # noqa: ANN401 - as above
    """Return a payout that waits to be sent, and has been due for a day.

    Example:
        >>> work("e-1").state
        'waiting'
    """
    row = WorkRow(enrollment, "payout", name, WAITING, "2026-01-05T08:00:00.000000+00:00", 0, "", "{}", "")
    return row._replace(**changed)


def standing(enrollment: str = "e-1", seq: int = 0, **changed: Any) -> StandingRow:  # noqa: ANN401 - as above
    """Return where an enrollment stands after an act, with one decision for each act but the first."""
    at = f"2026-01-05T17:00:00.{seq:06}+00:00"
    row = StandingRow(enrollment, seq, seq, head(enrollment, seq), at, f'{{"run":{seq}}}')
    return row._replace(**changed)


def pool(windows: str = "[[1,1000]]", **changed: str) -> PoolRow:
    """Return what a payer's pool has received for a participant."""
    return PoolRow("p-1", "payer", "medicaid", "USD", "calendar-year", windows)._replace(**changed)


def pool_key(row: PoolRow) -> PoolKey:
    """Return what a pool is told apart by.

    Example:
        >>> pool_key(pool())
        ('p-1', 'payer', 'medicaid', 'USD', 'calendar-year')
    """
    return (row.holder, row.scope, row.name, row.unit, row.per)


def enrolling(*ids: str) -> Batch:
    """Return the batch that enrolls, with the first act of each enrollment.

    Example:
        >>> enrolling("e-1", "e-2").heads
        ('', '')
    """
    of = ids or ("e-1",)
    return Batch(
        enrollments=tuple(map(enrollment, of)),
        records=tuple(record(each, 0) for each in of),
        standings=tuple(standing(each, 0) for each in of),
        heads=("",) * len(of),
    )


def opening(*names: str) -> Batch:
    """Return the batch that opens journals, with the first act of each.

    Example:
        >>> opening("@trial/a").enrollments
        ()
    """
    return enrolling(*names)._replace(enrollments=())


def deciding(*ids: str, seq: int = 1, **changed: Any) -> Batch:  # noqa: ANN401 - any part of it
    """Return the batch of one more act for each enrollment: decided, posted twice, paid once and waiting to be sent.

    Args:
        ids: of the enrollments; e-1 if left out.
        seq: the place of the act; the batch is made from the act before it.
        changed: parts of the batch that are to be others.

    Example:
        >>> deciding("e-1", seq=3).heads
        ('head of e-1 after 2',)
    """
    of = ids or ("e-1",)
    batch = Batch(
        records=tuple(record(each, seq) for each in of),
        decisions=tuple(decision(each, seq) for each in of),
        entries=tuple(entry(each, seq, leg) for each in of for leg in (1, 2)),
        payouts=tuple(payout(each, seq) for each in of),
        work=tuple(work(each, f"{seq}/1") for each in of),
        standings=tuple(standing(each, seq) for each in of),
        heads=tuple(head(each, seq - 1) for each in of),
    )
    return batch._replace(**changed)
