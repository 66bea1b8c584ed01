"""Gateways made from a file: all that is wrong with it is told at its place, and no secret stands in it or in a message."""

from collections.abc import Mapping
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from cm_engine.delivery import configuring
from cm_engine.delivery.configuring import kinds, load_gateways, parse_gateways
from cm_engine.delivery.settings import GatewaySettings, Sources
from cm_engine.errors import AmbiguousNameError, GatewaysError, MissingDependencyError
from cm_engine_adapters.payout.stripe_issuing import StripeIssuingGateway
from cm_engine_adapters.payout.tremendous import TremendousGateway
from cm_engine_adapters.payout.webhook import WebhookGateway

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # noqa: S105 - of a test
ENVIRON = {"TREMENDOUS_KEY": "TEST_1", "STRIPE_KEY": "sk_test_1", "PAY_SECRET": SECRET}
FILE = """
gateways:
  cards:
    kind: tremendous
    key: {env: TREMENDOUS_KEY}
    funding: BALANCE
    campaign: IVM0I3WNJJL0
    products: {grocery: [OKMHM2X2OHYV]}
    least: 5.00
    most: 100
  plastic:
    kind: stripe-issuing
    key: {env: STRIPE_KEY}
  own:
    kind: webhook
    url: https://pay.example.org/orders
    secret: {file: pay-secret}
    units: [USD, point]
    amounts: [5, 10.50]
"""


def refused(text: str, environ: Mapping[str, str] = ENVIRON) -> list[str]:
    """Return what is wrong with a text, a line each."""
    with pytest.raises(GatewaysError) as error:
        parse_gateways(text, environ, name="a.yaml")
    return str(error.value).splitlines()


def one(*lines: str) -> str:
    """Return a file of one gateway."""
    return "gateways:\n  cards:\n" + "\n".join(f"    {line}" for line in lines)


TREMENDOUS = ("kind: tremendous", "key: {env: TREMENDOUS_KEY}", "funding: BALANCE", "campaign: IVM0I3WNJJL0")


def test_a_file_makes_each_gateway_by_its_name_with_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "pay-secret").write_text(f"{SECRET}\n", "utf-8")
    (tmp_path / "gateways.yaml").write_text(FILE, "utf-8")
    made = load_gateways(tmp_path / "gateways.yaml", ENVIRON)
    assert {name: type(each) for name, each in made.items()} == {
        "cards": TremendousGateway,
        "plastic": StripeIssuingGateway,
        "own": WebhookGateway,
    }
    cards: Any
    own: Any
    cards, own = made["cards"].capabilities, made["own"].capabilities
    assert (cards.least, cards.most, cards.products) == (Decimal("5.00"), Decimal(100), {"", "grocery"})
    assert (own.units, own.denominations) == ({"USD", "point"}, {Decimal(5), Decimal("10.50")})


def test_our_kinds_are_found_as_a_strangers_are() -> None:
    assert {"cabinet", "manual", "stripe-issuing", "tremendous", "vouchers", "webhook"} <= {*kinds()}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a.yaml:1:1: error: the key 'gateways' is missing"),
        ("gateways: {}", "a.yaml:1:11: error: gateways: expected something here, got nothing"),
        ("gateways: [cards]", "a.yaml:1:11: error: gateways: expected keys with values, got a list"),
        ("gateways:\n  cards: {}", "a.yaml:2:3: error: gateways.cards: the key 'kind' is missing"),
        (
            "gateways:\n  My Cards: {kind: webhook}",
            "a.yaml:2:3: error: gateways.My Cards: expected small letters, digits and hyphens",
        ),
        (
            one("kind: tremendos"),
            "a.yaml:3:11: error: gateways.cards.kind: nothing installed is of this kind",
        ),
        (one("kind: tremendos"), "did you mean 'tremendous'?"),
        (one(*TREMENDOUS, "sender: 7"), "a.yaml:7:13: error: gateways.cards.sender: expected text, got 7"),
        (
            one(*TREMENDOUS, "camapign: X"),
            "a.yaml:7:5: error: gateways.cards.camapign: unknown key; did you mean 'campaign'?",
        ),
        (
            one(*TREMENDOUS, "delivery: fax"),
            "a.yaml:7:15: error: gateways.cards.delivery: expected link, email",
        ),
        (
            one(*TREMENDOUS, "currencies: [UDS]"),
            "a.yaml:7:18: error: gateways.cards.currencies.0: 'UDS' is not",
        ),
        (
            one(*TREMENDOUS, "least: -5"),
            "a.yaml:7:12: error: gateways.cards.least: expected an amount of 0 or more",
        ),
        (
            one(*TREMENDOUS, "sender: My Clinic"),
            "a.yaml:7:13: error: gateways.cards.sender: it says 'clinic'",
        ),
        (one(*TREMENDOUS[:3]), "a.yaml:2:3: error: gateways.cards.campaign: expected one, or products"),
        (
            one("kind: webhook", "secret: {env: PAY_SECRET}"),
            "a.yaml:2:3: error: gateways.cards: the key 'url' is missing",
        ),
        (
            one("kind: webhook", "secret: {env: PAY_SECRET}", "url: http://pay.example.org"),
            "a.yaml:5:10: error: gateways.cards.url: expected https://..., and http only on this machine",
        ),
        (
            one("kind: stripe-issuing", "key: {env: STRIPE_KEY}", "mode: live"),
            "a.yaml:4:10: error: gateways.cards.key: expected one of the mode live",
        ),
        (f"{one(*TREMENDOUS)}\nlimits: 5", "a.yaml:7:1: error: limits: unknown key"),
        ("gateways:\n  cards: {kind: webhook", "a.yaml:2:24: error: this is not YAML"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(text: str, problem: str) -> None:
    assert any(problem in line for line in refused(text)), refused(text)


def test_all_problems_of_all_gateways_are_told_at_once() -> None:
    found = refused(f"{one(*TREMENDOUS, 'sender: 7')}\n  own: {{kind: webhook}}\n  more: {{kind: none}}")
    assert len(found) == 4
    assert [line.split(":")[1] for line in found] == ["7", "8", "8", "9"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("TEST_abcdef", "4:10: error: gateways.cards.key: expected {env: NAME} or {file: PATH}"),
        (
            "{env: TEST_abcdef}",
            "4:16: error: gateways.cards.key.env: the environment has nothing under this name",
        ),
        ("{file: TEST_abcdef}", "4:17: error: gateways.cards.key.file: this file is not there, or empty"),
        (
            "{env: A, file: TEST_abcdef}",
            "4:10: error: gateways.cards.key: expected {env: NAME} or {file: PATH}",
        ),
        ("{env: 7}", "4:16: error: gateways.cards.key.env: expected a name"),
        ("{}", "4:10: error: gateways.cards.key: expected {env: NAME} or {file: PATH}"),
    ],
)
def test_a_secret_stands_elsewhere_and_no_message_repeats_what_stood_here(said: str, problem: str) -> None:
    [found] = refused(one("kind: tremendous", f"key: {said}", *TREMENDOUS[2:]))
    assert problem in found
    assert "TEST_abcdef" not in found


def test_settings_show_no_secret() -> None:
    settings = TremendousGateway.Settings.model_validate(
        {"kind": "tremendous", "key": {"env": "KEY"}, "funding": "BALANCE"},
        context=Sources({"KEY": "TEST_abcdef"}, Path()),
    )
    assert "TEST_abcdef" not in repr(settings)
    assert settings.arguments()["key"] == "TEST_abcdef"


def test_a_file_that_is_not_there_or_not_in_utf_8_is_a_problem_with_a_place(tmp_path: Path) -> None:
    file = tmp_path / "gateways.yaml"
    with pytest.raises(GatewaysError, match=r"gateways\.yaml:1:1: error: there is no such file"):
        load_gateways(file, {})
    file.write_bytes(b"gateways:\n  \xff")
    with pytest.raises(GatewaysError, match=r"gateways\.yaml:2:3: error: this is not text in UTF-8"):
        load_gateways(file, {})


class DrawerSettings(GatewaySettings):
    """What a file says of a stranger's gateway."""

    label: str = ""


class Drawer:
    """A stranger's gateway."""

    Settings = DrawerSettings

    def __init__(self, *, label: str) -> None:
        self.label = label


def offering(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    """Have packages installed that offer a kind called drawer."""
    offers = [EntryPoint("drawer", value, configuring.GROUP) for value in values]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: offers)


def test_a_strangers_kind_is_made_from_the_file_as_ours_are(monkeypatch: pytest.MonkeyPatch) -> None:
    offering(monkeypatch, f"{__name__}:Drawer")
    top: Any = parse_gateways("gateways: {top: {kind: drawer, label: blue}}", {})["top"]
    assert (type(top), top.label) == (Drawer, "blue")


def test_a_kind_that_says_no_settings_is_not_made_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    offering(monkeypatch, f"{__name__}:offering")
    with pytest.raises(
        GatewaysError, match=r"1:24: error: gateways\.top\.kind: no file can describe a drawer"
    ):
        parse_gateways("gateways: {top: {kind: drawer}}", {})


def test_two_packages_that_offer_one_kind_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    offering(monkeypatch, "a:Drawer", "b:Drawer")
    with pytest.raises(AmbiguousNameError, match="a:Drawer and b:Drawer"):
        parse_gateways("gateways: {top: {kind: drawer}}", {})


def test_a_kind_whose_package_is_not_installed_says_which_extra_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offering(monkeypatch, "no_such_package:Drawer")
    with pytest.raises(MissingDependencyError, match="no_such_package"):
        parse_gateways("gateways: {top: {kind: drawer}}", {})
