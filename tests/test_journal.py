"""Whatever else has a history is kept as enrollments are: once for its key, in order, chained, and audited."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import Table, create_engine, delete, insert, select, text, update

from cm_engine import Engine, JournalNotFoundError, KeyConflictError, ReportError
from cm_engine.acts.register import Register
from cm_engine.audit.auditing import Verification, verified
from cm_engine.errors import CmEngineError, StorageConflictError
from cm_engine.journal import Act, Asked, Journal, Kind, Taken, act_of, all_journals, asked
from cm_engine.journals import KINDS
from cm_engine.log.rows import Batch
from cm_engine.opening import open_storage
from cm_engine.ports import Found, Storage, Transaction
from cm_engine_adapters.storage.tables import tables

NOW = "2026-03-01T12:00:00.000000+00:00"
SIZE = "size"
PROGRAM = "california-recovery-incentives"


class FullError(CmEngineError):
    """A jar has no room for what is put in."""


Jar = dict[str, Any]


def put(state: Jar | None, act: Act) -> Jar:
    """A jar that is opened with a size, and takes things until it is full."""
    if state is None:
        return {SIZE: act.body[SIZE], "things": [], "drawn": act.led_to.get("drawn", 0)}
    if len(state["things"]) >= state[SIZE]:
        msg = f"there is room for {state[SIZE]} things"
        raise FullError(msg)
    return {**state, "things": [*state["things"], act.body["thing"]]}


def dump(state: Jar) -> str:
    return json.dumps(state, sort_keys=True)


JAR = Kind[Jar]("jar", put, dump, json.loads)


@pytest.fixture(autouse=True)
def known_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "jar", JAR)


@pytest.fixture
def storage() -> Iterator[Storage]:
    opened = open_storage("memory:", {})
    yield opened
    opened.close()


def opening(size: int = 3, key: str = "open-1") -> Asked:
    return asked("opened", source="office", key=key, by="boss-1", body={SIZE: size})


def putting(thing: object, key: str = "", source: str = "office") -> Asked:
    return asked("put", source=source, key=key or f"put-{thing}", by="boss-2", body={"thing": thing})


def opened(storage: Storage, act: Asked | None = None, jar: str = "a", now: str = NOW) -> Taken[Jar]:
    with storage.writing(lock=True) as tx:
        return Journal(JAR, jar, tx, now).open(act or opening())


def taken(storage: Storage, act: Asked, jar: str = "a", now: str = NOW, **more: Any) -> Taken[Jar]:
    with storage.writing(lock=True) as tx:
        return Journal(JAR, jar, tx, now).take(act, **more)


def state_of(storage: Storage, jar: str = "a") -> Jar:
    with storage.reading() as tx:
        return Journal(JAR, jar, tx).state()


def acts_of(storage: Storage, jar: str = "a") -> tuple[Act, ...]:
    with storage.reading() as tx:
        return Journal(JAR, jar, tx).acts()


def audit(storage: Storage) -> Verification:
    with storage.reading() as tx:
        return verified(tx, Register(b""), "", lambda _: None)


def everything(storage: Storage) -> list[Any]:
    with storage.reading() as tx:
        return [*((row, tx.records(row.enrollment)) for row in tx.journals()), tx.counts()]


# Open, take, read


def test_a_journal_is_opened_with_its_first_act_and_takes_acts_in_order(storage: Storage) -> None:
    first = opened(storage)
    assert (first.act.journal, first.act.seq, first.act.kind, first.replayed) == (
        "@jar/a",
        0,
        "opened",
        False,
    )
    assert taken(storage, putting("pen")).state["things"] == ["pen"]
    assert taken(storage, putting("cup")).act.seq == 2
    assert state_of(storage) == {SIZE: 3, "things": ["pen", "cup"], "drawn": 0}
    assert [(act.seq, act.kind, act.by, act.body) for act in acts_of(storage)] == [
        (0, "opened", "boss-1", {SIZE: 3}),
        (1, "put", "boss-2", {"thing": "pen"}),
        (2, "put", "boss-2", {"thing": "cup"}),
    ]


def test_an_act_is_kept_with_who_did_it_when_and_under_which_key(storage: Storage) -> None:
    opened(storage)
    act = taken(storage, putting("pen", source="desk", key="k-7")).act
    assert (act.source, act.key, act.by, act.recorded_at) == ("desk", "k-7", "boss-2", NOW)
    assert acts_of(storage)[1] == act


def test_an_act_is_never_recorded_before_the_one_it_follows(storage: Storage) -> None:
    opened(storage)
    earlier = NOW.replace("2026", "2025")
    assert taken(storage, putting("pen"), now=earlier).act.recorded_at == NOW
    assert audit(storage).is_clean


def test_a_body_is_given_back_as_it_is_read_again(storage: Storage) -> None:
    opened(storage)
    told = taken(storage, putting({"amount": Decimal("2.50"), "on": date(2026, 1, 5), "each": (1, 2)}, "k"))
    assert told.act.body == {"thing": {"amount": "2.5", "on": "2026-01-05", "each": [1, 2]}}
    assert acts_of(storage)[1] == told.act
    assert taken(
        storage, putting({"amount": Decimal("2.5"), "on": date(2026, 1, 5), "each": [1, 2]}, "k")
    ).replayed


def test_two_journals_know_nothing_of_each_other(storage: Storage) -> None:
    opened(storage)
    opened(storage, opening(9, "open-2"), "b")
    taken(storage, putting("pen"), "b")
    assert (state_of(storage)["things"], state_of(storage, "b")["things"]) == ([], ["pen"])


def test_all_journals_are_listed_by_kind_page_after_page(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cm_engine.journal.PAGE", 2)
    for each in "edcba":
        opened(storage, opening(key=each), each)
    other = Kind[Jar]("jug", put, dump, json.loads)
    with storage.writing() as tx:
        Journal(other, "x", tx, NOW).open(opening(key="x"))
    with storage.reading() as tx:
        assert [row.enrollment for row in all_journals(tx, "jar")] == [f"@jar/{each}" for each in "abcde"]
        assert len(list(all_journals(tx))) == 6


@pytest.mark.parametrize("work", [state_of, acts_of, lambda storage: taken(storage, putting("pen"))])
def test_what_was_never_opened_is_said_to_be_absent(storage: Storage, work: Callable[[Storage], Any]) -> None:
    with pytest.raises(JournalNotFoundError, match=r"no jar 'a'; open it first") as caught:
        work(storage)
    assert (caught.value.kind, caught.value.id) == ("jar", "a")
    assert isinstance(caught.value, LookupError)


# Once for its key


def test_the_same_act_again_is_the_stored_one_and_writes_nothing(storage: Storage) -> None:
    first, put_once = opened(storage), taken(storage, putting("pen"))
    taken(storage, putting("cup"))
    before = everything(storage)
    again = taken(storage, putting("pen"))
    assert (again.act, again.replayed) == (put_once.act, True)
    assert again.state["things"] == ["pen", "cup"]
    assert opened(storage) == Taken(first.act, again.state, replayed=True)
    assert everything(storage) == before


def test_the_same_act_by_another_hand_is_the_same_act(storage: Storage) -> None:
    opened(storage)
    taken(storage, putting("pen"))
    again = taken(storage, putting("pen")._replace(by="boss-9"))
    assert (again.act.by, again.replayed) == ("boss-2", True)


def test_a_key_with_other_content_is_refused_and_shows_both(storage: Storage) -> None:
    opened(storage)
    taken(storage, putting("pen", "k"))
    before = everything(storage)
    with pytest.raises(KeyConflictError) as caught:
        taken(storage, putting("cup", "k"))
    assert (caught.value.stored, caught.value.given) == ('put {"thing":"pen"}', 'put {"thing":"cup"}')
    with pytest.raises(KeyConflictError):
        opened(storage, opening(4))
    assert everything(storage) == before


def test_a_key_of_another_kind_of_act_is_refused(storage: Storage) -> None:
    opened(storage)
    with pytest.raises(KeyConflictError, match="opened"):
        taken(storage, putting("pen", "open-1"))


def test_a_key_of_another_journal_or_of_an_enrollment_is_refused_and_does_not_show_it(
    storage: Storage,
) -> None:
    opened(storage)
    opened(storage, opening(key="open-2"), "b")
    taken(storage, putting("secret", "k"))
    with pytest.raises(KeyConflictError) as caught:
        taken(storage, putting("pen", "k"), "b")
    assert "secret" not in str(caught.value)
    engine = engine_on(storage)
    enroll(engine, key="k-enrolled")
    with pytest.raises(KeyConflictError, match="something else"):
        taken(storage, putting("pen", "k-enrolled"))
    with pytest.raises(KeyConflictError):
        enroll(engine, participant="p-2", id="e-2", key="put-k", source="office", after=putting)


def test_a_journal_is_opened_once_whatever_the_key(storage: Storage) -> None:
    opened(storage)
    with pytest.raises(ReportError, match="there is a jar 'a' already, opened under another key"):
        opened(storage, opening(key="another"))


@pytest.mark.parametrize(
    "wrong",
    [{"key": ""}, {"key": "two\nlines"}, {"by": " "}, {"source": ""}, {"source": "@jar/a"}],
    ids=str,
)
def test_an_act_that_lacks_something_is_refused(wrong: Mapping[str, str]) -> None:
    with pytest.raises(ReportError, match=next(iter(wrong))):
        asked("put", body={}, **{"source": "office", "key": "k", "by": "boss", **wrong})


# What taking an act decides


def test_what_an_act_leads_to_is_stored_with_it_and_need_not_be_the_same_again(storage: Storage) -> None:
    with storage.writing() as tx:
        Journal(JAR, "a", tx, NOW).open(opening(), {"drawn": 7})
    with storage.writing() as tx:
        again = Journal(JAR, "a", tx, NOW).open(opening(), {"drawn": 8})
    assert (again.act.led_to, again.state["drawn"], again.replayed) == ({"drawn": 7}, 7, True)
    assert audit(storage).is_clean


def test_what_is_decided_sees_the_state_and_is_not_asked_for_a_repeat(storage: Storage) -> None:
    opened(storage)
    seen: list[Jar] = []

    def decide(state: Jar) -> dict[str, int]:
        seen.append(state)
        return {"place": len(state["things"]) + 1}

    assert taken(storage, putting("pen"), decide=decide).act.led_to == {"place": 1}
    assert taken(storage, putting("cup"), decide=decide).act.led_to == {"place": 2}
    assert taken(storage, putting("pen"), decide=decide).act.led_to == {"place": 1}
    assert [state["things"] for state in seen] == [[], ["pen"]]


def test_an_act_that_the_fold_refuses_writes_nothing(storage: Storage) -> None:
    opened(storage, opening(1))
    taken(storage, putting("pen"))
    before = everything(storage)
    with pytest.raises(FullError, match="room for 1"):
        taken(storage, putting("cup"))
    assert everything(storage) == before


def test_a_transaction_that_is_given_up_leaves_no_act(storage: Storage) -> None:
    opened(storage)
    before = everything(storage)

    def decide(state: Jar) -> dict[str, int]:
        raise RuntimeError(state)

    with pytest.raises(RuntimeError):
        taken(storage, putting("pen"), decide=decide)
    with pytest.raises(RuntimeError):
        put_and_raise(storage)
    assert everything(storage) == before


def put_and_raise(storage: Storage) -> None:
    with storage.writing() as tx:
        Journal(JAR, "a", tx, NOW).take(putting("pen"))
        raise RuntimeError


def test_what_another_release_cached_is_folded_again(storage: Storage) -> None:
    opened(storage)
    taken(storage, putting("pen"))
    with storage.writing() as tx:
        standing = tx.standing("@jar/a")
        assert standing
        tx.append(Batch(standings=(standing._replace(state="of another layout"),), heads=(standing.head,)))
    assert state_of(storage)["things"] == ["pen"]
    assert taken(storage, putting("cup")).state["things"] == ["pen", "cup"]
    assert audit(storage).is_clean


# Names that begin with the sign are journals'


def engine_on(storage: Storage) -> Engine:
    engine = Engine(
        storage=storage, zone="America/Los_Angeles", clock=lambda: datetime(2026, 3, 1, tzinfo=UTC)
    )
    engine.add_program(PROGRAM)
    return engine


def enroll(engine: Engine, after: Callable[..., Asked] | None = None, **given: Any) -> Any:
    """Enroll; `after` an act of a journal that has the key."""
    if after:
        taken(engine._storage, after("k", given["key"]))  # noqa: SLF001 - the same database
    named = {
        "participant": "p-1",
        "program": PROGRAM,
        "start": date(2026, 1, 5),
        "by": "nurse-7",
        "id": "e-1",
    }
    return engine.enroll(**{**named, "source": "office", **given})


@pytest.mark.parametrize("wrong", [{"id": "@jar/a"}, {"id": "@"}, {"source": "@jar/a"}], ids=str)
def test_no_enrollment_has_a_name_of_a_journal(storage: Storage, wrong: dict[str, Any]) -> None:
    engine = engine_on(storage)
    with pytest.raises(ReportError, match="what begins with @ is kept for journals") as caught:
        enroll(engine, **wrong)
    assert str(caught.value).startswith(next(iter(wrong)))


@pytest.mark.parametrize("name", ["enrollment", "history", "statement", "preview", "balance"])
def test_a_journal_is_no_enrollment(storage: Storage, name: str) -> None:
    engine = engine_on(storage)
    opened(storage)
    with pytest.raises(LookupError, match="no enrollment '@jar/a'"):
        getattr(engine, name)(enrollment="@jar/a")
    with pytest.raises(LookupError, match="no enrollment '@jar/a'"):
        engine.record(
            enrollment="@jar/a", result="-", on=date(2026, 1, 5), source="desk", key="k", by="nurse"
        )
    assert engine.enrollments() == []


# Laws


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 3)), max_size=30))
@settings(max_examples=60)
def test_inv_12_each_act_is_taken_once_for_its_key_and_the_state_is_the_fold_of_all(
    calls: Sequence[tuple[str, int, int]],
) -> None:
    """The journal does what a dictionary of keys and a list of things do."""
    storage = open_storage("memory:", {})
    opened(storage, opening(99))
    kept: dict[tuple[str, str], int] = {}
    for source, key, thing in calls:
        act = putting(thing, f"k-{key}", source)
        known = kept.setdefault((source, act.key), thing)
        if known == thing:
            taken(storage, act)
        else:
            with pytest.raises(KeyConflictError):
                taken(storage, act)
    assert state_of(storage)["things"] == list(kept.values())
    assert [act.seq for act in acts_of(storage)] == list(range(len(kept) + 1))
    assert JAR.folded(acts_of(storage)) == state_of(storage)
    assert audit(storage).is_clean


# Many at once


def test_of_many_who_write_at_once_each_act_has_a_place_of_its_own(database_url: str) -> None:
    storage = open_storage(database_url, {})
    opened(storage, opening(999))
    start = Barrier(8)

    def work(number: int) -> list[int]:
        start.wait()
        return [retried(storage, putting(f"{number}-{each}")).act.seq for each in range(6)]

    with ThreadPoolExecutor(8) as pool:
        places = [each for share in pool.map(work, range(8)) for each in share]
    assert sorted(places) == list(range(1, 49))
    assert len(state_of(storage)["things"]) == 48
    assert audit(storage).is_clean
    storage.close()


def test_of_many_who_report_the_same_at_once_one_writes_it(database_url: str) -> None:
    storage = open_storage(database_url, {})
    start = Barrier(8)

    def work(_: int) -> list[tuple[int, bool]]:
        start.wait()
        told = [retried_opening(storage), *(retried(storage, putting(each)) for each in "xyz")]
        return [(each.act.seq, each.replayed) for each in told]

    with ThreadPoolExecutor(8) as pool:
        told = [each for share in pool.map(work, range(8)) for each in share]
    assert sorted(seq for seq, replayed in told if not replayed) == [0, 1, 2, 3]
    assert len(acts_of(storage)) == 4
    assert audit(storage).is_clean
    storage.close()


def retried(storage: Storage, act: Asked) -> Taken[Jar]:
    """Take an act as an engine does: first without a lock, then with one."""
    for number in range(50):
        try:
            with storage.writing(lock=number > 0) as tx:
                return Journal(JAR, "a", tx, NOW).take(act)
        except (StorageConflictError, JournalNotFoundError):
            time.sleep(0.001)
    raise AssertionError


def retried_opening(storage: Storage) -> Taken[Jar]:
    for _ in range(50):
        try:
            return opened(storage)
        except StorageConflictError:
            continue
    raise AssertionError


def test_who_read_an_old_head_is_refused(database_url: str) -> None:
    storage = open_storage(database_url, {})
    opened(storage)
    with storage.reading() as tx:
        old = tx.standing("@jar/a")
    taken(storage, putting("pen"))

    class Stale:
        """A transaction that read where the journal stood before."""

        def __init__(self, tx: Transaction) -> None:
            self.append = tx.append

        def look_up(self, *_: object) -> Found:
            assert old
            return Found({"@jar/a": old}, {})

    with pytest.raises(StorageConflictError), storage.writing() as tx:
        Journal(JAR, "a", cast("Transaction", Stale(tx)), NOW).take(putting("cup"))
    assert state_of(storage)["things"] == ["pen"]
    storage.close()


# The audit


TABLES = {name: tables().named(name) for name in ("records", "standings")}
PLACES = [
    (name, column.name, seq)
    for name, table in TABLES.items()
    for column in table.columns
    for seq in ((0, 1, 2) if name == "records" else (2,))
]
"""Every byte of a journal with three acts."""


def tampered(path: Path, change: Callable[[Any], None]) -> Verification:
    """Audit a file in which somebody changed something, past its guards."""
    storage = open_storage(f"sqlite:///{path}", {})
    engine = engine_on(storage)
    enroll(engine, key="enrolled")
    opened(storage)
    taken(storage, putting("pen"))
    taken(storage, putting("cup"))
    assert audit(storage) == replace(audit(storage), enrollments=1, records=4, journals=1, differences=())
    with create_engine(f"sqlite:///{path}").begin() as connection:
        for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        change(connection)
    found = audit(storage)
    storage.close()
    return found


def changed(table: Table, column: str, row: Mapping[str, Any]) -> Any:
    """Return a value that differs from a stored one in a byte."""
    value = row[column]
    if isinstance(value, int):
        return value + 7
    return f"{value[:-1]}{'x' if value[-1:] != 'x' else 'y'}" if value else f"x{table.name}"


@pytest.mark.parametrize(("name", "column", "seq"), PLACES)
def test_inv_15_a_changed_byte_in_any_row_of_a_journal_is_found(
    tmp_path: Path, name: str, column: str, seq: int
) -> None:
    table = TABLES[name]
    chosen = (table.c.enrollment == "@jar/a") & (table.c.seq == seq if name == "records" else True)

    def change(connection: Any) -> None:
        row = connection.execute(select(table).where(chosen)).mappings().one()
        connection.execute(update(table).where(chosen).values({column: changed(table, column, row)}))

    found = tampered(tmp_path / "clinic.db", change)
    assert not found.is_clean
    first = found.differences[0]
    if column == "enrollment":
        assert first.enrollment in {"@jar/a", "@jar/x", "", "e-1"}
    else:
        assert first.enrollment == "@jar/a"
        assert first.where in {f"record {seq}", "standing", "record 2"}


@pytest.mark.parametrize("column", ["kind", "source", "key", "actor", "recorded_at", "body", "hash"])
def test_a_value_that_is_no_text_any_more_is_found_and_stops_no_audit(tmp_path: Path, column: str) -> None:
    def change(connection: Any) -> None:
        connection.execute(
            text(f"UPDATE cm_records SET {column} = x'00ff' WHERE seq = 1")  # noqa: S608 - our own
        )
        connection.execute(text(f"UPDATE cm_records SET {column} = x'00fe' WHERE enrollment = 'e-1'"))  # noqa: S608

    found = tampered(tmp_path / "clinic.db", change).differences
    assert [each.enrollment for each in found] == ["e-1", "@jar/a"]


def test_the_first_difference_of_a_journal_is_named(tmp_path: Path) -> None:
    records = TABLES["records"]

    def change(connection: Any) -> None:
        chosen = (records.c.enrollment == "@jar/a") & (records.c.seq == 1)
        connection.execute(update(records).where(chosen).values(body='{"thing":"pan"}'))

    [found] = tampered(tmp_path / "clinic.db", change).differences
    assert str(found).startswith("@jar/a: record 1: its hash is ")


def test_a_removed_act_is_found_and_so_is_one_that_belongs_to_nobody(tmp_path: Path) -> None:
    records = TABLES["records"]

    def remove(connection: Any) -> None:
        connection.execute(delete(records).where(records.c.enrollment == "@jar/a", records.c.seq == 1))

    [found] = tampered(tmp_path / "one.db", remove).differences
    assert str(found) == "@jar/a: record 1: it is missing; the next is 2"

    def add(connection: Any) -> None:
        row = connection.execute(select(records).where(records.c.seq == 1)).mappings().one()
        connection.execute(insert(records).values({**row, "enrollment": "@jar/ghost", "key": "ghost"}))

    [found] = tampered(tmp_path / "two.db", add).differences
    assert str(found).startswith("storage: records: there are 5 rows, and 4 belong")


def test_a_journal_whose_standing_was_removed_is_found(tmp_path: Path) -> None:
    standings = TABLES["standings"]

    def remove(connection: Any) -> None:
        connection.execute(delete(standings).where(standings.c.enrollment == "@jar/a"))

    found = tampered(tmp_path / "clinic.db", remove)
    assert [each.where for each in found.differences] == ["records"]


def test_a_state_that_is_not_the_fold_of_the_acts_is_found(tmp_path: Path) -> None:
    standings = TABLES["standings"]

    def change(connection: Any) -> None:
        chosen = standings.c.enrollment == "@jar/a"
        connection.execute(update(standings).where(chosen).values(state='{"things":[]}'))

    [found] = tampered(tmp_path / "clinic.db", change).differences
    assert str(found).startswith('@jar/a: standing: stored {"things":[]}, folded again {')


def test_acts_that_the_fold_refuses_are_found_though_every_hash_is_right(storage: Storage) -> None:
    """Whoever writes a log anew with new hashes still has to write one that could have been."""
    lax = replace(JAR, fold=lambda state, act: put({**state, SIZE: 9} if state else None, act))
    opened(storage, opening(1))
    for thing in ("pen", "cup"):
        with storage.writing() as tx:
            Journal(lax, "a", tx, NOW).take(putting(thing))
    [found] = audit(storage).differences
    assert str(found) == "@jar/a: record 2: it is refused when it is taken again: there is room for 1 things"


def test_a_journal_of_a_kind_that_nobody_knows_is_found(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(storage)
    monkeypatch.delitem(KINDS, "jar")
    [found] = audit(storage).differences
    assert str(found) == "@jar/a: journal: this release knows no such kind of journal"


def test_what_hangs_on_a_journal_is_checked_by_its_kind(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(tx: Transaction, _: Register, acts: Sequence[Act]) -> Iterator[tuple[str, str]]:
        for act in acts[1:]:
            if tx.enrollment(act.body["thing"]) is None:
                yield f"record {act.seq}", f"no enrollment {act.body['thing']}"

    monkeypatch.setitem(KINDS, "jar", replace(JAR, check=check))
    opened(storage)
    assert audit(storage).is_clean
    taken(storage, putting("e-9"))
    assert [str(each) for each in audit(storage).differences] == ["@jar/a: record 1: no enrollment e-9"]


def test_a_body_that_is_no_object_is_named_and_stops_no_audit(storage: Storage) -> None:
    opened(storage)
    with storage.reading() as tx:
        record = tx.records("@jar/a")[0]
    for body in ("[]", "7", '{"led_to":7}'):
        with pytest.raises(ValueError, match="is no object"):
            act_of(record._replace(body=body))


# A model of it, over whole histories


class Jars(RuleBasedStateMachine):
    """Several journals, several writers, any order: what is stored is always what was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.storage = open_storage("memory:", {})
        self.jars: dict[str, tuple[int, list[str]]] = {}
        self.keys: dict[str, tuple[str, str]] = {}

    @rule(jar=st.sampled_from("ab"), size=st.integers(1, 3))
    def open(self, jar: str, size: int) -> None:
        if jar in self.jars and self.jars[jar][0] != size:
            with pytest.raises(KeyConflictError):
                opened(self.storage, opening(size, f"open-{jar}"), jar)
            return
        told = opened(self.storage, opening(size, f"open-{jar}"), jar)
        assert told.replayed == (jar in self.jars)
        self.jars.setdefault(jar, (size, []))

    @rule(jar=st.sampled_from("ab"), key=st.sampled_from("1234"), thing=st.sampled_from("xy"))
    def put(self, jar: str, key: str, thing: str) -> None:
        act = putting(thing, key)
        if key in self.keys:
            if self.keys[key] == (jar, thing):
                assert taken(self.storage, act, jar).replayed
                return
            with pytest.raises(KeyConflictError):
                taken(self.storage, act, jar)
        elif jar not in self.jars:
            with pytest.raises(JournalNotFoundError):
                taken(self.storage, act, jar)
        elif len(self.jars[jar][1]) >= self.jars[jar][0]:
            with pytest.raises(FullError):
                taken(self.storage, act, jar)
        else:
            taken(self.storage, act, jar)
            self.jars[jar][1].append(thing)
            self.keys[key] = (jar, thing)

    @invariant()
    def what_is_stored_is_what_was_taken(self) -> None:
        for jar, (size, things) in self.jars.items():
            assert state_of(self.storage, jar) == {SIZE: size, "things": things, "drawn": 0}
        assert audit(self.storage).is_clean


TestJars = Jars.TestCase
TestJars.settings = settings(max_examples=40, stateful_step_count=20)
