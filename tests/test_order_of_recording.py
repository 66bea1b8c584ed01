"""The same results come to the same, in whatever order they are recorded, corrected on the way, and whenever days are over.

Several targets, each with windows of its own or none, hang together by milestones and limits of every kind. So it is too
where another version of the program, whatever it plans, decides from a day on, whenever that is said.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import given, note, settings
from hypothesis import strategies as st

from cm_engine import Engine, Program, digest, parse_program
from cm_engine.acts.recorded import Recorded

START, NOW, AFTER = date(2026, 1, 5), datetime(2026, 4, 1, tzinfo=UTC), date(2026, 3, 20)
NAMES = ("a", "b", "c")
PLANS = ("days: [monday]", "days: [monday, thursday]", "days: [tuesday]", "per_week: 2")
PAYS = (
    "fixed: 10",
    "escalate: {start: 5, step: 2}, reset: {}",
    "escalate: {start: 5, step: 2, every: week}, reset: {}",
    "weekly: {all: 12, some: 5}",
    "fixed: 4, bonus: {every: 2, amount: 3}, reset: {}",
)
MILESTONES = (
    "run: {says: A run, when: {run: 2}, amount: 50, repeats: true}",
    "week: {says: A week, when: {week: some}, amount: 7, repeats: true}",
    "job: {says: A job, when: {event: job}, amount: 5, repeats: true}",
)


class Told(NamedTuple):
    """What is reported: of a target, or a job; its moment, and the result."""

    target: str
    at: datetime
    result: str


def windows(draw: st.DrawFn) -> str:
    before, after, makeup, grace = (draw(st.integers(0, most)) for most in (3, 2, 2, 4))
    around = draw(st.sampled_from(["within: week", f"before: {before}, after: {after}"]))
    specimens = draw(st.sampled_from(["first", "last", "worst"]))
    return f"windows: {{{around}, makeup: {makeup}, grace: {grace}, apart: {draw(st.integers(0, 2))}, specimens: {specimens}}}, "


@st.composite
def programs(draw: st.DrawFn, version: int = 1, most: int = 3) -> Program:
    """Draw a program of two or three targets; results of the last may find their visits by their number."""
    names = NAMES[: draw(st.integers(2, most))]
    targets = [
        f"{name}: {{behavior: abstinence, visits: [{{weeks: 1-4, {draw(st.sampled_from(PLANS))}}}], "
        f"{'' if name == 'c' else windows(draw)}schedule: [{{weeks: 1-4, {draw(st.sampled_from(PAYS))}}}]}}"
        for name in names
    ]
    per = draw(st.sampled_from(["day", "week", "month", "episode"]))
    crossing = draw(st.sampled_from(["truncate", "withhold", "stop"]))
    limit = f"{{amount: {draw(st.sampled_from([10, 25, 40]))}, per: {per}, crossing: {crossing}}}"
    milestones = ", ".join(draw(st.lists(st.sampled_from(MILESTONES), unique=True)))
    return parse_program(
        f'{{program: p, version: "{version}", title: P, currency: USD, targets: {{{", ".join(targets)}}}, '
        f"milestones: {{{milestones}}}, limits: [{limit if draw(st.booleans()) else ''}]}}"
    )


@st.composite
def reports(draw: st.DrawFn, program: Program) -> list[Told]:
    """Draw what is reported, in the order in which it happened; each at a moment of its own."""
    heard = [*program.targets, *(["job"] if "job" in program.milestones else [])]
    days = draw(st.lists(st.tuples(st.integers(0, 31), st.sampled_from(heard)), max_size=9))
    return [
        Told(
            target,
            datetime(2026, 1, 5, 8, number, tzinfo=UTC) + timedelta(day),
            draw(st.sampled_from("---+o*e")),
        )
        for number, (day, target) in enumerate(sorted(days))
    ]


class Clinic:
    """An engine with one enrollment."""

    def __init__(self, program: Program) -> None:
        self.engine, self.keys = Engine.open("memory:", zone="UTC", clock=lambda: NOW), 0
        self.engine.add_program(program)
        self.id = self.engine.enroll(participant="p-1", program="p@1", start=START, by="nurse").id

    def act(self, kind: Callable[..., Recorded], **more: Any) -> Recorded:
        self.keys += 1
        return kind(enrollment=self.id, source="desk", key=f"{self.keys}", by="nurse", **more)

    def told(self, each: Told) -> Recorded:
        what = {"event": "job"} if each.target == "job" else {"target": each.target, "result": each.result}
        return self.act(self.engine.record, collected_at=each.at, **what)

    def told_wrong_first(self, each: Told, days: int) -> None:
        """Record a result as positive and of another day, and correct both."""
        if each.target == "job":
            self.told(each)
            return
        wrong = max(each.at + timedelta(days), datetime(2026, 1, 5, tzinfo=UTC))
        done = self.told(Told(each.target, wrong, "+"))
        self.act(self.engine.amend, record=done.record, result=each.result, collected_at=each.at, why="typo")

    def stands(self) -> tuple[list[tuple[str, int, str, Decimal]], dict[str, Decimal]]:
        """Return what stands once all days are over: of each visit, and in all."""
        self.engine.sweep(until=AFTER)
        assert self.engine.verify().is_clean
        latest = {
            each.row.subject: each
            for act in self.engine.history(enrollment=self.id)
            for each in act.decisions
        }
        found = [
            (each.target, each.visit, each.outcome, each.awards.get("USD", Decimal(0)))
            for each in latest.values()
            if each.outcome != "withdrawn"
        ]
        awarded = self.engine.statement(enrollment=self.id).awarded
        return sorted(found), {unit: amount for unit, amount in awarded.items() if amount}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_results_come_to_the_same_in_whatever_order_they_are_recorded_corrected_and_swept(
    data: st.DataObject,
) -> None:
    program = data.draw(programs())
    happened = data.draw(reports(program))
    by_number = [each for each in happened if each.target == "c"]
    straight, turned = Clinic(program), Clinic(program)
    for each in happened:
        straight.told(each)
    for each in data.draw(st.permutations([each for each in happened if each.target != "c"])):
        if data.draw(st.booleans()):
            turned.engine.sweep(until=START + timedelta(data.draw(st.integers(0, 40))))
        if data.draw(st.integers(0, 3)):
            turned.told(each)
        else:
            turned.told_wrong_first(each, data.draw(st.sampled_from([-2, 0, 1, 3])))
    for each in by_number:
        turned.told(each)
    note(f"{program}\n{happened}")
    assert turned.stands() == straight.stands()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_results_come_to_the_same_whenever_it_is_said_that_another_version_decides_from_a_day_on(
    data: st.DataObject,
) -> None:
    first, second = data.draw(programs(1, 2)), data.draw(programs(2, 2))
    happened = [each for each in data.draw(reports(first)) if each.target != "job"]
    day = START + timedelta(data.draw(st.integers(0, 31)))
    straight, turned = Clinic(first), Clinic(first)
    for clinic in (straight, turned):
        clinic.engine.add_program(second)

    def moves(clinic: Clinic) -> None:
        clinic.act(clinic.engine.migrate, program=digest(second), on=day, why="another plan")

    moves(straight)
    for each in happened:
        straight.told(each)
    order = data.draw(st.permutations([*happened, None]))
    note(f"{first}\n{second}\n{day}\n{order}")
    for told in order:
        if data.draw(st.booleans()):
            turned.engine.sweep(until=START + timedelta(data.draw(st.integers(0, 40))))
        if told is None:
            moves(turned)
        elif data.draw(st.integers(0, 3)):
            turned.told(told)
        else:
            turned.told_wrong_first(told, data.draw(st.sampled_from([-2, 0, 1, 3])))
    assert turned.stands() == straight.stands()
