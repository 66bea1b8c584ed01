"""What a person reads on a terminal."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from cm_engine.cli.results import Participant
from cm_engine.errors import Problem
from cm_engine.program import Program
from cm_engine.program.prizes import average
from cm_engine.program.units import Unit
from cm_engine.program.values import OUTCOMES
from cm_engine.program.worked import Case
from cm_engine.rules import Decision, Rules, Timeline
from cm_engine.rules.timeline import running_sums
from cm_engine.spelling import counted

COPIED = frozenset({"Id", "Participant", "Results"})
"""The columns that a person copies from, and that are never broken over lines."""


def screen() -> Console:
    """Return the terminal, or a page wide enough for what is printed into a file."""
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
    return Console(width=wide, markup=False, emoji=False, highlight=False)


def spoken(sums: Mapping[Unit, int]) -> str:
    """Return sums as a person reads them: $997.50 and 24 tickets."""
    return " and ".join(unit.spoken(amount) for unit, amount in sums.items()) or "nothing"


def heading(rules: Rules) -> str:
    """Return which program decided, so that it can be told from any other."""
    return f"{rules.program.title}, version {rules.program.version} ({rules.digest[:12]})"


def timeline_table(rules: Rules, timeline: Timeline) -> Group:
    """Return one line a visit, and the sum."""
    several = len(rules.targets) > 1
    table = _table(*(["Target"] if several else []), "Visit", "Week", "Day", "Result", "Award", "So far")
    for decision, sums in zip(timeline.decisions, running_sums(timeline.decisions), strict=True):
        table.add_row(
            *([decision.target] if several else []),
            str(decision.visit or ""),
            str(decision.week or ""),
            f"{decision.on:%a %d %b %Y}" if decision.on else "",
            f"{decision.outcome} {_result(decision)}",
            " and ".join(unit.spoken(amount) for unit, amount in decision.paid),
            spoken(sums),
        )
    draws = [Text(line) for line in _draws(rules.program)]
    return Group(Text(heading(rules)), table, Text(f"In all: {spoken(timeline.sums)}"), *draws)


def cohort_table(rules: Rules, decided: Sequence[tuple[Participant, Timeline]]) -> Group:
    """Return one line a participant, and the sum of all."""
    table = _table("Participant", "Visits", "Met", "Awarded")
    everything: dict[Unit, int] = {}
    visits = 0
    for participant, timeline in decided:
        sums = timeline.sums
        visits += len(timeline.decisions)
        everything |= {unit: everything.get(unit, 0) + amount for unit, amount in sums.items()}
        met = sum(word.count("-") for word in participant.results.values())
        table.add_row(participant.participant, str(len(timeline.decisions)), str(met), spoken(sums))
    total = (
        f"In all: {counted(len(decided), 'participant')}, {counted(visits, 'visit')}, {spoken(everything)}"
    )
    return Group(Text(heading(rules)), table, Text(total))


def _result(decision: Decision) -> str:
    """Return what a result is called: only a test is positive."""
    if not decision.visit:
        return "reported"
    if decision.outcome == "+" and not decision.words.is_test:
        return "not met"
    return OUTCOMES[decision.outcome]


def explained(rules: Rules, timeline: Timeline) -> Iterator[str]:
    """Yield a timeline in sentences."""
    yield heading(rules)
    for decision, sums in zip(timeline.decisions, running_sums(timeline.decisions), strict=True):
        day = f", {decision.on:%a %d %b %Y}" if decision.on else ""
        yield f"\n{_which(rules, decision)}{day}: {_result(decision)}; {spoken(sums)} so far"
        yield f"  {decision.sentence}"
    yield f"\nIn all: {spoken(timeline.sums)}"
    yield from _draws(rules.program)


def _draws(program: Program) -> Iterator[str]:
    """Yield what a draw of each kind is worth; the money itself is drawn when the draws are."""
    for unit, bowl in program.bowls.items():
        mean = average(bowl)
        worth = Decimal(mean.numerator) / Decimal(mean.denominator)
        yield f"A {unit} wins {program.currency} {worth:.3f} on average; limits on money count what is drawn."


def _which(rules: Rules, decision: Decision) -> str:
    """Return which visit a decision is of, or that it is of an event."""
    if not decision.visit:
        return "Event"
    target = f"{decision.target}, " if len(rules.targets) > 1 else ""
    which = f"{target}visit {decision.visit}, week {decision.week}"
    return which[:1].upper() + which[1:]


def cases_table(program: Program, problems: Sequence[Problem | None]) -> Group:
    """Return one line a case of a program file."""
    table = _table("Case", "Results", "")
    for case, problem in zip(program.cases, problems, strict=True):
        table.add_row(case.name, case_word(case), "differs" if problem else "passes")
    name = f"{program.program}, version {program.version}"
    failed = sum(problem is not None for problem in problems)
    if not problems:
        return Group(Text(f"{name}: no cases, so nothing was compared"))
    many = f"all {len(problems)} cases pass" if len(problems) > 1 else "the 1 case passes"
    differ = "differs" if failed == 1 else "differ"
    verdict = f"{failed} of {counted(len(problems), 'case')} {differ}" if failed else many
    return Group(Text(f"{name}: {verdict}"), table)


def case_word(case: Case) -> str:
    """Return what a case observes, short."""
    if case.observations:
        return counted(len(case.observations), "observation")
    return " ".join(f"{name}: {word}" for name, word in case.timelines.items()) or case.results or ""


def catalogue_table(programs: Sequence[Program]) -> Table:
    """Return one line a program."""
    table = _table("Id", "Title", "Visits", "Cases")
    for program in programs:
        table.add_row(program.program, program.title, str(program.visit_count), str(len(program.cases)))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in COPIED)
    return table
