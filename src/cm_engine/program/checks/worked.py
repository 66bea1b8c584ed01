"""What must hold of worked cases before they can be run."""

from collections.abc import Iterator

from cm_engine.program.checks.base import Found, Whole, awarded, known_target, too_fine, unit_of
from cm_engine.program.models import Program
from cm_engine.program.plan import visit_count, visits_by_week
from cm_engine.program.units import Unit
from cm_engine.program.values import either, shown
from cm_engine.program.worked import Case, Seen
from cm_engine.spelling import counted, nearest


def one_timeline(case: Case, whole: Whole) -> Found:
    """Find a case with nothing to decide, or with two things; and one word for several targets."""
    given = [key for key in ("results", "timelines", "observations") if getattr(case, key)]
    if not given:
        yield (), "the key 'results' is missing"
    if len(given) > 1:
        yield (
            (given[1],),
            f"expected results, timelines or observations, one of them, got {' and '.join(given)}",
        )
    several = list(whole.program.targets)
    if given == ["results"] and len(several) > 1:
        yield (
            ("results",),
            f"the program has several targets; write timelines, with a word for {several[0]} and others",
        )


def targets_of_case(case: Case, whole: Whole) -> Found:
    """Find words or values of a target that is not there."""
    for key in ("timelines", "before"):
        for name in getattr(case, key):
            if unknown := known_target(name, whole.program):
                yield (key, name), unknown


def something_seen(seen: Seen, whole: Whole) -> Found:
    """Find an observation in which nothing is seen, or of a target that is not there."""
    if seen.target is not None and (unknown := known_target(seen.target, whole.program)):
        yield ("target",), unknown
    if seen.target is None and seen.event is None and len(whole.program.targets) > 1:
        yield (), f"say which target was seen (known: {', '.join(whole.program.targets)})"
    shows = [seen.result, seen.value, seen.panel or None, seen.conditions or None, seen.event]
    if all(each is None for each in shows):
        yield (), "expected a result, a value, a panel, conditions or an event: nothing was seen"


def known_event(seen: Seen, whole: Whole) -> Found:
    """Find an event that the program does not know, or one that has what a visit has."""
    if seen.event is None:
        return
    of_visits = seen.model_fields_set - {"event", "value", "on"}
    if of_visits:
        yield (min(of_visits),), "an event is nobody's visit; write two observations, or remove it"
    events = {milestone.when.event for milestone in whole.program.milestones.values()} - {None}
    known = sorted([*filter(None, events), *(["deposit"] if whole.program.deposit else [])])
    if seen.event not in known:
        expected = f"expected {either(known)}" if known else "the program knows none"
        hint = nearest(seen.event, known) or f"; {expected}"
        yield ("event",), f"there is no event {shown(seen.event)}{hint}"


def fits_target(seen: Seen, whole: Whole) -> Found:
    """Find a choice, a group or a prescription that the target does not have."""
    target = whole.program.targets.get(seen.target or next(iter(whole.program.targets)))
    if target is None:
        return
    options = {name for phase in target.schedule for name in phase.choice}
    if seen.choice is not None and seen.choice not in options:
        yield ("choice",), f"{shown(seen.choice)} is no reward to choose{nearest(seen.choice, options)}"
    sizes = [phase.group.size if phase.group else len(phase.together) for phase in target.schedule]
    if seen.group is not None and seen.group > max(sizes):
        yield ("group",), f"expected at most the size of the group, {max(sizes)}, got {seen.group}"
    counted = {*(target.evidence.analytes if target.evidence else ()), *seen.panel}
    for index, analyte in enumerate(seen.prescribed):
        if analyte not in counted:
            yield ("prescribed", index), f"{shown(analyte)} is not tested for{nearest(analyte, counted)}"


def days_of_observations(case: Case, _: Whole) -> Found:
    """Find a day in a case without a start, or before it."""
    for index, seen in enumerate(case.observations):
        if seen.on is not None and case.start is None:
            yield ("observations", index, "on"), "a day needs a case with a start; add start, with a date"
        elif seen.on is not None and case.start is not None and seen.on < case.start:
            yield (
                ("observations", index, "on"),
                f"expected {case.start}, the start, or a later day, got {seen.on}",
            )
    if case.truncate and case.observations:
        yield ("truncate",), "observations are not cut to the plan; remove truncate"


def expects_something(case: Case, _: Whole) -> Found:
    """Find a case that cannot fail."""
    if case.awards is None and case.total is None and case.totals is None and case.reads is None:
        yield (), "expected awards, total, totals or reads: a case that expects nothing shows nothing"


def _decided(case: Case, program: Program) -> int:
    """Return how many decisions a case leads to."""
    if case.observations:
        return len(case.observations)
    words = case.timelines or dict.fromkeys(list(program.targets)[:1], case.results or "")
    planned = {name: visit_count(program.plan(target)) for name, target in program.targets.items()}
    return sum(
        min(len(word), planned[name]) if case.truncate else len(word)
        for name, word in words.items()
        if name in planned
    )


def awards_for_results(case: Case, whole: Whole) -> Found:
    """Find a case with more or fewer awards, or outcomes, than decisions."""
    planned = _decided(case, whole.program)
    if case.awards is not None and len(case.awards) != planned:
        commas = "; write an amount with a point, not a comma" if len(case.awards) == 2 * planned else ""
        yield ("awards",), f"expected {planned} awards, one a result, got {len(case.awards)}{commas}"
    if case.reads is not None and len(case.reads) != planned:
        yield ("reads",), f"expected {planned} outcomes, one a result, got {len(case.reads)}"


def results_within_plan(case: Case, whole: Whole) -> Found:
    """Find a case with more results than the plan has visits."""
    words: dict[tuple[str, ...], str] = (
        {("results",): case.results or ""} if len(whole.program.targets) == 1 else {}
    )
    words |= {("timelines", name): word for name, word in case.timelines.items()}
    for place, word in words.items():
        name = place[-1] if place[-1] in whole.program.targets else next(iter(whole.program.targets))
        target = whole.program.targets[name]
        planned = visit_count(whole.program.plan(target))
        if planned and len(word) > planned and not case.truncate and target.retest is None:
            yield (
                place,
                f"{len(word)} results, but the plan has {counted(planned, 'visit')}; shorten, or add truncate: true",
            )


def dated_case(case: Case, whole: Whole) -> Found:
    """Find a case without a start date under a rule that depends on dates."""
    for rule in dict.fromkeys(whole.program.dated_rules) if case.start is None else ():
        yield (), f"{rule} depends on the date; add start, with a date"


def exact_awards(case: Case, whole: Whole) -> Found:
    """Find an expected award with more decimals than the unit of its visit."""
    if case.results is None or len(whole.program.targets) > 1:
        yield from _finer_than_all(case, whole)
        return
    units = _unit_of_visits(whole.program)
    for index, (number, unit) in enumerate(zip(case.awards or (), units, strict=False)):
        yield from too_fine([(("awards", index), number)], unit)


def _finer_than_all(case: Case, whole: Whole) -> Found:
    """Find an expected award that is finer than everything that is awarded."""
    units = awarded(whole.program).values()
    for index, number in enumerate(case.awards or ()):
        if units and not any(unit.fits(number) for unit in units):
            yield (
                ("awards", index),
                f"expected no more decimals than {' or '.join(u.name for u in units)} has, got {number}",
            )


def _unit_of_visits(program: Program) -> Iterator[Unit | None]:
    target = next(iter(program.targets.values()))
    for week, visits in visits_by_week(program.plan(target)):
        phase = next((p for p in target.schedule if p.weeks.first <= week <= p.weeks.last), None)
        unit = unit_of(phase.unit, program) if phase and not phase.choice else None
        for _ in range(visits):
            yield unit


def total_of_one_unit(case: Case, whole: Whole) -> Found:
    """Find a total that mixes units, or is finer than its unit."""
    if case.total is None:
        return
    units = awarded(whole.program)
    if len(units) > 1:
        yield ("total",), f"the program awards {' and '.join(units)}; write totals, with a sum for each"
    for unit in list(units.values())[:1]:
        yield from too_fine([(("total",), case.total)], unit)


def totals_of_awarded(case: Case, whole: Whole) -> Found:
    """Find a sum in a unit that nothing awards, or finer than its unit."""
    units = awarded(whole.program)
    for name, number in (case.totals or {}).items():
        if name not in units:
            yield (
                ("totals", name),
                f"nothing awards {name!r}{nearest(name, units)}; expected {', '.join(units)}",
            )
        yield from too_fine([(("totals", name), number)], units.get(name))


RULES = {
    Seen: (something_seen, known_event, fits_target),
    Case: (
        one_timeline,
        targets_of_case,
        expects_something,
        awards_for_results,
        results_within_plan,
        dated_case,
        days_of_observations,
        exact_awards,
        total_of_one_unit,
        totals_of_awarded,
    ),
}
