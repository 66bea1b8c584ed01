"""What a caller reports, looked at before anything is written: complete, aware of its zone, and attributed."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from cm_engine.acts.recording import Act
from cm_engine.errors import ReportError
from cm_engine.log.encoding import dumped, instant, observed
from cm_engine.log.history import AMENDED, ASSERTED, OBSERVED, VOIDED
from cm_engine.plain import is_number, named, one_line, plain_day, plain_evidence, unreserved
from cm_engine.program.checks.base import awarded
from cm_engine.program.models import Program
from cm_engine.program.units import Unit
from cm_engine.rules.state import Evidence, Observation

YEARS = (1900, 9000)
AHEAD = timedelta(days=1)
"""How far a clock may be behind the one that a time of collection was read from."""
EASTERNMOST = timedelta(hours=14)
"""How far the first zone is ahead in which a day begins."""


class Report(NamedTuple):
    """One observation to record, or an event.

    Attributes:
        enrollment: the id of the enrollment.
        source: the system or the place that reports it: lab, front-desk, an app.
        key: the id that the source gives it; together they make it the same report, however often it comes.
        by: who reports it: an opaque id of the host's.
        result: one symbol: - met, + positive or not met, o missed, e excused, * invalid, r refused, _ not required;
            empty where it is read from the evidence, or for an event.
        target: its name; may be left out for the only target of a program.
        event: instead of a result, something reported from outside.
        evidence: what else was seen.
        collected_at: when the specimen was taken, or the visit was; aware.
        on: the day it counts for, if that is not the day of `collected_at` in the clinic's zone.
        resulted_at: when the result came; aware.
    """

    enrollment: str
    source: str
    key: str
    by: str
    result: str = ""
    target: str = ""
    event: str = ""
    evidence: Evidence | None = None
    collected_at: datetime | None = None
    on: date | None = None
    resulted_at: datetime | None = None


Which = int | tuple[str, str]
"""An observation: the number of its act, or the source and the key that it was recorded under."""


class Amendment(NamedTuple):
    """A correction of a recorded observation, as `Engine.amend` takes it.

    Attributes:
        report: what it is to be; what is left out stays as it was. The source, the key and by are of the correction.
        record: the number of the observation, or its source and key.
        why: the reason, for the audit.
    """

    report: Report
    record: Which
    why: str


class Voiding(NamedTuple):
    """A recorded observation that is taken back, as `Engine.void` does.

    Attributes:
        report: of whom: the enrollment, and the source, the key and by of the act.
        record: the number of the observation, or its source and key.
        why: the reason, for the audit.
    """

    report: Report
    record: Which
    why: str


def act_of(given: Report | Amendment | Voiding, now: datetime) -> Act:
    """Return the act that something reported is."""
    match given:
        case Amendment(report, record, why):
            return act_of_amendment(report, record, why, now)
        case Voiding(report, record, why):
            return act_of_voiding(report, record, why)
    return act_of_report(given, now)


def act_of_report(report: Report, now: datetime) -> Act:
    """Return the act that a report is.

    Raises:
        ReportError: it lacks something, or says what does not go together.
    """
    if not isinstance(report, Report):
        msg = f"expected a Report, got {report!r}"
        raise ReportError(msg)
    if report.on is None and report.collected_at is None:
        msg = "say when it was: collected_at, an aware time, or on, the day it counts for"
        raise ReportError(msg)
    if not (report.result or report.event or report.evidence):
        msg = "say what was seen: result, evidence or event"
        raise ReportError(msg)
    body = {**_seen(report), **_times(report, now)}
    return _act(OBSERVED, report, body)


def act_of_amendment(report: Report, record: Which, why: str, now: datetime) -> Act:
    """Return the act that corrects a recorded observation; what a report leaves out stays as it is."""
    body = {**_seen(report), **_times(report, now)}
    if not body:
        msg = "say what is to be corrected: result, evidence, event, target, collected_at or on"
        raise ReportError(msg)
    return _act(AMENDED, report, {"of": _which(record), "why": one_line("why", why), **body})


def act_of_voiding(report: Report, record: Which, why: str) -> Act:
    """Return the act that takes a recorded observation back."""
    return _act(VOIDED, report, {"of": _which(record), "why": one_line("why", why)})


def act_of_withdrawal(kind: str, report: Report, record: Which, why: str) -> Act:
    """Return the act that takes back an entry that waits for a second person."""
    return _act(kind, report, {"of": _which(record), "why": one_line("why", why)})


def act_of_assertion(report: Report, unit: Unit, amount: Decimal, on: date) -> Act:
    """Return the act that asserts what had been awarded by the end of a day.

    Raises:
        ReportError: the amount is no exact decimal of the unit.
    """
    body = {"unit": unit.name, "awarded": exact(unit, amount), "on": plain_day("on", on)}
    return _act(ASSERTED, report, body)


def exact(unit: Unit, amount: object) -> str:
    """Return an amount as digits, with all the decimals of its unit.

    Raises:
        ReportError: it is no exact decimal of the unit.
    """
    if not isinstance(amount, Decimal) or not is_number(amount) or not unit.fits(amount):
        msg = f"amount: expected a Decimal with at most {unit.decimals} decimals, got {amount!r}"
        raise ReportError(msg)
    return unit.plain(unit.minor(amount))


def awarded_unit(program: Program, name: str) -> Unit:
    """Return a unit that a program awards, or its currency for an empty name.

    Raises:
        ReportError: it awards no such unit, or has no currency.
    """
    units = {unit.name: unit for unit in awarded(program).values()}
    if program.currency:
        units[program.currency] = program.unit(None)
    asked = name or program.currency or ""
    if asked not in units:
        wrong = f"the program awards no {name!r}" if name else "the program has no currency; say which unit"
        msg = f"unit: {wrong} (known: {', '.join(units)})"
        raise ReportError(msg)
    return units[asked]


def act_of_course(kind: str, report: Report, body: dict[str, Any]) -> Act:
    """Return an act on the course of an episode, with the reason that it carries if it has one."""
    if "why" in body:
        one_line("why", body["why"])
    return _act(kind, report, body)


def _act(kind: str, report: Report, body: dict[str, Any]) -> Act:
    text = dumped(body)
    return Act(
        named("enrollment", report.enrollment),
        kind,
        unreserved("source", report.source),
        named("key", report.key),
        named("by", report.by),
        json.loads(text) if "evidence" in body else body,
        text,
    )


def _seen(report: Report) -> dict[str, Any]:
    for name in ("result", "target", "event"):
        if (given := getattr(report, name)) != "":
            one_line(name, given)
    evidence = None if report.evidence is None else plain_evidence(report.evidence)
    return observed(Observation(report.result, None, report.target, evidence, report.event))


def _times(report: Report, now: datetime) -> dict[str, Any]:
    found = {"on": plain_day("on", report.on)} if report.on is not None else {}
    for name, time in (("at", report.collected_at), ("resulted_at", report.resulted_at)):
        if time is not None:
            found[name] = _time("collected_at" if name == "at" else name, time)
    if report.collected_at is not None or report.resulted_at is not None:
        _refuse_future(found, now)
    return found


def _refuse_future(times: dict[str, str], now: datetime) -> None:
    latest = _latest(now.astimezone(UTC).replace(minute=0, second=0, microsecond=0))
    for name, text in times.items():
        if name != "on" and text > latest:
            what = "collected_at" if name == "at" else name
            msg = f"{what} is {text}, and now it is {instant(now)}; what has not happened yet cannot be recorded"
            raise ReportError(msg)
    if "at" in times and "resulted_at" in times and times["resulted_at"] < times["at"]:
        msg = f"resulted_at is {times['resulted_at']}, before collected_at, {times['at']}"
        raise ReportError(msg)


def refuse_ahead(name: str, day: date | None, now: datetime) -> None:
    """Refuse a day that has not come yet in any time zone.

    Raises:
        ReportError: it lies ahead.
    """
    if day is not None and day > (now.astimezone(UTC) + EASTERNMOST).date():
        msg = f"{name}: expected a day that has come, got {plain_day(name, day)}"
        raise ReportError(msg)


@lru_cache
def _latest(hour: datetime) -> str:
    """Return the last time that can be recorded within an hour."""
    return instant(hour + AHEAD)


def _time(name: str, time: object) -> str:
    if not isinstance(time, datetime) or time.utcoffset() is None:
        msg = f"{name}: expected an aware time, such as datetime(2026, 1, 5, 9, tzinfo=ZoneInfo(...)), got {time!r}"
        raise ReportError(msg)
    if not YEARS[0] <= time.year <= YEARS[1]:
        msg = f"{name}: expected a year from {YEARS[0]} to {YEARS[1]}, got {time}"
        raise ReportError(msg)
    return instant(time)


def _which(record: object) -> int | list[str]:
    """Return what an act is named by; what is named by its source and key gets its number when it is looked up."""
    match record:
        case bool():
            pass
        case int():
            return record
        case (str() as source, str() as key):
            return [unreserved("source", source), named("key", key)]
    msg = f"record: expected the number of an act, or its source and key, got {record!r}"
    raise ReportError(msg)
