"""The offline table: small, as its schema says, and run by plain JavaScript to the awards and reasons of `step`."""

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jsonschema
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from hypothesis import assume, given, settings
from playwright.sync_api import Browser, Page, ViewportSize, expect

from cm_engine import Program, catalogue, parse_program
from cm_engine.analysis import Explored, explore
from cm_engine.analysis.actions import NOT_HAPPENED, Action
from cm_engine.analysis.tables.table import TEXTS, label, table_of, table_schema, written
from cm_engine.errors import TableTooLargeError, TooManyStatesError
from cm_engine.rules import initial_state, step
from cm_engine.rules.reasons import CODES
from tests.oracle import Schedule
from tests.programs import program_of, schedules

ROOT = Path(__file__).resolve().parents[1]
OFFLINE = ROOT / "examples" / "offline"
PROGRAMS = catalogue.program_ids()
TIMELINES = 60
LENGTHS = (10, 20, 50)

Step = list[Any]
"""The group, what is seen, and what `step` awards for it, and why."""


@cache
def explored(program: str) -> Explored:
    return explore(catalogue.program(program))


@cache
def table_for(program: str) -> dict[str, Any]:
    return table_of(explored(program))


def timelines(found: Explored, chance: random.Random, number: int) -> Iterator[list[Step]]:
    for _ in range(number):
        yield list(
            timeline(
                found, chance, chance.choice((0.5, 0.8, 0.95, 1.0)), chance.randint(1, chance.choice(LENGTHS))
            )
        )


def timeline(found: Explored, chance: random.Random, rate: float, length: int) -> Iterator[Step]:
    """Decide random results by `step`, in the order of the plan."""
    state = initial_state(found.rules, found.start)
    for group, number, place in in_order(found)[:length]:
        automaton = found.automata[number]
        slot, stays = automaton.slots[place], True
        while stays:
            action = drawn(automaton.table(place).actions, chance, rate)
            name = "" if slot.event else found.rules.targets[slot.target].name
            observation = action.observation(name, slot.event)
            if observation is None:
                yield [group, label(action), {}, [], False]
                break
            state, decision = step(found.rules, state, observation, foretell=False)
            awards = Counter[str]()
            for award in decision.paid:
                awards[award.unit.name] += award.amount
            stays = not slot.event and state.tracks[slot.target].visits == slot.visit
            codes = sorted(each.code for each in decision.reasons if each.code != "paid out")
            yield [group, label(action), {unit: sum_ for unit, sum_ in awards.items() if sum_}, codes, stays]


def in_order(found: Explored) -> list[tuple[int, int, int]]:
    """Return the slots of all groups in the order of the plan: the group, the automaton, and the place in it."""
    slots = [
        (found.automata[cluster.automata[number]].slots[place], group, cluster.automata[number], place)
        for group, cluster in enumerate(found.clusters)
        for number, place in cluster.order
    ]
    return [(group, number, place) for _, group, number, place in sorted(slots)]


def drawn(actions: tuple[Action, ...], chance: random.Random, rate: float) -> Action:
    met = [action for action in actions if action.symbol in "-!"]
    others = [action for action in actions if action.symbol not in "-!"]
    if actions[0].symbol in (NOT_HAPPENED, "!"):
        return chance.choice(actions)
    return chance.choice(met if chance.random() < rate or not others else others)


RUN = """
import { begin, step } from "./next-reward.mjs";
import { readFileSync } from "node:fs";
let decided = 0;
const sorted = (of) => JSON.stringify(Object.entries(of).sort());
for (const { program, table, timelines } of JSON.parse(readFileSync(0, "utf8"))) {
  for (const timeline of timelines) {
    let state = begin(table), seen = "";
    for (const [group, result, awards, reasons, stays] of timeline) {
      const got = step(table, state, result, group);
      seen += ` ${group}${result}`;
      const is = `${sorted(got.awards)} ${got.reasons.toSorted()} ${got.stays}`;
      const should = `${sorted(awards)} ${reasons} ${stays}`;
      if (is !== should) { console.log(`${program}:${seen}: step says ${should}, the table ${is}`); process.exit(0); }
      state = got.state;
      decided += 1;
    }
  }
}
console.log(`${decided} alike`);
"""


def in_node(script: str, given: object) -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    command = [node, "--input-type=module", "-e", script]
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=False, cwd=OFFLINE
    )
    assert done.stderr == ""
    return done.stdout.strip()


def compared(found: Explored, seed: int, number: int = TIMELINES) -> dict[str, Any]:
    chance = random.Random(seed)  # noqa: S311 - the same timelines in every run
    program = found.program.program
    return {
        "program": program,
        "table": table_for(program)
        if program in PROGRAMS and explored(program) is found
        else table_of(found),
        "timelines": list(timelines(found, chance, number)),
    }


def test_plain_javascript_awards_what_step_awards_on_thousands_of_timelines_of_the_catalogue() -> None:
    given = [compared(explored(program), seed) for seed, program in enumerate(PROGRAMS)]
    assert sum(len(each["timelines"]) for each in given) > 2000
    decided = sum(len(line) for each in given for line in each["timelines"])
    assert in_node(RUN, given) == f"{decided} alike"


@pytest.mark.parametrize(
    ("program", "start"),
    [
        ("california-recovery-incentives", date(2026, 9, 14)),
        ("template-medication-adherence", date(2026, 11, 26)),
    ],
)
def test_a_table_of_one_start_counts_the_windows_of_its_dates(program: str, start: date) -> None:
    found = explore(catalogue.program(program), start=start)
    assert table_of(found)["start"] == start.isoformat()
    assert in_node(RUN, [compared(found, 5, 20)]).endswith(" alike")


def a_program(**more: Any) -> Program:
    document = {"program": "a-test", "version": "1", "title": "A test", "currency": "USD", **more}
    return parse_program(json.dumps(document))


LADDER = {"weeks": "1-3", "escalate": {"start": "10.00", "step": "2.00"}, "reset": {"on": ["positive"]}}
LIMITS = {
    "each week": [{"amount": "25.00", "per": "week", "crossing": "truncate"}],
    "each day": [{"amount": "12.00", "per": "day", "crossing": "withhold"}],
    "rolling days": [{"amount": "30.00", "per": "rolling days", "days": 9, "crossing": "truncate"}],
    "each month": [{"amount": "45.00", "per": "month", "crossing": "truncate"}],
    "all until it stops": [{"amount": "70.00", "per": "episode", "crossing": "stop"}],
    "several": [
        {"amount": "15.00", "per": "reward", "crossing": "truncate"},
        {"amount": "40.00", "per": "week", "crossing": "truncate"},
        {"amount": "90.00", "per": "episode", "crossing": "truncate"},
    ],
}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_limits_of_every_kind_bind_in_the_table_as_they_do_in_step(limits: list[dict[str, Any]]) -> None:
    use = {"behavior": "abstinence", "retest": {"on": ["invalid"]}, "schedule": [LADDER]}
    visit = {"behavior": "attendance", "schedule": [{"weeks": "1-3", "fixed": "5.00"}]}
    program = a_program(
        visits=[{"weeks": "1-3", "per_week": 2}],
        targets={"use": use, "visit": visit},
        milestones={
            "three": {
                "says": "Three",
                "when": {"run": 3, "targets": ["use"]},
                "amount": "9.00",
                "repeats": True,
            }
        },
        limits=limits,
    )
    assert in_node(RUN, [compared(explore(program, start=date(2026, 1, 21)), 7, 30)]).endswith(" alike")


@settings(max_examples=8, deadline=None)
@given(schedules())
def test_the_table_of_any_program_that_is_not_too_large_pays_what_step_pays(schedule: Schedule) -> None:
    try:
        found = explore(program_of(schedule), start=schedule["start"], most=20_000)
        given_ = [compared(found, 3, 20)]
    except (TooManyStatesError, TableTooLargeError):
        assume(False)  # noqa: FBT003 - Hypothesis asks it so
    assert in_node(RUN, given_).endswith(" alike")


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_table_is_as_its_schema_says_and_small(program: str) -> None:
    table = table_for(program)
    jsonschema.Draft202012Validator(table_schema()).validate(table)
    assert len(written(table).encode()) < 500_000


def test_the_schema_is_one_and_refuses_what_is_no_table() -> None:
    schema = table_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    table = table_for("va-prize")
    wrongs: list[dict[str, Any]] = [
        {"format": "cm-engine-table/1"},
        {"more": 1},
        {"pays": [[{"draw": "one"}]]},
        {"automata": []},
    ]
    for wrong in wrongs:
        assert not jsonschema.Draft202012Validator(schema).is_valid({**table, **wrong})


def test_every_reason_has_words_of_its_own() -> None:
    assert set(TEXTS) <= set(CODES)
    assert all(set(table_for(program)["texts"]) <= set(TEXTS) for program in PROGRAMS)


def test_a_table_tells_which_program_it_is_of_and_when_visits_are_planned() -> None:
    program = catalogue.program("california-recovery-incentives")
    table = table_for(program.program)
    [occasion] = table["occasions"]
    assert table["program"]["id"] == program.program
    assert table["program"]["digest"] == explored(program.program).rules.digest
    assert occasion["visits"][:3] == [[1, 1], [1, 4], [2, 8]]
    assert len(occasion["visits"]) == 36
    assert table["units"] == {"USD": {"decimals": 2}}


def test_a_table_that_would_be_too_large_is_refused_with_its_size() -> None:
    found = explored("template-counselling-attendance")
    size = len(written(table_of(found)).encode())
    with pytest.raises(
        TableTooLargeError, match=rf"at least {size:,} bytes, and at most {size - 1:,} are wanted"
    ):
        table_of(found, most_bytes=size - 1)
    assert table_of(found, most_bytes=size)
    with pytest.raises(TableTooLargeError):  # long before all of it is there
        table_of(found, most_bytes=1000)


def test_the_interpreter_is_under_sixty_lines_and_needs_nothing() -> None:
    text = (OFFLINE / "next-reward.js").read_text("utf-8")
    assert len(text.splitlines()) < 60
    assert not {"import", "require", "fetch", "Date", "Math"} & set(
        text.replace("(", " ").replace(".", " ").split()
    )


REFUSALS = """
import { begin, step } from "./next-reward.mjs";
import { readFileSync } from "node:fs";
const table = JSON.parse(readFileSync(0, "utf8"));
const said = (what) => { try { what(); return "nothing"; } catch (error) { return error.message; } };
let state = begin(table);
console.log(said(() => begin({ ...table, format: "other" })));
console.log(said(() => step(table, state, "x")));
console.log(said(() => step(table, state, "toString")));
for (const _ of table.groups[0].slots) state = step(table, state, "-").state;
console.log(said(() => step(table, state, "-")));
console.log(JSON.stringify(begin(table)) === JSON.stringify(begin(table)));
"""


def test_the_interpreter_refuses_what_it_does_not_know() -> None:
    said = in_node(REFUSALS, table_for("va-prize")).splitlines()
    assert said == [
        "expected a table of the format cm-engine-table/2, got other",
        'there is no result "x" here; expected one of: - + o e * r _',
        'there is no result "toString" here; expected one of: - + o e * r _',
        "every visit of group 0 is decided",
        "true",
    ]


COMMAND = Path(sys.executable).with_name("cm-engine")


def cm_engine(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(COMMAND), *words], capture_output=True, text=True, check=False)


def test_the_command_writes_the_table_or_says_why_not(tmp_path: Path) -> None:
    table, file = written(table_for("va-prize")), tmp_path / "table.json"
    done = cm_engine("compile", "va-prize", "-o", str(file))
    assert done.stdout.split() == f"{file} is written, {len(table.encode()):,} bytes".split()
    assert file.read_text("utf-8") == table
    refused = cm_engine("compile", "va-prize", "-o", str(tmp_path / "none" / "table.json"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "cannot be written" in refused.stderr


def test_the_table_that_the_page_begins_with_is_todays() -> None:
    text = (OFFLINE / "table.js").read_text("utf-8")
    assert text == f"globalThis.table={written(table_for('higgins-1994-voucher'))}"


PHONE = ViewportSize(width=360, height=740)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """The page on a phone, opened as a file; what goes wrong in it fails the test."""
    context = browser.new_context(viewport=PHONE, locale="en-US")
    opened, wrong = context.new_page(), list[str]()
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto((OFFLINE / "index.html").as_uri())
    yield opened
    context.close()
    assert wrong == []


def see(page: Page, *results: str) -> None:
    for result in results:
        page.get_by_role("button", name=result, exact=True).click()


def test_the_page_shows_the_next_reward_on_a_phone_from_a_file(page: Page) -> None:
    reward = page.locator(".reward strong")
    expect(reward).to_have_text("$2.50")
    see(page, "Negative test", "Negative test")
    expect(reward).to_have_text("$15.00")  # with the bonus for three in a row
    see(page, "Positive test")
    expect(page.get_by_role("status")).to_contain_text("No reward for: positive test.")
    expect(reward).to_have_text("$2.50")
    expect(page.locator("#sum")).to_have_text("$6.25")
    see(page, "Take the last one back")
    expect(reward).to_have_text("$15.00")
    assert page.locator("#list li").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_page_is_used_by_keyboard_and_read_by_a_screen_reader(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Negative test"
    page.keyboard.press("Enter")
    assert page.locator("#list li").count() == 2
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert Axe().run(page).response["violations"] == []


def test_the_page_opens_another_table_and_goes_to_the_end_of_its_plan(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(
        written(table_of(explore(catalogue.program("weaver-2014-vaccine"), start=date(2026, 1, 5)))), "utf-8"
    )
    page.set_input_files("#file", file)
    expect(page.locator("#next h2")).to_contain_text("Monday, January 5")
    while page.locator("#next button").count():
        page.locator("#next button").first.click()
    expect(page.locator("#next")).to_have_text("That was the last visit planned.")
    expect(page.locator("#sum")).to_have_text("£30.00")
    file.write_text("{}", "utf-8")
    page.set_input_files("#file", file)
    expect(page.get_by_role("status")).to_contain_text(
        "This table cannot be read: expected a table of the format"
    )


def test_the_page_works_from_a_static_server_too(browser: Browser) -> None:
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(OFFLINE))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        served = browser.new_page(viewport=PHONE)
        served.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        expect(served.locator(".reward strong")).to_have_text("$2.50")
        served.close()
        server.shutdown()
