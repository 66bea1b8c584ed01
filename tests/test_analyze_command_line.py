"""`cm-engine analyze` and `report`: what goes in, what comes out, what is refused and how."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from cm_engine import cli


class Ran:
    """What a command left: its status and what it wrote."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: str) -> None:
        sys.argv = ["cm-engine", *words]
        with pytest.raises(SystemExit) as ended:
            cli.main()
        self.status = ended.value.code
        self.out, self.err = capsys.readouterr()

    @property
    def form(self) -> dict[str, Any]:
        assert (self.status, self.err) == (0, "")
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture(autouse=True)
def _own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["cm-engine"])
    monkeypatch.setenv("COLUMNS", "100")


def test_json_has_the_keys_of_its_contract(capsys: pytest.CaptureFixture[str]) -> None:
    form = Ran(capsys, "analyze", "california-recovery-incentives", "--p-met", "1", "--json").form
    assert {"program", "states", "units", "limits", "findings"} <= form.keys()
    dollars = form["units"]["USD"]
    assert dollars["maximum"] == dollars["expected"] == "599.00"
    assert dollars["minimum"] == dollars["sd"] == "0.00"
    assert dollars["quantiles"] == dict.fromkeys(["0.05", "0.25", "0.5", "0.75", "0.95"], "599.00")
    assert dollars["maximum_sequence"] == "-" * 36
    assert form["states"] > 1000
    assert form["limits"] == [
        {
            "unit": "USD",
            "per": "calendar year",
            "amounts": ["599.00"],
            "since": [],
            "crossing": "truncate",
            "scope": [],
            "reached": 0.0,
        }
    ]


def test_draws_count_as_what_they_win_and_by_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    units = Ran(capsys, "analyze", "va-prize", "--p-met", "1", "--json").form["units"]
    assert units["USD"]["expected"] == "363.752"
    assert units["draw"]["expected"] == "164"


def test_events_have_chances_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("analyze", "template-telehealth-check-in", "--p-met", "0", "--json", "--event")
    never = Ran(capsys, *words, "device set up=0").form["units"]["USD"]["expected"]
    half = Ran(capsys, *words, "device set up=1/2").form["units"]["USD"]["expected"]
    assert (never, half) == ("0.00", "2.50")


def test_chances_are_learned_from_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    file.write_text("participant,results\np-1,------\np-2,------\n", "utf-8")
    form = Ran(capsys, "analyze", "higgins-1994-voucher", "--rates-from", str(file), "--json").form
    assert form["units"]["USD"]["expected"] == "997.50"
    assert form["behavior"] == "as in 2 participants' results, of which 1 were met"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--p-met", "80"], "expected a chance from 0 to 1, such as 0.8 or 4/5, got '80'"),
        (
            ["--p-met", "0.8", "--p-lapse", "0.1"],
            "expected one of --p-met, --p-lapse with --p-recover, and --rates-from",
        ),
        (["--p-lapse", "0.1"], "--p-lapse and --p-recover make a model together, and one of them is missing"),
        (
            ["--event", "intake=0.5"],
            "expected NAME=P with an event of the program (known: none), got 'intake=0.5'",
        ),
        (["--start", "tomorrow"], "--start: expected"),
        (["--p-leave", "-1"], "expected a chance from 0 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_was_expected(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, "analyze", "va-prize", *words)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_lines_to_learn_from_are_refused_with_their_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "results.csv"
    file.write_text("participant,results\np-1,--x\n", "utf-8")
    ran = Ran(capsys, "analyze", "va-prize", "--rates-from", str(file))
    assert ran.status == 2
    assert re.match(rf"{re.escape(str(file))}:2:\d+: error: ", ran.err)


def test_a_report_is_written_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    ran = Ran(capsys, "report", "cpit-pregnancy", "-o", str(page))
    assert (ran.status, ran.out) == (0, f"{page} is written\n")
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_a_report_that_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ran = Ran(capsys, "report", "cpit-pregnancy", "-o", str(tmp_path / "no" / "report.html"))
    assert ran.status == 2
    assert "cannot be written" in ran.err
