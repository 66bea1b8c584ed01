"""The clinic application in a real browser: by mouse, by keyboard, on a phone, and by two clerks at once."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from examples.clinic.app import create_app
from examples.clinic.clinic import Clinic
from examples.clinic.demo import seed
from examples.clinic.settings import Settings
from playwright.sync_api import Browser, Page, ViewportSize, expect

from cm_engine import Engine

PROGRAM = "california-recovery-incentives"
OWN = "clinic-recovery-incentives"
PHONE = ViewportSize(width=360, height=740)
DESKTOP = ViewportSize(width=1200, height=900)
NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)
STEPS_MAX = 40


class Served:
    """The application, served on a port of this machine, with a made-up cohort."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(
            url=f"sqlite:///{folder / 'clinic.db'}",
            prize_secret=bytes(32),
            clock=lambda: NOW,
        )
        clinic = Clinic.open(settings)
        seed(clinic)
        clinic.close()
        self.app = create_app(settings)
        config = uvicorn.Config(self.app, port=0, log_level="error", ws="none")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)

    def __enter__(self) -> Self:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join()

    @property
    def address(self) -> str:
        port: int = self.server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    @property
    def engine(self) -> Engine:
        engine: Engine = self.app.state.clinic.engine
        return engine


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The application as it is delivered."""
    with Served(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A page of somebody who has not signed in."""
    context = browser.new_context(viewport=DESKTOP, base_url=served.address, locale="en-US")
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def sign_in(page: Page, who: str) -> None:
    page.goto("/sign-in")
    page.check(f"input[value={who}]")
    page.click("main form button")
    page.wait_for_url(lambda address: not address.endswith("/sign-in"))


def enroll(served: Served, who: str) -> str:
    start = (NOW - timedelta(weeks=4)).date()
    return served.engine.enroll(participant=who, program=PROGRAM, start=start, by="desk-1").id


def enter(page: Page, enrollment: str, result: str, at: str) -> None:
    page.goto(f"/enrollments/{enrollment}/enter")
    page.check(f"input[name=result][value='{result}']")
    page.fill("#collected_at", at)
    page.click("text=Record")
    page.wait_for_selector(".decision")


def confirm(page: Page, enrollment: str, result: str) -> None:
    """Enter a result that waits, as another person."""
    page.goto("/second")
    page.click(f"main ul a[href*='{enrollment}']")
    page.check(f"input[value='{result}']")
    page.click("text=Compare")
    page.wait_for_selector(".decision, [role=alert]")


def hand_over(page: Page) -> str:
    return page.inner_text(".hand strong")


def records(served: Served, enrollment: str) -> list[str]:
    acts = served.engine.history(enrollment=enrollment)
    return [act.outcome for act in acts if act.kind == "observed"]


def test_rewards_rise_reset_and_come_back_and_a_correction_pays_the_difference(
    page: Page, served: Served
) -> None:
    enrollment = enroll(served, "p-rise")
    sign_in(page, "desk-1")
    given = []
    for day, result in enumerate("---+---", 2):
        enter(page, enrollment, result, f"2026-02-{day:02}T09:30")
        given.append(hand_over(page))
    assert given == ["$10.00", "$10.00", "$11.50", "nothing", "$10.00", "$10.00", "$11.50"]
    sign_in(page, "super-1")
    page.goto(f"/enrollments/{enrollment}")
    page.click("[aria-label='Correct visit 4']")
    page.check("input[value='-']")
    page.fill("#why", "misread at the bench")
    page.click("text=Show what would change")
    expect(page.locator("h1")).to_have_text("What would change")
    before = hand_over(page)
    page.click("text=Record the correction")
    expect(page.locator("h1")).to_have_text("The correction is recorded")
    assert before == hand_over(page)
    assert served.engine.balance(enrollment=enrollment)["USD"].awarded == sum(
        each.awards["USD"] for each in served.engine.history(enrollment=enrollment)[-1].decisions
    ) + sum(each.awards["USD"] for each in served.engine.history(enrollment=enrollment)[1:4])


def test_a_missed_visit_is_shown_and_the_reward_is_handed_over(page: Page, served: Served) -> None:
    start = (NOW - timedelta(weeks=4)).date()
    enrollment = served.engine.enroll(participant="p-window", program=OWN, start=start, by="desk-1").id
    sign_in(page, "desk-1")
    enter(page, enrollment, "-", "2026-02-05T09:30")
    assert hand_over(page) == "nothing"
    sign_in(page, "super-1")
    confirm(page, enrollment, "-")
    expect(page.locator(".decision .notice")).to_contain_text("Visit 1, Mon 2 Feb 2026: Missed visit")
    assert hand_over(page) == "$10.00"
    assert faults(page) == []
    page.click(".ways button")
    expect(page.locator("h1")).to_have_text("Handed over")
    assert faults(page) == []
    page.reload()
    expect(page.locator(".decision .notice")).to_contain_text("recorded once")
    assert [act.kind for act in served.engine.history(enrollment=enrollment)].count("handed over") == 1
    page.goto("/day")
    page.click("form.close button")
    expect(page.locator(".decision .acts")).to_contain_text("p-window")
    assert faults(page) == []


def test_a_page_that_is_loaded_again_records_nothing_anew(page: Page, served: Served) -> None:
    enrollment = enroll(served, "p-again")
    sign_in(page, "desk-1")
    enter(page, enrollment, "-", "2026-02-02T09:30")
    page.reload()
    expect(page.locator(".decision .notice")).to_contain_text("recorded once")
    expect(page.locator(".hand")).to_contain_text("Hand over once, if it has not been handed over yet")
    assert records(served, enrollment) == ["-"]


def test_two_clerks_at_the_same_moment_are_both_told_the_truth(browser: Browser, served: Served) -> None:
    enrollment = enroll(served, "p-two")
    contexts = [browser.new_context(base_url=served.address, locale="en-US") for _ in range(2)]
    pages = [context.new_page() for context in contexts]
    for who, (page, time_of_day) in enumerate(zip(pages, ("09:00", "10:00"), strict=True), 1):
        sign_in(page, f"desk-{who}")
        page.goto(f"/enrollments/{enrollment}/enter")
        page.check("input[value='-']")
        page.fill("#collected_at", f"2026-02-02T{time_of_day}")
    for page in pages:
        page.evaluate("setTimeout(() => document.querySelector('main form').requestSubmit())")
    for page in pages:
        page.wait_for_selector(".decision, [role=alert]")
    first, second = sorted(pages, key=lambda page: page.locator(".decision").count(), reverse=True)
    assert hand_over(first) == "$10.00"
    assert second.locator(".acts li").count() == 1
    assert second.locator(".decision").count() == 0
    assert records(served, enrollment) == ["-"]
    second.click("main form button")
    second.wait_for_selector(".decision")
    assert hand_over(second) == "$10.00"
    assert records(served, enrollment) == ["-", "-"]
    for context in contexts:
        context.close()


def focused(page: Page, selector: str) -> bool:
    return bool(page.evaluate("selector => document.activeElement.matches(selector)", selector))


def tab_to(page: Page, selector: str) -> None:
    """Go on with the key of tabulation until something has the focus, and the focus is seen."""
    for _ in range(STEPS_MAX):
        page.keyboard.press("Tab")
        if focused(page, selector):
            return
    pytest.fail(f"{selector} cannot be reached by keyboard")


def enter_key(page: Page) -> None:
    """Send the form, or follow the link, that has the focus."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_result_is_entered_by_keyboard_alone(page: Page, served: Served) -> None:
    enrollment = enroll(served, "p-keys")
    page.goto("/sign-in")
    page.keyboard.press("Tab")
    assert focused(page, ".skip")
    tab_to(page, "input[name=staff]")
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    enter_key(page)
    assert page.url.endswith("/audit")
    tab_to(page, ".who button")
    enter_key(page)
    tab_to(page, "input[name=staff]")
    page.keyboard.press("Space")
    enter_key(page)
    assert page.url.endswith("/desk")
    page.goto(f"/enrollments/{enrollment}")
    tab_to(page, "a[href$='/enter']")
    enter_key(page)
    tab_to(page, "input[name=result]")
    page.keyboard.press("Space")
    tab_to(page, "form button")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    enter_key(page)
    page.wait_for_selector(".decision")
    assert focused(page, "#decision")
    assert hand_over(page) == "$10.00"
    assert records(served, enrollment) == ["-"]


def test_what_is_wrong_has_the_focus_and_leads_to_its_field(page: Page, served: Served) -> None:
    enrollment = enroll(served, "p-wrong")
    sign_in(page, "desk-1")
    page.goto(f"/enrollments/{enrollment}/enter")
    page.click("text=Record")
    page.wait_for_selector("#problems")
    assert focused(page, "#problems")
    page.click("#problems a")
    assert focused(page, "#result")


def every_page(served: Served) -> list[tuple[str, str]]:
    """Every kind of page that is opened by its address, with who opens it."""
    labels = {each.participant: each.id for each in served.engine.enrollments()}
    money, prizes, several = labels["p-101"], labels["p-105"], labels["p-107"]
    waits, asked = labels["p-104"], labels["p-108"]
    [entry] = served.engine.waiting(enrollment=waits)
    return [
        ("desk-1", "/desk"),
        ("desk-1", "/enroll"),
        ("desk-1", f"/enrollments/{money}"),
        ("desk-1", f"/enrollments/{prizes}"),
        ("desk-1", f"/enrollments/{several}"),
        ("desk-1", f"/enrollments/{money}/plan"),
        ("desk-1", f"/enrollments/{money}/enter"),
        ("desk-1", f"/enrollments/{several}/enter"),
        ("desk-1", "/day"),
        ("desk-1", "/nowhere"),
        ("super-1", "/day"),
        ("super-1", "/second"),
        ("super-1", f"/second/{waits}/{entry.record}"),
        ("super-1", f"/enrollments/{waits}"),
        ("super-1", f"/enrollments/{asked}"),
        ("super-1", f"/enrollments/{money}/records/1/correct"),
        ("audit-1", "/audit?verify=all"),
        ("audit-1", f"/audit/{money}"),
        ("audit-1", f"/audit/{prizes}/3"),
        ("audit-1", "/docs"),
        ("audit-1", "/sign-in"),
    ]


def answers(page: Page, served: Served, who: str) -> Iterator[None]:
    """Open each kind of page that answers a form, one after the other."""
    enrollment = enroll(served, who)
    sign_in(page, "desk-1")
    page.goto(f"/enrollments/{enrollment}/enter")
    page.click("main form button")
    page.wait_for_selector("#problems")
    yield
    stale = page.context.new_page()
    stale.goto(f"/enrollments/{enrollment}/enter")
    stale.check("input[value='+']")
    page.goto(f"/enrollments/{enrollment}/enter")
    page.check("input[value='-']")
    page.fill("#collected_at", "2026-02-02T09:30")
    page.click("main form button")
    page.wait_for_selector(".decision")
    yield
    page.reload()
    yield
    stale.click("main form button")
    stale.wait_for_selector("[role=alert]")
    page.close()
    yield
    sign_in(stale, "super-1")
    stale.goto(f"/enrollments/{enrollment}/records/1/correct")
    stale.check("input[value='void']")
    stale.fill("#why", "entered for another participant")
    stale.click("main form button")
    stale.wait_for_selector(".tiles")
    yield


def open_page(context_page: Page) -> Page:
    """The page that is open now: the last one."""
    return context_page.context.pages[-1]


def faults(page: Page) -> list[str]:
    """What the accessibility rules find on a page, in its whole width and height."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{page.url}: {each['id']}: {each['nodes'][0]['html']}" for each in found]


def test_the_accessibility_rules_find_what_is_wrong(page: Page) -> None:
    page.goto("/sign-in")
    page.evaluate("document.querySelector('main').innerHTML = '<input><p>hardly to be seen</p>'")
    page.evaluate("document.querySelector('main').style.color = '#bbbbbb'")
    assert {fault.split(": ")[1] for fault in faults(page)} >= {"label", "color-contrast"}


def test_no_page_breaks_an_accessibility_rule_or_has_to_be_scrolled_sideways(
    page: Page, served: Served
) -> None:
    found, signed = [], ""
    for who, path in every_page(served):
        if who != signed:
            sign_in(page, who)
            signed = who
        page.goto(path)
        found += faults(page)
        page.set_viewport_size(PHONE)
        found += too_wide(page)
        page.set_viewport_size(DESKTOP)
    assert found == []


def test_no_answer_to_a_form_breaks_an_accessibility_rule_or_a_phone(
    browser: Browser, served: Served
) -> None:
    context = browser.new_context(viewport=PHONE, base_url=served.address, locale="es-MX")
    page = context.new_page()
    found = []
    for _ in answers(page, served, "p-answers"):
        found += [*faults(open_page(page)), *too_wide(open_page(page))]
    context.close()
    assert found == []


def too_wide(page: Page) -> list[str]:
    """What has to be scrolled sideways."""
    root = "document.documentElement"
    over = page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
    return [f"{page.url}: {over} too wide"] if over > 0 else []


def test_every_page_is_spanish_and_fits_a_phone(browser: Browser, served: Served) -> None:
    context = browser.new_context(viewport=PHONE, base_url=served.address, locale="es-US")
    page = context.new_page()
    found, signed = [], ""
    for who, path in every_page(served):
        if who != signed:
            sign_in(page, who)
            page.click("footer button[value=es]")
            signed = who
        page.goto(path)
        assert page.locator("html").get_attribute("lang") == "es"
        found += too_wide(page)
    context.close()
    assert found == []


def test_pages_ask_nothing_of_any_other_machine_and_run_no_script(page: Page, served: Served) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    sign_in(page, "audit-1")
    for _, path in every_page(served)[-5:-1]:
        page.goto(path)
    assert {address for address in asked if not address.startswith(served.address)} == set()
    assert [address for address in asked if ".js" in address] == []
    assert troubles == []


def test_a_second_entry_is_made_in_another_browser(browser: Browser, served: Served) -> None:
    start = (NOW - timedelta(weeks=4)).date()
    enrollment = served.engine.enroll(participant="p-second", program=OWN, start=start, by="desk-1").id
    first, second = (
        browser.new_context(base_url=served.address, locale="en-US").new_page() for _ in range(2)
    )
    sign_in(first, "desk-1")
    enter(first, enrollment, "-", "2026-02-02T09:30")
    assert hand_over(first) == "nothing"
    assert faults(first) == []
    sign_in(second, "super-1")
    confirm(second, enrollment, "+")
    expect(second.locator("h1")).to_have_text("The two entries differ")
    assert faults(second) == []
    second.click("text=Enter it again")
    second.check("input[value='-']")
    second.click("text=Compare")
    second.wait_for_selector(".decision")
    assert hand_over(second) == "$10.00"
    first.goto(f"/enrollments/{enrollment}/enter")
    expect(first.locator("main")).not_to_contain_text("waits for its second entry")
    for page in (first, second):
        page.context.close()


def test_what_a_correction_left_not_owed_has_no_button(page: Page, served: Served) -> None:
    enrollment = enroll(served, "p-over")
    sign_in(page, "desk-1")
    for day in (2, 3, 4):
        enter(page, enrollment, "-", f"2026-02-{day:02}T09:30")
    sign_in(page, "super-1")
    page.goto(f"/enrollments/{enrollment}")
    page.click("[aria-label='Correct visit 1']")
    page.check("input[value='+']")
    page.fill("#why", "misread")
    page.click("text=Show what would change")
    page.click("text=Record the correction")
    expect(page.locator(".over")).to_contain_text("Not owed any more")
    assert [*faults(page), *too_wide(page)] == []
    page.goto(f"/enrollments/{enrollment}")
    page.click(".over summary")
    page.set_viewport_size(PHONE)
    assert [*faults(page), *too_wide(page)] == []
    assert page.locator(".card > .ways button").count() == 1
    page.click(".over > form button")
    expect(page.locator(".over")).to_have_count(0)
    assert page.locator(".card > .ways strong").all_inner_texts() == ["$10.00", "$10.00"]
    assert [*faults(page), *too_wide(page)] == []
