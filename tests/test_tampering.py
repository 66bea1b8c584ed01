"""Whoever changes a stored byte is found out: the audit is not clean, and names the row or its table."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, create_engine, delete, insert, select, text, update

from cm_engine import parse_program
from cm_engine.audit.auditing import Verification
from cm_engine.engine import Engine
from cm_engine.errors import ProgramError, RulesChangedError, StorageError
from cm_engine.log.chain import hash_of
from cm_engine.log.rows import DecisionRow
from cm_engine.opening import open_storage
from cm_engine.program.canonical import canonical, from_canonical
from cm_engine.rules import RULES_VERSION, Observation
from cm_engine.rules.stored import LAYOUT
from cm_engine_adapters.storage.tables import tables
from tests.faults import PROGRAMS, SOURCE, START, engine_on, engine_with_programs, enrolled, negative

TO_DO = {"work"}
"""What is to be done is no part of the log; what is changed of it is found too, as the tests of payouts, messages and tasks say."""
TABLES = {name: tables().named(name) for name in tables().__slots__ if name not in TO_DO}
COLUMNS = [(name, column.name) for name, table in TABLES.items() for column in table.columns]
WORDS = {
    "programs": ("program",),
    "enrollments": ("enrollment", "log", "records"),
    "records": ("record", "enrollment", "log", "decision", "standing"),
    "decisions": ("decision", "record", "standing"),
    "entries": ("entry", "entries"),
    "payouts": ("payout",),
    "standings": ("standing",),
    "pools": ("pool",),
}
"""What a difference may call a row of a table, or the one that hangs on it."""


# A log with something of everything


def fill(engine: Engine) -> None:
    """Record on several enrollments: in order, late, amended, voided, asserted, with prizes and a shared limit."""
    engine.add_program("va-prize")
    before = {"abstinence": [Decimal(5)]}
    engine.enroll(
        participant="p-3", program="climbing", start=START, by="nurse", id="climb", key="climb", before=before
    )
    enrolled(engine, "share-1", "share-2", of="sharing")
    enrolled(engine, "fund", of="funded", participant="p-2")
    enrolled(engine, "draw", of="drawing")
    enrolled(engine, "va", of="va-prize", participant="p-2")
    for day in range(5):
        for each in ("climb", "share-1", "share-2", "fund", "draw", "va"):
            negative(engine, each, f"{each}/{day}", day=2 * day)
    correct(engine, "climb")
    correct(engine, "draw")
    negative(engine, "climb", "next", day=20)
    awarded = engine.balance(enrollment="climb")["USD"].awarded
    engine.assert_awarded(
        enrollment="climb",
        amount=Decimal(awarded),
        on=START + timedelta(20),
        source=SOURCE,
        key="sum",
        by="auditor",
    )
    negative(engine, "climb", "last", day=21)


def correct(engine: Engine, enrollment: str) -> None:
    """Amend an observation, void one, and report one late."""
    about: dict[str, Any] = {"enrollment": enrollment, "why": "mistaken", "source": SOURCE, "by": "nurse"}
    engine.amend(record=2, result="+", key=f"{enrollment}/amend", **about)
    engine.void(record=4, key=f"{enrollment}/void", **about)
    negative(engine, enrollment, f"{enrollment}/late", day=3)


class Copy(NamedTuple):
    """A log in a transaction that is never committed."""

    engine: Engine
    connection: Connection

    def verify(self) -> Verification:
        return self.engine.joining(self.connection).verify()

    def rows(self, name: str) -> list[dict[str, Any]]:
        table = TABLES[name]
        return [
            dict(row)
            for row in self.connection.execute(select(table).order_by(*table.primary_key)).mappings()
        ]

    def change(self, name: str, row: dict[str, Any], to: dict[str, Any]) -> None:
        table = TABLES[name]
        done = self.connection.execute(update(table).where(*key_of(table, row)).values(to))
        assert done.rowcount == 1

    def remove(self, name: str, row: dict[str, Any]) -> None:
        table = TABLES[name]
        assert self.connection.execute(delete(table).where(*key_of(table, row))).rowcount == 1

    def add(self, name: str, row: dict[str, Any]) -> None:
        self.connection.execute(insert(TABLES[name]).values(row))


def keys(name: str) -> list[str]:
    """Return the columns of a table's key."""
    return [column.name for column in TABLES[name].primary_key]


def key_values(name: str, row: dict[str, Any]) -> list[Any]:
    """Return what a table's key is in a row."""
    return [row[column] for column in keys(name)]


def key_of(table: Table, row: dict[str, Any]) -> list[Any]:
    """Return what finds a row."""
    return [column == row[column.name] for column in table.primary_key]


class Log:
    """A log that can be tampered with, again and again."""

    def __init__(self, url: str, fill: Callable[[Engine], None] = fill) -> None:
        self.storage = open_storage(url, {})
        self.engine = engine_with_programs(self.storage)
        fill(self.engine)
        self._sql = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))

    @contextmanager
    def copy(self) -> Iterator[Copy]:
        """Give the log as it was, without the triggers that guard it."""
        with self._sql.connect() as connection:
            unguard(connection)
            yield Copy(self.engine, connection)
            connection.rollback()

    def saved(self, path: Path) -> Path:
        """Save a log of SQLite to another file."""
        with self._sql.connect() as connection, closing(sqlite3.connect(path)) as other:
            driver: Any = connection.connection.driver_connection
            driver.backup(other)
        return path

    @staticmethod
    @contextmanager
    def raw(path: Path) -> Iterator[Connection]:
        """Open a file of SQLite without the triggers that guard it."""
        sql = create_engine(f"sqlite:///{path}")
        with sql.connect() as connection:
            unguard(connection)
            yield connection
        sql.dispose()

    def close(self) -> None:
        self.engine.close()
        self._sql.dispose()


def unguard(connection: Connection) -> None:
    """Take a database's guards away, in a transaction."""
    if connection.dialect.name == "postgresql":
        statements = [f"ALTER TABLE {table.name} DISABLE TRIGGER ALL" for table in TABLES.values()]
    else:
        connection.exec_driver_sql("BEGIN")
        found = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        statements = [f'DROP TRIGGER "{name}"' for (name,) in found]
    for statement in statements:
        connection.execute(text(statement))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    made = Log(f"sqlite:///{tmp_path_factory.mktemp('log') / 'clinic.db'}")
    yield made
    made.close()


@pytest.fixture
def postgresql_log(postgresql_url: str) -> Iterator[Log]:
    made = Log(postgresql_url)
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def _programs_are_read_once() -> Iterator[None]:
    """Read the same text of a program once for all audits: it takes most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("cm_engine.audit.auditing", "cm_engine.acts.register"):
            patch.setattr(f"{module}.from_canonical", lru_cache(from_canonical))
        yield


def assert_found(found: Verification, name: str, *rows: dict[str, Any]) -> None:
    """Find a difference that names a table, or a row of it, and the enrollment if the row has one."""
    owners = {row.get("enrollment", row.get("id", "")) for row in rows} | {""}
    digests = [str(row.get("digest", "no program")) for row in rows]
    named = [
        each
        for each in found.differences
        if each.where.startswith(WORDS[name]) or any(digest in each.what for digest in digests)
    ]
    assert not found.is_clean
    assert named, (name, rows, found)
    assert name == "programs" or {each.enrollment for each in named} & owners, (name, rows, found)


def changes(value: Any) -> list[Any]:
    """Return what a value may be changed to: one more, one character more, less, or another."""
    if isinstance(value, int):
        return [value + 1, value - 1]
    middle = len(value) // 2
    other = "0" if value[middle : middle + 1] != "0" else "1"
    found = [f"{value}x", value[:-1], value[:middle] + other + value[middle + 1 :]]
    return [each for each in found if each != value]


# What is found


def test_an_untouched_log_is_clean(log: Log) -> None:
    with log.copy() as copy:
        found = copy.verify()
        assert found.is_clean
        assert (found.enrollments, found.records) == (6, len(copy.rows("records")))
        assert all(copy.rows(name) for name in TABLES)
        columns = {(name, column): {row[column] for row in copy.rows(name)} for name, column in COLUMNS}
        assert [each for each, values in columns.items() if values <= {""}] == []


@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_a_changed_value_is_found_in_any_column(log: Log, name: str, column: str) -> None:
    with log.copy() as copy:
        rows = copy.rows(name)
    for row in (rows[0], rows[-1]):
        for value in changes(row[column]):
            after = {**row, column: value}
            if any(key_values(name, each) == key_values(name, after) for each in rows if each != row):
                continue
            with log.copy() as copy:
                copy.change(name, row, {column: value})
                assert_found(copy.verify(), name, row, after)


@settings(max_examples=120)
@given(data=st.data())
def test_inv_15_one_changed_character_is_found_anywhere(log: Log, data: st.DataObject) -> None:
    name, column = data.draw(st.sampled_from(COLUMNS))
    with log.copy() as copy:
        row = data.draw(st.sampled_from(copy.rows(name)))
        was = row[column]
        if isinstance(was, int):
            value: Any = was + data.draw(st.integers(10**6, 10**7))
        else:
            place = data.draw(st.integers(0, len(was)))
            value = (
                was[:place]
                + data.draw(st.characters(codec="utf-8", exclude_characters="\0"))
                + was[place + 1 :]
            )
            assume(value != was)
        copy.change(name, row, {column: value})
        assert_found(copy.verify(), name, row, {**row, column: value})


@pytest.mark.parametrize("name", TABLES)
def test_a_removed_row_is_found(log: Log, name: str) -> None:
    with log.copy() as copy:
        rows = copy.rows(name)
    for row in rows[:: max(1, len(rows) // 10)]:
        with log.copy() as copy:
            copy.remove(name, row)
            assert_found(copy.verify(), name, row)


@pytest.mark.parametrize("name", TABLES)
def test_a_row_that_was_added_is_found(log: Log, name: str) -> None:
    with log.copy() as copy:
        rows = copy.rows(name)
    for column in keys(name):
        for row in (rows[0], rows[-1]):
            value = row[column] + (1000 if isinstance(row[column], int) else "x")
            once = {"records": {"key": "another"}, "programs": {"version": "another"}}
            added = {**row, column: value} | once.get(name, {})
            with log.copy() as copy:
                copy.add(name, added)
                assert_found(copy.verify(), name, row, added)


@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_two_values_that_were_swapped_are_found(log: Log, name: str, column: str) -> None:
    if column in keys(name):
        return
    with log.copy() as copy:
        rows = copy.rows(name)
        first = rows[0]
        other = next((row for row in rows if row[column] != first[column]), None)
        if other is None or (name, column) in {("records", "key"), ("programs", "program")}:
            return
        copy.change(name, first, {column: other[column]})
        copy.change(name, other, {column: first[column]})
        assert_found(copy.verify(), name, first, other)


def test_two_rows_that_changed_places_are_found(log: Log) -> None:
    for name, place in (
        ("records", "seq"),
        ("decisions", "number"),
        ("entries", "number"),
        ("payouts", "number"),
    ):
        with log.copy() as copy:
            first, other = [row for row in copy.rows(name) if row["enrollment"] == "climb"][1:3]
            copy.change(name, first, {place: 10**6})
            copy.change(name, other, {place: first[place]})
            copy.change(name, {**first, place: 10**6}, {place: other[place]})
            assert_found(copy.verify(), name, first, other)


def test_an_amount_moved_from_one_posting_to_another_is_found(log: Log) -> None:
    with log.copy() as copy:
        first, other = [row for row in copy.rows("entries") if row["enrollment"] == "climb"][:2]
        copy.change("entries", first, {"amount": first["amount"] - 1})
        copy.change("entries", other, {"amount": other["amount"] + 1})
        assert_found(copy.verify(), "entries", first, other)


def test_another_secret_is_found_where_prizes_were_drawn(log: Log) -> None:
    with log.copy() as copy:
        found = Engine(storage=log.storage.joining(copy.connection), secret=bytes(32)).verify()
        assert {each.enrollment for each in found.differences} == {"draw", "va"}


@pytest.mark.parametrize("value", ["X'4142'", "'a' || char(0)", "1e300", "''"])
def test_what_is_no_text_or_no_number_is_found_in_any_column(log: Log, value: str) -> None:
    for name, column in COLUMNS:
        with log.copy() as copy:
            if spoil(copy.connection, name, column, value):
                found = copy.verify()
                assert any(each.where.startswith(WORDS[name]) for each in found.differences), (
                    name,
                    column,
                    found,
                )


@pytest.mark.parametrize("name", TABLES)
def test_a_damaged_byte_is_found_in_any_column(log: Log, tmp_path: Path, name: str) -> None:
    for column in TABLES[name].columns:
        path = log.saved(tmp_path / f"{column.name}.db")
        with Log.raw(path) as connection:
            assert spoil(connection, name, column.name, "CAST(X'C328' AS TEXT)")
            connection.commit()
        with engine_on(open_storage(f"sqlite:///{path}", {})) as engine:
            found = engine.verify()
            assert any(each.where.startswith(WORDS[name]) for each in found.differences), (
                name,
                column,
                found,
            )


def spoil(connection: Connection, name: str, column: str, value: str) -> bool:
    """Change a column of the newest row of a table; tell whether it was something else before."""
    table = TABLES[name].name
    which = f'rowid = (SELECT max(rowid) FROM {table}) AND "{column}" IS NOT {value}'  # noqa: S608
    done = connection.exec_driver_sql(f'UPDATE {table} SET "{column}" = {value} WHERE {which}')  # noqa: S608
    return bool(done.rowcount)


@pytest.mark.parametrize("name", TABLES)
def test_what_is_changed_on_postgresql_is_found(postgresql_log: Log, name: str) -> None:
    with postgresql_log.copy() as copy:
        assert copy.verify().is_clean
        row = copy.rows(name)[0]
    for column in row:
        if column not in keys(name):
            with postgresql_log.copy() as copy:
                copy.change(name, row, {column: changes(row[column])[0]})
                assert_found(copy.verify(), name, row)
    with postgresql_log.copy() as copy:
        copy.remove(name, row)
        assert_found(copy.verify(), name, row)


# What was decided by other rules


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A log whose decisions another release made, with other reasons than today's."""
    with monkeypatch.context() as patch:
        patch.setattr("cm_engine.log.deciding.reasons_text", lambda _: "[]")
        made = Log(f"sqlite:///{tmp_path / 'older.db'}", simple)
    for module in ("log.correction", "log.deciding", "audit.refolding"):
        monkeypatch.setattr(f"cm_engine.{module}.RULES_VERSION", RULES_VERSION + 1)
    yield made
    made.close()


def simple(engine: Engine) -> None:
    """Record in order on two enrollments that share a limit."""
    enrolled(engine, "share-1", "share-2", of="sharing")
    for day in range(4):
        negative(engine, "share-1", f"1/{day}", day=day)
        negative(engine, "share-2", f"2/{day}", day=day)


def test_decisions_of_other_rules_are_listed_and_are_no_tampering(older: Log) -> None:
    with older.copy() as copy:
        found = copy.verify()
        assert found.is_clean, found
        assert {each.enrollment for each in found.other_rules} == {"share-1", "share-2"}


@pytest.mark.parametrize(("name", "column"), [("entries", "amount"), ("payouts", "day")])
def test_what_is_changed_after_a_decision_of_other_rules_is_found_all_the_same(
    older: Log, name: str, column: str
) -> None:
    with older.copy() as copy:
        row = copy.rows(name)[-1]
        copy.change(name, row, {column: changes(row[column])[0]})
        assert_found(copy.verify(), name, row)


def test_where_an_enrollment_stands_is_looked_at_after_decisions_of_other_rules_too(older: Log) -> None:
    with older.copy() as copy:
        row = next(each for each in copy.rows("standings") if each["enrollment"] == "share-1")
        emptied = row["state"].replace("[[2026,1000]]", "[]")
        assert emptied != row["state"]
        copy.change("standings", row, {"state": emptied})
        assert_found(copy.verify(), "standings", row)


@pytest.mark.parametrize("record", [1, 4])
def test_no_correction_draws_into_today_what_other_rules_decided_otherwise(older: Log, record: int) -> None:
    """Not even one of the first observation, which all others follow."""
    told: dict[str, Any] = {"enrollment": "share-1", "source": SOURCE, "by": "nurse", "why": "mistaken"}
    with older.copy() as copy:
        before = copy.rows("decisions")
        with pytest.raises(RulesChangedError):
            engine_on(older.storage).joining(copy.connection).amend(
                record=record, result="+", key="a", **told
            )
        assert copy.rows("decisions") == before


def test_where_other_rules_awarded_otherwise_it_is_said_that_nobody_can_look_at_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older rules took a negative result for a positive one."""
    with monkeypatch.context() as patch:
        patch.setattr("cm_engine.log.encoding.Observation", lambda _, *seen: Observation("+", *seen))
        made = Log(f"sqlite:///{tmp_path / 'older.db'}", simple)
    for module in ("log.correction", "log.deciding", "audit.refolding"):
        monkeypatch.setattr(f"cm_engine.{module}.RULES_VERSION", RULES_VERSION + 1)
    with made.copy() as copy:
        found = copy.verify()
        assert found.is_clean, found.differences
        assert [each.where for each in found.other_rules] == ["decision 1", "standing"] * 2
    made.close()


def test_a_decision_by_older_rules_than_one_before_it_is_pointed_at(older: Log) -> None:
    """Whoever has made an award larger and all hashes anew says that older rules decided it."""
    with older.copy() as copy:
        rows = [row for row in copy.rows("decisions") if row["enrollment"] == "share-1"]
        head = copy.rows("records")
        last = rows[-1]
        copy.change("decisions", last, {"rules": last["rules"] - 1})
        record = next(r for r in head if r["enrollment"] == "share-1" and r["seq"] == last["record"])
        made = DecisionRow(**{**last, "rules": last["rules"] - 1})
        made = made._replace(hash=hash_of(made[:-1], record["hash"]))
        copy.change("decisions", last, {"hash": made.hash})
        standing = next(row for row in copy.rows("standings") if row["enrollment"] == "share-1")
        copy.change("standings", standing, {"head": made.hash})
        told = [each.what for each in copy.verify().other_rules if each.where == f"decision {last['number']}"]
        assert f"it is by rules {made.rules}, after one by rules {last['rules']}" in told


# What nothing within the log can tell


def test_the_newest_act_removed_with_all_that_belongs_to_it_shows_only_beside_a_head_kept_elsewhere(
    log: Log,
) -> None:
    with log.copy() as copy:
        stood = next(row for row in copy.rows("standings") if row["enrollment"] == "climb")
        engine = log.engine.joining(copy.connection)
        negative(engine, "climb", "newest", day=40)
        kept = next(row for row in copy.rows("standings") if row["enrollment"] == "climb")["head"]
        remove_after(copy, stood)
        assert copy.verify().is_clean
        assert stood["head"] != kept
        assert verified_with(copy, {"climb": kept}) == [
            f"climb: head: {kept[:12]} is not in the log any more, and it was the last when it was kept"
        ]
        assert verified_with(copy, {"climb": stood["head"]}) == []


def verified_with(copy: Copy, heads: dict[str, str]) -> list[str]:
    """Audit beside where logs ended."""
    return list(map(str, copy.engine.joining(copy.connection).verify(heads=heads).differences))


def test_heads_that_were_kept_are_still_there_once_more_was_recorded(log: Log) -> None:
    with log.copy() as copy:
        kept = copy.verify().heads
        assert set(kept) == {row["id"] for row in copy.rows("enrollments")}
        negative(log.engine.joining(copy.connection), "climb", "newest", day=40)
        assert verified_with(copy, dict(kept)) == []
        now = copy.verify().heads
        assert [name for name in kept if kept[name] != now[name]] == ["climb"]


def remove_after(copy: Copy, stood: dict[str, Any]) -> None:
    """Take an enrollment back to where it stood."""
    for name, place in (
        ("records", "seq"),
        ("decisions", "number"),
        ("entries", "number"),
        ("payouts", "number"),
    ):
        last = stood["seq" if place == "seq" else "number"]
        for row in copy.rows(name):
            if row["enrollment"] == stood["enrollment"] and row[place] > last:
                copy.remove(name, row)
    copy.change("standings", stood, stood)


def test_an_enrollment_removed_with_all_that_belongs_to_it_shows_only_beside_a_list_kept_elsewhere(
    log: Log,
) -> None:
    with log.copy() as copy:
        kept = dict(copy.verify().heads)
        for name in TABLES:
            for row in copy.rows(name):
                if "climb" in {row.get("enrollment"), row.get("id")}:
                    copy.remove(name, row)
        found = copy.verify()
        assert (found.is_clean, found.enrollments) == (True, 5)
        assert verified_with(copy, kept) == ["climb: head: it was kept, and the log is gone"]


def test_a_program_that_nobody_is_enrolled_in_can_be_removed(log: Log) -> None:
    with log.copy() as copy:
        unused = PROGRAMS["climbing"].model_copy(update={"program": "unused"})
        digest = log.engine.joining(copy.connection).add_program(unused)
        row = next(row for row in copy.rows("programs") if row["digest"] == digest)
        assert copy.verify().is_clean
        copy.remove("programs", row)
        assert copy.verify().is_clean


@pytest.mark.parametrize("text", ['{"start":"100"', "no program"])
def test_nothing_is_decided_by_a_program_that_is_not_the_one_that_was_registered(log: Log, text: str) -> None:
    with log.copy() as copy:
        row = next(row for row in copy.rows("programs") if row["program"] == "climbing")
        copy.change("programs", row, {"text": row["text"].replace('{"ceiling":"6","start":"1"', text)})
        engine = engine_on(log.storage).joining(copy.connection)
        records = copy.rows("records")
        with pytest.raises(
            StorageError, match=r"climbing@1 is not the one that was registered .* run verify"
        ):
            negative(engine, "climb", "one more", day=30)
        assert copy.rows("records") == records
        assert "program climbing@1" in [each.where for each in engine.verify().differences]


def test_who_is_enrolled_in_a_program_goes_on_by_it_whatever_a_later_release_asks_of_files(
    tmp_path: Path,
) -> None:
    limits = '"limits":[{"amount":"2","crossing":"%s","per":"calendar year"},{"amount":"9","crossing":"stop","per":"calendar year"}]'
    former = canonical(PROGRAMS["climbing"]).replace('"payout"', limits % "truncate" + ',"payout"')
    with pytest.raises(ProgramError, match="the same window"):
        parse_program(former)
    with closing(open_storage(f"sqlite:///{tmp_path / 'clinic.db'}", {})) as storage:
        engine_on(storage).add_program(from_canonical(former))
        enrolled(engine_on(storage), "e")
        assert [negative(engine_on(storage), "e", f"k-{day}", day=day).awards["USD"] for day in range(3)] == [
            1,
            1,
            0,
        ]
        assert engine_on(storage).verify().is_clean


def test_a_state_kept_by_an_earlier_release_is_said_to_be_folded_again_and_is(log: Log) -> None:
    with log.copy() as copy:
        row = next(row for row in copy.rows("standings") if row["enrollment"] == "climb")
        former = row["state"].replace(f'"layout":{LAYOUT}', '"layout":1')
        copy.change("standings", row, {"state": former})
        found = copy.verify()
        assert found.is_clean
        told = "it is kept in layout 1 of an earlier release, and is folded again before it is used"
        assert [(each.enrollment, each.what) for each in found.other_rules] == [("climb", told)]
        engine = engine_on(log.storage).joining(copy.connection)
        before = engine.balance(enrollment="climb")["USD"].awarded
        assert negative(engine, "climb", "one more", day=30).awards == {"USD": 6}
        assert engine.balance(enrollment="climb")["USD"].awarded == before + 6
        assert copy.verify() == engine.verify()
        assert not engine.verify().other_rules
