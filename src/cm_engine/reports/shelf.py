"""The reports by their names, and a folder of all of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from cm_engine.engine import Engine
from cm_engine.reports.dashboard import dashboard
from cm_engine.reports.fidelity import fidelity_report
from cm_engine.reports.integrity import integrity_report
from cm_engine.reports.page import Markup, bullets, joined, link, page, paragraph, section
from cm_engine.reports.program import program_report
from cm_engine.reports.reading import Clinic
from cm_engine.reports.risk import risk_report
from cm_engine.reports.sheet import Report, csv_of, html_of, json_of, text_of
from cm_engine.reports.tax import tax_report

REPORTS: Mapping[str, Callable[[Engine, Clinic], Report]] = {
    "dashboard": dashboard,
    "program": lambda _, clinic: program_report(clinic),
    "fidelity": lambda _, clinic: fidelity_report(clinic),
    "integrity": lambda _, clinic: integrity_report(clinic),
    "tax": lambda _, clinic: tax_report(clinic),
    "risk": risk_report,
}
"""What makes each report."""
ABOUT: Mapping[str, str] = {
    "dashboard": "How the cohort does, what it costs, and whom to look at: all on one page.",
    "program": "Enrolled, served, tested and paid by quarter, funds by source, and what is still open.",
    "fidelity": "Whether the program was run as it is written: pay, delays, visits, corrections.",
    "integrity": "What an auditor looks at first. A signal is a reason to look, and proves nothing.",
    "tax": "What each payer paid each participant in a calendar year, beside the thresholds.",
    "risk": "Whom the care team may want to call today.",
}
"""What each report is for."""


def written(engine: Engine, clinic: Clinic, folder: Path) -> Iterator[Path]:
    """Write all reports into a folder, each as page, text, JSON and a CSV file per sheet; yield the files.

    Args:
        engine: whose database.
        clinic: what was read of it.
        folder: is made if it is not there; files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reports = [make(engine, clinic) for make in REPORTS.values()]
    for report in reports:
        for name, text in files_of(report):
            yield _kept(folder / name, text)
    yield _kept(folder / "index.html", _index(reports, clinic))


def files_of(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the files of a report, by name."""
    yield f"{report.name}.html", html_of(report)
    yield f"{report.name}.txt", text_of(report)
    yield f"{report.name}.json", json_of(report)
    for sheet in report.sheets:
        yield f"{report.name}-{sheet.name}.csv", csv_of(sheet)


def _kept(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8", newline="")
    return path


def _index(reports: list[Report], clinic: Clinic) -> str:
    lead = f"{clinic.scope}. Made from the log, as of {clinic.on:%d %b %Y}."
    return page("Reports", lead, [_leading_to(report) for report in reports])


def _leading_to(report: Report) -> Markup:
    """Return where a report is found, the page first."""
    opens = link(f"Open the {report.title[0].lower()}{report.title[1:]}", f"./{report.name}.html")
    others = [link("text", f"./{report.name}.txt"), link("JSON", f"./{report.name}.json")]
    tables = [link(sheet.title, f"./{report.name}-{sheet.name}.csv") for sheet in report.sheets]
    listed = [_row("The same as ", others), _row("Tables as CSV: ", tables)]
    return section(report.title, ABOUT[report.name], paragraph(opens), bullets(listed), name=report.name)


def _row(first: str, links: Sequence[Markup]) -> Markup:
    return joined(first, Markup(", ".join(links)))
