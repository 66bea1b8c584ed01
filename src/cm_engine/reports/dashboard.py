"""The cohort on one page: how many there are, how they do, what it costs, and whom to look at today."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple, TypeVar

from cm_engine.engine import Engine
from cm_engine.reports.charts import Axis, Bar, Series, bar_chart, line_chart
from cm_engine.reports.page import Markup, Tile
from cm_engine.reports.program import program_report
from cm_engine.reports.reading import Clinic, Course, percent
from cm_engine.reports.risk import risk_report
from cm_engine.reports.sheet import Report, Sheet

Key = TypeVar("Key")

SITES_MAX = 4
"""As many lines can be told apart."""


class SiteLine(NamedTuple):
    """How one site does."""

    site: str
    enrolled: int
    open: int
    visits: int
    met_percent: Decimal | None
    missed_percent: Decimal | None


class Week(NamedTuple):
    """How participants did in one week of their program, at one site."""

    site: str
    program_week: int
    visits: int
    met_percent: Decimal | None


class Month(NamedTuple):
    """What was awarded for the visits of a month, in one unit."""

    month: str
    unit: str
    awarded: Decimal


def dashboard(engine: Engine, clinic: Clinic) -> Report:
    """Return the dashboard of all enrollments."""
    program, risk = program_report(clinic), risk_report(engine, clinic)
    weeks, months = clinic.kept(_weeks(clinic.courses)), list(_months(clinic))
    _, _, funds, exposure = program.sheets
    sheets = (
        Sheet("sites", "Sites", SITES, SiteLine, clinic.kept(_sites(clinic))),
        Sheet("weeks", "Goals met, by program week", WEEKS, Week, weeks, _week_chart(weeks)),
        Sheet("months", "Awarded, by month", MONTHS, Month, months, "".join(_month_charts(months))),
        *risk.sheets,
        funds,
        exposure,
    )
    tiles: tuple[Tile, ...] = (*program.tiles, *risk.tiles)
    return Report(
        "dashboard", "Cohort dashboard", f"{clinic.scope}, as of {clinic.on:%d %b %Y}.", sheets, tiles
    )


SITES = "Enrolled there, and open, by where they are today; visits by their day, as decisions stand. Shares leave excused visits out."
WEEKS = "Of visits that were not excused; early weeks have more visits than late ones, as not everybody got there yet."
MONTHS = "By the decisions that stand, by the day of the visit."


def _sites(clinic: Clinic) -> Iterator[SiteLine]:
    enrolled, opened = Counter[str](), Counter[str]()
    counted = _counted(clinic.courses, lambda course, on, _: course.site(on))
    for course in clinic.courses:
        site = course.site(clinic.on)
        enrolled[site] += 1
        opened[site] += course.is_open
    for site in sorted({*enrolled, *counted}):
        seen = counted[site]
        due = seen.total() - seen["e"]
        shares = percent(seen["-"], due), percent(seen["o"], due)
        yield SiteLine(site, enrolled[site], opened[site], seen.total(), *shares)


def _weeks(courses: Iterable[Course]) -> Iterator[Week]:
    counted = _counted(courses, lambda course, on, week: (course.site(on), week))
    for (site, week), seen in sorted(counted.items()):
        yield Week(site, week, seen.total(), percent(seen["-"], seen.total() - seen["e"]))


def _counted(
    courses: Iterable[Course], key: Callable[[Course, date, int], Key]
) -> defaultdict[Key, Counter[str]]:
    """Return how often each outcome was decided, by what the visits have in common."""
    found: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    for course in courses:
        for each in course.standing:
            if each.visit and each.on and each.outcome != "_":
                found[key(course, each.on, each.week)][each.outcome] += 1
    return found


def _months(clinic: Clinic) -> Iterator[Month]:
    found: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for course in clinic.courses:
        lines = {line.latest: line for line in course.statement.lines}
        for each in course.standing:
            for unit, amount in lines[each.number].awards.items():
                if each.on and clinic.covers(course.site(each.on)):
                    found[f"{each.on:%Y-%m}", unit] += amount
    for (month, unit), awarded in sorted(found.items()):
        yield Month(month, unit, awarded)


def _week_chart(weeks: Iterable[Week]) -> Markup:
    points: dict[str, list[tuple[float, float]]] = {}
    for each in weeks:
        if each.met_percent is not None:
            points.setdefault(each.site, []).append((each.program_week, float(each.met_percent)))
    series = [Series(site, found) for site, found in sorted(points.items())][:SITES_MAX]
    x, y = Axis("program week"), Axis("met, %", high=100)
    return line_chart("Goals met in each program week, in percent, by site", series, x=x, y=y)


def _month_charts(months: Iterable[Month]) -> Iterator[Markup]:
    for unit in dict.fromkeys(each.unit for each in months):
        bars = [Bar(each.month, float(each.awarded)) for each in months if each.unit == unit]
        yield bar_chart(
            f"Awarded in each month, in {unit}", bars, x=Axis("month"), y=Axis(unit, "{:,.0f}".format)
        )
