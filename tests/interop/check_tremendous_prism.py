"""The adapter of Tremendous against Prism, which serves the contract of the vendor's own library and checks every request."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from cm_engine.gateways import Answer, Outcome
from cm_engine.testing.gateway import ORDER
from cm_engine_adapters.payout.tremendous import TremendousGateway
from tests.interop import contract
from tests.interop.fetching import CACHE, SECONDS_MAX
from tests.receivers import free_port

PRISM = "@stoplight/prism-cli@5.14.2"
STARTS_IN = 180.0
EXAMPLE = "Your-Individual-Identifier-for-This-Order"
"""What the library gives as the example of an `external_id`, with which Prism answers whatever was asked."""


@pytest.fixture(scope="session")
def prism() -> Path:
    """The program; fetched by npm where it is not there."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("Prism comes by npm and runs by node, which are not installed")
    folder = CACHE / "prism"
    program = folder / "node_modules" / ".bin" / "prism"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        quickly = ["--silent", "--no-audit", "--no-fund", "--fetch-retries=0"]
        command = ["npm", "install", *quickly, "--prefix", str(folder), PRISM]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=SECONDS_MAX)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"Prism cannot be fetched by npm ({type(error).__name__})")
    return program


@pytest.fixture(scope="session")
def url(prism: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where Prism serves the contract."""
    file = tmp_path_factory.mktemp("contract") / "tremendous.json"
    file.write_text(json.dumps(contract.document()), "utf-8")
    port = free_port()
    command = [str(prism), "mock", "-h", "127.0.0.1", "-p", str(port), str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        address = f"http://127.0.0.1:{port}"
        try:
            _await(address)
            yield address
        finally:
            running.terminate()


def _await(address: str) -> None:
    until = monotonic() + STARTS_IN
    while monotonic() < until:
        try:
            httpx.get(f"{address}/orders", timeout=5)
        except httpx.HTTPError:
            sleep(0.2)
        else:
            return
    pytest.fail(f"Prism does not answer after {STARTS_IN} seconds")


def gateway_to(url: str, prefer: str = "", **told: Any) -> TremendousGateway:
    made = TremendousGateway(
        **{"key": "TEST_1", "funding": "BALANCE", "campaign": "IVM0I3WNJJL0", "url": url, **told}
    )
    if prefer:
        made._api.api_client.set_default_header("Prefer", prefer)  # noqa: SLF001 - Prism answers as this says
    return made


def sent(url: str, prefer: str = "", **told: Any) -> Answer:
    gateway = gateway_to(url, prefer, **told)
    answer = gateway.send(ORDER._replace(id=EXAMPLE, handle="a@example.org"))
    gateway.close()
    return answer


def test_the_contract_has_every_operation_of_the_library() -> None:
    document = contract.document()
    verbs = [verb for path in document["paths"].values() for verb in path]
    assert len(verbs) == len(contract.operations()) > 60
    assert {*document["paths"]["/orders"]["post"]["responses"]} >= {"200", "201", "402", "409", "422", "429"}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"campaign": None, "products": {"": ["OKMHM2X2OHYV"]}},
        {"delivery": "email"},
        {"delivery": "phone"},
    ],
)
def test_an_order_is_as_the_contract_wants_it(url: str, told: dict[str, Any]) -> None:
    answer = sent(url, **told)
    assert answer.outcome == Outcome.CREATED, answer
    assert answer.reference == "SOMEIDSOMEID"


def test_prism_refuses_what_is_not_as_the_contract_wants_it(url: str) -> None:
    headers = {"authorization": "Bearer TEST_1"}
    assert httpx.post(f"{url}/orders", json={"external_id": "a"}, headers=headers).status_code == 422
    assert httpx.post(f"{url}/orders", json={"external_id": "a"}).status_code == 401


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (200, Outcome.CREATED),
        (201, Outcome.REPLAYED),
        (400, Outcome.REJECTED),
        (401, Outcome.REJECTED),
        (402, Outcome.REJECTED),
        (409, Outcome.CONFLICT),
        (422, Outcome.REJECTED),
        (429, Outcome.RETRY_LATER),
        (500, Outcome.UNKNOWN),
    ],
)
def test_every_answer_of_the_contract_has_its_meaning(url: str, code: int, outcome: Outcome) -> None:
    answer = sent(url, f"code={code}")
    assert answer.outcome == outcome, answer


@pytest.mark.parametrize("seed", range(5))
def test_an_order_of_the_contract_with_any_content_is_read_and_never_taken_for_given_unless_it_says_so(
    url: str, seed: int
) -> None:
    answer = sent(url, f"dynamic=true, code=200, seed={seed}")
    assert answer.outcome in {Outcome.CREATED, Outcome.UNKNOWN}
    assert answer.outcome == Outcome.UNKNOWN or not answer.is_given


def test_an_order_is_read_back_and_one_that_is_not_there_is_told_apart(url: str) -> None:
    found = gateway_to(url).find(EXAMPLE)
    assert found is not None
    assert found.outcome == Outcome.REPLAYED
    assert gateway_to(url, "code=404").find(EXAMPLE) is None
    for code in (401, 429, 500):
        unclear = gateway_to(url, f"code={code}").find(EXAMPLE)
        assert unclear is not None
        assert unclear.outcome == Outcome.UNKNOWN


def test_a_link_is_made_as_the_contract_wants_it(url: str) -> None:
    assert gateway_to(url).link(EXAMPLE).startswith("https://")
