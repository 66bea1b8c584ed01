"""The interface for systems: what it answers, and that nothing which fits its description breaks it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from examples.clinic.app import create_app
from examples.clinic.clinic import Clinic
from examples.clinic.settings import Settings
from fastapi.testclient import TestClient
from hypothesis import Phase, given, settings
from hypothesis.strategies import booleans
from schemathesis import Case, Config, GenerationMode
from schemathesis.core.parameters import ParameterLocation
from sqlalchemy.exc import OperationalError

from cm_engine import Engine, StorageBusyError

PROGRAM = "california-recovery-incentives"
OWN = "clinic-recovery-incentives"
TOKEN = {"Authorization": "Bearer secret"}
NEW = {"participant": "p-104", "program": PROGRAM, "start": "2026-01-05", "by": "desk-1"}
SEEN = {"result": "-", "collected_at": "2026-01-05T09:30:00-08:00", "by": "desk-1", "note": "well"}
PROBLEM = "application/problem+json"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[TestClient]:
    """A system that calls, with its token."""
    app = create_app(
        Settings(
            url=f"sqlite:///{tmp_path / 'clinic.db'}",
            prize_secret=bytes(32),
            api_tokens={"lab": "secret", "portal": "other"},
        )
    )
    with TestClient(app, headers=TOKEN) as client:
        yield client


def send(system: TestClient, path: str, key: str, **body: Any) -> Any:
    return system.post(f"/api/enrollments{path}", json=body, headers={"Idempotency-Key": key})


@pytest.fixture
def path(system: TestClient) -> str:
    """Where an enrolled participant is."""
    return f"/{send(system, '', 'e-1', **NEW).json()['id']}"


def seen_of(system: TestClient, path: str, part: str) -> Any:
    answer = system.get(f"/api/enrollments{path}/{part}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_participant_is_enrolled_once(system: TestClient) -> None:
    answers = [send(system, "", "e-1", **NEW) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    first, again = (answer.json() for answer in answers)
    assert first == again
    assert (first["program"], first["participant"]) == (f"{PROGRAM}@1", "p-104")
    assert system.get("/api/enrollments", params={"participant": "p-104"}).json() == [first]


def test_amounts_are_decimal_strings_and_a_repeat_hands_nothing_over(system: TestClient, path: str) -> None:
    first, again = (send(system, f"{path}/observations", "udt-1", **SEEN) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["hand_over"] == {"USD": "10.00"}
    assert first.json()["decision"]["sentence"] == "Negative test: $10.00. Next negative: $10.00."
    assert first.json()["decision"]["reasons"][0] == {
        "code": "earned",
        "unit": "USD",
        "run": 1,
        "amount": "10.00",
        "change": None,
        "in_a_row": True,
        "limited": False,
    }
    assert again.json()["replayed"]
    assert again.json()["hand_over"] == {}
    assert again.json()["payable"] == {"USD": "10.00"}


def test_a_key_with_other_content_is_a_conflict_that_shows_both(system: TestClient, path: str) -> None:
    send(system, f"{path}/observations", "udt-1", **SEEN)
    answer = send(system, f"{path}/observations", "udt-1", **{**SEEN, "result": "+"})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == PROBLEM
    assert '"result":"-"' in answer.json()["recorded"]
    assert '"result":"+"' in answer.json()["given"]


def test_the_keys_of_two_systems_do_not_meet(system: TestClient, path: str) -> None:
    send(system, f"{path}/observations", "1", **SEEN)
    other = system.post(
        f"/api/enrollments{path}/observations",
        json={**SEEN, "collected_at": "2026-01-08T09:30:00-08:00"},
        headers={"Authorization": "Bearer other", "Idempotency-Key": "1"},
    )
    assert other.status_code == 201
    assert [act["source"] for act in seen_of(system, path, "history")[1:]] == ["lab", "portal"]


def test_a_correction_posts_the_difference_and_shows_in_every_account(system: TestClient, path: str) -> None:
    for day, result in ((5, "-"), (8, "+"), (12, "-")):
        at = f"2026-01-{day:02}T09:30:00-08:00"
        send(system, f"{path}/observations", f"udt-{day}", **{**SEEN, "result": result, "collected_at": at})
    amended = send(
        system, f"{path}/amendments", "fix-1", record=2, result="-", why="misread", by="super-1"
    ).json()
    assert amended["kind"] == "amended"
    assert amended["hand_over"] == {"USD": "11.50"}
    assert [each["visit"] for each in amended["corrected"]] == [3]
    assert seen_of(system, path, "balance")["USD"]["awarded"] == "31.50"
    voided = send(system, f"{path}/voidings", "fix-2", record=3, why="of another participant", by="super-1")
    assert voided.json()["decision"]["outcome"] == "withdrawn"
    statement = seen_of(system, path, "statement")
    assert statement["awarded"] == {"USD": "20.00"}
    assert statement["balances"]["USD"]["absorbed"] == "11.50"
    assert seen_of(system, path, "verification")["clean"]
    assert seen_of(system, path, "preview")["targets"]["stimulants"]["-"]["awards"] == {"USD": "11.50"}


def test_evidence_is_read_by_the_program(system: TestClient) -> None:
    enrolled = send(system, "", "e-2", **{**NEW, "program": "template-integrated-care"}).json()["id"]
    panel = {"cocaine": "-", "amphetamine": "+", "methamphetamine": "-"}
    answer = send(
        system,
        f"/{enrolled}/observations",
        "udt-1",
        target="stimulants",
        evidence={"panel": panel, "prescribed": ["amphetamine"]},
        on="2026-01-05",
        by="super-1",
    )
    assert answer.status_code == 201, answer.text
    assert [each["code"] for each in answer.json()["decision"]["reasons"]][:2] == ["explained", "earned"]


def test_what_is_recorded_by_a_system_is_on_the_pages_of_the_clinic(system: TestClient, path: str) -> None:
    send(system, f"{path}/observations", "udt-1", **SEEN)
    app: Any = system.app
    with app.state.clinic.reading() as session:
        assert session.connection().exec_driver_sql("SELECT text FROM chart_notes").all() == [("well",)]


@pytest.fixture
def today(tmp_path: Path) -> Iterator[TestClient]:
    """A system that calls a clinic whose day is Monday, 19 January 2026."""
    app = create_app(
        Settings(
            url=f"sqlite:///{tmp_path / 'clinic.db'}",
            prize_secret=bytes(32),
            api_tokens={"lab": "secret"},
            clock=lambda: datetime(2026, 1, 19, 18, tzinfo=UTC),
        )
    )
    with TestClient(app, headers=TOKEN) as client:
        yield client


def entered_twice(today: TestClient, path: str, on: str) -> Any:
    """What the second of two entries is answered with, both of one specimen."""
    body = {"result": "-", "on": on}
    for by in ("desk-1", "desk-2"):
        done = send(today, f"{path}/observations", "1", **body, by=by)
        assert done.status_code == 201, done.text
    return done.json()


def test_visits_are_found_by_date_missed_excused_and_closed(today: TestClient) -> None:
    path = f"/{send(today, '', 'e-1', **{**NEW, 'program': OWN}).json()['id']}"
    done = entered_twice(today, path, "2026-01-12")
    assert (done["decision"]["visit"], [each["visit"] for each in done["missed"]]) == (3, [1, 2])
    assert [each["status"] for each in seen_of(today, path, "visits")[:5]] == [
        *["decided"] * 3,
        "overdue",
        "open",
    ]
    assert [each["number"] for each in today.get("/api/expected").json()] == [4, 5]
    assert today.get("/api/expected", params={"on": "2026-01-15"}).json()[0]["status"] == "open"
    swept = today.post("/api/sweeps", json={"by": "super-1"})
    assert [each["visit"] for each in swept.json()[0]["missed"]] == [4]
    assert today.post("/api/sweeps", json={"by": "super-1"}).json() == []
    excused = send(today, f"{path}/excuses", "2", on="2026-01-15", why="illness", by="desk-1")
    assert (excused.status_code, excused.json()["decision"]["outcome"]) == (201, "e")
    assert today.post("/api/sweeps", json={"by": "super-1", "until": "2026-02-01"}).status_code == 422


def test_a_result_that_fits_no_visit_is_a_question_until_it_is_answered(today: TestClient) -> None:
    path = f"/{send(today, '', 'e-1', **{**NEW, 'program': OWN}).json()['id']}"
    entered_twice(today, path, "2026-01-02")
    [asked] = today.get("/api/questions").json()
    assert (f"/{asked['enrollment']}", asked["decision"]["outcome"]) == (path, "unplaced")
    right = {"record": asked["decision"]["record"], "on": "2026-01-05", "why": "mistyped", "by": "super-1"}
    assert send(today, f"{path}/amendments", "2", **right).json()["decision"]["visit"] == 1
    assert today.get("/api/questions", params={"enrollment": path[1:]}).json() == []


def test_a_payout_is_handed_over_once(system: TestClient, path: str) -> None:
    number = send(system, f"{path}/observations", "udt-1", **SEEN).json()["decision"]["number"]
    [way] = seen_of(system, path, "payouts")
    assert (way["number"], way["amount"], way["status"]) == (number, "10.00", "in flight")
    body = {"number": number, "reference": "card 7", "by": "desk-1"}
    answers = [send(system, f"{path}/hand-overs", "h-1", **body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert seen_of(system, path, "payouts?on_the_way=true") == []
    assert seen_of(system, path, "balance")["USD"]["issued"] == "10.00"
    assert send(system, f"{path}/hand-overs", "h-2", **body).status_code == 422


def test_what_two_people_enter_waits_for_the_second(today: TestClient) -> None:
    path = f"/{send(today, '', 'e-1', **{**NEW, 'program': OWN}).json()['id']}"
    to, body = f"{path}/observations", {"result": "-", "on": "2026-01-05"}
    first = send(today, to, "udt-1", **body, by="desk-1").json()
    assert (first["kind"], first["decision"], first["hand_over"]) == ("entered", None, {})
    [waits] = today.get("/api/waiting").json()
    assert (waits["record"], waits["by"], waits["on"]) == (first["record"], "desk-1", "2026-01-05")
    assert "result" not in waits
    again = send(today, to, "udt-2", **body, by="desk-1")
    assert (again.status_code, again.json()["rule"]) == (
        403,
        "people.second_entry: [met, positive, invalid, refused]",
    )
    other = send(today, to, "udt-1", **{**body, "result": "+"}, by="desk-2")
    assert other.status_code == 409
    assert '"result":"-"' in other.json()["recorded"]
    assert '"result":"+"' in other.json()["given"]
    wrong = {"record": first["record"], "why": "wrong chart", "by": "super-1"}
    assert send(today, f"{path}/withdrawals", "w-1", **wrong).status_code == 201
    assert today.get("/api/waiting", params={"enrollment": path[1:]}).json() == []


def test_whoever_is_not_on_the_staff_or_has_not_the_right_is_refused(system: TestClient, path: str) -> None:
    rules = {"nobody": "people: known", "audit-1": "right record", "lab-1": None}
    for by, rule in rules.items():
        answer = send(system, f"{path}/observations", "udt-1", **{**SEEN, "by": by})
        assert (answer.status_code, answer.json().get("rule")) == (403 if rule else 201, rule)


def test_a_payout_that_is_not_wanted_is_owed_again_until_it_is_asked_for(
    system: TestClient, path: str
) -> None:
    number = send(system, f"{path}/observations", "udt-1", **SEEN).json()["decision"]["number"]
    body = {"number": number, "why": "not wanted today", "by": "desk-1"}
    assert send(system, f"{path}/declines", "d-1", **body).status_code == 201
    assert seen_of(system, path, "balance")["USD"]["owed"] == "10.00"
    asked = send(system, f"{path}/redemptions", "r-1", amount="4.00", by="desk-1")
    assert asked.json()["hand_over"] == {"USD": "4.00"}
    ways = [(each["amount"], each["status"]) for each in seen_of(system, path, "payouts")]
    assert ways == [("10.00", "declined"), ("4.00", "in flight")]
    assert send(system, f"{path}/redemptions", "r-2", amount="6.01", by="desk-1").status_code == 422


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic secret", "Bearer secret2"])
def test_a_caller_without_a_token_is_refused(system: TestClient, token: str) -> None:
    answer = system.get("/api/programs", headers={"Authorization": token})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == PROBLEM


def test_what_is_not_there_is_not_found(system: TestClient, path: str) -> None:
    for part in ("", "/preview", "/statement", "/balance", "/history", "/verification"):
        assert system.get(f"/api/enrollments/e-none{part}").status_code == 404
    assert send(system, "/e-none/observations", "1", **SEEN).status_code == 404
    assert send(system, f"{path}/voidings", "1", record=7, why="no", by="super-1").status_code == 404
    assert send(system, "", "e-9", **{**NEW, "program": "nothing"}).status_code == 404
    answer = system.get("/api/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


def test_a_method_that_is_not_there_says_which_one_is(system: TestClient) -> None:
    answer = system.delete("/api/programs")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert answer.json()["status"] == 405


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"result": "?"}, "body/result"),
        ({"collected_at": "2026-01-05T09:30:00"}, "body/collected_at"),
        ({"by": ""}, "body/by"),
        ({"amount": "10.00"}, "body/amount"),
        ({"by": "\ud800"}, "body/by"),
    ],
)
def test_a_request_of_another_form_is_refused_with_every_fault(
    system: TestClient, path: str, changed: dict[str, str], told: str
) -> None:
    body = json.dumps({**SEEN, **changed})
    headers = {"Idempotency-Key": "1", "content-type": "application/json"}
    answer = system.post(f"/api/enrollments{path}/observations", content=body, headers=headers)
    assert answer.status_code == 422
    assert told in [fault["at"] for fault in answer.json()["errors"]]


def test_an_act_without_a_key_is_refused(system: TestClient, path: str) -> None:
    answer = system.post(f"/api/enrollments{path}/observations", json=SEEN)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"at": "header/Idempotency-Key", "detail": "Field required"}]


def test_a_storage_that_fails_is_said_to_and_the_same_key_may_be_sent_again(
    system: TestClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [
        (Engine, "enter", StorageBusyError("others hold the storage")),
        (Clinic, "written", OperationalError("INSERT", {}, Exception("disk I/O error"))),
    ]
    for where, name, error in failures:
        with monkeypatch.context() as patch:
            patch.setattr(where, name, _raising(error))
            answer = send(system, f"{path}/observations", "udt-1", **SEEN)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert send(system, f"{path}/observations", "udt-1", **SEEN).status_code == 201


def _raising(error: Exception) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


# What fits the description

PARTS = ("visits", "payouts", "preview", "statement", "balance", "history", "verification")
ACTS = (
    "observations",
    "amendments",
    "voidings",
    "withdrawals",
    "excuses",
    "hand-overs",
    "declines",
    "redemptions",
)
WRITES = ("", *(f"/{{enrollment}}/{act}" for act in ACTS))
OPERATIONS = [
    ("GET", "/api/programs"),
    ("GET", "/api/enrollments"),
    ("GET", "/api/expected"),
    ("GET", "/api/questions"),
    ("GET", "/api/waiting"),
    ("POST", "/api/sweeps"),
    ("GET", "/api/enrollments/{enrollment}"),
    *(("GET", f"/api/enrollments/{{enrollment}}/{part}") for part in PARTS),
    *(("POST", f"/api/enrollments{part}") for part in WRITES),
]

CONFIG = {
    "auth": {"openapi": {"HTTPBearer": {"bearer": "secret"}}},
    # what the program or the day refuses cannot be said in a schema
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "403", "404", "409", "422"]}},
}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The description, of a clinic with one participant."""
    folder = tmp_path_factory.mktemp("described")
    app = create_app(
        Settings(
            url=f"sqlite:///{folder / 'clinic.db'}", prize_secret=bytes(32), api_tokens={"lab": "secret"}
        )
    )
    with TestClient(app, headers=TOKEN) as client:
        enrolled = send(client, "", "e-1", **NEW).json()["id"]
        send(client, f"/{enrolled}/observations", "udt-1", **SEEN)
        config = Config.from_dict(CONFIG)
        yield schemathesis.openapi.from_asgi("/openapi.json", app, config=config), enrolled


def parts_of(case: Case[Any]) -> Any:
    """The parts of a request, each with whether it fits the description."""
    assert case.meta
    return case.meta.components


def test_every_operation_is_attacked(described: Any) -> None:
    schema, _ = described
    found = [(each.ok().method.upper(), each.ok().path) for each in schema.get_all_operations()]
    assert sorted(found) == sorted(OPERATIONS)


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_whatever_is_sent_is_answered_as_described(
    described: Any, method: str, path: str, mode: GenerationMode
) -> None:
    schema, enrolled = described

    @given(schema[path][method].as_strategy(generation_mode=mode), booleans())
    @settings(max_examples=15, derandomize=True, phases=[Phase.explicit, Phase.generate])
    def attack(case: Case[Any], there: bool) -> None:
        wrong = {name for name, each in parts_of(case).items() if each.mode is GenerationMode.NEGATIVE}
        if there and "enrollment" in case.path_parameters and ParameterLocation.PATH not in wrong:
            case.path_parameters["enrollment"] = enrolled
        if there and not wrong and isinstance(case.body, dict) and "by" in case.body:
            case.body["by"] = "super-1"
        if there and not wrong and isinstance(case.body, dict) and "result" in case.body:
            case.body |= {"result": case.body["result"] or "-", "on": "2026-03-02", "target": "", "event": ""}
            case.body.pop("evidence", None)
        case.call_and_validate()

    attack()
