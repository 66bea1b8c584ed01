"""The list of a day: who was expected and who came, what is to be handed over, and what is asked."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from examples.clinic.clinic import Clinic
from examples.clinic.tables import ChartNote, Participant
from examples.clinic.view import Amounts, Chart, chart_of, difference, total
from examples.clinic.visits import has_windows
from examples.clinic.ways import IN_FLIGHT, Way, ways_of
from sqlalchemy import func, select

from cm_engine import Enrollment, PlannedVisit, Program, Recorded, RecordedDecision

PAGE = 500
ABSENT = {"o", "e", "_"}


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """An enrollment without an entry on the day, and when it had its last."""

    participant: str
    enrollment: Enrollment
    last: date | None
    days: int


@dataclass(frozen=True, kw_only=True)
class DayList:
    """What happened on a day, by what the clinic wrote on it, and what is still to be done.

    Attributes:
        acts: what was recorded, each with the chart that it belongs to.
        unseen: who has not been seen, of programs whose visits have no days.
        expected: the visits that are open on the day, or overdue, each with the label of who should come.
        questions: the results that fit no visit, each with the label of whose they are.
        ways: every payout, each with the label of to whom, and the program.
        entered: the enrollments and the days of results that wait for another person.
    """

    day: date
    acts: tuple[tuple[Chart, Recorded], ...]
    unseen: tuple[Unseen, ...]
    expected: tuple[tuple[str, PlannedVisit], ...]
    questions: tuple[tuple[str, str, RecordedDecision], ...]
    ways: tuple[tuple[str, Enrollment, Program, Way], ...]
    entered: frozenset[tuple[str, date]]

    @property
    def came(self) -> list[tuple[Chart, Recorded]]:
        """Return the results of visits, absences left out, that were recorded of the day."""
        return [
            (chart, act)
            for chart, act in self.acts
            if act.kind == "observed"
            and has_windows(chart.program)
            and act.on == self.day
            and act.outcome not in ABSENT
        ]

    @property
    def overdue(self) -> bool:
        """Tell whether there is a visit whose window is over and that nothing was recorded of."""
        return any(visit.status == "overdue" for _, visit in self.expected)

    def is_entered(self, visit: PlannedVisit) -> bool:
        """Tell whether a result of a visit's days waits for another person."""
        days = (day for enrollment, day in self.entered if enrollment == visit.enrollment)
        return any(visit.opens <= day <= visit.closes for day in days)

    @property
    def handed_over(self) -> list[tuple[Program, Amounts]]:
        """Return what was put on its way on the day and is owed, by unit, each with a program that knows the unit."""
        return _sums(
            (program, difference(way.over, way.amounts))
            for _, _, program, way in self.ways
            if way.on == self.day and way.status in {IN_FLIGHT, "issued"}
        )

    @property
    def given(self) -> list[tuple[Program, Amounts]]:
        """Return what was handed over on the day, by unit, each with a program that knows the unit."""
        return _sums(
            (chart.program, self.amounts(act)) for chart, act in self.acts if act.kind == "handed over"
        )

    def amounts(self, act: Recorded) -> Amounts:
        """Return what a payout came to that an act is about."""
        mine = [way for _, each, _, way in self.ways if each.id == act.enrollment]
        return total(way.amounts for way in mine if way.number == act.reported["number"])

    def open_ways(self) -> list[tuple[str, Enrollment, Program, Way]]:
        """Return what is to be handed over."""
        return [each for each in self.ways if each[3].is_open]

    def over_ways(self) -> list[tuple[str, Enrollment, Program, Way]]:
        """Return what is on its way and not owed any more."""
        return [each for each in self.ways if each[3].is_over]


def _sums(found: Iterable[tuple[Program, Amounts]]) -> list[tuple[Program, Amounts]]:
    """Return amounts by unit, each with a program that knows the unit."""
    known = list(found)
    programs = {unit: program for program, amounts in known for unit in amounts}
    return [(programs[unit], {unit: amount}) for unit, amount in total(each for _, each in known).items()]


def day_list(clinic: Clinic, day: date) -> DayList:
    """Return what happened on a day of the clinic's zone."""
    with clinic.reading() as session:
        asked = select(ChartNote.enrollment, ChartNote.record).where(ChartNote.day == day)
        noted = set(session.execute(asked))
        last = select(ChartNote.enrollment, func.max(ChartNote.day)).where(ChartNote.day <= day)
        seen = dict(session.execute(last.group_by(ChartNote.enrollment)).all())
        labels = {each.id: each.label for each in session.scalars(select(Participant))}
    acts = tuple(
        sorted(
            _acts(clinic, noted),
            key=lambda each: (each[1].recorded_at, each[0].participant.label, each[1].record),
        )
    )
    everybody = {each.id: each for each in everybody_of(clinic)}
    names = {each.id: labels.get(each.participant, each.participant) for each in everybody.values()}
    without = (each for each in everybody.values() if not has_windows(clinic.programs[each.program]))
    unseen = [_unseen(each, names[each.id], seen.get(each.id), day) for each in without if each.start <= day]
    away = (each for each in unseen if each.last != day)
    return DayList(
        day=day,
        acts=acts,
        unseen=tuple(sorted(away, key=lambda each: -each.days)),
        expected=tuple(
            sorted(
                ((names[each.enrollment], each) for each in clinic.engine.expected(on=day)),
                key=lambda each: (each[1].on, each[0]),
            )
        ),
        entered=frozenset(
            (each.enrollment, clinic.day_of(each.reported)) for each in clinic.engine.waiting()
        ),
        questions=tuple(
            (names[each.id], each.id, question)
            for each in everybody.values()
            if has_windows(clinic.programs[each.program])
            for question in clinic.engine.questions(enrollment=each.id)
        ),
        ways=tuple(
            (names[each.id], each, clinic.programs[each.program], way)
            for each in everybody.values()
            for way in ways_of(clinic.engine, each.id)
        ),
    )


def _acts(clinic: Clinic, noted: Iterable[tuple[str, int]]) -> Iterator[tuple[Chart, Recorded]]:
    charts = {enrollment: chart_of(clinic, enrollment) for enrollment, _ in noted}
    for enrollment, record in noted:
        act = charts[enrollment].act(record)
        if act:
            yield charts[enrollment], act


def _unseen(each: Enrollment, label: str, last: date | None, day: date) -> Unseen:
    return Unseen(
        participant=label,
        enrollment=each,
        last=last,
        days=(day - (last or each.start)).days,
    )


def everybody_of(clinic: Clinic) -> Iterator[Enrollment]:
    """Yield all enrollments, page by page."""
    after = ""
    while found := clinic.engine.enrollments(after=after, limit=PAGE):
        yield from found
        after = found[-1].id
