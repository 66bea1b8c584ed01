"""The commands of the participant's bank: what they print, for people and for programs, and what they refuse."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cm_engine import cli
from cm_engine.program import canonical
from tests.test_bank import program

SAID = ("--source", "desk", "--by", "nurse-7")


class Done(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The command, on a database with one enrollment that is owed $25.00."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CM_ENGINE_DB", "sqlite:///clinic.db")
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["cm-engine", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    saving = program(
        "saving", "{when: on request, minimum: 15, products: [gift card, bus pass], expires_after: 9}"
    )
    (tmp_path / "saving.yaml").write_text(canonical(saving), "utf-8")
    who = ("--id", "e-1", "--participant", "p-1", "--program", "saving.yaml", "--start", "2026-01-05")
    assert command("enroll", *who, "--zone", "America/Los_Angeles", "--by", "nurse-7").code == 0
    for day in (5, 6):
        assert (
            command(
                "record", "e-1", "--result", "-", "--on", f"2026-01-0{day}", "--key", f"{day}", *SAID
            ).code
            == 0
        )
    return command


def form(done: Done) -> dict[str, Any]:
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    return found


def redeem(run: Run, *more: str) -> Done:
    return run("redeem", "e-1", "--product", "gift card", "--key", "r", *SAID, *more)


def test_what_is_asked_for_says_how_it_is_confirmed(run: Run) -> None:
    lines = redeem(run, "--amount", "20.00").out.splitlines()
    assert lines[0] == "Redeemed as record 3 of e-1."
    assert lines[1].startswith("Redeemed, ")
    assert lines[1].endswith(": $20.00 asked for (gift card), on the way.")
    assert lines[2] == "Hand it over, and confirm it: cm-engine hand-over e-1 --number 3"
    again = redeem(run, "--amount", "20.00").out.splitlines()
    assert again[0] == "Redeemed as record 3 of e-1; it came before, and nothing is written now."
    assert len(again) == 2


def test_the_acts_of_the_bank_are_data_for_programs(run: Run) -> None:
    asked = form(redeem(run, "--amount", "20.00", "--json"))
    assert (asked["kind"], asked["number"], asked["result"], asked["awards"]) == (
        "redeemed",
        3,
        "redeemed",
        {},
    )
    assert asked["reported"] == {"unit": "USD", "amount": "20.00", "product": "gift card"}
    [reason] = asked["reasons"]
    assert {name: reason[name] for name in ("code", "unit", "amount", "product")} == {
        "code": "redeemed",
        "unit": "USD",
        "amount": "20.00",
        "product": "gift card",
    }
    [payout] = form(run("payouts", "e-1", "--on-the-way", "--json"))["payouts"]
    assert {**payout, "date": ""} == {
        "id": "e-1/3/1",
        "enrollment": "e-1",
        "number": 3,
        "leg": 1,
        "date": "",
        "unit": "USD",
        "amount": "20.00",
        "product": "gift card",
        "status": "in flight",
        "handed_over_on": None,
        "handed_over_by": None,
        "reference": None,
    }
    given = form(
        run("hand-over", "e-1", "--number", "3", "--reference", "4412", "--key", "h", *SAID, "--json")
    )
    assert given["sentence"] == "$20.00 handed over (4412)."
    [payout] = form(run("payouts", "--status", "issued", "--json"))["payouts"]
    assert (payout["handed_over_by"], payout["reference"]) == (given["by"], "4412")
    assert payout["handed_over_on"] == given["date"]
    back = form(run("refund", "e-1", "--number", "3", "--why", "returned", "--key", "b", *SAID, "--json"))
    assert (back["reasons"][0]["settled"], back["reported"]["why"]) == ("0.00", "returned")
    balance = form(run("statement", "e-1", "--json"))["balances"]["USD"]
    assert {name: amount for name, amount in balance.items() if amount != "0.00"} == {
        "awarded": "25.00",
        "owed": "25.00",
    }
    assert list(balance) == [
        *("awarded", "owed", "in_flight", "issued", "expired", "absorbed", "offset"),
        *("deposit", "drawn", "paid_in", "forfeited"),
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["redeem", "--amount", "25.01", "--product", "bus pass"], "--amount: $25.01 is asked for, and $25.00 is owed"),
        (["redeem", "--amount", "14", "--product", "bus pass"], "--amount: the program hands over $15.00 or more, got $14.00; $25.00 is owed"),
        (["redeem", "--amount", "1,50"], "--amount: "),
        (["redeem", "--product", "bus pas"], "--product: there is no 'bus pas'; did you mean 'bus pass'? (known: gift card, bus pass)"),
        (["hand-over", "--number", "2"], "--number: decision 2 sends nothing on its way; payouts lists what does"),
        (["decline", "--number", "9", "--why", "x"], "--number: decision 9 sends nothing on its way; payouts lists what does"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_a_line(run: Run, words: list[str], why: str) -> None:
    done = run(words[0], "e-1", *words[1:], "--key", "k", *SAID)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(why)


def test_history_tells_of_the_bank_and_why_something_came_back(run: Run) -> None:
    redeem(run)
    run("decline", "e-1", "--number", "3", "--why", "wrong address", "--key", "d", *SAID)
    lines = run("history", "e-1").out.splitlines()
    assert any(line.endswith("declined: wrong address (by nurse-7, desk/d)") for line in lines)
    assert lines[-1].endswith("$25.00 was not handed over, and is owed again.")
    assert run("payouts", "e-1").out.rstrip().endswith("1 payout")


def test_the_sweeps_say_what_they_did_and_refuse_days_that_are_not_over(run: Run) -> None:
    assert run("pay-due").out == "0 enrollments paid out\n"
    assert form(run("expire", "e-1", "--json")) == {"acts": []}
    assert run("expire", "--until", "2999-01-01").err.startswith("--until: expected ")
    assert run("verify").code == 0
