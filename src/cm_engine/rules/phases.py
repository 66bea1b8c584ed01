"""A schedule made ready to step: amounts in minor units, outcomes resolved."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from cm_engine.program.evidence import Criterion
from cm_engine.program.ladders import Group, Phase, Recover
from cm_engine.program.models import Program, Target
from cm_engine.program.parts import EVERY_MAX, RESET_BY_DEFAULT
from cm_engine.program.plan import PER_WEEK_MAX
from cm_engine.program.units import Unit
from cm_engine.program.values import AMOUNT_MAX, OUTCOMES, WEEKS_MAX
from cm_engine.rules.words import Words, words_of


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
        words: how a participant reads of it.
        step: what a step adds; less than 0 on a ladder that descends.
        every: rungs to a step; with `by_week` a rung is a week, and else a rewarded success.
        first_rung: where the phase begins.
        bonus_every: the bonus comes with each so many consecutive successes; 0 is never.
        require: the successes needed for the first, second, ... reward of a run; empty is one for each.
        weekly: what a week pays if all its visits were met, and if some were; None if visits are paid.
        options: the names of the rewards to choose from.
        variants: what a success pays by the option chosen, or by how many members of the group met it.
        usual: the variant that is paid if the observation says nothing of it.
        together: the variants go by the members of a group.
        provided: the index of another target that has to be met at the same visit.
        carries: the phase goes on where the one before it stood.
        in_a_row: positive, missed and refused all reset, so that a run has none of them.
        has_place: a lapse has something to lose: a rung, or the count to a bonus or a reward.
        weeks: the program weeks, as the program writes them.
    """

    words: Words
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
    options: tuple[str, ...]
    variants: tuple[tuple[Unit, int], ...]
    usual: int
    together: bool
    group: Group | None
    provided: int | None
    criterion: Criterion | None
    carries: bool
    effects: Mapping[str, Effect]
    recovery: RecoveryRules | None
    in_a_row: bool
    has_place: bool
    weeks: str

    @property
    def patience(self) -> int:
        """Return after how many successes at the latest a reward comes."""
        return PER_WEEK_MAX if self.weekly else max(self.require, default=1)

    @property
    def counts_weeks(self) -> bool:
        """Tell whether the visits of a week are counted together."""
        return self.by_week or self.weekly is not None


def compile_phase(phase: Phase, target: Target, program: Program) -> PhaseRules:
    """Return a phase in minor units, with what each outcome does."""
    variants = _variants(phase, program)
    unit = variants[0][0] if variants else program.unit(phase.unit)
    bonus, weekly = phase.bonus, phase.weekly
    start, step, floor, ceiling = (unit.minor(amount) * phase.hours for amount in _ladder(phase))
    ladder = phase.escalate or phase.descend
    every = ladder.every if ladder else 1
    begins_high = phase.escalate is not None and phase.escalate.begins == "ceiling"
    return PhaseRules(
        words=words_of(target, phase, program.framing),
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
        options=tuple(phase.choice),
        variants=variants,
        usual=phase.group.need - 1 if phase.group and phase.together else 0,
        together=bool(phase.together),
        group=phase.group,
        provided=list(program.targets).index(phase.provided) if phase.provided else None,
        criterion=phase.criterion,
        carries=phase.carry,
        effects=_effects(phase),
        recovery=_recovery(phase.recover) if phase.recover else None,
        in_a_row=phase.resetting.issuperset(RESET_BY_DEFAULT),
        has_place=any(each for each in (ladder, bonus, phase.require)),
        weeks=str(phase.weeks),
    )


def _variants(phase: Phase, program: Program) -> tuple[tuple[Unit, int], ...]:
    """Return what a success pays where that is not one reward: by choice, or by how many of a group met it."""
    chosen = [(program.unit(option.unit), option.amount) for option in phase.choice.values()]
    together = [(program.unit(phase.unit), amount) for amount in phase.together]
    return tuple((unit, unit.minor(amount) * phase.hours) for unit, amount in [*chosen, *together])


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
