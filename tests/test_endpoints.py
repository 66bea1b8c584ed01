"""Endpoints from files, participants from words and from databases, survival of arms, and what is refused of all these."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.metadata import EntryPoint
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm_engine import (
    AmbiguousNameError,
    CmEngineError,
    Engine,
    Evidence,
    MissingDependencyError,
    ProgramNotAddedError,
    ReportError,
    catalogue,
    cli,
    parse_trial,
    shelf,
)
from cm_engine.endpoints import (
    Times,
    difference,
    endpoints,
    enrolled_people,
    load_endpoints,
    log_rank,
    parse_endpoints,
    read_words,
    set_names,
    survival,
)
from cm_engine.endpoints.telling import by_arm, compared, outcomes_of
from cm_engine.errors import EndpointsError, EndpointsNotFoundError, ResultsFileError

HEAD = "set: mine\ntitle: Mine\nsources: {own: {cite: ours}}\nendpoints:\n"
A = "  a: {says: A, source: own, missing: kept, "
RESULTS = "negative, positive, missing, mixed, refused, excused, given or any"
MEASURES = "count, share, run, time_to, last, score, reported, value"
NUMBER = "expected a number such as 4, 0.7 or 2/3"
VISITS = "expected visits such as 1-15, 15 or 4-"


@pytest.mark.parametrize(
    ("definitions", "problems"),
    [
        (
            f"{A}count: negativ}}",
            [f"5:51: endpoints.a.count: expected {RESULTS}, got 'negativ'; did you mean 'negative'?"],
        ),
        (
            f"{A}count: {{negative: half, bad: 1}}}}",
            [
                f"5:62: endpoints.a.count.negative: {NUMBER}, got 'half'",
                f"5:68: endpoints.a.count.bad: expected {RESULTS}, got 'bad'",
            ],
        ),
        (
            f"{A}count: {{given: 1, mixed: 0.5}}}}",
            [
                "5:62: endpoints.a.count.mixed: mixed counts something by a key above already; say each result once"
            ],
        ),
        (f"{A}share: [negative, foo]}}", [f"5:62: endpoints.a.share.1: expected {RESULTS}, got 'foo'"]),
        (
            f"{A}count: negative, share: negative}}",
            [
                (
                    f"5:3: endpoints.a: expected one thing that is measured, by one of the keys {MEASURES}, all, event_of; "
                    "got count and share"
                )
            ],
        ),
        (
            f"{A}all: [{{at_least: 1}}]}}",
            [
                f"5:50: endpoints.a.all.0: expected one thing that is measured, by one of the keys {MEASURES}; got none"
            ],
        ),
        (
            f"{A}all: [{{count: negative}}]}}",
            [
                "5:50: endpoints.a.all.0: expected at_least or at_most beside what is measured: how much it has to be"
            ],
        ),
        (
            "  a: {says: A, source: own, count: negative}",
            [
                (
                    "5:3: endpoints.a: the key 'missing' is missing: say how a missing visit is read, such as positive, "
                    "left out or kept"
                )
            ],
        ),
        (
            "  a: {says: A, source: won, missing: kept, count: negative}",
            ["5:24: endpoints.a.source: 'won' is not listed under sources; did you mean 'own'?"],
        ),
        (
            "  a b: {says: A, source: own, missing: kept, count: negative}",
            [
                "5:3: endpoints.a b: expected a letter, then letters, digits, _ or -, such as longest_run, got 'a b'"
            ],
        ),
        (
            "  a: {says: A, source: own, event_of: b}",
            ["5:39: endpoints.a.event_of: there is no endpoint 'b'"],
        ),
        (
            f"{A}run: negative}}\n  e: {{says: E, source: own, event_of: a}}",
            ["6:39: endpoints.e.event_of: expected an endpoint with the key time_to, got 'a'"],
        ),
        (
            f"{A}time_to: {{of: positive, count: 3, window: 2}}}}",
            ["5:86: endpoints.a.time_to.window: expected at least 3, as count says, got 2"],
        ),
        (
            "  a: {says: A, source: own, time_to: {event: job started}}",
            [
                "5:38: endpoints.a.time_to: what is reported comes on a day: expected unit: days beside it, and no window"
            ],
        ),
        (
            f"{A}time_to: {{count: 2}}}}",
            [
                (
                    "5:53: endpoints.a.time_to: expected of, with results of visits, or event, with what is reported; "
                    "one of them"
                )
            ],
        ),
        (
            f"{A}steps: [{{keep: 15-1}}, {{keep: x}}], count: negative}}",
            [
                "5:59: endpoints.a.steps.0.keep: expected the first visit before the last, got 15-1",
                f"5:73: endpoints.a.steps.1.keep: {VISITS}, got 'x'",
            ],
        ),
        (
            f"{A}steps: [{{keep: 1-5, until: given}}], count: negative}}",
            [
                (
                    "5:52: endpoints.a.steps.0: expected one of keep, until and planned, got keep and until; "
                    "make a step of each"
                )
            ],
        ),
        (
            f"{A}steps: [{{keep: 1-5, others: previous}}], count: negative}}",
            [
                "5:52: endpoints.a.steps.0: others says what becomes of visits outside a plan; it stands beside planned only"
            ],
        ),
        (f"{A}count: negative, at_least: five}}", [f"5:71: endpoints.a.at_least: {NUMBER}, got 'five'"]),
        (
            f"{A}count: negative, at_least: 5, at_most: 4}}",
            ["5:83: endpoints.a.at_most: expected at least 5, as at_least says, got 4"],
        ),
        (
            f"{A}count: negative, unit: days}}",
            ["5:67: endpoints.a.unit: days can be told of run, time_to, last only; take it out"],
        ),
        (
            f"{A}score: {{worth: positive, weights: {{1-3: 1, 2: 2, 5-: 1, x: 1, 7: heavy}}}}}}",
            [
                "5:87: endpoints.a.score.weights.2: some of these visits have a weight already; say each once",
                (
                    "5:93: endpoints.a.score.weights.5-: expected the last visit too, such as 13-15: all that can be reached "
                    "is counted by them"
                ),
                f"5:100: endpoints.a.score.weights.x: {VISITS}, got 'x'",
                f"5:109: endpoints.a.score.weights.7: {NUMBER}, got 'heavy'",
            ],
        ),
        (
            f"{A}score: {{worth: {{positive: 0}}, weights: {{1-3: 1}}}}}}",
            ["5:51: endpoints.a.score: expected a result and a visit that count more than 0"],
        ),
        (
            f"{A}time_to: positive, subtract_from: visits}}",
            [
                (
                    "5:78: endpoints.a.subtract_from: expected a number: "
                    "this is not measured over the visits that are left"
                )
            ],
        ),
        (
            f"{A}run: negative, otherwise: 1}}",
            ["5:70: endpoints.a.otherwise: otherwise says nothing here; take it out"],
        ),
        (
            f"{A}time_to: positive}}\n  e: {{says: E, source: own, event_of: a, at_least: 1}}",
            ["6:52: endpoints.e.at_least: at_least says nothing here; take it out"],
        ),
        (
            "  a:\n  - x: : y",
            [
                (
                    "6:8: this is not YAML: a colon where none can stand; check the blanks at the beginning of this line and of the one above, "
                    "or put the text in quotation marks"
                )
            ],
        ),
        (
            f"{A}count: {{positive: 1, positive: 2}}}}",
            ["5:65: endpoints.a.count.positive: 'positive' is given twice; it is already on line 5"],
        ),
    ],
)
def test_a_malformed_definition_is_refused_where_it_is_wrong_and_in_these_words(
    definitions: str, problems: list[str]
) -> None:
    with pytest.raises(EndpointsError) as caught:
        parse_endpoints(HEAD + definitions, name="m.yaml")
    found = [
        f"{p.line}:{p.column}: {p.path}: {p.message}".replace(": : ", ": ") for p in caught.value.problems
    ]
    assert found == problems
    assert {problem.file for problem in caught.value.problems} == {"m.yaml"}


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        EndpointsError, match=r"5:44: error: endpoints.a.cuont: unknown key; did you mean 'count'\?"
    ):
        parse_endpoints(f"{HEAD}{A}cuont: negative}}")


@given(st.text(max_size=60))
def test_whatever_stands_in_a_definition_it_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(EndpointsError) as caught:  # text at random defines nothing
        parse_endpoints(f"{HEAD}  a: {{{text}}}", name="m.yaml")
    assert all(problem.line >= 1 and problem.column >= 1 for problem in caught.value.problems)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EndpointsError, match="there is no such file, or it cannot be read"):
        load_endpoints(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes("set: größe".encode("latin-1"))
    with pytest.raises(EndpointsError, match=r"latin.yaml:1:8: error: this is not text in UTF-8"):
        load_endpoints(tmp_path / "latin.yaml")


def test_a_set_that_nobody_offers_is_refused_with_those_there_are() -> None:
    with pytest.raises(EndpointsNotFoundError) as caught:
        endpoints("ctn-0049")
    assert str(caught.value) == ("no file, and no set of endpoints 'ctn-0049'; did you mean 'ctn-0094'?")


def test_a_set_with_a_name_like_no_other_is_refused_with_those_there_are() -> None:
    with pytest.raises(EndpointsNotFoundError, match="'zzz'; there are contingency-management, ctn-0094"):
        endpoints("zzz")


def offer(folder: Path, package: str, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for an installed distribution that declares the entry point, and has endpoints only."""
    sets = folder / package / "endpoints"
    sets.mkdir(parents=True)
    (folder / package / "__init__.py").touch()
    file = sets / f"{name}.yaml"
    file.write_text(f"{HEAD.replace('mine', name)}{A}count: negative}}", "utf-8")
    monkeypatch.syspath_prepend(folder)
    points = (EntryPoint("c", "cm_engine_schedules", shelf.GROUP), EntryPoint("t", package, shelf.GROUP))
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: points if group == shelf.GROUP else ()
    )
    return file


def test_a_strangers_package_adds_its_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "county_endpoints", "county", monkeypatch)
    assert set_names() == ("contingency-management", "county", "ctn-0094")
    assert endpoints("county").title == "Mine"
    assert "va-prize" in catalogue.program_ids()


def test_a_set_that_two_packages_offer_is_refused_with_both_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path, "state_endpoints", "ctn-0094", monkeypatch)
    with pytest.raises(AmbiguousNameError, match="cm_engine_schedules and state_endpoints"):
        endpoints("ctn-0094")


def test_a_shipped_set_has_the_name_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = offer(tmp_path, "odd_endpoints", "odd", monkeypatch)
    file.write_text(f"{HEAD}{A}count: negative}}", "utf-8")
    with pytest.raises(
        EndpointsError,
        match=r"odd_endpoints/endpoints/odd.yaml:1:6: error: set: expected the name of the file",
    ):
        endpoints("odd")


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        ("", ["1:1: expected a header, such as participant,results, got nothing; add one"]),
        (
            "participant,word\na,-",
            [
                "1:1: expected the column results once, got it not among participant, word; name it in the header"
            ],
        ),
        (
            "participant,results,results\n",
            ["1:1: expected the column results once, got it twice; name it in the header"],
        ),
        (
            "participant,results\na,--x-\nb,-\n",
            [
                (
                    "2:5: results: result 3 is 'x'; expected - met, + positive, o missed, e excused, * invalid, r refused, "
                    "_ not required"
                )
            ],
        ),
        (
            'participant,results\n"a","-O"\n',
            [
                (
                    "2:7: results: result 2 is 'O'; expected - met, + positive, o missed, e excused, * invalid, r refused, "
                    "_ not required"
                )
            ],
        ),
        (
            "participant,results\na,-\nb,-\na,+\n",
            ["4:1: participant: 'a' is on line 2 already; take one of them out"],
        ),
        (
            "participant,results\n,-\n",
            ["2:1: participant: expected the id of a participant, got nothing; say whose it is"],
        ),
        ("participant,results\na,-,-\n", ["2:1: expected 2 cells, as the header has, got 3: a,-,-"]),
        ('participant,results\na,"-\n', ["2:1: this is not CSV: unexpected end of data"]),
        (
            "participant;results;target\na;-;x\na;-;y\na;+;x\n",
            ["4:1: participant: 'a' is on line 2 already; take one of them out"],
        ),
    ],
)
def test_a_wrong_file_of_words_is_refused_with_every_place(lines: str, problems: list[str]) -> None:
    with pytest.raises(ResultsFileError) as caught:
        read_words(BytesIO(lines.encode()))
    found = [
        f"{p.line}:{p.column}: {p.path}: {p.message}".replace(": : ", ": ") for p in caught.value.problems
    ]
    assert found == problems


def test_every_wrong_line_is_told_and_not_only_the_first() -> None:
    with pytest.raises(ResultsFileError) as caught:
        read_words(BytesIO(b"participant,results,group\na,-x,1\nb,y,\nc,-,\n"), arm="group")
    assert [(p.line, p.column, p.path) for p in caught.value.problems] == [
        (2, 4, "results"),
        (3, 3, "results"),
        (3, 5, "group"),
        (4, 5, "group"),
    ]


def test_several_targets_of_one_participant_are_one_person() -> None:
    file = b"participant,results,target\na,--,smoking\na,-o,attendance\n"
    [person] = read_words(BytesIO(file), target="attendance", every=7)
    assert {name: visits.word for name, visits in person.timeline.visits.items()} == {
        "": "-o",
        "smoking": "--",
        "attendance": "-o",
    }
    assert person.timeline.until == 7
    [person] = read_words(BytesIO(file))
    assert "" not in person.timeline.visits


# --- over the enrollments of a database


START = date(2026, 1, 5)
STEPS = "template-job-school-housing"
ZONE = "America/New_York"


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine.open("memory:", zone=ZONE, secret=bytes(32)) as opened:
        yield opened


class Clinic:
    """Reports what is told of enrollments, each under a key of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.count = engine, 0

    def enroll(self, who: str, program: str) -> None:
        digest = self.engine.add_program(program)
        self.engine.enroll(participant=who, program=digest, start=START, by="n", id=f"e-{who}")

    def told(self, who: str, day: int, **seen: object) -> int:
        self.count += 1
        done = self.engine.record(
            enrollment=f"e-{who}",
            on=START + timedelta(days=day),
            source="s",
            key=str(self.count),
            by="n",
            **seen,  # type: ignore[arg-type]
        )
        return done.record


def values(
    engine: Engine, name: str = "contingency-management", **asked: str
) -> dict[str, dict[str, object]]:
    found = outcomes_of(endpoints(name), enrolled_people(engine, **asked))
    return {each.person.id: dict(each.values) for each in found}


def test_outcomes_of_an_enrollment_follow_its_decisions_and_reports(engine: Engine) -> None:
    clinic = Clinic(engine)
    clinic.enroll("ann", STEPS)
    for week, result in enumerate("--o-"):
        clinic.told("ann", 7 * week, result=result)
    clinic.told("ann", 9, event="job started")
    clinic.told("ann", 15, event="lease signed")
    [found] = values(engine).values()
    expected = {
        "longest_abstinence": 2,
        "longest_abstinence_days": 8,
        "percent_negative_missing_positive": 75.0,
        "percent_negative_missing_missing": 100.0,
        "days_to_lapse": 14,
        "lapse": 1,
        "days_to_relapse": 7,
        "relapse": 0,
        "percent_attended": 75.0,
        "days_retained": 21,
        "employment": True,
        "days_to_employment": 9,
        "employed": 1,
        "employment_90_days": False,
        "housing": True,
        "school": False,
        "phq9_first": None,
    }
    assert {name: found[name] for name in expected} == expected


WINDOWS = """
program: windows
version: "1"
title: Windows
currency: USD
visits: [{weeks: 1-6, days: [monday, thursday]}]
windows: {before: 1, after: 1}
targets: {cocaine: {behavior: abstinence, schedule: [{weeks: 1-6, fixed: 1.00}]}}
"""


def test_visits_that_nobody_came_to_are_missing_until_a_result_of_them_comes_late(tmp_path: Path) -> None:
    (tmp_path / "windows.yaml").write_text(WINDOWS, "utf-8")
    with Engine.open("memory:", zone=ZONE, clock=lambda: datetime(2026, 1, 20, 12, tzinfo=UTC)) as engine:
        clinic = Clinic(engine)
        clinic.enroll("ann", str(tmp_path / "windows.yaml"))
        words = []
        for day, result in ((0, "-"), (11, "+"), (3, "-"), (5, "-")):
            clinic.told("ann", day, result=result)
            words.append(enrolled_people(engine)[0].timeline.visits[""])
    assert [visits.word for visits in words] == ["-", "-oo+", "--o+", "--o+"]  # the last fits no visit
    assert words[-1].days == (0, 3, 7, 11)


def test_who_never_reports_a_job_is_followed_to_the_last_day_known(engine: Engine) -> None:
    clinic = Clinic(engine)
    clinic.enroll("ann", STEPS)
    clinic.told("ann", 0, result="-")
    clinic.told("ann", 12, event="lease signed")
    [found] = values(engine).values()
    assert (found["days_to_employment"], found["employed"]) == (12, 0)


def test_a_correction_changes_the_outcomes_and_a_withdrawal_takes_them_back(engine: Engine) -> None:
    clinic = Clinic(engine)
    clinic.enroll("ann", STEPS)
    first = clinic.told("ann", 0, result="+")
    clinic.told("ann", 7, result="-")
    job = clinic.told("ann", 8, event="job started")
    engine.amend(enrollment="e-ann", record=first, result="-", why="typo", source="s", key="a", by="n")
    engine.void(enrollment="e-ann", record=job, why="another person", source="s", key="v", by="n")
    [found] = values(engine).values()
    assert (found["longest_abstinence"], found["lapse"], found["employment"]) == (2, 0, False)


def test_questionnaires_have_their_first_and_last_score_and_the_change(
    engine: Engine, tmp_path: Path
) -> None:
    program = catalogue.source(STEPS).replace(
        "milestones:\n",
        "milestones:\n"
        "  mood: {says: Better, when: {event: phq-9, criterion: {fall: {share: 0.50, since: baseline}}}, amount: 5.00}\n",
    )
    (tmp_path / "p.yaml").write_text(program.partition("cases:")[0], "utf-8")
    clinic = Clinic(engine)
    clinic.enroll("ann", str(tmp_path / "p.yaml"))
    scores = [
        clinic.told("ann", day, event="phq-9", evidence=Evidence(value=Decimal(score)))
        for day, score in ((0, 18), (28, 12), (56, 9))
    ]
    [found] = values(engine).values()
    assert (found["phq9_first"], found["phq9_last"], found["phq9_change"]) == (18, 9, -9)
    engine.amend(
        enrollment="e-ann",
        record=scores[-1],
        event="phq-9",
        evidence=Evidence(value=Decimal(10)),
        why="typo",
        source="s",
        key="k",
        by="n",
    )
    [found] = values(engine).values()
    assert (found["phq9_last"], found["phq9_change"]) == (10, -8)


def test_a_program_is_chosen_by_its_id_its_version_or_its_digest(engine: Engine) -> None:
    clinic = Clinic(engine)
    clinic.enroll("ann", STEPS)
    clinic.enroll("ben", "california-recovery-incentives")
    digest = engine.programs()[f"{STEPS}@1"]
    for name in (STEPS, f"{STEPS}@1", digest):
        assert list(values(engine, program=name)) == ["ann"]
    assert set(values(engine)) == {"ann", "ben"}
    with pytest.raises(ProgramNotAddedError):
        enrolled_people(engine, program="va-prize")


def test_a_participant_of_two_programs_is_told_by_enrollment(engine: Engine) -> None:
    clinic = Clinic(engine)
    clinic.enroll("ann", STEPS)
    engine.add_program("california-recovery-incentives")
    engine.enroll(participant="ann", program="california-recovery-incentives", start=START, by="n", id="e-2")
    assert set(values(engine)) == {"e-ann", "e-2"}
    assert set(values(engine, program=STEPS)) == {"ann"}


def test_the_word_of_an_enrollment_is_that_of_its_published_endpoints(engine: Engine) -> None:
    clinic = Clinic(engine)
    clinic.enroll("ann", "california-recovery-incentives")
    word = "-o+--r-e*--"
    for visit, result in enumerate(word):
        clinic.told("ann", 7 * (visit // 2) + 3 * (visit % 2), result=result)
    [person] = enrolled_people(engine)
    assert person.timeline.visits["stimulants"].word == word
    by_word = outcomes_of(
        endpoints("ctn-0094"), read_words(BytesIO(f"participant,results\nann,{word}\n".encode()))
    )
    assert values(engine, "ctn-0094")["ann"] == by_word[0].values


def test_arms_of_a_trial_are_those_of_its_allocation(engine: Engine) -> None:
    arms = f"{{work: {{program: {STEPS}}}, vouchers: {{program: california-recovery-incentives}}}}"
    engine.open_trial(parse_trial(f"{{trial: t, title: T, arms: {arms}, blocks: [2]}}"), by="pi")
    told = {
        who: engine.allocate(trial="t", participant=who, start=START, by="n", source="s", key=who).arm
        for who in ("ann", "ben", "eve", "joe")
    }
    Clinic(engine).enroll("other", STEPS)
    assert {each.id: each.arm for each in enrolled_people(engine, trial="t")} == told
    assert {each.arm for each in enrolled_people(engine)} == {STEPS, "california-recovery-incentives"}


# --- survival, and how arms differ

MERCAPTOPURINE = Times(
    (6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35),
    tuple(each == "1" for each in "111010100110001100000"),
)
PLACEBO = Times((1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23), (True,) * 21)
"""Remissions of leukemia (Freireich and others 1963, Blood 21, 699): the textbook's example of both methods."""


def test_the_survival_of_a_published_trial_is_as_published() -> None:
    curve = survival(MERCAPTOPURINE)
    by_time = {each.time: each for each in curve.moments}
    assert {time: round(by_time[time].survival, 3) for time in (6, 7, 10, 13, 16, 22, 23)} == {
        6: 0.857,
        7: 0.807,
        10: 0.753,
        13: 0.690,
        16: 0.627,
        22: 0.538,
        23: 0.448,
    }
    assert (by_time[6].at_risk, by_time[6].events, by_time[6].censored) == (21, 3, 1)
    assert (curve.median, survival(PLACEBO).median) == (23, 8)
    assert (round(by_time[6].low, 3), round(by_time[6].high, 3)) == (0.620, 0.952)


def test_the_log_rank_test_of_a_published_trial_is_as_published() -> None:
    found = log_rank([MERCAPTOPURINE, PLACEBO])
    assert (round(found.chi_square, 2), found.freedom, round(found.p, 6)) == (16.79, 1, 0.000042)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=25))
def test_a_survival_table_accounts_for_everybody_and_never_rises(seen: list[tuple[int, bool]]) -> None:
    curve = survival(Times(tuple(time for time, _ in seen), tuple(came for _, came in seen)))
    assert sum(each.events + each.censored for each in curve.moments) == len(seen) == curve.people
    left, share = len(seen), 1.0
    for each in curve.moments:
        assert each.at_risk == left
        share *= 1 - each.events / each.at_risk
        assert each.survival == pytest.approx(share)
        assert 0 <= each.low <= each.survival + 1e-12
        assert each.survival - 1e-12 <= each.high <= 1
        left -= each.events + each.censored


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_a_difference_of_proportions_has_the_limits_that_newcombe_published(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    found = difference(first, second)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    back = difference(second, first)
    assert (back.low, back.high, back.p) == pytest.approx((-found.high, -found.low, found.p))


def test_nobody_is_no_arm() -> None:
    with pytest.raises(ReportError, match="somebody in each"):
        difference((0, 0), (1, 2))
    with pytest.raises(ReportError, match="takes two arms with somebody in them"):
        log_rank([PLACEBO, Times((), ())])
    with pytest.raises(ReportError, match="nobody in arm x has a time"):
        survival(Times((), ()), "x")


def test_a_missing_statsmodels_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.duration.survfunc", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "cm-engine\[survival\]"'):
        survival(PLACEBO)


def test_words_are_measured_without_statsmodels_and_without_sqlalchemy() -> None:
    code = (
        "import sys; from cm_engine.outcomes import Compiled; from cm_engine.endpoints import endpoints;"
        "Compiled(endpoints('ctn-0094')); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"statsmodels", "numpy", "pandas", "sqlalchemy"} & set(done.stdout.split()) == set()


def test_two_arms_differ_in_proportions_and_in_survival() -> None:
    lines = [f"{arm}{n},{word},{arm}" for arm, word in (("a", "------"), ("b", "--++++")) for n in range(10)]
    people = read_words(BytesIO("\n".join(["participant,results,arm", *lines]).encode()), arm="arm")
    arms = by_arm(outcomes_of(endpoints("ctn-0094"), people))
    found = {each.endpoint: each for each in compared(endpoints("ctn-0094"), arms)}
    run, relapse = found["Ab_ling_1998"], found["RsT_ctnNinetyFour_2023"]
    assert (run.first, run.second) == ("10 of 10 (100.0%)", "0 of 10 (0.0%)")
    assert run.difference
    assert run.difference.p < 0.001
    assert (relapse.first, relapse.second) == ("median not reached", "median 3")
    assert relapse.log_rank
    assert relapse.log_rank.chi_square == pytest.approx(19.0)
    with pytest.raises(ReportError, match="a comparison is of two arms; here are 1: a"):
        list(compared(endpoints("ctn-0094"), {"a": arms["a"]}))


# --- the command


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CM_ENGINE_DB", raising=False)
    monkeypatch.delenv("CM_ENGINE_SECRET", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "words.csv").write_text(
        "participant,results,arm\np-1,---oo-o-o-o+oo-,a\np-2,---------------,a\np-3,ooooooooooooooo,b\n",
        "utf-8",
    )

    def command(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["cm-engine", "outcomes", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return command


def test_the_command_prints_a_line_a_participant_and_a_column_an_endpoint(run: Run) -> None:
    done = run("words.csv", "--endpoints", "ctn-0094", "--format", "csv")
    assert (done.code, done.err) == (0, "")
    header, *rows = csv.reader(io.StringIO(done.out))
    assert header == ["participant", *endpoints("ctn-0094").endpoints]
    found = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert list(found) == ["p-1", "p-2", "p-3"]
    assert (found["p-2"]["Ab_ling_1998"], found["p-3"]["Ab_ling_1998"]) == ("TRUE", "FALSE")
    assert (found["p-2"]["Rd_lingA_1976"], found["p-3"]["Rd_lingA_1976"]) == ("120", "0")
    assert (found["p-1"]["RsT_schottenfeld_2008"], found["p-2"]["RsE_schottenfeld_2008"]) == ("11", "0")


def test_the_command_reproduces_the_published_file(run: Run, shared_data: Path) -> None:
    with (shared_data / "ctnote" / "endpoints.csv").open(encoding="utf-8") as file:
        published = list(csv.DictReader(file))
    lines = ["participant,results", *(f"{row['who']},{row['use_pattern']}" for row in published)]
    Path("all.csv").write_text("\n".join(lines), "utf-8")
    rows = list(csv.DictReader(io.StringIO(run("all.csv", "--endpoints", "ctn-0094", "--format", "csv").out)))
    assert [row["participant"] for row in rows] == [row["who"] for row in published]
    for row, theirs in zip(rows, published, strict=True):
        for name in list(theirs)[2:]:
            ours, cell = row[name], theirs[name]
            assert ours == cell or abs(float(ours) - float(cell)) <= 1e-9, (row["participant"], name)


def test_json_has_values_of_their_own_kind(run: Run) -> None:
    out = run(
        "words.csv",
        "--endpoints",
        "ctn-0094",
        "--format",
        "json",
        "--only",
        "Ab_ling_1998",
        "--only",
        "Rd_zaks_1972",
    ).out
    assert [json.loads(line) for line in out.splitlines()] == [
        {"participant": "p-1", "Ab_ling_1998": False, "Rd_zaks_1972": 7},
        {"participant": "p-2", "Ab_ling_1998": True, "Rd_zaks_1972": 15},
        {"participant": "p-3", "Ab_ling_1998": False, "Rd_zaks_1972": 0},
    ]


def test_the_table_of_a_cohort_has_a_column_an_arm(run: Run) -> None:
    done = run("words.csv", "--endpoints", "ctn-0094", "--arm", "arm")
    assert done.code == 0
    [line] = [line for line in done.out.splitlines() if "Ab_kosten_1993" in line]
    assert line.split()[-8:] == ["2", "of", "2", "(100.0%)", "0", "of", "1", "(0.0%)"]


def test_a_new_endpoint_needs_a_file_and_no_code(run: Run) -> None:
    Path("own.yaml").write_text(f"{HEAD}{A}run: negative, at_least: 15}}", "utf-8")
    assert (
        run("words.csv", "--endpoints", "own.yaml", "--format", "csv").out
        == "participant,a\np-1,FALSE\np-2,TRUE\np-3,FALSE\n"
    )


def test_a_survival_table_and_its_picture_are_of_an_arm_each(run: Run) -> None:
    done = run(
        "words.csv", "--endpoints", "ctn-0094", "--arm", "arm", "--format", "csv",
        "--survival", "RsT_ctnNinetyFour_2023", "--picture", "curves.svg",
    )  # fmt: skip
    assert done.out.splitlines() == [
        "arm,time,at_risk,events,censored,survival,low,high",
        "a,11,2,1,0,0.5,0.005983,0.91041",
        "a,12,1,0,1,0.5,0.005983,0.91041",
        "b,1,1,1,0,0,0,0",
    ]
    drawn = Path("curves.svg").read_text("utf-8")
    assert drawn.count("<path") == 2
    assert "a: 1 of 2 had it" in drawn


def test_a_survival_table_of_several_arms_ends_with_their_test(run: Run) -> None:
    asked = ("words.csv", "--endpoints", "ctn-0094", "--survival", "RsT_ctnNinetyFour_2023")
    assert run(*asked, "--arm", "arm").out.splitlines()[-1] == (
        "Log-rank test of the arms: chi-square 2.00, 1 degree of freedom, p 0.1573"
    )
    assert "Log-rank" not in run(*asked).out


def test_a_comparison_of_arms_is_told(run: Run) -> None:
    done = run(
        "words.csv",
        "--endpoints",
        "ctn-0094",
        "--arm",
        "arm",
        "--compare",
        "--format",
        "csv",
        "--only",
        "Ab_kosten_1993",
    )
    assert done.out.splitlines()[1] == (
        "Ab_kosten_1993,2 of 2 (100.0%),0 of 1 (0.0%),1.000 (-0.031 to 1.000),chi-square,0.0833"
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("words.csv", "--endpoints", "ctn-94"),
            "no file, and no set of endpoints 'ctn-94'; did you mean 'ctn-0094'?",
        ),
        (
            ("words.csv", "--endpoints", "ctn-0094", "--only", "Ab_Ling_1998"),
            "no endpoint 'Ab_Ling_1998'; did you mean 'Ab_ling_1998'?",
        ),
        (
            ("words.csv", "--endpoints", "ctn-0094", "--survival", "Ab_ling_1998"),
            "Ab_ling_1998: survival is of an endpoint with a time",
        ),
        (
            ("words.csv", "--endpoints", "contingency-management"),
            "--every: longest_abstinence_days, days_to_lapse,",
        ),
        (
            ("words.csv", "--endpoints", "ctn-0094", "--arm", "site"),
            "words.csv:1:1: error: expected the column site once",
        ),
        (("absent.csv", "--endpoints", "ctn-0094"), "absent.csv:1:1: error: cannot be read"),
        (("--endpoints", "ctn-0094"), "expected FILE, or --db URL: where the cohort is"),
        (
            ("words.csv", "--endpoints", "ctn-0094", "--compare"),
            "a comparison is of two arms; here are 1: no arm",
        ),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_one_line(run: Run, words: tuple[str, ...], error: str) -> None:
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)


def test_of_several_targets_one_has_to_be_chosen_that_somebody_has(run: Run) -> None:
    Path("two.csv").write_text("participant,results,target\na,--,smoking\na,-o,visits\nb,+,visits\n", "utf-8")
    asked = ("two.csv", "--endpoints", "ctn-0094", "--only", "Ab_fiellin_2006", "--format", "csv")
    assert run(*asked).err == "--target: expected one of smoking, visits, got none; say whose visits\n"
    assert run(*asked, "--target", "visit").err.startswith(
        "--target: expected one of smoking, visits, got 'visit'"
    )
    assert run(*asked, "--target", "smoking").out == "participant,Ab_fiellin_2006\na,2\nb,\n"
    assert run(*asked, "--target", "visits").out == "participant,Ab_fiellin_2006\na,1\nb,0\n"


def test_words_in_weeks_have_days_when_they_are_told(run: Run) -> None:
    done = run(
        "words.csv",
        "--endpoints",
        "contingency-management",
        "--every",
        "7",
        "--format",
        "csv",
        "--only",
        "days_to_lapse",
    )
    assert done.out == "participant,days_to_lapse\np-1,21\np-2,98\np-3,0\n"


def test_the_enrollments_of_a_database_are_measured(run: Run) -> None:
    with Engine.open("sqlite:///clinic.db", zone=ZONE, make=True) as engine:
        clinic = Clinic(engine)
        clinic.enroll("ann", STEPS)
        for week, result in enumerate("-+"):
            clinic.told("ann", 7 * week, result=result)
    asked = ("--db", "sqlite:///clinic.db", "--endpoints", "contingency-management", "--program", STEPS)
    done = run(*asked, "--format", "csv", "--only", "days_to_lapse", "--only", "employment")
    assert done.out == "participant,days_to_lapse,employment\nann,7,FALSE\n"
    assert run(*asked[:4], "--program", "none").err.startswith("program 'none' is not registered")


def test_every_refusal_is_an_error_of_the_engine() -> None:
    assert issubclass(EndpointsError, CmEngineError)
    assert issubclass(EndpointsNotFoundError, LookupError)
