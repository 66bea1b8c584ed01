"""The JSON that other programs build on: its keys are a contract."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cm_engine.program.units import Unit
from cm_engine.rules import Decision, Rules, Timeline
from cm_engine.rules.reasons import Reason
from cm_engine.rules.sentences import sentence
from cm_engine.rules.timeline import running_sums

AMOUNTS = frozenset({"amount", "change", "limit", "left", "lost", "restart"})
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
    form: dict[str, Any] = {"visit": decision.visit, "week": decision.week}
    if decision.on:
        form["date"] = decision.on.isoformat()
    return {
        **form,
        "result": decision.outcome,
        "awards": amounts(decision.paid),
        "totals": amounts(totals.items()),
        "reasons": [reason_form(reason, decision.behavior) for reason in decision.reasons],
    }


def reason_form(reason: Reason, behavior: str) -> dict[str, Any]:
    """Return a reason as data, with its sentence."""
    fields = reason._asdict()
    unit: Unit | None = fields.pop("unit", None)
    form: dict[str, Any] = {"code": fields.pop("code"), "text": sentence(reason, behavior)}
    if unit is not None:
        form["unit"] = unit.name
    for name, value in fields.items():
        form[name] = unit.plain(value) if unit and name in AMOUNTS and value is not None else value
    return form
