"""Whether a measured value is a success: each kind of criterion is one function."""

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from cm_engine.errors import ResultsError
from cm_engine.program.evidence import Criterion, Fall, Goal, Percentile, Threshold

Bar = tuple[str, Fraction]
"""What a value is held against: "at most", "below", "at least" or "above", and how much."""


class Measured(NamedTuple):
    """A value, and the day it was measured on, counted from any fixed day."""

    value: Decimal
    day: int


class Memory(NamedTuple):
    """The measured values that a criterion looks back on.

    Attributes:
        baseline: the first of all.
        recent: the latest, the last one last.
        bar: of a goal, the bar of the next value.
    """

    baseline: Decimal | None = None
    recent: tuple[Measured, ...] = ()
    bar: Decimal | None = None


NO_VALUES = Memory()
"""The memory of a target of which nothing was measured."""


class Judgement(NamedTuple):
    """Whether a value met a criterion, and the bar it was held against; None if there was nothing to compare with."""

    met: bool
    bar: Bar | None


def checked_value(value: object) -> Decimal:
    """Return a measured value after looking that it is one.

    Raises:
        ResultsError: it is not an exact decimal of 0 or more.
    """
    if isinstance(value, Decimal) and value.is_finite() and value >= 0:
        return value
    msg = f"expected a measured value as a Decimal of 0 or more, got {value!r}"
    raise ResultsError(msg)


def judge(criterion: Criterion, memory: Memory, measured: Measured) -> Judgement:
    """Return whether a value meets a criterion, by the values before it.

    Example:
        >>> from cm_engine.program.evidence import Criterion, Fall
        >>> half = Criterion(fall=Fall(share="0.50", since="baseline"))
        >>> judge(half, Memory(Decimal(4000), (Measured(Decimal(4000), 0),)), Measured(Decimal(2000), 2)).met
        True
    """
    value, bar = measured.value, _bar(criterion, memory, measured.day)
    if bar is not None and _within(bar, value):
        return Judgement(met=True, bar=bar)
    certain = bound(criterion.always) if criterion.always else None
    if certain is not None and (bar is None or _within(certain, value)):
        return Judgement(_within(certain, value), certain)
    return Judgement(met=False, bar=bar)


def remember(
    criterion: Criterion | None,
    memory: Memory,
    measured: Measured,
    met: bool,  # noqa: FBT001 - what the criterion said
    keep: int,
) -> Memory:
    """Return the memory with a value more, and the bar of a goal moved by it; `keep` values are looked back on."""
    recent = (*memory.recent, measured)[-keep:]
    baseline = measured.value if memory.baseline is None else memory.baseline
    goal = criterion.goal if criterion else None
    return Memory(baseline, recent, _moved(goal, memory, recent, met=met) if goal else memory.bar)


def looks_back(criterion: Criterion | None) -> int:
    """Return how many recent values a criterion needs."""
    if criterion and criterion.percentile:
        return criterion.percentile.window
    return criterion.goal.recent if criterion and criterion.goal else 1


def bound(threshold: Threshold) -> Bar:
    """Return the one bound of a threshold."""
    bounds = {
        "at most": threshold.at_most,
        "below": threshold.below,
        "at least": threshold.at_least,
        "above": threshold.above,
    }
    return next((how, Fraction(value)) for how, value in bounds.items() if value is not None)


def _within(bar: Bar, value: Decimal) -> bool:
    how, limit = bar
    match how:
        case "at most":
            return value <= limit
        case "below":
            return value < limit
        case "at least":
            return value >= limit
        case _:
            return value > limit


def _bar(criterion: Criterion, memory: Memory, day: int) -> Bar | None:
    if criterion.threshold:
        return bound(criterion.threshold)
    if criterion.fall:
        return _after_fall(criterion.fall, memory, day)
    if criterion.percentile:
        return _ranked(criterion.percentile, memory)
    if criterion.goal:
        return "at least", Fraction(criterion.goal.start if memory.bar is None else memory.bar)
    return None


def _after_fall(fall: Fall, memory: Memory, day: int) -> Bar | None:
    if not memory.recent or memory.baseline is None:
        return None
    last, before = memory.recent[-1]
    left = 1 - Fraction(fall.share)
    days = max(1, day - before)
    if fall.daily == "linear":
        left = max(Fraction(0), 1 - Fraction(fall.share) * days)
    elif fall.daily == "compound":
        left = left**days
    return "at most", Fraction(memory.baseline if fall.since == "baseline" else last) * left


def _ranked(percentile: Percentile, memory: Memory) -> Bar | None:
    """Return the k-th value of a full window; None while it is not full."""
    if len(memory.recent) < percentile.window:
        return None
    values = sorted(value for value, _ in memory.recent[-percentile.window :])
    how = {
        ("below", "not met"): "below",
        ("below", "met"): "at most",
        ("above", "not met"): "above",
        ("above", "met"): "at least",
    }[percentile.direction, percentile.ties]
    return how, Fraction(values[percentile.k - 1])


def _moved(goal: Goal, memory: Memory, recent: tuple[Measured, ...], *, met: bool) -> Decimal:
    """Return the next bar: a step higher after a success, the recent best after a slip, and never raised by one."""
    bar = goal.start if memory.bar is None else memory.bar
    if not met:
        return min(bar, max(value for value, _ in recent[-goal.recent :]))
    return bar + goal.step if goal.top is None else min(goal.top, bar + goal.step)
