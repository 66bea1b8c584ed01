"""The commands about reports: one of them, all of them, and a participant's statement."""

import sys
from datetime import UTC, date
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from cm_engine.cli.durable import opened
from cm_engine.cli.options import AsOfOption, DatabaseOption, EnrollmentArgument, MadeOnOption
from cm_engine.engine import Engine
from cm_engine.reports.integrity import integrity_report
from cm_engine.reports.reading import clinic
from cm_engine.reports.sheet import Report, Sheet, csv_of, html_of, json_of, text_of
from cm_engine.reports.shelf import REPORTS, written
from cm_engine.reports.statement import statement_report
from cm_engine.reports.words import Words

commands = typer.Typer(help="Report from the database alone.", no_args_is_help=True, rich_markup_mode=None)

AT = "--db sqlite:///clinic.db"

Form = Literal["text", "html", "csv", "json"]
FormOption = Annotated[Form, typer.Option("--format", help="what it is written as")]
ReportArgument = Annotated[str, typer.Argument(metavar="REPORT", help=f"one of {', '.join(REPORTS)}")]
OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="instead of printing it")
]
FolderOption = Annotated[
    Path, typer.Option("-o", "--output", metavar="FOLDER", help="where they are written")
]
SiteOption = Annotated[str, typer.Option("--site", metavar="SITE", help="only what is of this site")]
ProgramOption = Annotated[
    str, typer.Option("--program", metavar="ID", help="only enrollments of this program; not for tax")
]
SheetOption = Annotated[str, typer.Option("--sheet", metavar="NAME", help="of CSV: which table")]
SeedOption = Annotated[str, typer.Option("--seed", metavar="TEXT", help="of integrity: draws its cases")]
CasesOption = Annotated[
    int, typer.Option("--cases", metavar="N", min=0, help="of integrity: how many are drawn")
]
LanguageOption = Annotated[
    str, typer.Option("--language", metavar="TAG", help="en, es, or of your own catalogues")
]
CataloguesOption = Annotated[
    str, typer.Option("--catalogues", metavar="FOLDER", help="of gettext catalogues of your own")
]


@commands.command(epilog=f"Example: cm-engine reports all {AT} -o reports")
def all(  # noqa: A001 - what it is called
    db: DatabaseOption, output: FolderOption, on: AsOfOption = None, site: SiteOption = ""
) -> None:
    """Write every report as a page, text, JSON and CSV, with a page that leads to them."""
    with opened(db) as engine, engine.reading() as still:
        count = sum(1 for _ in written(still, clinic(still, _day(still, on), site=site), output))
    typer.echo(f"{count} files in {output}; begin with {output / 'index.html'}.")


@commands.command(epilog=f"Example: cm-engine reports show fidelity {AT}")
def show(
    report: ReportArgument,
    db: DatabaseOption,
    form: FormOption = "text",
    sheet: SheetOption = "",
    output: OutputOption = None,
    on: AsOfOption = None,
    site: SiteOption = "",
    program: ProgramOption = "",
    seed: SeedOption = "audit",
    cases: CasesOption = 20,
) -> None:
    """Show one report."""
    if report not in REPORTS:
        msg = f"expected one of {', '.join(REPORTS)}, got {report!r}"
        raise typer.BadParameter(msg, param_hint="REPORT")
    if report == "tax" and program:
        msg = "totals are over all programs of one payer; leave it out"
        raise typer.BadParameter(msg, param_hint="--program")
    with opened(db) as engine, engine.reading() as still:
        found = clinic(still, _day(still, on), site=site, program=program)
        if report == "integrity":
            made = integrity_report(found, seed=seed, cases=cases)
        else:
            made = REPORTS[report](still, found)
    _put(_as(made, form, sheet), output)


@commands.command(
    epilog=f"Example: cm-engine reports statement {{id}} {AT} --language es --format html -o statement.html"
)
def statement(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    language: LanguageOption = "en",
    catalogues: CataloguesOption = "",
    form: FormOption = "text",
    output: OutputOption = None,
    on: MadeOnOption = None,
) -> None:
    """Tell a participant in plain words what each amount was for, what there is, and what comes next."""
    words = Words(language, catalogues)
    with opened(db) as engine:
        made = statement_report(engine, enrollment=enrollment, on=_day(engine, on), words=words)
    _put(_as(made, form, "", language), output)


def _day(engine: Engine, on: date | None) -> date:
    """Return the day that is asked for, or today: at the clinic, if all sites are in one zone, else in UTC."""
    zones = {site.zone for site in engine.sites()}
    zone = ZoneInfo(zones.pop()) if len(zones) == 1 else UTC
    return on or engine.now().astimezone(zone).date()


def _as(report: Report, form: Form, sheet: str, language: str = "en") -> str:
    """Return a report in the form that is asked for."""
    if form == "csv":
        return csv_of(_sheet(report, sheet))
    if form == "html":
        return html_of(report, language=language, contents="" if len(report.sheets) == 1 else "Contents")
    return text_of(report) if form == "text" else json_of(report)


def _sheet(report: Report, name: str) -> Sheet:
    known = {each.name: each for each in report.sheets}
    if not name and len(known) == 1:
        return report.sheets[0]
    if name not in known:
        msg = f"expected one of {', '.join(known)}, got {name!r}"
        raise typer.BadParameter(msg, param_hint="--sheet")
    return known[name]


def _put(text: str, output: Path | None) -> None:
    if output:
        output.write_text(text, "utf-8", newline="")
        typer.echo(f"Written: {output}.")
    else:
        sys.stdout.write(text)
