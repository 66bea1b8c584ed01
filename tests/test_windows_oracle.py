"""Windows against a second, naive reading: any program, any course, reported in any order.

Set CM_ENGINE_EXAMPLES to look at more courses than the suite does.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, note, settings
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from cm_engine import Evidence, Program, parse_program
from cm_engine.acts.recorded import RecordedDecision
from cm_engine.engine import Engine
from tests.oracle_windows import (
    TOGETHER,
    Away,
    Course,
    Fate,
    Goal,
    Plan,
    Seen,
    Windows,
    calendar,
    days_on,
    fates,
    verdicts,
)

ZONE = ZoneInfo("America/Los_Angeles")
START = date(2026, 3, 2)
LATEST = date(2026, 12, 1)
EXAMPLES = int(os.environ.get("CM_ENGINE_EXAMPLES", "0"))
NAMES = ("stimulants", "alcohol")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UNSCHEDULED = Evidence(conditions=("unscheduled",))

# A program, as the engine reads it.


def program_of(plan: Plan) -> Program:
    document = {
        "program": "windows",
        "version": "1",
        "title": "Windows",
        "currency": "USD",
        "pauses": "later" if plan["later"] else "not required",
        "closures": [{"first": day.isoformat()} for day in plan["closed"]],
        "targets": {NAMES[n]: target_of(plan, goal) for n, goal in enumerate(plan["goals"])},
        "limits": [{"amount": str(plan["most"]), "per": "episode", "crossing": "truncate"}],
        "milestones": {"together": together_of(plan["together"])} if plan["together"] else {},
    }
    return parse_program(json.dumps(document))


def together_of(run: int) -> dict[str, Any]:
    return {"says": "A run of all goals", "when": {"run": run}, "amount": str(TOGETHER), "repeats": True}


def target_of(plan: Plan, goal: Goal) -> dict[str, Any]:
    weeks = f"1-{plan['weeks']}"
    days = {"days": [WEEKDAYS[n] for n in goal["weekdays"]]} if goal["weekdays"] else {}
    retest = {"retest": {"on": ["invalid"], "at_most": goal["retests"]}} if goal["retests"] else {}
    return {
        "behavior": "abstinence",
        "visits": [{"weeks": weeks, **(days or {"per_week": goal["per_week"]})}],
        "windows": windows_of(goal["windows"]),
        **retest,
        "schedule": [
            {
                "weeks": weeks,
                "escalate": {"start": str(goal["start"]), "step": str(goal["step"])},
                "reset": {"on": ["positive", "missed", "refused"]},
            }
        ],
    }


def windows_of(windows: Windows) -> dict[str, Any]:
    keys = ("within", "before", "after", "makeup", "apart", "specimens", "grace")
    found = {key: windows[key] for key in keys}  # type: ignore[literal-required]
    return {**found, "unscheduled": "counted" if windows["counts_unscheduled"] else "not counted"}


@st.composite
def windows(draw: st.DrawFn) -> Windows:
    which: tuple[Literal["first", "last", "worst"], ...] = ("first", "last", "worst")
    spans: tuple[Literal["day", "week"], ...] = ("day", "day", "week")
    within = draw(st.sampled_from(spans))
    few = st.integers(0, 3) if within == "day" else st.just(0)
    specimens = draw(st.sampled_from(which))
    return {
        "within": within,
        "before": draw(few),
        "after": draw(few),
        "makeup": draw(st.integers(0, 2)),
        "apart": draw(st.integers(0, 3)),
        "specimens": specimens,
        "counts_unscheduled": draw(st.booleans()),
        "grace": draw(st.integers(0, 2)),
    }


@st.composite
def goals(draw: st.DrawFn) -> Goal:
    its = draw(windows())
    return {
        "weekdays": draw(
            st.just([]) | st.lists(st.integers(0, 6), unique=True, min_size=1, max_size=3).map(sorted)
        ),
        "per_week": draw(st.integers(1, 3)),
        "windows": its,
        "retests": draw(st.sampled_from([0, 0, 1, 2])) if its["specimens"] == "first" else 0,
        "start": Decimal(10),
        "step": Decimal(draw(st.sampled_from([2, 5]))),
    }


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    start = START + timedelta(draw(st.integers(0, 6)))
    away = st.integers(0, 27).map(lambda n: start + timedelta(n))
    return {
        "start": start,
        "weeks": draw(st.integers(2, 4)),
        "closed": draw(st.lists(away, unique=True, max_size=3).map(sorted)),
        "later": draw(st.booleans()),
        "goals": draw(st.lists(goals(), min_size=1, max_size=2)),
        "most": Decimal(draw(st.sampled_from([45, 500]))),
        "together": draw(st.sampled_from([0, 2])),
    }


# A course: what happened, whenever it is reported.


@st.composite
def courses(draw: st.DrawFn, plan: Plan) -> Course:
    whole = 7 * plan["weeks"]
    away = draw(aways(plan))
    seen = draw(st.lists(results(plan, whole + 6), max_size=12, unique_by=lambda each: each[:3]))
    found = [
        Seen(n, goal, plan["start"] + timedelta(day), moment_of(plan, day, hour, n), symbol, unscheduled)
        for n, (goal, day, hour, symbol, unscheduled) in enumerate(seen)
    ]
    course: Course = {
        "seen": [each for each in found if not any(is_gone(gone, each.day) for gone in away)],
        "swept": None,
        "away": away,
        "moved": {},
    }
    for goal in range(len(plan["goals"])):
        course["moved"] |= draw(moves(plan, {**course, "away": []}, goal))
    return course


@st.composite
def moves(draw: st.DrawFn, plan: Plan, course: Course, goal: int) -> dict[tuple[int, int], date]:
    """At most one visit of a goal, and where it is moved to before any pause: an open day between its neighbors."""
    days = [each.planned for each in calendar(plan, course, goal) if each]
    found = {
        (place, day)
        for place, (before, after) in enumerate(zip(days, days[2:], strict=False), 2)
        for day in (before + timedelta(n) for n in range(1, (after - before).days))
        if day not in plan["closed"]
    }
    chosen = draw(st.none() | st.sampled_from(sorted(found))) if found else None
    return {(goal, chosen[0]): chosen[1]} if chosen else {}


def results(plan: Plan, last: int) -> st.SearchStrategy[tuple[int, int, int, str, bool]]:
    return st.tuples(
        st.integers(0, len(plan["goals"]) - 1),
        st.integers(-3, last),
        st.sampled_from([0, 9, 15, 23]),
        st.sampled_from("-----++oe*r_"),
        st.sampled_from([False, False, False, False, True]),
    )


def moment_of(plan: Plan, day: int, hour: int, number: int) -> datetime:
    return datetime.combine(plan["start"] + timedelta(day), time(hour, number), ZONE)


def is_gone(away: Away, day: date) -> bool:
    """Whether nothing that happens on a day is recorded: after a discharge, before a return."""
    return away.ended and away.first <= day and (away.back is None or day < away.back)


@st.composite
def aways(draw: st.DrawFn, plan: Plan) -> list[Away]:
    days = sorted(draw(st.lists(st.integers(1, 7 * plan["weeks"]), unique=True, max_size=4)))
    dates: list[date | None] = [plan["start"] + timedelta(day) for day in days]
    dates += [None] * (len(dates) % 2)
    return [
        Away(first, back, draw(st.sampled_from([False, False, True])))
        for first, back in zip(dates[::2], dates[1::2], strict=True)
        if first
    ]


# A clinic that reports it.


class Clinic:
    """An engine, one enrollment, and a clock that goes on."""

    def __init__(self, plan: Plan) -> None:
        self.now = datetime.combine(plan["start"], time(12), ZONE).astimezone(UTC)
        self.engine = Engine.open("memory:", zone="America/Los_Angeles", clock=self.clock)
        self.engine.add_program(program_of(plan))
        enrolled = self.engine.enroll(participant="p-1", program="windows", start=plan["start"], by="nurse")
        self.id, self.keys = enrolled.id, 0
        self.records: dict[int, int] = {}
        self.swept: date | None = None

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=7)
        return self.now

    def until(self, day: date) -> None:
        """Let the clock go on to the noon of a day, if it is earlier."""
        self.now = max(self.now, datetime.combine(day, time(12), ZONE).astimezone(UTC))

    def new(self, **more: Any) -> dict[str, Any]:
        self.keys += 1
        return {"enrollment": self.id, "source": "desk", "key": f"{self.keys}", "by": "nurse", **more}

    def report(self, seen: Seen) -> None:
        self.until(seen.day)
        self.records[seen.id] = self.engine.record(**self.new(**said_of(seen))).record

    def amend(self, number: int, seen: Seen) -> None:
        self.until(seen.day)
        said = said_of(seen)
        self.engine.amend(**self.new(record=self.records[number], why="the laboratory", **said))

    def leave(self, away: Away) -> None:
        """Pause or discharge; and resume, or take up again, if it is known when."""
        leave, back = ("discharge", "readmit") if away.ended else ("pause", "resume")
        first = away.first - timedelta(1) if away.ended else away.first
        getattr(self.engine, leave)(**self.new(on=first, why="court"))
        if away.back:
            getattr(self.engine, back)(**self.new(on=away.back, why="court"))

    def move(self, goal: int, place: int, to: date) -> None:
        self.engine.reschedule(**self.new(target=NAMES[goal], visit=place, to=to, why="a trip"))

    def sweep(self, until: date) -> None:
        self.until(until + timedelta(1))
        if self.engine.sweep(until=until):
            self.swept = max(self.swept or until, until)

    def stands(self) -> tuple[dict[int, Fate], dict[tuple[int, int], Fate]]:
        """What stands, as the oracle says it."""
        by_record, alone = standing(self.engine, self.id)
        numbers = {record: number for number, record in self.records.items()}
        return (
            {numbers[record]: fate_of(each) for record, each in by_record.items()},
            {(found.goal, found.place): found for found in map(fate_of, alone)},
        )

    def is_clean(self) -> bool:
        found = self.engine.verify()
        assert found.is_clean, [str(each) for each in found.differences]
        return True


def said_of(seen: Seen) -> dict[str, Any]:
    evidence = UNSCHEDULED if seen.unscheduled else None
    return {
        "result": seen.symbol,
        "target": NAMES[seen.goal],
        "evidence": evidence,
        "collected_at": seen.moment,
    }


def standing(engine: Engine, enrollment: str) -> tuple[dict[int, RecordedDecision], list[RecordedDecision]]:
    """The decisions that stand: on what was reported, by its record, and on visits that nobody came to."""
    latest = {
        (each.record, each.record == 0 and (each.target, each.visit)): each
        for act in engine.history(enrollment=enrollment)
        for each in act.decisions
    }
    found = [each for each in latest.values() if each.outcome != "withdrawn"]
    return {each.record: each for each in found if each.record}, [each for each in found if not each.record]


def fate_of(found: RecordedDecision) -> Fate:
    amount = found.awards.get("USD", Decimal(0))
    return Fate(NAMES.index(found.target), found.visit, found.outcome, amount)


def agree(clinic: Clinic, plan: Plan, course: Course) -> None:
    assert clinic.stands() == fates(plan, {**course, "swept": clinic.swept})
    assert clinic.is_clean()


# What holds.


HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def given(examples: int) -> Callable[[Callable[[st.DataObject], None]], Callable[[], None]]:
    """The same courses each time in the suite; others each time if more are asked for."""
    bounds = settings(
        max_examples=EXAMPLES or examples,
        deadline=None,
        derandomize=not EXAMPLES,
        suppress_health_check=HEALTH,
    )

    def decorated(test: Callable[[st.DataObject], None]) -> Callable[[], None]:
        return bounds(hypothesis_given(st.data())(test))

    return decorated


@contextmanager
def clinic_of(plan: Plan, course: Course) -> Iterator[Clinic]:
    """A clinic that knows of the pauses already, and of no result."""
    note(f"{plan}\n{course}")
    clinic = Clinic(plan)
    for (goal, place), to in course["moved"].items():
        clinic.move(goal, place, to)
    for each in course["away"]:
        clinic.leave(each)
    yield clinic
    clinic.engine.close()


class Drawn(NamedTuple):
    plan: Plan
    course: Course
    order: list[Seen]
    sweeps: list[date | None]  # after each result, in that order


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    plan = draw(plans())
    course = draw(courses(plan))
    order = draw(st.permutations(course["seen"]))
    day = st.integers(-1, 7 * plan["weeks"] + 9).map(lambda n: plan["start"] + timedelta(n))
    sweeps = [draw(st.none() | st.none() | day) for _ in order]
    return Drawn(plan, course, order, sweeps)


def reported(clinic: Clinic, seen: list[Seen], sweeps: list[date | None]) -> Iterator[list[Seen]]:
    """Report results, and that days are over; yield what was reported by then."""
    for n, (each, until) in enumerate(zip(seen, sweeps, strict=True), 1):
        clinic.report(each)
        yield seen[:n]
        if until:
            clinic.sweep(until)
            yield seen[:n]


@given(30)
def test_results_in_any_order_find_the_visits_that_the_naive_oracle_gives_them(data: st.DataObject) -> None:
    plan, course, order, sweeps = data.draw(drawn())
    with clinic_of(plan, course) as clinic:
        for seen in reported(clinic, order, sweeps):
            agree(clinic, plan, {**course, "seen": seen})


def in_the_end(clinic: Clinic) -> tuple[dict[int, Fate], dict[tuple[int, int], Fate]]:
    """What stands once everything is over."""
    clinic.sweep(LATEST)
    assert clinic.is_clean()
    return clinic.stands()


@given(25)
def test_the_order_in_which_results_and_sweeps_are_recorded_changes_no_decision_that_stands(
    data: st.DataObject,
) -> None:
    plan, course, order, sweeps = data.draw(drawn())
    with clinic_of(plan, course) as shuffled, clinic_of(plan, course) as straight:
        for _ in reported(shuffled, order, sweeps):
            pass
        for each in sorted(order, key=lambda seen: seen.moment):
            straight.report(each)
        assert in_the_end(shuffled) == in_the_end(straight)


@given(25)
def test_pauses_reported_after_the_results_change_nothing_against_pauses_reported_before(
    data: st.DataObject,
) -> None:
    plan, course, order, sweeps = data.draw(drawn())
    away, course["away"] = [each for each in course["away"] if not each.ended], []
    late: Course = {**course, "away": away}
    with clinic_of(plan, course) as after, clinic_of(plan, late) as before:
        for clinic in (after, before):
            for _ in reported(clinic, order, sweeps):
                pass
        for each in away:
            after.leave(each)
        assert in_the_end(after) == in_the_end(before)


@given(25)
def test_a_pause_changes_nothing_of_the_results_before_its_first_day(data: st.DataObject) -> None:
    plan, course, order, _ = data.draw(drawn())
    first = min((each.first for each in course["away"]), default=date.max)
    before = [each for each in order if each.day < first]
    with clinic_of(plan, course) as paused, clinic_of(plan, {**course, "away": []}) as never:
        for clinic in (paused, never):
            for each in before:
                clinic.report(each)
        assert paused.stands() == never.stands()
        assert paused.is_clean()


@given(25)
def test_a_result_that_is_voided_was_never_there(data: st.DataObject) -> None:
    plan, course, order, sweeps = data.draw(drawn())
    out = data.draw(st.lists(st.sampled_from(order), unique=True)) if order else []
    with clinic_of(plan, course) as voided, clinic_of(plan, course) as without:
        for _ in reported(voided, order, sweeps):
            pass
        for each in out:
            record = voided.records.pop(each.id)
            voided.engine.void(**voided.new(record=record, why="another participant's"))
            assert voided.is_clean()
        for each in order:
            if each not in out:
                without.report(each)
        assert in_the_end(voided) == in_the_end(without)


@given(12)
def test_a_result_that_is_amended_was_always_so(data: st.DataObject) -> None:
    plan, course, order, sweeps = data.draw(drawn())
    others = data.draw(courses(plan))["seen"]
    other = {a.id: b._replace(id=a.id, goal=a.goal) for a, b in zip(course["seen"], others, strict=False)}
    moments = [(each.goal, each.moment) for each in [*order, *other.values()]]
    if len(set(moments)) < len(moments):  # one specimen of two visits is refused
        return
    away = course["away"]
    other = {n: each for n, each in other.items() if not any(is_gone(gone, each.day) for gone in away)}
    with clinic_of(plan, course) as amended, clinic_of(plan, course) as right:
        for _ in reported(amended, order, sweeps):
            pass
        for number, each in other.items():
            amended.amend(number, each)
            assert amended.is_clean()
        for each in order:
            right.report(other.get(each.id, each))
        assert in_the_end(amended) == in_the_end(right)


@given(25)
def test_a_sweep_changes_nothing_the_second_time(data: st.DataObject) -> None:
    plan, course, order, sweeps = data.draw(drawn())
    with clinic_of(plan, course) as clinic:
        for _ in reported(clinic, order, sweeps):
            pass
        for until in [*filter(None, sweeps), LATEST]:
            clinic.sweep(until)
            before = clinic.engine.history(enrollment=clinic.id)
            assert not clinic.engine.sweep(until=until)
            assert len(clinic.engine.history(enrollment=clinic.id)) == len(before)


@given(25)
def test_the_list_of_visits_says_what_the_decisions_say_and_the_days_that_the_oracle_says(
    data: st.DataObject,
) -> None:
    plan, course, order, sweeps = data.draw(drawn())
    with clinic_of(plan, course) as clinic:
        for _ in reported(clinic, order, sweeps):
            pass
        by_result, alone = clinic.stands()
        known: Course = {**course, "swept": clinic.swept}
        found = [each for goal in range(len(plan["goals"])) for each in verdicts(plan, known, goal)]
        came = {(each.goal, each.place): each.seen for each in found if each.seen}
        decided = {(each.goal, each.place) for each in found}
        listed = clinic.engine.visits(enrollment=clinic.id)
        told = {
            (found.goal, found.place): found
            for found in (fate_of(each.decision) for each in listed if each.decision)
        }
        assert told == {key: by_result[seen.id] for key, seen in came.items()} | alone
        assert told.keys() == decided
        assert decided == {
            (NAMES.index(each.target), each.number) for each in listed if each.status == "decided"
        }
        for goal in range(len(plan["goals"])):
            days = [(each.on, each.opens, each.closes) for each in listed if each.target == NAMES[goal]]
            planned = dict(enumerate(calendar(plan, course, goal), 1))
            kept = {place: seen.day for (its, place), seen in came.items() if its == goal}
            then = {place: days_on(plan, course, goal, day)[place - 1] for place, day in kept.items()}
            shown = ((place, each) for place, each in {**planned, **then}.items() if each)
            assert days == [
                each[:3] for place, each in shown if not each.after_end or (goal, place) in decided
            ]


@given(25)
def test_what_is_awarded_is_the_sum_of_the_decisions_that_stand(data: st.DataObject) -> None:
    plan, course, order, sweeps = data.draw(drawn())
    with clinic_of(plan, course) as clinic:
        for _ in reported(clinic, order, sweeps):
            pass
        by_result, alone = clinic.stands()
        total = sum((each.amount for each in [*by_result.values(), *alone.values()]), Decimal(0))
        balances = clinic.engine.balance(enrollment=clinic.id)
        statement = clinic.engine.statement(enrollment=clinic.id)
        assert total == (balances["USD"].awarded if balances else 0)
        assert total == statement.awarded.get("USD", 0)
        assert total <= plan["most"]


@given(25)
def test_the_list_of_a_day_has_the_visits_that_are_open_or_overdue_and_questions_what_is_unplaced(
    data: st.DataObject,
) -> None:
    plan, course, order, sweeps = data.draw(drawn())
    with clinic_of(plan, course) as clinic:
        for _ in reported(clinic, order, sweeps):
            pass
        for day in (plan["start"] + timedelta(n) for n in range(0, 30, 5)):
            listed = clinic.engine.visits(enrollment=clinic.id, on=day)
            due = {(each.target, each.number) for each in listed if each.status in {"open", "overdue"}}
            assert {(each.target, each.number) for each in clinic.engine.expected(on=day)} == due
        by_result, _ = clinic.stands()
        asked = {clinic.records[number] for number, each in by_result.items() if each.outcome == "unplaced"}
        assert {each.record for each in clinic.engine.questions()} == asked
