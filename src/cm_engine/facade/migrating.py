"""To another version of a program: what it would change, shown first, and the change itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cm_engine.acts.enrolling import found_enrollment, program_called
from cm_engine.acts.recorded import Recorded
from cm_engine.acts.recording import Act, Done, Recording
from cm_engine.acts.reported import Report, act_of_course
from cm_engine.facade.opened import Opened
from cm_engine.log.history import MIGRATED
from cm_engine.plain import one_line, plain_day
from cm_engine.views.previewing import Preview, previews, rest


@dataclass(frozen=True, slots=True)
class Migration:
    """What a change to another version of a program would change.

    Attributes:
        done: the decisions that would be made again: on results of the day of the change and after it.
        now, then: what each next result pays before the change, and after it.
        rest_now, rest_then: what all visits to come would pay if every one were met, by unit.
    """

    done: Recorded
    now: Preview
    then: Preview
    rest_now: Mapping[str, Decimal]
    rest_then: Mapping[str, Decimal]


class Migrating(Opened):
    """The part of an engine that moves enrollments to other versions of their program."""

    def migrate(
        self, *, enrollment: str, program: str, on: date, why: str, source: str, key: str, by: str
    ) -> Recorded:
        """Move an enrollment to another version of its program, from a day on.

        From that day results are decided by the new version, as if it had decided all results before; what those were
        awarded stays as it was, and counts for the new version's limits. Visits whose days were over before it, with those of
        grace, and that nobody came to, are missed under the old version. See `rehearse_migration` first.

        Args:
            program: the version, registered: `id@version` or its digest.
            on: the first day that the new version decides; results of it and later ones are decided anew.
            why: the reason, for the audit.
            source, key, by: as for `record`.

        Raises:
            ProgramNotAddedError: the version is not registered.
            ReportError: it is no other version of the program, has other units, a deposit, or a bowl where there was none,
                or the day is ahead, before the start, or before the last change; or an entry waits for a second person.
            CorrectionError: the new version cannot decide a result that is there; one that comes later is no hindrance.
            EnrollmentNotFoundError: there is no such enrollment.
        """
        report = Report(enrollment, source, key, by)
        return self._recorded(self._move(report, program, on, why))

    def rehearse_migration(self, *, enrollment: str, program: str, on: date) -> Migration:
        """Return what `migrate` would change; nothing is written.

        Args:
            program, on: as for `migrate`.

        Raises:
            CmEngineError: as `migrate`.
        """
        with self._storage.reading() as tx:
            now = Recording(tx, self._register, "", locked=False).standing(enrollment)
        act = self._move(Report(enrollment, "rehearsal", "rehearsal", "rehearsal"), program, on, "rehearsal")

        def looked(done: list[Done], recording: Recording) -> Migration:
            then = recording.standing(enrollment)
            return Migration(
                Recorded(done[0]),
                previews(*now, None),
                previews(*then, None),
                rest(*now[:2]),
                rest(*then[:2]),
            )

        return self._rehearsed([act], looked)

    def _move(self, report: Report, program: str, on: date, why: str) -> Act:
        with self._storage.reading() as tx:
            row = found_enrollment(tx, report.enrollment)
            version = program_called(tx.programs(), one_line("program", program), {row.program}).digest
        return act_of_course(MIGRATED, report, {"program": version, "on": plain_day("on", on), "why": why})
