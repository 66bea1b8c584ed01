"""A second, naive reading of the payment rules, to compare the engine with.

Nothing is carried from visit to visit: what a visit earns is worked out afresh from the whole word up to it.
A word has one symbol per visit: - met, + positive, o missed, e excused, * invalid, r refused, _ not required.

A "place" is the number of a visit, from 0, within its phase and the phases that it carries on from. A
"position" is how far along the ladder a success is paid. A "run" is the stretch of places from one reset (or
the first place) to the next.
"""

from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate, chain, islice, repeat
from typing import Literal, NamedTuple, TypedDict


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


class Weekly(TypedDict):
    all: Decimal  # nothing but successes that week
    some: Decimal  # successes, and something else


class Phase(TypedDict):
    weeks: tuple[int, int]  # both included
    unit: str
    start: Decimal
    step: Decimal  # below 0: the ladder goes down
    every: int | Literal["week"]
    ceiling: Decimal | None
    floor: Decimal
    first: int  # the position at the start, until the first reset
    require: list[int]  # the successes needed for each reward of a run, the last for ever; empty: one each
    carry: bool  # whether it goes on from the phase before
    weekly: Weekly | None  # instead of the ladder
    bonus: Bonus | None
    reset: frozenset[str]
    recover: Recover | None


class Limit(TypedDict):
    unit: str
    per: Literal["reward", "day", "week", "month", "calendar year", "grant year", "rolling days", "episode"]
    begins: tuple[int, int]  # month and day that begin a grant year
    days: int  # of rolling days, with today
    crossing: Literal["truncate", "withhold", "stop"]
    amounts: list[tuple[date | None, Decimal]]  # in order, the first without a date


class Schedule(TypedDict):
    visits: list[Block]
    phases: list[Phase]
    limits: list[Limit]
    start: date | None  # day 0 of week 1


class Moment(NamedTuple):
    week: int
    offset: int  # days after day 0 of week 1
    day: date | None


Seen = list[tuple[int, str]]  # (week, symbol) from the first place, up to and with the visit asked for
Paid = list[tuple[str, Decimal]]  # (unit, amount) of each visit


def expected(schedule: Schedule, word: str) -> Paid:
    """The unit and the awarded amount of each visit of the word."""
    wanted = [earned(schedule, word[:end]) for end in range(1, len(word) + 1)]
    paid: Paid = []
    for end in range(1, len(word) + 1):
        paid.append(award(schedule, wanted[:end], paid))
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


def moments(schedule: Schedule) -> list[Moment]:
    """When each visit of the plan is."""
    start = schedule["start"]
    offsets = [(week, 7 * (week - 1) + 7 * i // n) for week, i, n in plan(schedule)]
    return [Moment(week, offset, start and start + timedelta(days=offset)) for week, offset in offsets]


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


def rewarded(phase: Phase, successes: int) -> bool:
    """Whether the last of so many successes of a run is one that is paid."""
    needs = phase["require"]
    return not needs or successes in islice(accumulate(chain(needs, repeat(needs[-1]))), successes)


def climbs(phase: Phase, seen: Seen, begin: int, end: int) -> list[int]:
    """The places from begin up to, not with, end after which the ladder moves on."""
    if phase["every"] != "week":
        met = met_places(seen, begin, end)
        return [place for number, place in enumerate(met, 1) if rewarded(phase, number)]
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
    first = phase["first"] if begin == 0 else 0
    recovered = recovery_place(phase, seen, begin, place)
    if recovered is None:
        return first + len(climbs(phase, seen, begin, place))
    lifted = max(first + len(climbs(phase, seen, begin, recovered)), saved)
    return lifted + len(climbs(phase, seen, recovered, place))


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
    amount = max(phase["floor"], phase["start"] + phase["step"] * steps)
    return amount if phase["ceiling"] is None else min(phase["ceiling"], amount)


def bonus(phase: Phase, successes: int) -> Decimal:
    """What the last of so many successes of a run is paid on top."""
    extra = phase["bonus"]
    return extra["amount"] if extra and successes % extra["every"] == 0 else Decimal(0)


def visit_pay(phase: Phase, seen: Seen) -> Decimal:
    """What the last visit seen earns of itself."""
    begin, place = runs(phase, seen)[-1]
    successes = len(met_places(seen, begin, place + 1))
    if seen[-1][1] != "-" or not rewarded(phase, successes):
        return Decimal(0)
    saved = saved_level(phase["recover"], phase, seen) if phase["recover"] else 0
    return rate(phase, position(phase, seen, begin, place, saved)) + bonus(phase, successes)


def week_pay(weekly: Weekly, seen: Seen) -> Decimal:
    """What the week that the last visit seen ends earns."""
    week = seen[-1][0]
    if week_counts(seen, week):
        return weekly["all"]
    return weekly["some"] if (week, "-") in seen else Decimal(0)


def earned(schedule: Schedule, word: str) -> tuple[str, Decimal]:
    """The unit and what the last visit of the word earns, before limits."""
    weeks = [week for week, _, _ in plan(schedule)]
    now = weeks[len(word) - 1]
    phase = next(p for p in schedule["phases"] if p["weeks"][0] <= now <= p["weeks"][1])
    anew = [p for p in schedule["phases"] if p["weeks"][0] <= now and not p["carry"]][-1]
    seen = [s for s in zip(weeks, word, strict=False) if s[0] >= anew["weeks"][0]]
    if not phase["weekly"]:
        return phase["unit"], visit_pay({**phase, "first": anew["first"]}, seen)
    ends = now not in weeks[len(word) :]
    return phase["unit"], week_pay(phase["weekly"], seen) if ends else Decimal(0)


def in_force(limit: Limit, day: date | None) -> Decimal:
    """The amount of the limit on a day."""
    return [a for since, a in limit["amounts"] if since is None or (day and since <= day)][-1]


def window(limit: Limit, when: Moment) -> object:
    """What two visits have in common if they are in the same window of the limit."""
    day = when.day
    return {
        "day": when.offset,
        "week": when.week,
        "month": day and (day.year, day.month),
        "calendar year": day and day.year,
        "grant year": day and day.year - ((day.month, day.day) < limit["begins"]),
        "episode": "all",
    }[limit["per"]]


def shares(limit: Limit, now: Moment, other: Moment) -> bool:
    """Whether what was awarded at the other, earlier moment counts against the limit now."""
    if limit["per"] == "rolling days":
        return now.offset - other.offset < limit["days"]
    return limit["per"] != "reward" and window(limit, now) == window(limit, other)


def room(times: list[Moment], limit: Limit, paid: Paid) -> Decimal:
    """What the limit leaves for the visit after those paid."""
    now = times[len(paid)]
    same = [(other, amount) for other, (u, amount) in zip(times, paid, strict=False) if u == limit["unit"]]
    spent = [amount for other, amount in same if shares(limit, now, other)]
    return max(Decimal(0), in_force(limit, now.day) - sum(spent, Decimal(0)))


def refuses(times: list[Moment], limit: Limit, wanted: Paid, paid: Paid) -> bool:
    """Whether the visit after those paid earned, in the unit of the limit, more than it leaves."""
    unit, amount = wanted[len(paid)]
    return unit == limit["unit"] and amount > room(times, limit, paid)


def stopped(times: list[Moment], limit: Limit, wanted: Paid, paid: Paid) -> bool:
    """Whether the limit refused an earlier visit for the rest of the window."""
    if limit["crossing"] != "stop" or limit["per"] == "rolling days":
        return False
    earlier = [n for n in range(len(paid)) if shares(limit, times[len(paid)], times[n])]
    return any(refuses(times, limit, wanted, paid[:n]) for n in earlier)


def allowed(times: list[Moment], limit: Limit, wanted: Paid, paid: Paid) -> Decimal:
    """The most that the limit allows for the visit after those paid."""
    if limit["crossing"] == "truncate":
        return room(times, limit, paid)
    refused = refuses(times, limit, wanted, paid) or stopped(times, limit, wanted, paid)
    return Decimal(0) if refused else wanted[-1][1]


def award(schedule: Schedule, wanted: Paid, paid: Paid) -> tuple[str, Decimal]:
    """The unit and the amount of the last visit of those that wanted, given those paid before."""
    unit, amount = wanted[-1]
    times = moments(schedule)
    limits = [limit for limit in schedule["limits"] if limit["unit"] == unit]
    return unit, min([amount, *(allowed(times, limit, wanted, paid) for limit in limits)])
