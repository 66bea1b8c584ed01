"""From a mapping file, and the table of participants beside it, to a mapping, or to every problem they have."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from cm_engine.acts.enrolling import zone_name
from cm_engine.errors import MappingError, Problem, ProgramError, ProgramNotFoundError, ReportError
from cm_engine.intake.mapping import SAME, CodeMapping, CodeRule, MappingFile, Panel
from cm_engine.intake.queue import acts_source
from cm_engine.plain import opaque, unreserved
from cm_engine.program.checks.base import Found
from cm_engine.program.loading import read_text
from cm_engine.program.partial import IllFormedError, partial_part
from cm_engine.program.reading import Document, read_document
from cm_engine.program.wording import structure_problems

COLUMNS = ["person", "participant"]


def load_mapping(path: str | os.PathLike[str]) -> CodeMapping:
    """Load a mapping file, YAML 1.2 or JSON in UTF-8, with the table of participants that it names.

    Raises:
        MappingError: there is no such file, or it is wrong, or its table is; the error holds every problem with line
            and column.
    """
    name = os.fspath(path)
    file, document = _read(
        _text(path, Problem(name, 1, 1, "", "there is no such file, or it cannot be read")), name
    )
    if file.participants == SAME:
        return CodeMapping(file, None)
    table = Path(path).parent / file.participants
    absent = document.problem(
        ("participants",), f"expected {SAME}, or a CSV file beside this one; there is no {table}"
    )
    return CodeMapping(file, _people(_text(table, absent), os.fspath(table)))


def parse_mapping(text: str, *, people: Mapping[str, str] | None = None, name: str = "<text>") -> CodeMapping:
    r"""Read a mapping from text.

    Args:
        text: YAML 1.2, or JSON.
        people: the participant of each id of the sender, where the text does not say `participants: same`.
        name: what to call the text in problems.

    Raises:
        MappingError: the text is wrong; the error holds every problem with line and column.

    Example:
        >>> parse_mapping("mapping: lab\nsource: lab\nparticipants: same\ncodes:\n- {system: LN, code: a, target: x}")
        Traceback (most recent call last):
        cm_engine.errors.MappingError: <text>:5:3: error: codes.0: say which program this is for, here or in the key 'program' of the file
    """
    file, document = _read(text, name)
    if file.participants != SAME and people is None:
        raise MappingError([document.problem(("participants",), f"expected {SAME}, as no table was given")])
    return CodeMapping(file, None if file.participants == SAME else dict(people or {}))


def _text(path: str | os.PathLike[str], absent: Problem) -> str:
    try:
        return read_text(path)
    except ProgramNotFoundError:
        raise MappingError([absent]) from None
    except ProgramError as error:
        raise MappingError(error.problems) from error


def _read(text: str, name: str) -> tuple[MappingFile, Document]:
    document = read_document(text, name)
    if document.data is None:
        raise MappingError(document.problems)
    try:
        file = MappingFile.model_validate(document.data)
    except ValidationError as error:
        partial = _checked(partial_part(MappingFile, document.data), document)
        found = {*document.problems, *structure_problems(document, error, MappingFile), *partial}
        raise MappingError(found) from None
    if wrong := {*document.problems, *_checked(file, document)}:
        raise MappingError(wrong)
    return file, document


def _checked(file: MappingFile, document: Document) -> Iterator[Problem]:
    """Yield what does not hold between values; a check that looks at one that is ill-formed stops."""
    for check in CHECKS:
        try:
            for path, message in check(file):
                yield document.problem(path, message)
        except (IllFormedError, TypeError):
            continue


def _known_zone(file: MappingFile) -> Found:
    """Find a zone that there is not."""
    try:
        zone_name(file.zone or "UTC")
    except ReportError as error:
        yield ("zone",), str(error).removeprefix("zone: ")


def _plain_source(file: MappingFile) -> Found:
    """Find a source that cannot stand in the log."""
    try:
        unreserved("source", acts_source(file.source))
    except ReportError as error:
        yield ("source",), str(error).removeprefix("source: ")


def _programs_said(file: MappingFile) -> Found:
    """Find what is for no program."""
    named: tuple[tuple[str, tuple[CodeRule | Panel, ...]], ...] = (
        ("codes", file.codes),
        ("panels", file.panels),
    )
    for key, parts in named:
        for index, part in enumerate(parts):
            if not file.program_of(part):
                yield (key, index), "say which program this is for, here or in the key 'program' of the file"


def _codes_once(file: MappingFile) -> Found:
    """Find a code that has two meanings, or is of no matter as well."""
    codes = [("codes", index, (each.system, each.code)) for index, each in enumerate(file.codes)]
    codes += [("ignore", index, (each.system, each.code)) for index, each in enumerate(file.ignore)]
    seen: dict[tuple[str, str], str] = {}
    for key, index, code in codes:
        if before := seen.get(code):
            yield (key, index, "code"), f"{code[1]!r} of {code[0]} stands under {before} already"
        seen.setdefault(code, f"{key}.{index}")


def _one_meaning(file: MappingFile) -> Found:
    """Find a code that is to be two things at once."""
    kinds = ("event", "analyte", "measured", "prescribed", "condition")
    for index, rule in enumerate(file.codes):
        said = [kind for kind in kinds if getattr(rule, kind)]
        if len(said) > 1:
            yield ("codes", index, said[1]), f"it is {said[0]} already; write a code for each meaning"
        if rule.event and rule.target:
            yield ("codes", index, "event"), "an event is of no target; leave one of them out"


def _values_said(file: MappingFile) -> Found:
    """Find an analyte, a prescription or a flaw of which no value could ever be read."""
    for index, rule in enumerate(file.codes):
        words = {**file.values, **rule.values}
        if rule.means in {"analyte", "prescribed", "condition"} and not {"-", "+"} & set(words.values()):
            yield (
                ("codes", index),
                "say which of the sender's values are - or +, in `values` here or of the file",
            )


def _panels_of_codes(file: MappingFile) -> Found:
    """Find an analyte of a panel that no code gives, and a panel that stands twice."""
    given = {(_slot(file, rule), rule.analyte) for rule in file.codes}
    counted = Counter(_slot(file, panel) for panel in file.panels)
    for index, panel in enumerate(file.panels):
        if counted[_slot(file, panel)] > 1:
            yield ("panels", index), "there is another panel of this target"
        for place, analyte in enumerate(panel.analytes):
            if (_slot(file, panel), analyte) not in given:
                yield (
                    ("panels", index, "analytes", place),
                    f"no code of the file gives the analyte {analyte!r}",
                )


def _slot(file: MappingFile, part: CodeRule | Panel) -> tuple[str, str]:
    return file.program_of(part), part.target or ""


CHECKS: tuple[Callable[[MappingFile], Found], ...] = (
    _known_zone,
    _plain_source,
    _programs_said,
    _codes_once,
    _one_meaning,
    _values_said,
    _panels_of_codes,
)


def _people(text: str, name: str) -> dict[str, str]:
    """Return the table of participants.

    Raises:
        MappingError: it has every problem, with line and column.
    """
    rows = list(csv.reader(text.splitlines()))
    if not rows or [cell.strip() for cell in rows[0]] != COLUMNS:
        raise MappingError([Problem(name, 1, 1, "", f"expected the header {','.join(COLUMNS)}")])
    people: dict[str, str] = {}
    problems = []
    for line, row in enumerate(rows[1:], start=2):
        cells = [cell.strip() for cell in row]
        if any(cells):
            problems += [Problem(name, line, 1, "", said) for said in _row_problems(cells, people)]
            people.setdefault(*(cells if len(cells) == len(COLUMNS) else ("", "")))
    if problems:
        raise MappingError(problems)
    return people


def _row_problems(cells: list[str], people: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with a row; nothing of what stands in it, as it may be a name."""
    if len(cells) != len(COLUMNS) or not all(cells):
        yield f"expected the cells {' and '.join(COLUMNS)}"
        return
    if cells[0] in people:
        yield "this person stands in a line above already"
    try:
        opaque("participant", cells[1])
    except ReportError as error:
        yield str(error)
