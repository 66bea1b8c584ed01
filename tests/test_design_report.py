"""The design report: one page that says what the analysis found, and that anyone can read, on a phone and on paper."""

import re
from datetime import date
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ViewportSize

from cm_engine import catalogue, parse_program
from cm_engine.analysis import Analysis, analyze, visitwise
from cm_engine.cli.analyzing import page as shown
from cm_engine.reports.design import design_report
from cm_engine.reports.in_words import target_words
from cm_engine.reports.visits_in_words import visit_words

PROGRAMS = ("california-recovery-incentives", "halpern-2015-deposit", "miedar-prize", "va-prize")
PHONE, DESKTOP = ViewportSize(width=390, height=844), ViewportSize(width=1200, height=900)


@pytest.fixture(scope="module")
def analyses() -> dict[str, Analysis]:
    """The analyses of some programs."""
    return {name: analyze(catalogue.program(name), visitwise("0.8")) for name in PROGRAMS}


@pytest.fixture(scope="module")
def reports(analyses: dict[str, Analysis], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Their reports, as files."""
    folder = tmp_path_factory.mktemp("reports")
    found = {}
    for name, analysis in analyses.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(design_report(analysis, analysis.findings()), "utf-8")
    return found


class Tag(NamedTuple):
    name: str
    attributes: dict[str, str | None]


class Read(HTMLParser):
    """Reads a page: its tags, and whether each is closed."""

    EMPTY = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_fetches_nothing_runs_nothing_and_closes_what_it_opens(
    name: str, reports: dict[str, Path]
) -> None:
    read = Read(reports[name].read_text("utf-8"))
    assert not read.open
    assert not {"script", "img", "iframe", "object", "link"} & {tag.name for tag in read.tags}
    assert not any("src" in tag.attributes for tag in read.tags)
    assert all(key not in tag.attributes for tag in read.tags for key in ("onclick", "onload", "onerror"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_says_the_figures_of_the_analysis_and_the_words_of_the_program(
    name: str, analyses: dict[str, Analysis], reports: dict[str, Path]
) -> None:
    text, analysis = reports[name].read_text("utf-8"), analyses[name]
    for figures in analysis.figures:
        assert figures.unit.spoken(figures.maximum.amount) in text
        assert figures.unit.spoken(figures.distribution.quantile(0.95)) in text
    assert analysis.rules.digest in text
    program = analysis.program
    for target in program.targets:
        assert all(said in text for said in target_words(program, target))
    assert all(escape(source.cite) in text for source in program.sources.values())


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_chart_carries_its_figures_as_a_table(name: str, reports: dict[str, Path]) -> None:
    charts = re.findall(r"<figure>.*?</figure>", reports[name].read_text("utf-8"), re.DOTALL)
    assert len(charts) >= 3
    assert all(chart.count("<table>") == 1 and 'role=img aria-label="' in chart for chart in charts)


def test_example_timelines_say_each_visit_in_words(reports: dict[str, Path]) -> None:
    text = reports["va-prize"].read_text("utf-8")
    assert "Every visit met: 164 draws" in text
    assert "visit 10: positive, nothing" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_anyone_can_read_it_in_a_browser(
    size: ViewportSize, scheme: str, browser: Browser, reports: dict[str, Path]
) -> None:
    context = browser.new_context(viewport=size, color_scheme="dark" if scheme == "dark" else "light")
    for report in [reports["california-recovery-incentives"], reports["miedar-prize"]]:
        page = context.new_page()
        page.goto(report.as_uri())
        found = Axe().run(page).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"][:120]) for each in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        smallest = page.evaluate(
            "Math.min(...[...document.querySelectorAll('body *')].filter(e => e.textContent.trim())"
            ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
        )
        assert smallest >= 12
        page.close()
    context.close()


def test_paper_shows_the_tables_that_the_screen_folds(browser: Browser, reports: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(reports["va-prize"].as_uri())
    folded = page.locator("details table").first
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.is_visible()
    page.close()


def test_the_terminal_shows_the_same_figures(analyses: dict[str, Analysis]) -> None:
    assert len(shown(analyses["va-prize"]).renderables) >= 4


def amounts(program: str, start: date | None = None) -> dict[str, str]:
    """What the example timelines of a program come to, by their names."""
    analysis = analyze(parse_program(program), visitwise("0.8"), start=start)
    text = design_report(analysis)
    return dict(re.findall(r"<h3[^>]*>([^<:]+): ([^<]+)</h3>", text))


PLAN = """
program: plan
version: "1"
title: Plan
currency: USD
visits: [{weeks: WEEKS, days: [monday, thursday]}]
targets:
  FIRST: {behavior: attendance, schedule: [{weeks: WEEKS, escalate: {start: 1, step: 1, ceiling: 3}, reset: {on: [missed]}}]}
"""


def test_examples_come_to_what_all_visits_pay_and_not_only_those_that_are_shown() -> None:
    found = amounts(PLAN.replace("WEEKS", "1-40").replace("FIRST", "talks"))
    assert found["Every visit met"] == "$237.00"
    assert found["One lapse"] == "$231.00"  # a visit that nobody came to, which resets


def test_of_several_targets_one_lapse_is_in_one_of_them() -> None:
    other = "  tests: {behavior: abstinence, schedule: [{weeks: 1-4, fixed: 5}]}\n"
    found = amounts(PLAN.replace("WEEKS", "1-4").replace("FIRST", "talks") + other)
    assert found["Every visit met"] == "$61.00"
    assert found["One lapse in talks"] == "$55.00"


def test_examples_begin_on_the_day_that_the_analysis_does() -> None:
    limit = "limits: [{amount: 10, per: calendar year, crossing: truncate}]\n"
    program = PLAN.replace("WEEKS", "1-4").replace("FIRST", "talks") + limit
    assert amounts(program, date(2026, 1, 5))["Every visit met"] == "$10.00"
    assert amounts(program, date(2026, 12, 21))["Every visit met"] == "$19.00"


KEPT = """
program: kept
version: "1"
title: Kept
currency: USD
visits: [{weeks: 1-4, days: [monday, thursday]}]
windows: {before: 1, after: 2, makeup: 1, grace: 1}
pauses: later
closures: [{first: 2026-01-19}]
targets:
  tests:
    behavior: abstinence
    evidence: {specimen: urine, analytes: [cocaine]}
    reads: {dilute: positive, late: as tested, adulterated: positive}
    excuses: [illness, court]
    quotas: [{of: excused, at_most: 2, per: month}, {of: makeup, at_most: 0, per: episode, then: refused}]
    retest: {on: [invalid], at_most: 2}
    schedule: [{weeks: 1-4, fixed: 5, reset: {}}]
  talks: {behavior: attendance, windows: {within: week}, schedule: [{weeks: 1-4, fixed: 5}]}
payout: {overpaid: offset}
"""


def test_the_words_say_when_visits_are_kept_and_how_they_are_read() -> None:
    program = parse_program(KEPT)
    assert visit_words(program, "tests") == [
        "On Monday and Thursday.",
        (
            "A visit can be kept on its planned day, from a day before it to 2 days after it, and made good for a day more; "
            "who has not come by then, or within a day more, has missed it."
        ),
        (
            "A dilute specimen is read as positive, a substituted one as refused, an adulterated one as positive, a late one as it "
            "was tested."
        ),
        "Only these excuse an absence: illness and court.",
        "At most 2 excused absences in a calendar month; each one beyond counts as missed.",
        "No visits made good in the whole program; each counts as refused.",
        "After a result that is invalid the visit stays open for another specimen, up to 2 times.",
    ]
    assert visit_words(program, "talks")[1:] == [
        "A visit can be kept on any day of its week; who has not come by then has missed it."
    ]
    analysis = analyze(program, visitwise("0.8"), start=date(2026, 1, 5))
    text = design_report(analysis)
    assert "After a pause all visits come as much later." in text
    assert "is taken off later awards." in text
