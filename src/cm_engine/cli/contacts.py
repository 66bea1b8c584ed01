"""The commands about contacts: how people are reached, what they consented to, and what was disclosed."""

import os
import sys
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from cm_engine.cli.durable import opened
from cm_engine.cli.journal import one_line
from cm_engine.cli.options import (
    ByOption,
    DatabaseOption,
    JsonOption,
    KeyOption,
    SourceOption,
    moment,
    reader,
)
from cm_engine.cli.tables import screen
from cm_engine.engine import Engine
from cm_engine.errors import CmEngineError
from cm_engine.keyring import FileKeyring
from cm_engine.log.encoding import instant
from cm_engine.messages.asking import PURPOSES
from cm_engine.messages.kinds import CHANNELS, EVERY, PARTICIPANT, SCOPES, TOPICS
from cm_engine.messages.quiet import NIGHT
from cm_engine.messages.standing import Contact, Disclosure
from cm_engine.people.rights import SELF
from cm_engine.program.values import day
from cm_engine.spelling import counted

KEYRING, HOST_KEYS = "CM_ENGINE_KEYRING", "CM_ENGINE_KEYS"
"""Where the keys of persons are, and the host's keys in hexadecimal digits, the newest first, with commas between."""
AT = "--db sqlite:///clinic.db"

commands = typer.Typer(
    help="Say how people are reached and what they consented to; see what was disclosed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ParticipantArgument = Annotated[str, typer.Argument(metavar="PARTICIPANT", help="an opaque id; never a name")]
ChannelOption = Annotated[str, typer.Option("--channel", metavar="NAME", help=", ".join(CHANNELS))]
AnyChannelOption = Annotated[
    str, typer.Option("--channel", metavar="NAME", help=f"{', '.join(CHANNELS)}; left out, all of them")
]
ChannelsOption = Annotated[
    list[str], typer.Option("--channel", metavar="NAME", help=f"once for each: {', '.join(CHANNELS)}")
]
TopicOption = Annotated[
    str, typer.Option("--topic", metavar="NAME", help=f"{', '.join(TOPICS)}; left out, all of them")
]
ScopesOption = Annotated[
    list[str], typer.Option("--scope", metavar="NAME", help=f"once for each: {', '.join(SCOPES)}")
]
RecipientOption = Annotated[
    str, typer.Option("--recipient", metavar="ID", help="a supporter whom a consent names, by an opaque id")
]
ConsentOption = Annotated[
    str, typer.Option("--consent", metavar="ID", help="of the signed paper: an opaque id")
]
WhereOption = Annotated[
    str, typer.Option("--zone", metavar="ZONE", help="where they are: America/Los_Angeles")
]
ReceivedOption = Annotated[
    datetime | None,
    typer.Option(
        "--received-at",
        metavar="TIME",
        help="when they said so, with its offset",
        parser=reader("--received-at", moment),
    ),
]


def _day(name: str, says: str) -> Any:  # noqa: ANN401 - as typer
    return typer.Option(name, metavar="DATE", help=says, parser=reader(name, day))


@commands.command(
    epilog=f"Example: echo +15551230100 | cm-engine contact add {AT} p-104 --channel sms --zone America/Los_Angeles"
    " --source front-desk --key h-1 --by nurse-7"
)
def add(
    who: ParticipantArgument,
    db: DatabaseOption,
    channel: ChannelOption,
    zone: WhereOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    recipient: RecipientOption = PARTICIPANT,
    language: Annotated[str, typer.Option("--language", metavar="TAG", help="that they read: en, es")] = "en",
    quiet: Annotated[
        str, typer.Option("--quiet", metavar="HOURS", help="when they are not written to, where they are")
    ] = str(NIGHT),
    as_json: JsonOption = False,
) -> None:
    """Add how somebody is reached.

    The address is read from the standard input, so that no list of processes and no history of a shell has it.
    """
    with opened_with_keys(db, make=True) as engine:
        found = engine.add_handle(
            participant=who,
            channel=channel,
            address=_address(),
            recipient=recipient,
            language=language,
            zone=zone,
            quiet=quiet,
            by=by,
            source=source,
            key=key,
        )
    _show(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine contact remove {AT} p-104 --channel sms --source front-desk --key h-2 --by nurse-7"
)
def remove(
    who: ParticipantArgument,
    db: DatabaseOption,
    channel: ChannelOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    recipient: RecipientOption = PARTICIPANT,
    as_json: JsonOption = False,
) -> None:
    """Remove how somebody is reached."""
    with opened_with_keys(db) as engine:
        found = engine.remove_handle(
            participant=who, channel=channel, recipient=recipient, by=by, source=source, key=key
        )
    _show(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine contact consent {AT} p-104 --consent c-1 --discloser North --channel sms"
    " --scope updates --scope visits --signed-on 2026-01-05 --source front-desk --key c-1 --by nurse-7"
)
def consent(
    who: ParticipantArgument,
    db: DatabaseOption,
    paper: ConsentOption,
    discloser: Annotated[str, typer.Option("--discloser", metavar="TEXT", help="who may disclose")],
    channel: ChannelsOption,
    scope: ScopesOption,
    signed_on: Annotated[date, _day("--signed-on", "of the signature")],
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    recipient: RecipientOption = PARTICIPANT,
    purpose: Annotated[
        str, typer.Option("--purpose", metavar="TEXT", help="one of: " + "; ".join(PURPOSES))
    ] = PURPOSES[0],
    begins: Annotated[date | None, _day("--from", "the first day; left out, of the signature")] = None,
    until: Annotated[date | None, _day("--until", "the last day; of a supporter it is needed")] = None,
    as_json: JsonOption = False,
) -> None:
    """Record a written consent."""
    with opened_with_keys(db, make=True) as engine:
        found = engine.consent(
            participant=who,
            consent=paper,
            discloser=discloser,
            channels=channel,
            scopes=scope,
            signed_on=signed_on,
            recipient=recipient,
            purpose=purpose,
            begins=begins,
            until=until,
            by=by,
            source=source,
            key=key,
        )
    _show(found, as_json=as_json)


@commands.command(
    epilog=f"Example: cm-engine contact revoke {AT} p-104 --consent c-1 --source front-desk --key c-2 --by nurse-7"
)
def revoke(
    who: ParticipantArgument,
    db: DatabaseOption,
    paper: ConsentOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Revoke a consent, from this moment on."""
    with opened_with_keys(db) as engine:
        found = engine.revoke(participant=who, consent=paper, by=by, source=source, key=key)
    _show(found, as_json=as_json)


@commands.command(
    "opt-out",
    epilog=f"Example: cm-engine contact opt-out {AT} p-104 --source front-desk --key o-1 --by nurse-7",
)
def opt_out(
    who: ParticipantArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    recipient: RecipientOption = PARTICIPANT,
    channel: AnyChannelOption = EVERY,
    topic: TopicOption = EVERY,
    received_at: ReceivedOption = None,
    as_json: JsonOption = False,
) -> None:
    """End messages to somebody, at once."""
    with opened_with_keys(db) as engine:
        found = engine.opt_out(
            participant=who,
            recipient=recipient,
            channel=channel,
            topic=topic,
            received_at=received_at,
            by=by,
            source=source,
            key=key,
        )
    _show(found, as_json=as_json)


@commands.command(
    "opt-in",
    epilog=f"Example: cm-engine contact opt-in {AT} p-104 --source front-desk --key o-2 --by nurse-7",
)
def opt_in(
    who: ParticipantArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    recipient: RecipientOption = PARTICIPANT,
    channel: AnyChannelOption = EVERY,
    topic: TopicOption = EVERY,
    received_at: ReceivedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin messages again to somebody who asks for them; a consent is needed besides."""
    with opened_with_keys(db) as engine:
        found = engine.opt_in(
            participant=who,
            recipient=recipient,
            channel=channel,
            topic=topic,
            received_at=received_at,
            by=by,
            source=source,
            key=key,
        )
    _show(found, as_json=as_json)


@commands.command(
    epilog=f"Example: echo +15551230100 | cm-engine contact hear {AT} --channel sms --text STOP"
    " --received-at 2026-01-05T09:30-08:00 --source carrier --key m-1"
)
def hear(
    db: DatabaseOption,
    channel: ChannelOption,
    text: Annotated[str, typer.Option("--text", metavar="TEXT", help="what they wrote; it is not kept")],
    received_at: Annotated[
        datetime,
        typer.Option(
            "--received-at", metavar="TIME", help="with its offset", parser=reader("--received-at", moment)
        ),
    ],
    source: SourceOption,
    key: KeyOption,
    by: ByOption = SELF,
    as_json: JsonOption = False,
) -> None:
    """Take what somebody wrote back: STOP, START, YES, HELP, or something that a person has to read.

    The address it came from is read from the standard input.
    """
    with opened_with_keys(db) as engine:
        found = engine.hear(
            channel=channel,
            address=_address(),
            text=text,
            received_at=received_at,
            by=by,
            source=source,
            key=key,
        )
    whose = [{"participant": participant, "recipient": recipient} for participant, recipient in found.of]
    if as_json:
        sys.stdout.write(one_line({"reply": found.reply, "of": whose}))
        return
    typer.echo(f"{found.reply}: {', '.join(participant for participant, _ in found.of) or 'of nobody known'}")


@commands.command(epilog=f"Example: cm-engine contact show {AT} p-104")
def show(who: ParticipantArgument, db: DatabaseOption, as_json: JsonOption = False) -> None:
    """Show how somebody is reached, without addresses, and what they consented to."""
    with opened_with_keys(db) as engine:
        found = engine.contact(who)
    _show(found, as_json=as_json)


@commands.command("list", epilog=f"Example: cm-engine contact list {AT}")
def list_contacts(db: DatabaseOption, as_json: JsonOption = False) -> None:
    """List all contacts, without addresses."""
    with opened_with_keys(db) as engine:
        found = engine.contacts()
    if as_json:
        sys.stdout.write(one_line({"contacts": [_form(each) for each in found]}))
        return
    for each in found:
        channels = ", ".join(dict.fromkeys(handle.channel for handle in each.handles)) or "not reached"
        typer.echo(f"{each.participant}: {channels}; {counted(len(each.consents), 'consent')}")


@commands.command(epilog=f"Example: cm-engine contact disclosures {AT} p-104")
def disclosures(who: ParticipantArgument, db: DatabaseOption, as_json: JsonOption = False) -> None:
    """Show what was disclosed of a participant: to whom, by what, when, and with which consent."""
    with opened_with_keys(db) as engine:
        found = engine.disclosures(who)
    if as_json:
        sys.stdout.write(one_line({"disclosures": [_disclosure(each) for each in found]}))
        return
    table = Table("When", "What", "To", "By", "Words", "Consent", "Notice", "Outcome", box=box.SIMPLE)
    for each in found:
        when, notice = f"{each.at:%d %b %Y %H:%M} UTC", "yes" if each.with_notice else ""
        what = (each.kind, each.recipient, each.channel, each.template, each.consent)
        table.add_row(when, *what, notice, each.outcome)
    screen().print(table)


@commands.command(
    epilog=f"Example: cm-engine contact erase {AT} p-104 --source front-desk --key x-1 --by lead-1"
)
def erase(
    who: ParticipantArgument,
    db: DatabaseOption,
    source: SourceOption,
    key: KeyOption,
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Erase all addresses of a participant, for ever, by erasing their key."""
    with opened_with_keys(db) as engine:
        found = engine.erase(participant=who, by=by, source=source, key=key)
    _show(found, as_json=as_json)


def opened_with_keys(db: str, *, make: bool = False) -> Engine:
    """Open the engine on a database, with the keys of the environment if there are any."""
    keyring = _keyring()
    engine = opened(db, make=make)
    return engine.with_keys(keyring) if keyring else engine


def _keyring() -> FileKeyring | None:
    file, text = os.environ.get(KEYRING, ""), os.environ.get(HOST_KEYS, "")
    try:
        keys = [bytes.fromhex(each) for each in text.split(",")]
    except ValueError:
        msg = f"{HOST_KEYS}: expected hexadecimal digits, with a comma between keys, the newest first"
        raise CmEngineError(msg) from None
    return FileKeyring(file, keys) if file else None


def _address() -> str:
    """Return the address that somebody typed, or that another command printed."""
    return sys.stdin.readline().strip()


def _show(found: Contact, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(one_line(_form(found)))
        return
    typer.echo(found.participant)
    for handle in found.handles:
        where = f"{handle.language}, {handle.zone}, quiet {handle.quiet}"
        typer.echo(f"  {handle.recipient} by {handle.channel}: {where}")
    for given in found.consents:
        until = "revoked" if given.revoked_at else f"until {given.until}" if given.until else "until revoked"
        what = f"{', '.join(given.scopes)} by {', '.join(given.channels)}"
        typer.echo(f"  consent {given.id} to tell {given.recipient} of {what}, from {given.begins} {until}")
    for wish in found.wishes:
        typer.echo(
            f"  {wish.recipient}: {'out' if wish.out else 'in'}, channel {wish.channel}, topic {wish.topic}"
        )


def _form(found: Contact) -> dict[str, Any]:
    return {
        "participant": found.participant,
        "handles": [each._asdict() for each in found.handles],
        "consents": [each._asdict() for each in found.consents],
        "wishes": [each._asdict() for each in found.wishes],
        "supporters": list(found.supporters),
    }


def _disclosure(found: Disclosure) -> dict[str, Any]:
    return {**found._asdict(), "at": instant(found.at)}
