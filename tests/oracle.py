"""A second, naive reading of the payment rules, to compare the engine with.

Nothing is carried from visit to visit: what a visit earns is worked out afresh from the whole word up to it.
A word has one symbol per visit: - met, + positive, o missed, e excused, * invalid, r refused, _ not required.

A "place" is the number of a visit, from 0, within its phase. A "position" is how far up the ladder a success
is paid. A "run" is the stretch of places from one reset (or the start of the phase) to the next.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, TypedDict


class Block(TypedDict):
    weeks: tuple[int, int]  # both included
    per_week: int


class Bonus(TypedDict):
    amount: Decimal
    every: int


class Recover(TypedDict):
    after: int
    paid: Literal["nth", "next"]
    level: Literal["last earned", "next step"]
    saved: Literal["highest", "latest"]


class Phase(TypedDict):
    weeks: tuple[int, int]  # both included
    unit: str
    start: Decimal
    step: Decimal
    every: int | Literal["week"]
    ceiling: Decimal | None
    bonus: Bonus | None
    reset: frozenset[str]
    recover: Recover | None


class Limit(TypedDict):
    unit: str
    per: Literal["reward", "calendar year", "episode"]
    amounts: list[tuple[date | None, Decimal]]  # in order, the first without a date


class Schedule(TypedDict):
    visits: list[Block]
    phases: list[Phase]
    limits: list[Limit]
    start: date | None  # day 0 of week 1


Seen = list[tuple[int, str]]  # (week, symbol) of a phase, up to and with the visit asked for
Paid = list[tuple[str, Decimal]]  # (unit, amount) of each visit


def expected(schedule: Schedule, word: str) -> Paid:
    """The unit and the awarded amount of each visit of the word."""
    paid: Paid = []
    for end in range(1, len(word) + 1):
        paid.append(award(schedule, word[:end], paid))
    return paid


def total(schedule: Schedule, word: str) -> dict[str, Decimal]:
    """The sum awarded in each unit that the word reaches."""
    paid = expected(schedule, word)
    units = {unit for unit, _ in paid}
    return {u: sum((a for unit, a in paid if unit == u), Decimal(0)) for u in units}


def plan(schedule: Schedule) -> list[tuple[int, int, int]]:
    """Each visit's week, its number within the week, and the visits of that week."""
    return [
        (week, number, block["per_week"])
        for block in schedule["visits"]
        for week in range(block["weeks"][0], block["weeks"][1] + 1)
        for number in range(block["per_week"])
    ]


def dates(schedule: Schedule) -> list[date | None]:
    """The date of each visit of the plan."""
    start = schedule["start"]
    return [start and start + timedelta(days=7 * (week - 1) + 7 * i // n) for week, i, n in plan(schedule)]


def met_places(seen: Seen, begin: int, end: int) -> list[int]:
    """The places of successes from begin up to, not with, end."""
    return [place for place in range(begin, end) if seen[place][1] == "-"]


def runs(phase: Phase, seen: Seen) -> list[tuple[int, int]]:
    """First place and end of each run: a reset's place or, at last, the visit's own."""
    last = len(seen) - 1
    resets = [place for place in range(last) if seen[place][1] in phase["reset"]]
    return list(zip([0, *[place + 1 for place in resets]], [*resets, last], strict=True))


def week_counts(seen: Seen, week: int) -> bool:
    """Whether the week had a success and nothing else that was required."""
    symbols = {symbol for its_week, symbol in seen if its_week == week}
    return "-" in symbols and symbols <= {"-", "_"}


def climbs(phase: Phase, seen: Seen, begin: int, end: int) -> list[int]:
    """The places from begin up to, not with, end after which the ladder goes up."""
    if phase["every"] != "week":
        return met_places(seen, begin, end)
    week_ends = [p for p in range(begin, end) if seen[p][0] != seen[p + 1][0]]
    return [p for p in week_ends if week_counts(seen, seen[p][0])]


def recovery_place(phase: Phase, seen: Seen, begin: int, place: int) -> int | None:
    """The first place that recovery reaches, if it does up to and with this one."""
    recover = phase["recover"]
    if recover is None:
        return None
    nth = recover["paid"] == "nth"
    met = met_places(seen, begin, place) + [place] * nth  # place as if a success
    if len(met) < recover["after"]:
        return None
    return met[recover["after"] - 1] + (0 if nth else 1)


def position(phase: Phase, seen: Seen, begin: int, place: int, saved: int) -> int:
    """Where a success at this place is or would be paid, in the run from begin."""
    recovered = recovery_place(phase, seen, begin, place)
    if recovered is None:
        return len(climbs(phase, seen, begin, place))
    return max(len(climbs(phase, seen, begin, recovered)), saved) + len(climbs(phase, seen, recovered, place))


def saved_level(recover: Recover, phase: Phase, seen: Seen) -> int:
    """The level saved by all resets before the visit; 0, which lifts nothing, if none."""
    saved = 0
    for begin, reset in runs(phase, seen)[:-1]:
        if met := met_places(seen, begin, reset):
            place = met[-1] if recover["level"] == "last earned" else reset
            present = position(phase, seen, begin, place, saved)
            saved = present if recover["saved"] == "latest" else max(saved, present)
    return saved


def rate(phase: Phase, position: int) -> Decimal:
    """The amount of the ladder at a position, without bonus."""
    every = phase["every"]
    steps = position // every if isinstance(every, int) else position
    amount = phase["start"] + phase["step"] * steps
    return amount if phase["ceiling"] is None else min(phase["ceiling"], amount)


def bonus(phase: Phase, successes: int) -> Decimal:
    """What the last of so many successes of a run is paid on top."""
    extra = phase["bonus"]
    return extra["amount"] if extra and successes % extra["every"] == 0 else Decimal(0)


def earned(phase: Phase, seen: Seen) -> Decimal:
    """What the last visit seen earns, before limits."""
    if seen[-1][1] != "-":
        return Decimal(0)
    begin, place = runs(phase, seen)[-1]
    saved = saved_level(phase["recover"], phase, seen) if phase["recover"] else 0
    successes = len(met_places(seen, begin, place + 1))
    return rate(phase, position(phase, seen, begin, place, saved)) + bonus(phase, successes)


def in_force(limit: Limit, day: date | None) -> Decimal:
    """The amount of the limit on a day."""
    return [a for since, a in limit["amounts"] if since is None or (day and since <= day)][-1]


def shares(limit: Limit, day: date | None, other: date | None) -> bool:
    """Whether what was awarded on the other day counts against the limit on this one."""
    if limit["per"] == "calendar year" and day and other:
        return day.year == other.year
    return limit["per"] != "reward"


def room(schedule: Schedule, limit: Limit, paid: Paid) -> Decimal:
    """What the limit leaves for the visit after those paid."""
    days = dates(schedule)
    day = days[len(paid)]
    same = [(other, amount) for other, (u, amount) in zip(days, paid, strict=False) if u == limit["unit"]]
    spent = [amount for other, amount in same if shares(limit, day, other)]
    return max(Decimal(0), in_force(limit, day) - sum(spent, Decimal(0)))


def award(schedule: Schedule, word: str, paid: Paid) -> tuple[str, Decimal]:
    """The unit and the amount of the last visit of the word, given those paid before."""
    weeks = [week for week, _, _ in plan(schedule)]
    now = weeks[len(word) - 1]
    phase = next(p for p in schedule["phases"] if p["weeks"][0] <= now <= p["weeks"][1])
    seen = [s for s in zip(weeks, word, strict=False) if s[0] >= phase["weeks"][0]]
    limits = [limit for limit in schedule["limits"] if limit["unit"] == phase["unit"]]
    return phase["unit"], min([earned(phase, seen), *(room(schedule, limit, paid) for limit in limits)])
