"""A program made ready to step: amounts in minor units, outcomes resolved, one entry for each visit."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Literal

from cm_engine.program.canonical import digest
from cm_engine.program.models import (
    EVERY_MAX,
    PER_WEEK_MAX,
    WEEKDAYS,
    Limit,
    Phase,
    Program,
    Recover,
    VisitBlock,
    Window,
)
from cm_engine.program.units import Unit
from cm_engine.program.values import AMOUNT_MAX, OUTCOMES, WEEKS_MAX


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
    """One phase of a schedule; a fixed reward is a ladder with a step of 0.

    Amounts are in minor units of `unit`, and for a whole visit.

    Attributes:
        behavior: chooses the words that a participant reads.
        step: what a step adds; less than 0 on a ladder that descends.
        every: rungs to a step; with `by_week` a rung is a week, and else a rewarded success.
        first_rung: where the phase begins.
        bonus_every: the bonus comes with each so many consecutive successes; 0 is never.
        require: the successes needed for the first, second, ... reward of a run; empty is one for each.
        weekly: what a week pays if all its visits were met, and if some were; None if visits are paid.
        carries: the phase goes on where the one before it stood.
        in_a_row: positive, missed and refused all reset, so that a run has none of them.
        has_place: a lapse has something to lose: a rung, or the count to a bonus or a reward.
        weeks: the program weeks, as the program writes them.
        limits: the limits on the unit, each with its index among those of the program.
    """

    behavior: str
    unit: Unit
    start: int
    step: int
    every: int
    by_week: bool
    floor: int
    ceiling: int
    first_rung: int
    bonus: int
    bonus_every: int
    require: tuple[int, ...]
    weekly: tuple[int, int] | None
    carries: bool
    effects: Mapping[str, Effect]
    recovery: RecoveryRules | None
    in_a_row: bool
    has_place: bool
    weeks: str
    limits: tuple[tuple[int, "LimitRules"], ...]

    @property
    def patience(self) -> int:
        """Return after how many successes at the latest a reward comes."""
        return PER_WEEK_MAX if self.weekly else max(self.require, default=1)

    @property
    def counts_weeks(self) -> bool:
        """Tell whether the visits of a week are counted together."""
        return self.by_week or self.weekly is not None


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One expected visit.

    Attributes:
        number: counted from 1 over the whole plan.
        week: the program week, from 1.
        days: how many days after the start date, by the weekday of that date; Monday is 0.
        left_in_phase: the visits still to come after this one, of the phase and of those that carry it on.
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
        name: what a participant reads of the window.
        begins: the month and day that a grant year begins on.
        days: the length of a window of rolling days.
        since, amounts: the first amount holds before the first day of `since`.
    """

    unit: Unit
    per: Window
    name: str
    begins: tuple[int, int]
    days: int
    crossing: Literal["truncate", "withhold", "stop"]
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
        needs_start=any(limit.needs_start for limit in program.limits),
    )


def _limit(limit: Limit, program: Program) -> LimitRules:
    unit = program.unit(limit.unit)
    return LimitRules(
        unit=unit,
        per=limit.per,
        name=f"{limit.days} days" if limit.days else limit.per,
        begins=limit.begins or (1, 1),
        days=limit.days or 0,
        crossing=limit.crossing,
        since=tuple(day for day, _ in limit.amount.changes if day),
        amounts=tuple(unit.minor(amount) for _, amount in limit.amount.changes),
    )


def _phase(phase: Phase, program: Program, limits: tuple[LimitRules, ...]) -> PhaseRules:
    unit, bonus, weekly = program.unit(phase.unit), phase.bonus, phase.weekly
    start, step, floor, ceiling = (unit.minor(amount) * phase.hours for amount in _ladder(phase))
    ladder = phase.escalate or phase.descend
    every = ladder.every if ladder else 1
    begins_high = phase.escalate is not None and phase.escalate.begins == "ceiling"
    return PhaseRules(
        behavior=program.target.behavior,
        unit=unit,
        start=start,
        step=-step if phase.descend else step,
        every=1 if every == "week" else every,
        by_week=every == "week",
        floor=floor,
        ceiling=ceiling,
        first_rung=-((start - ceiling) // step) * (1 if every == "week" else every) if begins_high else 0,
        bonus=unit.minor(bonus.amount) * phase.hours if bonus else 0,
        bonus_every=bonus.every if bonus else 0,
        require=phase.require,
        weekly=(unit.minor(weekly.all), unit.minor(weekly.some)) if weekly else None,
        carries=phase.carry,
        effects=_effects(phase),
        recovery=_recovery(phase.recover) if phase.recover else None,
        in_a_row=phase.resetting >= {"positive", "missed", "refused"},
        has_place=any(each for each in (ladder, bonus, phase.require)),
        weeks=str(phase.weeks),
        limits=tuple((index, limit) for index, limit in enumerate(limits) if limit.unit == unit),
    )


def _ladder(phase: Phase) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Return start, step, floor and ceiling; no floor is 0, and no ceiling more than any reward."""
    none, highest = Decimal(0), Decimal(AMOUNT_MAX) * EVERY_MAX * WEEKS_MAX
    if phase.escalate:
        ceiling = highest if phase.escalate.ceiling is None else phase.escalate.ceiling
        return phase.escalate.start, phase.escalate.step, none, ceiling
    if phase.descend:
        return phase.descend.start, phase.descend.step, phase.descend.floor, highest
    return phase.fixed or none, none, none, highest


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
    stretch = _stretches(program, ruling)
    left = Counter(stretch[week] for week, _, _ in slots)
    opened: set[int] = set()
    for number, (week, index, days) in enumerate(slots, start=1):
        phase = ruling[week]
        left[stretch[week]] -= 1
        yield Visit(
            number=number,
            week=week,
            days=tuple(7 * (week - 1) + offsets[index] for offsets in days),
            phase=phase,
            opens_phase=id(phase) not in opened,
            opens_week=index == 0,
            closes_week=index == len(days[0]) - 1,
            left_in_phase=left[stretch[week]],
        )
        opened.add(id(phase))


def _stretches(program: Program, ruling: Mapping[int, PhaseRules]) -> dict[int, int]:
    """Return for each week the week in which its ladder began: that of the last phase that does not carry on."""
    begun: dict[int, int] = {}
    for phase in program.target.schedule:
        first = phase.weeks.first
        begins = begun[first - 1] if phase.carry else first
        begun.update(dict.fromkeys(range(first, phase.weeks.last + 1), begins))
    return {week: begun[week] for week in ruling}


def _weeks(program: Program) -> Iterator[tuple[int, tuple[tuple[int, ...], ...]]]:
    """Yield each week with the days of its visits, counted from its first day, by the weekday of that day."""
    for block in program.visits:
        days = tuple(_days(block, first) for first in range(7))
        for week in range(block.weeks.first, block.weeks.last + 1):
            is_due = (week - block.weeks.first) % block.every_weeks == 0
            yield week, days if is_due else ((),) * 7


def _days(block: VisitBlock, first: int) -> tuple[int, ...]:
    if block.days:
        return tuple(sorted((WEEKDAYS.index(day) - first) % 7 for day in block.days))
    return tuple(7 * index // block.visits_a_week for index in range(block.visits_a_week))
