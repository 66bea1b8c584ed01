"""What an enrollment needs: a program that is registered, a zone that exists, and an id."""

import re
import secrets
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cm_engine.errors import EnrollmentNotFoundError, ProgramNotAddedError, ReportError
from cm_engine.log.encoding import digits, dumped
from cm_engine.log.rows import EnrollmentRow, ProgramRow
from cm_engine.plain import is_number, one_line
from cm_engine.ports import Transaction
from cm_engine.rules.days import Before
from cm_engine.spelling import nearest

ABBREVIATED = {
    "P": "America/Los_Angeles",
    "M": "America/Denver or America/Phoenix",
    "C": "America/Chicago",
    "E": "America/New_York",
    "AK": "America/Anchorage",
    "H": "Pacific/Honolulu",
    "A": "America/Puerto_Rico",
}
"""Places of the zones of the United States, by how what they are called begins."""
_HOUR = re.compile(f"({'|'.join(ABBREVIATED)})[SD]?T")
NO_PLACES = {"localtime", "Factory", "posixrules"}
"""What a server may have among its zones, and is no clinic's; nor are EST, MST and HST, which keep one time all year."""


def new_id() -> str:
    """Return an id that nobody has yet."""
    return f"e-{secrets.token_hex(10)}"


def new_nonce() -> str:
    """Return 32 hexadecimal digits that nobody has yet."""
    return secrets.token_hex(16)


def made_id(root: str, source: str, key: str) -> str:
    """Return the id of an enrollment that has none: that of its source and key in one database, which a copy of it has too.

    So what refers to an enrollment that was lost with a backup refers to it again once it is reported again.

    Args:
        root: a hash that no other database has; without one, the id is one that nobody has yet.
        source: of the key.
        key: of the enrollment.

    Example:
        >>> made_id("c7f651382f3bc070", "enrollment", "p-104/c4a1/2026-01-05")
        'e-5c78f6e6e1e2f97773fc'
    """
    return f"e-{sha256(dumped([root, source, key]).encode()).hexdigest()[:20]}" if root else new_id()


def zone_name(zone: str) -> str:
    """Return the name of a time zone.

    Raises:
        ReportError: there is none of that name.
    """
    if not zone:
        msg = "say the clinic's time zone, which decides what day it is: zone='America/Los_Angeles'"
        raise ReportError(msg)
    try:
        ZoneInfo("" if zone in NO_PLACES or _HOUR.fullmatch(str(zone)) else zone)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        hour = _HOUR.fullmatch(str(zone).upper())
        meant = ABBREVIATED[hour[1]] if hour else ""
        near = (
            f"; an abbreviation is no place, write {meant}"
            if meant
            else nearest(str(zone), available_timezones())
        )
        hint = near or "; expected a name such as America/Los_Angeles"
        msg = f"zone: there is no time zone {zone!r}{hint}"
        raise ReportError(msg) from None
    return zone


def before_text(before: Before | None) -> str:
    """Return values from before the plan as JSON; empty for none."""
    if not before:
        return ""
    if not isinstance(before, Mapping):
        msg = f"before: expected values by target, such as {{'smoking': [Decimal(12)]}}, got {before!r}"
        raise ReportError(msg)
    return dumped({one_line("before", name): _values(name, values) for name, values in before.items()})


def _values(name: str, values: object) -> list[str]:
    """Return measured values as their digits."""
    if not isinstance(values, list | tuple) or not all(map(is_number, values)):
        msg = f"before: expected a list of Decimals for {name}, got {values!r}"
        raise ReportError(msg)
    return [digits(value) for value in values]


def refuse_other_content(programs: Sequence[ProgramRow], new: ProgramRow) -> None:
    """Refuse a program under an id and a version that stand for another one.

    Raises:
        ReportError: it says what to do.
    """
    for row in programs:
        if row.version == new.version and row.digest != new.digest:
            msg = (
                f"{new.program} version {new.version} is registered with other content "
                f"({row.digest[:12]}, this is {new.digest[:12]}); give what has changed a new version"
            )
            raise ReportError(msg)


def program_called(
    programs: Sequence[ProgramRow], name: str, known: AbstractSet[str] = frozenset()
) -> ProgramRow:
    """Return the registered program of an id, an id and version, or a digest.

    Of several versions it is the one that is `known` already, by its digest.

    Raises:
        ProgramNotAddedError: there is none.
        ReportError: several versions have the id, and the name says none.
    """
    found = [row for row in programs if name in {row.digest, row.program, f"{row.program}@{row.version}"}]
    if not found:
        raise ProgramNotAddedError(name, [f"{row.program}@{row.version}" for row in programs])
    if len(found) > 1:
        found = [row for row in found if row.digest in known] or found
    if len(found) > 1:
        versions = " or ".join(f"{row.program}@{row.version} ({row.digest[:12]})" for row in found)
        msg = f"{name!r} is {versions}: say which, by id@version or by the whole digest"
        raise ReportError(msg)
    return found[0]


def found_enrollment(tx: Transaction, enrollment: str) -> EnrollmentRow:
    """Return an enrollment.

    Raises:
        EnrollmentNotFoundError: there is none.
    """
    row = tx.enrollment(enrollment)
    if row is None:
        raise EnrollmentNotFoundError(enrollment)
    return row
