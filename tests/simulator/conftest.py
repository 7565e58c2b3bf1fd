"""A simulator in this process, and a merchant with its own keys and its own client."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from antom_refunds.antom.client import Account, AntomClient
from antom_refunds.antom.key_files import read_private_key
from antom_refunds.antom.keys import KeyRing
from antom_refunds.antom.signing import Signed, sign
from antom_refunds.simulator.accounts import Client
from antom_refunds.simulator.app import create_app
from antom_refunds.simulator.remote import SimulatorRemote
from antom_refunds.simulator.world import World
from tests.simulator.stage import CLIENT_ID, REFUND_PATH, Merchant, Timeline


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()


@pytest.fixture
def merchant() -> Merchant:
    return Merchant()


@pytest.fixture(scope="session")
def client(merchant_keys: tuple[Path, Path]) -> Client:
    return Client(client_id=CLIENT_ID, public_keys={"1": merchant_keys[1].read_text()})


@pytest.fixture
async def world(
    antom_keys: tuple[Path, Path], client: Client, timeline: Timeline, merchant: Merchant
) -> AsyncIterator[World]:
    world = World(
        read_private_key(antom_keys[0]),
        now=lambda: timeline.now,
        sleep=timeline.sleep,
        transport=httpx.MockTransport(merchant),
    )
    async with world:
        world.register(client)
        yield world


@pytest.fixture
def app(world: World) -> Starlette:
    return create_app(world)


@pytest.fixture(scope="session")
def account(merchant_keys: tuple[Path, Path], antom_keys: tuple[Path, Path]) -> Account:
    keys = KeyRing(merchant_keys[0], [antom_keys[1]])
    return Account(client_id=CLIENT_ID, keys=keys, gateway="http://antom.test")


@pytest.fixture
async def antom(app: Starlette, account: Account, timeline: Timeline) -> AsyncIterator[AntomClient]:
    """Our own client, calling the simulator with real signatures both ways."""
    transport = httpx.ASGITransport(app)
    async with AntomClient(account, transport=transport, now=lambda: timeline.now) as client:
        yield client


@pytest.fixture
async def remote(app: Starlette) -> AsyncIterator[SimulatorRemote]:
    transport = httpx.ASGITransport(app)
    async with SimulatorRemote("http://antom.test", transport=transport) as remote:
        yield remote


@pytest.fixture
async def http(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Bare HTTP, for calls that our client would never make."""
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
        signed = Signed(path=path, client_id=client_id, time="1789531200000", body=body)
        return {
            "content-type": "application/json; charset=UTF-8",
            "client-id": client_id,
            "request-time": signed.time,
            "signature": sign(signed, key, key_version=version),
        }

    return headers
