"""A program that builds on another says only what differs, and is as good as written out."""

from pathlib import Path

import jsonschema
import pytest

from cm_engine import (
    ProgramError,
    canonical,
    catalogue,
    decide,
    digest,
    json_schema,
    load_program,
    parse_program,
)
from cm_engine.program.reading import read_document

COUNTY = """
extends: california-recovery-incentives
program: our-county
version: "1"
title: Our county
overrides:
  targets.stimulants.schedule.0.escalate.start: 12.00
  limits.0.amount: 750.00
sources:
  county-plan: {cite: the plan of our county}
evidence:
  - {of: limits.0.amount, mark: stated, sources: [county-plan]}
cases:
  - {name: the first four, results: "----", awards: [12, 12, 13.50, 13.50]}
"""


def refused(text: str, name: str = "county.yaml") -> list[str]:
    with pytest.raises(ProgramError) as caught:
        parse_program(text, name=name)
    return [str(problem) for problem in caught.value.problems]


def test_a_program_that_extends_another_differs_in_what_it_says_only() -> None:
    base, county = catalogue.program("california-recovery-incentives"), parse_program(COUNTY)
    assert county.visits == base.visits
    assert [amount for _, amount in county.limits[0].amount.changes] == [750]
    assert set(county.sources) == {*base.sources, "county-plan"}
    assert [case.name for case in county.cases] == ["the first four"]
    assert [str(d.awards["USD"]) for d in decide(county, "---").decisions] == ["12.00", "12.00", "13.50"]


def test_evidence_of_what_is_overridden_is_not_inherited() -> None:
    county = parse_program(COUNTY)
    places = [item.of for item in county.evidence]
    assert "targets.stimulants.schedule.0.escalate.start" not in places
    assert "targets.stimulants.schedule.0.escalate.step" in places
    assert places[-1] == "limits.0.amount"
    assert "limits.0" not in places


def test_evidence_that_is_told_anew_with_the_value_is_kept() -> None:
    start = "targets.stimulants.schedule.0.escalate.start"
    base = catalogue.program("california-recovery-incentives").evidence
    [index] = [number for number, item in enumerate(base) if item.of == start]
    county = parse_program(COUNTY.replace("12.00\n", f"12.00\n  evidence.{index}.mark: derived\n", 1))
    [told] = [item for item in county.evidence if item.of == start]
    assert told.mark == "derived"


def test_its_digest_is_that_of_the_program_written_out() -> None:
    county = parse_program(COUNTY)
    assert digest(parse_program(canonical(county))) == digest(county)
    assert digest(county) != digest(catalogue.program("california-recovery-incentives"))


def test_what_does_not_fit_is_refused_at_the_override_or_where_the_base_is_named() -> None:
    assert refused(COUNTY.replace("start: 12.00", "strat: 12.00"))[0] == (
        "county.yaml:7:3: error: overrides.targets.stimulants.schedule.0.escalate.strat: the base has no value at "
        "'targets.stimulants.schedule.0.escalate.strat'; did you mean 'targets.stimulants.schedule.0.escalate.start'?"
    )
    [problem] = refused(COUNTY.replace("start: 12.00", "start: 99.00"))
    assert problem.startswith("county.yaml:2:10: error: targets.stimulants.schedule.0.escalate.ceiling: ")
    assert problem.endswith(
        "escalate.ceiling: expected at least the start, 99.00, got 26.50; it is inherited from "
        "cm_engine_schedules/programs/california-recovery-incentives.yaml, line 80: override it too"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("extends: california", "no program 'california' in the catalogue"),
        ("extends: [a]", "expected the id of a program, or the path of its file"),
    ],
)
def test_a_base_that_cannot_be_found_is_refused_at_its_name(line: str, message: str) -> None:
    problems = refused(COUNTY.replace("extends: california-recovery-incentives", line))
    assert any(
        problem.startswith("county.yaml:2:10: error: extends: ") and message in problem
        for problem in problems
    )


def test_a_file_extends_a_file_beside_it_and_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.yaml").write_text(COUNTY, "utf-8")
    city = 'extends: state.yaml\nprogram: our-city\nversion: "2"\noverrides: {limits.0.amount: 500}\n'
    (tmp_path / "city.yaml").write_text(city, "utf-8")
    assert [amount for _, amount in load_program(tmp_path / "city.yaml").limits[0].amount.changes] == [500]
    (tmp_path / "state.yaml").write_text(city.replace("state.yaml", "city.yaml"), "utf-8")
    with pytest.raises(ProgramError, match=r"city\.yaml:1:10: error: extends: "):
        load_program(tmp_path / "city.yaml")


def test_json_schema_knows_a_program_that_extends_another() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    county = 'extends: va-prize\nprogram: a\nversion: "1"\noverrides: {visits.0.per_week: 1}\n'
    assert validator.is_valid(read_document(county, "a").data)
    assert not validator.is_valid(read_document(county.replace("extends: va-prize\n", ""), "a").data)


PRIZES = 'extends: va-prize\nprogram: ours\nversion: "1"\n'
ESCALATE = "targets.abstinence.schedule.0.escalate"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            PRIZES.replace("ours", "va-prize"),
            "version: the base is va-prize, version 1, too; give what builds on it",
        ),
        ("extends: va-prize\n", "extends: the base is va-prize, version 1, too"),
        (
            f"{PRIZES}overrides: {{{ESCALATE}.ceiling: 12, {ESCALATE}: {{start: 1, step: 2}}}}\n",
            f"it and '{ESCALATE}' are of one value; write one of them, with all that is to change",
        ),
        (
            f"{PRIZES}visits: [{{weeks: 1-12, per_week: 2}}]\noverrides: {{visits.0.weeks: 1-8}}\n",
            "visits is given anew as a whole beside it; change it there",
        ),
        (
            f"{PRIZES}overrides: {{limits: []}}\n",
            "the base has no limits; write limits beside overrides, and not within",
        ),
        (
            f"{PRIZES}overrides: {{targets.abstinence.schedule.0.recover: {{after: 2}}}}\n",
            "the base has no 'recover' at 'targets.abstinence.schedule.0'; to add it, override 'targets.abstinence.schedule.0' as",
        ),
        (
            f"{PRIZES}overrides: {{bowls.draw.slips.big: {{count: 1, value: 100}}}}\n",
            "the base has no 'big' at 'bowls.draw.slips'; to add it, override 'bowls.draw.slips' as a whole",
        ),
        (
            f"{PRIZES}overrides: {{{ESCALATE}.celing: 12}}\n",
            f"the base has no value at '{ESCALATE}.celing'; did you mean '{ESCALATE}.ceiling'?",
        ),
        (
            "extends: template-counselling-attendance\nprogram: x\noverrides: {targets.sessions.excuses: []}\n",
            "got nothing; name some, or override 'targets.sessions' as a whole, without it",
        ),
        (
            "program: x\noverrides: {visits.0.weeks: 1-8}\n",
            "overrides change the values of another program; say of which",
        ),
    ],
)
def test_what_an_extension_says_of_itself_or_twice_is_refused(text: str, message: str) -> None:
    assert any(message in problem for problem in refused(text))


def test_a_name_of_its_own_may_stand_among_the_overrides() -> None:
    program = parse_program("extends: va-prize\noverrides: {program: ours, version: '2'}\n")
    assert (program.program, program.version) == ("ours", "2")


def test_sources_are_added_beside_an_override_of_another_one() -> None:
    ours = "sources: {ours: {cite: A letter}}\n"
    program = parse_program(f"{PRIZES}{ours}overrides: {{sources.petry-2014.cite: Petry}}\n")
    assert program.sources["ours"].cite == "A letter"
    assert program.sources["petry-2014"].cite == "Petry"
    [problem] = refused(
        f"{PRIZES}{ours.replace('ours', 'petry-2014')}overrides: {{sources.petry-2014.cite: Petry}}\n"
    )
    assert "sources is given anew as a whole beside it; change it there" in problem


def test_a_program_is_not_called_as_any_that_it_builds_on(tmp_path: Path) -> None:
    (tmp_path / "state.yaml").write_text(PRIZES, "utf-8")
    city = 'extends: state.yaml\nprogram: va-prize\nversion: "1"\n'
    (tmp_path / "city.yaml").write_text(city, "utf-8")
    said = r"city\.yaml:3:10: error: version: a program that the base builds on is va-prize, version 1, too"
    with pytest.raises(ProgramError, match=said):
        load_program(tmp_path / "city.yaml")


def test_a_file_does_not_extend_itself(tmp_path: Path) -> None:
    (tmp_path / "city.yaml").write_text(PRIZES.replace("va-prize", "city.yaml"), "utf-8")
    with pytest.raises(ProgramError, match="extends: this is the file itself; name another one"):
        load_program(tmp_path / "city.yaml")
