"""What has to hold between the values of a definition; each rule looks at one endpoint of a set."""

from collections.abc import Callable, Iterator

from cm_engine.outcomes.model import Condition, Endpoint, EndpointSet, Step
from cm_engine.program.reading import Path
from cm_engine.spelling import nearest

Found = Iterator[tuple[Path, str]]

OF_VISITS = ("count", "share", "run", "time_to", "last", "score")
"""What is measured of visits, each the key of a definition."""

OF_REPORTS = ("reported", "value")
"""What is measured of reports."""

IN_DAYS = ("run", "time_to", "last")
"""What can be told in days."""


def _measures(condition: Condition) -> list[str]:
    return [name for name in (*OF_VISITS, *OF_REPORTS) if getattr(condition, name) is not None]


def _parts(endpoint: Endpoint) -> Iterator[tuple[Path, Condition]]:
    """Yield the conditions within an endpoint, and where each stands in its definition."""
    yield from ((("all", index), each) for index, each in enumerate(endpoint.all))
    if endpoint.provided:
        yield ("provided",), endpoint.provided


def _conditions(endpoint: Endpoint) -> Iterator[tuple[Path, Condition]]:
    """Yield all that an endpoint measures, itself included."""
    yield (), endpoint
    yield from _parts(endpoint)


def _measures_once(chosen: EndpointSet, name: str) -> Found:
    """Find a definition that measures nothing, or two things."""
    endpoint = chosen.endpoints[name]
    own = [
        *_measures(endpoint),
        *(["all"] if endpoint.all else []),
        *(["event_of"] if endpoint.event_of else []),
    ]
    if len(own) != 1:
        keys = ", ".join((*OF_VISITS, *OF_REPORTS, "all", "event_of"))
        yield (
            (),
            f"expected one thing that is measured, by one of the keys {keys}; got {' and '.join(own) or 'none'}",
        )
    for path, each in _parts(endpoint):
        if len(_measures(each)) != 1:
            keys, got = ", ".join((*OF_VISITS, *OF_REPORTS)), " and ".join(_measures(each)) or "none"
            yield path, f"expected one thing that is measured, by one of the keys {keys}; got {got}"


def _parts_are_bounded(chosen: EndpointSet, name: str) -> Found:
    """Find a condition that can be neither so nor not so."""
    for path, each in _parts(chosen.endpoints[name]):
        if each.at_least is None and each.at_most is None:
            yield path, "expected at_least or at_most beside what is measured: how much it has to be"


def _bounds_in_order(chosen: EndpointSet, name: str) -> Found:
    """Find bounds that nothing is within."""
    for path, each in _conditions(chosen.endpoints[name]):
        if each.at_least is not None and each.at_most is not None and each.at_least > each.at_most:
            yield (
                (*path, "at_most"),
                f"expected at least {each.at_least}, as at_least says, got {each.at_most}",
            )


def _missing_is_said(chosen: EndpointSet, name: str) -> Found:
    """Find a definition over visits that does not say how a missing one is read."""
    endpoint = chosen.endpoints[name]
    of_visits = [
        each
        for _, each in _conditions(endpoint)
        if set(_measures(each)) & set(OF_VISITS) and not (each.time_to and each.time_to.event)
    ]
    if of_visits and not endpoint.missing:
        yield (
            (),
            "the key 'missing' is missing: say how a missing visit is read, such as positive, left out or kept",
        )


def _source_listed(chosen: EndpointSet, name: str) -> Found:
    """Find a source that the file does not list."""
    source = chosen.endpoints[name].source
    if source not in chosen.sources:
        yield ("source",), f"{source!r} is not listed under sources{nearest(source, chosen.sources)}"


def _event_of_time(chosen: EndpointSet, name: str) -> Found:
    """Find an event of an endpoint that is no time to one."""
    other = chosen.endpoints[name].event_of
    if other is None:
        return
    if other not in chosen.endpoints:
        yield ("event_of",), f"there is no endpoint {other!r}{nearest(other, chosen.endpoints)}"
    elif chosen.endpoints[other].time_to is None:
        yield ("event_of",), f"expected an endpoint with the key time_to, got {other!r}"


def _steps_do_one_thing(chosen: EndpointSet, name: str) -> Found:
    """Find a step that does nothing, or two things."""
    endpoint = chosen.endpoints[name]
    for path, each in _conditions(endpoint):
        for index, step in enumerate(each.steps):
            if message := _wrong_step(step):
                yield (*path, "steps", index), message


def _wrong_step(step: Step) -> str:
    done = [key for key in ("keep", "until", "planned") if getattr(step, key)]
    if len(done) != 1:
        return f"expected one of keep, until and planned, got {' and '.join(done) or 'none'}; make a step of each"
    if "others" in step.model_fields_set and not step.planned:
        return "others says what becomes of visits outside a plan; it stands beside planned only"
    return ""


def _sought_is_one_thing(chosen: EndpointSet, name: str) -> Found:
    """Find a time to nothing, or to two things, or to more than its window has."""
    for path, each in _conditions(chosen.endpoints[name]):
        if (sought := each.time_to) is None:
            continue
        if (sought.of is None) == (sought.event is None):
            yield (
                (*path, "time_to"),
                "expected of, with results of visits, or event, with what is reported; one of them",
            )
        if sought.event and (sought.window or each.unit != "days"):
            yield (
                (*path, "time_to"),
                "what is reported comes on a day: expected unit: days beside it, and no window",
            )
        if sought.window and sought.window < sought.count:
            yield (
                (*path, "time_to", "window"),
                f"expected at least {sought.count}, as count says, got {sought.window}",
            )


def _days_where_there_are(chosen: EndpointSet, name: str) -> Found:
    """Find days asked for of what is no time."""
    for path, each in _conditions(chosen.endpoints[name]):
        if each.unit == "days" and not set(_measures(each)) & set(IN_DAYS):
            yield (*path, "unit"), f"days can be told of {', '.join(IN_DAYS)} only; take it out"


def _off_visits_that_are_counted(chosen: EndpointSet, name: str) -> Found:
    """Find a measure to be taken off the number of visits that is not one over them."""
    for path, each in _conditions(chosen.endpoints[name]):
        if each.subtract_from == "visits" and set(_measures(each)) & {"time_to", *OF_REPORTS}:
            yield (
                (*path, "subtract_from"),
                "expected a number: this is not measured over the visits that are left",
            )


OF_BOUNDS = {"at_least", "at_most", "times", "subtract_from", "of_nothing", "unit"}
OF_READING = {"missing", "mixed", "refused", "excused", "steps", "target"}


def _no_idle_keys(chosen: EndpointSet, name: str) -> Found:
    """Find keys that say nothing where they stand."""
    endpoint = chosen.endpoints[name]
    for path, each in _conditions(endpoint):
        for key in sorted(each.model_fields_set & _idle(endpoint, each)):
            yield (*path, key), f"{key} says nothing here; take it out"


def _idle(endpoint: Endpoint, each: Condition) -> set[str]:
    """Return the keys that say nothing beside what a condition measures."""
    if each is endpoint and endpoint.event_of:
        return OF_BOUNDS | OF_READING | {"provided", "otherwise"}
    if each is endpoint and endpoint.all:
        return OF_BOUNDS | (set() if endpoint.provided else {"otherwise"})
    is_report = each.reported or each.value or (each.time_to and each.time_to.event)
    return {
        *(OF_READING if is_report and not endpoint.provided else ()),
        *(() if each.share else ("of_nothing",)),
        *(() if endpoint.provided else ("otherwise",)),
    }


def _score_can_be_reached(chosen: EndpointSet, name: str) -> Found:
    """Find a score of which all is nothing."""
    for path, each in _conditions(chosen.endpoints[name]):
        if each.score and not (
            any(worth > 0 for _, worth in (*each.score.worth, *each.score.unweighted))
            and any(weight > 0 for _, weight in each.score.weights)
        ):
            yield (*path, "score"), "expected a result and a visit that count more than 0"


RULES: tuple[Callable[[EndpointSet, str], Found], ...] = (
    _measures_once,
    _parts_are_bounded,
    _bounds_in_order,
    _missing_is_said,
    _source_listed,
    _event_of_time,
    _steps_do_one_thing,
    _sought_is_one_thing,
    _days_where_there_are,
    _off_visits_that_are_counted,
    _no_idle_keys,
    _score_can_be_reached,
)
