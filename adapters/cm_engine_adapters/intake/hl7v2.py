"""HL7 v2 results: ORU^R01 messages, one or a batch of them; each OBR is one report, its OBX segments the findings."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone

import hl7  # type: ignore[import-untyped]

from cm_engine.arrivals import NO_SYSTEM, Arrival, Arrivals, Code, Finding, Status, Unread
from cm_engine.errors import IntakeError
from cm_engine.intake.times import aware
from cm_engine.log.encoding import instant
from cm_engine_adapters.intake.rows import number_in

FLAGS = "http://terminology.hl7.org/CodeSystem/v2-0078"
"""The system of OBX-8, as FHIR calls it."""
NOT_DONE = "OBX-11"
"""The system of the one status that is found in place of a value: X, no result could be had."""

REPORTS: Mapping[str, Status] = {
    **dict.fromkeys("OISAPR", Status.HELD),
    "F": Status.FINAL,
    "C": Status.CORRECTED,
    "X": Status.VOID,
}
"""OBR-25 (table 0123); empty, the findings say it."""
FINDINGS: Mapping[str, Status] = {
    **dict.fromkeys("IPRSB", Status.HELD),
    "F": Status.FINAL,
    "X": Status.FINAL,
    "C": Status.CORRECTED,
    "D": Status.VOID,
    "W": Status.VOID,
}
"""OBX-11 (table 0085); U says that something was final without saying what, and N and O say nothing of a result."""
SAYS_NOTHING = frozenset("NO")

TIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?(\.\d{1,6})?\d*)?([+-]\d{4})?")
CODED = frozenset({"CE", "CWE", "CNE", "CF", "IS", "ID"})
TYPE = re.compile(r"[A-Z0-9]{3}(\^[A-Z0-9]{3})?(\^[A-Z0-9_]{3,7})?")


class Hl7v2Intake:
    r"""Read ORU^R01 messages in UTF-8 or Latin-1, with any line ends, with or without the frame of MLLP.

    Example:
        >>> message = b"MSH|^~\\&|LAB|||CLINIC|202601051200||ORU^R01|1|P|2.5\rPID|||77^^^CLINIC\r"
        >>> message += b"OBR|1||F-1|UDS^^L|||20260105093000-0800|||||||||||||||||F\r"
        >>> message += b"OBX|1|ST|3393-3^^LN||NEG||||||F\r"
        >>> [arrival] = Hl7v2Intake().read(message)
        >>> arrival.key, arrival.status.value, str(arrival.who[0]), arrival.findings[0].text
        ('F-1/UDS', 'final', 'CLINIC|77', 'NEG')
    """

    format = "hl7v2"

    def read(self, document: bytes, *, zone: str = "") -> Arrivals:
        """Yield the reports of all messages; a message of another type is one that cannot be used.

        Raises:
            IntakeError: this is no message, and no batch of them.
        """
        messages = _messages(document)
        if not messages:
            raise IntakeError(self.format, "expected a message that begins with MSH, or a batch of them")
        for number, text in enumerate(messages, start=1):
            yield from _of_message(text, f"message {number}", zone)


def _messages(document: bytes) -> list[str]:
    """Return the messages of a document; what frames them is passed over."""
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = document.decode("latin-1")
    lines = [line.strip("\x0b\x1c ") for line in text.splitlines()]
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("MSH"):
            found.append([])
        if found and line and not line.startswith(("FHS", "BHS", "BTS", "FTS")):
            found[-1].append(line)
    return ["\r".join(message) + "\r" for message in found]


@dataclass
class _Report:
    """An OBR with its OBX segments, and of whom it is."""

    order: hl7.Segment
    who: tuple[Code, ...]
    found: list[hl7.Segment] = field(default_factory=list)


def _of_message(text: str, where: str, zone: str) -> Iterator[Arrival | Unread]:
    try:
        message = hl7.parse(text)
        header = message.segment("MSH")
    except (hl7.HL7Exception, KeyError, IndexError, ValueError):
        yield Unread(where, "it cannot be parsed")
        return
    kind = _text(header, 9)
    if not kind.startswith("ORU^R01"):
        told = kind if TYPE.fullmatch(kind) else "unknown"
        yield Unread(where, f"messages of the type {told} are not taken in, only ORU^R01")
        return
    reports = list(_reports(message))
    if not reports:
        yield Unread(where, "it has no OBR")
    for number, report in enumerate(reports, start=1):
        yield _arrival(report, f"{where}, OBR {number}", _text(header, 7), zone)


def _reports(message: Iterable[hl7.Segment]) -> Iterator[_Report]:
    """Yield the reports of a message, each with the patient above it."""
    who: tuple[Code, ...] = ()
    report = None
    for segment in message:
        name = str(segment[0])
        if name in {"PID", "OBR"} and report is not None:
            yield report
            report = None
        if name == "PID":
            who = tuple(_person(each) for each in _repetitions(segment, 3) if each.strip("^&"))
        elif name == "OBR":
            report = _Report(segment, who)
        elif name == "OBX" and report is not None:
            report.found.append(segment)
    if report is not None:
        yield report


def _arrival(report: _Report, where: str, sent: str, zone: str) -> Arrival | Unread:
    """Return what a report says, or why it cannot be used."""
    order = report.order
    number = _first(order, 3) or _first(order, 2)
    if not number:
        return Unread(where, "neither OBR-3 nor OBR-2 gives it a number")
    live = [each for each in report.found if _first(each, 11) not in SAYS_NOTHING]
    stated = REPORTS.get(_text(order, 25), Status.UNKNOWN) if _text(order, 25) else None
    statuses = [_status(each, stated) for each in live]
    kept = [each for each, status in zip(live, statuses, strict=True) if status != Status.VOID]
    times = [_time(_text(order, 7), zone), *(_time(_text(each, 14), zone) for each in live)]
    at, on = next((when for when in times if any(when)), (None, None))
    issued = _text(order, 22)
    return Arrival(
        "/".join(filter(None, (number, _first(order, 4)))),
        _together(stated, statuses),
        tuple(map(_finding, kept)),
        report.who,
        _version(issued or sent, zone),
        at,
        on,
        _time(issued, zone)[0],
    )


def _status(finding: hl7.Segment, report: Status | None) -> Status:
    """Return how final a finding is; where it says nothing, as final as its report."""
    stated = _text(finding, 11)
    return FINDINGS.get(stated, Status.UNKNOWN) if stated else report or Status.UNKNOWN


def _together(report: Status | None, findings: list[Status]) -> Status:
    """Return how final a report is, by its own status and those of its findings."""
    if report in {Status.VOID, Status.HELD, Status.UNKNOWN}:
        return report
    for waits in (Status.UNKNOWN, Status.HELD):
        if waits in findings:
            return waits
    if findings and set(findings) == {Status.VOID}:
        return Status.VOID
    if {Status.VOID, Status.CORRECTED} & set(findings):
        return Status.CORRECTED
    return report or (Status.FINAL if findings else Status.UNKNOWN)


def _finding(segment: hl7.Segment) -> Finding:
    """Return what an OBX says was found."""
    codes = _codes(_text(segment, 3))
    flags = tuple(Code(FLAGS, flag) for flag in _repetitions(segment, 8) if flag)
    values = _repetitions(segment, 5)
    if _text(segment, 11) == "X":
        return Finding(codes, (Code(NOT_DONE, "X"), *flags))
    if _text(segment, 2) in CODED:
        return Finding(codes, (*(code for value in values for code in _codes(value)), *flags))
    text = values[0] if len(values) == 1 else ""
    unit = _first(segment, 6)
    if _text(segment, 2) == "SN":
        text = "".join(text.split("^")).removeprefix("=")
    number = number_in(text) if _text(segment, 2) in {"NM", "SN"} else None
    return Finding(codes, flags, "" if "^" in text else text, number, unit)


def _codes(text: str) -> tuple[Code, ...]:
    """Return the codes of a coded element: the first, and the alternate."""
    parts = [*text.split("^"), "", "", "", "", "", ""]
    named = ((parts[0], parts[2]), (parts[3], parts[5]))
    return tuple(Code(system or NO_SYSTEM, code) for code, system in named if code)


def _person(text: str) -> Code:
    """Return an id of a patient, with who gave it, or else of which type it is."""
    parts = [*text.split("^"), "", "", "", ""]
    return Code(parts[3].split("&")[0] or parts[4] or NO_SYSTEM, parts[0])


def _time(text: str, zone: str) -> tuple[datetime | None, date | None]:
    """Return the time, or the day, that a timestamp says."""
    found = TIME.fullmatch(text)
    if not found or not found[3]:
        return None, None
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
        if not found[4]:
            return None, day
        second, part = int(found[6] or 0), float(found[7] or 0)
        local = datetime(day.year, day.month, day.day, int(found[4]), int(found[5]), second)  # noqa: DTZ001 - its zone follows
        at = aware((local + timedelta(seconds=part)).replace(tzinfo=_offset(found[8])), zone)
    except (ValueError, OverflowError):
        return None, None
    return at, None


def _offset(text: str | None) -> timezone | None:
    if not text:
        return None
    minutes = int(text[1:3]) * 60 + int(text[3:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _version(text: str, zone: str) -> str:
    """Return what sorts after every version before it: the time at which it came out."""
    at, _ = _time(text, zone)
    return f"t{instant(at)}" if at else f"d{text}" if TIME.fullmatch(text) else ""


def _text(segment: hl7.Segment, number: int) -> str:
    """Return a field as it stands; empty if there is none."""
    return str(segment[number]).strip() if number < len(segment) else ""


def _repetitions(segment: hl7.Segment, number: int) -> list[str]:
    return [str(each).strip() for each in segment[number]] if number < len(segment) else []


def _first(segment: hl7.Segment, number: int) -> str:
    """Return the first component of a field."""
    return _text(segment, number).split("~")[0].split("^")[0]
