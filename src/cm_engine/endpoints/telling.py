"""What a cohort comes to, endpoint by endpoint and arm by arm, and how its values are written."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from cm_engine.endpoints.cohort import Person
from cm_engine.endpoints.proportions import Difference, difference
from cm_engine.endpoints.survival import LogRank, log_rank, survival, times_of
from cm_engine.errors import EndpointsNotFoundError, ReportError
from cm_engine.outcomes.compiled import Compiled, Value
from cm_engine.outcomes.model import EndpointSet
from cm_engine.program.values import shown
from cm_engine.spelling import nearest

Values = Mapping[str, Value]

COMPARED_ARMS = 2


class Outcome(NamedTuple):
    """What all endpoints come to for one participant."""

    person: Person
    values: Values


class Compared(NamedTuple):
    """How two arms differ in one endpoint.

    Attributes:
        endpoint: its name.
        first, second: what each arm comes to, in words.
        difference: of proportions, where the endpoint is logical.
        log_rank: where it is a time to an event.
    """

    endpoint: str
    first: str
    second: str
    difference: Difference | None = None
    log_rank: LogRank | None = None


def outcomes_of(chosen: EndpointSet, people: Sequence[Person]) -> list[Outcome]:
    """Return what all endpoints of a set come to for each participant; those with the same visits share it."""
    compiled = Compiled(chosen)
    known: dict[object, Values] = {}
    found = []
    for person in people:
        timeline = person.timeline
        key = id(person) if timeline.has_reports else tuple(sorted(timeline.visits.items()))
        if key not in known:
            known[key] = compiled.values(timeline)
        found.append(Outcome(person, known[key]))
    return found


def refuse_unknown(chosen: EndpointSet, names: Sequence[str]) -> None:
    """Refuse endpoints that a set has not.

    Raises:
        EndpointsNotFoundError: it has one of them not; the error names the nearest.
    """
    for name in names:
        if name not in chosen.endpoints:
            raise EndpointsNotFoundError("endpoint", name, chosen.endpoints, nearest(name, chosen.endpoints))


def refuse_undated(chosen: EndpointSet, people: Sequence[Person]) -> None:
    """Refuse endpoints in days of visits without days, of which there is nobody who could have a value.

    Raises:
        ReportError: an endpoint needs days.
    """
    in_days = [
        name
        for name, each in chosen.endpoints.items()
        if each.unit == "days" and not (each.time_to and each.time_to.event)
    ]
    known = (visits.days for person in people for visits in person.timeline.visits.values())
    if in_days and people and all(days is None for days in known):
        msg = (
            f"every: {', '.join(in_days)} count days, and a word has none; say how many days there are from a visit to "
            "the next, such as every=7, or leave these endpoints out"
        )
        raise ReportError(msg)


def refuse_unsettled(chosen: EndpointSet, people: Sequence[Person], target: str) -> None:
    """Refuse visits of several targets of which none is chosen, and a target that nobody has.

    Args:
        chosen: the set.
        people: who is measured.
        target: that is chosen, empty for none.

    Raises:
        ReportError: it is not settled whose visits are measured.
    """
    if all(each.target or not each.missing for each in chosen.endpoints.values()):
        return
    having = [person.timeline.visits for person in people if person.timeline.visits]
    without = [visits for visits in having if "" not in visits]
    if without and (not target or len(without) == len(having)):
        names = dict.fromkeys(name for visits in without for name in visits)
        msg = f"target: expected one of {', '.join(names)}, got {shown(target) if target else 'none'}; say whose visits"
        raise ReportError(msg)


def by_arm(found: Sequence[Outcome]) -> dict[str, list[Values]]:
    """Return the values of all participants by arm, in the order of its name."""
    arms = sorted({outcome.person.arm for outcome in found})
    return {arm: [each.values for each in found if each.person.arm == arm] for arm in arms}


def written(value: Value) -> str:
    """Return a value as a table of data has it; nothing for none.

    Example:
        >>> [written(each) for each in (True, False, 3, 6.0, 0.4375, None)]
        ['TRUE', 'FALSE', '3', '6', '0.4375', '']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    return str(int(value)) if value == int(value) else repr(value)


def summary(chosen: EndpointSet, name: str, values: Sequence[Values]) -> str:
    """Return what an endpoint comes to in an arm, in a few words.

    Example:
        >>> from cm_engine.endpoints.loading import endpoints
        >>> summary(endpoints("ctn-0094"), "Ab_ling_1998", [{"Ab_ling_1998": True}, {"Ab_ling_1998": False}])
        '1 of 2 (50.0%)'
    """
    known = [value for each in values if (value := each[name]) is not None]
    if not known:
        return "no value"
    endpoint = chosen.endpoints[name]
    if endpoint.event_of or isinstance(known[0], bool):
        return f"{sum(known)} of {len(known)} ({100 * sum(known) / len(known):.1f}%)"
    if endpoint.time_to:
        return f"followed {min(known):g} to {max(known):g}"
    return f"{median(known):.4g} ({min(known):.4g} to {max(known):.4g})"


def compared(chosen: EndpointSet, arms: Mapping[str, Sequence[Values]]) -> Iterator[Compared]:
    """Yield how two arms differ: in proportions where an endpoint is logical, in survival where it is a time.

    Raises:
        ReportError: there are not two arms, or there is nobody with a value in one of them.
        MissingDependencyError: a time is compared, and statsmodels is not installed: pip install "cm-engine[survival]".
    """
    if len(arms) != COMPARED_ARMS:
        msg = f"a comparison is of two arms; here are {len(arms)}: {', '.join(name or 'no arm' for name in arms)}"
        raise ReportError(msg)
    first, second = arms.values()
    events = {each.event_of for each in chosen.endpoints.values() if each.event_of}
    for name in chosen.endpoints:
        told = (summary(chosen, name, first), summary(chosen, name, second))
        if "no value" in told:
            continue
        if name in events:
            yield _compared_times(chosen, name, (first, second))
        elif all(isinstance(each[name], bool | None) for each in (*first, *second)):
            counts = (_count(name, first), _count(name, second))
            yield Compared(name, *told, difference=difference(*counts))


def _compared_times(chosen: EndpointSet, name: str, arms: Sequence[Sequence[Values]]) -> Compared:
    times = [times_of(chosen, name, each) for each in arms]
    medians = [survival(each).median for each in times]
    told = [f"median {'not reached' if each is None else each}" for each in medians]
    came = any(any(each.events) for each in times)
    return Compared(name, told[0], told[1], log_rank=log_rank(times) if came else None)


def _count(name: str, values: Sequence[Values]) -> tuple[int, int]:
    known = [each[name] for each in values if each[name] is not None]
    return sum(map(bool, known)), len(known)
