"""What pays a program has to be what it asks for, and that is looked at before anything is paid."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from cm_engine import ChannelError, Engine, canonical, digest, parse_program
from cm_engine.delivery.channels import paid_in
from cm_engine.gateways import Capabilities, Order, misfit, unmet
from cm_engine.program.rewards import Channel
from cm_engine.testing.gateway import FakeGateway
from cm_engine_adapters.payout.stripe_issuing import BLOCKED, CASH, StripeIssuingGateway
from tests.test_delivery import OPENED, PROGRAM, START, Clinic

WANTS = "payout: {channel: {blocks: [alcohol, tobacco], cash: false}}\n"
STRICT = PROGRAM + WANTS
USD = frozenset({"USD"})
SHOPS = Capabilities(USD, blocks="category", blocked=frozenset({"alcohol", "tobacco"}))
MONEY = Capabilities(USD, is_cash=True)

SAID = (
    "program cards@1 at site 'north' has to be paid in USD by a gateway that blocks alcohol and tobacco by category "
    "and gives no cash: cards hands over USD, blocks nothing and can be turned into cash\n"
    "give the site a gateway that is, or the program another site; nothing is changed"
)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    yield f"sqlite:///{tmp_path / 'clinic.db'}"
    while OPENED:
        OPENED.pop().close()


def fake(able: Capabilities) -> FakeGateway:
    return FakeGateway(capabilities=able)


def enrolled(clinic: Clinic, site: str = "north", program: str = "cards", who: str = "p-1") -> str:
    told: dict[str, Any] = {"site": site} if site else {}
    return clinic.engine.enroll(
        participant=who, program=program, start=START, by="nurse-7", id=f"e-{who}", **told
    ).id


# The rule


@pytest.mark.parametrize(
    ("able", "why"),
    [
        (SHOPS, ""),
        (SHOPS._replace(blocks="item"), ""),
        (SHOPS._replace(is_cash=True), "it can be turned into cash"),
        (SHOPS._replace(blocks="nothing"), "it blocks nothing"),
        (SHOPS._replace(blocked=frozenset({"tobacco"})), "it does not block alcohol"),
        (Capabilities(USD), "it blocks nothing"),
    ],
)
def test_a_gateway_is_what_a_program_asks_for_if_it_blocks_all_of_it_and_gives_no_cash(
    able: Capabilities, why: str
) -> None:
    channel = Channel(blocks=("alcohol", "tobacco"), cash=False)
    assert unmet(able, channel) == why
    assert misfit(able, Order("1", Decimal(10), "USD"), channel) == why
    assert not unmet(able, None)


def test_who_asks_for_items_is_not_content_with_kinds_of_shops() -> None:
    channel = Channel(blocks=("alcohol",), by="item")
    assert unmet(SHOPS, channel) == "it blocks by category only"
    assert not unmet(SHOPS._replace(blocks="item"), channel)


def test_a_program_that_asks_for_nothing_has_the_canonical_form_it_always_had() -> None:
    plain, strict = parse_program(PROGRAM), parse_program(STRICT)
    assert "channel" not in canonical(plain)
    assert digest(plain) != digest(strict)
    assert parse_program(canonical(strict)) == strict


def test_what_has_to_be_handed_over_is_what_is_won_and_not_what_it_is_won_with() -> None:
    assert paid_in(parse_program(PROGRAM)) == ["USD"]
    tickets = PROGRAM.replace("fixed: 10.00", "unit: ticket, fixed: 1")
    bowl = "bowls: {ticket: {slips: {small: {count: 5, value: 1}}}}\n"
    assert paid_in(parse_program(tickets)) == ["ticket"]
    assert paid_in(parse_program(tickets + bowl)) == ["USD"]


def test_a_card_of_stripe_declares_what_no_shop_sells_where_it_can_be_used() -> None:
    some = tuple(each for each in BLOCKED if each != "drinking_places")
    food = ("grocery_stores_supermarkets", "cigar_stores_and_stands")
    made = [
        StripeIssuingGateway(key="sk_test_1", **told) for told in ({}, {"blocked": some}, {"allowed": food})
    ]
    assert [sorted(each.capabilities.blocked) for each in made] == [
        ["alcohol", "gambling", "tobacco"],
        ["gambling", "tobacco"],
        ["alcohol", "gambling"],
    ]
    assert {*CASH} < {*BLOCKED}


# Where it is asked


def test_a_dispatcher_is_not_made_with_gateways_that_are_not_what_a_program_asks_for(url: str) -> None:
    clinic = Clinic(url, program=STRICT)
    clinic.dispatcher(fake(MONEY))  # nobody is paid by it yet
    enrolled(clinic)
    with pytest.raises(ChannelError) as error:
        clinic.dispatcher(fake(MONEY))
    assert str(error.value) == SAID
    clinic.dispatcher(fake(SHOPS))


def test_a_currency_or_a_thing_that_no_gateway_of_the_site_hands_over_counts_too(url: str) -> None:
    clinic = Clinic(url, gateways=("cards", "more"))
    enrolled(clinic)
    euros, points = Capabilities(frozenset({"EUR"})), Capabilities(frozenset({"point"}))
    with pytest.raises(ChannelError) as error:
        clinic.engine.dispatcher({"cards": fake(euros), "more": fake(points)})
    assert error.value.mismatches == (
        (
            "program cards@1 at site 'north' has to be paid in USD: cards hands over EUR, blocks nothing and gives no cash; "
            "more hands over point, blocks nothing and gives no cash"
        ),
    )


@pytest.mark.parametrize("of", ["a gateway that is not known here", "an enrollment that is over", "no site"])
def test_what_cannot_be_told_or_is_over_is_not_refused(url: str, of: str) -> None:
    clinic = Clinic(url, program=STRICT)
    if of == "a gateway that is not known here":
        clinic.add_gateway("elsewhere")
    enrollment = enrolled(clinic, site="" if of == "no site" else "north")
    if of == "an enrollment that is over":
        gone: dict[str, Any] = {"why": "moved", "source": "desk", "key": "d-1", "by": "nurse-7"}
        clinic.engine.discharge(enrollment=enrollment, on=START, **gone)
        clinic.later(days=2)
    clinic.dispatcher(fake(MONEY))


@pytest.mark.parametrize("act", ["enroll", "transfer", "migrate", "add_gateway"])
def test_an_engine_that_knows_its_gateways_refuses_what_brings_a_program_and_a_wrong_one_together(
    url: str, act: str
) -> None:
    clinic = Clinic(url, gateways=() if act == "add_gateway" else ("cards",))
    engine = clinic.engine.with_gateways({"cards": fake(MONEY)})
    said: dict[str, Any] = {"source": "office", "by": "nurse-7"}
    engine.add_program(parse_program(STRICT.replace("program: cards", "program: strict")))
    engine.add_program(parse_program(STRICT.replace('version: "1"', 'version: "2"')))
    if act != "enroll":
        site = {"transfer": "", "migrate": "north", "add_gateway": "north"}[act]
        enrolled(clinic, site, "cards@1" if act == "migrate" else "strict")
    acts: dict[str, Callable[[], object]] = {
        "enroll": lambda: enrolled(clinic, program="strict"),
        "transfer": lambda: engine.transfer(
            enrollment="e-p-1", to="north", on=START, why="moved", key="t-1", **said
        ),
        "migrate": lambda: engine.migrate(
            enrollment="e-p-1", program="cards@2", on=START, why="new", key="m-1", **said
        ),
        "add_gateway": lambda: clinic.add_gateway("cards"),
    }
    before = engine.enrollments()
    with pytest.raises(ChannelError, match="at site 'north' has to be paid in USD by a gateway that blocks"):
        acts[act]()
    assert engine.enrollments() == before
    if act == "enroll":  # under the id that was refused
        assert enrolled(clinic, program="cards@1") == "e-p-1"
        assert engine.enrollment("e-p-1").program == digest(parse_program(PROGRAM))
    assert engine.verify().is_clean


def test_an_engine_is_not_told_of_gateways_by_which_somebody_is_paid_wrongly_already(url: str) -> None:
    clinic = Clinic(url, program=STRICT)
    enrolled(clinic)
    with pytest.raises(ChannelError, match="program cards@1 at site 'north'"):
        clinic.engine.with_gateways({"cards": fake(MONEY)})


def test_a_payout_goes_by_the_first_gateway_that_is_what_its_program_asks_for(url: str) -> None:
    clinic = Clinic(url, program=STRICT, gateways=("money", "cards"))
    clinic.negative(enrolled(clinic))
    money, shops = fake(MONEY), fake(SHOPS)
    [done] = clinic.engine.dispatcher({"money": money, "cards": shops}).deliver()
    assert (done.gateway, done.status, len(money.calls)) == ("cards", "over", 0)


def test_a_gateway_that_came_to_the_site_after_the_dispatcher_began_pays_nothing_it_may_not(url: str) -> None:
    clinic = Clinic(url, program=STRICT)
    money = fake(MONEY)
    dispatcher = clinic.dispatcher(money)
    clinic.negative(enrolled(clinic))
    [stuck] = dispatcher.deliver()
    assert (stuck.status, stuck.note, money.calls) == ("stuck", "cards: it blocks nothing", [])


def test_in_a_transaction_of_the_host_the_same_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'clinic.db'}"
    clinic = Clinic(url, program=STRICT)
    engine: Engine = clinic.engine.with_gateways({"cards": fake(MONEY)})
    database = create_engine(url)
    with database.begin() as connection, pytest.raises(ChannelError):
        engine.joining(connection).enroll(
            participant="p-1", program="cards", start=date(2026, 1, 5), by="nurse-7", site="north"
        )
    database.dispose()
    engine.close()
