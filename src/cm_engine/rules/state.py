"""The small immutable values that `step` takes and returns."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cm_engine.program.units import Unit
from cm_engine.rules.criteria import Memory
from cm_engine.rules.milestones import Progress
from cm_engine.rules.reasons import Reason
from cm_engine.rules.sentences import sentence
from cm_engine.rules.words import Words

WINDOWS_KEPT = 400
"""As many days as one pool of several enrollments may be recorded late."""


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
    """What the latest windows of a limit have received, in minor units, or what those of a quota have counted.

    Attributes:
        windows: the number of each window and its amount, in order; of rolling days, of each day.
        stopped: the windows that pay nothing more, because a reward would have crossed the limit.
    """

    windows: tuple[tuple[int, int], ...] = ()
    stopped: tuple[int, ...] = ()

    def in_window(self, number: int) -> int:
        """Return what a window has received."""
        if self.windows and self.windows[-1][0] == number:
            return self.windows[-1][1]
        return dict(self.windows).get(number, 0)

    def plus(self, number: int, amount: int) -> "Received":
        """Return what the windows have received with an amount more; the oldest of too many are forgotten."""
        if self.windows and self.windows[-1][0] == number:
            last = (number, self.windows[-1][1] + amount)
            return self._replace(windows=(*self.windows[:-1], last))
        sums = dict(self.windows)
        sums[number] = sums.get(number, 0) + amount
        return self._replace(windows=tuple(sorted(sums.items()))[-WINDOWS_KEPT:])


class Track(NamedTuple):
    """Where one target stands.

    Attributes:
        visits: how many of its visits are decided.
        outcomes: what the last of them were read as: the last one, or more if another target looks back on them.
        memory: the values that its criteria look back on.
        attempts: specimens that the open visit has had, and that asked for another.
    """

    visits: int
    ladder: Ladder
    outcomes: str
    memory: Memory
    attempts: int


class State(NamedTuple):
    """All that the next decision depends on.

    Attributes:
        tracks: one entry for each target of the program.
        received: one entry for each limit.
        counted: one entry for each quota.
        progress: one entry for each milestone.
        stake: what is left of the participant's deposit, in minor units; None before it was paid in.
        start: the first day of week 1, or None for a timeline without dates.
        last: the day of the last visit decided, or the start.
        program: the digest of the program; the state means nothing to another one.
    """

    tracks: tuple[Track, ...]
    received: tuple[Received, ...]
    counted: tuple[Received, ...]
    progress: tuple[Progress, ...]
    stake: int | None
    start: date | None
    last: date | None
    program: str


class Evidence(NamedTuple):
    """What was seen at a visit, where an outcome has still to be read from it.

    Attributes:
        panel: the result of each analyte of a specimen, - or +, as pairs.
        prescribed: the analytes whose positive a prescription explains.
        presumptive: the result is not confirmed yet.
        value: what was measured.
        conditions: dilute, substituted, adulterated, late, rescheduled, makeup.
        excuse: the reason of an excused absence.
        choice: the reward that the participant chose.
        group: how many members of the group met the target, this one included.
    """

    panel: tuple[tuple[str, str], ...] = ()
    prescribed: tuple[str, ...] = ()
    presumptive: bool = False
    value: Decimal | None = None
    conditions: tuple[str, ...] = ()
    excuse: str = ""
    choice: str = ""
    group: int | None = None


class Observation(NamedTuple):
    """What was observed of one target at its next visit, or an event.

    Attributes:
        outcome: one symbol of a use-pattern word: - met, + positive, o missed, e excused, * invalid,
            r refused, _ not required; empty where it is read from the evidence, or for an event.
        on: the day it counts for, in the clinic's zone; None is the planned day.
        target: its name; empty for the only target of a program.
        evidence: what else was seen.
        event: instead of a result, something reported from outside.
    """

    outcome: str = ""
    on: date | None = None
    target: str = ""
    evidence: Evidence | None = None
    event: str = ""


class Award(NamedTuple):
    """An amount in minor units of a unit."""

    unit: Unit
    amount: int


class Decision(NamedTuple):
    """What one observation led to, and why.

    Attributes:
        target: the name of the target; empty for an event.
        visit, week: counted from 1; 0 for an event.
        on: the day it counts for, None in a timeline without dates.
        outcome: what the observation was read as; empty for an event.
        paid: what is awarded, one entry a unit; a visit that pays nothing has an award of 0.
        reasons: in the order in which they came about.
        words: how a participant reads of it.
    """

    target: str

    visit: int
    week: int
    on: date | None
    outcome: str
    paid: tuple[Award, ...]
    reasons: tuple[Reason, ...]
    words: Words

    @property
    def awards(self) -> Mapping[str, Decimal]:
        """Return the exact amount by the name of its unit."""
        return {unit.name: unit.decimal(amount) for unit, amount in self.paid}

    @property
    def sentence(self) -> str:
        """Return the reasons as a participant would read them."""
        return " ".join(sentence(reason, self.words) for reason in self.reasons)
