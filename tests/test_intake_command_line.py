"""The commands of the way in: what they print, for people and for programs, and how they end."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cm_engine import cli
from tests.intake_documents import MAPPING, NAME, PROGRAM, csv_file, csv_line, fhir, observation

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "intake"
ITEM = f"u-2/{PROGRAM}/stimulants"


class Done(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The command, on a database with one enrollment, beside a mapping and a file of two lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CM_ENGINE_DB", "sqlite:///clinic.db")
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["cm-engine", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    (tmp_path / "lab.yaml").write_text(MAPPING, "utf-8")
    unclear = csv_line(id="u-2", value="trace", collected_at="2026-01-08T09:30-08:00")
    (tmp_path / "results.csv").write_bytes(csv_file(csv_line(), unclear))
    who = ("--id", "e-1", "--participant", "p-1", "--program", PROGRAM, "--start", "2026-01-05")
    assert command("enroll", *who, "--zone", "America/Los_Angeles", "--by", "nurse-7").code == 0
    return command


def receive(run: Run, file: str = "results.csv", format: str = "csv", *more: str) -> Done:  # noqa: A002 - as the option
    return run("receive", file, "--format", format, "--mapping", "lab.yaml", "--by", "lab-interface", *more)


def form(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_what_is_recorded_and_what_waits_is_said_and_the_status_is_1(run: Run) -> None:
    done = receive(run)
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        "1 recorded, 1 review\n"
        f"u-1/{PROGRAM}/stimulants: recorded: e-1: Negative test: $10.00. Next negative: $10.00.\n"
        f"{ITEM}: review: the mapping does not say what this value is read as\n"
    )


def test_the_same_file_again_says_what_still_waits(run: Run) -> None:
    receive(run)
    done = receive(run)
    assert done.code == 1
    assert done.out == (
        f"2 replayed\n{ITEM}: as before, review: the mapping does not say what this value is read as\n"
    )


def test_a_file_of_which_nothing_waits_for_a_person_ends_with_0(run: Run, tmp_path: Path) -> None:
    held = csv_line(id="u-3", status="held", collected_at="2026-01-12T09:30-08:00")
    (tmp_path / "held.csv").write_bytes(csv_file(csv_line(), held))
    assert receive(run, "held.csv").code == 0


def test_json_has_the_counts_and_each_outcome_with_its_act(run: Run) -> None:
    found = form(receive(run, "results.csv", "csv", "--json").out)
    assert {name: count for name, count in found["counts"].items() if count} == {"recorded": 1, "review": 1}
    assert list(found["counts"]) == [
        "recorded",
        "replayed",
        "amended",
        "voided",
        "unchanged",
        "superseded",
        "held",
        "review",
        "dismissed",
        "read",
        "refused",
        "ignored",
    ]
    recorded, waits = found["outcomes"]
    assert recorded["act"]["sentence"] == "Negative test: $10.00. Next negative: $10.00."
    assert waits == {
        "where": ITEM,
        "did": "review",
        "why": "value",
        "detail": "",
        "replayed": False,
        "act": None,
    }


@pytest.mark.parametrize(
    ("file", "format", "expected"),
    [
        ("absent.csv", "csv", "there is no such file, or it cannot be read; nothing is recorded"),
        ("lab.yaml", "fhir", "this is no document of the format fhir"),
        ("results.csv", "cvs", "format: nothing installed reads 'cvs'; did you mean 'csv'?"),
    ],
)
def test_what_cannot_be_read_at_all_ends_with_2(run: Run, file: str, format: str, expected: str) -> None:  # noqa: A002 - as the option
    done = receive(run, file, format)
    assert (done.code, done.out) == (2, "")
    assert expected in done.err


def test_a_wrong_mapping_ends_with_2_and_every_problem(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("mapping: lab\nsource: lab\ncodes: []\n", "utf-8")
    done = receive(run)
    assert (done.code, done.out) == (2, "")
    assert "lab.yaml:3:8: error: codes: expected something here, got nothing" in done.err
    assert "lab.yaml:1:1: error: the key 'participants' is missing" in done.err


def test_items_are_listed_for_people_and_for_programs(run: Run) -> None:
    receive(run)
    told = run("review", "list").out
    assert told == (
        f"county-lab: {ITEM}: the mapping does not say what this value is read as\n"
        "  codes: csv|udt\n  person: p-1\n  when: 2026-01-08 17:30 UTC\n1 item\n"
    )
    [item] = form(run("review", "list", "--json").out)["items"]
    assert (item["item"], item["why"], item["codes"], item["who"]) == (ITEM, "value", ["csv|udt"], ["p-1"])
    assert item["collected_at"] == "2026-01-08T17:30:00.000000+00:00"


def test_an_item_is_settled_as_a_person_read_it(run: Run) -> None:
    receive(run)
    told = ("--source", "county-lab", "--enrollment", "e-1", "--by", "nurse-7")
    done = run("review", "settle", ITEM, "--result", "-", *told)
    assert (done.code, done.err) == (0, "")
    assert "Second negative test in a row" in done.out
    assert form(run("review", "settle", ITEM, "--result", "-", *told, "--json").out)["replayed"]
    assert run("review", "list").out == "0 items\n"


def test_an_item_is_dismissed_for_a_reason(run: Run) -> None:
    receive(run)
    told = ("--source", "county-lab", "--why", "a wrong order", "--by", "nurse-7")
    assert run("review", "dismiss", ITEM, *told).out == f"county-lab: {ITEM}: dismissed\n"
    assert form(run("review", "dismiss", ITEM, *told, "--json").out)["dismissed"]
    assert run("verify").code == 0


def test_an_item_that_does_not_wait_ends_with_2(run: Run) -> None:
    receive(run)
    told = ("--source", "county-lab", "--why", "so", "--by", "nurse-7")
    done = run("review", "dismiss", "u-9", *told)
    assert (done.code, done.out) == (2, "")
    assert "nothing of the name 'u-9' waits" in done.err


def test_a_settlement_that_says_nothing_is_refused(run: Run) -> None:
    receive(run)
    done = run("review", "settle", ITEM, "--source", "county-lab", "--enrollment", "e-1", "--by", "nurse-7")
    assert done.code == 2
    assert "--result SYMBOL" in done.err


def test_a_name_in_a_document_is_not_printed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "o.json").write_bytes(fhir(observation(status=None, valueString=NAME)))
    done = receive(run, "o.json", "fhir")
    assert done.code == 1
    assert NAME not in done.out + done.err


@pytest.mark.parametrize("script", sorted(file.name for file in EXAMPLES.glob("*.py")))
def test_every_example_runs_and_ends_well(script: str) -> None:
    command = [sys.executable, str(EXAMPLES / script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    expected = {
        "receive_csv.py": "the same file again: 2 replayed, 0 recorded\nthe audit is clean",
        "receive_fhir.py": "the same file again: 1 replayed, 0 recorded\nthe audit is clean",
        "receive_hl7v2.py": "the same file again: 2 replayed, 0 recorded\nthe audit is clean",
        "receive_redcap.py": "the same file again: 3 replayed, 0 recorded\nthe audit is clean",
        "receive_webhook.py": "a webhook of tremendous is refused: the signature is missing or wrong",
    }
    assert done.stdout.rstrip().endswith(expected[script])
