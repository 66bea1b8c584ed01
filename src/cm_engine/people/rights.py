"""Roles, and what each of them may do: a table, which a host may replace by its own."""

from collections.abc import Collection, Iterable, Mapping

from cm_engine.errors import ReportError
from cm_engine.spelling import nearest

Rights = Mapping[str, Collection[str]]
"""What each role may do."""

SELF = "cm-engine"
"""Who does what no person does: the engine."""

SYSTEM = "system"
"""The role of what is no person, such as a laboratory's interface: nobody trains it."""

STAFF = "staff"
"""The right to say who works here."""

FRONT_DESK = frozenset({"read", "record", "excuse", "enter", "contact", "opt-out"})
CLINICIAN = FRONT_DESK | {"enroll", "allocate", "reschedule", "pause", "discharge"}
CORRECTING = frozenset({"amend", "void", "withdraw", "freeze", "migrate", "transfer"})
SUPERVISOR = CLINICIAN | CORRECTING | {"assert", "verify", "trial", "site", "stock", "erase", STAFF}

RIGHTS: Rights = {
    "front-desk": FRONT_DESK,
    "clinician": CLINICIAN,
    "supervisor": SUPERVISOR,
    "cashier": frozenset({"read", "release", "redeem", "stock"}),
    "auditor": frozenset({"read", "verify", "assert"}),
    SYSTEM: frozenset({"record", "excuse", "sweep", "pay", "release", "contact", "opt-out", "disclose"}),
}
"""What each role may do, if the host has no table of its own."""

OWN = frozenset({"sweep", "pay", "follow", "opt-out", "disclose"})
"""What the engine does itself, whoever is known."""

AUDITS = frozenset({"read", "verify", "assert"})
"""What leaves everything as it is, so that nobody is trained for it."""


def may(rights: Rights, roles: Iterable[str], act: str) -> bool:
    """Tell whether one of somebody's roles may do something.

    Example:
        >>> may(RIGHTS, ["front-desk"], "record"), may(RIGHTS, ["front-desk"], "amend")
        (True, False)
    """
    return any(act in rights.get(role, ()) for role in roles)


def roles_with(rights: Rights, act: str) -> list[str]:
    """Return the roles that may do something, in the order of the table."""
    return [role for role, acts in rights.items() if act in acts]


def known_roles(rights: Rights, roles: Iterable[str]) -> tuple[str, ...]:
    """Return roles that the table has, each once, in the order of the alphabet.

    Raises:
        ReportError: a role is not in the table, or there is none.
    """
    if isinstance(roles, str) or not (found := tuple(sorted(set(roles)))):
        msg = f"roles: expected several, as a list, of {', '.join(rights)}; got {roles!r}"
        raise ReportError(msg)
    for role in found:
        if role not in rights:
            msg = f"roles: there is no role {role!r}{nearest(str(role), rights)} (known: {', '.join(rights)})"
            raise ReportError(msg)
    return found


def checked_rights(rights: Rights | None) -> Rights:
    """Return a host's table in plain form, or ours if it has none.

    Raises:
        ReportError: it is no table, or nobody in it may say who works here.
    """
    if rights is None:
        return RIGHTS
    wrong = not isinstance(rights, Mapping) or any(isinstance(acts, str) for acts in rights.values())
    if wrong or not roles_with(rights, STAFF):
        msg = f"rights: expected what each role may do, one of them {STAFF!r}: {{'supervisor': ['amend', 'staff']}}"
        raise ReportError(msg)
    return {role: frozenset(acts) for role, acts in rights.items()}
