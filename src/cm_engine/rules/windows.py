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
ABSENCES = frozenset("oe_")
"""What is recorded of a visit that nobody came to: it makes no visit good, and never counts beside a result."""


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

    def by(self, day: date) -> "Calendar":
        """Return it as it is for a day: pauses that begin after it change nothing of it."""
        begun = tuple(pause for pause in self.pauses if pause.first <= day)
        return self if len(begun) == len(self.pauses) else self._replace(pauses=begun)

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
    """A visit whose time is over, that nobody came to: missed, or not required in a pause.

    Attributes:
        visit: the visit.
        planned: the day on which it was expected.
        outcome: what it is.
        last: the last day on which something might have come of it, the days of grace included.
    """

    visit: Visit
    planned: date
    outcome: Literal["o", "_"]
    last: date


class Counted(NamedTuple):
    """The last result that counted for a visit: its day, and the number of the visit."""

    day: date
    visit: int


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
        put_off, lasted = later
        found = self._around(visit, self._open(put_off), lasted)
        return None if (end := self.calendar.end) and found.opens > end else found

    def _open(self, day: date) -> date:
        """Return a day, or the next on which the clinic and its site are open."""
        found = next_open(self.rules, day) if day in self.rules.closed else day
        while self.calendar.is_closed(found):
            found = next_open(self.rules, found + timedelta(days=1))
        return found

    def _around(self, visit: Visit, planned: date, lasted: timedelta) -> Window:
        rule = self.windows
        opens, closes = (
            planned - timedelta(days=rule.before),
            planned + timedelta(days=rule.after),
        )
        if rule.within == "week":
            first = self.start + timedelta(days=7 * (visit.week - 1)) + lasted
            opens, closes = min(planned, first), max(planned, first + WEEK)
        return Window(planned, max(opens, self.start), closes + timedelta(days=rule.makeup), closes)

    def _later(self, day: date) -> tuple[date, timedelta] | None:
        """Return the day that pauses put a day off to, and how long they last; None if that is not known yet."""
        put_off, lasted = day, timedelta()
        for pause in self._pauses_that_move:
            if (expected := self._open(put_off)) >= pause.first:
                if pause.back is None:
                    return None
                put_off, lasted = expected + (pause.back - pause.first), lasted + (pause.back - pause.first)
        return put_off, lasted

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

    def over(self, done: int, day: date, *, grace: bool = False) -> Iterator[Passed]:
        """Yield the visits after those done whose time is over before a day.

        Args:
            done: how many visits are decided.
            day: the visits whose days all come before it are over.
            grace: their days of grace are left to them, too.
        """
        for visit in self.target.visits[done:]:
            window = self.window(visit)
            if window is None or self.is_after_end(window):
                return
            found = self._passed(visit, window)
            if (found.last if grace or found.outcome == "_" else window.closes) >= day:
                return
            yield found

    def _passed(self, visit: Visit, window: Window) -> Passed:
        """Return a visit as one that nobody came to."""
        if self.is_paused(window):
            return Passed(visit, window.planned, "_", window.planned)
        grace = timedelta(days=self.windows.grace)
        return Passed(visit, window.planned, "o", window.closes + grace)

    def by(self, day: date) -> "Plan":
        """Return the plan that a day goes by: who came before a pause came to what was planned then."""
        calendar = self.calendar.by(day)
        return self if calendar is self.calendar else self._replace(calendar=calendar)

    def place(self, done: int, counted: Counted | None, day: date, known: date) -> Place:
        """Return where a result of a day belongs: to the first visit not decided yet that has the day.

        Args:
            done: how many visits are decided.
            counted: the last result that counted; None without one.
            day: of the result.
            known: the day at the clinic when it was reported: no visit of that day is over, nor of a later one.
        """
        return self.by(day)._place(done, counted, day, min(day, known))  # noqa: SLF001 - its own kind

    def _place(self, done: int, counted: Counted | None, day: date, known: date) -> Place:
        passed = tuple(self.over(done, known))
        skipped, visit, window = self._expected_from(done + len(passed))
        before = None if any(each.outcome == "o" for each in passed) else self._expected_before(done, counted)
        another = Place(passed, "another", before)
        former = self._still_of(before, counted) if before and counted else None
        if visit and window and window.opens <= day <= window.closes:
            if former and counted and self._is_too_soon(former, window, counted.day, day):
                return another
            return Place((*passed, *skipped), "counts", visit, is_makeup=day > window.made_up_after)
        return another if former and day <= former.closes else Place(passed, "unplaced", None)

    def promised(self, number: int, day: date) -> Place | None:
        """Return that a result of a day counts for a visit, instead of one before it that did."""
        visit = self.target.visits[number - 1]
        window = self.by(day).window(visit)
        return Place((), "counts", visit, is_makeup=day > window.made_up_after) if window else None

    def stays_beside(self, number: int, day: date) -> str:
        """Say beside which visit one of a number stays, where a day that it is put off to would pass it; nothing else."""
        for index, sign in ((number - 2, 1), (number, -1)):
            window = self.window(self.target.visits[index]) if 0 <= index < len(self.target.visits) else None
            if window and (day - window.planned).days * sign <= 0:
                side = "after" if sign > 0 else "before"
                return f"visit {number} stays {side} visit {index + 1}, of {window.planned}"
        return ""

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
            skipped.append(self._passed(visit, window))
        return skipped, None, None

    def _expected_before(self, done: int, counted: Counted | None) -> Visit | None:
        """Return the last of the visits done that was required, or that somebody came to before a pause."""
        for visit in reversed(self.target.visits[:done]):
            window = self.window(visit)
            if (counted and visit.number == counted.visit) or (window and not self.is_paused(window)):
                return visit
        return None

    def _still_of(self, visit: Visit, counted: Counted) -> Window | None:
        """Return the days of a visit that a result counted for, None if a pause has come between."""
        window = self.window(visit)
        if window is None or self.is_paused(window) or window != self.by(counted.day).window(visit):
            return None
        return window

    def _is_too_soon(self, former: Window, window: Window, counted: date, day: date) -> bool:
        """Tell whether a result comes too soon after the one before it; on the day of its own visit it never does."""
        if window.planned in {former.planned, day}:
            return False
        return day <= former.closes and (day - counted).days < self.windows.apart

    def shares_visit(self, visit: Visit, day: date, other: date) -> bool:
        """Tell whether a later result of another day is of the same visit as one that counts for it."""
        return self.by(other)._shares(visit, Counted(day, visit.number), other)  # noqa: SLF001 - its own kind

    def _shares(self, visit: Visit, counted: Counted, other: date) -> bool:
        window, nxt = self._still_of(visit, counted), self.expected_next(visit.number)
        if window is None or other > window.closes:
            return False
        if nxt is None or other < nxt.opens:
            return True
        return self._is_too_soon(window, nxt, counted.day, other)
