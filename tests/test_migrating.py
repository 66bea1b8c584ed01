"""An enrollment moves to another version of its program: from its day on, and nothing before it changes."""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm_engine import (
    CorrectionError,
    Engine,
    Evidence,
    KeyConflictError,
    Program,
    ProgramNotAddedError,
    Recorded,
    Report,
    ReportError,
    canonical,
    cli,
    decide,
    parse_program,
)

START = date(2026, 1, 5)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
BY: dict[str, Any] = {"source": "desk", "by": "nurse-7"}


def version(number: int, start: str, rest: str = "", weeks: str = "1-8", visits: int = 2) -> Program:
    return parse_program(f"""
program: voucher
version: "{number}"
title: Voucher
currency: USD
visits: [{{weeks: {weeks}, per_week: {visits}}}]
targets:
  cocaine:
    behavior: abstinence
    schedule:
      - weeks: {weeks}
        escalate: {{start: {start}, step: 1.00}}
        reset: {{}}
        recover: {{after: 2, paid: next, level: last earned}}
{rest}
""")


ONE, TWO = version(1, "5.00"), version(2, "10.00")


def opened(url: str, *programs: Program) -> Engine:
    engine = Engine.open(url, zone="America/Los_Angeles", clock=lambda: NOW)
    for program in programs or (ONE, TWO):
        engine.add_program(program)
    return engine


def enrolled(engine: Engine) -> str:
    return engine.enroll(participant="p-1", program="voucher@1", start=START, by="nurse-7").id


def on(visit: int) -> date:
    """The planned day of a visit, two a week, from 0."""
    return START + timedelta(days=7 * (visit // 2) + 3 * (visit % 2))


def record(engine: Engine, enrollment: str, visit: int, result: str) -> Recorded:
    return engine.record(enrollment=enrollment, result=result, on=on(visit), key=f"k-{visit}", **BY)


def migrate(
    engine: Engine, enrollment: str, day: date, key: str = "m-1", program: str = "voucher@2"
) -> Recorded:
    return engine.migrate(enrollment=enrollment, program=program, on=day, why="new rates", key=key, **BY)


def standing(engine: Engine, enrollment: str) -> list[Decimal]:
    """What the decisions that stand award, by the days of their observations."""
    found = {
        each.record: (each.on, each.awards.get("USD", Decimal(0)))
        for act in engine.history(enrollment=enrollment)
        for each in act.decisions
    }
    return [award for _, award in sorted(found.values(), key=lambda pair: str(pair[0]))]


def awards(program: Program, word: str) -> list[Decimal]:
    return [each.awards["USD"] for each in decide(program, word, start=START).decisions]


def test_from_its_day_on_the_other_version_decides_as_if_it_always_had() -> None:
    engine = opened("memory:")
    enrollment = enrolled(engine)
    for visit, result in enumerate("---"):
        record(engine, enrollment, visit, result)
    migrate(engine, enrollment, on(3))
    assert record(engine, enrollment, 3, "-").awards == {"USD": Decimal("13.00")}
    assert standing(engine, enrollment) == [Decimal(each) for each in ("5.00", "6.00", "7.00", "13.00")]
    assert engine.verify().is_clean


@settings(deadline=None)
@given(
    word=st.text("-+oe", min_size=1, max_size=12),
    at=st.integers(0, 12),
    order=st.randoms(use_true_random=False),
)
def test_whatever_the_order_of_recording_each_day_has_the_awards_of_its_version(
    word: str, at: int, order: Random
) -> None:
    engine = opened("memory:")
    enrollment = enrolled(engine)
    acts: list[int] = [*range(len(word)), -1]
    order.shuffle(acts)
    for each in acts:
        if each < 0:
            migrate(engine, enrollment, on(at))
        else:
            engine.record(enrollment=enrollment, result=word[each], on=on(each), key=f"k-{each}", **BY)
    assert standing(engine, enrollment) == awards(ONE, word)[:at] + awards(TWO, word)[at:]
    assert engine.verify().is_clean


def test_results_of_its_day_and_later_ones_are_decided_anew_and_the_difference_is_posted() -> None:
    engine = opened("memory:")
    enrollment = enrolled(engine)
    for visit, result in enumerate("----"):
        record(engine, enrollment, visit, result)
    done = migrate(engine, enrollment, on(2))
    assert [str(each.awards["USD"]) for each in done.corrected] == ["12.00", "13.00"]
    assert done.payable == {"USD": Decimal("10.00")}
    assert engine.balance(enrollment=enrollment)["USD"].awarded == Decimal("36.00")


def test_a_late_result_from_before_is_decided_by_the_version_of_its_day() -> None:
    engine = opened("memory:")
    enrollment = enrolled(engine)
    for visit in (0, 2, 3):
        record(engine, enrollment, visit, "-")
    migrate(engine, enrollment, on(2))
    late = record(engine, enrollment, 1, "+")
    assert late.awards == {"USD": Decimal("0.00")}
    assert standing(engine, enrollment) == [Decimal(each) for each in ("5.00", "0.00", "10.00", "11.00")]
    assert engine.verify().is_clean


def test_what_was_awarded_before_counts_for_the_limits_of_the_other_version() -> None:
    limited = version(2, "10.00", "limits: [{amount: 20.00, per: calendar year, crossing: truncate}]")
    engine = opened("memory:", ONE, limited)
    enrollment = enrolled(engine)
    for visit in (0, 1):
        record(engine, enrollment, visit, "-")
    migrate(engine, enrollment, on(2))
    assert record(engine, enrollment, 2, "-").awards == {"USD": Decimal("9.00")}
    assert record(engine, enrollment, 3, "-").awards == {"USD": Decimal("0.00")}
    assert engine.verify().is_clean


def test_a_rehearsal_shows_the_difference_and_writes_nothing() -> None:
    engine = opened("memory:")
    enrollment = enrolled(engine)
    for visit in range(4):
        record(engine, enrollment, visit, "-")
    before = engine.history(enrollment=enrollment)
    found = engine.rehearse_migration(enrollment=enrollment, program="voucher@2", on=on(3))
    assert [str(each.awards["USD"]) for each in found.done.corrected] == ["13.00"]
    assert (found.now["cocaine"]["-"].awards, found.then["cocaine"]["-"].awards) == (
        {"USD": Decimal("9.00")},
        {"USD": Decimal("14.00")},
    )
    assert (found.rest_now, found.rest_then) == ({"USD": Decimal("174.00")}, {"USD": Decimal("234.00")})
    assert len(engine.history(enrollment=enrollment)) == len(before)
    assert migrate(engine, enrollment, on(3)).payable == found.done.payable


def test_observations_are_rehearsed_and_not_written() -> None:
    engine = opened("memory:")
    enrollment = enrolled(engine)
    reports = [Report(enrollment, "desk", f"k-{n}", "n", "-", on=on(n)) for n in range(3)]
    assert [str(each.awards["USD"]) for each in engine.rehearse(reports)] == ["5.00", "6.00", "7.00"]
    assert len(engine.history(enrollment=enrollment)) == 1
    assert engine.rehearse([]) == []


@pytest.mark.parametrize("rehearsed", [True, False])
def test_another_process_goes_on_with_the_other_version(tmp_path: Path, rehearsed: bool) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    here, there = opened(url), opened(url)
    enrollment = enrolled(here)
    record(here, enrollment, 0, "-")
    record(there, enrollment, 1, "-")
    if rehearsed:
        here.rehearse_migration(enrollment=enrollment, program="voucher@2", on=on(2))
    migrate(here, enrollment, on(2))
    assert record(there, enrollment, 2, "-").awards == {"USD": Decimal("12.00")}
    assert there.preview(enrollment=enrollment)["cocaine"]["-"].awards == {"USD": Decimal("13.00")}
    assert record(here, enrollment, 3, "+").awards == {"USD": Decimal("0.00")}
    with opened(url) as anew:
        assert record(anew, enrollment, 4, "-").awards == {"USD": Decimal("10.00")}
        assert anew.verify().is_clean


def test_it_moves_on_again_and_back() -> None:
    three = version(3, "20.00")
    engine = opened("memory:", ONE, TWO, three)
    enrollment = enrolled(engine)
    record(engine, enrollment, 0, "-")
    for visit, (key, program) in enumerate(
        [("m-2", "voucher@2"), ("m-3", "voucher@3"), ("m-4", "voucher@1")], 1
    ):
        migrate(engine, enrollment, on(visit), key, program)
        record(engine, enrollment, visit, "-")
    assert standing(engine, enrollment) == [Decimal(each) for each in ("5.00", "11.00", "22.00", "8.00")]
    assert engine.verify().is_clean


def test_a_correction_after_it_decides_each_day_by_its_version() -> None:
    engine = opened("memory:")
    enrollment = enrolled(engine)
    for visit in range(2):
        record(engine, enrollment, visit, "-")
    migrate(engine, enrollment, on(2))
    for visit in (2, 3):
        record(engine, enrollment, visit, "-")
    engine.amend(enrollment=enrollment, record=1, result="+", why="typo", key="a-1", **BY)
    assert standing(engine, enrollment) == [Decimal(each) for each in ("0.00", "5.00", "11.00", "12.00")]
    assert engine.verify().is_clean


def test_the_same_change_again_is_the_stored_one_and_another_under_its_key_is_refused() -> None:
    engine = opened("memory:")
    enrollment = enrolled(engine)
    first = migrate(engine, enrollment, on(2))
    assert migrate(engine, enrollment, on(2)).replayed
    assert migrate(engine, enrollment, on(2)).record == first.record
    with pytest.raises(KeyConflictError):
        migrate(engine, enrollment, on(3))


REFUSED: Sequence[tuple[str, date, str]] = (
    ("voucher@1", on(2), "program: expected another version of voucher@1, got voucher@1"),
    ("other", on(2), "program: expected another version of voucher@1, got other@1"),
    ("voucher@3", on(2), "program: both versions must have the same currency and units, and no deposit"),
    (
        "voucher@2",
        START - timedelta(days=1),
        "on: expected 2026-01-05 or later, when the version before began",
    ),
    ("voucher@2", date(2027, 1, 1), "on is 2027-01-01, and at the clinic it is 2026-10-31"),
)


@pytest.mark.parametrize(("program", "day", "words"), REFUSED)
def test_what_cannot_be_changed_to_is_refused_in_words_and_nothing_is_written(
    program: str, day: date, words: str
) -> None:
    other = parse_program(ONE_TEXT.replace("program: voucher", "program: other"))
    units = parse_program(ONE_TEXT.replace('version: "1"', 'version: "3"\nunits: {cup: cups}'))
    engine = opened("memory:", ONE, TWO, other, units)
    enrollment = enrolled(engine)
    with pytest.raises(ReportError) as refused:
        migrate(engine, enrollment, day, program=program)
    assert words in str(refused.value)
    assert len(engine.history(enrollment=enrollment)) == 1


ONE_TEXT = """
program: voucher
version: "1"
title: Voucher
currency: USD
visits: [{weeks: 1-8, per_week: 2}]
targets:
  cocaine:
    behavior: abstinence
    schedule: [{weeks: 1-8, fixed: 5.00}]
"""


def test_a_version_that_is_not_registered_is_refused() -> None:
    engine = opened("memory:")
    enrollment = enrolled(engine)
    with pytest.raises(ProgramNotAddedError):
        migrate(engine, enrollment, on(2), program="voucher@9")


def test_a_version_that_cannot_decide_what_is_there_is_refused() -> None:
    short = version(2, "10.00", weeks="1-1")
    engine = opened("memory:", ONE, short)
    enrollment = enrolled(engine)
    for visit in range(3):
        record(engine, enrollment, visit, "-")
    with pytest.raises(CorrectionError, match="version 2 cannot decide it"):
        migrate(engine, enrollment, on(3))
    assert engine.verify().is_clean


# What was planned before the change, and what is told after it of days before.


def daily(number: int, windows: str, reset: str = "{on: [positive]}", **more: Any) -> Program:
    """The Mondays and Thursdays of four weeks, with windows; what a miss does is the version's own."""
    target = more.pop("targets", ("cocaine",))
    each = f"""
    behavior: abstinence
    schedule: [{{weeks: 1-4, escalate: {{start: 5.00, step: 1.00}}, reset: {reset}}}]"""
    targets = "".join(f"\n  {name}:{each}" for name in target)
    return parse_program(f"""
program: voucher
version: "{number}"
title: Voucher
currency: USD
visits: [{{weeks: 1-4, per_week: 2}}]
windows: {windows}
targets:{targets}
{more.get("rest", "")}
""")


HOLDS, RESETS = "{on: [positive]}", "{on: [positive, missed]}"


def misses(engine: Engine, enrollment: str) -> dict[tuple[str, int], bool]:
    """The visits that nobody came to, as they stand, and whether that put the ladder back."""
    found = {
        (each.target, each.visit): each
        for act in engine.history(enrollment=enrollment)
        for each in act.decisions
        if not each.record
    }
    return {
        visit: any(reason.code == "reset" for reason in each.reasons)
        for visit, each in found.items()
        if each.outcome == "o"
    }


@pytest.mark.parametrize("order", ["migrated first", "migrated last"])
@pytest.mark.parametrize("shown", ["by a result", "by a sweep"])
def test_a_miss_whose_days_were_over_before_it_is_decided_by_the_version_before_whatever_shows_it(
    order: str, shown: str
) -> None:
    engine = opened("memory:", daily(1, "{after: 1}", HOLDS), daily(2, "{after: 1}", RESETS))
    enrollment = enrolled(engine)
    record(engine, enrollment, 0, "-")

    def show() -> None:
        if shown == "by a sweep":
            engine.sweep(enrollment=enrollment, until=on(3) + timedelta(1))
        else:
            record(engine, enrollment, 4, "-")

    acts = [lambda: migrate(engine, enrollment, on(2) - timedelta(1)), show]
    for act in acts if order == "migrated first" else acts[::-1]:
        act()
    assert misses(engine, enrollment) == {
        ("cocaine", 2): False,
        ("cocaine", 3): True,
        ("cocaine", 4): True,
    }
    assert engine.verify().is_clean
    engine.amend(enrollment=enrollment, record=1, result="+", why="typo", key="a-1", **BY)
    assert engine.verify().is_clean


def test_a_visit_that_is_open_still_is_of_the_new_version_met_or_missed() -> None:
    names = ("cocaine", "opioids")
    engine = opened(
        "memory:",
        daily(1, "{after: 1}", HOLDS, targets=names),
        daily(2, "{after: 1}", RESETS, targets=names),
    )
    enrollment = enrolled(engine)
    migrate(engine, enrollment, on(1) + timedelta(1))
    said = {"enrollment": enrollment, "result": "-", **BY}
    engine.record(**said, target="cocaine", on=on(2), key="c-2")
    assert misses(engine, enrollment) == {(name, visit): visit == 2 for name in names for visit in (1, 2)}
    came = engine.record(**said, target="opioids", on=on(1) + timedelta(1), key="o-1")
    assert (came.visit, misses(engine, enrollment)[("opioids", 1)]) == (2, False)
    assert ("opioids", 2) not in misses(engine, enrollment)
    engine.sweep(enrollment=enrollment, until=on(3) + timedelta(1))
    assert misses(engine, enrollment)[("opioids", 3)] is True
    assert engine.verify().is_clean


def breath(version: int, step: str, rest: str = "", criterion: str = "", more: str = "") -> Program:
    return parse_program(f"""
program: voucher
version: "{version}"
title: Voucher
currency: USD
visits: [{{weeks: 1-4, per_week: 2}}]
targets:
  tobacco:
    behavior: abstinence
    evidence: {{specimen: breath}}
    schedule: [{{weeks: 1-4, escalate: {{start: 5.00, step: {step}}}, reset: {{}}{criterion}}}]
{more}{rest}
""")


JUDGED = ", criterion: {threshold: {at_most: 6}}"
VISITS = """  visits:
    behavior: attendance
    schedule: [{weeks: 1-4, fixed: 3.00}]
"""


@pytest.fixture
def without_values() -> Engine:
    """The second version knows neither measured values nor the second target."""
    return opened("memory:", breath(1, "1.00", criterion=JUDGED, more=VISITS), breath(2, "2.00"))


def test_a_late_result_that_only_the_version_of_its_day_can_read_is_decided_by_that(
    without_values: Engine,
) -> None:
    engine = without_values
    said: dict[str, Any] = {"enrollment": enrolled(engine), **BY}
    engine.migrate(program="voucher@2", on=on(2), why="no monitor any more", key="m-1", **said)
    at = datetime(2026, 1, 5, 20, tzinfo=UTC)
    low, high = (Evidence(value=Decimal(value)) for value in (4, 9))
    smoked = engine.record(target="tobacco", evidence=low, collected_at=at, key="t-1", **said)
    came = engine.record(target="visits", result="-", collected_at=at, key="v-1", **said)
    assert (smoked.awards, came.awards) == ({"USD": Decimal("5.00")}, {"USD": Decimal("3.00")})
    after = engine.record(result="-", on=on(2), key="t-2", **said)
    assert after.awards == {"USD": Decimal("7.00")}  # the new version takes the first one as it was read
    engine.amend(record=smoked.record, evidence=high, why="typo", key="a-1", **said)
    assert standing(engine, said["enrollment"]) == [Decimal(each) for each in ("0.00", "3.00", "5.00")]
    assert engine.verify().is_clean


def test_a_version_that_cannot_read_what_was_told_before_it_is_refused(without_values: Engine) -> None:
    engine = without_values
    said: dict[str, Any] = {"enrollment": enrolled(engine), **BY}
    low = Evidence(value=Decimal(4))
    engine.record(target="tobacco", evidence=low, on=START, key="t-1", **said)
    with pytest.raises(CorrectionError, match="version 2 cannot decide it"):
        engine.migrate(program="voucher@2", on=on(2), why="no monitor any more", key="m-1", **said)
    assert engine.verify().is_clean


def test_nobody_moves_to_another_version_while_an_entry_waits_for_a_second_person() -> None:
    people = "people: {second_entry: [results]}"
    engine = opened("memory:", version(1, "5.00", people), TWO)
    for name in ("nurse-7", "nurse-8", "lead-1"):
        engine.add_staff(staff=name, roles=["supervisor"], by="nurse-7")
    enrollment = enrolled(engine)
    said: dict[str, Any] = {"enrollment": enrollment, "source": "desk", "result": "-", "on": on(0)}
    waits = engine.enter(key="e-1", by="nurse-7", **said)
    for act in (
        lambda: migrate(engine, enrollment, on(1)),
        lambda: engine.rehearse_migration(enrollment=enrollment, program="voucher@2", on=on(1)),
    ):
        with pytest.raises(ReportError, match=rf"wait for a second person \(record {waits.record}\)"):
            act()
    assert [each.record for each in engine.waiting()] == [waits.record]
    assert engine.enter(key="e-1", by="nurse-8", **said).awards == {"USD": Decimal("5.00")}
    migrate(engine, enrollment, on(1))
    assert engine.waiting() == []
    assert engine.verify().is_clean


def test_entries_of_a_version_that_asks_for_two_people_are_listed_though_the_first_version_did_not() -> None:
    engine = opened("memory:", ONE, version(2, "10.00", "people: {second_entry: [results]}"))
    for name in ("nurse-7", "nurse-8"):
        engine.add_staff(staff=name, roles=["supervisor"], by="nurse-7")
    enrollment = enrolled(engine)
    migrate(engine, enrollment, on(0))
    waits = engine.enter(enrollment=enrollment, result="-", on=on(0), key="e-1", **BY)
    assert [each.record for each in engine.waiting()] == [waits.record]


Acts = list[tuple[str, int]]


@settings(deadline=None, max_examples=60)
@given(
    word=st.text("-+ ", min_size=8, max_size=8),
    late=st.sets(st.integers(0, 7)),
    at=st.integers(1, 26),
    sweeps=st.lists(st.integers(1, 30), max_size=3),
    order=st.randoms(use_true_random=False),
)
def test_whatever_the_order_of_recording_a_miss_is_of_the_version_in_which_its_last_day_was_over(
    word: str, late: set[int], at: int, sweeps: list[int], order: Random
) -> None:
    engine = opened("memory:", daily(1, "{after: 1}", HOLDS), daily(2, "{after: 1}", RESETS))
    enrollment, day = enrolled(engine), START + timedelta(at)
    came = [("came", visit) for visit, result in enumerate(word) if result != " "]
    acts: Acts = [*came, *(("swept", after) for after in sweeps), ("moved", at)]
    order.shuffle(acts)
    for kind, number in [*acts, ("swept", 40)]:
        if kind == "moved":
            migrate(engine, enrollment, day)
        elif kind == "swept":
            engine.sweep(enrollment=enrollment, until=START + timedelta(number))
        else:
            said = {"result": word[number], "on": on(number) + timedelta(number in late), **BY}
            engine.record(enrollment=enrollment, key=f"k-{number}", **said)
    alone = {visit + 1 for visit, result in enumerate(word) if result == " "}
    lasts = {visit: on(visit - 1) + timedelta(1) for visit in alone}
    assert misses(engine, enrollment) == {("cocaine", visit): lasts[visit] >= day for visit in alone}
    assert engine.verify().is_clean


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The command, on a database with an enrollment that a change makes miss visits."""
    monkeypatch.setenv("CM_ENGINE_DB", f"sqlite:///{tmp_path / 'clinic.db'}")
    monkeypatch.setenv("COLUMNS", "200")
    with opened(
        f"sqlite:///{tmp_path / 'clinic.db'}", daily(1, "{after: 1}", HOLDS), daily(2, "{after: 1}", RESETS)
    ) as engine:
        engine.enroll(participant="p-1", program="voucher@1", start=START, by="nurse-7", id="e-1")
        for visit in (0, 1, 4):
            record(engine, "e-1", visit, "-")

    def run(*words: str) -> str:
        of = ("--program", "voucher@2", "--on", f"{on(1)}", "--why", "new rates")
        by = ("--source", "office", "--key", "v-1", "--by", "lead-1")
        monkeypatch.setattr(sys, "argv", ["cm-engine", "migrate", "e-1", *of, *by, *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert (ended.value.code or 0, printed.err) == (0, "")
        return printed.out

    return run


def test_the_command_rehearses_what_it_does_in_the_same_words(command: Callable[..., str]) -> None:
    shown, first, *lines = command("--rehearse").partition("Now: ")[0].splitlines()
    done = command().splitlines()
    assert shown == "Nothing is written. Without --rehearse:"
    assert [line.removeprefix("  ") for line in (first, *lines)] == done
    assert "It shows 2 visits to be over:" in done
    assert "It corrects 1 other decision:" in done


def test_the_command_rehearses_what_it_does_in_the_same_data(command: Callable[..., str]) -> None:
    rehearsed, done = json.loads(command("--rehearse", "--json")), json.loads(command("--json"))
    leads_to = ("payable", "hand_over", "frozen", "missed", "corrected")
    assert {name: rehearsed[name] for name in leads_to} == {name: done[name] for name in leads_to}
    assert [len(done[name]) for name in ("missed", "corrected")] == [2, 1]


def weekly(number: int, days: str, rest: str = "") -> Program:
    """A part of a week pays, too: also on its last visit, if that was missed."""
    return parse_program(f"""
program: voucher
version: "{number}"
title: Voucher
currency: USD
visits: [{{weeks: 1-4, days: [{days}]}}]
windows: {{after: 0}}
targets:
  cocaine:
    behavior: abstinence
    schedule: [{{weeks: 1-4, weekly: {{all: 12.00, some: 5.00}}}}]
{rest}
""")


@pytest.mark.parametrize("order", ["migrated first", "migrated last"])
def test_what_a_missed_visit_paid_stays_though_the_other_version_misses_another_of_its_number(
    order: str,
) -> None:
    engine = opened("memory:", weekly(1, "monday, thursday"), weekly(2, "monday"))
    enrollment = enrolled(engine)
    record(engine, enrollment, 0, "-")
    acts: list[Callable[[], object]] = [
        lambda: migrate(engine, enrollment, START + timedelta(7)),
        lambda: engine.sweep(enrollment=enrollment, until=START + timedelta(8)),
    ]
    for act in acts if order == "migrated first" else acts[::-1]:
        act()
    second = [line.on for line in engine.statement(enrollment=enrollment).lines if line.visit == 2]
    assert second == [START + timedelta(3), START + timedelta(7)]
    balance = engine.balance(enrollment=enrollment)["USD"]
    assert (balance.awarded, balance.absorbed) == (Decimal("5.00"), Decimal("0.00"))
    assert engine.verify().is_clean
    engine.amend(enrollment=enrollment, record=1, result="+", why="typo", key="a-1", **BY)
    assert engine.verify().is_clean


def test_a_version_with_windows_is_swept_though_the_first_one_had_none() -> None:
    document = json.loads(canonical(daily(1, "{after: 1}", HOLDS)))
    del document["windows"]
    engine = opened("memory:", parse_program(json.dumps(document)), daily(2, "{after: 1}", HOLDS))
    enrollment = enrolled(engine)
    record(engine, enrollment, 0, "-")
    migrate(engine, enrollment, on(1) - timedelta(1))
    assert [each.missed[0].visit for each in engine.sweep(until=on(1) + timedelta(2))] == [2]
    assert engine.verify().is_clean


SIGNALS = "signals: [{name: not-seen, when: {missed: 2}, to: [counselor]}]"


def test_what_was_missed_of_a_target_that_the_new_version_does_not_have_gives_no_signal() -> None:
    first = daily(1, "{after: 1}", HOLDS, targets=("cocaine", "opioids"), rest=SIGNALS)
    engine = opened("memory:", first, daily(2, "{after: 1}", HOLDS, rest=SIGNALS))
    enrollment = enrolled(engine)
    engine.sweep(enrollment=enrollment, until=on(1) + timedelta(1))
    migrate(engine, enrollment, on(2))
    done = record(engine, enrollment, 2, "-")
    assert [each.kind for each in engine.messages_of(done)] == ["reward earned"]


GRANT = "limits: [{amount: 100, per: rolling days, days: 20, fund: grant, crossing: withhold}]"


def test_an_audit_looks_as_far_back_as_the_versions_did_that_decided_then() -> None:
    engine = opened(
        "memory:",
        daily(1, "{after: 0}", HOLDS, rest=GRANT),
        daily(2, "{within: week, makeup: 7, grace: 7}", HOLDS, rest=GRANT),
    )
    enrollment = enrolled(engine)
    record(engine, enrollment, 0, "-")
    engine.sweep(enrollment=enrollment, until=on(7))
    record(engine, enrollment, 6, "-")
    migrate(engine, enrollment, on(7))
    assert engine.verify().is_clean
