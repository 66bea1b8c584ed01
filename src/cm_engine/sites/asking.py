"""What a caller asks of a site, looked at before anything is written."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from cm_engine.acts.enrolling import zone_name
from cm_engine.errors import ReportError
from cm_engine.journal import OPENED, Asked, asked
from cm_engine.log.encoding import digits
from cm_engine.plain import is_number, one_line, plain_day
from cm_engine.sites.fold import CLOSED, CLOSED_DAYS, FUNDED, GATEWAY, OPENED_DAYS
from cm_engine.sites.state import Closure, Fund, unit_of

DAYS_MAX = 366
"""A closure lasts as many days at most."""
YEARS = (1900, 9000)


def asked_to_open(zone: str, *, source: str, key: str, by: str) -> Asked:
    """Return the act that opens a site."""
    return asked(OPENED, source=source, key=key, by=by, body={"zone": zone_name(zone)})


def asked_to_close_days(closures: Sequence[Closure], *, source: str, key: str, by: str) -> Asked:
    """Return the act that closes a site on days.

    Raises:
        ReportError: there are none, or they do not follow one another.
    """
    if not closures:
        msg = "there is no day to close on"
        raise ReportError(msg)
    days = [(*_span(each.first, each.last), one_line("why", each.why)) for each in sorted(closures)]
    return asked(CLOSED_DAYS, source=source, key=key, by=by, body={"days": days})


def asked_to_open_days(days: Closure, *, source: str, key: str, by: str) -> Asked:
    """Return the act that takes closed days back, and why."""
    first, last = _span(days.first, days.last)
    body = {"first": first, "last": last, "why": one_line("why", days.why)}
    return asked(OPENED_DAYS, source=source, key=key, by=by, body=body)


def _span(first: date, last: date) -> tuple[str, str]:
    days = plain_day("first", first), plain_day("last", last)
    if not (YEARS[0] <= first.year and last.year <= YEARS[1]):
        msg = f"first: expected days of the years {YEARS[0]} to {YEARS[1]}, got {first} to {last}"
        raise ReportError(msg)
    if not 0 <= (last - first).days < DAYS_MAX:
        msg = f"last: expected a day from {first} on, at most {DAYS_MAX} days in all, got {last}"
        raise ReportError(msg)
    return days


def asked_to_fund(fund: Fund, *, source: str, key: str, by: str) -> Asked:
    """Return the act that adds a funding source.

    Raises:
        ReportError: its budget or its share is none.
    """
    _refuse_budget(fund)
    exact = {"budget": fund.budget, "alert": fund.alert}
    body: dict[str, Any] = {"name": one_line("name", fund.name), "unit": one_line("unit", fund.unit)}
    body |= {name: digits(value) for name, value in exact.items() if value is not None}
    return asked(
        FUNDED, source=source, key=key, by=by, body=body | ({"hard_stop": True} if fund.hard_stop else {})
    )


def _refuse_budget(fund: Fund) -> None:
    budget, alert, unit = fund.budget, fund.alert, unit_of(fund.unit)
    if budget is None and (alert is not None or fund.hard_stop):
        msg = "budget: an alert or a hard stop needs one"
        raise ReportError(msg)
    if budget is not None and not (is_number(budget) and budget > 0 and unit.fits(budget)):
        msg = f"budget: expected a Decimal of more than 0, with at most {unit.decimals} decimals, got {budget!r}"
        raise ReportError(msg)
    if alert is not None and not (is_number(alert) and 0 < alert <= 1):
        msg = f"alert: expected a share of the budget, such as Decimal('0.8'), got {alert!r}"
        raise ReportError(msg)


def asked_to_add_gateway(name: str, *, source: str, key: str, by: str) -> Asked:
    """Return the act that adds a gateway."""
    return asked(GATEWAY, source=source, key=key, by=by, body={"name": one_line("name", name)})


def asked_to_close(why: str, *, source: str, key: str, by: str) -> Asked:
    """Return the act by which a site takes no new enrollments any more."""
    return asked(CLOSED, source=source, key=key, by=by, body={"why": one_line("why", why)})
