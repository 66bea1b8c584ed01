"""A mapping file says what codes mean; what is wrong in it is said with its line and column, all at once."""

from pathlib import Path

import pytest

from cm_engine.arrivals import Code
from cm_engine.errors import MappingError
from cm_engine.intake.loading import load_mapping, parse_mapping
from tests.intake_documents import MAPPING

HEAD = "mapping: lab\nsource: lab\nprogram: a-program\nparticipants: same\n"
CODE = "codes:\n- {system: LN, code: a, target: t"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "m.yaml:1:1: error: the key 'codes' is missing"),
        (f"{HEAD}codes: []", "m.yaml:5:8: error: codes: expected something here, got nothing"),
        (
            f"{HEAD}{CODE}, analite: x}}",
            "m.yaml:6:36: error: codes.0.analite: unknown key; did you mean 'analyte'?",
        ),
        (f"{HEAD}{CODE}, values: {{NEG: negativ}}}}", "codes.0.values.NEG: expected a symbol or its name"),
        (
            f"{HEAD}{CODE}, values: {{NEG: negative}}}}",
            "m.yaml:6:50: error: codes.0.values.NEG: expected a symbol or its name, of - met, + positive",
        ),
        (f"{HEAD}zone: Mars/Base\n{CODE}}}", "m.yaml:5:7: error: zone: there is no time zone 'Mars/Base'"),
        (HEAD.replace("source: lab", "source: '@lab'") + CODE + "}", "source: what begins with @ is kept"),
        (
            HEAD.replace("program: a-program\n", "") + CODE + "}",
            "m.yaml:5:3: error: codes.0: say which program this is for",
        ),
        (
            f"{HEAD}{CODE}}}\n- {{system: LN, code: a, target: u}}",
            "m.yaml:7:22: error: codes.1.code: 'a' of LN stands under codes.0 already",
        ),
        (
            f"{HEAD}{CODE}}}\nignore: [{{system: LN, code: a}}]",
            "ignore.0.code: 'a' of LN stands under codes.0 already",
        ),
        (
            f'{HEAD}{CODE}, values: {{N: "-"}}, analyte: x, prescribed: y}}',
            "codes.0.prescribed: it is analyte already; write a code for each meaning",
        ),
        (f"{HEAD}{CODE}, event: x}}", "codes.0.event: an event is of no target; leave one of them out"),
        (f"{HEAD}{CODE}, analyte: x}}", "codes.0: say which of the sender's values are - or +"),
        (
            f'{HEAD}{CODE}, values: {{N: "-"}}, condition: diluted}}',
            "codes.0.condition: expected substituted, adulterated, dilute, late, rescheduled or makeup",
        ),
        (
            f'{HEAD}{CODE}, values: {{N: "-"}}, analyte: x}}\npanels: [{{target: t, analytes: [x, z]}}]',
            "panels.0.analytes.1: no code of the file gives the analyte 'z'",
        ),
        (f"{HEAD}{CODE}", "m.yaml:6:34: error: this is not YAML: a list or a set of keys is not closed"),
        (
            HEAD.replace("same", "people.csv") + CODE + "}",
            "m.yaml:4:15: error: participants: expected same, as no table was given",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_place(text: str, expected: str) -> None:
    with pytest.raises(MappingError) as refused:
        parse_mapping(text, name="m.yaml")
    assert expected in str(refused.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = f"{HEAD}zone: Mars/Base\n{CODE}, event: x}}\n- {{system: LN, code: a, event: 5}}"
    with pytest.raises(MappingError) as refused:
        parse_mapping(text)
    assert [problem.path for problem in refused.value.problems] == [
        "zone",
        "codes.0.event",
        "codes.1.code",
        "codes.1.event",
    ]


def test_symbols_and_their_names_are_one() -> None:
    words = (
        f'{HEAD}{CODE}, values: {{a: met, b: "-", c: positive, d: missed, e: invalid, f: "not required"}}}}'
    )
    [rule] = parse_mapping(words).file.codes
    assert rule.values == {"a": "-", "b": "-", "c": "+", "d": "o", "e": "*", "f": "_"}


def test_a_table_beside_the_file_says_who_is_who(tmp_path: Path) -> None:
    file, table = tmp_path / "lab.yaml", tmp_path / "people.csv"
    file.write_text(MAPPING.replace("participants: same", "participants: people.csv"), "utf-8")
    table.write_text("person,participant\nurn:mrn|77,p-1\n78,p-2\n\n", "utf-8")
    mapping = load_mapping(file)
    assert mapping.participants((Code("urn:mrn", "77"),)) == {"p-1"}
    assert mapping.participants((Code("urn:other", "77"),)) == set()
    assert mapping.participants((Code("urn:other", "78"),)) == {"p-2"}


def test_only_the_ids_of_one_system_count_where_a_mapping_says_so() -> None:
    mapping = parse_mapping(f"{MAPPING}identified_by: urn:mrn\n")
    assert mapping.participants((Code("urn:mrn", "p-1"), Code("Patient", "p-2"))) == {"p-1"}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("person,name\n", "people.csv:1:1: error: expected the header person,participant"),
        ("", "people.csv:1:1: error: expected the header person,participant"),
        ("person,participant\n77\n", "people.csv:2:1: error: expected the cells person and participant"),
        ("person,participant\n77,\n", "people.csv:2:1: error: expected the cells person and participant"),
        ("person,participant\n77,p-1\n77,p-2\n", "people.csv:3:1: error: this person stands in a line above"),
        ("person,participant\n77,Ann Lee\n", "people.csv:2:1: error: participant: has a blank in it"),
    ],
)
def test_a_wrong_table_is_refused_and_nobody_is_named(tmp_path: Path, rows: str, expected: str) -> None:
    (tmp_path / "lab.yaml").write_text(MAPPING.replace(": same", ": people.csv"), "utf-8")
    (tmp_path / "people.csv").write_text(rows, "utf-8")
    with pytest.raises(MappingError) as refused:
        load_mapping(tmp_path / "lab.yaml")
    assert expected in str(refused.value)
    assert "Ann" not in str(refused.value)


def test_a_file_or_a_table_that_is_not_there_is_said_where_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="there is no such file"):
        load_mapping(tmp_path / "lab.yaml")
    (tmp_path / "lab.yaml").write_text(MAPPING.replace(": same", ": people.csv"), "utf-8")
    with pytest.raises(
        MappingError, match=r"lab.yaml:4:15: error: participants: expected same, or a CSV file"
    ):
        load_mapping(tmp_path / "lab.yaml")
