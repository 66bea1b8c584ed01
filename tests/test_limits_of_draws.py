"""A limit on money that takes of what draws win says so, wherever the draws are shown and wherever they are judged."""

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from cm_engine import Engine, parse_program
from cm_engine.analysis import explore
from cm_engine.analysis.proofs.finding import Finding
from cm_engine.analysis.proofs.findings import findings
from cm_engine.cli import main

START, SECRET = date(2026, 1, 5), bytes(32)


def bowl(limit: str) -> str:
    """A bowl in which every slip wins five dollars but one in four, and a limit on them."""
    return f"""
program: bowl
version: "1"
title: Bowl
currency: USD
visits: [{{weeks: 1-4, per_week: 1}}]
targets:
  cocaine: {{behavior: abstinence, schedule: [{{weeks: 1-4, unit: draw, fixed: 2}}]}}
{f"limits: [{{amount: {limit}, per: calendar year, crossing: truncate}}]" if limit else ""}
bowls:
  draw: {{slips: {{nothing: {{count: 1, value: 0}}, small: {{count: 3, value: 5}}}}}}
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'clinic.db'}"


def told(of: str, rule: str) -> list[Finding]:
    """Return what is found of the bowl under a limit, by a rule."""
    return [each for each in findings(explore(parse_program(bowl(of)))) if each.rule == rule]


def test_the_desk_and_the_participant_are_told_of_a_limit_that_takes_of_draws(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CM_ENGINE_SECRET", SECRET.hex())
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with Engine.open(url, zone="America/Los_Angeles", secret=SECRET, clock=lambda: now) as engine:
        engine.add_program(parse_program(bowl("8.00")))
        engine.enroll(participant="p-1", program="bowl", start=START, by="n", id="e-1")
        for week in range(3):
            on = START + timedelta(weeks=week)
            engine.record(enrollment="e-1", result="-", on=on, source="desk", key=f"k-{week}", by="n")
        last = engine.record(
            enrollment="e-1", result="-", on=START + timedelta(weeks=3), source="desk", key="k-3", by="n"
        )
        assert last.prizes is not None
        assert last.prizes.limited is not None
        assert sum(each.value for each in last.prizes.drawn) > last.prizes.paid.amount == 0
    words = f"record e-1 --result - --on 2026-01-26 --source desk --key k-3 --by n --db {url}"
    monkeypatch.setattr(sys, "argv", ["cm-engine", *words.split()])
    with pytest.raises(SystemExit):
        main()
    assert "won: $0.00\nThe limit of $8.00 per calendar year is reached, so nothing can be paid." in (
        capsys.readouterr().out
    )
    monkeypatch.setattr(sys, "argv", ["cm-engine", "reports", "statement", "e-1", "--db", url])
    with pytest.raises(SystemExit):
        main()
    said = " ".join(capsys.readouterr().out.split())
    assert "a limit of the program made it less" in said
    assert "a limit of the program made it less; drawn: small, nothing" in said
    monkeypatch.setattr(sys, "argv", ["cm-engine", "statement", "e-1", "--db", url])
    with pytest.raises(SystemExit):
        main()
    last_line = next(line for line in capsys.readouterr().out.splitlines() if "visit 4" in line)
    assert "(The limit of $8.00 per calendar year is reached, so nothing can be paid)" in last_line


def test_who_draws_more_than_a_limit_lets_be_paid_is_found() -> None:
    [cut] = told("8.00", "success-cut")
    assert cut.severity == "warning"
    most_one_prize = 0.25**8 + 8 * 0.75 * 0.25**7
    assert f"with a chance of {1 - most_one_prize:.2%}" in cut.message
    assert told("", "success-cut") == told("40.00", "success-cut") == []


def test_full_abstinence_is_worth_no_more_than_limits_leave_of_its_draws() -> None:
    [free], [limited] = told("", "small"), told("8.00", "small")
    assert "Who is always abstinent gets $30.00 in weeks 1-4" in free.message
    assert "Who is always abstinent gets $8.00 in weeks 1-4" in limited.message


def test_what_luck_can_win_is_held_against_the_lines_of_funders() -> None:
    rich = bowl("").replace("count: 3, value: 5", "count: 1, value: 300")
    found = {each.rule: each.message for each in findings(explore(parse_program(rich)))}
    assert found["over-grant"].startswith("Who meets every visit gets on average $1200.00 in a year")
    assert found["over-tax-line"].startswith("With the best luck a participant wins $2400.00 in a year")
