"""Payouts that were on their way before release 2 get their work with it: those still in flight, and only at sites."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from cm_engine import Engine
from cm_engine.log.outbox import PAYOUT
from cm_engine.log.rows import WorkRow
from cm_engine.ports import LAST, WorkQuery
from cm_engine.testing.gateway import FakeGateway
from cm_engine_adapters.storage import schema
from tests.test_delivery import OPENED, START, Clinic
from tests.test_migrations import closing_database

TOLD: dict[str, Any] = {"source": "office", "by": "boss-1"}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[str]:
    if request.param == "postgresql":
        yield request.getfixturevalue("postgresql_url")
    else:
        yield f"sqlite:///{tmp_path / 'clinic.db'}"
    while OPENED:
        OPENED.pop().close()


def work(engine: Engine) -> list[WorkRow]:
    with engine._storage.reading() as tx:  # noqa: SLF001 - the rows themselves
        return tx.work(WorkQuery(PAYOUT, limit=LAST))


def as_release_1(url: str) -> None:
    """Make the tables what release 1 would have left: without work."""
    with closing_database(url) as database, database.connect() as rows:
        rows.execute(text("DROP TABLE cm_work"))
        rows.execute(text("UPDATE cm_version SET version_num = '1'"))
        rows.commit()


def upgraded(url: str) -> None:
    with closing_database(url) as database:
        schema.upgrade(database)


def test_payouts_in_flight_at_sites_have_the_work_that_they_would_have_had_from_the_beginning(
    url: str,
) -> None:
    clinic = Clinic(url, gateways=())
    engine = clinic.engine
    engine.open_site("east", zone="America/New_York", by="boss-1")
    ann, ben, cem = clinic.enrolled("p-1"), clinic.enrolled("p-2"), clinic.enrolled("p-3", site="")
    clinic.later(days=10)
    for day in (0, 3):
        for each in (ann, ben, cem):
            clinic.negative(each, day=day)
    engine.transfer(enrollment=ben, to="east", on=START + timedelta(2), why="moved", key="t-1", **TOLD)
    engine.hand_over(enrollment=ann, number=1, key="h-1", **TOLD)
    engine.decline(enrollment=ben, number=1, why="lost", key="d-1", **TOLD)
    engine.redeem(enrollment=ben, key="r-1", **TOLD)
    in_flight = {
        (each.enrollment, f"{each.number:05}/{each.leg}") for each in engine.payouts(status="in flight")
    }
    before = [row for row in work(engine) if (row.enrollment, row.name) in in_flight]
    assert len(before) == 3
    as_release_1(url)
    upgraded(url)
    moved = {
        (ben, "00002/1"): "2026-01-08T05:00:00.000000+00:00"
    }  # written there before the transfer was told
    wanted = [row._replace(due=moved.get((row.enrollment, row.name), row.due)) for row in before]
    assert work(engine) == wanted
    assert engine.verify().is_clean


def test_what_was_decided_before_the_site_had_its_gateway_stays_a_persons(url: str) -> None:
    clinic = Clinic(url, gateways=())
    ann, vendor = clinic.enrolled(), FakeGateway()
    clinic.negative(ann)
    clinic.later(days=4)
    clinic.add_gateway("cards")
    clinic.negative(ann, day=4)
    as_release_1(url)
    upgraded(url)
    done = clinic.dispatcher(vendor).deliver()
    assert [(each.status, each.note) for each in done] == [
        ("by hand", "the site has no gateway for it"),
        ("over", "handed over"),
    ]
    assert len(vendor.orders) == 1
    assert clinic.engine.verify().is_clean


def test_a_database_that_is_up_to_date_gets_nothing_twice(url: str) -> None:
    clinic = Clinic(url)
    clinic.negative(clinic.enrolled())
    before = work(clinic.engine)
    upgraded(url)
    assert work(clinic.engine) == before
