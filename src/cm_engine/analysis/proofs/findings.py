"""All that is found about a program: where proofs fail, and what published evidence, funders and law have to say."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cm_engine.analysis.explored import Explored
from cm_engine.analysis.proofs.finding import SEVERITIES, Finding
from cm_engine.analysis.proofs.lint import of_course, of_design
from cm_engine.analysis.proofs.proving import ORDERS, proved
from cm_engine.errors import Problem, ProgramError, TooManyStatesError
from cm_engine.program.loading import read_text
from cm_engine.program.models import Program
from cm_engine.program.reading import Document, read_document
from cm_engine.spelling import nearest

RULES: Mapping[str, str] = MappingProxyType(
    {
        "limit-broken": "no results lead to more in a window than its limit",
        **{order.rule: order.claim for order in ORDERS},
        "leaving-pays": "nobody gets more by leaving for good, so that all later visits are missed, than by going on",
        "recovery-fails": "so many successes in a row as a recovery asks for bring back the rung that was lost",
        "recovery-overshoots": "nobody stands on a higher rung after a lapse and a recovery than with a success instead of the lapse",
        "milestone-unreached": "some results, or events, reach each milestone",
        "bonus-unreached": "some results reach each bonus",
        "recovery-unreached": "some results reach each recovery, and it brings back what was lost",
        "rung-unreached": "some results reach the end of each ladder that has one",
        "limit-idle": "some results come up against each limit",
        "not-proved": "what could not be proved, and why",
        "small": "who is always abstinent gets at least what has been shown to work, in its first twelve weeks",
        "no-end": "visits have an end, so that figures are of all that is paid",
        "no-windows": "results find their visits by their days, and a visit that nobody came to is missed without a report",
        "two-words": "a visit that nobody came to leads to the same, whether it is recorded as not attended or as missed",
        "windows-over-others": "the days of a visit do not reach the planned day of another one",
        "out-of-reach": "somebody can save as much as can be asked for, before it expires",
        "delayed": "a reward is handed over with the result that earns it",
        "seldom": "abstinence is looked at twice a week or more, in the first four weeks",
        "flat": "the reward of abstinence rises with its run",
        "no-reset": "a positive sets a reward that rises back",
        "long-way-back": "a lapse costs no more than five successes in a row bring back",
        "slow": "the first success is rewarded",
        "never": "few participants are never rewarded at all",
        "seldom-won": "a draw wins with a chance of a half at least",
        "success-cut": "no limit takes anything of who meets every visit",
        "over-grant": "nobody can get more in a year than SAMHSA grants pay for",
        "over-medicaid": "nobody can get more in a year than the Medicaid programs of three states pay",
        "over-opinion": "who meets every visit gets no more in a month than advisory opinion 22-04 looked at",
        "over-tax-line": "nobody can get so much in a year that it is reported to the tax office",
    }
)
"""What holds if a rule finds nothing, by the id of the rule."""

NOTHING: Mapping[str, str] = MappingProxyType({})
HALF = Fraction(1, 2)


def findings(
    explored: Explored,
    *,
    rate: Fraction = HALF,
    silenced: Mapping[str, str] = NOTHING,
    on: date | None = None,
) -> tuple[Finding, ...]:
    """Return all that is found about an explored program, the gravest first, and what is silenced last.

    Args:
        explored: the program.
        rate: how likely a visit is met, for the share of participants who are never rewarded.
        silenced: why findings of a rule are known and left as they are, by the id of the rule.
        on: the day whose lines of funders and law hold; None for those that no end is known of.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import explore
        >>> explored = explore(catalogue.program("robles-2000-brief-test"))
        >>> [(found.rule, found.severity) for found in findings(explored)]
        [('never', 'warning'), ('no-windows', 'note'), ('seldom', 'note')]
    """
    found = [*proved(explored), *of_design(explored.program), *of_course(explored, rate, on)]
    return _in_order(found, silenced)


def findings_unexplored(
    program: Program, why: TooManyStatesError, *, silenced: Mapping[str, str] = NOTHING
) -> tuple[Finding, ...]:
    """Return what is found about a program that has too many states to look at all of them.

    Args:
        program: the program.
        why: the refusal.
        silenced: why findings of a rule are known and left as they are, by the id of the rule.
    """
    said = (
        f"Nothing was proved, and no amount looked at: the program has too many states to look at all of them in {why.most} "
        "decisions."
    )
    return _in_order([Finding("not-proved", "warning", said), *of_design(program)], silenced)


def _in_order(found: list[Finding], silenced: Mapping[str, str]) -> tuple[Finding, ...]:
    told = [replace(each, silenced=silenced.get(each.rule, "")) for each in found]
    return tuple(sorted(told, key=lambda each: (bool(each.silenced), SEVERITIES.index(each.severity))))


def load_silences(path: str | os.PathLike[str]) -> Mapping[str, str]:
    """Return why findings of some rules are left as they are, from a file beside a program.

    The file is YAML: the id of each rule with the reason, such as `invalid-beats-positive: specimens are given under
    observation`.

    Raises:
        ProgramNotFoundError: there is no such file.
        ProgramError: the file is wrong; the error holds every problem with line and column.
    """
    document = read_document(read_text(path), os.fspath(Path(path)))
    problems = list(document.problems) or _problems(document)
    if problems:
        raise ProgramError(problems)
    found: Mapping[str, str] = document.data or {}
    return found


def _problems(document: Document) -> list[Problem]:
    data: Any = document.data
    if data is None:
        return []
    if not isinstance(data, dict):
        return [
            document.problem(
                (), "expected the id of each rule with the reason, such as flat: it pays for attendance"
            )
        ]
    found = [
        document.problem((name,), f"there is no rule {name!r}{nearest(name, RULES)}", of_key=True)
        for name in data
        if name not in RULES
    ]
    found += [
        document.problem((name,), "expected a reason in words")
        for name, reason in data.items()
        if not isinstance(reason, str) or not reason.strip()
    ]
    return found
