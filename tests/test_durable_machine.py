"""Drive the durable engine at random beside a plain model, and compare everything after each step.

Set CM_ENGINE_EXAMPLES to look at more runs than the suite does.
"""

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cm_engine import CmEngineError, Observation, Program, ResultsError, parse_program
from cm_engine.acts.recorded import Recorded, RecordedDecision
from cm_engine.acts.reported import Report
from cm_engine.errors import BalanceError, KeyConflictError, RecordNotFoundError
from cm_engine.ledger.balances import Balance
from cm_engine.log.fold import SETTLES, TAKEN_OFF
from cm_engine.views.statement import Line
from tests.durable_model import (
    ZONE,
    Books,
    Course,
    Model,
    exact,
    nonzero,
    opened,
    own_money,
    previewed,
    stake,
)
from tests.oracle import Schedule
from tests.programs import document_of, schedules

START = date(2026, 1, 5)
FAR = date(2026, 12, 30)
CLIMB = "escalate: {start: 10, step: 5, ceiling: 25}, reset: {}, recover: {after: 2, paid: next, level: last earned}"


def program(name: str, rest: str, schedule: str = f"{{weeks: 1-6, {CLIMB}}}") -> Program:
    """One target over six weeks, twice a week, unless the rest says otherwise."""
    target = f"targets: {{abstinence: {{behavior: abstinence, schedule: [{schedule}]}}}}"
    head = (
        f'program: {name}\nversion: "1"\ntitle: {name}\ncurrency: USD\nvisits: [{{weeks: 1-6, per_week: 2}}]'
    )
    parts = [head, rest] if "targets:" in rest else [head, target, rest]
    return parse_program("\n".join(parts), name=name)


GOALS = """
targets:
  stimulants:
    behavior: abstinence
    excuses: [illness]
    quotas: [{of: excused, at_most: 1, per: week}]
    retest: {on: [invalid]}
    schedule: [{weeks: 1-6, escalate: {start: 10, step: 2, every: week}, reset: {}}]
  others: {behavior: abstinence, schedule: [{weeks: 1-6, fixed: 3, provided: stimulants}]}
  sessions: {behavior: attendance, visits: [{weeks: 1-6, program_days: [3, 17]}], schedule: [{weeks: 1-6, unit: point, fixed: 5}]}
milestones:
  welcome: {says: Welcome, when: {event: intake}, amount: 20}
  week: {says: A good week, when: {week: all}, amount: 5, repeats: true}
  job: {says: A job, when: {event: job started, count: 2}, amount: 50, repeats: true}
"""
BOWL = """
bowls: {draw: {slips: {none: {count: 9, value: 0}, small: {count: 8, value: 1, stock: 6}, large: {count: 3, value: 20}}, replace: false}}
limits: [{amount: 45, per: episode, crossing: truncate}]
"""
DEPOSIT = """
deposit: {stake: 30, loss: 10}
milestones: {half: {says: Half, when: {end_of: 1-2}, amount: 5, refunds: true}}
"""
SHARED = "limits: [{amount: 70, per: calendar year, payer: county, crossing: truncate}]"
FUND = "limits: [{amount: 100, per: rolling days, days: 20, fund: grant, crossing: withhold}]"
PROGRAMS = {
    each.program: each
    for each in (
        program("absorbing", "limits: [{amount: 90, per: calendar year, crossing: truncate}]"),
        program("offsetting", "payout: {when: at once, overpaid: offset}"),
        program("banking", "payout: {when: on request, minimum: 20}"),
        program("fridays", "payout: {when: set days, days: [friday], overpaid: offset}"),
        program("goals", GOALS),
        program("offsetting-goals", GOALS + "payout: {overpaid: offset}\n"),
        program(
            "drawing", BOWL, "{weeks: 1-6, unit: draw, escalate: {start: 1, step: 1, ceiling: 3}, reset: {}}"
        ),
        program("staking", DEPOSIT),
        program("sharing", SHARED),
        program("sharing-too", f"payout: {{overpaid: offset}}\n{SHARED}"),
        program("funded", FUND),
    )
}
EVENTS = ("intake", "job started", "deposit")
NAMES = st.sampled_from(sorted(PROGRAMS))
SYMBOLS = st.sampled_from("------++oe*r_")
PICK = st.integers(0, 99)
OFFSETS = st.integers(0, 45)
HOURS = st.none() | st.sampled_from([0, 9, 9, 15, 23])
ZONES = st.sampled_from([ZONE, ZONE, "Pacific/Auckland", "UTC"])
PAYOUTS: tuple[dict[str, Any], ...] = ({}, {"overpaid": "offset"}, {"when": "on request"})

Call = dict[str, Any]


class Durable(RuleBasedStateMachine):
    """Acts at random, on an engine and on a model."""

    kind: ClassVar = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.now = datetime(2026, 12, 31, tzinfo=UTC)
        self.engine = opened(self.kind, Path(self.folder.name), self.clock)
        self.model = Model()
        self.keys = 0
        self.done: list[tuple[Call, Recorded]] = []

    def teardown(self) -> None:
        """Give up the storage."""
        self.engine.close()
        self.folder.cleanup()

    def clock(self) -> datetime:
        """Return a time a little later each time."""
        self.now += timedelta(milliseconds=7)
        return self.now

    @initialize(name=NAMES, participant=st.sampled_from(["p-1", "p-2"]))
    def begin(self, name: str, participant: str) -> None:
        self._enroll(PROGRAMS[name], participant, START, ZONE)

    @precondition(lambda self: len(self.model.courses) < 4)
    @rule(name=NAMES, participant=st.sampled_from(["p-1", "p-2"]), late=st.integers(0, 20), zone=ZONES)
    def enroll(self, name: str, participant: str, late: int, zone: str) -> None:
        self._enroll(PROGRAMS[name], participant, START + timedelta(late), zone)

    @precondition(lambda self: len(self.model.courses) < 4)
    @rule(schedule=schedules(), payout=st.sampled_from(PAYOUTS))
    def enroll_in_something(self, schedule: Schedule, payout: dict[str, Any]) -> None:
        self.keys += 1
        document = {**document_of(schedule), "version": str(self.keys), "payout": payout}
        start = schedule["start"]
        start = start if start and start < date(2026, 10, 1) else START
        self._enroll(parse_program(json.dumps(document)), "p-1", start, ZONE)

    def _enroll(self, program: Program, participant: str, start: date, zone: str) -> None:
        self.keys += 1
        digest = self.engine.add_program(program)
        found = self.engine.enroll(
            participant=participant,
            program=digest,
            start=start,
            zone=zone,
            by="nurse",
            key=f"{self.keys}",
            again=True,
        )
        self.model.enroll(found.id, participant, program, start, zone)

    @rule(pick=PICK, word=st.text("-----+oe", min_size=1, max_size=5), gap=st.integers(0, 4))
    def observe_in_order(self, pick: int, word: str, gap: int) -> None:
        course = self._course(pick)
        target = course.rules.targets[pick % len(course.rules.targets)].name
        for symbol in word:
            on = self.model.courses[course.id].last_day() + timedelta(gap)
            self._observe(course.id, Observation(symbol, target=target), on, None)

    @rule(pick=PICK, symbol=SYMBOLS, offset=OFFSETS, hour=HOURS, given=st.booleans())
    def observe_whenever(self, pick: int, symbol: str, offset: int, hour: int | None, *, given: bool) -> None:
        course = self._course(pick)
        target = course.rules.targets[pick % len(course.rules.targets)].name
        on, at = _when(course, offset, hour, given=given)
        self._observe(course.id, Observation(symbol, target=target), on, at)

    @rule(pick=PICK, event=st.sampled_from(EVENTS), offset=OFFSETS)
    def something_happens(self, pick: int, event: str, offset: int) -> None:
        course = self._course(pick)
        self._observe(course.id, Observation(event=event), course.start + timedelta(offset), None)

    @rule(rows=st.lists(st.tuples(PICK, SYMBOLS, OFFSETS), min_size=1, max_size=4))
    def observe_many(self, rows: list[tuple[int, str, int]]) -> None:
        reports = []
        for pick, symbol, offset in rows:
            course = self._course(pick)
            target = course.rules.targets[pick % len(course.rules.targets)].name
            reports.append(
                (course.id, Observation(symbol, target=target), course.start + timedelta(offset), None)
            )
        calls = [self._new(enrollment=each, **_seen(seen), on=on) for each, seen, on, _ in reports]
        self._both(
            lambda: self.engine.record_many([Report(**call) for call in calls]),
            lambda: self.model.observe_many(
                (*each, call["key"]) for each, call in zip(reports, calls, strict=True)
            ),
        )

    @rule(pick=PICK, which=PICK, symbol=SYMBOLS)
    def amend_the_result(self, pick: int, which: int, symbol: str) -> None:
        self._amend(self._course(pick), which, Observation(symbol))

    @rule(pick=PICK, which=PICK, offset=OFFSETS, hour=HOURS, given=st.booleans())
    def amend_the_time(self, pick: int, which: int, offset: int, hour: int | None, *, given: bool) -> None:
        course = self._course(pick)
        on, at = _when(course, offset, hour, given=given)
        self._amend(course, which, Observation(), on, at)

    @rule(pick=PICK, which=PICK, symbol=st.just("") | SYMBOLS)
    def amend_the_target(self, pick: int, which: int, symbol: str) -> None:
        course = self._course(pick)
        target = course.rules.targets[which % len(course.rules.targets)].name
        self._amend(course, which, Observation(symbol, target=target))

    @rule(pick=PICK, which=PICK)
    def void(self, pick: int, which: int) -> None:
        course = self._course(pick)
        if course.facts:
            record = sorted(course.facts)[which % len(course.facts)]
            call = self._new(enrollment=course.id, record=record, why="by mistake")
            recorded = self._both(
                lambda: self.engine.void(**call), lambda: self.model.void(course.id, record)
            )
            self._check_recorded(recorded, course, record, call)

    @rule(pick=PICK, which=PICK)
    def correct_what_does_not_stand(self, pick: int, which: int) -> None:
        course = self._course(pick)
        if which not in course.facts:
            call = self._new(enrollment=course.id, record=which, why="by mistake")
            with pytest.raises(RecordNotFoundError):
                self.engine.void(**call)
            with pytest.raises(RecordNotFoundError):
                self.engine.amend(**call, result="-")

    @precondition(lambda self: self.done)
    @rule(pick=PICK)
    def repeat(self, pick: int) -> None:
        call, first = self.done[pick % len(self.done)]
        again = self.engine.record(**{**call, "by": "somebody else"})
        assert again.replayed
        assert (again.record, again.decisions, again.by) == (first.record, first.decisions, first.by)

    @precondition(lambda self: self.done)
    @rule(pick=PICK, day=OFFSETS)
    def use_a_key_again_for_something_else(self, pick: int, day: int) -> None:
        call, _ = self.done[pick % len(self.done)]
        other = {**call, "collected_at": None, "on": START + timedelta(100 + day)}
        with pytest.raises(KeyConflictError) as caught:
            self.engine.record(**other)
        assert str(other["on"]) in caught.value.given

    @rule(pick=PICK, offset=st.none() | OFFSETS)
    def assert_what_was_awarded(self, pick: int, offset: int | None) -> None:
        course = self._course(pick)
        on = FAR if offset is None else course.start + timedelta(offset)
        amount = exact(course.program, {"USD": course.awarded(on)["USD"]})["USD"]
        with pytest.raises(BalanceError):
            self.engine.assert_awarded(
                **self._new(enrollment=course.id, amount=amount + Decimal("0.01"), on=on)
            )
        self.engine.assert_awarded(**self._new(enrollment=course.id, amount=amount, on=on))
        self.model.asserted(course.id)

    @rule(pick=PICK, offset=st.none() | OFFSETS)
    def preview(self, pick: int, offset: int | None) -> None:
        course = self._course(pick)
        on = None if offset is None else course.last_day() + timedelta(offset)
        expected = previewed(self.model, course, on)
        if on is None or any(expected.values()) or not course.goes_on:
            assert self.engine.preview(enrollment=course.id, on=on) == expected
        else:
            with pytest.raises(ResultsError):
                self.engine.preview(enrollment=course.id, on=on)

    @invariant()
    def everything_agrees(self) -> None:
        for course in self.model.courses.values():
            self._check(course)
        found = self.engine.verify()
        assert found.is_clean, [str(each) for each in found.differences]
        assert found.enrollments == len(self.model.courses)
        assert found.records == sum(course.acts for course in self.model.courses.values())
        assert found.decisions == sum(course.decisions for course in self.model.courses.values())

    def _course(self, pick: int) -> Course:
        return list(self.model.courses.values())[pick % len(self.model.courses)]

    def _new(self, **call: Any) -> Call:
        self.keys += 1
        return {"source": "desk", "key": f"{self.keys}", "by": "nurse", **call}

    def _both(self, of_engine: Callable[[], Any], of_model: Callable[[], Any]) -> Any:
        """Do an act on both; both refuse it, or none does."""
        try:
            of_model()
        except CmEngineError:
            with pytest.raises(CmEngineError):
                of_engine()
            return None
        return of_engine()

    def _observe(self, id_: str, seen: Observation, on: date | None, at: datetime | None) -> None:
        before = self.model.courses[id_]
        call = self._new(enrollment=id_, **_seen(seen), on=on, collected_at=at)
        recorded = self._both(
            lambda: self.engine.record(**call), lambda: self.model.observe(id_, seen, on, at, call["key"])
        )
        if recorded:
            self.done.append((call, recorded))
        self._check_recorded(recorded, before, before.acts, call)

    def _amend(
        self,
        course: Course,
        which: int,
        seen: Observation,
        on: date | None = None,
        at: datetime | None = None,
    ) -> None:
        if not course.facts:
            return
        record = sorted(course.facts)[which % len(course.facts)]
        call = self._new(
            enrollment=course.id, record=record, why="the laboratory", **_seen(seen), on=on, collected_at=at
        )
        recorded = self._both(
            lambda: self.engine.amend(**call),
            lambda: self.model.amend(course.id, record, seen=seen, on=on, at=at),
        )
        self._check_recorded(recorded, course, record, call)

    def _check_recorded(self, recorded: Recorded | None, before: Course, about: int, call: Call) -> None:
        """Compare what an act returns with what it changed."""
        if recorded is None:
            return
        after = self.model.courses[before.id]
        assert (recorded.record, recorded.key, recorded.by) == (before.acts, call["key"], "nurse")
        assert not recorded.replayed
        assert sorted(each.record for each in recorded.decisions) == sorted(after.changed)
        assert {each.record for each in recorded.corrected} == set(after.changed) - {about}
        assert (recorded.decision is not None) == (about in after.changed)
        more = {
            unit: _handed(of) - _handed(before.books.get(unit, Books())) for unit, of in after.books.items()
        }
        assert nonzero(recorded.payable) == nonzero(exact(after.program, more))

    def _check(self, course: Course) -> None:
        """Compare one enrollment with its model."""
        history = self.engine.history(enrollment=course.id)
        assert [each.record for each in history] == list(range(course.acts))
        stands: dict[int, RecordedDecision] = {}
        for act in history:
            for decision in act.decisions:
                stands[decision.record] = decision
        self._check_decisions(course, stands)
        decisions = [decision for act in history for decision in act.decisions]
        assert [each.number for each in decisions] == list(range(1, course.decisions + 1))
        statement = self.engine.statement(enrollment=course.id)
        self._check_lines(course, decisions, statement.lines)
        handed = {unit: _handed(books) for unit, books in course.books.items()}
        found = {
            unit: _sum(line.amounts.get(unit, Decimal(0)) for line in statement.lines) for unit in handed
        }
        assert found == exact(course.program, handed)
        if statement.lines:
            assert nonzero(statement.lines[-1].so_far) == nonzero(exact(course.program, handed))
        self._check_balances(course, statement.balances)
        self._check_days(course)

    def _check_lines(
        self, course: Course, decisions: Sequence[RecordedDecision], lines: Sequence[Line]
    ) -> None:
        """A statement has a line for each decision that tells something else than the one whose place it takes."""
        former: dict[int, RecordedDecision] = {}
        changed = []
        for each in decisions:
            if each.record not in former or _tells(each) != _tells(former[each.record]):
                changed.append(each.number)
            former[each.record] = each
        shown = [line.number for line in lines]
        assert shown == sorted(shown)
        assert set(changed) <= set(shown)
        if not course.program.deposit:
            assert shown == changed
        stand = {line.record: line for line in lines}
        assert {record: line.latest for record, line in stand.items()} == {
            record: each.number for record, each in former.items()
        }
        assert all(stand[record].sentence.startswith(each.sentence) for record, each in former.items())

    def _check_decisions(self, course: Course, stands: dict[int, RecordedDecision]) -> None:
        assert {record for record, each in stands.items() if each.outcome != "withdrawn"} == set(course.told)
        assert set(stands) == course.ever
        for record, told in course.told.items():
            found, decision = stands[record], told.decision
            place = (found.target, found.visit, found.week, found.on, found.outcome)
            assert place == decision[:5]
            assert found.awards == decision.awards
            assert found.reasons == decision.reasons
            told_besides = found.sentence.removeprefix(decision.sentence)
            assert not told_besides or told_besides.endswith((SETTLES, TAKEN_OFF))
            assert found.prizes == told.won

    def _check_balances(self, course: Course, found: Any) -> None:
        awarded, state = course.awarded(), course.state
        assert state is not None
        for name in {*awarded, *course.books, *found}:
            unit, books = course.program.unit(name), course.books.get(name, Books())
            absorbed = sum(books.absorbed.values())
            counts = (awarded[name], books.owed, books.given, 0, 0, absorbed, books.offset)
            drawn = awarded[name] if name in course.program.bowls else 0
            own = (stake(state), drawn, *own_money(course)) if name == "USD" else (0, drawn, 0, 0)
            expected = Balance(name, *(unit.decimal(amount) for amount in (*counts, *own)))
            assert found.get(name, Balance(name, *[unit.decimal(0)] * 11)) == expected
            assert books.owed >= 0
            assert min(books.absorbed.values(), default=0) >= 0

    def _check_days(self, course: Course) -> None:
        """What had been awarded by the end of each day is the sum of what stands for the days up to it."""
        for day in {fact.day(course.zone) for fact in course.facts.values()}:
            found = self.engine.statement(enrollment=course.id, until=day)
            expected = exact(course.program, course.awarded(day))
            assert nonzero(found.awarded) == nonzero(expected)


def _seen(seen: Observation) -> Call:
    return {"result": seen.outcome, "target": seen.target, "event": seen.event}


def _tells(decision: RecordedDecision) -> tuple[Any, ...]:
    """What a participant is told of a decision, besides its words."""
    prizes = decision.prizes
    drawn, won = ([each.slip for each in prizes.drawn], prizes.paid) if prizes else ([], None)
    place = (decision.on, decision.target, decision.visit, decision.outcome)
    return (*place, nonzero(decision.awards), drawn, won)


def _handed(books: Books) -> int:
    return books.owed + books.given


def _sum(amounts: Any) -> Decimal:
    return sum(amounts, Decimal(0))


def _when(
    course: Course, offset: int, hour: int | None, *, given: bool
) -> tuple[date | None, datetime | None]:
    """A day, or a moment in the clinic's zone, or a moment that counts for the day before."""
    day = course.start + timedelta(offset)
    if hour is None:
        return day, None
    at = datetime(day.year, day.month, day.day, hour, 30, tzinfo=ZoneInfo(course.zone))
    return (day - timedelta(1) if given else None), at.astimezone(UTC) if offset % 2 else at


class DurableInSqlite(Durable):
    """The same, in a file."""

    kind: ClassVar = "sqlite"


EXAMPLES = int(os.environ.get("CM_ENGINE_EXAMPLES", "0"))
HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def _settings(examples: int) -> settings:
    """The same runs each time in the suite; others each time if more are asked for."""
    return settings(
        max_examples=EXAMPLES or examples,
        stateful_step_count=20,
        deadline=None,
        derandomize=not EXAMPLES,
        suppress_health_check=HEALTH,
    )


TestInMemory = Durable.TestCase
TestInMemory.settings = _settings(40)
TestInSqlite = DurableInSqlite.TestCase
TestInSqlite.settings = _settings(15)
