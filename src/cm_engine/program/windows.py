"""Which days belong to a planned visit: for results that come with a date, and not with the number of their visit."""

from typing import Annotated, Literal

from pydantic import Field

from cm_engine.program.parts import Part

DAYS_MAX = 60

Days = Annotated[int, Field(strict=True, ge=0, le=DAYS_MAX)]


class Windows(Part):
    """The days around a planned visit that belong to it; a visit that nobody came to by their end was missed."""

    within: Annotated[
        Literal["day", "week"],
        Field(description="the planned day and the days around it, or the whole program week of the visit"),
    ] = "day"
    before: Annotated[Days, Field(description="days before the planned one that belong to the visit")] = 0
    after: Annotated[Days, Field(description="days after it that belong to the visit")] = 0
    makeup: Annotated[
        Days, Field(description="further days on which it can be made good; its condition is then makeup")
    ] = 0
    apart: Annotated[
        Days,
        Field(
            description="days between the results of two visits at least; sooner, it is another one of the first, but on its own planned day"
        ),
    ] = 1
    specimens: Annotated[
        Literal["first", "last", "worst"],
        Field(description="which of several specimens of one visit counts; an absence never does beside one"),
    ] = "first"
    unscheduled: Annotated[
        Literal["not counted", "counted"],
        Field(description="whether a specimen that was not planned counts for the visit of its day"),
    ] = "not counted"
    grace: Annotated[
        Days, Field(description="days after the window until a visit without any result was missed")
    ] = 0
