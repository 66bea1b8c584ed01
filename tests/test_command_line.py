"""The forms of `cm-engine` are a contract: what goes in, what comes out, what is refused and how."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest

from cm_engine import Program, catalogue, cli, decide
from cm_engine.program.plan import visit_count

COMMAND = Path(sys.executable).with_name("cm-engine")
CALIFORNIA = "california-recovery-incentives"


class Done(NamedTuple):
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def cm_engine(*words: str, cwd: Path | None = None) -> Done:
    """Run a command here, which spares the time in which a process of its own would begin."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("COLUMNS", "100")
        patch.setattr(sys, "argv", [str(COMMAND), *words])
        patch.chdir(cwd or Path.cwd())
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.mark.parametrize(
    "words",
    [
        ["catalogue"],
        ["run", CALIFORNIA, "--results", "------+----", "--json"],
        ["explain", "va-prize", "--results", "-+-"],
        ["check", "absent.yaml"],
        ["run", "va-prize", "--nope"],
        ["check", "wrong.yaml"],
    ],
)
def test_a_process_of_its_own_ends_with_the_same_status_and_prints_the_same(
    words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text("program: a\n", "utf-8")
    here, env = cm_engine(*words, cwd=tmp_path), {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        [str(COMMAND), *words], capture_output=True, text=True, check=False, cwd=tmp_path, env=env
    )
    assert here == (done.returncode, done.stdout, done.stderr)


def decided(*words: str) -> dict[str, Any]:
    done = cm_engine("run", *words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    [line] = done.stdout.splitlines()
    form: dict[str, Any] = json.loads(line)
    return form


def refused(*words: str, cwd: Path | None = None) -> str:
    done = cm_engine(*words, cwd=cwd)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    return line


def test_run_prints_the_decisions_of_a_word_as_json() -> None:
    form = decided(CALIFORNIA, "--results", "------+----")
    assert list(form) == ["program", "version", "digest", "decisions", "totals"]
    assert form["program"] == CALIFORNIA
    assert form["version"] == "1"
    assert len(form["digest"]) == 64
    assert form["totals"] == {"USD": "116.50"}
    assert form["decisions"][0] == {
        "target": "stimulants",
        "visit": 1,
        "week": 1,
        "result": "-",
        "awards": {"USD": "10.00"},
        "totals": {"USD": "10.00"},
        "reasons": [
            {
                "code": "earned",
                "text": "Negative test: $10.00.",
                "unit": "USD",
                "run": 1,
                "amount": "10.00",
                "change": None,
                "in_a_row": True,
                "limited": False,
            },
            {
                "code": "next",
                "text": "Next negative: $10.00.",
                "unit": "USD",
                "amount": "10.00",
                "limited": False,
                "opens": "",
                "after": 1,
                "by_group": False,
            },
        ],
    }


def test_run_says_each_rung_of_a_reset_and_a_recovery() -> None:
    form = decided(CALIFORNIA, "--results", "------+----")
    paid = [decision["awards"]["USD"] for decision in form["decisions"]]
    assert " ".join(paid) == "10.00 10.00 11.50 11.50 13.00 13.00 0.00 10.00 10.00 13.00 14.50"
    assert [reason["code"] for reason in form["decisions"][6]["reasons"]] == ["reset", "recoverable", "next"]
    assert [reason["code"] for reason in form["decisions"][8]["reasons"]] == ["earned", "recovered", "next"]


def test_units_that_are_not_money_are_whole_numbers_in_strings() -> None:
    assert decided("va-prize", "--results", "---")["totals"] == {"draw": "6"}
    assert decided("higgins-1994-voucher", "--results", "-" * 60)["totals"] == {
        "USD": "997.50",
        "ticket": "24",
    }


def test_a_start_date_dates_the_decisions_and_opens_a_new_limit_with_the_new_year() -> None:
    form = decided(CALIFORNIA, "--results", "-" * 36, "--start", "2026-10-05")
    assert form["decisions"][0]["date"] == "2026-10-05"
    assert form["decisions"][1]["date"] == "2026-10-08"
    assert form["totals"] == {"USD": "599.00"}


@pytest.mark.parametrize("word", ["-", "--", "---", "--o", "+-", "_", "*"])
def test_a_word_may_begin_with_a_hyphen_like_an_option(word: str) -> None:
    assert len(decided("va-prize", "--results", word)["decisions"]) == len(word)


def test_a_word_that_looks_like_an_option_is_still_read_as_a_word() -> None:
    assert refused("run", "va-prize", "--results", "--help").startswith("result 3 is 'h'")


def test_run_reads_a_program_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(catalogue.source("va-prize"), "utf-8")
    done = cm_engine("run", "mine.yaml", "--results", "--", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["totals"] == {"draw": "3"}


def test_run_decides_a_file_of_participants_one_json_object_a_line(tmp_path: Path) -> None:
    file = tmp_path / "cohort.csv"
    file.write_text("participant,results\np-1,--\np-2,\np-3,-o-\n", "utf-8")
    done = cm_engine("run", CALIFORNIA, "--file", str(file), "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert list(lines[0]) == ["program", "version", "digest", "participant", "decisions", "totals"]
    assert [(line["participant"], line["totals"]) for line in lines] == [
        ("p-1", {"USD": "20.00"}),
        ("p-2", {}),
        ("p-3", {"USD": "20.00"}),
    ]
    assert done.stderr == ""


def test_run_prints_a_table_of_participants_with_the_sum_of_all(tmp_path: Path) -> None:
    file = tmp_path / "cohort.csv"
    file.write_text("participant,results\np-1,--\np-2,-o-\n", "utf-8")
    done = cm_engine("run", CALIFORNIA, "--file", str(file))
    assert "In all: 2 participants, 5 visits, $40.00" in done.stdout


@pytest.mark.parametrize(
    ("lines", "where", "what"),
    [
        ("participant,results\np-1,--\np-2,-x-\n", ":3:5: ", "results: participant p-2: result 2 is 'x'"),
        ("participant,results\np-1,--\n p-1 ,-\n", ":3:2: ", "participant: 'p-1' is on line 2 already"),
        (
            "participant,results\n,--\n",
            ":2:1: ",
            "participant: expected the id of a participant, got nothing",
        ),
        ("participant,results\np-1\n", ":2:1: ", "expected 2 values, got 1: p-1"),
        ("participant,results\np-1,-,-\n", ":2:1: ", "expected 2 values, got 3: p-1,-,-"),
        (
            "participant,results,start\np-1,-,2026-02-29\n",
            ":2:7: ",
            "start: there is no such date as 2026-02-29",
        ),
        (
            "who,use_pattern\n1,--\n",
            ":1:1: ",
            "expected the columns participant,results, got who,use_pattern",
        ),
        ("", ":1:1: ", "expected the columns participant,results, got nothing"),
        (f"participant,results\np-1,{'-' * 37}\n", ":2:5: ", "37 results, but the plan has 36 visits"),
        ('participant,results\n"p-1,--\n', ":2:1: ", "this is not CSV"),
    ],
)
def test_a_wrong_line_of_a_file_is_named_and_nobody_is_decided(
    tmp_path: Path, lines: str, where: str, what: str
) -> None:
    file = tmp_path / "cohort.csv"
    file.write_text(lines, "utf-8")
    line = refused("run", CALIFORNIA, "--file", str(file), "--json")
    assert line.startswith(f"{file}{where}error: ")
    assert what in line


def test_every_wrong_line_of_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cohort.csv"
    file.write_text("participant,results\np-1,x\np-2,--\np-3,?\n", "utf-8")
    done = cm_engine("run", CALIFORNIA, "--file", str(file), "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": error:")[0] for line in done.stderr.splitlines()] == [f"{file}:2:5", f"{file}:4:5"]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffparticipant,results\r\np-1,--\r\n",
        "Participant;Results\n p-1 ; -- \n;\n\n",
        "results\tparticipant\n--\tp-1\n",
        'participant,results\n"p-1","--"\n',
    ],
)
def test_a_file_is_read_as_spreadsheets_write_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cohort.csv"
    file.write_text(text, "utf-8")
    done = cm_engine("run", CALIFORNIA, "--file", str(file), "--json")
    [line] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (line["participant"], line["totals"]) == ("p-1", {"USD": "20.00"})


def test_each_participant_of_a_file_may_have_a_start_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "cohort.csv"
    file.write_text("participant,results,start\np-1,-,2026-06-01\np-2,-,\n", "utf-8")
    done = cm_engine("run", CALIFORNIA, "--file", str(file), "--start", "2026-01-05", "--json")
    days = [json.loads(line)["decisions"][0]["date"] for line in done.stdout.splitlines()]
    assert days == ["2026-06-01", "2026-01-05"]


def test_a_word_longer_than_the_plan_is_refused_unless_it_is_truncated() -> None:
    message = refused("run", "va-prize", "--results", "-" * 25)
    assert message == "25 results, but the plan has 24 visits; shorten the results, or truncate them"
    assert len(decided("va-prize", "--results", "-" * 25, "--truncate")["decisions"]) == 24


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "va-priz", "--results", "-"), "no program 'va-priz' in the catalogue, and no such file; did you mean 'va-prize'?"),
        (("run", "x.yaml", "--results", "-"), "no program 'x.yaml' in the catalogue, and no such file; expected an id of the catalogue or a file's path"),
        (("run", "va-prize"), "expected --results WORD, --observations FILE or --file FILE, one of them"),
        (("run", "va-prize", "--results", "-", "--file", "a.csv"), "expected --results WORD, --observations FILE or --file FILE, one of them"),
        (("run", "va-prize", "--file", "absent.csv"), "absent.csv: cannot be read: No such file or directory"),
        (("run", "va-prize", "--results", "-", "--start", "2026-02-29"), "--start: there is no such date as 2026-02-29"),
        (("run", "va-prize", "--results", "-", "--start", "tomorrow"), "--start: expected a date such as 2026-01-05, got 'tomorrow'"),
        (("explain", "va-prize", "--results", "-?"), "result 2 is '?'; expected - met, + positive, o missed, e excused, * invalid, r refused, _ not required"),
        (("check", "absent.yaml"), "no program 'absent.yaml' in the catalogue, and no such file; expected an id of the catalogue or a file's path"),
        (("catalogue", "nobody"), "no program 'nobody' in the catalogue, and no such file; expected an id of the catalogue or a file's path"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_clear_line(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    assert refused(*words, cwd=tmp_path) == message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [("run",), ("check",), ("run", "va-prize", "--nope"), ("schema", "x"), ("explain", "va-prize")]
)
def test_a_wrong_use_of_a_command_is_one_clear_line(words: tuple[str, ...]) -> None:
    assert refused(*words)


def test_the_command_alone_prints_its_help() -> None:
    done = cm_engine()
    assert "catalogue List published programs" in " ".join((done.stdout + done.stderr).split())


def test_a_malformed_program_is_refused_at_its_place(tmp_path: Path) -> None:
    text = catalogue.source("va-prize").replace("ceiling: 8", "ceiling: 0")
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    line = refused("run", "mine.yaml", "--results", "-", cwd=tmp_path)
    assert line.startswith("mine.yaml:50:")
    assert line.endswith("escalate.ceiling: expected at least the start, 1, got 0")


def test_check_passes_every_program_of_the_catalogue() -> None:
    done = cm_engine("check", *catalogue.program_ids())
    assert done.returncode == 0
    assert "va-prize, version 1: all 2 cases pass" in done.stdout


def test_check_shows_the_first_difference_of_a_case_at_its_place_and_fails(tmp_path: Path) -> None:
    text = catalogue.source("va-prize").replace("awards: [1, 2, 3, 0, 4", "awards: [1, 2, 3, 0, 5")
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    done = cm_engine("check", "mine.yaml", "va-prize", cwd=tmp_path)
    assert done.returncode == 1
    first = done.stdout.splitlines()[0]
    assert first.startswith("mine.yaml:71:26: error: cases.1.awards.4: ")
    assert first.endswith("visit 5 (-): the case expects 5, the program pays 4")
    assert "1 of 2 cases differs" in done.stdout
    assert "all 2 cases pass" in done.stdout


WITHIN = """
program: within
version: "1"
title: Within
currency: USD
visits: [{weeks: 1-4, days: [monday, thursday]}]
windows: {before: 0, after: 1}
targets:
  tests:
    behavior: abstinence
    schedule: [{weeks: 1-4, escalate: {start: 5, step: 1}, reset: {on: [positive, missed]}}]
cases:
  - {name: mondays, start: 2026-01-05, observations: [SEEN], awards: [PAID]}
"""


@pytest.mark.parametrize(
    ("seen", "paid", "found"),
    [
        ('{result: "-", on: 2026-01-05}, {result: "-", on: 2026-01-12}', "5, 6", "observations.1.on: mondays: 2026-01-12 is no day of visit 2, which has the days from 2026-01-08 to 2026-01-09"),
        ('{result: "-", on: 2026-01-05}, {result: o, on: 2026-01-08}, {result: "-", on: 2026-01-12}', "5, 0, 5", ""),
        ('{result: "-", on: 2026-01-06}, {result: "-", on: 2026-01-09}', "5, 6", ""),
        ('{result: "-"}, {result: "-", on: 2026-01-08}', "5, 6", ""),
    ],
)  # fmt: skip
def test_check_finds_a_day_of_a_case_that_is_of_another_visit(
    tmp_path: Path, seen: str, paid: str, found: str
) -> None:
    (tmp_path / "mine.yaml").write_text(WITHIN.replace("SEEN", seen).replace("PAID", paid), "utf-8")
    done = cm_engine("check", "mine.yaml", cwd=tmp_path)
    assert done.returncode == bool(found)
    assert found in done.stdout
    assert found or "the 1 case passes" in done.stdout


def test_check_reports_every_problem_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("program: a\n", "utf-8")
    done = cm_engine("check", "a.yaml", "a.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("a.yaml:1:1: error: the key 'title' is missing") == 2


def test_explain_says_in_words_what_each_visit_paid() -> None:
    done = cm_engine("explain", CALIFORNIA, "--results", "--+")
    assert "Second negative test in a row: $10.00. Next negative: $11.50." in done.stdout
    assert "Positive test: no reward this time" in done.stdout
    assert "In all: $20.00" in done.stdout


def test_only_a_test_is_called_positive() -> None:
    assert "week 1: positive" in cm_engine("explain", "va-prize", "--results", "+").stdout
    task = cm_engine("explain", "hptn-065", "--results", "+").stdout
    assert "week 13: not met" in task
    assert "positive" not in task
    assert "+ not met" in cm_engine("run", "hptn-065", "--results", "+").stdout


def test_schema_prints_the_json_schema() -> None:
    schema = json.loads(cm_engine("schema").stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_catalogue_lists_the_programs_and_prints_the_file_of_one() -> None:
    listed = cm_engine("catalogue").stdout
    assert all(program_id in listed for program_id in catalogue.program_ids())
    assert cm_engine("catalogue", "va-prize").stdout == catalogue.source("va-prize")


def test_new_begins_a_file_that_passes_its_own_cases_and_overwrites_nothing(tmp_path: Path) -> None:
    assert cm_engine("new", "Our Clinic 2.yaml", cwd=tmp_path).returncode == 0
    begun = (tmp_path / "Our Clinic 2.yaml").read_text("utf-8")
    assert "program: our-clinic-2 " in begun
    assert "all 2 cases pass" in cm_engine("check", "Our Clinic 2.yaml", cwd=tmp_path).stdout
    assert (
        refused("new", "Our Clinic 2.yaml", cwd=tmp_path)
        == "Our Clinic 2.yaml: cannot be written: File exists"
    )
    assert (tmp_path / "Our Clinic 2.yaml").read_text("utf-8") == begun


def test_the_page_of_keys_is_what_the_models_say() -> None:
    """If it is not: cm-engine keys examples/every-key.yaml > docs/keys.md."""
    root = Path(__file__).resolve().parents[1]
    page = cm_engine("keys", "examples/every-key.yaml", cwd=root).stdout
    assert (root / "docs" / "keys.md").read_text("utf-8") == page


def test_the_pages_of_the_catalogue_are_what_its_programs_say(tmp_path: Path) -> None:
    """If they are not: cm-engine pages docs/catalogue."""
    kept = Path(__file__).resolve().parents[1] / "docs" / "catalogue"
    assert cm_engine("pages", "made", cwd=tmp_path).returncode == 0
    made = {file.name: file.read_text("utf-8") for file in (tmp_path / "made").iterdir()}
    assert {file.name: file.read_text("utf-8") for file in kept.iterdir()} == made


def test_every_picture_of_the_catalogue_is_well_formed_and_draws_every_visit() -> None:
    for picture in (Path(__file__).resolve().parents[1] / "docs" / "catalogue").glob("*.svg"):
        drawn = ET.fromstring(picture.read_text("utf-8"))
        bars = drawn.findall("{http://www.w3.org/2000/svg}rect[@fill='#b9d3ea']")
        assert len(bars) == 1 + sum(visits_shown(catalogue.program(picture.stem)))


def visits_shown(program: Program) -> Iterator[int]:
    """One panel for each unit that the visits of a target are seen to pay."""
    lengths = {name: min(visit_count(program.plan(target)), 60) for name, target in program.targets.items()}
    start = next((case.start for case in program.cases if case.start), None)
    decisions = decide(
        program, {name: "-" * length for name, length in lengths.items()}, start=start
    ).decisions
    for name, length in lengths.items():
        units = {unit for decision in decisions if decision.target == name for unit, _ in decision.paid}
        yield length * len(units)


def test_the_example_of_every_key_uses_every_key() -> None:
    root = Path(__file__).resolve().parents[1]
    page = (root / "docs" / "keys.md").read_text("utf-8")
    without = [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert not without


@pytest.mark.parametrize(
    "command", ["run", "check", "explain", "diff", "schema", "catalogue", "new", "keys", "pages"]
)
def test_the_example_in_the_help_of_each_command_works(command: str, tmp_path: Path) -> None:
    if command != "new":
        (tmp_path / "my-program.yaml").write_text(catalogue.source("va-prize"), "utf-8")
    [example] = [line for line in cm_engine(command, "--help").stdout.splitlines() if "Example: " in line]
    words = example.partition("Example: cm-engine ")[2].partition(" > ")[0].split()
    assert cm_engine(*words, cwd=tmp_path).returncode == 0


def test_run_shows_a_table_on_a_terminal() -> None:
    shown = cm_engine("run", "va-prize", "--results", "-e", "--start", "2026-01-05").stdout
    assert "Mon 05 Jan 2026" in shown
    assert "e excused" in shown
    assert "In all: 1 draw" in shown


def test_a_closed_pipe_ends_the_command_quietly(tmp_path: Path) -> None:
    file = tmp_path / "cohort.csv"
    rows = "".join(f"p-{number},{'-' * 24}\n" for number in range(500))
    file.write_text(f"participant,results\n{rows}", "utf-8")
    script = f"{COMMAND} run va-prize --file {file} --json | head -n 1 | wc -l"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)  # noqa: S607
    assert (done.stdout.strip(), done.stderr) == ("1", "")


INTEGRATED = "template-integrated-care"


def test_run_decides_several_targets_in_the_order_of_their_days() -> None:
    words = ["--results", "counselling=-", "--results", "stimulants=--"]
    form = decided(INTEGRATED, "--start", "2026-01-05", *words)
    assert [decision["target"] for decision in form["decisions"]] == [
        "stimulants",
        "stimulants",
        "counselling",
    ]
    assert [decision["date"] for decision in form["decisions"]] == sorted(
        d["date"] for d in form["decisions"]
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--"], "say which target was seen (known: stimulants, medication, counselling)"),
        (["stimulant=--"], "there is no target 'stimulant'; did you mean 'stimulants'?"),
        (
            ["stimulants=-", "stimulants=-"],
            "--results stimulants=-: expected NAME=WORD, once for each target",
        ),
        (["stimulants=-", "-"], "--results -: expected NAME=WORD, once for each target"),
    ],
)
def test_words_for_several_targets_have_to_say_which(words: list[str], said: str) -> None:
    options = [option for word in words for option in ("--results", word)]
    assert refused("run", INTEGRATED, "--start", "2026-01-05", *options).startswith(said)


def test_run_decides_the_observations_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "seen.yaml").write_text(
        "observations:\n- {event: intake}\n- {target: stimulants, result: '-', conditions: [dilute]}\n",
        "utf-8",
    )
    done = cm_engine(
        "run", INTEGRATED, "--start", "2026-01-05", "--observations", "seen.yaml", "--json", cwd=tmp_path
    )
    decisions = json.loads(done.stdout)["decisions"]
    assert [decision["visit"] for decision in decisions] == [0, 1]
    assert decisions[1]["reasons"][0] == {
        "code": "read as",
        "text": "A dilute specimen counts as invalid.",
        "seen": "dilute",
        "outcome": "invalid",
    }


@pytest.mark.parametrize("command", ["run", "explain"])
def test_a_day_of_an_observation_that_is_of_another_visit_is_refused(tmp_path: Path, command: str) -> None:
    (tmp_path / "mine.yaml").write_text(
        WITHIN.replace("SEEN", "").replace("PAID", "").partition("cases:")[0], "utf-8"
    )
    seen = "observations:\n- {result: '-', on: 2026-01-05}\n- {result: '-', on: 2026-01-12}\n"
    (tmp_path / "seen.yaml").write_text(seen, "utf-8")
    asked = (command, "mine.yaml", "--start", "2026-01-05", "--observations", "seen.yaml")
    done = cm_engine(*asked, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "seen.yaml: observations.1.on: 2026-01-12 is no day of visit 2, which has the days"
    )
    (tmp_path / "seen.yaml").write_text(seen.replace("01-12", "01-09"), "utf-8")
    assert cm_engine(*asked, cwd=tmp_path).returncode == 0


def test_observations_that_are_wrong_are_refused_at_their_places(tmp_path: Path) -> None:
    (tmp_path / "seen.yaml").write_text("observations:\n- {targt: stimulants}\n- {result: x}\n", "utf-8")
    done = cm_engine("explain", INTEGRATED, "--observations", "seen.yaml", cwd=tmp_path)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith("seen.yaml:2:4: error: observations.0.targt: unknown key; did you mean 'target'?")
    assert second.startswith(
        "seen.yaml:3:12: error: observations.1.result: expected one of - met, + positive"
    )


def test_a_file_of_results_has_a_line_for_each_target_of_a_participant(tmp_path: Path) -> None:
    lines = [
        "participant,target,results,start",
        "p-1,stimulants,--,2026-01-05",
        "p-1,counselling,-,2026-01-05",
    ]
    (tmp_path / "cohort.csv").write_text("\n".join([*lines, "p-2,stimulants,-+,2026-01-06"]), "utf-8")
    done = cm_engine("run", INTEGRATED, "--file", "cohort.csv", "--json", cwd=tmp_path)
    forms = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(form["participant"], len(form["decisions"])) for form in forms] == [("p-1", 3), ("p-2", 2)]


def test_lines_of_one_participant_that_disagree_are_refused(tmp_path: Path) -> None:
    lines = [
        "participant,target,results,start",
        "p-1,stimulants,--,2026-01-05",
        "p-1,counselling,-,2026-01-06",
    ]
    (tmp_path / "cohort.csv").write_text(
        "\n".join([*lines, "p-1,stimulants,-,2026-01-05", "p-1,sessions,-,"]), "utf-8"
    )
    done = cm_engine("run", INTEGRATED, "--file", "cohort.csv", "--start", "2026-01-05", cwd=tmp_path)
    assert [line.split(": error: ")[1] for line in done.stderr.splitlines()] == [
        "start: participant p-1 starts on 2026-01-05 by a line above, and here on 2026-01-06",
        "participant: 'p-1' is on line 2 already",
        "target: there is no target 'sessions' (known: stimulants, medication, counselling)",
    ]


SEED = bytes(range(32)).hex()
RECORD = f"""program: va-prize
commitment: 630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd
seed: {SEED}
draws:
  - {{key: observation-1/draw, number: 1, slip: small, value: 1.00}}
"""


def verified(tmp_path: Path, record: str) -> tuple[int, str]:
    (tmp_path / "draws.yaml").write_text(record, "utf-8")
    done = cm_engine("verify-draws", "draws.yaml", cwd=tmp_path)
    return done.returncode, done.stdout + done.stderr


def test_draws_that_the_seed_draws_are_verified(tmp_path: Path) -> None:
    said = "draws.yaml: 1 draw is what the seed draws, and the seed is the one committed to\n"
    assert verified(tmp_path, RECORD) == (0, said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "slip: small",
            "slip: large",
            "draw 1 of observation-1/draw is small, worth 100 in minor units; recorded is large, worth 100",
        ),
        (
            "value: 1.00",
            "value: 20.00",
            "draw 1 of observation-1/draw is small, worth 100 in minor units; recorded is small, worth 2000",
        ),
        ("seed: 0001", "seed: 0002", "the seed is not the one committed to"),
    ],
)
def test_a_changed_record_of_draws_is_found(tmp_path: Path, old: str, new: str, said: str) -> None:
    code, printed = verified(tmp_path, RECORD.replace(old, new))
    assert code == 1
    assert said in printed


def test_a_record_of_draws_that_is_wrong_is_refused_at_its_places(tmp_path: Path) -> None:
    code, printed = verified(
        tmp_path, RECORD.replace("seed: 00", "seed: xx").replace("number: 1", "number: one")
    )
    assert code == 2
    assert printed.splitlines() == [
        f"draws.yaml:3:7: error: seed: expected hexadecimal digits, two for each byte, got 'xx{SEED[2:40]}...'",
        "draws.yaml:5:39: error: draws.0.number: expected a whole number, got 'one'",
    ]
