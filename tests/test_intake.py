"""What arrives is recorded, amended or taken back once, or waits for a person; in any order it ends in the same."""

import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Transaction, create_engine

from cm_engine import CmEngineError, Engine, Evidence, JournalNotFoundError, ReportError
from cm_engine.arrivals import Arrival, Code, Finding, Status
from cm_engine.intake.loading import parse_mapping
from cm_engine.intake.mapping import CodeMapping
from cm_engine.intake.standing import Received
from cm_engine.intake.why import Why
from tests.intake_documents import (
    COCAINE,
    LOINC,
    MAPPING,
    METHAMPHETAMINE,
    NAME,
    PROGRAM,
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

ROOT = Path(__file__).resolve().parents[1]
ZONE = "America/Los_Angeles"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LAB = parse_mapping(MAPPING)
PANEL = parse_mapping(MAPPING.replace('.org, code: "', '.org, analyte: cocaine, code: "'))
ITEM = f"Observation/o-1/{PROGRAM}/stimulants"


def new_engine(url: str = "memory:", **options: Any) -> Engine:
    engine = Engine.open(url, zone=ZONE, clock=lambda: NOW, **options)
    engine.add_program(PROGRAM)
    return engine


def enrolled(
    engine: Engine, participant: str = "p-1", enrollment: str = "e-1", start: date = date(2026, 1, 5)
) -> str:
    told: dict[str, Any] = {"participant": participant, "program": PROGRAM, "by": "nurse-7"}
    return engine.enroll(start=start, id=enrollment, **told).id


@pytest.fixture
def engine() -> Engine:
    engine = new_engine()
    enrolled(engine)
    return engine


def send(engine: Engine, *resources: dict[str, Any], mapping: CodeMapping = LAB) -> Received:
    return engine.receive(fhir(bundle(*resources)), format="fhir", mapping=mapping, by="lab-interface")


def counted(done: Received) -> dict[str, int]:
    return {name: count for name, count in done.counts.items() if count}


def kinds(engine: Engine, enrollment: str = "e-1") -> list[str]:
    return [act.kind for act in engine.history(enrollment=enrollment)][1:]


def standing(engine: Engine, enrollment: str = "e-1") -> list[tuple[str, str]]:
    """The results that stand, by their days."""
    acts = engine.history(enrollment=enrollment)
    latest = {each.record: each for act in acts for each in act.decisions}
    return sorted((str(each.on), each.outcome) for each in latest.values() if each.outcome != "withdrawn")


def waiting(engine: Engine, **options: Any) -> list[tuple[str, Why]]:
    return [(each.item, each.why) for each in engine.waiting_for_review(**options)]


def log_of(engine: Engine) -> str:
    """All that is stored of all acts."""
    with engine._storage.reading() as tx:  # noqa: SLF001 - what no method shows
        rows = [row for each in tx.journals() for row in tx.records(each.enrollment)]
        rows += [row for each in tx.enrollments() for row in tx.records(each.id)]
        return repr(rows) + repr(tx.journals())


# What is recorded


def test_a_final_result_is_recorded_and_decided_in_the_name_of_the_interface(engine: Engine) -> None:
    [outcome] = send(engine, observation()).outcomes
    assert outcome.recorded is not None
    assert outcome.recorded.sentence == "Negative test: $10.00. Next negative: $10.00."
    assert (outcome.recorded.source, outcome.recorded.by) == ("county-lab", "lab-interface")
    assert engine.verify().is_clean


@pytest.mark.parametrize(
    ("format", "document"),
    [
        ("fhir", fhir(observation())),
        ("hl7v2", oru(obr(), obx())),
        ("csv", csv_file(csv_line())),
        ("redcap", redcap_file("p-1,week_1,,0,2026-01-05 09:30,0,2")),
    ],
)
def test_every_format_comes_to_the_same_decision(engine: Engine, format: str, document: bytes) -> None:  # noqa: A002
    mapping = parse_mapping(f"{MAPPING}zone: {ZONE}\n")
    done = engine.receive(document, format=format, mapping=mapping, by="interface")
    assert counted(done) == {"recorded": 1}
    assert standing(engine) == [("2026-01-05", "-")]
    again = engine.receive(document, format=format, mapping=mapping, by="interface")
    assert counted(again) == {"replayed": 1}


def test_the_same_document_again_changes_nothing(engine: Engine) -> None:
    send(engine, observation(), observation(id="o-2", code={"text": "what is this"}))
    before = log_of(engine)
    again = send(engine, observation(), observation(id="o-2", code={"text": "what is this"}))
    assert counted(again) == {"replayed": 2}
    assert log_of(engine) == before


def test_a_program_with_two_targets_of_one_report_takes_each_for_itself() -> None:
    engine = new_engine()
    enrolled(engine)
    engine.add_program("va-prize")
    mapping = parse_mapping(
        f"{MAPPING}".replace(
            "ignore:", f'- {{system: {LOINC}, code: "{METHAMPHETAMINE}", program: va-prize}}\nignore:'
        )
    )
    part = {"code": {"coding": [{"system": LOINC, "code": METHAMPHETAMINE}]}, "valueString": "NEG"}
    done = send(engine, observation(component=[part]), mapping=mapping)
    assert counted(done) == {"recorded": 1, "review": 1}
    assert waiting(engine) == [("Observation/o-1/va-prize", Why.NO_ENROLLMENT)]


def test_a_panel_is_evidence_with_each_analyte_that_is_mapped() -> None:
    engine = new_engine()
    enrolled(engine)
    mapping = parse_mapping(
        f"""
mapping: lab
source: lab
program: {PROGRAM}
participants: same
values: {{NEG: "-", POS: "+", L: "+", N: "-"}}
codes:
- {{system: {LOINC}, code: "{COCAINE}", analyte: cocaine, presumptive: true}}
- {{system: {LOINC}, code: confirmed, analyte: cocaine}}
- {{system: {LOINC}, code: "{METHAMPHETAMINE}", analyte: methamphetamine}}
- {{system: {LOINC}, code: creatinine, condition: dilute}}
- {{system: {LOINC}, code: prescription, prescribed: methamphetamine}}
panels:
- {{analytes: [cocaine, methamphetamine]}}
"""
    )

    def part(code: str, value: str) -> dict[str, Any]:
        return {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueString": value}

    parts = [part(COCAINE, "POS"), part("confirmed", "NEG"), part(METHAMPHETAMINE, "POS")]
    more = [part("creatinine", "N"), part("prescription", "POS")]
    panel = observation(code={"text": "a panel"}, valueString=None, component=parts + more)
    done = send(engine, panel, mapping=mapping)
    [outcome] = done.outcomes
    assert outcome.recorded is not None
    assert outcome.recorded.reported["evidence"] == {
        "panel": [["cocaine", "-"], ["methamphetamine", "+"]],
        "prescribed": ["methamphetamine"],
    }
    assert counted(send(engine, panel, mapping=mapping)) == {"replayed": 1}
    lacking = send(
        engine,
        observation(id="o-2", code={"text": "a panel"}, valueString=None, component=parts[:2]),
        mapping=mapping,
    )
    assert lacking.outcomes[0].detail == "methamphetamine"
    assert lacking.outcomes[0].why == Why.INCOMPLETE


# Versions


def test_a_correction_amends_what_was_recorded_and_posts_the_difference(engine: Engine) -> None:
    send(engine, versioned(1))
    done = send(engine, versioned(2, status="corrected", valueString="POS"))
    assert counted(done) == {"amended": 1}
    assert standing(engine) == [("2026-01-05", "+")]
    assert kinds(engine) == ["observed", "amended"]


def test_a_newer_version_that_says_the_same_amends_nothing_and_keeps_older_ones_out(engine: Engine) -> None:
    send(engine, versioned(1))
    assert counted(send(engine, versioned(3))) == {"unchanged": 1}
    assert counted(send(engine, versioned(2, valueString="POS"))) == {"replayed": 1}
    assert standing(engine) == [("2026-01-05", "-")]
    assert kinds(engine) == ["observed"]


def test_what_is_not_final_is_held_and_decided_when_it_is(engine: Engine) -> None:
    assert counted(send(engine, versioned(1, status="preliminary", valueString="POS"))) == {"held": 1}
    assert waiting(engine) == [(ITEM, Why.HELD)]
    assert waiting(engine, held=False) == []
    assert kinds(engine) == []
    assert counted(send(engine, versioned(2))) == {"recorded": 1}
    assert waiting(engine) == []


def test_a_result_sent_in_error_is_taken_back_and_a_person_looks_at_the_money(engine: Engine) -> None:
    send(engine, versioned(1))
    done = send(engine, versioned(2, status="entered-in-error", code={"text": "removed"}, valueString=None))
    assert counted(done) == {"voided": 1}
    assert standing(engine) == []
    [item] = engine.waiting_for_review()
    assert (item.why, item.detail) == (Why.PAID, "10.00 USD, by record 2 of e-1")
    with pytest.raises(ReportError, match="dismiss it when the money is looked after"):
        engine.settle(source="county-lab", item=item.item, enrollment="e-1", result="-", by="lead-1")
    engine.dismiss(source="county-lab", item=item.item, why="borne by the clinic", by="lead-1")
    assert waiting(engine) == []
    assert engine.verify().is_clean


def test_what_was_taken_back_without_having_paid_asks_nobody(engine: Engine) -> None:
    send(engine, versioned(1, valueString="POS"))
    send(engine, versioned(2, status="entered-in-error"))
    assert (standing(engine), waiting(engine)) == ([], [])


def test_a_withdrawal_that_comes_before_what_it_withdraws_keeps_it_out(engine: Engine) -> None:
    assert counted(send(engine, versioned(2, status="entered-in-error"))) == {"unchanged": 1}
    assert counted(send(engine, versioned(1))) == {"replayed": 1}
    assert kinds(engine) == []


def test_a_result_that_is_final_again_is_recorded_anew(engine: Engine) -> None:
    for resource in (versioned(1), versioned(2, status="entered-in-error"), versioned(3)):
        send(engine, resource)
    assert standing(engine) == [("2026-01-05", "-")]
    assert kinds(engine) == ["observed", "voided", "observed"]


def test_another_content_under_the_same_version_waits_for_a_person(engine: Engine) -> None:
    send(engine, versioned(1))
    assert counted(send(engine, versioned(1, valueString="POS"))) == {"review": 1}
    assert waiting(engine) == [(ITEM, Why.CHANGED)]
    assert standing(engine) == [("2026-01-05", "-")]
    assert counted(send(engine, versioned(1))) == {"replayed": 1}
    assert kinds(engine) == ["observed"]


def test_a_correction_to_another_person_waits_for_one(engine: Engine) -> None:
    enrolled(engine, "p-2", "e-2")
    send(engine, versioned(1))
    send(engine, versioned(2, status="corrected", subject={"reference": "Patient/p-2"}))
    assert waiting(engine) == [(ITEM, Why.MOVED)]
    with pytest.raises(ReportError, match="void that one first"):
        engine.settle(source="county-lab", item=ITEM, enrollment="e-2", result="-", by="lead-1")
    assert standing(engine, "e-2") == []


def test_a_correction_that_leaves_out_what_was_recorded_waits(engine: Engine) -> None:
    send(engine, versioned(1))
    glucose = {"coding": [{"system": LOINC, "code": "2161-8"}]}
    send(engine, versioned(2, status="corrected", code=glucose))
    assert waiting(engine) == [(ITEM, Why.LEFT_OUT)]


@pytest.mark.parametrize("status", ["corrected", "entered-in-error"])
def test_a_version_that_cannot_be_told_to_be_newer_waits_for_a_person(engine: Engine, status: str) -> None:
    send(engine, versioned(3))
    timed = observation(status=status, valueString="POS")
    assert counted(send(engine, timed)) == {"review": 1}
    assert counted(send(engine, timed)) == {"replayed": 1}
    assert waiting(engine) == [(ITEM, Why.ORDER)]
    assert standing(engine) == [("2026-01-05", "-")]
    engine.dismiss(source="county-lab", item=ITEM, why="an old message", by="nurse-7")
    assert counted(send(engine, timed)) == {"replayed": 1}
    assert counted(send(engine, observation())) == {"replayed": 1}


VERSIONS: list[dict[str, Any]] = [
    {"status": "preliminary", "valueString": "POS"},
    {"status": "final", "valueString": "POS"},
    {"status": "final", "valueString": "NEG"},
    {"status": "corrected", "valueString": "NEG"},
    {"status": "amended", "valueString": "POS"},
    {"status": "corrected", "valueString": "NEG", "effectiveDateTime": "2026-01-06T09:30:00-08:00"},
    {"status": "corrected", "valueString": "what is this"},
    {"status": "unknown", "valueString": "NEG"},
    {"status": "entered-in-error"},
    {"status": "cancelled", "valueString": None},
]


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=5).flatmap(
        lambda contents: st.tuples(
            st.just(contents),
            st.permutations(range(len(contents))),
            st.lists(st.integers(0, len(contents) - 1), max_size=4),
        )
    ),
    st.sampled_from([LAB, PANEL]),
)
def test_inv_12_any_order_and_any_repetition_of_versions_ends_in_the_same(
    drawn: tuple[list[dict[str, Any]], list[int], list[int]], mapping: CodeMapping
) -> None:
    contents, order, repeated = drawn
    versions = [versioned(number, **content) for number, content in enumerate(contents, start=1)]
    ends = []
    for places in (list(range(len(versions))), [*order, *repeated]):
        engine = new_engine()
        enrolled(engine)
        for place in places:
            send(engine, versions[place], mapping=mapping)
        found = engine.verify()
        assert found.is_clean, found.differences
        open_items = [each for each in waiting(engine) if each[1] != Why.PAID]
        ends.append((standing(engine), open_items))
    assert ends[0] == ends[1]


@settings(max_examples=20)
@given(st.permutations([f"{number}" for number in range(4)]), st.integers(1, 4))
def test_inv_12_documents_cut_anywhere_come_to_the_same(order: list[str], cut: int) -> None:
    resources = [
        observation(id=f"o-{number}", effectiveDateTime=f"2026-01-{5 + 3 * int(number):02}T09:30:00-08:00")
        for number in order
    ]
    engine = new_engine()
    enrolled(engine)
    send(engine, *resources[:cut])
    send(engine, *resources)
    assert [day for day, _ in standing(engine)] == ["2026-01-05", "2026-01-08", "2026-01-11", "2026-01-14"]


# What waits


@pytest.mark.parametrize(
    ("changes", "item", "why"),
    [
        ({"code": {"coding": [{"system": LOINC, "code": "0000-0"}]}}, "Observation/o-1", Why.UNMAPPED),
        ({"code": {"text": "urine"}}, "Observation/o-1", Why.UNMAPPED),
        ({"status": "unknown"}, ITEM, Why.STATUS),
        ({"status": "nonsense"}, ITEM, Why.STATUS),
        ({"valueString": "pos"}, ITEM, Why.VALUE),
        ({"valueString": None}, ITEM, Why.VALUE),
        ({"valueString": "NEG", "interpretation": [{"coding": [{"code": "POS"}]}]}, ITEM, Why.CONTRADICTS),
        ({"effectiveDateTime": None}, ITEM, Why.TIME),
        ({"effectiveDateTime": "2026-01"}, ITEM, Why.TIME),
        ({"subject": {"reference": "Patient/p-9"}}, ITEM, Why.UNKNOWN_PERSON),
        ({"subject": None}, ITEM, Why.UNKNOWN_PERSON),
        ({"effectiveDateTime": "2025-12-31"}, ITEM, Why.NO_ENROLLMENT),
        ({"effectiveDateTime": "2026-03-09"}, ITEM, Why.REFUSED),
    ],
)
def test_what_is_not_known_is_decided_by_nobody(
    engine: Engine, changes: dict[str, Any], item: str, why: Why
) -> None:
    done = send(engine, observation(**changes))
    assert counted(done) == {"review": 1}
    assert waiting(engine) == [(item, why)]
    assert kinds(engine) == []
    assert counted(send(engine, observation(**changes))) == {"replayed": 1}
    assert engine.verify().is_clean


def test_a_participant_with_two_enrollments_on_the_day_waits(engine: Engine) -> None:
    engine.enroll(
        participant="p-1",
        program=PROGRAM,
        start=date(2026, 1, 5),
        by="nurse-7",
        id="e-2",
        again=True,
        key="2",
    )
    send(engine, observation())
    assert waiting(engine) == [(ITEM, Why.SEVERAL_ENROLLMENTS)]


def test_two_participants_of_one_persons_ids_wait() -> None:
    engine = new_engine()
    enrolled(engine)
    table = {"Patient|p-1": "p-1", "urn:mrn|77": "p-2"}
    mapping = parse_mapping(MAPPING.replace("participants: same", "participants: people.csv"), people=table)
    patient = {"resourceType": "Patient", "id": "p-1", "identifier": [{"system": "urn:mrn", "value": "77"}]}
    send(engine, patient, observation(), mapping=mapping)
    assert waiting(engine) == [(ITEM, Why.SEVERAL_PEOPLE)]


def test_only_the_enrollment_of_the_day_takes_a_late_result(engine: Engine) -> None:
    engine.discharge(
        enrollment="e-1", on=date(2026, 1, 9), why="moved", source="desk", key="d-1", by="nurse-7"
    )
    enrolled(engine, enrollment="e-2", start=date(2026, 1, 19))
    send(engine, observation(), observation(id="o-2", effectiveDateTime="2026-01-19T09:30:00-08:00"))
    assert standing(engine, "e-1") == [("2026-01-05", "-")]
    assert standing(engine, "e-2") == [("2026-01-19", "-")]


def test_one_arrival_that_fails_blocks_no_other(engine: Engine) -> None:
    done = send(
        engine,
        observation(id="o-0", status=None),
        observation(id="o-2", effectiveDateTime="2026-03-09"),
        observation(),
    )
    assert counted(done) == {"recorded": 1, "refused": 1, "review": 1}
    assert done.refused[0].sentence == "Observation/o-0: refused: it is no valid resource: status"


def test_a_mapping_that_has_the_code_by_now_decides_what_waited(engine: Engine) -> None:
    unmapped = observation(code={"coding": [{"system": LOINC, "code": METHAMPHETAMINE}]})
    send(engine, unmapped)
    assert waiting(engine) == [("Observation/o-1", Why.UNMAPPED)]
    wider = parse_mapping(
        MAPPING.replace("ignore:", f'- {{system: {LOINC}, code: "{METHAMPHETAMINE}"}}\nignore:')
    )
    assert counted(send(engine, unmapped, mapping=wider)) == {"recorded": 1, "read": 1}
    assert waiting(engine) == []


def test_a_code_that_is_ignored_is_of_no_matter(engine: Engine) -> None:
    done = send(engine, observation(code={"coding": [{"system": LOINC, "code": "2161-8"}]}))
    assert (counted(done), waiting(engine)) == ({"ignored": 1}, [])


def test_what_a_person_settles_is_recorded_in_their_name_once(engine: Engine) -> None:
    unclear = observation(valueString="trace")
    send(engine, unclear)
    told: dict[str, Any] = {
        "source": "county-lab",
        "item": ITEM,
        "enrollment": "e-1",
        "result": "+",
        "by": "nurse-7",
    }
    settled = engine.settle(**told)
    assert (settled.by, settled.outcome, str(settled.on)) == ("nurse-7", "+", "2026-01-05")
    assert engine.settle(**told).replayed
    assert waiting(engine) == []
    assert counted(send(engine, unclear)) == {"replayed": 1}
    with pytest.raises(CmEngineError):
        engine.settle(**(told | {"result": "-"}))
    assert kinds(engine) == ["observed"]
    assert engine.verify().is_clean


def test_what_a_person_settled_is_amended_by_a_later_version(engine: Engine) -> None:
    send(engine, versioned(1, valueString="trace"))
    engine.settle(source="county-lab", item=ITEM, enrollment="e-1", result="+", by="nurse-7")
    assert counted(send(engine, versioned(2, status="corrected"))) == {"amended": 1}
    assert standing(engine) == [("2026-01-05", "-")]


def test_what_a_person_settled_without_a_meaning_is_not_counted_twice_by_a_wider_mapping(
    engine: Engine,
) -> None:
    unmapped = observation(
        code={"coding": [{"system": LOINC, "code": METHAMPHETAMINE}]}, effectiveDateTime="2026-01-05"
    )
    send(engine, unmapped)
    engine.settle(source="county-lab", item="Observation/o-1", enrollment="e-1", result="-", by="nurse-7")
    wider = parse_mapping(
        MAPPING.replace("ignore:", f'- {{system: {LOINC}, code: "{METHAMPHETAMINE}"}}\nignore:')
    )
    send(engine, unmapped, mapping=wider)
    assert kinds(engine) == ["observed"]
    assert [why for _, why in waiting(engine)] == [Why.CHANGED]


def test_a_settlement_may_have_its_own_evidence_and_day(engine: Engine) -> None:
    send(engine, observation(effectiveDateTime=None, valueString="trace"))
    done = engine.settle(
        source="county-lab",
        item=ITEM,
        enrollment="e-1",
        evidence=Evidence(panel=(("cocaine", "-"), ("amphetamine", "-"), ("methamphetamine", "-"))),
        on=date(2026, 1, 6),
        by="nurse-7",
    )
    assert str(done.on) == "2026-01-06"


def test_what_is_dismissed_does_not_come_back_and_a_newer_version_does(engine: Engine) -> None:
    send(engine, versioned(1, valueString="trace"))
    engine.dismiss(source="county-lab", item=ITEM, why="a wrong order", by="nurse-7")
    engine.dismiss(source="county-lab", item=ITEM, why="a wrong order", by="nurse-7")
    assert counted(send(engine, versioned(1, valueString="trace"))) == {"replayed": 1}
    assert waiting(engine) == []
    with pytest.raises(ReportError, match="does not wait"):
        engine.dismiss(source="county-lab", item=ITEM, why="another reason", by="nurse-7")
    send(engine, versioned(2, valueString="trace"))
    assert waiting(engine) == [(ITEM, Why.VALUE)]


def test_an_item_or_a_source_that_there_is_not_is_refused(engine: Engine) -> None:
    send(engine, observation())
    with pytest.raises(JournalNotFoundError):
        engine.dismiss(source="another", item=ITEM, why="so", by="nurse-7")
    with pytest.raises(ReportError, match="waiting_for_review"):
        engine.dismiss(source="county-lab", item="o-9", why="so", by="nurse-7")
    with pytest.raises(ReportError, match="wait"):
        engine.settle(source="county-lab", item=ITEM, enrollment="e-1", result="-", by="nurse-7")


def test_the_queue_keeps_in_its_state_only_what_waits(engine: Engine) -> None:
    for day in range(5, 25):
        send(engine, observation(id=f"o-{day}", effectiveDateTime=f"2026-01-{day:02}T09:30:00-08:00"))
    with engine._storage.reading() as tx:  # noqa: SLF001 - what no method shows
        [row] = tx.journals()
    assert row.state == "{}"


# What is kept


def test_no_name_and_no_text_of_the_sender_enters_the_log(engine: Engine) -> None:
    private = f"{NAME} was seen with a friend"
    patient = {"resourceType": "Patient", "id": "p-1", "name": [{"family": NAME}], "birthDate": "1990-01-01"}
    send(
        engine,
        patient,
        observation(note=[{"text": private}], valueString="NEG"),
        observation(id="o-2", valueString=private, effectiveDateTime="2026-01-08"),
        observation(id="o-3", code={"text": private}),
        observation(id="o-4", subject={"identifier": {"system": "urn:ssn", "value": "123-45-6789"}}),
    )
    engine.receive(oru(obr("F-9"), obx(private)), format="hl7v2", mapping=LAB, by="lab-interface")
    engine.receive(csv_file(csv_line(value=private)), format="csv", mapping=LAB, by="lab-interface")
    stored = log_of(engine)
    for text in (NAME, "friend", "1990", "123-45-6789"):
        assert text not in stored
    assert "sha256:" in stored


def test_a_long_key_and_a_long_code_stand_as_their_hash(engine: Engine) -> None:
    code = {"coding": [{"system": "urn:x", "code": "c" * 150}]}
    send(engine, observation(identifier=[{"system": "urn:lab", "value": "k" * 150}], code=code))
    [item] = engine.waiting_for_review()
    assert item.item.startswith("sha256:")
    assert item.codes[0].startswith("sha256:")
    longer = observation(identifier=[{"system": "urn:lab", "value": "k" * 900}])
    assert counted(send(engine, longer)) == {"recorded": 1}


def test_what_waits_says_what_is_needed_to_find_it(engine: Engine) -> None:
    done = send(engine, versioned(1, valueString=None, interpretation=[{"coding": [{"code": "IND"}]}]))
    [item] = engine.waiting_for_review(source="county-lab")
    assert (item.codes, item.found, item.who) == (
        (f"{LOINC}|{COCAINE}",),
        ("none|IND",),
        ("Patient|p-1",),
    )
    assert (item.document, item.by, item.arrived_at) == (done.document, "lab-interface", NOW)
    assert item.collected_at == datetime(2026, 1, 5, 17, 30, tzinfo=UTC)


# Around it


def test_a_changed_queue_is_found_by_the_audit(tmp_path: Path) -> None:
    engine = new_engine(f"sqlite:///{tmp_path / 'clinic.db'}")
    enrolled(engine)
    send(engine, observation(), observation(id="o-2", valueString="trace"))
    assert engine.verify().is_clean
    with sqlite3.connect(tmp_path / "clinic.db") as database:
        database.execute("UPDATE cm_standings SET state = '{}' WHERE enrollment LIKE '@intake/%'")
    [difference] = engine.verify().differences
    assert difference.where == "standing"
    engine.close()


def test_writers_at_once_record_each_thing_once(database_url: str) -> None:
    engine = new_engine(database_url)
    enrolled(engine)
    resources = [
        versioned(1),
        versioned(2, status="corrected", valueString="POS"),
        observation(id="o-2", effectiveDateTime="2026-01-08T09:30:00-08:00"),
    ]
    threads = [
        Thread(target=send, args=(engine, *resources[place:], *resources[:place])) for place in (0, 1, 2, 0)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert standing(engine) == [("2026-01-05", "+"), ("2026-01-08", "-")]
    assert engine.verify().is_clean
    engine.close()


def test_arrivals_that_a_host_has_read_itself_are_taken_in(engine: Engine) -> None:
    finding = Finding((Code(LOINC, COCAINE),), text="NEG")
    arrival = Arrival("s-1", Status.FINAL, (finding,), (Code("", "p-1"),), on=date(2026, 1, 5))
    assert counted(engine.receive_arrivals([arrival], mapping=LAB, by="chart")) == {"recorded": 1}


def test_an_unknown_format_is_refused_with_what_there_is(engine: Engine) -> None:
    with pytest.raises(ReportError, match=r"did you mean 'fhir'\?.*known: csv, fhir, hl7v2, redcap"):
        engine.receive(b"", format="fhirr", mapping=LAB, by="lab-interface")


def test_an_interface_without_the_right_to_amend_leaves_corrections_to_a_person() -> None:
    engine = new_engine(people="known")
    engine.add_staff(staff="lead-1", roles=["supervisor"], by="lead-1")
    engine.add_staff(staff="lab-interface", roles=["system"], by="lead-1")
    engine.enroll(participant="p-1", program=PROGRAM, start=date(2026, 1, 5), by="lead-1", id="e-1")
    send(engine, versioned(1))
    send(engine, versioned(2, status="corrected", valueString="POS"))
    assert waiting(engine) == [(ITEM, Why.REFUSED)]
    assert standing(engine) == [("2026-01-05", "-")]
    engine.settle(source="county-lab", item=ITEM, enrollment="e-1", result="+", by="lead-1")
    assert standing(engine) == [("2026-01-05", "+")]
    assert engine.verify().is_clean


def test_somebody_unknown_takes_nothing_in() -> None:
    engine = new_engine(people="known")
    engine.add_staff(staff="lead-1", roles=["supervisor"], by="lead-1")
    engine.enroll(participant="p-1", program=PROGRAM, start=date(2026, 1, 5), by="lead-1", id="e-1")
    done = send(engine, observation())
    assert counted(done) == {"refused": 1}
    assert "nobody of the staff has this id" in done.refused[0].why
    assert kinds(engine) == []


def days(count: int) -> bytes:
    """A file of so many results, a day each."""
    start = date(2026, 1, 5)
    lines = [
        csv_line(id=f"u-{number}", collected_at=f"{start + timedelta(days=number)}T09:30-08:00")
        for number in range(count)
    ]
    return csv_file(*lines)


CHILD = """
import sys
from pathlib import Path
from tests.test_intake import LAB, new_engine
with new_engine(sys.argv[1]) as engine:
    print("begins", flush=True)
    engine.receive(Path(sys.argv[2]), format="csv", mapping=LAB, by="lab-interface")
"""


@pytest.mark.parametrize("milliseconds", [5, 40, 120])
def test_inv_12_a_process_that_is_killed_leaves_whole_arrivals_and_the_file_goes_on(
    tmp_path: Path, milliseconds: int
) -> None:
    url, file = f"sqlite:///{tmp_path / 'clinic.db'}", tmp_path / "results.csv"
    file.write_bytes(days(36))
    with new_engine(url) as engine:
        enrolled(engine)
    command = [sys.executable, "-c", CHILD, url, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        child.stdout.readline()
        sleep(milliseconds / 1000)
        child.kill()
    with new_engine(url) as engine:
        assert engine.verify().is_clean
        done = engine.receive(file, format="csv", mapping=LAB, by="lab-interface")
        assert done.counts["recorded"] + done.counts["replayed"] == 36
        assert len(standing(engine)) == 36
        assert engine.verify().is_clean


def test_in_a_transaction_of_the_host_all_of_it_is_there_or_nothing(tmp_path: Path) -> None:
    with new_engine(f"sqlite:///{tmp_path / 'clinic.db'}") as engine:
        enrolled(engine)
        database = create_engine(f"sqlite:///{tmp_path / 'clinic.db'}")
        for ends, expected in ((Transaction.rollback, []), (Transaction.commit, [("2026-01-05", "-")])):
            with database.connect() as connection, connection.begin() as transaction:
                host = engine.joining(connection)
                assert counted(send(host, observation(), observation(id="o-2", valueString="trace"))) == {
                    "recorded": 1,
                    "review": 1,
                }
                ends(transaction)
            assert standing(engine) == expected
        database.dispose()
        assert engine.verify().is_clean
