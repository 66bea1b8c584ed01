"""Integrity signals: what an auditor looks at first. A signal is a reason to look, and proves nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from math import comb
from typing import NamedTuple

from cm_engine.log.history import OBSERVED
from cm_engine.log.purse import HANDED_OVER
from cm_engine.people.rights import SELF
from cm_engine.reports.fidelity import Excuses, excuses
from cm_engine.reports.page import Tile
from cm_engine.reports.reading import Clinic, Course, percent
from cm_engine.reports.sheet import Report, Sheet

BURST, BURST_WITHIN = 5, timedelta(minutes=5)
"""So many results of one person within this time are a burst."""
RESULTS_MIN = 20
"""Of fewer results a rate of excuses says nothing."""
CHANCE_MAX = Fraction(1, 100)
"""A rate that chance alone would make less often is unusual."""


class OneHand(NamedTuple):
    """How often one of the staff handed a reward over whose result they had entered alone."""

    staff: str
    handed_over: int
    entered_too: int
    entered_too_percent: Decimal | None


class Burst(NamedTuple):
    """Results that one person entered in a short time."""

    staff: str
    first_at: str
    last_at: str
    results: int
    enrollments: int


class Entry(NamedTuple):
    """A result that was recorded: when, of whom, and what the clock of the clinic showed."""

    at: datetime
    enrollment: str
    clock: str


class Unusual(NamedTuple):
    """Somebody whose excuses are more than chance explains."""

    site: str
    staff: str
    results: int
    excused: int
    excused_percent: Decimal | None
    others_percent: Decimal | None


class Variance(NamedTuple):
    """A count that is not what the book said."""

    stock: str
    holder: str
    product: str
    value: Decimal
    unit: str
    variance: int
    counted_by: str


class Case(NamedTuple):
    """A decision that was drawn for an audit by hand."""

    enrollment: str
    decision: int
    record: int
    on: date | None
    outcome: str
    awarded: tuple[str, ...]
    recorded_by: str


def integrity_report(clinic: Clinic, *, seed: str = "audit", cases: int = 20) -> Report:
    """Return the integrity signals.

    Args:
        clinic: what was read.
        seed: the same draws the same cases of the same log.
        cases: how many are drawn.
    """
    hands, bursts, unusual = list(_one_hand(clinic)), list(_bursts(clinic)), clinic.kept(_unusual(clinic))
    sheets = (
        Sheet("one-hand", "Entering and handing over", ONE_HAND, OneHand, hands),
        Sheet("bursts", "Bursts of entries", BURSTS, Burst, bursts),
        Sheet("unusual-excuses", "Unusual excuses", UNUSUAL, Unusual, unusual),
        Sheet(
            "stock",
            "Stock that is not there",
            "The last count of each custodian, if it is not what the book said then.",
            Variance,
            list(_variances(clinic)),
        ),
        Sheet(
            "sample",
            "Cases for an audit by hand",
            f"Drawn with the seed {seed!r} from all decisions that stand and award something: the same seed draws the same cases.",
            Case,
            sample(clinic, seed, cases),
        ),
    )
    tiles = (
        Tile("Entered and handed over alone", str(sum(each.entered_too for each in hands))),
        Tile("Bursts", str(len(bursts))),
        Tile("Unusual excuses", str(len(unusual)), "of the staff"),
    )
    return Report(
        "integrity",
        "Integrity signals",
        f"{clinic.scope}. Reasons to look, and no proof of anything.",
        sheets,
        tiles,
    )


ONE_HAND = "Rewards that one of the staff handed over, and how many of them they had recorded alone. What a gateway hands over is not among them."
BURSTS = f"{BURST} results or more that one person recorded within {BURST_WITHIN // timedelta(minutes=1)} minutes of the first of them."
UNUSUAL = (
    f"Of at least {RESULTS_MIN} results, more excuses than one chance in {1 / CHANCE_MAX} explains, if they excused as "
    "often as all others together (exact binomial, one-sided)."
)


def _one_hand(clinic: Clinic) -> Iterator[OneHand]:
    given, alone = Counter[str](), Counter[str]()
    for course in clinic.here:
        numbers = {each.number: each for each in course.decisions}
        for act in course.acts:
            if act.kind == HANDED_OVER and act.by != SELF:
                given[act.by] += 1
                alone[act.by] += _entered_alone(course, numbers[act.reported["number"]].record, act.by)
    for by, count in sorted(given.items()):
        yield OneHand(by, count, alone[by], percent(alone[by], count))


def _entered_alone(course: Course, record: int, by: str) -> bool:
    act = course.by_record.get(record)
    return act is not None and act.by == by and "entered" not in act.reported


def _bursts(clinic: Clinic) -> Iterator[Burst]:
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for course in clinic.here:
        for act in course.acts:
            if act.kind == OBSERVED and act.by != SELF:
                found[act.by].append(Entry(act.recorded_at, act.enrollment, course.clock(act.recorded_at)))
    for by, acts in sorted(found.items()):
        for together in _together(sorted(acts)):
            enrollments = len({each.enrollment for each in together})
            yield Burst(by, together[0].clock, together[-1].clock, len(together), enrollments)


def _together(acts: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yield acts that came within a short time of the first of them, if they are many; each act once."""
    place = 0
    while place < len(acts):
        count = sum(each.at - acts[place].at <= BURST_WITHIN for each in acts[place:])
        if count >= BURST:
            yield acts[place : place + count]
        place += count if count >= BURST else 1


def _unusual(clinic: Clinic) -> Iterator[Unusual]:
    rows = list(excuses(clinic))
    results, excused = sum(each.results for each in rows), sum(each.excused for each in rows)
    for each in rows:
        others, theirs = results - each.results, excused - each.excused
        if each.results >= RESULTS_MIN and others and tail(each, Fraction(theirs, others)) < CHANCE_MAX:
            yield Unusual(*each, others_percent=percent(theirs, others))


def tail(row: Excuses, rate: Fraction) -> Fraction:
    """Return the chance of as many excuses or more, if each result is one with a chance; exact.

    Example:
        >>> tail(Excuses("s", "n", 2, 1, None), Fraction(1, 2))
        Fraction(3, 4)
    """
    count = row.results
    fewer = (comb(count, few) * rate**few * (1 - rate) ** (count - few) for few in range(row.excused))
    return 1 - sum(fewer, Fraction(0))


def _variances(clinic: Clinic) -> Iterator[Variance]:
    for stock in filter(lambda each: clinic.covers(each.id), clinic.stocks):
        for each in stock.variances:
            yield Variance(
                stock.id, each.holder, each.product, each.value, each.unit, each.variance, each.counted_by
            )


def sample(clinic: Clinic, seed: str, cases: int) -> list[Case]:
    """Return decisions drawn by the hash of the seed with their place in the log, in the order of their draw."""
    paid = [(course, each) for course in clinic.here for each in course.standing if any(each.awards.values())]
    drawn = sorted(
        paid, key=lambda each: sha256(f"{seed}/{each[1].enrollment}/{each[1].number}".encode()).digest()
    )
    return [
        Case(
            each.enrollment,
            each.number,
            each.record,
            each.on,
            each.outcome,
            tuple(f"{amount} {unit}" for unit, amount in each.awards.items() if amount),
            course.by_record[each.record].by if each.record in course.by_record else "",
        )
        for course, each in drawn[:cases]
    ]
