"""Who works here: the engine knows their roles and rights, the clinic their names and languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples.clinic.tables import Profile
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from examples.clinic.clinic import Clinic

FRONT_DESK, SUPERVISOR, AUDITOR, SYSTEM = "front-desk", "supervisor", "auditor", "system"
DESK = frozenset({"read", "record", "enter", "excuse", "enroll", "reschedule", "release", "redeem"})
RIGHTS: Mapping[str, frozenset[str]] = {
    FRONT_DESK: DESK,
    SUPERVISOR: DESK | {"amend", "void", "withdraw", "pause", "sweep", "staff"},
    AUDITOR: frozenset({"read", "verify"}),
    SYSTEM: frozenset({"record", "enter", "excuse", "sweep"}),
}
"""What each role may do here: the engine asks it of every act, and the pages show only what somebody may do."""
STAFF = (
    ("super-1", "Supervisor", SUPERVISOR, "en"),
    ("super-2", "Supervisión", SUPERVISOR, "es"),
    ("desk-1", "Front desk, morning", FRONT_DESK, "en"),
    ("desk-2", "Recepción, tarde", FRONT_DESK, "es"),
    ("audit-1", "Auditor", AUDITOR, "en"),
    ("lab-1", "Laboratory", SYSTEM, "en"),
)
"""The staff of the demonstration; the first one adds the others."""


@dataclass(frozen=True)
class Person:
    """One of the staff, as the pages address them."""

    id: str
    name: str
    language: str
    roles: tuple[str, ...]


def add_staff(clinic: "Clinic") -> None:
    """Put the demonstration's staff on the engine's journal, trained today; a clinic that has staff keeps its own."""
    if not clinic.engine.all_staff():
        clinic.written(lambda session: _add(clinic, session))


def _add(clinic: "Clinic", session: Session) -> None:
    engine, (first, *_) = clinic.engine.joining(session), STAFF[0]
    for id_, name, role, language in STAFF:
        engine.add_staff(staff=id_, roles=[role], trained_on=clinic.today(), by=first)
        session.merge(Profile(id=id_, name=name, language=language))


def people(clinic: "Clinic") -> list[Person]:
    """Return who may sign in today, by role; what is no person signs in nowhere."""
    found = [each for staff in clinic.engine.all_staff() if (each := person(clinic, staff.id))]
    return sorted(found, key=lambda each: (list(RIGHTS).index(each.roles[0]), each.id))


def person(clinic: "Clinic", staff: str) -> Person | None:
    """Return somebody who may sign in today; None if they may not, or are not on the staff."""
    if not (staff and clinic.engine.may(by=staff, act="read")):
        return None
    with clinic.reading() as session:
        known = session.get(Profile, staff) or Profile(id=staff, name=staff, language="en")
    return Person(staff, known.name, known.language, clinic.engine.staff(staff).roles)


def who_may(act: str) -> list[str]:
    """Return the roles of people that have a right."""
    return [role for role, rights in RIGHTS.items() if act in rights and role != SYSTEM]
