"""What a review found and was mended: each reproduction as a test of what holds instead."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cm_engine import Amendment, Engine, Evidence, Program, Report, Voiding, parse_program
from cm_engine.acts.queueing import Queue
from cm_engine.acts.recorded import Recorded
from cm_engine.acts.recording import Act, Done, whole_log
from cm_engine.acts.register import Register, refolded
from cm_engine.arrivals import Arrival
from cm_engine.errors import (
    AlreadyEnrolledError,
    EnrollmentNotFoundError,
    IntakeError,
    ReportError,
    SchemaError,
    SecretError,
    StaleReportError,
    StorageConflictError,
    StorageError,
    StorageFullError,
)
from cm_engine.intake.loading import parse_mapping
from cm_engine.intake.offered import intake_of
from cm_engine.log.stand import stand_text
from cm_engine.opening import open_storage
from cm_engine.ports import Storage
from cm_engine.testing import FakeGateway

ZONE = "America/Los_Angeles"
CLEAN = {"amphetamine": "-", "cocaine": "-", "methamphetamine": "-"}
EXPLAINED = CLEAN | {"amphetamine": "+"}
STIMULANTS = parse_program(
    """{program: stimulants, version: "1", title: Stimulants, currency: USD, visits: [{weeks: 1-40, per_week: 2}],
    targets: {stimulants: {behavior: abstinence,
    evidence: {specimen: urine, analytes: [cocaine, amphetamine, methamphetamine]},
    schedule: [{weeks: 1-40, escalate: {start: 10, step: 1.5, every: 2, ceiling: 26.5},
    reset: {on: [positive, missed, refused]}, hold: {on: [excused, invalid]}}]}}}"""
)
DRAWS = parse_program(
    """{program: draws, version: "1", title: Draws, currency: USD, visits: [{weeks: 1-12, per_week: 2}],
    targets: {abstinence: {behavior: abstinence, schedule: [{weeks: 1-12, unit: draw, fixed: 2}]}},
    bowls: {draw: {slips: {nothing: {count: 50, value: 0}, small: {count: 50, value: 1}}}}}"""
)
MONOXIDE = parse_program(
    """{program: co, version: "1", title: Monoxide, currency: USD, visits: [{weeks: 1-6, per_week: 2}],
    targets: {smoking: {behavior: abstinence, evidence: {measure: ppm},
    schedule: [{weeks: 1-6, fixed: 10, criterion: {threshold: {at_most: 6}}}]}}}"""
)
WALKING = parse_program(
    """{program: walking, version: "1", title: Walking, currency: USD, visits: [{weeks: 1-6, per_week: 2}],
    targets: {steps: {behavior: task, evidence: {measure: steps},
    schedule: [{weeks: 1-6, fixed: 10, criterion: {threshold: {at_least: 8000}}}]}}}"""
)
TWO = parse_program(
    """{program: two, version: "1", title: Two, currency: USD, visits: [{weeks: 1-6, per_week: 2}],
    targets: {x: {behavior: abstinence, schedule: [{weeks: 1-6, fixed: 10}]},
    y: {behavior: abstinence, schedule: [{weeks: 1-6, fixed: 10}]}},
    limits: [{amount: 25, per: calendar year, payer: county, crossing: truncate}]}"""
)
SIMPLE = (
    '{{program: simple, version: "{version}", title: {title}, currency: USD, visits: [{{weeks: 1-6, per_week: 2}}],'
    " targets: {{x: {{behavior: abstinence, schedule: [{{weeks: 1-6, fixed: 10}}]}}}}, payout: {{when: {when}}}}}"
)


def simple(version: str = "1", title: str = "Simple", when: str = "at once") -> Program:
    return parse_program(SIMPLE.format(version=version, title=title, when=when))


def day(number: int) -> date:
    return date(2026, 1, number)


def begun(engine: Engine, program: Program, *ids: str, participant: str = "") -> None:
    """Enroll in a program; without a participant, each enrollment is of somebody else."""
    digest = engine.add_program(program)
    for number, name in enumerate(ids):
        who = participant or f"p-{name}"
        start = day(5 - number)
        engine.enroll(participant=who, program=digest, start=start, by="nurse", id=name, again=True)


def recorded(engine: Engine, enrollment: str, key: str, **given: Any) -> Recorded:
    when = {} if "collected_at" in given else {"on": day(5)}
    return engine.record(
        **{"enrollment": enrollment, "source": "desk", "key": key, "by": "nurse", **when, **given}
    )


def amended(engine: Engine, enrollment: str, record: int, key: str, **given: Any) -> Recorded:
    return engine.amend(
        enrollment=enrollment, record=record, why="mistyped", source="desk", key=key, by="nurse", **given
    )


def voided(engine: Engine, enrollment: str, record: int) -> Recorded:
    key = f"void {enrollment} {record}"
    return engine.void(
        enrollment=enrollment, record=record, why="mistyped", source="desk", key=key, by="nurse"
    )


def in_fresh_process(script: str, *given: str, **environment: str) -> Any:
    """Return the JSON that a script prints, in a Python of its own."""
    command = [sys.executable, "-W", "error", "-c", script, *given]
    ended = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'clinic.db'}"
    opened = open_storage(url, {})
    yield opened
    opened.close()


@pytest.fixture
def engine(storage: Storage) -> Engine:
    return Engine(storage=storage, zone=ZONE)


# Evidence


PANELS: dict[str, Callable[[dict[str, str]], Any]] = {
    "dict": dict,
    "items": dict.items,
    "generator": lambda panel: ((name, found) for name, found in panel.items()),
    "zip": lambda panel: zip(panel, panel.values(), strict=True),
    "lists": lambda panel: [[name, found] for name, found in panel.items()],
}


@pytest.mark.parametrize("form", PANELS)
def test_a_panel_is_decided_and_stored_in_one_form_however_it_is_given(engine: Engine, form: str) -> None:
    begun(engine, STIMULANTS, "plain", "given")
    plain = recorded(engine, "plain", "plain", evidence=Evidence(panel=tuple(CLEAN.items())))
    given = recorded(engine, "given", "given", evidence=Evidence(panel=PANELS[form](CLEAN)))
    assert given.outcome == "-"
    assert (given.reported, given.sentence) == (plain.reported, plain.sentence)
    assert engine.verify().is_clean


@pytest.mark.parametrize("form", PANELS)
def test_an_amendment_and_a_late_result_work_after_a_panel_of_any_form(engine: Engine, form: str) -> None:
    begun(engine, STIMULANTS, "e")
    recorded(engine, "e", "1", evidence=Evidence(panel=PANELS[form](CLEAN)))
    recorded(engine, "e", "2", result="-", on=day(12))
    recorded(engine, "e", "3", result="-", on=day(8))
    changed = amended(engine, "e", 1, "4", evidence=Evidence(panel=PANELS[form](EXPLAINED)))
    assert (changed.outcome, changed.awards) == ("+", {"USD": Decimal("0.00")})
    assert engine.verify().is_clean


@pytest.mark.parametrize("form", PANELS)
def test_the_same_report_with_a_panel_of_another_form_is_a_repeat(engine: Engine, form: str) -> None:
    begun(engine, STIMULANTS, "e")
    recorded(engine, "e", "1", evidence=Evidence(panel=tuple(CLEAN.items())))
    assert recorded(engine, "e", "1", evidence=Evidence(panel=PANELS[form](CLEAN))).replayed


LISTINGS: dict[str, Callable[[str], Any]] = {
    "set": lambda one: {one},
    "frozenset": lambda one: frozenset({one}),
    "list": lambda one: [one],
    "generator": lambda one: (each for each in [one]),
}


@pytest.mark.parametrize("form", LISTINGS)
def test_prescriptions_and_conditions_are_stored_as_tuples_are(engine: Engine, form: str) -> None:
    begun(engine, STIMULANTS, "plain", "given")
    panel, listed = tuple(EXPLAINED.items()), LISTINGS[form]
    plain = Evidence(panel=panel, prescribed=("amphetamine",), conditions=("late",))
    given = Evidence(panel=panel, prescribed=listed("amphetamine"), conditions=listed("late"))
    one = recorded(engine, "plain", "plain", evidence=plain)
    other = recorded(engine, "given", "given", evidence=given)
    assert (one.reported, one.sentence) == (other.reported, other.sentence)
    amended(engine, "given", 1, "again", result="+")
    assert engine.verify().is_clean


SETS = """
import json
from datetime import date
from cm_engine import Engine, Evidence
engine = Engine.open("memory:", zone="UTC")
engine.add_program("california-recovery-incentives")
made = engine.enroll(
    participant="p", program="california-recovery-incentives", start=date(2026, 1, 5), by="nurse", id="e"
)
names = {"amphetamine", "cocaine", "methamphetamine"}
evidence = Evidence(panel={name: "+" for name in sorted(names)}, prescribed=names)
done = engine.record(enrollment="e", evidence=evidence, on=date(2026, 1, 5), source="s", key="k", by="nurse")
print(json.dumps(done.reported))
"""


def test_a_set_is_stored_alike_by_every_process() -> None:
    one, other = (in_fresh_process(SETS, PYTHONHASHSEED=seed) for seed in "12")
    assert one == other


PANEL = tuple(CLEAN.items())
YES: Any = True
WRONG_EVIDENCE: dict[str, Any] = {
    "a value that is a float": Evidence(value=cast("Any", 0.1)),
    "a value that is a bool": Evidence(value=YES),
    "a value that is a text": Evidence(value=cast("Any", "0.1")),
    "a value that is an int": Evidence(value=cast("Any", 4)),
    "a value that is not a number": Evidence(value=Decimal("NaN")),
    "a value that is a signal": Evidence(value=Decimal("sNaN")),
    "a value without an end": Evidence(value=Decimal("Infinity")),
    "a value too long to write": Evidence(value=Decimal("1e999999")),
    "a panel that is a text": Evidence(panel=cast("Any", "amphetamine")),
    "a panel that is a number": Evidence(panel=cast("Any", 5)),
    "a panel of threes": Evidence(panel=cast("Any", (("amphetamine", "-", "-"),))),
    "a panel of nothing": Evidence(panel=cast("Any", (None,))),
    "a panel of truth values": Evidence(panel=cast("Any", {"amphetamine": True})),
    "a surrogate in a panel": Evidence(panel=(("\ud800", "-"),)),
    "a text for prescribed": Evidence(panel=PANEL, prescribed=cast("Any", "amphetamine")),
    "a dict for prescribed": Evidence(panel=PANEL, prescribed=cast("Any", {"amphetamine": 1})),
    "a text for conditions": Evidence(panel=PANEL, conditions=cast("Any", "late")),
    "a number for presumptive": Evidence(panel=PANEL, presumptive=cast("Any", 1)),
    "a bool for group": Evidence(panel=PANEL, group=YES),
    "a number for excuse": Evidence(panel=PANEL, excuse=cast("Any", 5)),
    "a surrogate for choice": Evidence(panel=PANEL, choice="\ud800"),
    "a dict": {"value": 1},
    "an empty dict": {},
}
WRONG: dict[str, dict[str, Any]] = {
    **{name: {"evidence": evidence} for name, evidence in WRONG_EVIDENCE.items()},
    "a surrogate in an event": {"event": "\ud800"},
    "a surrogate in a target": {"result": "-", "target": "\ud800"},
    "a number for a target": {"result": "-", "target": 5},
    "0 for a target": {"result": "-", "target": 0},
    "a number for a result": {"result": 5},
    "0 for a result": {"result": 0},
    "a number for an event": {"event": 5},
    "a time before the calendar": {
        "result": "-",
        "collected_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
    },
    "a time before the calendar at the clinic": {
        "result": "-",
        "collected_at": datetime(1, 1, 1, tzinfo=UTC),
    },
    "a time without a zone": {"result": "-", "collected_at": datetime(2026, 1, 5, 9)},  # noqa: DTZ001
    "a time as a day": {"result": "-", "on": datetime(2026, 1, 5, tzinfo=UTC)},
}


@pytest.fixture(scope="module")
def refusing() -> Engine:
    """An engine with one observation, which all that is refused leaves as it is."""
    engine = Engine.open("memory:", zone=ZONE)
    begun(engine, MONOXIDE, "e")
    recorded(engine, "e", "1", evidence=Evidence(value=Decimal(4)))
    return engine


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_of_a_wrong_type_is_refused_and_nothing_is_written(refusing: Engine, wrong: str) -> None:
    acts = len(refusing.history(enrollment="e"))
    with pytest.raises(ReportError):
        recorded(refusing, "e", f"record {wrong}", **WRONG[wrong])
    assert len(refusing.history(enrollment="e")) == acts
    assert refusing.verify().is_clean


@pytest.mark.parametrize("wrong", WRONG)
def test_an_amendment_to_what_is_of_a_wrong_type_is_refused_too(refusing: Engine, wrong: str) -> None:
    acts = len(refusing.history(enrollment="e"))
    with pytest.raises(ReportError):
        amended(refusing, "e", 1, f"amend {wrong}", **WRONG[wrong])
    assert len(refusing.history(enrollment="e")) == acts


@pytest.mark.parametrize(
    "before",
    [
        {"smoking": "12"},
        {"smoking": [0.1]},
        {"smoking": ["12"]},
        {"smoking": [True]},
        {"smoking": 5},
        {"smoking": [Decimal("NaN")]},
        {5: [Decimal(1)]},
        [1],
        "smoking",
    ],
    ids=repr,
)
def test_values_from_before_that_are_no_lists_of_decimals_are_refused(engine: Engine, before: Any) -> None:
    engine.add_program(MONOXIDE)
    with pytest.raises(ReportError, match="before"):
        engine.enroll(participant="p", program="co", start=day(5), by="nurse", id="e", before=before)
    with pytest.raises(EnrollmentNotFoundError):
        engine.enrollment("e")
    assert engine.enrollments() == []


@pytest.mark.parametrize("zone", ["localtime", "Factory", "posixrules", "../etc/passwd", "America", 5])
def test_what_is_the_zone_of_no_clinic_is_refused(zone: Any) -> None:
    engine = Engine.open("memory:", zone=ZONE)
    engine.add_program(MONOXIDE)
    with pytest.raises(ReportError, match="zone"):
        engine.enroll(participant="p", program="co", start=day(5), by="nurse", zone=zone)
    assert engine.enrollments() == []


# Equal numbers


AUDIT = """
import json, sys
from cm_engine import Engine
with Engine.open(sys.argv[1], zone="America/Los_Angeles") as engine:
    found = engine.verify()
    print(json.dumps([found.is_clean, [str(each) for each in found.differences]]))
"""


def texts(done: Recorded) -> tuple[Any, ...]:
    assert done.decision
    return done.reported, done.decision.row.reasons, done.sentence


@pytest.mark.parametrize("order", [("9000.0", "9000"), ("9000", "9000.0"), ("9E+3", "9000.00")], ids=str)
def test_equal_numbers_leave_the_same_text_whichever_came_first(engine: Engine, order: Sequence[str]) -> None:
    begun(engine, WALKING, "one", "other")
    one, other = (
        texts(recorded(engine, name, name, evidence=Evidence(value=Decimal(value))))
        for name, value in zip(("one", "other"), order, strict=True)
    )
    assert one == other
    assert one[0]["evidence"] == {"value": "9000"}
    assert "9000.0" not in one[1]
    assert "E+" not in one[1]


def test_equal_numbers_are_decided_alike_by_a_fresh_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    with Engine.open(url, zone=ZONE) as engine:
        begun(engine, WALKING, "b", "a")
        for name, value in (("b", "9000.0"), ("a", "9000")):
            recorded(engine, name, name, evidence=Evidence(value=Decimal(value)))
        assert engine.verify().is_clean
    assert in_fresh_process(AUDIT, url) == [True, []]


def test_to_amend_a_number_to_an_equal_one_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    with Engine.open(url, zone=ZONE) as engine:
        begun(engine, MONOXIDE, "e")
        recorded(engine, "e", "1", evidence=Evidence(value=Decimal("4.0")))
        same = amended(engine, "e", 1, "2", evidence=Evidence(value=Decimal(4)))
        assert (same.decisions, same.payable) == ((), {})
        assert engine.verify().is_clean
    assert in_fresh_process(AUDIT, url) == [True, []]


def test_values_from_before_are_one_enrollment_however_they_are_written(engine: Engine) -> None:
    engine.add_program(MONOXIDE)
    made = [
        engine.enroll(
            participant="p", program="co", start=day(5), by="nurse", before={"smoking": [Decimal(value)]}
        )
        for value in ("12", "12.0", "1.2E+1")
    ]
    assert made[0] == made[1] == made[2]


# Shared pools


def shared_pool(engine: Engine) -> None:
    """The other enrollment gave back what it had, and a first result of this one was corrected since."""
    begun(engine, TWO, "e1", "e2", participant="anna")
    recorded(engine, "e2", "1", target="x", result="-")
    recorded(engine, "e1", "2", target="x", result="+")
    recorded(engine, "e1", "3", target="y", result="-", on=day(6))
    voided(engine, "e2", 1)
    changed = amended(engine, "e1", 1, "4", result="-")
    assert changed.awards == {"USD": Decimal("10.00")}


def assert_folds_to_what_is_stored(storage: Storage, enrollment: str) -> None:
    register = Register(b"")
    with storage.reading() as tx:
        standing = tx.standing(enrollment)
        assert standing
        stand, _ = refolded(register.enrolled(tx, enrollment), whole_log(tx, enrollment))
        assert stand_text(stand) == standing.state


def in_pools(storage: Storage) -> int:
    """Return what all pools have received, in minor units."""
    with storage.reading() as tx:
        return sum(amount for row in tx.pools() for _, amount in json.loads(row.windows))


LATER: dict[str, Callable[[Engine], Recorded]] = {
    "a late result": lambda engine: recorded(engine, "e1", "late", target="y", result="+", on=day(9)),
    "an amendment": lambda engine: amended(engine, "e1", 5, "amended", result="o"),
    "a void": lambda engine: voided(engine, "e1", 5),
}


@pytest.mark.parametrize("later", LATER)
def test_a_shared_pool_that_others_gave_back_to_is_corrected_again(
    engine: Engine, storage: Storage, later: str
) -> None:
    shared_pool(engine)
    recorded(engine, "e1", "5", target="x", result="+", on=day(12))
    recorded(engine, "e1", "6", target="y", result="+", on=day(12))
    LATER[later](engine)
    assert engine.verify().is_clean
    assert_folds_to_what_is_stored(storage, "e1")
    assert_folds_to_what_is_stored(storage, "e2")


def test_a_late_result_an_amendment_and_a_void_work_one_after_another(
    engine: Engine, storage: Storage
) -> None:
    shared_pool(engine)
    for number, target in ((5, "x"), (6, "y")):
        recorded(engine, "e1", str(number), target=target, result="-", on=day(12))
    for later in LATER.values():
        later(engine)
        assert engine.verify().is_clean
        assert_folds_to_what_is_stored(storage, "e1")
    awarded = sum(engine.balance(enrollment=each)["USD"].awarded for each in ("e1", "e2"))
    assert in_pools(storage) == awarded * 100 <= 2500


def test_to_void_everything_leaves_a_shared_pool_at_nothing(engine: Engine, storage: Storage) -> None:
    shared_pool(engine)
    assert in_pools(storage) == 2000
    for record in (1, 2):
        voided(engine, "e1", record)
    assert in_pools(storage) == 0
    assert engine.verify().is_clean
    assert_folds_to_what_is_stored(storage, "e1")
    again = recorded(engine, "e2", "again", target="x", result="-")
    assert again.awards == {"USD": Decimal("10.00")}


def test_a_standing_of_another_release_is_folded_to_what_the_pool_has_received(tmp_path: Path) -> None:
    file = tmp_path / "clinic.db"
    with Engine.open(f"sqlite:///{file}", zone=ZONE) as engine:
        shared_pool(engine)
    with sqlite3.connect(file) as other:
        other.execute("UPDATE cm_standings SET state = 'x' WHERE enrollment = 'e1'")
    other.close()
    opened = open_storage(f"sqlite:///{file}", {})
    with Engine(storage=opened, zone=ZONE) as engine:
        recorded(engine, "e1", "next", target="x", result="+", on=day(12))
        assert engine.verify().is_clean
        assert_folds_to_what_is_stored(opened, "e1")
        for record in (1, 2):
            voided(engine, "e1", record)
        assert in_pools(opened) == 0


def test_a_standing_that_another_thread_has_replaced_is_read_all_the_same(engine: Engine) -> None:
    class Replaced(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            found = super().__contains__(key)
            self.pop(cast("str", key), None)
            return found

    begun(engine, STIMULANTS, "e")
    recorded(engine, "e", "1", result="-")
    register = vars(engine)["_register"]
    vars(register)["_stands"] = Replaced(vars(register)["_stands"])
    assert engine.preview(enrollment="e")["stimulants"]["-"].paid


# The host's transaction, on a disk that is full


Host = Connection | Session


def fill(engine: Engine, host: Host) -> int:
    """Record until the disk is full; return how many acts were told to be recorded."""
    joined = engine.joining(host)
    pages = host.execute(text("PRAGMA page_count")).scalar_one()
    host.execute(text(f"PRAGMA max_page_count = {pages}"))
    told = list[Recorded]()
    with pytest.raises(StorageFullError):
        told.extend(
            recorded(joined, "e", f"k{number}", result="-", on=day(5) + timedelta(number))
            for number in range(60)
        )
    return len(told)


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[tuple[Engine, str]]:
    """An engine on SQLite with a table of the host's beside it."""
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    with Engine.open(url, zone=ZONE) as engine:
        begun(engine, STIMULANTS, "e", "f")
        with create_engine(url, poolclass=NullPool).begin() as connection:
            connection.execute(text("CREATE TABLE chart (note TEXT)"))
        yield engine, url


@pytest.mark.parametrize("kind", [Connection, Session])
@pytest.mark.parametrize("goes_on", [False, True], ids=["and commits", "and records more"])
def test_after_a_full_disk_the_host_cannot_commit_and_nothing_is_there(
    clinic: tuple[Engine, str], kind: type[Host], goes_on: bool
) -> None:
    engine, url = clinic
    database = create_engine(url, poolclass=NullPool)
    host = Session(database) if kind is Session else database.connect()
    with host:
        host.execute(text("INSERT INTO chart VALUES ('seen')"))
        assert fill(engine, host) > 0
        if goes_on:
            with pytest.raises((StorageError, SQLAlchemyError)):
                recorded(engine.joining(host), "f", "more", result="-")
        with pytest.raises(SQLAlchemyError):
            host.commit()
    with database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM chart")).scalar_one() == 0
    assert [len(engine.history(enrollment=each)) for each in "ef"] == [1, 1]
    assert engine.verify().is_clean
    assert recorded(engine, "e", "k0", result="-").replayed is False


# The queue of group commit


class Teller(Thread):
    """A thread that has an act written, and keeps what it was told."""

    def __init__(self, queue: Queue, name: str) -> None:
        super().__init__(daemon=True)
        self._queue = queue
        self._named = name
        self.told: object = None

    def run(self) -> None:
        try:
            self.told = taken(self._queue, self._named)
        except BaseException as error:  # noqa: BLE001 - what is raised is what is looked at
            self.told = error


def taken(queue: Queue, name: str) -> object:
    return queue.take(Act("e", "observed", "desk", name, "nurse", {}, "{}"))


class Slow:
    """A storage whose first act takes until the gate is opened; what others meet is said by their names."""

    def __init__(self, patience: float = 60, **meets: BaseException) -> None:
        self._meets = meets
        self.waited: list[bool] = []
        self._started, self._gate = Event(), Event()
        self.batches: list[list[str]] = []
        self.queue = Queue(self._write, patience)
        self._tellers: dict[str, Teller] = {}

    def _write(self, acts: Sequence[Act], *, wait: bool = True) -> list[Done]:
        names = [act.key for act in acts]
        self.batches.append(names)
        self.waited.append(wait)
        if "first" in names:
            self._started.set()
            assert self._gate.wait(5)
        for name in names:
            if name in self._meets and not (wait and isinstance(self._meets[name], StorageConflictError)):
                raise self._meets[name]
        return [cast("Done", f"{name} done") for name in names]

    def begin(self, *names: str) -> None:
        """Have the first act begun, and others wait, in their order."""
        self.begin_more("first", *names)

    def begin_more(self, *names: str) -> None:
        """Have others wait too."""
        for name in names:
            teller = self._tellers[name] = Teller(self.queue, name)
            teller.start()
            assert self._started.wait(5)
            self._wait_for(len(self._tellers) - 1)

    def _wait_for(self, waiting: int) -> None:
        until = time.monotonic() + 5
        while len(vars(self.queue)["_queue"]) < waiting:
            assert time.monotonic() < until
            time.sleep(0.001)

    def wait_until_written(self, *names: str) -> None:
        """Wait until acts are written, whatever is held up."""
        for name in names:
            self._tellers[name].join(5)
            assert self._tellers[name].told == f"{name} done"

    def end(self) -> dict[str, Any]:
        """Open the gate, and return what each thread was told."""
        self._gate.set()
        for name, teller in self._tellers.items():
            teller.join(5)
            assert not teller.is_alive(), f"{name} waits for ever"
        assert self.later() == "later done"
        return {name: teller.told for name, teller in self._tellers.items()}

    def later(self) -> object:
        """Return what an act is told that comes when all is over."""
        teller = Teller(self.queue, "later")
        teller.start()
        teller.join(5)
        assert not teller.is_alive(), "who comes later waits for ever"
        return teller.told


class TimeIsUp(BaseException):
    """Stand for what a handler of a signal raises."""


@pytest.fixture
def interrupted() -> Iterator[None]:
    """Interrupt the main thread soon, wherever it is."""

    def interrupt(*_: object) -> None:
        raise TimeIsUp

    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


@pytest.mark.usefixtures("interrupted")
def test_who_is_interrupted_while_waiting_leaves_the_queue_and_others_are_written() -> None:
    slow = Slow()
    slow.begin()
    with pytest.raises(TimeIsUp):
        taken(slow.queue, "gone")
    assert slow.end() == {"first": "first done"}
    assert slow.batches == [["first"], ["later"]]


@pytest.mark.usefixtures("interrupted")
def test_who_waits_behind_one_that_is_interrupted_is_written() -> None:
    slow = Slow()
    slow.begin("before")
    with pytest.raises(TimeIsUp):
        taken(slow.queue, "gone")
    slow.begin_more("after")
    assert slow.end() == {name: f"{name} done" for name in ("first", "before", "after")}
    assert slow.batches == [["first"], ["before", "after"], ["later"]]


def test_an_act_that_raises_something_odd_ends_alone() -> None:
    odd = ValueError("odd")
    slow = Slow(refused=ReportError("refused"), odd=odd)
    slow.begin("one", "refused", "odd", "two", "three")
    told = slow.end()
    assert told.pop("odd") is odd
    assert isinstance(told.pop("refused"), ReportError)
    assert told == {name: f"{name} done" for name in ("first", "one", "two", "three")}


def test_an_interrupt_of_the_writer_reaches_only_its_own_thread() -> None:
    slow = Slow(two=KeyboardInterrupt())
    slow.begin("one", "two", "three")
    told = slow.end()
    assert [type(told[name]) for name in ("one", "two", "three")] == [
        KeyboardInterrupt,
        StorageError,
        StorageError,
    ]
    assert told["first"] == "first done"


def test_who_is_interrupted_while_each_writes_their_own_is_interrupted_alone() -> None:
    slow = Slow(odd=ValueError("odd"), two=KeyboardInterrupt())
    slow.begin("one", "odd", "two", "three")
    told = slow.end()
    assert isinstance(told["two"], KeyboardInterrupt)
    assert isinstance(told["odd"], ValueError)
    assert [told[name] for name in ("one", "three")] == ["one done", "three done"]


def test_those_behind_who_writes_alone_and_is_held_up_go_on_after_a_moment() -> None:
    slow = Slow(patience=0.05)
    slow.begin("one", "two")
    slow.wait_until_written("one", "two")
    assert slow.end() == {name: f"{name} done" for name in ("first", "one", "two")}


def test_several_are_written_together_only_if_nobody_is_waited_for_else_each_waits_alone() -> None:
    slow = Slow(held=StorageConflictError("another writer keeps it"))
    slow.begin("one", "held", "two")
    told = slow.end()
    assert told == {name: f"{name} done" for name in ("first", "one", "held", "two")}
    assert dict(zip(map(tuple, slow.batches), slow.waited, strict=True)) == {
        ("first",): True,
        ("one", "held", "two"): False,
        ("one",): True,
        ("held",): True,
        ("two",): True,
        ("later",): True,
    }


def test_where_the_storage_fails_each_who_waited_has_an_exception_of_its_own() -> None:
    slow = Slow(two=StorageFullError("the disk is full"))
    slow.begin("one", "two", "three")
    told = slow.end()
    errors = [told[name] for name in ("one", "two", "three")]
    assert [type(error) for error in errors] == [StorageFullError] * 3
    assert {str(error) for error in errors} == {"the disk is full"}
    assert len({id(error) for error in errors}) == 3
    assert slow.batches == [["first"], ["one", "two", "three"], ["later"]]


# One specimen by two ways


NINE = datetime(2026, 1, 5, 9, tzinfo=ZoneInfo(ZONE))
NINTH = NINE + timedelta(days=4)


@pytest.mark.parametrize("late", [False, True], ids=["in order", "late"])
@pytest.mark.parametrize("target", ["", "stimulants"], ids=["without a target", "with its target"])
def test_a_second_result_of_one_moment_is_refused_with_the_number_of_the_first(
    engine: Engine, late: bool, target: str
) -> None:
    begun(engine, STIMULANTS, "e")
    first = recorded(engine, "e", "1", result="-", collected_at=NINE, source="laboratory")
    if late:
        recorded(engine, "e", "2", result="-", on=day(8))
    acts = len(engine.history(enrollment="e"))
    with pytest.raises(ReportError, match=f"record {first.record};"):
        recorded(engine, "e", "1", result="-", collected_at=NINE.astimezone(UTC), source="app", target=target)
    assert len(engine.history(enrollment="e")) == acts
    assert engine.verify().is_clean


@pytest.mark.parametrize("between", [False, True], ids=["next", "later"])
def test_a_result_that_counted_for_an_earlier_day_than_its_own_is_not_taken_again_as_of_its_own(
    engine: Engine, between: bool
) -> None:
    begun(engine, STIMULANTS, "e")
    first = recorded(engine, "e", "1", result="-", collected_at=NINTH, on=day(6), source="laboratory")
    if between:
        recorded(engine, "e", "2", result="-", on=day(7))
    with pytest.raises(ReportError, match=f"record {first.record};"):
        recorded(engine, "e", "3", result="-", collected_at=NINTH, source="app")
    assert recorded(engine, "e", "4", result="-", collected_at=NINTH + timedelta(hours=1)).record
    assert engine.verify().is_clean


def test_the_time_of_a_result_that_was_voided_may_be_told_again(engine: Engine) -> None:
    begun(engine, STIMULANTS, "e")
    first = recorded(engine, "e", "1", result="-", collected_at=NINTH, on=day(6))
    engine.void(enrollment="e", record=first.record, why="typo", source="desk", key="v", by="n")
    assert recorded(engine, "e", "2", result="-", collected_at=NINTH).record
    assert engine.verify().is_clean


@pytest.mark.parametrize("late", [False, True], ids=["in order", "late"])
def test_two_targets_of_one_specimen_are_both_taken(engine: Engine, late: bool) -> None:
    begun(engine, TWO, "e")
    recorded(engine, "e", "1", target="x", result="-", collected_at=NINE)
    if late:
        recorded(engine, "e", "2", target="x", result="-", on=day(8))
    assert recorded(engine, "e", "3", target="y", result="-", collected_at=NINE).target == "y"
    with pytest.raises(ReportError, match="record 1;"):
        recorded(engine, "e", "4", target="x", result="-", collected_at=NINE)
    assert engine.verify().is_clean


# Secrets


A, B = b"a" * 32, b"b" * 32


def drawing(storage: Storage) -> Engine:
    """An engine with a secret, an enrollment that draws prizes, and one that does not."""
    engine = Engine(storage=storage, zone=ZONE, secret=A)
    begun(engine, DRAWS, "draws")
    begun(engine, STIMULANTS, "paid")
    recorded(engine, "draws", "1", result="-")
    recorded(engine, "draws", "2", result="-", on=day(8))
    recorded(engine, "paid", "1 of the other", result="-")
    return engine


ON_DRAWS: dict[str, Callable[[Engine], object]] = {
    "record": lambda engine: recorded(engine, "draws", "3", result="-", on=day(12)),
    "amend": lambda engine: amended(engine, "draws", 2, "3", result="+"),
    "void": lambda engine: voided(engine, "draws", 2),
}


@pytest.mark.parametrize("act", ON_DRAWS)
@pytest.mark.parametrize("secret", [B, b""], ids=["another", "none"])
def test_an_engine_with_another_secret_is_refused_before_it_draws(
    storage: Storage, act: str, secret: bytes
) -> None:
    right = drawing(storage)
    with pytest.raises(SecretError):
        ON_DRAWS[act](Engine(storage=storage, zone=ZONE, secret=secret))
    assert len(right.history(enrollment="draws")) == 3
    assert right.verify().is_clean
    ON_DRAWS[act](right)
    assert right.verify().is_clean


@pytest.mark.parametrize("secret", [B, b""], ids=["another", "none"])
def test_an_audit_without_the_secret_looks_at_the_others_and_reports_this_one(
    storage: Storage, secret: bytes
) -> None:
    drawing(storage)
    found = Engine(storage=storage, zone=ZONE, secret=secret).verify()
    assert [each.enrollment for each in found.differences] == ["draws"]
    assert found.enrollments == 2
    assert Engine(storage=storage, zone=ZONE, secret=secret).verify(enrollment="paid").is_clean


@pytest.mark.parametrize("secret", ["s" * 32, bytearray(32), b"short", None])
def test_a_secret_that_is_not_32_bytes_is_refused(secret: Any) -> None:
    with pytest.raises(ReportError, match="secret"):
        Engine.open("memory:", zone=ZONE, secret=secret)


# The clinic's day


EVENING = datetime(2026, 1, 5, 20, tzinfo=ZoneInfo(ZONE))


def in_the_evening(storage: Storage) -> Engine:
    engine = Engine(storage=storage, zone=ZONE, clock=lambda: EVENING.astimezone(UTC))
    begun(engine, STIMULANTS, "e")
    return engine


def test_a_day_later_than_tomorrow_at_the_clinic_is_refused(storage: Storage) -> None:
    engine = in_the_evening(storage)
    with pytest.raises(ReportError, match=r"2026-01-07.*at the clinic it is 2026-01-05"):
        recorded(engine, "e", "1", result="-", on=day(7))
    assert len(engine.history(enrollment="e")) == 1
    assert recorded(engine, "e", "2", result="-", on=day(6)).on == day(6)


def test_an_amendment_to_a_day_later_than_tomorrow_is_refused(storage: Storage) -> None:
    engine = in_the_evening(storage)
    recorded(engine, "e", "1", result="-")
    with pytest.raises(ReportError, match="2026-01-07"):
        amended(engine, "e", 1, "2", on=day(7))
    assert amended(engine, "e", 1, "3", on=day(6)).on == day(6)


# Programs and enrollments again


def test_to_enroll_again_after_a_second_version_gives_the_stored_enrollment(engine: Engine) -> None:
    engine.add_program(simple("1"))
    first = engine.enroll(participant="p", program="simple", start=day(5), by="nurse")
    engine.add_program(simple("2"))
    assert engine.enroll(participant="p", program="simple", start=day(5), by="nurse") == first
    assert engine.enroll(participant="p", program="simple", start=day(5), by="nurse", id=first.id) == first
    assert engine.enrollments() == [first]


def test_another_id_for_an_enrollment_that_is_stored_is_refused(engine: Engine) -> None:
    engine.add_program(simple())
    first = engine.enroll(participant="p", program="simple", start=day(5), by="nurse")
    with pytest.raises(ReportError, match=first.id):
        engine.enroll(participant="p", program="simple", start=day(5), by="nurse", id="mine")
    assert engine.enrollments() == [first]


def test_another_content_under_an_id_and_a_version_is_refused(engine: Engine) -> None:
    digest = engine.add_program(simple(title="One"))
    with pytest.raises(ReportError, match="simple version 1"):
        engine.add_program(simple(title="Other"))
    assert engine.programs() == {"simple@1": digest}


def enrolled_again(engine: Engine, **given: Any) -> str:
    told = {"participant": "p-e", "program": "simple", "start": day(12), "by": "nurse", "id": "again"}
    return engine.enroll(**{**told, **given}).id


def happened(engine: Engine, act: str, on: int, enrollment: str = "e") -> Recorded:
    done: Recorded = getattr(engine, act)(
        enrollment=enrollment, on=day(on), why="x", source="desk", key=f"{act}/{on}", by="nurse"
    )
    return done


@pytest.mark.parametrize("version", ["1", "2"])
def test_who_is_in_a_program_of_whatever_version_is_not_enrolled_beside_it(
    engine: Engine, version: str
) -> None:
    begun(engine, simple(), "e")
    engine.add_program(simple(version))
    with pytest.raises(AlreadyEnrolledError, match=r"by enrollment e from 2026-01-05 \(active\)") as refused:
        enrolled_again(engine, program=f"simple@{version}")
    assert (refused.value.participant, refused.value.program, refused.value.enrollment) == (
        "p-e",
        "simple",
        "e",
    )
    assert [each.id for each in engine.enrollments()] == ["e"]
    assert engine.verify().is_clean


def test_a_second_enrollment_that_is_meant_is_the_same_one_when_it_is_asked_for_again(engine: Engine) -> None:
    begun(engine, simple(), "e")
    assert enrolled_again(engine, again=True) == "again"
    assert enrolled_again(engine, again=True) == enrolled_again(engine) == "again"
    assert len(engine.enrollments(participant="p-e")) == 2


def test_who_is_discharged_or_in_another_program_is_enrolled_anew(engine: Engine) -> None:
    begun(engine, simple(), "e")
    engine.add_program(TWO)
    assert enrolled_again(engine, program="two", id="other") == "other"
    happened(engine, "discharge", 9)
    assert enrolled_again(engine, start=day(5), key="anew") == "again"


def test_a_discharge_that_lies_ahead_keeps_an_enrollment_open_until_then(storage: Storage) -> None:
    engine = Engine(storage=storage, zone=ZONE, clock=lambda: datetime(2026, 1, 7, 12, tzinfo=UTC))
    begun(engine, simple(), "e")
    happened(engine, "discharge", 20)
    found = engine.enrollment("e")
    assert (found.status, found.discharged_on) == ("active", day(20))
    with pytest.raises(AlreadyEnrolledError):
        enrolled_again(engine, start=day(20))
    assert enrolled_again(engine, start=day(21)) == "again"


def test_who_has_every_visit_of_the_plan_decided_is_enrolled_anew(engine: Engine) -> None:
    begun(engine, simple(), "e")
    for visit in range(12):
        recorded(engine, "e", f"k-{visit}", result="-", on=day(5) + timedelta(days=visit))
    assert engine.enrollment("e").status == "completed"
    assert enrolled_again(engine) == "again"


def test_an_enrollment_refused_in_a_transaction_of_the_host_leaves_the_host_what_it_wrote(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    with Engine.open(url, zone=ZONE) as engine:
        begun(engine, simple(), "e")
        with create_engine(url, poolclass=NullPool).begin() as host:
            joined = engine.joining(host)
            recorded(joined, "e", "1", result="-")
            with pytest.raises(AlreadyEnrolledError):
                enrolled_again(joined)
        assert [each.last_record for each in engine.enrollments()] == [1]


def test_an_enrollment_is_shown_as_it_stands_and_no_log_is_folded_for_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(engine, simple(), "e")
    second = engine.add_program(simple("2"))
    engine.migrate(enrollment="e", program="simple@2", on=day(5), why="x", source="d", key="m", by="nurse")
    happened(engine, "freeze", 6)
    found = engine.enrollment("e")
    assert (found.program, found.status, found.is_frozen, found.last_record) == (second, "active", True, 2)
    monkeypatch.setattr("cm_engine.acts.register.refolded", None)
    assert engine.enrollments() == [found]


# Only if nothing came between


@pytest.mark.parametrize("act", ["record", "amend", "void"])
def test_what_is_to_follow_a_record_is_refused_if_another_came_first(engine: Engine, act: str) -> None:
    begun(engine, simple(), "e")
    seen = recorded(engine, "e", "1", result="-").record
    recorded(engine, "e", "2", result="-", on=day(8))
    given: dict[str, Any] = {"enrollment": "e", "source": "desk", "key": "3", "by": "nurse"}
    given |= {"record": {"result": "+", "on": day(9)}, "amend": {"record": 1, "why": "x", "result": "+"}}.get(
        act, {"record": 1, "why": "x"}
    )
    with pytest.raises(StaleReportError) as refused:
        getattr(engine, act)(**given, expected_last=seen)
    assert (refused.value.enrollment, refused.value.expected, refused.value.last) == ("e", 1, 2)
    done = getattr(engine, act)(**given, expected_last=engine.enrollment("e").last_record)
    assert done.record == 3
    assert getattr(engine, act)(**given, expected_last=2).replayed


def test_of_two_who_saw_the_same_only_one_records(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path / 'clinic.db'}", zone=ZONE) as engine:
        begun(engine, simple(), "e")
        refused: list[StaleReportError] = []

        def report(key: str) -> None:
            try:
                recorded(engine, "e", key, result="-", expected_last=0)
            except StaleReportError as error:
                refused.append(error)

        threads = [Thread(target=report, args=(f"k-{number}",)) for number in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert (len(refused), engine.enrollment("e").last_record) == (3, 1)


# Rehearsed


def test_corrections_are_rehearsed_one_after_another_and_leave_no_trace(engine: Engine) -> None:
    begun(engine, simple(), "e")
    recorded(engine, "e", "1", result="+")
    before = engine.history(enrollment="e")[-1].hash
    typo = Amendment(Report("e", "desk", "2", "nurse", "-"), record=1, why="typo")
    other = Voiding(Report("e", "desk", "3", "nurse"), record=1, why="another patient")
    late = Report("e", "desk", "4", "nurse", "-", on=day(8))
    first, second, third = engine.rehearse([typo, late, other])
    assert first.hand_over == second.hand_over == {"USD": Decimal("10.00")}
    assert third.outcome == "withdrawn"
    assert engine.history(enrollment="e")[-1].hash == before


# What is handed over


def test_a_release_hands_over_what_the_freeze_held_back(engine: Engine) -> None:
    begun(engine, simple(), "e")
    recorded(engine, "e", "1", result="-")
    happened(engine, "freeze", 6)
    for key, on in (("2", 8), ("3", 12)):
        assert recorded(engine, "e", key, result="-", on=day(on)).hand_over == {}
    released = happened(engine, "release", 13)
    assert released.hand_over == {"USD": Decimal("20.00")}
    assert happened(engine, "release", 13).hand_over == {}


def test_to_void_a_freeze_hands_over_what_it_held_back(engine: Engine) -> None:
    begun(engine, simple(), "e")
    frozen = happened(engine, "freeze", 5).record
    recorded(engine, "e", "2", result="-")
    assert voided(engine, "e", frozen).hand_over == {"USD": Decimal("10.00")}


def test_a_second_freeze_holds_back_what_came_after_it_only(engine: Engine) -> None:
    begun(engine, simple(), "e")
    for number, on in enumerate((5, 8)):
        happened(engine, "freeze", on)
        recorded(engine, "e", f"k-{number}", result="-", on=day(on))
        assert happened(engine, "release", on).hand_over == {"USD": Decimal("10.00")}


def test_what_is_handed_over_is_nothing_for_a_repeat(engine: Engine) -> None:
    begun(engine, simple(), "e")
    first, again = (recorded(engine, "e", "1", result="-") for _ in range(2))
    assert (first.hand_over, again.hand_over) == ({"USD": Decimal("10.00")}, {})
    assert again.payable == first.payable == {"USD": Decimal("10.00")}


def test_what_is_handed_over_is_nothing_where_the_program_pays_later(engine: Engine) -> None:
    begun(engine, simple(when="on request"), "e")
    done = recorded(engine, "e", "1", result="-")
    assert (done.payable, done.hand_over) == ({"USD": Decimal("10.00")}, {})


def test_what_a_correction_takes_away_is_not_handed_over(engine: Engine) -> None:
    begun(engine, simple(), "e")
    recorded(engine, "e", "1", result="-")
    assert amended(engine, "e", 1, "2", result="+").hand_over == {}


def test_what_is_recorded_says_its_visit_week_day_target_and_hash(engine: Engine) -> None:
    begun(engine, simple(), "e")
    recorded(engine, "e", "1", result="-")
    recorded(engine, "e", "2", result="-", on=day(8))
    done = recorded(engine, "e", "3", result="-", on=day(12))
    assert (done.visit, done.week, done.on, done.target) == (3, 2, day(12), "x")
    assert done.decision
    assert done.hash == done.decision.hash == engine.history(enrollment="e")[-1].hash


# A database that is not there


def test_a_database_that_is_not_there_is_not_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(SchemaError):
        Engine.open(f"sqlite:///{tmp_path / 'clinic.db'}", zone=ZONE, make=False)
    assert list(tmp_path.iterdir()) == []


# What has one spelling


PADDED = ("udt-1 ", " udt-1")
IN_PARTS = "jose\u0301"
MAPPING = parse_mapping(
    "mapping: lab\nsource: lab\nprogram: stimulants\nparticipants: same\n"
    "codes:\n- {system: csv, code: udt, values: {neg: met}}\n"
)


@pytest.mark.parametrize("text", [*PADDED, IN_PARTS])
@pytest.mark.parametrize("name", ["enrollment", "source", "key", "by"])
def test_a_name_that_only_looks_like_another_is_refused(engine: Engine, name: str, text: str) -> None:
    begun(engine, STIMULANTS, "e")
    told = {"enrollment": "e", "source": "lab", "key": "udt-1", "by": "nurse-7", name: text}
    with pytest.raises(ReportError, match=f"^{name}: expected (no blank|the form NFC)"):
        engine.record(result="-", on=day(5), **cast("Any", told))
    assert len(engine.history(enrollment="e")) == 1


def test_a_participant_has_one_spelling(engine: Engine) -> None:
    engine.add_program(STIMULANTS)
    with pytest.raises(ReportError, match="participant: expected the form NFC"):
        engine.enroll(participant=IN_PARTS, program="stimulants", start=day(5), by="nurse-7")
    assert list(engine.enrollments()) == []


def test_what_a_sender_pads_is_the_same_thing(engine: Engine) -> None:
    begun(engine, STIMULANTS, "e")
    head = "id,person,code,value,status,collected_at\n"
    line = "u-1,p-e,udt,neg,final,2026-01-05T09:30-08:00\n"
    [arrival] = intake_of("csv").read(f"{head}{line}".encode())
    assert isinstance(arrival, Arrival)
    for key in ("u-1", "u-1  ", "  u-1"):
        engine.receive_arrivals([arrival._replace(key=key)], mapping=MAPPING, by="lab")
    assert len(engine.history(enrollment="e")) == 2


# What is no report, no document and no gateway


def test_what_is_handed_in_instead_of_the_right_thing_is_named(engine: Engine) -> None:
    begun(engine, STIMULANTS, "e")
    with pytest.raises(ReportError, match="expected a Report, got 'x'"):
        engine.record_many([cast("Report", "x")])
    with pytest.raises(ReportError, match="expected_last: expected the number of a record, got '1'"):
        recorded(engine, "e", "k", result="-", expected_last="1")
    with pytest.raises(IntakeError, match="expected its bytes, or the path of a file, got BytesIO"):
        engine.receive(cast("bytes", BytesIO()), format="csv", mapping=MAPPING, by="lab")
    with pytest.raises(ReportError, match="cards: expected a gateway, got the class FakeGateway"):
        engine.dispatcher({"cards": cast("FakeGateway", FakeGateway)})
    with pytest.raises(StorageError, match=r"expected the URL of a storage, .* got None"):
        Engine.open(cast("str", None))
    assert len(engine.history(enrollment="e")) == 1
