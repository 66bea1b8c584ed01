"""What a program file says that does not come to what its words promise: found in the file alone, or in who meets every visit."""

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from itertools import pairwise

from cm_engine.analysis.proofs.course import Paid, most_within
from cm_engine.analysis.proofs.finding import Finding
from cm_engine.program.models import Program, Target
from cm_engine.program.plan import visit_count
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import TargetRules, compile_rules

MONDAY = date(2026, 1, 5)
"""A week that begins so has its days in the order of the calendar."""


def of_words(program: Program) -> Iterator[Finding]:
    """Yield what can be told from a program file alone."""
    rules = compile_rules(program)
    for name, target in program.targets.items():
        yield from _two_words(name, target)
        yield from _never_back(program, name, target)
        yield from _over_others(rules.target(name))


def of_savings(program: Program, course: tuple[Paid, ...], money: Unit | None) -> Iterator[Finding]:
    """Yield that what is saved can never be asked for: all that is paid until it expires is less than the least."""
    payout = program.payout
    if not (money and payout.when == "on request" and payout.minimum):
        return
    days = payout.expires_after
    owed = most_within(course, days + 1) if days else sum((each.worth for each in course), Fraction(0))
    if owed < money.minor(payout.minimum):
        within = f" within the {days} days before it expires" if days else ""
        said = (
            f"Who meets every visit has saved {money.spoken(round(owed))} at most{within}, and "
            f"{money.spoken(money.minor(payout.minimum))} is the least that is handed over: nothing can be asked for."
        )
        yield Finding("out-of-reach", "warning", said)


def _two_words(name: str, target: Target) -> Iterator[Finding]:
    """Yield that a visit which is not attended pays differently by the word it is recorded with."""
    for phase in target.schedule if target.behavior == "attendance" else ():
        apart = {"positive", "missed"} & phase.resetting
        if len(apart) == 1:
            [word] = apart
            kept = "+ (not attended)" if word == "missed" else "o (missed)"
            said = (
                f"Of {name}, in weeks {phase.weeks}, {word} resets and the other word for a visit that nobody came to does not: "
                f"recorded as {kept}, it keeps the place. Write both, or agree on one word."
            )
            yield Finding("two-words", "warning", said)


def _never_back(program: Program, name: str, target: Target) -> Iterator[Finding]:
    """Yield that a recovery asks for more successes than there are visits after a lapse."""
    most = visit_count(program.plan(target)) - 1
    for phase in target.schedule:
        if phase.recover and phase.recover.after > most:
            said = (
                f"The recovery of {name} asks for {phase.recover.after} successes after a lapse, and there are {most} visits at "
                "most: it never comes."
            )
            yield Finding("never-back", "warning", said)


def _over_others(target: TargetRules) -> Iterator[Finding]:
    """Yield that the days of a visit reach the planned day of another one, so that days in a row pay several visits."""
    rule = target.windows
    if rule is None or rule.within == "week":
        return
    days = [visit.days[MONDAY.weekday()] for visit in target.visits]
    apart = min((later - day for day, later in pairwise(days)), default=0)
    reach = max(rule.before, rule.after + rule.makeup)
    if 0 < apart <= reach:
        said = (
            f"The days of a visit of {target.name} reach {_days(reach)} far, and visits are planned "
            f"{_days(apart)} apart: results of {_days(rule.apart)} apart are paid as visits of weeks. "
            "Shorten the windows, or raise `apart`."
        )
        yield Finding("windows-over-others", "warning", said)


def _days(number: int) -> str:
    return "a day" if number == 1 else f"{number} days"
