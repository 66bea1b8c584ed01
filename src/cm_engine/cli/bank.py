"""The commands of the participant's bank: what is asked for, paid out, handed over, declined, returned, and expires."""

import sys
from decimal import Decimal
from typing import Annotated

import typer
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cm_engine.acts.recorded import Recorded
from cm_engine.cli.durable import opened, show
from cm_engine.cli.journal import act_form, decision_text, one_line
from cm_engine.cli.options import (
    ByOption,
    DatabaseOption,
    EnrollmentArgument,
    JsonOption,
    KeyOption,
    OneEnrollmentArgument,
    OverOption,
    SiteOption,
    SourceOption,
    SweeperOption,
    UnitOption,
    UntilOption,
    WhyOption,
    reader,
)
from cm_engine.cli.tables import screen
from cm_engine.facade.banking import SentPayout
from cm_engine.program.values import amount as exact
from cm_engine.spelling import counted

commands = typer.Typer(rich_markup_mode=None)

AT = "--db sqlite:///clinic.db"
BY = "--source front-desk --key {key} --by nurse-7"

AmountOption = Annotated[
    Decimal | None,
    typer.Option(
        "--amount",
        metavar="AMOUNT",
        help="exact, such as 20.00; if left out, all that is owed",
        parser=reader("--amount", exact),
    ),
]
ProductOption = Annotated[
    str, typer.Option("--product", metavar="NAME", help="what it is asked for as, as the program lists it")
]
NumberOption = Annotated[
    int, typer.Option("--number", metavar="N", help="the number of the payout, as `payouts` lists it")
]
LegOption = Annotated[
    int | None, typer.Option("--leg", metavar="N", help="which of several amounts; if left out, all")
]
ReferenceOption = Annotated[
    str, typer.Option("--reference", metavar="TEXT", help="how it is found again: the number of a receipt")
]
StatusOption = Annotated[
    str,
    typer.Option("--status", metavar="STATUS", help="only those in flight, issued, declined or refunded"),
]
AfterOption = Annotated[
    str, typer.Option("--after", metavar="ID", help="those that come after this one, as e-1/5/1")
]
LimitOption = Annotated[int, typer.Option("--limit", metavar="N", help="at most so many")]
OnTheWayOption = Annotated[bool, typer.Option("--on-the-way", help="only those that nobody confirmed yet")]


@commands.command(epilog=f"Example: cm-engine redeem {AT} e-1 --amount 20.00 {BY.format(key='r-1')}")
def redeem(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    amount: AmountOption = None,
    unit: UnitOption = "",
    product: ProductOption = "",
    as_json: JsonOption = False,
) -> None:
    """Put on its way what a participant asks for of what is owed."""
    with opened(db) as engine:
        done = engine.redeem(
            enrollment=enrollment, amount=amount, unit=unit, product=product, source=source, key=key, by=by
        )
        gateways = engine.goes_by(done)
    show(done, gateways, as_json=as_json)


@commands.command(
    "hand-over", epilog=f"Example: cm-engine hand-over {AT} e-1 --number 5 {BY.format(key='h-1')}"
)
def hand_over(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    number: NumberOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    leg: LegOption = None,
    reference: ReferenceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Confirm that a payout reached the participant."""
    with opened(db) as engine:
        done = engine.hand_over(
            enrollment=enrollment, number=number, leg=leg, reference=reference, source=source, key=key, by=by
        )
    show(done, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine decline {AT} e-1 --number 5 --why 'the card was refused' {BY.format(key='d-1')}"
)
def decline(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    number: NumberOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    leg: LegOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that a payout will not reach the participant.

    What was earned stays earned: it is owed again.
    """
    with opened(db) as engine:
        done = engine.decline(
            enrollment=enrollment, number=number, leg=leg, why=why, source=source, key=key, by=by
        )
    show(done, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine refund {AT} e-1 --number 5 --why 'the card was returned' {BY.format(key='b-1')}"
)
def refund(
    enrollment: EnrollmentArgument,
    db: DatabaseOption,
    number: NumberOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    leg: LegOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that what was handed over came back: it is owed again."""
    with opened(db) as engine:
        done = engine.refund(
            enrollment=enrollment, number=number, leg=leg, why=why, source=source, key=key, by=by
        )
    show(done, as_json=as_json)


@commands.command("pay-due", epilog=f"Example: cm-engine pay-due {AT}")
def pay_due(
    db: DatabaseOption,
    enrollment: OneEnrollmentArgument = "",
    until: UntilOption = None,
    by: SweeperOption = "cm-engine",
    as_json: JsonOption = False,
) -> None:
    """Put on its way what has had its pay day.

    Run it every morning; as often as one likes it pays everything once.
    """
    with opened(db) as engine:
        found = engine.pay_due(until=until, enrollment=enrollment, by=by)
    _show_acts(found, "paid out", as_json=as_json)


@commands.command(epilog=f"Example: cm-engine expire {AT}")
def expire(
    db: DatabaseOption,
    enrollment: OneEnrollmentArgument = "",
    until: OverOption = None,
    by: SweeperOption = "cm-engine",
    as_json: JsonOption = False,
) -> None:
    """Let expire what was not collected in time.

    Run it every morning, after pay-due. What is on its way never expires.
    """
    with opened(db) as engine:
        found = engine.expire(until=until, enrollment=enrollment, by=by)
    _show_acts(found, "expired", as_json=as_json)


@commands.command(epilog=f"Example: cm-engine payouts {AT} --on-the-way")
def payouts(
    db: DatabaseOption,
    enrollment: OneEnrollmentArgument = "",
    on_the_way: OnTheWayOption = False,
    status: StatusOption = "",
    site: SiteOption = "",
    after: AfterOption = "",
    limit: LimitOption = 1000,
    as_json: JsonOption = False,
) -> None:
    """List payouts, and what became of each: of one enrollment, or of all."""
    with opened(db) as engine:
        found = engine.payouts(
            enrollment=enrollment, on_the_way=on_the_way, status=status, site=site, after=after, limit=limit
        )
    if as_json:
        form = {"enrollment": enrollment} if enrollment else {}
        sys.stdout.write(one_line({**form, "payouts": [_form(each) for each in found]}))
        return
    screen().print(_table(found))
    if len(found) == limit:
        typer.echo(f"There may be more: --after {found[-1].id}")


def _show_acts(acts: list[Recorded], what: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(one_line({"acts": [act_form(done) for done in acts]}))
        return
    for done in acts:
        for each in done.decisions:
            typer.echo(f"{done.enrollment}: {decision_text(each)}")
    typer.echo(f"{counted(len(acts), 'enrollment')} {what}")


def _form(payout: SentPayout) -> dict[str, object]:
    return {
        "id": payout.id,
        "enrollment": payout.enrollment,
        "number": payout.number,
        "leg": payout.leg,
        "date": payout.on.isoformat(),
        "unit": payout.unit,
        "amount": f"{payout.amount:f}",
        "product": payout.product,
        "status": payout.status,
        "handed_over_on": payout.handed_over_on.isoformat() if payout.handed_over_on else None,
        "handed_over_by": payout.handed_over_by or None,
        "reference": payout.reference or None,
    }


def _table(found: list[SentPayout]) -> Group:
    table = Table(box=box.SIMPLE)
    for column in ("Enrollment", "Number", "Leg", "From", "Amount", "Product", "Status"):
        table.add_column(column)
    for each in found:
        which = (each.enrollment, str(each.number), str(each.leg))
        amount = f"{each.amount:f} {each.unit}"
        table.add_row(*which, f"{each.on:%d %b %Y}", amount, each.product, _status(each))
    return Group(table, Text(counted(len(found), "payout")))


def _status(payout: SentPayout) -> str:
    """Return what became of a payout, with the day on which it was handed over and who confirmed that."""
    if not payout.handed_over_on:
        return payout.status
    return f"{payout.status}, handed over {payout.handed_over_on:%d %b %Y} by {payout.handed_over_by}"
