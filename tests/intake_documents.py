"""Documents of every format about the same specimens, as an interface would send them; all written for these tests."""

import json
from typing import Any

PROGRAM = "california-recovery-incentives"
LOINC = "http://loinc.org"
COCAINE, METHAMPHETAMINE = "3397-7", "3779-6"
NAME = "Everywoman"

MAPPING = f"""\
mapping: county-lab
source: county-lab
program: {PROGRAM}
participants: same
values: {{NEG: met, POS: positive, "0": met, "1": positive}}
codes:
- {{system: {LOINC}, code: "{COCAINE}", target: stimulants}}
- {{system: LN, code: "{COCAINE}", target: stimulants}}
- {{system: csv, code: udt, target: stimulants, values: {{neg: met, pos: positive, qns: invalid}}}}
- {{system: redcap, code: udt_result, target: stimulants}}
- {{system: cm-engine, code: Appointment, target: stimulants}}
ignore:
- {{system: {LOINC}, code: 2161-8}}
"""


def observation(**changes: Any) -> dict[str, Any]:
    """An Observation of a urine drug test, with what a test changes; None leaves a field out."""
    whole = {
        "resourceType": "Observation",
        "id": "o-1",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": COCAINE, "display": f"of {NAME}"}]},
        "subject": {"reference": "Patient/p-1", "display": NAME},
        "effectiveDateTime": "2026-01-05T09:30:00-08:00",
        "issued": "2026-01-31T12:00:00-08:00",
        "valueString": "NEG",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def versioned(number: int, **changes: Any) -> dict[str, Any]:
    return observation(meta={"versionId": str(number)}, **changes)


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": each} for number, each in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def fhir(resource: dict[str, Any]) -> bytes:
    return json.dumps(resource).encode()


def obr(number: str = "F-1", status: str = "F", issued: str = "20260105120000-0800") -> str:
    fields = ["OBR", "1", "", number, "UDS^Drug screen^L", "", "", "20260105093000-0800", *[""] * 14]
    return "|".join([*fields, issued, "", "", status])


def obx(value: str = "NEG", status: str = "F", code: str = COCAINE, kind: str = "ST", flag: str = "") -> str:
    return "|".join(["OBX", "1", kind, f"{code}^name^LN", "", value, "", "", flag, "", "", status])


def oru(*segments: str, patient: str = "p-1", kind: str = "ORU^R01") -> bytes:
    header = f"MSH|^~\\&|LAB|COUNTY|CM|CLINIC|20260105120500-0800||{kind}|M-1|P|2.5.1"
    lines = (header, f"PID|1||{patient}^^^CLINIC^MR||{NAME}^Eve", *segments)
    return "".join(f"{line}\r" for line in lines).encode()


HEADER = "id,person,code,value,status,version,collected_at"


def csv_line(**changes: str) -> str:
    line = {
        "id": "u-1",
        "person": "p-1",
        "code": "udt",
        "value": "neg",
        "status": "final",
        "version": "1",
        "collected_at": "2026-01-05T09:30-08:00",
        **changes,
    }
    return ",".join(line.values())


def csv_file(*lines: str) -> bytes:
    return "\n".join((HEADER, *lines, "")).encode()


REDCAP_HEADER = "record_id,redcap_event_name,name,demographics_complete,udt_datetime,udt_result,udt_complete"


def redcap_file(*rows: str) -> bytes:
    return "\n".join((REDCAP_HEADER, *rows, "")).encode()
