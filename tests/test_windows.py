"""Windows by hand: each sentence that the documents say of them, and what is refused."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cm_engine import Evidence, Program, parse_program
from cm_engine.acts.recorded import Recorded, RecordedDecision
from cm_engine.engine import Engine
from cm_engine.errors import EnrollmentNotFoundError, ProgramError, ReportError
from tests.durable_model import ZONE, opened
from tests.test_windows_oracle import standing

CLINIC = ZoneInfo(ZONE)
START = date(2026, 1, 5)
NOW = datetime(2026, 12, 31, tzinfo=UTC)
CLIMB = "escalate: {start: 10, step: 5}, reset: {}"
ONE = f"{{tests: {{behavior: abstinence, schedule: [{{weeks: 1-4, {CLIMB}}}]}}}}"
TWO = (
    f"{{stimulants: {{behavior: abstinence, schedule: [{{weeks: 1-4, {CLIMB}}}]}},"
    f" alcohol: {{behavior: abstinence, schedule: [{{weeks: 1-4, {CLIMB}}}]}}}}"
)
MONDAYS = "days: [monday]"


def target(rest: str) -> str:
    return f"{{tests: {{behavior: abstinence, {rest}, schedule: [{{weeks: 1-4, {CLIMB}}}]}}}}"


def program(
    windows: str = "{after: 1}", rest: str = "", *, days: str = "per_week: 2", targets: str = ONE
) -> Program:
    """Four weeks: the Mondays and Thursdays, unless it says otherwise."""
    return parse_program(
        f'{{program: example, version: "1", title: Example, currency: USD, visits: [{{weeks: 1-4, {days}}}],'
        f" windows: {windows}, targets: {targets}{rest and f', {rest}'}}}"
    )


def day(number: int) -> date:
    """The day of January 2026; its days go on into February."""
    return date(2025, 12, 31) + timedelta(number)


class Desk:
    """A front desk that reports by the day of January and the hour."""

    def __init__(self, engine: Engine, its: Program, *, start: date = START, zone: str = "") -> None:
        self.engine, self.keys = engine, 0
        engine.add_program(its)
        self.id = engine.enroll(participant="p-1", program=its.program, start=start, by="nurse", zone=zone).id

    def new(self, **more: Any) -> dict[str, Any]:
        self.keys += 1
        return {"enrollment": self.id, "source": "desk", "key": f"{self.keys}", "by": "nurse", **more}

    def seen(self, result: str, number: int, hour: int = 9, **more: Any) -> Recorded:
        at = datetime(2026, 1, 1, hour, tzinfo=CLINIC) + timedelta(number - 1)
        return self.engine.record(**self.new(result=result, collected_at=at, **more))

    def course(self, act: str, number: int) -> Recorded:
        done: Recorded = getattr(self.engine, act)(**self.new(on=day(number), why="a stay"))
        return done

    def move(self, visit: int, to: int) -> Recorded:
        return self.engine.reschedule(**self.new(visit=visit, to=day(to), why="a trip"))

    def sweep(self, number: int) -> list[Recorded]:
        return self.engine.sweep(until=day(number))

    def of(self, done: Recorded) -> RecordedDecision:
        """What stands now on what an act reported."""
        return standing(self.engine, self.id)[0][done.record]

    def place(self, done: Recorded) -> tuple[int, str]:
        found = self.of(done)
        return found.visit, found.outcome

    def missed(self) -> dict[int, str]:
        """What became of visits that nobody came to."""
        return {each.visit: each.outcome for each in standing(self.engine, self.id)[1]}

    def amount(self, done: Recorded) -> int:
        return int(self.of(done).awards.get("USD", 0))

    def plan(self) -> list[int]:
        """The days of January on which visits are planned."""
        return [(each.on - day(0)).days for each in self.engine.visits(enrollment=self.id)]

    def status(self, visit: int, on: int) -> str:
        return self.engine.visits(enrollment=self.id, on=day(on))[visit - 1].status


def conditions(*names: str) -> Evidence:
    return Evidence(conditions=names)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with opened("memory", Path(), lambda: NOW) as found:
        yield found
        audit = found.verify()
        assert audit.is_clean, [str(each) for each in audit.differences]


# A visit's window.


@pytest.mark.parametrize(
    ("number", "visit"), [(9, 2), (10, 2), (11, 2), (12, 0), (13, 0), (14, 3), (16, 3), (17, 0)]
)
def test_a_window_is_the_planned_day_and_the_days_before_and_after_it(
    engine: Engine, number: int, visit: int
) -> None:
    desk = Desk(engine, program("{before: 1, after: 1}", days="program_days: [1, 6, 11]"))
    desk.seen("-", 5)
    assert desk.place(desk.seen("-", number))[0] == visit


def test_days_for_making_good_follow_the_window_and_are_reported_as_makeup(engine: Engine) -> None:
    its = target("quotas: [{of: makeup, at_most: 1, per: episode}]")
    desk = Desk(engine, program("{after: 1, makeup: 1}", days=MONDAYS, targets=its))
    in_time, good, too_often = desk.seen("-", 6), desk.seen("-", 14), desk.seen("-", 21)
    assert [desk.place(each) for each in (in_time, good, too_often)] == [(1, "-"), (2, "-"), (3, "o")]


def test_what_is_made_good_is_read_as_the_target_says(engine: Engine) -> None:
    desk = Desk(engine, program("{makeup: 2}", days=MONDAYS, targets=target("reads: {makeup: missed}")))
    assert desk.place(desk.seen("-", 7)) == (1, "o")
    assert desk.place(desk.seen("-", 12)) == (2, "-")


@pytest.mark.parametrize(
    ("its", "absence", "came"),
    [("reads: {makeup: missed}", "e", 12), ("quotas: [{of: makeup, at_most: 1, per: episode}]", "o", 14)],
)
def test_an_absence_makes_nothing_good(engine: Engine, its: str, absence: str, came: int) -> None:
    desk = Desk(engine, program("{makeup: 2}", days=MONDAYS, targets=target(its)))
    assert desk.place(desk.seen(absence, 7)) == (1, absence)
    assert desk.place(desk.seen("-", came)) == (2, "-")


def test_within_a_week_the_window_is_the_program_week_of_the_visit(engine: Engine) -> None:
    desk = Desk(engine, program("{within: week}", days="days: [wednesday]"))
    assert [desk.place(desk.seen("-", n))[0] for n in (5, 18, 19)] == [1, 2, 3]


def test_days_for_making_good_follow_the_week(engine: Engine) -> None:
    desk = Desk(engine, program("{within: week, makeup: 1}", days=MONDAYS))
    assert [desk.place(desk.seen("-", n))[0] for n in (12, 13)] == [1, 2]


def test_a_week_reaches_as_far_as_the_day_that_a_closure_moved_its_visit_to(engine: Engine) -> None:
    closed = "closures: [{first: 2026-01-11}]"
    desk = Desk(engine, program("{within: week}", closed, days="days: [sunday]"))
    assert desk.plan()[0] == 12
    assert desk.place(desk.seen("-", 12)) == (1, "-")


# Which visit a result is of.


def test_a_result_is_of_the_first_visit_not_decided_yet_whose_window_has_its_day(engine: Engine) -> None:
    desk = Desk(engine, program("{before: 2, after: 2}"))
    assert [desk.place(desk.seen("-", n))[0] for n in (6, 7, 10)] == [1, 2, 3]


def test_before_a_result_every_visit_whose_window_ended_before_that_day_is_decided_as_missed(
    engine: Engine,
) -> None:
    desk = Desk(engine, program())
    desk.seen("-", 5)
    late = desk.seen("-", 15)
    assert desk.missed() == {2: "o", 3: "o"}
    assert (desk.place(late), desk.amount(late)) == ((4, "-"), 10)


def test_a_result_that_comes_late_takes_its_place_and_a_miss_that_somebody_made_good_is_withdrawn(
    engine: Engine,
) -> None:
    desk = Desk(engine, program())
    desk.seen("-", 5)
    after = desk.seen("-", 12)
    assert (desk.missed(), desk.amount(after)) == ({2: "o"}, 10)
    late = desk.seen("-", 9)
    assert (desk.missed(), desk.amount(late), desk.amount(after)) == ({}, 15, 20)
    assert [each.outcome for each in late.corrected] == ["-", "withdrawn"]


def test_a_visit_without_any_result_is_missed_as_soon_as_a_later_day_is_reported_even_one_of_no_visit(
    engine: Engine,
) -> None:
    desk = Desk(engine, program())
    assert desk.place(desk.seen("-", 7)) == (0, "unplaced")
    assert desk.missed() == {1: "o"}


def test_a_visit_is_missed_once_its_window_and_its_days_of_grace_are_over_and_the_engine_is_told(
    engine: Engine,
) -> None:
    desk = Desk(engine, program("{after: 1, grace: 2}"))
    assert not desk.sweep(7)
    [done] = desk.sweep(8)
    assert (done.enrollment, desk.missed()) == (desk.id, {1: "o"})
    assert not desk.sweep(8)


def test_a_result_reported_after_the_sweep_takes_the_place_of_the_miss(engine: Engine) -> None:
    desk = Desk(engine, program())
    desk.sweep(20)
    assert sorted(desk.missed()) == [1, 2, 3, 4, 5]
    assert desk.place(desk.seen("-", 13)) == (3, "-")
    assert sorted(desk.missed()) == [1, 2, 4, 5]


def test_a_day_in_the_window_of_the_visit_decided_last_is_another_result_of_it(engine: Engine) -> None:
    desk = Desk(engine, program())
    first, second = desk.seen("-", 5), desk.seen("+", 6)
    assert [desk.place(each) for each in (first, second)] == [(1, "-"), (1, "not counted")]


def test_a_second_result_of_one_day_is_another_one_of_the_same_visit_though_the_next_is_open_too(
    engine: Engine,
) -> None:
    desk = Desk(engine, program("{within: week}"))
    assert [desk.place(desk.seen("-", 5, hour))[0] for hour in (9, 15)] == [1, 1]
    assert desk.place(desk.seen("-", 6))[0] == 2


def test_less_than_apart_days_after_the_result_that_counted_it_is_another_one_of_the_same_visit(
    engine: Engine,
) -> None:
    desk = Desk(engine, program("{within: week, apart: 3}", days="days: [monday, saturday]"))
    assert [desk.place(desk.seen("-", n))[0] for n in (5, 7, 8)] == [1, 1, 2]


def test_the_planned_day_of_the_next_visit_is_of_that_however_soon_it_is(engine: Engine) -> None:
    desk = Desk(engine, program("{within: week, apart: 3}", days="days: [monday, tuesday]"))
    assert [desk.place(desk.seen("-", n))[0] for n in (5, 6)] == [1, 2]


def test_two_visits_planned_on_one_day_take_two_results_of_that_day(engine: Engine) -> None:
    days = "program_days: [1, 15], per_day: 2"
    desk = Desk(engine, program("{after: 1}", days=days))
    assert [desk.place(desk.seen("-", 5, hour))[0] for hour in (9, 15)] == [1, 2]


# Of several results one counts.


@pytest.mark.parametrize("absence", "oe_")
def test_an_absence_never_counts_beside_a_result(engine: Engine, absence: str) -> None:
    desk = Desk(engine, program("{after: 2, specimens: last}"))
    absent, came, again = desk.seen(absence, 5), desk.seen("-", 6), desk.seen(absence, 7)
    assert [desk.place(each) for each in (absent, came, again)] == [
        (1, "not counted"),
        (1, "-"),
        (1, "not counted"),
    ]


def test_of_absences_alone_the_last_counts(engine: Engine) -> None:
    desk = Desk(engine, program("{after: 2}"))
    absent, excused = desk.seen("o", 5), desk.seen("e", 6)
    assert [desk.place(each) for each in (absent, excused)] == [(1, "not counted"), (1, "e")]


@pytest.mark.parametrize(
    ("which", "word", "counts"),
    [
        ("first", "-+*", 0),
        ("last", "-+*", 2),
        ("worst", "-*r+", 3),
        ("worst", "+--", 0),
        ("worst", "*r-", 1),
        ("worst", "-*-", 1),
        ("worst", "--", 0),
    ],
)
def test_of_results_the_first_counts_or_the_last_or_the_worst(
    engine: Engine, which: str, word: str, counts: int
) -> None:
    desk = Desk(engine, program(f"{{after: 4, specimens: {which}}}", days=MONDAYS))
    done = [desk.seen(symbol, 5 + n) for n, symbol in enumerate(word)]
    told = [desk.of(each).outcome for each in done]
    assert told == ["not counted"] * counts + [word[counts]] + ["not counted"] * (len(word) - counts - 1)


def test_what_counts_does_not_depend_on_which_was_reported_first(engine: Engine) -> None:
    desk = Desk(engine, program("{after: 2, specimens: last}"))
    later, sooner = desk.seen("+", 7), desk.seen("-", 6)
    assert [desk.place(each) for each in (sooner, later)] == [(1, "not counted"), (1, "+")]


def test_the_worst_is_compared_as_it_is_read(engine: Engine) -> None:
    desk = Desk(engine, program("{after: 2, specimens: worst}"))
    clear, dilute = desk.seen("-", 5), desk.seen("-", 6, evidence=conditions("dilute"))
    assert [desk.place(each) for each in (clear, dilute)] == [(1, "not counted"), (1, "*")]


def test_a_result_that_asks_for_another_one_leaves_its_visit_open_for_the_next_one(engine: Engine) -> None:
    desk = Desk(engine, program("{after: 2}", targets=target("retest: {on: [invalid]}")))
    asks = desk.seen("*", 5)
    assert desk.status(1, on=6) == "open"
    assert [desk.place(each) for each in (asks, desk.seen("-", 6))] == [(1, "*"), (1, "-")]


# What counts for no visit.


def test_a_day_that_no_visit_has_is_kept_decides_nothing_and_is_asked_about(engine: Engine) -> None:
    desk = Desk(engine, program())
    before, odd = desk.seen("-", 5), desk.seen("+", 7)
    assert desk.place(odd) == (0, "unplaced")
    assert [each.record for each in engine.questions(enrollment=desk.id)] == [odd.record]
    after = desk.seen("-", 8)
    assert [desk.amount(each) for each in (before, odd, after)] == [10, 0, 15]


@pytest.mark.parametrize("answer", [{"on": day(8)}, {"result": "-", "evidence": conditions("unscheduled")}])
def test_an_amendment_answers_the_question(engine: Engine, answer: dict[str, Any]) -> None:
    desk = Desk(engine, program())
    odd = desk.seen("-", 7)
    engine.amend(**desk.new(record=odd.record, why="asked", **answer))
    assert not engine.questions()


def test_voiding_answers_the_question(engine: Engine) -> None:
    desk = Desk(engine, program())
    odd = desk.seen("-", 7)
    engine.void(**desk.new(record=odd.record, why="another participant's"))
    assert not engine.questions()
    assert desk.missed() == {}


def test_an_unscheduled_specimen_does_not_count_whatever_its_day(engine: Engine) -> None:
    desk = Desk(engine, program())
    done = [desk.seen("+", n, evidence=conditions("unscheduled")) for n in (5, 7)]
    assert [desk.place(each) for each in done] == [(0, "not counted")] * 2
    assert not engine.questions()
    assert desk.amount(desk.seen("-", 5, 15)) == 10


def test_an_unscheduled_specimen_is_as_any_other_if_the_program_says_so(engine: Engine) -> None:
    desk = Desk(engine, program("{unscheduled: counted}"))
    done = [desk.seen("-", n, evidence=conditions("unscheduled")) for n in (5, 7)]
    assert [desk.place(each) for each in done] == [(1, "-"), (0, "unplaced")]


# Pauses, moves, and the end of an episode.


def test_visits_planned_in_a_pause_are_not_required_and_no_day_is_theirs(engine: Engine) -> None:
    desk = Desk(engine, program())
    desk.seen("-", 5)
    desk.course("pause", 8)
    desk.course("resume", 15)
    assert desk.place(desk.seen("+", 12)) == (0, "unplaced")
    after = desk.seen("-", 15)
    assert (desk.missed(), desk.amount(after)) == ({2: "_", 3: "_"}, 15)


def test_a_visit_planned_before_a_pause_keeps_its_window(engine: Engine) -> None:
    desk = Desk(engine, program("{after: 2}"))
    desk.course("pause", 6)
    assert desk.place(desk.seen("-", 7)) == (1, "-")


def test_a_pause_begins_on_its_first_day_and_ends_before_the_day_of_return(engine: Engine) -> None:
    desk = Desk(engine, program())
    desk.course("pause", 8)
    desk.course("resume", 12)
    assert [desk.status(n, on=1) for n in (1, 2, 3)] == ["planned", "paused", "planned"]


def test_visits_of_a_pause_come_as_many_days_later_as_it_lasts(engine: Engine) -> None:
    desk = Desk(engine, program("{}", "pauses: later", days=MONDAYS))
    desk.course("pause", 12)
    assert desk.plan() == [5]
    desk.course("resume", 15)
    assert desk.plan() == [5, 15, 22, 29]


def test_two_pauses_add_up(engine: Engine) -> None:
    desk = Desk(engine, program("{}", "pauses: later", days=MONDAYS))
    for act, number in (("pause", 6), ("resume", 8), ("pause", 21), ("resume", 22)):
        desk.course(act, number)
    assert desk.plan() == [5, 14, 22, 29]


def test_a_pause_told_afterwards_decides_anew_what_was_missed(engine: Engine) -> None:
    desk = Desk(engine, program())
    desk.seen("-", 5)
    after = desk.seen("-", 12)
    assert desk.amount(after) == 10
    desk.course("pause", 7)
    desk.course("resume", 11)
    assert (desk.missed(), desk.amount(after)) == ({2: "_"}, 15)


# What came before a pause began.


TOLD = ("told before", "told after")
WAIVED_OR_LATER = ("not required", "later")


def both(order: str, *acts: Callable[[], object]) -> None:
    """Do acts in an order, or the other way round."""
    for act in acts if order == "told before" else acts[::-1]:
        act()


@pytest.mark.parametrize("order", TOLD)
@pytest.mark.parametrize("pauses", WAIVED_OR_LATER)
@pytest.mark.parametrize("back", [9, 15, None])
def test_who_came_early_to_a_visit_planned_in_a_pause_keeps_it(
    engine: Engine, order: str, pauses: str, back: int | None
) -> None:
    desk, done = Desk(engine, program("{before: 1}", f"pauses: {pauses}")), []
    desk.seen("-", 5)

    def pause() -> None:
        desk.course("pause", 8)
        if back:
            desk.course("resume", back)

    both(order, pause, lambda: done.append(desk.seen("-", 7)))
    desk.sweep(40)
    assert (desk.place(done[0]), desk.amount(done[0])) == ((2, "-"), 15)
    assert 2 not in desk.missed()
    kept = engine.visits(enrollment=desk.id)[1]
    assert (kept.number, kept.on, kept.opens, kept.status) == (2, day(8), day(7), "decided")


@pytest.mark.parametrize("pauses", WAIVED_OR_LATER)
def test_results_before_a_pause_count_as_if_there_were_none(engine: Engine, pauses: str) -> None:
    desk = Desk(engine, program("{within: week, specimens: worst}", f"pauses: {pauses}"))
    desk.course("pause", 8)
    clear, positive = desk.seen("-", 6), desk.seen("+", 7)
    assert [desk.place(each) for each in (clear, positive)] == [(1, "-"), (2, "+")]


@pytest.mark.parametrize("pauses", WAIVED_OR_LATER)
def test_from_the_first_day_of_a_pause_no_day_is_of_the_visit_that_was_kept_early(
    engine: Engine, pauses: str
) -> None:
    windows = "{before: 1, after: 1, specimens: last}"
    desk = Desk(engine, program(windows, f"pauses: {pauses}"))
    desk.course("pause", 8)
    desk.course("resume", 15)
    kept, away, back = desk.seen("-", 7), desk.seen("+", 9), desk.seen("+", 15)
    assert [desk.place(each) for each in (kept, away)] == [(2, "-"), (0, "unplaced")]
    assert desk.place(back) == ((4, "+") if pauses == "not required" else (0, "unplaced"))


@pytest.mark.parametrize(("pauses", "plan"), [("not required", "paused on 8"), ("later", "planned on 15")])
def test_who_did_not_come_before_the_pause_is_expected_after_it_or_not_at_all(
    engine: Engine, pauses: str, plan: str
) -> None:
    desk = Desk(engine, program("{before: 1}", f"pauses: {pauses}"))
    desk.seen("-", 5)
    desk.course("pause", 8)
    desk.course("resume", 15)
    assert f"{desk.status(2, on=6)} on {desk.plan()[1]}" == plan


def test_two_pauses_leave_two_visits_that_were_kept_early(engine: Engine) -> None:
    desk = Desk(engine, program("{before: 1}"))
    done = [desk.seen("-", number) for number in (7, 14)]
    for first, back in ((8, 10), (15, 17)):
        desk.course("pause", first)
        desk.course("resume", back)
    assert [desk.place(each) for each in done] == [(2, "-"), (4, "-")]
    late = desk.seen("+", 11)
    assert desk.place(late) == (3, "+")
    engine.amend(**desk.new(record=late.record, result="-", why="the laboratory"))
    assert [desk.amount(each) for each in (done[0], late, done[1])] == [10, 15, 20]


def test_who_came_early_to_a_visit_planned_after_the_end_keeps_it_when_readmitted(engine: Engine) -> None:
    desk = Desk(engine, program("{before: 1}"))
    done = desk.seen("-", 7)
    desk.course("discharge", 7)
    desk.course("readmit", 12)
    assert desk.place(done) == (2, "-")


def test_a_specimen_between_one_visit_and_the_one_that_counts_for_the_next_is_of_the_next(
    engine: Engine,
) -> None:
    windows = "{within: week, apart: 3, specimens: last}"
    desk = Desk(engine, program(windows, days="days: [monday]"))
    desk.move(2, 6)
    first, second, third, fourth = (
        desk.seen("-", 6, 0),
        desk.seen("-", 6),
        desk.seen("-", 7),
        desk.seen("-", 14),
    )
    assert [desk.place(each) for each in (first, second, third, fourth)] == [
        (1, "-"),
        (2, "not counted"),
        (2, "not counted"),
        (2, "-"),
    ]


# A pause told beside an end.


def test_a_pause_before_an_end_that_is_told_ahead_can_be_told_and_ended(engine: Engine) -> None:
    desk = Desk(engine, program())
    desk.course("discharge", 20)
    desk.course("pause", 8)
    with pytest.raises(ReportError, match=r"the episode ended on 2026-01-20.*from 2026-01-21 on"):
        desk.course("resume", 21)
    desk.course("resume", 12)
    desk.move(3, 13)
    desk.sweep(40)
    assert desk.missed() == {1: "o", 2: "_", 3: "o", 4: "o", 5: "o"}


def test_a_pause_after_an_end_is_refused_with_what_to_do(engine: Engine) -> None:
    desk = Desk(engine, program())
    end = desk.course("discharge", 8)
    with pytest.raises(ReportError, match="void that discharge if it was told wrong"):
        desk.course("pause", 9)
    engine.void(**desk.new(record=end.record, why="another participant's"))
    desk.course("pause", 9)


def test_a_visit_that_is_moved_has_its_window_around_its_new_day(engine: Engine) -> None:
    desk = Desk(engine, program("{before: 1, after: 1}"))
    desk.move(2, 10)
    assert [desk.place(desk.seen("-", n))[0] for n in (5, 8, 9)] == [1, 0, 2]


def test_a_visit_that_is_moved_stays_between_its_neighbors(engine: Engine) -> None:
    desk = Desk(engine, program())
    for to, says in (
        (5, "after visit 1"),
        (4, "after visit 1"),
        (12, "before visit 3"),
        (20, "before visit 3"),
    ):
        with pytest.raises(ReportError, match=says):
            desk.move(2, to)
    desk.move(2, 11)
    with pytest.raises(ReportError, match="after visit 2, of 2026-01-11"):
        desk.move(3, 11)


def test_a_visit_that_is_decided_is_not_moved(engine: Engine) -> None:
    desk = Desk(engine, program())
    done = desk.seen("-", 8)
    with pytest.raises(ReportError, match="visit 2 is decided already"):
        desk.move(2, 10)
    assert desk.place(done) == (2, "-")


@pytest.mark.parametrize("way", ["discharge", "export"])
def test_who_came_early_to_a_visit_planned_after_the_end_keeps_its_reward(engine: Engine, way: str) -> None:
    desk = Desk(engine, program("{before: 1}"))
    done = desk.seen("-", 7)
    assert desk.place(done) == (2, "-")
    if way == "discharge":
        desk.course("discharge", 7)
    else:
        engine.export(**desk.new(to="oakland", why="moves", leave=False))
    assert desk.place(done) == (2, "-")
    assert engine.verify().is_clean


def test_the_time_between_a_discharge_and_a_return_is_a_pause(engine: Engine) -> None:
    desk = Desk(engine, program("{}", "pauses: later", days=MONDAYS))
    desk.course("discharge", 11)
    assert desk.plan() == [5]
    desk.course("readmit", 15)
    assert desk.plan() == [5, 15, 22, 29]


def test_after_a_discharge_nothing_is_planned_and_nothing_that_happens_is_recorded(engine: Engine) -> None:
    desk = Desk(engine, program())
    desk.course("discharge", 8)
    with pytest.raises(ReportError, match="the episode ended on 2026-01-08"):
        desk.seen("-", 9)
    assert desk.place(desk.seen("-", 8)) == (2, "-")
    desk.sweep(40)
    assert desk.missed() == {1: "o"}


# What is refused.


def test_a_pause_cannot_begin_in_a_pause_nor_end_where_there_is_none(engine: Engine) -> None:
    desk = Desk(engine, program())
    with pytest.raises(ReportError, match="not paused"):
        desk.course("resume", 8)
    desk.course("pause", 8)
    with pytest.raises(ReportError, match="paused from 2026-01-08"):
        desk.course("pause", 10)
    desk.course("resume", 9)
    with pytest.raises(ReportError, match="not paused"):
        desk.course("resume", 10)


def test_nobody_comes_back_before_the_pause_and_who_does_on_its_first_day_was_never_away(
    engine: Engine,
) -> None:
    desk = Desk(engine, program())
    desk.course("pause", 8)
    with pytest.raises(ReportError):
        desk.course("resume", 7)
    desk.course("resume", 8)
    assert desk.status(2, on=1) == "planned"


def test_an_episode_ends_once_and_only_one_that_ended_is_taken_up_again(engine: Engine) -> None:
    desk = Desk(engine, program())
    with pytest.raises(ReportError):
        desk.course("readmit", 8)
    desk.course("discharge", 8)
    for act, number in (("discharge", 9), ("pause", 9), ("readmit", 8)):
        with pytest.raises(ReportError):
            desk.course(act, number)
    desk.course("readmit", 9)


@pytest.mark.parametrize("visit", [0, 9])
def test_no_visit_is_moved_that_there_is_not(engine: Engine, visit: int) -> None:
    with pytest.raises(ReportError, match="visits 1 to 8"):
        Desk(engine, program()).move(visit, 30)


def test_a_day_that_is_not_over_is_not_swept(engine: Engine) -> None:
    desk = Desk(engine, program())
    for until in (date(2026, 12, 30), date(2026, 12, 31)):  # at the clinic it is the 30th
        with pytest.raises(ReportError, match="the last whole day is 2026-12-29"):
            engine.sweep(enrollment=desk.id, until=until)
    with pytest.raises(EnrollmentNotFoundError):
        engine.sweep(enrollment="nobody")


def test_without_windows_nothing_is_paused_moved_expected_or_swept(engine: Engine) -> None:
    schedule = "[{weeks: 1-4, fixed: 10}]"
    its = parse_program(
        'program: plain\nversion: "1"\ntitle: Plain\ncurrency: USD\nvisits: [{weeks: 1-4, per_week: 1}]\n'
        f"targets: {{tests: {{behavior: abstinence, schedule: {schedule}}}}}"
    )
    desk = Desk(engine, its)
    with pytest.raises(ReportError, match="no windows"):
        desk.course("pause", 8)
    with pytest.raises(ReportError, match="no windows"):
        desk.move(1, 8)
    assert (engine.visits(enrollment=desk.id), engine.expected(), engine.sweep()) == ((), [], [])
    assert desk.place(desk.seen("-", 20)) == (1, "-")


@pytest.mark.parametrize(
    ("windows", "says"),
    [
        ("{before: -1}", "windows.before: expected at least 0, got -1"),
        ("{after: 1.5}", "windows.after: expected a whole number, got 1.5"),
        ("{apart: 61}", "windows.apart: expected at most 60, got 61"),
        ("{within: month}", "windows.within: expected day or week, got 'month'"),
        ("{specimens: best}", "windows.specimens: expected first, last or worst, got 'best'"),
        ("{bevore: 1}", "windows.bevore: unknown key; did you mean 'before'?"),
        ("{within: week, before: 1}", "windows.before: a visit within its week has the whole week"),
        ("[]", "windows: expected keys with values, got a list"),
    ],
)
def test_windows_that_are_malformed_are_refused_with_their_place_and_in_words(
    windows: str, says: str
) -> None:
    with pytest.raises(ProgramError) as caught:
        program(windows)
    [problem] = caught.value.problems
    assert f"{problem.path}: {problem.message}".startswith(says)
    assert (problem.line, problem.column > 90) == (1, True)


def test_pauses_without_windows_are_refused() -> None:
    with pytest.raises(
        ProgramError, match="pauses: without windows no visit has a day that could come later"
    ):
        parse_program(
            '{program: example, version: "1", title: Example, visits: [{weeks: 1-4, per_week: 1}], pauses: later,'
            " targets: {tests: {behavior: task, schedule: [{weeks: 1-4, unit: point, fixed: 1}]}}}"
        )


# The day at the clinic.


@pytest.mark.parametrize(
    ("at", "visit"),
    [
        (datetime(2026, 1, 6, 7, 59, tzinfo=UTC), 1),  # 23:59 on Monday
        (datetime(2026, 1, 6, 8, 0, tzinfo=UTC), 0),  # midnight
        (datetime(2026, 1, 12, 7, 59, tzinfo=UTC), 0),  # Sunday
        (datetime(2026, 1, 12, 8, 0, tzinfo=UTC), 2),
    ],
)
def test_the_day_of_a_result_is_the_one_at_the_clinic(engine: Engine, at: datetime, visit: int) -> None:
    desk = Desk(engine, program("{}", days=MONDAYS))
    assert desk.place(engine.record(**desk.new(result="-", collected_at=at)))[0] == visit


@pytest.mark.parametrize(
    ("at", "visit"),
    [
        (datetime(2026, 3, 9, 6, 59, tzinfo=UTC), 0),  # 23:59 of Sunday, 8 March, when the clock went on
        (datetime(2026, 3, 9, 7, 0, tzinfo=UTC), 2),
        (datetime(2026, 3, 10, 6, 59, tzinfo=UTC), 2),
        (datetime(2026, 3, 10, 7, 0, tzinfo=UTC), 0),
    ],
)
def test_summer_time_moves_the_hour_and_no_day(engine: Engine, at: datetime, visit: int) -> None:
    desk = Desk(engine, program("{}", days=MONDAYS), start=date(2026, 3, 2))
    assert desk.place(engine.record(**desk.new(result="-", collected_at=at)))[0] == visit
    days = [each.on for each in engine.visits(enrollment=desk.id)]
    assert days == [date(2026, 3, 2) + timedelta(7 * n) for n in range(4)]


def test_each_enrollment_is_swept_by_the_day_at_its_own_clinic() -> None:
    now = datetime(2026, 1, 6, 9, tzinfo=UTC)  # the 5th is over in Los Angeles, but not in Honolulu
    with opened("memory", Path(), lambda: now) as engine:
        here = Desk(engine, program("{}", days=MONDAYS))
        there = engine.enroll(
            participant="p-2", program="example", start=START, by="nurse", zone="Pacific/Honolulu"
        )
        assert [each.enrollment for each in engine.sweep()] == [here.id]
        assert [each.status for each in engine.visits(enrollment=there.id)][:1] == ["open"]


# A result dated ahead.


MORNING = datetime(2026, 1, 5, 20, tzinfo=UTC)  # noon of the 5th at the clinic


@pytest.fixture
def days() -> Iterator[tuple[Engine, Callable[[int], None]]]:
    """An engine, and what turns its clock to noon of a day of January."""
    now = [MORNING]

    def turn(number: int) -> None:
        now[0] = MORNING + timedelta(number - 5)

    with opened("memory", Path(), lambda: now[0]) as found:
        yield found, turn
        audit = found.verify()
        assert audit.is_clean, [str(each) for each in audit.differences]


DAILY = "days: [monday, tuesday, wednesday, thursday, friday]"


@pytest.mark.parametrize("by", ["on", "collected_at"])
def test_a_result_dated_tomorrow_never_shows_a_visit_of_today_as_missed(
    days: tuple[Engine, Callable[[int], None]], by: str
) -> None:
    engine, turn = days
    desk = Desk(engine, program("{}", days=DAILY))
    ahead = engine.record(**desk.new(result="-", on=day(6))) if by == "on" else desk.seen("-", 6)
    assert (desk.missed(), desk.place(ahead)) == ({}, (0, "unplaced"))
    today = desk.seen("-", 5)
    assert (desk.place(today), desk.place(ahead)) == ((1, "-"), (2, "-"))
    turn(7)
    assert desk.place(desk.seen("-", 7)) == (3, "-")


def test_a_result_dated_tomorrow_shows_the_visits_of_days_that_are_over(
    days: tuple[Engine, Callable[[int], None]],
) -> None:
    engine, turn = days
    desk = Desk(engine, program("{}", days=MONDAYS))
    turn(18)
    assert desk.place(desk.seen("-", 19)) == (3, "-")
    assert desk.missed() == {1: "o", 2: "o"}


def test_a_result_dated_tomorrow_is_of_its_visit_once_today_is_over(
    days: tuple[Engine, Callable[[int], None]],
) -> None:
    engine, turn = days
    desk = Desk(engine, program("{}", days=DAILY))
    ahead = engine.record(**desk.new(result="-", on=day(6)))
    turn(6)
    assert [each.record for each in engine.questions()] == [ahead.record]
    engine.sweep()
    assert (desk.missed(), desk.place(ahead), engine.questions()) == ({1: "o"}, (2, "-"), [])


def test_an_amendment_to_tomorrow_never_shows_a_visit_of_today_as_missed(
    days: tuple[Engine, Callable[[int], None]],
) -> None:
    engine, turn = days
    desk = Desk(engine, program("{}", days=DAILY))
    turn(6)
    done = desk.seen("-", 5)
    engine.amend(**desk.new(record=done.record, on=day(7), why="the wrong day"))
    assert (desk.missed(), desk.place(done)) == ({1: "o"}, (0, "unplaced"))
    turn(7)
    engine.amend(**desk.new(record=done.record, on=day(7), why="today it is"))
    assert (desk.missed(), desk.place(done)) == ({1: "o", 2: "o"}, (3, "-"))


# Several targets.


def test_each_target_has_windows_of_its_own_or_those_of_the_program(engine: Engine) -> None:
    own = TWO.replace("alcohol: {", "alcohol: {windows: {within: week}, ")
    desk = Desk(engine, program(targets=own, days=MONDAYS))
    places = [desk.place(desk.seen("-", 8, target=name))[0] for name in ("stimulants", "alcohol")]
    assert places == [0, 1]


# On a real database.


def course_on(engine: Engine) -> list[tuple[str, int, str]]:
    """A short course, with a bit of each thing."""
    desk = Desk(engine, program("{before: 1, after: 1, specimens: last}", "pauses: later"))
    desk.seen("-", 5)
    desk.seen("-", 15)
    desk.seen("+", 6)
    desk.course("pause", 17)
    desk.course("resume", 24)
    desk.move(6, 30)
    desk.sweep(27)
    desk.seen("-", 29)
    desk.course("discharge", 30)
    assert engine.verify().is_clean
    by_record, alone = standing(engine, desk.id)
    found = [*by_record.values(), *alone]
    return sorted((f"{each.on}", each.visit, each.outcome) for each in found)


def test_a_course_is_the_same_on_every_database(database_url: str) -> None:
    with (
        Engine.open(database_url, zone=ZONE, clock=lambda: NOW) as stored,
        Engine.open("memory:", zone=ZONE, clock=lambda: NOW) as kept,
    ):
        found = course_on(stored)
        assert found == course_on(kept)
        assert ("2026-01-06", 1, "+") in found
    with Engine.open(database_url, zone=ZONE, clock=lambda: NOW) as again:
        assert again.verify().is_clean


# What an independent reading of the documents found.


def test_a_visit_planned_on_an_open_day_is_missed_whatever_was_reported_of_another_target(
    engine: Engine,
) -> None:
    desk = Desk(engine, program("{after: 1}", "closures: [{first: 2026-01-13}]", targets=TWO))
    desk.seen("-", 5, target="stimulants")
    desk.seen("-", 8, target="stimulants")
    desk.seen("-", 13, target="alcohol")
    last = desk.seen("-", 15, target="stimulants")
    assert desk.amount(last) == 10


def test_a_miss_counts_for_the_planned_day_whatever_was_reported_of_another_target(engine: Engine) -> None:
    desk = Desk(engine, program(targets=TWO))
    desk.seen("-", 15, target="alcohol")
    desk.seen("-", 15, target="stimulants")
    days = {(each.visit, each.on) for each in standing(engine, desk.id)[1]}
    assert days == {(1, day(5)), (2, day(8)), (3, day(12))}


def test_a_specimen_that_takes_the_place_of_another_one_stays_of_the_same_visit(engine: Engine) -> None:
    desk = Desk(engine, program("{after: 2, apart: 3, specimens: last}", days="days: [friday, saturday]"))
    first, second, third = desk.seen("-", 10, 0), desk.seen("-", 10, 9), desk.seen("-", 11)
    assert [desk.place(each) for each in (first, second, third)] == [(1, "-"), (2, "not counted"), (2, "-")]


@pytest.mark.parametrize("which", ["last", "worst"])
def test_the_worst_counts_though_the_next_visit_is_in_a_pause(engine: Engine, which: str) -> None:
    windows = f"{{after: 1, apart: 0, specimens: {which}}}"
    desk = Desk(engine, program(windows, days="days: [monday, tuesday]"))
    desk.course("pause", 6)
    first, second = desk.seen("-", 5), desk.seen("+", 6)
    assert [desk.place(each) for each in (first, second)] == [(1, "not counted"), (1, "+")]


def test_a_visit_that_was_moved_comes_later_too(engine: Engine) -> None:
    desk = Desk(engine, program("{}", "pauses: later", days=MONDAYS))
    desk.move(2, 14)
    desk.course("pause", 13)
    desk.course("resume", 20)
    desk.sweep(19)
    assert desk.missed() == {1: "o"}


def test_a_pause_keeps_visits_in_their_order(engine: Engine) -> None:
    desk = Desk(engine, program("{}", "pauses: later", days=MONDAYS))
    desk.move(3, 20)
    desk.course("pause", 11)
    desk.course("resume", 25)
    assert desk.plan() == sorted(desk.plan())


def test_days_that_are_of_a_pause_and_after_a_discharge_count_once(engine: Engine) -> None:
    desk = Desk(engine, program("{}", "pauses: later", days=MONDAYS))
    desk.course("pause", 8)
    desk.course("discharge", 13)
    with pytest.raises(ReportError, match="the episode ended on 2026-01-13"):
        desk.course("resume", 20)
    desk.course("readmit", 20)
    assert desk.plan()[1] == 24


def test_a_visit_that_a_closure_moved_to_the_first_day_of_a_pause_comes_later(engine: Engine) -> None:
    desk = Desk(engine, program("{}", "pauses: later, closures: [{first: 2026-01-12}]", days=MONDAYS))
    desk.course("pause", 13)
    desk.course("resume", 20)
    assert all(not 13 <= planned < 20 for planned in desk.plan())


def test_no_window_begins_before_the_start(engine: Engine) -> None:
    desk = Desk(engine, program("{before: 2}"))
    assert desk.place(desk.seen("-", 4)) == (0, "unplaced")
    assert engine.visits(enrollment=desk.id)[0].opens == START


def test_a_negative_is_not_lost_to_an_invalid_one_that_asks_for_another(engine: Engine) -> None:
    its = target("retest: {on: [invalid]}")
    desk = Desk(engine, program("{after: 3, specimens: last}", days=MONDAYS, targets=its))
    done = desk.seen("-", 5)
    desk.seen("*", 6)
    desk.seen("-", 12)
    assert desk.place(done) == (1, "-")


@pytest.mark.parametrize(("which", "word"), [("last", "--"), ("worst", "-+")])
def test_the_result_that_counts_can_be_voided_and_the_one_before_it_counts_again(
    engine: Engine, which: str, word: str
) -> None:
    desk = Desk(engine, program(f"{{after: 2, specimens: {which}}}"))
    first, second = desk.seen(word[0], 6), desk.seen(word[1], 7)
    engine.void(**desk.new(record=second.record, why="another participant's"))
    assert desk.place(first) == (1, "-")


def test_the_order_of_recording_changes_nothing_beside_a_visit_in_a_pause() -> None:
    found = []
    for order in (1, -1):
        with Engine.open("memory:", zone=ZONE, clock=lambda: NOW) as engine:
            desk = Desk(engine, program("{within: week}"))
            desk.course("pause", 8)
            desk.course("resume", 9)
            results = [("e", 9, 0), ("-", 9, 23)][::order]
            done = {symbol: desk.seen(symbol, number, hour) for symbol, number, hour in results}
            found.append({symbol: desk.place(each) for symbol, each in done.items()})
    assert found[0] == found[1] == {"e": (1, "not counted"), "-": (1, "-")}


def test_a_positive_counts_beside_a_negative_as_the_worst_in_a_pause(engine: Engine) -> None:
    desk = Desk(engine, program("{within: week, specimens: worst}"))
    desk.course("pause", 8)
    clear, positive = desk.seen("-", 7), desk.seen("+", 9)
    assert [desk.place(each) for each in (clear, positive)] == [(1, "not counted"), (1, "+")]


def test_a_day_in_a_pause_that_is_in_the_window_of_a_visit_after_it_is_of_that_visit(engine: Engine) -> None:
    desk = Desk(engine, program("{before: 3}", days="days: [monday, thursday, saturday]"))
    desk.course("pause", 8)
    desk.course("resume", 9)
    assert desk.place(desk.seen("-", 8)) == (3, "-")


def test_the_list_of_visits_shows_the_result_that_decides_and_not_the_one_that_asked_for_it(
    engine: Engine,
) -> None:
    desk = Desk(engine, program("{after: 2}", targets=target("retest: {on: [invalid]}")))
    desk.seen("-", 6)
    desk.seen("*", 5)
    decision = engine.visits(enrollment=desk.id)[0].decision
    assert decision is not None
    assert decision.outcome == "-"


def test_a_visit_that_is_moved_before_its_week_keeps_its_week(engine: Engine) -> None:
    desk = Desk(engine, program("{within: week}", days=MONDAYS))
    desk.move(2, 9)
    visit = engine.visits(enrollment=desk.id)[1]
    assert (visit.opens, visit.closes) == (day(9), day(18))
    assert desk.place(desk.seen("-", 17)) == (2, "-")


def test_a_preview_looks_from_today_on_and_promises_what_today_pays() -> None:
    now = datetime(2026, 1, 12, 20, tzinfo=UTC)
    with Engine.open("memory:", zone=ZONE, clock=lambda: now) as engine:
        desk = Desk(engine, program())
        desk.seen("-", 5)
        [promised] = [each["-"] for each in engine.preview(enrollment=desk.id).values()]
        paid = desk.seen("-", 12)
        assert (promised.visit, promised.awards) == (paid.visit, paid.awards)
        assert paid.visit == 3


def test_a_preview_of_the_day_before_a_pause_promises_what_that_day_pays() -> None:
    now = datetime(2026, 1, 7, 20, tzinfo=UTC)
    with Engine.open("memory:", zone=ZONE, clock=lambda: now) as engine:
        desk = Desk(engine, program("{before: 1}"))
        desk.seen("-", 5)
        desk.course("pause", 8)
        desk.course("resume", 12)
        [promised] = [each["-"] for each in engine.preview(enrollment=desk.id).values()]
        paid = desk.seen("-", 7)
        assert (promised.visit, promised.awards) == (paid.visit, paid.awards)
        assert paid.visit == 2


JOINT = "milestones: {run: {says: A run, when: {run: 3}, amount: 50}}"
WEEKLY = "{a: {behavior: attendance, schedule: [{weeks: 1-4, weekly: {all: 10, some: 6}}]}, c: {behavior: attendance, schedule: [{weeks: 1-4, weekly: {all: 12, some: 8}}]}}"  # fmt: skip
CAME = [("alcohol", 5), ("alcohol", 8), ("stimulants", 12), ("alcohol", 12)]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("sweeps", [(), (6,), (6, 9), (12,)])
def test_a_miss_ends_a_run_of_several_targets_whatever_is_recorded_first_and_whenever_days_are_over(
    engine: Engine, turned: bool, sweeps: tuple[int, ...]
) -> None:
    desk = Desk(engine, program("{}", JOINT, targets=TWO))
    for target, number in [*CAME[:2], *(CAME[2:] if not turned else CAME[:1:-1])]:
        for over in (each for each in sweeps if each < number):
            desk.sweep(over)
        desk.seen("-", number, target=target)
    desk.sweep(31)
    assert engine.statement(enrollment=desk.id).awarded == {"USD": 10 + 15 + 10 + 20}
    assert engine.verify().is_clean


def test_saying_that_a_missed_visit_was_missed_changes_nothing(engine: Engine) -> None:
    desk = Desk(engine, program("{}", JOINT, targets=TWO))
    for target, number in [*CAME[:2], *CAME[:1:-1]]:
        desk.seen("-", number, target=target)
    before = engine.balance(enrollment=desk.id)
    desk.seen("o", 8, target="stimulants")
    assert engine.balance(enrollment=desk.id) == before


@pytest.mark.parametrize("first", ["a", "c"])
def test_a_limit_of_several_targets_is_taken_in_the_order_of_days(engine: Engine, first: str) -> None:
    limit = "limits: [{amount: 10, per: week, crossing: withhold}]"
    desk = Desk(engine, program("{}", limit, targets=WEEKLY))
    then = "c" if first == "a" else "a"
    for target, number in [(first, 5), (then, 5), (first, 12), (then, 12)]:
        desk.seen("-", number, target=target)
    desk.sweep(31)
    assert engine.statement(enrollment=desk.id).awarded == {"USD": 6 + 6}


def test_an_event_tells_that_days_are_over_too(engine: Engine) -> None:
    job = "milestones: {run: {says: A run, when: {run: 2}, amount: 50}, job: {says: A job, when: {event: job}, amount: 5}}"
    desk = Desk(engine, program("{grace: 1}", job, targets=ONE))
    desk.seen("-", 5)
    told = desk.engine.record(**desk.new(event="job", on=day(9)))
    assert [each.visit for each in told.missed] == []
    told = desk.engine.record(**desk.new(event="job", on=day(10)))
    assert [each.visit for each in told.missed] == [2]
