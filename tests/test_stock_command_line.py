"""The commands of a stock: what they print, for people and for programs, and what they refuse; and its examples."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cm_engine import cli
from cm_engine.cli.app import app
from cm_engine.cli.contacts import opened_with_keys
from cm_engine.cli.stock import commands
from cm_engine.gateways import Order, order_id

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
URL = "sqlite:///clinic.db"
CARD = ("--product", "grocer", "--value", "25.00")


class Done(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The command, on a stock of three codes that two people confirm."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CM_ENGINE_DB", URL)
    monkeypatch.setenv("CM_ENGINE_KEYRING", "keys.db")
    monkeypatch.setenv("CM_ENGINE_KEYS", "07" * 32)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["cm-engine", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    (tmp_path / "codes.txt").write_text("\ufeffA-1\r\n\n  A-2 \nA-3\n", "utf-8")
    opened = command("stock", "open", "north", "--holds", "codes", "--hands", "2", "--by", "boss-1")
    assert opened == (0, "north: holds codes; two people confirm\n", "")
    assert (
        command("stock", "receive", "north", "codes.txt", *CARD, "--purchase", "po-1", *said("r-1")).code == 0
    )
    return command


def said(key: str, by: str = "boss-1") -> tuple[str, ...]:
    return ("--source", "office", "--key", key, "--by", by)


def form(done: Done) -> dict[str, Any]:
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    return found


def allotted(number: int = 1) -> str:
    with opened_with_keys(URL) as engine:
        return engine.allot("north", Order(order_id("x", number), 25, "USD", recipient="p-1")).order  # type: ignore[arg-type]


def test_a_stock_is_shown_to_people_and_to_programs(run: Run) -> None:
    shown = run("stock", "show")
    assert "north: holds codes; two people confirm" in shown.out
    assert "grocer" in shown.out
    assert shown.out.endswith("1 stock\n")
    [stock] = form(run("stock", "show", "--json"))["stocks"]
    assert stock["lines"] == [
        {
            "product": "grocer", "unit": "USD", "value": "25.00", "received": 3, "on_shelf": 3, "offered": 0,
            "allotted": 0, "handed_over": 0, "returned": 0, "written_off": 0, "expired": 0,
        }
    ]  # fmt: skip
    assert [(each["holder"], each["book"], each["counted"]) for each in stock["holdings"]] == [
        ("boss-1", 3, None)
    ]


def test_codes_come_from_what_is_piped_in_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("B-1\nB-2\n"))
    found = form(run("stock", "receive", "north", "-", *CARD, "--purchase", "po-2", *said("r-2"), "--json"))
    assert found["lines"][0]["received"] == 5


def test_a_code_twice_or_a_file_that_is_not_there_is_refused_without_a_code(run: Run, tmp_path: Path) -> None:
    (tmp_path / "again.txt").write_text("B-1\nA-3\n", "utf-8")
    for file, words in (("again.txt", "code 2 came in before"), ("none.txt", "none.txt: cannot be read")):
        refused = run("stock", "receive", "north", file, *CARD, "--purchase", "po-2", *said("r-2"))
        assert (refused.code, refused.out) == (2, "")
        assert words in refused.err
        assert "A-3" not in refused.err


def test_an_order_is_confirmed_by_two_people_and_its_code_shown_to_them(run: Run) -> None:
    order = allotted()
    listed = run("stock", "waiting", "north").out
    assert (
        listed
        == f"{order} (north-3, 25.00 USD for p-1): 1 grocer of 25.00 USD, with boss-1; 2 to confirm it\n1 order\n"
    )
    assert run("stock", "code", "north", order, "--by", "nurse-7").out == "A-1\n"
    assert form(run("stock", "code", "north", order, "--by", "nurse-7", "--json")) == {
        "order": order, "codes": ["A-1"]
    }  # fmt: skip
    first = form(run("stock", "confirm", "north", order, "--by", "nurse-7", "--json"))
    assert (first["status"], first["waits_for"], first["confirmed_by"]) == ("allotted", 1, ["nurse-7"])
    refused = run("stock", "confirm", "north", order, "--by", "nurse-7", "--key", "again")
    assert refused.code == 2
    assert "stock: two people" in refused.err
    assert run("stock", "confirm", "north", order, "--by", "nurse-8").out.endswith("handed over\n")
    assert form(run("stock", "waiting", "north", "--json")) == {"allotments": []}
    back = form(run("stock", "return", "north", order, "--why", "no use", "--by", "nurse-7", "--json"))
    assert (back["status"], back["why"]) == ("returned", "no use")


def test_pieces_are_moved_counted_and_written_off(run: Run) -> None:
    moved = form(
        run("stock", "move", "north", *CARD, "--count", "2", "--to", "nurse-7", *said("m-1"), "--json")
    )
    assert (moved["to"], moved["pieces"][0]["places"]) == ("nurse-7", [0, 1])
    move = str(moved["move"])
    assert run("stock", "accept", "north", move, *said("a-1", "nurse-8")).code == 2
    assert run("stock", "accept", "north", move, *said("a-1", "nurse-7")).code == 0
    back = run("stock", "move", "north", *CARD, "--count", "1", "--to", "nurse-7", *said("m-2"))
    assert back.out == (
        "boss-1 offers 1 grocer of 25.00 USD to nurse-7; nurse-7 confirms it: stock accept north 5\n"
    )
    assert run("stock", "end-offer", "north", "5", "--why", "leave", *said("e-1", "nurse-7")).code == 0
    short = run(
        "stock", "count", "north", *CARD, "--holder", "nurse-7", "--counted", "1", *said("c-1", "audit-1")
    )
    assert (short.code, "-1" in short.out) == (1, True)
    off = ("--lot", "1", "--holder", "nurse-7", "--count", "1", "--first", "1", "--why", "lost")
    assert (
        form(run("stock", "write-off", "north", *off, *said("w-1"), "--json"))["lines"][0]["written_off"] == 1
    )
    right = run(
        "stock", "count", "north", *CARD, "--holder", "nurse-7", "--counted", "1", *said("c-2", "audit-1")
    )
    assert right.code == 0
    assert run("stock", "reorder", "north", "--product", "grocer", "--least", "9", *said("p-1")).code == 0
    [alert] = form(run("stock", "show", "--json"))["alerts"]
    assert alert["what"] == "reorder"
    acts = form(run("stock", "history", "north", "--json"))["acts"]
    assert [each["kind"] for each in acts] == [
        "opened", "received", "sealed", "offered", "accepted", "offered", "taken back", "counted", "written off",
        "counted", "reorder point",
    ]  # fmt: skip
    assert "A-1" not in run("stock", "history", "north").out + json.dumps(acts)


def test_what_has_expired_is_taken_out_by_date(run: Run) -> None:
    lot = (
        "--count",
        "3",
        "--product",
        "mug",
        "--value",
        "5",
        "--purchase",
        "shop",
        "--expires-on",
        "2026-01-31",
    )
    assert run("stock", "open", "cabinet", "--holds", "things", "--by", "boss-1").code == 0
    assert run("stock", "receive", "cabinet", *lot, *said("r-2")).code == 0
    for on, gone in (("2026-01-31", 0), ("2026-02-01", 3)):
        assert form(run("stock", "expire", "cabinet", "--on", on, "--json"))["lines"][0]["expired"] == gone
    assert run("verify").code == 0


def test_without_keys_the_command_says_what_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    order = allotted()
    monkeypatch.delenv("CM_ENGINE_KEYRING")
    refused = run("stock", "code", "north", order, "--by", "nurse-7")
    assert (refused.code, refused.out) == (2, "")
    assert "the engine has no keys" in refused.err


def test_every_command_has_an_example_that_it_takes(run: Run) -> None:
    assert app.registered_groups
    for each in commands.registered_commands:
        name = each.name or (each.callback.__name__.replace("_", "-") if each.callback else "")
        shown = run("stock", name, "--help").out
        assert f"Example: cm-engine stock {name}" in shown


@pytest.mark.parametrize("script", ["payout_vouchers", "payout_cabinet", "payout_manual"])
def test_an_example_runs(script: str) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{script}.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(("clean\n", "given\n"))
    assert "not " not in done.stdout
