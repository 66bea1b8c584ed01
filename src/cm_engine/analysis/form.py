"""The JSON of an analysis: its keys are a contract."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

from cm_engine.analysis.extremes import Seen
from cm_engine.analysis.summary import QUANTILES, Analysis, Bound, Figures
from cm_engine.program.units import Unit


class Found(Protocol):
    """A finding, as far as its form goes."""

    def form(self) -> dict[str, Any]:
        """Return it as data."""


def analysis_form(analysis: Analysis, findings: Iterable[Found] = ()) -> dict[str, Any]:
    """Return an analysis as data: money is a decimal string, other units numbers.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import analyze, visitwise
        >>> form = analysis_form(analyze(catalogue.program("higgins-1994-voucher"), visitwise(1)))
        >>> form["units"]["USD"]["maximum"], form["units"]["USD"]["expected"]
        ('997.50', '997.50')
    """
    explored = analysis.explored
    return {
        "program": explored.program.program,
        "version": explored.program.version,
        "digest": explored.rules.digest,
        "start": explored.start.isoformat() if explored.start else None,
        "behavior": analysis.behavior.says,
        "exact": True,
        "states": explored.size,
        "units": {each.unit.name: _figures(each) for each in analysis.figures},
        "limits": [_bound(each) for each in analysis.limits],
        "findings": [each.form() for each in findings],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    unit = figures.unit
    return {
        "maximum": unit.plain(figures.maximum.amount),
        "minimum": unit.plain(figures.minimum.amount),
        "expected": rounded(unit, figures.moments.mean),
        "sd": rounded(unit, figures.moments.sd),
        "quantiles": {
            f"{float(share):g}": unit.plain(figures.distribution.quantile(float(share)))
            for share in QUANTILES
        },
        "maximum_sequence": seen_form(figures.maximum.seen),
        "minimum_sequence": seen_form(figures.minimum.seen),
    }


def rounded(unit: Unit, minor: float | Fraction) -> str:
    """Return an amount of minor units that need not be whole, to a hundredth of one, as digits.

    Example:
        >>> from fractions import Fraction
        >>> from cm_engine.program.units import unit_named
        >>> rounded(unit_named("USD"), Fraction(181876, 5))
        '363.752'
    """
    hundredths = round(minor * 100)
    exact = Decimal(hundredths).scaleb(-2 - unit.decimals)
    text = f"{exact:f}"
    whole, _, rest = text.partition(".")
    kept = rest.rstrip("0").ljust(unit.decimals, "0")
    return f"{whole}.{kept}" if kept else whole


def seen_form(seen: Seen) -> str | dict[str, Any]:
    """Return a sequence as data: a word of results where there is one target and no event."""
    if len(seen.words) == 1 and not seen.events:
        return next(iter(seen.words.values()))
    return {"results": dict(seen.words), "events": list(seen.events)}


def _bound(bound: Bound) -> dict[str, Any]:
    limit = bound.limit
    return {
        "unit": limit.unit.name,
        "per": limit.name,
        "amounts": [limit.unit.plain(amount) for amount in limit.amounts],
        "since": [day.isoformat() for day in limit.since],
        "crossing": limit.crossing,
        "scope": list(limit.scope),
        "reached": round(bound.chance, 9),
    }
