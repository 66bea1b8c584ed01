"""From the definitions of a set to functions over timelines; what several endpoints read alike is read once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import NamedTuple

from cm_engine.outcomes import courses, measures
from cm_engine.outcomes.courses import Course
from cm_engine.outcomes.measures import First
from cm_engine.outcomes.model import Condition, Endpoint, EndpointSet, Measured, Sought, Step, Weighed
from cm_engine.outcomes.results import EXCUSED, MISSING, MIXED, NEGATIVE, NOT_REQUIRED, POSITIVE, REFUSED
from cm_engine.outcomes.timeline import Timeline

Value = bool | int | float | None
"""What an endpoint comes to; None where nothing can be said."""

Number = int | float

READ_AS = {"negative": NEGATIVE, "positive": POSITIVE, "mixed": MIXED, "missing": MISSING}
"""The symbol of each reading that takes one result for another."""

IMPUTED: dict[str, courses.Step] = {
    "last result": courses.last_result,
    "last result until drop-out": courses.last_result_until_drop_out,
    "most common result": courses.most_common_result,
    "nearest visits": courses.nearest_visits,
}
"""What fills missing visits, by the rule's name."""

Stage = tuple[object, ...]
"""What makes a step the same as another: its name, and what it is told."""


class Prepared(NamedTuple):
    """One thing that is done to a course: the place of the course that it is done to, and the step."""

    before: int
    step: courses.Step


class Read:
    """The courses of one timeline, each prepared when it is first asked for."""

    __slots__ = ("_courses", "_plan", "timeline")

    def __init__(self, plan: "Plan", timeline: Timeline) -> None:
        self._plan, self.timeline = plan, timeline
        self._courses: list[Course | None] = [_begin(timeline, *root) for root in plan.roots]
        for prepared in plan.steps:
            before = self._courses[prepared.before]
            self._courses.append(None if before is None else prepared.step(before))

    def __getitem__(self, place: int) -> Course | None:
        return self._courses[place]


def _begin(timeline: Timeline, target: str, unit: str) -> Course | None:
    """Return the visits of a target as they are reported; None if nothing is known of them."""
    visits = timeline.visits.get(target)
    if visits is None or (unit == "days" and visits.days is None):
        return None
    return Course(visits.word, visits.days or ()) if unit == "days" else courses.course_of(visits.word)


class Plan:
    """All that is done to courses for a whole set, each thing once: what endpoints begin alike, they share."""

    def __init__(self, roots: Sequence[tuple[str, str]]) -> None:
        self.roots = tuple(dict.fromkeys(roots))
        self.steps: list[Prepared] = []
        self._known: dict[tuple[int, Stage], int] = {}

    def place(self, target: str, unit: str, stages: Sequence[tuple[Stage, courses.Step]]) -> int:
        """Return the place of a course after some stages, which is added if it is new."""
        place = self.roots.index((target, unit))
        for stage, step in stages:
            if (place, stage) not in self._known:
                self._known[place, stage] = len(self.roots) + len(self.steps)
                self.steps.append(Prepared(place, step))
            place = self._known[place, stage]
        return place


Measure = Callable[[Read], Value]


class Compiled:
    """A set of endpoints, ready to be measured of any number of timelines.

    Args:
        chosen: the set; `load_endpoints` reads one from its file.

    Example:
        >>> from cm_engine.outcomes.model import EndpointSet
        >>> chosen = EndpointSet.model_validate({
        ...     "set": "mine", "title": "Mine", "sources": {"own": {"cite": "none"}},
        ...     "endpoints": {"clean": {"says": "x", "source": "own", "missing": "positive", "share": "negative"}},
        ... })
        >>> from cm_engine.outcomes.timeline import timeline_of
        >>> Compiled(chosen).values(timeline_of("--o+"))
        {'clean': 0.5}
    """

    def __init__(self, chosen: EndpointSet) -> None:
        self.set = chosen
        found = {name: chosen.of(name) for name in chosen.endpoints}
        self._plan = Plan([root for each in found.values() for root in _roots(each)])
        self._measures = {name: _endpoint(self._plan, each, found) for name, each in found.items()}

    def values(self, timeline: Timeline) -> dict[str, Value]:
        """Return the value of each endpoint, in the order of the set."""
        read = Read(self._plan, timeline)
        return {name: measure(read) for name, measure in self._measures.items()}


def _roots(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield the targets and the units that an endpoint begins with."""
    for each in (endpoint, *endpoint.all, *filter(None, [endpoint.provided])):
        yield each.target or endpoint.target or "", each.unit


def _endpoint(plan: Plan, endpoint: Endpoint, known: Mapping[str, Endpoint]) -> Measure:
    if endpoint.event_of:
        other = known[endpoint.event_of]
        return _event(_first(plan, other, other))
    if endpoint.all:
        parts = [_bounded(each, _number(plan, endpoint, each)) for each in endpoint.all]
        measure: Measure = partial(_every, parts)
    else:
        measure = _bounded(endpoint, _number(plan, endpoint, endpoint))
    if endpoint.provided is None:
        return measure
    asked = _bounded(endpoint.provided, _number(plan, endpoint, endpoint.provided))
    return partial(_provided, asked, measure, _plain(endpoint.otherwise))


def _every(parts: Sequence[Measure], read: Read) -> Value:
    """Tell whether all parts are so; if one is not, what is not known of another does not matter."""
    found = [part(read) for part in parts]
    return False if False in found else None if None in found else True


def _provided(asked: Measure, measure: Measure, otherwise: Number, read: Read) -> Value:
    is_so = asked(read)
    return None if is_so is None else measure(read) if is_so else otherwise


def _place(plan: Plan, endpoint: Endpoint, condition: Condition, unit: str) -> int:
    """Return the place of the course that a condition of an endpoint measures; what is provided, before its steps."""
    before = () if condition is endpoint or condition is endpoint.provided else endpoint.steps
    stages = [*_readings(endpoint), *map(_step, (*before, *condition.steps)), _dropped(NOT_REQUIRED)]
    return plan.place(condition.target or endpoint.target or "", unit, stages)


def _readings(endpoint: Endpoint) -> Iterator[tuple[Stage, courses.Step]]:
    """Yield how results are read: what is refused or excused first, as it may be missing then."""
    yield from _reading(REFUSED, endpoint.refused or "missing")
    yield from _reading(EXCUSED, endpoint.excused or "missing")
    yield from _reading(MIXED, endpoint.mixed or "kept")
    for rule in endpoint.missing:
        if rule in IMPUTED:
            yield (rule,), IMPUTED[rule]
        else:
            yield from _reading(MISSING, rule)


def _reading(symbol: str, rule: str) -> Iterator[tuple[Stage, courses.Step]]:
    if rule == "left out":
        yield _dropped(symbol)
    elif rule != "kept":
        yield ("read", symbol, rule), partial(courses.recoded, symbol=symbol, as_symbol=READ_AS[rule])


def _dropped(symbol: str) -> tuple[Stage, courses.Step]:
    return ("left out", symbol), partial(courses.left_out, symbols=symbol)


def _step(step: Step) -> tuple[Stage, courses.Step]:
    stage: Stage = (step.keep, step.until, step.planned, step.others)
    if step.keep:
        return stage, partial(courses.kept, first=step.keep.first, last=step.keep.last)
    if step.until:
        return stage, partial(courses.until_last, symbols=step.until)
    visits = frozenset(visit for first, last in step.planned for visit in range(first, last + 1))
    return stage, partial(courses.planned, visits=visits, carried=step.others == "previous")


def _number(plan: Plan, endpoint: Endpoint, condition: Condition) -> Measure:
    """Return what measures a condition, before its bounds."""
    if condition.reported is not None:
        return _scaled(condition, partial(_reports, condition.reported))
    if condition.value is not None:
        return _scaled(condition, partial(_measured, condition.value))
    if condition.time_to is not None:
        first = _first(plan, endpoint, condition)
        return _scaled(condition, lambda read: (found := first(read)) and found.at)
    place = _place(plan, endpoint, condition, condition.unit)
    return _scaled(condition, partial(_of_course, place, _of_visits(endpoint, condition)), place)


def _of_course(place: int, measure: Callable[[Course], Number | None], read: Read) -> Number | None:
    course = read[place]
    return None if course is None else measure(course)


def _of_visits(endpoint: Endpoint, condition: Condition) -> Callable[[Course], Number | None]:
    """Return what is measured of a course."""
    if condition.count is not None:
        return partial(measures.total, worth=_worth(condition.count))
    if condition.share is not None:
        nothing = condition.of_nothing if condition.of_nothing is not None else endpoint.of_nothing
        return partial(
            _share, worth=_worth(condition.share), nothing=None if nothing is None else _plain(nothing)
        )
    if condition.run is not None:
        longest = measures.longest_span if condition.unit == "days" else measures.longest_run
        return partial(longest, symbols=condition.run)
    if condition.score is not None:
        asked = condition.score
        table = {visit: _plain(weight) for visit, weight in asked.weights}
        weighed = measures.weights(_worth(asked.worth), table, _worth(asked.unweighted))
        return partial(measures.score, weighed=weighed)
    assert condition.last is not None
    return partial(measures.last_with, symbols=condition.last)


def _share(course: Course, worth: measures.Worth, nothing: Number | None) -> Number | None:
    found = measures.share(course, worth)
    return nothing if found is None else found


def _first(plan: Plan, endpoint: Endpoint, condition: Condition) -> Callable[[Read], First | None]:
    """Return what finds the first of what a condition looks for."""
    sought = condition.time_to
    assert sought is not None
    if sought.event is not None:
        return partial(_first_report, sought)
    place = _place(plan, endpoint, condition, condition.unit)
    assert sought.of is not None
    window = partial(
        measures.first_window,
        symbols=sought.of,
        count=sought.count,
        window=sought.window or sought.count,
    )
    return lambda read: None if (course := read[place]) is None else window(course)


def _first_report(sought: Sought, read: Read) -> First | None:
    days = read.timeline.events.get(sought.event or "", ())
    if len(days) >= sought.count:
        return First(days[sought.count - 1], found=True)
    return First(read.timeline.until, found=False) if read.timeline.has_reports else None


def _event(first: Callable[[Read], First | None]) -> Measure:
    """Return what tells whether an event came: 1 or 0, and nothing where its time has no value."""

    def measure(read: Read) -> Value:
        found = first(read)
        return None if found is None or found.at is None else int(found.found)

    return measure


def _reports(name: str, read: Read) -> Value:
    return len(read.timeline.events.get(name, ())) if read.timeline.has_reports else None


def _measured(asked: Measured, read: Read) -> Value:
    found = read.timeline.values.get(asked.of, ())
    if not found or (asked.take == "change" and len(found) == 1):
        return None
    return _plain(Fraction(_taken(asked.take, found)))


def _taken(take: str, values: Sequence[Decimal]) -> Fraction | Decimal:
    match take:
        case "first":
            return values[0]
        case "last":
            return values[-1]
        case "change":
            return values[-1] - values[0]
        case "mean":
            return Fraction(sum(values)) / len(values)
        case _:
            return min(values) if take == "lowest" else max(values)


def _scaled(condition: Condition, measure: Measure, place: int = 0) -> Measure:
    """Return a measure times a number, and taken off another."""
    times, whole = _plain(condition.times), condition.subtract_from
    if whole is None:
        return measure if times == 1 else lambda read: _times(measure(read), times)
    if whole == "visits":
        return lambda read: _off(len((read[place] or ("",))[0]), _times(measure(read), times))
    less_than = _plain(whole)
    return lambda read: _off(less_than, _times(measure(read), times))


def _times(value: Value, times: Number) -> Value:
    return None if value is None else value * times


def _off(whole: Number, value: Value) -> Value:
    return None if value is None else whole - value


def _bounded(condition: Condition, measure: Measure) -> Measure:
    """Return whether a measure is within bounds, if it has some.

    A quotient of whole numbers is rounded as the bound is, so that whoever is at it is counted as being there.
    """
    least, most = condition.at_least, condition.at_most
    if least is None and most is None:
        return measure
    low = float("-inf") if least is None else _plain(least)
    high = float("inf") if most is None else _plain(most)
    return lambda read: None if (found := measure(read)) is None else low <= found <= high


def _worth(weighed: Weighed) -> dict[str, Number]:
    return {symbol: _plain(each) for symbol, each in weighed}


def _plain(exact: Fraction) -> Number:
    """Return a number as measures have it: whole where it is whole, else the nearest float."""
    return exact.numerator if exact.denominator == 1 else float(exact)
