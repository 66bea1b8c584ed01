"""What must hold between the values of a program file: each rule is one function that yields problems.

A rule is written for one kind of part, and yields (place below that part, what is wrong). A rule that looks at
a value which is not well-formed stops silently: that value has its own problem already.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise, repeat
from typing import Any, NamedTuple

from cm_engine.errors import Problem
from cm_engine.program.models import (
    NOT_MET,
    Case,
    Descend,
    Escalate,
    Evidence,
    Hold,
    Limit,
    Part,
    Phase,
    Program,
    Reset,
    VisitBlock,
    Weekly,
)
from cm_engine.program.partial import IllFormed, IllFormedError
from cm_engine.program.reading import Document, Path, dotted
from cm_engine.program.units import CURRENCY_DECIMALS, THINGS, Unit
from cm_engine.program.values import SubPath, Weeks, shown
from cm_engine.spelling import nearest

Found = Iterator[tuple[SubPath, str]]


class Whole(NamedTuple):
    """The file that a part belongs to."""

    program: Program
    document: Document
    places: frozenset[str]


def check(program: Program, document: Document) -> Iterator[Problem]:
    """Yield every problem that the rules find in a program, whole or partial."""
    whole = Whole(program, document, frozenset(map(dotted, document.values)))
    for path, part in _parts(program, ()):
        for rule in RULES.get(type(part), ()):
            try:
                for below, message in rule(part, whole):
                    yield document.problem(path + below, message)
            except IllFormedError:
                continue


def _parts(value: Any, path: Path) -> Iterator[tuple[Path, Part]]:
    """Yield each part with its path, outer before inner."""
    below: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, IllFormed):
        return
    if isinstance(value, Part):
        yield path, value
        below = value
    elif isinstance(value, Mapping):
        below = value.items()
    elif isinstance(value, tuple):
        below = enumerate(value)
    for key, inner in below:
        yield from _parts(inner, (*path, key))


def _weeks_follow(blocks: Sequence[VisitBlock] | Sequence[Phase], place: str) -> Found:
    first = blocks[0].weeks.first
    if first != 1:
        yield (place, 0, "weeks"), f"{_left_out(1, first - 1)} before it; begin with week 1"
    for index, (before, after) in enumerate(pairwise(block.weeks for block in blocks), start=1):
        here = (place, index, "weeks")
        if after.first <= before.last:
            yield here, f"weeks {after} overlap weeks {before} above; each week belongs to one"
        elif after.first > before.last + 1:
            yield here, f"{_left_out(before.last + 1, after.first - 1)} between weeks {before} and {after}"


def _left_out(first: int, last: int) -> str:
    return f"week {first} is missing" if first == last else f"weeks {Weeks(first, last)} are missing"


def visit_weeks(program: Program, _: Whole) -> Found:
    """Find weeks that the visit plan leaves out or names twice."""
    return _weeks_follow(program.visits, "visits")


def some_visit(program: Program, _: Whole) -> Found:
    """Find a plan without visits."""
    if not program.visit_count:
        yield ("visits",), "the plan expects no visit at all"


def schedule_weeks(program: Program, _: Whole) -> Found:
    """Find weeks that a schedule leaves out or names twice."""
    for name, target in program.targets.items():
        for below, message in _weeks_follow(target.schedule, "schedule"):
            yield ("targets", name, *below), message


def schedule_end(program: Program, _: Whole) -> Found:
    """Find a schedule that ends before or after the visit plan."""
    planned = program.visits[-1].weeks.last
    for name, target in program.targets.items():
        ends = target.schedule[-1].weeks.last
        if ends != planned:
            here = ("targets", name, "schedule", len(target.schedule) - 1, "weeks")
            yield here, f"the schedule ends with week {ends}, the visits with week {planned}; let them agree"


def one_rhythm(block: VisitBlock, _: Whole) -> Found:
    """Find a block with no rhythm of visits, or with two."""
    if (block.per_week is None) == (not block.days):
        yield (), "expected per_week or days, one of them"
    if len(set(block.days)) < len(block.days):
        yield ("days",), "expected each weekday once"


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
    rewards = [phase.escalate, phase.descend, phase.fixed, phase.weekly]
    if sum(reward is not None for reward in rewards) != 1:
        yield (), "expected escalate, descend, fixed or weekly, one of them"


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


def window_to_stop(limit: Limit, _: Whole) -> Found:
    """Find a stop in a window that has no end to stop until."""
    if limit.crossing == "stop" and limit.per in {"reward", "rolling days"}:
        yield ("crossing",), f"{limit.per} has no end to stop until; write withhold"


def window_defined(limit: Limit, _: Whole) -> Found:
    """Find a window that lacks what defines it, or has what another window needs."""
    for name, per in (("begins", "grant year"), ("days", "rolling days")):
        given = getattr(limit, name) is not None
        if given and limit.per != per:
            yield (name,), f"only {per} has {name}; remove it"
        if not given and limit.per == per:
            yield ("per",), f"{per} needs the key {name}; add it"


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
    for index, outcome in enumerate(part.on or ()):
        if outcome in (part.on or ())[:index]:
            yield ("on", index), f"{outcome} is listed already"


def declared_once(program: Program, _: Whole) -> Found:
    """Find a declared unit that everybody knows."""
    for name in program.units:
        if name in THINGS or name in CURRENCY_DECIMALS:
            yield ("units", name), f"{name} is known; it needs no declaration"


def known_unit(part: Phase | Limit, whole: Whole) -> Found:
    """Find a unit that is neither a currency, nor a known thing, nor declared."""
    program = whole.program
    if _unit(part, program) is not None:
        return
    if part.unit is None:
        yield (), "no unit, and the program has no currency; add unit here, or currency to the program"
        return
    known = sorted({*THINGS, *program.units, *filter(None, [program.currency])})
    hint = nearest(part.unit, known)
    message = f"{shown(part.unit)} is not a unit{hint} (known: {', '.join(known)}; or declare it under units)"
    yield ("unit",), message


def _unit(part: Phase | Limit, program: Program) -> Unit | None:
    try:
        return program.unit(part.unit)
    except KeyError:
        return None


def exact_rewards(phase: Phase, whole: Whole) -> Found:
    """Find a reward with more decimals than its unit."""
    return _too_fine(phase.amounts(), _unit(phase, whole.program))


def exact_limit(limit: Limit, whole: Whole) -> Found:
    """Find a limit with more decimals than its unit."""
    changes = limit.amount.changes
    places = (
        ("amount", *(() if len(changes) == 1 else (day.isoformat() if day else "before",)))
        for day, _ in changes
    )
    return _too_fine(zip(places, (number for _, number in changes), strict=True), _unit(limit, whole.program))


def _too_fine(amounts: Iterable[tuple[SubPath, Decimal]], unit: Unit | None) -> Found:
    for place, number in amounts:
        if unit is None or unit.fits(number):
            continue
        if unit.is_money:
            yield place, f"expected at most {unit.decimals} decimals, as {unit.name} has, got {number}"
        else:
            yield place, f"expected a whole number of {unit.plural or unit.name}, got {number}"


def limit_applies(limit: Limit, whole: Whole) -> Found:
    """Find a limit on a unit that nothing awards."""
    unit = _unit(limit, whole.program)
    if unit and unit.name not in _awarded(whole.program):
        yield (), f"nothing awards {unit.name}, so this limit limits nothing"


def _awarded(program: Program) -> dict[str, Unit]:
    phases = [phase for target in program.targets.values() for phase in target.schedule]
    return {unit.name: unit for unit in (_unit(phase, program) for phase in phases) if unit}


def sources_listed(part: Evidence | Case, whole: Whole) -> Found:
    """Find a source that is named but not listed."""
    for index, name in enumerate(part.sources):
        if name not in whole.program.sources:
            hint = nearest(name, whole.program.sources)
            yield ("sources", index), f"no source is listed as {name!r}{hint}"


def stated_somewhere(evidence: Evidence, _: Whole) -> Found:
    """Find a value that is called stated, but nowhere."""
    if evidence.mark == "stated" and not evidence.sources:
        yield ("mark",), "a stated value names at least one source"


def evidence_of_something(evidence: Evidence, whole: Whole) -> Found:
    """Find evidence of a value that is not in the file."""
    if evidence.of not in whole.places:
        hint = nearest(evidence.of, whole.places)
        yield ("of",), f"there is no value at {shown(evidence.of)} in this file{hint}"


def expects_something(case: Case, _: Whole) -> Found:
    """Find a case that cannot fail."""
    if case.awards is None and case.total is None and case.totals is None:
        yield (), "expected awards, total or totals: a case that expects nothing shows nothing"


def awards_for_results(case: Case, whole: Whole) -> Found:
    """Find a case with more or fewer awards than results."""
    if case.awards is None:
        return
    results = len(case.results)
    planned = min(results, whole.program.visit_count) if case.truncate else results
    if len(case.awards) != planned:
        commas = "; write an amount with a point, not a comma" if len(case.awards) == 2 * planned else ""
        yield (
            ("awards",),
            f"expected {planned} awards, one a result, got {len(case.awards)}{commas}",
        )


def results_within_plan(case: Case, whole: Whole) -> Found:
    """Find a case with more results than the plan has visits."""
    given, planned = len(case.results), whole.program.visit_count
    if given > planned and not case.truncate:
        yield (
            ("results",),
            f"{given} results, but the plan has {planned} visits; shorten, or add truncate: true",
        )


def dated_case(case: Case, whole: Whole) -> Found:
    """Find a case without a start date under a limit that changes on dates."""
    if case.start is None and any(limit.needs_start for limit in whole.program.limits):
        yield (), "a limit depends on the date; add start, with a date"


def exact_awards(case: Case, whole: Whole) -> Found:
    """Find an expected award with more decimals than the unit of its visit."""
    for index, (number, unit) in enumerate(
        zip(case.awards or (), _unit_of_visits(whole.program), strict=False)
    ):
        yield from _too_fine([(("awards", index), number)], unit)


def _unit_of_visits(program: Program) -> Iterator[Unit | None]:
    phases = program.target.schedule
    for block in program.visits:
        for week in range(block.weeks.first, block.weeks.last + 1, block.every_weeks):
            phase = next((p for p in phases if p.weeks.first <= week <= p.weeks.last), None)
            yield from repeat(_unit(phase, program) if phase else None, block.visits_a_week)


def total_of_one_unit(case: Case, whole: Whole) -> Found:
    """Find a total that mixes units, or is finer than its unit."""
    if case.total is None:
        return
    units = _awarded(whole.program)
    if len(units) > 1:
        yield ("total",), f"the program awards {' and '.join(units)}; write totals, with a sum for each"
    for unit in list(units.values())[:1]:
        yield from _too_fine([(("total",), case.total)], unit)


def totals_of_awarded(case: Case, whole: Whole) -> Found:
    """Find a sum in a unit that nothing awards, or finer than its unit."""
    units = _awarded(whole.program)
    for name, number in (case.totals or {}).items():
        if name not in units:
            yield (
                ("totals", name),
                f"nothing awards {name!r}{nearest(name, units)}; expected {', '.join(units)}",
            )
        yield from _too_fine([(("totals", name), number)], units.get(name))


RULES: dict[type[Part], tuple[Callable[[Any, Whole], Found], ...]] = {
    Program: (visit_weeks, some_visit, schedule_weeks, schedule_end, something_to_carry, declared_once),
    Descend: (floor_below_start,),
    Weekly: (some_for_less_than_all,),
    Reset: (outcomes_once,),
    Hold: (outcomes_once,),
    VisitBlock: (one_rhythm,),
    Escalate: (ceiling_above_start, step_rises),
    Phase: (
        one_reward,
        ceiling_to_begin_at,
        week_alone,
        requirement_alone,
        recovery_has_reset,
        recovery_has_levels,
        hold_has_reset,
        one_effect,
        known_unit,
        exact_rewards,
    ),
    Limit: (known_unit, exact_limit, limit_applies, window_defined, window_to_stop),
    Evidence: (stated_somewhere, sources_listed, evidence_of_something),
    Case: (
        expects_something,
        awards_for_results,
        results_within_plan,
        dated_case,
        sources_listed,
        exact_awards,
        total_of_one_unit,
        totals_of_awarded,
    ),
}
