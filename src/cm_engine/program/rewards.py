"""What is paid beside a ladder, and how all of it is bounded and handed over."""

from decimal import Decimal
from typing import Annotated, Any, Literal, cast

from pydantic import Field, PlainValidator, WithJsonSchema

from cm_engine.program.evidence import Criterion
from cm_engine.program.parts import RESET_BY_DEFAULT, Banned, Count, Name, NotMet, Part, Switch, Text, Weekday
from cm_engine.program.values import Amount, DatedAmount, MonthDay, WeekRange, shown, wrong

Window = Literal["reward", "day", "week", "month", "calendar year", "grant year", "rolling days", "episode"]

CONDITIONS_OF_MILESTONES = ("run", "count", "visits", "week", "end_of", "event")
"""The keys of `when` that say when a milestone is reached; each has one of them."""


def _in_week(value: Any) -> int | Literal["all", "some"]:
    if value in ("all", "some") or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return cast("int | Literal['all', 'some']", value)
    raise wrong(f"expected all, some or a number of visits, got {shown(value)}")


InWeek = Annotated[
    int | Literal["all", "some"],
    PlainValidator(_in_week),
    WithJsonSchema({"anyOf": [{"enum": ["all", "some"]}, {"type": "integer", "minimum": 1}]}),
]


class When(Part):
    """When a milestone is reached: one of run, count, visits, week, end_of and event."""

    targets: Annotated[
        tuple[Name, ...], Field(min_length=1, description="which targets count; if left out, all of them")
    ] = ()
    run: Annotated[Count | None, Field(description="so many consecutive successes")] = None
    count: Annotated[
        Count | None,
        Field(description="so many successes in all; with event, so many times that it happened"),
    ] = None
    visits: Annotated[
        Count | None, Field(description="so many visits kept, whatever their result; 1 primes with the first")
    ] = None
    week: Annotated[
        InWeek | None,
        Field(
            description="a program week in which all visits that were due were met, some, or at least so many"
        ),
    ] = None
    end_of: Annotated[
        WeekRange | None, Field(description="the last visit of these weeks, with at_least successes in them")
    ] = None
    at_least: Annotated[Count, Field(description="of end_of: the successes needed")] = 1
    event: Annotated[
        Text | None, Field(description="something reported from outside: intake, job started, phq-9, ...")
    ] = None
    criterion: Annotated[
        Criterion | None, Field(description="of an event that comes with a measured value")
    ] = None


class Milestone(Part):
    """A reward on a condition of its own, over one target or several."""

    says: Annotated[Text, Field(description="what the participant reads: Four weeks of visits")]
    when: Annotated[When, Field(description="when it is reached")]
    amount: Annotated[Amount, Field(description="what it pays")] = Decimal(0)
    unit: Annotated[
        Text | None, Field(description="what is awarded; if left out, the program's currency")
    ] = None
    repeats: Annotated[Switch, Field(description="paid each time, and not only the first")] = False
    at_most: Annotated[
        Count | None, Field(description="with repeats: how often it is paid; if left out, without end")
    ] = None
    resets_on: Annotated[
        tuple[NotMet, ...],
        Field(
            min_length=1,
            description="the outcomes that begin the count anew; of a run, if left out, as for a ladder",
        ),
    ] = ()
    refunds: Annotated[Switch, Field(description="the participant's deposit comes back with it")] = False


class Deposit(Part):
    """A stake of the participant's own: paid in with the event `deposit`, and lost or returned."""

    stake: Annotated[Amount, Field(description="what the participant pays in")]
    loss: Annotated[Amount, Field(description="what each lapse takes of it")] = Decimal(0)
    on: Annotated[tuple[NotMet, ...], Field(min_length=1, description="the outcomes that are a lapse")] = (
        RESET_BY_DEFAULT
    )


class Channel(Part):
    """What a gateway has to be, that hands awards over; if left out, any is good enough."""

    blocks: Annotated[
        tuple[Banned, ...], Field(min_length=1, description="what it keeps from being bought")
    ] = ()
    by: Annotated[
        Literal["category", "item"],
        Field(
            examples=["item"],
            description="of blocks: by kinds of shops at least, or by what lies in the basket in any shop",
        ),
    ] = "category"
    cash: Annotated[
        Switch, Field(examples=[False], description="it may be such that can be turned into cash")
    ] = True


class Payout(Part):
    """When an award is handed over."""

    when: Annotated[
        Literal["at once", "on request", "set days"],
        Field(description="with the decision; saved in a voucher bank until asked for; or on given weekdays"),
    ] = "at once"
    days: Annotated[tuple[Weekday, ...], Field(min_length=1, description="of set days: the weekdays")] = ()
    minimum: Annotated[
        Amount | None,
        Field(
            examples=["20.00"], description="of on request: the least that is handed over, in the currency"
        ),
    ] = None
    products: Annotated[
        tuple[Text, ...],
        Field(
            min_length=1,
            examples=[["gift card", "bus pass"]],
            description="of on request: what may be asked for; if left out, whatever the clinic has",
        ),
    ] = ()
    expires_after: Annotated[
        Count | None, Field(description="days after which what was not collected is lost to the participant")
    ] = None
    overpaid: Annotated[
        Literal["absorbed", "offset"],
        Field(
            examples=["offset"],
            description="what a correction shows to have been given too much: borne by the program, "
            "or taken off later awards; it is never taken back",
        ),
    ] = "absorbed"
    channel: Annotated[
        Channel | None, Field(description="what a gateway has to be, that hands it over; if left out, any")
    ] = None


class Limit(Part):
    """The most that may be awarded in a window; all limits apply at once."""

    amount: Annotated[DatedAmount, Field(description="the most, or the most from each date on")]
    unit: Annotated[Text | None, Field(description="what is limited; if left out, the currency")] = None
    per: Annotated[
        Window, Field(description="the window; a week is a program week, a month one of the calendar")
    ]
    begins: Annotated[
        MonthDay | None, Field(description="of a grant year: the day it begins on, such as 10-01")
    ] = None
    days: Annotated[
        Count | None, Field(description="of rolling days: how many, the day of the visit included")
    ] = None
    payer: Annotated[
        Name | None,
        Field(description="counts for a participant in all programs of this payer, and not in this one only"),
    ] = None
    fund: Annotated[
        Name | None, Field(description="counts for all participants paid from this source of funds")
    ] = None
    crossing: Annotated[
        Literal["truncate", "withhold", "stop"],
        Field(
            description="the reward that would cross: cut to what is left, not paid, "
            "or not paid and nothing after it in the window either"
        ),
    ]

    @property
    def needs_start(self) -> bool:
        """Tell whether the limit means nothing in a timeline without dates."""
        shared = self.payer is not None or self.fund is not None
        return shared or len(self.amount.changes) > 1 or self.per in {"month", "grant year"}
