"""The program report: the quarterly figures that states ask for, funds by source, and what is still open."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cm_engine.ledger.accounts import ISSUED
from cm_engine.reports.page import Tile
from cm_engine.reports.reading import Clinic, Course, percent
from cm_engine.reports.sheet import Report, Sheet

TESTED = frozenset("-+*")
"""The outcomes of a specimen that was given."""


class Quarter(NamedTuple):
    """What one program did at one site in one quarter."""

    quarter: str
    program: str
    site: str
    enrolled: int
    discharged: int
    served: int
    visits: int
    tests: int
    met: int
    positive: int
    missed: int
    excused: int
    other: int
    met_percent: Decimal | None


class Money(NamedTuple):
    """What was awarded and handed over in one quarter, in one unit."""

    quarter: str
    program: str
    site: str
    unit: str
    awarded: Decimal
    handed_over: Decimal


class FundLine(NamedTuple):
    """What one source of a site has paid."""

    site: str
    fund: str
    unit: str
    budget: Decimal | None
    spent: Decimal
    left: Decimal | None
    spent_percent: Decimal | None


class Exposure(NamedTuple):
    """What a program may still cost at a site: owed and on the way, and all visits to come if every one were met."""

    program: str
    site: str
    unit: str
    open_enrollments: int
    owed: Decimal
    on_the_way: Decimal
    visits_to_come: Decimal
    exposure: Decimal


def program_report(clinic: Clinic) -> Report:
    """Return the program report."""
    quarters, money, exposures = (
        clinic.kept(_quarters(clinic.courses)),
        clinic.kept(_money(clinic.courses)),
        clinic.kept(_exposures(clinic)),
    )
    sheets = (
        Sheet("quarters", "By quarter", QUARTERS, Quarter, quarters),
        Sheet("money", "Rewards by quarter", MONEY, Money, money),
        Sheet("funds", "Funds", FUNDS, FundLine, clinic.kept(_funds(clinic))),
        Sheet("exposure", "Exposure still open", EXPOSURE, Exposure, exposures),
    )
    return Report(
        "program",
        "Program report",
        f"{clinic.scope}, as of {clinic.on:%d %b %Y}.",
        sheets,
        _tiles(clinic, exposures),
    )


QUARTERS = (
    "Enrolled and discharged by their day; visits, and who was served, by the day of the visit, as decisions stand now. "
    "Tests are visits with a specimen: negative, positive or unclear. Met, %, is of all visits that were not excused."
)
MONEY = "Awarded by the decisions that stand, by the day of the visit; handed over by the day it reached the participant."
FUNDS = "What each source of a site has paid, as the postings say; what no source covers has no name."
EXPOSURE = "Owed, on the way, and all visits to come of open enrollments if every one were met: the most it may cost."


def quarter_of(day: date) -> str:
    """Return the quarter of the calendar.

    Example:
        >>> quarter_of(date(2026, 5, 1))
        '2026 Q2'
    """
    return f"{day.year} Q{(day.month + 2) // 3}"


def _quarters(courses: Iterable[Course]) -> Iterator[Quarter]:
    found: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    served: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for course in courses:
        begun, name = course.enrollment, course.program.program
        found[quarter_of(begun.start), name, course.site(begun.start)]["enrolled"] += 1
        if begun.discharged_on:
            found[quarter_of(begun.discharged_on), name, course.site(begun.discharged_on)]["discharged"] += 1
        for each in course.standing:
            if each.on and each.visit:
                place = quarter_of(each.on), name, course.site(each.on)
                found[place][each.outcome] += 1
                served[place].add(begun.participant)
    for place, counted in sorted(found.items()):
        yield _quarter(place, counted, len(served[place]))


def _quarter(place: tuple[str, str, str], counted: Mapping[str, int], served: int) -> Quarter:
    seen = {symbol: count for symbol, count in counted.items() if len(symbol) == 1 and symbol != "_"}
    visits, known = sum(seen.values()), {"-", "+", "o", "e"}
    return Quarter(
        *place,
        enrolled=counted.get("enrolled", 0),
        discharged=counted.get("discharged", 0),
        served=served,
        visits=visits,
        tests=sum(count for symbol, count in seen.items() if symbol in TESTED),
        met=seen.get("-", 0),
        positive=seen.get("+", 0),
        missed=seen.get("o", 0),
        excused=seen.get("e", 0),
        other=sum(count for symbol, count in seen.items() if symbol not in known),
        met_percent=percent(seen.get("-", 0), visits - seen.get("e", 0)),
    )


def _money(courses: Iterable[Course]) -> Iterator[Money]:
    found: defaultdict[tuple[str, str, str, str], list[Decimal]] = defaultdict(
        lambda: [Decimal(0), Decimal(0)]
    )
    for course in courses:
        for day, unit, amount, place in _moved(course):
            found[quarter_of(day), course.program.program, course.site(day), unit][place] += amount
    for key, (awarded, handed) in sorted(found.items()):
        yield Money(*key, awarded=awarded, handed_over=handed)


def _moved(course: Course) -> Iterator[tuple[date, str, Decimal, int]]:
    """Yield what was awarded and what was handed over, with its day."""
    lines = {line.latest: line for line in course.statement.lines}
    for each in course.standing:
        for unit, amount in lines[each.number].awards.items():
            if each.on and amount:
                yield each.on, unit, amount, 0
    for paid in course.payouts:
        if paid.status == ISSUED and paid.handed_over_on:
            yield paid.handed_over_on, paid.unit, paid.amount, 1


def _funds(clinic: Clinic) -> Iterator[FundLine]:
    for funds in clinic.funds:
        for each in funds.funds:
            share = percent(int(each.spent * 100), int(each.budget * 100)) if each.budget else None
            yield FundLine(funds.site, each.name, each.unit, each.budget, each.spent, each.left, share)
        for unit, amount in funds.beyond.items():
            yield FundLine(funds.site, "(none)", unit, None, amount, None, None)


def _exposures(clinic: Clinic) -> Iterator[Exposure]:
    found: defaultdict[tuple[str, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
    for course in clinic.courses:
        for unit in sorted({*course.statement.balances, *course.ahead}):
            place = found[course.program.program, course.site(clinic.on), unit]
            place[:] = [sum(pair, Decimal(0)) for pair in zip(place, _open(course, unit), strict=True)]
    for key, (opened, owed, sent, ahead) in sorted(found.items()):
        yield Exposure(*key, int(opened), owed, sent, ahead, owed + sent + ahead)


def _open(course: Course, unit: str) -> tuple[Decimal, ...]:
    balance, zero = course.statement.balances.get(unit), course.program.unit(unit).decimal(0)
    owed, sent = (balance.owed, balance.in_flight) if balance else (zero, zero)
    return Decimal(course.is_open), owed, sent, course.ahead.get(unit, zero) if course.is_open else zero


def _tiles(clinic: Clinic, exposures: Iterable[Exposure]) -> tuple[Tile, ...]:
    opened = sum(course.is_open for course in clinic.here)
    awarded, open_now = defaultdict[str, Decimal](Decimal), defaultdict[str, Decimal](Decimal)
    for course in clinic.here:
        for unit, amount in course.statement.awarded.items():
            awarded[unit] += amount
    for each in exposures:
        open_now[each.unit] += each.exposure
    return (
        Tile("Enrollments", f"{len(clinic.here):,}", f"{opened:,} open"),
        Tile("Awarded", spoken(awarded)),
        Tile("Exposure still open", spoken(open_now), "if every visit to come is met"),
    )


def spoken(amounts: Mapping[str, Decimal]) -> str:
    """Return amounts by their units, as a tile shows them.

    Example:
        >>> spoken({"USD": Decimal("1234.50"), "draw": Decimal(0)})
        '1,234.50 USD'
    """
    return "; ".join(f"{amount:,} {unit}" for unit, amount in amounts.items() if amount) or "0"
