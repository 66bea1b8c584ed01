"""The participants of a cohort, from the enrollments that an engine keeps."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from cm_engine.acts.recorded import Enrollment, Recorded
from cm_engine.engine import Engine
from cm_engine.errors import ProgramNotAddedError
from cm_engine.log.history import AMENDED, OBSERVED, VOIDED, amended
from cm_engine.outcomes.timeline import Timeline, Visits, last_day, with_only
from cm_engine.program.values import OUTCOMES
from cm_engine.views.statement import Line, Statement

PAGE = 500

NOT_DUE = "_"


class Person(NamedTuple):
    """One participant of a cohort, or one enrollment of a participant.

    Attributes:
        id: of the participant, or of the enrollment if a database has several of one.
        arm: of the trial, or the program; empty for none.
        timeline: what is known of the course.
    """

    id: str
    arm: str
    timeline: Timeline


def enrolled_people(engine: Engine, *, program: str = "", target: str = "", trial: str = "") -> list[Person]:
    """Return those who are enrolled, each with what was decided and reported as it stands today, in the order of their ids.

    Args:
        engine: where they are.
        program: only of this one: its id, its id and version, or its digest.
        target: whose visits are measured by endpoints that name no target; empty for the only one of a program.
        trial: only participants of this trial, by its arms; left out, the arm is the id of the program.

    Raises:
        ProgramNotAddedError: there is no such program.
        JournalNotFoundError: there is no such trial.

    Example:
        >>> from datetime import date
        >>> engine = Engine.open("memory:", zone="America/Los_Angeles")
        >>> _ = engine.add_program("california-recovery-incentives")
        >>> _ = engine.enroll(
        ...     participant="p-1", program="california-recovery-incentives", start=date(2026, 1, 5), by="n", id="e-1"
        ... )
        >>> for day, result in ((5, "-"), (8, "+")):
        ...     _ = engine.record(
        ...         enrollment="e-1", result=result, on=date(2026, 1, day), source="lab", key=str(day), by="n"
        ...     )
        >>> [person] = enrolled_people(engine)
        >>> person.arm, person.timeline.visits[""]
        ('california-recovery-incentives', Visits(word='-+', days=(0, 3)))
    """
    names = {digest: name for name, digest in engine.programs().items()}
    if program and not any(program in _called(name, digest) for digest, name in names.items()):
        raise ProgramNotAddedError(program, names.values())
    chosen = [
        each for each in _all(engine) if not program or program in _called(names[each.program], each.program)
    ]
    arms = (
        _arms(engine, trial, chosen, names)
        if trial
        else {each.id: _id(names[each.program]) for each in chosen}
    )
    chosen = [each for each in chosen if each.id in arms]
    is_once = len({each.participant for each in chosen}) == len(chosen)
    people = (
        Person(
            each.participant if is_once else each.id,
            arms[each.id],
            timeline_of_enrollment(engine, each, target),
        )
        for each in chosen
    )
    return sorted(people, key=lambda person: person.id)


def _arms(
    engine: Engine, trial: str, enrollments: list[Enrollment], names: Mapping[str, str]
) -> dict[str, str]:
    """Return the arms of a trial by the enrollments that participants have in the programs of their arms."""
    programs = {arm: _id(names[digest]) for arm, digest in engine.trial(trial).programs.items()}
    arms = {each.participant: each.arm for each in engine.unblinded(trial)}
    return {
        each.id: arms[each.participant]
        for each in enrollments
        if each.participant in arms and programs[arms[each.participant]] == _id(names[each.program])
    }


def _id(name: str) -> str:
    """Return the id of a program from its id and version."""
    return name.partition("@")[0]


def _called(name: str, digest: str) -> tuple[str, str, str]:
    """Return all that a program is called by: its id, its id and version, and its digest."""
    return _id(name), name, digest


def _all(engine: Engine) -> Iterator[Enrollment]:
    after = ""
    while page := engine.enrollments(after=after, limit=PAGE):
        yield from page
        after = page[-1].id


def timeline_of_enrollment(engine: Engine, enrollment: Enrollment, target: str = "") -> Timeline:
    """Return what is known of an enrollment: its decisions as they stand, and what was reported beside them."""
    lines = list(_standing(engine.statement(enrollment=enrollment.id)))
    visits = {name: _visits(lines, name, enrollment.start) for name in _targets(lines)}
    events, values = _reports(engine.history(enrollment=enrollment.id), lines, enrollment.start)
    days = [(line.on - enrollment.start).days for line in lines if line.on]
    return Timeline(
        with_only(visits, target),
        events,
        values,
        until=max(days, default=last_day(visits.values())),
        has_reports=True,
    )


def _standing(statement: Statement) -> Iterator[Line]:
    """Yield the decisions that no later one takes the place of, by their days."""
    replaced = {line.corrects for line in statement.lines}
    stand = (line for line in statement.lines if line.number not in replaced)
    yield from sorted(stand, key=lambda line: (line.on or date.min, line.record, line.number))


def _targets(lines: list[Line]) -> list[str]:
    return list(dict.fromkeys(line.target for line in lines if line.target and line.visit))


def _visits(lines: list[Line], target: str, start: date) -> Visits:
    """Return the visits of a target up to the last one decided; one that nothing is known of was not required."""
    decided = {line.visit: line for line in lines if line.target == target and line.outcome in OUTCOMES}
    numbers = sorted(visit for visit in decided if visit)
    word = "".join(
        decided[number].outcome if number in decided else NOT_DUE
        for number in range(1, max(numbers, default=0) + 1)
    )
    return Visits(word, _days(decided, len(word), start))


def _days(decided: Mapping[int, Line], visits: int, start: date) -> tuple[int, ...] | None:
    """Return the day of each visit; one that nothing is known of has that of the visit before."""
    found: list[int] = []
    for number in range(1, visits + 1):
        line = decided.get(number)
        if line and line.on is None:
            return None
        found.append((line.on - start).days if line and line.on else (found[-1] if found else 0))
    return tuple(found)


def _reports(
    acts: tuple[Recorded, ...], lines: list[Line], start: date
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[Decimal, ...]]]:
    """Return the days of what was reported, and the values of what was measured, in the order of their days."""
    bodies = _bodies(acts)
    days: dict[str, list[int]] = {}
    values: dict[str, list[Decimal]] = {}
    for line in lines:
        body = bodies.get(line.record, {})
        event = body.get("event", "")
        if event and line.on and line.visit == 0:
            days.setdefault(event, []).append((line.on - start).days)
        if (value := body.get("evidence", {}).get("value")) is not None:
            values.setdefault(event or line.target, []).append(Decimal(value))
    return {name: tuple(each) for name, each in days.items()}, {
        name: tuple(each) for name, each in values.items()
    }


def _bodies(acts: tuple[Recorded, ...]) -> dict[int, dict[str, Any]]:
    """Return what each observation says that stands, as it was amended."""
    found: dict[int, dict[str, Any]] = {}
    for act in acts:
        body = dict(act.reported)
        if act.kind == OBSERVED:
            found[act.record] = body
        elif act.kind == AMENDED:
            found[body["of"]] = amended(found[body["of"]], body)
        elif act.kind == VOIDED:
            found.pop(body["of"], None)
    return found
