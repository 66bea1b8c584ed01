"""When an award is handed over: at once, on request from a voucher bank, or on set days."""

from collections.abc import Sequence
from datetime import date, timedelta

from cm_engine.program.parts import WEEKDAYS
from cm_engine.program.rewards import Payout
from cm_engine.program.units import Unit
from cm_engine.rules.reasons import PaidOut


def paid_out(payout: Payout, paid: Sequence[tuple[Unit, int]], on: date | None) -> PaidOut | None:
    """Return how the awards of a day are handed over; None if there are none, or if that is at once and for good.

    Without a date, set days cannot be told and are left open.
    """
    awarded = [unit for unit, amount in paid if amount]
    if not awarded:
        return None
    unit = next((unit for unit in awarded if unit.is_money), awarded[0])
    day, expires = (pay_day(payout, on), last_day(payout, on)) if on else (None, None)
    return PaidOut(unit, payout.when, day, minimum(payout, unit), expires)


def pay_day(payout: Payout, on: date) -> date | None:
    """Return the first set day from a day on, itself included; at once it is the day, and on request none.

    Example:
        >>> from datetime import date
        >>> pay_day(Payout(when="set days", days=("friday",)), date(2026, 1, 5))
        datetime.date(2026, 1, 9)
    """
    if payout.when == "on request":
        return None
    waits = min(((WEEKDAYS.index(day) - on.weekday()) % 7 for day in payout.days), default=0)
    return on + timedelta(days=waits)


def last_day(payout: Payout, on: date) -> date | None:
    """Return the last day on which an award of a day can be collected; None if that never ends.

    Example:
        >>> from datetime import date
        >>> last_day(Payout(when="set days", days=("friday",), expires_after=60), date(2026, 1, 5))
        datetime.date(2026, 3, 10)
    """
    kept = payout.expires_after
    return (pay_day(payout, on) or on) + timedelta(days=kept) if kept else None


def minimum(payout: Payout, unit: Unit) -> int:
    """Return the least that is handed over on request, in minor units."""
    return unit.minor(payout.minimum) if payout.minimum and unit.is_money else 0
