"""A participant moves: the enrollment leaves one database as a file, and goes on in another as if nothing had been.

The undisturbed run that moves are compared with has two assertions in the place of the two acts of the move, so that
every later act has the same number, and draws the same slips.
"""

import json
import shlex
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

import cm_engine.bundles.layout
from cm_engine import (
    Bundle,
    BundleError,
    CmEngineError,
    Engine,
    Evidence,
    KeyConflictError,
    MissingDependencyError,
    Program,
    ReportError,
    SecretError,
    StorageError,
    canonical,
    cli,
    parse_program,
    parse_trial,
    read_bundle,
)
from cm_engine.acts.register import Register
from cm_engine.bundles.checking import bundle_from
from cm_engine.bundles.layout import HELD, canonical_form
from cm_engine.bundles.sealing import sealed
from cm_engine.log.chain import hash_of
from cm_engine.log.rows import RecordRow
from cm_engine.opening import open_storage
from cm_engine.rules import RULES_VERSION
from cm_engine.wrapping import KEPT, TRAVELS, unwrapped, wrapped
from tests.programs import document_of, schedules
from tests.test_durable_machine import PROGRAMS

START = date(2026, 1, 5)
HERE, THERE, SHARED = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
"""The secrets of two clinics, and the key that they share."""
TOLD: Mapping[str, Any] = {"source": "desk", "by": "nurse-7"}
WINDOWED = parse_program(
    '{program: windowed, version: "1", title: Windowed, currency: USD, visits: [{weeks: 1-6, per_week: 2}],'
    " windows: {within: day, before: 1, after: 1, makeup: 1}, limits: [{amount: 60, per: month, crossing: truncate}],"
    " targets: {tests: {behavior: abstinence, schedule: [{weeks: 1-6, escalate: {start: 5, step: 5, ceiling: 20},"
    " reset: {}, recover: {after: 2, paid: next, level: last earned}}]}}}"
)
ALL: Mapping[str, Program] = {**PROGRAMS, "windowed": WINDOWED}


class Clinic:
    """An engine with a clock that goes on, whose acts have numbers."""

    def __init__(self, url: str = "memory:", secret: bytes = HERE, **options: Any) -> None:
        self.now = datetime(2026, 12, 30, 18, tzinfo=UTC)
        self.storage = open_storage(url, {})
        self.engine = self.with_secret(secret, **options)

    def with_secret(self, secret: bytes, **options: Any) -> Engine:
        """Another engine on the same storage."""
        return Engine(
            storage=self.storage, zone="America/Los_Angeles", secret=secret, clock=self.clock, **options
        )

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=3)
        return self.now

    def enroll(
        self, program: Program, id_: str = "e-1", participant: str = "p-1", start: date = START
    ) -> None:
        self.engine.add_program(program)
        name = f"{program.program}@{program.version}"
        self.engine.enroll(
            participant=participant, program=name, start=start, by="nurse-7", id=id_, key=id_, again=True
        )

    def negative(self, day: int, key: str = "", id_: str = "e-1") -> Any:
        on = START + timedelta(day)
        return self.engine.record(enrollment=id_, result="-", on=on, key=key or f"{id_}/{day}", **TOLD)

    def negatives(self, *days: int, id_: str = "e-1") -> None:
        for day in days:
            self.negative(day, id_=id_)

    def export(self, id_: str = "e-1", **more: Any) -> Bundle:
        told = {"to": "harbor", "why": "moved to Oakland", "consent": "c-31", "key": f"leaves/{id_}", **TOLD}
        return self.engine.export(enrollment=id_, **{**told, **more})

    def take(self, bundle: Bundle | str, key: str = "", **more: Any) -> Any:
        text = bundle if isinstance(bundle, str) else bundle.text()
        return self.engine.import_bundle(text, key=key or f"arrives/{hash(text)}", **{**TOLD, **more})

    def counts(self) -> dict[str, int]:
        with self.storage.reading() as tx:
            return tx.counts()

    @property
    def is_clean(self) -> bool:
        found = self.engine.verify()
        assert found.is_clean, [str(each) for each in found.differences]
        return not found.other_rules


def clinics() -> tuple[Clinic, Clinic]:
    return Clinic(), Clinic(secret=THERE)


def moved(program: Program, *days: int, **more: Any) -> tuple[Clinic, Clinic, Bundle]:
    """A participant with negative tests on some days, who left for another clinic."""
    here, there = clinics()
    here.enroll(program)
    here.negatives(*days)
    return here, there, here.export(**more)


def sealed_again(bundle: Bundle, change: Callable[[dict[str, Any]], object], key: bytes = b"") -> str:
    """A bundle that somebody changed who knows how bundles are sealed, but not the key."""
    document = json.loads(bundle.text())
    change(document)
    plain = {name: value for name, value in document.items() if name not in {"parts", "hmac", "seal"}}
    return f"{canonical_form(sealed(plain, key))}\n"


def shown(engine: Engine, id_: str) -> tuple[Any, ...]:
    """Everything that a participant can see."""
    statement = engine.statement(enrollment=id_)
    prizes = [each.prizes for act in engine.history(enrollment=id_) for each in act.decisions]
    return statement.lines, statement.awarded, statement.balances, prizes, engine.preview(enrollment=id_)


# The sentences


def test_the_next_result_pays_what_it_would_have_paid_where_the_participant_was() -> None:
    here, there, bundle = moved(ALL["absorbing"], 0, 3, 7)
    enrollment = there.take(bundle)
    assert (enrollment.id, enrollment.participant) == ("e-1", "p-1")
    assert str(there.negative(10).awards["USD"]) == "25.00"
    assert here.is_clean
    assert there.is_clean


def test_what_left_takes_nothing_more_where_it_was_and_is_expected_there_no_more() -> None:
    here, there, bundle = moved(WINDOWED, 0)
    with pytest.raises(ReportError, match="left on 2026-12-30"):
        here.negative(3)
    with pytest.raises(ReportError, match="left on 2026-12-30"):
        here.engine.readmit(enrollment="e-1", on=date(2026, 12, 31), why="came back", key="r", **TOLD)
    with pytest.raises(ReportError, match="left on 2026-12-30"):
        here.export(key="another")
    assert here.engine.sweep() == []
    assert here.engine.expected() == []
    there.take(bundle)
    assert len(there.engine.sweep()) == 1
    assert there.is_clean


def test_the_same_export_is_the_same_file_to_the_byte() -> None:
    here, _, bundle = moved(ALL["drawing"], 0, 3, seal_with=SHARED)
    assert here.export(seal_with=SHARED).text() == bundle.text()
    copy = Clinic()
    copy.enroll(ALL["absorbing"])
    copy.negatives(0, 3)
    first = copy.export(leave=False)
    copy.negatives(7, 10)
    assert copy.export(leave=False).text() == first.text()
    with pytest.raises(KeyConflictError):
        copy.export(leave=False, why="another reason")


def test_an_export_is_told_among_what_was_disclosed_here_and_where_it_arrives() -> None:
    here, there, bundle = moved(ALL["absorbing"], 0)
    there.take(bundle)
    [told] = here.engine.disclosures("p-1")
    assert (told.message, told.kind, told.recipient) == ("e-1", "record", "harbor")
    assert (told.channel, told.outcome, told.consent, told.reference) == (
        "bundle", "exported", "c-31", "moved to Oakland",
    )  # fmt: skip
    assert there.engine.disclosures("p-1") == (told,)
    assert here.engine.disclosures("p-2") == ()


def test_a_copy_leaves_the_enrollment_where_it_is_and_is_taken_nowhere() -> None:
    here, there = clinics()
    here.enroll(ALL["absorbing"])
    copy = here.export(leave=False)
    assert here.negative(3).record == 2
    assert read_bundle(copy.text()).leaves is False
    with pytest.raises(BundleError, match="it is a copy"):
        there.take(copy)
    assert not any(there.counts().values())


def test_the_same_bundle_twice_is_one_enrollment() -> None:
    _, there, bundle = moved(ALL["absorbing"], 0, 3)
    first = there.take(bundle)
    there.negative(7)
    before = there.counts()
    assert there.take(bundle) == first == there.take(bundle, key="another key")
    assert there.counts() == before
    assert there.is_clean


def test_a_bundle_says_where_the_enrollment_stands() -> None:
    here, _, bundle = moved(ALL["absorbing"], 0, 3, 7)
    assert bundle.stands["targets"] == {"abstinence": {"position": 3, "saved": 0, "streak": 3, "visits": 3}}
    assert bundle.stands["limits"] == [
        {"per": "calendar year", "scope": [], "stopped": [], "unit": "USD", "used": [[2026, "45.00"]]}
    ]
    assert bundle.stands["year"] == {"awarded": {"USD": "45.00"}, "year": "2026"}
    assert bundle.stands["balances"]["USD"]["in_flight"] == "45.00"
    assert bundle.exported["head"] == here.engine.history(enrollment="e-1")[-2].hash
    assert bundle.head == here.engine.history(enrollment="e-1")[-1].hash
    assert (bundle.exported["to"], bundle.exported["consent"], bundle.leaves) == ("harbor", "c-31", True)


def test_both_logs_say_who_moved_the_enrollment_and_why() -> None:
    here, there, bundle = moved(ALL["absorbing"], 0)
    there.take(bundle, by="nurse-2")
    acts = there.engine.history(enrollment="e-1")
    assert [act.kind for act in acts] == ["enrolled", "observed", "exported", "imported"]
    assert [act.hash for act in acts[:3]] == [act.hash for act in here.engine.history(enrollment="e-1")]
    assert acts[3].reported["seal"] == bundle.seal
    assert acts[3].by == "nurse-2"
    assert acts[3].reported["head"] == bundle.head


def test_who_comes_back_goes_on_with_all_that_was_recorded_elsewhere() -> None:
    here, there, bundle = moved(ALL["sharing"], 0, 3)
    there.take(bundle)
    there.negatives(7)
    here.take(there.export(key="back"), key="returns")
    assert str(here.negative(10).awards["USD"]) == "25.00"
    assert [act.kind for act in here.engine.history(enrollment="e-1")][3:] == [
        "exported", "imported", "observed", "exported", "imported", "observed",
    ]  # fmt: skip
    assert here.is_clean
    assert there.is_clean
    with pytest.raises(ReportError, match="left"):
        there.negative(10)


def test_a_move_that_did_not_come_about_is_undone_by_taking_the_bundle_back() -> None:
    here, _, bundle = moved(ALL["sharing"], 0, 3)
    here.take(bundle)
    assert here.negative(7).record == 5
    assert here.is_clean


def test_who_moves_on_takes_everything_along() -> None:
    here, there, bundle = moved(ALL["drawing"], 0, 3, seal_with=SHARED)
    there.take(bundle, seal_with=SHARED)
    there.negatives(7)
    onward, last = there.export(key="onward", seal_with=SHARED), Clinic(secret=SHARED)
    last.take(onward, seal_with=SHARED)
    assert last.negative(10).prizes.drawn
    assert here.is_clean
    assert there.is_clean
    assert last.is_clean


def test_what_was_recorded_before_the_move_is_corrected_after_it() -> None:
    still, (here, there) = Clinic(), clinics()
    for clinic in (still, here):
        clinic.enroll(ALL["offsetting"])
        clinic.negatives(0, 3, 7)
    there.take(here.export())
    for clinic in (still, there):
        clinic.engine.amend(enrollment="e-1", record=2, result="+", why="confirmed", key="a", **TOLD)
        clinic.negatives(10)
    lines = [
        [
            (each.on, each.outcome, each.awards, each.so_far)
            for each in clinic.engine.statement(enrollment="e-1").lines
        ]
        for clinic in (still, there)
    ]
    assert lines[0] == lines[1]
    assert there.is_clean


def test_a_file_is_as_good_as_a_text_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    _, there, bundle = moved(ALL["absorbing"], 0)
    bundle.write(file := tmp_path / "e-1.json")
    assert file.read_text("utf-8") == bundle.text()
    assert file.stat().st_mode & 0o077 == 0
    assert read_bundle(str(file)).seal == bundle.seal
    there.engine.import_bundle(file, key="in", **TOLD)
    assert there.is_clean
    with pytest.raises(BundleError, match="cannot be read"):
        read_bundle(tmp_path / "none.json")
    with pytest.raises(StorageError, match="export it again"):
        bundle.write(tmp_path / "no folder" / "e-1.json")


def test_an_export_is_no_part_of_a_transaction_that_can_be_undone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    here = Clinic(url)
    here.enroll(ALL["absorbing"])
    told: dict[str, Any] = {"enrollment": "e-1", "to": "harbor", "why": "moved", "key": "x", **TOLD}
    database = create_engine(url)
    with database.begin() as connection, pytest.raises(ReportError, match="transaction of its own"):
        here.engine.joining(connection).export(**told)
    with database.begin() as connection:
        assert not here.engine.joining(connection).export(**told, leave=False).leaves
    database.dispose()


def test_only_those_with_the_right_let_somebody_leave_and_nobody_asks_for_those_of_elsewhere() -> None:
    _here, _, bundle = moved(ALL["absorbing"], 0)
    there = Clinic(people="known")
    there.engine.add_staff(staff="boss", roles=["supervisor"], by="boss")
    with pytest.raises(CmEngineError, match="nurse-7 may not transfer"):
        there.take(bundle)
    assert there.take(bundle, by="boss").id == "e-1"
    assert there.is_clean


def test_whatever_else_happened_to_an_enrollment_moves_along() -> None:
    here, there = clinics()
    first = ALL["banking"]
    second = _second(first)
    here.engine.open_site("oakland", zone="America/Los_Angeles", by="boss")
    there.engine.open_site("harbor", zone="America/New_York", by="boss")
    for program in (first, second):
        here.engine.add_program(program)
    enrolled: dict[str, Any] = {"participant": "p-1", "program": "banking@1", "start": START, "id": "e-1"}
    here.engine.enroll(**enrolled, by="nurse-7", site="oakland")
    here.negatives(0, 3, 7)
    told: dict[str, Any] = {"enrollment": "e-1", **TOLD}
    sent = here.engine.redeem(amount=Decimal(30), key="r", **told)
    here.engine.migrate(program="banking@2", on=START + timedelta(9), why="corrected", key="m", **told)
    here.engine.close_days(
        "oakland",
        first=START + timedelta(10),
        last=START + timedelta(10),
        why="x",
        by="boss",
        source="s",
        key="c",
    )
    bundle = here.export()
    assert [row.version for row in bundle.rows.programs] == ["1", "2"]
    assert bundle.stands["balances"]["USD"]["in_flight"] == "30.00"
    there.take(bundle)
    there.engine.transfer(to="harbor", on=START + timedelta(14), why="moved", key="t", **told)
    there.engine.hand_over(number=sent.number, key="h", **told)
    there.negatives(10, 14)
    there.engine.redeem(key="r2", **told)
    assert here.is_clean
    assert there.is_clean


def _second(program: Program) -> Program:
    """The next version of a program, which pays more."""
    text = (
        canonical(program)
        .replace('"version":"1"', '"version":"2"')
        .replace('"ceiling":"25"', '"ceiling":"40"')
    )
    return parse_program(text, name="second")


# Limits that span enrollments


def test_what_a_payer_gave_here_counts_where_the_participant_goes() -> None:
    still, (here, there) = Clinic(), clinics()
    for clinic in (still, here):
        clinic.enroll(ALL["sharing"])
        clinic.enroll(ALL["sharing-too"], "e-2")
        clinic.negatives(0, 3, id_="e-2")
        clinic.negatives(0, 3)
    there.take(here.export())
    assert there.is_clean
    for clinic in (still, there):
        clinic.negatives(7)
    results = [clinic.negative(10) for clinic in (still, there)]
    assert [each.awards for each in results] == [{"USD": Decimal("0.00")}] * 2
    assert here.is_clean
    assert there.is_clean


@pytest.mark.parametrize("more", [(), (7,)])
def test_an_enrollment_that_follows_is_not_counted_twice(more: tuple[int, ...]) -> None:
    here, there = clinics()
    for id_, program in (("e-1", "sharing"), ("e-2", "sharing-too"), ("e-3", "sharing-too")):
        here.enroll(ALL[program], id_, start=START - timedelta(int(id_[-1])))
        here.negatives(0, id_=id_)
    there.take(here.export("e-1"))
    here.negatives(*more, id_="e-2")
    assert here.is_clean
    assert there.is_clean
    for id_ in ("e-2", "e-3"):
        there.take(here.export(id_), key=id_, same_participant=True)
        assert here.is_clean
        assert there.is_clean
    there.negatives(21, 24, 28, id_="e-3")
    awarded = sum(there.engine.balance(enrollment=f"e-{n}")["USD"].awarded for n in (1, 2, 3))
    assert awarded == 70
    assert there.is_clean


def test_what_a_fund_gave_counts_in_the_fund_where_the_enrollment_arrives() -> None:
    here, there, bundle = moved(ALL["funded"], 0, 3)
    there.enroll(ALL["funded"], "other", "p-2")
    there.negatives(0, 3, 7, 10, id_="other")
    there.take(bundle)
    assert (
        there.negative(10).awards["USD"] == 0
    )  # 70.00 and 25.00 of 100.00 are given: 20.00 more are withheld
    assert here.is_clean
    assert there.is_clean


# Ids that stand for something else


def test_an_enrollment_of_the_same_id_is_refused() -> None:
    _, there, bundle = moved(ALL["absorbing"], 0)
    there.enroll(ALL["absorbing"], "e-1", "p-9")
    before = there.counts()
    with pytest.raises(BundleError, match=r"enrollment\.id: there is an enrollment 'e-1' here already"):
        there.take(bundle)
    assert there.counts() == before


def test_the_first_act_whose_key_is_in_use_is_named() -> None:
    _, there, bundle = moved(ALL["absorbing"], 0, 3, 7)
    there.enroll(ALL["absorbing"], "e-9", "p-9")
    there.negative(0, key="e-1/3", id_="e-9")
    before = there.counts()
    with pytest.raises(BundleError, match="record 2: its key 'e-1/3' of 'desk' stands for another act here"):
        there.take(bundle)
    with pytest.raises(KeyConflictError):
        there.take(bundle, key="e-1/3")
    with pytest.raises(KeyConflictError):
        there.take(bundle, key="e-1/7")
    assert there.counts() == before


def test_somebody_else_may_have_the_same_id_so_that_it_is_asked() -> None:
    _, there, bundle = moved(ALL["absorbing"], 0)
    there.enroll(ALL["sharing"], "e-9", "p-1")
    with pytest.raises(BundleError, match="is known here, by the enrollment 'e-9'; if it is the same person"):
        there.take(bundle)
    assert there.take(bundle, same_participant=True).id == "e-1"
    assert there.is_clean


def test_the_program_comes_along_unless_its_name_stands_for_another_one() -> None:
    _, there, bundle = moved(ALL["absorbing"], 0)
    other = parse_program(
        bundle.rows.programs[0].text.replace("Absorbing", "x").replace('"90', '"91'), name="x"
    )
    assert other.program == "absorbing"
    there.engine.add_program(other)
    with pytest.raises(ReportError, match="registered with other content"):
        there.take(bundle)
    assert there.counts()["enrollments"] == 0


def test_an_id_or_a_zone_that_is_expected_is_compared() -> None:
    _, there, bundle = moved(ALL["absorbing"], 0)
    with pytest.raises(ReportError, match="id: expected 'e-1'"):
        there.take(bundle, id="e-2")
    with pytest.raises(ReportError, match="zone: the days of its results are those of America/Los_Angeles"):
        there.take(bundle, zone="America/New_York")
    assert there.take(bundle, id="e-1", zone="America/Los_Angeles").id == "e-1"


def test_who_was_allocated_by_a_trial_can_move_and_both_audits_are_clean() -> None:
    here, there = clinics()
    for program in ("absorbing", "offsetting"):
        here.engine.add_program(ALL[program])
    arms = "{one: {program: absorbing}, two: {program: offsetting}}"
    trial = parse_trial(f"{{trial: rewards, title: Rewards, arms: {arms}, blocks: [4]}}")
    here.engine.open_trial(trial, by="pi-1")
    told = here.engine.allocate(trial="rewards", participant="p-1", start=START, key="1", **TOLD)
    bundle = here.export(told.enrollment.id)
    there.take(bundle)
    assert here.is_clean
    assert there.is_clean
    other = Clinic(secret=THERE)
    for program in ("absorbing", "offsetting"):
        other.engine.add_program(ALL[program])
    other.engine.open_trial(trial, by="pi-2")
    with pytest.raises(BundleError, match="there is a journal of that name here"):
        other.take(bundle)


# Prizes


def test_prizes_go_on_being_drawn_from_the_seed_that_was_committed_to() -> None:
    still, (here, there) = Clinic(), clinics()
    for clinic in (still, here):
        clinic.enroll(ALL["drawing"])
        clinic.negatives(0, 3)
    bundle = here.export(seal_with=SHARED)
    there.take(bundle, seal_with=SHARED)
    nothing: dict[str, Any] = {
        "enrollment": "e-1",
        "amount": Decimal(0),
        "unit": "USD",
        "on": START - timedelta(9),
        **TOLD,
    }
    for key in ("a", "b"):
        still.engine.assert_awarded(**nothing, key=key)
    for day in (7, 10, 14):
        assert still.negative(day).prizes == there.negative(day).prizes
    assert here.is_clean
    assert there.is_clean
    again = there.with_secret(THERE)
    assert again.record(enrollment="e-1", result="-", on=START + timedelta(17), key="l", **TOLD).prizes


def test_no_seed_is_ever_in_the_clear() -> None:
    _, there, bundle = moved(ALL["drawing"], 0, seal_with=SHARED)
    there.take(bundle, seal_with=SHARED)
    seed = Register(HERE).seed("e-1").hex()
    records = json.dumps([act.reported for act in there.engine.history(enrollment="e-1")])
    assert len(seed) == 64
    assert seed not in bundle.text()
    assert seed not in records
    assert unwrapped(bundle.document["draws"]["seed"], SHARED, TRAVELS, "e-1").hex() == seed


def test_prizes_do_not_leave_without_a_key_nor_arrive_without_it_or_without_a_secret() -> None:
    here, there = clinics()
    here.enroll(ALL["drawing"])
    before = here.counts()
    with pytest.raises(ReportError, match="their seed travels wrapped"):
        here.export()
    with pytest.raises(ReportError, match="at least 32 bytes"):
        here.export(seal_with=b"short")
    assert here.counts() == before
    bundle = here.export(seal_with=SHARED)
    with pytest.raises(BundleError, match="give it: seal_with"):
        there.take(bundle)
    with pytest.raises(BundleError, match="hmac: it was not sealed with the key"):
        there.take(bundle, seal_with=THERE)
    with pytest.raises(SecretError):
        Clinic(secret=b"").take(bundle, seal_with=SHARED)
    assert not any(there.counts().values())


def test_another_secret_than_that_of_the_import_draws_nothing_and_the_audit_says_so() -> None:
    _, there, bundle = moved(ALL["drawing"], 0, seal_with=SHARED)
    there.take(bundle, seal_with=SHARED)
    other = there.with_secret(HERE[::-1])
    with pytest.raises(SecretError):
        other.record(enrollment="e-1", result="-", on=START + timedelta(3), key="l", **TOLD)
    [found] = other.verify().differences
    assert "commitment" in found.what


def test_a_seed_of_somebody_else_is_refused() -> None:
    _, there, bundle = moved(ALL["drawing"], 0, seal_with=SHARED)
    other = wrapped(bytes(32), SHARED, TRAVELS, "e-1")
    text = sealed_again(bundle, lambda each: each["draws"].update(seed=other), SHARED)
    with pytest.raises(BundleError, match="commitment"):
        there.take(text, seal_with=SHARED)
    strange = wrapped(Register(HERE).seed("e-1"), SHARED, KEPT, "e-1")
    text = sealed_again(bundle, lambda each: each["draws"].update(seed=strange), SHARED)
    with pytest.raises(BundleError, match=r"draws\.seed: .* wrapped with another key"):
        there.take(text, seal_with=SHARED)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cryptography.hazmat.primitives.keywrap", "cryptography"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(MissingDependencyError, match=r"cm-engine\[moving\]"):
        wrapped(bytes(32), SHARED, TRAVELS, "e-1")
    with pytest.raises(MissingDependencyError, match=r"cm-engine\[moving\]"):
        unwrapped("00", SHARED, TRAVELS, "e-1")


# Bundles that are not as they should be

_, _, PLAIN = moved(ALL["absorbing"], 0, 3)
_, _, PROVED = moved(ALL["drawing"], 0, 3, seal_with=SHARED)


@settings(max_examples=150)
@given(st.data(), st.sampled_from([PLAIN, PROVED]))
def test_any_single_changed_character_is_refused(data: st.DataObject, bundle: Bundle) -> None:
    text = bundle.text()
    place = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(
        st.sampled_from(["", "0", "1", "a", " ", '"', "}", "\n", "\r", "é", "\x00", f"{text[place]} "])
    )
    changed = f"{text[:place]}{new}{text[place + 1 :]}"
    key = SHARED if bundle is PROVED else b""
    if changed != text:
        with pytest.raises(BundleError) as caught:
            bundle_from(changed, key)
        assert caught.value.where
        assert caught.value.what


@pytest.mark.parametrize("name", HELD)
def test_the_part_that_was_changed_is_named(name: str) -> None:
    document = json.loads(PLAIN.text())
    document[name] = document[name][:-1] if isinstance(document[name], list) else {**document[name], "x": 1}
    with pytest.raises(BundleError, match=f"bundle: {name}: it is not what was sealed"):
        bundle_from(f"{canonical_form(document)}\n", b"")


def test_the_row_that_was_changed_is_named_too() -> None:
    document = json.loads(PLAIN.text())
    document["records"][2]["actor"] = "somebody-else"
    with pytest.raises(BundleError, match="records: it is not what was sealed; record 2: its hash is"):
        bundle_from(f"{canonical_form(document)}\n", b"")


def _first_award(document: dict[str, Any]) -> None:
    document["decisions"][0]["awards"] = '[["USD",99900]]'


def _no_last_act(document: dict[str, Any]) -> None:
    document["records"].pop()


CHANGES: Mapping[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "an award": (_first_award, "decision 1: its hash is"),
    "an amount": (
        lambda each: each["entries"][0].update(amount=9),
        "entry 1/1: amount: stored 9, folded again 1000",
    ),
    "a payout's day": (lambda each: each["payouts"][0].update(day="2020-01-01"), "payout 1/1: day"),
    "a payout more": (lambda each: each["payouts"].append({**each["payouts"][0], "leg": 9}), "payout 1/9"),
    "an act less": (_no_last_act, "standing: stored"),
    "a head": (lambda each: each["standing"].update(head="0" * 64), "standing: stored"),
    "a cached state": (
        lambda each: each["standing"].update(state="{}"),
        "standing: expected an object without a state",
    ),
    "the participant": (lambda each: each["enrollment"].update(participant="p-2"), "enrollment: stored"),
    "a summary": (lambda each: each["stands"]["year"].update(year="2025"), r"stands\.year\.year: it says"),
    "the consent": (lambda each: each["exported"].update(consent="c-32"), r"exported\.consent: it says"),
    "the program": (lambda each: each["programs"][0].update(text="{}"), r"programs\[0\]: its digest"),
    "no program": (lambda each: each.update(programs=[]), "programs: they are not those"),
    "a row of another": (
        lambda each: each["records"][1].update(enrollment="e-2"),
        r"records\[1\]: it is of another",
    ),
    "a number as text": (lambda each: each["records"][1].update(seq="1"), r"records\[1\]\.seq: expected int"),
    "a truth as number": (
        lambda each: each["records"][1].update(seq=True),
        r"records\[1\]\.seq: expected int",
    ),
    "a column more": (lambda each: each["records"][1].update(x=1), r"records\[1\]: expected an object"),
    "a line break": (lambda each: each["records"][1].update(actor="a\nb"), "control character"),
    "no list": (lambda each: each.update(records={}), "records: expected a list"),
    "no draws": (lambda each: each.update(draws=[]), "draws: expected the commitment"),
    "an act that is no object": (lambda each: each["records"][1].update(body="[]"), "record 1|log"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_who_seals_a_changed_bundle_anew_is_found_by_its_log(name: str) -> None:
    change, message = CHANGES[name]
    there = Clinic()
    with pytest.raises(BundleError, match=message):
        there.take(sealed_again(PLAIN, change))
    assert not any(there.counts().values())


COUNTY = ["payer", "county", "USD", "calendar year"]
NONSENSE: Mapping[str, Any] = {
    "a fund of the clinic": {"e-9": [[["fund", "grant", "USD", "calendar year"], [[2026, 5]]]]},
    "another payer": {"e-9": [[["payer", "state", "USD", "calendar year"], [[2026, 5]]]]},
    "numbers for a pool": {"e-9": [[[1, 2, 3, 4], [[2026, 5]]]]},
    "a pool of three": {"e-9": [[COUNTY[:3], [[2026, 5]]]]},
    "an amount with decimals": {"e-9": [[COUNTY, [[2026, 1.5]]]]},
    "an amount as text": {"e-9": [[COUNTY, [[2026, "5"]]]]},
    "less than nothing": {"e-9": [[COUNTY, [[2026, -5]]]]},
    "more than there is": {"e-9": [[COUNTY, [[2026, 10**30]]]]},
    "a window as text": {"e-9": [[COUNTY, [["x", 5]]]]},
    "no pairs": {"e-9": [["x", 5]]},
    "a list": [],
    "two lines": {"e\n9": [[COUNTY, [[2026, 5]]]]},
}


def told_of_others(bundle: Bundle, others: Any) -> str:
    """A bundle whose last act tells something of other enrollments, with all hashes made anew."""
    document = json.loads(bundle.text())
    former = RecordRow(**document["records"][-1])
    body = {**json.loads(former.body), "elsewhere": others}
    record = former._replace(body=json.dumps(body, separators=(",", ":")))
    record = record._replace(hash=hash_of(record[:-1], body["head"]))
    document["records"][-1] = record._asdict()
    changed = json.loads(json.dumps(document).replace(former.hash, record.hash))
    plain = {name: value for name, value in changed.items() if name not in {"parts", "hmac", "seal"}}
    return f"{canonical_form(sealed(plain, b''))}\n"


@pytest.mark.parametrize("name", NONSENSE)
def test_what_a_made_up_bundle_tells_of_others_is_refused_if_its_programs_have_no_such_payer(
    name: str,
) -> None:
    _, there, bundle = moved(ALL["sharing"], 0, 3)
    with pytest.raises(BundleError, match=r"what it says that others received is of no payer|cannot be read"):
        there.take(told_of_others(bundle, NONSENSE[name]))
    assert not any(there.counts().values())
    assert there.take(told_of_others(bundle, {"e-9": [[COUNTY, [[2026, 5]]]]})).id == "e-1"
    assert there.is_clean


@pytest.mark.parametrize("body", ["[]", "{", "", "null", '{"on":"2026-01-05"}', '{"seal":' + "[" * 10**5])
def test_a_damaged_act_of_import_is_a_difference_and_hides_no_other_enrollment(
    tmp_path: Path, body: str
) -> None:
    _, _, bundle = moved(ALL["sharing"], 0, 3)
    there = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    there.take(bundle)
    there.enroll(ALL["sharing"], "e-2", participant="p-2")
    with closing(sqlite3.connect(tmp_path / "clinic.db", isolation_level=None)) as database:
        database.execute("DROP TRIGGER cm_records_no_update")
        database.execute("UPDATE cm_records SET body = ? WHERE kind = 'imported'", [body])
    found = there.engine.verify()
    assert ("e-1", "log") in {(each.enrollment, each.where) for each in found.differences}
    assert found.enrollments == 2


def test_who_seals_a_bundle_without_the_key_is_found_by_whoever_has_it() -> None:
    forged = sealed_again(PLAIN, lambda _: None)
    assert bundle_from(forged, b"").seal == PLAIN.seal
    with pytest.raises(BundleError, match="hmac: it has none"):
        bundle_from(forged, SHARED)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "cannot be read"),
        ("{", "line 1, column 2: it is no JSON"),
        ("{}", "this is no bundle"),
        ("{" * 5000, "it is no JSON"),
        ('{"a":' + "9" * 5000 + "}", "it is no JSON"),
        ('{"a":"\ud800"}', "it is no JSON"),
        ('{"bundle":"cm-engine/bundle","layout":"1"}', "layout: expected a number"),
        ('{"bundle":"cm-engine/bundle","layout":1}', "decisions: it is missing"),
        (PLAIN.text().replace('{"bundle"', '{"a":1,"bundle"'), "a: no bundle has this key"),
        (PLAIN.text().replace(",", ", ", 1), "not in canonical form"),
        (PLAIN.text() + "\n", "not in canonical form"),
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_refused_with_the_place(text: str, where: str) -> None:
    with pytest.raises(BundleError, match=where):
        read_bundle(text)


def test_a_newer_layout_is_refused_as_such() -> None:
    with pytest.raises(
        BundleError, match="layout: it is 2, of a newer release, and this release reads layouts up to 1"
    ):
        bundle_from(PLAIN.text().replace('"layout":1', '"layout":2'), b"")


def test_the_layout_is_the_one_that_older_releases_wrote() -> None:
    assert cm_engine.bundles.layout.LAYOUT == 1
    assert sorted(json.loads(PLAIN.text())) == [
        "bundle", "decisions", "draws", "enrollment", "entries", "exported", "hmac", "layout", "parts", "payouts",
        "programs", "records", "rules", "seal", "standing", "stands",
    ]  # fmt: skip


def test_a_log_that_this_release_decides_otherwise_is_refused_with_the_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as older:
        older.setattr("cm_engine.log.deciding.reasons_text", lambda _: "[]")
        _, there, bundle = moved(ALL["absorbing"], 0, 3)
    for module in ("log.deciding", "audit.refolding"):
        monkeypatch.setattr(f"cm_engine.{module}.RULES_VERSION", RULES_VERSION + 1)
    with pytest.raises(BundleError, match="decision 1: this release decides it otherwise: reasons"):
        there.take(bundle)
    assert not any(there.counts().values())


def test_a_log_that_is_damaged_is_not_exported(tmp_path: Path) -> None:
    here = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    here.enroll(ALL["absorbing"])
    here.negatives(0, 3)
    with closing(sqlite3.connect(tmp_path / "clinic.db", isolation_level=None)) as database:
        database.execute("DROP TRIGGER cm_entries_no_update")
        database.execute("UPDATE cm_entries SET amount = 1 WHERE number = 2")
    before = here.counts()
    with pytest.raises(BundleError, match="entry 2/1: amount"):
        here.export()
    assert here.counts() == before


@pytest.mark.parametrize("table", ["records", "payouts", "standings", "pools"])
def test_an_import_that_fails_leaves_nothing(table: str, tmp_path: Path) -> None:
    _, _, bundle = moved(ALL["sharing"], 0, 3)
    there = Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")
    with closing(sqlite3.connect(tmp_path / "clinic.db", isolation_level=None)) as database:
        fails = "BEGIN SELECT RAISE(ABORT, 'the disk is gone'); END"
        database.execute(f"CREATE TRIGGER broken BEFORE INSERT ON cm_{table} {fails}")
        with pytest.raises(StorageError):
            there.take(bundle)
        assert not any(there.counts().values())
        database.execute("DROP TRIGGER broken")
    assert there.take(bundle).id == "e-1"
    assert there.is_clean


# From the command line

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The command, in a folder with a participant of a program without draws, and one of a program with them."""
    monkeypatch.chdir(tmp_path)
    here = Clinic("sqlite:///here.db")
    for id_, name in (("e-1", "absorbing"), ("e-2", "drawing")):
        here.enroll(ALL[name], id_, participant=f"p{id_}")
        here.negatives(0, 3, id_=id_)
    here.engine.close()
    monkeypatch.setenv("CM_ENGINE_SECRET", HERE.hex())
    monkeypatch.delenv("CM_ENGINE_SEAL", raising=False)

    def command(words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cm-engine", *shlex.split(words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return command


EXPORT = "export --db sqlite:///here.db --to harbor --why 'moved away' --source desk --by nurse-7"
IMPORT = "import-bundle --db sqlite:///there.db --source harbor --by nurse-2"


def test_the_commands_move_an_enrollment_from_one_database_to_another(run: Run) -> None:
    code, out, _ = run(f"{EXPORT} e-1 --out e-1.json --key x --consent c-31")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "pe-1, e-1, absorbing@1: 4 records, 2 decisions"
    assert lines[1].startswith("Left on ")
    assert lines[1].endswith(" for harbor: moved away (by nurse-7)")
    assert lines[2:3] == ["Consent: c-31"]
    assert lines[4] == "USD: 0.00 owed, 25.00 in flight"
    assert run("bundle check e-1.json") == (0, out, "")
    assert run(f"{IMPORT} e-1.json --key i")[1].startswith(
        "pe-1 is enrolled as e-1: absorbing@1, from Mon 05 Jan"
    )
    assert run(f"{IMPORT} e-1.json --key i")[0] == 0
    assert run("verify --db sqlite:///there.db")[0] == run("verify --db sqlite:///here.db")[0] == 0
    for database in ("here", "there"):
        code, out, _ = run(f"history --db sqlite:///{database}.db e-1")
        assert code == 0
        assert "exported harbor: moved away" in out
    assert "imported 20" in out


def test_the_commands_print_json_for_programs(run: Run) -> None:
    form = json.loads(run(f"{EXPORT} e-1 --out e-1.json --key x --json")[1])
    assert list(form) == [
        "enrollment", "participant", "program", "records", "decisions", "exported", "stands", "head",
        "sealed_with_key", "seal",
    ]  # fmt: skip
    assert json.loads(run("bundle check e-1.json --json")[1]) == form
    assert json.loads(run(f"{IMPORT} e-1.json --key i --json")[1])["enrollment"] == "e-1"


def test_the_shared_key_stands_in_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "their seed travels wrapped" in run(f"{EXPORT} e-2 --out e-2.json --key x")[2]
    monkeypatch.setenv("CM_ENGINE_SEAL", SHARED.hex())
    assert "Sealed with the key that the two clinics share" in run(f"{EXPORT} e-2 --out e-2.json --key x")[1]
    monkeypatch.setenv("CM_ENGINE_SECRET", THERE.hex())
    code, out, _ = run(f"{IMPORT} e-2.json --key i")
    assert code == 0
    assert "commitment of the prize draws" in out
    assert run("verify --db sqlite:///there.db")[0] == 0
    for wrong in ("xyz", "ab"):
        monkeypatch.setenv("CM_ENGINE_SEAL", wrong)
        assert run("bundle check e-2.json")[0] == 2


def test_a_file_that_is_not_as_it_should_be_is_said_in_a_line(run: Run) -> None:
    run(f"{EXPORT} e-1 --out e-1.json --key x --copy")
    text = Path("e-1.json").read_text("utf-8")
    Path("e-1.json").write_text(text.replace("nurse-7", "nurse-8"), "utf-8")
    code, out, told = run("bundle check e-1.json")
    assert (code, out) == (2, "")
    assert told.startswith("bundle: records: it is not what was sealed; record 0: its hash is ")
    assert told.endswith("; nothing is changed\n")


@pytest.mark.parametrize("command", ["export", "import-bundle", "bundle check"])
def test_the_example_of_each_command_is_one_that_it_takes(command: str, run: Run) -> None:
    example = " ".join(run(f"{command} --help")[1].partition("Example: cm-engine ")[2].split())
    assert example.startswith(command)
    assert "No such option" not in run(example)[2]
    assert "Missing" not in run(example)[2]


# Any program, any timeline, split anywhere

Step = tuple[str, int, str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["next", "next", "next", "next", "late", "amend", "void", "event"]),
        st.integers(0, 40),
        st.sampled_from("-----++oe*"),
        st.integers(0, 4),
    ),
    max_size=12,
)


def drawn_programs() -> st.SearchStrategy[tuple[Program, date]]:
    named = st.sampled_from(sorted(ALL)).map(lambda name: (ALL[name], START))
    drawn = schedules().map(
        lambda each: (parse_program(json.dumps(document_of(each))), _in_2026(each["start"])),
    )
    return named | drawn


def _in_2026(start: date | None) -> date:
    return start if start and start < date(2026, 10, 1) else START


class Course:
    """What happens to one enrollment, wherever it is."""

    def __init__(self, start: date) -> None:
        self.last = start
        self.start = start
        self.number = 0

    def go(self, clinic: Clinic, step: Step) -> object:
        """Do a step; return what it led to, or the error that refused it."""
        self.number += 1
        try:
            return self._done(clinic, step)
        except CmEngineError as error:
            return type(error)

    def _done(self, clinic: Clinic, step: Step) -> object:
        kind, pick, symbol, gap = step
        told: dict[str, Any] = {"enrollment": "e-1", "key": f"step/{self.number}", **TOLD}
        if kind == "amend":
            done = clinic.engine.amend(record=pick % 9, result=symbol, why="mistaken", **told)
        elif kind == "void":
            done = clinic.engine.void(record=pick % 9, why="mistaken", **told)
        else:
            on = self.start + timedelta(pick) if kind == "late" else self.last + timedelta(gap)
            seen: dict[str, Any] = {"event": "intake"} if kind == "event" else {"result": symbol}
            seen |= {} if kind == "event" else {"target": self._target(clinic, pick)}
            evidence = Evidence(excuse="illness") if symbol == "e" and kind != "event" and pick % 2 else None
            done = clinic.engine.record(on=on, evidence=evidence, **seen, **told)
            self.last = max(self.last, on)
        return done.awards, done.reasons, done.prizes, done.payable, done.hand_over

    @staticmethod
    def _target(clinic: Clinic, pick: int) -> str:
        with clinic.storage.reading() as tx:
            [row] = tx.programs()
        names = targets_of(row.text)
        return names[pick % len(names)]


@lru_cache(maxsize=4)
def targets_of(text: str) -> tuple[str, ...]:
    """Return the names of the targets of a program."""
    return tuple(parse_program(text).targets)


@settings(max_examples=60)
@given(drawn_programs(), STEPS, STEPS)
def test_inv_4_a_timeline_split_by_a_move_gives_the_same_decisions_and_totals(
    program: tuple[Program, date], before: list[Step], after: list[Step]
) -> None:
    still = Clinic()
    with TemporaryDirectory() as folder:
        here, there = Clinic(f"sqlite:///{folder}/here.db"), Clinic(secret=THERE)
        split_and_compare(*program, (still, here, there), (before, after))
        here.engine.close()


@pytest.mark.parametrize("name", ["drawing", "sharing", "goals", "windowed"])
def test_a_timeline_goes_on_in_any_database(name: str, database_url: str) -> None:
    before: list[Step] = [("next", each, "-", 3) for each in range(4)]
    after: list[Step] = [("amend", 2, "+", 0), ("next", 0, "-", 3), ("late", 1, "-", 0), ("next", 1, "-", 2)]
    there = Clinic(database_url, secret=THERE)
    split_and_compare(ALL[name], START, (Clinic(), Clinic(), there), (before, after))
    there.engine.close()


def split_and_compare(
    program: Program, start: date, places: tuple[Clinic, Clinic, Clinic], steps: tuple[list[Step], list[Step]]
) -> None:
    """Compare a run that stays with one that moves between two halves."""
    still, here, there = places
    courses = Course(start), Course(start)
    for clinic in (still, here):
        clinic.enroll(program, start=start)
    for step in steps[0]:
        assert courses[0].go(still, step) == courses[1].go(here, step)
    _pass(still)
    there.take(here.export(seal_with=SHARED), seal_with=SHARED)
    assert shown(still.engine, "e-1") == shown(there.engine, "e-1")
    for step in steps[1]:
        assert courses[0].go(still, step) == courses[1].go(there, step)
    assert shown(still.engine, "e-1") == shown(there.engine, "e-1")
    assert still.is_clean
    assert here.is_clean
    assert there.is_clean


def _pass(still: Clinic) -> None:
    """Let two acts pass that decide nothing, as the two acts of a move do."""
    unit = next(iter(still.engine.balance(enrollment="e-1")), "USD")
    for key in ("pass/1", "pass/2"):
        still.engine.assert_awarded(
            enrollment="e-1", amount=Decimal(0), unit=unit, on=date(2000, 1, 1), key=key, **TOLD
        )
