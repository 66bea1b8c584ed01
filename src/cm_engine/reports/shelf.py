"""The reports by their names, and a folder of all of them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from cm_engine.engine import Engine
from cm_engine.reports.dashboard import dashboard
from cm_engine.reports.fidelity import fidelity_report
from cm_engine.reports.integrity import integrity_report
from cm_engine.reports.page import bullets, link, page, section
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
    sections = [
        section(
            report.title,
            report.lead,
            bullets(link(name, f"./{name}") for name, _ in files_of(report)),
            name=report.name,
        )
        for report in reports
    ]
    return page("Reports", f"Made from the log, as of {clinic.on:%d %b %Y}.", sections)
