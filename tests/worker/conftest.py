"""The worker as a process with an environment, logs and signals."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from antom_refunds.simulator.server import serve_simulator
from tests.harness import CLIENT_ID, FAST_POLICY, Harness, KeyFiles, harness_on

ROOT = Path(__file__).parents[2]


@dataclass
class WorkerProcess:
    """A running worker; `lines` is what it wrote to standard error so far."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def until_logged(self, event: str) -> Mapping[str, Any]:
        """Wait for the first log line with this event; returns its fields."""
        assert self.process.stderr
        async with asyncio.timeout(60):
            while line := (await self.process.stderr.readline()).decode():
                self.lines.append(line)
                if line.startswith("{") and json.loads(line)["event"] == event:
                    fields: Mapping[str, Any] = json.loads(line)
                    return fields
        raise AssertionError(f"{event} was never logged: {self.lines}")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send this signal and return the exit code."""
        self.process.send_signal(number)
        return await self.end()

    async def end(self) -> int:
        """Wait for the end of the process and return its exit code."""
        _, rest = await self.process.communicate()
        self.lines += rest.decode().splitlines(keepends=True)
        assert self.process.returncode is not None
        return self.process.returncode


StartWorker = Callable[..., AbstractAsyncContextManager[WorkerProcess]]


@asynccontextmanager
async def started(environment: Mapping[str, str], *module: str) -> AsyncIterator[WorkerProcess]:
    """Run `python -m worker`, or another module, with only these settings of ours.

    Killed if it outlives the test.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTOM_REFUNDS_", "TEMPORAL_"))
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *(module or ("worker",)),
        cwd=ROOT,
        env={**inherited, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    worker = WorkerProcess(process)
    try:
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
            await worker.end()


@pytest.fixture
async def harness(
    dev_server: WorkflowEnvironment, merchant_keys: KeyFiles, antom_keys: KeyFiles
) -> AsyncIterator[Harness]:
    """A harness on the product's own task queues, for workers in other processes."""
    async with harness_on(dev_server, merchant_keys, antom_keys, policy=FAST_POLICY) as harness:
        yield harness


@pytest.fixture
async def gateway(harness: Harness) -> AsyncIterator[str]:
    """The simulator at a real address."""
    async with serve_simulator(harness.simulator) as address:
        yield address


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def environment(merchant_keys: KeyFiles, antom_keys: KeyFiles) -> dict[str, str]:
    """The settings of a worker for one merchant, without Temporal's address."""
    merchant = "ANTOM_REFUNDS_MERCHANTS__DEFAULT__"
    return {
        f"{merchant}CLIENT_ID": CLIENT_ID,
        f"{merchant}PRIVATE_KEY_FILE": str(merchant_keys[0]),
        f"{merchant}ANTOM_PUBLIC_KEY_FILES": str(antom_keys[1]),
        "ANTOM_REFUNDS_LOG_FORMAT": "json",
        "ANTOM_REFUNDS_SHUTDOWN_SECONDS": "10",
        "ANTOM_REFUNDS_SPEEDUP": "1000",
        # Without a cache no task waits in the sticky queue of a stopped worker.
        "ANTOM_REFUNDS_CACHED_WORKFLOWS_MAX": "0",
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
    }


@pytest.fixture
def serving(environment: dict[str, str], gateway: str, harness: Harness) -> dict[str, str]:
    """The settings of a worker that can do its work."""
    return {
        **environment,
        "ANTOM_REFUNDS_MERCHANTS__DEFAULT__GATEWAY": gateway,
        "TEMPORAL_ADDRESS": harness.temporal.service_client.config.target_host,
    }


async def fetched(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(url)
