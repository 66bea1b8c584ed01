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
    unit = next((unit for unit, amount in paid if amount), None)
    if unit is None:
        return None
    expires = on + timedelta(days=payout.expires_after) if on and payout.expires_after else None
    minimum = unit.minor(payout.minimum) if payout.minimum and unit.is_money else 0
    day = on if payout.when == "at once" else pay_day(payout, on) if on else None
    return PaidOut(unit, day, minimum, expires)


def pay_day(payout: Payout, on: date) -> date | None:
    """Return the first set day from a day on, itself included; None where awards are paid on request.

    Example:
        >>> from datetime import date
        >>> pay_day(Payout(when="set days", days=("friday",)), date(2026, 1, 5))
        datetime.date(2026, 1, 9)
    """
    if not payout.days:
        return None
    waits = min((WEEKDAYS.index(day) - on.weekday()) % 7 for day in payout.days)
    return on + timedelta(days=waits)


def payable(payout: Payout, unit: Unit, balance: int) -> int:
    """Return how much of a balance may be handed over on request, in minor units: all of it, or nothing yet."""
    minimum = unit.minor(payout.minimum) if payout.minimum and unit.is_money else 0
    return balance if balance >= minimum else 0
