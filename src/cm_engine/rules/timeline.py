"""A whole timeline decided from its first visit to its last, from words of results or from observations."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from cm_engine.errors import PlanExceededError, ResultsError
from cm_engine.program.models import Program
from cm_engine.program.units import Unit
from cm_engine.program.values import unknown_result
from cm_engine.rules.compiled import Rules, TargetRules, compile_rules
from cm_engine.rules.days import Before, initial_state
from cm_engine.rules.state import Decision, Evidence, Observation, State
from cm_engine.rules.step import step
from cm_engine.spelling import nearest

Results = str | Mapping[str, str] | Iterable[Observation]
"""A word of results of the only target, a word for each target, or observations in their order."""


class Timeline(NamedTuple):
    """The decisions of one participant, in order, and the state they end in."""

    decisions: tuple[Decision, ...]
    state: State

    @property
    def sums(self) -> Mapping[Unit, int]:
        """Return what was awarded in all, in minor units, by unit."""
        return running_sums(self.decisions)[-1] if self.decisions else {}

    @property
    def totals(self) -> Mapping[str, Decimal]:
        """Return what was awarded in all, exactly, by the name of the unit."""
        return {unit.name: unit.decimal(amount) for unit, amount in self.sums.items()}


def decide(
    program: Program,
    results: Results,
    *,
    start: date | None = None,
    truncate: bool = False,
    before: Before | None = None,
) -> Timeline:
    """Decide a timeline by a program.

    Args:
        program: the program.
        results: a use-pattern word with one symbol a visit, or a word for each target by its name, or
            observations; a word shorter than the plan is a timeline so far.
        start: the first day of week 1; None for a timeline without dates.
        truncate: drop what of a word lies beyond the plan, instead of refusing it.
        before: values measured before the plan, by target.

    Raises:
        PlanExceededError: there are more results than visits, and `truncate` is false.
        ResultsError: a symbol is not one of a use-pattern word, or an observation does not fit the program.
        UndatedError: a rule of the program depends on the date, and there is no `start`.

    Example:
        >>> from cm_engine import catalogue
        >>> program = catalogue.program("california-recovery-incentives")
        >>> decide(program, "------+----").totals
        {'USD': Decimal('116.50')}
    """
    rules = compile_rules(program)
    state = initial_state(rules, start, before)
    if isinstance(results, str):
        results = {rules.target("").name: results}
    if isinstance(results, Mapping):
        words = {
            name: planned_part(rules.target(name), word, truncate=truncate) for name, word in results.items()
        }
        return _by_days(rules, state, words, truncate=truncate)
    return fold(rules, state, results)


def _by_days(rules: Rules, state: State, words: Mapping[str, str], *, truncate: bool) -> Timeline:
    """Decide a word for each target, in the order of the planned days, and on one day in that of the targets."""
    left = {rules.target(name): deque(word) for name, word in words.items()}
    decisions: list[Decision] = []
    while any(left.values()):
        target = min((target for target, word in left.items() if word), key=partial(_next_day, state))
        if truncate and state.tracks[target.index].visits == len(target.visits):
            left[target].clear()
            continue
        observation = Observation(left[target].popleft(), target=target.name)
        state, decision = step(rules, state, observation)
        decisions.append(decision)
    return Timeline(tuple(decisions), state)


def _next_day(state: State, target: TargetRules) -> tuple[int, int]:
    """Return the planned day of the next visit of a target, and the place of the target."""
    visits = state.tracks[target.index].visits
    visit = target.visits[min(visits, len(target.visits) - 1)]
    return visit.days[state.start.weekday() if state.start else 0], target.index


def of_specimen(rules: Rules, specimen: str, evidence: Evidence, on: date | None = None) -> list[Observation]:
    """Return the observations that one specimen gives, one for each target that looks at such a specimen.

    Args:
        rules: the program.
        specimen: urine, oral fluid, breath, ..., as the program writes it.
        evidence: what was found in it.
        on: the day it counts for.

    Raises:
        ResultsError: no target looks at such a specimen.

    Example:
        >>> from cm_engine import catalogue
        >>> rules = compile_rules(catalogue.program("template-integrated-care"))
        >>> found = of_specimen(rules, "urine", Evidence(panel=(("cocaine", "-"), ("amphetamine", "+"))))
        >>> [each.target for each in found]
        ['stimulants']
    """
    looking = [target.name for target in rules.targets if target.evidence.specimen == specimen]
    if not looking:
        known = [target.evidence.specimen for target in rules.targets if target.evidence.specimen]
        msg = f"no target looks at {specimen!r}{nearest(specimen, known)}"
        raise ResultsError(msg)
    return [Observation(on=on, target=name, evidence=evidence) for name in looking]


def planned_part(target: TargetRules, results: str, *, truncate: bool = False) -> str:
    """Return the part of a word that the plan has visits for, after looking at each symbol.

    Raises:
        PlanExceededError: there are more results than visits, and `truncate` is false.
        ResultsError: a symbol is not one of a use-pattern word.
    """
    if unknown := unknown_result(results):
        raise ResultsError(unknown)
    planned = len(target.visits)
    if target.retest:
        planned *= 1 + target.retest.at_most
    if len(results) > planned and not truncate:
        raise PlanExceededError(len(results), planned)
    return results[:planned]


def fold(rules: Rules, state: State, seen: Iterable[Observation]) -> Timeline:
    """Decide observations one by one from a state on."""
    decisions: list[Decision] = []
    for observation in seen:
        state, decision = step(rules, state, observation)
        decisions.append(decision)
    return Timeline(tuple(decisions), state)


def running_sums(decisions: Iterable[Decision]) -> list[Mapping[Unit, int]]:
    """Return what has been awarded after each decision, in minor units, by unit."""
    return list(_running_sums(decisions))


def _running_sums(decisions: Iterable[Decision]) -> Iterator[Mapping[Unit, int]]:
    sums: Counter[Unit] = Counter()
    for decision in decisions:
        for unit, amount in decision.paid:
            sums[unit] += amount
        yield dict(sums)
