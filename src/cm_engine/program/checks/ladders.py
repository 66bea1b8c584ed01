"""What must hold within the phases of a schedule."""

from itertools import pairwise

from cm_engine.program.checks.base import (
    Found,
    Whole,
    known_target,
    known_unit,
    listed_once,
    too_fine,
    unit_of,
)
from cm_engine.program.ladders import REWARDS, Descend, Escalate, Group, Hold, Option, Phase, Reset, Weekly
from cm_engine.program.models import Program
from cm_engine.program.parts import NOT_MET
from cm_engine.program.values import either


def ceiling_above_start(escalate: Escalate, _: Whole) -> Found:
    """Find a ceiling below the start."""
    if escalate.ceiling is not None and escalate.ceiling < escalate.start:
        yield ("ceiling",), f"expected at least the start, {escalate.start}, got {escalate.ceiling}"


def step_rises(escalate: Escalate, _: Whole) -> Found:
    """Find an escalation that never rises."""
    if escalate.step == 0:
        yield ("step",), "a step of 0 never rises; write fixed: instead of escalate:"
    if escalate.ceiling == escalate.start:
        yield ("ceiling",), "a ceiling at the start leaves nothing to rise; write fixed: instead of escalate:"


def floor_below_start(descend: Descend, _: Whole) -> Found:
    """Find a floor above the start, and a descent that never falls."""
    if descend.floor >= descend.start:
        yield ("floor",), f"expected less than the start, {descend.start}, got {descend.floor}"
    if descend.step == 0:
        yield ("step",), "a step of 0 never falls; write fixed: instead of descend:"


def ceiling_to_begin_at(phase: Phase, _: Whole) -> Found:
    """Find a ladder that begins at a ceiling it has not, or that it never leaves."""
    if phase.escalate is None or phase.escalate.begins == "start":
        return
    if phase.escalate.ceiling is None:
        yield ("escalate", "begins"), "there is no ceiling to begin at; add ceiling"
    if phase.reset is None:
        yield ("escalate", "begins"), "without a reset the ceiling is never left; add reset, or write fixed:"


def some_for_less_than_all(weekly: Weekly, _: Whole) -> Found:
    """Find a week that pays more when less is met."""
    if weekly.some > weekly.all:
        yield ("some",), f"expected at most what all pays, {weekly.all}, got {weekly.some}"


def one_reward(phase: Phase, _: Whole) -> Found:
    """Find a phase with no reward, or with two."""
    if len(phase.rewards) != 1:
        yield (), f"expected {either(REWARDS)}, one of them"


def week_alone(phase: Phase, _: Whole) -> Found:
    """Find a rule of single visits in a phase that pays by the week."""
    if phase.weekly is not None:
        for name, absent in (("bonus", None), ("require", ()), ("hours", 1)):
            if getattr(phase, name) != absent:
                yield (name,), f"a weekly reward is for weeks, and {name} is for visits; remove one of them"


def requirement_alone(phase: Phase, _: Whole) -> Found:
    """Find a rising requirement together with a rule that pays by each success."""
    if phase.require and phase.bonus is not None:
        yield ("bonus",), "a bonus counts successes that require leaves unpaid; remove one of them"
    if phase.require and phase.recover is not None:
        yield ("recover",), "a recovery counts successes that require leaves unpaid; remove one of them"
    for name in ("escalate", "descend"):
        ladder = getattr(phase, name)
        if phase.require and ladder is not None and ladder.every == "week":
            yield (name, "every"), "require counts successes, not weeks; remove one of them"


def choice_alone(phase: Phase, _: Whole) -> Found:
    """Find a bonus beside a choice, whose unit it could not know."""
    if phase.choice and phase.bonus is not None:
        yield ("bonus",), "a bonus has one unit, and a choice several; remove one of them"
    if phase.choice and phase.unit is not None:
        yield ("unit",), "each option of a choice has a unit of its own; remove unit here"


def group_fits(phase: Phase, _: Whole) -> Found:
    """Find rewards for more or fewer members than the group has."""
    if phase.group and phase.together and len(phase.together) != phase.group.size:
        yield (
            ("together",),
            f"expected {phase.group.size} amounts, one for each member of the group, got {len(phase.together)}",
        )


def need_within_size(group: Group, _: Whole) -> Found:
    """Find a group that needs more members than it has."""
    if group.need > group.size:
        yield ("need",), f"expected at most the size of the group, {group.size}, got {group.need}"


def provided_before(program: Program, _: Whole) -> Found:
    """Find a phase that depends on a target which is not decided before it, at the same visits."""
    names = list(program.targets)
    for place, (name, target) in enumerate(program.targets.items()):
        for index, phase in enumerate(target.schedule):
            if phase.provided is None:
                continue
            here = ("targets", name, "schedule", index, "provided")
            if unknown := known_target(phase.provided, program):
                yield here, unknown
            elif phase.provided == name:
                yield here, "a target cannot depend on itself; name another one"
            elif names.index(phase.provided) >= place:
                yield here, f"{phase.provided} has to stand above {name}: it is decided first"
            elif program.plan(program.targets[phase.provided]) != program.plan(target):
                yield here, f"{phase.provided} has another visit plan; they must be seen at the same visits"


def something_to_carry(program: Program, _: Whole) -> Found:
    """Find a phase that carries on with nothing before it, or with what means nothing on its own ladder."""
    for name, target in program.targets.items():
        phases = target.schedule
        if phases[0].carry:
            yield ("targets", name, "schedule", 0, "carry"), "there is no phase before it to carry on from"
        for index, (before, after) in enumerate(pairwise(phases), start=1):
            if after.carry and _ladder_kind(before) != _ladder_kind(after):
                here = ("targets", name, "schedule", index, "carry")
                yield (
                    here,
                    "only an escalating phase carries on, from one with the same unit, every and reset",
                )


def _ladder_kind(phase: Phase) -> object:
    """Return what two phases must agree in for a rung of one to mean the same on the other."""
    ladder = phase.escalate
    if ladder is None or ladder.begins == "ceiling" or phase.require:
        return phase
    return phase.unit, ladder.every, phase.resetting


def recovery_has_reset(phase: Phase, _: Whole) -> Found:
    """Find a recovery that has nothing to recover from."""
    if phase.recover is not None and phase.reset is None:
        yield ("recover",), "a recovery needs a reset to recover from; add reset: {on: [positive, missed]}"


def recovery_has_levels(phase: Phase, _: Whole) -> Found:
    """Find a recovery of a reward that has one level only."""
    if phase.recover is not None and phase.escalate is None:
        yield ("recover",), "only an escalating reward has a level to recover; remove recover"


def hold_has_reset(phase: Phase, _: Whole) -> Found:
    """Find a hold that says nothing."""
    if phase.hold is not None and phase.reset is None:
        yield ("hold",), "without a reset every outcome holds; add reset, or remove hold"


def one_effect(phase: Phase, _: Whole) -> Found:
    """Find an outcome that both resets and holds, or that does neither."""
    if phase.reset is None or phase.hold is None:
        return
    reset, hold = phase.resetting, phase.hold.on
    for index, outcome in enumerate(hold):
        if outcome in reset:
            yield ("hold", "on", index), f"{outcome} resets too; let it do one of them"
    left = [outcome for outcome in NOT_MET if outcome not in hold and outcome not in reset]
    if left:
        yield ("hold", "on"), f"{' and '.join(left)}: neither under reset nor under hold; add to one of them"


def outcomes_once(part: Reset | Hold, _: Whole) -> Found:
    """Find an outcome that is listed twice."""
    return listed_once(part.on or (), ("on",))


def exact_rewards(phase: Phase, whole: Whole) -> Found:
    """Find a reward with more decimals than its unit."""
    return too_fine(phase.amounts(), unit_of(phase.unit, whole.program))


def exact_option(option: Option, whole: Whole) -> Found:
    """Find an option with more decimals than its unit."""
    return too_fine([(("amount",), option.amount)], unit_of(option.unit, whole.program))


def unit_of_phase(phase: Phase, whole: Whole) -> Found:
    """Find a unit that nobody knows, of a phase that pays in one."""
    if not phase.choice:
        yield from known_unit(phase, whole)


RULES = {
    Program: (something_to_carry, provided_before),
    Descend: (floor_below_start,),
    Weekly: (some_for_less_than_all,),
    Group: (need_within_size,),
    Option: (known_unit, exact_option),
    Reset: (outcomes_once,),
    Hold: (outcomes_once,),
    Escalate: (ceiling_above_start, step_rises),
    Phase: (
        one_reward,
        ceiling_to_begin_at,
        week_alone,
        requirement_alone,
        choice_alone,
        group_fits,
        recovery_has_reset,
        recovery_has_levels,
        hold_has_reset,
        one_effect,
        unit_of_phase,
        exact_rewards,
    ),
}
