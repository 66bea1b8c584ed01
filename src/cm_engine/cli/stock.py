"""The commands about stocks: take codes and prizes in, pass them on, count them, and hand them over."""

import sys
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cm_engine.cli.contacts import opened_with_keys as opened
from cm_engine.cli.journal import one_line
from cm_engine.cli.options import (
    AsOfOption,
    ByOption,
    DatabaseOption,
    JsonOption,
    KeyOption,
    SourceOption,
    WhyOption,
    reader,
)
from cm_engine.cli.tables import screen
from cm_engine.errors import ReportError
from cm_engine.log.encoding import instant
from cm_engine.people.rights import SELF
from cm_engine.program.values import amount, day
from cm_engine.sites.state import unit_of
from cm_engine.spelling import counted
from cm_engine.stock.standing import Allotment, Offer, Piece, Stock, StockAct, StockAlert
from cm_engine.stock.state import HOLDS

commands = typer.Typer(
    help="Keep gift-card codes and prizes: from their purchase to the hand of a participant.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AT = "--db sqlite:///clinic.db"
BY = "--source office --key {key} --by boss-1"
OF = "--product grocer --value 25.00"

StockArgument = Annotated[str, typer.Argument(metavar="STOCK", help="the id of the stock")]
OneStockArgument = Annotated[str, typer.Argument(metavar="[STOCK]", help="only this one", show_default=False)]
OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="the id, as `stock waiting` shows it")]
MoveArgument = Annotated[int, typer.Argument(metavar="MOVE", help="the number that `stock move` printed")]
FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]", help="the codes, one in a line; - reads them as they come in", show_default=False
    ),
]
HoldsOption = Annotated[str, typer.Option("--holds", metavar="WHAT", help=f"one of {', '.join(HOLDS)}")]
HandsOption = Annotated[
    int,
    typer.Option("--hands", metavar="N", help="how many people confirm that it is handed over: 0, 1 or 2"),
]
ProductOption = Annotated[
    str, typer.Option("--product", metavar="NAME", help="a card's brand, or a category of prizes")
]
ValueOption = Annotated[
    Decimal,
    typer.Option("--value", metavar="AMOUNT", help="of each piece, exact", parser=reader("--value", amount)),
]
UnitOption = Annotated[str, typer.Option("--unit", metavar="NAME", help="of the value")]
CountOption = Annotated[int, typer.Option("--count", metavar="N", help="how many pieces")]
ThingsOption = Annotated[
    int | None, typer.Option("--count", metavar="N", help="instead of codes: how many things")
]
PurchaseOption = Annotated[
    str, typer.Option("--purchase", metavar="TEXT", help="where they were bought: the number of a bill")
]
ExpiresOption = Annotated[
    date | None,
    typer.Option(
        "--expires-on",
        metavar="DATE",
        help="the last day on which they are good",
        parser=reader("--expires-on", day),
    ),
]
CustodianOption = Annotated[
    str, typer.Option("--holder", metavar="WHO", help="who has them; if left out, who says so")
]
HolderOption = Annotated[str, typer.Option("--holder", metavar="WHO", help="with whom they are")]
ToOption = Annotated[str, typer.Option("--to", metavar="WHO", help="who is to have them")]
LotOption = Annotated[int, typer.Option("--lot", metavar="N", help="the number of the lot")]
AnyLotOption = Annotated[
    int | None, typer.Option("--lot", metavar="N", help="of which lot; if left out, what expires first")
]
FirstOption = Annotated[
    int | None,
    typer.Option(
        "--first", metavar="N", help="the place of the first one in the lot, from 0; if left out, the next"
    ),
]
CountedOption = Annotated[int, typer.Option("--counted", metavar="N", help="how many there are")]
LeastOption = Annotated[int, typer.Option("--least", metavar="N", help="as many are to be there; 0 for any")]
OrdersOption = Annotated[
    list[str], typer.Option("--order", metavar="ORDER", help="once for each that gives small prizes")
]
EnrollmentOption = Annotated[
    str,
    typer.Option("--enrollment", metavar="ENROLLMENT", help="of the participant; its program has the rule"),
]
GetOption = Annotated[str, typer.Option("--get", metavar="PRIZE", help="what they are traded for")]
OwnSourceOption = Annotated[str, typer.Option("--source", metavar="SOURCE", help="who gives the key")]
OwnKeyOption = Annotated[
    str, typer.Option("--key", metavar="KEY", help="the id it has there; if left out, one is made")
]
ExpirerOption = Annotated[str, typer.Option("--by", metavar="WHO", help="who says so")]


@commands.command(epilog=f"Example: cm-engine stock open north {AT} --holds codes --hands 2 --by boss-1")
def open(  # noqa: A001 - what the command is called
    stock: StockArgument,
    db: DatabaseOption,
    holds: HoldsOption,
    by: ByOption,
    hands: HandsOption = 1,
    source: OwnSourceOption = "stock",
    key: OwnKeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Open a stock: of codes, of things, or of nothing, where staff hand over what is not counted."""
    with opened(db, make=True) as engine:
        found = engine.open_stock(stock, holds=holds, hands=hands, by=by, source=source, key=key)
    _show(found, as_json=as_json)


@commands.command(epilog=f"Example: cm-engine stock show {AT} north")
def show(db: DatabaseOption, stock: OneStockArgument = "", as_json: JsonOption = False) -> None:
    """Show stocks: what is in them, who has it, what was counted, and what somebody is to be told."""
    with opened(db) as engine:
        found = [engine.stock(stock)] if stock else engine.stocks()
        alerts = engine.stock_alerts(stock)
    if as_json:
        form = {"stocks": list(map(_form, found)), "alerts": [each._asdict() for each in alerts]}
        sys.stdout.write(one_line(form))
        return
    for each in found:
        screen().print(_text(each))
    _tell(alerts)
    typer.echo(counted(len(found), "stock"))


@commands.command(
    epilog=f"Example: cm-engine stock receive north codes.txt {AT} {OF} --purchase po-9 {BY.format(key='r-1')}"
)
def receive(
    stock: StockArgument,
    db: DatabaseOption,
    product: ProductOption,
    value: ValueOption,
    purchase: PurchaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    file: FileArgument = None,
    count: ThingsOption = None,
    unit: UnitOption = "USD",
    expires_on: ExpiresOption = None,
    holder: CustodianOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take a lot in: codes from a file, or so many things.

    Codes are sealed with the key of the environment; delete the file. A code that came in before refuses the lot.
    """
    with opened(db) as engine:
        found = engine.receive_stock(
            stock,
            product=product,
            value=value,
            unit=unit,
            codes=_codes(file),
            count=count,
            purchase=purchase,
            expires_on=expires_on,
            holder=holder,
            by=by,
            source=source,
            key=key,
        )
    _show(found, as_json=as_json)


def _codes(file: Path | None) -> list[str] | None:
    """Return the codes of a file, without blanks around them and without empty lines."""
    if file is None:
        return None
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        msg = f"{file}: cannot be read: {type(error).__name__}"
        raise ReportError(msg) from None
    return [line.strip() for line in text.splitlines() if line.strip()]


@commands.command(
    epilog=f"Example: cm-engine stock reorder north {AT} --product grocer --least 20 {BY.format(key='p-1')}"
)
def reorder(
    stock: StockArgument,
    db: DatabaseOption,
    product: ProductOption,
    least: LeastOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Say how many pieces of a product are to be on the shelf at least."""
    with opened(db) as engine:
        found = engine.set_reorder_point(stock, product, least, by=by, source=source, key=key)
    _show(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine stock move north {AT} {OF} --count 20 --to nurse-7 {BY.format(key='m-1')}"
)
def move(
    stock: StockArgument,
    db: DatabaseOption,
    product: ProductOption,
    value: ValueOption,
    count: CountOption,
    to: ToOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    unit: UnitOption = "USD",
    lot: AnyLotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer pieces to another custodian, who confirms it with `stock accept`."""
    with opened(db) as engine:
        found = engine.move_custody(
            stock,
            product=product,
            value=value,
            unit=unit,
            count=count,
            to=to,
            lot=lot,
            by=by,
            source=source,
            key=key,
        )
    if as_json:
        sys.stdout.write(one_line(_offer_form(found)))
    else:
        typer.echo(f"{_offer_text(found)}; {found.to} confirms it: stock accept {stock} {found.move}")


@commands.command(
    epilog=f"Example: cm-engine stock accept north 4 {AT} --source office --key a-1 --by nurse-7"
)
def accept(
    stock: StockArgument,
    move: MoveArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Confirm that one has what was offered."""
    with opened(db) as engine:
        found = engine.accept_custody(stock, move, by=by, source=source, key=key)
    _show(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine stock end-offer north 4 {AT} --why 'on leave' --source office --key e-1 --by nurse-7"
)
def end_offer(
    stock: StockArgument,
    move: MoveArgument,
    db: DatabaseOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Take an offer back, or refuse it."""
    with opened(db) as engine:
        found = engine.end_offer(stock, move, why=why, by=by, source=source, key=key)
    _show(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine stock count north {AT} {OF} --holder nurse-7 --counted 19 {BY.format(key='c-1')}"
)
def count(
    stock: StockArgument,
    db: DatabaseOption,
    holder: HolderOption,
    product: ProductOption,
    value: ValueOption,
    counted: CountedOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    unit: UnitOption = "USD",
    as_json: JsonOption = False,
) -> None:
    """Write down what somebody counted by hand.

    Exits with 1 if it is not what the book says.
    """
    with opened(db) as engine:
        found = engine.count_stock(
            stock,
            holder=holder,
            product=product,
            value=value,
            unit=unit,
            counted=counted,
            by=by,
            source=source,
            key=key,
        )
    _show(found, as_json=as_json)
    if any(
        (each.holder, each.product, each.unit, each.value) == (holder, product, unit, value)
        for each in found.variances
    ):
        raise typer.Exit(1)


@commands.command(
    epilog=f"Example: cm-engine stock write-off north {AT} --lot 1 --holder nurse-7 --count 1 --why lost {BY.format(key='w-1')}"
)
def write_off(
    stock: StockArgument,
    db: DatabaseOption,
    lot: LotOption,
    holder: HolderOption,
    count: CountOption,
    why: WhyOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    first: FirstOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take pieces out of the book that are lost or spoiled."""
    with opened(db) as engine:
        found = engine.write_off(
            stock, lot=lot, holder=holder, count=count, first=first, why=why, by=by, source=source, key=key
        )
    _show(found, as_json=as_json)


@commands.command(epilog=f"Example: cm-engine stock expire north {AT}")
def expire(
    stock: StockArgument,
    db: DatabaseOption,
    on: AsOfOption = None,
    by: ExpirerOption = SELF,
    as_json: JsonOption = False,
) -> None:
    """Take what has expired out of the book."""
    with opened(db) as engine:
        found = engine.expire_stock(stock, on=on, by=by)
    _show(found, as_json=as_json)


@commands.command(epilog=f"Example: cm-engine stock waiting north {AT}")
def waiting(stock: StockArgument, db: DatabaseOption, as_json: JsonOption = False) -> None:
    """List what is allotted and not handed over yet."""
    with opened(db) as engine:
        found = engine.waiting_hand_overs(stock)
    if as_json:
        sys.stdout.write(one_line({"allotments": list(map(_allotment_form, found))}))
        return
    for each in found:
        typer.echo(_allotment_text(each))
    typer.echo(counted(len(found), "order"))


@commands.command(
    epilog=f"Example: cm-engine stock code north 80d7c2c2-d66f-4749-bae7-b26d25f4b892 {AT} --by nurse-7"
)
def code(
    stock: StockArgument, order: OrderArgument, db: DatabaseOption, by: ByOption, as_json: JsonOption = False
) -> None:
    """Show the codes of an order, to whoever hands them over; it is written down who looked."""
    with opened(db) as engine:
        found = engine.allotted_code(stock, order, by=by)
    if as_json:
        sys.stdout.write(one_line({"order": order, "codes": list(found)}))
    else:
        typer.echo("\n".join(found))


@commands.command(
    epilog=f"Example: cm-engine stock confirm north 80d7c2c2-d66f-4749-bae7-b26d25f4b892 {AT} --by nurse-7"
)
def confirm(
    stock: StockArgument,
    order: OrderArgument,
    db: DatabaseOption,
    by: ByOption,
    source: OwnSourceOption = "stock",
    key: OwnKeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Confirm that a participant has what an order got; where two people have to, both do."""
    with opened(db) as engine:
        found = engine.confirm_hand_over(stock, order, by=by, source=source, key=key)
    _show_allotment(found, as_json=as_json)


@commands.command(
    name="return",
    epilog=f"Example: cm-engine stock return north 80d7c2c2-d66f-4749-bae7-b26d25f4b892 {AT} --why 'not wanted' --by nurse-7",
)
def give_back(
    stock: StockArgument,
    order: OrderArgument,
    db: DatabaseOption,
    why: WhyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Take back what an order got."""
    with opened(db) as engine:
        found = engine.return_stock(stock, order, why=why, by=by)
    _show_allotment(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine stock trade-up cabinet {AT} --enrollment e-1 --get large --order ID-1 --order ID-2"
    f" {BY.format(key='t-1')}"
)
def trade_up(
    stock: StockArgument,
    db: DatabaseOption,
    order: OrdersOption,
    enrollment: EnrollmentOption,
    get: GetOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Trade small prizes that a participant has saved for a better one, as the program says."""
    with opened(db) as engine:
        found = engine.trade_up(stock, order, enrollment=enrollment, get=get, by=by, source=source, key=key)
    if as_json:
        sys.stdout.write(one_line({"allotments": list(map(_allotment_form, found))}))
        return
    for each in found:
        typer.echo(_allotment_text(each))


@commands.command(epilog=f"Example: cm-engine stock history north {AT}")
def history(stock: StockArgument, db: DatabaseOption, as_json: JsonOption = False) -> None:
    """Show every act on a stock; no code is in it."""
    with opened(db) as engine:
        found = engine.stock_history(stock)
    if as_json:
        sys.stdout.write(one_line({"acts": list(map(_act_form, found))}))
        return
    table = Table("Number", "What", "By", "When", "Reported", box=box.SIMPLE)
    for each in found:
        table.add_row(
            str(each.number), each.kind, each.by, f"{each.recorded_at:%Y-%m-%d %H:%M} UTC", _reported(each)
        )
    screen().print(table)


def _reported(act: StockAct) -> str:
    return ", ".join(f"{name} {value}" for name, value in act.reported.items() if value not in ("", None))


def _show(found: Stock, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(one_line(_form(found)))
    else:
        screen().print(_text(found))


def _show_allotment(found: Allotment, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(one_line(_allotment_form(found)))
    else:
        typer.echo(_allotment_text(found))


def _tell(alerts: Sequence[StockAlert]) -> None:
    for each in alerts:
        typer.echo(each.text)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields as JSON has them."""
    money = {
        name: _money(fields["unit"], value) for name, value in fields.items() if isinstance(value, Decimal)
    }
    return {name: _plainly(value) for name, value in fields.items()} | money


def _money(unit: str, value: Decimal) -> str:
    return unit_of(unit).plain(unit_of(unit).minor(value))


def _plainly(value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, range | tuple) else value


def _form(found: Stock) -> dict[str, Any]:
    return {
        **_plain(found._asdict()),
        "lines": [_plain(each._asdict()) for each in found.lines],
        "holdings": [_plain(each._asdict()) for each in found.holdings],
        "lots": [_plain(each._asdict()) for each in found.lots],
        "offers": list(map(_offer_form, found.offers)),
        "points": dict(found.points),
    }


def _offer_form(found: Offer) -> dict[str, Any]:
    return {**_plain(found._asdict()), "pieces": _pieces_form(found.pieces)}


def _allotment_form(found: Allotment) -> dict[str, Any]:
    return {**_plain(found._asdict()), "reference": found.reference, "pieces": _pieces_form(found.pieces)}


def _pieces_form(pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    return [_plain(each._asdict()) for each in pieces]


def _act_form(act: StockAct) -> dict[str, Any]:
    return {**_plain(act._asdict()), "reported": dict(act.reported)}


def _text(found: Stock) -> Group:
    people = {0: "is given as it is allotted", 1: "one person confirms", 2: "two people confirm"}[found.hands]
    lines: list[RenderableType] = [Text(f"{found.id}: holds {found.holds}; {people}")]
    if found.lines:
        lines += [_lines_table(found), _holdings_table(found), _lots_table(found)]
    lines += [Text(_offer_text(each)) for each in found.offers]
    if found.waiting:
        lines.append(Text(f"{counted(len(found.waiting), 'order')} to be handed over"))
    return Group(*lines)


def _lines_table(found: Stock) -> Table:
    names = (
        "Received",
        "On shelf",
        "Offered",
        "Allotted",
        "Handed over",
        "Returned",
        "Written off",
        "Expired",
    )
    table = Table("Product", "Value", *names, box=box.SIMPLE)
    for each in found.lines:
        table.add_row(each.product, f"{_money(each.unit, each.value)} {each.unit}", *map(str, each[3:]))
    return table


def _holdings_table(found: Stock) -> Table:
    table = Table("Custodian", "Product", "Value", "Book", "Counted", "Variance", "By", box=box.SIMPLE)
    for each in found.holdings:
        counted = "" if each.counted is None else str(each.counted)
        variance = f"{each.variance:+}" if each.variance else ""
        value = f"{_money(each.unit, each.value)} {each.unit}"
        table.add_row(each.holder, each.product, value, str(each.book), counted, variance, each.counted_by)
    return table


def _lots_table(found: Stock) -> Table:
    table = Table("Lot", "Purchase", "Product", "Value", "Left", "Expires", box=box.SIMPLE)
    for each in found.lots:
        expires = f"{each.expires_on:%d %b %Y}" if each.expires_on else ""
        value = f"{_money(each.unit, each.value)} {each.unit}"
        table.add_row(str(each.lot), each.purchase, each.product, value, str(each.left), expires)
    return table


def _offer_text(found: Offer) -> str:
    return f"{found.by} offers {_pieces_text(found.pieces)} to {found.to}"


def _pieces_text(pieces: Sequence[Piece]) -> str:
    counts: dict[str, int] = {}
    for each in pieces:
        name = f"{each.product} of {_money(each.unit, each.value)} {each.unit}"
        counts[name] = counts.get(name, 0) + len(each.places)
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing of the stock"


def _allotment_text(found: Allotment) -> str:
    holders = ", ".join(sorted({each.holder for each in found.pieces}))
    where = f", with {holders}" if holders else ""
    status = f"{found.waits_for} to confirm it" if found.status == "allotted" else found.status
    asked = f"{_money(found.unit, found.amount)} {found.unit}"
    return f"{found.order} ({found.reference}, {asked} for {found.recipient}): {_pieces_text(found.pieces)}{where}; {status}"
