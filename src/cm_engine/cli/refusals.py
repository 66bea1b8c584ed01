"""How a refusal is told on the command line: by options and commands, where Python has arguments and methods."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from cm_engine.errors import CmEngineError, ProblemsError

COMMANDS: Mapping[str, str] = {
    "add_program": "add-program",
    "enter": "enter",
    "withdraw_entry": "withdraw-entry",
    "hand_over": "hand-over",
    "pay_due": "pay-due",
    "assert_awarded": "assert",
    "import_bundle": "import-bundle",
    "add_staff": "staff add",
    "change_staff": "staff change",
    "staff_left": "staff left",
    "open_site": "site open",
    "close_site": "site close",
    "close_days": "site close-days",
    "open_days": "site open-days",
    "add_closures": "site closures",
    "catch_up": "site catch-up",
    "add_fund": "site fund",
    "add_gateway": "site gateway",
    "open_trial": "trial open",
    "close_trial": "trial close",
    "deliveries": "deliveries",
    "approve_payout": "payout approve",
    "retry_payout": "payout retry",
    "run_due": "worker --once",
    "add_handle": "contact add",
    "remove_handle": "contact remove",
    "opt_out": "contact opt-out",
    "opt_in": "contact opt-in",
    "disclosures": "contact disclosures",
    "receive_arrivals": "receive",
    "waiting_for_review": "review list",
    "open_stock": "stock open",
    "receive_stock": "stock receive",
    "stock_history": "stock history",
    "set_reorder_point": "stock reorder",
    "move_custody": "stock move",
    "accept_custody": "stock accept",
    "end_offer": "stock end-offer",
    "count_stock": "stock count",
    "write_off": "stock write-off",
    "expire_stock": "stock expire",
    "waiting_hand_overs": "stock waiting",
    "allotted_code": "stock code",
    "confirm_hand_over": "stock confirm",
    "return_stock": "stock return",
    "trade_up": "stock trade-up",
}
"""The command of each method that an error may name; a plain word such as void is the same in both."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "amount": ("--amount", "--awarded"),
    "roles": ("--role",),
    "sites": ("--site",),
    "active_from": ("--from",),
    "active_until": ("--until",),
    "strata": ("--stratum",),
    "years": ("--year",),
    "evidence": ("--observation",),
}
"""The option of an argument that has another name."""

PHRASES: Mapping[str, str] = {
    "open the engine with its secret, Engine.open(url, secret=...); on the command line, set CM_ENGINE_SECRET": (
        "set CM_ENGINE_SECRET to the secret, at least 32 bytes in hexadecimal digits"
    ),
    "than the engine's; open it with that one": "than that in CM_ENGINE_SECRET; set it to that one",
    "with leave=True": "without --copy",
    "seal_with": "CM_ENGINE_SEAL",
    "look for the id: enrollments lists": "look for the id: cm-engine enrollments lists",
    "what is changed: roles, sites, ": "what is changed: --role, --site, ",
    "people: expected": "CM_ENGINE_PEOPLE: expected",
    "expected a Decimal with": "expected an amount with",
    "engine.with_keys(keyring)": "set CM_ENGINE_KEYRING and CM_ENGINE_KEYS",
    "begin with engine.with_messages(MessagePolicy())": "name the file that says so: --notifiers FILE",
    "load_gateways(..., engine=engine)": "give the database too",
}
"""What is told in other words altogether."""

NAME = r"(?<![\w'\"/@.-])(?:engine\.)?([a-z]+(?:_[a-z]+)*)"
"""The name of an argument or of a method that stands by itself, and in no text that somebody gave."""

CALL = re.compile(NAME + r"\(([^()]*)\)")
GIVEN = re.compile(NAME + r"=('[^']*'|[\w./-]+)")
BEGINS = re.compile(r"^([a-z_]+)(?=: | is \d)")
LONG = re.compile(NAME + r"(?![\w'\"(=])")
DECIMAL = re.compile(r"Decimal\('([^']*)'\)")
INSTANT = re.compile(r"(?<!\")(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d\.\d{6}\+00:00(?!\")")


def told(error: CmEngineError, words: Sequence[str]) -> str:
    """Return what an error says, as whoever gave a command reads it.

    Args:
        error: what was refused; what is wrong with a file is told by its place in it, and stays as it is.
        words: the command, as it was given.
    """
    message = str(error)
    if isinstance(error, ProblemsError):
        return message
    app = _app()
    names, known = _names(_command(app, words)), frozenset(_options(app))
    for ours, theirs in PHRASES.items():
        message = message.replace(ours, theirs)
    message = BEGINS.sub(lambda found: names.get(found[1], found[1]), message)
    message = CALL.sub(_called, message)
    message = GIVEN.sub(lambda found: _given(found[1], found[2], known) or found[0], message)
    message = LONG.sub(lambda found: _long(found[1], names) or found[0], message)
    return INSTANT.sub(r"\1 \2 UTC", DECIMAL.sub(r"\1", message))


def _names(command: Any) -> dict[str, str]:  # noqa: ANN401 - of click, or of typer's own copy of it
    """Return how a command names its arguments: an option, or the word that stands for a value."""
    found = {}
    for each in command.params:
        option = next((name for name in each.opts if name.startswith("--")), "")
        name = option.removeprefix("--").replace("-", "_") if option else (each.metavar or "").lower()
        found[name.strip("[]")] = option or (each.metavar or each.name)
    known = set(found.values())
    renamed = {name: option for name, options in OPTIONS.items() for option in options if option in known}
    return found | renamed


def _app() -> Any:  # noqa: ANN401 - as above
    import typer  # noqa: PLC0415 - it comes with an extra

    from cm_engine.cli.app import app  # noqa: PLC0415 - it needs the same

    return typer.main.get_command(app)


def _command(command: Any, words: Sequence[str]) -> Any:  # noqa: ANN401 - as above
    """Return the command that words call."""
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    return command


def _options(command: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """Yield the options of a command and of all below it."""
    yield from (name for each in command.params for name in each.opts)
    for below in getattr(command, "commands", {}).values():
        yield from _options(below)


def _called(found: re.Match[str]) -> str:
    """Return the call of a method as a command."""
    if found[1] not in COMMANDS:
        return found[0]
    given = (_word(each.strip()) for each in found[2].split(",") if each.strip(" ."))
    return " ".join(["cm-engine", COMMANDS[found[1]], *given])


def _word(given: str) -> str:
    """Return an argument of a call as a command has it: what it is about stands by itself."""
    name, _, value = given.partition("=")
    is_about = name in {"staff", "site", "trial", "enrollment"}
    return value.strip("'") if is_about else _given(name, value) or given


def _given(name: str, value: str, known: Collection[str] = ()) -> str:
    """Return an argument with its value as an option; nothing if there is none of its name."""
    option = OPTIONS.get(name, (f"--{name.replace('_', '-')}",))[0]
    if known and option not in known:
        return ""
    return option if value == "True" else f"{option} {value.strip(chr(39))}"


def _long(name: str, names: Mapping[str, str]) -> str:
    """Return the command or the option of a name that no plain word has; nothing for a plain word."""
    if "_" not in name:
        return ""
    return f"cm-engine {COMMANDS[name]}" if name in COMMANDS else names.get(name, "")
