"""What is paid beside the visits, what limits it and how it is handed over, in plain words."""

from decimal import Decimal

from cm_engine.program.models import Program
from cm_engine.program.prizes import Bowl, Hat, Slip, average
from cm_engine.program.rewards import Limit, Milestone, When
from cm_engine.reports.in_words import amount_words, criterion_words, listed, outcome_words
from cm_engine.spelling import counted, days_long

CROSSING = {
    "truncate": "the reward that would cross it is cut to what is left",
    "withhold": "the reward that would cross it is not paid",
    "stop": "the reward that would cross it is not paid, and nothing after it in the same window",
}


def milestone_words(program: Program, milestone: Milestone) -> str:
    """Return when a milestone is reached and what it pays."""
    pays = amount_words(program, milestone.unit, milestone.amount) if milestone.amount else ""
    back = "the deposit back" if milestone.refunds else ""
    often = ", each time" if milestone.repeats else ""
    most = f", at most {counted(milestone.at_most, 'time')}" if milestone.at_most else ""
    said = listed(filter(None, [pays, back]))
    return f"{milestone.says}: {said} for {_reached(milestone.when)}{often}{most}.{_anew(program, milestone)}"


def _anew(program: Program, milestone: Milestone) -> str:
    """Return what begins the count of a milestone anew, where it says so."""
    counted_of = milestone.when.targets or tuple(program.targets)
    behaviors = {program.targets[name].behavior for name in counted_of}
    anew = outcome_words(milestone.resets_on, behaviors)
    return f" What is {anew} begins the count anew." if anew else ""


def _reached(when: When) -> str:
    of = f" of {listed(when.targets)}" if when.targets else ""
    if when.event:
        times = f"{when.count} reports of " if when.count and when.count > 1 else ""
        measured = f" with {criterion_words(when.criterion)}" if when.criterion else ""
        return f"{times}“{when.event}”{measured}"
    if when.week:
        met = {"all": "every visit", "some": "some visit"}.get(str(when.week), f"{when.week} visits")
        return f"a week with {met}{of} met"
    if when.end_of:
        several = when.end_of.first != when.end_of.last
        in_weeks = f"weeks {when.end_of}{of}, with their" if several else f"week {when.end_of}{of}, with its"
        return f"at least {counted(when.at_least, 'success', 'successes')} in {in_weeks} last visit"
    if when.run:
        return f"a run of {counted(when.run, 'success', 'successes')}{of}"
    return (
        f"{counted(when.visits, 'visit')}{of} kept"
        if when.visits
        else f"{counted(when.count or 0, 'success', 'successes')}{of}"
    )


def bowl_words(program: Program, unit: str, bowl: Bowl) -> str:
    """Return what a unit is drawn from, and what it wins on average."""
    total = sum(slip.count for slip in bowl.slips.values())
    slips = (
        f"{slip.count} of {total} {name} ({amount_words(program, None, slip.value)}{_on_the_shelf(slip)})"
        for name, slip in bowl.slips.items()
    )
    odds = (
        f"{each.chance} {name} ({amount_words(program, None, each.value)})"
        for name, each in bowl.odds.items()
    )
    mean = average(bowl)
    worth = Decimal(mean.numerator) / Decimal(mean.denominator)
    back = "goes back" if bowl.replace else "does not go back"
    return f"A {unit} is a slip of {listed([*slips, *odds])}; it {back}, and wins {program.currency} {worth:.3f} on average.{_pooled(bowl)}"


def _on_the_shelf(slip: Slip) -> str:
    return f", until {slip.stock} on the shelf are gone" if slip.stock else ""


def _pooled(bowl: Bowl) -> str:
    """Return what small prizes may be traded for."""
    return "".join(f" For {each.give} {each.of} there is one {each.get}." for each in bowl.trade_up)


def hat_words(hat: Hat) -> str:
    """Return how names are drawn from the hat of a group, and what each of them draws.

    Example:
        >>> hat_words(Hat(names=5))
        'At a session 5 names are drawn from the hat, by the name slips in it; each name drawn has 1 draw, and is not drawn again.'
    """
    drawn, draws = counted(hat.names, "name"), counted(hat.draws, hat.bowl)
    are, again = ("is", "one") if hat.names == 1 else ("are", "each")
    back = "may be drawn again" if hat.replace else "is not drawn again"
    return f"At a session {drawn} {are} drawn from the hat, by the {hat.unit}s in it; {again} name drawn has {draws}, and {back}."


def limit_words(program: Program, limit: Limit) -> str:
    """Return a limit: how much, in which window, whose, and what becomes of a reward that would cross it."""
    amounts = [
        f"{amount_words(program, limit.unit, amount)}{f' from {day}' if day else ''}"
        for day, amount in limit.amount.changes
    ]
    window = days_long(limit.days).removeprefix("a ") if limit.days else limit.per
    whose = (
        f" in all programs of {limit.payer}" if limit.payer else f" from {limit.fund}" if limit.fund else ""
    )
    return f"{', '.join(amounts)} per {window}{whose}: {CROSSING[limit.crossing]}"


def payout_words(program: Program) -> str:
    """Return when awards are handed over."""
    payout = program.payout
    least = f", {amount_words(program, None, payout.minimum)} at least" if payout.minimum else ""
    when = {
        "at once": "Each award is handed over at once",
        "on request": f"Awards are saved up and handed over on request{least}",
        "set days": f"Awards are handed over on {listed(day.capitalize() for day in payout.days)}",
    }[payout.when]
    lost = (
        f"; what was not collected is lost after {days_long(payout.expires_after)}"
        if payout.expires_after
        else ""
    )
    return f"{when}{lost}."


def deposit_words(program: Program) -> str:
    """Return what a participant pays in, and how it is lost; nothing without a deposit."""
    deposit = program.deposit
    if deposit is None:
        return ""
    behaviors = {target.behavior for target in program.targets.values()}
    takes = (
        f" What is {outcome_words(deposit.on, behaviors)} takes {amount_words(program, None, deposit.loss)} of it."
        if deposit.loss
        else ""
    )
    return f"The participant pays in {amount_words(program, None, deposit.stake)}.{takes}"
