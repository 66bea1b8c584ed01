"""Which visit a dated result is of: the days around each planned visit, and what moves them."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Literal, NamedTuple

from cm_engine.errors import ResultsError
from cm_engine.program.windows import Windows
from cm_engine.rules.compiled import Rules, TargetRules
from cm_engine.rules.days import next_open
from cm_engine.rules.plan import Visit

WEEK = timedelta(days=6)


class Pause(NamedTuple):
    """Days on which nobody is expected: from the first to the day of return; None as long as it lasts."""

    first: date
    back: date | None

    def has(self, day: date) -> bool:
        """Tell whether a day lies in it."""
        return self.first <= day and (self.back is None or day < self.back)


class Calendar(NamedTuple):
    """What moves the plan of one enrollment.

    Attributes:
        pauses: in order.
        moved: the new day of a visit, by its target and number.
        last: the last day on which anything is expected; None as long as the episode goes on.
        frozen: nothing is handed over, as in a dispute or after a death.
    """

    pauses: tuple[Pause, ...] = ()
    moved: Mapping[tuple[str, int], date] = {}
    last: date | None = None
    frozen: bool = False


AS_PLANNED = Calendar()


class Window(NamedTuple):
    """The days that belong to a visit.

    Attributes:
        planned: the day on which it is expected.
        opens, closes: the first and the last of its days.
        made_up_after: what comes later than this day makes the visit good.
    """

    planned: date
    opens: date
    closes: date
    made_up_after: date


def widest(rules: Rules) -> int:
    """Return over how many days the results of one visit may be spread at most."""
    windows = (target.windows for target in rules.targets if target.windows)
    spans = (each.before + each.after + each.makeup + each.apart for each in windows)
    return max(spans, default=0) + 2 * (WEEK.days + 1)


class Passed(NamedTuple):
    """A visit whose time is over, that nobody came to: missed, or not required in a pause."""

    visit: Visit
    planned: date
    outcome: Literal["o", "_"]


class Place(NamedTuple):
    """Where a dated result belongs.

    Attributes:
        passed: the visits before it whose time is over.
        how: it counts for the visit, it is another one for it, or no visit has its day.
        visit: that visit; None without one.
        is_makeup: it makes the visit good.
    """

    passed: tuple[Passed, ...]
    how: Literal["counts", "another", "unplaced"]
    visit: Visit | None
    is_makeup: bool = False


class Plan(NamedTuple):
    """The visits of one target as they are planned for one enrollment."""

    rules: Rules
    target: TargetRules
    start: date
    calendar: Calendar

    @property
    def windows(self) -> Windows:
        """Return the rule of the windows.

        Raises:
            ResultsError: the program has none for this target.
        """
        if self.target.windows is None:
            msg = f"target {self.target.name!r} has no windows; its nth result is of its nth visit"
            raise ResultsError(msg)
        return self.target.windows

    def window(self, visit: Visit) -> Window | None:
        """Return the days that belong to a visit, None if nobody can tell: a pause lasts, or the episode is over."""
        later = self._later(visit)
        moved = self.calendar.moved.get((self.target.name, visit.number))
        if moved is None and later is None:
            return None
        planned = moved or next_open(self.rules, self._first_planned(visit) + (later or timedelta(0)))
        if self.calendar.last and planned > self.calendar.last:
            return None
        return self._around(visit, planned, later or timedelta(0))

    def _around(self, visit: Visit, planned: date, later: timedelta) -> Window:
        rule = self.windows
        opens, closes = (
            planned - timedelta(days=rule.before),
            planned + timedelta(days=rule.after),
        )
        if rule.within == "week":
            opens = min(planned, self.start + timedelta(days=7 * (visit.week - 1)) + later)
            closes = max(planned, opens + WEEK)
        return Window(planned, opens, closes + timedelta(days=rule.makeup), closes)

    def _first_planned(self, visit: Visit) -> date:
        return self.start + timedelta(days=visit.days[self.start.weekday()])

    def _later(self, visit: Visit) -> timedelta | None:
        """Return by how much pauses put a visit off, None if by more than is known."""
        day = planned = self._first_planned(visit)
        if self.rules.program.pauses == "later":
            for pause in self.calendar.pauses:
                if day >= pause.first and pause.back is None:
                    return None
                if day >= pause.first and pause.back is not None:
                    day += pause.back - pause.first
        return day - planned

    def is_paused(self, window: Window) -> bool:
        """Tell whether a visit is not required, because it is planned in a pause."""
        stays = self.rules.program.pauses == "not required"
        return stays and any(pause.has(window.planned) for pause in self.calendar.pauses)

    def over(self, done: int, day: date, *, grace: int = 0) -> Iterator[Passed]:
        """Yield the visits after those done whose time is over before a day.

        Args:
            done: how many visits are decided.
            day: the visits whose days all come before it are over.
            grace: as many days more are left to them.
        """
        for visit in self.target.visits[done:]:
            window = self.window(visit)
            if window is None:
                return
            paused = self.is_paused(window)
            last = window.planned if paused else window.closes + timedelta(days=grace)
            if last >= day:
                return
            yield Passed(visit, window.planned, "_" if paused else "o")

    def place(self, done: int, counted: date | None, day: date) -> Place:
        """Return where a result of a day belongs: to the first visit not decided yet that has the day.

        Args:
            done: how many visits are decided.
            counted: the day of the last result that counted; None without one.
            day: of the result.
        """
        passed = tuple(self.over(done, day))
        before = self._visit(done - 1)
        visit = self._visit(done + len(passed))
        window = self.window(visit) if visit else None
        another = Place(passed, "another", before)
        if visit and window and window.opens <= day <= window.closes and not self.is_paused(window):
            if not passed and before and self._is_too_soon(before, window, counted, day):
                return another
            return Place(passed, "counts", visit, is_makeup=day > window.made_up_after)
        former = self.window(before) if before and not passed else None
        if former and counted and day <= former.closes and not self.is_paused(former):
            return another
        return Place(passed, "unplaced", None)

    def _visit(self, index: int) -> Visit | None:
        return self.target.visits[index] if 0 <= index < len(self.target.visits) else None

    def _is_too_soon(self, before: Visit, window: Window, counted: date | None, day: date) -> bool:
        """Tell whether a result comes too soon after the one before it; on the day of its own visit it never does."""
        former = self.window(before)
        if counted is None or former is None or window.planned in {former.planned, day}:
            return False
        return day <= former.closes and (day - counted).days < self.windows.apart

    def shares_visit(self, visit: Visit, day: date, other: date) -> bool:
        """Tell whether a later result of another day is of the same visit as one that counts for it."""
        window = self.window(visit)
        following = self._visit(visit.number)
        nxt = self.window(following) if following else None
        if window is None or other > window.closes:
            return False
        if nxt is None or other < nxt.opens:
            return True
        return self._is_too_soon(visit, nxt, day, other)
