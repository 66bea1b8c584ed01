"""Whatever bytes come, an adapter says that they are none of its format, or what it could read of them; it never fails."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm_engine.arrivals import Arrival, Unread
from cm_engine.errors import IntakeError
from cm_engine.ports import Intake
from cm_engine_adapters.intake.csv import CsvIntake
from cm_engine_adapters.intake.fhir import TAKEN_IN, FhirIntake
from cm_engine_adapters.intake.hl7v2 import Hl7v2Intake
from cm_engine_adapters.intake.redcap import RedcapIntake
from tests.intake_documents import bundle, csv_file, csv_line, fhir, obr, observation, obx, oru, redcap_file

GOOD: list[tuple[Intake, bytes]] = [
    (FhirIntake(), fhir(bundle(observation(), observation(id="o-2", component=[{"code": {"text": "x"}}])))),
    (Hl7v2Intake(), oru(obr(), obx(), obx("10828004^Positive^SCT", kind="CWE"))),
    (CsvIntake(), csv_file(csv_line(), csv_line(id="u-2"))),
    (RedcapIntake(), redcap_file("p-1,week_1,,0,2026-01-05 09:30,0,2")),
]


def survives(intake: Intake, document: bytes) -> None:
    try:
        found = list(intake.read(document, zone="America/Los_Angeles"))
    except IntakeError:
        return
    assert all(isinstance(each, Arrival | Unread) for each in found)


@pytest.mark.parametrize(("intake", "_"), GOOD)
@given(document=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(intake: Intake, _: bytes, document: bytes) -> None:
    survives(intake, document)


@pytest.mark.parametrize(("intake", "good"), GOOD)
@given(data=st.data())
def test_a_damaged_document_is_read_or_refused(intake: Intake, good: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 20)))
    survives(intake, good[:start] + data.draw(st.binary(max_size=8)) + good[end:])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("2026-01-05T09:30:00Z"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=4,
)
FIELDS = (
    "status",
    "code",
    "subject",
    "effectiveDateTime",
    "effectivePeriod",
    "valueQuantity",
    "valueCodeableConcept",
    "component",
    "hasMember",
    "result",
    "contained",
    "identifier",
    "meta",
    "issued",
    "item",
    "participant",
    "period",
    "class",
    "start",
    "medicationCodeableConcept",
    "medicationReference",
    "questionnaire",
    "resourceType",
    "id",
)


@given(
    st.sampled_from(TAKEN_IN),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
    st.booleans(),
)
def test_any_resource_of_fhir_is_read_or_refused(kind: str, fields: dict[str, Any], in_bundle: bool) -> None:
    whole = {**observation(resourceType=kind), **fields}
    survives(FhirIntake(), fhir(bundle(whole) if in_bundle else whole))


def test_reports_that_point_at_each_other_are_not_lost() -> None:
    first = observation(id="o-1", hasMember=[{"reference": "Observation/o-2"}])
    second = observation(id="o-2", hasMember=[{"reference": "Observation/o-1"}])
    why = "it is a member of what is a member of it"
    found = list(FhirIntake().read(fhir(bundle(first, second, observation(id="o-3")))))
    assert [each for each in found if isinstance(each, Unread)] == [
        Unread("Observation/o-1", why),
        Unread("Observation/o-2", why),
    ]
    assert [each.key for each in found if isinstance(each, Arrival)] == ["Observation/o-3"]


def test_a_deeply_nested_document_is_refused() -> None:
    survives(FhirIntake(), b"[" * 100_000)
    deep: Any = {"linkId": "1"}
    for _ in range(300):
        deep = {"linkId": "1", "item": [deep]}
    form = {"resourceType": "QuestionnaireResponse", "id": "q", "status": "completed", "item": [deep]}
    survives(FhirIntake(), json.dumps(form).encode())
