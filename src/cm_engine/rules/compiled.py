"""A whole program, ready to step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from cm_engine.errors import ResultsError
from cm_engine.program.canonical import digest
from cm_engine.program.evidence import Quota, Retest, TargetEvidence
from cm_engine.program.ladders import Phase
from cm_engine.program.models import Program, Target
from cm_engine.program.parts import WEEKDAYS
from cm_engine.program.rewards import Payout
from cm_engine.program.units import Unit
from cm_engine.program.values import OUTCOMES
from cm_engine.program.windows import Windows
from cm_engine.rules.criteria import looks_back
from cm_engine.rules.limits import LimitRules, Limits, compile_limit
from cm_engine.rules.milestones import MilestoneRules, compile_milestones
from cm_engine.rules.phases import compile_phase
from cm_engine.rules.plan import Visit, visits
from cm_engine.spelling import nearest

SYMBOLS: Mapping[str, str] = {name: symbol for symbol, name in OUTCOMES.items()}
"""The symbol of each outcome, by its name."""

OPEN = "open"
"""How a condition is read that leaves the visit open for another day."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetRules:
    """One target, ready to step.

    Attributes:
        index: its place among the targets of the program.
        windows: which days belong to a visit; None where the nth result is of the nth visit.
        evidence: how a panel is read.
        reads: the outcome of each condition of a specimen, by its name; "" is as tested, and `OPEN` leaves the visit open.
        quotas: each with its place in what the state has counted.
        looks_back: how many measured values its criteria need.
        looks_at_others: it pays only where another target is met at the same visit.
        looked_back_on: another target pays only if this one was met at the same visit.
        given_as_read: a symbol is the outcome as it stands, with nothing to look up or to count.
    """

    name: str
    index: int
    visits: tuple[Visit, ...]
    windows: Windows | None
    evidence: TargetEvidence
    reads: Mapping[str, str]
    excuses: tuple[str, ...]
    quotas: tuple[tuple[int, Quota], ...]
    retest: Retest | None
    looks_back: int
    looks_at_others: bool
    looked_back_on: bool
    given_as_read: bool


@dataclass(frozen=True, slots=True, eq=False)
class DepositRules:
    """A participant's stake in minor units, and what each lapse takes of it."""

    unit: Unit
    stake: int
    loss: int
    on: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """A whole program, ready to step.

    Attributes:
        limits_on: the limits on each unit, by its name.
        quotas: how many quotas all targets have.
        events: what may be reported from outside.
        open_on: the weekdays that a visit may move to, Monday being 0; none are all.
        closed: the days on which nothing is expected of anybody.
        pays_later: an award is not handed over at once, or not for good.
        is_plain: a symbol of the only target decides, and what its ladder earns is what is paid.
        pays_as_earned: what a ladder earns is what is paid: no limit, nothing beside it, nothing later.
        has_extras: a decision may pay more than its ladder: milestones, or a deposit.
        needs_start: some rule cannot be told without a start date.
        has_windows: some target's results find their visits by their days.
        shares: some limit counts for several enrollments together.
    """

    program: Program
    digest: str
    targets: tuple[TargetRules, ...]
    limits: tuple[LimitRules, ...]
    limits_on: Mapping[str, Limits]
    quotas: int
    milestones: tuple[MilestoneRules, ...]
    deposit: DepositRules | None
    events: tuple[str, ...]
    closed: frozenset[date]
    open_on: frozenset[int]
    payout: Payout
    pays_later: bool
    is_plain: bool
    pays_as_earned: bool
    has_extras: bool
    needs_start: bool
    has_windows: bool
    shares: bool

    def target(self, name: str) -> TargetRules:
        """Return the target called `name`, or the only one if it is empty.

        Raises:
            ResultsError: there is no such target, or there are several and none is named.
        """
        if not name and len(self.targets) == 1:
            return self.targets[0]
        found = next((target for target in self.targets if target.name == name), None)
        if found is None:
            known = [target.name for target in self.targets]
            hint = nearest(name, known)
            asked = f"there is no target {name!r}{hint}" if name else "say which target was seen"
            msg = f"{asked} (known: {', '.join(known)})"
            raise ResultsError(msg)
        return found


@lru_cache(maxsize=128)
def compile_rules(program: Program) -> Rules:
    """Return the rules of a program; the same program gives the same object."""
    limits = tuple(compile_limit(limit, program) for limit in program.limits)
    targets = tuple(_targets(program))
    milestones = compile_milestones(program, {target.name: target.visits for target in targets})
    deposit = _deposit(program)
    events = dict.fromkeys(milestone.event for milestone in milestones if milestone.event)
    quotas = [quota for target in program.targets.values() for quota in target.quotas]
    pays_later = program.payout.when != "at once" or program.payout.expires_after is not None
    pays_as_earned = not (limits or milestones or deposit or pays_later)
    return Rules(
        program=program,
        digest=digest(program),
        targets=targets,
        limits=limits,
        limits_on=_by_unit(limits),
        quotas=len(quotas),
        milestones=milestones,
        deposit=deposit,
        events=tuple(dict.fromkeys([*events, *(["deposit"] if deposit else [])])),
        closed=frozenset(_closed_days(program)),
        open_on=frozenset(map(WEEKDAYS.index, program.open_on)),
        payout=program.payout,
        pays_later=pays_later,
        is_plain=pays_as_earned and len(targets) == 1 and targets[0].given_as_read,
        pays_as_earned=pays_as_earned,
        has_extras=bool(milestones or deposit),
        needs_start=bool(program.dated_rules),
        has_windows=any(target.windows for target in targets),
        shares=any(limit.scope for limit in limits),
    )


def _by_unit(limits: tuple[LimitRules, ...]) -> dict[str, Limits]:
    names = dict.fromkeys(limit.unit.name for limit in limits)
    return {
        name: tuple((index, limit) for index, limit in enumerate(limits) if limit.unit.name == name)
        for name in names
    }


def _targets(program: Program) -> Iterator[TargetRules]:
    counted = 0
    provided = {phase.provided for target in program.targets.values() for phase in target.schedule}
    for index, (name, target) in enumerate(program.targets.items()):
        phases = [compile_phase(phase, target, program) for phase in target.schedule]
        special = target.quotas or target.retest or any(map(_needs_reading, target.schedule))
        yield TargetRules(
            name=name,
            index=index,
            visits=tuple(visits(program.plan(target), target.schedule, phases)),
            windows=program.windows_of(target),
            evidence=target.evidence or TargetEvidence(),
            reads=_reads(target),
            excuses=target.excuses,
            quotas=tuple(enumerate(target.quotas, start=counted)),
            retest=target.retest,
            looks_back=max(looks_back(phase.criterion) for phase in target.schedule),
            looks_at_others=any(phase.provided for phase in target.schedule),
            looked_back_on=name in provided,
            given_as_read=not (special or program.closures),
        )
        counted += len(target.quotas)


def _needs_reading(phase: Phase) -> bool:
    """Tell whether even a plain symbol has to be read: it depends on another target, or moves a bar."""
    return phase.provided is not None or (phase.criterion is not None and phase.criterion.goal is not None)


def _reads(target: Target) -> dict[str, str]:
    """Return the symbol that each condition of a specimen is read as; nothing for as tested."""
    read = target.reads.model_dump()
    special = {"as tested": "", OPEN: OPEN}
    return {condition: special.get(name) or SYMBOLS.get(name, "") for condition, name in read.items()}


def _deposit(program: Program) -> DepositRules | None:
    deposit = program.deposit
    if deposit is None:
        return None
    unit = program.unit(None)
    lapses = frozenset(SYMBOLS[name] for name in deposit.on)
    return DepositRules(unit, unit.minor(deposit.stake), unit.minor(deposit.loss), lapses)


def _closed_days(program: Program) -> Iterator[date]:
    for closure in program.closures:
        for after in range(((closure.last or closure.first) - closure.first).days + 1):
            yield closure.first + timedelta(days=after)
