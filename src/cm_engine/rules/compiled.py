"""A program made ready to step: amounts in minor units, outcomes resolved, one entry for each visit."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import lru_cache

from cm_engine.program.canonical import digest
from cm_engine.program.models import WEEKDAYS, Limit, Phase, Program, Recover, VisitBlock
from cm_engine.program.units import Unit
from cm_engine.program.values import OUTCOMES


class Effect(Enum):
    """What an outcome does to a ladder."""

    MET = "met"
    RESET = "reset"
    HOLD = "hold"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class RecoveryRules:
    """How a run of `after` successes after a reset brings the saved rung back."""

    after: int
    paid_nth: bool
    last_earned: bool
    highest: bool


@dataclass(frozen=True, slots=True, eq=False)
class PhaseRules:
    """One phase of a schedule; a fixed reward is an escalation with a step of 0.

    Attributes:
        start, step, ceiling, bonus: amounts in minor units of `unit`; a ceiling of None is no ceiling.
        in_a_row: positive, missed and refused all reset, so that a run has none of them.
        has_place: a lapse has something to lose: a rung, or the count to a bonus.
        weeks: the program weeks, as the program writes them.
        limits: the limits on the unit, each with its index among those of the program.
        every: rungs to a step; with `by_week` a rung is a week, and else a success.
        bonus_every: the bonus comes with each so many consecutive successes; 0 is never.
    """

    behavior: str
    unit: Unit
    start: int
    step: int
    every: int
    by_week: bool
    ceiling: int | None
    bonus: int
    bonus_every: int
    effects: Mapping[str, Effect]
    recovery: RecoveryRules | None
    in_a_row: bool
    has_place: bool
    weeks: str
    limits: tuple[tuple[int, "LimitRules"], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One expected visit.

    Attributes:
        number: counted from 1 over the whole plan.
        week: the program week, from 1.
        days: how many days after the start date, by the weekday of that date; Monday is 0.
        left_in_phase: the visits of the phase still to come after this one.
    """

    number: int
    week: int
    days: tuple[int, ...]
    phase: PhaseRules
    opens_phase: bool
    opens_week: bool
    closes_week: bool
    left_in_phase: int


@dataclass(frozen=True, slots=True, eq=False)
class LimitRules:
    """The most that a window may receive, in minor units of `unit`, from each day on.

    Attributes:
        accumulates: awards add up in the window; of a single reward they do not.
        yearly: the window is the calendar year of the visit.
    """

    unit: Unit
    per: str
    accumulates: bool
    yearly: bool
    since: tuple[date, ...]
    amounts: tuple[int, ...]

    def amount_on(self, on: date | None) -> int:
        """Return the limit in force on a day; without a day, the one that held first."""
        return self.amounts[bisect_right(self.since, on) if self.since and on else 0]


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """A whole program, ready to step.

    Attributes:
        needs_start: some amount cannot be told without a start date.
    """

    program: Program
    digest: str
    visits: tuple[Visit, ...]
    limits: tuple[LimitRules, ...]
    needs_start: bool


@lru_cache(maxsize=128)
def compile_rules(program: Program) -> Rules:
    """Return the rules of a program; the same program gives the same object."""
    limits = tuple(_limit(limit, program) for limit in program.limits)
    return Rules(
        program=program,
        digest=digest(program),
        visits=tuple(_visits(program, limits)),
        limits=limits,
        needs_start=any(limit.since for limit in limits),
    )


def _limit(limit: Limit, program: Program) -> LimitRules:
    unit = program.unit(limit.unit)
    return LimitRules(
        unit=unit,
        per=limit.per,
        accumulates=limit.per != "reward",
        yearly=limit.per == "calendar year",
        since=tuple(day for day, _ in limit.amount.changes if day),
        amounts=tuple(unit.minor(amount) for _, amount in limit.amount.changes),
    )


def _phase(phase: Phase, program: Program, limits: tuple[LimitRules, ...]) -> PhaseRules:
    unit, escalate, bonus = program.unit(phase.unit), phase.escalate, phase.bonus
    fixed = phase.fixed or Decimal(0)
    return PhaseRules(
        behavior=program.target.behavior,
        unit=unit,
        start=unit.minor(escalate.start if escalate else fixed),
        step=unit.minor(escalate.step) if escalate else 0,
        every=escalate.every if escalate and isinstance(escalate.every, int) else 1,
        by_week=escalate is not None and escalate.every == "week",
        ceiling=unit.minor(escalate.ceiling) if escalate and escalate.ceiling is not None else None,
        bonus=unit.minor(bonus.amount) if bonus else 0,
        bonus_every=bonus.every if bonus else 0,
        effects=_effects(phase),
        recovery=_recovery(phase.recover) if phase.recover else None,
        in_a_row=phase.resetting >= {"positive", "missed", "refused"},
        has_place=escalate is not None or bonus is not None,
        weeks=str(phase.weeks),
        limits=tuple((index, limit) for index, limit in enumerate(limits) if limit.unit == unit),
    )


def _effects(phase: Phase) -> dict[str, Effect]:
    resetting = phase.resetting
    effects = {
        symbol: Effect.RESET if name in resetting else Effect.HOLD for symbol, name in OUTCOMES.items()
    }
    return effects | {"-": Effect.MET, "_": Effect.NOTHING}


def _recovery(recover: Recover) -> RecoveryRules:
    return RecoveryRules(
        after=recover.after,
        paid_nth=recover.paid == "nth",
        last_earned=recover.level == "last earned",
        highest=recover.saved == "highest",
    )


def _visits(program: Program, limits: tuple[LimitRules, ...]) -> Iterator[Visit]:
    ruling = {
        week: rules
        for phase in program.target.schedule
        for rules in [_phase(phase, program, limits)]
        for week in range(phase.weeks.first, phase.weeks.last + 1)
    }
    slots = [(week, index, days) for week, days in _weeks(program) for index in range(len(days[0]))]
    left = Counter(id(ruling[week]) for week, _, _ in slots)
    opened: set[int] = set()
    for number, (week, index, days) in enumerate(slots, start=1):
        phase = ruling[week]
        left[id(phase)] -= 1
        yield Visit(
            number=number,
            week=week,
            days=tuple(7 * (week - 1) + offsets[index] for offsets in days),
            phase=phase,
            opens_phase=id(phase) not in opened,
            opens_week=index == 0,
            closes_week=index == len(days[0]) - 1,
            left_in_phase=left[id(phase)],
        )
        opened.add(id(phase))


def _weeks(program: Program) -> Iterator[tuple[int, tuple[tuple[int, ...], ...]]]:
    """Yield each week with the days of its visits, counted from its first day, by the weekday of that day."""
    for block in program.visits:
        days = tuple(_days(block, first) for first in range(7))
        for week in range(block.weeks.first, block.weeks.last + 1):
            yield week, days


def _days(block: VisitBlock, first: int) -> tuple[int, ...]:
    if block.days:
        return tuple(sorted((WEEKDAYS.index(day) - first) % 7 for day in block.days))
    return tuple(7 * index // block.visits_a_week for index in range(block.visits_a_week))
