"""Every program of the catalogue is sourced, marked, worked through and complete."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from cm_engine import (
    AmbiguousNameError,
    ProgramNotFoundError,
    canonical,
    catalogue,
    digest,
    parse_program,
    shelf,
)
from cm_engine.cases import first_difference

IDS = catalogue.program_ids()
SECTIONS_OF_FACTS = ("visits", "targets", "milestones", "deposit", "bowls", "hat", "payout", "limits")
PUBLISHED = {
    "barnett-2017-alcohol", "budney-2006-voucher", "california-recovery-incentives", "chutuape-1999-take-home",
    "cpit-pregnancy", "dougherty-weekly", "halpern-2015-collaborative", "halpern-2015-deposit",
    "halpern-2015-individual", "heil-2008-pregnancy", "higgins-1994-voucher", "honor-prize", "hptn-065",
    "lamb-2010-percentile", "miedar-prize", "name-in-hat-group", "nj-dynamicare", "preston-2001-shaping",
    "project-hope-multi-target", "robles-2000-brief-test", "roll-1996-progressive", "romanowich-2015-escalating",
    "romanowich-2015-fixed", "silverman-1996-voucher", "stanger-2015-adolescent", "therapeutic-workplace",
    "va-prize", "volpp-2009-smoking", "weaver-2014-vaccine", "xpmi-attendance",
}  # fmt: skip
TEMPLATES = {
    "template-counselling-attendance", "template-daily-self-report", "template-goal-steps",
    "template-integrated-care", "template-job-school-housing", "template-loss-framed",
    "template-medication-adherence", "template-relapse-prevention-skills", "template-telehealth-check-in",
}  # fmt: skip


def test_the_catalogue_offers_these_programs() -> None:
    assert set(IDS) == PUBLISHED | TEMPLATES


@pytest.mark.parametrize("program_id", IDS)
def test_a_program_is_found_under_its_own_id(program_id: str) -> None:
    assert catalogue.program(program_id).program == program_id


@pytest.mark.parametrize("program_id", IDS)
def test_a_program_has_sources_readings_and_cases_that_pass(program_id: str) -> None:
    program = catalogue.program(program_id)
    assert program.sources
    assert program.readings
    assert program.cases
    assert [first_difference(program, case) for case in program.cases] == [None] * len(program.cases)


@pytest.mark.parametrize("program_id", IDS)
def test_a_case_says_how_well_its_figures_are_known(program_id: str) -> None:
    assert all(case.mark for case in catalogue.program(program_id).cases)


@pytest.mark.parametrize("program_id", IDS)
def test_every_number_of_a_program_has_evidence(program_id: str) -> None:
    program = catalogue.program(program_id)
    known = {item.of for item in program.evidence}
    data = program.model_dump(mode="json", exclude_defaults=True)
    places = [path for section in SECTIONS_OF_FACTS for path in numbers(data.get(section, []), section)]
    assert places
    assert [place for place in places if not is_covered(place, known)] == []


def numbers(value: Any, path: str) -> Iterator[str]:
    """Yield the path of each number, of weeks too."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in below:
        yield from numbers(inner, f"{path}.{key}")
    if isinstance(value, int) or (isinstance(value, str) and value[:1].isdigit()):
        yield path


def is_covered(place: str, known: set[str]) -> bool:
    return any(place == of or place.startswith(f"{of}.") for of in known) or is_weeks_of_a_marked_phase(
        place, known
    )


def is_weeks_of_a_marked_phase(place: str, known: set[str]) -> bool:
    return place.endswith(".weeks") and place.removesuffix(".weeks") in known


@pytest.mark.parametrize("program_id", IDS)
def test_a_program_reads_back_from_its_canonical_form_with_the_same_digest(program_id: str) -> None:
    program = catalogue.program(program_id)
    again = parse_program(canonical(program))
    assert again == program
    assert digest(again) == digest(program)


def test_the_digest_sees_meaning_and_not_formatting() -> None:
    text = catalogue.source("va-prize")
    formatted = "# a comment\n" + text.replace("ceiling: 8}", "every: 1, ceiling: 8.0}")
    changed = text.replace("ceiling: 8}", "ceiling: 9}").replace("164", "180")
    assert digest(parse_program(formatted)) == digest(parse_program(text))
    assert digest(parse_program(changed)) != digest(parse_program(text))


def test_an_id_that_is_misspelt_is_refused_with_the_nearest() -> None:
    with pytest.raises(ProgramNotFoundError) as caught:
        catalogue.program("higgins-1994-vouchers")
    assert caught.value.nearest == "higgins-1994-voucher"


def test_an_id_that_two_packages_offer_is_refused_with_both_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path, "state_programs", "va-prize", monkeypatch)
    with pytest.raises(AmbiguousNameError) as caught:
        catalogue.program("va-prize")
    assert caught.value.packages == ("cm_engine_schedules", "state_programs")


def test_a_strangers_package_adds_its_programs_to_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path, "county_programs", "our-own", monkeypatch)
    assert "our-own" in catalogue.program_ids()
    assert catalogue.program("our-own").program == "our-own"


def offer(folder: Path, package: str, program_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for an installed distribution that declares the entry point."""
    programs = folder / package / "programs"
    programs.mkdir(parents=True)
    (folder / package / "__init__.py").touch()
    text = catalogue.source("va-prize").replace("program: va-prize", f"program: {program_id}")
    (programs / f"{program_id}.yaml").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(folder)
    installed = (EntryPoint("catalogue", "cm_engine_schedules", shelf.GROUP),)
    added = (*installed, EntryPoint("theirs", package, shelf.GROUP))
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: added if group == shelf.GROUP else ()
    )
