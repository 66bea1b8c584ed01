"""What the acts of a site come to: a pure fold."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from cm_engine.errors import ReportError
from cm_engine.journal import Act
from cm_engine.log.history import day_of
from cm_engine.log.rows import RESERVED
from cm_engine.sites.state import Closure, Fund, Gateway, SiteState, exact

NAME = "site"
CLOSED_DAYS, OPENED_DAYS, FUNDED, GATEWAY, CLOSED = (
    "days closed",
    "days opened",
    "funded",
    "gateway",
    "closed",
)
ONE_DAY = timedelta(days=1)
RECORDED_AT = "recorded_at"
"""The key under which a change finds when we learned of its act."""


def fold(state: SiteState | None, act: Act) -> SiteState:
    """Return where a site stands after an act.

    Raises:
        ReportError: the act is none that a site takes where it stands.
    """
    if state is None:
        return SiteState(act.journal.removeprefix(f"{RESERVED}{NAME}/"), act.body["zone"])
    change = CHANGES.get(act.kind)
    if change is None:
        msg = f"a site takes no act of the kind {act.kind!r}"
        raise ReportError(msg)
    return change(state, {**act.body, RECORDED_AT: act.recorded_at})._replace(seq=act.seq)


def _closed_days(state: SiteState, body: Mapping[str, Any]) -> SiteState:
    known = {(each.first, each.last) for each in state.closures}
    new = (Closure(date.fromisoformat(one), date.fromisoformat(last), why) for one, last, why in body["days"])
    added = (each for each in new if (each.first, each.last) not in known)
    return state._replace(closures=tuple(sorted((*state.closures, *added))))


def _opened_days(state: SiteState, body: Mapping[str, Any]) -> SiteState:
    first, last = date.fromisoformat(body["first"]), date.fromisoformat(body["last"])
    left = tuple(part for each in state.closures for part in _without(each, first, last))
    if left == state.closures:
        msg = f"first: {state.site!r} is open on all days from {first} to {last} already"
        raise ReportError(msg)
    return state._replace(closures=left)


def _without(closure: Closure, first: date, last: date) -> Iterator[Closure]:
    """Yield what is left of a closure without some days."""
    if closure.last < first or closure.first > last:
        yield closure
        return
    if closure.first < first:
        yield closure._replace(last=first - ONE_DAY)
    if closure.last > last:
        yield closure._replace(first=last + ONE_DAY)


def _funded(state: SiteState, body: Mapping[str, Any]) -> SiteState:
    name, budget, alert = body["name"], body.get("budget"), body.get("alert")
    if any(each.name == name for each in state.funds):
        msg = f"name: {state.site!r} has a fund {name!r} already"
        raise ReportError(msg)
    fund = Fund(name, body["unit"], exact(budget), exact(alert), body.get("hard_stop", False))
    return state._replace(funds=(*state.funds, fund))


def _gateway(state: SiteState, body: Mapping[str, Any]) -> SiteState:
    if any(each.name == body["name"] for each in state.gateways):
        msg = f"name: {state.site!r} has a gateway {body['name']!r} already"
        raise ReportError(msg)
    new = Gateway(body["name"], day_of(body[RECORDED_AT], state.zone))
    return state._replace(gateways=(*state.gateways, new))


def _closed(state: SiteState, _: Mapping[str, Any]) -> SiteState:
    if state.is_closed:
        msg = f"site: {state.site!r} takes no new enrollments already"
        raise ReportError(msg)
    return state._replace(is_closed=True)


CHANGES: Mapping[str, Callable[[SiteState, Mapping[str, Any]], SiteState]] = {
    CLOSED_DAYS: _closed_days,
    OPENED_DAYS: _opened_days,
    FUNDED: _funded,
    GATEWAY: _gateway,
    CLOSED: _closed,
}
"""What each kind of act makes of a site."""
