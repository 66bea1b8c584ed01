"""The commands of the way in: take in what a sender sent, and look at what waits for a person."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cm_engine.cli.durable import opened, refuse_unsaid, reported, show
from cm_engine.cli.journal import act_form, one_line
from cm_engine.cli.options import (
    ByOption,
    CollectedOption,
    DatabaseOption,
    EventOption,
    JsonOption,
    ObservationOption,
    OnOption,
    ResultOption,
    SourceOption,
    TargetOption,
    WhyOption,
)
from cm_engine.intake.standing import Outcome, Received, ReviewItem
from cm_engine.intake.thing import Did
from cm_engine.intake.why import Why
from cm_engine.log.encoding import instant
from cm_engine.spelling import counted

commands = typer.Typer(rich_markup_mode=None)
review = typer.Typer(help="Look at what waits for a person.", no_args_is_help=True, rich_markup_mode=None)

AT = "--db sqlite:///clinic.db"

DocumentArgument = Annotated[Path, typer.Argument(metavar="FILE", help="what the sender sent")]
FormatOption = Annotated[
    str,
    typer.Option("--format", metavar="FORMAT", help="fhir, hl7v2, csv, redcap, or what else is installed"),
]
MappingOption = Annotated[
    Path, typer.Option("--mapping", metavar="FILE", help="which codes mean what, and who is who here")
]
ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="as `review list` names it")]
WhoseEnrollmentOption = Annotated[
    str, typer.Option("--enrollment", metavar="ENROLLMENT", help="the id that `enroll` printed")
]
SenderOption = Annotated[str, typer.Option("--source", metavar="SOURCE", help="only of this sender")]
HeldOption = Annotated[
    bool, typer.Option("--held/--no-held", help="also what only waits for its final version")
]


@commands.command(
    epilog=f"Example: cm-engine receive results.json --format fhir --mapping lab.yaml {AT} --by lab-interface"
)
def receive(
    file: DocumentArgument,
    db: DatabaseOption,
    format: FormatOption,  # noqa: A002 - what it is
    mapping: MappingOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Take in a file of results, visits, doses or forms that another system sent.

    What the mapping does not name is decided by nobody: it waits for a person. The same file again changes nothing.
    Exits with 1 if something was refused, or waits for a person.
    """
    with opened(db) as engine:
        done = engine.receive(file, format=format, mapping=mapping, by=by)
    sys.stdout.write(one_line(received_form(done)) if as_json else _received_text(done))
    if done.refused or any(each.why != Why.HELD for each in done.waiting):
        raise typer.Exit(1)


@review.command("list", epilog=f"Example: cm-engine review list {AT}")
def list_items(
    db: DatabaseOption, source: SenderOption = "", held: HeldOption = True, as_json: JsonOption = False
) -> None:
    """List what waits: for its final version, or for a person."""
    with opened(db) as engine:
        found = engine.waiting_for_review(source=source, held=held)
    if as_json:
        sys.stdout.write(one_line({"items": [item_form(each) for each in found]}))
        return
    for each in found:
        typer.echo(f"{each.source}: {each.item}: {each.sentence}")
        for name, told in _told(each):
            typer.echo(f"  {name}: {told}")
    typer.echo(counted(len(found), "item"))


@review.command(
    "settle",
    epilog=f"Example: cm-engine review settle {AT} u-4 --source lab --enrollment e-1 --result - --by nurse-7",
)
def settle(
    item: ItemArgument,
    db: DatabaseOption,
    source: SourceOption,
    enrollment: WhoseEnrollmentOption,
    by: ByOption,
    result: ResultOption = "",
    event: EventOption = "",
    observation: ObservationOption = None,
    target: TargetOption = "",
    on: OnOption = None,
    collected_at: CollectedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record what waits, as a person read it.

    The time is the one that it arrived with, unless another one is given.
    """
    seen = reported(result, event, observation, target, on, collected_at, None)
    refuse_unsaid({**seen, "on": seen["on"] or date.min})
    with opened(db) as engine:
        done = engine.settle(
            source=source,
            item=item,
            enrollment=enrollment,
            by=by,
            result=seen["result"],
            target=seen["target"],
            event=seen["event"],
            evidence=seen["evidence"],
            collected_at=seen["collected_at"],
            on=seen["on"],
        )
        gateways = engine.goes_by(done)
    show(done, gateways, as_json=as_json)


@review.command(
    "dismiss", epilog=f"Example: cm-engine review dismiss {AT} u-3 --source lab --why 'not ours' --by nurse-7"
)
def dismiss(
    item: ItemArgument,
    db: DatabaseOption,
    source: SourceOption,
    why: WhyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Let what waits go, for a reason."""
    with opened(db) as engine:
        engine.dismiss(source=source, item=item, why=why, by=by)
    if as_json:
        sys.stdout.write(one_line({"source": source, "item": item, "dismissed": True}))
    else:
        typer.echo(f"{source}: {item}: dismissed")


def received_form(done: Received) -> dict[str, Any]:
    """Return what became of a document, as data."""
    return {
        "document": done.document,
        "counts": dict(done.counts),
        "outcomes": [_outcome_form(each) for each in done.outcomes],
    }


def _outcome_form(outcome: Outcome) -> dict[str, Any]:
    return {
        "where": outcome.where,
        "did": outcome.did.value,
        "why": outcome.why,
        "detail": outcome.detail,
        "replayed": outcome.is_replayed,
        "act": act_form(outcome.recorded) if outcome.recorded else None,
    }


def _received_text(done: Received) -> str:
    """Return what became of a document, as a person reads it: the counts, and all but what was so before."""
    counts = ", ".join(f"{count} {name}" for name, count in done.counts.items() if count)
    lines = [counts or "nothing in it"]
    for each in done.outcomes:
        if each.recorded:
            lines.append(
                f"{each.sentence}: {each.recorded.enrollment}: {each.recorded.sentence}".rstrip(": ")
            )
        elif not each.is_replayed or each.did in {Did.HELD, Did.REVIEW}:
            lines.append(each.sentence)
    return "".join(f"{line}\n" for line in lines)


def item_form(item: ReviewItem) -> dict[str, Any]:
    """Return what waits, as data."""
    return {
        "source": item.source,
        "item": item.item,
        "why": item.why.value,
        "detail": item.detail,
        "status": item.status,
        "version": item.version,
        "codes": list(item.codes),
        "found": list(item.found),
        "who": list(item.who),
        "collected_at": _instant(item.collected_at),
        "date": item.on.isoformat() if item.on else None,
        "resulted_at": _instant(item.resulted_at),
        "document": item.document,
        "arrived_at": instant(item.arrived_at),
        "by": item.by,
    }


def _instant(time: datetime | None) -> str | None:
    return instant(time) if time else None


def _told(item: ReviewItem) -> list[tuple[str, str]]:
    """Return what is known of what waits, as lines."""
    when = item.on.isoformat() if item.on else ""
    if item.collected_at:
        when = f"{item.collected_at:%Y-%m-%d %H:%M} UTC"
    told = [
        ("codes", ", ".join(item.codes)),
        ("found", ", ".join(item.found)),
        ("person", ", ".join(item.who)),
        ("when", when),
    ]
    return [(name, text) for name, text in told if text]
