"""The examples run, and the application is used as its clients would."""

import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
ENROLLED = {"participant": "p-104", "start": "2026-01-05", "by": "nurse-7"}
VISIT = {
    "result": "-",
    "collected_at": "2026-01-05T09:30:00-08:00",
    "key": "udt-1",
    "by": "nurse-7",
    "note": "well",
}


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_the_cohort_ends_in_a_database_with_a_clean_audit(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    shown = run("durable.py", url)
    assert "reported once more" in shown
    assert "$10.00" in shown
    assert shown.rstrip().endswith("all as it should be.")


def test_the_demo_may_be_run_again_on_the_same_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    assert run("durable.py", url) == run("durable.py", url)


def test_a_payout_whose_answer_was_lost_is_handed_over_once_and_said_in_neutral_words() -> None:
    command = [sys.executable, "-m", "examples.delivery"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=EXAMPLES.parent)
    assert done.stderr == ""
    for said in (
        "payout 1: waiting; the payment system answered 500",
        "payout 1: over; handed over",
        "ann@example.org got: You have an update",
        "The payment system has 2 orders, each once.",
        "Awarded $20.00, handed over $20.00, on the way $0.00.",
        "Audit: 13 acts: all as it should be.",
    ):
        assert said in done.stdout


def test_an_asynchronous_host_commits_and_rolls_back(tmp_path: Path) -> None:
    shown = run("async_session.py", f"sqlite+aiosqlite:///{tmp_path / 'clinic.db'}")
    assert shown.splitlines()[-1] == "in the log: observed first"


def test_an_asynchronous_host_on_postgresql_does_the_same(postgresql_url: str) -> None:
    url = postgresql_url.replace("postgresql://", "postgresql+psycopg://")
    assert run("async_session.py", url).splitlines()[-1] == "in the log: observed first"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("CLINIC_DB", f"sqlite:///{tmp_path / 'clinic.db'}")
    app = runpy.run_path(str(EXAMPLES / "fastapi_app.py"))["app"]
    with TestClient(app) as opened:
        yield opened


def notes(folder: Path) -> list[Any]:
    database = create_engine(f"sqlite:///{folder / 'clinic.db'}")
    with database.connect() as connection:
        found = list(connection.execute(text("SELECT text FROM chart_notes")))
    database.dispose()
    return found


def test_a_visit_is_answered_with_the_award_and_its_reasons(client: TestClient, tmp_path: Path) -> None:
    enrollment = client.post("/enrollments", json=ENROLLED).json()["enrollment"]
    answer = client.post(f"/enrollments/{enrollment}/visits", json=VISIT)
    assert answer.status_code == 201
    assert answer.json() == {
        "hand_over": {"USD": "10.00"},
        "sentence": "Negative test: $10.00. Next negative: $10.00.",
        "replayed": False,
    }
    assert notes(tmp_path) == [("well",)]
    assert (
        client.get(f"/enrollments/{enrollment}/next").json()["stimulants"]["-"].startswith("Second negative")
    )


def test_a_visit_sent_twice_is_recorded_once_with_one_note(client: TestClient, tmp_path: Path) -> None:
    enrollment = client.post("/enrollments", json=ENROLLED).json()["enrollment"]
    first, second = (client.post(f"/enrollments/{enrollment}/visits", json=VISIT).json() for _ in range(2))
    assert second == first | {"hand_over": {}, "replayed": True}
    assert len(notes(tmp_path)) == 1


def test_what_is_refused_leaves_no_note_and_says_why(client: TestClient, tmp_path: Path) -> None:
    enrollment = client.post("/enrollments", json=ENROLLED).json()["enrollment"]
    wrong = client.post(f"/enrollments/{enrollment}/visits", json=VISIT | {"result": "?"})
    absent = client.post("/enrollments/e-none/visits", json=VISIT)
    client.post(f"/enrollments/{enrollment}/visits", json=VISIT)
    other = client.post(f"/enrollments/{enrollment}/visits", json=VISIT | {"result": "+"})
    assert [wrong.status_code, absent.status_code, other.status_code] == [422, 404, 409]
    assert "'?'" in wrong.json()["detail"]
    assert len(notes(tmp_path)) == 1
