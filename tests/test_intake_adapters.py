"""Every adapter keeps the contract of `Intake`, and reads what is particular to its format."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from cm_engine.arrivals import Arrival, Code, Status, Unread
from cm_engine.errors import IntakeError
from cm_engine.ports import Intake
from cm_engine.testing import IntakeConformance, Samples
from cm_engine_adapters.intake.csv import CsvIntake
from cm_engine_adapters.intake.fhir import FhirIntake
from cm_engine_adapters.intake.hl7v2 import Hl7v2Intake
from cm_engine_adapters.intake.redcap import RedcapIntake
from tests.intake_documents import (
    COCAINE,
    LOINC,
    METHAMPHETAMINE,
    NAME,
    bundle,
    csv_file,
    csv_line,
    fhir,
    obr,
    observation,
    obx,
    oru,
    redcap_file,
    versioned,
)

NINE_THIRTY = datetime(2026, 1, 5, 17, 30, tzinfo=UTC)


class TestFhir(IntakeConformance):
    @pytest.fixture
    def intake(self) -> Intake:
        return FhirIntake()

    @pytest.fixture
    def samples(self) -> Samples:
        wrong = observation(id="o-2", status=None, valueString="a secret")
        patient = {"resourceType": "Patient", "id": "p-1", "name": [{"family": NAME}]}
        return Samples(
            whole=fhir(observation()),
            versions=[
                fhir(versioned(1, status="preliminary")),
                fhir(versioned(2)),
                fhir(versioned(3, status="amended", valueString="POS")),
                fhir(versioned(10, status="entered-in-error")),
            ],
            partly=fhir(bundle(observation(), wrong)),
            content="a secret",
            named=fhir(bundle(patient, observation())),
            name=NAME,
        )


class TestHl7v2(IntakeConformance):
    @pytest.fixture
    def intake(self) -> Intake:
        return Hl7v2Intake()

    @pytest.fixture
    def samples(self) -> Samples:
        return Samples(
            whole=oru(obr(), obx()),
            versions=[
                oru(obr(status="P", issued="20260105110000-0800"), obx(status="P")),
                oru(obr(issued="20260105120000-0800"), obx()),
                oru(obr(status="C", issued="20260105130000-0800"), obx("POS", "C")),
            ],
            partly=oru(obr(""), obx("a secret")) + oru(obr(), obx()),
            content="a secret",
            named=oru(obr(), obx()),
            name=NAME,
            local=oru(obr(), obx()).replace(b"20260105093000-0800", b"20260105093000"),
        )


class TestCsv(IntakeConformance):
    @pytest.fixture
    def intake(self) -> Intake:
        return CsvIntake()

    @pytest.fixture
    def samples(self) -> Samples:
        return Samples(
            whole=csv_file(csv_line()),
            versions=[
                csv_file(csv_line(status="held")),
                csv_file(csv_line(version="2")),
                csv_file(csv_line(version="10", status="corrected", value="pos")),
            ],
            partly=csv_file(csv_line(), csv_line(id="", value="a secret")),
            content="a secret",
            local=csv_file(csv_line(collected_at="2026-01-05T09:30")),
        )


class TestRedcap(IntakeConformance):
    @pytest.fixture
    def intake(self) -> Intake:
        return RedcapIntake()

    @pytest.fixture
    def samples(self) -> Samples:
        return Samples(
            whole=redcap_file("p-1,week_1,,0,2026-01-05 09:30,0,2"),
            versions=[
                redcap_file("p-1,week_1,,0,2026-01-05 09:30,0,1"),
                redcap_file("p-1,week_1,,0,2026-01-05 09:30,0,2"),
            ],
            partly=redcap_file("p-1,week_1,,0,,0,2", ",week_1,a secret,2,,0,2"),
            content="a secret",
            local=redcap_file("p-1,week_1,,0,2026-01-05 09:30,0,2"),
        )


def only(intake: Intake, document: bytes, zone: str = "") -> Arrival:
    [found] = intake.read(document, zone=zone)
    assert isinstance(found, Arrival), found
    return found


def resource(document: dict[str, Any]) -> Arrival:
    return only(FhirIntake(), fhir(document))


def test_a_suite_whose_test_is_replaced_is_refused() -> None:
    with pytest.raises(TypeError, match="replaces test_the_same_document"):
        type("Mine", (IntakeConformance,), {"test_the_same_document_says_the_same_again": None})


# FHIR


def test_an_observation_says_whom_what_and_when() -> None:
    found = resource(observation())
    assert found.key == "Observation/o-1"
    assert found.who == (Code("Patient", "p-1"),)
    assert found.findings[0].codes == (Code(LOINC, COCAINE),)
    assert (found.findings[0].text, found.collected_at) == ("NEG", NINE_THIRTY)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("registered", Status.HELD),
        ("preliminary", Status.HELD),
        ("final", Status.FINAL),
        ("amended", Status.CORRECTED),
        ("corrected", Status.CORRECTED),
        ("cancelled", Status.VOID),
        ("entered-in-error", Status.VOID),
        ("unknown", Status.UNKNOWN),
        ("nonsense", Status.UNKNOWN),
    ],
)
def test_each_status_of_an_observation_is_known_and_no_other(status: str, expected: Status) -> None:
    assert resource(observation(status=status)).status == expected


@pytest.mark.parametrize(
    "system",
    ["http://hl7.org/fhir/v2/0078", "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"],
)
def test_an_interpretation_without_a_value_is_what_was_found_in_both_systems(system: str) -> None:
    coded = [{"coding": [{"system": system, "code": "NEG"}]}]
    found = resource(observation(valueString=None, interpretation=coded))
    assert found.findings[0].values == (Code(system, "NEG"),)
    assert found.findings[0].text == ""


def test_a_quantity_is_exact_and_one_with_a_comparator_is_no_number() -> None:
    document = fhir(observation(valueString=None)).replace(
        b'"status"', b'"valueQuantity": {"value": 12.50, "code": "ng/mL"}, "status"', 1
    )
    found = only(FhirIntake(), document).findings[0]
    assert (found.number, found.unit) == (Decimal("12.50"), "ng/mL")
    below = {"value": 5, "comparator": "<", "unit": "ng/mL"}
    assert resource(observation(valueString=None, valueQuantity=below)).findings[0].number is None


def test_a_value_that_is_absent_has_its_reason_in_its_place() -> None:
    reason = {"coding": [{"system": "http://terminology.hl7.org/x", "code": "not-performed"}]}
    found = resource(observation(valueString=None, dataAbsentReason=reason))
    assert found.findings[0].values == (Code("http://terminology.hl7.org/x", "not-performed"),)


def test_an_identifier_is_the_key_before_the_id_as_ids_repeat() -> None:
    found = resource(observation(identifier=[{"system": "urn:lab", "value": "A-7"}]))
    assert found.key == "Observation/urn:lab|A-7"


def test_a_month_is_no_day() -> None:
    found = resource(observation(effectiveDateTime="2026-01"))
    assert (found.collected_at, found.on) == (None, None)
    assert resource(observation(effectiveDateTime="2026-01-05")).on == date(2026, 1, 5)


def test_text_after_the_end_of_a_resource_is_passed_over() -> None:
    assert only(FhirIntake(), fhir(observation()) + b'\n}\n"more": 1') == resource(observation())


def test_a_resource_a_line_is_read_as_bulk_exports_write_them() -> None:
    lines = fhir(observation()) + b"\n" + fhir(observation(id="o-2")) + b"\n"
    assert [each.key for each in FhirIntake().read(lines) if isinstance(each, Arrival)] == [
        "Observation/o-1",
        "Observation/o-2",
    ]


def test_a_report_is_one_thing_with_the_observations_it_points_at() -> None:
    second = observation(
        id="o-2", code={"coding": [{"system": LOINC, "code": METHAMPHETAMINE}]}, valueString="POS"
    )
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r-1",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "65750-2"}]},
        "subject": {"reference": "Patient/p-1"},
        "result": [{"reference": "Observation/o-1"}, {"reference": "urn:uuid:1"}],
    }
    found = resource(bundle(observation(), second, report))
    assert found.key == "DiagnosticReport/r-1"
    assert [(each.codes[0].code, each.text) for each in found.findings] == [
        (COCAINE, "NEG"),
        (METHAMPHETAMINE, "POS"),
    ]
    assert found.collected_at == NINE_THIRTY
    held = resource(bundle(observation(), {**second, "status": "preliminary"}, report))
    assert held.status == Status.HELD
    partly = resource(bundle(observation(), {**second, "status": "entered-in-error"}, report))
    assert (partly.status, len(partly.findings)) == (Status.CORRECTED, 1)


def test_components_are_findings_of_their_own() -> None:
    part = {"code": {"coding": [{"system": LOINC, "code": METHAMPHETAMINE}]}, "valueBoolean": True}
    found = resource(observation(valueString=None, component=[part]))
    assert [(each.codes[0].code, each.text) for each in found.findings] == [(METHAMPHETAMINE, "true")]


def test_the_identifiers_of_a_patient_in_the_bundle_are_ids_of_the_person() -> None:
    patient = {
        "resourceType": "Patient",
        "id": "p-1",
        "identifier": [{"system": "urn:mrn", "value": "77"}],
        "name": [{"family": NAME}],
    }
    subject = {"reference": "urn:uuid:0"}
    found = resource(bundle(patient, observation(subject=subject)))
    assert found.who == (Code("urn:mrn", "77"), Code("Patient", "p-1"))


@pytest.mark.parametrize("reference", ["Group/p-1", "Device/p-1", "urn:uuid:7", "#p"])
def test_a_subject_that_is_no_patient_is_nobody(reference: str) -> None:
    assert resource(observation(subject={"reference": reference})).who == ()


@pytest.mark.parametrize(
    ("status", "expected", "value"),
    [
        ("booked", Status.HELD, None),
        ("arrived", Status.HELD, None),
        ("checked-in", Status.HELD, None),
        ("fulfilled", Status.FINAL, "attended"),
        ("noshow", Status.FINAL, "missed"),
        ("cancelled", Status.VOID, None),
        ("entered-in-error", Status.VOID, None),
        ("someday", Status.UNKNOWN, None),
    ],
)
def test_an_appointment_is_attended_once_it_is_fulfilled(
    status: str, expected: Status, value: str | None
) -> None:
    actors = [
        {"status": "accepted", "actor": {"reference": "Practitioner/d-1"}},
        {"status": "accepted", "actor": {"reference": "Patient/p-1"}},
    ]
    document = {
        "resourceType": "Appointment",
        "id": "a-1",
        "status": status,
        "participant": actors,
        "start": "2026-01-05T17:30:00Z",
    }
    found = resource(document)
    assert (found.status, found.who, found.collected_at) == (
        expected,
        (Code("Patient", "p-1"),),
        NINE_THIRTY,
    )
    assert [each.code for each in found.findings[0].values] == ([value] if value else [])


@pytest.mark.parametrize("status", ["finished", "completed"])
def test_an_encounter_is_attended_in_the_words_of_r4_and_of_r5(status: str) -> None:
    document = {
        "resourceType": "Encounter",
        "id": "e-1",
        "status": status,
        "class": {"system": "urn:class", "code": "AMB"},
        "subject": {"reference": "Patient/p-1"},
        "period": {"start": "2026-01-05T17:30:00Z"},
    }
    found = resource(document)
    assert found.findings[0].values == (Code("cm-engine", "attended"),)
    assert found.findings[0].codes == (Code("urn:class", "AMB"),)


@pytest.mark.parametrize(
    ("status", "expected", "value"),
    [
        ("completed", Status.FINAL, "taken"),
        ("not-done", Status.FINAL, "not-done"),
        ("in-progress", Status.HELD, None),
        ("entered-in-error", Status.VOID, None),
        ("unknown", Status.UNKNOWN, None),
    ],
)
def test_a_dose_is_taken_once_it_is_completed(status: str, expected: Status, value: str | None) -> None:
    document = {
        "resourceType": "MedicationAdministration",
        "id": "m-1",
        "status": status,
        "medicationReference": {"reference": "#med"},
        "contained": [
            {"resourceType": "Medication", "id": "med", "code": {"coding": [{"code": "naltrexone"}]}}
        ],
        "subject": {"reference": "Patient/p-1"},
        "effectiveDateTime": "2026-01-05T17:30:00Z",
    }
    found = resource(document)
    assert found.status == expected
    assert found.findings[0].codes == (Code("none", "naltrexone"),)
    assert [each.code for each in found.findings[0].values] == ([value] if value else [])


def test_a_questionnaire_is_completed_and_its_answers_are_details() -> None:
    document = {
        "resourceType": "QuestionnaireResponse",
        "id": "q-1",
        "status": "completed",
        "questionnaire": "http://clinic.example/bam|2",
        "subject": {"reference": "Patient/p-1"},
        "authored": "2026-01-05T17:30:00Z",
        "item": [
            {"linkId": "1", "answer": [{"valueInteger": 3}]},
            {"linkId": "2", "item": [{"linkId": "2.1", "answer": [{"valueString": f"I am {NAME}"}]}]},
        ],
    }
    found = resource(document)
    assert found.findings[0].codes == (Code("questionnaire", "http://clinic.example/bam"),)
    assert [(str(each.codes[0]), each.number) for each in found.findings[1:]] == [
        ("http://clinic.example/bam|1", Decimal(3)),
        ("http://clinic.example/bam|2.1", None),
    ]
    assert all(each.is_detail for each in found.findings)


def test_a_resource_of_another_type_and_one_without_a_name_cannot_be_used() -> None:
    [other] = FhirIntake().read(fhir({"resourceType": "Goal", "id": "g-1"}))
    [nameless] = FhirIntake().read(fhir(observation(id=None)))
    assert isinstance(other, Unread)
    assert isinstance(nameless, Unread)
    assert (other.where, nameless.why) == ("Goal/g-1", "it has neither id nor identifier")


def test_the_name_of_a_field_that_there_is_not_is_content_too() -> None:
    [found] = FhirIntake().read(fhir(observation(**{NAME: 1})))
    assert isinstance(found, Unread)
    assert NAME not in repr(found)


# HL7 v2


@pytest.mark.parametrize(
    ("report", "findings", "expected"),
    [
        ("F", ["F", "F"], Status.FINAL),
        ("", ["F", "F"], Status.FINAL),
        ("F", ["F", "P"], Status.HELD),
        ("P", ["F", "F"], Status.HELD),
        ("F", ["F", "C"], Status.CORRECTED),
        ("C", ["F", "F"], Status.CORRECTED),
        ("F", ["F", "D"], Status.CORRECTED),
        ("F", ["D", "D"], Status.VOID),
        ("F", ["W", "W"], Status.VOID),
        ("X", ["F", "F"], Status.VOID),
        ("F", ["F", "U"], Status.UNKNOWN),
        ("F", ["F", "?"], Status.UNKNOWN),
        ("Q", ["F", "F"], Status.UNKNOWN),
        ("F", ["F", "O"], Status.FINAL),
        ("F", ["", "F"], Status.FINAL),
        ("", ["", "F"], Status.UNKNOWN),
    ],
)
def test_a_report_is_as_final_as_it_and_all_of_its_findings_are(
    report: str, findings: list[str], expected: Status
) -> None:
    segments = [obx(status=status, code=f"c-{number}") for number, status in enumerate(findings)]
    assert only(Hl7v2Intake(), oru(obr(status=report), *segments)).status == expected


def test_a_deleted_finding_is_none_and_one_without_a_result_says_so() -> None:
    found = only(Hl7v2Intake(), oru(obr(), obx(status="D"), obx("", "X", METHAMPHETAMINE)))
    [finding] = found.findings
    assert (finding.codes[0].code, finding.values) == (METHAMPHETAMINE, (Code("OBX-11", "X"),))


def test_values_are_read_by_their_type_and_not_by_their_code() -> None:
    segments = (
        obx("10828004^Positive^SCT^POS^^L", kind="CWE"),
        obx("12.50", kind="NM"),
        obx("<^5", kind="SN"),
        obx("^7", kind="SN"),
        obx("POS", flag="A~H"),
    )
    coded, number, below, exact, text = only(Hl7v2Intake(), oru(obr(), *segments)).findings
    assert coded.values == (Code("SCT", "10828004"), Code("L", "POS"))
    assert (number.number, below.number, exact.number) == (Decimal("12.50"), None, Decimal(7))
    assert (text.text, [each.code for each in text.values]) == ("POS", ["A", "H"])


def test_each_order_of_each_patient_is_a_report_of_its_own() -> None:
    patient = "PID|2||p-2^^^CLINIC"
    found = list(Hl7v2Intake().read(oru(obr("F-1"), obx(), obr("F-2"), obx(), patient, obr("F-3"), obx())))
    assert [(each.key, each.who[0].code) for each in found if isinstance(each, Arrival)] == [
        ("F-1/UDS", "p-1"),
        ("F-2/UDS", "p-1"),
        ("F-3/UDS", "p-2"),
    ]


def test_a_batch_with_frames_and_other_line_ends_is_read() -> None:
    message = oru(obr(), obx())
    framed = b"\x0b" + message + b"\x1c\r"
    batch = b"FHS|^~\\&|\nBHS|^~\\&|\n" + message.replace(b"\r", b"\r\n") + b"BTS|1\nFTS|1\n"
    assert only(Hl7v2Intake(), framed) == only(Hl7v2Intake(), batch) == only(Hl7v2Intake(), message)


def test_a_message_of_another_type_is_not_taken_in() -> None:
    [found] = Hl7v2Intake().read(oru(kind="ADT^A01"))
    assert found == Unread("message 1", "messages of the type ADT^A01 are not taken in, only ORU^R01")


@pytest.mark.parametrize("text", ["2026", "202601", "20261305", "2026010525", "20260105093000+9900", "soon"])
def test_what_is_no_time_is_left_out(text: str) -> None:
    found = only(Hl7v2Intake(), oru(obr().replace("20260105093000-0800", text), obx()))
    assert (found.collected_at, found.on) == (None, None)


def test_a_day_without_a_time_is_a_day() -> None:
    found = only(Hl7v2Intake(), oru(obr().replace("20260105093000-0800", "20260105"), obx()))
    assert found.on == date(2026, 1, 5)


# CSV and REDCap


def test_lines_with_one_id_are_one_report() -> None:
    found = only(CsvIntake(), csv_file(csv_line(code="coc"), csv_line(code="amp", value="pos")))
    assert [(each.codes[0].code, each.text) for each in found.findings] == [("coc", "neg"), ("amp", "pos")]


def test_lines_of_one_report_that_do_not_agree_cannot_be_used() -> None:
    [found] = CsvIntake().read(csv_file(csv_line(), csv_line(person="p-2")))
    assert found == Unread("line 2", "lines of one report have another person, status or time")


def test_a_column_that_is_not_known_is_refused_with_the_file() -> None:
    with pytest.raises(IntakeError, match="there is no column colour"):
        list(CsvIntake().read(b"id,person,code,value,status,colour\na,p,c,v,final,red\n"))


def test_each_form_of_a_record_and_event_is_a_report_of_its_own() -> None:
    found = list(
        RedcapIntake().read(redcap_file("p-1,week_1,Ann,2,,0,2", "p-1,week_2,,0,,1,0", "p-2,,,0,,,0"))
    )
    assert [(each.key, each.status) for each in found if isinstance(each, Arrival)] == [
        ("p-1/week_1/demographics", Status.FINAL),
        ("p-1/week_1/udt", Status.FINAL),
        ("p-1/week_2/udt", Status.HELD),
    ]


def test_a_repeated_instance_is_a_report_of_its_own() -> None:
    rows = (
        b"record_id,redcap_repeat_instrument,redcap_repeat_instance,udt_date,udt_result,udt_complete\n"
        b"7,udt,1,2026-01-05,0,2\n7,udt,2,2026-01-08,1,2\n7,other,1,2026-01-08,1,2\n"
    )
    found = [each for each in RedcapIntake().read(rows) if isinstance(each, Arrival)]
    assert [(each.key, each.on) for each in found] == [
        ("7/udt/1", date(2026, 1, 5)),
        ("7/udt/2", date(2026, 1, 8)),
    ]
