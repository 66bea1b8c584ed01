"""The same schedule three times: as a Hypothesis strategy, as the oracle reads it, as a program file."""

import json
from collections.abc import Hashable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise, product
from math import ceil
from typing import Any, Literal
from zlib import crc32

from hypothesis import strategies as st

from cm_engine import Program, parse_program
from tests.oracle import Block, Bonus, Limit, Phase, Recover, Schedule

NAMES = {"+": "positive", "o": "missed", "e": "excused", "*": "invalid", "r": "refused"}
DECIMALS = {"USD": 2, "draw": 0}


def program_of(schedule: Schedule) -> Program:
    """Write a schedule as a program file and load it."""
    return parse_program(json.dumps(document_of(schedule)))


def document_of(schedule: Schedule) -> dict[str, Any]:
    """Write a schedule as a document; its version is its own, as caches compare programs of one id and version."""
    return {
        "program": "a-test",
        "version": f"{crc32(repr(schedule).encode())}",
        "title": "A test",
        "currency": "USD",
        "visits": [{"weeks": _weeks(b["weeks"]), "per_week": b["per_week"]} for b in schedule["visits"]],
        "targets": {
            "target": {"behavior": "abstinence", "schedule": [_phase(phase) for phase in schedule["phases"]]}
        },
        "limits": [_limit(limit) for limit in schedule["limits"]],
    }


def _weeks(weeks: tuple[int, int]) -> str:
    return f"{weeks[0]}-{weeks[1]}"


def _phase(phase: Phase) -> dict[str, Any]:
    written: dict[str, Any] = {"weeks": _weeks(phase["weeks"]), "unit": phase["unit"], **_reward(phase)}
    if bonus := phase["bonus"]:
        written["bonus"] = {"amount": str(bonus["amount"]), "every": bonus["every"]}
    if phase["reset"]:
        written["reset"] = {"on": [NAMES[symbol] for symbol in sorted(phase["reset"])]}
    if phase["recover"]:
        written["recover"] = dict(phase["recover"])
    if phase["require"]:
        written["require"] = phase["require"]
    if phase["carry"]:
        written["carry"] = True
    return written


def _reward(phase: Phase) -> dict[str, Any]:
    if weekly := phase["weekly"]:
        return {"weekly": {"all": str(weekly["all"]), "some": str(weekly["some"])}}
    if not phase["step"]:
        return {"fixed": str(phase["start"])}
    ladder: dict[str, Any] = {
        "start": str(phase["start"]),
        "step": str(abs(phase["step"])),
        "every": phase["every"],
    }
    if phase["step"] < 0:
        return {"descend": {**ladder, "floor": str(phase["floor"])}}
    if phase["ceiling"] is not None:
        ladder["ceiling"] = str(phase["ceiling"])
    if phase["first"]:
        ladder["begins"] = "ceiling"
    return {"escalate": ladder}


def _limit(limit: Limit) -> dict[str, Any]:
    amounts = {day.isoformat() if day else "before": str(amount) for day, amount in limit["amounts"]}
    amount = amounts if len(amounts) > 1 else amounts["before"]
    written: dict[str, Any] = {
        "unit": limit["unit"],
        "per": limit["per"],
        "amount": amount,
        "crossing": limit["crossing"],
    }
    if limit["per"] == "grant year":
        written["begins"] = "{:02}-{:02}".format(*limit["begins"])
    if limit["per"] == "rolling days":
        written["days"] = limit["days"]
    return written


@cache
def amounts(unit: str, low: int = 0, high: int = 3000) -> st.SearchStrategy[Decimal]:
    """Amounts in a unit, from `low` to `high` of its minor units."""
    return st.integers(low, high).map(lambda minor: Decimal(minor).scaleb(-DECIMALS[unit]))


@st.composite
def schedules(draw: st.DrawFn, *, limits: bool = True) -> Schedule:
    """Draw a schedule that the loader accepts."""
    visits = draw(visit_blocks())
    weeks = visits[-1]["weeks"][1]
    cuts = draw(st.sets(st.integers(1, weeks - 1), max_size=2)) if weeks > 1 else set()
    edges = [0, *sorted(cuts), weeks]
    phases: list[Phase] = []
    for first, last in pairwise(edges):
        drawn_phase = draw(phase((first + 1, last)))
        phases.append(draw(carried(phases[-1], drawn_phase)) if phases else drawn_phase)
    start = draw(st.none() | st.dates(date(2024, 11, 1), date(2026, 12, 31)))
    units = sorted({each["unit"] for each in phases})
    drawn = draw(st.lists(limit(units, start), max_size=3, unique_by=window)) if limits else []
    return {"visits": visits, "phases": phases, "limits": drawn, "start": start}


@st.composite
def visit_blocks(draw: st.DrawFn) -> list[Block]:
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    blocks: list[Block] = []
    for length in lengths:
        first = blocks[-1]["weeks"][1] + 1 if blocks else 1
        blocks.append(
            {"weeks": (first, first + length - 1), "per_week": draw(st.integers(0 if blocks else 1, 5))}
        )
    return blocks


@st.composite
def phase(draw: st.DrawFn, weeks: tuple[int, int]) -> Phase:
    unit = draw(st.sampled_from(["USD", "USD", "draw"]))
    plain = plain_phase(weeks, unit, draw(amounts(unit)), draw(st.frozensets(st.sampled_from("+oer*"))))
    kind = draw(st.sampled_from(KINDS))
    return draw(kind(plain))


def plain_phase(weeks: tuple[int, int], unit: str, start: Decimal, reset: frozenset[str]) -> Phase:
    """Return a phase that pays the same for each success."""
    return {
        "weeks": weeks,
        "unit": unit,
        "start": start,
        "step": Decimal(0),
        "every": 1,
        "ceiling": None,
        "floor": Decimal(0),
        "first": 0,
        "require": [],
        "carry": False,
        "weekly": None,
        "bonus": None,
        "reset": reset,
        "recover": None,
    }


EVERY: list[int | Literal["week"]] = [1, 1, 2, 3, "week"]


@st.composite
def fixed(draw: st.DrawFn, plain: Phase) -> Phase:
    return {**plain, "bonus": draw(st.none() | bonus(plain["unit"]))}


@st.composite
def escalating(draw: st.DrawFn, plain: Phase) -> Phase:
    step = draw(amounts(plain["unit"], 1, 500))
    ceiling = plain["start"] + draw(amounts(plain["unit"], 1)) if draw(st.booleans()) else None
    every = draw(st.sampled_from(EVERY))
    high = ceiling is not None and bool(plain["reset"]) and draw(st.booleans())
    rungs = ceil((ceiling - plain["start"]) / step) if ceiling is not None and high else 0
    first = rungs * (every if isinstance(every, int) else 1)
    return {
        **plain,
        "step": step,
        "every": every,
        "ceiling": ceiling,
        "first": first,
        "bonus": draw(st.none() | bonus(plain["unit"])),
        "recover": draw(st.none() | recover()) if plain["reset"] else None,
    }


@st.composite
def descending(draw: st.DrawFn, plain: Phase) -> Phase:
    step = draw(amounts(plain["unit"], 1, 500))
    start = plain["start"] + draw(amounts(plain["unit"], 1))
    return {
        **plain,
        "start": start,
        "step": -step,
        "every": draw(st.sampled_from(EVERY)),
        "floor": plain["start"],
    }


@st.composite
def requiring(draw: st.DrawFn, plain: Phase) -> Phase:
    step = draw(st.just(Decimal(0)) | amounts(plain["unit"], 1, 500))
    return {**plain, "step": step, "require": draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))}


@st.composite
def weekly(draw: st.DrawFn, plain: Phase) -> Phase:
    for_all = draw(amounts(plain["unit"]))
    return {**plain, "weekly": {"all": for_all, "some": min(for_all, draw(amounts(plain["unit"])))}}


KINDS = [fixed, escalating, escalating, escalating, descending, requiring, weekly]


@st.composite
def carried(draw: st.DrawFn, before: Phase, after: Phase) -> Phase:
    """Draw a phase that goes on where the one before it stood, if it can."""
    plain = [each["step"] > 0 and not (each["first"] or each["require"]) for each in (before, after)]
    if (
        not all(plain)
        or before["unit"] != after["unit"]
        or before["every"] == "week"
        or not draw(st.booleans())
    ):
        return after
    same: Phase = {**after, "carry": True, "every": before["every"], "reset": before["reset"]}
    return {**same, "recover": before["recover"]}


@st.composite
def bonus(draw: st.DrawFn, unit: str) -> Bonus:
    return {"amount": draw(amounts(unit)), "every": draw(st.integers(1, 4))}


@st.composite
def recover(draw: st.DrawFn) -> Recover:
    return {
        "after": draw(st.integers(1, 4)),
        "paid": draw(st.sampled_from(["nth", "next"])),
        "level": draw(st.sampled_from(["last earned", "next step"])),
        "saved": draw(st.sampled_from(["highest", "latest"])),
    }


@st.composite
def limit(draw: st.DrawFn, units: Sequence[str], start: date | None) -> Limit:
    unit = draw(st.sampled_from(units))
    after = st.integers(0, 60).map(timedelta)
    days = {start + each for each in draw(st.sets(after, max_size=2))} if start else set()
    windows = WINDOWS if start else [window for window in WINDOWS if window not in {"month", "grant year"}]
    per = draw(st.sampled_from(windows))
    crossings = ["truncate", "withhold", *([] if per in {"reward", "rolling days"} else ["stop"])]
    return {
        "unit": unit,
        "per": per,
        "begins": draw(st.sampled_from([(1, 1), (2, 28), (7, 1), (12, 31)])),
        "days": draw(st.integers(1, 30)),
        "crossing": draw(st.sampled_from(crossings)),
        "amounts": [(day, draw(amounts(unit, 0, 20_000))) for day in [None, *sorted(days)]],
    }


def window(limit: Limit) -> Hashable:
    """Return what no other limit of a program may have."""
    per = limit["per"]
    return (
        limit["unit"],
        per,
        per == "grant year" and limit["begins"],
        per == "rolling days" and limit["days"],
    )


WINDOWS: list[Any] = [
    "reward", "day", "week", "month", "calendar year", "grant year", "rolling days", "episode",
]  # fmt: skip


def visit_count(schedule: Schedule) -> int:
    return sum((b["weeks"][1] - b["weeks"][0] + 1) * b["per_week"] for b in schedule["visits"])


def words(schedule: Schedule) -> st.SearchStrategy[str]:
    """Draw results for a part of the plan: runs that climb, with something between them."""
    return UNCUT.map(lambda word: word[: visit_count(schedule)])


BETWEEN = [*[""] * 36, *"+oer*_" * 4, *map("".join, product("+oer*_", repeat=2))]
"""What stands between two runs: as often nothing as two symbols, and now and then one."""
RUNS = sorted(("-" * met + rest for met in range(10) for rest in BETWEEN), key=len)
UNCUT = st.lists(st.sampled_from(RUNS), max_size=8).map("".join)
