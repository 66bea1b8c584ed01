"""Why a decision is what it is, as small structured facts; `sentences` puts them into words.

Each carries its `code`, so that two reasons are equal only if they are of one kind. Amounts are in minor units of the reason's unit. A `run` counts consecutive successes, holds not breaking it.
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction
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
    limited: bool = False
    code: Literal["week"] = "week"


class BonusEarned(NamedTuple):
    """The run reached a multiple of `every`."""

    unit: Unit
    every: int
    amount: int
    in_a_row: bool
    limited: bool = False
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
    """A run of `after` successes will bring `amount` back; with `paid_nth` its last is paid so already."""

    unit: Unit
    after: int
    amount: int
    paid_nth: bool
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


class Forgone(NamedTuple):
    """Where a participant reads of what is kept: what a success would have kept, and this outcome takes off."""

    unit: Unit
    amount: int
    code: Literal["forgone"] = "forgone"


class ReadAs(NamedTuple):
    """What was seen, `seen`, counts as `outcome` by the program."""

    seen: str
    outcome: str
    code: Literal["read as"] = "read as"


class NotExcused(NamedTuple):
    """The program does not accept the reason of an absence."""

    excuse: str
    code: Literal["not excused"] = "not excused"


class BeyondQuota(NamedTuple):
    """There were `at_most` of them in the window already, and this one counts as `outcome`."""

    of: str
    at_most: int
    per: str
    outcome: str
    code: Literal["beyond quota"] = "beyond quota"


class Explained(NamedTuple):
    """A prescription explains a positive of these analytes."""

    analytes: tuple[str, ...]
    code: Literal["explained"] = "explained"


class NextBar(NamedTuple):
    """What a moving goal asks for at the next visit."""

    how: str
    bar: Fraction
    measure: str
    code: Literal["next bar"] = "next bar"


class Judged(NamedTuple):
    """A measured value met its criterion or not.

    Attributes:
        measure: what the value is in.
        how: at most, below, at least or above; nothing if there was no earlier value to compare with.
        bar: what the value was held against.
    """

    value: Decimal
    how: str
    bar: Fraction | None
    met: bool
    measure: str = ""
    code: Literal["judged"] = "judged"


Wait = Literal["", "retest", "confirmation", "reschedule"]
"""What a visit stays open for."""


class Waiting(NamedTuple):
    """The visit stays open: for another specimen, for a confirmation, or for another day."""

    what: Wait
    code: Literal["waiting"] = "waiting"


class Another(NamedTuple):
    """It is another one for a visit whose result is there: the `counts` one counts."""

    visit: int
    counts: str
    code: Literal["another"] = "another"


class Unplaced(NamedTuple):
    """Its day belongs to no visit that is open; the next one is planned for `following`, None if there is none."""

    following: date | None
    code: Literal["unplaced"] = "unplaced"


class Unscheduled(NamedTuple):
    """It was not planned, and does not count."""

    code: Literal["unscheduled"] = "unscheduled"


class GroupMet(NamedTuple):
    """`met` of the `of` members of the group met the target, and `need` of them had to."""

    met: int
    of: int
    need: int
    code: Literal["group"] = "group"


class NotProvided(NamedTuple):
    """The target pays only where another one, `target`, is met at the same visit, and it was not."""

    target: str
    code: Literal["not provided"] = "not provided"


class MilestoneReached(NamedTuple):
    """A milestone was reached; `says` is what the participant reads of it."""

    unit: Unit
    name: str
    says: str
    amount: int
    limited: bool = False
    code: Literal["milestone"] = "milestone"


class Happened(NamedTuple):
    """An event was reported, and no milestone was reached with it; `spent` if they have all been paid."""

    event: str
    spent: bool
    code: Literal["event"] = "event"


class Staked(NamedTuple):
    """The participant paid a deposit in."""

    unit: Unit
    amount: int
    code: Literal["staked"] = "staked"


class StakeLost(NamedTuple):
    """A lapse took `amount` of the deposit, and `left` is left of it."""

    unit: Unit
    amount: int
    left: int
    code: Literal["stake lost"] = "stake lost"


class Refunded(NamedTuple):
    """What was left of the deposit was returned."""

    unit: Unit
    amount: int
    code: Literal["refunded"] = "refunded"


class PaidOut(NamedTuple):
    """The award is handed over later, or not for good.

    Attributes:
        when: at once, on request or set days.
        on: the day it is handed over; None on request, and without dates.
        minimum: the least that is handed over on request, in minor units of `unit`.
        expires: the day after which what was not collected is lost.
    """

    unit: Unit
    when: str
    on: date | None
    minimum: int
    expires: date | None
    code: Literal["paid out"] = "paid out"


class Redeemed(NamedTuple):
    """The participant asked for what was owed, as `product` if it is said."""

    unit: Unit
    amount: int
    product: str = ""
    code: Literal["redeemed"] = "redeemed"


class PayDayCame(NamedTuple):
    """A pay day came, and what was owed by it goes out; rules before the fifth did not say which day it was."""

    unit: Unit
    amount: int
    day: date | None = None
    code: Literal["pay day"] = "pay day"


class HandedOver(NamedTuple):
    """A payout reached the participant.

    Attributes:
        number: the decision that the payout is of.
        leg: its place among the postings of that decision.
        reference: how it is found again: the number of a card, of a receipt.
    """

    unit: Unit
    amount: int
    number: int
    leg: int
    reference: str = ""
    code: Literal["handed over"] = "handed over"


class CameBack(NamedTuple):
    """A payout did not reach the participant, or was returned after it was handed over (`returned`).

    Attributes:
        number, leg: which payout.
        settled: what of the amount settles what was given too much; the rest is owed again.
    """

    unit: Unit
    amount: int
    number: int
    leg: int
    settled: int = 0
    returned: bool = False
    code: Literal["came back"] = "came back"


class Expired(NamedTuple):
    """An award was not collected in time.

    Attributes:
        award: the decision that awarded it.
        awarded: the day of that decision.
        until: the last day on which it could be collected.
    """

    unit: Unit
    amount: int
    award: int
    awarded: date
    until: date
    code: Literal["expired"] = "expired"


class Next(NamedTuple):
    """What the next reward is, if the target is met.

    Attributes:
        limited: a limit makes it less than the schedule.
        opens: the weeks of the phase that the visit opens, or nothing.
        after: how many visits in a row have to be met for it.
        by_group: how many of a group meet it decides.
    """

    unit: Unit
    amount: int
    limited: bool
    opens: str
    after: int
    by_group: bool = False
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
    | Forgone
    | ReadAs
    | NotExcused
    | BeyondQuota
    | Explained
    | Judged
    | NextBar
    | Waiting
    | Another
    | Unplaced
    | Unscheduled
    | GroupMet
    | NotProvided
    | MilestoneReached
    | Happened
    | Staked
    | StakeLost
    | Refunded
    | PaidOut
    | Redeemed
    | PayDayCame
    | HandedOver
    | CameBack
    | Expired
    | Next
    | PlanEnded
)

CODES: tuple[str, ...] = tuple(kind._field_defaults["code"] for kind in get_args(Reason))
"""The codes of all kinds of reasons."""
