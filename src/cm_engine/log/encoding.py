"""What the log keeps as JSON, and back: what was observed, what was awarded, why, and what was drawn."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, get_args, get_type_hints

from cm_engine.program.units import Unit
from cm_engine.rules.compact import compact
from cm_engine.rules.prizes import Drawn, Prizes, Slips
from cm_engine.rules.reasons import Limited, Reason
from cm_engine.rules.sentences import sentence
from cm_engine.rules.shared import Pool, Windows
from cm_engine.rules.state import Award, Evidence, Observation
from cm_engine.rules.words import Words

Units = Callable[[str], Unit]
"""What finds a unit of a program by its name."""

REMEMBERED = 10_000
KINDS: Mapping[str, Any] = {kind._field_defaults["code"]: kind for kind in get_args(Reason)}


def digits(value: Decimal) -> str:
    """Return an exact number as its digits: equal numbers have the same.

    Example:
        >>> digits(Decimal("9000.0")), digits(Decimal("1E+3"))
        ('9000', '1000')
    """
    text = format(value or Decimal(0), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exactly(value: object) -> str:
    """Return what JSON has no form for as text: exact numbers and days, and nothing else."""
    if isinstance(value, Decimal):
        return digits(value)
    if isinstance(value, Fraction | date):
        return str(value)
    msg = f"{value!r} has no form in the log"
    raise TypeError(msg)


_compact = compact(_exactly)


def dumped(value: object) -> str:
    """Return a value as JSON without white space; exact numbers and days become text."""
    return _compact(value)


def instant(time: datetime) -> str:
    """Return an aware time as text in UTC that sorts as times do.

    Example:
        >>> from datetime import timedelta, timezone
        >>> instant(datetime(2026, 1, 5, 9, 0, tzinfo=timezone(timedelta(hours=-8))))
        '2026-01-05T17:00:00.000000+00:00'
    """
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def observed(observation: Observation) -> dict[str, Any]:
    """Return what was observed, as data; its day stands beside it."""
    target, evidence = observation.target, observation.evidence
    found: dict[str, Any] = {"target": target} if target else {}
    if observation.event:
        found["event"] = observation.event
    if observation.outcome:
        found["result"] = observation.outcome
    if evidence is not None:
        found["evidence"] = {
            name: value
            for name, value in evidence._asdict().items()
            if value != Evidence._field_defaults[name]
        }
    return found


def observation_from(body: Mapping[str, Any], on: date | None) -> Observation:
    """Return what `observed` wrote, on a day."""
    evidence = body.get("evidence")
    return Observation(
        body.get("result", ""),
        on,
        body.get("target", ""),
        None if evidence is None else _evidence(evidence),
        body.get("event", ""),
    )


def _evidence(fields: Mapping[str, Any]) -> Evidence:
    value = fields.get("value")
    exact = {
        "panel": tuple((analyte, result) for analyte, result in fields.get("panel", ())),
        "prescribed": tuple(fields.get("prescribed", ())),
        "conditions": tuple(fields.get("conditions", ())),
        "value": None if value is None else Decimal(value),
    }
    return Evidence(**{**fields, **exact})


@lru_cache(maxsize=REMEMBERED)
def awards_text(paid: tuple[Award, ...]) -> str:
    """Return awards as pairs of a unit's name and minor units."""
    return dumped([(unit.name, amount) for unit, amount in paid])


def awards_from(text: str, unit: Units) -> tuple[Award, ...]:
    """Return what `awards_text` wrote."""
    return tuple(Award(unit(name), amount) for name, amount in json.loads(text))


@lru_cache(maxsize=REMEMBERED)
def reasons_text(reasons: tuple[Reason, ...]) -> str:
    """Return reasons as objects with their code first."""
    return dumped([_reason_form(reason) for reason in reasons])


@lru_cache(maxsize=REMEMBERED)
def said(reasons: tuple[Reason, ...], words: Words) -> str:
    """Return reasons as the participant reads them, on one line."""
    return " ".join(" ".join(sentence(reason, words) for reason in reasons).split())


def _reason_form(reason: Reason) -> dict[str, Any]:
    fields = reason._asdict()
    form: dict[str, Any] = {"code": fields.pop("code")}
    return form | {name: value.name if isinstance(value, Unit) else value for name, value in fields.items()}


def reasons_from(text: str, unit: Units) -> tuple[Reason, ...]:
    """Return what `reasons_text` wrote."""
    return tuple(_reason(form, unit) for form in json.loads(text))


def _reason(form: dict[str, Any], unit: Units) -> Reason:
    kind = KINDS[form["code"]]
    readers: Readers = {**_exact(kind), "unit": unit}
    exact = {
        name: readers[name](value) for name, value in form.items() if name in readers and value is not None
    }
    reason: Reason = kind(**{**form, **exact})
    return reason


Readers = Mapping[str, Callable[[Any], Any]]
"""How fields are read that JSON has as text or as a list, by their name."""


@cache
def _exact(kind: Callable[..., Any]) -> Readers:
    """Return how the fields of a reason are read; its unit is the program's."""
    hints = get_type_hints(kind)
    found: dict[str, Callable[[Any], Any]] = {
        name: read
        for name, hint in hints.items()
        for of, read in _READERS.items()
        if of in {hint, *get_args(hint)}
    }
    return found | {name: tuple for name, hint in hints.items() if hint == tuple[str, ...]}


_READERS: Mapping[type, Callable[[Any], Any]] = {
    Decimal: Decimal,
    Fraction: Fraction,
    date: date.fromisoformat,
}


def prizes_text(prizes: Prizes) -> str:
    """Return what draws won, as data."""
    paid, limited = prizes.paid, prizes.limited
    form: dict[str, Any] = {"drawn": prizes.drawn, "paid": (paid.unit.name, paid.amount)}
    return dumped(form | ({"limited": _reason_form(limited)} if limited else {}))


def prizes_from(text: str, unit: Units) -> Prizes:
    """Return what `prizes_text` wrote."""
    form = json.loads(text)
    name, amount = form["paid"]
    limited = _reason(form["limited"], unit) if "limited" in form else None
    assert limited is None or isinstance(limited, Limited)
    return Prizes(tuple(Drawn(*each) for each in form["drawn"]), Award(unit(name), amount), limited)


def pools_text(received: Mapping[Pool, Windows]) -> str:
    """Return what pools have received, as data; empty for none."""
    return dumped(sorted(received.items())) if received else ""


def pools_from(text: str) -> dict[Pool, Windows]:
    """Return what `pools_text` wrote."""
    return {Pool(*pool): _windows(pairs) for pool, pairs in json.loads(text)} if text else {}


def windows_from(text: str) -> Windows:
    """Return the number of each window and what it has received, from JSON; nothing from nothing."""
    return _windows(json.loads(text)) if text else ()


def _windows(pairs: list[list[int]]) -> Windows:
    return tuple((number, amount) for number, amount in pairs)


def slips_from(fields: list[Any]) -> Slips:
    """Return what is in a bowl, from its fields as JSON has them."""
    names, counts, values, stock, replace = fields
    return Slips(tuple(names), tuple(counts), tuple(values), tuple(stock), replace)
