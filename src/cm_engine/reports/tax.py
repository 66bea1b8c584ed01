"""Tax totals: what each payer paid each participant in a calendar year, by the day of payment, beside the dated thresholds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any, NamedTuple

from cm_engine.ledger.accounts import ISSUED
from cm_engine.reports.page import Tile
from cm_engine.reports.reading import Clinic, Course, percent
from cm_engine.reports.sheet import Report, Sheet

WARN_AT = Decimal("0.8")
"""At this share of a threshold somebody is told."""
NO_PAYER = "(no payer named)"
WARNING, REACHED = "warning", "reached"


class Threshold(NamedTuple):
    """A figure of the tax form, from one day to another, with where it is from.

    Attributes:
        first, last: the days of payment that it holds for; no first day where the source names none.
        mark: doc where it was read in the source; tbv where it has to be verified.
    """

    amount: Decimal
    unit: str
    first: date | None
    last: date
    basis: str
    source: str
    mark: str


class TaxLine(NamedTuple):
    """What one payer paid one participant in one year."""

    payer: str
    participant: str
    year: int
    unit: str
    paid: Decimal
    threshold: Decimal | None
    of_threshold_percent: Decimal | None
    state: str


def thresholds() -> tuple[Threshold, ...]:
    """Return the thresholds that are shipped, in the order of their days."""
    text = files("cm_engine.reports").joinpath("thresholds.json").read_text("utf-8")
    return tuple(map(_threshold, json.loads(text)))


def _threshold(form: Mapping[str, Any]) -> Threshold:
    first = date.fromisoformat(form["from"]) if form["from"] else None
    last = date.fromisoformat(form["to"])
    said = form["basis"], form["source"], form["mark"]
    return Threshold(Decimal(form["amount"]), form["unit"], first, last, *said)


def threshold_of(year: int, unit: str, known: Sequence[Threshold]) -> Threshold | None:
    """Return the threshold of a year; None where no figure is known: none is guessed.

    Example:
        >>> [found and found.amount for found in (threshold_of(year, "USD", thresholds()) for year in (2025, 2026, 2027))]
        [Decimal('600.00'), Decimal('2000.00'), None]
    """
    last = date(year, 12, 31)
    return next(
        (each for each in known if each.unit == unit and (each.first or last) <= last <= each.last), None
    )


def tax_report(clinic: Clinic, known: Sequence[Threshold] = ()) -> Report:
    """Return tax totals, with what is near a threshold first."""
    known = known or thresholds()
    rows = sorted(_lines(clinic, known), key=lambda each: (-each.paid, each[:4]))
    near = [each for each in rows if each.state in {WARNING, REACHED}]
    sheets = (
        Sheet("near", "Near or above the threshold", f"From {WARN_AT * 100:.0f} % of it on.", TaxLine, near),
        Sheet("totals", "All totals", TOTALS, TaxLine, rows),
        Sheet(
            "thresholds",
            "Thresholds",
            "Each figure with its source; a year without one is not guessed.",
            Threshold,
            known,
        ),
    )
    tiles = (
        Tile("Reached", str(sum(each.state == REACHED for each in rows))),
        Tile("Warned of", str(sum(each.state == WARNING for each in rows)), f"from {WARN_AT * 100:.0f} % on"),
    )
    return Report(
        "tax",
        "Tax totals",
        f"{clinic.scope}. Paid by each payer to each participant in a calendar year. No tax advice.",
        sheets,
        tiles,
    )


TOTALS = (
    "Payouts of money that reached the participant, by the day on which they did, over all programs of one payer. What came "
    "back is not among them."
)


def payer_of(course: Course) -> str:
    """Return who pays a program: the payer that its limits name."""
    named = sorted({limit.payer for limit in course.program.limits if limit.payer})
    return ", ".join(named) or NO_PAYER


def _lines(clinic: Clinic, known: Sequence[Threshold]) -> Iterator[TaxLine]:
    found: dict[tuple[str, str, int, str], Decimal] = {}
    for course in clinic.here:
        for paid in course.payouts:
            if paid.status == ISSUED and paid.handed_over_on and course.program.unit(paid.unit).is_money:
                key = payer_of(course), course.enrollment.participant, paid.handed_over_on.year, paid.unit
                found[key] = found.get(key, Decimal(0)) + paid.amount
    for key, total in found.items():
        yield _line(key, total, threshold_of(key[2], key[3], known))


def _line(key: tuple[str, str, int, str], total: Decimal, line: Threshold | None) -> TaxLine:
    if line is None:
        return TaxLine(*key, total, None, None, "no figure known")
    state = REACHED if total >= line.amount else WARNING if total >= line.amount * WARN_AT else "below"
    return TaxLine(*key, total, line.amount, percent(int(total * 100), int(line.amount * 100)), state)
