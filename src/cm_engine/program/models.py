"""What a program designer writes, as frozen models; each field says what it means and in which unit."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from cm_engine.program.units import CURRENCY_DECIMALS, Unit, unit_named
from cm_engine.program.values import (
    Amount,
    DatedAmount,
    Day,
    MonthDay,
    SubPath,
    WeekRange,
    Word,
    shown,
    wrong,
)
from cm_engine.spelling import nearest

PER_WEEK_MAX = 70
EVERY_MAX = 1000
NAME_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"

Text = Annotated[str, StringConstraints(pattern=r"\S", max_length=2000)]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=80)]
Count = Annotated[int, Field(strict=True, ge=1, le=10_000)]
Switch = Annotated[bool, Field(strict=True)]

NotMet = Literal["positive", "missed", "excused", "invalid", "refused"]
NOT_MET: tuple[NotMet, ...] = get_args(NotMet)
RESET_BY_DEFAULT: tuple[NotMet, ...] = ("positive", "missed", "refused")

Mark = Literal["stated", "derived", "unverified"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


def _every(value: Any) -> int | Literal["week"]:
    if value == "week":
        return "week"
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= EVERY_MAX:
        return value
    raise wrong(f"expected a number of successes from 1 to {EVERY_MAX}, or week, got {shown(value)}")


Every = Annotated[
    int | Literal["week"],
    PlainValidator(_every),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": EVERY_MAX}, {"const": "week"}]}),
]


def _currency(code: str) -> str:
    if code not in CURRENCY_DECIMALS:
        raise wrong(f"{shown(code)} is not an ISO 4217 currency{nearest(code.upper(), CURRENCY_DECIMALS)}")
    return code


Currency = Annotated[
    str, AfterValidator(_currency), WithJsonSchema({"type": "string", "enum": sorted(CURRENCY_DECIMALS)})
]


Window = Literal["reward", "day", "week", "month", "calendar year", "grant year", "rolling days", "episode"]


class Part(BaseModel):
    """A part of a program file: frozen, and refusing keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Part):
    """A text that states a fact the program rests on."""

    cite: Annotated[Text, Field(description="the reference, as a reader would look it up")]
    url: Annotated[Text | None, Field(description="where it can be read")] = None
    doi: Annotated[Text | None, Field(description="its digital object identifier, without a prefix")] = None


class Evidence(Part):
    """How well a value of this file is known, and from where."""

    of: Annotated[Text, Field(description="the path of a value or of a part: targets.stimulants.schedule.0")]
    mark: Annotated[
        Mark,
        Field(description="stated in a source, derived from stated values, or unverified: confirmed by none"),
    ]
    sources: Annotated[
        tuple[Name, ...], Field(description="the names of sources listed under `sources`")
    ] = ()
    note: Annotated[Text | None, Field(description="what to know about it")] = None


class VisitBlock(Part):
    """Weeks that share a rhythm of visits."""

    weeks: Annotated[WeekRange, Field(description="program weeks, such as 1-12 or 24")]
    every_weeks: Annotated[
        Count, Field(description="only the first of every so many weeks has the visits")
    ] = 1
    per_week: Annotated[
        int | None,
        Field(strict=True, ge=0, le=PER_WEEK_MAX, description="visits a week, spread evenly over its days"),
    ] = None
    days: Annotated[
        tuple[Weekday, ...],
        Field(min_length=1, description="instead of per_week: the weekdays of the visits"),
    ] = ()

    @property
    def visits_a_week(self) -> int:
        """Return the number of visits in each week that has some."""
        return len(self.days) if self.per_week is None else self.per_week


class Escalate(Part):
    """A reward that rises with each success, or with each so many."""

    start: Annotated[Amount, Field(description="the first reward, and the one after a reset")]
    step: Annotated[Amount, Field(description="what each step adds", json_schema_extra={"not": {"const": 0}})]
    every: Annotated[
        Every, Field(description="successes to a step, or week: a week of successes to a step")
    ] = 1
    ceiling: Annotated[Amount | None, Field(description="the highest reward, without bonuses")] = None
    begins: Annotated[
        Literal["start", "ceiling"],
        Field(description="where a phase begins; from the ceiling it falls to the start at the first reset"),
    ] = "start"


class Descend(Part):
    """A reward that falls with each success, or with each so many: the same spend, earlier."""

    start: Annotated[Amount, Field(description="the first reward")]
    step: Annotated[
        Amount, Field(description="what each step takes away", json_schema_extra={"not": {"const": 0}})
    ]
    every: Annotated[
        Every, Field(description="successes to a step, or week: a week of successes to a step")
    ] = 1
    floor: Annotated[Amount, Field(description="the lowest reward")] = Decimal(0)


class Weekly(Part):
    """A reward for a week, decided at the last visit of the week."""

    all: Annotated[Amount, Field(description="what a week pays in which every visit that was due was met")]
    some: Annotated[Amount, Field(description="what a week pays in which at least one visit was met")] = (
        Decimal(0)
    )


class Bonus(Part):
    """An extra for every k-th success of a run, above any ceiling."""

    amount: Annotated[Amount, Field(description="what is added, in the unit of the phase")]
    every: Annotated[Count, Field(description="k: the bonus comes with each k-th consecutive success")]


class Reset(Part):
    """When the ladder falls back to its start; the outcome itself pays nothing."""

    on: Annotated[
        tuple[NotMet, ...] | None,
        Field(min_length=1, description="the outcomes that reset; if left out, positive, missed and refused"),
    ] = None


class Hold(Part):
    """When nothing is paid and nothing moves."""

    on: Annotated[tuple[NotMet, ...], Field(min_length=1, description="the outcomes that hold")]


class Recover(Part):
    """How a run of successes after a reset brings the former level back."""

    after: Annotated[Count, Field(description="consecutive successes after the reset")]
    paid: Annotated[
        Literal["nth", "next"],
        Field(description="nth: the last of these successes is paid at the level; next: the one after it"),
    ]
    level: Annotated[
        Literal["last earned", "next step"],
        Field(description="the reward last paid before the reset, or the one that would have come next"),
    ]
    saved: Annotated[
        Literal["highest", "latest"],
        Field(description="after several resets: the highest level lost, or the latest"),
    ] = "highest"


class Phase(Part):
    """Weeks of a target's schedule that follow one rule; a phase is a ladder of its own unless it carries on."""

    weeks: Annotated[WeekRange, Field(description="program weeks, such as 1-12 or 24")]
    unit: Annotated[
        Text | None, Field(description="what is awarded; if left out, the program's currency")
    ] = None
    escalate: Annotated[Escalate | None, Field(description="a rising reward")] = None
    descend: Annotated[Descend | None, Field(description="a falling reward")] = None
    fixed: Annotated[Amount | None, Field(description="the same reward for each success")] = None
    weekly: Annotated[Weekly | None, Field(description="a reward for each week")] = None
    hours: Annotated[
        Count, Field(description="amounts are for an hour, and each visit has so many hours")
    ] = 1
    require: Annotated[
        tuple[Count, ...],
        Field(
            min_length=1,
            description="consecutive successes needed for the first, second, ... reward of a run; the last repeats",
        ),
    ] = ()
    carry: Annotated[
        Switch, Field(description="position, run and saved level go on from the phase before")
    ] = False
    bonus: Annotated[Bonus | None, Field(description="an extra for every k-th consecutive success")] = None
    reset: Annotated[Reset | None, Field(description="without it, nothing resets")] = None
    recover: Annotated[Recover | None, Field(description="without it, a lost level is climbed again")] = None
    hold: Annotated[Hold | None, Field(description="if left out, the outcomes that do not reset")] = None

    def amounts(self) -> Iterator[tuple[SubPath, Decimal]]:
        """Yield every amount of the phase with its place in the phase."""
        if self.fixed is not None:
            yield ("fixed",), self.fixed
        if self.escalate:
            yield ("escalate", "start"), self.escalate.start
            yield ("escalate", "step"), self.escalate.step
            if self.escalate.ceiling is not None:
                yield ("escalate", "ceiling"), self.escalate.ceiling
        if self.descend:
            yield ("descend", "start"), self.descend.start
            yield ("descend", "step"), self.descend.step
            yield ("descend", "floor"), self.descend.floor
        if self.weekly:
            yield ("weekly", "all"), self.weekly.all
            yield ("weekly", "some"), self.weekly.some
        if self.bonus:
            yield ("bonus", "amount"), self.bonus.amount

    @property
    def resetting(self) -> frozenset[NotMet]:
        """Return the outcomes that reset; the others hold."""
        if self.reset is None:
            return frozenset()
        return frozenset(RESET_BY_DEFAULT if self.reset.on is None else self.reset.on)


class TargetEvidence(Part):
    """What is looked at to see whether the target was met."""

    specimen: Annotated[Text | None, Field(description="urine, oral fluid, breath, ...")] = None
    analytes: Annotated[tuple[Text, ...], Field(description="the substances that count; others do not")] = ()


class Target(Part):
    """A behavior that is rewarded, with its evidence and its schedule."""

    behavior: Annotated[
        Literal["abstinence", "attendance", "medication", "task"],
        Field(description="it chooses the words that a participant reads"),
    ]
    evidence: Annotated[TargetEvidence | None, Field(description="what shows that it was met")] = None
    schedule: Annotated[tuple[Phase, ...], Field(min_length=1, description="phases that cover all weeks")]


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
        return len(self.amount.changes) > 1 or self.per in {"month", "grant year"}


class Case(Part):
    """A worked example that the program must reproduce, to the cent."""

    name: Annotated[Text, Field(description="what the case shows")]
    results: Annotated[
        Word, Field(min_length=1, description="a use-pattern word, one symbol a visit: - + o e * r _")
    ]
    start: Annotated[Day | None, Field(description="the start date, where amounts depend on dates")] = None
    truncate: Annotated[Switch, Field(description="drop results beyond the plan")] = False
    awards: Annotated[
        tuple[Amount, ...] | None, Field(description="what each visit pays, in the unit of its phase")
    ] = None
    total: Annotated[Amount | None, Field(description="the sum, if the program has one unit")] = None
    totals: Annotated[dict[str, Amount] | None, Field(min_length=1, description="the sums by unit")] = None
    mark: Annotated[Mark | None, Field(description="how well the expected figures are known")] = None
    sources: Annotated[
        tuple[Name, ...], Field(description="the names of sources listed under `sources`")
    ] = ()


class Program(Part):
    """A whole program file: who is expected when, what is rewarded, how, and how well that is known.

    Get one from `load_program`, `parse_program` or the catalogue: they check what has to hold between its values,
    the model alone only their form.
    """

    program: Annotated[Name, Field(description="the id: small letters, digits and hyphens")]
    version: Annotated[Text, Field(description='the version of the program, in quotation marks: "1"')]
    title: Annotated[Text, Field(description="the name people use")]
    summary: Annotated[Text | None, Field(description="what it is for, in a few sentences")] = None
    currency: Annotated[Currency | None, Field(description="the ISO 4217 code of the money")] = None
    units: Annotated[
        dict[Text, Text],
        Field(description="further things awarded, singular to plural: {bus pass: bus passes}"),
    ] = {}
    readings: Annotated[
        tuple[Text, ...], Field(description="how the program reads what its sources leave open")
    ] = ()
    sources: Annotated[dict[Name, Source], Field(description="texts, each under a short name")] = {}
    evidence: Annotated[tuple[Evidence, ...], Field(description="how well each value is known")] = ()
    visits: Annotated[tuple[VisitBlock, ...], Field(min_length=1, description="the visit plan")]
    targets: Annotated[
        dict[Name, Target], Field(min_length=1, max_length=1, description="the behavior rewarded")
    ]
    limits: Annotated[tuple[Limit, ...], Field(description="all apply at once")] = ()
    cases: Annotated[tuple[Case, ...], Field(description="worked examples, run by cm-engine check")] = ()

    def __hash__(self) -> int:
        """Hash by id and version: cheap, and equal programs agree on it."""
        return hash((self.program, self.version))

    @property
    def target(self) -> Target:
        """Return the one target of the program."""
        return next(iter(self.targets.values()))

    def unit(self, name: str | None) -> Unit:
        """Return the unit called `name`, or the currency if it is None.

        Raises:
            KeyError: nothing is called so, or the program has no currency.
        """
        return unit_named(self.currency if name is None else name, self.units)

    @property
    def visit_count(self) -> int:
        """Return the number of visits that the plan expects."""
        return sum(
            block.visits_a_week * len(range(block.weeks.first, block.weeks.last + 1, block.every_weeks))
            for block in self.visits
        )
