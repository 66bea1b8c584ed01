"""The design report: one page that a program designer shows to a funder or an ethics board, before anyone enrols."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction

from cm_engine.analysis.proofs.finding import Finding
from cm_engine.analysis.sequences import Seen
from cm_engine.analysis.summary import Analysis, Figures, chance_words
from cm_engine.program.models import Program
from cm_engine.program.units import Unit
from cm_engine.program.values import OUTCOMES, WEEKS_MAX
from cm_engine.reports.charts import Axis, Bar, Reference, Series, bar_chart, line_chart
from cm_engine.reports.curve import VISITS_SHOWN, Curve, curves_of
from cm_engine.reports.examples import examples
from cm_engine.reports.in_words import listed, target_words
from cm_engine.reports.page import (
    Column,
    Markup,
    Meaning,
    Section,
    Tile,
    badge,
    bullets,
    figure,
    joined,
    link,
    page,
    paragraph,
    part,
    section,
    table,
    tiles,
)
from cm_engine.reports.rewards_in_words import (
    bowl_words,
    deposit_words,
    hat_words,
    limit_words,
    milestone_words,
    payout_words,
)
from cm_engine.reports.visits_in_words import OVERPAID, beside_words, visit_words

BARS = 24
"""How many bars a distribution is shown in at most."""
SEVERITIES: dict[str, Meaning] = {"error": "bad", "warning": "warning", "note": "neutral"}
KNOWN: dict[str, Meaning] = {"stated": "good", "derived": "good", "unverified": "warning"}


def design_report(analysis: Analysis, findings: Iterable[Finding] = ()) -> str:
    """Return the design report of a program: one page of HTML that fetches nothing.

    Args:
        analysis: all figures of the program under a model of behavior.
        findings: what was proved, or found wrong.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import analyze, visitwise
        >>> report = design_report(analyze(catalogue.program("va-prize"), visitwise("0.8")))
        >>> "Prize contingency management" in report, "<script" in report
        (True, False)
    """
    program = analysis.program
    sections = [
        _at_a_glance(analysis),
        _in_words(program),
        _curves(program, analysis.start),
        _by_rate(analysis),
        _cost(analysis),
        examples(program, analysis.start),
        _findings([*findings]),
        _assumptions(analysis),
        *_sources(program),
    ]
    lead = program.summary or "What this program pays, what it costs, and what was proved of it."
    footer = (
        f"Program {program.program}, version {program.version}, digest {analysis.rules.digest}. "
        f"{_looked_at(analysis)}"
    )
    return page(program.title, lead, sections, footer=footer, contents="Contents")


def _looked_at(analysis: Analysis) -> str:
    participants = analysis.simulation.participants if analysis.simulation else 0
    if analysis.explored and participants:
        return (
            f"All of its {analysis.explored.size:,} states were looked at. How what is paid is spread was simulated with "
            f"{participants:,} participants, as there are too many sums in all states together."
        )
    if analysis.explored:
        return f"All of its {analysis.explored.size:,} states were looked at: the figures are exact."
    return f"It has too many states to look at all of them: {participants:,} participants were simulated."


def _at_a_glance(analysis: Analysis) -> Section:
    shown = tiles(each for figures in analysis.figures for each in _tiles(analysis, figures))
    return section("At a glance", *_left_out(analysis), shown)


def _left_out(analysis: Analysis) -> Iterator[str]:
    """Yield what the figures do not say all of."""
    program = analysis.program
    if endless := dict.fromkeys(event for each in analysis.figures for event in each.maximum.endless):
        yield f"What is paid for {listed(endless)} has no end; all figures take each reward of it to be reached once at most."
    if any(program.plan(target)[-1].weeks.is_endless for target in program.targets.values()):
        yield f"Visits have no end; all figures are those of {WEEKS_MAX:,} weeks."
    if program.hat:
        yield (
            f"What names drawn from the hat win is in no figure: what a {program.hat.unit} is worth hangs on how many others are "
            "in the hat."
        )


def _tiles(analysis: Analysis, figures: Figures) -> Iterator[Tile]:
    unit, spread = figures.unit, figures.distribution
    name = f" in {unit.plural or unit.name}" if len(analysis.figures) > 1 else ""
    yield Tile(
        f"On average{name}", about(unit, figures.moments.mean), f"a participant, if {analysis.behavior.says}"
    )
    nine_in_ten = _between(unit, spread.quantile(0.05), spread.quantile(0.95))
    yield Tile(f"Nine in ten get{name}", nine_in_ten, "by the same model")
    yield Tile(f"At most{name}", *_most(analysis, figures))
    if figures.minimum.amount:
        reached = f"with {_reached(figures.minimum.seen)}"
        yield Tile(f"At least{name}", unit.spoken(figures.minimum.amount), reached)


def _reached(seen: Seen) -> str:
    """Return in words what is seen: results, and events."""
    events = f", and {listed(dict.fromkeys(seen.events))} reported" if seen.events else ""
    return f"{_seen(seen.words)}{events}"


def _most(analysis: Analysis, figures: Figures) -> tuple[str, str]:
    """Return the most that can be paid, and with what; where events pay whenever they happen, that there is none."""
    unit, most, program = figures.unit, figures.maximum, analysis.program
    draws = program.bowls and unit.name == program.currency
    reached = f"with {_reached(most.seen)}{', and every draw the largest prize' * bool(draws)}"
    if most.endless:
        pays = f"{listed(most.endless)} {'pay' if len(most.endless) > 1 else 'pays'} each time"
        return "no upper limit", f"{pays}; once each: {unit.spoken(most.amount)} {reached}"
    return unit.spoken(most.sure), reached if most.bound is None else f"{unit.spoken(most.amount)} {reached}"


def about(unit: Unit, minor: float | Fraction) -> str:
    """Return an amount that need not be whole, spoken, to the minor unit; of things to a tenth.

    Example:
        >>> from cm_engine.program.units import unit_named
        >>> about(unit_named("USD"), 1234.4), about(unit_named("draw"), Fraction(719, 10))
        ('$12.34', '71.9 draws')
    """
    if unit.is_money:
        return unit.spoken(round(minor))
    return f"{float(minor):.1f} {unit.plural or unit.name}"


def _seen(words: Mapping[str, str]) -> str:
    found = set("".join(words.values()))
    named = [OUTCOMES[symbol] for symbol in OUTCOMES if symbol in found]
    return f"every result {named[0]}" if len(named) == 1 else f"results {listed(named)}"


def _in_words(program: Program) -> Section:
    targets = [
        part(name, bullets([*target_words(program, name), *visit_words(program, name)]))
        for name in program.targets
    ]
    beside = [milestone_words(program, each) for each in program.milestones.values()]
    beside += [bowl_words(program, unit, bowl) for unit, bowl in program.bowls.items()]
    beside += [hat_words(program.hat)] if program.hat else []
    beside += [deposit_words(program)] if program.deposit else []
    beside += beside_words(program)
    limits = [limit_words(program, each) for each in program.limits]
    parts = [part("Beside the visits", bullets(beside))] if beside else []
    parts += [part("Limits", bullets(limits))] if limits else [part("Limits", paragraph("None."))]
    return section(
        "The schedule in plain words",
        *targets,
        *parts,
        part("Payout", bullets([payout_words(program), OVERPAID[program.payout.overpaid]])),
    )


def _curves(program: Program, start: date | None) -> Section:
    curves = [_curve(each) for each in curves_of(program, start)]
    return section("What each visit pays", *curves)


def _curve(curve: Curve) -> Markup:
    unit, name = curve.unit, f" of {curve.target}" if curve.target else ""
    lapse = curve.lapse + 1
    rows = [
        (str(number), unit.spoken(met), unit.spoken(lapsed))
        for number, (met, lapsed) in enumerate(zip(curve.met, curve.lapsed, strict=True), 1)
    ]
    shown = f" The first {VISITS_SHOWN} visits are shown." if curve.more else ""
    caption = f"What each visit{name} pays: with every visit met, and with a lapse at visit {lapse} and all others met.{shown}"
    lines = [
        _line("every visit met", curve.met, unit),
        _line(f"a lapse at visit {lapse}", curve.lapsed, unit),
    ]
    columns = [
        Column("Visit", number=True),
        Column("Every visit met", number=True),
        Column("With the lapse", number=True),
    ]
    return figure(
        line_chart(caption, lines, x=Axis("visit", low=1), y=_axis(unit)), caption, table(rows, columns)
    )


def _line(name: str, amounts: Sequence[int], unit: Unit) -> Series:
    return Series(name, [(number, _plain(unit, amount)) for number, amount in enumerate(amounts, 1)])


def _plain(unit: Unit, minor: float) -> float:
    """Return an amount of minor units as a chart draws it."""
    return float(minor) / float(10**unit.decimals)


def _axis(unit: Unit) -> Axis:
    return Axis(unit.name if unit.is_money else unit.plural or unit.name, "{:,.6g}".format)


def _by_rate(analysis: Analysis) -> Section:
    shown = [_earned(analysis, figures.unit) for figures in analysis.figures]
    return section("What a participant earns, by the share of visits met", *shown)


def _earned(analysis: Analysis, unit: Unit) -> Markup:
    found = analysis.earnings(unit)
    points = [(100 * float(each.rate), _plain(unit, each.mean)) for each in found]
    band = [(_plain(unit, each.low), _plain(unit, each.high)) for each in found]
    name = unit.name if unit.is_money else unit.plural or unit.name
    caption = f"Mean earnings in {name} by the chance that each visit is met; nine in ten participants earn within the band."
    if analysis.rules.events or analysis.behavior.leave:
        caption += " Reports from outside, and leaving for good, are as likely as the model says."
    chart = line_chart(
        caption, [Series("mean", points, band)], x=Axis("visits met, %", low=0, high=100), y=_axis(unit)
    )
    rows = [
        (
            f"{100 * float(each.rate):g} %",
            about(unit, each.mean),
            unit.spoken(each.low),
            unit.spoken(each.high),
        )
        for each in found
    ]
    columns: list[str | Column] = [
        "Visits met",
        *(
            Column(head, number=True)
            for head in ("Mean", "One in twenty gets no more than", "One in twenty gets no less than")
        ),
    ]
    return figure(chart, caption, table(rows, columns))


def _cost(analysis: Analysis) -> Section:
    shown = [_spread(analysis, figures) for figures in analysis.figures]
    limits = [
        (bound.limit.unit.spoken(bound.limit.amounts[-1]), bound.limit.name, chance_words(bound.chance))
        for bound in analysis.limits
    ]
    columns: list[str | Column] = ["Limit", "Per", Column("Takes something of what is earned", number=True)]
    reached = (
        part("How often a limit is reached", table(limits, columns))
        if limits
        else paragraph("There are no limits.")
    )
    return section("What a participant costs", f"If {analysis.behavior.says}.", *shown, reached)


def _spread(analysis: Analysis, figures: Figures) -> Markup:
    unit, found = figures.unit, figures.distribution
    lowest = min(0, int(found.sums[0]))
    width = _width(int(found.quantile(0.999)) - lowest)
    shares = [0.0] * BARS
    for amount, chance in zip(found.sums, found.chances, strict=True):
        shares[min(BARS - 1, (int(amount) - lowest) // width)] += float(chance)
    last = max(place for place, share in enumerate(shares) if share > 1e-6)  # noqa: PLR2004 - too small to be seen
    edges = [lowest + width * place for place in range(last + 2)]
    bars = [Bar(f"{_plain(unit, edges[place]):,.6g}", 100 * shares[place]) for place in range(last + 1)]
    limits = [
        Reference(f"limit per {bound.limit.name}", (bound.limit.amounts[-1] - lowest) / width)
        for bound in analysis.limits
        if bound.limit.unit == unit
        and bound.limit.name in {"episode", "calendar year", "grant year"}
        and bound.limit.amounts[-1] <= edges[-1]
    ]
    name = unit.name if unit.is_money else unit.plural or unit.name
    caption = f"How likely each total is, in {name}: half get {unit.spoken(found.quantile(0.5))} or less."
    chart = bar_chart(caption, bars, x=Axis(name), y=Axis("%"), across=limits)
    rows = [
        (
            _between(unit, edges[place], None if place == BARS - 1 else edges[place + 1] - 1),
            chance_words(shares[place]),
        )
        for place in range(last + 1)
    ]
    return figure(chart, caption, table(rows, ["Total", Column("Share of participants", number=True)]))


def _between(unit: Unit, low: int, high: int | None) -> str:
    """Return a range of amounts, of things with their name once; None is no end."""
    if high is None:
        return f"{unit.spoken(low)} or more"
    if low == high:
        return unit.spoken(low)
    return f"{unit.spoken(low) if unit.is_money else unit.plain(low)} to {unit.spoken(high)}"


def _width(span: int) -> int:
    """Return a round width for the bars of a distribution, in minor units."""
    least, scale = max(1, -(-span // (BARS - 1))), 1
    while True:
        for step in (1, 2, 5):
            if step * scale >= least:
                return step * scale
        scale *= 10


def _findings(findings: Sequence[Finding]) -> Section:
    """Return what was found; what is silenced is listed with its reason."""
    heading = "Proofs and findings"
    if not findings:
        return section(heading, "Nothing was found wrong.")
    rows = [(_severity(each), each.rule, _told(each)) for each in findings]
    said = "Every rule that is not listed here was proved, or found nothing."
    return section(heading, said, table(rows, ["How grave", "Rule", "What was found"]))


def _severity(finding: Finding) -> Markup:
    return badge("silenced") if finding.silenced else badge(finding.severity, SEVERITIES[finding.severity])


def _told(finding: Finding) -> Markup:
    parts: list[str] = [finding.message]
    if finding.counter_example:
        parts.append(f" For example: {finding.counter_example}.")
    if finding.citation:
        parts += [" ", link(finding.citation.cite, finding.citation.where), "."]
    if finding.silenced:
        parts.append(f" Silenced, as: {finding.silenced}.")
    return joined(*parts)


def _assumptions(analysis: Analysis) -> Section:
    program, start = analysis.program, analysis.start
    said = [
        f"Results come as likely as this: {analysis.behavior.says}.",
        "Participants do otherwise; the earnings for other shares of visits met show how much that matters.",
        "Every result is taken to be of its planned visit, in order.",
        _looked_at(analysis),
        f"Week 1 begins on {start}."
        if start
        else "No dates are taken: a limit of a calendar year counts the whole plan as one year.",
        *(
            f"Each report of {name} comes before the first visit, with a chance of {float(analysis.behavior.event(name)):.4g}."
            for name in analysis.rules.events
        ),
        *(
            ["What draws win is on average what the bowl says; a participant's own draws win more or less."]
            if program.bowls
            else []
        ),
        *(
            ["Limits that count in several programs count what this one pays."]
            if analysis.rules.shares
            else []
        ),
    ]
    return section("What the figures rest on", bullets(said))


def _sources(program: Program) -> Iterator[Section]:
    if program.readings:
        yield section("How it reads what its sources leave open", bullets(program.readings))
    if program.evidence:
        rows = [
            (
                each.of,
                badge(each.mark, KNOWN.get(each.mark, "neutral")),
                ", ".join(each.sources),
                each.note or "",
            )
            for each in program.evidence
        ]
        yield section("How well its values are known", table(rows, ["Value", "Known", "Sources", "Note"]))
    cited = [
        joined(
            f"{name}: {source.cite} ",
            link("read it", source.url or f"https://doi.org/{source.doi}")
            if source.url or source.doi
            else "",
        )
        for name, source in program.sources.items()
    ]
    yield section("Sources", bullets(cited) if cited else paragraph("None is named."))
