"""Who gets which arm: by chance alone, unknown until it is done, balanced in every block, and checked by anyone after."""

import hashlib
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from textwrap import dedent
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from cm_engine import (
    AllocationError,
    Engine,
    JournalNotFoundError,
    KeyConflictError,
    ProgramNotFoundError,
    ReportError,
    SecretError,
    StorageConflictError,
    Trial,
    TrialError,
    cli,
    load_trial,
    parse_trial,
)
from cm_engine.log.chain import GENESIS, hash_of
from cm_engine.log.rows import Batch
from cm_engine.opening import open_storage
from cm_engine.ports import Storage
from cm_engine.rules.prizes import commitment
from cm_engine.trials import loading
from cm_engine.trials.allocation import Allocation, allocation, allocations, block, misallocated
from cm_engine.trials.model import canonical_trial, stratum_name, trial_digest
from cm_engine.trials.taking import Allocated
from cm_engine_adapters.storage.memory import MemoryTransaction

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "trial.yaml"
TRIAL = "stimulant-rewards-2026"
STRATA = {"site": "boston", "severity": "mild"}
START = date(2026, 1, 5)
SECRET = bytes(range(32))
SEED = b"a seed of 32 bytes, kept secret!"


def now() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


def trial_of(ratios: Mapping[str, int], blocks: Sequence[int], **strata: list[str]) -> Trial:
    arms = {name: {"program": "va-prize", "ratio": ratio} for name, ratio in ratios.items()}
    data = {"trial": "t-1", "title": "T", "arms": arms, "blocks": list(blocks)}
    return parse_trial(json.dumps(data | ({"strata": strata} if strata else {})))


PAIR = trial_of({"cm": 1, "usual": 1}, [4, 6])


# The file


def malformed(text: str) -> list[str]:
    with pytest.raises(TrialError) as caught:
        parse_trial(dedent(text).lstrip("\n"), name="t.yaml")
    return [str(problem).removeprefix("t.yaml:") for problem in caught.value.problems]


GOOD = """\
trial: t-1
title: T
arms:
  cm: {program: va-prize, ratio: 2}
  usual: {program: cpit-pregnancy}
blocks: [3, 6]
strata:
  site: [a, b]
"""

WRONG = [
    (
        "blocks: [3, 6]",
        "blocks: [3, 4]",
        ["6:13: error: blocks.1: expected a multiple of 3, the sum of all ratios, got 4"],
    ),
    ("blocks: [3, 6]", "blocks: [3, 3]", ["6:13: error: blocks.1: 3 is listed already"]),
    ("blocks: [3, 6]", "blocks: 6", ["6:9: error: blocks: expected a list, such as [6], got 6"]),
    ("blocks: [3, 6]", "blocks: []", ["6:9: error: blocks: expected something here, got nothing"]),
    ("blocks: [3, 6]", "blocks: [0]", ["6:10: error: blocks.0: expected at least 1, got 0"]),
    (
        "blocks: [3, 6]",
        "block: [3, 6]",
        [
            "1:1: error: the key 'blocks' is missing",
            (
                "6:1: error: block: unknown key; did you mean 'blocks'? "
                "(known here: arms, blocks, sources, strata, summary, title, trial)"
            ),
        ],
    ),
    ("ratio: 2", "ratio: 2.5", ["4:34: error: arms.cm.ratio: expected a whole number, got 2.5"]),
    (
        "ratio: 2",
        "share: 2",
        [
            "4:27: error: arms.cm.share: unknown key (known here: program, ratio)",
            "6:10: error: blocks.0: expected a multiple of 2, the sum of all ratios, got 3",
        ],
    ),
    (
        "ratio: 2",
        "rato: 3",
        ["4:27: error: arms.cm.rato: unknown key; did you mean 'ratio'? (known here: program, ratio)"],
    ),
    ("  usual: {program: cpit-pregnancy}\n", "", ["4:3: error: arms: expected at least 2 of them, got 1"]),
    ("program: cpit-pregnancy", "ratio: 1", ["5:3: error: arms.usual: the key 'program' is missing"]),
    ("site: [a, b]", "site: [a]", ["8:9: error: strata.site: expected at least 2 of them, got 1"]),
    ("site: [a, b]", "site: [a, b, a]", ["8:16: error: strata.site.2: a is listed already"]),
    (
        "site: [a, b]",
        "site: [1, b]",
        ['8:10: error: strata.site.0: expected text, got 1; put it in quotation marks: "1"'],
    ),
    (
        "site: [a, b]",
        "Site: [a, b]",
        ["8:3: error: strata.Site: expected small letters, digits and hyphens, such as va-prize, got 'Site'"],
    ),
    (
        "trial: t-1",
        "trial: T 1",
        ["1:8: error: trial: expected small letters, digits and hyphens, such as va-prize, got 'T 1'"],
    ),
    ("title: T\n", "", ["1:1: error: the key 'title' is missing"]),
    (
        "title: T\n",
        "title: T\ntitle: U\n",
        ["3:1: error: title: 'title' is given twice; it is already on line 2"],
    ),
    ("title: T\n", "title:\n", ["2:1: error: title: has no value; give one or leave the key out"]),
    (
        "title: T\n",
        "title: [\n",
        [
            "4:5: error: this is not YAML: a list or a set of keys, opened on line 2, is not closed, or a comma is missing"
        ],
    ),
]


@pytest.mark.parametrize(("good", "wrong", "problems"), WRONG)
def test_a_malformed_trial_is_refused_where_it_is_wrong_and_in_these_words(
    good: str, wrong: str, problems: list[str]
) -> None:
    assert malformed(GOOD.replace(good, wrong)) == problems


def test_all_problems_of_a_trial_are_reported_at_once() -> None:
    text = GOOD.replace("[3, 6]", "[3, 4]").replace("title: T", "titel: T").replace("[a, b]", "[a, a]")
    assert [each.split(": error: ")[0] for each in malformed(text)] == ["1:1", "2:1", "6:13", "8:13"]


def test_more_strata_than_a_trial_can_fill_are_refused() -> None:
    levels = ", ".join(f"l{number}" for number in range(11))
    text = GOOD + "".join(f"  f{number}: [{levels}]\n" for number in range(3))
    assert malformed(text) == [
        "8:3: error: strata: expected at most 1000 strata, got 2662; leave a factor out"
    ]


@pytest.mark.parametrize("text", ["", "[]", "just words", "42"])
def test_a_text_that_is_no_mapping_of_keys_is_no_trial(text: str) -> None:
    assert malformed(text)


def test_a_file_that_is_not_there_or_not_in_utf_8_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match=r"gone.yaml:1:1: error: there is no such file"):
        load_trial(tmp_path / "gone.yaml")
    (tmp_path / "latin.yaml").write_bytes("trial: x\ntitle: Größe".encode("latin-1"))
    with pytest.raises(TrialError, match=r"latin.yaml:2:10: error: this is not text in UTF-8"):
        load_trial(tmp_path / "latin.yaml")


def test_the_digest_says_what_a_trial_means_and_not_how_it_is_written() -> None:
    trial = parse_trial(GOOD)
    other = parse_trial(
        "strata: {site: [b, a]}\nblocks: [6, 3]\narms: {usual: {program: cpit-pregnancy, ratio: 1}, "
        'cm: {ratio: 2, program: va-prize}}\n# a comment\ntitle: "T"\ntrial: t-1\n'
    )
    assert trial_digest(trial) == trial_digest(other)
    assert trial_digest(parse_trial(GOOD.replace("ratio: 2", "ratio: 5").replace("3, 6", "6, 12"))) != (
        trial_digest(trial)
    )
    assert canonical_trial(parse_trial(canonical_trial(trial))) == canonical_trial(trial)


def test_trials_that_mean_the_same_allocate_the_same() -> None:
    """What the digest does not tell apart, no arm may depend on."""
    trial = parse_trial(GOOD)
    same = parse_trial(canonical_trial(trial))
    turned = trial.model_copy(update={"arms": dict(reversed(trial.arms.items())), "blocks": (6, 3)})
    for stratum in trial.all_strata():
        lists = [list(islice(allocations(each, SEED, stratum), 60)) for each in (trial, same, turned)]
        assert lists[0] == lists[1] == lists[2]


def test_strata_are_all_combinations_of_levels_by_names_that_cannot_be_mistaken() -> None:
    trial = trial_of({"a": 1, "b": 1}, [2], site=["x", "y"], age=["old", "young"])
    assert sorted(trial.all_strata()) == [
        "age=old,site=x", "age=old,site=y", "age=young,site=x", "age=young,site=y",
    ]  # fmt: skip
    assert list(PAIR.all_strata()) == ["all"]
    assert stratum_name({"b": "1", "a": "2"}) == stratum_name({"a": "2", "b": "1"})


# The oracle: the same allocation, from the words of the docstring alone


def by_hand(seed: bytes, message: str) -> int:
    """HMAC-SHA256 as RFC 2104 writes it."""
    key = seed.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(each ^ 0x36 for each in key) + message.encode()).digest()
    return int.from_bytes(hashlib.sha256(bytes(each ^ 0x5C for each in key) + inner).digest())


def drawn(seed: bytes, key: str, number: int, total: int) -> int:
    attempt = 0
    while True:
        found = by_hand(seed, f"{key}/{number}/{attempt}")
        if found // total < 2**256 // total:
            return found % total
        attempt += 1


def shuffled(arms: str, keys: Callable[[int], int]) -> str:
    """Shuffle text by taking its last letter from anywhere, then the one before it, and so on."""
    if len(arms) < 2:
        return arms
    place = keys(len(arms))
    last, rest = arms[place], arms[:place] + arms[-1:] + arms[place + 1 :]
    return shuffled(rest[: len(arms) - 1], keys) + last


def oracle(ratios: Mapping[str, int], sizes: Sequence[int], seed: bytes, stratum: str, many: int) -> str:
    """The arms of a stratum, each by one letter."""
    told, number = "", 0
    while len(told) < many:
        number += 1
        size = sorted(sizes)[drawn(seed, f"size/{stratum}", number, len(sizes))]
        times = size // sum(ratios.values())
        arms = "".join(arm * ratios[arm] * times for arm in sorted(ratios))
        told += shuffled(arms, lambda last, b=number: drawn(seed, f"place/{stratum}/{b}", last, last))  # type: ignore[misc]
    return told[:many]


RATIOS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 3), min_size=2, max_size=4)
SEEDS = st.binary(min_size=32, max_size=32)


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    ratios = draw(RATIOS)
    times = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True))
    return trial_of(ratios, [sum(ratios.values()) * each for each in times], site=["x", "y"])


def ratios_of(trial: Trial) -> dict[str, int]:
    return {name: arm.ratio for name, arm in trial.arms.items()}


@given(trials(), SEEDS, st.sampled_from(["site=x", "site=y"]))
@settings(max_examples=60)
def test_the_allocation_is_what_its_words_say(trial: Trial, seed: bytes, stratum: str) -> None:
    told = "".join(islice(allocations(trial, seed, stratum), 40))
    assert told == oracle(ratios_of(trial), trial.blocks, seed, stratum, 40)


# Laws of the allocation


@given(trials(), SEEDS)
@settings(max_examples=60)
def test_every_block_is_balanced_and_of_a_size_of_the_trial(trial: Trial, seed: bytes) -> None:
    told = allocations(trial, seed, "site=x")
    counted: Counter[str] = Counter()
    at = 0
    for number in range(1, 9):
        arms = block(trial, seed, "site=x", number)
        assert len(arms) in trial.blocks
        assert list(islice(told, len(arms))) == arms
        assert Counter(arms) == {
            name: ratio * len(arms) // trial.shares for name, ratio in ratios_of(trial).items()
        }
        counted.update(arms)
        at += len(arms)
        assert all(counted[name] * trial.shares == ratio * at for name, ratio in ratios_of(trial).items())


@given(trials(), SEEDS, st.integers(1, 120))
@settings(max_examples=60)
def test_arms_never_differ_by_more_than_a_block_allows(trial: Trial, seed: bytes, many: int) -> None:
    counts = Counter(islice(allocations(trial, seed, "site=y"), many))
    per_share = [counts[name] / ratio for name, ratio in ratios_of(trial).items()]
    assert max(per_share) - min(per_share) <= max(trial.blocks) / trial.shares


@given(trials(), SEEDS, st.integers(1, 60))
@settings(max_examples=60)
def test_any_place_is_drawn_again_from_nothing_but_itself(trial: Trial, seed: bytes, place: int) -> None:
    told = list(islice(allocations(trial, seed, "site=x"), place))
    assert allocation(trial, seed, "site=x", place) == told[-1]


def chi_square(counts: Counter[Any], kinds: int, each: float) -> float:
    return sum((count - each) ** 2 / each for count in counts.values()) + (kinds - len(counts)) * each


def seeds(many: int) -> Iterator[bytes]:
    return (hashlib.sha256(f"seed {number}".encode()).digest() for number in range(many))


def test_every_arrangement_of_a_block_is_as_likely_as_any_other() -> None:
    """Six arrangements of two and two: chi-square with five degrees of freedom, beyond 20.5 once in a thousand."""
    four = trial_of({"a": 1, "b": 1}, [4])
    counts = Counter("".join(block(four, seed, "all", 1)) for seed in seeds(6000))
    assert len(counts) == 6
    assert chi_square(counts, 6, 1000) < 20.5


def test_every_arrangement_of_three_arms_is_as_likely_as_any_other() -> None:
    """Six permutations, in a later block of another stratum."""
    three = trial_of({"a": 1, "b": 1, "c": 1}, [3], site=["x", "y"])
    counts = Counter("".join(block(three, seed, "site=y", 7)) for seed in seeds(6000))
    assert chi_square(counts, 6, 1000) < 20.5


def test_a_share_of_two_gets_two_places_of_three_wherever_they_are() -> None:
    """Three arrangements of two and one: chi-square with two degrees of freedom, beyond 13.8 once in a thousand."""
    counts = Counter("".join(block(trial_of({"a": 2, "b": 1}, [3]), seed, "all", 1)) for seed in seeds(3000))
    assert chi_square(counts, 3, 1000) < 13.8


def test_every_size_is_as_likely_as_any_other_and_says_nothing_of_the_next() -> None:
    """Pairs of sizes that follow one another: nine kinds, chi-square with eight degrees, beyond 26.1 once in a thousand."""
    trial = trial_of({"a": 1, "b": 1}, [2, 4, 6])
    pairs = Counter(
        tuple(len(block(trial, seed, "all", number)) for number in (1, 2)) for seed in seeds(4500)
    )
    assert chi_square(pairs, 9, 500) < 26.1


def test_two_strata_have_nothing_to_do_with_each_other() -> None:
    """The first arms of two strata: four pairs, chi-square with three degrees, beyond 16.3 once in a thousand."""
    trial = trial_of({"a": 1, "b": 1}, [4, 6], site=["x", "y"])
    pairs = Counter(
        (allocation(trial, seed, "site=x", 1), allocation(trial, seed, "site=y", 1)) for seed in seeds(4000)
    )
    assert chi_square(pairs, 4, 1000) < 16.3


def test_every_swap_of_the_shuffle_leads_to_another_arrangement() -> None:
    """Exactly: of all ways in which the places can be drawn, each permutation comes of one."""
    ways = [(second, third, fourth) for second in range(2) for third in range(3) for fourth in range(4)]
    told = Counter(shuffled("abcd", lambda last, way=way: way[last - 2]) for way in ways)  # type: ignore[misc]
    assert len(told) == 24
    assert set(told.values()) == {1}


# The record that a stranger checks


def recorded(trial: Trial, many: int) -> list[Allocation]:
    arms = islice(allocations(trial, SEED, "all"), many)
    return [Allocation(f"p-{place}", "all", place, arm) for place, arm in enumerate(arms, start=1)]


def wrong_with(record: Sequence[Allocation], seed: bytes = SEED) -> list[str]:
    return list(misallocated(PAIR, commitment(SEED), seed, record))


def test_a_record_that_is_true_has_nothing_wrong() -> None:
    assert wrong_with(recorded(PAIR, 30)) == wrong_with([]) == []


def test_a_record_with_another_seed_arm_place_stratum_or_participant_is_wrong() -> None:
    record = recorded(PAIR, 9)
    other = {"cm": "usual", "usual": "cm"}[record[4].arm]
    assert wrong_with(record, b"another") == [
        f"the seed is not the one committed to: its SHA-256 is {commitment(b'another')}, not {commitment(SEED)}"
    ]
    assert wrong_with([*record[:4], record[4]._replace(arm=other)]) == [
        f"participant 5 of all is allocated to {record[4].arm}; recorded is {other}"
    ]
    assert wrong_with([*record[:4], *record[5:]]) == [
        "participant 6 of all does not follow participant 4 of it"
    ]
    assert wrong_with([record[0]._replace(stratum="none")]) == ["there is no stratum 'none'"]
    assert wrong_with([record[0], record[1]._replace(participant="p-1")]) == [
        "participant 'p-1' is allocated twice"
    ]


# In an engine


def engine_on(storage: Storage | str, secret: bytes = SECRET) -> Engine:
    kept = open_storage(storage, {}) if isinstance(storage, str) else storage
    return Engine(storage=kept, zone="America/New_York", secret=secret, clock=now)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with engine_on("memory:") as opened:
        opened.open_trial(EXAMPLE, by="pi-1")
        yield opened


def allocate(engine: Engine, number: int = 1, **given: Any) -> Allocated:
    named = {"trial": TRIAL, "participant": f"p-{number}", "strata": STRATA, "start": START, "by": "nurse-7"}
    return engine.allocate(**{**named, "source": "redcap", "key": f"r-{number}", **given})


def rows_of(engine: Engine) -> Any:
    with engine._storage.reading() as tx:  # noqa: SLF001 - what is stored is what the test is about
        enrolled = [(row, tx.records(row.id), tx.standing(row.id)) for row in tx.enrollments()]
        journals = [(row, tx.records(row.enrollment)) for row in tx.journals()]
        return enrolled, journals, tx.programs(), tx.counts()


def test_a_trial_is_opened_with_its_programs_pinned_and_its_seed_committed_to(engine: Engine) -> None:
    found = engine.trial(TRIAL)
    assert found.trial == load_trial(EXAMPLE)
    assert (found.id, found.digest, found.is_closed, found.total) == (
        TRIAL,
        trial_digest(found.trial),
        False,
        0,
    )
    assert set(found.programs) == {"escalating", "fixed"}
    assert set(found.programs.values()) == set(engine.programs().values())
    assert len(found.commitment) == 64
    assert found.allocated == dict.fromkeys(found.trial.all_strata(), 0)
    assert engine.trials() == [found]


def test_a_participant_is_allocated_and_enrolled_in_the_program_of_the_arm(engine: Engine) -> None:
    told = [allocate(engine, number) for number in range(1, 7)]
    assert [each.place for each in told] == [1, 2, 3, 4, 5, 6]
    assert {each.stratum for each in told} == {"severity=mild,site=boston"}
    assert {each.arm for each in told} == {"escalating", "fixed"}
    programs = engine.trial(TRIAL).programs
    for each in told:
        assert each.enrollment == engine.enrollment(each.enrollment.id)
        assert (each.enrollment.program, each.enrollment.participant) == (
            programs[each.arm],
            each.participant,
        )
        assert (each.enrollment.start, each.enrollment.zone) == (START, "America/New_York")
    assert engine.verify().is_clean
    decision = engine.record(
        enrollment=told[0].enrollment.id, result="-", on=START, source="desk", key="u-1", by="nurse-7"
    )
    assert decision.outcome == "-"


def test_strata_are_counted_apart_and_never_by_arm(engine: Engine) -> None:
    for number in range(1, 6):
        allocate(engine, number, strata={**STRATA, "site": "boston" if number % 2 else "hartford"})
    found = engine.trial(TRIAL)
    assert found.total == 5
    assert found.allocated["severity=mild,site=boston"] == 3
    assert found.allocated["severity=mild,site=hartford"] == 2
    assert found.allocated["severity=severe,site=boston"] == 0


def test_the_statistician_has_the_arm_of_every_participant(engine: Engine) -> None:
    told = [allocate(engine, number) for number in range(1, 5)]
    assert engine.unblinded(TRIAL) == tuple(
        Allocation(each.participant, each.stratum, each.place, each.arm) for each in told
    )


def test_the_arms_are_those_of_the_pure_allocation(engine: Engine) -> None:
    told = [allocate(engine, number).arm for number in range(1, 15)]
    engine.close_trial(trial=TRIAL, why="all are in", by="pi-1")
    record = engine.reveal(TRIAL)
    assert told == list(islice(allocations(record.trial, record.seed, "severity=mild,site=boston"), 14))
    assert list(record.problems()) == []
    assert commitment(record.seed) == record.commitment == engine.trial(TRIAL).commitment


# Once for ever


def test_the_same_allocation_again_is_the_stored_one_and_writes_nothing(engine: Engine) -> None:
    first = allocate(engine)
    allocate(engine, 2)
    before = rows_of(engine)
    again = allocate(engine, strata=dict(reversed(STRATA.items())), by="nurse-9")
    assert again == first._replace(replayed=True)
    assert rows_of(engine) == before


def test_the_same_key_for_something_else_is_refused_and_shows_both(engine: Engine) -> None:
    allocate(engine)
    before = rows_of(engine)
    for other in (
        {"participant": "p-9"},
        {"strata": {**STRATA, "severity": "severe"}},
        {"start": date(2026, 1, 6)},
    ):
        with pytest.raises(KeyConflictError) as caught:
            allocate(engine, **other)
        assert '"participant":"p-1"' in caught.value.stored
    assert rows_of(engine) == before


def test_a_participant_under_another_key_is_refused_showing_what_is_stored(engine: Engine) -> None:
    told = allocate(engine)
    before = rows_of(engine)
    for other in ({}, {"strata": {**STRATA, "severity": "severe"}}, {"start": date(2026, 2, 2)}):
        with pytest.raises(AllocationError, match="participant 'p-1' is allocated already") as caught:
            allocate(engine, key="another", **other)
        stored = json.loads(caught.value.stored)
        assert (stored["key"], stored["strata"], stored["enrollment"]) == ("r-1", STRATA, told.enrollment.id)
    assert rows_of(engine) == before
    assert allocate(engine, 2).place == 2


def test_a_participant_may_be_in_two_trials(engine: Engine) -> None:
    engine.open_trial(load_trial(EXAMPLE).model_copy(update={"trial": "another"}), by="pi-1")
    allocate(engine)
    assert allocate(engine, trial="another", key="x").place == 1
    assert engine.verify().is_clean


def test_a_trial_is_opened_once(engine: Engine) -> None:
    first, before = engine.trial(TRIAL), rows_of(engine)
    assert engine.open_trial(EXAMPLE, by="pi-2") == first
    assert engine.open_trial(load_trial(EXAMPLE), by="pi-2") == first
    with pytest.raises(KeyConflictError):
        engine.open_trial(load_trial(EXAMPLE).model_copy(update={"blocks": (4,)}), by="pi-1")
    with pytest.raises(ReportError, match="opened under another key"):
        engine.open_trial(EXAMPLE, by="pi-1", key="another")
    assert rows_of(engine) == before


def test_a_closed_trial_allocates_nobody_and_still_tells_what_was(engine: Engine) -> None:
    told = allocate(engine)
    assert engine.close_trial(trial=TRIAL, why="all are in", by="pi-1").is_closed
    assert engine.close_trial(trial=TRIAL, why="all are in", by="pi-1").total == 1
    with pytest.raises(AllocationError, match="the trial is closed; nothing is changed"):
        allocate(engine, 2)
    assert allocate(engine) == told._replace(replayed=True)
    with pytest.raises(AllocationError, match="closed"):
        engine.close_trial(trial=TRIAL, why="again", by="pi-1", key="again")
    with pytest.raises(KeyConflictError):
        engine.close_trial(trial=TRIAL, why="another reason", by="pi-1")
    assert engine.verify().is_clean


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"strata": {"site": "boston"}}, "strata: expected a level of severity and of site, got site"),
        ({"strata": None}, "strata: expected a level of severity and of site, got none"),
        ({"strata": {**STRATA, "age": "old"}}, "got site, severity, age"),
        (
            {"strata": {**STRATA, "site": "bostn"}},
            "site: expected boston or hartford, got 'bostn'; did you mean 'boston'?",
        ),
        ({"strata": "boston"}, "strata: expected the level of each factor"),
        ({"participant": ""}, "participant: expected text"),
        ({"start": "2026-01-05"}, "start: expected a date"),
        ({"zone": "Boston"}, "there is no time zone 'Boston'"),
        ({"source": "@trial/x"}, "kept for journals"),
        ({"by": ""}, "by: expected text"),
        ({"key": ""}, "key: expected text"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_trial_is_refused_and_nothing_is_written(
    engine: Engine, wrong: dict[str, Any], words: str
) -> None:
    before = rows_of(engine)
    with pytest.raises(ReportError) as caught:
        allocate(engine, **wrong)
    assert words in str(caught.value)
    assert rows_of(engine) == before


@pytest.mark.parametrize("name", ["trial", "unblinded", "reveal"])
def test_a_trial_that_was_never_opened_is_said_to_be_absent(engine: Engine, name: str) -> None:
    with pytest.raises(JournalNotFoundError, match="no trial 'none'; open it first"):
        getattr(engine, name)("none")
    with pytest.raises(JournalNotFoundError, match="no trial 'none'"):
        allocate(engine, trial="none")


def test_programs_beside_the_file_are_found_and_those_that_are_nowhere_are_named(tmp_path: Path) -> None:
    file = tmp_path / "trial.yaml"
    file.write_text(GOOD.replace("cpit-pregnancy", "./mine.yaml"))
    with engine_on("memory:") as engine:
        with pytest.raises(ProgramNotFoundError, match=r"mine\.yaml"):
            engine.open_trial(file, by="pi-1")
        assert engine.programs() == {}
        text = (ROOT / "schedules/cm_engine_schedules/programs/cpit-pregnancy.yaml").read_text("utf-8")
        (tmp_path / "mine.yaml").write_text(text, "utf-8")
        assert len(engine.open_trial(file, by="pi-1").programs) == 2
        assert "cpit-pregnancy@1" in engine.programs()


def test_a_trial_without_strata_has_one(engine: Engine) -> None:
    found = engine.open_trial(PAIR.model_copy(update={"trial": "plain"}), by="pi-1")
    assert found.allocated == {"all": 0}
    assert allocate(engine, trial="plain", strata=None).stratum == "all"


# Concealment


def stored_text(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump())


def test_nothing_in_the_database_tells_the_next_arm(tmp_path: Path) -> None:
    path = tmp_path / "clinic.db"
    with engine_on(f"sqlite:///{path}") as engine:
        engine.open_trial(EXAMPLE, by="pi-1")
        for number in range(1, 4):
            allocate(engine, number)
        dumped, raw = stored_text(path), path.read_bytes() + (tmp_path / "clinic.db-wal").read_bytes()
        engine.close_trial(trial=TRIAL, why="to look", by="pi-1")
        seed = engine.reveal(TRIAL).seed
    assert seed.hex() not in dumped
    assert SECRET.hex() not in dumped
    assert seed not in raw
    assert SECRET not in raw
    assert seed.hex() not in stored_text(path)


def test_the_same_trial_in_another_database_is_allocated_otherwise() -> None:
    """Who rehearses a trial with the same secret learns nothing of the real one."""
    commitments, lists = set(), set()
    for _ in range(3):
        with engine_on("memory:") as engine:
            commitments.add(engine.open_trial(EXAMPLE, by="pi-1").commitment)
            lists.add(tuple(allocate(engine, number).arm for number in range(1, 25)))
    assert len(commitments) == len(lists) == 3


def test_without_the_secret_nobody_is_allocated_and_with_another_neither(engine: Engine) -> None:
    storage = engine._storage  # noqa: SLF001 - the same database
    before = rows_of(engine)
    with pytest.raises(SecretError, match="allocated with a secret"):
        allocate(engine_on(storage, b""))
    with pytest.raises(SecretError, match="another secret"):
        allocate(engine_on(storage, bytes(32)))
    with pytest.raises(SecretError, match="allocated with a secret"):
        engine_on("memory:", b"").open_trial(EXAMPLE, by="pi-1")
    assert rows_of(engine) == before


def test_who_has_no_secret_may_still_look_how_far_a_trial_is(engine: Engine) -> None:
    told = allocate(engine)
    without = engine_on(engine._storage, b"")  # noqa: SLF001 - the same database
    assert without.trial(TRIAL).total == 1
    assert allocate(without) == told._replace(replayed=True)


def test_how_far_a_trial_is_says_the_same_whatever_the_arms() -> None:
    shown = set()
    for number in range(4):
        with engine_on("memory:", bytes([number]) * 32) as engine:
            engine.open_trial(EXAMPLE, by="pi-1")
            arms = [allocate(engine, each).arm for each in range(1, 6)]
            shown.add((tuple(arms), repr(replace(engine.trial(TRIAL), commitment=""))))
    assert len({said for _, said in shown}) == 1
    assert len({arms for arms, _ in shown}) > 1


def test_the_seed_is_not_revealed_before_the_trial_is_closed(engine: Engine) -> None:
    with pytest.raises(AllocationError, match="its seed is revealed once it is closed"):
        engine.reveal(TRIAL)


def test_an_arm_is_never_told_in_a_transaction_that_can_be_undone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    with engine_on(url) as engine:
        engine.open_trial(EXAMPLE, by="pi-1")
        database = create_engine(url)
        with Session(database) as session, session.begin():
            joined = engine.joining(session)
            with pytest.raises(AllocationError, match="a transaction of its own, which nobody can undo"):
                allocate(joined)
        database.dispose()
        assert engine.trial(TRIAL).total == 0


# Whole, or not at all


def test_an_enrollment_that_is_refused_leaves_no_allocation_and_the_next_has_the_same_arm(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = allocate(engine)
    before = rows_of(engine)
    with monkeypatch.context() as patched:
        patched.setattr("cm_engine.trials.taking.new_id", lambda: first.enrollment.id)
        with pytest.raises(ReportError, match="is the id of another enrollment"):
            allocate(engine, 2)
    assert rows_of(engine) == before
    second = allocate(engine, 3)
    engine.close_trial(trial=TRIAL, why="to look", by="pi-1")
    assert (second.place, second.arm) == (
        2,
        allocation(load_trial(EXAMPLE), engine.reveal(TRIAL).seed, second.stratum, 2),
    )


@pytest.mark.parametrize("kind", ["enrollment", "journal"])
def test_a_storage_that_fails_in_the_middle_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with engine_on(database_url) as engine:
        engine.open_trial(EXAMPLE, by="pi-1")
        allocate(engine)
        before = rows_of(engine)
        append = engine._storage.transaction.append  # type: ignore[attr-defined] # noqa: SLF001 - to break it

        def failing(tx: Any, batch: Batch) -> None:
            append(tx, batch)
            if bool(batch.enrollments) == (kind == "enrollment"):
                raise RuntimeError

        with monkeypatch.context() as patched:
            patched.setattr(engine._storage.transaction, "append", failing)  # type: ignore[attr-defined] # noqa: SLF001
            with pytest.raises(RuntimeError):
                allocate(engine, 2)
        assert rows_of(engine) == before
        assert allocate(engine, 2).place == 2
        assert engine.verify().is_clean


# Many at once


def test_of_eight_threads_each_participant_has_a_place_of_its_own(database_url: str) -> None:
    with engine_on(database_url) as engine:
        engine.open_trial(EXAMPLE, by="pi-1")
        start = Barrier(8)

        def work(share: int) -> list[int]:
            start.wait()
            return [allocate(engine, 100 * share + each).place for each in range(5)]

        with ThreadPoolExecutor(8) as pool:
            places = [place for share in pool.map(work, range(1, 9)) for place in share]
        assert sorted(places) == list(range(1, 41))
        assert engine.trial(TRIAL).total == 40
        assert engine.verify().is_clean


def test_of_eight_threads_that_ask_for_the_same_participant_one_allocates(database_url: str) -> None:
    with engine_on(database_url) as engine:
        engine.open_trial(EXAMPLE, by="pi-1")
        start = Barrier(8)

        def work(share: int) -> str:
            start.wait()
            try:
                return allocate(engine, key=f"k-{share % 2}").enrollment.id
            except AllocationError:
                return "refused"

        with ThreadPoolExecutor(8) as pool:
            told = Counter(pool.map(work, range(8)))
        assert sorted(told.values()) == [4, 4]
        assert told["refused"] == 4
        assert engine.trial(TRIAL).total == 1
        assert engine.verify().is_clean


SHARE = """
import sys
from datetime import date
from cm_engine import Engine
url, share, strata = sys.argv[1], int(sys.argv[2]), {"site": "boston", "severity": "mild"}
with Engine.open(url, zone="America/New_York", secret=bytes(range(32))) as engine:
    sys.stdin.readline()
    for each in range(6):
        told = engine.allocate(
            trial="stimulant-rewards-2026", participant=f"p-{share}-{each}", strata=strata, start=date(2026, 1, 5),
            by="nurse", source="redcap", key=f"{share}-{each}",
        )
        print(told.place, told.arm)
"""


def test_of_four_processes_each_participant_has_a_place_of_its_own(database_url: str) -> None:
    with engine_on(database_url) as engine:
        engine.open_trial(EXAMPLE, by="pi-1")
        command = [sys.executable, "-c", SHARE, database_url]
        children = [
            subprocess.Popen([*command, str(share)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for share in range(4)
        ]
        said = [answer for answers in _all_at_once(children) for answer in answers]
        assert sorted(int(answer.split()[0]) for answer in said) == list(range(1, 25))
        assert engine.trial(TRIAL).total == 24
        told = sorted((each.place, each.arm) for each in engine.unblinded(TRIAL))
        assert [f"{place} {arm}" for place, arm in told] == sorted(
            said, key=lambda answer: int(answer.split()[0])
        )
        assert engine.verify().is_clean


def _all_at_once(children: Sequence["subprocess.Popen[str]"]) -> Iterator[list[str]]:
    """Let processes begin that wait for a line, and yield what each says."""
    for child in children:
        assert child.stdin
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        out, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        yield out.splitlines()


def test_who_came_second_tries_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Batch] = []
    written = MemoryTransaction.append

    def once(tx: MemoryTransaction, batch: Batch) -> None:
        calls.append(batch)
        if len(calls) == 2:
            raise StorageConflictError
        written(tx, batch)

    monkeypatch.setattr(MemoryTransaction, "append", once)
    assert allocate(engine).place == 1
    assert len(calls) == 4
    assert engine.verify().is_clean


# The audit


def rewritten(engine: Engine, change: Callable[[dict[str, Any]], None], seq: int = 2) -> list[str]:
    """Change a body of the trial's journal, write all its hashes anew, and audit."""
    storage = engine._storage  # noqa: SLF001 - to tamper with it
    with storage.reading() as tx:
        records, standing = tx.records(f"@trial/{TRIAL}"), tx.standing(f"@trial/{TRIAL}")
    assert standing
    body = json.loads(records[seq].body)
    change(body)
    records[seq] = records[seq]._replace(body=json.dumps(body, ensure_ascii=False, separators=(",", ":")))
    head = GENESIS
    for place, record in enumerate(records):
        head = hash_of(record[:-1], head)
        records[place] = record._replace(hash=head)
    tables: Any = storage._tables  # type: ignore[attr-defined] # noqa: SLF001 - of the storage in memory
    tables._records[standing.enrollment] = tuple(records)  # noqa: SLF001
    tables._standings[standing.enrollment] = standing._replace(head=head)  # noqa: SLF001
    return [str(each) for each in engine.verify().differences]


def test_an_arm_that_was_changed_is_found_though_every_hash_is_right(engine: Engine) -> None:
    told = [allocate(engine, number) for number in range(1, 4)]
    other = {"fixed": "escalating", "escalating": "fixed"}[told[1].arm]
    [found] = rewritten(engine, lambda body: body["led_to"].update(arm=other))
    assert found.startswith(f"@trial/{TRIAL}: record 2: enrolled is ('p-2', ")


def test_an_arm_and_its_enrollment_that_were_changed_together_are_found(engine: Engine) -> None:
    told = [allocate(engine, number) for number in range(1, 4)]
    other = {"fixed": "escalating", "escalating": "fixed"}[told[1].arm]
    tables: Any = engine._storage._tables  # type: ignore[attr-defined] # noqa: SLF001 - to tamper with it
    row = tables._enrollments[told[1].enrollment.id]  # noqa: SLF001
    program = engine.trial(TRIAL).programs[other]
    tables._enrollments[row.id] = row._replace(program=program)  # noqa: SLF001
    found = rewritten(engine, lambda body: body["led_to"].update(arm=other))
    assert (
        f"@trial/{TRIAL}: allocations: participant 2 of severity=mild,site=boston is allocated to {told[1].arm}; "
        f"recorded is {other}" in found
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"place": 7}, "record 2: it is refused when it is taken again"),
        ({"stratum": "severity=severe,site=boston"}, "record 2: it is refused when it is taken again"),
        ({"arm": "none"}, "record 2: it is refused when it is taken again"),
        ({"enrollment": "e-0"}, "record 2: enrolled is None"),
    ],
    ids=str,
)
def test_an_allocation_that_was_changed_is_found(engine: Engine, change: dict[str, Any], words: str) -> None:
    for number in range(1, 4):
        allocate(engine, number)
    found = rewritten(engine, lambda body: body["led_to"].update(change))
    assert found[0].startswith(f"@trial/{TRIAL}: {words}")


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["led_to"].update(nonce="00" * 16),
        lambda body: body["led_to"].update(commitment="00" * 32),
        lambda body: body["trial"].update(title="Another"),
        lambda body: body["trial"].update(blocks=[5]),
        lambda body: body["led_to"].pop("programs"),
    ],
)
def test_an_opening_that_was_changed_is_found(
    engine: Engine, change: Callable[[dict[str, Any]], None]
) -> None:
    allocate(engine)
    [found] = rewritten(engine, change, seq=0)
    assert found.startswith(f"@trial/{TRIAL}: ")


def test_an_allocation_that_was_removed_with_all_that_its_journal_says_of_it_is_found(engine: Engine) -> None:
    """The newest act of a log leaves no gap when it is gone, but its enrollment is still there."""
    allocate(engine)
    tables: Any = engine._storage._tables  # type: ignore[attr-defined] # noqa: SLF001 - to tamper with it
    name = f"@trial/{TRIAL}"
    records, standing = tables._records[name], tables._standings[name]  # noqa: SLF001
    allocate(engine, 2)
    tables = engine._storage._tables  # type: ignore[attr-defined] # noqa: SLF001
    tables._records[name], tables._standings[name] = records, standing  # noqa: SLF001
    [found] = engine.verify().differences
    assert str(found) == f"{name}: enrollments: it made 1, and 2 are its own"
    del tables._records[name], tables._standings[name]  # noqa: SLF001
    [found] = engine.verify().differences
    assert str(found) == f"{name}: journal: it is missing, and it made enrollments: 2"


def test_what_another_release_cached_of_a_trial_is_folded_again(engine: Engine) -> None:
    allocate(engine)
    tables: Any = engine._storage._tables  # type: ignore[attr-defined] # noqa: SLF001 - to write another layout
    name = f"@trial/{TRIAL}"
    for state in ("{}", '{"trial":{"trial":"x"}}', "of another layout"):
        tables._standings[name] = tables._standings[name]._replace(state=state)  # noqa: SLF001
        assert engine.trial(TRIAL).total == 1
    assert allocate(engine, 2).place == 2
    assert engine.verify().is_clean


def test_an_audit_without_the_secret_says_that_it_could_not_look(engine: Engine) -> None:
    allocate(engine)
    [found] = engine_on(engine._storage, b"").verify().differences  # noqa: SLF001 - the same database
    assert str(found).startswith(
        f"@trial/{TRIAL}: seed: not audited: participants of a trial are allocated with"
    )
    [found] = engine_on(engine._storage, bytes(32)).verify().differences  # noqa: SLF001 - the same database
    assert "the seed is not the one committed to" in str(found)


# The commands


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CM_ENGINE_DB", "sqlite:///clinic.db")
    monkeypatch.setenv("CM_ENGINE_SECRET", SECRET.hex())
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cm-engine", "trial", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return command


def allocating(number: int) -> list[str]:
    strata = ["--stratum", "site=boston", "--stratum", "severity=mild"]
    when = ["--start", "2026-01-05", "--zone", "America/New_York", "--by", "nurse-7"]
    return [
        "allocate",
        TRIAL,
        "--participant",
        f"p-{number}",
        *strata,
        *when,
        "--source",
        "redcap",
        "--key",
        f"{number}",
    ]


def test_a_trial_is_run_from_the_command_line_to_its_end(run: Run) -> None:
    code, out, err = run("check", str(EXAMPLE))
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == [
        "  escalating: 1 of 2, romanowich-2015-escalating",
        "  fixed: 1 of 2, romanowich-2015-fixed",
        "  4 strata, in blocks of 4 or 6",
    ]
    code, out, _ = run("open", str(EXAMPLE), "--by", "pi-1")
    assert code == 0
    assert out.startswith(f"Trial {TRIAL} is open, with the digest ")
    published = out.split()[-1]
    told = [json.loads(run(*allocating(number), "--json")[1]) for number in range(1, 4)]
    assert [each["place"] for each in told] == [1, 2, 3]
    again = run(*allocating(1))[1]
    assert "it came before, and nothing is written now" in again
    shown = json.loads(run("show", "--json")[1])["trials"]
    assert (shown[0]["participants"], shown[0]["commitment"], shown[0]["closed"]) == (3, published, False)
    assert "severity=mild,site=boston" in run("show")[1]
    assert run("reveal", TRIAL)[0] == 2
    assert (
        run("close", TRIAL, "--why", "all are in", "--by", "pi-1")[1]
        == f"Trial {TRIAL} is closed, with 3 participants.\n"
    )
    listed = json.loads(run("unblinded", TRIAL, "--json")[1])["allocations"]
    assert [each["arm"] for each in listed] == [each["arm"] for each in told]
    assert "p-3" in run("unblinded", TRIAL)[1]
    Path("record.json").write_text(run("reveal", TRIAL)[1], "utf-8")
    code, out, err = run("verify", "record.json", "--commitment", published)
    assert (code, out, err) == (
        0,
        "record.json: 3 allocations are what the seed allocates, and the seed is the one committed to\n",
        "",
    )


def test_a_record_that_is_not_true_is_named_and_ends_with_1(run: Run) -> None:
    run("open", str(EXAMPLE), "--by", "pi-1")
    run(*allocating(1))
    run("close", TRIAL, "--why", "all are in", "--by", "pi-1")
    record = json.loads(run("reveal", TRIAL)[1])
    arm = record["allocations"][0]["arm"]
    other = {"fixed": "escalating", "escalating": "fixed"}[arm]
    wrong = {**record, "allocations": [{**record["allocations"][0], "arm": other}]}
    Path("record.json").write_text(json.dumps(wrong), "utf-8")
    said = f"participant 1 of severity=mild,site=boston is allocated to {arm}; recorded is {other}"
    assert run("verify", "record.json") == (1, f"record.json: {said}\n", "")
    assert json.loads(run("verify", "record.json", "--json")[1]) == {"allocations": 1, "problems": [said]}
    Path("record.json").write_text(json.dumps(record), "utf-8")
    assert "the seed is not the one committed to" in run("verify", "record.json", "--commitment", "0" * 64)[1]
    Path("record.json").write_text(json.dumps({**record, "digest": "0" * 64}), "utf-8")
    assert "the digest is not that of the trial" in run("verify", "record.json")[1]
    Path("record.json").write_text(json.dumps({**record, "seed": "xyz"}), "utf-8")
    assert run("verify", "record.json")[0] == 2


def test_a_file_that_is_wrong_is_checked_with_all_its_problems(run: Run) -> None:
    Path("t.yaml").write_text(GOOD.replace("3, 6", "3, 4").replace("title", "titel"), "utf-8")
    code, out, _ = run("check", "t.yaml")
    assert code == 1
    assert out.splitlines() == [
        "t.yaml:1:1: error: the key 'title' is missing",
        (
            "t.yaml:2:1: error: titel: unknown key; did you mean 'title'? "
            "(known here: arms, blocks, sources, strata, summary, title, trial)"
        ),
        "t.yaml:6:13: error: blocks.1: expected a multiple of 3, the sum of all ratios, got 4",
    ]
    problems = json.loads(run("check", "t.yaml", "--json")[1])["problems"]
    assert [(each["line"], each["path"]) for each in problems] == [(1, ""), (2, "titel"), (6, "blocks.1")]
    code, _, err = run("open", "t.yaml", "--by", "pi-1")
    assert (code, len(err.splitlines())) == (2, 3)


def test_the_programs_of_a_file_are_checked_too(run: Run) -> None:
    text = GOOD.replace("program: va-prize", "program: va-prise").replace("cpit-pregnancy", "mine.yaml")
    Path("t.yaml").write_text(text, "utf-8")
    Path("mine.yaml").write_text("program: mine\n", "utf-8")
    code, out, _ = run("check", "t.yaml")
    assert code == 1
    assert (
        "t.yaml:4:17: error: arms.cm.program: no program 'va-prise' in the catalogue, and no such file; did you mean 'va-prize'?"
        in out
    )
    assert "t.yaml:5:20: error: arms.usual.program: mine.yaml is wrong, see there" in out
    assert "mine.yaml:1:1: error: the key 'targets' is missing" in out
    Path("t.yaml").write_text(GOOD.replace("va-prize", "va-prize@7").replace("3, 6", "3"), "utf-8")
    code, out, _ = run("check", "t.yaml")
    assert code == 0
    assert "note: all blocks have one size" in out


@pytest.mark.parametrize("wrong", ["boston", "=boston", "site=", "severity=mild"])
def test_a_stratum_that_is_no_factor_and_level_is_refused(run: Run, wrong: str) -> None:
    run("open", str(EXAMPLE), "--by", "pi-1")
    words = allocating(1)
    words[words.index("site=boston")] = wrong
    code, _, err = run(*words)
    assert code == 2
    assert err.startswith("--stratum: expected FACTOR=LEVEL, once for each factor")


def test_where_no_trial_is_open_it_is_said(run: Run) -> None:
    Engine.open("sqlite:///clinic.db").close()
    assert run("show") == (0, "No trial is open.\n", "")
    assert run("show", TRIAL)[2] == f"no trial {TRIAL!r}; open it first, with cm-engine trial open\n"


def test_what_only_a_database_knows_is_not_looked_for_in_files() -> None:
    trial, document = loading.read_trial(GOOD.replace("va-prize", "0" * 64), "t.yaml")
    assert list(loading.program_problems(trial, document, Path())) == []
