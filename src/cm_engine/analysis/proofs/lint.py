"""What published evidence, funders and law have to say about a program: one rule each, with the text it rests on.

Amounts of a program are taken as money of today, as they are what would be paid if it began today.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from fractions import Fraction

from cm_engine.analysis.automaton import Automaton
from cm_engine.analysis.behavior import visitwise
from cm_engine.analysis.exact import distribution, reached
from cm_engine.analysis.explored import Explored
from cm_engine.analysis.extremes import maximum, most_of_limits
from cm_engine.analysis.proofs.course import (
    Paid,
    first_paid,
    idle_end,
    most_within,
    never_paid,
    uninterrupted,
)
from cm_engine.analysis.proofs.evidence import Line, cited, figure, lines
from cm_engine.analysis.proofs.finding import Finding, Severity
from cm_engine.analysis.proofs.pitfalls import of_states, of_words
from cm_engine.analysis.purse import drawn
from cm_engine.errors import TooManyStatesError
from cm_engine.program.ladders import Phase
from cm_engine.program.models import Program, Target
from cm_engine.program.plan import visits_by_week
from cm_engine.program.units import Unit
from cm_engine.program.values import WEEKS_MAX
from cm_engine.rules.compiled import Rules, compile_rules

DOLLARS = "USD"
YEAR, MONTH = 365, 31
NEVER, OFTEN = 1e-9, 0.5
"""Chances: below the first it is a matter of rounding; from the second on, most of those who meet every visit meet it."""
FIRST_WEEKS = 4
"""In these weeks abstinence begins, and how often it is looked at matters most."""


def of_design(program: Program) -> Iterator[Finding]:
    """Yield what can be told from a program file alone: when it pays, how often, and how its ladders are made."""
    yield from of_words(program)
    yield from _without_end(program)
    yield from _without_windows(program)
    yield from _delayed(program)
    for name, target in program.targets.items():
        if target.behavior == "abstinence":
            yield from _seldom(program, name, target)
            yield from _flat(name, target)
            yield from _resets(name, target)
    for name in program.bowls:
        yield from _seldom_won(compile_rules(program), name)


def of_course(explored: Explored, rate: Fraction, on: date | None) -> Iterator[Finding]:
    """Yield what can be told from what is paid: how much, how soon, to how many, and what funders and law say to it.

    Args:
        explored: the program.
        rate: how likely each visit is met, for who is never paid.
        on: the day whose lines of funders and law hold; None for those that no end is known of.
    """
    course = uninterrupted(explored)
    left = _left_of_draws(explored)
    yield from _small(explored, course, left)
    yield from _slow(course)
    yield from _never(explored, rate)
    yield from _cut(course)
    yield from _draws_cut(explored)
    yield from _ways_back(explored)
    yield from of_states(explored)
    if explored.money and explored.money.name == DOLLARS:
        yield from _over(explored, course, left, on)


def _left_of_draws(explored: Explored) -> Fraction | None:
    """Return what limits leave on average to who meets every visit; None where draws meet no limit, or it is not known."""
    if not (explored.money and explored.program.bowls and explored.rules.limits):
        return None
    try:
        return Fraction(distribution(explored, visitwise(1), explored.money).mean)
    except TooManyStatesError:
        return None


def _within(sum_: Fraction, left: Fraction | None) -> Fraction:
    return sum_ if left is None else min(sum_, left)


def _without_end(program: Program) -> Iterator[Finding]:
    """Yield that a program goes on for as long as anybody comes, where figures need an end."""
    endless = any(program.plan(target)[-1].weeks.is_endless for target in program.targets.values())
    if endless:
        said = (
            f"Visits have no end: the figures are those of {WEEKS_MAX:,} weeks. For those of a year, look at a copy that ends: "
            "weeks: 1-52."
        )
        yield Finding("no-end", "note", said)


def _without_windows(program: Program) -> Iterator[Finding]:
    """Yield that nobody is missed by the day alone, and that results count by their number."""
    without = [name for name, target in program.targets.items() if not program.windows_of(target)]
    if without:
        of = "" if len(without) == len(program.targets) else f" of {' and '.join(without)}"
        said = (
            f"No windows say which days belong to a visit{of}: the nth result is of the nth visit, whatever its day, and who "
            "stays away is missed only once somebody records it."
        )
        yield Finding("no-windows", "note", said)


def _delayed(program: Program) -> Iterator[Finding]:
    payout, evidence = program.payout, cited("lussier-2006")
    if payout.when == "set days":
        said = f"Rewards are handed over on {' and '.join(payout.days)} only; the sooner after the result, the larger the effect."
        yield Finding("delayed", "warning", said, citation=evidence)
    elif payout.when == "on request":
        said = "Rewards are saved up until they are asked for; the sooner after the result, the larger the effect."
        yield Finding("delayed", "note", said, citation=evidence)
    for name, target in program.targets.items():
        weekly = [phase for phase in target.schedule if phase.weekly]
        if weekly:
            said = f"The target {name} is paid by the week: what a visit has earned comes with the last visit of its week."
            yield Finding("delayed", "note", said, citation=evidence)


def _seldom(program: Program, name: str, target: Target) -> Iterator[Finding]:
    """Yield that behavior is looked at too seldom in the first weeks for a reward to follow it."""
    weeks = list(visits_by_week(program.plan(target)))[:FIRST_WEEKS]
    known, mean = figure("visits-a-week"), Fraction(sum(count for _, count in weeks), len(weeks))
    if mean >= known["seldom"]:
        return
    is_rare = mean < known["rare"]
    said = (
        f"The target {name} is seen {_often(mean)} a week at first, and two or three times are usual: the effect hangs on how many "
        "specimens are tested a week."
    )
    text = cited(known["rare-text" if is_rare else "text"])
    yield Finding("seldom", "warning" if is_rare else "note", said, citation=text)


def _often(mean: Fraction) -> str:
    return "once" if mean == 1 else f"{float(mean):.3g} times"


def _flat(name: str, target: Target) -> Iterator[Finding]:
    if not any(phase.escalate or phase.require for phase in target.schedule) and not _is_short(target):
        said = f"The reward of {name} stays the same, however long the run: a reward that rises kept people abstinent for longer."
        yield Finding("flat", "note", said, citation=cited("romanowich-2015"))


def _is_short(target: Target) -> bool:
    """Tell whether a target is seen so seldom that no run is worth speaking of."""
    weeks = [phase.weeks for phase in target.schedule]
    return weeks[-1].last - weeks[0].first < 1


def _resets(name: str, target: Target) -> Iterator[Finding]:
    rising = [phase for phase in target.schedule if phase.escalate]
    if any(_goes_on(phase) for phase in rising):
        said = f"The reward of {name} rises, and a lapse does not set it back: nothing is at stake in a long run."
        yield Finding("no-reset", "note", said, citation=cited("roll-1996"))


def _goes_on(phase: Phase) -> bool:
    return "positive" not in phase.resetting


def _seldom_won(rules: Rules, name: str) -> Iterator[Finding]:
    value, chance = drawn(rules, name, 1)[0]
    known, lost = figure("win"), chance if value == 0 else Fraction(0)
    if 1 - lost < known["chance"]:
        said = f"One {name} wins with a chance of {float(1 - lost):.2g}; in the usual bowl it is a half."
        yield Finding("seldom-won", "note", said, citation=cited(known["text"]))


def _small(explored: Explored, course: tuple[Paid, ...], left: Fraction | None) -> Iterator[Finding]:
    """Yield that full abstinence is worth less than what has been shown to work, in its first twelve weeks."""
    money = explored.money
    abstaining = [each for each in course if _behavior(explored, each) == "abstinence"]
    if not money or money.name != DOLLARS or not any(each.worth for each in abstaining):
        return
    shown, not_shown = figure("shown"), figure("not-shown")
    weeks = min(max(each.week for each in abstaining), shown["weeks"])
    sum_ = _within(sum((each.worth for each in abstaining if each.week <= weeks), Fraction(0)), left)
    needed = Fraction(shown["amount"]) * weeks / shown["weeks"]
    least = Fraction(not_shown["amount"]) * weeks / shown["weeks"]
    dollars = sum_ / 10**money.decimals
    if dollars >= needed:
        return
    severity: Severity = "warning" if dollars <= least else "note"
    scaled = (
        ""
        if weeks == shown["weeks"]
        else f": for {weeks} weeks that is ${float(needed):.2f} and ${float(least):.2f}"
    )
    said = (
        f"Who is always abstinent gets {_spoken(money, sum_)} in weeks 1-{weeks}. Over {shown['weeks']} weeks about "
        f"${shown['amount']} of 2024 have been shown to work, and about ${not_shown['amount']} have not{scaled}."
    )
    yield Finding("small", severity, said, citation=cited(shown["text"]))


def _behavior(explored: Explored, paid: Paid) -> str:
    return explored.program.targets[explored.rules.targets[paid.slot.target].name].behavior


def _slow(course: tuple[Paid, ...]) -> Iterator[Finding]:
    first = first_paid(course)
    if first is None:
        yield Finding(
            "slow", "warning", "Who meets every visit is paid nothing by it.", citation=cited("rash-2024")
        )
    elif first > 1:
        said = f"The first reward comes with success {first} at the earliest; who leaves before has met none."
        yield Finding("slow", "warning", said, citation=cited("rash-2024"))


def _never(explored: Explored, rate: Fraction) -> Iterator[Finding]:
    known, chance = figure("never"), never_paid(explored, rate)
    if chance < known["some"]:
        return
    severity: Severity = "warning" if chance >= known["many"] else "note"
    said = (
        f"If each visit is met with a chance of {float(rate):.2g}, {chance:.1%} of participants are never rewarded in the whole "
        "program, and never meet what is to help them."
    )
    yield Finding("never", severity, said, citation=cited(known["text"]))


def _cut(course: tuple[Paid, ...]) -> Iterator[Finding]:
    """Yield what limits take of who meets every visit."""
    lost: dict[Unit, int] = {}
    for each in course:
        for award in each.lost:
            lost[award.unit] = lost.get(award.unit, 0) + award.amount
    if not lost:
        return
    taken, idle = " and ".join(unit.spoken(amount) for unit, amount in lost.items()), idle_end(course)
    end = f"; the last {idle} visits pay nothing" if idle > 1 else ""
    said = f"Who meets every visit earns {taken} more than the limits let be paid{end}."
    yield Finding("success-cut", "warning", said)


def _draws_cut(explored: Explored) -> Iterator[Finding]:
    """Yield how likely limits take something of what draws win, of who meets every visit."""
    if not (explored.program.bowls and explored.rules.limits):
        return
    chance = max(reached(explored, visitwise(1)))
    if chance > NEVER:
        said = f"Who meets every visit draws more than the limits let be paid, with a chance of {chance:.2%}."
        yield Finding("success-cut", "warning" if chance >= OFTEN else "note", said)


def _ways_back(explored: Explored) -> Iterator[Finding]:
    """Yield that a lapse at the top of a ladder without a recovery takes many successes to make good."""
    known = figure("recovery")
    for automaton in explored.automata:
        for index in automaton.targets:
            rungs, name = _rungs_to_lose(explored, automaton, index), explored.rules.targets[index].name
            if rungs > known["after"]:
                said = (
                    f"A lapse of {name} can cost the whole way up: {rungs} successes in a row bring the former reward back, and "
                    "no recovery shortens it. Published recoveries take two to five."
                )
                yield Finding("long-way-back", "note", said, citation=cited(known["text"]))


def _rungs_to_lose(explored: Explored, automaton: Automaton, index: int) -> int:
    """Return how many rungs a lapse of a target can cost at most, where no recovery brings them back."""
    target, found = explored.rules.targets[index], 0
    for place, slot in enumerate(automaton.slots):
        if slot.target == index and _resets_for_good(explored, target.name, target.visits[slot.visit].week):
            ladders = (automaton.states[state].tracks[index].ladder for state in automaton.reach[place])
            found = max(found, *(ladder.position for ladder in ladders))
    return found


def _resets_for_good(explored: Explored, name: str, week: int) -> bool:
    phases = explored.program.targets[name].schedule
    phase = next(phase for phase in phases if phase.weeks.first <= week <= phase.weeks.last)
    return bool(phase.escalate and phase.escalate.every != "week" and phase.reset and not phase.recover)


def _over(
    explored: Explored, course: tuple[Paid, ...], left: Fraction | None, on: date | None
) -> Iterator[Finding]:
    """Yield the lines of funders and of law that the program may pay more than; draws may, if they win the most."""
    assert explored.money is not None
    money, gets = explored.money, f"Who meets every visit gets{' on average' * bool(explored.program.bowls)}"
    year, month = (_within(most_within(course, days), left) for days in (YEAR, MONTH))
    told, endless = {"year": [(gets, year)], "month": [(gets, month)]}, _endless(explored, money)
    if course and course[-1].slot.day < YEAR and not endless:
        told["year"] = [*told["year"] * bool(explored.program.bowls), _most(explored, money)]
    for line in lines(on):
        got = _beyond(told[line.per], money, line)
        if not got and endless and line.per == "year":
            got = _by_events(explored, money, line, endless)
        if got:
            said = f"{got} in a {line.per}; {line.of}: {line.says}."
            yield Finding(line.rule, "note", said, citation=line.citation)


def _beyond(told: Iterable[tuple[str, Fraction]], money: Unit, line: Line) -> str:
    """Return who gets more than a line, and how much; nothing if nobody does."""
    found = (f"{who} {_spoken(money, sum_)}" for who, sum_ in told if sum_ > money.minor(line.most))
    return next(found, "")


def _most(explored: Explored, money: Unit) -> tuple[str, Fraction]:
    """Return the most that a participant can get in the whole plan; what measured events may pay is known by its bound."""
    most, is_open = maximum(explored, money), explored.is_open(money)
    if explored.program.bowls:
        return "With the best luck a participant wins", Fraction(most.amount)
    return f"A participant can get{' up to' * is_open}", Fraction(most.sure if is_open else most.amount)


def _endless(explored: Explored, money: Unit) -> tuple[str, ...]:
    """Return the events that pay money whenever they happen."""
    return maximum(explored, money).endless if explored.is_open(money) else ()


def _by_events(explored: Explored, money: Unit, line: Line, endless: tuple[str, ...]) -> str:
    """Return what events that pay whenever they happen can come to in a year; nothing if a limit keeps it below a line."""
    most = most_of_limits(explored, money, ("calendar year",))
    if most is not None and most <= money.minor(line.most):
        return ""
    sum_ = "any sum" if most is None else f"up to {money.spoken(most)}"
    return f"As {', '.join(endless)} can pay each time, a participant can get {sum_}"


def _spoken(unit: Unit, amount: Fraction) -> str:
    return unit.spoken(round(amount))
