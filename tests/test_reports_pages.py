"""Reports as people get them: by command, as statements in their language, and as pages in a real browser."""

import ast
import gettext
import json
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from examples.clinic_year import FIRST, ZONE, Clock, clinic_year
from playwright.sync_api import Browser
from typer.testing import CliRunner

import cm_engine.reports
from cm_engine import Engine
from cm_engine.cli.app import app
from cm_engine.errors import ReportError
from cm_engine.reports.charts import Axis, Bar, Series, bar_chart, line_chart, round_steps
from cm_engine.reports.page import badge, link, page, section, table
from cm_engine.reports.reading import clinic
from cm_engine.reports.sheet import Report, Sheet, csv_of, html_of, text_of
from cm_engine.reports.shelf import REPORTS
from cm_engine.reports.statement import OUTCOME_WORDS, REASON_WORDS, VISIT, VISIT_WORDS, statement_report
from cm_engine.reports.words import MONTHS, Words

PACKAGE = Path(cm_engine.reports.__file__).parent
CATALOGUE = PACKAGE / "locale" / "es" / "LC_MESSAGES" / "cm_engine"
DAY = "2025-10-19"


class Kept(NamedTuple):
    """A database of a few weeks, and the reports on it."""

    url: str
    folder: Path


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A few weeks at three sites, and what one command reports on them."""
    folder, clock = tmp_path_factory.mktemp("reports"), Clock()
    url = f"sqlite:///{folder / 'clinic.db'}"
    with Engine.open(url, zone=ZONE, clock=clock) as engine:
        clinic_year(engine, clock, participants=6, weeks=7, seed=3)
    done = run("all", "--db", url, "--on", DAY, "-o", str(folder / "out"))
    assert "begin with" in done
    return Kept(url, folder / "out")


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["reports", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


SMALLEST = """() => Math.min(...[...document.querySelectorAll('body *')].filter(each =>
    [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) && !each.closest('.unseen'))
    .map(each => parseFloat(getComputedStyle(each).fontSize)))"""


@pytest.mark.parametrize("name", ["index", "dashboard", "fidelity", "tax", "statement"])
def test_a_page_reads_well_on_a_phone_in_light_and_dark(kept: Kept, browser: Browser, name: str) -> None:
    file = kept.folder / f"{name}.html"
    if name == "statement":
        run(
            "statement",
            "e-0001",
            "--db",
            kept.url,
            "--on",
            DAY,
            "--language",
            "es",
            "--format",
            "html",
            "-o",
            str(file),
        )
    fetched: list[str] = []
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="light", offline=True)
    shown = context.new_page()
    shown.on("request", lambda request: fetched.append(request.url))
    shown.goto(file.as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    assert shown.evaluate(SMALLEST) >= 12
    assert Axe().run(shown).response["violations"] == []
    shown.emulate_media(color_scheme="dark")
    assert Axe().run(shown).response["violations"] == []
    assert fetched == [file.as_uri()]
    context.close()


def test_paper_shows_the_tables_behind_charts_in_dark_ink_on_white(kept: Kept, browser: Browser) -> None:
    context = browser.new_context(color_scheme="dark")
    shown = context.new_page()
    shown.goto((kept.folder / "dashboard.html").as_uri())
    hidden = shown.locator("details table").first
    assert not hidden.is_visible()
    shown.emulate_media(media="print", color_scheme="dark")
    assert hidden.is_visible()
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert shown.pdf().startswith(b"%PDF")
    context.close()


def test_no_table_is_cut_off_on_paper(kept: Kept, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 680, "height": 900})
    shown = context.new_page()
    shown.emulate_media(media="print")
    for name in REPORTS:
        shown.goto((kept.folder / f"{name}.html").as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") <= 680
    context.close()


def test_a_report_is_printed_as_text_csv_and_json(kept: Kept) -> None:
    asked = ("--db", kept.url, "--on", DAY)
    assert run("show", "tax", *asked).startswith("Tax totals\n")
    assert run("show", "program", *asked, "--format", "csv", "--sheet", "funds").startswith(
        "site,fund,unit,budget"
    )
    told = json.loads(run("show", "integrity", *asked, "--format", "json", "--seed", "a", "--cases", "3"))
    assert len(told["sheets"]["sample"]) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "weather"), "expected one of dashboard, program"),
        (("show", "tax", "--format", "csv"), "near, totals"),
        (("show", "tax", "--program", "steady-steps"), "over all programs of one payer"),
    ],
)
def test_what_there_is_none_of_is_refused_with_what_there_is(
    kept: Kept, arguments: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(app, ["reports", *arguments, "--db", kept.url], terminal_width=200)
    assert done.exit_code == 2
    assert said in " ".join(re.sub("[│╭╰─]", " ", done.output).split())


def test_one_site_is_reported_on_by_itself(kept: Kept, tmp_path: Path) -> None:
    run("all", "--db", kept.url, "--on", DAY, "--site", "north", "-o", str(tmp_path))
    made = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    assert len(made) == len(list(kept.folder.glob("*.*"))) - (kept.folder / "statement.html").exists()
    assert "Site north" in made["index.html"]
    assert not re.search(r"\b(south|west)\b", " ".join(made.values()))
    shown = run("show", "risk", "--db", kept.url, "--on", DAY, "--site", "north")
    assert shown == made["risk.txt"]


def test_the_index_leads_to_every_file_by_what_it_is(kept: Kept) -> None:
    index = (kept.folder / "index.html").read_text("utf-8")
    led = set(re.findall(r'href="\./([^"]+)"', index))
    assert led == {path.name for path in kept.folder.iterdir()} - {"index.html", "statement.html"}


def test_a_statement_says_what_each_amount_was_for_and_adds_up(kept: Kept) -> None:
    with Engine.open(kept.url) as engine:
        for enrollment in engine.enrollments():
            report = statement_report(engine, enrollment=enrollment.id, on=date.fromisoformat(DAY))
            known = engine.statement(enrollment=enrollment.id)
            [sheet] = report.sheets
            assert len(sheet.rows) == len(known.lines)
            added = sum(Decimal(row.amount.replace("$", "") or 0) for row in sheet.rows)
            assert added == known.awarded.get("USD", 0)
            assert report.tiles[0].value == f"${known.awarded['USD']}"
            preview = engine.preview(enrollment=enrollment.id)["stimulants"]["-"].awards
            assert [each.value for each in report.tiles if each.name == "Next reward"] == [
                f"${preview['USD']}"
            ]


def test_a_statement_is_in_the_language_that_is_asked_for(kept: Kept) -> None:
    told = run("statement", "e-0001", "--db", kept.url, "--on", DAY, "--language", "es")
    assert told.startswith("Resumen para p-0001\n")
    assert "Meta cumplida" in told
    assert "Ganado hasta ahora" in told
    assert not re.search(r"\b(Goal|Visit|Earned|missed)\b", told)
    assert 'lang="es"' in run("statement", "e-0001", "--db", kept.url, "--language", "es", "--format", "html")


def test_a_language_without_a_catalogue_is_refused_and_says_which_there_are() -> None:
    with pytest.raises(ReportError, match="expected one of en, es, got 'fr'"):
        Words("fr")


def test_a_catalogue_of_ones_own_adds_a_language(tmp_path: Path) -> None:
    place = tmp_path / "fr" / "LC_MESSAGES"
    place.mkdir(parents=True)
    shutil.copy(CATALOGUE.with_suffix(".mo"), place / "cm_engine.mo")
    assert Words("fr", tmp_path)("Goal met") == "Meta cumplida"


def catalogue() -> dict[str, str]:
    found = re.findall(
        r'^msgid (".*")\nmsgstr (".*")$', CATALOGUE.with_suffix(".po").read_text("utf-8"), re.MULTILINE
    )
    return {ast.literal_eval(text): ast.literal_eval(said) for text, said in found if text != '""'}


def test_the_compiled_catalogue_is_that_of_the_written_one() -> None:
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    assert {text: compiled.gettext(text) for text in catalogue()} == catalogue()
    assert "not reviewed by a native clinician" in compiled.info()["x-review"]


def test_every_word_of_a_statement_has_its_spanish_with_the_same_fields() -> None:
    tree = ast.parse((PACKAGE / "statement.py").read_text("utf-8"))
    said = {
        str(call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "say"
        if call.args and isinstance(call.args[0], ast.Constant)
    }
    known = catalogue()
    assert len(said) > 15
    words = (OUTCOME_WORDS, REASON_WORDS, VISIT_WORDS)
    for text in {*said, *chain(*(each.values() for each in words)), VISIT, *MONTHS, "{day} {month} {year}"}:
        assert known[text], text
        assert set(re.findall(r"{\w+}", known[text])) == set(re.findall(r"{\w+}", text))


def test_what_is_given_as_text_stays_text() -> None:
    evil = '<img src=x onerror="alert(1)">'
    made = page(
        evil,
        evil,
        [section(evil, evil, table([(evil, badge(evil))], ["a", evil], caption=evil))],
        contents=evil,
    )
    assert "<img" not in made
    assert link("here", "javascript:alert(1)") == "here"


def test_a_chart_says_its_figures_and_refuses_what_nobody_could_tell_apart() -> None:
    drawn = bar_chart("Visits", [Bar("a < b", 3), Bar("c", 0)], x=Axis("day"))
    assert "a &lt; b" in drawn
    assert line_chart("None", []).count("<svg") == 2
    with pytest.raises(ValueError, match="at most 4"):
        line_chart("Many", [Series(str(number), [(0, 1)]) for number in range(5)])


def test_labels_of_bars_have_room_on_a_phone(browser: Browser) -> None:
    bars = [Bar(f"2026-{month:02}", month) for month in range(1, 13)]
    context = browser.new_context(viewport={"width": 390, "height": 844})
    shown = context.new_page()
    shown.set_content(page("Bars", "", [bar_chart("Months", bars, x=Axis("month"))]))
    labels = [each.bounding_box() for each in shown.locator("text", has_text="2026-").all()]
    edges = [(box["x"], box["x"] + box["width"]) for box in labels if box]
    assert len(edges) > 2
    assert all(right < left for (_, right), (left, _) in pairwise(edges))
    context.close()


@pytest.mark.parametrize("high", [0.001, 0.3, 1, 7, 99.5, 1234567])
def test_an_axis_names_few_round_figures_within_its_bounds(high: float) -> None:
    steps = round_steps(0, high)
    assert 2 <= len(steps) <= 7
    assert all(0 <= each <= high * (1 + 1e-9) for each in steps)


def test_a_sheet_without_rows_says_so_and_formulas_stay_text() -> None:
    class Why(NamedTuple):
        why: str
        amount: Decimal

    assert (
        csv_of(Sheet("s", "S", "", Why, [Why("=HYPERLINK()", Decimal(-1))]))
        == "why,amount\r\n'=HYPERLINK(),-1\r\n"
    )
    assert "None." in html_of(Report("r", "R", "", (Sheet("s", "S", "", Why, []),)))


@pytest.mark.parametrize(
    "program", ["va-prize", "halpern-2015-deposit", "template-integrated-care", "name-in-hat-group"]
)
def test_catalogue_programs_of_every_kind_are_reported_on(program: str) -> None:
    clock = Clock()
    with Engine.open("memory:", zone=ZONE, clock=clock, secret=bytes(range(32))) as engine:
        engine.add_program(program)
        clock.set(FIRST, 600)
        name = engine.enroll(participant="p-1", program=program, start=FIRST, by="nurse-7").id
        target = next(iter(clinic(engine, FIRST).courses[0].program.targets))
        for place, result in enumerate("-+-"):
            on = FIRST + timedelta(weeks=place)
            clock.set(on, 700)
            engine.record(
                enrollment=name,
                target=target,
                result=result,
                on=on,
                source="desk",
                key=f"r-{place}",
                by="nurse-7",
            )
        known = clinic(engine, FIRST)
        assert all(text_of(make(engine, known)) for make in REPORTS.values())
        statement = statement_report(engine, enrollment=name, on=FIRST, words=Words("es"))
        assert len(statement.sheets[0].rows) == len(engine.statement(enrollment=name).lines)


def test_the_same_seed_makes_the_same_year() -> None:
    heads = []
    for _ in range(2):
        clock = Clock()
        engine = Engine.open("memory:", zone=ZONE, clock=clock)
        clinic_year(engine, clock, participants=4, weeks=3, seed=5)
        heads.append([engine.history(enrollment=each.id)[-1].hash for each in engine.enrollments()])
    assert heads[0] == heads[1]
    assert date(2025, 9, 1) == FIRST


def test_the_example_writes_a_year_and_reports_on_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.clinic_year", str(tmp_path / "year.db"), "1"]
    command += ["--reports", str(tmp_path / "year")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PACKAGE.parents[2])
    first, last = done.stdout.splitlines()
    assert (first, done.stderr) == ("1 participants at 3 sites, until 31 Aug 2026.", "")
    assert last.endswith(f"begin with {tmp_path / 'year' / 'index.html'}.")
    assert (tmp_path / "year" / "index.html").exists()
    again = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PACKAGE.parents[2])
    assert again.returncode == 2
    assert "is there already: name a new file, or remove it" in again.stderr
