"""What is looked at, and how it is read: specimens and their flaws, absences and excuses, measured values."""

from fractions import Fraction
from math import ceil, floor
from typing import Annotated, Literal, get_args

from pydantic import Field

from cm_engine.program.parts import Count, NotMet, Part, Text
from cm_engine.program.values import Amount, Share

Condition = Literal["substituted", "adulterated", "dilute", "late", "rescheduled", "makeup"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
ReadAs = Literal["as tested", "open", "positive", "missed", "excused", "invalid", "refused"]


class TargetEvidence(Part):
    """What is looked at to see whether the target was met."""

    specimen: Annotated[Text | None, Field(description="urine, oral fluid, breath, ...")] = None
    analytes: Annotated[tuple[Text, ...], Field(description="the substances that count; others do not")] = ()
    met_if: Annotated[
        Literal["all negative", "all positive", "any positive"],
        Field(description="what a panel must show; a positive shows that a prescribed medicine was taken"),
    ] = "all negative"
    missing: Annotated[
        Literal["invalid", "positive", "ignored"],
        Field(description="how a panel is read in which a listed analyte has no result"),
    ] = "invalid"
    prescribed: Annotated[
        Literal["negative", "invalid", "positive"],
        Field(description="how a positive is read that a prescription explains"),
    ] = "negative"
    presumptive: Annotated[
        Literal["counts", "positive waits", "waits"],
        Field(description="whether a result counts at once, or waits until it is confirmed"),
    ] = "counts"
    measure: Annotated[
        Text | None, Field(description="what a measured value is in: ng/mL benzoylecgonine, ppm CO, ...")
    ] = None


class Reads(Part):
    """How a flawed specimen, or one out of its time, is read."""

    dilute: Annotated[ReadAs, Field(description="a specimen too thin to show much")] = "invalid"
    substituted: Annotated[ReadAs, Field(description="a specimen that is not the participant's")] = "refused"
    adulterated: Annotated[ReadAs, Field(description="a specimen with something added")] = "refused"
    late: Annotated[ReadAs, Field(description="a specimen or visit after its time")] = "missed"
    rescheduled: Annotated[ReadAs, Field(description="a visit put off beforehand")] = "excused"
    makeup: Annotated[ReadAs, Field(description="a visit made good on another day")] = "as tested"


class Retest(Part):
    """Results after which the visit stays open for another specimen."""

    on: Annotated[
        tuple[NotMet, ...], Field(min_length=1, description="the outcomes that ask for another one")
    ]
    at_most: Annotated[
        Count, Field(description="how often for one visit; the outcome after that counts as it is")
    ] = 1


class Quota(Part):
    """How many excuses or reschedules a window allows."""

    of: Annotated[
        Literal["excused", "rescheduled", "makeup", "late", "invalid"], Field(description="what is counted")
    ]
    at_most: Annotated[int, Field(strict=True, ge=0, le=1000, description="how many a window allows")]
    per: Annotated[Literal["week", "month", "episode"], Field(description="a program week, a calendar month")]
    then: Annotated[NotMet, Field(description="what each one beyond them counts as")] = "missed"


BOUNDS = ("at_most", "below", "at_least", "above")
"""The keys of a threshold; it has one of them."""

CRITERIA = ("threshold", "fall", "percentile", "goal")
"""The keys of a criterion that say of what kind it is; it has one of them."""


class Threshold(Part):
    """A bound on a measured value."""

    at_most: Annotated[Amount | None, Field(description="met at this value and below")] = None
    below: Annotated[Amount | None, Field(description="met below this value")] = None
    at_least: Annotated[Amount | None, Field(description="met at this value and above")] = None
    above: Annotated[Amount | None, Field(description="met above this value")] = None


class Fall(Part):
    """A fall by a share of an earlier value."""

    share: Annotated[Share, Field(description="the least share that the value falls by: 0.25 is a quarter")]
    since: Annotated[
        Literal["last", "baseline"], Field(description="the value before it, or the first one of all")
    ]
    daily: Annotated[
        Literal["linear", "compound"] | None,
        Field(description="the share is for a day: two days of 0.20 are 0.40 (linear) or 0.36 (compound)"),
    ] = None


class Percentile(Part):
    """A rank among the participant's own recent values (Galbicka 1994)."""

    window: Annotated[
        int, Field(strict=True, ge=1, le=100, description="m: how many recent values are ranked")
    ]
    rank: Annotated[
        int | None,
        Field(strict=True, ge=1, le=100, description="k: the value to do better than, 1 is the lowest"),
    ] = None
    w: Annotated[
        Share | None,
        Field(description="instead of rank: the chance of meeting it unchanged; k = (m+1)(1-w)"),
    ] = None
    rounding: Annotated[
        Literal["nearest", "half up", "half down", "up", "down"],
        Field(description="how a k that is not whole is rounded; nearest refuses a half"),
    ] = "nearest"
    direction: Annotated[
        Literal["below", "above"], Field(description="which side of the k-th value is better")
    ]
    ties: Annotated[
        Literal["met", "not met"], Field(description="whether a value equal to the k-th meets it")
    ] = "not met"

    @property
    def k(self) -> int:
        """Return the value to do better than, 1 being the lowest (Galbicka 1994: k = (m+1)(1-w)).

        Example:
            >>> Percentile(window=5, w="0.7", direction="above").k
            2
        """
        if self.w is None:
            return self.rank or 0
        match self.rounding:
            case "up":
                return ceil(self.exact_k)
            case "down":
                return floor(self.exact_k)
            case "half down":
                return ceil(self.exact_k - Fraction(1, 2))
            case _:
                return floor(self.exact_k + Fraction(1, 2))

    @property
    def exact_k(self) -> Fraction:
        """Return (m+1)(1-w), before rounding."""
        return (self.window + 1) * (1 - Fraction(self.w or 0))

    @property
    def is_halfway(self) -> bool:
        """Tell whether k lies between two ranks and the program does not say which one it is."""
        return self.rounding == "nearest" and self.exact_k.denominator == 2  # noqa: PLR2004 - a half


class Goal(Part):
    """A bar that rises with each success and moves to the participant's recent best after a slip."""

    start: Annotated[Amount, Field(description="the first bar: met at this value and above")]
    step: Annotated[Amount, Field(description="what each success adds to the bar")]
    top: Annotated[Amount | None, Field(description="the highest bar")] = None
    recent: Annotated[
        int,
        Field(strict=True, ge=1, le=100, description="after a slip the bar is the best of so many values"),
    ] = 5


class Criterion(Part):
    """What makes a measured value a success; one of threshold, fall, percentile and goal."""

    threshold: Annotated[Threshold | None, Field(description="a fixed bound")] = None
    fall: Annotated[Fall | None, Field(description="a fall since an earlier value")] = None
    percentile: Annotated[Percentile | None, Field(description="a rank among recent values")] = None
    goal: Annotated[Goal | None, Field(description="a bar that moves with the participant")] = None
    always: Annotated[
        Threshold | None, Field(description="a bound within which a value is a success whatever else holds")
    ] = None
