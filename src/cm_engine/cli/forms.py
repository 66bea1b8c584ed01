"""The JSON that other programs build on: its keys are a contract."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cm_engine.program.units import Unit
from cm_engine.rules import Decision, Rules, Timeline
from cm_engine.rules.reasons import Reason
from cm_engine.rules.sentences import digits, sentence
from cm_engine.rules.timeline import running_sums
from cm_engine.rules.words import Words

AMOUNTS = frozenset({"amount", "change", "limit", "left", "lost", "restart", "minimum", "settled"})
"""The fields of reasons that are in minor units."""


def timeline_json(rules: Rules, timeline: Timeline, participant: str | None = None) -> str:
    """Return a decided timeline as one line of JSON; money is a decimal string, other units whole numbers."""
    program = rules.program
    sums = running_sums(timeline.decisions)
    form: dict[str, Any] = {"program": program.program, "version": program.version, "digest": rules.digest}
    if participant is not None:
        form["participant"] = participant
    form["decisions"] = [
        _decision(decision, totals) for decision, totals in zip(timeline.decisions, sums, strict=True)
    ]
    form["totals"] = amounts(timeline.sums.items())
    return json.dumps(form, ensure_ascii=False, separators=(",", ":"))


def amounts(pairs: Iterable[tuple[Unit, int]]) -> dict[str, str]:
    """Return amounts by the name of their unit, as digits."""
    return {unit.name: unit.plain(amount) for unit, amount in pairs}


def _decision(decision: Decision, totals: Mapping[Unit, int]) -> dict[str, Any]:
    form: dict[str, Any] = {"target": decision.target} if decision.target else {}
    form |= {"visit": decision.visit, "week": decision.week}
    if decision.on:
        form["date"] = decision.on.isoformat()
    return {
        **form,
        "result": decision.outcome,
        "awards": amounts(decision.paid),
        "totals": amounts(totals.items()),
        "reasons": [reason_form(reason, decision.words) for reason in decision.reasons],
    }


def _plain(value: object) -> object:
    """Return a value as JSON has it: numbers that are no money as digits, days as text."""
    return (
        digits(value)
        if isinstance(value, Decimal | Fraction)
        else str(value)
        if isinstance(value, date)
        else value
    )


def reason_form(reason: Reason, words: Words) -> dict[str, Any]:
    """Return a reason as data, with its sentence."""
    fields = reason._asdict()
    unit: Unit | None = fields.pop("unit", None)
    form: dict[str, Any] = {"code": fields.pop("code"), "text": sentence(reason, words)}
    if unit is not None:
        form["unit"] = unit.name
    for name, value in fields.items():
        form[name] = unit.plain(value) if unit and name in AMOUNTS and value is not None else _plain(value)
    return form
