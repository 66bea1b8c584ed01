"""From a line of a file to a report: what each cell says, and everything that is wrong with it."""

import csv
import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import NamedTuple, TypeVar

from pydantic_core import PydanticCustomError

from cm_engine.acts.recorded import Enrollment
from cm_engine.acts.reported import Report
from cm_engine.engine import Engine
from cm_engine.errors import CmEngineError, KeyConflictError, Problem, ReportError, SecretError, StorageError
from cm_engine.importing.columns import EVIDENCE, PANEL, SEEN, WHO, Columns
from cm_engine.importing.table import Line, cells_of
from cm_engine.importing.times import moment
from cm_engine.log.encoding import dumped, instant
from cm_engine.log.history import day_of
from cm_engine.program.values import amount, day, shown, symbol, wrong
from cm_engine.rules.state import Evidence

ENROLLMENT = "enrollment"
"""What is stated as the zone of local times that are in the zone of their enrollment."""

SEVERAL = "|"
"""What stands between several conditions, or several analytes, in one cell."""

UNTIMED = "~"
"""What stands for the moment of what has no time: it comes after what has one, as it does where it is recorded."""

KEPT = 20_000
"""As many enrollments are kept at hand."""

KEY_DIGITS = 40

NOT_CLOSED = "a quotation mark is not closed, or opened within a cell; expected a cell that ends on its line"

Value = TypeVar("Value")


class Dated(NamedTuple):
    """A report, and its place in time: its day at the clinic, and the moment within it."""

    report: Report
    day: str
    moment: str


class LineError(Exception):
    """Carry every problem of one line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(*self.problems)


class _Said:
    """What the cells of a line say, and what is wrong with them so far."""

    def __init__(self, columns: Columns, line: Line) -> None:
        self._columns, self._line = columns, line
        self.problems: list[Problem] = []
        self.cells = dict(zip(columns.names, self._cells(), strict=True))

    def _cells(self) -> list[str]:
        columns, line = self._columns, self._line
        try:
            cells = cells_of(line.text, columns.delimiter)
        except csv.Error as error:
            message = f"{NOT_CLOSED} ({error}): {line.text}"
            raise LineError([columns.problem(line, message)]) from None
        if len(cells) != len(columns.names):
            message = f"expected {len(columns.names)} cells, as the header has, got {len(cells)}: {line.text}"
            raise LineError([columns.problem(line, message)])
        return [cell.strip() for cell in cells]

    def text(self, name: str) -> str:
        """Return what a cell says; nothing for a column that is not there."""
        return self.cells.get(name, "")

    def read(self, name: str, reader: Callable[[str], Value], empty: Value) -> Value:
        """Return what a cell says, as `reader` reads it."""
        text = self.text(name)
        if not text:
            return empty
        try:
            return reader(text)
        except PydanticCustomError as error:
            self.refuse(name, error.message())
        except (StorageError, SecretError):
            raise
        except CmEngineError as error:
            self.refuse(name, str(error))
        return empty

    def refuse(self, name: str, message: str) -> None:
        """Add what is wrong with a cell."""
        self.problems.append(self._columns.problem(self._line, message, name))

    def panel(self) -> tuple[tuple[str, str], ...]:
        """Return the analytes that have a result."""
        found = ((name, text) for name, text in self.cells.items() if text and name.startswith(PANEL))
        return tuple((name.removeprefix(PANEL), text) for name, text in found)


class Reader:
    """Read the lines of one file.

    Args:
        engine: knows the enrollments.
        columns: of the file.
        by: who imports.
        source: of lines that name none.
        zone: of local times, unless a line states another: empty, the name of one, or `enrollment`.
    """

    def __init__(self, engine: Engine, columns: Columns, *, by: str, source: str, zone: str) -> None:
        self._engine, self._columns = engine, columns
        self._by, self._source, self._zone = by, source, zone
        self._programs = {digest: name for name, digest in engine.programs().items()}
        self._enrollment = lru_cache(KEPT)(engine.enrollment)
        self._enrolled = lru_cache(KEPT)(self._only_enrollment)
        self._only_targets: dict[str, str] = {}

    def dated(self, line: Line) -> Dated:
        """Return what a line reports, and when that was.

        Raises:
            LineError: the line is wrong; the error has every problem that does not hide another.
            StorageError: the enrollments cannot be read.
        """
        said = _Said(self._columns, line)
        enrollment = self._of(said)
        report = self._report(said, enrollment)
        if said.problems or enrollment is None:
            raise LineError(said.problems)
        at = instant(report.collected_at) if report.collected_at else ""
        on = report.on.isoformat() if report.on else day_of(at, enrollment.zone)
        key = report.key or derived_key(report, at or on, self._only_target(enrollment))
        return Dated(report._replace(key=key), on, at or UNTIMED)

    def problem(self, line: Line, error: CmEngineError) -> Problem:
        """Return why the engine refused a line, at the cell that it names first."""
        message = str(error)
        first = "key" if isinstance(error, KeyConflictError) else message.partition(" ")[0].rstrip(":")
        return self._columns.problem(line, message, first, named=False)

    def _of(self, said: _Said) -> Enrollment | None:
        """Return the enrollment that a line is of."""
        if ENROLLMENT in said.cells:
            found = said.read(ENROLLMENT, self._enrollment, None)
        else:
            found = said.read("participant", partial(self._enrolled, program=said.text("program")), None)
        if found is None and not said.problems:
            name = next(name for name in WHO if name in said.cells)
            said.refuse(name, f"expected the id of the {name}, got nothing; say whose result it is")
        return found

    def _only_enrollment(self, participant: str, program: str) -> Enrollment:
        """Return the one enrollment of a participant, in a program if one is named."""
        found = self._engine.enrollments(participant=participant)
        fitting = [each for each in found if not program or program in self._names(each.program)]
        if len(fitting) == 1:
            return fitting[0]
        where = f" in program {program!r}" if program else ""
        if not fitting:
            msg = f"no enrollment of {participant!r}{where}; enroll the participant first"
            raise ReportError(msg)
        ids = ", ".join(f"{each.id} ({self._programs.get(each.program)})" for each in fitting)
        msg = (
            f"{participant!r} has {len(fitting)} enrollments{where}: {ids}; say which in a column enrollment"
        )
        raise ReportError(msg)

    def _names(self, digest: str) -> set[str]:
        name = self._programs.get(digest, "")
        return {digest, name, name.partition("@")[0]}

    def _only_target(self, enrollment: Enrollment) -> str:
        """Return the only target of a program; nothing if it has several."""
        known = self._only_targets.get(enrollment.program)
        if known is None:
            targets = list(self._engine.preview(enrollment=enrollment.id))
            known = self._only_targets[enrollment.program] = targets[0] if len(targets) == 1 else ""
        return known

    def _report(self, said: _Said, enrollment: Enrollment | None) -> Report:
        zone = said.text("zone") or self._zone
        if zone == ENROLLMENT:
            zone = enrollment.zone if enrollment else "UTC"
        timed = partial(moment, zone=zone)
        report = Report(
            enrollment=enrollment.id if enrollment else "",
            source=said.text("source") or self._source,
            key=said.text("key"),
            by=self._by,
            result=said.read("result", symbol, ""),
            target=said.text("target"),
            event=said.text("event"),
            evidence=_evidence(said),
            collected_at=said.read("collected_at", timed, None),
            on=said.read("on", day, None),
            resulted_at=said.read("resulted_at", timed, None),
        )
        _refuse_unsaid(said)
        return report


def derived_key(report: Report, when: str, only_target: str) -> str:
    """Return the key of a line that has none: from its source, enrollment, target or event, and when it was.

    What was seen is not in it, nor is the number of the line: the same visit in another file is the same, and with
    another result it is refused, and not paid twice.

    Args:
        report: what the line says.
        when: the moment in UTC, or the day if no time is known.
        only_target: the target that is meant by none.
    """
    what = ("event", report.event) if report.event else ("target", report.target or only_target)
    text = dumped([report.source, report.enrollment, *what, when])
    return f"line-{hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]}"


def _evidence(said: _Said) -> Evidence | None:
    evidence = Evidence(
        panel=said.panel(),
        prescribed=said.read("prescribed", _several, ()),
        presumptive=said.read("presumptive", _yes_or_no, empty=False),
        value=said.read("value", amount, None),
        conditions=said.read("condition", _several, ()),
        excuse=said.text("excuse"),
        choice=said.text("choice"),
        group=said.read("group", _count, None),
    )
    return None if evidence == Evidence() else evidence


def _refuse_unsaid(said: _Said) -> None:
    """Refuse a line that does not say what was seen, or when."""
    if not any(map(said.text, (*SEEN, *EVIDENCE))) and not said.panel():
        said.refuse("result", "expected what was seen, got nothing: a result, an event, a value or a panel")
    if not said.text("on") and not said.text("collected_at"):
        said.refuse("on", "expected when it was, got nothing: on, or collected_at")


def _several(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(SEVERAL))


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"yes", "no"}:
        raise wrong(f"expected yes or no, got {shown(text)}")
    return text.lower() == "yes"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise wrong(f"expected a number, such as 3, got {shown(text)}")
    return int(text)
