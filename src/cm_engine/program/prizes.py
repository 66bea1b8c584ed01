"""What draws are turned into: bowls of slips, lotteries by their odds, trade-ups, and names in a hat."""

from fractions import Fraction
from typing import Annotated

from pydantic import Field

from cm_engine.program.parts import Count, Name, Part, Switch, Text
from cm_engine.program.values import Amount, Chance


class Slip(Part):
    """One kind of slip in a bowl."""

    count: Annotated[int, Field(strict=True, ge=1, le=1_000_000, description="how many are in the bowl")]
    value: Annotated[Amount, Field(description="what it wins, in the currency; 0 wins nothing")]
    says: Annotated[Text | None, Field(description="what is written on it: good job")] = None
    stock: Annotated[
        Count | None,
        Field(description="prizes on the shelf; once they are gone, the slip is not in the bowl"),
    ] = None


class Odds(Part):
    """One outcome of a lottery."""

    chance: Annotated[Chance, Field(description="a fraction, such as 1/5; what they leave wins nothing")]
    value: Annotated[Amount, Field(description="what it wins, in the currency")]


class TradeUp(Part):
    """Small prizes pooled for a better one."""

    give: Annotated[Count, Field(description="how many are given back")]
    of: Annotated[Name, Field(description="the kind of slip they were won with")]
    get: Annotated[Name, Field(description="the kind of slip that they become")]


class Bowl(Part):
    """What a draw is taken from: slips by their counts, or a lottery by its odds."""

    slips: Annotated[dict[Name, Slip], Field(min_length=1, description="the kinds of slips")] = {}
    odds: Annotated[dict[Name, Odds], Field(min_length=1, description="instead of slips: the outcomes")] = {}
    replace: Annotated[Switch, Field(description="a slip goes back after it was drawn")] = True
    every_slip_wins: Annotated[Switch, Field(description="refuses a slip that wins nothing")] = False
    expected_value: Annotated[
        Amount | None, Field(description="what a draw wins on average; the loader compares it with the slips")
    ] = None
    trade_up: Annotated[tuple[TradeUp, ...], Field(description="small prizes pooled for a better one")] = ()


class Hat(Part):
    """Names drawn from those of a group; each name drawn then draws from a bowl."""

    names: Annotated[Count, Field(description="how many names are drawn at a session")]
    unit: Annotated[Text, Field(description="the unit that puts a name in: one slip with it for each")] = (
        "name slip"
    )
    draws: Annotated[Count, Field(description="draws from the bowl for each name drawn")] = 1
    bowl: Annotated[Text, Field(description="the unit of the bowl drawn from")] = "draw"
    replace: Annotated[Switch, Field(description="a name may be drawn more than once at a session")] = False


def average(bowl: Bowl) -> Fraction:
    """Return what a draw from a full bowl wins on average.

    Example:
        >>> from decimal import Decimal
        >>> average(Bowl(slips={"no": Slip(count=1, value=Decimal(0)), "yes": Slip(count=1, value=Decimal(5))}))
        Fraction(5, 2)
    """
    if bowl.odds:
        return sum((each.chance * Fraction(each.value) for each in bowl.odds.values()), Fraction(0))
    slips = sum(slip.count for slip in bowl.slips.values())
    return sum((slip.count * Fraction(slip.value) for slip in bowl.slips.values()), Fraction(0)) / slips
