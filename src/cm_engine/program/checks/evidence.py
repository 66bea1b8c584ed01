"""What must hold of evidence: bounds, ranks, quotas."""

from cm_engine.program.checks.base import Found, Whole, listed_once
from cm_engine.program.evidence import (
    BOUNDS,
    CONDITIONS,
    CRITERIA,
    Criterion,
    Fall,
    Goal,
    Percentile,
    Retest,
    TargetEvidence,
    Threshold,
)
from cm_engine.program.models import Target
from cm_engine.program.parts import Part
from cm_engine.program.values import either


def _given(part: Part, keys: tuple[str, ...]) -> list[str]:
    return [key for key in keys if getattr(part, key) is not None]


def one_bound(threshold: Threshold, _: Whole) -> Found:
    """Find a threshold with no bound, or with two."""
    if len(_given(threshold, BOUNDS)) != 1:
        yield (), f"expected {either(BOUNDS)}, one of them"


def one_criterion(criterion: Criterion, _: Whole) -> Found:
    """Find a criterion of no kind, or of two."""
    if len(_given(criterion, CRITERIA)) != 1:
        yield (), f"expected {either(CRITERIA)}, one of them"
    if criterion.threshold and criterion.always:
        yield ("always",), "a threshold is a fixed bound already; remove one of them"


def days_since_last(fall: Fall, _: Whole) -> Found:
    """Find a daily fall since the baseline, whose day is not kept."""
    if fall.daily is not None and fall.since == "baseline":
        yield ("daily",), "a daily fall is one since the last value; write since: last, or remove daily"


def one_rank(percentile: Percentile, _: Whole) -> Found:
    """Find a percentile with no rank, with two, or with one outside its window."""
    if len(_given(percentile, ("rank", "w"))) != 1:
        yield (), "expected rank or w, one of them"
        return
    if percentile.w is None:
        if "rounding" in percentile.model_fields_set:
            yield ("rounding",), "a rank is whole already; remove rounding"
        if percentile.k > percentile.window:
            yield ("rank",), f"expected a rank from 1 to the window, {percentile.window}, got {percentile.k}"
        return
    k = f"k = ({percentile.window}+1)(1-{percentile.w})"
    if percentile.is_halfway:
        here = "rounding" if "rounding" in percentile.model_fields_set else "w"
        yield (here,), f"{k} lies halfway between two ranks; add rounding: half up or half down"
    elif not 1 <= percentile.k <= percentile.window:
        yield ("w",), f"{k} is {percentile.k}; expected 1 to {percentile.window}; choose another w"


def top_above_start(goal: Goal, _: Whole) -> Found:
    """Find a goal whose top lies below its start, or that never moves."""
    if not goal.step:
        yield ("step",), "a step of 0 never rises; write threshold: instead of goal:"
    if goal.top is not None and goal.top < goal.start:
        yield ("top",), f"expected at least the start, {goal.start}, got {goal.top}"


def outcomes_once(retest: Retest, _: Whole) -> Found:
    """Find an outcome that is listed twice."""
    return listed_once(retest.on, ("on",))


def analytes_once(evidence: TargetEvidence, _: Whole) -> Found:
    """Find an analyte that is listed twice."""
    return listed_once(evidence.analytes, ("analytes",))


def panel_of_negatives(evidence: TargetEvidence, _: Whole) -> Found:
    """Find what speaks of negatives beside a panel that looks for positives."""
    if "missing" in evidence.model_fields_set and not evidence.analytes:
        yield ("missing",), "without analytes nothing can be missing; add analytes, or remove missing"
    if evidence.met_if == "all negative":
        return
    if "prescribed" in evidence.model_fields_set:
        yield (
            ("prescribed",),
            f"with met_if: {evidence.met_if} a positive is what is looked for; remove prescribed",
        )
    if evidence.missing == "positive":
        yield (
            ("missing",),
            f"with met_if: {evidence.met_if} this would pay for a result that nobody has; write invalid",
        )


def quotas_once(target: Target, _: Whole) -> Found:
    """Find two quotas of the same thing in the same window, and excuses listed twice."""
    for index, quota in enumerate(target.quotas):
        if any((quota.of, quota.per) == (other.of, other.per) for other in target.quotas[:index]):
            yield ("quotas", index), f"a quota of {quota.of} per {quota.per} stands above already"
        if quota.then == quota.of:
            yield ("quotas", index, "then"), f"beyond the quota {quota.of} must count as something else"
    for condition in CONDITIONS:
        bounded = any(quota.of == condition for quota in target.quotas)
        if getattr(target.reads, condition) == "open" and not bounded:
            yield ("reads", condition), f"nothing ends the putting off; add a quota of {condition}"
    yield from listed_once(target.excuses, ("excuses",))


RULES = {
    Threshold: (one_bound,),
    Criterion: (one_criterion,),
    Fall: (days_since_last,),
    Percentile: (one_rank,),
    Goal: (top_above_start,),
    Retest: (outcomes_once,),
    TargetEvidence: (analytes_once, panel_of_negatives),
    Target: (quotas_once,),
}
