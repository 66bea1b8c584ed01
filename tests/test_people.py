"""Who may do what: staff and their rights, training that lapses, and results and pay that take two people."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from cm_engine import (
    CmEngineError,
    Engine,
    EntryMismatchError,
    Evidence,
    JournalNotFoundError,
    KeyConflictError,
    NotAllowedError,
    PlanExceededError,
    RecordNotFoundError,
    Report,
    ReportError,
    ResultsError,
    canonical,
    catalogue,
    cli,
    digest,
    parse_program,
    parse_trial,
)
from cm_engine.journals import KINDS
from cm_engine.log.bank import ACTS as BANK_ACTS
from cm_engine.log.entering import ENTRIES, waiting_after
from cm_engine.log.episode import CHANGES
from cm_engine.log.history import AMENDED, ASSERTED, ENROLLED, MIGRATED, OBSERVED, SWEPT, VOIDED
from cm_engine.log.moves import EXPORTED, IMPORTED
from cm_engine.log.rows import RecordRow
from cm_engine.log.sited import SITED
from cm_engine.people.acts import ON_ENROLLMENT, ON_JOURNAL
from cm_engine.people.rights import OWN, RIGHTS, STAFF
from cm_engine.plain import opaque
from cm_engine.program.people import PeopleRules

ZONE = "America/Los_Angeles"
SECRET = bytes(range(32))
START = date(2026, 1, 5)
NOON = timedelta(hours=20)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC) + NOON
ROLES = tuple(RIGHTS)
TWO = "people: {second_entry: [results]}"


def program(rest: str, name: str = "p", version: str = "1", targets: str = "") -> Any:
    plan = "schedule: [{weeks: 1-8, fixed: 10.00}]"
    targets = targets or f"targets: {{stimulants: {{behavior: abstinence, {plan}}}}}"
    return parse_program(
        f'program: {name}\nversion: "{version}"\ntitle: P\ncurrency: USD\n'
        f"visits: [{{weeks: 1-8, per_week: 2}}]\n{targets}\n{rest}\n"
    )


@dataclass
class Clinic:
    """An engine whose clock is set by hand."""

    engine: Engine
    times: list[datetime] = field(default_factory=lambda: [MONDAY])
    keys: int = 0

    def on(self, day: date) -> None:
        self.times.append(datetime(day.year, day.month, day.day, tzinfo=UTC) + NOON)

    def key(self) -> str:
        self.keys += 1
        return f"k-{self.keys}"

    def said(self, by: str, **more: Any) -> dict[str, Any]:
        return {"source": "desk", "key": self.key(), "by": by, **more}

    def report(self, by: str, *, day: date = START, result: str = "-", **more: Any) -> dict[str, Any]:
        return self.said(by, enrollment="e-1", on=day, result=result, **more)


def clinic(url: str = "memory:", rest: str = "", *, people: str = "", **options: Any) -> Clinic:
    """Return a clinic with one participant; where people have to be known, lead-1 runs it."""
    times = [MONDAY]
    engine = Engine.open(url, zone=ZONE, secret=SECRET, people=people, clock=lambda: times[-1], **options)
    made = Clinic(engine, times)
    engine.add_program(program(rest))
    if people:
        engine.add_staff(staff="lead-1", roles=["supervisor"], trained_on=START, by="lead-1")
    engine.enroll(participant="p-1", program="p", start=START, by="lead-1", id="e-1")
    return made


def known(rest: str = "", **staff: str) -> Clinic:
    """Return a clinic where people have to be known, each with a role."""
    made = clinic(rest=rest, people="known")
    for name, role in staff.items():
        made.engine.add_staff(staff=name, roles=[role], trained_on=START, by="lead-1")
    return made


def rows_of(engine: Engine) -> dict[str, int]:
    with engine._storage.reading() as tx:  # noqa: SLF001 - how many rows there are
        return tx.counts()


def refused(engine: Engine, work: Callable[..., object], **given: Any) -> NotAllowedError:
    """Return how something is refused, by which nothing is written."""
    before = rows_of(engine)
    with pytest.raises(NotAllowedError) as caught:
        work(**given)
    assert rows_of(engine) == before
    return caught.value


# Staff


def at_two_sites() -> Clinic:
    """Return a clinic with an enrollment at each of two sites, and a clinician for each."""
    made = known()
    for site in ("north", "south"):
        made.engine.open_site(site, zone=ZONE, by="lead-1")
        made.engine.add_staff(staff=f"{site}-1", roles=["supervisor"], sites=[site], by="lead-1")
        made.engine.enroll(participant=f"p-{site}", program="p", start=START, by="lead-1", id=site, site=site)
    return made


def test_who_works_at_a_site_acts_on_the_enrollments_that_are_there_and_at_none() -> None:
    made = at_two_sites()
    assert made.engine.record(**{**made.report("north-1"), "enrollment": "north"}).record
    assert made.engine.record(**{**made.report("north-1"), "enrollment": "e-1"}).record
    assert made.engine.record(**{**made.report("lead-1"), "enrollment": "south"}).record
    error = refused(made.engine, made.engine.record, **{**made.report("south-1"), "enrollment": "north"})
    assert (error.by, error.act, error.rule) == ("south-1", "record", "people: known")
    assert "they work at south, and the enrollment is at north; ask somebody there" in str(error)
    wrong = made.said("south-1", participant="p-9", program="p", start=START, site="north")
    assert "they work at south" in str(refused(made.engine, made.engine.enroll, **wrong))


CONTACT: dict[str, Any] = {
    "consent": "c-1", "discloser": "North", "channels": ["sms"], "scopes": ["visits"], "signed_on": START,
}  # fmt: skip


def test_who_works_at_a_site_changes_no_other_site_and_opens_none() -> None:
    engine = at_two_sites().engine
    told: dict[str, Any] = {"source": "desk", "by": "north-1"}
    assert engine.close_days("north", first=START, last=START, why="snow", key="1", **told)
    for act in (
        partial(engine.close_days, "south", first=START, last=START, why="snow", key="2", **told),
        partial(engine.add_fund, "south", "grant", key="3", **told),
        partial(engine.add_gateway, "south", "cards", key="4", **told),
        partial(engine.open_site, "east", zone=ZONE, by="north-1"),
    ):
        error = refused(engine, act)
        assert (error.by, error.act) == ("north-1", "site")
        assert "they work at north, and this is at " in str(error)


def test_who_works_at_a_site_changes_the_contact_of_nobody_who_is_enrolled_elsewhere_only() -> None:
    engine = at_two_sites().engine
    told: dict[str, Any] = {"source": "desk", "by": "north-1"}
    for number, participant in enumerate(["p-north", "p-new"]):
        assert engine.consent(participant=participant, key=f"c-{number}", **told, **CONTACT)
    error = refused(engine, engine.consent, participant="p-south", key="c-9", **told, **CONTACT)
    assert "they work at north, and the participant is at south" in str(error)
    assert engine.opt_out(participant="p-south", key="o-1", **told), "a wish to be left alone counts anywhere"
    engine.transfer(enrollment="south", to="north", on=START, why="moved", key="t", **told | {"by": "lead-1"})
    assert engine.consent(participant="p-south", key="c-9", **told, **CONTACT)


def test_an_episode_that_is_over_leaves_the_contact_to_the_site_of_the_next() -> None:
    engine = at_two_sites().engine
    told: dict[str, Any] = {"source": "desk", "by": "lead-1"}
    engine.discharge(enrollment="north", on=START, why="moved away", key="d", **told)
    refused(engine, engine.consent, participant="p-north", key="c", source="desk", by="south-1", **CONTACT)
    engine.enroll(
        participant="p-north",
        program="p",
        start=START + timedelta(days=1),
        by="lead-1",
        id="again",
        site="south",
    )
    assert engine.consent(participant="p-north", key="c", source="desk", by="south-1", **CONTACT)


@pytest.mark.parametrize("sites", [[], ["south"], ["north", "south"]])
def test_nobody_widens_their_own_reach_or_that_of_a_colleague(sites: list[str]) -> None:
    engine = at_two_sites().engine
    added = engine.add_staff(staff="n-2", roles=["front-desk"], sites=["north"], by="north-1")
    assert added.sites == ("north",)
    error = refused(engine, engine.add_staff, staff="n-3", roles=["supervisor"], sites=sites, by="north-1")
    assert "ask somebody who works at all sites" in str(error)
    for staff in ("north-1", "n-2"):
        refused(engine, engine.change_staff, staff=staff, sites=sites, by="north-1", source="hr", key=staff)
    refused(engine, engine.staff_left, staff="south-1", why="x", by="north-1", source="hr", key="left")


def test_a_transfer_is_made_by_somebody_of_either_site_and_then_the_other_one_goes_on() -> None:
    made = at_two_sites()
    made.engine.transfer(
        enrollment="north", to="south", on=START, by="north-1", source="desk", key="t-1", why="moved"
    )
    assert made.engine.record(**{**made.report("south-1"), "enrollment": "north"}).record
    refused(made.engine, made.engine.record, **{**made.report("north-1"), "enrollment": "north"})


def test_staff_are_added_changed_and_leave_and_nothing_of_it_is_lost() -> None:
    engine = clinic().engine
    added = engine.add_staff(
        staff="s-1", roles=["front-desk", "cashier"], sites=["north"], active_from=START, by="lead-1"
    )
    assert (added.roles, added.sites, added.trained_on) == (("cashier", "front-desk"), ("north",), None)
    trained = engine.change_staff(staff="s-1", trained_on=START, by="lead-1", source="hr", key="1")
    assert (trained.roles, trained.trained_on) == (added.roles, START)
    left = engine.staff_left(staff="s-1", why="another job", by="lead-1", source="hr", key="2")
    assert left.has_left
    assert not left.is_active(START)
    assert trained.is_active(START)
    history = engine.staff_history("s-1")
    assert [(each.kind, each.by) for each in history] == [
        ("added", "lead-1"),
        ("changed", "lead-1"),
        ("left", "lead-1"),
    ]
    assert history[2].reported == {"why": "another job"}
    found = engine.verify()
    assert found.is_clean
    assert found.journals == 1


def test_who_left_is_taken_up_again_by_saying_from_when() -> None:
    engine = clinic().engine
    engine.add_staff(staff="s-1", roles=["cashier"], active_until=START, by="lead-1")
    engine.staff_left(staff="s-1", why="gone", by="lead-1", source="hr", key="1")
    for said in ({"trained_on": START}, {"roles": ["auditor"]}):
        with pytest.raises(ReportError, match="has left; to take them up again"):
            engine.change_staff(staff="s-1", by="lead-1", source="hr", key="2", **said)
    back = engine.change_staff(
        staff="s-1", active_from=date(2026, 3, 2), by="lead-1", source="hr", key="3", why="back"
    )
    assert (back.has_left, back.active_from, back.active_until) == (False, date(2026, 3, 2), None)
    engine.staff_left(staff="s-1", why="gone", by="lead-1", source="hr", key="4")
    with pytest.raises(ReportError, match="has left already"):
        engine.staff_left(staff="s-1", why="gone", by="lead-1", source="hr", key="5")


def test_an_act_on_staff_is_taken_once_for_its_source_and_key() -> None:
    engine = clinic().engine
    add: dict[str, Any] = {"staff": "s-1", "roles": ["cashier"], "by": "lead-1"}
    change: dict[str, Any] = {"staff": "s-1", "trained_on": START, "by": "lead-1", "source": "hr", "key": "1"}
    assert engine.add_staff(**add) == engine.add_staff(**add)
    assert engine.change_staff(**change) == engine.change_staff(**change)
    assert len(engine.staff_history("s-1")) == 2
    with pytest.raises(KeyConflictError, match="cashier"):
        engine.add_staff(**{**add, "roles": ["auditor"]})
    with pytest.raises(ReportError, match="there is a staff 's-1' already"):
        engine.add_staff(**{**add, "key": "again"})
    with pytest.raises(KeyConflictError):
        engine.change_staff(**{**change, "trained_on": date(2026, 2, 2)})


def test_staff_who_were_never_added_are_not_there() -> None:
    engine = clinic().engine
    for look in (engine.staff, engine.staff_history):
        with pytest.raises(JournalNotFoundError, match="no staff 's-9'"):
            look("s-9")
    with pytest.raises(JournalNotFoundError):
        engine.change_staff(staff="s-9", trained_on=START, by="lead-1", source="hr", key="1")
    assert engine.all_staff() == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"roles": []}, "expected several, as a list"),
        ({"roles": "cashier"}, "expected several, as a list"),
        ({"roles": ["cashir"]}, "there is no role 'cashir'; did you mean 'cashier'"),
        ({"sites": "north"}, "sites: expected several"),
        ({"trained_on": "2026-01-05"}, "trained_on: expected a date"),
        ({"active_from": date(2026, 2, 1), "active_until": START}, "active_until: expected 2026-02-01"),
        ({"staff": "cm-engine"}, "is the engine itself"),
        ({"staff": "Ann Lee"}, "has a blank in it"),
        ({"staff": "ann@clinic"}, "has an @ in it"),
        ({"source": "@staff/x"}, "kept for journals"),
    ],
)
def test_what_is_said_of_staff_is_looked_at_before_anything_is_written(
    said: Mapping[str, Any], words: str
) -> None:
    engine = clinic().engine
    with pytest.raises(ReportError, match=words):
        engine.add_staff(**{"staff": "s-1", "roles": ["cashier"], "by": "lead-1", **said})
    assert engine.all_staff() == []


def test_a_change_that_changes_nothing_is_refused() -> None:
    engine = clinic().engine
    engine.add_staff(staff="s-1", roles=["cashier"], by="lead-1")
    with pytest.raises(ReportError, match="say what is changed"):
        engine.change_staff(staff="s-1", why="no reason", by="lead-1", source="hr", key="1")


# The first person


def test_the_first_person_adds_themself_with_a_role_that_may_add_others() -> None:
    engine = Engine.open("memory:", zone=ZONE, people="known")
    for staff, roles, by in (
        ("s-2", ["supervisor"], "s-1"),
        ("s-1", ["front-desk"], "s-1"),
        ("s-1", ["system"], "s-1"),
    ):
        error = refused(engine, engine.add_staff, staff=staff, roles=roles, by=by)
        assert "there is no staff yet: the first person adds themself, with the role supervisor" in str(error)
    engine.add_staff(staff="s-1", roles=["supervisor"], by="s-1")
    error = refused(engine, lambda: engine.add_staff(staff="s-2", roles=["supervisor"], by="s-2"))
    assert "nobody of the staff has this id" in str(error)
    engine.add_staff(staff="s-2", roles=["supervisor"], by="s-1")
    assert [each.id for each in engine.all_staff()] == ["s-1", "s-2"]


def test_once_all_have_left_nobody_comes_as_the_first_again() -> None:
    engine = Engine.open("memory:", zone=ZONE, people="known")
    engine.add_staff(staff="s-1", roles=["supervisor"], by="s-1")
    engine.staff_left(staff="s-1", why="gone", by="s-1", source="hr", key="1")
    error = refused(engine, lambda: engine.add_staff(staff="s-2", roles=["supervisor"], by="s-2"))
    assert error.by == "s-2"


# Every role, and every act


@dataclass(frozen=True)
class Deed:
    """An act that the table is about: the right that it needs, what comes before it, and the act itself."""

    right: str
    act: Callable[[Clinic, str], object]
    before: Callable[[Clinic], object] = lambda _: None


WINDOWS = "windows: {within: day, before: 1, after: 1}\npayout: {when: on request}"


def deed_of(name: str, right: str, *before: str, **more: Any) -> Deed:
    """Return a deed that calls a method of the engine on the enrollment, after others did theirs."""

    def act(made: Clinic, by: str) -> object:
        return getattr(made.engine, name)(enrollment="e-1", **made.said(by), **more)

    return Deed(right, act, lambda made: [DEEDS[each].act(made, "lead-1") for each in before])


def recorded(made: Clinic, by: str, result: str = "-") -> object:
    return made.engine.record(**made.report(by, result=result))


def redeemed(made: Clinic, by: str) -> object:
    return made.engine.redeem(enrollment="e-1", **made.said(by))


def trial_of(made: Clinic, by: str) -> object:
    arms = "{one: {program: va-prize}, other: {program: california-recovery-incentives}}"
    found = parse_trial(f"{{trial: t, title: T, arms: {arms}, blocks: [4, 6]}}")
    return made.engine.open_trial(found, by=by)


WHY = {"on": START, "why": "a reason"}
DEEDS: dict[str, Deed] = {
    "enroll": Deed(
        "enroll", lambda made, by: made.engine.enroll(participant="p-2", program="p", start=START, by=by)
    ),
    "record": Deed("record", recorded),
    "record_many": Deed("record", lambda made, by: made.engine.record_many([Report(**made.report(by))])),
    "excuse": deed_of("excuse", "excuse", on=START, why="illness"),
    "enter": Deed("record", lambda made, by: made.engine.enter(**made.report(by))),
    "amend": deed_of("amend", "amend", "record", record=1, result="+", why="typo"),
    "void": deed_of("void", "void", "record", record=1, why="typo"),
    "assert": Deed(
        "assert",
        lambda made, by: made.engine.assert_awarded(
            enrollment="e-1",
            amount=made.engine.balance(enrollment="e-1")["USD"].awarded,
            on=START,
            **made.said(by),
        ),
        lambda made: recorded(made, "lead-1"),
    ),
    "sweep": Deed("sweep", lambda made, by: made.engine.sweep(by=by), lambda made: made.on(date(2026, 2, 2))),
    "pause": deed_of("pause", "pause", **WHY),
    "resume": deed_of("resume", "pause", "pause", **WHY),
    "reschedule": deed_of("reschedule", "reschedule", visit=1, to=date(2026, 1, 6), why="court"),
    "discharge": deed_of("discharge", "discharge", **WHY),
    "readmit": deed_of("readmit", "discharge", "discharge", on=date(2026, 1, 7), why="back"),
    "freeze": deed_of("freeze", "freeze", **WHY),
    "release": deed_of("release", "freeze", "freeze", **WHY),
    "migrate": Deed(
        "migrate",
        lambda made, by: made.engine.migrate(
            enrollment="e-1", program="p@2", on=date(2026, 1, 6), why="new rates", **made.said(by)
        ),
        lambda made: made.engine.add_program(program(f"{WINDOWS}\nsummary: the second", version="2")),
    ),
    "redeem": Deed("redeem", redeemed, lambda made: recorded(made, "lead-1")),
    "hand_over": Deed(
        "release",
        lambda made, by: made.engine.hand_over(enrollment="e-1", number=2, **made.said(by)),
        lambda made: (recorded(made, "lead-1"), redeemed(made, "till-1")),
    ),
    "decline": Deed(
        "release",
        lambda made, by: made.engine.decline(enrollment="e-1", number=2, why="no", **made.said(by)),
        lambda made: (recorded(made, "lead-1"), redeemed(made, "till-1")),
    ),
    "refund": Deed(
        "release",
        lambda made, by: made.engine.refund(enrollment="e-1", number=2, why="no", **made.said(by)),
        lambda made: (
            recorded(made, "lead-1"),
            redeemed(made, "till-1"),
            made.engine.hand_over(enrollment="e-1", number=2, **made.said("till-1")),
        ),
    ),
    "open_trial": Deed("trial", trial_of),
    "allocate": Deed(
        "allocate",
        lambda made, by: made.engine.allocate(trial="t", participant="p-3", start=START, **made.said(by)),
        lambda made: trial_of(made, "lead-1"),
    ),
    "close_trial": Deed(
        "trial",
        lambda made, by: made.engine.close_trial(trial="t", why="all in", by=by),
        lambda made: trial_of(made, "lead-1"),
    ),
    "open_site": Deed("site", lambda made, by: made.engine.open_site("north", zone=ZONE, by=by)),
    "transfer": Deed(
        "transfer",
        lambda made, by: made.engine.transfer(
            enrollment="e-1", to="north", on=date(2026, 1, 6), why="moved", **made.said(by)
        ),
        lambda made: made.engine.open_site("north", zone=ZONE, by="lead-1"),
    ),
    "add_staff": Deed(STAFF, lambda made, by: made.engine.add_staff(staff="s-9", roles=["auditor"], by=by)),
    "change_staff": Deed(
        STAFF, lambda made, by: made.engine.change_staff(staff="till-1", trained_on=START, **made.said(by))
    ),
    "staff_left": Deed(
        STAFF, lambda made, by: made.engine.staff_left(staff="till-1", why="gone", **made.said(by))
    ),
}


def staffed() -> Clinic:
    """Return a clinic with one of each role, and a cashier beside."""
    made = known(WINDOWS)
    for role in ROLES:
        made.engine.add_staff(staff=f"who-{role}", roles=[role], by="lead-1")
    made.engine.add_staff(staff="till-1", roles=["cashier"], by="lead-1")
    return made


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", DEEDS)
def test_each_role_does_what_the_table_says_and_nothing_else(name: str, role: str) -> None:
    made, deed = staffed(), DEEDS[name]
    deed.before(made)
    if deed.right in RIGHTS[role]:
        deed.act(made, f"who-{role}")
        assert made.engine.verify().is_clean
        return
    error = refused(made.engine, lambda: deed.act(made, f"who-{role}"))
    assert (error.by, error.act, error.rule) == (f"who-{role}", deed.right, f"right {deed.right}")
    assert f"their roles ({role}) do not have it; ask somebody with the role" in str(error)


@pytest.mark.parametrize("name", DEEDS)
def test_nobody_unknown_does_anything_where_people_have_to_be_known(name: str) -> None:
    made, deed = staffed(), DEEDS[name]
    deed.before(made)
    error = refused(made.engine, lambda: deed.act(made, "stranger"))
    assert (error.by, error.rule) == ("stranger", "people: known")
    assert str(error).endswith("add them first: add_staff(staff='stranger', ...)")


@pytest.mark.parametrize("name", DEEDS)
def test_without_people_anybody_does_anything_as_before(name: str) -> None:
    made, deed = clinic(rest=WINDOWS), DEEDS[name]
    made.engine.add_staff(staff="till-1", roles=["cashier"], by="x")
    deed.before(made)
    deed.act(made, "stranger")


def test_every_kind_of_act_has_its_right_and_every_right_belongs_to_somebody() -> None:
    kinds = {ENROLLED, OBSERVED, AMENDED, VOIDED, ASSERTED, SWEPT, *ENTRIES, *CHANGES, *SITED}
    kinds |= {MIGRATED, EXPORTED, IMPORTED, *BANK_ACTS}
    assert kinds <= set(ON_ENROLLMENT)
    assert set(KINDS) <= set(ON_JOURNAL)
    held = {right for rights in RIGHTS.values() for right in rights} | OWN
    assert {*ON_ENROLLMENT.values(), *ON_JOURNAL.values()} <= held


def test_what_a_host_asks_is_answered_by_the_table_and_by_who_works_here_today() -> None:
    made = known(desk="front-desk")
    may = made.engine.may
    assert may(by="desk", act="record")
    assert not may(by="desk", act="amend")
    assert not may(by="stranger", act="read")
    assert may(by="cm-engine", act="sweep")
    assert not may(by="cm-engine", act="amend")
    made.engine.staff_left(staff="desk", why="gone", **made.said("lead-1"))
    assert not may(by="desk", act="record")


def test_a_table_of_the_hosts_own_is_the_one_that_holds() -> None:
    rights = {"chief": ["staff", "enroll"], "nurse": ["record"]}
    engine = Engine.open("memory:", zone=ZONE, people="known", rights=rights)
    engine.add_program(program(""))
    engine.add_staff(staff="c-1", roles=["chief"], by="c-1")
    engine.add_staff(staff="n-1", roles=["nurse"], by="c-1")
    engine.enroll(participant="p-1", program="p", start=START, by="c-1", id="e-1")
    report: dict[str, Any] = {"enrollment": "e-1", "result": "-", "on": START, "source": "desk", "key": "1"}
    assert "ask somebody with the role nurse" in str(
        refused(engine, lambda: engine.record(**report, by="c-1"))
    )
    engine.record(**report, by="n-1")
    amend: dict[str, Any] = {"enrollment": "e-1", "record": 1, "why": "x", "source": "desk", "key": "2"}
    assert "no role has it" in str(refused(engine, lambda: engine.amend(**amend, result="+", by="c-1")))
    with pytest.raises(ReportError, match="no role 'supervisor'"):
        engine.add_staff(staff="s-1", roles=["supervisor"], by="c-1")


@pytest.mark.parametrize("rights", [{}, {"nurse": ["record"]}, {"nurse": "staff"}, ["staff"]])
def test_a_table_in_which_nobody_says_who_works_here_is_refused(rights: Any) -> None:
    with pytest.raises(ReportError, match="rights: expected what each role may do, one of them 'staff'"):
        Engine.open("memory:", people="known", rights=rights)


def test_people_are_known_or_not_and_nothing_else() -> None:
    with pytest.raises(ReportError, match="people: expected 'known', or nothing, got 'knwon'"):
        Engine.open("memory:", people="knwon")


# Who works here


def test_who_left_is_refused_from_that_moment_on() -> None:
    made = known(desk="front-desk")
    made.engine.record(**made.report("desk"))
    made.engine.staff_left(staff="desk", why="gone", **made.said("lead-1"))
    error = refused(made.engine, lambda: made.engine.record(**made.report("desk", day=date(2026, 1, 6))))
    assert (error.rule, "they left" in str(error)) == ("people: known", True)


def test_who_works_from_a_day_to_another_is_refused_before_and_after() -> None:
    made = known()
    first, last = date(2026, 1, 7), date(2026, 1, 9)
    made.engine.add_staff(
        staff="temp", roles=["front-desk"], active_from=first, active_until=last, by="lead-1"
    )
    for day, words in (
        (date(2026, 1, 6), "they work from 2026-01-07 on"),
        (first, ""),
        (last, ""),
        (date(2026, 1, 10), "they worked until 2026-01-09"),
    ):
        made.on(day)
        report = made.report("temp")
        if words:
            assert words in str(refused(made.engine, made.engine.record, **report))
        else:
            made.engine.record(**report)


def test_the_engine_sweeps_whoever_is_known_and_does_nothing_else() -> None:
    made = known(WINDOWS)
    made.on(date(2026, 1, 20))
    assert made.engine.sweep()
    error = refused(
        made.engine, lambda: made.engine.record(**made.report("cm-engine", day=date(2026, 1, 19)))
    )
    assert error.rule == "people: known"


def test_a_repeat_is_answered_whoever_asks_as_nothing_is_written() -> None:
    made = known(desk="front-desk")
    report = made.report("desk")
    made.engine.record(**report)
    made.engine.staff_left(staff="desk", why="gone", **made.said("lead-1"))
    before = rows_of(made.engine)
    assert made.engine.record(**report).replayed
    assert made.engine.record(**{**report, "by": "stranger"}).replayed
    assert rows_of(made.engine) == before


def test_of_several_reports_one_that_is_refused_takes_the_others_with_it() -> None:
    made = known(desk="front-desk", till="cashier")
    reports = [Report(**made.report("desk")), Report(**made.report("till", day=date(2026, 1, 6)))]
    assert refused(made.engine, lambda: made.engine.record_many(reports)).by == "till"


def test_an_act_that_is_refused_is_refused_alone_among_those_written_together(tmp_path: Path) -> None:
    made = clinic(f"sqlite:///{tmp_path / 'c.db'}", people="known")
    made.engine.add_staff(staff="desk", roles=["front-desk"], by="lead-1")
    start = Barrier(8)

    def act(number: int) -> str:
        start.wait()
        by = "desk" if number % 2 else "stranger"
        try:
            made.engine.record(
                enrollment="e-1", result="-", on=START, source="desk", key=f"t-{number}", by=by
            )
        except NotAllowedError as error:
            return error.by
        return by

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(act, range(8))) == ["stranger", "desk"] * 4
    assert len(made.engine.history(enrollment="e-1")) == 5
    assert made.engine.verify().is_clean
    made.engine.close()


def test_in_a_transaction_of_the_hosts_the_same_people_are_asked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    made = clinic(url, people="known")
    with Session(create_engine(url)) as session, session.begin():
        session.execute(text("CREATE TABLE chart (note TEXT)"))
        joined = made.engine.joining(session)
        with pytest.raises(NotAllowedError):
            joined.record(**made.report("stranger"))
        joined.record(**made.report("lead-1"))
        joined.add_staff(staff="desk", roles=["front-desk"], by="lead-1")
        joined.record(**made.report("desk", day=date(2026, 1, 6)))
    assert [act.by for act in made.engine.history(enrollment="e-1")] == ["lead-1", "lead-1", "desk"]
    made.engine.close()


def test_what_one_process_says_of_staff_holds_in_all_others_at_once(database_url: str) -> None:
    made = clinic(database_url, people="known")
    made.engine.add_staff(staff="desk", roles=["front-desk"], by="lead-1")
    with Engine.open(database_url, zone=ZONE, people="known", clock=lambda: MONDAY) as other:
        other.record(**made.report("desk"))
        made.engine.staff_left(staff="desk", why="gone", **made.said("lead-1"))
        assert refused(other, lambda: other.record(**made.report("desk"))).by == "desk"
    made.engine.close()


# Training


TRAINED = "people: {trained_within: 30}"


def test_training_holds_for_its_days_and_lapses_on_the_day_after() -> None:
    made = clinic(rest="")
    made.engine.add_program(program(TRAINED, name="t"))
    made.engine.add_staff(staff="desk", roles=["front-desk"], trained_on=START, by="lead-1")
    made.engine.enroll(participant="p-1", program="t", start=START, by="desk", id="t-1")
    for days, allowed in ((0, True), (30, True), (31, False), (400, False)):
        made.on(START + timedelta(days))
        report = {**made.report("desk", day=START + timedelta(days)), "enrollment": "t-1"}
        if allowed:
            made.engine.record(**report)
            continue
        error = refused(made.engine, lambda: made.engine.record(**report))  # noqa: B023 - called at once
        assert error.rule == "people.trained_within: 30"
        assert f"trained on {START}, they were until 2026-02-04, and it is {START + timedelta(days)}" in str(
            error
        )
    made.engine.change_staff(staff="desk", trained_on=date(2027, 2, 1), **made.said("lead-1"))
    made.on(date(2027, 2, 2))
    made.engine.record(**{**made.report("desk", day=date(2027, 2, 2)), "enrollment": "t-1"})
    assert made.engine.verify().is_clean


def test_the_day_of_training_is_that_of_the_act_at_the_clinic() -> None:
    made = clinic()
    made.engine.add_program(program(TRAINED, name="t"))
    made.engine.add_staff(staff="desk", roles=["front-desk"], trained_on=START, by="lead-1")
    made.engine.enroll(participant="p-1", program="t", start=START, by="desk", id="t-1")
    made.times.append(datetime(2026, 2, 5, 7, 59, tzinfo=UTC))  # at the clinic a minute before midnight
    made.engine.record(**{**made.report("desk"), "enrollment": "t-1"})
    made.times.append(datetime(2026, 2, 5, 8, 0, tzinfo=UTC))
    refused(made.engine, lambda: made.engine.record(**{**made.report("desk"), "enrollment": "t-1"}))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "nobody of the staff has this id"),
        ({}, "they were never trained"),
        ({"trained_on": date(2026, 1, 6)}, "they are trained from 2026-01-06 on, and it is 2026-01-05"),
        ({"trained_on": START, "active_until": date(2026, 1, 4)}, "they worked until 2026-01-04"),
    ],
)
def test_a_program_that_wants_training_asks_who_it_is_even_where_the_host_does_not(
    said: dict[str, Any] | None, words: str
) -> None:
    made = clinic()
    made.engine.add_program(program(TRAINED, name="t"))
    if said is not None:
        made.engine.add_staff(staff="desk", roles=["cashier"], by="lead-1", **said)
    error = refused(
        made.engine,
        lambda: made.engine.enroll(participant="p-1", program="t", start=START, by="desk", id="t-1"),
    )
    assert (error.rule, words in str(error)) == ("people.trained_within: 30", True)


def test_what_is_no_person_is_not_trained_and_nobody_is_for_an_assertion() -> None:
    made = clinic(rest="")
    made.engine.add_program(program(f"{TRAINED}\n{WINDOWS}", name="t"))
    made.engine.add_staff(staff="lab", roles=["system"], by="lead-1")
    made.engine.add_staff(staff="odd", roles=["system", "clinician"], by="lead-1")
    made.engine.enroll(participant="p-1", program="t", start=START, by="lab", id="t-1")
    made.engine.record(**{**made.report("lab"), "enrollment": "t-1"})
    refused(made.engine, lambda: made.engine.record(**{**made.report("odd"), "enrollment": "t-1"}))
    made.engine.assert_awarded(
        enrollment="t-1",
        amount=made.engine.balance(enrollment="t-1")["USD"].awarded,
        on=START,
        **made.said("nobody"),
    )
    made.on(date(2026, 1, 20))
    assert made.engine.sweep(enrollment="t-1")


def test_the_version_that_an_enrollment_moved_to_is_the_one_that_asks() -> None:
    made = clinic(rest="")
    made.engine.add_program(program(TRAINED, version="2"))
    made.engine.add_staff(staff="desk", roles=["front-desk"], trained_on=START, by="lead-1")
    made.engine.record(**made.report("stranger"))
    made.engine.migrate(
        enrollment="e-1", program="p@2", on=date(2026, 1, 6), why="asks more", **made.said("desk")
    )
    made.on(date(2026, 1, 8))
    error = refused(made.engine, lambda: made.engine.record(**made.report("stranger", day=date(2026, 1, 8))))
    assert error.rule == "people.trained_within: 30"
    made.engine.record(**made.report("desk", day=date(2026, 1, 8)))


# Two people enter a result


def test_a_first_entry_waits_and_the_same_of_another_person_decides() -> None:
    made = clinic(rest=TWO)
    first = made.engine.enter(**made.report("ann"))
    assert (first.kind, first.by, first.decision, first.hand_over) == ("entered", "ann", None, {})
    assert made.engine.statement(enrollment="e-1").lines == ()
    [entry] = made.engine.waiting()
    assert (entry.enrollment, entry.record, entry.by) == ("e-1", first.record, "ann")
    assert entry.reported == {"result": "-", "on": "2026-01-05"}
    second = made.engine.enter(**made.report("bob"))
    assert (second.kind, second.by, str(second.hand_over["USD"])) == ("observed", "bob", "10.00")
    assert second.reported["entered"] == {"record": first.record, "by": "ann"}
    assert made.engine.waiting() == []
    assert [act.kind for act in made.engine.history(enrollment="e-1")] == ["enrolled", "entered", "observed"]
    assert made.engine.verify().is_clean


def test_both_may_give_the_key_of_the_specimen_and_each_repeat_is_answered() -> None:
    made = clinic(rest=TWO)
    report = made.report("ann", key="udt-1")
    as_bob = {**report, "by": "bob"}
    first = made.engine.enter(**report)
    assert made.engine.enter(**report).replayed
    second = made.engine.enter(**as_bob)
    assert not second.replayed
    for again, known_as in ((report, first), (as_bob, second), ({**report, "by": "eve"}, second)):
        repeat = made.engine.enter(**again)
        assert (repeat.replayed, repeat.record, repeat.kind) == (True, known_as.record, known_as.kind)
    for who in ("ann", "bob", "eve"):
        with pytest.raises(KeyConflictError) as caught:
            made.engine.enter(**{**report, "by": who, "result": "+"})
        assert '"result":"+"' in caught.value.given
        assert "entered" not in caught.value.given.removeprefix("entered")
    assert len(made.engine.history(enrollment="e-1")) == 3


def test_the_same_person_does_not_enter_a_result_twice() -> None:
    made = clinic(rest=TWO)
    made.engine.enter(**made.report("ann"))
    for result in "-+":
        error = refused(made.engine, made.engine.enter, **made.report("ann", result=result))
        assert (error.act, error.rule) == ("enter", "people.second_entry: [results]")
        assert "they entered it first, as record 1; another person has to enter it too" in str(error)


def test_another_result_of_the_same_visit_shows_both_and_the_first_waits_on() -> None:
    made = clinic(rest=TWO)
    made.engine.enter(**made.report("ann"))
    before = rows_of(made.engine)
    with pytest.raises(EntryMismatchError) as caught:
        made.engine.enter(**made.report("bob", result="+"))
    error = caught.value
    assert (error.enrollment, error.record) == ("e-1", 1)
    assert (json.loads(error.first)["result"], json.loads(error.second)["result"]) == ("-", "+")
    assert error.first in str(error)
    assert error.second in str(error)
    assert rows_of(made.engine) == before
    assert [each.by for each in made.engine.waiting()] == ["ann"]
    assert made.engine.enter(**made.report("eve")).kind == "observed"


@pytest.mark.parametrize(
    "other",
    [
        {"evidence": Evidence(conditions=("late",))},
        {"collected_at": MONDAY - timedelta(hours=1)},
        {"resulted_at": MONDAY},
    ],
)
def test_whatever_is_reported_has_to_be_the_same(other: dict[str, Any]) -> None:
    made = clinic(rest=TWO)
    made.engine.enter(**made.report("ann"))
    with pytest.raises(EntryMismatchError):
        made.engine.enter(**made.report("bob"), **other)


def test_a_time_and_evidence_are_compared_as_they_are_stored() -> None:
    made = clinic(rest=TWO)
    seen: dict[str, Any] = {
        "evidence": Evidence(conditions=("makeup",)),
        "collected_at": MONDAY - timedelta(hours=1),
    }
    first = {**made.report("ann"), **seen}
    second = {**made.report("bob"), **seen, "collected_at": seen["collected_at"].astimezone()}
    del first["on"], second["on"]
    made.engine.enter(**first)
    assert made.engine.enter(**second).kind == "observed"


def test_record_and_excuse_of_what_two_people_enter_say_what_to_do() -> None:
    made = clinic(rest=TWO)
    for act in (
        lambda: made.engine.record(**made.report("ann")),
        lambda: made.engine.record_many([Report(**made.report("ann"))]),
        lambda: made.engine.excuse(enrollment="e-1", on=START, why="illness", **made.said("ann")),
    ):
        error = refused(made.engine, act)
        assert error.rule == "people.second_entry: [results]"
        assert "engine.enter(...) with the same arguments, once each" in str(error)


KINDS_OF_RESULT = {
    "-": "met",
    "+": "positive",
    "o": "missed",
    "e": "excused",
    "*": "invalid",
    "r": "refused",
    "_": "not required",
}


@pytest.mark.parametrize("symbol", KINDS_OF_RESULT)
@pytest.mark.parametrize("kind", KINDS_OF_RESULT.values())
def test_only_the_kinds_of_result_that_are_listed_take_two_people(symbol: str, kind: str) -> None:
    made = clinic(rest=f"people: {{second_entry: [{kind}]}}")
    expected = "entered" if KINDS_OF_RESULT[symbol] == kind else "observed"
    assert made.engine.enter(**made.report("ann", result=symbol)).kind == expected


def test_a_result_that_is_only_known_once_it_is_decided_takes_two_people() -> None:
    rules = PeopleRules(second_entry=("positive",))
    assert rules.wants_two("", "")
    assert not rules.wants_two("-", "")
    assert not rules.wants_two("", "intake")
    assert PeopleRules(second_entry=("events",)).wants_two("", "intake")
    assert not PeopleRules(second_entry=("events",)).wants_two("", "")
    assert not PeopleRules(trained_within=1).wants_two("-", "")


def test_events_take_two_people_where_the_program_says_so() -> None:
    rest = (
        "people: {second_entry: [events]}\nmilestones: {hi: {says: Hi, when: {event: intake}, amount: 5.00}}"
    )
    made = clinic(rest=rest)
    intake: dict[str, Any] = {"enrollment": "e-1", "event": "intake", "on": START}
    assert made.engine.record(**made.report("ann")).kind == "observed"
    refused(made.engine, lambda: made.engine.record(**intake, **made.said("ann")))
    made.engine.enter(**intake, **made.said("ann"))
    done = made.engine.enter(**intake, **made.said("bob"))
    assert str(done.awards["USD"]) == "5.00"


def test_another_result_that_needs_one_person_only_is_no_way_around_an_entry_that_waits() -> None:
    made = clinic(rest="people: {second_entry: [positive]}")
    made.engine.enter(**made.report("ann", result="+"))
    for by, wrong in (("bob", EntryMismatchError), ("ann", NotAllowedError)):
        with pytest.raises(wrong):
            made.engine.enter(**made.report(by, result="-"))
    assert [each.by for each in made.engine.waiting()] == ["ann"]
    assert made.engine.enter(**made.report("bob", result="+")).kind == "observed"


def test_entries_of_other_days_and_targets_wait_side_by_side() -> None:
    plan = "schedule: [{weeks: 1-8, fixed: 10.00}]"
    targets = f"targets: {{one: {{behavior: abstinence, {plan}}}, two: {{behavior: attendance, {plan}}}}}"
    made = clinic()
    made.engine.add_program(program(TWO, name="two", targets=targets))
    made.engine.enroll(participant="p-1", program="two", start=START, by="lead-1", id="e-2")
    made.on(date(2026, 1, 6))

    def entered(by: str, target: str, day: int, result: str = "-") -> str:
        on = date(2026, 1, day)
        report = made.said(by, enrollment="e-2", target=target, on=on, result=result)
        return made.engine.enter(**report).kind

    visits = [("one", 5), ("two", 5), ("one", 6), ("two", 6)]
    assert [entered("ann", *visit) for visit in visits] == ["entered"] * 4
    assert [(each.reported["target"], each.reported["on"][-2:]) for each in made.engine.waiting()] == [
        ("one", "05"),
        ("two", "05"),
        ("one", "06"),
        ("two", "06"),
    ]
    assert [entered("bob", *visit) for visit in reversed(visits)] == ["observed"] * 4
    assert made.engine.verify().is_clean
    with pytest.raises(ResultsError):
        entered("ann", "three", 6)


def test_the_only_target_may_be_named_or_not() -> None:
    made = clinic(rest=TWO)
    made.engine.enter(**made.report("ann"))
    assert made.engine.enter(**made.report("bob", target="stimulants")).kind == "observed"
    assert made.engine.verify().is_clean


def test_of_several_visits_a_day_those_of_one_moment_are_one() -> None:
    plan = "visits: [{weeks: 1-8, days: [monday], per_day: 2}], schedule: [{weeks: 1-8, fixed: 1.00}]"
    made = clinic()
    targets = f"targets: {{breath: {{behavior: abstinence, {plan}}}}}"
    made.engine.add_program(
        parse_program(f'program: b\nversion: "1"\ntitle: B\ncurrency: USD\n{targets}\n{TWO}')
    )
    made.engine.enroll(participant="p-1", program="b", start=START, by="lead-1", id="e-2")

    def entered(by: str, hour: int, result: str = "-") -> str:
        at = MONDAY - timedelta(hours=hour)
        return made.engine.enter(**made.said(by, enrollment="e-2", collected_at=at, result=result)).kind

    assert [entered("ann", 4), entered("ann", 1)] == ["entered"] * 2
    with pytest.raises(EntryMismatchError):
        entered("bob", 4, "+")
    assert [entered("bob", 4), entered("bob", 1)] == ["observed"] * 2


def test_what_could_never_be_decided_is_refused_at_the_first_entry() -> None:
    made = clinic(rest=TWO)
    for report, error in (
        (made.report("ann", target="opioids"), ResultsError),
        (made.report("ann", day=date(2026, 3, 1)), ReportError),
        (made.report("ann", result="x"), ResultsError),
        ({**made.report("ann"), "enrollment": "e-9"}, CmEngineError),
    ):
        with pytest.raises(error):
            made.engine.enter(**report)
    assert made.engine.waiting() == []
    made.engine.discharge(enrollment="e-1", on=START, why="over", **made.said("lead-1"))
    made.on(date(2026, 1, 8))
    with pytest.raises(ReportError, match="the episode ended"):
        made.engine.enter(**made.report("ann", day=date(2026, 1, 8)))


def test_entries_are_of_the_plan_and_no_more_are_confirmed_than_it_has_visits() -> None:
    made = clinic(rest=TWO)
    days = [START + timedelta(number) for number in range(17)]
    made.on(days[-1])
    for by in ("ann", "bob"):
        for day in days[:16]:
            made.engine.enter(**made.report(by, day=day))
    with pytest.raises(PlanExceededError):
        made.engine.enter(**made.report("ann", day=days[16]))
    assert len(made.engine.statement(enrollment="e-1").lines) == 16


def test_entries_wait_on_while_the_past_is_corrected_around_them() -> None:
    made = clinic(rest=f"{TWO}\n{WINDOWS}")
    made.engine.add_staff(staff="lead-1", roles=["supervisor"], by="lead-1")
    made.on(date(2026, 1, 12))
    for by in ("ann", "bob"):
        made.engine.enter(**made.report(by))
    made.engine.enter(**made.report("ann", day=date(2026, 1, 12)))
    made.engine.amend(enrollment="e-1", record=2, result="+", why="typo", **made.said("lead-1"))
    made.engine.pause(enrollment="e-1", on=date(2026, 2, 2), why="travel", **made.said("lead-1"))
    for by in ("ann", "bob"):
        made.engine.enter(**made.report(by, day=date(2026, 1, 8)))
    assert [each.reported["on"] for each in made.engine.waiting()] == ["2026-01-12"]
    assert made.engine.verify().is_clean
    done = made.engine.enter(**made.report("bob", day=date(2026, 1, 12)))
    assert done.kind == "observed"
    assert made.engine.verify().is_clean


def test_an_entry_that_waits_survives_a_new_engine_and_a_standing_folded_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    made = clinic(url, TWO)
    made.engine.enter(**made.report("ann"))
    made.engine.close()
    with closing(sqlite3.connect(tmp_path / "c.db")) as database:
        database.execute("UPDATE cm_standings SET state = 'of another layout'")
        database.commit()
    with Engine.open(url, zone=ZONE, clock=lambda: MONDAY) as again:
        assert [each.by for each in again.waiting()] == ["ann"]
        assert again.enter(**made.report("bob")).kind == "observed"
        assert again.verify().is_clean


# Withdrawing and correcting


def supervised() -> Clinic:
    made = clinic(rest=TWO)
    for staff in ("lead-1", "lead-2"):
        made.engine.add_staff(staff=staff, roles=["supervisor"], by="lead-1")
    made.engine.add_staff(staff="desk", roles=["front-desk"], by="lead-1")
    return made


def test_a_supervisor_takes_a_waiting_entry_back_and_it_is_entered_anew() -> None:
    made = supervised()
    first = made.engine.enter(**made.report("ann"))
    withdrawal = made.said("lead-1", enrollment="e-1", record=first.record, why="wrong chart")
    done = made.engine.withdraw_entry(**withdrawal)
    assert (done.kind, done.reported, done.decisions) == ("withdrawn", {"of": 1, "why": "wrong chart"}, ())
    assert made.engine.waiting() == []
    assert made.engine.withdraw_entry(**withdrawal).replayed
    with pytest.raises(RecordNotFoundError, match="no entry waits there"):
        made.engine.withdraw_entry(**{**withdrawal, "key": "again"})
    assert made.engine.enter(**made.report("bob", result="+")).kind == "entered"
    assert made.engine.enter(**made.report("ann", result="+")).kind == "observed"
    assert made.engine.verify().is_clean


@pytest.mark.parametrize("record", [0, 2, 3, 99])
def test_only_an_entry_that_waits_is_withdrawn(record: int) -> None:
    made = supervised()
    for by in ("ann", "bob"):
        made.engine.enter(**made.report(by))
    made.engine.enter(**made.report("ann", day=date(2026, 1, 6)))
    if record == 3:
        made.engine.enter(**made.report("bob", day=date(2026, 1, 6)))
    with pytest.raises(RecordNotFoundError):
        made.engine.withdraw_entry(enrollment="e-1", record=record, why="x", **made.said("lead-1"))


@pytest.mark.parametrize("act", ["amend", "void", "withdraw_entry"])
def test_corrections_of_what_two_people_enter_need_the_right_even_where_the_host_does_not_ask(
    act: str,
) -> None:
    made = supervised()
    made.engine.enter(**made.report("ann"))
    if act != "withdraw_entry":
        made.engine.enter(**made.report("bob"))
    about: dict[str, Any] = {
        "enrollment": "e-1",
        "record": 1 if act == "withdraw_entry" else 2,
        "why": "typo",
    }
    more = {"result": "+"} if act == "amend" else {}
    right = act.removesuffix("_entry")
    for by, rule in (("stranger", "people.second_entry: [results]"), ("desk", f"right {right}")):
        error = refused(made.engine, getattr(made.engine, act), **about, **more, **made.said(by))
        assert (error.by, error.act, error.rule) == (by, right, rule)
    getattr(made.engine, act)(**about, **more, **made.said("lead-1"))
    assert made.engine.verify().is_clean


def test_whoever_entered_a_result_first_or_second_does_not_correct_it() -> None:
    made = supervised()
    for by in ("lead-1", "lead-2"):
        made.engine.enter(**made.report(by))
    made.engine.add_staff(staff="lead-3", roles=["supervisor"], by="lead-1")
    for by in ("lead-1", "lead-2"):
        for act, more in (("amend", {"result": "+"}), ("void", {})):
            error = refused(
                made.engine,
                getattr(made.engine, act),
                enrollment="e-1",
                record=2,
                why="typo",
                **more,
                **made.said(by),
            )
            assert error.rule == "people.second_entry: [results]"
            assert "lead-1 and lead-2 entered it; another person has to correct it" in str(error)
    made.engine.amend(enrollment="e-1", record=2, result="+", why="typo", **made.said("lead-3"))
    assert made.engine.verify().is_clean


# At the same moment


def test_two_people_who_enter_at_the_same_moment_make_one_observation_decided_once(database_url: str) -> None:
    made = clinic(database_url, TWO)
    made.on(date(2026, 2, 2))
    for number in range(8):
        start, day = Barrier(2), START + timedelta(number)

        def enter(by: str, day: date = day, start: Barrier = start) -> str:
            start.wait()
            done = made.engine.enter(
                enrollment="e-1", result="-", on=day, source="desk", key=f"udt-{day}", by=by
            )
            return done.kind

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(enter, ["ann", "bob"])) == ["entered", "observed"]
    history = made.engine.history(enrollment="e-1")
    observed = [act for act in history if act.kind == "observed"]
    assert len(observed) == 8
    assert [len(act.decisions) for act in observed] == [1] * 8
    assert all({act.by, act.reported["entered"]["by"]} == {"ann", "bob"} for act in observed)
    assert str(made.engine.balance(enrollment="e-1")["USD"].awarded) == "80.00"
    assert made.engine.waiting() == []
    assert made.engine.verify().is_clean
    made.engine.close()


def test_of_many_who_enter_the_same_at_once_one_confirms_and_the_next_begins_another(
    database_url: str,
) -> None:
    made = clinic(database_url, TWO)
    start = Barrier(6)

    def enter(number: int) -> str:
        start.wait()
        return made.engine.enter(
            enrollment="e-1", result="-", on=START, source="desk", key="udt-1", by=f"n-{number}"
        ).kind

    with ThreadPoolExecutor(6) as threads:
        kinds = list(threads.map(enter, range(6)))
    assert kinds.count("entered") == 1
    assert len([act for act in made.engine.history(enrollment="e-1") if act.kind == "observed"]) == 1
    assert made.engine.verify().is_clean
    made.engine.close()


# Another person hands over


BOTH = "people: {second_entry: [met], release: another person}"


def test_who_recorded_or_entered_a_result_does_not_hand_over_what_it_pays() -> None:
    made = clinic(rest=BOTH)
    for by in ("ann", "bob"):
        decision = made.engine.enter(**made.report(by)).decision
    assert decision is not None
    for by in ("ann", "bob"):
        error = refused(
            made.engine, made.engine.hand_over, enrollment="e-1", number=decision.number, **made.said(by)
        )
        assert (error.act, error.rule) == ("release", "people.release: another person")
    made.engine.hand_over(enrollment="e-1", number=decision.number, **made.said("till-1"))
    assert made.engine.verify().is_clean


def test_who_recorded_a_result_does_not_redeem_it_either_and_may_redeem_others() -> None:
    made = clinic(rest="people: {release: another person}\npayout: {when: on request}")
    made.engine.record(**made.report("ann"))
    ask: dict[str, Any] = {"enrollment": "e-1"}
    assert refused(made.engine, lambda: made.engine.redeem(**ask, **made.said("ann"))).act == "redeem"
    sent = made.engine.redeem(**ask, **made.said("till-1")).decisions[0].number
    made.on(date(2026, 1, 6))
    made.engine.record(**made.report("till-1", day=date(2026, 1, 6)))
    assert refused(made.engine, lambda: made.engine.redeem(**ask, **made.said("till-1"))).by == "till-1"
    made.engine.hand_over(enrollment="e-1", number=sent, **made.said("till-1"))
    assert made.engine.verify().is_clean


def test_who_amended_a_result_does_not_hand_over_what_it_pays() -> None:
    made = clinic(rest="people: {release: another person}")
    made.engine.record(**made.report("ann", result="+"))
    done = made.engine.amend(enrollment="e-1", record=1, result="-", why="lab", **made.said("lead-1"))
    number = done.decisions[-1].number
    for by in ("ann", "lead-1"):
        refused(made.engine, made.engine.hand_over, enrollment="e-1", number=number, **made.said(by))
    made.engine.hand_over(enrollment="e-1", number=number, **made.said("till-1"))


# What was tampered with


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with staff, an entry that waits and one that was confirmed, whose rows can be changed."""
    made = clinic(f"sqlite:///{tmp_path / 'c.db'}", TWO)
    made.engine.add_staff(staff="s-1", roles=["cashier"], by="lead-1")
    made.engine.change_staff(staff="s-1", trained_on=START, by="lead-1", source="hr", key="1")
    for by in ("ann", "bob"):
        made.engine.enter(**made.report(by))
    made.engine.enter(**made.report("ann", day=date(2026, 1, 6)))
    assert made.engine.verify().is_clean
    made.engine.close()
    with closing(sqlite3.connect(tmp_path / "c.db")) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.commit()
    return tmp_path / "c.db"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (
            "UPDATE cm_records SET body = replace(body, 'cashier', 'supervisor') WHERE seq = 0",
            "@staff/s-1: record 0",
        ),
        (
            "UPDATE cm_records SET actor = 'eve' WHERE enrollment = '@staff/s-1' AND seq = 1",
            "@staff/s-1: record 1",
        ),
        ("DELETE FROM cm_records WHERE enrollment = '@staff/s-1' AND seq = 1", "@staff/s-1: standing"),
        (
            "UPDATE cm_standings SET state = replace(state, 'cashier', 'auditor') WHERE enrollment LIKE '@%'",
            "@staff/s-1: standing",
        ),
        ("UPDATE cm_records SET actor = 'eve' WHERE kind = 'entered' AND seq = 1", "e-1: record 1"),
        (
            "UPDATE cm_records SET body = replace(body, '\"ann\"', '\"eve\"') WHERE kind = 'observed'",
            "e-1: record 2",
        ),
        (
            "UPDATE cm_standings SET state = replace(state, 'waiting', 'waited') WHERE enrollment = 'e-1'",
            "e-1: standing",
        ),
        (
            "UPDATE cm_standings SET state = replace(state, '\"ann\"', '\"eve\"') WHERE enrollment = 'e-1'",
            "e-1: standing",
        ),
    ],
)
def test_a_changed_row_of_staff_or_of_an_entry_is_found(file: Path, change: str, where: str) -> None:
    with closing(sqlite3.connect(file)) as database:
        assert database.execute(change).rowcount >= 1
        database.commit()
    with Engine.open(f"sqlite:///{file}", zone=ZONE) as engine:
        found = engine.verify()
    assert where in [f"{each.enrollment}: {each.where}" for each in found.differences]


def test_a_log_written_anew_in_which_one_person_confirms_herself_is_refused() -> None:
    def row(seq: int, kind: str, by: str, body: dict[str, Any]) -> RecordRow:
        return RecordRow("e-1", seq, kind, "desk", f"k-{seq}", by, "", json.dumps(body), "", "")

    seen = {"result": "-", "on": "2026-01-05"}
    waiting = waiting_after((), row(1, "entered", "ann", seen), seen)
    for by, first, said, error in (
        ("ann", "ann", seen, NotAllowedError),
        ("bob", "eve", seen, NotAllowedError),
        ("bob", "ann", {**seen, "result": "+"}, EntryMismatchError),
    ):
        body = {**said, "entered": {"record": 1, "by": first}}
        with pytest.raises(error):
            waiting_after(waiting, row(2, "observed", by, body), body)
    body = {**seen, "entered": {"record": 7, "by": "ann"}}
    with pytest.raises(RecordNotFoundError):
        waiting_after(waiting, row(2, "observed", "bob", body), body)


# Ids, and programs without people


@pytest.mark.parametrize(
    "given",
    [
        "p-104",
        "104",
        "0012345678",
        "123456789",
        "P.104/b",
        "e-5f2a",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "ö-1",
    ],
)
def test_an_opaque_id_is_taken(given: str) -> None:
    assert opaque("participant", given) == given


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("Ann Lee", "a blank"),
        ("ann@example.org", "an @"),
        ("Lee,Ann", "a comma"),
        ("123-45-6789", "a social security number"),
        ("555-123-4567", "a phone number"),
        ("(555)123-4567", "a phone number"),
        ("555.123.4567", "a phone number"),
        ("+15551234567", "a phone number"),
        ("+49.30.1234567", "a phone number"),
    ],
)
def test_an_id_that_looks_like_a_person_is_refused_and_not_repeated(given: str, words: str) -> None:
    engine = clinic().engine
    with pytest.raises(ReportError, match=words) as caught:
        engine.enroll(participant=given, program="p", start=START, by="lead-1")
    assert given not in str(caught.value)


@pytest.mark.parametrize("program_id", catalogue.program_ids())
def test_programs_that_say_nothing_of_people_keep_their_digest(program_id: str) -> None:
    found = catalogue.program(program_id)
    form = json.loads(canonical(found))
    assert "people" not in form
    assert hashlib.sha256(canonical(found).encode()).hexdigest() == digest(found)


def test_a_program_that_asks_something_of_people_has_a_digest_of_its_own() -> None:
    plain, asking = program(""), program(TWO)
    assert digest(plain) == "caaa0a02da87f57e56cf0d4b2918f1556fa95c454403c4f3bc3d62fdc92fe37d"
    assert digest(plain) != digest(asking)
    assert parse_program(canonical(asking)) == asking


# The command line


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["cm-engine", *args])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


def test_the_commands_do_what_the_methods_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CM_ENGINE_DB", f"sqlite:///{tmp_path / 'c.db'}")
    monkeypatch.setenv("CM_ENGINE_PEOPLE", "known")
    monkeypatch.setenv("COLUMNS", "120")
    today = datetime.now(UTC).date().isoformat()  # noqa: TID251 - the command asks the real clock
    (tmp_path / "p.yaml").write_text(json.dumps(json.loads(canonical(program(TWO)))), "utf-8")

    def said(*args: str) -> str:
        code, out, err = run(capsys, monkeypatch, *args)
        assert (code, err) == (0, "")
        return out

    def wrong(*args: str) -> str:
        code, out, err = run(capsys, monkeypatch, *args)
        assert (code, out) == (2, "")
        return err

    assert said("staff", "add", "lead-1", "--role", "supervisor", "--by", "lead-1") == (
        "lead-1: supervisor; not trained\n"
    )
    for staff in ("ann", "bob"):
        role = (
            "--role",
            "front-desk",
            "--role",
            "clinician",
            "--site",
            "north",
            "--trained-on",
            "2026-01-05",
        )
        said("staff", "add", staff, *role, "--by", "lead-1")
    by = ("--source", "hr", "--key")
    assert json.loads(
        said("staff", "change", "bob", "--until", "2099-01-01", *by, "1", "--by", "lead-1", "--json")
    ) == {
        "staff": "bob",
        "roles": ["clinician", "front-desk"],
        "sites": ["north"],
        "trained_on": "2026-01-05",
        "active_from": None,
        "active_until": "2099-01-01",
        "left": False,
    }
    shown = json.loads(said("staff", "show", "bob", "--json"))
    assert [each["kind"] for each in shown["acts"]] == ["added", "changed"]
    assert "changed by lead-1: active_until 2099-01-01" in said("staff", "show", "bob")
    assert len(json.loads(said("staff", "list", "--json"))["staff"]) == 3
    assert "clinician, front-desk" in said("staff", "list")

    enroll = ("--participant", "p-1", "--program", str(tmp_path / "p.yaml"), "--start", today)
    said("enroll", *enroll, "--zone", "UTC", "--id", "e-1", "--by", "lead-1")
    report = ("e-1", "--result", "-", "--on", today, "--source", "desk", "--key", "udt-1", "--by")
    assert "people.second_entry: [results]" in wrong("record", *report, "ann")
    assert said("enter", *report, "ann").splitlines() == [
        "Entered as record 1 of e-1.",
        "It waits until another person has entered it too.",
        "Hand over now: nothing",
    ]
    assert said("waiting").splitlines() == [
        f"e-1, record 1: a result of {today}, entered by ann",
        "1 result to be entered by a second person",
    ]
    [waiting] = json.loads(said("waiting", "e-1", "--json"))["waiting"]
    assert (waiting["record"], waiting["by"], waiting["date"], "result" in waiting) == (
        1,
        "ann",
        today,
        False,
    )
    mismatch = ("e-1", "--result", "+", "--on", today, "--source", "desk", "--key", "udt-1", "--by", "bob")
    assert '"result":"-"' in wrong("enter", *mismatch)
    assert "right withdraw" in wrong(
        "withdraw-entry", "e-1", "--record", "1", "--why", "x", *by, "2", "--by", "ann"
    )
    assert said(
        "withdraw-entry", "e-1", "--record", "1", "--why", "x", *by, "3", "--by", "lead-1"
    ).startswith("Record 1 is withdrawn by record 2 of e-1.")
    again = ("e-1", "--result", "-", "--on", today, "--source", "desk", "--key", "udt-2", "--by")
    said("enter", *again, "ann")
    assert "Hand over now: $10.00" in said("enter", *again, "bob")
    history = said("history", "e-1")
    assert f"entered - of {today}" in history
    assert "withdrawn record 1: x" in history
    assert "3 journals: no difference" in said("verify")
    assert said("staff", "left", "bob", "--why", "gone", *by, "4", "--by", "lead-1").endswith("; left\n")
    assert "they left" in wrong("discharge", "e-1", "--on", today, "--why", "x", *by, "5", "--by", "bob")
