"""The simulator as a process: its configuration, its address, its shutdown."""

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
from antom_refunds.simulator.config import MerchantConfig, SimulatorConfig
from antom_refunds.simulator.control_client import SimulatorClient
from antom_refunds.simulator.server import serve_simulator
from antom_refunds.simulator.settlement import BackgroundTasks
from antom_refunds.simulator.simulator import AntomSimulator
from tests.simulator.harness import CLIENT_ID, a_payment


def _config(antom_keys: tuple[Path, Path], merchant_keys: tuple[Path, Path]) -> dict[str, Any]:
    return {
        "antom_private_key_file": str(antom_keys[0]),
        "port": 0,
        "merchants": [{"client_id": CLIENT_ID, "public_key_file": str(merchant_keys[1])}],
        "payments": [a_payment().model_dump(mode="json")],
    }


@pytest.mark.parametrize("is_signed", [False, True])
async def test_gate_refusals_are_signed_if_configured(
    antom_keys: tuple[Path, Path],
    merchant_keys: tuple[Path, Path],
    is_signed: bool,  # noqa: FBT001 - parametrized
) -> None:
    fields = {**_config(antom_keys, merchant_keys), "signs_gate_refusals": is_signed}

    async with SimulatorConfig.model_validate(fields).build_simulator() as simulator:
        assert simulator.signs_gate_refusals is is_signed


async def test_configured_merchants_and_payments_are_known(
    antom_keys: tuple[Path, Path], merchant_keys: tuple[Path, Path]
) -> None:
    config = SimulatorConfig.model_validate(_config(antom_keys, merchant_keys))

    async with config.build_simulator() as simulator:
        assert simulator.authenticator.merchant(CLIENT_ID)
        assert simulator.ledger.store.payment(CLIENT_ID, "pay_1")


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "example.com"])  # noqa: S104
def test_only_a_loopback_host_is_accepted_by_default(host: str) -> None:
    with pytest.raises(ValidationError, match="loopback"):
        SimulatorConfig(antom_private_key_file=Path("key"), host=host)

    config = SimulatorConfig(antom_private_key_file=Path("key"), host=host, loopback_only=False)
    assert config.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_every_loopback_host_is_accepted(host: str) -> None:
    assert SimulatorConfig(antom_private_key_file=Path("key"), host=host).port == 8870


def test_a_merchant_without_its_key_file_is_rejected(tmp_path: Path) -> None:
    config = MerchantConfig(client_id=CLIENT_ID, public_key_file=tmp_path / "missing.pem")

    with pytest.raises(KeyFileError, match=r"missing\.pem"):
        config.merchant()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_server_responds_at_the_address_it_yields(
    simulator: AntomSimulator, host: str
) -> None:
    async with (
        serve_simulator(simulator, host=host) as address,
        SimulatorClient(address) as control,
    ):
        await control.wait_until_ready()

        assert (await control.ledger()).refunds == ()


async def test_waiting_for_an_unavailable_simulator_times_out() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    transport = httpx.MockTransport(refuse)
    async with SimulatorClient("http://127.0.0.1", transport=transport) as control:
        with pytest.raises(TimeoutError):
            await control.wait_until_ready(within=timedelta(milliseconds=80))


async def test_the_process_serves_until_it_is_interrupted(
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


def test_the_process_reports_an_invalid_configuration(tmp_path: Path) -> None:
    file = tmp_path / "simulator.json"

    assert main([]) == "usage: python -m antom_refunds.simulator CONFIG.json"
    assert "No such file" in (main([str(file)]) or "")
    file.write_text("{}")
    assert "antom_private_key_file: is required" in (main([str(file)]) or "")
    file.write_text(json.dumps({"antom_private_key_file": str(tmp_path / "missing.pem")}))
    assert "missing.pem" in (main([str(file)]) or "")


async def test_a_failure_in_a_background_task_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise RuntimeError

    tasks = BackgroundTasks()

    with caplog.at_level(logging.ERROR):
        tasks.start(broken())
        await tasks.idle()
        await asyncio.sleep(0)

    assert [record.message for record in caplog.records] == ["background_task.failed"]


async def test_closing_cancels_background_tasks() -> None:
    tasks = BackgroundTasks()
    tasks.start(asyncio.Event().wait())  # type: ignore[arg-type]

    await tasks.aclose()
    await tasks.idle()
