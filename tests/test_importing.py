"""Results of another system come in from a file: all that is right, once, whatever interrupts it, and what is not says why."""

import csv
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm_engine import (
    CmEngineError,
    Engine,
    ReportError,
    ResultsError,
    ResultsFileError,
    SecretError,
    StorageBusyError,
    StorageFullError,
    cli,
    parse_program,
)
from cm_engine.importing import Imported, ImportStoppedError, import_results, results, staging
from cm_engine.importing.table import LINE_MAX
from cm_engine.importing.times import moment

COMMAND = Path(sys.executable).with_name("cm-engine")
CALIFORNIA = "california-recovery-incentives"
INTEGRATED = "template-integrated-care"
ZONE = "America/Los_Angeles"
START = date(2026, 1, 5)
NOW = datetime(2026, 10, 1, tzinfo=UTC)

SEVERAL = parse_program("""
program: several
version: "1"
title: Two targets and a limit
currency: USD
visits: [{weeks: 1-20, per_week: 7}]
targets:
  cocaine:
    behavior: abstinence
    schedule:
      - {weeks: 1-20, escalate: {start: 2, step: 1}, reset: {}, recover: {after: 2, paid: next, level: last earned}}
  visits: {behavior: attendance, schedule: [{weeks: 1-20, fixed: 3}]}
limits: [{amount: 60, per: month, crossing: truncate}]
""")


def with_several(url: str) -> Engine:
    """An engine with e-3 in the program of two targets."""
    engine = Engine.open(url, zone=ZONE, clock=lambda: NOW)
    engine.add_program(SEVERAL)
    engine.enroll(participant="p-2", program="several", start=START, by="n", id="e-3")
    return engine


def opened(url: str) -> Engine:
    """An engine with e-1 in California's program, and p-2 twice in others."""
    engine = with_several(url)
    engine.add_program(CALIFORNIA)
    engine.add_program(INTEGRATED)
    for name, participant, program in [
        ("e-1", "p-1", CALIFORNIA),
        ("e-2", "p-2", INTEGRATED),
        ("e-4", "p-4", CALIFORNIA),
    ]:
        engine.enroll(participant=participant, program=program, start=START, by="n", id=name)
    return engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with opened(f"sqlite:///{tmp_path / 'clinic.db'}") as engine:
        yield engine


def imported(engine: Engine, *lines: str, **options: Any) -> Imported:
    file = BytesIO("\n".join(lines).encode())
    return import_results(engine, file, **{"by": "import-1", **options})


def why(done: Imported) -> list[str]:
    return [str(each) for each in done.refused]


def reported(engine: Engine, enrollment: str = "e-1") -> list[Any]:
    return [dict(act.reported) for act in engine.history(enrollment=enrollment)[1:]]


def days(first: int, last: int) -> Iterator[str]:
    """Days of 2026, by their number."""
    return (str(date(2026, 1, 1) + timedelta(day)) for day in range(first, last))


# What is recorded


def test_every_line_is_recorded_and_decided(engine: Engine) -> None:
    done = imported(
        engine, "enrollment,result,on", "e-1,-,2026-01-05", "e-1,-,2026-01-08", "e-4,+,2026-01-05"
    )
    assert (done.lines, done.recorded, done.repeated, done.refused_lines, done.done) == (3, 3, 0, 0, 3)
    assert done.awarded == {"USD": Decimal("20.00")}
    assert engine.statement(enrollment="e-1").awarded == {"USD": Decimal("20.00")}
    assert engine.verify().is_clean


def test_a_line_is_recorded_as_record_records_it(engine: Engine) -> None:
    header = "enrollment,result,collected_at,resulted_at,key,source"
    imported(engine, header, "e-1,-,2026-01-05T09:30-08:00,2026-01-06 10:00:00+00:00,udt-1,lab")
    done = engine.record(
        enrollment="e-1",
        result="-",
        collected_at=datetime(2026, 1, 5, 9, 30, tzinfo=ZoneInfo(ZONE)),
        resulted_at=datetime(2026, 1, 6, 10, tzinfo=UTC),
        source="lab",
        key="udt-1",
        by="nurse",
    )
    assert done.replayed
    assert done.by == "import-1"


def test_evidence_is_read_from_its_columns(engine: Engine) -> None:
    header = "enrollment,target,on,panel.cocaine,panel.amphetamine,panel.methamphetamine,prescribed,condition,excuse"
    done = imported(
        engine,
        header,
        "e-2,stimulants,2026-01-05,-,+,-,amphetamine,,",
        "e-2,stimulants,2026-01-08,,,,,dilute | late,",
        "e-2,counselling,2026-01-08,,,,,,illness",
    )
    first = next(act for act in engine.history(enrollment="e-2") if act.kind == "observed")
    panel = [["cocaine", "-"], ["amphetamine", "+"], ["methamphetamine", "-"]]
    assert first.reported["evidence"] == {"panel": panel, "prescribed": ["amphetamine"]}
    assert first.outcome == "-"
    flawed = engine.history(enrollment="e-2")[2]
    assert flawed.reported["evidence"] == {"conditions": ["dilute", "late"]}
    assert why(done) == ["<file>:4:1: error: expected one result, a panel or a value, got ''"]


def test_an_event_a_result_and_more_stand_in_one_file(engine: Engine) -> None:
    done = imported(
        engine,
        "enrollment;target;result;event;presumptive;value;on",
        "e-2;;;intake;;;2026-01-05",
        "e-2;counselling;-;;no;;2026-01-06",
        "e-2;stimulants;-;;yes;;2026-01-07",
        "e-2;stimulants;;;;3.50;2026-01-08",
    )
    assert [each.get("evidence") for each in reported(engine, "e-2")] == [None, None, {"presumptive": True}]
    assert why(done) == [
        "<file>:5:5: error: target 'stimulants' has no criterion for a measured value in weeks 1-12"
    ]


def test_a_participant_stands_for_the_one_enrollment(engine: Engine) -> None:
    done = imported(
        engine,
        "participant,program,target,result,on",
        "p-1,,,-,2026-01-05",
        "p-2,several,visits,-,2026-01-05",
        f"p-2,{INTEGRATED}@1,counselling,-,2026-01-05",
    )
    assert done.recorded == 3, why(done)
    assert [len(reported(engine, name)) for name in ("e-1", "e-2", "e-3")] == [1, 1, 1]


def test_a_participant_with_several_enrollments_or_none_is_refused(engine: Engine) -> None:
    done = imported(
        engine,
        "participant,program,result,on",
        "p-2,,-,2026-01-05",
        "p-9,,-,2026-01-05",
        "p-1,several,-,2026-01-05",
        ",,-,2026-01-05",
    )
    assert why(done) == [
        (
            "<file>:2:1: error: participant: 'p-2' has 2 enrollments: "
            f"e-2 ({INTEGRATED}@1), e-3 (several@1); say which in a column enrollment"
        ),
        "<file>:3:1: error: participant: no enrollment of 'p-9'; enroll the participant first",
        "<file>:4:1: error: participant: no enrollment of 'p-1' in program 'several'; enroll the participant first",
        "<file>:5:1: error: participant: expected the id of the participant, got nothing; say whose result it is",
    ]
    assert engine.history(enrollment="e-1")[1:] == ()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_of_any_spreadsheet_is_read(engine: Engine, delimiter: str, end: str, mark: bytes) -> None:
    rows = [["Enrollment", " Result ", '"on"'], ['"e-1"', '" - "', "2026-01-05"], ["", "", ""], []]
    text = end.join(delimiter.join(row) for row in rows)
    done = import_results(engine, BytesIO(mark + text.encode()), by="i")
    assert (done.lines, done.recorded) == (1, 1), why(done)


def test_a_delimiter_may_be_stated(engine: Engine) -> None:
    lines = ["enrollment;result;on;panel.a,b,c,d", "e-1;-;2026-01-05;"]
    assert imported(engine, *lines, delimiter=";").recorded == 1
    assert imported(engine, "enrollment\tresult\ton", "e-4\t-\t2026-01-05", delimiter="tab").recorded == 1
    with pytest.raises(ResultsFileError, match=r"expected a delimiter that is one of , ; tab, got '\|'"):
        imported(engine, *lines, delimiter="|")


def test_a_stream_is_read_and_left_open(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "upload.csv"
    file.write_text("enrollment,result,on\ne-1,x,2026-01-05\n", "utf-8")
    with file.open("rb") as stream:
        [words] = why(import_results(engine, stream, by="i"))
        assert not stream.closed
    assert words.startswith(f"{file}:2:5: error: result: ")
    with TemporaryFile() as unnamed:
        unnamed.write(file.read_bytes())
        unnamed.seek(0)
        assert why(import_results(engine, unnamed, by="i"))[0].startswith("<file>:2:5: ")


def test_a_file_with_a_header_and_nothing_else_records_nothing(engine: Engine) -> None:
    assert imported(engine, "enrollment,result,on") == Imported()


# When it was


def test_a_local_time_is_read_in_the_zone_that_is_stated(engine: Engine) -> None:
    lines = ["enrollment,result,collected_at,zone", "e-1,-,2026-01-05T23:30,", "e-1,-,2026-01-08T23:30,UTC"]
    done = imported(engine, *lines, zone="enrollment")
    assert [each["at"][:16] for each in reported(engine)] == ["2026-01-06T07:30", "2026-01-08T23:30"]
    assert done.recorded == 2
    assert imported(engine, *lines, zone=ZONE).repeated == 2
    assert imported(engine, *lines, zone="Europe/Rome").repeated == 1


@pytest.mark.parametrize(
    ("text", "zone", "words"),
    [
        ("2026-03-08T02:30", "", "expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00, or the zone of local times: a column zone, or the option zone; got '2026-03-08T02:30'"),
        ("2026-03-08T02:30", ZONE, "2026-03-08T02:30 never was in America/Los_Angeles: clocks were put forward over it; expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00"),
        ("2025-11-02 01:30", ZONE, "2025-11-02 01:30 was twice in America/Los_Angeles: clocks were put back; say which, with its offset: -07:00 or -08:00"),
        ("2026-01-05", ZONE, "expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00, got '2026-01-05'"),
        ("5.1.2026 9:30", ZONE, "expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00, got '5.1.2026 9:30'"),
        ("0001-01-01T00:00+14:00", "", "expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00, got '0001-01-01T00:00+14:00'"),
        ("9999-12-31T23:00", ZONE, "expected a time with its offset from UTC, such as 2026-01-05T09:30-08:00, got '9999-12-31T23:00'"),
        ("2026-01-05T09:30", "America/Los_Angles", "zone: there is no time zone 'America/Los_Angles'; did you mean 'America/Los_Angeles'?"),
        ("2027-01-05T09:30Z", "", "collected_at is 2027-01-05T09:30:00.000000+00:00, and now it is 2026-10-01T00:00:00.000000+00:00; what has not happened yet cannot be recorded"),
    ],
)  # fmt: skip
def test_a_time_that_is_not_known_exactly_is_refused(
    engine: Engine, text: str, zone: str, words: str
) -> None:
    done = imported(engine, "enrollment,result,collected_at,zone", f"e-1,-,{text},{zone}")
    named = "" if words.startswith("collected_at") else "collected_at: "
    assert why(done) == [f"<file>:2:7: error: {named}{words}"]


def test_a_local_time_beside_a_change_of_clocks_is_as_it_was() -> None:
    for text, offset in [("2026-03-08T01:59", -8), ("2026-03-08T03:00", -7), ("2025-11-02T00:59", -7)]:
        assert moment(text, ZONE).utcoffset() == timedelta(hours=offset)
    assert moment("2025-11-02T01:30-08:00", ZONE).astimezone(UTC).hour == 9


def test_a_file_in_any_order_is_recorded_in_the_order_of_days(engine: Engine) -> None:
    order = [f"e-1,{result},{on}" for result, on in zip("-+--o", days(4, 9), strict=True)]
    done = imported(engine, "enrollment,result,on", *reversed(order))
    assert done.recorded == 5
    assert [each["on"] for each in reported(engine)] == list(days(4, 9))
    assert all(not act.corrected for act in engine.history(enrollment="e-1"))


def test_the_day_is_the_one_that_is_said_where_there_is_a_time_too(engine: Engine) -> None:
    lines = ["e-1,-,2026-01-06T01:00-08:00,2026-01-05", "e-1,+,2026-01-05T20:00-08:00,"]
    imported(engine, "enrollment,result,collected_at,on", *lines)
    found = [(each["result"], each.get("on")) for each in reported(engine)]
    assert found == [("+", None), ("-", "2026-01-05")]
    assert all(not act.corrected for act in engine.history(enrollment="e-1"))


# Again, and keys


def test_the_same_file_again_records_nothing(engine: Engine) -> None:
    lines = ["enrollment,result,on", "e-1,-,2026-01-05", "e-1,-,2026-01-08"]
    imported(engine, *lines)
    again = imported(engine, lines[0], "", *reversed(lines[1:]), by="import-2")
    assert (again.recorded, again.repeated, again.awarded) == (0, 2, {})
    assert len(reported(engine)) == 2


def test_what_was_voided_stays_voided_when_its_file_is_imported_again(engine: Engine) -> None:
    lines = ["enrollment,result,on", "e-1,-,2026-01-05"]
    imported(engine, *lines)
    engine.void(enrollment="e-1", record=1, why="another patient", source="desk", key="v", by="n")
    assert imported(engine, *lines).repeated == 1
    assert engine.statement(enrollment="e-1").awarded.get("USD", 0) == 0


def test_the_same_visit_with_another_result_is_refused_and_shows_both(engine: Engine) -> None:
    imported(engine, "enrollment,result,on", "e-1,-,2026-01-05")
    done = imported(engine, "result,enrollment,on", "+,e-1,2026-01-05", "-,e-1,2026-01-08")
    assert done.recorded == 1
    [words] = why(done)
    assert words.startswith("<file>:2:1: error: the key 'line-")
    assert 'recorded: observed {"result":"-","on":"2026-01-05"}' in words
    assert 'given: observed {"result":"+","on":"2026-01-05"}' in words


def test_the_only_target_is_the_same_visit_whether_it_is_named_or_not(engine: Engine) -> None:
    imported(engine, "enrollment,result,on", "e-1,-,2026-01-05")
    [words] = why(imported(engine, "enrollment,target,result,on", "e-1,stimulants,-,2026-01-05"))
    assert '"target":"stimulants"' in words
    assert len(reported(engine)) == 1


def test_other_targets_events_times_and_sources_are_other_lines(engine: Engine) -> None:
    done = imported(
        engine,
        "enrollment,target,result,event,collected_at,on,source",
        "e-3,visits,-,,,2026-01-05,",
        "e-3,cocaine,-,,,2026-01-05,",
        "e-3,cocaine,-,,2026-01-05T12:00Z,,",
        "e-3,cocaine,-,,2026-01-05T13:00Z,,",
        "e-3,cocaine,-,,,2026-01-05,lab",
    )
    assert done.recorded == 5, why(done)


def test_two_lines_with_one_key_are_one_if_they_say_the_same(engine: Engine) -> None:
    done = imported(engine, "enrollment,result,on,key", "e-1,-,2026-01-05,a", "e-1, -,2026-01-05,a")
    assert (done.lines, done.recorded, done.repeated) == (2, 1, 1)


def test_the_second_of_two_unlike_lines_with_one_key_is_refused_wherever_its_day_is(engine: Engine) -> None:
    lines = ["enrollment,result,on,key", "e-1,-,2026-01-08,a", "e-1,-,2026-01-05,a", "e-4,-,2026-01-05,b"]
    for dry_run in (True, False):
        done = imported(engine, *lines, dry_run=dry_run)
        assert why(done) == [
            (
                "<file>:3:18: error: key: line 2 has the same key and says something else: "
                "there e-1,-,2026-01-08,a, here e-1,-,2026-01-05,a; "
                "take out the one that is wrong, or give each a key of its own, in a column key"
            )
        ]
    assert [each["on"] for each in reported(engine)] == ["2026-01-08"]


# Files that are wrong as a whole


WRONG_FILES: dict[str, tuple[bytes, list[str]]] = {
    "nothing": (b"", ["f:1:1: error: expected a header, such as enrollment,result,on, got nothing; add one"]),
    "an empty first line": (b"\nenrollment,result,on\n", ["f:1:1: error: expected a header, such as enrollment,result,on, got nothing; add one"]),
    "no header": (b"e-1,-,2026-01-05\n", [
        "f:1:1: error: the header lacks a column; expected what was seen: result, event, value or panel.ANALYTE; add one",
        "f:1:1: error: the header lacks a column; expected when it was: on, or collected_at; add one",
        "f:1:1: error: the header lacks a column; expected whose result it is: enrollment, or participant; add one",
        "f:1:1: error: there is no column 'e-1'; expected ",
        "f:1:5: error: there is no column '-'; expected ",
        "f:1:7: error: there is no column '2026-01-05'; expected ",
    ]),
    "a misspelt column": (b"enrollment,reslut,result,on\n", ["f:1:12: error: there is no column 'reslut'; did you mean 'result'?; expected enrollment, "]),
    "a missing column": (b"enrollment,result\n", ["f:1:1: error: the header lacks a column; expected when it was: on, or collected_at; add one"]),
    "a column twice": (b'enrollment;result;on;" Result"\n', ["f:1:22: error: the column 'result' is given twice; take one of them out"]),
    "a column without a name": (b"enrollment,result,on,\n", ["f:1:22: error: expected the name of a column, got nothing; give it one, or take the column out"]),
    "an analyte without a name": (b"enrollment,panel.,on\n", ["f:1:12: error: expected the name of a column, got nothing; give it one, or take the column out"]),
    "who it is twice": (b"enrollment,participant,result,on\n", ["f:1:12: error: enrollment and participant say the same twice; take one of them out"]),
    "a program of an enrollment": (b"enrollment,program,result,on\n", ["f:1:12: error: program: expected participant beside it; the enrollment says the program; take this out"]),
    "a header with a quotation mark": (b'enrollment,result,"on\n', ["f:1:1: error: this is no header of CSV: unexpected end of data"]),
    "line ends of old machines": (b"enrollment,result,on\re-1,-,2026-01-05\r", ["f:1:21: error: lines end as on old machines; expected line ends of Windows or Unix; save it as CSV UTF-8"]),
    "UTF-16": ("enrollment,result,on\n".encode("utf-16"), ["f:1:1: error: this is not text in UTF-8; save it as CSV UTF-8"]),
    "Latin-1 in the last line": ("enrollment,result,on,excuse\ne-1,-,2026-01-05,\ne-1,e,2026-01-08,café".encode("latin-1"), ["f:3:21: error: this is not text in UTF-8; save it as CSV UTF-8"]),
    "a line that does not end": (b"enrollment,result,on\n" + b"x" * (LINE_MAX + 1), ["f:2:1: error: expected a line of at most 32000 bytes; is it CSV?"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_file_that_is_wrong_changes_nothing_and_says_where(
    engine: Engine, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    content, expected = WRONG_FILES[name]
    Path("f").write_bytes(content)
    with pytest.raises(ResultsFileError) as raised:
        import_results(engine, "f", by="i", report="refused.csv")
    found = str(raised.value).splitlines()
    assert len(found) == len(expected)
    for line, words in zip(found, expected, strict=True):
        assert line.startswith(words)
    assert not Path("refused.csv").exists()
    assert [len(reported(engine, name)) for name in ("e-1", "e-4")] == [0, 0]


def test_a_file_that_cannot_be_read_says_so(engine: Engine, tmp_path: Path) -> None:
    for path, words in [(tmp_path / "absent.csv", "No such file"), (tmp_path, "Is a directory")]:
        with pytest.raises(
            ResultsFileError, match=rf":1:1: error: cannot be read: {words}.*; look at the path"
        ):
            import_results(engine, path, by="i")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": ""}, "by: expected text of one line"),
        ({"source": "a\nb"}, "source: expected text of one line"),
        ({"zone": "Nowhere"}, "there is no time zone 'Nowhere'"),
        ({"batch": 0}, "batch: expected a number of lines from 1 to 10000, got 0"),
    ],
)
def test_an_argument_that_is_wrong_is_refused(engine: Engine, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ReportError, match=words):
        imported(engine, "enrollment,result,on", "e-1,-,2026-01-05", **options)


# Lines that are wrong


WRONG_LINES = {
    "e-1,-": "2:1: error: expected 9 cells, as the header has, got 2: e-1,-",
    "e-1,-,,2026-01-05,,,,,,more": "2:1: error: expected 9 cells, as the header has, got 10: e-1,-,,2026-01-05,,,,,,more",
    'e-1,-,,"2026-01-05,,,,,': "2:1: error: a quotation mark is not closed, or opened within a cell; expected a cell that ends on its line (unexpected end of data): ",
    ",-,,2026-01-05,,,,,": "2:1: error: enrollment: expected the id of the enrollment, got nothing; say whose result it is",
    "e-9,-,,2026-01-05,,,,,": "2:1: error: enrollment: no enrollment 'e-9'; enroll the participant first, or look for the id: enrollments lists them",
    "e-1,x,,2026-01-05,,,,,": "2:5: error: result: expected one of - met, + positive, o missed, e excused, * invalid, r refused, _ not required, got 'x'",
    "e-1,-,,5 January,,,,,": "2:8: error: on: expected a date such as 2026-01-05, got '5 January'",
    "e-1,-,,2026-02-30,,,,,": "2:8: error: on: there is no such date as 2026-02-30",
    "e-1,-,,,,,,,": "2:8: error: on: expected when it was, got nothing: on, or collected_at",
    "e-1,,,2026-01-05,,,,,": "2:5: error: result: expected what was seen, got nothing: a result, an event, a value or a panel",
    'e-1, - ,"1,5",2026-01-05,,,,,': "2:9: error: value: expected an amount in digits, such as 10.00, got '1,5'",
    "e-1,-,-3,2026-01-05,,,,,": "2:7: error: value: expected an amount of 0 or more, got -3",
    "e-1,-,,2026-01-05,maybe,,,,": "2:19: error: presumptive: expected yes or no, got 'maybe'",
    "e-1,-,,2026-01-05,,three,,,": "2:20: error: group: expected a number, such as 3, got 'three'",
    "e-1,-,,2026-12-05,,,,,": "2:8: error: on is 2026-12-05, and at the clinic it is 2026-09-30; what has not happened yet cannot be recorded",
    "e-1,-,,2026-01-04,,,,,": "2:1: error: visit 1 is on 2026-01-04, before the start on 2026-01-05; decide visits in order of their days",
    "e-1,-,,2026-01-05,,,opiates,,": "2:1: error: ",
    "e-1,-,,2026-01-05,,,,neg,": "2:1: error: ",
    f"e-1,-,,2026-01-05,,,,,{'k' * 201}": "2:23: error: key: expected text of one line, at most 200 characters",
}  # fmt: skip


@pytest.mark.parametrize("line", WRONG_LINES)
def test_a_line_that_is_wrong_is_refused_and_the_rest_goes_on(engine: Engine, line: str) -> None:
    header = "enrollment,result,value,on,presumptive,group,target,panel.cocaine,key"
    done = imported(engine, header, line, "e-4,-,,2026-01-05,,,,,good")
    assert (done.recorded, done.refused_lines) == (1, 1)
    [words] = why(done)
    assert words.startswith(f"<file>:{WRONG_LINES[line]}"), words
    assert reported(engine) == []


def test_every_problem_of_a_line_is_told(engine: Engine) -> None:
    [words] = why(imported(engine, "enrollment,result,on", "e-9,x,never"))
    assert [each.split(" ")[0] for each in words.splitlines()] == [
        "<file>:2:1:",
        "<file>:2:5:",
        "<file>:2:7:",
    ]


def test_lines_at_fault_are_found_without_giving_up_the_others(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {7, 8, 63}
    lines = [
        f"e-3,{'opiates' if number in wrong else 'visits'},-,{on}"
        for number, on in enumerate(days(4, 104), start=2)
    ]
    sizes: list[int] = []
    record_many = engine.record_many

    def counted(reports: Sequence[Any]) -> Any:
        sizes.append(len(reports))
        return record_many(reports)

    monkeypatch.setattr(engine, "record_many", counted)
    done = imported(engine, "enrollment,target,result,on", *lines)
    assert ([each.line for each in done.refused], done.recorded) == (sorted(wrong), 97)
    assert sizes[0] == 100
    assert len(sizes) < 35
    assert [each["on"] for each in reported(engine, "e-3")] == [
        on for number, on in enumerate(days(4, 104), start=2) if number not in wrong
    ]


def test_a_line_that_the_plan_has_no_visit_for_is_refused_where_it_comes(engine: Engine) -> None:
    done = imported(engine, "enrollment,result,on", *(f"e-1,-,{on}" for on in days(4, 104)))
    assert (done.recorded, done.refused_lines) == (36, 64)
    assert [each.line for each in done.refused] == list(range(38, 102))
    assert all("plan" in words for words in why(done))


# The report of what was refused


def test_the_report_can_be_corrected_and_imported_again(engine: Engine, tmp_path: Path) -> None:
    report = tmp_path / "refused.csv"
    lines = ["Enrollment;Result;on", "e-1;x;2026-01-05", "e-1;-;2026-01-08", 'e-1;"-";2026-02-30', "e-1;-"]
    done = imported(engine, *lines, report=report)
    assert (done.recorded, done.refused_lines) == (1, 3)
    with report.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream, delimiter=";")
    assert header == ["Enrollment", "Result", "on", "why"]
    assert [row[:3] for row in rows] == [["e-1", "x", "2026-01-05"], ["e-1", "-", "2026-02-30"], ["", "", ""]]
    assert [row[3] for row in rows] == why(done)

    again = import_results(engine, report, by="i", report=tmp_path / "still.csv")
    assert (again.recorded, again.refused_lines) == (0, 3)

    mended = report.read_text("utf-8").replace(";x;", ";-;").replace(";2026-02-30;", ";2026-02-28;")
    report.write_text(mended, "utf-8")
    done = import_results(engine, report, by="i", report=tmp_path / "still.csv")
    assert (done.recorded, done.refused_lines) == (2, 1)
    assert (tmp_path / "still.csv").read_text("utf-8").count("why") == 1


def test_the_report_of_a_file_without_fault_is_its_header(engine: Engine, tmp_path: Path) -> None:
    imported(engine, "enrollment,result,on", "e-1,-,2026-01-05", report=tmp_path / "refused.csv")
    assert (tmp_path / "refused.csv").read_text("utf-8") == "enrollment,result,on,why\n"


def test_the_report_never_takes_the_place_of_the_file_that_is_imported(
    engine: Engine, tmp_path: Path
) -> None:
    file = tmp_path / "results.csv"
    file.write_text("enrollment,result,on\ne-1,-,2026-01-05\n", "utf-8")
    for report, words in [
        (tmp_path / "." / "results.csv", "is the file that is imported"),
        (tmp_path, "cannot be written there"),
        (tmp_path / "absent" / "refused.csv", "cannot be written there"),
    ]:
        with pytest.raises(ResultsError, match=words):
            import_results(engine, file, by="i", report=report)
    assert reported(engine) == []


def test_of_very_many_refused_lines_the_first_are_given_back_and_the_report_has_all(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "REFUSED_MAX", 2)
    done = imported(engine, "enrollment,result,on", *["e-1,x,"] * 5, report=tmp_path / "refused.csv")
    assert ([each.line for each in done.refused], done.refused_lines) == ([2, 3], 5)
    assert len((tmp_path / "refused.csv").read_text("utf-8").splitlines()) == 6


# Looking only


def test_a_dry_run_looks_at_everything_and_writes_nothing(engine: Engine, tmp_path: Path) -> None:
    lines = ["enrollment,result,on", "e-1,-,2026-01-05", "e-1,x,2026-01-08", "e-9,-,2026-01-08"]
    done = imported(engine, *lines, dry_run=True, report=tmp_path / "refused.csv")
    assert (done.lines, done.recorded, done.refused_lines) == (3, 0, 2)
    assert len((tmp_path / "refused.csv").read_text("utf-8").splitlines()) == 3
    assert reported(engine) == []


def test_it_is_said_how_far_the_import_is(engine: Engine) -> None:
    seen: list[Imported] = []
    lines = [f"e-3,visits,-,{on}" for on in days(4, 24)]
    imported(engine, "enrollment,target,result,on", *lines, batch=5, progress=seen.append)
    assert [(each.lines, each.done) for each in seen] == [(20, 5), (20, 10), (20, 15), (20, 20)]


# What interrupts it


class Failing:
    """A record_many that fails when it is called for the nth time."""

    def __init__(self, engine: Engine, at: int, error: CmEngineError) -> None:
        self.record_many, self.calls, self.at, self.error = engine.record_many, 0, at, error

    def __call__(self, reports: Sequence[Any]) -> Any:
        self.calls += 1
        if self.calls == self.at:
            raise self.error
        return self.record_many(reports)


def test_a_storage_that_fails_stops_the_import_and_it_goes_on_when_started_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = [
        "enrollment,target,result,on",
        *(f"e-3,visits,-,{on}" for on in days(4, 24)),
        "e-3,x,-,2026-01-05",
    ]
    with monkeypatch.context() as patched:
        patched.setattr(
            engine, "record_many", Failing(engine, 6, StorageBusyError("others held it too long"))
        )
        with pytest.raises(ImportStoppedError) as stopped:
            imported(engine, *lines, batch=4, report=tmp_path / "refused.csv")
    assert "there is no target" in (tmp_path / "refused.csv").read_text("utf-8")
    so_far = len(reported(engine, "e-3"))
    assert 0 < so_far < 20
    assert stopped.value.imported.recorded == so_far
    assert str(stopped.value) == (
        f"the import stopped: others held it too long\n{so_far} of 21 lines are recorded; "
        "import the same file again, it goes on from there"
    )
    done = imported(engine, *lines, batch=4)
    assert (done.recorded, done.repeated, done.refused_lines) == (20 - so_far, so_far, 1)


def test_a_missing_secret_stops_the_import(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'prizes.db'}"
    with Engine.open(url, zone=ZONE, secret=bytes(32)) as engine:
        engine.add_program("va-prize")
        engine.enroll(participant="p", program="va-prize", start=START, by="n", id="e-1")
    with Engine.open(url) as engine, pytest.raises(SecretError):
        imported(engine, "enrollment,result,on", "e-1,-,2026-01-05")


def test_no_space_to_sort_a_file_is_said_before_anything_is_written(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "TABLES", "CREATE TABLE lines (number, text CHECK (false), d, m, s, k)")
    with pytest.raises(StorageFullError, match="no space to sort the file in the folder for temporary files"):
        imported(engine, "enrollment,result,on", "e-1,-,2026-01-05")
    assert reported(engine) == []


def many_lines(people: int, visits: int) -> list[str]:
    lines = [
        f"e-{number},{'--+-o-'[(number + visit) % 6]},{START + timedelta(visit * 3)}"
        for number in range(100, 100 + people)
        for visit in range(visits)
    ]
    Random(1).shuffle(lines)  # noqa: S311 - the same order in every run
    return lines


def enroll_many(engine: Engine, people: int) -> None:
    for number in range(100, 100 + people):
        engine.enroll(participant=f"p-{number}", program=CALIFORNIA, start=START, by="n", id=f"e-{number}")


def records_in(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found: int = connection.execute("SELECT count(*) FROM cm_records WHERE kind = 'observed'").fetchone()[
            0
        ]
    return found


def test_an_import_that_is_killed_goes_on_when_started_again(tmp_path: Path) -> None:
    database, file = tmp_path / "clinic.db", tmp_path / "results.csv"
    url, people, visits = f"sqlite:///{database}", 60, 30
    file.write_text("\n".join(["enrollment,result,on", *many_lines(people, visits)]), "utf-8")
    with Engine.open(url, zone=ZONE) as engine:
        engine.add_program(CALIFORNIA)
        enroll_many(engine, people)
    words = [str(COMMAND), "import", str(file), "--db", url, "--by", "i", "--batch", "20"]
    for wanted in (100, 600):
        running = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        give_up = time.monotonic() + 10
        while records_in(database) < wanted and running.poll() is None and time.monotonic() < give_up:
            time.sleep(0.01)
        running.kill()
        assert running.wait() == -signal.SIGKILL
    there = records_in(database)
    assert 600 <= there < people * visits
    with Engine.open(url, zone=ZONE) as engine:
        done = import_results(engine, file, by="i")
        assert (done.recorded, done.repeated, done.refused_lines) == (1800 - there, there, 0)
        assert engine.verify().is_clean
        with Engine.open("memory:", zone=ZONE) as whole:
            whole.add_program(CALIFORNIA)
            enroll_many(whole, people)
            import_results(whole, file, by="i")
            for name in ("e-100", "e-159"):
                assert engine.statement(enrollment=name) == whole.statement(enrollment=name)


def test_a_file_in_any_order_goes_into_postgresql(postgresql_url: str) -> None:
    with opened(postgresql_url) as engine:
        enroll_many(engine, 5)
        lines = ["enrollment,target,result,on", *(line.replace(",", ",,", 1) for line in many_lines(5, 30))]
        done = imported(engine, *lines, "e-1,opiates,-,2026-01-05", "e-9,,-,2026-01-05")
        assert (done.recorded, done.refused_lines) == (150, 2)
        assert imported(engine, *lines).repeated == 150
        assert engine.verify().is_clean


def test_memory_does_not_grow_with_the_file(engine: Engine) -> None:
    peaks = []
    for number in (2_000, 20_000):
        lines = (f"e-1,-,2026-01-05,{each}" for each in range(number))
        file = BytesIO("\n".join(["enrollment,result,on,key", *lines]).encode())
        tracemalloc.start()
        import_results(engine, file, by="i", dry_run=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000


# Any order, any pieces


class Drawn(NamedTuple):
    """One result of a drawn history."""

    minute: int
    target: str
    result: str

    @property
    def at(self) -> datetime:
        return datetime(2026, 1, 5, 8, tzinfo=ZoneInfo(ZONE)) + timedelta(minutes=self.minute)

    @property
    def line(self) -> str:
        return f"e-3,{self.target},{self.result},{self.at.isoformat()}"


HISTORIES = st.lists(
    st.builds(
        Drawn, st.integers(0, 40 * 24 * 60), st.sampled_from(["cocaine", "visits"]), st.sampled_from("--+oe")
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda each: each.minute,
)


def standing(engine: Engine) -> dict[Any, Any]:
    """The decision that stands for each observation, by what was reported, whenever that was recorded."""
    acts = engine.history(enrollment="e-3")
    said = {act.record: (act.reported["target"], act.reported["at"]) for act in acts[1:]}
    return {
        said[each.record]: (each.visit, each.on, each.outcome, each.awards, each.sentence)
        for act in acts
        for each in act.decisions
    }


@settings(max_examples=20)
@given(history=HISTORIES, data=st.data())
def test_any_order_in_any_pieces_leads_to_the_same_decisions(
    history: list[Drawn], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(history))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(history)), max_size=3)))
    pieces = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(history)], strict=True)]
    pieces += data.draw(st.lists(st.sampled_from(pieces), max_size=2))
    batch = data.draw(st.integers(1, 20))
    header = "enrollment,target,result,collected_at"
    with TemporaryDirectory() as folder:
        urls = ("memory:", *(f"sqlite:///{folder}/{name}.db" for name in ("whole", "cut")))
        one, whole, cut = map(with_several, urls)
        with one, whole, cut:
            for number, each in enumerate(sorted(history)):
                one.record(
                    enrollment="e-3",
                    target=each.target,
                    result=each.result,
                    collected_at=each.at,
                    source="desk",
                    key=f"k-{number}",
                    by="n",
                )
            imported(whole, header, *(each.line for each in shuffled), batch=batch)
            done = [imported(cut, header, *(each.line for each in piece), batch=batch) for piece in pieces]
            assert sum(each.recorded for each in done) == len(history)
            assert sum(each.repeated for each in done) == sum(map(len, pieces)) - len(history)
            assert standing(cut) == standing(whole) == standing(one)
            found, expected = (engine.statement(enrollment="e-3") for engine in (whole, one))
            assert found == expected
            assert cut.statement(enrollment="e-3").awarded == expected.awarded
            assert cut.verify().is_clean


HEADER = (
    "enrollment,target,result,value,event,panel.cocaine,condition,excuse,presumptive,group,prescribed,choice,"
    "on,collected_at,resulted_at,zone,key,source"
)
LIKELY = (
    "e-3 cocaine - + late yes 3 0 illness| 2026-01-05 0001-01-01 9999-12-31 2026-01-05T09:30 2026-01-05T09:30Z "
    "9999-12-31T23:59-12:00 UTC enrollment ../x"
)
CELLS = st.one_of(st.sampled_from(["", "9" * 30, *LIKELY.split()]), st.text(max_size=8))


@settings(max_examples=60)
@given(rows=st.lists(st.lists(CELLS, min_size=18, max_size=18), max_size=6), tail=st.binary(max_size=20))
def test_whatever_a_line_says_it_is_recorded_or_refused(rows: list[list[str]], tail: bytes) -> None:
    lines = [HEADER, *(",".join(["e-3", *row[1:12], "2026-01-05", *row[13:]]) for row in rows)]
    lines += [",".join(row) for row in rows]
    with with_several("memory:") as engine:
        done = imported(engine, *lines)
        assert done.done == done.lines
        assert done.refused_lines == len(done.refused)
        assert imported(engine, *lines).repeated == done.recorded + done.repeated
        with suppress(ResultsFileError):
            import_results(engine, BytesIO(HEADER.encode() + b"\n" + tail), by="i")
        assert engine.verify().is_clean


# From the command line


class Said(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Said]:
    """The command, on a database with one enrollment, in a folder with a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CM_ENGINE_DB", "sqlite:///clinic.db")
    with Engine.open("sqlite:///clinic.db", zone=ZONE) as engine:
        engine.add_program(CALIFORNIA)
        engine.enroll(participant="p-1", program=CALIFORNIA, start=START, by="n", id="e-1")
    text = "enrollment,result,on\ne-1,-,2026-01-05\ne-1,x,2026-01-08\ne-1,-,2026-01-12\n"
    Path("results.csv").write_text(text, "utf-8")

    def command(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["cm-engine", "import", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Said(int(ended.value.code or 0), *capsys.readouterr())

    return command


WRONG = (
    "results.csv:3:5: error: result: expected one of - met, + positive, o missed, e excused, * invalid, "
    "r refused, _ not required, got 'x'"
)


WINDOWED = parse_program("""
program: windowed
version: "1"
title: Mondays and Thursdays
currency: USD
visits: [{weeks: 1-6, days: [monday, thursday]}]
targets: {x: {behavior: attendance, windows: {before: 0, after: 0, makeup: 2}, schedule: [{weeks: 1-6, fixed: 5}]}}
""")


def windowed(engine: Engine) -> Engine:
    engine.add_program(WINDOWED)
    engine.enroll(participant="p-w", program="windowed", start=START, by="n", id="e-w")
    return engine


def test_an_import_counts_the_visits_nobody_came_to_and_the_results_that_fit_no_visit(engine: Engine) -> None:
    lines = ["enrollment,result,on", "e-w,-,2026-01-05", "e-w,-,2026-01-19", "e-w,-,2026-01-25"]
    done = imported(windowed(engine), *lines)
    missed = [
        each for each in engine.visits(enrollment="e-w") if each.decision and each.decision.outcome == "o"
    ]
    assert done.missed == len(missed) > 0
    assert done.unplaced == len(engine.questions()) == 1
    again = imported(engine, *lines)
    assert (again.repeated, again.missed, again.unplaced) == (3, 0, 0)


def test_a_visit_that_a_later_line_was_of_is_not_counted_as_missed(engine: Engine) -> None:
    late = "e-w,-,2026-01-08T09:00-08:00,2026-01-05"
    lines = ["enrollment,result,collected_at,on", "e-w,-,,2026-01-15", late, "e-w,-,,2026-01-12"]
    done = imported(windowed(engine), *lines, batch=1)
    missed = [
        each for each in engine.visits(enrollment="e-w") if each.decision and each.decision.outcome == "o"
    ]
    assert done.missed == len(missed)


def test_the_command_says_what_it_came_to_and_what_was_refused(run: Callable[..., Said]) -> None:
    done = run("results.csv", "--by", "i", "--source", "lab", "--report", "refused.csv")
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines() == [
        "Looked at 3 lines: 2 recorded, 0 repeated, 1 refused",
        "Awarded by them: 20.00 USD",
        WRONG,
        "They are in refused.csv, with the reason; correct them there, and import that file",
    ]
    Path("refused.csv").write_text(Path("refused.csv").read_text("utf-8").replace(",x,", ",-,"), "utf-8")
    assert run("refused.csv", "--by", "i", "--source", "lab").code == 0
    assert run("results.csv", "--by", "i", "--source", "lab").out.splitlines()[:2] == [
        "Looked at 3 lines: 0 recorded, 2 repeated, 1 refused",
        "Awarded by them: nothing",
    ]


def test_the_command_prints_json_for_programs(run: Callable[..., Said]) -> None:
    done = run("results.csv", "--by", "i", "--json")
    assert done.err == ""
    assert json.loads(done.out) == {
        "dry_run": False,
        "lines": 3,
        "recorded": 2,
        "repeated": 0,
        "refused": 1,
        "awarded": {"USD": "20.00"},
        "missed": 0,
        "unplaced": 0,
        "refusals": [
            {
                "line": 3,
                "text": "e-1,x,2026-01-08",
                "problems": [
                    {
                        "file": "results.csv",
                        "line": 3,
                        "column": 5,
                        "name": "result",
                        "message": WRONG.partition("result: ")[2],
                    }
                ],
            }
        ],
    }


def test_the_command_looks_only_and_says_so(run: Callable[..., Said]) -> None:
    done = run("results.csv", "--by", "i", "--dry-run")
    assert done.code == 1
    assert done.out.splitlines() == [
        "Looked at 3 lines: 1 refused, and nothing was written",
        "Whether each result fits its program, and what is recorded already, shows when it is imported.",
        WRONG,
    ]
    assert records_in(Path("clinic.db")) == 0


def test_the_command_refuses_a_file_that_is_wrong_as_a_whole(run: Callable[..., Said]) -> None:
    Path("wrong.csv").write_text("enrollment,result\n", "utf-8")
    words = "wrong.csv:1:1: error: the header lacks a column; expected when it was: on, or collected_at; add one\n"
    assert run("wrong.csv", "--by", "i") == Said(2, "", words)


@pytest.mark.parametrize(("words", "shown"), [([], True), (["--no-progress"], False)])
@pytest.mark.usefixtures("run")
def test_the_command_shows_its_progress_where_a_person_watches(words: list[str], *, shown: bool) -> None:
    watched, terminal = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "150"}
    command = [str(COMMAND), "import", "results.csv", "--by", "i", "--json", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, env=env, check=False, text=True)
    os.write(terminal, b"end")
    os.close(terminal)
    drawn = re.sub("\x1b[^a-zA-Z]*[a-zA-Z]", "", os.read(watched, 10_000).decode())
    os.close(watched)
    assert json.loads(done.stdout)["recorded"] == 2
    assert ("Recording" in drawn and "3/3 1 refused, 0 repeated" in drawn) == shown


def test_evidence_of_nothing_is_none(engine: Engine) -> None:
    imported(engine, "enrollment,result,value,on", "e-1,-,,2026-01-05")
    assert "evidence" not in reported(engine)[0]
