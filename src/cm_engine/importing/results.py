"""The import of a file: all of it looked at, sorted on the disk, then recorded batch by batch."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from os import PathLike
from typing import NamedTuple

from cm_engine.acts.enrolling import zone_name
from cm_engine.acts.recorded import Recorded
from cm_engine.engine import Engine
from cm_engine.errors import CmEngineError, ReportError, SecretError, StorageError
from cm_engine.importing.columns import Columns, columns_of
from cm_engine.importing.counts import Imported, ImportStoppedError
from cm_engine.importing.reading import ENROLLMENT, LineError, Reader
from cm_engine.importing.refusals import refuse_unwritable, write_report
from cm_engine.importing.staging import Staged, staging
from cm_engine.importing.table import (
    File,
    Line,
    file_error,
    is_empty,
    name_of,
    numbered_lines,
    stated_delimiter,
)
from cm_engine.plain import named

BATCH_MAX = 10_000
EVERY = 1000
"""So often is said how many lines have been looked at."""

REFUSED_MAX = 10_000
"""So many refused lines are given back; a report has all of them."""

Progress = Callable[[Imported], None]


class _Import(NamedTuple):
    """All that an import works with."""

    engine: Engine
    reader: Reader
    columns: Columns
    staged: Staged
    progress: Progress


def import_results(  # noqa: PLR0913 - one argument for each thing that is chosen
    engine: Engine,
    file: File,
    *,
    by: str,
    source: str = "csv",
    zone: str = "",
    delimiter: str = "",
    batch: int = 100,
    dry_run: bool = False,
    report: str | PathLike[str] | None = None,
    progress: Progress = lambda _: None,
) -> Imported:
    r"""Record the dated results of a CSV file, whatever is refused being left out; again is the same.

    The file is read once. Its lines are sorted on the disk by their day, the moment within it, and their place in the
    file, so that a file in any order is recorded as fast as one in order: what comes after all that is recorded is
    decided at once, what comes before some of it takes a look at the whole log of its enrollment. Then they are
    recorded in batches, each in a transaction. Interrupted at any moment and started again, it goes on. Memory does
    not grow with the file.

    Two lines with one source and key are one report: if they say the same, the second is a repeat; if not, it is
    refused, and shows both. A line without a key has one that is derived from its source, its enrollment, its target
    or event, and its `collected_at`, or else its day.

    Args:
        engine: where they are recorded.
        file: a path, or a stream of bytes, in UTF-8, with a header.
        by: who imports.
        source: of lines without one of their own.
        zone: in which times without an offset are local: the name of a zone, or `enrollment` for that of each
            enrollment; empty refuses them.
        delimiter: a comma, a semicolon or a tab; empty finds it in the header.
        batch: as many lines are recorded in one transaction.
        dry_run: look at the file and at each line, and write nothing. Whether a result fits its program, and what is
            recorded already, is then not known.
        report: where to write refused lines, with their columns and `why`, to be corrected and imported again.
        progress: called with how it stands, after every batch, and after every 1000 lines that are looked at.

    Raises:
        ResultsFileError: the file is wrong as a whole; nothing was written.
        ResultsError: the report cannot be written; found before anything is, or at the end.
        ReportError: an argument is wrong; nothing was written.
        SecretError: prizes are drawn, and the engine has no secret, or another one; what was recorded stays.
        ImportStoppedError: the storage failed in the middle; what was recorded stays, and the error counts it.
        StorageError: it failed before; nothing was written.

    Example:
        >>> from datetime import date
        >>> from io import BytesIO
        >>> from cm_engine import Engine
        >>> engine = Engine.open("memory:", zone="America/Los_Angeles")
        >>> _ = engine.add_program("california-recovery-incentives")
        >>> _ = engine.enroll(
        ...     participant="p-1", program="california-recovery-incentives", start=date(2026, 1, 5), by="n", id="e-1"
        ... )
        >>> file = BytesIO(b"enrollment,result,on\ne-1,-,2026-01-08\ne-1,-,2026-01-05\ne-9,-,2026-01-05\n")
        >>> done = import_results(engine, file, by="import-1")
        >>> done.recorded, done.repeated, done.awarded
        (2, 0, {'USD': Decimal('20.00')})
        >>> print(done.refused[0])
        <file>:4:1: error: enrollment: no enrollment 'e-9'; enroll the participant first, or look for the id: enrollments lists them
    """
    _refuse_wrong(by, source, zone, batch)
    name, lines = name_of(file), numbered_lines(file)
    header = next(lines, None)
    if header is None or is_empty(header):
        raise file_error(name, 1, "expected a header, such as enrollment,result,on, got nothing; add one")
    columns = columns_of(name, header, stated_delimiter(name, delimiter))
    if report is not None:
        refuse_unwritable(report, name)
    with staging() as staged:
        reader = Reader(engine, columns, by=by, source=source, zone=zone)
        work = _Import(engine, reader, columns, staged, progress)
        found = _looked_at(work, lines)
        try:
            imported = found if dry_run else _recorded(work, found, batch)
        finally:
            if report is not None:
                write_report(report, columns, staged.refused())
        refused = tuple(islice(staged.refused(), REFUSED_MAX))
        return imported._replace(refused=refused, missed=staged.missed(), unplaced=staged.unplaced())


def _refuse_wrong(by: str, source: str, zone: str, batch: int) -> None:
    named("by", by)
    named("source", source)
    if zone not in {"", ENROLLMENT}:
        zone_name(zone)
    if not 1 <= batch <= BATCH_MAX:
        msg = f"batch: expected a number of lines from 1 to {BATCH_MAX}, got {batch}"
        raise ReportError(msg)


def _looked_at(work: _Import, lines: Iterator[Line]) -> Imported:
    """Look at every line, and put it where it is sorted; return how many there are, and are refused."""
    count = refused = 0
    for line in lines:
        if is_empty(line):
            continue
        count += 1
        try:
            work.staged.add(line, work.reader.dated(line))
        except LineError as error:
            work.staged.refuse(line, error.problems)
            refused += 1
        if count % EVERY == 0:
            work.progress(Imported(count, refused_lines=refused))
    return Imported(count, refused_lines=refused + _refuse_unlike(work))


def _refuse_unlike(work: _Import) -> int:
    """Refuse lines whose key is that of a line above that says something else; return how many."""
    refused = 0
    for line, first in _unlike(work):
        refused += 1
        message = (
            f"line {first.number} has the same key and says something else:"
            f" there {first.text}, here {line.text};"
            " take out the one that is wrong, or give each a key of its own, in a column key"
        )
        work.staged.refuse(line, [work.columns.problem(line, message, "key")])
    return refused


def _unlike(work: _Import) -> Iterator[tuple[Line, Line]]:
    """Yield lines that have the key of a line above, and other content, with that line."""
    for line, first in work.staged.with_same_key():
        if work.reader.dated(line).report != work.reader.dated(first).report:
            yield line, first


def _recorded(work: _Import, imported: Imported, batch: int) -> Imported:
    """Record what was looked at, batch by batch."""
    lines = work.staged.in_order()
    try:
        while together := list(islice(lines, batch)):
            for taken in _without_refused(work, together):
                imported = imported.plus(taken)
                for done in taken or ():
                    if not done.replayed:
                        work.staged.show(done)
            work.progress(imported)
    except StorageError as error:
        raise ImportStoppedError(imported, error) from error
    return imported


def _without_refused(work: _Import, lines: list[Line]) -> Iterator[Sequence[Recorded] | None]:
    """Yield what lines led to, in their order, part by part; None for one that is refused.

    The line that a part is refused for is left out, and the others are recorded without it.
    """
    waiting = [lines]
    while waiting:
        part = waiting.pop()
        try:
            yield work.engine.record_many([work.reader.dated(line).report for line in part])
        except (StorageError, SecretError):
            raise
        except CmEngineError as error:
            at = error.report or 0
            work.staged.refuse(part[at], [work.reader.problem(part[at], error)])
            waiting += (rest for rest in (part[at + 1 :], part[:at]) if rest)
            yield None
