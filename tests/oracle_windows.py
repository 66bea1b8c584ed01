"""A second, naive reading of windows: which visit a dated result is of, and what became of each visit.

Nothing is carried from result to result: the days of all visits are worked out first, from the plan, closures, pauses and
moves; then each result looks at all that came before it on the calendar, however late it was reported. At last each visit
looks at all of its results.

A "place" is the number of a visit of a goal, from 1. A "day" of a visit is the one it is planned on, after everything.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict

ABSENT = "oe_"
WORST = "+r*-"
RESETS = "+or"


class Windows(TypedDict):
    within: Literal["day", "week"]
    before: int
    after: int
    makeup: int
    apart: int
    specimens: Literal["first", "last", "worst"]
    counts_unscheduled: bool
    grace: int


class Goal(TypedDict):
    weekdays: list[int]  # 0 is Monday; empty: so many per week
    per_week: int
    windows: Windows
    retests: int  # how often an invalid specimen of a visit asks for another one
    start: Decimal
    step: Decimal


class Plan(TypedDict):
    start: date
    weeks: int
    closed: list[date]
    later: bool  # what becomes of the visits of a pause: they come later, or are not required
    goals: list[Goal]
    most: Decimal  # in the episode; what crosses it is cut to what is left
    together: int  # each so many successes in a row, of all goals, pay more; 0 if nothing does


class Seen(NamedTuple):
    id: int
    goal: int
    day: date
    moment: datetime
    symbol: str
    unscheduled: bool


class Away(NamedTuple):
    first: date  # the first day away
    back: date | None  # the day of return, if it is known
    ended: bool  # by a discharge


class Course(TypedDict):
    seen: list[Seen]
    swept: date | None  # the last day that is known to be over
    away: list[Away]
    moved: dict[tuple[int, int], date]  # by goal and place


class Spot(NamedTuple):
    """Where a visit stands in the plan."""

    week: int
    day: date


class Days(NamedTuple):
    planned: date
    opens: date
    closes: date
    paused: bool
    after_end: bool  # nobody has to come, but who came before the end did


class Fate(NamedTuple):
    """What became of a result, or of a visit that has none."""

    goal: int
    place: int
    outcome: str
    amount: Decimal


Groups = dict[int, list[Seen]]  # the results of each visit that has some, in the order of their moments
NOWHERE = 0
NOT_COUNTED = -1


def fates(plan: Plan, course: Course) -> tuple[dict[int, Fate], dict[tuple[int, int], Fate]]:
    """What became of each result, by its id, and of each visit that is over without one, by goal and place."""
    counted = [each for goal in range(len(plan["goals"])) for each in verdicts(plan, course, goal)]
    paid = dict(zip(map(key_of, counted), amounts(plan, course, counted), strict=True))
    by_result = {v.seen.id: Fate(v.goal, v.place, v.outcome, paid[key_of(v)]) for v in counted if v.seen}
    alone = {key_of(v): Fate(v.goal, v.place, v.outcome, Decimal(0)) for v in counted if not v.seen}
    for goal in range(len(plan["goals"])):
        for each, place, outcome in idle(plan, course, goal):
            by_result[each.id] = Fate(goal, max(place, 0), outcome, Decimal(0))
    return by_result, alone


# The days of visits.


def calendar(plan: Plan, course: Course, goal: int) -> list[Days | None]:
    """The days of each visit of a goal, in order; None for one that has none."""
    found = []
    for place, (week, day) in enumerate(planned(plan, goal), 1):
        moved = course["moved"].get((goal, place))
        found.append(days_of(plan, course["away"], goal, Spot(week, moved or day)))
    return found


def planned(plan: Plan, goal: int) -> list[tuple[int, date]]:
    """The week, from 1, and the day of each visit, as if nothing came between."""
    found = []
    for week in range(1, plan["weeks"] + 1):
        monday = plan["start"] + timedelta(7 * (week - 1))
        found += [(week, monday + timedelta(n)) for n in offsets(plan, goal)]
    return found


def offsets(plan: Plan, goal: int) -> list[int]:
    """The days of a program week on which there are visits, from 0."""
    weekdays, number = plan["goals"][goal]["weekdays"], plan["goals"][goal]["per_week"]
    if weekdays:
        return [n for n in range(7) if (plan["start"] + timedelta(n)).weekday() in weekdays]
    return [7 * n // number for n in range(number)]


def open_day(plan: Plan, day: date) -> date:
    """A day, or the next on which the clinic is open."""
    return min(
        each for n in range(len(plan["closed"]) + 1) if (each := day + timedelta(n)) not in plan["closed"]
    )


def days_of(plan: Plan, away: Iterable[Away], goal: int, spot: Spot) -> Days | None:
    """The days of a visit that would be at a spot."""
    planned, lasted = spot.day, 0
    for each in sorted(away):
        expected = open_day(plan, planned)
        gone = each.first <= expected
        if gone and each.back is None and plan["later"] and not each.ended:
            return None
        if gone and each.back and plan["later"]:
            planned = expected + (each.back - each.first)
            lasted += (each.back - each.first).days
    now = open_day(plan, planned)
    over = min((each.first for each in away if each.ended and not each.back), default=date.max)
    pauses = [each for each in away if each.back or not each.ended]
    paused = not plan["later"] and any(a.first <= now and (not a.back or now < a.back) for a in pauses)
    first = plan["start"] + timedelta(7 * (spot.week - 1) + lasted)
    opens, closes = span(plan["goals"][goal]["windows"], now, first)
    opens = max(opens, plan["start"])
    return None if opens >= over else Days(now, opens, closes, paused, now >= over)


def span(windows: Windows, day: date, first: date) -> tuple[date, date]:
    """The first and the last day that belong to a visit, planned on a day of the week that begins on the first."""
    makeup = timedelta(windows["makeup"])
    if windows["within"] == "day":
        return day - timedelta(windows["before"]), day + timedelta(windows["after"]) + makeup
    return min(first, day), max(first + timedelta(6), day) + makeup


def days_on(plan: Plan, course: Course, goal: int, day: date) -> list[Days | None]:
    """The days of each visit as they are on a day: a pause changes nothing of the days before its first one."""
    begun = [each for each in course["away"] if each.first <= day]
    return calendar(plan, {**course, "away": begun}, goal)


# Which visit a result is of.


def ordered(course: Course, goal: int) -> list[Seen]:
    """The results of a goal, as they were on the calendar."""
    return sorted((s for s in course["seen"] if s.goal == goal), key=lambda s: (s.day, s.moment, s.id))


def placed(plan: Plan, course: Course, goal: int) -> list[tuple[Seen, int]]:
    """Each result of a goal with its place."""
    found: list[tuple[Seen, int]] = []
    for each in ordered(course, goal):
        groups = grouped(found)
        days = days_on(plan, course, goal, each.day)
        for place, group in groups.items():
            if (counts := counted_of(plan["goals"][goal], group)) and is_taken_off(
                days[place - 1], days_on(plan, course, goal, counts.day)[place - 1]
            ):
                days[place - 1] = None
        found.append((each, place_of(plan["goals"][goal], days, groups, each)))
    return found


def is_taken_off(now: Days | None, then: Days | None) -> bool:
    """Whether a pause has begun since somebody came to a visit, and no day is of that visit any more."""
    return now is None or now.paused or now != then


def grouped(found: list[tuple[Seen, int]]) -> Groups:
    places = {place for _, place in found if place > 0}
    return {place: [each for each, its in found if its == place] for place in places}


def place_of(goal: Goal, days: list[Days | None], groups: Groups, seen: Seen) -> int:
    """The place of a result after those that came before it on the calendar."""
    if not may_count(goal, seen):
        return NOT_COUNTED
    last = max(groups, default=0)
    first = last if last and not counted_of(goal, groups[last]) else last + 1
    following = [(n, d) for n, d in enumerate(days, 1) if n >= first and d and not d.paused]
    fits = [(n, d) for n, d in following if d.opens <= seen.day <= d.closes]
    if 0 < last < first and is_another(
        goal, days[last - 1], groups[last], fits[0][1] if fits else None, seen
    ):
        return last
    return fits[0][0] if fits else NOWHERE


def may_count(goal: Goal, seen: Seen) -> bool:
    """Whether a result was planned, or counts all the same."""
    return not seen.unscheduled or goal["windows"]["counts_unscheduled"]


def is_another(goal: Goal, last: Days | None, group: list[Seen], following: Days | None, seen: Seen) -> bool:
    """Whether a result is another one of the visit decided last."""
    counts = counted_of(goal, group)
    if not last or not counts or not last.opens <= seen.day <= last.closes:
        return False
    if following is None:
        return True
    is_soon = (seen.day - counts.day).days < goal["windows"]["apart"]
    return is_soon and following.planned not in {seen.day, last.planned}


def asked(goal: Goal, group: list[Seen]) -> list[Seen]:
    """The results of a visit that ask for another one: invalid ones at its beginning."""
    results = [each for each in group if each.symbol not in ABSENT]
    begin = [each for n, each in enumerate(results) if all(r.symbol == "*" for r in results[: n + 1])]
    return begin[: goal["retests"]]


def counted_of(goal: Goal, group: list[Seen]) -> Seen | None:
    """The result of a visit that counts; None while another one is asked for."""
    asking = asked(goal, group)
    results = [each for each in group if each.symbol not in ABSENT and each not in asking]
    if not results:
        return group[-1] if group[-1] not in asking else None
    by = {
        "first": results[0],
        "last": results[-1],
        "worst": min(results, key=lambda each: WORST.index(each.symbol)),
    }
    return by[goal["windows"]["specimens"]]


# What becomes of visits.


class Verdict(NamedTuple):
    goal: int
    place: int
    outcome: str
    seen: Seen | None  # None: nobody came


def key_of(verdict: Verdict) -> tuple[int, int]:
    return verdict.goal, verdict.place


def verdicts(plan: Plan, course: Course, goal: int) -> list[Verdict]:
    """Each visit of a goal that is decided, in order."""
    groups = grouped(placed(plan, course, goal))
    found = []
    for place, days in enumerate(calendar(plan, course, goal), 1):
        counts = counted_of(plan["goals"][goal], groups[place]) if place in groups else None
        if counts:
            found.append(Verdict(goal, place, outcome_of(plan, counts), counts))
        elif place < max(groups, default=0) or (days and is_over(plan, course, goal, place)):
            found.append(Verdict(goal, place, "_" if days is None or days.paused else "o", None))
        else:
            break
    return found


def outcome_of(plan: Plan, seen: Seen) -> str:
    """What a result is read as: on a day on which the clinic is closed nobody was absent."""
    return "_" if seen.symbol in ABSENT and seen.day in plan["closed"] else seen.symbol


def is_over(plan: Plan, course: Course, goal: int, place: int) -> bool:
    """Whether a visit that has no result was missed: a later day was reported, or it is known to be over.

    One in a pause is over after the day on which it was planned; the result that decides the visit before it does not
    look ahead, and what is known of days before that result knows nothing of what comes after it.
    """
    days, windows = calendar(plan, course, goal)[place - 1], plan["goals"][goal]["windows"]
    if days is None or days.after_end:
        return False
    swept = course["swept"] or date.min
    found = telling(plan, course, goal)
    others = [
        each for other in range(len(plan["goals"])) if other != goal for each in telling(plan, course, other)
    ]
    if days.paused:
        groups = grouped([(each, its) for each, its in placed(plan, course, goal) if its != NOT_COUNTED])
        before = [each for group in groups.values() if (each := counted_of(plan["goals"][goal], group))]
        sooner = [
            each for its in groups if its < place and (each := counted_of(plan["goals"][goal], groups[its]))
        ]
        is_known = days.planned <= swept and all(each.day <= swept for each in sooner)
        since = max((when(each) for each in before), default=())
        told = [
            *(each for each in found if when(each) > since),
            *(each for each in others if after(each, sooner)),
        ]
        return any(each.day > days.planned for each in told) or is_known
    last = days.closes + timedelta(windows["grace"])
    is_late = any(each.day > days.closes for each in found) or any(each.day > last for each in others)
    return is_late or last <= swept


def telling(plan: Plan, course: Course, goal: int) -> list[Seen]:
    """The results of a goal that tell which visits are over, in order."""
    return [each for each, its in placed(plan, course, goal) if its != NOT_COUNTED]


def when(seen: Seen) -> tuple[date, datetime, int]:
    """Where a result stands on the calendar."""
    return seen.day, seen.moment, seen.id


def after(seen: Seen, sooner: list[Seen]) -> bool:
    """Whether a result stands after some others."""
    return all(when(seen) > when(each) for each in sooner)


def idle(plan: Plan, course: Course, goal: int) -> list[tuple[Seen, int, str]]:
    """The results of a goal that do not count, each with its place and what became of it."""
    found = placed(plan, course, goal)
    groups = grouped(found)
    return [
        (each, place, said(plan["goals"][goal], groups.get(place, []), each))
        for each, place in found
        if place <= 0 or counted_of(plan["goals"][goal], groups[place]) != each
    ]


def said(goal: Goal, group: list[Seen], seen: Seen) -> str:
    """What became of a result that does not count, among those of its visit."""
    if seen in asked(goal, group):
        return "*"
    return "not counted" if group or not may_count(goal, seen) else "unplaced"


# What they are paid.


TOGETHER = Decimal(7)


def amounts(plan: Plan, course: Course, counted: list[Verdict]) -> list[Decimal]:
    """What each visit is paid: what its ladder says, cut to what the most leaves in the order of the calendar."""
    spent, paid, run = Decimal(0), {}, 0
    for each in in_order(plan, course, counted):
        before = [v.outcome for v in counted if v.goal == each.goal and v.place < each.place]
        due = earned(plan["goals"][each.goal], before, each.outcome)
        run = 0 if each.outcome in RESETS else run + (each.outcome == "-")
        if plan["together"] and each.outcome == "-" and run % plan["together"] == 0:
            due += TOGETHER
        paid[key_of(each)] = min(due, plan["most"] - spent)
        spent += paid[key_of(each)]
    return [paid[key_of(each)] for each in counted]


def in_order(plan: Plan, course: Course, counted: list[Verdict]) -> list[Verdict]:
    """Visits in the order in which they stand: by their results; of those without, once their days are over."""
    stands: dict[tuple[int, int], Spot_] = {}
    for each in counted:
        before = stands.get((each.goal, each.place - 1), ())
        own = stands_at(plan, course, each)
        stands[key_of(each)] = own if own > before else (*before, each.place)
    return sorted(counted, key=lambda each: stands[key_of(each)])


Spot_ = tuple[Any, ...]


def stands_at(plan: Plan, course: Course, verdict: Verdict) -> Spot_:
    """Where a visit stands: a miss after all of its last day, and before the result of its goal that tells of it."""
    if verdict.seen:
        return (verdict.seen.day, 1, when(verdict.seen), 0, 0)
    days = calendar(plan, course, verdict.goal)[verdict.place - 1]
    grace = timedelta(0 if verdict.outcome == "_" else plan["goals"][verdict.goal]["windows"]["grace"])
    ended = (
        [((days.planned if days.paused else days.closes) + grace, 2, (verdict.goal,), 0, 0)] if days else []
    )
    told = [each for each in telling(plan, course, verdict.goal) if tells(plan, course, verdict, each)]
    return min([*ended, *((each.day, 1, when(each), -1, verdict.place) for each in told[:1])])


def tells(plan: Plan, course: Course, verdict: Verdict, seen: Seen) -> bool:
    """Whether a result of its goal shows that a visit without one is over."""
    found = placed(plan, course, verdict.goal)
    days = calendar(plan, course, verdict.goal)[verdict.place - 1]
    if dict(found)[seen] > verdict.place:
        return True
    if days is None or not days.paused:
        return days is not None and seen.day > days.closes
    groups = grouped([(each, its) for each, its in found if its != NOT_COUNTED])
    before = [each for group in groups.values() if (each := counted_of(plan["goals"][verdict.goal], group))]
    return seen.day > days.planned and when(seen) > max((when(each) for each in before), default=())


def earned(goal: Goal, before: list[str], outcome: str) -> Decimal:
    """What a visit earns after the outcomes of those before it."""
    if outcome != "-":
        return Decimal(0)
    resets = [n for n, each in enumerate(before) if each in RESETS]
    run = before[resets[-1] + 1 :] if resets else before
    return goal["start"] + goal["step"] * run.count("-")
