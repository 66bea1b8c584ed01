"""The JSON of an analysis: its keys are a contract."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from typing import Any

from cm_engine.analysis.proofs.finding import Finding
from cm_engine.analysis.sequences import Seen
from cm_engine.analysis.summary import QUANTILES, Analysis, Bound, Figures
from cm_engine.program.units import Unit


def analysis_form(analysis: Analysis, findings: Iterable[Finding] = ()) -> dict[str, Any]:
    """Return an analysis as data: money is a decimal string, other units numbers.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import analyze, visitwise
        >>> form = analysis_form(analyze(catalogue.program("higgins-1994-voucher"), visitwise(1)))
        >>> form["units"]["USD"]["maximum"], form["units"]["USD"]["expected"]
        ('997.50', '997.50')
    """
    explored, simulation = analysis.explored, analysis.simulation
    return {
        "program": analysis.program.program,
        "version": analysis.program.version,
        "digest": analysis.rules.digest,
        "start": analysis.start.isoformat() if analysis.start else None,
        "behavior": analysis.behavior.says,
        "exact": simulation is None,
        "states": explored.size if explored else None,
        "simulated": simulation.participants if simulation else None,
        "units": {
            each.unit.name: _figures(each, simulation.participants if simulation else None)
            for each in analysis.figures
        },
        "limits": [_bound(each) for each in analysis.limits],
        "findings": [each.form() for each in findings],
    }


def _figures(figures: Figures, simulated: int | None) -> dict[str, Any]:
    unit, moments = figures.unit, figures.moments
    return {
        "maximum": unit.plain(figures.maximum.amount),
        "minimum": unit.plain(figures.minimum.amount),
        **_bounds(figures),
        **({"maximum_endless": list(figures.maximum.endless)} if figures.maximum.endless else {}),
        "expected": rounded(unit, moments.mean),
        "sd": rounded(unit, moments.sd),
        **({"error": rounded(unit, moments.sd / sqrt(simulated))} if simulated else {}),
        "quantiles": {
            f"{float(share):g}": unit.plain(figures.distribution.quantile(float(share)))
            for share in QUANTILES
        },
        "maximum_sequence": seen_form(figures.maximum.seen),
        "minimum_sequence": seen_form(figures.minimum.seen),
    }


def _bounds(figures: Figures) -> dict[str, str]:
    """Return what nothing goes beyond, where it is not known that the most and the least are that."""
    named = {"maximum_bound": figures.maximum, "minimum_bound": figures.minimum}
    return {name: figures.unit.plain(each.bound) for name, each in named.items() if each.bound is not None}


def rounded(unit: Unit, minor: float | Fraction) -> str:
    """Return an amount of minor units that need not be whole, to a hundredth of one, as digits.

    Example:
        >>> from cm_engine.program.units import unit_named
        >>> rounded(unit_named("USD"), Fraction(181876, 5))
        '363.752'
    """
    hundredths = round(minor * 100)
    exact = Decimal(hundredths).scaleb(-2 - unit.decimals)
    whole, _, rest = f"{exact:f}".partition(".")
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
        "reached": None if bound.chance is None else round(bound.chance, 9),
    }
