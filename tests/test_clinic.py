"""The clinic application as its staff use it: every page, every role, and what is refused."""

import doctest
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from examples.clinic import acts, facts, saying, spanish, terms, view, words
from examples.clinic.__main__ import prize_secret
from examples.clinic.app import create_app
from examples.clinic.clinic import Clinic
from examples.clinic.demo import COHORT, seed
from examples.clinic.rendering import FOLDER
from examples.clinic.settings import Settings
from examples.clinic.spanish_words import SPANISH
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from cm_engine import Engine, StorageBusyError

MONDAY = datetime(2026, 1, 5, 17, 30, tzinfo=UTC)  # half past nine in Los Angeles
PROGRAM = "california-recovery-incentives"
OWN = "clinic-recovery-incentives"


class Desk:
    """The application and a browser without scripts: it opens pages, and sends the forms on them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.now = MONDAY
        self.folder = folder
        self.app = create_app(
            Settings(
                url=f"sqlite:///{folder / 'clinic.db'}",
                prize_secret=bytes(32),
                clock=lambda: self.now,
                **settings,
            )
        )
        self.client = TestClient(self.app, raise_server_exceptions=True)

    @property
    def clinic(self) -> Clinic:
        clinic: Clinic = self.app.state.clinic
        return clinic

    @property
    def engine(self) -> Engine:
        return self.clinic.engine

    def sign_in(self, who: str) -> Response:
        return self.send(self.client.get("/sign-in"), "/sign-in", staff=who)

    def send(self, page: Response, to: str, **typed: str) -> Response:
        return self.client.post(to, data={**hidden(page.text, to), **typed})

    def enroll(self, label: str = "Blue Heron", program: str = PROGRAM) -> str:
        page = self.client.get("/enroll")
        done = self.send(page, "/enroll", label=label, program=f"{program}@1", start="2026-01-05")
        assert done.status_code == 200, done.text
        return str(done.url).rpartition("/")[2]

    def enter(self, enrollment: str, result: str, **typed: str) -> Response:
        to = f"/enrollments/{enrollment}/enter"
        return self.send(self.client.get(to), to, result=result, **typed)

    def enter_twice(self, enrollment: str, result: str, **typed: str) -> Response:
        """The page that answers the second person, who enters what desk-2 has entered first."""
        self.sign_in("desk-2")
        self.enter(enrollment, result, **typed)
        self.sign_in("desk-1")
        return self.confirm(enrollment, result)

    def confirm(self, enrollment: str, result: str) -> Response:
        [first] = self.engine.waiting(enrollment=enrollment)
        to = f"/second/{enrollment}/{first.record}"
        return self.send(self.client.get(to), to, result=result)

    def later(self, days: int = 3) -> None:
        self.now += timedelta(days=days)

    def notes(self) -> list[str]:
        database = create_engine(f"sqlite:///{self.folder / 'clinic.db'}")
        with database.connect() as connection:
            found = [row[0] for row in connection.execute(text("SELECT text FROM chart_notes ORDER BY id"))]
        database.dispose()
        return found

    def records(self, enrollment: str) -> int:
        return len([act for act in self.engine.history(enrollment=enrollment) if act.kind == "observed"])


class Forms(HTMLParser):
    """The forms of a page, by where they are sent, each with what it holds as it is."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] = {}
        self._area = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self._fields = self.found.setdefault(given.get("action") or "", {})
        is_choice = given.get("type") == "radio" and "checked" not in given
        if tag == "input" and not is_choice:
            self._fields[name] = value
        self._area = name if tag == "textarea" else ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self._fields[self._area] = data


def hidden(page: str, to: str) -> dict[str, str]:
    """What a form on a page holds."""
    return Forms(page).found[to]


def said(page: Response) -> str:
    """What is read on a page, without its marks."""
    body = re.sub(r"<head>.*?</head>|<[^>]+>", " ", page.text, flags=re.DOTALL)
    return " ".join(body.replace("&#39;", "'").replace("&#34;", '"').split())


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, to be copied."""
    folder = tmp_path_factory.mktemp("empty")
    with Desk(folder).client:
        pass
    return folder / "clinic.db"


@pytest.fixture
def desk(tmp_path: Path, empty: Path) -> Iterator[Desk]:
    shutil.copy(empty, tmp_path)
    made = Desk(tmp_path)
    with made.client:
        made.sign_in("desk-1")
        yield made


def after(desk: Desk, results: str) -> Response:
    """The page that a new participant's last result is answered with."""
    enrollment = desk.enroll()
    for result in results:
        page = desk.enter(enrollment, result)
        desk.later()
    return page


# The front desk


def test_a_participant_is_found_by_a_part_of_the_label_and_by_the_opaque_id(desk: Desk) -> None:
    enrollment = desk.enroll("Blue Heron")
    desk.enroll("Quiet River")
    participant = desk.engine.enrollment(enrollment).participant
    for asked in ("heron", participant):
        shown = said(desk.client.get("/desk", params={"q": asked}))
        assert "Blue Heron" in shown
        assert "Quiet River" not in shown
    for asked in ("100%", "_", "\0"):
        assert "Nobody is found" in said(desk.client.get("/desk", params={"q": asked}))


def test_a_result_shows_what_to_hand_over_and_why_and_the_next_reward(desk: Desk) -> None:
    page = desk.enter(desk.enroll(), "-", note="well")
    assert page.status_code == 200
    shown = said(page)
    assert "Hand over now $10.00" in shown
    assert "Negative test: $10.00. Next negative: $10.00." in shown
    assert "Next negative $10.00" in shown
    assert desk.notes() == ["well"]


def test_a_lapse_hands_nothing_over_and_says_what_comes_back(desk: Desk) -> None:
    page = after(desk, "------+")
    shown = said(page)
    assert "Hand over now nothing" in shown
    assert "the reward starts again at $10.00" in shown
    assert "After two negative tests in a row the reward goes back up to $13.00" in shown


def test_a_double_submitted_form_is_recorded_once_and_says_so(desk: Desk) -> None:
    enrollment = desk.enroll()
    to = f"/enrollments/{enrollment}/enter"
    form = desk.client.get(to)
    first, again = (desk.send(form, to, result="-", collected_at="2026-01-05T09:30") for _ in range(2))
    assert "recorded once" not in said(first)
    assert "This was recorded before, and is recorded once." in said(again)
    assert "Hand over once, if it has not been handed over yet $10.00" in said(again)
    assert desk.records(enrollment) == 1
    assert len(desk.notes()) == 1


def test_the_same_form_with_another_result_is_refused_and_shows_both(desk: Desk) -> None:
    enrollment = desk.enroll()
    to = f"/enrollments/{enrollment}/enter"
    form = desk.client.get(to)
    desk.send(form, to, result="-", collected_at="2026-01-05T09:30")
    other = desk.send(form, to, result="+", collected_at="2026-01-05T09:30")
    assert other.status_code == 409
    assert "It was sent before with other content" in said(other)
    assert '"result":"-"' in said(other)
    assert '"result":"+"' in said(other)
    assert desk.records(enrollment) == 1


def test_what_another_clerk_recorded_meanwhile_is_shown_and_has_to_be_confirmed(desk: Desk) -> None:
    enrollment = desk.enroll()
    to = f"/enrollments/{enrollment}/enter"
    early = desk.client.get(to)
    desk.enter(enrollment, "-", collected_at="2026-01-05T08:00")
    asked = desk.send(early, to, result="+", collected_at="2026-01-05T09:00")
    assert asked.status_code == 409
    assert "Something came in between" in said(asked)
    assert "Negative test, $10.00" in said(asked)
    assert desk.records(enrollment) == 1
    confirmed = desk.send(asked, to)
    assert confirmed.status_code == 200
    assert "Positive test" in said(confirmed)
    assert desk.records(enrollment) == 2


def test_what_came_between_twice_is_asked_about_twice(desk: Desk) -> None:
    enrollment = desk.enroll()
    to = f"/enrollments/{enrollment}/enter"
    early = desk.client.get(to)
    desk.enter(enrollment, "-", collected_at="2026-01-05T07:00")
    asked = desk.send(early, to, result="-", collected_at="2026-01-05T09:00")
    desk.enter(enrollment, "-", collected_at="2026-01-05T08:00")
    assert desk.send(asked, to).status_code == 409
    assert desk.records(enrollment) == 2


def test_one_specimen_by_two_clerks_is_recorded_once(desk: Desk) -> None:
    enrollment = desk.enroll()
    to = f"/enrollments/{enrollment}/enter"
    early = desk.client.get(to)
    desk.enter(enrollment, "-", collected_at="2026-01-05T09:00")
    asked = desk.send(early, to, result="-", collected_at="2026-01-05T09:00")
    refused = desk.send(asked, to)
    assert refused.status_code == 422
    assert "Nothing was recorded yet" in said(refused)
    assert desk.records(enrollment) == 1


def test_every_problem_of_a_form_is_tied_to_its_field(desk: Desk) -> None:
    enrollment = desk.enroll()
    to = f"/enrollments/{enrollment}/enter"
    page = desk.send(desk.client.get(to), to, collected_at="noon", note="x" * 3000)
    assert page.status_code == 422
    assert 'href="#result"' in page.text
    assert 'aria-describedby="result-problem"' in page.text
    assert 'aria-describedby="collected_at-problem"' in page.text
    assert 'aria-describedby="note-hint note-problem"' in page.text
    assert desk.records(enrollment) == 0


def test_an_hour_that_the_clock_left_out_is_refused(desk: Desk) -> None:
    desk.now = datetime(2026, 3, 9, 20, tzinfo=UTC)
    page = desk.enter(desk.enroll(), "-", collected_at="2026-03-08T02:30")
    assert page.status_code == 422
    assert "there was no such time" in said(page)


def test_the_clinics_zone_decides_the_day(desk: Desk) -> None:
    desk.now = datetime(2026, 1, 9, 6, 30, tzinfo=UTC)  # still the 8th in Los Angeles
    enrollment = desk.enroll()
    assert "2026-01-08T22:30" in desk.client.get(f"/enrollments/{enrollment}/enter").text
    desk.enter(enrollment, "-")
    assert "1 Thu 8 Jan 2026 Negative test" in said(desk.client.get(f"/enrollments/{enrollment}"))
    desk.sign_in("super-1")
    assert "Thu 8 Jan 2026" in said(desk.client.get("/day"))


def test_what_the_engine_refuses_is_said_in_its_words_marked_as_english(desk: Desk) -> None:
    desk.sign_in("desk-2")
    page = desk.enter(desk.enroll(), "-", collected_at="2026-02-01T09:30")
    assert page.status_code == 422
    assert re.search(r'<span lang="en">collected_at is [^<]*cannot be recorded</span>', page.text)
    assert desk.notes() == []


def test_a_time_that_has_not_come_is_told_on_the_clinics_clock(desk: Desk) -> None:
    form = desk.enter(desk.enroll(), "-", collected_at="2026-02-01T09:30")
    assert 'aria-describedby="collected_at-problem"' in form.text
    page = said(form)
    assert "This time has not come yet." in page
    assert "collected_at is Sun 1 Feb 2026, 09:30, and now it is Mon 5 Jan 2026, 09:30" in page


def test_prizes_are_drawn_at_once_and_shown(desk: Desk) -> None:
    enrollment = desk.enroll(program="va-prize")
    pages = []
    for _ in range(8):
        pages.append(said(desk.enter(enrollment, "-")))
        desk.later()
    assert all("Drawn from the bowl" in page for page in pages)
    assert any(re.search(r"Hand over now \$\d", page) for page in pages)


def test_what_is_saved_for_later_is_not_handed_over(desk: Desk) -> None:
    enrollment = desk.enroll(program="template-integrated-care")
    page = said(desk.enter(enrollment, "-", target="stimulants"))
    assert "Saved for the participant; nothing to hand over now $6.00" in page
    assert "Hand over now" not in page


def test_an_excuse_that_the_program_accepts_holds_the_place(desk: Desk) -> None:
    enrollment = desk.enroll(program="template-integrated-care")
    page = said(desk.enter(enrollment, "e", target="stimulants", excuse="illness"))
    assert "Excused visit: no reward" in page
    assert "none of the excuses" not in page


def test_the_page_of_a_participant_has_the_picture_the_preview_the_balance_and_the_statement(
    desk: Desk,
) -> None:
    enrollment = desk.enroll()
    for result in "--+":
        desk.enter(enrollment, result)
        desk.later()
    page = desk.client.get(f"/enrollments/{enrollment}")
    assert (
        '<svg viewBox="0 0 360 150" role="img" aria-labelledby="p-stimulants-t p-stimulants-d">' in page.text
    )
    assert page.text.count('class="met"') == 2
    assert page.text.count('class="lapse"') == 1
    assert page.text.count('class="next"') == 1
    shown = said(page)
    assert "Visit 3: Positive test, nothing." in shown
    assert "Positive test nothing $10.00" in shown
    assert "Awarded in all $20.00" in shown
    assert desk.client.get(f"/enrollments/{enrollment}/statement.txt").text.startswith("Statement of p-")


def test_a_plan_that_has_ended_offers_no_form(desk: Desk) -> None:
    enrollment = desk.enroll()
    days = [7 * (visit // 2) + 3 * (visit % 2) for visit in range(24)] + [84 + 7 * week for week in range(12)]
    desk.later(200)
    for day in days:
        on = (MONDAY + timedelta(days=day)).date()
        desk.engine.record(enrollment=enrollment, result="-", on=on, source="lab", key=f"l-{day}", by="lab-1")
    assert "No further visit is planned." in said(desk.client.get(f"/enrollments/{enrollment}/enter"))
    assert "No further visit is planned." in said(desk.client.get(f"/enrollments/{enrollment}"))


def test_enrolling_needs_a_label_that_nobody_has_and_a_program(desk: Desk) -> None:
    desk.enroll("Blue Heron")
    page = desk.send(desk.client.get("/enroll"), "/enroll", label="Blue Heron", start="soon")
    assert page.status_code == 422
    shown = said(page)
    assert "Another participant has this label." in shown
    assert "Choose a program." in shown
    assert "Enter a day." in shown


def test_an_enrollment_that_is_sent_twice_is_one(desk: Desk) -> None:
    form = desk.client.get("/enroll")
    typed = {"label": "Blue Heron", "program": f"{PROGRAM}@1", "start": "2026-01-05"}
    pages = [desk.send(form, "/enroll", **typed) for _ in range(2)]
    assert pages[0].url == pages[1].url
    assert len(desk.engine.enrollments()) == 1


# Visits by date


def windowed(desk: Desk, label: str = "Red Maple") -> tuple[str, Response]:
    """Somebody who missed the first visit and came to the second, and the page that said so."""
    enrollment = desk.enroll(label, OWN)
    desk.later()
    return enrollment, desk.enter_twice(enrollment, "-")


def test_a_result_finds_its_visit_and_shows_which_were_missed(desk: Desk) -> None:
    enrollment, page = windowed(desk)
    shown = said(page)
    assert "Nobody came before This result shows that these visits are over." in shown
    assert "Visit 1, Mon 5 Jan 2026: Missed visit" in shown
    assert "Visit 2, Thu 8 Jan 2026" in shown
    assert "Hand over now $10.00" in shown
    chart = said(desk.client.get(f"/enrollments/{enrollment}"))
    assert "3 Mon 12 Jan 2026 Sun 11 Jan 2026 to Wed 14 Jan 2026 Planned" in chart
    assert "Visits that are over: 2" in chart
    assert "1 Mon 5 Jan 2026 Missed visit nothing" in chart


def test_a_result_that_fits_no_visit_says_so_and_is_asked_about(desk: Desk) -> None:
    enrollment = desk.enroll("Red Maple", OWN)
    page = said(desk.enter_twice(enrollment, "-", collected_at="2026-01-02T09:30"))
    assert "This result fits no visit. It is kept, and nothing is decided by it yet." in page
    assert "Tell a supervisor" in page
    desk.sign_in("super-1")
    day = desk.client.get("/day")
    assert "Red Maple Fri 2 Jan 2026 Negative test Correct or withdraw it" in said(day)
    to = f"/enrollments/{enrollment}/records/2/correct"
    assert to in day.text
    form = desk.client.get(to)
    assert "Visit 1, Mon 5 Jan 2026 to Wed 7 Jan 2026" in said(form)
    review = desk.send(form, to, result="-", on="2026-01-05", why="mistyped")
    assert "To hand over then $10.00" in said(review)
    pages = [said(desk.send(review, to, confirmed="yes")) for _ in range(2)]
    assert "The correction is recorded" in pages[0]
    assert "recorded once" in pages[1]
    assert desk.engine.questions() == []
    assert "Questions" not in said(desk.client.get("/day"))


def test_a_result_that_fits_no_visit_is_no_event_on_any_page(desk: Desk) -> None:
    enrollment = desk.enroll("Red Maple", OWN)
    desk.enter_twice(enrollment, "-", collected_at="2026-01-02T09:30")
    asked = "A result of Fri 2 Jan 2026 fits no visit: nothing is decided by it."
    chart = said(desk.client.get(f"/enrollments/{enrollment}"))
    assert f"{asked} Tell a supervisor" in chart
    assert "none Fri 2 Jan 2026 Negative test Fits no visit nothing" in chart
    assert "A supervisor corrects the day, or withdraws the result." in said(desk.client.get("/day"))
    desk.sign_in("super-1")
    page = desk.client.get(f"/enrollments/{enrollment}")
    assert f"{asked} If the day was mistyped, correct it" in said(page)
    to = f"/enrollments/{enrollment}/records/2/correct"
    form = desk.client.get(to)
    assert "It fits no visit. Change the day to that of its visit, or withdraw it." in said(form)
    review = said(desk.send(form, to, result="-", on="2026-01-05", why="mistyped"))
    assert "1 Fits no visit, nothing Negative test, $10.00" in review
    withdrawn = said(desk.send(form, to, result="void", why="of another participant"))
    desk.sign_in("audit-1")
    audit = said(desk.client.get(f"/audit/{enrollment}/2"))
    for shown in (chart, review, withdrawn, audit):
        assert "Event" not in shown


def test_another_result_of_a_visit_does_not_count_and_says_so(desk: Desk) -> None:
    enrollment, _ = windowed(desk)
    desk.later(1)
    page = said(desk.enter_twice(enrollment, "+"))
    assert "This result is kept, and does not count: its visit has another one." in page
    chart = desk.client.get(f"/enrollments/{enrollment}").text
    assert chart.count('class="lapse"') == 1


def test_the_day_says_who_is_expected_and_overdue_and_who_has_come(desk: Desk) -> None:
    desk.enroll("Blue Heron", OWN)
    windowed(desk)
    desk.sign_in("super-1")
    shown = said(desk.client.get("/day"))
    assert "Blue Heron 1 Mon 5 Jan 2026 Mon 5 Jan 2026 to Wed 7 Jan 2026 Overdue" in shown
    assert "Blue Heron 2 Thu 8 Jan 2026 Wed 7 Jan 2026 to Sat 10 Jan 2026 Open now" in shown
    assert "Red Maple 2 Thu 8 Jan 2026 Has come" in shown


def test_a_visit_whose_result_waits_is_neither_open_nor_overdue_on_the_day(desk: Desk) -> None:
    pending(desk)
    desk.later()
    shown = said(desk.client.get("/day"))
    assert "1 Mon 5 Jan 2026 Mon 5 Jan 2026 to Wed 7 Jan 2026 Waits for its second entry" in shown
    assert "2 Thu 8 Jan 2026 Wed 7 Jan 2026 to Sat 10 Jan 2026 Open now" in shown


def test_the_front_desk_sees_the_day_and_closes_nothing(desk: Desk) -> None:
    windowed(desk)
    page = desk.client.get("/day")
    assert 'href="/day"' in page.text
    assert "Red Maple 2 Thu 8 Jan 2026 Has come" in said(page)
    assert "Red Maple Thu 8 Jan 2026 $10.00 Handed over" in said(page)
    assert "/day/close" not in page.text
    assert desk.send(page, "/language", language="es").status_code == 200
    token = hidden(page.text, "/sign-out")
    assert desk.client.post("/day/close", data=token).status_code == 403


def test_days_are_closed_once_and_it_says_what_was_decided(desk: Desk) -> None:
    enrollment = desk.enroll("Blue Heron", OWN)
    desk.later(4)
    desk.sign_in("super-1")
    pages = [said(desk.send(desk.client.get("/day"), "/day/close")) for _ in range(2)]
    assert "Blue Heron , Visit 1, Mon 5 Jan 2026: Missed visit The next one then: $10.00" in pages[0]
    assert "There was nothing to decide." in pages[1]
    assert [act.by for act in desk.engine.history(enrollment=enrollment) if act.kind == "swept"] == [
        "super-1"
    ]


def test_an_absence_is_excused_and_takes_the_place_of_the_miss(desk: Desk) -> None:
    enrollment, _ = windowed(desk)
    form = desk.client.get(f"/enrollments/{enrollment}/plan?visit=1+stimulants")
    to = f"/enrollments/{enrollment}/plan/excuse"
    pages = [said(desk.send(form, to, visit="1 stimulants", why="illness")) for _ in range(2)]
    assert "Excused visit" in pages[0]
    assert "Next visits Visit 3: Mon 12 Jan 2026 Planned" in pages[0]
    assert "recorded once" in pages[1]
    assert desk.engine.visits(enrollment=enrollment)[0].decision.outcome == "e"  # type: ignore[union-attr]
    assert desk.notes()[-1] == "illness"


def test_a_visit_is_moved_but_not_past_another_one(desk: Desk) -> None:
    enrollment = desk.enroll("Red Maple", OWN)
    form = desk.client.get(f"/enrollments/{enrollment}/plan")
    to = f"/enrollments/{enrollment}/plan/move"
    typed = {"moved-visit": "2 stimulants", "moved-why": "court"}
    wrong = desk.send(form, to, **typed, **{"moved-to": "2026-01-19"})
    assert wrong.status_code == 422
    assert "Nothing was recorded yet" in said(wrong)
    assert 'value="court"' in wrong.text
    assert "Visit moved" in said(desk.send(wrong, to, **typed, **{"moved-to": "2026-01-09"}))
    assert desk.engine.visits(enrollment=enrollment)[1].on.day == 9


def test_what_a_form_of_the_plan_lacks_is_tied_to_its_field(desk: Desk) -> None:
    enrollment = desk.enroll("Red Maple", OWN)
    page = desk.send(
        desk.client.get(f"/enrollments/{enrollment}/plan"),
        f"/enrollments/{enrollment}/plan/move",
        **{"moved-to": "soon"},
    )
    assert page.status_code == 422
    for field in ("moved-visit", "moved-to", "moved-why"):
        assert f'href="#{field}"' in page.text
        assert f'id="{field}-problem"' in page.text


def test_a_supervisor_begins_and_ends_a_pause(desk: Desk) -> None:
    enrollment = desk.enroll("Red Maple", OWN)
    assert "/plan/pause" not in desk.client.get(f"/enrollments/{enrollment}/plan").text
    desk.sign_in("super-1")
    form = desk.client.get(f"/enrollments/{enrollment}/plan")
    to = f"/enrollments/{enrollment}/plan/pause"
    paused = desk.send(form, to, on="2026-01-08", **{"pause-why": "residential stay"})
    assert "Visit 2: Thu 8 Jan 2026 Paused" in said(paused)
    assert "There is a pause" in said(desk.client.get(f"/enrollments/{enrollment}"))
    form = desk.client.get(f"/enrollments/{enrollment}/plan")
    to = f"/enrollments/{enrollment}/plan/resume"
    assert "End of the pause" in said(desk.send(form, to, on="2026-01-12", **{"pause-why": "back"}))
    assert "There is a pause" not in said(desk.client.get(f"/enrollments/{enrollment}"))


def test_what_is_handed_over_is_recorded_once_and_leaves_the_list(desk: Desk) -> None:
    enrollment, page = windowed(desk)
    to = f"/enrollments/{enrollment}/hand-over/2"
    assert "Not handed over yet" in said(page)
    other = desk.client.get(f"/enrollments/{enrollment}")
    pages = [desk.send(page, to) for _ in range(2)]
    assert "Handed over $10.00 Everything has been handed over." in said(pages[0])
    assert "recorded once" in said(pages[1])
    late = desk.send(other, to)
    assert late.status_code == 409
    assert "it is not on the way any more" in said(late)
    assert "Balance Awarded in all $10.00 Handed over $10.00" in said(
        desk.client.get(f"/enrollments/{enrollment}")
    )
    desk.sign_in("super-1")
    shown = said(desk.client.get("/day"))
    assert "Handed over $10.00 Expected" in shown
    assert "Not handed over yet Everything has been handed over." in shown


def test_a_form_that_is_open_while_something_is_handed_over_is_taken_as_it_is(desk: Desk) -> None:
    enrollment, page = windowed(desk)
    desk.later()
    to = f"/enrollments/{enrollment}/enter"
    form = desk.client.get(to)
    desk.send(page, f"/enrollments/{enrollment}/hand-over/2")
    shown = said(desk.send(form, to, result="-"))
    assert "It waits for its second entry" in shown


def test_the_day_has_what_is_not_handed_over_yet(desk: Desk) -> None:
    enrollment, _ = windowed(desk)
    desk.sign_in("super-1")
    page = desk.client.get("/day")
    assert "Red Maple Thu 8 Jan 2026 $10.00 Handed over" in said(page)
    assert "Handed over" in said(desk.send(page, f"/enrollments/{enrollment}/hand-over/2"))
    assert desk.engine.payouts(enrollment=enrollment, on_the_way=True) == []


def corrected(desk: Desk, record: int, result: str) -> tuple[str, Response]:
    """Somebody with three negatives, one of which a supervisor has corrected, and the page that said so."""
    enrollment = desk.enroll()
    for each in "---":
        desk.enter(enrollment, each)
        desk.later()
    desk.sign_in("super-1")
    to = f"/enrollments/{enrollment}/records/{record}/correct"
    review = desk.send(desk.client.get(to), to, result=result, why="misread")
    return enrollment, desk.send(review, to, confirmed="yes")


def payouts(desk: Desk, enrollment: str) -> list[tuple[str, str]]:
    return [(str(each.amount), each.status) for each in desk.engine.payouts(enrollment=enrollment)]


def test_what_a_correction_left_not_owed_has_no_button_and_leaves_the_list(desk: Desk) -> None:
    enrollment, page = corrected(desk, 1, "void")
    assert (
        "Not owed any more A result was corrected. Do not hand this over: $10.00 of Mon 5 Jan 2026"
        in said(page)
    )
    chart = desk.client.get(f"/enrollments/{enrollment}")
    listed = chart.text.partition('class="ways"')[2].partition('class="notice wrong over"')[0]
    assert "/hand-over/2" in listed
    assert "/hand-over/1" not in listed
    day = desk.client.get("/day")
    assert f"/enrollments/{enrollment}/hand-over/1" not in day.text
    assert "Not owed any more: Blue Heron , $10.00 of Mon 5 Jan 2026" in said(day)
    for _ in range(2):
        done = desk.send(chart, f"/enrollments/{enrollment}/cancel")
        assert "Not owed any more" not in said(done)
    assert "Not owed any more" not in said(desk.client.get("/day"))
    balance = desk.engine.balance(enrollment=enrollment)["USD"]
    assert (str(balance.awarded), str(balance.in_flight), str(balance.owed)) == ("20.00", "20.00", "0.00")


def test_what_is_still_owed_of_a_payout_is_put_on_its_way_anew(desk: Desk) -> None:
    enrollment, page = corrected(desk, 1, "+")
    assert "$11.50 of Sun 11 Jan 2026; $10.00 of it is still owed" in said(page)
    desk.send(page, f"/enrollments/{enrollment}/cancel")
    assert payouts(desk, enrollment) == [
        ("10.00", "declined"),
        ("10.00", "in flight"),
        ("11.50", "declined"),
        ("10.00", "in flight"),
    ]
    assert desk.engine.verify().is_clean


def test_what_was_put_on_its_way_anew_is_looked_at_by_the_next_correction(desk: Desk) -> None:
    enrollment, page = corrected(desk, 1, "+")
    desk.send(page, f"/enrollments/{enrollment}/cancel")
    to = f"/enrollments/{enrollment}/records/3/correct"
    review = desk.send(desk.client.get(to), to, result="+", why="misread")
    page = desk.send(review, to, confirmed="yes")
    assert "Do not hand this over: $10.00 of Wed 14 Jan 2026 It was not given" in said(page)
    desk.send(page, f"/enrollments/{enrollment}/cancel")
    assert [status for _, status in payouts(desk, enrollment)] == [
        "declined",
        "in flight",
        "declined",
        "declined",
    ]
    assert str(desk.engine.balance(enrollment=enrollment)["USD"].in_flight) == "10.00"


def test_what_was_given_before_a_correction_stays_given(desk: Desk) -> None:
    enrollment, _ = corrected(desk, 3, "+")
    chart = desk.client.get(f"/enrollments/{enrollment}")
    assert "It was given before the correction" in said(chart)
    desk.send(chart, f"/enrollments/{enrollment}/hand-over/3")
    assert payouts(desk, enrollment)[2] == ("11.50", "issued")
    shown = said(desk.client.get(f"/enrollments/{enrollment}"))
    assert "Not owed any more" not in shown
    assert "Given too much; the program bears it $11.50" in shown


def test_what_was_given_too_much_takes_nothing_off_what_another_visit_pays(desk: Desk) -> None:
    enrollment = desk.enroll()
    for each in "---":
        page = desk.enter(enrollment, each)
        desk.later()
    desk.send(page, f"/enrollments/{enrollment}/hand-over/1")
    desk.sign_in("super-1")
    to = f"/enrollments/{enrollment}/records/1/correct"
    review = desk.send(desk.client.get(to), to, result="+", why="misread")
    assert "Not owed any more" not in said(desk.send(review, to, confirmed="yes"))


def test_a_correction_that_is_taken_back_leaves_everything_owed(desk: Desk) -> None:
    enrollment, _ = corrected(desk, 2, "+")
    to = f"/enrollments/{enrollment}/records/2/correct"
    review = desk.send(desk.client.get(to), to, result="-", why="right after all")
    assert "Not owed any more" not in said(desk.send(review, to, confirmed="yes"))
    page = desk.client.get(f"/enrollments/{enrollment}")
    assert page.text.count("/hand-over/") == 3


def test_who_handed_over_and_when_is_on_the_page_of_the_participant(desk: Desk) -> None:
    enrollment = desk.enroll()
    page = desk.enter(enrollment, "-")
    desk.send(page, f"/enrollments/{enrollment}/hand-over/1")
    told = "$10.00 of Mon 5 Jan 2026 Handed over Mon 5 Jan 2026, 09:30, by desk-1"
    assert f"Earlier payouts: 1 {told}" in said(desk.client.get(f"/enrollments/{enrollment}"))
    late = desk.send(page, f"/enrollments/{enrollment}/hand-over/1", key="another")
    assert late.status_code == 409
    assert told in said(late)


def test_a_payout_that_never_was_is_refused(desk: Desk) -> None:
    enrollment, page = windowed(desk)
    typed = hidden(page.text, f"/enrollments/{enrollment}/hand-over/2")
    refused = desk.client.post(f"/enrollments/{enrollment}/hand-over/7", data=typed)
    assert refused.status_code == 422
    assert "This cannot be done" in said(refused)


# Together, or not at all


def test_a_note_that_cannot_be_written_takes_the_reward_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrollment = desk.enroll()

    def broken(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patch:
        patch.setattr(acts, "write_note", broken)
        page = desk.enter(enrollment, "-")
    assert page.status_code == 503
    assert "Nothing is lost: send this form again" in said(page)
    assert desk.records(enrollment) == 0
    assert desk.notes() == []


def test_a_reward_that_cannot_be_recorded_leaves_no_note_and_the_form_can_be_sent_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrollment = desk.enroll()
    to = f"/enrollments/{enrollment}/enter"

    def busy(*_: object, **__: object) -> None:
        raise StorageBusyError("others hold the storage")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "enter", busy)
        page = desk.enter(enrollment, "-", note="well")
    assert page.status_code == 503
    assert desk.notes() == []
    assert "well" in page.text
    assert "$10.00" in said(desk.send(page, to, result="-", note="well"))
    assert desk.notes() == ["well"]


# Corrections


def lapsed(desk: Desk) -> str:
    enrollment = desk.enroll()
    for result in "--+-":
        desk.enter(enrollment, result)
        desk.later()
    desk.sign_in("super-1")
    return enrollment


def test_a_correction_shows_what_would_change_before_anything_does(desk: Desk) -> None:
    enrollment = lapsed(desk)
    to = f"/enrollments/{enrollment}/records/3/correct"
    review = desk.send(desk.client.get(to), to, result="-", why="misread")
    shown = said(review)
    assert "What would change" in shown
    assert "Positive test, nothing Negative test, $11.50 $11.50" in shown
    assert "To hand over then $13.00" in shown
    assert len(desk.engine.history(enrollment=enrollment)) == 5
    done = desk.send(review, to, confirmed="yes")
    assert "The correction is recorded" in said(done)
    assert "Hand over now $13.00" in said(done)
    assert desk.engine.history(enrollment=enrollment)[-1].kind == "amended"
    assert desk.notes()[-1] == "misread"


def test_a_correction_that_is_sent_twice_is_recorded_once(desk: Desk) -> None:
    enrollment = lapsed(desk)
    to = f"/enrollments/{enrollment}/records/3/correct"
    review = desk.send(desk.client.get(to), to, result="-", why="misread")
    first, again = (desk.send(review, to, confirmed="yes") for _ in range(2))
    assert "recorded once" in said(again)
    assert "Positive test, nothing Negative test, $11.50" in said(again)
    assert len(desk.engine.history(enrollment=enrollment)) == 6
    assert "recorded once" not in said(first)


def test_a_voided_entry_is_withdrawn_and_what_was_given_stays_given(desk: Desk) -> None:
    enrollment = lapsed(desk)
    to = f"/enrollments/{enrollment}/records/1/correct"
    review = desk.send(desk.client.get(to), to, result="void", why="of another participant")
    assert "withdrawn" in said(review)
    assert "What was given stays given. The program bears what was too much." in said(review)
    assert "\u2212 $10.00" in said(desk.send(review, to, confirmed="yes"))
    assert desk.engine.history(enrollment=enrollment)[-1].kind == "voided"
    assert desk.client.get(to).status_code == 404


def test_a_correction_needs_a_reason(desk: Desk) -> None:
    enrollment = lapsed(desk)
    to = f"/enrollments/{enrollment}/records/3/correct"
    page = desk.send(desk.client.get(to), to, result="-")
    assert page.status_code == 422
    assert "Say why: auditors read it." in said(page)
    assert 'aria-describedby="why-hint why-problem"' in page.text


def test_a_correction_that_was_overtaken_is_asked_about(desk: Desk) -> None:
    enrollment = lapsed(desk)
    to = f"/enrollments/{enrollment}/records/3/correct"
    review = desk.send(desk.client.get(to), to, result="-", why="misread")
    desk.enter(enrollment, "-")
    asked = desk.send(review, to, confirmed="yes")
    assert asked.status_code == 409
    assert "Nothing is corrected yet." in said(asked)
    assert desk.engine.history(enrollment=enrollment)[-1].kind == "observed"
    review = desk.send(asked, to, result="-", why="misread")
    assert "The correction is recorded" in said(desk.send(review, to, confirmed="yes"))


def test_a_correction_that_changes_nothing_says_so(desk: Desk) -> None:
    enrollment = lapsed(desk)
    to = f"/enrollments/{enrollment}/records/1/correct"
    review = desk.send(desk.client.get(to), to, result="-", why="to be sure")
    assert "No decision changes." in said(review)
    assert "no difference" in said(review)


# Second entries


def pending(desk: Desk, result: str = "-") -> tuple[str, str, Response]:
    """Somebody whose first result waits, where it is entered again, and the page that said so."""
    enrollment = desk.enroll("Red Maple", OWN)
    page = desk.enter(enrollment, result, collected_at="2026-01-05T08:30", note="well")
    [first] = desk.engine.waiting(enrollment=enrollment)
    return enrollment, f"/second/{enrollment}/{first.record}", page


def again(desk: Desk, to: str, result: str) -> Response:
    return desk.send(desk.client.get(to), to, result=result)


def test_a_first_entry_waits_and_hands_nothing_over(desk: Desk) -> None:
    enrollment, _, page = pending(desk)
    assert "It waits for its second entry" in said(page)
    assert "Hand over now nothing" in said(page)
    assert desk.records(enrollment) == 0
    assert desk.notes() == ["well"]
    for path in (f"/enrollments/{enrollment}", f"/enrollments/{enrollment}/enter"):
        assert "waits for its second entry" in said(desk.client.get(path))


def test_what_the_program_wants_of_one_person_is_decided_at_once(desk: Desk) -> None:
    enrollment = desk.enroll("Red Maple", OWN)
    assert "Missed visit" in said(desk.enter(enrollment, "o", collected_at="2026-01-05T08:30"))
    assert desk.engine.waiting() == []
    assert desk.records(enrollment) == 1


def test_a_first_entry_that_is_sent_twice_waits_once(desk: Desk) -> None:
    enrollment = desk.enroll("Red Maple", OWN)
    to = f"/enrollments/{enrollment}/enter"
    form = desk.client.get(to)
    pages = [desk.send(form, to, result="-", collected_at="2026-01-05T09:30") for _ in range(2)]
    assert "kept once" in said(pages[1])
    assert len(desk.engine.waiting()) == 1
    assert len(desk.notes()) == 1
    desk.sign_in("super-1")
    assert desk.client.get("/second").text.count('href="/second/') == 1


def test_what_the_engine_would_refuse_does_not_wait(desk: Desk) -> None:
    page = desk.enter(desk.enroll("Red Maple", OWN), "-", collected_at="2026-02-01T09:30")
    assert page.status_code == 422
    desk.sign_in("super-1")
    assert "Nothing waits." in said(desk.client.get("/second"))


@pytest.mark.parametrize("other", ["super-1", "desk-2"])
def test_another_person_who_enters_the_same_has_it_recorded(desk: Desk, other: str) -> None:
    enrollment, to, _ = pending(desk)
    desk.sign_in(other)
    page = desk.client.get(to)
    assert "checked" not in page.text
    done = desk.send(page, to, result="-")
    assert re.search(r"(Hand over now|Entregar ahora) \$10.00", said(done))
    act = desk.engine.history(enrollment=enrollment)[-1]
    assert (act.by, act.reported["entered"]["by"], desk.notes()) == (other, "desk-1", ["well", ""])
    again = desk.send(page, to, result="-")
    assert again.status_code == 409
    assert re.search("recorded once|una sola vez", said(again))


def test_a_second_entry_that_differs_is_shown_and_records_nothing(desk: Desk) -> None:
    enrollment, to, _ = pending(desk)
    desk.sign_in("super-1")
    page = again(desk, to, "+")
    assert page.status_code == 409
    assert "First, by desk-1 Negative test, Mon 5 Jan 2026, 08:30" in said(page)
    assert "Second, by super-1 Positive test" in said(page)
    assert desk.records(enrollment) == 0
    assert f'href="{to}"' in page.text
    assert "Hand over now $10.00" in said(again(desk, to, "-"))


def test_a_visit_that_is_entered_anew_at_another_time_shows_both_times(desk: Desk) -> None:
    enrollment, _, _ = pending(desk)
    desk.sign_in("super-1")
    page = desk.enter(enrollment, "-", collected_at="2026-01-05T09:15")
    assert page.status_code == 409
    assert "Negative test, Mon 5 Jan 2026, 08:30" in said(page)
    assert "Negative test, Mon 5 Jan 2026, 09:15" in said(page)
    assert desk.records(enrollment) == 0


def test_nobody_confirms_their_own_entry(desk: Desk) -> None:
    desk.sign_in("super-1")
    enrollment, to, _ = pending(desk)
    for path in ("/second", to):
        assert "You entered it: another person enters it too." in said(desk.client.get(path))
    assert "Compare" not in said(desk.client.get(to))
    page = desk.enter(enrollment, "-", collected_at="2026-01-05T08:30")
    assert page.status_code == 403
    assert "You entered the first result yourself." in said(page)
    assert "(people.second_entry: [met, positive, invalid, refused])" in said(page)
    assert desk.records(enrollment) == 0


def test_nobody_corrects_what_they_entered_themselves(desk: Desk) -> None:
    enrollment, to, _ = pending(desk)
    desk.sign_in("super-1")
    again(desk, to, "-")
    to = f"/enrollments/{enrollment}/records/2/correct"
    page = desk.send(desk.client.get(to), to, result="+", why="misread")
    assert page.status_code == 403
    assert "You entered this result yourself. Another person has to correct it." in said(page)
    desk.sign_in("super-2")
    review = desk.send(desk.client.get(to), to, result="+", why="misread")
    assert "La corrección está anotada" in said(desk.send(review, to, confirmed="yes"))


def test_a_wrong_first_entry_is_withdrawn_and_entered_anew(desk: Desk) -> None:
    enrollment, to, _ = pending(desk, "+")
    desk.sign_in("super-1")
    form = desk.client.get(to)
    assert "Say why: auditors read it." in said(desk.send(form, f"{to}/withdraw"))
    assert "Nothing waits." in said(desk.send(form, f"{to}/withdraw", why="wrong chart"))
    assert "entered anew" in said(desk.client.get(to))
    assert desk.notes()[-1] == "wrong chart"
    desk.sign_in("desk-1")
    desk.enter(enrollment, "-", collected_at="2026-01-05T09:30")
    desk.sign_in("super-1")
    assert "Hand over now $10.00" in said(desk.confirm(enrollment, "-"))


def test_a_front_desk_withdraws_nothing(desk: Desk) -> None:
    _, to, _ = pending(desk)
    desk.sign_in("desk-2")
    page = desk.client.get(to)
    assert f"{to}/withdraw" not in page.text
    typed = hidden(page.text, to)
    assert desk.client.post(f"{to}/withdraw", data={**typed, "why": "no"}).status_code == 403
    assert len(desk.engine.waiting()) == 1


def test_a_second_entry_is_asked_again_if_something_came_between(desk: Desk) -> None:
    enrollment, to, _ = pending(desk)
    desk.sign_in("super-1")
    page = desk.client.get(to)
    desk.engine.pause(
        enrollment=enrollment,
        on=MONDAY.date() + timedelta(7),
        why="stay",
        source="office",
        key="p-1",
        by="super-2",
    )
    asked = desk.send(page, to, result="-")
    assert asked.status_code == 409
    assert "Something came in between." in said(asked)
    assert "Hand over now $10.00" in said(desk.send(asked, to, result="-"))


def test_a_second_entry_and_its_note_commit_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    enrollment, to, _ = pending(desk)
    desk.sign_in("super-1")

    def broken(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patch:
        patch.setattr(acts, "write_note", broken)
        assert again(desk, to, "-").status_code == 503
    assert len(desk.engine.waiting(enrollment=enrollment)) == 1
    assert desk.records(enrollment) == 0


# Staff


def test_staff_are_the_engines_and_are_added_once(desk: Desk) -> None:
    assert [(each.id, each.roles) for each in desk.engine.all_staff()] == [
        ("audit-1", ("auditor",)),
        ("desk-1", ("front-desk",)),
        ("desk-2", ("front-desk",)),
        ("lab-1", ("system",)),
        ("super-1", ("supervisor",)),
        ("super-2", ("supervisor",)),
    ]
    assert "lab-1" not in desk.client.get("/sign-in").text
    assert "Signing in is the job of the application around it" in said(desk.client.get("/sign-in"))


def test_who_left_is_signed_out_and_signs_in_no_more(desk: Desk) -> None:
    enrollment = desk.enroll()
    desk.engine.staff_left(staff="desk-1", why="another job", source="hr", key="n-1", by="super-1")
    assert str(desk.client.get(f"/enrollments/{enrollment}").url).endswith("/sign-in")
    assert desk.sign_in("desk-1").status_code == 422


def test_who_is_not_trained_is_told_so_until_the_training_is_renewed(desk: Desk) -> None:
    enrollment = desk.enroll("Red Maple", OWN)
    desk.now = datetime(2027, 2, 1, 20, tzinfo=UTC)
    page = desk.enter(enrollment, "-", collected_at="2026-01-05T08:30")
    assert page.status_code == 403
    assert "Your training is too long ago" in said(page)
    day = desk.now.date()
    desk.engine.change_staff(staff="desk-1", trained_on=day, source="training", key="t-1", by="super-1")
    assert "It waits for its second entry" in said(
        desk.enter(enrollment, "-", collected_at="2026-01-05T08:30")
    )


# The day, and the audit


def test_the_day_has_who_was_recorded_what_was_handed_over_and_who_was_not_seen(desk: Desk) -> None:
    seen, prizes = desk.enroll("Blue Heron"), desk.enroll("Early Snow", "va-prize")
    desk.enroll("Quiet River")
    desk.enter(prizes, "-")
    desk.later(2)
    desk.enter(seen, "-")
    desk.sign_in("super-1")
    shown = said(desk.client.get("/day"))
    recorded, _, unseen = shown.partition("Not seen on this day")
    assert "Blue Heron" in recorded
    assert "To hand over, in all $10.00" in recorded
    assert "Quiet River no entry yet 2" in unseen
    assert "Early Snow Mon 5 Jan 2026 2" in unseen
    before = said(desk.client.get("/day", params={"day": "2026-01-05"}))
    assert "Early Snow" in before.partition("Not seen on this day")[0]


def test_a_day_that_is_none_or_has_not_come_is_today(desk: Desk) -> None:
    desk.sign_in("super-1")
    for day in ("soon", "2027-01-01", "0001-01-01"):
        assert "Mon 5 Jan 2026" in said(desk.client.get("/day", params={"day": day}))


def test_an_auditor_sees_everything_that_led_to_a_reward(desk: Desk) -> None:
    enrollment = lapsed(desk)
    to = f"/enrollments/{enrollment}/records/3/correct"
    desk.send(desk.send(desk.client.get(to), to, result="-", why="misread"), to, confirmed="yes")
    desk.sign_in("audit-1")
    shown = said(desk.client.get(f"/audit/{enrollment}/3"))
    found = desk.engine.history(enrollment=enrollment)
    assert "The log is as it should be." in shown
    assert "result: +" in shown
    assert f"{PROGRAM}@1" in shown
    assert desk.engine.enrollment(enrollment).program in shown
    assert "replaced or withdrawn" in shown
    assert "earned; unit: USD; run: 3; amount: 11.50" in shown
    assert "reset; unit: USD; outcome: +; restart: 10.00" in shown
    assert "misread" in shown
    assert found[3].decisions[0].hash in shown
    assert "super-1" in shown
    assert found[-1].hash in said(desk.client.get(f"/audit/{enrollment}"))


def test_an_auditor_sees_both_entries(desk: Desk) -> None:
    enrollment, to, _ = pending(desk)
    desk.sign_in("super-1")
    again(desk, to, "-")
    desk.sign_in("audit-1")
    shown = said(desk.client.get(f"/audit/{enrollment}/2"))
    assert "Entered first Act 1 , Mon 5 Jan 2026, 09:30, by desk-1" in shown
    assert "Mon 5 Jan 2026, 09:30, by super-1" in shown
    assert "well" in shown
    assert "2 Mon 5 Jan 2026, 09:30 Entry: Negative test $10.00 desk-1, super-1" in said(
        desk.client.get(f"/audit/{enrollment}")
    )


def test_a_changed_byte_shows_in_the_audit(desk: Desk) -> None:
    enrollment = lapsed(desk)
    database = create_engine(f"sqlite:///{desk.folder / 'clinic.db'}")
    with database.begin() as connection:
        for (name,) in connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).all():
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        connection.execute(text("UPDATE cm_decisions SET said = 'Negative test: $99.00.' WHERE number = 1"))
    database.dispose()
    desk.sign_in("audit-1")
    for path in (f"/audit/{enrollment}", "/audit?verify=all"):
        assert "The log is not as it should be." in said(desk.client.get(path))


# Who may do what

PAGES: dict[str, Callable[[str], str]] = {
    "desk": lambda _: "/desk",
    "chart": lambda e: f"/enrollments/{e}",
    "enroll": lambda _: "/enroll",
    "enter": lambda e: f"/enrollments/{e}/enter",
    "plan": lambda e: f"/enrollments/{e}/plan",
    "correct": lambda e: f"/enrollments/{e}/records/1/correct",
    "second": lambda _: "/second",
    "day": lambda _: "/day",
    "audit": lambda _: "/audit",
    "log": lambda e: f"/audit/{e}",
    "reward": lambda e: f"/audit/{e}/1",
}
MAY = {
    "desk-1": {"desk", "chart", "enroll", "enter", "plan", "second", "day"},
    "super-1": {"desk", "chart", "enroll", "enter", "plan", "correct", "second", "day"},
    "audit-1": {"desk", "chart", "audit", "log", "reward"},
}


@pytest.mark.parametrize("who", MAY)
def test_each_role_sees_its_pages_and_is_refused_the_others_clearly(desk: Desk, who: str) -> None:
    enrollment = desk.enroll()
    desk.enter(enrollment, "-")
    desk.sign_in(who)
    for name, path in PAGES.items():
        page = desk.client.get(path(enrollment))
        if name in MAY[who]:
            assert page.status_code == 200, name
        else:
            assert page.status_code == 403, name
            assert "You may not do this" in said(page)
            assert "This is done by:" in said(page)


def test_a_form_of_another_role_is_refused_and_changes_nothing(desk: Desk) -> None:
    enrollment = desk.enroll()
    form = desk.client.get(f"/enrollments/{enrollment}/enter")
    desk.enter(enrollment, "-")
    to = f"/enrollments/{enrollment}/records/1/correct"
    typed = hidden(form.text, f"/enrollments/{enrollment}/enter")
    refused = desk.client.post(to, data={**typed, "result": "+", "why": "no", "confirmed": "yes"})
    assert refused.status_code == 403
    desk.sign_in("audit-1")
    page = desk.client.get("/desk")
    token = hidden(page.text, "/language")
    sent = desk.client.post(f"/enrollments/{enrollment}/enter", data={**token, "result": "+"})
    assert sent.status_code == 403
    assert len(desk.engine.history(enrollment=enrollment)) == 2


def test_nobody_is_let_in_without_signing_in(desk: Desk) -> None:
    enrollment = desk.enroll()
    desk.send(desk.client.get("/desk"), "/sign-out")
    for path in PAGES.values():
        assert str(desk.client.get(path(enrollment)).url).endswith("/sign-in")


@pytest.mark.parametrize("token", ["", "wrong", "é"])
def test_a_form_without_its_token_is_refused(desk: Desk, token: str) -> None:
    enrollment = desk.enroll()
    page = desk.client.post(
        f"/enrollments/{enrollment}/enter",
        data={"csrf": token, "result": "-", "key": "k", "target": "stimulants"},
    )
    assert page.status_code == 403
    assert "This form is too old, or not one of ours." in said(page)
    assert desk.records(enrollment) == 0


def test_a_cookie_that_somebody_changed_signs_nobody_in(desk: Desk) -> None:
    desk.client.cookies.clear()
    desk.client.cookies.set("clinic", "eyJzdGFmZiI6ICJzdXBlci0xIn0=.forged")
    assert str(desk.client.get("/day").url).endswith("/sign-in")


def test_choosing_nobody_or_a_stranger_is_refused(desk: Desk) -> None:
    for who in ("", "stranger"):
        page = desk.sign_in(who)
        assert page.status_code == 422
        assert "Choose who you are." in said(page)


def test_pages_run_nothing_and_fetch_nothing_from_elsewhere(desk: Desk) -> None:
    enrollment = desk.enroll()
    for path in ("/desk", "/docs", f"/enrollments/{enrollment}", f"/enrollments/{enrollment}/enter"):
        page = desk.client.get(path)
        assert "<script" not in page.text
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page.text)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"


def test_what_is_typed_is_shown_as_it_is_and_runs_nowhere(desk: Desk) -> None:
    enrollment = desk.enroll("<script>alert(1)</script>")
    page = desk.client.get(f"/enrollments/{enrollment}")
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/enrollments/e-none",
        "/enrollments/e-none/enter",
        "/enrollments/%00",
        "/second/e-none/77",
        "/second/e-none/x",
        "/second/x",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(desk: Desk, path: str) -> None:
    desk.sign_in("super-1")
    page = desk.client.get(path)
    assert page.status_code == 404
    assert "<h1>" in page.text


def test_a_page_that_cannot_be_used_in_that_way_says_so(desk: Desk) -> None:
    page = desk.client.post("/desk")
    assert page.status_code == 405
    assert page.headers["allow"] == "GET"


def test_a_database_that_cannot_be_reached_is_a_page_that_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("unable to open database file"))

    monkeypatch.setattr(Clinic, "reading", broken)
    page = desk.client.get("/desk")
    assert page.status_code == 503
    assert "Nothing was lost." in said(page)


# Spanish


def test_staff_read_the_pages_in_their_language(desk: Desk) -> None:
    desk.sign_in("desk-2")
    enrollment = desk.enroll()
    page = desk.enter(enrollment, "-")
    assert '<html lang="es">' in page.text
    assert "Entregar ahora $10.00" in said(page)
    assert "Prueba negativa: $10.00. Próxima negativa: $10.00." in said(page)
    assert "Negative test" not in said(page)


def test_a_lapse_is_said_in_spanish_from_its_reasons(desk: Desk) -> None:
    desk.sign_in("desk-2")
    page = after(desk, "------+")
    assert (
        "Prueba positiva: esta vez no hay recompensa, y la recompensa empieza de nuevo en $10.00. "
        "Después de 2 pruebas negativas seguidas la recompensa vuelve a $13.00. Próxima negativa: $10.00."
    ) in said(page)


def test_what_has_no_spanish_words_is_the_engines_and_marked_as_english(desk: Desk) -> None:
    desk.sign_in("desk-2")
    enrollment = desk.enroll(program="template-integrated-care")
    desk.engine.record(
        enrollment=enrollment, event="intake", on=MONDAY.date(), source="lab", key="l-1", by="desk-1"
    )
    page = desk.client.get(f"/enrollments/{enrollment}")
    assert re.search(r'<span lang="en">[^<]*\$10.00', page.text)


def test_every_visitor_chooses_the_language(desk: Desk) -> None:
    page = desk.send(desk.client.get("/desk"), "/language", language="es")
    assert "Buscar a una persona" in said(page)
    desk.send(page, "/sign-out")
    assert "Who are you?" in said(desk.client.get("/sign-in"))
    spanish = desk.client.get("/sign-in", headers={"accept-language": "es-MX,es;q=0.9"})
    assert "¿Quién es usted?" in said(spanish)


def test_every_text_of_the_pages_has_its_spanish() -> None:
    templates = [path.read_text("utf-8") for path in (FOLDER / "templates").glob("*.html")]
    found = {text for page in templates for _, text in re.findall(r"_\(([\"'])(.*?)\1", page)}
    code = [path.read_text("utf-8") for path in (FOLDER / "pages").glob("*.py")]
    found |= {text for page in code for text in re.findall(r'(?:asked=|wrong\("\w*", )"(.*?)"', page)}
    assert len(found) > 150
    assert found - set(SPANISH) == set()


def test_no_spanish_is_left_over_or_loses_what_is_filled_in() -> None:
    everything = "".join(
        re.sub(r'"\s*"', "", path.read_text("utf-8"))
        for path in FOLDER.rglob("*.*")
        if path.suffix in {".py", ".html"} and path.name != "spanish_words.py"
    )
    assert {text for text in SPANISH if text not in everything} == set()
    for text_, translated in SPANISH.items():
        assert set(re.findall(r"{\w+}", text_)) == set(re.findall(r"{\w+}", translated))


# The demonstration


@pytest.mark.parametrize("module", [facts, saying, spanish, terms, view, words])
def test_the_examples_of_docstrings_run(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def test_the_demonstration_is_seeded_once_and_its_audit_is_clean(desk: Desk) -> None:
    seed(desk.clinic)
    seed(desk.clinic)
    assert len(desk.engine.enrollments()) == len(COHORT)
    assert desk.engine.verify().is_clean
    for each in desk.engine.enrollments():
        assert desk.client.get(f"/enrollments/{each.id}").status_code == 200


def test_the_secret_of_the_draws_is_made_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "prize-secret"
    made = prize_secret(file)
    assert len(made) == 32
    assert prize_secret(file) == made
    assert file.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("CLINIC_PRIZE_SECRET", "ab" * 32)
    assert prize_secret(file) == bytes.fromhex("ab" * 32)
