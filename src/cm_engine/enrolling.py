"""What an enrollment needs: a program that is registered, a zone that exists, and an id."""

import secrets
from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cm_engine.errors import ProgramNotAddedError, ReportError
from cm_engine.log.encoding import dumped
from cm_engine.log.rows import ProgramRow
from cm_engine.rules.days import Before
from cm_engine.spelling import nearest


def new_id() -> str:
    """Return an id that nobody has yet."""
    return f"e-{secrets.token_hex(10)}"


def zone_name(zone: str) -> str:
    """Return the name of a time zone.

    Raises:
        ReportError: there is none of that name.
    """
    if not zone:
        msg = "say the clinic's time zone, which decides what day it is: zone='America/Los_Angeles'"
        raise ReportError(msg)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = nearest(zone, available_timezones())
        msg = f"there is no time zone {zone!r}{hint}; expected a name such as America/Los_Angeles"
        raise ReportError(msg) from None
    return zone


def before_text(before: Before | None) -> str:
    """Return values from before the plan as JSON; empty for none."""
    return dumped({name: list(map(str, values)) for name, values in before.items()}) if before else ""


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


def program_called(programs: Sequence[ProgramRow], name: str) -> ProgramRow:
    """Return the registered program of an id, an id and version, or a digest.

    Raises:
        ProgramNotAddedError: there is none.
        ReportError: several versions have the id, and the name says none.
    """
    found = [row for row in programs if name in {row.digest, row.program, f"{row.program}@{row.version}"}]
    if not found:
        raise ProgramNotAddedError(name, [f"{row.program}@{row.version}" for row in programs])
    if len(found) > 1:
        versions = " or ".join(f"{row.program}@{row.version} ({row.digest[:12]})" for row in found)
        msg = f"{name!r} is {versions}: say which, by id@version or by the whole digest"
        raise ReportError(msg)
    return found[0]
