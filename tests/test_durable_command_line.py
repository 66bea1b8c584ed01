"""The commands of the durable engine are a contract: what they keep, print and refuse, and how."""

import json
import os
import pty
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from cm_engine import catalogue, cli, digest
from cm_engine.cli.durable import commands
from cm_engine.facade.opened import system_clock

COMMAND = Path(sys.executable).with_name("cm-engine")
CALIFORNIA = "california-recovery-incentives"
INTEGRATED = "template-integrated-care"
SECRET = "5c" * 32
DECIDED = ["number", "target", "visit", "week", "date", "result", "awards", "reasons", "sentence", "prizes"]
TEN = "Negative test: $10.00. Next negative: $10.00."
ACT = [
    "enrollment",
    "record",
    "kind",
    *DECIDED,
    "payable",
    "hand_over",
    "frozen",
    "missed",
    "corrected",
    "replayed",
    "recorded_at",
    "by",
    "source",
    "key",
    "reported",
]


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Done]:
    """The command, on a database of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CM_ENGINE_DB", "sqlite:///clinic.db")
    monkeypatch.delenv("CM_ENGINE_SECRET", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["cm-engine", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return command


def shown(run: Run, *words: str) -> list[str]:
    done = run(*words)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


def form(run: Run, *words: str) -> dict[str, Any]:
    [line] = shown(run, *words, "--json")
    found: dict[str, Any] = json.loads(line)
    return found


def refused(run: Run, *words: str) -> str:
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    [line] = done.err.splitlines()
    return line


def enroll(run: Run, program: str = CALIFORNIA, *words: str) -> dict[str, Any]:
    who = ["--participant", "p-104", "--id", "e-1", "--by", "nurse-7"]
    when = ["--start", "2025-01-06", "--zone", "America/Los_Angeles"]
    return form(run, "enroll", "--program", program, *who, *when, *words)


def said(key: str) -> list[str]:
    return ["--source", "desk", "--key", key, "--by", "nurse-7"]


def record(result: str, day: str, key: str = "") -> list[str]:
    return ["record", "e-1", "--result", result, "--on", f"2025-01-{day}", *said(key or f"k-{day}")]


# enroll and add-program


def test_enroll_registers_a_program_of_the_catalogue_and_says_so_once(run: Run) -> None:
    words = ["--program", CALIFORNIA, "--zone", "Europe/Rome", "--start", "2025-01-06", "--by", "n"]
    first = shown(run, "enroll", *words, "--participant", "p-1", "--id", "e-1")
    assert first == [
        f"The program was not registered yet; it is now: {digest(catalogue.program(CALIFORNIA))}",
        f"p-1 is enrolled as e-1: {CALIFORNIA}@1, from Mon 06 Jan 2025, Europe/Rome",
    ]
    second = shown(run, "enroll", *words, "--participant", "p-2", "--id", "e-2")
    assert second == [f"p-2 is enrolled as e-2: {CALIFORNIA}@1, from Mon 06 Jan 2025, Europe/Rome"]


def test_enroll_prints_the_enrollment_as_json(run: Run) -> None:
    assert enroll(run) == {
        "enrollment": "e-1",
        "participant": "p-104",
        "program": CALIFORNIA,
        "version": "1",
        "digest": digest(catalogue.program(CALIFORNIA)),
        "start": "2025-01-06",
        "zone": "America/Los_Angeles",
        "commitment": "",
        "site": None,
        "status": "active",
        "frozen": False,
        "discharged_on": None,
        "last_record": 0,
        "program_added": True,
    }


def test_a_release_says_that_a_gateway_hands_over_what_the_freeze_held_back(run: Run) -> None:
    today = system_clock().astimezone(ZoneInfo("America/Los_Angeles")).date().isoformat()
    run("site", "open", "north", "--zone", "America/Los_Angeles", "--by", "boss-1")
    run("site", "gateway", "north", "cards", *said("g-1"))
    where = ["--site", "north", "--start", today]
    run("enroll", "--participant", "p-1", "--id", "e-1", "--program", CALIFORNIA, *where, "--by", "n")
    why = ["--on", today, "--why", "a dispute"]
    run("freeze", "e-1", *why, *said("f-1"))
    run("record", "e-1", "--result", "-", "--on", today, *said("k-1"))
    told = shown(run, "release", "e-1", *why, *said("f-2"))[-1]
    assert told == "Handed over by cards, not by you, what the freeze held back: $10.00"


def test_the_same_enrollment_again_is_the_one_there_is(run: Run) -> None:
    assert enroll(run) == {**enroll(run), "program_added": True}
    assert len(form(run, "enrollments")["enrollments"]) == 1


@pytest.mark.parametrize("name", [f"{CALIFORNIA}@1", digest(catalogue.program(CALIFORNIA))])
def test_a_registered_program_is_also_found_by_its_version_or_its_digest(run: Run, name: str) -> None:
    run("add-program", CALIFORNIA)
    assert enroll(run, name)["program_added"] is False


def test_enroll_registers_a_program_file(run: Run) -> None:
    Path("mine.yaml").write_text(catalogue.source(CALIFORNIA).replace('"1"', '"mine"', 1), "utf-8")
    found = enroll(run, "mine.yaml")
    assert (found["program"], found["version"], found["program_added"]) == (CALIFORNIA, "mine", True)
    assert enroll(run, "mine.yaml")["program_added"] is False


def test_add_program_prints_the_digest(run: Run) -> None:
    assert shown(run, "add-program", "va-prize") == [digest(catalogue.program("va-prize"))]
    again = form(run, "add-program", "va-prize")
    assert again == {
        "program": "va-prize",
        "version": "1",
        "digest": digest(catalogue.program("va-prize")),
        "added": False,
    }


def test_values_from_before_the_plan_belong_to_the_enrollment(run: Run) -> None:
    enroll(run, "lamb-2010-percentile", "--before", "smoking=22, 18,25")
    [enrolled] = form(run, "history", "e-1")["acts"]
    assert json.loads(enrolled["reported"]["before"]) == {"smoking": ["22", "18", "25"]}


# record


def test_record_says_that_a_gateway_hands_it_over_where_the_site_has_one(run: Run) -> None:
    today = system_clock().astimezone(ZoneInfo("America/Los_Angeles")).date().isoformat()
    run("site", "open", "north", "--zone", "America/Los_Angeles", "--by", "boss-1")
    run("site", "gateway", "north", "cards", *said("g-1"))
    where = ["--site", "north", "--start", today]
    run("enroll", "--participant", "p-1", "--id", "e-1", "--program", CALIFORNIA, *where, "--by", "n")
    words = ["record", "e-1", "--result", "-", "--on", today, *said("k-1")]
    assert shown(run, *words)[-1] == "Handed over by cards, not by you: $10.00"
    assert form(run, "record", "e-1", "--result", "-", "--on", today, *said("k-1"))["goes_by"] == []


def test_record_prints_the_decision_as_json(run: Run) -> None:
    enroll(run)
    done = form(run, *record("-", "06", "udt-778"))
    assert list(done) == [*ACT, "goes_by"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", done.pop("recorded_at"))
    assert [reason["text"] for reason in done["reasons"]] == [
        "Negative test: $10.00.",
        "Next negative: $10.00.",
    ]
    assert done.pop("reasons")[0] == {
        "code": "earned",
        "text": "Negative test: $10.00.",
        "unit": "USD",
        "run": 1,
        "amount": "10.00",
        "change": None,
        "in_a_row": True,
        "limited": False,
    }
    assert done == {
        "enrollment": "e-1",
        "record": 1,
        "kind": "observed",
        "number": 1,
        "target": "stimulants",
        "visit": 1,
        "week": 1,
        "date": "2025-01-06",
        "result": "-",
        "awards": {"USD": "10.00"},
        "sentence": TEN,
        "prizes": None,
        "payable": {"USD": "10.00"},
        "hand_over": {"USD": "10.00"},
        "frozen": False,
        "goes_by": [],
        "missed": [],
        "corrected": [],
        "replayed": False,
        "by": "nurse-7",
        "source": "desk",
        "key": "udt-778",
        "reported": {"result": "-", "on": "2025-01-06"},
    }


def test_record_says_what_was_decided_and_what_to_hand_over(run: Run) -> None:
    enroll(run)
    assert shown(run, *record("-", "06")) == [
        "Recorded as record 1 of e-1.",
        f"Visit 1, week 1, Mon 06 Jan 2025: met. {TEN}",
        "Hand over now: $10.00",
    ]
    positive = shown(run, *record("+", "09"))
    assert positive[1].startswith("Visit 2, week 1, Thu 09 Jan 2025: positive. Positive test: no reward")
    assert positive[2] == "Hand over now: nothing"


def test_a_report_that_comes_again_hands_nothing_over_again(run: Run) -> None:
    enroll(run)
    first = form(run, *record("-", "06"))
    assert form(run, *record("-", "06")) == {**first, "replayed": True, "hand_over": {}}
    again = shown(run, *record("-", "06"))
    assert again[0] == "Recorded as record 1 of e-1; it came before, and nothing is written now."
    assert again[2] == "Hand over now: nothing; $10.00 the first time"
    assert len(form(run, "history", "e-1")["acts"]) == 2


def test_a_key_that_was_used_for_something_else_is_refused_with_both(run: Run) -> None:
    enroll(run)
    run(*record("-", "06", "k"))
    done = run(*record("+", "06", "k"))
    assert (done.code, done.out) == (2, "")
    assert '"result":"-"' in done.err
    assert '"result":"+"' in done.err


def test_a_result_that_comes_late_says_what_else_it_corrects(run: Run) -> None:
    enroll(run)
    for result, day in (("-", "06"), ("-", "13")):
        run(*record(result, day))
    late = form(run, *record("-", "09"))
    assert (late["visit"], late["payable"]) == (2, {"USD": "11.50"})
    [corrected] = late["corrected"]
    assert list(corrected) == ["record", *DECIDED]
    assert (corrected["record"], corrected["visit"], corrected["awards"]) == (2, 3, {"USD": "11.50"})


def test_what_else_is_corrected_is_shown_to_people(run: Run) -> None:
    enroll(run)
    for day in ("06", "13"):
        run(*record("-", day))
    *which, decided = shown(run, *record("-", "09"))[2:]
    assert which == ["Hand over now: $11.50", "It corrects 1 other decision:"]
    assert decided == (
        "  record 2: Visit 3, week 2, Mon 13 Jan 2025: met. "
        "Third negative test in a row: $11.50, up $1.50. Next negative: $11.50."
    )


@pytest.mark.parametrize("time", ["2025-01-06T23:30-08:00", "2025-01-07T07:30Z", "2025-01-07 08:30:00+01:00"])
def test_the_day_of_a_time_is_that_of_the_clinic(run: Run, time: str) -> None:
    enroll(run)
    done = form(run, "record", "e-1", "--result", "-", "--collected-at", time, *said("k"))
    assert done["date"] == "2025-01-06"
    assert done["reported"]["at"] == "2025-01-07T07:30:00.000000+00:00"


def test_a_day_may_stand_beside_a_time_and_the_time_of_the_result(run: Run) -> None:
    enroll(run)
    times = ["--collected-at", "2025-01-07T00:30-08:00", "--resulted-at", "2025-01-08T09:00-08:00"]
    done = form(run, *record("-", "06"), *times)
    assert done["date"] == "2025-01-06"
    assert done["reported"]["resulted_at"] == "2025-01-08T17:00:00.000000+00:00"


def test_what_is_not_handed_over_at_once_is_not_to_be_handed_over_now(run: Run) -> None:
    enroll(run, INTEGRATED)
    event = ["record", "e-1", "--event", "intake", "--on", "2025-01-07", *said("k")]
    _, decided, due = shown(run, *event)
    assert decided.startswith("Event, Tue 07 Jan 2025: reported. Welcome: $10.00. This is saved, ")
    assert due == "Hand over now: nothing; saved until it is asked for: $10.00"


def test_what_is_due_no_more_is_said(run: Run) -> None:
    enroll(run, INTEGRATED)
    run("record", "e-1", "--event", "intake", "--on", "2025-01-07", *said("k"))
    void = ["void", "e-1", "--record", "1", "--why", "another participant", *said("v")]
    assert shown(run, *void)[1:] == [
        "Event, Tue 07 Jan 2025: withdrawn.",
        "Hand over now: nothing; no longer due: $10.00",
    ]
    assert form(run, *void)["payable"] == {"USD": "-10.00"}


def test_on_set_days_there_is_a_pay_day(run: Run) -> None:
    text = catalogue.source(CALIFORNIA) + "\npayout: {when: set days, days: [friday]}\n"
    Path("mine.yaml").write_text(text, "utf-8")
    enroll(run, "mine.yaml")
    assert shown(run, *record("-", "06"))[-1] == "Hand over now: nothing; on a pay day: $10.00"


def test_an_event_belongs_to_no_target_and_no_visit(run: Run) -> None:
    enroll(run, INTEGRATED)
    done = form(run, "record", "e-1", "--event", "intake", "--on", "2025-01-07", *said("k"))
    assert (done["target"], done["visit"], done["week"], done["result"]) == ("", 0, 0, "")


def test_only_a_test_is_called_positive(run: Run) -> None:
    enroll(run, INTEGRATED)
    words = [*record("+", "06"), "--target", "medication"]
    assert shown(run, *words)[1].startswith("Medication, visit 1, week 1, Mon 06 Jan 2025: not met.")


# observations from a file


def test_an_observation_is_written_as_in_a_case(run: Run) -> None:
    enroll(run, INTEGRATED)
    seen = "observations:\n- {target: stimulants, result: '-', conditions: [dilute], on: 2025-01-06}\n"
    Path("seen.yaml").write_text(seen, "utf-8")
    done = form(run, "record", "e-1", "--observation", "seen.yaml", *said("k"))
    assert (done["target"], done["date"], done["result"]) == ("stimulants", "2025-01-06", "*")
    assert done["reasons"][0]["code"] == "read as"


@pytest.mark.parametrize(
    ("program", "seen", "result"),
    [
        (INTEGRATED, "{target: stimulants, panel: {amphetamine: '-', cocaine: '+'}}", "+"),
        ("lamb-2010-percentile", "{value: 3.5}", "-"),
    ],
)
def test_a_result_is_read_from_what_was_seen(run: Run, program: str, seen: str, result: str) -> None:
    enroll(run, program)
    Path("seen.yaml").write_text(f"observations: [{seen}]", "utf-8")
    words = ["record", "e-1", "--observation", "seen.yaml", "--on", "2025-01-06", *said("k")]
    assert form(run, *words)["result"] == result
    assert form(run, *words)["replayed"] is True


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("observations: [{result: '-'}, {result: '-'}]", [], "seen.yaml: expected one observation, got 2"),
        ("observations: []", [], "seen.yaml: expected one observation, got 0"),
        (
            "observations: [{result: '-'}]\nbefore: {a: [1]}",
            [],
            "seen.yaml: `before` belongs to the enrollment",
        ),
        (
            "observations: [{result: x}]",
            [],
            "seen.yaml:1:25: error: observations.0.result: expected one of -",
        ),
        ("observations: [{result: '-'}]", [], "expected --on DATE or --collected-at TIME"),
        (
            "observations: [{result: '-', on: 2025-01-06}]",
            ["--on", "2025-01-07"],
            "--on: got 2025-01-07, and seen.yaml says 2025-01-06; leave one of them out",
        ),
        (
            "observations: [{result: '-', target: a}]",
            ["--target", "b", "--on", "2025-01-07"],
            "--target: got b, and seen.yaml says a; leave one of them out",
        ),
        (
            "observations: [{result: '-'}]",
            ["--event", "intake", "--on", "2025-01-07"],
            "expected --result SYMBOL, --event NAME or --observation FILE, only one of them",
        ),
    ],
)
def test_an_observation_that_says_two_things_or_none_is_refused(
    run: Run, text: str, words: list[str], message: str
) -> None:
    enroll(run)
    Path("seen.yaml").write_text(text, "utf-8")
    line = refused(run, "record", "e-1", "--observation", "seen.yaml", *words, *said("k"))
    assert line.startswith(message)


# verify beside what was kept


def test_verify_keeps_where_logs_end_and_finds_what_was_removed_since(run: Run) -> None:
    enroll(run)
    run(*record("-", "06"))
    assert shown(run, "verify", "--heads", "heads.json") == [
        "Looked at 1 enrollment, 2 records, 1 decision: no difference"
    ]
    kept = json.loads(Path("heads.json").read_text("utf-8"))
    assert kept == {"e-1": form(run, "history", "e-1")["acts"][-1]["hash"]}
    Path("copy.db").write_bytes(Path("clinic.db").read_bytes())
    run(*record("-", "09"))
    assert run("verify", "--heads", "heads.json").code == 0
    Path("copy.db").replace("clinic.db")
    Path("clinic.db-wal").unlink(missing_ok=True)
    before = Path("heads.json").read_text("utf-8")
    found = run("verify", "--heads", "heads.json")
    assert (found.code, found.out.splitlines()[1][:11]) == (1, "e-1: head: ")
    assert Path("heads.json").read_text("utf-8") == before != json.dumps(kept)
    assert run("verify").code == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"e-1": 1}'])
def test_verify_refuses_a_file_of_heads_that_is_none(run: Run, text: str) -> None:
    enroll(run)
    Path("heads.json").write_text(text, "utf-8")
    assert refused(run, "verify", "--heads", "heads.json").startswith("heads.json: ")
    assert Path("heads.json").read_text("utf-8") == text


# amend, void and assert


def test_amend_decides_anew_and_leaves_what_is_left_out(run: Run) -> None:
    enroll(run)
    run(*record("+", "06"))
    done = form(run, "amend", "e-1", "--record", "1", "--why", "typo", "--result", "-", *said("a"))
    assert list(done) == [*ACT, "goes_by"]
    assert (done["kind"], done["record"], done["number"]) == ("amended", 2, 2)
    assert (done["date"], done["result"], done["payable"]) == ("2025-01-06", "-", {"USD": "10.00"})
    assert done["reported"] == {"of": 1, "why": "typo", "result": "-"}


def test_amend_says_which_record_it_corrects_or_that_nothing_changed(run: Run) -> None:
    enroll(run)
    run(*record("+", "06"))
    words = ["amend", "e-1", "--record", "1", "--why", "typo", "--result", "-"]
    assert shown(run, *words, *said("a")) == [
        "Record 1 is amended by record 2 of e-1.",
        f"Visit 1, week 1, Mon 06 Jan 2025: met. {TEN}",
        "Hand over now: $10.00",
    ]
    assert shown(run, *words, *said("b")) == [
        "Record 1 is amended by record 3 of e-1.",
        "Its decision stays as it was.",
        "Hand over now: nothing",
    ]
    same = form(run, *words, *said("c"))
    assert [same[name] for name in DECIDED] == [None] * 6 + [{}, [], "", None]


def test_amend_and_void_take_the_key_of_what_they_correct(run: Run) -> None:
    enroll(run)
    run(*record("+", "06"))
    key = form(run, *record("+", "06"))["key"]
    words = ["e-1", "--record-key", key, "--why", "typo"]
    done = form(run, "amend", *words, "--result", "-", *said("a"))
    assert done["reported"] == {"of": 1, "why": "typo", "result": "-"}
    done = form(run, "void", *words, "--record-source", said("x")[1], *said("v"))
    assert done["reported"] == {"of": 1, "why": "typo"}


@pytest.mark.parametrize("words", [[], ["--record", "1", "--record-key", "k"]])
def test_what_is_corrected_is_named_once(run: Run, words: list[str]) -> None:
    enroll(run)
    run(*record("+", "06"))
    told = refused(run, "void", "e-1", *words, "--why", "typo", *said("v"))
    assert told == "expected --record N or --record-key KEY: what is corrected, one of them"


def test_amend_can_move_an_observation_to_another_day(run: Run) -> None:
    enroll(run)
    run(*record("-", "06"))
    moved = form(run, "amend", "e-1", "--record", "1", "--why", "typo", "--on", "2025-01-07", *said("a"))
    assert (moved["date"], moved["result"]) == ("2025-01-07", "-")


def test_void_takes_an_observation_back_and_shows_what_follows(run: Run) -> None:
    enroll(run)
    for day in ("06", "09"):
        run(*record("-", day))
    done = shown(run, "void", "e-1", "--record", "1", "--why", "another participant", *said("v"))
    assert done == [
        "Record 1 is voided by record 3 of e-1.",
        "Visit 1, week 1, Mon 06 Jan 2025: withdrawn.",
        "Hand over now: nothing",
        "It corrects 1 other decision:",
        "  record 2: Visit 1, week 1, Thu 09 Jan 2025: met. Negative test: $10.00. Next negative: $10.00.",
    ]
    again = form(run, "void", "e-1", "--record", "1", "--why", "another participant", *said("v"))
    assert (again["result"], again["awards"], again["replayed"]) == ("withdrawn", {}, True)


def test_what_is_so_is_asserted_and_written_down(run: Run) -> None:
    enroll(run)
    run(*record("-", "06"))
    words = ["assert", "e-1", "--awarded", "10.00", "--on", "2025-01-31"]
    assert shown(run, *words, *said("a")) == [
        "Asserted as record 2 of e-1.",
        "By the end of Fri 31 Jan 2025 $10.00 had been awarded.",
    ]
    done = form(run, *words, "--unit", "USD", *said("b"))
    assert list(done) == [*ACT, "goes_by"]
    assert done["reported"] == {"unit": "USD", "awarded": "10.00", "on": "2025-01-31"}


def test_what_is_not_so_is_refused_with_what_is(run: Run) -> None:
    enroll(run)
    run(*record("-", "06"))
    line = refused(run, "assert", "e-1", "--awarded", "72.50", "--on", "2025-01-31", *said("a"))
    assert line.startswith(
        "by the decisions that stand now e-1 had been awarded 10.00 USD by the end of 2025-01-31, not 72.50"
    )
    assert len(form(run, "history", "e-1")["acts"]) == 2


# preview, statement, history and enrollments


def test_preview_says_what_each_result_would_pay_and_writes_nothing(run: Run) -> None:
    enroll(run)
    table = "\n".join(shown(run, "preview", "e-1"))
    assert table.startswith("stimulants: visit 1, week 1, Mon 06 Jan 2025")
    assert re.search(r"- met +\$10.00 +Negative test: \$10.00. Next negative: \$10.00.", table)
    assert re.search(r"\+ positive +\$0.00 +Positive test: no reward", table)
    found = form(run, "preview", "e-1", "--on", "2025-01-07")
    assert list(found) == ["enrollment", "targets", "offset"]
    decisions = found["targets"]["stimulants"]
    assert "".join(decisions) == "-+oe*r_"
    assert list(decisions["-"]) == ["target", "visit", "week", "date", "result", "awards", "reasons"]
    assert (decisions["-"]["date"], decisions["-"]["awards"]) == ("2025-01-07", {"USD": "10.00"})
    assert len(form(run, "history", "e-1")["acts"]) == 1


def test_preview_says_what_is_taken_off_as_it_was_given_too_much(run: Run) -> None:
    Path("mine.yaml").write_text(
        f"{catalogue.source('weaver-2014-vaccine')}\npayout: {{overpaid: offset}}\n", "utf-8"
    )
    enroll(run, "mine.yaml")
    day = form(run, "preview", "e-1")["targets"]["vaccination"]["-"]["date"]
    run("record", "e-1", "--result", "-", "--on", day, *said(day))
    run("amend", "e-1", "--record", "1", "--result", "o", "--why", "another person", *said("amended"))
    assert form(run, "preview", "e-1")["offset"] == {"GBP": "10.00"}
    assert shown(run, "preview", "e-1")[-1] == (
        "£10.00 of what comes next is taken off, as it was given too much before."
    )


def test_preview_says_that_a_plan_has_ended(run: Run) -> None:
    text = catalogue.source("weaver-2014-vaccine")
    Path("mine.yaml").write_text(text, "utf-8")
    enroll(run, "mine.yaml")
    while decisions := form(run, "preview", "e-1")["targets"]["vaccination"]:
        day = decisions["-"]["date"]
        run("record", "e-1", "--result", "-", "--on", day, *said(day))
    assert shown(run, "preview", "e-1") == ["vaccination: every visit of the plan is decided"]


def test_a_statement_says_what_was_earned_and_where_it_is(run: Run) -> None:
    enroll(run)
    for day in ("06", "09"):
        run(*record("-", day))
    lines = shown(run, "statement", "e-1")
    assert lines[0].startswith("Statement of p-104, ")
    assert lines[-1] == "In all $20.00 awarded; $20.00 given, or on the way"


def test_a_statement_has_a_form(run: Run) -> None:
    enroll(run)
    for day in ("06", "09"):
        run(*record("-", day))
    run("amend", "e-1", "--record", "2", "--why", "typo", "--result", "+", *said("a"))
    found = form(run, "statement", "e-1")
    assert list(found) == ["enrollment", "participant", "title", "start", "lines", "balances"]
    assert [line["corrects"] for line in found["lines"]] == [None, None, 2]
    assert [line["so_far"] for line in found["lines"]] == [{"USD": "10.00"}] + [{"USD": "20.00"}] * 2
    assert [line["awards"] for line in found["lines"]] == [{"USD": "10.00"}] * 2 + [{"USD": "0.00"}]
    assert [line["instead_of"] for line in found["lines"]] == [None, None, {"USD": "10.00"}]
    assert found["balances"]["USD"] == {
        "awarded": "10.00",
        "owed": "0.00",
        "in_flight": "20.00",
        "issued": "0.00",
        "expired": "0.00",
        "absorbed": "10.00",
        "offset": "0.00",
        "deposit": "0.00",
        "drawn": "0.00",
        "paid_in": "0.00",
        "forfeited": "0.00",
    }
    assert [line["record"] for line in found["lines"]] == [1, 2, 2]
    assert list(found["lines"][0]) == [
        "number",
        "latest",
        "record",
        "date",
        "target",
        "visit",
        "week",
        "result",
        "corrects",
        "awards",
        "instead_of",
        "drawn",
        "amounts",
        "so_far",
        "settled",
        "sentence",
    ]
    assert len(form(run, "statement", "e-1", "--until", "2025-01-06")["lines"]) == 1


def test_the_history_leaves_nothing_out(run: Run) -> None:
    enroll(run)
    run(*record("+", "06"))
    run("amend", "e-1", "--record", "1", "--why", "typo", "--result", "-", *said("a"))
    run("assert", "e-1", "--awarded", "10.00", "--on", "2025-01-31", *said("b"))
    found = form(run, "history", "e-1")
    assert list(found) == ["enrollment", "acts"]
    assert [act["kind"] for act in found["acts"]] == ["enrolled", "observed", "amended", "asserted"]
    assert [list(act) for act in found["acts"]] == [[*ACT, "hash"]] * 4
    lines = [re.sub(r"\d\d \w{3} \d{4} \d\d:\d\d", "THEN", line) for line in shown(run, "history", "e-1")]
    assert re.fullmatch(r"   0  THEN UTC  enrolled \(by nurse-7, enrollment/p-104/.*\)", lines[0])
    assert lines[3:] == [
        "   2  THEN UTC  amended record 1: typo (by nurse-7, desk/a)",
        f"      record 1: Visit 1, week 1, Mon 06 Jan 2025: met. {TEN}",
        "   3  THEN UTC  asserted (by nurse-7, desk/b)",
        "      By the end of Fri 31 Jan 2025 $10.00 had been awarded.",
    ]


def test_enrollments_are_listed_of_one_participant_or_of_all(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cm_engine.cli.durable.PAGE", 2)
    enroll(run)
    words = ["--program", CALIFORNIA, "--zone", "Europe/Rome", "--start", "2025-01-06", "--by", "n"]
    for number in range(2, 6):
        run("enroll", *words, "--participant", f"p-{number}", "--id", f"e-{number}")
    found = form(run, "enrollments")["enrollments"]
    assert [each["enrollment"] for each in found] == [f"e-{number}" for number in range(1, 6)]
    assert list(found[0]) == [
        "enrollment",
        "participant",
        "program",
        "version",
        "digest",
        "start",
        "zone",
        "commitment",
        "site",
        "status",
        "frozen",
        "discharged_on",
        "last_record",
    ]
    [only] = form(run, "enrollments", "--participant", "p-104")["enrollments"]
    assert only["enrollment"] == "e-1"
    table = "\n".join(shown(run, "enrollments"))
    assert re.search(rf"e-1 +p-104 +{CALIFORNIA}@1 +06 Jan 2025 +America/Los_Angeles", table)
    assert table.endswith("5 enrollments")


# verify


def tamper() -> None:
    """Change what was decided behind the engine's back, as someone with the file could."""
    clinic = sqlite3.connect("clinic.db")
    for (name,) in clinic.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        clinic.execute(f"DROP TRIGGER {name}")
    clinic.execute("""UPDATE cm_decisions SET awards = '[["USD",9900]]' WHERE number = 1""")
    clinic.commit()
    clinic.close()


def test_verify_says_what_it_looked_at(run: Run) -> None:
    enroll(run)
    run(*record("-", "06"))
    said_of_all = ["Looked at 1 enrollment, 2 records, 1 decision: no difference"]
    assert shown(run, "verify") == shown(run, "verify", "e-1") == said_of_all
    assert form(run, "verify") == {
        "clean": True,
        "enrollments": 1,
        "records": 2,
        "decisions": 1,
        "journals": 0,
        "differences": [],
        "other_rules": [],
    }


def test_verify_finds_what_was_changed_and_fails(run: Run) -> None:
    enroll(run)
    run(*record("-", "06"))
    tamper()
    done = run("verify")
    assert (done.code, done.err) == (1, "")
    first, difference = done.out.splitlines()
    assert first == "Looked at 1 enrollment, 2 records, 1 decision: 1 difference"
    assert difference.startswith("e-1: decision 1: its hash is ")
    again = run("verify", "--json")
    found = json.loads(again.out)
    assert (again.code, found["clean"]) == (1, False)
    [each] = found["differences"]
    assert (each["enrollment"], each["where"]) == ("e-1", "decision 1")


def test_verify_shows_its_progress_where_a_person_watches(run: Run) -> None:
    enroll(run)
    watched, terminal = pty.openpty()
    env = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(
        [str(COMMAND), "verify"], stdout=subprocess.PIPE, stderr=terminal, env=env, check=True, text=True
    )
    os.close(terminal)
    drawn = os.read(watched, 10_000).decode()
    os.close(watched)
    assert "Verifying" in drawn
    assert "100%" in drawn
    assert done.stdout == "Looked at 1 enrollment, 1 record, 0 decisions: no difference\n"


# prizes and the secret


def test_draws_are_committed_to_and_their_prizes_are_handed_over(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CM_ENGINE_SECRET", SECRET)
    assert len(enroll(run, "va-prize")["commitment"]) == 64
    done = form(run, *record("-", "06"))
    assert done["awards"] == {"draw": "1"}
    [drawn] = done["prizes"].pop("drawn")
    assert list(drawn) == ["key", "number", "slip", "value"]
    assert re.fullmatch("e-1/[0-9a-f]{16}/draw", drawn["key"])
    assert done["prizes"] == {"paid": {"USD": drawn["value"]}, "limited": None}
    line = shown(run, *record("-", "06"))[2]
    assert line == f"Drawn: {drawn['slip']} (${drawn['value']}); won: ${drawn['value']}"
    assert shown(run, "verify") == ["Looked at 1 enrollment, 2 records, 1 decision: no difference"]


def test_the_commitment_is_to_be_published(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CM_ENGINE_SECRET", SECRET)
    commitment = enroll(run, "va-prize")["commitment"]
    who = ["--participant", "p-104", "--by", "n", "--start", "2025-01-06", "--zone", "America/Los_Angeles"]
    lines = shown(run, "enroll", "--program", "va-prize", *who)
    assert lines[-1] == f"Publish the commitment of the prize draws now: {commitment}"


def test_without_a_secret_prizes_are_refused(run: Run) -> None:
    who = ["--participant", "p-104", "--by", "n", "--start", "2025-01-06", "--zone", "America/Los_Angeles"]
    assert "secret" in refused(run, "enroll", "--program", "va-prize", *who)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("0xyz", "CM_ENGINE_SECRET: expected hexadecimal digits, two for each byte; "),
        ("5c" * 31, "CM_ENGINE_SECRET: expected at least 32 bytes, got 31; "),
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(
    run: Run, monkeypatch: pytest.MonkeyPatch, secret: str, message: str
) -> None:
    monkeypatch.setenv("CM_ENGINE_SECRET", secret)
    line = refused(run, "enrollments")
    assert line.startswith(message)
    assert secret not in line


def test_no_command_takes_the_secret_as_an_option(run: Run) -> None:
    for name in names():
        assert "--secret" not in run(name, "--help").out


# the database


def test_what_one_process_writes_another_one_reads(run: Run) -> None:
    enroll(run)
    words = [str(COMMAND), *record("-", "06"), "--json"]
    done = subprocess.run(words, capture_output=True, check=True, text=True)
    assert json.loads(done.stdout)["awards"] == {"USD": "10.00"}
    assert form(run, *record("-", "06"))["replayed"] is True


def test_the_option_comes_before_the_environment(run: Run) -> None:
    enroll(run)
    assert refused(run, "enrollments", "--db", "sqlite:///other.db").startswith(
        "there is no database other.db"
    )
    assert not Path("other.db").exists()


def test_without_a_database_the_option_and_the_variable_are_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CM_ENGINE_DB")
    assert re.fullmatch(r"Missing option '--db' \(env var: '?CM_ENGINE_DB'?\)\.", refused(run, "verify"))


WHO = ["--source", "s", "--key", "k", "--by", "b"]
SEEN = ["record", "e-1", "--result", "-", *WHO]
ENROLL = ["enroll", "--participant", "p-2", "--by", "n", "--program", CALIFORNIA]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["enrollments", "--db", "clinic.db"], "no storage is installed for 'clinic.db'; "),
        (["add-program", "va-priz"], "no program 'va-priz' in the catalogue, and no such file; did you mean 'va-prize'?"),
        ([*ENROLL, "--zone", "Europe/Rome", "--start", "2025-02-29"], "--start: there is no such date as 2025-02-29"),
        ([*ENROLL, "--zone", "Europe/Rom", "--start", "2025-01-06"], "--zone: there is no time zone 'Europe/Rom'; did you mean 'Europe/Rome'?"),
        ([*ENROLL, "--start", "2025-01-06"], "say the clinic's time zone, which decides what day it is: --zone America/Los_Angeles"),
        ([*ENROLL, "--zone", "Europe/Rome", "--start", "2025-01-06", "--id", "@e"], "--id: what begins with @ is kept for journals"),
        ([*ENROLL, "--zone", "Europe/Rome", "--start", "2025-01-06", "--program", "va-prize"], "this program draws prizes: set CM_ENGINE_SECRET to the secret, "),
        ([*ENROLL, "--site", "north", "--start", "2025-01-06"], "no site 'north'; open it first, with cm-engine site open"),
        (["staff", "show", "ann"], "no staff 'ann'; add them first, with cm-engine staff add"),
        (["staff", "add", "ann", "--role", "nurse", "--by", "b"], "--role: there is no role 'nurse' (known: front-desk, "),
        (["staff", "left", "ann", "--why", "", *WHO], "--why: expected text of one line"),
        (["migrate", "e-1", "--program", "new@2", "--on", "2025-01-06", "--why", "x", *WHO], "program 'new@2' is not registered; add it first with cm-engine add-program ("),
        (["redeem", "e-1", "--amount", "1", *WHO], "--amount: "),
        (["hand-over", "e-1", "--number", "7", *WHO], "--number: decision 7 sends nothing on its way; payouts lists what does"),
        (["payouts", "--status", "done"], "--status: expected in flight, issued, declined, refunded, got 'done'"),
        (["payouts", "--after", "e-1"], "--after: expected the id of a payout, such as e-1/5/1, got 'e-1'"),
        (["sweep", "--until", "9998-01-01"], "--until: expected a day that has come, got 9998-01-01"),
        (["pay-due", "--until", "9998-01-01"], "--until: expected a day that has come, got 9998-01-01"),
        (["expire", "--until", "9998-01-01"], "--until: expected a day that has come, got 9998-01-01"),
        (["export", "e-1", "--out", "none/e.json", "--to", "h", "--why", "x", *WHO], "--out: there is no folder none; "),
        ([*SEEN, "--on", "2025-01-06", "--expected-last", "7"], "record 0 is the last one of e-1, and not record 7, as was expected; look at its history, and if this is still to be recorded, do it with --expected-last 0"),
        ([*SEEN, "--collected-at", "2999-12-31T09:00Z"], "--collected-at is 2999-12-31 09:00 UTC, and now it is "),
        ([*ENROLL, "--zone", "Europe/Rome", "--start", "2025-01-06", "--before", "smoking"], "--before: expected TARGET=VALUE,VALUE, the first being the baseline, got 'smoking'"),
        ([*ENROLL, "--zone", "Europe/Rome", "--start", "2025-01-06", "--before", "smoking=x"], "--before: expected an amount in digits, such as 10.00, got 'x'"),
        ([*ENROLL, "--zone", "Europe/Rome", "--start", "2025-01-06", "--before", "a=1", "--before", "a=2"], "--before: expected each target once, with all its values: smoking=12,10.5"),
        (["record", "e-9", "--result", "-", "--on", "2025-01-06", *WHO], "no enrollment 'e-9'; enroll the participant first, or look for the id: cm-engine enrollments lists them"),
        (["record", "e-1", "--result", "x", "--on", "2025-01-06", *WHO], "result 1 is 'x'; expected - met, + positive, o missed, e excused, * invalid, r refused, _ not required"),
        (["record", "e-1", "--on", "2025-01-06", *WHO], "expected --result SYMBOL, --event NAME or --observation FILE, one of them"),
        ([*SEEN, "--event", "intake", "--on", "2025-01-06"], "expected --result SYMBOL, --event NAME or --observation FILE, only one of them"),
        (SEEN, "expected --on DATE or --collected-at TIME: when it was"),
        ([*SEEN, "--on", "today"], "--on: expected a date such as 2026-01-05, got 'today'"),
        ([*SEEN, "--on", ""], "--on: expected a date such as 2026-01-05, got ''"),
        ([*SEEN, "--on", "9998-01-01"], "--on is 9998-01-01, and at the clinic it is "),
        ([*SEEN, "--collected-at", "2025-01-06T09:00"], "--collected-at: expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00, got '2025-01-06T09:00'"),
        ([*SEEN, "--collected-at", "9999-12-31T23:00-08:00"], "--collected-at: expected a time with its offset from UTC, such as "),
        ([*SEEN, "--on", "2025-01-06", "--resulted-at", "noon"], "--resulted-at: expected a time with its offset from UTC, such as "),
        (["record", "e-1", "--observation", "absent.yaml", *WHO], "no program 'absent.yaml'"),
        (["amend", "e-1", "--record", "1", "--why", "typo", *WHO], "expected what is to be corrected: --result, --event, --observation, --target, --on or --collected-at"),
        (["amend", "e-1", "--record", "one", "--why", "typo", *WHO], "Invalid value for '--record': "),
        (["void", "e-1", "--record", "7", "--why", "typo", *WHO], "record 7 of e-1: there is none"),
        (["void", "e-1", "--record", "1", *WHO], "Missing option '--why'."),
        (["assert", "e-1", "--awarded", "ten", "--on", "2025-01-06", *WHO], "--awarded: expected an amount in digits, such as 10.00, got 'ten'"),
        (["assert", "e-1", "--awarded", "1.005", "--on", "2025-01-06", *WHO], "--awarded: expected an amount with at most 2 decimals, got 1.005"),
        (["assert", "e-1", "--awarded", "1", "--unit", "XX", "--on", "2025-01-06", *WHO], "--unit: the program awards no 'XX'"),
        (["preview", "e-1", "--on", "2024-01-01"], "visit 1 is on 2024-01-01, before the start on 2025-01-06; "),
        (["preview", "e-9"], "no enrollment 'e-9'; "),
        (["statement", "e-1", "--until", "1"], "--until: expected a date such as 2026-01-05, got '1'"),
        (["history", "e-9"], "no enrollment 'e-9'; "),
        (["verify", "e-9"], "no enrollment 'e-9'; "),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_clear_line(run: Run, words: list[str], message: str) -> None:
    enroll(run)
    assert refused(run, *words).startswith(message)
    assert len(form(run, "history", "e-1")["acts"]) == 1


def test_who_is_in_the_program_is_enrolled_again_only_if_that_is_meant(run: Run) -> None:
    enroll(run)
    again = ["enroll", "--participant", "p-104", "--program", CALIFORNIA, "--start", "2025-03-03"]
    again += ["--zone", "America/Los_Angeles", "--by", "n", "--id", "e-2"]
    line = refused(run, *again)
    assert line.startswith(f"p-104 is in {CALIFORNIA} already, by enrollment e-1 from 2025-01-06 (active)")
    assert line.endswith("if both are meant, say so: --again")
    assert len(form(run, "enrollments")["enrollments"]) == 1
    assert form(run, *again, "--again")["enrollment"] == "e-2"
    assert form(run, *again)["enrollment"] == "e-2"


def test_an_enrollment_asked_for_again_otherwise_says_what_can_be_done(run: Run) -> None:
    enroll(run)
    done = run("enroll", "--participant", "p-104", "--program", CALIFORNIA, "--start", "2025-01-06",
               "--zone", "Europe/Rome", "--by", "n")  # fmt: skip
    assert done.err.splitlines()[-1] == (
        "nothing is changed; what an enrollment began with stays: ask for it as it began, transfer it to another site, "
        "or discharge it and enroll anew, under a key of its own"
    )


def test_enrollments_are_listed_as_they_stand_today(run: Run) -> None:
    enroll(run)
    shown(run, "site", "open", "east", "--zone", "America/New_York", "--by", "b")
    shown(run, "site", "transfer", "e-1", "--to", "east", "--on", "2025-02-03", "--why", "moved", *said("t"))
    shown(run, "freeze", "e-1", "--on", "2025-02-03", "--why", "a dispute", *said("f"))
    [found] = form(run, "enrollments")["enrollments"]
    assert (found["site"], found["zone"], found["status"], found["frozen"], found["last_record"]) == (
        "east",
        "America/New_York",
        "active",
        True,
        2,
    )
    shown(run, "discharge", "e-1", "--on", "2025-03-03", "--why", "done", *said("d"))
    table = "\n".join(shown(run, "enrollments"))
    assert re.search(r"e-1 .* east +America/New_York +discharged on 03 Mar 2025, frozen", table)


def test_a_release_says_what_the_freeze_held_back(run: Run) -> None:
    enroll(run)
    shown(run, *record("-", "06"))
    shown(run, "freeze", "e-1", "--on", "2025-01-07", "--why", "a dispute", *said("f"))
    shown(run, *record("-", "09"))
    released = ["release", "e-1", "--on", "2025-01-10", "--why", "settled", *said("r")]
    assert shown(run, *released)[-1] == "Hand over now what the freeze held back: $10.00"
    assert form(run, *released)["hand_over"] == {}


def test_an_export_that_cannot_be_written_leaves_the_enrollment_here(run: Run) -> None:
    enroll(run)
    run("export", "e-1", "--out", "none/e.json", "--to", "h", "--why", "x", *said("x"))
    assert shown(run, *record("-", "06"))[-1] == "Hand over now: $10.00"


def test_a_refusal_names_commands_and_options_and_no_methods(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    enroll(run)
    monkeypatch.setenv("CM_ENGINE_PEOPLE", "known")
    assert refused(run, *record("-", "06")).endswith("add them first: cm-engine staff add nurse-7")
    monkeypatch.setenv("CM_ENGINE_PEOPLE", "all")
    assert refused(run, "enrollments") == "CM_ENGINE_PEOPLE: expected 'known', or nothing, got 'all'"


def test_a_text_that_somebody_gave_is_told_as_it_was_given(run: Run) -> None:
    enroll(run)
    shown(run, *record("-", "06", "zone=x add_staff"))
    done = run(*record("+", "06", "zone=x add_staff"))
    assert done.err.startswith("the key 'zone=x add_staff' of 'desk' was used before")


def test_visits_of_a_program_without_windows_say_why_there_are_none(run: Run) -> None:
    enroll(run)
    assert shown(run, "visits", "e-1")[-1].startswith("Only a program with windows has visits")


def test_a_program_without_money_has_no_currency_to_assert(run: Run) -> None:
    enroll(run, "lamb-2010-percentile")
    words = ["assert", "e-1", "--awarded", "1", "--on", "2025-01-06", *WHO]
    assert refused(run, *words).startswith("--unit: the program has no currency; say which unit")
    assert shown(run, *words[:3], "0", *words[4:], "--unit", "point")[1].endswith("0 point had been awarded.")


def names() -> list[str]:
    return [each.name or str(getattr(each.callback, "__name__", "")) for each in commands.registered_commands]


def test_the_examples_in_the_help_of_the_commands_work_one_after_the_other(run: Run) -> None:
    order = ["add-program", "enroll", "record", "amend", "preview", "statement"]
    order += ["history", "enrollments", "void", "assert", "verify"]
    assert sorted(order) == sorted(names())
    for name in order:
        example = run(name, "--help").out.partition("Example: cm-engine ")[2]
        done = run(*shlex.split(example))
        assert (done.code, done.err) == (0, "")
