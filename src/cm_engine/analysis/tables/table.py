"""An explored program as a small table that any language can run without a network: docs/table.md documents every field.

Nothing is decided here: every cell was found by `step`, and what limits leave of a reward by `within_limits`.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from cm_engine.analysis.actions import HAPPENED, NOT_HAPPENED, Action, Slot
from cm_engine.analysis.automaton import Automaton, Ids, Names, Table
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.joint import Joint
from cm_engine.analysis.tables.till import Awards, Till, awards_of
from cm_engine.errors import TableTooLargeError
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import TargetRules
from cm_engine.rules.limits import When

FORMAT = "cm-engine-table/2"
"""The format and its version; a reader refuses a table of another."""

MOST_BYTES = 5_000_000
"""How large a table may be, if nothing else is said."""

LEAST_BYTES = 2
"""What a cell takes at least: a digit and a comma."""

TEXTS = {
    "earned": "The target was met.",
    "counted": "The target was met, and counts towards the next reward.",
    "week": "The week is over, and is paid as a whole.",
    "bonus": "A bonus for a run of successes.",
    "recovered": "The reward is back at its former level.",
    "limited": "A limit was reached, and pays less or nothing.",
    "reset": "The target was not met: no reward this time, and the reward starts again.",
    "held": "No reward, and nothing is lost.",
    "noted": "This counts for its week, which is paid as a whole.",
    "not required": "Nothing was expected this time.",
    "forgone": "This is taken off; all the rest stays.",
    "read as": "This counts as something else by the rules of the program.",
    "not excused": "The excuse is none of those that are accepted.",
    "beyond quota": "There were too many of these already.",
    "waiting": "This does not decide the visit yet; it stays open.",
    "group": "What it pays hangs on how many of the group made it.",
    "not provided": "This pays only together with the other goal of the visit, which was not met.",
    "milestone": "A milestone was reached.",
    "event": "It is noted; nothing is paid for it now.",
    "staked": "The deposit was paid in.",
    "stake lost": "A part of the deposit is lost.",
    "refunded": "The deposit comes back.",
    "judged": "The value was compared with what was asked for.",
    "next bar": "The goal of the next visit is set.",
}
"""The reasons of decisions in words, by their codes, without the amounts that hang on the participant."""


Outcome = tuple[int, int] | tuple[int, int, str]
"""The part that is earned and the reasons, by their numbers; and what the result is read as, where that is looked at."""


class Pays(NamedTuple):
    """What is handed over, and how many rewards a limit took something of."""

    awards: Awards
    cut: int = 0


def table_of(explored: Explored, *, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """Return an explored program as a table, ready to be written as JSON.

    Args:
        explored: the program.
        most_bytes: how large it may be when it is written.

    Raises:
        TableTooLargeError: it is larger.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import explore
        >>> table = table_of(explore(catalogue.program("weaver-2014-vaccine")))
        >>> table["pays"]
        [[{}], [{'GBP': 1000}]]
        >>> len(written(table))
        1094
    """
    outcomes = Names[Outcome]()
    pays = Names(*(Pays(awards_of(explored, part.earned, part.own)) for part in explored.parts))
    read = {target for tie in explored.ties for target in tie.targets}
    automata = [
        _automaton(each, outcomes, is_read=bool(read & set(each.targets))) for each in explored.automata
    ]
    automata += [_automaton(each, outcomes, is_read=False) for each in explored.ties]
    groups = [_group(explored, cluster, pays, most_bytes) for cluster in explored.clusters]
    table = {
        **_head(explored),
        "automata": automata,
        "outcomes": [list(each) for each in outcomes.values],
        "groups": groups,
        "pays": [
            [dict(each.awards), *([["limited"] * each.cut] if each.cut else [])] for each in pays.values
        ],
        "reasons": [list(codes) for codes in explored.reasons],
        "texts": dict(_texts(explored, pays.values)),
    }
    _refuse_large(explored, len(written(table).encode()), most_bytes)
    return table


def written(table: Mapping[str, Any]) -> str:
    """Return a table as compact JSON, on one line."""
    return json.dumps(table, ensure_ascii=False, separators=(",", ":")) + "\n"


def table_schema() -> dict[str, Any]:
    """Return the JSON Schema of the format."""
    schema: dict[str, Any] = json.loads(
        (files("cm_engine.analysis.tables") / "table.schema.json").read_text("utf-8")
    )
    return schema


def _refuse_large(explored: Explored, size: int, most: int) -> None:
    if size > most:
        raise TableTooLargeError(explored.program.program, size, most)


def _head(explored: Explored) -> dict[str, Any]:
    program = explored.program
    return {
        "format": FORMAT,
        "program": {
            "id": program.program,
            "version": program.version,
            "digest": explored.rules.digest,
            "title": program.title,
        },
        "start": explored.start.isoformat() if explored.start else None,
        "units": {unit.name: _unit(unit) for unit in explored.units},
        "occasions": [
            *(_target(explored, target) for target in explored.rules.targets),
            *({"event": name, "results": _EVENT} for name in explored.rules.events),
        ],
    }


_EVENT = {HAPPENED: "Happened", NOT_HAPPENED: "Did not happen"}


def _unit(unit: Unit) -> dict[str, Any]:
    return {"decimals": unit.decimals} | ({} if unit.is_money else {"plural": unit.plural or unit.name})


def _target(explored: Explored, target: TargetRules) -> dict[str, Any]:
    slots = [slot for each in explored.automata for slot in each.slots if slot.target == target.index]
    first = explored.start.toordinal() if explored.start else 0
    words = target.visits[0].phase.words
    results = {
        "-": words.met[:1].upper() + words.met[1:],
        **words.outcomes,
        "_": words.due,
    }
    visits = [[target.visits[slot.visit].week, explored.when(slot).day - first + 1] for slot in slots]
    return {"target": target.name, "results": results, "visits": visits}


def _texts(explored: Explored, pays: Iterable[Pays]) -> Iterator[tuple[str, str]]:
    codes = dict.fromkeys(code for each in explored.reasons for code in each)
    limited = ["limited"] if any(each.cut for each in pays) else []
    yield from ((code, TEXTS[code]) for code in (*codes, *limited))


def _automaton(automaton: Automaton, outcomes: Names[Outcome], *, is_read: bool) -> dict[str, Any]:
    columns = {actions: _columns(automaton, actions, is_read) for actions in _kinds_of_actions(automaton)}
    letters = [{label(action): into for action, into in each.items()} for each in columns.values()]
    places = {actions: place for place, actions in enumerate(columns)}
    return {
        "start": automaton.start,
        "letters": letters,
        "tables": [
            {
                "letters": places[table.actions],
                "rows": dict(_rows(table, columns[table.actions], outcomes, is_read)),
            }
            for table in automaton.tables
        ],
    }


def _kinds_of_actions(automaton: Automaton) -> Iterable[tuple[Action, ...]]:
    return dict.fromkeys(table.actions for table in automaton.tables)


def _columns(automaton: Automaton, actions: tuple[Action, ...], is_read: bool) -> dict[Action, int]:  # noqa: FBT001 - one way of two
    """Return the column of each action: actions that do the same everywhere share one."""
    tables = [table for table in automaton.tables if table.actions == actions]
    cells = np.concatenate([np.stack(_cells(table, is_read), axis=2) for table in tables])
    columns = Names[bytes]()
    return {action: columns.number(cells[:, place].tobytes()) for place, action in enumerate(actions)}


def _cells(table: Table, is_read: bool) -> list[Ids]:  # noqa: FBT001
    """Return all that a table says of each action; what it is read as only where that is looked at."""
    cells = [table.after, table.parts, table.reasons, table.stays.astype(np.int32)]
    return [*cells, table.reads.astype(np.int32)] if is_read else cells


def _rows(
    table: Table,
    columns: Mapping[Action, int],
    outcomes: Names[Outcome],
    is_read: bool,  # noqa: FBT001
) -> Iterator[tuple[str, list[list[int]]]]:
    """Yield the row of each state: a cell of each column is the state after it, its outcome, and 1 if the slot stays."""
    first = dict(reversed([(into, place) for place, into in enumerate(columns.values())]))
    for state, row in table.rows.items():
        yield (
            str(state),
            [
                [
                    int(table.after[row, place]),
                    outcomes.number(_outcome(table, row, place, is_read)),
                    *([1] if table.stays[row, place] else []),
                ]
                for _, place in sorted(first.items())
            ],
        )


def _outcome(table: Table, row: int, column: int, is_read: bool) -> Outcome:  # noqa: FBT001
    told = int(table.parts[row, column]), int(table.reasons[row, column])
    return (*told, chr(table.reads[row, column])) if is_read else told


def label(action: Action) -> str:
    """Return how an action is written: its symbol, and after a colon the chosen reward or how many of the group met it.

    Example:
        >>> label(Action("-")), label(Action("-", choice="vouchers")), label(Action("+", group=3))
        ('-', '-:vouchers', '+:3')
    """
    if action.group is not None:
        return f"{action.symbol}:{action.group}"
    return f"{action.symbol}:{action.choice}" if action.choice else action.symbol


def _group(explored: Explored, cluster: Cluster, pays: Names[Pays], most_bytes: int) -> dict[str, Any]:
    till, joint = Till(explored, is_limited=cluster.is_limited), Joint(explored, cluster)
    days, slots, every = Names[When](), list[list[Any]](), (*explored.automata, *explored.ties)
    wanted: defaultdict[tuple[int, int], dict[int, None]] = defaultdict(dict)
    frontier = {0: None}
    for number, place in cluster.order:
        index = cluster.automata[number]
        automaton = explored.automata[index]
        slot, when = automaton.slots[place], explored.when(automaton.slots[place])
        day, readers = days.number(till.like(when)), list(_readers(explored, cluster, joint, number, place))
        for each, kind in [(index, automaton.kinds[place]), *readers]:
            parts = sorted(every[each].parts_of(kind if each >= len(explored.automata) else place))
            for state in frontier:
                wanted[day, state].update(dict.fromkeys(parts))
            frontier = {till.pay(state, part, when).after: None for state in frontier for part in parts}
        slots.append([_occasion(explored, slot), slot.visit, index, automaton.kinds[place], day])
        if readers:
            slots[-1].append([list(each) for each in readers])
        _refuse_large(explored, LEAST_BYTES * sum(map(len, wanted.values())), most_bytes)
    return {
        "slots": slots,
        "till": [_day(till, wanted, day, when, pays) for day, when in enumerate(days.values)],
    }


def _readers(
    explored: Explored, cluster: Cluster, joint: Joint, number: int, place: int
) -> Iterator[tuple[int, int]]:
    """Yield the ties that read a result, by their places among all automata of the table, with their own tables."""
    for position, at in joint.readers(number, place):
        tie = cluster.ties[position - len(cluster.automata)]
        yield len(explored.automata) + tie, explored.ties[tie].kinds[at]


def _occasion(explored: Explored, slot: Slot) -> int:
    events = explored.rules.events
    return len(explored.rules.targets) + events.index(slot.event) if slot.event else slot.target


def _day(
    till: Till,
    wanted: Mapping[tuple[int, int], Iterable[int]],
    day: int,
    when: When,
    pays: Names[Pays],
) -> dict[str, Any]:
    """Return the till of days that are alike: a column for each part; a cell is the state after it, and what is paid."""
    rows = {state: parts for (each, state), parts in wanted.items() if each == day}
    columns = sorted({part for parts in rows.values() for part in parts})
    cells = {
        str(state): [_cell(till, state, part, when, pays) if part in parts else 0 for part in columns]
        for state, parts in rows.items()
    }
    return {"parts": columns, "rows": cells}


def _cell(till: Till, state: int, part: int, when: When, pays: Names[Pays]) -> int | list[int]:
    paid = till.pay(state, part, when)
    return [paid.after, pays.number(Pays(paid.awards, paid.cut))] if paid.cut else paid.after
