"""The health pages of a worker."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from antom_refunds.antom.antom_client import AntomClient
from antom_refunds.merchants import build_clients
from antom_refunds.settings import MerchantSettings, Settings
from worker import Health

KeyFiles = tuple[Path, Path]


class StalledClient(AntomClient):
    """A client whose pool is stalled."""

    pool_is_stalled = True


@pytest.fixture
async def clients(
    merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> AsyncIterator[dict[str, AntomClient]]:
    merchants = {
        name: MerchantSettings(
            client_id=name,
            private_key_file=merchant_keys[0],
            antom_public_key_files=[antom_keys[1]],
        )
        for name in ("shop", "kiosk")
    }
    built = dict(build_clients(Settings(merchants=merchants)))
    yield built
    for client in built.values():
        await client.aclose()


async def readiness(health: Health) -> tuple[int, dict[str, object]]:
    transport = httpx.ASGITransport(health.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as http:
        response = await http.get("/ready")
    return response.status_code, response.json()


async def test_a_worker_is_ready_while_temporal_answers(
    clients: dict[str, AntomClient], dev_server: WorkflowEnvironment
) -> None:
    health = Health(clients)
    before = await readiness(health)
    health.temporal = dev_server.client

    assert before == (503, {"status": "Temporal is unavailable"})
    assert await readiness(health) == (200, {"status": "ok"})


async def test_a_worker_with_a_stalled_pool_is_not_ready_and_names_the_merchant(
    clients: dict[str, AntomClient], dev_server: WorkflowEnvironment
) -> None:
    health = Health(clients)
    health.temporal = dev_server.client
    # The cause of this state is tested with the client.
    clients["kiosk"].__class__ = StalledClient

    code, body = await readiness(health)

    assert (code, body["merchants"]) == (503, ["kiosk"])
    assert "stuck" in str(body["status"])
