"""The way in, on the examples that HL7 publishes and on the messages that python-hl7 ships."""

import ast
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from cm_engine import Engine
from cm_engine.arrivals import Arrival, Status, Unread
from cm_engine.errors import IntakeError
from cm_engine.intake.loading import parse_mapping
from cm_engine.intake.why import Why
from cm_engine_adapters.intake.fhir import TAKEN_IN, FhirIntake
from cm_engine_adapters.intake.hl7v2 import Hl7v2Intake
from tests.interop.fetching import AbsentError, fhir_examples, hl7_samples

PROGRAM = "california-recovery-incentives"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GLUCOSE = f"""\
mapping: glucose
source: lab
program: {PROGRAM}
zone: America/Detroit
participants: same
values: {{H: positive, N: met}}
codes:
- {{system: http://loinc.org, code: 15074-8, target: stimulants}}
- {{system: "POST 12H CFST:MCNC:PT:SER/PLAS:QN", code: 1554-5, target: stimulants}}
ignore:
- {{system: "POST 12H CFST:MCNC:PT:SER/PLAS:QN", code: 1553-5}}
"""
"""Nobody is rewarded for glucose: it is what these examples have, with an interpretation."""

Examples = dict[str, bytes]


@pytest.fixture(scope="module")
def examples() -> Examples:
    try:
        archive = fhir_examples()
    except AbsentError as absent:
        pytest.skip(str(absent))
    return dict(_files(archive, ".json"))


@pytest.fixture(scope="module")
def messages() -> dict[str, bytes]:
    try:
        archive = hl7_samples()
    except AbsentError as absent:
        pytest.skip(str(absent))
    [source] = (data for name, data in _files(archive, "samples.py") if "/" not in name)
    return {name: text.encode() for name, text in _texts(source.decode()).items()}


def _files(archive: Path, end: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as opened:
        for member in opened:
            found = opened.extractfile(member) if member.name.endswith(end) else None
            if found:
                yield member.name.rpartition("/")[2], found.read()


def _texts(source: str) -> dict[str, str]:
    """The messages of a module, which joins lines that stand in it; nothing of it is run."""
    found = {}
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(args=[ast.List() as lines])):
                found[name] = "\r".join(ast.literal_eval(lines))
    return found


def of_type(examples: Examples, *kinds: str) -> Examples:
    return {name: data for name, data in examples.items() if name.split("-")[0] in kinds}


def new_engine(*participants: str) -> Engine:
    engine = Engine.open("memory:", zone="America/Detroit", clock=lambda: NOW)
    engine.add_program(PROGRAM)
    for participant in participants:
        engine.enroll(
            participant=participant,
            program=PROGRAM,
            start=date(2000, 1, 3),
            by="nurse-7",
            id=f"e-{participant}",
        )
    return engine


def test_every_example_of_the_six_types_is_read(examples: Examples) -> None:
    found: Counter[tuple[str, Status]] = Counter()
    for name, data in of_type(examples, *TAKEN_IN).items():
        [arrival] = FhirIntake().read(data)
        assert isinstance(arrival, Arrival), (name, arrival)
        assert arrival.key
        assert arrival.findings
        found[name.split("-")[0], arrival.status] += 1
    observed = {status: count for (kind, status), count in found.items() if kind == "Observation"}
    assert observed == {Status.FINAL: 56, Status.HELD: 1, Status.VOID: 3, Status.UNKNOWN: 4}
    assert found["DiagnosticReport", Status.FINAL] == 6
    assert found["Appointment", Status.HELD] == 3
    assert found["Encounter", Status.FINAL] == 8


def test_every_example_of_every_other_type_is_told_apart(examples: Examples) -> None:
    others = {
        name: data for name, data in examples.items() if name.split("-")[0] not in (*TAKEN_IN, "Bundle")
    }
    for data in list(others.values())[::10]:
        try:
            found = list(FhirIntake().read(data))
        except IntakeError:
            continue
        assert all(isinstance(each, Unread) for each in found)


def test_every_bundle_is_read_to_its_end(examples: Examples) -> None:
    for name, data in of_type(examples, "Bundle").items():
        found = list(FhirIntake().read(data))
        unread = {each.why for each in found if isinstance(each, Unread)}
        assert unread <= {"it has neither id nor identifier"}, name


def test_what_no_mapping_names_waits_and_no_name_is_kept(examples: Examples) -> None:
    engine = new_engine("f001", "example")
    mapping = parse_mapping(GLUCOSE)
    taken = of_type(examples, *TAKEN_IN)
    for data in taken.values():
        engine.receive(data, format="fhir", mapping=mapping, by="lab-interface")
    assert engine.verify().is_clean
    items = engine.waiting_for_review()
    assert {Why.UNMAPPED, Why.HELD, Why.STATUS} & {each.why for each in items} == {
        Why.UNMAPPED,
        Why.HELD,
        Why.STATUS,
    }
    with engine._storage.reading() as tx:  # noqa: SLF001 - all that is stored
        stored = repr([tx.records(row.enrollment) for row in tx.journals()]) + repr(tx.journals())
    for family in family_names(examples):
        assert f"'{family}'" not in stored
        assert f'"{family}"' not in stored
    for data in taken.values():
        again = engine.receive(data, format="fhir", mapping=mapping, by="lab-interface")
        assert set(_counted(again.counts)) <= {"replayed", "ignored"}


def family_names(examples: Examples) -> set[str]:
    patients = [json.loads(data) for data in of_type(examples, "Patient").values()]
    return {name["family"] for each in patients for name in each.get("name", []) if name.get("family")}


def _counted(counts: Any) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def test_a_published_observation_is_decided_and_its_derived_corrections_follow(examples: Examples) -> None:
    published = json.loads(examples["Observation-f001.json"])
    engine, mapping = new_engine("f001"), parse_mapping(GLUCOSE)

    def send(**changes: Any) -> dict[str, int]:
        data = json.dumps({**published, **changes}).encode()
        return _counted(engine.receive(data, format="fhir", mapping=mapping, by="lab-interface").counts)

    normal = [{"coding": [{"system": "http://hl7.org/fhir/v2/0078", "code": "N"}]}]
    assert send(status="preliminary") == {"held": 1}
    assert send() == {"recorded": 1}
    assert send() == {"replayed": 1}
    assert send(status="amended", interpretation=normal) == {"amended": 1}
    assert send(status="entered-in-error") == {"voided": 1}
    assert send() == {"replayed": 1}
    assert [act.kind for act in engine.history(enrollment="e-f001")][1:] == ["observed", "amended", "voided"]
    assert engine.verify().is_clean


def test_every_message_is_read_or_said_to_be_none(messages: dict[str, bytes]) -> None:
    found: Counter[str] = Counter()
    for data in messages.values():
        try:
            found.update(type(each).__name__ for each in Hl7v2Intake().read(data))
        except IntakeError:
            found["IntakeError"] += 1
    assert found["Arrival"] == 1
    assert found["Unread"] > 10
    assert found["IntakeError"] > 0


def test_a_published_message_is_decided_and_its_derived_corrections_follow(
    messages: dict[str, bytes],
) -> None:
    published = messages["sample_hl7"].replace(b"555-44-4444", b"p-1")
    engine, mapping = new_engine("p-1"), parse_mapping(GLUCOSE)

    def send(message: bytes) -> dict[str, int]:
        return _counted(engine.receive(message, format="hl7v2", mapping=mapping, by="lab-interface").counts)

    later = published.replace(b"|200202150930||ORU", b"|200202160930||ORU")
    corrected = later.replace(b"|182|", b"|90|").replace(b"|H|||F", b"|N|||C")
    assert send(published) == {"recorded": 1}
    assert send(corrected) == {"amended": 1}
    assert send(published) == {"replayed": 1}
    withdrawn = later.replace(b"0216", b"0217").replace(b"|H|||F", b"|H|||W")
    assert send(withdrawn) == {"voided": 1}
    assert engine.verify().is_clean
