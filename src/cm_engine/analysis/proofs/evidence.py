"""The published evidence that rules rest on, read from a data file of the package."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from cm_engine.analysis.proofs.finding import Citation
from cm_engine.program.reading import read_document


class Line(NamedTuple):
    """An amount from which on a funder or a law has a say, in dollars.

    Attributes:
        rule: the id of the rule that tells of it.
        most: the most that lies under it.
        per: year or month.
        of: whose line it is.
        says: the line in words.
        since, until: the first and the last day that it is in force; None is without end.
        citation: the text that states it.
    """

    rule: str
    most: Decimal
    per: str
    of: str
    says: str
    since: date | None
    until: date | None
    citation: Citation

    def holds(self, on: date | None) -> bool:
        """Tell whether it is in force on a day; without a day, whether no end of it is known."""
        if on is None:
            return self.until is None
        return (self.since or on) <= on <= (self.until or on)


@cache
def _data() -> Mapping[str, Any]:
    text = files("cm_engine.analysis.proofs").joinpath("evidence.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = read_document(text, "evidence.yaml").data
    return found


def cited(text: str) -> Citation:
    """Return a text.

    Example:
        >>> cited("lussier-2006").mark
        'stated'
    """
    return Citation(**_data()["texts"][text])


def figure(name: str) -> Mapping[str, Any]:
    """Return the figures of a rule, with the id of the text that they are from.

    Example:
        >>> figure("shown")["amount"], figure("shown")["weeks"]
        (Decimal('405.00'), 12)
    """
    found: Mapping[str, Any] = _data()["figures"][name]
    return found


def texts() -> Mapping[str, Citation]:
    """Return every text, by its id."""
    return {name: cited(name) for name in _data()["texts"]}


def lines(on: date | None = None) -> tuple[Line, ...]:
    """Return the lines of funders and of law that are in force on a day, or that no end is known of.

    Example:
        >>> [str(line.most) for line in lines(date(2025, 6, 1)) if line.rule == "over-tax-line"]
        ['599.99']
    """
    found = (
        Line(
            each["rule"],
            each["most"],
            each["per"],
            each["of"],
            each["says"],
            _day(each.get("since")),
            _day(each.get("until")),
            cited(each["text"]),
        )
        for each in _data()["lines"]
    )
    return tuple(line for line in found if line.holds(on))


def _day(written: str | None) -> date | None:
    return date.fromisoformat(written) if written else None
