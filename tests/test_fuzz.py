"""The loader meets what nobody would write: it refuses with its own error, or accepts what then runs."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm_engine import Problem, ProgramError, catalogue, parse_program
from cm_engine.cases import first_difference

SOURCES = [catalogue.source(program_id) for program_id in catalogue.program_ids()]
SCRAPS = [
    "", " ", "\n", "\t", ":", "- ", "{", "}", "[", "]", ",", '"', "'", "#", "&a ", "*a", "!!int ", "|", ">", "%", "@",
    "0", "-1", "1e9", ".inf", ".nan", "null", "true", "yes", "1-", "-12", "2026-02-30", "week", "~", "<<: ", "? ",
    "\u00a0", "\u2013", "\u201c", "\ufeff", "\x00", "\ud7ff", "9" * 30, "weeks: 1-9999", "per_week: 70", "hours: 10000",
]  # fmt: skip


def mutated(text: str, chance: Random) -> str:
    """Replace, drop, double or move some stretches of a text."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 1, 1, 2, 5, 20, 80]))
        piece = chance.choice([chance.choice(SCRAPS), text[start:end] * 2, text[end:start], ""])
        text = text[:start] + piece + text[end:]
    return text


def accepted_or_refused(text: str) -> None:
    try:
        program = parse_program(text)
    except ProgramError as refused:
        check_places(refused.problems)
    else:
        for case in program.cases:
            difference = first_difference(program, case)
            runs = difference is None or "cannot be decided" not in difference[1]
            assert runs or case.observations, "only what was seen, one by one, can fail to fit its program"


def check_places(problems: tuple[Problem, ...]) -> None:
    assert problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)


@pytest.mark.parametrize("seed", range(40))
def test_a_mutated_catalogue_file_is_refused_or_runs(seed: int) -> None:
    chance = Random(seed)
    for _ in range(25):
        accepted_or_refused(mutated(chance.choice(SOURCES), chance))


VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2000)
    | st.text(max_size=8)
    | st.sampled_from(["1-4", "USD", "5.00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_a_program_with_any_value_anywhere_is_refused_or_runs(data: st.DataObject) -> None:
    program = json.loads(
        json.dumps(catalogue.program("california-recovery-incentives").model_dump(mode="json"))
    )
    document = without_nothing(program)
    place, last = document, "program"
    for _ in range(data.draw(st.integers(1, 6))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        last = data.draw(st.sampled_from(keys))
        if not isinstance(place[last], dict | list) or data.draw(st.integers(0, 3)) == 0:
            break
        place = place[last]
    if last in (place if isinstance(place, dict) else range(len(place))):
        place[last] = data.draw(VALUES)
    accepted_or_refused(json.dumps(document))


def without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nothing(inner) for key, inner in value.items() if inner is not None}
    return [without_nothing(inner) for inner in value] if isinstance(value, list) else value
