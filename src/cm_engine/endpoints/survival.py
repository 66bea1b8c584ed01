"""Survival of a cohort: tables, Kaplan-Meier curves with confidence limits, and the log-rank test of arms."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import exp, log
from typing import NamedTuple

from cm_engine.endpoints.proportions import Z95
from cm_engine.endpoints.statistics import statistics
from cm_engine.errors import EndpointsNotFoundError, ReportError
from cm_engine.outcomes.compiled import Value
from cm_engine.outcomes.model import EndpointSet
from cm_engine.spelling import nearest

ARMS_MIN = 2


class Times(NamedTuple):
    """What one endpoint says of one arm: the time of each participant, and whether the event came then."""

    times: tuple[int, ...]
    events: tuple[bool, ...]


class Moment(NamedTuple):
    """A line of a survival table.

    Attributes:
        time: when events came, or participants were last seen.
        at_risk: how many were still without it just before.
        events: how many had it then.
        censored: how many were last seen then, without it.
        survival: the share without it by then, by Kaplan and Meier.
        low, high: the limits of 95 percent of the share, of its log-log.
    """

    time: int
    at_risk: int
    events: int
    censored: int
    survival: float
    low: float
    high: float


class Curve(NamedTuple):
    """The survival of one arm.

    Attributes:
        arm: its name, empty where there is one only.
        people: how many participants there are.
        events: how many of them had the event.
        median: the first time by which at most half are without it, None if it was not reached.
        moments: the table, from the first time to the last.
    """

    arm: str
    people: int
    events: int
    median: int | None
    moments: tuple[Moment, ...]


class LogRank(NamedTuple):
    """The log-rank test of whether all arms have one survival: chi-square, degrees of freedom, p."""

    chi_square: float
    freedom: int
    p: float


def times_of(chosen: EndpointSet, name: str, values: Iterable[Mapping[str, Value]]) -> Times:
    """Return the times of an endpoint with those of its events; who has no time is left out.

    Args:
        chosen: the set.
        name: an endpoint with the key time_to; another one in the set has to be the event of it.
        values: of each participant.

    Raises:
        EndpointsNotFoundError: the set has no such endpoint.
        ReportError: it is no time to an event, or the set has no event of it.
    """
    event = _event_of(chosen, name)
    found = [(each[name], each[event]) for each in values if each[name] is not None]
    return Times(tuple(int(time or 0) for time, _ in found), tuple(bool(event) for _, event in found))


def _event_of(chosen: EndpointSet, name: str) -> str:
    if name not in chosen.endpoints:
        raise EndpointsNotFoundError("endpoint", name, chosen.endpoints, nearest(name, chosen.endpoints))
    events = [other for other, each in chosen.endpoints.items() if each.event_of == name]
    if not events:
        timed = ", ".join(dict.fromkeys(each.event_of for each in chosen.endpoints.values() if each.event_of))
        msg = f"{name}: survival is of an endpoint with a time and an event; in {chosen.set} these are {timed or 'none'}"
        raise ReportError(msg)
    return events[0]


def survival(found: Times, arm: str = "") -> Curve:
    """Return the survival table of an arm, with the Kaplan-Meier estimate.

    Raises:
        ReportError: nobody has a time.
        MissingDependencyError: statsmodels is not installed: pip install "cm-engine[survival]".

    Example:
        >>> curve = survival(Times((6, 6, 7, 10), (True, False, True, False)))
        >>> [(each.time, each.at_risk, round(each.survival, 3)) for each in curve.moments]
        [(6, 4, 0.75), (7, 2, 0.375), (10, 1, 0.375)]
        >>> curve.median
        7
    """
    if not found.times:
        msg = f"nobody{f' in arm {arm}' if arm else ''} has a time: there is no survival to estimate"
        raise ReportError(msg)
    moments = tuple(_moments(found))
    median = next((each.time for each in moments if each.survival <= 1 / 2), None)
    return Curve(arm, len(found.times), sum(found.events), median, moments)


def _moments(found: Times) -> Iterator[Moment]:
    estimate = statistics("duration.survfunc").SurvfuncRight(found.times, list(map(int, found.events)))
    at_events = {
        int(time): (float(share), float(error))
        for time, share, error in zip(
            estimate.surv_times, estimate.surv_prob, estimate.surv_prob_se, strict=True
        )
    }
    events = Counter(time for time, came in zip(*found, strict=True) if came)
    left = Counter(found.times)
    at_risk, share, error = len(found.times), 1.0, 0.0
    for time in sorted(left):
        share, error = at_events.get(time, (share, error))
        low, high = _limits(share, error)
        yield Moment(time, at_risk, events[time], left[time] - events[time], share, low, high)
        at_risk -= left[time]


def _limits(share: float, error: float) -> tuple[float, float]:
    """Return the limits of a share by the log of its log, which stay between 0 and 1."""
    if not 0 < share < 1:
        return share, share
    width = exp(Z95 * error / (share * abs(log(share))))
    return share**width, share ** (1 / width)


def log_rank(arms: Sequence[Times]) -> LogRank:
    """Return the log-rank test of two arms or more.

    Raises:
        ReportError: there are fewer than two arms, or nobody had the event.
        MissingDependencyError: statsmodels is not installed: pip install "cm-engine[survival]".

    Example:
        >>> found = log_rank([Times((1, 2, 3), (True, True, True)), Times((4, 5, 6), (True, True, False))])
        >>> round(found.chi_square, 2), found.freedom, round(found.p, 3)
        (5.05, 1, 0.025)
    """
    filled = [each for each in arms if each.times]
    if len(filled) < ARMS_MIN or not any(any(each.events) for each in filled):
        msg = f"a comparison takes two arms with somebody in them and an event; got {len(filled)} such arms"
        raise ReportError(msg)
    times = [time for each in filled for time in each.times]
    events = [int(came) for each in filled for came in each.events]
    groups = [index for index, each in enumerate(filled) for _ in each.times]
    chi_square, p = statistics("duration.survfunc").survdiff(times, events, groups)
    return LogRank(float(chi_square), len(filled) - 1, float(p))
