"""The small immutable values that `step` takes and returns."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cm_engine.program.units import Unit
from cm_engine.rules.reasons import Reason
from cm_engine.rules.sentences import sentence


class Ladder(NamedTuple):
    """Where a target stands on its ladder, within one phase.

    Attributes:
        position: the rung that the next success is paid at, unless a recovery lifts it.
        streak: consecutive successes since the phase began or was reset.
        paid: the rung that the last success of the streak was paid at, -1 if there is none.
        saved: the rung that a recovery returns to.
        week_met, week_unmet: visits of the current week that were met, and that were due and not met; both 0
            where no week counts.
    """

    position: int = 0
    streak: int = 0
    paid: int = -1
    saved: int = 0
    week_met: int = 0
    week_unmet: int = 0


class Received(NamedTuple):
    """What a limit's window has received so far, in minor units.

    Attributes:
        window: which day, week, month or year it is; a new one begins empty.
        recent: of rolling days, the days and amounts that still count.
        stopped: a reward would have crossed the limit, and the window pays nothing more.
    """

    window: int = 0
    amount: int = 0
    recent: tuple[tuple[int, int], ...] = ()
    stopped: bool = False


class State(NamedTuple):
    """All that the next decision depends on.

    Attributes:
        visits: how many visits are decided.
        received: one entry for each limit of the program.
        start: the first day of week 1, or None for a timeline without dates.
        last: the day of the last visit decided, or the start.
        program: the digest of the program; the state means nothing to another one.
    """

    visits: int
    ladder: Ladder
    received: tuple[Received, ...]
    start: date | None
    last: date | None
    program: str


class Observation(NamedTuple):
    """The evidence at one visit.

    Attributes:
        outcome: one symbol of a use-pattern word: - met, + positive, o missed, e excused, * invalid,
            r refused, _ not required.
        on: the day it counts for, in the clinic's zone; None is the planned day.
    """

    outcome: str
    on: date | None = None


class Award(NamedTuple):
    """An amount in minor units of a unit."""

    unit: Unit
    amount: int


class Decision(NamedTuple):
    """What one observation led to, and why.

    Attributes:
        visit, week: counted from 1.
        on: the day it counts for, None in a timeline without dates.
        paid: what is awarded; a visit that pays nothing has an award of 0.
        reasons: in the order in which they came about.
        behavior: chooses the words of the sentence.
    """

    visit: int
    week: int
    on: date | None
    outcome: str
    paid: tuple[Award, ...]
    reasons: tuple[Reason, ...]
    behavior: str

    @property
    def awards(self) -> Mapping[str, Decimal]:
        """Return the exact amount by the name of its unit."""
        return {unit.name: unit.decimal(amount) for unit, amount in self.paid}

    @property
    def sentence(self) -> str:
        """Return the reasons as a participant would read them."""
        return " ".join(sentence(reason, self.behavior) for reason in self.reasons)
