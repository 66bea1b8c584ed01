"""What must hold of milestones, deposits, payouts and limits."""

from collections import Counter

from cm_engine.program.checks.base import (
    Found,
    Whole,
    awarded,
    known_target,
    known_unit,
    listed_once,
    too_fine,
    unit_of,
)
from cm_engine.program.models import Program
from cm_engine.program.plan import visits_by_week
from cm_engine.program.rewards import (
    CONDITIONS_OF_MILESTONES,
    Channel,
    Deposit,
    Limit,
    Milestone,
    Payout,
    When,
)
from cm_engine.program.values import WEEKS_MAX, either
from cm_engine.spelling import counted


def one_condition(when: When, _: Whole) -> Found:
    """Find a milestone on no condition, or on two."""
    given = [key for key in CONDITIONS_OF_MILESTONES if getattr(when, key) is not None]
    if len(given) != 1 and given != ["count", "event"]:
        yield (), f"expected {either(CONDITIONS_OF_MILESTONES)}, one of them"
    if when.criterion is not None and when.event is None:
        yield ("criterion",), "only an event comes with a measured value; add event, or remove criterion"
    if when.at_least > 1 and when.end_of is None:
        yield ("at_least",), "only end_of has at_least; remove it"
    if when.event is not None and when.targets:
        yield ("targets",), "an event is nobody's visit; remove targets"


def targets_of_milestone(when: When, whole: Whole) -> Found:
    """Find a milestone over a target that is not there, or that is listed twice."""
    for index, name in enumerate(when.targets):
        if unknown := known_target(name, whole.program):
            yield ("targets", index), unknown
    yield from listed_once(when.targets, ("targets",))


def reachable(when: When, whole: Whole) -> Found:
    """Find a milestone that asks for more than the plan has visits."""
    if when.end_of is not None and when.end_of.last == WEEKS_MAX:
        yield ("end_of",), "expected weeks that end"
        return
    program = whole.program
    names = [name for name in when.targets or program.targets if name in program.targets]
    weeks = Counter[int]()
    for name in names:
        weeks.update(dict(visits_by_week(program.plan(program.targets[name]))))
    counts = {"run": when.run, "count": None if when.event else when.count, "visits": when.visits}
    for key, needed in counts.items() if names else ():
        if needed and needed > weeks.total():
            yield (key,), f"the plan has {counted(weeks.total(), 'visit')}, fewer than the {needed} asked for"
    if names and isinstance(when.week, int) and when.week > max(weeks.values(), default=0):
        yield (
            ("week",),
            f"no week has more than {counted(max(weeks.values(), default=0), 'visit')}, fewer than the {when.week} asked for",
        )
    if when.end_of is not None:
        planned = sum(weeks[week] for week in range(when.end_of.first, when.end_of.last + 1))
        if planned < when.at_least:
            key = "at_least" if "at_least" in when.model_fields_set else "end_of"
            yield (
                (key,),
                f"weeks {when.end_of} have {counted(planned, 'visit')}, fewer than the {when.at_least} asked for",
            )
        elif names and when.end_of.last > (last := max(weeks)):
            yield (
                ("end_of",),
                f"the visits end with week {last}, and weeks {when.end_of} do not; let them agree",
            )


def milestone_pays(milestone: Milestone, whole: Whole) -> Found:
    """Find a milestone that pays nothing, or returns a deposit that is not there."""
    if not milestone.amount and not milestone.refunds:
        yield (), "it pays nothing; add amount, or refunds: true"
    if milestone.refunds and whole.program.deposit is None:
        yield ("refunds",), "there is no deposit to return; add deposit to the program"
    if milestone.at_most is not None and not milestone.repeats:
        yield ("at_most",), "without repeats it is paid once; add repeats: true, or remove at_most"
    if milestone.repeats and milestone.when.end_of is not None:
        yield ("repeats",), "weeks end once; remove repeats"
    counted = (milestone.when.run, milestone.when.count, milestone.when.visits)
    yield from listed_once(milestone.resets_on, ("resets_on",))
    conditions = [getattr(milestone.when, key) is not None for key in CONDITIONS_OF_MILESTONES]
    if milestone.resets_on and any(conditions) and all(each is None for each in counted):
        yield ("resets_on",), "only run, count and visits have a count to begin anew; remove resets_on"


def exact_milestone(milestone: Milestone, whole: Whole) -> Found:
    """Find a milestone that pays in no known unit, or more finely than it."""
    if milestone.amount or milestone.unit:
        yield from known_unit(milestone, whole)
    yield from too_fine([(("amount",), milestone.amount)], unit_of(milestone.unit, whole.program))


def money_to_stake(program: Program, _: Whole) -> Found:
    """Find a deposit in no money, or one that nothing returns."""
    if program.deposit is None:
        return
    if program.currency is None:
        yield ("deposit",), "a deposit is money; add currency to the program"
    if not any(milestone.refunds for milestone in program.milestones.values()):
        yield ("deposit",), "no milestone returns it; add one with refunds: true"


def stake_covers_loss(deposit: Deposit, whole: Whole) -> Found:
    """Find a stake of nothing, a loss of more than the stake, or amounts finer than the currency."""
    yield from listed_once(deposit.on, ("on",))
    if not deposit.stake:
        yield ("stake",), "expected more than 0, got 0"
    if deposit.loss > deposit.stake:
        yield ("loss",), f"expected at most the stake, {deposit.stake}, got {deposit.loss}"
    stakes = ((("stake",), deposit.stake), (("loss",), deposit.loss))
    yield from too_fine(stakes, unit_of(None, whole.program))


def payout_defined(payout: Payout, whole: Whole) -> Found:
    """Find a payout that lacks what defines it, or has what another one needs."""
    if payout.when == "set days" and not payout.days:
        yield ("when",), "set days needs the key days; add it"
    if payout.days and payout.when != "set days":
        yield ("days",), "only set days has days; remove it"
    if payout.minimum is not None and payout.when != "on request":
        yield ("minimum",), "only on request has a minimum; remove it"
    if payout.products and payout.when != "on request":
        yield ("products",), "only on request has products; remove it"
    yield from listed_once(payout.products, ("products",))
    yield from listed_once(payout.days, ("days",))
    if payout.minimum is not None and whole.program.currency is None:
        yield ("minimum",), "a minimum is money; add currency to the program"
    elif payout.minimum is not None:
        yield from too_fine([(("minimum",), payout.minimum)], unit_of(None, whole.program))


def channel_defined(channel: Channel, _: Whole) -> Found:
    """Find a channel that is asked nothing, or something that needs what is not there."""
    yield from listed_once(channel.blocks, ("blocks",))
    if not channel.blocks and channel.cash:
        yield (), "it asks for nothing; add blocks, or cash: false, or leave channel out"
    if "by" in channel.model_fields_set and not channel.blocks:
        yield ("by",), "only blocks has by; add blocks, or remove it"


def window_to_stop(limit: Limit, _: Whole) -> Found:
    """Find a stop in a window that has no end to stop until."""
    if limit.crossing == "stop" and limit.per in {"reward", "rolling days"}:
        yield ("crossing",), f"{limit.per} has no end to stop until; write withhold"


def window_defined(limit: Limit, _: Whole) -> Found:
    """Find a window that lacks what defines it, or has what another window needs."""
    for name, per in (("begins", "grant year"), ("days", "rolling days")):
        given = getattr(limit, name) is not None
        if given and limit.per != per:
            yield (name,), f"only {per} has {name}; remove it"
        if not given and limit.per == per:
            yield ("per",), f"{per} needs the key {name}; add it"


def one_scope(limit: Limit, _: Whole) -> Found:
    """Find a limit with two scopes, or one whose scope and window do not go together."""
    if limit.payer is not None and limit.fund is not None:
        yield ("fund",), "expected payer or fund, one of them; write a limit for each"
    for key in ("payer", "fund"):
        if getattr(limit, key) is not None and limit.per in {"reward", "week", "episode"}:
            message = (
                f"per {limit.per} is for one enrollment; a {key} has days, months, years or rolling days"
            )
            yield (key,), message


def exact_limit(limit: Limit, whole: Whole) -> Found:
    """Find a limit with more decimals than its unit."""
    changes = limit.amount.changes
    places = (
        ("amount", *(() if len(changes) == 1 else (day.isoformat() if day else "before",)))
        for day, _ in changes
    )
    amounts = zip(places, (number for _, number in changes), strict=True)
    return too_fine(amounts, unit_of(limit.unit, whole.program))


def limit_applies(limit: Limit, whole: Whole) -> Found:
    """Find a limit on a unit that nothing awards."""
    unit = unit_of(limit.unit, whole.program)
    drawn = whole.program.bowls and unit == unit_of(None, whole.program)
    if unit and unit.name not in awarded(whole.program) and not drawn:
        yield (), f"nothing awards {unit.name}, so this limit limits nothing"


def limited_once(program: Program, _: Whole) -> Found:
    """Find a second limit on the same unit in the same window: of two crossings nobody could say which holds."""
    seen: set[object] = set()
    for index, limit in enumerate(program.limits):
        window = (unit_of(limit.unit, program), limit.per, limit.begins, limit.days, limit.payer, limit.fund)
        if window in seen:
            yield (
                ("limits", index),
                "a limit above has the same window; keep one of them, with the lower amount",
            )
        seen.add(window)


RULES = {
    Program: (money_to_stake, limited_once),
    When: (one_condition, targets_of_milestone, reachable),
    Milestone: (milestone_pays, exact_milestone),
    Deposit: (stake_covers_loss,),
    Payout: (payout_defined,),
    Channel: (channel_defined,),
    Limit: (known_unit, exact_limit, limit_applies, window_defined, window_to_stop, one_scope),
}
