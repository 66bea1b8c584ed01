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


class Stay(NamedTuple):
    """A stretch of days at one site, which ends where the next one begins.

    Attributes:
        site: its id.
        zone: of the site: it decides which day a time falls on.
        first: the first day there; `date.min` for who was enrolled there.
        closed: the first and the last day of each closure of the site, in order, none touching another.
    """

    site: str
    zone: str
    first: date
    closed: tuple[tuple[date, date], ...] = ()


class Calendar(NamedTuple):
    """What moves the plan of one enrollment.

    Attributes:
        pauses: in order.
        moved: the new day of a visit, by its target and number, as it would be without pauses.
        last: the last day on which anything is expected; None as long as the episode goes on.
        frozen: nothing is handed over, as in a dispute or after a death.
        away: the day on which it left for another database, None while it is here.
        stays: where the participant is from which day on, in order; none for an enrollment without a site.
    """

    pauses: tuple[Pause, ...] = ()
    moved: Mapping[tuple[str, int], date] = {}
    last: date | None = None
    frozen: bool = False
    away: date | None = None
    stays: tuple[Stay, ...] = ()

    @property
    def end(self) -> date | None:
        """Return the last day on which anything is expected here."""
        return min((day for day in (self.last, self.away) if day), default=None)

    def stay(self, day: date) -> Stay | None:
        """Return where the participant is on a day, None if at no site."""
        return next((stay for stay in reversed(self.stays) if stay.first <= day), None)

    def is_closed(self, day: date) -> bool:
        """Tell whether the site of a day is closed on it."""
        stay = self.stay(day)
        return stay is not None and any(first <= day <= last for first, last in stay.closed)

    @property
    def closed_most(self) -> int:
        """Return for how many days on end a site is closed at most."""
        spans = ((last - first).days + 1 for stay in self.stays for first, last in stay.closed)
        return max(spans, default=0)


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
        first = self.start + timedelta(days=visit.days[self.start.weekday()])
        day = self.calendar.moved.get((self.target.name, visit.number), first)
        later = self._later(day)
        if later is None:
            return None
        found = self._around(visit, self._open(day + later), later)
        return None if (end := self.calendar.end) and found.opens > end else found

    def _open(self, day: date) -> date:
        """Return a day, or the next on which the clinic and its site are open."""
        found = next_open(self.rules, day) if day in self.rules.closed else day
        while self.calendar.is_closed(found):
            found = next_open(self.rules, found + timedelta(days=1))
        return found

    def _around(self, visit: Visit, planned: date, later: timedelta) -> Window:
        rule = self.windows
        opens, closes = (
            planned - timedelta(days=rule.before),
            planned + timedelta(days=rule.after),
        )
        if rule.within == "week":
            first = self.start + timedelta(days=7 * (visit.week - 1)) + later
            opens, closes = min(planned, first), max(planned, first + WEEK)
        return Window(planned, max(opens, self.start), closes + timedelta(days=rule.makeup), closes)

    def _later(self, day: date) -> timedelta | None:
        """Return by how much pauses put a day off, None if by more than is known."""
        put_off = day
        for pause in self._pauses_that_move:
            if (expected := self._open(put_off)) >= pause.first:
                if pause.back is None:
                    return None
                put_off = expected + (pause.back - pause.first)
        return put_off - day

    @property
    def _pauses_that_move(self) -> tuple[Pause, ...]:
        return self.calendar.pauses if self.rules.program.pauses == "later" else ()

    def before_pauses(self, day: date) -> date:
        """Return the day that pauses put off to a day."""
        for pause in reversed(self._pauses_that_move):
            if pause.back is not None and day >= pause.back:
                day -= pause.back - pause.first
        return day

    def is_paused(self, window: Window) -> bool:
        """Tell whether a visit is not required, because it is planned in a pause."""
        stays = self.rules.program.pauses == "not required"
        return stays and any(pause.has(window.planned) for pause in self.calendar.pauses)

    def is_after_end(self, window: Window) -> bool:
        """Tell whether a visit is planned for after the end, so that nobody has to come; who came before it did."""
        return self.calendar.end is not None and window.planned > self.calendar.end

    def over(self, done: int, day: date, *, grace: int = 0) -> Iterator[Passed]:
        """Yield the visits after those done whose time is over before a day.

        Args:
            done: how many visits are decided.
            day: the visits whose days all come before it are over.
            grace: as many days more are left to them.
        """
        for visit in self.target.visits[done:]:
            window = self.window(visit)
            if window is None or self.is_after_end(window):
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
        skipped, visit, window = self._expected_from(done + len(passed))
        before = None if any(each.outcome == "o" for each in passed) else self._expected_before(done)
        another = Place(passed, "another", before)
        if visit and window and window.opens <= day <= window.closes:
            if before and self._is_too_soon(before, window, counted, day):
                return another
            return Place((*passed, *skipped), "counts", visit, is_makeup=day > window.made_up_after)
        former = self.window(before) if before else None
        return another if former and counted and day <= former.closes else Place(passed, "unplaced", None)

    def promised(self, number: int, day: date) -> Place | None:
        """Return that a result of a day counts for a visit, instead of one before it that did."""
        visit = self.target.visits[number - 1]
        window = self.window(visit)
        return Place((), "counts", visit, is_makeup=day > window.made_up_after) if window else None

    def expected_next(self, done: int) -> Window | None:
        """Return the days of the first visit not decided yet that is required, None if there is none."""
        return self._expected_from(done)[2]

    def _expected_from(self, index: int) -> tuple[list[Passed], Visit | None, Window | None]:
        """Return the first visit from an index on that is required, with its days, and those skipped before it."""
        skipped: list[Passed] = []
        for visit in self.target.visits[index:]:
            window = self.window(visit)
            if window is None:
                break
            if not self.is_paused(window):
                return skipped, visit, window
            skipped.append(Passed(visit, window.planned, "_"))
        return skipped, None, None

    def _expected_before(self, done: int) -> Visit | None:
        """Return the last of the visits done that was required."""
        for visit in reversed(self.target.visits[:done]):
            window = self.window(visit)
            if window and not self.is_paused(window):
                return visit
        return None

    def _is_too_soon(self, before: Visit, window: Window, counted: date | None, day: date) -> bool:
        """Tell whether a result comes too soon after the one before it; on the day of its own visit it never does."""
        former = self.window(before)
        if counted is None or former is None or window.planned in {former.planned, day}:
            return False
        return day <= former.closes and (day - counted).days < self.windows.apart

    def shares_visit(self, visit: Visit, day: date, other: date) -> bool:
        """Tell whether a later result of another day is of the same visit as one that counts for it."""
        window, nxt = self.window(visit), self.expected_next(visit.number)
        if window is None or other > window.closes:
            return False
        if nxt is None or other < nxt.opens:
            return True
        return self._is_too_soon(visit, nxt, day, other)
