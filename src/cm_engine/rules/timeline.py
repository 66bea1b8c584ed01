"""A word of results decided from its first visit to its last."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cm_engine.errors import PlanExceededError, ResultsError
from cm_engine.program.models import Program
from cm_engine.program.units import Unit
from cm_engine.program.values import unknown_result
from cm_engine.rules.compiled import Rules, compile_rules
from cm_engine.rules.state import Decision, Observation, State
from cm_engine.rules.step import initial_state, step


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


def decide(program: Program, results: str, *, start: date | None = None, truncate: bool = False) -> Timeline:
    """Decide a use-pattern word by a program.

    Args:
        program: the program.
        results: one symbol a visit; a word shorter than the plan is a timeline so far.
        start: the first day of week 1; None for a timeline without dates.
        truncate: drop what lies beyond the plan, instead of refusing it.

    Raises:
        PlanExceededError: there are more results than visits, and `truncate` is false.
        ResultsError: a symbol is not one of a use-pattern word.
        UndatedError: an amount of the program depends on the date, and there is no `start`.

    Example:
        >>> from cm_engine import catalogue
        >>> program = catalogue.program("california-recovery-incentives")
        >>> decide(program, "------+----").totals
        {'USD': Decimal('116.50')}
    """
    rules = compile_rules(program)
    word = planned_part(rules, results, truncate=truncate)
    return fold(rules, initial_state(rules, start), word)


def planned_part(rules: Rules, results: str, *, truncate: bool = False) -> str:
    """Return the part of a word that the plan has visits for, after looking at each symbol.

    Raises:
        PlanExceededError: there are more results than visits, and `truncate` is false.
        ResultsError: a symbol is not one of a use-pattern word.
    """
    if unknown := unknown_result(results):
        raise ResultsError(unknown)
    planned = len(rules.visits)
    if len(results) > planned and not truncate:
        raise PlanExceededError(len(results), planned)
    return results[:planned]


def fold(rules: Rules, state: State, results: str) -> Timeline:
    """Decide results one by one from a state on."""
    decisions: list[Decision] = []
    for outcome in results:
        state, decision = step(rules, state, Observation(outcome))
        decisions.append(decision)
    return Timeline(tuple(decisions), state)


def running_sums(decisions: tuple[Decision, ...]) -> list[Mapping[Unit, int]]:
    """Return what has been awarded after each decision, in minor units, by unit."""
    sums: Counter[Unit] = Counter()
    running: list[Mapping[Unit, int]] = []
    for decision in decisions:
        for unit, amount in decision.paid:
            sums[unit] += amount
        running.append(dict(sums))
    return running
