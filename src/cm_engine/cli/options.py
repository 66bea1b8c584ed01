"""The options of the durable commands: what each is called, what it says of itself, and how it is read."""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic_core import PydanticCustomError

from cm_engine.errors import CmEngineError
from cm_engine.program.values import amount, day, shown, wrong

DATABASE, PREFIX, SCHEMA = "CM_ENGINE_DB", "CM_ENGINE_PREFIX", "CM_ENGINE_SCHEMA"

Value = TypeVar("Value")


def named(**given: str) -> dict[str, str]:
    """Return the options that were given."""
    return {name: value for name, value in given.items() if value}


def tables_named() -> dict[str, Any]:
    """Return what the environment says the tables are called."""
    return named(prefix=os.environ.get(PREFIX, ""), schema=os.environ.get(SCHEMA, ""))


def reader(option: str, read: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return what reads the value of an option, and names the option where it cannot."""

    def parsed(text: str) -> Value:
        try:
            return read(text)
        except PydanticCustomError as error:
            msg = f"{option}: {error.message()}"
            raise CmEngineError(msg) from None  # typer has words of its own for errors that are a ValueError

    return parsed


def moment(text: str) -> datetime:
    """Return a time with its offset from UTC.

    Example:
        >>> moment("2026-01-05T09:30-08:00").isoformat()
        '2026-01-05T09:30:00-08:00'
    """
    try:
        found = datetime.fromisoformat(text)
        found.astimezone(UTC)  # at the ends of the calendar there is no such time in UTC
    except (ValueError, OverflowError):
        found = None
    if found is None or found.utcoffset() is None:
        expected = "expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00"
        raise wrong(f"{expected}, got {shown(text)}")
    return found


def values_before(text: str) -> tuple[str, list[Decimal]]:
    """Return a target, and the values that were measured of it before the plan.

    Example:
        >>> values_before("smoking=12,10.5")
        ('smoking', [Decimal('12'), Decimal('10.5')])
    """
    name, sign, values = text.partition("=")
    if not name or not sign:
        raise wrong(f"expected TARGET=VALUE,VALUE, the first being the baseline, got {shown(text)}")
    return name, [amount(each.strip()) for each in values.split(",")]


def _option(name: str, metavar: str, says: str, read: Callable[[str], Any] | None = None) -> Any:  # noqa: ANN401 - as typer
    return typer.Option(name, metavar=metavar, help=says, parser=reader(name, read) if read else None)


DatabaseOption = Annotated[
    str,
    typer.Option("--db", metavar="URL", envvar=DATABASE, help="the database, such as sqlite:///clinic.db"),
]
EnrollmentArgument = Annotated[str, typer.Argument(metavar="ENROLLMENT", help="the id that `enroll` printed")]
ParticipantOption = Annotated[str, _option("--participant", "ID", "an opaque id; never a name")]
ProgramOption = Annotated[str, _option("--program", "NAME", "id, id@version, digest, or a program file")]
StartOption = Annotated[date, _option("--start", "DATE", "the first day of program week 1", day)]
ZoneOption = Annotated[str, _option("--zone", "ZONE", "of the clinic, as in America/Los_Angeles")]
IdOption = Annotated[str, _option("--id", "ID", "of the enrollment; if left out, one is made")]
BeforeOption = Annotated[
    list[Any] | None,
    _option(
        "--before", "TARGET=VALUES", "from before the plan, baseline first: smoking=12,10.5", values_before
    ),
]
ResultOption = Annotated[str, _option("--result", "SYMBOL", "one of - + o e * r _; quote it for the shell")]
EventOption = Annotated[str, _option("--event", "NAME", "instead: something reported from outside")]
ObservationOption = Annotated[
    Path | None,
    _option("--observation", "FILE", "instead: a file with `observations`, as in a case, and one of them"),
]
TargetOption = Annotated[str, _option("--target", "NAME", "which target; if left out, the only one")]
OnOption = Annotated[date | None, _option("--on", "DATE", "the day it counts for", day)]
CollectedOption = Annotated[
    datetime | None,
    _option("--collected-at", "TIME", "of the specimen, or of the visit: 2026-01-05T09:30-08:00", moment),
]
ResultedOption = Annotated[
    datetime | None, _option("--resulted-at", "TIME", "of the result, with its offset from UTC", moment)
]
RecordOption = Annotated[int | None, _option("--record", "N", "the number of the record that is corrected")]
RecordKeyOption = Annotated[str, _option("--record-key", "KEY", "instead: the key it was recorded under")]
RecordSourceOption = Annotated[
    str, _option("--record-source", "SOURCE", "whose key that is, if it is another one's")
]
WithdrawnOption = Annotated[int, _option("--record", "N", "the number of the record that is corrected")]
WhyOption = Annotated[str, _option("--why", "TEXT", "the reason, for the audit")]
AwardedOption = Annotated[Decimal, _option("--awarded", "AMOUNT", "exact, such as 72.50", amount)]
EndOption = Annotated[date, _option("--on", "DATE", "by the end of this day", day)]
UnitOption = Annotated[str, _option("--unit", "NAME", "if it is not the currency")]
NextDayOption = Annotated[
    date | None, _option("--on", "DATE", "of the next visit; if left out, as planned", day)
]
UntilOption = Annotated[date | None, _option("--until", "DATE", "the last day that counts", day)]
WhoseOption = Annotated[str, _option("--participant", "ID", "only those of this one")]
AgainOption = Annotated[
    bool, typer.Option("--again", help="a second enrollment is meant, beside one that is open")
]
LastOption = Annotated[
    int | None,
    typer.Option("--expected-last", metavar="N", help="only if this is still the last record of all"),
]
VersionOption = Annotated[str, _option("--program", "NAME", "the version: id@version, or its digest")]
RehearseOption = Annotated[
    bool, typer.Option("--rehearse", help="show what it would change, and change nothing")
]
AsOfOption = Annotated[date | None, _option("--on", "DATE", "as of this day; if left out, today", day)]
MadeOnOption = Annotated[
    date | None, _option("--on", "DATE", "the day that it says it is made on; if left out, today", day)
]
OneEnrollmentArgument = Annotated[
    str, typer.Argument(metavar="[ENROLLMENT]", help="only this one", show_default=False)
]
OverOption = Annotated[
    date | None, _option("--until", "DATE", "the last day that is over; if left out, yesterday", day)
]
SweeperOption = Annotated[str, _option("--by", "WHO", "who says so")]
VisitDayOption = Annotated[date, _option("--on", "DATE", "the day of the visit", day)]
CourseDayOption = Annotated[date, _option("--on", "DATE", "the day from which it holds", day)]
VisitOption = Annotated[int, typer.Option("--visit", metavar="N", help="the number of the visit")]
MovedToOption = Annotated[date, _option("--to", "DATE", "its new day", day)]
SiteOption = Annotated[str, _option("--site", "SITE", "the id of the site")]
SourceOption = Annotated[str, _option("--source", "SOURCE", "who reports it: lab, front-desk")]
KeyOption = Annotated[str, _option("--key", "KEY", "the id it has there: reported again, it is the same")]
ByOption = Annotated[str, _option("--by", "WHO", "who does it: an opaque id")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
