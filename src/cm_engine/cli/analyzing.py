"""What the commands of analysis do: apart from them, as numpy comes with an extra."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cm_engine.analysis import Analysis, Behavior, Seen, analyze, dropping_out, estimated, markov, visitwise
from cm_engine.analysis.behavior import chance_of
from cm_engine.analysis.form import rounded
from cm_engine.analysis.proofs.finding import Finding
from cm_engine.analysis.proofs.findings import NOTHING, load_silences
from cm_engine.analysis.summary import Figures, chance_words
from cm_engine.cli.behaviors import RATE, Asked
from cm_engine.cli.results import read_results
from cm_engine.cli.tables import heading
from cm_engine.errors import ResultsError
from cm_engine.program import Program
from cm_engine.rules import Rules, compile_rules
from cm_engine.spelling import nearest


def analyzed(program: Program, asked: Asked, start: date | None) -> Analysis:
    """Return all figures of a program under the model of behavior that is asked for."""
    return analyze(program, behavior_of(asked, compile_rules(program)), start=start)


def found(analysis: Analysis, silences: Path | None, on: date | None) -> tuple[Finding, ...]:
    """Return what was proved, or found wrong; a file says what of it is known and left as it is."""
    return analysis.findings(silenced=load_silences(silences) if silences else NOTHING, on=on)


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


def page(analysis: Analysis, findings: Iterable[Finding] = ()) -> Group:
    """Return an analysis as a person reads it on a terminal."""
    lines = [Text(_most(each)) for each in analysis.figures]
    limits = [Text(_limit(analysis, index)) for index in range(len(analysis.limits))]
    return Group(
        Text(heading(analysis.rules)),
        Text(_about(analysis)),
        _table(analysis),
        *lines,
        *limits,
        *map(_finding, findings),
    )


def _undated(analysis: Analysis) -> str:
    """Say how limits of a year were counted, where nobody said when the plan begins."""
    years = [limit.per for limit in analysis.program.limits if limit.per in {"calendar year", "grant year"}]
    if analysis.start or not years:
        return ""
    return f" No dates are taken: a limit of a {years[0]} counts the whole plan as one year; --start says when it begins."


def _about(analysis: Analysis) -> str:
    simulated = analysis.simulation.participants if analysis.simulation else 0
    if analysis.explored and simulated:
        return (
            f"{analysis.explored.size} states; {analysis.behavior.says}. There are too many sums in all of them together: "
            f"{simulated:,} participants were simulated for what is between the least and the most, by table."
        )
    if analysis.explored:
        return f"{analysis.explored.size} states; {analysis.behavior.says}.{_undated(analysis)}"
    return (
        f"There are too many states to look at all of them: {simulated:,} participants were simulated; "
        f"{analysis.behavior.says}. The most and the least are those of who meets every visit, and none."
    )


def _most(figures: Figures) -> str:
    said, endless = (
        f"{figures.unit.name}: the most with {_seen(figures.maximum.seen)}",
        figures.maximum.endless,
    )
    if endless:
        return f"{said}; there is no upper limit, as {', '.join(endless)} can pay each time: here each reward of it is counted once"
    if figures.maximum.bound is None:
        return said
    return f"{said}; no results lead to more than {figures.unit.spoken(figures.maximum.bound)}"


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
    return f"Limit of {amounts} per {limit.name}: {_often(chance)}"


def _often(chance: float | None) -> str:
    if chance is None:
        return "how often it takes something was not looked at"
    return f"takes something with a chance of {chance_words(chance)}" if chance else "takes nothing"


def _finding(finding: Finding) -> Text:
    severity = f"silenced {finding.severity}" if finding.silenced else finding.severity
    example = f" For example: {finding.counter_example}." if finding.counter_example else ""
    cited = f" ({finding.citation.cite})" if finding.citation else ""
    return Text(f"{severity}: {finding.rule}: {finding.message}{example}{cited}")
