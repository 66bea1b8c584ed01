"""How a phase pays: its reward, what moves it, what resets it, what brings it back."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from cm_engine.program.evidence import Criterion
from cm_engine.program.parts import RESET_BY_DEFAULT, Count, Every, Name, NotMet, Part, Switch, Text
from cm_engine.program.values import Amount, SubPath, WeekRange

REWARDS = ("escalate", "descend", "fixed", "weekly", "choice", "together")
"""The keys of a phase that say what it pays; a phase has one of them."""


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


class Option(Part):
    """One of several rewards that the participant chooses from."""

    amount: Annotated[Amount, Field(description="what a success pays in it")]
    unit: Annotated[
        Text | None, Field(description="what is awarded; if left out, the program's currency")
    ] = None


class Group(Part):
    """A group whose members' results decide together: interdependent, or dependent on one of them."""

    size: Annotated[int, Field(strict=True, ge=1, le=1000, description="how many members' results count")]
    need: Annotated[
        int, Field(strict=True, ge=1, le=1000, description="how many of them have to meet the target")
    ] = 1
    paid: Annotated[
        Literal["who met", "all"],
        Field(description="with enough of them: the members who met it themselves, or all members"),
    ] = "who met"


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
    choice: Annotated[
        dict[Name, Option],
        Field(min_length=2, description="rewards to choose from; the first unless another is chosen"),
    ] = {}
    together: Annotated[
        tuple[Amount, ...],
        Field(
            min_length=1, description="of a group: what a success pays when one member met it, two, ... all"
        ),
    ] = ()
    group: Annotated[Group | None, Field(description="results of a whole group decide")] = None
    provided: Annotated[
        Name | None, Field(description="another target, above, that has to be met at the same visit")
    ] = None
    criterion: Annotated[Criterion | None, Field(description="what makes a measured value a success")] = None
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
        for index, amount in enumerate(self.together):
            yield ("together", index), amount
        if self.bonus:
            yield ("bonus", "amount"), self.bonus.amount

    @property
    def rewards(self) -> tuple[str, ...]:
        """Return which keys say what the phase pays; one that is loaded has one."""
        return tuple(key for key in REWARDS if getattr(self, key) not in (None, {}, ()))

    @property
    def resetting(self) -> frozenset[NotMet]:
        """Return the outcomes that reset; the others hold."""
        if self.reset is None:
            return frozenset()
        return frozenset(RESET_BY_DEFAULT if self.reset.on is None else self.reset.on)
