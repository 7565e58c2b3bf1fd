"""The simulator as a process: its configuration, its address, its end."""

import asyncio
import json
import logging
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from antom_refunds.antom.key_files import KeyFileError
from antom_refunds.simulator.__main__ import main
from antom_refunds.simulator.background import Background
from antom_refunds.simulator.config import ClientConfig, SimulatorConfig
from antom_refunds.simulator.remote import SimulatorRemote
from antom_refunds.simulator.server import listening
from antom_refunds.simulator.world import World
from tests.simulator.stage import CLIENT_ID, a_payment


def _config(antom_keys: tuple[Path, Path], merchant_keys: tuple[Path, Path]) -> dict[str, Any]:
    return {
        "antom_private_key_file": str(antom_keys[0]),
        "port": 0,
        "clients": [{"client_id": CLIENT_ID, "public_key_file": str(merchant_keys[1])}],
        "payments": [a_payment().model_dump(mode="json")],
    }


@pytest.mark.parametrize("is_signed", [False, True])
async def test_a_configured_world_signs_gate_refusals_if_told_to(
    antom_keys: tuple[Path, Path],
    merchant_keys: tuple[Path, Path],
    is_signed: bool,  # noqa: FBT001 - parametrized
) -> None:
    told = {**_config(antom_keys, merchant_keys), "signs_gate_refusals": is_signed}

    async with SimulatorConfig.model_validate(told).world() as world:
        assert world.signs_gate_refusals is is_signed


async def test_a_configured_world_knows_its_clients_and_payments(
    antom_keys: tuple[Path, Path], merchant_keys: tuple[Path, Path]
) -> None:
    config = SimulatorConfig.model_validate(_config(antom_keys, merchant_keys))

    async with config.world() as world:
        assert world.gate.client(CLIENT_ID)
        assert world.ledger.books.payment(CLIENT_ID, "pay_1")


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "example.com"])  # noqa: S104
def test_a_simulator_stays_on_this_machine_unless_told_otherwise(host: str) -> None:
    with pytest.raises(ValidationError, match="loopback"):
        SimulatorConfig(antom_private_key_file=Path("key"), host=host)

    config = SimulatorConfig(antom_private_key_file=Path("key"), host=host, loopback_only=False)
    assert config.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_has_several_names(host: str) -> None:
    assert SimulatorConfig(antom_private_key_file=Path("key"), host=host).port == 8870


def test_a_client_without_its_key_file_is_refused(tmp_path: Path) -> None:
    config = ClientConfig(client_id=CLIENT_ID, public_key_file=tmp_path / "missing.pem")

    with pytest.raises(KeyFileError, match=r"missing\.pem"):
        config.client()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_server_answers_at_the_address_it_names(world: World, host: str) -> None:
    async with listening(world, host=host) as address, SimulatorRemote(address) as remote:
        await remote.wait_until_ready()

        assert (await remote.ledger()).refunds == ()


async def test_nobody_waits_for_ever_for_a_simulator_that_is_not_there() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    transport = httpx.MockTransport(refuse)
    async with SimulatorRemote("http://127.0.0.1", transport=transport) as remote:
        with pytest.raises(TimeoutError):
            await remote.wait_until_ready(within=timedelta(milliseconds=80))


async def test_the_process_serves_until_it_is_told_to_stop(
    tmp_path: Path, antom_keys: tuple[Path, Path], merchant_keys: tuple[Path, Path]
) -> None:
    file = tmp_path / "simulator.json"
    file.write_text(json.dumps(_config(antom_keys, merchant_keys)))

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "antom_refunds.simulator",
        str(file),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    lines = [await process.stderr.readline()]
    while b"simulator.listening" not in lines[-1]:
        lines.append(await process.stderr.readline())
    process.send_signal(signal.SIGINT)
    await process.communicate()

    assert process.returncode == 0


def test_the_process_says_what_is_wrong_with_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "simulator.json"

    assert main([]) == "usage: python -m antom_refunds.simulator CONFIG.json"
    assert "No such file" in (main([str(file)]) or "")
    file.write_text("{}")
    assert "antom_private_key_file: is required" in (main([str(file)]) or "")
    file.write_text(json.dumps({"antom_private_key_file": str(tmp_path / "missing.pem")}))
    assert "missing.pem" in (main([str(file)]) or "")


async def test_what_breaks_in_the_background_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise RuntimeError

    background = Background()

    with caplog.at_level(logging.ERROR):
        background.start(broken())
        await background.idle()
        await asyncio.sleep(0)

    assert [record.message for record in caplog.records] == ["background.failed"]


async def test_closing_a_world_stops_what_is_going_on() -> None:
    background = Background()
    background.start(asyncio.Event().wait())  # type: ignore[arg-type]

    await background.aclose()
    await background.idle()
