"""Each file of tests/malformed is refused at its own places, in its own words.

A file ends with what JSON Schema can say of it, and with its problems as line:column: path: message.
"""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError

from cm_engine import ProgramError, catalogue, json_schema, load_program, parse_program

FILES = sorted((Path(__file__).parent / "malformed").glob("*.yaml"))
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def notes(file: Path) -> tuple[str, list[str]]:
    found = re.findall(r"^# (.*)$", file.read_text("utf-8"), flags=re.MULTILINE)
    return found[0].removeprefix("JSON Schema "), found[1:]


class PlainConstructor(SafeConstructor):
    """Leave dates as text, as editors do."""


PlainConstructor.add_constructor("tag:yaml.org,2002:timestamp", PlainConstructor.construct_yaml_str)


def as_an_editor_sees_it(text: str) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = PlainConstructor
    yaml.allow_duplicate_keys = True
    return yaml.load(text)


def test_there_are_enough_malformed_files_to_mean_something() -> None:
    assert len(FILES) >= 30


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_malformed_file_is_refused_where_it_is_wrong_and_in_these_words(file: Path) -> None:
    _, expected = notes(file)
    assert expected
    with pytest.raises(ProgramError) as caught:
        load_program(file)
    found = [f"{p.line}:{p.column}: {p.path}: {p.message}" for p in caught.value.problems]
    assert found == expected
    assert {problem.file for problem in caught.value.problems} == {str(file)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_json_schema_refuses_what_the_loader_refuses_where_it_can_say_it(file: Path) -> None:
    says, _ = notes(file)
    try:
        accepted = VALIDATOR.is_valid(as_an_editor_sees_it(file.read_text("utf-8")))
    except (YAMLError, ValueError):
        accepted = False
    assert says == ("cannot say" if accepted else "refuses")


@pytest.mark.parametrize("program_id", catalogue.program_ids())
def test_json_schema_accepts_every_program_of_the_catalogue(program_id: str) -> None:
    VALIDATOR.validate(as_an_editor_sees_it(catalogue.source(program_id)))


def test_the_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_text_that_is_not_utf_8_is_refused_at_its_first_wrong_byte(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("program: x\ntitle: Größe".encode("latin-1"))
    with pytest.raises(ProgramError) as caught:
        load_program(file)
    assert str(caught.value) == f"{file}:2:10: error: this is not text in UTF-8"


@pytest.mark.parametrize("text", ["", "[]", "- a", "just words", "42", "# nothing\n"])
def test_a_text_that_is_no_mapping_of_keys_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(ProgramError):
        parse_program(text)


def test_a_deeply_nested_file_is_refused_and_not_followed_down() -> None:
    with pytest.raises(ProgramError, match="nested too deeply"):
        parse_program("[" * 100_000)


def test_a_huge_file_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProgramError, match="larger than"):
        parse_program("a: " + "b" * 1_000_001)


def test_a_file_in_utf_16_is_told_apart_from_one_in_no_known_letters(tmp_path: Path) -> None:
    file = tmp_path / "saved.yaml"
    for written, said in (
        ("program: é".encode("utf-16"), "in UTF-16; save it"),
        (b"\xe9", "not text in UTF-8"),
    ):
        file.write_bytes(written)
        with pytest.raises(ProgramError, match=f":1:1: error: this is .*{said}"):
            load_program(file)
