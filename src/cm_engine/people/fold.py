"""What the acts on one of the staff come to: a pure fold."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from cm_engine.errors import ReportError
from cm_engine.journal import Act, Kind
from cm_engine.log.encoding import dumped

CHANGED, LEFT = "changed", "left"
FIELDS = ("roles", "sites", "trained_on", "active_from", "active_until")
"""What is said of somebody, and may change."""


class StaffState(NamedTuple):
    """One of the staff.

    Attributes:
        id: opaque.
        roles: what they are.
        sites: where they work; empty for all.
        trained_on: the day of their last training; empty without any.
        active_from, active_until: the first and the last day of their work; empty where it is open.
        has_left: they left, from that moment on.
    """

    id: str
    roles: tuple[str, ...]
    sites: tuple[str, ...] = ()
    trained_on: str = ""
    active_from: str = ""
    active_until: str = ""
    has_left: bool = False

    def absence(self, day: str) -> str:
        """Say why they may do nothing on a day; empty if they are at work."""
        if self.has_left:
            return "they left; change_staff(active_from=...) takes them up again"
        if self.active_from and day < self.active_from:
            return f"they work from {self.active_from} on, and it is {day}"
        if self.active_until and day > self.active_until:
            return f"they worked until {self.active_until}, and it is {day}; change_staff(active_until=...) if not"
        return ""

    def untrained(self, day: str, within: int) -> str:
        """Say why their training does not hold on a day; empty if it does."""
        todo = "train them, then say so with change_staff(trained_on=...)"
        if not self.trained_on:
            return f"they were never trained; {todo}"
        trained, now = date.fromisoformat(self.trained_on), date.fromisoformat(day)
        if now < trained:
            return f"they are trained from {trained} on, and it is {day}"
        last = trained + timedelta(days=within)
        return "" if now <= last else f"trained on {trained}, they were until {last}, and it is {day}; {todo}"


def fold(state: StaffState | None, act: Act) -> StaffState:
    """Return somebody after an act.

    Raises:
        ReportError: the act does not fit.
    """
    if state is None:
        return _checked(StaffState(act.body["staff"], ())._replace(**_said(act.body)))
    if act.kind == CHANGED:
        return _changed(state, act.body)
    if act.kind == LEFT:
        if state.has_left:
            raise ReportError(f"staff: {state.id} has left already")
        return state._replace(has_left=True)
    raise ReportError(f"staff: {state.id} takes no act of the kind {act.kind!r}")


def _changed(state: StaffState, body: Mapping[str, Any]) -> StaffState:
    comes_back = "active_from" in body
    if state.has_left and not comes_back:
        raise ReportError(f"staff: {state.id} has left; to take them up again, say from when: active_from")
    before = state._replace(active_until="", has_left=False) if state.has_left else state
    return _checked(before._replace(**_said(body)))


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an act says of somebody, lists as they are kept."""
    said = {name: body[name] for name in FIELDS if name in body}
    return {name: tuple(each) if isinstance(each, list) else each for name, each in said.items()}


def _checked(state: StaffState) -> StaffState:
    if state.active_from and state.active_until and state.active_until < state.active_from:
        raise ReportError(f"active_until: expected {state.active_from} or later, got {state.active_until}")
    return state


def dump(state: StaffState) -> str:
    """Return one of the staff, as text."""
    return dumped(state._asdict())


@lru_cache(maxsize=1000)
def load(text: str) -> StaffState:
    """Return what `dump` wrote; a state that was read before is at hand."""
    form: dict[str, Any] = json.loads(text)
    return StaffState(**{**form, "roles": tuple(form["roles"]), "sites": tuple(form["sites"])})


STAFF_KIND = Kind[StaffState]("staff", fold, dump, load)
"""Staff as journals; their first act adds them."""
