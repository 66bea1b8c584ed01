"""The statements of the log: written once with SQLAlchemy, compiled once for a dialect, then run by its driver."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Executable,
    Select,
    Table,
    bindparam,
    func,
    insert,
    literal,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from cm_engine.log.rows import RESERVED, WAITING, WorkRow
from cm_engine_adapters.storage.tables import Tables

WORK_BY = [by for count in range(4) for by in combinations(("enrollment", "name", "state"), count)]
"""What work is asked for by, beside its kind."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as a driver takes it.

    Attributes:
        text: in the dialect's language, with its kind of placeholders.
        names: of the parameters, in the order of the placeholders; empty if they go by name.
        constants: the parameters that are always the same.
    """

    text: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]

    def bound(self, **values: Any) -> Any:
        """Return parameters as the driver takes them."""
        given = {**self.constants, **values} if self.constants else values
        return tuple(map(given.__getitem__, self.names)) if self.names else given

    def rows(self, fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Any]:
        """Return rows as the driver takes them, whose fields are named in the order of the placeholders."""
        return list(rows) if self.names else [dict(zip(fields, row, strict=True)) for row in rows]


class Statements:
    """All statements that a storage runs, for one dialect and one set of tables."""

    def __init__(self, dialect: Dialect, tables: Tables) -> None:
        self._dialect = dialect
        self.tables = tables
        t = tables
        self.standing = self._selected(t.standings, t.standings.c.enrollment)
        self.standing_by = self._locked(_only(t.standings, t.standings.c.enrollment))
        self.record = self._selected(t.records, t.records.c.source, t.records.c.key)
        self.enrollment = self._selected(t.enrollments, t.enrollments.c.id)
        self.records = self._compiled(_log(t.records).where(t.records.c.seq > bindparam("after")))
        self.decisions = self._compiled(_log(t.decisions))
        self.decisions_of = self._selected(t.decisions, t.decisions.c.enrollment, t.decisions.c.record)
        self.entries = self._compiled(
            _log(t.entries).where(t.entries.c.number.between(bindparam("first"), bindparam("last")))
        )
        self.payouts = self._compiled(_log(t.payouts))
        self.programs = self._compiled(
            select(t.programs).order_by(t.programs.c.program, t.programs.c.version)
        )
        by: tuple[tuple[str, ...], ...] = ((), ("participant",), ("program",), ("participant", "program"))
        self.enrollments = {names: self._compiled(_page(t.enrollments, names)) for names in by}
        self.journals = self._compiled(_journals(t.standings))
        self.pools_by = self._locked(_only(t.pools, *t.pools.primary_key))
        self.pools = self._compiled(select(t.pools).order_by(*t.pools.primary_key))
        self.work = {names: self._compiled(_work(t.work, names)) for names in WORK_BY}
        self.claims = {bool(names): self._compiled(_claim(t.work, names)) for names in ((), ("enrollment",))}
        self.settle = self._compiled(_settle(t.work))
        self.counts = self._compiled(_counts(t))
        self.inserts = {name: self._compiled(_insert(t.named(name))) for name in t.__slots__}
        self.program_once = self._compiled(_insert_once(dialect, t.programs))
        self.move = self._compiled(_move(t.standings))
        self.fill = self._compiled(_fill(t.pools))

    def _selected(self, table: Table, *by: ColumnElement[Any]) -> Statement:
        return self._compiled(_only(table, *by))

    def _locked(self, statement: Select[Any]) -> Mapping[tuple[bool, bool], Statement]:
        """Return what selects rows as they are, and locked, by whether it locks and whether it waits for others."""
        locked, at_once = statement.with_for_update(), statement.with_for_update(nowait=True)
        texts = {
            (False, True): statement,
            (False, False): statement,
            (True, True): locked,
            (True, False): at_once,
        }
        return {key: self._compiled(text) for key, text in texts.items()}

    def _compiled(self, statement: Executable) -> Statement:
        compiled = statement.compile(dialect=self._dialect)  # type: ignore[attr-defined]
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return Statement(str(compiled), tuple(compiled.positiontup or ()), constants)


def _only(table: Table, *by: Any) -> Select[Any]:
    return select(table).where(*(column == bindparam(column.name) for column in by))


def _log(table: Table) -> Select[Any]:
    """Select the rows of an enrollment, in order."""
    key = list(table.primary_key)
    return select(table).where(key[0] == bindparam("enrollment")).order_by(*key)


def _page(enrollments: Table, names: Sequence[str]) -> Select[Any]:
    c = enrollments.c
    chosen = (c[name] == bindparam(name) for name in names)
    found = select(enrollments).where(c.id > bindparam("after"), *chosen)
    return found.order_by(c.id).limit(bindparam("limit"))


def _journals(standings: Table) -> Select[Any]:
    name = standings.c.enrollment
    found = select(standings).where(name > bindparam("after"), name.startswith(RESERVED, autoescape=True))
    return found.order_by(name).limit(bindparam("limit"))


def _work(work: Table, names: Sequence[str]) -> Select[Any]:
    c = work.c
    chosen = (c[name] == bindparam(name) for name in names)
    after = tuple_(c.enrollment, c.name) > tuple_(bindparam("after"), bindparam("after_name"))
    found = select(work).where(c.kind == bindparam("kind"), after, *chosen)
    return found.order_by(c.enrollment, c.name).limit(bindparam("limit"))


def _claim(work: Table, names: Sequence[str]) -> Any:
    """Give work that is due to a worker; what another transaction holds is passed over."""
    c = work.c
    chosen = (c[name] == bindparam(name) for name in names)
    is_due = (c.kind == bindparam("kind"), c.state == WAITING, c.due <= bindparam("now"))
    due = select(*work.primary_key).where(*is_due, *chosen).order_by(c.due).limit(bindparam("limit"))
    found = due.with_for_update(skip_locked=True).cte("due")
    to = {"due": bindparam("until"), "worker": bindparam("worker"), "tries": c.tries + 1}
    of = (column == found.c[column.name] for column in work.primary_key)
    return update(work).where(*of).values(to).returning(*c)


def _settle(work: Table) -> Any:
    """Change work, if it is still what it was."""
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in WorkRow._fields[3:]}
    return update(work).where(*(column == bindparam(f"was_{column.name}") for column in work.c)).values(new)


def _counts(tables: Tables) -> Any:
    return union_all(
        *(select(literal(name), func.count()).select_from(tables.named(name)) for name in tables.__slots__)
    )


def _insert(table: Table) -> Any:
    return insert(table).values({column.name: bindparam(column.name) for column in table.columns})


def _insert_once(dialect: Dialect, table: Table) -> Any:
    made: Any = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
    return made.values(
        {column.name: bindparam(column.name) for column in table.columns}
    ).on_conflict_do_nothing()


def _move(standings: Table) -> Any:
    """Move a standing on, if its head is still the one that was read."""
    c = standings.c
    new: dict[str, Any] = {
        name: bindparam(f"new_{name}") for name in ("seq", "number", "head", "recorded_at", "state")
    }
    return update(standings).where(c.enrollment == bindparam("of"), c.head == bindparam("read")).values(new)


def _fill(pools: Table) -> Any:
    """Fill a pool, if it has still received what was read."""
    key = (column == bindparam(f"of_{column.name}") for column in pools.primary_key)
    chosen = update(pools).where(*key, pools.c.windows == bindparam("read"))
    return chosen.values(windows=bindparam("new_windows"))


# The parameters of `move`, `settle` and `fill`, in the order of their placeholders.
MOVED: Sequence[str] = ("new_seq", "new_number", "new_head", "new_recorded_at", "new_state", "of", "read")
SETTLED: Sequence[str] = (
    *(f"new_{name}" for name in WorkRow._fields[3:]),
    *(f"was_{name}" for name in WorkRow._fields),
)
FILLED: Sequence[str] = ("new_windows", "of_holder", "of_scope", "of_name", "of_unit", "of_per", "read")
