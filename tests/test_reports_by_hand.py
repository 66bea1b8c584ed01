"""Reports on small logs made by hand, for what a made-up year hardly ever has."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from cm_engine import Engine, parse_program
from cm_engine.errors import StorageError
from cm_engine.reports.dashboard import dashboard
from cm_engine.reports.fidelity import fidelity_report
from cm_engine.reports.integrity import integrity_report
from cm_engine.reports.program import program_report
from cm_engine.reports.reading import clinic
from cm_engine.reports.risk import risk_report
from cm_engine.reports.sheet import csv_of, html_of, json_of, text_of
from cm_engine.reports.statement import statement_report
from cm_engine.reports.tax import tax_report
from cm_engine.reports.words import Words

MONDAY = date(2025, 12, 29)
PROGRAM = """
program: p
version: "1"
title: P
currency: USD
visits: [{{weeks: 1-4, days: [monday, thursday]}}]
windows: {{{windows}}}
targets: {{visits: {{behavior: attendance, schedule: [{{weeks: 1-4, escalate: {{start: 10.00, step: 1.00}}, reset: {{on: [positive{missed}]}}{held}}}]}}}}
{more}
"""


class Hand:
    """An engine whose clock is set by hand."""

    def __init__(
        self,
        more: str = "",
        missed: str = ", missed",
        held: str = "",
        windows: str = "before: 1, after: 1, grace: 1",
        url: str = "memory:",
    ) -> None:
        self.now = datetime(2025, 12, 29, 18, tzinfo=UTC)
        self.engine = Engine.open(url, zone="America/Los_Angeles", clock=lambda: self.now)
        text = PROGRAM.format(more=more, missed=missed, held=held, windows=windows)
        self.engine.add_program(parse_program(text))
        self.acts = 0

    def told(self, by: str = "nurse-7") -> dict[str, Any]:
        self.acts += 1
        return {"source": "desk", "key": f"k-{self.acts}", "by": by}

    def enroll(self, name: str = "e-1") -> str:
        return self.engine.enroll(
            participant=name.replace("e", "p"), program="p", start=MONDAY, by="nurse-7", id=name
        ).id

    def record(self, name: str, on: date, by: str = "nurse-7") -> int:
        return self.engine.record(enrollment=name, result="-", on=on, **self.told(by)).number


def test_tax_totals_are_of_the_year_of_payment_and_what_came_back_is_not_in_them() -> None:
    hand = Hand()
    name = hand.enroll()
    numbers = [hand.record(name, MONDAY)]
    hand.now += timedelta(days=7)
    numbers.append(hand.record(name, MONDAY + timedelta(days=3)))
    for number in numbers:
        hand.engine.hand_over(enrollment=name, number=number, **hand.told())
    [paid] = tax_report(clinic(hand.engine, MONDAY)).sheets[1].rows
    assert (paid.payer, paid.year, str(paid.paid)) == ("(no payer named)", 2026, "21.00")
    hand.engine.refund(enrollment=name, number=numbers[0], why="the card came back", **hand.told())
    read = clinic(hand.engine, MONDAY)
    [paid] = tax_report(read).sheets[1].rows
    assert str(paid.paid) == "11.00"
    assert [str(row.handed_over) for row in program_report(read).sheets[1].rows] == ["0", "11.00"]


def test_a_visit_a_day_late_is_in_its_window_and_not_on_its_day() -> None:
    hand = Hand()
    name = hand.enroll()
    hand.record(name, MONDAY)
    hand.now += timedelta(days=4)
    hand.record(name, MONDAY + timedelta(days=4))
    hand.now += timedelta(days=5)
    [row] = next(
        sheet.rows
        for sheet in fidelity_report(clinic(hand.engine, date(2026, 1, 7))).sheets
        if sheet.name == "visits"
    )
    assert (row.decided, row.on_the_day, row.in_the_window, row.overdue, row.due) == (2, 1, 2, 1, 3)
    assert str(row.kept_percent) == "66.7"


def test_a_statement_has_earned_what_its_last_line_says_though_the_program_bears_a_mistake() -> None:
    hand = Hand()
    name = hand.enroll()
    decided = hand.record(name, MONDAY)
    hand.engine.hand_over(enrollment=name, number=decided, **hand.told())
    record = hand.engine.statement(enrollment=name).lines[0].record
    hand.engine.amend(enrollment=name, record=record, result="+", why="misread", **hand.told())
    report = statement_report(hand.engine, enrollment=name, on=MONDAY)
    lines = report.sheets[0].rows
    assert [line.what for line in lines[:2]] == ["Visit 1. Goal met", "Handed over to you: $10.00"]
    corrected = next(
        sheet.rows
        for sheet in fidelity_report(clinic(hand.engine, MONDAY)).sheets
        if sheet.name == "corrections"
    )
    assert [(row.of, row.at) for row in corrected] == [(record, "2025-12-29 10:00")]
    told = {tile.name: tile.value for tile in report.tiles}
    assert told["Earned so far"] == lines[-1].in_all == told["Handed over to you"] == "$10.00"


TWO_GOALS = """
program: two-goals
version: "1"
title: Two goals
currency: USD
visits: [{weeks: 1-4, days: [monday]}]
targets:
  cocaine: {behavior: abstinence, schedule: [{weeks: 1-4, fixed: 10.00}]}
  counselling: {behavior: attendance, CALLEDschedule: [{weeks: 1-4, fixed: 3.00}]}
"""


@pytest.mark.parametrize(
    ("called", "words", "said"),
    [
        ("", "en", ["Sample 1. Goal met", "Appointment 1. You did not come"]),
        (
            "called: {one: session, many: sessions}, ",
            "en",
            ["Sample 1. Goal met", "Session 1. You did not come"],
        ),
        ("", "es", ["Muestra 1. Meta cumplida", "Cita 1. Usted no vino"]),
    ],
)
def test_a_statement_on_several_goals_says_which_one_a_line_is_of_and_names_no_substance(
    called: str, words: str, said: list[str]
) -> None:
    engine = Engine.open("memory:", zone="UTC", clock=lambda: datetime(2026, 1, 5, 18, tzinfo=UTC))
    engine.add_program(parse_program(TWO_GOALS.replace("CALLED", called)))
    engine.enroll(participant="p-1", program="two-goals", start=MONDAY, by="n", id="e-1")
    for target, result in (("cocaine", "-"), ("counselling", "o")):
        engine.record(
            enrollment="e-1", target=target, result=result, on=MONDAY, source="s", key=target, by="n"
        )
    rows = statement_report(engine, enrollment="e-1", on=MONDAY, words=Words(words)).sheets[0].rows
    assert [row.what for row in rows] == said


def corrected(hand: Hand, name: str, record: int, result: str) -> None:
    hand.engine.amend(enrollment=name, record=record, result=result, why="misread", **hand.told())


def three_visits(more: str = "") -> tuple[Hand, str]:
    hand = Hand(more)
    name = hand.enroll()
    for days in (0, 3, 7):
        hand.now = datetime(2025, 12, 29, 18, tzinfo=UTC) + timedelta(days=days)
        hand.record(name, MONDAY + timedelta(days=days))
    return hand, name


NOT_MET = "Goal not met this time; the next rewards start again from the first step"
SHARED = "limits: [{amount: 500, per: calendar year, payer: county, crossing: truncate}]"


def test_a_statement_after_a_correction_has_what_changed_with_before_and_after_in_each_language() -> None:
    hand, name = three_visits()
    corrected(hand, name, 2, "+")
    english, spanish = (
        [
            row.what
            for row in statement_report(hand.engine, enrollment=name, on=MONDAY, words=Words(each))
            .sheets[0]
            .rows
        ]
        for each in ("en", "es")
    )
    assert english == [
        "Visit 1. Goal met",
        "Visit 2. Goal met",
        "Visit 3. Goal met",
        f"Corrected: Visit 2. {NOT_MET}. Now: nothing. Before: Goal met, $11.00",
        "Corrected: Visit 3. Goal met. Now: $10.00. Before: $12.00",
    ]
    assert spanish[-1] == "Corregido: Visita 3. Meta cumplida. Ahora: $10.00. Antes: $12.00"
    assert spanish[-2].endswith("Ahora: nada. Antes: Meta cumplida, $11.00")


def test_a_statement_in_every_form_leaves_out_visits_that_were_only_decided_again() -> None:
    hand, name = three_visits(SHARED)
    corrected(hand, name, 3, "+")
    corrected(hand, name, 1, "-")
    decided = [each for act in hand.engine.history(enrollment=name) for each in act.decisions]
    assert [each.visit for each in decided] == [1, 2, 3, 1, 2, 3, 1, 2, 3]
    report = statement_report(hand.engine, enrollment=name, on=MONDAY)
    rows = report.sheets[0].rows
    assert [row.what for row in rows][3:] == [
        f"Corrected: Visit 3. {NOT_MET}. Now: nothing. Before: Goal met, $12.00"
    ]
    assert text_of(report).count("Corrected") == html_of(report).count("Corrected") == 1
    assert csv_of(report.sheets[0]).count("\r\n") == 1 + len(rows)
    assert len(json.loads(json_of(report))["sheets"]["lines"]) == len(rows)
    assert [tile.value for tile in report.tiles if tile.name == "Earned so far"] == [rows[-1].in_all]


def test_a_visit_that_was_only_decided_again_is_awarded_once_in_all_reports() -> None:
    hand, name = three_visits(SHARED)
    corrected(hand, name, 1, "-")
    read = clinic(hand.engine, MONDAY)
    sheets = {sheet.name: sheet.rows for sheet in dashboard(hand.engine, read).sheets}
    assert [(row.month, str(row.awarded)) for row in sheets["months"]] == [
        ("2025-12", "10.00"),
        ("2026-01", "23.00"),
    ]
    assert sum(row.awarded for row in program_report(read).sheets[1].rows) == 33


def test_what_a_visit_was_before_it_was_withdrawn_or_moved_is_said() -> None:
    hand, name = three_visits()
    moved = MONDAY + timedelta(days=8)
    hand.now += timedelta(days=1)
    hand.engine.amend(enrollment=name, record=3, on=moved, why="the day", **hand.told())
    hand.engine.void(enrollment=name, record=3, why="another's", **hand.told())
    *_, first, last = statement_report(hand.engine, enrollment=name, on=moved).sheets[0].rows
    assert (first.day, first.what) == (
        "6 January 2026",
        "Corrected: Visit 3. Goal met. Before: 5 January 2026",
    )
    assert last.what == (
        "Corrected: Visit 3. Taken back, because it had been entered by mistake. Before: Goal met, $12.00"
    )


def test_a_visit_made_good_after_its_window_is_decided_and_not_kept() -> None:
    hand = Hand(windows="before: 1, after: 0, makeup: 1, grace: 1")
    for name, late in (("e-1", 0), ("e-2", 1)):
        hand.now = datetime(2025, 12, 29, 18, tzinfo=UTC) + timedelta(days=late)
        hand.record(hand.enroll(name), MONDAY + timedelta(days=late))
    [row] = next(
        sheet.rows
        for sheet in fidelity_report(clinic(hand.engine, MONDAY + timedelta(days=1))).sheets
        if sheet.name == "visits"
    )
    assert (row.decided, row.on_the_day, row.in_the_window, row.missed, row.due) == (2, 1, 1, 0, 2)
    assert str(row.kept_percent) == "50.0"


@pytest.mark.parametrize(
    ("own", "given"),
    [
        ("", {("missed-twice", 2), ("no-reward-yet", 4)}),
        ("signals: [{name: three, when: {missed: 3}, to: [counselor]}]", {("three", 3)}),
    ],
)
def test_signals_are_the_programs_own_and_the_usual_ones_only_where_it_has_none(
    own: str, given: set[tuple[str, int]]
) -> None:
    hand = Hand(own)
    name = hand.enroll()
    hand.now += timedelta(days=14)
    hand.engine.sweep()
    report = risk_report(hand.engine, clinic(hand.engine, MONDAY + timedelta(days=14)))
    assert {(row.signal, row.visit) for row in report.sheets[0].rows} == given
    assert {(row.enrollment, row.to) for row in report.sheets[0].rows} == {(name, ("counselor",))}


@pytest.mark.parametrize(("run", "given"), [(5, []), (6, [("slip-after-a-long-run", 7)])])
def test_a_slip_after_six_in_a_row_is_one_of_the_usual_signals(
    run: int, given: list[tuple[str, int]]
) -> None:
    hand = Hand()
    name = hand.enroll()
    for number in range(run + 1):
        on = MONDAY + timedelta(weeks=number // 2, days=3 * (number % 2))
        hand.now = datetime.combine(on, time(18), tzinfo=UTC)
        result = "+" if number == run else "-"
        hand.engine.record(enrollment=name, result=result, on=on, **hand.told())
    found = risk_report(hand.engine, clinic(hand.engine, on)).sheets[0].rows
    assert [(row.signal, row.visit) for row in found] == given


def test_what_is_recorded_meanwhile_is_in_the_next_report(database_url: str) -> None:
    hand = Hand(url=database_url)
    name = hand.enroll()
    hand.record(name, MONDAY)
    with hand.engine.reading() as still:
        before = clinic(still, MONDAY)
        hand.now += timedelta(days=3)
        hand.record(name, MONDAY + timedelta(days=3))
        again = clinic(still, MONDAY)
        assert [len(each.courses[0].decisions) for each in (before, again)] == [1, 1]
        assert before.verified().decisions == 1
        assert still.ahead(enrollment=name).pays["USD"] == sum(range(11, 18))
    after = clinic(hand.engine, MONDAY)
    assert (len(after.courses[0].decisions), after.verified().decisions) == (2, 2)
    hand.engine.close()


def test_an_engine_that_reads_one_moment_writes_nothing() -> None:
    hand = Hand()
    name = hand.enroll()
    with hand.engine.reading() as still:
        with pytest.raises(StorageError, match="only reads one moment of the log"):
            still.record(enrollment=name, result="-", on=MONDAY, **hand.told())
        with pytest.raises(StorageError, match="only reads one moment of the log"):
            still.joining("a session")
    assert hand.engine.enrollment(name).last_record == 0


def test_five_results_in_five_minutes_are_a_burst_and_in_six_they_are_not() -> None:
    for seconds, found in ((75, 1), (80, 0)):
        hand = Hand()
        for number in range(5):
            name = hand.enroll(f"e-{number}")
            hand.record(name, MONDAY)
            hand.now += timedelta(seconds=seconds)
        bursts = integrity_report(clinic(hand.engine, MONDAY)).sheets[1].rows
        assert [(each.results, each.enrollments) for each in bursts] == [(5, 5)] * found
        assert [(each.first_at, each.last_at) for each in bursts] == [
            ("2025-12-29 10:00", "2025-12-29 10:05")
        ] * found


def test_who_entered_second_and_hands_over_did_not_enter_alone() -> None:
    hand = Hand("people: {second_entry: [results]}")
    for who in ("nurse-7", "nurse-8"):
        hand.engine.add_staff(staff=who, roles=["front-desk"], trained_on=MONDAY, by="nurse-7")
    name = hand.enroll()
    hand.engine.enter(enrollment=name, result="-", on=MONDAY, **hand.told("nurse-7"))
    waiting = next(
        sheet.rows
        for sheet in fidelity_report(clinic(hand.engine, MONDAY)).sheets
        if sheet.name == "second-entry"
    )
    assert [(row.results, row.waiting) for row in waiting] == [(0, 1)]
    number = hand.engine.enter(enrollment=name, result="-", on=MONDAY, **hand.told("nurse-8")).number
    hand.engine.hand_over(enrollment=name, number=number, **hand.told("nurse-8"))
    [row] = integrity_report(clinic(hand.engine, MONDAY)).sheets[0].rows
    assert (row.staff, row.handed_over, row.entered_too) == ("nurse-8", 1, 0)


def test_only_who_would_lose_something_by_a_miss_is_about_to_lose_a_level() -> None:
    found = []
    for missed, held in ((", missed", ""), ("", ", hold: {on: [missed, excused, invalid, refused]}")):
        hand = Hand(missed=missed, held=held)
        hand.record(hand.enroll(), MONDAY)
        hand.now += timedelta(days=3)
        day = MONDAY + timedelta(days=3)
        found.append(risk_report(hand.engine, clinic(hand.engine, day)).sheets[1].rows)
    [[row], nobody] = found
    assert (row.visit, row.closes, row.status, row.next_reward) == (
        2,
        date(2026, 1, 2),
        "open",
        ("11.00 USD",),
    )
    assert not nobody


def owing() -> tuple[Hand, str]:
    """Return who was given 10.00 too much, and has it taken off later rewards."""
    hand = Hand("payout: {overpaid: offset}")
    name = hand.enroll()
    hand.record(name, MONDAY)
    [line] = hand.engine.statement(enrollment=name).lines
    hand.engine.amend(enrollment=name, record=line.record, result="e", why="misread", **hand.told())
    return hand, name


def test_a_statement_says_what_is_to_be_taken_off_and_the_line_that_settles_it() -> None:
    hand, name = owing()
    before = statement_report(hand.engine, enrollment=name, on=MONDAY)
    assert {tile.name: tile.value for tile in before.tiles}[
        "Given too much, to be taken off later rewards"
    ] == "$10.00"
    assert before.sheets[0].rows[-1].what.endswith("$10.00 that was given is taken off later rewards")
    hand.now += timedelta(days=3)
    hand.record(name, MONDAY + timedelta(days=3))
    after = statement_report(hand.engine, enrollment=name, on=MONDAY)
    assert "Given too much, to be taken off later rewards" not in {tile.name for tile in after.tiles}
    assert after.sheets[0].rows[-1][1:3] == (
        "Visit 2. Goal met. $10.00 of it settles what was given too much before",
        "",
    )
    spanish = statement_report(hand.engine, enrollment=name, on=MONDAY, words=Words("es"))
    assert spanish.sheets[0].rows[-1].what.endswith("$10.00 de eso compensa lo que antes se entregó de más")


def test_a_late_result_says_what_it_settles_as_one_in_order_does() -> None:
    hand, name = owing()
    hand.now += timedelta(days=8)
    hand.engine.record(enrollment=name, result="e", on=MONDAY + timedelta(days=7), **hand.told())
    late = hand.engine.record(enrollment=name, result="-", on=MONDAY + timedelta(days=3), **hand.told())
    assert late.sentence.endswith("$10.00 of it settles what an earlier correction left given too much.")
    assert (late.payable, late.hand_over) == ({}, {})
    [line] = [
        each for each in hand.engine.statement(enrollment=name).lines if each.visit == 2 and each.settled
    ]
    assert line.settled == {"USD": 10}
    assert hand.engine.verify().is_clean


def test_the_next_reward_is_that_of_the_visit_that_is_planned_first() -> None:
    hand = Hand()
    hand.engine.add_program(
        parse_program(
            'program: two\nversion: "1"\ntitle: Two\ncurrency: USD\nwindows: {grace: 5}\ntargets:\n'
            "  a: {behavior: attendance, visits: [{weeks: 1-4, days: [monday, thursday]}], schedule: [{weeks: 1-4, escalate: {start: 10, step: 2}, reset: {}}]}\n"
            "  c: {behavior: attendance, visits: [{weeks: 1-4, days: [tuesday]}], schedule: [{weeks: 1-4, fixed: 3}]}\n"
        )
    )
    name = hand.engine.enroll(participant="p-2", program="two", start=MONDAY, by="nurse-7").id
    hand.engine.record(enrollment=name, target="a", result="-", on=MONDAY, **hand.told())
    assert statement_report(hand.engine, enrollment=name, on=MONDAY).tiles[-1][1:] == (
        "$3.00", "if you meet the goal on 30 December 2025",
    )  # fmt: skip
    hand.now += timedelta(days=4)
    friday = MONDAY + timedelta(days=4)
    assert statement_report(hand.engine, enrollment=name, on=friday).tiles[-1][1:] == (
        "$10.00", "if you meet the goal on 5 January 2026",
    )  # fmt: skip


def of_weeks(hand: Hand, more: str) -> str:
    """Enroll somebody in two weeks of two visits each."""
    hand.engine.add_program(
        parse_program(
            'program: weeks\nversion: "1"\ntitle: Weeks\ncurrency: USD\nvisits: [{weeks: 1-2, days: [monday, thursday]}]\n'
            "targets: {a: {behavior: abstinence, schedule: "
            "[{weeks: 1-2, escalate: {start: 10, step: 2}, reset: {on: [excused, positive, missed]}}]}}\n"
            + more
        )
    )
    return hand.engine.enroll(participant="p-7", program="weeks", start=MONDAY, by="nurse-7").id


@pytest.mark.parametrize(
    ("language", "by"), [("en", "by 4 January 2026"), ("es", "a más tardar el 4 de enero de 2026")]
)
def test_the_next_reward_of_a_week_is_promised_until_its_last_day_and_on_no_day_that_is_over(
    language: str, by: str
) -> None:
    hand = Hand()
    name = of_weeks(hand, "windows: {within: week}\n")
    hand.engine.record(enrollment=name, result="-", on=MONDAY, **hand.told())
    assert {each["-"].visit for each in hand.engine.preview(enrollment=name).values()} == {2}
    hand.now += timedelta(days=4)
    page = statement_report(
        hand.engine, enrollment=name, on=MONDAY + timedelta(days=4), words=Words(language)
    )
    assert page.tiles[-1].value == "$12.00"
    assert page.tiles[-1].note.endswith(by)


def test_a_goal_without_windows_is_among_those_that_may_be_next() -> None:
    hand = Hand()
    hand.engine.add_program(
        parse_program(
            'program: mixed\nversion: "1"\ntitle: Mixed\ncurrency: USD\ntargets:\n'
            "  a: {behavior: abstinence, visits: [{weeks: 1-4, per_week: 2}], schedule: [{weeks: 1-4, fixed: 10}]}\n"
            "  c: {behavior: attendance, visits: [{weeks: 1-4, days: [friday]}], windows: {after: 1}, schedule: [{weeks: 1-4, fixed: 40}]}\n"
        )
    )
    name = hand.engine.enroll(participant="p-8", program="mixed", start=MONDAY, by="nurse-7").id
    page = statement_report(hand.engine, enrollment=name, on=MONDAY)
    assert page.tiles[-1][1:] == ("$10.00", "if you meet the goal")


def test_who_is_excused_and_set_back_is_not_told_to_keep_their_place() -> None:
    hand = Hand()
    name = of_weeks(hand, "")
    for day, result in ((0, "-"), (3, "-"), (7, "e")):
        hand.engine.record(enrollment=name, result=result, on=MONDAY + timedelta(day), **hand.told())
        hand.now += timedelta(days=4)
    page = statement_report(hand.engine, enrollment=name, on=MONDAY + timedelta(days=8))
    last = page.sheets[0].rows[-1]
    assert last.what == "Visit 3. Visit excused; the next rewards start again from the first step"


def test_statements_say_that_nothing_is_handed_over_while_an_enrollment_is_frozen() -> None:
    hand = Hand()
    name = hand.enroll()
    hand.record(name, MONDAY)
    hand.engine.freeze(enrollment=name, on=MONDAY, why="a dispute", **hand.told())
    tiles = {tile.name for tile in statement_report(hand.engine, enrollment=name, on=MONDAY).tiles}
    assert "On its way to you, or held back for now" in tiles
    assert (
        hand.engine.statement(enrollment=name)
        .text()
        .endswith("Frozen: nothing is handed over for now, and what is on the way may be held back.\n")
    )


def test_an_amount_less_than_nothing_is_no_formula() -> None:
    hand = Hand("payout: {when: on request, minimum: 1}")
    name = hand.enroll()
    hand.record(name, MONDAY)
    record = hand.engine.statement(enrollment=name).lines[0].record
    hand.engine.amend(enrollment=name, record=record, result="+", why="misread", **hand.told())
    [sheet] = statement_report(hand.engine, enrollment=name, on=MONDAY).sheets
    assert ",-$10.00," in csv_of(sheet)
    assert "; $10.00 less is due" in hand.engine.statement(enrollment=name).text()
