"""The options that say how likely each result is."""

from datetime import date
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cm_engine.cli.options import reader
from cm_engine.program.values import day

RATE = "0.8"

MetOption = Annotated[
    str | None,
    typer.Option("--p-met", metavar="P", help=f"the chance that a visit is met, such as {RATE} or 4/5"),
]
LapseOption = Annotated[
    str | None, typer.Option("--p-lapse", metavar="P", help="the chance that a success is followed by none")
]
RecoverOption = Annotated[
    str | None, typer.Option("--p-recover", metavar="P", help="the chance that none is followed by a success")
]
DropOption = Annotated[
    str | None,
    typer.Option("--p-leave", metavar="P", help="the chance of leaving for good before each visit"),
]
EventOption = Annotated[
    list[str] | None,
    typer.Option(
        "--event", metavar="NAME=P", help="the chance of an event; as likely as a visit if left out"
    ),
]
RatesOption = Annotated[
    Path | None,
    typer.Option(
        "--rates-from", metavar="FILE", help="learn the chances from a CSV file participant,results"
    ),
]
BeginOption = Annotated[
    date | None,
    typer.Option("--start", metavar="DATE", help="the first day of week 1", parser=reader("--start", day)),
]


class Asked(NamedTuple):
    """What the options say of how likely each result is."""

    met: str | None = None
    lapse: str | None = None
    recover: str | None = None
    leave: str | None = None
    events: list[str] | None = None
    rates: Path | None = None
