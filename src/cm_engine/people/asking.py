"""What a caller says of the staff, looked at before anything is written."""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from cm_engine.errors import ReportError
from cm_engine.journal import OPENED, Asked, asked
from cm_engine.people.fold import CHANGED, LEFT
from cm_engine.people.rights import SELF, Rights, known_roles
from cm_engine.plain import one_line, opaque, plain_day


class Said(NamedTuple):
    """What is said of one of the staff; what is None is not said."""

    roles: Iterable[str] | None = None
    sites: Iterable[str] | None = None
    trained_on: date | None = None
    active_from: date | None = None
    active_until: date | None = None

    def form(self, rights: Rights) -> dict[str, Any]:
        """Return it as data.

        Raises:
            ReportError: a role is unknown, a site is no line of text, or a day is no date.
        """
        found: dict[str, Any] = {} if self.roles is None else {"roles": known_roles(rights, self.roles)}
        if self.sites is not None:
            found["sites"] = _sites(self.sites)
        for name in ("trained_on", "active_from", "active_until"):
            if (day := getattr(self, name)) is not None:
                found[name] = plain_day(name, day)
        return found


def _sites(sites: Iterable[str]) -> list[str]:
    if isinstance(sites, str):
        msg = f"sites: expected several, as a list, got {sites!r}"
        raise ReportError(msg)
    return sorted({one_line("sites", each) for each in sites})


def asked_to_add(staff: str, form: dict[str, Any], *, source: str, key: str, by: str) -> Asked:
    """Return the act that adds somebody.

    Raises:
        ReportError: the id says who it is, or is the engine's own.
    """
    if opaque("staff", staff) == SELF:
        msg = f"staff: {SELF!r} is the engine itself; take another id"
        raise ReportError(msg)
    return asked(OPENED, source=source, key=key or f"{staff}/added", by=by, body={"staff": staff, **form})


def asked_to_change(form: dict[str, Any], why: str, *, source: str, key: str, by: str) -> Asked:
    """Return the act that changes what is said of somebody.

    Raises:
        ReportError: it changes nothing.
    """
    if not form:
        msg = "say what is changed: roles, sites, trained_on, active_from or active_until"
        raise ReportError(msg)
    return asked(CHANGED, source=source, key=key, by=by, body={**form, **_reason(why)})


def asked_to_leave(why: str, *, source: str, key: str, by: str) -> Asked:
    """Return the act by which somebody leaves."""
    return asked(LEFT, source=source, key=key, by=by, body=_reason(why))


def _reason(why: str) -> dict[str, str]:
    return {"why": one_line("why", why)} if why else {}
