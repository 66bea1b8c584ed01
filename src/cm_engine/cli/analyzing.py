"""What the commands of analysis do: apart from them, as numpy comes with an extra."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cm_engine.analysis import Analysis, Behavior, Seen, analyze, dropping_out, estimated, markov, visitwise
from cm_engine.analysis.behavior import chance_of
from cm_engine.analysis.form import analysis_form, rounded
from cm_engine.analysis.summary import Figures
from cm_engine.cli.behaviors import RATE, Asked
from cm_engine.cli.results import read_results
from cm_engine.cli.tables import heading
from cm_engine.errors import ResultsError
from cm_engine.program import Program
from cm_engine.reports.design import design_report
from cm_engine.rules import Rules, compile_rules
from cm_engine.spelling import nearest


def analyzed(program: Program, asked: Asked, start: date | None) -> Analysis:
    """Return all figures of a program under the model of behavior that is asked for."""
    return analyze(program, behavior_of(asked, compile_rules(program)), start=start)


def form(analysis: Analysis) -> dict[str, Any]:
    """Return an analysis as data."""
    return analysis_form(analysis)


def behavior_of(asked: Asked, rules: Rules) -> Behavior:
    """Return the model of behavior that options ask for.

    Raises:
        ResultsError: two models are asked for, half of one, a chance is none, or there is no such event.
        ResultsFileError: lines of the file to learn from are wrong.
    """
    behavior = _model(asked, rules)
    behavior = dropping_out(behavior, asked.leave) if asked.leave else behavior
    return replace(behavior, events=dict(_event(text, rules) for text in asked.events or ()))


def _model(asked: Asked, rules: Rules) -> Behavior:
    pair = (asked.lapse, asked.recover)
    if sum((asked.met is not None, pair != (None, None), asked.rates is not None)) > 1:
        msg = "expected one of --p-met, --p-lapse with --p-recover, and --rates-from, got several"
        raise ResultsError(msg)
    if asked.rates is not None:
        participants = read_results(asked.rates, rules, None, truncate=True)
        return estimated(word for each in participants for word in each.results.values())
    if None in pair and pair != (None, None):
        msg = "--p-lapse and --p-recover make a model together, and one of them is missing"
        raise ResultsError(msg)
    if asked.lapse is not None and asked.recover is not None:
        return markov(asked.lapse, asked.recover)
    return visitwise(asked.met or RATE)


def _event(text: str, rules: Rules) -> tuple[str, Fraction]:
    name, sign, chance = text.rpartition("=")
    if not sign or name not in rules.events:
        known = ", ".join(rules.events) or "none"
        hint = nearest(name, rules.events) if sign else ""
        msg = f"--event: expected NAME=P with an event of the program{hint} (known: {known}), got {text!r}"
        raise ResultsError(msg)
    return name, chance_of(chance)


def report(analysis: Analysis) -> str:
    """Return the design report of an analysis."""
    return design_report(analysis)


def page(analysis: Analysis) -> Group:
    """Return an analysis as a person reads it on a terminal."""
    lines = [Text(f"{each.unit.name}: the most with {_seen(each.maximum.seen)}") for each in analysis.figures]
    about = f"{analysis.explored.size} states; {analysis.behavior.says}."
    limits = [Text(_limit(analysis, index)) for index in range(len(analysis.limits))]
    return Group(Text(heading(analysis.explored.rules)), Text(about), _table(analysis), *lines, *limits)


def _table(analysis: Analysis) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Unit", "Least", "5 %", "Half", "95 %", "Most", "Expected", "SD"):
        table.add_column(name, justify="left" if name == "Unit" else "right")
    for figures in analysis.figures:
        table.add_row(*_row(figures))
    return table


def _row(figures: Figures) -> tuple[str, ...]:
    unit, quantile = figures.unit, figures.distribution.quantile
    between = (unit.plain(quantile(share)) for share in (0.05, 0.5, 0.95))
    moments = (rounded(unit, each) for each in (figures.moments.mean, figures.moments.sd))
    return (
        unit.name,
        unit.plain(figures.minimum.amount),
        *between,
        unit.plain(figures.maximum.amount),
        *moments,
    )


def _seen(seen: Seen) -> str:
    words = (
        [f"{name} {word}" for name, word in seen.words.items()]
        if len(seen.words) > 1
        else seen.words.values()
    )
    return ", ".join([*words, *dict.fromkeys(seen.events)])


def _limit(analysis: Analysis, index: int) -> str:
    limit, chance = analysis.limits[index]
    amounts = " or ".join(dict.fromkeys(limit.unit.spoken(amount) for amount in limit.amounts))
    return f"Limit of {amounts} per {limit.name}: takes something with a chance of {chance:.4g}"
