"""The commands about sites: open one, close it on days, pay for it, and transfer participants between them."""

import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cm_engine.cli.durable import opened
from cm_engine.cli.durable import show as show_act
from cm_engine.cli.journal import one_line
from cm_engine.cli.options import (
    ByOption,
    CourseDayOption,
    DatabaseOption,
    EnrollmentArgument,
    JsonOption,
    KeyOption,
    SourceOption,
    UntilOption,
    WhyOption,
    ZoneOption,
    reader,
)
from cm_engine.cli.tables import screen
from cm_engine.errors import ReportError
from cm_engine.log.encoding import digits, instant
from cm_engine.program.values import amount, day
from cm_engine.sites.calendars import Calendars, PublicHolidays
from cm_engine.sites.spending import Alert, FundBalance, SiteFunds
from cm_engine.sites.standing import Followed, Site
from cm_engine.sites.state import Fund, unit_of
from cm_engine.spelling import counted

commands = typer.Typer(help="Keep sites.", no_args_is_help=True, rich_markup_mode=None)

AT = "--db sqlite:///clinic.db"
BY = "--source office --key {key} --by boss-1"

SiteArgument = Annotated[str, typer.Argument(metavar="SITE", help="the id of the site")]
OneSiteArgument = Annotated[str, typer.Argument(metavar="[SITE]", help="only this one", show_default=False)]
FirstOption = Annotated[
    date, typer.Option("--first", metavar="DATE", help="the first day", parser=reader("--first", day))
]
LastOption = Annotated[
    date | None,
    typer.Option(
        "--last", metavar="DATE", help="the last day; if left out, the first", parser=reader("--last", day)
    ),
]
FileArgument = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="an iCalendar file of whole days", show_default=False)
]
CountryOption = Annotated[
    str,
    typer.Option(
        "--country", metavar="CODE", help="instead: the public holidays of a country, as in US or US-CA"
    ),
]
YearsOption = Annotated[
    list[int] | None, typer.Option("--year", metavar="YEAR", help="once for each year that counts")
]
ButOption = Annotated[
    list[Any] | None,
    typer.Option("--but", metavar="DATE", help="a day that stays open", parser=reader("--but", day)),
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="of the source, or of the gateway")]
UnitOption = Annotated[str, typer.Option("--unit", metavar="NAME", help="what it pays in")]
BudgetOption = Annotated[
    Any, typer.Option("--budget", metavar="AMOUNT", help="exact", parser=reader("--budget", amount))
]
AlertOption = Annotated[
    Any,
    typer.Option(
        "--alert",
        metavar="SHARE",
        help="tell at this share of the budget: 0.8",
        parser=reader("--alert", amount),
    ),
]
StopOption = Annotated[bool, typer.Option("--hard-stop", help="once it is exhausted, enroll nobody any more")]
ToOption = Annotated[str, typer.Option("--to", metavar="SITE", help="the site that they go to")]


@commands.command(epilog=f"Example: cm-engine site open north {AT} --zone America/Los_Angeles --by boss-1")
def open(  # noqa: A001 - what the command is called
    site: SiteArgument,
    db: DatabaseOption,
    zone: ZoneOption,
    by: ByOption,
    source: SourceOption = "site",
    key: KeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Open a site in its time zone, which it has for ever."""
    with opened(db, make=True) as engine:
        found = engine.open_site(site, zone=zone, by=by, source=source, key=key)
    if as_json:
        sys.stdout.write(one_line(_site_form(found)))
    else:
        typer.echo(f"Site {found.id} is open, in {found.zone}.")


@commands.command(epilog=f"Example: cm-engine site show {AT} north")
def show(db: DatabaseOption, site: OneSiteArgument = "", as_json: JsonOption = False) -> None:
    """Show sites: when they are closed, who pays, and what somebody is to be told of them."""
    with opened(db) as engine:
        found = [engine.site(site)] if site else engine.sites()
        alerts = [each for each in engine.alerts() if site in {"", each.site}]
    if as_json:
        sys.stdout.write(
            one_line({"sites": list(map(_site_form, found)), "alerts": list(map(_alert_form, alerts))})
        )
        return
    for each in found:
        screen().print(_site_text(each))
    for alert in alerts:
        typer.echo(alert.text)
    typer.echo(counted(len(found), "site"))


@commands.command(epilog=f"Example: cm-engine site close north {AT} --why 'it moves' {BY.format(key='s-9')}")
def close(
    site: SiteArgument,
    db: DatabaseOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Close a site for new enrollments; who is there goes on."""
    with opened(db) as engine:
        found = engine.close_site(site, why=why, by=by, source=source, key=key)
    if as_json:
        sys.stdout.write(one_line(_site_form(found)))
    else:
        typer.echo(f"Site {found.id} takes no new enrollments any more.")


@commands.command(
    epilog=f"Example: cm-engine site close-days north {AT} --first 2026-01-19 --why 'a holiday' {BY.format(key='c-1')}"
)
def close_days(
    site: SiteArgument,
    db: DatabaseOption,
    first: FirstOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    last: LastOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a site on days: visits planned on them move to its next open day.

    If it is interrupted, run it again, or `site catch-up`. Exits with 1 if an enrollment cannot follow.
    """
    with opened(db) as engine:
        found = engine.close_days(site, first, last or first, why, by=by, source=source, key=key)
    _show_followed(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine site open-days north {AT} --first 2026-01-19 --why 'open after all' {BY.format(key='c-2')}"
)
def open_days(
    site: SiteArgument,
    db: DatabaseOption,
    first: FirstOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    last: LastOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take closed days back."""
    with opened(db) as engine:
        found = engine.open_days(site, first, last or first, why, by=by, source=source, key=key)
    _show_followed(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine site closures north {AT} --country US-CA --year 2026 {BY.format(key='h-2026')}"
)
def closures(
    site: SiteArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    file: FileArgument = None,
    country: CountryOption = "",
    year: YearsOption = None,
    but: ButOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a site on the days of a calendar: an iCalendar file, or public holidays.

    Needs the extra: pip install "cm-engine[sites]".
    """
    with opened(db) as engine:
        found = engine.add_closures(
            site, _calendar(file, country), years=year or (), but=but or (), by=by, source=source, key=key
        )
    _show_followed(found, as_json=as_json)


def _calendar(file: Path | None, country: str) -> Calendars:
    if (file is None) == (not country):
        msg = "say one of both: a file, or --country"
        raise ReportError(msg)
    return file or PublicHolidays(*country.split("-", 1))


@commands.command(epilog=f"Example: cm-engine site catch-up north {AT}")
def catch_up(site: SiteArgument, db: DatabaseOption, as_json: JsonOption = False) -> None:
    """Let all enrollments follow the closures of a site that do not yet.

    Exits with 1 if one cannot.
    """
    with opened(db) as engine:
        found = engine.catch_up(site)
    _show_followed(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine site fund north grant {AT} --budget 20000.00 --alert 0.8 {BY.format(key='f-1')}"
)
def fund(
    site: SiteArgument,
    name: NameArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    unit: UnitOption = "USD",
    budget: BudgetOption = None,
    alert: AlertOption = None,
    hard_stop: StopOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a funding source, which pays after those that the site has."""
    with opened(db) as engine:
        found = engine.add_fund(
            site,
            name,
            unit=unit,
            budget=budget,
            alert=alert,
            hard_stop=hard_stop,
            by=by,
            source=source,
            key=key,
        )
    _show_site(found, as_json=as_json)


@commands.command(epilog=f"Example: cm-engine site gateway north gift-cards {AT} {BY.format(key='g-1')}")
def gateway(
    site: SiteArgument,
    name: NameArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Add a gateway by which rewards are handed over."""
    with opened(db) as engine:
        found = engine.add_gateway(site, name, by=by, source=source, key=key)
    _show_site(found, as_json=as_json)


@commands.command(epilog=f"Example: cm-engine site funds north {AT}")
def funds(
    site: SiteArgument, db: DatabaseOption, until: UntilOption = None, as_json: JsonOption = False
) -> None:
    """Show what each funding source of a site has paid."""
    with opened(db) as engine:
        found = engine.funds(site=site, on=until)
    if as_json:
        sys.stdout.write(one_line(_funds_form(found)))
    else:
        screen().print(_funds_table(found))


@commands.command(
    epilog=f"Example: cm-engine site transfer e-1 {AT} --to south --on 2026-02-02 --why 'moved house'"
    f" {BY.format(key='t-1')}"
)
def transfer(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    to: ToOption,
    on: CourseDayOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Transfer an enrollment to another site, from a day on."""
    with opened(db) as engine:
        done = engine.transfer(enrollment=enrollment, to=to, on=on, why=why, source=source, key=key, by=by)
    show_act(done, as_json=as_json)


def _show_followed(found: Followed, *, as_json: bool) -> None:
    if as_json:
        refused = [{"enrollment": each, "why": why} for each, why in found.refused]
        form = {"site": _site_form(found.site), "replanned": list(found.replanned), "refused": refused}
        sys.stdout.write(one_line({**form, "replayed": found.replayed}))
    else:
        again = "; it was before, and nothing is written of it now" if found.replayed else ""
        typer.echo(f"Site {found.site.id} is closed on {_days(found.site)}{again}.")
        typer.echo(counted(len(found.replanned), "enrollment") + " planned anew")
        for enrollment, why in found.refused:
            typer.echo(f"{enrollment} cannot follow: {why}")
    if found.refused:
        raise typer.Exit(1)


def _show_site(found: Site, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(one_line(_site_form(found)))
    else:
        screen().print(_site_text(found))


def _days(site: Site) -> str:
    """Return how many days a site is closed on."""
    found = {
        each.first.toordinal() + n for each in site.closures for n in range((each.last - each.first).days + 1)
    }
    return counted(len(found), "day") if found else "no day"


def _site_form(site: Site) -> dict[str, Any]:
    days = [
        {"first": each.first.isoformat(), "last": each.last.isoformat(), "why": each.why}
        for each in site.closures
    ]
    funds = [
        {
            **each._asdict(),
            "budget": _plain(each.unit, each.budget),
            "alert": None if each.alert is None else digits(each.alert),
        }
        for each in site.funds
    ]
    return {**site._asdict(), "closures": days, "funds": funds, "gateways": list(site.gateways)}


def _alert_form(alert: Alert) -> dict[str, Any]:
    return {**alert._asdict(), "since": instant(alert.since) if alert.since else None}


def _site_text(site: Site) -> Group:
    closed = ", closed for new enrollments" if site.is_closed else ""
    table = Table("First", "Last", "Closed for", box=box.SIMPLE)
    for each in site.closures:
        table.add_row(f"{each.first:%a %d %b %Y}", f"{each.last:%a %d %b %Y}", each.why)
    lines: list[RenderableType] = [
        Text(f"{site.id}: {site.zone}{closed}"),
        *([table] if site.closures else []),
    ]
    lines += [Text(f"Paid by {_fund_text(each)}") for each in site.funds]
    if site.gateways:
        lines.append(Text(f"Handed over by {', '.join(site.gateways)}"))
    return Group(*lines)


def _fund_text(fund: Fund) -> str:
    if fund.budget is None:
        return f"{fund.name}: all that is left to pay in {fund.unit}"
    alert = f", tells at {digits(fund.alert * 100)}%" if fund.alert is not None else ""
    stop = ", then nobody is enrolled any more" if fund.hard_stop else ""
    return f"{fund.name}: {_spoken(fund.unit, fund.budget)}{alert}{stop}"


def _funds_form(found: SiteFunds) -> dict[str, Any]:
    return {
        "site": found.site,
        "on": found.on.isoformat() if found.on else None,
        "funds": [_balance_form(each) for each in found.funds],
        "beyond": {unit: _plain(unit, left) for unit, left in found.beyond.items()},
    }


def _balance_form(fund: FundBalance) -> dict[str, Any]:
    return {
        "name": fund.name,
        "unit": fund.unit,
        **{name: _plain(fund.unit, getattr(fund, name)) for name in ("budget", "spent", "left")},
        "alert": None if fund.alert is None else digits(fund.alert),
        "hard_stop": fund.hard_stop,
        "alerted_at": instant(fund.alerted_at) if fund.alerted_at else None,
        "exhausted_at": instant(fund.exhausted_at) if fund.exhausted_at else None,
    }


def _funds_table(found: SiteFunds) -> Group:
    table = Table("Fund", "Budget", "Spent", "Left", "", box=box.SIMPLE)
    for each in found.funds:
        amounts = (_spoken(each.unit, value) for value in (each.budget, each.spent, each.left))
        table.add_row(each.name, *amounts, _marks(each))
    beyond = [Text(f"Beyond all budgets: {_spoken(*each)}") for each in found.beyond.items()]
    return Group(table, *beyond)


def _marks(fund: FundBalance) -> str:
    if fund.exhausted_at:
        return f"exhausted since {fund.exhausted_at:%d %b %Y}"
    return f"told since {fund.alerted_at:%d %b %Y}" if fund.alerted_at else ""


def _plain(unit: str, value: Decimal | None) -> str | None:
    return None if value is None else unit_of(unit).plain(unit_of(unit).minor(value))


def _spoken(unit: str, value: Decimal | None) -> str:
    return "" if value is None else unit_of(unit).spoken(unit_of(unit).minor(value))
