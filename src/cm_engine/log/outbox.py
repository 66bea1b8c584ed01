"""What a decision puts into the outbox: a piece of work for each payout of an enrollment that is at a site. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from cm_engine.log.encoding import instant
from cm_engine.log.moves import IMPORTED
from cm_engine.log.rows import WAITING, PayoutRow, RecordRow, WorkRow
from cm_engine.log.sited import PLACED, TRANSFERRED
from cm_engine.rules.windows import Calendar, Stay

PAYOUT = "payout"
"""The kind of work that hands a payout over."""
BY_HAND, TO_APPROVE, STUCK = "by hand", "to be approved", "stuck"
"""What becomes of it, beside waiting and over: a person hands it over, releases it, or looks what is wrong."""


def outbox(calendar: Calendar, payouts: Iterable[PayoutRow]) -> tuple[WorkRow, ...]:
    """Return the work that hands payouts over; none for an enrollment at no site, which has nobody to do it.

    A payout is due from the beginning of its day at the site.
    """
    if not calendar.stays:
        return ()
    return tuple(
        WorkRow(
            row.enrollment,
            PAYOUT,
            work_name(row.number, row.leg),
            WAITING,
            _begins(row.day, stay_on(calendar, row.day).zone),
            0,
            "",
            "{}",
            "",
        )
        for row in payouts
    )


def worked_on_from(records: Sequence[RecordRow]) -> int:
    """Return the place of the first act whose payouts there is work on: by then the enrollment is at a site, and here.

    What came with an import was another database's to hand over.
    """
    sited = [row.seq for row in records if row.kind in {PLACED, TRANSFERRED}]
    arrived = [row.seq for row in records if row.kind == IMPORTED]
    return max(sited[:1] + arrived[-1:]) if sited else len(records)


def stay_on(calendar: Calendar, day: str) -> Stay:
    """Return where an enrollment is on a day; before it was anywhere, where it came to first."""
    there = [stay for stay in calendar.stays if stay.first.isoformat() <= day]
    return there[-1] if there else calendar.stays[0]


def work_name(number: int, leg: int) -> str:
    """Return what the work on a payout is called; the names of an enrollment's sort as its payouts do.

    Example:
        >>> work_name(12, 1)
        '00012/1'
    """
    return f"{number:05}/{leg}"


def payout_of(name: str) -> tuple[int, int]:
    """Return the number and the leg of the payout that a name is of."""
    number, leg = name.split("/")
    return int(number), int(leg)


def _begins(day: str, zone: str) -> str:
    begins = datetime.combine(datetime.fromisoformat(day), time(), ZoneInfo(zone))
    return instant(begins.astimezone(UTC))
