"""A simulator in this process, and a merchant with its own keys and its own client."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from antom_refunds.antom.antom_client import AntomClient, MerchantAccount
from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.signing import SignedMessage, sign
from antom_refunds.simulator.accounts import AntomMerchant
from antom_refunds.simulator.control_client import SimulatorClient
from antom_refunds.simulator.server import create_app
from antom_refunds.simulator.simulator import AntomSimulator
from tests.simulator.harness import CLIENT_ID, REFUND_PATH, FakeClock, MerchantWebhook


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def webhook() -> MerchantWebhook:
    return MerchantWebhook()


@pytest.fixture(scope="session")
def merchant(merchant_keys: tuple[Path, Path]) -> AntomMerchant:
    return AntomMerchant(client_id=CLIENT_ID, public_keys={"1": merchant_keys[1].read_text()})


@pytest.fixture
async def simulator(
    antom_keys: tuple[Path, Path],
    merchant: AntomMerchant,
    clock: FakeClock,
    webhook: MerchantWebhook,
) -> AsyncIterator[AntomSimulator]:
    simulator = AntomSimulator(
        read_private_key(antom_keys[0]),
        now=lambda: clock.now,
        sleep=clock.sleep,
        transport=httpx.MockTransport(webhook),
    )
    async with simulator:
        simulator.register(merchant)
        yield simulator


@pytest.fixture
def app(simulator: AntomSimulator) -> Starlette:
    return create_app(simulator)


@pytest.fixture(scope="session")
def account(merchant_keys: tuple[Path, Path], antom_keys: tuple[Path, Path]) -> MerchantAccount:
    keys = KeyRing(merchant_keys[0], [antom_keys[1]])
    return MerchantAccount(client_id=CLIENT_ID, keys=keys, gateway="http://antom.test")


@pytest.fixture
async def antom(
    app: Starlette, account: MerchantAccount, clock: FakeClock
) -> AsyncIterator[AntomClient]:
    """The product's client, calling the simulator with real signatures both ways."""
    transport = httpx.ASGITransport(app)
    async with AntomClient(account, transport=transport, now=lambda: clock.now) as antom:
        yield antom


@pytest.fixture
async def control(app: Starlette) -> AsyncIterator[SimulatorClient]:
    transport = httpx.ASGITransport(app)
    async with SimulatorClient("http://antom.test", transport=transport) as control:
        yield control


@pytest.fixture
async def http(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Bare HTTP, for calls that the product's client never makes."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://antom.test") as http:
        yield http


@pytest.fixture(scope="session")
def signed(merchant_keys: tuple[Path, Path]) -> Callable[..., dict[str, str]]:
    """The headers of a call with this body, signed by the merchant."""
    key = read_private_key(merchant_keys[0])

    def headers(
        body: bytes, *, path: str = REFUND_PATH, client_id: str = CLIENT_ID, version: str = "1"
    ) -> dict[str, str]:
        signed = SignedMessage(path=path, client_id=client_id, time="1789531200000", body=body)
        return {
            "content-type": "application/json; charset=UTF-8",
            "client-id": client_id,
            "request-time": signed.time,
            "signature": sign(signed, key, key_version=version),
        }

    return headers
