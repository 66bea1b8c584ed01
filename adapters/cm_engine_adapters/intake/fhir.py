"""FHIR R4 and R4B: what charts and laboratories send as JSON; a resource, a Bundle, or one resource a line.

Statuses are looked at here: the models of `fhir.resources` take any word for one. R4B reads R4; where R5 has other words
for a visit that is over, they are read too.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from cm_engine.arrivals import NO_SYSTEM, OWN_SYSTEM, Arrival, Arrivals, Code, Finding, Status, Unread
from cm_engine.errors import IntakeError
from cm_engine.intake.times import aware, written
from cm_engine.log.encoding import instant

VERSION_DIGITS = 12
FIELDS_MAX = 5
"""As many wrong fields are named."""
WORD = re.compile(r"[A-Za-z0-9.-]{1,64}")
"""What a name of a type, or an id, is made of."""

RESULTS: Mapping[str, Status] = {
    "registered": Status.HELD,
    "preliminary": Status.HELD,
    "partial": Status.HELD,
    "final": Status.FINAL,
    "amended": Status.CORRECTED,
    "corrected": Status.CORRECTED,
    "appended": Status.CORRECTED,
    "entered-in-error": Status.VOID,
    "cancelled": Status.VOID,
}
"""Of an Observation or a DiagnosticReport; any other word, `unknown` too, is one that a person looks at."""

Stated = Mapping[str, tuple[Status, str]]
"""What a status says: how final it is, and which value it is."""

HELD, ERROR = (Status.HELD, ""), (Status.VOID, "")
APPOINTMENTS: Stated = {
    **dict.fromkeys(("proposed", "pending", "booked", "waitlist", "arrived", "checked-in"), HELD),
    "fulfilled": (Status.FINAL, "attended"),
    "noshow": (Status.FINAL, "missed"),
    "cancelled": ERROR,
    "entered-in-error": ERROR,
}
ENCOUNTERS: Stated = {
    **dict.fromkeys(
        ("planned", "arrived", "triaged", "in-progress", "onleave", "on-hold", "discharged"), HELD
    ),
    "finished": (Status.FINAL, "attended"),
    "completed": (Status.FINAL, "attended"),
    "cancelled": ERROR,
    "entered-in-error": ERROR,
}
DOSES: Stated = {
    "in-progress": HELD,
    "on-hold": HELD,
    "completed": (Status.FINAL, "taken"),
    "not-done": (Status.FINAL, "not-done"),
    "stopped": (Status.FINAL, "stopped"),
    "entered-in-error": ERROR,
}
FORMS: Stated = {
    "in-progress": HELD,
    "completed": (Status.FINAL, "completed"),
    "amended": (Status.CORRECTED, "completed"),
    "stopped": (Status.FINAL, "stopped"),
    "entered-in-error": ERROR,
}
TAKEN_IN = (
    "Observation",
    "DiagnosticReport",
    "Appointment",
    "Encounter",
    "MedicationAdministration",
    "QuestionnaireResponse",
)
HELPING = ("Patient", "Medication")
"""Read only where another resource points at them: a patient's identifiers, and never more, and a medicine's code."""

Resource = Any
"""A model of `fhir.resources`, whose fields are as FHIR names them."""


class FhirIntake:
    """Read FHIR R4 and R4B in JSON.

    Example:
        >>> noshow = b'{"resourceType": "Appointment", "id": "a1", "status": "noshow", "participant": [\
{"status": "accepted", "actor": {"reference": "Patient/p-1"}}], "start": "2026-01-05T09:00:00Z"}'
        >>> [arrival] = FhirIntake().read(noshow)
        >>> arrival.key, arrival.status.value, str(arrival.who[0]), str(arrival.findings[0].values[0])
        ('Appointment/a1', 'final', 'Patient|p-1', 'cm-engine|missed')
    """

    format = "fhir"

    def read(self, document: bytes, *, zone: str = "") -> Arrivals:
        """Yield what the resources of a document say; text after the last of them is passed over.

        A DiagnosticReport, or an Observation with members, is one thing with all the Observations that it points at in
        the document. Resources of other types in a Bundle are passed over.

        Raises:
            IntakeError: this is no JSON, or no resource.
        """
        shelf = _Shelf(zone)
        for each in _resources(document):
            shelf.add(each)
        yield from shelf.unread
        yield from shelf.arrivals()


def _resources(document: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the resources of a document, those of a Bundle each, with their full URL if they have one."""
    try:
        text = document.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise IntakeError("fhir", "it is not text in UTF-8") from None
    decoder = json.JSONDecoder(parse_float=Decimal)
    place, count = 0, 0
    while place < len(text):
        try:
            found, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        if not isinstance(found, dict) or not isinstance(found.get("resourceType"), str):
            break
        count += 1
        yield from _entries(found)
        place += len(text[place:]) - len(text[place:].lstrip())
    if not count:
        raise IntakeError("fhir", "expected a resource or a Bundle of them, in JSON")


def _entries(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if found["resourceType"] != "Bundle":
        yield "", found
        return
    for entry in _listed(found.get("entry")):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and resource.get("resourceType") in (*TAKEN_IN, *HELPING):
            url = entry.get("fullUrl")
            yield url if isinstance(url, str) else "", resource


@dataclass
class _Shelf:
    """All resources of a document, so that one can be found that another points at."""

    zone: str
    resources: list[Resource] = field(default_factory=list)
    by_reference: dict[str, Resource] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)

    def add(self, given: tuple[str, dict[str, Any]]) -> None:
        """Look at a resource, and keep it, or why it cannot be read."""
        url, data = given
        kind, where = data["resourceType"], _place(data)
        if kind not in (*TAKEN_IN, *HELPING):
            self.unread.append(Unread(where, "resources of this type are not taken in"))
            return
        try:
            resource = get_fhir_model_class(kind).model_validate(data)
        except ValidationError as error:
            self.unread.append(Unread(where, f"it is no valid resource: {_wrong(error)}"))
            return
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            self.unread.append(Unread(where, "it is no valid resource"))
            return
        self.resources.append(resource)
        for name in filter(None, (url, f"{kind}/{data.get('id')}" if data.get("id") else "")):
            self.by_reference[name] = resource

    def arrivals(self) -> Iterator[Arrival | Unread]:
        """Yield what each resource says that is no member of another."""
        taken = [each for each in self.resources if each.get_resource_type() in TAKEN_IN]
        members = {id(each) for resource in taken for each in self.members(resource)}
        told: set[int] = set()
        for resource in (each for each in taken if id(each) not in members):
            told |= {id(resource), *map(id, _all_members(self, resource, set()))}
            kind = resource.get_resource_type()
            nameless = Unread(kind, "it has neither id nor identifier")
            yield READERS[kind](self, resource) if _key(resource) else nameless
        for resource in (each for each in taken if id(each) not in told):
            yield Unread(_key(resource), "it is a member of what is a member of it")

    def members(self, resource: Resource) -> list[Resource]:
        """Return the Observations in the document that a report or a panel is made of."""
        pointed = [*_listed(_of(resource, "result")), *_listed(_of(resource, "hasMember"))]
        found = (self.at(resource, reference) for reference in pointed)
        return [each for each in found if each is not None and each.get_resource_type() == "Observation"]

    def at(self, resource: Resource, reference: Resource) -> Resource | None:
        """Return what a reference of a resource points at, if it is in the document."""
        name = _of(reference, "reference") or ""
        if name.startswith("#"):
            return next((each for each in _listed(_of(resource, "contained")) if each.id == name[1:]), None)
        return self.by_reference.get(name.partition("/_history")[0])

    def who(self, resource: Resource, references: list[Resource]) -> tuple[Code, ...]:
        """Return the ids of the patients that references point at: not of a group, a place or a device."""
        found: list[Code] = []
        for reference in references:
            if _of(reference, "reference") and not _is_patient(self, resource, reference):
                continue
            name = (_of(reference, "reference") or "").partition("/_history")[0]
            system, _, value = name.rpartition("/")
            found += [Code(system, value)] if value and system and not name.startswith("#") else []
            found += _identifiers([_of(reference, "identifier")])
            patient = self.at(resource, reference)
            if patient is not None and patient.get_resource_type() == "Patient":
                found += _identifiers(_listed(patient.identifier))
                found += [Code("Patient", patient.id)] if patient.id and not name.startswith("#") else []
        return tuple(dict.fromkeys(found))


def _report(shelf: _Shelf, resource: Resource) -> Arrival:
    """Return what an Observation or a DiagnosticReport says, with all its members."""
    members = _all_members(shelf, resource, set())
    live = [each for each in members if _result(each) != Status.VOID]
    status = _together(_result(resource), [_result(each) for each in members])
    findings = tuple(
        finding for each in (resource, *live) for finding in _findings(each, has_members=bool(members))
    )
    version = max(_version(each) for each in (resource, *members))
    whole = (resource, *members)
    at, on = next((when for each in whole if any(when := _effective(each, shelf.zone))), (None, None))
    who = shelf.who(resource, [each for each in [resource.subject] if each])
    issued = aware(resource.issued, shelf.zone) if isinstance(resource.issued, datetime) else None
    return Arrival(_key(resource), status, findings, who, version, at, on, issued)


def _all_members(shelf: _Shelf, resource: Resource, seen: set[int]) -> list[Resource]:
    """Return the members of a resource, and theirs; each once."""
    found: list[Resource] = []
    for each in shelf.members(resource):
        if id(each) not in seen:
            seen.add(id(each))
            found += [each, *_all_members(shelf, each, seen)]
    return found


def _result(resource: Resource) -> Status:
    return RESULTS.get(resource.status or "", Status.UNKNOWN)


def _together(status: Status, members: list[Status]) -> Status:
    """Return how final a report is, by its own status and those of what it is made of."""
    if status in {Status.VOID, Status.HELD, Status.UNKNOWN}:
        return status
    for open_ in (Status.UNKNOWN, Status.HELD):
        if open_ in members:
            return open_
    if members and set(members) == {Status.VOID}:
        return Status.VOID
    return Status.CORRECTED if {Status.VOID, Status.CORRECTED} & set(members) else status


def _findings(resource: Resource, *, has_members: bool) -> Iterator[Finding]:
    """Yield what a resource itself says was found, and its components."""
    components = _listed(_of(resource, "component"))
    own = _finding(resource)
    if own.values or own.text or own.number is not None or not (components or has_members):
        yield own
    yield from map(_finding, components)


def _finding(part: Resource) -> Finding:
    """Return what an Observation, a component of one, or a report without its Observations says."""
    concepts = [
        _of(part, "valueCodeableConcept"),
        *_listed(_of(part, "conclusionCode")),
        *_listed(_of(part, "interpretation")),
        _of(part, "dataAbsentReason"),
    ]
    values = tuple(code for concept in concepts if concept for code in _codes(concept))
    number, unit, text = _measured(part)
    return Finding(_codes(part.code), tuple(dict.fromkeys(values)), text, number, unit)


def _measured(part: Resource) -> tuple[Decimal | None, str, str]:
    """Return the number that was measured with its unit, or else what was found as text."""
    quantity, whole = _of(part, "valueQuantity"), _of(part, "valueInteger")
    if quantity is not None and quantity.value is not None:
        unit, value = quantity.code or quantity.unit or "", Decimal(quantity.value)
        return (None, "", f"{quantity.comparator}{value}") if quantity.comparator else (value, unit, "")
    if whole is not None:
        return Decimal(whole), "", str(whole)
    truth, concept = _of(part, "valueBoolean"), _of(part, "valueCodeableConcept")
    if truth is not None:
        return None, "", str(truth).lower()
    text = _of(part, "valueString") or (_of(concept, "text") if concept else None)
    return None, "", text or ""


def _appointment(shelf: _Shelf, resource: Resource) -> Arrival:
    actors = [each.actor for each in _listed(resource.participant) if each.actor]
    patients = [each for each in actors if _is_patient(shelf, resource, each)]
    codes = _all_codes([*_listed(resource.serviceType), resource.appointmentType])
    return _occasion(shelf, resource, APPOINTMENTS, codes, patients, resource.start)


def _is_patient(shelf: _Shelf, resource: Resource, reference: Resource) -> bool:
    """Tell whether a reference is to a patient, and not to the staff or a room."""
    name, found = _of(reference, "reference") or "", shelf.at(resource, reference)
    told = found.get_resource_type() if found is not None else _of(reference, "type")
    return told == "Patient" or f"/{name}".rpartition("/")[0].endswith("/Patient")


def _encounter(shelf: _Shelf, resource: Resource) -> Arrival:
    start = resource.period.start if resource.period else None
    codes = _all_codes([*_listed(resource.type), resource.serviceType])
    if resource.class_fhir and resource.class_fhir.code and not codes:
        codes = (Code(resource.class_fhir.system or NO_SYSTEM, resource.class_fhir.code),)
    return _occasion(shelf, resource, ENCOUNTERS, codes, [resource.subject], start)


def _dose(shelf: _Shelf, resource: Resource) -> Arrival:
    medicine = resource.medicationCodeableConcept
    reference = resource.medicationReference
    found = shelf.at(resource, reference) if reference else None
    if found is not None and found.get_resource_type() == "Medication":
        medicine = found.code
    period = resource.effectivePeriod
    when = resource.effectiveDateTime or (period.start if period else None)
    return _occasion(shelf, resource, DOSES, _all_codes([medicine]), [resource.subject], when)


def _form(shelf: _Shelf, resource: Resource) -> Arrival:
    """Return that a questionnaire was answered, and each answer."""
    url = (resource.questionnaire or "").partition("|")[0]
    codes = (Code("questionnaire", url),) if url else ()
    arrival = _occasion(shelf, resource, FORMS, codes, [resource.subject], resource.authored)
    whole = tuple(finding._replace(is_detail=True) for finding in arrival.findings)
    answers = tuple(_answer(url, item) for item in _items(resource) if _listed(item.answer))
    return arrival._replace(findings=whole + answers)


def _items(parent: Resource) -> Iterator[Resource]:
    """Yield the items of a form, those within others too."""
    for item in _listed(_of(parent, "item")):
        yield item
        yield from _items(item)
        for answer in _listed(item.answer):
            yield from _items(answer)


def _answer(url: str, item: Resource) -> Finding:
    """Return the one answer of an item; of several, only their codes."""
    answers = _listed(item.answer)
    codings = [each.valueCoding for each in answers if each.valueCoding and each.valueCoding.code]
    values = tuple(Code(each.system or NO_SYSTEM, each.code) for each in codings)
    code = Code(url or NO_SYSTEM, item.linkId)
    if len(answers) > 1:
        return Finding((code,), values, is_detail=True)
    number, unit, text = _measured(answers[0])
    decimal = _of(answers[0], "valueDecimal")
    number = Decimal(decimal) if decimal is not None else number
    return Finding((code,), values, text, number, unit, is_detail=True)


def _occasion(  # noqa: PLR0913, PLR0917 - what every kind of occasion has
    shelf: _Shelf,
    resource: Resource,
    stated: Stated,
    codes: tuple[Code, ...],
    people: list[Resource],
    when: object,
) -> Arrival:
    """Return a visit, a dose or a form: its status is what was found."""
    status, value = stated.get(resource.status or "", (Status.UNKNOWN, ""))
    at, on = _when(when, shelf.zone)
    found = Finding(
        codes or (Code(OWN_SYSTEM, resource.get_resource_type()),),
        (Code(OWN_SYSTEM, value),) if value else (),
    )
    who = shelf.who(resource, [each for each in people if each])
    return Arrival(_key(resource), status, (found,), who, _version(resource), at, on)


READERS = {
    "Observation": _report,
    "DiagnosticReport": _report,
    "Appointment": _appointment,
    "Encounter": _encounter,
    "MedicationAdministration": _dose,
    "QuestionnaireResponse": _form,
}


def _effective(resource: Resource, zone: str) -> tuple[datetime | None, date | None]:
    """Return when a specimen was taken, as far as it is said."""
    period = resource.effectivePeriod
    instants = (
        resource.effectiveDateTime,
        _of(resource, "effectiveInstant"),
        period.start if period else None,
    )
    return next((_when(each, zone) for each in instants if each is not None), (None, None))


def _when(value: object, zone: str) -> tuple[datetime | None, date | None]:
    """Return a time, or a day; a month or a year is neither."""
    if isinstance(value, datetime):
        return aware(value, zone), None
    if isinstance(value, date):
        return None, value
    return written(value, zone) if isinstance(value, str) else (None, None)


def _key(resource: Resource) -> str:
    """Return what makes a resource the same in all its versions: its identifier, or else its id; ids repeat."""
    kind = resource.get_resource_type()
    named = [each for each in _listed(_of(resource, "identifier")) if each.value]
    official = [each for each in named if each.use == "official"]
    for each in official or named:
        return f"{kind}/{each.system or NO_SYSTEM}|{each.value}"
    return f"{kind}/{resource.id}" if resource.id else ""


def _version(resource: Resource) -> str:
    """Return what sorts after every version before it: the server's number, or else when it was changed or issued."""
    meta, issued = resource.meta, _of(resource, "issued")
    number = (meta.versionId or "") if meta else ""
    if number.isdecimal() and len(number) <= VERSION_DIGITS:
        return f"v{number.zfill(VERSION_DIGITS)}"
    changed = (meta.lastUpdated if meta else None) or issued
    return f"t{instant(changed)}" if isinstance(changed, datetime) and changed.utcoffset() is not None else ""


def _identifiers(identifiers: list[Resource]) -> list[Code]:
    return [Code(each.system or NO_SYSTEM, each.value) for each in identifiers if each and each.value]


def _all_codes(concepts: list[Resource]) -> tuple[Code, ...]:
    return tuple(dict.fromkeys(code for concept in concepts if concept for code in _codes(concept)))


def _codes(concept: Resource) -> tuple[Code, ...]:
    """Return the codes of a concept; its words are nobody's to keep."""
    return tuple(
        Code(each.system or NO_SYSTEM, each.code) for each in _listed(concept and concept.coding) if each.code
    )


def _of(resource: Resource, name: str) -> Any:  # noqa: ANN401 - of the library
    """Return a field that not every kind of resource has."""
    return getattr(resource, name, None)


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - of the library
    return value if isinstance(value, list) else [value] if value is not None else []


def _place(data: Mapping[str, Any]) -> str:
    """Return which resource it is, in a text that may be kept."""
    name, kind = data.get("id"), data["resourceType"]
    kind = kind if WORD.fullmatch(kind) else "a resource"
    return f"{kind}/{name}" if isinstance(name, str) and WORD.fullmatch(name) else kind


def _wrong(error: ValidationError) -> str:
    """Return which fields are wrong, and nothing of what stands in them; the name of an unknown one is content too."""
    details = error.errors(include_url=False, include_input=False)
    known = {".".join(map(str, each["loc"])) for each in details if each["type"] != "extra_forbidden"}
    unknown = {"a field that it does not have"} if len(known) < len(details) else set[str]()
    return ", ".join(sorted(filter(None, known | unknown))[:FIELDS_MAX]) or "its fields do not go together"
