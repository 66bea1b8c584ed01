"""What a decision has earned before limits, as one small value; the limits cut each part of it."""

from datetime import date
from typing import NamedTuple

from cm_engine.program.models import Program
from cm_engine.program.rewards import Payout
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import Rules, compile_rules
from cm_engine.rules.limits import When
from cm_engine.rules.prizes import full_bowl
from cm_engine.rules.reasons import MilestoneReached, Refunded, Staked
from cm_engine.rules.settle import within_limits
from cm_engine.rules.state import Award, Decision, Received


class Part(NamedTuple):
    """What a decision has earned before limits.

    Attributes:
        earned: by the ladder and by each milestone, in minor units.
        own: the participant's own money, paid in (less than 0) or given back; no limit looks at it.
    """

    earned: tuple[Award, ...] = ()
    own: int = 0

    @property
    def units(self) -> tuple[Unit, ...]:
        """Return the units that are earned in."""
        return tuple(dict.fromkeys(award.unit for award in self.earned))

    def sum(self, unit: Unit, own: Unit | None) -> int:
        """Return what is earned in a unit in all, with the participant's own money where it is in that unit."""
        return sum(award.amount for award in self.earned if award.unit == unit) + (
            self.own if unit == own else 0
        )

    def at_most(self, unit: Unit, rules: Rules) -> int:
        """Return the most that is earned in a unit, with what draws may win where it is the program's money."""
        return sum(_at_most(award, unit, rules) for award in self.earned)


def _at_most(award: Award, unit: Unit, rules: Rules) -> int:
    if award.unit == unit:
        return award.amount
    program = rules.program
    if award.unit.name in program.bowls and program.currency == unit.name:
        return award.amount * max(full_bowl(program, award.unit.name).values)
    return 0


NOTHING = Part()


def unlimited(program: Program) -> Rules:
    """Return the rules of a program without its limits, which are looked at after what it earns."""
    return compile_rules(program.model_copy(update={"limits": (), "payout": Payout()}))


def part_of(decision: Decision) -> Part:
    """Return what a decision of a program without limits has earned: its ladder first, then each milestone."""
    reasons = [each for each in decision.reasons if isinstance(each, MilestoneReached | Staked | Refunded)]
    if not reasons:
        earned = tuple(award for award in decision.paid if award.amount)
        return Part(earned) if earned else NOTHING
    milestones = [Award(each.unit, each.amount) for each in reasons if isinstance(each, MilestoneReached)]
    own = [Award(each.unit, _given_back(each)) for each in reasons if isinstance(each, Staked | Refunded)]
    ladder = [_without(award, [*milestones, *own]) for award in decision.paid]
    earned = tuple(award for award in (*ladder, *milestones) if award.amount)
    return Part(earned, sum(each.amount for each in own)) if earned or own else NOTHING


def _given_back(reason: Staked | Refunded) -> int:
    return -reason.amount if isinstance(reason, Staked) else reason.amount


def _without(award: Award, others: list[Award]) -> Award:
    return award._replace(
        amount=award.amount - sum(each.amount for each in others if each.unit == award.unit)
    )


class Paid(NamedTuple):
    """What the limits leave of a part.

    Attributes:
        received: what the windows of the limits have received then.
        awards: what is paid, by unit.
        bit: the places of the limits that took something.
    """

    received: tuple[Received, ...]
    awards: tuple[Award, ...]
    bit: frozenset[int]


def paid_of(rules: Rules, received: tuple[Received, ...], earned: tuple[Award, ...], when: When) -> Paid:
    """Return what the limits of a program leave of what is earned on a day: `within_limits`, each award by itself."""
    after, paid, reasons = within_limits(rules, received, tuple((award, ()) for award in earned), when)
    bit = frozenset(
        index
        for each in reasons
        for index, limit in enumerate(rules.limits)
        if (limit.unit, limit.name, limit.amount_on(when.on)) == (each.unit, each.per, each.limit)  # type: ignore[union-attr]
    )
    return Paid(after, tuple(paid), bit)


def start_of(program: Program, start: date | None) -> date | None:
    """Return the start that a program is explored from: the one given, or that of its first dated case if it needs one."""
    if start is not None or not compile_rules(program).needs_start:
        return start
    return next((case.start for case in program.cases if case.start), None)
