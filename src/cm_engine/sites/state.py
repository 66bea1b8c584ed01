"""Where a site stands, and the same as text."""

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from cm_engine.ledger.funding import Source
from cm_engine.log.encoding import dumped
from cm_engine.log.sited import merged
from cm_engine.program.units import CURRENCY_DECIMALS, Unit


class Closure(NamedTuple):
    """Days on which a site is closed, from the first to the last, and why."""

    first: date
    last: date
    why: str


class Fund(NamedTuple):
    """A funding source of a site.

    Attributes:
        name: its name, once per site.
        unit: what it pays in.
        budget: exact; None pays all that is left to pay.
        alert: the share of the budget at which somebody is to be told; None for never.
        hard_stop: once it is exhausted, nobody is enrolled at the site any more.
    """

    name: str
    unit: str
    budget: Decimal | None = None
    alert: Decimal | None = None
    hard_stop: bool = False

    @property
    def source(self) -> Source:
        """Return it with its budget in minor units."""
        budget = None if self.budget is None else unit_of(self.unit).minor(self.budget)
        return Source(self.name, self.unit, budget, self.alert, self.hard_stop)


class Gateway(NamedTuple):
    """A way by which a site hands rewards over.

    Attributes:
        name: by which a dispatcher knows it.
        since: the first day, at the site, of payouts that go out by it; older ones are a person's to hand over.
    """

    name: str
    since: str


class SiteState(NamedTuple):
    """Where a site stands.

    Attributes:
        site: its id.
        zone: its time zone.
        seq: its last act.
        closures: in the order of their days.
        funds: in the order in which they pay.
        gateways: by which rewards are handed over, in order.
        is_closed: nobody is enrolled any more.
    """

    site: str
    zone: str
    seq: int = 0
    closures: tuple[Closure, ...] = ()
    funds: tuple[Fund, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    is_closed: bool = False


def unit_of(name: str) -> Unit:
    """Return the unit of a name; what is no currency is counted in whole things."""
    return Unit(name, CURRENCY_DECIMALS.get(name, 0))


def closed_from(state: SiteState, first: str) -> list[list[str]]:
    """Return the days on which a site is closed from a day on, as an act on an enrollment says them."""
    days = merged((each.first, each.last) for each in state.closures)
    return [[one.isoformat(), last.isoformat()] for one, last in days if last.isoformat() >= first]


def dump(state: SiteState) -> str:
    """Return where a site stands, as text."""
    return dumped(state._asdict())


def load(text: str) -> SiteState:
    """Return what `dump` wrote.

    Raises:
        ValueError, TypeError, KeyError: another release wrote it.
    """
    form: dict[str, Any] = json.loads(text)
    days = (
        Closure(date.fromisoformat(one), date.fromisoformat(last), why) for one, last, why in form["closures"]
    )
    return SiteState(
        **{
            **form,
            "closures": tuple(days),
            "funds": tuple(map(_fund, form["funds"])),
            "gateways": tuple(Gateway(name, since) for name, since in form["gateways"]),
        }
    )


def _fund(fields: Sequence[Any]) -> Fund:
    name, unit, budget, alert, hard_stop = fields
    return Fund(name, unit, exact(budget), exact(alert), hard_stop)


def exact(digits: str | None) -> Decimal | None:
    """Return a number from its digits, None from none."""
    return None if digits is None else Decimal(digits)
