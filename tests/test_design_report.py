"""The design report: one page that says what the analysis found, and that anyone can read, on a phone and on paper."""

import re
from dataclasses import replace
from datetime import date
from fractions import Fraction
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ViewportSize

from cm_engine import Program, catalogue, parse_program
from cm_engine.analysis import Analysis, analyze, dropping_out, visitwise
from cm_engine.cli.analyzing import page as shown
from cm_engine.reports.design import design_report
from cm_engine.reports.in_words import target_words
from cm_engine.reports.rewards_in_words import bowl_words, deposit_words, limit_words, milestone_words
from cm_engine.reports.visits_in_words import beside_words, visit_words

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
            "A visit can be kept from a day before its planned day to 2 days after it, and made good for a day more; "
            "who has not come by then has missed it. That is decided a day later, as results may be on their way."
        ),
        "Of several results of one visit the first counts.",
        "A dilute specimen is read as positive, a substituted one as refused, an adulterated one as positive.",
        "What is recorded as late is read as what it shows, what is put off beforehand as excused.",
        "Of reasons that are named, only these excuse an absence: illness and court.",
        "At most 2 excused absences in a calendar month; each one beyond counts as missed.",
        "No visits made good in the whole program; each counts as refused.",
        "After a result that is invalid the visit stays open for another specimen, up to 2 times.",
    ]
    assert visit_words(program, "talks")[1] == (
        "A visit can be kept on any day of its program week; who has not come by then has missed it."
    )
    analysis = analyze(program, visitwise("0.8"), start=date(2026, 1, 5))
    text = design_report(analysis)
    assert "After a pause all visits come as much later." in text
    assert "is taken off later awards." in text


def of_four_visits(rest: str = "", weeks: str = "1-4") -> Program:
    """Return a program that pays 5.00 a week."""
    return parse_program(
        f"""
program: four
version: "1"
title: Four visits
currency: USD
visits: [{{weeks: {weeks}, per_week: 1}}]
targets: {{tests: {{behavior: abstinence, schedule: [{{weeks: {weeks}, fixed: 5}}]}}}}
{rest}
"""
    )


JOB = 'milestones: {job: {says: A job, when: {event: "a job"}, amount: 50}}'


def test_earnings_by_share_have_events_and_leaving_from_the_model() -> None:
    program = of_four_visits(JOB)
    model = replace(dropping_out(visitwise("0.8"), "0.5"), events={"a job": Fraction(1, 10)})
    [figures] = analyze(program, model).figures
    by_rate = {each.rate: each for each in analyze(program, model).earnings(figures.unit)}
    assert by_rate[Fraction(4, 5)].mean == pytest.approx(figures.moments.mean)
    assert by_rate[Fraction(0)].mean == pytest.approx(500), "a job of 50.00, with one chance in ten"
    assert by_rate[Fraction(1)].mean == pytest.approx(500 + 500 * (1 / 2 + 1 / 4 + 1 / 8 + 1 / 16))


def test_simulated_earnings_have_events_and_leaving_from_the_model() -> None:
    model = replace(dropping_out(visitwise("0.8"), 1), events={"a job": Fraction(1)})
    analysis = analyze(of_four_visits(JOB), model, most=1)
    assert analysis.refusal
    assert {(each.low, each.high) for each in analysis.earnings(analysis.figures[0].unit)} == {(5000, 5000)}


def test_the_page_says_which_reports_its_figures_have_and_its_examples_lack() -> None:
    text = design_report(analyze(of_four_visits(JOB), visitwise("0.8")))
    assert "with every result met, and a job reported" in text
    assert "Nothing is reported of a job in them: what comes of that is in none of the amounts." in text
    assert "Each report of a job comes before the first visit, with a chance of 0.8." in text
    assert "is reported of" not in design_report(analyze(of_four_visits(), visitwise("0.8")))


def test_the_page_of_a_program_without_an_end_says_how_long_its_figures_are() -> None:
    analysis = analyze(of_four_visits(weeks="1-"), visitwise("0.8"))
    text = design_report(analysis, analysis.findings())
    assert text.count("1,040 weeks") == 2, "at a glance, and as a finding"
    assert "1,040 weeks" not in design_report(analyze(of_four_visits(), visitwise("0.8")))


def test_what_names_in_a_hat_win_is_no_figure_and_the_page_says_so() -> None:
    analysis = analyze(catalogue.program("name-in-hat-group"), visitwise("0.8"))
    assert [each.unit.name for each in analysis.figures] == ["name slip"]
    assert "What names drawn from the hat win is in no figure" in design_report(analysis)


def test_a_story_of_two_missed_visits_takes_visits_to_come_back_to() -> None:
    assert "Two visits missed in a row, then back" in design_report(
        analyze(of_four_visits(), visitwise("0.8"))
    )
    assert "Two visits missed" not in design_report(analyze(of_four_visits(weeks="1-3"), visitwise("0.8")))


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("fixed: 5, bonus: {every: 3, amount: 10}", "Every 3 negative tests add $10.00."),
        ("fixed: 5, bonus: {every: 3, amount: 10}, reset: {on: [positive]}", "Every 3 negative tests add $10.00."),
        ("fixed: 5, bonus: {every: 3, amount: 10}, reset: {}", "Every 3 negative tests in a row add $10.00."),
        (
            "escalate: {start: 5, step: 1}, reset: {}, recover: {after: 1, paid: next, level: last earned, saved: latest}",
            "After a reset, the next negative test brings back the reward last paid, for the one after it.",
        ),
        (
            "escalate: {start: 5, step: 1}, reset: {}, recover: {after: 2, paid: nth, level: next step}",
            "2 negative tests in a row bring back the reward that was next (after several resets, the highest of these), with the last of them.",
        ),
        ("hours: 4, fixed: 5", "A visit has 4 hours."),
        ("hours: 4, fixed: 5, bonus: {every: 2, amount: 10}, reset: {}", "Every 2 negative tests in a row add $10.00 an hour."),
        ("hours: 4, choice: {cash: {amount: 15}, more: {amount: 16}}", "cash ($15.00 an hour)"),
        ("fixed: 5, require: [1, 2, 3], reset: {}", "takes 1 negative test in a row, then 2 more, then 3 more for each one."),
        ("fixed: 5, bonus: {every: 1, amount: 10}, reset: {}", "Each negative test adds $10.00."),
        (
            "escalate: {start: 1, step: 1}, reset: {}, group: {size: 6, need: 4, paid: all}",
            "pays nothing and takes the reward back to its start, unless enough of the group met it.",
        ),
        ("fixed: 5, require: [3], reset: {}", "Each reward takes 3 negative tests in a row."),
        (
            "escalate: {start: 1, step: 1, every: 3, ceiling: 4, begins: ceiling}, reset: {}",
            "after a reset the first one pays $1.00, and after every 3 of them $1.00 more, up to $4.00.",
        ),
    ],
)  # fmt: skip
def test_the_words_of_a_phase_say_no_more_than_it_does(phase: str, said: str) -> None:
    program = parse_program(KEPT.replace("fixed: 5, reset: {}", phase))
    assert said in target_words(program, "tests")[1]


@pytest.mark.parametrize(
    ("milestone", "said"),
    [
        ("when: {run: 3}", "$50.00 for a run of 3 successes."),
        ("when: {run: 1}", "$50.00 for a run of 1 success."),
        ("when: {run: 3}, resets_on: [missed]", "$50.00 for a run of 3 successes. What is missed begins the count anew."),
        ("when: {count: 3, targets: [talks]}, resets_on: [positive, missed]", "What is failed or missed begins the count anew."),
        ("when: {visits: 3}, resets_on: [refused]", "$50.00 for 3 visits kept. What is refused begins the count anew."),
    ],
)  # fmt: skip
def test_the_words_of_a_milestone_say_what_begins_its_count_anew(milestone: str, said: str) -> None:
    program = parse_program(f"{KEPT}milestones: {{three: {{says: Three, {milestone}, amount: 50}}}}\n")
    assert milestone_words(program, program.milestones["three"]).endswith(said)


def test_the_words_of_windows_say_which_of_several_results_counts() -> None:
    windows = "{after: 2, makeup: 2, apart: 2, specimens: worst, unscheduled: counted}"
    read = KEPT.replace("{before: 1, after: 2, makeup: 1, grace: 1}", windows).replace(
        "late: as tested", "makeup: missed"
    )
    assert visit_words(parse_program(read), "tests")[1:5] == [
        (
            "A visit can be kept from its planned day to 2 days after it; what comes in the 2 days after that is read as missed; "
            "who has not come by then has missed it."
        ),
        "Of several results of one visit the worst counts: a positive, else a refused, else an invalid, else a negative one.",
        "Results less than 2 days apart are of one visit, if its days last so long, but for one on the planned day of the next.",
        "A result that was not planned counts for the visit of its day.",
    ]


def test_without_windows_a_pause_moves_nothing_and_a_closure_waives_what_was_missed() -> None:
    plain = KEPT.replace("windows: {before: 1, after: 2, makeup: 1, grace: 1}", "").replace(
        ", windows: {within: week}", ""
    )
    plain = plain.replace("pauses: later", "").replace(
        "{of: makeup, at_most: 0, per: episode, then: refused}", ""
    )
    assert beside_words(parse_program(plain)) == [
        "An absence of a day on which the clinic is closed is of a visit that was not required."
    ]


def test_the_words_of_a_deposit_say_what_takes_of_it() -> None:
    back = "milestones: {end: {says: The end, when: {end_of: 1-4}, refunds: true}}"
    program = of_four_visits(f"deposit: {{stake: 50, loss: 10, on: [missed, positive]}}\n{back}")
    assert deposit_words(program) == (
        "The participant pays in $50.00. What is positive or missed takes $10.00 of it."
    )


def test_a_limit_that_stops_does_so_within_its_window() -> None:
    program = of_four_visits("limits: [{per: week, amount: 3, crossing: stop}]")
    assert limit_words(program, program.limits[0]) == (
        "$3.00 per week: the reward that would cross it is not paid, and nothing after it in the same window"
    )


def test_the_words_of_a_weekly_reward_speak_of_no_count_that_a_reset_would_begin_anew() -> None:
    program = parse_program(KEPT.replace("fixed: 5, reset: {}", "weekly: {all: 10, some: 5}, reset: {}"))
    assert target_words(program, "tests")[1].endswith("pays $10.00, and $5.00 if only some were met.")


def test_the_words_of_closed_days_say_which_weekdays_visits_move_to() -> None:
    program = parse_program(f"{KEPT}open_on: [monday, tuesday]\n")
    said = (
        "Visits of days on which the clinic is closed move to the next Monday or Tuesday on which it is open."
    )
    assert said in beside_words(program)


def test_the_words_of_a_bowl_say_what_is_on_the_shelf_and_what_small_prizes_are_traded_for() -> None:
    slips = "{small: {count: 4, value: 1}, large: {count: 1, value: 20, stock: 3}}"
    bowl = f"bowls: {{draw: {{slips: {slips}, trade_up: [{{give: 5, of: small, get: large}}]}}}}\n"
    program = parse_program(f"{KEPT.replace('fixed: 5', 'fixed: 1, unit: draw')}{bowl}")
    said = bowl_words(program, "draw", program.bowls["draw"])
    assert "1 of 5 large ($20.00, until 3 on the shelf are gone)" in said
    assert said.endswith("For 5 small there is one large.")
