"""Why a decision is what it is, as small structured facts; `sentences` puts them into words.

Each carries its `code`, so that two reasons are equal only if they are of one kind. Amounts are in minor units of the reason's unit. A `run` counts consecutive successes, holds not breaking it.
"""

from typing import Literal, NamedTuple, get_args

from cm_engine.program.units import Unit


class Earned(NamedTuple):
    """The target was met.

    Attributes:
        change: the rise since the last success of the run, None for its first and in a phase that carries on.
        in_a_row: whatever is not met ends the run, unless it is excused or unclear.
        limited: a limit pays less than the amount.
    """

    unit: Unit
    run: int
    amount: int
    change: int | None
    in_a_row: bool
    limited: bool = False
    code: Literal["earned"] = "earned"


class Counted(NamedTuple):
    """The target was met; `done` of the `needed` successes of the next reward, or 0 where a week is paid."""

    done: int
    needed: int
    code: Literal["counted"] = "counted"


class WeekPaid(NamedTuple):
    """A week is over: `met` of the `due` visits were met."""

    unit: Unit
    met: int
    due: int
    amount: int
    code: Literal["week"] = "week"


class BonusEarned(NamedTuple):
    """The run reached a multiple of `every`."""

    unit: Unit
    every: int
    amount: int
    in_a_row: bool
    code: Literal["bonus"] = "bonus"


class Recovered(NamedTuple):
    """A run of `after` successes since the reset brought the former level back."""

    unit: Unit
    after: int
    amount: int
    in_a_row: bool
    code: Literal["recovered"] = "recovered"


class Limited(NamedTuple):
    """A limit bit: `limit` per `per` left `left` of the award, and `lost` is not paid."""

    unit: Unit
    limit: int
    per: str
    left: int
    lost: int
    crossing: str
    code: Literal["limited"] = "limited"


class WasReset(NamedTuple):
    """The outcome paid nothing and put the ladder back; the next success pays `restart`, None if nothing is less."""

    unit: Unit
    outcome: str
    restart: int | None
    code: Literal["reset"] = "reset"


class Recoverable(NamedTuple):
    """A run of `after` successes will bring `amount` back; with `paid_nth` its last is paid so already.

    Attributes:
        in_all: what the whole way back pays, the first success to `amount`: a limit has to leave as much.
    """

    unit: Unit
    after: int
    amount: int
    paid_nth: bool
    in_all: int
    in_a_row: bool
    code: Literal["recoverable"] = "recoverable"


class Held(NamedTuple):
    """The outcome paid nothing and moved nothing; `kept` if there was a place to lose."""

    outcome: str
    kept: bool
    code: Literal["held"] = "held"


class Noted(NamedTuple):
    """The outcome counts for its week, which is paid as a whole."""

    outcome: str
    code: Literal["noted"] = "noted"


class NotRequired(NamedTuple):
    """Nothing was expected of the participant at this visit."""

    code: Literal["not required"] = "not required"


class Next(NamedTuple):
    """What the next reward is, if the target is met.

    Attributes:
        limited: a limit makes it less than the schedule.
        opens: the weeks of the phase that the visit opens, or nothing.
        after: how many visits in a row have to be met for it.
    """

    unit: Unit
    amount: int
    limited: bool
    opens: str
    after: int
    code: Literal["next"] = "next"


class PlanEnded(NamedTuple):
    """There is no further visit in the plan."""

    code: Literal["plan ended"] = "plan ended"


Reason = (
    Earned
    | Counted
    | WeekPaid
    | BonusEarned
    | Recovered
    | Limited
    | WasReset
    | Recoverable
    | Held
    | Noted
    | NotRequired
    | Next
    | PlanEnded
)

CODES: tuple[str, ...] = tuple(kind._field_defaults["code"] for kind in get_args(Reason))
"""The codes of all kinds of reasons."""
