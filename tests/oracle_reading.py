"""A second, naive reading of the rules on evidence, groups, milestones and deposits, to compare the engine with.

Nothing is carried from observation to observation: what each is read as and what it is awarded is worked out by
scanning what was told of all those before it. Days are counted from the start, which is day 0.

Symbols: - met, + positive, o missed, e excused, * invalid, r refused, _ not required.
"""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from math import ceil, floor
from typing import Literal, NamedTuple, TypedDict

SYMBOLS = {
    "met": "-",
    "positive": "+",
    "missed": "o",
    "excused": "e",
    "invalid": "*",
    "refused": "r",
    "not required": "_",
}
READS = {
    "substituted": "refused",
    "adulterated": "refused",
    "dilute": "invalid",
    "late": "missed",
    "rescheduled": "excused",
    "makeup": "as tested",
}
RESETS = frozenset("+or")
EVER = (1, 1000)
PUT_OFF = "open"  # what stands for the symbol of a visit that a condition leaves open


class Block(TypedDict):
    weeks: tuple[int, int]  # both included
    every_weeks: int
    per_week: int | None
    days: list[int]  # instead: weekdays, 0 is Monday
    program_days: list[int]  # instead: from 1
    per_day: int


class Panel(TypedDict):
    analytes: list[str]
    met_if: Literal["all negative", "all positive", "any positive"]
    missing: Literal["invalid", "positive", "ignored"]
    prescribed: Literal["negative", "invalid", "positive"]
    presumptive: Literal["counts", "positive waits", "waits"]


class Quota(TypedDict):
    of: str
    at_most: int
    per: Literal["week", "month", "episode"]
    then: str


class Retest(TypedDict):
    on: list[str]
    at_most: int


class Bound(TypedDict):
    kind: Literal["threshold"]
    side: Literal["at_most", "below", "at_least", "above"]
    value: Decimal


class Fall(TypedDict):
    kind: Literal["fall"]
    share: Decimal
    since: Literal["last", "baseline"]
    daily: Literal["linear", "compound"] | None


class Percentile(TypedDict):
    kind: Literal["percentile"]
    window: int
    rank: int | None
    w: Decimal | None
    rounding: Literal["nearest", "half up", "half down", "up", "down"]
    direction: Literal["below", "above"]
    ties: Literal["met", "not met"]


class Goal(TypedDict):
    kind: Literal["goal"]
    start: Decimal
    step: Decimal
    top: Decimal | None
    recent: int


class Criterion(TypedDict):
    rule: Bound | Fall | Percentile | Goal
    always: Bound | None


class Escalate(TypedDict):
    start: Decimal
    step: Decimal  # 0: the same each time


class Choice(TypedDict):
    name: str
    unit: str
    amount: Decimal


class Group(TypedDict):
    size: int
    need: int
    paid: Literal["who met", "all"]


class Phase(TypedDict):
    weeks: tuple[int, int]
    unit: str
    ladder: Escalate
    reset: bool
    choice: list[Choice]  # instead of the ladder
    together: list[Decimal]  # instead of the ladder
    group: Group | None
    provided: str | None
    criterion: Criterion | None


class Target(TypedDict):
    visits: list[Block]
    panel: Panel
    reads: dict[str, str]
    excuses: list[str]
    quotas: list[Quota]
    retest: Retest | None
    phases: list[Phase]


class Milestone(TypedDict):
    targets: list[str]  # empty: all
    kind: Literal["run", "count", "visits", "week", "end_of", "event"]
    number: int  # of run, count, visits and event; of end_of the successes needed
    week: Literal["all", "some"] | int
    weeks: tuple[int, int]  # of end_of
    event: str
    criterion: Criterion | None
    amount: Decimal
    unit: str
    repeats: bool
    at_most: int | None
    resets_on: list[str]
    refunds: bool


class Deposit(TypedDict):
    stake: Decimal
    loss: Decimal
    on: list[str]


class Description(TypedDict):
    targets: dict[str, Target]
    closures: list[tuple[date, date]]
    open_on: list[int]  # weekdays, 0 is Monday; empty: all
    milestones: dict[str, Milestone]
    deposit: Deposit | None
    start: date | None
    before: dict[str, list[Decimal]]


class Look(TypedDict):
    target: str
    event: str
    result: str
    panel: dict[str, str]
    prescribed: list[str]
    presumptive: bool
    value: Decimal | None
    conditions: list[str]
    excuse: str
    choice: str
    group: int | None
    on: date | None


class Told(NamedTuple):
    """What an observation came to."""

    look: Look
    visit: int  # from 0 within the plan of the target
    week: int
    day: int
    symbol: str
    moves: str  # what moves the ladder: the symbol, or what others made of it
    settled: bool  # False: the visit stays open
    retested: bool  # why it does
    uses: frozenset[str]  # what it used of the quotas
    value: Decimal | None  # what is remembered
    judged: bool  # whether that was judged


class Measured(NamedTuple):
    value: Decimal
    day: int
    week: int  # 0: before the plan
    judged: bool


class Slot(NamedTuple):
    week: int
    day: int


class Read(NamedTuple):
    """The symbol that an observation is read as, its awards by unit, and what it loses of a deposit."""

    symbol: str
    awards: dict[str, Decimal]
    lost: Decimal


def expected(program: Description, looks: list[Look]) -> list[Read]:
    """What each observation is read as, and what it comes to."""
    told = tell(program, looks)
    return [answer(program, told[:end]) for end in range(1, len(told) + 1)]


def tell(program: Description, looks: list[Look]) -> list[Told]:
    """What each observation came to, each by a scan of what was told of all those before it."""
    told: list[Told] = []
    for look in looks:
        told.append(tell_one(program, told, look))
    return told


def tell_one(program: Description, told: list[Told], look: Look) -> Told:
    """What the next observation comes to."""
    return event_told(told, look, program) if look["event"] else visit_told(program, told, look)


def answer(program: Description, told: list[Told]) -> Read:
    """The symbol, the awards and the loss of the last observation."""
    awards = [*visit_awards(program, told), *milestone_awards(program, told), *deposit_awards(program, told)]
    units = {unit for unit, _ in awards}
    sums = {name: sum((a for unit, a in awards if unit == name), Decimal(0)) for name in units}
    paid = {unit: amount for unit, amount in sums.items() if amount}
    return Read(told[-1].symbol, paid, deposit_loss(program, told))


def undated(program: Description) -> bool:
    """Whether a rule needs the dates that a timeline without a start does not have."""
    quotas = [quota for target in program["targets"].values() for quota in target["quotas"]]
    criteria = [milestone["criterion"] for milestone in program["milestones"].values()]
    daily = [c for c in criteria if c and c["rule"]["kind"] == "fall" and c["rule"]["daily"]]
    return program["start"] is None and (bool(daily) or any(quota["per"] == "month" for quota in quotas))


# When


def slots(program: Description, target: str) -> list[Slot]:
    """The week and the day of each visit that is planned for a target."""
    planned = planned_slots(program["targets"][target], program["start"])
    return [Slot(slot.week, opened(program, slot.day)) for slot in planned]


def planned_slots(target: Target, start: date | None) -> list[Slot]:
    """The week and the day of each visit, were the clinic always open."""
    return [
        Slot(week, 7 * (week - 1) + day)
        for block in target["visits"]
        for week in range(block["weeks"][0], block["weeks"][1] + 1)
        for day in week_days(block, week, start)
    ]


def week_days(block: Block, week: int, start: date | None) -> list[int]:
    """The days of the visits of a week, from 0."""
    if block["program_days"]:
        here = [day - 1 - 7 * (week - 1) for day in block["program_days"]]
        return [day for day in here if 0 <= day < 7 for _ in range(block["per_day"])]
    if (week - block["weeks"][0]) % block["every_weeks"]:
        return []
    if block["per_week"] is not None:
        return [7 * i // block["per_week"] for i in range(block["per_week"])]
    assert start
    days = sorted((day - start.weekday()) % 7 for day in block["days"])
    return [day for day in days for _ in range(block["per_day"])]


def opened(program: Description, day: int) -> int:
    """The day itself, or if it is closed the next one that is open."""
    if not closed(program, day):
        return day
    return next(each for each in count(day) if not closed(program, each) and received(program, each))


def received(program: Description, day: int) -> bool:
    """Whether a visit may move to a day."""
    assert program["start"]
    weekday = (program["start"].weekday() + day) % 7
    return not program["open_on"] or weekday in program["open_on"]


def closed(program: Description, day: int) -> bool:
    """Whether the clinic is closed on a day."""
    start = program["start"]
    today = start and start + timedelta(days=day)
    return today is not None and any(first <= today <= last for first, last in program["closures"])


def today(told: list[Told]) -> int:
    """The day of the last observation, or of the start."""
    return told[-1].day if told else 0


def happened(program: Description, told: list[Told], look: Look, planned: int) -> int:
    """The day that an observation counts for: as planned, and where there are dates never before the last one."""
    if program["start"] is None:
        return planned
    if look["on"]:
        return (look["on"] - program["start"]).days
    return max(planned, today(told))


def of_target(told: Iterable[Told], target: str) -> list[Told]:
    """What was told of a target."""
    return [each for each in told if each.look["target"] == target]


def visit_number(told: list[Told], target: str) -> int:
    """The number of the next visit of a target, from 0."""
    return len([each for each in of_target(told, target) if each.settled])


def event_told(told: list[Told], look: Look, program: Description) -> Told:
    day = happened(program, told, look, today(told))
    value = look["value"]
    return Told(look, 0, 0, day, "", "", True, False, frozenset(), value, True)  # noqa: FBT003


def phase_of(program: Description, target: str, week: int) -> Phase:
    """The phase that a week lies in."""
    phases = program["targets"][target]["phases"]
    return next(p for p in phases if p["weeks"][0] <= week <= p["weeks"][1])


# What a visit is read as


def visit_told(program: Description, told: list[Told], look: Look) -> Told:
    """Read the next visit of a target."""
    name = look["target"]
    target = program["targets"][name]
    visit = visit_number(told, name)
    week, planned = slots(program, name)[visit]
    day = happened(program, told, look, planned)
    phase = phase_of(program, name, week)
    tested = test_symbol(program, told, look, phase, day)
    here = Told(look, visit, week, day, tested, tested, False, False, frozenset(), None, False)  # noqa: FBT003
    if waits(target["panel"], look, tested):
        return here
    flaw = flaw_name(target, look)
    if flaw is None:
        here = here._replace(value=look["value"], judged=is_judged(look, phase))
    accepted = excuse_symbol(target, look, PUT_OFF if flaw == "open" else SYMBOLS[flaw] if flaw else tested)
    due = "_" if accepted in {"o", "e", PUT_OFF} and closed(program, day) else accepted
    here = here._replace(uses=used(look, due))
    beyond = quota_symbol(program, told, here)
    if due == PUT_OFF and beyond is None:
        return here._replace(symbol="e")
    bounded = beyond or due
    if retests(target, told, name, visit, bounded):
        return here._replace(symbol=bounded, retested=True)
    moves = provided_symbol(told, phase, visit, group_symbol(phase, look, bounded))
    return here._replace(symbol=bounded, moves=moves, settled=True)


def test_symbol(program: Description, told: list[Told], look: Look, phase: Phase, day: int) -> str:
    """What the result, the panel or the value shows."""
    if look["panel"]:
        return panel_symbol(program["targets"][look["target"]]["panel"], look)
    if is_judged(look, phase):
        assert look["value"] is not None
        assert phase["criterion"]
        values = target_values(program, told, look["target"])
        now = Measured(look["value"], day, phase["weeks"][0], judged=True)
        return "-" if judge(phase["criterion"], values, now, phase["weeks"]) else "+"
    return look["result"]


def is_judged(look: Look, phase: Phase) -> bool:
    """Whether a value says if the target was met; that of a visit that is not required does not."""
    return look["value"] is not None and phase["criterion"] is not None and look["result"] != "_"


def panel_symbol(panel: Panel, look: Look) -> str:
    """What a panel shows."""
    listed = panel["analytes"] or list(look["panel"])
    results = [analyte_result(panel, look, analyte) for analyte in listed]
    shown = [result for result in results if result != "ignored"]
    if not shown:
        return "*"
    if panel["met_if"] == "all negative":
        return "+" if "positive" in shown else "*" if "invalid" in shown else "-"
    if panel["met_if"] == "any positive":
        return "-" if "positive" in shown else "*" if "invalid" in shown else "+"
    return "+" if "negative" in shown else "*" if "invalid" in shown else "-"


def analyte_result(panel: Panel, look: Look, analyte: str) -> str:
    """What an analyte counts as: positive, negative, invalid or ignored."""
    if analyte not in look["panel"]:
        return panel["missing"]
    if look["panel"][analyte] == "-":
        return "negative"
    is_explained = analyte in look["prescribed"] and panel["met_if"] == "all negative"
    return panel["prescribed"] if is_explained else "positive"


def flaw_name(target: Target, look: Look) -> str | None:
    """What the first condition that decides is read as."""
    found = [read_as(target, condition) for condition in READS if condition in look["conditions"]]
    deciding = [name for name in found if name != "as tested"]
    return deciding[0] if deciding else None


def read_as(target: Target, condition: str) -> str:
    return target["reads"].get(condition, READS[condition])


def excuse_symbol(target: Target, look: Look, symbol: str) -> str:
    """What an absence counts as, by its reason."""
    refused = target["excuses"] and look["excuse"] and look["excuse"] not in target["excuses"]
    return "o" if symbol in {"e", PUT_OFF} and refused else symbol


def used(look: Look, symbol: str) -> frozenset[str]:
    """What an observation would use of the quotas."""
    if symbol == "_":
        return frozenset()
    by_symbol = {"e": ["excused"], "*": ["invalid"]}.get(symbol, [])
    by_condition = [each for each in ("rescheduled", "makeup", "late") if each in look["conditions"]]
    return frozenset([*by_symbol, *by_condition])


def quota_symbol(program: Description, told: list[Told], now: Told) -> str | None:
    """What it counts as, by the first quota in the file that is used up, if one is."""
    quotas = program["targets"][now.look["target"]]["quotas"]
    return next((SYMBOLS[quota["then"]] for quota in quotas if exceeded(program, told, now, quota)), None)


def exceeded(program: Description, told: list[Told], now: Told, quota: Quota) -> bool:
    """Whether an observation is one beyond a quota."""
    before = [each for each in of_target(told, now.look["target"]) if shares(program, quota, each, now)]
    return quota["of"] in now.uses and len(before) >= quota["at_most"]


def shares(program: Description, quota: Quota, other: Told, now: Told) -> bool:
    """Whether another observation used the same window of a quota."""
    windows = [quota_window(program, quota, each.week, each.day) for each in (other, now)]
    return quota["of"] in other.uses and windows[0] == windows[1]


def quota_window(program: Description, quota: Quota, week: int, day: int) -> object:
    """What two uses have in common if they are in the same window."""
    if quota["per"] == "month":
        assert program["start"]
        on = program["start"] + timedelta(days=day)
        return on.year, on.month
    return week if quota["per"] == "week" else "all"


def group_symbol(phase: Phase, look: Look, symbol: str) -> str:
    """What a result counts as, by how many of the group met the target."""
    group, met = phase["group"], look["group"]
    if group is None or met is None or symbol == "_":
        return symbol
    if symbol == "-":
        return "-" if met >= group["need"] else "+"
    return "-" if group["paid"] == "all" and met >= group["need"] else symbol


def provided_symbol(told: list[Told], phase: Phase, visit: int, symbol: str) -> str:
    """A success is not required, unless the other target was met at the same visit."""
    if phase["provided"] is None or symbol != "-":
        return symbol
    others = [each for each in of_target(told, phase["provided"]) if each.settled and each.visit == visit]
    return symbol if [each.symbol for each in others] == ["-"] else "_"


def waits(panel: Panel, look: Look, symbol: str) -> bool:
    """Whether the result waits until it is confirmed."""
    if not look["presumptive"]:
        return False
    return panel["presumptive"] == "waits" or (panel["presumptive"] == "positive waits" and symbol == "+")


def retests(target: Target, told: list[Told], name: str, visit: int, symbol: str) -> bool:
    """Whether the visit stays open for another specimen."""
    retest = target["retest"]
    if retest is None or symbol not in {SYMBOLS[name] for name in retest["on"]}:
        return False
    before = [each for each in of_target(told, name) if each.visit == visit and each.retested]
    return len(before) < retest["at_most"]


# Criteria


def target_values(program: Description, told: list[Told], name: str) -> list[Measured]:
    """The values of a target so far, with those before the plan."""
    before = [Measured(value, -1, 0, judged=False) for value in program["before"].get(name, [])]
    found = [
        Measured(each.value, each.day, each.week, each.judged)
        for each in of_target(told, name)
        if each.value is not None
    ]
    return [*before, *found]


def judge(criterion: Criterion, earlier: list[Measured], now: Measured, weeks: tuple[int, int]) -> bool:
    """Whether a value is a success, after those earlier; a bar begins with the weeks."""
    if criterion["always"] and within(criterion["always"], now.value):
        return True
    rule = criterion["rule"]
    if rule["kind"] == "threshold":
        return within(rule, now.value)
    if rule["kind"] == "fall":
        return fell(rule, earlier, now)
    if rule["kind"] == "percentile":
        return ranked(rule, [each.value for each in earlier], now.value)
    return now.value >= bar(criterion, rule, earlier, weeks)


def within(bound: Bound, value: Decimal) -> bool:
    return {
        "at_most": value <= bound["value"],
        "below": value < bound["value"],
        "at_least": value >= bound["value"],
        "above": value > bound["value"],
    }[bound["side"]]


def fell(rule: Fall, earlier: list[Measured], now: Measured) -> bool:
    """Whether the value lies far enough below the last one or the first."""
    if not earlier:
        return False
    reference = earlier[-1] if rule["since"] == "last" else earlier[0]
    share, days = Fraction(rule["share"]), now.day - reference.day
    if rule["daily"] == "linear":
        share = min(Fraction(1), share * days)
    if rule["daily"] == "compound":
        share = 1 - (1 - share) ** days
    return Fraction(now.value) <= Fraction(reference.value) * (1 - share)


def ranked(rule: Percentile, values: list[Decimal], value: Decimal) -> bool:
    """Whether the value is better than the k-th lowest of the window."""
    if len(values) < rule["window"]:
        return False
    kth = sorted(values[-rule["window"] :])[rank(rule) - 1]
    if value == kth:
        return rule["ties"] == "met"
    return (value < kth) == (rule["direction"] == "below")


def rank(rule: Percentile) -> int:
    """The k of the k-th lowest."""
    if rule["rank"] is not None:
        return rule["rank"]
    assert rule["w"] is not None
    exact = (rule["window"] + 1) * (1 - Fraction(rule["w"]))
    whole, part = floor(exact), exact - floor(exact)
    rounded: dict[str, int] = {
        "nearest": whole + (part > Fraction(1, 2)),
        "half up": whole + (part >= Fraction(1, 2)),
        "half down": whole + (part > Fraction(1, 2)),
        "up": ceil(exact),
        "down": whole,
    }
    return rounded[rule["rounding"]]


def bar(criterion: Criterion, goal: Goal, earlier: list[Measured], weeks: tuple[int, int]) -> Decimal:
    """The bar after the values so far; it begins anew with a phase."""
    numbers = [n for n, each in enumerate(earlier) if each.judged and weeks[0] <= each.week <= weeks[1]]
    if not numbers:
        return goal["start"]
    last = numbers[-1]
    before = bar(criterion, goal, earlier[:last], weeks)
    always = criterion["always"] is not None and within(criterion["always"], earlier[last].value)
    if always or earlier[last].value >= before:
        raised = before + goal["step"]
        return raised if goal["top"] is None else min(raised, goal["top"])
    best = max(each.value for each in earlier[: last + 1][-goal["recent"] :])
    return min(before, best)


# What a visit is paid


def visit_awards(program: Description, told: list[Told]) -> list[tuple[str, Decimal]]:
    """What the last observation earns as a visit."""
    last = told[-1]
    if last.moves != "-" or not last.settled:
        return []
    phase = phase_of(program, last.look["target"], last.week)
    if phase["choice"]:
        named = [each for each in phase["choice"] if each["name"] == last.look["choice"]]
        chosen = (named or phase["choice"])[0]
        return [(chosen["unit"], chosen["amount"])]
    if phase["together"]:
        met = last.look["group"]
        assert phase["group"]
        return [(phase["unit"], phase["together"][(phase["group"]["need"] if met is None else met) - 1])]
    return [(phase["unit"], phase["ladder"]["start"] + phase["ladder"]["step"] * climbed(phase, told))]


def climbed(phase: Phase, told: list[Told]) -> int:
    """The successes since the phase began or was reset, before the last observation."""
    before = [each for each in of_target(told[:-1], told[-1].look["target"]) if each.settled]
    symbols = "".join(each.moves for each in before if each.week >= phase["weeks"][0])
    resets = [place for place, symbol in enumerate(symbols) if phase["reset"] and symbol in RESETS]
    return symbols[resets[-1] + 1 if resets else 0 :].count("-")


# Milestones


def milestone_awards(program: Description, told: list[Told]) -> list[tuple[str, Decimal]]:
    """What the milestones pay that the last observation reaches."""
    reached_now = [m for m in program["milestones"].values() if pays(program, m, told)]
    return [(each["unit"], each["amount"]) for each in reached_now]


def pays(program: Description, milestone: Milestone, told: list[Told]) -> bool:
    """Whether the last observation reaches a milestone that is still to be paid."""
    if not reached(program, milestone, told):
        return False
    times = len([end for end in range(1, len(told)) if reached(program, milestone, told[:end])])
    if not milestone["repeats"]:
        return not times
    return milestone["at_most"] is None or times < milestone["at_most"]


def reached(program: Description, milestone: Milestone, told: list[Told]) -> bool:
    """Whether the last observation reaches a milestone, paid before or not."""
    if milestone["kind"] == "event":
        return event_reached(milestone, told)
    if (
        told[-1].look["event"]
        or not told[-1].settled
        or told[-1].look["target"] not in counts(program, milestone)
    ):
        return False
    if milestone["kind"] == "week":
        return week_reached(program, milestone, told)
    if milestone["kind"] == "end_of":
        return end_reached(program, milestone, told)
    return number_reached(program, milestone, told)


def counts(program: Description, milestone: Milestone) -> list[str]:
    """The targets that count for a milestone."""
    return milestone["targets"] or list(program["targets"])


def settled_symbols(program: Description, milestone: Milestone, told: list[Told]) -> list[str]:
    names = counts(program, milestone)
    return [each.symbol for each in told if each.settled and each.look["target"] in names]


def number_reached(program: Description, milestone: Milestone, told: list[Told]) -> bool:
    """Whether a run, a count or the visits kept are complete with the last observation."""
    symbols = settled_symbols(program, milestone, told)
    counted: Callable[[str], bool] = (
        (lambda s: s not in "oe_") if milestone["kind"] == "visits" else "-".__eq__
    )
    stretch = since_reset(milestone, symbols)
    number = len([symbol for symbol in stretch if counted(symbol)])
    return bool(stretch) and counted(stretch[-1]) and number > 0 and number % milestone["number"] == 0


def since_reset(milestone: Milestone, symbols: list[str]) -> list[str]:
    """The symbols since the last that begins the count anew."""
    on = {SYMBOLS[name] for name in milestone["resets_on"]} or (
        RESETS if milestone["kind"] == "run" else set()
    )
    places = [place for place, symbol in enumerate(symbols) if symbol in on]
    return symbols[places[-1] + 1 :] if places else symbols


def in_weeks(
    program: Description, milestone: Milestone, told: list[Told], weeks: tuple[int, int]
) -> list[str] | None:
    """The symbols of these weeks, or None while a visit of them is to be decided."""
    names = counts(program, milestone)
    inside = [each for each in told if each.settled and each.look["target"] in names]
    decided = [each.symbol for each in inside if weeks[0] <= each.week <= weeks[1]]
    planned = [s for name in names for s in slots(program, name) if weeks[0] <= s.week <= weeks[1]]
    return decided if len(decided) == len(planned) else None


def week_reached(program: Description, milestone: Milestone, told: list[Told]) -> bool:
    week = told[-1].week
    symbols = in_weeks(program, milestone, told, (week, week)) or []
    if milestone["week"] != "all":
        return symbols.count("-") >= (1 if milestone["week"] == "some" else milestone["week"])
    return "-" in symbols and set(symbols) <= {"-", "_"}


def end_reached(program: Description, milestone: Milestone, told: list[Told]) -> bool:
    first, last = milestone["weeks"]
    if not first <= told[-1].week <= last:
        return False
    symbols = in_weeks(program, milestone, told, milestone["weeks"]) or []
    return symbols.count("-") >= milestone["number"]


def event_reached(milestone: Milestone, told: list[Told]) -> bool:
    """Whether the last observation is the event, for the time that is asked for."""
    times = len([end for end in range(1, len(told) + 1) if event_counts(milestone, told[:end])])
    return event_counts(milestone, told) and times % milestone["number"] == 0


def event_counts(milestone: Milestone, told: list[Told]) -> bool:
    """Whether the last observation is the event, with a value that meets the criterion."""
    if told[-1].look["event"] != milestone["event"]:
        return False
    if milestone["criterion"] is None:
        return True
    same = [each for each in told if each.look["event"] == milestone["event"]]
    values = [Measured(each.value, each.day, 1, judged=True) for each in same if each.value is not None]
    return told[-1].value is not None and judge(milestone["criterion"], values[:-1], values[-1], (1, 1))


# Deposits


def deposit_awards(program: Description, told: list[Told]) -> list[tuple[str, Decimal]]:
    """What the last observation pays in, or returns."""
    deposit = program["deposit"]
    if deposit is None:
        return []
    if told[-1].look["event"] == "deposit":
        return [("USD", -deposit["stake"])]
    return [("USD", left(program, deposit, told, told))] if refunds(program, told) else []


def deposit_loss(program: Description, told: list[Told]) -> Decimal:
    """What the last observation takes of the deposit: as a lapse, and as the end of all weeks."""
    deposit = program["deposit"]
    if deposit is None:
        return Decimal(0)
    rest = left(program, deposit, told, told)
    by_lapse = left(program, deposit, told, told[:-1]) - rest
    return by_lapse + (rest if forfeits(program, told) else 0)


def refunds(program: Description, told: list[Told]) -> bool:
    """Whether the last observation reaches a milestone that returns the deposit."""
    return any(m["refunds"] and pays(program, m, told) for m in program["milestones"].values())


def forfeits(program: Description, told: list[Told]) -> bool:
    """Whether the last observation is the one with which all weeks are over that could return the deposit."""
    return weeks_over(program, told) and not weeks_over(program, told[:-1])


def weeks_over(program: Description, told: list[Told]) -> bool:
    """Whether the weeks of every milestone that could return the deposit, or all weeks, are over without it."""
    refunding = [m for m in program["milestones"].values() if m["refunds"]]
    return all(
        m["kind"] != "event"
        and in_weeks(program, m, told, m["weeks"] if m["kind"] == "end_of" else EVER) is not None
        and not any(reached(program, m, told[:end]) for end in range(1, len(told) + 1))
        for m in refunding
    )


def left(program: Description, deposit: Deposit, told: list[Told], lapsed: list[Told]) -> Decimal:
    """What those lapses leave of the deposit for the last observation to return."""
    places = [place for place, each in enumerate(told) if each.look["event"] == "deposit"]
    earlier = [told[:end] for end in range(places[0] + 1, len(told))] if places else []
    if not places or any(refunds(program, each) or forfeits(program, each) for each in earlier):
        return Decimal(0)
    lapses = {SYMBOLS[name] for name in deposit["on"]}
    number = len([each for each in lapsed[places[0] :] if each.settled and each.symbol in lapses])
    return max(Decimal(0), deposit["stake"] - deposit["loss"] * number)
